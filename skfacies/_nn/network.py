"""The segmentation network: built by name, run in channels-last memory at a chosen precision."""

import difflib
import inspect
import os
import threading
import warnings
from contextlib import contextmanager, nullcontext, suppress
from numbers import Integral

import segmentation_models_pytorch as smp
import timm
import torch
from torch import nn

from skfacies._nn.normalization import let_norms_adapt, without_dead_places
from skfacies._nn.speed import spare_doubled_convolutions

__all__ = [
    "SIZE_MULTIPLE",
    "FaciesNetwork",
    "choose_widths",
    "draws_random_numbers",
    "load_encoder",
    "seeded_torch",
    "size_multiple",
]

#: Sections are padded at their end to a multiple of this; five halvings in the usual encoders.
SIZE_MULTIPLE = 32

#: Widths of the U-Net's decoder, from the deepest level up: half of smp's, but 16 at the top.
UNET_WIDTHS = (128, 64, 32, 16, 16)

#: The attention "scse" of smp divides the widths of a decoder by this.
SCSE_REDUCTION = 16

# torch has one global generator a process. Networks are initialized from it, so threads that fit
# at the same time must take turns, or the same seed gives different weights.
_TORCH_RANDOM_LOCK = threading.RLock()

# Threads of OpenMP do not survive a fork: a child that waited for them would hang for ever. One
# thread needs no others.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


