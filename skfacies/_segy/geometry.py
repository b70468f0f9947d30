"""Geometry of SEG-Y files: line numbers, and the trace at each crossing of two lines."""

from dataclasses import dataclass, field, replace

import numpy as np

from skfacies._segy.advice import (
    describe_duplicates,
    describe_gathers,
    find_line_bytes,
    place_words,
    varies,
)
from skfacies._segy.file import read_words

__all__ = [
    "DEAD",
    "POSITION_BYTES",
    "Geometry",
    "coordinates_of",
    "find_geometry",
    "position_factors",
    "read_headers",
]

DEAD = 2
#: Codes that nearly all other traces must have for code `DEAD` to be trusted.
LIVE_CODES = (0, 1)
LEAST_LIVE = 0.25
#: A sparse survey has at least this many traces on a line, in both directions.
LEAST_ON_A_LINE = 8
FIELDS = {
    "cdp": (21, "i4"),
    "code": (29, "i2"),
    "offset": (37, "i4"),
    "xy_scalar": (71, "i2"),
    "source_x": (73, "i4"),
    "source_y": (77, "i4"),
    "delay": (109, "i2"),
    "scalar": (215, "i2"),
}
#: Bytes of the X and Y of traces in the standard, which source coordinates may stand in for.
POSITION_BYTES = (181, 185)
SOURCE_BYTES = (73, 77)


@dataclass(frozen=True)
class Geometry:
    """Line numbers, and the trace that lies at each crossing of two lines.

    Attributes
    ----------
    inlines, crosslines : arrays of int, ascending
    sorting : {"inline", "crossline", "irregular"}
        The lines whose traces are contiguous in the file.
    base, strides : int, (int, int)
        In a regular file, the trace number at ``[i, j]`` is
        ``base + i * strides[0] + j * strides[1]``.
    index : array of int of shape (n_inlines, n_crosslines) or None
        Trace numbers of an irregular file; -1 where there is no trace.
    dead : bool array of shape (n_inlines, n_crosslines) or None
        Traces that are marked as dead in their headers; None if there are none.
    delays : tuple of float
        Times or depths at which live traces begin.
    path : pair of arrays of shape (n_crosslines,) or None
        Inline and crossline numbers of a survey along a 2-D line.
    note : str
        Warning for the user of the file; empty if there is none.
    """

    inlines: np.ndarray
    crosslines: np.ndarray
    sorting: str
    base: int = 0
    strides: tuple = (0, 0)
    index: np.ndarray | None = field(default=None, repr=False)
    dead: np.ndarray | None = field(default=None, repr=False)
    delays: tuple = (0.0,)
    path: tuple | None = field(default=None, repr=False)
    note: str = ""

    @property
    def live(self):
        """Mask of the crossings that have a live trace; None if all do."""
        live = np.True_ if self.index is None else self.index >= 0
        live = live if self.dead is None else live & ~self.dead
        return None if live.all() else live

    def numbers(self, inlines, crosslines):
        """Trace numbers at line positions, shape (n_inlines, n_crosslines)."""
        if self.index is not None:
            return self.index[np.ix_(inlines, crosslines)]
        step_i, step_j = self.strides
        return self.base + inlines[:, None] * step_i + crosslines[None, :] * step_j

    def place(self, values, missing):
        """Values of traces at their crossings, `missing` where there is no trace."""
        numbers = self.numbers(np.arange(len(self.inlines)), np.arange(len(self.crosslines)))
        return np.where(numbers >= 0, values[numbers], missing)


def read_headers(segy, inline_byte=189, crossline_byte=193, positions=POSITION_BYTES):
    """Words of all trace headers that the geometry needs, in one pass over the file."""
    places = {"inline": inline_byte, "crossline": crossline_byte}
    places |= dict(zip("xy", positions, strict=True))
    if inline_byte is None:
        del places["inline"]
    return read_words(segy, {**FIELDS, **{name: (byte, "i4") for name, byte in places.items()}})


