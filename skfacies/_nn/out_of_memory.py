"""A device that runs out of memory: batches are halved, and training goes on."""

import warnings

import torch
from skorch import NeuralNet
from skorch.dataset import unpack_data

from skfacies._nn.losses import codes_and_weights
from skfacies._sections.sections import IGNORED

__all__ = ["OutOfMemory", "SparingNet", "empty_device"]

OutOfMemory = torch.cuda.OutOfMemoryError


def empty_device(what, remedy):
    """Give back what a failed step has left on the device, and warn that batches are halved.

    To be called outside of the `except` clause, whose error holds the step's tensors.
    """
    torch.cuda.empty_cache()
    warnings.warn(
        f"the device has run out of memory. {what} goes on with half of the batch at a time. "
        f"{remedy}",
        UserWarning,
        stacklevel=2,
    )


class SparingNet(NeuralNet):
    """A net that takes batches in two halves once the device has run out of memory.

    The gradients of both halves are added before the step. Only batch norm sees smaller batches.
    """

    _in_halves = False
    interrupted = False

    def train_step_single(self, batch, **fit_params):
        step = self._whole_or_none(super().train_step_single, batch, fit_params)
        if step is not None:
            return step
        self._zero_grad_optimizer()
        self._set_training(True)
        n_counted = [_n_counted(yi) for _, yi in _halves(batch)]
        total, predicted = 0.0, []
        for n, (Xi, yi) in zip(n_counted, _halves(batch), strict=True):
            logits = self.infer(Xi, **fit_params)
            loss = self.get_loss(logits, yi, X=Xi, training=True) * (n / max(sum(n_counted), 1))
            loss.backward()
            total = total + loss.detach()
            predicted.append(logits.detach())
        return {"loss": total, "y_pred": torch.cat(predicted)}

    def validation_step(self, batch, **fit_params):
        step = self._whole_or_none(super().validation_step, batch, fit_params)
        if step is not None:
            return step
        Xi, yi = unpack_data(batch)
        with torch.no_grad():
            logits = torch.cat([self.infer(own, **fit_params) for own, _ in _halves(batch)])
            loss = self.get_loss(logits, yi, X=Xi, training=False)
        return {"loss": loss, "y_pred": logits}

    def _whole_or_none(self, step, batch, fit_params):
        """What a step gives, or None if its batch is to be taken in halves."""
        if _length(batch) < 2:
            return step(batch, **fit_params)
        if not self._in_halves:
            try:
                return step(batch, **fit_params)
            except OutOfMemory:
                self._in_halves = True
            empty_device("Training", "A smaller `batch_size` or `crop_size` avoids this.")
        return None


def _length(value):
    if isinstance(value, (list, tuple)):
        return _length(value[0])
    return _length(next(iter(value.values()))) if isinstance(value, dict) else len(value)


def _halves(batch):
    middle = _length(batch) // 2
    return [_part(batch, slice(middle)), _part(batch, slice(middle, None))]


def _part(value, rows):
    if isinstance(value, (list, tuple)):
        return [_part(each, rows) for each in value]
    if isinstance(value, dict):
        return {name: _part(each, rows) for name, each in value.items()}
    return value[rows]


def _n_counted(target):
    return float((codes_and_weights(target)[0] != IGNORED).sum())
