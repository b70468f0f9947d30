"""Cubes in, cubes out: whatever holds them, in any direction."""

import functools
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from holders import HOLDERS, OnDisk, as_memmap, as_xarray, as_zarr
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline

from skfacies import AmplitudeScaler, CubeSegmenter, CubeToSections
from skfacies._cubes import holders as _cubes
from skfacies.datasets import make_facies_cube
from skfacies.metrics import iou_score, iou_scorer
from skfacies.model_selection import BlockKFold

SHAPE = (24, 40, 48)


class ByDepth(ClassifierMixin, BaseEstimator):
    """Sections in, sections out, without a network: facies by depth, amplitude and trace."""

    def __init__(self, ignore_label=-1, nan_policy="raise"):
        self.ignore_label = ignore_label
        self.nan_policy = nan_policy

    def fit(self, X, y, sample_weight=None, validation_data=None):
        self.seen_ = [np.array(section) for section in X]
        self.labels_ = [np.array(section) for section in y]
        self.weights_, self.validation_ = sample_weight, validation_data
        found = np.unique(np.concatenate([labels.ravel() for labels in self.labels_]))
        self.classes_ = found[found != self.ignore_label]
        return self

    def predict_proba(self, X):
        result = []
        for section in X:
            section = np.asarray(section, dtype=np.float32)
            depth = np.linspace(0, 1, section.shape[1])
            trace = np.linspace(0, 0.3, len(section))[:, None]
            score = depth * len(self.classes_) + 0.3 * section + trace
            rank = np.arange(len(self.classes_)) + 0.5
            weight = np.exp(-((score[..., None] - rank) ** 2))
            result.append(weight / weight.sum(axis=-1, keepdims=True))
        return np.stack(result).astype(np.float32)

    def predict(self, X):
        probabilities = self.predict_proba(X)
        missing = np.isnan(probabilities[..., 0])
        labels = self.classes_[np.nan_to_num(probabilities).argmax(-1)]
        labels[missing] = self.ignore_label
        return labels


@pytest.fixture(scope="module")
def cubes():
    return make_facies_cube(SHAPE, n_facies=3, random_state=1)


def average_of_both(estimator, X):
    """The slow obvious version."""
    inline = estimator.predict_proba(X)
    return (inline + estimator.predict_proba(X.swapaxes(0, 1)).swapaxes(0, 1)) / 2


# --- what is trained on -----------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_sections_of_the_direction_are_trained_on(cubes, direction):
    fitted = CubeSegmenter(ByDepth(), direction).fit(cubes.data, cubes.target)
    inlines, crosslines = list(cubes.data), list(cubes.data.swapaxes(0, 1))
    expected = {"inline": inlines, "crossline": crosslines, "both": inlines + crosslines}[direction]
    assert len(fitted.estimator_.seen_) == len(expected)
    for section, other in zip(fitted.estimator_.seen_, expected, strict=True):
        assert_array_equal(section, other)
    assert_array_equal(fitted.classes_, [0, 1, 2])


def test_only_labeled_lines_are_trained_on(cubes):
    labels = np.full_like(cubes.target, -1)
    labels[[3, 9, 20]] = cubes.target[[3, 9, 20]]
    for direction in ("inline", "both"):
        fitted = CubeSegmenter(ByDepth(), direction).fit(cubes.data, labels)
        assert {k: v.tolist() for k, v in fitted.lines_.items()} == {"inline": [3, 9, 20]}
        assert_array_equal(fitted.estimator_.seen_, cubes.data[[3, 9, 20]])
        assert_array_equal(fitted.estimator_.labels_, cubes.target[[3, 9, 20]])
    some = CubeSegmenter(ByDepth(), "crossline").fit(cubes.data, labels)
    assert len(some.lines_["crossline"]) == SHAPE[1]  # three traces each are all there is


def test_a_grid_of_interpreted_lines(cubes):
    labels = np.full_like(cubes.target, -1)
    labels[[3, 20]] = cubes.target[[3, 20]]
    labels[:, [7, 31]] = cubes.target[:, [7, 31]]
    fitted = CubeSegmenter(ByDepth(), "both").fit(cubes.data, labels)
    lines = {name: lines.tolist() for name, lines in fitted.lines_.items()}
    assert lines == {"inline": [3, 20], "crossline": [7, 31]}
    fitted = CubeSegmenter(ByDepth(), "both", min_labeled=0).fit(cubes.data, labels)
    assert [len(lines) for lines in fitted.lines_.values()] == [24, 40]


