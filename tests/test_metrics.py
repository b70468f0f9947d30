import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import sklearn
from holders import OnDisk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    jaccard_score,
    make_scorer,
    precision_score,
    recall_score,
)
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline

from skfacies.metrics import (
    contact_error,
    facies_confusion_matrix,
    facies_report,
    iou_score,
    iou_scorer,
    mean_class_accuracy_score,
    mean_class_accuracy_scorer,
    pixel_accuracy_score,
    pixel_accuracy_scorer,
)

SHAPE = (5, 7, 11)
FEW = settings(derandomize=True, max_examples=25, deadline=None)
SCORES = [iou_score, pixel_accuracy_score, mean_class_accuracy_score]
SCORERS = [iou_scorer, pixel_accuracy_scorer, mean_class_accuracy_scorer]


def draw_labels(seed=0, shape=SHAPE, values=range(4)):
    """Truth and a prediction that is right most of the time."""
    rng = np.random.RandomState(seed)
    values = np.asarray(values)
    y_true = values[rng.randint(0, len(values), shape)]
    y_pred = np.where(rng.rand(*shape) < 0.6, y_true, values[rng.randint(0, len(values), shape)])
    return y_true, y_pred


def draw_layers(seed=0, shape=(4, 6, 30), n_units=4):
    """Units in order down each trace; some pinch out or are absent at the top or bottom."""
    rng = np.random.RandomState(seed)
    tops = np.sort(rng.randint(-3, shape[-1] + 3, (*shape[:-1], n_units - 1)), axis=-1)
    return (tops[..., np.newaxis, :] <= np.arange(shape[-1])[:, np.newaxis]).sum(axis=-1)


def ragged(array):
    """The same traces as a list of blocks of different shapes."""
    return [array[:2, :3], array[:2, 3:], array[2:]]


LABEL_TYPES = {
    "integers": np.array([0, 1, 2, 3]),
    "gaps and negatives": np.array([-7, 2, 40, 1000]),
    "int8": np.array([-128, -5, 0, 127], dtype=np.int8),
    "uint8": np.array([0, 7, 254, 255], dtype=np.uint8),
    "whole floats": np.array([0.0, 1.0, 2.0, 5.0]),
    "strings": np.array(["chalk", "salt", "sand", "shale"]),
    "objects": np.array(["chalk", "salt", "sand", "shale"], dtype=object),
    "bools": np.array([False, True]),
}


# Against scikit-learn


@pytest.mark.parametrize("values", LABEL_TYPES.values(), ids=LABEL_TYPES)
def test_all_scores_equal_scikit_learn_on_ravelled_labels(values):
    y_true, y_pred = draw_labels(values=values)
    flat = y_true.ravel(), y_pred.ravel()
    counts = facies_confusion_matrix(y_true, y_pred)
    assert counts.dtype == np.int64
    assert_array_equal(counts, confusion_matrix(*flat))
    for average in (None, "macro", "weighted"):
        assert_allclose(
            iou_score(y_true, y_pred, average=average), jaccard_score(*flat, average=average)
        )
    assert_allclose(pixel_accuracy_score(y_true, y_pred), accuracy_score(*flat))
    assert_allclose(mean_class_accuracy_score(y_true, y_pred), balanced_accuracy_score(*flat))


@pytest.mark.parametrize("weight_shape", [SHAPE[:1], SHAPE])
def test_weighted_scores_equal_scikit_learn(weight_shape):
    y_true, y_pred = draw_labels(1)
    weight = np.random.RandomState(2).rand(*weight_shape)
    every = np.broadcast_to(weight.reshape(weight_shape + (1,) * (3 - weight.ndim)), SHAPE)
    sk = {"sample_weight": every.ravel()}
    ours = {"sample_weight": weight}
    flat = y_true.ravel(), y_pred.ravel()
    counts = facies_confusion_matrix(y_true, y_pred, **ours)
    assert counts.dtype == np.float64
    assert_allclose(counts, confusion_matrix(*flat, **sk))
    for average in (None, "macro", "weighted"):
        assert_allclose(
            iou_score(y_true, y_pred, average=average, **ours),
            jaccard_score(*flat, average=average, **sk),
        )
    assert_allclose(pixel_accuracy_score(y_true, y_pred, **ours), accuracy_score(*flat, **sk))
    assert_allclose(
        mean_class_accuracy_score(y_true, y_pred, **ours), balanced_accuracy_score(*flat, **sk)
    )