@contextmanager
def seeded_torch(seed):
    """Draw from torch's global generator with `seed`, alone, and put its old state back."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with _TORCH_RANDOM_LOCK, torch.random.fork_rng(devices=devices):
        torch.random.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        yield


class FaciesNetwork(nn.Module):
    """A network of segmentation-models-pytorch that returns float32 logits.

    Parameters
    ----------
    architecture, encoder_name : str
        Names as segmentation-models-pytorch has them, whatever the case of the architecture.
    encoder_depth : int or None
        Number of halvings; None takes the architecture's own.
    decoder_channels : tuple of int, int or None
        None takes the architecture's own, cut to the depth of the encoder.
    in_channels, n_classes : int
    precision : {"float32", "bfloat16"}
    **options
        More arguments of the architecture, such as ``decoder_attention_type="scse"``.

    Attributes
    ----------
    multiple : int
        Both axes of the input must be a multiple of this.
    smallest : int
        Inputs that are smaller are mirrored up to this size, and the logits cut back.

    Raises
    ------
    ValueError
        If these names and options make no network that takes sections of any size. The network is
        tried on small inputs first: not every encoder goes with every decoder, depth and size, and
        most of what does not is noticed only deep in a forward pass.

    Notes
    -----
    Input is ``(batch, in_channels, n_traces, n_samples)``, and a mask of dead samples without the
    axis of channels if there are some; output ``(batch, n_classes, n_traces, n_samples)``. No
    softmax: the loss takes logits.
    """

    def __init__(
        self,
        *,
        architecture="Unet",
        encoder_name="resnet18",
        encoder_depth=5,
        decoder_channels=None,
        in_channels=1,
        n_classes=2,
        precision="float32",
        **options,
    ):
        super().__init__()
        model_class = _architecture_class(architecture)
        _check_encoder_name(encoder_name)
        _check_options(model_class, encoder_name, options)
        _check_decoder_channels(model_class, encoder_depth, decoder_channels, options)
        wanted = {"encoder_name": encoder_name, "in_channels": in_channels, "classes": n_classes}
        try:
            self.network, self.multiple, self.smallest = _build(
                model_class, encoder_depth, decoder_channels, wanted | options
            )
        except Exception as error:  # smp, timm and torch raise all kinds, AssertionError too
            raise ValueError(
                f"architecture={model_class.__name__!r} does not work with encoder_name="
                f"{encoder_name!r} at encoder_depth={encoder_depth}"
                + (f" and module options {options}" if options else "")
                + f": {_first_sentence(error)}. "
                + _way_out(model_class, encoder_depth, wanted, options)
            ) from error
        _let_batch_norm_take_single_values(self.network)
        let_norms_adapt(self.network.encoder)
        spare_doubled_convolutions(self.network)
        self._layout = _memory_format(self.network)
        self.network.to(memory_format=self._layout)
        self.precision = precision

    def forward(self, amplitudes, dead=None):
        """Logits ``(batch, n_classes, n_traces, n_samples)`` in float32."""
        shape = amplitudes.shape[-2:]
        if min(shape) < self.smallest:
            amplitudes = _mirror_to(amplitudes, self.smallest)
            dead = None if dead is None else _mirror_to(dead, self.smallest)
        amplitudes = amplitudes.contiguous(memory_format=self._layout)
        autocast = torch.autocast(
            amplitudes.device.type,
            dtype=torch.bfloat16,
            enabled=self.precision == "bfloat16",
        )
        with autocast, without_dead_places(dead) if dead is not None else nullcontext():
            logits = self.network(amplitudes)
        if logits.shape[-2:] != amplitudes.shape[-2:]:
            raise ValueError(
                f"architecture={type(self.network).__name__!r} gives logits of "
                f"{tuple(logits.shape[-2:])} for sections padded to "
                f"{tuple(amplitudes.shape[-2:])}; they must be of one size. Pad to a multiple of "
                f"{self.multiple}, or use another `architecture` or `encoder_name`."
            )
        return logits[..., : shape[0], : shape[1]].float()


# --- what is asked for ----------------------------------------------------------------------------


def _architecture_class(architecture):
    classes = {
        name.lower(): getattr(smp, name)
        for name in dir(smp)
        if inspect.isclass(getattr(smp, name)) and issubclass(getattr(smp, name), nn.Module)
    }
    if not isinstance(architecture, str) or architecture.lower() not in classes:
        names = sorted(cls.__name__ for cls in classes.values())
        raise ValueError(
            f"`architecture` must be one of {names}; got {architecture!r}. These are the decoders "
            "of segmentation-models-pytorch."
        )
    return classes[architecture.lower()]


def _check_encoder_name(encoder_name):
    names = smp.encoders.get_encoder_names()
    timm_name = _timm_name(encoder_name)
    if encoder_name in names or (timm_name is not None and timm.is_model(timm_name)):
        return
    known = names + [f"tu-{name}" for name in timm.list_models()]
    close = difflib.get_close_matches(encoder_name, known, n=12, cutoff=0.5) or names[:12]
    raise ValueError(
        f"`encoder_name` must be an encoder of segmentation-models-pytorch, or 'tu-' and a name "
        f"of timm; got {encoder_name!r}. Names like it: {', '.join(close)}."
    )


def _timm_name(encoder_name):
    """Name of the model in timm that smp will ask for, or None for an encoder of its own."""
    name = str(encoder_name)
    if smp.encoders.is_equivalent_to_timm_universal(name):
        name = name.replace("timm-", "tu-tf_" if "mobilenetv3" in name else "tu-")
    return name.removeprefix("tu-") if name.startswith("tu-") else None


def _check_options(model_class, encoder_name, options):
    """Refuse what smp would ignore: it hands unknown options on, to encoders that take none."""
    known = [
        name
        for name, parameter in inspect.signature(model_class.__init__).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD and name != "self"
    ]
    taken = sorted(set(options) & {"classes", "encoder_weights", "aux_params"})
    if taken:
        raise ValueError(
            f"`net_params` cannot set {[f'module__{name}' for name in taken]}: classes follow from "
            "the labels, weights from `encoder_weights`, and the network has one output."
        )
    unknown = sorted(set(options) - set(known))
    if unknown and _timm_name(encoder_name) is None:
        raise ValueError(
            f"architecture={model_class.__name__!r} has no options {unknown} (module__… in "
            f"`net_params`); it has {known}."
        )


def _check_decoder_channels(model_class, encoder_depth, decoder_channels, options):
    """Refuse widths that smp would trip over, by names that its messages do not have."""
    if decoder_channels is None:
        return
    name = model_class.__name__
    default = _default(model_class, "decoder_channels")
    if default is None:
        raise ValueError(
            f"`decoder_channels` is not an option of architecture={name!r}; leave it at None, or "
            "give that architecture's options in net_params as {'module__<option>': value}."
        )
    depth = _default(model_class, "encoder_depth") if encoder_depth is None else encoder_depth
    if isinstance(default, int):
        expected = f"one width, an int such as {default}"
        fits = isinstance(decoder_channels, Integral)
    else:
        expected = f"{depth} widths, one for each level of `encoder_depth`, such as "
        expected += f"{default[-depth:] if depth <= len(default) else (16,) * depth}"
        fits = not isinstance(decoder_channels, Integral) and len(decoder_channels) == depth
    widths = (decoder_channels,) if isinstance(decoder_channels, Integral) else decoder_channels
    if not fits or min(widths) < 1:
        raise ValueError(
            f"`decoder_channels` of architecture={name!r} must be {expected}; got "
            f"{decoder_channels!r}. None takes the architecture's own."
        )
    if options.get("decoder_attention_type") == "scse" and min(widths) < SCSE_REDUCTION:
        raise ValueError(
            f"decoder_attention_type='scse' needs `decoder_channels` of at least {SCSE_REDUCTION}, "
            f"since it divides them by {SCSE_REDUCTION}; got {decoder_channels!r}. Use wider "
            "levels, or leave that option out of net_params."
        )


def _default(model_class, name):
    parameter = inspect.signature(model_class.__init__).parameters.get(name)
    return None if parameter is None else parameter.default


def choose_widths(architecture, encoder_depth):
    """Widths that ``decoder_channels="auto"`` stands for; None is the architecture's own."""
    if str(architecture).lower() != "unet":
        return None
    depth = len(UNET_WIDTHS) if encoder_depth is None else encoder_depth
    deeper = UNET_WIDTHS[:1] * (depth - len(UNET_WIDTHS))
    return (*deeper, *UNET_WIDTHS[-depth:])


