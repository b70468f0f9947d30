"""What users give to `fit`, checked and split into what is trained on and what is held out."""

import numpy as np

from skfacies._holdout import split_validation_block
from skfacies._sections.labels import check_classes, check_labels, ignore_missing, prediction_dtype
from skfacies._sections.mapped import let_go
from skfacies._sections.scaler import AmplitudeScaler
from skfacies._sections.sections import Sections
from skfacies._sections.survey_scale import scaled_by_survey
from skfacies._sections.validation import (
    check_channels,
    check_same_structure,
    check_sample_weight,
    check_sections,
    n_channels,
    n_sections,
)

__all__ = ["choose_classes", "hold_out", "scale_surveys", "training_sections"]


def choose_classes(params, classes, y, old):
    """Classes that partial_fit goes by, in the type of `y` where it can hold them."""
    if classes is not None:
        classes = check_classes(classes, y, params.ignore_label)
    if old is not None:
        if classes is not None and classes.tolist() != old.classes_.tolist():
            raise ValueError(
                f"`classes` must be those of the first call to partial_fit, "
                f"{old.classes_.tolist()}; got {classes.tolist()}."
            )
        return old.classes_
    if classes is None:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    return classes


def training_sections(params, X, y, sample_weight, *, classes=None, trained_channels=None):
    """Checked `Sections`; of known classes and as many channels if training goes on."""
    X = check_sections(let_go(X), nan_policy=params.nan_policy)
    if trained_channels is not None:
        check_channels(X, trained_channels)
    sections = _sections(params, X, let_go(y), sample_weight, classes)
    if len(sections.classes) < 2:
        raise ValueError(
            f"`y` has one class only, {sections.classes.tolist()}; at least 2 classes are needed "
            "to learn what tells them apart."
        )
    prediction_dtype(sections.classes, params.ignore_label, params.nan_policy)
    if sample_weight is not None and params.loss != "cross_entropy":
        raise ValueError(f"`sample_weight` needs loss='cross_entropy'; got {params.loss!r}.")
    if sample_weight is not None and not sections.counts.any():
        raise ValueError(
            "`sample_weight` is zero for every labeled sample: nothing would be learned."
        )
    return sections


def _sections(params, X, y, sample_weight, classes, **names):
    if params.nan_policy == "ignore" and y is not None:
        y = check_same_structure(y, X, **names, channels=True)
        y = ignore_missing(X, y, params.ignore_label)
    y, classes = check_labels(y, X, ignore_label=params.ignore_label, classes=classes, **names)
    weights = check_sample_weight(sample_weight, X)
    return Sections(X, y, weights, classes, params.ignore_label)


def hold_out(params, sections, validation_data):
    """Runs of traces to train on; and (sections, runs) to validate on, or None."""
    if validation_data is not None:
        valid = _validation_sections(params, validation_data, sections)
        return sections.labeled_runs(), (valid, valid.labeled_runs())
    train, valid = split_validation_block(sections, params.validation_fraction)
    return train, (sections, valid) if valid else None


def _validation_sections(params, validation_data, sections):
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
        raise ValueError("`validation_data` must be a tuple (X, y).")
    X, y = validation_data
    names = {"name": "validation_data[1]", "like": "validation_data[0]"}
    X, y = check_sections(let_go(X), "validation_data[0]", nan_policy=params.nan_policy), let_go(y)
    if n_channels(X) != n_channels(sections.X):
        raise ValueError(
            f"`validation_data[0]` has sections of {n_channels(X)} channel(s), `X` of "
            f"{n_channels(sections.X)}."
        )
    return _sections(params, X, y, None, sections.classes, **names)


def scale_surveys(params, X, validation_data, surveys):
    """Sections, and those of validation, with each survey brought to one scale by itself.

    `validation_data` is (X, y), of one survey, or (X, y, surveys).
    """
    X = check_sections(X, nan_policy=params.nan_policy)
    X = scaled_by_survey(X, surveys, AmplitudeScaler(clip=None))
    if isinstance(validation_data, (tuple, list)) and len(validation_data) in (2, 3):
        other, y, *own = validation_data
        other = check_sections(other, "validation_data[0]", nan_policy=params.nan_policy)
        own = own[0] if own else np.zeros(n_sections(other))
        validation_data = scaled_by_survey(other, own, AmplitudeScaler(clip=None)), y
    return X, validation_data
