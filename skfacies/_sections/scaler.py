"""A scaler of amplitudes that is saved with the model."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skfacies._sections.undefined import dead_samples, undefined_amplitudes
from skfacies._sections.validation import (
    check_finite_section,
    check_sections,
    first_channels,
    is_listlike,
    like_sections,
    n_channels,
    n_sections,
    n_volumes,
)

__all__ = ["AmplitudeScaler", "scale_section"]

# The upper 16 bits of a float32 are its sign, its exponent and 7 bits of its mantissa. Counting
# them gives a histogram over the whole range of float32, with bins narrower than 0.8% of their
# value. It takes one pass, can be merged, and does not depend on the order or size of the pieces.
_N_BINS = 1 << 16


#: If zero is more than this many deviations from the median, samples are counted from the median.
_FAR_FROM_ZERO = 8


class AmplitudeScaler(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Center, scale and clip seismic amplitudes with robust statistics of the whole survey.

    Amplitudes have arbitrary units and heavy tails: a few bright samples may exceed 20 standard
    deviations. This scaler divides by the spread of the bulk and clips the tails, so that a network
    sees the same range on every survey. It learns one scale for all sections, because relative
    amplitudes between sections carry information. It ignores undefined samples (NaN, 1e30,
    -999.25, …), exact zeros, dead (constant) traces and mutes (constant from the first sample or
    to the last).

    Parameters
    ----------
    clip : float or None, default=5.0
        Scaled amplitudes are clipped to [-clip, clip]. None disables clipping.
    spread : float in (0, 1), default=0.6827
        Fraction of the absolute deviations from the center that lie below the scale. The default
        makes the scale equal the standard deviation of Gaussian data.
    center : bool, default=True
        Subtract the median. It is near zero on most surveys, but not on unsigned 8-bit data.

    Attributes
    ----------
    center_ : float, or ndarray of shape (n_channels,)
        Median amplitude; 0.0 if ``center=False`` or there was no live sample.
    scale_ : float, or ndarray of shape (n_channels,)
        The `spread` quantile of absolute deviations, in units of amplitude; 1.0 if there was no
        live sample.
    n_samples_seen_ : int, or ndarray of shape (n_channels,)
        Number of live samples that were counted.

    See Also
    --------
    skfacies.FaciesSegmenter : Uses this scaler by default, and stores it in the fitted model.

    Notes
    -----
    Quantiles are interpolated in a histogram of 65,536 bins with a relative width below 0.8%:
    `fit` reads each section once, and pieces passed to `partial_fit` in any order give the same
    result as one `fit`. The scale is within 1% of the exact scale. If amplitudes have an offset of
    several times the scale, the first live section determines the value around which bins are
    narrow.

    Axes: sections are ``(n_sections, n_traces, n_samples)`` or a list of ``(n_traces, n_samples)``;
    cubes ``(n_inlines, n_crosslines, n_samples)`` are read the same way. Samples point down. If
    sections have channels (last axis), each has a center and a scale of its own: channels may be
    stacks and attributes with different units. Neighboring lines that `CubeSegmenter` adds share
    the center and scale of the line itself.

    Examples
    --------
    >>> import numpy as np
    >>> from skfacies import AmplitudeScaler
    >>> rng = np.random.default_rng(0)
    >>> sections = rng.normal(scale=3000.0, size=(4, 50, 60))
    >>> sections[0, :5] = 0.0  # dead traces do not count
    >>> scaler = AmplitudeScaler(clip=3.0).fit(sections)
    >>> round(scaler.scale_, -2)
    3000.0
    >>> float(scaler.transform(sections).max())
    3.0
    """

    _parameter_constraints = {
        "clip": [Interval(Real, 0, None, closed="neither"), None],
        "spread": [Interval(Real, 0, 1, closed="neither")],
        "center": ["boolean"],
    }

    def __init__(self, *, clip=5.0, spread=0.6827, center=True):
        self.clip = clip
        self.spread = spread
        self.center = center

    def fit(self, X, y=None):
        """Learn the center and the scale.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or list of 2-D arrays
            Amplitudes in any unit, read section by section; with channels at the end, if there are
            some. NaN samples are ignored.
        y : None
            Ignored.

        Returns
        -------
        self : AmplitudeScaler
        """
        return self._learn(X)

    def partial_fit(self, X, y=None):
        """Learn from more sections, in addition to those of earlier calls.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or list of 2-D arrays
            Amplitudes in any unit, read section by section; with channels at the end, if there are
            some. NaN samples are ignored.
        y : None
            Ignored.

        Returns
        -------
        self : AmplitudeScaler
        """
        if not hasattr(self, "_histogram"):
            return self._learn(X)
        origins, parts = np.atleast_1d(self._origin).tolist(), self._histogram
        known = zip(origins, parts[::2], parts[1::2], strict=True)
        return self._learn(X, [_Histogram(*each) for each in known])

    def _learn(self, X, histograms=None):
        """Count amplitudes, in addition to those in the histograms of the channels."""
        self._validate_params()
        X = check_sections(X, nan_policy="ignore", check_finite=False)
        n = n_volumes(X)
        histograms = histograms or [_Histogram() for _ in range(n)]
        if len(histograms) != n:
            raise ValueError(
                f"`X` has sections of {n} channel(s), but the scaler has learned from sections of "
                f"{len(histograms)}."
            )
        for i in range(n_sections(X)):
            section = np.asarray(X[i])
            check_finite_section(section, i, nan_policy="ignore")
            channels = first_channels(section, n).reshape(*section.shape[:2], n)
            for k, histogram in enumerate(histograms):
                histogram.add(_live_samples(channels[..., k]))
        found = [self._statistics(histogram) for histogram in histograms]
        self._histogram = tuple(part for each in histograms for part in each.occupied())
        self._origin, self.n_samples_seen_, self.center_, self.scale_ = (
            (own[0] if n == 1 else np.array(own))
            for own in (
                [histogram.origin or 0.0 for histogram in histograms],
                [int(histogram.counts.sum()) for histogram in histograms],
                *zip(*found, strict=True),
            )
        )
        return self

    def _statistics(self, histogram):
        bins, counts = histogram.occupied()
        if not len(bins):
            return 0.0, 1.0
        edges, cumulated = _distribution(bins, counts)
        edges += histogram.origin
        n_samples = cumulated[-1]
        center = np.interp(n_samples / 2, cumulated, edges) if self.center else 0.0
        deviations = np.unique(np.append(np.abs(edges - center), 0.0))
        below = np.interp([center - deviations, center + deviations], edges, cumulated)
        scale = np.interp(self.spread * n_samples, below[1] - below[0], deviations)
        return float(center), float(scale)

    def transform(self, X):
        """Scale and clip amplitudes.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or list of 2-D arrays
            Amplitudes, with the channels of `fit`. NaN stays NaN, and other undefined values become
            NaN.

        Returns
        -------
        X : float32 array of the same shape, or list of them
        """
        return _map_sections(self._transform_section, self._check_scaled(X))

    def _check_scaled(self, X):
        check_is_fitted(self)
        X = check_sections(X, nan_policy="ignore", check_finite=False)
        if n_channels(X) % np.size(self.center_):
            raise ValueError(
                f"`X` has sections of {n_channels(X)} channel(s), but the scaler has learned from "
                f"sections of {np.size(self.center_)}."
            )
        return X

    def _transform_section(self, section, index):
        section = np.asarray(section)
        check_finite_section(section, index, nan_policy="ignore")
        return scale_section(self, section, channels=-1)

    def inverse_transform(self, X):
        """Return amplitudes in their original units; clipped amplitudes stay clipped.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or list of 2-D arrays
            Scaled amplitudes.

        Returns
        -------
        X : float32 array of the same shape, or list of them
        """
        return _map_sections(self._restore_section, self._check_scaled(X))

    def _restore_section(self, section, index):
        restored = np.asarray(section).astype(np.float32)
        scale, center = self.scale_, self.center_
        if np.ndim(scale):
            scale, center = (np.resize(own, restored.shape[-1]) for own in (scale, center))
        restored *= np.float32(scale)
        restored += np.float32(center)
        return restored

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def scale_section(scaler, section, *, channels):
    """Scaled amplitudes of a checked section, or of a part of it.

    `channels` is the axis of channels, if each has a scale of its own. More channels than scales
    are neighboring lines, whose scales are those of the line itself again.
    """
    if not np.ndim(scaler.center_):
        return _scaled(section, scaler.center_, scaler.scale_, scaler.clip)
    result = np.empty(section.shape, np.float32)
    amplitudes, scaled = (np.moveaxis(array, channels, 0) for array in (section, result))
    for k in range(len(scaled)):
        own = k % len(scaler.center_)
        scaled[k] = _scaled(amplitudes[k], scaler.center_[own], scaler.scale_[own], scaler.clip)
    return result


