"""What FaciesSegmenter learns, and that it keeps scikit-learn's manners."""

import copy
import types

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from segmentation_models_pytorch.encoders import get_encoder
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EarlyStopping
from stand_ins import Interrupt

from skfacies import AmplitudeScaler, FaciesSegmenter
from skfacies._nn import hardware
from skfacies._nn.callbacks import ProgressBar
from skfacies.metrics import iou_score, iou_scorer


def weights_of(segmenter):
    return {k: v.cpu().numpy() for k, v in segmenter.net_.module_.state_dict().items()}


def assert_same_weights(one, other):
    ours, theirs = weights_of(one), weights_of(other)
    for name, values in ours.items():
        assert_array_equal(values, theirs[name], err_msg=name)


# --- learning ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_learns_layers_with_the_default_network():
    """Sections of three flat layers that differ in texture only, at any depth."""
    rng = np.random.RandomState(0)
    y = np.zeros((12, 64, 64), dtype=np.int8)
    for i in range(12):
        first, second = sorted(rng.choice(np.arange(8, 56), 2, replace=False))
        y[i, :, first:] = 1
        y[i, :, second:] = 2
    X = np.where(y == 1, 0.2, np.where(y == 2, 3.0, 1.0)) * rng.normal(size=y.shape)
    segmenter = FaciesSegmenter(
        encoder_weights=None, max_epochs=15, batch_size=4, validation_fraction=0, random_state=0
    )
    segmenter.fit(X[:10], y[:10])
    assert segmenter.score(X[10:], y[10:]) > 0.8
    rows = [row["train_loss"] for row in segmenter.history_]
    assert rows[-1] < 0.5 * rows[0]


def test_score_is_mean_iou_and_beats_depth_alone(fitted, survey):
    score = fitted.score(survey.data, survey.target)
    assert score == iou_score(survey.target, fitted.predict(survey.data))
    by_depth = np.broadcast_to(np.median(survey.target, axis=(0, 1)), survey.target.shape)
    assert score > iou_score(survey.target, by_depth.astype(np.int8)) + 0.05


def test_probabilities_sum_to_one_over_classes(fitted, survey):
    """Softmax over the wrong axis would pass unseen: labels would still come out."""
    probabilities = fitted.predict_proba(survey.data[:2])
    assert probabilities.shape == (*survey.data[:2].shape, 3)
    assert probabilities.dtype == np.float32
    assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
    probable = fitted.classes_[probabilities.argmax(-1)]
    stacked = (np.diff(probable, axis=-1) >= 0).all(-1)  # others are put in order
    assert stacked.mean() > 0.9
    assert_array_equal(probable[stacked], fitted.predict(survey.data[:2])[stacked])


def test_network_returns_logits(fitted):
    logits = fitted.net_.module_(torch.zeros(1, 1, 32, 32))
    assert logits.shape == (1, 3, 32, 32)
    assert not torch.allclose(logits.sum(1), torch.ones(1, 32, 32))


def test_fitted_attributes(fitted, survey):
    assert_array_equal(fitted.classes_, [0, 1, 2])
    assert fitted.classes_.dtype == survey.target.dtype
    assert fitted.n_iter_ == len(fitted.history_) == 20
    assert fitted.encoder_weights_ is None
    assert (fitted.device_, fitted.precision_) == ("cpu", "float32")
    assert {"train_loss", "valid_loss", "valid_miou", "lr", "dur"} <= set(fitted.history_[-1])
    assert fitted.scaler_.scale_ > 0


def test_processors_without_bfloat16_predict_as_float32_does(monkeypatch, make_tiny, survey):
    monkeypatch.setattr(hardware, "_has_bfloat16", lambda device_type: False)
    automatic, exact = (
        make_tiny(precision=precision, device="cpu", max_epochs=2).fit(survey.data, survey.target)
        for precision in ("auto", "float32")
    )
    assert automatic.precision_ == "float32"
    assert_array_equal(automatic.predict(survey.data), exact.predict(survey.data))
    for name, weight in exact.net_.module_.state_dict().items():
        assert_array_equal(automatic.net_.module_.state_dict()[name], weight)


def test_learning_rate_warms_up_and_decays(fitted):
    rates = [row["lr"] for row in fitted.history_]
    assert max(rates) <= 3e-3
    assert rates[-1] < 0.1 * max(rates)


