"""Which traces a fit holds out to show how the training goes: one contiguous block.

Neighboring sections are near copies of each other, so randomly drawn sections would be known from
training. Lines that cross share a trace. All traces are therefore put on a map, and a block is a
rectangle of the map: what lies in it is held out, and what lies beside it is in neither part.
"""

from dataclasses import dataclass

import numpy as np

from skfacies._cubes.positions import spacing_of_traces, trace_numbers
from skfacies._sections.sections import Run
from skfacies._sections.validation import Lines

__all__ = ["split_validation_block"]

#: Narrower runs of traces are left out of training and validation, as they would be mostly padding.
MIN_TRACES = 16

#: Number of places along each axis of the map where a block is tried.
MAX_STARTS = 16

#: A strip with less than this part of the required traces is widened.
ENOUGH = 0.75

#: A block with more than this many times the required traces is shortened.
MUCH_MORE = 1.25

#: With fewer sections, no block may have much more than the required traces.
FEW_SECTIONS = 5

#: Blocks must leave this part of the most traces that any block leaves for training.
LEAST_TRAINING = 0.9

#: Number of traces that are put on the map, and of held-out runs that show the mix of classes.
MAX_TRACES = 500_000
MAX_RUNS = 40


def split_validation_block(sections, fraction, gap=8):
    """Split sections into training runs and a held-out block of about `fraction` of all traces.

    - Where the positions of sections are known, a block is a strip of the map, or a part of it:
      neighboring lines of one direction, with the traces of other lines between them. Traces
      within `gap` of it are in neither part.
    - Other sections count as parallel neighbors in the given order. A run of them is held out, or
      a part of one, if it has much more than `fraction` of all traces.
    - If there are too few sections to spare one, the same traces of each are held out.

    Of the blocks that leave every class in training, the one whose class distribution is closest to
    that of all sections is used.

    Parameters
    ----------
    sections : Sections
    fraction : float in [0, 1)
        0 holds nothing out.
    gap : int, default=8
        Number of traces next to the block that are in neither part; fewer on a small map.

    Returns
    -------
    train, valid : list of Run
        `valid` is empty where nothing can be held out.
    """
    everything = sections.labeled_runs()
    if fraction == 0 or not everything:
        return everything, []
    traces = _put_on_map(sections.X, everything, gap)
    # A strip along all lines would cut each of them: only if there is no other.
    for is_crossed in (True, False):
        axes = [axis for axis in (0, 1) if (axis in traces.across) is is_crossed]
        boxes = [box for axis in axes for box in _boxes(traces, axis, fraction)]
        for train, held in _most_alike_first(boxes, traces, sections):
            if _keeps_all_classes(train, traces, sections):
                return traces.runs(train), traces.runs(held)
    return everything, []


# --- the map ----------------------------------------------------------------------------------


