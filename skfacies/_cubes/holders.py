"""Cubes in any container: shape, lateral axes, reading in slabs, writing, memory.

A cube is ``(n_inlines, n_crosslines, n_samples)``: an array in memory or mapped from a file, a Zarr
or HDF5 array, an `xarray.DataArray`, or a Dask array. None of these packages is imported here.
Several volumes of a survey (`skfacies._cubes.volumes`) have one more axis at the end.
"""

import math
import warnings
from pathlib import Path

import numpy as np

from skfacies._cubes.axes import known_axes
from skfacies._files import sync_file
from skfacies._sections.mapped import memory_map, release_pages
from skfacies._sections.validation import MOST_CHANNELS, as_array, is_listlike

__all__ = [
    "AXES",
    "DIRECTIONS",
    "SectionsOnDisk",
    "check_axes",
    "check_chunks",
    "check_cube",
    "check_out",
    "check_place",
    "chunk_length",
    "has_named_axes",
    "is_dask",
    "is_transposed",
    "ordered_dims",
    "read_lines",
    "read_safely",
    "release_pages",
    "rows_at_once",
    "section_axes",
    "shape_of",
    "swap_lines",
    "to_disk",
    "unwrap",
    "warn_if_incomplete",
    "write_lines",
]

#: Names of the lines along which sections are cut.
AXES = ("inline", "crossline")

DIRECTIONS = {"inline": (0,), "crossline": (1,), "both": (0, 1)}


def check_cube(X, name="X", *, volumes=False):
    """Return a cube as an array with three axes, without reading or copying it.

    With `volumes`, several volumes of one survey may be a fourth axis.
    """
    if is_listlike(X) and len({getattr(section, "shape", None) for section in X}) > 1:
        raise ValueError(
            f"`{name}` must be a cube of shape (n_inlines, n_crosslines, n_samples); got a list of "
            "sections of different shapes. They are already cut: give them to the segmenter."
        )
    check_axes(X, name)
    if is_transposed(X):
        raise ValueError(
            f"`{name}` has the axes {X.dims}, but inlines come first and crosslines second in a "
            f"cube. Use {name}.transpose{ordered_dims(X)}."
        )
    cube = as_array(X, name)
    check_chunks(cube, name)
    shape = shape_of(cube, name)
    volumes = volumes and len(shape) == 4 and shape[3] <= min(MOST_CHANNELS, shape[2])
    if len(shape) != (4 if volumes else 3):
        advice = {
            2: f" A section is already cut: give {name}[None] to the segmenter.",
            4: " Give several volumes of a survey as a list of cubes.",
        }
        raise ValueError(
            f"`{name}` must be a cube of shape (n_inlines, n_crosslines, n_samples); got a "
            f"{len(shape)}-D array of shape {shape}.{advice.get(len(shape), '')}"
        )
    if 0 in shape:
        empty = ("inline", "crossline", "sample", "volume")[shape.index(0)]
        raise ValueError(f"`{name}` is empty: Found cube with 0 {empty}(s) (shape={shape}).")
    return cube


def check_chunks(cube, name="X"):
    """Reject a Dask array whose shape is unknown until it is computed."""
    if is_dask(cube) and np.isnan(cube.shape).any():
        raise ValueError(
            f"`{name}` has chunks of unknown size. Use {name}.compute_chunk_sizes(), or read it "
            "from a store."
        )


def section_axes(direction, shape):
    """Axes whose lines are cut: those of the direction, or of the single line of a cube.

    Cut across a single line, each section would be one trace.
    """
    single = [axis for axis in (0, 1) if shape[axis] == 1]
    return tuple(single) if len(single) == 1 else DIRECTIONS[direction]


def shape_of(data, name="X"):
    """Shape of an array or of a list of sections; None if the sections differ in shape."""
    if not is_listlike(data):
        return tuple(int(size) for size in as_array(data, name).shape)
    shapes = {shape_of(as_array(section, name)) for section in data}
    return (len(data), *shapes.pop()) if len(shapes) == 1 else None


