"""Units picked as intervals of traces, from text files."""

import re
import warnings
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skfacies._cubes.holders import check_out, release_pages, rows_at_once
from skfacies.horizons._formats import COMMENTS, check_format, encoding_of, read_head
from skfacies.horizons._layout import unit_of_titles, unit_of_z
from skfacies.horizons._lazy import IntervalLabels
from skfacies.horizons._survey import Survey
from skfacies.horizons._units import check_z_unit, to_samples

__all__ = ["find_intervals", "read_intervals"]

SAMPLES_AT_ONCE = 2**21
COLUMNS = ("inline", "crossline", "top", "base", "class")
#: Titles of columns, without units and signs.
TITLES = (
    ("inline", r"inlines?|il|iline|line"),
    ("crossline", r"crosslines?|xl|xline|crl|traces?|cdp"),
    ("x", r"x|easting|cdpx"),
    ("y", r"y|northing|cdpy"),
    ("top", r"z?top|from"),
    ("base", r"z?(base|bottom)|to"),
    ("class", r"class|facies|unit|label|name"),
)
LAYOUT = "a line is: inline crossline top base class"


def read_intervals(path, *, like, classes=None, z_unit=None, ignore_label=-1, out=None):
    r"""Read units that were picked as intervals: labels of some traces, and of parts of them.

    An alternative to horizons where only some units are certain, such as a salt body or a channel,
    or where an interpreter has marked examples.

    Parameters
    ----------
    path : str or path-like
        A text file. Each line is ``inline crossline top base class``: the unit `class` lies from
        `top` down to `base` on this trace. Columns are separated by blanks, or by tabs, commas or
        semicolons; the name of a class may have blanks. For line numbers, "300-340" stands for all
        lines of the survey from 300 to 340. A line of titles may give the columns another order,
        or ``x`` and ``y`` in place of line numbers. Lines that begin with ``#``, ``!`` or ``@`` are
        comments, or titles.
    like : DataArray of shape (n_inlines, n_crosslines, n_samples)
        The cube of the survey, from :func:`skfacies.io.open_cube`. Only its coordinates are used.
    classes : list of str, default=None
        Names of all classes, in the order of their labels 0, 1, 2, …. None is those in the file,
        from the shallowest to the deepest by their median depth; whole numbers are labels
        themselves.
    z_unit : {"ms", "s", "m", "km", "ft", "samples"}, default=None
        As in :func:`read_horizon`.
    ignore_label : int, default=-1
        Label of all other samples.
    out : array of shape (n_inlines, n_crosslines, n_samples), default=None
        Array, memory map, Zarr or HDF5 array that the labels are written to, slab by slab. None
        makes an array in memory.

    Returns
    -------
    picks : sklearn.utils.Bunch
        Its attributes are `labels`, an array of shape (n_inlines, n_crosslines, n_samples) or
        `out`; `classes`, a dict with the name of each label; and `notes`, a list of str.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a line cannot be read, a base is not below its top, or two classes overlap: the lines are
        named; if no interval is on the survey, or a class is not one of `classes`.

    Warns
    -----
    UserWarning
        If most intervals are not on the survey.

    See Also
    --------
    read_horizons : Reads contacts between units.

    Notes
    -----
    As for horizons, a unit begins at the first sample at or below its top, and ends before the
    first sample at or below its base.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import xarray
    >>> from skfacies.horizons import read_intervals
    >>> axes = {"inline": [100, 101], "crossline": [300, 301], "twt": np.arange(0, 24, 4)}
    >>> cube = xarray.DataArray(np.zeros((2, 2, 6)), axes, list(axes))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "picks.txt")
    ...     size = path.write_text("100 300-301 12 20 top salt\n100 301 0 8 chalk\n")
    ...     picks = read_intervals(path, like=cube)
    >>> picks.classes
    {0: 'chalk', 1: 'top salt'}
    >>> picks.labels[0]
    array([[-1, -1, -1,  1,  1, -1],
           [ 0,  0, -1,  1,  1, -1]], dtype=int32)
    """
    survey = Survey(like, by_xy=True)
    found, names, notes = find_intervals(path, survey, classes=classes, z_unit=z_unit)
    if ignore_label in names:
        raise ValueError(
            f"`ignore_label` {ignore_label} is the label of the class {names[ignore_label]!r}. "
            "Give another number."
        )
    labels = np.empty(found.shape, found.dtype) if out is None else check_out(out, found.shape)
    for rows in rows_at_once(labels, values=SAMPLES_AT_ONCE):
        piece = found[rows]
        labels[rows] = np.where(piece == -1, ignore_label, piece)
        release_pages(labels)
    return Bunch(labels=labels, classes=names, notes=notes)


