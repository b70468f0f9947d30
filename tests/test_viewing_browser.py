"""Pages in a browser: what is drawn is what is in the arrays, and all controls do what they say."""

import json

import numpy as np
import pytest
from browser import open_page
from numpy.testing import assert_allclose, assert_array_equal

from skfacies._colors import facies_colors
from skfacies.viewing import write_view

xarray = pytest.importorskip("xarray")
pytestmark = pytest.mark.slow  # a browser takes seconds to start

INLINES = np.arange(100, 124, 2)
CROSSLINES = np.arange(300, 340)
TIMES = 200 + 4 * np.arange(48)
OPACITY = 0.45
ALL = slice(None)

#: Pixels at the centers of all samples of a view, (rows, columns, 3).
PIXELS = """
(() => {
  draw();
  const pane = panes[%d];
  const context = pane.canvas.getContext("2d");
  const rows = [];
  for (let row = 0; row < pane.size[1]; row++) {
    const pixels = [];
    for (let column = 0; column < pane.size[0]; column++) {
      const at = [Math.floor(pane.toX(column)), Math.floor(pane.toY(row))];
      pixels.push([...context.getImageData(...at, 1, 1).data].slice(0, 3));
    }
    rows.push(pixels);
  }
  return rows;
})()
"""
VIEWS = ["inline", "crossline", "slice"]


@pytest.fixture(scope="module")
def shown(survey):
    """The arrays of the page."""
    chance = np.random.default_rng(0)
    interpretation = np.full_like(survey.target, -1)
    interpretation[[2, 8]] = survey.target[[2, 8]]
    shape = survey.data.shape
    return {
        "amplitude": survey.data,
        "first": survey.target,
        "second": np.roll(survey.target, 5, axis=2),
        "interpretation": interpretation,
        "entropy": chance.random(shape, dtype=np.float32),
        "mis-tie": chance.random(shape[:2], dtype=np.float32),
    }


@pytest.fixture(scope="module")
def page(shown, survey, tmp_path_factory):
    dims = ("inline", "crossline", "twt")
    i, x = np.meshgrid(INLINES, CROSSLINES, indexing="ij")
    coords = {
        "inline": INLINES,
        "crossline": CROSSLINES,
        "twt": ("twt", TIMES, {"units": "ms"}),
        "cdp_x": (dims[:2], 1000.0 + 25 * x),
        "cdp_y": (dims[:2], 2000.0 + 10 * i),
    }
    path = tmp_path_factory.mktemp("view") / "view.html"
    write_view(
        path,
        xarray.DataArray(survey.data, coords, dims),
        {name: shown[name] for name in ("first", "second")},
        interpretation=shown["interpretation"],
        entropy=shown["entropy"],
        mistie=shown["mis-tie"],
        next_lines={"inline": [110], "crossline": [333]},
        names=["sand", "shale", "<b>salt</b>"],
        title="A & B",
    )
    return path


@pytest.fixture(scope="module")
def opened(page):
    with open_page(page) as browser:
        yield browser


@pytest.fixture
def browser(opened):
    """The page, as it was when it was opened, without lines and smoothing."""
    opened.run(
        "find('main').dataset.enlarged && enlarge(panes.find(own => "
        "own.id === find('main').dataset.enlarged))"
    )
    opened.run("pointed = null; moveTo([6, 20, 24])")
    choose(opened, "none")
    for control in ("#reverse", "#smooth", "#show-lines", "#contacts input"):
        check(opened, control, False)
    check(opened, "#units input", True)
    for control, value in (("#palette", "gray"), ("#gain", 0), ("#opacity", 100 * OPACITY)):
        enter(opened, control, value)
    opened.problems.clear()
    yield opened
    assert opened.problems == []


def enter(browser, selector, value):
    """Give a control a value as a user does."""
    browser.run(
        f"(() => {{ const control = find({json.dumps(selector)}); control.value = {value!r};"
        " for (const kind of ['input', 'change'])"
        " control.dispatchEvent(new Event(kind, {bubbles: true})); })()"
    )


def check(browser, selector, on):
    browser.run(
        f"for (const box of document.querySelectorAll({json.dumps(selector)}))"
        f" if (box.checked !== {json.dumps(on)}) box.click()"
    )


def choose(browser, name):
    """Choose an overlay by its name."""
    browser.run(
        "[...document.querySelectorAll('#overlays .choice')]"
        f".find((label) => label.textContent === {json.dumps(name)}).click()"
    )


def pixels(browser, view):
    return np.array(browser.run(PIXELS % VIEWS.index(view)))


def section(array, view, positions):
    """What a view should show of a cube, (rows, columns)."""
    i, x, z = positions
    if array.ndim == 2:  # a map of traces
        array = np.repeat(array[:, :, None], len(TIMES), axis=2)
    return {"inline": array[i].T, "crossline": array[:, x].T, "slice": array[:, :, z]}[view]


