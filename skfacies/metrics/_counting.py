"""Confusion matrices and scores of labels that may be larger than memory, counted in pieces."""

from numbers import Real

import numpy as np
from sklearn.utils import Bunch

from skfacies._cubes.holders import rows_at_once, unwrap
from skfacies._cubes.pairing import align_known
from skfacies._sections.labels import class_labels, is_ignored, label_codes, union_labels
from skfacies._sections.validation import as_array, check_same_structure, is_listlike

__all__ = []

LABELS_AT_ONCE = (
    2**18
)  # samples counted at once: their int64 codes (2 MB) stay in the processor's cache


def count_labels(y_true, y_pred, labels, ignore_label, sample_weight):
    """Confusion matrix, with a last row and column for all other labels, and the labels."""
    sample_weight = unwrap(align_known(sample_weight, y_pred, "sample_weight", "y_pred", 0))[0]
    y_true, y_pred = check_pair(y_true, y_pred, ignore_label)
    weights = _check_weights(sample_weight, y_true)
    labels = check_labels(labels, y_true, y_pred, ignore_label)
    known = labels
    if ignore_label is not None and isinstance(ignore_label, str) == (labels.dtype.kind == "U"):
        known = np.append(labels, ignore_label)  # a separate row is cheaper than masking
    known = np.unique(known)
    n_codes = len(known) + 1
    counts = np.zeros(n_codes**2, dtype=np.int64 if weights is None else np.float64)
    for true, pred, weight in matching_pieces(y_true, y_pred, weights, labels):
        cells = label_codes(true, known) * n_codes
        cells += label_codes(pred, known)
        counts += np.bincount(cells.ravel(), weight, minlength=n_codes**2)
    listed = np.searchsorted(known, labels)
    others = np.setdiff1d(np.arange(n_codes), listed)  # with ignore_label: it has no true samples
    counts = counts.reshape(n_codes, n_codes)[np.append(listed, n_codes - 1)]
    check_labeled(counts.any(), ignore_label)
    return np.column_stack([counts[:, listed], counts[:, others].sum(axis=1)]), labels


#: What a report has beside its classes, which therefore cannot have these names.
OVERALL = ("pixel_accuracy", "mean_class_accuracy", "fw_iou", "mean_iou", "support")


def score_labels(y_true, y_pred, labels, ignore_label, sample_weight, zero_division=np.nan):
    """All scores of the listed classes, and the counts behind them."""
    if not isinstance(zero_division, Real) or zero_division < 0 or zero_division > 1:
        raise ValueError(f"`zero_division` must be nan or 0.0 to 1.0; got {zero_division!r}.")
    counts, labels = count_labels(y_true, y_pred, labels, ignore_label, sample_weight)
    hits = np.diag(counts)[:-1]
    support, predicted = counts.sum(axis=1)[:-1], counts.sum(axis=0)[:-1]

    def ratio(whole):
        return np.divide(hits, whole, out=np.full(len(hits), float(zero_division)), where=whole > 0)

    def mean(values, weights):
        weights = np.where(np.isnan(values), 0, weights)
        return float(np.nansum(values * weights) / weights.sum()) if weights.any() else np.nan

    recall, iou = ratio(support), ratio(support + predicted - hits)
    overall = {
        "pixel_accuracy": float(hits.sum() / support.sum()) if support.any() else np.nan,
        "mean_class_accuracy": mean(recall, 1),
        "fw_iou": mean(iou, support),
        "mean_iou": mean(iou, 1),
    }
    per_class = {"recall": recall, "precision": ratio(predicted), "iou": iou, "support": support}
    return Bunch(labels=labels, counts=counts, per_class=per_class, overall=overall)


def check_pair(y_true, y_pred, ignore_label, min_ndim=1):
    y_true = align_known(y_true, y_pred, "y_true", "y_pred", ignore_label)
    y_true, y_pred = unwrap(y_true)[0], unwrap(y_pred)[0]
    y_true, y_pred = _as_labels(y_true, "y_true", min_ndim), _as_labels(y_pred, "y_pred", min_ndim)
    return y_true, check_same_structure(y_pred, y_true, "y_pred", "y_true")


