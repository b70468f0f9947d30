"""Horizons and labels, each from the other, and the text files in which horizons are exchanged.

A horizon is (n_inlines, n_crosslines): the depth of a contact of two units in samples, NaN where it
is absent. Axes are those of the whole package: a cube is (n_inlines, n_crosslines, n_samples), a
section (n_traces, n_samples) with horizons (n_traces,); samples are the last axis and point down.
"""

from numbers import Integral

import numpy as np

from skfacies._cubes.holders import check_out, release_pages, rows_at_once
from skfacies._sections.labels import class_labels, label_codes, union_labels
from skfacies._sections.undefined import undefined_values
from skfacies._sections.validation import as_array
from skfacies.horizons._checks import check_depths, check_units
from skfacies.horizons._contacts import (
    LARGEST_CHUNK,
    contacts_from_probabilities,
    first_sample,
    lateral_coords,
    pieces,
)
from skfacies.horizons._intervals import read_intervals
from skfacies.horizons._lazy import ranks_between
from skfacies.horizons._reading import read_horizon
from skfacies.horizons._stack import read_horizons
from skfacies.horizons._writing import write_horizon

__all__ = [
    "contacts_from_probabilities",
    "horizons_from_labels",
    "labels_from_horizons",
    "read_horizon",
    "read_horizons",
    "read_intervals",
    "write_horizon",
]

SAMPLES_AT_ONCE = 2**21  # samples worked on at once


def labels_from_horizons(
    horizons,
    n_samples,
    *,
    units=None,
    missing="absent",
    bare_label=None,
    ignore_label=-1,
    out=None,
):
    """Fill the space between horizons with units: training labels from picked contacts.

    Parameters
    ----------
    horizons : array-like of shape (n_horizons, n_inlines, n_crosslines), list or dict of horizons
        Depths of the contacts in samples, the shallowest contact first, NaN where a contact is
        absent. Values that stand for nothing in files (1e30, -999.25, -9999, -99999) are NaN, too.
        A DataArray may have any order of inline and crossline. For a section
        (n_horizons, n_traces).
    n_samples : int
        Samples of each trace.
    units : sequence of n_horizons + 1 int or str, default=None
        Labels of the units from the shallowest to the deepest. None counts them from 0.
    missing : {"absent", "unknown"}, default="absent"
        What NaN means. "absent": the unit below the contact has pinched out, and the one above goes
        on down to the next contact. "unknown": nobody has picked it; what lies between the contacts
        above and below it gets `ignore_label`.
    bare_label : int or str, default=None
        Label of traces without any contact. None is `ignore_label`, as they mostly lie outside of
        the interpreted area; ``units[0]`` says that nothing but the shallowest unit is there.
    ignore_label : int or str, default=-1
        Label of samples without interpretation.
    out : array of shape (n_inlines, n_crosslines, n_samples), default=None
        Array, memory map, Zarr or HDF5 array that the labels are written to, slab by slab. None
        makes an array in memory, of the smallest type for `units` and `ignore_label`.

    Returns
    -------
    labels : array of shape (n_inlines, n_crosslines, n_samples)
        `out`, if it is given; for a section (n_traces, n_samples).

    Raises
    ------
    ValueError
        If horizons differ in shape, `units` do not fit them, or labels do not fit `out`; if all
        picks lie outside of the cube, as in another unit or sign, or if horizons are out of order.

    Warns
    -----
    UserWarning
        If that is so on a part of the traces, if two horizons are the same, or if NaN does not look
        like a pinch-out.

    See Also
    --------
    horizons_from_labels : The inverse.

    Notes
    -----
    Unit k begins at the first sample at or below contact k - 1: a contact at 7.0 or at 6.2 gives
    its first sample to 7. A contact at or above the first sample leaves nothing of the units above
    it, one below the last sample nothing of those below. Where contacts cross, the shallower one
    wins: the deeper one is cut off there, and the unit between them is absent.

    Examples
    --------
    >>> from skfacies.horizons import labels_from_horizons
    >>> top_chalk, top_salt = [2, 2, 3, float("nan")], [4, 3.5, 3, 3]  # a section of four traces
    >>> print(labels_from_horizons([top_chalk, top_salt], 6).T)  # down the page
    [[0 0 0 0]
     [0 0 0 0]
     [1 1 0 0]
     [1 1 2 2]
     [2 2 2 2]
     [2 2 2 2]]
    """
    keys, horizons = _keys_of(horizons), _check_horizons(horizons)
    if not isinstance(n_samples, Integral) or isinstance(n_samples, bool) or n_samples < 1:
        raise ValueError(f"`n_samples` must be a positive integer; got {n_samples!r}.")
    if missing not in ("absent", "unknown"):
        raise ValueError(f"`missing` must be 'absent' or 'unknown'; got {missing!r}.")
    names = [f"horizons[{key!r}]" for key in keys or range(len(horizons))]
    check_depths(horizons, int(n_samples), names, missing=missing)
    units = check_units(np.arange(len(horizons) + 1) if units is None else units, ignore_label)
    if len(units) != len(horizons) + 1:
        raise ValueError(
            f"`units` must be {len(horizons) + 1} labels for {len(horizons)} horizons; got "
            f"{units.tolist()}. The first lies above the shallowest horizon."
        )
    bare_label = ignore_label if bare_label is None else bare_label
    values = _label_values(units, bare_label, ignore_label, _uses(horizons, missing))
    shape = (*horizons.shape[1:], int(n_samples))
    if out is None:
        out = np.empty(shape, dtype=values.dtype)
    elif not _can_hold(check_out(out, shape).dtype, values):
        raise ValueError(
            f"labels {np.unique(values).tolist()} cannot be held by `out` of dtype {out.dtype}; "
            f"{values.dtype} can."
        )
    for rows in rows_at_once(out, values=SAMPLES_AT_ONCE, largest_chunk=LARGEST_CHUNK):
        out[rows] = values[ranks_between(horizons[:, rows], int(n_samples), missing)]
        release_pages(out)
    return out


