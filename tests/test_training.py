"""Batches and crops that training sees, and the losses that it records."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback
from skorch.history import History

from skfacies._nn.data import IGNORED, Conditioner, SectionDataset, Sections, SimilarSizeSampler
from skfacies._nn.training import BestWeights, FaciesLoss


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


class Run:
    def __init__(self, section, start, stop):
        self.section, self.start, self.stop = section, start, stop


# --- losses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("weighting", ["none", "classes", "samples"])
def test_recorded_losses_are_means_over_samples_not_over_batches(make_tiny, survey, weighting):
    """Sections are labelled in very different parts; batches of one."""
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
    assert FaciesLoss(loss).total_weight(codes) == 3
    assert FaciesLoss(loss).total_weight(torch.full_like(codes, IGNORED)) == 0


def test_a_validation_block_without_weight_has_no_loss_and_is_never_best(make_tiny, survey):
    """Two of three classes weigh nothing, and the validation data hold only these."""
    below = survey.target.max()
    valid = np.where(survey.target[:2] == below, -1, survey.target[:2])
    segmenter = make_tiny(max_epochs=3, class_weight={0: 0.0, 1: 0.0, 2: 1.0})
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


# --- what counts ------------------------------------------------------------------------------


def test_samples_of_weight_zero_have_no_code():
    y = np.tile(np.arange(4) % 2, (2, 3, 1))
    weights = np.ones(y.shape)
    weights[0, :, 1] = 0
    _, codes, _ = dataset_of(y, weights=weights)[0]
    assert_array_equal(codes, np.where(weights[0] == 0, IGNORED, y[0]))
    _, codes, _ = dataset_of(y, weights=np.array([0.0, 1.0]))[0]
    assert (codes == IGNORED).all()


def test_sections_of_weight_zero_are_neither_trained_on_nor_validated_on(make_tiny, survey):
    """As if they had no labels; else a validation block of them would have a loss of zero."""
    weights = np.ones(12)
    weights[[0, 1, 2, 3, 10, 11]] = 0
    y = survey.target.copy()
    y[weights == 0] = -1
    params = {"validation_fraction": 0.2, "max_epochs": 2}
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
    segmenter = make_tiny(max_epochs=2).fit(survey.data[:1], survey.target[:1])
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
