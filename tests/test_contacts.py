"""Contacts picked on some lines, interpolated to others."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfacies._stratigraphy.contacts import (
    MAX_POINTS,
    KrigedContacts,
    contact_depths,
    unit_probabilities,
)

nan = np.nan


@pytest.mark.parametrize(
    ("trace", "depths"),
    [
        ([0, 0, 1, 1, 2, 2], [2, 4]),
        ([0, 0, 2, 2, 2, 2], [2, 2]),  # absent: both contacts lie where it would be
        ([1, 1, 1, 2, 2, 2], [0, 3]),  # the first unit lies above the section
        ([0, 0, 0, 0, 1, 1], [4, 6]),  # the last below it
        ([0, 0, -1, 1, 1, 2], [nan, 5]),  # somewhere between the labels
        ([0, 0, 1, 1, -1, -1], [2, nan]),  # labels end before the section does
        ([-1, -1, 1, 1, 2, 2], [nan, 4]),
        ([-1] * 6, [nan, nan]),
    ],
)
def test_depths_of_contacts(trace, depths):
    assert_array_equal(contact_depths(np.array([trace]), (0, 1, 2))[0], depths)


def test_the_ends_of_a_window_of_labels_are_not_contacts():
    codes = np.array([[-1, 1, 1, 2, -1], [-1, 0, 0, 1, -1]])
    assert_array_equal(contact_depths(codes, (0, 1, 2)), [[nan, 3], [3, nan]])


def test_units_in_any_order():
    codes = np.array([[2, 2, 0, 0, 1]])
    assert_array_equal(contact_depths(codes, (2, 0, 1)), [[2, 4]])


def lines_of_a_survey(lines, surface, every=4):
    inline, crossline = np.meshgrid(lines, np.arange(300, 500, every), indexing="ij")
    points = np.stack([inline.ravel(), crossline.ravel()], axis=1).astype(float)
    return points, surface(*points.T)[:, None], points[:, 0]


def dome(inline, crossline):
    return 100 + 20 * np.exp(-((inline - 150) ** 2 + (crossline - 400) ** 2) / 5000)


def test_depths_equal_a_slow_obvious_kriging():
    points, depths, lines = lines_of_a_survey([100, 130, 170], dome, every=20)
    contacts = KrigedContacts().fit(points, depths, lines)
    exponent, nugget = contacts.variogram_
    at = np.array([145.0, 390.0])
    n = len(points)
    matrix, right = np.zeros((n + 1, n + 1)), np.zeros(n + 1)
    for i in range(n):
        for j in range(n):
            matrix[i, j] = -(np.linalg.norm(points[i] - points[j]) ** exponent)
        matrix[i, i] += nugget
        matrix[i, n] = matrix[n, i] = 1
        right[i] = -(np.linalg.norm(points[i] - at) ** exponent)
    right[n] = 1
    weights = np.linalg.solve(matrix, right)
    found, scales = contacts.predict(at[None])
    assert_allclose(found[0, 0], weights[:n] @ depths[:, 0], rtol=1e-6)
    deviation = np.sqrt(nugget - weights @ right)
    nearest = np.linalg.norm(points - at, axis=1).min()
    expected = max(contacts.scales_[0] * deviation**contacts.growth_, 0.5 + 0.03 * nearest)
    assert_allclose(scales[0, 0], expected, rtol=1e-6)


def test_errors_of_lines_left_out_equal_those_of_fits_without_them():
    points, depths, lines = lines_of_a_survey([100, 130, 170], dome, every=20)
    contacts = KrigedContacts().fit(points, depths, lines)
    left_out = lines == 130
    errors, _ = contacts._leave_out(contacts.variogram_, [left_out])
    rest = KrigedContacts().fit(points[~left_out], depths[~left_out], lines[~left_out])
    rest.variogram_ = contacts.variogram_
    expected = depths[left_out] - rest.predict(points[left_out])[0]
    assert_allclose(errors[left_out], expected, atol=1e-6)


def test_scales_grow_with_the_distance_and_hold_half_of_the_errors():
    points, depths, lines = lines_of_a_survey([100, 120, 140, 160, 180], dome)
    contacts = KrigedContacts().fit(points, depths, lines)
    near, middle, far = (
        contacts.predict(np.array([[inline, 390.0]]))[1][0, 0] for inline in (140, 150, 250)
    )
    assert near <= middle < far
    others, truth, _ = lines_of_a_survey([110, 130, 150, 170], dome)
    found, scales = contacts.predict(others)
    assert 0.4 < np.mean(np.abs(found - truth) < scales) <= 1
    assert np.abs(found - truth).max() < 3


def test_contacts_that_are_not_known_everywhere():
    points, depths, lines = lines_of_a_survey([100, 120, 140], dome)
    depths = np.concatenate([depths, depths + 10, depths + 20], axis=1)
    depths[points[:, 1] > 400, 1] = nan
    depths[5:, 2] = nan
    contacts = KrigedContacts().fit(points, depths, lines)
    found, scales = contacts.predict(np.array([[110.0, 350.0]]))
    alone = KrigedContacts().fit(points, depths[:, :1], lines)
    assert_allclose(found[0, 1] - found[0, 0], 10, atol=0.5)
    assert np.isfinite(alone.predict(np.array([[110.0, 350.0]]))[0]).all()
    assert np.isnan(found[0, 2])
    assert np.isinf(scales[0, 2])


def test_one_line_is_left_out_in_parts():
    points, depths, lines = lines_of_a_survey([150], dome)
    contacts = KrigedContacts().fit(points, depths, lines)
    assert np.isfinite(contacts.scales_).all()
    _, scales = contacts.predict(np.array([[151.0, 400.0], [350.0, 400.0]]))
    assert scales[0, 0] < scales[1, 0]


def test_lines_that_are_counted_in_steps():
    points, depths, lines = lines_of_a_survey([100, 130, 170], dome)
    contacts = KrigedContacts().fit(points, depths, lines)
    numbered = KrigedContacts().fit(points * (4, 10), depths, lines, spacing=(4.0, 10.0))
    at = np.array([[145.0, 390.0], [300.0, 401.0]])
    for found, expected in zip(numbered.predict(at * (4, 10)), contacts.predict(at), strict=True):
        assert_allclose(found, expected, rtol=1e-6)
    assert_allclose(numbered.distance(at * (4, 10)), contacts.distance(at))


def test_traces_of_crossing_lines_count_once():
    points, depths, lines = lines_of_a_survey([100, 120, 140], dome)
    contacts = KrigedContacts().fit(points, depths, lines)
    twice = [np.concatenate([values, values]) for values in (points, depths, lines)]
    twice[2][len(lines) :] += 1000
    again = KrigedContacts().fit(*twice)
    assert_array_equal(again.scales_, contacts.scales_)
    assert_array_equal(again.points_, contacts.points_)


def test_strata_that_are_flat_along_the_only_line_may_dip_across_it():
    points, depths, lines = lines_of_a_survey([150], lambda i, x: 20 + 0 * x)
    contacts = KrigedContacts().fit(points, depths, lines)
    _, scales = contacts.predict(np.array([[150.0, 401.0], [250.0, 401.0]]))
    assert scales[0, 0] < 0.6
    assert scales[1, 0] > 3


def test_many_points_are_thinned_out():
    points, depths, lines = lines_of_a_survey(range(100, 160), dome)
    contacts = KrigedContacts().fit(points, depths, lines)
    assert len(contacts.points_) <= MAX_POINTS
    assert len(np.unique(contacts.lines_)) == 60


def test_probabilities_of_units_sum_to_one_and_peak_between_contacts():
    depths, scales = np.array([[10.0, 20.0]]), np.array([[1.0, 2.0]])
    units = unit_probabilities(depths, scales, 40)
    assert units.shape == (3, 1, 40)
    assert_allclose(units.sum(axis=0), 1, rtol=1e-6)
    assert (units >= 0).all()
    assert_array_equal(units[:, 0].argmax(axis=0), [0] * 10 + [1] * 10 + [2] * 20)
    assert_allclose(units[0, 0, 9], 0.5 + 0.5 * 0.5 / 1.5, rtol=1e-6)  # half a sample above


def test_units_around_an_unknown_contact_are_alike():
    depths, scales = np.array([[10.0, nan, 20.0]]), np.array([[1.0, np.inf, 1.0]])
    units = unit_probabilities(depths, scales, 30)
    assert_array_equal(units[1], units[2])
    assert units[1, 0, 15] > units[0, 0, 15]
