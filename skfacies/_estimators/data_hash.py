"""Hashes that tell whether two trainings have the same amplitudes, labels and weights."""

import hashlib
import math

import numpy as np

from skfacies._sections.validation import n_channels, section_shape

__all__ = ["combined_hash", "hashes_of_data"]

#: Values that the hashes cover. Of more data they take every n-th line, then every n-th trace, so
#: that their cost stays below 1 % of a fit.
MOST_VALUES = 30_000_000
MOST_LINES = 256


def hashes_of_data(sections, runs):
    """Hashes of amplitudes, as float32, of labels and of weights, for any arrays that hold them.

    Parameters
    ----------
    sections : Sections
    runs : list of Run
        One at a time is read.

    Returns
    -------
    hashes : dict of str
        32 hexadecimal digits for "X", "y" and "sample_weight"; "none" for weights that are not
        given.
    """
    digests = {name: hashlib.blake2b(digest_size=16) for name in ("X", "y", "sample_weight")}
    digests["y"].update(f"{sections.classes.tolist()}".encode())
    some = runs[:: math.ceil(len(runs) / MOST_LINES)]
    n_values = sum(run.n_traces * section_shape(sections.X, run.section)[1] for run in some)
    step = math.ceil(n_values * n_channels(sections.X) / MOST_VALUES)
    for run in some:
        traces = slice(run.start, run.stop, step)
        codes = sections.codes(run.section, traces)
        with np.errstate(over="ignore"):  # of undefined values
            amplitudes = np.asarray(sections.X[run.section][traces]).astype("<f4")
        own = {
            "X": amplitudes,
            "y": codes.astype("<i2"),
            "sample_weight": sections.weights_of(run.section, traces, codes.shape),
        }
        for name, array in own.items():
            if array is not None:
                digests[name].update(f"{len(runs)} {run.n_traces} {array.shape}".encode())
                digests[name].update(np.ascontiguousarray(array))
    hashes = {name: digest.hexdigest() for name, digest in digests.items()}
    return hashes if sections.weights is not None else hashes | {"sample_weight": "none"}


def combined_hash(hashes, before=None):
    """One hash of amplitudes and labels, and of that of the training that goes on."""
    text = f"{before} {hashes['X']} {hashes['y']}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
