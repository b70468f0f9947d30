"""SEG-Y files: reading and writing the bytes of traces.

Why not segyio, the standard library for SEG-Y: this module copies headers byte for byte into files
of another sample format, rejects irregular geometries with a remedy, gives Dask a handle for each
read, and needs no compiled package. It also decodes IBM floats whose fraction begins with the
digit 0 correctly: segyio 1.9.14 decodes 0x40000000, which is 0, as 0.03125, and 0x410B675C, which
is 0.713, as 0.856. Such numbers are rare; apart from them, segyio decodes IBM floats 2.5 times as
fast.

Traces are read with plain reads of the requested runs. On a file of 1.1 GB with 270 000 traces of
1000 samples, a memory map reads all of a cold file for a single crossline (1145 MB for 2.4 MB,
because pages around each trace are read as well), and the process crashes if a file is truncated.
"""

import os
from dataclasses import dataclass

import numpy as np

__all__ = [
    "BINARY",
    "FORMATS",
    "HEADER",
    "TEXT",
    "SegyFile",
    "decode_samples",
    "encode_samples",
    "new_headers",
    "read_bytes",
    "read_samples",
    "read_words",
    "write_records",
]

TEXT, BINARY, HEADER = 3200, 400, 240  # bytes
#: Name and type of samples by the code in bytes 3225-3226.
FORMATS = {
    1: ("ibm", "u4"),  # read as words, converted afterward
    2: ("int32", "i4"),
    3: ("int16", "i2"),
    5: ("ieee", "f4"),
    6: ("float64", "f8"),
    8: ("int8", "i1"),
    10: ("uint32", "u4"),
    11: ("uint16", "u2"),
    16: ("uint8", "u1"),
}
#: Reads of this size stay in the processor's cache; longer reads are slower.
BYTES_AT_ONCE = 1 << 20
#: Headers that are farther apart than this are read one by one.
MAX_GAP_BYTES = 1 << 16
#: Stands for NaN in IBM floats, as in the files of interpretation systems.
UNDEFINED = np.float32(1e30)


@dataclass(frozen=True)
class SegyFile:
    """Where the traces of a file lie, and their type."""

    path: str
    start: int  # byte of the first trace
    n_traces: int
    n_samples: int
    code: int  # of the sample format
    order: str = ">"
    interval: float | None = None  # milliseconds, or units of length
    version: tuple = ()  # size and modification time when the file was opened
    header: int = HEADER  # bytes before the samples of a trace
    intervals: tuple = ()  # from the binary header and the first trace header
    unit: str = "m"  # of lengths

    @property
    def stored(self):
        """Data type of samples in the file."""
        return np.dtype(self.order + FORMATS[self.code][1])

    @property
    def dtype(self):
        """Data type of samples in memory."""
        return np.dtype(np.float32) if self.code == 1 else self.stored.newbyteorder("=")

    @property
    def trace_bytes(self):
        """Bytes of a trace with its header."""
        return self.header + self.n_samples * self.stored.itemsize

    @property
    def size(self):
        """Bytes of the file."""
        return self.start + self.n_traces * self.trace_bytes


# --- bytes of traces ------------------------------------------------------------------------