def test_every_step_th_line(cubes):
    labels = cubes.target.copy()
    labels[:4] = -1
    fitted = CubeSegmenter(ByDepth(), step=5).fit(cubes.data, labels)
    assert fitted.lines_["inline"].tolist() == [4, 9, 14, 19]


def test_training_sections_are_views_of_the_cube(cubes, monkeypatch):
    labels = np.where(np.arange(24)[:, None, None] % 2 == 0, cubes.target, -1)
    given = []
    monkeypatch.setattr(ByDepth, "fit", lambda self, X, y: given.extend(X) or self)
    monkeypatch.setattr(ByDepth, "classes_", np.arange(3), raising=False)
    CubeSegmenter(ByDepth(), "both").fit(cubes.data, labels)
    assert len(given) == 12 + 40
    assert all(np.shares_memory(section, cubes.data) for section in given)


def test_weights_are_cut_like_the_cube(cubes):
    weights = np.random.default_rng(0).random(SHAPE)
    fitted = CubeSegmenter(ByDepth(), "both").fit(cubes.data, cubes.target, sample_weight=weights)
    expected = [*weights, *weights.swapaxes(0, 1)]
    for ours, theirs in zip(fitted.estimator_.weights_, expected, strict=True):
        assert_array_equal(ours, theirs)
    by_inline = np.arange(24.0)
    fitted = CubeSegmenter(ByDepth(), "crossline").fit(
        cubes.data, cubes.target, sample_weight=by_inline
    )
    assert_array_equal(fitted.estimator_.weights_[5], np.broadcast_to(by_inline[:, None], (24, 48)))


def test_validation_data_are_cut_like_the_cube(cubes):
    pair = (cubes.data[:4], cubes.target[:4])
    fitted = CubeSegmenter(ByDepth(), "crossline").fit(
        cubes.data, cubes.target, validation_data=pair
    )
    assert_array_equal(fitted.estimator_.validation_[0], cubes.data[:4].swapaxes(0, 1))


# --- prediction -------------------------------------------------------------------------------


@pytest.mark.parametrize("memory_limit", [1e9, 4e5, 1.0])
def test_prediction_is_that_of_the_sections_put_back(cubes, memory_limit):
    estimator = ByDepth().fit(cubes.data, cubes.target)
    crossline = estimator.predict(cubes.data.swapaxes(0, 1)).swapaxes(0, 1)
    both = average_of_both(estimator, cubes.data)
    expected = {
        "inline": estimator.predict(cubes.data),
        "crossline": crossline,
        "both": estimator.classes_[both.argmax(-1)],
    }
    for direction, labels in expected.items():
        segmenter = CubeSegmenter(ByDepth(), direction, memory_limit=memory_limit)
        segmenter.fit(cubes.data, cubes.target)
        predicted = segmenter.predict(cubes.data)
        if direction == "both" and memory_limit < 1e9:  # on disk: multiples of 1/65535
            best = np.sort(both, axis=-1)
            unclear = best[..., -1] - best[..., -2] < 1e-4
            assert unclear.mean() < 1e-3
            assert_array_equal(predicted[~unclear], labels[~unclear])
        else:
            assert_array_equal(predicted, labels)
        assert predicted.dtype == cubes.target.dtype


@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_probabilities_do_not_depend_on_memory(cubes, direction):
    segmenter = CubeSegmenter(ByDepth(), direction).fit(cubes.data, cubes.target)
    probabilities = segmenter.predict_proba(cubes.data)
    assert probabilities.shape == (*SHAPE, 3)
    assert probabilities.dtype == np.float32
    assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    assert_array_equal(segmenter.classes_[probabilities.argmax(-1)], segmenter.predict(cubes.data))
    segmenter.set_params(memory_limit=1e5)
    assert_array_equal(segmenter.predict_proba(cubes.data), probabilities)


