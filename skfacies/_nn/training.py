"""Losses, callbacks and the skorch net that `FaciesSegmenter` holds."""

import copy
import math
from contextlib import ExitStack

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler, PrintLog
from skorch.helper import predefined_split
from skorch.history import History
from torch import nn
from torch.nn import functional
from tqdm.auto import tqdm

from skfacies._nn.allocation import freed_memory_kept
from skfacies._nn.data import SimilarSizeSampler
from skfacies._nn.network import (
    FaciesNetwork,
    draws_random_numbers,
    load_encoder,
    seeded_torch,
    size_multiple,
)
from skfacies._nn.normalization import normalized_by_section
from skfacies._sections.sections import IGNORED

__all__ = [
    "LOSSES",
    "FaciesLoss",
    "auto_epochs",
    "check_callbacks",
    "check_net_params",
    "epoch_callbacks",
    "make_net",
    "plateau_options",
    "train_net",
    "training_callbacks",
]

#: Of AdamW. torch's own 0.999 averages squared gradients over 1000 steps, which is a whole fit: the
#: large ones of its beginning would shorten steps to the end.
BETAS = (0.9, 0.95)

#: Arguments of skorch's net that are not the user's ("…__" for all that begin so), and why.
_OWN_NET_PARAMS = {
    "module": "Use `architecture`.",
    "module__architecture": "Use `architecture`.",
    "module__encoder_name": "Use `encoder_name`.",
    "module__encoder_depth": "Use `encoder_depth`.",
    "module__encoder_weights": "Use `encoder_weights`.",
    "module__decoder_channels": "Use `decoder_channels`.",
    "module__in_channels": "It follows from `X` and `depth_channel`.",
    "module__precision": "Use `precision`.",
    "module__n_classes": "It follows from `y`.",
    "module__classes": "It follows from `y`.",
    "module__activation": "The losses take logits.",
    "module__aux_params": "The network has one output.",
    "criterion": "Use `loss`.",
    "criterion__loss": "Use `loss`.",
    "criterion__class_weight": "Use `class_weight`.",
    "criterion__mean_weight": "It follows from `sample_weight`.",
    "max_epochs": "Use `max_epochs`.",
    "batch_size": "Use `batch_size`.",
    "lr": "Use `lr`.",
    "optimizer__lr": "Use `lr`.",
    "callbacks": "Use `callbacks`.",
    "verbose": "Use `verbose`.",
    "device": "Use `device`.",
    "warm_start": "Use `warm_start`.",
    "train_split": "Use `validation_fraction`, or `validation_data` in fit.",
    "dataset": "Sections are read as they are.",
    # Workers would each draw the same crops, anew in every epoch; sections are in memory anyway.
    "iterator_train": "Batches are made beside the sections, without workers.",
    "iterator_train__": "Batches are made beside the sections, without workers.",
    "iterator_valid": "Batches are made beside the sections, without workers.",
    "iterator_valid__": "Batches are made beside the sections, without workers.",
}

#: How arguments of ReduceLROnPlateau begin in `net_params`.
_PLATEAU = "callbacks__lr_plateau__"

LOSSES = ("cross_entropy", "dice", "focal", "lovasz")