# --- building and trying --------------------------------------------------------------------------


def _build(model_class, encoder_depth, decoder_channels, options):
    """Build a network that takes sections of any size; what it needs them padded to.

    Encoders of timm for one size of image mostly have an option that frees them of it.
    """
    depth = _default(model_class, "encoder_depth") if encoder_depth is None else encoder_depth
    options = {**_size_options(model_class, depth, decoder_channels), **options}
    freedoms = [{}]
    if _timm_name(options["encoder_name"]) is not None:
        freedoms = [{}, {"dynamic_img_size": True}, {"strict_img_size": False}]
    if model_class is smp.DPT:  # its plain encoders take one size only: do not build them in vain
        freedoms = freedoms[1:] + freedoms[:1]
    errors = []
    for freedom in freedoms:
        if set(freedom) & set(options):
            continue
        try:
            with warnings.catch_warnings():
                # DPT says that it recommends another readout for encoders without a class token.
                warnings.filterwarnings("ignore", "Encoder does not have prefix tokens")
                warnings.filterwarnings("ignore", "Initializing zero-element tensors")
                network = model_class(encoder_weights=None, **options, **freedom)
            return network, *_input_sizes(network, options["encoder_name"], options["in_channels"])
        except Exception as error:
            if not any(name in str(error) for name in freedom):  # it may have no such option
                errors.append(error)
    raise errors[-1] if freedoms[-1] else errors[0]  # of the freer encoder, which came further


def _size_options(model_class, depth, decoder_channels):
    """Arguments that must agree with the depth, and by default agree with smp's default depth."""
    options = {"encoder_depth": depth}
    if decoder_channels is not None:
        options["decoder_channels"] = decoder_channels
    elif isinstance(default := _default(model_class, "decoder_channels"), tuple):
        options["decoder_channels"] = default[-depth:]
    if model_class is smp.PSPNet:  # all from the deepest level
        options["upsampling"] = 2**depth
    elif model_class is smp.FPN:  # a pyramid of the four deepest levels
        options["upsampling"] = 2 ** (depth - 3)
    elif model_class is smp.DPT:
        default = _default(model_class, "decoder_intermediate_channels")
        options["decoder_intermediate_channels"] = default[:depth]
    return options


def _input_sizes(network, encoder_name, in_channels):
    """Multiple and smallest size of both axes, found by trying; the first error if there is none.

    The smallest size is larger than the multiple where a decoder halves on by itself (PAN), the
    multiple larger than the encoder's halvings where attention is cut into windows (MaxViT).
    """
    multiple = max(SIZE_MULTIPLE, int(getattr(network.encoder, "output_stride", 0) or 0))
    sizes = [(multiple, factor * multiple) for factor in (1, 2, 4, 8)]
    timm_name = _timm_name(encoder_name)
    if timm_name is not None:
        image = timm.get_pretrained_cfg(timm_name)
        sizes += [(size, size) for size in {max(image.input_size[1:])} if size % multiple == 0]
    errors = []
    network.eval()  # draws no random numbers and leaves the running statistics
    for multiple, smallest in sizes:
        try:
            _try(network, in_channels, (smallest, smallest))
            _try(network, in_channels, (smallest + multiple, smallest + 2 * multiple))
        except Exception as error:
            errors.append(error)
        else:
            network.train()
            return multiple, smallest
    size = sizes[0][1]
    raise ValueError(f"sections of {size} by {size} fail: {errors[0]}") from errors[0]


@torch.no_grad()
def _try(network, in_channels, shape):
    logits = network(torch.zeros(1, in_channels, *shape))
    if not isinstance(logits, torch.Tensor) or logits.shape[-2:] != shape:
        got = tuple(logits.shape[-2:]) if isinstance(logits, torch.Tensor) else type(logits)
        raise ValueError(f"it gives {got} for an input of {shape}, where that size is needed")


def _first_sentence(error):
    text = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return text[:300].rstrip(".!") or type(error).__name__


