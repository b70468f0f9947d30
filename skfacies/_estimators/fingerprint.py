"""What decides on the weights that a training ends with, in words and checksums."""

import re
import zlib

import numpy as np
import torch

from skfacies._documents import versions
from skfacies._estimators.data_hash import hashes_of_data

__all__ = ["describe_training"]

#: Parameters that act after the training, or only say how it is shown.
_WITHOUT_EFFECT = {
    *("tta", "dip_smoothing", "unit_order", "positions", "rescale", "memory_limit"),
    *("device", "precision", "warm_start", "verbose"),
}


def describe_training(params, fitted, sections, runs, valid, old, *, seed, n_epochs):
    """All that decides on the weights, in words, by the names of arguments.

    Of the data these are checksums of the number of labels of each class in each section and of the
    amplitude histogram that the scaler has learned, and `hashes_of_data`.

    Parameters
    ----------
    params : FaciesSegmenter
    fitted : Fitted
        What the data tell before the training.
    sections, runs, valid, old
        As in `skfacies._estimators.fitting.train`.
    seed, n_epochs : int

    Returns
    -------
    words : dict of str
    """
    words = {f"{name} (installed)": version for name, version in versions().items()}
    words |= {
        f"`{name}`": _words(value)
        for name, value in params.get_params(deep=False).items()
        if name not in _WITHOUT_EFFECT
    }
    if params.random_state is not None:
        words["`random_state`"] += f" with the seed {seed}"
    words["`device`"] = torch.device(fitted.device_).type
    words["`precision`"] = fitted.precision_
    words["the number of epochs"] = str(n_epochs)
    words["the model to go on from"] = "none" if old is None else _describe_weights(old)
    words["the kind of encoder weights"] = str(fitted.encoder_weights_)
    words |= _describe_data(sections, runs + (valid[1] if valid and valid[0] is sections else []))
    words["`y`"] += f" in the classes {sections.classes.tolist()}, {_checksum(sections.counts)}"
    words["`X`"] += f", {_checksum(*getattr(fitted.scaler_, '_histogram', ()))}"
    words["`validation_data`"] = "none"
    if valid and valid[0] is not sections:
        words["`validation_data`"] = ", ".join(_describe_data(*valid).values())
    return words


def _words(value):
    """A parameter as text that is the same in another process."""
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(_words, value))})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_words(own)}' for key, own in value.items())}}}"
    text = repr(value)
    if type(value).__repr__ is object.__repr__:
        options = ", ".join(f"{name}={own!r}" for name, own in vars(value).items())
        text = f"{type(value).__qualname__}({options})"
    return re.sub(" at 0x[0-9a-fA-F]+", "", text)


def _describe_weights(old):
    """What `train_net` goes on from."""
    state = [old.net_.module_.state_dict(), old.net_.optimizer_.state_dict()["state"]]
    arrays = [value.detach().cpu().numpy() for value in _tensors(state)]
    return f"of {len(old.net_.history)} epochs, {_checksum(*arrays)}"


def _tensors(value):
    if isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)
    elif torch.is_tensor(value):
        yield value


def _describe_data(sections, runs):
    """Amplitudes, labels and weights of runs."""
    words = {f"`{name}`": text for name, text in hashes_of_data(sections, runs).items()}
    return words | {"`X`": f"{len(sections)} sections, {words['`X`']}"}


def _checksum(*arrays):
    value = 0
    for array in arrays:
        value = zlib.crc32(f"{array.dtype.str} {array.shape}".encode(), value)
        value = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8), value)
    return f"{value:08x}"
