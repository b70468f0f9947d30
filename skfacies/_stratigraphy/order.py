"""Stratigraphic order: which unit lies above which, and labels that respect it."""

import numpy as np

__all__ = [
    "best_ranks",
    "check_unit_order",
    "explain_unit_order",
    "give_to_labels",
    "labels_from_scores",
    "put_in_order",
    "remove_spikes",
]

#: Fraction of the training traces of each class that must be in order for the order to be a rule.
#: Interpretations have small errors: in F3 lines, in up to 2 % of the traces.
MOST_TRACES = 0.95

#: Lower bound of the logarithm of a probability, relative to the best class: a few samples that
#: seem certain do not decide the labels of a trace.
MIN_LOG_SCORE = np.float32(np.log(1e-4))

#: Samples that are put in order at a time. So few of them torch works on with one thread; threads
#: that wait for each other take longer where other programs use the processor, too.
SAMPLES_AT_ONCE = 1 << 15

#: A contact is compared with its median over SPIKE_TRACES traces on either side. It is a spike if
#: it lies more than SPIKE_SAMPLES samples away, beyond what the slope of the contact explains.
SPIKE_TRACES = 3
SPIKE_SAMPLES = 3


def explain_unit_order(sections, n_classes, names=None):
    """Classes from top to bottom, or the reason why they have no known single order.

    Traces show which of two units lies above the other. The order is the only one that agrees with
    the majority of traces for each pair. Units that are adjacent in the order must therefore occur
    together in a trace.

    Parameters
    ----------
    sections : iterable of int arrays (n_traces, n_samples)
        Positions of labels in ``classes_``; negative where there is no label.
    n_classes : int
    names : list, default=None
        Labels of the classes, for the reason. None is 0, 1, ….

    Returns
    -------
    order : tuple of int, or None
        Only traces of several classes show an order, and each class must occur in such traces: a
        rare body may be enclosed by another unit wherever it occurs.
    reason : str or None
        Why there is no order.
    stack : tuple of int, or None
        The order; or one that agrees with all traces, although they do not say it of all units.
    """
    sections = list(sections)
    names = list(range(n_classes)) if names is None else list(names)
    above = np.zeros((n_classes, n_classes), dtype=np.int64)
    seen = np.zeros(n_classes, dtype=bool)
    for codes in sections:
        first, last, present = _extents(codes, n_classes)
        seen |= present.any(axis=1)
        for upper in range(n_classes):
            traces = present[upper] & present & (last[upper] < first)
            above[upper] += np.count_nonzero(traces, axis=1)
    if not seen.all():
        reason = f"none of the examined lines has {_listed(names, np.flatnonzero(~seen))}"
        return None, reason, None
    stack, reason = _sort_by_pairs(above, names)
    if stack is not None:
        unruly = _classes_out_of_order(sections, stack)
        if len(unruly):
            reason = reason or (
                f"fewer than {MOST_TRACES:.0%} of the traces with {_listed(names, unruly)} have "
                f"their units in the order {[names[code] for code in stack]}"
            )
            stack = None
    return (None if reason else stack), reason, stack


def _extents(codes, n_classes):
    """First and last sample of each class in each trace, and whether the class is present."""
    first = np.empty((n_classes, len(codes)), dtype=np.int32)
    last, present = np.empty_like(first), np.empty(first.shape, dtype=bool)
    for code in range(n_classes):
        own = codes == code
        present[code] = own.any(axis=1)
        first[code] = own.argmax(axis=1)
        last[code] = codes.shape[1] - 1 - own[:, ::-1].argmax(axis=1)
    return first, last, present


def _sort_by_pairs(above, names):
    """Topological order of classes, and the reason why there is none or more than one."""
    known = above > above.T
    order, left = [], list(range(len(above)))
    while left:
        tops = [code for code in left if not known[left, code].any()]
        if not tops:
            return None, f"{_listed(names, left)} lie above each other in a cycle"
        order.append(tops[0])
        left.remove(tops[0])
    # The order is unique if each unit is known to lie above the next.
    for upper, lower in zip(order[:-1], order[1:], strict=True):
        if not known[upper, lower]:
            return tuple(order), (
                f"the traces do not show which of {names[upper]!r} and {names[lower]!r} lies above "
                "the other"
            )
    return tuple(order), None


