"""Points of a horizon on the lines of a survey."""

import warnings

import numpy as np

from skfacies.horizons._formats import WITH_LINES

__all__ = ["check_grid", "fill_grid", "keep_points"]

#: Larger grids must have a point in one of so many cells.
LARGE_GRID = 10**7
LEAST_FILL = 1e-3


def keep_points(points, grid, path, columns, *, both_given):
    """Mask of the points on the lines of the survey.

    Raises
    ------
    ValueError
        If there are none, or more with inlines and crosslines swapped.
    """
    inside = _on_lines(points, grid)
    share = inside.mean()
    if both_given:
        swapped = _on_lines(points[::-1], grid).mean()
        if swapped > share + 0.1:
            other = {"inline": "crossline", "crossline": "inline"}
            raise ValueError(
                f"Columns of {str(path)!r} seem to be swapped: {_percent(share)} of the points lie "
                f"on the given lines, {_percent(swapped)} with inlines for crosslines. Give "
                f"columns={tuple(other.get(column, column) for column in columns)}."
            )
    found = (
        f"its inlines are {points[0].min()}-{points[0].max()}, its crosslines {points[1].min()}-"
        f"{points[1].max()}"
    )
    if not inside.any():
        raise ValueError(
            f"{str(path)!r} has no point on the lines of `inlines` and `crosslines`: {found}. Are "
            f"the columns {columns}?"
        )
    if share < 0.5:
        warnings.warn(
            f"{_percent(share)} of the points of {str(path)!r} lie on the given lines: {found}. "
            "The others are left out.",
            stacklevel=3,
        )
    return inside


def check_grid(grid, n_points, path):
    """Refuse grids that cannot be those of line numbers, before memory is taken for them."""
    n_cells = len(grid[0]) * len(grid[1])
    coordinates = all(np.abs(lines).min() >= 1e5 for lines in grid)
    if coordinates or (n_cells > LARGE_GRID and n_points < LEAST_FILL * n_cells):
        raise ValueError(
            f"{str(path)!r} has {n_points} points on {len(grid[0])} inlines, from "
            f"{grid[0].min()} to {grid[0].max()}, and {len(grid[1])} crosslines, from "
            f"{grid[1].min()} to {grid[1].max()}. {WITH_LINES}"
        )


def fill_grid(points, values, numbers, grid, path):
    """Horizon on the grid; a point that occurs twice must have one value, or none beside it.

    `numbers` is a function that returns the line of the file that each point is in.
    """
    n_crosslines = len(grid[1])
    cells = [_positions(found, lines) for found, lines in zip(points, grid, strict=True)]
    flat, given = cells[0] * n_crosslines + cells[1], ~np.isnan(values)
    data = np.full(len(grid[0]) * n_crosslines, np.nan)
    data[flat[given]] = values[given]
    differs = given & (data[flat] != values)
    if differs.any():
        numbers, first = numbers(), np.flatnonzero(differs)[0]
        last = numbers[np.flatnonzero(given & (flat == flat[first]))[-1]]
        n_twice, n_traces = len(np.unique(flat[differs])), len(np.unique(flat))
        advice = (
            "Several horizons seem to be in the file: take it apart, or, if a column has their "
            'names, call it "name" in `columns` and give `name`.'
            if n_twice > 0.1 * n_traces
            else "Take out one of them, or give several horizons a file each."
        )
        raise ValueError(
            f"Lines {numbers[first]} and {last} of {str(path)!r} give two values for inline "
            f"{points[0][first]}, crossline {points[1][first]}; values differ like that on "
            f"{n_twice} of {n_traces} traces. {advice}"
        )
    return data.reshape(len(grid[0]), n_crosslines)


def _on_lines(points, grid):
    return np.isin(points[0], grid[0]) & np.isin(points[1], grid[1])


def _positions(found, lines):
    order = np.argsort(lines)
    return order[np.searchsorted(lines, found, sorter=order)]


def _percent(share):
    return f"{100 * share:.0f} %"
