"""Contacts in probabilities: depth with its uncertainty, and thickness of the units."""

import numpy as np
from sklearn.utils import Bunch

from skfacies._cubes.holders import is_transposed, ordered_dims, release_pages, rows_at_once
from skfacies._sections.validation import as_array
from skfacies.horizons._checks import check_units

__all__ = ["contacts_from_probabilities", "first_sample", "lateral_coords", "pieces"]

LARGEST_CHUNK = 2**25  # values of a row of chunks that is still read at once
PROBABILITIES_AT_ONCE = 2**22  # probabilities worked on at once
SUM_TOLERANCE = 0.01  # sums of rounded float16 or bfloat16 probabilities are this far from 1
QUANTILES = (0.16, 0.84)  # one standard deviation on either side, were the depth normal
LEAST_FRACTION = 0.01  # of a sample that a contact lies below the sample above it


def contacts_from_probabilities(probabilities, *, classes=None, units=None, pinch_out="nan"):
    """Find the contacts of predicted units, with their uncertainty: horizons to deliver.

    Between the last sample of the upper unit and the first of the lower one, the depth is where
    the probability to be below the contact passes 1/2.

    Parameters
    ----------
    probabilities : array-like of shape (n_inlines, n_crosslines, n_samples, n_classes), \
            or (n_traces, n_samples, n_classes)
        Probabilities as returned by `predict_proba`. Arrays on disk are read slab by slab, once.
    classes : sequence of n_classes int or str, default=None
        Labels of the last axis, such as ``segmenter.classes_``. None is the coordinate of that axis
        of a DataArray, or 0, 1, 2, ….
    units : sequence of n_classes int or str, default=None
        The classes from the shallowest to the deepest, such as
        ``[segmenter.classes_[k] for k in segmenter.unit_order_]``. None is `classes` in ascending
        order; names must be given.
    pinch_out : {"nan", "follow"}, default="nan"
        "nan": a contact is NaN where the lower unit is absent, or the trace begins with it.
        "follow": it follows the next contact there, and is 0 where the trace begins with the lower
        unit or a deeper one, as surfaces for models and `labels_from_horizons` need it.

    Returns
    -------
    contacts : sklearn.utils.Bunch
        Its attributes are

        depth : float32 array of shape (n_units - 1, n_inlines, n_crosslines)
            ``depth[k]`` is the depth of the contact of ``units[k]`` and ``units[k + 1]`` in
            samples. NaN also where nothing below the contact is in the trace, or where the sample
            above is missing.
        uncertainty : float32 array of this shape
            In samples: half of the range in which the contact lies with a probability of 68%,
            which is one standard deviation if depths are normally distributed. NaN where the
            trace holds less than half of the range.
        thickness : float32 array of this shape
            Of ``units[k + 1]``, in samples; 0 where it is absent between others. NaN where its top
            or base is not in the trace, so always of the deepest unit.
        units : list
            From the shallowest to the deepest.

        Arrays are (n_units - 1, n_traces) for a section, and DataArrays for a DataArray, with the
        lower units as coordinates of the contacts.

    Raises
    ------
    ValueError
        If `probabilities` do not sum to 1, or `classes` and `units` do not fit them.

    See Also
    --------
    horizons_from_labels : Contacts of labels, at whole samples.
    write_horizon : Writes a contact as a file for interpretation systems.

    Notes
    -----
    With ``pinch_out="follow"``, :func:`labels_from_horizons` makes of the depths exactly the labels
    that are most probable, if these are in order: a contact lies above its first sample by less
    than one sample. It is half a sample shallower than :func:`horizons_from_labels` on average,
    which is less biased: labels made of a horizon begin at the next sample below it.

    The probability that a sample is below a contact, read down the trace, is the distribution of
    the depth of the contact. Where it falls, the means of the highest probability above and the
    lowest below are used. The uncertainty is that of the network and knows nothing of errors
    common to all lines, such as a wrong horizon in the training data.

    Examples
    --------
    >>> import numpy as np
    >>> from skfacies.horizons import contacts_from_probabilities
    >>> below = np.array([[0, 0.1, 0.4, 0.6, 1], [0, 0, 0, 1, 1]])  # of two traces
    >>> contacts = contacts_from_probabilities(np.stack([1 - below, below], axis=-1))
    >>> contacts.depth.round(2), contacts.uncertainty.round(2)
    (array([[2.5, 2.5]], dtype=float32), array([[1.2 , 0.34]], dtype=float32))
    """
    cube = probabilities
    if is_transposed(cube):
        raise ValueError(
            f"`probabilities` has the axes {cube.dims}, but samples and classes come last. Use "
            f"probabilities.transpose{ordered_dims(cube)}."
        )
    cube = as_array(cube, "probabilities")
    _check_shape(cube)
    if pinch_out not in ("nan", "follow"):
        raise ValueError(f"`pinch_out` must be 'nan' or 'follow'; got {pinch_out!r}.")
    units, order = _check_order(probabilities, cube.shape[-1], classes, units)
    shape = (len(units) - 1, *map(int, cube.shape[:-2]))
    found = Bunch(
        **{name: np.empty(shape, np.float32) for name in ("depth", "uncertainty", "thickness")}
    )
    for rows, piece in pieces(cube, PROBABILITIES_AT_ONCE):
        for name, values in zip(found, _find(piece, order, pinch_out, rows.start), strict=True):
            found[name][:, rows] = values
    if hasattr(probabilities, "dims"):
        dims, coords = lateral_coords(probabilities, 2)
        coords["contact"] = units[1:]
        for name, values in found.items():
            attrs = {"units": "samples"}
            found[name] = type(probabilities)(
                values, dims=("contact", *dims), coords=coords, name=name, attrs=attrs
            )
    return Bunch(**found, units=units.tolist())


