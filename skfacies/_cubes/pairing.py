"""Amplitudes with the labels and weights that lie where they do, by names and coordinates."""

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
from skfacies._sections.survey_scale import sample_interval
from skfacies._sections.validation import check_same_structure

__all__ = ["interval_of", "align", "align_known", "check_pair", "check_weights"]


def check_pair(X, y, ignore_label=-1, X_name="X", y_name="y"):
    """Cube and labels as arrays with the same order of axes."""
    if y is None:
        raise ValueError(f"This estimator requires {y_name} to be passed, but it is None.")
    check_axes(X, X_name)
    labels = unwrap(align(y, X, y_name, X_name, ignore_label))[0]
    cube = check_cube(unwrap(X)[0], X_name)
    check_chunks(labels, y_name)
    labels = check_same_structure(labels, cube, y_name, X_name)
    for array in (cube, labels):
        warn_if_incomplete(array)
    return cube, labels


def check_weights(weights, X, cube):
    """Weights as an array of the shape of the cube; those of inlines are stretched, not copied.

    Parameters
    ----------
    weights : number, or array-like of shape (n_inlines,) or of the shape of `X`
    X, cube : amplitudes as they were given, and as `check_pair` returned them
    """
    if np.ndim(weights) == 1:
        if has_named_axes(weights) and set(known_axes(weights.dims).values()) - {"inline"}:
            raise ValueError(
                f"`sample_weight` has one weight for each {weights.dims[0]!r}; give one for each "
                "inline, or one for each sample."
            )
        weights = np.asarray(weights)
        if len(weights) == cube.shape[0]:
            return np.broadcast_to(weights[:, None, None], shape_of(cube))
    if np.ndim(weights) == 0:
        return np.broadcast_to(np.asarray(weights), shape_of(cube))
    weights = unwrap(align(weights, X, "sample_weight", fill_value=0))[0]
    check_chunks(weights, "sample_weight")
    return check_same_structure(weights, cube, "sample_weight")


def align_known(y, X, y_name="y", X_name="X", fill_value=-1):
    """Labels as of `align`, where the axes have names that are the same; else unchanged."""
    if has_named_axes(y):
        known = has_named_axes(X) and set(X.dims) == set(y.dims)
    else:
        known = is_transposed(X) and getattr(y, "ndim", 0) == len(X.dims)  # which is refused
    return align(y, X, y_name, X_name, fill_value) if known else y


def align(y, X, y_name="y", X_name="X", fill_value=-1):
    """Labels with the order of axes of the amplitudes, where both have names for them.

    Raises
    ------
    ValueError
        If names or coordinates differ. `fill_value` is for the advice: what places without a label
        are to hold.
    """
    if not has_named_axes(X) or not has_named_axes(y):
        if is_transposed(X):
            raise ValueError(
                f"`{X_name}` has the axes {X.dims}, of which those of `{y_name}` are not known. "
                f"Give both as DataArrays, or {X_name}.transpose{ordered_dims(X)}."
            )
        check_axes(y, y_name)
        return y
    if set(X.dims) != set(y.dims):
        raise ValueError(
            f"`{y_name}` has the axes {y.dims}, `{X_name}` has {X.dims}. Give them the same names, "
            f"with {y_name}.rename."
        )
    for dim in X.dims:
        if dim in X.indexes and dim in y.indexes:
            _check_coordinates(y.indexes[dim], X.indexes[dim], dim, y_name, X_name, fill_value)
    return y.transpose(*X.dims)


def _check_coordinates(own, others, dim, y_name, X_name, fill_value):
    """Check that labels lie at the lines, times or depths of the amplitudes."""
    own, others = np.asarray(own), np.asarray(others)
    if _are_same(own, others):
        return
    advice = (
        f"Use {y_name}.reindex_like({X_name}, fill_value={fill_value!r}), which finds them by "
        "their coordinates"
    )
    if not np.isin(own, others).any():
        advice = f"They have no {dim} in common"
    if len(own) == len(others):
        advice += (
            ". If they belong together in the order that they have, because of another unit or "
            f"first value, use {y_name}.assign_coords({dim}={X_name}.{dim})"
        )
    raise ValueError(
        f"`{y_name}` has other coordinates {dim!r} than `{X_name}`: {_describe(own)}, not "
        f"{_describe(others)}. It must lie where the amplitudes do. {advice}."
    )


def _are_same(own, others):
    """Tell equal coordinates; those of floats may differ by a rounding."""
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
    return sample_interval(X.transpose(*ordered_dims(X)) if has_named_axes(X) else X)
