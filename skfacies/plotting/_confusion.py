"""Confusion of facies, and the IoU of each."""

from numbers import Real

import numpy as np

from skfacies._colors import facies_colors
from skfacies.metrics._counting import score_labels
from skfacies.metrics._scorers import predict_for_scores
from skfacies.plotting._arguments import check_matplotlib, facies_names

__all__ = ["FaciesConfusionDisplay"]

#: What the values in the cells are, by `normalize`.
CELLS = {
    None: "samples",
    "true": "share of the row",
    "pred": "share of the column",
    "all": "share of all samples",
}


class FaciesConfusionDisplay:
    """Which facies is taken for which: the confusion matrix, with the IoU of each facies beside it.

    Rows are interpreted facies, columns predicted ones. Off the diagonal, a neighbor in the section
    means that a contact is misplaced; a facies further away means that its texture is not
    recognized.

    Use `from_estimator` with a fitted estimator, or `from_predictions` with labels; both draw. The
    constructor only stores its arguments.

    Parameters
    ----------
    confusion_matrix : array-like of shape (n_classes, n_classes)
        Samples of each interpreted facies (rows) that were predicted as each facies (columns), or
        fractions of them.
    iou : array-like of shape (n_classes,)
        Intersection over union of each facies; NaN for facies in neither truth nor prediction.
    classes : array-like of shape (n_classes,), default=None
        The facies, in the order of rows and columns. None counts them from 0.
    target_names : sequence of n_classes str, default=None
        Names of the facies; by default, the classes themselves.
    normalize : {"true", "pred", "all"} or None, default=None
        What the values are fractions of; None are numbers of samples.
    n_unlisted : float, default=0
        Samples, by weight, whose true or predicted label is none of the classes. They are not in
        the matrix, but the IoU counts them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the matrix: with bars, a part of the Axes given to `plot`.
    iou_ax_ : matplotlib Axes or None
        Axes of the bars of IoU.
    text_ : ndarray of shape (n_classes, n_classes) of matplotlib Text, or None
        Values in the cells.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skfacies.metrics.facies_confusion_matrix : Counts the samples.
    skfacies.metrics.facies_report : The scores as a table.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skfacies.plotting import FaciesConfusionDisplay
    >>> y_true = [[0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, -1]]
    >>> y_pred = [[0, 0, 1, 1, 1, 2], [0, 0, 1, 2, 2, 2]]
    >>> display = FaciesConfusionDisplay.from_predictions(
    ...     y_true, y_pred, target_names=["chalk", "clay", "salt"])
    >>> print(display.confusion_matrix)
    [[0.8  0.2  0.  ]
     [0.   0.75 0.25]
     [0.   0.   1.  ]]
    >>> print(display.iou.round(2))
    [0.8  0.6  0.67]
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        confusion_matrix,
        iou,
        *,
        classes=None,
        target_names=None,
        normalize=None,
        n_unlisted=0,
    ):
        self.confusion_matrix = confusion_matrix
        self.iou = iou
        self.classes = classes
        self.target_names = target_names
        self.normalize = normalize
        self.n_unlisted = n_unlisted

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        labels=None,
        target_names=None,
        normalize="true",
        sample_weight=None,
        ax=None,
        plot_kw=None,
    ):
        """Predict `X`, and draw the confusion with `y`.

        Samples with the estimator's `ignore_label`, or with missing amplitudes, do not count.

        Parameters
        ----------
        estimator : fitted `FaciesSegmenter`, `CubeSegmenter`, Pipeline or search
            Predicts `X`.
        X : array-like or list
            Sections (n_sections, n_traces, n_samples), a list of sections, or a cube (n_inlines,
            n_crosslines, n_samples); what the estimator predicts.
        y : array-like or list, in the structure of `X`
            The interpretation.
        labels : array-like of shape (n_classes,), default=None
            Facies of rows and columns. None is ``classes_`` of the estimator.
        target_names : sequence of n_classes str, default=None
            Names of the facies.
        normalize : {"true", "pred", "all"} or None, default="true"
            As in `from_predictions`.
        sample_weight : array-like, default=None
            As in :func:`skfacies.metrics.facies_confusion_matrix`.
        ax : matplotlib Axes, default=None
            As in `plot`.
        plot_kw : dict, default=None
            Other arguments of `plot`.

        Returns
        -------
        display : FaciesConfusionDisplay

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skfacies.plotting import FaciesConfusionDisplay
        >>> class Sign:  # tells facies by the sign of the amplitude
        ...     classes_ = np.array([0, 1])
        ...
        ...     def predict(self, X):
        ...         return (X > 0).astype(int)
        >>> X = np.array([[[-1.0, -2.0, 3.0, 4.0]]])
        >>> y = np.array([[[0, 0, 0, 1]]])
        >>> display = FaciesConfusionDisplay.from_estimator(Sign(), X, y, normalize=None)
        >>> print(display.confusion_matrix)
        [[2 1]
         [0 1]]
        >>> plt.close(display.figure_)
        """
        check_matplotlib("FaciesConfusionDisplay.from_estimator")
        _check_normalize(normalize)
        y_true, y_pred, options = predict_for_scores(estimator, X, y, sample_weight)
        return cls.from_predictions(
            y_true,
            y_pred,
            labels=getattr(estimator, "classes_", None) if labels is None else labels,
            target_names=target_names,
            normalize=normalize,
            ax=ax,
            plot_kw=plot_kw,
            **options,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_pred,
        *,
        labels=None,
        target_names=None,
        normalize="true",
        ignore_label=-1,
        sample_weight=None,
        ax=None,
        plot_kw=None,
    ):
        """Draw the confusion of interpreted and predicted facies.

        Parameters
        ----------
        y_true, y_pred : array-like of any shape, or list of sections (n_traces, n_samples)
            Interpreted and predicted labels of the same shape: a section (n_traces, n_samples),
            sections (n_sections, n_traces, n_samples), or a cube (n_inlines, n_crosslines,
            n_samples). Arrays on disk are read in pieces.
        labels : array-like of shape (n_classes,), default=None
            Facies of rows and columns, in their order. The color of a facies depends on its
            position: give the ``classes_`` of the estimator to compare figures. By default,
            ``0 … len(target_names) - 1`` if `target_names` are given and all labels are among these
            integers, otherwise the facies that occur, sorted.
        target_names : sequence of n_classes str, default=None
            Names of the facies.
        normalize : {"true", "pred", "all"} or None, default="true"
            Show fractions of the samples of each interpreted facies, whose diagonal is the recall;
            of each predicted facies, whose diagonal is the precision; of all samples; or, if None,
            numbers of samples. Labels that are not in `labels` count in none of them. NaN where
            there is no sample to divide by.
        ignore_label : int, str or None, default=-1
            Samples with this true label never count.
        sample_weight : array-like, default=None
            As in :func:`skfacies.metrics.facies_confusion_matrix`.
        ax : matplotlib Axes, default=None
            As in `plot`.
        plot_kw : dict, default=None
            Other arguments of `plot`.

        Returns
        -------
        display : FaciesConfusionDisplay

        Raises
        ------
        ValueError
            If shapes or types of labels differ, or if no labeled sample is left.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skfacies.plotting import FaciesConfusionDisplay
        >>> y_true = [["clay", "sand", "sand", "sand"], ["clay", "clay", "salt", "sand"]]
        >>> y_pred = [["clay", "clay", "sand", "sand"], ["clay", "clay", "salt", "salt"]]
        >>> display = FaciesConfusionDisplay.from_predictions(
        ...     y_true, y_pred, labels=["sand", "clay", "salt"], normalize=None)
        >>> print(display.confusion_matrix)
        [[2 1 1]
         [0 3 0]
         [0 0 1]]
        >>> plt.close(display.figure_)
        """
        check_matplotlib("FaciesConfusionDisplay.from_predictions")
        _check_normalize(normalize)
        scores = score_labels(y_true, y_pred, labels, ignore_label, sample_weight)
        if labels is None and target_names is not None:
            numbers = np.arange(len(target_names))
            if scores.labels.dtype.kind in "iu" and np.isin(scores.labels, numbers).all():
                scores = _with_classes(scores, numbers)
        counts = scores.counts[:-1, :-1]
        display = cls(
            _normalize(counts, normalize),
            scores.per_class["iou"],
            classes=scores.labels,
            target_names=target_names,
            normalize=normalize,
            n_unlisted=scores.counts.sum() - counts.sum(),
        )
        return display.plot(ax, **(plot_kw or {}))

    def plot(self, ax=None, *, cmap="Blues", values_format=None, include_values=True, iou=True):
        """Draw the matrix, and bars of IoU to its right.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes of the matrix. By default, a new figure is made, with a size that suits it.
        cmap : str or matplotlib Colormap, default="Blues"
            Colors of the cells.
        values_format : str, default=None
            Format of the values. None is two decimals, or thousands and millions of samples.
        include_values : bool, default=True
            Write the values into the cells.
        iou : bool, default=True
            Draw the bars of IoU, in the colors of the facies.

        Returns
        -------
        display : FaciesConfusionDisplay
            The display itself.

        Raises
        ------
        ValueError
            If arrays are inconsistent.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib("FaciesConfusionDisplay.plot")
        _check_normalize(self.normalize)
        matrix, scores, names = self._check_arrays()
        if ax is None:
            ax = _make_figure(len(names), max(map(len, names)), iou)
        self.figure_, self.iou_ax_ = ax.figure, None
        if iou:
            ax, self.iou_ax_ = _split(ax)
            _draw_iou(self.iou_ax_, scores)
        self.ax_ = ax
        top = 1 if self.normalize else max(np.nanmax(matrix, initial=0), 1)
        image = ax.imshow(matrix, cmap=cmap, vmin=0, vmax=top, aspect="auto")
        positions = range(len(names))
        ax.set(xticks=positions, yticks=positions, yticklabels=names)
        slanted = max(map(len, names)) > 6
        ax.set_xticklabels(
            names,
            rotation=40 if slanted else 0,
            ha="right" if slanted else "center",
            rotation_mode="anchor",
        )
        ax.tick_params(length=0)
        ax.set(xlabel="predicted facies", ylabel="interpreted facies")
        ax.set_title(CELLS[self.normalize], fontsize="medium")
        if self.n_unlisted > 0:
            note = f"{_in_thousands(self.n_unlisted)} samples of other facies are not shown"
            ax.set_xlabel(f"predicted facies\n({note})")
        self.text_ = _write_values(image, matrix, values_format) if include_values else None
        return self

    def _check_arrays(self):
        matrix = np.asarray(self.confusion_matrix)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or 0 in matrix.shape:
            raise ValueError(
                f"`confusion_matrix` must have shape (n_classes, n_classes); got {matrix.shape}."
            )
        scores = np.asarray(self.iou, dtype=float)
        classes = np.arange(len(matrix)) if self.classes is None else np.asarray(self.classes)
        for name, values in {"iou": scores, "classes": classes}.items():
            if values.shape != (len(matrix),):
                raise ValueError(
                    f"`{name}` must have one value for each of the {len(matrix)} rows of "
                    f"`confusion_matrix`; got shape {values.shape}."
                )
        return matrix, scores, facies_names(self.target_names, classes)


