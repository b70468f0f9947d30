"""Networks as prediction runs them: norms folded into convolutions, weights cast once."""

import copy
import threading
from weakref import WeakKeyDictionary

import torch
from segmentation_models_pytorch.base.modules import Conv2dReLU
from segmentation_models_pytorch.encoders.resnet import ResNetEncoder
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from skfacies._nn.speedups.upsampling import LEAST_PIXELS, DoublingBlock, doubled_rows

__all__ = ["prepared_for_prediction"]

_prepared = WeakKeyDictionary()
_preparing = threading.Lock()


def prepared_for_prediction(module):
    """A network with the results of `module` up to rounding, which does less for each batch.

    Batch norms of the decoder and the encoder's first go by the training's statistics: they are
    folded into the convolutions before them. Convolutions have their weights at the precision that
    autocast would cast them to, batch by batch.

    Parameters
    ----------
    module : FaciesNetwork
        In evaluation mode; it is not changed.

    Returns
    -------
    module : FaciesNetwork
        Made once, and again when weights have changed; it shares some. `module` itself if it is not
        on a CPU, if it is compiled, and where somebody else has changed what its parts do.
    """
    if next(module.parameters()).device.type != "cpu" or not _is_as_it_was_built(module):
        return module
    with _preparing, torch.no_grad():  # threads of Dask share a model
        state, (known, prepared) = _state_of(module), _prepared.get(module, (None, None))
        if state != known:
            dtype = torch.bfloat16 if module.precision == "bfloat16" else None
            prepared = _prepare(module, dtype, {})
            _prepared[module] = state, prepared
        return prepared


def _state_of(module):
    """What differs when weights have changed, also by ways that torch does not count."""
    tensors = [*module.parameters(), *module.buffers()]
    sums = torch.stack([tensor.sum().double() for tensor in tensors])
    return module.precision, [tensor.data_ptr() for tensor in tensors], sums.tolist()


def _is_as_it_was_built(module):
    """Not compiled, and without parametrizations and others' hooks: the copies would pass by."""
    return not hasattr(module, "_orig_mod") and not any(
        hasattr(part, "parametrizations")
        or any(map(_is_foreign, (*part._forward_hooks.values(), *part._forward_pre_hooks.values())))
        for part in module.modules()
    )


def _is_foreign(hook):
    return str(getattr(hook, "__module__", "")).partition(".")[0] != __name__.partition(".")[0]


def _prepare(module, dtype, done):
    """A copy of the tree of modules, not of their weights, with quicker parts where there are.

    `dtype` is that of autocast, or None; `done` has the copies of what occurs in several places.
    """
    if module not in done:
        if type(module) is nn.Conv2d:
            done[module] = _ReadyConv2d(module, module.weight, module.bias, dtype)
        elif type(module) is Conv2dReLU and _is_foldable(module[0], module[1]):
            convolution = _folded(module[0], module[1], dtype)
            done[module] = nn.Sequential(convolution, _prepare(module[2], dtype, done))
        else:
            done[module] = _copy(module, dtype, done)
    return done[module]


def _copy(module, dtype, done):
    twin = copy.copy(module)
    twin._modules = {name: _prepare(part, dtype, done) for name, part in module._modules.items()}
    if type(module) is ResNetEncoder and _is_foldable(module.conv1, module.bn1):
        twin.conv1, twin.bn1 = _folded(module.conv1, module.bn1, dtype), nn.Identity()
        if _ReadyStem.knows(module.conv1):
            twin.conv1 = _ReadyStem(twin.conv1, dtype)
        if _ReadyPooling.knows(module.maxpool) and dtype is not None:  # slower at float32
            twin.maxpool = _ReadyPooling(module.maxpool)
    if type(module) is DoublingBlock:
        twin.__class__ = _ReadyDoublingBlock
        twin.dtype, twin.kept = dtype, {}
    return twin


def _is_foldable(convolution, norm):
    return (
        type(convolution) is nn.Conv2d
        and type(norm) is nn.BatchNorm2d
        and norm.track_running_stats
        and not norm.training
    )


def fold(convolution, norm):
    """Weight and bias of one convolution that does what a convolution and its batch norm do."""
    return fuse_conv_bn_weights(
        *(convolution.weight, convolution.bias),
        *(norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias),
    )


def _folded(convolution, norm, dtype):
    return _ReadyConv2d(convolution, *fold(convolution, norm), dtype)


def _cast(parts, dtype):
    return [part if part is None or dtype is None else part.to(dtype) for part in parts]


