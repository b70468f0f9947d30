"""Horizons and picked intervals on the command line."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from surveys import points_of, turned_survey

from skfacies.__main__ import main
from skfacies.datasets import make_facies_cube
from skfacies.horizons import horizons_from_labels
from skfacies.io import open_cube, write_cube
from skfacies.persistence import load_model

pytest.importorskip("xarray")

TRAIN = ["--epochs", "1", "--encoder", "tu-test_resnet", "--quiet"]
INLINES, CROSSLINES = (100, 108, 118), (300, 312, 324)
NAMES = ("top chalk", "top salt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A turned survey of three units with files of its two contacts, in all and on some lines."""
    folder = tmp_path_factory.mktemp("survey")
    made = make_facies_cube((10, 30, 48), n_facies=3, random_state=0)
    cube = turned_survey(10, 30, vertical=("twt", 200 + 4.0 * np.arange(48), "ms"))
    write_cube(folder / "survey.sgy", cube.copy(data=made.data))
    write_cube(folder / "labels.sgy", cube.copy(data=made.target))
    np.save(folder / "labels.npy", made.target)
    for name, horizon in zip(NAMES, horizons_from_labels(made.target), strict=True):
        points = points_of(cube, horizon)
        picked = {
            "": np.full(len(points), True),
            " on inlines": np.isin(points[:, 0], INLINES),
            " on crosslines": np.isin(points[:, 1], CROSSLINES),
        }
        picked[" on both"] = picked[" on inlines"] | picked[" on crosslines"]
        for where, own in picked.items():
            np.savetxt(folder / f"{name}{where}.xyz", points[own][:, 2:], fmt="%.3f")
    return folder


def horizons(folder, where=""):
    return [str(folder / f"{name}{where}.xyz") for name in NAMES]


def fit(folder, *arguments):
    """Train, and return the exit code and the path of the model."""
    path = folder / "model.safetensors"
    path.unlink(missing_ok=True)
    return main(["fit", str(folder / "survey.sgy"), *arguments, "-o", str(path), *TRAIN]), path


@pytest.fixture(scope="module")
def model(folder):
    code, path = fit(folder, "--horizons", *horizons(folder), "--names", "a,b,c")
    assert code == 0
    return str(path.rename(folder / "whole.safetensors"))


def test_horizons_train_as_the_labels_between_them_do(folder, model):
    found = load_model(model)
    code, path = fit(folder, str(folder / "labels.sgy"))
    assert code == 0
    expected = load_model(path)
    cube = open_cube(folder / "survey.sgy")
    assert_array_equal(found.predict(cube), expected.predict(cube))
    assert found.label_names_ == {0: "a", 1: "b", 2: "c"}


@pytest.mark.parametrize(
    ("where", "lines"),
    [
        (" on inlines", {"inline": INLINES}),
        (" on crosslines", {"crossline": CROSSLINES}),
        (" on both", {"inline": INLINES, "crossline": CROSSLINES}),
    ],
)
def test_picked_lines_are_the_training_lines(folder, where, lines, capsys):
    code, path = fit(folder, "--horizons", *horizons(folder, where))
    assert code == 0
    out = capsys.readouterr().out
    for name, numbers in lines.items():
        shown = ", ".join(map(str, numbers))
        assert f"trained on {len(numbers)} {name}s: {shown}" in out
    assert out.count("trained on") == len(lines)
    top, base = (f"{name}{where}" for name in NAMES)
    names = [f"above {top}", f"{top} to {base}", f"below {base}"]
    assert list(load_model(path).label_names_.values()) == names


def test_lines_restrict_horizons(folder, capsys):
    code, _ = fit(folder, "--horizons", *horizons(folder), "--lines", "crossline=303,320")
    assert code == 0
    assert "trained on 2 crosslines: 303, 320" in capsys.readouterr().out


