"""Tests of skfacies.benchmark: the protocol, against a slow obvious version."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skfacies import AmplitudeScaler, CubeSegmenter, CubeToSections, benchmark, metrics
from skfacies.benchmark import f3_benchmark
from skfacies.datasets import make_facies_cube

BLOCKS = ("test1", "test2")


class Thresholds(BaseEstimator):
    """Facies from the amplitude and its neighbors along the section: directions differ."""

    def __init__(self, classes=(0, 1, 2, 3, 4, 5)):
        self.classes = classes

    def fit(self, X, y=None):
        self.classes_ = np.array(self.classes)
        self.shapes_ = []
        return self

    def predict(self, X):
        self.shapes_.append(X.shape)
        smooth = (X + np.roll(X, 1, axis=1)) / 2
        depth = np.linspace(0, 4, X.shape[2])
        return self.classes_[np.clip(np.rint(smooth + depth), 0, 5).astype(int)]


@pytest.fixture(scope="module")
def blocks():
    survey = make_facies_cube((14, 16, 32), n_facies=6, random_state=0)
    data, target = survey.data.astype(np.float64), survey.target.astype(np.uint8)
    return {
        "test1": (data[:5, :11], target[:5, :11]),
        "test2": {"data": data[:, 11:], "target": target[:, 11:]},
    }


@pytest.fixture
def thresholds():
    return Thresholds().fit(None)


def slow_pairs(blocks):
    """Truth and prediction of every section, one at a time, by block and direction."""
    estimator = Thresholds().fit(None)
    pairs = {}
    for block in BLOCKS:
        cube, truth = blocks[block].values() if isinstance(blocks[block], dict) else blocks[block]
        for axis, direction in enumerate(("inline", "crossline")):
            pairs[block, direction] = [
                (
                    truth.take(i, axis).ravel(),
                    estimator.predict(cube.take(i, axis)[None])[0].ravel(),
                )
                for i in range(cube.shape[axis])
            ]
    return pairs


def expected_scores(pairs):
    """Formulas of the protocol, on all samples at once."""
    truth = np.concatenate([pair[0] for pair in pairs])
    predicted = np.concatenate([pair[1] for pair in pairs])
    matrix = np.zeros((6, 6), dtype=int)
    for t, p in zip(truth, predicted, strict=True):
        matrix[t, p] += 1
    hits, support = np.diag(matrix), matrix.sum(axis=1)
    iou = hits / (support + matrix.sum(axis=0) - hits)
    recall = hits / support
    return {
        "matrix": matrix,
        "pixel_accuracy": np.trace(matrix) / matrix.sum(),
        "mean_class_accuracy": recall.sum() / 6,
        "fw_iou": (support * iou).sum() / matrix.sum(),
        "mean_iou": iou.sum() / 6,
        "recall": recall,
        "iou": iou,
        "support": support,
        "truth": truth,
        "predicted": predicted,
    }


@pytest.mark.parametrize("memory_limit", [1, 60_000, 10**9])
def test_every_number_equals_the_slow_version(blocks, thresholds, memory_limit):
    result = f3_benchmark(thresholds, blocks, memory_limit=memory_limit, verbose=0)
    pairs = slow_pairs(blocks)
    assert list(result.matrices) == list(result.table) == ["test1", "test2", "pooled"]
    for block, by_direction in result.table.items():
        assert list(by_direction) == ["inline", "crossline", "both"]
        for direction, scores in by_direction.items():
            chosen = sum(
                (
                    part
                    for (b, d), part in pairs.items()
                    if block in (b, "pooled") and direction in (d, "both")
                ),
                [],
            )
            expected = expected_scores(chosen)
            assert_array_equal(result.matrices[block][direction], expected["matrix"])
            for name in ("pixel_accuracy", "mean_class_accuracy", "fw_iou", "mean_iou"):
                assert scores[name] == expected[name]
            assert scores["support"] == len(expected["truth"])
            for name in ("recall", "iou", "support"):
                assert [row[name] for row in scores["units"].values()] == expected[name].tolist()
            truth, predicted = expected["truth"], expected["predicted"]
            assert scores["mean_iou"] == metrics.iou_score(truth, predicted)
            assert scores["pixel_accuracy"] == metrics.pixel_accuracy_score(truth, predicted)


def test_every_sample_counts_once_a_direction(blocks, thresholds):
    result = f3_benchmark(thresholds, blocks, verbose=0)
    assert result.matrices["test1"]["inline"].sum() == 5 * 11 * 32
    assert result.matrices["test2"]["both"].sum() == 2 * 14 * 5 * 32
    assert result.matrices["pooled"]["both"].sum() == 2 * (5 * 11 + 14 * 5) * 32


def test_sections_have_their_native_size_and_slabs_are_bounded(blocks, thresholds):
    limit = 60_000
    f3_benchmark(thresholds, blocks, memory_limit=limit, verbose=0)
    sizes = {shape[1:] for shape in thresholds.shapes_}
    assert sizes == {(11, 32), (5, 32), (14, 32)}
    # float64 amplitudes, uint8 labels, and 32 bytes of predicted labels and their codes
    assert max(np.prod(shape) * 41 for shape in thresholds.shapes_) <= limit
    assert sum(shape[0] for shape in thresholds.shapes_) == 5 + 11 + 14 + 5
    assert len(thresholds.shapes_) > 4


def test_memory_maps_give_the_same(blocks, thresholds, tmp_path):
    mapped = {}
    for block in BLOCKS:
        pair = blocks[block].values() if isinstance(blocks[block], dict) else blocks[block]
        for i, array in enumerate(pair):
            np.save(tmp_path / f"{block}{i}.npy", array)
        mapped[block] = [np.load(tmp_path / f"{block}{i}.npy", mmap_mode="r") for i in (0, 1)]
    result = f3_benchmark(thresholds, mapped, memory_limit=60_000, verbose=0)
    assert result.table == f3_benchmark(thresholds, blocks, verbose=0).table


def test_data_come_from_fetch_f3_by_default(blocks, thresholds, monkeypatch):
    asked = []

    def fetch(subset, data_home, verbose):
        asked.append((subset, data_home, verbose))
        return blocks

    monkeypatch.setattr(benchmark, "fetch_f3", fetch)
    f3_benchmark(thresholds, data_home="here", verbose=0)
    assert asked == [(["test1", "test2"], "here", 0)]


def test_pipelines_and_cube_segmenters(blocks, make_tiny):
    cube, truth = blocks["test1"]
    segmenter = CubeSegmenter(
        make_pipeline(AmplitudeScaler(), make_tiny(validation_fraction=0)), "crossline"
    ).fit(cube, truth)
    result = f3_benchmark(segmenter, blocks, verbose=0)
    # Precision is nan of units that are never predicted.
    np.testing.assert_equal(
        result.table, f3_benchmark(segmenter.estimator_, blocks, verbose=0).table
    )
    predicted = segmenter.estimator_.predict(np.ascontiguousarray(cube))
    expected = metrics.pixel_accuracy_score(truth, predicted)
    assert result.table["test1"]["inline"]["pixel_accuracy"] == expected
    assert result.settings["estimator"] == "Pipeline"
    assert result.settings["params"]["faciessegmenter__max_epochs"] == 1


# --- the report -----------------------------------------------------------------------------


def test_settings_say_what_was_run(blocks, thresholds):
    settings = f3_benchmark(thresholds, blocks, verbose=0).settings
    assert settings["estimator"] == "Thresholds"
    assert settings["params"] == {"classes": "(0, 1, 2, 3, 4, 5)"}
    assert settings["versions"]["numpy"] == np.__version__
    assert {"python", "skfacies", "torch"} <= set(settings["versions"])
    assert set(settings["seconds"]["test2"]) == {"inline", "crossline"}
    assert settings["shapes"] == {"test1": (5, 11, 32), "test2": (14, 5, 32)}
    assert settings["official"] is False


def test_report_stands_beside_published_scores(blocks, thresholds, monkeypatch):
    monkeypatch.setattr(benchmark, "SHAPES", {"test1": (5, 11, 32), "test2": (14, 5, 32)})
    result = f3_benchmark(thresholds, blocks, verbose=0)
    pooled = result.table["pooled"]["both"]
    lines = result.to_markdown().splitlines()
    assert lines[0] == "# F3 facies benchmark"
    row = next(line for line in lines if line.startswith("| pooled | both |"))
    assert row.split(" | ")[2] == f"{pooled['pixel_accuracy']:.3f}"
    assert f"| {pooled['fw_iou']:.3f} |" in row
    assert "| Alaudah 2019, section + augmentation | 0.901 | 0.804 | 0.844 | – |" in lines
    assert any(line.startswith("| **this: Thresholds** |") for line in lines)
    iou = pooled["units"]["scruff"]["iou"]
    assert any(line.startswith("| scruff |") and f"| {iou:.3f} |" in line for line in lines)
    assert result.published["SETR-PUP, direction of test unstated"]["fw_iou"] is None


def test_report_of_other_data_does_not_compare(blocks, thresholds):
    report = f3_benchmark(thresholds, blocks, verbose=0).to_markdown()
    assert "published scores are not comparable" in report
    assert "Alaudah" not in report


def test_report_is_printed_if_verbose(blocks, thresholds, capsys):
    result = f3_benchmark(thresholds, blocks)
    printed = capsys.readouterr()
    assert printed.out.strip() == result.to_markdown().strip()
    assert "test2 crosslines: 100%" in printed.err


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((0, 1, 2, 3, 4), r"its classes are \[0, 1, 2, 3, 4\].*sections that contain all units"),
        ((1, 2, 3, 4, 5, 6), r"the six units \[0, 1, 2, 3, 4, 5\] of F3, upper_ns"),
        (tuple("abcdef"), "`estimator` must have learned the six units"),
    ],
)
def test_estimators_of_other_classes(blocks, classes, message):
    with pytest.raises(ValueError, match=message):
        f3_benchmark(Thresholds(classes).fit(None), blocks, verbose=0)


def test_estimators_that_are_not_ready(blocks):
    with pytest.raises(NotFittedError, match="not fitted"):
        f3_benchmark(Thresholds(), blocks, verbose=0)
    with pytest.raises(NotFittedError, match="not fitted"):
        f3_benchmark(CubeSegmenter(Thresholds()), blocks, verbose=0)
    with pytest.raises(TypeError, match="`estimator` must be a fitted estimator of sections"):
        f3_benchmark(Thresholds, blocks, verbose=0)
    with pytest.raises(TypeError, match="with `predict`; got 'model'"):
        f3_benchmark("model", blocks, verbose=0)


def test_pipeline_that_cuts_crosslines(blocks, thresholds):
    cutting = make_pipeline(CubeToSections("crossline"), thresholds)
    with pytest.raises(ValueError, match=r"cuts cubes along crosslines.*estimator\[1:\]"):
        f3_benchmark(cutting, blocks, verbose=0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"test1": None}, r"the blocks 'test1' and 'test2'; got \['test1'\]"),
        ([1, 2], "the blocks 'test1' and 'test2'; got list"),
        ({"test1": np.zeros((2, 2, 2)), "test2": 0}, r"`data\['test1'\]` must be a Bunch"),
        (dict.fromkeys(BLOCKS, (np.zeros((2, 3)), np.zeros((2, 3)))), "must be a cube of shape"),
        (
            dict.fromkeys(BLOCKS, (np.zeros((2, 3, 4)), np.zeros((2, 3, 5)))),
            r"`data\['test1'\] labels` must have the shape",
        ),
        (
            dict.fromkeys(BLOCKS, (np.zeros((2, 3, 4)), np.full((2, 3, 4), 9))),
            r"true labels of test1 inlines must be the units.*got \[9\]",
        ),
    ],
)
def test_refused_data(thresholds, data, message):
    with pytest.raises(ValueError, match=message):
        f3_benchmark(thresholds, data, verbose=0)


class Wrong:
    """No scikit-learn estimator, and wrong in one way."""

    def __init__(self, predict):
        self.predict = predict


def test_predictions_that_cannot_be_counted(blocks):
    with pytest.raises(ValueError, match=r"predicted labels of shape \(5, 32\) for test1 inlines"):
        f3_benchmark(Wrong(lambda X: X[:, 0]), blocks, verbose=0)
    with pytest.raises(ValueError, match=r"predicted labels of test1 inlines .* got \[-1\]"):
        f3_benchmark(Wrong(lambda X: np.full(X.shape, -1)), blocks, verbose=0)
    with pytest.raises(ValueError, match="`memory_limit` must be a number of bytes above 0"):
        f3_benchmark(Wrong(None), blocks, memory_limit=0, verbose=0)
