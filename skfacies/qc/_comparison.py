"""Rules that compare the profile of a survey with that of the training, one row of a table each."""

from typing import NamedTuple

import numpy as np

from skfacies._sections.amplitude_profile import (
    FREQUENCIES,
    LEVELS,
    frequency_band,
    mean_frequency,
)
from skfacies._sections.scaler import AmplitudeScaler
from skfacies._sections.survey_scale import (
    CENTER_OF_VOLUME,
    LEAST_OF_VOLUME,
    OTHER_CENTER,
    OTHER_INTERVAL,
    OTHER_SCALE,
    amplitude_level,
    typical_level,
)

__all__ = [
    "Row",
    "amplitude_rows",
    "interval_row",
    "range_row",
    "spectrum_rows",
    "volume_rows",
]

#: Ratios from which a property differs, and from which that is serious. The lines of one survey
#: differ from each other by 1.1 in mean frequency, 1.05 in bandwidth and 1.2 in tails (F3).
OTHER_FREQUENCY = (1.22, 1.5)
OTHER_BANDWIDTH = (1.3, 1.6)
OTHER_TAILS = (1.6, np.inf)
SCALES = (1.8, OTHER_SCALE)

#: Differences of shares in the same way: of dead traces between live ones, and of samples that have
#: the lowest or highest amplitude.
MORE_DEAD = (0.05, 0.15)
MORE_CLIPPED = (0.003, 0.02)

#: A skew that is this many deviations of single sections from 0 has a sign.
CLEAR_SKEW = 4.0

#: Frequencies in the inverse of a unit of the vertical axis: factor and words.
FREQUENCY_UNITS = {"ms": (1000, "Hz"), "s": (1, "Hz"), "m": (1000, "cycles/km")}

#: Relative mismatch of two spectra below which one is the other, sampled at another interval.
SAME_SHAPE = 0.15


class Row(NamedTuple):
    """One property: its value in the training and in a survey, a verdict, and what to do.

    The verdict is "ok", "differs", "serious" or "unknown".
    """

    name: str
    training: str
    survey: str
    verdict: str
    advice: str = ""


def by_ratio(ratio, limits):
    """Verdict on a ratio, by how far it is from 1 to either side."""
    return _verdict(max(ratio, 1 / ratio) if ratio > 0 else np.inf, limits)


def _verdict(size, limits):
    return "serious" if size > limits[1] else "differs" if size > limits[0] else "ok"


def _row(name, training, survey, verdict, advice):
    return Row(name, training, survey, verdict, advice if verdict in ("differs", "serious") else "")


# --- amplitudes ---------------------------------------------------------------------------------


def amplitude_rows(training, survey, *, rescaled):
    """Scale, center, tails, clipping, skew and dead traces.

    `rescaled` says that the model learns the scale of the survey anew.
    """
    known, own = (dict(zip(LEVELS, p["quantiles"], strict=True)) for p in (training, survey))
    spreads = [(q[0.841] - q[0.159]) / 2 for q in (known, own)]
    ratio = spreads[1] / spreads[0] if min(spreads) > 0 else np.inf
    # Each in its own deviations: the center of larger amplitudes may lie farther from 0.
    centers = [q[0.5] / (spread or 1) for q, spread in zip((known, own), spreads, strict=True)]
    scale = "ok" if rescaled else by_ratio(ratio, SCALES)
    shift = abs(centers[1] - centers[0])
    center = "ok" if rescaled else _verdict(shift, (OTHER_CENTER / 2, OTHER_CENTER))
    advice = "Use rescale='survey', which learns scale and center from it."
    tails = [
        (q[0.999] - q[0.001]) / (2 * spread or 1)
        for q, spread in zip((known, own), spreads, strict=True)
    ]
    spans = [f"{q[0.01]:.3g} to {q[0.99]:.3g}" for q in (known, own)]
    return [
        _row("amplitude scale", f"{spreads[0]:.3g}", f"{spreads[1]:.3g}", scale, advice),
        _row("amplitude center", f"{known[0.5]:.3g}", f"{own[0.5]:.3g}", center, advice),
        Row("amplitudes, 1 % to 99 %", *spans, "ok"),
        _row(
            "amplitude tails",
            *(f"{tail:.1f} deviations" for tail in tails),
            by_ratio(tails[1] / tails[0], OTHER_TAILS) if min(tails) > 0 else "unknown",
            "Amplitudes were balanced (AGC) or cut in one of them only; look at both.",
        ),
        _share_row(
            "clipping",
            training["clipped"],
            survey["clipped"],
            MORE_CLIPPED,
            "The amplitudes were cut off at a limit. Load the survey with more bits or a larger "
            "range.",
        ),
        _skew_row(training, survey),
        _share_row(
            "dead traces",
            training["dead"],
            survey["dead"],
            MORE_DEAD,
            "Traces between live ones are dead. Load all of the survey, or interpolate them; use "
            "results there with caution.",
        ),
    ]


