"""Network, loss and augmentation by themselves."""

import copy
import pickle
import re

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from skfacies._nn import hardware, network
from skfacies._nn.callbacks import WarmupDecay
from skfacies._nn.data import BatchBuilder, Conditioner, pad_to_multiple
from skfacies._nn.hardware import choose_precision
from skfacies._nn.losses import LOSSES, FaciesLoss
from skfacies._nn.network import (
    FaciesNetwork,
    draws_random_numbers,
    load_encoder,
    seeded_torch,
    size_multiple,
)
from skfacies._nn.training import auto_epochs
from skfacies._sections.sections import IGNORED


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
    monkeypatch.setattr(hardware, "_has_bfloat16", lambda device_type: in_hardware)
    assert choose_precision("auto", "cpu") == expected
    assert choose_precision("float32", "cpu") == "float32"


def test_processors_without_bfloat16_are_recognized(monkeypatch):
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


# --- architectures and encoders -------------------------------------------------------------------

ARCHITECTURES = (
    ("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "PAN")
    + ("DeepLabV3", "DeepLabV3Plus", "UPerNet", "Segformer")
)  # fmt: skip

# Networks that timm keeps for tests: a hundredth of a ResNet-18.
TINY, TINY_VIT = "tu-test_resnet", "tu-test_vit"


@pytest.mark.parametrize(
    ("architecture", "encoder", "depth"),
    [(name, TINY, 5) for name in ARCHITECTURES]
    + [
        pytest.param(name, TINY, depth, marks=pytest.mark.slow)
        for name in ARCHITECTURES
        for depth in (3, 4)
    ]
    + [("DPT", TINY_VIT, depth) for depth in (3, 4)],
)
def test_every_architecture_trains_on_one_section_of_the_smallest_size(
    architecture, encoder, depth
):
    net = FaciesNetwork(architecture=architecture, encoder_name=encoder, encoder_depth=depth)
    for shape in ((32, 32), (64, 96)):
        x = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0))
        logits = net.train()(x)
        assert logits.shape == (1, 2, *shape)
        logits.square().mean().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)
    with torch.inference_mode():
        assert net.eval()(x).isfinite().all()


def test_all_architectures_are_tried():
    with pytest.raises(ValueError, match="`architecture` must be one of") as error:
        FaciesNetwork(architecture="VGG")
    known = re.search(r"\[(.*?)\]", str(error.value))[1].replace("'", "").split(", ")
    assert sorted([*ARCHITECTURES, "DPT"]) == known


