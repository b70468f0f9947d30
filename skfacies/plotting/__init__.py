"""Pictures of sections and their facies.

As in scikit-learn, a Display stores arrays, ``from_estimator`` and ``from_predictions`` compute
them, and `plot` draws. Traces run to the right; samples, the last axis, run downwards. Matplotlib
is imported when something is drawn.
"""

from numbers import Integral, Real

import numpy as np
from scipy.stats import entropy as shannon_entropy

from skfacies._sections.validation import (
    as_array,
    check_finite_section,
    check_same_structure,
    class_labels,
    is_ignored,
    label_codes,
    last_step,
    own_amplitudes,
    union_labels,
)

__all__ = ["SectionDisplay"]

# Mostly Paul Tol's colors, chosen and ordered by a search for distances in Oklab over mid-grey
# amplitudes, for normal vision and with protanopia and deuteranopia simulated (Machado et al.,
# 2009): any two of the first ten are at least 0.05 apart, neighbors in the list, which touch on
# a section, 0.10. Petroff's ten, scikit-learn's choice, come to 0.03 and 0.07; their greys vanish
# on a seismic section.
FACIES_COLORS = (
    *("#EE8866", "#882255", "#EEDD88", "#0077BB", "#44BB99"),
    *("#117733", "#99DDFF", "#332288", "#AAAA00", "#EE3377"),
    *("#0000CC", "#BB55FF", "#FF0000", "#33BBEE", "#BBCC33"),
    *("#00FFCC", "#662211", "#D55E00", "#F0E442", "#AA4499"),
)
MISSING_COLOR = "0.92"  # no amplitude, or no entropy
TITLES = {
    "section": "Seismic amplitude",
    "labels": "Interpretation",
    "prediction": "Prediction",
    "entropy": "Uncertainty",
}
FACIES_PANELS = {"labels", "prediction"}
CONTACT_PANELS = {"prediction", "entropy"}  # where contacts of the interpretation are drawn
CONTACT_STYLE = {"color": "black", "linewidth": 0.8}
BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.02, 1), "borderaxespad": 0}
VERTICAL_LABELS = {
    "ms": "two-way time (ms)",
    "s": "two-way time (s)",
    "m": "depth (m)",
    "ft": "depth (ft)",
}


def facies_colors(n_classes):
    """Colors of `n_classes` facies by position: always the same list, repeated after 20."""
    return [FACIES_COLORS[i % len(FACIES_COLORS)] for i in range(n_classes)]