def gray(shown, view, positions, gain=1.0):
    """Gray levels of a view of the amplitudes."""
    amplitudes = shown["amplitude"]
    limit = np.percentile(np.abs(amplitudes), 99.9)
    fraction = 0.5 + gain * section(amplitudes, view, positions).clip(-limit, limit) / limit / 2
    return 255 * np.repeat(fraction.clip(0, 1)[..., None], 3, axis=2)


def rgb(colors):
    return np.array([[int(color[k : k + 2], 16) for k in (1, 3, 5)] for color in colors])


def over(background, color, opacity):
    return (1 - opacity) * background + opacity * color


# --- what is drawn --------------------------------------------------------------------------


def test_page_opens_without_errors_and_without_the_network(opened):
    assert opened.problems == []
    assert opened.run("document.title") == "A & B"


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("part", [0, 0.3, 1])
def test_each_slider_shows_the_section_of_the_cube(browser, shown, view, part):
    positions = [6, 20, 24]
    axis = VIEWS.index(view)
    positions[axis] = round(part * (shown["amplitude"].shape[axis] - 1))
    enter(browser, f"#{view} .slider", positions[axis])
    # A bin of eight bits, and rounding of the limit.
    assert_allclose(pixels(browser, view), gray(shown, view, positions), atol=2)
    number = [INLINES, CROSSLINES, TIMES][axis][positions[axis]]
    assert browser.run(f"+find('#{view} .number').value") == number


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["first", "second", "interpretation"])
def test_facies_are_laid_over_the_amplitudes(browser, shown, view, name):
    positions = [8, 20, 24]
    browser.run(f"moveTo({positions})")
    choose(browser, name)
    labels = section(shown[name], view, positions)
    background = gray(shown, view, positions)
    expected = over(background, rgb(facies_colors(3))[labels], OPACITY)
    expected = np.where(labels[..., None] < 0, background, expected)
    assert_allclose(pixels(browser, view), expected, atol=3)


def fractions(shown, view, name):
    """Doubt as a fraction of the range that is shown."""
    values = section(shown[name], view, [6, 20, 24])
    return (values / (1 if name == "entropy" else np.percentile(shown[name], 99.9))).clip(0, 1)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["entropy", "mis-tie"])
def test_doubt_has_the_colors_of_the_displays_over_gray(browser, shown, view, name):
    colormaps = pytest.importorskip("matplotlib").colormaps
    choose(browser, name)
    fraction = fractions(shown, view, name)
    colors = 255 * colormaps["YlOrRd"](fraction)[..., :3]
    opacity = OPACITY * np.minimum(1, 3 * fraction)[..., None]
    expected = over(gray(shown, view, [6, 20, 24]), colors, opacity)
    assert_allclose(pixels(browser, view), expected, atol=6)


@pytest.mark.parametrize("name", ["entropy", "mis-tie"])
def test_doubt_darkens_red_and_blue(browser, shown, name):
    enter(browser, "#palette", "redblue")
    background = pixels(browser, "inline")
    choose(browser, name)
    opacity = OPACITY * fractions(shown, "inline", name)[..., None]
    assert_allclose(pixels(browser, "inline"), over(background, 0, opacity), atol=3)


def test_hidden_units_let_amplitudes_through(browser, shown):
    choose(browser, "first")
    check(browser, "#units input[value='2']", False)
    labels = section(shown["first"], "inline", [6, 20, 24])
    background = gray(shown, "inline", [6, 20, 24])
    drawn = pixels(browser, "inline")
    assert_allclose(drawn[labels == 1], background[labels == 1], atol=2)
    assert np.abs(drawn - background)[labels != 1].max() > 20
    browser.run("find('#no-units').click()")
    assert_allclose(pixels(browser, "inline"), background, atol=2)
    browser.run("find('#all-units').click()")
    assert browser.run("document.querySelectorAll('#units input:checked').length") == 3


def test_opacity_of_zero_and_one(browser, shown):
    choose(browser, "first")
    enter(browser, "#opacity", 0)
    assert_allclose(pixels(browser, "inline"), gray(shown, "inline", [6, 20, 24]), atol=2)
    enter(browser, "#opacity", 100)
    labels = section(shown["first"], "inline", [6, 20, 24])
    assert_array_equal(pixels(browser, "inline"), rgb(facies_colors(3))[labels])


