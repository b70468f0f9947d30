"""Crossings of survey lines, found from the traces that they share."""

import itertools
import math

import numpy as np
from scipy.spatial import cKDTree
from sklearn.utils.extmath import randomized_svd

from skfacies._sections.undefined import undefined_amplitudes
from skfacies._sections.validation import own_amplitudes, section_shape

__all__ = ["find_crossings"]

#: Two lines share a trace where the correlation exceeds SAME_TRACE, and where its lack (1 minus the
#: correlation) is below MAX_RELATIVE_LACK times that of any other pair, TRACES_BESIDE to
#: TRACES_AROUND traces away. Measured relative lacks: below 1e-5 on real crossings, 0.012 on
#: rounded 8-bit data, 0.036 with 10 % noise, above 0.06 between parallel neighbors without noise.
SAME_TRACE = 0.99
MAX_RELATIVE_LACK = 0.04
TRACES_BESIDE = 3
TRACES_AROUND = 16
CORRELATION_ROUNDING = 1e-6

#: Traces of norm 1 may be the same if they are among the N_NEAREST within MAX_DISTANCE of each
#: other in their first N_COMPONENTS principal components. Measured: with up to 7 % noise, every
#: crossing that a comparison of all pairs finds is found; with a distance of 0.06, up to 1 % are
#: missed.
N_COMPONENTS = 8
N_NEAREST = 8
MAX_DISTANCE = 0.08

#: This many samples are enough to identify a trace. More would only use memory.
MAX_SAMPLES = 256


def find_crossings(X, sections):
    """Where lines cross: ``{i: {j: trace of line i}, j: {i: trace of line j}}``."""
    crossings = {}
    n_samples = np.array([section_shape(X, i)[1] for i in sections])
    for n in np.unique(n_samples).tolist():
        units, copies = {}, {}
        for i in sections[n_samples == n].tolist():
            unit = _unit_traces(own_amplitudes(np.asarray(X[i]))[:, :: math.ceil(n / MAX_SAMPLES)])
            # If a line is given many times, its nearest neighbors would only be its copies.
            key = hash(unit.tobytes())
            units.setdefault(key, unit)
            copies.setdefault(key, []).append(i)
        lines, copies = list(units.values()), list(copies.values())
        for a, b, at_a, at_b in _likest_traces(lines):
            met = _meeting_place(lines[a], lines[b], at_a, at_b)
            if met is not None:
                for i, j in itertools.product(copies[a], copies[b]):
                    crossings.setdefault(i, {})[j], crossings.setdefault(j, {})[i] = met
    return crossings


def _likest_traces(lines):
    """Where lines may cross: ``(line, other line, trace of one, trace of the other)``.

    All traces are searched at once for their nearest neighbors, because comparing all pairs takes
    half a minute for 256 lines. Only traces that differ by less than the noise are nearer than the
    other trace of a crossing: they are few, or the crossing is not distinct.
    """
    traces = np.concatenate(lines)
    sample = traces[:: max(1, len(traces) // 4096)]
    basis = randomized_svd(sample, min(N_COMPONENTS, *sample.shape), random_state=0)[2]
    points = traces @ basis.T
    live = np.flatnonzero(points.any(axis=1))  # dead traces would match each other
    # Measured: large, unbalanced leaves save a third of the time.
    tree = cKDTree(points[live], leafsize=32, balanced_tree=False)
    _, nearest = tree.query(points[live], k=N_NEAREST, distance_upper_bound=MAX_DISTANCE)
    pairs = np.stack([np.repeat(live, N_NEAREST), np.append(live, -1)[nearest.ravel()]])
    pairs = np.sort(pairs[:, pairs[1] >= 0], axis=0)  # -1: fewer neighbors found

    widths = [len(line) for line in lines]
    line = np.repeat(np.arange(len(lines)), widths)
    pairs = pairs[:, line[pairs[0]] != line[pairs[1]]]
    correlation = np.empty(pairs.shape[1])
    for first in range(0, len(correlation), 8192):  # a few megabytes of traces at a time
        some = slice(first, first + 8192)
        correlation[some] = np.einsum("ij,ij->i", *traces[pairs[:, some]])
    best_first = np.argsort(-correlation, kind="stable")
    pairs = pairs[:, best_first[: np.count_nonzero(correlation > SAME_TRACE)]]
    two_lines, best = np.unique(line[pairs], axis=1, return_index=True)
    starts = np.cumsum(widths) - widths
    return np.vstack([two_lines, pairs[:, best] - starts[two_lines]]).T.tolist()


def _meeting_place(line, other, at_line, at_other):
    """The traces, near those given, where two lines cross; None if they do not cross.

    Inlines and crosslines are often scaled separately, so traces are compared by correlation.
    Parallel neighbors, overlapping lines and copies are similar along many traces; crossing lines
    are similar in one place. A threshold alone does not distinguish them: on clean data, some
    traces of parallel neighbors exceed it, and so do many next to a real crossing.
    """
    first_line, first_other = max(at_line - TRACES_AROUND, 0), max(at_other - TRACES_AROUND, 0)
    near_line = line[first_line : at_line + TRACES_AROUND + 1]
    near_other = other[first_other : at_other + TRACES_AROUND + 1]
    alike = near_line @ near_other.T
    # Rounding of float32 makes copies differ by about 1e-7, and correlations exceed 1. Of equal
    # correlations, the first is used: its distance to the last shows lines that overlap by a few
    # traces.
    best = int((alike >= alike.max() - CORRELATION_ROUNDING).argmax())
    at_line, at_other = divmod(best, alike.shape[1])
    lack = max(1 - float(alike[at_line, at_other]), CORRELATION_ROUNDING)
    alike[_beside(at_line), _beside(at_other)] = -np.inf
    elsewhere = float(alike.max())
    # -inf: two lines of a few traces, which may be parallel or crossing
    if elsewhere == -np.inf or lack >= min(1 - SAME_TRACE, MAX_RELATIVE_LACK * (1 - elsewhere)):
        return None
    return first_line + at_line, first_other + at_other


def _beside(trace):
    return slice(max(trace - TRACES_BESIDE, 0), trace + TRACES_BESIDE + 1)


def _unit_traces(section):
    """Traces with zero mean and norm 1; constant traces are 0. Undefined samples count as 0."""
    with np.errstate(over="ignore"):
        traces = section.astype(np.float32)
    undefined = undefined_amplitudes(section)
    if undefined is not None:
        traces[undefined] = 0
    largest = np.abs(traces).max(initial=0.0)
    if largest > 0:
        traces /= largest  # squares of 1e20 or 1e-30 exceed the range of float32
    traces -= traces.mean(axis=1, keepdims=True)
    norms = np.sqrt(np.einsum("ij,ij->i", traces, traces))[:, None]
    live = np.isfinite(norms) & (norms > 1e-6 * np.nanmax(norms, initial=0.0)) & (norms > 0)
    return np.where(live, traces / np.where(live, norms, 1), 0).astype(np.float32)