def find_geometry(segy, words, inline_byte=189, crossline_byte=193, duplicates="raise"):
    """Geometry of a file from the words of its trace headers.

    With `inline_byte` None, all traces form one line, in file order. `duplicates` says which of
    several traces at one crossing is used: "first", "last" or none ("raise").
    """
    if inline_byte is None:
        geometry = _line(segy, words)
    else:
        geometry = _survey(segy, words, (inline_byte, crossline_byte), duplicates)
    dead, delays = _find_dead(words["code"]), words["delay"]
    if dead is not None:
        delays = delays[~dead]
        geometry = replace(geometry, dead=geometry.place(dead, False))
    return replace(geometry, delays=_delays(delays, int(words["scalar"][0])))


def _find_dead(codes):
    """Mask of traces whose code marks them as dead; None if there are none.

    The code is not trusted if all traces have it, or if the other codes are meaningless.
    """
    dead = codes == DEAD
    n_dead = np.count_nonzero(dead)
    if not n_dead or n_dead == len(codes):
        return None
    return dead if np.isin(codes[~dead], LIVE_CODES).mean() > 0.9 else None


def _delays(delays, scalar):
    """Distinct start times or depths; `scalar` multiplies them, or divides if it is negative."""
    distinct = np.unique(delays).astype(float)
    if abs(scalar) in (10, 100, 1000, 10_000):
        distinct = distinct * scalar if scalar > 0 else distinct / -scalar
    return tuple(distinct.tolist())


def coordinates_of(segy, geometry, words, lines, positions=POSITION_BYTES):
    """X and Y of the traces, and the bytes that they are in; None if the bytes are unset.

    In place of the standard bytes 181 and 185, the source coordinates (bytes 73 and 77) are used
    if the former are unset or hold the line numbers.

    Parameters
    ----------
    words : dict of arrays
        See `read_headers`.
    lines, positions : pair of int
        Bytes of the line numbers, and of X and Y.

    Returns
    -------
    coordinates : pair of arrays of shape (n_inlines, n_crosslines)
        NaN where there is no trace.
    places : pair of int
    """
    candidates = [(words["x"], words["y"], positions)]
    if tuple(positions) == POSITION_BYTES:
        candidates.append((words["source_x"], words["source_y"], SOURCE_BYTES))
        candidates = candidates[bool({*POSITION_BYTES} & {*lines}) :]
    found = [candidate for candidate in candidates if candidate[0].any() and candidate[1].any()]
    if not found and tuple(positions) == POSITION_BYTES:
        return None
    if not found:
        raise ValueError(
            f"{segy.path}: bytes {positions[0]} and {positions[1]} of the trace headers hold no X "
            "and Y: one of them is 0 in all traces. Give the bytes of the coordinates as `x_byte` "
            "and `y_byte`, or omit them."
        )
    x, y, places = found[0]
    factor = position_factors(words["xy_scalar"])
    factor[(x == 0) & (y == 0)] = np.nan
    return tuple(geometry.place(numbers * factor, np.nan) for numbers in (x, y)), places


def position_factors(scalars):
    """Factors of coordinates: scalars of trace headers multiply, or divide if negative."""
    scalars = scalars.astype(float)
    multiply = np.where(scalars, scalars, 1)
    return np.where(scalars < 0, -1 / multiply, multiply)


# --- surveys --------------------------------------------------------------------------------


def _survey(segy, words, used, duplicates):
    inlines, crosslines = words["inline"], words["crossline"]
    is_one = [bool((numbers == numbers[0]).all()) for numbers in (inlines, crosslines)]
    if segy.n_traces > 1 and all(is_one):
        _refuse_better(
            segy,
            f"bytes {used[0]} and {used[1]} of the trace headers hold inline {inlines[0]} and "
            f"crossline {crosslines[0]} in all {segy.n_traces} traces",
        )
        return _line(segy, words)
    if segy.n_traces > 1 and any(is_one):
        line = _running_line(segy, words, is_one, used)
        if line is not None:
            return line
    regular = _regular(inlines, crosslines)
    if regular is None:
        return _irregular(segy, words, used, duplicates)
    if varies(words["offset"]) and len(np.unique(words["offset"])) <= segy.n_traces / 2:
        note = (
            f"{segy.path}: the traces have {len(np.unique(words['offset']))} different offsets "
            "(bytes 37-40), as pre-stack gathers do. If they are gathers, stack them, or export "
            "one offset."
        )
        return replace(regular, note=note)
    return regular


