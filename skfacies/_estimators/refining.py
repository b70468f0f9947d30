"""A fitted model goes on with lines that an interpreter has corrected or added."""

import copy
from dataclasses import replace

import numpy as np

from skfacies._cubes.holders import AXES, section_axes
from skfacies._cubes.positions import trace_numbers
from skfacies._sections.labels import is_ignored

__all__ = ["EFFORT", "join_lines", "refined", "without_contacts_of"]

#: Part of the work of a fit.
EFFORT = 0.17

#: Weight of a line that is corrected or new beside one that was learned before.
NEW_WEIGHT = 3.0

#: A line is corrected where more than this part of its labels is not what is predicted.
CORRECTED = 0.02

#: Lines of the training that are learned again; neighbors of more are near copies.
MOST_REPLAYED = 64


def without_contacts_of(old, sections):
    """What was learned, without the picked contacts of traces that have labels now."""
    contacts = old.contacts_
    if contacts is None:
        return old
    labeled = set()
    for run in sections.labeled_runs():
        numbers = trace_numbers(sections.X, run.section)
        if numbers is not None:
            labeled |= set(map(tuple, numbers[run.traces].tolist()))
    kept = np.array([tuple(point) not in labeled for point in contacts.points_.tolist()])
    if kept.all():
        return old
    if not kept.any():
        return replace(old, contacts_=None)
    contacts = copy.copy(contacts)
    for name in ("points_", "depths_", "lines_"):
        setattr(contacts, name, getattr(contacts, name)[kept])
    return replace(old, contacts_=contacts)


def join_lines(labeled, trained, direction, shape):
    """Lines that have labels, together with lines of the training.

    Parameters
    ----------
    labeled : dict of arrays, by axis
        Positions of lines.
    trained : dict of arrays, by "inline" and "crossline"
        Positions of the lines of the training.
    direction : {"inline", "crossline", "both"}
        Of the model. If most of its lines are labeled, those of the other direction are not needed.
    shape : tuple of int
        Of the cube.

    Returns
    -------
    lines : dict of arrays, by axis
    known : list of bool
        Whether each of them is one of the training.
    """
    own_axes = section_axes(direction, shape)
    if any(2 * len(labeled.get(axis, ())) > shape[axis] for axis in own_axes):
        labeled = {axis: labeled[axis] for axis in own_axes if axis in labeled}
    lines, known = {}, []
    for axis, name in enumerate(AXES):
        own, earlier = labeled.get(axis, ()), np.asarray(trained.get(name, ()), dtype=int)
        if len(earlier) and earlier.max() >= shape[axis]:
            raise ValueError(
                f"`X` has {shape[axis]} {name}s, but the model was trained on {name} number "
                f"{earlier.max()} of its cube. Give the cube of the training."
            )
        earlier = earlier[:: max(1, len(earlier) // MOST_REPLAYED)]
        if len(own) or len(earlier):
            lines[axis] = np.union1d(own, earlier).astype(int)
            known += np.isin(lines[axis], earlier).tolist()
    return lines, known


def refined(estimator, sections, given, known, ignore_label):
    """A copy of an estimator that goes on with labels, and with its predictions on known lines.

    Parameters
    ----------
    estimator : FaciesSegmenter
        Fitted.
    sections : list of arrays (n_traces, n_samples)
    given : list of label arrays
        With `ignore_label` where nothing is corrected or new.
    known : list of bool, or None
        Whether the estimator was trained on each section. None, if nobody knows, takes it for
        trained on those whose labels it predicts.
    ignore_label : int, str or None
    """
    if not hasattr(estimator, "refine"):
        raise ValueError(
            f"refine needs a FaciesSegmenter as `estimator`; got {type(estimator).__name__}. Fit "
            "again with all lines."
        )
    labels, weights = [], []
    known = [None] * len(given) if known is None else known
    for own, predicted, is_known in zip(given, estimator.predict(sections), known, strict=True):
        own = np.asarray(own)
        labeled = ~is_ignored(own, ignore_label)
        wrong = np.count_nonzero(labeled & (own != predicted))
        is_corrected = wrong > CORRECTED * np.count_nonzero(labeled)
        is_known = not is_corrected if is_known is None else is_known
        labels.append(np.where(labeled, own, predicted) if is_known else own)
        weights.append(1.0 if is_known and not is_corrected else NEW_WEIGHT)
    return copy.copy(estimator).refine(sections, labels, sample_weight=np.array(weights))
