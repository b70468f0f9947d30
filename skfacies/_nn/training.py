"""Losses, callbacks and the skorch net that `FaciesSegmenter` holds."""

import copy
import math
from contextlib import ExitStack

import torch
from skorch.callbacks import EarlyStopping
from skorch.helper import predefined_split
from skorch.history import History

from skfacies._nn.data import SimilarSizeSampler
from skfacies._nn.losses import FaciesLoss
from skfacies._nn.network import (
    FaciesNetwork,
    draws_random_numbers,
    load_encoder,
    seeded_torch,
    size_multiple,
)
from skfacies._nn.normalization import normalized_by_section
from skfacies._nn.out_of_memory import SparingNet
from skfacies._nn.speed import freed_memory_kept

__all__ = ["auto_epochs", "check_net_params", "make_net", "train_net"]

#: Of AdamW. torch's own 0.999 averages squared gradients over 1000 steps, which is a whole fit: the
#: large ones of its beginning would shorten steps to the end.
ADAMW_BETAS = (0.9, 0.95)

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
    "criterion__rarity": "Use `class_weight`.",
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


def auto_epochs(
    n_batches, n_pixels, effort=1.0, *, steps=1400, pixels=1.95e8, at_least=10, at_most=250
):
    """Epochs that suit the data, and the share of the data that each of them takes.

    An epoch of three sections is not an epoch of four hundred: little data are seen often, and of
    much, whose neighbors are near copies, each epoch takes a part at random. That is one to five
    minutes on two cores that compute in bfloat16. `effort` is a part of that.
    """
    steps, pixels, at_most = effort * steps, effort * pixels, math.ceil(effort * at_most)
    little = min(steps / n_batches, pixels / n_pixels)
    if little >= at_least:
        return min(math.ceil(little), at_most), 1.0
    much = min(6 * effort, 5 * steps / n_batches, pixels / n_pixels)
    return at_least, min(1.0, max(little, much) / at_least)


def check_net_params(net_params):
    """Refuse arguments of the net that parameters of the estimator decide."""
    for name in sorted(net_params or {}):
        for taken, own in _OWN_NET_PARAMS.items():
            if name == taken or (taken.endswith("__") and name.startswith(taken)):
                raise ValueError(
                    f"`net_params` cannot set {name!r}, which FaciesSegmenter does. {own}"
                )


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
        options.setdefault("optimizer__betas", ADAMW_BETAS)
        if torch.device(device).type in ("cpu", "cuda"):
            options.setdefault("optimizer__fused", True)  # a third of the time of its step
    return SparingNet(FaciesNetwork, **options)


def train_net(
    net,
    datasets,
    *,
    seed,
    batch_size,
    collate,
    encoder=None,
    previous=None,
    norm_prior=None,
    checkpoint=None,
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
    checkpoint : Checkpoint or None
        Where the state is kept. A callback of the net reads and writes it.
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
        n_epochs = net.max_epochs if checkpoint is None else checkpoint.epochs_left(net)
        with freed_memory_kept(give_back=True), normalized_by_section(norm_prior):
            net.partial_fit(training, epochs=n_epochs)
    if len(net.history) == n_before or "train_loss" not in net.history[n_before]:
        raise KeyboardInterrupt("fit was interrupted in its first epoch")
    if "train_loss" not in net.history[-1]:  # skorch ends training on Ctrl-C, in midst of an epoch
        net.history.pop()
    net.interrupted = not _is_complete(net, n_before)
    if checkpoint is not None and not net.interrupted:
        checkpoint.finish(net)
    for name in loaders:  # not by set_params, which would build a new module for some
        setattr(net, name, None)
    net.module_.eval()
    return net


def _is_complete(net, n_before):
    """Whether a training ended by itself, and not by Ctrl-C.

    `n_before` is the number of epochs of earlier trainings.
    """
    return len(net.history) >= n_before + net.max_epochs or any(
        isinstance(callback, EarlyStopping) and callback.misses_ >= callback.patience
        for _, callback in net.callbacks_
    )


def _go_on_from(net, previous):
    net.module_.load_state_dict(previous.module_.state_dict())
    net.history = History(copy.deepcopy(list(previous.history)))
    if type(net.optimizer_) is type(previous.optimizer_):
        state = copy.deepcopy(previous.optimizer_.state_dict()["state"])
        groups = net.optimizer_.state_dict()["param_groups"]  # the learning rate starts anew
        net.optimizer_.load_state_dict({"state": state, "param_groups": groups})