def _refuse_better(segy, reason, least=0.5):
    """Raise for gathers, and if other bytes hold better line numbers."""
    gathers = describe_gathers(segy)
    if gathers is not None:
        raise ValueError(
            f"{segy.path}: {reason}, and {gathers}. If it is a stacked line, use inline_byte=None."
        )
    places = find_line_bytes(segy, least)
    if places:
        records = (
            " If bytes 9-16 hold record and channel numbers, these are pre-stack gathers: stack "
            "them."
        )
        raise ValueError(
            f"{segy.path}: {reason}. Line numbers seem to be in {place_words(places)}. To open all "
            f"traces as one 2-D line, use inline_byte=None.{records if (9, 13) in places else ''}"
        )


def _running_line(segy, words, is_one, used):
    """A 2-D line whose trace numbers are in the bytes of line numbers; None if it is not one.

    Raise for gathers, and for running trace numbers of a survey with line numbers in other bytes.
    """
    numbers, other = (words[name] for name in ("inline", "crossline")[:: -1 if is_one[0] else 1])
    steps = np.diff(numbers)
    if varies(words["offset"]) or np.all(steps == 1):
        _refuse_better(
            segy,
            f"bytes {used[0]} and {used[1]} of the trace headers hold numbers from {numbers[0]} to "
            f"{numbers[-1]}, and the number {other[0]} in all {segy.n_traces} traces",
            0.9,
        )
    if is_one[0] or other[0] or not _is_monotonic(numbers):
        return None
    note = (
        f"{segy.path}: each of the {segy.n_traces} traces has its own number (byte {used[0]}) "
        "and crossline 0: they are opened as a 2-D line of one inline, with these numbers as "
        "crosslines."
    )
    return replace(_along(numbers), note=note)


def _line(segy, words):
    """A 2-D line: one inline, with CDP or shot-point numbers if they distinguish the traces."""
    for name in ("crossline", "cdp", "shotpoint"):
        numbers = words.get(name)
        if numbers is None:
            numbers = read_words(segy, {name: (17, "i4")})[name]
        if _is_monotonic(numbers) and (len(numbers) > 1 or numbers[0]):
            return _along(numbers)
    return _along(np.arange(1, segy.n_traces + 1, dtype=np.int32))


def _along(numbers):
    """Geometry of one inline with these numbers as crosslines, in ascending order."""
    one, n_traces = np.ones(1, np.int32), len(numbers)
    if numbers[0] > numbers[-1]:
        return Geometry(one, numbers[::-1].copy(), "inline", n_traces - 1, (n_traces, -1))
    return Geometry(one, numbers, "inline", 0, (n_traces, 1))


def _regular(inlines, crosslines):
    """Geometry of a file of complete lines, one after the other; None if it is not regular."""
    for axis, (slow, fast) in enumerate([(inlines, crosslines), (crosslines, inlines)]):
        changes = slow != slow[0]
        length = int(changes.argmax()) or len(slow)
        if len(slow) % length:
            continue
        slow, fast = slow.reshape(-1, length), fast.reshape(-1, length)
        same = (slow == slow[:, :1]).all() and (fast == fast[:1]).all()
        if not same or not _is_monotonic(slow[:, 0]) or not _is_monotonic(fast[0]):
            continue
        lines, strides, base = [slow[:, 0], fast[0]], [length, 1], 0
        for k in range(2):
            if lines[k][0] > lines[k][-1]:
                base += (len(lines[k]) - 1) * strides[k]
                lines[k], strides[k] = lines[k][::-1], -strides[k]
        lines, strides = [line.copy() for line in lines[:: 1 - 2 * axis]], strides[:: 1 - 2 * axis]
        return Geometry(*lines, ("inline", "crossline")[axis], base, tuple(strides))
    return None