def swap_lines(array):
    """Exchange the two lateral axes, without reading or copying."""
    if isinstance(array, SectionsOnDisk) and array.is_whole():
        return array.cube
    if not hasattr(array, "transpose"):
        return SectionsOnDisk(array, 1, np.arange(array.shape[1]))
    axes = list(getattr(array, "dims", range(len(array.shape))))  # xarray has names for them
    axes[:2] = axes[1::-1]
    return array.transpose(*axes)


class SectionsOnDisk:
    """Lines of an array that can be sliced but not transposed (Zarr, HDF5), read on demand.

    Has what `check_sections` requires of an array: shape, dtype and slicing of the first axis.
    """

    def __init__(self, cube, axis, lines):
        self.cube = cube
        self.axis = axis
        self.lines = lines
        self.shape = (len(lines), int(cube.shape[1 - axis]), *map(int, cube.shape[2:]))
        self.dtype = cube.dtype
        self.ndim = len(self.shape)

    def is_whole(self):
        """Whether this is the whole cube with its lateral axes exchanged."""
        return self.axis == 1 and np.array_equal(self.lines, np.arange(self.cube.shape[1]))

    def __len__(self):
        return len(self.lines)

    def __getitem__(self, key):
        first, *others = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            first, others = slice(None), [Ellipsis, *others]
        lines = self.lines[first]
        if np.ndim(lines) == 0:
            return self._read(int(lines))[tuple(others)]
        return self._read_all(lines)[(slice(None), *others)]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype=dtype)

    def _read(self, line):
        return np.asarray(self.cube[:, line] if self.axis else self.cube[line])

    def _read_all(self, lines):
        if len(lines) and np.array_equal(lines, np.arange(lines[0], lines[0] + len(lines))):
            # Neighboring lines share chunks: one read unpacks each chunk only once.
            run = self._read(slice(int(lines[0]), int(lines[-1]) + 1))
            return run.swapaxes(0, 1) if self.axis else run
        sections = np.empty((len(lines), *self.shape[1:]), dtype=self.dtype)
        for i, line in enumerate(lines):
            sections[i] = self._read(int(line))
        return sections


def is_dask(array):
    """Whether an array is a Dask array."""
    return hasattr(array, "__dask_graph__") and hasattr(array, "rechunk")


def has_named_axes(cube):
    """Whether a cube is an `xarray.DataArray`."""
    return hasattr(cube, "dims") and hasattr(cube, "coords")


def check_axes(cube, name="X"):
    """Reject a DataArray if some axis names are known but do not identify all axes."""
    if not has_named_axes(cube) or len(cube.dims) != 3:
        return
    axes = list(known_axes(cube.dims).values())
    if axes and (len(set(axes)) < len(axes) or not set(AXES) <= set(axes)):
        known = [dim for dim in cube.dims if dim in known_axes(cube.dims)]
        raise ValueError(
            f"`{name}` has the axes {tuple(cube.dims)}, of which {known} are known names: they "
            "do not distinguish inlines, crosslines and samples. Rename the axes with "
            f"{name}.rename, such as to 'inline', 'crossline' and 'twt'; or give {name}.data, "
            "whose axes must be inlines, crosslines and samples, in this order."
        )


def ordered_dims(cube):
    """Names of the axes of a DataArray in the order of a cube, as far as the names show it.

    The axis "facies" of probabilities comes after the samples.
    """
    dims, known = tuple(cube.dims), known_axes(cube.dims)
    names = {axis: dim for dim, axis in known.items()}
    if len(dims) < 3 or not set(AXES) <= set(names):
        return dims
    lines = tuple(names[axis] for axis in AXES)
    others = [dim for dim in dims if dim not in lines]
    others.sort(key=lambda dim: (known.get(dim) != "samples", dim == "facies"))
    return (*lines, *others)


