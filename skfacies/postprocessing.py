"""Corrections of the probabilities of a network by geology, as functions of arrays.

`FaciesSegmenter` and `CubeSegmenter` do this by themselves. These functions are for probabilities
from elsewhere, such as a network in an ONNX file.
"""

import numpy as np

from skfacies._sections.undefined import dead_samples, undefined_amplitudes
from skfacies._stratigraphy.order import check_unit_order, labels_from_scores

__all__ = ["labels_in_order", "smooth_along_dip"]


def labels_in_order(
    probabilities, unit_order, *, classes=None, remove_spikes=False, ignore_label=-1
):
    """Most likely labels of each trace that are in stratigraphic order.

    The most probable class of each sample may put a unit below one that it overlies. In each trace
    that is out of order, this finds the labels with the highest sum of log-probabilities among
    those that are in order. Units may be absent. Traces that are in order stay as they are.

    Parameters
    ----------
    probabilities : array-like of shape (..., n_traces, n_samples, n_classes)
        Of one or more sections, samples downwards; NaN where nothing was recorded.
    unit_order : array-like of shape (n_classes,) or longer
        Labels of all classes from top to bottom.
    classes : array-like of shape (n_classes,), default=None
        Labels in the order of the last axis. None is 0, 1, ….
    remove_spikes : bool, default=False
        Move contacts that jump away from their neighbors for up to three traces back to them, as
        the segmenters do after averages along reflectors.
    ignore_label : int or str, default=-1
        Label of samples whose probabilities are NaN. They have no influence on others.

    Returns
    -------
    labels : array of shape (..., n_traces, n_samples)

    Raises
    ------
    ValueError
        If `unit_order` does not have all classes once, or the shapes do not agree.

    See Also
    --------
    smooth_along_dip : To be called before, if contacts follow reflectors.
    skfacies.horizons.contacts_from_probabilities : Contacts between samples, with uncertainty.

    Examples
    --------
    >>> import numpy as np
    >>> from skfacies.postprocessing import labels_in_order
    >>> sand = np.array([[0.1, 0.2, 0.6, 0.3, 0.8, 0.9]])  # one trace
    >>> probabilities = np.stack([1 - sand, sand], axis=-1)
    >>> probabilities.argmax(axis=-1)
    array([[0, 0, 1, 0, 1, 1]])
    >>> labels_in_order(probabilities, unit_order=[0, 1])
    array([[0, 0, 0, 0, 1, 1]])
    """
    probabilities = _check_probabilities(probabilities)
    n_classes = probabilities.shape[-1]
    classes = np.arange(n_classes) if classes is None else np.asarray(classes)
    if classes.shape != (n_classes,):
        raise ValueError(
            f"`classes` must have one label for each of the {n_classes} classes of "
            f"`probabilities`; got {classes.tolist()}."
        )
    order = check_unit_order(unit_order, classes)
    missing = np.isnan(probabilities).any(axis=-1)
    codes = np.empty(probabilities.shape[:-1], np.intp)
    for own, section, nothing in zip(
        _sections(codes, 2), _sections(probabilities, 3), _sections(missing, 2), strict=True
    ):
        scores = np.log(np.maximum(np.where(nothing[..., None], 1, section), 1e-30))
        own[...] = labels_from_scores(
            scores.argmax(axis=-1),
            scores.__getitem__,
            order,
            missing=nothing if nothing.any() else None,
            without_spikes=remove_spikes,
        )
    labels = classes[codes]
    if missing.any():
        labels = labels.astype(np.result_type(labels, np.asarray(ignore_label)))
        labels[missing] = ignore_label
    return labels