@pytest.mark.parametrize(("encoder", "depth"), [("tu-test_convnext", 5), ("mobileone_s0", 4)])
def test_encoders_of_other_families(encoder, depth):
    net = FaciesNetwork(encoder_name=encoder, encoder_depth=depth, in_channels=2)
    x = torch.rand(1, 2, 32, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    logits = net.eval()(x)
    assert logits.shape == (1, 2, 32, 32)
    logits[:, 0].sum().backward()
    assert (x.grad.abs().sum(dim=(0, 2, 3)) > 0).all()  # both channels have a say


def test_encoders_for_one_size_are_freed_of_it():
    net = FaciesNetwork(
        encoder_name="tu-swin_tiny_patch4_window7_224",
        embed_dim=24,
        depths=(2, 2, 2, 2),
        num_heads=(1, 2, 4, 8),
    ).eval()
    x = torch.rand(1, 1, 64, 96, generator=torch.Generator().manual_seed(0), requires_grad=True)
    logits = net(x)
    assert logits.shape == (1, 2, 64, 96)
    logits[:, 0].sum().backward()
    assert (x.grad != 0).all()  # every sample has a say


def test_sections_are_padded_to_windows_of_attention():
    net = FaciesNetwork(encoder_name="tu-test_maxvit")
    assert size_multiple(net) == 160
    assert size_multiple(FaciesNetwork(encoder_name=TINY)) == 32


def test_small_sections_are_mirrored_for_decoders_that_need_more():
    net = FaciesNetwork(architecture="PAN", encoder_name=TINY).eval()
    assert (net.multiple, net.smallest) == (32, 128)
    x = torch.rand(1, 1, 32, 96, generator=torch.Generator().manual_seed(0))
    mirrored = torch.cat([x, x.flip(3)[..., :32]], 3)
    mirrored = torch.cat([mirrored, mirrored.flip(2), mirrored, mirrored.flip(2)], 2)
    with torch.inference_mode():
        assert_array_equal(net(x), net(mirrored)[..., :32, :96])


def test_batch_norm_takes_one_value_by_its_running_statistics():
    net = FaciesNetwork(encoder_name=TINY)
    one, several = torch.rand(1, 64, 1, 1), torch.rand(1, 64, 1, 2)
    norms = [part for part in net.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    norm = next(norm for norm in norms if norm.num_features == 64)
    plain = torch.nn.BatchNorm2d(64)
    assert_allclose(norm.train()(one).detach(), plain.eval()(one).detach(), rtol=1e-6)
    assert norm.training
    assert_array_equal(norm.running_mean, torch.zeros(64))
    assert_array_equal(norm(several).detach(), plain.train()(several).detach())
    assert_array_equal(norm.running_mean, plain.running_mean)


def test_networks_can_be_copied_and_pickled_with_the_weights_of_smp():
    net = FaciesNetwork(architecture="DeepLabV3", encoder_name=TINY)
    theirs = smp.DeepLabV3(TINY, encoder_weights=None, in_channels=1, classes=2)
    assert list(net.network.state_dict()) == list(theirs.state_dict())
    for copied in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        copied.train()(torch.zeros(1, 1, 32, 32)).sum().backward()


def test_building_draws_no_more_than_smp_and_leaves_the_statistics():
    with seeded_torch(0):
        net = FaciesNetwork(encoder_name=TINY)
    with seeded_torch(0):
        theirs = smp.Unet(TINY, encoder_weights=None, in_channels=1, classes=2)
    ours = net.network.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in theirs.state_dict().items())
    assert all(part.training for part in net.modules())


def test_convolutions_that_channels_last_breaks_are_kept_from_it():
    """Their gradient crashed the process, at sections of 256 traces."""
    for options in ({"encoder_name": "tu-gernet_s"}, {"encoder_name": "mobileone_s0"}):
        net = FaciesNetwork(**options, in_channels=2)
        strided = [p for p in net.modules() if isinstance(p, torch.nn.Conv2d) and p.stride[0] > 1]
        assert all(part.weight.is_contiguous() for part in strided)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "DPT"}, "tu-vit_tiny_patch16_224"),
        ({"architecture": "DPT", "encoder_name": TINY_VIT}, "Use encoder_depth=4: that works"),
        (
            {"encoder_name": TINY_VIT},
            "encoder_depth=5.*transformers go with DPT at encoder_depth=4",
        ),
        ({"encoder_name": "tu-test_vitt"}, "`encoder_name` must be.*Names like it: tu-test_vit, "),
        ({"encoder_name": "resnet19"}, "`encoder_name` must be.*Names like it: resnet18, "),
        ({"encoder_depth": 6}, "encoder_name='resnet18' at encoder_depth=6.*Use encoder_depth=5"),
        (
            {"architecture": "FPN", "encoder_name": "mit_b0", "encoder_depth": 4},
            "architecture='FPN' does not work.*Use encoder_depth=5: that works",
        ),
        (
            {"architecture": "PAN", "encoder_name": "densenet121"},
            "dilates the encoder.*Use a ResNet as `encoder_name`, or another `architecture`",
        ),
        ({"decoder_channels": 16}, r"must be 5 widths.*such as \(256, 128, 64, 32, 16\); got 16"),
        ({"decoder_channels": (16, 8)}, r"must be 5 widths.*got \(16, 8\)"),
        ({"decoder_channels": (16, 16, 16, 16, 0)}, "must be 5 widths"),
        ({"architecture": "PAN", "decoder_channels": (16, 8)}, "one width, an int such as 32; got"),
        (
            {"decoder_channels": (32, 32, 32, 32, 8), "decoder_attention_type": "scse"},
            "'scse' needs `decoder_channels` of at least 16",
        ),
        (
            {"architecture": "FPN", "upsampling": 2},
            r"it gives \(16, 16\) for an input of \(32, 32\).*Leave these options out of net_p",
        ),
        ({"classes": 3}, "`net_params` cannot set .'module__classes'"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_way_out(options, message):
    with pytest.raises(ValueError, match=message):
        FaciesNetwork(**{"encoder_name": "resnet18", **options})


@pytest.mark.parametrize(
    ("architecture", "depth", "widths"),
    [
        ("Unet", 5, (128, 64, 32, 16, 16)),
        ("unet", None, (128, 64, 32, 16, 16)),
        ("Unet", 3, (32, 16, 16)),
        ("Unet", 6, (128, 128, 64, 32, 16, 16)),
        ("FPN", 5, None),
        ("UnetPlusPlus", 5, None),
    ],
)
def test_widths_that_auto_stands_for(architecture, depth, widths):
    assert network.choose_widths(architecture, depth) == widths


def test_logits_of_another_size_are_refused():
    net = FaciesNetwork(encoder_name=TINY, architecture="FPN")
    net.network.segmentation_head[1] = torch.nn.Identity()
    with pytest.raises(ValueError, match=r"logits of \(8, 8\) for sections padded to \(32, 32\)"):
        net(torch.zeros(1, 1, 32, 32))


@pytest.mark.parametrize("depth", [3, 5])
@pytest.mark.parametrize("in_channels", [1, 2])
@pytest.mark.parametrize("encoder", ["mobilenet_v2", "mobileone_s0", "mit_b0"])
def test_pretrained_weights_take_other_channels_as_in_smp(encoder, in_channels, depth):
    with seeded_torch(5):
        expected = smp.encoders.get_encoder(encoder, in_channels=3, depth=depth)
    state = copy.deepcopy(expected.state_dict())
    expected.set_in_channels(in_channels, pretrained=True)
    net = FaciesNetwork(encoder_name=encoder, in_channels=in_channels, encoder_depth=depth)
    load_encoder(net, encoder, state)
    loaded = net.network.encoder.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in expected.state_dict().items())