def lateral_coords(array, n_others):
    """Lateral axes of a DataArray, and the coordinates that lie on them; `n_others` come after."""
    dims = array.dims[:-n_others]
    return dims, {name: c for name, c in array.coords.items() if set(c.dims) <= set(dims)}


def pieces(cube, values):
    """Yield (rows, these rows), each chunk of the array read once."""
    for block in rows_at_once(cube, values=values, largest_chunk=LARGEST_CHUNK):
        held = np.asarray(cube[block])
        for rows in rows_at_once(held, values=values):
            yield slice(block.start + rows.start, block.start + rows.stop), held[rows]
        release_pages(cube)


def first_sample(wanted, ranks):
    """First sample wanted of each trace; NaN if none, or if the sample above has no label."""
    first = wanted.argmax(axis=-1)
    known = wanted.any(axis=-1) & ((_at(ranks, np.maximum(first - 1, 0)) >= 0) | (first == 0))
    return np.where(known, first, np.nan)


# --- checks ----------------------------------------------------------------------------------


def _check_shape(cube):
    shape = tuple(map(int, cube.shape))
    if len(shape) not in (3, 4) or 0 in shape or shape[-1] < 2:
        raise ValueError(
            "`probabilities` must be of a cube (n_inlines, n_crosslines, n_samples, n_classes) or "
            f"a section (n_traces, n_samples, n_classes), of two or more classes; got shape "
            f"{shape}. Give the result of predict_proba."
        )
    if np.dtype(cube.dtype).kind != "f":
        raise ValueError(f"`probabilities` must be floats; got {cube.dtype}.")


def _check_order(probabilities, n_classes, classes, units):
    """Units from the shallowest to the deepest, and the position of each on the last axis."""
    if classes is None:
        dims = getattr(probabilities, "dims", ())
        named = dims and dims[-1] in probabilities.coords
        classes = np.asarray(probabilities.coords[dims[-1]]) if named else np.arange(n_classes)
    classes = check_units(classes, None, "classes")
    if len(classes) != n_classes:
        raise ValueError(
            f"`classes` must be {n_classes} labels, as many as `probabilities` has classes; got "
            f"{classes.tolist()}."
        )
    if units is None:
        if classes.dtype.kind in "UO":
            raise ValueError(
                "`units` must say the order of named units, from the shallowest to the deepest; "
                f"the classes are {classes.tolist()}."
            )
        units = np.sort(classes)
    units = check_units(units, None)
    places = {label: k for k, label in enumerate(classes.tolist())}
    if set(units.tolist()) != set(places):
        raise ValueError(
            f"`units` must have every class once, from the shallowest to the deepest; got "
            f"{units.tolist()} for the classes {list(places)}."
        )
    return units, [places[unit] for unit in units.tolist()]


