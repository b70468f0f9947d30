"""Sections on their way into the network: pieces, crops, scaling, padding."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from skfacies._nn.network import SIZE_MULTIPLE
from skfacies._sections.scaler import AmplitudeScaler, scale_section
from skfacies._sections.sections import IGNORED
from skfacies._sections.survey_scale import amplitude_level
from skfacies._sections.undefined import dead_samples, undefined_amplitudes
from skfacies._sections.validation import section_shape

__all__ = [
    "BatchBuilder",
    "Conditioner",
    "SectionDataset",
    "SimilarSizeSampler",
    "pad_to_multiple",
    "worth_masking",
]

#: Part of a section that may be dead without a mask. Masking costs a quarter of the time to train
#: and half of the time to predict, and so few samples hardly change the statistics.
FEW_DEAD = 0.05

#: Draws of a crop until one holds a label, in sections that are labeled in part.
MAX_DRAWS = 8


@dataclass(frozen=True)
class Conditioner:
    """Amplitudes of one section to input channels, the same in training and prediction.

    Parameters
    ----------
    scaler : transformer or None
        Fitted; its `transform` takes sections.
    depth_range : int or None
        Number of samples from the top that the depth channel maps to [-1, 1]; None: no channel.
    n_amplitudes : int, default=1
        Channels of the sections.
    levels : list of lists or None, default=None
        One for each of the first channels: is given the `amplitude_level` of each scaled section.
    """

    scaler: object
    depth_range: int | None
    n_amplitudes: int = 1
    levels: list | None = None

    @property
    def n_channels(self):
        return self.n_amplitudes + (self.depth_range is not None)

    def __call__(self, section, first_sample=0):
        """Channels of a section in float32, and masks of samples that it lacks.

        Returns
        -------
        channels : array of shape (n_channels, n_traces, n_samples)
            Dead samples are 0.
        missing, dead : bool arrays of shape (n_traces, n_samples), or None if there are none
            What is undefined in the section itself, its first channel; and that with dead traces
            and mutes.
        """
        section = np.asarray(section)
        section = section[None] if section.ndim == 2 else np.moveaxis(section, -1, 0)
        if self.scaler is None:
            amplitudes = section.astype(np.float32)
        elif type(self.scaler) is AmplitudeScaler:  # sections have been checked before
            amplitudes = scale_section(self.scaler, section, channels=0)
        else:
            amplitudes = np.asarray(self.scaler.transform(section), dtype=np.float32)
        dead = [dead_samples(channel) for channel in section]
        if any(own is not None for own in dead):
            amplitudes = amplitudes.copy()  # it may be the user's
        for channel, own in zip(amplitudes, dead, strict=True):
            if own is not None:
                channel[own] = 0
        missing = None if dead[0] is None else undefined_amplitudes(section[0])
        if self.levels is not None:
            for levels, channel in zip(self.levels, amplitudes, strict=False):
                levels.append(amplitude_level(channel))
        if self.depth_range is None:
            return amplitudes, missing, dead[0]
        depth = np.arange(first_sample, first_sample + section.shape[2], dtype=np.float32)
        depth *= np.float32(2.0 / max(self.depth_range - 1, 1))
        depth -= np.float32(1.0)
        channels = np.concatenate([amplitudes, np.broadcast_to(depth, section[:1].shape)])
        return channels, missing, dead[0]


class SectionDataset(Dataset):
    """Runs of traces as ``(channels, codes, weights, dead)``; crops are drawn anew each time.

    Parameters
    ----------
    sections : Sections
    runs : list with attributes section, start, stop
        Which traces of which section.
    conditioner : Conditioner
    crop_size : tuple (n_traces or None, n_samples or None), default=(None, None)
        None takes all.
    random_state : numpy Generator or None
        Draws the crops.
    """

    def __init__(self, sections, runs, conditioner, crop_size=(None, None), random_state=None):
        self.sections, self.conditioner = sections, conditioner
        self.crop_size, self.random_state = crop_size, random_state
        self.items = [run for run in runs for _ in range(self._n_crops(run))]
        #: Items that an epoch takes, at random.
        self.n_per_epoch = len(self.items)

    def _whole(self, run):
        return run.stop - run.start, section_shape(self.sections.X, run.section)[1]

    def _n_crops(self, run):
        """How many crops cover a run about once."""
        ratios = [
            size / crop
            for size, crop in zip(self._whole(run), self.crop_size, strict=True)
            if crop is not None
        ]
        return int(np.prod([max(1, round(ratio)) for ratio in ratios], dtype=int))

    def shape(self, item):
        """Shape ``(n_traces, n_samples)`` of an item."""
        whole = self._whole(self.items[item])
        return tuple(min(s, c or s) for s, c in zip(whole, self.crop_size, strict=True))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, item):
        run, shape = self.items[item], self.shape(item)
        for _ in range(MAX_DRAWS):
            first, window = self._draw_window(run, shape)
            codes = self.sections.codes(run.section, window)
            if shape == self._whole(run) or (codes != IGNORED).any():
                break
        channels, missing, dead = self.conditioner(self.sections.X[run.section][window], first)
        if missing is not None:
            codes[missing] = IGNORED
        return channels, codes, self.sections.weights_of(run.section, window, shape), dead

    def _draw_window(self, run, shape):
        """First sample and slices of a crop at random."""
        first_trace, first_sample = (
            int(self.random_state.integers(size - part + 1)) if size > part else 0
            for size, part in zip(self._whole(run), shape, strict=True)
        )
        first_trace += run.start
        return first_sample, (
            slice(first_trace, first_trace + shape[0]),
            slice(first_sample, first_sample + shape[1]),
        )


class SimilarSizeSampler(Sampler):
    """Batches of items of similar shape in random order, so that little is spent on padding.

    Equal shapes give plain shuffled batches.
    """

    def __init__(self, dataset, batch_size, generator, shuffle=True):
        self.dataset, self.batch_size = dataset, batch_size
        self.generator, self.shuffle = generator, shuffle

    def __len__(self):
        return -(-self.dataset.n_per_epoch // self.batch_size)

    def __iter__(self):
        n_items = self.dataset.n_per_epoch
        order = np.arange(n_items)
        if self.shuffle:
            order = torch.randperm(len(self.dataset), generator=self.generator).numpy()[:n_items]
        n_traces, n_samples = np.array([self.dataset.shape(item) for item in order]).T
        order = order[np.lexsort((n_traces, n_samples))]
        batches = [order[i : i + self.batch_size] for i in range(0, n_items, self.batch_size)]
        if self.shuffle:
            turns = torch.randperm(len(batches), generator=self.generator).tolist()
            batches = [batches[i] for i in turns]
        yield from (batch.tolist() for batch in batches)


class BatchBuilder:
    """Collate function: pads items to one shape, makes tensors, augments them.

    Parameters
    ----------
    multiple : int, default=SIZE_MULTIPLE
        Both axes are padded at their end to a multiple of this.
    augmentation : Augmentation or None, default=None
    """

    def __init__(self, multiple=SIZE_MULTIPLE, augmentation=None):
        self.multiple, self.augmentation = multiple, augmentation

    def __call__(self, items):
        all_channels, all_codes, all_weights, all_dead = zip(*items, strict=True)
        all_dead = [worth_masking(dead) for dead in all_dead]
        shape = [
            _ceil_to(max(codes.shape[axis] for codes in all_codes), self.multiple)
            for axis in (0, 1)
        ]
        channels = torch.from_numpy(np.stack([_pad(x, shape) for x in all_channels]))
        codes = _filled(all_codes, shape, torch.long, IGNORED)
        weights = dead = None
        if all_weights[0] is not None:
            weights = _filled(all_weights, shape, torch.float32, 0)
        if any(own is not None for own in all_dead):
            dead = [
                np.zeros(codes.shape, np.float32) if own is None else own.astype(np.float32)
                for own, codes in zip(all_dead, all_codes, strict=True)
            ]
            dead = torch.from_numpy(np.stack([_pad(own, shape) for own in dead]))
        if self.augmentation is not None:
            channels, codes, weights, dead = self.augmentation(channels, codes, weights, dead)
        return (
            channels if dead is None else {"amplitudes": channels, "dead": dead},
            codes if weights is None else {"codes": codes, "weights": weights},
        )


def worth_masking(dead):
    """The mask of dead samples, or None where these are too few to matter."""
    return None if dead is None or dead.mean() <= FEW_DEAD else dead


def _filled(arrays, shape, dtype, fill):
    """Tensor of arrays (n_traces, n_samples) in one larger shape."""
    result = torch.full((len(arrays), *shape), fill, dtype=dtype)
    for own, array in zip(result, arrays, strict=True):
        own[: array.shape[0], : array.shape[1]] = torch.from_numpy(np.array(array))
    return result


def pad_to_multiple(channels, multiple):
    """Mirror ``(..., n_traces, n_samples)`` at its end until both axes are a multiple."""
    return _pad(channels, [_ceil_to(size, multiple) for size in channels.shape[-2:]])


def _pad(channels, shape):
    widths = [(0, shape[axis] - channels.shape[-2 + axis]) for axis in (0, 1)]
    if not any(width for _, width in widths):
        return channels
    # Mirrored, at the end and not around: the network learns depth from the top edge. NumPy's
    # "symmetric" goes on mirroring where the pad is larger than the section.
    return np.pad(channels, [(0, 0)] * (channels.ndim - 2) + widths, mode="symmetric")


def _ceil_to(size, multiple):
    return -(-size // multiple) * multiple
