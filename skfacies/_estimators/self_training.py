"""Labels for sections without any: the surest predictions of the network."""

from dataclasses import replace

import numpy as np

from skfacies._sections.labels import is_ignored, prediction_dtype
from skfacies._sections.sections import IGNORED
from skfacies._sections.validation import Lines

__all__ = ["RATE", "guess_labels", "unlabeled_runs"]

#: Sections that are guessed; neighbors of more are near copies.
MOST_GUESSED = 16

#: Part of the samples of each class that become labels, the surest first. On lines of F3 that are
#: 140 lines away from the training, a half gained most: 0.04 of mean IoU in one test. With 0.7 it
#: was 0.02, and with all samples nothing.
SURE_PART = 0.5

#: Part of the learning rate that guesses are learned with. With the whole rate, the network loses
#: some of what the long training has refined: beside the lines of F3, 0.008 of mean IoU for 0.002.
RATE = 0.3

#: Levels of sureness are found from every n-th trace.
STRIDE = 4

LEAST = 1e-30


def unlabeled_runs(sections):
    """Whole sections without a label, at most `MOST_GUESSED`, evenly spaced among them."""
    unlabeled = np.flatnonzero(~sections.counts.any(axis=1))
    if sections.weights is not None:  # labels without weight are labels
        own = (np.asarray(sections.y[i]) for i in unlabeled)
        unlabeled = unlabeled[[is_ignored(y, sections.ignore_label).all() for y in own]]
    some = np.linspace(0, len(unlabeled) - 1, min(len(unlabeled), MOST_GUESSED))
    return [sections.whole(i) for i in unlabeled[np.rint(some).astype(int)].tolist()]


def guess_labels(probe, sections, runs):
    """Label sections without labels by the surest predictions of each class.

    Parameters
    ----------
    probe : FaciesSegmenter
        Fitted; its classes are codes.
    sections : Sections
    runs : list of Run
        The sections without labels.

    Returns
    -------
    sections : Sections
    runs : list of Run
        Those of the sections that have labels now.
    """
    X = _take(sections.X, [run.section for run in runs])
    codes = [np.full(section.shape[:2], IGNORED, dtype=np.int16) for section in X]
    sureness = [np.zeros(section.shape[:2], dtype=np.float32) for section in X]
    for i, traces, probabilities, missing, dead in probe._iterate(X, probabilities=True):
        sureness[i][traces] = probabilities.amax(dim=0).cpu().numpy()
        codes[i][traces] = probe._most_likely(probabilities.clamp_min(LEAST).log_(), dead)
        for mask in (missing, dead):
            if mask is not None:
                codes[i][traces][mask] = IGNORED
    least = _levels(codes, sureness, len(sections.classes))
    dtype = prediction_dtype(sections.classes, sections.ignore_label, "ignore")
    classes, labels = sections.classes.astype(dtype), dict(enumerate(sections.y))
    for run, own, sure in zip(runs, codes, sureness, strict=True):
        is_known, own = own != IGNORED, np.maximum(own, 0)
        is_known &= sure >= least[own]
        labels[run.section] = np.where(is_known, classes[own], dtype.type(sections.ignore_label))
    guessed = replace(sections, y=list(labels.values()))
    return guessed, [run for run in runs if guessed.counts[run.section].any()]


def _take(X, chosen):
    """Some of the sections, with the place that they have."""
    sections, numbers = [X[i] for i in chosen], getattr(X, "trace_numbers", None)
    if numbers is None:
        return sections
    return Lines(sections, [], [], [numbers[i] for i in chosen], X.vertical_axis)


def _levels(codes, sureness, n_classes):
    """Sureness that the surest samples of each class reach."""
    codes = np.concatenate([own[::STRIDE].ravel() for own in codes])
    sureness = np.concatenate([own[::STRIDE].ravel() for own in sureness])
    levels = np.ones(n_classes, dtype=np.float32)
    for code in range(n_classes):
        own = sureness[codes == code]
        if len(own):
            levels[code] = np.quantile(own, 1 - SURE_PART)
    return levels
