"""Whether interpreted labels follow reflectors, so that predictions should."""

import numpy as np
import torch

from skfacies._stratigraphy.smoothing import CELL, smooth_along_reflectors
from skfacies.metrics import iou_score

__all__ = ["DEFAULT_DIP_SMOOTHING", "labels_follow_reflectors"]

#: Traces over which scores are averaged where labels follow reflectors. On F3 (eleven networks:
#: near, far away, of few lines) 80 to 150 gain 0.012 to 0.013 of mean IoU; the ends of contacts
#: near the training lines suffer from more than 100.
DEFAULT_DIP_SMOOTHING = 100.0

#: Labels follow reflectors if averages of the true labels leave them as they are to this mean IoU.
#: Lines of F3 have 0.9993 to 0.9999, surveys of faulted clinoforms 0.96 to 0.993.
MIN_SELF_IOU = 0.998

#: Traces of a section that are looked at, its middle ones: memory does not grow with the section.
ENOUGH_TRACES = 512

#: Traces and samples below which a section tells nothing.
LEAST_SIZE = 64


@torch.inference_mode()
def labels_follow_reflectors(sections, n_classes):
    """Whether averages along reflectors leave interpreted labels as they are.

    Parameters
    ----------
    sections : iterable of (codes, amplitudes), both of shape (n_traces, n_samples)
        Codes are integers below `n_classes`, negative where there is no label.
    n_classes : int

    Returns
    -------
    follow : bool
        False, too, if all sections have less than `LEAST_SIZE` traces or samples.
    """
    truths, smoothed = [], []
    for codes, amplitudes in sections:
        first = max(0, len(codes) - ENOUGH_TRACES) // 2
        codes = codes[first : first + ENOUGH_TRACES]
        n_traces, n_samples = (size // CELL * CELL for size in codes.shape)
        codes = codes[:n_traces, :n_samples]
        if min(codes.shape) < LEAST_SIZE or not (codes >= 0).any():
            continue
        amplitudes = np.ascontiguousarray(amplitudes[first : first + n_traces, :n_samples])
        scores = torch.from_numpy(codes[..., None] == np.arange(n_classes)).float()
        logits = scores[None].permute(0, 3, 1, 2)
        smooth_along_reflectors(
            logits, torch.from_numpy(amplitudes)[None], DEFAULT_DIP_SMOOTHING, doubt=0.0
        )
        truths.append(np.where(codes >= 0, codes, -1))
        smoothed.append(scores.max(-1).indices.numpy())
    return bool(truths) and iou_score(truths, smoothed, ignore_label=-1) >= MIN_SELF_IOU
