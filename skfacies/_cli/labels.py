"""Labels from files, placed by line numbers and times, and restricted to chosen lines."""

import re

import numpy as np

from skfacies._cli.files import is_segy, open_labels, unit_of
from skfacies._cubes.axes import UNIT_SCALES, vertical_kind
from skfacies._sections.undefined import undefined_values

__all__ = [
    "UNLABELED",
    "LabelCube",
    "check_lines",
    "check_names",
    "choose_lines",
    "distinct_labels",
    "first_numbers",
    "name_labels",
    "open_interpretation",
    "split_lines",
]

#: Label in files of samples without interpretation.
UNLABELED = -1


class LabelCube:
    """Labels from files as integers, read on demand and restricted to chosen lines.

    Parameters
    ----------
    cube : DataArray (inline, crossline, ...), or another array of the shape of `survey`
        Whole numbers of any data type. NaN and other values that mark undefined samples in files
        count as `UNLABELED`.
    path : path
        For messages.
    ignore_label : int
        Label in the file of samples without interpretation.
    lines : list of str
        See `choose_lines`; empty for all lines.
    survey : DataArray, default=None
        Amplitudes, which give this cube its shape and lines. Labels are placed by their line
        numbers and times, with `UNLABELED` elsewhere. None is `cube`.
    survey_path : path, default=None
        For messages.

    Attributes
    ----------
    names : dict or None
        Names of all labels, if the files give them.
    window : array of bool (inline, crossline, samples) or None
        Samples that keep their labels; None is all of them.
    renamed : dict or None
        Other labels to give instead.
    """

    dtype = np.dtype(np.int32)
    ndim = 3

    def __init__(
        self,
        cube,
        path,
        ignore_label=UNLABELED,
        lines=(),
        *,
        survey=None,
        survey_path="the survey",
    ):
        if cube.dtype.kind not in "biuf":
            raise ValueError(
                f"{path} holds {cube.dtype}, but labels in files are whole numbers. Write codes, "
                "and name them with --names."
            )
        self.cube, self.path, self.ignore_label = cube, path, ignore_label
        survey = cube if survey is None else survey
        self.shape = tuple(survey.shape)
        self.places, self.notes = None, []
        self.names = self.window = self.renamed = None
        if survey is not cube and hasattr(cube, "dims"):
            self.places, self.notes = _find_places(cube, survey, path, survey_path)
        self.chosen = choose_lines(lines, survey)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        labels = self._read(key) if self.places is None else self._read_placed(key)
        if self.chosen is not None:
            labels[~self.chosen[key[:2]]] = UNLABELED
        if self.window is not None:
            labels[~self.window[key]] = UNLABELED
        if self.renamed is not None:
            given = labels.copy()
            for old, new in self.renamed.items():
                labels[given == old] = new
        return labels

    def _read_placed(self, key):
        """Labels at a key of the survey."""
        key = (*key, *(slice(None),) * (3 - len(key)))
        places = [own[part] for own, part in zip(self.places, key, strict=True)]
        rows = [np.atleast_1d(own) for own in places]
        labels = np.full([len(own) for own in rows], UNLABELED, self.dtype)
        found = [own >= 0 for own in rows]
        if all(mask.any() for mask in found):
            there = tuple(_as_slice(own[mask]) for own, mask in zip(rows, found, strict=True))
            labels[np.ix_(*found)] = self._read(there)
        return labels[tuple(0 if np.ndim(own) == 0 else slice(None) for own in places)]

    def _read(self, key):
        """Labels at a key of the file."""
        values = np.asarray(self.cube[key])
        nothing = undefined_values(values) | (values == self.ignore_label)
        if values.dtype.kind == "f":
            self._refuse(values, (values != np.rint(values)) & ~nothing, "which is not a label")
        outside = (values < -(2**31)) | (values >= 2**31)
        self._refuse(values, outside & ~nothing, "outside the range of 32-bit integers")
        labels = np.full(values.shape, UNLABELED, self.dtype)
        np.copyto(labels, values, where=~nothing, casting="unsafe")
        return labels

    def _refuse(self, values, wrong, reason):
        if wrong.any():
            raise ValueError(
                f"{self.path} holds {values[wrong][0]:g}, {reason}. Labels are whole numbers. "
                "Check that this is not a file of amplitudes."
            )


