"""The device and the arithmetic of the network."""

import torch

__all__ = ["choose_device", "choose_precision"]


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