def test_cube_of_one_inline(cubes):
    segmenter = CubeSegmenter(ByDepth(), "both").fit(cubes.data, cubes.target)
    with pytest.warns(UserWarning, match="is one inline and is cut along it"):
        predicted = segmenter.predict(cubes.data[:1])
    assert_array_equal(predicted, segmenter.estimator_.predict(cubes.data[:1]))


def test_string_labels(cubes):
    names = np.array(["Upper", "Middle", "Lower"])[cubes.target]
    for direction in ("inline", "both"):
        segmenter = CubeSegmenter(ByDepth(ignore_label=""), direction).fit(cubes.data, names)
        predicted = segmenter.predict(cubes.data)
        assert predicted.dtype == names.dtype
        assert set(np.unique(predicted)) <= {"Upper", "Middle", "Lower"}


@pytest.mark.parametrize("memory_limit", [1e9, 1e5])
def test_missing_samples_are_predicted_as_ignored(cubes, memory_limit):
    data = cubes.data.copy()
    data[2:5, 10:20, :9] = np.nan
    for direction in ("inline", "crossline", "both"):
        segmenter = CubeSegmenter(
            ByDepth(nan_policy="ignore"), direction, memory_limit=memory_limit
        )
        predicted = segmenter.fit(cubes.data, cubes.target).predict(data)
        assert_array_equal(predicted == -1, np.isnan(data))
        assert_array_equal(np.isnan(segmenter.predict_proba(data)[..., 0]), np.isnan(data))


def test_score_is_mean_iou(cubes):
    segmenter = CubeSegmenter(ByDepth(), "both").fit(cubes.data, cubes.target)
    labels = cubes.target.copy()
    labels[:5] = -1
    expected = iou_score(labels, segmenter.predict(cubes.data))
    assert segmenter.score(cubes.data, labels) == expected
    assert iou_scorer(segmenter, cubes.data, labels) == expected


def test_progress_bar(cubes, capsys):
    segmenter = CubeSegmenter(ByDepth(), verbose=1).fit(cubes.data, cubes.target)
    segmenter.predict(cubes.data)
    assert "predict inlines: 100%" in capsys.readouterr().err
    segmenter.set_params(verbose=0).predict(cubes.data)
    assert not capsys.readouterr().err


# --- what holds a cube ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned(make_tiny, cubes):
    """By direction: labels of some lines, the segmenter that learned them, what it predicts."""
    labels = np.where(np.arange(24)[:, None, None] % 5 < 2, cubes.target, -1).astype(np.int8)

    @functools.cache
    def learn(direction):
        segmenter = CubeSegmenter(make_tiny(validation_fraction=0), direction)
        segmenter.fit(cubes.data, labels)
        return labels, segmenter, segmenter.predict(cubes.data)

    return learn


@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
@pytest.mark.parametrize("holder", HOLDERS)
def test_equal_labels_whatever_holds_the_cube(cubes, tmp_path, learned, holder, direction):
    """Fit and predict with the network, against arrays in memory."""
    labels, segmenter, expected = learned(direction)
    again = clone(segmenter).fit(
        HOLDERS[holder](cubes.data, tmp_path, "data"), HOLDERS[holder](labels, tmp_path, "labels")
    )
    predicted = again.predict(HOLDERS[holder](cubes.data, tmp_path, "more"))
    assert_array_equal(np.asarray(predicted), expected)
    assert predicted.dtype == expected.dtype


def test_data_arrays_keep_coordinates_and_order_of_axes(cubes):
    data = as_xarray(cubes.data)
    segmenter = CubeSegmenter(ByDepth(), "crossline").fit(data, as_xarray(cubes.target))
    predicted = segmenter.predict(data)
    assert predicted.dims == data.dims
    assert_array_equal(predicted.inline, data.inline)
    assert_array_equal(predicted.twt, data.twt)
    assert predicted.name == "facies"
    turned = segmenter.predict(data.transpose("twt", "crossline", "inline"))
    assert turned.dims == ("twt", "crossline", "inline")
    assert_array_equal(turned.transpose(*data.dims), predicted)
    probabilities = segmenter.predict_proba(data)
    assert probabilities.dims == (*data.dims, "facies")
    assert_array_equal(probabilities.facies, segmenter.classes_)


