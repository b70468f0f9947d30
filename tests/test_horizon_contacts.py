"""Tests of contacts in probabilities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from skfacies.datasets import make_facies_cube
from skfacies.horizons import (
    _contacts,
    contacts_from_probabilities,
    horizons_from_labels,
    labels_from_horizons,
)

nan = np.nan


def probabilities_of(depths, sigmas, n_samples):
    """Probabilities of a stack of units whose contacts are normally distributed."""
    z = np.arange(n_samples)
    below = [np.ones((*np.shape(depths)[1:], n_samples))]
    below += [
        norm.cdf((z - np.asarray(depth)[..., None]) / np.asarray(sigma)[..., None])
        for depth, sigma in zip(depths, sigmas, strict=True)
    ]
    below = np.minimum.accumulate(below, axis=0)
    return np.stack([*(below[:-1] - below[1:]), below[-1]], axis=-1).astype(np.float32)


@pytest.fixture(scope="module")
def survey():
    return make_facies_cube((6, 8, 48), 4, random_state=2)


@pytest.fixture(scope="module")
def probabilities(survey):
    sigmas = np.broadcast_to(np.array([0.5, 1, 2])[:, None, None], survey.horizons.shape)
    return probabilities_of(survey.horizons, sigmas, 48)


def certain(labels, n_classes):
    return np.eye(n_classes, dtype=np.float32)[np.asarray(labels)]


def test_normally_distributed_contacts_come_back_with_their_standard_deviation():
    depths = np.array([[20.0, 20.3, 21.8], [60.5, 60.0, 61.2]])
    sigmas = np.array([[1.0, 2.0, 5.0], [1.5, 3.0, 4.0]])
    contacts = contacts_from_probabilities(probabilities_of(depths, sigmas, 90))
    assert_allclose(contacts.depth, depths, atol=0.03)
    assert_allclose(contacts.uncertainty, sigmas, rtol=0.05)
    assert_allclose(contacts.thickness[0], depths[1] - depths[0], atol=0.06)
    assert np.isnan(contacts.thickness[1]).all()
    assert contacts.units == [0, 1, 2]


def find_slowly(trace, k):
    """Depth and uncertainty of contact k of one trace (n_samples, n_classes), a unit is there."""
    below = trace[:, k:].sum(axis=1)
    first = next(z for z, row in enumerate(trace) if row.argmax() >= k)
    depth = first - 1 + np.clip((0.5 - below[first - 1]) / np.diff(below)[first - 1], 0.01, 1)
    rising = np.array(
        [(below[: z + 1].max() + below[z:].min()) / 2 for z in range(len(below))], dtype=float
    )
    sides = []
    for level in (0.16, 0.84):
        z = next((z for z, chance in enumerate(rising) if chance >= level), 0)
        if z:
            at = z - 1 + (level - rising[z - 1]) / (rising[z] - rising[z - 1])
            sides.append(abs(at - depth))
    return depth, np.mean(sides) if sides else nan


def test_contacts_equal_those_found_trace_by_trace():
    rng = np.random.default_rng(0)
    depths = np.sort(rng.uniform(3, 24, (2, 40)), axis=0)
    depths[1] += 4
    trend = probabilities_of(depths, rng.uniform(0.5, 4, (2, 40)), 32)
    trend += rng.uniform(0, 0.08, trend.shape).astype(np.float32)  # below falls here and there
    trend /= trend.sum(axis=-1, keepdims=True)
    contacts = contacts_from_probabilities(trend, pinch_out="follow")
    ordered = (np.diff(trend.argmax(axis=-1), axis=-1) >= 0).all(axis=-1)
    assert ordered.sum() > 30
    for trace in np.flatnonzero(ordered):
        for k in (1, 2):
            depth, uncertainty = find_slowly(trend[trace], k)
            assert_allclose(contacts.depth[k - 1, trace], depth, atol=1e-4)
            assert_allclose(contacts.uncertainty[k - 1, trace], uncertainty, atol=1e-4)


def test_most_probable_labels_come_back_from_the_depths(survey, probabilities):
    contacts = contacts_from_probabilities(probabilities, pinch_out="follow")
    labels = labels_from_horizons(contacts.depth, 48, bare_label=0)
    assert_array_equal(labels, probabilities.argmax(axis=-1))
    whole = horizons_from_labels(labels)
    assert_array_equal(np.ceil(contacts.depth), whole)


def test_depths_are_less_biased_than_those_of_labels(survey, probabilities):
    depth = contacts_from_probabilities(probabilities, pinch_out="follow").depth
    from_labels = horizons_from_labels(survey.target)
    assert np.nanmean(from_labels - survey.horizons) > 0.4
    assert abs(np.nanmean(depth - survey.horizons)) < 0.1


def test_certain_labels_give_the_middle_between_samples():
    contacts = contacts_from_probabilities(certain([[0, 0, 0, 1, 1]], 2))
    assert_allclose(contacts.depth, [[2.5]])
    assert_allclose(contacts.uncertainty, [[0.34]], atol=1e-6)


def test_contacts_have_gaps_where_units_are_absent():
    labels = [[0, 0, 1, 1, 2, 2], [0, 0, 0, 2, 2, 2], [1, 1, 1, 1, 2, 2], [0, 0, 1, 1, 1, 1]]
    contacts = contacts_from_probabilities(certain(labels, 3))
    assert_allclose(contacts.depth, [[1.5, nan, nan, 1.5], [3.5, 2.5, 3.5, nan]])
    assert_allclose(contacts.thickness[0], [2, 0, nan, nan])
    assert_array_equal(np.isnan(contacts.uncertainty), np.isnan(contacts.depth))
    follow = contacts_from_probabilities(certain(labels, 3), pinch_out="follow")
    assert_allclose(follow.depth, [[1.5, 2.5, 0, 1.5], [3.5, 2.5, 3.5, nan]])
    assert_array_equal(follow.thickness, contacts.thickness)


def test_missing_samples_hide_what_lies_beside_them():
    labels = np.array([[0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]])
    probabilities = certain(labels, 2)
    probabilities[0, :2] = nan  # a mute down to the contact
    probabilities[1, 4:] = nan
    probabilities[2] = nan
    contacts = contacts_from_probabilities(probabilities)
    assert_allclose(contacts.depth, [[nan, 2.5, nan]])
    assert_allclose(contacts.uncertainty, [[nan, 0.34, nan]], atol=1e-6)


def test_uncertainty_comes_from_one_side_where_the_trace_cuts_the_other():
    near_top = probabilities_of([[1.0]], [[4.0]], 60)
    contacts = contacts_from_probabilities(near_top)
    assert_allclose(contacts.uncertainty, [[4]], rtol=0.05)


def test_uncertainty_grows_where_the_order_overrules_the_network():
    below = np.concatenate([np.full(20, 0.02), np.full(20, 0.98)])
    trace = np.stack([1 - below, below], axis=-1)[None].astype(np.float32)
    overruled = trace.copy()
    overruled[:, 5:20] = overruled[:, 5:20, ::-1]
    overruled[:, 5:20, 1] = 0.51
    overruled[:, 5:20, 0] = 0.49
    kept, moved = (contacts_from_probabilities(p).uncertainty[0, 0] for p in (trace, overruled))
    assert kept < 0.5
    assert moved > 5


def test_order_of_classes_does_not_matter(probabilities):
    expected = contacts_from_probabilities(probabilities)
    names, order = ["sea", "chalk", "salt", "base"], [2, 0, 3, 1]
    found = contacts_from_probabilities(
        probabilities[..., order], classes=[names[k] for k in order], units=names
    )
    assert found.units == names
    for name in ("depth", "uncertainty", "thickness"):
        assert_allclose(found[name], expected[name], atol=1e-5)


def test_a_section_gives_what_the_cube_gives(probabilities):
    cube, section = (contacts_from_probabilities(p) for p in (probabilities, probabilities[3]))
    for name in ("depth", "uncertainty", "thickness"):
        assert_array_equal(section[name], cube[name][:, 3])


def test_arrays_on_disk_are_read_slab_by_slab(monkeypatch, tmp_path, probabilities):
    expected = contacts_from_probabilities(probabilities)
    np.save(tmp_path / "p.npy", probabilities)
    mapped = np.load(tmp_path / "p.npy", mmap_mode="r")
    read = []

    class Recorded:
        shape, dtype, ndim = mapped.shape, mapped.dtype, mapped.ndim

        def __getitem__(self, rows):
            read.append(rows)
            return mapped[rows]

    monkeypatch.setattr(_contacts, "PROBABILITIES_AT_ONCE", 2 * probabilities[0].size)
    found = contacts_from_probabilities(Recorded())
    assert [(rows.start, rows.stop) for rows in read] == [(0, 2), (2, 4), (4, 6)]
    for name in ("depth", "uncertainty", "thickness"):
        assert_array_equal(found[name], expected[name])


def test_zarr_and_dask_arrays_give_the_same(probabilities):
    zarr = pytest.importorskip("zarr")
    dask = pytest.importorskip("dask.array")
    expected = contacts_from_probabilities(probabilities).depth
    stored = zarr.array(probabilities, chunks=(4, 3, 48, 4))
    for array in (stored, dask.from_array(probabilities, chunks=(4, 3, 48, 4))):
        assert_array_equal(contacts_from_probabilities(array).depth, expected)


def test_data_arrays_bring_their_coordinates(probabilities):
    xarray = pytest.importorskip("xarray")
    names = ["sea", "chalk", "salt", "base"]
    axes = {"inline": range(10, 16), "crossline": range(8), "twt": range(48), "facies": names}
    cube = xarray.DataArray(probabilities, axes, list(axes))
    cube = cube.assign_coords(cdp_x=(("inline", "crossline"), np.arange(48.0).reshape(6, 8)))
    contacts = contacts_from_probabilities(cube, units=names)
    assert contacts.depth.dims == ("contact", "inline", "crossline")
    assert contacts.depth.contact.values.tolist() == names[1:]
    assert_array_equal(contacts.depth.sel(contact="salt").cdp_x, cube.cdp_x)
    assert_array_equal(contacts.depth, contacts_from_probabilities(probabilities).depth)
    with pytest.raises(ValueError, match="samples and classes come last"):
        contacts_from_probabilities(cube.transpose("twt", "inline", "crossline", "facies"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": [0, 1]}, "`classes` must be 4 labels"),
        ({"classes": list("abcd")}, "`units` must say the order of named units"),
        ({"units": [0, 1, 2]}, "`units` must have every class once"),
        ({"pinch_out": "gap"}, "`pinch_out` must be 'nan' or 'follow'"),
    ],
)
def test_options_that_do_not_fit_are_refused(probabilities, options, message):
    with pytest.raises(ValueError, match=message):
        contacts_from_probabilities(probabilities, **options)


def test_other_arrays_are_refused(survey, probabilities):
    with pytest.raises(ValueError, match=r"must sum to 1 .* at \(0, 0, 0\)"):
        contacts_from_probabilities(3 * probabilities)
    with pytest.raises(ValueError, match="must be floats; got int8"):
        contacts_from_probabilities(survey.target)
    with pytest.raises(ValueError, match="Give the result of predict_proba"):
        contacts_from_probabilities(probabilities[0, 0])


@pytest.mark.slow
def test_uncertainty_covers_the_errors_of_a_trained_model():
    from skfacies import CubeSegmenter, FaciesSegmenter

    survey = make_facies_cube((24, 64, 128), 5, random_state=0)
    lines = np.arange(2, 24, 4)
    labels = np.full_like(survey.target, -1)
    labels[lines] = survey.target[lines]
    section = FaciesSegmenter(max_epochs=30, early_stopping=False, random_state=0, verbose=0)
    model = CubeSegmenter(section).fit(survey.data, labels)
    probabilities = model.predict_proba(survey.data)
    contacts = contacts_from_probabilities(probabilities)
    others = np.setdiff1d(np.arange(24), lines)
    errors = (contacts.depth - survey.horizons)[:, others]
    covered = np.abs(errors) <= contacts.uncertainty[:, others]
    assert 0.6 < covered[~np.isnan(errors)].mean() < 0.95
    at_samples = horizons_from_labels(probabilities.argmax(axis=-1)) - survey.horizons
    assert np.nanmean(np.abs(errors)) < np.nanmean(np.abs(at_samples[:, others]))