class FaciesLoss(nn.Module):
    """Loss of logits against codes; samples with the code `IGNORED` do not count.

    Parameters
    ----------
    loss : {"cross_entropy", "dice", "focal", "lovasz"}, torch Module or class of one
        Cross-entropy here, the others of segmentation-models-pytorch. A module of the user's is
        called with logits and codes.
    class_weight : tensor of shape (n_classes,) or None
        For the cross-entropy.
    label_smoothing : float
        Part of each label of the cross-entropy that is spread evenly over the classes.
    mean_weight : float
        Mean weight of the labeled samples of the whole training.

    Notes
    -----
    The cross-entropy is the sum of weighted losses, divided by the number of samples that count
    and by `mean_weight`. Divided by the weights of the batch, weights would cancel where all of a
    batch have the same. A batch in which no sample counts gives 0 and no gradient, where torch's
    own gives NaN.
    """

    def __init__(
        self, loss="cross_entropy", class_weight=None, label_smoothing=0.0, mean_weight=1.0
    ):
        super().__init__()
        self.loss = loss
        self.label_smoothing, self.mean_weight = label_smoothing, mean_weight
        self.register_buffer("class_weight", class_weight)
        self.whole = _whole_loss(loss)

    def forward(self, logits, target):
        """Mean loss over the samples that count; `target` is codes, or dict with weights too."""
        codes, weights = _codes_and_weights(target)
        if not (codes != IGNORED).any():
            return logits.sum() * 0.0
        if self.whole is not None:
            return self.whole(logits, codes)
        if weights is None and self.class_weight is None:
            return self._cross_entropy(logits, codes)
        losses = self._cross_entropy(logits, codes, reduction="none")
        total = (losses * self._weights(codes, weights)).sum()
        return total / self._divisor(codes)

    def _divisor(self, codes):
        return self.mean_weight * float((codes != IGNORED).sum())

    def _cross_entropy(self, logits, codes, reduction="mean"):
        return functional.cross_entropy(
            logits,
            codes,
            ignore_index=IGNORED,
            reduction=reduction,
            label_smoothing=self.label_smoothing,
        )

    def totals(self, loss, target):
        """Sum of the losses of a batch, and the number or weight of its samples that count."""
        codes, weights = _codes_and_weights(target)
        if self.whole is not None or (weights is None and self.class_weight is None):
            n_counted = float((codes != IGNORED).sum())
            return n_counted * loss, n_counted
        codes = codes.to(self.class_weight.device) if self.class_weight is not None else codes
        total_weight = float(self._weights(codes, weights).sum(dtype=torch.float64))
        return self._divisor(codes) * loss, total_weight

    def _weights(self, codes, weights):
        counted = codes != IGNORED
        weights = counted.float() if weights is None else weights.to(codes.device) * counted
        if self.class_weight is not None:
            weights = weights * self.class_weight[codes.clamp_min(0)]
        return weights


def _codes_and_weights(target):
    return (target["codes"], target["weights"]) if isinstance(target, dict) else (target, None)


def _whole_loss(loss):
    """Module of a loss that takes a batch as a whole; None for the cross-entropy."""
    if loss == "cross_entropy":
        return None
    if isinstance(loss, type):
        return loss()
    if isinstance(loss, nn.Module):
        return copy.deepcopy(loss)
    from segmentation_models_pytorch import losses

    return {
        "dice": lambda: losses.DiceLoss("multiclass", ignore_index=IGNORED),
        "focal": lambda: losses.FocalLoss("multiclass", ignore_index=IGNORED),
        "lovasz": lambda: losses.LovaszLoss("multiclass", ignore_index=IGNORED, from_logits=True),
    }[loss]()


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
        codes = _codes_and_weights(batch[1])[0].to(y_pred.device)
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

    The best is where the mean loss of the last epochs is smallest: of the last tenth of the epochs
    so far. Of many epochs a single one has the smallest loss by chance, long before the learning
    rate is low. That mean is recorded as "mean_loss", which early stopping goes by.
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


class ProgressBar(Callback):
    """One bar over all epochs, with the last losses."""

    def on_train_begin(self, net, **kwargs):
        self.bar_ = tqdm(total=net.max_epochs, desc="fit", unit="epoch", dynamic_ncols=True)

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        shown = ("train_loss", "valid_loss", "valid_miou")
        self.bar_.set_postfix({k: f"{row[k]:.3f}" for k in shown if k in row}, refresh=False)
        self.bar_.update()

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


def auto_epochs(n_batches, n_pixels, *, steps=1400, pixels=1.95e8, at_least=10, at_most=250):
    """Epochs that suit the data, and the share of the data that each of them takes.

    An epoch of three sections is not an epoch of four hundred: little data are seen often, and of
    much, whose neighbors are near copies, each epoch takes a part at random. That is one to five
    minutes on two cores that compute in bfloat16.
    """
    little = min(steps / n_batches, pixels / n_pixels)
    if little >= at_least:
        return min(math.ceil(little), at_most), 1.0
    much = min(6, 5 * steps / n_batches, pixels / n_pixels)
    return at_least, min(1.0, max(little, much) / at_least)


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


def check_net_params(net_params):
    """Refuse arguments of the net that parameters of the estimator decide."""
    for name in sorted(net_params or {}):
        for taken, own in _OWN_NET_PARAMS.items():
            if name == taken or (taken.endswith("__") and name.startswith(taken)):
                raise ValueError(
                    f"`net_params` cannot set {name!r}, which FaciesSegmenter does. {own}"
                )


def plateau_options(net_params):
    """Those of `net_params` that ReduceLROnPlateau takes, such as its patience."""
    return {k: v for k, v in (net_params or {}).items() if k.startswith(_PLATEAU)}


