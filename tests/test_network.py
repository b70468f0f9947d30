"""Network, loss and augmentation by themselves."""

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from skfacies._nn import network
from skfacies._nn.data import (
    AUGMENTATION,
    IGNORED,
    Augmentation,
    BatchBuilder,
    Conditioner,
    pad_to_multiple,
)
from skfacies._nn.network import FaciesNetwork, choose_precision, seeded_torch
from skfacies._nn.training import LOSSES, FaciesLoss, WarmupDecay, auto_epochs


@pytest.fixture
def logits():
    return torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def codes():
    return torch.randint(0, 4, (2, 6, 8), generator=torch.Generator().manual_seed(1))


# --- network --------------------------------------------------------------------------------------


def test_the_default_is_the_unet_of_smp():
    ours = FaciesNetwork(n_classes=6)
    theirs = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=6)
    shapes = {k: v.shape for k, v in theirs.state_dict().items()}
    assert {k: v.shape for k, v in ours.network.state_dict().items()} == shapes


def test_shallow_networks_take_the_last_decoder_widths():
    net = FaciesNetwork(encoder_depth=3)
    assert [block.conv1[0].out_channels for block in net.network.decoder.blocks] == [64, 32, 16]


def test_weights_are_in_channels_last_memory():
    weight = FaciesNetwork().network.encoder.layer1[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_bfloat16_returns_float32_logits_close_to_float32():
    with seeded_torch(0):
        net = FaciesNetwork(encoder_depth=3, decoder_channels=(8, 8, 8)).eval()
    x = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact = net(x)
        net.precision = "bfloat16"
        rough = net(x)
    assert rough.dtype == torch.float32
    assert not torch.equal(exact, rough)
    assert_allclose(rough, exact, atol=0.1 * float(exact.abs().max()))


@pytest.mark.parametrize(("in_hardware", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_automatic_precision_asks_the_processor(monkeypatch, in_hardware, expected):
    monkeypatch.setattr(network, "_has_bfloat16", lambda device_type: in_hardware)
    assert choose_precision("auto", "cpu") == expected
    assert choose_precision("float32", "cpu") == "float32"


def test_processors_without_bfloat16_are_recognised(monkeypatch):
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: False)
    assert choose_precision("auto", "cpu") == "float32"
    assert choose_precision("auto", "mps") == "float32"


def test_seeded_torch_restores_the_global_generator():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with seeded_torch(0):
        first = torch.rand(2)
    assert torch.equal(torch.rand(2), expected)
    with seeded_torch(0):
        assert torch.equal(torch.rand(2), first)


# --- loss -----------------------------------------------------------------------------------------


def test_cross_entropy_is_torchs_on_logits(logits, codes):
    assert_allclose(FaciesLoss()(logits, codes), functional.cross_entropy(logits, codes))


def test_class_and_sample_weights_give_the_weighted_mean(logits, codes):
    class_weight = torch.tensor([1.0, 2.0, 0.5, 3.0])
    weights = torch.rand(codes.shape, generator=torch.Generator().manual_seed(2))
    each = functional.cross_entropy(logits, codes, reduction="none")
    total = class_weight[codes] * weights
    loss = FaciesLoss(class_weight=class_weight)(logits, {"codes": codes, "weights": weights})
    assert_allclose(loss, (each * total).sum() / total.sum(), rtol=1e-6)
    only_classes = FaciesLoss(class_weight=class_weight)(logits, codes)
    assert_allclose(
        only_classes, functional.cross_entropy(logits, codes, weight=class_weight), rtol=1e-6
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_ignored_samples_do_not_count(logits, codes, loss):
    """Whatever the network says there; and leaving them out equals ignoring them."""
    codes = codes.clone()
    codes[:, :2] = IGNORED
    criterion = FaciesLoss(loss)
    changed = logits.clone()
    changed[:, :, :2] = torch.randn(2, 4, 2, 8, generator=torch.Generator().manual_seed(5))
    assert_allclose(criterion(changed, codes), criterion(logits, codes), rtol=1e-5)
    without = criterion(logits[:, :, 2:], codes[:, 2:])
    assert_allclose(criterion(logits, codes), without, rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_batches_without_labels_have_no_loss_and_no_gradient(logits, codes, loss):
    logits = logits.requires_grad_()
    value = FaciesLoss(loss)(logits, torch.full_like(codes, IGNORED))
    value.backward()
    assert value.item() == 0
    assert not logits.grad.any()


def test_weights_that_are_all_zero_give_no_gradient(logits, codes):
    logits = logits.requires_grad_()
    FaciesLoss()(logits, {"codes": codes, "weights": torch.zeros(codes.shape)}).backward()
    assert not logits.grad.any()


# --- batches --------------------------------------------------------------------------------------


def test_padding_mirrors_at_the_end_also_beyond_the_size():
    section = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    padded = pad_to_multiple(section, 8)
    assert padded.shape == (1, 8, 8)
    assert_array_equal(padded[0, 0], [0, 1, 2, 2, 1, 0, 0, 1])
    assert_array_equal(padded[0, :, 0], [0, 3, 3, 0, 0, 3, 3, 0])
    assert pad_to_multiple(padded, 8) is padded


def test_batches_of_different_sizes_ignore_their_padding():
    items = [
        (np.ones((1, t, s), np.float32), np.zeros((t, s), int), None) for t, s in ((3, 5), (40, 2))
    ]
    channels, codes = BatchBuilder(32)(items)
    assert channels.shape == (2, 1, 64, 32)
    assert codes.shape == (2, 64, 32)
    assert_array_equal((codes != IGNORED).sum((1, 2)), [15, 80])
    assert (channels == 1).all()


def test_augmentation_flips_amplitudes_labels_and_weights_alike():
    generator = torch.Generator().manual_seed(0)
    augment = Augmentation(generator, flip=1.0, gain=0, noise=0)
    values = torch.arange(24.0).reshape(1, 1, 4, 6)
    channels, codes, weights = augment(values, values[0].long(), values[0])
    for result in (channels[0, 0], codes[0], weights[0]):
        assert_array_equal(result, values[0, 0].flip(0))


def test_augmentation_never_turns_sections_upside_down():
    generator = torch.Generator().manual_seed(0)
    augment = Augmentation(generator, **AUGMENTATION)
    depth = torch.arange(50.0).expand(8, 1, 4, 50) * 10
    for _ in range(5):
        channels, _, _ = augment(depth, torch.zeros(8, 4, 50).long())
        assert (channels[..., 25:].mean(-1) > channels[..., :25].mean(-1)).all()


def test_augmentation_leaves_the_depth_channel():
    augment = Augmentation(torch.Generator().manual_seed(0), flip=0.5, gain=1, noise=1)
    channels = torch.ones(4, 2, 8, 8)
    changed, _, _ = augment(channels, torch.zeros(4, 8, 8).long())
    assert (changed[:, 1] == 1).all()
    assert not (changed[:, 0] == 1).any()
    assert (channels == 1).all()


def test_depth_channel_is_the_position_in_the_whole_section():
    conditioner = Conditioner(None, depth_range=101)
    whole, _ = conditioner(np.zeros((3, 101)))
    crop, _ = conditioner(np.zeros((3, 20)), first_sample=40)
    assert_allclose(whole[1, 0, [0, 50, 100]], [-1, 0, 1], atol=1e-6)
    assert_allclose(crop[1], whole[1, :, 40:60], atol=1e-6)


# --- schedule -------------------------------------------------------------------------------------


def test_learning_rate_rises_then_falls():
    schedule = WarmupDecay(n_steps=100, warmup=5)
    levels = [schedule.level(step) for step in range(100)]
    assert levels[0] < 0.2
    assert max(levels) == levels[5] == 1
    assert all(a >= b for a, b in zip(levels[5:], levels[6:], strict=False))
    assert levels[-1] < 0.03


def test_automatic_epochs_are_bounded():
    assert auto_epochs(1, 100) == 200
    assert auto_epochs(100_000, 10**10) == 5
