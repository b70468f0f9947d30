"""Tests of AmplitudeScaler."""

import pickle

import numpy as np
import pytest
import sklearn
from holders import OnDisk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.validation import check_is_fitted
from tabular import Tabular

from skfacies import AmplitudeScaler
from skfacies.datasets import make_facies_cube

FEW = settings(derandomize=True, max_examples=20, deadline=None)
SHAPE = (4, 30, 64)


@pytest.fixture(scope="module")
def survey():
    return make_facies_cube(SHAPE, random_state=0).data


@pytest.fixture
def X(survey):
    return survey.copy()


def draw_gaussian(scale=1.0, offset=0.0):
    return np.random.default_rng(0).normal(offset, scale, SHAPE)


def learned(scaler):
    return scaler.center_, scaler.scale_, scaler.n_samples_seen_


def exact_statistics(X, spread=0.6827):
    """Median and quantile of absolute deviations of samples that are not zero, by sorting."""
    values = X[X != 0].astype(np.float64)
    return np.median(values), np.quantile(np.abs(values - np.median(values)), spread)


def ragged(X):
    return [X[0], X[1, :20], X[2, 5:, :40]]


# --- what is learned -------------------------------------------------------------------------

DISTRIBUTIONS = {
    "Student t": lambda rng: rng.standard_t(2, SHAPE),
    "Cauchy": lambda rng: 1e4 * rng.standard_cauchy(SHAPE),
    "log-normal": lambda rng: np.exp(rng.normal(0, 2, SHAPE)),
    "very small": lambda rng: rng.laplace(0, 1e-30, SHAPE),
    "very large": lambda rng: rng.laplace(0, 1e28, SHAPE),
    "small offset": lambda rng: rng.normal(128, 20, SHAPE),
    "large offset": lambda rng: rng.normal(-6000, 500, SHAPE),
    "unsigned 16-bit": lambda rng: rng.normal(32768, 4000, SHAPE).astype(np.uint16),
}


