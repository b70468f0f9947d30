"""Batches and crops that training sees, and the losses that it records."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from skorch.callbacks import Callback, Checkpoint
from skorch.history import History

from skfacies._nn.callbacks import BestWeights
from skfacies._nn.data import Conditioner, SectionDataset, SimilarSizeSampler
from skfacies._nn.losses import FaciesLoss
from skfacies._sections.sections import IGNORED, Run, Sections


class Batches(Callback):
    """Keep every batch and its loss, with what the network said."""

    seen = []

    def on_batch_end(self, net, batch=None, training=False, y_pred=None, **kwargs):
        Batches.seen.append((training, batch[1], y_pred.detach()))


def dataset_of(y, crop_size=(None, None), weights=None):
    sections = Sections(np.zeros(y.shape, np.float32), y, weights, np.unique(y[y >= 0]), -1)
    runs = [Run(i, 0, y.shape[1]) for i in range(len(y))]
    return SectionDataset(
        sections, runs, Conditioner(None, None), crop_size, np.random.default_rng(0)
    )


# --- losses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("weighting", ["none", "classes", "samples"])
def test_recorded_losses_are_means_over_samples_not_over_batches(make_tiny, survey, weighting):
    """Sections are labeled in very different parts; batches of one."""
    y = survey.target.copy()
    for i in range(12):
        y[i, 3 * i + 1 :] = -1
    Batches.seen.clear()
    segmenter = make_tiny(
        batch_size=1,
        validation_fraction=0.3,
        callbacks=[("batches", Batches())],
        class_weight={1: 3.0} if weighting == "classes" else None,
    )
    weights = np.linspace(0.1, 5, 12) if weighting == "samples" else None
    segmenter.fit(survey.data, y, sample_weight=weights)
    class_weight = [1.0, 3.0, 1.0] if weighting == "classes" else [1.0, 1.0, 1.0]
    for training, name in ((True, "train_loss"), (False, "valid_loss")):
        total = weight = 0.0
        for _, target, logits in (batch for batch in Batches.seen if batch[0] is training):
            codes = target["codes"] if isinstance(target, dict) else target
            counted = codes >= 0
            each = -torch.log_softmax(logits, 1).movedim(1, -1)[counted]
            own = torch.tensor(class_weight)[codes[counted]]
            if isinstance(target, dict):
                own = own * target["weights"][counted]
            total += (each.gather(1, codes[counted][:, None])[:, 0] * own).sum().item()
            weight += own.sum().item()
        assert_allclose(segmenter.history_[0][name], total / weight, rtol=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "dice"])
def test_weight_of_a_loss_is_what_it_is_the_mean_over(loss):
    codes = torch.tensor([[[0, 1], [1, IGNORED]]])
    assert FaciesLoss(loss).totals(2.0, codes) == (6.0, 3.0)
    assert FaciesLoss(loss).totals(2.0, torch.full_like(codes, IGNORED)) == (0.0, 0.0)


def test_a_validation_block_without_weight_has_no_loss_and_is_never_best(make_tiny, survey):
    """Two of three classes weigh nothing, and the validation data hold only these."""
    below = survey.target.max()
    valid = np.where(survey.target[:2] == below, -1, survey.target[:2])
    weights = {0: 0.0, 1: 0.0, 2: 1.0}
    segmenter = make_tiny(max_epochs=3, class_weight=weights, early_stopping=3)
    segmenter.fit(survey.data, survey.target, validation_data=(survey.data[:2], valid))
    assert np.isnan([row["valid_loss"] for row in segmenter.history_]).all()
    assert not any(row["best"] for row in segmenter.history_)


class Net:
    """As much of a net as a callback sees: losses, and a weight that tells the epoch."""

    def __init__(self, max_epochs):
        self.max_epochs, self.history = max_epochs, History()
        self.module_ = torch.nn.Linear(1, 1, bias=False)

    def train(self, losses):
        """The epoch whose weights are there at the end."""
        best = BestWeights("valid_loss")
        best.on_train_begin(self)
        for epoch, loss in enumerate(losses, start=1):
            self.history.new_epoch()
            self.history.record("epoch", epoch)
            self.history.record("valid_loss", loss)
            torch.nn.init.constant_(self.module_.weight, epoch)
            best.on_epoch_end(self)
        best.on_train_end(self)
        return int(self.module_.weight)


@pytest.mark.parametrize(
    ("losses", "kept"),
    [
        ([5, 4, 3, 4, 5], 3),  # few epochs: every one counts for itself
        ([*np.linspace(2, 1, 99), 1.0], 100),
        ([*np.linspace(2, 1, 40), 0.5, *np.linspace(1, 0.6, 59)], 100),  # by chance, early
        ([*np.linspace(2, 1, 50), *np.linspace(1, 3, 50)], range(50, 56)),  # it gets worse
        ([*np.linspace(2, 1, 40), np.nan, np.inf, *np.linspace(1, 0.6, 58)], 100),
    ],
)
def test_the_best_epoch_is_not_a_single_lucky_one(losses, kept):
    epoch = Net(len(losses)).train(losses)
    assert epoch in (kept if isinstance(kept, range) else [kept])


def test_early_stopping_keeps_an_epoch_before_the_loss_rose(make_tiny, survey):
    """Labels are wrong in part, so that the network learns them by heart."""
    rng = np.random.default_rng(0)
    y = survey.target.copy()
    wrong = rng.uniform(size=y.shape) < 0.5
    y[wrong] = rng.integers(0, 3, wrong.sum())
    held_out = (survey.data[8:10], survey.target[8:10])
    segmenter = make_tiny(max_epochs=100, early_stopping=4, augment=False, lr=1e-2)
    segmenter.fit(survey.data[:2], y[:2], validation_data=held_out)
    losses = np.array([row["valid_loss"] for row in segmenter.history_])
    assert len(losses) < 100
    kept = max(i for i, row in enumerate(segmenter.history_) if row["best"])
    means = [losses[max(0, n - max(1, n // 10)) : n].mean() for n in range(1, len(losses) + 1)]
    assert kept == int(np.argmin(means))
    assert len(losses) == kept + 1 + 4


# --- weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3])
def test_weights_are_relative_over_the_whole_training(batch_size):
    """Gradients of an epoch are those of the weighted sum of all samples' losses."""
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(6, 3, 4, 5)), dtype=torch.float32, requires_grad=True)
    codes = torch.tensor(rng.integers(0, 3, size=(6, 4, 5)))
    weights = torch.tensor([1e-6, 2.0, 1.0, 1e-6, 0.5, 1.0]).view(6, 1, 1).expand(6, 4, 5)
    criterion = FaciesLoss(mean_weight=float(weights.mean()))
    for i in range(0, 6, batch_size):
        batch = slice(i, i + batch_size)
        criterion(logits[batch], {"codes": codes[batch], "weights": weights[batch]}).backward()
    each = torch.nn.functional.cross_entropy(logits, codes, reduction="none")
    expected = (each * weights).sum() / weights.mean() / (batch_size * 20)
    assert_allclose(logits.grad, torch.autograd.grad(expected, logits)[0], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("class_weight", [None, {0: 3.0}])
def test_the_mean_weight_is_that_of_labeled_training_samples(make_tiny, survey, class_weight):
    weights = np.linspace(0, 4, 12)
    segmenter = make_tiny(class_weight=class_weight, validation_fraction=0)
    segmenter.fit(survey.data, survey.target, sample_weight=weights)
    per_sample = np.broadcast_to(weights[:, None, None], survey.target.shape)
    if class_weight:
        per_sample = per_sample * np.where(survey.target == 0, 3.0, 1.0)
    mean = per_sample[1:].mean()  # the first section weighs nothing
    assert_allclose(segmenter.net_.criterion_.mean_weight, mean, rtol=1e-5)


# --- chance -----------------------------------------------------------------------------------


@pytest.fixture
def windows(monkeypatch):
    """First traces of all crops that are drawn."""
    drawn, draw = [], SectionDataset._draw_window

    def note(self, run, shape):
        found = draw(self, run, shape)
        drawn.append(found[1][0].start)
        return found

    monkeypatch.setattr(SectionDataset, "_draw_window", note)
    return drawn


def drawn_by(windows, call):
    windows.clear()
    call()
    return tuple(windows)


@pytest.mark.slow
def test_every_call_of_partial_fit_draws_anew_and_can_be_repeated(make_tiny, survey, windows):
    def calls(model):
        def go_on():
            model.partial_fit(survey.data, survey.target, classes=[0, 1, 2])

        return go_on

    model, again = make_tiny(crop_size=16), make_tiny(crop_size=16)
    drawn = [drawn_by(windows, calls(model)) for _ in range(4)]
    assert len(set(drawn)) == 4
    repeated = [drawn_by(windows, calls(again)) for _ in range(2)]
    again = pickle.loads(pickle.dumps(again))  # the draws go on from a file, too
    repeated += [drawn_by(windows, calls(again)) for _ in range(2)]
    assert repeated == drawn


def test_warm_starts_draw_anew(make_tiny, survey, windows):
    model = make_tiny(crop_size=16, warm_start=True, validation_fraction=0)
    drawn = [drawn_by(windows, lambda: model.fit(survey.data, survey.target)) for _ in range(3)]
    assert len(set(drawn)) == 3


# --- losses and callbacks of one's own --------------------------------------------------------


class TwiceTheLoss(torch.nn.CrossEntropyLoss):
    def forward(self, logits, codes):
        return 2 * super().forward(logits, codes)


@pytest.mark.parametrize("loss", [TwiceTheLoss, TwiceTheLoss()])
def test_a_loss_of_ones_own_is_a_module_or_a_class(make_tiny, survey, loss):
    y = survey.target.copy()
    y[:, :, :4] = -1
    params = {"max_epochs": 2, "augment": False}
    own = clone(make_tiny(loss=loss, **params)).fit(survey.data, y)
    plain = make_tiny(class_weight=None, **params).fit(survey.data, y)
    losses = [model.history_[0]["train_loss"] for model in (own, plain)]
    assert_allclose(losses[0], 2 * losses[1], rtol=0.05)
    with pytest.raises(ValueError, match="`sample_weight` needs loss='cross_entropy'"):
        make_tiny(loss=loss).fit(survey.data, y, sample_weight=np.ones(12))


def test_checkpoints_of_skorch_work(make_tiny, survey, tmp_path):
    checkpoint = Checkpoint(dirname=tmp_path)
    segmenter = make_tiny(max_epochs=3, callbacks=[("checkpoint", checkpoint)])
    segmenter.fit(survey.data, survey.target)
    assert (tmp_path / "params.pt").is_file()
    losses = [row["valid_loss"] for row in segmenter.history_]
    best = [row["valid_loss_best"] for row in segmenter.history_]
    assert best == [loss < min([np.inf, *losses[:i]]) for i, loss in enumerate(losses)]
    assert all(type(flag) is bool for flag in best)


# --- what counts ------------------------------------------------------------------------------


def test_samples_of_weight_zero_have_no_code():
    y = np.tile(np.arange(4) % 2, (2, 3, 1))
    weights = np.ones(y.shape)
    weights[0, :, 1] = 0
    _, codes, *_ = dataset_of(y, weights=weights)[0]
    assert_array_equal(codes, np.where(weights[0] == 0, IGNORED, y[0]))
    _, codes, *_ = dataset_of(y, weights=np.array([0.0, 1.0]))[0]
    assert (codes == IGNORED).all()


def test_sections_of_weight_zero_are_neither_trained_on_nor_validated_on(make_tiny, survey):
    """As if they had no labels; else a validation block of them would have a loss of zero."""
    weights = np.ones(12)
    weights[[0, 1, 2, 3, 10, 11]] = 0
    y = survey.target.copy()
    y[weights == 0] = -1
    params = {"validation_fraction": 0.2, "max_epochs": 2, "self_training": False}
    weighted = make_tiny(**params).fit(survey.data, survey.target, sample_weight=weights)
    ignored = make_tiny(**params).fit(survey.data, y)
    assert weighted.scaler_.scale_ == ignored.scaler_.scale_
    for name in ("train_loss", "valid_loss"):
        assert_allclose(
            [row[name] for row in weighted.history_],
            [row[name] for row in ignored.history_],
            rtol=1e-4,
        )


def test_the_training_loss_is_watched_where_nothing_can_be_held_out(make_tiny, survey):
    segmenter = make_tiny(max_epochs=2, early_stopping=2)
    segmenter.fit(survey.data[:1], survey.target[:1])
    assert "valid_loss" not in segmenter.history_[0]
    assert any(row["best"] for row in segmenter.history_)


# --- crops and batches ------------------------------------------------------------------------


def test_crops_of_sparse_labels_are_drawn_again_until_they_hold_one():
    y = np.full((1, 400, 8), -1)
    y[0, 150:250] = np.arange(8) % 2
    dataset = dataset_of(y, crop_size=(40, None))
    drawn = [dataset[i % len(dataset)][1] for i in range(200)]
    empty = np.mean([(codes == IGNORED).all() for codes in drawn])
    assert empty < 0.05  # 62 % of crops at random have none


def test_items_of_like_shape_share_batches():
    class Shapes:
        shapes = [(1000, 33), (33, 1000), (1000, 33), (33, 1000), (64, 64), (64, 64), (64, 64)]

        n_per_epoch = len(shapes)

        def __len__(self):
            return len(self.shapes)

        def shape(self, item):
            return self.shapes[item]

    generator = torch.Generator().manual_seed(0)
    batches = list(SimilarSizeSampler(Shapes(), 2, generator))
    assert sorted(item for batch in batches for item in batch) == list(range(7))
    mixed = [batch for batch in batches if len({Shapes.shapes[i] for i in batch}) > 1]
    assert len(mixed) <= 1  # seven items do not part evenly
    assert {1000, 33} not in [{Shapes.shapes[i][0] for i in batch} for batch in batches]


@pytest.mark.parametrize(
    ("given", "dtype"),
    [([2, 0, 1], np.uint8), (np.array([0.0, 1.0, 2.0]), np.uint8), ([0, 1, 300], np.int64)],
)
def test_classes_of_partial_fit_take_the_type_of_the_labels(make_tiny, survey, given, dtype):
    y = np.minimum(survey.target, 1).astype(np.uint8)
    segmenter = make_tiny().partial_fit(survey.data, y, classes=given)
    assert segmenter.classes_.dtype == dtype
    assert_array_equal(segmenter.classes_, np.sort(given))
    assert segmenter.predict(survey.data).dtype == dtype


def test_warm_start_takes_the_precision_that_is_asked_for_now(make_tiny, survey):
    segmenter = make_tiny(warm_start=True, precision="bfloat16").fit(survey.data, survey.target)
    assert segmenter.precision_ == "bfloat16"
    segmenter.set_params(precision="float32").fit(survey.data, survey.target)
    assert segmenter.precision_ == segmenter.net_.module_.precision == "float32"


def test_numpy_booleans_are_booleans(make_tiny, survey):
    segmenter = make_tiny(early_stopping=np.True_, max_epochs=15, lr=1e-5, augment=np.False_)
    assert segmenter.fit(survey.data, survey.target).n_iter_ >= 10
    make_tiny(augment=np.True_, max_epochs=1).fit(survey.data, survey.target)


def test_a_weight_next_to_nothing_has_no_say_in_decisions(make_tiny, survey):
    y = survey.target.copy()
    y[6:] = 2 - y[6:]  # upside down
    models = [
        make_tiny(max_epochs=2).fit(survey.data, y, sample_weight=[1.0] * 6 + [weight] * 6)
        for weight in (0, 1e-6)
    ]
    assert_array_equal(*(model.unit_order_ for model in models))
    assert_array_equal(*(model.predict(survey.data) for model in models))
