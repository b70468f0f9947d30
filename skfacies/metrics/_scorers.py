"""Scorers of estimators, which skip ignored samples and read data on disk only once."""

import copy

import numpy as np
from sklearn.metrics import make_scorer

from skfacies._cubes.holders import has_named_axes, is_dask, unwrap
from skfacies._cubes.pairing import align_known
from skfacies._sections.estimators import find_parameter
from skfacies._sections.labels import ignore_missing, is_ignored
from skfacies._sections.validation import as_array, check_same_structure, is_listlike

__all__ = ["FaciesScorer", "predict_for_scores"]


class FaciesScorer:
    """Scorer that leaves out samples that the estimator ignores, unlike ``make_scorer(iou_score)``.

    These are samples with the estimator's `ignore_label`, and samples with NaN amplitudes.
    """

    def __init__(self, score_func):
        self._score_func = score_func
        self._routing = make_scorer(score_func)

    def __call__(self, estimator, X, y_true, sample_weight=None):
        y_true, y_pred, options = predict_for_scores(estimator, X, y_true, sample_weight)
        return self._score_func(y_true, y_pred, **options)

    def __repr__(self):
        return self._score_func.__name__ + "r"  # iou_score -> iou_scorer

    def set_score_request(self, *, sample_weight):
        """Return a scorer that requests, or refuses, `sample_weight` from meta-estimators.

        Scorers of scikit-learn change in place. These scorers are shared by the whole program, so
        this method returns a copy.
        """
        scorer = copy.deepcopy(self)
        scorer._routing.set_score_request(sample_weight=sample_weight)
        return scorer

    def get_metadata_routing(self):
        """Return what was requested, for scikit-learn's metadata routing."""
        return self._routing.get_metadata_routing()

    def _accept_sample_weight(self):
        return True  # asked by multimetric scoring and searches while routing is disabled


def predict_for_scores(estimator, X, y_true, sample_weight=None):
    """Truth, prediction, and the `ignore_label` and `sample_weight` of their scores."""
    ignore_label = find_parameter(estimator, "ignore_label", -1)
    y_true = align_known(y_true, X, "y", "X", ignore_label)
    sample_weight = align_known(sample_weight, X, "sample_weight", "X", 0)
    y_true, y_pred, sample_weight = _predict(estimator, X, y_true, sample_weight, ignore_label)
    return y_true, y_pred, {"ignore_label": ignore_label, "sample_weight": sample_weight}


def _predict(estimator, X, y_true, sample_weight, ignore_label):
    """Truth, prediction and weights; the truth is ignored where amplitudes are missing.

    Chunked data are read once if the estimator itself marks missing samples.
    """
    policy, lazy = _nan_policy(estimator), _is_lazy(X)
    if policy is None and not lazy:
        y_true = ignore_missing(unwrap(X)[0], unwrap(y_true)[0], ignore_label)
    y_pred = estimator.predict(X)
    parts = [y_true, y_pred, sample_weight, np.isnan(X) if policy is None and lazy else None]
    if any(map(_is_lazy, parts)):
        import dask

        parts = dask.compute(*parts)  # together, so that they share what is read
    y_true, y_pred, sample_weight, missing = map(_read_chunks, parts)
    if policy == "ignore":  # no class has this label
        if is_listlike(y_pred):
            missing = [is_ignored(labels, ignore_label) for labels in y_pred]
        else:
            missing = is_ignored(y_pred, ignore_label)
    if missing is not None and ignore_label is not None:
        y_true = _mark(check_same_structure(y_true, y_pred, "y"), missing, ignore_label)
    return y_true, y_pred, sample_weight


def _nan_policy(estimator):
    """How an estimator itself handles NaN; None if a step before it may fill them in."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    return getattr(estimator, "_nan_policy", getattr(estimator, "nan_policy", None))


def _is_lazy(array):
    """Whether this is a Dask array, or a DataArray of one."""
    return array.chunks is not None if has_named_axes(array) else is_dask(array)


def _read_chunks(array):
    """Chunked arrays and DataArrays as arrays in memory."""
    array = unwrap(array)[0]
    return np.asarray(array) if getattr(array, "chunks", None) or has_named_axes(array) else array


def _mark(labels, missing, ignore_label):
    """Labels with `ignore_label` where samples are missing."""
    if is_listlike(labels):
        pairs = zip(labels, missing, strict=True)
        return [_mark(as_array(part), mask, ignore_label) for part, mask in pairs]
    if not np.any(missing):
        return labels
    value = np.array(ignore_label)
    if value.dtype.kind in "iu":
        value = value.astype(np.min_scalar_type(ignore_label))  # which widens labels least
    return np.where(missing, value, labels)
