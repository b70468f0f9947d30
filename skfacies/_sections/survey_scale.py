"""Checks that a survey resembles the training survey: amplitude scale, sample interval."""

import math
import warnings

import numpy as np
from sklearn.base import clone

from skfacies._sections.undefined import undefined_amplitudes
from skfacies._sections.validation import first_channels, like_sections, n_sections, n_volumes

__all__ = [
    "amplitude_level",
    "sample_interval",
    "scaled_by_survey",
    "typical_level",
    "warn_of_mixed_intervals",
    "warn_of_other_interval",
    "warn_of_other_scale",
    "warn_of_other_volume",
]

#: Amplitudes that differ from those of the training by more than this factor have another scale.
OTHER_SCALE = 3.0

#: Amplitudes whose median is this many standard deviations from that of the training have another
#: center.
OTHER_CENTER = 0.5

#: The same of volumes after the first. Attributes vary more from line to line: their spread on one
#: may be a small part of that of the survey.
LEAST_OF_VOLUME, CENTER_OF_VOLUME = 1 / 30, 3.0

#: Relative difference from which two sample intervals are different.
OTHER_INTERVAL = 0.01

#: About this many samples of a section are used for its spread, which is unknown if there are too
#: few live ones.
ENOUGH_SAMPLES = 4096
FEWEST_SAMPLES = 64


def amplitude_level(amplitudes):
    """Median and spread of live amplitudes (n_traces, n_samples); None if there are too few.

    The spread is close to the standard deviation.
    """
    step = math.ceil(math.sqrt(amplitudes.size / ENOUGH_SAMPLES))
    some = amplitudes[::step, ::step]
    live = some[(some != 0) & np.isfinite(some)]
    if len(live) < FEWEST_SAMPLES:
        return None
    center = np.median(live)
    return float(center), float(np.quantile(np.abs(live - center), 0.6827))


def typical_level(levels):
    """Median of the levels of sections; None if no level is known."""
    known = [level for level in levels if level is not None]
    return tuple(np.median(known, axis=0).tolist()) if known else None


def warn_of_other_scale(known, levels):
    """Warn if amplitudes have another scale or center than those of the training."""
    level = typical_level(levels)
    if known is None or level is None or not known[1]:
        return
    ratio, shift = level[1] / known[1], abs(level[0] - known[0]) / known[1]
    if 1 / OTHER_SCALE <= ratio <= OTHER_SCALE and shift <= OTHER_CENTER:
        return
    if 1 / OTHER_SCALE <= ratio <= OTHER_SCALE or not ratio:  # 0: all are clipped
        what = f"have another center than the training amplitudes, {shift:.1f} deviations away"
    else:
        size = "large" if ratio > 1 else "small"
        what = f"are more than {OTHER_SCALE:g} times as {size} as the training amplitudes"
    warnings.warn(
        f"the amplitudes of `X` {what}. If `X` is another survey, or another version of it, "
        "use rescale='survey' to learn the scale from `X`.",
        UserWarning,
        stacklevel=5,
    )


def warn_of_other_volume(k, levels):
    """Warn if a volume that is brought to the center 0 and the scale 1 is far from them."""
    level = typical_level(levels)
    if level is None:
        return
    if not LEAST_OF_VOLUME <= level[1] <= OTHER_SCALE or abs(level[0]) > CENTER_OF_VOLUME:
        warnings.warn(
            f"channel {k} of `X` has another scale or center than in the training. Give volumes in "
            "the order of the training. If `X` is another survey, use rescale='survey' to learn "
            "the scale from `X`.",
            UserWarning,
            stacklevel=5,
        )


def sample_interval(X):
    """Interval of the vertical coordinate of DataArrays, the last axis; None if it is unknown.

    For a list of sections, it is the first interval that differs from that of the first section,
    if there is one.
    """
    sections = X if isinstance(X, (list, tuple)) else [X]
    known = [interval for interval in map(_interval_of, sections) if interval is not None]
    return next((other for other in known if _differ(known[0], other)), known[0]) if known else None


def warn_of_mixed_intervals(X):
    """Warn if training sections have different sample intervals."""
    sections = X if isinstance(X, (list, tuple)) else []
    known = [interval for interval in map(_interval_of, sections) if interval is not None]
    if any(_differ(known[0], other) for other in known):
        warnings.warn(
            f"`X` has sections with sample intervals of {min(known):g} and {max(known):g}: units "
            "look thicker in some sections than in others. Resample them first, such as with "
            "X.interp.",
            UserWarning,
            stacklevel=4,
        )


def _differ(one, other):
    return abs(other - one) > OTHER_INTERVAL * abs(one)


def _interval_of(section):
    dims = getattr(section, "dims", ())
    if not dims or not hasattr(section, "coords") or dims[-1] not in section.coords:
        return None
    places = np.asarray(section.coords[dims[-1]])
    if places.ndim != 1 or len(places) < 2 or places.dtype.kind not in "iuf":
        return None
    return float(np.median(np.diff(places.astype(np.float64))))


def warn_of_other_interval(known, interval):
    """Warn if sections have another sample interval than the training sections."""
    if known is None or interval is None or not _differ(known, interval):
        return
    warnings.warn(
        f"`X` has a sample interval of {interval:g}, but the training had {known:g}: units look "
        "thinner or thicker, and frequencies differ. Resample `X` first, such as with X.interp.",
        UserWarning,
        stacklevel=4,
    )


def scaled_by_survey(X, surveys, scaler):
    """Sections scaled separately for each survey, read when they are needed.

    Parameters
    ----------
    X : checked sections
    surveys : array-like of shape (n_sections,)
        Any labels.
    scaler : transformer with partial_fit
        Cloned for each survey.

    Returns
    -------
    sections : list
    """
    surveys = np.asarray(surveys)
    if surveys.shape != (n_sections(X),):
        raise ValueError(
            f"`surveys` must have shape ({n_sections(X)},), one label per section; got "
            f"{surveys.shape}."
        )
    names, surveys = np.unique(surveys, return_inverse=True)  # all NaN count as one name
    scalers = [clone(scaler) for _ in names]
    for i, survey in enumerate(surveys):
        scalers[survey].partial_fit([first_channels(np.asarray(X[i]), n_volumes(X))])
    scaled = [_ScaledSection(X[i], scalers[survey]) for i, survey in enumerate(surveys)]
    return like_sections(X, scaled)


class _ScaledSection:
    """A section whose amplitudes are scaled when they are read; undefined ones are NaN."""

    dtype = np.dtype(np.float32)

    def __init__(self, section, scaler):
        self.section, self.scaler = section, scaler
        self.shape, self.ndim = tuple(section.shape), len(section.shape)
        self.n_volumes = n_volumes([section])

    def __getitem__(self, key):
        return np.asarray(self)[key]

    def __array__(self, dtype=None, copy=None):
        section = np.asarray(self.section)
        missing = undefined_amplitudes(section)
        scaled = self.scaler.transform([section])[0]
        if missing is not None:
            scaled[missing] = np.nan
        return scaled.astype(dtype or self.dtype, copy=False)