class Worse(Callback):
    """Say that each epoch's loss is larger than the one before."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("valid_loss", float(len(net.history)))


@pytest.mark.parametrize(
    ("net_params", "rates"),
    [
        ({"patience": 1, "factor": 0.1}, [1e-3] * 3 + [1e-4] * 2 + [1e-5]),
        ({"patience": 3}, [1e-3] * 5 + [5e-4]),
        ({}, [1e-3] * 6),
    ],
)
def test_a_plateau_of_the_validation_loss_reduces_the_learning_rate(
    make_tiny, survey, net_params, rates
):
    segmenter = make_tiny(
        max_epochs=6,
        lr=1e-3,
        lr_schedule="constant",
        callbacks=[("worse", Worse())],
        net_params={f"callbacks__lr_plateau__{k}": v for k, v in net_params.items()},
    )
    segmenter.fit(survey.data, survey.target)
    np.testing.assert_allclose([row["lr"] for row in segmenter.history_], rates)


# --- what is held out ---------------------------------------------------------------------------


class Spy(Callback):
    """Keep what the net is trained and validated on."""

    seen = []

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        runs = [
            None if d is None else sorted((run.section, run.start, run.stop) for run in d.items)
            for d in (dataset_train, dataset_valid)
        ]
        Spy.seen.append(runs)


def test_validation_block_is_contiguous_and_apart_from_training(make_tiny, survey):
    Spy.seen.clear()
    make_tiny(callbacks=[("spy", Spy())], validation_fraction=0.25).fit(survey.data, survey.target)
    train, valid = ([section for section, *_ in part] for part in Spy.seen[0])
    assert len(valid) == 3
    assert valid == list(range(valid[0], valid[0] + 3))
    assert sorted(train + valid) == list(range(12))


def test_nothing_of_the_validation_block_reaches_the_model(make_tiny, survey):
    """A held-out section that is spoilt changes neither scale nor weights."""
    Spy.seen.clear()
    segmenter = make_tiny(callbacks=[("spy", Spy())], validation_fraction=0.1)
    segmenter.fit(survey.data, survey.target)
    ((held, *_),) = Spy.seen[0][1]
    spoilt = survey.data.copy()
    spoilt[held] *= 1000
    again = clone(segmenter).fit(spoilt, survey.target)
    assert segmenter.scaler_.scale_ == again.scaler_.scale_
    assert_same_weights(segmenter, again)


def test_validation_data_is_watched_instead_of_a_block(make_tiny, survey):
    Spy.seen.clear()
    segmenter = make_tiny(callbacks=[("spy", Spy())])
    segmenter.fit(
        survey.data[:8],
        survey.target[:8],
        validation_data=(survey.data[10:], survey.target[10:]),
    )
    train, valid = Spy.seen[0]
    assert [section for section, *_ in train] == list(range(8))
    assert [section for section, *_ in valid] == [0, 1]
    assert segmenter.history_[0]["valid_loss"] > 0


def test_a_block_is_held_out_by_default(make_tiny, survey):
    Spy.seen.clear()
    segmenter = make_tiny(callbacks=[("spy", Spy())], max_epochs=2).fit(survey.data, survey.target)
    assert len(Spy.seen[0][1]) == 1
    assert 0 <= segmenter.history_[-1]["valid_miou"] <= 1


def test_without_validation_the_training_loss_is_watched(make_tiny, survey):
    segmenter = make_tiny(validation_fraction=0, max_epochs=2).fit(survey.data, survey.target)
    assert "valid_loss" not in segmenter.history_[0]


def test_the_last_weights_are_kept_where_training_does_not_stop_early(make_tiny, survey):
    """The held-out block would choose an epoch of its own."""
    params = {"validation_fraction": 0.2, "max_epochs": 6, "lr": 0.05, "lr_schedule": "constant"}
    weights = []

    class Keep(Callback):
        def on_epoch_end(self, net, **kwargs):
            weights.append(net.module_.state_dict()["network.segmentation_head.0.bias"].clone())

    segmenter = make_tiny(callbacks=[("keep", Keep())], **params).fit(survey.data, survey.target)
    kept = segmenter.net_.module_.state_dict()["network.segmentation_head.0.bias"]
    assert torch.equal(kept, weights[-1])
    assert not torch.equal(kept, weights[-2])
    assert not any("best" in row for row in segmenter.history_)


def test_best_weights_are_restored(make_tiny, survey, monkeypatch):
    """The model at the end has the loss of the best epoch, not of the last."""

    class Ruin(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 4:
                for group in net.optimizer_.param_groups:
                    group["lr"] = 0.3

    train, valid = slice(0, 8), slice(9, 12)
    segmenter = make_tiny(
        max_epochs=5,
        lr=3e-3,
        lr_schedule="constant",
        callbacks=[("ruin", Ruin())],
        batch_size=2,
        early_stopping=5,
        unit_order=None,
    )
    segmenter.fit(
        survey.data[train],
        survey.target[train],
        validation_data=(survey.data[valid], survey.target[valid]),
    )
    monkeypatch.setattr("skfacies._nn.inference.CONTEXT_TRACES", 0)  # as in validation
    losses = [row["valid_loss"] for row in segmenter.history_]
    assert np.argmin(losses) < 4
    probabilities = segmenter.predict_proba(survey.data[valid])
    truth = np.take_along_axis(probabilities, survey.target[valid][..., None].astype(int), -1)
    assert_allclose(-np.log(truth).mean(), min(losses), rtol=1e-3)


def test_early_stopping_ends_training(make_tiny, survey):
    segmenter = make_tiny(max_epochs=20, lr=1e-9, early_stopping=2, lr_schedule="constant")
    assert segmenter.fit(survey.data, survey.target).n_iter_ < 20


# --- labels and amplitudes of every kind -----------------------------------------------------


@pytest.fixture(scope="module")
def plain(make_tiny, survey):
    """The segmenter that has learned codes from float32 amplitudes; not to be changed."""
    return make_tiny().fit(survey.data, survey.target)


@pytest.mark.parametrize(
    "names",
    [
        np.array([10, 20, 25], dtype=np.int64),
        np.array([-7, -3, 4], dtype=np.int16),
        np.array([0, 100, 254], dtype=np.uint8),
        np.array(["chalk", "salt", "shale"]),
        np.array(["chalk", "salt", "shale"], dtype=object),
        np.array([1.0, 2.0, 5.0]),
    ],
    ids=lambda names: f"{names.dtype}",
)
def test_labels_come_back_in_their_type(make_tiny, survey, plain, names):
    y = names[survey.target]
    segmenter = make_tiny().fit(survey.data, y)
    predicted = segmenter.predict(survey.data[:2])
    assert_array_equal(segmenter.classes_, names)
    assert predicted.dtype == y.dtype
    assert_array_equal(predicted, names[plain.predict(survey.data[:2])])


def test_a_string_that_looks_like_the_ignore_label_is_named(make_tiny, survey):
    y = np.array(["-1", "salt", "shale"])[survey.target]
    with pytest.warns(UserWarning, match=r"class '-1', a string.*set ignore_label='-1'"):
        segmenter = make_tiny(max_epochs=1).fit(survey.data, y)
    assert "-1" in segmenter.classes_
    segmenter = make_tiny(max_epochs=1, ignore_label="-1").fit(survey.data, y)
    assert segmenter.classes_.tolist() == ["salt", "shale"]


def test_two_classes_as_booleans(make_tiny, survey):
    predicted = make_tiny().fit(survey.data, survey.target == 1).predict(survey.data[:1])
    assert predicted.dtype == bool


@pytest.mark.slow
def test_amplitudes_of_any_type(make_tiny, survey):
    rounded = np.round(survey.data * 20).clip(-128, 127).astype(np.float32)
    expected = make_tiny().fit(rounded, survey.target).predict(rounded)
    for dtype in (np.float16, np.float64, np.int16, np.int8, ">f4"):
        X = rounded.astype(dtype)
        assert_array_equal(make_tiny().fit(X, survey.target).predict(X), expected)


def test_torch_tensors_and_memmaps(make_tiny, survey, plain, tmp_path):
    np.save(tmp_path / "X.npy", survey.data)
    np.save(tmp_path / "y.npy", survey.target)
    X, y = (np.load(tmp_path / name, mmap_mode="r") for name in ("X.npy", "y.npy"))
    reference = plain.predict(survey.data)
    assert_array_equal(make_tiny().fit(X, y).predict(X), reference)
    X, y = torch.tensor(survey.data), torch.tensor(survey.target)
    predicted = make_tiny().fit(X, y).predict(X)
    assert isinstance(predicted, np.ndarray)
    assert_array_equal(predicted, reference)


def test_ragged_sections_train_together(make_tiny, survey):
    """Inlines and crosslines of one survey differ in size."""
    inlines, crosslines = survey.data[::3], survey.data.transpose(1, 0, 2)[::10]
    X = [*inlines, *crosslines]
    y = [*survey.target[::3], *survey.target.transpose(1, 0, 2)[::10]]
    predicted = make_tiny().fit(X, y).predict(X)
    assert isinstance(predicted, list)
    assert [labels.shape for labels in predicted] == [section.shape for section in X]


def test_list_in_gives_list_out(fitted, survey):
    as_list = fitted.predict(list(survey.data[:3]))
    assert isinstance(as_list, list)
    assert_array_equal(as_list, fitted.predict(survey.data[:3]))
    probabilities = fitted.predict_proba(list(survey.data[:3]))
    assert isinstance(probabilities, list)
    assert probabilities[0].shape == (40, 48, 3)


def test_unlabeled_samples_do_not_count(make_tiny, survey):
    """Whatever the amplitudes: what is ignored could as well have another label."""
    y = survey.target.copy()
    y[:, :10] = -1
    segmenter = make_tiny(validation_fraction=0).fit(survey.data, y)
    assert_array_equal(segmenter.classes_, [0, 1, 2])
    other = make_tiny(validation_fraction=0, ignore_label=77).fit(
        survey.data, np.where(y == -1, 77, y)
    )
    assert_same_weights(segmenter, other)
    assert -1 not in segmenter.predict(survey.data)


def test_ignored_uint8_labels(make_tiny, survey):
    y = survey.target.astype(np.uint8)
    y[:, 30:] = 255
    segmenter = make_tiny(ignore_label=255).fit(survey.data, y)
    assert_array_equal(segmenter.classes_, [0, 1, 2])
    assert segmenter.predict(survey.data).dtype == np.uint8


def test_no_ignore_label_makes_minus_one_a_class(make_tiny, survey):
    segmenter = make_tiny(ignore_label=None).fit(survey.data, survey.target - 1)
    assert_array_equal(segmenter.classes_, [-1, 0, 1])


def test_sections_without_labels_cost_no_training(make_tiny, survey):
    """Sparse interpretation: sections that are wholly ignored are not visited."""
    y = survey.target.copy()
    y[[0, 1, 4, 5, 6, 9]] = -1
    Spy.seen.clear()
    make_tiny(callbacks=[("spy", Spy())], validation_fraction=0).fit(survey.data, y)
    assert [section for section, *_ in Spy.seen[0][0]] == [2, 3, 7, 8, 10, 11]


@pytest.mark.slow
def test_batches_without_labels_are_harmless(make_tiny, survey):
    y = np.full_like(survey.target, -1)
    y[:, :2, :] = survey.target[:, :2, :]
    segmenter = make_tiny(batch_size=1, crop_size=(8, 32), max_epochs=2).fit(survey.data, y)
    assert all(np.isfinite(row["train_loss"]) for row in segmenter.history_)
    assert np.isfinite(segmenter.predict_proba(survey.data)).all()


def test_nan_samples_are_left_out_and_predicted_as_ignored(make_tiny, survey):
    X = survey.data.copy()
    X[:, 5:9] = np.nan
    segmenter = make_tiny(nan_policy="ignore", validation_fraction=0).fit(X, survey.target)
    ignored = survey.target.copy()
    ignored[:, 5:9] = -1
    filled = make_tiny(nan_policy="ignore", validation_fraction=0).fit(X, ignored)
    assert_same_weights(segmenter, filled)
    predicted = segmenter.predict(X)
    assert_array_equal(predicted == -1, np.isnan(X))
    assert_array_equal(np.isnan(segmenter.predict_proba(X)).all(-1), np.isnan(X))
    expected = iou_score(ignored, predicted)
    assert segmenter.score(X, survey.target) == expected
    assert iou_scorer(segmenter, X, survey.target) == expected


def test_nan_predictions_of_uint8_labels_can_hold_the_ignore_label(make_tiny, survey):
    X = survey.data.copy()
    X[0, 0, 0] = np.nan
    segmenter = make_tiny(nan_policy="ignore").fit(X, survey.target.astype(np.uint8))
    predicted = segmenter.predict(X)
    assert predicted[0, 0, 0] == -1
    assert predicted.dtype == np.int16


# --- weights --------------------------------------------------------------------------------


def test_balanced_class_weights_are_those_of_the_labeled_training_samples(make_tiny, survey):
    segmenter = make_tiny(class_weight="balanced", validation_fraction=0)
    segmenter.fit(survey.data, survey.target)
    counts = np.bincount(survey.target.ravel())
    assert_allclose(segmenter.net_.criterion_.class_weight, counts.sum() / (3 * counts), rtol=1e-6)


def test_dict_class_weights_are_keyed_by_label(make_tiny, survey):
    names = np.array(["a", "b", "c"])
    segmenter = make_tiny(class_weight={"b": 5.0}).fit(survey.data, names[survey.target])
    assert_array_equal(segmenter.net_.criterion_.class_weight, [1, 5, 1])


def test_section_weights_equal_sample_weights(make_tiny, survey):
    weights = np.arange(1.0, 13.0)
    by_section = make_tiny().fit(survey.data, survey.target, sample_weight=weights)
    full = np.broadcast_to(weights[:, None, None], survey.data.shape)
    by_sample = make_tiny().fit(survey.data, survey.target, sample_weight=full)
    assert_same_weights(by_section, by_sample)


def test_samples_of_weight_zero_are_as_good_as_ignored(make_tiny, survey):
    weights = np.ones(survey.data.shape)
    weights[:, :, 40:] = 0
    y = survey.target.copy()
    y[:, :, 40:] = -1
    params = {"validation_fraction": 0, "class_weight": {0: 1.0}}
    weighted = make_tiny(**params).fit(survey.data, survey.target, sample_weight=weights)
    ignored = make_tiny(**params).fit(survey.data, y)
    for name, values in weights_of(weighted).items():
        assert_allclose(values, weights_of(ignored)[name], atol=2e-4, err_msg=name)


def test_weights_of_samples_change_the_model(make_tiny, survey):
    weights = np.where(survey.target == 2, 1000.0, 1.0)
    params = {"max_epochs": 4, "lr": 3e-3}
    plain = make_tiny(**params).fit(survey.data, survey.target)
    weighted = make_tiny(**params).fit(survey.data, survey.target, sample_weight=weights)
    share = [(model.predict(survey.data) == 2).mean() for model in (plain, weighted)]
    assert share[1] > share[0]


# --- interruption -----------------------------------------------------------------------------


def test_interrupted_training_keeps_the_epochs_so_far(make_tiny, survey):
    params = {"lr_schedule": "constant", "validation_fraction": 0}
    segmenter = make_tiny(max_epochs=9, callbacks=[("ctrl-c", Interrupt(3))], **params)
    segmenter.fit(survey.data, survey.target)
    assert segmenter.n_iter_ == len(segmenter.history_) == 2
    assert all("train_loss" in row for row in segmenter.history_)
    assert segmenter.predict(survey.data[:2]).shape == survey.data[:2].shape


def test_training_interrupted_at_once_leaves_nothing(make_tiny, survey):
    segmenter = make_tiny(callbacks=[("ctrl-c", Interrupt(1))])
    with pytest.raises(KeyboardInterrupt, match="first epoch"):
        segmenter.fit(survey.data, survey.target)
    assert not hasattr(segmenter, "net_")


# --- independence -----------------------------------------------------------------------------


def test_prediction_is_independent_of_companions(fitted, survey):
    wide = np.concatenate([survey.data[1], survey.data[2]])
    alone = [fitted.predict_proba(section[None])[0] for section in (survey.data[0], wide)]
    together = fitted.predict_proba([survey.data[0], wide, survey.data[3], wide])
    for one, other in zip(alone, together, strict=False):
        assert_allclose(one, other, atol=2e-6)


def test_prediction_is_independent_of_batches(fitted, survey, monkeypatch):
    whole = fitted.predict_proba(survey.data)
    monkeypatch.setattr("skfacies._nn.inference.BATCH_PIXELS", 1)
    assert_allclose(fitted.predict_proba(survey.data), whole, atol=2e-6)


def test_sections_are_predicted_between_mirrored_traces(fitted, survey):
    """What the network sees of a section of 32 traces: 16 mirrored ones on either side."""
    section = survey.data[0, :32, :32]
    seen = np.concatenate([section[15::-1], section, section[:15:-1]])
    scaled = fitted.scaler_.transform(seen[None])
    with torch.inference_mode():
        logits = fitted.net_.module_(torch.from_numpy(scaled)[:, None])[:, :, 16:48]
    expected = torch.softmax(logits, 1)[0].permute(1, 2, 0).numpy()
    unordered = copy.deepcopy(fitted).set_params(unit_order=None)
    assert_allclose(unordered.predict_proba(section[None])[0], expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 48), (33, 31), (70, 5), (64, 64)])
def test_sections_of_any_size(fitted, shape):
    X = np.random.RandomState(0).normal(size=(2, *shape))
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (2, *shape, 3)
    assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
    assert_allclose(fitted.predict_proba(X[1:])[0], probabilities[1], atol=2e-6)


def test_mirrored_sections_are_predicted_mirrored_with_tta(fitted, survey):
    """Averaging over lateral flips makes prediction symmetric, where no padding interferes."""
    segmenter = copy.deepcopy(fitted).set_params(tta=True)
    X = survey.data[:2, :32, :32]
    mirrored = segmenter.predict_proba(X[:, ::-1])[:, ::-1]
    assert_allclose(segmenter.predict_proba(X), mirrored, atol=1e-5)
    assert not np.allclose(fitted.predict_proba(X), fitted.predict_proba(X[:, ::-1])[:, ::-1])


# --- parameters ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_depth_channel_tells_equal_textures_apart(make_tiny):
    """White noise at all depths: only position says which of two layers it is."""
    X, unseen = np.random.RandomState(0).normal(size=(2, 8, 32, 64))
    y = np.broadcast_to((np.arange(64) >= 32).astype(int), X.shape)
    params = {"max_epochs": 16, "lr": 1e-2, "validation_fraction": 0, "crop_size": (32, 32)}
    segmenter = make_tiny(depth_channel=True, **params).fit(X, y)
    assert next(iter(weights_of(segmenter).values())).shape[1] == 2  # channels of the first layer
    assert segmenter.score(unseen, y) > 0.8
    assert make_tiny(**params).fit(X, y).score(unseen, y) < 0.6


def test_crops_cover_a_section_about_once(make_tiny, survey):
    Spy.seen.clear()
    make_tiny(callbacks=[("spy", Spy())], crop_size=(20, 24), validation_fraction=0).fit(
        survey.data, survey.target
    )
    assert len(Spy.seen[0][0]) == 12 * 4


@pytest.mark.parametrize("architecture", ["FPN", "unetplusplus", "Linknet", "DeepLabV3Plus"])
def test_decoders_by_name(make_tiny, survey, architecture):
    segmenter = make_tiny(
        architecture=architecture, encoder_depth=5, decoder_channels="auto", batch_size=6
    )
    predicted = segmenter.fit(survey.data, survey.target).predict(survey.data[:1])
    assert predicted.shape == (1, 40, 48)
    again = clone(segmenter).fit(survey.data, survey.target)
    assert_same_weights(segmenter, again)  # some have dropout: its draws are seeded too


@pytest.mark.parametrize("encoder_name", ["mobilenet_v2", "tu-resnet10t", "mit_b0"])
def test_encoders_by_name(survey, encoder_name):
    segmenter = FaciesSegmenter(
        encoder_name=encoder_name, encoder_weights=None, max_epochs=1, batch_size=6, random_state=0
    )
    segmenter.fit(survey.data, survey.target)
    theirs = get_encoder(encoder_name, in_channels=1, weights=None).state_dict()
    ours = segmenter.net_.module_.network.encoder.state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
    assert segmenter.predict(survey.data[:1]).shape == (1, 40, 48)


@pytest.mark.parametrize("loss", ["dice", "focal", "lovasz"])
def test_losses_by_name(make_tiny, survey, loss):
    segmenter = make_tiny(loss=loss, max_epochs=6, lr=3e-3, validation_fraction=0)
    losses = [row["train_loss"] for row in segmenter.fit(survey.data, survey.target).history_]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("net_params", "betas"),
    [(None, (0.9, 0.95)), ({"optimizer__betas": (0.8, 0.99)}, (0.8, 0.99))],
)
def test_adamw_remembers_squared_gradients_for_a_small_part_of_a_fit(
    make_tiny, survey, net_params, betas
):
    segmenter = make_tiny(max_epochs=1, net_params=net_params).fit(survey.data, survey.target)
    assert type(segmenter.net_.optimizer_) is torch.optim.AdamW
    assert segmenter.net_.optimizer_.param_groups[0]["betas"] == betas


def test_net_params_have_the_last_word(make_tiny, survey):
    segmenter = make_tiny(
        decoder_channels=(16, 16, 16),
        net_params={
            "optimizer": torch.optim.SGD,
            "optimizer__momentum": 0.5,
            "module__decoder_attention_type": "scse",
        },
    )
    segmenter.fit(survey.data, survey.target)
    assert type(segmenter.net_.optimizer_) is torch.optim.SGD
    assert segmenter.net_.optimizer_.param_groups[0]["momentum"] == 0.5
    assert any("attention" in name for name in weights_of(segmenter))


def test_callbacks_are_copied(make_tiny, survey):
    """skorch changes the instances it is given, and a parameter must stay as it was."""
    mine = EarlyStopping(patience=7)
    before = dict(vars(mine))
    segmenter = make_tiny(callbacks=[("mine", mine)]).fit(survey.data, survey.target)
    assert vars(mine) == before
    assert segmenter.callbacks[0][1] is mine
    assert "mine" in dict(segmenter.net_.callbacks_)


def test_automatic_epochs_suit_the_data(make_tiny, survey, monkeypatch):
    given = []
    plan = lambda *sizes: given.append(sizes) or (2, 1.0)  # noqa: E731
    monkeypatch.setattr("skfacies._estimators.fitting.auto_epochs", plan)
    monkeypatch.setattr("skfacies._estimators.evidence.LEAST_RECALL", 0)  # all are learned
    segmenter = make_tiny(max_epochs="auto", batch_size=4, validation_fraction=0)
    assert segmenter.fit(survey.data, survey.target).n_iter_ == 2
    assert given == [(3, survey.data.size, 1.0)]


def test_epochs_of_many_sections_take_a_part_at_random(make_tiny, survey, monkeypatch):
    class Sections(Callback):
        seen = []

        def on_epoch_begin(self, net, **kwargs):
            self.seen.append(set())

        def on_batch_end(self, net, batch=None, training=False, **kwargs):
            if training:
                self.seen[-1].update(float(first) for first in batch[0][:, 0, 0, 0])

    monkeypatch.setattr("skfacies._estimators.fitting.auto_epochs", lambda *sizes: (6, 0.25))
    monkeypatch.setattr("skfacies._estimators.evidence.LEAST_RECALL", 0)  # all are learned
    segmenter = make_tiny(
        max_epochs="auto",
        validation_fraction=0,
        augment=False,
        crop_size=None,
        callbacks=[("sections", Sections())],
    )
    segmenter.fit(survey.data, survey.target)
    assert [len(sections) for sections in Sections.seen] == [3] * 6
    assert len(set.union(*Sections.seen)) > 6


def test_of_many_sections_a_part_is_validated_on(make_tiny, survey, monkeypatch):
    """Neighbors are near copies: half of an epoch's share is enough."""
    monkeypatch.setattr("skfacies._estimators.fitting.auto_epochs", lambda *sizes: (2, 0.125))
    Spy.seen.clear()
    segmenter = make_tiny(max_epochs="auto", callbacks=[("spy", Spy())])
    segmenter.fit(
        survey.data, survey.target, validation_data=(survey.data[:10], survey.target[:10])
    )
    assert [section for section, *_ in Spy.seen[0][1]] == [0, 4, 8]
    assert all(np.isfinite(row["valid_loss"]) for row in segmenter.history_)


