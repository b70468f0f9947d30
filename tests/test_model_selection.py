"""Tests of BlockKFold and BlockShuffleSplit."""

import itertools
import pickle
import warnings

import numpy as np
import pytest
import sklearn
from holders import OnDisk
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import (
    BaseCrossValidator,
    GridSearchCV,
    KFold,
    check_cv,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)

from skfacies import model_selection
from skfacies.metrics import iou_scorer
from skfacies.model_selection import BlockKFold, BlockShuffleSplit

FEW = settings(derandomize=True, max_examples=60, deadline=None)
SPLITTERS = [BlockKFold(3, gap=1), BlockShuffleSplit(3, gap=1, random_state=0)]


def sections(n):
    return np.zeros((n, 3, 4))


def draw(splitter, n):
    """Map of the folds: T tested, - trained on, . left out."""
    return [
        "".join("T" if i in test else "-" if i in train else "." for i in range(n))
        for train, test in splitter.split(sections(n))
    ]


def split_without_warning(splitter, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return list(splitter.split(X, y))


# --- where the blocks are -------------------------------------------------------------------


def test_blocks_of_a_known_survey():
    assert draw(BlockKFold(3), 10) == ["TTTT------", "----TTT---", "-------TTT"]
    assert draw(BlockKFold(3, gap=2), 10) == ["TTTT..----", "--..TTT..-", "-----..TTT"]


@FEW
@given(n=st.integers(2, 60), n_splits=st.integers(2, 12))
def test_without_gap_folds_are_those_of_kfold(n, n_splits):
    assume(n_splits <= n)
    ours = list(BlockKFold(n_splits).split(sections(n)))
    theirs = list(KFold(n_splits).split(sections(n)))
    for (train, test), (expected_train, expected_test) in zip(ours, theirs, strict=True):
        assert_array_equal(train, expected_train)
        assert_array_equal(test, expected_test)


@FEW
@given(n=st.integers(2, 60), n_splits=st.integers(2, 12), gap=st.integers(0, 20))
def test_blocks_partition_the_sections_and_keep_their_distance(n, n_splits, gap):
    assume(n_splits <= n)
    try:
        folds = list(BlockKFold(n_splits, gap=gap).split(sections(n)))
    except ValueError:
        assume(False)
    tests = [test for _, test in folds]
    assert_array_equal(np.concatenate(tests), np.arange(n))
    sizes = [len(test) for test in tests]
    assert max(sizes) - min(sizes) <= 1
    for train, test in folds:
        check_fold(train, test, n, gap)


@FEW
@given(
    n=st.integers(2, 60),
    test_size=st.one_of(st.integers(1, 30), st.floats(0.01, 0.9)),
    gap=st.integers(0, 10),
    seed=st.integers(0, 99),
)
def test_random_blocks_are_contiguous_and_keep_their_distance(n, test_size, gap, seed):
    splitter = BlockShuffleSplit(7, test_size=test_size, gap=gap, random_state=seed)
    try:
        folds = list(splitter.split(sections(n)))
    except ValueError:
        assume(False)
    assert len(folds) == 7
    expected = test_size if isinstance(test_size, int) else max(1, round(test_size * n))
    for train, test in folds:
        assert len(test) == expected
        check_fold(train, test, n, gap)


def check_fold(train, test, n, gap):
    assert_array_equal(test, np.arange(test[0], test[-1] + 1))
    distances = np.abs(train[:, None] - test)
    assert distances.min() > gap
    left_out = np.setdiff1d(np.arange(n), np.concatenate([train, test]))
    for i in left_out:  # no more than the gap asks for
        assert np.abs(i - test).min() <= gap
    assert train.dtype.kind == test.dtype.kind == "i"
    assert (np.diff(train) > 0).all()


@pytest.mark.parametrize(("test_size", "expected"), [(0.2, 2), (0.04, 1), (0.7, 7), (3, 3)])
def test_test_size_is_a_fraction_or_a_number(test_size, expected):
    splitter = BlockShuffleSplit(2, test_size=test_size, random_state=0)
    assert {len(test) for _, test in splitter.split(sections(10))} == {expected}


def test_no_position_is_drawn_again_before_all_have_been():
    splitter = BlockShuffleSplit(18, test_size=4, random_state=0)
    starts = [test[0] for _, test in splitter.split(sections(12))]
    assert sorted(starts[:9]) == sorted(starts[9:]) == list(range(9))
    assert starts[:9] != starts[9:]


def test_every_position_is_equally_likely():
    starts = [
        next(BlockShuffleSplit(1, test_size=3, random_state=i).split(sections(7)))[1][0]
        for i in range(500)
    ]
    counts = np.bincount(starts, minlength=5)
    assert len(counts) == 5
    assert (np.abs(counts - 100) < 40).all()


# --- random state ---------------------------------------------------------------------------


def test_an_int_gives_the_same_folds_in_every_call():
    splitter = BlockShuffleSplit(6, test_size=2, random_state=3)
    assert draw(splitter, 20) == draw(splitter, 20)
    assert draw(splitter, 20) != draw(BlockShuffleSplit(6, test_size=2, random_state=4), 20)


def test_more_folds_begin_with_those_of_fewer():
    few = BlockShuffleSplit(3, test_size=2, random_state=0)
    many = BlockShuffleSplit(8, test_size=2, random_state=0)
    assert draw(many, 12)[:3] == draw(few, 12)


def test_a_random_state_goes_on_and_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()
    splitter = BlockShuffleSplit(6, test_size=2, random_state=np.random.RandomState(0))
    assert draw(splitter, 30) != draw(splitter, 30)
    assert_array_equal(np.random.get_state()[1], before)


# --- X is anything that has sections --------------------------------------------------------


class ShapeOnly:
    """As an array on disk: a shape and no length; reading is an error."""

    def __init__(self, shape):
        self.shape, self.dtype = shape, np.dtype("f4")

    def __getitem__(self, key):
        raise AssertionError("amplitudes are read")


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize(
    "X",
    [
        ShapeOnly((9, 4, 5)),
        np.zeros((9, 4, 5)),
        [np.zeros((i + 2, 5)) for i in range(9)],
        tuple(np.zeros((2, 5)) for i in range(9)),
        np.zeros((9, 4, 5)).tolist(),
        np.zeros(9),
    ],
    ids=["on disk", "array", "ragged list", "tuple", "nested list", "1-D"],
)
def test_only_the_number_of_sections_counts(splitter, X):
    folds = zip(splitter.split(X), splitter.split(sections(9)), strict=True)
    for (train, test), (expected_train, expected_test) in folds:
        assert_array_equal(train, expected_train)
        assert_array_equal(test, expected_test)


@pytest.mark.parametrize("X", [None, 3, np.float32(3), iter([1, 2])])
def test_what_has_no_sections_is_refused(X):
    with pytest.raises(TypeError, match="`X` must be an array with sections on its first axis"):
        BlockKFold().split(X)


def test_no_sections_at_all_are_refused():
    with pytest.raises(ValueError, match="`X` is empty: Found 0 section"):
        BlockKFold().split([])


# --- classes that folds lack ----------------------------------------------------------------


def layered(n, *, only_in=(), dtype=int):
    """Labels 1 and 2 in every section, 7 in some."""
    y = np.ones((n, 3, 4), dtype=dtype)
    y[:, :, 2:] = 2
    y[list(only_in), 1, 3] = 7
    return y


def absent_classes(splitter, y, X=None):
    """Messages of the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(splitter.split(sections(len(y)) if X is None else X, y))
    return [str(warning.message) for warning in caught]


def test_classes_in_every_fold_give_no_warning():
    for y in (layered(9), layered(9, only_in=range(9))):
        for splitter in SPLITTERS:
            split_without_warning(splitter, sections(9), y)


def test_a_class_without_training_samples_is_named():
    training, test = absent_classes(BlockKFold(3), layered(9, only_in=[3, 4]))
    assert training.startswith(
        "Classes without a training sample cannot be learned in a fold: fold 1 lacks [7]. "
    )
    assert test.startswith(
        "Classes without a test sample are not scored in a fold: "
        "fold 0 lacks [7]; fold 2 lacks [7]. "
    )


def test_a_warning_points_to_the_caller():
    with pytest.warns(UserWarning, match="Classes without") as caught:
        BlockKFold(3).split(sections(9), layered(9, only_in=[3]))
    assert {warning.filename for warning in caught} == {__file__}


def test_a_class_in_the_gap_is_absent_from_training():
    y = layered(9, only_in=[2, 3])
    training, test = absent_classes(BlockKFold(3, gap=1), y)
    assert "cannot be learned in a fold: fold 0 lacks [7]; fold 1 lacks [7]. " in training
    assert "are not scored in a fold: fold 2 lacks [7]. " in test
    assert absent_classes(BlockKFold(3), y) == [test]  # folds 0 and 1 learn it from each other's


def test_a_fold_that_lacks_several_classes_names_them_all():
    y = np.array([0, 0, 1, 2, 0, 0])[:, None, None]
    training, _ = absent_classes(BlockKFold(3), y)
    assert "fold 1 lacks [1, 2]. " in training
    assert "fold 0" not in training


def test_samples_without_interpretation_do_not_count():
    y = layered(9)
    y[4] = -1
    split_without_warning(BlockKFold(3), sections(9), y)
    messages = absent_classes(BlockKFold(3, ignore_label=None), y)
    assert ["[-1]" in message for message in messages] == [True, True]


def test_a_test_block_without_interpretation_lacks_all_classes():
    y = layered(9)
    y[3:6] = -1
    (message,) = absent_classes(BlockKFold(3), y)
    assert "are not scored in a fold: fold 1 lacks [1, 2]. " in message


def test_labels_that_are_all_ignored_give_no_warning():
    split_without_warning(BlockKFold(3), sections(9), np.full((9, 3, 4), -1))


@pytest.mark.parametrize("dtype", ["U", object])
def test_strings_are_named(dtype):
    names = np.array(["", "Chalk", "Zechstein", "?"])
    codes = np.ones((9, 3, 4), dtype=int)
    codes[:, 0], codes[4, 1], codes[:, 2, 3] = 3, 2, 3
    y = names[codes].astype(dtype)
    training, test = absent_classes(BlockKFold(3, ignore_label="?"), y)
    assert "fold 1 lacks ['Zechstein']. " in training
    assert "fold 0 lacks ['Zechstein']; fold 2 lacks ['Zechstein']. " in test


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.float32])
def test_the_type_of_integers_makes_no_difference(dtype):
    training, test = absent_classes(BlockKFold(3), layered(9, only_in=[4], dtype=dtype))
    assert "fold 1 lacks [7" in training
    assert "fold 0 lacks [7" in test


def test_a_ragged_list_of_labels_is_looked_through():
    y = [np.ones((2 + i, 3 + i % 2), dtype=np.int8) for i in range(9)]
    y[4][0, 0] = 5
    training, _ = absent_classes(BlockKFold(3), y, X=y)
    assert "fold 1 lacks [5]. " in training


@pytest.mark.parametrize("as_y", [list, np.array])
def test_one_label_a_section_will_do(as_y):
    training, _ = absent_classes(BlockKFold(3), as_y([0, 0, 0, 0, 1, 0, 0, 0, 0]))
    assert "fold 1 lacks [1]. " in training


@FEW
@given(
    seed=st.integers(0, 999),
    gap=st.integers(0, 2),
    piece=st.sampled_from([1, 5, 30, 2**20]),
    chunks=st.sampled_from([None, (1, 2, 4), (9, 1, 1), (4, 3, 3), (20, 20, 20)]),
)
def test_warnings_are_those_of_a_slow_search_whatever_the_pieces(seed, gap, piece, chunks):
    rng = np.random.default_rng(seed)
    y = np.where(rng.random((9, 3, 4)) < 0.05, rng.integers(1, 6, (9, 3, 4)), -1)
    whole = OnDisk(y, chunks)
    splitter = BlockKFold(3, gap=gap)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_selection, "LABELS_AT_ONCE", piece)
        messages = absent_classes(splitter, whole, X=y)
    expected = []
    for part in (0, 1):
        lacks = []
        for i, fold in enumerate(KFold(3).split(y)):
            chosen = fold[part]
            if part == 0:
                chosen = [k for k in chosen if min(abs(k - fold[1])) > gap]
            absent = sorted(set(y.ravel().tolist()) - set(y[chosen].ravel().tolist()) - {-1})
            lacks += [f"fold {i} lacks {absent}"] * bool(absent)
        expected += ["; ".join(lacks)] * bool(lacks)
    assert [message.split(": ")[1].split(". ")[0] for message in messages] == expected


@pytest.mark.parametrize("chunks", [None, (4, 4, 4), (40, 2, 2), ((30, 10), (8,), (5, 5, 2))])
@pytest.mark.parametrize("splitter", SPLITTERS)
def test_labels_are_read_once_and_in_pieces(monkeypatch, splitter, chunks):
    monkeypatch.setattr(model_selection, "LABELS_AT_ONCE", 600)
    y = OnDisk(np.ones((40, 8, 12), dtype=np.int8), chunks)
    split_without_warning(splitter, ShapeOnly(y.shape), y)
    assert (y.times_read == 1).all()
    limit = 600 if chunks is None or isinstance(chunks[0], int) else 30 * 8 * 5
    assert y.largest <= limit


def test_whole_chunks_are_read(monkeypatch):
    monkeypatch.setattr(model_selection, "LABELS_AT_ONCE", 500)
    shape, chunks = (20, 9, 30), (8, 4, 5)
    steps = model_selection._piece_shape(shape, chunks)
    for step, chunk, size in zip(steps, chunks, shape, strict=True):
        assert step % chunk == 0 or step == size
    assert np.prod(steps) <= 500


def test_memmap_is_looked_through(tmp_path):
    y = layered(9, only_in=[4], dtype=np.int8)
    mapped = np.memmap(tmp_path / "labels.dat", dtype="i1", mode="w+", shape=y.shape)
    mapped[:] = y
    assert absent_classes(BlockKFold(3), mapped) == absent_classes(BlockKFold(3), y)


def test_zarr_hdf5_dask_and_xarray_are_looked_through(tmp_path):
    zarr, h5py = pytest.importorskip("zarr"), pytest.importorskip("h5py")
    dask, xarray = pytest.importorskip("dask.array"), pytest.importorskip("xarray")
    y = layered(9, only_in=[4], dtype=np.int8)
    expected = absent_classes(BlockKFold(3, gap=1), y)
    assert len(expected) == 2
    lazy = dask.from_array(y, chunks=(4, 2, 4))
    with h5py.File(tmp_path / "labels.h5", "w") as file:
        for labels in (
            zarr.array(y, chunks=(4, 2, 4)),
            file.create_dataset("chunked", data=y, chunks=(4, 2, 4)),
            file.create_dataset("contiguous", data=y),
            lazy,
            xarray.DataArray(y, dims=("inline", "crossline", "sample")),
            xarray.DataArray(lazy),
        ):
            assert absent_classes(BlockKFold(3, gap=1), labels, X=labels) == expected


# --- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BlockKFold(1), ValueError, "`n_splits` must be at least 2; got 1"),
        (lambda: BlockKFold(2.0), TypeError, "`n_splits` must be an integer; got 2.0"),
        (lambda: BlockKFold(True), TypeError, "`n_splits` must be an integer; got True"),
        (lambda: BlockKFold(gap=-1), ValueError, "`gap` must be at least 0; got -1"),
        (lambda: BlockKFold(gap=0.5), TypeError, "`gap` must be an integer; got 0.5"),
        (lambda: BlockKFold(gap=None), TypeError, "`gap` must be an integer; got None"),
        (lambda: BlockKFold(ignore_label=0.5), TypeError, "`ignore_label` must be an integer"),
        (lambda: BlockShuffleSplit(0), ValueError, "`n_splits` must be at least 1; got 0"),
        (lambda: BlockShuffleSplit(test_size=0), ValueError, "`test_size` must be .*; got 0"),
        (lambda: BlockShuffleSplit(test_size=0.0), ValueError, "between 0 and 1.*; got 0.0"),
        (lambda: BlockShuffleSplit(test_size=1.0), ValueError, "between 0 and 1.*; got 1.0"),
        (lambda: BlockShuffleSplit(test_size=np.nan), ValueError, "between 0 and 1.*; got nan"),
        (lambda: BlockShuffleSplit(test_size="big"), TypeError, "`test_size` must be a number"),
        (lambda: BlockShuffleSplit(test_size=None), TypeError, "`test_size` must be a number"),
        (lambda: BlockShuffleSplit(random_state="x"), ValueError, "cannot be used to seed"),
    ],
)
def test_invalid_parameters_are_refused_at_once(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_integers_of_numpy_are_integers():
    assert draw(BlockKFold(np.int64(3), gap=np.int8(1)), 9) == draw(BlockKFold(3, gap=1), 9)


def test_more_folds_than_sections_are_refused():
    with pytest.raises(ValueError, match="n_splits=5 is more than the number of sections, 4"):
        BlockKFold().split(sections(4))


def test_a_gap_that_leaves_nothing_to_train_on_is_refused_with_the_largest_possible():
    message = (
        "gap=4 leaves no training section in fold 1: the test block, sections 4 to 7, and "
        "the gap take all 12 sections. Use a gap of at most 3, or more folds of smaller blocks."
    )
    with pytest.raises(ValueError, match=message):
        BlockKFold(3, gap=4).split(sections(12))
    assert draw(BlockKFold(3, gap=3), 12)[1] == "-...TTTT...-"


def test_a_random_block_without_training_sections_is_refused_whatever_the_seed():
    message = "gap=4 leaves no training section in a fold that tests the middle .* at most 3, or a "
    for seed in range(5):
        splitter = BlockShuffleSplit(1, test_size=4, gap=4, random_state=seed)
        with pytest.raises(ValueError, match=message):
            splitter.split(sections(12))
    assert len(draw(BlockShuffleSplit(9, test_size=4, gap=3), 12)) == 9


@FEW
@given(n=st.integers(2, 30), n_splits=st.integers(2, 8), test_size=st.integers(1, 20))
def test_the_gap_that_an_error_proposes_works_and_is_the_largest(n, n_splits, test_size):
    assume(n_splits <= n)
    assume(test_size < n)
    for make in (
        lambda gap: BlockKFold(n_splits, gap=gap),
        lambda gap: BlockShuffleSplit(40, test_size=test_size, gap=gap, random_state=0),
    ):
        with pytest.raises(ValueError, match="leaves no training section") as caught:
            make(100).split(sections(n))
        largest = int(str(caught.value).split("at most ")[1].split(",")[0])
        assert all(len(train) for train, _ in make(largest).split(sections(n)))
        with pytest.raises(ValueError, match=f"gap={largest + 1} leaves no training section"):
            make(largest + 1).split(sections(n))


@pytest.mark.parametrize("test_size", [5, 8, 0.95])
def test_a_test_block_of_all_sections_is_refused(test_size):
    with pytest.raises(ValueError, match=r"leaves no training section: .* takes . of 5 sections"):
        BlockShuffleSplit(test_size=test_size).split(sections(5))


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("y", [layered(8), list(layered(10))])
def test_labels_of_another_length_are_refused(splitter, y):
    with pytest.raises(ValueError, match=f"numbers of sections: `X` has 9, `y` has {len(y)}"):
        splitter.split(sections(9), y)


def test_labels_that_are_no_classes_are_refused():
    with pytest.raises(ValueError, match="`y` is continuous, but facies are classes"):
        BlockKFold(3).split(sections(9), np.full((9, 3, 4), 0.5))
    with pytest.raises(ValueError, match="Mix of label input types"):
        BlockKFold(3).split(sections(3), [np.array([["a"]]), np.array([[1]]), np.array([[1]])])
    with pytest.raises(TypeError, match="`y` must be an array with sections"):
        BlockKFold(3).split(sections(9), 5)


# --- scikit-learn ---------------------------------------------------------------------------


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_splitters_are_those_of_scikit_learn(splitter):
    assert isinstance(splitter, BaseCrossValidator)
    assert check_cv(splitter) is splitter
    assert splitter.get_n_splits() == splitter.get_n_splits(sections(9), None, None) == 3
    copy = clone(splitter, safe=False)
    assert draw(copy, 20) == draw(pickle.loads(pickle.dumps(splitter)), 20) == draw(splitter, 20)


def test_repr_names_the_parameters():
    assert repr(BlockKFold(4, gap=2)) == "BlockKFold(gap=2, ignore_label=-1, n_splits=4)"
    assert repr(BlockShuffleSplit(4, random_state=1)).split() == [
        "BlockShuffleSplit(gap=0,",
        "ignore_label=-1,",
        "n_splits=4,",
        "random_state=1,",
        "test_size=0.2)",
    ]


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_groups_are_ignored_with_a_warning(splitter):
    name = type(splitter).__name__
    with pytest.warns(UserWarning, match=f"The groups parameter is ignored by {name}"):
        splitter.split(sections(9), groups=np.arange(9))


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_metadata_routing_asks_for_no_groups(splitter):
    with sklearn.config_context(enable_metadata_routing=True):
        request = splitter.get_metadata_routing()
    theirs = KFold().get_metadata_routing()
    assert repr(request).replace(type(splitter).__name__, "") == repr(theirs).replace("KFold", "")
    assert not hasattr(splitter, "set_split_request")


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("as_sections", [np.asarray, list], ids=["array", "list"])
def test_a_segmenter_is_cross_validated(survey, make_tiny, splitter, as_sections):
    X, y = as_sections(survey.data), as_sections(survey.target)
    scores = cross_val_score(make_tiny(), X, y, cv=splitter, scoring=iou_scorer)
    expected = [
        iou_scorer(
            make_tiny().fit(survey.data[train], survey.target[train]),
            survey.data[test],
            survey.target[test],
        )
        for train, test in splitter.split(survey.data)
    ]
    assert_array_equal(scores, expected)


def test_a_grid_search_uses_the_blocks(survey, make_tiny):
    segmenter = make_tiny(validation_fraction=0)
    search = GridSearchCV(segmenter, {"lr": [1e-3, 1e-2]}, cv=BlockKFold(2, gap=2))
    search.fit(survey.data, survey.target)
    for fold, (train, test) in enumerate(BlockKFold(2, gap=2).split(survey.data)):
        expected = [
            clone(segmenter)
            .set_params(lr=lr)
            .fit(survey.data[train], survey.target[train])
            .score(survey.data[test], survey.target[test])
            for lr in (1e-3, 1e-2)
        ]
        assert_array_equal(search.cv_results_[f"split{fold}_test_score"], expected)
    assert search.n_splits_ == 2


def test_cross_val_predict_predicts_every_section_once(survey, make_tiny):
    folds = BlockKFold(3, gap=1)
    predicted = cross_val_predict(make_tiny(), survey.data, survey.target, cv=folds)
    expected = np.full_like(survey.target, -1)
    for train, test in folds.split(survey.data):
        segmenter = make_tiny().fit(survey.data[train], survey.target[train])
        expected[test] = segmenter.predict(survey.data[test])
    assert_array_equal(predicted, expected)


@pytest.mark.slow
def test_arrays_on_disk_are_cross_validated(survey, make_tiny, tmp_path):
    dask = pytest.importorskip("dask.array")
    h5py = pytest.importorskip("h5py")
    folds = BlockKFold(2, gap=1)
    expected = cross_validate(make_tiny(), survey.data, survey.target, cv=folds)["test_score"]
    with h5py.File(tmp_path / "survey.h5", "w") as file:
        hdf5 = [file.create_dataset(name, data=survey[name]) for name in ("data", "target")]
        lazy = [dask.from_array(survey[name], (4, 40, 48)) for name in ("data", "target")]
        for X, y in (hdf5, lazy):
            assert_array_equal(cross_validate(make_tiny(), X, y, cv=folds)["test_score"], expected)


def test_nothing_that_is_tested_lies_next_to_what_was_learned():
    for splitter, n in itertools.product(SPLITTERS, (9, 20, 31)):
        for train, test in splitter.split(sections(n)):
            assert not set(train) & {i + k for i in test for k in (-1, 0, 1)}
