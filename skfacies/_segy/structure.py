"""Structure of SEG-Y files: what the headers say, checked against the file size."""

import math
import os

import numpy as np

from skfacies._segy.file import BINARY, FORMATS, HEADER, TEXT, SegyFile

__all__ = ["code_of", "read_structure"]

#: Shows the byte order in files of revision 2 (bytes 3297-3300).
BYTE_ORDER_MARK = 0x01020304
#: Known revisions. Other numbers are left over from before these bytes had a meaning.
REVISIONS = (0, 1, 2)
#: Upper limit for additional trace headers; no file has as many.
MOST_HEADERS = 100
MOST_EXTENDED = 1000
END_MARK = "((seg:endtext))"
CODES = {name: code for code, (name, _) in FORMATS.items()}


def code_of(sample_format):
    """Code of a sample format by its name; None for None."""
    if sample_format is not None and sample_format not in CODES:
        raise ValueError(f"`sample_format` must be one of {list(CODES)}; got {sample_format!r}.")
    return CODES.get(sample_format)


def read_structure(path, sample_format=None):
    """Structure of a SEG-Y file, checked against the size of the file.

    Parameters
    ----------
    path : path
    sample_format : str, default=None
        Name of the sample format, which overrides bytes 3225-3226.

    Raises
    ------
    ValueError
        If the file is truncated, is not SEG-Y, or is of an unsupported kind.
    """
    code = code_of(sample_format)
    path = os.path.abspath(path)
    with open(path, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        head = file.read(TEXT + BINARY)
        if len(head) < TEXT + BINARY:
            raise ValueError(
                f"{path} is not a SEG-Y file, or is truncated: it has {status.st_size} bytes, but "
                f"the file headers alone take {TEXT + BINARY}. Copy or export it again."
            )
        encodings = _encodings(path, head, code)
        for order, own_code in encodings:
            found = _fit(file, path, head, order, own_code, status)
            if found is not None:
                return found
        raise ValueError(_size_message(file, path, head, *encodings[0], status.st_size))


def _word(head, byte, kind):
    """Number at a byte position, counted from 1 as in the standard."""
    return np.frombuffer(head, kind, count=1, offset=byte - 1)[0].item()


def _encodings(path, head, code):
    """Possible byte orders and sample format codes, the likeliest first."""
    orders = sorted("><", key=lambda order: _word(head, 3297, order + "u4") != BYTE_ORDER_MARK)
    told = [(order, _word(head, 3225, order + "u2")) for order in orders]
    known = [(order, own) for order, own in told if own in FORMATS]
    if code is not None:
        first = [order for order, _ in known]
        return [(order, code) for order in first + [o for o in orders if o not in first]]
    if known:
        return known
    names = ", ".join(f"{own} ({name})" for own, (name, _) in FORMATS.items())
    raise ValueError(
        f"{path} cannot be read as a SEG-Y file: bytes 3225-3226 hold the sample format "
        f"{_word(head, 3225, '>u2')}; expected one of {names}. If it is SEG-Y, give "
        "`sample_format`, such as sample_format='ieee', or export it with IEEE floats."
    )


def _fit(file, path, head, order, code, status):
    """Structure that fits the size of the file; None if no structure does."""
    revision = _revision(head, order)
    for start in _starts(file, head, order, revision, status.st_size):
        for header in _header_lengths(head, order, revision):
            for n_samples, place in _sample_counts(file, head, order, revision, start):
                trace_bytes = header + n_samples * np.dtype(FORMATS[code][1]).itemsize
                n_traces, rest = divmod(status.st_size - start, trace_bytes)
                last = start + (n_traces - 1) * trace_bytes
                if n_traces < 1 or rest:
                    continue
                if place == "trace" and _sample_count(file, last, order) != n_samples:
                    continue  # the size fits by chance
                intervals = _intervals(file, head, order, revision, start)
                return SegyFile(
                    path,
                    start,
                    n_traces,
                    n_samples,
                    code,
                    order,
                    next((interval for interval in intervals if interval), None),
                    (status.st_size, status.st_mtime_ns),
                    header,
                    intervals,
                    "ft" if _word(head, 3255, order + "i2") == 2 else "m",
                )
    return None


def _revision(head, order):
    """Revision of the standard; 0 if the bytes hold something else."""
    major, minor = head[3500], head[3501]
    if order == "<" and major == 0:
        major, minor = minor, major
    return major if major in REVISIONS and minor < 10 else 0


def _starts(file, head, order, revision, size):
    """Possible byte positions of the first trace, the likeliest first."""
    plain = TEXT + BINARY
    n_extended = _word(head, 3505, order + "i2")
    if n_extended == -1:
        n_extended = _count_extended(file, size) or 0
    starts = [plain]
    if 0 < n_extended <= (size - plain) // TEXT:
        starts.append(plain + n_extended * TEXT)
    # These bytes had no meaning before revision 1, but some files of revision 0 use them.
    return starts[::-1] if revision or n_extended <= MOST_EXTENDED else starts


def _count_extended(file, size):
    """Number of extended text headers up to the end mark; None without a mark."""
    n_blocks = min((size - TEXT - BINARY) // TEXT, MOST_EXTENDED)
    for number in range(n_blocks):
        file.seek(TEXT + BINARY + number * TEXT)
        block = file.read(TEXT)
        for code in ("ascii", "cp037"):
            text = block.decode(code, "replace").replace("\0", "")
            if END_MARK in "".join(text.split()).casefold():
                return number + 1
    return None


def _header_lengths(head, order, revision):
    """Possible lengths in bytes of a trace header, with the additional headers of revision 2."""
    counts = [_word(head, 3507, order + kind) for kind in ("i4", "i2")] if revision == 2 else []
    return [HEADER * (1 + n) for n in counts if 0 < n <= MOST_HEADERS] + [HEADER]


def _sample_counts(file, head, order, revision, start):
    """Numbers of samples per trace from the headers, and the header that each comes from."""
    counts = []
    if revision == 2:
        counts.append((_word(head, 3269, order + "i4"), "binary"))
    counts.append((_word(head, 3221, order + "u2"), "binary"))
    counts.append((_sample_count(file, start, order), "trace"))
    return [(count, place) for count, place in counts if count > 0]


def _sample_count(file, start, order):
    """Number of samples in the header of the trace at a byte position; 0 if there is none."""
    return _trace_word(file, start, 115, order + "u2")


def _trace_word(file, start, byte, kind):
    file.seek(start)
    header = file.read(HEADER)
    return _word(header, byte, kind) if len(header) == HEADER else 0


def _intervals(file, head, order, revision, start):
    """Sample intervals in the binary and the first trace header; None where there is none."""
    binary = _word(head, 3217, order + "u2")
    if revision == 2:
        precise = _word(head, 3273, order + "f8")
        if math.isfinite(precise) and 1e-3 <= precise < 1e9:
            binary = precise
    trace = _trace_word(file, start, 117, order + "u2")
    return tuple(interval / 1000 if interval else None for interval in (binary, trace))


def _size_message(file, path, head, order, code, size):
    revision = _revision(head, order)
    start = _starts(file, head, order, revision, size)[0]
    n_extended = _word(head, 3505, order + "i2")
    if size <= start or (revision and n_extended > (size - TEXT - BINARY) // TEXT):
        return (
            f"{path} cannot be read: bytes 3505-3506 announce {n_extended} extended text headers, "
            f"but the file of {size} bytes has no complete trace, with or without them. It is "
            "truncated, or its header is damaged: copy or export it again."
        )
    in_binary = _word(head, 3221, order + "u2")
    in_trace = _sample_count(file, start, order)
    left = ""
    if in_binary:
        n_bytes = HEADER + in_binary * np.dtype(FORMATS[code][1]).itemsize
        whole, rest = divmod(size - start, n_bytes)
        left = f" With {in_binary}, {whole} complete traces and {rest} bytes follow the headers."
    return (
        f"{path} cannot be read: its {size} bytes are not a whole number of traces. Its binary "
        f"header (bytes 3221-3222) says {in_binary} samples per trace, its first trace header "
        f"(bytes 115-116) says {in_trace}.{left} It is truncated, or its traces differ in length: "
        "copy it again, or export it with traces of equal length. If its sample format is not "
        f"{FORMATS[code][0]}, give `sample_format`."
    )
