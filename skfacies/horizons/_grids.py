"""Map grids of mapping systems, and their values at the traces of a survey."""

import re
from typing import NamedTuple

import numpy as np

from skfacies._sections.undefined import undefined_values
from skfacies.horizons._formats import encoding_of

__all__ = ["MapGrid", "find_grid_reader", "values_at"]

#: Traces so close to a node or an edge lie on it: trace headers have rounded coordinates.
TOLERANCE = 0.05
#: Nodes of a grid for each one that has a value, at most.
MOST_NODES = 1000


class MapGrid(NamedTuple):
    """Values at the nodes of a regular, perhaps turned grid.

    `values` has shape (n_columns, n_rows), NaN where there are none; node (i, j) lies at
    ``origin + i * steps[0] + j * steps[1]``.
    """

    values: np.ndarray
    origin: np.ndarray
    steps: np.ndarray


def values_at(grid, xy):
    """Values at points, by bilinear interpolation; NaN outside and beside nodes without value.

    Parameters
    ----------
    grid : MapGrid
    xy : array of shape (..., 2)
    """
    nodes = (xy - grid.origin) @ np.linalg.inv(grid.steps)
    last = np.array(grid.values.shape) - 1
    inside = ((nodes >= -TOLERANCE) & (nodes <= last + TOLERANCE)).all(axis=-1)
    nodes = np.clip(np.where(inside[..., np.newaxis], nodes, 0), 0, last)
    low = np.floor(nodes).astype(int)
    total, known = np.zeros(inside.shape), np.zeros(inside.shape)
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        node = np.minimum(low + corner, last)
        weight = np.where(corner, nodes - low, 1 - (nodes - low)).prod(axis=-1)
        values = grid.values[node[..., 0], node[..., 1]]
        there = ~np.isnan(values)
        total += np.where(there, weight * values, 0)
        known += np.where(there, weight, 0)
    enough = inside & (known > 1 - TOLERANCE)
    return np.where(enough, total / np.where(enough, known, 1), np.nan)


def find_grid_reader(lines):
    """Name of the format and function of (path, head) that reads it; None for other files."""
    for pattern, what, reader in READERS:
        if any(re.match(pattern, line, flags=re.IGNORECASE) for line in lines[:40]):
            return what, reader
    sized = any(re.match(r"#\s*Grid_size:", line, re.IGNORECASE) for line in lines)
    fields = {match[2].lower() for line in lines if (match := _field(line))}
    if sized and {"x", "y", "column", "row"} <= fields:
        return "an EarthVision grid", _read_earthvision
    return None


# --- formats ---------------------------------------------------------------------------------


def _read_zmap(path, head):
    """Columns of nodes from west to east, each from north to south, in fields of fixed width."""
    lines = _lines(path, head)
    marks = [k for k, line in enumerate(lines) if line.startswith("@")]
    if len(marks) < 2:
        raise ValueError(_broken(path, "a ZMAP+ grid", "a second line that begins with @"))
    header = [re.split(r"\s*,\s*", line.strip()) for line in lines[marks[0] + 1 : marks[1]]]
    width, null = int(header[0][0]), header[0][1] or header[0][2]
    n_rows, n_columns = (int(cell) for cell in header[1][:2])
    x_first, x_last, y_first, y_last = (float(cell) for cell in header[1][2:6])
    body = [line for line in lines[marks[1] + 1 :] if line.strip() and line[0] not in "!+"]
    values = _numbers(" ".join(body))
    if values is None or len(values) != n_rows * n_columns:  # fields without blanks between them
        cells = [line[k : k + width] for line in body for k in range(0, len(line.rstrip()), width)]
        values = _numbers(" ".join(cells))
    return _upright(
        path, values, (n_columns, n_rows), (x_first, x_last, y_first, y_last), [float(null)]
    )


def _read_cps3(path, head):
    """Columns of nodes from west to east, each from north to south."""
    lines = _lines(path, head)
    header = {line.split()[0].upper(): line.split() for line in lines if line[:2].upper() == "FS"}
    if not {"FSLIMI", "FSNROW"} <= set(header):
        raise ValueError(_broken(path, "a CPS-3 grid", "lines FSLIMI and FSNROW"))
    extent = [float(cell) for cell in header["FSLIMI"][1:5]]
    n_rows, n_columns = (int(cell) for cell in header["FSNROW"][1:3])
    nulls = [float(cell) for cell in re.findall(r"\S*[eE]\+?\d+", " ".join(header["FSASCI"]))]
    body = [line for line in lines if not re.match(r"\s*(FS|->|[!#])", line, re.IGNORECASE)]
    return _upright(path, _numbers(" ".join(body)), (n_columns, n_rows), extent, nulls)


def _read_irap(path, head):
    """Rows of nodes from south to north, each from west to east; the grid may be turned."""
    cells = _numbers(" ".join(_lines(path, head)))
    if cells is None or len(cells) < 19:
        raise ValueError(_broken(path, "an Irap classic grid", "19 numbers before the nodes"))
    n_rows, n_columns = int(cells[1]), int(cells[8])
    angle = np.deg2rad(cells[9])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    center = cells[10:12]
    origin = center + (np.array([cells[4], cells[6]]) - center) @ turn
    values = _shaped(path, cells[19:], (n_rows, n_columns), [9999900.0]).T
    return MapGrid(values, origin, np.diag(cells[2:4]) @ turn)


