"""What holds cubes and sections in tests: an array that tells what is read of it, and files."""

import numpy as np
import pytest


class OnDisk:
    """An array that can be cut by integers and slices, and has no more to it.

    Attributes
    ----------
    read : list
        Keys, in the order of reading.
    times_read : ndarray
        How often each element was read.
    largest : int
        Number of elements of the largest read.
    """

    def __init__(self, array, chunks=None):
        self.array, self.shape, self.dtype, self.chunks = array, array.shape, array.dtype, chunks
        self.forget()

    def forget(self):
        """Begin to count anew."""
        self.read, self.largest = [], 0
        self.times_read = np.zeros(self.shape, dtype=int)

    def __getitem__(self, key):
        parts = key if isinstance(key, tuple) else (key,)
        assert all(type(part) in (int, slice) for part in parts), key
        part = self.array[key]
        self.read.append(key)
        self.times_read[key] += 1
        self.largest = max(self.largest, np.size(part))
        return part.copy()

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("read as a whole")

    @property
    def n_reads(self):
        return len(self.read)

    @property
    def times_unpacked(self):
        """How often each chunk was unpacked: once for each read that touches it."""
        shape = [-(-size // chunk) for size, chunk in zip(self.shape, self.chunks, strict=True)]
        times = np.zeros(shape, dtype=int)
        for key in self.read:
            parts = key if isinstance(key, tuple) else (key,)
            parts += (slice(None),) * (len(shape) - len(parts))
            lines = (np.arange(size)[part] for size, part in zip(self.shape, parts, strict=True))
            touched = [np.unique(i // chunk) for i, chunk in zip(lines, self.chunks, strict=True)]
            times[np.ix_(*touched)] += 1
        return times


class Store(OnDisk):
    """An array that can be read as a whole, too, as those of Zarr and HDF5."""

    @property
    def ndim(self):
        return len(self.shape)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


# --- by file format: of an array, a folder, and a name ----------------------------------------


def as_memmap(data, folder, name="cube"):
    array = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", data.dtype, data.shape)
    array[:] = data
    array.flush()
    return np.load(folder / f"{name}.npy", mmap_mode="r")


def as_zarr(data, folder=None, name="cube", chunks=(7, 9, 20)):
    """Without a folder, in memory."""
    zarr = pytest.importorskip("zarr")
    if folder is None:
        return zarr.array(data, chunks=chunks)
    path = folder / f"{name}.zarr"
    zarr.create_array(path, shape=data.shape, dtype=data.dtype, chunks=chunks)[:] = data
    return zarr.open_array(path, mode="r")


def as_h5py(data, folder, name="cube"):
    h5py = pytest.importorskip("h5py")
    file = h5py.File(folder / f"{name}.h5", "w")
    return file.create_dataset("cube", data=data, chunks=(5, 11, 48))


def as_xarray(data, folder=None, name="cube"):
    xarray = pytest.importorskip("xarray")
    coords = {"inline": 300 + np.arange(data.shape[0]), "twt": 4.0 * np.arange(data.shape[2])}
    return xarray.DataArray(data, coords, ("inline", "crossline", "twt"))


def as_lazy_xarray(data, folder, name="cube"):
    """Backed by a file that xarray reads on demand."""
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    path = folder / f"{name}_lazy.zarr"
    as_xarray(data).to_dataset(name="cube").to_zarr(path, consolidated=False)
    return xarray.open_zarr(path, chunks=None, consolidated=False)["cube"]


def as_dask(data, folder=None, name="cube"):
    return pytest.importorskip("dask.array").from_array(data, chunks=(7, 9, -1))


HOLDERS = {
    "memmap": as_memmap,
    "zarr": as_zarr,
    "h5py": as_h5py,
    "DataArray": as_xarray,
    "lazy DataArray": as_lazy_xarray,
    "dask": as_dask,
}
