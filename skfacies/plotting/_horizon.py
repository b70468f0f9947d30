"""Maps of a contact and of its uncertainty."""

import tempfile

import numpy as np

from skfacies._cubes.axes import known_axes, short_unit
from skfacies._cubes.holders import AXES, has_named_axes, is_dask, ordered_dims, shape_of, unwrap
from skfacies._cubes.positions import axis_numbers, vertical_axis_of_cube
from skfacies._cubes.trained_lines import trained_lines, whole_lines
from skfacies._sections.estimators import last_step
from skfacies._sections.undefined import undefined_values
from skfacies._sections.validation import as_array
from skfacies.horizons import contacts_from_probabilities
from skfacies.plotting._arguments import check_matplotlib, check_numbers, vertical_scale
from skfacies.plotting._drawing import check_axes_of_panels, check_panels
from skfacies.plotting._maps import SurveyMap, add_colorbar, color_range, contour_levels

__all__ = ["HorizonDisplay"]

#: Names of the coordinates of traces in cubes that `open_cube` returns.
COORDINATES = {"x": "cdp_x", "y": "cdp_y"}


class HorizonDisplay:
    """Map of the depth of a contact, with its uncertainty beside it and the training lines on it.

    Doubt should grow with the distance from the training lines, and along faults. A patch of doubt
    on a training line, or a step of the depth across one, is worth a look at the section.

    Use `from_estimator` with a fitted `CubeSegmenter`, or `from_predictions` with a horizon; both
    draw. The constructor only stores its arguments.

    Parameters
    ----------
    horizon : array-like of shape (n_inlines, n_crosslines)
        Depth of the contact in samples, NaN where it is absent.
    uncertainty : array-like of shape (n_inlines, n_crosslines), default=None
        How far off the depth may be, in samples, as
        :func:`skfacies.horizons.contacts_from_probabilities` returns it; NaN where not known.
    inlines, crosslines : array-like of shape (n_inlines,), (n_crosslines,), default=None
        Line numbers, in ascending or descending order. None counts from 0.
    x, y : array-like of shape (n_inlines, n_crosslines), default=None
        Coordinates of the traces, NaN where not known. With both, the axes of the map are X and Y,
        in true aspect; otherwise they are line numbers.
    training_lines : dict, default=None
        Numbers of the lines that a model was fitted on, ``{"inline": [...], "crossline": [...]}``,
        or one of the two. They must be among `inlines` and `crosslines`.
    sample_interval : float, default=None
        Interval between samples in `sample_unit`. If None, depths are in samples.
    sample_unit : {"ms", "s", "m", "ft"}, default="ms"
        Unit of `sample_interval`: "ms" and "s" for two-way time, "m" and "ft" for depth.
    first_sample : float, default=0
        Number of the first sample, which is at ``first_sample * sample_interval``.
    xy_unit : str, default="m"
        Unit of `x` and `y`.
    title : str, default=None
        Title of the figure, such as the name of the contact.

    Attributes
    ----------
    axes_ : dict of str to matplotlib Axes
        Panels by name: "depth" and "uncertainty", as far as they are drawn.
    figure_ : matplotlib Figure
        The figure with the panels.

    See Also
    --------
    HorizonDisplay.from_estimator : Predicts the contact first.
    skfacies.horizons.contacts_from_probabilities : Depths and uncertainties of all contacts.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skfacies.plotting import HorizonDisplay
    >>> horizon = np.add.outer(np.arange(20.0), np.arange(30.0))
    >>> display = HorizonDisplay.from_predictions(
    ...     horizon,
    ...     inlines=np.arange(300, 320),
    ...     training_lines={"inline": [305, 315]},
    ...     sample_interval=4,
    ... )
    >>> ax = display.axes_["depth"]
    >>> print(ax.get_xlabel(), ax.get_ylabel(), *ax.get_ylim())
    crossline inline 299.5 319.5
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        horizon,
        *,
        uncertainty=None,
        inlines=None,
        crosslines=None,
        x=None,
        y=None,
        training_lines=None,
        sample_interval=None,
        sample_unit="ms",
        first_sample=0,
        xy_unit="m",
        title=None,
    ):
        self.horizon = horizon
        self.uncertainty = uncertainty
        self.inlines = inlines
        self.crosslines = crosslines
        self.x = x
        self.y = y
        self.training_lines = training_lines
        self.sample_interval = sample_interval
        self.sample_unit = sample_unit
        self.first_sample = first_sample
        self.xy_unit = xy_unit
        self.title = title

    @classmethod
    def from_estimator(
        cls, estimator, cube, contact, *, units=None, axes=None, plot_kw=None, **display_kw
    ):
        """Predict a cube, and draw one of its contacts.

        The probabilities of the whole cube are kept in a temporary file meanwhile, in the folder
        `scratch_dir` of the estimator: four bytes for each sample and class.

        Parameters
        ----------
        estimator : fitted `CubeSegmenter`, or a search with one
            It needs `predict_proba`.
        cube : array-like of shape (n_inlines, n_crosslines, n_samples)
            Amplitudes. Line numbers, coordinates and the vertical axis of an `xarray.DataArray`, as
            :func:`skfacies.io.open_cube` returns it, are used.
        contact : tuple (upper unit, lower unit)
            Labels of two units that follow each other.
        units : sequence of int or str, default=None
            All classes from the shallowest to the deepest. None is the order that the estimator has
            learned, or integers in ascending order.
        axes : matplotlib Axes or sequence of Axes, default=None
            As in `plot`.
        plot_kw : dict, default=None
            Other arguments of `plot`.
        **display_kw : dict
            Other parameters of `HorizonDisplay`, which override what is read from `cube`. By
            default, `training_lines` are those of the estimator that are in `cube`. If one of the
            two has no line numbers, `cube` is taken to be the one of `fit`; give None for another.

        Returns
        -------
        display : HorizonDisplay
            Stores `horizon` and `uncertainty` as arrays of shape (n_inlines, n_crosslines).

        Raises
        ------
        TypeError
            If the estimator does not predict probabilities of cubes.
        ValueError
            If `contact` is not of two units that follow each other.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skfacies import CubeSegmenter, FaciesSegmenter
        >>> from skfacies.datasets import make_facies_cube
        >>> from skfacies.plotting import HorizonDisplay
        >>> survey = make_facies_cube((8, 32, 32), n_facies=2, random_state=0)
        >>> labels = survey.target.copy()
        >>> labels[1::2] = -1  # every other inline is interpreted
        >>> sections = FaciesSegmenter(
        ...     encoder_depth=3, decoder_channels=(8, 8, 8), max_epochs=2, random_state=0)
        >>> segmenter = CubeSegmenter(sections).fit(survey.data, labels)
        >>> display = HorizonDisplay.from_estimator(segmenter, survey.data, contact=(0, 1))
        >>> print(display.horizon.shape, display.training_lines["inline"])
        (8, 32) [0 2 4 6]
        >>> plt.close(display.figure_)
        """
        check_matplotlib("HorizonDisplay.from_estimator")
        estimator = last_step(estimator)
        sections = getattr(estimator, "estimator_", None)
        if sections is None or not hasattr(sections, "predict_proba"):
            raise TypeError(
                "`estimator` must be a fitted CubeSegmenter whose estimator has predict_proba; got "
                f"{type(estimator).__name__}. Use CubeSegmenter.from_fitted, or "
                "HorizonDisplay.from_predictions with a horizon."
            )
        if has_named_axes(cube):
            cube = cube.transpose(*ordered_dims(cube))
        if units is None:
            units = getattr(last_step(sections), "unit_order_", None)
        units = np.sort(estimator.classes_) if units is None else np.asarray(units)
        k = _find_contact(contact, units.tolist())
        found = _predict_contacts(estimator, cube, units)
        known = {"title": f"{contact[0]} / {contact[1]}", **_read_coordinates(cube)}
        numbers = [
            known.get(f"{name}s", np.arange(n)) for name, n in zip(AXES, cube.shape, strict=False)
        ]
        if "training_lines" not in display_kw:
            placed = axis_numbers(cube) is not None
            ends = trained_lines(estimator, numbers, placed=placed)
            known["training_lines"] = whole_lines(ends, numbers)
        return cls.from_predictions(
            found.depth[k],
            uncertainty=found.uncertainty[k],
            axes=axes,
            plot_kw=plot_kw,
            **{**known, **display_kw},
        )

    @classmethod
    def from_predictions(cls, horizon, *, uncertainty=None, axes=None, plot_kw=None, **display_kw):
        """Draw a horizon, however it was made.

        Parameters
        ----------
        horizon : array-like of shape (n_inlines, n_crosslines)
            Depth of the contact in samples, NaN where it is absent; values that stand for nothing
            in files (1e30, -999.25, -9999, -99999) are NaN, too. Line numbers and coordinates of an
            `xarray.DataArray` are used.
        uncertainty : array-like of shape (n_inlines, n_crosslines), default=None
            How far off the depth may be, in samples.
        axes : matplotlib Axes or sequence of Axes, default=None
            As in `plot`.
        plot_kw : dict, default=None
            Other arguments of `plot`.
        **display_kw : dict
            Other parameters of `HorizonDisplay`, such as `inlines` or `training_lines`.

        Returns
        -------
        display : HorizonDisplay

        Raises
        ------
        ValueError
            If arrays differ in shape, or training lines are not among the lines.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skfacies.horizons import horizons_from_labels
        >>> from skfacies.datasets import make_facies_cube
        >>> from skfacies.plotting import HorizonDisplay
        >>> cube = make_facies_cube((12, 16, 32), n_facies=3, random_state=0)
        >>> top, base = horizons_from_labels(cube.target)
        >>> display = HorizonDisplay.from_predictions(base, sample_interval=4, title="base")
        >>> print(display.axes_["depth"].collections[0].colorbar.ax.get_ylabel())
        two-way time (ms)
        >>> plt.close(display.figure_)
        """
        known = _read_coordinates(horizon)
        if has_named_axes(horizon):
            horizon = horizon.transpose(*_line_dims(horizon))
        horizon = np.asarray(as_array(horizon, "horizon"))
        display = cls(horizon, uncertainty=uncertainty, **{**known, **display_kw})
        return display.plot(axes, **(plot_kw or {}))

    def plot(
        self,
        axes=None,
        *,
        panels=None,
        contours=True,
        clip_percentile=99.5,
        cmap="viridis_r",
        uncertainty_cmap="magma_r",
    ):
        """Draw the maps.

        Parameters
        ----------
        axes : matplotlib Axes or sequence of Axes, default=None
            One for each panel. By default, a new figure is made, with a size that suits the survey.
        panels : str or sequence of str, default=None
            Panels to draw, of "depth" and "uncertainty", in the given order. By default, all that
            the display has.
        contours : bool or array-like of float, default=True
            Draw contours of the depth, at round values or at these, in the unit of the map. They
            are those of a slightly smoothed surface.
        clip_percentile : float, default=99.5
            Colors reach from the depth that all but this percentage is deeper than to the depth
            that this percentage is shallower than; and from 0 to this percentile of uncertainty.
            In (50, 100].
        cmap : str or matplotlib Colormap, default="viridis_r"
            Colors of depth; deep is dark.
        uncertainty_cmap : str or matplotlib Colormap, default="magma_r"
            Colors of uncertainty.

        Returns
        -------
        display : HorizonDisplay
            The display itself, with ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If arrays or arguments are inconsistent or invalid.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib("HorizonDisplay.plot")
        if not 50 < clip_percentile <= 100:
            raise ValueError(
                f"`clip_percentile` must be above 50 and at most 100; got {clip_percentile!r}."
            )
        interval, label = vertical_scale(self.sample_interval, self.sample_unit)
        depth = (self._check_values("horizon") + self.first_sample) * interval
        maps = {"depth": depth}
        if self.uncertainty is not None:
            maps["uncertainty"] = self._check_values("uncertainty") * interval
        panels = check_panels(panels, list(maps))
        survey = self._survey_map(depth.shape)
        lines = self._check_lines(survey)

        if axes is None:
            axes = _make_figure(panels, survey.aspect())
            axes[0].figure.suptitle(self.title or "")
        else:
            axes = check_axes_of_panels(axes, panels)
        self.axes_ = dict(zip(panels, axes, strict=True))
        self.figure_ = axes[0].figure
        for name, ax in self.axes_.items():
            values = maps[name]
            low, high = color_range(values, clip_percentile)
            if name == "depth":
                image = survey.draw(ax, values, cmap=cmap, vmin=low, vmax=high)
                if contours is not False:
                    survey.draw_contours(ax, values, contour_levels(contours, low, high))
                add_colorbar(ax, image, values, label).invert_yaxis()
            else:
                image = survey.draw(ax, values, cmap=uncertainty_cmap, vmin=0, vmax=high)
                unit = "samples" if self.sample_interval is None else label
                add_colorbar(ax, image, values, f"± {unit}")
            survey.draw_lines(ax, lines)
            ax.set_title(_panel_title(name, label), pad=26 if lines else None)
        return self

    def _check_values(self, name):
        values = np.asarray(as_array(getattr(self, name), name))
        if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "iuf":
            raise ValueError(
                f"`{name}` must be numbers of shape (n_inlines, n_crosslines); got {values.dtype} "
                f"of shape {values.shape}."
            )
        if name != "horizon" and values.shape != np.shape(self.horizon):
            raise ValueError(
                f"`{name}` must have the shape of `horizon`, {np.shape(self.horizon)}; got "
                f"{values.shape}."
            )
        values = np.where(undefined_values(values) | np.isinf(values), np.nan, values)
        if name == "horizon" and np.isnan(values).all():
            raise ValueError("`horizon` has no depth: all its values are missing.")
        if np.nanmin(values, initial=0) < 0 and name != "horizon":
            raise ValueError(f"`{name}` must not be negative; got {np.nanmin(values):.4g}.")
        return values

    def _survey_map(self, shape):
        lines = [
            check_numbers(getattr(self, name), n, name)
            for name, n in zip(("inlines", "crosslines"), shape, strict=True)
        ]
        if self.x is None or self.y is None:
            if self.x is not self.y:
                raise ValueError("`x` and `y` must both be given, or neither of them.")
            return SurveyMap(*lines)
        places = [np.asarray(values, dtype=float) for values in (self.x, self.y)]
        for name, values in zip("xy", places, strict=True):
            if values.shape != shape:
                raise ValueError(
                    f"`{name}` must have the shape of `horizon`, {shape}; got {values.shape}."
                )
        return SurveyMap(*lines, *places, self.xy_unit)

    def _check_lines(self, survey):
        lines = dict(self.training_lines or {})
        if not set(lines) <= set(AXES):
            raise ValueError(
                f"`training_lines` must have the keys 'inline' and 'crossline'; got {list(lines)}."
            )
        for name, numbers in lines.items():
            lines[name] = np.unique(np.atleast_1d(numbers)) if np.size(numbers) else np.array([])
            known = getattr(survey, f"{name}s")
            absent = lines[name][~np.isin(lines[name], known)]
            if len(absent):
                raise ValueError(
                    f"`training_lines` has the {name} {absent[0]:g}, which is not among the "
                    f"{name}s {known.min():g} to {known.max():g} of the map. Give line numbers, or "
                    "None if the model was fitted on another cube."
                )
        return {name: numbers for name, numbers in lines.items() if len(numbers)}


