"""Cross-validation by blocks of neighboring sections.

Neighboring sections of a survey show nearly the same rocks: one that is tested beside one that was
trained on tells how well a model copies, not how well it interprets. The splitters here hold out
contiguous blocks of the first axis, with a gap on either side if wanted.
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
    """What both splitters share; they differ in where they put the test blocks."""

    def _check_parameters(self, fewest_splits):
        # As in scikit-learn's splitters, which have no `fit` to do it in.
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
        """Give the positions of the training and test sections of each fold.

        Parameters
        ----------
        X : array of shape (n_sections, n_traces, n_samples), or list of (n_traces, n_samples)
            Sections, or a cube (n_inlines, n_crosslines, n_samples). Only their number counts.
        y : array-like or list of the same length, default=None
            Labels, read once and piece by piece, to warn of classes that a fold lacks.
        groups : None
            Ignored.

        Returns
        -------
        folds : iterator of (train, test)
            Sorted positions on the first axis of `X`, int arrays.

        Raises
        ------
        ValueError
            If there are too few sections for the folds and the gap, `y` has another length, or
            holds no labels.
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

    Every section is tested once. Neighboring sections resemble each other, so that shuffled
    folds give scores that no new part of the survey will reach [1]_. Blocks leave only the two
    ends of a block near its training sections, and a gap takes those away.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2. Sizes of the blocks differ by one at most.
    gap : int, default=0
        Sections on either side of the test block that are neither trained on nor tested. Choose
        the distance over which sections look alike.
    ignore_label : int, str or None, default=-1
        Label of samples without interpretation; no class, where `split` warns of absent classes.

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong type or out of range.

    Warns
    -----
    UserWarning
        In `split`, if a class of `y` is absent from the training sections of a fold, which cannot
        learn it, or from its test sections, which do not score it.

    See Also
    --------
    BlockShuffleSplit : Blocks at random positions, of any size and number.

    Notes
    -----
    Sections are those of an array ``(n_sections, n_traces, n_samples)``, the inlines of a cube
    ``(n_inlines, n_crosslines, n_samples)``, or the items of a list, in the order given.

    The training sections lie on both sides of a block: crosslines of a cube that is put together
    from them have a seam there.

    scikit-learn's tools copy the sections of each fold into memory. They cannot index Zarr arrays
    by position: wrap these by ``dask.array.from_zarr``, which also copies nothing until it is
    read.

    References
    ----------
    .. [1] D. R. Roberts et al., "Cross-validation strategies for data with temporal, spatial,
       hierarchical, or phylogenetic structure", Ecography 40, 2017. doi:10.1111/ecog.02881

    Examples
    --------
    Twelve inlines: ``T`` are tested, ``-`` trained on, ``.`` left out.

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
                "folds."
            )
        edges = np.cumsum([0, *map(len, np.array_split(range(n), self.n_splits))]).tolist()
        blocks = list(itertools.pairwise(edges))
        tightest = min(blocks, key=lambda block: _room(block, n))
        if _room(tightest, n) <= self.gap:
            fold = f"fold {blocks.index(tightest)}"
            raise _no_training_error(fold, tightest, self.gap, n, "more folds of smaller blocks")
        return blocks


