"""Checks of the arguments of displays."""

from numbers import Real

import numpy as np
from scipy.stats import entropy as shannon_entropy

from skfacies._cubes.axes import vertical_label
from skfacies._sections.labels import label_codes
from skfacies._sections.validation import (
    as_array,
    check_finite_section,
    check_same_structure,
)

__all__ = ["check_matplotlib"]

#: Labels of the vertical axis by the unit of samples.
VERTICAL_LABELS = {unit: vertical_label("sample", unit) for unit in ("ms", "s", "m", "ft")}


def check_matplotlib(caller):
    """Raise an ImportError with a remedy if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller} draws with matplotlib, which is not installed. "
            "Use `pip install 'skfacies[plot]'`."
        ) from error


def check_section(section):
    section = np.asarray(as_array(section, "section"))
    if section.ndim != 2 or 0 in section.shape:
        advice = "For an inline section of a cube, use cube[i]." if section.ndim == 3 else ""
        raise ValueError(
            "`section` must be a nonempty section of shape (n_traces, n_samples); got shape "
            f"{section.shape}. {advice}".rstrip()
        )
    if section.dtype.kind not in "biuf":
        raise ValueError(f"`section` must hold real amplitudes; got dtype {section.dtype}.")
    check_finite_section(section, name="section", nan_policy="ignore")
    return section


def check_entropy(entropy, section):
    if entropy is None:
        return None
    entropy = np.asarray(check_same_structure(entropy, section, "entropy", "section"), dtype=float)
    outside = (entropy < 0) | (entropy > 1 + 1e-6)  # both False for NaN
    if outside.any():
        raise ValueError(
            f"`entropy` must lie between 0 and 1; got {entropy[outside][0]:.4g}. Use "
            "skfacies.qc.prediction_entropy with normalize=True."
        )
    return entropy


def label_positions(labels, classes):
    """Position of each label in the classes, sorted or not; ``len(classes)`` for other labels."""
    if len(classes) == 0:
        return np.zeros(labels.shape, dtype=int)
    order = np.argsort(classes)
    return np.append(order, len(classes))[label_codes(labels, classes[order])]


def facies_names(target_names, classes):
    """Names of the classes: `target_names`, or the classes themselves."""
    if target_names is None:
        return [str(label) for label in classes.tolist()]
    if len(target_names) != len(classes):
        raise ValueError(
            f"`target_names` must have one name for each of the {len(classes)} classes "
            f"{classes.tolist()}; got {len(target_names)} names."
        )
    return [str(name) for name in target_names]


def vertical_scale(sample_interval, sample_unit):
    """Interval between samples, and the label of the vertical axis."""
    if sample_unit not in VERTICAL_LABELS:
        raise ValueError(
            f"`sample_unit` must be one of {list(VERTICAL_LABELS)}; got {sample_unit!r}."
        )
    if sample_interval is None:
        return 1, "sample"
    if not isinstance(sample_interval, Real) or not 0 < sample_interval < np.inf:
        raise ValueError(
            f"`sample_interval` must be a number above 0, or None; got {sample_interval!r}."
        )
    return sample_interval, VERTICAL_LABELS[sample_unit]


def check_numbers(numbers, n, name):
    """Numbers of `n` lines, ascending or descending; from 0 if there are none."""
    if numbers is None:
        return np.arange(n)
    numbers = np.asarray(numbers)
    if numbers.shape != (n,) or numbers.dtype.kind not in "iuf":
        raise ValueError(
            f"`{name}` must be {n} numbers; got {numbers.dtype} of shape {numbers.shape}."
        )
    steps = np.diff(numbers.astype(float))
    if not (steps > 0).all() and not (steps < 0).all():
        raise ValueError(f"`{name}` must be in ascending or descending order, without repetition.")
    return numbers


def decide(probabilities, classes, ignore_label):
    """Return the most likely class and the normalized entropy of each sample of a section."""
    # With one class there is nothing to decide: the entropy is 0 for any base.
    entropy = shannon_entropy(probabilities, base=max(len(classes), 2), axis=-1)
    prediction = classes[probabilities.argmax(axis=-1)]
    missing = np.isnan(entropy)
    if missing.any():
        if ignore_label is None or isinstance(ignore_label, str) != (classes.dtype.kind in "USO"):
            raise ValueError(
                f"`estimator` predicts NaN at {missing.sum()} samples. They become "
                f"ignore_label={ignore_label!r}, but the classes have type {classes.dtype}. Give "
                "an `ignore_label` of that type."
            )
        prediction = np.where(missing, np.asarray(ignore_label), prediction)
    return prediction, np.clip(entropy, 0, 1).astype(np.float32)
