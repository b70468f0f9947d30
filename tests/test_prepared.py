"""Networks as prediction runs them."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from skfacies import FaciesSegmenter
from skfacies._nn.network import FaciesNetwork
from skfacies._nn.normalization import SectionBatchNorm2d, normalized_by_section
from skfacies._nn.speedups.prepared import _ReadyStem, fold, prepared_for_prediction
from skfacies.datasets import make_facies_cube


def make_network(**options):
    """A network whose norms have learned something, and a batch."""
    torch.manual_seed(0)
    network = FaciesNetwork(**{"n_classes": 3} | options).eval()
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d) and part.track_running_stats:
                part.running_mean.uniform_(-0.3, 0.3)
                part.running_var.uniform_(0.5, 2.0)
                part.weight.uniform_(0.7, 1.3)
                part.bias.uniform_(-0.2, 0.2)
    side = 4 * max(network.multiple, network.smallest // 4)
    return network, torch.randn(2, options.get("in_channels", 1), side, side)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"in_channels": 2, "encoder_name": "resnet34"},
        {"encoder_depth": 3},
        {"decoder_use_norm": False},
        {"decoder_interpolation": "bilinear"},
        {"encoder_name": "mit_b0"},  # skip connections without channels
        {"architecture": "FPN"},
    ]
    + [
        pytest.param(options, marks=pytest.mark.slow)
        for options in (
            {"decoder_attention_type": "scse"},
            {"encoder_name": "mobilenet_v2"},
            {"encoder_name": "efficientnet-b0"},
            {"encoder_name": "tu-resnet10t"},
            {"architecture": "UnetPlusPlus"},
            {"architecture": "Linknet"},
            {"architecture": "MAnet"},
            {"architecture": "PAN"},
            {"architecture": "DeepLabV3Plus"},
            {"architecture": "Segformer"},
            {"architecture": "UPerNet"},
        )
    ],
    ids=lambda options: " ".join(map(str, options.values())) or "default",
)
@torch.inference_mode()
def test_results_are_the_same_up_to_rounding(options):
    network, batch = make_network(**options)
    network, batch = network.double(), batch.double()
    prepared = prepared_for_prediction(network)
    for part in (batch, batch[..., :64, :]):
        expected = network(part)
        assert expected.std() > 1e-3
        assert_allclose(prepared(part), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("encoder_name", ["resnet18", "mit_b0"])
@torch.inference_mode()
def test_at_bfloat16_they_differ_by_its_rounding(encoder_name):
    network, batch = make_network(encoder_name=encoder_name)
    exact = network(batch)
    network.precision = "bfloat16"
    rounded = network(batch)
    result = prepared_for_prediction(network)(batch)
    error = (rounded - exact).abs().mean()
    assert 0 < error < 0.1 * exact.std()
    assert (result - exact).abs().mean() < 1.2 * error
    assert not torch.equal(result, exact)  # it was at bfloat16


@torch.inference_mode()
def test_norms_that_go_by_the_training_are_gone():
    network, batch = make_network()
    prepared = prepared_for_prediction(network)
    norms = [part for part in prepared.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert {type(norm) for norm in norms} == {SectionBatchNorm2d}
    assert sum(type(part) is nn.BatchNorm2d for part in network.modules()) == 11
    with normalized_by_section(128.0):
        adapted, expected = prepared(batch), network(batch)
    assert (adapted - prepared(batch)).abs().max() > 0.01
    assert_allclose(adapted, expected, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_a_batch_makes_no_kernels_and_casts_no_weights(monkeypatch):
    network, batch = make_network(precision="bfloat16")
    prepared = prepared_for_prediction(network)
    first = prepared(batch)
    monkeypatch.setattr(
        "skfacies._nn.speedups.upsampling.half_kernels", None
    )  # would fail if called
    casts = []
    original = torch.Tensor.to
    monkeypatch.setattr(torch.Tensor, "to", lambda *args: casts.append(args) or original(*args))
    assert torch.equal(prepared(batch), first)
    assert not casts


def test_the_network_itself_stays_as_it_is():
    network, batch = make_network()
    before = copy.deepcopy(network)
    parts = dict(network.named_modules())
    with torch.inference_mode():
        prepared_for_prediction(network)(batch)
    assert dict(network.named_modules()) == parts
    for name, value in before.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name
    network.train()(batch).mean().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_one_convolution_does_the_work_of_its_norm(affine, bias):
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 5, 3, bias=bias).double()
    norm = nn.BatchNorm2d(5, affine=affine).double()
    norm(3 + torch.randn(9, 5, 4, 4, dtype=torch.float64))
    if affine:
        nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
    maps = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    weight, shift = fold(convolution, norm)
    result = nn.functional.conv2d(maps, weight, shift)
    assert_allclose(result.detach(), norm.eval()(convolution(maps)).detach(), atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@torch.inference_mode()
def test_the_first_convolution_takes_pixels_of_four_samples(bias):
    convolution = nn.Conv2d(1, 5, 7, stride=2, padding=3, bias=bias).double()
    maps = torch.randn(2, 1, 14, 20, dtype=torch.float64)
    assert _ReadyStem.knows(convolution)
    assert not _ReadyStem.knows(nn.Conv2d(2, 5, 7, stride=2, padding=3))
    stem = _ReadyStem(convolution, None)
    result = stem(maps)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert_allclose(result, convolution(maps), atol=1e-12)
    odd = maps[..., :13, :17]
    assert_allclose(stem(odd), convolution(odd), atol=1e-12)


def test_norms_without_statistics_of_the_training_stay():
    network, batch = make_network()
    for part in network.modules():
        if type(part) is nn.BatchNorm2d:
            part.track_running_stats, part.running_mean, part.running_var = False, None, None
    with torch.inference_mode():
        result = prepared_for_prediction(network)(batch)
        assert_allclose(result, network(batch), rtol=1e-4, atol=1e-4)


def test_predictions_follow_the_weights():
    cube = make_facies_cube((3, 48, 64), n_facies=3, random_state=0)
    model = FaciesSegmenter(encoder_weights=None, max_epochs=1, random_state=0)
    model.fit(cube.data[:2], cube.target[:2])
    first = model.predict_proba(cube.data)
    with torch.no_grad():
        model.net_.module_.network.segmentation_head[0].bias.data[0] += 5
    assert model.predict_proba(cube.data)[..., 0].mean() > first[..., 0].mean() + 0.1


# --- networks that somebody has changed -----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # within torch.compile
def test_compiled_networks_are_left_alone(make_tiny, survey):
    compiled = make_tiny(net_params={"compile": True, "compile__backend": "eager"}, max_epochs=1)
    compiled.fit(survey.data, survey.target)
    network = compiled.net_.module_.eval()
    assert prepared_for_prediction(network) is network
    labels = compiled.predict(survey.data)
    again = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_array_equal(again.predict(survey.data), labels)


@pytest.mark.parametrize(
    "change",
    [
        nn.utils.parametrizations.weight_norm,
        nn.utils.spectral_norm,
        lambda part: part.register_forward_hook(lambda *args: None),
        lambda part: part.register_forward_pre_hook(lambda *args: None),
    ],
)
def test_changed_networks_are_left_alone(change):
    network, batch = make_network()
    change(network.network.decoder.blocks[2].conv2[0])
    assert prepared_for_prediction(network) is network
    assert torch.isfinite(network(batch)).all()