def plateau_value(net):
    """Validation loss of the last epoch, or the training loss where nothing was held out."""
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
        ("best_weights", BestWeights(monitor)),
    ]
    callbacks += copy.deepcopy(list(user or []))  # skorch changes the instances it is given
    callbacks.append(
        ("lr_plateau", LRScheduler("ReduceLROnPlateau", monitor=plateau_value, **options))
    )
    if schedule == "cosine":
        callbacks.append(("lr_schedule", WarmupDecay(n_steps, warmup=max(1, n_steps // 20))))
    if patience:
        callbacks.append(
            ("early_stopping", EarlyStopping("mean_loss", patience=patience, threshold=1e-4))
        )
    if verbose == 1:
        callbacks.append(("progress", ProgressBar()))
    elif verbose > 1:
        callbacks.append(("table", PrintLog()))
    return callbacks


def make_net(module_options, net_options, *, device):
    """Build the skorch net, not yet initialized, with nothing that training alone needs.

    Parameters
    ----------
    module_options : dict
        Arguments of `FaciesNetwork`.
    net_options : dict
        Arguments of `skorch.NeuralNet`, which have the last word.
    device : str
    """
    options = {
        "criterion": FaciesLoss,
        "optimizer": torch.optim.AdamW,
        "train_split": None,
        "device": device,
        "verbose": 0,
        "callbacks__print_log": None,
        "callbacks__train_loss": None,  # `Losses` records them
        "callbacks__valid_loss": None,
        **{f"module__{name}": value for name, value in module_options.items()},
        **net_options,
    }
    if options["optimizer"] is torch.optim.AdamW:
        options.setdefault("optimizer__betas", BETAS)
        if torch.device(device).type in ("cpu", "cuda"):
            options.setdefault("optimizer__fused", True)  # a third of the time of its step
    return NeuralNet(FaciesNetwork, **options)


def train_net(
    net, datasets, *, seed, batch_size, collate, encoder=None, previous=None, norm_prior=None
):
    """Initialize a net and train it for its `max_epochs`; afterwards it holds no data.

    Parameters
    ----------
    net : NeuralNet
        As `make_net` returns it.
    datasets : tuple of SectionDataset, (training, validation or None)
    seed : int
    batch_size : int
    collate : tuple of BatchBuilder, (training, validation)
    encoder : tuple (encoder_name, state) or None
        Pretrained weights of the encoder.
    previous : NeuralNet or None
        Net whose weights, optimizer state and history are gone on from.
    norm_prior : float or None
        Of `normalized_by_section`, for validation sections.
    """
    training, validation = datasets
    loaders = {"train_split": None if validation is None else predefined_split(validation)}
    for name, dataset, builder in zip(("train", "valid"), datasets, collate, strict=True):
        # Without a generator of its own, a loader draws from the global one.
        generator = torch.Generator().manual_seed(seed)
        loaders[f"iterator_{name}__generator"] = generator
        loaders[f"iterator_{name}__collate_fn"] = builder
        if dataset is not None:
            loaders[f"iterator_{name}__batch_sampler"] = SimilarSizeSampler(
                dataset, batch_size, generator, shuffle=dataset is training
            )
    net.set_params(batch_size=1, **loaders)  # the samplers make batches
    with ExitStack() as stack:
        stack.enter_context(seeded_torch(seed))
        net.initialize()
        for builder in collate:
            builder.multiple = size_multiple(net.module_)
        if previous is not None:
            _go_on_from(net, previous)
        elif encoder is not None:
            load_encoder(net.module_, *encoder)
        if not draws_random_numbers(net.module_):
            stack.close()  # nothing more is drawn: other threads may train beside this one
        n_before = len(net.history)
        with freed_memory_kept(give_back=True), normalized_by_section(norm_prior):
            net.partial_fit(training)
    if len(net.history) == n_before or "train_loss" not in net.history[n_before]:
        raise KeyboardInterrupt("fit was interrupted in its first epoch")
    if "train_loss" not in net.history[-1]:  # skorch ends training on Ctrl-C, in midst of an epoch
        net.history.pop()
    for name in loaders:  # not by set_params, which would build a new module for some
        setattr(net, name, None)
    net.module_.eval()
    return net


def _go_on_from(net, previous):
    net.module_.load_state_dict(previous.module_.state_dict())
    net.history = History(copy.deepcopy(list(previous.history)))
    if type(net.optimizer_) is type(previous.optimizer_):
        state = copy.deepcopy(previous.optimizer_.state_dict()["state"])
        groups = net.optimizer_.state_dict()["param_groups"]  # the learning rate starts anew
        net.optimizer_.load_state_dict({"state": state, "param_groups": groups})
