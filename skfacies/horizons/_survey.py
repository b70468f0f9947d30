"""The survey that horizons are read on: line numbers, X and Y of the traces, vertical axis."""

from functools import cached_property
from numbers import Real

import numpy as np
from scipy.spatial import cKDTree

from skfacies._cubes.axes import UNIT_SCALES, unit_of, vertical_kind
from skfacies._cubes.writing import POSITIONS

__all__ = ["Survey", "check_axis", "check_lines"]

#: Coordinates in files are rounded, so that a point at the edge of a bin may seem to lie outside.
HALF_A_BIN = 0.5 + 0.01


def check_lines(lines, name):
    """Line numbers as integers; refuses what is not different whole numbers."""
    if lines is None:
        raise ValueError(
            f"`{name}` must be the line numbers of the survey; got None. Only a DataArray with "
            "coordinates `inline` and `crossline` brings its own."
        )
    lines = np.asarray(lines)
    whole = lines.dtype.kind in "iuf" and np.array_equal(lines, np.round(lines))
    if lines.ndim != 1 or not lines.size or not whole or len(np.unique(lines)) < len(lines):
        raise ValueError(f"`{name}` must be different whole numbers, one a line; got {lines!r}.")
    return lines.astype(np.int64)


def check_axis(sample_interval, first_sample):
    for name, value in (("sample_interval", sample_interval), ("first_sample", first_sample)):
        if not isinstance(value, Real) or not np.isfinite(value):
            raise ValueError(f"`{name}` must be a finite number; got {value!r}.")
    if sample_interval <= 0:
        raise ValueError(f"`sample_interval` must be above 0; got {sample_interval!r}.")


