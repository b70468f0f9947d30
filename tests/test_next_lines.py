"""`suggest_lines`: far from what is picked, where the model is undecided, one after the other."""

import warnings

import numpy as np
import pytest
import xarray
from holders import OnDisk
from sklearn.base import BaseEstimator, ClassifierMixin

from skfacies import CubeSegmenter
from skfacies.datasets import make_facies_cube
from skfacies.persistence import load_model, save_model
from skfacies.qc import suggest_lines

SHAPE = (32, 40, 48)


@pytest.fixture(scope="module")
def survey():
    return make_facies_cube(SHAPE, 3, random_state=3)


def labels_on(survey, inlines):
    labels = np.full(SHAPE, -1)
    labels[inlines] = survey.target[inlines]
    return labels


def placed(cube):
    axes = {"inline": 100 + 2 * np.arange(32), "crossline": 300 + np.arange(40)}
    axes["twt"] = 4.0 * np.arange(48)
    return xarray.DataArray(cube, axes, list(axes))


@pytest.fixture(scope="module")
def segmenter(survey, make_tiny):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny = make_tiny(nan_policy="ignore", max_epochs=2)
        return CubeSegmenter(tiny).fit(placed(survey.data), labels_on(survey, [2, 6]))


class Even(ClassifierMixin, BaseEstimator):
    """Equally undecided about all live samples."""

    def fit(self, X=None, y=None):
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        return np.zeros(X.shape, int)

    def predict_proba(self, X):
        return np.full((*X.shape, 2), 0.5)


def even_segmenter():
    return CubeSegmenter.from_fitted(Even().fit())


def test_equal_doubt_gives_evenly_spaced_lines():
    cube = np.random.default_rng(0).normal(size=(30, 40, 8))
    picked = {"inline": [0, 29], "crossline": []}
    found = suggest_lines(even_segmenter(), cube, 3, direction="inline", picked=picked).lines
    middle, *quarters = found["inline"]
    assert abs(middle - 14.5) <= 1
    assert sorted(quarters) == pytest.approx([7, 22], abs=2)


def test_without_a_picked_line_the_first_is_in_the_middle():
    cube = np.random.default_rng(0).normal(size=(21, 40, 8))
    found = suggest_lines(even_segmenter(), cube, 1, direction="inline", picked={})
    assert abs(found.lines["inline"][0] - 10) <= 1


def test_doubt_attracts_lines():
    class Right(Even):
        def predict_proba(self, X):
            probabilities = super().predict_proba(X)
            probabilities[np.asarray(X) < 5] = [1, 0]
            return probabilities

    cube = np.random.default_rng(0).normal(size=(30, 40, 8))
    cube[:, 30:] += 20
    picked = {"inline": [0, 29], "crossline": []}
    found = suggest_lines(CubeSegmenter.from_fitted(Right().fit()), cube, 1, picked=picked)
    assert found.lines["crossline"][0] >= 30
    assert found.order[0].distance > 3


def test_numbers_are_those_of_the_survey_and_of_other_crops(survey, segmenter):
    cube = placed(survey.data)
    whole = suggest_lines(segmenter, cube, 2, direction="inline").lines["inline"]
    assert all(number in cube.inline for number in whole)
    assert min(whole) > 120  # far from 104 and 112
    turned = suggest_lines(segmenter, cube.transpose("twt", "crossline", "inline"), 2).lines
    assert turned == suggest_lines(segmenter, cube, 2).lines


def test_sections_know_their_lines_also_after_saving(survey, segmenter, tmp_path):
    save_model(segmenter.estimator_, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    cube = placed(survey.data)
    assert suggest_lines(loaded, cube).lines == suggest_lines(segmenter, cube).lines


def test_only_candidates_are_suggested_and_read(survey, segmenter):
    disk = OnDisk(survey.data)
    candidates = {"inline": [20, 25], "crossline": [7]}
    picked = {"inline": [2, 6]}
    found = suggest_lines(segmenter, disk, 5, picked=picked, candidates=candidates)
    assert set(found.lines["inline"]) <= {20, 25}
    assert set(found.lines["crossline"]) <= {7}
    assert len(found.order) == 3
    read = disk.times_read.any(axis=2)
    expected = np.zeros(read.shape, bool)
    expected[[20, 25]] = expected[:, 7] = True
    assert (read == expected).all()


def test_rare_units_count_more(survey, segmenter):
    from skfacies.qc._next_lines import _Coverage

    class Last:
        training_report_ = {"0": {"support": 900}, "1": {"support": 100}}

    class Seen:
        classes = np.array([0, 1])

    coverage = _Coverage(Last, Seen, 2)
    assert coverage.factors().tolist() == [1, pytest.approx(5**0.5)]
    coverage.add_line(np.array([0.0, 1.0]))
    assert coverage.factors()[1] < 5**0.5


def test_neighbors_are_those_of_the_survey(survey, make_tiny):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        segmenter = CubeSegmenter(make_tiny(), neighbors=1)
        segmenter.fit(survey.data, labels_on(survey, [2, 6]))
    assert len(suggest_lines(segmenter, survey.data, 2).order) == 2


def test_unknown_lines_are_refused(survey, segmenter):
    with pytest.raises(ValueError, match="does not know where its training lines are"):
        suggest_lines(segmenter.estimator_, survey.data)
    with pytest.raises(ValueError, match="`picked` has inlines that the cube does not have: \\[77"):
        suggest_lines(segmenter, survey.data, picked={"inline": [77]})
    with pytest.raises(ValueError, match="`candidates` has the keys"):
        suggest_lines(segmenter, survey.data, candidates={"xline": [7]})
    with pytest.raises(ValueError, match="`direction` must be one of"):
        suggest_lines(segmenter, survey.data, direction="x")
    with pytest.raises(ValueError, match="`n` must be 1 or more"):
        suggest_lines(segmenter, survey.data, 0)