def is_transposed(cube):
    """Whether the axes of a DataArray, by their names, are not in the order of a cube."""
    return has_named_axes(cube) and ordered_dims(cube) != tuple(cube.dims)


def unwrap(cube):
    """Array behind an `xarray.DataArray` with axes in any order, and a function to wrap results.

    Of several volumes, results are like the first.

    Returns
    -------
    cube : array-like of shape (n_inlines, n_crosslines, n_samples)
    wrap : function of (result, name, classes=None)
        Gives a result the coordinates and axis order of the cube; `classes` are the labels of a
        fourth axis.
    """
    if hasattr(cube, "volumes"):
        return cube.unwrapped(), unwrap(cube.first)[1]
    if not has_named_axes(cube):
        return cube, lambda result, name, classes=None: result
    dims = tuple(cube.dims)
    ordered = cube.transpose(*ordered_dims(cube)) if is_transposed(cube) else cube

    def wrap(result, name, classes=None):
        if not isinstance(result, np.ndarray) and not is_dask(result):
            return result  # a DataArray would read all of it
        more = {} if classes is None else {"facies": classes}
        wrapped = type(cube)(
            result,
            dims=(*ordered.dims, *more),
            coords={**{k: v for k, v in ordered.coords.items()}, **more},
            name=name,
            attrs=dict(ordered.attrs),
        )
        return wrapped if ordered is cube else wrapped.transpose(*dims, ...)

    if cube.chunks is not None:
        return ordered.data, wrap
    held = getattr(ordered.variable, "_data", None)
    # Arrays that xarray reads lazily stay lazy: its slicing reads only what is requested.
    return (held if isinstance(held, np.ndarray) else ordered), wrap


def chunk_length(array, axis):
    """Number of lines in one chunk of an array along an axis; 1 if it is not chunked."""
    if isinstance(array, SectionsOnDisk) and array.axis and axis < 2:
        axis = 1 - axis
    array = getattr(array, "cube", array)
    if hasattr(array, "volumes"):
        return max(chunk_length(volume, axis) for volume in array.volumes)
    chunks = getattr(array, "shards", None) or getattr(array, "chunks", None)
    if not chunks:  # lazy xarray arrays have chunk sizes by axis name
        preferred = getattr(array, "encoding", {}).get("preferred_chunks", {})
        return int(preferred.get(array.dims[axis], 1)) if preferred else 1
    chunk = chunks[axis]
    return int(chunk if np.ndim(chunk) == 0 else max(chunk))