class SectionDisplay:
    """Seismic section with its interpretation, the predicted facies and their uncertainty.

    Side by side they show what a score hides: which contact is misplaced, where on the section,
    and whether the classifier knew. Contacts of the interpretation are drawn over the prediction.

    Use `from_estimator` with a fitted estimator, or `from_predictions` with arrays; both draw.
    The constructor only stores.

    Parameters
    ----------
    section : array-like of shape (n_traces, n_samples)
        Amplitudes; NaN where missing.
    labels, prediction : array-like of shape (n_traces, n_samples), default=None
        Interpreted and predicted facies, integers or strings.
    entropy : array-like of shape (n_traces, n_samples), default=None
        Normalized entropy of the prediction, from 0 to 1, as
        :func:`skfacies.qc.prediction_entropy` gives it; NaN where missing.
    classes : array-like of shape (n_classes,), default=None
        The facies in the order of colors and legend, such as ``classes_`` of the estimator. Give
        them wherever two figures are to be compared: a facies has its color by its position.
        By default ``0 … len(target_names) - 1`` if `target_names` are given and all labels are
        such integers, otherwise the facies that occur, sorted.
    target_names : sequence of n_classes str, default=None
        Names in the legend; by default the classes themselves.
    ignore_label : int, str or None, default=-1
        Label of samples without interpretation, which stay without color.
    sample_interval : float, default=None
        Distance of samples in `sample_unit`. None: the vertical axis counts samples.
    sample_unit : {"ms", "s", "m", "ft"}, default="ms"
        Unit of `sample_interval`: "ms" and "s" are two-way time, "m" and "ft" depth.
    first_trace, first_sample : int, default=0
        Number of the first trace and the first sample, on which the axes begin. The first sample
        lies at ``first_sample * sample_interval``.
    title : str, default=None
        Title of the figure, such as "inline 428".

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The facies, in the order of colors and legend.
    axes_ : dict of str to matplotlib Axes
        Panels by name: "section", and as far as drawn "labels", "prediction" and "entropy".
    figure_ : matplotlib Figure
        The figure with the panels.
    legend_ : matplotlib Legend or None
        The legend of facies.

    See Also
    --------
    SectionDisplay.from_estimator : Predicts the section first.
    SectionDisplay.from_predictions : Draws arrays that are there already.
    skfacies.qc.prediction_entropy : Entropy of probabilities.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.plotting import SectionDisplay
    >>> cube = make_facies_cube((4, 40, 32), n_facies=3, random_state=0)
    >>> display = SectionDisplay(
    ...     cube.data[0],
    ...     labels=cube.target[0],
    ...     target_names=cube.target_names,
    ...     sample_interval=4,
    ... ).plot()
    >>> for name, ax in display.axes_.items():
    ...     print(f"{name}: {ax.get_title()}, {ax.get_xlabel()}, {ax.get_ylabel() or 'shared'}")
    section: Seismic amplitude, trace, two-way time (ms)
    labels: Interpretation, trace, shared
    >>> print([text.get_text() for text in display.legend_.get_texts()])
    ['parallel', 'chaotic', 'clinoform']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        section,
        *,
        labels=None,
        prediction=None,
        entropy=None,
        classes=None,
        target_names=None,
        ignore_label=-1,
        sample_interval=None,
        sample_unit="ms",
        first_trace=0,
        first_sample=0,
        title=None,
    ):
        self.section = section
        self.labels = labels
        self.prediction = prediction
        self.entropy = entropy
        self.classes = classes
        self.target_names = target_names
        self.ignore_label = ignore_label
        self.sample_interval = sample_interval
        self.sample_unit = sample_unit
        self.first_trace = first_trace
        self.first_sample = first_sample
        self.title = title

    @classmethod
    def from_estimator(
        cls, estimator, section, labels=None, *, axes=None, plot_kw=None, **display_kw
    ):
        """Predict a section, and draw prediction and entropy beside the amplitudes.

        Parameters
        ----------
        estimator : fitted classifier of sections
            Its `predict_proba` and, if it has one, `predict` are called on one section. A Pipeline
            or a search will do.
        section : array-like of shape (n_traces, n_samples)
            Amplitudes, as the estimator takes them; with channels at the end, if it has some.
        labels : array-like of shape (n_traces, n_samples), default=None
            The interpretation, if there is one.
        axes : matplotlib Axes or sequence of Axes, default=None
            As in `plot`.
        plot_kw : dict, default=None
            Other arguments of `plot`.
        **display_kw : dict
            Other parameters of `SectionDisplay`, such as `target_names` or `sample_interval`.
            `classes` are those of the estimator.

        Returns
        -------
        display : SectionDisplay
            It keeps `prediction` and `entropy` as arrays of shape (n_traces, n_samples).

        Raises
        ------
        TypeError
            If the estimator has no `predict_proba`.
        ValueError
            If arrays have the wrong shape.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skfacies.plotting import SectionDisplay
        >>> class ByDepth:  # knows two facies and is undecided between them half-way down
        ...     classes_ = np.array(["sand", "shale"])
        ...
        ...     def predict_proba(self, X):
        ...         shale = np.broadcast_to(np.linspace(0, 1, X.shape[2]), X.shape)
        ...         return np.stack([1 - shale, shale], axis=-1)
        >>> display = SectionDisplay.from_estimator(ByDepth(), np.ones((3, 5)))
        >>> print(display.prediction[0])
        ['sand' 'sand' 'sand' 'shale' 'shale']
        >>> print(display.entropy[0].round(2))
        [0.   0.81 1.   0.81 0.  ]
        >>> plt.close(display.figure_)
        """
        check_matplotlib("SectionDisplay.from_estimator")
        whole = np.asarray(as_array(section, "section"))
        with_channels = whole.ndim == 3 and whole.shape[2] == getattr(
            last_step(estimator), "n_channels_", None
        )
        section = _check_section(own_amplitudes(whole) if with_channels else whole)
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"`estimator` must have predict_proba; {type(estimator).__name__} has not. Use "
                "SectionDisplay.from_predictions with its prediction."
            )
        whole = whole if with_channels else section
        probabilities = np.asarray(estimator.predict_proba(whole[None]))
        classes = np.asarray(estimator.classes_)
        expected = (1, *section.shape, len(classes))
        if probabilities.shape != expected:
            raise ValueError(
                f"`estimator` must predict probabilities of shape {expected} for one section, "
                f"classes last; got {probabilities.shape}."
            )
        prediction, entropy = _decide(probabilities[0], classes, display_kw.get("ignore_label", -1))
        if hasattr(estimator, "predict"):  # it may put labels in stratigraphic order
            prediction = np.asarray(estimator.predict(whole[None]))[0]
        return cls.from_predictions(
            section,
            labels,
            prediction,
            entropy,
            classes=classes,
            axes=axes,
            plot_kw=plot_kw,
            **display_kw,
        )

    @classmethod
    def from_predictions(
        cls,
        section,
        labels=None,
        prediction=None,
        entropy=None,
        *,
        axes=None,
        plot_kw=None,
        **display_kw,
    ):
        """Draw a section with the interpretation, prediction and entropy that are given.

        Parameters
        ----------
        section : array-like of shape (n_traces, n_samples)
            Amplitudes; NaN where missing.
        labels, prediction : array-like of shape (n_traces, n_samples), default=None
            Interpreted and predicted facies, integers or strings.
        entropy : array-like of shape (n_traces, n_samples), default=None
            Normalized entropy of the prediction, from 0 to 1; NaN where missing.
        axes : matplotlib Axes or sequence of Axes, default=None
            As in `plot`.
        plot_kw : dict, default=None
            Other arguments of `plot`.
        **display_kw : dict
            Other parameters of `SectionDisplay`, such as `classes` or `sample_interval`.

        Returns
        -------
        display : SectionDisplay

        Raises
        ------
        ValueError
            If arrays differ in shape, or labels are not among the classes.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skfacies.datasets import make_facies_cube
        >>> from skfacies.plotting import SectionDisplay
        >>> cube = make_facies_cube((4, 40, 32), n_facies=3, random_state=0)
        >>> display = SectionDisplay.from_predictions(cube.data[0], prediction=cube.target[0])
        >>> list(display.axes_)
        ['section', 'prediction']
        >>> plt.close(display.figure_)
        """
        display = cls(section, labels=labels, prediction=prediction, entropy=entropy, **display_kw)
        return display.plot(axes, **(plot_kw or {}))

    def plot(
        self,
        axes=None,
        *,
        panels=None,
        ncols=None,
        clip_percentile=99,
        alpha=0.5,
        cmap="gray",
        entropy_cmap="YlOrRd",
        contacts=True,
        legend=True,
    ):
        """Draw the panels.

        Parameters
        ----------
        axes : matplotlib Axes or sequence of Axes, default=None
            One for each panel; an array of Axes is taken row by row. By default a figure is made
            whose size suits the section.
        panels : str or sequence of str, default=None
            What to draw, of "section", "labels", "prediction" and "entropy", in this order. By
            default all that the display has.
        ncols : int, default=None
            Number of columns of a new figure. By default 2; panels of a section more than twice
            as wide as deep are stacked.
        clip_percentile : float, default=99
            Amplitudes are clipped at this percentile of their absolute values, symmetrically
            about 0. In (0, 100].
        alpha : float, default=0.5
            Opacity of the facies colors over the amplitudes, from 0 to 1.
        cmap : str or matplotlib Colormap, default="gray"
            Colors of amplitudes; the middle is amplitude 0.
        entropy_cmap : str or matplotlib Colormap, default="YlOrRd"
            Colors of entropy from 0 to 1.
        contacts : bool, default=True
            Draw the contacts between interpreted facies over prediction and entropy, as thin
            black lines. Needs `labels`.
        legend : bool, default=True
            Name the facies: beside the panels of a new figure, beside the last one with facies
            of given `axes`.

        Returns
        -------
        display : SectionDisplay
            The display itself, with ``axes_``, ``figure_`` and ``legend_``.

        Raises
        ------
        ValueError
            If arrays or arguments do not fit together.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib("SectionDisplay.plot")
        _check_plot_params(clip_percentile, alpha, ncols)
        section = _check_section(self.section)
        entropy = _check_entropy(self.entropy, section)
        codes, self.classes_ = self._encode_facies(section)
        names = self._facies_names()
        extent, vertical_label = self._scale_axes(section.shape)
        panels = _check_panels(panels, ["section", *codes] + ["entropy"] * (entropy is not None))

        if axes is None:
            figure, axes, place = _make_figure(section.shape, panels, ncols, vertical_label)
            figure.suptitle(self.title or "")
        else:
            axes, place = _check_axes(axes, panels, vertical_label)
        self.axes_ = dict(zip(panels, axes, strict=True))
        self.figure_ = axes[0].figure

        segments = []
        if contacts and "labels" in codes:
            segments = _contact_segments(codes["labels"], len(names), extent)
        for name, ax in self.axes_.items():
            ax.set(title=TITLES[name], facecolor=MISSING_COLOR)
            if name == "entropy":
                _draw_entropy(ax, entropy, extent, entropy_cmap)
            else:
                _draw_amplitudes(ax, section, extent, clip_percentile, cmap)
            if name in codes:
                _draw_facies(ax, codes[name], len(names), extent, alpha)
            if name in CONTACT_PANELS:
                _draw_contacts(ax, segments)

        self.legend_ = None
        if legend and not FACIES_PANELS.isdisjoint(panels):
            line = len(segments) > 0 and not CONTACT_PANELS.isdisjoint(panels)
            self.legend_ = _draw_legend(place, names, alpha, cmap, line)
        return self

    def _encode_facies(self, section):
        """Return labels and prediction as positions in the classes, and the classes."""
        facies = {
            name: np.asarray(check_same_structure(getattr(self, name), section, name, "section"))
            for name in ("labels", "prediction")
            if getattr(self, name) is not None
        }
        found = [class_labels(facies[name], self.ignore_label, name) for name in facies]
        classes = self._choose_classes(union_labels(found) if found else np.array([], dtype=int))
        codes = {}
        for name, labels in facies.items():
            codes[name] = _positions(labels, classes)
            unknown = (codes[name] == len(classes)) & ~is_ignored(labels, self.ignore_label)
            if unknown.any():
                raise ValueError(
                    f"`{name}` contains labels that are not in the classes {classes.tolist()}: "
                    f"{np.unique(labels[unknown]).tolist()}. Give all `classes`, or mark such "
                    "samples with ignore_label."
                )
        return codes, classes

    def _choose_classes(self, found):
        if self.classes is None:
            names = [] if self.target_names is None else self.target_names
            if found.dtype.kind in "iu" and np.isin(found, np.arange(len(names))).all():
                return np.arange(len(names))
            return found
        classes = np.asarray(self.classes)
        if classes.ndim != 1 or len(np.unique(classes)) < len(classes):
            raise ValueError(f"`classes` must be a list of distinct facies; got {self.classes!r}.")
        if is_ignored(classes, self.ignore_label).any():
            raise ValueError(
                f"`classes` must not hold ignore_label={self.ignore_label!r}, which is not a "
                f"facies and has no color; got {classes.tolist()}."
            )
        return classes

    def _facies_names(self):
        if self.target_names is None:
            return [str(label) for label in self.classes_.tolist()]
        if len(self.target_names) != len(self.classes_):
            raise ValueError(
                f"`target_names` must have one name for each of the {len(self.classes_)} classes "
                f"{self.classes_.tolist()}; got {len(self.target_names)} names."
            )
        return [str(name) for name in self.target_names]

    def _scale_axes(self, shape):
        """Return left, right, bottom and top of a section, and what the vertical axis counts."""
        if self.sample_unit not in VERTICAL_LABELS:
            raise ValueError(
                f"`sample_unit` must be one of {list(VERTICAL_LABELS)}; got {self.sample_unit!r}."
            )
        interval, label = 1, "sample"
        if self.sample_interval is not None:
            interval, label = self.sample_interval, VERTICAL_LABELS[self.sample_unit]
            if not isinstance(interval, Real) or not 0 < interval < np.inf:
                raise ValueError(
                    f"`sample_interval` must be a number above 0, or None; got {interval!r}."
                )
        # A sample is drawn around its number, so that the axes read off its center.
        left, top = self.first_trace - 0.5, self.first_sample - 0.5
        extent = (left, left + shape[0], (top + shape[1]) * interval, top * interval)
        return extent, label


