"""Scores of predicted facies, and the distance between true and predicted contacts.

Labels (integers, booleans, strings) may be sections, cubes, raveled arrays, or lists of sections of
different shapes; memmaps are read in pieces. Samples whose true label is `ignore_label` never
count; predicting it elsewhere counts as an error. The `*_scorer` objects are for ``scoring=`` in
`GridSearchCV`, `cross_validate` and so on.
"""

import numpy as np
from sklearn.utils import Bunch

from skfacies._sections.labels import label_codes
from skfacies._sections.validation import is_listlike
from skfacies.metrics._counting import (
    check_labeled,
    check_labels,
    check_pair,
    count_labels,
    matching_pieces,
    score_labels,
)
from skfacies.metrics._scorers import FaciesScorer

__all__ = [
    "contact_error",
    "facies_confusion_matrix",
    "facies_report",
    "iou_score",
    "iou_scorer",
    "mean_class_accuracy_score",
    "mean_class_accuracy_scorer",
    "pixel_accuracy_score",
    "pixel_accuracy_scorer",
]


def facies_confusion_matrix(y_true, y_pred, *, labels=None, ignore_label=-1, sample_weight=None):
    """Count the samples of each true facies (rows) that were predicted as each facies (columns).

    Parameters
    ----------
    y_true, y_pred : array-like of any shape, or list of sections (n_traces, n_samples)
        Labels of the same shape: sections (n_sections, n_traces, n_samples), a cube (n_inlines,
        n_crosslines, n_samples), or raveled.
    labels : array-like of shape (n_labels,), default=None
        The facies of rows and columns. By default, those in `y_true` or `y_pred`, sorted. Other
        labels have no row or column here, but scores count them: a listed facies predicted as
        another label is a miss, and another label predicted as a listed facies is a false alarm.
    ignore_label : int, str or None, default=-1
        Samples with this true label never count. None: every sample counts.
    sample_weight : array-like of shape (n_sections,) or the shape of `y_true`, default=None
        Weights >= 0 of samples, or of the items along the first axis or in the list.

    Returns
    -------
    counts : ndarray of shape (n_labels, n_labels), int64, or float64 with `sample_weight`

    Raises
    ------
    ValueError
        If shapes or types of labels differ, or if no labeled sample of weight > 0 is left.

    Examples
    --------
    >>> from skfacies.metrics import facies_confusion_matrix
    >>> facies_confusion_matrix([[0, 0, 1, 1], [0, 1, 1, -1]], [[0, 0, 0, 1], [0, 1, 1, 1]])
    array([[3, 0],
           [1, 3]])
    """
    return count_labels(y_true, y_pred, labels, ignore_label, sample_weight)[0][:-1, :-1]


def iou_score(
    y_true,
    y_pred,
    *,
    labels=None,
    average="macro",
    ignore_label=-1,
    sample_weight=None,
    zero_division=np.nan,
):
    """Intersection over union (IoU), the Jaccard index, of true and predicted facies.

    It is the number of samples in both truth and prediction, divided by those in either. The mean
    is known as mIoU, the weighted mean as FWIU [1]_ [2]_. A true facies that is never predicted has
    an IoU of 0, so never predicting a facies does not raise the score.

    Parameters
    ----------
    y_true, y_pred : array-like or list of sections
        As in :func:`facies_confusion_matrix`.
    labels : array-like of shape (n_labels,), default=None
        As in :func:`facies_confusion_matrix`. Give them to compare sections or folds:
        without them, facies that happen to be absent from both truth and prediction are left out of
        the mean.
    average : {"macro", "weighted"} or None, default="macro"
        "macro" is the mean over facies, "weighted" the mean weighted by true samples (nan if there
        are none), and None returns the value of each facies.
    ignore_label : int, str or None, default=-1
        As in :func:`facies_confusion_matrix`.
    sample_weight : array-like, default=None
        As in :func:`facies_confusion_matrix`.
    zero_division : float, default=np.nan
        IoU (0 to 1) of a facies in neither truth nor prediction; nan leaves it out of the mean.
        1.0 corresponds to the formula ``(intersection + eps) / (union + eps)``.

    Returns
    -------
    iou : float, or ndarray of shape (n_labels,) if `average` is None

    References
    ----------
    .. [1] Long, J. et al. (2015). Fully convolutional networks for semantic segmentation. CVPR.
    .. [2] Alaudah, Y. et al. (2019). A machine-learning benchmark for facies classification.
       Interpretation 7(3). doi:10.1190/INT-2018-0249.1

    Examples
    --------
    >>> from skfacies.metrics import iou_score
    >>> iou_score([[0, 0, 1, 1], [0, 1, 1, -1]], [[0, 0, 0, 1], [0, 1, 1, 1]], average=None)
    array([0.75, 0.75])
    """
    if average not in ("macro", "weighted", None):
        raise ValueError(f"`average` must be 'macro', 'weighted' or None; got {average!r}.")
    scores = score_labels(y_true, y_pred, labels, ignore_label, sample_weight, zero_division)
    if average is None:
        return scores.per_class["iou"]
    return scores.overall["mean_iou" if average == "macro" else "fw_iou"]


