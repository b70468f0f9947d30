"""Whether a survey has the polarity and the direction of depth of the training.

Where both have the same traces, these tell it. Elsewhere the model does: amplitudes of the other
polarity, or upside-down, leave it more undecided than those that it knows.
"""

import warnings

import numpy as np
from scipy.signal import hilbert

from skfacies.qc._comparison import Row
from skfacies.qc._entropy import prediction_entropy
from skfacies.qc._samples import traces_at

__all__ = ["common_trace_rows", "doubt_rows"]

#: Common traces that are needed, and their coherence from which they are the same data in another
#: version, and below which they are something else.
FEWEST_TRACES = 3
SAME_DATA, OTHER_DATA = 0.5, 0.25

#: Degrees of phase, and samples of shift, from which versions differ, and differ seriously.
OTHER_PHASE = (30, 60)
OTHER_SHIFT = (1, 4)

#: Patches that are predicted, samples of one, and the ratio of doubt that shows which is right.
N_PATCHES = 6
PATCH_SAMPLES = 50_000
MORE_DOUBT = 1.08
AGREEING = 0.8

FLIP = "Change the sign of the amplitudes."
TURN = "Turn the vertical axis over; in Python, cube[:, :, ::-1]."


def common_trace_rows(profile, cube, numbers, unit=None):
    """Polarity, depth direction, phase and shift by traces that training and survey share.

    `numbers` are inlines, crosslines, and the vertical axis in the `unit` of that of the training.

    Returns
    -------
    rows : list of Row
        Empty if there are too few such traces, or if they do not show it.
    """
    if numbers is None or not len(profile.get("trace_numbers", ())):
        return []
    found = traces_at(cube, numbers, profile["trace_numbers"])
    pairs = [_same_samples(profile, k, trace, numbers[2]) for k, trace in found]
    pairs = [pair for pair in pairs if pair is not None]
    if len(pairs) < FEWEST_TRACES:
        return []
    known, own = np.array(pairs).swapaxes(0, 1)
    coherence, lag, phase = _match(known, own)
    turned = _match(known, own[:, ::-1])[0]
    n, n_traces = f"{len(pairs)} common traces", f"{len(pairs)} traces"
    if turned > max(SAME_DATA, 1.5 * coherence):
        return [Row("depth direction", "down", f"up, by {n}", "serious", TURN)]
    if coherence < OTHER_DATA:
        advice = "They are other data at the same line numbers: another survey, or other header "
        advice += "bytes. Use rescale='survey', which does without positions."
        return [Row("common traces", n_traces, f"coherence {coherence:.2f}", "serious", advice)]
    if coherence < SAME_DATA:
        advice = "They are the same data after other processing, or other data: look at both."
        return [Row("common traces", n_traces, f"coherence {coherence:.2f}", "differs", advice)]
    rows = [Row("common traces", n_traces, f"coherence {coherence:.2f}", "ok")]
    rows.append(Row("depth direction", "down", "down", "ok"))
    opposite = phase > 180 - OTHER_PHASE[1]
    verdict = "serious" if opposite else "ok"
    polarity = "reversed" if opposite else "same"
    rows.append(Row("polarity", "", f"{polarity}, by {n}", verdict, FLIP if opposite else ""))
    left = 180 - phase if opposite else phase
    axis = profile["vertical_axis"]
    interval, unit = (axis[1], unit) if axis and unit else (1, "samples")
    shift = f"{lag * interval:g} {unit}"
    rotate = f"Rotate the phase of the survey back by {left:.0f} degrees."
    move = f"Shift the survey by {-lag * interval:g} {unit}, or correct its `first_sample`."
    for name, size, words, limits, advice in (
        ("phase", left, ("0 degrees", f"{left:.0f} degrees"), OTHER_PHASE, rotate),
        ("vertical shift", lag, (f"0 {unit}", shift), OTHER_SHIFT, move),
    ):
        rank = sum(abs(size) > limit for limit in limits)
        verdict = ("ok", "differs", "serious")[rank]
        rows.append(Row(name, *words, verdict, advice if rank else ""))
    return rows


