"""How a text file of points is laid out: its columns, its titles, its unit of z."""

import re
from typing import NamedTuple

import numpy as np

from skfacies.horizons._formats import (
    COMMENTS,
    REQUIRED,
    columns_of_charisma,
    encoding_of,
    guess_columns,
    header_columns,
    role_columns,
    split_line,
    to_number,
)

__all__ = ["Layout", "find_layout"]

#: Lines of a file are looked at in so many places, of so many bytes each.
PLACES, PIECE = 64, 2**12
#: Lines of so many numbers are rows of a grid.
MANY_COLUMNS = 12
#: Part of the points that must fit for columns to be recognized by the survey.
MOST = 0.5

#: Where files say the unit of z, apart from the titles of their columns.
UNITS_OF_Z = (
    r"PROFILE\s.*\bTYPE\s+\d.*\s(?:m|ft)\s+(\w+)$",
    r"#?\W*Export_Z_Unit_*->\s*(\w+)",
    r"#\s*Unit in depth:\s*(\w+)",
    r"#\s*Field:\s*\d+\s+z\s+(\w+)",
    r"[#!@]\W*(?:z|time|twt|depth)?\W*units?(?: of z)?\W*[:=]?\s*(\w+)$",
    r"[#!@].*\b(?:z|time|twt|depth)\s+in\s+(\w+)$",
)


class Layout(NamedTuple):
    """Columns of a file, lines to skip, beginnings of lines that are no points, unit of z."""

    columns: tuple
    skip_lines: int = 0
    prefixes: tuple = ()
    unit: str = ""


def find_layout(path, head, lines, skip_lines, survey, z_unit):
    """Layout of a file whose columns are not given.

    Parameters
    ----------
    head : bytes
        Beginning of the file.
    lines : list of str
        Its first lines but those to be skipped.
    survey : Survey or None
        Tells line numbers, X and Y, and z from other columns.

    Returns
    -------
    layout : Layout
        With the columns inline, crossline and value, if nothing else is known.
    """
    unit = unit_of_z(lines)
    if "BEGIN HEADER" in lines and "END HEADER" in lines:
        begin, end = lines.index("BEGIN HEADER"), lines.index("END HEADER")
        names = [line.split(",")[-1].strip("\" '") for line in lines[begin + 1 : end]]
        columns = role_columns(names, with_survey=survey is not None) or REQUIRED
        return Layout(columns, skip_lines + end + 1, (), unit)
    fields = [re.match(r"#\s*Field:\s*(\d+)\s+(\w+)", line, re.IGNORECASE) for line in lines]
    fields = [match[2] for match in fields if match]
    prefixes = ("->", "FFASCI", "FFATTR") if any(line.startswith("->") for line in lines) else ()
    plain = [line for line in lines if not _is_no_point(line, prefixes)]
    if not plain:
        return Layout(REQUIRED, skip_lines, prefixes, unit)
    cells = _most_cells(plain[0])
    if all(to_number(cell) is None for cell in cells):
        title = lines.index(plain[0])
        skip_lines, plain = skip_lines + title + 1, plain[1:]
        unit = unit or unit_of_titles(lines[title])
        if not plain:
            return Layout(REQUIRED, skip_lines, prefixes, unit)
    cells = _most_cells(plain[0])
    unit = unit or next(filter(None, map(unit_of_titles, lines)), "")
    if len(fields) == len(cells) and (named := role_columns(fields, with_survey=True)):
        return Layout(named, skip_lines, prefixes, unit)
    columns = header_columns(lines, len(cells), with_survey=survey is not None)
    columns = columns or columns_of_charisma(cells)
    if columns is None and survey is not None:
        rows = [_most_cells(line) for line in _sample(path, head, skip_lines, prefixes)]
        rows = [row for row in rows if len(row) == len(cells)]
        columns = _fit_columns(rows, survey, z_unit)
        if columns is None and len(cells) < MANY_COLUMNS:
            columns = guess_columns(cells, with_survey=True)
            numbers = [to_number(cell) for cell in cells]
            if columns is None and len(cells) >= len(REQUIRED) and None not in numbers[:2]:
                raise ValueError(_unknown_columns(path, plain[0], survey))
    return Layout(columns or REQUIRED, skip_lines, prefixes, unit)


def _unknown_columns(path, line, survey):
    places = {}
    if survey.numbered:
        places |= {"inlines": survey.inlines, "crosslines": survey.crosslines}
    if survey.xy is not None:
        places |= {"X": survey.xy[..., 0], "Y": survey.xy[..., 1]}
    extent = ", ".join(f"{name} {_span(numbers)}" for name, numbers in places.items())
    wanted = f"{'line numbers or ' if survey.numbered else ''}X and Y of the survey"
    return (
        f"No two columns of {str(path)!r} are {wanted}, which has {extent}. Its first line is "
        f"{line[:80]!r}. Is it a horizon of this survey, in the same projection? If it is, give "
        "`columns`, the names of all of its columns in order."
    )