@pytest.mark.parametrize("in_channels", [1, 2])
@pytest.mark.parametrize(
    ("encoder", "architecture", "depth"),
    [(TINY, "Unet", 5), ("tu-test_convnext", "FPN", 5), (TINY, "Unet", 3), (TINY_VIT, "DPT", 4)],
)
def test_pretrained_weights_as_timm_saves_them(encoder, architecture, depth, in_channels):
    """With a classifier, levels that are not used, and names that its feature encoders flatten."""
    state = timm.create_model(encoder.removeprefix("tu-")).state_dict()
    net = FaciesNetwork(
        architecture=architecture,
        encoder_name=encoder,
        encoder_depth=depth,
        in_channels=in_channels,
    )
    load_encoder(net, encoder, state)
    first = next(p for p in net.network.encoder.parameters() if p.ndim == 4)
    colors = next(value for value in state.values() if value.ndim == 4)
    expected = colors.sum(1) if in_channels == 1 else 1.5 * colors[:, :2].sum(1)
    assert_allclose(first.detach().sum(1), expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="`encoder_weights` do not fit encoder_name="):
        load_encoder(net, encoder, {"conv1.weight": colors})


def test_chance_in_functions_is_noticed():
    """EfficientNet drops paths without a module for it."""
    net = FaciesNetwork(encoder_name="efficientnet-b0", encoder_depth=3)
    assert draws_random_numbers(net)
    assert not draws_random_numbers(FaciesNetwork())


# --- loss -----------------------------------------------------------------------------------------


def test_cross_entropy_is_torchs_on_logits(logits, codes):
    assert_allclose(FaciesLoss()(logits, codes), functional.cross_entropy(logits, codes))


def test_class_and_sample_weights_give_the_weighted_mean(logits, codes):
    class_weight = torch.tensor([1.0, 2.0, 0.5, 3.0])
    weights = torch.rand(codes.shape, generator=torch.Generator().manual_seed(2))
    each = functional.cross_entropy(logits, codes, reduction="none")
    total = class_weight[codes] * weights
    criterion = FaciesLoss(class_weight=class_weight, mean_weight=float(total.mean()))
    loss = criterion(logits, {"codes": codes, "weights": weights})
    assert_allclose(loss, (each * total).sum() / total.sum(), rtol=1e-5)
    only_classes = FaciesLoss(
        class_weight=class_weight, mean_weight=float(class_weight[codes].mean())
    )
    expected = functional.cross_entropy(logits, codes, weight=class_weight)
    assert_allclose(only_classes(logits, codes), expected, rtol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_smoothed_labels_are_spread_over_the_classes(logits, codes, weighted):
    codes = codes.clone()
    codes[0, :2] = IGNORED
    counted = codes != IGNORED
    certain = torch.zeros(logits.shape)
    certain.scatter_(1, codes.clamp_min(0)[:, None], 1.0)
    each = -((0.8 * certain + 0.2 / 4) * logits.log_softmax(1)).sum(1)
    target = {"codes": codes, "weights": torch.ones(codes.shape)} if weighted else codes
    loss = FaciesLoss(label_smoothing=0.2)(logits, target)
    assert_allclose(loss, each[counted].mean(), rtol=1e-5)


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
        (np.ones((1, t, s), np.float32), np.zeros((t, s), int), None, None)
        for t, s in ((3, 5), (40, 2))
    ]
    channels, codes = BatchBuilder(32)(items)
    assert channels.shape == (2, 1, 64, 32)
    assert codes.shape == (2, 64, 32)
    assert_array_equal((codes != IGNORED).sum((1, 2)), [15, 80])
    assert (channels == 1).all()