def pixel_accuracy_score(y_true, y_pred, *, ignore_label=-1, sample_weight=None):
    """Pixel accuracy (PA): fraction of labeled samples predicted correctly.

    Thick units dominate it.

    Parameters
    ----------
    y_true, y_pred : array-like or list of sections
        As in :func:`facies_confusion_matrix`.
    ignore_label : int, str or None, default=-1
        As in :func:`facies_confusion_matrix`.
    sample_weight : array-like, default=None
        As in :func:`facies_confusion_matrix`.

    Returns
    -------
    accuracy : float

    Examples
    --------
    >>> from skfacies.metrics import pixel_accuracy_score
    >>> pixel_accuracy_score([[0, 0, 1, 1], [0, 0, 0, -1]], [[0, 0, 0, 1], [0, 0, 1, 1]])
    0.714...
    """
    return score_labels(y_true, y_pred, None, ignore_label, sample_weight).overall["pixel_accuracy"]


def mean_class_accuracy_score(
    y_true, y_pred, *, labels=None, ignore_label=-1, sample_weight=None, zero_division=np.nan
):
    """Mean class accuracy (MCA): mean over facies of their recall.

    Recall is the fraction of the true samples of a facies that are predicted correctly.

    Parameters
    ----------
    y_true, y_pred : array-like or list of sections
        As in :func:`facies_confusion_matrix`.
    labels : array-like of shape (n_labels,), default=None
        As in :func:`facies_confusion_matrix`.
    ignore_label : int, str or None, default=-1
        As in :func:`facies_confusion_matrix`.
    sample_weight : array-like, default=None
        As in :func:`facies_confusion_matrix`.
    zero_division : float, default=np.nan
        Recall (0 to 1) of a facies that is not in the truth; nan leaves it out of the mean.

    Returns
    -------
    accuracy : float
        From 0 to 1; nan if there are no facies to average.

    Examples
    --------
    >>> from skfacies.metrics import mean_class_accuracy_score
    >>> mean_class_accuracy_score([[0, 0, 1, 1], [0, 0, 0, -1]], [[0, 0, 0, 1], [0, 0, 1, 1]])
    0.65
    """
    scores = score_labels(y_true, y_pred, labels, ignore_label, sample_weight, zero_division)
    return scores.overall["mean_class_accuracy"]


