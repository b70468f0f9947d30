"""Cubes in Zarr stores: arrays, datasets written by xarray, and MDIO stores."""

import numpy as np

from skfacies._cubes.axes import UNITS, axes_by_name, unit_of
from skfacies._cubes.lazy import ZarrCube, lazy_variable, with_missing

__all__ = ["choose_name", "open_zarr"]

#: Masks of live traces in MDIO stores.
MASKS = ("trace_mask", "live_mask")
#: Groups of MDIO stores before version 1: amplitudes, and live masks.
MDIO_DATA, MDIO_METADATA = "data", "metadata"


def open_zarr(path, domain, variable):
    """Open the cube of a Zarr store, with the coordinates that the store has."""
    import xarray
    import zarr

    try:
        node = zarr.open(path, mode="r")
    except Exception as error:  # zarr raises many errors of its own
        raise ValueError(
            f"{path} cannot be opened as a Zarr store: {type(error).__name__}: {error}."
        ) from error
    if isinstance(node, zarr.Array):
        names = getattr(node.metadata, "dimension_names", None) or ()
        dims = names if len(names) == node.ndim and all(names) else _numbered(node, path)
        return _cube(node, dims, {}, dict(node.attrs), None, domain, path)
    if MDIO_DATA in node and MDIO_METADATA in node:
        return _open_old_mdio(node, domain, variable, path)
    # Values as stored: the fill value of Zarr is a label like any other.
    dataset = xarray.open_dataset(
        path,
        engine="zarr",
        chunks=None,
        cache=False,
        consolidated=False,
        mask_and_scale=False,
        decode_times=False,
        drop_variables=[name for name, array in node.arrays() if array.dtype.kind == "V"],
    )
    cubes = [str(name) for name, array in dataset.data_vars.items() if array.ndim in (3, 4)]
    name = choose_name(cubes, variable, path)
    stored = dataset[name]
    coords = {name: coord.load() for name, coord in stored.coords.items()}
    for mask in MASKS:
        if mask in dataset and set(dataset[mask].dims) < set(stored.dims) and "live" not in coords:
            coords |= _live(dataset[mask].dims, dataset[mask].values)
    return _cube(node[name], stored.dims, coords, stored.attrs, name, domain, path)


def _open_old_mdio(node, domain, variable, path):
    """Open an MDIO store of a version before 1."""
    arrays = {name: array for name, array in node[MDIO_DATA].arrays() if array.ndim == 3}
    name = choose_name(sorted(arrays), variable, path)
    axes = node.attrs.get("dimension", [])
    dims, coords = _numbered(arrays[name], path), {}
    if [len(axis["coords"]) for axis in axes] == list(arrays[name].shape):
        dims = tuple(axis["name"] for axis in axes)
        coords = {axis["name"]: np.asarray(axis["coords"]) for axis in axes}
    metadata = node[MDIO_METADATA]
    for mask in MASKS:
        if mask in metadata:
            coords |= _live(dims[:2], np.asarray(metadata[mask][:], bool))
    return _cube(arrays[name], dims, coords, {}, "amplitude", domain, path)


def _live(dims, mask):
    return {} if np.all(mask) else {"live": (dims, np.asarray(mask, bool))}


def _numbered(array, path):
    if array.ndim not in (3, 4):
        raise ValueError(
            f"{path} must hold a cube of shape (n_inlines, n_crosslines, n_samples); got a "
            f"{array.ndim}-D array. Save a section as section[None]."
        )
    return tuple(f"dim_{k}" for k in range(array.ndim))


def _cube(array, dims, coords, attrs, name, domain, path):
    """Cube of an array, with the package's axis order and names."""
    from xarray import DataArray

    if len(dims) not in (3, 4):
        _numbered(array, path)
    axes = axes_by_name(dims, domain, str(path))
    source = ZarrCube(array)
    if source.dtype.kind == "f" and 0 not in source.shape:
        source = with_missing(source, _some_samples(source, axes))
    cube = DataArray(lazy_variable(source, dims), coords=coords, attrs=attrs, name=name)
    renamed = {old: new for old, new in zip(dims, axes, strict=True) if old != new}
    cube = cube.drop_vars([new for new in renamed.values() if new in cube.coords])
    cube = cube.rename(renamed)
    vertical = next(axis for axis in axes if axis not in ("inline", "crossline", "facies"))
    if vertical in cube.coords:
        values = cube[vertical]
        unit = unit_of(vertical, values.values, values.attrs) or UNITS[domain]
        cube = cube.assign_coords({vertical: values.assign_attrs(units=unit)})
    cube = cube.transpose("inline", "crossline", vertical, ...)
    cube.encoding["preferred_chunks"] = dict(zip(axes, array.chunks, strict=True))
    return cube


def _some_samples(source, axes):
    """Three traces spread over a cube."""
    traces = []
    for k in (1, 2, 3):
        places = zip(axes, source.shape, strict=True)
        key = (n * k // 4 if axis in ("inline", "crossline") else slice(None) for axis, n in places)
        traces.append(source.read(tuple(key)).ravel())
    return np.concatenate(traces)


def choose_name(names, variable, path):
    """The name of the cube to open; raises if it is ambiguous."""
    if variable in names:
        return variable
    if variable is None and len(names) == 1:
        return names[0]
    listed = ", ".join(map(repr, names)) or "none"
    asked = "one cube" if variable is None else f"`variable` {variable!r}"
    raise ValueError(f"{path}: expected {asked}, found {listed}. Set `variable` to one of these.")
