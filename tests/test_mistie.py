"""`mistie`: what predictions along inlines and along crosslines have not in common."""

import numpy as np
import pytest
import xarray
from numpy.testing import assert_allclose, assert_array_equal

from skfacies import CubeSegmenter
from skfacies.horizons import horizons_from_labels
from skfacies.metrics import iou_score
from skfacies.qc import mistie


@pytest.fixture(scope="module")
def both(fitted, survey):
    """Labels along inlines, and along crosslines."""
    return [
        CubeSegmenter.from_fitted(fitted, direction=direction).predict(survey.data)
        for direction in ("inline", "crossline")
    ]


def placed(cube):
    axes = {"inline": range(100, 112), "crossline": range(300, 340), "twt": 4.0 * np.arange(48)}
    x = (("inline", "crossline"), np.zeros(cube.shape[:2]))
    return xarray.DataArray(cube, axes, list(axes)).assign_coords(cdp_x=x)


def test_mistie_compares_predictions_of_both_directions(fitted, survey, both):
    ties = mistie(fitted, survey.data)
    along_inlines, along_crosslines = both
    assert_allclose(ties.share, (along_inlines != along_crosslines).mean(axis=-1), rtol=1e-6)
    assert 0 < ties.total < 1
    assert_allclose(ties.total, (along_inlines != along_crosslines).mean())
    assert_allclose(ties.by_unit, 1 - iou_score(along_inlines, along_crosslines, average=None))
    depths = [horizons_from_labels(labels, units=[0, 1, 2]) for labels in both]
    assert_array_equal(ties.shifts, depths[1] - depths[0])
    assert ties.contacts == [(0, 1), (1, 2)]


@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_direction_of_a_cube_segmenter_does_not_matter(fitted, survey, direction):
    segmenter = CubeSegmenter.from_fitted(fitted, direction=direction)
    assert_array_equal(mistie(segmenter, survey.data).share, mistie(fitted, survey.data).share)
    assert segmenter.direction == direction


def test_named_axes_give_maps_with_their_coordinates(fitted, survey):
    cube = placed(survey.data)
    ties = mistie(fitted, cube.transpose("twt", "crossline", "inline"))
    assert ties.share.dims == ("inline", "crossline")
    assert ties.shifts.dims == ("contact", "inline", "crossline")
    assert set(ties.share.coords) == {"inline", "crossline", "cdp_x"}
    assert_array_equal(ties.share, mistie(fitted, cube).share)


def test_small_pieces_and_files_give_the_same(fitted, survey, tmp_path, monkeypatch):
    from skfacies.qc import _mistie

    whole = mistie(fitted, survey.data)
    monkeypatch.setattr(_mistie, "SAMPLES_AT_ONCE", 1)
    segmenter = CubeSegmenter.from_fitted(fitted, memory_limit=10_000)
    pieces = mistie(segmenter, survey.data, scratch_dir=tmp_path)
    assert_array_equal(pieces.share, whole.share)
    assert_array_equal(pieces.confusion, whole.confusion)
    assert list(tmp_path.iterdir()) == []


def test_dask_cubes_are_compared(fitted, survey):
    dask_array = pytest.importorskip("dask.array")
    lazy = dask_array.from_array(survey.data, chunks=(5, 20, 48))
    assert_array_equal(mistie(fitted, lazy).share, mistie(fitted, survey.data).share)


def test_dead_traces_do_not_count(fitted, survey):
    cube = survey.data.copy()
    cube[3, 5:9] = 0
    ties = mistie(fitted, cube)
    assert np.isnan(ties.share[3, 5:9]).all()
    assert np.isnan(ties.shifts[:, 3, 5:9]).all()
    assert np.isnan(ties.share).sum() == 4
    assert ties.confusion.sum() == cube.size - 4 * 48


def test_units_choose_the_contacts(fitted, survey):
    ties = mistie(fitted, survey.data, units=[0, 2])
    assert ties.contacts == [(0, 2)]
    assert len(ties.shifts) == 1
    with pytest.raises(ValueError, match=r"different classes of the estimator, \[0, 1, 2\]; got"):
        mistie(fitted, survey.data, units=[0, 7])


def test_a_single_line_cannot_be_compared(fitted, survey):
    with pytest.raises(ValueError, match="two or more inlines and crosslines"):
        mistie(fitted, survey.data[:1])
