"""What training sections are like and where they lie, for later checks of other surveys."""

import numpy as np

from skfacies._cubes.positions import trace_numbers, vertical_axis
from skfacies._sections.amplitude_profile import profile_of_amplitudes
from skfacies._sections.sections import IGNORED
from skfacies._sections.undefined import undefined_amplitudes
from skfacies._sections.validation import own_amplitudes

__all__ = ["learn_profile"]

#: Sections whose amplitudes are looked at, and whose place is kept.
ENOUGH_SECTIONS = 16
MOST_LINES = 256

#: Traces that are kept as they are: another version of them tells its polarity and phase.
TRACES_OF_A_LINE = 3
MOST_TRACES = 48


def learn_profile(sections, runs, old=None):
    """Statistics of training amplitudes, the ends of training lines, and a few of their traces.

    Parameters
    ----------
    sections : Sections
    runs : list of Run
    old : dict or None
        Profile of the training that goes on. Its statistics stay, lines and traces are added.

    Returns
    -------
    profile : dict or None
        Of `profile_of_amplitudes`, with "lines", an array (n_lines, 2, 2) of the inline and
        crossline number of the first and last labeled trace of each line whose place is known;
        "traces" (n, n_samples) and their "trace_numbers" (n, 2); and "vertical_axis", a tuple
        (first, interval, unit) or None. None if no amplitude is live.
    """
    some = runs[:: max(1, len(runs) // ENOUGH_SECTIONS)]
    profile = old or profile_of_amplitudes(_amplitudes(sections, run) for run in some)
    if profile is None:
        return None
    lines, numbers, traces = [], [], []
    for run in runs[:: max(1, len(runs) // MOST_LINES)]:
        own = trace_numbers(sections.X, run.section)
        labeled = None if own is None else _labeled(sections, run)
        if labeled is None or not len(labeled):
            continue
        lines.append(own[labeled[[0, -1]]])
        if run in some:
            between = np.arange(1, TRACES_OF_A_LINE + 1) / (TRACES_OF_A_LINE + 1)
            at = np.unique(labeled[(between * len(labeled)).astype(int)])
            numbers.append(own[at])
            traces += list(_defined(_amplitudes(sections, run)[at - run.start]))
    axis = vertical_axis(sections.X, runs[0].section)
    if old and old["vertical_axis"] != axis:  # samples of other depths
        axis, numbers, traces = old["vertical_axis"], [], []
    return _joined(profile, lines, numbers, traces, axis)


def _amplitudes(sections, run):
    return own_amplitudes(np.asarray(sections.X[run.section]))[run.traces]


def _defined(traces):
    """Traces with 0 where nothing is defined."""
    undefined = undefined_amplitudes(traces)
    return (traces if undefined is None else np.where(undefined, 0, traces)).astype(np.float32)


def _labeled(sections, run):
    """Positions of the labeled traces of a run in its section."""
    codes = sections.codes(run.section, run.traces)
    return run.start + np.flatnonzero((codes != IGNORED).any(axis=1))


def _joined(profile, lines, numbers, traces, axis):
    """The profile with lines and traces in addition to those that it has."""
    lines = np.reshape(lines, (-1, 2, 2)).astype(np.float64)
    numbers = np.reshape([n for part in numbers for n in part], (-1, 2)).astype(np.float64)
    if "lines" in profile:
        lines = np.concatenate([profile["lines"], lines])
        numbers = np.concatenate([profile["trace_numbers"], numbers])
        traces = [*profile["traces"], *traces]
    lines = np.unique(lines, axis=0)
    kept = np.sort(np.unique(numbers, axis=0, return_index=True)[1])[:MOST_TRACES]
    longest = max((len(traces[i]) for i in kept), default=0)
    padded = np.full((len(kept), longest), np.nan, np.float32)
    for row, i in zip(padded, kept, strict=True):
        row[: len(traces[i])] = traces[i]
    return {
        **profile,
        "lines": lines,
        "trace_numbers": numbers[kept],
        "traces": padded,
        "vertical_axis": axis,
    }
