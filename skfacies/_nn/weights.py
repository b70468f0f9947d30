"""Pretrained encoder weights: from a file, the local cache, or the model hub."""

import math
import os
import threading
import time
import urllib.error
import urllib.request
import warnings
from pathlib import Path

import torch

__all__ = ["resolve_encoder_weights"]

#: Seconds that `encoder_weights="auto"` and "imagenet" wait for the hub to answer at all.
HUB_TIMEOUT = 3.0

_REMEDIES = (
    "Use encoder_weights=None (random weights), give the path of a .safetensors or .pth file, or "
    "fetch them once on a machine with network and copy the cache folder {cache} here"
)

#: Seconds for which a hub that failed is not asked again: a grid search asks once, not once a
#: candidate, and a notebook asks anew when the network is back.
HUB_PAUSE = 600.0

# When, and how, the hub failed in this process.
_hub_failures = {}


def resolve_encoder_weights(encoder_name, encoder_weights):
    """Find the weights that a new network's encoder starts from.

    Parameters
    ----------
    encoder_name : str
    encoder_weights : None, "auto", "imagenet", other name of smp, or path
        See `skfacies.FaciesSegmenter`.

    Returns
    -------
    state : dict of tensors, or None
        Weights of an encoder with three input channels.
    found : str or None
        What was taken: the name of the pretrained weights, or the path; None for random weights.

    Raises
    ------
    OSError
        If named weights are neither in the cache nor to be had from the hub, or the file is
        missing.
    ValueError
        If the encoder has no weights of that name, or the file cannot be read as weights.
    """
    if encoder_weights is None:
        return None, None
    if encoder_weights != "auto":
        if _is_path(encoder_weights):
            return _read_state(encoder_weights), str(encoder_weights)
        settings = _pretrained_settings(encoder_name, encoder_weights)
        return _read_state(_find_on_hub(**settings)), encoder_weights
    try:
        settings = _pretrained_settings(encoder_name, "imagenet")
        return _read_state(_find_on_hub(**settings)), "imagenet"
    except (OSError, ValueError) as error:
        reason = str(error).split(". ")[0]
        warnings.warn(
            f"encoder_weights='auto': training starts from random weights, since {reason}. Set "
            "encoder_weights=None to choose this without a warning.",
            UserWarning,
            stacklevel=5,
        )
        return None, None


def _is_path(encoder_weights):
    if isinstance(encoder_weights, os.PathLike):
        return True
    text = str(encoder_weights)
    return os.sep in text or "/" in text or text.endswith((".safetensors", ".pth", ".pt", ".bin"))


def _pretrained_settings(encoder_name, name):
    from segmentation_models_pytorch.encoders import encoders

    settings = encoders.get(encoder_name, {}).get("pretrained_settings", {})
    if name not in settings:
        known = sorted(settings) or "none"
        raise ValueError(
            f"`encoder_weights`={name!r} does not exist for encoder_name={encoder_name!r} (known: "
            f"{known}). Use None, or the path of a weights file."
        )
    return {"repository": settings[name]["repo_id"], "revision": settings[name]["revision"]}


def _find_on_hub(repository, revision):
    """Path of a repository's weights: from the cache, else downloaded once the hub answers."""
    from huggingface_hub import constants, hf_hub_download

    wanted = {"repo_id": repository, "filename": "model.safetensors", "revision": revision}
    try:
        return hf_hub_download(**wanted, local_files_only=True)
    except OSError:
        pass
    key = (constants.ENDPOINT, repository)
    failed_at, reason = _hub_failures.get(key, (-math.inf, ""))
    if time.monotonic() - failed_at >= HUB_PAUSE:
        try:
            _check_hub_answers(f"{constants.ENDPOINT}/{repository}/resolve/{revision}/config.json")
            return hf_hub_download(**wanted)
        except Exception as error:  # the hub client raises its own, httpx's and urllib's kinds
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            _hub_failures[key] = time.monotonic(), reason
    remedies = _REMEDIES.format(cache=constants.HF_HUB_CACHE)
    raise OSError(
        f"the pretrained weights {repository!r} are not in the cache and the model hub gives none "
        f"({reason}). {remedies}."
    )


def _check_hub_answers(url):
    """Raise OSError unless the hub answers within `HUB_TIMEOUT` seconds.

    The hub's own client retries for 23 s without a network, and for minutes where packets are
    dropped. The request runs in a thread since name resolution obeys no timeout.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise OSError("HF_HUB_OFFLINE is set")
    outcome = [OSError(f"no answer within {HUB_TIMEOUT:g} s")]

    def ask():
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=HUB_TIMEOUT):
                outcome[0] = None
        except urllib.error.HTTPError as error:  # it answers; the client sees to redirects, codes
            outcome[0] = None if error.code < 500 else OSError(f"the hub answers {error.code}")
        except Exception as error:  # whatever a proxy or a resolver raises, in a thread of its own
            outcome[0] = OSError(str(getattr(error, "reason", error)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(HUB_TIMEOUT + 0.5)
    if outcome[0] is not None:
        raise outcome[0]


def _read_state(path):
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"`encoder_weights`: there is no file {path}. Give a .safetensors file, or a state "
            "dict saved with torch.save."
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path, device="cpu")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors, pickle and zip errors have no common base
        raise ValueError(
            f"`encoder_weights`: {path} cannot be read as weights ({error}). Give a .safetensors "
            "file, or a state dict of tensors saved with torch.save."
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"`encoder_weights`: {path} holds a {type(state).__name__}, not a dict.")
    return state
