"""Horizons as text: a line for each point, with inline, crossline and value."""

from array import array
from functools import partial
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skfacies._sections.undefined import undefined_values
from skfacies.horizons._checks import check_values
from skfacies.horizons._formats import (
    COMMENTS,
    REQUIRED,
    advise_on_columns,
    check_format,
    encoding_of,
    header_columns,
    read_head,
    split_line,
)
from skfacies.horizons._points import check_grid, fill_grid, keep_points

__all__ = ["read_horizon"]


def read_horizon(
    path,
    *,
    columns=REQUIRED,
    inlines=None,
    crosslines=None,
    sample_interval=1.0,
    first_sample=0.0,
    null_value=(),
    skip_lines=0,
    name=None,
):
    r"""Read a horizon from text with inline, crossline and value in each line.

    Columns are separated by blanks, tabs, commas or semicolons; where these separate, decimals may
    have commas. Quotes around cells are left out. Empty lines and those that begin with ``#``,
    ``!`` or ``@`` are comments. Other formats of horizons and map grids are recognized, and the
    error says what to export instead.

    Parameters
    ----------
    path : str or path-like
        The file.
    columns : sequence of str, default=("inline", "crossline", "value")
        What the columns hold, all of them, in order, such as
        ``("inline", "crossline", "x", "y", "value")``. "name" is the name of a horizon, see `name`.
        Columns of other names are not read.
    inlines, crosslines : array-like of shape (n_inlines,), (n_crosslines,), default=None
        Line numbers of the survey: the horizon gets its shape, points on other lines are left out.
        None is the numbers that occur in the file, sorted.
    sample_interval : float, default=1.0
        ``(value - first_sample) / sample_interval`` is the depth in samples. Give those of the cube
        if values are ms or m.
    first_sample : float, default=0.0
        Time or depth of the first sample.
    null_value : float or sequence of floats, default=()
        Further values that say that there is no contact. NaN, an empty cell, -999.25, -9999, -99999
        and magnitudes of 1e30 and more always say so.
    skip_lines : int, default=0
        Lines at the beginning that are not read, such as a line of titles.
    name : str, default=None
        Name of the horizon in a file of several, of which `columns` has the "name".

    Returns
    -------
    horizon : sklearn.utils.Bunch
        Its attributes are `data`, a float64 array of shape (n_inlines, n_crosslines), depths in
        samples with NaN where there is none; `inlines` and `crosslines`, the line numbers.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a line cannot be read, which is named; if the file is in another format; if points have
        two values; if nothing is found; if inlines and crosslines seem to be swapped; if values
        cannot be of the unit or sign of `sample_interval` and `first_sample`.

    Warns
    -----
    UserWarning
        If most points are not on the given lines, or if values seem to be of another unit.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skfacies.horizons import read_horizon
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "top_chalk.txt")
    ...     size = path.write_text("! time in ms\n100, 300, 40\n100, 302, 42\n101, 302, 48\n")
    ...     horizon = read_horizon(path, sample_interval=4)
    >>> horizon.data, horizon.inlines, horizon.crosslines
    (array([[10. , 10.5],
           [ nan, 12. ]]), array([100, 101]), array([300, 302]))
    """
    columns = _check_columns(columns)
    _check_axis(sample_interval, first_sample)
    if not isinstance(skip_lines, Integral) or skip_lines < 0:
        raise ValueError(f"`skip_lines` must be an integer >= 0; got {skip_lines!r}.")
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No file {str(path)!r}; expected a text file of a horizon.")
    numbers, points, values = _read_points(path, columns, skip_lines, name)
    if not len(values):
        raise ValueError(f"{str(path)!r} has no point: all of its lines are empty or comments.")
    values[undefined_values(values)] = np.nan
    for null in () if null_value is None else np.atleast_1d(null_value):
        values[np.isclose(values, null, rtol=1e-6, atol=0)] = np.nan
    grid = [
        np.unique(found) if lines is None else _check_lines(lines, kind)
        for kind, lines, found in zip(
            ("inlines", "crosslines"), (inlines, crosslines), points, strict=True
        )
    ]
    both_given = inlines is not None and crosslines is not None
    inside = keep_points(points, grid, path, columns, both_given=both_given)
    check_grid(grid, len(values), path)
    data = fill_grid(
        [found[inside] for found in points], values[inside], lambda: numbers()[inside], grid, path
    )
    depths = (data - first_sample) / sample_interval
    check_values(values[inside], depths, path, sample_interval, first_sample)
    return Bunch(data=depths, inlines=grid[0], crosslines=grid[1])


# --- checks ----------------------------------------------------------------------------------