def _find_contact(contact, units):
    pairs = list(zip(units[:-1], units[1:], strict=True))
    pair = tuple(contact) if isinstance(contact, (tuple, list)) else contact
    if pair not in pairs:
        raise ValueError(
            f"`contact` must be one of (upper unit, lower unit) {pairs}; got {contact!r}."
        )
    return pairs.index(pair)


def _predict_contacts(estimator, cube, units):
    """Depths and uncertainties of all contacts, from probabilities in a temporary file."""
    shape = (*shape_of(unwrap(cube)[0]), len(estimator.classes_))
    with tempfile.TemporaryFile(
        prefix="skfacies-", dir=getattr(estimator, "scratch_dir", None)
    ) as file:
        probabilities = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
        if is_dask(unwrap(cube)[0]):
            unwrap(estimator.predict_proba(cube))[0].store(probabilities, lock=False)
        else:
            estimator.predict_proba(cube, out=probabilities)
        return contacts_from_probabilities(probabilities, classes=estimator.classes_, units=units)


def _line_dims(array):
    """Names of the two lateral axes of a DataArray, inlines first if the names show it."""
    names = {axis: dim for dim, axis in known_axes(array.dims).items()}
    if set(AXES) <= set(names):
        return tuple(names[axis] for axis in AXES)
    return tuple(array.dims[:2])