def test_gain_reverse_and_colors(browser, shown):
    positions = [6, 20, 24]
    enter(browser, "#gain", 6)
    gain = 10 ** (6 / 20)
    loud = gray(shown, "inline", positions, gain)
    assert_allclose(pixels(browser, "inline"), loud, atol=3)
    check(browser, "#reverse", True)
    assert_allclose(pixels(browser, "inline"), 255 - loud, atol=3)
    check(browser, "#reverse", False)
    enter(browser, "#palette", "redblue")
    red, _, blue = np.moveaxis(pixels(browser, "inline"), 2, 0)
    amplitudes = section(shown["amplitude"], "inline", positions)
    limit = np.percentile(np.abs(shown["amplitude"]), 99.9) / gain
    assert (red > blue)[amplitudes > 0.1 * limit].all()
    assert (blue > red)[amplitudes < -0.1 * limit].all()


@pytest.mark.parametrize(
    ("control", "name", "color"),
    [
        ("#facies-contacts input", "first", (255, 230, 0)),
        ("#interpretation-contacts input", "interpretation", (0, 0, 0)),
    ],
)
def test_contacts_are_drawn_between_units(browser, shown, control, name, color):
    browser.run("moveTo([8, 20, 24])")
    choose(browser, "first")  # the prediction whose contacts are shown
    choose(browser, "none")
    enter(browser, "#palette", "redblue")  # has neither color
    check(browser, control, True)
    labels = section(shown[name], "inline", [8, 20, 24])
    rows, columns = np.nonzero(labels[1:] != labels[:-1])
    assert len(rows) > 40
    drawn = browser.run(
        "(() => { draw(); const pane = panes[0]; const context = pane.canvas.getContext('2d');"
        f" return {np.stack([rows, columns], axis=1).tolist()}.map(([row, column]) =>"
        " [...context.getImageData(Math.floor(pane.toX(column)), Math.floor("
        "(pane.toY(row) + pane.toY(row + 1)) / 2), 1, 1).data].slice(0, 3)); })()"
    )
    # Lines do not lie on whole pixels.
    assert np.abs(np.array(drawn) - color).max(axis=1).mean() < 130


def test_contacts_are_in_as_many_places_as_labels_change(browser, shown):
    """The path of the contacts, segment by segment."""
    total = browser.run(
        """(() => {
          const Old = window.Path2D;
          let length = 0, from = null;
          window.Path2D = class {
            moveTo(x, y) { from = [x, y]; }
            lineTo(x, y) { length += Math.abs(x - from[0]) / (panes[0].toX(1) - panes[0].toX(0))
              + Math.abs(y - from[1]) / (panes[0].toY(1) - panes[0].toY(0)); }
          };
          panes[0].contactPath(panes[0].cut(state.facies, 6));
          window.Path2D = Old;
          return length;
        })()"""
    )
    labels = shown[browser.run("state.facies.name")][6]
    expected = sum((np.diff(labels, axis=axis) != 0).sum() for axis in (0, 1))
    assert total == pytest.approx(expected)


def test_lines_are_on_the_map(browser):
    before = pixels(browser, "slice")
    check(browser, "#show-lines", True)
    after = pixels(browser, "slice")
    changed = (before != after).any(axis=2)
    rows, columns = changed.mean(axis=1), changed.mean(axis=0)
    assert set(np.flatnonzero(rows > 0.9)) == {2, 6, 8}  # training lines and the cross
    assert set(np.flatnonzero(columns > 0.9)) == {20}
    assert 0.4 < rows[5] < 0.9  # suggested lines are dashed
    assert 0.4 < columns[33] < 1


# --- controls -------------------------------------------------------------------------------


def numbers(browser):
    return [browser.run(f"+find('#{view} .number').value") for view in VIEWS]


@pytest.mark.parametrize(
    ("view", "keys", "expected"),
    [
        ("1", ["ArrowRight"], (114, 320, 296)),
        ("1", ["ArrowLeft", "ArrowLeft"], (108, 320, 296)),
        ("2", ["PageUp", "ArrowDown"], (112, 311, 296)),
        ("3", ["ArrowDown"], (112, 320, 300)),
        ("3", ["End"], (112, 320, 388)),
        ("3", ["Home", "ArrowUp"], (112, 320, 200)),
    ],
)
def test_keys_move_the_view_in_use(browser, shown, view, keys, expected):
    browser.run("document.activeElement.blur()")
    for key in (view, *keys):
        browser.press(key)
    assert numbers(browser) == list(expected)
    positions = [
        int(np.flatnonzero(axis == number)[0])
        for axis, number in zip((INLINES, CROSSLINES, TIMES), expected, strict=True)
    ]
    name = VIEWS[int(view) - 1]
    assert_allclose(pixels(browser, name), gray(shown, name, positions), atol=2)


