"""Which lines of a cube are used for training, and their sections: the labeled lines."""

import os
import tempfile
import warnings

import numpy as np

from skfacies._cubes.holders import (
    AXES,
    DIRECTIONS,
    chunk_length,
    read_safely,
    release_pages,
    rows_at_once,
    section_axes,
    swap_lines,
)
from skfacies._cubes.slabs import LineWithNeighbors, neighbor_positions
from skfacies._sections.labels import is_ignored
from skfacies._sections.validation import Lines

__all__ = [
    "allocator",
    "check_lines",
    "choose_lines",
    "hide_labels",
    "labeled_lines",
    "labeled_traces",
    "take_sections",
    "with_others",
]

#: Sections with fewer traces give a network hardly any lateral context.
FEWEST_TRACES = 4

#: Bytes of labels read at a time when searching for labeled traces.
BYTES_AT_ONCE = 1 << 26


def labeled_traces(y, ignore_label):
    """Mask of labeled traces, a bool array (n_inlines, n_crosslines). Reads the labels once."""
    n_inlines, n_crosslines = y.shape[:2]
    labeled = np.empty((n_inlines, n_crosslines), dtype=bool)
    for piece in rows_at_once(y, values=BYTES_AT_ONCE // np.dtype(y.dtype).itemsize):
        labels = read_safely(y, 0, piece, "y")
        labeled[piece] = ~is_ignored(labels, ignore_label).all(axis=-1)
        del labels
        release_pages(y)
    return labeled


def choose_lines(labeled, axes, *, min_labeled, step):
    """Lines of each direction with enough labels to train on.

    Parameters
    ----------
    labeled : bool array of shape (n_inlines, n_crosslines)
        Traces that have labels.
    axes : tuple of {0, 1}
        0 for inlines, 1 for crosslines.
    min_labeled : float
        Fraction of labeled traces that a line must have, relative to the best line.
    step : int
        Take every `step`-th of these lines.

    Returns
    -------
    lines, others : dict of arrays, by axis
        The chosen lines, and those with fewer labels. Axes without lines are left out; there are
        no chosen ones if no trace is labeled.
    """
    shares = {axis: labeled.mean(axis=1 - axis) for axis in axes}
    least = max(min_labeled * max(share.max() for share in shares.values()), np.finfo(float).tiny)
    chosen = {axis: np.flatnonzero(share >= least)[::step] for axis, share in shares.items()}
    others = {axis: np.flatnonzero(share < least) for axis, share in shares.items()}
    return tuple({axis: n for axis, n in lines.items() if len(n)} for lines in (chosen, others))


def labeled_lines(labels, ignore_label, axes, *, min_labeled, step, name="y"):
    """`choose_lines` of a cube of labels; an error if there are none."""
    labeled = labeled_traces(labels, ignore_label)
    lines, others = choose_lines(labeled, axes, min_labeled=min_labeled, step=step)
    if not lines:
        raise ValueError(
            f"`{name}` has no labeled sample: all labels equal ignore_label={ignore_label!r}."
        )
    return lines, others


def with_others(lines, others, most):
    """Lines, and at most so many others, evenly spaced among the others of each direction."""
    share = min(1.0, most / max(1, sum(map(len, others.values()))))
    joined = dict(lines)
    for axis, own in others.items():
        places = (np.arange(round(share * len(own))) + 0.5) / share
        joined[axis] = np.union1d(lines.get(axis, ()), own[places.astype(int)]).astype(int)
    return {axis: own for axis, own in joined.items() if len(own)}


def hide_labels(labels, lines, ignore_label):
    """Label sections of `Lines` as unknown, but for those of the given lines."""
    for i, (axis, position) in enumerate(zip(labels.directions, labels.positions, strict=True)):
        if position not in lines.get(axis, ()):
            labels[i] = np.full(labels[i].shape, ignore_label, dtype=labels[i].dtype)
    return labels


def take_sections(cube, lines, allocate, memory_limit, name="X", neighbors=0):
    """Sections of lines, without copying arrays that are in memory or memory-mapped.

    Parameters
    ----------
    cube : array-like of shape (n_inlines, n_crosslines, n_samples), or with (n_volumes,) after it
    lines : dict of arrays, by axis
    allocate : function of (shape, dtype)
        Makes the array that sections of other arrays are read into. Each chunk is read once.
    memory_limit : int
        Bytes to read at a time.
    name : str
        Name of the cube, for error messages.
    neighbors : int
        Number of lines on either side that sections have as channels.

    Returns
    -------
    sections : Lines
    """
    sections, directions, positions = [], [], []
    for axis, chosen in lines.items():
        rows = neighbor_positions(chosen, cube.shape[axis], neighbors)
        wanted = np.unique(rows)
        if isinstance(cube, np.ndarray):
            view = swap_lines(cube) if axis else cube
            read = [view[line] for line in wanted]
        else:
            read = list(_read_lines(cube, axis, wanted, allocate, memory_limit, name))
        places = np.searchsorted(wanted, rows).tolist()
        if neighbors:
            sections += [LineWithNeighbors([read[i] for i in own]) for own in places]
        else:
            sections += [read[i] for (i,) in places]
        directions += [axis] * len(chosen)
        positions += chosen.tolist()
    return Lines(sections, directions, positions)


def _read_lines(cube, axis, lines, allocate, memory_limit, name):
    """Read lines of an array on disk, in pieces that hold whole chunks."""
    n_traces, trace_shape = cube.shape[1 - axis], cube.shape[2:]
    sections = allocate((len(lines), n_traces, *trace_shape), cube.dtype)
    length = chunk_length(cube, axis)
    first = 0
    while first < len(lines):  # lines of one chunk are read together
        stop = int(np.searchsorted(lines, (lines[first] // length + 1) * length))
        span = slice(int(lines[first]), int(lines[stop - 1]) + 1)
        trace = (span.stop - span.start) * np.prod(trace_shape) * np.dtype(cube.dtype).itemsize
        width = chunk_length(cube, 1 - axis)
        width *= max(1, int(memory_limit / 4) // (width * trace))
        for start in range(0, n_traces, width):
            traces = slice(start, min(start + width, n_traces))
            piece = read_safely(cube, axis, span, name, traces)
            sections[first:stop, traces] = piece[lines[first:stop] - lines[first]]
            release_pages(sections)  # of a file
        first = stop
    return sections


def allocator(folder, memory_limit):
    """Function that allocates arrays for training sections: in memory, or in files if large."""

    def allocate(shape, dtype):
        if np.prod(shape) * np.dtype(dtype).itemsize <= memory_limit:
            return np.empty(shape, dtype=dtype)
        handle, path = tempfile.mkstemp(suffix=".npy", dir=folder)
        os.close(handle)
        return np.lib.format.open_memmap(path, mode="w+", shape=shape, dtype=dtype)

    return allocate


def check_lines(shape, direction, neighbors, name):
    """Axes whose lines are cut; warns if a cube has too few lines."""
    axes = section_axes(direction, shape)
    if axes != DIRECTIONS[direction]:
        also = " as well" if direction == "both" else ""
        _warn(
            f"`{name}` is one {AXES[axes[0]]} and is cut along it: a section of "
            f"{shape[1 - axes[0]]} traces. direction={direction!r} would cut it into "
            f"single traces{also}."
        )
    for axis in axes:
        n_lines, n_traces = shape[axis], shape[1 - axis]
        if 1 < n_traces < min(FEWEST_TRACES, n_lines):
            _warn(
                f"`{name}` has only {n_traces} {AXES[1 - axis]}s: its {AXES[axis]} sections "
                f"have {n_traces} traces, too few to distinguish units. "
                f"direction={AXES[1 - axis]!r} cuts sections of {n_lines} traces."
            )
        if n_lines <= neighbors:
            _warn(
                f"`{name}` has {n_lines} {AXES[axis]}(s), but neighbors={neighbors}: "
                "lines stand in for their own neighbors. Give the whole cube, and select lines "
                "from the result."
            )
    return axes


def _warn(message):
    """Warn with the location of the call to `fit` or `predict`, three levels up."""
    warnings.warn(message, UserWarning, stacklevel=5)
