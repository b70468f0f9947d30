"""Random changes of training batches."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skfacies._nn.augmentation import AUGMENTATION, Augmentation, check_augmentation
from skfacies._sections.sections import IGNORED

#: A strength that can be seen in sections of 64 samples.
MOVES = {"stretch": 0.1, "shift": 5.0, "dip": 5.0, "warp": 5.0}


def make(seed=0, **strengths):
    return Augmentation(torch.Generator().manual_seed(seed), **strengths)


@pytest.fixture
def layers():
    """Amplitudes that tell their unit, in eight flat units of eight samples."""
    codes = (torch.arange(64) // 8).expand(4, 32, 64).contiguous()
    return codes[:, None].float(), codes


def test_without_strengths_nothing_changes(layers):
    channels, codes = layers
    changed, labels, weights = make()(channels, codes, codes.float())
    assert_array_equal(changed, channels)
    assert_array_equal(labels, codes)
    assert_array_equal(weights, codes)


def test_flips_turn_amplitudes_labels_and_weights_alike():
    values = torch.arange(24.0).reshape(1, 1, 4, 6)
    channels, codes, weights = make(flip=1.0)(values, values[0].long(), values[0])
    for result in (channels[0, 0], codes[0], weights[0]):
        assert_array_equal(result, values[0, 0].flip(0))


@pytest.mark.parametrize("move", MOVES)
def test_labels_and_weights_move_with_the_amplitudes(layers, move):
    channels, codes = layers
    changed, labels, weights = make(**{move: MOVES[move]})(channels, codes, codes.float() + 1)
    counted = labels != IGNORED
    assert counted.float().mean() > 0.7
    assert (labels != codes)[counted].any() or move == "stretch"
    assert_array_equal(weights[counted], labels[counted] + 1)
    assert (weights[~counted] == 0).all()
    # Between two units amplitudes are interpolated, labels are not.
    assert ((changed[:, 0] - labels).abs()[counted] <= 0.51).all()


@pytest.mark.parametrize("move", MOVES)
def test_units_stay_in_order(layers, move):
    _, labels = make(**{move: MOVES[move]})(*layers)
    for trace in labels.reshape(-1, labels.shape[-1]):
        assert (trace[trace != IGNORED].diff() >= 0).all()


def test_what_comes_from_above_or_below_the_section_has_no_label(layers):
    channels, codes = layers
    changed, labels = make(shift=5.0)(channels, codes)
    n_ignored = (labels == IGNORED).sum(-1)
    assert 1 < n_ignored.max() <= 5
    assert_array_equal(n_ignored.amin(1), n_ignored.amax(1))  # traces of a section move together
    assert changed.isfinite().all()


@pytest.mark.parametrize("name", [name for name in AUGMENTATION if name != "flip"])
def test_ignored_samples_stay_ignored_and_amplitudes_finite(layers, name):
    channels, codes = layers
    _, labels = make(**{name: 0.5})(channels, torch.full_like(codes, IGNORED))
    assert (labels == IGNORED).all()


def test_a_dip_shifts_the_outer_traces_against_each_other(layers):
    channels, codes = layers
    _, labels = make(dip=5.0)(channels, codes)
    top = (labels == 4).float().argmax(-1)
    slopes = top[:, -1] - top[:, 0]
    assert slopes.abs().max() >= 4
    assert_allclose(top[:, 16], 32, atol=2)  # the middle stays


@pytest.mark.parametrize("move", ["shift", "dip", "warp"])
def test_displacements_are_at_most_a_twelfth_of_the_height(move):
    depth = torch.arange(96.0).expand(16, 1, 32, 96)
    changed, _ = make(**{move: 1000.0})(depth, torch.zeros(16, 32, 96).long())
    away = (changed - depth)[..., 16:-16].abs()
    assert 4 < away.max() < 1.3 * 96 / 12  # bicubic folds overshoot their knots


@pytest.mark.parametrize("strengths", [AUGMENTATION, dict.fromkeys(AUGMENTATION, 0.1)])
def test_sections_are_never_upside_down(strengths):
    depth = torch.arange(50.0).expand(8, 1, 4, 50) * 10
    augment = make(**strengths | {"polarity": 0.0, "frequency": 0.0})
    for _ in range(5):
        channels, _ = augment(depth, torch.zeros(8, 4, 50).long())
        assert (channels[..., 25:].mean(-1) > channels[..., :25].mean(-1)).all()


@pytest.mark.parametrize("name", ["gain", "noise", "frequency", "cutout", "polarity"])
def test_changes_of_amplitude_leave_labels_and_input_alone(name):
    channels = torch.randn(8, 1, 32, 64, generator=torch.Generator().manual_seed(1))
    before, codes = channels.clone(), torch.zeros(8, 32, 64).long()
    changed, labels = make(**{name: 0.5})(channels, codes)
    assert labels is codes
    assert_array_equal(channels, before)
    assert not torch.equal(changed, channels)


def test_positions_stay_where_they_are():
    channels = torch.ones(4, 2, 8, 8)
    channels[:, 1] = torch.linspace(-1, 1, 8)
    strengths = dict.fromkeys(AUGMENTATION, 0.5)
    changed, _ = make(**strengths)(channels, torch.zeros(4, 8, 8).long())
    assert_array_equal(changed[:, 1], channels[:, 1])
    assert not (changed[:, 0] == 1).all()


def test_a_fade_makes_parts_of_sections_brighter_than_others():
    ones = torch.ones(6, 1, 64, 128)
    faded, _ = make(fade=0.8)(ones, torch.zeros(6, 64, 128, dtype=torch.long))
    change = faded[:, 0].log()
    spread = change.amax(dim=(1, 2)) - change.amin(dim=(1, 2))
    assert 0.5 < spread.max() < 2 * 0.8 * 1.3  # a cubic overshoots its knots
    assert change.abs().max() > 3 * change.mean(dim=(1, 2)).abs().median()
    # Smooth: neighbors differ by far less than ends.
    assert change.diff(dim=1).abs().max() < 0.1
    assert change.diff(dim=2).abs().max() < 0.1
    assert len({round(float(x), 5) for x in spread}) == 6  # each item has a field of its own


def test_the_spectrum_is_tilted_and_the_energy_kept():
    channels = torch.randn(6, 1, 64, 256, generator=torch.Generator().manual_seed(1))
    changed, _ = make(frequency=1.0)(channels, torch.zeros(6, 64, 256).long())
    assert_allclose(changed.square().mean((1, 2, 3)), channels.square().mean((1, 2, 3)), rtol=1e-4)
    power = torch.fft.rfft(changed).abs().square().mean((1, 2))
    ratio = power[:, 100:].mean(1) / power[:, 8:30].mean(1)
    assert ratio.max() > 1.5
    assert ratio.min() < 1 / 1.5


def test_a_cutout_is_one_rectangle_of_zeros():
    channels = torch.ones(16, 1, 32, 64)
    changed, _ = make(cutout=0.5)(channels, torch.zeros(16, 32, 64).long())
    for section in changed[:, 0] == 0:
        rows, columns = np.flatnonzero(section.any(1)), np.flatnonzero(section.any(0))
        assert len(rows) <= 16
        assert len(columns) <= 32
        assert section.sum() == len(rows) * len(columns)


@pytest.mark.parametrize("name", ["flip", "polarity", "cutout"])
def test_parts_and_probabilities_are_at_most_one(name):
    check_augmentation({name: 1})
    with pytest.raises(ValueError, match=rf"`augment`\['{name}'\] must be from 0 to 1; got 1.5"):
        check_augmentation({name: 1.5})


@pytest.mark.parametrize("strength", [-0.1, np.inf, np.nan, "0.5", None])
@pytest.mark.parametrize("name", ["flip", "gain", "stretch"])
def test_bad_strengths_are_refused(name, strength):
    with pytest.raises(ValueError, match=rf"`augment`\['{name}'\] must be"):
        check_augmentation({name: strength})


def test_unknown_keys_are_refused():
    with pytest.raises(ValueError, match="unknown keys"):
        check_augmentation({"flp": 0.5})
