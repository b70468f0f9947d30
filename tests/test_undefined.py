"""Values that stand for nothing."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfacies._sections.undefined import undefined_amplitudes, undefined_values

LARGEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, 1e30, -1e30, LARGEST, -999.25, -9999, -99999])
def test_undefined_values_and_amplitudes_are_known_in_every_type(value, dtype):
    values = np.array([[value, 2.0, 3.0], [-1.0, value, 1e29]], dtype=dtype)
    expected = [[True, False, False], [False, True, False]]
    assert_array_equal(undefined_values(values), expected)
    assert_array_equal(undefined_amplitudes(values), expected)


def test_half_precision_holds_some_of_them():
    values = np.array([[np.nan, -9999, 2.0]]).astype(np.float16)  # -10000 in half precision
    assert_array_equal(undefined_amplitudes(values), [[True, False, False]])
    assert_array_equal(undefined_values(values), [[True, False, False]])


def test_undefined_integers_are_known_and_others_stay():
    values = np.array([-1, 0, 3, -9999, -99999, -999])
    assert_array_equal(undefined_values(values), [False, False, False, True, True, False])
    assert not undefined_values(np.array([True, False])).any()
    assert undefined_amplitudes(values) is None


def test_amplitudes_among_others_of_their_size_are_amplitudes():
    section = np.array([[-9999.0, -9000.0, 12000.0]], np.float32)
    assert undefined_amplitudes(section) is None
    section[0, 1] = -100.0
    assert_array_equal(undefined_amplitudes(section), [[True, False, False]])


def test_several_undefined_values_in_one_section():
    section = np.array([[-99999.0, -9999.0, -999.25, 1e30, np.nan, 0.5]], np.float32)
    assert_array_equal(undefined_amplitudes(section), [[True] * 5 + [False]])


def test_sections_of_nothing_else_are_undefined_altogether():
    for value in (np.nan, 1e30, -999.25):
        assert undefined_amplitudes(np.full((2, 3), value)).all()


def test_infinite_amplitudes_are_not_undefined():
    section = np.array([[np.inf, -np.inf, 1.0, 1e30]])
    assert_array_equal(undefined_amplitudes(section), [[False, False, False, True]])
    assert not undefined_values(section[0, :3]).any()
    assert undefined_amplitudes(np.array([[np.inf, 1.0]])) is None
