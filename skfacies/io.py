"""Cubes in SEG-Y, Zarr and NumPy files, opened lazily and written piece by piece."""

import importlib
import os
import warnings
from pathlib import Path

import numpy as np

from skfacies._cubes.axes import UNITS
from skfacies._cubes.lazy import NumpyCube, SegyCube, lazy_variable, with_missing
from skfacies._cubes.writing import (
    CODES,
    DIMS,
    POSITIONS,
    take_apart,
    write_npy,
    write_segy,
    write_zarr,
)
from skfacies._cubes.zarr_stores import choose_name, open_zarr
from skfacies._sections.undefined import undefined_amplitudes
from skfacies._segy.file import FORMATS, HEADER, decode_samples
from skfacies._segy.geometry import DEAD, coordinates_of, find_geometry, read_headers
from skfacies._segy.samples import doubt_format, look_like_labels, read_some
from skfacies._segy.structure import code_of, read_structure

__all__ = ["open_cube", "write_cube"]

SUFFIXES = {
    ".sgy": "segy",
    ".segy": "segy",
    ".zarr": "zarr",
    ".npy": "npy",
    ".npz": "npz",
    ".mdio": "zarr",
}
READ_ONLY = (".npz", ".mdio")
DUPLICATES = ("raise", "first", "last")
CHUNK_BYTES = 64_000_000