@pytest.mark.parametrize("draw", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
@pytest.mark.parametrize("spread", [0.5, 0.6827, 0.95])
def test_scale_is_within_one_percent_of_the_exact_quantile(draw, spread):
    X = draw(np.random.default_rng(0))
    scaler = AmplitudeScaler(spread=spread).fit(X)
    center, scale = exact_statistics(X, spread)
    assert_allclose(scaler.scale_, scale, rtol=0.01)
    assert_allclose(scaler.center_, center, atol=0.01 * scale)


def test_scale_of_a_survey_is_that_of_its_sorted_samples(X):
    scaler = AmplitudeScaler().fit(X)
    center, scale = exact_statistics(X)
    assert_allclose([scaler.center_, scaler.scale_], [center, scale], rtol=0.01, atol=0.01 * scale)
    assert scaler.n_samples_seen_ == X.size


def test_scale_of_gaussian_data_is_its_standard_deviation():
    assert_allclose(AmplitudeScaler().fit(draw_gaussian(3000.0)).scale_, 3000.0, rtol=0.02)


def test_a_few_bright_samples_do_not_move_the_scale(X):
    scale = AmplitudeScaler().fit(X).scale_
    X[0, :3, :5] = 1e4
    assert_allclose(AmplitudeScaler().fit(X).scale_, scale, rtol=0.01)


def test_unsigned_8_bit_data_are_centered_on_their_offset():
    X = draw_gaussian(20.0, 128.0).round().clip(0, 255).astype(np.uint8)
    scaler = AmplitudeScaler().fit(X)
    assert_allclose(scaler.center_, 128, atol=0.5)
    assert_allclose(scaler.scale_, 20, rtol=0.02)
    assert abs(scaler.transform(X).mean()) < 0.03


def test_center_false_measures_deviations_from_zero():
    X = draw_gaussian(1.0, 10.0)
    scaler = AmplitudeScaler(center=False).fit(X)
    assert scaler.center_ == 0.0
    assert_allclose(scaler.scale_, np.quantile(X, 0.6827), rtol=0.01)


def test_dead_traces_and_zeros_do_not_count(X):
    muted = X.copy()
    muted[:, :, :8] = 0.0
    muted[:, :, 8:12] = -0.0
    muted[1, 3:9] = 0.0
    muted[2, 0] = 77.0
    live = np.concatenate([muted[:, :, 12:].reshape(-1, 52)])
    keep = np.setdiff1d(np.arange(len(live)), [*range(33, 39), 60])
    assert learned(AmplitudeScaler().fit(muted)) == learned(AmplitudeScaler().fit(live[keep][None]))


@pytest.mark.parametrize("value", [0.0, 7.0, -3e4, np.nan])
def test_constant_data_are_harmless(value):
    X = np.full((2, 3, 8), value)
    scaler = AmplitudeScaler(clip=None).fit(X)
    assert learned(scaler) == (0.0, 1.0, 0)
    assert_array_equal(scaler.transform(X), X)


def test_nearly_constant_data_are_harmless():
    X = np.resize([1000.0, 1001.0], (2, 3, 8))
    scaler = AmplitudeScaler().fit(X)
    assert 0.1 < scaler.scale_ < 10
    assert np.abs(scaler.transform(X)).max() < 5


def test_nan_is_ignored_in_fit_and_kept_in_transform(X):
    holes = X.copy()
    holes[:, ::3, 5:9] = np.nan
    scaler = AmplitudeScaler().fit(holes)
    expected = X[~np.isnan(holes)]
    assert learned(scaler) == learned(AmplitudeScaler().fit(expected[None, None]))
    scaled = scaler.transform(holes)
    assert_array_equal(np.isnan(scaled), np.isnan(holes))
    assert_array_equal(scaled[~np.isnan(holes)], scaler.transform(X)[~np.isnan(holes)])


def test_negative_nan_does_not_count(X):
    holes = X.copy()
    holes[0, 0, 0] = -np.nan
    holes[0, 0, 1] = np.nan
    assert AmplitudeScaler().fit(holes).n_samples_seen_ == X.size - 2


@FEW
@given(cuts=st.lists(st.integers(1, 29), max_size=4, unique=True), seed=st.integers(0, 99))
def test_pieces_in_any_order_give_the_result_of_one_fit(survey, cuts, seed):
    pieces = [p for section in survey for p in np.split(section, sorted(cuts))]
    scaler = AmplitudeScaler()
    for i in np.random.default_rng(seed).permutation(len(pieces)):
        scaler.partial_fit(pieces[i][None])
    whole = AmplitudeScaler().fit(survey)
    assert learned(scaler) == learned(whole)
    assert_array_equal(scaler.transform(survey), whole.transform(survey))


def test_fit_forgets_what_was_learned_before(X):
    scaler = AmplitudeScaler().fit(100 * X)
    assert learned(scaler.fit(X)) == learned(AmplitudeScaler().fit(X))


def test_partial_fit_goes_on_after_fit(X):
    scaler = AmplitudeScaler().fit(X[:1]).partial_fit(X[1:])
    assert learned(scaler) == learned(AmplitudeScaler().fit(X))


def test_a_list_is_learned_like_its_sections(X):
    assert learned(AmplitudeScaler().fit(list(X))) == learned(AmplitudeScaler().fit(X))
    assert AmplitudeScaler().fit(ragged(X)).n_samples_seen_ == (30 + 20) * 64 + 25 * 40


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4"])
def test_the_type_of_amplitudes_makes_no_difference(X, dtype):
    X = X.astype("f2")
    assert learned(AmplitudeScaler().fit(X.astype(dtype))) == learned(AmplitudeScaler().fit(X))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_failed_fit_leaves_what_was_learned(X, method):
    scaler = AmplitudeScaler().fit(X)
    before = learned(scaler)
    bad = [10 * X[0], np.full((2, 4), np.inf)]
    with pytest.raises(ValueError, match="infinity .* of section 1"):
        getattr(scaler, method)(bad)
    assert learned(scaler) == before
    assert learned(scaler.partial_fit(X)) == learned(AmplitudeScaler().fit([*X, *X]))


# --- transform ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2", "u1"])
def test_transform_gives_float32(X, dtype):
    X = (100 + 30 * X).clip(0, 255).astype(dtype)
    assert AmplitudeScaler().fit_transform(X).dtype == np.float32


def test_transform_centers_scales_and_clips(X):
    scaler = AmplitudeScaler(clip=1.5).fit(X)
    expected = ((X - scaler.center_) / scaler.scale_).clip(-1.5, 1.5)
    assert_allclose(scaler.transform(X), expected, rtol=1e-5, atol=1e-6)
    assert scaler.transform(X).max() == 1.5


def test_clip_none_cuts_nothing(X):
    X[0, 0, 0] = 1e6
    scaler = AmplitudeScaler(clip=None).fit(X)
    assert_allclose(scaler.transform(X)[0, 0, 0], 1e6 / scaler.scale_, rtol=1e-5)


def test_scaled_amplitudes_beyond_the_range_of_float32_are_clipped(X):
    X *= 1e-11
    X[0, 0, :2] = 1e29, -1e29
    assert AmplitudeScaler().fit_transform(X)[0, 0, :2].tolist() == [5, -5]


def test_a_list_gives_a_list(X):
    scaler = AmplitudeScaler().fit(X)
    for scaled in (scaler.transform(ragged(X)), scaler.inverse_transform(ragged(X))):
        assert isinstance(scaled, list)
        assert [section.shape for section in scaled] == [(30, 64), (20, 64), (25, 40)]
        assert {section.dtype for section in scaled} == {np.dtype(np.float32)}
    assert_array_equal(scaler.transform(ragged(X))[1], scaler.transform(X)[1, :20])


def test_inverse_transform_undoes_transform_within_the_clip(X):
    scaler = AmplitudeScaler(clip=2.0).fit(X)
    scaled = scaler.transform(X)
    restored = scaler.inverse_transform(scaled)
    assert restored.dtype == np.float32
    inside = np.abs(scaled) < 2
    assert 0.8 < inside.mean() < 1
    assert_allclose(restored[inside], X[inside], rtol=1e-5, atol=1e-5)
    limits = scaler.center_ + 2 * scaler.scale_, scaler.center_ - 2 * scaler.scale_
    assert_allclose(np.unique(np.abs(restored[~inside])), np.sort(np.abs(limits)), rtol=1e-5)


def test_inverse_transform_keeps_nan(X):
    X[0, 0, 0] = np.nan
    scaler = AmplitudeScaler().fit(X)
    assert np.isnan(scaler.inverse_transform(scaler.transform(X))[0, 0, 0])


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
@pytest.mark.parametrize("method", ["fit", "partial_fit", "transform"])
def test_infinity_is_refused(X, method, bad):
    scaler = AmplitudeScaler().fit(X)
    X[2, 4, 6] = bad
    with pytest.raises(ValueError, match="`X` contains infinity .*trace 4, sample 6 of section 2"):
        getattr(scaler, method)(X)


@pytest.mark.parametrize("method", ["fit", "transform", "inverse_transform"])
def test_each_section_on_disk_is_read_once(X, method):
    lazy = OnDisk(X)
    getattr(AmplitudeScaler().fit(X), method)(lazy)
    assert lazy.read == [0, 1, 2, 3]


def test_memmap_gives_the_result_of_an_array(X, tmp_path):
    mapped = np.memmap(tmp_path / "cube.dat", dtype="f4", mode="w+", shape=X.shape)
    mapped[:] = X
    scaled = AmplitudeScaler().fit_transform(mapped)
    assert type(scaled) is np.ndarray
    assert_array_equal(scaled, AmplitudeScaler().fit_transform(X))


@pytest.mark.parametrize("dtype", ["f4", "f8", "u1"])
def test_the_input_is_never_changed(X, dtype):
    X = (100 + 30 * X).clip(0, 255).astype(dtype)
    before = X.copy()
    X.flags.writeable = False
    scaler = AmplitudeScaler().fit(X).partial_fit(X)
    scaler.inverse_transform(scaler.transform(X))
    scaler.inverse_transform(list(X))
    assert_array_equal(X, before)


@pytest.mark.parametrize("method", ["fit", "transform", "inverse_transform"])
def test_a_single_section_is_refused_with_advice(X, method):
    scaler = AmplitudeScaler().fit(X)
    with pytest.raises(ValueError, match=r"got a 2-D array .* For one section, use X\[None\]"):
        getattr(scaler, method)(X[0])


# --- scikit-learn ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"clip": 0}, "'clip' parameter of AmplitudeScaler must be a float in the range"),
        ({"clip": -1.0}, "'clip' parameter"),
        ({"clip": "no"}, "'clip' parameter"),
        ({"clip": np.nan}, "'clip' parameter"),
        ({"spread": 0.0}, r"'spread' parameter .* range \(0.0, 1.0\)"),
        ({"spread": 1.0}, "'spread' parameter"),
        ({"spread": None}, "'spread' parameter"),
        ({"center": 3.0}, "'center' parameter"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_invalid_parameters_are_refused_in_fit(X, method, params, message):
    scaler = AmplitudeScaler(**params)
    with pytest.raises(ValueError, match=message):
        getattr(scaler, method)(X)


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_an_unfitted_scaler_says_so(X, method):
    with pytest.raises(NotFittedError, match="This AmplitudeScaler instance is not fitted yet"):
        getattr(AmplitudeScaler(), method)(X)


def test_parameters_can_be_read_set_and_cloned(X):
    scaler = AmplitudeScaler(clip=3.0, center=False).fit(X)
    assert scaler.get_params() == {"clip": 3.0, "spread": 0.6827, "center": False}
    copy = clone(scaler).set_params(spread=0.5)
    assert copy.get_params() == {"clip": 3.0, "spread": 0.5, "center": False}
    assert not hasattr(copy, "scale_")
    assert repr(copy) == "AmplitudeScaler(center=False, clip=3.0, spread=0.5)"


def test_a_pickled_scaler_transforms_and_learns_on(X):
    scaler = pickle.loads(pickle.dumps(AmplitudeScaler().fit(X[:2])))
    assert learned(scaler) == learned(AmplitudeScaler().fit(X[:2]))
    assert learned(scaler.partial_fit(X[2:])) == learned(AmplitudeScaler().fit(X))


class MeanAmplitude(BaseEstimator):
    """A following step that needs arrays of sections."""

    def fit(self, X, y=None):
        assert X.ndim == 3
        self.mean_ = X.mean()
        return self

    def predict(self, X):
        return X - self.mean_


def test_a_pipeline_scales_for_the_following_step(X):
    model = make_pipeline(AmplitudeScaler(clip=1.0), MeanAmplitude()).fit(X)
    scaled = AmplitudeScaler(clip=1.0).fit_transform(X)
    assert_array_equal(model.predict(X), scaled - scaled.mean())


def test_pandas_output_is_not_asked_of_sections(X):
    with sklearn.config_context(transform_output="pandas"):
        scaled = make_pipeline(AmplitudeScaler(), AmplitudeScaler()).fit_transform(X)
    assert type(scaled) is np.ndarray
    assert scaled.shape == X.shape


def test_tags_ask_for_three_dimensions_and_allow_nan():
    tags = sklearn.utils.get_tags(AmplitudeScaler())
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.allow_nan


NAN = {"ensure_all_finite": "allow-nan"}


class TabularScaler(Tabular, AmplitudeScaler):
    """Each row of a table is a section."""

    def fit(self, X, y=None):
        return super().fit(self._as_sections(X, reset=True, **NAN))

    def partial_fit(self, X, y=None):
        return super().partial_fit(self._as_sections(X, not hasattr(self, "scale_"), **NAN))

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(self._as_sections(X, **NAN))[:, 0]

    def inverse_transform(self, X):
        check_is_fitted(self)
        return super().inverse_transform(self._as_sections(X, **NAN))[:, 0]


@parametrize_with_checks([TabularScaler()])
def test_common_check(estimator, check):
    check(estimator)


def test_number_of_common_checks():
    """A new release of scikit-learn with fewer checks for us should not pass unseen."""
    assert len(list(estimator_checks_generator(TabularScaler()))) >= 46
