"""A device that runs out of memory: batches are halved with a warning, and results are the same."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skfacies._nn import inference
from skfacies._nn.network import FaciesNetwork
from skfacies._nn.out_of_memory import OutOfMemory, SparingNet
from skfacies._sections.sections import IGNORED


@pytest.fixture
def small_device(monkeypatch):
    """Let the device hold so many samples at a time in training, or prediction; list the sizes."""
    seen = []

    def limit(n_samples, *, training=True):
        plain = FaciesNetwork.forward

        def forward(self, amplitudes, *args, **kwargs):
            n = len(amplitudes) * amplitudes[0, 0].numel()
            if self.training == training:
                if n > n_samples:
                    raise OutOfMemory("CUDA out of memory. Tried to allocate 20 MiB")
                seen.append(n)
            return plain(self, amplitudes, *args, **kwargs)

        monkeypatch.setattr(FaciesNetwork, "forward", forward)
        return seen

    return limit


def test_training_goes_on_with_halves_of_batches(survey, make_tiny, small_device):
    seen = small_device(2 * 64 * 64)
    model = make_tiny(max_epochs=2, batch_size=4, validation_fraction=0)
    with (
        pytest.warns(UserWarning, match="finds too few samples"),
        pytest.warns(UserWarning, match="Training goes on with half of the batch") as warned,
    ):
        model.fit(survey.data, survey.target)
    assert sum("out of memory" in str(each.message) for each in warned) == 1
    assert set(seen) == {2 * 64 * 64}
    assert model.n_iter_ == 2


def test_section_that_does_not_fit_alone_ends_the_training(survey, make_tiny, small_device):
    small_device(10)
    model = make_tiny(batch_size=1, validation_fraction=0)
    with pytest.raises(OutOfMemory, match="CUDA out of memory"):
        model.fit(survey.data, survey.target)


def test_gradients_of_halves_add_up_to_those_of_the_batch():
    from skfacies._nn.losses import FaciesLoss

    net = SparingNet(torch.nn.Conv2d, FaciesLoss, module__in_channels=1, module__out_channels=3,
                     module__kernel_size=1, train_split=None)  # fmt: skip
    net.initialize()
    chance = torch.Generator().manual_seed(0)
    codes = torch.randint(3, (5, 8, 8), generator=chance)
    codes[0], codes[3, 2:] = IGNORED, IGNORED
    batch = (torch.randn((5, 1, 8, 8), generator=chance), codes)
    results = []
    for halves in (False, True):
        net._in_halves = halves
        net._zero_grad_optimizer()
        step = net.train_step_single(batch)
        gradients = [copy.deepcopy(p.grad) for p in net.module_.parameters()]
        results.append([step["loss"].detach(), step["y_pred"].detach(), *gradients])
    for whole, halved in zip(*results, strict=True):
        torch.testing.assert_close(halved, whole)


@pytest.mark.parametrize("tta", [False, True])
def test_prediction_goes_on_with_halves_of_batches(survey, fitted, monkeypatch, tta):
    model = copy.deepcopy(fitted).set_params(tta=tta)
    expected = model.predict_proba(survey.data)
    seen, plain = [], inference._Predictor._scores

    def scores(self, channels, *args):
        if len(channels) > 3:
            raise OutOfMemory("CUDA out of memory")
        seen.append(len(channels))
        return plain(self, channels, *args)

    monkeypatch.setattr(inference._Predictor, "_scores", scores)
    with pytest.warns(UserWarning, match="Prediction goes on with half of the batch"):
        found = model.predict_proba(survey.data)
    assert_allclose(found, expected, atol=1e-5)
    assert max(seen) == 3
    assert_array_equal(model.predict(survey.data), expected.argmax(-1))  # without a warning


def test_section_that_does_not_fit_is_predicted_in_tiles(survey, fitted, monkeypatch):
    model = copy.deepcopy(fitted)
    long = np.tile(survey.data[0], (12, 1))
    plain, widths = inference._Predictor._scores, []

    def scores(self, channels, *args):
        if channels.shape[2] > 300:
            raise OutOfMemory("CUDA out of memory")
        widths.append(channels.shape[2])
        return plain(self, channels, *args)

    monkeypatch.setattr(inference._Predictor, "_scores", scores)
    with pytest.warns(UserWarning, match="Prediction goes on"):
        assert model.predict(long[None]).shape == (1, *long.shape)
    assert len(widths) > 1
