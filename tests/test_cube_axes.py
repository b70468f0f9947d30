"""Names and coordinates of DataArrays: they decide, not the order of axes or the shape."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin

from skfacies import CubeSegmenter, CubeToSections
from skfacies._cubes.axes import known_axes
from skfacies._cubes.writing import take_apart
from skfacies.datasets import make_facies_cube
from skfacies.metrics import contact_error, iou_score, iou_scorer
from skfacies.model_selection import BlockKFold

xarray = pytest.importorskip("xarray")

SHAPE = (10, 12, 16)
NAMES = [
    ("inline", "crossline", "twt"),
    ("iline", "xline", "samples"),
    ("il", "xl", "z"),
    ("ILINE", "XLINE", "TIME"),
    ("In-line", "cross_line", "depth"),
    ("inline", "crossline", "anything"),
]


class ByDepth(ClassifierMixin, BaseEstimator):
    """Facies by sample and trace, so that no two axes can be exchanged unseen."""

    def __init__(self, nan_policy="raise"):
        self.nan_policy = nan_policy

    def fit(self, X, y, sample_weight=None, validation_data=None):
        self.seen_, self.labels_ = [np.array(s) for s in X], [np.array(s) for s in y]
        self.weights_ = sample_weight and [np.array(s) for s in sample_weight]
        self.classes_ = np.arange(3)
        return self

    def predict(self, X):
        X = np.asarray(X)
        codes = np.arange(X.shape[2]) * 3 // X.shape[2] + (X > 1)
        labels = np.clip(codes, 0, 2)
        labels[np.isnan(X)] = -1
        return labels

    def predict_proba(self, X):
        return np.eye(3, dtype=np.float32)[self.predict(X)]


@pytest.fixture(scope="module")
def cubes():
    return make_facies_cube(SHAPE, n_facies=3, random_state=1)


def named(data, dims=("inline", "crossline", "twt"), **coords):
    axes = [300 + np.arange(SHAPE[0]), 700 + 2 * np.arange(SHAPE[1]), 4.0 * np.arange(SHAPE[2])]
    return xarray.DataArray(data, {**dict(zip(dims, axes, strict=True)), **coords}, dims)


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", NAMES[:-1])
def test_known_names(names):
    assert list(known_axes(names).values()) == ["inline", "crossline", "samples"]
    assert known_axes(("x", *names[2:], 7)) == {names[2]: "samples"}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2), (2, 1, 0)])
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_axes_are_found_by_name_and_come_back_as_they_were(cubes, direction, names, order):
    X, y = named(cubes.data, names), named(cubes.target, names)
    turned = tuple(names[i] for i in order)
    plain = CubeSegmenter(ByDepth(), direction).fit(cubes.data, cubes.target)
    segmenter = CubeSegmenter(ByDepth(), direction).fit(X.transpose(*turned), y)
    assert_array_equal(
        np.concatenate([s.ravel() for s in segmenter.estimator_.labels_]),
        np.concatenate([s.ravel() for s in plain.estimator_.labels_]),
    )
    predicted = segmenter.predict(X.transpose(*turned))
    assert predicted.dims == turned
    assert_array_equal(predicted.transpose(*names), plain.predict(cubes.data))
    for name in names:
        assert_array_equal(predicted[name], X[name])
    probabilities = segmenter.predict_proba(X.transpose(*turned))
    assert probabilities.dims == (*turned, "facies")
    expected = plain.score(cubes.data, cubes.target)
    assert 0 < expected < 1
    assert segmenter.score(X.transpose(*turned), y) == expected
    assert iou_scorer(segmenter, X, y.transpose(*turned)) == expected
    assert iou_scorer(segmenter, X.transpose(*turned), y) == expected


@pytest.mark.parametrize(
    "names",
    [
        ("twt", "x", "y"),
        ("x", "y", "twt"),
        ("inline", "offset", "twt"),
        ("twt", "crossline", "cdp"),
        ("il", "inline", "twt"),
        ("twt", "depth", "x"),
        ("inline", "crossline", "xl"),
    ],
)
def test_names_that_tell_some_axes_only_are_refused(cubes, names):
    X = xarray.DataArray(cubes.data, dims=names)
    segmenter = CubeSegmenter(ByDepth()).fit(cubes.data, cubes.target)
    message = r"`X` has the axes \(.*they do not distinguish .*X.rename.*or give X.data"
    for call in (
        lambda: segmenter.predict(X),
        lambda: segmenter.predict_proba(X),
        lambda: CubeSegmenter(ByDepth()).fit(X, cubes.target),
        lambda: CubeSegmenter(ByDepth()).fit(X, X.astype(int)),
        lambda: CubeToSections("crossline").fit(X),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match="`y` has the axes .*y.rename"):
        CubeSegmenter(ByDepth()).fit(cubes.data, X.astype(int))
    assert_array_equal(segmenter.predict(X.data), segmenter.predict(cubes.data))


def test_names_that_say_nothing_count_by_their_order(cubes):
    X = xarray.DataArray(cubes.data)
    predicted = CubeSegmenter(ByDepth(), "crossline").fit(X, cubes.target).predict(X)
    assert predicted.dims == X.dims
    assert_array_equal(
        predicted,
        CubeSegmenter(ByDepth(), "crossline").fit(cubes.data, cubes.target).predict(cubes.data),
    )


def test_cubes_that_are_cut_without_their_labels_must_be_in_order(cubes):
    X = named(cubes.data, ("iline", "xline", "twt")).transpose("twt", "iline", "xline")
    with pytest.raises(ValueError, match=r"Use X.transpose\('iline', 'xline', 'twt'\)"):
        CubeToSections("crossline").fit(X)
    with pytest.raises(ValueError, match=r"folds are of inlines.*'iline', 'xline', 'twt'"):
        BlockKFold(2).split(X)
    with pytest.raises(ValueError, match="axes of `y` are not known.*'iline', 'xline', 'twt'"):
        CubeSegmenter(ByDepth()).fit(X, cubes.target)
    segmenter = CubeSegmenter(ByDepth()).fit(cubes.data, cubes.target)
    with pytest.raises(ValueError, match="axes of `y` are not known"):
        iou_scorer(segmenter, X, cubes.target)
    with pytest.raises(ValueError, match="results with the axes iline, xline, twt"):
        segmenter.predict(X, out=np.empty(X.shape, int))


def test_what_is_written_has_the_coordinates_of_its_own_axes(cubes):
    X = named(cubes.data, ("iline", "xline", "twt"))
    parts = take_apart(X.transpose("twt", "xline", "iline"))
    assert_array_equal(parts.array, cubes.data)
    for axis, name in enumerate(X.dims):
        assert_array_equal(parts.along(axis), X[name])
    stack = X.expand_dims(facies=[4, 5]).transpose("facies", "twt", "iline", "xline")
    parts = take_apart(stack)
    assert parts.dims == ("inline", "crossline", "twt", "facies")
    assert_array_equal(parts.along(2), X.twt)


# --- coordinates ------------------------------------------------------------------------------


def message_of(X, y):
    with pytest.raises(ValueError, match="`y` has .* coordinates that differ") as caught:
        CubeSegmenter(ByDepth()).fit(X, y)
    return str(caught.value)


@pytest.mark.parametrize("dim", ["inline", "crossline", "twt"])
def test_labels_of_a_part_are_told_how_to_become_whole(cubes, dim):
    X, y = named(cubes.data), named(cubes.target)
    part = y.isel({dim: slice(3, 7)})
    told = message_of(X, part)
    first, last = part[dim].values[[0, -1]]
    assert (
        f"{dim!r} coordinates that differ from those of `X`: 4 from {first} to {last}, not " in told
    )
    assert "y.reindex_like(X, fill_value=-1)" in told
    whole = part.reindex_like(X, fill_value=-1)  # the advice
    assert whole.dtype == y.dtype
    segmenter = CubeSegmenter(ByDepth()).fit(X, whole)
    expected = np.full_like(cubes.target, -1)
    index = [slice(None)] * 3
    index[y.dims.index(dim)] = slice(3, 7)
    expected[tuple(index)] = cubes.target[tuple(index)]
    assert_array_equal(segmenter.estimator_.labels_, expected[segmenter.lines_["inline"]])


@pytest.mark.parametrize("dim", ["inline", "crossline", "twt"])
def test_labels_of_the_same_size_at_other_places_are_refused(cubes, dim):
    X, y = named(cubes.data), named(cubes.target)
    shifted = y.assign_coords({dim: y[dim] + 1000})
    told = message_of(X, shifted)
    assert f"They have no {dim} in common" in told
    assert f"y.assign_coords({dim}=X.{dim})" in told
    assert "reindex_like" not in told  # which would leave no label
    CubeSegmenter(ByDepth()).fit(X, shifted.assign_coords({dim: X[dim]}))
    reverse = y.assign_coords({dim: y[dim][::-1].values})
    assert "reindex_like(X, fill_value=-1)" in message_of(X, reverse)


def test_labels_in_other_units_of_time_are_refused(cubes):
    X, y = named(cubes.data), named(cubes.target)
    assert "only the unit" in message_of(X, y.assign_coords(twt=y.twt / 1000))


def test_the_advice_has_the_ignore_label_of_the_estimator(cubes, make_tiny):
    X, y = named(cubes.data), named(cubes.target.astype(np.uint8))
    with pytest.raises(ValueError, match=r"reindex_like\(X, fill_value=255\)"):
        CubeSegmenter(make_tiny(ignore_label=255)).fit(X, y[2:])


def test_labels_of_a_part_are_refused_in_scores_and_validation_too(cubes):
    X, y = named(cubes.data), named(cubes.target)
    segmenter = CubeSegmenter(ByDepth()).fit(X, y)
    with pytest.raises(
        ValueError, match=r"`y` has .* coordinates that differ.*y.reindex_like\(X, fill_value=-1\)"
    ):
        segmenter.score(X, y[1:])
    with pytest.raises(ValueError, match="`y` has 'inline' coordinates that differ"):
        iou_scorer(segmenter, X, y[::-1])
    with pytest.raises(
        ValueError, match=r"`validation_data\[1\]` has 'twt' coordinates that differ"
    ):
        segmenter.fit(X, y, validation_data=(X, y[..., 1:]))
    with pytest.raises(
        ValueError, match="`sample_weight` has .* coordinates that differ.*fill_value=0"
    ):
        segmenter.fit(X, y, sample_weight=xarray.ones_like(X)[1:])


def test_rounding_of_times_does_not_matter(cubes):
    X = named(cubes.data, twt=0.1 * np.arange(SHAPE[2]))
    y = named(cubes.target, twt=(0.1 * np.arange(SHAPE[2])).astype(np.float32))
    segmenter = CubeSegmenter(ByDepth()).fit(X, y)
    assert_array_equal(segmenter.estimator_.labels_, cubes.target)
    assert "'twt'" in message_of(X, y.assign_coords(twt=0.1001 * np.arange(SHAPE[2])))


def test_integer_times_equal_those_of_floats(cubes):
    X, y = named(cubes.data), named(cubes.target, twt=4 * np.arange(SHAPE[2]))
    assert CubeSegmenter(ByDepth()).fit(X, y).score(X, y) > 0


def test_weights_follow_the_names_of_axes(cubes):
    X, y = named(cubes.data, ("a", "b", "c")), named(cubes.target, ("a", "b", "c"))
    weights = named(np.random.default_rng(0).random(SHAPE), ("a", "b", "c"))
    turned = weights.transpose("c", "b", "a")
    segmenter = CubeSegmenter(ByDepth()).fit(X, y, sample_weight=turned)
    assert_array_equal(segmenter.estimator_.weights_, weights)
    expected = iou_score(cubes.target, segmenter.predict(cubes.data), sample_weight=weights.values)
    assert segmenter.score(X, y, turned) == expected
    assert iou_scorer(segmenter, X, y, turned) == expected
    by_crossline = xarray.DataArray(np.ones(SHAPE[0]), dims="crossline")
    with pytest.raises(ValueError, match="`sample_weight` has one weight for each 'crossline'"):
        segmenter.fit(X, y, sample_weight=by_crossline)


# --- metrics ----------------------------------------------------------------------------------


def test_scores_pair_labels_by_name_and_place(cubes):
    truth = named(cubes.target)
    predicted = named(np.roll(cubes.target, 1, axis=2))
    turned = predicted.transpose("twt", "inline", "crossline")
    expected = iou_score(truth.values, predicted.values)
    assert iou_score(truth, turned) == iou_score(turned, truth.transpose(*turned.dims)) == expected
    weights = named(np.random.default_rng(0).random(SHAPE))
    assert iou_score(truth, turned, sample_weight=weights) == iou_score(
        truth.values, predicted.values, sample_weight=weights.values
    )
    errors = contact_error(truth.transpose(*turned.dims), turned)
    assert_array_equal(errors.mean, contact_error(truth.values, predicted.values).mean)
    with pytest.raises(
        ValueError, match="`y_true` has 'inline' coordinates that differ from those of `y_pred`"
    ):
        iou_score(truth[::-1], predicted)
    with pytest.raises(ValueError, match="axes of `y_true` are not known"):
        iou_score(truth.values, turned)
    renamed = predicted.rename(inline="iline", crossline="xline")
    assert iou_score(truth, renamed) == expected