def open_cube(
    path,
    *,
    inline_byte=189,
    crossline_byte=193,
    x_byte=181,
    y_byte=185,
    domain="twt",
    sample_interval=None,
    first_sample=None,
    sample_format=None,
    duplicates="raise",
    variable=None,
    chunks=None,
):
    """Open a cube in a SEG-Y, Zarr or NumPy file; samples are read when they are used.

    ``cube[7]`` reads one inline and nothing else.

    Parameters
    ----------
    path : path
        The suffix determines the format: ``.sgy`` or ``.segy``; ``.zarr`` or ``.mdio``, a store of
        an array, or of a dataset with one cube; ``.npy``, mapped into memory; ``.npz`` with one
        array, which is loaded.
    inline_byte : int or None, default=189
        First byte of the inline numbers in SEG-Y trace headers, counted from 1. None reads all
        traces as one 2-D line, in the order of the file.
    crossline_byte : int, default=193
        First byte of the crossline numbers.
    x_byte : int, default=181
        First byte of the X of traces, which bytes 71-72 scale.
    y_byte : int, default=185
        First byte of the Y. If bytes 181 and 185 are unset or hold the line numbers, the source
        coordinates in bytes 73 and 77 are used.
    domain : {"twt", "depth"}, default="twt"
        Name of the vertical axis of SEG-Y and NumPy files, and of Zarr stores whose axis name does
        not show it: two-way time in milliseconds, or depth in meters. Depth is in feet if bytes
        3255-3256 of a SEG-Y file say so.
    sample_interval, first_sample : float, default=None
        Values in these units that override the SEG-Y headers.
    sample_format : str, default=None
        Format of SEG-Y samples, which overrides bytes 3225-3226: "ibm", "ieee", "float64", "int8",
        "int16", "int32", "uint8", "uint16" or "uint32".
    duplicates : {"raise", "first", "last"}, default="raise"
        Which of several SEG-Y traces at one crossing to use; "raise" makes them an error.
    variable : str, default=None
        Name of the cube, if a file has several.
    chunks : "auto", int, tuple or dict, default=None
        Return a Dask array with these chunks; "auto" makes chunks of about 64 MB, of whole traces
        of lines that are contiguous in the file.

    Returns
    -------
    cube : xarray.DataArray of shape (n_inlines, n_crosslines, n_samples)
        Line numbers, and times or depths, are coordinates if the file has them. A 2-D line is one
        inline; its CDP or shot-point numbers are the crosslines.

        Traces that a SEG-Y file lacks in the rectangle of lines, or marks as dead (bytes 29-30),
        are NaN, and the coordinate `live`, (n_inlines, n_crosslines), is False there. Integers then
        become floats, except labels (few and small numbers), whose missing traces are -1. X and Y
        of the traces are the coordinates `cdp_x` and `cdp_y`, of this shape.

        Undefined float samples become NaN: magnitudes of 1e30 and more, and -999.25, -9999 or
        -99999 if no amplitude is of that size.

    Raises
    ------
    ValueError
        If the file is damaged or of an unsupported kind, traces share a crossing (pre-stack
        gathers), or fewer than a quarter of the crossings of its lines have a trace. The message
        says what to do.
    ImportError
        If xarray or zarr is needed but not installed.

    Warns
    -----
    UserWarning
        If traces with the line numbers of a survey form a 2-D line, headers give two different
        sample intervals, or samples look like those of another format.

    See Also
    --------
    write_cube : Writes cubes, with the headers of the SEG-Y file that they come from.

    Notes
    -----
    All trace headers of a SEG-Y file are read, and the samples of a few traces. If a file will be
    read often, especially along crosslines, convert it once:
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
    lines, positions = (inline_byte, crossline_byte), (x_byte, y_byte)
    names = ("inline_byte", "crossline_byte", "x_byte", "y_byte")
    for name, byte in zip(names, lines + positions, strict=True):
        is_line = byte is None and name == "inline_byte"
        if not is_line and not (byte is not None and 1 <= byte <= HEADER - 3):
            raise ValueError(f"`{name}` must be from 1 to {HEADER - 3}; got {byte}.")
    if duplicates not in DUPLICATES:
        raise ValueError(f"`duplicates` must be one of {list(DUPLICATES)}; got {duplicates!r}.")
    code_of(sample_format)  # raises for an unknown name
    path, kind = Path(path), _kind(path, SUFFIXES)
    if not path.exists():
        raise FileNotFoundError(f"`path` {path} does not exist. Check its name and folder.")
    if kind == "segy":
        sampling = (sample_interval, first_sample, sample_format)
        cube = _open_segy(path, lines, positions, domain, *sampling, duplicates)
    elif kind == "zarr":
        _import("zarr", "zarr")
        cube = open_zarr(path, domain, variable)
    else:
        cube = _open_numpy(path, domain, variable)
    cube.attrs["source"] = os.path.abspath(path)
    if chunks is None:
        return cube
    _import("dask", "dask")
    is_auto = isinstance(chunks, str) and chunks == "auto"
    return cube.chunk(_auto_chunks(cube) if is_auto else chunks)


def kind_to_write(path):
    return _kind(path, {s: kind for s, kind in SUFFIXES.items() if s not in READ_ONLY})


def _kind(path, suffixes):
    suffix = Path(path).suffix.lower()
    if suffix not in suffixes:
        raise ValueError(f"`path` must end in {', '.join(suffixes)}; got {os.fspath(path)!r}.")
    return suffixes[suffix]


def _import(name, extra):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{name} is not installed. Use pip install 'skfacies[{extra}]'."
        ) from error


def _auto_chunks(cube):
    """Chunks of whole traces, along the lines that are contiguous in the file."""
    axis = 1 if cube.attrs.get("sorting") == "crossline" else 0
    stored = cube.encoding.get("preferred_chunks", {}).get(cube.dims[axis], 1)
    n_lines = CHUNK_BYTES // max(1, cube.nbytes // cube.shape[axis])
    n_lines = max(n_lines // stored * stored, stored)
    return {dim: n_lines if k == axis else -1 for k, dim in enumerate(cube.dims)}


# --- kinds of files --------------------------------------------------------------------------


def _open_segy(
    path, places, positions, domain, sample_interval, first_sample, sample_format, duplicates
):
    from xarray import DataArray

    segy = read_structure(path, sample_format)
    unit = segy.unit if domain == "depth" else UNITS[domain]
    interval = _choose_interval(segy, sample_interval, unit)
    words = read_headers(segy, *places, positions)
    geometry = find_geometry(segy, words, *places, duplicates)
    if first_sample is None and len(geometry.delays) > 1:
        raise ValueError(
            f"{path}: traces begin at different times or depths, {geometry.delays[0]:g} to "
            f"{geometry.delays[-1]:g} (bytes 109-110), so samples with the same index are not at "
            "the same time or depth. Shift the traces to a common start, or give `first_sample` if "
            "these bytes are wrong."
        )
    first = geometry.delays[0] if first_sample is None else first_sample
    some = read_some(segy, words["code"] != DEAD)
    doubt = None if sample_format is not None else doubt_format(segy, some)
    for note in (geometry.note, doubt):
        if note:
            warnings.warn(note, UserWarning, stacklevel=3)
    coords = {
        "inline": geometry.inlines,
        "crossline": geometry.crosslines,
        domain: (domain, first + interval * np.arange(segy.n_samples), {"units": unit}),
        **_more_coordinates(geometry),
    }
    found = coordinates_of(segy, geometry, words, places, positions)
    if found is not None:
        xy, positions = found
        coords |= {name: (DIMS[:2], part) for name, part in zip(POSITIONS, xy, strict=True)}
    samples = decode_samples(some, segy)
    source = SegyCube(segy, geometry, geometry.live is not None and look_like_labels(samples))
    variable = lazy_variable(with_missing(source, samples), (*DIMS[:2], domain))
    attrs = _segy_attrs(segy, geometry, places, duplicates)
    if found is not None:
        attrs["x_byte"], attrs["y_byte"] = positions
    return DataArray(variable, coords=coords, attrs=attrs, name="amplitude")


def _choose_interval(segy, sample_interval, unit):
    """Sample interval; warns if two headers give different intervals."""
    interval = segy.interval if sample_interval is None else sample_interval
    if interval is None or not interval > 0:
        raise ValueError(
            f"{segy.path}: bytes 3217-3218 and 117-118 hold no sample interval. Give "
            f"`sample_interval` > 0 in {unit}, such as 4."
        )
    if sample_interval is None and _differ(*segy.intervals):
        binary, trace = segy.intervals
        warnings.warn(
            f"{segy.path}: the sample interval is {binary:g} {unit} in the binary header (bytes "
            f"3217-3218) and {trace:g} {unit} in the first trace header (bytes 117-118). "
            f"{interval:g} {unit} is used; give sample_interval={trace:g} for the other.",
            UserWarning,
            stacklevel=4,
        )
    return interval


def _differ(binary, trace):
    return bool(binary and trace) and abs(binary - trace) > 1e-3 * max(binary, trace)


def _more_coordinates(geometry):
    """Live traces, and the line numbers of a survey along a 2-D line through it."""
    coords = {}
    if geometry.live is not None:
        coords["live"] = (DIMS[:2], geometry.live)
    if geometry.path is not None:
        names = ("path_inline", "path_crossline")
        coords |= {name: (DIMS[1], n) for name, n in zip(names, geometry.path, strict=True)}
    return coords


def _segy_attrs(segy, geometry, places, duplicates):
    attrs = {
        "sorting": geometry.sorting,
        "sample_format": FORMATS[segy.code][0],
        "inline_byte": places[0] or 0,  # None cannot be stored in a Zarr file
        "crossline_byte": places[1],
    }
    if duplicates != "raise":
        attrs["duplicates"] = duplicates
    if geometry.dead is not None:
        attrs["n_dead"] = int(geometry.dead.sum())
    if _differ(*segy.intervals):
        attrs["interval_binary"], attrs["interval_trace"] = segy.intervals
    return attrs


def _open_numpy(path, domain, variable):
    from xarray import DataArray

    if path.suffix.lower() == ".npz":
        with np.load(path) as arrays:
            array = arrays[choose_name(list(arrays), variable, path)]
        undefined = undefined_amplitudes(array)
        if undefined is not None:
            array[undefined] = np.nan
        return DataArray(array, dims=_dims(array.ndim, domain, path))
    array = np.load(path, mmap_mode="r")
    dims = _dims(array.ndim, domain, path)
    if array.dtype.kind != "f" or not array.size:
        return DataArray(array, dims=dims)
    some = [np.unique(np.linspace(0, n - 1, 4).astype(int)) for n in array.shape[:2]]
    source = with_missing(NumpyCube(os.path.abspath(path)), array[np.ix_(*some)])
    return DataArray(lazy_variable(source, dims), dims=dims)


def _dims(ndim, domain, path):
    if ndim not in (3, 4):
        raise ValueError(
            f"{path} must hold a cube of shape (n_inlines, n_crosslines, n_samples); got a "
            f"{ndim}-D array. Save a section as section[None]."
        )
    return (*DIMS[:2], domain, "facies")[:ndim]


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

    With `like`, other programs load the SEG-Y file exactly as they load `like`: text, binary and
    trace headers are copied byte for byte, apart from a note and the sample format. Cubes that are
    on disk or lazy are written a few lines at a time. The file gets its name once it is complete:
    if an error occurs, an existing file is kept.

    Parameters
    ----------
    path : path
        The suffix determines the format: ``.sgy`` or ``.segy``; ``.zarr`` (format 3, with
        coordinates); ``.npy``.
    cube : array-like of shape (n_inlines, n_crosslines, n_samples), or with (n_classes,) after it
        In SEG-Y, probabilities are written to one file for each class.
    like : path, default=None
        SEG-Y file that provides headers and geometry. Crossings without a trace in this file are
        not written. None makes new headers of revision 1 from the coordinates of a DataArray.
    sample_format : {"ibm", "ieee", "int8", "int16", "int32"}, default=None
        Sample format of SEG-Y files. None keeps that of `like` for floats, or is "ieee"; integers
        keep their own.
    inline_byte, crossline_byte : int, default=None
        Bytes of the line numbers in the trace headers, counted from 1. None uses the bytes with
        which `cube` was opened, or 189 and 193. With `inline_byte` 0, `like` is one 2-D line.
    classes : sequence of length n_classes, default=None
        Names of the classes in the file names of probabilities. None uses the coordinates of the
        last axis, or 0, 1, ….
    note : str, default=None
        Text for the line that is added to the SEG-Y text header, such as the meaning of labels.

    Returns
    -------
    path : Path or list of Path
        Path of the file; for probabilities in SEG-Y, the list of ``name_<class>.sgy``.

    Raises
    ------
    ValueError
        If `cube` does not have the geometry of `like`, holds strings, or holds values that the
        sample format cannot store.
    OSError
        If the disk has too little space for the file.

    See Also
    --------
    open_cube : Opens these files.

    Examples
    --------
    Write labels of a survey next to it:

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
    path, kind = Path(path), kind_to_write(path)
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
        raise ValueError(f"`like` gives headers for SEG-Y files; `path` is {path}. Omit `like`.")
    if kind == "npy":
        return write_npy(path, parts)
    for name, extra in (("xarray", "segy"), ("zarr", "zarr")):
        _import(name, extra)
    return write_zarr(path, parts)


def _is_same(path, other):
    return os.path.exists(other) and os.path.samefile(path, other)