@pytest.mark.parametrize("direction", ["inline", "crossline"])
def test_each_section_is_read_once(cubes, direction):
    segmenter = CubeSegmenter(ByDepth(), direction).fit(cubes.data, cubes.target)
    disk = OnDisk(cubes.data, (7, 9, 48))
    segmenter.predict(disk)
    assert (disk.times_read == 1).all()
    segmenter.set_params(memory_limit=2e5)
    disk = OnDisk(cubes.data, (7, 9, 48))
    segmenter.predict(disk)
    assert (disk.times_read == 1).all()


@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
@pytest.mark.parametrize("chunks", [(24, 8, 48), (1, 40, 48), (8, 8, 16), (2, 40, 48)])
def test_chunks_are_unpacked_once_in_training(cubes, direction, chunks):
    labels = np.where(np.arange(24)[:, None, None] % 2 == 0, cubes.target, -1)
    disk = OnDisk(cubes.data, chunks)
    limit = cubes.data.nbytes // 2
    CubeSegmenter(ByDepth(), direction, memory_limit=limit).fit(disk, labels)
    assert disk.times_unpacked.max() == (2 if direction == "both" else 1)
    assert disk.largest <= max(limit / 4 / 4, np.prod(chunks[:1]) * 40 * 48, 24 * chunks[1] * 48)


def test_large_chunks_are_unpacked_few_times_in_prediction(cubes):
    segmenter = CubeSegmenter(ByDepth(), memory_limit=cubes.data.nbytes)
    disk = OnDisk(cubes.data, (24, 8, 16))
    segmenter.fit(cubes.data, cubes.target).predict(disk)
    assert disk.times_unpacked.max() <= 5


def test_labels_follow_the_order_and_the_coordinates_of_named_axes(cubes):
    xarray = pytest.importorskip("xarray")
    coords = {"il": np.arange(24), "xl": np.arange(24)}
    X = xarray.DataArray(cubes.data[:, :24], coords, ("il", "xl", "z"))
    y = xarray.DataArray(cubes.target[:, :24], coords, ("il", "xl", "z"))
    expected = CubeSegmenter(ByDepth()).fit(X, y).estimator_.labels_
    turned = CubeSegmenter(ByDepth()).fit(X, y.transpose("xl", "il", "z"))
    assert_array_equal(turned.estimator_.labels_, expected)
    for bad, message in (
        (y.assign_coords(il=np.arange(24)[::-1]), "`y` has 'il' coordinates that differ"),
        (y.rename(z="twt"), r"`y` has the axes \('il', 'xl', 'twt'\)"),
    ):
        with pytest.raises(ValueError, match=message):
            CubeSegmenter(ByDepth()).fit(X, bad)
    named = as_xarray(cubes.data).transpose("twt", "inline", "crossline")
    with pytest.raises(ValueError, match="axes of `y` are not known"):
        CubeSegmenter(ByDepth()).fit(named, cubes.target)
    segmenter = CubeSegmenter(ByDepth()).fit(cubes.data, cubes.target)
    with pytest.raises(ValueError, match="`out` takes results with the axes inline"):
        segmenter.predict(named, out=np.empty(SHAPE, np.int8))
    with pytest.raises(ValueError, match="inlines come first"):
        CubeToSections().fit(named)


# --- results in place -------------------------------------------------------------------------


def empty_memmap(folder, shape, dtype):
    return np.lib.format.open_memmap(folder / "out.npy", "w+", np.dtype(dtype), shape)


def empty_zarr(folder, shape, dtype):
    zarr = pytest.importorskip("zarr")
    return zarr.create_array(folder / "out.zarr", shape=shape, dtype=dtype, chunks=(10, 10, 48))


@pytest.mark.parametrize("make", [empty_memmap, empty_zarr])
@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_results_can_be_written_to_a_file(cubes, tmp_path, make, direction):
    segmenter = CubeSegmenter(ByDepth(), direction).fit(cubes.data, cubes.target)
    out = make(tmp_path, SHAPE, np.uint8)
    assert segmenter.predict(cubes.data, out=out) is out
    assert_array_equal(out[:], segmenter.predict(cubes.data))


def test_probabilities_can_be_written_to_a_file(cubes, tmp_path):
    segmenter = CubeSegmenter(ByDepth(), "both").fit(cubes.data, cubes.target)
    out = empty_memmap(tmp_path, (*SHAPE, 3), np.float32)
    segmenter.predict_proba(cubes.data, out=out)
    assert_array_equal(out, segmenter.predict_proba(cubes.data))


