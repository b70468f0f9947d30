"""Entropy of probabilities: where a prediction is undecided."""

from numbers import Number

import numpy as np
from scipy.special import entr

from skfacies._cubes.holders import rows_at_once
from skfacies._sections.validation import as_array, is_listlike

__all__ = ["prediction_entropy"]

PROBABILITIES_AT_ONCE = (
    2**20
)  # probabilities read at once where the items of the first axis are small
SUM_TOLERANCE = 0.01  # sums of rounded float16 or bfloat16 probabilities are this far from 1


def prediction_entropy(probabilities, *, normalize=True):
    """Shannon entropy of predicted probabilities: where the classifier is undecided.

    It is 0 where one facies is certain and highest where all are equally likely [1]_. A good
    prediction is undecided in thin bands along the contacts; a wide patch of high entropy is worth
    the interpreter's time. Entropy shows only doubt: a classifier can be wrong and certain.

    Parameters
    ----------
    probabilities : array-like of shape (..., n_classes), or list of such arrays
        Probabilities as returned by `predict_proba`, >= 0 and summing to 1 over the classes, which
        come last: of a section (n_traces, n_samples, n_classes), of sections (n_sections,
        n_traces, n_samples, n_classes), of a cube (n_inlines, n_crosslines, n_samples,
        n_classes), or a list of sections of different shapes. Arrays are read section by section;
        a memmap or zarr array is never loaded as a whole.
    normalize : bool, default=True
        Divide by ``log(n_classes)``, which gives values from 0 to 1 that can be compared between
        classifiers with different numbers of facies. False gives the entropy in nats.

    Returns
    -------
    entropy : float32 ndarray of the shape of `probabilities` without the last axis, or list
        NaN where probabilities are NaN, such as where amplitudes are missing. A list is returned
        for a list.

    Raises
    ------
    ValueError
        If there is no axis of two or more classes, or if values are negative or do not sum to 1.
    TypeError
        If `probabilities` are not real numbers.

    References
    ----------
    .. [1] Shannon, C. E., 1948, A mathematical theory of communication: Bell System Technical
       Journal, 27, 379-423.

    Examples
    --------
    One trace of four samples: certain, nearly certain, undecided between two facies, and missing.

    >>> import numpy as np
    >>> from skfacies.qc import prediction_entropy
    >>> nan = np.nan
    >>> probabilities = [[[1, 0, 0], [0.9, 0.1, 0], [0.5, 0.5, 0], [nan, nan, nan]]]
    >>> print(prediction_entropy(probabilities).round(2))
    [[0.   0.3  0.63  nan]]
    """
    name = "probabilities"
    if _is_list_of_arrays(probabilities):
        return [
            _stream_entropy(as_array(array, f"{name}[{i}]"), normalize, f"{name}[{i}]")
            for i, array in enumerate(probabilities)
        ]
    return _stream_entropy(as_array(probabilities, name), normalize, name)


def _is_list_of_arrays(probabilities):
    """Whether this is a list of arrays, not nested lists of numbers, which are one array."""
    return (
        is_listlike(probabilities)
        and len(probabilities) > 0
        and not any(isinstance(item, (list, tuple, Number)) for item in probabilities)
    )


def _stream_entropy(probabilities, normalize, name):
    shape = _check_probabilities(probabilities, name)
    if len(shape) == 1:
        return _stream_entropy(np.asarray(probabilities)[None], normalize, name)[0]
    entropy = np.empty(shape[:-1], dtype=np.float32)
    for rows in rows_at_once(probabilities, values=PROBABILITIES_AT_ONCE):
        piece = np.asarray(probabilities[rows])
        entropy[rows] = _entropy(piece, normalize, name, rows.start)
    return entropy


def _check_probabilities(probabilities, name):
    shape, dtype = tuple(probabilities.shape), np.dtype(probabilities.dtype)
    if dtype.kind not in "biuf":
        raise TypeError(f"`{name}` must hold real numbers; got dtype {dtype}.")
    if not shape or shape[-1] < 2:
        raise ValueError(
            f"`{name}` must have shape (..., n_classes) with two classes or more on the last axis; "
            f"got shape {shape}. Give the result of predict_proba; for the probability p of one of "
            "two classes, use numpy.stack([1 - p, p], axis=-1)."
        )
    return shape


def _entropy(piece, normalize, name, start):
    """Entropy of a piece of the array that begins at `start` on the first axis."""
    totals = piece.sum(axis=-1, dtype=np.float32)
    # The comparisons are False for NaN, which is allowed.
    negative = np.any(piece < 0, axis=-1)
    if negative.any():
        at = _first(negative, start)
        raise ValueError(
            f"`{name}` must not be negative (first at {at}). Logits must be converted to "
            "probabilities first, by a softmax over the last axis."
        )
    off = np.abs(totals - 1) > SUM_TOLERANCE
    if off.any():
        at = _first(off, start)
        raise ValueError(
            f"`{name}` must sum to 1 over the classes, which come last; got a sum of "
            f"{totals[off][0]:.4g} at {at}, in shape (..., {piece.shape[-1]}). If the classes "
            "come first, use numpy.moveaxis(probabilities, 0, -1)."
        )
    entropy = entr(piece).sum(axis=-1)
    highest = np.log(piece.shape[-1])
    # Rounded probabilities can slightly exceed the highest value.
    entropy = np.minimum(entropy, highest)
    return np.minimum(entropy / highest, 1) if normalize else entropy


def _first(mask, start):
    index = np.argwhere(mask)[0]
    index[0] += start
    return tuple(index.tolist())
