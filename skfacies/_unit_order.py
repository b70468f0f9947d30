"""Stratigraphic order: which unit lies above which, and labels that keep to it."""

import numpy as np

__all__ = [
    "best_ranks",
    "check_unit_order",
    "learn_unit_order",
    "put_in_order",
    "remove_spikes",
]

#: Part of the training traces of each class that must be in order for it to be taken as a rule.
#: Interpretations have small faults: in F3 lines up to 2 % of the traces.
MOST_TRACES = 0.95

#: Least logarithm of a probability, relative to the best class: a trace does not turn on a few
#: samples that seem certain.
LEAST = np.float32(np.log(1e-4))

#: The search for the best labels takes samples together, about so many blocks a trace, of at most
#: so many samples.
BLOCKS = 100
LARGEST_BLOCK = 8

#: Traces that are put in order at a time: memory does not grow with the section. With 128, calls of
#: functions take a fifth of the time.
TRACES = 512

#: A contact is compared with its median over so many traces to either side, and is a spike if it
#: lies more than so many samples away from it.
SPIKE_TRACES = 3
SPIKE_SAMPLES = 3


def learn_unit_order(sections, n_classes):
    """Classes from top to bottom, or None if they are not stacked in one order.

    Parameters
    ----------
    sections : iterable of int arrays (n_traces, n_samples)
        Positions of labels in ``classes_``; negative where there is none.
    n_classes : int

    Returns
    -------
    order : tuple of int, or None
        Only traces of several classes tell an order. They must tell that of each class: a body that
        is rare may be enclosed by another unit wherever it occurs.
    """
    sections = list(sections)
    counts, depths = np.zeros(n_classes), np.zeros(n_classes)
    for codes in sections:
        labelled = codes >= 0
        depth = np.broadcast_to(np.arange(codes.shape[1]), codes.shape)[labelled]
        counts += np.bincount(codes[labelled], minlength=n_classes)
        depths += np.bincount(codes[labelled], weights=depth, minlength=n_classes)
    if not counts.all():
        return None
    order = np.argsort(depths / counts, kind="stable")
    ranks = _ranks(order)
    n_traces, n_in_order = np.zeros(n_classes), np.zeros(n_classes)
    for codes in sections:
        labelled = codes >= 0
        depth_ranks = np.where(labelled, ranks[np.maximum(codes, 0)], -1)
        deepest = np.maximum.accumulate(depth_ranks, axis=1)
        in_order = (~labelled | (depth_ranks == deepest)).all(axis=1)
        present = np.stack([(codes == code).any(axis=1) for code in range(n_classes)], axis=1)
        present &= np.count_nonzero(present, axis=1, keepdims=True) > 1
        n_traces += np.count_nonzero(present, axis=0)
        n_in_order += np.count_nonzero(present[in_order], axis=0)
    known = n_traces.all() and (n_in_order >= MOST_TRACES * n_traces).all()
    return tuple(order.tolist()) if known else None


def check_unit_order(unit_order, classes):
    """Positions in `classes` of the labels that a user gave from top to bottom.

    Labels that are no class are passed by: folds of a survey may lack a unit.
    """
    given = np.asarray(unit_order, dtype=object)
    positions = {label: i for i, label in enumerate(classes.tolist())}
    labels = given.tolist() if given.ndim == 1 else []
    hashable = not any(isinstance(label, (list, dict, np.ndarray)) for label in labels)
    if not hashable or len(set(labels)) != len(labels) or not set(positions) <= set(labels):
        raise ValueError(
            "`unit_order` must hold every class once, from top to bottom; got "
            f"{unit_order!r} for the classes {classes.tolist()}. Or use 'auto' or None."
        )
    return tuple(positions[label] for label in labels if label in positions)


def put_in_order(codes, log_scores, order):
    """Labels of most likely traces among those in order; traces in order stay as they are.

    Parameters
    ----------
    codes : int array of shape (n_traces, n_samples)
        The most likely class of every sample; changed in place.
    log_scores : function of a slice or an array of traces
        Returns logarithms of probabilities, or logits, ``(n_traces, n_samples, n_classes)`` of
        those traces.
    order : tuple of int
        Classes from top to bottom.

    Returns
    -------
    codes : int array of shape (n_traces, n_samples)
    """
    ranks = _ranks(order)[codes]
    upside_down = np.flatnonzero((ranks[:, 1:] < ranks[:, :-1]).any(axis=1))
    for start in range(0, len(upside_down), TRACES):
        traces = upside_down[start : start + TRACES]
        if traces[-1] - traces[0] == len(traces) - 1:  # neighbours: no copy of their scores
            traces = slice(traces[0], traces[-1] + 1)
        scores = np.asarray(log_scores(traces), dtype=np.float32)
        if order == tuple(range(len(order))):
            codes[traces] = best_ranks(scores)
        else:
            codes[traces] = np.asarray(order)[best_ranks(scores[..., list(order)])]
    return codes