def test_type_of_labels(cubes):
    segmenter = CubeSegmenter(ByDepth()).fit(cubes.data, cubes.target)
    assert segmenter.predict(cubes.data, dtype=np.int32).dtype == np.int32
    with pytest.raises(ValueError, match="cannot be held by dtype uint8"):
        segmenter.fit(cubes.data, cubes.target - 5).predict(cubes.data, dtype=np.uint8)
    named = np.array(["a", "b", "c"])[cubes.target]
    with pytest.raises(ValueError, match="cannot be held by dtype int16.*such as <U1"):
        segmenter.fit(cubes.data, named).predict(cubes.data, dtype=np.int16)


def test_pages_of_a_private_map_keep_their_changes(tmp_path):
    """A changed page of mode "c" exists nowhere else."""
    np.save(tmp_path / "cube.npy", np.zeros((4, 4, 4), np.float32))
    private = np.load(tmp_path / "cube.npy", mmap_mode="c")
    private[1] = 7
    _cubes.release_pages(private)
    assert (private[1] == 7).all()
    shared = np.load(tmp_path / "cube.npy", mmap_mode="r+")
    shared[1] = 7
    _cubes.release_pages(shared[1:2])
    assert (shared[1] == 7).all()


def resident(files):
    """Bytes of each mapped file that are in memory at the moment."""
    held, file = dict.fromkeys(map(str, files), 0), None
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
            file = line.split()[-1]
        elif file in held and line.startswith("Rss:"):
            held[file] += 1024 * int(line.split()[1])
    return list(held.values())


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs the maps of Linux")
@pytest.mark.parametrize("direction", ["inline", "crossline"])
def test_prediction_holds_few_pages_of_mapped_files(cubes, tmp_path, direction):
    """What was read and written is let go of after each slab, else a cube fills the memory."""
    files = [tmp_path / "cube.npy", tmp_path / "out.npy"]
    held = []

    class Watched(ByDepth):
        def predict(self, X):
            labels = super().predict(X)
            held.append(resident(files))
            return labels

    data = np.tile(cubes.data, (20, 1, 1))
    cube, out = as_memmap(data, tmp_path), empty_memmap(tmp_path, data.shape, np.int8)
    segmenter = CubeSegmenter(Watched(), direction, memory_limit=5e6)
    segmenter.fit(cubes.data, cubes.target).predict(cube, out=out)
    held.append(resident(files))
    assert len(held) > 7
    assert (np.max(held, axis=0) < [data.nbytes / 4, out.nbytes / 4]).all()
    assert np.isfinite([cube.max(), out.max()]).all()  # reads all of both
    assert (np.array(resident(files)) >= [data.nbytes, out.nbytes]).all()


# --- memory -----------------------------------------------------------------------------------


def test_estimated_memory_grows_only_on_disk(cubes):
    segmenter = CubeSegmenter(ByDepth(), "both").fit(cubes.data, cubes.target)
    small, large = (segmenter.estimate_memory((n, 900, 460)) for n in (600, 1200))
    assert large.working == small.working <= 500e6
    assert large.scratch == 2 * small.scratch == 2 * 600 * 900 * 460 * 3 * 2
    assert small.labels == 600 * 900 * 460
    assert segmenter.set_params(direction="inline").estimate_memory((600, 900, 460)).scratch == 0


def test_too_small_a_disk_is_said_before_the_work(cubes, monkeypatch):
    segmenter = CubeSegmenter(ByDepth(), "both", memory_limit=1e5).fit(cubes.data, cubes.target)
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    monkeypatch.setattr(ByDepth, "predict_proba", None)
    with pytest.raises(OSError, match="needs .* GB in .* Set `scratch_dir`"):
        segmenter.predict(cubes.data)


def test_nothing_is_left_in_the_scratch_folder(cubes, tmp_path):
    segmenter = CubeSegmenter(ByDepth(), "both", memory_limit=1e5, scratch_dir=tmp_path)
    segmenter.fit(OnDisk(cubes.data, (7, 9, 48)), cubes.target).predict(cubes.data)
    assert not list(tmp_path.iterdir())


