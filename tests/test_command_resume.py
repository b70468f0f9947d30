"""`skfacies predict` goes on where a killed run of the same command stopped."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from skfacies.__main__ import main
from skfacies.datasets import make_facies_cube
from skfacies.persistence import save_model

xarray = pytest.importorskip("xarray")
pytest.importorskip("zarr")

SHAPE = (12, 40, 48)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_tiny):
    """A survey in three formats, and two models that are not trained."""
    from skfacies import CubeSegmenter
    from skfacies.io import write_cube

    folder = tmp_path_factory.mktemp("survey")
    made = make_facies_cube(SHAPE, n_facies=3, random_state=0)
    axes = {"inline": range(100, 112), "crossline": range(300, 340), "twt": range(0, 192, 4)}
    cube = xarray.DataArray(made.data, axes, list(axes))
    for name in ("survey.sgy", "survey.zarr", "survey.npy"):
        write_cube(folder / name, cube)
    for direction in ("inline", "both"):
        for seed in (0, 1):
            model = CubeSegmenter(make_tiny(random_state=seed), direction)
            with pytest.warns(UserWarning, match="finds too few samples"):
                model.fit(made.data, made.target)
            save_model(model, folder / f"{direction}{seed}.safetensors")
    return folder


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch):
    """Three lines at a time; no test waits for the disk."""
    limit = 3 * SHAPE[1] * SHAPE[2]
    monkeypatch.setattr("skfacies._estimators.cube_prediction.RECORDED_SAMPLES", limit)
    monkeypatch.setattr("skfacies._cubes.checkpoint.to_disk", lambda array, since: None)
    # Its predictions of patches would count as sections.
    monkeypatch.setattr("skfacies._cli.predict.warn_of_survey", lambda model, cube: None)


@pytest.fixture
def interrupt(monkeypatch):
    """Let predictions be interrupted after some sections, or not."""
    from skfacies import FaciesSegmenter

    predict, predict_proba = FaciesSegmenter.predict, FaciesSegmenter.predict_proba
    seen = {}

    def limited(method):
        def run(self, X):
            seen["n"] += len(X)
            if seen["n"] > seen["most"]:
                raise KeyboardInterrupt
            return method(self, X)

        return run

    monkeypatch.setattr(FaciesSegmenter, "predict", limited(predict))
    monkeypatch.setattr(FaciesSegmenter, "predict_proba", limited(predict_proba))

    def after(n_sections):
        seen.update(n=0, most=n_sections)
        return seen

    after(np.inf)
    return after


def predict(folder, seismic, out, *more, model="inline0"):
    files = [str(folder / f"{model}.safetensors"), str(folder / seismic)]
    return main(["predict", *files, "-o", str(out), *more])


def content(path):
    """Bytes of a file or of the files in a folder; SEG-Y without its text, which has the time."""
    if path.is_dir():
        files = [each for each in path.rglob("*") if each.is_file()]
        return {str(each.relative_to(path)): content(each) for each in files}
    return path.read_bytes()[3200 if path.suffix == ".sgy" else 0 :]


@pytest.mark.parametrize("model", ["inline0", "both0"])
@pytest.mark.parametrize(
    ("seismic", "out", "more"),
    [
        ("survey.sgy", "facies.sgy", ["--proba"]),
        ("survey.sgy", "facies.npy", []),
        ("survey.zarr", "facies.zarr", ["--entropy"]),
    ],
)
def test_interrupted_command_goes_on(
    folder, tmp_path, interrupt, capsys, model, seismic, out, more
):
    whole, place = tmp_path / "whole", tmp_path / "place"
    whole.mkdir()
    place.mkdir()
    assert predict(folder, seismic, whole / out, *more, model=model) == 0
    interrupt(8)
    assert predict(folder, seismic, place / out, *more, model=model) == 130
    assert os.listdir(place) == [f"{out}.partial"]
    assert f"{out}.partial keeps what is predicted" in capsys.readouterr().err
    seen = interrupt(np.inf)
    assert predict(folder, seismic, place / out, *more, model=model) == 0
    assert (
        f"going on with the unfinished prediction in {place / out}.partial"
        in capsys.readouterr().out
    )
    assert seen["n"] == (52 if model == "both0" else 12) - 6
    assert content(place) == content(whole)


def test_command_starts_anew_when_asked_or_with_another_model(folder, tmp_path, interrupt, capsys):
    assert predict(folder, "survey.npy", tmp_path / "a.npy", model="inline1") == 0
    interrupt(8)
    assert predict(folder, "survey.npy", tmp_path / "b.npy") == 130
    seen = interrupt(8)
    assert predict(folder, "survey.npy", tmp_path / "b.npy", "--restart") == 130
    assert seen["n"] == 9
    seen = interrupt(np.inf)
    with pytest.warns(UserWarning, match="of another model or with other options"):
        assert predict(folder, "survey.npy", tmp_path / "b.npy", model="inline1") == 0
    assert seen["n"] == 12
    assert content(tmp_path / "b.npy") == content(tmp_path / "a.npy")


def test_command_that_is_interrupted_early_leaves_nothing(folder, tmp_path, interrupt):
    interrupt(0)
    assert predict(folder, "survey.sgy", tmp_path / "a.sgy") == 130
    assert not os.listdir(tmp_path)


def test_leftovers_of_killed_writing_are_removed(folder, tmp_path):
    (tmp_path / ".a.npy.0123abcd.part").write_text("")
    assert predict(folder, "survey.npy", tmp_path / "a.npy") == 0
    assert os.listdir(tmp_path) == ["a.npy"]


@pytest.mark.slow
@pytest.mark.parametrize("out", ["facies.sgy", "facies.zarr", "facies.npy"])
def test_killed_command_goes_on(folder, tmp_path, out):
    whole, place = tmp_path / "whole", tmp_path / "place"
    whole.mkdir()
    place.mkdir()
    assert predict(folder, "survey.sgy", whole / out, model="both0") == 0
    program = (
        "import sys\n"
        "from skfacies._estimators import cube_prediction\n"
        f"cube_prediction.RECORDED_SAMPLES = {3 * SHAPE[1] * SHAPE[2]}\n"
        "from skfacies.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = [str(folder / "both0.safetensors"), str(folder / "survey.sgy")]
    command = [sys.executable, "-c", program, "predict", *arguments, "-o", str(place / out)]
    for wait in (0.05, 0.2, 0.4):
        process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
        while process.poll() is None and not (place / f"{out}.partial" / "inlines").exists():
            time.sleep(0.01)
        time.sleep(wait)
        process.kill()
        process.wait()
    assert predict(folder, "survey.sgy", place / out, model="both0") == 0
    assert content(place) == content(whole)
