"""Interpretation that is given to commands: labels, horizons or picked intervals."""

import os
from dataclasses import dataclass

import numpy as np

from skfacies._cli.files import check_reading
from skfacies._cli.labels import UNLABELED, LabelCube, first_numbers, open_interpretation
from skfacies.horizons import read_horizons
from skfacies.horizons._checks import check_depths
from skfacies.horizons._intervals import find_intervals
from skfacies.horizons._lazy import HorizonLabels, Window
from skfacies.horizons._survey import Survey

__all__ = ["Interpretation", "find_direction", "match_classes"]

#: Part of the traces of a line that must be labeled for it to be picked on purpose.
PICKED = 0.5


@dataclass(frozen=True)
class Interpretation:
    """The interpretation that a command is given, and how its files are read.

    Parameters
    ----------
    labels : path or None
        Cube of labels.
    horizons : list of path or None
        Files from shallow to deep; "file:name" is one of several horizons of a file.
    picks : path or None
        File of intervals.
    between : (path, path) or None
        Horizons above and below the samples that count. Commands without interpretation have only
        this window.
    z_unit, columns, crossing, missing
        How horizons are read; see `read_horizons` and `labels_from_horizons`.
    ignore_label : int
        Of `labels`.
    labels_reading : dict or None
        Options of `open_cube` for `labels`, where they are not those of the amplitudes.
    """

    labels: object = None
    horizons: list | None = None
    picks: object = None
    between: tuple | None = None
    z_unit: str | None = None
    columns: tuple | None = None
    crossing: str = "raise"
    missing: str = "unknown"
    ignore_label: int = UNLABELED
    labels_reading: dict | None = None

    @property
    def files(self):
        """Files that are read, by their names in the command."""
        files = {"LABELS": self.labels, "--picks": self.picks}
        for name, paths in (("--horizons", self.horizons), ("--between", self.between)):
            files |= {f"{name} ({path})": path for path in map(_file_of, paths or ())}
        return files

    def check(self, reading, *seismic):
        """Refuse no interpretation, several, and options that are for none of the files."""
        kinds = {"LABELS": self.labels, "--horizons": self.horizons, "--picks": self.picks}
        given = [name for name, value in kinds.items() if value]
        if len(given) != 1:
            raise ValueError(
                f"give the interpretation as LABELS, a cube; or as --horizons FILE …; or as "
                f"--picks FILE; got {' and '.join(given) or 'none of them'}."
            )
        check_reading(reading, *seismic, self.labels)
        check_reading(self.labels_reading, self.labels, prefix="--labels-")

    def open(self, cube, seismic, *, reading=None, lines=(), verbose=0):
        """Labels at the amplitudes, a LabelCube.

        Its `names` are those of the units between horizons, or of the classes of intervals.
        `reading` are options of `open_cube` for the amplitudes, `lines` the texts of --lines.
        """
        if self.labels is not None:
            found = open_interpretation(
                self.labels,
                cube,
                seismic,
                reading,
                self.labels_reading,
                self.ignore_label,
                lines,
                verbose=verbose,
            )
        elif self.horizons:
            found = self._from_horizons(cube, lines, verbose)
        else:
            survey = Survey(cube, by_xy=True)
            made, names, notes = find_intervals(self.picks, survey, z_unit=self.z_unit)
            found = LabelCube(made, self.picks, lines=lines, survey=cube)
            found.names = names
            _print(notes, verbose)
        if self.between:
            found.window = self.open_window(cube, verbose=verbose)
        return found

    def _from_horizons(self, cube, lines, verbose):
        found = self._read(self.horizons, cube)
        _print(found.notes, verbose)
        n_samples = cube.shape[2]
        check_depths(found.data, n_samples, list(map(str, found.names)), missing=self.missing)
        labels = HorizonLabels(found.data, n_samples, self.missing)
        labels = LabelCube(labels, "--horizons", lines=lines, survey=cube)
        labels.names = dict(enumerate(found.units))
        return labels

    def open_window(self, cube, *, verbose=0):
        """Mask of the samples between two horizons; None if all count."""
        if not self.between:
            return None
        found = self._read(self.between, cube)
        top, base = found.data
        n_traces = np.count_nonzero(~np.isnan(top) & ~np.isnan(base))
        if not n_traces:
            raise ValueError(
                f"--between: {found.names[0]} and {found.names[1]} have no trace in common. Give "
                "two horizons that cover the same part of the survey."
            )
        note = f"between {found.names[0]} and {found.names[1]}: {n_traces} of {top.size} traces"
        _print([*found.notes, note], verbose)
        return Window(top, base, cube.shape[2])

    def _read(self, paths, cube):
        options = {"z_unit": self.z_unit, "columns": self.columns, "crossing": self.crossing}
        return read_horizons(_with_names(paths), like=cube, **options)


def _file_of(text):
    """The file in "picks.csv:Top Salt", one of several horizons of a file."""
    path, _, name = text.rpartition(":")
    return path if name and not os.path.exists(text) and os.path.exists(path) else text


def _with_names(texts):
    return [text if _file_of(text) == text else tuple(text.rsplit(":", 1)) for text in texts]


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
        raise ValueError(
            f"picks are on {other}s {first_numbers(numbers)}, but --directions is {direction}. Use "
            f"--directions {other} or both."
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
