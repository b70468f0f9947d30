"""Cubes in files: SEG-Y, Zarr and NumPy, opened without reading and written piece by piece."""

import functools
import importlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skfacies._cube_writing import CODES, DIMS, take_apart, write_npy, write_segy, write_zarr
from skfacies._segy import FORMATS, HEADER, SegyFile, read_samples, read_structure
from skfacies._segy_geometry import Geometry, find_geometry

__all__ = ["open_cube", "write_cube"]

SUFFIXES = {".sgy": "segy", ".segy": "segy", ".zarr": "zarr", ".npy": "npy", ".npz": "npz"}
UNITS = {"twt": "ms", "depth": "m"}
CHUNK_BYTES = 64_000_000


def open_cube(
    path,
    *,
    inline_byte=189,
    crossline_byte=193,
    domain="twt",
    sample_interval=None,
    first_sample=None,
    variable=None,
    chunks=None,
):
    """Open a cube in a SEG-Y, Zarr or NumPy file without reading its samples.

    What is taken of the result is read then, and nothing else: ``cube[7]`` reads one inline.

    Parameters
    ----------
    path : path
        By suffix: ``.sgy`` or ``.segy``; ``.zarr``, a store of an array, or of a dataset with one
        cube; ``.npy``, mapped into memory; ``.npz`` with one array, which is loaded.
    inline_byte : int or None, default=189
        First byte of the inline numbers in SEG-Y trace headers, counted from 1. None takes all
        traces as one 2-D line, in the order of the file.
    crossline_byte : int, default=193
        First byte of the crossline numbers.
    domain : {"twt", "depth"}, default="twt"
        Name of the vertical axis of SEG-Y and NumPy files: two-way time in milliseconds, or depth
        in metres.
    sample_interval, first_sample : float, default=None
        In milliseconds or metres, in place of what the SEG-Y headers say.
    variable : str, default=None
        Name of the cube, where a file has several.
    chunks : "auto", int, tuple or dict, default=None
        Gives a Dask array of such chunks; "auto" are whole traces of lines that lie together in
        the file, about 64 MB.

    Returns
    -------
    cube : xarray.DataArray of shape (n_inlines, n_crosslines, n_samples)
        With line numbers and times or depths as coordinates where the file has them. Where a
        SEG-Y file lacks traces of the rectangle, these are NaN (integers become floats), and the
        coordinate `live`, (n_inlines, n_crosslines), tells which are there. A 2-D line is one
        inline; its CDP numbers are the crosslines.

    Raises
    ------
    ValueError
        If the file is damaged or of a kind that is not read, or traces share a place (pre-stack
        gathers). The message tells what to do.
    ImportError
        If xarray or zarr is needed and missing.

    See Also
    --------
    write_cube : Writes cubes, with the headers of the SEG-Y file that they come from.

    Notes
    -----
    Line numbers in all trace headers of a SEG-Y file are read, no samples. A file that will be read
    often, along crosslines above all, is better converted once:
    ``write_cube("survey.zarr", open_cube("survey.sgy"))``. Dask workers open the file by its path.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import xarray
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.io import open_cube, write_cube
    >>> survey = make_facies_cube((4, 5, 16), n_facies=2, random_state=0)
    >>> axes = {"inline": range(200, 204), "crossline": range(400, 405), "twt": range(0, 64, 4)}
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = write_cube(
    ...     Path(folder.name, "survey.sgy"), xarray.DataArray(survey.data, axes, list(axes)))
    >>> cube = open_cube(path)
    >>> dict(cube.sizes), cube.dtype
    ({'inline': 4, 'crossline': 5, 'twt': 16}, dtype('float32'))
    >>> section = cube.sel(crossline=402)  # not read yet
    >>> bool((section.values == survey.data[:, 2]).all())
    True
    >>> folder.cleanup()
    """
    _import("xarray", "segy")
    if domain not in UNITS:
        raise ValueError(f"`domain` must be 'twt' or 'depth'; got {domain!r}.")
    for name, byte in (("inline_byte", inline_byte), ("crossline_byte", crossline_byte)):
        if byte is not None and not 1 <= byte <= HEADER - 3:
            raise ValueError(f"`{name}` must be from 1 to {HEADER - 3}; got {byte}.")
    path, kind = Path(path), _kind(path, SUFFIXES)
    if not path.exists():
        raise FileNotFoundError(f"`path` {path} does not exist.")
    if kind == "segy":
        places = (inline_byte, crossline_byte)
        cube = _open_segy(path, places, domain, sample_interval, first_sample)
    elif kind == "zarr":
        cube = _open_zarr(path, domain, variable)
    else:
        cube = _open_numpy(path, domain, variable)
    cube.attrs["source"] = os.path.abspath(path)
    if chunks is None:
        return cube
    _import("dask", "dask")
    is_auto = isinstance(chunks, str) and chunks == "auto"
    return cube.chunk(_auto_chunks(cube) if is_auto else chunks)


