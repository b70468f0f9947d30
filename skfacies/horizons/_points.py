"""Points of a horizon on the lines of a survey."""

import warnings

import numpy as np

from skfacies.horizons._formats import WITH_LINES

__all__ = ["check_grid", "fill_grid", "keep_points", "place_points"]

#: Larger grids must have a point in one of so many cells.
LARGE_GRID = 10**7
LEAST_FILL = 1e-3


def keep_points(
    points, grid, path, columns, *, both_given, where="`inlines` and `crosslines`", stacklevel=3
):
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
            f"{str(path)!r} has no point on the lines of {where}: {found}."
            + (f" Are the columns {columns}?" if columns else "")
        )
    if share < 0.5:
        warnings.warn(
            f"{_percent(share)} of the points of {str(path)!r} lie on the given lines: {found}. "
            "The others are left out.",
            stacklevel=stacklevel,
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


# --- on a survey -----------------------------------------------------------------------------


def place_points(points, survey, path, columns):
    """Horizon on the traces of a survey, by line numbers or by X and Y, and notes.

    Parameters
    ----------
    points : Points
        With the cells inline and crossline, or x and y, or all of them.
    survey : Survey
    columns : tuple of str or None
        For messages.
    """
    cells = points.cells
    lines = _line_numbers(cells, survey)
    has_xy = "x" in cells and survey.xy is not None
    if lines is None and not has_xy:
        raise ValueError(
            f"{str(path)!r} has X and Y and no line numbers, and the cube has no coordinates cdp_x "
            "and cdp_y. Open the SEG-Y file with X and Y in its trace headers, or export the "
            "horizon with inline and crossline numbers."
            if "x" in cells
            else f"{str(path)!r} has no line numbers of a 3-D survey. Export X, Y and z."
            if survey.numbered
            else f"{str(path)!r} has no X and Y, and the traces have no line numbers of a survey. "
            "Export X, Y and z."
        )
    grid = [survey.inlines, survey.crosslines]
    share = 0 if lines is None else _on_lines(lines, grid).mean()
    if has_xy and share < 0.5:
        traces, distances = survey.find_traces(cells["x"], cells["y"])
        if lines is None or (traces >= 0).mean() > share:
            _check_traces(traces, cells, survey, path)
            data = _fill_nearest(traces, distances, cells["value"], points.numbers, survey, path)
            return data, [f"placed by X and Y, {np.count_nonzero(~np.isnan(data))} traces"]
    where = f"the survey, inlines {_span(grid[0])} and crosslines {_span(grid[1])}"
    inside = keep_points(lines, grid, path, columns, both_given=True, where=where, stacklevel=5)
    if has_xy:
        _compare_places(lines, cells, inside, survey, path)
    data = fill_grid(
        [found[inside] for found in lines],
        cells["value"][inside],
        lambda: points.numbers()[inside],
        grid,
        path,
    )
    n_traces = np.count_nonzero(~np.isnan(data))
    return data, [f"placed by line numbers, {n_traces} traces"]


def _span(numbers):
    return f"{numbers.min()}-{numbers.max()}"


def _line_numbers(cells, survey):
    if "crossline" not in cells or not survey.numbered:
        return None
    crosslines = cells["crossline"]
    if "inline" in cells:
        return cells["inline"], crosslines
    return np.full(len(crosslines), survey.inlines[0]), crosslines  # of one line


def _check_traces(traces, cells, survey, path):
    """Say how many points lie outside; refuse a file that has no point on the survey."""
    share = (traces >= 0).mean()
    if share == 0:
        raise ValueError(
            f"{str(path)!r} has no point within half a bin of a trace: "
            f"{survey.compare_xy(cells['x'], cells['y'])}"
        )
    if share < 0.5:
        outside = np.count_nonzero(traces < 0)
        warnings.warn(
            f"{outside} of the {len(traces)} points of {str(path)!r} are more than half a bin from "
            "each trace of the survey. They are left out.",
            stacklevel=5,
        )


def _compare_places(lines, cells, inside, survey, path):
    """Warn if X and Y are those of other traces than the line numbers."""
    some = np.flatnonzero(inside)
    some = some[:: max(1, len(some) // 1000)]
    own = _positions(lines[0][some], survey.inlines) * len(survey.crosslines)
    own += _positions(lines[1][some], survey.crosslines)
    traces, _ = survey.find_traces(cells["x"][some], cells["y"][some])
    if (traces == own).mean() < 0.5:
        warnings.warn(
            f"X and Y of {str(path)!r} are not those of the traces with its line numbers. The line "
            "numbers are used; columns=(…) without inline and crossline uses X and Y.",
            stacklevel=5,
        )


def _fill_nearest(traces, distances, values, numbers, survey, path):
    """Horizon with the value of the nearest point of each trace."""
    inside = np.flatnonzero(traces >= 0)
    traces, values = traces[inside], values[inside]
    steps = np.round(distances[inside], 3)  # so near to each other, points are at the same place
    order = np.lexsort((np.isnan(values), steps, traces))
    _, first = np.unique(traces[order], return_index=True)
    nearest = order[first]
    data = np.full(survey.shape, np.nan)
    data.flat[traces[nearest]] = values[nearest]
    at_nearest = np.full(data.size, np.inf)
    at_nearest[traces[nearest]] = steps[nearest]
    differs = (steps == at_nearest[traces]) & ~np.isnan(values) & (values != data.flat[traces])
    if differs.any():
        other = np.flatnonzero(differs)[0]
        here = nearest[np.searchsorted(traces[nearest], traces[other])]
        lines = numbers()[inside]
        i, j = np.unravel_index(traces[other], survey.shape)
        pair = sorted((lines[here], lines[other]))
        raise ValueError(
            f"Lines {pair[0]} and {pair[1]} of {str(path)!r} give two values at one place, inline "
            f"{survey.inlines[i]}, crossline {survey.crosslines[j]}; values differ like that on "
            f"{len(np.unique(traces[differs]))} of {len(nearest)} traces. If several horizons are "
            "in the file, take it apart."
        )
    return data


def _on_lines(points, grid):
    return np.isin(points[0], grid[0]) & np.isin(points[1], grid[1])


def _positions(found, lines):
    order = np.argsort(lines)
    return order[np.searchsorted(lines, found, sorter=order)]


def _percent(share):
    return f"{100 * share:.0f} %"
