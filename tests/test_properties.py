"""What must hold of any data: fit, predict, save and load with sections drawn by hypothesis."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfacies import CubeSegmenter
from skfacies.persistence import load_model, save_model

SETTINGS = {
    "derandomize": True,
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
LABELS = [
    np.array([0, 1, 2], np.int8),
    np.array([3, 200, 255], np.uint8),
    np.array([-5, 0, 10**9], np.int64),
    np.array([7, 8, 9], ">i4"),
    np.array(["sand", "shale", "Ølsalt"]),
    np.array(["a", "b", "c"], dtype=object),
]
AMPLITUDES = ["<f4", ">f4", "f8", "f2", "i2", "i1", "u1", "i8"]
few = pytest.mark.filterwarnings("ignore")  # of what may be wrong with so little data


@st.composite
def problems(draw, same_shape=False):
    """Sections with labels: a stack, or a list of sections of different shapes.

    Returns
    -------
    X, y : arrays or lists
    options : dict
        Parameters of the segmenter.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ragged = not same_shape and draw(st.booleans())
    n_sections = draw(st.integers(1, 4))
    sizes = st.tuples(st.integers(1, 40), st.integers(2, 40))
    shapes = [draw(sizes) for _ in range(n_sections)] if ragged else [draw(sizes)] * n_sections
    names = draw(st.sampled_from(LABELS))[: draw(st.integers(2, 3))]
    dtype = np.dtype(draw(st.sampled_from(AMPLITUDES)))
    scale = 50 if dtype.kind in "iu" else draw(st.sampled_from([1e-3, 1.0, 1000.0]))
    shift = 128 if dtype.kind == "u" else 0
    X, y = [], []
    for shape in shapes:
        noise = np.clip(rng.standard_normal(shape), -2, 2)
        X.append((scale * noise + shift).astype(dtype))
        y.append(names[np.minimum(np.arange(shape[1]) * len(names) // shape[1], len(names) - 1)])
        y[-1] = np.repeat(y[-1][None], shape[0], axis=0)
    options = {"ignore_label": "?" if names.dtype.kind in "UO" else -1}
    if names.dtype.kind == "u" or draw(st.booleans()):
        options["ignore_label"] = None
    else:
        y = _with_unknown(draw(st.sampled_from(["samples", "traces", "below"])), y, options, rng)
    if dtype.kind == "f" and options["ignore_label"] is not None and draw(st.booleans()):
        options["nan_policy"] = "ignore"
        X[0][rng.random(X[0].shape) < 0.1] = np.nan
    return (X, y, options) if ragged else (np.stack(X), np.stack(y), options)


def _with_unknown(pattern, y, options, rng):
    """Labels, some of which are `ignore_label`; a first trace stays as it was."""
    ignored = []
    for labels in y:
        shape, n_samples = labels.shape, labels.shape[1]
        unknown = {
            "samples": rng.random(shape) < 0.4,
            "traces": np.repeat(rng.random(len(labels)) < 0.7, labels.shape[1]).reshape(
                labels.shape
            ),
            "below": np.arange(labels.size).reshape(shape) % n_samples > 30,
        }[pattern]
        unknown[0] = False
        wide = labels.astype("U12") if labels.dtype.kind == "U" else labels
        ignored.append(np.where(unknown, options["ignore_label"], wide).astype(wide.dtype))
    return ignored


def check_predictions(model, X, classes):
    """Shapes, classes and probabilities; return the labels and the probabilities."""
    labels, probabilities = model.predict(X), model.predict_proba(X)
    assert type(labels) is type(probabilities) is type(X)
    assert_array_equal(model.classes_, classes)
    allowed = [*model.classes_.tolist(), model.ignore_label]
    for section, own, likely in zip(X, labels, probabilities, strict=True):
        missing = np.isnan(section.astype("f8"))
        assert own.shape == section.shape
        assert likely.shape == (*section.shape, len(classes))
        assert likely.dtype == np.float32
        assert set(own.ravel().tolist()) <= set(allowed)
        assert np.isnan(likely).any(axis=-1).tolist() == missing.tolist()
        assert_allclose(likely[~missing].sum(axis=-1), 1, atol=1e-5)
        best = model.classes_[likely[~missing].argmax(axis=-1)]
        assert_array_equal(own[~missing], best)
        if missing.any():
            assert set(own[missing].tolist()) == {model.ignore_label}
    return labels, probabilities


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert_array_equal(one, other)


def check_round_trip(make_tiny, folder, problem):
    X, y, options = problem
    model = make_tiny(**options).fit(X, y)
    known = {label for labels in y for label in labels.ravel().tolist()}
    classes = sorted(known - {options["ignore_label"]})
    found = check_predictions(model, X, classes)
    save_model(model, folder / "model")
    loaded = load_model(folder / "model")
    assert loaded.classes_.dtype == model.classes_.dtype
    for again, before in zip(check_predictions(loaded, X, classes), found, strict=True):
        assert_same(again, before)


@few
@given(problem=problems())
@settings(max_examples=6, **SETTINGS)
def test_any_sections_go_there_and_back(make_tiny, tmp_path, problem):
    check_round_trip(make_tiny, tmp_path, problem)


@few
@pytest.mark.slow
@given(problem=problems())
@settings(max_examples=60, **SETTINGS)
def test_many_sections_go_there_and_back(make_tiny, tmp_path, problem):
    check_round_trip(make_tiny, tmp_path, problem)


@few
@pytest.mark.slow
@given(
    problem=problems(same_shape=True), direction=st.sampled_from(["inline", "crossline", "both"])
)
@settings(max_examples=20, **SETTINGS)
def test_any_cubes_go_there_and_back(make_tiny, tmp_path, problem, direction):
    X, y, options = problem
    if direction == "both" or options.get("nan_policy"):
        X = np.nan_to_num(X)
    model = CubeSegmenter(make_tiny(**options), direction).fit(X, y)
    labels, probabilities = model.predict(X), model.predict_proba(X)
    assert labels.shape == X.shape
    assert probabilities.shape == (*X.shape, len(model.classes_))
    assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
    assert_array_equal(labels, model.classes_[probabilities.argmax(axis=-1)])
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert_array_equal(loaded.predict(X), labels)
    assert_array_equal(loaded.predict_proba(X), probabilities)
