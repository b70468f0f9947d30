"""Logits averaged along reflectors: contacts do not jump from one to another."""

import math

import torch
from torch.nn import functional

__all__ = ["CELL", "smooth_along_reflectors"]

#: Traces and samples of the blocks in which it is computed. Networks pad to multiples of 32.
CELL = 4

#: Blocks over which gradients are averaged: twice for the dip, once for what is off it.
DIP_WINDOW = 3

#: Energy of the gradient along the dip, as part of that across it, which halves the weight of what
#: lies beyond. Reflectors of F3 have 0.2, faults 1 and more. With 0.3 a survey of faulted
#: clinoforms loses 0.004 of mean IoU and F3 gains 0.003; with 0.6 it is 0.015 and 0.005, and
#: without 0.047 and 0.01.
HALF_WEIGHT_RATIO = 0.6

#: Part of the mean energy that is added to that of each place: where there are no reflections,
#: the dip is 0.
DIP_DAMPING = 0.01

#: Sureness of a place is the mean highest probability of so many cells of its trace around it:
#: near a contact whose place is in doubt, both sides of it are unsure. Its weight in means is
#: ``exp(-DOUBT_DECAY * (1 - sureness))``. On F3 (eleven networks) means without it gain 0.009 of
#: IoU; with 30, 40, 50 and 60 it is 0.0120, 0.0125, 0.0129 and 0.0135, but near the training lines
#: most with 30 to 50. With 13 or 21 cells it is less.
DOUBT_DECAY = 50.0
DOUBT_CELLS = 17

#: In means a class counts as at most so much less likely than the best one (in logits): else a few
#: traces that are wrong beyond all doubt outvote many. Near the training lines of F3 (five
#: networks) means without a bound gain 0.0139 of IoU, with 10, 8, 7, 6, 5, 4 and 3 it is 0.0140,
#: 0.0143, 0.0145, 0.0149, 0.0150, 0.0148 and 0.0121; the calibration error falls from 0.022 to
#: 0.014 with 6, and rises to 0.044 with 5.
MAX_LOGIT_GAP = 6.0

#: Amplitudes beyond this are scaled down first. Dips are the same.
MAX_AMPLITUDE = 1e6

#: Steepest dip that is followed, in samples per trace.
MAX_DIP = 3.0


def smooth_along_reflectors(logits, amplitudes, length, *, doubt=DOUBT_DECAY, dead=None):
    """Add to the logits what their mean along the local dip differs from them, in place.

    An interpreter's contact follows a reflector. A network looks at each place anew: where two
    reflectors look alike, its contact may jump from one to the other and back. The mean along the
    reflector takes what most of the traces say, those most of all where the network is sure. Its
    weights fall by the factor 1/e in `length` traces to either side.

    Parameters
    ----------
    logits : tensor of shape (batch, n_classes, n_traces, n_samples)
        Both axes of a multiple of `CELL`.
    amplitudes : tensor of shape (batch, n_traces, n_samples)
    length : float
    doubt : float
        How much less unsure places weigh, see `DOUBT_DECAY`; 0: not at all.
    dead : tensor of shape (batch, n_traces, n_samples), or None
        1 for samples that nothing was recorded at: they have no say.

    Returns
    -------
    logits : tensor, the same

    Notes
    -----
    Dips are those of the gradient structure tensor. Where amplitudes change along the dip, as at
    faults, what lies beyond counts less, and what a place says against a class is bounded
    (`MAX_LOGIT_GAP`). Means are taken in blocks of 4 traces by 4 samples, and
    what changes is added to all samples of a block, so that contacts stay as sharp as they were.
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
    if logits.is_contiguous(memory_format=torch.channels_last):  # in longer strides
        rows = change[:, :, None, :, None].expand(-1, -1, -1, -1, CELL, -1).flatten(3)
        blocks.flatten(3).add_(rows)
    else:
        blocks += change[:, :, None, :, None]
    return logits


def _mean_of_blocks(blocks):
    # One axis after the other, by slices: many times as fast as a mean over both.
    rows = sum(blocks[:, :, i] for i in range(CELL))
    return sum(rows[:, :, :, i] for i in range(CELL)) / CELL**2


def _mean_of_live(blocks, dead, live):
    """Means over the live samples of blocks; 0 where there are none."""
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

    `live` is the live part of each block, or None where all is live.
    """
    if (
        amplitudes.numel() and float(amplitudes.abs().max()) > MAX_AMPLITUDE
    ):  # its fourth power overflows
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
    off = energy_across + 2 * dips * product + dips**2 * energy  # of the gradient along the dip
    return dips, 1 / (1 + (off / (energy + damping) / HALF_WEIGHT_RATIO) ** 2)


def _mean_around(values):
    return functional.avg_pool2d(
        values, DIP_WINDOW, stride=1, padding=DIP_WINDOW // 2, count_include_pad=False
    )


def _mean_along(values, trust, dips, weights):
    """Weighted mean of values (batch, n_traces, n_samples, n) of all traces along the dips.

    Also returns where there is one, (batch, n_traces, n_samples, 1): not where all is dead.

    Trace by trace, from both sides at once: the sum so far, moved by the dip to the next trace
    and multiplied by the lesser weight of the two, and the values of that trace, times its trust.
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
