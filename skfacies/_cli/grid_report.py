"""Where a survey lies in X and Y: its corners, its bins, and the azimuth of its lines."""

import numpy as np

from skfacies._cubes.writing import POSITIONS
from skfacies._segy.positions import fit_grid, is_even
from skfacies._tables import table_text

__all__ = ["describe_positions", "grid_of"]

#: Traces that the grid is fitted to; more do not change it.
N_FITTED = 200_000
#: Words for numbers in bytes 89-90 of trace headers that are no lengths.
ANGLES = {2: "seconds of arc", 3: "degrees", 4: "degrees, minutes and seconds"}
#: Steps from trace to trace along one line, in usual steps.
LARGEST_STEP = 5
LINES = ("inline", "crossline")


def _coordinates(cube):
    """X and Y, shape (2, n_inlines, n_crosslines), or None."""
    if not all(name in cube.coords for name in (*POSITIONS, *LINES)):
        return None
    xy = np.stack([np.asarray(cube[name], dtype=float) for name in POSITIONS])
    return xy if xy.shape[1:] == cube.shape[:2] and np.isfinite(xy).any() else None


def grid_of(cube):
    """`Grid` of a cube; None if it has no coordinates that give one."""
    xy = _coordinates(cube)
    if xy is None:
        return None
    lines = np.meshgrid(*(np.asarray(cube[name]) for name in LINES), indexing="ij")
    found = np.flatnonzero(np.isfinite(xy).all(axis=0).ravel())
    found = found[:: max(1, len(found) // N_FITTED)]
    return fit_grid(*(numbers.ravel()[found] for numbers in (*lines, *xy)))


def describe_positions(cube, unit="", angle=0):
    """Corners, bins and azimuths, as rows (title, text, value).

    Parameters
    ----------
    unit : str, default=""
        Unit of X and Y.
    angle : int, default=0
        Bytes 89-90 of the trace headers: 2, 3 and 4 are angles, which have no bins.
    """
    xy = _coordinates(cube)
    if xy is None:
        text = "none in the headers" if cube.attrs.get("sorting") else "none"
        yield "X and Y", text, None
        return
    places = [cube.attrs.get(name) for name in ("x_byte", "y_byte")]
    words = f" (bytes {places[0]} and {places[1]})" if all(places) else ""
    low, high = np.nanmin(xy, axis=(1, 2)), np.nanmax(xy, axis=(1, 2))
    unit = ANGLES.get(angle, unit)
    yield (
        "X and Y",
        f"X {low[0]:.10g} to {high[0]:.10g}, Y {low[1]:.10g} to {high[1]:.10g}"
        f"{f' {unit}' if unit else ''}{words}",
        {"lowest": low, "highest": high, "unit": unit, "bytes": places if all(places) else None},
    )
    grid = grid_of(cube)
    if 1 in cube.shape[:2]:
        yield from _describe_line(cube, xy, "" if angle in ANGLES else unit)
        return
    yield from _describe_corners(cube, xy, grid)
    if grid is None or not is_even(grid):
        reason = "X and Y do not lie on an even grid of the line numbers"
        yield "bin size", f"not known: {reason}", None
    elif angle not in ANGLES:
        yield from _describe_bins(cube, grid, unit)


def _describe_corners(cube, xy, grid):
    """Line numbers and coordinates of the four corners, around the survey."""
    numbers = [np.asarray(cube[name]) for name in LINES]
    corners, is_fitted = [], False
    for i, j in ((0, 0), (0, -1), (-1, -1), (-1, 0)):
        place, has_trace = xy[:, i, j], bool(np.isfinite(xy[:, i, j]).all())
        if not has_trace:
            place = grid.at(numbers[0][i], numbers[1][j]) if grid else [np.nan, np.nan]
            is_fitted = True
        corners.append(
            {
                "inline": int(numbers[0][i]),
                "crossline": int(numbers[1][j]),
                "x": float(place[0]),
                "y": float(place[1]),
                "has_trace": has_trace,
            }
        )
    rows = [("inline", "crossline", "X", "Y", "")]
    rows += [
        (
            corner["inline"],
            corner["crossline"],
            f"{corner['x']:.2f}",
            f"{corner['y']:.2f}",
            "" if corner["has_trace"] else "no trace: from the grid" if grid else "no trace",
        )
        for corner in corners
    ]
    n_columns = 4 + is_fitted
    yield "corners", table_text([row[:n_columns] for row in rows], ">>>><"[:n_columns]), corners


def _describe_bins(cube, grid, unit):
    """Distance of neighboring lines, and the directions of lines."""
    gaps = [np.diff(np.asarray(cube[name])) for name in LINES]
    steps = [int(np.abs(gap).min()) for gap in gaps]
    sizes = [float(np.hypot(*grid.steps[k]) * steps[k]) for k in range(2)]
    yield (
        "bin size",
        f"{_length(sizes[0], unit)} between inlines, {_length(sizes[1], unit)} between crosslines",
        {"between_inlines": sizes[0], "between_crosslines": sizes[1], "unit": unit},
    )
    inline, crossline = _azimuth(grid.steps[1]), _azimuth(grid.steps[0])
    angle = (crossline - inline + 180) % 360 - 180
    skew = "" if abs(abs(angle) - 90) < 1 else f", {abs(angle):.1f}° from the inlines: oblique"
    yield (
        "azimuth",
        f"inlines {inline:.1f}°, toward higher crosslines; crosslines {crossline:.1f}°, toward "
        f"higher inlines{skew} (clockwise from grid north)",
        {"inlines": inline, "crosslines": crossline},
    )


def _describe_line(cube, xy, unit):
    """Ends, trace spacing and azimuth of one line."""
    x, y = xy.reshape(2, -1)
    found = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    along = LINES[int(cube.shape[0] == 1)]
    numbers = np.asarray(cube[along])
    if len(found) < 2:
        return
    rows = [("trace", along, "X", "Y")]
    rows += [
        (name, numbers[k], f"{x[k]:.2f}", f"{y[k]:.2f}")
        for name, k in (("first", found[0]), ("last", found[-1]))
    ]
    ends = [{along: int(numbers[k]), "x": float(x[k]), "y": float(y[k])} for k in found[[0, -1]]]
    yield "ends", table_text(rows, "<>>>"), ends
    spacing = np.hypot(np.diff(x[found]), np.diff(y[found]))
    azimuth = _azimuth((x[found[-1]] - x[found[0]], y[found[-1]] - y[found[0]]))
    length, middle = float(spacing.sum()), float(np.median(spacing))
    jumps = spacing > LARGEST_STEP * middle
    warning = (
        f"; {np.count_nonzero(jumps)} steps are longer, up to {_length(spacing.max(), unit)}: are "
        "these several lines?"
    )
    yield (
        "line",
        f"{_length(length, unit)} long, traces {_length(middle, unit)} apart, azimuth "
        f"{azimuth:.1f}° from the first to the last trace (clockwise from grid north)"
        f"{warning if jumps.any() else ''}",
        {"length": length, "trace_spacing": middle, "azimuth": azimuth, "unit": unit},
    )


def _azimuth(step):
    """Direction of (X, Y), in degrees clockwise from Y, from 0 to 360."""
    return float(np.degrees(np.arctan2(step[0], step[1])) % 360)


def _length(number, unit):
    return f"{number:.2f} {unit}".rstrip()
