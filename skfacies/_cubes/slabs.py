"""Lines of a cube with neighboring lines as channels, and slabs of lines to predict at once."""

import numpy as np

from skfacies._cubes.holders import read_lines, read_safely

__all__ = [
    "LineWithNeighbors",
    "copies_of_amplitudes",
    "neighbor_positions",
    "plan_slabs",
    "read_slabs",
    "read_with_neighbors",
    "stack_neighbors",
]


def neighbor_positions(lines, n_lines, neighbors):
    """Positions of lines and their neighbors, shape (n, 1 + 2 * neighbors).

    Each line comes first, then the lines before and after it, then the next two. Lines are
    mirrored at the ends of the cube.
    """
    steps = [0]
    for step in range(1, neighbors + 1):
        steps += [-step, step]
    positions = np.abs(np.asarray(lines, dtype=np.int64)[:, None] + steps)
    last = n_lines - 1
    return np.where(positions > last, 2 * last - positions, positions).clip(0, last)


def copies_of_amplitudes(neighbors):
    """Number of copies of a slab in memory: as read, joined with earlier lines, and as channels."""
    return 3 + 2 * neighbors if neighbors else 1


def stack_neighbors(sections, rows):
    """Sections (n, n_traces, n_samples, n_channels) from rows of an array of sections, as a copy.

    In memory, channels come before the traces, as the network expects. Of sections with several
    volumes, these come first for the line itself, then for each neighbor.
    """
    if sections.ndim == 3:
        return np.moveaxis(sections[rows], 1, -1)
    stacked = np.moveaxis(sections, -1, 1)[rows]  # (n, n_lines, n_volumes, n_traces, n_samples)
    return np.moveaxis(stacked.reshape(len(rows), -1, *stacked.shape[3:]), 1, -1)


class LineWithNeighbors:
    """A line with its neighbors as channels (n_traces, n_samples, n_channels), not copied.

    Parameters
    ----------
    lines : list of arrays of shape (n_traces, n_samples), or with (n_volumes,) after it
        The line itself comes first.
    """

    ndim = 3

    def __init__(self, lines):
        n_traces, n_samples, *volumes = map(int, lines[0].shape)
        self.n_volumes = volumes[0] if volumes else 1
        self.lines = lines
        self.shape = (n_traces, n_samples, self.n_volumes * len(lines))
        self.dtype = lines[0].dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        """Copy of a part; slices of traces and samples read only what they select."""
        if isinstance(key, slice) or (
            isinstance(key, tuple) and len(key) <= 2 and all(isinstance(k, slice) for k in key)
        ):
            parts = [line[key] for line in self.lines]
            if parts[0].ndim == 3:
                return np.concatenate(parts, axis=-1)
            return np.moveaxis(np.stack(parts), 0, -1)
        return np.asarray(self)[key]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:, :], dtype=dtype)


def read_with_neighbors(cube, axis, lines, neighbors):
    """Sections of a slice of lines, with neighboring lines as channels if `neighbors` > 0."""
    if not neighbors:
        return read_lines(cube, axis, lines)
    n_lines = int(cube.shape[axis])
    rows = neighbor_positions(np.arange(lines.start, lines.stop), n_lines, neighbors)
    first = int(rows.min())
    sections = np.asarray(read_lines(cube, axis, slice(first, int(rows.max()) + 1)))
    return stack_neighbors(sections, rows - first)


def plan_slabs(n_lines, *, slab, block, neighbors=0):
    """Blocks of lines to read, and the slabs of lines that can be predicted after each.

    Parameters
    ----------
    n_lines : int
    slab, block : int
        Lines of each.
    neighbors : int
        This many lines after a slab must have been read before it can be predicted.

    Returns
    -------
    plan : list of (slice, list of slices)
        Each line is in one block and in one slab.
    """
    plan, done = [], 0
    for first in range(0, n_lines, block):
        stop = min(first + block, n_lines)
        ready = n_lines if stop == n_lines else max(stop - neighbors, done)
        slabs = [slice(start, min(start + slab, ready)) for start in range(done, ready, slab)]
        plan.append((slice(first, stop), slabs))
        done = ready
    return plan


def read_slabs(cube, axis, plan, neighbors=0):
    """Yield (lines, sections) of a plan; every block is read once.

    Sections are ``(n_lines, n_traces, n_samples)``, with channels last if there are neighbors. The
    lines that neighbors need from the previous block are kept.
    """
    n_lines, held = int(cube.shape[axis]), None
    for block, slabs in plan:
        sections = read_safely(cube, axis, block, "X")
        if held is not None:
            sections = np.concatenate([held, sections])
        first = block.stop - len(sections)
        if not neighbors:
            for lines in slabs:
                yield lines, sections[lines.start - first : lines.stop - first]
            continue
        # A copy, made before results can overwrite the lines that were read.
        held = sections[-2 * neighbors :].copy()
        for lines in slabs:
            rows = neighbor_positions(np.arange(lines.start, lines.stop), n_lines, neighbors)
            yield lines, stack_neighbors(sections, rows - first)
