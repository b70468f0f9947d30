"""Scores averaged along reflectors."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skfacies._estimators import evidence
from skfacies._stratigraphy import reflectors as _reflectors
from skfacies._stratigraphy.reflectors import DEFAULT_DIP_SMOOTHING, labels_follow_reflectors
from skfacies._stratigraphy.smoothing import CELL, dips_and_continuity, smooth_along_reflectors
from skfacies.persistence import load_model, save_model

N_TRACES, N_SAMPLES = 96, 128


def section(dip=0.0, throw=0.0):
    """Reflectors of a dip in samples per trace, thrown down at the middle trace."""
    depth = np.arange(N_SAMPLES) - dip * np.arange(N_TRACES)[:, None]
    depth[N_TRACES // 2 :] -= throw
    generator = np.random.default_rng(0)
    layers = np.convolve(generator.standard_normal(4096), np.hanning(9), "same")
    amplitudes = np.interp(depth, np.arange(4096) - 2048, layers)
    return torch.from_numpy(amplitudes).float()[None]


def two_units(contact):
    """Logits of two units whose contact lies at a sample of each trace."""
    above = np.arange(N_SAMPLES) < np.asarray(contact)[:, None]
    return torch.from_numpy(np.stack([above, ~above])).float()[None] * 6 - 3


def contact_of(logits):
    return (logits[0].argmax(0) == 0).sum(1).numpy()


@pytest.mark.parametrize("dip", [0.0, 0.4, -0.7])
def test_dips_are_found(dip):
    dips, continuity = dips_and_continuity(section(dip))
    inner = np.s_[0, 3:-3, 3:-3]
    assert_allclose(dips[inner], dip, atol=0.12)
    assert continuity[inner].min() > 0.9


@pytest.mark.parametrize("dip", [0.0, 0.4, -0.4])
def test_a_contact_that_jumps_comes_back_to_its_reflector(dip):
    right = np.rint(60 + dip * np.arange(N_TRACES))
    jumps = right.copy()
    jumps[40:52] += 12
    logits = smooth_along_reflectors(two_units(jumps), section(dip), 30)
    assert np.abs(contact_of(two_units(jumps)) - right).max() == 12
    assert np.abs(contact_of(logits) - right).max() <= CELL


def test_few_sure_traces_outvote_many_that_are_not():
    """Between the two places of the contact, most traces say by a little what is wrong."""
    contact = np.full(N_TRACES, 60)
    sure = np.arange(N_TRACES) < 8
    logits = two_units(contact)
    logits[0, :, ~sure, 48:60] = torch.tensor([-0.4, 0.4])[:, None, None]
    assert_array_equal(contact_of(logits), np.where(sure, 60, 48))
    flat = section()
    assert_array_equal(contact_of(smooth_along_reflectors(logits.clone(), flat, 1e4)), contact)
    alike = smooth_along_reflectors(logits.clone(), flat, 1e4, doubt=0.0)
    assert_array_equal(contact_of(alike), 48)


def test_few_traces_beyond_all_doubt_do_not_outvote_many_that_are_sure():
    logits = two_units(np.full(N_TRACES, 60))
    wrong = np.arange(N_TRACES) < 8
    logits[0, :, wrong, 48:60] = torch.tensor([-100.0, 100.0])[:, None, None]
    assert_array_equal(contact_of(logits), np.where(wrong, 48, 60))
    smooth_along_reflectors(logits, section(), 1e4)
    assert_array_equal(contact_of(logits), 60)


def test_traces_that_are_nowhere_sure_have_a_mean_too():
    logits = torch.zeros(1, 3, 64, 96)
    assert_array_equal(smooth_along_reflectors(logits, torch.zeros(1, 64, 96), 100), 0)


def test_a_contact_stays_on_either_side_of_a_fault():
    thrown = np.where(np.arange(N_TRACES) < N_TRACES // 2, 50, 62)
    _, continuity = dips_and_continuity(section(throw=12))
    logits = smooth_along_reflectors(two_units(thrown), section(throw=12), 30)
    near_fault = np.abs(np.arange(N_TRACES) - N_TRACES // 2 + 0.5) < 6
    at_fault = continuity[0, N_TRACES // (2 * CELL) - 1 : N_TRACES // (2 * CELL) + 1]
    assert at_fault.median() < 0.7 < continuity.median()
    assert np.abs(contact_of(logits) - thrown)[~near_fault].max() <= 1


def test_logits_that_do_not_change_along_reflectors_stay():
    logits = torch.linspace(-3, 3, 3)[None, :, None, None].expand(2, 3, 64, 96).clone()
    amplitudes = torch.randn(2, 64, 96, generator=torch.Generator().manual_seed(0))
    expected = torch.log_softmax(logits, dim=1)
    assert smooth_along_reflectors(logits, amplitudes, 30) is logits
    assert_allclose(torch.log_softmax(logits, dim=1), expected, atol=1e-5)


def test_dead_traces_have_no_dip():
    dips, continuity = dips_and_continuity(torch.zeros(1, 32, 32))
    assert_array_equal(dips, 0)
    assert torch.isfinite(continuity).all()


@pytest.mark.parametrize("size", [1e12, 1e30])
def test_dips_of_huge_amplitudes_are_those_of_usual_ones(size):
    both = torch.cat([section(0.4), size * section(0.4)])
    dips, continuity = dips_and_continuity(both)
    assert_allclose(dips[1], dips[0], atol=1e-5)
    assert_allclose(continuity[1], continuity[0], atol=1e-5)


def test_items_of_a_batch_do_not_know_of_each_other():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(3, 2, 64, 96, generator=generator)
    amplitudes = torch.randn(3, 64, 96, generator=generator)
    alone = [
        smooth_along_reflectors(logits[i : i + 1].clone(), amplitudes[i : i + 1], 20)
        for i in range(3)
    ]
    together = smooth_along_reflectors(logits.clone(), amplitudes, 20)
    assert_allclose(together, torch.cat(alone), atol=1e-5)


# --- whether labels follow reflectors ---------------------------------------------------------


def dipping(slope, n_traces=96, n_samples=128):
    """Reflectors with a dip in samples per trace."""
    depth = np.arange(n_samples) - slope * np.arange(n_traces)[:, None]
    return np.sin(depth / 2.5).astype(np.float32), depth


@pytest.mark.parametrize("slope", [0.0, 0.2, -0.3])
def test_contacts_along_reflectors_follow_them(slope):
    amplitudes, depth = dipping(slope)
    codes = np.digitize(depth, [30, 60])
    assert labels_follow_reflectors([(codes, amplitudes)], 3)
    partly = np.where(np.arange(128) < 100, codes, -100)  # IGNORED
    assert labels_follow_reflectors([(partly, amplitudes)], 3)


@pytest.mark.parametrize("slope", [0.2, -0.3])
def test_contacts_across_reflectors_do_not(slope):
    amplitudes, _ = dipping(slope)
    _, depth = dipping(0.0)
    codes = np.digitize(np.broadcast_to(depth, (96, 128)), [30, 60])
    assert not labels_follow_reflectors([(codes, amplitudes)], 3)
    flat, _ = dipping(0.0)
    assert labels_follow_reflectors([(codes, flat)], 3)


def test_small_and_unlabeled_sections_tell_nothing():
    amplitudes, depth = dipping(0.0)
    codes = np.digitize(np.broadcast_to(depth, (96, 128)), [30, 60])
    assert not labels_follow_reflectors([(codes[:60], amplitudes[:60])], 3)
    assert not labels_follow_reflectors([(codes * 0 - 1, amplitudes)], 3)
    assert not labels_follow_reflectors([], 3)
    pairs = [(codes[:60], amplitudes[:60]), (codes, amplitudes), (codes * 0 - 1, amplitudes)]
    assert labels_follow_reflectors(pairs, 3)


def test_wide_sections_are_cut(monkeypatch):
    sizes = []
    smooth = _reflectors.smooth_along_reflectors
    monkeypatch.setattr(
        _reflectors,
        "smooth_along_reflectors",
        lambda logits, *args, **more: sizes.append(logits.shape) or smooth(logits, *args, **more),
    )
    amplitudes, depth = dipping(0.0, 701, 70)
    assert labels_follow_reflectors([(np.digitize(depth, [30]), amplitudes)], 2)
    assert sizes == [(1, 2, 512, 68)]


# --- in the estimator -------------------------------------------------------------------------


@pytest.fixture
def smoothed(fitted):
    return copy.deepcopy(fitted).set_params(dip_smoothing=20.0)


def test_predictions_and_probabilities_are_smoothed(smoothed, fitted, survey):
    probabilities = smoothed.predict_proba(survey.data[:2])
    assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
    assert np.abs(probabilities - fitted.predict_proba(survey.data[:2])).max() > 0.01
    labels = smoothed.predict(survey.data[:2])
    assert_array_equal(labels, smoothed.classes_[probabilities.argmax(-1)])


@pytest.mark.parametrize("none", [None, 0])
def test_none_and_zero_leave_scores_as_they_are(none, smoothed, fitted, survey):
    smoothed.set_params(dip_smoothing=none)
    expected = fitted.predict_proba(survey.data[:1])
    assert_array_equal(smoothed.predict_proba(survey.data[:1]), expected)


def test_a_negative_length_is_refused(smoothed, survey):
    with pytest.raises(ValueError, match="dip_smoothing"):
        smoothed.set_params(dip_smoothing=-1.0).fit(survey.data[:2], survey.target[:2])


@pytest.fixture(scope="module")
def layered():
    """Sections whose contacts follow reflectors, and their labels."""
    rng = np.random.default_rng(0)
    amplitudes, depth = dipping(0.2)
    noise = rng.normal(scale=0.2, size=(4, *depth.shape)).astype(np.float32)
    return amplitudes + noise, np.stack([np.digitize(depth, [30, 60])] * 4)


@pytest.fixture
def helpful(monkeypatch):
    """Means along reflectors help, whatever the network."""
    monkeypatch.setattr(evidence, "COST_ON_KNOWN_LINES", np.inf)


@pytest.mark.parametrize("fraction", [0.25, 0.0])
@pytest.mark.parametrize("better", [True, False])
def test_auto_goes_by_what_helps_this_network(layered, make_tiny, monkeypatch, better, fraction):
    """On what was held out, or else on training lines."""
    X, y = layered
    asked = []

    def report(probe, names, length, amplitudes, codes):
        asked.append((length, [section.shape for section in amplitudes]))
        classes = {name: {"recall": 1.0} for name in names}
        return {**classes, "mean_iou": 0.5 + 0.1 * (better == (length is not None))}

    monkeypatch.setattr(evidence, "_report", report)
    model = make_tiny(validation_fraction=fraction).fit(X, y)
    assert model.dip_smoothing_ == (DEFAULT_DIP_SMOOTHING if better else None)
    assert [length for length, _ in asked[:2]] == [DEFAULT_DIP_SMOOTHING, None]
    assert asked[0][1] == [X.shape[1:]] * (1 if fraction else 4)
    model.set_params(dip_smoothing=20.0)
    assert model.dip_smoothing_ == 20.0
    assert model.dip_smoothing == 20.0


def test_auto_is_on_unless_it_harms_the_training_lines(layered, make_tiny):
    X, y = layered
    model = make_tiny(max_epochs=12, validation_fraction=0).fit(X, y)
    on, off = (model.set_params(dip_smoothing=n).score(X, y) for n in (DEFAULT_DIP_SMOOTHING, None))
    assert (model.set_params(dip_smoothing="auto").dip_smoothing_ == DEFAULT_DIP_SMOOTHING) == (
        on >= off - evidence.COST_ON_KNOWN_LINES
    )


def test_auto_goes_by_the_labels(layered, make_tiny, helpful):
    X, y = layered
    along = make_tiny().fit(X, y)
    assert along.dip_smoothing_ == DEFAULT_DIP_SMOOTHING
    smoothed = along.predict_proba(X)
    assert_array_equal(
        along.set_params(dip_smoothing=DEFAULT_DIP_SMOOTHING).predict_proba(X), smoothed
    )
    assert along.set_params(dip_smoothing=None).dip_smoothing_ is None
    assert np.abs(along.predict_proba(X) - smoothed).max() > 1e-3
    across = make_tiny().fit(X, np.sort(y[:, ::-1], axis=-1))  # contacts with the opposite dip
    assert across.dip_smoothing_ is None
    probabilities = across.predict_proba(X)
    assert_array_equal(across.set_params(dip_smoothing=0).predict_proba(X), probabilities)
    assert across.set_params(dip_smoothing=20).dip_smoothing_ == 20


def test_what_auto_found_is_saved(layered, make_tiny, helpful, tmp_path):
    X, y = layered
    model = make_tiny().fit(X, y)
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.dip_smoothing_ == DEFAULT_DIP_SMOOTHING
    assert pickle.loads(pickle.dumps(model)).dip_smoothing_ == DEFAULT_DIP_SMOOTHING
    assert_array_equal(loaded.predict(X), model.predict(X))


def test_partial_fit_keeps_what_the_first_call_found(layered, make_tiny, helpful):
    X, y = layered
    model = make_tiny().partial_fit(X, y, classes=[0, 1, 2])
    model.partial_fit(X, np.sort(y[:, ::-1], axis=-1))
    assert model.dip_smoothing_ == DEFAULT_DIP_SMOOTHING


def test_an_unknown_word_is_refused(layered, make_tiny):
    with pytest.raises(ValueError, match="dip_smoothing"):
        make_tiny(dip_smoothing="always").fit(*layered)