class _ReadyConv2d(nn.Conv2d):
    """A convolution with its weights at the precision of autocast, and as they are for elsewhere.

    Parameters
    ----------
    convolution : Conv2d
        What kernels do, their padding and so on, is taken from it.
    weight, bias : tensors
        The bias may be None.
    dtype : torch.dtype or None
        Of autocast.
    """

    def __init__(self, convolution, weight, bias, dtype):
        self.__dict__.update(convolution.__dict__)
        self._parameters = {"weight": weight, "bias": bias}
        self.cast = _cast([weight, bias], dtype)

    def forward(self, maps):
        if torch.is_autocast_enabled(maps.device.type):
            return self._conv_forward(maps, *self.cast)
        return super().forward(maps)


class _ReadyStem(nn.Module):
    """A ResNet's first convolution of one channel, 7 x 7 with a stride of two, in less time.

    oneDNN has no quick way for a single channel. Of pixels of 2 x 2, taken as four channels, the
    same is a convolution of 4 x 4 with a stride of one: it takes half the time or less.

    Parameters
    ----------
    convolution : Conv2d
    dtype : torch.dtype or None
        Of autocast.
    """

    def __init__(self, convolution, dtype):
        super().__init__()
        self.convolution = convolution  # for maps of other sizes
        weight = functional.pad(convolution.weight, (1, 0, 1, 0)).unflatten(3, (4, 2))
        weight = weight.unflatten(2, (4, 2)).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
        weight = weight.contiguous(memory_format=torch.channels_last)
        self.cast = _cast([weight, convolution.bias], dtype)

    @staticmethod
    def knows(convolution):
        """Whether it is one that this class repeats."""
        return (
            (convolution.in_channels, convolution.groups) == (1, 1)
            and convolution.kernel_size == (7, 7)
            and convolution.stride == (2, 2)
            and convolution.padding == (3, 3)
            and convolution.dilation == (1, 1)
            and convolution.padding_mode == "zeros"
        )

    def forward(self, maps):
        if maps.shape[-2] % 2 or maps.shape[-1] % 2:
            return self.convolution(maps)
        maps = functional.pad(maps, (4, 2, 4, 2))[:, 0]
        pixels = maps.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).transpose(2, 3).flatten(3)
        return functional.conv2d(pixels.permute(0, 3, 1, 2), *self.cast)


class _ReadyPooling(nn.Module):
    """The largest of 3 x 3 with a stride of two, by comparing slices: no places are recorded."""

    def __init__(self, pooling):
        super().__init__()
        self.pooling = pooling  # for maps of other sizes

    @staticmethod
    def knows(pooling):
        """Whether it is one that this class repeats."""
        return (
            type(pooling) is nn.MaxPool2d
            and (pooling.kernel_size, pooling.stride, pooling.padding) == (3, 2, 1)
            and pooling.dilation == 1
        )

    def forward(self, maps):
        if maps.shape[-2] % 2 or maps.shape[-1] % 2:
            return self.pooling(maps)
        for dim in (2, 3):
            before, after = maps.unflatten(dim, (-1, 2)).unbind(dim + 1)
            maps = torch.maximum(before, after)
            n_others = maps.shape[dim] - 1
            others = maps.narrow(dim, 1, n_others)
            torch.maximum(others, after.narrow(dim, 0, n_others), out=others)
        return maps


class _ReadyDoublingBlock(DoublingBlock):
    """A block that makes its kernels once, and puts rows where they belong as it goes."""

    least_pixels = LEAST_PIXELS // 2  # kernels are made once for several sections

    def weights_for(self, n_coarse):
        if n_coarse not in self.kept:
            kernels, *others, rest = super().weights_for(n_coarse)
            kernels, others = _cast(kernels, self.dtype), _cast(others, self.dtype)
            self.kept[n_coarse] = kernels, *others, rest
        return self.kept[n_coarse]

    def _short_way(self, coarse, skip_connection):
        kernels, skip_weight, bias, rest = self.weights_for(coarse.shape[1])
        if [type(layer) for layer in rest] != [nn.ReLU]:
            return super()._short_way(coarse, skip_connection)
        if skip_weight is None:
            even, odd = doubled_rows(coarse, kernels, bias)
            result = even.new_empty((*even.shape[:2], 2, *even.shape[2:]))
            for i, rows in enumerate((even, odd)):
                torch.clamp_min(rows, 0, out=result[:, :, i])
        else:
            result = functional.conv2d(skip_connection, skip_weight, bias, padding=1)
            result = result.permute(0, 2, 3, 1).unflatten(1, (-1, 2))
            for i, rows in enumerate(doubled_rows(coarse, kernels)):
                result[:, :, i] += rows
            result = result.relu_()
        return self.conv2(result.flatten(1, 2).permute(0, 3, 1, 2))
