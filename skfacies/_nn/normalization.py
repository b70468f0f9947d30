"""Batch norms that go by a section's own statistics in prediction."""

import threading
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

__all__ = [
    "SectionBatchNorm2d",
    "let_norms_adapt",
    "normalized_by_section",
    "prior_for",
    "without_dead_places",
]

#: Difference of the number of samples, as a part of it, up to which a section is as high as those
#: of the training.
SAME_HEIGHT = 0.05

_this_thread = threading.local()


@contextmanager
def normalized_by_section(prior):
    """Let the norms of networks that this thread runs go by each section's own statistics.

    Parameters
    ----------
    prior : float or None
        Places of a map that the statistics of the training count for: of a map with n places,
        the section's own have the share ``n / (n + prior)``. None: the training's only.
    """
    before = getattr(_this_thread, "prior", None)
    _this_thread.prior = prior
    try:
        yield
    finally:
        _this_thread.prior = before


@contextmanager
def without_dead_places(dead):
    """Let places of dead samples have no say in the statistics of the networks' norms.

    Parameters
    ----------
    dead : tensor of shape (n_items, n_traces, n_samples), or None
        1 for samples that nothing was recorded at, else 0; in the size of the network's input.
    """
    before = getattr(_this_thread, "live", None)
    _this_thread.live = None if dead is None or not bool(dead.any()) else 1 - dead[:, None]
    try:
        yield
    finally:
        _this_thread.live = before


def prior_for(height, prior, heights):
    """The prior for sections of so many samples: None where they show other depths.

    In a window of the depths that were learned from, other units lie, and their statistics are
    not those of the survey.

    Parameters
    ----------
    height : int
    prior : float or None
        Of `normalized_by_section`, for sections that are like those of the training.
    heights : tuple (least, most) or None
        Number of samples of the training sections; None: not known.
    """
    if prior is None or heights is None:
        return None
    least, most = heights
    alike = (1 - SAME_HEIGHT) * least <= height <= (1 + SAME_HEIGHT) * most
    return prior if alike else None


def let_norms_adapt(encoder):
    """Swap the batch norms of an encoder, in place, for `SectionBatchNorm2d`; the first stays.

    Its maps are the largest, and follow the amplitudes, which have been scaled.
    """
    norms = [part for part in encoder.modules() if type(part) is nn.BatchNorm2d]
    for norm in norms[1:]:
        if norm.track_running_stats:
            norm.__class__ = SectionBatchNorm2d  # same weights, names and hooks


class SectionBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose statistics in prediction are those of the training and of the section.

    Far from the training lines the statistics of feature maps drift, and a network that subtracts
    the training's takes one unit for another. Each item of a batch is normalized by itself, so
    that what else is predicted changes nothing. Outside of `normalized_by_section`, and in
    training, this is torch's batch norm.

    References
    ----------
    .. [1] S. Schneider, E. Rusak et al., "Improving robustness against common corruptions by
       covariate shift adaptation", NeurIPS 2020.
    """

    def forward(self, maps):
        live = getattr(_this_thread, "live", None)
        if live is not None:
            live = functional.adaptive_avg_pool2d(live, maps.shape[-2:])
        prior = getattr(_this_thread, "prior", None)
        n_places = maps.shape[-2] * maps.shape[-1]
        if self.training:
            if live is None or float(live.sum()) < 2:
                return super().forward(maps)
            return self._normalize(maps, *self._learn(maps, live))
        if prior is None or n_places < 2:  # a single value has no spread
            return super().forward(maps)
        share = n_places / (n_places + prior)
        if live is not None:
            items = zip(maps.split(1), live.split(1), strict=True)
            return torch.cat([self._normalize_live(*item, prior) for item in items])
        if maps.device.type == "cpu" and not torch.is_grad_enabled():
            return self._normalize_fast(maps, share)
        items = []
        for item in maps.split(1):
            mean, variance = self.running_mean.clone(), self.running_var.clone()
            functional.batch_norm(item, mean, variance, training=True, momentum=share)
            items.append(
                functional.batch_norm(item, mean, variance, self.weight, self.bias, eps=self.eps)
            )
        return torch.cat(items)

    def _normalize_live(self, maps, live, prior):
        """One section, by the statistics of its live places and those of the training."""
        n_live = float(live.sum())
        if n_live < 2:
            return super().forward(maps)
        share = n_live / (n_live + prior)
        mean, variance = _live_statistics(maps, live)
        mean = torch.lerp(self.running_mean, mean, share)
        variance = torch.lerp(self.running_var, variance * (n_live / (n_live - 1)), share)
        return self._normalize(maps, mean, variance)

    def _learn(self, maps, live):
        """Statistics of the live places of a batch, which those of the training learn from."""
        mean, variance = _live_statistics(maps, live)
        n_live = float(live.sum())
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (n_live / (n_live - 1)), self.momentum)
        return mean, variance

    def _normalize(self, maps, mean, variance):
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return (maps * scale[:, None, None] + shift[:, None, None]).to(maps.dtype)

    def _normalize_fast(self, maps, share):
        """The same by operations that compute nothing but the statistics, and copy nothing."""
        result = torch.empty_like(maps)
        for item, out in zip(maps.split(1), result.split(1), strict=True):
            mean, variance = self.running_mean.clone(), self.running_var.clone()
            torch.batch_norm_update_stats(item, mean, variance, share)
            torch.native_batch_norm(
                item,
                *(self.weight, self.bias, mean, variance),
                *(False, 0.0, self.eps),
                out=(out, mean.new_empty(0), mean.new_empty(0)),
            )
        return result


def _live_statistics(maps, live):
    """Mean and biased variance of each feature map over its live places, which are weights."""
    maps, total = maps.float(), live.sum()
    mean = (maps * live).sum((0, 2, 3)) / total
    variance = ((maps - mean[:, None, None]).square() * live).sum((0, 2, 3)) / total
    return mean, variance
