"""Where lines of a survey cross, found from the traces that they share."""

import itertools
import math

import numpy as np
from scipy.spatial import cKDTree
from sklearn.utils.extmath import randomized_svd

from skfacies._sections.undefined import undefined_amplitudes
from skfacies._sections.validation import own_amplitudes, section_shape

__all__ = ["find_crossings"]

#: Two lines see the same trace where the correlation exceeds SAME_TRACE, and where it lacks less to
#: 1 than MAX_RELATIVE_LACK of what any other pair lacks, TRACES_BESIDE to TRACES_AROUND traces
#: away. Measured lacks, relative to these: below 1e-5 on real crossings, 0.012 on rounded 8-bit
#: data, 0.036 with 10 % of noise, above 0.06 between parallel neighbors without noise.
SAME_TRACE = 0.99
MAX_RELATIVE_LACK = 0.04
TRACES_BESIDE = 3
TRACES_AROUND = 16
CORRELATION_ROUNDING = 1e-6

#: Traces of norm 1 may be the same if they are among the N_NEAREST within MAX_DISTANCE of each
#: other in their first N_COMPONENTS principal components. Measured: up to noise of 7 %, every
#: crossing is found that all pairs of traces show; with 0.06, up to 1 % are missed.
N_COMPONENTS = 8
N_NEAREST = 8
MAX_DISTANCE = 0.08

#: As many samples of a trace tell it from others. More would only take memory.
MAX_SAMPLES = 256


def find_crossings(X, sections):
    """Where lines meet: ``{i: {j: trace of line i}, j: {i: trace of line j}}``."""
    crossings = {}
    n_samples = np.array([section_shape(X, i)[1] for i in sections])
    for n in np.unique(n_samples).tolist():
        units, copies = {}, {}
        for i in sections[n_samples == n].tolist():
            unit = _unit_traces(own_amplitudes(np.asarray(X[i]))[:, :: math.ceil(n / MAX_SAMPLES)])
            # The nearest of a line given many times would be its copies only.
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

    All traces are sought at once, each near its like, since comparing all with all takes half a
    minute for 256 lines. Nearer than the other trace of a crossing lie only traces that differ
    by less than the noise: they are few, or the crossing is not distinct.
    """
    traces = np.concatenate(lines)
    sample = traces[:: max(1, len(traces) // 4096)]
    basis = randomized_svd(sample, min(N_COMPONENTS, *sample.shape), random_state=0)[2]
    points = traces @ basis.T
    live = np.flatnonzero(points.any(axis=1))  # dead traces would be each other's likes
    # Measured: large leaves, not balanced, save a third of the time.
    tree = cKDTree(points[live], leafsize=32, balanced_tree=False)
    _, nearest = tree.query(points[live], k=N_NEAREST, distance_upper_bound=MAX_DISTANCE)
    pairs = np.stack([np.repeat(live, N_NEAREST), np.append(live, -1)[nearest.ravel()]])
    pairs = np.sort(pairs[:, pairs[1] >= 0], axis=0)  # -1: fewer are near

    widths = [len(line) for line in lines]
    line = np.repeat(np.arange(len(lines)), widths)
    pairs = pairs[:, line[pairs[0]] != line[pairs[1]]]
    correlation = np.empty(pairs.shape[1])
    for first in range(0, len(correlation), 8192):  # a few megabytes of traces each
        some = slice(first, first + 8192)
        correlation[some] = np.einsum("ij,ij->i", *traces[pairs[:, some]])
    best_first = np.argsort(-correlation, kind="stable")
    pairs = pairs[:, best_first[: np.count_nonzero(correlation > SAME_TRACE)]]
    two_lines, best = np.unique(line[pairs], axis=1, return_index=True)
    starts = np.cumsum(widths) - widths
    return np.vstack([two_lines, pairs[:, best] - starts[two_lines]]).T.tolist()


def _meeting_place(line, other, at_line, at_other):
    """The traces, near those given, where two lines cross; None if they do not.

    Inlines and crosslines are often scaled apart, so traces are compared by their correlation.
    Parallel neighbors, overlapping lines and copies are alike along many traces; lines that cross
    are alike in one place. A threshold alone does not tell them apart: on clean data some traces
    of parallel neighbors exceed it, and so do many next to a real crossing.
    """
    first_line, first_other = max(at_line - TRACES_AROUND, 0), max(at_other - TRACES_AROUND, 0)
    near_line = line[first_line : at_line + TRACES_AROUND + 1]
    near_other = other[first_other : at_other + TRACES_AROUND + 1]
    alike = near_line @ near_other.T
    # Rounding of float32 makes copies differ by some 1e-7, and a correlation exceed 1. Of equal
    # ones the first is taken: its distance to the last tells lines that overlap by a few traces.
    best = int((alike >= alike.max() - CORRELATION_ROUNDING).argmax())
    at_line, at_other = divmod(best, alike.shape[1])
    lack = max(1 - float(alike[at_line, at_other]), CORRELATION_ROUNDING)
    alike[_beside(at_line), _beside(at_other)] = -np.inf
    elsewhere = float(alike.max())
    # -inf: two lines of a few traces, parallel or crossing, who knows
    if elsewhere == -np.inf or lack >= min(1 - SAME_TRACE, MAX_RELATIVE_LACK * (1 - elsewhere)):
        return None
    return first_line + at_line, first_other + at_other


def _beside(trace):
    return slice(max(trace - TRACES_BESIDE, 0), trace + TRACES_BESIDE + 1)


def _unit_traces(section):
    """Traces without mean and of norm 1; zero where they are constant. Undefined samples are 0."""
    with np.errstate(over="ignore"):
        traces = section.astype(np.float32)
    undefined = undefined_amplitudes(section)
    if undefined is not None:
        traces[undefined] = 0
    largest = np.abs(traces).max(initial=0.0)
    if largest > 0:
        traces /= largest  # squares of 1e20 or 1e-30 leave the range of float32
    traces -= traces.mean(axis=1, keepdims=True)
    norms = np.sqrt(np.einsum("ij,ij->i", traces, traces))[:, None]
    live = np.isfinite(norms) & (norms > 1e-6 * np.nanmax(norms, initial=0.0)) & (norms > 0)
    return np.where(live, traces / np.where(live, norms, 1), 0).astype(np.float32)
