"""Batch norms that go by the section's own statistics in prediction."""

import copy
import threading

import joblib
import numpy as np
import pytest
import torch
from torch import nn

from skfacies import FaciesSegmenter
from skfacies._nn.normalization import (
    SectionBatchNorm2d,
    let_norms_adapt,
    normalized_by_section,
)
from skfacies.datasets import make_facies_cube
from skfacies.persistence import load_model, save_model


@pytest.fixture
def norm():
    """A batch norm in prediction whose statistics are not those of new maps."""
    generator = torch.Generator().manual_seed(0)
    norm = nn.BatchNorm2d(5).eval()
    with torch.no_grad():
        for values in (norm.weight, norm.bias, norm.running_mean):
            values.copy_(torch.randn(5, generator=generator))
        norm.running_var.copy_(0.5 + torch.rand(5, generator=generator))
    let_norms_adapt(nn.Sequential(nn.BatchNorm2d(5), norm))
    assert isinstance(norm, SectionBatchNorm2d)
    return norm


def maps_of(n_items, *size, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return 1 + 2 * torch.randn(n_items, 5, *size, generator=generator)


def by_hand(norm, item, share):
    """One item (n_channels, height, width) in float64, by the formula."""
    item = item.double()
    mean = (1 - share) * norm.running_mean.double() + share * item.mean((1, 2))
    variance = (1 - share) * norm.running_var.double() + share * item.var((1, 2))
    scale = norm.weight.double() / torch.sqrt(variance + norm.eps)
    return (item - mean[:, None, None]) * scale[:, None, None] + norm.bias.double()[:, None, None]


# --- the layer ------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_own_statistics_have_the_share_of_their_places(norm, layout):
    maps = maps_of(3, 8, 6).contiguous(memory_format=layout)
    wanted = torch.stack([by_hand(norm, item, 48 / 64) for item in maps]).detach()
    for mode in (torch.inference_mode, torch.no_grad, torch.enable_grad):
        with mode(), normalized_by_section(16.0):
            found = norm(maps)
        torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-5)
        assert found.is_contiguous(memory_format=layout)


def test_bfloat16_maps_stay_so_and_keep_their_precision(norm):
    maps = maps_of(2, 16, 12).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), normalized_by_section(64.0):
        found = norm(maps)
    assert found.dtype == torch.bfloat16
    wanted = torch.stack([by_hand(norm, item, 192 / 256) for item in maps])
    torch.testing.assert_close(found.double(), wanted, rtol=1e-2, atol=2e-2)


def test_without_the_prior_it_is_torchs_batch_norm(norm):
    maps = maps_of(2, 8, 6)
    plain = nn.BatchNorm2d(5).eval()
    plain.load_state_dict(norm.state_dict())
    assert torch.equal(norm(maps), plain(maps))
    with normalized_by_section(None):
        assert torch.equal(norm(maps), plain(maps))
    with normalized_by_section(16.0):
        assert not torch.equal(norm(maps), plain(maps))
        assert torch.equal(norm.train()(maps), plain.train()(maps))
    torch.testing.assert_close(norm.running_mean, plain.running_mean)


def test_statistics_of_the_training_stay_as_they_are(norm):
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    with torch.inference_mode(), normalized_by_section(1.0):
        norm(maps_of(2, 8, 6))
    assert all(torch.equal(before[name], value) for name, value in norm.state_dict().items())


def test_single_value_is_normalized_by_the_training(norm):
    maps = maps_of(2, 1, 1)
    with torch.inference_mode(), normalized_by_section(16.0):
        found = norm(maps)
    assert torch.equal(found, norm(maps))


def test_other_threads_are_not_concerned(norm):
    maps, found = maps_of(1, 8, 6), []
    with normalized_by_section(16.0):
        thread = threading.Thread(target=lambda: found.append(norm(maps)))
        thread.start()
        thread.join()
        assert not torch.equal(norm(maps), found[0])
    assert torch.equal(norm(maps), found[0])


def test_prior_is_put_back_after_an_error(norm):
    maps = maps_of(1, 8, 6)
    plain = norm(maps)
    with pytest.raises(KeyError), normalized_by_section(16.0):
        raise KeyError
    assert torch.equal(norm(maps), plain)