# --- inside scikit-learn ----------------------------------------------------------------------


def test_grid_search_over_directions(cubes):
    cv = BlockKFold(3, gap=2)
    grid = {"direction": ["inline", "crossline", "both"]}
    search = GridSearchCV(CubeSegmenter(ByDepth()), grid, cv=cv, scoring=iou_scorer)
    search.fit(cubes.data, cubes.target)
    for direction, score in zip(
        grid["direction"], search.cv_results_["mean_test_score"], strict=True
    ):
        expected = [
            CubeSegmenter(ByDepth(), direction)
            .fit(cubes.data[train], cubes.target[train])
            .score(cubes.data[test], cubes.target[test])
            for train, test in cv.split(cubes.data)
        ]
        assert score == pytest.approx(np.mean(expected))
    assert len(set(search.cv_results_["mean_test_score"])) == 3


@pytest.mark.slow
def test_grid_search_over_directions_is_the_same_with_two_jobs(make_tiny, cubes):
    inner = make_tiny(validation_fraction=0)
    grid = {"direction": ["inline", "crossline", "both"], "estimator__lr": [1e-3, 1e-2]}
    scores = [
        GridSearchCV(
            CubeSegmenter(inner), grid, cv=BlockKFold(3, gap=2), scoring=iou_scorer, n_jobs=n_jobs
        )
        .fit(cubes.data, cubes.target)
        .cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]
    assert_array_equal(*scores)
    assert len(set(scores[0])) > 3


def test_pipelines_inside(make_tiny, cubes):
    inner = make_pipeline(AmplitudeScaler(), make_tiny(scaler=None, validation_fraction=0))
    segmenter = CubeSegmenter(inner, "both")
    weights = np.linspace(1, 2, 24)
    segmenter.fit(cubes.data, cubes.target, faciessegmenter__sample_weight=weights)
    assert segmenter.predict(cubes.data).shape == SHAPE
    assert_array_equal(
        pickle.loads(pickle.dumps(segmenter)).predict(cubes.data), segmenter.predict(cubes.data)
    )


def test_nothing_held_out_reaches_training(cubes):
    """A marker in the test block would be found in crosslines cut from the whole cube."""
    seen = []

    class Marked(ByDepth):
        def fit(self, X, y):
            seen.append(max(float(np.max(section)) for section in X))
            return super().fit(X, y)

    cv = BlockKFold(3, gap=2)
    for train, test in cv.split(cubes.data):
        marked = cubes.data.copy()
        marked[test] = 1e6
        gap = np.setdiff1d(np.arange(24), np.union1d(train, test))
        marked[gap] = 1e6
        for direction in ("inline", "crossline", "both"):
            cross_val_score(
                CubeSegmenter(Marked(), direction),
                marked,
                cubes.target,
                cv=[(train, test)],
                scoring=lambda *_: 0.0,
                error_score="raise",
            )
    assert len(seen) == 9
    assert max(seen) < 1e3


def test_data_for_a_step_of_a_pipeline_are_cut(cubes):
    pair = (cubes.data[:4], cubes.target[:4])
    inner = Pipeline([("last", ByDepth())])
    fitted = CubeSegmenter(inner, "crossline").fit(
        cubes.data, cubes.target, last__validation_data=pair, last__sample_weight=None
    )
    last = fitted.estimator_.named_steps["last"]
    assert_array_equal(last.validation_[0], cubes.data[:4].swapaxes(0, 1))
    assert last.weights_ is None


def test_estimators_without_classes(cubes):
    class Forgetful(ByDepth):
        def fit(self, X, y):
            return self

    with pytest.raises(ValueError, match="`estimator`=Forgetful must set classes_ in fit"):
        CubeSegmenter(Forgetful()).fit(cubes.data, cubes.target)


def test_names_of_different_lengths_are_not_cut_short(cubes):
    names = np.array(["Up", "Mid", "Lower-most"])[cubes.target]
    segmenter = CubeSegmenter(ByDepth(ignore_label=""), memory_limit=1.0).fit(cubes.data, names)
    assert set(np.unique(segmenter.predict(cubes.data))) <= {"Up", "Mid", "Lower-most"}
    assert segmenter.predict(cubes.data).dtype == names.dtype


