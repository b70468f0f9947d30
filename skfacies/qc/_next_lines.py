"""Which lines to interpret next."""

import numpy as np
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from skfacies._cubes.holders import (
    AXES,
    DIRECTIONS,
    section_axes,
    shape_of,
)
from skfacies._cubes.positions import axis_numbers
from skfacies._cubes.volumes import in_order
from skfacies._sections.undefined import dead_samples
from skfacies._sections.validation import own_amplitudes
from skfacies.qc._entropy import prediction_entropy
from skfacies.qc._line_map import LineMap, known_lines
from skfacies.qc._models import as_cube_model, section_model

__all__ = ["suggest_lines"]

#: Lines of each direction that are predicted to see where the doubt is, and traces kept of each.
LINES_SEEN = 16
TRACES_SEEN = 64

#: Most that a unit counts because the picked lines have little of it.
MOST_FOR_RARE = 3.0


def suggest_lines(
    estimator, cube, n=3, *, direction="both", picked=None, candidates=None, verbose=0
):
    """Suggest the lines to interpret next, by the doubt of a model and the lines that it knows.

    Begin with evenly spaced lines. This is for surveys with picked lines, which the next ones
    should complement. In tests on four surveys with five repetitions, models of four suggested
    lines were better than those of random lines in 16 of 20 cases, with a mean IoU 0.017 higher,
    and 0.007 worse than those of four evenly spaced lines.

    Good lines run through traces that the model is undecided about, far from the lines that it has
    learned from, and through units that these have little of. The model predicts some lines of
    either direction, evenly spread. Each of their traces has a doubt, the mean entropy of its
    samples, and the line that takes most away of doubt times distance from the nearest picked line
    of its direction is suggested; then it counts as picked, and the next is found.

    Parameters
    ----------
    estimator : CubeSegmenter or FaciesSegmenter
        Fitted on the lines that have been picked so far.
    cube : array-like of shape (n_inlines, n_crosslines, n_samples), or list of volumes
        Amplitudes. A few lines are read.
    n : int, default=3
        Number of lines.
    direction : {"inline", "crossline", "both"}, default="both"
        Directions of lines that are suggested.
    picked : dict of lists, default=None
        Numbers of the lines that have been picked, {"inline": [...], "crossline": [...]}: the
        coordinates of a DataArray, else positions. None is what the estimator knows: the line
        numbers of its training sections, or ``lines_`` of a CubeSegmenter.
    candidates : dict of lists, default=None
        Numbers of the lines that may be suggested, in the same form. The model then predicts only
        these. None allows all lines.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    suggested : :class:`~sklearn.utils.Bunch`
        `lines`, a dict of lists of line numbers by direction; `order`, a list of Bunch, the best
        line first: `direction`, `number`, `reason` in words, mean `distance` in lines from the
        nearest picked one of its direction, mean `entropy` of the traces that it is for, and
        `unit`, the label that they are most undecided about. Fewer than `n` if no other line would
        add anything.

    Raises
    ------
    ValueError
        If nothing tells which lines have been picked, or numbers are not of the cube.

    Notes
    -----
    Units count up to three times where they are rare: by the root of the ratio of their mean number
    of training samples to their own. The gain of each choice is submodular, which makes greedy
    choices nearly the best ones [1]_.

    References
    ----------
    .. [1] G. L. Nemhauser, L. A. Wolsey, M. L. Fisher, "An analysis of approximations for
       maximizing submodular set functions", Mathematical Programming 14, 1978.

    Examples
    --------
    >>> import numpy as np
    >>> from skfacies import CubeSegmenter, FaciesSegmenter
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.qc import suggest_lines
    >>> survey = make_facies_cube((24, 32, 32), n_facies=2, random_state=0)
    >>> labels = np.full(survey.target.shape, -1)
    >>> labels[[2, 6]] = survey.target[[2, 6]]
    >>> segmenter = CubeSegmenter(FaciesSegmenter(
    ...     encoder_depth=3, decoder_channels=(16, 8, 8), max_epochs=2, random_state=0))
    >>> segmenter = segmenter.fit(survey.data, labels)
    >>> suggest_lines(segmenter, survey.data, n=1, direction="inline").lines
    {'inline': [18], 'crossline': []}
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"`direction` must be one of {list(DIRECTIONS)}; got {direction!r}.")
    if n < 1:
        raise ValueError(f"`n` must be 1 or more; got {n}.")
    cube, named = in_order(cube, "cube")
    shape = shape_of(named)
    last = section_model(estimator)[1]
    place = LineMap(shape, axis_numbers(named), named)
    lines = known_lines(estimator, place, picked)
    allowed = _allowed(candidates, place, section_axes(direction, shape))
    seen = _see(estimator, cube, _lines_to_see(candidates, allowed, shape), verbose)
    if not len(seen.at):
        raise ValueError("`cube` has no live trace on the lines that were looked at.")
    names = getattr(estimator, "label_names_", None) or {}
    return _choose(place, lines, allowed, seen, _Coverage(last, seen, len(lines)), n, names)


def _allowed(candidates, place, axes):
    """Positions of the lines that may be suggested, by axis."""
    if candidates is None:
        return {axis: np.arange(place.shape[axis]) for axis in axes}
    found = {axis: place.positions_of(candidates, axis, "candidates") for axis in axes}
    if not any(map(len, found.values())):
        raise ValueError("`candidates` has no line of the `direction`.")
    return found


def _lines_to_see(candidates, allowed, shape):
    if candidates is None:
        allowed = {axis: np.arange(shape[axis]) for axis in (0, 1) if shape[1 - axis] > 1}
    chosen = {}
    for axis, lines in allowed.items():
        middles = (np.arange(LINES_SEEN) + 0.5) / LINES_SEEN * len(lines)
        chosen[axis] = lines if len(lines) <= LINES_SEEN else lines[middles.astype(int)]
    return chosen


# --- what the model is undecided about ----------------------------------------------------------


def _see(estimator, cube, lines, verbose):
    """Predict lines; where their traces are, and how much of each unit and doubt they have.

    Returns
    -------
    seen : Bunch
        `at` (n, 2), positions of traces; `entropy` (n,); `doubt` and `shares` (n, n_classes), the
        entropy and the samples that fall to each class.
    """
    at, entropies, doubts, shares = [], [], [], []
    total = sum(map(len, lines.values()))
    with tqdm(total=total, desc="predict lines", unit="line", disable=not verbose) as bar:
        for axis, chosen in lines.items():
            model = as_cube_model(estimator, AXES[axis], verbose=0)
            for line in chosen.tolist():
                where, probabilities = _predict_line(model, cube, axis, line)
                entropy = prediction_entropy(probabilities)
                known = ~np.isnan(entropy)
                entropy, weights = np.where(known, entropy, 0), known[..., None] * probabilities
                weights = np.nan_to_num(weights)
                n_known = np.maximum(known.sum(axis=1), 1)[:, None]
                entropies.append(entropy.sum(axis=1) / n_known[:, 0])
                doubts.append((entropy[..., None] * weights).sum(axis=1) / n_known)
                shares.append(weights.sum(axis=1) / n_known)
                traces = np.full((len(where), 2), line)
                traces[:, 1 - axis] = where
                at.append(traces)
                bar.update()
    return Bunch(
        at=np.concatenate(at),
        entropy=np.concatenate(entropies),
        doubt=np.concatenate(doubts),
        shares=np.concatenate(shares),
        classes=model.classes_,
    )


def _predict_line(model, cube, axis, line):
    """Positions and probabilities of some live traces of a line."""
    beside = model.neighbors
    first, stop = max(0, line - beside), min(cube.shape[axis], line + beside + 1)
    slab = cube[:, first:stop] if axis else cube[first:stop]
    result = np.asarray(model.predict_proba(slab))
    own = line - first
    probabilities = result[:, own] if axis else result[own]
    amplitudes = own_amplitudes(np.asarray(slab[:, own] if axis else slab[own]))
    dead = dead_samples(amplitudes)
    live = np.arange(len(amplitudes))
    if dead is not None:
        probabilities = np.where(dead[..., None], np.nan, probabilities)
        live = np.flatnonzero(~dead.all(axis=1))
    live = live[:: max(1, len(live) // TRACES_SEEN)]
    return live, probabilities[live]


class _Coverage:
    """How much each unit counts: more, the less of it the picked lines have."""

    def __init__(self, last, seen, n_lines):
        report = getattr(last, "training_report_", None) or {}
        counts = [report.get(str(label), {}).get("support", 0) for label in seen.classes.tolist()]
        self.counts = np.array(counts, dtype=float)
        if not self.counts.any():
            self.counts[:] = 1
        self.of_a_line = self.counts.sum() / max(1, n_lines)

    def factors(self):
        mean = self.counts.mean()
        ratio = mean / np.maximum(self.counts, mean / MOST_FOR_RARE**2)
        return np.clip(np.sqrt(ratio), 1, MOST_FOR_RARE)

    def add_line(self, shares):
        self.counts = self.counts + self.of_a_line * shares


# --- choice -------------------------------------------------------------------------------------


def _choose(place, lines, allowed, seen, coverage, n, names):
    places = place.scaled(seen.at)
    # Each direction is spaced by itself: lines of both make a grid, and a model learns from both.
    distance = [place.distances(places, lines, axis) for axis in (0, 1)]
    order = []
    candidates = [(axis, int(line)) for axis, own in allowed.items() for line in own]
    reach = {c: np.abs(places[:, c[0]] - c[1] * place.scales[c[0]]) for c in candidates}
    for _ in range(n):
        doubt = seen.doubt @ coverage.factors()
        gains = {c: (doubt * np.maximum(distance[c[0]] - own, 0)).sum() for c, own in reach.items()}
        best = max(gains, key=gains.get, default=None)
        if best is None or not gains[best] > 0:
            break
        axis = best[0]
        nearer = np.maximum(distance[axis] - reach[best], 0)
        order.append(_suggestion(place, best, seen, doubt, distance[axis], nearer, coverage, names))
        distance[axis] = np.minimum(distance[axis], reach.pop(best))
        coverage.add_line(np.average(seen.shares, axis=0, weights=nearer))
    found = {name: [s.number for s in order if s.direction == name] for name in AXES}
    return Bunch(lines=found, order=order)


def _suggestion(place, chosen, seen, doubt, distance, nearer, coverage, names):
    axis, line = chosen
    own = nearer * doubt
    entropy = float(np.average(seen.entropy, weights=nearer))
    mean = float(seen.entropy.mean())
    by_unit = (nearer @ seen.doubt) * coverage.factors()
    unit = seen.classes[int(by_unit.argmax())].item()
    far = float(np.average(distance, weights=own) / place.scales[axis])
    reason = (
        f"{far:.0f} lines from the nearest picked {AXES[axis]}; "
        f"entropy {entropy:.2f} (survey {mean:.2f}), mostly of {names.get(unit, unit)}"
    )
    number = place.number(axis, line)
    return Bunch(
        direction=AXES[axis],
        number=number,
        distance=far,
        entropy=entropy,
        unit=unit,
        reason=reason,
    )
