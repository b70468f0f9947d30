"""The axis convention and the checks that several modules share.

Terms used throughout skfacies:

- section: amplitudes of one vertical slice, ``(n_traces, n_samples)``, samples point down.
- sections: an array ``(n_sections, n_traces, n_samples)``, or a list of sections of different
  shapes. Anything with ``shape``, ``dtype`` and slicing counts as an array, and is read section
  by section.
- channels: an additional last axis of sections: several volumes of the survey (near and far
  stacks, an attribute), and the same of neighboring lines. The first is the section itself.
- labels: integers or strings in the shape of the amplitudes.
"""

from numbers import Number, Real

import numpy as np
from scipy.sparse import issparse

from skfacies._sections.label_shapes import wrong_shape_message
from skfacies._sections.undefined import undefined_amplitudes

__all__ = [
    "MOST_CHANNELS",
    "Lines",
    "as_array",
    "check_channels",
    "check_finite_section",
    "check_same_structure",
    "check_sample_weight",
    "check_sections",
    "first_channels",
    "is_listlike",
    "like_sections",
    "n_channels",
    "n_sections",
    "n_volumes",
    "own_amplitudes",
    "section_shape",
]


SECTIONS_SHAPE = "(n_sections, n_traces, n_samples)"

#: A longer last axis is assumed to be another axis that is last by mistake.
MOST_CHANNELS = 64


def is_listlike(sections):
    """Whether sections are a list (possibly ragged), not one array."""
    return isinstance(sections, (list, tuple))


class Lines(list):
    """Sections of a cube as a list with their directions and positions.

    Parameters
    ----------
    sections : iterable of (n_traces, n_samples)
    directions : sequence of {0, 1}
        0 for inlines, 1 for crosslines.
    positions : sequence of int
        Position of each section along the axis across which it is cut.
    trace_numbers : list of arrays (n_traces, 2), or None
        Inline and crossline numbers of the traces of each section.
    vertical_axis : tuple (first, interval, unit), or None
    """

    def __init__(self, sections, directions, positions, trace_numbers=None, vertical_axis=None):
        super().__init__(sections)
        self.directions, self.positions = list(directions), list(positions)
        self.trace_numbers, self.vertical_axis = trace_numbers, vertical_axis


def like_sections(X, sections):
    """List of sections with the positions of those in `X`, if `X` has positions."""
    if not isinstance(X, Lines):
        return sections
    return Lines(sections, X.directions, X.positions, X.trace_numbers, X.vertical_axis)


def n_sections(sections):
    """Number of sections; arrays on disk and our own readers may have a shape but no `len`."""
    return len(sections) if is_listlike(sections) else int(sections.shape[0])


def section_shape(X, i):
    """Shape ``(n_traces, n_samples)`` of section i, without reading it."""
    shape = X[i].shape[:2] if is_listlike(X) else X.shape[1:3]
    return tuple(int(size) for size in shape)


def n_channels(X):
    """Number of channels of checked sections; 1 if they have no axis for channels."""
    shape, without = (X[0].shape, 2) if is_listlike(X) else (X.shape, 3)
    return int(shape[without]) if len(shape) > without else 1


def n_volumes(X):
    """Number of volumes among the channels of checked sections, each with a scale of its own.

    The channels of neighboring lines are those of the section itself again.
    """
    section = X[0] if is_listlike(X) else X
    return getattr(section, "n_volumes", n_channels(X))


def first_channels(section, n):
    """Amplitudes of the first channels of a section, without an axis of channels if n is 1."""
    return section[..., :n] if n > 1 else own_amplitudes(section)


def own_amplitudes(section):
    """Amplitudes (n_traces, n_samples) of a section itself, which are its first channel."""
    return section[..., 0] if section.ndim == 3 else section


def as_array(data, name="X"):
    """Return `data` as an object with shape, dtype and slicing; copy only if it lacks them.

    Torch tensors become arrays on the CPU; memmaps, zarr, h5py and dask arrays pass unchanged.
    """
    if issparse(data):
        raise TypeError(
            f"`{name}` is a sparse matrix, but sections are dense. Use {name}.toarray() and "
            f"reshape it to {SECTIONS_SHAPE}."
        )
    if isinstance(data, np.ma.MaskedArray):
        if np.ma.is_masked(data):
            raise ValueError(
                f"`{name}` is a masked array with masked samples. Use {name}.filled(np.nan) with "
                "nan_policy='ignore' for amplitudes, or .filled(ignore_label) for labels."
            )
        return data.data
    if hasattr(data, "detach") and hasattr(data, "cpu"):  # a torch tensor, without importing torch
        tensor = data.detach().cpu()
        if str(tensor.dtype) == "torch.bfloat16":  # NumPy has no such type
            tensor = tensor.float()
        return tensor.numpy()
    if all(hasattr(data, attribute) for attribute in ("shape", "dtype", "__getitem__")):
        return data
    try:
        return np.asarray(data)
    except ValueError as error:
        raise ValueError(
            f"`{name}` is not a regular array. Pass sections of different shapes as a list of "
            "2-D arrays."
        ) from error