@pytest.mark.parametrize("labels", [[2, 0], [3, 7], [0, 1, 2, 3, 9]])
@pytest.mark.parametrize("as_text", [False, True])
def test_labels_subset_equals_scikit_learn(labels, as_text):
    y_true, y_pred = draw_labels(3)
    if as_text:
        y_true, y_pred, labels = (
            y_true.astype(str),
            y_pred.astype(str),
            np.array(labels).astype(str),
        )
    flat = y_true.ravel(), y_pred.ravel()
    sk = {"labels": labels, "zero_division": 0}
    ours = {"labels": labels, "zero_division": 0.0}
    assert_array_equal(
        facies_confusion_matrix(y_true, y_pred, labels=labels),
        confusion_matrix(*flat, labels=labels),
    )
    for average in (None, "macro", "weighted"):
        assert_allclose(
            iou_score(y_true, y_pred, average=average, **ours),
            jaccard_score(*flat, average=average, **sk),
        )
    assert_allclose(
        mean_class_accuracy_score(y_true, y_pred, **ours),
        recall_score(*flat, average="macro", **sk),
    )
    report = facies_report(y_true, y_pred, output_dict=True, **ours)
    assert_allclose(
        [report[str(label)]["precision"] for label in labels],
        precision_score(*flat, average=None, **sk),
    )


def test_plain_lists_series_and_tensors_are_labels_too():
    pd = pytest.importorskip("pandas")
    y_true, y_pred = [0, 1, 1, 2], [0, 1, 2, 2]
    expected = jaccard_score(y_true, y_pred, average="macro")
    assert iou_score(y_true, y_pred) == pytest.approx(expected)
    index = [0.5, 3.0, -1.0, 2.0]  # pandas would slice floats by value
    assert iou_score(pd.Series(y_true, index), pd.Series(y_pred, index)) == pytest.approx(expected)
    torch = pytest.importorskip("torch")
    assert iou_score(torch.tensor(y_true), torch.tensor(y_pred)) == pytest.approx(expected)
    assert iou_score(list("abbc"), list("abcc")) == pytest.approx(expected)


# Invariances


def test_scores_do_not_depend_on_names_order_or_chunks(monkeypatch):
    y_true, y_pred = draw_labels(4)
    weight = np.random.RandomState(5).rand(*SHAPE)
    shuffled = np.random.RandomState(6).permutation(len(y_true))
    names = np.array(["shale", "salt", "marl", "sand"])
    variants = {
        "relabel": (names[y_true], names[y_pred], weight),
        "permute": (y_true[shuffled], y_pred[shuffled], weight[shuffled]),
        "list": (list(y_true), list(y_pred), list(weight)),
        "list and array": (list(y_true), y_pred, weight),
        "array and list": (y_true, list(y_pred), list(weight)),
        "transpose": (y_true.T, y_pred.T, weight.T),
        "ravel": (y_true.ravel(), y_pred.ravel(), weight.ravel()),
        "ragged": (ragged(y_true), ragged(y_pred), ragged(weight)),
        "smaller type": (y_true.astype(np.uint8), y_pred.astype(np.int8), weight),
    }
    for score in SCORES:
        expected = score(y_true, y_pred, sample_weight=weight)
        for name, (true, pred, w) in variants.items():
            assert score(true, pred, sample_weight=w) == pytest.approx(expected), name
    expected = facies_confusion_matrix(y_true, y_pred)
    for piece in (1, 80, 10**9):
        monkeypatch.setattr("skfacies.metrics._counting.LABELS_AT_ONCE", piece)
        assert_array_equal(facies_confusion_matrix(y_true, y_pred), expected)
        assert_array_equal(facies_confusion_matrix(y_true.ravel(), y_pred.ravel()), expected)


@FEW
@given(arrays(np.int16, (3, 4, 5), elements=st.integers(-2, 3)), st.integers(1, 4))
def test_a_section_of_weight_n_counts_as_n_copies(y_true, n):
    y_pred = np.roll(y_true, 1, axis=-1)
    y_true[0, 0, 0] = 0  # something labeled
    copies = facies_confusion_matrix(np.repeat(y_true, n, axis=0), np.repeat(y_pred, n, axis=0))
    weighted = facies_confusion_matrix(y_true, y_pred, sample_weight=[n, n, n])
    assert_array_equal(weighted, copies)


@FEW
@given(arrays(np.int8, (4, 6), elements=st.integers(-1, 3)))
def test_perfect_prediction_scores_one(y):
    y[0, 0] = 2
    for score in SCORES:
        assert score(y, y) == 1.0
    assert facies_report(y, y, output_dict=True)["fw_iou"] == 1.0