def _way_out(model_class, encoder_depth, wanted, options):
    """Tell what would work, found by trying."""
    trials = [("Leave these options out of net_params", encoder_depth, wanted)] if options else []
    for depth in (5, 4, 3):
        trials.append((f"Use encoder_depth={depth}", depth, wanted | options))
    for advice, depth, trial in trials:
        with suppress(Exception):
            _build(model_class, depth, None, trial)
            return f"{advice}: that works."
    if model_class is smp.DPT:
        return (
            "DPT takes vision transformers of timm with patches of 8, 16 or 32, at encoder_depth=4 "
            "or less, as encoder_name='tu-vit_tiny_patch16_224'. Or use another `architecture`."
        )
    if _default(model_class, "encoder_output_stride") is not None:
        return (
            f"{model_class.__name__} dilates the encoder, which transformers and networks that "
            "pool do not allow. Use a ResNet as `encoder_name`, or another `architecture`."
        )
    return (
        "Use another `architecture` or `encoder_name`: 'Unet' takes most encoders, and 'resnet18' "
        "goes with all architectures but DPT. Vision transformers go with DPT at encoder_depth=4."
    )


# --- inputs of all sizes --------------------------------------------------------------------------


def _mirror_to(amplitudes, smallest):
    """Mirror short axes at their end; torch's own padding cannot go on beyond one reflection."""
    for axis in (-2, -1):
        if (size := amplitudes.shape[axis]) < smallest:
            position = torch.arange(smallest, device=amplitudes.device) % (2 * size)
            position = torch.minimum(position, 2 * size - 1 - position)
            amplitudes = amplitudes.index_select(axis, position)
    return amplitudes


def _memory_format(network):
    """Channels last, the faster, unless the network has a convolution that it breaks.

    In torch 2.14.1 (oneDNN, AVX512) the gradient of strided 1 by 1 convolutions with 2 to 15 input
    channels writes beyond its memory in that layout: GERNet has one, MobileOne with depth channel.
    """
    broken = any(
        part.kernel_size == (1, 1) and part.stride != (1, 1) and 1 < part.in_channels < 16
        for part in network.modules()
        if isinstance(part, nn.Conv2d)
    )
    return torch.contiguous_format if broken else torch.channels_last


def _let_batch_norm_take_single_values(network):
    """Have batch norm use its running statistics where a channel has one value in the batch.

    That is where a decoder pools a batch of one over the whole section, or a section of the
    smallest size comes down to one value; torch refuses, since one value has no spread. Hooks and
    not a subclass, for timm has batch norms of its own.
    """
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.track_running_stats:
            part.register_forward_pre_hook(_freeze_for_single_values)
            part.register_forward_hook(_unfreeze, always_call=True)


def _freeze_for_single_values(norm, inputs):
    if norm.training and inputs[0].numel() == inputs[0].shape[1]:
        norm.training, norm.single_value = False, True


def _unfreeze(norm, inputs, output):
    if norm.__dict__.pop("single_value", False):
        norm.training = True


def size_multiple(module):
    """Multiple that both axes of a padded section must have for this network."""
    return module.multiple


# --- weights and chance ---------------------------------------------------------------------------


def load_encoder(module, encoder_name, state):
    """Give a network's encoder pretrained weights that were made for three input channels."""
    own = module.network.encoder
    wanted = own.state_dict()
    state = dict(state)
    if _timm_name(encoder_name) is not None:
        state = _rename_as(wanted, state)
    try:
        for name, value in state.items():
            if name in wanted and value.shape != wanted[name].shape:
                state[name] = _fit_colors(value, wanted[name].shape)
        own.load_state_dict(state)
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"`encoder_weights` do not fit encoder_name={encoder_name!r}: {error}"
        ) from error


def _rename_as(wanted, state):
    """Weights by the names in `wanted`, from names of timm; it flattens them in feature encoders.

    Classifiers and levels below `encoder_depth`, which the encoder does not have, are left out.
    """

    def plain(name):
        return name.removeprefix("model.").replace(".", "_")

    found = {plain(name): value for name, value in state.items()}
    return {name: found[plain(name)] for name in wanted if plain(name) in found}


def _fit_colors(weight, shape):
    """Sum (one channel) or spread a first layer's colors, as smp does with weights of its own."""
    if weight.ndim != 4 or weight.shape[1] != 3 or shape[1] == 3:
        return weight
    if shape[1] == 1:
        return weight.sum(1, keepdim=True)
    colors = torch.arange(shape[1]) % 3
    return weight[:, colors] * (3 / shape[1])


def draws_random_numbers(module):
    """Tell whether training the network may draw random numbers (dropout, stochastic depth)."""
    # All attributes, for some encoders drop by functions: a rate that is not used costs nothing
    # but that fits in other threads must wait.
    return any(
        isinstance(value, (int, float)) and value > 0
        for part in module.modules()
        for name, value in vars(part).items()
        if "drop" in name.lower() or (name == "p" and "drop" in type(part).__name__.lower())
    )
