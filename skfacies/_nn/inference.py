"""Prediction of sections, streamed: no more than a batch of probabilities at a time."""

import copy
import threading
from collections import defaultdict
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch.nn import functional

from skfacies._nn.data import pad_to_multiple, worth_masking
from skfacies._nn.network import size_multiple
from skfacies._nn.normalization import normalized_by_section, prior_for
from skfacies._nn.out_of_memory import OutOfMemory, empty_device
from skfacies._nn.speed import freed_memory_kept, prepared_for_prediction
from skfacies._sections.validation import check_finite_section, n_sections
from skfacies._stratigraphy.smoothing import smooth_along_reflectors

__all__ = ["PredictionOptions", "iterate_scores", "prediction_bytes"]

#: Mirrored traces on either side of a section. The network's zero padding then lies outside of it:
#: on two F3 blocks of 70 to 700 traces the mean IoU rises by 0.005 to 0.007 (five models of five).
CONTEXT_TRACES = 16

#: Sections of at least as many traces go without: there the context is an eighth of the work, and
#: few traces are near an end.
MIN_TRACES_WITHOUT_CONTEXT = 192

#: Padded samples that are predicted in one go. Larger batches are no faster on processors.
BATCH_PIXELS = 3 << 18

#: Sections wait for others of their size, as long as they are not more than so many batches.
WAITING_BATCHES = 4

#: Traces that neighboring tiles of a large section share, at most half a tile. A network's view
#: ends at the edge of its tile, so the last TILE_MARGIN traces of a tile are not used. On an F3
#: line of 2804 traces with tiles of 700, labels differ from the whole section's in 6e-5 of the
#: samples; with 128 and 32 traces in 3e-4. Normalized by themselves (`norm_prior`), tiles of 512
#: traces differ in 4e-4 to 2e-3 of the samples of five F3 inlines, and are right as often.
TILE_OVERLAP = 256
TILE_MARGIN = 64


_bytes_per_sample = WeakKeyDictionary()
_measuring = threading.Lock()

#: Padded samples that fit on the device, of networks that have run out of its memory.
_samples_that_fit = WeakKeyDictionary()


@dataclass(frozen=True)
class PredictionOptions:
    """How sections are predicted.

    Parameters
    ----------
    device : str
    probabilities : bool
        Whether scores are probabilities, or else logits or logarithms of probabilities, whichever
        is at hand.
    tta : bool
        Whether probabilities are averaged with those of the mirrored section.
    dip_smoothing : float or None
        Traces over which logits are averaged along reflectors.
    norm_prior : float or None
        Sections of the height of the training's are normalized by their own statistics too, see
        `normalized_by_section`. None: none are.
    heights : tuple (least, most) or None
        Samples of the training sections.
    dead_rows : tuple (top, bottom)
        Dead samples that all traces of training sections began and ended with, at most.
    nan_policy : {"raise", "ignore"}
    memory_limit : int or None
        Bytes for what the network computes; sections that need more are predicted in tiles.
    """

    device: str
    probabilities: bool = True
    tta: bool = False
    dip_smoothing: float | None = None
    norm_prior: float | None = None
    heights: tuple | None = None
    dead_rows: tuple = (0, 0)
    nan_policy: str = "raise"
    memory_limit: int | None = None


@torch.inference_mode()
def iterate_scores(module, X, conditioner, options):
    """Yield ``(index, traces, scores, missing, dead)`` of every section, in no certain order.

    `traces` is a slice; large sections come in several, smaller ones whole. Scores are a float32
    tensor ``(n_classes, n_traces, n_samples)`` on the device. `missing` and `dead` are masks of
    undefined samples, and of those with dead traces and mutes, or None where there are none.
    Sections are padded by themselves and batched with equal ones, so that what else is predicted
    changes nothing.
    """
    module.eval()
    most = np.inf
    if options.memory_limit is not None:
        per_sample = bytes_per_sample(module, conditioner.n_channels, options.device)
        most = options.memory_limit / per_sample
    with freed_memory_kept():
        predictor = _Predictor(
            prepared_for_prediction(module), conditioner.n_channels, options, most, module
        )
        windows = {}
        for index, traces, scores in _stream(predictor, X, conditioner, windows):
            yield from windows[index].in_place(index, traces, scores)
            if traces.stop == windows[index].n_traces:
                del windows[index]


