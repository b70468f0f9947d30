"""What a few samples of a SEG-Y file show: floats of another format, or labels."""

import numpy as np

from skfacies._segy.file import FORMATS, read_bytes

__all__ = ["doubt_format", "look_like_labels", "read_some"]

#: Traces that are examined (more if they are short), and samples of each.
N_TRACES, N_SAMPLES = 8, 1000
LEAST_WORDS = 500
MOST_LABELS, LARGEST_LABEL = 32, 1000


def read_some(segy, live=None):
    """Bytes of samples in the middle of a few traces, spread over the live traces of the file."""
    numbers = np.arange(segy.n_traces) if live is None else np.flatnonzero(live)
    if not len(numbers):
        numbers = np.arange(segy.n_traces)
    n_traces = max(N_TRACES, 2 * LEAST_WORDS // segy.n_samples)
    some = numbers[np.unique(np.linspace(0, len(numbers) - 1, n_traces + 2).astype(int)[1:-1])]
    first = max(0, (segy.n_samples - N_SAMPLES) // 2)
    window = (first, min(segy.n_samples, first + N_SAMPLES))
    return read_bytes(segy, some, *(segy.header + n * segy.stored.itemsize for n in window))


def look_like_labels(samples):
    """Whether integers look like facies labels: few, small, and none below -1."""
    distinct = np.unique(samples)
    if samples.dtype.kind not in "iu" or len(distinct) > MOST_LABELS or not distinct.any():
        return False
    return bool(distinct[0] >= -1 and distinct[-1] <= LARGEST_LABEL)


def doubt_format(segy, content):
    """Say that samples look like IBM floats if the header says IEEE, or the reverse; else None.

    `content` holds the bytes of a few samples.

    The first digit of an IBM fraction is never 0, and is 8 or more in about a quarter of numbers.
    In IEEE floats, these bits are the last of the exponent and the first of the fraction: they are
    0 in one of twelve numbers, and 8 or more in every second number.
    """
    name = FORMATS[segy.code][0]
    if name not in ("ibm", "ieee"):
        return None
    words = content.view(segy.order + "u4").astype(np.uint32)
    words = words[words & 0x7FFFFFFF > 0]
    leading = words >> 24 & 0x7F
    if len(words) < LEAST_WORDS or len(np.unique(leading)) < 3:
        return None
    digits = words >> 20 & 0xF
    n_zero, n_large = np.count_nonzero(digits == 0), np.count_nonzero(digits >= 8)
    if name == "ibm":
        # Read as IEEE floats, none is huge, tiny or NaN: powers of two from -100 to 100.
        usual = np.abs((words >> 23 & 0xFF).astype(int) - 127) < 100
        wrong, other = n_zero > 0.02 * len(words) and usual.all(), "ieee"
    else:
        # Read as IBM floats, none is huge or tiny: powers of 16 from -16 to 16.
        usual = np.abs(leading.astype(int) - 64) < 16
        wrong, other = n_zero == 0 and n_large < 0.45 * len(words) and usual.all(), "ibm"
    if not wrong:
        return None
    return (
        f"{segy.path}: bytes 3225-3226 say that samples are {name.upper()} floats, but they look "
        f"like {other.upper()} floats. They are read as {name.upper()}; if amplitudes look wrong, "
        f"use sample_format={other!r}."
    )
