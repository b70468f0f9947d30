"""Advice from SEG-Y trace headers when line numbers are wrong: gathers, or other header bytes."""

import numpy as np

from skfacies._segy.file import read_samples, read_words

__all__ = ["describe_duplicates", "describe_gathers", "find_line_bytes", "place_words", "varies"]

#: Header bytes where inline and crossline numbers are found, the usual places first.
LINE_BYTES = (189, 193, 9, 21, 13, 17, 5, 25, 1, 181, 185, 197, 221, 225, 229, 233, 237)
#: Number of traces that are examined, from the start of the file.
N_LOOKED_AT = 20_000
#: Larger numbers may be coordinates, so they are proposed last.
LARGE_NUMBER = 100_000
STACK = "Stack them, or export one offset"
FIELDS = {
    "record": (9, "i4"),
    "channel": (13, "i4"),
    "cdp": (21, "i4"),
    "in_cdp": (25, "i4"),
    "offset": (37, "i4"),
    "source_x": (73, "i4"),
    "source_y": (77, "i4"),
    "group_x": (81, "i4"),
    "group_y": (85, "i4"),
    "x": (181, "i4"),
    "y": (185, "i4"),
}


def varies(offsets):
    """Whether offsets vary as in gathers; those of a stack are equal, with few exceptions."""
    if len(offsets) < 2 or np.all(offsets == offsets[0]):
        return False
    counts = np.unique(offsets, return_counts=True)[1]
    return bool(counts.max() <= 2 / 3 * len(offsets))


# --- gathers --------------------------------------------------------------------------------


def describe_gathers(segy):
    """Say why traces are pre-stack gathers; None if nothing in their headers indicates it."""
    words = read_words(segy, FIELDS, np.arange(min(segy.n_traces, N_LOOKED_AT)))
    for sign in (_by_offsets, _by_positions, _by_ensembles, _by_records):
        found = sign(words)
        if found is not None:
            return f"{found}: these are pre-stack gathers. {STACK}"
    return None


def _by_offsets(words):
    """Each offset occurs several times, or one shot or CDP has several offsets."""
    offsets = words["offset"]
    if not varies(offsets):
        return None
    distinct = np.unique(offsets)
    few = [len(numbers) <= len(offsets) / 2 for numbers in (distinct, np.unique(words["cdp"]))]
    if any(few) or _repeats(words["record"]):
        listed = ", ".join(map(str, distinct[:4]))
        more = ", …" if len(distinct) > 4 else ""
        return f"the offsets of its traces (bytes 37-40) are {listed}{more}"
    return None


def _repeats(numbers):
    """Whether numbers are set and shared by several traces."""
    return bool(numbers.any()) and len(np.unique(numbers)) <= len(numbers) / 2


def _by_positions(words):
    """Sources and receivers lie apart, and many traces share a source or a receiver."""
    source, group = (
        np.stack([words[f"{name}_x"], words[f"{name}_y"]]) for name in ("source", "group")
    )
    if not source.any() or not group.any() or np.mean((source != group).any(axis=0)) < 0.5:
        return None
    n_traces = source.shape[1]
    for name, places in (("shot", source), ("receiver", group)):
        if n_traces > 1 and len(np.unique(places, axis=1).T) <= n_traces / 2:
            return (
                f"its traces share {name} positions, and their sources (bytes 73-80) lie apart "
                "from their receivers (bytes 81-88)"
            )
    return None


def _by_ensembles(words):
    """Traces are numbered from 1 within each CDP and lie at one location."""
    starts = _restarts(words["cdp"], words["in_cdp"])
    if starts is None or not words["cdp"].any():
        return None
    inner = np.ones(len(words["cdp"]), bool)
    inner[starts] = False
    moved = (np.diff(words["x"], prepend=0) != 0) | (np.diff(words["y"], prepend=0) != 0)
    if moved[inner].any():
        return None  # each trace has its own location: lines, not CDPs
    return "its traces are numbered from 1 (bytes 25-28) within each CDP (bytes 21-24)"


