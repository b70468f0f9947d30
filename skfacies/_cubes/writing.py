"""Cubes to files, a few lines at a time. A complete new file replaces the target."""

import contextlib
import json
import os
import re
import textwrap
import warnings
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import numpy as np

from skfacies._cubes.axes import AXES_BY_NAME, axes_by_name
from skfacies._cubes.holders import (
    check_axes,
    check_cube,
    chunk_length,
    is_dask,
    ordered_dims,
    release_pages,
    unwrap,
)
from skfacies._files import check_space, whole_file, whole_folder
from skfacies._segy.file import (
    FORMATS,
    HEADER,
    SegyFile,
    encode_samples,
    new_headers,
    read_bytes,
    write_records,
)
from skfacies._segy.geometry import Geometry, find_geometry, read_headers
from skfacies._segy.structure import read_structure
from skfacies._segy.text import stamp_text
from skfacies._version import __version__

__all__ = [
    "CODES",
    "DIMS",
    "POSITIONS",
    "class_paths",
    "take_apart",
    "write_npy",
    "write_segy",
    "write_zarr",
]

DIMS = ("inline", "crossline", "twt", "facies")
#: Names of the X and Y coordinates of the traces.
POSITIONS = ("cdp_x", "cdp_y")
#: Other units of the vertical axis in milliseconds or meters.
SCALES = {"s": 1000.0, "sec": 1000.0, "seconds": 1000.0, "us": 1e-3, "km": 1000.0}
#: Sample formats of SEG-Y revision 1 that can be written.
CODES = {FORMATS[code][0]: code for code in (1, 2, 3, 5, 8)}
SLAB_BYTES = 32_000_000
#: Coordinates in new SEG-Y files are in units of 1/100, such as centimeters.
POSITION_SCALE = 100


@dataclass(frozen=True)
class Parts:
    """A cube with its axes in order, and the metadata of its DataArray."""

    array: object
    dims: tuple
    coords: dict
    classes: list | None  # of the fourth axis
    name: str
    attrs: dict

    @property
    def shape(self):
        return tuple(int(size) for size in self.array.shape)

    def along(self, axis):
        """Coordinates of an axis, in ms or m if vertical; None if it has none."""
        coordinate = self.coords.get(self.dims[axis])
        if coordinate is None or axis != 2 or self.unit not in SCALES:
            return None if coordinate is None else np.asarray(coordinate)
        return np.asarray(coordinate) * SCALES[self.unit]

    @property
    def unit(self):
        """Unit of the vertical axis; None if it is not known."""
        return getattr(self.coords.get(self.dims[2]), "attrs", {}).get("units")


def take_apart(cube, classes=None):
    """Parts of a cube; `classes` are the names along a fourth axis."""
    labeled = hasattr(cube, "dims") and hasattr(cube, "coords")
    if labeled:
        cube = _with_axes(cube) if cube.ndim in (3, 4) else cube
        check_axes(cube, "cube")
        cube = cube.transpose(*ordered_dims(cube))
    array = unwrap(cube)[0]
    if len(getattr(array, "shape", ())) != 4 or 0 in array.shape:
        array = check_cube(array, "cube")
    if np.dtype(array.dtype).kind not in "biuf":
        raise ValueError(
            f"`cube` holds {array.dtype}, but files hold numbers. Map labels to integers, such as "
            "classes, codes = np.unique(labels, return_inverse=True), and explain them in `note`."
        )
    dims = tuple(map(str, cube.dims)) if labeled else DIMS[: len(array.shape)]
    coords = dict(cube.coords) if labeled else {}
    if len(array.shape) == 4:
        n_classes = int(array.shape[3])
        if classes is None:
            classes = np.asarray(coords.get(dims[3], range(n_classes))).tolist()
        if len(classes) != n_classes:
            raise ValueError(
                f"`classes` must have {n_classes} names, as many as `cube` has classes; got "
                f"{len(classes)}."
            )
        coords = coords if dims[3] in coords or not labeled else {**coords, dims[3]: classes}
    name = str(getattr(cube, "name", None) or "cube")
    attrs = dict(cube.attrs) if labeled else {}
    names = None if len(array.shape) == 3 else list(classes)
    return Parts(array, dims, coords, names, "cube" if name in coords else name, attrs)