def _same_samples(profile, k, trace, axis):
    """Trace k of the training, and one of the survey at the same samples; None if one is dead."""
    known, own_axis = profile["traces"][k].astype(np.float64), profile["vertical_axis"]
    known = known[: np.count_nonzero(~np.isnan(known))]
    places = np.arange(len(known), dtype=np.float64)
    if axis is not None and own_axis is not None:
        places = (own_axis[0] + places * own_axis[1] - axis[0]) / axis[1]
    both = (places >= 0) & (places <= len(trace) - 1)
    own = np.interp(places, np.arange(len(trace)), np.nan_to_num(trace))
    pair = np.zeros((2, len(profile["traces"][k])))
    for values, result in zip((known, own), pair, strict=True):
        result[: len(both)][both] = values[both] - values[both].mean() if both.any() else 0
    return pair if np.ptp(pair, axis=1).all() else None


def _match(known, own):
    """Coherence of traces at the best lag, that lag in samples, and the phase in degrees."""
    n = known.shape[1]
    spectra = np.fft.fft(hilbert(known, axis=1), 2 * n), np.fft.fft(own, 2 * n)
    cross = np.fft.ifft(spectra[0] * np.conj(spectra[1]), axis=1)
    for traces in (known, own):
        cross /= np.linalg.norm(traces, axis=1, keepdims=True)
    mean = cross.mean(axis=0)
    lags = np.fft.fftfreq(2 * n, 1 / (2 * n)).astype(int)
    mean = np.where(np.abs(lags) <= n // 4, mean, 0)
    best = int(np.abs(mean).argmax())
    phase = float(np.abs(np.angle(mean[best], deg=True)))
    return float(np.abs(mean[best])), -int(lags[best]), phase


# --- what the model says ------------------------------------------------------------------------


def doubt_rows(sections, profile, patches, n_channels):
    """Polarity and depth direction by the entropy of predictions of a few patches.

    Parameters
    ----------
    sections : fitted estimator of sections
    profile : dict
        Of the training.
    patches : list of arrays (n_traces, n_samples)
    n_channels : int
        What the estimator takes: a patch stands in for the lines beside it.

    Returns
    -------
    rows : list of Row
    """
    if not hasattr(sections, "predict_proba"):
        return []
    median, spread = _center(profile["quantiles"])
    own, doubts = [], []
    for patch in patches[:N_PATCHES]:
        n_traces = min(len(patch), max(32, PATCH_SAMPLES // patch.shape[1]))
        amplitudes = np.nan_to_num(np.asarray(patch[:n_traces], dtype=np.float32))
        own.append(amplitudes)
    pooled = np.concatenate([amplitudes.ravel() for amplitudes in own])
    center, width = _center(np.quantile(pooled, [0.159, 0.5, 0.841]))
    if not width or not spread:
        return []
    for amplitudes in own:
        scaled = (amplitudes - center) / width * spread
        versions = [scaled, -scaled, scaled[:, ::-1]]
        doubts.append([_doubt(sections, version + median, n_channels) for version in versions])
    doubts = np.array(doubts)
    rows = []
    for name, words, column, advice in (
        ("polarity", ("same", "reversed"), 1, FLIP),
        ("depth direction", ("down", "up"), 2, TURN),
    ):
        ratio = float(np.exp(np.mean(np.log(doubts[:, 0] / doubts[:, column]))))
        agreeing = np.mean(doubts[:, 0] > doubts[:, column])
        known = "" if name == "polarity" else "down"
        if ratio > MORE_DOUBT and agreeing >= AGREEING:
            survey = f"{words[1]}: it leaves the model {ratio:.2f} times as undecided"
            rows.append(Row(name, known, survey, "serious", advice))
        elif 1 / ratio > MORE_DOUBT and 1 - agreeing >= AGREEING:
            rows.append(Row(name, known, f"{words[0]}, as the model sees it", "ok"))
        else:
            rows.append(Row(name, known, "the model does not tell", "unknown"))
    return rows


def _center(quantiles):
    """Median and half width of the middle two thirds, of quantiles around the median."""
    middle = len(quantiles) // 2
    return quantiles[middle], (quantiles[middle + 1] - quantiles[middle - 1]) / 2


def _doubt(sections, amplitudes, n_channels):
    if n_channels > 1:
        amplitudes = np.repeat(amplitudes[..., None], n_channels, axis=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the check itself says what is unusual
        probabilities = np.asarray(sections.predict_proba(amplitudes[None]))
    return float(np.nanmean(prediction_entropy(probabilities))) + 1e-3