def smooth_along_dip(probabilities, amplitudes, n_traces=100.0):
    """Average probabilities along the dip of the reflectors.

    The contacts of a network jump between reflectors that look alike. Averages along the dip follow
    the majority of the traces, with more weight where the network is sure. They end at faults,
    where amplitudes change along the dip. Use them where interpreted contacts follow reflectors.

    Parameters
    ----------
    probabilities : array-like of shape (..., n_traces, n_samples, n_classes)
        Of one or more sections, samples downwards.
    amplitudes : array-like of shape (..., n_traces, n_samples)
        Of the same sections, in any unit: only their ratios matter. The segmenters use amplitudes
        that their scaler has clipped.
    n_traces : float, default=100.0
        Distance in traces, to either side, over which weights fall by a factor of e.

    Returns
    -------
    probabilities : float32 array of the shape of `probabilities`
        NaN where amplitudes are undefined (NaN, 1e30, …) or `probabilities` are NaN.

    Raises
    ------
    ValueError
        If the shapes do not agree, or `n_traces` is not above zero.

    See Also
    --------
    labels_in_order : Labels in stratigraphic order.

    Notes
    -----
    Dips come from the gradient structure tensor. Dead traces and mutes have no influence. The
    segmenters, with ``dip_smoothing=n_traces``, also average over 16 mirrored traces beyond either
    end of sections of fewer than 192 traces; their probabilities differ a little from these.

    Examples
    --------
    A flat contact, which the network puts eight samples too deep in one trace:

    >>> import numpy as np
    >>> from skfacies.postprocessing import smooth_along_dip
    >>> amplitudes = np.tile(np.sin(np.arange(32)), (24, 1))
    >>> sand = np.tile(np.arange(32) >= 16, (24, 1)) * 0.8 + 0.1
    >>> sand[12, 16:24] = 0.4
    >>> smooth = smooth_along_dip(np.stack([1 - sand, sand], axis=-1), amplitudes)
    >>> (smooth.argmax(axis=-1) == 0).sum(axis=1)[10:15]
    array([16, 16, 16, 16, 16])
    """
    probabilities = _check_probabilities(probabilities)
    amplitudes = np.asarray(amplitudes)
    if amplitudes.shape != probabilities.shape[:-1]:
        raise ValueError(
            f"`amplitudes` must have the shape of `probabilities` without classes, "
            f"{probabilities.shape[:-1]}; got {amplitudes.shape}."
        )
    if not n_traces > 0:
        raise ValueError(f"`n_traces` must be above zero; got {n_traces!r}.")
    result = np.empty(probabilities.shape, np.float32)
    for own, section, traces in zip(
        _sections(result, 3), _sections(probabilities, 3), _sections(amplitudes, 2), strict=True
    ):
        own[...] = _smooth(section, traces, float(n_traces))
    return result


def _smooth(probabilities, amplitudes, n_traces):
    import torch

    from skfacies._stratigraphy.smoothing import CELL, smooth_along_reflectors

    missing, dead = undefined_amplitudes(amplitudes), dead_samples(amplitudes)
    nothing = np.isnan(probabilities).any(axis=-1)
    dead = nothing if dead is None else dead | nothing
    amplitudes = np.where(dead, 0, amplitudes).astype(np.float32)
    sides = [(0, -size % CELL) for size in amplitudes.shape]
    scores = np.log(np.maximum(np.where(nothing[..., None], 1, probabilities), 1e-30))
    scores = np.pad(scores.astype(np.float32), [*sides, (0, 0)], mode="symmetric")
    logits = torch.from_numpy(scores).permute(2, 0, 1)[None]
    amplitudes, dead = (
        torch.from_numpy(np.pad(array, sides, mode="symmetric"))[None]
        for array in (amplitudes, dead.astype(np.float32))
    )
    with torch.inference_mode():
        dead = dead if dead.any() else None
        logits = smooth_along_reflectors(logits, amplitudes, n_traces, dead=dead)
        result = torch.softmax(logits[0], dim=0).permute(1, 2, 0).numpy()
    result = result[: len(nothing), : nothing.shape[1]]
    result[nothing if missing is None else nothing | missing] = np.nan
    return result


def _check_probabilities(probabilities):
    probabilities = np.asarray(probabilities)
    if probabilities.ndim < 3 or probabilities.dtype.kind != "f" or probabilities.shape[-1] < 2:
        raise ValueError(
            "`probabilities` must be numbers of shape (..., n_traces, n_samples, n_classes); got "
            f"an array of {probabilities.dtype} with shape {probabilities.shape}."
        )
    return probabilities


def _sections(array, n_axes):
    """Sections of an array of any number of them, as views."""
    return array.reshape(-1, *array.shape[array.ndim - n_axes :])