def _with_axes(cube):
    """A DataArray with the package's axis names, if it has those of other software."""
    if not any(str(name).casefold() in AXES_BY_NAME for name in cube.dims):
        return cube
    axes = axes_by_name(cube.dims, what="`cube`")
    renamed = {old: new for old, new in zip(cube.dims, axes, strict=True) if old != new}
    return cube.rename(renamed) if renamed else cube


def _read_slabs(array, axis, min_lines=1):
    """Yield (key, values) of the cube, a few lines of an axis at a time; chunks are read once.

    Chunked arrays are read along the axis with more chunks, other arrays in multiples of
    `min_lines`.
    """
    shape = tuple(int(size) for size in array.shape)
    if is_dask(array):
        axis = int(array.numblocks[1] > array.numblocks[0])
        ends = np.cumsum(array.chunks[axis]).tolist()
    else:
        lengths = _chunk_lengths(array)
        if lengths != [1, 1]:
            axis = int(shape[1] // lengths[1] > shape[0] // lengths[0])
        elif axis == 0:
            lengths[0] = min_lines
        ends = [*range(lengths[axis], shape[axis], lengths[axis]), shape[axis]]
    line_bytes = int(np.prod(shape)) // shape[axis] * np.dtype(array.dtype).itemsize
    start = 0
    for i, end in enumerate(ends):
        following = ends[i + 1] if i + 1 < len(ends) else None
        if following is not None and (following - start) * line_bytes <= SLAB_BYTES:
            continue
        key = (slice(None),) * axis + (slice(start, end),)
        yield key, np.asarray(array[key])
        release_pages(array)
        start = end


def _chunk_lengths(array):
    """Number of inlines and crosslines in one chunk of the array on disk."""
    stored = getattr(array, "encoding", {}).get("preferred_chunks", {})
    dims = getattr(array, "dims", (0, 1))
    return [int(stored.get(dims[axis], chunk_length(array, axis))) for axis in (0, 1)]


@contextlib.contextmanager
def _open_whole(path, n_bytes):
    """Open a file that is named `path` once it is complete; raises if the disk lacks space."""
    check_space(path, n_bytes)
    with whole_file(path) as part, open(part, "xb") as file:
        yield file


# --- SEG-Y ----------------------------------------------------------------------------------


def write_segy(path, parts, like, sample_format, places, note):
    """Write a SEG-Y file, or one for each class; return the path or paths."""
    places = _places(parts, *places)
    now = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"
    lines = textwrap.wrap(f"skfacies {__version__} wrote this, {now}. {note or ''}", 76)
    if like is None:
        target, geometry, head, headers_of = _new_target(parts, sample_format, places, lines)
    else:
        target, geometry, head, headers_of = _target_like(like, parts, sample_format, places, lines)
    paths = [path] if parts.classes is None else class_paths(path, parts.classes)
    for each in paths if like is not None else []:
        if each.exists() and os.path.samefile(each, like):
            raise ValueError(f"`path` {each} is the file of `like`. Give another name.")
    axis = 1 if geometry.sorting == "crossline" else 0
    with contextlib.ExitStack() as stack:
        needed = target.size * len(paths)
        files = [stack.enter_context(_open_whole(each, needed)) for each in paths]
        for file in files:
            file.write(head)
        for key, values in _read_slabs(parts.array, axis):
            whole = [np.arange(n) for n in parts.shape[:2]]
            rows, columns = [n[k] for n, k in zip(whole, (*key, slice(None))[:2], strict=True)]
            numbers = geometry.numbers(rows, columns)
            live = numbers >= 0
            crossings = np.meshgrid(
                geometry.inlines[rows], geometry.crosslines[columns], indexing="ij"
            )
            headers = headers_of(numbers[live], *(part[live] for part in crossings))
            traces = values[live]
            if geometry.dead is not None:
                traces = _without_nan(traces, geometry.dead[np.ix_(rows, columns)][live])
            for k, file in enumerate(files):
                chosen = traces if parts.classes is None else traces[..., k]
                samples = encode_samples(chosen, target)
                write_records(file, target, numbers[live], headers, samples)
    return paths[0] if parts.classes is None else paths


def _without_nan(traces, dead):
    """Traces with 0 where dead traces are NaN; their headers mark them as dead."""
    if traces.dtype.kind == "f" and dead.any():
        traces[dead] = np.where(np.isnan(traces[dead]), 0, traces[dead])
    return traces


def _places(parts, inline_byte, crossline_byte):
    """Bytes of the line numbers; by default those that the cube was opened with."""
    if inline_byte is None:
        inline_byte = int(parts.attrs.get("inline_byte", 189))
    if crossline_byte is None:
        crossline_byte = int(parts.attrs.get("crossline_byte", 193))
    for name, byte in (("inline_byte", inline_byte), ("crossline_byte", crossline_byte)):
        if not (byte == 0 and name == "inline_byte") and not 1 <= byte <= HEADER - 3:
            raise ValueError(f"`{name}` must be from 1 to {HEADER - 3}; got {byte}.")
    return inline_byte or None, crossline_byte


def class_paths(path, classes):
    names = [re.sub(r"[^\w.+-]+", "_", str(name)) for name in classes]
    if len(set(names)) < len(names):
        raise ValueError(f"`classes` must give distinct file names; got {classes}.")
    return [path.with_name(f"{path.stem}_{name}{path.suffix}") for name in names]


def _code(dtype, sample_format, like_code=None):
    """Code of the sample format for values of a data type."""
    if sample_format is not None:
        return CODES[sample_format]
    dtype = np.dtype(dtype)
    if like_code is not None:
        own = np.dtype("f4" if like_code == 1 else FORMATS[like_code][1])
        if own == dtype.newbyteorder("=") or (own.kind == dtype.kind == "f"):
            return like_code
    if dtype.kind == "f":
        return CODES["ieee"]
    fits = [name for name in ("int8", "int16", "int32") if np.can_cast(dtype, name)]
    return CODES[fits[0] if fits else "int32"]  # encoding rejects values that do not fit


def _target_like(like, parts, sample_format, places, lines):
    """File with the headers of `like`: structure, geometry, file header, trace header function."""
    own = parts.attrs.get("source")
    opened = parts.attrs if own and os.path.exists(own) and os.path.samefile(own, like) else {}
    source = read_structure(like, opened.get("sample_format"))
    words = read_headers(source, *places)
    geometry = find_geometry(source, words, *places, parts.attrs.get("duplicates", "raise"))
    _check_like(like, parts, source, geometry)
    target = replace(source, code=_code(parts.array.dtype, sample_format, source.code))
    kept = np.arange(source.n_traces)
    if geometry.index is not None:  # one trace is written for each crossing
        kept = np.unique(geometry.index[geometry.index >= 0])
        index = np.where(geometry.index < 0, -1, np.searchsorted(kept, geometry.index))
        target, geometry = replace(target, n_traces=len(kept)), replace(geometry, index=index)
    with open(like, "rb") as file:
        head = bytearray(file.read(source.start))
    head[:3200] = stamp_text(bytes(head[:3200]), lines)
    head[3224:3226] = target.code.to_bytes(2, "big" if source.order == ">" else "little")
    return target, geometry, head, lambda n, *_: read_bytes(source, kept[n], 0, source.header)


def _check_like(like, parts, source, geometry):
    """Reject a cube if its shape or coordinates differ from those of `like`."""
    lines = [geometry.inlines, geometry.crosslines]
    shape = (*map(len, lines), source.n_samples)
    if parts.shape[:3] != shape:
        raise ValueError(
            f"`cube` must have the shape of `like`={os.fspath(like)!r}, {shape}; got "
            f"{parts.shape[:3]}. Give the file that `cube` was opened from, the whole cube, and "
            "the bytes of its line numbers."
        )
    expected = [*lines, None]
    if source.interval is not None and len(geometry.delays) == 1:
        expected[2] = geometry.delays[0] + source.interval * np.arange(source.n_samples)
    for axis, numbers in enumerate(expected):
        own = parts.along(axis)
        if own is None or numbers is None or np.allclose(own, numbers, rtol=0, atol=1e-3):
            continue
        k = int(np.argmax(~np.isclose(own, numbers, rtol=0, atol=1e-3)))
        dim = parts.dims[axis]
        raise ValueError(
            f"`cube` has {dim} {own[k]:g} at position {k}, where `like`={os.fspath(like)!r} has "
            f"{numbers[k]:g}. Give the file that `cube` was opened from; if its coordinates are "
            f"wrong, use cube.drop_vars({dim!r})."
        )


def _new_target(parts, sample_format, places, lines):
    """New revision 1 file: structure, geometry, file header, and trace header function."""
    inlines, crosslines = (_line_numbers(parts, axis) for axis in (0, 1))
    first, interval = _sampling(parts)
    n_samples = parts.shape[2]
    live = parts.coords.get("live")
    live = np.ones(parts.shape[:2], bool) if live is None else np.asarray(live, bool)
    index = np.full(live.shape, -1, np.int64)
    index[live] = np.arange(np.count_nonzero(live))
    geometry = Geometry(inlines, crosslines, "inline", index=index)
    code = _code(parts.array.dtype, sample_format)
    is_deep = AXES_BY_NAME.get(parts.dims[2]) == "depth"
    feet = is_deep and parts.unit in ("ft", "feet", "foot")
    lengths = "ft" if feet else "m"
    target = SegyFile("", 3600, int(live.sum()), n_samples, code, interval=interval, unit=lengths)
    unit = lengths if is_deep else "ms"
    positions = _whole_positions(parts, live)
    words = [byte for byte in places if byte is not None]
    texts = [
        *lines,
        f"Inlines {inlines.min()} to {inlines.max()}: bytes 9-12 and from byte {words[0]}",
        f"Crosslines {crosslines.min()} to {crosslines.max()}: bytes 21-24 and from byte "
        f"{words[-1]}",
        f"{n_samples} samples from {first} {unit}, interval {interval:g} {unit}",
    ]
    head, template = new_headers(target, first_sample=first, lines=texts)

    def headers_of(numbers, own_inlines, own_crosslines):
        headers = np.tile(template.view(">i4"), (len(numbers), 1))
        fields = {1: numbers + 1, 5: numbers + 1, 9: own_inlines, 21: own_crosslines}
        fields |= {25: 1, 189: own_inlines, 193: own_crosslines}
        fields |= {byte: xy[numbers] for byte, xy in positions.items()}
        for byte, value in fields.items():
            headers[:, (byte - 1) // 4] = value
        headers = headers.view(np.uint8)
        if positions:
            headers[:, 70:72] = np.array([-POSITION_SCALE], ">i2").view(np.uint8)
        for byte, value in zip(places, (own_inlines, own_crosslines), strict=True):
            if byte is not None:
                headers[:, byte - 1 : byte + 3] = value.astype(">i4")[:, None].view(np.uint8)
        return headers

    return target, geometry, head, headers_of


def _whole_positions(parts, live):
    """X and Y of live traces as words of trace headers, by byte; none if they do not fit."""
    if not set(POSITIONS) <= set(parts.coords):
        return {}
    words = [np.asarray(parts.coords[name])[live] * POSITION_SCALE for name in POSITIONS]
    words = [np.rint(np.nan_to_num(xy)) for xy in words]
    if max(np.abs(xy).max(initial=0) for xy in words) >= 2**31:
        return {}
    own = tuple(parts.attrs.get(name) for name in ("x_byte", "y_byte"))
    aligned = all(byte and byte % 4 == 1 for byte in own)
    return {
        byte: xy
        for pair in ((181, 185), own if aligned else ())
        for byte, xy in zip(pair, words, strict=bool(pair))
    }


_ADVICE = (
    "Give a DataArray with coordinates, such as xarray.DataArray(cube, {'inline': range(200, 300), "
    "'crossline': range(400, 500), 'twt': range(0, 1848, 4)}), or `like`, a SEG-Y file of the "
    "same traces."
)


def _line_numbers(parts, axis):
    numbers = parts.along(axis)
    if numbers is None:
        raise ValueError(f"`cube` has no {DIMS[axis]} numbers for SEG-Y. {_ADVICE}")
    whole = numbers.astype(np.int32, casting="unsafe") if numbers.dtype.kind in "iuf" else None
    if whole is None or not np.array_equal(whole, numbers) or len(np.unique(whole)) < len(whole):
        raise ValueError(
            f"the {parts.dims[axis]}s of `cube` must be distinct whole numbers for SEG-Y; got "
            f"{numbers[:4].tolist()} …."
        )
    return whole


def _sampling(parts):
    """First sample and sample interval, if trace headers of revision 1 can hold them."""
    times = parts.along(2)
    if times is None or len(times) < 2:
        raise ValueError(
            f"`cube` must have two or more times or depths for SEG-Y; got none or one. {_ADVICE}"
        )
    times = times.astype(float)
    interval = (times[-1] - times[0]) / (len(times) - 1)
    units = round(interval * 1000)
    regular = np.allclose(np.diff(times), units / 1000, rtol=0, atol=1e-3)
    if not regular or not 1 <= units < 1 << 16 or abs(interval * 1000 - units) > 1e-3:
        raise ValueError(
            "for SEG-Y, the vertical coordinates of `cube` must have one constant interval, a "
            f"multiple of 0.001 up to 65.535 (ms, m or ft); got {times[:3].tolist()} …. Write "
            ".zarr instead."
        )
    if times[0] != round(times[0]) or abs(times[0]) >= 1 << 15 or len(times) >= 1 << 16:
        raise ValueError(
            f"SEG-Y revision 1 stores at most 65535 samples per trace, starting at a whole number "
            f"below 32768; `cube` has {len(times)} starting at {times[0]:g}. Cut it, or write "
            ".zarr."
        )
    return round(times[0]), units / 1000


# --- NumPy and Zarr -------------------------------------------------------------------------


def write_npy(path, parts):
    """Write a .npy file; return its path."""
    dtype, shape = np.dtype(parts.array.dtype), parts.shape
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    with _open_whole(path, n_bytes) as file:
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        line, trace = n_bytes // shape[0], n_bytes // shape[0] // shape[1]
        for key, values in _read_slabs(parts.array, 0):
            values = np.ascontiguousarray(values, dtype)
            if len(key) == 1:
                file.seek(start + key[0].start * line)
                file.write(values.data.cast("B"))
                continue
            for i, part in enumerate(values):
                file.seek(start + i * line + key[1].start * trace)
                file.write(part.data.cast("B"))
    return path


def write_zarr(path, parts):
    """Write a Zarr store of format 3, with coordinates as xarray writes them; return its path."""
    import xarray
    import zarr

    if path.exists() and not any(
        (path / name).exists() for name in ("zarr.json", ".zgroup", ".zarray")
    ):
        raise ValueError(
            f"`path` {path} exists and is not a Zarr store. Remove it, or give another name."
        )
    lines = max(1, min(64, 2 * SLAB_BYTES * parts.shape[0] // max(1, _n_bytes(parts))))
    chunks = _chunk_lengths(parts.array)
    if chunks == [1, 1]:
        chunks = [lines, 64]
    with whole_folder(path) as part:
        with warnings.catch_warnings():  # coordinates of strings have no final form in format 3
            warnings.filterwarnings("ignore", "The data type .* does not have a Zarr V3")
            dataset = xarray.Dataset(coords=parts.coords)
            dataset.to_zarr(part, mode="w", zarr_format=3, consolidated=False)
        array = zarr.open_group(part, mode="r+").create_array(
            parts.name,
            shape=parts.shape,
            dtype=parts.array.dtype,
            chunks=tuple(
                min(a, b) for a, b in zip((*chunks, *parts.shape[2:]), parts.shape, strict=True)
            ),
            dimension_names=parts.dims,
            attributes=json.loads(json.dumps(parts.attrs, default=_plain)),
        )
        for key, values in _read_slabs(parts.array, 0, min_lines=lines):
            array[key] = values
    return path


def _n_bytes(parts):
    return int(np.prod(parts.shape)) * np.dtype(parts.array.dtype).itemsize


def _plain(value):
    """NumPy numbers and arrays as JSON values; anything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