def _read_surfer(path, head):
    """Rows of nodes from south to north, each from west to east."""
    cells = _numbers(" ".join(_lines(path, head)[1:]))
    if cells is None or len(cells) < 8:
        raise ValueError(_broken(path, "a Surfer grid", "eight numbers before the nodes"))
    n_columns, n_rows = int(cells[0]), int(cells[1])
    values = _shaped(path, cells[8:], (n_rows, n_columns), [1.70141e38]).T
    return _spanned(values, cells[2:6])


def _read_esri(path, head):
    """Rows of cells from north to south, each from west to east."""
    lines = _lines(path, head)
    header = [re.match(r"\s*([a-z_]+)\s+(\S+)\s*$", line, re.IGNORECASE) for line in lines[:8]]
    n_titles = next((k for k, match in enumerate(header) if match is None), len(header))
    named = {match[1].lower(): float(match[2]) for match in header[:n_titles]}
    if not {"ncols", "nrows", "cellsize"} <= set(named):
        raise ValueError(_broken(path, "an Esri ASCII grid", "ncols, nrows and cellsize"))
    shape = int(named["nrows"]), int(named["ncols"])
    null = [named["nodata_value"]] if "nodata_value" in named else []
    values = _shaped(path, _numbers(" ".join(lines[n_titles:])), shape, null)[::-1].T
    cell = named["cellsize"]
    origin = [
        named.get(f"{axis}llcenter", named.get(f"{axis}llcorner", 0) + cell / 2) for axis in "xy"
    ]
    return MapGrid(values, np.array(origin), np.eye(2) * cell)


def _read_earthvision(path, head):
    """Lines of X, Y, z, column and row."""
    lines = _lines(path, head)
    fields = [match[2].lower() for line in lines if (match := _field(line))]
    cells = _numbers(" ".join(line for line in lines if not line.lstrip().startswith("#")))
    if cells is None or len(cells) % len(fields):
        raise ValueError(_broken(path, "an EarthVision grid", f"{len(fields)} numbers in a line"))
    cells = cells.reshape(-1, len(fields))
    nodes = cells[:, [fields.index("column"), fields.index("row")]]
    first = nodes.min(axis=0)
    nodes = nodes - first
    extent = nodes.max(axis=0) + 1
    if not np.isfinite(nodes).all() or extent.prod() > MOST_NODES * len(nodes):
        raise ValueError(_broken(path, "an EarthVision grid", "whole columns and rows of nodes"))
    design = np.column_stack([np.ones(len(nodes)), nodes])
    fit, *_ = np.linalg.lstsq(design, cells[:, [fields.index("x"), fields.index("y")]], rcond=None)
    values = np.full(extent.astype(int), np.nan)
    z = cells[:, next(k for k, name in enumerate(fields) if name not in ("x", "y"))]
    values[tuple(nodes.astype(int).T)] = np.where(undefined_values(z), np.nan, z)
    return MapGrid(values, fit[0], fit[1:])


READERS = (
    (r"@.*\bHEADER\b|@[^,]*,\s*GRID\b", "a ZMAP+ grid", _read_zmap),
    (r"FS(ASCI|ATTR|LIMI|NROW|XINC)\b", "a CPS-3 grid", _read_cps3),
    (r"-996\s+\d+\s", "an Irap classic grid", _read_irap),
    (r"(ncols|nrows|xll(corner|center)|cellsize)\s+[-\d]", "an Esri ASCII grid", _read_esri),
    (r"DSAA\b", "a Surfer grid", _read_surfer),
)


# --- numbers ---------------------------------------------------------------------------------


def _lines(path, head):
    with open(path, encoding=encoding_of(head), errors="replace") as file:
        return file.read().splitlines()


def _field(line):
    return re.match(r"#\s*Field:\s*(\d+)\s+(\w+)", line, flags=re.IGNORECASE)


def _numbers(text):
    """All numbers of a text; None if it has other words."""
    try:
        return np.array(text.replace(",", " ").split(), dtype=np.float64)
    except ValueError:
        return None


def _upright(path, values, shape, extent, nulls):
    """Grid of columns from north to south."""
    return _spanned(_shaped(path, values, shape, nulls)[:, ::-1], extent)


def _shaped(path, values, shape, nulls):
    n_found = "other words" if values is None else f"{len(values)} numbers"
    if values is None or len(values) != np.prod(shape):
        raise ValueError(
            f"{str(path)!r} has {n_found} where its header says {shape[0]} x {shape[1]} nodes. "
            "The file may have been cut off: export it again."
        )
    values = values.astype(np.float64, copy=True)
    absent = undefined_values(values)
    for null in nulls:
        absent |= np.isclose(values, null, rtol=1e-6, atol=0)
    values[absent] = np.nan
    return values.reshape(shape)


def _spanned(values, extent):
    """Grid whose corner nodes lie at the ends of the extent in X and in Y."""
    x_first, x_last, y_first, y_last = extent
    n_columns, n_rows = values.shape
    step_x = (x_last - x_first) / max(n_columns - 1, 1)
    step_y = (y_last - y_first) / max(n_rows - 1, 1)
    steps = np.diag([step_x or 1.0, step_y or 1.0])
    return MapGrid(values, np.array([x_first, y_first]), steps)


def _broken(path, what, expected):
    return f"{str(path)!r} seems to be {what}, but has no {expected}. Export it again."