def check_sections(X, name="X", *, nan_policy="raise", check_finite=True):
    """Check amplitudes and return them as an array of sections or a list of arrays.

    Parameters
    ----------
    X : array-like of shape (n_sections, n_traces, n_samples), or list of (n_traces, n_samples)
        Amplitudes of any real data type, which are neither copied nor cast. Both forms may have an
        additional last axis for channels.
    name : str, default="X"
        Name of the argument in error messages.
    nan_policy : {"raise", "ignore"}, default="raise"
        Whether undefined values, such as NaN, are an error. Infinite values always are.
    check_finite : bool, default=True
        Read every section to look for NaN and infinity. Prediction skips this check and makes it
        while reading each section.

    Returns
    -------
    X : array or list of arrays
        A list is returned for a list.
    """
    if is_listlike(X) and not _holds_sections(X):
        X = as_array(X, name)
    if is_listlike(X):
        X = like_sections(X, [_check_dtype(as_array(section, name), name) for section in X])
        if not X:
            raise ValueError(f"`{name}` is an empty list: Found 0 section(s), at least 1 needed.")
        for i, section in enumerate(X):
            if len(section.shape) not in (2, 3):
                raise ValueError(
                    f"`{name}[{i}]` must be a section of shape (n_traces, n_samples); got a "
                    f"{len(section.shape)}-D array of shape {tuple(section.shape)}."
                )
            _check_not_empty(section.shape, f"{name}[{i}]", 2)
            _check_channels(section.shape, X[0].shape, f"{name}[{i}]", 2)
    else:
        X = _check_dtype(as_array(X, name), name)
        if len(X.shape) not in (3, 4):
            raise ValueError(_wrong_ndim_message(X.shape, name))
        _check_not_empty(X.shape, name, 3)
        _check_channels(X.shape, X.shape, name, 3)
    if check_finite:
        for i in range(n_sections(X)):
            check_finite_section(np.asarray(X[i]), i, name, nan_policy=nan_policy)
    return X


def _holds_sections(X):
    """Whether this is a list of sections, not nested lists of numbers, which are one array."""
    return len(X) == 0 or not all(isinstance(item, (list, tuple, Number)) for item in X)


def _check_dtype(array, name):
    dtype = np.dtype(array.dtype)
    if dtype.kind == "c":
        raise ValueError(f"Complex data not supported: `{name}` must hold real amplitudes.")
    if dtype.kind == "O":
        raise ValueError(
            f"`{name}` is an object array (dtype=object). Pass sections of different shapes as a "
            "plain list of 2-D arrays, or convert it to float32."
        )
    if dtype.kind not in "biuf":
        raise ValueError(f"`{name}` must hold numbers; got dtype {dtype}.")
    return array


def _check_channels(shape, first, name, n_axes):
    """Check the channel axis of sections with `n_axes` other axes, against the first section."""
    if tuple(shape[n_axes:]) != tuple(first[n_axes:]):
        raise ValueError(
            f"All sections of a list must have the same channels; `{name}` has the shape "
            f"{tuple(shape)}, the first section has {tuple(first)}."
        )
    if len(shape) > n_axes and not shape[n_axes] <= min(MOST_CHANNELS, shape[n_axes - 1]):
        kinds = "(n_traces, n_samples) or (n_traces, n_samples, n_channels)"
        raise ValueError(
            f"`{name}` has the shape {tuple(shape)}: an axis after the samples holds channels, at "
            f"most {MOST_CHANNELS} and no more than samples. Give sections as {kinds}. Cut cubes "
            "into sections, and move a channel axis to the end."
        )


def _check_not_empty(shape, name, n_axes):
    if 0 not in shape:
        return
    words = (*("section", "trace", "sample")[-n_axes:], "channel")
    empty = words[list(shape).index(0)]
    raise ValueError(
        f"`{name}` is empty: Found array with 0 {empty}(s) (shape={tuple(shape)}) while a minimum "
        "of 1 is required."
    )


def _wrong_ndim_message(shape, name):
    advice = {
        2: f"For one section, use {name}[None]; for a cube, give all three axes.",
    }.get(len(shape), "Reshape it, or give a list of 2-D sections.")
    return (
        f"`{name}` must be sections of shape {SECTIONS_SHAPE}; got a {len(shape)}-D array of "
        f"shape {tuple(shape)}. {advice}"
    )


def check_channels(X, n_trained):
    """Check that sections have as many channels as the training sections."""
    if n_channels(X) != n_trained:
        raise ValueError(
            f"`X` has sections of {n_channels(X)} channel(s), but the network was trained on "
            f"{n_trained}. Sections with several channels have shape (n_traces, n_samples, "
            "n_channels); CubeSegmenter cuts them from several volumes, or with `neighbors`."
        )


