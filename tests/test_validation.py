"""Tests of the checks that all modules share."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from holders import OnDisk, Store
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from skfacies._sections.labels import (
    check_classes,
    check_labels,
    class_labels,
    encode_labels,
    ignore_missing,
    is_ignored,
    label_codes,
    union_labels,
)
from skfacies._sections.validation import (
    check_finite_section,
    check_same_structure,
    check_sample_weight,
    check_sections,
    n_sections,
)
from skfacies.datasets import make_facies_cube

FEW = settings(derandomize=True, max_examples=20, deadline=None)


@pytest.fixture(scope="module")
def cube():
    return make_facies_cube((3, 10, 24), n_facies=4, random_state=0)


@pytest.fixture
def X(cube):
    return cube.data.copy()


@pytest.fixture
def y(cube):
    return cube.target.copy()


def ragged(array):
    """Sections of different shapes."""
    return [array[0], array[1, :6], array[2, 2:, :16]]


# --- amplitudes that are accepted -----------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i2", "u1", "i8", "?"])
def test_sections_of_any_real_type_come_back_unchanged(X, dtype):
    X = np.clip(X * 20, 0, 100).astype(dtype)
    assert check_sections(X) is X


def test_a_list_of_sections_gives_a_list_that_shares_their_memory(X):
    sections = ragged(X)
    checked = check_sections(sections)
    assert isinstance(checked, list)
    assert [section.shape for section in checked] == [(10, 24), (6, 24), (8, 16)]
    assert all(np.shares_memory(a, b) for a, b in zip(checked, sections, strict=True))


def test_a_tuple_of_sections_gives_a_list(X):
    checked = check_sections(tuple(X))
    assert isinstance(checked, list)
    assert_array_equal(checked, X)


def test_nested_lists_of_numbers_are_one_array(X):
    checked = check_sections(X.tolist())
    assert isinstance(checked, np.ndarray)
    assert_array_equal(checked, X)


def test_a_list_may_mix_arrays_and_nested_lists(X):
    checked = check_sections([X[0], X[1].tolist()])
    assert_array_equal(checked[1], X[1])


def test_memmap_is_not_copied(X, tmp_path):
    mapped = np.memmap(tmp_path / "cube.dat", dtype="f4", mode="w+", shape=X.shape)
    mapped[:] = X
    assert check_sections(mapped) is mapped
    listed = check_sections([mapped[0], mapped[1]])
    assert np.shares_memory(listed[0], mapped)


def test_anything_with_shape_dtype_and_slicing_passes_unread(X):
    lazy = OnDisk(X)
    assert check_sections(lazy, check_finite=False) is lazy
    assert lazy.n_reads == 0


def test_sections_are_read_once_each_to_look_for_nan(X):
    lazy = OnDisk(X)
    assert check_sections(lazy) is lazy
    assert lazy.n_reads == len(X)


def test_number_of_sections_needs_no_length(X):
    assert n_sections(OnDisk(X)) == n_sections(list(X)) == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.int16])
def test_torch_tensors_become_arrays_that_share_memory(X, dtype):
    tensor = torch.from_numpy(X).to(dtype)
    checked = check_sections(tensor)
    assert isinstance(checked, np.ndarray)
    assert np.shares_memory(checked, tensor.numpy())


def test_bfloat16_tensors_become_float32(X):
    checked = check_sections(torch.from_numpy(X).to(torch.bfloat16))
    assert checked.dtype == np.float32
    np.testing.assert_allclose(checked, X, rtol=1e-2)


def test_tensors_that_require_gradients_pass_in_a_list(X):
    checked = check_sections([torch.from_numpy(X[0]).requires_grad_()])
    assert_array_equal(checked[0], X[0])


def test_masked_array_without_masked_samples_is_an_array(X):
    checked = check_sections(np.ma.masked_array(X))
    assert type(checked) is np.ndarray


def test_validation_does_not_import_torch():
    code = "import sys, skfacies._sections.validation; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- amplitudes that are refused ------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((24,), r"`X` must be sections of shape \(n_sections, n_traces, n_samples\); got a 1-D"),
        ((10, 24), r"got a 2-D array of shape \(10, 24\). For one section, use X\[None\]"),
        ((3, 1, 10, 65), r"has the shape \(3, 1, 10, 65\): an axis after the samples holds chann"),
        ((2, 2, 2, 2, 2), "got a 5-D array .* list of 2-D sections"),
        ((0, 10, 24), r"Found array with 0 section\(s\) \(shape=\(0, 10, 24\)\)"),
        ((3, 0, 24), r"Found array with 0 trace\(s\)"),
        ((3, 10, 0), r"Found array with 0 sample\(s\)"),
    ],
)
def test_array_of_a_wrong_shape_is_refused_with_advice(shape, message):
    with pytest.raises(ValueError, match=message):
        check_sections(np.zeros(shape))


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([], "`X` is an empty list"),
        ((), "`X` is an empty list"),
        ([np.zeros((2, 4)), np.zeros(4)], r"`X\[1\]` must be a section .* got a 1-D array"),
        ([np.zeros((1, 1, 2, 4))], r"`X\[0\]` must be a section .* \(1, 1, 2, 4\)"),
        ([np.zeros((1, 4, 2)), np.zeros((2, 4))], r"`X\[1\]` has the shape \(2, 4\), the first"),
        ([np.zeros((2, 4)), np.zeros((0, 4))], r"`X\[1\]` is empty: .* 0 trace\(s\)"),
        ([np.zeros((2, 0))], r"`X\[0\]` is empty: .* 0 sample\(s\)"),
        ([1.0, 2.0], "got a 1-D array"),
        ([[1.0, 2.0], [3.0, 4.0]], "got a 2-D array"),
        ([[[1.0], [2.0, 3.0]]], "`X` is not a regular array.*list of 2-D arrays"),
    ],
)
def test_list_of_anything_but_sections_is_refused(sections, message):
    with pytest.raises(ValueError, match=message):
        check_sections(sections)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3, 4), object), "object array .* list of 2-D arrays"),
        (np.zeros((2, 3, 4), complex), "Complex data not supported"),
        (np.full((2, 3, 4), "a"), "must hold numbers; got dtype <U1"),
        (np.zeros((2, 3, 4), "M8[s]"), "must hold numbers; got dtype datetime64"),
        (["a", "b"], "must hold numbers"),
        ("cube.sgy", "must hold numbers"),
        (None, "object array"),
        (5.0, "got a 0-D array"),
    ],
)
def test_anything_but_real_numbers_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        check_sections(values)


def test_sparse_matrix_is_refused_with_advice():
    with pytest.raises(
        TypeError, match=r"sparse matrix, but sections are dense. Use X.toarray\(\)"
    ):
        check_sections(csr_array((4, 5)))


def test_masked_samples_are_refused_with_advice(X):
    with pytest.raises(ValueError, match=r"masked samples. Use X.filled\(np.nan\) with nan_policy"):
        check_sections(np.ma.masked_less(X, 0))


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"`validation_data\[0\]` must be sections"):
        check_sections(np.zeros((3, 4)), "validation_data[0]")


@pytest.mark.parametrize("make", [np.asarray, list], ids=["array", "list"])
@pytest.mark.parametrize(
    ("value", "kind"), [(np.nan, "NaN"), (np.inf, "infin"), (-np.inf, "infin")]
)
def test_nan_and_infinity_are_refused_at_their_position(X, make, value, kind):
    X[1, 7, 20] = X[1, 8, 3] = value
    message = (
        rf"`X` contains {kind}.* \(first at trace 7, sample 20 of section 1; 2 in that section"
    )
    with pytest.raises(ValueError, match=message):
        check_sections(make(X))


def test_float64_that_is_infinite_in_float32_is_undefined(X):
    X = X.astype(np.float64)
    X[2, 0, 5] = 1e39
    with pytest.raises(ValueError, match=r"such as 1e\+39 .*sample 5 of section 2.*Fill them"):
        check_sections(X)
    assert check_sections(X, nan_policy="ignore") is X


def test_opposite_infinities_do_not_cancel(X):
    X[0, 0, :2] = np.inf, -np.inf
    with pytest.raises(ValueError, match="contains infinity .*; 2 in that section"):
        check_sections(X)


def test_the_largest_amplitudes_are_finite(X):
    X[:] = 9e29
    assert check_sections(X) is X


def test_nan_policy_ignore_lets_nan_pass_but_not_infinity(X):
    X[0, 0, 0] = np.nan
    assert check_sections(X, nan_policy="ignore") is X
    X[0, 3, 1] = np.inf
    with pytest.raises(ValueError, match="contains infinity .*trace 3, sample 1"):
        check_sections(X, nan_policy="ignore")


def test_check_finite_section_without_index_names_no_section():
    with pytest.raises(ValueError, match=r"first at trace 0, sample 1; 1 in that section"):
        check_finite_section(np.array([[0.0, np.nan]]))


# --- labels that are accepted ---------------------------------------------------------------

LABEL_SETS = {
    "int64 with gaps and negatives": np.array([-7, 0, 3, 900]),
    "int8": np.array([-128, -2, 0, 127], dtype=np.int8),
    "uint8": np.array([0, 1, 254, 255], dtype=np.uint8),
    "int16": np.array([-300, 0, 1, 300], dtype=np.int16),
    "uint64": np.array([0, 1, 2, 3], dtype=np.uint64),
    "whole floats": np.array([0.0, 1.0, 2.0, 5.0], dtype=np.float32),
    "strings": np.array(["chalk", "salt", "sand", "shale"]),
    "string objects": np.array(["chalk", "salt", "sand", "shale"], dtype=object),
    "integer objects": np.array([0, 1, 2, 7], dtype=object),
}
LABEL_TYPES = pytest.mark.parametrize("values", LABEL_SETS.values(), ids=LABEL_SETS)


@LABEL_TYPES
def test_classes_are_the_sorted_labels_in_their_own_type(X, y, values):
    labels = values[y]
    checked, classes = check_labels(labels, X)
    assert checked is labels
    assert_array_equal(classes, values)
    assert classes.dtype == values.dtype


def test_boolean_labels_are_classes(X, y):
    _, classes = check_labels(y > 1, X)
    assert classes.tolist() == [False, True]
    assert classes.dtype == bool


@LABEL_TYPES
def test_a_ragged_list_of_labels_gives_the_classes_of_all_sections(X, y, values):
    checked, classes = check_labels(ragged(values[y]), ragged(X))
    assert isinstance(checked, list)
    assert_array_equal(classes, values)


def test_list_of_labels_goes_with_an_array_of_sections(X, y):
    checked, classes = check_labels(list(y), X)
    assert_array_equal(checked, y)
    assert classes.tolist() == [0, 1, 2, 3]


def test_array_of_labels_goes_with_a_list_of_sections(X, y):
    checked, _ = check_labels(y, list(X))
    assert isinstance(checked, list)
    assert_array_equal(checked, y)


def test_labels_may_be_nested_lists_tensors_or_on_disk(X, y):
    for labels in (y.tolist(), torch.from_numpy(y), OnDisk(y), list(torch.from_numpy(y))):
        assert check_labels(labels, X)[1].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("labels", "ignore_label", "expected"),
    [
        (np.array([-1, 0, 2]), -1, [0, 2]),
        (np.array([-1, 0, 2]), None, [-1, 0, 2]),
        (np.array([0, 2, 255], np.uint8), -1, [0, 2, 255]),
        (np.array([0, 2, 255], np.uint8), 255, [0, 2]),
        (np.array([-1.0, 0.0, 2.0]), -1, [0, 2]),
        (np.array(["a", "b", "unknown"]), "unknown", ["a", "b"]),
        (np.array(["a", "b", "unknown"], object), "unknown", ["a", "b"]),
        (np.array(["a", "b"], object), -1, ["a", "b"]),
        (np.array([0, 1]), "unknown", [0, 1]),
        (np.array([False, True]), -1, [False, True]),
    ],
)
def test_ignore_label_is_no_class(labels, ignore_label, expected):
    labels = np.resize(labels, (1, 2, 6))
    _, classes = check_labels(labels, np.zeros(labels.shape), ignore_label=ignore_label)
    assert classes.tolist() == expected
    slow = np.array([[[item == ignore_label for item in trace] for trace in labels[0]]])
    assert_array_equal(is_ignored(labels, ignore_label), slow)


def test_given_classes_may_be_more_than_occur(X, y):
    _, classes = check_labels(y, X, classes=[0, 1, 2, 3, 9])
    assert classes.tolist() == [0, 1, 2, 3, 9]


def test_small_unsigned_and_signed_sections_have_a_common_type():
    union = union_labels([np.array([200], np.uint8), np.array([-3], np.int8)])
    assert union.tolist() == [-3, 200]
    assert union.dtype == np.int16


def test_integer_objects_in_one_section_go_with_integers_in_another(X, y):
    labels = [y[0], y[1].astype(object), y[2]]
    assert check_labels(labels, list(X))[1].tolist() == [0, 1, 2, 3]


# --- labels that are refused ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (np.zeros((3, 10, 23), int), r"`y` must have the shape of `X`, \(3, 10, 24\); got"),
        (np.zeros((3, 24, 10), int), "axes seem to be transposed: samples come last"),
        (np.zeros(3, int), r"got \(3,\). Every sample needs its own value"),
        (np.zeros((3, 10), int), "Every sample needs its own value"),
        (0, r"got \(\). Every sample"),
        ([np.zeros((2, 3)), np.zeros((3, 3))], "`y` is not a regular array"),
        (np.full((3, 10, 24), 0.5), "Unknown label type: `y` is continuous"),
        (np.full((3, 10, 24), np.nan), "`y` contains NaN .* `ignore_label`"),
        (np.full((3, 10, 24), 1j), "integers or strings as labels; got complex128"),
        (np.zeros((3, 10, 24), "M8[s]"), "integers or strings as labels"),
        (np.full((3, 10, 24), None), "object array of NoneType"),
        (np.full((3, 10, 24), -1), "no labeled sample: all labels equal ignore_label=-1"),
        (csr_array((3, 10)), "`y` is a sparse matrix"),
    ],
)
def test_labels_that_cannot_be_facies_are_refused(X, labels, message):
    with pytest.raises((ValueError, TypeError), match=message):
        check_labels(labels, X)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([np.zeros((10, 24), int)] * 2, "`X` has 3, `y` has 2"),
        (0, "`X` has 3, `y` has 1"),
        ([np.zeros((10, 24), int)] * 3, r"`y\[1\]` must have the shape of `X\[1\]`, \(6, 24\)"),
        ([np.zeros((24, 10), int)] * 3, r"`y\[0\]` .* transposed"),
    ],
)
def test_labels_of_another_shape_than_a_ragged_list_are_refused(X, labels, message):
    with pytest.raises(ValueError, match=message):
        check_labels(labels, ragged(X))


def test_mixed_strings_and_numbers_in_one_section_are_refused(X, y):
    labels = y.astype(object)
    labels[0, 0, 0] = "salt"
    with pytest.raises(ValueError, match="Unknown label type: `y` is an object array of int, str"):
        check_labels(labels, X)


@pytest.mark.parametrize("as_list", [True, False], ids=["list of sections", "array of sections"])
def test_strings_in_one_section_and_numbers_in_another_are_refused(X, y, as_list):
    labels = [y[0], y[1].astype(str), y[2]]
    with pytest.raises(ValueError, match="Mix of label input types"):
        check_labels(labels, list(X) if as_list else X)


def test_labels_that_are_not_among_given_classes_are_listed(X, y):
    message = re.escape("not in the classes [0, 1]: [2, 3]. Give all classes in the first call")
    with pytest.raises(ValueError, match=message):
        check_labels(y, X, classes=np.array([0, 1]))


def test_string_labels_are_not_among_integer_classes(X, y):
    with pytest.raises(ValueError, match=r"not in the classes \[0, 1\]: \['a'\]"):
        check_labels(np.full(y.shape, "a"), X, classes=[0, 1])


def test_label_errors_name_the_arguments(X, y):
    with pytest.raises(ValueError, match=r"`y_pred` must have the shape of `y_true`"):
        check_same_structure(y[:, :5], X, "y_pred", "y_true")


HOT = np.eye(5, dtype=np.int8)[np.arange(3 * 10 * 24).reshape(3, 10, 24) % 5]  # classes last
SOME = np.where(np.arange(24)[:, None] < 20, HOT, 0)  # the deepest samples have no class
PICTURE = np.random.default_rng(0).integers(0, 256, (3, 10, 24, 3), dtype=np.uint8)
INTERPRETERS = np.random.default_rng(1).integers(0, 4, (3, 10, 24, 3))


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        (HOT, r"For one-hot labels, use y\.argmax\(3\)\.$"),
        (HOT.transpose(0, 3, 1, 2), r"For one-hot labels, use y\.argmax\(1\)\.$"),
        (HOT.transpose(3, 0, 1, 2), r"For one-hot labels, use y\.argmax\(0\)\.$"),
        (HOT * 0.6 + 0.08, r"For probabilities, use classes\[y\.argmax\(3\)\]"),
        (SOME, r"use np\.where\(y\.any\(3\), y\.argmax\(3\), -1\)\.$"),
        (HOT[..., :1] * 7, r"Remove the axis of length 1: y\[\.\.\., 0\]\.$"),
        (HOT[None, ..., 0], r"Remove the axis of length 1: y\[0\]\.$"),
        (HOT[:, None, :, :, 0], r"Remove the axis of length 1: y\[:, 0\]\.$"),
        (PICTURE, "It seems to hold colors: map each color to its own number"),
        (PICTURE.transpose(3, 0, 1, 2), "It seems to hold colors"),
        (PICTURE / 255, "It seems to hold colors"),
        (PICTURE[..., [0, 0, 0]], r"Its 3 channels are equal: use y\[\.\.\., 0\]\.$"),
        (
            np.concatenate([PICTURE[..., [0, 0, 0]], np.full_like(PICTURE[..., :1], 255)], -1),
            r"a gray image with equal channels: use y\[\.\.\., 0\]\.$",
        ),
        (np.stack([HOT[..., 0]] * 2, axis=1) * 4, r"Its 2 channels are equal: use y\[:, 0\]\.$"),
        (INTERPRETERS, "Axis 3 has 3 values for each sample, which are neither one-hot labels nor"),
        (np.full((3, 10, 24, 2), "salt"), "Axis 3 has 2 values for each sample"),
        (HOT * np.nan, "Axis 3 has 5 values for each sample"),
    ],
)
def test_advice_on_an_axis_too_many_follows_the_values(X, labels, advice):
    with pytest.raises(ValueError, match=advice) as caught:
        check_labels(labels, X)
    assert ("argmax" in advice) == ("argmax" in str(caught.value))


def test_advice_on_sections_of_a_list_names_the_section(X):
    with pytest.raises(ValueError, match=r"one-hot labels, use y\[0\]\.argmax\(2\)"):
        check_labels([HOT[0], HOT[1, :6], HOT[2, 2:, :16]], ragged(X))
    with pytest.raises(ValueError, match=r"length 1: y\[0\]\[\.\.\., 0\]"):
        check_labels([HOT[0, ..., :1], HOT[1, :6], HOT[2, 2:, :16]], ragged(X))


def test_labels_of_a_wrong_shape_are_not_read_as_a_whole():
    labels = OnDisk(np.resize(HOT, (50, 10, 24, 5)))
    with pytest.raises(ValueError, match="one-hot"):
        check_labels(labels, np.zeros((50, 10, 24)))
    assert labels.n_reads <= 4


def test_labels_of_one_section_need_an_axis_for_it(X, y):
    with pytest.raises(ValueError, match=r"For one section, use y\[None\]"):
        check_labels(y[0], X[:1])


@pytest.mark.parametrize("as_list", [True, False], ids=["list", "array"])
@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1e30, "f4"),
        (1e30, "f8"),
        (float(np.finfo(np.float32).max), "f4"),
        (-999.25, "f4"),
        (-9999, "i2"),
        (-99999, "i4"),
        (-9999, "f8"),
        (-9999, object),
    ],
)
def test_undefined_labels_are_no_class_unless_they_are_ignored(X, y, value, dtype, as_list):
    labels = y.astype(dtype)
    labels[1, :, 20:] = value
    labels = list(labels) if as_list else labels
    size = r"40 of (240|720) samples"
    with pytest.raises(ValueError, match=rf"`y` has the label \S+ in {size}.*np\.where\(y == "):
        check_labels(labels, X)
    assert check_labels(labels, X, ignore_label=value)[1].tolist() == [0, 1, 2, 3]


def test_labels_that_are_not_a_number_are_counted_with_the_remedy(X, y):
    labels = y.astype("f4")
    labels[0, 0, :5] = np.nan
    remedy = r"in 5 of 240 samples.*np\.where\(np\.isfinite\(y\), y, 255\)"
    with pytest.raises(ValueError, match=remedy):
        check_labels(labels, X, ignore_label=255)


@pytest.mark.parametrize("dtype", ["i4", "i8"])
def test_nan_that_was_cast_to_integers_is_refused(X, y, dtype):
    labels = y.astype(dtype)
    labels[2, 3] = np.iinfo(dtype).min
    with pytest.raises(
        ValueError, match="which is outside the range of 32-bit integers: it holds amplit"
    ):
        check_labels(labels, X)


def test_missing_names_have_a_remedy(X):
    labels = np.full(X.shape, "salt", dtype=object)
    labels[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"array of float, str.*`ignore_label`, such as 'unknown'"):
        check_labels(labels, X)


# --- codes ----------------------------------------------------------------------------------


def slow_codes(labels, classes, other):
    position = {label: code for code, label in enumerate(np.asarray(classes).tolist())}
    codes = [position.get(label, other) for label in np.asarray(labels).ravel().tolist()]
    return np.array(codes, dtype=np.int64).reshape(np.shape(labels))


CODED = {
    "int8": st.integers(-128, 127),
    "uint8": st.integers(0, 255),
    "int64": st.integers(-(2**31) + 1, 2**31 - 1),
    "U4": st.sampled_from(["", "a", "ab", "abcd", "z", "é"]),
    "object": st.sampled_from(["", "a", "ab", "abcdefgh", "z", "é"]),
    "bool": st.booleans(),
    "float32": st.integers(-5, 5).map(float),
}
CODED_TYPES = pytest.mark.parametrize("dtype", CODED)


def draw_labels(data, dtype):
    return data.draw(arrays(dtype, array_shapes(min_dims=2, max_dims=2), elements=CODED[dtype]))


@CODED_TYPES
@FEW
@given(data=st.data())
def test_label_codes_equal_those_of_a_dictionary(dtype, data):
    labels = draw_labels(data, dtype)
    found = class_labels(labels)
    assert_array_equal(found, sorted(set(labels.ravel().tolist())))
    assert found.dtype == labels.dtype
    some = data.draw(st.lists(st.sampled_from(found.tolist()), min_size=1, unique=True))
    classes = np.array(sorted(some), dtype=labels.dtype)
    codes = label_codes(labels, classes)
    assert codes.dtype == np.int64
    assert_array_equal(codes, slow_codes(labels, classes, len(classes)))


@pytest.mark.parametrize("classes_dtype", ["int8", "uint8", "int64", "float64", "object"])
@pytest.mark.parametrize("labels_dtype", ["int8", "uint8", "int64", "float64", "object"])
def test_label_codes_do_not_depend_on_the_type_of_numbers(labels_dtype, classes_dtype):
    labels = np.arange(6).reshape(2, 3)
    classes = np.array([1, 3, 4])
    codes = label_codes(labels.astype(labels_dtype), classes.astype(classes_dtype))
    assert_array_equal(codes, slow_codes(labels, classes, 3))


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_label_codes_of_extreme_numbers(dtype):
    """Differences that do not fit into the type are none of a class."""
    info = np.iinfo(dtype)
    labels = np.array([info.min, info.min + 1, 3, info.max - 1, info.max], dtype)
    for classes in (labels[:2], labels[2:3], labels[-2:], labels):
        expected = [
            {c: i for i, c in enumerate(classes.tolist())}.get(v, len(classes))
            for v in labels.tolist()
        ]
        assert label_codes(labels, classes).tolist() == expected


def test_label_codes_of_classes_beyond_the_labels_type():
    labels = np.array([[-1, 0, 127]], np.int8)
    assert label_codes(labels, np.array([-200, -1, 127, 255])).tolist() == [[1, 4, 2]]


def test_strings_have_no_code_among_numbers():
    assert label_codes(np.array(["0", "1"]), np.array([0, 1])).tolist() == [2, 2]
    assert label_codes(np.array([0, 1]), np.array(["0", "1"], object)).tolist() == [2, 2]


@CODED_TYPES
@FEW
@given(data=st.data())
def test_encoded_labels_equal_a_slow_version(dtype, data):
    labels = draw_labels(data, dtype)
    ignore_label = data.draw(st.sampled_from(labels.ravel().tolist()))
    classes = class_labels(labels)
    codes = encode_labels(labels, classes, ignore_label=ignore_label, ignored_code=-7)
    slow = slow_codes(labels, classes, None)
    assert_array_equal(codes, np.where(labels == ignore_label, -7, slow))


def test_labels_outside_the_classes_are_not_encoded():
    labels = np.array([[0, 1, 5, -1]], np.int8)
    with pytest.raises(ValueError, match=re.escape("labels [5] are not in the classes [0, 1]")):
        encode_labels(labels, np.array([0, 1]))


def test_ignored_labels_need_no_class():
    labels = np.array([["salt", "unknown"]])
    codes = encode_labels(labels, np.array(["salt"]), ignore_label="unknown")
    assert codes.tolist() == [[0, -100]]


# --- classes that are announced ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "ignore_label", "expected"),
    [
        ([2, -1, 0], -1, [0, 2]),
        ([2, -1, 0], None, [-1, 0, 2]),
        ([0, 7, 255], 255, [0, 7]),
        (["salt", "", "chalk"], "", ["chalk", "salt"]),
        ([2.0, -1.0, 0.0], -1, [0, 2]),
        ([0, 1], -1, [0, 1]),
    ],
)
def test_the_ignore_label_is_no_class(labels, ignore_label, expected):
    """What `learning_curve` announces is numpy.unique(y)."""
    y = np.array([labels])
    found = check_classes(np.unique(labels), y, ignore_label)
    assert found.tolist() == expected
    assert found.dtype == y.dtype


def test_the_ignore_label_alone_is_no_announcement():
    with pytest.raises(ValueError, match="`classes` has no label other than ignore_label=255"):
        check_classes([255], np.array([[255]]), 255)


# --- missing amplitudes ---------------------------------------------------------------------


def test_labels_of_missing_amplitudes_become_the_ignore_label(X, y):
    X[1, 2, 3] = np.nan
    marked = ignore_missing(X, y, -1)
    expected = y.copy()
    expected[1, 2, 3] = -1
    assert_array_equal(marked, expected)
    assert y[1, 2, 3] != -1


@pytest.mark.parametrize("make", [lambda X: X, lambda X: X.astype(int)], ids=["float", "int"])
def test_labels_are_unchanged_where_no_amplitude_is_missing(X, y, make):
    assert ignore_missing(make(X), y, -1) is y


def test_labels_are_unchanged_without_an_ignore_label(X, y):
    X[0, 0, 0] = np.nan
    assert ignore_missing(X, y, None) is y


@pytest.mark.parametrize(
    ("labels", "ignore_label"),
    [
        (np.array([[3, 200]], np.uint8), -1),
        (np.array([["a", "b"]]), "not interpreted"),
        (np.array([["a", "b"]], object), "not interpreted"),
    ],
)
def test_the_ignore_label_fits_whatever_the_type_of_labels(labels, ignore_label):
    X = [np.array([[0.0, np.nan]])]
    (marked,) = ignore_missing(X, [labels], ignore_label)
    assert marked.tolist() == [[labels[0, 0], ignore_label]]


@pytest.mark.parametrize(("labels", "ignore_label"), [(["a", "b"], -1), ([0, 1], "unknown")])
def test_labels_that_cannot_hold_the_ignore_label_are_refused(labels, ignore_label):
    with pytest.raises(ValueError, match="Choose an ignore_label of their type"):
        ignore_missing([np.array([[0.0, np.nan]])], [np.array([labels])], ignore_label)


# --- weights --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights",
    [
        [1, 0, 2.5],
        (1, 0, 2.5),
        np.array([1, 0, 2.5], np.float32),
        pd.Series([1, 0, 2.5], index=[7, 8, 9]),
        torch.tensor([1, 0, 2.5]),
    ],
    ids=["list", "tuple", "array", "Series", "tensor"],
)
@pytest.mark.parametrize("make", [np.asarray, ragged], ids=["array", "ragged"])
def test_one_weight_a_section_becomes_an_array(X, weights, make):
    checked = check_sample_weight(weights, make(X))
    assert isinstance(checked, np.ndarray)
    assert checked.tolist() == [1, 0, 2.5]


def test_a_number_weighs_all_sections_alike(X):
    assert check_sample_weight(2, X).tolist() == [2, 2, 2]
    assert check_sample_weight(np.float32(0.5), X).tolist() == [0.5] * 3


def test_no_weights_stay_none(X):
    assert check_sample_weight(None, X) is None


def test_weights_of_samples_are_not_copied(X):
    weights = np.ones(X.shape, np.float16)
    assert check_sample_weight(weights, X) is weights
    listed = check_sample_weight(ragged(weights), ragged(X))
    assert np.shares_memory(listed[2], weights)


def test_weights_of_samples_may_be_a_list_for_an_array(X):
    weights = np.random.default_rng(0).uniform(size=X.shape)
    assert_array_equal(check_sample_weight(list(weights), X), weights)


def test_weights_and_sections_may_be_on_disk(X):
    weights = Store(np.ones(X.shape))
    assert check_sample_weight(weights, OnDisk(X)) is weights


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(4), r"`sample_weight` must have shape \(3,\), one weight per section"),
        ([1, 2], r"must have shape \(3,\)"),
        (np.ones((3, 24, 10)), "`sample_weight` must have the shape of `X`.*transposed"),
        (np.ones((3, 10)), "`sample_weight` must have the shape of `X`"),
        ([1, -0.5, 1], "finite numbers >= 0; section 1 has other values"),
        ([1, 1, np.nan], "finite numbers >= 0; section 2 has other values"),
        ([np.inf, 1, 1], "finite numbers >= 0; section 0 has other values"),
        (np.full((3, 10, 24), -1), "finite numbers >= 0; section 0"),
        (np.array(["a", "b", "c"]), "finite numbers >= 0"),
        (np.array([1j, 1, 1]), "finite numbers >= 0"),
        ([0, 0, 0], "all zero"),
        (0, "all zero"),
        (np.zeros((3, 10, 24)), "all zero"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(X, weights, message):
    with pytest.raises(ValueError, match=message):
        check_sample_weight(weights, X)


def test_weights_of_another_shape_than_ragged_sections_are_refused(X):
    weights = [np.ones(section.shape) for section in X]
    with pytest.raises(ValueError, match=r"`sample_weight\[1\]` must have the shape of `X\[1\]`"):
        check_sample_weight(weights, ragged(X))