# --- contacts of some traces -----------------------------------------------------------------


def _find(probabilities, order, pinch_out, start):
    """Depths, uncertainties and thicknesses of (..., n_samples, n_classes)."""
    probabilities = np.asarray(probabilities[..., order], np.float32)
    below = np.cumsum(probabilities[..., ::-1], axis=-1)[..., ::-1]
    _check_sums(below[..., 0], start)
    ranks = probabilities.argmax(axis=-1)
    ranks[np.isnan(below[..., 0])] = -1
    lower = range(1, len(order))
    first = np.stack([first_sample(ranks >= k, ranks) for k in lower])
    depth = np.empty(first.shape, np.float32)
    uncertainty = np.empty(first.shape, np.float32)
    for k in lower:
        chance = np.ascontiguousarray(below[..., k])
        depth[k - 1] = _between_samples(chance, first[k - 1])
        uncertainty[k - 1] = _half_range(chance, depth[k - 1])
    # Where units are absent, contacts lie between the same two samples, in this order.
    depth = np.fmax.accumulate(depth, axis=0) + 0 * first
    inside = first > 0
    thickness = np.full(first.shape, np.nan)
    base = np.where(first[1:] == first[:-1], depth[:-1], depth[1:])
    thickness[:-1] = np.where(inside[:-1], base - depth[:-1], np.nan)
    uncertainty[~inside] = np.nan
    if pinch_out == "nan":
        present = np.stack([(ranks == k).any(axis=-1) for k in lower])
        depth[~(present & inside)] = np.nan
        uncertainty[~present] = np.nan
    return depth, uncertainty, thickness


def _check_sums(totals, start):
    off = np.abs(totals - 1) > SUM_TOLERANCE  # False for NaN
    if off.any():
        at = np.argwhere(off)[0] + [start, *[0] * (off.ndim - 1)]
        raise ValueError(
            f"`probabilities` must sum to 1 over the classes, which come last; got a sum of "
            f"{totals[off][0]:.4g} at {tuple(at.tolist())}. Logits must be converted by a softmax."
        )


def _between_samples(chance, first):
    """Depth at which the chance to be below the contact passes 1/2, just above its first sample."""
    place = np.nan_to_num(first).astype(np.intp)
    here, above = _at(chance, place), _at(chance, np.maximum(place - 1, 0))
    rises = here > above
    fraction = np.divide(0.5 - above, here - above, out=np.full(here.shape, 0.5), where=rises)
    return np.where(first > 0, first - 1 + np.clip(fraction, LEAST_FRACTION, 1), first)


def _half_range(chance, depth):
    """Mean distance of the contact to two quantiles of its depth, of those that the trace holds."""
    rising = np.fmax.accumulate(chance, axis=-1)
    rising += np.fmin.accumulate(chance[..., ::-1], axis=-1)[..., ::-1]
    rising /= 2
    # Where the order of units overrules the network, the depth lies outside of its range, and
    # distances say so; the width of the range would not.
    sides = [np.abs(_depth_at(rising, level) - depth) for level in QUANTILES]
    one_sided = np.fmax(*sides)
    return np.where(np.isnan(sides[0] + sides[1]), one_sided, (sides[0] + sides[1]) / 2)


def _depth_at(rising, level):
    """Depth at which a rising function passes a level; NaN if that is not between two samples."""
    reached = rising >= level
    place = reached.argmax(axis=-1)
    here, above = _at(rising, place), _at(rising, np.maximum(place - 1, 0))
    inside = reached.any(axis=-1) & (place > 0) & (here > above)
    fraction = np.divide(level - above, here - above, out=np.ones(here.shape), where=inside)
    return np.where(inside & ~np.isnan(above), place - 1 + fraction, np.nan)


def _at(values, place):
    return np.take_along_axis(values, place[..., np.newaxis], axis=-1)[..., 0]
