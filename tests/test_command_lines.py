"""Several 2-D lines train one model on the command line."""

import json
import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from segy_files import line_words, write_traces

from skfacies import FaciesSegmenter
from skfacies.__main__ import main
from skfacies.datasets import make_facies_cube
from skfacies.horizons import horizons_from_labels
from skfacies.io import open_cube
from skfacies.persistence import load_model

xarray = pytest.importorskip("xarray")

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


def named_lines(*numbers):
    return [f"line{k}.sgy" for k in numbers]


def trained_on(sections, labels):
    """The model of Python's own call."""
    model = FaciesSegmenter(
        encoder_name="tu-test_resnet",
        encoder_weights=None,
        max_epochs=1,
        nan_policy="ignore",
        random_state=0,
    )
    return model.fit(sections, labels)


def check_same(path, sections, labels):
    found, expected = load_model(path), trained_on(sections, labels)
    for section in SECTIONS:
        assert_array_equal(found.predict([section])[0], expected.predict([section])[0])
    assert found.contacts_ is None


def test_lines_train_as_a_list_of_sections_does(fit, capsys):
    code, path = fit(*named_lines(0, 1, 2), "--horizons", "top.xyz", "base.xyz")
    assert code == 0
    check_same(path, SECTIONS[:3], LABELS[:3])
    out = capsys.readouterr().out
    assert "line1.sgy: 33 of 33 traces are interpreted" in out
    assert "trained on 3 2-D lines: line0.sgy, line1.sgy, line2.sgy" in out
    names = {0: "above top", 1: "top to base", 2: "below base"}
    assert load_model(path).label_names_ == names


def test_lines_without_picks_are_left_out(fit, capsys):
    code, path = fit(*named_lines(3, 1, 0), "--horizons", "top.xyz", "base.xyz", "--names", "a,b,c")
    assert code == 0
    check_same(path, [SECTIONS[1], SECTIONS[0]], [LABELS[1], LABELS[0]])
    out = capsys.readouterr().out
    assert "line3.sgy: left out, as it has no pick" in out
    assert "trained on 2 2-D lines: line1.sgy, line0.sgy" in out


def test_trace_numbers_that_lines_share_are_not_used(fit):
    """All lines have the numbers 1, 2, …, which say nothing where X and Y are known."""
    code, path = fit(
        *named_lines(0, 1, 2), "--horizons", "top_numbered.txt", "base_numbered.txt", "--quiet"
    )
    assert code == 0
    check_same(path, SECTIONS[:3], LABELS[:3])


def test_intervals_are_placed_by_x_and_y(fit, folder):
    expected, rows = [np.full(SECTIONS[k].shape, -1) for k in range(2)], ["x y top base class"]
    for k in range(2):
        for i, (x, y) in list(enumerate(positions(k)))[::2]:
            rows += [f"{x} {y} 0 60 sand", f"{x} {y} 100 160 shale"]
            expected[k][i, :15], expected[k][i, 25:40] = 0, 1
    (folder / "picks.txt").write_text("\n".join(rows))
    code, path = fit(*named_lines(0, 1, 2), "--picks", "picks.txt", "--quiet")
    assert code == 0
    check_same(path, SECTIONS[:2], expected)
    assert load_model(path).label_names_ == {0: "sand", 1: "shale"}


def test_window_between_horizons(fit):
    top, base = horizons = ["top.xyz", "base.xyz"]
    code, path = fit(*named_lines(0, 1), "--horizons", top, "--between", *horizons, "--quiet")
    assert code == 0
    assert list(load_model(path).label_names_.values()) == ["below top"]


def test_lines_with_another_start_and_interval(fit, folder):
    """Times count, not samples: line 1 begins later, line 2 has every second sample."""
    binary = {(3217, "u2"): 8000, (3221, "u2"): 24}
    later = {**words_of(1), (109, "i2"): 40, (115, "u2"): 38}
    write_traces(folder / "later.sgy", SECTIONS[1][:, 10:], later, binary={(3221, "u2"): 38})
    coarse = {**words_of(2), (115, "u2"): 24, (117, "u2"): 8000}
    write_traces(folder / "coarse.sgy", SECTIONS[2][:, ::2], coarse, binary=binary)
    from skfacies._cli.fit_lines import join_lines

    lines = [open_cube(folder / name) for name in ("later.sgy", "line0.sgy", "coarse.sgy")]
    traces, _ = join_lines(lines, ["later", "line0", "coarse"])
    assert_array_equal(traces["twt"], 4 * np.arange(N_SAMPLES))
    with pytest.warns(UserWarning, match="interval"):
        code, path = fit(
            "later.sgy", "line0.sgy", "coarse.sgy", "--horizons", "top.xyz", "base.xyz", "--quiet"
        )
    assert code == 0
    sections = [SECTIONS[1][:, 10:], SECTIONS[0], SECTIONS[2][:, ::2]]
    labels = [LABELS[1][:, 10:], LABELS[0], LABELS[2][:, ::2]]
    check_same(path, sections, labels)


