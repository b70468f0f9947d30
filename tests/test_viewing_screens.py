"""Pages on other screens, pages of little, and pages that are damaged."""

import numpy as np
import pytest
from browser import Browser, open_page

from skfacies.viewing import write_view

pytestmark = pytest.mark.slow  # a browser takes seconds to start


@pytest.fixture(scope="module")
def page(survey, tmp_path_factory):
    path = tmp_path_factory.mktemp("view") / "view.html"
    write_view(path, survey.data, survey.target, training_lines={"inline": range(12)})
    return path


@pytest.mark.parametrize("dark", [False, True])
def test_page_fits_narrow_screens_and_can_be_read_in_both_themes(page, dark):
    with open_page(page, 400, 800, dark=dark) as browser:
        assert browser.run("document.documentElement.scrollWidth") == 400
        assert browser.run("document.documentElement.dataset.theme === 'dark'") is dark
        colors = browser.run(
            "['--page', '--panel', '--text', '--faint', '--training', '--next'].map(cssColor)"
        )
        light = [luminance(rgb(color.strip()) / 255) for color in colors]
        for background in light[:2]:
            for text in light[2:]:
                low, high = sorted([background, text])
                assert (high + 0.05) / (low + 0.05) > 3.3
            low, high = sorted([background, light[3]])
            assert (high + 0.05) / (low + 0.05) > 4.5  # WCAG 2.1, level AA
        assert browser.problems == []


def test_a_marked_line_keeps_its_controls_on_narrow_screens(page):
    with open_page(page, 400, 800) as browser:
        assert browser.run("panes[0].element.querySelector('.mark').textContent") == "training line"
        inside = "(bar) => bar.scrollWidth <= bar.clientWidth"
        bars = "[...document.querySelectorAll('figcaption')]"
        assert browser.run(f"{bars}.map({inside})") == [True, True, True]


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_map_shows_where_north_is(tmp_path, survey, mirrored):
    """Crosslines rise toward 330 degrees, inlines toward 60 or, mirrored, 240."""
    xarray = pytest.importorskip("xarray")
    along, across = (25.0 * np.arange(n) for n in survey.data.shape[:2])
    angle, sign = np.radians([60, 330]), -1 if mirrored else 1
    places = np.add.outer(sign * along, 0 * across), np.add.outer(0 * along, across)
    coords = {
        name: (
            ("inline", "crossline"),
            500_000 + sum(own * turn(a) for own, a in zip(places, angle, strict=True)),
        )
        for name, turn in (("cdp_x", np.sin), ("cdp_y", np.cos))
    }
    cube = xarray.DataArray(survey.data, coords, ("inline", "crossline", "twt"))
    write_view(tmp_path / "view.html", cube)
    with open_page(tmp_path / "view.html") as browser:
        assert browser.run("panes[2].upwards") is mirrored
        # The right is at 330 degrees, so the top is at 240.
        assert browser.run("panes[2].north") == pytest.approx(np.radians(120))
        assert browser.problems == []


def rgb(color):
    return np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])


def luminance(color):
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_single_line_is_shown_alone(tmp_path, survey, axis):
    line = survey.data.take([3], axis)
    path = tmp_path / "line.html"
    write_view(path, line, survey.target.take([3], axis))
    with open_page(path) as browser:
        heights = browser.run("panes.map((pane) => pane.canvas.clientHeight > 0)")
        assert heights == [axis == 0, axis == 1, False]
        browser.run("update()")
        assert browser.problems == []


def test_amplitudes_alone_have_no_controls_of_facies(tmp_path, survey):
    path = tmp_path / "plain.html"
    write_view(path, survey.data)
    with open_page(path) as browser:
        hidden = browser.run(
            "['overlays', 'units', 'contacts', 'lines', 'amplitudes']"
            ".map((id) => document.getElementById(id).hidden)"
        )
        assert hidden == [True, True, True, True, False]
        assert browser.problems == []


def test_dense_training_lines_do_not_hide_the_map(page):
    with open_page(page) as browser:
        browser.run(
            "find('#slice').style.height = '110px'; find('#slice').style.flex = 'none';"
            " find('#slice').style.minHeight = '0'; drawAll()"
        )
        read = (
            "(() => { draw(); const pane = panes[2]; const { x, y, width, height } = pane.frame;"
            " return [...pane.canvas.getContext('2d').getImageData(x, y, width, height).data]; })()"
        )
        with_lines = browser.run(read)
        assert browser.run("panes[2].frame.height") < 6 * 12
        browser.run("find('#show-lines').click()")
        assert np.corrcoef(with_lines, browser.run(read))[0, 1] > 0.7


def test_damaged_data_are_reported(page, tmp_path):
    path = tmp_path / "damaged.html"
    text = page.read_text(encoding="utf-8")
    start = text.index('data-first="0">') + 40
    path.write_text(text[:start] + "AAAA" + text[start + 4 :], encoding="utf-8")
    with Browser(path.as_uri()) as browser:
        browser.wait_for("document.getElementById('message')?.textContent.includes('cannot')")
        message = browser.run("find('#message').textContent")
    assert message.startswith("The data of this page cannot be read:")