def check_finite_section(section, index=None, name="X", *, nan_policy="raise"):
    """Raise if a section holds infinite or undefined values, before or after a cast to float32.

    With `nan_policy="ignore"`, undefined values (NaN and others, see `undefined_amplitudes`) are
    allowed.
    """
    if section.dtype.kind not in "f":
        return
    undefined = undefined_amplitudes(section)
    with np.errstate(over="ignore", invalid="ignore"):
        values = section.astype(np.float32, copy=False)
        # One pass when all is well: a float64 sum of float32 values cannot overflow.
        total = np.add.reduce(values, axis=None, dtype=np.float64)
        if undefined is None and np.isfinite(total):
            return
    undefined = np.zeros(values.shape, dtype=bool) if undefined is None else undefined
    where = "" if index is None else f" of section {index}"
    only_nan = np.isnan(values[undefined]).all()
    for kind, bad, advice in (
        ("infinity", np.isinf(values) & ~undefined, "Clip amplitudes to the range of float32."),
        (
            "NaN" if only_nan else f"undefined values such as {section[undefined][0]:g}",
            undefined,
            "Fill them, or use nan_policy='ignore' to leave them out of training and prediction.",
        ),
    ):
        if bad.any() and not (bad is undefined and nan_policy == "ignore"):
            trace, sample = np.argwhere(bad)[0][:2]
            raise ValueError(
                f"Input `{name}` contains {kind} (first at trace {trace}, sample {sample}{where}; "
                f"{int(bad.sum())} in that section), or a value too large for dtype('float32'). "
                f"{advice}"
            )


def check_same_structure(y, X, name="y", like="X", *, channels=False):
    """Check that `y` has the shape of `X`, section by section, and return it without a copy.

    With `channels`, `X` holds checked sections, and `y` has no axis for their channels.
    """
    if is_listlike(y) and not is_listlike(X):
        y = [as_array(item, name) for item in y]
        check_one_kind(y)  # as one array, numbers would silently become strings
        y = as_array(y, name)
    if is_listlike(X):
        if not is_listlike(y):
            y = as_array(y, name)
            y = [y[i] for i in range(n_sections(y))] if len(y.shape) else [y]
        if len(y) != len(X):
            raise ValueError(
                f"Found inconsistent numbers of sections: `{like}` has {len(X)}, `{name}` has "
                f"{len(y)}."
            )
        y = [as_array(section, name) for section in y]
        for i, (labels, section) in enumerate(zip(y, X, strict=True)):
            n_axes = 2 if channels else None
            if tuple(labels.shape) != tuple(section.shape[:n_axes]):
                raise ValueError(
                    wrong_shape_message(
                        labels, section.shape, f"{name}[{i}]", f"{like}[{i}]", n_axes
                    )
                )
        return y
    y, n_axes = as_array(y, name), 3 if channels else None
    if tuple(y.shape) != tuple(X.shape[:n_axes]):
        raise ValueError(wrong_shape_message(y, X.shape, name, like, n_axes))
    return y


def check_sample_weight(sample_weight, X):
    """Check weights of sections ``(n_sections,)`` or of samples (the shape of `X`).

    Returns
    -------
    weights : None, ndarray of shape (n_sections,), or array / list in the structure of `X`
        ``weights[i]`` is a number or an array of shape (n_traces, n_samples).
    """
    if sample_weight is None:
        return None
    n_weights = n_sections(X)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_weights, sample_weight, dtype=np.float64)
    if is_listlike(sample_weight) and all(isinstance(w, Real) for w in sample_weight):
        sample_weight = np.asarray(sample_weight, dtype=np.float64)
    if not is_listlike(sample_weight) and np.ndim(sample_weight) == 1:
        weights = np.asarray(sample_weight)
        if weights.shape != (n_weights,):
            raise ValueError(
                f"`sample_weight` must have shape ({n_weights},), one weight per section, or the "
                f"shape of `X`; got {weights.shape}."
            )
    else:
        weights = check_same_structure(sample_weight, X, "sample_weight", channels=True)
    total = 0.0
    for i in range(n_weights):
        part = np.asarray(weights[i])
        if part.dtype.kind not in "biuf" or not np.all(np.isfinite(part)) or np.any(part < 0):
            raise ValueError(
                f"`sample_weight` must hold finite numbers >= 0; section {i} has other values."
            )
        total += float(part.sum(dtype=np.float64))
    if total == 0:
        raise ValueError(
            "`sample_weight` is all zero, so nothing would be learned. Sample weights must not all "
            "be zero."
        )
    return weights


def check_one_kind(sets):
    if len({holds_strings(labels) for labels in sets}) > 1:
        raise ValueError("Mix of label input types: strings in some sections, numbers in others.")


def holds_strings(labels):
    """Whether labels are strings, not numbers; both may be in an object array."""
    kind = labels.dtype.kind
    return kind in "US" or (kind == "O" and labels.size > 0 and isinstance(labels.flat[0], str))
