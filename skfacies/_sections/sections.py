"""Training data: sections with labels and weights, and runs of their traces."""

import functools
from dataclasses import dataclass

import numpy as np

from skfacies._sections.labels import encode_labels
from skfacies._sections.validation import n_sections, section_shape

__all__ = ["IGNORED", "Run", "Sections"]

#: Code of ignored samples: not interpreted, NaN, weight 0, or padding.
IGNORED = -100

#: Weights up to this fraction of the largest are treated as 0: such samples are not counted.
NEGLIGIBLE = 1e-5


@dataclass(frozen=True)
class Run:
    """Traces ``start … stop - 1`` of one section."""

    section: int
    start: int
    stop: int

    @property
    def n_traces(self):
        return self.stop - self.start

    @property
    def traces(self):
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class Sections:
    """Checked amplitudes, labels and weights of sections, with the classes to learn.

    Parameters
    ----------
    X, y : checked sections and labels
    weights : checked weights, of sections or samples, or None
    classes : ndarray
        Sorted labels.
    ignore_label : int, str or None
    """

    X: object
    y: object
    weights: object
    classes: np.ndarray
    ignore_label: object

    def __len__(self):
        return n_sections(self.X)

    def whole(self, section):
        """Run of all traces of a section."""
        return Run(section, 0, section_shape(self.X, section)[0])

    def codes(self, section, window=...):
        """Positions of labels in `classes`; `IGNORED` where samples have no label or no weight."""
        codes = encode_labels(
            np.asarray(self.y[section][window]),
            self.classes,
            ignore_label=self.ignore_label,
            ignored_code=IGNORED,
        )
        if self.weights is not None:
            weights = self.weights_of(section, window, codes.shape)
            codes[weights <= NEGLIGIBLE * self.largest_weight] = IGNORED
        return codes

    @functools.cached_property
    def largest_weight(self):
        return max(float(np.max(weights)) for weights in self.weights)

    def weights_of(self, section, window, shape):
        """Weights of the samples of a window, of the given shape; None if there are none."""
        if self.weights is None:
            return None
        weights = np.asarray(self.weights[section])
        weights = (weights if weights.ndim == 0 else weights[window]).astype(np.float32)
        return np.broadcast_to(weights, shape)

    @functools.cached_property
    def counts(self):
        """Number of labeled samples by section and class, an array (n_sections, n_classes)."""
        return np.array([self._count(i, ...) for i in range(len(self))])

    def count(self, runs):
        """Number of labeled samples of each class in runs of traces, an array (n_classes,)."""
        total = np.zeros(len(self.classes), dtype=np.int64)
        for run in runs:
            is_whole = run == self.whole(run.section)
            total += self.counts[run.section] if is_whole else self._count(run.section, run.traces)
        return total

    def _count(self, section, window):
        codes = self.codes(section, window)
        return np.bincount(codes[codes != IGNORED], minlength=len(self.classes))

    def labeled_runs(self):
        """A run of all traces for each section with a labeled sample."""
        return [self.whole(i) for i in np.flatnonzero(self.counts.any(axis=1)).tolist()]

    def mean_weight(self, runs, class_weights=None):
        """Mean weight of the labeled samples of runs: sample weights times class weights.

        `class_weights` is an array of shape (n_classes,), or None.
        """
        if self.weights is None and class_weights is None:
            return 1.0
        total, n_labeled = 0.0, 0
        for run in runs:
            codes = self.codes(run.section, run.traces)
            counted = codes != IGNORED
            weights = self.weights_of(run.section, run.traces, codes.shape)
            weights = np.ones(codes.shape, np.float32) if weights is None else weights
            if class_weights is not None:
                weights = weights * class_weights[np.maximum(codes, 0)]
            total += float(weights[counted].sum(dtype=np.float64))
            n_labeled += np.count_nonzero(counted)
        return float(total / n_labeled) if total > 0 else 1.0
