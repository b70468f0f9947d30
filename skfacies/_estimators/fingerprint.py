"""What decides on the weights that a training ends with, in words and checksums."""

import math
import re
import zlib

import numpy as np
import torch

from skfacies._documents import versions
from skfacies._sections.validation import n_channels, section_shape

__all__ = ["describe_training"]

#: Parameters that act after the training, or only say how it is shown.
_WITHOUT_EFFECT = {
    *("tta", "dip_smoothing", "unit_order", "positions", "rescale", "memory_limit"),
    *("device", "precision", "warm_start", "verbose"),
}

#: Values of the data that checksums cover, and lines that they are taken from.
MOST_VALUES = 20_000_000
MOST_LINES = 256


def describe_training(params, fitted, sections, runs, valid, old, *, seed, n_epochs):
    """All that decides on the weights, in words, by the names of arguments.

    Of the data these are checksums: of the number of labels of each class in each section, of the
    amplitude histogram that the scaler has learned, and of amplitudes, labels and weights: of at
    most `MOST_LINES` runs, and of every n-th trace if they have more than `MOST_VALUES`.

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
    some = runs[:: math.ceil(len(runs) / MOST_LINES)]
    n_values = sum(run.n_traces * section_shape(sections.X, run.section)[1] for run in some)
    every = math.ceil(n_values * n_channels(sections.X) / MOST_VALUES)
    amplitudes, labels, weights = 0, 0, 0
    for run in some:
        traces = slice(run.start, run.stop, every)
        codes = sections.codes(run.section, traces)
        place = f"{run.section} {run.start} {run.stop}"
        amplitudes = _add(amplitudes, place, np.asarray(sections.X[run.section][traces]))
        labels = _add(labels, place, codes)
        if sections.weights is not None:
            own = sections.weights_of(run.section, traces, codes.shape)
            weights = _add(weights, place, own)
    return {
        "`X`": f"{len(sections)} sections, {amplitudes:08x}",
        "`y`": f"{labels:08x}",
        "`sample_weight`": "none" if sections.weights is None else f"{weights:08x}",
    }


def _checksum(*arrays):
    value = 0
    for array in arrays:
        value = _add(value, "", array)
    return f"{value:08x}"


def _add(value, words, array):
    """Checksum of all that came before, of words and of an array."""
    value = zlib.crc32(f"{words} {array.dtype.str} {array.shape}".encode(), value)
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8), value)