@dataclass
class _Map:
    """Traces of sections on a map.

    Parameters
    ----------
    sections : list of Run
        Whole sections.
    where : array of shape (2, n_points)
        Coordinates, in traces, of every `step`-th trace of each section, one section after another.
    first, last : int arrays of shape (n_sections,)
        First and last point of each section.
    across : int array of shape (n_sections,)
        Axis across which each section runs.
    step : int
    gap : array of shape (2,)
        What is left out beside a block, along each axis.
    """

    sections: list
    where: np.ndarray
    first: np.ndarray
    last: np.ndarray
    across: np.ndarray
    step: int
    gap: np.ndarray

    def held(self, box):
        """Mask of the points in a rectangle, an array (low, high), without narrow pieces."""
        return self._wide(self._inside(*box))

    def train(self, held):
        """Mask of the points outside the rectangle of held-out points, and not beside it."""
        where = self.where[:, held]
        return self._wide(~self._inside(where.min(axis=1) - self.gap, where.max(axis=1) + self.gap))

    def runs(self, chosen, most=None):
        """The chosen points as runs of traces; about `most` of them, evenly spaced."""
        pieces = np.stack(self._pieces(chosen), axis=1).tolist()
        runs = []
        for i, start, stop in pieces[:: max(1, len(pieces) // (most or len(pieces) or 1))]:
            run, first = self.sections[i], int(self.first[i])
            stop = min((stop - first) * self.step, run.n_traces)
            runs.append(Run(run.section, (start - first) * self.step, stop))
        return runs

    def _inside(self, low, high):
        inside = np.ones(self.where.shape[1], dtype=bool)
        for along, least, most in zip(self.where, low, high, strict=True):
            inside &= (along >= least) & (along <= most)
        return inside

    def _pieces(self, chosen):
        """Contiguous chosen points: their section, the first, and the one after the last."""
        before, after = np.roll(chosen, 1), np.roll(chosen, -1)
        before[self.first], after[self.last] = False, False
        starts = np.flatnonzero(chosen & ~before)
        section = np.searchsorted(self.first, starts, side="right") - 1
        return section, starts, np.flatnonzero(chosen & ~after) + 1

    def _wide(self, chosen):
        """The mask, without narrow pieces of sections."""
        section, starts, stops = self._pieces(chosen)
        is_part = stops - starts <= (self.last - self.first)[section]
        is_narrow = is_part & ((stops - starts) * self.step < MIN_TRACES)
        wide = chosen.copy()
        for start, stop in zip(starts[is_narrow], stops[is_narrow], strict=True):
            wide[start:stop] = False
        return wide


def _put_on_map(X, sections, gap):
    """Traces at their positions; sections without lie side by side, too far apart for the gap."""
    step = -(-sum(run.n_traces for run in sections) // MAX_TRACES)
    where = [_positions(X, run, step) for run in sections]
    known = [own for own in where if own is not None]
    low = np.min([own.min(axis=0) for own in known], axis=0) if known else 0
    unit = spacing_of_traces(known, step)
    for i, own in enumerate(where):
        if own is None:
            along = np.arange(0, sections[i].n_traces, step)
            beside = (i - len(sections)) * (gap + step)
            where[i] = np.stack([np.full_like(along, beside), along], axis=1)
        else:
            where[i] = (own - low) / unit
    across = np.array([np.abs(own[-1] - own[0]).argmin() for own in where])
    last = np.cumsum([len(own) for own in where]) - 1
    where = np.concatenate(where, dtype=np.float64).T.copy()
    gap = np.minimum(gap, np.maximum(1, (np.ptp(where, axis=1) + 1) // 20)) + step - 1
    return _Map(sections, where, np.append(0, last[:-1] + 1), last, across, step, gap)


def _positions(X, run, step):
    """Coordinates of every `step`-th trace of a section, an array (n_points, 2), or None."""
    if not (isinstance(X, Lines) and X.directions):
        numbers = trace_numbers(X, run.section)
        if numbers is None or len(numbers) > 1 and (numbers == numbers[0]).all():
            return None  # headers without numbers
        return numbers[::step]
    along = np.arange(0, run.n_traces, step)
    both = [np.full_like(along, X.positions[run.section]), along]
    return np.stack(both[::-1] if X.directions[run.section] else both, axis=1)


# --- blocks -----------------------------------------------------------------------------------


def _boxes(traces, axis, fraction):
    """Rectangles, arrays (low, high), that hold about `fraction` of all traces."""
    n_points = traces.where.shape[1]
    wanted = max(1, round(fraction * n_points))
    most = MUCH_MORE * wanted
    if len(traces.sections) >= FEW_SECTIONS:
        most = max(2 * wanted, n_points / 4)
    width = max(wanted, round(2 * MIN_TRACES / traces.step))
    along = np.sort(traces.where[axis])
    for start in np.unique(along[np.linspace(0, n_points - wanted, MAX_STARTS).astype(int)]):
        box = np.array([[-np.inf] * 2, [np.inf] * 2])
        # Narrow pieces of crossing lines are not held out: the strip may have to be wider.
        for size in (wanted, 2 * wanted):
            box[:, axis] = start, _end_of_strip(along, start, size)
            held = traces.held(box)
            n_held = np.count_nonzero(held)
            if n_held >= ENOUGH * wanted:
                break
        if not wanted / 2 <= n_held <= most:
            continue
        if n_held <= MUCH_MORE * width:
            yield box
            continue
        across = np.sort(traces.where[1 - axis, held])
        for first in (0, (n_held - width) // 2, n_held - width):
            box[:, 1 - axis] = across[first], across[first + width - 1]
            yield box.copy()


def _end_of_strip(along, start, size):
    """Where a strip ends that holds about `size` of the sorted coordinates."""
    first = np.searchsorted(along, start)
    end = along[min(first + size, len(along)) - 1]
    # All traces of a line may have this coordinate.
    before, after = (np.searchsorted(along, end, side) - first for side in ("left", "right"))
    return along[first + before - 1] if before and size - before < after - size else end


def _most_alike_first(boxes, traces, sections):
    """Training and held-out points, those with the most typical mix of classes first."""
    whole = sections.counts.sum(axis=0) / sections.counts.sum()
    found = []
    for box in boxes:
        held = traces.held(box)
        mix = sections.count(traces.runs(held, MAX_RUNS))
        if mix.any():
            distance = np.abs(mix / mix.sum() - whole).sum()
            n_train = np.count_nonzero(traces.train(held))
            found.append((round(float(distance), 12), len(found), n_train, box))
    most = max((n_train for *_, n_train, _ in found), default=0)
    for *_, n_train, box in sorted(found, key=lambda candidate: candidate[:2]):
        if n_train and n_train >= LEAST_TRAINING * most:
            held = traces.held(box)
            yield traces.train(held), held


def _keeps_all_classes(train, traces, sections):
    """Whether training has every class; only what it lacks is counted."""
    total = sections.counts.sum(axis=0)
    return not np.any((total > 0) & (sections.count(traces.runs(~train)) == total))