def _check_normalize(normalize):
    if not (normalize is None or (isinstance(normalize, str) and normalize in CELLS)):
        raise ValueError(f"`normalize` must be 'true', 'pred', 'all' or None; got {normalize!r}.")


def _normalize(counts, normalize):
    if normalize is None:
        return counts
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    whole = np.broadcast_to(counts.sum(axis=axis, keepdims=True), counts.shape)
    return np.divide(counts, whole, out=np.full(counts.shape, np.nan), where=whole > 0)


def _with_classes(scores, classes):
    """Scores with rows and columns for all classes; for those that are absent, of zeros and NaN."""
    counts = np.zeros((len(classes) + 1,) * 2, dtype=scores.counts.dtype)
    places = np.append(scores.labels, len(classes))
    counts[np.ix_(places, places)] = scores.counts
    iou = np.full(len(classes), np.nan)
    iou[scores.labels] = scores.per_class["iou"]
    return type(scores)(labels=classes, counts=counts, per_class={"iou": iou})


def _make_figure(n_classes, longest_name, iou):
    import matplotlib.pyplot as plt

    side = max(0.55 * n_classes, 2.0)
    margin = 0.8 + 0.08 * longest_name
    size = (side * (1.55 if iou else 1) + margin, side + margin)
    return plt.subplots(figsize=np.minimum(size, 16), layout="constrained")[1]


