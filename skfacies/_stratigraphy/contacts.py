"""Contacts that were picked on some lines, interpolated to the traces of others."""

import functools

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator

__all__ = ["KrigedContacts", "contact_depths", "unit_probabilities"]

#: Traces that contacts are learned from.
MAX_POINTS = 600

#: Exponents and nuggets of the variogram ``nugget + distance**exponent`` that are tried: rough
#: surfaces, such as those cut by faults, and smooth ones. Distances are in lines.
VARIOGRAMS = ((1.0, 0.1), (1.0, 1.0), (1.5, 1.0), (1.5, 10.0), (1.8, 10.0))

#: Powers of the kriging standard deviation that the errors may grow with.
GROWTHS = (1.0, 1.5, 2.0, 3.0)

#: Parts of a single line that are left out one after the other.
N_PARTS = 4

#: Least scale of an error, in samples, and how much it grows with each line of distance: picks are
#: not more exact, and strata that are flat along one line may dip across it.
MIN_SCALE = 0.5
MIN_GROWTH = 0.03

#: Traces of a contact that are enough to interpolate it.
FEWEST_POINTS = 8


def contact_depths(codes, order):
    """Depth of the top of each unit but the first, trace by trace.

    Parameters
    ----------
    codes : int array of shape (n_traces, n_samples)
        Positions of labels; negative where there is no label.
    order : tuple of int
        Codes from top to bottom.

    Returns
    -------
    depths : float array of shape (n_traces, n_units - 1)
        First sample at or below a contact. Contacts coincide where a unit is absent. A unit that
        begins above a section that is labeled from its first sample has its contact there, and one
        that is not reached by labels down to the last sample has it below. NaN where the sample
        above the contact has no label.
    """
    n_samples, ranks = codes.shape[1], np.full(codes.shape, -1)
    for rank, code in enumerate(order):
        ranks[codes == code] = rank
    labeled = ranks >= 0
    depths = np.full((len(codes), len(order) - 1), np.nan)
    above = np.pad(labeled, ((0, 0), (1, 0)))[:, :-1]
    for k in range(1, len(order)):
        below = ranks >= k
        top = below.argmax(axis=1)
        known = np.take_along_axis(above, top[:, None], axis=1)[:, 0]
        reached = below.any(axis=1)
        known = np.where(reached, known | below[:, 0], labeled[:, -1])
        depths[:, k - 1] = np.where(known, np.where(reached, top, n_samples), np.nan)
    return depths


