"""SEG-Y files for tests: made word by word, or by segyio as other programs would."""

import numpy as np

STORED = {1: "u4", 2: "i4", 3: "i2", 5: "f4", 8: "i1", 16: "u1"}


def put(content, byte, value, kind):
    """Put a word at a byte, counted from 1, into a bytearray."""
    word = np.asarray(value).astype(kind).tobytes()
    content[byte - 1 : byte - 1 + len(word)] = word


def write_traces(
    path, traces, words, *, code=5, order=">", revision=0x0100, binary=None, extended=b""
):
    """Write traces (n, n_samples) with words ``{(byte, kind): values}`` in their headers.

    `binary` are words of the binary header, ``{(byte, kind): value}``, with bytes from 3201 on, or
    bytes as they are, ``{byte: bytes}``.
    """
    n_traces, n_samples = traces.shape
    head = bytearray(b"\x40" * 3200 + bytes(400))
    plain = {(3217, "u2"): 4000, (3221, "u2"): n_samples, (3225, "u2"): code}
    for (byte, kind), value in {**plain, (3501, "u2"): revision}.items():
        put(head, byte, value, order + kind)
    for place, value in (binary or {}).items():
        if isinstance(place, tuple):
            put(head, place[0], value, order + place[1])
        else:
            head[place - 1 : place - 1 + len(value)] = value
    headers = np.zeros((n_traces, 240), np.uint8)
    for (byte, kind), values in {(29, "i2"): 1, (115, "u2"): n_samples, **words}.items():
        word = np.broadcast_to(values, n_traces).astype(order + kind)
        headers[:, byte - 1 : byte - 1 + word.itemsize] = word[:, None].view(np.uint8)
    samples = np.ascontiguousarray(traces.astype(order + STORED[code], copy=False))
    records = np.concatenate([headers, samples.view(np.uint8).reshape(n_traces, -1)], axis=1)
    path.write_bytes(bytes(head) + extended + records.tobytes())
    return path


def survey_lines(n_inlines=10, n_crosslines=12):
    """Inline and crossline numbers, trace by trace."""
    return (
        np.repeat(np.arange(100, 100 + n_inlines), n_crosslines),
        np.tile(np.arange(300, 300 + n_crosslines), n_inlines),
    )


def line_words(inlines, crosslines, fields=(189, 193)):
    """Line numbers as words of trace headers."""
    return {(byte, "i4"): n for byte, n in zip(fields, (inlines, crosslines), strict=True)}


def write_segy(
    path,
    data,
    *,
    numbers=None,
    fields=(189, 193),
    code=5,
    interval=4000,
    delay=8,
    endian="big",
    **headers,
):
    """Write traces (n, n_samples) by segyio, each with its two line numbers.

    Other words of the headers are given as ``h73=values``, by the byte that they begin at.
    """
    import segyio

    spec = segyio.spec()
    spec.format, spec.samples, spec.tracecount = code, np.arange(data.shape[1]), len(data)
    spec.endian = endian
    with segyio.create(path, spec) as file:
        file.bin[segyio.BinField.Interval] = interval
        for i, trace in enumerate(data):
            file.trace[i] = trace
            words = {109: delay, 117: interval, **dict(zip(fields, numbers[i], strict=True))}
            words |= {int(k[1:]): int(np.broadcast_to(v, len(data))[i]) for k, v in headers.items()}
            file.header[i] = words
    return path