def open_interpretation(path, cube, seismic, reading, own, ignore_label, lines=(), *, verbose=0):
    """Labels from a file, placed at the amplitudes; `verbose` prints which part they cover."""
    labels = open_labels(path, reading, own, like=cube)
    placed = LabelCube(labels, path, ignore_label, lines, survey=cube, survey_path=seismic)
    if verbose:
        print("".join(f"{note}\n" for note in placed.notes), end="")
    return placed


def _as_slice(positions):
    """Evenly spaced positions as a slice, which needs fewer reads."""
    steps = np.unique(np.diff(positions))
    if len(steps) > 1 or (len(steps) and steps[0] < 1):
        return positions
    step = int(steps[0]) if len(steps) else 1
    return slice(int(positions[0]), int(positions[-1]) + 1, step)


def distinct_labels(labels):
    """Labels that occur, except `UNLABELED`: in the whole file, and on the chosen lines.

    Parameters
    ----------
    labels : LabelCube
    """
    chosen, everywhere, on_lines = labels.chosen, set(), set()
    labels.chosen = None
    try:
        for i in range(len(labels)):
            line = labels[i]
            for lines, traces in ((everywhere, slice(None)), (on_lines, chosen)):
                own = line if traces is None or isinstance(traces, slice) else line[traces[i]]
                below = own[:, 1:][own[:, 1:] != own[:, :-1]]  # few, so quick to sort
                lines.update(np.unique(np.concatenate([own[:, 0], below])).tolist())
    finally:
        labels.chosen = chosen
    return tuple(sorted(found - {UNLABELED}) for found in (everywhere, on_lines))


def _match_names(names, labels):
    """Names by label: for all labels of the file, or for those on the chosen lines."""
    everywhere, on_lines = distinct_labels(labels)
    for found in (everywhere, on_lines):
        if len(found) == len(names):
            return dict(zip(found, names, strict=True))
    lines = f" ({on_lines} on the lines of --lines)" if on_lines != everywhere else ""
    raise ValueError(
        f"--names has {len(names)} names, but {labels.path} holds the {len(everywhere)} labels "
        f"{everywhere}{lines}. Give one name for each label, in this order."
    )


def check_names(names, horizons=None):
    """Names of facies without surrounding blanks; empty, repeated or too few names are an error.

    Units between horizons, if these are given, need a name each.
    """
    if names is None:
        return None
    names = [name.strip() for name in names]
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(
            f"--names {','.join(names)!r} has "
            f"{'an empty name' if not all(names) else 'a repeated name'}. "
            "Give each facies its own name, such as --names sand,shale."
        )
    from skfacies.metrics._counting import OVERALL

    taken = [name for name in names if name in OVERALL]
    if taken:
        raise ValueError(f"--names has {', '.join(taken)}, which are names of scores. Use others.")
    if horizons and len(names) != len(horizons) + 1:
        raise ValueError(
            f"--names has {len(names)} names, but {len(horizons)} horizons have "
            f"{len(horizons) + 1} units above, between and below them. Name these, the shallowest "
            "first."
        )
    return names


def name_labels(names, labels, horizons=None):
    """Names by label: those given with --names, or else those of the files, or None.

    Parameters
    ----------
    names : list of str or None
    labels : LabelCube
    horizons : list of path or None
        Files that the labels come from: all units then have a name, whether they occur or not.
    """
    if not names:
        return labels.names
    return dict(enumerate(names)) if horizons else _match_names(names, labels)


# --- where labels lie -----------------------------------------------------------------------


def _find_places(labels, survey, path, survey_path):
    """Positions in the labels of each inline, crossline and sample of a survey, -1 for none.

    Returns
    -------
    places : list of three arrays, or None if labels and amplitudes have the same positions
    notes : list of str
        Which part of the survey has labels.
    """
    _compare_kinds(labels, survey, path, survey_path)
    places, notes = [], []
    for axis in range(3):
        own, numbers = _numbers(labels, axis), _numbers(survey, axis)
        if own is None or numbers is None:
            if labels.shape[axis] != survey.shape[axis]:
                raise ValueError(
                    f"{path} has the shape {_sizes(labels)}, but {survey_path} has "
                    f"{_sizes(survey)}. Without line numbers and times in both, labels need the "
                    "shape of the amplitudes, with -1 where nothing is interpreted."
                )
            places.append(np.arange(survey.shape[axis]))
            continue
        found = _match(own, numbers, axis, labels, survey, path, survey_path)
        if (found < 0).any():
            name = _plural(survey.dims[axis], axis)
            notes.append(
                f"labels cover {np.count_nonzero(found >= 0)} of {len(found)} {name}: labels are "
                f"at {_extent(labels, axis)}, amplitudes at {_extent(survey, axis)}"
            )
        places.append(found)
    same = [np.array_equal(own, np.arange(n)) for own, n in zip(places, labels.shape, strict=True)]
    return (None if all(same) else places), notes


