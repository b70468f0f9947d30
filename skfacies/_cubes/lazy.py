"""Cubes that are read when they are used: lazy sources for xarray, one for each kind of file."""

import functools
from dataclasses import dataclass

import numpy as np

from skfacies._cubes.holders import release_pages
from skfacies._sections.undefined import UNDEFINED_VALUES, undefined_amplitudes, undefined_values
from skfacies._segy.file import SegyFile, read_samples
from skfacies._segy.geometry import Geometry

__all__ = ["NumpyCube", "SegyCube", "ZarrCube", "lazy_variable", "with_missing"]

MISSING_LABEL = -1


@dataclass(frozen=True)
class SegyCube:
    """Samples of a SEG-Y file by position; each read opens its own file handle.

    Missing traces are NaN, or `MISSING_LABEL` if the samples are labels; the data type can hold
    this value.
    """

    segy: SegyFile
    geometry: Geometry
    is_labels: bool = False

    @property
    def shape(self):
        return (len(self.geometry.inlines), len(self.geometry.crosslines), self.segy.n_samples)

    @functools.cached_property
    def dtype(self):
        dtype = self.segy.dtype
        if self.geometry.live is None:
            return dtype
        return np.result_type(dtype, np.int8 if self.is_labels else np.float32)

    def read(self, key):
        """Samples at a key with one integer, slice or array for each axis."""
        chosen = [np.arange(n)[part] for n, part in zip(self.shape, key, strict=True)]
        rows, columns, samples = map(np.atleast_1d, chosen)
        window = (int(samples.min()), int(samples.max()) + 1) if len(samples) else (0, 0)
        numbers = self.geometry.numbers(rows, columns)
        live = numbers >= 0
        if self.geometry.dead is not None:
            live &= ~self.geometry.dead[np.ix_(rows, columns)]
        traces = read_samples(self.segy, numbers[live], window)
        if not live.all():
            missing = MISSING_LABEL if self.is_labels else np.nan
            found = np.full((*live.shape, traces.shape[1]), missing, self.dtype)
            found[live] = traces
        else:
            found = traces.reshape(*live.shape, traces.shape[1]).astype(self.dtype, copy=False)
        if len(samples) != found.shape[2] or np.any(np.diff(samples) != 1):
            found = found[:, :, samples - window[0]]
        return found[tuple(0 if np.ndim(part) == 0 else slice(None) for part in chosen)]


@dataclass(frozen=True)
class ZarrCube:
    """A Zarr array."""

    array: object

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)

    def read(self, key):
        return np.asarray(self.array.oindex[key])


@dataclass(frozen=True)
class NumpyCube:
    """An array that is mapped from a file; after pickling, it is opened again from its path."""

    path: str

    @functools.cached_property
    def array(self):
        return np.load(self.path, mmap_mode="r")

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)

    def __reduce__(self):
        return NumpyCube, (self.path,)

    def read(self, key):
        listed = [axis for axis, part in enumerate(key) if np.ndim(part)]
        found = self.array[tuple(slice(None) if k in listed else p for k, p in enumerate(key))]
        for axis in listed:
            n_fixed = sum(1 for part in key[:axis] if _is_int(part))
            found = found.take(key[axis], axis - n_fixed)
        found = np.array(found)
        release_pages(self.array)
        return found


@dataclass(frozen=True)
class _WithMissing:
    """Amplitudes of a source, NaN where they are undefined.

    `values` are the `UNDEFINED_VALUES` that mark undefined samples in this source. They are fixed
    beforehand, so that any part of a cube reads the same as in the whole cube.
    """

    source: object
    values: tuple

    dtype = property(lambda self: self.source.dtype)
    shape = property(lambda self: self.source.shape)

    def read(self, key):
        found = self.source.read(key)
        if not np.size(found):
            return found
        # One pass is enough if all values are ordinary.
        lowest = max(self.values, default=-SMALLEST_HUGE)
        if lowest < np.fmin.reduce(found, None) and np.fmax.reduce(found, None) < SMALLEST_HUGE:
            return found
        undefined = undefined_values(found)
        for value in set(UNDEFINED_VALUES) - set(self.values):
            undefined &= found != value
        if undefined.any():
            found = np.array(found)
            found[undefined] = np.nan
        return found


#: Smaller magnitudes are never undefined because of their size.
SMALLEST_HUGE = 9e29


def with_missing(source, samples):
    """A source of amplitudes with NaN where they are undefined; `samples` are a few of them."""
    if source.dtype.kind != "f":
        return source
    with np.errstate(invalid="ignore"):  # NaN of any kind
        samples = np.asarray(samples, float).ravel()
    values = [
        value
        for value in UNDEFINED_VALUES
        if (mask := undefined_amplitudes(np.append(samples, value))) is not None and mask[-1]
    ]
    return _WithMissing(source, tuple(values))


@dataclass(frozen=True)
class Transposed:
    """Axes of a source in another order."""

    source: object
    order: tuple

    dtype = property(lambda self: self.source.dtype)
    shape = property(lambda self: tuple(self.source.shape[axis] for axis in self.order))

    def read(self, key):
        own = [None] * len(self.order)
        for axis, part in zip(self.order, key, strict=True):
            own[axis] = part
        left = [axis for axis in range(len(own)) if np.ndim(own[axis]) or not _is_int(own[axis])]
        found = self.source.read(tuple(own))
        return found.transpose([left.index(axis) for axis in self.order if axis in left])


def _is_int(part):
    return isinstance(part, (int, np.integer))


@functools.cache
def _lazy_classes():
    """Classes that xarray indexes lazily; defined here because xarray is optional."""
    from xarray.backends import BackendArray
    from xarray.core.indexing import (
        IndexingSupport,
        LazilyIndexedArray,
        OuterIndexer,
        explicit_indexing_adapter,
    )

    class LazyCube(BackendArray):
        def __init__(self, source):
            self.source, self.shape, self.dtype = source, source.shape, source.dtype

        def __getitem__(self, key):
            return explicit_indexing_adapter(
                key, self.shape, IndexingSupport.OUTER, self.source.read
            )

        def __reduce__(self):
            return _lazy_cube, (self.source,)

    class LazyView(LazilyIndexedArray):
        """Remains a view of lines when its axes are transposed.

        xarray's own class becomes a view of points: 16 crosslines took 2.2 s instead of 30 ms.
        """

        __slots__ = ()

        def transpose(self, order):
            key = self.key.tuple
            fixed = [axis for axis, part in enumerate(key) if _is_int(part)]
            free = [axis for axis in range(len(key)) if axis not in fixed]
            axes = (*(free[k] for k in order), *fixed)
            cube = _lazy_cube(Transposed(self.array.source, axes))
            return LazyView(cube, OuterIndexer(tuple(key[axis] for axis in axes)))

        def __reduce__(self):
            return _lazy_view, (self.array.source, self.key.tuple)

    return LazyCube, LazyView, OuterIndexer


def _lazy_cube(source):
    return _lazy_classes()[0](source)


def _lazy_view(source, key):
    _, view, indexer = _lazy_classes()
    return view(_lazy_cube(source), indexer(key))


def lazy_variable(source, dims):
    from xarray import Variable

    return Variable(dims, _lazy_view(source, (slice(None),) * len(source.shape)))