def _classes_out_of_order(sections, order):
    """Classes with too few traces whose units are in the given order."""
    n_classes, ranks = len(order), _ranks(order)
    n_traces, n_in_order = np.zeros(n_classes), np.zeros(n_classes)
    for codes in sections:
        labeled = codes >= 0
        depth_ranks = np.where(labeled, ranks[np.maximum(codes, 0)], -1)
        deepest = np.maximum.accumulate(depth_ranks, axis=1)
        in_order = (~labeled | (depth_ranks == deepest)).all(axis=1)
        present = np.stack([(codes == code).any(axis=1) for code in range(n_classes)], axis=1)
        present &= np.count_nonzero(present, axis=1, keepdims=True) > 1
        n_traces += np.count_nonzero(present, axis=0)
        n_in_order += np.count_nonzero(present[in_order], axis=0)
    return np.flatnonzero((n_traces == 0) | (n_in_order < MOST_TRACES * n_traces))


def _listed(names, codes):
    return ", ".join(repr(names[code]) for code in codes)


def check_unit_order(unit_order, classes):
    """Positions in `classes` of the labels that a user gave from top to bottom.

    Labels that are not classes are skipped: folds of a survey may lack a unit.
    """
    given = np.asarray(unit_order, dtype=object)
    positions = {label: i for i, label in enumerate(classes.tolist())}
    labels = given.tolist() if given.ndim == 1 else []
    hashable = not any(isinstance(label, (list, dict, np.ndarray)) for label in labels)
    if not hashable or len(set(labels)) != len(labels) or not set(positions) <= set(labels):
        raise ValueError(
            "`unit_order` must list every class once, from top to bottom; got "
            f"{unit_order!r} for the classes {classes.tolist()}. Alternatively, use 'auto' or None."
        )
    return tuple(positions[label] for label in labels if label in positions)


def labels_from_scores(codes, log_scores, order, *, missing=None, without_spikes=False):
    """Labels in stratigraphic order, from the most likely labels of each sample.

    Parameters
    ----------
    codes : int array of shape (n_traces, n_samples)
        The most likely class of every sample; changed in place.
    log_scores : function of an array of traces
        Returns logarithms of probabilities, or logits, ``(n_traces, n_samples, n_classes)`` of
        those traces.
    order : tuple of int, or None
        Classes from top to bottom.
    missing : bool array of shape (n_traces, n_samples), or None
        Samples that do not influence the labels of others.
    without_spikes : bool, default=False
        Move contacts that jump away from their neighbors for a few traces back to them.

    Returns
    -------
    codes : int array of shape (n_traces, n_samples)
        Most missing samples keep their own labels, as far as the order of the live samples allows.
    """
    if order is None:
        return codes
    put_in_order(codes, log_scores, order, missing)
    if not without_spikes:
        return codes
    if missing is None or not missing.any():
        return remove_spikes(codes, order)
    live = ~missing.all(axis=1)  # the traces on either side of a gap are neighbors
    if live.any():
        codes[live] = remove_spikes(codes[live], order, missing[live])
    return codes


def give_to_labels(probabilities, codes):
    """Make labels the most probable classes, in place: each takes the place of the one that was.

    Where the order of units rules out the class that the network prefers, its probability goes to
    the label that takes its place, and the other way round. So thresholds, votes and means of
    probabilities know the order, and say how sure the network is as before.

    Parameters
    ----------
    probabilities : array of shape (n_traces, n_samples, n_classes)
    codes : int array of shape (n_traces, n_samples)
    """
    best = probabilities.argmax(axis=-1)
    differ = best != codes
    own = probabilities[differ]
    rows, best, codes = np.arange(len(own)), best[differ], codes[differ]
    own[rows, best], own[rows, codes] = own[rows, codes], own[rows, best]
    tied = own[rows, best] == own[rows, codes]
    own[rows[tied], codes[tied]] = np.nextafter(own[rows[tied], codes[tied]], own.dtype.type(2))
    probabilities[differ] = own


