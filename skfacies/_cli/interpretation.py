"""Interpretation that is given to commands: labels, horizons or picked intervals."""

import os

import numpy as np

from skfacies._cli.labels import UNLABELED, LabelCube, open_interpretation
from skfacies.horizons import read_horizons
from skfacies.horizons._checks import check_depths
from skfacies.horizons._intervals import find_intervals
from skfacies.horizons._lazy import HorizonLabels, Window
from skfacies.horizons._survey import Survey

__all__ = [
    "check_given",
    "find_direction",
    "input_files",
    "match_classes",
    "open_given",
    "open_window",
]

#: Part of the traces of a line that must be labeled for it to be picked on purpose.
PICKED = 0.5


def check_given(labels, horizons, picks):
    """Refuse a command without interpretation, and one with several."""
    given = [
        name
        for name, value in (("LABELS", labels), ("--horizons", horizons), ("--picks", picks))
        if value
    ]
    if len(given) != 1:
        raise ValueError(
            f"give the interpretation as LABELS, a cube; or as --horizons FILE …; or as --picks "
            f"FILE; got {' and '.join(given) or 'none of them'}."
        )


def input_files(labels, horizons, picks, between):
    """Files that are read, by their names in the command."""
    files = {"LABELS": labels, "--picks": picks}
    for name, paths in (("--horizons", horizons), ("--between", between)):
        files |= {f"{name} ({path})": path for path in map(_file_of, paths or ())}
    return files


def _file_of(text):
    """The file in "picks.csv:Top Salt", one of several horizons of a file."""
    path, _, name = text.rpartition(":")
    return path if name and not os.path.exists(text) and os.path.exists(path) else text


def _with_names(texts):
    return [text if _file_of(text) == text else tuple(text.rsplit(":", 1)) for text in texts]


def open_given(
    cube,
    seismic,
    *,
    labels=None,
    horizons=None,
    picks=None,
    between=None,
    reading=None,
    labels_reading=None,
    ignore_label=-1,
    lines=(),
    z_unit=None,
    columns=None,
    crossing="raise",
    missing="unknown",
    verbose=0,
):
    """Labels at the amplitudes, from a cube, from horizons or from picked intervals.

    Returns
    -------
    labels : LabelCube
        Its `names` are those of the units between horizons, or of the classes of intervals.
    """
    options = {"z_unit": z_unit, "columns": columns, "crossing": crossing, "verbose": verbose}
    if labels is not None:
        found = open_interpretation(
            labels, cube, seismic, reading, labels_reading, ignore_label, lines, verbose=verbose
        )
    elif horizons:
        found = _from_horizons(horizons, cube, lines, missing, options)
    else:
        made, names, notes = find_intervals(picks, Survey(cube, by_xy=True), z_unit=z_unit)
        found = LabelCube(made, picks, lines=lines, survey=cube)
        found.names = names
        _print(notes, verbose)
    if between:
        found.window = open_window(cube, between, **options)
    return found


def _from_horizons(paths, cube, lines, missing, options):
    options = dict(options)
    verbose = options.pop("verbose")
    found = read_horizons(_with_names(paths), like=cube, **options)
    _print(found.notes, verbose)
    n_samples = cube.shape[2]
    check_depths(found.data, n_samples, [f"{name}" for name in found.names], missing=missing)
    labels = HorizonLabels(found.data, n_samples, missing)
    labels = LabelCube(labels, "--horizons", lines=lines, survey=cube)
    labels.names = dict(enumerate(found.units))
    return labels


def open_window(cube, between, *, z_unit=None, columns=None, crossing="raise", verbose=0):
    """Mask of the samples between two horizons."""
    options = {"z_unit": z_unit, "columns": columns, "crossing": crossing}
    found = read_horizons(_with_names(between), like=cube, **options)
    top, base = found.data
    window = Window(top, base, cube.shape[2])
    n_traces = np.count_nonzero(~np.isnan(top) & ~np.isnan(base))
    if not n_traces:
        raise ValueError(
            f"--between: {found.names[0]} and {found.names[1]} have no trace in common. Give two "
            "horizons that cover the same part of the survey."
        )
    note = f"between {found.names[0]} and {found.names[1]}: {n_traces} of {top.size} traces"
    _print([*found.notes, note], verbose)
    return window


def find_direction(direction, lines, labels, cube):
    """Direction of the lines to train on: as given, or along those that are chosen or picked.

    Parameters
    ----------
    direction : {"inline", "crossline", "both"} or None
    lines : list of str
        As given with --lines, without every=.
    labels : LabelCube
        From horizons or intervals.
    """
    named = {text.partition("=")[0] for text in lines}
    if direction is None and named:
        return named.pop() if len(named) == 1 else "both"
    labeled = labels.cube.labeled
    labeled = labeled if labels.chosen is None else labeled & labels.chosen
    picked = {
        name: labeled.mean(axis=axis) >= PICKED for name, axis in (("inline", 1), ("crossline", 0))
    }
    if direction is None:
        if labeled.mean() >= PICKED or not picked["crossline"].any():
            return "inline"
        return "both" if picked["inline"].any() else "crossline"
    other = "crossline" if direction == "inline" else "inline"
    if direction != "both" and not picked[direction].any() and picked[other].any():
        numbers = np.asarray(cube[other])[picked[other]].tolist()
        shown = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
        raise ValueError(
            f"picks are on {other}s {shown}, but --directions is {direction}. Use --directions "
            f"{other} or both."
        )
    return direction


def match_classes(labels, model, *, verbose=0):
    """Give labels of horizons or intervals the numbers that the classes of a model have.

    Units with the names of classes are these classes; others, which the model has not learned, are
    left out. As horizons of other files have other names, as many units as classes are the classes
    in their order.
    """
    if labels.names is None:
        return
    classes = model.classes_.tolist()
    names = getattr(model, "label_names_", None) or {label: str(label) for label in classes}
    by_name = {name: label for label, name in names.items()}
    known = [label for label, name in labels.names.items() if name in by_name]
    if len(known) >= min(2, len(labels.names)):
        others = [name for name in labels.names.values() if name not in by_name]
        labels.renamed = {
            label: by_name.get(name, UNLABELED) for label, name in labels.names.items()
        }
        _print([f"left out, as MODEL has not learned it: {name}" for name in others], verbose)
    elif len(labels.names) == len(classes) and hasattr(labels.cube, "horizons"):
        labels.renamed = dict(zip(labels.names, classes, strict=True))
    else:
        raise ValueError(
            f"the interpretation has {', '.join(map(repr, labels.names.values()))}, and MODEL has "
            f"{', '.join(map(repr, by_name))}. Give the horizons between all of these, or "
            "intervals of these."
        )


def _print(notes, verbose):
    if verbose:
        print("".join(f"{note}\n" for note in notes), end="")