def facies_report(
    y_true,
    y_pred,
    *,
    labels=None,
    target_names=None,
    ignore_label=-1,
    sample_weight=None,
    zero_division=np.nan,
    digits=3,
    output_dict=False,
):
    """Table of recall, precision and IoU of each facies, followed by the overall scores.

    Parameters
    ----------
    y_true, y_pred : array-like or list of sections
        As in :func:`facies_confusion_matrix`.
    labels : array-like of shape (n_labels,), default=None
        As in :func:`facies_confusion_matrix`. All scores refer to these facies.
    target_names : list of str of shape (n_labels,), default=None
        Names of the facies in the order of `labels`.
    ignore_label : int, str or None, default=-1
        As in :func:`facies_confusion_matrix`.
    sample_weight : array-like, default=None
        As in :func:`facies_confusion_matrix`.
    zero_division : float, default=np.nan
        Value (0 to 1) of scores with a zero denominator; nan is printed as "-" and left out of
        means.
    digits : int, default=3
        Number of decimals in the text.
    output_dict : bool, default=False
        Return floats, ``{name: {"recall", "precision", "iou", "support"}, …, "pixel_accuracy",
        "mean_class_accuracy", "fw_iou", "mean_iou", "support"}``, instead of text.

    Returns
    -------
    report : str or dict

    Examples
    --------
    >>> from skfacies.metrics import facies_report
    >>> y_true, y_pred = [[0, 0, 1, 1, 1], [0, 1, 1, 1, -1]], [[0, 0, 0, 1, 2], [0, 1, 1, 2, 2]]
    >>> print(facies_report(y_true, y_pred, target_names=["Chalk", "Rijnland", "Scruff"]))
    facies       recall  precision        IoU    support
    Chalk         1.000      0.750      0.750          3
    Rijnland      0.500      1.000      0.500          6
    Scruff            -      0.000      0.000          0
    <BLANKLINE>
    pixel accuracy          PA    0.667
    mean class accuracy     MCA   0.750
    frequency-weighted IoU  FWIU  0.583
    mean IoU                mIoU  0.417
    support                       9
    Predicted but absent from the truth: Scruff
    """
    scores = score_labels(y_true, y_pred, labels, ignore_label, sample_weight, zero_division)
    labels = scores.labels.tolist()
    names = [str(name) for name in (labels if target_names is None else target_names)]
    if len(names) != len(labels) or len(set(names)) < len(names):
        raise ValueError(
            f"`target_names` must be {len(labels)} different names for the labels {labels}; got "
            f"{names}. To fix the classes, also give `labels`."
        )
    if not output_dict:
        return "\n".join(_report_lines(names, scores, digits))
    rows = {
        name: {key: float(values[i]) for key, values in scores.per_class.items()}
        for i, name in enumerate(names)
    }
    return {**rows, **scores.overall, "support": float(scores.per_class["support"].sum())}


def contact_error(y_true, y_pred, *, labels=None, ignore_label=-1):
    """Distance in samples between true and predicted contacts of the units, trace by trace.

    Contacts are what an interpreter delivers, and sample-based scores hide how accurate they are.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (..., n_samples), or list of (n_traces, n_samples)
        Labels of sections (n_sections, n_traces, n_samples) or a cube (n_inlines, n_crosslines,
        n_samples). Samples are the last axis and point down.
    labels : array-like of shape (n_labels,), default=None
        The units in stratigraphic order, top first. By default, those in `y_true` or `y_pred`,
        sorted. Other labels are treated as samples without interpretation.
    ignore_label : int, str or None, default=-1
        True label of samples without interpretation; predictions there are ignored.

    Returns
    -------
    errors : :class:`~sklearn.utils.Bunch`
        `contacts`, the n_labels - 1 pairs (upper label, lower label), and arrays with one value for
        each pair: `mean`, `median` and `p95` (95th percentile) of the distance, nan if there is
        none; `count`, the number of traces compared; `missed` and `false`, the numbers of traces
        with the contact only in the truth or only in the prediction. `overall` holds these six for
        all contacts pooled.

    Raises
    ------
    ValueError
        If shapes or types of labels differ, no sample is labeled, or there is only one unit.

    Notes
    -----
    Contact k of a trace is the top of unit k and all deeper units: the first sample whose unit is
    ``labels[k]`` or a later one. It therefore coincides with contact k + 1 where unit k pinches
    out, and a stray deep unit predicted too high is an error of the full distance.

    A trace has the contact if a higher unit lies above it. The truth also needs a label directly
    above the contact; otherwise, the position is unknown, and the trace is left out.

    Examples
    --------
    >>> from skfacies.metrics import contact_error
    >>> y_true, y_pred = [[0, 0, 1, 1, 2], [0, 1, 1, 1, 2]], [[0, 1, 1, 1, 2], [0, 1, 2, 2, 2]]
    >>> errors = contact_error(y_true, y_pred)
    >>> errors.contacts, errors.mean, errors.count
    ([(0, 1), (1, 2)], array([0.5, 1. ]), array([2, 2]))
    """
    y_true, y_pred = check_pair(y_true, y_pred, ignore_label, min_ndim=2)
    units = check_labels(labels, y_true, y_pred, ignore_label)
    if len(units) < 2:
        raise ValueError(f"`labels` must have two or more units to form contacts; got {units}.")
    order = np.argsort(units)
    rank = np.append(order, -1)  # -1: not one of the units
    # Distances are whole samples: counting them gives exact percentiles of a survey of any size.
    n_samples = max(y.shape[-1] for y in (y_true if is_listlike(y_true) else [y_true]))
    distances = np.zeros((len(units) - 1, n_samples), dtype=np.int64)
    missed, false = np.zeros((2, len(units) - 1), dtype=np.int64)
    n_labeled = 0
    for true, pred, _ in matching_pieces(y_true, y_pred, labels=units):
        ranks = np.stack([rank[label_codes(y, units[order])] for y in (true, pred)])
        ranks[1][ranks[0] < 0] = -1
        n_labeled += np.count_nonzero(ranks[0] >= 0)
        for k in range(len(units) - 1):
            both, only_true, only_pred = _compare_contact(ranks, k + 1)
            distances[k] += np.bincount(both, minlength=n_samples)
            missed[k] += only_true
            false[k] += only_pred
    check_labeled(n_labeled, ignore_label)
    spreads = [_spread(*one) for one in zip(distances, missed, false, strict=True)]
    return Bunch(
        contacts=list(zip(units[:-1].tolist(), units[1:].tolist(), strict=True)),
        **{key: np.array([spread[key] for spread in spreads]) for key in spreads[0]},
        overall=_spread(distances.sum(axis=0), missed.sum(), false.sum()),
    )