def test_picked_intervals(folder, capsys):
    picks = folder / "picks.txt"
    picks.write_text("102 300-329 200 240 sand\n102 300-329 240 300 shaly sand\n")
    code, path = fit(folder, "--picks", str(picks))
    assert code == 0
    assert "trained on 1 inline: 102" in capsys.readouterr().out
    assert load_model(path).label_names_ == {0: "sand", 1: "shaly sand"}
    assert main(["score", str(path), str(folder / "survey.sgy"), "--picks", str(picks)]) == 0
    assert "shaly sand" in capsys.readouterr().out


def test_scores_against_horizons_are_those_against_labels(folder, model, capsys):
    survey, out = str(folder / "survey.sgy"), []
    for truth in (["--horizons", *horizons(folder)], [str(folder / "labels.sgy")]):
        assert main(["score", model, survey, *truth, "--quiet"]) == 0
        out.append(capsys.readouterr().out)
    assert out[0] == out[1]
    assert main(["score", model, survey, "--horizons", horizons(folder)[0]]) == 1
    assert "Give the horizons between all of these" in capsys.readouterr().err


def test_window_between_horizons(folder, model, tmp_path, capsys):
    survey, out = str(folder / "survey.sgy"), tmp_path / "facies.zarr"
    between = ["--between", *horizons(folder, " on inlines")]
    assert main(["predict", model, survey, "-o", str(out), "--entropy", *between, "--quiet"]) == 0
    whole = np.asarray(load_model(model).predict(open_cube(survey)))
    truth = np.load(folder / "labels.npy")
    picked = np.isin(100 + 2 * np.arange(10), INLINES)[:, None, None]
    expected = np.where(picked & (truth == 1), whole, -1)
    assert_array_equal(open_cube(out), expected)
    entropy = open_cube(tmp_path / "facies_entropy.zarr")
    assert_array_equal(np.isnan(entropy), expected == -1)


def test_training_between_horizons_learns_the_units_between_them(folder):
    points = np.loadtxt(horizons(folder)[0])
    points[:, 2] -= 20
    np.savetxt(folder / "above.xyz", points, fmt="%.3f")
    window = [str(folder / "above.xyz"), horizons(folder)[1]]
    code, path = fit(folder, "--horizons", *horizons(folder), "--between", *window)
    assert code == 0
    model = load_model(path)
    assert list(model.label_names_.values()) == ["above top chalk", "top chalk to top salt"]
    n_above = model.estimator_.training_report_["0"]["support"]
    assert n_above <= 5 * 300


def test_crossing_horizons_stop_or_are_clipped(folder, tmp_path, capsys):
    top, base = horizons(folder)
    points = np.loadtxt(base)
    points[:5, 2] = 204
    crossed = tmp_path / "crossed.xyz"
    np.savetxt(crossed, points, fmt="%.3f")
    code, path = fit(folder, "--horizons", top, str(crossed))
    assert (code, path.exists()) == (1, False)
    error = capsys.readouterr().err
    assert "'crossed' lies above 'top chalk'" in error
    assert "use --crossing clip" in error
    assert fit(folder, "--horizons", top, str(crossed), "--crossing", "clip")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give the interpretation as LABELS, a cube; or as --horizons .* got none of them"),
        (["labels.sgy", "--picks", "x"], "LABELS is given without --horizons and --picks"),
        (["--horizons", "top chalk.xyz", "none.txt"], "No file '.*none.txt'"),
        (["--horizons", "top salt.xyz", "top chalk.xyz"], "must begin with the shallowest"),
        (
            ["--horizons", "top salt.xyz", "--names", "a,b,c"],
            "3 names, but 1 horizons have 2 units",
        ),
        (
            ["--horizons", "top salt on crosslines.xyz", "--directions", "inline"],
            "picks are on crosslines 300, 312, 324, but --directions is inline",
        ),
        (["--horizons", "samples.txt"], "They could be samples: give --z-unit samples"),
        (["--horizons", "wrong.txt", "--columns", "x,value"], "--columns must name all columns"),
    ],
)
def test_refused_before_training(folder, arguments, message, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "samples.txt").write_text("100 300 7\n102 300 30\n")
    (folder / "wrong.txt").write_text("100 300 7\n")
    code, path = fit(folder, *arguments)
    assert (code, path.exists()) == (1, False)
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search(message, error), error
