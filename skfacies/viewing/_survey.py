"""Line numbers, times and map coordinates of a cube, as a page shows them."""

import numpy as np

from skfacies._cubes.axes import VERTICAL_NAMES, unit_of, vertical_kind
from skfacies._cubes.holders import AXES, has_named_axes, ordered_dims

__all__ = ["Axis", "find_axes", "find_lines", "find_map", "line_positions", "source_of"]


class Axis:
    """Name, unit and numbers of an axis of a cube; positions are the numbers if it has none."""

    def __init__(self, name, numbers, unit=""):
        self.name, self.numbers, self.unit = name, np.asarray(numbers), unit

    def as_json(self, kept):
        # Rounded: 0.1 + 0.2 has 17 digits, and times in headers are whole microseconds.
        numbers = [round(number, 4) for number in self.numbers[kept].tolist()]
        return {"name": self.name, "unit": self.unit, "numbers": numbers}


def find_axes(cube):
    """The three axes of a cube in their usual order."""
    if not has_named_axes(cube):
        return [
            Axis(name, np.arange(n))
            for name, n in zip((*AXES, "sample"), map(int, cube.shape), strict=True)
        ]
    dims = ordered_dims(cube)
    axes = []
    for name, dim in zip((*AXES, "sample"), dims, strict=True):
        n = int(cube.sizes[dim])
        known = dim in cube.coords and cube.coords[dim].dtype.kind in "iuf"
        axis = Axis(name, np.asarray(cube.coords[dim]) if known else np.arange(n))
        if name == "sample" and known:
            axis.unit = unit_of(dim, axis.numbers, cube.coords[dim].attrs) or ""
            axis.name = VERTICAL_NAMES.get(vertical_kind(dim), str(dim))
        axes.append(axis)
    return axes


def find_map(cube, axes):
    """X and Y as linear functions of inline and crossline number, or None.

    Returns
    -------
    coefficients : dict of lists (constant, by inline, by crossline), by "x" and "y"
        None if the cube has no coordinates, or traces do not lie on a regular grid.
    """
    if not has_named_axes(cube) or not {"cdp_x", "cdp_y"} <= set(cube.coords):
        return None
    dims = ordered_dims(cube)[:2]
    if any(set(cube.coords[name].dims) != set(dims) for name in ("cdp_x", "cdp_y")):
        return None
    inline, crossline = np.meshgrid(axes[0].numbers, axes[1].numbers, indexing="ij")
    xy = np.stack(
        [np.asarray(cube.coords[name].transpose(*dims), dtype=float) for name in ("cdp_x", "cdp_y")]
    )
    live = np.isfinite(xy).all(axis=0)
    terms = np.stack([np.ones(live.sum()), inline[live], crossline[live]], axis=1)
    if np.linalg.matrix_rank(terms - [0, *terms[:, 1:].mean(axis=0)] if len(terms) else terms) < 3:
        return None
    center = terms[:, 1:].mean(axis=0)  # large numbers lose digits otherwise
    centered = terms - [0, *center]
    solution, *_ = np.linalg.lstsq(centered, xy[:, live].T, rcond=None)
    bin_size = np.hypot(*solution[1:].T).min()
    misfit = np.abs(centered @ solution - xy[:, live].T).max()
    if not bin_size > 0 or misfit > bin_size * np.abs(np.diff(axes[1].numbers)).min():
        return None
    solution[0] -= center @ solution[1:]
    return {name: solution[:, k].tolist() for k, name in enumerate("xy")}


def find_lines(lines, axes, name):
    """Numbers of lines by direction, checked against those of the cube.

    Parameters
    ----------
    lines : dict of sequences, or None
    axes : list of Axis
    name : str
        For messages.

    Returns
    -------
    lines : dict of lists, by "inline" and "crossline"
    """
    lines = {} if lines is None else lines
    if not hasattr(lines, "items") or not set(lines) <= set(AXES):
        raise ValueError(
            f"`{name}` must be a dict of line numbers, such as {{'inline': [120, 140], "
            f"'crossline': [300]}}; got {lines!r}."
        )
    found = {}
    for axis, direction in zip(axes[:2], AXES, strict=True):
        numbers = np.unique(np.asarray(lines.get(direction, ())))
        absent = numbers[~np.isin(numbers, axis.numbers)]
        if len(absent):
            raise ValueError(
                f"`{name}` has the {direction} {absent[0]}, but the {direction}s of `cube` are "
                f"{axis.numbers[0]} to {axis.numbers[-1]}. Give numbers of lines in the cube."
            )
        found[direction] = numbers.tolist()
    return found


def line_positions(axis, *numbers):
    """Positions on an axis of line numbers that are on it."""
    wanted = np.unique(np.concatenate([np.asarray(own, dtype=float) for own in numbers]))
    return np.flatnonzero(np.isin(axis.numbers.astype(float), wanted)).tolist()


def source_of(cube):
    """Path of the file that a cube was opened from, or None."""
    return getattr(cube, "attrs", {}).get("source") if has_named_axes(cube) else None
