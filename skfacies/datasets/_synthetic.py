"""How a synthetic survey is made: folded and faulted contacts, beds in styles, reflections, noise.

`skfacies.datasets.make_facies_cube` checks parameters and puts these parts together. Axes are
(inline, crossline, sample); depths and thicknesses are in samples, the wavelet's period too.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.ndimage import convolve1d

__all__ = [
    "draw_dead_traces",
    "draw_geometry",
    "draw_units",
    "finish_amplitudes",
    "labels_between",
    "make_signal",
    "slabs",
]


# --- geometry: contacts and faults -----------------------------------------------------------


class _RandomField:
    """A smooth random function of any number of coordinates: mean 0, variance 1, no grid.

    `lengths` are correlation lengths, one for each coordinate. Being a function of position, it
    gives the same value wherever a slab begins.
    """

    def __init__(self, rng, *lengths, n_waves=12):
        self.waves = (rng.standard_normal((n_waves, len(lengths))) / lengths).astype(np.float32)
        self.phases = rng.uniform(0, 2 * np.pi, n_waves).astype(np.float32)

    def __call__(self, *coordinates):
        total = np.zeros(np.broadcast_shapes(*(np.shape(c) for c in coordinates)), np.float32)
        for wave, phase in zip(self.waves, self.phases, strict=True):
            angle = phase
            for k, coordinate in zip(wave, coordinates, strict=True):
                angle = angle + k * coordinate
            total += np.cos(angle)
        return total * np.float32(np.sqrt(2 / len(self.phases)))


def _map_coordinates(shape, inlines=slice(None)):
    """Inline and crossline numbers that broadcast to a map, as float32."""
    n_inlines, n_crosslines = shape[:2]
    i = np.arange(n_inlines, dtype=np.float32)[inlines, None]
    x = np.arange(n_crosslines, dtype=np.float32)[None, :]
    return i, x


def draw_geometry(shape, n_facies, n_faults, fold, rng):
    """Contacts before faulting, faults, and the horizons that both make together."""
    for _ in range(50):
        contacts = _draw_contacts(shape, n_facies, fold, rng)
        faults = _draw_faults(shape, n_faults, rng)
        horizons = np.empty_like(contacts)
        for inlines in slabs(shape):
            horizons[:, inlines] = _make_horizons(inlines, shape, contacts, faults)
        # In a cube of a few traces, faults may cut a unit out of all of them: try again.
        firsts = np.ceil(horizons).reshape(n_facies - 1, -1)
        thickness = np.diff(firsts, axis=0, prepend=0, append=shape[2])
        if (thickness > 0).any(axis=1).all():
            return contacts, faults, horizons
    raise ValueError(
        f"`n_faults`={n_faults} cut a facies out of all traces of a cube of shape {shape}, in each "
        "of 50 attempts. Ask for fewer faults or facies, or for more traces."
    )


def _draw_contacts(shape, n_facies, fold, rng):
    """Depth of the contacts before faulting, (n_facies - 1, n_inlines, n_crosslines)."""
    n_inlines, n_crosslines, n_samples = shape
    i, x = _map_coordinates(shape)
    # Undulations are as wide as the survey allows, but in a small survey with long traces they
    # would be too steep to follow from trace to trace: hence the lower limits.
    lengths = max(0.35 * n_inlines, 0.2 * n_samples), max(0.25 * n_crosslines, 0.2 * n_samples)
    widest_wedge = 1.2 * min(1, n_crosslines / (0.75 * n_samples))

    shares = np.empty((n_facies, n_inlines, n_crosslines), np.float32)
    for share in shares:
        wedge = rng.uniform(-widest_wedge, widest_wedge) * (x / n_crosslines - 0.5)
        undulation = 0.5 * _RandomField(rng, *lengths)(i, x)
        share[:] = rng.uniform(0.8, 1.25) * np.exp(undulation + wedge)
    # The outermost units have the margins as well, which the folds move about in.
    shares[[0, -1]] *= 0.4
    shares /= shares.sum(axis=0)

    structure = _RandomField(rng, *lengths)(i, x)
    structure -= (structure.max() + structure.min()) / 2
    structure /= max(np.abs(structure).max(), 1.5)
    growth = np.linspace(0.6, 1.0, n_facies - 1, dtype=np.float32)[:, None, None]
    margin = 0.02 + fold
    depth = margin + (1 - 2 * margin) * np.cumsum(shares[:-1], axis=0) + fold * growth * structure
    return (n_samples * depth).astype(np.float32)


class _Fault(NamedTuple):
    """A normal fault; lengths in traces and samples."""

    crossline: float  # where it meets the top of the cube, on the middle inline
    strike: float  # crosslines per inline
    heave: float  # crosslines between top and bottom of the cube; its sign is the dip direction
    throw: float
    reach: float  # distance in crosslines over which the displacement fades
    bend: _RandomField


def _draw_faults(shape, n_faults, rng):
    n_inlines, n_crosslines, n_samples = shape
    side = int(rng.choice([-1, 1]))  # they dip alike, so that their planes do not cross
    # Spread over the cube: faults on top of each other would add up to one large throw.
    places = (np.arange(n_faults) + rng.uniform(0.2, 0.8, n_faults)) / max(n_faults, 1)
    strike = rng.uniform(-0.4, 0.4) * n_crosslines / n_inlines
    return [
        _Fault(
            crossline=(0.05 + 0.9 * float(place)) * n_crosslines,
            strike=strike + rng.uniform(-0.1, 0.1) * n_crosslines / n_inlines,
            heave=side * rng.uniform(0.12, 0.25) * n_crosslines,
            throw=rng.uniform(0.05, 0.08) * n_samples,
            reach=0.6 * n_crosslines / (n_faults + 1),
            bend=_RandomField(rng, 0.2 * n_inlines, n_waves=4),
        )
        for place in places
    ]


def _restore(inlines, shape, faults):
    """Depth of each sample before faulting, (n_inlines of the slab, n_crosslines, n_samples).

    It increases downwards on every trace: above the plane of a normal fault is its hanging wall,
    which has moved down, so that a trace which crosses the plane jumps to deeper layers.
    """
    n_inlines, n_crosslines, n_samples = shape
    i, x = _map_coordinates(shape, inlines)
    z = np.arange(n_samples, dtype=np.float32)
    depth = np.broadcast_to(z, (i.size, n_crosslines, n_samples)).copy()
    below_top = z / n_samples
    growth = np.clip((below_top - 0.08) / 0.3, 0, 1)  # the fault tip: no throw near the top
    growth = growth * growth * (3 - 2 * growth)
    for fault in faults:
        trace = fault.crossline + fault.strike * (i - n_inlines / 2)
        trace = trace + 0.02 * n_crosslines * fault.bend(i)
        # Listric: the plane flattens downwards.
        plane = trace[..., None] + fault.heave * (0.7 * below_top + 0.3 * below_top**2)
        distance = math.copysign(1, fault.heave) * (x[..., None] - plane)
        shift = np.exp(np.abs(distance) * np.float32(-1 / fault.reach))
        shift *= np.float32(fault.throw / 2) * growth
        depth -= np.copysign(shift, distance)
    return depth


def _faulted_contacts(inlines, depth, contacts):
    """Contacts of a slab, kept within what its traces reach, so that every trace has them all."""
    return np.clip(contacts[:, inlines], depth[..., 0] + 0.5, depth[..., -1] - 0.5)


def _make_horizons(inlines, shape, contacts, faults):
    """Depth in samples at which each trace reaches each contact."""
    depth = _restore(inlines, shape, faults)
    horizons = []
    for contact in _faulted_contacts(inlines, depth, contacts):
        first = (depth < contact[..., None]).sum(axis=-1, keepdims=True)  # first sample below
        below = np.take_along_axis(depth, first, -1)[..., 0]
        above = np.take_along_axis(depth, first - 1, -1)[..., 0]
        # Less than a whole sample up, or rounding could hand the sample above to the unit.
        rise = np.minimum((below - contact) / (below - above), 0.99)
        horizons.append(first[..., 0] - rise)
    return np.asarray(horizons, np.float32)


def labels_between(horizons, n_samples):
    z = np.arange(n_samples, dtype=np.float32)
    return sum((horizon[..., None] <= z).astype(np.int8) for horizon in horizons)


def draw_dead_traces(shape, fraction, rng):
    """Choose traces in patches that prefer the edge, and leave one alive."""
    i, x = _map_coordinates(shape)
    i, x = (i + 0.5) / shape[0], (x + 0.5) / shape[1]
    inside = np.minimum(np.minimum(i, 1 - i), np.minimum(x, 1 - x))
    life = 4 * inside + _RandomField(rng, 0.15, 0.15)(i, x)
    life += 0.1 * rng.standard_normal(shape)
    dead = np.zeros(shape, bool)
    n_dead = min(round(fraction * life.size), life.size - 1)
    dead.flat[np.argsort(life, axis=None)[:n_dead]] = True
    return dead


# --- reflections -----------------------------------------------------------------------------


class _Style(NamedTuple):
    """How the reflections of a unit look; vertical lengths are in wavelet periods."""

    gain: float  # strength of the impedance contrasts between its beds
    bed: float  # mean thickness of a bed
    blur: float  # how gradual the passage from bed to bed is
    follows: str  # what the bedding is parallel to: "top", "base", or "both" (fans out)
    warp: float = 0.1  # height of the undulations of the bedding
    warp_size: tuple = (25.0, 4.0)  # of the undulations: lateral, in traces, and vertical
    patch: float = 0.15  # relative change of the gain from place to place
    patch_size: tuple = (20.0, 2.0)
    progrades: bool = False


# Neighbors in this order differ in more than strength, so that scaling the amplitudes does not
# merge two units.
_STYLES = {
    "parallel": _Style(0.9, 0.45, 0.05, "base"),
    "chaotic": _Style(1.2, 0.45, 0.05, "base", 0.6, (4.0, 0.9), 0.5, (4.0, 0.6)),
    "clinoform": _Style(1.0, 0.45, 0.05, "both", progrades=True),
    "transparent": _Style(0.1, 0.4, 0.05, "both"),
    "low-frequency": _Style(2.6, 1.0, 0.25, "top"),
    "hummocky": _Style(0.7, 0.45, 0.05, "top", 0.4, (5.0, 1.5), 0.3, (8.0, 1.0)),
    "thin-bedded": _Style(1.0, 0.2, 0.02, "both"),
    "discontinuous": _Style(0.6, 0.45, 0.05, "base", 0.15, (12.0, 2.0), 1.3, (6.0, 0.4)),
}
_LOG_STEP = 0.125  # samples between the nodes of an impedance log
_LOG_NODES = 8192  # a power of two: logs repeat, and wrapping is a bit mask


class _Unit(NamedTuple):
    name: str
    style: _Style
    thickness: float  # mean, in samples
    log: np.ndarray  # impedance against stratigraphic depth
    warp: _RandomField
    patch: _RandomField
    azimuth: float  # direction of progradation from the crossline axis, in radians
    dip: float  # of prograding beds, in samples per trace


def draw_units(contacts, shape, period, rng):
    styles = list(_STYLES.items())
    units = []
    hardness = rng.uniform(0.5, 1.2)
    top, base = _outer_edges(shape)
    thicknesses = np.diff([top, *contacts.mean(axis=(1, 2)), base])
    for k, thickness in enumerate(thicknesses.tolist()):
        repeat, which = divmod(k, len(styles))
        name, style = styles[which]
        if repeat:
            name = f"{name} {repeat + 1}"
            style = style._replace(gain=style.gain * 0.6**repeat, bed=style.bed * 1.4**repeat)
        log = hardness + style.gain * _draw_log(style.bed * period, style.blur * period, rng)
        # Hard and soft units take turns, hence both polarities and no contact without contrast.
        hardness = -np.sign(hardness) * rng.uniform(0.2, 1.2)
        lateral, vertical = style.warp_size
        warp = _RandomField(rng, lateral, lateral, vertical * period)
        lateral, vertical = style.patch_size
        patch = _RandomField(rng, lateral, lateral, vertical * period)
        azimuth = np.pi * int(rng.integers(2)) + rng.uniform(-0.6, 0.6)
        dip = rng.uniform(0.06, 0.1) * period
        units.append(
            _Unit(name, style, thickness, log.astype(np.float32), warp, patch, azimuth, dip)
        )
    return units


def _draw_log(bed, blur, rng):
    """Impedance of a pile of beds against depth, with mean 0 and standard deviation near 1."""
    mean_nodes = max(bed / _LOG_STEP, 1.0)
    n_beds = int(2 * _LOG_NODES / mean_nodes) + 8
    tops = np.cumsum(mean_nodes * rng.gamma(3, 1 / 3, n_beds))
    # Hard and soft beds take turns, as sand and shale do; a few stand out, as marker beds do.
    beds = (-1.0) ** np.arange(n_beds + 1) * rng.lognormal(-0.4, 0.45, n_beds + 1)
    log = beds[np.searchsorted(tops, np.arange(_LOG_NODES))]
    # Blurred over a sample at least: a sharper log would alias where it is sampled.
    width = max(blur, 0.4) / _LOG_STEP
    lags = np.arange(-int(3 * width), int(3 * width) + 1)
    bell = np.exp(-0.5 * (lags / width) ** 2)
    return convolve1d(log - log.mean(), bell / bell.sum(), mode="wrap")


def slabs(shape):
    """Slices of inlines; small ones stay in the cache, thin ones waste work on their margins."""
    step = max(8, 200_000 // (shape[1] * shape[2]))
    return [slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step)]


def make_signal(inlines, shape, contacts, faults, units, period):
    """Noise-free amplitudes of a slab of inlines."""
    # One inline more on either side, since reflections are smeared over neighboring traces.
    start, stop = max(inlines.start - 1, 0), min(inlines.stop + 1, shape[0])
    signal = _impedance(slice(start, stop), shape, contacts, faults, units, period)
    # Migrated data resolve no better than about a trace: chops at faults and in chaotic units
    # without this smear look like pixels.
    for axis in (0, 1):
        signal = convolve1d(signal, [0.2, 0.6, 0.2], axis=axis, mode="nearest")
    # Reflectivity is the derivative of the impedance; it goes into the wavelet.
    signal = convolve1d(signal, _ricker_derivative(period), axis=2, mode="nearest")
    return signal[inlines.start - start : inlines.stop - start]


def _ricker_derivative(period):
    half = int(np.ceil(1.6 * period))
    t = np.arange(-half, half + 1) / period
    a = (np.pi * t) ** 2
    derivative = -2 * np.pi**2 * t * (3 - 2 * a) * np.exp(-a)
    return derivative / np.abs(derivative).sum()


def _impedance(inlines, shape, contacts, faults, units, period):
    depth = _restore(inlines, shape, faults)
    tops = _faulted_contacts(inlines, depth, contacts)
    i, x = (c[..., None] for c in _map_coordinates(shape, inlines))
    outer_top, outer_base = (np.full_like(tops[:1], edge) for edge in _outer_edges(shape))
    edges = np.concatenate([outer_top, tops, outer_base])[..., None]
    impedance = np.zeros_like(depth)
    for unit, top, base in zip(units, edges[:-1], edges[1:], strict=True):
        # Only the depths between which the unit occurs in this slab.
        reached = np.flatnonzero(((depth > top - 1) & (depth < base + 1)).any(axis=(0, 1)))
        if reached.size == 0:
            continue
        window = slice(reached[0], reached[-1] + 1)
        z = depth[..., window]
        # A sample that holds a contact is shared by both units, else contacts are staircases.
        share = np.clip(z - top + 0.5, 0, 1) - np.clip(z - base + 0.5, 0, 1)
        impedance[..., window] += share * _unit_impedance(unit, i, x, z, top, base, period)
    return impedance


def _unit_impedance(unit, i, x, z, top, base, period):
    style = unit.style
    bedding = _bedding(unit, i, x, z, top, base)
    bedding += style.warp * period * unit.warp(i, x, bedding)
    node = np.floor(bedding * (1 / _LOG_STEP)).astype(np.int32) & (_LOG_NODES - 1)
    return unit.log[node] * np.maximum(1 + style.patch * unit.patch(i, x, bedding), 0)


def _bedding(unit, i, x, z, top, base):
    """Stratigraphic depth: samples that lie on one bed have the same."""
    if unit.style.follows == "top":
        return z - top
    if unit.style.follows == "base":
        return z - base
    thickness = np.maximum(base - top, 1)
    fraction = np.clip((z - top) / thickness, 0, 1)
    if unit.style.progrades:
        # Sigmoids that flatten towards the top and the base of the unit, and follow one another.
        steep = 0.1 + 0.8 * fraction
        along = (i * math.sin(unit.azimuth) + x * math.cos(unit.azimuth)) * unit.dip
        return thickness * np.log(steep / (1 - steep)) / 4.4 - along
    return unit.thickness * fraction


def _outer_edges(shape):
    """Top of the first unit and base of the last, outside the cube."""
    return -0.1 * shape[2], 1.1 * shape[2]


def finish_amplitudes(data, dead, noise, period, rng):
    """Add noise, scale to a standard deviation of 1 and kill traces, in place."""
    n_live = np.count_nonzero(~dead) * data.shape[2]
    energy = sum(
        np.square(section[live], dtype=float).sum()
        for section, live in zip(data, ~dead, strict=True)
    )
    signal_share, noise_share = 1 / np.hypot(1, noise), noise / np.hypot(1, noise)
    scale = signal_share * np.sqrt(n_live / energy)
    noise_sections = _noise_sections(data.shape, period, rng)
    for section, grain, dead_here in zip(data, noise_sections, dead, strict=True):
        section *= scale
        section += noise_share * grain
        section[dead_here] = 0


def _noise_sections(shape, period, rng):
    """Yield the noise of one inline after the other, standard deviation 1."""
    n_inlines, n_crosslines, n_samples = shape
    _, x = _map_coordinates(shape)
    x = x[0, :, None]
    z = np.arange(n_samples, dtype=np.float32)
    wavelet = _ricker_derivative(period)
    wavelet = wavelet / np.linalg.norm(wavelet)
    smear = np.array([0.3, 0.8, 0.3])
    smear /= np.linalg.norm(smear)
    envelopes = [_RandomField(rng, 5, 8, 1.5 * period, n_waves=8) for _ in range(2)]
    dips = rng.uniform(0.1, 0.25), -rng.uniform(0.1, 0.25)  # cycles per trace
    previous = None
    for i in range(n_inlines):
        fresh = rng.standard_normal((n_crosslines, n_samples), dtype=np.float32)
        fresh = convolve1d(fresh, smear, axis=0, mode="reflect")
        fresh = convolve1d(fresh, wavelet, axis=1, mode="reflect")
        # Neighboring inlines share some of it, as they share shots.
        random = fresh if previous is None else 0.4 * previous + 0.917 * fresh
        previous = random
        linear = sum(
            envelope(np.float32(i), x, z) * np.cos(2 * np.pi * (z / period + dip * x))
            for envelope, dip in zip(envelopes, dips, strict=True)
        )
        yield 0.9 * random + 0.436 * linear
