"""Prediction of sections, streamed: no more than a batch of probabilities at a time."""

import copy
import threading
from collections import defaultdict
from weakref import WeakKeyDictionary

import numpy as np
import torch

from skfacies._nn.allocation import freed_memory_kept
from skfacies._nn.data import pad_to_multiple
from skfacies._nn.network import size_multiple
from skfacies._nn.normalization import normalized_by_section, prior_for
from skfacies._nn.prepared import prepared_for_prediction
from skfacies._sections.validation import check_finite_section, n_sections
from skfacies._stratigraphy.smoothing import smooth_along_reflectors

__all__ = ["iterate_scores", "prediction_bytes"]

#: Mirrored traces on either side of a section. The network's zero padding then lies outside of it:
#: on two F3 blocks of 70 to 700 traces the mean IoU rises by 0.005 to 0.007 (five models of five).
CONTEXT = 16

#: Sections of at least as many traces go without: there the context is an eighth of the work, and
#: few traces are near an end.
NARROW = 192

#: Padded samples that are predicted in one go. Larger batches are no faster on processors.
BATCH_PIXELS = 3 << 18

#: Sections wait for others of their size, as long as they are not more than so many batches.
WAITING_BATCHES = 4

#: Traces that neighboring tiles of a large section share, at most half a tile. A network's view
#: ends at the edge of its tile, so it is not asked for the last MARGIN traces. On an F3 line of
#: 2804 traces with tiles of 700, labels differ from the whole section's in 6e-5 of the samples;
#: with 128 and 32 traces in 3e-4. Normalized by themselves (`norm_prior`), tiles of 512 traces
#: differ in 4e-4 to 2e-3 of the samples of five F3 inlines, and are right as often.
OVERLAP = 256
MARGIN = 64


_bytes_per_sample = WeakKeyDictionary()
_measuring = threading.Lock()


@torch.inference_mode()
def iterate_scores(
    module,
    X,
    conditioner,
    *,
    device,
    probabilities=True,
    tta=False,
    dip_smoothing=None,
    norm_prior=None,
    heights=None,
    nan_policy="raise",
    memory_limit=None,
):
    """Yield ``(index, traces, scores, missing)`` of every section, in no certain order.

    `traces` is a slice; large sections come in several, smaller ones whole. Scores are a float32
    tensor ``(n_classes, n_traces, n_samples)`` on the device: probabilities, or else logits or
    logarithms of probabilities, whichever is at hand. Missing is a mask of NaN samples, or None.
    Sections are padded by themselves and batched with equal ones, so that what else is predicted
    changes nothing.

    Parameters
    ----------
    dip_smoothing : float or None
        Traces over which logits are averaged along reflectors.
    norm_prior : float or None
        Sections of the height of the training's are normalized by their own statistics too, see
        `normalized_by_section`. None: none are.
    heights : tuple (least, most) or None
        Samples of the training sections.
    memory_limit : int or None
        Bytes for what the network computes; sections that need more are predicted in tiles.
    """
    module.eval()
    most = np.inf
    if memory_limit is not None:
        most = memory_limit / bytes_per_sample(module, conditioner.n_channels, device)
    with freed_memory_kept():
        module = prepared_for_prediction(module)
        predictor = _Predictor(
            module,
            conditioner.n_channels,
            device,
            probabilities,
            tta,
            dip_smoothing,
            norm_prior,
            heights,
        )
        trimmed = {}
        results = _stream(predictor, X, conditioner, nan_policy, most, trimmed)
        yield from _between_dead_edges(results, trimmed)


def _stream(predictor, X, conditioner, nan_policy, most, trimmed):
    """Scores of sections, in batches or tiles of at most `most` padded samples.

    Dead traces at the edges of a section are left out, and noted in `trimmed`: live ones are
    predicted as if these were not there.
    """
    waiting, n_waiting = defaultdict(list), 0
    for i in range(n_sections(X)):
        section = np.asarray(X[i])
        check_finite_section(section, i, nan_policy=nan_policy)
        channels, missing, dead = conditioner(section)
        if dead is not None:
            live = np.flatnonzero(~dead.all(axis=1))
            if len(live) and live[-1] - live[0] + 1 < len(dead):
                first, last = int(live[0]), int(live[-1]) + 1
                nothing = np.zeros(dead.shape, dtype=bool) if missing is None else missing
                trimmed[i] = first, last, nothing
                channels, dead = channels[:, first:last], dead[first:last]
            if dead.any():
                channels = np.concatenate([channels, dead[None].astype(np.float32)])
        shape = channels.shape[1:]
        missing = None if i in trimmed else missing
        padded = _pad(channels, predictor.multiple)
        if padded[0].size > most:
            yield from predictor.in_tiles(i, padded, shape, missing, most)
            continue
        kind = shape, len(channels)
        batch = waiting[kind]
        batch.append((i, padded, missing))
        n_waiting += padded[0].size
        largest = min(BATCH_PIXELS, most)
        if (len(batch) + 1) * padded[0].size > largest:
            n_waiting -= len(batch) * padded[0].size
            yield from predictor.whole(waiting.pop(kind), shape)
        elif n_waiting > WAITING_BATCHES * largest:  # sections of many sizes: no longer
            for other in list(waiting):
                yield from predictor.whole(waiting.pop(other), other[0])
            n_waiting = 0
    for (shape, _), batch in waiting.items():
        yield from predictor.whole(batch, shape)