def _by_records(words):
    """Channels are numbered from 1 within each record, and CDPs advance with the records."""
    starts = _restarts(words["record"], words["channel"])
    cdp = words["cdp"]
    if starts is None or len(starts) < 2 or len(np.unique(cdp)) < 2:
        return None
    n_cells = len(starts) * len(np.unique(cdp))
    if 2 * len(cdp) > n_cells or np.any(np.diff(cdp[starts]) == 0):
        return None
    return (
        "its traces have record and channel numbers (bytes 9-16), and the CDPs (bytes 21-24) "
        "advance from record to record"
    )


def _restarts(outer, inner):
    """Where runs of an outer number begin, if an inner number counts from 1 in each; else None."""
    starts = np.append(0, np.flatnonzero(np.diff(outer)) + 1)
    if len(starts) > len(outer) / 2 or np.any(inner[starts] != 1):
        return None
    steps = np.diff(inner)
    steps[starts[1:] - 1] = 1
    return starts if np.all(steps == 1) else None


# --- line numbers ---------------------------------------------------------------------------


def find_line_bytes(segy, least=0.5):
    """Up to three pairs of bytes that may hold the line numbers of a survey, the best first.

    At least the fraction `least` of the crossings of their lines has a trace, and none has two.
    """
    some = np.arange(min(segy.n_traces, N_LOOKED_AT))
    words = read_words(segy, {str(byte): (byte, "i4") for byte in LINE_BYTES}, some)
    codes = {byte: np.unique(words[str(byte)], return_inverse=True) for byte in LINE_BYTES}
    n_changes = {byte: np.count_nonzero(np.diff(codes[byte][1])) for byte in LINE_BYTES}
    pairs = []
    for slow in LINE_BYTES:
        for fast in LINE_BYTES:
            n_slow, n_fast = len(codes[slow][0]), len(codes[fast][0])
            if slow == fast or min(n_slow, n_fast) < 2 or n_slow * n_fast * least > len(some):
                continue
            cells = codes[slow][1].astype(np.int64) * n_fast + codes[fast][1]
            if n_changes[slow] < n_changes[fast] and len(np.unique(cells)) == len(some):
                # The last line may be incomplete if only part of the file was examined.
                spare = n_fast if segy.n_traces > len(some) else 0
                is_full = len(some) >= n_slow * n_fast - spare
                largest = max(np.abs(codes[byte][0]).max() for byte in (slow, fast))
                pairs.append((not is_full, largest > LARGE_NUMBER, len(pairs), (slow, fast)))
    return [pair for *_, pair in sorted(pairs)[:3]]


def place_words(places):
    """Pairs of bytes written as arguments."""
    if not places:
        return "no other bytes hold both inline and crossline numbers"
    return " or ".join(f"inline_byte={i}, crossline_byte={j}" for i, j in places)


# --- duplicates -----------------------------------------------------------------------------


def describe_duplicates(segy, inlines, crosslines, cells, used):
    """Say which traces share a crossing, whether their samples are equal, and what to do."""
    order = np.argsort(cells, kind="stable")
    later = np.flatnonzero(np.diff(cells[order]) == 0) + 1  # equal to the one before
    n_places = len(np.unique(cells[order[later]]))
    counts = np.unique(cells[order[later]], return_counts=True)[1]
    trace = order[later[int(np.cumsum(counts)[int(counts.argmax())]) - 1]]
    message = (
        f"{segy.path}: {counts.max() + 1} traces have inline {inlines[trace]} and crossline "
        f"{crosslines[trace]}, but a cube has one trace at each crossing. {n_places} "
        f"{'crossing has' if n_places == 1 else 'crossings have'} two or more traces"
    )
    if 2 * len(later) > segy.n_traces:  # not a few duplicates: these are other numbers
        return (
            f"{message}. Line numbers were read from bytes {used[0]} and {used[1]}; other bytes "
            f"to try: {place_words(find_line_bytes(segy))}. To open all traces as one 2-D line, "
            "use inline_byte=None; to keep one trace at each crossing, use duplicates='first'."
        )
    some = later[:50]
    pairs = [read_samples(segy, order[some - back], (0, segy.n_samples)) for back in (1, 0)]
    same = "equal" if np.array_equal(*pairs, equal_nan=pairs[0].dtype.kind == "f") else "different"
    places = find_line_bytes(segy)
    others = f", or read other bytes: {place_words(places)}" if places else ""
    return (
        f"{message}, with {same} samples. Use duplicates='first' or 'last' to keep one "
        f"of each{others}. To open all traces as one 2-D line, use inline_byte=None."
    )