def test_weights_of_a_list_may_be_one_number_a_section():
    y_true, y_pred = draw_labels(7)
    expected = iou_score(y_true, y_pred, sample_weight=np.array([1, 2, 0, 0.5, 3]))
    got = iou_score(list(y_true), list(y_pred), sample_weight=[1, 2, 0, 0.5, 3])
    assert got == pytest.approx(expected)


def test_memmaps_and_lazy_arrays_are_read_in_pieces(tmp_path, monkeypatch):
    y_true, y_pred = draw_labels(8, (6, 40, 50))
    np.save(tmp_path / "true.npy", y_true.astype(np.uint8))
    mapped = np.load(tmp_path / "true.npy", mmap_mode="r")

    lazy = OnDisk(mapped)
    monkeypatch.setattr("skfacies.metrics._counting.LABELS_AT_ONCE", 2 * 40 * 50)
    assert_array_equal(
        facies_confusion_matrix(mapped, y_pred), facies_confusion_matrix(y_true, y_pred)
    )
    assert iou_score(lazy, y_pred) == iou_score(y_true, y_pred)
    assert contact_error(lazy, y_pred).overall == contact_error(y_true, y_pred).overall
    assert 0 < lazy.largest <= 2 * 40 * 50


# Samples and classes that do not count


@pytest.mark.parametrize("ignore_label", [-1, 255, "none"])
def test_ignored_samples_are_as_if_cut_out(ignore_label):
    values = ["none", "sand", "shale"] if ignore_label == "none" else [ignore_label, 3, 7]
    y_true, y_pred = draw_labels(9, values=values)
    kept = y_true != ignore_label
    y_pred[kept & (y_pred == ignore_label)] = values[1]
    counts = facies_confusion_matrix(y_true, y_pred, ignore_label=ignore_label)
    assert_array_equal(counts, confusion_matrix(y_true[kept], y_pred[kept]))
    got = iou_score(y_true, y_pred, ignore_label=ignore_label)
    assert got == pytest.approx(jaccard_score(y_true[kept], y_pred[kept], average="macro"))


def test_ignore_label_none_counts_every_sample():
    y_true, y_pred = draw_labels(10, values=[-1, 0, 1])
    counts = facies_confusion_matrix(y_true, y_pred, ignore_label=None)
    assert_array_equal(counts, confusion_matrix(y_true.ravel(), y_pred.ravel()))


def test_class_predicted_only_at_ignored_samples_is_no_class():
    y_true, y_pred = [0, 0, 1, -1], [0, 0, 1, 5]
    assert facies_confusion_matrix(y_true, y_pred).shape == (2, 2)
    assert iou_score(y_true, y_pred, zero_division=0.0) == 1.0


@pytest.mark.parametrize("stray", [-1, 9])
def test_prediction_outside_the_classes_is_an_error_of_the_true_class(stray):
    y_true, y_pred = [0, 0, 0, 1], [0, 0, stray, 1]
    labels = [0, 1]
    assert_array_equal(facies_confusion_matrix(y_true, y_pred, labels=labels), [[2, 0], [0, 1]])
    assert_allclose(iou_score(y_true, y_pred, labels=labels, average=None), [2 / 3, 1])
    assert mean_class_accuracy_score(y_true, y_pred, labels=labels) == pytest.approx(5 / 6)
    assert pixel_accuracy_score(y_true, y_pred) == 0.75
    report = facies_report(y_true, y_pred, labels=labels, output_dict=True)
    assert report["pixel_accuracy"] == 0.75
    assert report["0"]["support"] == 3


@pytest.mark.parametrize(("zero_division", "mean"), [(np.nan, 2 / 3), (0.0, 4 / 9), (1.0, 7 / 9)])
def test_class_absent_from_both_takes_zero_division(zero_division, mean):
    y_true, y_pred = [0, 0, 1, 1, 1], [0, 0, 1, 0, 1]
    scored = partial(iou_score, y_true, y_pred, labels=[0, 1, 2], zero_division=zero_division)
    assert_allclose(scored(average=None), [2 / 3, 2 / 3, zero_division])
    assert scored() == pytest.approx(mean)
    assert scored(average="weighted") == pytest.approx(2 / 3)


def test_zero_division_one_is_the_recipe_with_eps():
    y_true, y_pred = draw_labels(11)
    eps = 1e-9
    expected = [
        (np.sum((y_true == k) & (y_pred == k)) + eps)
        / (np.sum((y_true == k) | (y_pred == k)) + eps)
        for k in range(6)
    ]
    got = iou_score(y_true, y_pred, labels=range(6), average=None, zero_division=1.0)
    assert_allclose(got, expected, rtol=1e-6)


