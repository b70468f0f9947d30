"""The device, its memory and the arithmetic of the network."""

import functools
import math

import torch

from skfacies._memory import available_memory

__all__ = ["choose_device", "choose_memory_limit", "choose_precision"]

#: Bytes for the network where nothing tells what is left, and at least.
DEFAULT_MEMORY, LEAST_MEMORY = 1_000_000_000, 1 << 28


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


def choose_memory_limit(limit, device):
    """Resolve ``"auto"``."""
    return _share_of_memory(device) if limit == "auto" else limit


@functools.cache  # a limit that changed between the slabs of a cube would change its tiles
def _share_of_memory(device):
    """A quarter of the memory that is left, in bytes; rounded, so that runs seldom differ."""
    if torch.device(device).type == "cuda":
        available = torch.cuda.mem_get_info(device)[0]
    else:
        available = available_memory()
    if available is None:
        return DEFAULT_MEMORY
    return 2 ** int(math.log2(max(available / 4, LEAST_MEMORY)))


def _has_bfloat16(device_type):
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type != "cpu":
        return False
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
