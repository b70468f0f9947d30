"""Missing and dead samples: they have no say in what is learned or predicted of others."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from skfacies import AmplitudeScaler
from skfacies._estimators.fitting import make_collate
from skfacies._nn.data import BatchBuilder, Conditioner
from skfacies._nn.normalization import (
    SectionBatchNorm2d,
    normalized_by_section,
    without_dead_places,
)
from skfacies._sections.undefined import SHORTEST_MUTE, dead_samples
from skfacies._stratigraphy.order import labels_from_scores
from skfacies._stratigraphy.smoothing import smooth_along_reflectors


def adaptive_norm(n=3):
    norm = nn.BatchNorm2d(n)
    norm.__class__ = SectionBatchNorm2d
    generator = torch.Generator().manual_seed(0)
    norm.running_mean.copy_(torch.randn(n, generator=generator))
    norm.running_var.copy_(torch.rand(n, generator=generator) + 0.5)
    return norm


# --- which are dead -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, -17.5, np.nan, 1e30])
def test_dead_traces_and_mutes_of_any_value_are_dead(value):
    rng = np.random.default_rng(0)
    section = rng.normal(size=(6, 80)).astype(np.float32)
    expected = np.zeros(section.shape, dtype=bool)
    expected[2] = expected[3, :SHORTEST_MUTE] = expected[4, -20:] = True
    section[expected] = value
    assert_array_equal(dead_samples(section), expected)


def test_live_samples_that_are_equal_are_not_dead():
    section = np.random.default_rng(0).normal(size=(3, 80))
    section[0, 30:60] = 4.0  # within the trace
    section[1, : SHORTEST_MUTE - 1] = 4.0  # as clipped amplitudes may be
    assert dead_samples(section) is None


@pytest.mark.parametrize("value", [0.0, 400.0, np.nan, 1e30, -999.25])
def test_they_do_not_set_the_scale(value):
    sections = np.random.default_rng(0).normal(size=(4, 50, 60))
    expected = AmplitudeScaler().fit(sections[:, 10:, 25:])
    sections[:, :10] = sections[:, :, :25] = value
    found = AmplitudeScaler().fit(sections)
    assert_allclose([found.center_, found.scale_], [expected.center_, expected.scale_])
    assert found.n_samples_seen_ == 4 * 40 * 35


def test_scaled_undefined_amplitudes_are_nan():
    section = np.random.default_rng(0).normal(size=(5, 40))
    section[2] = 1e30
    scaled = AmplitudeScaler().fit_transform([section])[0]
    assert_array_equal(np.isnan(scaled), np.arange(5)[:, None] == np.full(40, 2))


def test_amplitudes_of_nothing_are_refused(make_tiny, survey):
    for value in (0.0, 7.0):
        with pytest.raises(ValueError, match="`X` has no live sample"):
            make_tiny().fit(np.full(survey.data.shape, value), survey.target)


def test_undefined_amplitudes_are_errors_unless_they_are_to_be_ignored(make_tiny, survey):
    X = survey.data.copy()
    X[2, 3:5] = 1e30
    with pytest.raises(ValueError, match=r"undefined values such as 1e\+30 .*nan_policy='ignore'"):
        make_tiny().fit(X, survey.target)
    model = make_tiny(nan_policy="ignore").fit(X, survey.target)
    labels = model.predict(X)
    assert_array_equal(labels == -1, X == 1e30)
    assert_array_equal(np.isnan(model.predict_proba(X)[..., 0]), X == 1e30)


# --- the network ----------------------------------------------------------------------------------


def test_norms_go_by_live_places_only():
    norm, maps = adaptive_norm().eval(), torch.randn(1, 3, 8, 10)
    with torch.inference_mode(), normalized_by_section(10.0):
        alone = norm(maps)
        beside = torch.cat([maps, torch.full((1, 3, 32, 10), 5.0)], dim=2)
        dead = torch.cat([torch.zeros(1, 8, 10), torch.ones(1, 32, 10)], dim=1)
        with without_dead_places(dead):
            assert_allclose(norm(beside)[:, :, :8], alone, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(norm(beside)[:, :, :8], alone, atol=0.1)


def test_training_learns_from_live_places_only():
    one, other, maps = adaptive_norm(), adaptive_norm(), torch.randn(2, 3, 8, 10)
    alone = one(maps)
    dead = torch.zeros(2, 16, 10)
    dead[:, 8:] = 1
    with without_dead_places(dead):
        beside = other(torch.cat([maps, torch.full((2, 3, 8, 10), 5.0)], dim=2))
    assert_allclose(beside[:, :, :8].detach(), alone.detach(), rtol=1e-4, atol=1e-5)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-4)


def test_masks_move_with_the_traces(make_tiny):
    """Dead traces keep their mask through augmentation: what is dead stays nearly zero."""
    rng = np.random.default_rng(0)
    section = rng.normal(size=(64, 64)).astype(np.float32) + 3
    section[10:30] = 0
    channels, missing, dead = Conditioner(None, None)(section)
    assert missing is None
    collate = make_collate(make_tiny(augment={"noise": 0, "frequency": 0}), 0, 1)[0]
    codes = np.zeros(section.shape, np.int64)
    for _ in range(5):
        batch, _ = collate([(channels, codes, None, dead)] * 2)
        own = batch["dead"] > 0
        assert 0.2 < own.float().mean() < 0.45
        assert batch["amplitudes"][:, 0][own].abs().mean() < 0.3
        assert batch["amplitudes"][:, 0][~own].abs().mean() > 1


def test_batches_without_dead_samples_have_no_mask():
    items = [(np.zeros((1, 32, 32), np.float32), np.zeros((32, 32), np.int64), None, None)]
    assert isinstance(BatchBuilder(32)(items)[0], torch.Tensor)


def test_dead_blocks_have_no_say_along_reflectors():
    generator = torch.Generator().manual_seed(0)
    amplitudes = torch.zeros(1, 64, 64)
    logits = torch.randn(1, 2, 64, 64, generator=generator)
    other = logits.clone()
    other[:, :, 32:48] = 100 * torch.randn(1, 2, 16, 64, generator=generator)
    dead = torch.zeros(1, 64, 64)
    dead[:, 32:48] = 1
    one, two = (smooth_along_reflectors(x, amplitudes, 50, dead=dead) for x in (logits, other))
    live = (dead == 0)[:, None].expand(1, 2, 64, 64)
    assert_allclose(one[live], two[live], rtol=1e-4, atol=1e-4)


# --- the estimator --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tolerant(fitted):
    return copy.deepcopy(fitted).set_params(nan_policy="ignore", dip_smoothing=20.0)


@pytest.mark.parametrize("value", [np.nan, 1e30, 3.4e38, -999.25, -9999.0])
def test_labels_of_live_samples_do_not_depend_on_what_stands_for_nothing(tolerant, survey, value):
    section = survey.data[3:5].copy()
    section[:, 25:] = np.nan
    section[:, 5:8, 20:] = np.nan
    live = ~np.isnan(section)
    expected = tolerant.predict(section)
    assert_array_equal(expected == -1, ~live)
    section[~live] = value
    assert_array_equal(tolerant.predict(section), expected)
    assert_allclose(tolerant.predict_proba(section)[live].sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_dead_traces_are_like_missing_ones_to_the_others(tolerant, survey, value):
    section = survey.data[3:5].copy()
    section[:, 25:] = np.nan
    missing = tolerant.predict(section)[:, :25]
    section[:, 25:] = value
    dead = tolerant.predict(section)[:, :25]
    assert (dead == missing).mean() > 0.999  # their own labels are contacts beside the live ones


@pytest.mark.parametrize("params", [{}, {"tta": True}, {"memory_limit": 2e5}])
@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_live_traces_beside_many_dead_ones_are_predicted_as_without(
    tolerant, survey, value, params
):
    model = copy.deepcopy(tolerant).set_params(**params)
    wide = np.full((3, 160, 48), value, np.float32)
    wide[:, 20:60] = survey.data[3:6]
    expected = model.predict_proba(survey.data[3:6])
    beside = model.predict_proba(wide)
    assert_allclose(beside[:, 20:60], expected, atol=1e-6)
    labels = model.predict(wide)
    assert_array_equal(labels[:, 20:60], model.predict(survey.data[3:6]))
    if np.isnan(value):
        assert (labels[:, 60:] == -1).all()
        assert np.isnan(beside[:, :20]).all()
    else:  # as the nearest live trace
        assert_array_equal(labels[:, 60:], np.broadcast_to(labels[:, 59:60], (3, 100, 48)))


@pytest.mark.parametrize("n_dead", [3, 8, 48])
@pytest.mark.parametrize("value", [np.nan, 0.0, 17.5])
@pytest.mark.parametrize("above", [True, False])
def test_dead_samples_above_or_below_all_traces_change_nothing(
    tolerant, survey, n_dead, value, above
):
    section, live = survey.data[3:5], np.s_[..., n_dead:] if above else np.s_[..., :-n_dead]
    rows = (n_dead, 0) if above else (0, n_dead)
    padded = np.pad(section, [(0, 0), (0, 0), rows], constant_values=value)
    assert_array_equal(tolerant.predict(padded)[live], tolerant.predict(section))
    probable = tolerant.predict_proba(padded)[(*live, slice(None))]
    assert_allclose(probable, tolerant.predict_proba(section), atol=1e-6)


def test_dead_samples_that_the_training_had_stay(make_tiny, survey):
    X, y = survey.data.copy(), survey.target.copy()
    X[..., :6], y[..., :6] = 0, -1
    model = make_tiny(max_epochs=1, dip_smoothing=None).fit(X, y)
    assert model._dead_rows == (6, 0)
    deeper = np.pad(X[:2], [(0, 0), (0, 0), (20, 0)])
    assert_array_equal(model.predict(deeper)[..., 20:], model.predict(X[:2]))


@pytest.mark.parametrize("length", [20.0, 100.0])
def test_means_along_reflectors_pass_over_dead_traces(tolerant, survey, length):
    """Every second trace is dead, so that half of each block is."""
    section, live = survey.data[3:6].copy(), np.s_[:, 1::2]
    section[:, ::2] = 0
    plain, smooth = (
        copy.deepcopy(tolerant).set_params(dip_smoothing=some).predict(section)[live]
        for some in (None, length)
    )
    assert (smooth == plain).mean() > 0.8


def test_contacts_beside_missing_samples_tell_nothing_of_their_neighbors():
    codes = np.repeat((np.arange(128) >= 20)[None], 21, axis=0).astype(int)
    scores = np.where(codes[..., None] == np.arange(2), 0, -9.0).astype(np.float32)
    for window in (np.s_[:60], np.s_[15:]):
        missing = np.zeros(codes.shape, dtype=bool)
        missing[::2, window] = True
        found = labels_from_scores(
            codes.copy(), lambda t: scores[t], (0, 1), missing=missing, without_spikes=True
        )
        assert_array_equal(found[~missing], codes[~missing])


def test_a_mute_may_begin_below_undefined_samples(survey):
    section = survey.data[0].astype(np.float32)
    section[10:20] = 40.0
    section[:5, :30] = 3.0
    section[:, :2] = np.nan
    dead = dead_samples(section)
    assert dead[10:20].all()
    assert dead[:5, :30].all()
    assert not dead[5:10, 2:].any()


def test_most_dead_samples_keep_their_own_labels_in_order():
    """The samples of a mute above a unit may be of a shallower one, as the network has them."""
    codes = np.array([[0, 0, 1, 1, 2, 2], [2, 0, 0, 1, 0, 2], [0, 2, 2, 1, 2, 2]])
    missing = np.array([[1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 1, 1], [1, 1, 1, 0, 0, 0]], dtype=bool)
    scores = np.log(np.where(codes[..., None] == np.arange(3), 0.9, 0.05)).astype(np.float32)
    found = labels_from_scores(codes.copy(), lambda t: scores[t], (0, 1, 2), missing=missing)
    assert_array_equal(found, [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 2], [0, 1, 1, 1, 2, 2]])