def test_depth_channel_is_the_position_in_the_whole_section():
    conditioner = Conditioner(None, depth_range=101)
    whole, *_ = conditioner(np.zeros((3, 101)))
    crop, *_ = conditioner(np.zeros((3, 20)), first_sample=40)
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
    """Work in batches and in samples, whatever the size of the data."""
    assert auto_epochs(1, 100) == (250, 1.0)
    epochs, share = auto_epochs(8, 1.4e6)  # nine F3 lines
    assert (epochs, share) == (140, 1.0)
    work = []
    for n_batches, n_pixels in ((8, 1.4e6), (60, 13e6), (300, 4e7), (1000, 1.4e8), (10**5, 10**10)):
        epochs, share = auto_epochs(n_batches, n_pixels)
        work.append(epochs * share * n_pixels)
        assert epochs >= 10
        assert 0 < share <= 1
    assert max(work) <= 1.01 * 1.95e8
    assert min(work) >= 0.9 * 1.95e8
    epochs, share = auto_epochs(10_000, 2e7)  # many small ones
    assert epochs * share * 10_000 == pytest.approx(7000)


@pytest.mark.parametrize(
    ("n_batches", "n_pixels"), [(1, 100), (8, 1.4e6), (100, 3e7), (10_000, 2e7)]
)
def test_a_part_of_the_effort_is_a_part_of_the_passes(n_batches, n_pixels):
    whole, part = (np.prod(auto_epochs(n_batches, n_pixels, effort)) for effort in (1.0, 0.17))
    assert 0.15 * whole < part < 0.21 * whole


# --- classes that are not found yet ---------------------------------------------------------------


def loss_of(logits, codes, **options):
    return FaciesLoss(**options)(logits, codes)


def test_a_rare_class_counts_more_until_it_is_found():
    """Class 1 is given a probability of 0 at first, and then of 1."""
    codes = torch.ones(1, 8, 8, dtype=torch.int64)
    codes[:, :, 4:] = 0
    sure = 20 * functional.one_hot(codes, 2).permute(0, 3, 1, 2).float()
    lost = torch.zeros_like(sure)
    lost[:, 0] = 20.0
    criterion = FaciesLoss(rarity=torch.tensor([1.0, 5.0]))
    first = float(criterion(lost, codes))
    torch.testing.assert_close(first, 5 * float(loss_of(lost, codes)))
    for _ in range(200):
        criterion(sure, codes)
    last = float(criterion(lost, codes))
    factor = 1 + 4 * 0.05  # this batch alone is lost
    torch.testing.assert_close(last, factor * float(loss_of(lost, codes)), rtol=0.02, atol=0)


def test_classes_that_are_absent_keep_their_factors():
    criterion = FaciesLoss(rarity=torch.tensor([1.0, 5.0]))
    logits, codes = torch.zeros(1, 2, 8, 8), torch.zeros(1, 8, 8, dtype=torch.int64)
    for _ in range(50):
        criterion(logits, codes)
    codes[:] = 1
    factor = 1 + 4 * (1 - 0.5)
    torch.testing.assert_close(criterion(logits, codes), factor * loss_of(logits, codes))


def test_rarity_counts_in_training_only_and_beside_weights_of_samples():
    logits, codes = torch.randn(1, 3, 8, 8), torch.randint(0, 3, (1, 8, 8))
    codes[0, 0, 0] = IGNORED
    weights = torch.rand(1, 8, 8)
    target = {"codes": codes, "weights": weights}
    rarity = torch.tensor([1.0, 2.0, 4.0])
    criterion = FaciesLoss(rarity=rarity).eval()
    torch.testing.assert_close(criterion(logits, codes), loss_of(logits, codes))
    given = torch.softmax(logits[..., ::4, ::4], dim=1)
    seen = codes[..., ::4, ::4]
    found = [float(given[:, k][seen == k].mean()) if (seen == k).any() else 0.0 for k in range(3)]
    factors = 1 + (rarity - 1) * (1 - torch.tensor(found))
    losses = functional.cross_entropy(logits, codes, reduction="none", ignore_index=IGNORED)
    counted = codes != IGNORED
    expected = (losses * factors[codes.clamp_min(0)] * weights)[counted].sum() / counted.sum()
    torch.testing.assert_close(criterion.train()(logits, target), expected)
