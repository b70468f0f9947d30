"""Several volumes of one survey on the command line: near.sgy,far.sgy."""

import json

import numpy as np
import pytest

from skfacies.__main__ import main
from skfacies._cli.files import volume_files
from skfacies.datasets import make_facies_cube
from skfacies.io import open_cube, write_cube
from skfacies.persistence import load_model

pytest.importorskip("xarray")

SHAPE = (12, 32, 48)


def write(path, array, **changes):
    from xarray import DataArray

    axes = {
        "inline": np.arange(100, 100 + array.shape[0]),
        "crossline": np.arange(300, 300 + array.shape[1]),
        "twt": 1000 + 4.0 * np.arange(array.shape[2]),
    } | changes
    return str(write_cube(path, DataArray(array, axes, list(axes))))


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """Paths of two volumes, of labels, and of a volume with other times."""
    folder = tmp_path_factory.mktemp("survey")
    survey = make_facies_cube(SHAPE, n_facies=3, random_state=0)
    noise = np.random.default_rng(0).normal(size=SHAPE)
    far = (1000 * (survey.target + noise)).astype(np.float32)
    return {
        "near": write(folder / "near.sgy", survey.data),
        "far": write(folder / "far.sgy", far),
        "labels": write(folder / "labels.sgy", survey.target.astype(np.int8)),
        "wrong": write(folder / "wrong.sgy", far, twt=1004 + 4.0 * np.arange(SHAPE[2])),
    }


@pytest.fixture(scope="module")
def both(survey):
    return f"{survey['near']},{survey['far']}"


@pytest.fixture(scope="module")
def model(survey, both, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("model") / "model.safetensors")
    lines = ["--lines", "inline=100-110:5", "--epochs", "6", "--names", "a,b,c", "--quiet"]
    assert main(["fit", both, survey["labels"], "-o", path, *lines]) == 0
    return path


# --- files ----------------------------------------------------------------------------------------


def test_commas_separate_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("near.sgy", "far.sgy", "a,b.sgy", "a"):
        (tmp_path / name).touch()
    assert volume_files("near.sgy") == ["near.sgy"]
    assert volume_files("near.sgy,far.sgy") == ["near.sgy", "far.sgy"]
    assert volume_files("missing.sgy") == ["missing.sgy"]


def test_commas_in_names_of_files_do_not_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("near.sgy", "a,b.sgy", "a"):
        (tmp_path / name).touch()
    assert volume_files("a,b.sgy") == ["a,b.sgy"]
    assert volume_files("near.sgy,a,b.sgy") == ["near.sgy", "a,b.sgy"]
    assert volume_files("a,b.sgy,near.sgy") == ["a,b.sgy", "near.sgy"]


@pytest.mark.parametrize(
    ("names", "missing"),
    [("near.sgy,gone.sgy", "gone.sgy"), ("near.sgy,", "one without a name")],
)
def test_missing_volumes_are_named(tmp_path, monkeypatch, names, missing):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "near.sgy").touch()
    with pytest.raises(FileNotFoundError, match=f"as 2 volumes of one survey, and {missing}"):
        volume_files(names)


# --- commands -------------------------------------------------------------------------------------


def test_info_shows_whether_volumes_fit(survey, both, capsys):
    assert main(["info", f"{both},{survey['wrong']}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["volumes"] == [survey[name] for name in ("near", "far", "wrong")]
    assert found["volume_far_sgy"]["same_survey"]
    assert found["volume_far_sgy"]["amplitudes"]["standard_deviation"] > 900
    assert not found["volume_wrong_sgy"]["same_survey"]
    assert "next" not in found
    assert main(["info", both]) == 0
    printed = capsys.readouterr().out
    assert "same lines and samples; amplitudes" in printed
    assert f"next: skfacies fit {both} --horizons TOP BASE" in printed


def test_other_geometries_are_refused(survey, tmp_path, capsys):
    out = tmp_path / "model.safetensors"
    seismic = f"{survey['near']},{survey['wrong']}"
    assert main(["fit", seismic, survey["labels"], "-o", str(out)]) == 1
    error = capsys.readouterr().err
    assert f"{survey['wrong']} has its first sample at 1004 ms, but {survey['near']}" in error
    assert not out.exists()


def test_volumes_are_never_overwritten(survey, both, capsys):
    assert main(["fit", both, survey["labels"], "-o", survey["far"]]) == 1
    assert f"which is read as SEISMIC ({survey['far']})" in capsys.readouterr().err


def test_lines_have_one_volume_each(survey, both, capsys):
    arguments = [both, survey["near"], "--horizons", "top.xyz", "-o", "model.safetensors"]
    assert main(["fit", *arguments]) == 1
    assert "has several volumes, which are for one survey" in capsys.readouterr().err


@pytest.mark.slow
def test_the_model_knows_its_volumes(model, capsys):
    assert load_model(model).volume_names_ == ["near.sgy", "far.sgy"]
    assert main(["info", model, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["volumes"], found["volume_names"]) == (2, ["near.sgy", "far.sgy"])
    assert found["next"] == f"skfacies predict {model} near.sgy,far.sgy -o facies.sgy"


@pytest.mark.slow
def test_other_volumes_are_refused(survey, both, model, tmp_path, capsys):
    out = str(tmp_path / "facies.sgy")
    swapped = f"{survey['far']},{survey['near']}"
    for seismic, message in (
        (survey["near"], "1 volume(s), but the model was trained on 2 (near.sgy, far.sgy)"),
        (f"{both},{survey['labels']}", "SEISMIC has 3 volume(s)"),
        (swapped, "has the volumes far.sgy, near.sgy, but the model was trained on near.sgy, far"),
    ):
        assert main(["predict", model, seismic, "-o", out]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_predictions_are_those_of_python(survey, both, model, tmp_path):
    out = tmp_path / "facies.sgy"
    assert main(["predict", model, both, "-o", str(out), "--entropy", "--quiet"]) == 0
    cubes = [open_cube(survey[name]) for name in ("near", "far")]
    np.testing.assert_array_equal(open_cube(out), load_model(model).predict(cubes))
    assert (tmp_path / "facies_entropy.sgy").exists()


@pytest.mark.slow
def test_score_next_check_and_refine_take_volumes(survey, both, model, tmp_path, capsys):
    def run(*arguments):
        assert main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert 0 <= run("score", model, both, survey["labels"])["report"]["a"]["iou"] <= 1
    assert f" {both} " in run("next", model, both, "-n", "1")["next"]
    rows = {row["name"]: row for row in run("check", model, both)["rows"]}
    assert rows["scale of volume 1"]["verdict"] == "ok"
    out = str(tmp_path / "refined.safetensors")
    lines = ["--lines", "inline=103", "-o", out]
    assert run("refine", model, both, survey["labels"], *lines)["lines"] == {
        "inline": [100, 103, 105, 110]
    }
    assert load_model(out).volume_names_ == ["near.sgy", "far.sgy"]


@pytest.mark.slow
def test_the_first_volume_is_shown(both, model, survey, tmp_path, capsys):
    page = tmp_path / "view.html"
    arguments = [both, survey["labels"], "--model", model, "-o", str(page)]
    assert main(["view", *arguments]) == 0
    assert page.stat().st_size > 10_000
