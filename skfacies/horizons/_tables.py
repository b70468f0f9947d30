"""Points of horizons in text files, line by line: cells by the roles of their columns."""

import re
from array import array
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skfacies.horizons._formats import (
    COMMENTS,
    advise_on_columns,
    columns_of_charisma,
    encoding_of,
    split_line,
)

__all__ = ["Points", "read_iesx", "read_points"]

LINES = ("inline", "crossline")
ROLES = (*LINES, "x", "y", "value")


class Points(NamedTuple):
    """Points of one horizon.

    `cells` has an array for each role, of integers for line numbers; `numbers` is a function that
    returns the line of the file that each point is in.
    """

    cells: dict
    numbers: object


def read_points(path, head, first_lines, columns, skip_lines, name, prefixes=()):
    """Points of a file.

    Parameters
    ----------
    head : bytes
    first_lines : list of str
        For advice.
    columns : tuple of str
    skip_lines : int
    name : str or None
        Horizon to choose by the column "name".
    prefixes : tuple of str, default=()
        Beginnings of lines that are no points, apart from comments.
    """
    roles = [role for role in ROLES if role in columns]
    places = [columns.index(role) for role in roles]
    encoding = encoding_of(head)
    _check_name(name, "name" in columns)
    if "name" not in columns and not prefixes:
        cells = _load_cells(path, first_lines, encoding, columns, places, skip_lines)
        lines = [k for k, role in enumerate(roles) if role in LINES]
        if cells is not None and np.array_equal(cells[:, lines], cells[:, lines] // 1):
            numbers = partial(_number_lines, path, encoding, skip_lines)
            return Points(_typed(dict(zip(roles, cells.T, strict=True))), numbers)
    at_name = columns.index("name") if "name" in columns else None
    numbers, found, names = array("q"), [array("d") for _ in roles], {}
    # Comments are in any encoding.
    with open(path, encoding=encoding, errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if number <= skip_lines or _is_comment(line, prefixes):
                continue
            cells = split_line(line.strip(" \r\n"), len(columns))
            if len(cells) != len(columns):
                raise ValueError(
                    f"Line {number} of {str(path)!r} has {len(cells)} columns, `columns` names "
                    f"{len(columns)}, {columns}: {line.strip()[:80]!r}. "
                    f"{advise_on_columns(line.strip(), number, cells, columns, first_lines)}"
                )
            try:
                point = [_parse(cells[place], columns[place]) for place in places]
            except ValueError as error:
                raise ValueError(
                    f"Line {number} of {str(path)!r}: {error} "
                    f"{advise_on_columns(line.strip(), number, cells, columns, first_lines)}"
                ) from None
            if at_name is not None:
                names.setdefault(cells[at_name])
                if name is not None and cells[at_name] != name:
                    continue
            for values, value in zip(found, point, strict=True):
                values.append(value)
            numbers.append(number)
    check_chosen(name, list(names), path)
    cells = _typed(dict(zip(roles, map(np.array, found), strict=True)))
    return Points(cells, lambda: np.array(numbers))


def read_iesx(path, head, name):
    """Points of a file in the IESX layout of GeoFrame, of 3-D surveys and 2-D lines.

    A line has X, Y, two codes, z, shot point, CDP and trace; then, for a 3-D survey, perhaps an
    amplitude, the direction and the number of the line. Other programs write further values into
    lines of their own, which are left out, and may begin a line with the end of the last one.
    """
    numbers, names, chosen = array("q"), {}, ""
    found = {role: array("d") for role in ROLES}
    with open(path, encoding=encoding_of(head), errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if line.startswith("PROFILE"):
                chosen = re.sub(r"\s+TYPE\s+\d.*", "", line[len("PROFILE") :].strip())
                names.setdefault(chosen)
                continue
            cells = line.removeprefix("EOD").split()
            if len(cells) < 8 or cells[0] == "SNAPPING" or (name is not None and chosen != name):
                continue
            try:
                point = [float(cells[k]) for k in (0, 1, 4, 7)]
            except ValueError:
                raise ValueError(
                    f"Line {number} of {str(path)!r} is not X, Y, two codes, z, shot point, CDP "
                    f"and trace, as in the IESX layout: {line.strip()[:80]!r}. Export the horizon "
                    "again, or as lines of X, Y and z."
                ) from None
            tail = re.search(r"\s([IXC])\s+(-?\d+)(\s|$)", line)
            lines = (float(tail[2]) if tail else np.nan, point[3])
            lines = lines if tail is None or tail[1] == "I" else lines[::-1]
            for role, value in zip(ROLES, (*lines, *point[:3]), strict=True):
                found[role].append(value)
            numbers.append(number)
    check_chosen(name, list(names), path)
    cells = {role: np.array(values) for role, values in found.items()}
    if np.isnan(cells["inline"]).any():  # 2-D lines have names
        del cells["inline"], cells["crossline"]
    return Points(_typed(cells), lambda: np.array(numbers))


def _typed(cells):
    return {
        role: values.astype(np.int64 if role in LINES else np.float64)
        for role, values in cells.items()
    }


def _load_cells(path, first_lines, encoding, columns, places, skip_lines):
    """Cells at the places of roles, by NumPy; None where its messages would say too little."""
    first = next((line for line in first_lines if not _is_comment(line)), "")
    if not first or ";" in first or '"' in first:
        return None
    # Of several marks NumPy looks for comments in Python, which takes twice the time.
    marks = [mark for mark in COMMENTS if any(line.startswith(mark) for line in first_lines)]
    # Lines of the Charisma layout have words, so that NumPy must not read all columns.
    words = columns_of_charisma(first.split()) == columns
    try:
        cells = np.loadtxt(
            path,
            comments=marks[0] if len(marks) == 1 else marks or None,
            delimiter="," if "," in first else None,
            skiprows=skip_lines,
            usecols=places if words else None,
            ndmin=2,
            encoding=encoding,
        )
    except ValueError:
        return None
    if cells.shape[1] != len(places if words else columns) or np.isinf(cells).any():
        return None
    return cells if words else cells[:, places]


def _number_lines(path, encoding, skip_lines):
    with open(path, encoding=encoding, errors="replace") as file:
        lines = enumerate(file, start=1)
        return np.array([k for k, line in lines if k > skip_lines and not _is_comment(line)])


def _is_comment(line, prefixes=()):
    text = line.lstrip()
    return not text or text[0] in COMMENTS or (bool(prefixes) and text.startswith(prefixes))


def _parse(cell, role):
    if role == "value" and not cell:
        return np.nan
    try:
        value = float(cell)
    except ValueError:
        value = None
    is_line = role in LINES
    if value is None or (not value.is_integer() if is_line else np.isinf(value)):
        kind = "whole number" if is_line else "number"
        raise ValueError(f"{cell[:40]!r} is no {kind}, expected the {role}.")
    return value


def _check_name(name, has_names):
    if name is not None and not has_names:
        raise ValueError(f'`name` is {name!r}, but `columns` has no column "name".')


def check_chosen(name, names, path):
    listed = ", ".join(map(repr, names[:20])) + (", …" if len(names) > 20 else "")
    if name is not None and name not in names:
        raise ValueError(f"{str(path)!r} has no horizon of name={name!r}; it has {listed}.")
    if name is None and len(names) > 1:
        raise ValueError(
            f"{str(path)!r} has {len(names)} horizons, {listed}. Choose one, such as "
            f"name={names[0]!r}; on the command line {Path(path).name}:{names[0]}."
        )
