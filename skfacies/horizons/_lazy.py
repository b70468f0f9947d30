"""Labels that are made where they are read: of horizons, and of intervals picked on traces."""

import numpy as np

__all__ = ["HorizonLabels", "IntervalLabels", "Window", "ranks_between"]

UNLABELED = -1


class _Labels:
    """Array of shape (n_inlines, n_crosslines, n_samples) whose inlines `_line` makes.

    A key is an integer, a slice or an array for each axis, at most one of them an array. `labeled`,
    (n_inlines, n_crosslines), are the traces with a pick.
    """

    dtype = np.dtype(np.int32)
    ndim = 3

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        rows, traces, samples = (*key, *(slice(None),) * (3 - len(key)))
        lines = np.arange(self.shape[0])[rows]
        if lines.ndim == 0:
            return self._line(int(lines))[traces, samples]
        held = [self._line(int(line)) for line in lines]
        held = np.stack(held) if held else np.empty((0, *self.shape[1:]), self.dtype)
        return held[:, traces, samples]


class HorizonLabels(_Labels):
    """Labels 0, 1, 2, … of the units between horizons, as `labels_from_horizons` makes them.

    Parameters
    ----------
    horizons : float array of shape (n_horizons, n_inlines, n_crosslines)
    n_samples : int
    missing : {"absent", "unknown"}
    """

    def __init__(self, horizons, n_samples, missing):
        self.horizons, self.missing = horizons, missing
        self.shape = (*horizons.shape[1:], n_samples)
        self.labeled = ~np.isnan(horizons).all(axis=0)

    def _line(self, line):
        ranks = ranks_between(self.horizons[:, line], self.shape[2], self.missing)
        return np.where(ranks > len(self.horizons), UNLABELED, ranks).astype(self.dtype)


class IntervalLabels(_Labels):
    """Labels of intervals of samples.

    Parameters
    ----------
    traces, starts, stops, labels : int arrays of shape (n_intervals,)
        Trace, counted inline after inline, in ascending order; first sample, and the one after the
        last; label.
    shape : tuple (n_inlines, n_crosslines, n_samples)
    """

    def __init__(self, traces, starts, stops, labels, shape):
        self.traces, self.starts, self.stops, self.labels = traces, starts, stops, labels
        self.shape = shape
        self.labeled = np.zeros(shape[:2], dtype=bool)
        self.labeled.flat[traces] = True

    def _line(self, line):
        n_traces = self.shape[1]
        found = np.full(self.shape[1:], UNLABELED, self.dtype)
        own = slice(*np.searchsorted(self.traces, [line * n_traces, (line + 1) * n_traces]))
        columns = (self.traces, self.starts, self.stops, self.labels)
        for trace, start, stop, label in zip(
            *(column[own].tolist() for column in columns), strict=True
        ):
            found[trace - line * n_traces, start:stop] = label
        return found


class Window:
    """Mask of shape (n_inlines, n_crosslines, n_samples): from one horizon down to another.

    Traces without one of them are outside.
    """

    def __init__(self, top, base, n_samples):
        self.top, self.base, self.n_samples = top, base, n_samples

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        top, base = self.top[key[:2]], self.base[key[:2]]
        samples = np.arange(self.n_samples)[key[2] if len(key) > 2 else slice(None)]
        if samples.ndim:
            top, base = top[..., np.newaxis], base[..., np.newaxis]
        return (samples >= top) & (samples < base)


def ranks_between(horizons, n_samples, missing):
    """Rank of the unit of each sample; n_units where unknown, n_units + 1 on bare traces."""
    n_units = len(horizons) + 1
    absent = np.isnan(horizons)
    depths = np.fmax.accumulate(horizons, axis=0)  # where contacts cross, the shallower one wins
    starts = np.where(absent, n_samples, np.ceil(np.clip(depths, 0, n_samples)))
    samples = np.arange(n_samples)
    ranks = np.zeros((*horizons.shape[1:], n_samples), dtype=np.int16)
    for k, start in enumerate(starts, start=1):
        np.copyto(ranks, k, where=samples >= start[..., np.newaxis])
    if missing == "unknown":
        for k, gap in enumerate(absent):  # below the unit of rank k should follow a contact
            ranks[(ranks == k) & gap[..., np.newaxis]] = n_units
    ranks[absent.all(axis=0)] = n_units + 1
    return ranks
