"""Several volumes of one survey, such as near and far stacks, as one cube with an axis for them."""

import os
from operator import itemgetter

import numpy as np

from skfacies._cubes.axes import UNIT_SCALES, unit_of, vertical_kind
from skfacies._cubes.holders import (
    check_axes,
    check_cube,
    has_named_axes,
    is_dask,
    is_transposed,
    ordered_dims,
    unwrap,
)
from skfacies._sections.validation import MOST_CHANNELS, as_array, is_listlike

__all__ = ["Volumes", "as_volumes", "check_volumes", "first_volume", "in_order"]

#: Relative difference of a sample, or of a line number, from which positions are different.
OTHER_PLACE = 0.01


class Volumes:
    """Cubes of one shape as one array with a last axis for them; what is read is stacked.

    Parameters
    ----------
    volumes : list of array-like of shape (n_inlines, n_crosslines, n_samples)
        Or parts of these.
    first : array-like, default=None
        The first of them as it was given, with its axes in any order.
    names : list of str or None, default=None
    """

    def __init__(self, volumes, first=None, names=None):
        self.volumes, self.first = list(volumes), volumes[0] if first is None else first
        self.names = names
        self.shape = (*map(int, self.volumes[0].shape), len(self.volumes))
        self.ndim = len(self.shape)
        self.dtype = _common_dtype([volume.dtype for volume in self.volumes])

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        """The same part of each volume, not read if it is lazy; one volume by a last integer."""
        key, own = _split(key, self.ndim)
        if isinstance(own, (int, np.integer)):
            return self.volumes[own][key]
        return Volumes([volume[key] for volume in self.volumes[own]])

    def __array__(self, dtype=None, copy=None):
        # In memory, volumes come before the traces, as the network expects.
        stacked = np.empty((self.shape[-1], *self.shape[:-1]), dtype or self.dtype)
        for k, volume in enumerate(self.volumes):
            stacked[k] = np.asarray(volume)
        return np.moveaxis(stacked, 0, -1)

    def unwrapped(self):
        """Volumes without names of axes; one Dask array if one of them is lazy."""
        arrays = [unwrap(volume)[0] for volume in self.volumes]
        if not any(map(is_dask, arrays)):
            return Volumes(arrays)
        import dask.array

        chunks = next(array.chunks for array in arrays if is_dask(array))
        arrays = [
            array if is_dask(array) else dask.array.from_array(array, chunks) for array in arrays
        ]
        return dask.array.stack(arrays, axis=-1).astype(self.dtype)


def _split(key, ndim):
    """Key of each volume, and that of the axis of volumes."""
    key = key if isinstance(key, tuple) else (key,)
    place = next((i for i, part in enumerate(key) if part is Ellipsis), None)
    if place is not None:
        between = (slice(None),) * (ndim + 1 - len(key))
        key = (*key[:place], *between, *key[place + 1 :])
    return (key[:-1], key[-1]) if len(key) == ndim else (key, slice(None))


def _common_dtype(dtypes):
    """Type of the volumes; of different ones, floats no longer than the longest float."""
    if len(set(dtypes)) == 1:
        return np.dtype(dtypes[0])
    return np.result_type(np.float32, *(d for d in map(np.dtype, dtypes) if d.kind not in "biu"))


def as_volumes(X, name="X", *, labels=None):
    """A list of cubes, or a cube with an axis for volumes, as `Volumes`; others are unchanged.

    Parameters
    ----------
    X : list or tuple of array-like of shape (n_inlines, n_crosslines, n_samples), or array-like
        Arrays with four axes stay arrays, unless they are DataArrays.
    name : str, default="X"
        For messages.
    labels : list of str, default=None
        What messages call the cubes of a list.

    Raises
    ------
    ValueError
        If the cubes are not of the same survey, see `check_same_survey`.
    """
    names = None
    if has_named_axes(X) and X.ndim == 4:
        dim = _dim_of_volumes(X, name)
        names = list(map(str, X.coords[dim].values)) if dim in X.coords else None
        X = [X.isel({dim: k}, drop=True) for k in range(X.sizes[dim])]
    if not _is_list_of_cubes(X):
        return X
    if len(X) > MOST_CHANNELS:
        raise ValueError(
            f"`{name}` is a list of {len(X)} cubes, but at most {MOST_CHANNELS} volumes of a "
            "survey can be segmented together."
        )
    given = [as_array(cube, f"{name}[{k}]") for k, cube in enumerate(X)]
    ordered = []
    for k, cube in enumerate(given):
        check_axes(cube, f"{name}[{k}]")
        cube = cube.transpose(*ordered_dims(cube)) if is_transposed(cube) else cube
        ordered.append(check_cube(cube, f"{name}[{k}]"))
        if np.dtype(cube.dtype).kind not in "biuf":
            raise ValueError(f"`{name}[{k}]` must hold real amplitudes; got dtype {cube.dtype}.")
    labels = labels or [f"`{name}[{k}]`" for k in range(len(given))]
    for cube, label in zip(ordered[1:], labels[1:], strict=True):
        check_same_survey(ordered[0], cube, labels[0], label)
    return Volumes(ordered, given[0], names or _names_of(given))


def _is_list_of_cubes(X):
    return is_listlike(X) and len(X) > 0 and all(len(getattr(c, "shape", ())) == 3 for c in X)


def _dim_of_volumes(cube, name):
    dim = ordered_dims(cube)[3]
    if dim == "facies":
        raise ValueError(
            f"`{name}` has the axes {cube.dims}: these are probabilities. Give amplitudes."
        )
    return dim


def first_volume(X):
    """The first of several volumes, as it was given; any other cube itself."""
    return X.first if isinstance(X, Volumes) else X