def _kind_to_write(path):
    return _kind(path, {suffix: kind for suffix, kind in SUFFIXES.items() if kind != "npz"})


def _kind(path, suffixes):
    suffix = Path(path).suffix.lower()
    if suffix not in suffixes:
        raise ValueError(f"`path` must end in {', '.join(suffixes)}; got {os.fspath(path)!r}.")
    return suffixes[suffix]


def _import(name, extra):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{name} is missing. Use pip install 'skfacies[{extra}]'.") from error


def _auto_chunks(cube):
    """Chunks of whole traces, along the lines that lie together in the file."""
    axis = 1 if cube.attrs.get("sorting") == "crossline" else 0
    stored = cube.encoding.get("preferred_chunks", {}).get(cube.dims[axis], 1)
    n_lines = CHUNK_BYTES // max(1, cube.nbytes // cube.shape[axis])
    n_lines = max(n_lines // stored * stored, stored)
    return {dim: n_lines if k == axis else -1 for k, dim in enumerate(cube.dims)}


# --- lazy cubes -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _SegyCube:
    """Samples of a SEG-Y file by position; a handle of its own for each read."""

    segy: SegyFile
    geometry: Geometry

    @property
    def shape(self):
        return (len(self.geometry.inlines), len(self.geometry.crosslines), self.segy.n_samples)

    @property
    def dtype(self):
        dtype = self.segy.dtype
        return dtype if self.geometry.live is None else np.result_type(dtype, np.float32)

    def read(self, key):
        """Samples at a key of integers, slices and arrays, each of an axis of its own."""
        chosen = [np.arange(n)[part] for n, part in zip(self.shape, key, strict=True)]
        rows, columns, samples = map(np.atleast_1d, chosen)
        window = (int(samples.min()), int(samples.max()) + 1) if len(samples) else (0, 0)
        numbers = self.geometry.numbers(rows, columns)
        live = numbers >= 0
        traces = read_samples(self.segy, numbers[live], window)
        if not live.all():
            found = np.full((*live.shape, traces.shape[1]), np.nan, self.dtype)
            found[live] = traces
        else:
            found = traces.reshape(*live.shape, traces.shape[1]).astype(self.dtype, copy=False)
        if len(samples) != found.shape[2] or np.any(np.diff(samples) != 1):
            found = found[:, :, samples - window[0]]
        return found[tuple(0 if np.ndim(part) == 0 else slice(None) for part in chosen)]


@dataclass(frozen=True)
class _ZarrCube:
    array: object

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)

    def read(self, key):
        return np.asarray(self.array.oindex[key])


@dataclass(frozen=True)
class _Transposed:
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
    """Classes that xarray indexes lazily; made here since xarray is optional."""
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
        """Stays a view of lines when its axes change places.

        That of xarray turns into one of points: 16 crosslines took 2.2 s instead of 30 ms.
        """

        __slots__ = ()

        def transpose(self, order):
            key = self.key.tuple
            fixed = [axis for axis, part in enumerate(key) if _is_int(part)]
            free = [axis for axis in range(len(key)) if axis not in fixed]
            axes = (*(free[k] for k in order), *fixed)
            cube = _lazy_cube(_Transposed(self.array.source, axes))
            return LazyView(cube, OuterIndexer(tuple(key[axis] for axis in axes)))

        def __reduce__(self):
            return _lazy_view, (self.array.source, self.key.tuple)

    return LazyCube, LazyView, OuterIndexer


def _lazy_cube(source):
    return _lazy_classes()[0](source)


def _lazy_view(source, key):
    _, view, indexer = _lazy_classes()
    return view(_lazy_cube(source), indexer(key))


