"""Which traces a fit holds out to watch its validation loss: one contiguous block.

Neighbouring sections are near copies of each other, so sections drawn at random would be known
from training. Lines that cross share a trace: where a line is held out, the lines that cross it
are cut there.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from skfacies._validation import is_ignored, is_listlike, label_codes

__all__ = ["Run", "count_labels", "labelled_runs", "split_validation_block"]

#: Narrower runs of traces are left out of training and validation: they would be mostly padding.
MIN_TRACES = 16

#: Correlation above which two traces are one, seen by two lines.
SAME_TRACE = 0.99

#: Most sections of a list, and of a stack, that are searched for crossings.
MAX_LINES = 256
MAX_STACKED = 64

#: Starts of the block that are tried, at most about twice this.
MAX_STARTS = 32


@dataclass(frozen=True)
class Run:
    """Traces ``start … stop - 1`` of one section."""

    section: int
    start: int
    stop: int

    @property
    def n_traces(self):
        return self.stop - self.start


def labelled_runs(X, y, classes, ignore_label):
    """A run of all traces for each section that has a labelled sample."""
    return [
        Run(i, 0, int(X[i].shape[0]))
        for i in range(len(X))
        if _count_labels(np.asarray(y[i]), classes, ignore_label).any()
    ]


def count_labels(runs, y, classes, ignore_label):
    """Number of labelled samples of each class in runs of traces."""
    counts = np.zeros(len(classes), dtype=np.int64)
    for run in runs:
        labels = np.asarray(y[run.section][run.start : run.stop])
        counts += _count_labels(labels, classes, ignore_label)
    return counts


def split_validation_block(X, y, classes, *, ignore_label, fraction, gap=8):
    """Split sections into training runs and a held-out block of about `fraction` of all traces.

    - Crossing lines (they share a trace) keep their geometry: held out is a block of
      neighbouring lines of one direction, and what other lines have within `gap` traces of it.
    - Other sections count as neighbours in the order given: held out is a run of them.
    - Of too few sections to spare one, the last traces of each are held out.

    Of the blocks that leave every class in training, the one whose mix of classes is nearest to
    that of all sections is taken.

    Parameters
    ----------
    X, y : checked sections and labels
    classes : ndarray
    ignore_label : int, str or None
    fraction : float in [0, 1)
        0 holds nothing out.
    gap : int, default=8
        Traces next to the block that are in neither part.

    Returns
    -------
    train, valid : list of Run
        `valid` is empty where nothing can be held out.
    """
    counts = _class_counts(y, classes, ignore_label)
    labelled = np.flatnonzero(counts.sum(axis=1))
    everything = [Run(i, 0, int(X[i].shape[0])) for i in labelled.tolist()]
    if fraction == 0:
        return everything, []
    lines = _survey_lines(X, labelled)
    candidates = _line_blocks(everything, lines, fraction, gap)
    if not candidates:
        candidates = _trace_blocks(everything, fraction, gap)
    best = _most_alike(candidates, counts, y, classes, ignore_label)
    return best if best is not None else (everything, [])


def _class_counts(y, classes, ignore_label):
    return np.array(
        [_count_labels(np.asarray(y[i]), classes, ignore_label) for i in range(len(y))]
    ).reshape(len(y), len(classes))


def _count_labels(labels, classes, ignore_label):
    codes = label_codes(labels, classes)
    codes[is_ignored(labels, ignore_label)] = len(classes)
    return np.bincount(codes.ravel(), minlength=len(classes) + 1)[: len(classes)]


# --- geometry of crossing lines -------------------------------------------------------------


@dataclass
class _Lines:
    """Where lines lie: of one direction each, at a position along the lines of the other.

    `direction` is 0 or 1; `origin[i]` is the coordinate of the first trace of line i along its
    own direction; `position[i]` its coordinate along the other; `crossings[i, j]` the trace of
    line i where line j crosses it. All in traces.
    """

    direction: dict
    origin: dict
    position: dict
    crossings: dict


def _survey_lines(X, sections):
    """Geometry from the traces that lines have in common; None if no lines cross."""
    if len(sections) > (MAX_LINES if is_listlike(X) else MAX_STACKED):
        return None
    lines = _Lines({}, {}, {}, _find_crossings(X, sections))
    if not lines.crossings:
        return None
    by_line = {}
    for i, j in lines.crossings:
        by_line.setdefault(i, []).append(j)
    start = max(by_line, key=lambda line: len(by_line[line]))
    lines.direction[start], lines.origin[start], lines.position[start] = 0, 0, 0
    queue = [start]
    for line in queue:
        for other in by_line[line]:
            # They meet in one point: its coordinates along both directions are equal.
            position = lines.origin[line] + lines.crossings[line, other]
            origin = lines.position[line] - lines.crossings[other, line]
            if other not in lines.direction:
                lines.direction[other] = 1 - lines.direction[line]
                lines.position[other], lines.origin[other] = position, origin
                queue.append(other)
            elif (
                lines.direction[other] == lines.direction[line]
                or abs(lines.position[other] - position) > 2
                or abs(lines.origin[other] - origin) > 2
            ):  # oblique or reversed lines: known is only where they cross
                return _Lines({}, {}, {}, lines.crossings)
    return lines


def _find_crossings(X, sections):
    """Where lines meet: ``{(i, j): trace of line i, (j, i): trace of line j}``.

    Inlines and crosslines are often scaled apart, so traces are compared by their correlation.
    Parallel neighbours, overlapping lines and copies are alike along many traces; lines that cross
    are alike in one place.
    """
    traces = {i: _unit_traces(np.asarray(X[i])) for i in sections.tolist()}
    crossings = {}
    for i, j in itertools.combinations(traces, 2):
        if traces[i].shape[1] != traces[j].shape[1]:
            continue
        step = max(1, traces[i].shape[1] // 96)  # a part of the samples finds the candidates
        alike = _correlation(traces[i][:, ::step], traces[j][:, ::step])
        where = np.argwhere(alike > SAME_TRACE)
        if not len(where) or np.ptp(where, axis=0).max() > 12:
            continue
        at_i, at_j = max(where, key=lambda at: traces[i][at[0]] @ traces[j][at[1]])
        if traces[i][at_i] @ traces[j][at_j] > SAME_TRACE:
            crossings[i, j], crossings[j, i] = int(at_i), int(at_j)
    return crossings


def _unit_traces(section):
    """Traces without mean and of norm 1; zero where they are constant or hold NaN."""
    traces = section.astype(np.float32)
    traces -= traces.mean(axis=1, keepdims=True)
    norms = np.sqrt(np.einsum("ij,ij->i", traces, traces))[:, None]
    live = np.isfinite(norms) & (norms > 1e-6 * np.nanmax(norms, initial=0.0)) & (norms > 0)
    return np.where(live, traces / np.where(live, norms, 1), 0).astype(np.float32)


def _correlation(a, b):
    norms = [np.sqrt(np.einsum("ij,ij->i", part, part)) for part in (a, b)]
    return (a @ b.T) / np.maximum(np.outer(*norms), 1e-6)


# --- candidates -------------------------------------------------------------------------------


def _line_blocks(runs, lines, fraction, gap):
    """Every block of neighbouring lines that holds about `fraction` of all traces."""
    total = sum(run.n_traces for run in runs)
    groups = [runs]
    if lines is not None and not lines.direction:
        groups = [[run] for run in runs]
    elif lines is not None:
        groups = [
            sorted(
                (run for run in runs if lines.direction.get(run.section) == direction),
                key=lambda run: lines.position[run.section],
            )
            for direction in (0, 1)
        ]
    candidates = []
    for group in groups:
        for first in range(0, len(group), max(1, len(group) // MAX_STARTS)):
            held = _grow_block(group[first:], fraction * total)
            if held is None or len(held) == len(runs):
                continue
            if sum(run.n_traces for run in held) > 2 * fraction * total and len(runs) < 5:
                continue  # too large a part of the data: hold out traces instead
            rest = [run for run in runs if run not in held]
            candidates.append(
                (rest, held) if lines is None else _cut_at_block(rest, held, lines, gap)
            )
    return candidates


def _grow_block(group, wanted):
    """First lines of a group with about `wanted` traces; None if the group ends before."""
    held, n_traces = [], 0
    for run in group:
        if held and n_traces + run.n_traces / 2 > wanted:
            return held
        held.append(run)
        n_traces += run.n_traces
    return held if n_traces >= wanted / 2 else None


def _cut_at_block(rest, held, lines, gap):
    """Remove from the other lines what lies within the block of held-out lines, and a gap."""
    direction = lines.direction.get(held[0].section)
    positions = [lines.position.get(run.section, 0) for run in held]
    along = [lines.origin.get(run.section, 0) for run in held]
    ends = [start + run.n_traces for start, run in zip(along, held, strict=True)]
    train, valid = [], list(held)
    for run in rest:
        known = run.section in lines.direction
        if known and lines.direction[run.section] == direction:
            if min(positions) - gap <= lines.position[run.section] <= max(positions) + gap:
                continue  # nearer than the gap, or between the held-out lines
            train.append(run)
            continue
        met = [lines.crossings.get((run.section, line.section)) for line in held]
        met = [trace for trace in met if trace is not None]
        if met:
            first, last = min(met), max(met) + 1
        elif known and min(along) - gap <= lines.position[run.section] < max(ends) + gap:
            origin = lines.origin[run.section]  # it runs beside the ends of the held-out lines
            first = min(max(min(positions) - origin, 0), run.n_traces)
            last = min(max(max(positions) - origin + 1, 0), run.n_traces)
        else:
            train.append(run)
            continue
        pieces = [
            Run(run.section, 0, max(first - gap, 0)),
            Run(run.section, min(last + gap, run.n_traces), run.n_traces),
        ]
        train += [piece for piece in pieces if piece.n_traces >= MIN_TRACES]
        if last - first >= MIN_TRACES:
            valid.append(Run(run.section, first, last))
    return train, valid


def _trace_blocks(runs, fraction, gap):
    """The last, or the first, traces of every section that is wide enough."""
    candidates = []
    for at_end in (True, False):
        train, valid = [], []
        for run in runs:
            width = round(fraction * run.n_traces)
            space = min(gap, run.n_traces // 20)
            if width < MIN_TRACES or run.n_traces - width - space < MIN_TRACES:
                train.append(run)
            elif at_end:
                train.append(Run(run.section, 0, run.stop - width - space))
                valid.append(Run(run.section, run.stop - width, run.stop))
            else:
                train.append(Run(run.section, width + space, run.stop))
                valid.append(Run(run.section, 0, width))
        if valid:
            candidates.append((train, valid))
    return candidates


def _most_alike(candidates, counts, y, classes, ignore_label):
    """The candidate whose class mix is most like all data's; None if all take a class away."""
    best, best_distance = None, np.inf
    whole = counts.sum(axis=0) / counts.sum()
    for train, valid in candidates:
        if not train or not valid:
            continue
        kept = _count_runs(train, counts, y, classes, ignore_label)
        held = _count_runs(valid, counts, y, classes, ignore_label)
        if not held.sum() or np.any((kept == 0) & (counts.sum(axis=0) > 0)):
            continue
        distance = np.abs(held / held.sum() - whole).sum()
        if distance < best_distance - 1e-12:
            best, best_distance = (train, valid), distance
    return best


def _count_runs(runs, counts, y, classes, ignore_label):
    total = np.zeros(len(classes), dtype=np.int64)
    for run in runs:
        if run.n_traces == y[run.section].shape[0]:
            total += counts[run.section]
        else:
            labels = np.asarray(y[run.section][run.start : run.stop])
            total += _count_labels(labels, classes, ignore_label)
    return total
