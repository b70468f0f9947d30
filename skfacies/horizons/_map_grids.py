"""Grids along X and Y for mapping systems, whose nodes are the traces of a survey."""

from typing import NamedTuple

import numpy as np

__all__ = ["make_map_grid", "zmap_lines"]

#: Traces this far from the nodes, in bins, are on them: headers have rounded coordinates.
TOLERANCE = 0.1
LARGEST_GRID = 10**8
FIELD_WIDTH = 15
NODES_A_LINE = 5


class MapNodes(NamedTuple):
    """Where the traces are on a grid of nodes along X and Y.

    `columns` and `rows` (n_inlines, n_crosslines) count nodes from west and from south; `shape` is
    (n_columns, n_rows), `extent` the X and Y of the outermost nodes: west, east, south, north.
    """

    columns: np.ndarray
    rows: np.ndarray
    shape: tuple
    extent: tuple


def make_map_grid(inlines, crosslines, xy):
    """Nodes at the traces, of a survey whose lines run along X and Y.

    Parameters
    ----------
    inlines, crosslines : int arrays of shape (n_inlines,), (n_crosslines,)
    xy : float array of shape (n_inlines, n_crosslines, 2)
        NaN where there is no trace.

    Raises
    ------
    ValueError
        If lines are turned against X and Y, or traces are not on a regular grid.
    """
    steps = [_common_step(numbers) for numbers in (inlines, crosslines)]
    counts = [
        (numbers - numbers.min()) // step
        for numbers, step in zip((inlines, crosslines), steps, strict=True)
    ]
    origin, vectors = _fit(counts, xy)
    bins = np.linalg.norm(vectors, axis=1)
    along = int(abs(vectors[0, 1]) > abs(vectors[0, 0]))  # 0: X grows with inline numbers
    lengths = [count.max() for count in counts]
    drift = [abs(vectors[0, 1 - along]) * lengths[0], abs(vectors[1, along]) * lengths[1]]
    if max(drift) > TOLERANCE * bins.min():
        angle = np.degrees(np.arctan2(vectors[0, 1], vectors[0, 0])) % 90
        angle = min(angle, 90 - angle)
        raise ValueError(
            f"the lines of the survey are turned by {angle:.1f} degrees against X and Y, and a "
            "ZMAP+ grid has no angle. Use format='xyz' or 'charisma', which have each trace in its "
            "place, and make the grid in the mapping system."
        )
    sides = vectors[0, along], vectors[1, 1 - along]
    nodes = [
        count if side > 0 else length - count
        for count, side, length in zip(counts, sides, lengths, strict=True)
    ]
    far = origin + [[0, 0], np.array(lengths) @ vectors]
    first, last = np.sort(far, axis=0)
    nodes = np.meshgrid(*nodes, indexing="ij")
    columns, rows = nodes if along == 0 else nodes[::-1]
    shape = tuple(int(length) + 1 for length in (lengths if along == 0 else lengths[::-1]))
    if shape[0] * shape[1] > LARGEST_GRID:
        raise ValueError(
            f"a ZMAP+ grid of this survey would have {shape[0]} x {shape[1]} nodes, as its line "
            "numbers have no common step. Use format='xyz'."
        )
    extent = first[0], last[0], first[1], last[1]
    return MapNodes(columns, rows, shape, tuple(float(end) for end in extent))


def _common_step(numbers):
    return int(np.gcd.reduce(np.diff(np.sort(numbers)))) or 1


def _fit(counts, xy):
    """Origin and step along inlines and crosslines of the regular grid closest to the traces."""
    placed = np.isfinite(xy).all(axis=-1)
    rows, traces = np.nonzero(placed)
    design = np.stack([np.ones(len(rows)), counts[0][rows], counts[1][traces]], axis=1)
    if len(rows) < 3 or np.linalg.matrix_rank(design) < 3:
        raise ValueError(
            "a ZMAP+ grid needs traces on several inlines and crosslines with X and Y. For a line "
            "use format='xyz'."
        )
    found = np.linalg.lstsq(design, xy[placed], rcond=None)[0]
    bins = np.linalg.norm(found[1:], axis=1)
    away = np.linalg.norm(design @ found - xy[placed], axis=1)
    if away.max() > TOLERANCE * bins.min():
        worst = away.argmax()
        raise ValueError(
            f"X and Y of the traces are not on a regular grid: those of row {rows[worst]}, trace "
            f"{traces[worst]} lie {away.max():.4g} away from it, where bins are {bins.min():.4g} "
            "wide. Use format='xyz'."
        )
    return found[0], found[1:]


def zmap_lines(grid, values, name, unit, null, decimals):
    """Lines of a ZMAP+ file: columns from west to east, each from north to south."""
    nodes = np.full(grid.shape, null)
    known = ~np.isnan(values)
    nodes[grid.columns[known], grid.rows[known]] = values[known]
    n_columns, n_rows = grid.shape
    name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
    yield f"! {name}{f', z in {unit}' if unit else ''}"
    yield "! written by skfacies"
    yield f"@{name} HEADER, GRID, {NODES_A_LINE}"
    yield f"{FIELD_WIDTH}, {null:.{decimals}f}, , {decimals}, 1"
    yield f"{n_rows}, {n_columns}, " + ", ".join(f"{end:.4f}" for end in grid.extent)
    yield "0.0, 0.0, 0.0"
    yield "@"
    for column in nodes[:, ::-1]:
        for start in range(0, n_rows, NODES_A_LINE):
            cells = column[start : start + NODES_A_LINE].tolist()
            yield "".join(f"{cell:{FIELD_WIDTH}.{decimals}f}" for cell in cells)
