"""Losses of logits against codes."""

import copy

import torch
from torch import nn
from torch.nn import functional

from skfacies._sections.sections import IGNORED

__all__ = ["FaciesLoss", "LOSSES"]

LOSSES = ("cross_entropy", "dice", "focal", "lovasz")

#: Part of the counts of earlier batches that is kept with each batch: about twenty count.
MEMORY = 0.95

#: Every so many traces and samples of a batch tell how well its classes are found.
STRIDE = 4


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
    rarity : tensor of shape (n_classes,) or None
        Factors, 1 or more, for the cross-entropy of classes that are not found. In training, each
        falls to 1 as the mean probability that samples of the class are given rises to 1.

    Notes
    -----
    The cross-entropy is the sum of weighted losses, divided by the number of samples that count
    and by `mean_weight`. Divided by the weights of the batch, weights would cancel where all of a
    batch have the same. A batch in which no sample counts gives 0 and no gradient, where torch's
    own gives NaN.
    """

    def __init__(
        self,
        loss="cross_entropy",
        class_weight=None,
        label_smoothing=0.0,
        mean_weight=1.0,
        rarity=None,
    ):
        super().__init__()
        self.loss = loss
        self.label_smoothing, self.mean_weight = label_smoothing, mean_weight
        self.register_buffer("class_weight", class_weight)
        self.register_buffer("rarity", rarity)
        if rarity is not None:
            self.register_buffer("found", torch.zeros(2, len(rarity)))
        self.whole = _whole_loss(loss)

    def forward(self, logits, target):
        """Mean loss over the samples that count; `target` is codes, or dict with weights too."""
        codes, weights = codes_and_weights(target)
        if not (codes != IGNORED).any():
            return logits.sum() * 0.0
        if self.whole is not None:
            return self.whole(logits, codes)
        factors = None
        if self.rarity is not None and self.training:
            factors = self._factors(logits.detach(), codes).to(logits.dtype)
        if weights is None and self.class_weight is None:
            total = self._cross_entropy(logits, codes, "sum", factors)
        else:
            losses = self._cross_entropy(logits, codes, "none", factors)
            total = (losses * self._weights(codes, weights)).sum()
        return total / self._divisor(codes)

    def _factors(self, logits, codes):
        """Factors of the classes, after a look at the probabilities of a batch."""
        codes = codes[..., ::STRIDE, ::STRIDE]
        members = functional.one_hot(codes.clamp_min(0), len(self.rarity))
        members = (members * (codes != IGNORED)[..., None]).flatten(0, -2).float()
        given = torch.softmax(logits[..., ::STRIDE, ::STRIDE].float(), dim=1)
        given = given.movedim(1, -1).flatten(0, -2)
        of_batch = torch.stack([(members * given).sum(dim=0), members.sum(dim=0)])
        self.found = MEMORY * self.found + of_batch
        found = self.found[0] / self.found[1].clamp_min(torch.finfo(torch.float32).tiny)
        return 1 + (self.rarity - 1) * (1 - found)

    def _divisor(self, codes):
        return self.mean_weight * float((codes != IGNORED).sum())

    def _cross_entropy(self, logits, codes, reduction, factors=None):
        return functional.cross_entropy(
            logits,
            codes,
            weight=factors,
            ignore_index=IGNORED,
            reduction=reduction,
            label_smoothing=self.label_smoothing,
        )

    def totals(self, loss, target):
        """Sum of the losses of a batch, and the number or weight of its samples that count."""
        codes, weights = codes_and_weights(target)
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


def codes_and_weights(target):
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
