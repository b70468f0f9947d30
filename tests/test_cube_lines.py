"""Cubes of one line, or of a few: which way they are cut, and what is said of it."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import cross_val_score

from skfacies import CubeSegmenter
from skfacies._cubes.holders import section_axes
from skfacies.datasets import make_facies_cube
from skfacies.metrics import iou_scorer

SHAPE = (12, 15, 16)
DIRECTIONS = ["inline", "crossline", "both"]
ONE_LINE = "is one (inline|crossline) and is cut along it: a section of"


class Traces(ClassifierMixin, BaseEstimator):
    """Class by the place of a trace in its section; keeps the shapes of what it was given."""

    def fit(self, X, y, sample_weight=None, validation_data=None):
        self.seen_ = [np.shape(section) for section in X]
        self.validation_ = validation_data and [np.shape(s) for s in validation_data[0]]
        self.weights_ = sample_weight
        self.classes_ = np.arange(3)
        return self

    def predict(self, X):
        n_sections, n_traces, n_samples = np.shape(X)[:3]
        traces = np.arange(n_traces)[:, None] % 3
        return np.broadcast_to(traces, (n_sections, n_traces, n_samples)).copy()

    def predict_proba(self, X):
        return np.eye(3, dtype=np.float32)[self.predict(X)]


@pytest.fixture(scope="module")
def cubes():
    return make_facies_cube(SHAPE, n_facies=3, random_state=1)


@pytest.mark.parametrize(
    ("direction", "shape", "axes"),
    [
        ("inline", (1, 9), (0,)),
        ("crossline", (1, 9), (0,)),
        ("both", (1, 9), (0,)),
        ("inline", (9, 1), (1,)),
        ("crossline", (9, 1), (1,)),
        ("both", (9, 1), (1,)),
        ("crossline", (2, 9), (1,)),
        ("both", (2, 9), (0, 1)),
        ("both", (1, 1), (0, 1)),  # one trace: no way is better
    ],
)
def test_lines_are_cut_along_themselves(direction, shape, axes):
    assert section_axes(direction, (*shape, 20)) == axes


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_line_is_one_section_in_fit_and_in_all_predictions(cubes, direction, axis):
    line = cubes.data[:1] if axis == 0 else cubes.data[:, :1]
    labels = cubes.target[:1] if axis == 0 else cubes.target[:, :1]
    name = ("inline", "crossline")[axis]
    n_traces = SHAPE[1 - axis]
    segmenter = CubeSegmenter(Traces(), direction)
    calls = {
        "fit": lambda: segmenter.fit(line, labels),
        "predict": lambda: segmenter.predict(line),
        "predict_proba": lambda: segmenter.predict_proba(line).argmax(-1),
        "score": lambda: segmenter.score(line, labels),
    }
    results = {}
    for call, run in calls.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results[call] = run()
        said = [str(warning.message) for warning in caught]
        if direction == name:
            assert said == []
        else:
            assert len(said) == 1, (call, said)
            assert f"`X` is one {name} and is cut along it: a section of {n_traces}" in said[0]
            assert f"direction={direction!r} would cut it into single traces" in said[0]
            assert caught[0].filename == __file__ or call == "score"
    assert segmenter.estimator_.seen_ == [(n_traces, SHAPE[2])]
    assert {key: lines.tolist() for key, lines in segmenter.lines_.items()} == {name: [0]}
    expected = np.broadcast_to(np.arange(n_traces)[:, None] % 3, (n_traces, SHAPE[2]))
    assert_array_equal(np.squeeze(results["predict"]), expected)
    assert_array_equal(np.squeeze(results["predict_proba"]), expected)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("neighbors", [0, 1])
def test_lazy_lines_are_predicted_alike(cubes, direction, axis, neighbors):
    da = pytest.importorskip("dask.array")
    segmenter = CubeSegmenter(Traces(), direction, neighbors=neighbors)
    segmenter.fit(cubes.data, cubes.target)
    line = cubes.data[:1] if axis == 0 else cubes.data[:, :1]
    lazy = da.from_array(line, chunks=(4, 4, -1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = segmenter.predict(line)
        probabilities = segmenter.predict_proba(lazy)
    assert_array_equal(np.squeeze(expected)[:, 0], np.arange(SHAPE[1 - axis]) % 3)
    assert_array_equal(probabilities.compute().argmax(-1), expected)
    if direction != ("inline", "crossline")[axis]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            lazy = segmenter.predict(lazy)
        said = [str(warning.message) for warning in caught]
        assert len(said) == 1 + neighbors  # also that it stands for its own neighbors
        assert "and is cut along it: a section of" in said[0]
        assert_array_equal(lazy.compute(), expected)


def test_a_line_written_in_place_is_that_of_its_section(cubes):
    segmenter = CubeSegmenter(Traces(), "both").fit(cubes.data, cubes.target)
    out = np.empty((SHAPE[0], 1, SHAPE[2]), np.uint8)
    with pytest.warns(UserWarning, match=ONE_LINE):
        segmenter.predict(cubes.data[:, 3:4], out=out)
    assert_array_equal(out[:, 0, 0], np.arange(SHAPE[0]) % 3)


def test_the_network_sees_a_line_as_a_section(make_tiny, cubes):
    segmenter = CubeSegmenter(make_tiny(validation_fraction=0), "crossline")
    segmenter.fit(cubes.data, cubes.target)
    expected = segmenter.estimator_.predict(cubes.data[5:6])
    with pytest.warns(UserWarning, match=ONE_LINE):
        assert_array_equal(segmenter.predict(cubes.data[5:6]), expected)


def test_a_line_for_validation_is_one_section(cubes):
    segmenter = CubeSegmenter(Traces(), "crossline")
    with pytest.warns(UserWarning, match=r"`validation_data\[0\]` is one inline"):
        segmenter.fit(cubes.data, cubes.target, validation_data=(cubes.data[:1], cubes.target[:1]))
    assert segmenter.estimator_.validation_ == [(SHAPE[1], SHAPE[2])]


def test_folds_of_one_inline_are_sections(cubes):
    """Leave-one-out over inlines tests lines of which a model of crosslines made traces."""
    with pytest.warns(UserWarning, match="`X` is one inline"):
        scores = cross_val_score(
            CubeSegmenter(Traces(), "crossline"),
            cubes.data[:5],
            cubes.target[:5],
            cv=[([1, 2, 3, 4], [0])],
            scoring=iou_scorer,
            error_score="raise",
        )
    expected = Traces().fit(cubes.data, None).predict(cubes.data[:1])
    assert scores[0] == iou_scorer(
        type("Known", (), {"predict": lambda self, X: expected})(), cubes.data[:1], cubes.target[:1]
    )


@pytest.mark.parametrize("n_lines", [2, 3])
def test_sections_of_two_or_three_traces_are_told(cubes, n_lines):
    segmenter = CubeSegmenter(Traces(), "crossline")
    message = f"has only {n_lines} inlines: its crossline sections have {n_lines} traces"
    with pytest.warns(UserWarning, match=message):
        segmenter.fit(cubes.data[:n_lines], cubes.target[:n_lines])
    assert segmenter.estimator_.seen_ == [(n_lines, SHAPE[2])] * SHAPE[1]  # as was asked
    with pytest.warns(UserWarning, match="direction='inline' cuts sections of 15 traces"):
        segmenter.predict(cubes.data[:n_lines])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CubeSegmenter(Traces()).fit(cubes.data[:n_lines], cubes.target[:n_lines])
        segmenter.predict(cubes.data[:4])
        segmenter.predict(cubes.data[:2, :2])  # no way is better


def test_weights_of_a_line_are_cut_as_it_is(cubes):
    weights = np.random.default_rng(0).random((1, *SHAPE[1:]))
    segmenter = CubeSegmenter(Traces(), "both")
    with pytest.warns(UserWarning, match=ONE_LINE):
        segmenter.fit(cubes.data[:1], cubes.target[:1], sample_weight=weights)
    assert_array_equal(segmenter.estimator_.weights_, weights)


def test_the_cost_of_a_line_has_no_file(cubes):
    segmenter = CubeSegmenter(Traces(), "both", memory_limit=1e4).fit(cubes.data, cubes.target)
    assert segmenter.estimate_memory(SHAPE).scratch > 0
    assert segmenter.estimate_memory((1, 4000, 1000)).scratch == 0


def test_a_line_of_the_cube_is_its_own_neighbor_in_training_too(cubes):
    segmenter = CubeSegmenter(Traces(), neighbors=1)
    with pytest.warns(UserWarning, match="`X` has 1 inline.* stand in for their own neighbors"):
        segmenter.fit(cubes.data[:1], cubes.target[:1])
    assert segmenter.estimator_.seen_ == [(*SHAPE[1:], 3)]
