"""Averages of logits along reflectors, so that contacts do not jump between reflectors."""

import math

import torch
from torch.nn import functional

__all__ = ["CELL", "smooth_along_reflectors"]

#: Number of traces and samples in the blocks used for averaging. Networks pad to multiples of 32.
CELL = 4

#: Number of blocks over which gradients are averaged: twice for the dip, once for deviations from
#: it.
DIP_WINDOW = 3

#: Ratio of the gradient energy along the dip to that across it at which the weight of what lies
#: beyond is halved. Reflectors of F3 have 0.2, faults 1 and more. With 0.3, a survey of faulted
#: clinoforms loses 0.004 mean IoU and F3 gains 0.003; with 0.6, it is 0.015 and 0.005, and without
#: this weight 0.047 and 0.01.
HALF_WEIGHT_RATIO = 0.6

#: Fraction of the mean energy that is added to the energy of each location, so that the dip is 0
#: where there are no reflections.
DIP_DAMPING = 0.01

#: The certainty of a location is the mean highest probability of this many cells around it in its
#: trace: near a contact whose position is in doubt, both sides are uncertain. The weight in means
#: is ``exp(-DOUBT_DECAY * (1 - certainty))``. On F3 (eleven networks), means without this weight
#: gain 0.009 IoU; with 30, 40, 50 and 60 they gain 0.0120, 0.0125, 0.0129 and 0.0135, but near the
#: training lines most with 30 to 50. With 13 or 21 cells, the gain is smaller.
DOUBT_DECAY = 50.0
DOUBT_CELLS = 17

#: In means, no class counts as less likely than the best class by more than this (in logits):
#: otherwise, a few traces with overconfident errors outvote many. Near the training lines of F3
#: (five networks), means without a bound gain 0.0139 IoU; with 10, 8, 7, 6, 5, 4 and 3 they gain
#: 0.0140, 0.0143, 0.0145, 0.0149, 0.0150, 0.0148 and 0.0121. The calibration error falls from 0.022
#: to 0.014 with 6, and rises to 0.044 with 5.
MAX_LOGIT_GAP = 6.0

#: Larger amplitudes are scaled down first. This does not change dips.
MAX_AMPLITUDE = 1e6

#: Steepest dip that is followed, in samples per trace.
MAX_DIP = 3.0


def smooth_along_reflectors(logits, amplitudes, length, *, doubt=DOUBT_DECAY, dead=None):
    """Add to the logits, in place, the difference between their mean along the dip and themselves.

    An interpreter's contact follows a reflector. A network predicts each location separately: where
    two reflectors look alike, its contact may jump between them. The mean along the reflector
    follows the majority of traces, giving more weight to those where the network is certain. The
    weights fall by a factor of 1/e in `length` traces on either side.

    Parameters
    ----------
    logits : tensor of shape (batch, n_classes, n_traces, n_samples)
        The last two sizes must be multiples of `CELL`.
    amplitudes : tensor of shape (batch, n_traces, n_samples)
    length : float
        Number of traces in which weights fall by a factor of 1/e.
    doubt : float
        How strongly uncertain locations are down-weighted, see `DOUBT_DECAY`; 0 disables this.
    dead : tensor of shape (batch, n_traces, n_samples), or None
        1 for samples without recorded data, which do not influence the means.

    Returns
    -------
    logits : tensor, the same

    Notes
    -----
    Dips come from the gradient structure tensor. Where amplitudes change along the dip, such as at
    faults, locations beyond count less. The evidence of one location against a class is bounded
    (`MAX_LOGIT_GAP`). Means are computed in blocks of 4 traces by 4 samples, and the change is
    added to all samples of a block, so that contacts stay sharp.
    """
    blocks = logits.permute(0, 2, 3, 1).unflatten(2, (-1, CELL)).unflatten(1, (-1, CELL))
    live = None if dead is None else 1 - functional.avg_pool2d(dead, CELL)
    coarse = _mean_of_blocks(blocks) if dead is None else _mean_of_live(blocks, dead, live)
    dips, continuity = dips_and_continuity(amplitudes, live)
    trust = torch.exp(-doubt * _unsureness(coarse))
    if live is not None:
        trust = trust * live
    coarse -= coarse.amax(dim=-1, keepdim=True)
    bounded = coarse.clamp_min(-MAX_LOGIT_GAP)
    mean, known = _mean_along(bounded, trust, dips, continuity * math.exp(-CELL / length))
    change = mean - coarse
    if live is not None:
        change.masked_fill_(~known, 0)
    if logits.is_contiguous(memory_format=torch.channels_last):  # add in longer strides
        rows = change[:, :, None, :, None].expand(-1, -1, -1, -1, CELL, -1).flatten(3)
        blocks.flatten(3).add_(rows)
    else:
        blocks += change[:, :, None, :, None]
    return logits


def _mean_of_blocks(blocks):
    # One axis after the other, with slices: many times faster than a mean over both.
    rows = sum(blocks[:, :, i] for i in range(CELL))
    return sum(rows[:, :, :, i] for i in range(CELL)) / CELL**2