def _read_coordinates(array):
    """Parameters of the display that the coordinates of a DataArray give."""
    if not has_named_axes(array):
        return {}
    dims, known = _line_dims(array), {}
    for name, dim in zip(("inlines", "crosslines"), dims, strict=True):
        if dim in array.coords and array.coords[dim].dtype.kind in "iuf":
            known[name] = np.asarray(array.coords[dim])
    if all(
        name in array.coords and set(array.coords[name].dims) == set(dims)
        for name in COORDINATES.values()
    ):
        for name, coordinate in COORDINATES.items():
            known[name] = np.asarray(array.coords[coordinate].transpose(*dims))
    vertical = vertical_axis_of_cube(array) if len(array.dims) == 3 else None
    if vertical is not None:
        first, interval, unit = vertical
        if short_unit(unit):
            known |= {"sample_interval": interval, "sample_unit": short_unit(unit)}
            known["first_sample"] = first / interval
    return known


def _make_figure(panels, aspect):
    import matplotlib.pyplot as plt

    ncols = len(panels) if aspect > 0.5 else 1
    nrows = len(panels) // ncols
    width = 4.6 if ncols > 1 else 7.0
    height = 0.9 + (width - 1.4) * np.clip(aspect, 0.25, 1.8)
    _, axes = plt.subplots(
        nrows,
        ncols,
        figsize=(ncols * width, nrows * height + 0.3),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    return axes.ravel().tolist()


def _panel_title(name, label):
    if name == "uncertainty":
        return "Uncertainty"
    return "Two-way time" if label.startswith("two-way") else "Depth"
