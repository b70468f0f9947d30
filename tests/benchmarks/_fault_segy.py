"""Damaged SEG-Y files."""

import random
import sys
from pathlib import Path

import numpy as np
from _fault_worker import Fault, check_error, check_memory, measured

sys.path.insert(0, str(Path(__file__).parents[1]))
from segy_files import line_words, survey_lines, write_traces

from skfacies.io import open_cube, write_cube

__all__ = ["make_case", "make_files", "mutate"]

N_SAMPLES = 40
#: Bytes of the headers that say how a file is to be read, counted from 1.
BINARY_BYTES = (3213, 3217, 3221, 3225, 3255, 3269, 3273, 3297, 3501, 3503, 3505, 3507)
TRACE_BYTES = (9, 13, 17, 21, 25, 29, 37, 71, 73, 77, 109, 115, 117, 181, 185, 189, 193, 215)
NUMBERS = (0, 1, 2, -1, 3, 5, 8, 255, 1000, 32767, -32768, 65535, 2**31 - 1, -(2**31), 10_000_000)


def make_files(folder):
    """Intact files of the kinds that differ in how they are read."""
    folder = Path(folder)
    lines = survey_lines(8, 9)
    traces = np.random.default_rng(0).standard_normal((72, N_SAMPLES)).astype("f4")
    words = {
        **line_words(*lines),
        (181, "i4"): 1000 + 25 * lines[1],
        (185, "i4"): 5000 + 25 * lines[0],
        (71, "i2"): -10,
        (117, "u2"): 4000,
    }
    whole = (100 * traces).astype("i2")
    write_traces(folder / "ieee", traces, words)
    write_traces(folder / "ibm", np.full(traces.shape, 0x41100000, "u4"), words, code=1)
    write_traces(folder / "int16", whole, words, code=3, order="<")
    write_traces(folder / "labels", (np.abs(whole) % 5).astype("i1"), words, code=8)
    text = b"((SEG: EndText))".ljust(3200)
    extended = {(3505, "i2"): 1}
    write_traces(folder / "extended", traces, words, binary=extended, extended=text)
    newer = {(3269, "i4"): N_SAMPLES, (3297, "u4"): 0x01020304, (3273, "f8"): 4000.0}
    write_traces(folder / "revision 2", traces, words, revision=0x0200, binary=newer)
    some = np.random.default_rng(1).permutation(72)[:50]
    holes = {place: np.broadcast_to(word, 72)[some] for place, word in words.items()}
    write_traces(folder / "irregular", traces[some], holes)
    write_traces(folder / "line", traces[:30], {(21, "i4"): np.arange(1, 31), (117, "u2"): 2000})
    thrice = np.repeat(np.arange(24), 3)
    repeated = {place: np.broadcast_to(word, 72)[thrice] for place, word in words.items()}
    offsets = {(37, "i4"): np.tile([100, 200, 300], 24)}
    write_traces(folder / "gathers", traces, {**repeated, **offsets})


# --- mutations ----------------------------------------------------------------------------------


def mutate(data, seed):
    """Bytes of a file, changed a few times."""
    rng = random.Random(seed)
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        rng.choice(CHANGES)(data, rng)
    return bytes(data)


def _put(data, place, rng):
    """A number into some bytes, which are counted from 0."""
    size, order = rng.choice([2, 2, 4]), rng.choice(["big", "big", "little"])
    number = rng.choice([*NUMBERS, rng.randrange(-(2**31), 2**31)])
    word = (number % 2 ** (8 * size)).to_bytes(size, order)
    data[place : place + size] = word[: max(0, len(data) - place)]


def _flip_bits(data, rng):
    first, last = rng.choice([(0, 3200), (3200, 3600), (3600, 3840), (3600, len(data))])
    for _ in range(rng.choice([1, 2, 16]) if len(data) > last else 0):
        data[rng.randrange(first, last)] ^= 1 << rng.randrange(8)


def _change_binary_header(data, rng):
    for byte in rng.sample(BINARY_BYTES, rng.choice([1, 1, 2, 4])):
        _put(data, byte - 1, rng)


def _trace_places(data):
    size = 240 + 4 * N_SAMPLES  # in other formats it is the headers of some traces only
    return range(3600, len(data), size)