def test_versions_of_a_line_have_the_same_picks(fit, folder):
    write_traces(folder / "again.sgy", -SECTIONS[1], words_of(1))
    code, path = fit(
        "line1.sgy", "again.sgy", "line0.sgy", "--horizons", "top.xyz", "base.xyz", "--quiet"
    )
    assert code == 0
    sections = [SECTIONS[1], -SECTIONS[1], SECTIONS[0]]
    check_same(path, sections, [LABELS[1], LABELS[1], LABELS[0]])


def test_another_line_is_predicted_like_the_training_lines(fit, folder, capsys):
    x_and_y = words_of(3)
    moved = {(21, "i4"): x_and_y[21, "i4"], (201, "i4"): x_and_y[181, "i4"]}
    write_traces(folder / "moved.sgy", SECTIONS[3], moved | {(205, "i4"): x_and_y[185, "i4"]})
    code, path = fit(*named_lines(0, 1, 2), "--horizons", "top.xyz", "base.xyz")
    assert code == 0
    next_words = re.search("next: skfacies (.*)", capsys.readouterr().out)[1].split()
    assert next_words[0] == "predict"
    assert main([*next_words, "--quiet"]) == 0
    out = folder / "facies.sgy"
    reading = ["--x-byte", "201", "--y-byte", "205"]
    horizons = ["--horizons", str(folder / "found"), "--format", "xyz"]
    assert main(["predict", str(path), "moved.sgy", "-o", str(out), *reading, *horizons]) == 0
    expected = load_model(path).predict([SECTIONS[3]])[0]
    assert_array_equal(open_cube(out)[0], expected)
    (folder / "found").rename(folder / "found before")
    assert main(["info", str(path)]) == 0


def test_lines_of_a_survey_keep_their_places(fit, folder):
    """Numbers of a survey along a line are known to the model, and used in prediction."""
    steps = np.arange(40)
    for k, (first, slope) in enumerate([(100, 2), (180, -1), (110, 1)]):
        numbers = line_words(first + slope * steps, 300 + 2 * steps)
        traces, xy = SECTIONS[0][:40], positions(0)[:40] + [0, 3000 * k]
        words = {**numbers, (21, "i4"): 1 + steps, (181, "i4"): xy[:, 0], (185, "i4"): xy[:, 1]}
        write_traces(folder / f"oblique{k}.sgy", traces, words)
    tops = horizons_from_labels(LABELS[0][:40])
    for name, top in zip(("first", "second"), tops, strict=True):
        each = [np.c_[positions(0)[:40] + [0, 3000 * k], 4 * top] for k in range(2)]
        np.savetxt(folder / f"{name}.xyz", np.concatenate(each), fmt="%.3f")
    names = [f"oblique{k}.sgy" for k in range(3)]
    with pytest.warns(UserWarning, match="opened as a 2-D line"):
        code, path = fit(*names[:2], "--horizons", "first.xyz", "second.xyz", "--quiet")
    assert code == 0
    model = load_model(path)
    lines = np.unique(model.contacts_.points_[:, 0])
    assert (lines.min(), lines.max()) == (100, 180)
    with pytest.warns(UserWarning, match="opened as a 2-D line"):
        cube = open_cube(names[2])
    with pytest.warns(UserWarning, match="opened as a 2-D line"):
        code = main(["predict", str(path), names[2], "-o", "oblique.npy", "--quiet"])
    assert code == 0
    section = xarray.DataArray(
        cube[0].values,
        {
            "twt": cube["twt"],
            "inline": ("trace", 110 + steps),
            "crossline": ("trace", 300 + 2 * steps),
        },
        ("trace", "twt"),
    )
    assert_array_equal(np.load("oblique.npy")[0], model.predict([section])[0])


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
        open_cube("line1.sgy", domain="depth").to_dataset(name="a").to_zarr("depth.zarr")
    code, path = fit(*arguments, "--horizons", "top.xyz", "base.xyz")
    assert (code, path.exists()) == (1, False)
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "3 files are given. Several 2-D lines need --horizons"),
        (["--horizons", "top_without_xy.txt"], "has no X and Y"),
        (
            ["--horizons", "top_without_xy.txt", "--columns", "-,crossline,value"],
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


def test_json_has_the_labeled_traces_of_each_line(fit, capsys):
    code, _ = fit(*named_lines(0, 1, 3), "--horizons", "top.xyz", "base.xyz", "--json")
    assert code == 0
    assert json.loads(capsys.readouterr().out)["lines"] == {"line0.sgy": 60, "line1.sgy": 33}
