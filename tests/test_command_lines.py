"""Several 2-D lines train one model on the command line."""

import json
import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from segy_files import line_words, write_traces

from skfacies import CubeSegmenter, FaciesSegmenter
from skfacies.__main__ import main
from skfacies._cubes.positions import (
    axis_numbers,
    line_numbers,
    numbers_of_line,
    place,
    trace_numbers,
)
from skfacies.datasets import make_facies_cube
from skfacies.horizons import horizons_from_labels
from skfacies.io import open_cube, write_cube
from skfacies.persistence import load_model, save_model

pytest.importorskip("xarray")

TRAIN = ["--epochs", "1", "--encoder", "tu-test_resnet"]
LENGTHS, N_SAMPLES = (60, 33, 48, 40), 48
STARTS, AZIMUTHS = [(5000, 5000), (5200, 7000), (8000, 4000), (9000, 9000)], (10, 70, 140, 200)
MADE = make_facies_cube((4, 60, N_SAMPLES), n_facies=3, random_state=0)
SECTIONS = [data[:n] for data, n in zip(MADE.data, LENGTHS, strict=True)]
LABELS = [labels[:n] for labels, n in zip(MADE.target, LENGTHS, strict=True)]


def positions(k):
    """X and Y of the traces of a slightly bent line, in whole meters."""
    along = 25.0 * np.arange(LENGTHS[k])
    angle = np.deg2rad(AZIMUTHS[k] + np.linspace(0, 10, LENGTHS[k]))
    steps = np.stack([along * np.cos(angle), along * np.sin(angle)], axis=1)
    return np.rint(100 * np.array(STARTS[k]) + steps).astype(int)


def words_of(k, xy=None):
    """Trace headers: CDP numbers from 1 on every line, X and Y."""
    x, y = (positions(k) if xy is None else xy).T
    return {(21, "i4"): np.arange(1, LENGTHS[k] + 1), (181, "i4"): x, (185, "i4"): y}


