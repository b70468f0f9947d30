"""Cross-validation with blocks of neighboring sections.

Neighboring sections of a survey show nearly the same rocks: a test section beside a training
section measures how well a model copies, not how well it interprets. These splitters hold out
contiguous blocks along the first axis, with an optional gap on either side.
"""

import itertools
import math
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from skfacies._cubes.holders import is_transposed, ordered_dims
from skfacies._sections.labels import class_labels, label_codes, union_labels
from skfacies._sections.validation import as_array, is_listlike, n_sections

__all__ = ["BlockKFold", "BlockShuffleSplit"]

LABELS_AT_ONCE = 2**22  # labels read at once: 4 MB of int8, 32 MB of int64


class _BlockSplitter(BaseCrossValidator):
    """Base class of both splitters, which differ in where they put the test blocks."""

    def _check_parameters(self, fewest_splits):
        # Called in `__init__`, as in scikit-learn's splitters: there is no `fit`.
        for name, lowest in (("n_splits", fewest_splits), ("gap", 0)):
            value = getattr(self, name)
            if not isinstance(value, Integral) or isinstance(value, bool):
                raise TypeError(f"`{name}` must be an integer; got {value!r}.")
            if value < lowest:
                raise ValueError(f"`{name}` must be at least {lowest}; got {value!r}.")
        if not (self.ignore_label is None or isinstance(self.ignore_label, (Integral, str))):
            raise TypeError(
                f"`ignore_label` must be an integer, a string or None; got {self.ignore_label!r}."
            )

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds, `n_splits`.

        Parameters
        ----------
        X, y, groups : None
            Ignored.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits

    def split(self, X, y=None, groups=None):
        """Generate the positions of the training and test sections of each fold.

        Parameters
        ----------
        X : array of shape (n_sections, n_traces, n_samples), or list of (n_traces, n_samples)
            Sections, or a cube (n_inlines, n_crosslines, n_samples). Only their number is used.
        y : array-like or list of the same length, default=None
            Labels, read once and piece by piece, to warn about classes that a fold lacks.
        groups : None
            Ignored.

        Returns
        -------
        folds : iterator of (train, test)
            Sorted positions along the first axis of `X`, as int arrays.

        Raises
        ------
        ValueError
            If there are too few sections for the folds and the gap, if `y` has another length, or
            if `y` does not hold labels.
        """
        if groups is not None:
            warnings.warn(
                f"The groups parameter is ignored by {type(self).__name__}",
                UserWarning,
                stacklevel=2,
            )
        _check_order(X)
        n = _count_sections(X, "X")
        folds = [_make_fold(block, self.gap, n) for block in self._place_blocks(n)]
        if y is not None:
            if _count_sections(y, "y") != n:
                raise ValueError(
                    f"Found inconsistent numbers of sections: `X` has {n}, `y` has {n_sections(y)}."
                )
            _warn_of_absent_classes(folds, *_find_classes(y, self.ignore_label))
        return iter(folds)


class BlockKFold(_BlockSplitter):
    """K-fold cross-validation over contiguous blocks of sections, with gaps.

    Every section is tested once. Because neighboring sections resemble each other, shuffled folds
    give scores that a model will not reach on a new part of the survey [1]_. With blocks, only the
    two ends of a test block are near training sections, and a gap separates them.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2. The sizes of the blocks differ by at most one.
    gap : int, default=0
        Number of sections on either side of the test block that are neither trained on nor tested.
        Choose the distance over which sections look alike.
    ignore_label : int, str or None, default=-1
        Label of samples without interpretation; `split` does not count it as a class.

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong type or out of range.

    Warns
    -----
    UserWarning
        In `split`, if a class of `y` is absent from the training sections of a fold, so that it
        cannot be learned, or from its test sections, so that it is not scored.

    See Also
    --------
    BlockShuffleSplit : Blocks at random positions, of any size and number.

    Notes
    -----
    Sections are those of an array ``(n_sections, n_traces, n_samples)``, the inlines of a cube
    ``(n_inlines, n_crosslines, n_samples)``, or the items of a list, in the order given.

    The training sections lie on both sides of a block. In a cube assembled from them, crosslines
    have a seam there.

    scikit-learn's tools copy the sections of each fold into memory. They cannot index Zarr arrays
    by position: wrap these with ``dask.array.from_zarr``, which also copies nothing until it is
    read.

    References
    ----------
    .. [1] D. R. Roberts et al., "Cross-validation strategies for data with temporal, spatial,
       hierarchical, or phylogenetic structure", Ecography 40, 2017. doi:10.1111/ecog.02881

    Examples
    --------
    Twelve inlines: ``T`` marks test, ``-`` training, and ``.`` omitted inlines.

    >>> import numpy as np
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.model_selection import BlockKFold
    >>> survey = make_facies_cube((12, 32, 32), n_facies=2, random_state=0)
    >>> folds = BlockKFold(n_splits=3, gap=1)
    >>> for train, test in folds.split(survey.data, survey.target):
    ...     print("".join("T" if i in test else "-" if i in train else "." for i in range(12)))
    TTTT.-------
    ---.TTTT.---
    -------.TTTT

    >>> from sklearn.model_selection import cross_val_score
    >>> from skfacies import FaciesSegmenter
    >>> segmenter = FaciesSegmenter(
    ...     encoder_weights=None, encoder_depth=3, decoder_channels=(8, 8, 8), max_epochs=1,
    ...     random_state=0)
    >>> cross_val_score(segmenter, survey.data, survey.target, cv=folds).shape
    (3,)
    """

    def __init__(self, n_splits=5, *, gap=0, ignore_label=-1):
        self.n_splits = n_splits
        self.gap = gap
        self.ignore_label = ignore_label
        self._check_parameters(fewest_splits=2)

    def _place_blocks(self, n):
        if self.n_splits > n:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the number of sections, {n}. Use fewer "
                "splits."
            )
        edges = np.cumsum([0, *map(len, np.array_split(range(n), self.n_splits))]).tolist()
        blocks = list(itertools.pairwise(edges))
        tightest = min(blocks, key=lambda block: _room(block, n))
        if _room(tightest, n) <= self.gap:
            fold = f"fold {blocks.index(tightest)}"
            raise _no_training_error(fold, tightest, self.gap, n, "more folds of smaller blocks")
        return blocks


