"""What watches a training, epoch by epoch, and changes its learning rate."""

import copy
import math

import numpy as np
import torch
from skorch.callbacks import Callback, EarlyStopping, LRScheduler, PrintLog
from tqdm.auto import tqdm

from skfacies._nn.losses import codes_and_weights
from skfacies._sections.sections import IGNORED

__all__ = [
    "check_callbacks",
    "epoch_callbacks",
    "plateau_options",
    "training_callbacks",
]

#: How arguments of ReduceLROnPlateau begin in `net_params`.
_PLATEAU = "callbacks__lr_plateau__"


class Losses(Callback):
    """Record the loss of an epoch as the mean over its samples; NaN if none counts.

    skorch's own is the mean of the batches' losses: one with few labels counts there as much as a
    full one, and one without as a loss of 0. As skorch does, "train_loss_best" and
    "valid_loss_best" say whether no epoch of this training had a smaller one before.
    """

    def on_train_begin(self, net, **kwargs):
        self.smallest_ = {"train_loss": math.inf, "valid_loss": math.inf}

    def on_epoch_begin(self, net, **kwargs):
        self.sums_ = {"train_loss": [0.0, 0.0], "valid_loss": [0.0, 0.0]}

    def on_batch_end(self, net, batch=None, training=False, loss=None, **kwargs):
        sums = self.sums_["train_loss" if training else "valid_loss"]
        total, weight = net.criterion_.totals(float(loss.detach()), batch[1])
        sums[0] += total
        sums[1] += weight

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        for name, (total, weight) in self.sums_.items():
            if name == "train_loss" or dataset_valid is not None:
                mean = total / weight if weight > 0 else math.nan
                net.history.record(name, mean)
                net.history.record(f"{name}_best", mean < self.smallest_[name])
                self.smallest_[name] = min(self.smallest_[name], mean)  # in this order: not NaN


class ValidationScores(Callback):
    """Record the mean IoU of the validation block from one confusion matrix."""

    def __init__(self, n_classes):
        self.n_classes = n_classes

    def on_epoch_begin(self, net, **kwargs):
        self.matrix_ = np.zeros((self.n_classes, self.n_classes), dtype=np.int64)

    def on_batch_end(self, net, batch=None, training=False, y_pred=None, **kwargs):
        if training:
            return
        codes = codes_and_weights(batch[1])[0].to(y_pred.device)
        counted = codes != IGNORED
        pairs = codes[counted] * self.n_classes + y_pred.argmax(1)[counted]
        counts = torch.bincount(pairs, minlength=self.n_classes**2)
        self.matrix_ += counts.cpu().numpy().reshape(self.matrix_.shape)

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        if dataset_valid is None:
            return
        hits = np.diag(self.matrix_)
        union = self.matrix_.sum(0) + self.matrix_.sum(1) - hits
        present = union > 0
        mean_iou = float((hits[present] / union[present]).mean()) if present.any() else math.nan
        net.history.record("valid_miou", mean_iou)


class StopIfDiverged(Callback):
    """Raise as soon as the training loss is not a number, before it spreads into a model."""

    def on_batch_end(self, net, training=False, loss=None, **kwargs):
        if training and not math.isfinite(loss := float(loss.detach())):
            raise FloatingPointError(
                f"training diverged: the loss became {loss} in epoch "
                f"{len(net.history)}. Use a smaller `lr`, or precision='float32'."
            )