def _as_labels(labels, name, min_ndim):
    """Return one array, or a list of arrays for a list that holds arrays."""
    if is_listlike(labels) and any(getattr(item, "shape", ()) for item in labels):
        return [_as_labels(item, f"{name}[{i}]", min_ndim) for i, item in enumerate(labels)]
    # pandas slices by index, not by position
    labels = labels.to_numpy() if hasattr(labels, "iloc") else as_array(labels, name)
    if len(labels.shape) < min_ndim or 0 in labels.shape:
        raise ValueError(
            f"`{name}` must have at least {min_ndim} axes, none of them empty; got shape "
            f"{tuple(labels.shape)}. Samples are the last axis; for one trace, use {name}[None]."
        )
    return labels


def _check_weights(sample_weight, y_true):
    """Return weights as an array of shape (n_sections,), or in the structure of `y_true`."""
    if sample_weight is None:
        return None
    if not is_listlike(sample_weight) or all(isinstance(item, Real) for item in sample_weight):
        sample_weight = as_array(sample_weight, "sample_weight")
        n_sections = len(y_true) if is_listlike(y_true) else y_true.shape[0]
        if len(sample_weight.shape) == 1 and sample_weight.shape[0] == n_sections:
            return np.asarray(sample_weight)
        if len(sample_weight.shape) == 1:
            raise ValueError(
                f"`sample_weight` must have shape ({n_sections},), one weight per section, or the "
                f"shape of `y_true`; got {sample_weight.shape}."
            )
    return check_same_structure(sample_weight, y_true, "sample_weight", "y_true")


def check_labels(labels, y_true, y_pred, ignore_label):
    """Return the classes: `labels` as given, or those found outside ignored samples."""
    if ignore_label is not None and not isinstance(ignore_label, (str, Real)):
        raise TypeError(f"`ignore_label` must be one label or None; got {ignore_label!r}.")
    if labels is None:
        found = []
        for true, pred, _ in matching_pieces(y_true, y_pred):
            counted = ~is_ignored(true, ignore_label)
            found += [class_labels(part[counted], ignore_label) for part in (true, pred)]
        found = union_labels(found)
        check_labeled(len(found), ignore_label)
        return found
    labels = _read(labels, "labels")
    distinct = class_labels(labels, ignore_label, "labels")
    if labels.ndim != 1 or not len(distinct) or len(distinct) < labels.size:
        raise ValueError(
            f"`labels` must be a list of distinct labels without ignore_label={ignore_label!r}; "
            f"got {labels.tolist()}. Use None for all labels that occur."
        )
    return labels


def check_labeled(found, ignore_label):
    if not found:
        raise ValueError(
            f"`y_true` has no labeled sample: all labels equal ignore_label={ignore_label!r} or "
            "have zero weight. Give sections with an interpretation."
        )


def matching_pieces(y_true, y_pred, weights=None, labels=None):
    """Yield matching pieces of truth, prediction and raveled weights along the first axis."""
    if is_listlike(y_true):
        for i in range(len(y_true)):
            weight = None if weights is None else weights[i]
            yield from matching_pieces(y_true[i], y_pred[i], weight, labels)
        return
    for rows in rows_at_once(y_true, y_pred, values=LABELS_AT_ONCE):
        true, pred = _read(y_true[rows], "y_true"), _read(y_pred[rows], "y_pred")
        types = [part.dtype for part in (true, pred, labels) if part is not None]
        if len({dtype.kind == "U" for dtype in types}) > 1:
            raise ValueError(
                "Mix of label input types: `y_true`, `y_pred` and `labels` must all be strings or "
                f"all be integers; got {', '.join(map(str, types))}."
            )
        yield true, pred, None if weights is None else _read_weights(weights, rows, true.shape)


def _read(labels, name):
    labels = np.asarray(labels)
    if labels.dtype.kind not in "biuUS":
        class_labels(labels, name=name)  # raises for NaN, fractions and mixtures
    return np.array(labels.tolist()) if labels.dtype.kind == "O" else labels


def _read_weights(weights, rows, shape):
    """Weights of `rows`, one per sample; a number, or one weight per row, is broadcast."""
    part = np.asarray(weights if np.ndim(weights) == 0 else weights[rows])
    if part.dtype.kind not in "biuf" or not (part.min() >= 0 and part.max() < np.inf):
        raise ValueError("`sample_weight` must hold finite numbers >= 0; got other values.")
    part = part.reshape(part.shape + (1,) * (len(shape) - part.ndim))
    return np.broadcast_to(part, shape).ravel()
