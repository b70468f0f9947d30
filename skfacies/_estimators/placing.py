"""What the picked lines say of others that are known to lie beside them."""

import numpy as np
import torch

from skfacies._cubes.positions import trace_numbers
from skfacies._stratigraphy.contacts import (
    MAX_POINTS,
    KrigedContacts,
    contact_depths,
    unit_probabilities,
)

__all__ = ["add_contacts", "learn_contacts"]

#: Weight of the logarithms of interpolated probabilities beside those of the network: `MOST_WEIGHT`
#: where they are sharp, less by the square of what their mean entropy leaves of that. On 27 sets of
#: lines, this gains 0.034 of mean IoU on average, and costs 0.008 at most, on lines far away.
MOST_WEIGHT = 1.5

#: Traces with contacts below which nothing is interpolated.
MIN_POINTS = 8

#: Interpolated probabilities count as at least this.
MIN_PROBABILITY = 1e-3


def learn_contacts(sections, runs, stack, old=None):
    """Contacts of training lines whose place is known, together with those known before.

    Parameters
    ----------
    sections : Sections
    runs : list of Run
    stack : tuple of int, or None
        Codes from top to bottom, as far as they are known to be stacked.
    old : KrigedContacts or None

    Returns
    -------
    contacts : KrigedContacts, or None
    """
    if stack is None:
        return old
    every = max(1, sum(run.n_traces for run in runs) // MAX_POINTS)
    points, depths, lines = [], [], []
    if old is not None:
        points, depths, lines = [old.points_], [old.depths_], [old.lines_]
    first_line = 0 if old is None else int(old.lines_.max()) + 1
    for line, run in enumerate(runs, start=first_line):
        numbers = trace_numbers(sections.X, run.section)
        if numbers is None:
            continue
        traces = slice(run.start + min(every, run.n_traces) // 2, run.stop, every)
        own = contact_depths(sections.codes(run.section, traces), stack)
        known = ~np.isnan(own).all(axis=1)
        points.append(numbers[traces][known])
        depths.append(own[known])
        lines.append(np.full(np.count_nonzero(known), line))
    if sum(map(len, points)) < MIN_POINTS:
        return old
    return KrigedContacts().fit(*map(np.concatenate, (points, depths, lines)))


def add_contacts(scores, numbers, contacts, stack, *, probabilities):
    """Scores of a section with what interpolated contacts say of its traces.

    Parameters
    ----------
    scores : tensor of shape (n_classes, n_traces, n_samples)
        Probabilities or logits.
    numbers : array of shape (n_traces, 2)
        Inline and crossline number of each trace.
    contacts : KrigedContacts
    stack : tuple of int
        Codes from top to bottom.
    probabilities : bool
        What the scores are.

    Returns
    -------
    scores : tensor, a new one
    """
    units = unit_probabilities(*contacts.predict(numbers), scores.shape[-1])
    units = torch.from_numpy(units).to(scores.device)
    logs = units.clamp_min(MIN_PROBABILITY).log_()
    entropy = -(units * logs).sum(dim=0).mean(dim=-1) / np.log(len(stack))
    weight = MOST_WEIGHT * (1 - entropy).clamp(0, 1) ** 2
    logs *= weight[:, None]
    codes = np.argsort(stack).tolist()  # the rank of each code
    if not probabilities:
        return scores + logs[codes]
    scores = scores * logs[codes].exp_()
    return scores / scores.sum(dim=0, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)