class KrigedContacts(BaseEstimator):
    """Depths of contacts on a map, and how far off they may be, by ordinary kriging.

    Each line in turn, and each half of the map, is left out and predicted by the rest. The errors
    choose the variogram, which all contacts share, and a scale for each contact: the median error
    in units of a power of the kriging standard deviation, which grows with the distance from the
    lines. Lines show how well contacts are interpolated, halves how fast they leave what is known.

    Attributes
    ----------
    points_ : ndarray of shape (n_points, 2)
        Inline and crossline number of traces.
    depths_ : ndarray of shape (n_points, n_contacts)
        In samples; NaN where a contact is not known.
    lines_ : ndarray of shape (n_points,)
        Which line each of the points is on.
    variogram_ : tuple (exponent, nugget)
    growth_ : float
        Power of the kriging standard deviation.
    scales_ : ndarray of shape (n_contacts,)
        Infinite for contacts that too few traces have.
    spacing_ : tuple (inline, crossline)
        How much the numbers change from a line to the next: distances are in lines.
    vertical_ : tuple (first, interval) or None
        Vertical axis that the depths are samples of, if it is known.

    References
    ----------
    .. [1] J.-P. Chilès, P. Delfiner, "Geostatistics: Modeling spatial uncertainty", 2nd ed., Wiley,
       2012.
    .. [2] O. Dubrule, "Cross validation of kriging in a unique neighborhood", Mathematical Geology
       15(6), 1983.

    Examples
    --------
    >>> import numpy as np
    >>> from skfacies._stratigraphy.contacts import KrigedContacts
    >>> inline, crossline = np.meshgrid([100, 120, 140], np.arange(300, 400, 5), indexing="ij")
    >>> points = np.stack([inline.ravel(), crossline.ravel()], axis=1)
    >>> plane = 50 + 0.1 * (points[:, :1] - 100)
    >>> contacts = KrigedContacts().fit(points, plane, lines=points[:, 0])
    >>> depths, scales = contacts.predict(np.array([[110, 350], [130, 350]]))
    >>> depths.ravel().round(1)
    array([51., 53.])
    """

    _parameter_constraints = {}

    def fit(self, points, depths, lines, *, spacing=(1.0, 1.0), vertical=None):
        """Choose the variogram and the scale of each contact.

        Parameters
        ----------
        points : array of shape (n_points, 2)
        depths : array of shape (n_points, n_contacts)
        lines : array of shape (n_points,)
            Which line each point is on.
        spacing : tuple (inline, crossline), default=(1.0, 1.0)
            How much the numbers change from a line to the next.
        vertical : tuple (first, interval) or None
            Vertical axis that the depths are samples of.

        Returns
        -------
        self : KrigedContacts
        """
        # Where lines cross, one of them has the trace; else no line could be left out.
        some = np.sort(np.unique(points, axis=0, return_index=True)[1])
        if len(some) > MAX_POINTS:
            chance = np.random.default_rng(0)
            some = np.sort(chance.choice(some, MAX_POINTS, replace=False))
        self.points_ = np.asarray(points, dtype=np.float64)[some]
        self.depths_ = np.asarray(depths, dtype=np.float64)[some]
        self.lines_, self.spacing_ = np.asarray(lines)[some], spacing
        tried = []
        for variogram in VARIOGRAMS:
            errors, deviations = self._leave_out(variogram, _left_out(self.points_, self.lines_))
            for growth in GROWTHS:
                units = deviations**growth
                scales = _median(np.abs(errors) / units)
                spread = np.maximum(scales * units, MIN_SCALE)
                misfit = _mean(np.log(spread) + 2 * np.log1p(np.abs(errors) / spread))
                tried.append((misfit, variogram, growth, scales))
        _, self.variogram_, self.growth_, self.scales_ = min(tried, key=lambda one: one[0])
        self.vertical_ = vertical
        self.__dict__.pop("_systems", None)
        return self

    def predict(self, points):
        """Depths of contacts at some traces, and the scales of their errors.

        Parameters
        ----------
        points : array of shape (n_points, 2)

        Returns
        -------
        depths, scales : arrays of shape (n_points, n_contacts)
            In samples. Half of the errors are expected to be smaller than their scale. Depths of
            contacts that are not known are NaN, their scales infinite.
        """
        depths = np.full((len(points), len(self.scales_)), np.nan)
        scales = np.full(depths.shape, np.inf)
        exponent, nugget = self.variogram_
        for contacts, known, inverse in self._systems:
            distances = self._distances(points, self.points_[known])
            right = -(distances**exponent)
            right = np.pad(right, ((0, 0), (0, 1)), constant_values=1.0)
            weights = right @ inverse
            depths[:, contacts] = weights[:, :-1] @ self.depths_[np.ix_(known, contacts)]
            variance = nugget - np.einsum("ij,ij->i", weights, right)
            units = np.maximum(variance, 0)[:, None] ** (self.growth_ / 2)
            least = MIN_SCALE + MIN_GROWTH * distances.min(axis=1)[:, None]
            scales[:, contacts] = np.maximum(self.scales_[contacts] * units, least)
        return depths, scales

    def distance(self, points):
        """Distance of traces to the nearest of the points, in lines; array of shape (n_points,)."""
        return self._distances(points, self.points_).min(axis=1)

    def _distances(self, points, others):
        """Distances of points on the map, in lines; array of shape (n_points, n_others)."""
        return cdist(*(np.divide(own, self.spacing_) for own in (points, others)))

    @functools.cached_property
    def _systems(self):
        """Contacts that the same points know, these points, and the inverse kriging matrix."""
        return [
            (contacts, known, self._inverse(self.variogram_, known))
            for contacts, known in self._groups()
            if np.isfinite(self.scales_[contacts]).all()
        ]

    def _groups(self):
        patterns, group_of = np.unique(~np.isnan(self.depths_), axis=1, return_inverse=True)
        for group, pattern in enumerate(patterns.T):
            if np.count_nonzero(pattern) >= FEWEST_POINTS:
                yield np.flatnonzero(group_of.ravel() == group), np.flatnonzero(pattern)

    def _inverse(self, variogram, known):
        exponent, nugget = variogram
        points, n = self.points_[known], len(known)
        matrix = np.ones((n + 1, n + 1))
        matrix[:n, :n] = -(self._distances(points, points) ** exponent)
        matrix[np.arange(n), np.arange(n)] += nugget
        matrix[n, n] = 0
        return np.linalg.inv(matrix)

    def _leave_out(self, variogram, parts):
        """Errors, and kriging standard deviations, of each part by the rest, see [2]_."""
        errors = np.full((len(parts), *self.depths_.shape), np.nan)
        deviations = np.full(errors.shape, np.nan)
        for contacts, known in self._groups():
            own = self._inverse(variogram, known)[:-1, :-1]
            residuals = own @ self.depths_[np.ix_(known, contacts)]
            for i, part in enumerate(parts):
                left_out = part[known]
                if not left_out.any() or left_out.all():
                    continue
                covariance = np.linalg.inv(own[np.ix_(left_out, left_out)])
                at = np.ix_([i], known[left_out], contacts)
                errors[at] = covariance @ residuals[left_out]
                deviations[at] = np.sqrt(np.maximum(np.diag(covariance), 1e-6))[:, None]
        n_contacts = errors.shape[-1]
        return errors.reshape(-1, n_contacts), deviations.reshape(-1, n_contacts)

    def __getstate__(self):
        return {k: v for k, v in super().__getstate__().items() if k != "_systems"}


