"""Where the lines lie that a fitted model has learned from."""

import numpy as np

from skfacies._cubes.holders import AXES
from skfacies._sections.estimators import last_step

__all__ = ["lie_along", "trained_lines", "whole_line", "whole_lines"]


def trained_lines(estimator, numbers, *, placed=True):
    """Ends of the training lines of a model, in the line numbers of a cube.

    Parameters
    ----------
    estimator : fitted CubeSegmenter, or estimator of sections
    numbers : pair of arrays (n_inlines,), (n_crosslines,)
        Of the cube.
    placed : bool
        Whether these are line numbers of a survey. If not, or if the model was trained on sections
        without numbers, the lines are those of positions, and the cube is taken to be that of the
        training.

    Returns
    -------
    ends : array of shape (n_lines, 2, 2), or None
        Inline and crossline number of the first and last labeled trace of each line, which may lie
        outside the cube. None if nothing tells where they are.
    """
    last = last_step(getattr(estimator, "estimator_", estimator))
    profile = getattr(last, "training_profile_", None) or {}
    if placed and len(profile.get("lines", ())):
        return profile["lines"]
    found = []
    for axis, name in enumerate(AXES):
        positions = np.asarray((getattr(estimator, "lines_", None) or {}).get(name, ()), dtype=int)
        if len(positions) and positions.max() >= len(numbers[axis]):
            return None  # it is another cube
        found += [whole_line(numbers, axis, line) for line in positions.tolist()]
    return np.array(found) if found else None


def whole_line(numbers, axis, position):
    """Ends (2, 2) of an inline (0) or crossline (1)."""
    ends = np.array([[own[0], own[-1]] for own in numbers], dtype=np.float64).T
    ends[:, axis] = numbers[axis][position]
    return ends


def whole_lines(ends, numbers):
    """Numbers of the inlines and crosslines of a cube among lines, by direction.

    Parameters
    ----------
    ends : array of shape (n_lines, 2, 2), or None
        As `trained_lines` returns it.
    numbers : pair of arrays (n_inlines,), (n_crosslines,)

    Returns
    -------
    lines : dict of arrays, by "inline" and "crossline"
    """
    ends = np.reshape(() if ends is None else ends, (-1, 2, 2))
    found = {}
    for axis, name in enumerate(AXES):
        known = np.asarray(numbers[axis])
        found[name] = known[np.isin(known, ends[lie_along(ends, axis), 0, axis])]
    return found


def lie_along(ends, axis):
    """Which lines, of ends (n_lines, 2, 2), are inlines (0) or crosslines (1)."""
    same = ends[:, 0] == ends[:, 1]
    return same[:, axis] & ~same[:, 1 - axis]