def read_bytes(segy, numbers, first, stop, *, spare_rest=False):
    """Bytes `first` to `stop` of traces, counted from the start of their headers.

    Parameters
    ----------
    segy : SegyFile
    numbers : array of int, shape (n_traces,)
        Positions in the file, in any order.
    first, stop : int
    spare_rest : bool, default=False
        Read only these bytes, trace by trace. This is slower per byte, but reads headers without
        the samples between them.

    Returns
    -------
    found : ndarray of uint8, shape (n_traces, stop - first)
    """
    found = np.empty((len(numbers), stop - first), np.uint8)
    numbers, order = _sorted(numbers)
    length = segy.trace_bytes
    most = 1 if spare_rest or length > MAX_GAP_BYTES else max(1, BYTES_AT_ONCE // length)
    buffer = np.empty((min(most, len(numbers)) if most > 1 else 0, length), np.uint8)
    width, view = stop - first, memoryview(found.reshape(-1))
    with open(segy.path, "rb", buffering=0) as file:
        _check_version(file, segy)
        for start, end in _runs(numbers, most):
            position = segy.start + int(numbers[start]) * length
            if end - start == 1:
                row = start if order is None else int(order[start])
                _fill(file, position + first, view[row * width : (row + 1) * width], segy)
            else:
                _fill(file, position, memoryview(buffer[: end - start].reshape(-1)), segy)
                rows = slice(start, end) if order is None else order[start:end]
                found[rows] = buffer[: end - start, first:stop]
    return found


def _sorted(numbers):
    """Numbers in ascending order, and the order that sorts them; None if they are sorted."""
    if len(numbers) < 2 or np.all(numbers[1:] > numbers[:-1]):
        return numbers, None
    order = np.argsort(numbers, kind="stable")
    return numbers[order], order


def _runs(numbers, most):
    """Yield (start, end) of the runs of neighbors among ascending numbers, in pieces."""
    if not len(numbers):
        return
    ends = np.append(np.flatnonzero(np.diff(numbers) != 1) + 1, len(numbers))
    start = 0
    for end in ends.tolist():
        while start < end:
            piece = min(start + most, end)
            yield start, piece
            start = piece


def _check_version(file, segy):
    status = os.fstat(file.fileno())
    if segy.version and segy.version != (status.st_size, status.st_mtime_ns):
        raise OSError(f"{segy.path} has changed since it was opened. Open it again.")


def _fill(file, position, view, segy):
    """Read bytes into memory; the system may return them in several pieces."""
    file.seek(position)
    while view:
        n_read = file.readinto(view)
        if n_read == len(view):
            return
        if not n_read:
            raise OSError(f"{segy.path} has been truncated since it was opened. Copy it again.")
        view = view[n_read:]


def read_samples(segy, numbers, window):
    """Samples `window` (start, stop) of traces, shape (n_traces, stop - start), as numbers."""
    first, stop = (segy.header + sample * segy.stored.itemsize for sample in window)
    return decode_samples(read_bytes(segy, numbers, first, stop), segy)


def decode_samples(content, segy):
    """Bytes of samples as numbers, in the same memory where possible."""
    stored = content.view(segy.stored)
    if segy.code == 1:
        return _from_ibm(stored)
    if not segy.stored.isnative:
        stored.byteswap(inplace=True)
    return stored.view(segy.dtype)


#: Value of the lowest bit of the fraction, by the first byte: a sign and a power of 16.
IBM_SCALES = np.concatenate([sign * 16.0 ** (np.arange(128) - 70) for sign in (1, -1)])


def _from_ibm(words):
    """IBM floats as float32, in the memory of their words; values that overflow are infinite."""
    values = words.view(np.float32)
    flat_words, flat_values = words.reshape(-1), values.reshape(-1)
    with np.errstate(over="ignore"):
        for start in range(0, words.size, 1 << 15):  # blocks that stay in the cache
            block = slice(start, start + (1 << 15))
            bits = flat_words[block].astype(np.uint32)
            scale = IBM_SCALES[bits >> 24]
            np.multiply(scale, bits & 0xFFFFFF, out=flat_values[block], casting="unsafe")
    return values


def read_words(segy, fields, numbers=None):
    """Words of trace headers.

    Parameters
    ----------
    segy : SegyFile
    fields : dict of (byte, kind)
        Kind is a data type without byte order, such as "i4".
    numbers : array of int, default=None
        Positions of traces in the file; None reads all.

    Returns
    -------
    words : dict of arrays of shape (n_traces,)
    """
    numbers = np.arange(segy.n_traces) if numbers is None else numbers
    first = min(byte for byte, _ in fields.values()) - 1
    stop = max(byte - 1 + np.dtype(kind).itemsize for byte, kind in fields.values())
    layout = np.dtype(
        {
            "names": list(fields),
            "formats": [segy.order + kind for _, kind in fields.values()],
            "offsets": [byte - 1 - first for byte, _ in fields.values()],
            "itemsize": stop - first,
        }
    )
    words = {name: np.empty(len(numbers), kind) for name, (_, kind) in fields.items()}
    for start in range(0, len(numbers), 1 << 14):
        part = slice(start, start + (1 << 14))
        headers = read_bytes(segy, numbers[part], first, stop, spare_rest=True).view(layout)[:, 0]
        for name in fields:
            words[name][part] = headers[name]
    return words


# --- writing --------------------------------------------------------------------------------


def encode_samples(values, segy):
    """Values as samples of a file, in its byte order; values that it cannot hold are an error."""
    name, kind = FORMATS[segy.code]
    if name == "ibm":
        return _to_ibm(values).astype(segy.stored, copy=False)
    if kind[0] == "f":
        with np.errstate(over="ignore"):
            return values.astype(segy.stored)
    limits = np.iinfo(kind)
    bad = (values < limits.min) | (values > limits.max)
    if values.dtype.kind == "f":
        bad |= ~(values == np.floor(values))
    if bad.any():
        raise ValueError(
            f"`cube` holds {values[bad][0]}, which the sample format {name} cannot store (it "
            f"stores whole numbers {limits.min} … {limits.max}). Choose another `sample_format`, "
            f"such as {'ieee' if values.dtype.kind == 'f' else 'int32'!r}."
        )
    return values.astype(segy.stored)


def _to_ibm(values):
    """IBM floats: a sign, a power of 16, and a fraction of 24 bits, rounded to the nearest.

    Numbers below 1.2e-38 become 0. NaN, which IBM floats lack, becomes 1e30. Blocks stay in the
    cache and use little memory.
    """
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(values, np.float32)
    words = np.empty(values.size, np.uint32)
    flat = values.reshape(-1)
    for start in range(0, flat.size, 1 << 15):
        block = flat[start : start + (1 << 15)]
        if not np.isfinite(block).all():
            if np.isinf(block).any():
                raise ValueError(
                    "`cube` holds infinity in traces to be written, which IBM floats cannot "
                    "store. Replace it, or use sample_format='ieee'."
                )
            block = np.where(np.isnan(block), UNDEFINED, block)
        bits = block.view(np.uint32)
        exponent = bits >> 23 & 0xFF
        power = exponent + 133 >> 2  # of 16, with IBM's bias of 64
        shift = (power << 2) - (exponent + 130)  # leading bits that are zero, 0 to 3
        digits = (bits & 0x7FFFFF | 0x800000) + (1 << shift >> 1) >> shift
        words[start : start + (1 << 15)] = np.where(
            exponent, bits & 0x80000000 | power << 24 | digits, 0
        )
    return words.reshape(values.shape)


def write_records(file, segy, numbers, headers, samples):
    """Write traces at their positions; `headers` are bytes, `samples` are encoded."""
    records = np.empty((len(numbers), segy.trace_bytes), np.uint8)
    records[:, : segy.header] = headers
    records[:, segy.header :] = samples.view(np.uint8).reshape(len(numbers), -1)
    numbers, order = _sorted(numbers)
    if order is not None:
        records = records[order]
    for start, end in _runs(numbers, len(numbers)):
        file.seek(segy.start + int(numbers[start]) * segy.trace_bytes)
        view = memoryview(records[start:end]).cast("B")
        while len(view):
            view = view[file.write(view) :]


def new_headers(segy, *, first_sample, lines):
    """Text and binary header of a new revision 1 file; `lines` are the text of the first cards."""
    ends = ["SEG Y REV1", "END TEXTUAL HEADER"]
    if len(lines) > 38:
        raise ValueError(f"`note` needs {len(lines)} cards; the text header has 38. Shorten it.")
    cards = [*lines, *[""] * (38 - len(lines)), *ends]
    text = "".join(f"C{i + 1:>2} {card}"[:80].ljust(80) for i, card in enumerate(cards))
    interval = round(segy.interval * 1000)
    binary = np.zeros(BINARY // 2, ">u2")
    words = {3213: 1, 3217: interval, 3219: interval, 3221: segy.n_samples, 3223: segy.n_samples}
    words |= {3225: segy.code, 3227: 1, 3229: 4, 3501: 0x0100, 3503: 1}
    words[3255] = 2 if segy.unit == "ft" else 1
    for byte, value in words.items():
        binary[(byte - TEXT - 1) // 2] = value
    header = np.zeros(HEADER // 2, ">i2")
    for byte, value in {29: 1, 31: 1, 33: 1, 35: 1, 69: 1, 71: 1, 89: 1, 109: first_sample}.items():
        header[(byte - 1) // 2] = value
    unsigned = header.view(">u2")
    unsigned[(115 - 1) // 2], unsigned[(117 - 1) // 2] = segy.n_samples, interval
    return text.encode("cp037", "replace") + binary.tobytes(), header.view(np.uint8)
