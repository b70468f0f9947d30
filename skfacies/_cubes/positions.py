"""Where the traces of sections lie: their inline and crossline numbers."""

import numpy as np

from skfacies._cubes.axes import known_axes, unit_of
from skfacies._cubes.holders import AXES, has_named_axes, ordered_dims
from skfacies._cubes.volumes import first_volume
from skfacies._sections.validation import is_listlike

__all__ = [
    "PATH",
    "PlacedSections",
    "axis_numbers",
    "line_numbers",
    "place",
    "place_lines",
    "spacing_of_traces",
    "trace_numbers",
    "vertical_axis",
    "vertical_axis_of_cube",
]

#: Coordinates of a 2-D line: the line numbers of the survey that it was placed on, trace by trace.
PATH = ("path_inline", "path_crossline")


class PlacedSections:
    """A stack of sections with the inline and crossline number of each trace.

    Parameters
    ----------
    sections : array of shape (n_sections, n_traces, n_samples), with channels last if there are any
    numbers : sequence of arrays of shape (n_traces, 2)
        One for each section.
    vertical : tuple (first, interval, unit) or None
        Vertical axis.
    """

    def __init__(self, sections, numbers, vertical=None):
        self.sections, self.trace_numbers, self.vertical_axis = sections, numbers, vertical
        self.shape, self.dtype, self.ndim = sections.shape, sections.dtype, sections.ndim

    def __len__(self):
        return len(self.sections)

    def __getitem__(self, key):
        return self.sections[key]

    def __array__(self, dtype=None, copy=None):
        array = np.asarray(self.sections, dtype=dtype)
        return array.copy() if copy else array


def trace_numbers(X, i):
    """Inline and crossline numbers of the traces of section i, or None if they are not known.

    Parameters
    ----------
    X : sections
        They are known of sections that `CubeSegmenter` cuts from a cube with coordinates, and of
        `xarray.DataArray` with coordinates for inlines and crosslines, such as
        ``open_cube(path).sel(inline=300)``.

    Returns
    -------
    numbers : float array of shape (n_traces, 2), or None
    """
    numbers = getattr(X, "trace_numbers", None)
    if numbers is not None:
        return numbers[i]
    if not is_listlike(X) and not has_named_axes(X):
        return None
    section = X[i]
    if not has_named_axes(section):
        return None
    # A 2-D line may have been placed on the survey that it crosses.
    names = dict(zip(PATH, AXES, strict=True)) | known_axes(section.coords)
    columns = {}
    for name, axis in names.items():
        if name in section.coords and section.coords[name].dims in ((), section.dims[:1]):
            columns.setdefault(axis, section.coords[name])
    if not set(AXES) <= set(columns):
        return None
    return _stack([np.asarray(columns[axis]) for axis in AXES], section.shape[0])


def spacing_of_traces(numbers, step=1):
    """How much inline and crossline numbers change from one trace to the next.

    Many surveys count lines in steps. Where all lines run along one axis, both axes are taken to
    have the same step.

    Parameters
    ----------
    numbers : list of arrays of shape (n_traces, 2)
        Of every `step`-th trace of each line.
    step : int, default=1

    Returns
    -------
    spacing : array of shape (2,)
        Always above 0.
    """
    changes = [np.abs(own[-1] - own[0]) / max(1, len(own) - 1) for own in numbers]
    changes = np.array(changes).reshape(-1, 2) / step
    along = changes.argmax(axis=1)
    spacing = np.array(
        [np.median(changes[along == axis, axis]) if axis in along else 0 for axis in (0, 1)]
    )
    return np.where(spacing > 0, spacing, spacing.max() or 1)


def vertical_axis(X, i):
    """First value, interval and unit (or None) of the vertical axis of section i, or None."""
    if hasattr(X, "vertical_axis"):
        return X.vertical_axis
    section = X[i] if is_listlike(X) or has_named_axes(X) else None
    return _describe_axis(section, 1) if has_named_axes(section) else None


def vertical_axis_of_cube(X):
    """First value, interval and unit (or None) of the vertical axis of a cube, or None."""
    if not has_named_axes(X):
        return None
    return _describe_axis(X, X.dims.index(ordered_dims(X)[2]))


def _describe_axis(array, axis):
    dim = array.dims[axis]
    if dim not in array.coords or array.coords[dim].dtype.kind not in "iuf":
        return None
    values = np.asarray(array.coords[dim], dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values[[0, -1]]).all() or values[-1] <= values[0]:
        return None
    interval = float((values[-1] - values[0]) / (len(values) - 1))
    return float(values[0]), interval, unit_of(dim, values, array.coords[dim].attrs)


def axis_numbers(X):
    """Inline and crossline numbers of the lines of a cube, and its vertical axis.

    None if the numbers are not known, or the axes of a 2-D line have other numbers than the survey
    that it was placed on.
    """
    if not has_named_axes(X) or _has_path(X):
        return None
    dims = ordered_dims(X)[:2]
    if not all(dim in X.coords and X.coords[dim].dtype.kind in "iuf" for dim in dims):
        return None
    lines = (np.asarray(X.coords[dim], dtype=np.float64) for dim in dims)
    return (*lines, vertical_axis_of_cube(X))


def line_numbers(X):
    """`axis_numbers`; of a 2-D line that was placed on a survey, numbers of the survey.

    The inline numbers of such a line have the shape (1, n_traces).
    """
    X = first_volume(X)
    if not has_named_axes(X) or not _has_path(X):
        return axis_numbers(X)
    inlines, crosslines = (np.asarray(X.coords[name], dtype=np.float64) for name in PATH)
    return inlines[np.newaxis], crosslines, vertical_axis_of_cube(X)


def _has_path(X):
    traces = ordered_dims(X)[1:2]
    return all(name in X.coords and X.coords[name].dims == traces for name in PATH)


def numbers_of_line(numbers, axis, line):
    """Inline and crossline numbers of the traces of a line, from those of the axes of a cube."""
    if axis and numbers[0].ndim == 2:  # one trace of a line that was placed on a survey
        return _stack([numbers[0][:, line], numbers[1][line]], 1)
    columns = [numbers[axis][line], numbers[1 - axis]]
    return _stack(columns[::-1] if axis else columns, len(numbers[1 - axis]))


def place(sections, numbers, axis, first):
    """Sections of adjacent lines with the numbers of their traces, if these are known."""
    if numbers is None:
        return sections
    lines = range(first, first + len(sections))
    own = [numbers_of_line(numbers, axis, line) for line in lines]
    return PlacedSections(sections, own, numbers[2])


def place_lines(sections, numbers, lines):
    """Give `Lines`, as `take_sections` cuts them, the numbers of their traces, if known."""
    if numbers is not None:
        sections.trace_numbers = [
            numbers_of_line(numbers, axis, i) for axis, chosen in lines.items() for i in chosen
        ]
        sections.vertical_axis = numbers[2]


def _stack(columns, n_traces):
    if any(column.dtype.kind not in "iuf" for column in columns):
        return None
    stacked = np.empty((n_traces, 2))
    stacked[:, 0], stacked[:, 1] = columns
    return stacked if np.isfinite(stacked).all() else None