def horizons_from_labels(labels, contacts=None, *, units=None, pinch_out="follow", ignore_label=-1):
    """Find the contacts between units: horizons from predicted or interpreted labels.

    Parameters
    ----------
    labels : array-like of shape (n_inlines, n_crosslines, n_samples), or (n_traces, n_samples)
        Labels. Arrays on disk are read slab by slab, once (twice without `units`).
    contacts : list of (upper unit, lower unit), default=None
        Contacts wanted. None is every pair of neighbors in `units`.
    units : sequence of int or str, default=None
        The units from the shallowest to the deepest; samples of others count as not interpreted.
        None is the integers that occur, in their order; names must be given.
    pinch_out : {"follow", "nan"}, default="follow"
        A contact is the first sample of the lower unit. "follow": or of any deeper one, so that it
        follows the next contact where the unit is absent, as surfaces for models and
        :func:`skfacies.metrics.contact_error` do. "nan": NaN where the lower unit is absent.
    ignore_label : int, str or None, default=-1
        Label of samples without interpretation.

    Returns
    -------
    horizons : float32 array of shape (n_contacts, n_inlines, n_crosslines)
        Depths in samples: 0 where the trace begins with the lower unit or a deeper one, NaN where
        nothing of them is in the trace, or where the sample above is not interpreted, so that
        nobody knows where the contact is. (n_contacts, n_traces) for a section. A DataArray, with
        lower units as coordinates of the contacts, for a DataArray.

    Raises
    ------
    ValueError
        If there are fewer than two units, or `contacts` are not of `units`.

    See Also
    --------
    labels_from_horizons : The inverse.
    skfacies.metrics.contact_error : Distances of true and predicted contacts.

    Notes
    -----
    On traces with units in order :func:`labels_from_horizons` gives exactly these labels again
    (``bare_label=units[0]`` for traces of the shallowest unit alone); and horizons at whole
    samples within the trace, which do not cross, come back exactly from the labels made of them.

    Examples
    --------
    >>> from skfacies.horizons import horizons_from_labels
    >>> section = [[0, 0, 1, 1, 2], [0, 0, 0, 2, 2], [0, 0, 1, 1, 1]]  # three traces
    >>> horizons_from_labels(section)
    array([[ 2.,  3.,  2.],
           [ 4.,  3., nan]], dtype=float32)
    >>> horizons_from_labels(section, contacts=[(0, 1)], pinch_out="nan")
    array([[ 2., nan,  2.]], dtype=float32)
    """
    cube = _check_label_array(labels)
    if pinch_out not in ("follow", "nan"):
        raise ValueError(f"`pinch_out` must be 'follow' or 'nan'; got {pinch_out!r}.")
    units = _find_units(cube, ignore_label) if units is None else check_units(units, ignore_label)
    lower = _check_contacts(contacts, units)
    order = np.argsort(units)
    rank = np.append(order, -1).astype(np.int16)  # -1: none of the units
    horizons = np.empty((len(lower), *cube.shape[:-1]), dtype=np.float32)
    for rows, piece in pieces(cube, SAMPLES_AT_ONCE):
        ranks = rank[label_codes(piece, units[order])]
        for horizon, k in zip(horizons, lower, strict=True):
            horizon[rows] = first_sample(ranks >= k if pinch_out == "follow" else ranks == k, ranks)
    if not hasattr(labels, "dims"):
        return horizons
    dims, coords = lateral_coords(labels, 1)
    coords["contact"] = units[lower]
    return type(labels)(horizons, dims=("contact", *dims), coords=coords, name="horizon")


# --- labels from horizons --------------------------------------------------------------------