def _check_lines(lines, name):
    if lines is None:
        raise ValueError(
            f"`{name}` must be the line numbers of the survey; got None. Only a DataArray with "
            "coordinates `inline` and `crossline` brings its own."
        )
    lines = np.asarray(lines)
    whole = lines.dtype.kind in "iuf" and np.array_equal(lines, np.round(lines))
    if lines.ndim != 1 or not lines.size or not whole or len(np.unique(lines)) < len(lines):
        raise ValueError(f"`{name}` must be different whole numbers, one a line; got {lines!r}.")
    return lines.astype(np.int64)


def _check_axis(sample_interval, first_sample):
    for name, value in (("sample_interval", sample_interval), ("first_sample", first_sample)):
        if not isinstance(value, Real) or not np.isfinite(value):
            raise ValueError(f"`{name}` must be a finite number; got {value!r}.")
    if sample_interval <= 0:
        raise ValueError(f"`sample_interval` must be above 0; got {sample_interval!r}.")


def _check_columns(columns):
    columns = tuple(columns)
    if any(columns.count(name) != 1 for name in REQUIRED):
        raise ValueError(
            f"`columns` must name all columns, {', '.join(map(repr, REQUIRED))} once each; got "
            f"{columns}."
        )
    return columns


# --- points ----------------------------------------------------------------------------------


def _read_points(path, columns, skip_lines, name):
    """Line of each point in the file, by a function, (inlines, crosslines) and values."""
    head, first_lines = read_head(path, skip_lines)
    check_format(path, head, first_lines)
    named = header_columns(first_lines, len(columns))
    if columns == REQUIRED and named not in (None, columns):
        raise ValueError(f"The header of {str(path)!r} names other columns. Give columns={named}.")
    places = [columns.index(role) for role in REQUIRED]
    _check_name(name, "name" in columns)
    if "name" not in columns:
        cells = _load_cells(path, first_lines, encoding_of(head), len(columns), skip_lines)
        if cells is not None and np.array_equal(cells[:, places[:2]], cells[:, places[:2]] // 1):
            numbers = partial(_number_lines, path, encoding_of(head), skip_lines)
            inlines, crosslines, values = cells[:, places].T
            return numbers, (inlines.astype(np.int64), crosslines.astype(np.int64)), values
    at_name = columns.index("name") if "name" in columns else None
    numbers, found, names = array("q"), (array("d"), array("d"), array("d")), {}
    # Comments are in any encoding.
    with open(path, encoding=encoding_of(head), errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if number <= skip_lines or _is_comment(line):
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
    _check_chosen(name, list(names), path)
    inlines, crosslines, values = map(np.array, found)
    points = inlines.astype(np.int64), crosslines.astype(np.int64)
    return lambda: np.array(numbers), points, values


def _load_cells(path, first_lines, encoding, n_columns, skip_lines):
    """All cells of a file of numbers, by NumPy; None where its messages would say too little."""
    first = next((line for line in first_lines if not _is_comment(line)), "")
    if not first or ";" in first or '"' in first:
        return None
    try:
        cells = np.loadtxt(
            path,
            comments=list(COMMENTS),
            delimiter="," if "," in first else None,
            skiprows=skip_lines,
            ndmin=2,
            encoding=encoding,
        )
    except ValueError:
        return None
    whole = cells.shape[1] == n_columns and not np.isinf(cells).any()
    return cells if whole else None


def _number_lines(path, encoding, skip_lines):
    with open(path, encoding=encoding, errors="replace") as file:
        lines = enumerate(file, start=1)
        return np.array([k for k, line in lines if k > skip_lines and not _is_comment(line)])


def _is_comment(line):
    return not line.strip() or line.lstrip()[0] in COMMENTS


def _parse(cell, role):
    if role == "value" and not cell:
        return np.nan
    try:
        value = float(cell)
    except ValueError:
        value = None
    if value is None or (np.isinf(value) if role == "value" else not value.is_integer()):
        kind = "number" if role == "value" else "whole number"
        raise ValueError(f"{cell[:40]!r} is no {kind}, expected the {role}.")
    return value


def _check_name(name, has_names):
    if name is not None and not has_names:
        raise ValueError(f'`name` is {name!r}, but `columns` has no column "name".')


def _check_chosen(name, names, path):
    listed = ", ".join(map(repr, names[:20])) + (", …" if len(names) > 20 else "")
    if name is not None and name not in names:
        raise ValueError(f"{str(path)!r} has no horizon of name={name!r}; it has {listed}.")
    if name is None and len(names) > 1:
        raise ValueError(
            f"{str(path)!r} has {len(names)} horizons, {listed}. Choose one, such as "
            f"name={names[0]!r}."
        )
