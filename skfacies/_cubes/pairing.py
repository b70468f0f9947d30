"""Labels and weights at the positions of the amplitudes, matched by names and coordinates."""

import numpy as np

from skfacies._cubes.axes import known_axes
from skfacies._cubes.holders import (
    check_axes,
    check_chunks,
    check_cube,
    has_named_axes,
    is_transposed,
    ordered_dims,
    shape_of,
    unwrap,
    warn_if_incomplete,
)
from skfacies._cubes.volumes import as_volumes, first_volume
from skfacies._sections.survey_scale import sample_interval
from skfacies._sections.validation import check_same_structure

__all__ = [
    "align",
    "align_known",
    "check_amplitudes",
    "check_pair",
    "check_weights",
    "interval_of",
]


def check_amplitudes(X, name="X"):
    """Amplitudes as an array; several volumes are a fourth axis. And how to wrap results."""
    X = as_volumes(X, name)
    check_axes(first_volume(X), name)
    cube, wrap = unwrap(X)
    cube = check_cube(cube, name, volumes=True)
    if np.dtype(cube.dtype).kind not in "biuf":
        raise ValueError(f"`{name}` must hold real amplitudes; got dtype {cube.dtype}.")
    return cube, wrap


def check_pair(X, y, ignore_label=-1, X_name="X", y_name="y"):
    """Cube and labels as arrays with axes in the same order; several volumes are a fourth axis."""
    if y is None:
        raise ValueError(f"This estimator requires {y_name} to be passed, but it is None.")
    X = as_volumes(X, X_name)
    first = first_volume(X)
    check_axes(first, X_name)
    labels = unwrap(align(y, first, y_name, X_name, ignore_label))[0]
    cube = check_cube(unwrap(X)[0], X_name, volumes=True)
    check_chunks(labels, y_name)
    labels = check_same_structure(labels, cube, y_name, X_name, channels=True)
    for array in (cube, labels):
        warn_if_incomplete(array)
    return cube, labels


def check_weights(weights, X, cube):
    """Weights as an array in the shape of the cube; inline weights are broadcast, not copied.

    Parameters
    ----------
    weights : number, or array-like of shape (n_inlines,) or of the shape of `X`
    X, cube : amplitudes as given, and as returned by `check_pair`
    """
    X, shape = first_volume(X), shape_of(cube)[:3]
    if np.ndim(weights) == 1:
        if has_named_axes(weights) and set(known_axes(weights.dims).values()) - {"inline"}:
            raise ValueError(
                f"`sample_weight` has one weight for each {weights.dims[0]!r}. Give one for each "
                "inline, or one for each sample."
            )
        weights = np.asarray(weights)
        if len(weights) == cube.shape[0]:
            return np.broadcast_to(weights[:, None, None], shape)
    if np.ndim(weights) == 0:
        return np.broadcast_to(np.asarray(weights), shape)
    weights = unwrap(align(weights, X, "sample_weight", fill_value=0))[0]
    check_chunks(weights, "sample_weight")
    return check_same_structure(weights, cube, "sample_weight", channels=True)


def align_known(y, X, y_name="y", X_name="X", fill_value=-1):
    """Labels aligned by `align` if both have the same axis names; otherwise unchanged."""
    if has_named_axes(y):
        known = has_named_axes(X) and set(X.dims) == set(y.dims)
    else:
        known = is_transposed(X) and getattr(y, "ndim", 0) == len(X.dims)  # `align` raises
    return align(y, X, y_name, X_name, fill_value) if known else y


def align(y, X, y_name="y", X_name="X", fill_value=-1):
    """Labels with axes in the order of the amplitudes, if both have axis names.

    `fill_value` appears in error messages only: it is the value for samples without a label.

    Raises
    ------
    ValueError
        If names or coordinates differ.
    """
    if not has_named_axes(X) or not has_named_axes(y):
        if is_transposed(X):
            raise ValueError(
                f"`{X_name}` has the axes {X.dims}, but the axes of `{y_name}` are not known. "
                f"Give both as DataArrays, or use {X_name}.transpose{ordered_dims(X)}."
            )
        check_axes(y, y_name)
        return y
    if set(X.dims) != set(y.dims):
        raise ValueError(
            f"`{y_name}` has the axes {y.dims}, but `{X_name}` has {X.dims}. Give them the same "
            f"names with {y_name}.rename."
        )
    for dim in X.dims:
        if dim in X.indexes and dim in y.indexes:
            _check_coordinates(y.indexes[dim], X.indexes[dim], dim, y_name, X_name, fill_value)
    return y.transpose(*X.dims)


def _check_coordinates(own, others, dim, y_name, X_name, fill_value):
    """Check that labels have the lines, times or depths of the amplitudes."""
    own, others = np.asarray(own), np.asarray(others)
    if _are_same(own, others):
        return
    advice = (
        f"Use {y_name}.reindex_like({X_name}, fill_value={fill_value!r}), which matches them by "
        "their coordinates"
    )
    if not np.isin(own, others).any():
        advice = f"They have no {dim} in common"
    if len(own) == len(others):
        advice += (
            ". If they match in their present order, and only the unit or first value differs, "
            f"use {y_name}.assign_coords({dim}={X_name}.{dim})"
        )
    raise ValueError(
        f"`{y_name}` has {dim!r} coordinates that differ from those of `{X_name}`: "
        f"{_describe(own)}, not {_describe(others)}. Both must have the same positions. {advice}."
    )


def _are_same(own, others):
    """Whether coordinates are equal; floats may differ by rounding."""
    if own.shape != others.shape:
        return False
    kinds = {own.dtype.kind, others.dtype.kind}
    if "f" not in kinds or not kinds <= set("iuf"):
        return np.array_equal(own, others)
    spacing = np.abs(np.diff(others)).min() if len(others) > 1 else 1.0
    return bool((np.abs(own - others) <= 1e-3 * spacing).all())


def _describe(values):
    return f"{len(values)} from {values[0]} to {values[-1]}"


def interval_of(X):
    """Sample interval of a cube that is a DataArray with a vertical coordinate; else None."""
    X = first_volume(X)
    return sample_interval(X.transpose(*ordered_dims(X)) if has_named_axes(X) else X)
