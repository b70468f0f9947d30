"""Mis-ties: where predictions along inlines and along crosslines disagree."""

import tempfile

import numpy as np
from sklearn.utils import Bunch

from skfacies._cubes.holders import (
    has_named_axes,
    is_dask,
    release_pages,
    rows_at_once,
    shape_of,
    unwrap,
)
from skfacies._cubes.training_lines import allocator
from skfacies._cubes.volumes import in_order
from skfacies._sections.estimators import find_parameter
from skfacies._sections.labels import label_codes
from skfacies._sections.undefined import dead_samples
from skfacies.horizons import horizons_from_labels
from skfacies.qc._models import as_cube_model, section_model

__all__ = ["mistie"]

#: Samples that are compared at once, and of a row of chunks that is still read at once.
SAMPLES_AT_ONCE = 2**20
LARGEST_CHUNK = 2**23


def mistie(estimator, cube, *, units=None, scratch_dir=None):
    """Compare predictions along inlines with predictions along crosslines.

    Both are of the same amplitudes, so they should be the same. Where they are not, at least one is
    wrong: mis-ties show doubt that comes from what a section shows around a trace, and find
    mistakes of which the model is certain. Contacts that are interpolated from training lines
    (`positions`) are the same in both directions and hide some.

    Parameters
    ----------
    estimator : CubeSegmenter of any direction, or fitted estimator of sections
        Predicts the cube twice, once in each direction.
    cube : array-like of shape (n_inlines, n_crosslines, n_samples), or list of volumes
        Amplitudes, with two or more inlines and crosslines. Read three times, some lines at a time.
    units : sequence of labels, default=None
        Units from the shallowest to the deepest, between which contacts are compared. None is
        ``unit_order_`` of the estimator; if it has none, no contacts are compared.
    scratch_dir : path, default=None
        Folder for temporary files. Predictions that are larger than the `memory_limit` of a
        CubeSegmenter, 500 MB by default, are kept there. None is that of the CubeSegmenter, or
        the system's.

    Returns
    -------
    mistie : :class:`~sklearn.utils.Bunch`
        Its attributes are

        share : float32 array of shape (n_inlines, n_crosslines)
            Share of the live samples of a trace that get different labels; NaN on dead traces.
        shifts : float32 array of shape (n_contacts, n_inlines, n_crosslines)
            Depth of each contact along crosslines minus that along inlines, in samples. NaN where
            one of them has no contact, or the trace is dead.
        contacts : list of (upper unit, lower unit)
            The contacts of `shifts`.
        classes : ndarray of shape (n_classes,)
            Sorted labels.
        confusion : int64 ndarray of shape (n_classes, n_classes)
            Live samples by their label along inlines (rows) and along crosslines (columns).
        by_unit : ndarray of shape (n_classes,)
            Of the samples that get the label in one direction or both, the share that gets it in
            one only, which is 1 - IoU; NaN for labels that do not occur.
        total : float
            Share of all live samples.

        For a DataArray, `share` and `shifts` are DataArrays with its coordinates.

    Raises
    ------
    ValueError
        If the cube has one inline or crossline only, or `units` are no classes.

    Examples
    --------
    >>> from skfacies import FaciesSegmenter
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.qc import mistie
    >>> survey = make_facies_cube((12, 32, 32), n_facies=2, random_state=0)
    >>> segmenter = FaciesSegmenter(
    ...     encoder_depth=3, decoder_channels=(16, 8, 8), max_epochs=4, random_state=0)
    >>> ties = mistie(segmenter.fit(survey.data, survey.target), survey.data)
    >>> ties.share.shape, ties.shifts.shape, ties.contacts
    ((12, 32), (1, 12, 32), [(0, 1)])
    >>> bool(ties.total == 1 - ties.confusion.trace() / ties.confusion.sum())
    True
    """
    models = [as_cube_model(estimator, direction) for direction in ("inline", "crossline")]
    cube, named = in_order(cube, "cube")
    array = unwrap(named)[0]
    shape = shape_of(array)
    if min(shape[:2]) < 2:
        raise ValueError(
            f"`cube` has shape {shape}: two or more inlines and crosslines are needed to predict "
            "in both directions."
        )
    classes = np.asarray(models[0].classes_)
    units = _check_units(units, classes, section_model(estimator)[1])
    folder = models[0].scratch_dir if scratch_dir is None else scratch_dir
    with tempfile.TemporaryDirectory(
        prefix="skfacies-", dir=folder, ignore_cleanup_errors=True
    ) as scratch:
        allocate = allocator(scratch, models[0].memory_limit / 4)
        labels = [_predict(model, cube, allocate(shape, _label_type(model))) for model in models]
        result = _compare(array, labels, classes, units)
        del labels  # which may be mapped in the folder
    if has_named_axes(named):
        lower = [unit for _, unit in result.contacts]
        result.share = _like(named, result.share, "mistie")
        result.shifts = _like(named, result.shifts, "shift", lower)
    return result


