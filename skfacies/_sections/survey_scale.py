"""Whether a survey is like the one that was learned from: scale of amplitudes, sample interval."""

import math
import warnings

import numpy as np
from sklearn.base import clone

from skfacies._sections.undefined import undefined_amplitudes
from skfacies._sections.validation import like_sections, n_sections, own_amplitudes

__all__ = [
    "amplitude_spread",
    "sample_interval",
    "scaled_by_survey",
    "typical_spread",
    "warn_of_other_interval",
    "warn_of_other_scale",
]

#: Amplitudes that are so many times as large or as small as in training are of another scale.
OTHER_SCALE = 3.0

#: Part of the interval by which another differs.
OTHER_INTERVAL = 0.01

#: Samples of a section that tell its spread, about; with fewer live ones it is not known.
ENOUGH_SAMPLES = 4096
FEWEST_SAMPLES = 64


def amplitude_spread(amplitudes):
    """About the standard deviation of live amplitudes (n_traces, n_samples); NaN if unknown."""
    step = math.ceil(math.sqrt(amplitudes.size / ENOUGH_SAMPLES))
    some = amplitudes[::step, ::step]
    live = some[(some != 0) & np.isfinite(some)]
    return float(np.quantile(np.abs(live), 0.6827)) if len(live) >= FEWEST_SAMPLES else np.nan


def typical_spread(spreads):
    """Median of the spreads of sections; None where none is known."""
    known = [spread for spread in spreads if spread > 0]
    return float(np.median(known)) if known else None


def warn_of_other_scale(known, spreads):
    """Warn where sections have amplitudes of another scale than the training's."""
    spread = typical_spread(spreads)
    if known is None or spread is None:
        return
    ratio = spread / known
    if 1 / OTHER_SCALE <= ratio <= OTHER_SCALE:
        return
    much = "large" if ratio > 1 else "small"
    warnings.warn(
        f"the amplitudes of `X` are more than {OTHER_SCALE:g} times as {much} as those of the "
        "training, or have another center: is it another survey, or another version of it? Use "
        "rescale='survey' to learn the scale anew from `X`.",
        UserWarning,
        stacklevel=5,
    )


def sample_interval(X):
    """Interval of the vertical coordinate of DataArrays, the last axis; None if it is not known."""
    X = X[0] if isinstance(X, (list, tuple)) else X
    dims = getattr(X, "dims", ())
    if not dims or not hasattr(X, "coords") or dims[-1] not in X.coords:
        return None
    places = np.asarray(X.coords[dims[-1]])
    if places.ndim != 1 or len(places) < 2 or places.dtype.kind not in "iuf":
        return None
    return float(np.median(np.diff(places.astype(np.float64))))


def warn_of_other_interval(known, interval):
    """Warn where sections are sampled at another interval than the training's."""
    if known is None or interval is None or abs(interval - known) <= OTHER_INTERVAL * abs(known):
        return
    warnings.warn(
        f"`X` has a sample interval of {interval:g}, the training had {known:g}: units look "
        "thinner or thicker, and frequencies differ. Resample `X` first, such as by X.interp.",
        UserWarning,
        stacklevel=4,
    )


def scaled_by_survey(X, surveys, scaler):
    """Sections of which each survey has one scale of its own, read when they are needed.

    Parameters
    ----------
    X : checked sections
    surveys : array-like of shape (n_sections,)
        Any labels.
    scaler : transformer with partial_fit
        Is cloned for each survey.

    Returns
    -------
    sections : list
    """
    surveys = np.asarray(surveys)
    if surveys.shape != (n_sections(X),):
        raise ValueError(
            f"`surveys` must have shape ({n_sections(X)},), one label a section; got "
            f"{surveys.shape}."
        )
    scalers = {}
    for i, survey in enumerate(surveys.tolist()):
        own = scalers.setdefault(survey, clone(scaler))
        own.partial_fit([own_amplitudes(np.asarray(X[i]))])
    scaled = [_ScaledSection(X[i], scalers[survey]) for i, survey in enumerate(surveys.tolist())]
    return like_sections(X, scaled)


class _ScaledSection:
    """A section whose amplitudes are scaled when they are read; undefined ones are NaN."""

    dtype = np.dtype(np.float32)

    def __init__(self, section, scaler):
        self.section, self.scaler = section, scaler
        self.shape, self.ndim = tuple(section.shape), len(section.shape)

    def __getitem__(self, key):
        return np.asarray(self)[key]

    def __array__(self, dtype=None, copy=None):
        section = np.asarray(self.section)
        missing = undefined_amplitudes(section)
        scaled = self.scaler.transform([section])[0]
        if missing is not None:
            scaled[missing] = np.nan
        return scaled.astype(dtype or self.dtype, copy=False)