def test_no_class_to_score_gives_nan():
    y_true, y_pred = [0, 0, 1], [0, 1, 1]
    assert np.isnan(iou_score(y_true, y_pred, labels=[7, 8]))
    assert np.isnan(iou_score(y_true, y_pred, labels=[7, 8], average="weighted"))
    assert np.isnan(mean_class_accuracy_score(y_true, y_pred, labels=[7, 8]))


def test_giving_up_a_class_does_not_raise_the_score():
    y_true = np.array([0] * 50 + [1] * 40 + [2] * 10)
    poor = y_true.copy()
    poor[91:] = 1
    given_up = np.where(y_true == 2, 1, y_true)
    assert iou_score(y_true, given_up, average=None)[2] == 0
    assert iou_score(y_true, given_up) < iou_score(y_true, poor)


# The report


def test_report_numbers_are_those_of_the_scores():
    y_true, y_pred = draw_labels(12)
    y_true[0] = -1
    names = ["chalk", "salt", "sand", "shale"]
    report = facies_report(y_true, y_pred, target_names=names, output_dict=True)
    assert list(report)[:4] == names
    assert_allclose([report[n]["iou"] for n in names], iou_score(y_true, y_pred, average=None))
    assert report["mean_iou"] == iou_score(y_true, y_pred)
    assert report["fw_iou"] == iou_score(y_true, y_pred, average="weighted")
    assert report["pixel_accuracy"] == pixel_accuracy_score(y_true, y_pred)
    assert report["mean_class_accuracy"] == mean_class_accuracy_score(y_true, y_pred)
    assert report["support"] == sum(report[n]["support"] for n in names) == (y_true >= 0).sum()
    rows = [report.pop(name) for name in names]
    numbers = [number for row in [*rows, report] for number in row.values()]
    assert all(type(number) is float for number in numbers)


def test_report_is_aligned_with_long_names_and_many_samples():
    y_true, y_pred = draw_labels(13)
    names = ["a", "a very long name of a formation", "Rijnland", "x"]
    weight = np.full(len(y_true), 1e9)
    for options in ({}, {"sample_weight": weight}, {"digits": 9}):
        text = facies_report(y_true, y_pred, target_names=names, **options)
        table = text.split("\n\n")[0].splitlines()
        assert len({len(line) for line in table}) == 1
        assert all(line.startswith(name) for line, name in zip(table[1:], names, strict=True))
        assert text.isascii()
        assert not any(line != line.rstrip() for line in text.splitlines())


def test_report_prints_a_dash_for_undefined_and_names_what_is_absent():
    text = facies_report([0, 0, 1, 9], [0, 2, 1, 0], labels=[0, 1, 2, 3])
    row = {line.split()[0]: line.split()[1:] for line in text.split("\n\n")[0].splitlines()}
    assert row["2"] == ["-", "0.000", "0.000", "0"]
    assert row["3"] == ["-", "-", "-", "0"]
    assert "Predicted but absent from the truth: 2\n" in text
    assert text.endswith("labels outside the facies listed.")
    assert "absent" not in facies_report([0, 1], [0, 1], labels=[0, 1, 2])


# Contacts


