"""What some samples of a SEG-Y file tell: floats of the other kind, and labels."""

import numpy as np

from skfacies._segy import FORMATS, read_bytes, read_samples

__all__ = ["doubt_format", "look_like_labels", "some_samples"]

N_TRACES, N_SAMPLES = 8, 1000
LEAST_WORDS = 500
MOST_LABELS, LARGEST_LABEL = 32, 1000


def _some_traces(segy, live):
    """Traces spread over the file that are not dead, and the window in their middle."""
    numbers = np.arange(segy.n_traces) if live is None else np.flatnonzero(live)
    if not len(numbers):
        numbers = np.arange(segy.n_traces)
    some = numbers[np.unique(np.linspace(0, len(numbers) - 1, N_TRACES + 2).astype(int)[1:-1])]
    first = max(0, (segy.n_samples - N_SAMPLES) // 2)
    return some, (first, min(segy.n_samples, first + N_SAMPLES))


def some_samples(segy, live=None):
    """Samples of some traces, shape (n_traces, n_samples); `live` masks those of the file."""
    return read_samples(segy, *_some_traces(segy, live))


def look_like_labels(samples):
    """Tell integers that number facies: few, small, and none below -1 that is not undefined."""
    distinct = np.unique(samples)
    if samples.dtype.kind not in "iu" or len(distinct) > MOST_LABELS or not distinct.any():
        return False
    return bool(distinct[0] >= -1 and distinct[-1] <= LARGEST_LABEL)


def doubt_format(segy, live=None):
    """Say that samples look like IBM floats though the file tells IEEE, or the reverse; else None.

    The first digit of an IBM fraction is not 0, and is 8 or more in a quarter of numbers. Of IEEE
    floats, these bits are the last of the exponent and the first of the fraction: 0 in one of
    twelve numbers, 8 or more in every second.
    """
    name = FORMATS[segy.code][0]
    if name not in ("ibm", "ieee"):
        return None
    some, (first, stop) = _some_traces(segy, live)
    window = [segy.header + 4 * sample for sample in (first, stop)]
    words = read_bytes(segy, some, *window).view(segy.order + "u4").astype(np.uint32)
    words = words[words & 0x7FFFFFFF > 0]
    leading = words >> 24 & 0x7F
    if len(words) < LEAST_WORDS or len(np.unique(leading)) < 3:
        return None
    digits = words >> 20 & 0xF
    n_zero, n_large = np.count_nonzero(digits == 0), np.count_nonzero(digits >= 8)
    if name == "ibm":
        # As IEEE floats none is huge, tiny or NaN: powers of two from -100 to 100.
        usual = np.abs((words >> 23 & 0xFF).astype(int) - 127) < 100
        wrong, other = n_zero > 0.02 * len(words) and usual.all(), "ieee"
    else:
        # As IBM floats none is huge or tiny: powers of 16 from -16 to 16.
        usual = np.abs(leading.astype(int) - 64) < 16
        wrong, other = n_zero == 0 and n_large < 0.35 * len(words) and usual.all(), "ibm"
    if not wrong:
        return None
    return (
        f"{segy.path}: bytes 3225-3226 say that samples are {name.upper()} floats, but they look "
        f"like {other.upper()} floats. They are read as {name.upper()}; if amplitudes look wrong, "
        f"sample_format={other!r}."
    )