def _lazy_variable(source, dims):
    from xarray import Variable

    return Variable(dims, _lazy_view(source, (slice(None),) * len(source.shape)))


def _open_segy(path, places, domain, sample_interval, first_sample):
    from xarray import DataArray

    segy = read_structure(path)
    interval = segy.interval if sample_interval is None else sample_interval
    if interval is None or not interval > 0:
        raise ValueError(
            f"{path}: bytes 3217-3218 and 117-118 hold no sample interval. Give `sample_interval` "
            f"> 0 in {UNITS[domain]}, such as 4."
        )
    geometry = find_geometry(segy, *places)
    if first_sample is None and len(geometry.delays) > 1:
        raise ValueError(
            f"{path}: traces begin at different times or depths, {geometry.delays[0]:g} to "
            f"{geometry.delays[-1]:g} (bytes 109-110), so that samples of one number do not lie "
            "side by side. Shift them to one begin, or give `first_sample` if these bytes are "
            "wrong."
        )
    first = geometry.delays[0] if first_sample is None else first_sample
    attrs = {
        "sorting": geometry.sorting,
        "sample_format": FORMATS[segy.code][0],
        "inline_byte": places[0] or 0,  # None cannot be stored in a Zarr file
        "crossline_byte": places[1],
    }
    coords = {
        "inline": geometry.inlines,
        "crossline": geometry.crosslines,
        domain: (domain, first + interval * np.arange(segy.n_samples), {"units": UNITS[domain]}),
    }
    if geometry.live is not None:
        coords["live"] = (DIMS[:2], geometry.live)
    variable = _lazy_variable(_SegyCube(segy, geometry), (*DIMS[:2], domain))
    return DataArray(variable, coords=coords, attrs=attrs, name="amplitude")


def _open_zarr(path, domain, variable):
    import xarray

    zarr = _import("zarr", "zarr")
    try:
        node = zarr.open(path, mode="r")
    except Exception as error:  # zarr has many of its own
        raise ValueError(
            f"{path} is no Zarr store that can be opened: {type(error).__name__}: {error}."
        ) from error
    if isinstance(node, zarr.Array):
        names = getattr(node.metadata, "dimension_names", None) or ()
        dims = names if len(names) == node.ndim and all(names) else _dims(node.ndim, domain, path)
        attrs = dict(node.attrs)
        cube = xarray.DataArray(_lazy_variable(_ZarrCube(node), dims), attrs=attrs)
        return _in_order(cube, domain, path, node.chunks)
    # As it is stored: the fill value of Zarr is a label like any other.
    dataset = xarray.open_dataset(
        path,
        engine="zarr",
        chunks=None,
        cache=False,
        consolidated=False,
        mask_and_scale=False,
        decode_times=False,
    )
    cubes = [str(name) for name, array in dataset.data_vars.items() if array.ndim in (3, 4)]
    name = _choose(cubes, variable, path)
    stored = dataset[name]
    lazy = _lazy_variable(_ZarrCube(node[name]), stored.dims)
    cube = xarray.DataArray(lazy, coords=stored.coords, attrs=stored.attrs, name=name)
    return _in_order(cube, domain, path, node[name].chunks)


def _open_numpy(path, domain, variable):
    from xarray import DataArray

    if path.suffix.lower() == ".npz":
        with np.load(path) as arrays:
            array = arrays[_choose(list(arrays), variable, path)]
    else:
        array = np.load(path, mmap_mode="r")
    return DataArray(array, dims=_dims(array.ndim, domain, path))


def _choose(names, variable, path):
    if variable in names:
        return variable
    if variable is None and len(names) == 1:
        return names[0]
    listed = ", ".join(map(repr, names)) or "none"
    asked = "one cube" if variable is None else f"`variable` {variable!r}"
    raise ValueError(f"{path}: expected {asked}, found {listed}. Give `variable`, one of these.")


def _dims(ndim, domain, path):
    if ndim not in (3, 4):
        raise ValueError(
            f"{path} must hold a cube of shape (n_inlines, n_crosslines, n_samples); got a "
            f"{ndim}-D array. Save a section as section[None]."
        )
    return (*DIMS[:2], domain, "facies")[:ndim]