def volume_rows(scaler, parts, *, rescaled):
    """Scale and center of the volumes after the first.

    Parameters
    ----------
    scaler : AmplitudeScaler of the training, or another transformer
        Only the former knows the scale of each volume.
    parts : list of arrays of shape (n_traces, n_samples), or with (n_volumes,) after it
    rescaled : bool
        See `amplitude_rows`.
    """
    if type(scaler) is not AmplitudeScaler or not np.ndim(scaler.center_):
        return []
    rows = []
    for k, (center, spread) in enumerate(zip(scaler.center_, scaler.scale_, strict=True)):
        level = typical_level([amplitude_level(part[..., k]) for part in parts]) if k else None
        if level is None:
            continue
        advice = "Is it the same kind of volume, at the same place in the list? If so, use "
        advice += "rescale='survey', which learns its scale."
        shift = abs(level[0] - center) / spread
        ratio = level[1] / spread
        scale = by_ratio(max(ratio, 1 / SCALES[1]), SCALES)
        scale = "serious" if ratio < LEAST_OF_VOLUME else scale
        verdicts = scale, _verdict(shift, (OTHER_CENTER, CENTER_OF_VOLUME))
        for name, known, own, verdict in zip(
            ("scale", "center"), (spread, center), level[::-1], verdicts, strict=True
        ):
            verdict = "ok" if rescaled else verdict
            rows.append(
                _row(f"{name} of volume {k}", f"{known:.3g}", f"{own:.3g}", verdict, advice)
            )
    return rows


def _share_row(name, known, own, limits, advice):
    more = own - max(known, 0)
    verdict = _verdict(more, limits) if own > 2 * known else "ok"
    return _row(name, f"{known:.1%}", f"{own:.1%}", verdict, advice)


def _skew_row(training, survey):
    """A skew of the other sign is a hint only: on many surveys it changes from line to line."""
    known, own = training["skew"], survey["skew"]
    spread = max(training["skew_spread"], survey["skew_spread"], 0.05)
    opposite = known * own < 0 and min(abs(known), abs(own)) > CLEAR_SKEW * spread
    return _row(
        "skew",
        f"{known:+.2f} ± {training['skew_spread']:.2f}",
        f"{own:+.2f} ± {survey['skew_spread']:.2f}",
        "differs" if opposite else "ok",
        "The sign is the other one: check the polarity.",
    )


def _with_unit(text, unit):
    """A text with a unit, if that is known."""
    return f"{text} {unit}" if unit else text


# --- vertical axis ------------------------------------------------------------------------------


def interval_row(known, own, unit):
    """Sample interval, from the vertical coordinates; `unit` of both, or None."""
    values = [
        "unknown" if value is None else _with_unit(f"{value:g}", unit) for value in (known, own)
    ]
    if known is None or own is None:
        return Row("sample interval", *values, "unknown")
    return _row(
        "sample interval",
        *values,
        "serious" if abs(own - known) > OTHER_INTERVAL * abs(known) else "ok",
        f"Resample the survey to {values[0]}, or give `sample_interval` if its headers are wrong.",
    )