def slow_contact_error(y_true, y_pred, units, ignore_label=-1):
    """Distances, missed and false of each contact, trace by trace and sample by sample."""
    distances, missed, false = ([[] for _ in units[1:]], [0] * len(units[1:]), [0] * len(units[1:]))
    n_samples = y_true.shape[-1]
    for true, pred in zip(
        y_true.reshape(-1, n_samples).tolist(), y_pred.reshape(-1, n_samples).tolist(), strict=True
    ):
        rank = [units.index(u) if u in units and u != ignore_label else None for u in true]
        guess = [
            units.index(u) if u in units and r is not None else None
            for u, r in zip(pred, rank, strict=True)
        ]

        def find(ranks, k):
            for i, r in enumerate(ranks):
                if r is not None and r >= k:
                    above = [q for q in ranks[:i] if q is not None]
                    return i if above else None
            return None

        for k in range(1, len(units)):
            i, j = find(rank, k), find(guess, k)
            if i is not None and rank[i - 1] is not None:
                if j is None:
                    missed[k - 1] += 1
                else:
                    distances[k - 1].append(abs(i - j))
            false[k - 1] += i is None and j is not None
    return distances, missed, false


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("units", [[0, 1, 2, 3], [3, 1, 0], [0, 2, 3]])
def test_contact_error_equals_loops_over_traces(seed, units):
    y_true, y_pred = draw_layers(seed), draw_layers(seed + 100)
    if units[0]:
        y_true = 3 - y_true
    rng = np.random.RandomState(seed)
    y_true[rng.rand(*y_true.shape) < 0.1] = -1
    y_pred = np.where(rng.rand(*y_pred.shape) < 0.1, draw_labels(seed, y_pred.shape)[0], y_pred)
    y_true[0, 0] = -1
    distances, missed, false = slow_contact_error(y_true, y_pred, units)
    errors = contact_error(y_true, y_pred, labels=units)
    assert errors.contacts == list(zip(units[:-1], units[1:], strict=True))
    assert errors.count.tolist() == [len(d) for d in distances]
    assert errors.missed.tolist() == missed
    assert errors.false.tolist() == false
    pooled = [d for contact in distances for d in contact]
    for name, summary in (
        ("mean", np.mean),
        ("median", np.median),
        ("p95", partial(np.percentile, q=95)),
    ):
        assert_allclose(errors[name], [summary(d) if d else np.nan for d in distances])
        assert_allclose(errors.overall[name], summary(pooled))
    assert errors.overall.count == len(pooled)
    assert (errors.overall.missed, errors.overall.false) == (sum(missed), sum(false))


@FEW
@given(st.integers(0, 10**6), st.integers(0, 6))
def test_shift_by_k_samples_is_an_error_of_k(seed, k):
    rng = np.random.RandomState(seed)
    tops = np.sort(rng.randint(1, 10, (5, 3)), axis=-1)
    y_true = (tops[:, np.newaxis] <= np.arange(30)[:, np.newaxis]).sum(axis=-1)
    y_pred = (tops[:, np.newaxis] + k <= np.arange(30)[:, np.newaxis]).sum(axis=-1)
    errors = contact_error(y_true, y_pred, labels=range(4))
    assert_array_equal(errors.mean, [k] * 3)
    assert_array_equal(errors.p95, [k] * 3)
    assert errors.overall.count == 15


def test_contact_error_does_not_depend_on_names_order_or_structure(monkeypatch):
    y_true, y_pred = draw_layers(1), draw_layers(2)
    expected = contact_error(y_true, y_pred)
    names = np.array(["upper", "middle", "lower", "basement"])  # not in alphabetical order
    shuffled = np.random.RandomState(0).permutation(len(y_true))
    for true, pred, labels in (
        (names[y_true], names[y_pred], names),
        (names.astype(object)[y_true], names.astype(object)[y_pred], list(names)),
        (y_true[shuffled], y_pred[shuffled], None),
        (ragged(y_true), ragged(y_pred), None),
        (y_true.astype(np.uint8), y_pred.astype(np.int8), None),
    ):
        got = contact_error(true, pred, labels=labels)
        assert got.overall == expected.overall
        assert_array_equal(got.mean, expected.mean)
    monkeypatch.setattr("skfacies.metrics._counting.LABELS_AT_ONCE", 1)
    assert contact_error(y_true, y_pred).overall == expected.overall


def test_sections_of_different_depth_may_be_in_one_list():
    deep, shallow = draw_layers(3, (6, 40)), draw_layers(4, (6, 15))
    errors = contact_error([deep, shallow], [deep, shallow])
    assert errors.overall.mean == 0
    assert errors.overall.missed == errors.overall.false == 0


def test_contact_without_traces_is_nan():
    errors = contact_error([[0, 0, 1]], [[0, 1, 1]], labels=[0, 1, 2])
    assert_array_equal(errors.mean, [1, np.nan])
    assert_array_equal(errors.p95, [1, np.nan])
    assert_array_equal(errors.count, [1, 0])
    assert np.isnan(contact_error([[0, 0]], [[0, 0]], labels=[0, 1]).overall.median)


def test_contact_under_unlabeled_samples_has_no_known_position():
    y_pred = [[0, 0, 1, 1, 1, 1]]
    assert contact_error([[0, -1, -1, 1, 1, 1]], y_pred).count == 0
    assert contact_error([[-1, 0, 0, 1, 1, -1]], y_pred).mean == 1


def test_predictions_at_unlabeled_samples_are_not_looked_at():
    y_true = [[-1, -1, 0, 0, 0, 1, 1]]
    assert contact_error(y_true, [[1, 0, 0, 0, 1, 1, 1]]).mean == 1
    assert contact_error(y_true, [[0, 1, 1, 1, 1, 1, 1]]).missed == 1