def _span(numbers):
    return f"{np.nanmin(numbers):.10g} to {np.nanmax(numbers):.10g}"


def unit_of_z(lines):
    """Unit of z that comments or the head of a format name; "" if they do not."""
    for pattern in UNITS_OF_Z:
        for line in lines:
            if match := re.match(pattern, line.strip(), flags=re.IGNORECASE):
                return match[1].lower()
    return ""


def unit_of_titles(line):
    """Unit in the title of the z column, such as "TWT (ms)" or "z_ms"; "" if there is none."""
    pattern = r"\b(?:z|twt|twtt|time|depth|tvd|tvdss|value)[\s_]*[(\[_]\s*(\w+?)\s*(?:[)\]]|$|\W)"
    match = re.search(pattern, line, flags=re.IGNORECASE)
    return match[1].lower() if match else ""


def _is_no_point(line, prefixes):
    return not line or line[0] in COMMENTS or line.startswith(prefixes or "\0")


def _most_cells(line):
    """Cells between semicolons, tabs or commas if the line has these, else between blanks."""
    separators = [mark for mark in ";\t," if mark in line]
    return split_line(line, line.count(separators[0]) + 1 if separators else 0)


def _sample(path, head, skip_lines, prefixes):
    """Lines from the whole file: its first ones may lie outside of the survey."""
    encoding = encoding_of(head)
    found = head.decode(encoding, errors="replace").splitlines()[skip_lines:]
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        n_places = 0 if encoding == "utf-16" else min(PLACES, (size - len(head)) // PIECE)
        found = found[:-1] if size > len(head) else found
        for start in np.linspace(len(head), size - PIECE, n_places, dtype=int).tolist():
            file.seek(start)
            found += file.read(PIECE).decode(encoding, errors="replace").splitlines()[1:-1]
    found = [line.strip() for line in found]
    return [line for line in found if not _is_no_point(line, prefixes)]


def _fit_columns(rows, survey, z_unit):
    """Columns by the numbers in them: those of lines and traces of the survey, then z."""
    table = np.array([[_or_nan(cell) for cell in row] for row in rows], dtype=np.float64)
    n_columns = table.shape[1] if table.ndim == 2 else 0
    if n_columns < len(REQUIRED):
        return None
    columns = ["-"] * n_columns
    found = False
    pairs = [(("inline", "crossline"), _share_on_lines)] if survey.numbered else []
    if survey.xy is not None:
        pairs.append((("x", "y"), _share_on_traces))
    for roles, share_of in pairs:
        free = [k for k in range(min(n_columns, MANY_COLUMNS)) if columns[k] == "-"]
        if pair := _best_pair(table, free, survey, share_of):
            found = True
            for role, k in zip(roles, pair, strict=True):
                columns[k] = role
    if not found:
        return None
    free = [k for k in range(n_columns) if columns[k] == "-"]
    looks = guess_columns(rows[0])  # tells z from line numbers of another survey
    free.sort(key=lambda k: looks is not None and looks[k] != "value")
    value = _column_of_z(table, free, survey, z_unit)
    if value is None:
        value = free[0] if free else None
    if value is None:
        return None
    columns[value] = "value"
    return tuple(columns)


def _best_pair(table, free, survey, share_of):
    """The first pair of columns that fits about as well as the best one; None if none does."""
    shares = {
        (a, b): share_of(table[:, a], table[:, b], survey) for a in free for b in free if a != b
    }
    best = max(shares.values(), default=0)
    if best < MOST:
        return None
    return min(pair for pair, share in shares.items() if share > best - 0.05)


def _share_on_lines(inlines, crosslines, survey):
    on = np.isin(inlines, survey.inlines) & np.isin(crosslines, survey.crosslines)
    # Each trace has one pick: indices and flags, which may be on lines too, repeat.
    distinct = np.unique(np.stack([inlines, crosslines]), axis=1).shape[1] / max(len(inlines), 1)
    return on.mean() * distinct


def _share_on_traces(x, y, survey):
    return (survey.find_traces(x, y)[0] >= 0).mean()


def _column_of_z(table, free, survey, z_unit):
    """The first column with values on the vertical axis; else the first one of small numbers."""
    for k in free:
        values = table[:, k]
        if z_unit == "samples":
            inside = (values >= 0) & (values <= survey.n_samples)
            share = inside[np.isfinite(values)].mean() if np.isfinite(values).any() else 0
        else:
            share = max(survey.share_inside(values, factor) for factor in (1, -1, 1e3))
        if share >= MOST:
            return k
    small = (k for k in free if 0 < np.nanmax(np.abs(table[:, k]), initial=0) < 1e5)
    return next(small, None)


def _or_nan(cell):
    value = to_number(cell)
    return np.nan if value is None or abs(value) >= 1e29 else value
