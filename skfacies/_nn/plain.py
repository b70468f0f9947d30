"""The network alone, without what makes it fast or goes by the section: for other runtimes."""

import copy

from torch import nn

from skfacies._nn.normalization import SectionBatchNorm2d

__all__ = ["plain_network"]


def plain_network(module):
    """A copy of the network of segmentation-models-pytorch in a `FaciesNetwork`.

    Its weights are float32 on the CPU. Batch norms go by the statistics of the training, decoder
    blocks go the common way, and no hooks are left.

    Parameters
    ----------
    module : FaciesNetwork

    Returns
    -------
    network : torch.nn.Module
        In evaluation mode. Both axes of its input must be a multiple of ``module.multiple``, and no
        less than ``module.smallest``.
    """
    network = copy.deepcopy(getattr(module, "_orig_mod", module).network).float().cpu().eval()
    for part in network.modules():
        for hooks in (
            part._forward_hooks,
            part._forward_pre_hooks,
            part._forward_hooks_always_called,
        ):
            hooks.clear()
        if isinstance(part, SectionBatchNorm2d):
            part.__class__ = nn.BatchNorm2d
        if hasattr(part, "least_pixels"):  # a DoublingBlock: tracing must not see its choice
            part._is_large = _never
    return network.requires_grad_(False)


def _never(coarse):
    return False