def test_pinched_out_unit_puts_two_contacts_in_one_place():
    errors = contact_error([[0, 0, 2, 2, 2]], [[0, 0, 0, 1, 2]], labels=[0, 1, 2])
    assert_array_equal(errors.mean, [1, 2])


def test_missed_and_false_contacts_are_counted():
    errors = contact_error([[0, 0, 1], [0, 0, 0]], [[0, 0, 0], [0, 1, 1]])
    assert (errors.missed, errors.false, errors.count) == (1, 1, 0)


# Scorers


class Threshold(ClassifierMixin, BaseEstimator):
    """Section estimator: unit 1 where the amplitude exceeds `level`."""

    def __init__(self, level=0.0, ignore_label=-1):
        self.level = level
        self.ignore_label = ignore_label

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.array([0, 1])
        self.weights_seen_ = sample_weight
        return self

    def predict(self, X):
        return np.array([np.asarray(section) > self.level for section in X]).astype(np.uint8)


class Scale(TransformerMixin, BaseEstimator):
    def __init__(self, ignore_label=0):  # another step's ignore_label must not win
        self.ignore_label = ignore_label

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X * 1.0


class Wrapper(ClassifierMixin, BaseEstimator):
    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y, sample_weight=None):
        self.estimator_ = clone(self.estimator).fit(X, y)
        return self

    def predict(self, X):
        return self.estimator_.predict(X)


@pytest.fixture
def survey():
    """Amplitudes, labels with samples to ignore (255), and weights of samples."""
    rng = np.random.RandomState(0)
    X = rng.randn(8, 6, 10).astype(np.float32)
    y = (X + 0.5 * rng.randn(*X.shape) > 0).astype(np.uint8)
    y[:, :, :3] = 255
    return X, y, rng.rand(*X.shape)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize(
    "make",
    [
        lambda: Threshold(ignore_label=255),
        lambda: make_pipeline(Scale(), Threshold(ignore_label=255)),
        lambda: Wrapper(Threshold(ignore_label=255)),
        lambda: make_pipeline(Scale(), Wrapper(Threshold(ignore_label=255))),
        lambda: GridSearchCV(
            Threshold(ignore_label=255), {"level": [0.0]}, cv=2, scoring=iou_scorer
        ),
    ],
    ids=["estimator", "pipeline", "wrapper", "pipeline of wrapper", "search"],
)
def test_scorer_takes_ignore_label_from_the_estimator(make, scorer, survey):
    X, y, _ = survey
    score = getattr(sys.modules["skfacies.metrics"], repr(scorer)[:-1])
    estimator = make().fit(X, y)
    expected = score(y, X > 0, ignore_label=255)
    assert scorer(estimator, X, y) == pytest.approx(expected)
    assert expected != pytest.approx(score(y, X > 0))


def test_scorer_of_an_estimator_without_ignore_label_ignores_minus_one(survey):
    X, y, _ = survey
    y = np.where(y == 255, -1, y.astype(int))

    class Plain:
        predict = staticmethod(lambda X: X > 0)

    assert iou_scorer(Plain(), X, y) == iou_score(y, X > 0, ignore_label=-1)
    assert_allclose(
        iou_scorer(Threshold(ignore_label=None).fit(X, y), X, y),
        iou_score(y, X > 0, ignore_label=None),
    )


def test_scorers_work_in_cross_validation_with_several_metrics(survey):
    X, y, _ = survey
    scoring = {"miou": iou_scorer, "pa": pixel_accuracy_scorer, "mca": mean_class_accuracy_scorer}
    results = cross_validate(Threshold(ignore_label=255), X, y, cv=4, scoring=scoring)
    plain = make_scorer(iou_score, ignore_label=255)
    expected = cross_val_score(Threshold(), X, y, cv=4, scoring=plain)
    assert_allclose(results["test_miou"], expected)
    assert not np.isnan(results["test_pa"] + results["test_mca"]).any()


@pytest.mark.slow
def test_grid_search_finds_the_same_in_two_processes(survey):
    X, y, weight = survey
    scoring = {"miou": iou_scorer, "pa": pixel_accuracy_scorer}
    grid = {"level": [-1.0, 0.0, 1.0]}
    results = [
        GridSearchCV(
            Threshold(ignore_label=255), grid, scoring=scoring, refit="miou", cv=2, n_jobs=n
        )
        .fit(X, y, sample_weight=weight)
        .cv_results_["mean_test_miou"]
        for n in (None, 2)
    ]
    assert_array_equal(*results)
    assert np.argmax(results[0]) == 1