def test_the_progress_bar_never_leads_beyond_the_end(capsys):
    """Parts of epochs add up to 125.00000000000001; tqdm warns of that, and warnings are errors."""
    n_epochs, n_batches = 125, 11
    net = types.SimpleNamespace(max_epochs=n_epochs, history=[{"train_loss": 1.0}])
    bar = ProgressBar(n_epochs * n_batches)
    bar.on_train_begin(net)
    for _ in range(n_epochs):
        bar.on_epoch_begin(net)
        for _ in range(n_batches):
            bar.on_batch_end(net, training=True)
            assert bar.bar_.n <= n_epochs
        bar.on_epoch_end(net)
    bar.on_train_end(net)
    assert "125.0/125 epochs" in capsys.readouterr().err


def test_verbose_shows_a_progress_bar(make_tiny, survey, capsys):
    make_tiny(verbose=1, max_epochs=2, validation_fraction=0.2).fit(survey.data, survey.target)
    shown = capsys.readouterr()
    assert "2.0/2 epochs" in shown.err
    assert "valid_miou" in shown.err
    make_tiny(verbose=2, max_epochs=1).fit(survey.data, survey.target)
    assert "train_loss" in capsys.readouterr().out


def test_the_progress_bar_of_a_second_training_says_so(make_tiny, survey, capsys):
    segmenter = make_tiny(verbose=1, max_epochs=1, warm_start=True)
    segmenter.fit(survey.data, survey.target)
    assert "fit goes on" not in capsys.readouterr().err
    segmenter.fit(survey.data, survey.target)
    assert "fit goes on: 100%" in capsys.readouterr().err