def _in_order(cube, domain, path, chunks):
    """Axes in the order of the package, with its names if they have none of these."""
    if not {"inline", "crossline"} <= set(cube.dims):
        cube = cube.rename(dict(zip(cube.dims, _dims(cube.ndim, domain, path), strict=True)))
    chunks = dict(zip(cube.dims, chunks, strict=True))
    cube = cube.transpose("inline", "crossline", ...)
    cube.encoding["preferred_chunks"] = chunks
    return cube


# --- writing --------------------------------------------------------------------------------


def write_cube(
    path,
    cube,
    *,
    like=None,
    sample_format=None,
    inline_byte=None,
    crossline_byte=None,
    classes=None,
    note=None,
):
    """Write a cube of amplitudes, labels or probabilities to a SEG-Y, Zarr or NumPy file.

    With `like`, a SEG-Y file is written that other programs load as they load `like`: text,
    binary and trace headers are copied byte for byte. Cubes that are on disk or lazy are written
    some lines at a time. The file takes its name when it is complete: an error leaves what was
    there before.

    Parameters
    ----------
    path : path
        By suffix: ``.sgy`` or ``.segy``; ``.zarr`` (format 3, with coordinates); ``.npy``.
    cube : array-like of shape (n_inlines, n_crosslines, n_samples), or with (n_classes,) after it
        In SEG-Y, probabilities are one file for each class.
    like : path, default=None
        SEG-Y file whose headers and geometry are taken. Crossings of lines without a trace there
        are not written. None makes new headers of revision 1 from the coordinates of a DataArray.
    sample_format : {"ibm", "ieee", "int8", "int16", "int32"}, default=None
        Of SEG-Y files. None keeps that of `like` for floats, or is "ieee"; integers keep theirs.
    inline_byte, crossline_byte : int, default=None
        Bytes of the line numbers in the trace headers, counted from 1. None are those that `cube`
        was opened with, or 189 and 193. `inline_byte` 0 takes `like` as one 2-D line.
    classes : sequence of length n_classes, default=None
        Names in the file names of probabilities; None are the coordinates of the last axis, or
        0, 1, ….
    note : str, default=None
        Text for the line that is added to the text header of SEG-Y, such as the meaning of labels.

    Returns
    -------
    path : Path or list of Path
        What was written: a list for probabilities in SEG-Y, ``name_<class>.sgy``.

    Raises
    ------
    ValueError
        If `cube` has not the geometry of `like`, holds strings, or holds what the samples cannot.
    OSError
        If the disk has no room for the file.

    See Also
    --------
    open_cube : Opens what was written.

    Examples
    --------
    Labels of an opened survey, beside it:

    >>> import tempfile
    >>> from pathlib import Path
    >>> import xarray
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.io import open_cube, write_cube
    >>> survey = make_facies_cube((4, 5, 16), n_facies=2, random_state=0)
    >>> axes = {"inline": range(200, 204), "crossline": range(400, 405), "twt": range(0, 64, 4)}
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = write_cube(
    ...     Path(folder.name, "survey.sgy"), xarray.DataArray(survey.data, axes, list(axes)))
    >>> labels = write_cube(
    ...     path.with_name("facies.sgy"), survey.target, like=path, note="0 sand, 1 shale")
    >>> facies = open_cube(labels)
    >>> facies.dtype, facies.inline.values.tolist()
    (dtype('int8'), [200, 201, 202, 203])
    >>> folder.cleanup()
    """
    path, kind = Path(path), _kind_to_write(path)
    parts = take_apart(cube, classes)
    if sample_format is not None and sample_format not in CODES:
        raise ValueError(f"`sample_format` must be one of {list(CODES)}; got {sample_format!r}.")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of `path` {path} does not exist. Create it first.")
    for name, other in (("like", like), ("cube", parts.attrs.get("source"))):
        if other is not None and path.exists() and _is_same(path, other):
            raise ValueError(f"`path` {path} is the file of `{name}`. Give another name.")
    if kind == "segy":
        places = (inline_byte, crossline_byte)
        return write_segy(path, parts, like, sample_format, places, note)
    if like is not None:
        raise ValueError(f"`like` gives headers for SEG-Y files; `path` is {path}. Leave it out.")
    if kind == "npy":
        return write_npy(path, parts)
    for name, extra in (("xarray", "segy"), ("zarr", "zarr")):
        _import(name, extra)
    return write_zarr(path, parts)


def _is_same(path, other):
    return os.path.exists(other) and os.path.samefile(path, other)