iou_scorer = FaciesScorer(iou_score)
pixel_accuracy_scorer = FaciesScorer(pixel_accuracy_score)
mean_class_accuracy_scorer = FaciesScorer(mean_class_accuracy_score)


def _report_lines(names, scores, digits):
    """Lines of the table, with columns as wide as needed, totals and remarks."""

    def text(value):
        if isinstance(value, np.integer):
            return str(value)
        return "-" if np.isnan(value) else f"{value:.{digits}f}"

    columns = zip(("recall", "precision", "IoU", "support"), scores.per_class.values(), strict=True)
    columns = [[title, *map(text, values)] for title, values in columns]
    total = text(scores.per_class["support"].sum())
    width, cell = max(map(len, ["facies", *names])), max(9, digits + 2, len(total))
    for name, *cells in zip(["facies", *names], *columns, strict=True):
        yield name.ljust(width) + "".join("  " + value.rjust(cell) for value in cells)
    pixel_accuracy, mean_class_accuracy, fw_iou, mean_iou = map(text, scores.overall.values())
    yield f"\npixel accuracy          PA    {pixel_accuracy}"
    yield f"mean class accuracy     MCA   {mean_class_accuracy}"
    yield f"frequency-weighted IoU  FWIU  {fw_iou}"
    yield f"mean IoU                mIoU  {mean_iou}"
    yield f"support                       {total}"
    in_truth, predicted = scores.counts.sum(axis=1) > 0, scores.counts.sum(axis=0) > 0
    absent = [name for i, name in enumerate(names) if predicted[i] and not in_truth[i]]
    if absent:
        yield f"Predicted but absent from the truth: {', '.join(absent)}"
    if in_truth[-1] or predicted[-1]:
        yield "Some samples have true or predicted labels outside the facies listed."


def _compare_contact(ranks, k):
    """Distances of contact k, and numbers of traces where only truth or only prediction has it.

    `ranks` stacks truth and prediction: (2, ..., n_samples), -1 for labels that are not units.
    """
    deep = ranks >= k
    tops = deep.argmax(axis=-1)
    first = np.take_along_axis(ranks, (ranks >= 0).argmax(axis=-1)[..., np.newaxis], -1)[..., 0]
    in_true, in_pred = deep.any(axis=-1) & (first < k)  # a lower rank lies above
    above = np.take_along_axis(ranks[0], np.maximum(tops[0] - 1, 0)[..., np.newaxis], -1)[..., 0]
    certain = in_true & (above >= 0)
    distances = np.abs(tops[0] - tops[1])[certain & in_pred]
    return distances, (certain & ~in_pred).sum(), (in_pred & ~in_true).sum()


def _spread(distances, missed, false):
    """Summary of distances that are counted by value."""
    count, mean, median, p95 = int(distances.sum()), np.nan, np.nan, np.nan
    if count:
        mean = float(distances @ np.arange(len(distances)) / count)
        places = np.array([0.5, 0.95]) * (count - 1)  # linear between neighbors, as np.percentile
        steps = np.searchsorted(np.cumsum(distances), [np.floor(places), np.ceil(places)], "right")
        median, p95 = (steps[0] + (places % 1) * (steps[1] - steps[0])).tolist()
    spread = {"mean": mean, "median": median, "p95": p95, "count": count}
    return Bunch(**spread, missed=int(missed), false=int(false))