def test_quiet_by_default(make_tiny, survey, capsys):
    make_tiny().fit(survey.data, survey.target).predict(survey.data)
    assert capsys.readouterr() == ("", "")


# --- going on -----------------------------------------------------------------------------------


def test_warm_start_goes_on_from_the_weights(make_tiny, survey):
    segmenter = make_tiny(warm_start=True, max_epochs=2).fit(survey.data, survey.target)
    first = segmenter.history_[0]["train_loss"]
    segmenter.fit(survey.data, survey.target)
    assert segmenter.n_iter_ == len(segmenter.history_) == 4
    assert segmenter.history_[2]["train_loss"] < first


def test_without_warm_start_fit_begins_anew(make_tiny, survey):
    segmenter = make_tiny().fit(survey.data, survey.target)
    before = weights_of(segmenter)
    segmenter.fit(survey.data, survey.target)
    assert segmenter.n_iter_ == 1
    for name, values in weights_of(segmenter).items():
        assert_array_equal(values, before[name])


@pytest.mark.slow
def test_partial_fit_learns_in_pieces(make_tiny, survey):
    segmenter = make_tiny(lr=3e-3)
    for _ in range(4):
        for piece in (slice(0, 6), slice(6, 12)):
            segmenter.partial_fit(survey.data[piece], survey.target[piece], classes=[0, 1, 2])
    losses = [row["train_loss"] for row in segmenter.history_]
    assert len(losses) == 8
    assert losses[-1] < 0.8 * losses[0]