def _mean_of_live(blocks, dead, live):
    """Means over the live samples of blocks; 0 for blocks without live samples."""
    alive = 1 - dead.unflatten(2, (-1, CELL)).unflatten(1, (-1, CELL))
    means = _mean_of_blocks(blocks * alive[..., None])
    return means / live.clamp_min(0.5 / CELL**2)[..., None]


def _unsureness(logits):
    """One minus the mean highest probability along traces, of logits (batch, n_traces, n, …)."""
    unsure = 1 - torch.exp(logits.amax(dim=-1) - logits.logsumexp(dim=-1))
    return functional.avg_pool1d(
        unsure, DOUBT_CELLS, stride=1, padding=DOUBT_CELLS // 2, count_include_pad=False
    )


def dips_and_continuity(amplitudes, live=None):
    """Dip in samples per trace (blocks per block), positive downwards, and continuity in (0, 1].

    `live` is the live fraction of each block, or None if all samples are live.
    """
    if (
        amplitudes.numel() and float(amplitudes.abs().max()) > MAX_AMPLITUDE
    ):  # the fourth power overflows
        largest = amplitudes.abs().amax(dim=(1, 2), keepdim=True)
        amplitudes = amplitudes / largest.clamp_min(1.0)
    across = functional.pad(amplitudes[:, 2:] - amplitudes[:, :-2], (0, 0, 1, 1))
    down = functional.pad(amplitudes[:, :, 2:] - amplitudes[:, :, :-2], (1, 1))
    sums = across.new_zeros((len(across), 3, across.shape[1] // CELL, across.shape[2]))
    for i in range(CELL):  # over the traces of blocks, then over their samples
        for total, one, other in zip(
            sums.unbind(dim=1), (down, across, across), (down, down, across), strict=True
        ):
            total.addcmul_(one[:, i::CELL], other[:, i::CELL], value=1 / CELL)
    local = _mean_around(functional.avg_pool2d(sums, (1, CELL)))
    energy, product, _ = _mean_around(local).unbind(dim=1)
    typical = energy.mean(dim=(1, 2), keepdim=True)
    if live is not None:  # dead blocks have no energy
        typical = typical / live.mean(dim=(1, 2), keepdim=True).clamp_min(1e-6)
    damping = DIP_DAMPING * typical + torch.finfo(energy.dtype).tiny
    dips = (-product / (energy + damping)).clamp(-MAX_DIP, MAX_DIP)
    energy, product, energy_across = local.unbind(dim=1)
    off = energy_across + 2 * dips * product + dips**2 * energy  # energy along the dip
    return dips, 1 / (1 + (off / (energy + damping) / HALF_WEIGHT_RATIO) ** 2)


def _mean_around(values):
    return functional.avg_pool2d(
        values, DIP_WINDOW, stride=1, padding=DIP_WINDOW // 2, count_include_pad=False
    )


def _mean_along(values, trust, dips, weights):
    """Weighted mean of values (batch, n_traces, n_samples, n) of all traces along the dips.

    Also returns a mask (batch, n_traces, n_samples, 1) of where a mean exists: not where all
    samples are dead.

    The mean is computed trace by trace, from both sides at once: the sum so far is shifted by the
    dip to the next trace and multiplied by the smaller weight of the two traces; then the values of
    that trace, times their trust, are added.
    """
    n_items, n_traces, n_samples, n = values.shape
    # The last of `n` is the sum of weights.
    trust = trust[..., None]
    sums = torch.cat([values * trust, trust], dim=-1).transpose(0, 1)
    sums = torch.stack([sums, sums.flip(0)], dim=1).reshape(n_traces, -1, n + 1)
    between = ((dips[:, 1:] + dips[:, :-1]) / 2).transpose(0, 1)
    between = torch.stack([between, -between.flip(0)], dim=1)
    weights = torch.minimum(weights[:, 1:], weights[:, :-1]).transpose(0, 1)
    weights = torch.stack([weights, weights.flip(0)], dim=1).reshape(n_traces - 1, -1, 1)
    places = torch.arange(n_samples, device=values.device)
    places = (places - between).clamp(0, n_samples - 1.001)
    above = places.long()
    part = (places - above).reshape(n_traces - 1, -1, 1)
    first = torch.arange(2 * n_items, device=values.device).reshape(2, n_items, 1) * n_samples
    above = (above + first).reshape(n_traces - 1, 1, -1)
    above = torch.cat([above, above + 1], dim=1)
    own = sums.clone()
    for i in range(1, n_traces):
        before = sums[i - 1]
        one, next_one = before[above[i - 1]].unbind()
        moved = torch.lerp(one, next_one, part[i - 1])
        sums[i].addcmul_(moved, weights[i - 1])
    one, other = sums.view(n_traces, 2, n_items, n_samples, n + 1).unbind(dim=1)
    total = one + other.flip(0) - own.view(n_traces, 2, n_items, n_samples, n + 1)[:, 0]
    total = total.transpose(0, 1)
    weight = total[..., -1:]
    least = torch.finfo(total.dtype).tiny
    return total[..., :-1] / weight.clamp_min(least), weight > least
