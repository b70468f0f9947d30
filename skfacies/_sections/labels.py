"""Labels of samples: valid values, classes, and positions in the classes."""

import warnings
from numbers import Integral

import numpy as np

from skfacies._sections.undefined import undefined_amplitudes, undefined_values
from skfacies._sections.validation import (
    as_array,
    check_one_kind,
    check_same_structure,
    holds_strings,
    is_listlike,
    n_sections,
    own_amplitudes,
)

__all__ = [
    "check_classes",
    "check_labels",
    "class_labels",
    "encode_labels",
    "ignore_missing",
    "is_ignored",
    "label_codes",
    "prediction_dtype",
    "union_labels",
]

#: Labels are 32-bit integers, except the lowest, which results from casting NaN.
LARGEST_LABEL = np.iinfo(np.int32).max


def is_ignored(labels, ignore_label):
    """Mask of the labels that equal `ignore_label`; all False where the types cannot match."""
    labels = np.asarray(labels)
    if ignore_label is None:
        return np.zeros(labels.shape, dtype=bool)
    if isinstance(ignore_label, str) != (labels.dtype.kind in "US"):
        if labels.dtype.kind != "O":
            return np.zeros(labels.shape, dtype=bool)
        return np.array([item == ignore_label for item in labels.ravel()], bool).reshape(
            labels.shape
        )
    return np.asarray(labels == ignore_label)


def class_labels(labels, ignore_label=None, name="y"):
    """Sorted distinct labels of one section or array, without `ignore_label`.

    Raises
    ------
    ValueError
        If labels are neither integers, booleans, strings, nor floats that are whole numbers; or if
        a label other than `ignore_label` is undefined, such as NaN, 1e30 or -9999, or does not fit
        a 32-bit integer.
    """
    labels = np.asarray(labels)
    kind = labels.dtype.kind
    if kind == "O":
        _check_strings(labels, name)
    elif kind not in "bifuUS":
        raise ValueError(f"`{name}` must hold integers or strings as labels; got {labels.dtype}.")
    if kind in "iu" and labels.size and labels.dtype.itemsize <= 2:
        lowest = int(labels.min())  # for a few small integers, counting is much faster than sorting
        counts = np.bincount((labels.astype(np.int32) - lowest).ravel())
        distinct = (np.flatnonzero(counts) + lowest).astype(labels.dtype)
    else:
        distinct = np.unique(labels)
    distinct = distinct[~is_ignored(distinct, ignore_label)]
    if kind in "iuf" or (kind == "O" and not holds_strings(labels)):
        _check_numbers(distinct, labels, ignore_label, name)
    return distinct


def _check_numbers(distinct, labels, ignore_label, name):
    """Check that numbers are valid labels; `distinct` are those other than `ignore_label`."""
    numbers = distinct.astype(np.float64)
    mark = -1 if ignore_label is None else ignore_label
    remedy = "Mark samples without interpretation with `ignore_label`"
    if not np.isfinite(numbers).all():
        n_bad = np.count_nonzero(~np.isfinite(labels))
        raise ValueError(
            f"Input `{name}` contains NaN or infinity, in {n_bad} of {labels.size} samples. "
            f"{remedy} and give integers: np.where(np.isfinite({name}), {name}, {mark!r})."
        )
    undefined = undefined_values(numbers)
    if undefined.any():
        value = distinct[undefined][0]  # a NumPy scalar, whose str is shorter than a float's
        n_bad = np.count_nonzero(labels == value)
        raise ValueError(
            f"`{name}` has the label {value} in {n_bad} of {labels.size} samples, a value that "
            f"marks undefined samples in files of interpretation systems. {remedy}: "
            f"np.where({name} == {value}, {mark!r}, {name}), or set ignore_label={value}."
        )
    if np.any(numbers != np.floor(numbers)):
        raise ValueError(
            f"Unknown label type: `{name}` is continuous, but facies are classes. Give integers "
            "or strings."
        )
    outside = np.abs(numbers) > LARGEST_LABEL
    if outside.any():
        value = distinct[outside][0]
        raise ValueError(
            f"`{name}` has the label {value}, which is outside the range of 32-bit integers: it "
            f"holds amplitudes, or undefined samples that were cast to integers. {remedy}."
        )


