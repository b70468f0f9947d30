"""Scores of cubes: what counts, how often data are read, and weights that are routed."""

import numpy as np
import pytest
import sklearn
from holders import Store
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfacies import CubeSegmenter
from skfacies.datasets import make_facies_cube
from skfacies.metrics import (
    iou_score,
    iou_scorer,
    mean_class_accuracy_scorer,
    pixel_accuracy_score,
    pixel_accuracy_scorer,
)
from skfacies.model_selection import BlockKFold

SHAPE = (12, 10, 16)
CHUNKS = (5, 4, 16)


class Sign(ClassifierMixin, BaseEstimator):
    """Class 1 where amplitudes are positive; keeps the weights of its fit."""

    def __init__(self, ignore_label=-1):
        self.ignore_label = ignore_label

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.array([0, 1])
        self.weights_ = sample_weight
        return self

    def predict(self, X):
        return (np.asarray(X) > 0).astype(np.int8)

    def predict_proba(self, X):
        return np.eye(2, dtype=np.float32)[self.predict(X)]


class Strict(Sign):
    """Says itself what it does about NaN, as FaciesSegmenter does."""

    def __init__(self, ignore_label=-1, nan_policy="ignore"):
        super().__init__(ignore_label)
        self.nan_policy = nan_policy

    def predict(self, X):
        X = np.asarray(X)
        if self.nan_policy == "raise" and np.isnan(X).any():
            raise ValueError("there is NaN")
        return np.where(np.isnan(X), self.ignore_label, super().predict(X)).astype(np.int16)

    def predict_proba(self, X):
        return np.where(np.isnan(X)[..., None], np.float32(np.nan), super().predict_proba(X))