def test_only_torchs_own_batch_norms_with_statistics_adapt():
    class Other(nn.BatchNorm2d):
        pass

    parts = nn.Sequential(
        *(nn.BatchNorm2d(2), nn.BatchNorm2d(2, track_running_stats=False), Other(2)),
        *(nn.GroupNorm(1, 2), nn.BatchNorm2d(2)),
    )
    let_norms_adapt(parts)
    assert [isinstance(part, SectionBatchNorm2d) for part in parts] == [False] * 4 + [True]


# --- the estimator --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def survey():
    return make_facies_cube((10, 64, 96), n_facies=4, random_state=0)


@pytest.fixture(scope="module")
def model(survey):
    segmenter = FaciesSegmenter(
        encoder_weights=None,
        encoder_depth=3,
        decoder_channels=(16, 8, 8),
        max_epochs=8,
        random_state=0,
    )
    return segmenter.fit(survey.data[:8], survey.target[:8])


def without(model):
    """The same model, normalized by the training only."""

    return copy.deepcopy(model).set_params(section_statistics=False)


def test_the_encoder_goes_by_the_section_and_the_decoder_does_not(model):
    network = model.net_.module_.network
    assert any(isinstance(part, SectionBatchNorm2d) for part in network.encoder.modules())
    assert not any(isinstance(part, SectionBatchNorm2d) for part in network.decoder.modules())


def test_sections_of_the_height_of_training_are_normalized_by_themselves(model, survey):
    sections = survey.data[8:]
    own, training = model.predict_proba(sections), without(model).predict_proba(sections)
    assert np.abs(own - training).max() > 1e-3
    # Each by itself: what else is predicted changes nothing.
    alone = np.stack([model.predict_proba(sections[i : i + 1])[0] for i in range(2)])
    np.testing.assert_allclose(own, alone, atol=1e-5)


def test_windows_of_other_depths_are_normalized_by_the_training(model, survey):
    window = survey.data[8:, :, :56]
    np.testing.assert_array_equal(model.predict_proba(window), without(model).predict_proba(window))


def test_other_levels_of_the_encoders_maps_do_less_harm(model, survey):
    """What the adaptation is for: maps whose statistics are not those of the training."""
    drifted = without(model)
    for part in drifted.net_.module_.network.encoder.modules():
        if isinstance(part, SectionBatchNorm2d):
            part.running_mean += 0.5 * torch.sqrt(part.running_var)
    plain = drifted.score(survey.data[8:], survey.target[8:])
    adapted = drifted.set_params(section_statistics=True)
    assert adapted.score(survey.data[8:], survey.target[8:]) > plain + 0.05


def test_saved_models_predict_the_same(model, survey, tmp_path):
    wanted = model.predict_proba(survey.data[8:])
    joblib.dump(model, tmp_path / "model.joblib")
    save_model(model, tmp_path / "model.skfacies")
    for loaded in (joblib.load(tmp_path / "model.joblib"), load_model(tmp_path / "model.skfacies")):
        np.testing.assert_array_equal(loaded.predict_proba(survey.data[8:]), wanted)


def test_partial_fit_remembers_all_heights(survey):
    segmenter = FaciesSegmenter(
        encoder_weights=None, encoder_depth=3, decoder_channels=(16, 8, 8), random_state=0
    )
    segmenter.partial_fit(survey.data[:2], survey.target[:2], classes=range(4))
    segmenter.partial_fit(survey.data[2:4, :, :64], survey.target[2:4, :, :64])
    assert segmenter._heights == (64, 96)


@pytest.mark.parametrize("n_samples", [96, 64])
def test_validation_sections_are_normalized_as_predict_does(survey, n_samples):
    """By the training only where they show other depths; no epoch depends on the first loss."""
    valid = survey.data[8:, :, :n_samples], survey.target[8:, :, :n_samples]
    losses = []
    for own in (True, False):
        segmenter = FaciesSegmenter(
            encoder_weights=None,
            encoder_depth=3,
            decoder_channels=(16, 8, 8),
            max_epochs=1,
            section_statistics=own,
            random_state=0,
        )
        segmenter.fit(survey.data[:8], survey.target[:8], validation_data=valid)
        losses.append(segmenter.history_[0]["valid_loss"])
    assert (losses[0] == losses[1]) == (n_samples != survey.data.shape[2])
