"""Lines beside each section as channels: which they are, however cubes are held and read."""

import functools
import pickle
import warnings

import numpy as np
import pytest
from holders import OnDisk, as_zarr
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from stand_ins import Recorder

from skfacies import AmplitudeScaler, CubeSegmenter
from skfacies._cubes.slabs import (
    LineWithNeighbors,
    neighbor_positions,
    plan_slabs,
    read_with_neighbors,
)
from skfacies._nn.augmentation import Augmentation
from skfacies._nn.data import Conditioner
from skfacies.benchmark import f3_benchmark
from skfacies.datasets import make_facies_cube
from skfacies.metrics import iou_score, iou_scorer
from skfacies.persistence import load_model, save_model
from skfacies.plotting import SectionDisplay

SHAPE = (12, 15, 16)


@pytest.fixture(scope="module")
def cubes():
    return make_facies_cube(SHAPE, n_facies=3, random_state=1)


def stacked(cube, axis, neighbors):
    """All lines with those beside them, by the definition."""
    lines = np.moveaxis(cube, axis, 0)
    n, result = len(lines), []
    for i in range(n):
        own = [lines[i]]
        for step in range(1, neighbors + 1):
            for at in (i - step, i + step):
                at = -at if at < 0 else at
                at = 2 * (n - 1) - at if at > n - 1 else at
                own.append(lines[min(max(at, 0), n - 1)])
        result.append(np.stack(own, axis=-1))
    return np.stack(result)


# --- which lines ------------------------------------------------------------------------------


def test_the_line_itself_comes_first_and_ends_are_mirrored():
    positions = neighbor_positions([0, 1, 5, 9], 10, 2)
    assert_array_equal(
        positions, [[0, 1, 1, 2, 2], [1, 0, 2, 1, 3], [5, 4, 6, 3, 7], [9, 8, 8, 7, 7]]
    )
    assert_array_equal(neighbor_positions([0], 1, 3), [[0] * 7])  # a cube of one line
    assert_array_equal(neighbor_positions([1], 2, 3), [[1, 0, 0, 1, 0, 0, 0]])


@pytest.mark.parametrize("neighbors", [0, 1, 2, 5])
@pytest.mark.parametrize(("slab", "block"), [(1, 1), (2, 4), (3, 7), (5, 5), (40, 40)])
@pytest.mark.parametrize("n_lines", [1, 2, 13])
def test_every_line_is_predicted_once_and_after_its_neighbors_were_read(
    n_lines, slab, block, neighbors
):
    predicted, read = [], 0
    for part, slabs in plan_slabs(n_lines, slab=slab, block=block, neighbors=neighbors):
        assert part.start == read
        assert part.stop - part.start <= block
        read = part.stop
        for lines in slabs:
            assert 0 < lines.stop - lines.start <= slab
            assert min(lines.stop + neighbors, n_lines) <= read
            predicted += range(lines.start, lines.stop)
    assert predicted == list(range(n_lines))
    assert read == n_lines


# --- cubes ------------------------------------------------------------------------------------