class BestWeights(Callback):
    """Keep the weights of the best epoch in memory and restore them when training ends.

    The best epoch has the smallest mean loss over the last tenth of the epochs so far. A single
    epoch may have the smallest loss by chance, long before the learning rate is low. That mean is
    recorded as "mean_loss", and early stopping monitors it.
    """

    def __init__(self, monitor):
        self.monitor = monitor

    def on_train_begin(self, net, **kwargs):
        self.best_, self.epoch_, self.state_, self.losses_ = math.inf, None, None, []

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        self.losses_.append(row.get(self.monitor, math.nan))
        last = [x for x in self.losses_[-self._n_last() :] if math.isfinite(x)]
        mean = sum(last) / len(last) if last else math.nan
        best = math.isfinite(self.losses_[-1]) and mean < self.best_
        net.history.record("mean_loss", mean)
        net.history.record("best", best)
        if best:
            self.best_, self.epoch_ = mean, row["epoch"]
            self.state_ = {k: v.detach().clone() for k, v in net.module_.state_dict().items()}

    def _n_last(self):
        return max(1, len(self.losses_) // 10)

    def on_train_end(self, net, **kwargs):
        if self.state_ is not None and self.epoch_ != net.history[-1, "epoch"]:
            net.module_.load_state_dict(self.state_)
        self.state_ = None


class RecordLearningRate(Callback):
    """Record the learning rate at the end of each epoch."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("lr", float(net.optimizer_.param_groups[0]["lr"]))


class Plateau(LRScheduler):
    """ReduceLROnPlateau, which records whether it reduced the learning rate after an epoch."""

    def on_epoch_end(self, net, **kwargs):
        before = net.optimizer_.param_groups[0]["lr"]
        super().on_epoch_end(net, **kwargs)
        net.history.record("lr_reduced", net.optimizer_.param_groups[0]["lr"] < before)


class ProgressBar(Callback):
    """One bar over all epochs, with the last losses; it moves with every batch.

    Parameters
    ----------
    n_steps : int
        Number of batches in all epochs.
    """

    def __init__(self, n_steps):
        self.n_steps = n_steps

    def on_train_begin(self, net, **kwargs):
        self.n_epochs_ = 0
        layout = "{l_bar}{bar}| {n:.1f}/{total} epochs [{elapsed}<{remaining}{postfix}]"
        name = "fit goes on" if net.history else "fit"
        self.bar_ = tqdm(total=net.max_epochs, desc=name, bar_format=layout, dynamic_ncols=True)

    def on_epoch_begin(self, net, **kwargs):
        self.bar_.update(self.n_epochs_ - self.bar_.n)  # where a checkpoint was gone on from

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            rest = self.n_epochs_ + 1 - self.bar_.n  # rounding must not lead beyond the epoch
            self.bar_.update(min(net.max_epochs / self.n_steps, rest))

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        shown = ("train_loss", "valid_loss", "valid_miou")
        self.bar_.set_postfix({k: f"{row[k]:.3f}" for k in shown if k in row}, refresh=False)
        self.n_epochs_ += 1
        self.bar_.update(self.n_epochs_ - self.bar_.n)

    def on_train_end(self, net, **kwargs):
        self.bar_.close()


class WarmupDecay(Callback):
    """Linear warm-up of the learning rate, then a half cosine down to a fraction of it.

    Each step multiplies by the ratio to the step before, so that whatever ReduceLROnPlateau takes
    off stays off.
    """

    def __init__(self, n_steps, warmup, floor=0.02):
        self.n_steps, self.warmup, self.floor = n_steps, warmup, floor

    def level(self, step):
        """Fraction of the full learning rate at a step; 1 before the first."""
        if step < 0:
            return 1.0
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        done = min(1.0, (step - self.warmup) / max(1, self.n_steps - self.warmup))
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))

    def on_train_begin(self, net, **kwargs):
        self.step_ = 0

    def on_batch_begin(self, net, training=False, **kwargs):
        if not training:
            return
        ratio = self.level(self.step_) / self.level(self.step_ - 1)
        for group in net.optimizer_.param_groups:
            group["lr"] *= ratio
        self.step_ += 1


def epoch_callbacks(user):
    """Callbacks of a single epoch of partial_fit: nothing watches, nothing decays."""
    return [
        ("diverged", StopIfDiverged()),
        ("losses", Losses()),
        *copy.deepcopy(list(user or [])),
    ]


def check_callbacks(callbacks):
    """Check the parameter `callbacks`: skorch callbacks, with names or without."""
    for entry in callbacks or []:
        named = isinstance(entry, (tuple, list)) and len(entry) == 2 and isinstance(entry[0], str)
        callback = entry[1] if named else entry
        if not isinstance(callback, Callback):
            raise ValueError(
                "`callbacks` must be a list of (name, skorch callback); got the entry "
                f"{entry!r}. Use instances, such as ('checkpoint', skorch.callbacks.Checkpoint())."
            )


def plateau_options(net_params):
    """Those of `net_params` that ReduceLROnPlateau takes, such as its patience."""
    return {k: v for k, v in (net_params or {}).items() if k.startswith(_PLATEAU)}


def plateau_value(net):
    """Validation loss of the last epoch, or the training loss if nothing was held out."""
    row = net.history[-1]
    return row.get("valid_loss", row["train_loss"])


def training_callbacks(
    *, n_classes, has_validation, n_steps, schedule, plateau, patience, verbose, user
):
    """List of (name, callback) in the order in which skorch must call them."""
    options = {"patience": 10, "factor": 0.5, "min_lr": 1e-7}
    options |= {name.removeprefix(_PLATEAU): value for name, value in plateau.items()}
    monitor = "valid_loss" if has_validation else "train_loss"
    callbacks = [
        ("diverged", StopIfDiverged()),
        ("losses", Losses()),
        ("valid_scores", ValidationScores(n_classes)),
        ("lr_record", RecordLearningRate()),
    ]
    if patience:
        callbacks.append(("best_weights", BestWeights(monitor)))
    callbacks += copy.deepcopy(list(user or []))  # skorch changes the instances it is given
    callbacks.append(("lr_plateau", Plateau("ReduceLROnPlateau", monitor=plateau_value, **options)))
    if schedule == "cosine":
        callbacks.append(("lr_schedule", WarmupDecay(n_steps, warmup=max(1, n_steps // 20))))
    if patience:
        callbacks.append(
            ("early_stopping", EarlyStopping("mean_loss", patience=patience, threshold=1e-4))
        )
    if verbose == 1:
        callbacks.append(("progress", ProgressBar(n_steps)))
    elif verbose > 1:
        callbacks.append(("table", PrintLog()))
    return callbacks