def put_in_order(codes, log_scores, order, missing=None):
    """Most likely labels of each trace that are in order; traces in order are not changed.

    Only the part of a trace that is out of order is changed: samples above and below it keep their
    most likely labels. Parameters are those of `labels_from_scores`.
    """
    import torch

    ranks = _ranks(order)[codes]
    if missing is not None:  # a trace with only missing samples counts as live
        missing = missing & ~missing.all(axis=1, keepdims=True)
    own_ranks = ranks.copy() if missing is not None else None
    deepest = ranks if missing is None else np.where(missing, -1, ranks)
    deepest = np.maximum.accumulate(deepest, axis=1)
    upside_down = np.flatnonzero((ranks < deepest).any(axis=1))
    if missing is not None:
        ranks[missing] = deepest[missing]  # rank of the live samples above; -1 above all
        upside_down = np.flatnonzero((ranks < deepest).any(axis=1))
    starts, stops = _parts_out_of_order(ranks[upside_down], deepest[upside_down])
    by_length = np.argsort(stops - starts, kind="stable")
    at_once = max(1, SAMPLES_AT_ONCE // codes.shape[1])
    for first in range(0, len(upside_down), at_once):
        own = by_length[first : first + at_once]
        own = own[np.argsort(upside_down[own])]  # in the same trace order as the scores
        traces = upside_down[own]
        # Torch takes a fraction of NumPy's time for all of this.
        scores = torch.from_numpy(np.asarray(log_scores(traces), dtype=np.float32))
        if missing is not None:
            scores = scores.masked_fill(torch.from_numpy(missing[traces])[..., None], 0)
        part = ranks[traces]
        _order_parts(part, starts[own], stops[own], scores, order)
        ranks[traces] = part
    if missing is not None:
        ranks = _between_live(ranks, own_ranks, missing)
    changed = upside_down if missing is None else slice(None)
    codes[changed] = np.asarray(order)[ranks[changed]]
    return codes


def _between_live(ranks, own_ranks, missing):
    """Ranks in which most missing samples keep their own, as far as the live samples allow.

    The samples of a mute are therefore labeled, but do not influence the labels of others.
    """
    import torch

    above = np.maximum.accumulate(np.where(missing, 0, ranks), axis=1)
    below = np.where(missing, np.iinfo(ranks.dtype).max, ranks)[:, ::-1]
    below = np.minimum.accumulate(below, axis=1)[:, ::-1]
    inside = np.clip(own_ranks, above, below)
    uneven = np.flatnonzero((inside[:, 1:] < inside[:, :-1]).any(axis=1))
    units = torch.arange(1 + int(inside.max(initial=0)))[:, None, None]
    at_once = max(1, SAMPLES_AT_ONCE // inside.shape[1])
    for first in range(0, len(uneven), at_once):
        traces = uneven[first : first + at_once]
        kept = torch.from_numpy(inside[traces]) == units
        # Live samples outvote all others of their trace.
        votes = torch.from_numpy(np.where(missing[traces], 1.0, inside.shape[1]))
        inside[traces] = _best_ranks(kept * votes, torch.full((len(traces),), inside.shape[1]))
    return inside


def _parts_out_of_order(ranks, deepest):
    """First sample that is out of order in each trace, and the one after the last."""
    shallowest = np.minimum.accumulate(ranks[:, ::-1], axis=1)[:, ::-1]
    unruly = deepest > shallowest
    starts = unruly.argmax(axis=1)
    return starts, unruly.shape[1] - unruly[:, ::-1].argmax(axis=1)


def _order_parts(ranks, starts, stops, scores, order):
    """Put a part of each trace in order, in `ranks`.

    `scores` of the whole traces are a tensor ``(n_traces, n_samples, n_classes)``.
    """
    import torch

    n_units, n_samples = len(order), ranks.shape[1]
    # Samples above and below are kept, so the units of a part must lie between theirs.
    depths = np.arange(n_samples)
    inside = (depths >= starts[:, None]) & (depths < stops[:, None])
    least = torch.from_numpy(np.where(inside, ranks, n_units).min(axis=1, keepdims=True))
    most = torch.from_numpy(np.where(inside, ranks, -1).max(axis=1, keepdims=True))
    lengths = stops - starts
    places = starts[:, None] + depths[: lengths.max()]
    places = torch.from_numpy(np.minimum(places, n_samples - 1))
    best = scores.amax(dim=-1).gather(1, places)

    def of_units():
        for rank, code in enumerate(order):
            part = scores[..., code].gather(1, places).sub_(best).clamp_min_(float(MIN_LOG_SCORE))
            outside = (least > rank) | (most < rank)
            yield part.add_(outside * (n_samples * float(MIN_LOG_SCORE)))

    found = _best_ranks(of_units(), torch.from_numpy(lengths))
    ranks[inside] = found[depths[: lengths.max()] < lengths[:, None]]


def remove_spikes(codes, order, missing=None):
    """Move contacts that jump away from their neighbors for a few traces back to them.

    Where two reflectors are about equally likely, a contact jumps between them from trace to trace,
    especially after scores were averaged along reflectors: on F3, 0.1 to 0.6 % of the traces of
    contacts are then such spikes. They are replaced by the median of 7 traces (0.01 to 0.1 %
    remain, and the mean IoU does not change). Steps, such as at faults, steep dips, and the first
    and last trace are kept.

    Parameters
    ----------
    codes : int array of shape (n_traces, n_samples)
        All traces in order; changed in place.
    order : tuple of int
        Classes from top to bottom.
    missing : bool array of shape (n_traces, n_samples), or None
        Contacts next to missing samples are unknown: they are kept, and do not influence others.

    Returns
    -------
    codes : int array of shape (n_traces, n_samples)
    """
    (n_traces, n_samples), n_units = codes.shape, len(order)
    places = _ranks(order).astype(np.intp)[codes]
    places += n_units * np.arange(n_traces)[:, None]
    thickness = np.bincount(places.ravel(), minlength=n_traces * n_units)
    contacts = thickness.reshape(n_traces, n_units)[:, :-1].cumsum(axis=1)
    known = contacts if missing is None else _known_contacts(contacts, missing)
    # Mirrored at the first and last trace, so that dips continue.
    around = np.pad(
        known, ((SPIKE_TRACES, SPIKE_TRACES), (0, 0)), mode="reflect", reflect_type="odd"
    )
    around = np.lib.stride_tricks.sliding_window_view(around, 2 * SPIKE_TRACES + 1, axis=0)
    if missing is None:
        medians = np.partition(around, SPIKE_TRACES, axis=-1)[..., SPIKE_TRACES]
    else:
        medians = _medians_of_most(around)
    away = np.nan_to_num(np.abs(known - medians))
    spikes = away > SPIKE_SAMPLES
    if spikes.any():  # at the crest of a steep fold, a contact also lies away
        steps = np.nan_to_num(np.diff(around[spikes], axis=-1))
        sides = steps[:, : SPIKE_TRACES - 1], steps[:, SPIKE_TRACES + 1 :]
        # If all steps of a side go one way, its slope is that of the smallest step.
        slopes = [np.maximum(side.min(-1), 0) + np.maximum(-side.max(-1), 0) for side in sides]
        spikes[spikes] = away[spikes] > SPIKE_SAMPLES + SPIKE_TRACES * np.minimum(*slopes)
    traces = np.flatnonzero(spikes.any(axis=1))
    if traces.size:
        own = np.where(spikes[traces], medians[traces], contacts[traces])
        own = np.maximum.accumulate(own, axis=1)  # a contact may have moved below the next
        ranks = (np.arange(n_samples)[:, None] >= own[:, None]).sum(axis=-1)
        codes[traces] = np.asarray(order)[ranks]
    return codes


def _known_contacts(contacts, missing):
    """Contacts as floats, NaN where the sample above or below is missing."""
    edged = np.pad(missing, ((0, 0), (1, 1)), mode="edge")
    beside = edged[:, :-1] | edged[:, 1:]  # for a contact above sample n: samples n - 1 and n
    return np.where(np.take_along_axis(beside, contacts, axis=1), np.nan, contacts)


def _medians_of_most(around):
    """Medians along the last axis, ignoring NaN; NaN where fewer than half are known."""
    n_known = np.count_nonzero(~np.isnan(around), axis=-1)[..., None]
    medians = np.take_along_axis(np.sort(around, axis=-1), np.maximum(n_known - 1, 0) // 2, axis=-1)
    return np.where(2 * n_known > around.shape[-1], medians, np.nan)[..., 0]


def best_ranks(scores):
    """Non-decreasing ranks (n_traces, n_samples) with the largest sum of scores.

    Let ``best[n]`` be the best sum over the first n samples with the units so far. With one more
    unit from sample m on, it is the maximum over m of ``best[m] + total[n] - total[m]``, where
    ``total`` is the cumulative score of that unit. This takes one running maximum per unit, not
    one per sample. A unit may be absent (m = n).

    Parameters
    ----------
    scores : float32 array of shape (n_traces, n_samples, n_units)
        Units from top to bottom.
    """
    import torch

    scores = torch.from_numpy(scores).permute(2, 0, 1)
    return _best_ranks(scores, torch.full(scores.shape[1:2], scores.shape[2]))


def _best_ranks(scores, lengths):
    """`best_ranks` of the first samples of traces, from the scores of one unit after the other."""
    import torch
    from torch.nn import functional

    best, tops = None, []
    for own in scores:  # those of one unit stay in the cache of the processor
        total = functional.pad(own.cumsum(dim=1), (1, 0))
        if best is None:
            best = total
            continue
        best, top = torch.cummax(best.sub_(total), dim=1)
        tops.append(top)
        best += total
    begins = torch.zeros(best.shape, dtype=torch.int32)  # units by first sample
    stop = lengths[:, None]
    one = torch.ones_like(stop, dtype=torch.int32)
    for top in reversed(tops):
        stop = top.gather(1, stop)
        begins.scatter_add_(1, stop, one)
    return torch.cumsum(begins[:, :-1], dim=1, dtype=torch.int32).numpy()


def _ranks(order):
    ranks = np.empty(len(order), dtype=np.int8 if len(order) < 128 else np.int32)
    ranks[list(order)] = np.arange(len(order))
    return ranks