def _write_values(image, matrix, values_format):
    texts = np.empty(matrix.shape, dtype=object)
    for (i, j), value in np.ndenumerate(matrix):
        # Dark cells need light text; the middle of `cmap` decides, whatever its colors are.
        red, green, blue, _ = image.cmap(image.norm(value)) if np.isfinite(value) else (1,) * 4
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        texts[i, j] = image.axes.text(
            j,
            i,
            _format(value, values_format, matrix.dtype),
            ha="center",
            va="center",
            color="white" if dark else "black",
            fontsize="small",
        )
    return texts


def _format(value, values_format, dtype):
    if np.isnan(value):
        return "–"
    if values_format is not None:
        return format(value, values_format)
    if value == 0:
        return ""  # most cells: only the others are worth reading
    return _in_thousands(value) if dtype.kind in "iu" or value > 1 else f"{value:.2f}"


def _in_thousands(count):
    """A number of samples in at most four digits: 812, 25.3k, 1.2M."""
    for power, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= power:
            scaled = count / power
            return f"{scaled:.0f}{letter}" if scaled >= 100 else f"{scaled:.1f}{letter}"
    return f"{count:g}" if isinstance(count, Real) else str(count)


def _split(ax):
    """Two Axes in the place of one, with their edges at the same heights whatever the layout."""
    ax.set_axis_off()
    return ax.inset_axes([0, 0, 0.67, 1]), ax.inset_axes([0.71, 0, 0.22, 1])


def _draw_iou(bars, scores):
    """Bars beside the rows of the matrix."""
    positions = np.arange(len(scores))
    colors = facies_colors(len(scores))
    bars.barh(positions, np.nan_to_num(scores), height=0.8, color=colors, edgecolor="0.3", lw=0.5)
    for i, score in enumerate(scores):
        text = "–" if np.isnan(score) else f"{score:.2f}"
        bars.text(1.05, i, text, va="center", ha="left", fontsize="small")
    bars.set(xlim=(0, 1), ylim=(len(scores) - 0.5, -0.5), yticks=[], xticks=[0, 0.5, 1])
    bars.set_xticklabels(["0", "0.5", "1"], fontsize="small")
    bars.spines[["top", "right"]].set_visible(False)
    title = "IoU"
    if np.isfinite(scores).any():
        mean = np.nanmean(scores)
        bars.axvline(mean, color="black", lw=1, ls=(0, (4, 2)))
        title = f"IoU, mean {mean:.2f}"
    bars.set_title(title, fontsize="medium")
