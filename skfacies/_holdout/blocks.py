"""Which traces a fit holds out to monitor its validation loss: one contiguous block.

Neighboring sections are near copies of each other, so randomly drawn sections would be known from
training. Lines that cross share a trace: where a line is held out, the lines that cross it are cut.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from skfacies._holdout.crossings import find_crossings
from skfacies._sections.sections import Run
from skfacies._sections.validation import Lines, is_listlike

__all__ = ["split_validation_block"]

#: Narrower runs of traces are left out of training and validation, as they would be mostly padding.
MIN_TRACES = 16

#: Largest number of sections that are searched for crossings.
MAX_LINES = 512

#: Number of lines of each direction of a cube that are used to place its block.
ENOUGH_LINES = 60

#: If a single line has more than this many times the required traces, only a part is held out.
MUCH_MORE = 1.25

#: Number of block starts that are tried; at most about twice this.
MAX_STARTS = 32


def split_validation_block(sections, fraction, gap=8):
    """Split sections into training runs and a held-out block of about `fraction` of all traces.

    - For crossing lines (they share a trace), the geometry is taken into account: a block of
      neighboring lines of one direction is held out, with the traces of other lines inside it.
      Traces of other lines within `gap` of it are left out.
    - Other sections count as neighbors in the given order: a run of them is held out.
    - If a single line has much more than `fraction` of all traces, only a part of it is held out.
    - If there are too few sections to spare one, the last or the first traces of each are held
      out. Traces of crossing lines within `gap` of them are left out.

    Of the blocks that leave every class in training, the one whose class distribution is closest to
    that of all sections is used.

    Parameters
    ----------
    sections : Sections
    fraction : float in [0, 1)
        0 holds nothing out.
    gap : int, default=8
        Number of traces next to the block that are in neither part.

    Returns
    -------
    train, valid : list of Run
        `valid` is empty where nothing can be held out.
    """
    X, everything = sections.X, sections.labeled_runs()
    if fraction == 0:
        return everything, []
    lines = _survey_lines(X, np.array([run.section for run in everything], dtype=int))
    some, every = everything, (1, 1)
    if isinstance(X, Lines):
        gap = _fitting_gap(gap, lines)
        some, every = _thin_out(everything, lines)
    candidates = _line_blocks(some, lines, fraction, gap)
    if isinstance(X, Lines):
        candidates = _sparing(candidates)
    for split in _most_alike_first(candidates, some, sections):
        if every == (1, 1):
            return split
        # The lines in between may hold all samples of a class that the other lines lack.
        split = _fill_in(split, everything, lines, gap, every)
        if _keeps_all_classes(sections.count(split[0]), everything, sections):
            return split
    candidates = _trace_blocks(everything, lines, fraction, gap)
    return next(_most_alike_first(candidates, everything, sections), (everything, []))


def _fitting_gap(gap, lines):
    """Gap for a cube; smaller in a small cube, where the usual gap would take a large part."""
    positions = [
        [lines.position[i] for i, direction in lines.direction.items() if direction == own]
        for own in (0, 1)
    ]
    extent = min(max(some) - min(some) + 1 for some in positions if some)
    return min(gap, max(1, extent // 20))


def _thin_out(runs, lines):
    """Every n-th line of a cube, so that placing the block is much faster.

    Returns the runs, and n for each direction.
    """
    groups = [[run for run in runs if lines.direction[run.section] == own] for own in (0, 1)]
    every = tuple(max(1, -(-len(group) // ENOUGH_LINES)) for group in groups)
    return [run for group, n in zip(groups, every, strict=True) for run in group[::n]], every


def _fill_in(split, runs, lines, gap, every):
    """The same block, with the lines that `_thin_out` left out."""
    _, valid = split
    direction = lines.direction[valid[0].section]  # held-out lines come first
    group = sorted(
        (run for run in runs if lines.direction[run.section] == direction),
        key=lambda run: lines.position[run.section],
    )
    own = {run.section for run in valid}
    places = [place for place, run in enumerate(group) if run.section in own]
    held = group[min(places) : max(places) + every[direction]]
    return _hold_out(held, runs, lines, gap)


def _sparing(candidates):
    """Candidates that leave nearly as much for training as the best; this outweighs class mix."""
    sizes = [sum(run.n_traces for run in train) for train, _ in candidates]
    return [c for c, size in zip(candidates, sizes, strict=True) if size >= 0.8 * max(sizes)]


# --- geometry of crossing lines -------------------------------------------------------------


@dataclass
class _Lines:
    """Geometry of lines: each has one direction, and a position along the other direction.

    `direction` is 0 or 1; `origin[i]` is the coordinate of the first trace of line i along its
    own direction; `position[i]` is its coordinate along the other direction; `crossings[i][j]` is
    the trace of line i where line j crosses it. All coordinates are in traces.
    """

    direction: dict
    origin: dict
    position: dict
    crossings: dict


def _survey_lines(X, sections):
    """Geometry, known or found from shared traces; None if no lines cross."""
    if isinstance(X, Lines):
        return _known_lines(X, sections)
    # Thousands of small products: on busy cores, threads would wait for each other in each.
    with threadpool_limits(1, user_api="blas"):
        if len(sections) > MAX_LINES:
            # An array is usually one cube, whose lines do not cross: checking a few is enough.
            some = sections[np.linspace(0, len(sections) - 1, ENOUGH_LINES).astype(int)]
            if is_listlike(X) or find_crossings(X, some):
                _warn_of_too_many_lines(len(sections))
            return None
        lines = _Lines({}, {}, {}, find_crossings(X, sections))
    if not lines.crossings:
        return None
    start = max(lines.crossings, key=lambda line: len(lines.crossings[line]))
    lines.direction[start], lines.origin[start], lines.position[start] = 0, 0, 0
    queue = [start]
    for line in queue:
        for other, trace in lines.crossings[line].items():
            # They meet in one point: its coordinates along both directions are equal.
            position = lines.origin[line] + trace
            origin = lines.position[line] - lines.crossings[other][line]
            if other not in lines.direction:
                lines.direction[other] = 1 - lines.direction[line]
                lines.position[other], lines.origin[other] = position, origin
                queue.append(other)
            elif (
                lines.direction[other] == lines.direction[line]
                or abs(lines.position[other] - position) > 2
                or abs(lines.origin[other] - origin) > 2
            ):  # oblique or reversed lines: only their crossings are known
                return _Lines({}, {}, {}, lines.crossings)
    return lines


def _warn_of_too_many_lines(n_sections):
    warnings.warn(
        f"{n_sections} labeled sections are too many to search for crossing lines (at most "
        f"{MAX_LINES}); the validation block may share traces with training lines. Give "
        "`validation_data`, or give the cube to CubeSegmenter.",
        UserWarning,
        stacklevel=5,
    )


def _known_lines(X, sections):
    """Geometry of sections that were cut from one cube."""
    direction = {i: X.directions[i] for i in sections.tolist()}
    position = {i: X.positions[i] for i in direction}
    # A line crosses all lines of the other direction, each at the same trace.
    traces = [{i: p for i, p in position.items() if direction[i] != own} for own in (0, 1)]
    crossings = {i: traces[own] for i, own in direction.items()}
    return _Lines(direction, dict.fromkeys(direction, 0), position, crossings)


# --- candidates -------------------------------------------------------------------------------


def _line_blocks(runs, lines, fraction, gap):
    """Blocks of neighboring lines that hold about `fraction` of all traces."""
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
            train, valid = _hold_out(held, runs, lines, gap)
            # Traces of other lines inside the block also count: fewer lines may fit better.
            while lines is not None and len(held) > 1:
                held = held[:-1]
                fewer = _hold_out(held, runs, lines, gap)
                if _misses(fewer[1], fraction * total) >= _misses(valid, fraction * total):
                    break
                train, valid = fewer
            n_held = sum(run.n_traces for run in valid)
            if n_held > 2 * fraction * total and (len(runs) < 5 or n_held > total / 4):
                continue  # too large a part of the data: try other lines, or traces
            candidates += _shorten(train, valid, runs, lines, fraction * total, gap)
    return candidates


def _shorten(train, valid, runs, lines, wanted, gap):
    """The candidate, or the first, middle or last part of a single line that is too long.

    If there are few lines, extra traces are worth more in training than in validation.
    """
    (line, *others), width = valid, max(round(wanted), 2 * MIN_TRACES)
    rest = [run for run in runs if run.section != line.section]
    if others or line.n_traces <= MUCH_MORE * width:
        return [(train, valid)]
    if lines is not None and any(_is_beside(run, [line], lines, gap) for run in rest):
        return [(train, valid)]
    candidates = []
    for first in (0, (line.n_traces - width) // 2, line.n_traces - width):
        part = [Run(line.section, line.start + first, line.start + first + width)]
        left = rest + _outside(line, part[0].start - gap, part[0].stop + gap)
        candidates.append((_cut_at_crossings(left, part, lines, gap), part))
    return candidates


def _misses(valid, wanted):
    return abs(sum(run.n_traces for run in valid) - wanted)


def _grow_block(group, wanted):
    """First lines of a group with about `wanted` traces; None if they have fewer than half."""
    held, n_traces = [], 0
    for run in group:
        if held and n_traces + run.n_traces / 2 > wanted:
            break
        held.append(run)
        n_traces += run.n_traces
    return held if n_traces >= wanted / 2 else None


def _hold_out(held, runs, lines, gap):
    """Training and held-out runs; traces inside the block, or in the gap, are cut from training."""
    sections = {run.section for run in held}
    rest = [run for run in runs if run.section not in sections]
    if lines is None:
        return rest, held
    train, valid = [], list(held)
    for run in rest:
        if _is_beside(run, held, lines, gap):
            continue
        first, stop, passes = _traces_in_block(run, held, lines, gap)
        train += _outside(run, first - gap, stop + gap) if first < stop else [run]
        inside = Run(run.section, max(first, 0), min(stop, run.n_traces))
        if passes and inside.n_traces >= MIN_TRACES:
            valid.append(inside)
    return train, valid


def _is_beside(run, held, lines, gap):
    """Whether a line runs along a held-out line within the gap, or between two of them."""
    if run.section in lines.direction:
        if lines.direction[run.section] != lines.direction[held[0].section]:
            return False
        across = [lines.position[line.section] for line in held]
        return min(across) - gap <= lines.position[run.section] <= max(across) + gap
    crossed = lines.crossings.get(run.section, {})
    return any(
        # A third line crosses both of them within the gap.
        abs(lines.crossings[third][run.section] - lines.crossings[third][line.section]) <= gap
        for line in held
        if line.section not in crossed
        for third in crossed
        if line.section in lines.crossings[third]
    )


def _traces_in_block(run, held, lines, gap):
    """Traces ``first … stop - 1`` of a line at the block, and whether the line passes through it.

    ``first == stop`` if the line does not reach the block. If the geometry is known, the traces may
    lie outside the line.
    """
    crossed = lines.crossings.get(run.section, {})
    met = [crossed[line.section] for line in held if line.section in crossed]
    passes = bool(met)
    if run.section in lines.direction:
        if lines.direction[run.section] == lines.direction[held[0].section]:
            return 0, 0, False
        # Not only where they cross: a crossing is not found on a dead trace, and a line may begin
        # between the lines of the block.
        position, origin = lines.position[run.section], lines.origin[run.section]
        ends = [(lines.origin[line.section], line.n_traces) for line in held]
        begin, end = min(o for o, _ in ends), max(o + n for o, n in ends)
        passes |= begin <= position < end
        if begin - gap <= position < end + gap:
            across = [lines.position[line.section] - origin for line in held]
            met += [min(across), max(across)]
    return (min(met), max(met) + 1, passes) if met else (0, 0, False)


def _outside(run, first, stop):
    """Pieces of a run that remain without the traces ``first … stop - 1`` of its section."""
    if stop <= run.start or first >= run.stop:
        return [run]
    pieces = [Run(run.section, run.start, first), Run(run.section, stop, run.stop)]
    return [piece for piece in pieces if piece.n_traces >= MIN_TRACES]


def _trace_blocks(runs, lines, fraction, gap):
    """Candidates of the last, or the first, traces of every section that is wide enough."""
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
            candidates.append((_cut_at_crossings(train, valid, lines, gap), valid))
    return candidates


def _cut_at_crossings(train, valid, lines, gap):
    """Remove from training runs the traces within the gap of held-out ones of crossing lines."""
    if lines is None:
        return train
    for line in valid:
        for other, trace in lines.crossings.get(line.section, {}).items():
            if line.start - gap <= trace < line.stop + gap:
                there = lines.crossings[other][line.section]
                train = [
                    piece
                    for run in train
                    for piece in (
                        _outside(run, there - gap, there + gap + 1)
                        if run.section == other
                        else [run]
                    )
                ]
    return train


def _most_alike_first(candidates, runs, sections):
    """Candidates that leave every class in training, those with the most typical mix first."""
    found = []
    whole = sections.counts.sum(axis=0) / sections.counts.sum()
    for train, valid in candidates:
        if not train or not valid:
            continue
        held = sections.count(valid)
        if held.sum() and _keeps_all_classes(sections.count(train), runs, sections):
            distance = np.abs(held / held.sum() - whole).sum()
            found.append((round(float(distance), 12), len(found), (train, valid)))
    yield from (split for *_, split in sorted(found))


def _keeps_all_classes(kept, runs, sections):
    """Whether training has every class of the runs; `kept` are its labeled samples by class."""
    present = sections.counts[[run.section for run in runs]].sum(axis=0) > 0
    return not np.any((kept == 0) & present)
