"""Where training lines lie in a cube: one answer for displays, pages and suggestions."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfacies import CubeSegmenter
from skfacies._cubes.trained_lines import trained_lines, whole_lines
from skfacies.datasets import make_facies_cube

xarray = pytest.importorskip("xarray")

INLINES, CROSSLINES = 200 + 2 * np.arange(12), 700 + np.arange(40)


@pytest.fixture(scope="module")
def survey():
    return make_facies_cube((12, 40, 48), 3, random_state=0)


@pytest.fixture(scope="module")
def cube(survey):
    axes = {"inline": INLINES, "crossline": CROSSLINES, "twt": 4.0 * np.arange(48)}
    return xarray.DataArray(survey.data, axes, list(axes))


@pytest.fixture(scope="module")
def labels(survey):
    labels = np.full(survey.target.shape, -1)
    labels[[2, 7], 5:35] = survey.target[[2, 7], 5:35]
    labels[:, 20] = survey.target[:, 20]
    return labels


@pytest.fixture(scope="module")
def segmenter(cube, labels, make_tiny):
    tiny = make_tiny(nan_policy="ignore")
    return CubeSegmenter(tiny, "both", min_labeled=0.7).fit(cube, labels)


def in_cube(model, numbers, **options):
    return {
        name: own.tolist()
        for name, own in whole_lines(trained_lines(model, numbers, **options), numbers).items()
    }


def test_lines_end_at_their_labeled_traces(segmenter):
    ends = trained_lines(segmenter, (INLINES, CROSSLINES))
    expected = [[[200, 720], [222, 720]], [[204, 705], [204, 734]], [[214, 705], [214, 734]]]
    assert_array_equal(ends, expected)


@pytest.mark.parametrize("kept", [slice(None), slice(None, None, -1), slice(0, 5)])
def test_numbers_count_in_other_parts_of_the_survey(segmenter, kept):
    inlines = INLINES[kept]
    found = in_cube(segmenter, (inlines, CROSSLINES))
    assert found == {"inline": [n for n in inlines if n in (204, 214)], "crossline": [720]}


def test_sections_know_their_lines(segmenter):
    numbers = (INLINES, CROSSLINES)
    assert in_cube(segmenter.estimator_, numbers) == in_cube(segmenter, numbers)


def test_without_numbers_positions_count(survey, labels, segmenter, make_tiny):
    model = CubeSegmenter(make_tiny(), "both", min_labeled=0.7).fit(survey.data, labels)
    expected = {"inline": [2, 7], "crossline": [20]}
    assert in_cube(model, (np.arange(12), np.arange(40)), placed=False) == expected
    assert in_cube(segmenter, (np.arange(12), np.arange(40)), placed=False) == expected


def test_positions_beyond_a_cube_say_nothing(segmenter):
    assert trained_lines(segmenter, (np.arange(6), np.arange(40)), placed=False) is None
    assert in_cube(segmenter, (np.arange(6), np.arange(40)), placed=False) == {
        "inline": [],
        "crossline": [],
    }