def _scaled(section, center, scale, clip):
    missing = undefined_amplitudes(section)
    if missing is not None:
        section = np.where(missing, np.nan, section)
    scaled = section.astype(np.float32)
    with np.errstate(over=None if clip is None else "ignore"):  # it is clipped anyway
        scaled -= np.float32(center)
        scaled /= np.float32(scale)
    if clip is not None:
        np.clip(scaled, -clip, clip, out=scaled)
    return scaled


class _Histogram:
    """Numbers of amplitudes around an origin, which the first of them set."""

    def __init__(self, origin=None, bins=(), counts=()):
        self.origin = origin if len(bins) else None
        self.counts = np.zeros(_N_BINS, dtype=np.int64)
        self.counts[np.asarray(bins, dtype=int)] = counts

    def add(self, live):
        if self.origin is None and len(live):
            self.origin = _choose_origin(live)
        self.counts += _count(live if not self.origin else live - np.float32(self.origin))

    def occupied(self):
        """Bins that are not empty, and their counts: a few thousand, which model files store."""
        bins = np.flatnonzero(self.counts)
        return bins.astype(np.uint16), self.counts[bins]


def _map_sections(function, X):
    """Apply a function section by section, so that only the result is held in memory."""
    if is_listlike(X):
        return like_sections(
            X, [_like(section, function(section, i)) for i, section in enumerate(X)]
        )
    result = np.empty(X.shape, dtype=np.float32)
    for i in range(n_sections(X)):
        result[i] = function(X[i], i)
    if hasattr(X, "trace_numbers"):
        return type(X)(result, X.trace_numbers, X.vertical_axis)
    return _like(X, result)


