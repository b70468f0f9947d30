"""The segmentation network: built by name, run in channels-last memory at a chosen precision."""

import inspect
import threading
from contextlib import contextmanager

import segmentation_models_pytorch as smp
import torch
from torch import nn

__all__ = [
    "SIZE_MULTIPLE",
    "FaciesNetwork",
    "choose_device",
    "choose_precision",
    "draws_random_numbers",
    "load_encoder",
    "seeded_torch",
    "size_multiple",
]

#: Sections are padded at their end to a multiple of this; five halvings in the usual encoders.
SIZE_MULTIPLE = 32

UNET_CHANNELS = (256, 128, 64, 32, 16)

# torch has one global generator a process. Networks are initialised from it, so threads that fit
# at the same time must take turns, or the same seed gives different weights.
_TORCH_RANDOM_LOCK = threading.RLock()


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

    Notes
    -----
    Input is ``(batch, in_channels, n_traces, n_samples)``, output ``(batch, n_classes, n_traces,
    n_samples)``. No softmax: the loss takes logits.
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
        options = {**_size_options(model_class, encoder_depth, decoder_channels), **options}
        try:
            self.network = model_class(
                encoder_name=encoder_name,
                encoder_weights=None,
                in_channels=in_channels,
                classes=n_classes,
                **options,
            )
        except (KeyError, TypeError, ValueError, AssertionError, RuntimeError) as error:
            raise ValueError(
                f"architecture={architecture!r} with encoder_name={encoder_name!r} cannot be built "
                f"from `encoder_depth`, `decoder_channels` and module options {options}: {error}"
            ) from error
        self.network.to(memory_format=torch.channels_last)
        self.precision = precision

    def forward(self, amplitudes):
        """Logits ``(batch, n_classes, n_traces, n_samples)`` in float32."""
        amplitudes = amplitudes.contiguous(memory_format=torch.channels_last)
        with torch.autocast(
            amplitudes.device.type,
            dtype=torch.bfloat16,
            enabled=self.precision == "bfloat16",
        ):
            try:
                logits = self.network(amplitudes)
            except RuntimeError as error:
                if "too small" not in str(error):
                    raise
                raise ValueError(
                    f"sections padded to {tuple(amplitudes.shape[-2:])} are too small for "
                    f"architecture={type(self.network).__name__!r}: {error}. Use larger sections, "
                    "a larger `crop_size`, or another architecture."
                ) from error
        return logits.float()


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
    if encoder_name in names or str(encoder_name).startswith(("tu-", "timm-")):
        return
    close = [name for name in names if name[:4] == str(encoder_name)[:4]] or names[:12]
    raise ValueError(
        f"`encoder_name` must be an encoder of segmentation-models-pytorch, or 'tu-' and a name "
        f"of timm; got {encoder_name!r}. Names like it: {', '.join(close[:12])}."
    )


def _check_options(model_class, encoder_name, options):
    """Refuse what smp would ignore: it hands unknown options on, to encoders that take none."""
    known = [
        name
        for name, parameter in inspect.signature(model_class.__init__).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD and name != "self"
    ]
    unknown = sorted(set(options) - set(known))
    if unknown and not encoder_name.startswith("tu-"):
        raise ValueError(
            f"architecture={model_class.__name__!r} has no options {unknown} (module__… in "
            f"`net_params`); it has {known}."
        )


def _size_options(model_class, encoder_depth, decoder_channels):
    parameters = inspect.signature(model_class.__init__).parameters
    options = {}
    if encoder_depth is not None:
        options["encoder_depth"] = encoder_depth
    if decoder_channels is not None:
        if "decoder_channels" not in parameters:
            raise ValueError(
                f"`decoder_channels` is not an option of architecture={model_class.__name__!r}; "
                "leave it at None, or give that architecture's options in net_params as "
                "{'module__<option>': value}."
            )
        options["decoder_channels"] = decoder_channels
    elif encoder_depth is not None and "decoder_channels" in parameters:
        default = parameters["decoder_channels"].default
        if isinstance(default, tuple) and encoder_depth < len(default):
            options["decoder_channels"] = default[-encoder_depth:]
    return options


def load_encoder(module, encoder_name, state):
    """Give a network's encoder pretrained weights that were made for three input channels."""
    own = module.network.encoder
    first = next(p for p in own.parameters() if p.ndim == 4)
    pretrained = smp.encoders.get_encoder(encoder_name, in_channels=3, depth=own._depth)
    try:
        pretrained.load_state_dict(dict(state))
        # Sums (one channel) or spreads the colour channels, as smp does for weights of its own.
        pretrained.set_in_channels(first.shape[1], pretrained=True)
        own.load_state_dict(pretrained.state_dict())
    except (KeyError, RuntimeError) as error:
        raise ValueError(
            f"`encoder_weights` do not fit encoder_name={encoder_name!r}: {error}"
        ) from error


def size_multiple(module):
    """Multiple that both axes of a padded section must have for this network."""
    return max(SIZE_MULTIPLE, int(getattr(module.network.encoder, "output_stride", 0) or 0))


def draws_random_numbers(module):
    """Tell whether training the network draws random numbers (dropout, stochastic depth)."""
    for part in module.modules():
        name = type(part).__name__.lower()
        rate = getattr(part, "p", None) or getattr(part, "drop_prob", None) or 0.0
        if "drop" in name and isinstance(rate, (int, float)) and rate > 0:
            return True
    return False


def choose_device(device):
    """Resolve ``"auto"`` to CUDA, then Apple's MPS, then the CPU; check that a named one exists."""
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"`device` must be 'auto' or a torch device such as 'cpu' or 'cuda:0'; got {device!r}."
        ) from error
    available = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if not available.get(kind, lambda: True)():
        raise ValueError(f"`device`={device!r} is not available here. Use device='auto' or 'cpu'.")
    return str(device)


def choose_precision(precision, device):
    """Resolve ``"auto"``: bfloat16 where the hardware computes in it, else float32.

    Processors without such instructions run bfloat16 too, by emulation and slower than float32,
    so their features are asked and not whether autocast works.
    """
    if precision != "auto":
        return precision
    return "bfloat16" if _has_bfloat16(torch.device(device).type) else "float32"


def _has_bfloat16(device_type):
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type != "cpu":
        return False
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
