"""How a trained network does on lines whose labels are known."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfacies._nn.speed import freed_memory_kept
from skfacies._sections.sections import IGNORED
from skfacies._stratigraphy.reflectors import DEFAULT_DIP_SMOOTHING
from skfacies.metrics import facies_report
from skfacies.metrics._counting import OVERALL

__all__ = ["LEAST_RECALL", "check_names", "examine", "least_recall", "warn_of_poor_recall"]

#: Runs of traces that are predicted, and traces of each.
ENOUGH_RUNS = 8
ENOUGH_TRACES = 1024

#: Means may make the prediction of known traces worse by this mean IoU. A network also fits labels
#: that leave the reflectors, which does not help on other lines: on F3, means cost 0.003 to 0.004
#: on and between the training lines and gain up to 0.04 far away. They cost more than 0.1 in
#: networks that have not been trained for long enough to be sure.
COST_ON_KNOWN_LINES = 0.01

#: Recall on the training lines below which a class has not been learned well.
LEAST_RECALL = 0.8


def check_names(classes):
    """Refuse classes that have the name of a score, before the training."""
    taken = [label for label in classes.tolist() if label in OVERALL]
    if taken:
        raise ValueError(
            f"{taken} cannot be classes: scores of `training_report_` have these names. Rename the "
            "labels."
        )


def examine(probe, names, dip_smoothing, follows_reflectors, training, validation):
    """Whether means along reflectors help a network, and how well it has learned each class.

    Parameters
    ----------
    probe : FaciesSegmenter
        Fitted; its classes are codes.
    names : list of str
        Of the classes, for the report.
    dip_smoothing : "auto", float or None
        What the report is made with.
    follows_reflectors : bool
        Whether "auto" may average at all.
    training : tuple (Sections, list of Run)
    validation : tuple (Sections, list of Run) or None

    Returns
    -------
    helps : bool
        Whether means make the prediction of the validation runs, or else of the training runs,
        worse by no more than `COST_ON_KNOWN_LINES`.
    report : dict
        Of `facies_report`, for the training runs.
    held_out : dict or None
        The same for the validation runs.
    """
    known, helps = _evidence(*training), False
    judged = _evidence(*validation) if validation else known
    reports = {}
    with freed_memory_kept(give_back=True):
        if follows_reflectors:
            for length in (DEFAULT_DIP_SMOOTHING, None):
                reports[length] = _report(probe, names, length, *judged)
            gain = reports[DEFAULT_DIP_SMOOTHING]["mean_iou"] - reports[None]["mean_iou"]
            helps = gain >= -COST_ON_KNOWN_LINES
        if isinstance(dip_smoothing, str):
            dip_smoothing = DEFAULT_DIP_SMOOTHING if helps else None
        if dip_smoothing not in reports:
            reports[dip_smoothing] = _report(probe, names, dip_smoothing, *judged)
        judgment = reports[dip_smoothing]
        if not validation:
            return bool(helps), judgment, None
        return bool(helps), _report(probe, names, dip_smoothing, *known), judgment


def least_recall(probe, sections, runs):
    """Recall of the class that a network finds least of on some of its training runs."""
    names = [str(code) for code in probe.classes_]
    with freed_memory_kept(give_back=True):
        report = _report(probe, names, None, *_evidence(sections, runs))
    return min(report[name]["recall"] for name in names if report[name]["support"])


def _evidence(sections, runs):
    """Amplitudes and codes of a few labeled runs, in which each class occurs if it can."""
    counts = np.array([sections.count([run]) for run in runs])
    labeled = np.flatnonzero(counts.any(axis=1))
    windows = [_window(sections, runs[i]) for i in labeled[:: max(1, len(labeled) // ENOUGH_RUNS)]]
    seen = {code for _, codes in windows for code in np.unique(codes).tolist()}
    for code in np.flatnonzero(counts.any(axis=0)).tolist():
        if code not in seen:
            windows.append(_window(sections, runs[counts[:, code].argmax()], code))
    return tuple(zip(*windows, strict=True))


def _window(sections, run, code=None):
    """Amplitudes and codes of the traces of a run with most labels, or most of a class."""
    codes = sections.codes(run.section, run.traces)
    wanted = codes != IGNORED if code is None else codes == code
    total = np.append(0, np.count_nonzero(wanted, axis=1).cumsum())
    length = min(ENOUGH_TRACES, len(codes))
    first = int((total[length:] - total[:-length]).argmax())
    traces = slice(run.start + first, run.start + first + length)
    return np.asarray(sections.X[run.section][traces]), codes[first : first + length]


def _report(probe, names, dip_smoothing, amplitudes, codes):
    found = probe.set_params(dip_smoothing=dip_smoothing)._predict(amplitudes)
    # Samples without an amplitude are predicted as ignored.
    codes = [
        np.where(prediction == probe.ignore_label, probe.ignore_label, own)
        for prediction, own in zip(found, codes, strict=True)
    ]
    return facies_report(
        codes,
        found,
        labels=probe.classes_,
        target_names=names,
        ignore_label=probe.ignore_label,
        output_dict=True,
    )


def warn_of_poor_recall(report, classes):
    """Warn of classes that a network does not find again on its own training lines."""
    recalls = {label: report[str(label)]["recall"] for label in classes.tolist()}
    poor = [
        f"{label!r} ({recall:.0%})" for label, recall in recalls.items() if recall < LEAST_RECALL
    ]
    if poor:
        warnings.warn(
            f"the model finds too few samples of these classes, even on its own training lines: "
            f"{', '.join(poor)}. Train longer (`max_epochs`), or check their labels; in Python, "
            "class_weight='balanced' gives rare classes more weight. `training_report_` has the "
            "figures.",
            ConvergenceWarning,
            stacklevel=4,
        )