@pytest.mark.parametrize("several", [False, True])
def test_weights_reach_the_scorer_without_routing(several, survey):
    X, y, weight = survey
    first, second = slice(0, 4), slice(4, 8)
    scoring = {"miou": iou_scorer, "pa": pixel_accuracy_scorer} if several else iou_scorer
    search = GridSearchCV(
        Threshold(ignore_label=255),
        {"level": [0.0]},
        scoring=scoring,
        cv=2,
        refit="miou" if several else True,
    )
    search.fit(X, y, sample_weight=weight)
    expected = [
        iou_score(y[part], X[part] > 0, ignore_label=255, sample_weight=weight[part])
        for part in (first, second)
    ]
    name = "miou" if several else "score"
    got = [search.cv_results_[f"split{i}_test_{name}"][0] for i in range(2)]
    assert_allclose(got, expected)
    assert search.best_estimator_.weights_seen_ is not None


@pytest.mark.parametrize("one_a_section", [False, True])
def test_weights_are_routed_when_requested(one_a_section, survey, routing):
    X, y, weight = survey
    weight = weight[:, 0, 0] if one_a_section else weight
    scorer = clone(iou_scorer, safe=False).set_score_request(sample_weight=True)
    estimator = Threshold(ignore_label=255).set_fit_request(sample_weight=True)
    for scoring, name in ((scorer, "score"), ({"a": scorer}, "a")):
        got = cross_validate(
            make_pipeline(Scale(), estimator),
            X,
            y,
            cv=2,
            scoring=scoring,
            params={"sample_weight": weight},
        )[f"test_{name}"]
        expected = [
            iou_score(y[part], X[part] > 0, ignore_label=255, sample_weight=weight[part])
            for part in (slice(0, 4), slice(4, 8))
        ]
        assert_allclose(got, expected)
    search = GridSearchCV(estimator, {"level": [0.0]}, scoring=scorer, cv=2)
    assert search.fit(X, y, sample_weight=weight).best_score_ == pytest.approx(np.mean(expected))


def test_weights_that_were_not_requested_are_refused(survey, routing):
    X, y, weight = survey
    estimator = Threshold(ignore_label=255).set_fit_request(sample_weight=True)
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        cross_validate(estimator, X, y, cv=2, scoring=iou_scorer, params={"sample_weight": weight})
    scorer = clone(iou_scorer, safe=False).set_score_request(sample_weight=False)
    got = cross_val_score(estimator, X, y, cv=2, scoring=scorer, params={"sample_weight": weight})
    assert_allclose(got, cross_val_score(estimator, X, y, cv=2, scoring=iou_scorer))


def test_requests_need_metadata_routing():
    with pytest.raises(RuntimeError, match="metadata routing is enabled"):
        iou_scorer.set_score_request(sample_weight=True)


@pytest.mark.parametrize("scorer", SCORERS)
def test_scorers_survive_pickling_and_cloning(scorer, survey):
    X, y, _ = survey
    estimator = Threshold(ignore_label=255).fit(X, y)
    for copy in (pickle.loads(pickle.dumps(scorer)), clone(scorer, safe=False)):
        assert copy(estimator, X, y) == scorer(estimator, X, y)
        assert repr(copy) == repr(scorer)
    assert repr(iou_scorer) == "iou_scorer"


# Bad input