def find_intervals(path, survey, *, classes=None, z_unit=None, stacklevel=3):
    """Intervals of a file as `IntervalLabels`, names by label, and notes."""
    check_z_unit(z_unit)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No file {str(path)!r}; expected a text file of picked intervals.")
    head, lines = read_head(path, 0)
    check_format(path, head, lines)
    numbers, rows, columns, unit = _read_rows(path, head)
    z = np.array([[row["top"], row["base"]] for row in rows])
    depths, notes = to_samples(z, survey, path, z_unit, unit or unit_of_z(lines))
    wrong = np.flatnonzero(~(depths[:, 1] > depths[:, 0]))
    if wrong.size:
        row = rows[wrong[0]]
        raise ValueError(
            f"Line {numbers[wrong[0]]} of {str(path)!r} has the base {row['base']:g} not below the "
            f"top {row['top']:g}. Swap them."
        )
    samples = np.ceil(np.clip(depths, 0, survey.n_samples)).astype(np.int64)
    place = _traces_by_xy if "x" in columns else _traces_by_lines
    traces = place(rows, survey)
    counts = np.array([len(own) for own in traces])
    _check_places(counts, path, survey, stacklevel)
    medians = {}
    for row, depth in zip(rows, depths.mean(axis=1), strict=True):
        medians.setdefault(row["class"], []).append(depth)
    names = _name_labels({name: np.median(own) for name, own in medians.items()}, classes, path)
    labels = {name: label for label, name in names.items()}
    codes = np.repeat([labels[row["class"]] for row in rows], counts)
    starts, stops = (np.repeat(samples[:, side], counts) for side in (0, 1))
    flat, lines_of = np.concatenate(traces), np.repeat(numbers, counts)
    order = np.lexsort((starts, flat))
    flat, starts, stops, codes = (own[order] for own in (flat, starts, stops, codes))
    _check_overlaps(flat, starts, stops, codes, lines_of[order], names, survey, path)
    shape = (*survey.shape, survey.n_samples)
    return IntervalLabels(flat, starts, stops, codes, shape), names, notes


# --- lines of the file -----------------------------------------------------------------------


def _read_rows(path, head):
    """Line numbers, a dict for each line, names of the columns, unit of z."""
    numbers, rows, columns, unit = [], [], None, ""
    with open(path, encoding=encoding_of(head), errors="replace") as file:
        for number, line in enumerate(file, start=1):
            text = line.strip()
            if not rows and (titles := _titles(text.lstrip(COMMENTS + " "))):
                columns, unit = titles, unit_of_titles(text) or _unit_of_top(text)
                continue
            if not text or text[0] in COMMENTS:
                continue
            names = columns or COLUMNS
            cells = _split(text, len(names))
            if len(cells) != len(names):
                raise ValueError(
                    f"Line {number} of {str(path)!r} has {len(cells)} columns: {text[:80]!r}; "
                    + (f"the titles are {', '.join(names)}." if columns else f"{LAYOUT}.")
                )
            numbers.append(number)
            rows.append(_parse_row(dict(zip(names, cells, strict=True)), number, path))
    if not rows:
        raise ValueError(f"{str(path)!r} has no interval; {LAYOUT}.")
    return np.array(numbers), rows, columns or COLUMNS, unit


def _titles(text):
    """Columns that a line names; None if it is no line of titles."""
    words = [re.sub(r"[(\[].*", "", cell) for cell in _split(text, 0)]
    words = [re.sub(r"(_(ms|s|m|ft))$|[^a-z]", "", word.lower()) for word in words if word]
    roles = [
        next((role for role, pattern in TITLES if re.fullmatch(pattern, word)), "-")
        for word in words
    ]
    placed = {"inline", "crossline"} <= set(roles) or {"x", "y"} <= set(roles)
    return tuple(roles) if placed and {"top", "base", "class"} <= set(roles) else None


def _unit_of_top(text):
    match = re.search(r"\bz?_?top[\s_]*[(\[_]\s*(\w+?)\s*(?:[)\]]|\s|$)", text, re.IGNORECASE)
    return match[1].lower() if match else ""


def _split(text, n_columns):
    """Cells; between blanks the last of so many columns has the rest of the line."""
    separator = next((mark for mark in ";\t," if mark in text), None)
    cells = text.split(separator, -1 if separator or not n_columns else n_columns - 1)
    return [cell.strip().strip("\"'").strip() for cell in cells]