def check_matplotlib(caller):
    """Raise an ImportError with the remedy where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller} draws with matplotlib, which is not installed. "
            "Use `pip install 'skfacies[plot]'`."
        ) from error


# --- arrays ----------------------------------------------------------------------------------


def _check_section(section):
    section = np.asarray(as_array(section, "section"))
    if section.ndim != 2 or 0 in section.shape:
        advice = "For an inline section of a cube use cube[i]." if section.ndim == 3 else ""
        raise ValueError(
            "`section` must be a section of shape (n_traces, n_samples), not empty; got shape "
            f"{section.shape}. {advice}".rstrip()
        )
    if section.dtype.kind not in "biuf":
        raise ValueError(f"`section` must hold real amplitudes; got dtype {section.dtype}.")
    check_finite_section(section, name="section", nan_policy="ignore")
    return section


def _check_entropy(entropy, section):
    if entropy is None:
        return None
    entropy = np.asarray(check_same_structure(entropy, section, "entropy", "section"), dtype=float)
    outside = (entropy < 0) | (entropy > 1 + 1e-6)  # both False for NaN
    if outside.any():
        raise ValueError(
            f"`entropy` must lie between 0 and 1; got {entropy[outside][0]:.4g}. Use "
            "skfacies.qc.prediction_entropy with normalize=True."
        )
    return entropy


def _positions(labels, classes):
    """Position of each label in the classes, which need not be sorted; their number for others."""
    if len(classes) == 0:
        return np.zeros(labels.shape, dtype=int)
    order = np.argsort(classes)
    return np.append(order, len(classes))[label_codes(labels, classes[order])]


def _decide(probabilities, classes, ignore_label):
    """Return the likeliest class and the normalized entropy of each sample of a section."""
    # One class leaves nothing to decide: its entropy is 0 to any base.
    entropy = shannon_entropy(probabilities, base=max(len(classes), 2), axis=-1)
    prediction = classes[probabilities.argmax(axis=-1)]
    missing = np.isnan(entropy)
    if missing.any():
        if ignore_label is None or isinstance(ignore_label, str) != (classes.dtype.kind in "USO"):
            raise ValueError(
                f"`estimator` predicts NaN at {missing.sum()} samples, which become "
                f"ignore_label={ignore_label!r} among classes of type {classes.dtype}. Give an "
                "`ignore_label` of that type."
            )
        prediction = np.where(missing, np.asarray(ignore_label), prediction)
    return prediction, np.clip(entropy, 0, 1).astype(np.float32)


# --- arguments of plot -----------------------------------------------------------------------


def _check_plot_params(clip_percentile, alpha, ncols):
    if not 0 < clip_percentile <= 100:
        raise ValueError(
            f"`clip_percentile` must be above 0 and at most 100; got {clip_percentile!r}."
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"`alpha` must be a number from 0 to 1; got {alpha!r}.")
    if ncols is not None and (not isinstance(ncols, Integral) or ncols < 1):
        raise ValueError(f"`ncols` must be an integer of at least 1, or None; got {ncols!r}.")


def _check_panels(panels, available):
    if panels is None:
        return available
    panels = [panels] if isinstance(panels, str) else list(panels)
    absent = [name for name in panels if name not in available]
    if absent or not panels or len(set(panels)) < len(panels):
        raise ValueError(
            f"`panels` must be distinct names of what the display has, {available}; got {panels}."
        )
    return panels


def _check_axes(axes, panels, vertical_label):
    """Return the given Axes as a list, and where the legend goes: beside the last with facies."""
    axes = np.ravel(np.asarray(axes, dtype=object)).tolist()
    if len(axes) != len(panels):
        raise ValueError(
            f"`axes` must be one Axes for each panel, {panels}; got {len(axes)}. Choose panels "
            "with `panels`."
        )
    for ax in axes:
        ax.set(xlabel="trace", ylabel=vertical_label)
    with_facies = [ax for name, ax in zip(panels, axes, strict=True) if name in FACIES_PANELS]
    owner = (with_facies or axes)[-1]
    return axes, (owner, BESIDE)


# --- drawing ---------------------------------------------------------------------------------


def _make_figure(shape, panels, ncols, vertical_label):
    """Return a figure, an Axes for each panel, and where the legend goes."""
    import matplotlib.pyplot as plt

    n_traces, n_samples = shape
    if ncols is None:
        ncols = 1 if n_traces > 2 * n_samples else 2
    ncols = min(ncols, len(panels))
    nrows = -(-len(panels) // ncols)
    width = {1: 8.0, 2: 5.5}.get(ncols, 4.0)
    height = 0.6 + width * np.clip(n_samples / n_traces, 0.3, 1.0)
    figure, axes = plt.subplots(
        nrows,
        ncols,
        figsize=(ncols * width + 1.5, min(nrows * height + 0.3, 16.0)),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    axes = axes.ravel().tolist()
    axes, spare = axes[: len(panels)], axes[len(panels) :]
    for i, ax in enumerate(axes):
        # Not label_outer: a panel above a free cell keeps its horizontal axis.
        bottom, left = i + ncols >= len(panels), i % ncols == 0
        ax.tick_params(labelbottom=bottom, labelleft=left)
        ax.set(xlabel="trace" if bottom else "", ylabel=vertical_label if left else "")
    for ax in spare:
        ax.set_axis_off()
    if spare:
        return figure, axes, (spare[0], {"loc": "center"})
    if ncols == 1:
        return figure, axes, (figure, {"loc": "outside right center"})
    # Above the color bar of the entropy, in the column that it needs anyway.
    return figure, axes, (axes[ncols - 1], BESIDE)


def _draw_amplitudes(ax, section, extent, clip_percentile, cmap):
    strength = np.abs(section[~np.isnan(section)].astype(np.float32))
    clip = np.percentile(strength, clip_percentile) if strength.size else 0
    if clip == 0:  # hardly a sample has an amplitude, or none
        clip = strength.max(initial=0) or 1
    # Thousands of traces share a pixel: without antialiasing reflectors turn into moire.
    _draw_image(ax, section, extent, "antialiased", cmap=cmap, vmin=-clip, vmax=clip)


def _draw_facies(ax, codes, n_classes, extent, alpha):
    from matplotlib.colors import to_rgba_array

    # Colors and not codes: between the codes 1 and 3 an image would find a 2.
    table = np.zeros((n_classes + 1, 4), dtype=np.float32)  # the last, no facies, is transparent
    table[:n_classes] = to_rgba_array(facies_colors(n_classes), alpha)
    _draw_image(ax, table[codes], extent, "nearest")


def _draw_entropy(ax, entropy, extent, cmap):
    image = _draw_image(ax, entropy, extent, "antialiased", cmap=cmap, vmin=0, vmax=1)
    # Inset, so that the panel keeps the size of the others, and clear of a legend above it.
    ax.figure.colorbar(image, cax=ax.inset_axes([1.02, 0, 0.03, 1]), label="normalized entropy")


def _draw_image(ax, values, extent, interpolation, **kwargs):
    values = values.swapaxes(0, 1)
    return ax.imshow(
        values, extent=extent, aspect="auto", origin="upper", interpolation=interpolation, **kwargs
    )


def _contact_segments(codes, n_classes, extent):
    """Sides of samples between two facies, of shape (n_segments, 2, 2); none beside no facies."""
    left, right, bottom, top = extent
    x = np.linspace(left, right, codes.shape[0] + 1)
    z = np.linspace(top, bottom, codes.shape[1] + 1)
    known = codes < n_classes
    below = (codes[:, 1:] != codes[:, :-1]) & known[:, 1:] & known[:, :-1]
    i, j = np.nonzero(below)
    flat = [[x[i], z[j + 1]], [x[i + 1], z[j + 1]]]
    beside = (codes[1:] != codes[:-1]) & known[1:] & known[:-1]
    i, j = np.nonzero(beside)
    steep = [[x[i + 1], z[j]], [x[i + 1], z[j + 1]]]
    return np.concatenate([flat, steep], axis=2).transpose(2, 0, 1)


def _draw_contacts(ax, segments):
    from matplotlib.collections import LineCollection

    lines = LineCollection(segments, capstyle="projecting", **CONTACT_STYLE)
    ax.add_collection(lines, autolim=False)


def _draw_legend(place, names, alpha, cmap, contacts):
    import matplotlib.pyplot as plt
    from matplotlib.colors import to_rgb
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    background = np.asarray(plt.get_cmap(cmap)(0.5)[:3])  # what lies under a facies, on average
    handles = [
        Patch(facecolor=alpha * np.asarray(to_rgb(color)) + (1 - alpha) * background, label=name)
        for color, name in zip(facies_colors(len(names)), names, strict=True)
    ]
    if contacts:
        handles.append(Line2D([], [], label="interpreted contact", **CONTACT_STYLE))
    owner, where = place
    return owner.legend(handles=handles, title="facies", **where)