def remove_spikes(codes, order):
    """Take contacts that leave their neighbours for a few traces back to them.

    Where two reflectors are about as likely, a contact changes between them from trace to trace,
    most of all where scores were averaged along reflectors: on F3, 0.1 to 0.6 % of the traces of
    contacts are such spikes then. They become the median of 7 traces (0.01 to 0.1 % are left, and
    the mean IoU is the same); steps, as at faults, steep dips, and the first and last trace stay.

    Parameters
    ----------
    codes : int array of shape (n_traces, n_samples)
        All traces in order; changed in place.
    order : tuple of int
        Classes from top to bottom.

    Returns
    -------
    codes : int array of shape (n_traces, n_samples)
    """
    (n_traces, n_samples), n_units = codes.shape, len(order)
    places = _ranks(order).astype(np.intp)[codes]
    places += n_units * np.arange(n_traces)[:, None]
    thickness = np.bincount(places.ravel(), minlength=n_traces * n_units)
    contacts = thickness.reshape(n_traces, n_units)[:, :-1].cumsum(axis=1)
    around = np.pad(contacts, ((SPIKE_TRACES, SPIKE_TRACES), (0, 0)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(around, 2 * SPIKE_TRACES + 1, axis=0)
    medians = np.partition(around, SPIKE_TRACES, axis=-1)[..., SPIKE_TRACES]
    spikes = np.abs(contacts - medians) > SPIKE_SAMPLES
    traces = np.flatnonzero(spikes.any(axis=1))
    if traces.size:
        own = np.where(spikes[traces], medians[traces], contacts[traces])
        own = np.maximum.accumulate(own, axis=1)  # one may have been moved below the next
        ranks = (np.arange(n_samples)[:, None] >= own[:, None]).sum(axis=-1)
        codes[traces] = np.asarray(order)[ranks]
    return codes


def best_ranks(scores, block=None):
    """Ranks (n_traces, n_samples) that never fall, with about the largest sum of scores.

    The best path is sought in blocks of samples, and each contact then set to its best place within
    half a block. With blocks of one sample the path is the best of all; with eight it takes a tenth
    of the time, and differs by a sample here and there: on F3 blocks the mean IoU is the same.
    """
    n_traces, n_samples, _ = scores.shape
    if block is None:
        block = min(max(1, n_samples // BLOCKS), LARGEST_BLOCK)
    blocks = _sum_blocks(scores, block)
    ranks = _best_path(np.maximum(blocks - blocks.max(axis=0), block * LEAST))
    fine = np.repeat(ranks, block, axis=1)
    if block > 1:
        _set_contacts(fine, ranks, scores, block)
    return fine[:, :n_samples]


def _ranks(order):
    ranks = np.empty(len(order), dtype=np.int8 if len(order) < 128 else np.int32)
    ranks[list(order)] = np.arange(len(order))
    return ranks


def _sum_blocks(scores, block):
    """Sums (n_units, n_traces, n_blocks) over blocks of samples, the last of which may be short."""
    import torch  # several times as fast as NumPy in sums of so few

    scores = torch.from_numpy(scores)
    whole = scores.shape[1] // block * block
    parts = [scores[:, :whole].unflatten(1, (-1, block)).sum(dim=2)]
    if whole < scores.shape[1]:
        parts.append(scores[:, whole:].sum(dim=1, keepdim=True))
    return torch.cat(parts, dim=1).permute(2, 0, 1).contiguous().numpy()


def _best_path(scores):
    """Ranks (n_traces, n_samples) that never fall, with the largest sum of scores.

    Let ``best[n]`` be the best sum over the first n samples with the units so far. With one more
    unit from sample m on, it is the maximum over m of ``best[m] + total[n] - total[m]``, where
    ``total`` sums the scores of that unit: a running maximum for each unit, and none for each
    sample. A unit may be absent (m = n).
    """
    # Its running sums and maxima take a quarter of NumPy's time.
    import torch
    from torch.nn import functional

    _, n_traces, n_samples = scores.shape
    totals = torch.cumsum(functional.pad(torch.from_numpy(scores), (1, 0)), dim=-1)
    best, tops = totals[0], []
    for total in totals[1:]:
        best, top = torch.cummax(best - total, dim=1)
        tops.append(top)
        best += total
    begins = torch.zeros((n_traces, n_samples + 1), dtype=torch.int32)  # so many units, at a place
    stop = torch.full((n_traces, 1), n_samples)
    one = torch.ones_like(stop, dtype=torch.int32)
    for top in reversed(tops):
        stop = top.gather(1, stop)
        begins.scatter_add_(1, stop, one)
    return torch.cumsum(begins[:, :-1], dim=1, dtype=torch.int32).numpy()


def _set_contacts(fine, ranks, scores, block):
    """Move each contact to its best place within half a block up or down, in `fine`."""
    traces, below = np.nonzero(ranks[:, 1:] != ranks[:, :-1])
    upper, lower = ranks[traces, below], ranks[traces, below + 1]
    half = block // 2  # so that the places of neighbouring contacts never meet
    near = (below[:, None] + 1) * block + np.arange(-half, half)
    inside = np.minimum(near, scores.shape[1] - 1)
    traces, upper, lower = (x[:, None] for x in (traces, upper, lower))
    gain = np.clip(scores[traces, inside, upper] - scores[traces, inside, lower], LEAST, -LEAST)
    gain[near > inside] = 0  # below the last sample
    gain = np.cumsum(np.pad(gain, ((0, 0), (1, 0))), axis=1)  # of so many samples given to `upper`
    n_upper = gain.argmax(axis=1)[:, None]
    fine[traces, near] = np.where(np.arange(2 * half) < n_upper, upper, lower)
