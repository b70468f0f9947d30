"""Cubes thinned out, and their values as bytes.

Every n-th line and sample is kept, such that a page stays below a size. 0 is the byte of samples
without a value; the meaning of the others is in `Values` and `Labels`.
"""

import math

import numpy as np
from scipy.ndimage import convolve1d
from scipy.signal import firwin

from skfacies._cubes.holders import (
    chunk_length,
    memory_map,
    read_safely,
    release_pages,
    rows_at_once,
)
from skfacies._sections.labels import class_labels, is_ignored, label_codes, union_labels
from skfacies._sections.undefined import undefined_amplitudes, undefined_values

__all__ = [
    "MOST_CLASSES",
    "Labels",
    "Values",
    "choose_steps",
    "find_range",
    "keep_positions",
    "reduced",
]

MOST_CLASSES = 254  # what a byte holds besides 0 and one spare

#: A trace is worth two samples: contacts are flat, and are read off to the sample.
WORTH = (2, 2, 1)

VALUES_AT_ONCE = 2**23
LARGEST_CHUNK = 2**27

#: Amplitudes beyond this percentile of their magnitude are cut off.
CLIP_PERCENTILE = 99.9


def choose_steps(shape, most):
    """Steps along the axes of a cube, such that at most so many samples are kept."""
    steps = [1, 1, 1]
    kept = list(shape)
    while math.prod(kept) > most and max(kept) > 1:
        axis = max(range(3), key=lambda k: kept[k] * WORTH[k] if kept[k] > 1 else 0)
        steps[axis] += 1
        kept[axis] = -(-shape[axis] // steps[axis])
    return tuple(steps)


def keep_positions(n, step, wanted=()):
    """Positions of an axis that are kept: one of each `step`, a wanted one if there is any.

    A line that an interpreter has picked is shown itself, not the one beside it.
    """
    kept = np.arange(0, n, step)
    for position in sorted(wanted, reverse=True):  # the first of several in one step stays
        kept[position // step] = position
    return kept


def reduced(array, kept, name, prepare):
    """Yield the kept sections of a cube, (n_kept_crosslines, n_kept_samples), inline by inline.

    Parameters
    ----------
    array : array-like of shape (n_inlines, n_crosslines, n_samples)
    kept : tuple of three arrays of positions
    name : str
        For messages.
    prepare : function of (section, crosslines, samples)
        Makes bytes of what is kept of a section of shape (n_crosslines, n_samples).
    """
    inlines, crosslines, samples = kept
    if chunk_length(array, 0) == 1:
        blocks = [slice(i, i + 1) for i in inlines.tolist()]
    else:
        blocks = rows_at_once(array, values=VALUES_AT_ONCE, largest_chunk=LARGEST_CHUNK)
    for block in blocks:
        own = inlines[(inlines >= block.start) & (inlines < block.stop)]
        if not len(own):
            continue
        sections = read_safely(array, 0, block, name)
        for i in own.tolist():
            yield prepare(np.asarray(sections[i - block.start]), crosslines, samples)
        if memory_map(array) is not None:
            release_pages(array)


class Values:
    """Bytes of amplitudes and other numbers: 1 to `n_codes` spread evenly from `low` to `high`.

    Parameters
    ----------
    low, high : float
        Numbers outside get the nearest code.
    n_codes : int
        255, or fewer to save space.
    step : int, default=1
        Step between samples. Above 1, what the kept samples cannot show is filtered out before, so
        that it does not fold over into lower frequencies.
    """

    def __init__(self, low, high, n_codes=255, step=1):
        self.low, self.high, self.n_codes = float(low), float(high), n_codes
        self.filter = None if step == 1 else firwin(8 * step + 1, 0.9 / step)

    def __call__(self, section, crosslines, samples):
        section = section[crosslines]
        undefined = undefined_amplitudes(section)
        values = np.asarray(section, dtype=np.float32)
        if undefined is not None:
            values = np.where(undefined, np.float32(0), values)
        values = np.clip(values, self.low, self.high)  # infinite ones, too
        if self.filter is not None:
            values = convolve1d(values, self.filter, axis=1, mode="nearest")
        values = values[:, samples]
        scale = (self.n_codes - 1) / (self.high - self.low)
        codes = 1 + np.rint((np.clip(values, self.low, self.high) - self.low) * scale)
        if undefined is not None:
            codes[undefined[:, samples]] = 0
        return codes.astype(np.uint8)


class Labels:
    """Bytes of labels, in the order in which these are met; `positions` sorts them in the end.

    Parameters
    ----------
    name : str
        For messages.
    ignore_label : int, str or None
        Label of samples without interpretation.
    """

    def __init__(self, name, ignore_label):
        self.name, self.ignore_label = name, ignore_label
        self.found = None

    def __call__(self, section, crosslines, samples):
        labels = section[np.ix_(crosslines, samples)]
        nothing = is_ignored(labels, self.ignore_label)
        if labels.dtype.kind == "f":  # of files without integers
            nothing |= undefined_values(labels)
            labels = np.where(nothing, np.float32(0), labels)
        elif labels.dtype.kind in "iu":
            nothing |= undefined_values(labels)
        own = class_labels(labels[~nothing], None, self.name)
        if own.dtype.kind == "f":
            own, labels = own.astype(np.int64), labels.astype(np.int64)
        if not len(own):
            return np.zeros(labels.shape, dtype=np.uint8)
        if self.found is None:
            self.found = own
        else:
            union = union_labels([self.found, own])
            self.found = np.concatenate([self.found, union[~np.isin(union, self.found)]])
        if len(self.found) > MOST_CLASSES:
            raise ValueError(
                f"`{self.name}` has more than {MOST_CLASSES} labels, such as "
                f"{self.found[:5].tolist()}. Give facies, not amplitudes."
            )
        order = np.argsort(self.found)
        places = np.append(order, -1)[label_codes(labels, self.found[order])]
        return np.where(nothing, 0, places + 1).astype(np.uint8)

    def positions(self, classes):
        """Table from the bytes to the positions in the classes, plus 1."""
        table = np.zeros(256, dtype=np.uint8)
        if self.found is not None:
            order = np.argsort(classes)
            places = np.append(order, 0)[label_codes(self.found, classes[order])]
            table[1 : len(self.found) + 1] = places + 1
        return table


def find_range(array, name, percentile=CLIP_PERCENTILE, n_lines=16):
    """Lowest and highest number to show, from a few lines.

    Amplitudes of both signs get a range that is symmetrical about 0.
    """
    lines = np.unique(np.linspace(0, array.shape[0] - 1, n_lines).astype(int))
    some = []
    for i in lines.tolist():
        section = np.asarray(read_safely(array, 0, slice(i, i + 1), name)[0])
        undefined = undefined_amplitudes(section)
        values = section.ravel() if undefined is None else section[~undefined]
        some.append(np.asarray(values[np.isfinite(values)], dtype=np.float32))
    values = np.concatenate(some)
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, [100 - percentile, percentile]).tolist()
    if low < 0:
        clip = float(np.percentile(np.abs(values), percentile)) or float(np.abs(values).max()) or 1
        return -clip, clip
    return (low, high) if high > low else (0.0, high or 1.0)  # all are the same
