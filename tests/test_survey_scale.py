"""Surveys of another scale or sample interval than the one that was learned from."""

import copy
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfacies import CubeSegmenter
from skfacies._sections.survey_scale import OTHER_SCALE, amplitude_level, sample_interval


def test_the_spread_is_that_of_live_samples_whatever_the_size():
    rng = np.random.default_rng(0)
    for shape in ((40, 48), (700, 462), (3, 5000)):
        section = rng.normal(scale=4.0, size=shape)
        section[: shape[0] // 3] = 0
        assert_allclose(amplitude_level(section)[1], 4.0, rtol=0.1)
    assert amplitude_level(np.zeros((40, 48))) is None


@pytest.mark.parametrize("change", [lambda X: 1000 * X, lambda X: X / 20, lambda X: 0.1 * X + 50])
def test_amplitudes_of_another_scale_are_warned_of_and_can_be_rescaled(fitted, survey, change):
    X = survey.data[8:]
    expected = fitted.predict(X)
    with pytest.warns(UserWarning, match="rescale='survey'"):
        wrong = fitted.predict(change(X))
    assert (wrong == expected).mean() < 0.95
    model = copy.deepcopy(fitted).set_params(rescale="survey")
    assert (model.predict(change(X)) == expected).mean() > 0.97
    assert model.score(change(X), survey.target[8:]) > 0.9 * fitted.score(X, survey.target[8:])
    assert_allclose(model.scaler_.scale_, fitted.scaler_.scale_)  # the model itself stays


def test_small_differences_of_scale_are_no_matter(fitted, survey):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.predict(survey.data[8:] * 0.8 * OTHER_SCALE)
        fitted.predict(survey.data[8:9, :16] / (0.8 * OTHER_SCALE))


def test_a_model_without_scaler_warns_but_cannot_rescale(make_tiny, survey):
    model = make_tiny(scaler=None).fit(survey.data, survey.target)
    with pytest.warns(UserWarning, match="more than 3 times as large"):
        model.predict(100 * survey.data)
    with pytest.raises(ValueError, match="needs a `scaler`"):
        model.set_params(rescale="survey").predict(survey.data)


@pytest.mark.slow
def test_surveys_of_different_scale_train_together(make_tiny, survey):
    X = survey.data.copy()
    X[::2] = 500 * X[::2] + 20
    which = np.arange(12) % 2
    params = {"max_epochs": 15, "validation_fraction": 0, "rescale": "survey"}
    model = make_tiny(**params).fit(X, survey.target, surveys=which)
    own = make_tiny(**params).fit(survey.data, survey.target)
    for scaled in (X[::2], X[1::2]):
        truth = survey.target[::2] if scaled.max() > 100 else survey.target[1::2]
        assert model.score(scaled, truth) > own.score(survey.data, survey.target) - 0.1
    with pytest.raises(ValueError, match=r"`surveys` must have shape \(12,\)"):
        make_tiny().fit(X, survey.target, surveys=[0, 1])


# --- sample interval ------------------------------------------------------------------------------


@pytest.fixture
def sections(survey):
    xarray = pytest.importorskip("xarray")

    def make(interval):
        places = {"inline": range(12), "crossline": range(40), "twt": interval * np.arange(48)}
        return xarray.DataArray(survey.data, places, list(places))

    return make


def test_the_interval_is_that_of_the_vertical_coordinate(sections, survey):
    assert sample_interval(sections(4.0)) == 4.0
    assert sample_interval([sections(2.0)[3]]) == 2.0
    assert sample_interval(sections(4.0).drop_vars("twt")) is None
    assert sample_interval(survey.data) is None


def test_another_interval_is_warned_of(make_tiny, sections, survey):
    model = make_tiny().fit(sections(4.0), survey.target)
    assert model.sample_interval_ == 4.0
    expected = model.predict(survey.data)  # which does not tell
    model.set_params(positions=None)
    assert_array_equal(model.predict(sections(4.0)), expected)
    with pytest.warns(UserWarning, match="interval of 8, but the training had 4.*Resample"):
        model.predict(sections(8.0))


# --- cubes ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cubes(fitted):
    return CubeSegmenter.from_fitted(fitted, direction="both")


@pytest.mark.parametrize("lazy", [False, True])
def test_cubes_are_rescaled_as_a_whole(cubes, survey, lazy):
    expected = cubes.predict(survey.data)
    model = copy.copy(cubes)
    model.estimator_ = copy.deepcopy(cubes.estimator_).set_params(rescale="survey")
    X = 300 * survey.data - 10
    if lazy:
        X = pytest.importorskip("dask.array").from_array(X, chunks=(5, 40, 48))
    model.memory_limit = 2e5  # few lines at a time
    predicted = np.asarray(model.predict(X))
    assert (predicted == expected).mean() > 0.97
    assert model.estimator_.rescale == "survey"


def test_cubes_of_another_interval_are_warned_of(make_tiny, sections, survey):
    cube = sections(4.0).transpose("twt", "inline", "crossline")
    labels = cube.copy(data=survey.target.transpose(2, 0, 1))
    model = CubeSegmenter(make_tiny()).fit(cube, labels)
    assert model.sample_interval_ == 4.0
    with pytest.warns(UserWarning, match="interval of 2, but the training had 4"):
        model.predict(sections(2.0))


def test_amplitudes_with_another_center_are_warned_of(fitted, survey):
    X = survey.data[8:]
    with pytest.warns(
        UserWarning, match=r"another center .* 1\.\d deviations away.*rescale='survey'"
    ):
        fitted.predict(X + X.std())


def test_training_that_goes_on_with_another_survey_is_warned_of(make_tiny, survey):
    model = make_tiny(max_epochs=1, warm_start=True).fit(survey.data, survey.target)
    with pytest.warns(UserWarning, match="3 times as large"):
        model.fit(survey.data * 1000, survey.target)
    with pytest.warns(UserWarning, match="3 times as small"):
        model.partial_fit(survey.data / 1000, survey.target)


def test_sections_of_different_intervals_are_warned_of(make_tiny, survey):
    xarray = pytest.importorskip("xarray")
    coarse, fine = (
        [xarray.DataArray(x, {"twt": step * np.arange(48.0)}, ["trace", "twt"]) for x in some]
        for step, some in ((8, survey.data[:4]), (4, survey.data[4:8]))
    )
    y = list(survey.target[:8])
    with pytest.warns(UserWarning, match="sample intervals of 4 and 8"):
        make_tiny(max_epochs=1).fit(coarse + fine, y)
    model = make_tiny(max_epochs=1).fit(fine, y[4:], surveys=[np.nan] * 4)
    assert model.sample_interval_ == 4
    with pytest.warns(UserWarning, match="sample interval of 8, but the training had 4"):
        model.predict(fine[:1] + coarse[:1])


def test_validation_data_of_several_surveys_are_scaled_by_themselves(make_tiny, survey):
    X, y, own = survey.data.copy(), survey.target, ["a"] * 6 + ["b"] * 6
    X[6:] *= 1000
    models = [
        make_tiny(max_epochs=3).fit(X, y, surveys=own, validation_data=validation)
        for validation in ((X[[0, 1]], y[[0, 1]]), (X[[0, 1, 6]], y[[0, 1, 6]], ["a", "a", "b"]))
    ]
    losses = [model.history_[-1]["valid_loss"] for model in models]
    assert losses[0] == pytest.approx(losses[1], rel=0.3)