def _check_strings(labels, name):
    kinds = {type(item) for item in labels.ravel()}
    if not all(issubclass(kind, str) for kind in kinds) and not all(
        issubclass(kind, (Integral, np.integer, np.bool_)) for kind in kinds
    ):
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        missing = kinds <= {str, float, type(None)} and str in kinds
        advice = " Mark samples without interpretation with `ignore_label`, such as 'unknown'."
        raise ValueError(
            f"Unknown label type: `{name}` is an object array of {names}. Labels must all be "
            f"strings or all be integers.{advice if missing else ''}"
        )


def union_labels(sets):
    """Sorted union of label sets, in their common dtype."""
    sets = [np.asarray(labels) for labels in sets]
    filled = [labels for labels in sets if labels.size] or sets[:1]
    check_one_kind(filled)
    return np.unique(np.concatenate(filled))


def check_labels(y, X, *, ignore_label=-1, classes=None, name="y", like="X"):
    """Check labels against their amplitudes and find the classes.

    Parameters
    ----------
    y : array-like or list, in the shape of `X`
        Integers or strings.
    X : array or list of arrays
        Amplitudes as returned by `check_sections`.
    ignore_label : int, str or None, default=-1
        Label of samples without interpretation.
    classes : array of shape (n_classes,), optional
        The allowed classes; other labels are an error. By default, those that occur.
    name, like : str
        Names of `y` and `X` in error messages.

    Returns
    -------
    y : array or list of arrays
    classes : ndarray of shape (n_classes,), sorted
    """
    if y is None:
        raise ValueError(
            f"This estimator requires {name} to be passed, but the target {name} is None."
        )
    y = check_same_structure(y, X, name, like, channels=True)
    found = union_labels(class_labels(y[i], ignore_label, name) for i in range(n_sections(y)))
    if not len(found):
        raise ValueError(
            f"`{name}` has no labeled sample: all labels equal ignore_label={ignore_label!r}."
        )
    if isinstance(ignore_label, Integral) and str(ignore_label) in found.tolist():
        warnings.warn(
            f"`{name}` has the class {str(ignore_label)!r}, a string, but ignore_label="
            f"{ignore_label!r} is a number. To leave these samples out, set ignore_label="
            f"{str(ignore_label)!r}.",
            UserWarning,
            stacklevel=3,
        )
    if classes is None:
        return y, found
    classes = np.asarray(classes)
    unknown = sorted(set(found.tolist()) - set(classes.tolist()))
    if unknown:
        raise ValueError(
            f"`{name}` contains labels that are not in the classes {classes.tolist()}: {unknown}. "
            "Give all classes in the first call, or mark such samples with ignore_label."
        )
    return y, classes


def check_classes(classes, y, ignore_label=-1):
    """Check the classes that are given before all labels have been seen.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
        `ignore_label` may be among them, as in ``np.unique(y)``, and is removed.
    y : labels seen so far
        The classes are converted to their data type if it can hold them.
    ignore_label : int, str or None, default=-1

    Returns
    -------
    classes : ndarray of shape (n_classes,), sorted
    """
    classes = np.asarray(classes)
    if classes.ndim != 1:
        raise ValueError(
            f"`classes` must be a 1-D array of labels; got a {classes.ndim}-D array of shape "
            f"{classes.shape}."
        )
    classes = class_labels(classes, ignore_label, "classes")
    if not len(classes):
        raise ValueError(f"`classes` has no label other than ignore_label={ignore_label!r}.")
    y = y if is_listlike(y) else [y]
    types = [as_array(part, "y").dtype for part in y]
    if types and all(dtype.kind in "biu" for dtype in types) and classes.dtype.kind in "biuf":
        own = classes.astype(np.result_type(*types))
        if np.array_equal(own, classes):
            return own
    return classes


