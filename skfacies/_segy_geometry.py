"""Geometry of SEG-Y files: line numbers, and the trace at each crossing of two lines."""

from dataclasses import dataclass, field, replace

import numpy as np

from skfacies._segy import read_words

__all__ = ["Geometry", "find_geometry"]

#: Where inline and crossline numbers are found, the usual places first. No coordinates.
LINE_BYTES = (189, 193, 9, 21, 13, 17, 5, 25, 1, 181, 185, 197, 221, 225, 229, 233, 237)
OFFSET_BYTE = 37


@dataclass(frozen=True)
class Geometry:
    """Line numbers, and the trace that lies at each crossing of two lines.

    Attributes
    ----------
    inlines, crosslines : arrays of int, ascending
    sorting : {"inline", "crossline", "irregular"}
        The lines that lie together in the file.
    base, strides : int, (int, int)
        Trace number at ``[i, j]`` is ``base + i * strides[0] + j * strides[1]``, where the file
        is regular.
    index : array of int of shape (n_inlines, n_crosslines) or None
        Trace numbers where it is not; -1 where there is no trace.
    delays : tuple of float
        Times or depths that traces begin at.
    """

    inlines: np.ndarray
    crosslines: np.ndarray
    sorting: str
    base: int = 0
    strides: tuple = (0, 0)
    index: np.ndarray | None = field(default=None, repr=False)
    delays: tuple = (0.0,)

    @property
    def live(self):
        """Mask of the crossings that have a trace; None if all have."""
        live = None if self.index is None else self.index >= 0
        return None if live is None or live.all() else live

    def numbers(self, inlines, crosslines):
        """Trace numbers at positions of lines, shape (n_inlines, n_crosslines)."""
        if self.index is not None:
            return self.index[np.ix_(inlines, crosslines)]
        step_i, step_j = self.strides
        return self.base + inlines[:, None] * step_i + crosslines[None, :] * step_j


def find_geometry(segy, inline_byte=189, crossline_byte=193):
    """Geometry of a file from the line numbers in its trace headers.

    `inline_byte` None makes one line of all traces, in the order of the file.
    """
    lines = {"inline": (inline_byte, "i4"), "crossline": (crossline_byte, "i4")}
    fields = {"delay": (109, "i2"), "scalar": (215, "i2"), **({} if inline_byte is None else lines)}
    words = read_words(segy, fields)
    if inline_byte is None:
        geometry = _line(segy, crossline_byte)
    else:
        geometry = _survey(segy, words["inline"], words["crossline"], inline_byte, crossline_byte)
    return replace(geometry, delays=_delays(words["delay"], int(words["scalar"][0])))


def _delays(delays, scalar):
    """Distinct begins of traces; `scalar` multiplies, or divides where it is negative."""
    distinct = np.unique(delays).astype(float)
    if abs(scalar) in (10, 100, 1000, 10_000):
        distinct = distinct * scalar if scalar > 0 else distinct / -scalar
    return tuple(distinct.tolist())


def _survey(segy, inlines, crosslines, inline_byte, crossline_byte):
    constant = bool((inlines == inlines[0]).all() and (crosslines == crosslines[0]).all())
    if constant and segy.n_traces > 1:
        places = _plausible_bytes(segy)
        if places:
            raise ValueError(
                f"{segy.path}: bytes {inline_byte} and {crossline_byte} of the trace headers hold "
                f"inline {inlines[0]} and crossline {crosslines[0]} in all {segy.n_traces} traces. "
                f"Line numbers seem to be in {_place_words(places)}; for one 2-D line of all "
                "traces, inline_byte=None."
            )
        return _line(segy, crossline_byte)
    return _regular(inlines, crosslines) or _irregular(
        segy, inlines, crosslines, (inline_byte, crossline_byte)
    )


def _line(segy, crossline_byte):
    """A 2-D line: one inline, with CDP numbers if they tell traces apart, else 1, 2, …."""
    for byte in (crossline_byte, 21):
        numbers = read_words(segy, {"number": (byte, "i4")})["number"]
        if np.all(numbers[1:] > numbers[:-1]) and (len(numbers) > 1 or numbers[0]):
            break
    else:
        numbers = np.arange(1, segy.n_traces + 1, dtype=np.int32)
    return Geometry(np.ones(1, np.int32), numbers, "inline", 0, (segy.n_traces, 1))


