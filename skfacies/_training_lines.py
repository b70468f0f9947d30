"""Which lines of a cube a fit trains on, and their sections: those that carry labels."""

import numpy as np

from skfacies._cubes import chunk_length, swap_lines
from skfacies._validation import Lines, is_ignored

__all__ = ["choose_lines", "labelled_traces", "take_sections"]

#: Labels read at a time in search of labelled traces.
PIECE = 1 << 24


def labelled_traces(y, ignore_label):
    """Which traces carry a label: bool array (n_inlines, n_crosslines). Reads labels once."""
    n_inlines, n_crosslines, n_samples = y.shape
    length = chunk_length(y, 0)
    length *= max(1, PIECE // (length * n_crosslines * n_samples))
    labelled = np.empty((n_inlines, n_crosslines), dtype=bool)
    for start in range(0, n_inlines, length):
        piece = slice(start, start + length)
        labelled[piece] = ~is_ignored(np.asarray(y[piece]), ignore_label).all(axis=-1)
    return labelled


def choose_lines(labelled, axes, *, min_labelled, step):
    """Lines of each direction that are labelled well enough to train on.

    Parameters
    ----------
    labelled : bool array of shape (n_inlines, n_crosslines)
        Traces that carry labels.
    axes : tuple of {0, 1}
        0 for inlines, 1 for crosslines.
    min_labelled : float
        Fraction of labelled traces that a line must have of what the best line has.
    step : int
        Take every `step`-th of them.

    Returns
    -------
    lines : dict of arrays, by axis
        Axes without a line are left out; empty if no trace is labelled.
    """
    shares = {axis: labelled.mean(axis=1 - axis) for axis in axes}
    least = max(min_labelled * max(share.max() for share in shares.values()), np.finfo(float).tiny)
    chosen = {axis: np.flatnonzero(share >= least)[::step] for axis, share in shares.items()}
    return {axis: lines for axis, lines in chosen.items() if len(lines)}


def take_sections(cube, lines, allocate):
    """Sections of lines, without a copy of what is in memory or mapped into it.

    Parameters
    ----------
    cube : array-like of shape (n_inlines, n_crosslines, n_samples)
    lines : dict of arrays, by axis
    allocate : function of (shape, dtype)
        Makes the array that sections of other arrays are read into, each once.

    Returns
    -------
    sections : array or list
        An array where one direction is taken whole, else `Lines`.
    """
    sections, directions, positions = [], [], []
    for axis, chosen in lines.items():
        view = swap_lines(cube) if axis else cube
        whole = len(chosen) == view.shape[0]
        if not isinstance(cube, np.ndarray):
            view, chosen_rows = _read_lines(view, chosen, allocate), range(len(chosen))
        else:
            chosen_rows = chosen
        if whole and len(lines) == 1:
            return view
        sections += [view[row] for row in chosen_rows]
        directions += [axis] * len(chosen)
        positions += chosen.tolist()
    return Lines(sections, directions, positions)


def _read_lines(view, lines, allocate):
    sections = allocate((len(lines), *view.shape[1:]), view.dtype)
    length = max(chunk_length(view, 0), 1)
    first = 0
    while first < len(lines):  # neighbours share chunks: what lies in one is read at once
        chunk = lines[first] // length
        stop = int(np.searchsorted(lines, (chunk + 1) * length))
        run = np.asarray(view[int(lines[first]) : int(lines[stop - 1]) + 1])
        sections[first:stop] = run[lines[first:stop] - lines[first]]
        first = stop
    return sections