def test_partial_fit_needs_classes_first_and_keeps_them(make_tiny, survey):
    segmenter = make_tiny()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        segmenter.partial_fit(survey.data, survey.target)
    two = np.minimum(survey.target, 1)
    segmenter.partial_fit(survey.data, two, classes=[0, 1, 2])
    assert_array_equal(segmenter.classes_, [0, 1, 2])
    segmenter.partial_fit(survey.data, survey.target)
    with pytest.raises(ValueError, match=r"not in the classes \[0, 1, 2\]: \[3\]"):
        segmenter.partial_fit(survey.data, survey.target + 1)
    with pytest.raises(ValueError, match="must be those of the first call"):
        segmenter.partial_fit(survey.data, survey.target, classes=[0, 1])


def test_partial_fit_of_one_class_after_the_first(make_tiny, survey):
    """A piece may lack classes; only all of them together must be two or more."""
    segmenter = make_tiny().partial_fit(survey.data, survey.target, classes=[0, 1, 2])
    segmenter.partial_fit(survey.data[:2], np.zeros_like(survey.target[:2]))
    assert segmenter.n_iter_ == 2


# --- chance -------------------------------------------------------------------------------------


def test_refit_is_bitwise_equal_and_global_states_are_untouched(make_tiny, survey):
    torch.manual_seed(1)
    np.random.seed(1)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = make_tiny(max_epochs=2, crop_size=(24, 32)).fit(survey.data, survey.target)
    proba = first.predict_proba(survey.data)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert_array_equal(np.random.get_state()[1], states[1])
    torch.manual_seed(2)
    second = clone(first).fit(survey.data, survey.target)
    assert_same_weights(first, second)
    assert_array_equal(second.predict_proba(survey.data), proba)