class BlockShuffleSplit(_BlockSplitter):
    """Cross-validation by test blocks of sections at random positions, with gaps.

    Use it where `BlockKFold` ties the size of the blocks to their number: for many small blocks,
    or for a few, when training is slow.

    Parameters
    ----------
    n_splits : int, default=10
        Number of folds, at least 1.
    test_size : float in (0, 1) or int, default=0.2
        Sections in the test block: as a fraction of all, rounded and at least one, or their number.
    gap : int, default=0
        Sections on either side of the test block that are neither trained on nor tested.
    ignore_label : int, str or None, default=-1
        Label of samples without interpretation; no class, where `split` warns of absent classes.
    random_state : int, RandomState instance or None, default=None
        Chooses the positions. Pass an int for the same folds in every call of `split`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong type or out of range.

    Warns
    -----
    UserWarning
        In `split`, if a class of `y` is absent from the training sections of a fold, which cannot
        learn it, or from its test sections, which do not score it.

    See Also
    --------
    BlockKFold : Every section is tested once.

    Notes
    -----
    Sections are those of an array ``(n_sections, n_traces, n_samples)``, the inlines of a cube
    ``(n_inlines, n_crosslines, n_samples)``, or the items of a list, in the order given.

    Every position is as likely as any other, and none is drawn again until all have been: a
    network need not be trained twice on the same sections. Blocks overlap, and sections at either
    end of the survey are in fewer of them.

    Examples
    --------
    Twelve inlines: ``T`` are tested, ``-`` trained on, ``.`` left out.

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

    It goes where scikit-learn takes a `cv`, such as ``cross_val_score(segmenter, sections, labels,
    cv=folds)`` or ``GridSearchCV(segmenter, grid, cv=folds)``.
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
                "`test_size` must be a number of sections or a fraction of them; got "
                f"{self.test_size!r}."
            )
        if not (size >= 1 if isinstance(size, Integral) else 0 < size < 1):
            raise ValueError(
                "`test_size` must be an integer of at least 1, the number of test sections, or a "
                f"float between 0 and 1, their fraction; got {size!r}."
            )

    def _place_blocks(self, n):
        n_test = self.test_size
        if not isinstance(n_test, Integral):
            n_test = max(1, round(n_test * n))
        if n_test >= n:
            raise ValueError(
                f"test_size={self.test_size!r} leaves no training section: it makes {n_test} of "
                f"{n} sections a test block. Use a smaller `test_size`."
            )
        # Decided for the position with the least room, drawn or not: whether folds can be made
        # should not depend on the seed.
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
    """Largest number of sections on one side of a block: a gap must be smaller."""
    start, stop = block
    return max(start, n - stop)


def _no_training_error(fold, block, gap, n, remedy):
    start, stop = block
    return ValueError(
        f"gap={gap} leaves no training section in {fold}: with its test block, sections {start} "
        f"to {stop - 1}, it takes all {n}. Use a gap of at most {_room(block, n) - 1}, or {remedy}."
    )


def _check_order(X):
    """Refuse a cube whose inlines, by the names of its axes, do not come first."""
    if is_transposed(X):
        raise ValueError(
            f"`X` has the axes {X.dims}, but folds are of inlines, which come first. Use "
            f"X.transpose{ordered_dims(X)}."
        )


def _count_sections(data, name):
    # Whatever has a shape will do: nothing is read, and arrays on disk need not have a length.
    if not is_listlike(data) and not getattr(data, "shape", None):
        raise TypeError(
            f"`{name}` must be an array with sections on its first axis, or a list of sections; "
            f"got {type(data).__name__}."
        )
    n = n_sections(data)
    if n == 0:
        raise ValueError(f"`{name}` is empty: Found 0 section(s), at least 2 needed.")
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
    """Shape of pieces of about LABELS_AT_ONCE labels that are made of whole chunks.

    Chunks may reach over all sections. Reading such an array section by section would fetch and
    unpack all of it for every section.
    """
    if chunks is None:
        chunks = (1,) * len(shape)
    # Zarr and HDF5 tell one size an axis; Dask and xarray those of all chunks.
    piece = [
        max(1, min(size, int(np.max(chunk)))) for size, chunk in zip(shape, chunks, strict=True)
    ]
    for axis in reversed(range(len(shape))):
        n_fitting = max(1, LABELS_AT_ONCE // math.prod(piece))
        piece[axis] = max(1, min(shape[axis], piece[axis] * n_fitting))
    return piece


def _warn_of_absent_classes(folds, classes, table):
    messages = (
        "Classes without a training sample, which a fold cannot learn: {}. Label more sections "
        "with them, or use smaller blocks or a smaller gap.",
        "Classes without a test sample, which a fold does not score: {}. Means over folds then "
        "mix scores of different classes. Use larger blocks.",
    )
    for message, sections in zip(messages, zip(*folds, strict=True), strict=True):
        absent = [classes[~table[positions].any(axis=0)].tolist() for positions in sections]
        if any(absent):
            listed = "; ".join(f"fold {i} lacks {a}" for i, a in enumerate(absent) if a)
            warnings.warn(message.format(listed), UserWarning, stacklevel=3)
