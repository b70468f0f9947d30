"""Predictions that are killed go on where they stopped, and end as if nothing had happened."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin

from skfacies import CubeSegmenter
from skfacies._cubes import checkpoint as checkpoints
from skfacies._cubes.checkpoint import Checkpoint

SHAPE = (14, 11, 16)
DIRECTIONS = ("inline", "crossline", "both")


class Killed(Exception):
    pass


class ByAmplitude(ClassifierMixin, BaseEstimator):
    """Probabilities that depend on the whole section, the same in every process."""

    #: Sections that are predicted until the next one raises; of the class, as it is no parameter.
    left = np.inf
    n_predicted = 0

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y):
        self.classes_ = np.array([3, 5, 8])
        return self

    def predict_proba(self, X):
        X = np.asarray(X, np.float32)
        if ByAmplitude.left < len(X):
            raise Killed
        ByAmplitude.left -= len(X)
        ByAmplitude.n_predicted += len(X)
        X = X if X.ndim == 3 else X.sum(-1)  # neighbors
        mean = X.mean(axis=(1, 2), keepdims=True) + self.shift
        scores = np.stack([X, mean - X, X * mean], axis=-1)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        return weights / weights.sum(-1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(-1)]


@pytest.fixture
def cube():
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


@pytest.fixture(autouse=True)
def nothing_is_killed(monkeypatch):
    ByAmplitude.left, ByAmplitude.n_predicted = np.inf, 0
    # No test cuts the power, and waiting for the disk takes most of the time.
    monkeypatch.setattr(checkpoints, "to_disk", lambda array, since: None)
    monkeypatch.setattr(os, "fsync", lambda file: None)


def segmenter_of(direction, shift=0.0, **params):
    estimator = ByAmplitude(shift).fit(None, None)
    # Slabs of two or three lines.
    return CubeSegmenter.from_fitted(estimator, direction=direction, memory_limit=2e4, **params)


def npy(path, shape, dtype):
    mode = "r+" if path.exists() else "w+"
    return np.lib.format.open_memmap(path, mode, dtype, shape)


def in_memory_map(path, shape, dtype):
    return npy(path.with_suffix(".npy"), shape, dtype)


def in_zarr(path, shape, dtype):
    zarr = pytest.importorskip("zarr")
    path = path.with_suffix(".zarr")
    if path.exists():
        return zarr.open_array(path, mode="r+")
    chunks = (4, 5, *shape[2:])
    return zarr.create_array(path, shape=shape, dtype=dtype, chunks=chunks, fill_value=0)


def predict(segmenter, kind, cube, folder, hold=in_memory_map, left=np.inf, checkpoint=True):
    """Predict into files of a folder; whether that came to its end."""
    labels = hold(folder / "labels", SHAPE, np.uint8)
    probabilities = hold(folder / "probabilities", (*SHAPE, 3), np.float32)
    place = folder / "checkpoint" if checkpoint else None
    ByAmplitude.left = left
    try:
        if kind == "probabilities":
            segmenter.predict_proba(cube, out=probabilities, checkpoint=place)
        else:
            more = {"probabilities_out": probabilities} if kind == "all" else {}
            segmenter.predict(cube, out=labels, checkpoint=place, **more)
    except Killed:
        return False
    finally:
        ByAmplitude.left = np.inf
    return True


def results(folder, hold=in_memory_map):
    labels = hold(folder / "labels", SHAPE, np.uint8)
    probabilities = hold(folder / "probabilities", (*SHAPE, 3), np.float32)
    return np.array(labels[:]), np.array(probabilities[:])


def assert_same(folder, other, hold=in_memory_map):
    for own, expected in zip(results(folder, hold), results(other), strict=True):
        assert_array_equal(own, expected)


@pytest.fixture
def unbroken(tmp_path, cube):
    """Maker of the results of predictions without a checkpoint."""

    def make(segmenter, kind, cube=cube):
        folder = tmp_path / f"unbroken{len(os.listdir(tmp_path))}"
        folder.mkdir()
        assert predict(segmenter, kind, cube, folder, checkpoint=False)
        return folder

    return make


@pytest.mark.parametrize("neighbors", [0, 1])
@pytest.mark.parametrize("hold", [in_memory_map, in_zarr])
@pytest.mark.parametrize("kind", ["labels", "probabilities", "all"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_killed_prediction_ends_like_an_unbroken_one(
    cube, tmp_path, unbroken, direction, kind, hold, neighbors
):
    segmenter = segmenter_of(direction, neighbors=neighbors)
    whole = unbroken(segmenter, kind)
    n_sections = ByAmplitude.n_predicted
    n_runs, ByAmplitude.n_predicted = 1, 0
    while not predict(segmenter, kind, cube, tmp_path, hold, left=5):
        n_runs += 1
        assert n_runs < 30
    assert n_runs > 2
    assert ByAmplitude.n_predicted == n_sections  # each once
    assert_same(tmp_path, whole, hold)
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_amplitudes_that_have_changed_are_predicted_anew(cube, tmp_path, unbroken, direction):
    segmenter = segmenter_of(direction)
    predict(segmenter, "labels", cube, tmp_path, left=20 if direction == "both" else 9)
    changed = cube.copy()
    changed[1, 2, 3] += 9
    assert predict(segmenter, "labels", changed, tmp_path)
    assert_same(tmp_path, unbroken(segmenter, "labels", changed))


@pytest.mark.parametrize(
    "other",
    [
        segmenter_of("inline", shift=1.0),
        segmenter_of("crossline"),
        segmenter_of("both"),
        segmenter_of("inline", neighbors=1),
        segmenter_of("inline").set_params(memory_limit=3e4),
    ],
)
def test_another_model_or_option_starts_anew(cube, tmp_path, unbroken, other):
    assert not predict(segmenter_of("inline"), "labels", cube, tmp_path, left=9)
    ByAmplitude.n_predicted = 0
    with pytest.warns(UserWarning, match="another model or with other options"):
        assert predict(other, "labels", cube, tmp_path)
    assert ByAmplitude.n_predicted >= min(SHAPE[:2])
    assert_same(tmp_path, unbroken(other, "labels"))


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("damage", ["record", "no record", "results", "inlines", "no inlines"])
def test_damaged_checkpoint_or_results_are_predicted_anew(
    cube, tmp_path, unbroken, direction, damage
):
    segmenter = segmenter_of(direction)
    assert not predict(segmenter, "labels", cube, tmp_path, left=20 if direction == "both" else 9)
    record = tmp_path / "checkpoint" / "finished.json"
    inlines = tmp_path / "checkpoint" / "inlines"
    if damage == "record":
        record.write_bytes(record.read_bytes()[:-20])
    elif damage == "no record":
        record.unlink()
    elif damage == "results":
        results(tmp_path)
        labels = in_memory_map(tmp_path / "labels", SHAPE, np.uint8)
        labels[2:4, 1] = 77
        labels.flush()
    elif inlines.exists():
        os.truncate(inlines, 0 if damage == "no inlines" else inlines.stat().st_size // 2)
    assert predict(segmenter, "labels", cube, tmp_path)
    assert_same(tmp_path, unbroken(segmenter, "labels"))


def test_record_names_only_what_is_on_disk(cube, tmp_path):
    segmenter = segmenter_of("inline")
    predict(segmenter, "labels", cube, tmp_path, left=9)
    record = json.loads((tmp_path / "checkpoint" / "finished.json").read_text())
    stops = [int(name.split()[2]) for name in record["slabs"]]
    labels, _ = results(tmp_path)
    assert 0 < max(stops) < SHAPE[0]
    assert labels[: max(stops)].all()
    assert not labels[max(stops) :].any()


def test_places_that_cannot_be_gone_on_with_are_refused(cube, tmp_path):
    segmenter = segmenter_of("inline")
    place = tmp_path / "checkpoint"
    with pytest.raises(ValueError, match="`checkpoint` needs `out`, an array in a file"):
        segmenter.predict(cube, checkpoint=place)
    with pytest.raises(ValueError, match="`out` overwrites them"):
        segmenter.predict(cube, out=cube, checkpoint=place)
    mapped = npy(tmp_path / "cube.npy", SHAPE, np.float32)
    same = np.load(tmp_path / "cube.npy", mmap_mode="r+")
    with pytest.raises(ValueError, match="`out` overwrites them"):
        segmenter.predict(mapped, out=same, checkpoint=place)
    out = npy(tmp_path / "out.npy", SHAPE, np.uint8)
    with pytest.raises(ValueError, match="is a file. Give a folder"):
        segmenter.predict(cube, out=out, checkpoint=tmp_path / "cube.npy")
    with pytest.raises(ValueError, match="holds other files"):
        segmenter.predict(cube, out=out, checkpoint=tmp_path)
    dask = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="`checkpoint` is for arrays that are predicted at once"):
        segmenter.predict(dask.from_array(cube), out=out, checkpoint=place)
    assert not place.exists()


def test_checkpoint_belongs_to_one_process_at_a_time(cube, tmp_path):
    with (
        Checkpoint(tmp_path / "checkpoint"),
        pytest.raises(OSError, match="belongs to a prediction that is running"),
    ):
        predict(segmenter_of("inline"), "labels", cube, tmp_path)
    assert predict(segmenter_of("inline"), "labels", cube, tmp_path)


def test_estimator_that_cannot_be_recognized_is_refused(cube, tmp_path):
    segmenter = segmenter_of("inline")
    segmenter.estimator_.shift = lambda: 0.0
    with pytest.raises(ValueError, match="which cannot be pickled"):
        predict(segmenter, "labels", cube, tmp_path)


# --- real kills -------------------------------------------------------------------------------


def predict_slowly(folder, direction):
    """What the process to be killed does."""
    ByAmplitude.left = np.inf
    cube = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    plain = ByAmplitude.predict_proba

    def slow(self, X):
        time.sleep(0.02)
        return plain(self, X)

    ByAmplitude.predict_proba = slow
    hold = in_zarr if direction == "crossline" else in_memory_map
    predict(segmenter_of(direction), "all", cube, Path(folder), hold)


@pytest.mark.slow
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_prediction_survives_kills(cube, tmp_path, unbroken, direction):
    hold = in_zarr if direction == "crossline" else in_memory_map
    whole = unbroken(segmenter_of(direction), "all")
    chance = np.random.default_rng(0)
    program = f"from {__name__} import predict_slowly\n"  # classes are known by their module
    program += f"predict_slowly({str(tmp_path)!r}, {direction!r})"
    place, n_kills = tmp_path / "checkpoint", 0
    while n_kills < 50:
        process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parent)
        while process.poll() is None and not place.exists():
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.wait()
        if not place.exists():
            break
        n_kills += 1
    assert n_kills
    assert predict(segmenter_of(direction), "all", cube, tmp_path, hold)
    assert_same(tmp_path, whole, hold)