def test_seeds_differ(make_tiny, survey):
    one = make_tiny(random_state=0).fit(survey.data, survey.target)
    other = make_tiny(random_state=1).fit(survey.data, survey.target)
    assert not np.array_equal(one.predict_proba(survey.data), other.predict_proba(survey.data))


def fit_and_predict(segmenter, X, y):
    return clone(segmenter).fit(X, y).predict_proba(X[:1])


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_parallel_fits_equal_sequential_ones(make_tiny, survey, backend):
    segmenters = [make_tiny(random_state=seed, max_epochs=2) for seed in (0, 0, 1)]
    expected = [fit_and_predict(s, survey.data, survey.target) for s in segmenters]
    with joblib.parallel_backend(backend, n_jobs=2):
        results = joblib.Parallel()(
            joblib.delayed(fit_and_predict)(s, survey.data, survey.target) for s in segmenters
        )
    for result, proba in zip(results, expected, strict=True):
        assert_array_equal(result, proba)


# --- inside scikit-learn --------------------------------------------------------------------------


def test_clone_and_parameters(make_tiny):
    segmenter = make_tiny(lr=0.5, net_params={"optimizer__eps": 1e-6})
    assert clone(segmenter).get_params() == segmenter.get_params()
    assert "lr=0.5" in repr(segmenter)
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        segmenter.set_params(nonsense=1)


