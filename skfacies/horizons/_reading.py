"""Reading horizons from text files, on lines of their own or on those of a survey."""

from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skfacies._sections.undefined import undefined_values
from skfacies.horizons._checks import check_values
from skfacies.horizons._formats import (
    REQUIRED,
    WITH_XY,
    check_format,
    header_columns,
    is_iesx,
    read_head,
)
from skfacies.horizons._grids import find_grid_reader, values_at
from skfacies.horizons._layout import Layout, find_layout, unit_of_z
from skfacies.horizons._points import check_grid, fill_grid, keep_points, place_points
from skfacies.horizons._survey import Survey, check_axis, check_lines
from skfacies.horizons._tables import read_iesx, read_points
from skfacies.horizons._units import check_z_unit, to_samples

__all__ = ["read_horizon", "read_on_survey"]


def read_horizon(
    path,
    *,
    like=None,
    columns=None,
    inlines=None,
    crosslines=None,
    sample_interval=1.0,
    first_sample=0.0,
    z_unit=None,
    null_value=(),
    skip_lines=0,
    name=None,
):
    r"""Read a horizon from a text file of an interpretation system.

    Give the cube as `like`: points are placed on its traces by line numbers or by X and Y, columns
    are recognized by its numbers, and values become samples of its vertical axis. Without it, the
    file must have inline, crossline and value in each line.

    Parameters
    ----------
    path : str or path-like
        The file: lines of points with whatever columns; Charisma, IESX (GeoFrame), Kingdom,
        OpenWorks, Petrel points with attributes, CPS-3 lines, EarthVision scattered data; or a grid
        in ZMAP+, CPS-3, Irap classic, EarthVision, Surfer or Esri ASCII format.

        Columns are separated by blanks, tabs, commas or semicolons; where these separate, decimals
        may have commas. Quotes around cells are left out. Empty lines and those that begin with
        ``#``, ``!`` or ``@`` are comments.
    like : DataArray of shape (n_inlines, n_crosslines, n_samples), default=None
        The cube of the survey, from :func:`skfacies.io.open_cube`. Only its coordinates are used:
        `inline`, `crossline`, the vertical axis, and `cdp_x` and `cdp_y` for files without line
        numbers. Without `inline` and `crossline`, points are placed by X and Y alone.
    columns : sequence of str, default=None
        What the columns hold, all of them, in order, such as
        ``("inline", "crossline", "x", "y", "value")``. "name" is the name of a horizon, see `name`.
        Columns of other names are not read. None is what the file names; otherwise, with `like`,
        what fits the survey; otherwise inline, crossline and value.
    inlines, crosslines : array-like of shape (n_inlines,), (n_crosslines,), default=None
        Line numbers of the survey, without `like`: the horizon gets its shape, points on other
        lines are left out. None is the numbers that occur in the file, sorted.
    sample_interval : float, default=1.0
        Without `like`, ``(value - first_sample) / sample_interval`` is the depth in samples. Give
        those of the cube if values are ms or m.
    first_sample : float, default=0.0
        Time or depth of the first sample.
    z_unit : {"ms", "s", "m", "km", "ft", "samples"}, default=None
        Unit of the values, with `like`. None is the unit that the file names; otherwise that of
        the vertical axis, if the values lie on it. Seconds and values that grow upwards are
        recognized; anything else that does not fit is an error.
    null_value : float or sequence of floats, default=()
        Further values that say that there is no contact. NaN, an empty cell, -999.25, -9999, -99999
        and magnitudes of 1e30 and more always say so, and what the header of a grid names.
    skip_lines : int, default=0
        Lines at the beginning that are not read. A line of titles is recognized if `columns` is
        None.
    name : str, default=None
        Name of the horizon in a file of several: in the column "name", or after PROFILE in IESX.

    Returns
    -------
    horizon : sklearn.utils.Bunch
        Its attributes are `data`, a float64 array of shape (n_inlines, n_crosslines), depths in
        samples with NaN where there is none; `inlines` and `crosslines`, the line numbers; and
        `notes`, a list of str: what was recognized.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a line cannot be read, which is named; if the file is in another format; if points have
        two values; if nothing is found; if inlines and crosslines, or X and Y, seem to be swapped;
        if values cannot be of the unit or sign of the vertical axis.

    Warns
    -----
    UserWarning
        If most points are not on the survey, if line numbers and X and Y disagree, or if values
        seem to be of another unit.

    See Also
    --------
    read_horizons : Reads several horizons of a survey and checks their order.

    Notes
    -----
    A point with X and Y belongs to the nearest trace, if it is at most half a bin from it along
    inlines and along crosslines; of several points of a trace the nearest counts. Line numbers are
    used rather than X and Y if at least half of the points are on lines of the survey. Grids are
    interpolated bilinearly at the traces; beside nodes without value there is none.

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
    check_axis(sample_interval, first_sample)
    if not isinstance(skip_lines, Integral) or skip_lines < 0:
        raise ValueError(f"`skip_lines` must be an integer >= 0; got {skip_lines!r}.")
    if like is not None:
        if (
            inlines is not None
            or crosslines is not None
            or (sample_interval, first_sample) != (1, 0)
        ):
            raise ValueError(
                "`like` has the lines and the vertical axis: omit `inlines`, `crosslines`, "
                "`sample_interval` and `first_sample`."
            )
        options = {"columns": columns, "z_unit": z_unit, "null_value": null_value}
        survey = Survey(like, by_xy=True)
        return read_on_survey(path, survey, skip_lines=skip_lines, name=name, **options)
    if z_unit is not None:
        raise ValueError(
            f"`z_unit` is {z_unit!r}: what it becomes is known with `like`, the cube. Without it, "
            "give `sample_interval` and `first_sample` in the unit of the values."
        )
    columns = None if columns is None else _check_columns(columns)
    path, head, lines = _open_text(path, skip_lines, None)
    layout = _find_layout(path, head, lines, skip_lines, columns, None, None)
    cells, numbers = _read_points(path, head, layout, name)
    points = cells["inline"], cells["crossline"]
    values = _without_nulls(cells["value"], null_value)
    grid = [
        np.unique(found) if numbers_given is None else check_lines(numbers_given, kind)
        for kind, numbers_given, found in zip(
            ("inlines", "crosslines"), (inlines, crosslines), points, strict=True
        )
    ]
    both_given = inlines is not None and crosslines is not None
    inside = keep_points(points, grid, path, layout.columns, both_given=both_given)
    check_grid(grid, len(values), path)
    data = fill_grid(
        [found[inside] for found in points], values[inside], lambda: numbers()[inside], grid, path
    )
    depths = (data - first_sample) / sample_interval
    check_values(values[inside], depths, path, sample_interval, first_sample)
    return Bunch(data=depths, inlines=grid[0], crosslines=grid[1], notes=[])


def read_on_survey(
    path, survey, *, columns=None, z_unit=None, null_value=(), skip_lines=0, name=None
):
    """`read_horizon` on a `Survey`, which several files share."""
    check_z_unit(z_unit)
    columns = None if columns is None else _check_columns(columns, survey)
    path, head, lines = _open_text(path, skip_lines, survey)
    grid = find_grid_reader(lines) if columns is None else None
    if grid is not None:
        what, reader = grid
        data, notes, unit = _on_traces(reader, path, head, survey, what, null_value), [what], ""
        unit = unit_of_z(lines)
    else:
        if columns is None and is_iesx(lines):
            points, unit, named = read_iesx(path, head, name), unit_of_z(lines), None
        else:
            layout = _find_layout(path, head, lines, skip_lines, columns, survey, z_unit)
            points, unit = _read_points(path, head, layout, name), layout.unit
            named = layout.columns
        _check_some(points, path)
        points.cells["value"] = _without_nulls(points.cells["value"], null_value)
        if np.isnan(points.cells["value"]).all():
            raise ValueError(
                f"{str(path)!r} has no pick: all of its {len(points.cells['value'])} values stand "
                "for nothing. Was another column meant? Give `columns`, all of them in order."
            )
        data, notes = place_points(points, survey, path, named)
    depths, more = to_samples(data, survey, path, z_unit, unit)
    return Bunch(
        data=depths, inlines=survey.inlines, crosslines=survey.crosslines, notes=notes + more
    )


# --- files -----------------------------------------------------------------------------------


def _open_text(path, skip_lines, survey):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No file {str(path)!r}; expected a text file of a horizon.")
    head, lines = read_head(path, skip_lines)
    check_format(path, head, lines, with_survey=survey is not None)
    return path, head, lines


def _find_layout(path, head, lines, skip_lines, columns, survey, z_unit):
    if columns is None:
        return find_layout(path, head, lines, skip_lines, survey, z_unit)
    named = header_columns(lines, len(columns))
    if columns == REQUIRED and named not in (None, columns):
        raise ValueError(f"The header of {str(path)!r} names other columns. Give columns={named}.")
    return Layout(columns, skip_lines, (), unit_of_z(lines))


def _read_points(path, head, layout, name):
    _, lines = read_head(path, layout.skip_lines)
    points = read_points(
        path, head, lines, layout.columns, layout.skip_lines, name, layout.prefixes
    )
    _check_some(points, path)
    return points


def _check_some(points, path):
    if not len(points.cells["value"]):
        raise ValueError(f"{str(path)!r} has no point: all of its lines are empty or comments.")


def _without_nulls(values, null_value):
    values = values.copy()
    values[undefined_values(values)] = np.nan
    for null in () if null_value is None else np.atleast_1d(null_value):
        values[np.isclose(values, null, rtol=1e-6, atol=0)] = np.nan
    return values


def _on_traces(reader, path, head, survey, what, null_value):
    """Values of a map grid at the traces of a survey."""
    if survey.xy is None:
        raise ValueError(
            f"{str(path)!r} is {what} in map coordinates, but the cube has no coordinates cdp_x "
            "and cdp_y. Open the SEG-Y file with X and Y in its trace headers, or export the "
            "horizon as text with inline, crossline, value."
        )
    try:
        grid = reader(path, head)
        grid = grid._replace(values=_without_nulls(grid.values, null_value))
        if not (np.isfinite(grid.origin).all() and np.isfinite(grid.steps).all()):
            raise ValueError("the nodes lie nowhere")
        data = values_at(grid, survey.xy)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        if repr(str(path)) in str(error):  # it says what is wrong
            raise
        raise ValueError(
            f"{str(path)!r} seems to be {what}, but its header cannot be read. Export it again."
        ) from error
    if np.isnan(data).all():
        corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (np.array(grid.values.shape) - 1)
        nodes = grid.origin + corners @ grid.steps
        raise ValueError(
            f"{str(path)!r}, {what}, has no value at a trace of the survey: "
            f"{survey.compare_xy(nodes[:, 0], nodes[:, 1])}"
        )
    return data


# --- checks ----------------------------------------------------------------------------------


def _check_columns(columns, survey=None):
    columns = tuple(columns)
    wanted = [REQUIRED] if survey is None else [REQUIRED, WITH_XY]
    if survey is not None and not survey.numbered:
        wanted = [WITH_XY]
    elif survey is not None and len(survey.inlines) == 1:
        wanted.append(REQUIRED[1:])
    if not any(all(columns.count(role) == 1 for role in roles) for roles in wanted):
        named = "; or ".join(f"{', '.join(map(repr, roles))} once each" for roles in wanted)
        raise ValueError(f"`columns` must name all columns, {named}; got {columns}.")
    return columns