@pytest.fixture(scope="module")
def cubes():
    """Amplitudes of which some are missing, and labels that they tell more or less."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=SHAPE).astype(np.float32)
    target = (data + rng.normal(size=SHAPE) > 0).astype(np.int8)
    target[:, :, :3] = -1
    data[2:5, 3:9, 4:] = np.nan
    return data, target


def slow_score(data, target, weights=None):
    counted = ~np.isnan(data) & (target != -1)
    weights = None if weights is None else weights[counted]
    return iou_score(target[counted], (data > 0)[counted], sample_weight=weights)


def on_disk(array):
    return Store(array, CHUNKS)


def lazy(counting, chunks=CHUNKS):
    """A Dask array, each block of which asks for its chunk once."""
    da = pytest.importorskip("dask.array")
    return da.from_array(counting, chunks=chunks, asarray=False, meta=np.empty((0, 0, 0)))


# --- what counts, and what is read ------------------------------------------------------------


@pytest.mark.parametrize("estimator", [Sign(), Strict(), make_pipeline(Strict())])
@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
@pytest.mark.parametrize("hold", [np.asarray, on_disk, lambda a: lazy(on_disk(a))])
def test_missing_samples_do_not_count_however_cubes_are_held(cubes, estimator, direction, hold):
    data, target = cubes
    segmenter = CubeSegmenter(estimator, direction).fit(data, target)
    weights = np.random.default_rng(1).random(SHAPE)
    score = segmenter.score(hold(data), hold(target))
    assert score == slow_score(data, target)
    assert iou_scorer(segmenter, hold(data), hold(target), hold(weights)) == pytest.approx(
        slow_score(data, target, weights)
    )


def test_a_pipeline_that_fills_in_does_not_tell_what_is_missing(cubes):
    data, target = cubes
    fill = FunctionTransformer(lambda X: [np.nan_to_num(section) for section in X])
    for policy in ("raise", "ignore"):
        segmenter = CubeSegmenter(make_pipeline(fill, Strict(nan_policy=policy)))
        assert segmenter.fit(data, target).score(data, target) == slow_score(data, target)


def test_other_estimators_are_wrong_where_they_predict_no_label():
    class Shy(Sign):
        def predict(self, X):
            return np.full(np.shape(X), -1)

    data = np.ones((2, 3, 4), np.float32)
    target = np.ones((2, 3, 4), int)
    assert CubeSegmenter(Shy()).fit(data, target).score(data, target) == 0


@pytest.mark.parametrize("policy", ["raise", "ignore"])
@pytest.mark.parametrize("direction", ["inline", "crossline"])
def test_a_score_reads_each_chunk_once(cubes, direction, policy):
    data, target = cubes
    data = np.nan_to_num(data) if policy == "raise" else data
    segmenter = CubeSegmenter(Strict(nan_policy=policy), direction).fit(data, target)
    X, y = on_disk(data), on_disk(target)
    weights = on_disk(np.random.default_rng(1).random(SHAPE))
    assert segmenter.score(X, y, weights) == pytest.approx(slow_score(data, target, weights.array))
    for counting in (X, y, weights):
        assert (counting.times_unpacked == 1).all()


@pytest.mark.parametrize("estimator", [Sign(), Strict(), make_pipeline(Strict())])
@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
@pytest.mark.parametrize("named", [False, True])
def test_a_score_of_a_lazy_cube_reads_each_chunk_once(cubes, estimator, direction, named):
    data, target = cubes
    segmenter = CubeSegmenter(estimator, direction).fit(data, target)
    parts = on_disk(data), on_disk(target)
    X, y = map(lazy, parts)
    if named:
        xarray = pytest.importorskip("xarray")
        X, y = (xarray.DataArray(part, dims=("il", "xl", "z")) for part in (X, y))
    for counting in parts:
        counting.forget()
    score = segmenter.score(X, y) if named else iou_scorer(segmenter, X, y)
    assert score == slow_score(data, target)
    for counting in parts:
        assert (counting.times_unpacked == 1).all()


def test_metrics_read_each_row_of_chunks_twice_at_most(cubes, monkeypatch):
    """Once for the labels that occur, once to count them; not for each line of a chunk."""
    monkeypatch.setattr("skfacies.metrics._counting.LABELS_AT_ONCE", 1)
    true, pred = map(on_disk, (cubes[1], np.abs(cubes[1])))
    assert iou_score(true, pred) == iou_score(true.array, pred.array)
    assert true.times_unpacked.max() == pred.times_unpacked.max() == 2


def test_a_mosaic_of_missing_samples_with_the_network(make_tiny):
    made = make_facies_cube((6, 32, 32), n_facies=2, random_state=0)
    data = made.data.copy()
    data[1:3, 5:9, 10:] = np.nan
    labels = made.target.astype(np.uint8)
    labels[:, :, :2] = 255
    inner = make_tiny(nan_policy="ignore", ignore_label=255, validation_fraction=0)
    segmenter = CubeSegmenter(inner, "both").fit(data, labels)
    counted = ~np.isnan(data) & (labels != 255)
    expected = iou_score(labels[counted], segmenter.predict(data)[counted])
    assert segmenter.score(data, labels) == expected


# --- kinds of labels --------------------------------------------------------------------------


def test_labels_that_are_true_or_false(cubes):
    data = np.nan_to_num(cubes[0])
    target = data > 0
    segmenter = CubeSegmenter(Sign()).fit(data, target)
    assert segmenter.score(data, target) == 1


def test_lazy_labels_of_unknown_size_are_refused(cubes):
    data, target = cubes
    y = lazy(on_disk(target))
    unknown = y[y[:, 0, 5] > -5]
    with pytest.raises(ValueError, match="`y` has chunks of unknown size. Use y.compute_chunk"):
        CubeSegmenter(Sign()).fit(data, unknown)
    with pytest.raises(ValueError, match="`sample_weight` has chunks of unknown size"):
        CubeSegmenter(Sign()).fit(data, target, sample_weight=unknown)


# --- weights ----------------------------------------------------------------------------------


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def expected_scores(data, target, weights, score, folds):
    data = np.nan_to_num(data)
    return [
        score(target[test], data[test] > 0, sample_weight=weights[test])
        for _, test in folds.split(data)
    ]


@pytest.mark.parametrize("of_inlines", [False, True])
@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_weights_reach_fit_and_score_in_cross_validation(cubes, routing, direction, of_inlines):
    data, target = np.nan_to_num(cubes[0]), cubes[1]
    weights = np.random.default_rng(2).random(SHAPE[:1] if of_inlines else SHAPE)
    folds = BlockKFold(3)
    expected = expected_scores(data, target, weights, iou_score, folds)
    segmenter = CubeSegmenter(Sign().set_fit_request(sample_weight=True), direction)
    segmenter.set_score_request(sample_weight=True)
    options = {"cv": folds, "params": {"sample_weight": weights}, "error_score": "raise"}
    found = cross_validate(segmenter, data, target, return_estimator=True, **options)
    assert_allclose(found["test_score"], expected)
    for (train, _), fitted in zip(folds.split(data), found["estimator"], strict=True):
        own = np.broadcast_to(weights[:, None, None] if of_inlines else weights, SHAPE)[train]
        lines = own.swapaxes(0, 1) if direction == "crossline" else own
        assert_allclose(fitted.estimator_.weights_[: len(lines)], lines)
    without = segmenter.set_score_request(sample_weight=False)
    found = cross_validate(without, data, target, **options)["test_score"]
    assert_allclose(found, expected_scores(data, target, np.ones(SHAPE), iou_score, folds))


def test_weights_reach_the_score_of_a_search(cubes, routing):
    data, target = np.nan_to_num(cubes[0]), cubes[1]
    weights = np.random.default_rng(2).random(SHAPE)
    segmenter = CubeSegmenter(Sign().set_fit_request(sample_weight=True))
    segmenter.set_score_request(sample_weight=True)
    search = GridSearchCV(segmenter, {"direction": ["inline", "both"]}, cv=BlockKFold(3))
    search.fit(data, target, sample_weight=weights)
    expected = expected_scores(data, target, weights, iou_score, BlockKFold(3))
    assert_allclose(search.cv_results_["mean_test_score"], np.mean(expected))
    whole = iou_score(target, data > 0, sample_weight=weights)
    assert search.score(data, target, sample_weight=weights) == pytest.approx(whole)


def test_weights_that_nobody_asked_for_are_refused(cubes, routing):
    data, target = np.nan_to_num(cubes[0]), cubes[1]
    segmenter = CubeSegmenter(Sign().set_fit_request(sample_weight=True))
    with pytest.raises(Exception, match="sample_weight.* explicitly set .*not requested"):
        cross_validate(
            segmenter, data, target, params={"sample_weight": np.ones(12)}, error_score="raise"
        )


def test_several_scorers_of_which_one_takes_weights(cubes, routing):
    data, target = np.nan_to_num(cubes[0]), cubes[1]
    weights, folds = np.random.default_rng(2).random(SHAPE), BlockKFold(3)
    scoring = {
        "iou": iou_scorer.set_score_request(sample_weight=True),
        "accuracy": pixel_accuracy_scorer.set_score_request(sample_weight=False),
    }
    found = cross_validate(
        CubeSegmenter(Sign().set_fit_request(sample_weight=True)),
        data,
        target,
        cv=folds,
        scoring=scoring,
        params={"sample_weight": weights},
    )
    assert_allclose(found["test_iou"], expected_scores(data, target, weights, iou_score, folds))
    plain = expected_scores(data, target, np.ones(SHAPE), pixel_accuracy_score, folds)
    assert_allclose(found["test_accuracy"], plain)


@pytest.mark.parametrize("scorer", [iou_scorer, pixel_accuracy_scorer, mean_class_accuracy_scorer])
def test_the_scorers_of_the_module_never_change(scorer, routing):
    before = repr(scorer.get_metadata_routing())
    asked = scorer.set_score_request(sample_weight=True)
    assert asked is not scorer
    assert repr(asked) == repr(scorer)
    again = asked.set_score_request(sample_weight=False)
    requests = [s.get_metadata_routing().score.requests for s in (scorer, asked, again)]
    assert [request["sample_weight"] for request in requests] == [None, True, False]
    assert repr(scorer.get_metadata_routing()) == before
