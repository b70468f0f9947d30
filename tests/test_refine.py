"""Models that go on with corrected and new lines."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator

from skfacies import CubeSegmenter
from skfacies._estimators.refining import refined
from skfacies.datasets import make_facies_cube

xarray = pytest.importorskip("xarray")


@pytest.fixture(scope="module")
def cubes():
    """Amplitudes and labels of a survey, with line numbers, and labels of every seventh inline."""
    survey = make_facies_cube((30, 36, 48), n_facies=3, random_state=0)
    axes = {"inline": range(200, 230), "crossline": range(400, 436), "twt": range(0, 192, 4)}
    X, y = (xarray.DataArray(a, axes, list(axes)) for a in (survey.data, survey.target))
    picked = xarray.full_like(y, -1)
    picked[::7] = y[::7]
    return X, y, picked


@pytest.fixture(scope="module")
def segmenter(make_tiny, cubes):
    """A segmenter of the cube; not to be changed."""
    X, _, picked = cubes
    return CubeSegmenter(make_tiny(max_epochs=24, lr=1e-2)).fit(X, picked)


class Recorder:
    """An estimator that keeps what it is refined with; it predicts 1 everywhere."""

    def predict(self, X):
        return [np.ones(section.shape, int) for section in X]

    def refine(self, X, y, *, sample_weight):
        self.y, self.weights = y, sample_weight
        return self


def test_lines_without_labels_are_learned_as_they_are_predicted():
    X = [np.zeros((10, 10))] * 4
    nothing, corrected, agreeing = (np.full((10, 10), -1) for _ in range(3))
    corrected[:5] = 2
    agreeing[:5] = 1
    recorder = refined(
        Recorder(), X, [nothing, corrected, agreeing, corrected], [True, True, True, False], -1
    )
    joined = np.where(corrected == -1, 1, corrected)
    for found, expected in zip(
        recorder.y, [nothing * 0 + 1, joined, nothing * 0 + 1, corrected], strict=True
    ):
        assert_array_equal(found, expected)
    assert_array_equal(recorder.weights, [1, 3, 1, 3])


def test_where_nobody_knows_lines_that_are_predicted_count_as_known():
    X = [np.zeros((10, 10))] * 3
    nothing, corrected, agreeing = (np.full((10, 10), -1) for _ in range(3))
    corrected[:5] = 2
    agreeing[:5] = 1
    recorder = refined(Recorder(), X, [nothing, corrected, agreeing], None, -1)
    ones = np.ones((10, 10), int)
    for found, expected in zip(recorder.y, [ones, corrected, ones], strict=True):
        assert_array_equal(found, expected)
    assert_array_equal(recorder.weights, [1, 3, 1])


def test_a_corrected_line_is_learned_and_others_are_kept(make_tiny, cubes):
    X, y, picked = cubes
    wrong = picked.copy()
    wrong.loc[{"inline": 214}] = np.roll(y.sel(inline=214).values, 8, axis=-1)
    wrong.loc[{"inline": 214, "twt": slice(0, 28)}] = y.values.min()
    segmenter = CubeSegmenter(make_tiny(max_epochs=24, lr=1e-2)).fit(X, wrong)
    before = segmenter.predict(X)
    corrected = xarray.full_like(y, -1)
    corrected.loc[{"inline": 214}] = y.sel(inline=214)
    after = segmenter.refine(X, corrected).predict(X)

    def agreement(labels, inline):
        return float((labels.sel(inline=inline) == y.sel(inline=inline)).mean())

    assert agreement(after, 214) > agreement(before, 214) + 0.05
    assert agreement(after, 200) > agreement(before, 200) - 0.05


def test_it_takes_a_sixth_of_the_epochs(cubes, segmenter):
    X, y, _ = cubes
    new = xarray.full_like(y, -1)
    new[3] = y[3]
    before = segmenter.estimator_.n_iter_
    other = copy.deepcopy(segmenter).refine(X, new)
    assert other.estimator_.n_iter_ == before + 4
    assert_array_equal(other.lines_["inline"], [0, 3, 7, 14, 21, 28])


def test_corrected_contacts_replace_earlier_ones(cubes, segmenter):
    X, y, _ = cubes
    corrected = xarray.full_like(y, -1)
    corrected.loc[{"inline": 207}] = np.roll(y.sel(inline=207).values, 3, axis=-1)
    corrected.loc[{"inline": 207, "twt": slice(0, 8)}] = y.values.min()
    other = copy.deepcopy(segmenter).refine(X, corrected)

    def tops(model, inline):
        contacts = model.estimator_.contacts_
        own = contacts.points_[:, 0] == inline
        assert own.any()
        return contacts.points_[own, 1], contacts.depths_[own, 0]

    traces, depths = tops(other, 207)
    expected = (corrected.sel(inline=207).values > y.values.min()).argmax(axis=-1)
    assert_allclose(depths, expected[(traces - 400).astype(int)])
    assert len(np.unique(traces)) == len(traces)


def test_what_cannot_go_on_stays_as_it_was(cubes, segmenter):
    X, y, picked = cubes
    other = copy.deepcopy(segmenter)
    unknown = xarray.full_like(y, -1)
    unknown[3] = 7
    with pytest.raises(ValueError, match=r"7"):
        other.refine(X, unknown)
    with pytest.raises(ValueError, match="no labeled sample"):
        other.refine(X, xarray.full_like(y, -1))
    with pytest.raises(ValueError, match=r"trained on inline number 28 .* Give the cube"):
        other.refine(X[:20], y[:20])
    assert_array_equal(other.predict(X), segmenter.predict(X))
    assert_array_equal(other.lines_["inline"], segmenter.lines_["inline"])


def test_other_estimators_are_refused(cubes):
    class Constant(BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.array([0, 1, 2])
            return self

        def predict(self, X):
            return [np.zeros(section.shape, int) for section in X]

    X, _, picked = cubes
    other = CubeSegmenter.from_fitted(Constant().fit(X, picked))
    with pytest.raises(ValueError, match="needs a FaciesSegmenter as `estimator`; got Constant"):
        other.refine(X, picked)


def test_lines_of_the_other_direction_are_learned(cubes, segmenter):
    X, y, _ = cubes
    crossline = xarray.full_like(y, -1)
    crossline.loc[{"crossline": 410}] = y.sel(crossline=410)
    other = copy.deepcopy(segmenter).refine(X, crossline)
    assert_array_equal(other.lines_["inline"], [0, 7, 14, 21, 28])
    assert_array_equal(other.lines_["crossline"], [10])
    everywhere = copy.deepcopy(segmenter).refine(X, y)
    assert list(everywhere.lines_) == ["inline"]