def _is_monotonic(numbers):
    steps = np.diff(numbers.astype(np.int64))
    return bool((steps > 0).all() or (steps < 0).all())


def _irregular(segy, words, used, duplicates):
    """Geometry with a table of trace numbers."""
    inlines, crosslines = words["inline"], words["crossline"]
    numbers_i, row = np.unique(inlines, return_inverse=True)
    numbers_j, column = np.unique(crosslines, return_inverse=True)
    cells = row.astype(np.int64) * len(numbers_j) + column
    n_distinct = len(np.unique(cells))
    if n_distinct < len(cells) and duplicates == "raise":
        gathers = describe_gathers(segy)
        message = describe_duplicates(segy, inlines, crosslines, cells, used)
        if gathers is not None:
            message = f"{message.partition('. ')[0]}, and {gathers}."
        raise ValueError(message)
    note = ""
    if n_distinct == len(cells):
        path, note = _question(segy, words, used, (len(numbers_i), len(numbers_j)))
        if path is not None:
            return path
    n_crossings = len(numbers_i) * len(numbers_j)
    index = np.full(n_crossings, -1, np.int32 if segy.n_traces < 2**31 else np.int64)
    order = slice(None, None, -1 if duplicates == "first" else 1)
    index[cells[order]] = np.arange(segy.n_traces)[order]  # the last one written stays
    index = index.reshape(len(numbers_i), len(numbers_j))
    return Geometry(numbers_i, numbers_j, "irregular", index=index, note=note)


def _question(segy, words, used, n_lines):
    """A 2-D line through the line numbers of a survey, or a note on a sparse survey.

    Raise for numbers that are not line numbers: few of the crossings of their lines have a trace.
    """
    inlines, crosslines = words["inline"], words["crossline"]
    n_crossings = n_lines[0] * n_lines[1]
    is_sparse = segy.n_traces < LEAST_LIVE * n_crossings
    is_straight = all(_n_turns(numbers) == 0 for numbers in (inlines, crosslines))
    if not is_sparse and not (is_straight and segy.n_traces > 2):
        return None, ""
    reason = (
        f"bytes {used[0]} and {used[1]} of the trace headers hold {n_lines[0]} inlines and "
        f"{n_lines[1]} crosslines, but of their {n_crossings} crossings only {segy.n_traces} have "
        "a trace"
    )
    _refuse_better(segy, reason, 0.9)
    if is_straight or (_is_path(inlines) and _is_path(crosslines)):
        line = _line(segy, words)
        order = slice(None, None, line.strides[1])
        note = (
            f"{segy.path}: the {segy.n_traces} traces lie along one path through {n_lines[0]} "
            f"inlines and {n_lines[1]} crosslines (bytes {used[0]} and {used[1]}): they are opened "
            "as a 2-D line of one inline. The coordinates `path_inline` and `path_crossline` hold "
            "their line numbers."
        )
        return replace(line, path=(inlines[order], crosslines[order]), note=note), ""
    if segy.n_traces < LEAST_ON_A_LINE * max(n_lines) or n_crossings > 20 * segy.n_traces:
        raise ValueError(
            f"{segy.path}: {reason}. Give the bytes of the line numbers: "
            f"{place_words(find_line_bytes(segy))}. To open all traces as one 2-D line, use "
            "inline_byte=None."
        )
    return None, f"{segy.path}: {reason}. Are these the bytes of the line numbers?"


def _n_turns(numbers):
    """How often numbers change between ascending and descending."""
    steps = np.sign(np.diff(numbers.astype(np.int64)))
    return np.count_nonzero(np.diff(steps[steps != 0]))


def _is_path(numbers):
    """Whether numbers change by small steps and rarely change direction."""
    steps = np.abs(np.diff(numbers.astype(np.int64)))
    steps = steps[steps > 0]
    if not len(steps) or _n_turns(numbers) > len(numbers) // 20:
        return not len(steps)
    return bool(steps.max() <= 5 * np.median(steps))