def _parse_row(cells, number, path):
    row = {"class": cells["class"]}
    try:
        for role in ("top", "base", "x", "y"):
            if role in cells:
                row[role] = float(cells[role])
                if not np.isfinite(row[role]):
                    raise ValueError
        for role in ("inline", "crossline"):
            if role in cells:
                first, last = re.fullmatch(r"(-?\d+)(?:\.0*)?(?:-(-?\d+))?", cells[role]).groups()
                row[role] = (int(first), int(last or first))
    except (AttributeError, ValueError):
        kind = "whole number or range such as 300-340" if role.endswith("line") else "number"
        raise ValueError(
            f"Line {number} of {str(path)!r}: {cells[role][:40]!r} is no {kind}, expected the "
            f"{role}; {LAYOUT}."
        ) from None
    if not row["class"]:
        raise ValueError(f"Line {number} of {str(path)!r} names no class; {LAYOUT}.")
    return row


# --- places and classes ----------------------------------------------------------------------


def _traces_by_lines(rows, survey):
    if not survey.numbered:
        raise ValueError(
            "intervals have inline and crossline numbers, but the traces have none. Give X and Y."
        )
    traces = []
    for row in rows:
        i, j = (
            np.flatnonzero((numbers >= row[role][0]) & (numbers <= row[role][1]))
            for role, numbers in (("inline", survey.inlines), ("crossline", survey.crosslines))
        )
        traces.append((i[:, np.newaxis] * survey.shape[1] + j).ravel())
    return traces


def _traces_by_xy(rows, survey):
    if survey.xy is None:
        raise ValueError(
            "intervals have X and Y, but the cube has no coordinates cdp_x and cdp_y. Give inline "
            "and crossline numbers."
        )
    x, y = (np.array([row[role] for row in rows]) for role in "xy")
    found, _ = survey.find_traces(x, y)
    return [found[k : k + 1][found[k : k + 1] >= 0] for k in range(len(rows))]


def _check_places(counts, path, survey, stacklevel):
    outside = np.count_nonzero(counts == 0)
    extent = (
        f"the survey, inlines {survey.inlines.min()}-{survey.inlines.max()} and crosslines "
        f"{survey.crosslines.min()}-{survey.crosslines.max()}"
        if survey.numbered
        else "the traces"
    )
    if outside == len(counts):
        raise ValueError(f"{str(path)!r} has no interval on {extent}; {LAYOUT}.")
    if outside > len(counts) / 2:
        warnings.warn(
            f"{outside} of the {len(counts)} intervals of {str(path)!r} are not on {extent}. They "
            "are left out.",
            stacklevel=stacklevel + 1,
        )


def _name_labels(medians, classes, path):
    """Names by label."""
    if classes is not None:
        unknown = sorted(set(medians) - set(classes))
        if unknown:
            raise ValueError(
                f"{str(path)!r} has the class {unknown[0]!r}, which is not one of `classes`, "
                f"{list(classes)}."
            )
        return dict(enumerate(classes))
    if all(re.fullmatch(r"\d+", name) for name in medians):
        return {int(name): name for name in sorted(medians, key=int)}
    return dict(enumerate(sorted(medians, key=medians.get)))


def _check_overlaps(traces, starts, stops, codes, lines, names, survey, path):
    """Refuse two classes at one place; intervals are in order of traces and starts."""
    ends = traces * (survey.n_samples + 1) + stops
    deepest = np.maximum.accumulate(ends)
    holder = np.maximum.accumulate(np.where(ends == deepest, np.arange(len(ends)), 0))[:-1]
    wrong = (traces[holder] == traces[1:]) & (starts[1:] < stops[holder])
    wrong &= codes[holder] != codes[1:]
    if wrong.any():
        k = np.flatnonzero(wrong)[0]
        pair = sorted((lines[holder[k]], lines[k + 1]))
        i, j = np.unravel_index(traces[k + 1], survey.shape)
        raise ValueError(
            f"Lines {pair[0]} and {pair[1]} of {str(path)!r} overlap at inline "
            f"{survey.inlines[i]}, crossline {survey.crosslines[j]}: "
            f"{names[codes[holder[k]]]!r} and {names[codes[k + 1]]!r}. A sample has one class; "
            f"intervals overlap like that on {len(np.unique(traces[1:][wrong]))} traces."
        )
