"""How much classes count in the loss."""

from numbers import Real

import numpy as np
import torch

__all__ = ["class_weights", "rarity_of"]

#: A rare class counts at most so many times as much as it would, as long as it is not found.
MOST_RARITY = 20.0


def class_weights(params, sections, runs):
    """Weight of each class as float32, or None for equal ones."""
    if params.class_weight in (None, "auto"):
        return None
    classes = sections.classes.tolist()
    if isinstance(params.class_weight, dict):
        unknown = [label for label in params.class_weight if label not in classes]
        if unknown:
            raise ValueError(
                f"`class_weight` has keys that are no classes: {unknown}; the classes are "
                f"{classes}."
            )
        weights = [params.class_weight.get(label, 1.0) for label in classes]
        numbers = all(isinstance(w, Real) and np.isfinite(w) and w >= 0 for w in weights)
        if not numbers or not any(weights):
            raise ValueError(
                "`class_weight` must hold finite numbers >= 0, not all zero; got "
                f"{params.class_weight}."
            )
    else:
        weights = _balance(sections.count(runs))
    return np.asarray(weights, dtype=np.float32)


def _balance(counts):
    """Weights with which all classes count alike."""
    mean = counts.sum() / np.count_nonzero(counts)
    return np.where(counts > 0, mean / np.maximum(counts, 1), 1.0)


def rarity_of(params, sections, runs):
    """Factors for classes that are rarer than the mean, as long as they are not found."""
    if params.class_weight != "auto" or params.loss != "cross_entropy":
        return None
    weights = np.clip(_balance(sections.count(runs)), 1, MOST_RARITY)
    return torch.tensor(weights, dtype=torch.float32)