def _between_dead_edges(results, trimmed):
    """Scores in the place of their traces; dead traces at the edges have those of the next live."""
    for index, traces, scores, missing in results:
        if index not in trimmed:
            yield index, traces, scores, missing
            continue
        first, last, all_missing = trimmed[index]
        parts = [(traces.start + first, traces.stop + first, scores)]
        if first and traces.start == 0:
            parts.append((0, first, scores[:, :1].expand(-1, first, -1)))
        n_after = len(all_missing) - last
        if n_after and traces.stop + first == last:
            parts.append((last, len(all_missing), scores[:, -1:].expand(-1, n_after, -1)))
        for start, stop, own in parts:
            nothing = all_missing[start:stop]
            yield index, slice(start, stop), own, nothing if nothing.any() else None


class _Predictor:
    """Scores of padded sections, in batches of equal ones or in tiles.

    The mask of a section's dead samples comes after its channels, if there are some.
    """

    def __init__(
        self, module, n_channels, device, probabilities, tta, dip_smoothing, norm_prior, heights
    ):
        self.module, self.n_channels, self.device = module, n_channels, device
        self.probabilities, self.tta = probabilities, tta
        self.dip_smoothing = dip_smoothing
        self.norm_prior, self.heights = norm_prior, heights
        self.multiple = size_multiple(module)

    def whole(self, batch, shape):
        """Predict a batch of sections of one shape."""
        channels = np.stack([padded for _, padded, _ in batch])
        scores = self._scores(channels, self.probabilities or self.tta, shape[1])
        scores = _without_padding(scores, shape)
        if self.tta:
            # Flip the section and not its padding, which must stay at the end.
            flipped = _without_padding(channels, shape)[..., ::-1, :]
            flipped = _pad(np.ascontiguousarray(flipped), self.multiple)
            flipped = _without_padding(self._scores(flipped, True, shape[1]), shape)
            scores = scores + flipped.flip(-2)
            scores = self._as_asked(scores / 2)
        for row, (index, _, missing) in enumerate(batch):
            yield index, slice(0, shape[0]), scores[row], missing

    def in_tiles(self, index, padded, shape, missing, most):
        """Predict a section in tiles of all its samples, which are blended where they overlap."""
        mirrored = None
        if self.tta:
            # Flip the section and not its padding. Its tiles do not lie where those of the section
            # do, so all of its scores are kept, in half the bytes.
            flipped = _without_padding(padded, shape)[..., ::-1, :]
            flipped = _pad(np.ascontiguousarray(flipped), self.multiple)
            parts = [scores.half() for _, scores in self._blend(flipped, shape, most)]
            mirrored = torch.cat(parts, dim=-2).flip(-2)
        for traces, scores in self._blend(padded, shape, most):
            if mirrored is not None:
                scores = (scores + mirrored[:, traces].float()) / 2
            scores = self._as_asked(scores)
            yield index, traces, scores, None if missing is None else missing[traces]

    def _blend(self, padded, shape, most):
        """Yield (traces, probabilities) of a section from its first trace to the last."""
        n_traces, context = padded.shape[-2], context_of(shape[0])
        width = max(int(most / padded.shape[-1]) // self.multiple, 4) * self.multiple
        overlap = min(OVERLAP, width // 2) // self.multiple * self.multiple
        starts = tile_starts(n_traces, width, overlap)
        blend, done = None, 0
        for start, following in zip(starts, [*starts[1:], n_traces], strict=True):
            tile = padded[None, ..., start : start + width, :]
            scores = self._scores(tile, True, shape[1])[0]
            if blend is not None:  # of the traces that this tile shares with the last one
                n_shared = blend.shape[-2]
                weight = _ramp(n_shared, MARGIN).to(scores.device)[:, None]
                scores[:, :n_shared] = weight * scores[:, :n_shared] + (1 - weight) * blend
            stop = min(following, start + width)
            blend = scores[:, following - start :].clone()
            # Padded traces to those of the section.
            first, last = max(done - context, 0), min(stop - context, shape[0])
            done = stop
            if last > first:
                own = slice(first + context - start, last + context - start)
                yield slice(first, last), scores[:, own, : shape[1]]

    def _as_asked(self, probabilities):
        """Probabilities, or their logarithms, which serve as logits."""
        if self.probabilities:
            return probabilities
        return probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()

    def _scores(self, channels, probabilities, height):
        channels = torch.from_numpy(np.ascontiguousarray(channels)).to(self.device)
        dead = channels[:, self.n_channels] if channels.shape[1] > self.n_channels else None
        channels = channels[:, : self.n_channels]
        with normalized_by_section(prior_for(height, self.norm_prior, self.heights)):
            logits = self.module(channels) if dead is None else self.module(channels, dead)
        if self.dip_smoothing:
            amplitudes = channels[:, 0]  # of the section itself
            logits = smooth_along_reflectors(logits, amplitudes, self.dip_smoothing, dead=dead)
        return torch.softmax(logits, dim=1) if probabilities else logits


def tile_starts(n_traces, width, overlap):
    """First traces of tiles; the last is flush with the edge, and all lie on the network's grid.

    `n_traces`, `width` and `overlap` are multiples of the network's; so are the starts. Then a
    tile is pooled as the whole section would be.
    """
    last = max(n_traces - width, 0)
    return [*range(0, last, width - overlap), last]


def _ramp(n_traces, margin):
    """Weights from 0 to 1 that rise smoothly, with `margin` traces of 0 and 1 at the ends."""
    margin = min(margin, n_traces // 4)
    rising = torch.linspace(0, 1, n_traces - 2 * margin + 2)[1:-1]
    rising = rising**2 * (3 - 2 * rising)
    return torch.cat([torch.zeros(margin), rising, torch.ones(margin)])


def bytes_per_sample(module, n_channels, device):
    """Memory that the network takes in prediction, for each sample of its padded input.

    What its layers give on a small section, of which the largest three and the encoder's skip
    connections are alive at the same time. Measured peaks of five networks were 0.5 to 1.6 of it.
    """
    with _measuring:  # threads of Dask share a model
        if module not in _bytes_per_sample:
            # Hooks on a copy: others may be predicting with the module.
            plain = getattr(module, "_orig_mod", module)  # a compiled one has no use for hooks
            measured = _measure_bytes(copy.deepcopy(plain), n_channels, device)
            _bytes_per_sample[module] = measured
        return _bytes_per_sample[module]


def _measure_bytes(module, n_channels, device):
    sizes, skips = [], []

    def note(_, __, output):
        if isinstance(output, torch.Tensor):
            sizes.append(output.nbytes)
        else:  # features of the encoder
            skips.extend(part.nbytes for part in _flatten(output))

    for part in module.modules():
        part.register_forward_hook(note)
    side = 4 * size_multiple(module)
    logits = module(torch.zeros(1, n_channels, side, side, device=device))
    more_inputs = 3 * 4 * (n_channels - 1)  # the section, its padded copy, and a batch of them
    return (3 * max(sizes) + sum(skips) + 2 * logits.nbytes) / side**2 + more_inputs


@torch.inference_mode()
def prediction_bytes(module, conditioner, shape, *, device, memory_limit=None):
    """Memory that the network takes to predict sections ``(n_traces, n_samples)``, about."""
    n_samples = max((shape[0] + 2 * context_of(shape[0])) * shape[1], BATCH_PIXELS)
    needed = n_samples * bytes_per_sample(module.eval(), conditioner.n_channels, device)
    return needed if memory_limit is None else min(needed, memory_limit)


def context_of(n_traces):
    """Mirrored traces on either side of a section."""
    return CONTEXT if n_traces < NARROW else 0


def _flatten(output):
    """Tensors among lists of lists, of which some items may be None."""
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, (list, tuple)):
        for part in output:
            yield from _flatten(part)


def _pad(channels, multiple):
    context = context_of(channels.shape[-2])
    if context:
        sides = [(0, 0)] * (channels.ndim - 2) + [(context, context), (0, 0)]
        channels = np.pad(channels, sides, mode="symmetric")
    return pad_to_multiple(channels, multiple)


def _without_padding(padded, shape):
    context = context_of(shape[0])
    return padded[..., context : context + shape[0], : shape[1]]