def _check_horizons(horizons):
    """Stack (n_horizons, n_inlines, n_crosslines) or (n_horizons, n_traces), NaN where absent."""
    if hasattr(horizons, "values") and callable(horizons.values):  # a dict
        horizons = list(horizons.values())
    if isinstance(horizons, (list, tuple)):
        items = [np.asarray(_inlines_first(horizon)) for horizon in horizons]
        shapes = {item.shape for item in items}
        if len(shapes) != 1:
            raise ValueError(
                "`horizons` must be one or more horizons of one shape, (n_inlines, n_crosslines); "
                f"got shapes {', '.join(str(item.shape) for item in items) or 'of none'}."
            )
        stack = np.stack(items)
    else:
        stack = np.asarray(_inlines_first(horizons))
    if stack.ndim not in (2, 3) or 0 in stack.shape or stack.dtype.kind not in "iuf":
        raise ValueError(
            "`horizons` must be numbers of shape (n_horizons, n_inlines, n_crosslines), or "
            f"(n_horizons, n_traces) for a section; got {stack.dtype} of shape {stack.shape}. For "
            "one horizon use horizon[None]."
        )
    undefined = undefined_values(stack)
    if stack.dtype.kind != "f" or (undefined & ~np.isnan(stack)).any():
        stack = np.where(undefined, np.nan, stack)
    return stack


def _keys_of(horizons):
    is_dict = hasattr(horizons, "values") and callable(horizons.values)
    return list(horizons) if is_dict else None


def _inlines_first(horizon):
    if {"inline", "crossline"} <= set(getattr(horizon, "dims", ())):
        return horizon.transpose(..., "inline", "crossline")
    return horizon


def _uses(horizons, missing):
    """Whether there are bare traces, and whether samples will be ignored for other reasons."""
    present = ~np.isnan(horizons)
    bare = ~present.any(axis=0)
    return bare.any(), missing == "unknown" and not (present | bare).all()


def _label_values(units, bare_label, ignore_label, used):
    """Labels by rank: those of the units, then that of unknown samples, then of bare traces."""
    extra = [
        label if is_used else units[0].item()
        for label, is_used in zip((ignore_label, bare_label), used[::-1], strict=True)
    ]
    strings = units.dtype.kind == "U"
    if not all(isinstance(label, str if strings else Integral) for label in extra):
        raise ValueError(
            f"some samples are not interpreted, and ignore_label={ignore_label!r}, "
            f"bare_label={bare_label!r} are not of the type of `units`, {units.dtype}. Give an "
            f"`ignore_label` such as {'unknown' if strings else -1!r}."
        )
    values = units.tolist() + extra
    if strings:
        return np.array(values)
    # One type, whether or not anything is ignored here.
    range_ = values + [ignore_label] * isinstance(ignore_label, Integral)
    low, high = min(range_), max(range_)
    ends = (low, -high - 1) if low < 0 else (low, high)  # a signed type has as many below zero
    return np.array(values, dtype=np.result_type(*map(np.min_scalar_type, ends)))


def _can_hold(dtype, values):
    try:
        return np.array_equal(values.astype(dtype), values)
    except (TypeError, ValueError):
        return False


# --- horizons from labels --------------------------------------------------------------------


def _check_label_array(labels):
    dims = getattr(labels, "dims", None)
    if dims is not None and {"inline", "crossline"} <= set(dims):
        first = [name for name in dims if name in ("inline", "crossline")]
        if tuple(dims[:2]) != tuple(first):
            raise ValueError(f"`labels` must have samples as the last axis; got the axes {dims}.")
    cube = as_array(labels, "labels")
    if len(cube.shape) not in (2, 3) or 0 in cube.shape:
        raise ValueError(
            "`labels` must be a cube (n_inlines, n_crosslines, n_samples) or a section "
            f"(n_traces, n_samples); got shape {tuple(cube.shape)}. For one trace use labels[None]."
        )
    return cube


def _find_units(cube, ignore_label):
    found = union_labels(
        [class_labels(piece, ignore_label, "labels") for _, piece in pieces(cube, SAMPLES_AT_ONCE)]
    )
    if found.dtype.kind in "UO":
        raise ValueError(
            f"`units` must say the order of named units, from the shallowest to the deepest; "
            f"`labels` has {found.tolist()}."
        )
    if len(found) < 2:
        raise ValueError(
            f"`labels` must have two or more units to have contacts; got {found.tolist()}. Give "
            "`units` where a unit happens to be absent."
        )
    return found


def _check_contacts(contacts, units):
    """Rank of the lower unit of each contact."""
    if contacts is None:
        return list(range(1, len(units)))
    ranks = {unit: k for k, unit in enumerate(units.tolist())}
    lower = []
    for contact in contacts:
        pair = tuple(contact) if isinstance(contact, (tuple, list, np.ndarray)) else ()
        if len(pair) != 2 or not set(pair) <= set(ranks) or ranks[pair[0]] >= ranks[pair[1]]:
            raise ValueError(
                f"`contacts` must be pairs (upper unit, lower unit) of {list(ranks)}; got "
                f"{contact!r}."
            )
        lower.append(ranks[pair[1]])
    if not lower:
        raise ValueError("`contacts` is empty. Use None for all of them.")
    return lower
