"""Sections that know where they lie."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline

from skfacies import AmplitudeScaler, CubeSegmenter
from skfacies._cubes.positions import PlacedSections, trace_numbers
from skfacies.datasets import make_facies_cube
from skfacies.persistence import load_model, save_model

xarray = pytest.importorskip("xarray")


@pytest.fixture(scope="module")
def cubes():
    """Amplitudes and labels of a noisy survey, with line numbers, and labels of a few lines."""
    survey = make_facies_cube((30, 36, 48), n_facies=3, noise=2.0, random_state=0)
    axes = {"inline": range(200, 230), "crossline": range(400, 436), "twt": range(0, 192, 4)}
    X, y = (xarray.DataArray(a, axes, list(axes)) for a in (survey.data, survey.target))
    picked = xarray.full_like(y, -1)
    picked[::7] = y[::7]
    return X, y, picked


@pytest.fixture(scope="module")
def placed(make_tiny, cubes):
    """A segmenter that knows where its lines were; not to be changed."""
    X, _, picked = cubes
    return CubeSegmenter(make_tiny(max_epochs=8)).fit(X, picked)


def without_positions(segmenter):
    other = copy.deepcopy(segmenter)
    other.estimator_.set_params(positions=None)
    return other


def test_numbers_of_sections_of_a_cube(cubes):
    X, *_ = cubes
    sections = [X.sel(inline=210), X.sel(crossline=405), X.sel(inline=203).drop_vars("inline")]
    assert_array_equal(trace_numbers(sections, 0)[[0, -1]], [[210, 400], [210, 435]])
    assert_array_equal(trace_numbers(sections, 1)[[0, -1]], [[200, 405], [229, 405]])
    assert trace_numbers(sections, 2) is None
    assert trace_numbers([X.values[0]], 0) is None
    assert trace_numbers(X.values, 0) is None
    assert_array_equal(trace_numbers(X, 3)[:, 0], [203] * 36)


def test_numbers_by_other_names_and_of_lines_at_an_angle(cubes):
    section = cubes[0].sel(inline=210).drop_vars("inline").rename(crossline="trace")
    numbers = np.arange(36)
    named = section.assign_coords(IL=("trace", 200 + numbers), XLINE=("trace", 400 + 2 * numbers))
    assert_array_equal(trace_numbers([named], 0), np.stack([200 + numbers, 400 + 2 * numbers], 1))
    path = {"path_inline": ("trace", numbers), "path_crossline": ("trace", numbers)}
    assert_array_equal(trace_numbers([named.assign_coords(path)], 0)[:, 0], numbers)


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_picked_lines_help_the_lines_between(make_tiny, cubes, direction):
    X, y, picked = cubes
    segmenter = CubeSegmenter(make_tiny(max_epochs=8), direction, min_labeled=0.1)
    segmenter.fit(X, picked)
    assert segmenter.score(X, y) > without_positions(segmenter).score(X, y) + 0.1
    labels, probabilities = segmenter.predict(X), segmenter.predict_proba(X)
    assert_array_equal(probabilities.values.argmax(-1), labels)
    assert_allclose(probabilities.values.sum(-1), 1, rtol=1e-5)


def test_arrays_have_no_positions(make_tiny, cubes, placed):
    X, _, picked = cubes
    assert_array_equal(placed.predict(X.values), without_positions(placed).predict(X))
    segmenter = CubeSegmenter(make_tiny(max_epochs=1)).fit(X.values, picked.values)
    assert segmenter.estimator_.contacts_ is None


def test_parts_and_transposed_cubes_have_their_places(cubes, placed):
    X, *_ = cubes
    whole = placed.predict(X)
    part = X.sel(inline=slice(210, 219))
    assert np.mean(placed.predict(part).values == whole.sel(inline=slice(210, 219)).values) > 0.999
    turned = placed.predict(X.transpose("twt", "crossline", "inline"))
    assert_array_equal(turned.transpose(*X.dims), whole)


def test_dask_and_slabs_give_the_whole(cubes, placed):
    pytest.importorskip("dask.array")
    X, *_ = cubes
    whole = placed.predict_proba(X).values
    lazy = placed.predict_proba(X.chunk({"inline": 7, "crossline": -1})).values
    assert_allclose(lazy, whole, atol=2e-3)
    slabs = copy.deepcopy(placed).set_params(memory_limit=1).predict_proba(X).values
    assert_allclose(slabs, whole, atol=2e-3)


def test_model_files_and_pipelines_keep_positions(make_tiny, cubes, placed, tmp_path):
    X, y, picked = cubes
    loaded = load_model(
        save_model(placed, tmp_path / "model.safetensors") or (tmp_path / "model.safetensors")
    )
    assert_array_equal(loaded.predict(X), placed.predict(X))
    pipeline = make_pipeline(AmplitudeScaler(), make_tiny(max_epochs=8, scaler=None))
    segmenter = CubeSegmenter(pipeline).fit(X, picked)
    score = segmenter.score(X, y)
    segmenter.estimator_[-1].set_params(positions=None)
    assert score > segmenter.score(X, y) + 0.1


def test_damaged_contacts_are_not_loaded(placed, tmp_path):
    for name, value, message in (
        ("scales_", np.ones(5), "contacts do not fit the classes"),
        ("lines_", np.arange(3), "contacts have the shapes"),
        ("spacing_", (1.0, 0.0), "spacing of lines of contacts is damaged"),
        ("variogram_", (-1.0, 1.0), "variogram of contacts is damaged"),
        ("vertical_", (0.0, -4.0), "vertical axis of contacts is damaged"),
        ("depths_", np.full(placed.estimator_.contacts_.depths_.shape, "a"), "points of contacts"),
    ):
        damaged = copy.deepcopy(placed)
        setattr(damaged.estimator_.contacts_, name, value)
        with pytest.raises(TypeError, match=message):
            save_model(damaged, tmp_path / "model.safetensors")


def test_sections_of_data_arrays(make_tiny, cubes):
    X, y, _ = cubes
    lines = [{"inline": 200}, {"inline": 214}, {"inline": 229}, {"crossline": 418}]
    segmenter = make_tiny(max_epochs=8)
    segmenter.fit([X.sel(line) for line in lines], [y.sel(line) for line in lines])
    test = [X.sel(inline=207), X.sel(crossline=425)]
    truth = [y.sel(inline=207), y.sel(crossline=425)]
    score = segmenter.score(test, truth)
    assert score > segmenter.set_params(positions=None).score(test, truth) + 0.1


def test_lines_numbered_in_steps(make_tiny, cubes):
    found = []
    for step in (1, 10):
        X, y, _ = (cube.assign_coords(inline=step * cube.inline) for cube in cubes)
        lines = [{"inline": step * 200}, {"inline": step * 214}, {"crossline": 418}]
        segmenter = make_tiny(max_epochs=2)
        segmenter.fit([X.sel(line) for line in lines], [y.sel(line) for line in lines])
        found.append(segmenter.predict_proba([X.sel(inline=step * 229)])[0])
    assert_allclose(*found, atol=1e-5)


def test_another_survey_is_predicted_without_positions(cubes, placed):
    X, *_ = cubes
    segmenter = copy.deepcopy(placed)
    segmenter.estimator_.set_params(rescale="survey")
    expected = without_positions(placed).predict(X)
    assert np.mean(segmenter.predict(X).values == expected.values) > 0.99


def test_training_that_goes_on_keeps_the_lines_before(make_tiny, cubes):
    X, y, _ = cubes
    segmenter = make_tiny(max_epochs=1, warm_start=True)
    segmenter.fit([X.sel(inline=200)], [y.sel(inline=200)])
    segmenter.fit([X.sel(inline=220)], [y.sel(inline=220)])
    assert_array_equal(np.unique(segmenter.contacts_.points_[:, 0]), [200, 220])
    segmenter.partial_fit([X.sel(crossline=410)], [y.sel(crossline=410)])
    assert len(np.unique(segmenter.contacts_.lines_)) == 3
    segmenter.partial_fit(X.values[:2], y.values[:2])
    assert len(np.unique(segmenter.contacts_.lines_)) == 3


def test_units_side_by_side_have_contacts_without_an_order(make_tiny, cubes):
    """Two units never lie in one trace: no order is known, but contacts need none."""
    X, y, _ = cubes
    y = y.copy()
    beside = (y.values == 1) & (np.arange(36)[None, :, None] >= 18)
    y.values[beside] = 3
    lines = [200, 207, 214, 221, 228]
    segmenter = make_tiny(max_epochs=2)
    segmenter.fit([X.sel(inline=i) for i in lines], [y.sel(inline=i) for i in lines])
    assert segmenter.unit_order_ is None
    assert segmenter.contacts_.depths_.shape[1] == 3


def test_contacts_of_dense_lines_are_not_those_of_one_crossline(make_tiny):
    survey = make_facies_cube((150, 20, 32), n_facies=2, random_state=0)
    axes = {"inline": range(150), "crossline": range(20), "twt": range(32)}
    X = xarray.DataArray(survey.data, axes, list(axes))
    segmenter = CubeSegmenter(make_tiny(max_epochs=1)).fit(X, survey.target)
    points = segmenter.estimator_.contacts_.points_
    assert len(np.unique(points[:, 1])) == 20
    assert np.ptp(points[:, 0]) > 140


def test_depths_are_those_of_the_vertical_axis(cubes, placed):
    """A cube that begins elsewhere, and one with twice the samples."""
    X, y, _ = cubes
    contacts = placed.estimator_.contacts_
    assert contacts.vertical_ == (0.0, 4.0)
    whole = placed.predict(X)
    part = X.isel(twt=slice(8, None))
    assert placed.score(part, y.isel(twt=slice(8, None))) > 0.8 * placed.score(X, y)
    fine = X.interp(twt=np.arange(0, 189, 2)).astype("f4")
    with pytest.warns(UserWarning, match="interval"):
        labels = placed.predict(fine)
    assert np.mean(labels.sel(twt=X.twt).values == whole.values) > 0.9


def test_far_away_nothing_is_known(cubes, placed):
    X, *_ = cubes
    far = X.assign_coords(inline=X.inline + 10_000)
    expected = without_positions(placed).predict(X).values
    assert np.mean(placed.predict(far).values == expected) > 0.999


def test_what_is_read_as_an_array_may_be_changed(cubes):
    sections = PlacedSections(cubes[0].values, None)
    assert not np.shares_memory(np.array(sections, copy=True), cubes[0].values)


def test_scaled_sections_keep_their_places(cubes):
    X, *_ = cubes
    scaled = AmplitudeScaler().fit_transform([X.sel(inline=210), X.sel(crossline=405)])
    assert_array_equal(trace_numbers(scaled, 1)[0], [200, 405])


def test_probabilities_are_less_sure_far_from_the_picks(cubes, placed):
    """At `HALF_SURE` lines, logarithms of probabilities are halved; labels stay."""
    from skfacies._estimators.placing import HALF_SURE, add_contacts

    segmenter = placed.estimator_
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.dirichlet(np.ones(3), size=(2, 48)).astype(np.float32))
    scores = scores.permute(2, 0, 1).contiguous()
    picked = segmenter.contacts_.points_[0]
    numbers = np.stack([picked, picked - [HALF_SURE, 0]])
    given = add_contacts(scores, numbers, segmenter.contacts_, segmenter._stack, probabilities=True)
    logits = add_contacts(
        scores.log(), numbers, segmenter.contacts_, segmenter._stack, probabilities=False
    )
    assert_allclose(given[:, 0], torch.softmax(logits[:, 0], dim=0), atol=1e-5)
    assert_allclose(given[:, 1], torch.softmax(logits[:, 1] / 2, dim=0), atol=1e-5)
    assert_array_equal(given.argmax(dim=0), logits.argmax(dim=0))
