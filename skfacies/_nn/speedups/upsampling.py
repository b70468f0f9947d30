"""Decoder blocks of a U-Net that convolve before they double the resolution, not after."""

import torch
from segmentation_models_pytorch.base.modules import Attention, Conv2dReLU
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock
from torch import nn
from torch.nn import functional

__all__ = [
    "LEAST_PIXELS",
    "DoublingBlock",
    "convolve_doubled",
    "doubled_rows",
    "half_kernels",
    "spare_doubled_convolutions",
]

#: Pixels of the coarse map from which a block takes the short way. Below, to sum up the weights
#: costs more than is spared.
LEAST_PIXELS = 256

#: In training, pixels of the batch: there the gradients are summed up, too. A section's labels must
#: not depend on the batch, so in prediction it is those of each section.
LEAST_TRAINING_PIXELS = 400

#: What a doubled axis makes of a kernel of three taps: for the even and the odd outputs of an
#: axis, the taps that fall on the coarse value before and after the output's edge.
_EVEN = ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0))
_ODD = ((1.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def spare_doubled_convolutions(network):
    """Swap the decoder blocks of an smp ``Unet``, in place, for equal ones that are faster.

    Weights, their names and the results up to rounding stay as they are. Blocks with attention,
    interpolation other than "nearest", or anything else that `DoublingBlock` does not know, stay.
    """
    blocks = getattr(getattr(network, "decoder", None), "blocks", None)
    if not isinstance(blocks, nn.ModuleList):
        return
    for i, block in enumerate(blocks):
        if DoublingBlock.knows(block):
            blocks[i] = DoublingBlock(block)


class DoublingBlock(nn.Module):
    """A decoder block of smp's ``Unet`` with less arithmetic, for CPUs.

    A 3 x 3 convolution of a map that was doubled by nearest neighbors sees each coarse value up to
    four times. It equals four 2 x 2 convolutions of the coarse map, one for each place in the
    pixel, with sums of the kernel's taps: 16 products for 36. The skip connection is convolved by
    itself.

    Parameters
    ----------
    block : UnetDecoderBlock
        Its layers are taken over, not copied.
    """

    least_pixels = LEAST_PIXELS

    def __init__(self, block):
        super().__init__()
        self.interpolation_mode = block.interpolation_mode
        self.conv1, self.attention1 = block.conv1, block.attention1
        self.conv2, self.attention2 = block.conv2, block.attention2

    @staticmethod
    def knows(block):
        """Whether the block is one whose results this class repeats."""
        if type(block) is not UnetDecoderBlock or block.interpolation_mode != "nearest":
            return False
        if type(block.conv1) is not Conv2dReLU or type(block.attention1) is not Attention:
            return False
        convolution = block.conv1[0]
        return (
            type(block.attention1.attention) is nn.Identity
            and type(convolution) is nn.Conv2d
            and convolution.kernel_size == (3, 3)
            and convolution.padding == convolution.stride == convolution.dilation == (1, 1)
            and convolution.groups == 1
            and convolution.padding_mode == "zeros"
        )

    def forward(self, feature_map, target_height, target_width, skip_connection=None):
        height, width = feature_map.shape[-2:]
        doubled = (target_height, target_width) == (2 * height, 2 * width)
        on_cpu = feature_map.device.type == "cpu"
        if doubled and on_cpu and self._is_large(feature_map):
            return self.attention2(self._short_way(feature_map, skip_connection))
        feature_map = functional.interpolate(
            feature_map, size=(target_height, target_width), mode=self.interpolation_mode
        )
        if skip_connection is not None:
            feature_map = torch.cat([feature_map, skip_connection], dim=1)
        return self.attention2(self.conv2(self.conv1(feature_map)))

    def _is_large(self, coarse):
        n_items, _, height, width = coarse.shape
        if self.training:
            return n_items * height * width >= LEAST_TRAINING_PIXELS
        return height * width >= self.least_pixels

    def _short_way(self, coarse, skip_connection):
        kernels, skip_weight, bias, rest = self.weights_for(coarse.shape[1])
        if skip_weight is None:
            result = convolve_doubled(coarse, kernels, bias)
        else:
            result = functional.conv2d(skip_connection, skip_weight, bias, padding=1)
            result += convolve_doubled(coarse, kernels)
        for layer in rest:
            result = layer(result)
        return self.conv2(result)

    def weights_for(self, n_coarse):
        """Of `conv1`: kernels for the coarse map, weight for the skip connection, bias; the rest.

        Some encoders have skip connections without channels: their weight is None.
        """
        convolution, *rest = self.conv1
        coarse, skip = convolution.weight[:, :n_coarse], convolution.weight[:, n_coarse:]
        return half_kernels(coarse), skip if skip.shape[1] else None, convolution.bias, rest


def convolve_doubled(coarse, kernels, bias=None):
    """The convolution of `coarse`, doubled by nearest neighbors, with a 3 x 3 kernel.

    `coarse` is ``(batch, n_in, height, width)``, `kernels` are `half_kernels` of the kernel; the
    result is ``(batch, n_out, 2 * height, 2 * width)`` in channels-last memory, zeros assumed
    around.
    """
    result = torch.stack(list(doubled_rows(coarse, kernels, bias)), dim=2)
    return result.flatten(1, 2).permute(0, 3, 1, 2)


def doubled_rows(coarse, kernels, bias=None):
    """Yield the even and the odd rows of the same, ``(batch, height, 2 * width, n_out)``."""
    n_out = len(kernels[0]) // 2
    height = coarse.shape[-2]
    twice = None if bias is None else bias.repeat(2)
    for i, kernel in enumerate(kernels):
        # (batch, height + 1, width + 1, odd and even, n_out). In a row, the odd of a pixel is the
        # output before the even of the next: without the first and last, they lie in order.
        both = functional.conv2d(coarse, kernel, twice, padding=1).permute(0, 2, 3, 1)
        rows = both[:, i : i + height].flatten(2)[..., n_out:-n_out]
        yield rows.unflatten(-1, (-1, n_out))


def half_kernels(weight):
    """Kernels ``(2 * n_out, n_in, 2, 2)`` of the even and the odd rows; odd columns come first."""
    n_out, n_in = weight.shape[:2]
    rows = weight.new_tensor([_EVEN, _ODD])
    columns = rows.flip(0)
    sums = torch.einsum("ati,bsj->abtsij", rows, columns).reshape(16, 9)
    taps = weight.permute(0, 2, 3, 1).reshape(n_out, 9, n_in)
    with torch.autocast(weight.device.type, enabled=False):
        kernels = torch.matmul(sums, taps)  # (n_out, 16, n_in), rounded to bfloat16 only once
    kernels = kernels.view(n_out, 2, 2, 2, 2, n_in).permute(1, 2, 0, 3, 4, 5)
    return [kernels[i].flatten(0, 1).permute(0, 3, 1, 2) for i in range(2)]
