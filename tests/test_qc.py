import subprocess
import sys

import numpy as np
import pytest
from holders import OnDisk
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import entropy as scipy_entropy

from skfacies.qc import _entropy, prediction_entropy


@pytest.fixture
def probabilities():
    rng = np.random.RandomState(0)
    return rng.dirichlet([0.5, 1, 2], size=(4, 5, 6)).astype(np.float32)


def test_entropy_agrees_with_scipy(probabilities):
    expected = scipy_entropy(probabilities.astype(float), base=3, axis=-1)
    assert_allclose(prediction_entropy(probabilities), expected, atol=1e-5)


def test_entropy_without_normalization_is_in_nats(probabilities):
    expected = scipy_entropy(probabilities.astype(float), axis=-1)
    assert_allclose(prediction_entropy(probabilities, normalize=False), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(2,), (7, 2), (3, 4, 2), (3, 4, 5, 2), (2, 3, 4, 5, 2)])
def test_entropy_drops_the_last_axis(shape):
    entropy = prediction_entropy(np.full(shape, 0.5))
    assert entropy.dtype == np.float32
    assert_array_equal(entropy, np.ones(shape[:-1]))


def test_certainty_has_no_entropy():
    assert_array_equal(prediction_entropy([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), [0, 0])


@pytest.mark.parametrize("n_classes", [2, 3, 7, 20])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_entropy_of_equal_probabilities_is_one(n_classes, dtype):
    entropy = prediction_entropy(np.full((3, n_classes), 1 / n_classes, dtype=dtype))
    assert_allclose(entropy, 1, atol=1e-2 if dtype == np.float16 else 1e-6)
    assert entropy.max() <= 1


def test_integers_count_as_certain_probabilities():
    assert_array_equal(prediction_entropy(np.eye(3, dtype=np.int8)), [0, 0, 0])


def test_missing_probabilities_give_nan(probabilities):
    probabilities[1, 2] = np.nan
    entropy = prediction_entropy(probabilities)
    expected = np.zeros(entropy.shape, bool)
    expected[1, 2] = True
    assert_array_equal(np.isnan(entropy), expected)


def test_entropy_does_not_depend_on_the_order_of_classes(probabilities):
    assert_allclose(
        prediction_entropy(probabilities[..., ::-1]), prediction_entropy(probabilities), atol=1e-6
    )


def test_a_list_gives_a_list_of_the_same_values(probabilities):
    sections = [probabilities[0], probabilities[1, :2, :3]]
    entropy = prediction_entropy(sections)
    assert isinstance(entropy, list)
    assert [section.shape for section in entropy] == [(5, 6), (2, 3)]
    assert_array_equal(entropy[1], prediction_entropy(probabilities[1, :2, :3]))


def test_nested_lists_are_one_array(probabilities):
    exact = probabilities.astype(np.float64)
    assert_array_equal(prediction_entropy(exact.tolist()), prediction_entropy(exact))


@pytest.mark.parametrize("piece", [1, 200, 10**9])
def test_entropy_is_independent_of_the_size_of_pieces(probabilities, monkeypatch, piece):
    whole = prediction_entropy(probabilities)
    monkeypatch.setattr(_entropy, "PROBABILITIES_AT_ONCE", piece)
    assert_array_equal(prediction_entropy(probabilities), whole)


def test_arrays_are_read_section_by_section(probabilities, monkeypatch):
    monkeypatch.setattr(_entropy, "PROBABILITIES_AT_ONCE", probabilities[0].size)
    stored = OnDisk(probabilities)
    assert_array_equal(prediction_entropy(stored), prediction_entropy(probabilities))
    assert stored.largest == probabilities[0].size


def test_the_input_stays_as_it_is(probabilities):
    before = probabilities.copy()
    prediction_entropy(probabilities)
    assert_array_equal(probabilities, before)


@pytest.mark.parametrize("shape", [(), (0,), (4, 1), (3, 0)])
def test_fewer_than_two_classes_are_an_error(shape):
    with pytest.raises(ValueError, match="two classes or more on the last axis; got shape"):
        prediction_entropy(np.ones(shape))


def test_an_empty_list_is_an_error():
    with pytest.raises(ValueError, match=r"two classes or more .* got shape \(0,\)"):
        prediction_entropy([])


def test_negative_probabilities_are_an_error_that_says_where(monkeypatch):
    monkeypatch.setattr(_entropy, "PROBABILITIES_AT_ONCE", 1)
    probabilities = np.full((4, 5, 2), 0.5)
    probabilities[3, 1] = [1.5, -0.5]
    with pytest.raises(ValueError, match=r"must not be negative \(first at \(3, 1\)\)\. Logits"):
        prediction_entropy(probabilities)


def test_classes_on_another_axis_are_an_error(probabilities):
    with pytest.raises(ValueError, match=r"must sum to 1 over the classes.*numpy\.moveaxis"):
        prediction_entropy(np.moveaxis(probabilities, -1, 0))


@pytest.mark.parametrize("value", [0.2, 0.9, np.inf])
def test_sums_far_from_one_are_an_error(value):
    with pytest.raises(ValueError, match=r"must sum to 1 .* at \(0,\)"):
        prediction_entropy(np.full((2, 2), value))


def test_errors_in_a_list_name_the_item(probabilities):
    with pytest.raises(ValueError, match=r"`probabilities\[1\]` must not be negative"):
        prediction_entropy([probabilities[0], -probabilities[1]])


@pytest.mark.parametrize("values", [np.array([["a", "b"]]), np.ones((2, 2), complex)])
def test_values_that_are_not_numbers_are_an_error(values):
    with pytest.raises(TypeError, match="`probabilities` must hold real numbers; got dtype"):
        prediction_entropy(values)


def test_import_needs_neither_torch_nor_matplotlib():
    code = (
        "import sys, skfacies.qc\n"
        "print(sorted({'torch', 'matplotlib'} & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