def _match(own, numbers, axis, labels, survey, path, survey_path):
    """Position in `own` of each line number or time of a survey, -1 for none."""
    name = _plural(survey.dims[axis], axis)
    if len(np.unique(own)) < len(own):
        raise ValueError(f"{path} has repeated {name}. Labels need distinct {name}.")
    steps = np.diff(np.unique(numbers))
    tolerance = 0.01 * steps.min() if len(steps) else 0.01
    order = np.argsort(own)
    nearest = _nearest(own[order], numbers)
    found = np.where(np.abs(own[order][nearest] - numbers) <= tolerance, order[nearest], -1)
    both = f"{path} has {name} {_extent(labels, axis)}, {survey_path} has {_extent(survey, axis)}."
    n_found = np.count_nonzero(found >= 0)
    if axis == 2:
        ascending = np.sort(numbers)
        inside = (own >= ascending[0] - tolerance) & (own <= ascending[-1] + tolerance)
        gaps = np.abs(ascending[_nearest(ascending, own)] - own) > tolerance
        if (inside & gaps).any():
            raise ValueError(
                f"{both} Labels lie between the samples of the amplitudes. Resample the labels to "
                f"these samples{_remedy(path, axis)}."
            )
    if n_found == 0 or (axis == 2 and n_found == 1 < min(len(own), len(numbers))):
        raise ValueError(f"{both} Labels and amplitudes must overlap{_remedy(path, axis)}.")
    return found


def _nearest(ascending, numbers):
    """Position in ascending numbers of the one nearest to each of `numbers`."""
    right = np.clip(np.searchsorted(ascending, numbers), 1, max(1, len(ascending) - 1))
    right = np.minimum(right, len(ascending) - 1)
    left = np.maximum(right - 1, 0)
    is_left = np.abs(ascending[left] - numbers) <= np.abs(ascending[right] - numbers)
    return np.where(is_left, left, right)


def _remedy(path, axis):
    if not is_segy(path):
        return ""
    if axis == 2:
        return (
            ". If headers are wrong, correct them with --labels-first-sample and "
            "--labels-sample-interval (for the amplitudes, --first-sample and --sample-interval)"
        )
    return (
        f". If line numbers are in other bytes, give --labels-{('inline', 'crossline')[axis]}-byte"
    )


def _kind(cube):
    """Kind of the vertical axis: "time", "depth", or "" if its name and unit do not show it."""
    kind = vertical_kind(cube.dims[2])
    if kind:
        return "time" if kind == "twt" else kind
    unit = unit_of(cube[cube.dims[2]]).lower()
    return next((kind for kind, scales in UNIT_SCALES.items() if unit in scales), "")


def _compare_kinds(labels, survey, path, survey_path):
    kinds = [_kind(labels), _kind(survey)]
    known = [cube.dims[2] in cube.coords for cube in (labels, survey)]
    if all(kinds) and all(known) and kinds[0] != kinds[1]:
        raise ValueError(
            f"{path} is in {kinds[0]}, but {survey_path} is in {kinds[1]}. Labels and amplitudes "
            "must be in the same domain. If one is read wrongly, set --domain or --labels-domain."
        )


def _numbers(cube, axis):
    """Line numbers, or times in ms or depths in m; None if a file has none."""
    dim = cube.dims[axis]
    if dim not in cube.coords or cube[dim].dtype.kind not in "iuf":
        return None
    numbers = np.asarray(cube[dim], dtype=float)
    if axis < 2:
        return numbers
    return numbers * UNIT_SCALES.get(_kind(cube), {}).get(unit_of(cube[dim]).lower(), 1)


def _plural(dim, axis):
    if axis < 2:
        return f"{('inline', 'crossline')[axis]}s"
    return {"twt": "times", "time": "times", "depth": "depths"}.get(str(dim), "samples")