class Survey:
    """Where the traces and samples of a cube lie.

    Parameters
    ----------
    cube : DataArray (inline, crossline, vertical axis)
        Only its coordinates are used.
    by_xy : bool, default=False
        Whether X and Y of the traces will do where there are no line numbers.

    Attributes
    ----------
    numbered : bool
        Whether traces have line numbers; without them, X and Y alone say where traces are.
    inlines, crosslines : int arrays of shape (n_inlines,), (n_crosslines,)
        Line numbers; without them, positions.
    xy : float array of shape (n_inlines, n_crosslines, 2), or None
        X and Y of the traces, NaN without a trace.
    n_samples : int
    first, interval : float
        First value and step of the vertical axis; 0 and 1 if it has no coordinate.
    unit : str
        Unit of the vertical axis; "samples" if it has no coordinate, "" if it is not known.
    kind : str
        "time", "depth" or "".
    """

    def __init__(self, cube, *, by_xy=False):
        dims = getattr(cube, "dims", ())
        if len(dims) != 3 or not {"inline", "crossline"} <= set(dims):
            raise ValueError(
                "`like` must be the cube of the survey, a DataArray with the axes inline, "
                f"crossline and samples, as skfacies.io.open_cube returns it; got "
                f"{type(cube).__name__}{f' with the axes {dims}' if dims else ''}."
            )
        (vertical,) = (dim for dim in dims if dim not in ("inline", "crossline"))
        lines = [cube.coords[name] for name in dims_of_lines() if name in cube.coords]
        self.numbered = len(lines) == 2
        if not self.numbered and by_xy and all(name in cube.coords for name in POSITIONS):
            lines = [np.arange(cube.sizes[name]) for name in dims_of_lines()]
        elif not self.numbered:
            raise ValueError(
                "the cube has no line numbers, so points of horizons cannot be placed. Open the "
                "SEG-Y file of the survey, or assign the coordinates inline and crossline."
            )
        self.inlines, self.crosslines = (
            check_lines(numbers, f"like.{name}")
            for numbers, name in zip(lines, dims_of_lines(), strict=True)
        )
        self.shape = (len(self.inlines), len(self.crosslines))
        self.n_samples = cube.sizes[vertical]
        self.xy = None
        if all(name in cube.coords for name in POSITIONS):
            x, y = (_on_lines(cube.coords[name]) for name in POSITIONS)
            self.xy = np.stack([x, y], axis=-1) if np.isfinite(x * y).any() else None
        self._set_axis(cube, vertical)

    def _set_axis(self, cube, vertical):
        self.axis_name, self.first, self.interval = str(vertical), 0.0, 1.0
        self.unit, self.kind = "samples", ""
        if vertical not in cube.coords:
            return
        axis = cube.coords[vertical]
        values = np.asarray(axis, dtype=np.float64)
        steps = np.diff(values)
        uneven = steps.size and not np.allclose(steps, steps[0], rtol=1e-3, atol=0)
        if uneven or (steps.size and steps[0] <= 0):
            raise ValueError(
                f"the cube has an axis {vertical} that is not evenly spaced downwards. Horizons "
                "become samples by its first value and its interval."
            )
        self.first = float(values[0])
        self.interval = float(steps.mean()) if steps.size else 1.0
        self.unit = (unit_of(axis.name, values, axis.attrs) or "").lower()
        kind = vertical_kind(vertical)
        self.kind = {"twt": "time", None: ""}.get(kind, kind)
        if not self.kind:
            kinds = (kind for kind, units in UNIT_SCALES.items() if self.unit in units)
            self.kind = next(kinds, "")

    @property
    def last(self):
        """Last value of the vertical axis."""
        return self.first + self.interval * (self.n_samples - 1)

    @property
    def extent(self):
        """Range of the vertical axis in words."""
        return f"{self.first:g} to {self.last:g} {self.unit}".rstrip()

    # --- places by X and Y -------------------------------------------------------------------

    def find_traces(self, x, y):
        """The trace nearest to each point, and how far it is.

        Returns
        -------
        traces : int array of shape (n_points,)
            Position among all traces, inline after inline; -1 for points outside of the survey:
            more than half a bin from each trace, along inlines or along crosslines.
        distances : float array of shape (n_points,)
            Distance in bins; infinite outside.
        """
        points = self._to_bins(np.stack([x, y], axis=-1))
        finite = np.isfinite(points).all(axis=-1)
        distances, found = np.full(len(points), np.inf), np.full(len(points), -1)
        positions, tree = self._tree
        norm = np.inf if self._bins[2] else 2
        near, own = tree.query(points[finite], p=norm, distance_upper_bound=HALF_A_BIN)
        inside = np.isfinite(near)
        found[finite] = np.where(inside, positions[np.where(inside, own, 0)], -1)
        distances[finite] = near
        return found, distances

    def compare_xy(self, x, y):
        """X and Y of points and those of the survey in words, and what could make them differ."""
        own = self.xy.reshape(-1, 2)
        own = own[np.isfinite(own).all(axis=1)]
        low, high = own.min(axis=0), own.max(axis=0)
        words = (
            f"its X are {np.nanmin(x):.10g} to {np.nanmax(x):.10g}, its Y {np.nanmin(y):.10g} to "
            f"{np.nanmax(y):.10g}; those of the traces are {low[0]:.10g} to {high[0]:.10g} and "
            f"{low[1]:.10g} to {high[1]:.10g}."
        )
        some = slice(None, None, max(1, len(x) // 10_000))
        x, y = x[some], y[some]
        if (self.find_traces(y, x)[0] >= 0).any():
            return f"{words} X and Y seem to be swapped."
        for factor in (10, 100, 1000, 0.1, 0.01, 0.001):
            if (self.find_traces(x * factor, y * factor)[0] >= 0).any():
                return (
                    f"{words} Those of the traces are {factor:g} times as large: the coordinate "
                    "scalar in the trace headers (bytes 71-72) may be wrong, or the unit."
                )
        return f"{words} Is it a horizon of this survey, in the same projection?"

    def _to_bins(self, points):
        origin, inverse, _ = self._bins
        return (points - origin) @ inverse

    @cached_property
    def _tree(self):
        flat = self.xy.reshape(-1, 2)
        positions = np.flatnonzero(np.isfinite(flat).all(axis=1))
        return positions, cKDTree(self._to_bins(flat[positions]))

    @cached_property
    def _bins(self):
        """Origin, matrix from X and Y to bins along crosslines and inlines, and whether it is 2-D.

        The bins of a survey need not be square, and are turned. A single line has no second
        direction: its bins are round.
        """
        origin = np.nanmean(self.xy, axis=(0, 1))
        steps = [np.diff(self.xy, axis=axis).reshape(-1, 2) for axis in (0, 1)]
        steps = [step[np.isfinite(step).all(axis=1)] for step in steps]
        if all(len(step) for step in steps):
            matrix = np.array([np.median(step, axis=0) for step in steps])
            area, sides = abs(np.linalg.det(matrix)), np.linalg.norm(matrix, axis=1)
            # Lines that are not straight, or not parallel, have no common bin.
            if area > 0.3 * sides.prod() > 0:
                return origin, np.linalg.inv(matrix), True
        lengths = np.concatenate([np.linalg.norm(step, axis=1) for step in steps])
        lengths = lengths[lengths > 0]
        spacing = np.median(lengths) if lengths.size else 1.0
        return origin, np.eye(2) / spacing, False

    # --- depths ------------------------------------------------------------------------------

    def share_inside(self, values, factor=1.0):
        """Part of the values that lie on the vertical axis, after multiplication by a factor."""
        values = values[np.isfinite(values)] * factor
        reach = self.interval
        inside = (values >= self.first - reach) & (values <= self.last + reach)
        return inside.mean() if values.size else 0.0


def dims_of_lines():
    return ("inline", "crossline")


def _on_lines(coordinate):
    return np.asarray(coordinate.transpose(*dims_of_lines()), dtype=np.float64)
