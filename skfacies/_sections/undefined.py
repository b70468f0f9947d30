"""Values that mark undefined samples in files of interpretation systems."""

import numpy as np

__all__ = ["UNDEFINED_VALUES", "dead_samples", "undefined_amplitudes", "undefined_values"]

#: Values that common systems write where there is no pick, label or sample. Magnitudes of 1e30 and
#: more, such as the largest float32, have the same meaning.
UNDEFINED_VALUES = (-999.25, -9999.0, -99999.0)
LEAST_UNDEFINED_MAGNITUDE = 1e30 * (1 - 1e-6)  # includes 1e30 as a rounded float32

#: Number of equal samples at the start or end of a trace that count as a mute.
SHORTEST_MUTE = 16


def undefined_values(values):
    """Mask of undefined labels or picks: NaN and the values above.

    Parameters
    ----------
    values : array of numbers, of any shape

    Returns
    -------
    undefined : bool array of that shape
        Infinite values are not included: they are an error in the data.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        return np.zeros(values.shape, dtype=bool)
    values = values.astype(np.float32) if values.dtype == np.float16 else values  # holds no 1e30
    undefined = np.isin(values, UNDEFINED_VALUES)
    if values.dtype.kind == "f":
        undefined |= np.isnan(values)
        undefined |= (np.abs(values) >= LEAST_UNDEFINED_MAGNITUDE) & ~np.isinf(values)
    return undefined


def undefined_amplitudes(section):
    """Mask of undefined amplitudes, including NaN; None if there are none.

    Valid amplitudes may be any number, even -9999. One of `UNDEFINED_VALUES` counts as undefined
    only if it is the lowest amplitude, and no other amplitude is below half of it.

    Parameters
    ----------
    section : array of numbers, of any shape
        Only floats can be undefined. A whole section gives a better decision than a part of it.
    """
    section = np.asarray(section)
    if section.dtype.kind != "f" or not section.size:
        return None
    section = section.astype(np.float32) if section.dtype == np.float16 else section
    lowest, highest = section.min(), section.max()  # NaN if one is NaN
    undefined = None
    if np.isnan(lowest):
        undefined = np.isnan(section)
        lowest, highest = (
            reduce(section, where=~undefined, initial=start)
            for reduce, start in ((np.min, np.inf), (np.max, -np.inf))
        )
    if max(-lowest, highest) >= LEAST_UNDEFINED_MAGNITUDE:
        huge = (np.abs(section) >= LEAST_UNDEFINED_MAGNITUDE) & ~np.isinf(section)
        undefined = huge if undefined is None else undefined | huge
        lowest = np.min(section, where=~undefined, initial=np.inf)
    while lowest in UNDEFINED_VALUES:
        nothing = section == lowest
        undefined = nothing if undefined is None else undefined | nothing
        others = np.min(section, where=~undefined, initial=np.inf)
        if others not in UNDEFINED_VALUES and others < lowest / 2:
            undefined &= ~nothing
            break
        lowest = others
    return undefined if undefined is not None and undefined.any() else None


def dead_samples(section):
    """Mask of samples without recorded data; None if there are none.

    These are undefined samples, dead traces, which are constant, and mutes: a constant value from
    the first sample, or to the last, for at least `SHORTEST_MUTE` samples, or for at least two
    samples if all traces begin or end that way.

    Parameters
    ----------
    section : array of numbers of shape (n_traces, n_samples)
    """
    section = np.asarray(section)
    dead = undefined_amplitudes(section)
    if section.shape[1] < 2:
        return dead
    undefined = None if dead is None else dead.copy()
    for backwards in (False, True):
        samples, nothing = (
            array if array is None or not backwards else array[:, ::-1]
            for array in (section, undefined)
        )
        muted = _mutes(samples, nothing)
        if muted is not None:
            traces, muted = muted
            dead = np.zeros(section.shape, dtype=bool) if dead is None else dead
            own = dead[:, ::-1] if backwards else dead
            own[traces] |= muted
    return dead


def _mutes(samples, undefined):
    """Traces that begin with a constant value, and its mask; None if there are none.

    Undefined samples are skipped. If all traces begin that way, two samples are enough.
    """
    n_traces, n_samples = samples.shape
    if undefined is None:
        traces = np.flatnonzero(samples[:, 1] == samples[:, 0])
        same = np.logical_and.accumulate(samples[traces] == samples[traces, :1], axis=1)
        n_same, n_defined = np.count_nonzero(same, axis=1), np.full(len(traces), n_samples)
    else:
        traces = np.arange(n_traces)
        first = np.take_along_axis(samples, undefined.argmin(axis=1)[:, None], axis=1)
        same = np.logical_and.accumulate((samples == first) | undefined, axis=1)
        n_same = np.count_nonzero(same & ~undefined, axis=1)
        n_defined = n_samples - np.count_nonzero(undefined, axis=1)
    is_mute = n_same >= np.minimum(SHORTEST_MUTE, n_defined)
    live = ~is_mute
    if len(traces) == n_traces and live.any() and n_same[live].min() > 1:
        begin = np.flatnonzero(~same[live].all(axis=0))[0]  # of the first live row
        same[live, begin:] = False
        is_mute[:] = True
    traces = traces[is_mute]
    return (traces, same[is_mute]) if len(traces) else None