def _check_units(units, classes, last):
    if units is None:
        order = getattr(last, "unit_order_", None)
        return [] if order is None else np.asarray(order).tolist()
    units = np.asarray(units).tolist()
    unknown = [unit for unit in units if unit not in classes.tolist()]
    if unknown or len(set(units)) < len(units):
        raise ValueError(
            f"`units` must be different classes of the estimator, {classes.tolist()}; got {units}."
        )
    return units


def _label_type(model):
    """Type of the labels, which has room for that of missing samples."""
    ignore_label = find_parameter(model.estimator_, "ignore_label", None)
    if ignore_label is None or find_parameter(model.estimator_, "nan_policy", "") != "ignore":
        return model.classes_.dtype
    return np.append(model.classes_, ignore_label).dtype


def _predict(model, cube, out):
    """Labels of a cube in a scratch array."""
    if is_dask(unwrap(cube)[0]):
        lazy = model.predict(cube)
        getattr(lazy, "data", lazy).store(out)
        return out
    model.predict(cube, out=out)
    return out


def _compare(cube, labels, classes, units):
    """Mis-ties of two cubes of labels, some inlines at a time."""
    shape = shape_of(cube)
    share = np.full(shape[:2], np.nan, np.float32)
    shifts = np.full((max(0, len(units) - 1), *shape[:2]), np.nan, np.float32)
    n_classes = len(classes)
    confusion = np.zeros(n_classes * n_classes, np.int64)
    for rows in rows_at_once(cube, values=SAMPLES_AT_ONCE, largest_chunk=LARGEST_CHUNK):
        pieces = [np.asarray(each[rows]) for each in labels]
        codes = [label_codes(piece, classes) for piece in pieces]
        known = (codes[0] < n_classes) & (codes[1] < n_classes)
        for own, section in zip(known, np.asarray(cube[rows]), strict=True):
            dead = dead_samples(section)
            if dead is not None:
                own &= ~dead
        confusion += np.bincount(
            codes[0][known].astype(np.int64) * n_classes + codes[1][known],
            minlength=n_classes**2,
        )
        n_known = known.sum(axis=-1)
        differ = ((codes[0] != codes[1]) & known).sum(axis=-1)
        live = n_known > 0
        share[rows][live] = differ[live] / n_known[live]
        if len(shifts):
            one, other = (horizons_from_labels(piece, units=units) for piece in pieces)
            shifts[:, rows] = np.where(live, other - one, np.nan)
        for each in (*labels, cube):
            release_pages(each)
    confusion = confusion.reshape(n_classes, n_classes)
    both = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - both
    n_samples = confusion.sum()
    return Bunch(
        share=share,
        shifts=shifts,
        contacts=list(zip(units[:-1], units[1:], strict=True)),
        classes=classes,
        confusion=confusion,
        by_unit=1 - np.divide(both, either, out=np.full(n_classes, np.nan), where=either > 0),
        total=float(1 - both.sum() / n_samples) if n_samples else float("nan"),
    )


def _like(cube, values, name, contacts=None):
    """A map, or maps of contacts, with the lateral coordinates of a cube."""
    dims = cube.dims[:2]
    coords = {k: v for k, v in cube.coords.items() if set(v.dims) <= set(dims)}
    if contacts is not None:
        dims, coords = ("contact", *dims), {**coords, "contact": contacts}
    return type(cube)(values, dims=dims, coords=coords, name=name)