def _left_out(points, lines):
    """Masks of the points of each line, and of each half of the map."""
    lines = np.unique(lines, return_inverse=True)[1]
    if not lines.any():
        lines = np.arange(len(lines)) * N_PARTS // len(lines)
    parts = [lines == line for line in np.unique(lines)]
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    halves = [points[:, axis] < middle[axis] for axis in (0, 1)]
    halves += [~half for half in halves]
    return parts + [half for half in halves if half.any() and not half.all()]


def _median(values):
    """Medians of columns without NaN; infinite where there are no values."""
    known = ~np.isnan(values).all(axis=0)
    result = np.full(values.shape[1], np.inf)
    result[known] = np.nanmedian(values[:, known], axis=0)
    return result


def _mean(values):
    finite = np.isfinite(values)
    return values[finite].mean() if finite.any() else 0.0


def unit_probabilities(depths, scales, n_samples):
    """Probabilities of the units of a stack, from depths of its contacts.

    A contact is above a sample with the probability ``(1 + u / (1 + |u|)) / 2``, where `u` is the
    distance in units of the scale. Its tails are long: lines that were not picked may hold what no
    picked line shows.

    Parameters
    ----------
    depths, scales : arrays of shape (n_traces, n_units - 1)
        As `KrigedContacts.predict` returns them.
    n_samples : int

    Returns
    -------
    probabilities : float32 array of shape (n_units, n_traces, n_samples)
        Units between which no contact is known have the same.
    """
    samples = np.arange(n_samples, dtype=np.float32) + np.float32(0.5)
    n_units = depths.shape[1] + 1
    known = np.flatnonzero(np.isfinite(depths).all(axis=0))
    result = np.empty((n_units, len(depths), n_samples), np.float32)
    tops = np.maximum.accumulate(depths[:, known], axis=1).astype(np.float32)
    edges = [0, *(known + 1).tolist(), n_units]
    above = np.ones((len(depths), n_samples), np.float32)
    for i, (first, stop) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        below = 0.0
        if i < len(known):
            own = scales[:, known[i], None].astype(np.float32)
            below = (samples - tops[:, i, None]) / own
            below /= 1 + np.abs(below)
            below += 1
            below *= 0.5
            np.minimum(below, above, out=below)
        np.subtract(above, below, out=result[first])
        result[first + 1 : stop] = result[first]
        above = below
    return result