def _like(array, result):
    """A result with the coordinates of an `xarray.DataArray`."""
    return (
        array.copy(data=result) if hasattr(array, "dims") and hasattr(array, "coords") else result
    )


def _live_samples(section):
    """All samples that are neither dead nor zero, as a flat float32 array."""
    dead = dead_samples(section)
    with np.errstate(over="ignore"):  # of undefined values
        live = np.asarray(section).astype(np.float32)
    return live[live != 0 if dead is None else ~dead & (live != 0)]


def _choose_origin(live):
    """Origin of the histogram: 0, or about the median if the median is far from 0.

    Bins are narrow only near the origin: with origin 0, 50.1 and 49.9 fall into the same bin.
    """
    median = np.median(live)
    deviation = np.median(np.abs(live - median))
    return float(median) if abs(median) > _FAR_FROM_ZERO * deviation else 0.0


def _count(live):
    """Histogram of the upper 16 bits."""
    return np.bincount(np.ascontiguousarray(live).view(np.uint32) >> 16, minlength=_N_BINS)


def _distribution(bins, counts):
    """Cumulative distribution at the sorted edges of occupied bins.

    Samples are spread evenly over their bin. Placed at its center, they could be off by more than
    the scale if an offset is large: 6000 lies in a bin of width 32.
    """
    bits = bins.astype(np.uint32) << 16
    edges = np.stack([bits, bits | 0xFFFF], axis=1).view(np.float32).astype(np.float64)
    edges.sort(axis=1)  # the bits of negative numbers count downwards
    order = np.argsort(edges[:, 0], kind="stable")
    after = np.cumsum(counts[order])
    cumulated = np.stack([after - counts[order], after], axis=1)
    return edges[order].ravel(), cumulated.ravel()