def rows_at_once(*arrays, values, largest_chunk=None):
    """Slices of the first axis of arrays of one shape, each of about so many values.

    They are made of whole chunks, so that each chunk is read once, unless a row of chunks holds
    more values than `largest_chunk`.
    """
    n_lines, row = int(arrays[0].shape[0]), math.prod(int(size) for size in arrays[0].shape[1:])
    chunk = max(chunk_length(array, 0) for array in arrays)
    if largest_chunk is not None and chunk * row > largest_chunk:
        chunk = 1
    step = -(-max(1, values // max(1, row)) // chunk) * chunk
    return [slice(start, min(start + step, n_lines)) for start in range(0, n_lines, step)]


def warn_if_incomplete(cube):
    """Warn about a local Zarr array whose store lacks chunks: they read as the fill value."""
    cube = getattr(cube, "cube", cube)
    for array in getattr(cube, "volumes", [cube]):
        if not hasattr(array, "nchunks_initialized") or "Local" not in type(array.store).__name__:
            continue
        missing = array.nchunks - array.nchunks_initialized
        if missing > 0:
            warnings.warn(
                f"{missing} of {array.nchunks} chunks of the Zarr array are not in its store and "
                f"read as {array.fill_value}. Zarr omits chunks that hold only this value; if "
                "yours should hold others, the store is incomplete.",
                UserWarning,
                stacklevel=4,
            )


def read_lines(cube, axis, lines):
    """Sections of a slice of lines: a view if they are in memory, else read at once."""
    if not axis:
        return cube[lines] if isinstance(cube, np.ndarray) else np.asarray(cube[lines])
    if not isinstance(cube, np.ndarray):
        return np.asarray(cube[:, lines]).swapaxes(0, 1)
    if memory_map(cube) is None:
        return cube[:, lines].swapaxes(0, 1)
    sections = np.empty((lines.stop - lines.start, cube.shape[0], *cube.shape[2:]), cube.dtype)
    for rows in _row_blocks(cube):
        sections[:, rows] = cube[rows, lines].swapaxes(0, 1)
        release_pages(cube)
    return sections


def read_safely(cube, axis, lines, name, traces=None):
    """Sections, or a slice of their traces, as `read_lines`; errors say where reading failed."""
    try:
        if traces is None:
            return read_lines(cube, axis, lines)
        if axis:
            return np.asarray(cube[traces, lines]).swapaxes(0, 1)
        return np.asarray(cube[lines, traces])
    except ValueError:
        raise  # readers themselves say what is wrong with the values
    except Exception as error:  # every store has its own errors
        raise OSError(
            f"{AXES[axis]}s {lines.start} to {lines.stop - 1} of `{name}` cannot be read: "
            f"{type(error).__name__}: {error}. Check that the file is complete."
        ) from error


def write_lines(cube, axis, lines, sections):
    """Put sections of a slice of lines into a cube."""
    if not axis:
        cube[lines] = sections
    elif memory_map(cube) is None:
        cube[:, lines] = sections.swapaxes(0, 1)
    else:
        for rows in _row_blocks(cube):
            cube[rows, lines] = sections[:, rows].swapaxes(0, 1)
            release_pages(cube)


def _row_blocks(cube):
    """Blocks of inlines whose pages are mapped at a time; crosslines touch a few pages of each.

    The system maps up to several megabytes around each page that is touched.
    """
    return [slice(i, min(i + 16, cube.shape[0])) for i in range(0, cube.shape[0], 16)]


def to_disk(array, since=0.0):
    """See that what was written to an array in a file or store lies on the disk.

    Of a store, the files that were written since a time.
    """
    mapped, file = memory_map(array), getattr(array, "file", None)
    root = getattr(getattr(array, "store", None), "root", None)
    if mapped is not None:
        mapped.flush()
    elif hasattr(array, "to_disk"):
        array.to_disk()
    elif file is not None and hasattr(file, "flush"):  # HDF5
        file.flush()
    elif isinstance(root, Path):  # Zarr in a folder
        for path in (root / array.path).rglob("*"):
            if path.is_file() and path.stat().st_mtime >= since:
                sync_file(path)


def check_place(out, shape, X):
    """Check an array for results, whose axes must be those of a cube in the usual order."""
    if is_transposed(X):
        raise ValueError(
            f"`out` takes results with the axes {', '.join(ordered_dims(X))}; `X` has {X.dims}. "
            "Transpose `X`, or leave out `out`."
        )
    return check_out(out, shape)


def check_out(out, shape, name="out"):
    """Check that an array for results has the given shape and is writable."""
    if not all(hasattr(out, part) for part in ("shape", "dtype", "__setitem__")) or is_dask(out):
        raise TypeError(
            f"`{name}` must be a writable array (ndarray, memmap, zarr, HDF5); got "
            f"{type(out).__name__}."
        )
    if tuple(int(size) for size in out.shape) != tuple(shape):
        raise ValueError(f"`{name}` must have shape {tuple(shape)}; got {tuple(out.shape)}.")
    flags, file = getattr(out, "flags", None), getattr(out, "file", None)
    if (
        getattr(out, "read_only", False)
        or (flags is not None and not flags.writeable)
        or getattr(file, "mode", "r+") == "r"  # of HDF5
    ):
        raise ValueError(
            f"`{name}` is read-only. Open it for writing, such as with mode='r+', or leave it out."
        )
    return out