def test_metadata_routing(cubes):
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        inner = ByDepth().set_fit_request(sample_weight=True)
        scorer = make_scorer(iou_score).set_score_request(sample_weight=False)
        search = GridSearchCV(CubeSegmenter(inner), {"direction": ["inline"]}, cv=2, scoring=scorer)
        search.fit(cubes.data, cubes.target, sample_weight=np.arange(24.0))
        assert search.best_estimator_.estimator_.weights_ is not None
        with pytest.raises(Exception, match="sample_weight.*not explicitly set|not requested"):
            CubeSegmenter(ByDepth()).fit(cubes.data, cubes.target, sample_weight=np.ones(24))


def test_clone_keeps_parameters():
    segmenter = CubeSegmenter(ByDepth(), "both", step=3)
    assert clone(segmenter).get_params()["step"] == 3


# --- bad input --------------------------------------------------------------------------------


def test_bad_cubes(cubes):
    segmenter = CubeSegmenter(ByDepth())
    X, y = cubes.data, cubes.target
    for bad, labels, message in (
        (X[0], y[0], "`X` must be a cube of shape .* got a 2-D array"),
        (X[None], y, "got a 4-D array"),
        (X[:0], y[:0], "`X` is empty: Found cube with 0 inline"),
        (X, y[:5], r"`y` must have the shape of `X`, \(24, 40, 48\); got \(5, 40, 48\)"),
        (X, None, "requires y to be passed"),
        (X, np.full_like(y, -1), "`y` has no labeled sample"),
    ):
        with pytest.raises(ValueError, match=message):
            segmenter.fit(bad, labels)
        assert not hasattr(segmenter, "estimator_")
    segmenter.fit(X, y)
    with pytest.raises(ValueError, match="got a 2-D array"):
        segmenter.predict(X[0])
    with pytest.raises(ValueError, match="real amplitudes; got dtype complex64"):
        segmenter.predict(X.astype(np.complex64))


@pytest.mark.parametrize("bad", [{"direction": "depth"}, {"step": 0}, {"memory_limit": 0}])
def test_bad_parameters(cubes, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        CubeSegmenter(ByDepth(), **bad).fit(cubes.data, cubes.target)


def test_both_directions_need_probabilities(cubes):
    class LabelsOnly(BaseEstimator):
        fit = predict = functools.partial(print)

    with pytest.raises(ValueError, match="`estimator`=LabelsOnly has no predict_proba"):
        CubeSegmenter(LabelsOnly(), "both").fit(cubes.data, cubes.target)


def test_bad_places_for_results(cubes):
    segmenter = CubeSegmenter(ByDepth()).fit(cubes.data, cubes.target)
    locked = np.empty(SHAPE, np.int8)
    locked.flags.writeable = False
    for out, error, message in (
        (np.empty((24, 40), np.int8), ValueError, r"`out` must have shape \(24, 40, 48\)"),
        (locked, ValueError, "`out` is read-only"),
        ("labels.npy", TypeError, "`out` must be a writable array"),
    ):
        with pytest.raises(error, match=message):
            segmenter.predict(cubes.data, out=out)
    with pytest.raises(ValueError, match="`out` must be of floats"):
        segmenter.predict_proba(cubes.data, out=np.empty((*SHAPE, 3), np.int8))


def test_a_store_that_is_cut_short(cubes, tmp_path):
    array = as_zarr(cubes.data, tmp_path)
    segmenter = CubeSegmenter(ByDepth(), "crossline").fit(cubes.data, cubes.target)
    fresh = CubeSegmenter(ByDepth(), "crossline")
    chunk = sorted((tmp_path / "cube.zarr" / "c").rglob("2"))[-1]
    content = chunk.read_bytes()
    chunk.write_bytes(content[: len(content) // 2])
    with pytest.raises(OSError, match="crosslines .* of `X` cannot be read"):
        segmenter.predict(array)
    with pytest.raises(OSError, match="crosslines .* of `X` cannot be read"):
        fresh.fit(array, cubes.target)
    chunk.unlink()
    with pytest.warns(UserWarning, match="1 of 60 chunks .* read as 0"):
        segmenter.predict(array)
    with pytest.warns(UserWarning, match="1 of 60 chunks .* read as 0"):
        fresh.fit(array, cubes.target)
