"""Transformer from a cube to sections and back."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skfacies._cubes.holders import SectionsOnDisk, check_cube, shape_of, swap_lines
from skfacies._cubes.volumes import as_volumes
from skfacies._sections.validation import (
    as_array,
)

__all__ = ["CubeToSections"]


class CubeToSections(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Cut a cube into its inline or crossline sections, and put sections back as a cube.

    Amplitudes, labels of any type and probabilities are restored exactly. Copies and reads are
    avoided where possible: crosslines are a transposed view of an array in memory or mapped from a
    file, and arrays on disk are read section by section.

    Parameters
    ----------
    direction : {"inline", "crossline"}, default="inline"
        Inline sections are ``cube[i]``, crossline sections ``cube[:, i]``.
    step : int or None, default=None
        Take every `step`-th line, starting with the first. None takes all lines.
    indices : array-like of ints or None, default=None
        Take the lines at these positions, in this order; negative positions count from the end.
        None takes all lines. At most one of `step` and `indices` can be given.
    fill_value : int, float, str or None, default=None
        Value that `inverse_transform` gives the samples of lines that were not taken. None is NaN
        for floats, -1 for integers, "" for strings.

    Attributes
    ----------
    cube_shape_ : tuple of 3 ints
        (n_inlines, n_crosslines, n_samples) of the cube passed to `fit`.
    n_sections_ : int
        Number of sections cut from that cube.

    See Also
    --------
    AmplitudeScaler : Scales the amplitudes of sections.

    Notes
    -----
    A cube is ``(n_inlines, n_crosslines, n_samples)``, sections are ``(n_sections, n_traces,
    n_samples)``; the vertical axis stays last and points down. Several volumes of a survey, a list
    of cubes with the same lines and samples, give sections with channels, ``(n_sections, n_traces,
    n_samples, n_volumes)``.

    A `Pipeline` passes `y` to its estimator unchanged. ``make_pipeline(CubeToSections("inline"),
    FaciesSegmenter())`` therefore fits on a cube and a cube of labels, and predicts cubes. With
    crosslines or selected lines, the labels would belong to other sections; on a square survey,
    this would go unnoticed. `fit` therefore rejects labels in the shape of the cube. CubeSegmenter
    cuts both.

    `step` and `indices` select lines in every `transform`, of training data and of data to
    predict. Use them to choose lines for training or scoring.

    Because views share memory, changes to the sections also change the cube. `indices` copies the
    lines that it selects. Reading crosslines of a chunked file unpacks each chunk once for every
    crossline in it; if that is slow, load the cube, or keep a transposed copy.

    Examples
    --------
    >>> import numpy as np
    >>> from skfacies import CubeToSections
    >>> cube = np.arange(24).reshape(2, 3, 4)
    >>> crosslines = CubeToSections("crossline")
    >>> sections = crosslines.fit_transform(cube)
    >>> sections.shape
    (3, 2, 4)
    >>> np.array_equal(sections[1], cube[:, 1])
    True
    >>> np.array_equal(crosslines.inverse_transform(sections), cube)
    True

    Every second crossline, and back:

    >>> some = CubeToSections("crossline", step=2)
    >>> some.inverse_transform(some.fit_transform(cube))[0]
    array([[ 0,  1,  2,  3],
           [-1, -1, -1, -1],
           [ 8,  9, 10, 11]])
    """

    _parameter_constraints = {
        "direction": [StrOptions({"inline", "crossline"})],
        "step": [Interval(Integral, 1, None, closed="left"), None],
        "indices": ["array-like", None],
        "fill_value": [Real, str, None],
    }

    def __init__(self, direction="inline", *, step=None, indices=None, fill_value=None):
        self.direction = direction
        self.step = step
        self.indices = indices
        self.fill_value = fill_value

    def fit(self, X, y=None):
        """Learn the shape of the cube, which `inverse_transform` needs.

        Parameters
        ----------
        X : array-like of shape (n_inlines, n_crosslines, n_samples), or list of these
            Cube of any type. Its samples are not read.
        y : array-like, default=None
            Only its shape is checked: labels must belong to the sections that are cut.

        Returns
        -------
        self : CubeToSections

        Raises
        ------
        ValueError
            If `X` is not a cube or does not have the `indices`, or if `y` has the shape of the
            cube although crosslines or selected lines are cut.
        """
        self._validate_params()
        shape = shape_of(check_cube(as_volumes(X), volumes=True))[:3]
        sections_shape = self._sections_shape(shape)
        if y is not None and not self._is_identity() and shape_of(y, "y") == shape:
            raise ValueError(_uncut_labels_message(shape, sections_shape))
        self.cube_shape_ = shape
        self.n_sections_ = sections_shape[0]
        return self

    def transform(self, X):
        """Cut a cube into sections; it may differ from the cube passed to `fit`.

        Parameters
        ----------
        X : array-like of shape (n_inlines, n_crosslines, n_samples), or list of these
            Amplitudes or labels, of any type.

        Returns
        -------
        sections : array of shape (n_sections, n_traces, n_samples)
            A view, if all lines or every `step`-th line are taken. Dask arrays and
            `xarray.DataArray` keep their type; for other arrays on disk, ``sections[i]`` reads one
            section.
        """
        check_is_fitted(self)
        cube = check_cube(as_volumes(X), volumes=True)
        if self._is_identity():
            return cube
        axis, n_lines = self._axis(), shape_of(cube)[self._axis()]
        lines = self._choose_lines(n_lines)
        if not hasattr(cube, "transpose"):
            return SectionsOnDisk(cube, axis, np.arange(n_lines)[lines])
        return (swap_lines(cube) if axis else cube)[lines]

    def inverse_transform(self, X):
        """Put sections back into a cube of the shape passed to `fit`.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or (..., n_classes)
            Amplitudes, labels or probabilities of all sections of that cube, in the order of
            `transform`.

        Returns
        -------
        cube : array of shape (n_inlines, n_crosslines, n_samples), or (..., n_classes)
            A view, if all lines are taken. Otherwise a new array in memory, with `fill_value` in
            the lines that were not taken.

        Raises
        ------
        ValueError
            If `X` does not hold sections of that cube, or `fill_value` does not fit their type.
        """
        check_is_fitted(self)
        sections = as_array(X)
        self._check_cut(shape_of(sections))
        axis = self._axis()
        if self._takes_all():
            return swap_lines(sections) if axis else sections
        lines = np.arange(self.cube_shape_[axis])[self._choose_lines(self.cube_shape_[axis])]
        shape = (*self.cube_shape_, *shape_of(sections)[3:])
        cube = _make_filled(shape, np.dtype(sections.dtype), self.fill_value)
        cut = cube.swapaxes(0, 1) if axis else cube  # a view: writing to it fills the cube
        for i, line in enumerate(lines):
            cut[line] = np.asarray(sections[i])
        return cube

    def _axis(self):
        return ("inline", "crossline").index(self.direction)

    def _takes_all(self):
        return self.indices is None and self.step in (None, 1)

    def _is_identity(self):
        return self.direction == "inline" and self._takes_all()

    def _choose_lines(self, n_lines):
        """Slice or array of the lines that are taken from `n_lines`."""
        if self.indices is None:
            return slice(None, None, self.step)
        if self.step is not None:
            raise ValueError("Give `step` or `indices`, not both.")
        return _check_indices(self.indices, n_lines, self.direction)

    def _sections_shape(self, cube_shape):
        """Shape of the sections that are cut from a cube of this shape."""
        axis = self._axis()
        lines = np.arange(cube_shape[axis])[self._choose_lines(cube_shape[axis])]
        return (len(lines), cube_shape[1 - axis], cube_shape[2])

    def _check_cut(self, shape):
        expected = self._sections_shape(self.cube_shape_)
        if len(shape) in (3, 4) and shape[:3] == expected:
            return
        raise ValueError(
            f"`X` must be {expected[0]} {self.direction} sections of shape {expected[1:]}, cut "
            f"from a cube of shape {self.cube_shape_}, or their probabilities; got shape {shape}. "
            "Use a CubeToSections that was fitted on the cube of these sections."
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _uncut_labels_message(cube_shape, sections_shape):
    ambiguous = (
        " Cut labels have the same shape and cannot be distinguished from uncut ones."
        if sections_shape == cube_shape
        else ""
    )
    return (
        f"`y` has the shape of the cube, {cube_shape}, but only `X` is cut: a Pipeline passes `y` "
        f"on unchanged, and its labels would belong to other sections.{ambiguous} Use "
        "CubeSegmenter, which cuts both. Or cut both yourself and fit the segmenter without a "
        "Pipeline: CubeToSections(...).fit_transform(cube), CubeToSections(...).fit_transform("
        "label_cube)."
    )


def _check_indices(indices, n_lines, direction):
    """Return non-negative positions, in the order given."""
    lines = np.asarray(indices)
    if lines.ndim != 1 or not lines.size:
        raise ValueError(f"`indices` must be a list of positions; got {indices!r}.")
    if lines.dtype.kind not in "iu":
        raise TypeError(f"`indices` must be integers; got {lines.dtype}: {indices!r}.")
    outside = lines[(lines < -n_lines) | (lines >= n_lines)]
    if len(outside):
        raise ValueError(
            f"`indices` must be positions from {-n_lines} to {n_lines - 1}, since the cube has "
            f"{n_lines} {direction}s; got {outside.tolist()}."
        )
    lines = np.where(lines < 0, lines + n_lines, lines)
    distinct, counts = np.unique(lines, return_counts=True)
    if len(distinct) < len(lines):
        raise ValueError(
            f"`indices` must list each line once; got {distinct[counts > 1].tolist()} more than "
            "once. Negative positions count from the end."
        )
    return lines


def _make_filled(shape, dtype, fill_value):
    """Array filled with `fill_value`; its `dtype` is widened if strings need it."""
    kind = dtype.kind
    fill = fill_value
    if fill is None:
        fill = {"f": np.nan, "c": np.nan, "i": -1, "u": -1, "b": -1}.get(kind, "")
    if kind in "biu":
        low, high = (0, 1) if kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        fits = isinstance(fill, Real) and low <= fill <= high and fill == int(fill)
    else:
        fits = kind == "O" or isinstance(fill, str if kind in "US" else Real)
    if not fits:
        origin = "" if fill_value is not None else ", the default,"
        raise ValueError(
            f"`fill_value`={fill!r}{origin} cannot be stored in sections of type {dtype}; it fills "
            "lines that were not taken. Give a value that fits this type."
        )
    if kind in "US":
        dtype = np.result_type(dtype, np.array(fill, dtype=kind).dtype)
    return np.full(shape, fill, dtype=dtype)