def in_order(X, name="X"):
    """A cube, or several volumes, with axes in the usual order, and the first volume by itself.

    Returns
    -------
    cube : array-like of shape (n_inlines, n_crosslines, n_samples), or with (n_volumes,) after it
    first : array-like of shape (n_inlines, n_crosslines, n_samples)
        With its coordinates.
    """
    cube = as_volumes(X, name)
    if isinstance(cube, Volumes):
        return cube, cube.volumes[0]
    check_axes(cube, name)
    cube = cube.transpose(*ordered_dims(cube)) if has_named_axes(cube) else cube
    cube = check_cube(cube, name, volumes=True)
    return cube, cube[..., 0] if len(cube.shape) == 4 else cube


def _names_of(cubes):
    """Names of their files, or of DataArrays; None if some are missing, or the same."""
    for name_of in (_file_of, _name_of):
        names = list(map(name_of, cubes))
        if all(names) and len(set(names)) == len(names):
            return names
    return None


def _file_of(volume):
    return os.path.basename(str(getattr(volume, "attrs", {}).get("source", "")))


def _name_of(volume):
    name = getattr(volume, "name", None)
    return name if isinstance(name, str) else None


def check_volumes(cube, names, n_trained, trained_names, name="X"):
    """Check that a cube has the volumes of the training, in their order as far as it is known.

    Parameters
    ----------
    cube : array-like of shape (n_inlines, n_crosslines, n_samples), or with (n_volumes,) after it
    names, trained_names : list of str or None
    n_trained : int or None
        None if it is not known.
    """
    n = int(cube.shape[3]) if len(cube.shape) == 4 else 1
    known = f" ({', '.join(trained_names)})" if trained_names else ""
    if n_trained is not None and n != n_trained:
        raise ValueError(
            f"`{name}` has {n} volume(s), but the model was trained on {n_trained}{known}. Give "
            "the same volumes in the same order."
        )
    if names and trained_names and names != trained_names and set(names) == set(trained_names):
        raise ValueError(
            f"`{name}` has the volumes {', '.join(names)}, but the model was trained on "
            f"{', '.join(trained_names)}. Give them in this order."
        )


# --- geometry ---------------------------------------------------------------------------------


def check_same_survey(first, other, first_name, name):
    """Check that two volumes have the same shape, lines and samples, as far as they are known.

    Parameters
    ----------
    first, other : array-like of shape (n_inlines, n_crosslines, n_samples)
        With axes in this order.
    first_name, name : str
        For messages.
    """
    shape, expected = (tuple(map(int, cube.shape)) for cube in (other, first))
    for axis, word in enumerate(("inlines", "crosslines")):
        own, known = (_along(cube, axis)[0] for cube in (other, first))
        if own is None or known is None or _same(own, known):
            continue
        advice = "Cut both to the lines that they share, or use DataArray.reindex_like."
        _refuse(f"{word} {_span(own)}", f"{_span(known)}", first_name, name, advice)
    if shape[:2] != expected[:2]:
        _refuse(
            f"the shape {shape}", f"{expected}", first_name, name, "Cut both to the same lines."
        )
    (own, kind, unit), (known, known_kind, known_unit) = (
        _along(cube, 2) for cube in (other, first)
    )
    if kind and known_kind and kind != known_kind:
        advice = "Convert one of them."
        _refuse(f"samples in {kind}", f"samples in {known_kind}", first_name, name, advice)
    advice = "Resample both to the same samples, or correct the wrong one."
    if own is not None and known is not None and not _same(own, known):
        for what, place in (
            ("a sample interval of", _interval),
            ("its first sample at", itemgetter(0)),
        ):
            if len(own) > 1 < len(known) and not _close(place(own), place(known), _interval(known)):
                words = (f"{what} {place(own):g} {unit}", f"{place(known):g} {known_unit}")
                _refuse(*(text.rstrip() for text in words), first_name, name, advice)
    if shape != expected:
        _refuse(f"{shape[2]} samples", f"{expected[2]}", first_name, name, advice)


def _refuse(own, known, first_name, name, advice):
    raise ValueError(
        f"{name} has {own}, but {first_name} has {known}. Volumes that are segmented together need "
        f"the same lines and samples. {advice}"
    )


def _along(cube, axis):
    """Numbers along an axis, in milliseconds or meters if vertical; its kind and unit, or None."""
    if not has_named_axes(cube):
        return None, None, ""
    dim = cube.dims[axis]
    kind = {"twt": "time", "depth": "depth"}.get(vertical_kind(dim)) if axis == 2 else None
    if dim not in cube.coords or cube.coords[dim].dtype.kind not in "iuf":
        return None, kind, ""
    numbers = np.asarray(cube.coords[dim], dtype=np.float64)
    unit = unit_of(dim, numbers, cube.coords[dim].attrs) or "" if axis == 2 else ""
    scale = UNIT_SCALES.get(kind, {}).get(unit.lower())
    return (numbers, kind, unit) if scale is None else (numbers * scale, kind, _base(kind))


def _base(kind):
    return {"time": "ms", "depth": "m"}[kind]


def _same(own, known):
    return own.shape == known.shape and bool(np.all(_close(own, known, _interval(known))))


def _close(one, other, step):
    return np.abs(one - other) <= OTHER_PLACE * abs(step)


def _interval(numbers):
    return (numbers[-1] - numbers[0]) / (len(numbers) - 1) if len(numbers) > 1 else 1.0


def _span(numbers):
    steps = np.unique(np.diff(numbers))
    every = f", every {steps[0]:g}" if len(steps) == 1 and steps[0] != 1 else ""
    return f"{numbers[0]:g} to {numbers[-1]:g}{every} ({len(numbers)})"
