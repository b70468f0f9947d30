"""Synthetic surveys that differ from F3, and from each other, in one thing each."""

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from skfacies.datasets import _synthetic, make_facies_cube

#: Inlines that are interpreted, and inlines to predict, in surveys of 64 inlines.
TRAIN, TEST = (0, 12, 24, 36), (6, 18, 30, 44, 56)

N_INLINES, N_CROSSLINES = 64, 160


def stacked(n_samples, thickness, *, fold=0.04, dip=0.0, noise=0.25, period=6.25, seed=0):
    """Amplitudes and labels of units of given thickness.

    `thickness` is a function of (inline, crossline), both from 0 to 1, that returns the relative
    thickness of each unit; it may be 0. `dip` is in samples from the first crossline to the last.
    """
    shape = (N_INLINES, N_CROSSLINES, n_samples)
    rng = np.random.default_rng(1000 + seed)
    inline, crossline = np.meshgrid(*(np.linspace(0, 1, n) for n in shape[:2]), indexing="ij")
    shares = [np.broadcast_to(share, shape[:2]) for share in thickness(inline, crossline)]
    contacts = n_samples * np.cumsum(shares, axis=0)[:-1] / np.sum(shares, axis=0)
    relief = gaussian_filter(rng.standard_normal(shape[:2]), 14, mode="nearest")
    relief *= fold * n_samples / np.abs(relief).max()
    contacts = np.clip(contacts + relief + dip * (crossline - 0.5), 1.5, n_samples - 2.5)
    contacts = contacts.astype(np.float32)
    units = _synthetic.draw_units(contacts, shape, period, rng)
    data, target = np.empty(shape, np.float32), np.empty(shape, np.int8)
    for inlines in _synthetic.slabs(shape):
        data[inlines] = _synthetic.make_signal(inlines, shape, contacts, [], units, period)
        target[inlines] = _synthetic.labels_between(contacts[:, inlines], n_samples)
    _synthetic.finish_amplitudes(data, np.zeros(shape[:2], bool), noise, period, rng)
    return data, target


def usual(seed, n_samples=192, n_facies=6, **options):
    """A survey of `make_facies_cube`."""
    shape = (N_INLINES, N_CROSSLINES, n_samples)
    cube = make_facies_cube(shape, n_facies, random_state=200 + seed, **options)
    return cube.data, cube.target


# --- the families --------------------------------------------------------------------------------


def flat(seed):
    """Eight flat units."""
    return stacked(256, lambda i, x: (3, 2, 1.5, 1, 2.5, 1.5, 2, 3), fold=0.015, seed=seed)


def thin(seed):
    """Eight flat units, two of them 12 and 18 samples thick, of 1024; clipped 8-bit amplitudes."""
    thickness = (220, 180, 140, 12, 18, 150, 150, 154)
    data, target = stacked(1024, lambda i, x: thickness, fold=0.015, period=9, seed=seed)
    return to_bytes(data), target


def steep(seed):
    """Strata that dip by one sample from trace to trace."""
    return stacked(320, lambda i, x: (4, 1, 1, 1, 1, 4), dip=150, seed=seed)


def wedges(seed):
    """Units that pinch out, or onlap the unit below, to either side."""

    def thickness(i, x):
        return 2, np.clip(1.6 - 3 * x, 0, 1), 1.2, np.clip(3 * x - 1.4, 0, 1), 1.5 - i, 2

    return stacked(224, thickness, seed=seed)


def beside(seed):
    """Two units side by side in the same depth, between units above and below."""

    def thickness(i, x):
        left = np.clip(20 * (0.5 + 0.2 * (i - 0.5) - x), 0, 1)
        return 2, 1, 1.5 * left, 1.5 * (1 - left), 1, 2

    return stacked(192, thickness, seed=seed)


def to_bytes(data, clip=1.2):
    """Amplitudes in 8 bits, strongly clipped."""
    return np.round(np.clip(data / clip, -1, 1) * 127).astype(np.int8)


def clipped(seed):
    """Strongly clipped amplitudes in 8 bits."""
    data, target = usual(seed)
    return to_bytes(data), target


def noisy(seed):
    """As much noise as signal."""
    return usual(seed, noise=1.0)


def low_frequency(seed):
    """Half of the usual dominant frequency."""
    return usual(seed, peak_frequency=20.0)


def high_frequency(seed):
    """Twice the usual dominant frequency."""
    return usual(seed, peak_frequency=80.0)


def uneven(seed):
    """Amplitudes that fall by two thirds, and wavelets that get longer, across the survey."""
    data, target = usual(seed)
    place = np.linspace(0, 1, data.shape[0], dtype=np.float32)[:, None, None]
    place = (place + np.linspace(0, 1, data.shape[1], dtype=np.float32)[None, :, None]) / 2
    smooth = gaussian_filter1d(data, 1.2, axis=2)
    return ((1 - place) * data + place * smooth) * np.exp(-1.1 * place), target


def dead(seed):
    """A seventh of the traces without data."""
    return usual(seed, dead_traces=0.15)


def short(seed):
    """Traces of 100 samples, three units."""
    return usual(seed, n_samples=100, n_facies=3)


def long(seed):
    """Traces of 2000 samples, fifteen units."""
    return usual(seed, n_samples=2000, n_facies=15, peak_frequency=20.0)


FAMILIES = {
    "flat": flat,
    "thin units": thin,
    "steep": steep,
    "wedges": wedges,
    "side by side": beside,
    "clipped": clipped,
    "noisy": noisy,
    "low frequency": low_frequency,
    "high frequency": high_frequency,
    "uneven": uneven,
    "dead traces": dead,
    "short": short,
    "long": long,
}
