"""Where traces lie in X and Y: the grid of a survey, and header bytes that may hold it."""

from dataclasses import dataclass

import numpy as np

from skfacies._segy.file import HEADER, read_words

__all__ = ["Grid", "find_position_bytes", "fit_grid", "is_even"]

#: Usual bytes of X, the likeliest first; Y follows four bytes later.
X_BYTES = (181, 73, 81, 193, 201)
#: Number of traces that are examined, evenly spread over the file.
N_LOOKED_AT = 20_000
#: Largest difference, in bins, between coordinates and those of an even grid.
LARGEST_MISFIT = 0.5
#: X and Y of surveys are large numbers; line numbers are not.
LEAST_COORDINATE = 10_000
#: Sine of the angle between inlines and crosslines.
LEAST_SINE = 0.1


@dataclass(frozen=True)
class Grid:
    """X and Y as a linear function of line numbers.

    Attributes
    ----------
    lines : array of shape (2,)
        Mean inline and crossline number, which lie at `origin`.
    origin : array of shape (2,)
        X and Y.
    steps : array of shape (2, 2)
        Change of (X, Y) from one inline number to the next, and from one crossline number to the
        next; 0 in a direction with one line.
    misfit : float
        95 % of the traces are no farther from the grid.
    """

    lines: np.ndarray
    origin: np.ndarray
    steps: np.ndarray
    misfit: float

    def at(self, inline, crossline):
        """X and Y at line numbers."""
        return self.origin + (np.array([inline, crossline]) - self.lines) @ self.steps


def fit_grid(inlines, crosslines, x, y):
    """Grid through traces with line numbers and coordinates.

    Parameters
    ----------
    inlines, crosslines, x, y : arrays of shape (n_traces,)
        Traces with undefined coordinates do not count.

    Returns
    -------
    grid : Grid or None
        None for traces at one place, or along one oblique line, which give no grid.
    """
    found = np.isfinite(x) & np.isfinite(y)
    lines = np.stack([inlines[found], crosslines[found]], axis=1).astype(float)
    xy = np.stack([x[found], y[found]], axis=1)
    if len(xy) < 2:
        return None
    middle, origin = lines.mean(axis=0), xy.mean(axis=0)
    lines, xy = lines - middle, xy - origin
    varies = np.ptp(lines, axis=0) > 0
    steps = np.zeros((2, 2))
    steps[varies], _, rank, _ = np.linalg.lstsq(lines[:, varies], xy)
    if not varies.any() or rank < np.count_nonzero(varies):
        return None
    distances = np.hypot(*(xy - lines @ steps).T)
    return Grid(middle, origin, steps, float(np.percentile(distances, 95)))


def find_position_bytes(segy, line_bytes):
    """Bytes of X and Y that lie on an even grid of the line numbers; None if there are none.

    Parameters
    ----------
    line_bytes : pair of int
        First bytes of inline and crossline numbers.
    """
    count = min(segy.n_traces, N_LOOKED_AT)
    some = np.unique(np.linspace(0, segy.n_traces - 1, count).astype(np.int64))
    starts = [*X_BYTES, *(byte for byte in range(1, HEADER - 6, 4) if byte not in X_BYTES)]
    pairs = [(byte, byte + 4) for byte in starts if not {byte, byte + 4} & {*line_bytes}]
    fields = {byte: (byte, "i4") for byte in {*line_bytes, *sum(pairs, ())}}
    words = read_words(segy, {str(byte): place for byte, place in fields.items()}, some)
    lines = [words[str(byte)] for byte in line_bytes]
    for pair in pairs:
        xy = np.stack([words[str(byte)] for byte in pair]).astype(float)
        if np.abs(xy).max(axis=1).min() < LEAST_COORDINATE:
            continue
        xy[:, (xy == 0).all(axis=0)] = np.nan
        grid = fit_grid(*lines, *xy)
        if grid is not None and is_even(grid):
            return pair
    return None


def is_even(grid):
    """Whether traces lie on a grid of bins: lines that are not parallel, evenly spaced."""
    sides = np.hypot(*grid.steps.T)
    if (sides > 0).all() and abs(np.linalg.det(grid.steps)) < LEAST_SINE * sides.prod():
        return False
    sides = sides[sides > 0]
    return bool(len(sides)) and grid.misfit <= LARGEST_MISFIT * sides.min()
