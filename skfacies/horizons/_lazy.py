"""Labels that are made where they are read: of horizons, and of intervals picked on traces."""

import numpy as np

__all__ = ["HorizonLabels", "IntervalLabels"]

UNLABELED = -1


class _Labels:
    """Array of shape (n_inlines, n_crosslines, n_samples) whose inlines `_line` makes.

    A key is an integer, a slice or an array for each axis, at most one of them an array.
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
        wanted = (slice(None), traces, samples)[:3]
        held = [self._line(int(line)) for line in lines]
        held = np.stack(held) if held else np.empty((0, *self.shape[1:]), self.dtype)
        return held[wanted]


class HorizonLabels(_Labels):
    """Labels 0, 1, 2, … of the units between horizons.

    Samples next to a contact that is not picked have no label, nor have traces without any pick.

    Parameters
    ----------
    horizons : float array of shape (n_horizons, n_inlines, n_crosslines)
    n_samples : int
    fill : function of (horizons, n_samples)
        Labels of a section, (n_traces, n_samples), from its horizons, (n_horizons, n_traces).
    """

    def __init__(self, horizons, n_samples, fill):
        self.horizons, self.fill = horizons, fill
        self.shape = (*horizons.shape[1:], n_samples)

    def _line(self, line):
        return self.fill(self.horizons[:, line], self.shape[2]).astype(self.dtype)


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