def _regular(inlines, crosslines):
    """Geometry of a file of whole lines one after the other; None if it is none."""
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


def _irregular(segy, inlines, crosslines, used):
    """Geometry with a table of trace numbers."""
    numbers_i, row = np.unique(inlines, return_inverse=True)
    numbers_j, column = np.unique(crosslines, return_inverse=True)
    n_crossings = len(numbers_i) * len(numbers_j)
    cells = row.astype(np.int64) * len(numbers_j) + column
    distinct, first, counts = np.unique(cells, return_index=True, return_counts=True)
    if len(distinct) < len(cells):
        raise ValueError(_duplicate_message(segy, inlines, crosslines, cells, first, counts, used))
    if n_crossings > max(20 * segy.n_traces, 1 << 20):
        raise ValueError(
            f"{segy.path}: bytes {used[0]} and {used[1]} of the trace "
            f"headers hold {len(numbers_i)} inlines and {len(numbers_j)} crosslines, of whose "
            f"{n_crossings} crossings only {segy.n_traces} have a trace. Give the bytes of the "
            f"line numbers: {_place_words(_plausible_bytes(segy))}; for one 2-D line of all "
            "traces, inline_byte=None."
        )
    index = np.full(n_crossings, -1, np.int32 if segy.n_traces < 2**31 else np.int64)
    index[cells] = np.arange(segy.n_traces)
    index = index.reshape(len(numbers_i), len(numbers_j))
    return Geometry(numbers_i, numbers_j, "irregular", index=index)


def _duplicate_message(segy, inlines, crosslines, cells, first, counts, used):
    most = int(counts.argmax())
    trace = first[most]
    together = np.flatnonzero(cells == cells[trace])[:1000]
    offsets = np.unique(read_words(segy, {"offset": (OFFSET_BYTE, "i4")}, together)["offset"])
    message = (
        f"{segy.path}: {counts[most]} traces have inline {inlines[trace]} and crossline "
        f"{crosslines[trace]}, but a cube has one trace at each crossing."
    )
    if len(offsets) > 1:
        return (
            f"{message} Their offsets (bytes {OFFSET_BYTE}-{OFFSET_BYTE + 3}) are "
            f"{', '.join(map(str, offsets[:4]))}{', …' if len(offsets) > 4 else ''}: these are "
            "pre-stack gathers. Stack them, or export one offset."
        )
    return (
        f"{message} Line numbers were read from bytes {used[0]} and "
        f"{used[1]}; others: {_place_words(_plausible_bytes(segy))}. For one 2-D "
        "line of all traces, inline_byte=None."
    )


def _plausible_bytes(segy):
    """Pairs of bytes whose words number the traces of a survey, in its first traces."""
    some = np.arange(min(segy.n_traces, 20_000))
    words = read_words(segy, {str(byte): (byte, "i4") for byte in LINE_BYTES}, some)
    codes = {byte: np.unique(words[str(byte)], return_inverse=True) for byte in LINE_BYTES}
    pairs = []
    for slow in LINE_BYTES:
        for fast in LINE_BYTES:
            n_slow, n_fast = len(codes[slow][0]), len(codes[fast][0])
            if slow == fast or min(n_slow, n_fast) < 2 or n_slow * n_fast > 2 * len(some):
                continue
            inner = codes[slow][1].astype(np.int64) * n_fast + codes[fast][1]
            n_changes = [np.count_nonzero(np.diff(codes[byte][1])) for byte in (slow, fast)]
            if len(np.unique(inner)) == len(some) and n_changes[0] < n_changes[1]:
                pairs.append((slow, fast))
    return pairs[:3]


def _place_words(places):
    if not places:
        return "no other bytes hold numbers of two kinds of lines"
    return " or ".join(f"inline_byte={i}, crossline_byte={j}" for i, j in places)