def test_keys_switch_layers_theme_and_size(browser):
    browser.run("document.activeElement.blur()")
    choose(browser, "entropy")
    for _ in range(2):
        browser.press("o")
    assert browser.run("state.overlay.name") == "entropy"
    browser.press("o")
    assert browser.run("state.overlay") is None
    browser.press("c")
    assert browser.run("state.contacts.length") == 2
    browser.press("l")
    assert browser.run("state.showLines")
    theme = "document.documentElement.dataset.theme === 'dark'"
    was_dark = browser.run(theme)
    browser.press("d")
    assert browser.run(theme) is not was_dark
    browser.press("d")
    browser.press("2")
    browser.press("e")
    assert browser.run("panes.map((pane) => pane.canvas.clientHeight > 0)") == [False, True, True]
    browser.press("?")
    assert browser.run("find('dialog').open")
    browser.run("find('dialog').close()")


def test_keys_do_nothing_while_a_number_is_typed(browser):
    browser.run("find('#inline .number').focus()")
    browser.press("e")
    assert browser.run("find('main').dataset.enlarged ?? null") is None


@pytest.mark.parametrize(("typed", "expected"), [(107, 106), (5000, 122), (-3, 100)])
def test_a_typed_number_goes_to_the_nearest_line(browser, typed, expected):
    enter(browser, "#inline .number", typed)
    assert numbers(browser)[0] in (expected, expected + 2 * (typed == 107))


def test_menu_goes_to_training_and_next_lines(browser):
    options = browser.run("[...document.querySelectorAll('#go-to option')].map((o) => o.value)")
    assert options == ["", "inline 104", "inline 116", "inline 110", "crossline 333"]
    enter(browser, "#go-to", "crossline 333")
    assert numbers(browser) == [112, 333, 296]
    assert browser.run("find('#crossline .mark').textContent") == "suggested next"
    enter(browser, "#go-to", "inline 104")
    assert browser.run("find('#inline .mark').textContent") == "training line"


@pytest.mark.parametrize(
    ("view", "positions"),
    [("inline", (6, 31, 17)), ("crossline", (3, 20, 40)), ("slice", (9, 4, 24))],
)
def test_values_under_the_pointer_are_those_of_the_arrays(browser, shown, view, positions):
    i, x, z = positions
    place = browser.run(
        f"(() => {{ draw(); const pane = panes[{VIEWS.index(view)}];"
        " const box = pane.canvas.getBoundingClientRect();"
        f" return [box.x + pane.toX({list(positions)}[pane.across]),"
        f" box.y + pane.toY({list(positions)}[pane.down])]; }})()"
    )
    browser.point(*place)
    text = browser.run("find('#readout').textContent")
    assert f"inline {INLINES[i]} " in text
    assert f"crossline {CROSSLINES[x]} " in text
    assert f"two-way time {TIMES[z]} ms" in text
    assert f"X {1000 + 25 * CROSSLINES[x]}" in text
    assert f"Y {2000 + 10 * INLINES[i]}" in text
    read = browser.run(
        "Object.fromEntries([...document.querySelectorAll('#readout span')].map((part) =>"
        " [part.firstChild.textContent.trim(), part.lastChild.textContent]))"
    )
    names = ["sand", "shale", "<b>salt</b>"]
    assert read["first"] == names[shown["first"][positions]]
    assert read["second"] == names[shown["second"][positions]]
    label = shown["interpretation"][positions]
    assert read["interpretation"] == ("–" if label < 0 else names[label])
    assert float(read["entropy"]) == pytest.approx(shown["entropy"][positions], abs=0.0051)
    assert float(read["mis-tie"]) == pytest.approx(shown["mis-tie"][i, x], abs=0.0051)
    limit = np.percentile(np.abs(shown["amplitude"]), 99.9)
    amplitude = float(read["amplitude"].replace("−", "-").lstrip("≤≥ "))
    expected = shown["amplitude"][positions].clip(-limit, limit)
    assert amplitude == pytest.approx(expected, abs=float(limit) / 250)


def test_a_click_moves_the_other_views(browser):
    place = browser.run(
        "(() => { draw(); const box = panes[2].canvas.getBoundingClientRect();"
        " return [box.x + panes[2].toX(7), box.y + panes[2].toY(10)]; })()"
    )
    browser.point(*place, kind="mousePressed")
    browser.point(*place, kind="mouseReleased")
    assert numbers(browser) == [120, 307, 296]


def test_times_point_down_and_the_map_is_not_mirrored(browser):
    """Inlines go north and crosslines east here: up and to the right."""
    rows = browser.run("[panes[0].toY(0), panes[0].toY(1), panes[2].toY(0), panes[2].toY(1)]")
    assert rows[0] < rows[1]
    assert rows[2] > rows[3]
    assert browser.run("panes[2].aspect") == pytest.approx([25, 20])


def test_ticks_are_round_numbers_at_their_lines(browser):
    ticks = browser.run("ticks(axes[2].numbers, 6)")
    assert ticks == [[200, 0], [250, 12.5], [300, 25], [350, 37.5]]