def prediction_dtype(classes, ignore_label, nan_policy):
    """Type of predicted labels: that of the classes, unless it cannot hold `ignore_label`."""
    if nan_policy != "ignore":
        return classes.dtype
    strings = holds_strings(classes)
    if isinstance(ignore_label, str) != strings:
        raise ValueError(
            f"nan_policy='ignore' predicts ignore_label={ignore_label!r}, but the labels have type "
            f"{classes.dtype}: give an `ignore_label` of the labels' type, such as "
            f"{'unknown' if strings else -1!r}."
        )
    if strings:
        return np.result_type(classes.dtype, np.array(ignore_label).dtype)
    if classes.dtype.kind in "iu":
        info = np.iinfo(classes.dtype)
        if info.min <= ignore_label <= info.max:
            return classes.dtype
    return np.result_type(classes.dtype, np.min_scalar_type(ignore_label))


#: Largest range of integer labels that are looked up in a table.
LARGEST_TABLE = 1 << 16


def label_codes(labels, classes):
    """Position of each label in the sorted `classes`; ``len(classes)`` for any other label."""
    labels, classes = np.asarray(labels), np.asarray(classes)
    n_classes = len(classes)
    if n_classes and _are_int64(labels) and _are_int64(classes):
        before, last = int(classes[0]) - 1, int(classes[-1])
        if last - before <= LARGEST_TABLE and before >= np.iinfo(np.int64).min:
            # A look-up takes a tenth of the time of a search. Both ends stand for other labels.
            table = np.full(last - before + 2, n_classes, dtype=np.int64)
            table[classes.astype(np.int64) - before] = np.arange(n_classes)
            return table.take(np.subtract(labels, before, dtype=np.int64), mode="clip")
    if holds_strings(labels) != holds_strings(classes):
        return np.full(labels.shape, n_classes, dtype=np.int64)
    codes = np.searchsorted(classes, labels).astype(np.int64, copy=False)
    found = classes[np.minimum(codes, n_classes - 1)] == labels
    return np.where(found, codes, n_classes)


def _are_int64(values):
    return values.dtype.kind in "iub" and values.dtype != np.uint64


def encode_labels(labels, classes, *, ignore_label=-1, ignored_code=-100):
    """Codes 0 … n_classes - 1 of the labels; `ignored_code` where they equal `ignore_label`."""
    codes = label_codes(labels, classes)
    ignored = is_ignored(labels, ignore_label)
    unknown = (codes == len(classes)) & ~ignored
    if unknown.any():
        raise ValueError(
            f"labels {np.unique(np.asarray(labels)[unknown]).tolist()} are not in the classes "
            f"{np.asarray(classes).tolist()}"
        )
    codes[ignored] = ignored_code
    return codes


def ignore_missing(X, y, ignore_label):
    """Labels with `ignore_label` where amplitudes are undefined; unchanged if none are."""
    if ignore_label is None:
        return y
    changed = {}
    for i in range(n_sections(X)):
        section = own_amplitudes(np.asarray(X[i]))
        missing = undefined_amplitudes(section)
        if missing is not None:
            labels = np.asarray(y[i])
            if holds_strings(labels) != isinstance(ignore_label, str):
                raise ValueError(
                    f"Labels of type {labels.dtype} cannot be set to "
                    f"ignore_label={ignore_label!r} where amplitudes are undefined. Choose an "
                    "ignore_label of their type."
                )
            changed[i] = np.where(missing, _smallest(ignore_label), labels)
    if not changed:
        return y
    return [changed.get(i, np.asarray(y[i])) for i in range(n_sections(X))]


def _smallest(label):
    """An array of one label, in the type that widens other labels the least."""
    return np.asarray(label, dtype=None if isinstance(label, str) else np.min_scalar_type(label))
