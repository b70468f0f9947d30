"""Random changes of training batches that leave the interpretation right."""

import functools
from numbers import Real

import numpy as np
import torch
from torch.nn import functional

from skfacies._sections.sections import IGNORED

__all__ = ["AUGMENTATION", "Augmentation", "check_augmentation"]

#: Default augmentation; each strength is drawn anew for every crop, and 0 leaves a change out.
AUGMENTATION = {
    "flip": 0.5,
    "gain": 0.3,
    "noise": 0.3,
    "stretch": 0.08,
    "shift": 35.0,
    "dip": 35.0,
    "warp": 35.0,
    "frequency": 0.5,
    "fade": 0.8,
    "cutout": 0.0,
    "polarity": 0.0,
}

#: Keys that are probabilities or parts of a whole; the others may be any finite number from 0 on.
_FRACTIONS = {"flip", "polarity", "cutout"}

#: Displacements are at most this part of the crop's height.
_MAX_SHIFT_FRACTION = 1 / 12

#: Knots, along traces and along samples, of the smooth vertical displacement "warp" and of the
#: smooth change of amplitudes "fade".
_WARP_KNOTS = (4, 5)
_FADE_KNOTS = (4, 6)


def check_augmentation(augment):
    """Check the parameter `augment`: True, False, or a dict of strengths."""
    if not isinstance(augment, dict):
        return
    unknown = sorted(set(augment) - set(AUGMENTATION), key=str)
    if unknown:
        raise ValueError(f"`augment` has unknown keys {unknown}; known are {list(AUGMENTATION)}.")
    for name, strength in augment.items():
        most = 1 if name in _FRACTIONS else np.inf
        if not isinstance(strength, Real) or not (0 <= strength <= most) or strength == np.inf:
            wanted = "from 0 to 1" if name in _FRACTIONS else "a finite number >= 0"
            raise ValueError(f"`augment`[{name!r}] must be {wanted}; got {strength!r}.")


