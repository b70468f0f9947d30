"""The commands of docs/walk.rst, in their order, with fewer epochs."""

import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfacies.__main__ import main
from skfacies.horizons import read_horizon
from skfacies.io import open_cube
from skfacies.persistence import load_model

segyio = pytest.importorskip("segyio")
pytest.importorskip("xarray")

DOCS = Path(__file__).parents[1] / "docs"
HORIZONS = ("top_sand", "top_shale", "top_salt")
BYTES = {"inline_byte": 9, "crossline_byte": 21}

pytestmark = pytest.mark.slow


def commands_of(page):
    """The words of each command of a page, without the prompt."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    return [shlex.split(line[2:]) for line in lines if line.startswith("$ ")]


def with_epochs(words, number):
    """A command with another number of epochs; other commands unchanged."""
    if "--epochs" not in words:
        return words
    place = words.index("--epochs") + 1
    return [*words[:place], str(number), *words[place + 1 :]]


def run(words, patch):
    if words[0] == "skfacies":
        assert main(with_epochs(words[1:], 2)) == 0
        return
    assert words[:2] == ["python", "walk_survey.py"]
    patch.setattr(sys, "argv", words[1:])
    runpy.run_path(str(DOCS / words[1]), run_name="__main__")


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The folder, the horizons at the time of each predict, and the commands."""
    folder = tmp_path_factory.mktemp("walk")
    commands, written = commands_of(DOCS / "walk.rst"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in commands:
            run(words, patch)
            if words[1] == "predict":
                files = (folder / words[words.index("--horizons") + 1]).iterdir()
                written.append({path.stem: path.read_text() for path in files})
    return folder, written, commands


def test_page_has_the_whole_loop_in_order(walked):
    names = [words[1] for words in walked[2] if words[0] == "skfacies"]
    loop = ["info", "fit", "check", "predict", "view", "next", "refine", "predict"]
    assert [name for name in names if name in loop] == loop


def test_horizons_of_both_predictions_have_the_coordinates_of_the_headers(walked, tmp_path):
    folder, written, _ = walked
    with segyio.open(folder / "survey.sgy", ignore_geometry=True) as file:
        words = np.stack([file.attributes(byte)[:] for byte in (9, 21, 73, 77)], axis=1)
    places = {(inline, crossline): (x, y) for inline, crossline, x, y in words.tolist()}
    cube = open_cube(folder / "survey.sgy", **BYTES)
    assert len(written) == 2
    for files in written:
        assert files
        for name, text in files.items():
            path = tmp_path / f"{name}.txt"
            path.write_text(text)
            cells = np.loadtxt(path, ndmin=2)
            own = np.array([places[inline, crossline] for inline, crossline in cells[:, :2]])
            assert_allclose(10 * cells[:, 2:4], own, rtol=0, atol=1e-6)
            # Reading the file puts each time back on its trace, and nothing on the others.
            times = np.full(cube.shape[:2], np.nan)
            rows = np.searchsorted(cube["inline"], cells[:, 0])
            times[rows, np.searchsorted(cube["crossline"], cells[:, 1])] = cells[:, 4]
            found = read_horizon(path, like=cube).data
            assert_allclose(800 + 4 * found, times, rtol=0, atol=1e-3)


def test_picks_are_read_at_the_traces_that_they_were_made_on(walked):
    folder, _, _ = walked
    cube = open_cube(folder / "survey.sgy", **BYTES)
    for name in HORIZONS:
        x, y, times = np.loadtxt(folder / f"{name}.xyz", skiprows=1).T
        found = read_horizon(folder / f"{name}.xyz", like=cube).data
        assert np.count_nonzero(~np.isnan(found)) == len(times)
        for k in (0, len(x) // 2, len(x) - 1):
            near = np.hypot(cube["cdp_x"] - x[k], cube["cdp_y"] - y[k])
            at = np.unravel_index(int(np.argmin(np.asarray(near))), cube.shape[:2])
            assert_allclose(800 + 4 * found[at], times[k], rtol=0, atol=1e-3)


def test_refined_model_has_learned_the_new_lines(walked):
    folder, _, commands = walked
    (words,) = [words for words in commands if words[1] == "refine"]
    model = load_model(folder / "model.safetensors")
    refined = load_model(folder / words[words.index("-o") + 1])
    assert refined.estimator_.n_iter_ > model.estimator_.n_iter_
    cube = open_cube(folder / "survey.sgy", **BYTES)
    chosen = words[words.index("--lines") + 1 : words.index("-o")]
    for word in chosen:
        name, numbers = word.split("=")
        trained = np.asarray(cube[name])[refined.lines_[name]]
        assert set(map(int, numbers.split(","))) <= set(trained.tolist())
        assert not set(map(int, numbers.split(","))) <= set(
            np.asarray(cube[name])[model.lines_[name]].tolist()
        )


def test_facies_have_the_headers_of_the_survey(walked):
    folder, _, commands = walked
    for words in (words for words in commands if words[1] == "predict"):
        with (
            segyio.open(folder / words[words.index("-o") + 1], ignore_geometry=True) as facies,
            segyio.open(folder / "survey.sgy", ignore_geometry=True) as survey,
        ):
            for byte in (9, 21, 71, 73, 77, 109):
                assert_array_equal(facies.attributes(byte)[:], survey.attributes(byte)[:])


def test_page_of_the_survey_is_written(walked):
    folder, _, commands = walked
    for words in (words for words in commands if words[1] == "view"):
        text = (folder / words[words.index("-o") + 1]).read_text(encoding="utf-8")
        assert text.startswith("<!doctype html>")
        assert "survey.sgy" in text