class BlockShuffleSplit(_BlockSplitter):
    """Cross-validation with test blocks of sections at random positions, with gaps.

    Unlike in `BlockKFold`, the size of the blocks is independent of their number. Use it for many
    small blocks, or for a few blocks if training is slow.

    Parameters
    ----------
    n_splits : int, default=10
        Number of folds, at least 1.
    test_size : float in (0, 1) or int, default=0.2
        Sections in the test block, as their number, or as a fraction of all sections, which is
        rounded to at least one section.
    gap : int, default=0
        Number of sections on either side of the test block that are neither trained on nor tested.
    ignore_label : int, str or None, default=-1
        Label of samples without interpretation; `split` does not count it as a class.
    random_state : int, RandomState instance or None, default=None
        Controls the positions. Pass an int for the same folds in every call of `split`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong type or out of range.

    Warns
    -----
    UserWarning
        In `split`, if a class of `y` is absent from the training sections of a fold, so that it
        cannot be learned, or from its test sections, so that it is not scored.

    See Also
    --------
    BlockKFold : Every section is tested once.

    Notes
    -----
    Sections are those of an array ``(n_sections, n_traces, n_samples)``, the inlines of a cube
    ``(n_inlines, n_crosslines, n_samples)``, or the items of a list, in the order given.

    All positions are equally likely, and none is drawn again until all have been drawn, so that a
    network is not trained twice on the same sections. Blocks overlap, and sections at either end
    of the survey are in fewer of them.

    Examples
    --------
    Twelve inlines: ``T`` marks test, ``-`` training, and ``.`` omitted inlines.

    >>> import numpy as np
    >>> from skfacies.model_selection import BlockShuffleSplit
    >>> sections = np.zeros((12, 40, 48))
    >>> folds = BlockShuffleSplit(n_splits=4, test_size=3, gap=2, random_state=0)
    >>> for train, test in folds.split(sections):
    ...     print("".join("T" if i in test else "-" if i in train else "." for i in range(12)))
    ..TTT..-----
    ------..TTT.
    --..TTT..---
    -------..TTT

    Use it as the `cv` argument of scikit-learn's tools, such as ``cross_val_score(segmenter,
    sections, labels, cv=folds)`` or ``GridSearchCV(segmenter, grid, cv=folds)``.
    """

    def __init__(self, n_splits=10, *, test_size=0.2, gap=0, ignore_label=-1, random_state=None):
        self.n_splits = n_splits
        self.test_size = test_size
        self.gap = gap
        self.ignore_label = ignore_label
        self.random_state = random_state
        self._check_parameters(fewest_splits=1)

    def _check_parameters(self, fewest_splits):
        super()._check_parameters(fewest_splits)
        check_random_state(self.random_state)
        size = self.test_size
        if not isinstance(size, Real) or isinstance(size, bool):
            raise TypeError(
                "`test_size` must be a number of sections or a fraction of all sections; got "
                f"{self.test_size!r}."
            )
        if not (size >= 1 if isinstance(size, Integral) else 0 < size < 1):
            raise ValueError(
                "`test_size` must be an integer of at least 1 (number of test sections) or a "
                f"float between 0 and 1 (fraction of sections); got {size!r}."
            )

    def _place_blocks(self, n):
        n_test = self.test_size
        if not isinstance(n_test, Integral):
            n_test = max(1, round(n_test * n))
        if n_test >= n:
            raise ValueError(
                f"test_size={self.test_size!r} leaves no training section: the test block takes "
                f"{n_test} of {n} sections. Use a smaller `test_size`."
            )
        # Check the position with the least room, whether or not it is drawn: the seed should not
        # decide whether folds are possible.
        middle = (n - n_test) // 2, (n - n_test) // 2 + n_test
        if _room(middle, n) <= self.gap:
            fold = "a fold that tests the middle of the survey"
            raise _no_training_error(fold, middle, self.gap, n, "a smaller `test_size`")
        random_state = check_random_state(self.random_state)
        n_positions = n - n_test + 1
        rounds = math.ceil(self.n_splits / n_positions)
        starts = np.concatenate([random_state.permutation(n_positions) for _ in range(rounds)])
        return [(start, start + n_test) for start in starts[: self.n_splits].tolist()]


