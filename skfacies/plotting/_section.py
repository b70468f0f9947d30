"""Sections beside their interpretation, prediction and uncertainty."""

import numpy as np

from skfacies._cubes.holders import has_named_axes
from skfacies._cubes.pairing import align_known
from skfacies._sections.estimators import last_step
from skfacies._sections.labels import class_labels, is_ignored, union_labels
from skfacies._sections.validation import (
    as_array,
    check_same_structure,
    own_amplitudes,
)
from skfacies.plotting._arguments import (
    check_entropy,
    check_matplotlib,
    check_section,
    decide,
    facies_names,
    label_positions,
    vertical_scale,
)
from skfacies.plotting._coordinates import (
    check_order,
    line_of,
    predict_section,
    sample_axis,
    trace_axis,
)
from skfacies.plotting._drawing import (
    CONTACT_PANELS,
    FACIES_PANELS,
    MISSING_COLOR,
    TITLES,
    cell_edges,
    check_axes,
    check_panels,
    check_plot_params,
    contact_segments,
    draw_amplitudes,
    draw_contacts,
    draw_entropy,
    draw_facies,
    draw_legend,
    make_figure,
)

__all__ = ["SectionDisplay"]


class SectionDisplay:
    """Seismic section with its interpretation, the predicted facies and their uncertainty.

    Side by side, they show what a score hides: which contact is misplaced, where on the section,
    and whether the classifier was uncertain there. Interpreted contacts are drawn over the
    prediction and the entropy.

    A section of an `xarray.DataArray`, such as ``open_cube(path).sel(inline=300)``, is drawn with
    its coordinates: line numbers to the right, two-way time or depth downward, and "inline 300" as
    the title.

    Use `from_estimator` with a fitted estimator, or `from_predictions` with arrays; both draw.
    The constructor only stores its arguments.

    Parameters
    ----------
    section : array-like of shape (n_traces, n_samples)
        Amplitudes; NaN where missing. Coordinates of an `xarray.DataArray` are used: of traces if
        they ascend or descend, evenly spaced or not, and of samples if they ascend. The other
        arrays must have the same coordinates, or none.
    labels, prediction : array-like of shape (n_traces, n_samples), default=None
        Interpreted and predicted facies, integers or strings.
    entropy : array-like of shape (n_traces, n_samples), default=None
        Normalized entropy of the prediction, from 0 to 1, as returned by
        :func:`skfacies.qc.prediction_entropy`; NaN where missing.
    classes : array-like of shape (n_classes,), default=None
        The facies in the order of colors and legend, such as ``classes_`` of the estimator. Give
        them to compare figures: the color of a facies depends on its position. By default,
        ``0 … len(target_names) - 1`` if `target_names` are given and all labels are among these
        integers, otherwise the facies that occur, sorted.
    target_names : sequence of n_classes str, default=None
        Names in the legend; by default, the classes themselves.
    ignore_label : int, str or None, default=-1
        Label of samples without interpretation, which are not colored.
    sample_interval : float, default=None
        Interval between samples in `sample_unit`. If None, the vertical axis has the coordinates of
        `section`, or counts samples.
    sample_unit : {"ms", "s", "m", "ft"}, default="ms"
        Unit of `sample_interval`: "ms" and "s" for two-way time, "m" and "ft" for depth.
    first_trace, first_sample : int, default=None
        Numbers of the first trace and the first sample, where the axes begin, instead of the
        coordinates of `section`; 0 without either. The first sample is at
        ``first_sample * sample_interval``.
    title : str, default=None
        Title of the figure. None is the line that `section` was cut along, such as "inline 428", if
        its coordinates tell; "" is no title.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The facies, in the order of colors and legend.
    axes_ : dict of str to matplotlib Axes
        Panels by name: "section", "labels", "prediction" and "entropy", as far as they are drawn.
    figure_ : matplotlib Figure
        The figure with the panels.
    legend_ : matplotlib Legend or None
        The legend of facies.

    See Also
    --------
    SectionDisplay.from_estimator : Predicts the section first.
    SectionDisplay.from_predictions : Draws existing arrays.
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
        first_trace=None,
        first_sample=None,
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
        """Predict a section, and draw the prediction and its entropy beside the amplitudes.

        Parameters
        ----------
        estimator : fitted classifier of sections
            Its `predict_proba` and, if it has one, `predict` are called with one section. It may be
            a Pipeline or a search.
        section : array-like of shape (n_traces, n_samples)
            Amplitudes as the estimator expects them, with channels last if it was trained on
            channels. Coordinates of an `xarray.DataArray` are drawn, and used by estimators that
            have learned where contacts lie (`positions`).
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
            Stores `prediction` and `entropy` as arrays of shape (n_traces, n_samples).

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
        check_order(section)
        # Read once: the section of a file that is opened lazily is read whenever it is used.
        whole = section.compute() if has_named_axes(section) else as_array(section, "section")
        with_channels = whole.ndim == 3 and whole.shape[2] == getattr(
            last_step(estimator), "n_channels_", None
        )
        section = own_amplitudes(whole) if with_channels else whole
        shape = check_section(section).shape
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"`estimator` must have predict_proba; {type(estimator).__name__} does not. Use "
                "SectionDisplay.from_predictions with its prediction."
            )
        probabilities = predict_section(estimator, "predict_proba", whole)
        classes = np.asarray(estimator.classes_)
        expected = (1, *shape, len(classes))
        if probabilities.shape != expected:
            raise ValueError(
                f"`estimator` must predict probabilities of shape {expected} for one section, "
                f"with classes last; got {probabilities.shape}."
            )
        prediction, entropy = decide(probabilities[0], classes, display_kw.get("ignore_label", -1))
        if hasattr(estimator, "predict"):  # it may put labels in stratigraphic order
            prediction = predict_section(estimator, "predict", whole)[0]
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
        """Draw a section with the given interpretation, prediction and entropy.

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

        With coordinates, as :func:`skfacies.io.open_cube` reads them:

        >>> import xarray
        >>> axes = {"inline": range(4), "crossline": range(400, 440), "twt": range(0, 128, 4)}
        >>> named = xarray.DataArray(cube.data, axes, list(axes))
        >>> display = SectionDisplay.from_predictions(named.sel(inline=1))
        >>> ax = display.axes_["section"]
        >>> print(display.figure_.get_suptitle(), ax.get_xlabel(), ax.get_ylabel(), sep=", ")
        inline 1, crossline, two-way time (ms)
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
            One for each panel; an array of Axes is used row by row. By default, a new figure is
            made, with a size that suits the section.
        panels : str or sequence of str, default=None
            Panels to draw, of "section", "labels", "prediction" and "entropy", in the given order.
            By default, all that the display has.
        ncols : int, default=None
            Number of columns of a new figure. By default, 2; or 1 if the section has more than
            twice as many traces as samples.
        clip_percentile : float, default=99
            Amplitudes are clipped at this percentile of their absolute values, symmetrically
            about 0. In (0, 100].
        alpha : float, default=0.5
            Opacity of the facies colors over the amplitudes, from 0 to 1.
        cmap : str or matplotlib Colormap, default="gray"
            Colors of amplitudes; the middle color is amplitude 0.
        entropy_cmap : str or matplotlib Colormap, default="YlOrRd"
            Colors of entropy from 0 to 1.
        contacts : bool, default=True
            Draw the contacts between interpreted facies over the prediction and the entropy, as
            thin black lines. Requires `labels`.
        legend : bool, default=True
            Draw a legend of the facies: beside the panels of a new figure, or beside the last of
            the given `axes` with facies.

        Returns
        -------
        display : SectionDisplay
            The display itself, with ``axes_``, ``figure_`` and ``legend_``.

        Raises
        ------
        ValueError
            If arrays or arguments are inconsistent or invalid.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib("SectionDisplay.plot")
        check_plot_params(clip_percentile, alpha, ncols)
        check_order(self.section)
        section = check_section(self.section)
        entropy = check_entropy(self._aligned("entropy"), section)
        codes, self.classes_ = self._encode_facies(section)
        names = facies_names(self.target_names, self.classes_)
        edges, axis_labels = self._scale_axes(section.shape)
        panels = check_panels(panels, ["section", *codes] + ["entropy"] * (entropy is not None))

        if axes is None:
            figure, axes, place = make_figure(section.shape, panels, ncols, axis_labels)
            figure.suptitle(line_of(self.section) if self.title is None else self.title)
        else:
            axes, place = check_axes(axes, panels, axis_labels)
        self.axes_ = dict(zip(panels, axes, strict=True))
        self.figure_ = axes[0].figure

        segments = []
        if contacts and "labels" in codes:
            segments = contact_segments(codes["labels"], len(names), edges)
        for name, ax in self.axes_.items():
            ax.set(title=TITLES[name], facecolor=MISSING_COLOR)
            if name == "entropy":
                draw_entropy(ax, entropy, edges, entropy_cmap)
            else:
                draw_amplitudes(ax, section, edges, clip_percentile, cmap)
            if name in codes:
                draw_facies(ax, codes[name], len(names), edges, alpha)
            if name in CONTACT_PANELS:
                draw_contacts(ax, segments)

        self.legend_ = None
        if legend and not FACIES_PANELS.isdisjoint(panels):
            line = len(segments) > 0 and not CONTACT_PANELS.isdisjoint(panels)
            self.legend_ = draw_legend(place, names, alpha, cmap, line)
        return self

    def _aligned(self, name):
        """An array with the axes of the section, if both have names."""
        return align_known(getattr(self, name), self.section, name, "section", self.ignore_label)

    def _encode_facies(self, section):
        """Return the labels and the prediction as positions in the classes, and the classes."""
        facies = {
            name: np.asarray(check_same_structure(self._aligned(name), section, name, "section"))
            for name in ("labels", "prediction")
            if getattr(self, name) is not None
        }
        found = [class_labels(facies[name], self.ignore_label, name) for name in facies]
        classes = self._choose_classes(union_labels(found) if found else np.array([], dtype=int))
        codes = {}
        for name, labels in facies.items():
            codes[name] = label_positions(labels, classes)
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

    def _scale_axes(self, shape):
        """Return edges of traces and of samples, and the labels of both axes."""
        # A sample is drawn centered on its number, so that axis ticks mark sample centers.
        traces = trace_axis(self.section) if self.first_trace is None else None
        if traces is None:
            traces = np.arange(shape[0]) + (self.first_trace or 0), "trace"
        counted = self.sample_interval is not None or self.first_sample is not None
        interval, label = vertical_scale(self.sample_interval, self.sample_unit)
        samples = None if counted else sample_axis(self.section)
        if samples is None:
            samples = np.arange(shape[1]) + (self.first_sample or 0), label
        edges = cell_edges(traces[0]), cell_edges(samples[0]) * interval
        return edges, (traces[1], samples[1])