@dataclass(frozen=True)
class _Window:
    """The part of a section that is predicted: dead traces and samples around it are left out.

    Live samples are then predicted as if these were not there. Dead ones get the scores of the
    next that was predicted.
    """

    missing: np.ndarray | None
    dead: np.ndarray | None
    first: int
    last: int
    top: int
    bottom: int
    n_samples: int

    @classmethod
    def around_live(cls, shape, missing, dead, dead_rows):
        """The window of a section; rows stay as many as all training sections had."""
        n_traces, n_samples = shape
        first, last, top, bottom = 0, n_traces, 0, n_samples
        if dead is not None:
            traces, samples = (np.flatnonzero(~dead.all(axis=axis)) for axis in (1, 0))
            if len(traces):
                first, last = int(traces[0]), int(traces[-1]) + 1
                top = max(0, int(samples[0]) - dead_rows[0])
                bottom = min(n_samples, int(samples[-1]) + 1 + dead_rows[1])
        return cls(missing, dead, first, last, top, bottom, n_samples)

    @property
    def n_traces(self):
        return self.last - self.first

    def cut(self, array):
        return array[..., self.first : self.last, self.top : self.bottom]

    def in_place(self, index, traces, scores):
        """Scores of some traces of the window in the place of their section."""
        rows = (self.top, self.n_samples - self.bottom)
        if any(rows):
            scores = functional.pad(scores, rows, mode="replicate")
        start, stop = traces.start + self.first, traces.stop + self.first
        n_all = self.last if self.dead is None else len(self.dead)
        parts = [(start, stop, scores)]
        if start == self.first > 0:
            parts.append((0, start, scores[:, :1].expand(-1, start, -1)))
        if stop == self.last < n_all:
            parts.append((stop, n_all, scores[:, -1:].expand(-1, n_all - stop, -1)))
        for start, stop, own in parts:
            masks = (_part_of(mask, start, stop) for mask in (self.missing, self.dead))
            yield index, slice(start, stop), own, *masks


def _part_of(mask, start, stop):
    """Some traces of a mask; None where it has none of them."""
    part = None if mask is None else mask[start:stop]
    return part if part is not None and part.any() else None


def _stream(predictor, X, conditioner, windows):
    """Scores of sections, in batches or tiles of as many padded samples as fit.

    What lies around the live part of a section is left out, and kept in `windows`.
    """
    options = predictor.options
    waiting, n_waiting = defaultdict(list), 0
    for i in range(n_sections(X)):
        section = np.asarray(X[i])
        check_finite_section(section, i, nan_policy=options.nan_policy)
        channels, missing, dead = conditioner(section)
        window = _Window.around_live(channels.shape[1:], missing, dead, options.dead_rows)
        windows[i], channels = window, window.cut(channels)
        mask = worth_masking(None if dead is None else window.cut(dead))
        if mask is not None:
            channels = np.concatenate([channels, mask[None].astype(np.float32)])
        shape = channels.shape[1:]
        padded = _pad(channels, predictor.multiple)
        if padded[0].size > predictor.most:
            yield from predictor.in_tiles(i, padded, shape)
            continue
        kind = shape, len(channels)
        batch = waiting[kind]
        batch.append((i, padded))
        n_waiting += padded[0].size
        largest = min(BATCH_PIXELS, predictor.most)
        if (len(batch) + 1) * padded[0].size > largest:
            n_waiting -= len(batch) * padded[0].size
            yield from predictor.whole(waiting.pop(kind), shape)
        elif n_waiting > WAITING_BATCHES * largest:  # sections of many sizes: no longer
            for other in list(waiting):
                yield from predictor.whole(waiting.pop(other), other[0])
            n_waiting = 0
    for (shape, _), batch in waiting.items():
        yield from predictor.whole(batch, shape)