def _make_fold(block, gap, n):
    start, stop = block
    positions = np.arange(n)
    near = (positions >= start - gap) & (positions < stop + gap)
    return positions[~near], positions[start:stop]


def _room(block, n):
    """Largest number of sections on one side of a block; a gap must be smaller."""
    start, stop = block
    return max(start, n - stop)


def _no_training_error(fold, block, gap, n, remedy):
    start, stop = block
    return ValueError(
        f"gap={gap} leaves no training section in {fold}: the test block, sections {start} to "
        f"{stop - 1}, and the gap take all {n} sections. Use a gap of at most "
        f"{_room(block, n) - 1}, or {remedy}."
    )


def _check_order(X):
    """Reject a cube whose inlines, by the names of its axes, do not come first."""
    if is_transposed(X):
        raise ValueError(
            f"`X` has the axes {X.dims}, but folds are of inlines, which must come first. Use "
            f"X.transpose{ordered_dims(X)}."
        )


def _count_sections(data, name):
    # Anything with a shape is accepted: nothing is read, and arrays on disk may have no length.
    if not is_listlike(data) and not getattr(data, "shape", None):
        raise TypeError(
            f"`{name}` must be an array with sections on its first axis, or a list of sections; "
            f"got {type(data).__name__}."
        )
    n = n_sections(data)
    if n == 0:
        raise ValueError(f"`{name}` is empty: Found 0 section(s) while at least 2 are required.")
    return n


# --- classes of the folds -------------------------------------------------------------------


def _find_classes(y, ignore_label):
    """Classes of `y`, sorted, and a table (n_sections, n_classes) of where they occur."""
    sections, labels = [], []
    for first, piece in _pieces(y):
        for i, section in enumerate(piece, start=first):
            sections.append(i)
            labels.append(class_labels(section, ignore_label, "y"))
    classes = union_labels(labels) if labels else np.array([], dtype=np.int64)
    table = np.zeros((n_sections(y), len(classes)), dtype=bool)
    for i, found in zip(sections, labels, strict=True):
        table[i, label_codes(found, classes)] = True
    return classes, table


def _pieces(y):
    """Yield labels piece by piece, each with the position of its first section."""
    if is_listlike(y):
        for i, section in enumerate(y):
            yield i, np.asarray(as_array(section, f"y[{i}]"))[None]
        return
    y = as_array(y, "y")
    shape = tuple(int(size) for size in y.shape)
    steps = _piece_shape(shape, getattr(y, "chunks", None))
    axes = [
        [slice(start, min(start + step, size)) for start in range(0, size, step)]
        for size, step in zip(shape, steps, strict=True)
    ]
    for window in itertools.product(*axes):
        yield window[0].start, np.asarray(y[window])


def _piece_shape(shape, chunks):
    """Shape of pieces with about LABELS_AT_ONCE labels, made of whole chunks.

    Chunks may span all sections. Reading such an array section by section would fetch and unpack
    the whole array for every section.
    """
    if chunks is None:
        chunks = (1,) * len(shape)
    # Zarr and HDF5 give one size per axis; Dask and xarray give the sizes of all chunks.
    piece = [
        max(1, min(size, int(np.max(chunk)))) for size, chunk in zip(shape, chunks, strict=True)
    ]
    for axis in reversed(range(len(shape))):
        n_fitting = max(1, LABELS_AT_ONCE // math.prod(piece))
        piece[axis] = max(1, min(shape[axis], piece[axis] * n_fitting))
    return piece


def _warn_of_absent_classes(folds, classes, table):
    messages = (
        "Classes without a training sample cannot be learned in a fold: {}. Label more sections "
        "with them, or use smaller blocks or a smaller gap.",
        "Classes without a test sample are not scored in a fold: {}. Means over folds then mix "
        "scores of different classes. Use larger blocks.",
    )
    for message, sections in zip(messages, zip(*folds, strict=True), strict=True):
        absent = [classes[~table[positions].any(axis=0)].tolist() for positions in sections]
        if any(absent):
            listed = "; ".join(f"fold {i} lacks {a}" for i, a in enumerate(absent) if a)
            warnings.warn(message.format(listed), UserWarning, stacklevel=3)