@pytest.mark.parametrize("score", [*SCORES, facies_confusion_matrix, facies_report, contact_error])
@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), r"`y_pred` .* `y_true`, \(2, 3\); got \(3, 2\)"),
        (np.zeros((2, 3)), np.eye(6)[np.zeros((2, 3), int)], r"got \(2, 3, 6\).*argmax\(2\)"),
        ([np.zeros((2, 3))], [np.zeros((2, 4))], r"`y_pred\[0\]` .* `y_true\[0\]`"),
        ([np.zeros((2, 3))] * 2, [np.zeros((2, 3))], "`y_true` has 2, `y_pred` has 1"),
        (np.zeros((0, 3)), np.zeros((0, 3)), r"`y_true` .* none of them empty; got shape \(0, 3\)"),
        ([], [], r"`y_true` .* got shape \(0,\)"),
        (3, 3, r"`y_true` .* got shape \(\)"),
        ([[0, 1], [0]], [[0, 1], [0]], "`y_true` is not a regular array"),
        ([["a", "b"]], [[0, 1]], "`y_true`, `y_pred` and `labels` must all be strings or all"),
        ([[0.5, 1]], [[0, 1]], "`y_true` is continuous"),
        ([[0, 1]], [[np.nan, 1]], "`y_pred` contains NaN"),
        ([[1j, 1]], [[0, 1]], "`y_true` must hold integers or strings"),
        ([[-1, -1]], [[0, 1]], "`y_true` has no labeled sample: .* ignore_label=-1"),
    ],
)
def test_labels_that_cannot_be_compared_are_refused(score, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        score(y_true, y_pred)


def test_strings_in_some_sections_only_are_refused():
    y = [np.array([["a", "b"]]), np.array([[0, 1]])]
    with pytest.raises(ValueError, match="Mix of label input types"):
        iou_score(y, y)
    with pytest.raises(ValueError, match="Mix of label input types"):
        iou_score(y, y, labels=["a", "b"])


@pytest.mark.parametrize(
    "score",
    [iou_score, mean_class_accuracy_score, facies_confusion_matrix, facies_report, contact_error],
)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 0], r"`labels` must be a list of distinct labels .* got \[0, 1, 0\]"),
        ([], r"`labels` must be a list of distinct labels .* got \[\]"),
        ([[0, 1]], r"`labels` must be a list of distinct labels .* got \[\[0, 1\]\]"),
        ([-1, 0], r"without ignore_label=-1; got \[-1, 0\]"),
        (["0", "1"], "must all be strings or all be integers; got int64, int64, <U1"),
    ],
)
def test_bad_class_sets_are_refused(score, labels, message):
    with pytest.raises(ValueError, match=message):
        score([[0, 1]], [[0, 1]], labels=labels)


@pytest.mark.parametrize("score", [iou_score, mean_class_accuracy_score, facies_report])
@pytest.mark.parametrize("zero_division", ["warn", -0.1, 2, None])
def test_zero_division_outside_zero_to_one_is_refused(score, zero_division):
    with pytest.raises(ValueError, match=r"`zero_division` must be nan or 0.0 to 1.0; got"):
        score([0, 1], [0, 1], zero_division=zero_division)


@pytest.mark.parametrize("score", [*SCORES, contact_error])
def test_several_ignore_labels_are_refused(score):
    with pytest.raises(
        TypeError, match=r"`ignore_label` must be one label or None; got \[0, 255\]"
    ):
        score([[0, 1]], [[0, 1]], ignore_label=[0, 255])


def test_unknown_average_is_refused():
    with pytest.raises(ValueError, match=r"`average` must be 'macro', 'weighted' or None; got 'mi"):
        iou_score([0, 1], [0, 1], average="micro")


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], ["a", "a"]])
def test_names_that_do_not_fit_the_classes_are_refused(names):
    with pytest.raises(ValueError, match=r"`target_names` must be 2 different names .* \[0, 1\]"):
        facies_report([0, 1], [0, 1], target_names=names)


@pytest.mark.parametrize("score", [*SCORES, facies_confusion_matrix, facies_report])
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (
            np.ones(3),
            r"`sample_weight` must have shape \(2,\), one weight per section, .* got \(3,\)",
        ),
        (
            np.ones((2, 4)),
            r"`sample_weight` must have the shape of `y_true`, \(2, 3\); got \(2, 4\)",
        ),
        ([1.0, -1.0], "`sample_weight` must hold finite numbers >= 0"),
        ([1.0, np.nan], "`sample_weight` must hold finite numbers >= 0"),
        ([1.0, np.inf], "`sample_weight` must hold finite numbers >= 0"),
        (np.array(["a", "b"]), "`sample_weight` must hold finite numbers >= 0"),
        ([0.0, 0.0], "`y_true` has no labeled sample: .* or have zero weight"),
    ],
)
def test_bad_weights_are_refused(score, weight, message):
    y = np.array([[0, 1, 1], [0, 0, 1]])
    with pytest.raises(ValueError, match=message):
        score(y, y, sample_weight=weight)


def test_contacts_need_two_units_and_traces():
    with pytest.raises(ValueError, match=r"`labels` must have two or more units .* got \[0\]"):
        contact_error([[0, 0]], [[0, 0]])
    with pytest.raises(ValueError, match=r"at least 2 axes, .* for one trace, use y_true\[None\]"):
        contact_error([0, 0, 1], [0, 0, 1])
    with pytest.raises(ValueError, match="no labeled sample"):
        contact_error([[-1, -1]], [[0, 1]], labels=[0, 1])


def test_import_needs_no_torch():
    code = "import sys, skfacies.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