def test_set_params_leaves_the_fitted_model_alone(fitted, survey):
    segmenter = copy.deepcopy(fitted)
    before = segmenter.predict_proba(survey.data[:1])
    segmenter.set_params(lr=9.0, encoder_name="resnet34", decoder_channels=(4, 4, 4), max_epochs=99)
    assert_array_equal(segmenter.predict_proba(survey.data[:1]), before)


@pytest.mark.slow
def test_grid_search_over_a_pipeline_is_the_same_with_two_jobs(make_tiny, survey):
    scores = []
    for n_jobs in (1, 2):
        search = GridSearchCV(
            make_pipeline(AmplitudeScaler(), make_tiny(max_epochs=15)),
            {"faciessegmenter__lr": [1e-6, 3e-3]},
            scoring=iou_scorer,
            cv=2,
            n_jobs=n_jobs,
            error_score="raise",
        )
        search.fit(survey.data, survey.target)
        assert search.best_params_ == {"faciessegmenter__lr": 3e-3}
        assert search.predict(survey.data).shape == survey.data.shape
        scores.append([search.cv_results_[f"split{i}_test_score"] for i in (0, 1)])
    assert_array_equal(*scores)


def test_cross_validation_of_lists(make_tiny, survey):
    scores, expected = (
        cross_val_score(make_tiny(), X, y, cv=2, error_score="raise")
        for X, y in ((list(survey.data), list(survey.target)), (survey.data, survey.target))
    )
    assert_array_equal(scores, expected)
    assert len(set(scores)) == 2


@pytest.mark.parametrize(
    ("widths", "expected"),
    [("auto", [32, 16, 16]), ((16, 8, 8), [16, 8, 8]), (None, [64, 32, 16])],
)
def test_widths_of_the_decoder(make_tiny, survey, widths, expected):
    segmenter = make_tiny(decoder_channels=widths).fit(survey.data[:4], survey.target[:4])
    blocks = segmenter.net_.module_.network.decoder.blocks
    assert [block.conv2[0].out_channels for block in blocks] == expected


def test_auto_goes_on_from_the_same_widths(make_tiny, survey):
    segmenter = make_tiny(decoder_channels=(32, 16, 16), warm_start=True)
    segmenter.fit(survey.data[:4], survey.target[:4])
    segmenter.set_params(decoder_channels="auto").fit(survey.data[:4], survey.target[:4])
    assert len(segmenter.history_) == 2