def range_row(known, own, n_known, n_own, unit):
    """First and last sample where they are known, else the number of samples.

    `known` and `own` are (first, interval, …) in `unit`.
    """
    if known is None or own is None:
        advice = "Sections are of another height; units may look out of place."
        verdict = by_ratio(n_own / n_known, (2.0, np.inf))
        return _row("samples of a trace", f"{n_known}", f"{n_own}", verdict, advice)
    ends = [(a[0], a[0] + (n - 1) * a[1]) for a, n in ((known, n_known), (own, n_own))]
    common = min(ends[0][1], ends[1][1]) - max(ends[0][0], ends[1][0])
    length = ends[1][1] - ends[1][0]
    verdict = "serious" if common <= 0 else "differs" if common < length / 2 else "ok"
    words = [_with_unit(f"{first:g} to {last:g}", unit) for first, last in ends]
    advice = "Most of the survey lies above or below what the model was trained on."
    return _row("vertical range", *words, verdict, advice)


# --- spectra ------------------------------------------------------------------------------------


def mismatch(one, other):
    """Distance of two spectra: by how much, on average, power must be moved to other frequencies.

    It is relative to the mean frequency of `one`: the first Wasserstein distance of the spectra.
    """
    apart = np.abs(np.cumsum(one / one.sum() - other / other.sum()))
    return float(apart.sum() * FREQUENCIES[1] / mean_frequency(one))


def resampled(spectrum, ratio):
    """Spectrum of the same traces, sampled at intervals that are `ratio` times as long."""
    result = np.interp(FREQUENCIES / ratio, FREQUENCIES, spectrum, right=0.0)
    return result if result.any() else spectrum


def spectrum_rows(training, survey, intervals, unit):
    """Mean frequency and bandwidth; `intervals` are (training, survey), None where unknown.

    `unit` is that of the intervals, or None.

    If an interval is unknown, a survey of as many more samples as its frequencies are lower has
    been sampled more finely: "sample interval" then takes the place of both.
    """
    one, other = training["spectrum"], survey["spectrum"]
    if one is None or other is None:
        return [Row("dominant frequency", "unknown", "unknown", "unknown")]
    known = None not in intervals
    if known:
        other = resampled(other, intervals[0] / intervals[1])
    means = mean_frequency(one), mean_frequency(other)
    bands = frequency_band(one), frequency_band(other)
    ratio = means[0] / means[1]
    widths = [high - low for low, high in bands]
    wider = widths[1] / widths[0] if min(widths) > 0 else np.inf
    factor, words = FREQUENCY_UNITS.get(unit, (None, "")) if known else (None, "")
    scale, words = (factor / intervals[0], words) if factor else (1.0, "cycles/sample")
    verdicts = by_ratio(ratio, OTHER_FREQUENCY), by_ratio(wider, OTHER_BANDWIDTH)
    finer = survey["n_samples"] / training["n_samples"]
    same_shape = mismatch(one, resampled(other, ratio)) < SAME_SHAPE
    if not known and verdicts[0] != "ok" and same_shape and abs(np.log(finer / ratio)) < 0.2:
        advice = f"Units look {ratio:.2g} times as thick. Resample the survey to the intervals of "
        advice += "the training."
        return [Row("sample interval", "1", f"{1 / ratio:.2g} by its spectrum", "serious", advice)]
    advice = "The survey has been filtered or sampled in another way. Filter it to the band of the "
    advice += "training, or check its sample interval."
    return [
        _row(
            "dominant frequency",
            *(f"{mean * scale:.3g} {words}" for mean in means),
            verdicts[0],
            advice,
        ),
        _row(
            "bandwidth",
            *(f"{low * scale:.3g} to {high * scale:.3g} {words}" for low, high in bands),
            verdicts[1],
            advice,
        ),
    ]