def _extent(cube, axis):
    numbers = np.asarray(cube[cube.dims[axis]])
    unit = f" {unit_of(cube[cube.dims[axis]])}".rstrip() if axis == 2 else ""
    step = f", every {numbers[1] - numbers[0]:g}" if axis == 2 and len(numbers) > 1 else ""
    return f"{numbers.min():g} to {numbers.max():g}{unit}{step}{unit if step else ''}"


def _sizes(cube):
    return " x ".join(map(str, cube.shape))


# --- lines to train on ----------------------------------------------------------------------


def check_lines(lines, direction):
    """Check the syntax of --lines before any file is opened.

    Returns
    -------
    step : int
        The number in "every=10", or 1.
    named : list of str
        The other texts.
    """
    step, named = split_lines(lines)
    for text in named:
        name, _ = _parse_lines(text)
        # Every line of the other direction would have one labeled trace.
        if direction not in ("both", name):
            raise ValueError(
                f"--lines {text!r} gives {name}s, but --directions is {direction}. Use "
                f"--directions {name} or both."
            )
    return step, named


def split_lines(lines):
    """The number in "every=10", or 1, and the other texts."""
    steps = [text for text in lines if text.startswith("every=")]
    if len(steps) > 1:
        raise ValueError(f"--lines has {' and '.join(steps)}. Give only one of them.")
    for text in steps:
        if not re.fullmatch(r"every=0*[1-9][0-9]*", text):
            raise ValueError(f"--lines {text!r} needs a whole number, such as every=10.")
    step = int(steps[0].removeprefix("every=")) if steps else 1
    return step, [text for text in lines if text not in steps]


def choose_lines(lines, cube):
    """Traces that lie on chosen lines, as a bool array (n_inlines, n_crosslines); None for all.

    Parameters
    ----------
    lines : list of str
        Each "inline=" or "crossline=" and line numbers: "328", "300,350", "300-400",
        "300-400:10", "-20--10".
    cube : DataArray

    Raises
    ------
    ValueError
        If a requested line is not in the survey.
    """
    if not lines:
        return None
    chosen = np.zeros(cube.shape[:2], dtype=bool)
    for text in lines:
        name, ranges = _parse_lines(text)
        there = np.asarray(cube[name])
        wanted = np.zeros(len(there), dtype=bool)
        for span in ranges:
            wanted |= _lines_in(span, there, text)
        chosen |= wanted[:, None] if name == "inline" else wanted
    return chosen


def _lines_in(span, there, text):
    """Which lines are in a range; its ends, and every line of a step, must be in the survey."""
    missing = sorted(n for n in {span[0], span[-1]} if not there.min() <= n <= there.max())
    within = (there >= span[0]) & (there <= span[-1]) & ((there - span[0]) % span.step == 0)
    if not missing and (span.step > 1 or not within.any()):  # else lines may be numbered 1, 3, 5
        missing = [number for number in span if number not in there]
    if missing:
        name = text.partition("=")[0]
        raise ValueError(
            f"--lines {text!r}: {first_numbers(missing)} {'is' if len(missing) == 1 else 'are'} "
            f"not in the survey, which has {name}s {_span_words(there)}."
        )
    return within


def first_numbers(numbers):
    """The first numbers of a list, as text."""
    return ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")


def _span_words(numbers):
    steps = np.unique(np.abs(np.diff(numbers)))
    every = f", every {steps[0]}" if len(steps) == 1 and steps[0] > 1 else ""
    return f"{numbers.min()} to {numbers.max()}{every}"


def _parse_lines(text):
    """Name of the direction, and ranges of line numbers."""
    name, _, numbers = text.partition("=")
    if name not in ("inline", "crossline") or not numbers:
        raise ValueError(
            f"--lines {text!r} is not valid. Use inline=300,350 or crossline=300-400:10 "
            "or every=10."
        )
    return name, [_range(part.strip()) for part in numbers.split(",")]


def _range(text):
    """Numbers of "300", "300-400" or "300-400:10"; any of them may be negative."""
    parts = re.fullmatch(r"(-?[0-9]+)(?:-(-?[0-9]+)(?::([0-9]+))?)?", text)
    first, last, step = parts.groups() if parts else (0, None, "0")
    if int(step or 1) > 0 and int(first) <= int(last or first):
        return range(int(first), int(last or first) + 1, int(step or 1))
    raise ValueError(
        f"--lines: {text!r} is not a line number or range. Use 300, 300-400 or 300-400:10, with "
        "the lower number first."
    )