HOLDERS = {
    "ndarray": np.asarray,
    "zarr": functools.partial(as_zarr, chunks=(5, 4, 16)),
    "zarr of single lines": functools.partial(as_zarr, chunks=(1, 1, 16)),
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("neighbors", [1, 2])
@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_sections_have_the_lines_beside_them_as_channels(cubes, direction, neighbors, holder):
    labels = np.full_like(cubes.target, -1)
    labels[[0, 7, 11]] = cubes.target[[0, 7, 11]]
    labels[:, [3, 14]] = cubes.target[:, [3, 14]]
    hold = HOLDERS[holder]
    segmenter = CubeSegmenter(
        Recorder(), direction, neighbors=neighbors, min_labeled=0.5, memory_limit=20_000
    )
    pair = hold(cubes.data), hold(labels)
    segmenter.fit(*pair, validation_data=pair)
    expected = []
    for axis, name in enumerate(("inline", "crossline")):
        if name in segmenter.lines_:
            expected += list(stacked(cubes.data, axis, neighbors)[segmenter.lines_[name]])
    assert len(expected) >= 2
    for seen in (segmenter.estimator_.seen_, segmenter.estimator_.validation_):
        assert_array_equal(np.concatenate(seen), np.concatenate(expected))


@pytest.mark.parametrize("memory_limit", [1, 30_000, 500_000_000])
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("neighbors", [1, 3])
@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_predictions_are_those_of_the_stacked_sections(
    cubes, direction, neighbors, holder, memory_limit
):
    segmenter = CubeSegmenter(
        Recorder(), direction, neighbors=neighbors, memory_limit=memory_limit
    ).fit(cubes.data, cubes.target)
    probabilities = [
        np.moveaxis(
            Recorder().fit(cubes.data, None).predict_proba(stacked(cubes.data, axis, neighbors)),
            0,
            axis,
        )
        for axis in {"inline": (0,), "crossline": (1,), "both": (0, 1)}[direction]
    ]
    expected = sum(probabilities) / len(probabilities)
    cube = HOLDERS[holder](cubes.data)
    assert_allclose(segmenter.predict_proba(cube), expected, atol=1e-6)
    labels = segmenter.predict(cube)
    best = np.sort(expected, axis=-1)
    clear = best[..., -1] - best[..., -2] > 1e-4  # on disk probabilities are rounded
    assert clear.mean() > 0.99
    assert_array_equal(labels[clear], expected.argmax(-1)[clear])


@pytest.mark.parametrize("chunks", [(1, 15, 16), (5, 4, 16), (12, 15, 16), (11, 1, 16)])
@pytest.mark.parametrize("neighbors", [1, 2])
@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_lazy_predictions_are_the_same(cubes, direction, neighbors, chunks):
    array = pytest.importorskip("dask.array").from_array(cubes.data, chunks=chunks)
    segmenter = CubeSegmenter(Recorder(), direction, neighbors=neighbors)
    segmenter.fit(cubes.data, cubes.target)
    lazy = segmenter.predict_proba(array)
    assert lazy.shape == (*SHAPE, 3)
    assert_allclose(lazy.compute(), segmenter.predict_proba(cubes.data), atol=1e-6)
    assert_array_equal(segmenter.predict(array).compute(), segmenter.predict(cubes.data))


def test_every_chunk_is_read_once_though_slabs_need_those_beside_them(cubes):
    segmenter = CubeSegmenter(Recorder(), neighbors=2, memory_limit=40_000)
    segmenter.fit(cubes.data, cubes.target)
    held = OnDisk(cubes.data, (4, 15, 16))
    assert_array_equal(segmenter.predict(held), segmenter.predict(cubes.data))
    assert (held.times_read == 1).all()


def test_lines_without_labels_are_neighbors_and_nothing_is_copied(cubes):
    labels = np.full_like(cubes.target, -1)
    labels[5] = cubes.target[5]
    seen = []

    class Keeper(Recorder):
        def fit(self, X, y, validation_data=None):
            seen.extend(X)
            return super().fit(X, y)

    CubeSegmenter(Keeper(), neighbors=1).fit(cubes.data, labels)
    assert len(seen) == 1
    assert all(np.may_share_memory(line, cubes.data) for line in seen[0].lines)
    assert_array_equal(seen[0][2:5, 3:9], stacked(cubes.data, 0, 1)[5, 2:5, 3:9])


@pytest.mark.parametrize("bad", [-1, 0.5, 32, "one"])
def test_bad_numbers_of_neighbors(cubes, bad):
    with pytest.raises(ValueError, match="neighbors"):
        CubeSegmenter(Recorder(), neighbors=bad).fit(cubes.data, cubes.target)


# --- the network ------------------------------------------------------------------------------


def channels_of(cubes, neighbors=1):
    return stacked(cubes.data, 0, neighbors)


@pytest.mark.slow
def test_the_network_learns_from_the_lines_beside(make_tiny):
    """What a sample is, only the line after it tells."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(24, 32, 32)).astype(np.float32)
    coarse = np.repeat(np.repeat(rng.normal(size=(24, 4, 4)), 8, axis=1), 8, axis=2)
    data[1:] += 3 * np.sign(coarse[:-1])
    target = (coarse > 0).astype(np.int8)
    options = {
        "encoder_name": "resnet18",
        "max_epochs": 12,
        "validation_fraction": 0,
        "unit_order": None,
        "batch_size": 2,
    }
    options |= {"augment": False, "dip_smoothing": None, "section_statistics": False}
    scores = [
        CubeSegmenter(make_tiny(**options), neighbors=neighbors)
        .fit(data[:18], target[:18])
        .score(data[18:], target[18:])
        for neighbors in (0, 1)
    ]
    assert scores[0] < 0.5
    assert scores[1] > 0.8


def test_sections_with_channels(make_tiny, cubes):
    X = channels_of(cubes)
    segmenter = make_tiny().fit(X, cubes.target)
    assert segmenter.n_channels_ == 3
    labels = segmenter.predict(X)
    assert labels.shape == SHAPE
    assert segmenter.predict_proba(X).shape == (*SHAPE, 3)
    assert 0 <= segmenter.score(X, cubes.target) <= 1
    for one, other in zip(segmenter.predict(list(X)), labels, strict=True):
        assert_array_equal(one, other)
    again = make_tiny().fit(list(X), list(cubes.target))
    assert_array_equal(again.predict(X), labels)


@pytest.mark.parametrize("depth_channel", [False, True])
def test_one_channel_is_as_none(make_tiny, cubes, depth_channel):
    plain = make_tiny(depth_channel=depth_channel).fit(cubes.data, cubes.target)
    channel = make_tiny(depth_channel=depth_channel).fit(cubes.data[..., None], cubes.target)
    assert plain.n_channels_ == channel.n_channels_ == 1
    assert_array_equal(
        plain.predict_proba(cubes.data), channel.predict_proba(cubes.data[..., None])
    )


def test_amplitudes_are_scaled_by_those_of_the_line_itself(make_tiny, cubes):
    lines = [LineWithNeighbors([7 * line, 1000 * line, 0 * line]) for line in cubes.data]
    X = np.array([np.asarray(line) for line in lines])
    own = AmplitudeScaler().fit(X[..., 0])
    for scaler in (
        AmplitudeScaler().fit(lines),
        make_tiny(validation_fraction=0).fit(lines, cubes.target).scaler_,
    ):
        assert (scaler.center_, scaler.scale_) == (own.center_, own.scale_)
    assert_array_equal(own.transform(X)[..., 0], own.transform(X[..., 0]))


def test_missing_is_what_the_line_itself_lacks(make_tiny, cubes):
    X = channels_of(cubes).copy()
    X[3, :4, :, 0] = np.nan
    X[5, :, :, 1] = np.nan
    segmenter = make_tiny(nan_policy="ignore").fit(X, cubes.target)
    labels = segmenter.predict(X)
    assert (labels[3, :4] == -1).all()
    assert (labels == -1).sum() == 4 * SHAPE[2]
    probabilities = segmenter.predict_proba(X)
    assert_array_equal(np.isnan(probabilities[..., 0]), labels == -1)
    with pytest.raises(ValueError, match="contains NaN .first at trace 0, sample 0 of section 3"):
        make_tiny().fit(X, cubes.target)


def test_channels_move_together_and_depth_stays(cubes):
    import torch

    X = channels_of(cubes, 1)[:2]
    X[..., 1], X[..., 2] = X[..., 0], 2 * X[..., 0]
    conditioner = Conditioner(None, 16, 3)
    assert conditioner.n_channels == 4
    batch = torch.stack([torch.from_numpy(conditioner(section)[0]) for section in X])
    assert batch.shape == (2, 4, *SHAPE[1:])
    codes = torch.from_numpy(cubes.target[:2].astype(np.int64))
    strengths = {"flip": 0.5, "gain": 0.3, "stretch": 0.1, "shift": 2.0, "warp": 2.0, "fade": 0.5}
    augmentation = Augmentation(torch.Generator().manual_seed(1), 3, **strengths)
    changed, _ = augmentation(batch, codes)
    assert not torch.allclose(changed[:, 0], batch[:, 0])
    assert torch.allclose(changed[:, 1], changed[:, 0])
    assert torch.allclose(changed[:, 2], 2 * changed[:, 0], atol=1e-5)
    assert torch.equal(changed[:, 3], batch[:, 3])
    noisy, _ = Augmentation(torch.Generator().manual_seed(1), 3, noise=1.0)(batch, codes)
    noise = (noisy - batch)[:, :3].flatten(2)
    assert abs(float(torch.corrcoef(noise[0])[0, 1])) < 0.3


def test_other_numbers_of_channels_are_refused(make_tiny, cubes):
    X = channels_of(cubes)
    segmenter = make_tiny().fit(X, cubes.target)
    message = r"`X` has sections of 1 channel\(s\), but the network was trained on 3"
    for call in (segmenter.predict, segmenter.predict_proba):
        with pytest.raises(ValueError, match=message):
            call(cubes.data)
    with pytest.raises(ValueError, match=message):
        segmenter.partial_fit(cubes.data, cubes.target)
    with pytest.raises(ValueError, match=message):
        segmenter.set_params(warm_start=True).fit(cubes.data, cubes.target)
    segmenter.partial_fit(X, cubes.target)
    with pytest.raises(ValueError, match="`validation_data.0.` has sections of 1 channel"):
        make_tiny().fit(X, cubes.target, validation_data=(cubes.data, cubes.target))
    with pytest.raises(
        ValueError, match=r"`X\[1\]` has the shape \(15, 16\), the first section has"
    ):
        make_tiny().fit([X[0], cubes.data[1]], list(cubes.target[:2]))


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ((2, 1, 32, 128), (2, 32, 128), "at most 64 and no more than samples"),
        ((2, 6, 20, 32), (2, 6, 20, 32), "at most 64 and no more than samples"),
        (
            (2, 6, 32, 20),
            (2, 6, 32, 20),
            "is a cube, cut it into sections; if it has one channel before",
        ),
        ((2, 3, 20, 16), (2, 20, 16), "before the traces: move that axis to the end"),
        ((2, 20, 16, 3), (2, 20, 16, 2), "without the channels, which come last; got"),
    ],
)
def test_cubes_and_other_axes_are_not_taken_for_channels(make_tiny, X, y, message):
    X, y = np.zeros(X, np.float32), np.zeros(y, int)
    with pytest.raises(ValueError, match=message):
        make_tiny().fit(X, y)
    with pytest.raises(ValueError, match=message):
        make_tiny().fit(list(X), list(y))


# --- what a review found ---------------------------------------------------------------------


@pytest.mark.parametrize("memory_limit", [10_000, 200_000, 500_000_000])
@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_results_may_be_written_over_the_amplitudes(cubes, direction, memory_limit):
    segmenter = CubeSegmenter(Recorder(), direction, neighbors=2, memory_limit=memory_limit)
    segmenter.fit(cubes.data, cubes.target)
    cube = cubes.data.copy()
    assert_array_equal(segmenter.predict(cube, out=cube), segmenter.predict(cubes.data))


@pytest.mark.parametrize(("n_lines", "neighbors"), [(1, 2), (3, 2), (5, 6), (7, 3)])
@pytest.mark.parametrize("chunk", [1, 2, 12])
def test_lazy_cubes_of_few_lines(cubes, n_lines, neighbors, chunk):
    segmenter = CubeSegmenter(Recorder(), "both", neighbors=neighbors)
    segmenter.fit(cubes.data, cubes.target)
    data = cubes.data[:n_lines]
    array = pytest.importorskip("dask.array").from_array(data, chunks=(chunk, 4, 16))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_array_equal(segmenter.predict(array).compute(), segmenter.predict(data))


def test_tasks_hold_no_more_channels_than_fit(cubes):
    held = []

    class Meter(Recorder):
        def predict(self, X):
            held.append(X.nbytes)
            return super().predict(X)

    array = pytest.importorskip("dask.array").from_array(cubes.data, chunks=(12, 15, 16))
    segmenter = CubeSegmenter(Meter(), neighbors=5, memory_limit=400_000)
    segmenter.fit(cubes.data, cubes.target)
    lazy = segmenter.predict(array).compute(scheduler="synchronous")
    assert_array_equal(lazy, segmenter.set_params(memory_limit=10**9).predict(cubes.data))
    assert max(held[:-1]) <= 100_000 < held[-1]


def test_parts_of_a_line_with_neighbors(cubes):
    line = LineWithNeighbors([cubes.data[3], cubes.data[2], cubes.data[4]])
    whole = np.stack([cubes.data[3], cubes.data[2], cubes.data[4]], axis=-1)
    assert (len(line), line.ndim, line.shape) == (15, 3, whole.shape)
    for key in np.s_[2:4], np.s_[2:4, 5:9], np.s_[..., 0], np.s_[:, :, 1], np.s_[4], np.s_[2:5, 3]:
        assert_array_equal(line[key], whole[key])


def test_lines_that_are_their_own_neighbors_are_told(cubes):
    segmenter = CubeSegmenter(Recorder(), neighbors=1).fit(cubes.data, cubes.target)
    with pytest.warns(UserWarning, match="lines stand in for their own neighbors"):
        segmenter.predict(cubes.data[3:4])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        segmenter.predict(cubes.data[3:5])


def test_scores_of_what_is_no_section(cubes):
    """Metrics take labels of any shape, scorers whatever the estimator takes."""
    labels = np.random.default_rng(0).integers(0, 3, (2, 3, 4, 5))
    assert iou_score(labels, labels) == 1
    assert iou_score(list(labels), list(labels)) == 1
    with pytest.raises(ValueError, match="`y_pred` must have the shape of `y_true`"):
        iou_score(labels, labels[..., 0])

    class ByName(Recorder):
        def predict(self, X):
            return np.stack([cubes.target[int(name)] for name in X])

    by_name = ByName().fit([cubes.data], None)
    assert iou_scorer(by_name, ["1", "2"], cubes.target[1:3]) == 1


def test_sections_with_channels_are_drawn(make_tiny, cubes):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    X = channels_of(cubes)
    for estimator in (make_tiny(), make_pipeline(AmplitudeScaler(), make_tiny(scaler=None))):
        estimator.fit(X, cubes.target)
        display = SectionDisplay.from_estimator(estimator, X[4], cubes.target[4])
        assert_array_equal(display.section, X[4, ..., 0])
        assert_array_equal(display.prediction, estimator.predict(X[4:5])[0])
        pyplot.close(display.figure_)
        with pytest.raises(ValueError, match="use cube.i."):
            SectionDisplay.from_estimator(estimator, cubes.data)


# --- around it --------------------------------------------------------------------------------


def test_pipelines_and_files(make_tiny, cubes, tmp_path):
    pipeline = make_pipeline(AmplitudeScaler(), make_tiny(scaler=None, validation_fraction=0))
    segmenter = CubeSegmenter(pipeline, "both", neighbors=1).fit(cubes.data, cubes.target)
    labels = segmenter.predict(cubes.data)
    direct = CubeSegmenter(make_tiny(validation_fraction=0), "both", neighbors=1)
    assert_array_equal(direct.fit(cubes.data, cubes.target).predict(cubes.data), labels)
    save_model(segmenter, tmp_path / "model.safetensors")
    for again in (
        load_model(tmp_path / "model.safetensors"),
        pickle.loads(pickle.dumps(segmenter)),
    ):
        assert again.neighbors == 1
        assert_array_equal(again.predict(cubes.data), labels)


def test_the_benchmark_cuts_the_same_sections():
    cubes = make_facies_cube((8, 9, 24), n_facies=6, random_state=0)

    class Six(Recorder):
        def predict(self, X):
            return np.abs(np.asarray(X) * np.arange(1, 4)).sum(-1).astype(int) % 6

        def fit(self, X, y):
            self.classes_ = np.arange(6)
            return self

    segmenter = CubeSegmenter(Six(), neighbors=1).fit(cubes.data, cubes.target)
    blocks = {name: (cubes.data, cubes.target) for name in ("test1", "test2")}
    for memory_limit in (1, 10**9):
        result = f3_benchmark(segmenter, blocks, memory_limit=memory_limit, verbose=0)
        for axis, direction in enumerate(("inline", "crossline")):
            predicted = segmenter.estimator_.predict(stacked(cubes.data, axis, 1))
            accuracy = (predicted == np.moveaxis(cubes.target, axis, 0)).mean()
            assert result.table["test1"][direction]["pixel_accuracy"] == pytest.approx(accuracy)


def test_reading_some_lines(cubes):
    for axis in (0, 1):
        expected = stacked(cubes.data, axis, 2)
        for lines in (slice(0, 1), slice(0, 4), slice(5, 9), slice(SHAPE[axis] - 1, SHAPE[axis])):
            assert_array_equal(read_with_neighbors(cubes.data, axis, lines, 2), expected[lines])