class _Predictor:
    """Scores of padded sections, in batches of equal ones or in tiles.

    The mask of a section's dead samples comes after its channels, if there are some. `original` is
    the network before it was prepared.
    """

    def __init__(self, module, n_channels, options, most, original):
        self.module, self.n_channels, self.options = module, n_channels, options
        self.multiple = size_multiple(module)
        self._most, self._original = most, original

    @property
    def most(self):
        """Padded samples that are predicted at once."""
        return min(self._most, _samples_that_fit.get(self._original, np.inf))

    def whole(self, batch, shape):
        """Predict a batch of sections of one shape; in halves, if it does not fit on the device."""
        try:
            scores = self._whole(batch, shape)
        except OutOfMemory:
            scores = None
        if scores is not None:
            for row, (index, _) in enumerate(batch):
                yield index, slice(0, shape[0]), scores[row]
            return
        _samples_that_fit[self._original] = len(batch) * batch[0][1][0].size // 2
        empty_device("Prediction", "A smaller `memory_limit` avoids this.")
        middle = len(batch) // 2
        if not middle:
            yield from self.in_tiles(*batch[0], shape)
            return
        for half in (batch[:middle], batch[middle:]):
            yield from self.whole(half, shape)

    def _whole(self, batch, shape):
        channels = np.stack([padded for _, padded in batch])
        options = self.options
        scores = self._scores(channels, options.probabilities or options.tta, shape[1])
        scores = _without_padding(scores, shape)
        if options.tta:
            # Flip the section and not its padding, which must stay at the end.
            flipped = _without_padding(channels, shape)[..., ::-1, :]
            flipped = _pad(np.ascontiguousarray(flipped), self.multiple)
            flipped = _without_padding(self._scores(flipped, True, shape[1]), shape)
            scores = scores + flipped.flip(-2)
            scores = self._as_asked(scores / 2)
        return scores

    def in_tiles(self, index, padded, shape):
        """Predict a section in tiles of all its samples, which are blended where they overlap."""
        mirrored = None
        if self.options.tta:
            # Flip the section and not its padding. Its tiles do not lie where those of the section
            # do, so all of its scores are kept, in half the bytes.
            flipped = _without_padding(padded, shape)[..., ::-1, :]
            flipped = _pad(np.ascontiguousarray(flipped), self.multiple)
            parts = [scores.half() for _, scores in self._blend(flipped, shape)]
            mirrored = torch.cat(parts, dim=-2).flip(-2)
        for traces, scores in self._blend(padded, shape):
            if mirrored is not None:
                scores = (scores + mirrored[:, traces].float()) / 2
            yield index, traces, self._as_asked(scores)

    def _blend(self, padded, shape):
        """Yield (traces, probabilities) of a section from its first trace to the last."""
        n_traces, context = padded.shape[-2], context_of(shape[0])
        width = max(int(self.most / padded.shape[-1]) // self.multiple, 4) * self.multiple
        overlap = min(TILE_OVERLAP, width // 2) // self.multiple * self.multiple
        starts = tile_starts(n_traces, width, overlap)
        blend, done = None, 0
        for start, following in zip(starts, [*starts[1:], n_traces], strict=True):
            tile = padded[None, ..., start : start + width, :]
            scores = self._scores(tile, True, shape[1])[0]
            if blend is not None:  # of the traces that this tile shares with the last one
                n_shared = blend.shape[-2]
                weight = _ramp(n_shared, TILE_MARGIN).to(scores.device)[:, None]
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
        if self.options.probabilities:
            return probabilities
        return probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()

    def _scores(self, channels, probabilities, height):
        channels = torch.from_numpy(np.ascontiguousarray(channels)).to(self.options.device)
        dead = channels[:, self.n_channels] if channels.shape[1] > self.n_channels else None
        channels = channels[:, : self.n_channels]
        options = self.options
        with normalized_by_section(prior_for(height, options.norm_prior, options.heights)):
            logits = self.module(channels) if dead is None else self.module(channels, dead)
        if options.dip_smoothing:
            amplitudes = channels[:, 0]  # of the section itself
            logits = smooth_along_reflectors(logits, amplitudes, options.dip_smoothing, dead=dead)
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
    return CONTEXT_TRACES if n_traces < MIN_TRACES_WITHOUT_CONTEXT else 0


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
