"""A map of lines: their numbers, positions, and distances from the lines that were picked."""

import numpy as np

from skfacies._cubes.holders import AXES, has_named_axes
from skfacies._cubes.trained_lines import lie_along, trained_lines, whole_line

__all__ = ["LineMap", "known_lines"]


class LineMap:
    """Positions of inlines and crosslines of a cube, their numbers, and their spacing.

    Parameters
    ----------
    shape : tuple (n_inlines, n_crosslines, n_samples)
    numbers : tuple of arrays (n_inlines,), (n_crosslines,), …, or None
        Line numbers; None counts positions.
    cube : array-like
        A DataArray may have the coordinates `cdp_x` and `cdp_y`, which tell the spacing.
    """

    def __init__(self, shape, numbers, cube):
        self.shape = shape
        self.has_numbers = numbers is not None
        self.numbers = numbers[:2] if numbers else [np.arange(size) for size in shape[:2]]
        self.scales = _spacing(cube) or (1.0, 1.0)

    def number(self, axis, position):
        """Number of a line, an int where it is whole."""
        number = float(self.numbers[axis][position])
        return int(number) if number.is_integer() else number

    def positions_of(self, lines, axis, name):
        """Positions of the lines of one direction in a dict of numbers."""
        unknown = set(lines) - set(AXES)
        if unknown:
            raise ValueError(f"`{name}` has the keys {sorted(unknown)}; known are {list(AXES)}.")
        own = self.numbers[axis].tolist()
        wanted = np.asarray(lines.get(AXES[axis], ())).tolist()
        missing = [number for number in wanted if number not in own]
        if missing:
            raise ValueError(
                f"`{name}` has {AXES[axis]}s that the cube does not have: {missing[:5]}; it has "
                f"{own[0]:g} to {own[-1]:g}."
            )
        return np.array([own.index(number) for number in wanted], dtype=int)

    def scaled(self, positions):
        """Positions (..., 2) in units of the spacing of inlines."""
        return np.asarray(positions, dtype=np.float64) * self.scales

    def from_numbers(self, numbers):
        """Positions (..., 2) of line numbers, also beyond the cube."""
        numbers = np.asarray(numbers, dtype=np.float64)
        return np.stack([_continued(numbers[..., k], self.numbers[k]) for k in (0, 1)], axis=-1)

    def distances(self, places, lines, axis):
        """Distance of each scaled place (n, 2) from the nearest of lines (n_lines, 2, 2).

        Only inlines (0) or crosslines (1) count, and lines that are neither; the diagonal of the
        survey if there are none.
        """
        farthest = np.linalg.norm(self.scaled(np.array(self.shape[:2])))
        nearest = np.full(len(places), farthest)
        for start, end in self.scaled(lines[~lie_along(lines, 1 - axis)]):
            along = end - start
            length = along @ along
            share = np.clip((places - start) @ along / length, 0, 1) if length else 0
            foot = start + np.multiply.outer(share, along)
            nearest = np.minimum(nearest, np.linalg.norm(places - foot, axis=1))
        return nearest


def _continued(values, numbers):
    """Positions of numbers that rise or fall by steps, continued to either side."""
    if len(numbers) == 1:
        return values - numbers[0]
    order = np.argsort(numbers)
    inside = np.interp(values, numbers[order], order.astype(np.float64))
    step = (numbers[-1] - numbers[0]) / (len(numbers) - 1)
    beyond = (values < numbers.min()) | (values > numbers.max())
    return np.where(beyond, (values - numbers[0]) / step, inside)


def _spacing(cube):
    """Distances between inlines, and between crosslines, relative to the first; None if unknown."""
    if not has_named_axes(cube) or not {"cdp_x", "cdp_y"} <= set(cube.coords):
        return None
    x, y = (np.asarray(cube.coords[name], dtype=np.float64) for name in ("cdp_x", "cdp_y"))
    if x.shape != tuple(cube.shape[:2]) or y.shape != x.shape or min(x.shape) < 2:
        return None
    steps = [np.nanmedian(np.hypot(np.diff(x, axis=k), np.diff(y, axis=k))) for k in (0, 1)]
    if not all(np.isfinite(step) and step > 0 for step in steps):
        return None
    return 1.0, float(steps[1] / steps[0])


def known_lines(estimator, place, picked):
    """Ends (n_lines, 2, 2), as positions, of the lines that a model has learned from."""
    if picked is None:
        ends = trained_lines(estimator, place.numbers, placed=place.has_numbers)
        if ends is None:
            raise ValueError(
                "the estimator does not know where its training lines are in `cube`. Give "
                '`picked`, a dict of line numbers such as {"inline": [120, 240], "crossline": []}; '
                "{} if none of them are there."
            )
    else:
        ends = [
            whole_line(place.numbers, axis, position)
            for axis in (0, 1)
            for position in place.positions_of(picked, axis, "picked").tolist()
        ]
    return place.from_numbers(np.reshape(ends, (-1, 2, 2)))
