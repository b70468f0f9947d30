"""Decoder blocks that convolve before they double."""

import copy

import pytest
import segmentation_models_pytorch as smp
import torch
from numpy.testing import assert_allclose
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock
from torch.nn import functional

from skfacies._nn.network import FaciesNetwork
from skfacies._nn.speedups import upsampling
from skfacies._nn.speedups.upsampling import (
    DoublingBlock,
    convolve_doubled,
    half_kernels,
    spare_doubled_convolutions,
)


def make_blocks(n_skip=3, **options):
    """The block of smp and ours, in float64 with equal weights and statistics, and their inputs."""
    generator = torch.Generator().manual_seed(0)
    theirs = UnetDecoderBlock(5, n_skip, 4, **options).double()
    with torch.no_grad():
        for tensor in theirs.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator) / 3)
    ours = DoublingBlock(copy.deepcopy(theirs))
    coarse = torch.randn(2, 5, 16, 18, generator=generator, dtype=torch.float64)
    skip = torch.randn(2, n_skip, 32, 36, generator=generator, dtype=torch.float64)
    return theirs, ours, coarse, skip if n_skip else None


def gradients(block, coarse, skip):
    block.zero_grad()
    coarse = coarse.clone().requires_grad_()
    result = block(coarse, 32, 36, skip_connection=skip)
    (result**2).sum().backward()
    return result.detach(), [coarse.grad, *(p.grad for p in block.parameters())]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("use_norm", ["batchnorm", False, "instancenorm"])
@pytest.mark.parametrize("n_skip", [3, 0])
def test_results_and_gradients_are_those_of_smp(train, use_norm, n_skip):
    theirs, ours, coarse, skip = make_blocks(n_skip, use_norm=use_norm)
    theirs.train(train), ours.train(train)
    expected, expected_gradients = gradients(theirs, coarse, skip)
    result, found_gradients = gradients(ours, coarse, skip)
    assert result.std() > 0.1
    assert_allclose(result, expected, rtol=1e-9, atol=1e-10)
    assert len(found_gradients) == len(expected_gradients)
    for found, wanted in zip(found_gradients, expected_gradients, strict=True):
        assert_allclose(found, wanted, rtol=1e-7, atol=1e-8 * float(wanted.abs().max()))


@pytest.mark.parametrize("bias", [True, False])
def test_a_doubled_convolution_is_that_of_the_doubled_map(bias):
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(2, 3, 5, 7, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, 3, 3, 3, generator=generator, dtype=torch.float64)
    bias = torch.randn(4, generator=generator, dtype=torch.float64) if bias else None
    doubled = functional.interpolate(coarse, scale_factor=2, mode="nearest")
    expected = functional.conv2d(doubled, weight, bias, padding=1)
    result = convolve_doubled(coarse, half_kernels(weight), bias)
    assert_allclose(result, expected, atol=1e-12)
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_small_maps_and_other_sizes_take_the_long_way(monkeypatch):
    theirs, ours, coarse, skip = make_blocks()
    monkeypatch.setattr(upsampling, "doubled_rows", None)  # would fail if called
    for height, width in ((5, 6), (16, 18)):
        part = coarse[..., :height, :width]
        shape = (2 * height, 2 * width) if height == 5 else (31, 36)
        own = skip[..., : shape[0], : shape[1]]
        expected = theirs.eval()(part, *shape, skip_connection=own)
        result = ours.eval()(part, *shape, skip_connection=own)
        assert_allclose(result.detach(), expected.detach(), atol=1e-12)


@pytest.mark.parametrize(("train", "short"), [(True, True), (False, False)])
def test_what_is_short_goes_by_the_batch_in_training_only(monkeypatch, train, short):
    _, ours, coarse, skip = make_blocks()
    part, own = coarse[..., :12, :18], skip[..., :24, :]  # 216 pixels, 432 in the batch
    calls = []
    monkeypatch.setattr(ours, "_short_way", lambda *maps: calls.append(maps) or maps[0])
    ours.train(train)(part, 24, 36, skip_connection=own)
    assert bool(calls) == short


def test_the_default_network_has_the_weights_and_logits_of_smp():
    torch.manual_seed(0)
    ours = FaciesNetwork(n_classes=3).eval()
    theirs = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=3).eval()
    assert all(type(block) is DoublingBlock for block in ours.network.decoder.blocks)
    theirs.load_state_dict(ours.network.state_dict())
    sections = torch.randn(1, 1, 256, 288)
    with torch.inference_mode():
        expected, result = theirs(sections), ours(sections)
    assert float(expected.std()) > 0.1
    assert_allclose(result, expected, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize(
    "options",
    [
        {"decoder_attention_type": "scse"},
        {"decoder_interpolation": "bilinear"},
    ],
    ids=str,
)
def test_blocks_of_other_kinds_stay(options):
    network = smp.Unet("resnet18", encoder_weights=None, **options)
    spare_doubled_convolutions(network)
    assert {type(block) for block in network.decoder.blocks} == {UnetDecoderBlock}


def test_networks_without_such_blocks_stay():
    network = smp.FPN("resnet18", encoder_weights=None)
    before = [type(module) for module in network.modules()]
    spare_doubled_convolutions(network)
    assert [type(module) for module in network.modules()] == before
