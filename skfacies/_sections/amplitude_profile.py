"""What amplitudes are like, in a few numbers: to compare a survey with what a model was trained on.

Sections are (n_traces, n_samples); samples are the last axis and point down.
"""

import numpy as np

from skfacies._sections.undefined import dead_samples

__all__ = [
    "FREQUENCIES",
    "LEVELS",
    "frequency_band",
    "mean_frequency",
    "profile_of_amplitudes",
]

#: Quantiles of the amplitudes that a profile holds.
LEVELS = (0.001, 0.01, 0.05, 0.159, 0.5, 0.841, 0.95, 0.99, 0.999)

#: Samples of a window of a trace whose spectrum is taken, and to which it is padded.
WINDOW, PADDED = 64, 128

#: Frequencies of a spectrum, in cycles per sample.
FREQUENCIES = np.arange(PADDED // 2 + 1) / PADDED

#: Depths, of equal distance from the top of a section to its base, at which trends are known.
N_DEPTHS = 12

#: Traces of a section that are looked at, and amplitudes of which quantiles are taken.
ENOUGH_TRACES = 64
ENOUGH_SAMPLES = 8192

#: Standard deviations at which amplitudes are cut for their skew: a few large ones would decide it.
MOST_DEVIATIONS = 4.0


def profile_of_amplitudes(sections):
    """Statistics of some sections of one survey.

    Parameters
    ----------
    sections : iterable of arrays of shape (n_traces, n_samples)
        One at a time is held.

    Returns
    -------
    profile : dict, or None if no trace is live
        "quantiles" at `LEVELS`, "spectrum" at `FREQUENCIES` (of power, with the sum 1), "loudness"
        and "pitch" by depth (natural logarithms of amplitude and of mean frequency, relative to
        their means), arrays; "n_samples" of the longest section; "dead", the share of dead traces
        between live ones; "clipped", the share of samples that have the lowest or highest
        amplitude; "skew", and "skew_spread", its standard deviation from section to section.
    """
    found = [part for part in map(_part, sections) if part is not None]
    if not found:
        return None
    amplitudes = np.concatenate([part["amplitudes"] for part in found])
    skews = [_skew(part["amplitudes"]) for part in found]
    return {
        "quantiles": np.quantile(amplitudes, LEVELS),
        "spectrum": _mean(found, "spectrum"),
        "loudness": _mean(found, "loudness"),
        "pitch": _mean(found, "pitch"),
        "n_samples": max(part["n_samples"] for part in found),
        "dead": float(np.mean([part["dead"] for part in found])),
        "clipped": _share_of_extremes(amplitudes),
        "skew": float(np.mean(skews)),
        "skew_spread": float(np.std(skews)),
    }


def mean_frequency(spectrum):
    """Mean frequency of power, in cycles per sample."""
    return float((spectrum * FREQUENCIES).sum() / spectrum.sum())


def frequency_band(spectrum):
    """Frequencies below, and above, which a tenth of the power is."""
    return np.interp([0.1, 0.9], np.cumsum(spectrum) / spectrum.sum(), FREQUENCIES)


def _mean(parts, name):
    known = [part[name] for part in parts if part[name] is not None]
    return np.mean(known, axis=0) if known else None


def _part(section):
    """Statistics of one section; None if it is dead."""
    step = max(1, len(section) // ENOUGH_TRACES)
    traces = np.asarray(section[::step])
    dead = dead_samples(traces)
    traces = traces.astype(np.float32)
    dead = np.zeros(traces.shape, bool) if dead is None else dead
    live = np.flatnonzero(~dead.all(axis=1))
    if not len(live) or traces.shape[1] < 2:
        return None
    # Dead traces at either end are the outline of the survey.
    between = len(live) / (live[-1] - live[0] + 1)
    traces, dead = traces[live], dead[live]
    amplitudes = traces[~dead & np.isfinite(traces)]
    if not len(amplitudes):
        return None
    amplitudes = amplitudes[:: max(1, len(amplitudes) // ENOUGH_SAMPLES)]
    part = {"amplitudes": amplitudes, "n_samples": traces.shape[1], "dead": 1 - between}
    return part | _spectra(np.where(dead, 0, traces), dead)


def _spectra(traces, dead):
    """Mean spectrum of the windows of traces, and its trends with depth; None if there are none.

    Each window has the same weight in the mean, or some loud events would decide it.
    """
    n_samples = traces.shape[1]
    length = min(WINDOW, n_samples)
    starts = np.arange(0, n_samples - length + 1, max(1, length // 2))
    at = starts[:, None] + np.arange(length)
    windows, usable = traces[:, at], ~dead[:, at].any(axis=-1)
    windows = windows - windows.mean(axis=-1, keepdims=True)
    power = np.abs(np.fft.rfft(windows * np.hanning(length + 2)[1:-1], PADDED)) ** 2
    energy = power.sum(axis=-1)
    usable &= np.isfinite(energy) & (energy > 0)
    if not usable.any():
        return {"spectrum": None, "loudness": None, "pitch": None}
    spectrum = (power[usable] / energy[usable, None]).mean(axis=0)
    loudness, pitch = np.full((2, len(starts)), np.nan)
    for i in np.flatnonzero(usable.any(axis=0)):
        own = usable[:, i]
        mean = power[own, i].mean(axis=0)
        loudness[i] = np.log(np.median(energy[own, i])) / 2
        pitch[i] = np.log((mean * FREQUENCIES).sum() / mean.sum())
    depths = (starts + length / 2) / n_samples
    return {
        "spectrum": spectrum,
        "loudness": _trend(depths, loudness),
        "pitch": _trend(depths, pitch),
    }


def _trend(depths, values):
    """Values at `N_DEPTHS` depths, less their mean; None if they are known at too few."""
    known = np.isfinite(values)
    if np.count_nonzero(known) < 3:
        return None
    trend = np.interp((np.arange(N_DEPTHS) + 0.5) / N_DEPTHS, depths[known], values[known])
    return trend - trend.mean()


def _share_of_extremes(amplitudes):
    n_lowest, n_highest = (np.count_nonzero(amplitudes == f(amplitudes)) for f in (np.min, np.max))
    return float((n_lowest + n_highest - 2) / len(amplitudes))


def _skew(amplitudes):
    centered = amplitudes - np.median(amplitudes)
    spread = np.quantile(np.abs(centered), 0.6827)
    if not spread:
        return 0.0
    return float(np.mean(np.clip(centered / spread, -MOST_DEVIATIONS, MOST_DEVIATIONS) ** 3))