def points(k, depths, delay=0):
    """Inline 1, CDP number, X, Y and time of a horizon on a line."""
    one = np.ones(LENGTHS[k])
    columns = (one, np.arange(1, LENGTHS[k] + 1), *positions(k).T, delay + 4 * depths)
    return np.stack(columns, axis=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four lines with their files, and two horizons that are picked on the first three."""
    folder = tmp_path_factory.mktemp("lines")
    picked = [horizons_from_labels(labels) for labels in LABELS]
    for k, traces in enumerate(SECTIONS):
        write_traces(folder / f"line{k}.sgy", traces, words_of(k))
    for h, name in enumerate(("top", "base")):
        every = np.concatenate([points(k, picked[k][h]) for k in range(3)])
        np.savetxt(folder / f"{name}.xyz", every[:, 2:], fmt="%.3f")
        new = points(3, picked[3][h])
        np.savetxt(folder / f"{name}_new.xyz", new[:, 2:], fmt="%.3f")
        np.savetxt(folder / f"{name}_new.txt", new[:, [0, 1, 4]], fmt="%.3f")
        np.savetxt(folder / f"{name}_numbered.txt", every, fmt="%.3f")
        np.savetxt(folder / f"{name}_without_xy.txt", every[:, [0, 1, 4]], fmt="%.0f")
    survey = np.concatenate(SECTIONS)[:120]
    numbers = line_words(np.repeat(range(100, 110), 12), np.tile(range(300, 312), 10))
    write_traces(folder / "survey.sgy", survey, numbers)
    write_traces(folder / "without_xy.sgy", SECTIONS[1], {(21, "i4"): np.arange(1, 34)})
    return folder


@pytest.fixture
def fit(folder, monkeypatch):
    """Function that trains in the folder of the files; exit code and path of the model."""
    monkeypatch.chdir(folder)

    def fit(*arguments):
        path = folder / "model.safetensors"
        path.unlink(missing_ok=True)
        return main(["fit", *arguments, "-o", str(path), *TRAIN]), path

    return fit


class Stop(Exception):
    """Ends a command where training begins."""


@pytest.fixture
def given(fit, monkeypatch):
    """Function that runs a command up to its training; the sections and labels of the latter."""

    def stop(sections, labels, checkpoint, **_):
        raise Stop(sections, labels)

    def given(*arguments):
        with pytest.raises(Stop) as stopped:
            fit(*arguments)
        return stopped.value.args

    monkeypatch.setattr("skfacies._cli.models.fit_sections", stop)
    return given


def named_lines(*numbers):
    return [f"line{k}.sgy" for k in numbers]


def check_given(given, sections, labels):
    for found, expected in zip(given, (sections, labels), strict=True):
        for own, other in zip(found, expected, strict=True):
            assert_array_equal(own, other)


HORIZONS = ["--horizons", "top.xyz", "base.xyz"]


def test_lines_train_as_a_list_of_sections_does(fit, folder, capsys):
    """And predict another line, whose X and Y are in other bytes."""
    words = words_of(3)
    moved = {(byte + 20 * (byte > 180), kind): own for (byte, kind), own in words.items()}
    write_traces(folder / "moved.sgy", SECTIONS[3], moved)
    code, path = fit(*named_lines(0, 1, 2), *HORIZONS)
    assert code == 0
    out = capsys.readouterr().out
    assert "line1.sgy: 33 of 33 traces are interpreted" in out
    assert "trained on 3 2-D lines: line0.sgy, line1.sgy, line2.sgy" in out
    assert re.search("next: skfacies predict .* line0.sgy -o line0_facies.sgy", out)
    model = load_model(path)
    names = {0: "above top", 1: "top to base", 2: "below base"}
    assert (model.label_names_, model.contacts_) == (names, None)
    options = {"encoder_name": "tu-test_resnet", "encoder_weights": None, "max_epochs": 1}
    expected = FaciesSegmenter(**options, nan_policy="ignore", random_state=0)
    expected.fit(SECTIONS[:3], LABELS[:3])
    predicted = expected.predict(SECTIONS[3][None])
    assert_array_equal(model.predict(SECTIONS[3][None]), predicted)
    reading = ["--x-byte", "201", "--y-byte", "205", "--horizons", "found", "--quiet"]
    assert main(["predict", str(path), "moved.sgy", "-o", "facies.sgy", *reading]) == 0
    assert_array_equal(open_cube("facies.sgy"), predicted)


def test_lines_without_picks_are_left_out(given, capsys):
    found = given(*named_lines(3, 1, 0), *HORIZONS, "--names", "a,b,c")
    check_given(found, [SECTIONS[1], SECTIONS[0]], [LABELS[1], LABELS[0]])
    assert "line3.sgy: left out, as it has no pick" in capsys.readouterr().out


def test_trace_numbers_that_lines_share_are_not_used(given):
    """All lines have the numbers 1, 2, …, which say nothing where X and Y are known."""
    found = given(*named_lines(0, 1, 2), "--horizons", "top_numbered.txt", "base_numbered.txt")
    check_given(found, SECTIONS[:3], LABELS[:3])
    assert all(set(section.coords) == {"twt"} for section in found[0])


def test_intervals_are_placed_by_x_and_y(given, folder):
    expected, rows = [np.full(SECTIONS[k].shape, -1) for k in range(2)], ["x y top base class"]
    for k in range(2):
        for i, (x, y) in list(enumerate(positions(k)))[::2]:
            rows += [f"{x} {y} 0 60 sand", f"{x} {y} 100 160 shale"]
            expected[k][i, :15], expected[k][i, 25:40] = 0, 1
    (folder / "picks.txt").write_text("\n".join(rows))
    check_given(given(*named_lines(0, 1, 2), "--picks", "picks.txt"), SECTIONS[:2], expected)


def test_window_between_horizons(given):
    found = given(*named_lines(0, 1), *HORIZONS, "--between", "top.xyz", "base.xyz")
    expected = [np.where(labels == 1, 1, -1) for labels in LABELS[:2]]
    check_given(found, SECTIONS[:2], expected)


def test_lines_with_another_start_and_interval(given, folder):
    """Times count, not samples: one line begins later, one has every second sample."""
    later = {**words_of(1), (109, "i2"): 40, (115, "u2"): 38}
    write_traces(folder / "later.sgy", SECTIONS[1][:, 10:], later)
    coarse = {**words_of(2), (117, "u2"): 8000}
    binary = {(3217, "u2"): 8000}
    write_traces(folder / "coarse.sgy", SECTIONS[2][:, ::2], coarse, binary=binary)
    found = given("later.sgy", "line0.sgy", "coarse.sgy", *HORIZONS)
    sections = [SECTIONS[1][:, 10:], SECTIONS[0], SECTIONS[2][:, ::2]]
    check_given(found, sections, [LABELS[1][:, 10:], LABELS[0], LABELS[2][:, ::2]])
    assert_array_equal(found[0][0]["twt"], 40 + 4 * np.arange(38))


def test_versions_of_a_line_have_the_same_picks(given, folder):
    write_traces(folder / "again.sgy", -SECTIONS[1], words_of(1))
    found = given("line1.sgy", "again.sgy", "line0.sgy", *HORIZONS)
    check_given(found, [SECTIONS[1], -SECTIONS[1], SECTIONS[0]], [LABELS[k] for k in (1, 1, 0)])


@pytest.mark.filterwarnings("ignore:.* are opened as a 2-D line:UserWarning")
def test_lines_through_a_survey_keep_its_numbers(given, folder):
    for k, steps in enumerate((np.arange(60), -np.arange(33))):
        numbers = line_words(200 + 2 * steps, 300 + 3 * np.abs(steps))
        write_traces(folder / f"through{k}.sgy", SECTIONS[k], words_of(k) | numbers)
    sections, _ = given("through0.sgy", "through1.sgy", *HORIZONS)
    expected = np.stack([200 - 2 * np.arange(33), 300 + 3 * np.arange(33)], axis=1)
    assert_array_equal(trace_numbers(sections, 1), expected)
    # Prediction has the same numbers, of the whole line.
    cube = open_cube("through1.sgy")
    numbers = line_numbers(cube)
    assert_array_equal(place(cube.values, numbers, 0, 0).trace_numbers[0], expected)
    assert_array_equal(numbers_of_line(numbers, 1, 5), expected[5:6])
    assert axis_numbers(cube) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["line0.sgy", "survey.sgy"], "survey.sgy is a survey of 10 inlines and 12 crosslines"),
        (["line0.sgy", "without_xy.sgy"], "without_xy.sgy has no X and Y .* --x-byte"),
        (["line0.sgy", "line1.sgy", "./line0.sgy"], "line0.sgy is given twice"),
        (["line0.sgy", "line1.sgy", "--directions", "both"], "--directions is for one survey"),
        (["line0.sgy", "line1.sgy", "--lines", "inline=1"], "--lines is for one survey"),
        (["line0.sgy", "line1.sgy", "--names", "a,b"], "2 names, but 2 horizons have 3 units"),
        (["line3.sgy", "line3.segy"], "top.xyz.* has no point within half a bin"),
        (["line0.sgy", "depth.zarr"], "twt in ms, depth.zarr has depth in m"),
    ],
)
def test_refused_before_training(fit, folder, arguments, message, capsys):
    write_traces(folder / "line3.segy", SECTIONS[3], words_of(3))
    if "depth.zarr" in arguments:
        pytest.importorskip("zarr")
        write_cube("depth.zarr", open_cube("line1.sgy", domain="depth"))
    code, path = fit(*arguments, *HORIZONS)
    assert (code, path.exists()) == (1, False)
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "3 files are given. Several 2-D lines need --horizons"),
        (["--horizons", "top_without_xy.txt"], "has no X and Y"),
        (
            ["--horizons", "top_without_xy.txt", "--columns", "inline,crossline,value"],
            "--columns must name all columns, 'x', 'y', 'value' once each",
        ),
        (["--picks", "numbers.txt"], "Give X and Y"),
    ],
)
def test_trace_numbers_do_not_place_points_on_several_lines(
    fit, folder, arguments, message, capsys
):
    (folder / "numbers.txt").write_text("1 10 20 40 sand\n1 11 40 80 shale\n")
    code, path = fit(*named_lines(0, 1, 2), *arguments)
    assert (code, path.exists()) == (1, False)
    assert re.search(message, capsys.readouterr().err)


# --- refining, and the other commands -----------------------------------------------------------

NEW = ["--horizons", "top_new.xyz", "base_new.xyz"]


@pytest.fixture(scope="module")
def model(folder):
    """A model of three lines."""
    path = folder / "lines.safetensors"
    files = [str(folder / name) for name in named_lines(0, 1, 2)]
    horizons = [str(folder / name) for name in HORIZONS[1:]]
    arguments = ["fit", *files, "--horizons", *horizons, "-o", str(path), *TRAIN, "--quiet"]
    assert main(arguments) == 0
    return path


@pytest.fixture
def refine(model, folder, monkeypatch):
    """Function that refines in the folder of the files; exit code and path of the new model."""
    monkeypatch.chdir(folder)

    def refine(*arguments):
        path = folder / "refined.safetensors"
        path.unlink(missing_ok=True)
        return main(["refine", "lines.safetensors", *arguments, "-o", str(path)]), path

    return refine


def test_a_new_line_is_learned_with_the_earlier_ones(refine, model, capsys):
    code, path = refine(*named_lines(3, 0, 1, 2), *NEW)
    assert code == 0
    out = capsys.readouterr().out
    assert "line3.sgy: 40 of 40 traces are interpreted" in out
    assert "line0.sgy: no pick, learned again as MODEL predicts it" in out
    assert "trained on 4 2-D lines in all" in out
    assert "of the samples on 4 2-D lines" in out
    assert "next: skfacies predict" in out
    new, old = load_model(path), load_model(model)
    assert isinstance(new, FaciesSegmenter)
    assert new.label_names_ == old.label_names_
    assert new.n_iter_ == old.n_iter_ + 1


def test_labels_of_new_lines_are_their_picks(refine, monkeypatch):
    def stop(model, sections, labels):
        raise Stop(sections, labels)

    monkeypatch.setattr("skfacies._cli.models.refine_sections", stop)
    with pytest.raises(Stop) as stopped:
        refine(*named_lines(1, 3), *NEW)
    nothing = np.full(SECTIONS[1].shape, -1)
    check_given(stopped.value.args, [SECTIONS[1], SECTIONS[3]], [nothing, LABELS[3]])


def test_one_line_may_be_placed_by_its_trace_numbers(refine, capsys):
    code, path = refine("line3.sgy", "--horizons", "top_new.txt", "base_new.txt", "--json")
    assert code == 0
    assert json.loads(capsys.readouterr().out)["lines"] == {"line3.sgy": 40}
    assert isinstance(load_model(path), FaciesSegmenter)


def test_lines_that_may_be_forgotten_are_told(refine, capsys):
    assert refine("line3.sgy", *NEW)[0] == 0
    assert "earlier lines whose files are not given may be forgotten" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["line3.sgy", "line0.sgy", *NEW, "--lines", "inline=1"], "--lines is for one survey"),
        (["line3.sgy", "line0.sgy", "line1.sgy"], "3 files are given. Several 2-D lines need"),
        (["line3.sgy", "survey.sgy", *NEW], "survey.sgy is a survey of 10 inlines"),
        (["line3.sgy", "line3.sgy", *NEW], "line3.sgy is given twice"),
        (["line0.sgy", "line1.sgy", *NEW], "top_new.xyz.* has no point within half a bin"),
    ],
)
def test_refused_before_refining(refine, arguments, message, capsys):
    code, path = refine(*arguments)
    assert (code, path.exists()) == (1, False)
    assert re.search(message, capsys.readouterr().err)


def test_lines_do_not_refine_a_model_of_a_survey(refine, model, folder, capsys):
    survey = CubeSegmenter.from_fitted(load_model(model))
    survey.lines_ = {"inline": np.array([3])}
    save_model(survey, folder / "survey.safetensors")
    arguments = ["refine", "survey.safetensors", *named_lines(3, 0), *NEW]
    assert main([*arguments, "-o", "new.safetensors"]) == 1
    assert "MODEL was trained on a survey" in capsys.readouterr().err


def test_next_needs_a_survey_and_its_picked_lines(model, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["next", "lines.safetensors", "line3.sgy"]) == 1
    assert "line3.sgy is a 2-D line" in capsys.readouterr().err
    assert main(["next", "lines.safetensors", "survey.sgy"]) == 1
    assert "--picked inline=300,350 crossline=400, or --picked none" in capsys.readouterr().err
    assert main(["next", "lines.safetensors", "survey.sgy", "--picked", "none", "-n", "1"]) == 0
    shown = capsys.readouterr().out
    assert "see them: skfacies view survey.sgy --model lines.safetensors --next-lines" in shown
    assert "--horizons TOP BASE --lines" in shown
