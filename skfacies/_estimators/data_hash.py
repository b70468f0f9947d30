"""A hash that tells whether two models learned from the same amplitudes and labels."""

import hashlib
import math

import numpy as np

from skfacies._sections.validation import own_amplitudes, section_shape

__all__ = ["hash_of_data"]

#: Samples that the hash covers. Of more data it takes every n-th line, then every n-th trace, so
#: that its cost stays below 1 % of a fit.
MOST_SAMPLES = 30_000_000
MOST_LINES = 256


def hash_of_data(sections, runs, before=None):
    """Hash of amplitudes, as float32, and of labels; the same for any array that holds them.

    Parameters
    ----------
    sections : Sections
    runs : list of Run
        One at a time is read.
    before : str or None
        Hash of the training that goes on.

    Returns
    -------
    text : str
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{before} {sections.classes.tolist()} {len(runs)}".encode())
    some = runs[:: math.ceil(len(runs) / MOST_LINES)]
    n_samples = sum(run.n_traces * section_shape(sections.X, run.section)[1] for run in some)
    step = math.ceil(n_samples / MOST_SAMPLES)
    for run in some:
        traces = slice(run.start, run.stop, step)
        amplitudes = own_amplitudes(np.asarray(sections.X[run.section]))[traces]
        codes = sections.codes(run.section, traces)
        digest.update(f"{run.n_traces} {codes.shape}".encode())
        digest.update(np.ascontiguousarray(amplitudes, dtype="<f4"))
        digest.update(np.ascontiguousarray(codes, dtype="<i2"))
    return digest.hexdigest()