class Augmentation:
    """Random changes that leave the interpretation right, on a whole batch.

    Never a vertical flip: depth order is what distinguishes stacked units.

    Parameters
    ----------
    generator : torch.Generator
    n_amplitudes : int, default=1
        Channels of amplitudes. They move together, and each has noise of its own.
    flip, polarity : float
        Probability of a lateral flip, and of amplitudes of the other sign.
    gain : float
        Largest change of the amplitude's logarithm.
    fade : float
        Largest change of the amplitude's logarithm by a smooth field: parts of a section are
        brighter or dimmer than others, as below gas or at the end of a reflector.
    noise : float
        Largest standard deviation of added white noise, in units of the scaled amplitude.
    stretch : float
        Largest change of the logarithm of the lateral, and of the vertical, scale.
    shift : float
        Largest vertical shift, in samples. This, "dip" and "warp" are cut to a twelfth of the
        crop's height.
    dip : float
        Largest shift of the outermost traces against the middle one, in samples: the section is
        tilted by shearing it.
    warp : float
        Size of a smooth vertical displacement, in samples: units thicken, thin and fold.
    frequency : float
        Largest power of the frequency by which the spectrum is multiplied or divided.
    cutout : float
        Largest height and width of a rectangle of zeros, as a part of the crop's.
    """

    def __init__(self, generator, n_amplitudes=1, **strengths):
        self.generator, self.n_amplitudes = generator, n_amplitudes
        self.strengths = {name: 0.0 for name in AUGMENTATION} | strengths

    def __call__(self, channels, codes, *followers):
        """Return the changed batch; labels and what follows them, such as weights, move with it.

        Channels beyond those of amplitudes tell positions: they stay where they are. Followers may
        be None.
        """
        flipped = self._uniform(len(channels)) < self.strengths["flip"]
        channels, codes, *followers = (_flip(x, flipped) for x in (channels, codes, *followers))
        amplitudes, positions = channels.split_with_sizes(
            [self.n_amplitudes, channels.shape[1] - self.n_amplitudes], dim=1
        )
        if any(self.strengths[name] for name in ("stretch", "shift", "dip", "warp")):
            amplitudes, codes, *followers = self._move(amplitudes, codes, *followers)
        amplitudes = self._change(amplitudes)
        if positions.shape[1]:
            amplitudes = torch.cat([amplitudes, positions], dim=1)
        return amplitudes, codes, *followers

    # --- geometry -----------------------------------------------------------------------------

    def _move(self, amplitudes, codes, *followers):
        """Take every sample from elsewhere; beside the crop it is mirrored, above and below too.

        Labels are mirrored with the traces, but not with the samples: the order of units is right
        in a mirrored trace, and wrong in a mirrored column.
        """
        n_items, n_traces, n_samples = codes.shape
        across, down = self._sources(n_items, n_traces, n_samples)
        outside = (down < -1) | (down > 1)
        grid = torch.stack([down, across], dim=-1)  # grid_sample takes the last axis first
        options = {"padding_mode": "reflection", "align_corners": True}
        amplitudes = functional.grid_sample(amplitudes, grid, mode="bilinear", **options)
        there = [k for k, follower in enumerate(followers) if follower is not None]
        labels = torch.stack([codes.float(), *(followers[k] for k in there)], dim=1)
        codes_moved, *moved = functional.grid_sample(
            labels, grid, mode="nearest", **options
        ).unbind(1)
        codes = codes_moved.to(codes.dtype)
        codes[outside] = IGNORED
        followers = list(followers)
        for k, follower in zip(there, moved, strict=True):
            followers[k] = follower.masked_fill(outside, 0.0)
        return amplitudes, codes, *followers

    def _sources(self, n_items, n_traces, n_samples):
        """Where samples come from, along traces and along samples, in units of -1 … 1."""
        strength = self.strengths
        across = torch.linspace(-1, 1, n_traces).view(1, -1, 1)
        down = torch.linspace(-1, 1, n_samples).view(1, 1, -1)
        lateral, vertical = (
            torch.exp(self._both_ways(n_items) * strength["stretch"]) for _ in range(2)
        )
        largest = {
            name: min(2 * strength[name] / n_samples, 2 * _MAX_SHIFT_FRACTION)
            for name in ("shift", "dip", "warp")
        }
        shift = self._both_ways(n_items) * largest["shift"]
        tilt = self._both_ways(n_items) * largest["dip"]
        sources = down * vertical + shift + tilt * across
        if largest["warp"]:
            sources += self._smooth_field(_WARP_KNOTS, sources.shape, largest["warp"])
        return (across * lateral).expand(n_items, n_traces, n_samples), sources

    # --- amplitudes ---------------------------------------------------------------------------

    def _change(self, amplitudes):
        strength, n_items = self.strengths, len(amplitudes)
        if strength["fade"]:
            field = self._smooth_field(_FADE_KNOTS, amplitudes[:, 0].shape, strength["fade"])
            amplitudes = amplitudes * torch.exp(field)[:, None]
        if strength["frequency"]:
            amplitudes = self._filter(amplitudes)
        if strength["gain"]:
            gain = torch.exp(self._both_ways(n_items) * strength["gain"])
            amplitudes = amplitudes * gain[..., None]
        if strength["polarity"]:
            other = self._uniform(n_items) < strength["polarity"]
            amplitudes = torch.where(other.view(-1, 1, 1, 1), -amplitudes, amplitudes)
        if strength["noise"]:
            largest = (self._uniform(n_items) * strength["noise"]).view(-1, 1, 1, 1)
            noise = torch.randn(amplitudes.shape, generator=self.generator)
            amplitudes = torch.addcmul(amplitudes, largest, noise)
        if strength["cutout"]:
            amplitudes = self._cut_out(amplitudes)
        return amplitudes

    def _filter(self, amplitudes):
        """Tilt the spectrum along samples; each section keeps its mean square."""
        spectrum = torch.fft.rfft(amplitudes, dim=-1)
        octaves = torch.log2(torch.arange(1, spectrum.shape[-1] + 1) / spectrum.shape[-1]) + 2
        power = self._both_ways(len(amplitudes)) * self.strengths["frequency"]
        filtered = torch.fft.irfft(
            spectrum * torch.exp2(power.view(-1, 1, 1, 1) * octaves.clamp(-3, 2)),
            n=amplitudes.shape[-1],
            dim=-1,
        )
        before, after = (x.square().mean((1, 2, 3), keepdim=True) for x in (amplitudes, filtered))
        return filtered * torch.sqrt(before / after.clamp_min(1e-12))

    def _cut_out(self, amplitudes):
        n_items, _, n_traces, n_samples = amplitudes.shape
        amplitudes = amplitudes.clone()
        for item in range(n_items):
            parts, places = self._uniform(2) * self.strengths["cutout"], self._uniform(2)
            width, height = int(parts[0] * n_traces), int(parts[1] * n_samples)
            trace = int(places[0] * (n_traces - width + 1))
            sample = int(places[1] * (n_samples - height + 1))
            amplitudes[item, :, trace : trace + width, sample : sample + height] = 0.0
        return amplitudes

    # --- chance -------------------------------------------------------------------------------

    def _uniform(self, n):
        return torch.rand(n, generator=self.generator)

    def _both_ways(self, n):
        return (2 * self._uniform(n) - 1).view(-1, 1, 1)

    def _smooth_field(self, knots, shape, largest):
        """Smooth fields of a shape (n_items, n_traces, n_samples), each of a size of its own."""
        values = 2 * torch.rand(shape[0], *knots, generator=self.generator) - 1
        values *= largest * self._uniform(shape[0]).view(-1, 1, 1)
        along_samples = values @ _cubic_weights(knots[1], shape[2])
        return _cubic_weights(knots[0], shape[1]).T @ along_samples


@functools.lru_cache(maxsize=32)
def _cubic_weights(n_knots, n):
    """Weights (n_knots, n) of the knots of a cubic interpolation at n places along an axis."""
    knots = torch.eye(n_knots)[None, None]
    size = (n_knots, n)
    return functional.interpolate(knots, size, mode="bicubic", align_corners=True)[0, 0]


def _flip(values, flipped):
    """Mirror the traces of some items; in a copy, if there are any."""
    if values is None or not flipped.any():
        return values
    values = values.clone()
    values[flipped] = values[flipped].flip(-2)
    return values