def _change_trace_headers(data, rng):
    places = _trace_places(data)
    for place in rng.sample(places, min(len(places), rng.choice([1, 2, 20]))):
        _put(data, place + rng.choice(TRACE_BYTES) - 1, rng)


def _change_a_field(data, rng):
    """One field of all traces: a constant, a ramp, numbers by chance, or few numbers."""
    byte, kind = rng.choice(TRACE_BYTES), rng.randrange(4)
    number, most = rng.choice(NUMBERS), rng.choice([3, 10, 1000, 2**31])
    for i, place in enumerate(_trace_places(data)):
        value = [number, number + i, rng.randrange(most), i // rng.choice([1, 3, 9])][kind]
        word = (value % 2**32).to_bytes(4, "big")
        data[place + byte - 1 : place + byte + 3] = word[: max(0, len(data) - place - byte + 1)]


def _truncate(data, rng):
    del data[rng.randrange(len(data) + 1) :]


def _drop_or_double(data, rng):
    size = rng.choice([1, 2, 240, 400, 3200, 240 + 4 * N_SAMPLES, rng.randrange(len(data) + 1)])
    first = rng.randrange(len(data) + 1)
    part = data[first : first + size]
    data[first : first + size] = rng.choice([b"", part + part, bytes(len(part)), part[::-1]])


def _exchange_traces(data, rng):
    size, places = 240 + 4 * N_SAMPLES, _trace_places(data)
    if len(places) > 2:
        one, other = rng.sample(places[:-1], 2)
        first, second = data[one : one + size], data[other : other + size]
        data[one : one + size], data[other : other + size] = second, first


CHANGES = [_flip_bits, _change_binary_header, _change_binary_header, _change_trace_headers]
CHANGES += [_change_a_field, _change_a_field, _truncate, _drop_or_double, _exchange_traces]


# --- cases --------------------------------------------------------------------------------------


def options_of(rng):
    """How a file is opened: mostly as it is."""
    if rng.random() < 0.7:
        return {}
    choices = {
        "inline_byte": [None, 9, 17, 181],
        "crossline_byte": [21, 13, 185],
        "duplicates": ["first", "last"],
        "sample_format": ["ieee", "ibm", "int16", "int8"],
        "sample_interval": [4.0],
        "first_sample": [0.0],
        "domain": ["depth"],
    }
    names = rng.sample(sorted(choices), rng.choice([1, 1, 2]))
    return {name: rng.choice(choices[name]) for name in names}


def make_case(folder):
    """The case of a seed: a mutated file is refused, or a cube that is read line by line."""
    paths = sorted(path for path in Path(folder).iterdir() if "." not in path.name)
    mutated, written = Path(folder, "mutated.sgy"), Path(folder, "written.sgy")

    def peak_of(path):
        mutated.write_bytes(path.read_bytes())
        for _ in range(2):
            peak = measured(lambda: _read(mutated, {}))
        return peak

    usual = {path: peak_of(path) for path in paths}

    def case(seed):
        path, rng = paths[seed % len(paths)], random.Random(seed + 1)
        data = mutate(path.read_bytes(), seed)
        mutated.write_bytes(data)
        options, found = options_of(rng), []
        peak = measured(lambda: found.append(_read(mutated, options)))
        outcome = found[0]
        check_memory(peak, len(data), usual[path], f"{path.name}, {options}, {outcome!r}")
        if isinstance(outcome, Exception):
            check_error(outcome, mutated)
            return "refused"
        if seed % 8 == 0:
            return _write_like(written, mutated, outcome, options)
        return "read"

    return case


def _read(path, options):
    """The cube of a file, after each of its lines was read, or the error."""
    try:
        cube = open_cube(path, **options)
        for i in range(cube.shape[0]):
            section = cube[i].values
            if section.shape != cube.shape[1:]:
                raise Fault(f"a line of shape {section.shape} in a cube of {cube.shape}")
        return cube
    except Exception as error:
        return error


def _write_like(path, like, cube, options):
    """Labels in the headers of the damaged file come back, or are refused."""
    labels = np.ones(cube.shape, np.int8)
    lines = {name: options[name] for name in ("inline_byte", "crossline_byte") if name in options}
    if lines.get("inline_byte", 1) is None:
        lines["inline_byte"] = 0
    try:
        write_cube(path, labels, like=like, **lines)
    except Exception as error:
        check_error(error, like)
        return "read, not written"
    return "read and written"
