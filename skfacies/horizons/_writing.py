"""Horizons as files that interpretation systems import."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from skfacies._cubes.axes import UNIT_SCALES
from skfacies._files import whole_file
from skfacies.horizons._map_grids import make_map_grid, zmap_lines
from skfacies.horizons._survey import Survey, check_axis, check_lines

__all__ = ["FORMATS", "WITH_MORE", "check_horizon_format", "write_horizon"]

FORMATS = ("inline-crossline", "xyz", "charisma", "zmap")
#: Formats whose lines have room for the uncertainty and the thickness.
WITH_MORE = ("inline-crossline", "xyz")
#: Stands for nothing where a point has a depth but no uncertainty, thickness or place.
UNDEFINED = "1e30"
UNDEFINED_NODE = -99999.0
#: Decimals of X and Y, as many as they need.
XY_DECIMALS = (2, 6)


def write_horizon(
    path,
    horizon,
    *,
    format="inline-crossline",
    like=None,
    inlines=None,
    crosslines=None,
    x=None,
    y=None,
    sample_interval=None,
    first_sample=None,
    uncertainty=None,
    thickness=None,
    null_value=None,
    delimiter=" ",
    decimals=None,
):
    """Write a horizon as a file that interpretation systems import.

    Parameters
    ----------
    path : str or path-like
        The file is written beside its place and then renamed: it is complete or not there.
    horizon : array-like of shape (n_inlines, n_crosslines)
        Depths in samples, NaN where the contact is absent.
    format : {"inline-crossline", "xyz", "charisma", "zmap"}, default="inline-crossline"
        "inline-crossline": a line for each point, with inline, crossline, X and Y if they are
        known, z, uncertainty and thickness if they are given, below a line of titles. Petrel,
        Kingdom and OpendTect read it as columns. "xyz": the same without line numbers. "charisma":
        ``INLINE : 100 XLINE : 300 X Y z``, Petrel's Charisma 3D interpretation lines. "zmap": a
        ZMAP+ grid, for surveys whose lines run along X and Y.
    like : DataArray of shape (n_inlines, n_crosslines, n_samples), default=None
        The cube, as `skfacies.io.open_cube` returns it, or one with its coordinates: line numbers,
        X and Y of the traces, times or depths. Its samples are not read.
    inlines, crosslines : array-like of shape (n_inlines,), (n_crosslines,), default=None
        Line numbers. None takes those of `like`, or of a `horizon` that is a DataArray.
    x, y : array-like of shape (n_inlines, n_crosslines), default=None
        Map coordinates of the traces, NaN where unknown. None takes ``cdp_x`` and ``cdp_y`` of
        `like`, or of a `horizon` that is a DataArray.
    sample_interval : float, default=None
        Written is ``first_sample + sample_interval * horizon``: time in ms or depth in m, where
        these are given in ms or m. None is that of `like`, or 1.
    first_sample : float, default=None
        Time or depth of the first sample. None is that of `like`, or 0.
    uncertainty, thickness : array-like of shape (n_inlines, n_crosslines), default=None
        Further columns, in samples, as `contacts_from_probabilities` finds them. They are
        multiplied by `sample_interval`; 1e30 stands for NaN.
    null_value : float, default=None
        Value of points without the contact. None leaves these out, and is -99999 in a ZMAP+ grid.
    delimiter : str, default=" "
        What separates columns of "inline-crossline" and "xyz", such as "," or a tab.
    decimals : int, default=None
        Decimals of values. None is 3, or 6 where the axis of `like` is in s or km. X and Y have as
        many as they need, from 2 to 6.

    Raises
    ------
    ValueError
        If line numbers, X or Y are missing that the format needs, or do not fit; if the format has
        no room for uncertainty and thickness; or if the traces are no grid along X and Y for
        "zmap".

    Warns
    -----
    UserWarning
        If points are left out of "xyz" or "charisma", as their traces have no X and Y.

    See Also
    --------
    read_horizon : Reads all of these formats.
    contacts_from_probabilities : Finds horizons in predictions.

    Notes
    -----
    A ZMAP+ grid has no angle. For a survey whose lines are turned against X and Y, its nodes would
    not be the traces, and values would have to be interpolated: write "xyz" or "charisma", which
    have each trace in its place, and make the grid in the mapping system.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skfacies.horizons import write_horizon
    >>> horizon = [[10.0, 10.5], [float("nan"), 12.0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "top_chalk.txt")
    ...     write_horizon(path, horizon, inlines=[100, 101], crosslines=[300, 302],
    ...                   sample_interval=4)
    ...     print(path.read_text())
    # inline crossline value
    100 300 40.000
    100 302 42.000
    101 302 48.000
    """
    check_horizon_format(format)
    whole = isinstance(decimals, Integral) and not isinstance(decimals, bool)
    if decimals is not None and (not whole or decimals < 0):
        raise ValueError(f"`decimals` must be an integer >= 0; got {decimals!r}.")
    if not isinstance(delimiter, str) or not delimiter or delimiter.strip(" \t,"):
        raise ValueError(f"`delimiter` must be blanks, a tab or a comma; got {delimiter!r}.")
    if null_value is not None and (not isinstance(null_value, Real) or np.isnan(null_value)):
        raise ValueError(f"`null_value` must be a number; got {null_value!r}.")
    survey = Survey(like) if like is not None else None
    lines = inlines, crosslines
    place = _find_place(horizon, survey, lines, (x, y), sample_interval, first_sample)
    decimals = _decimals_for(place.unit) if decimals is None else decimals
    depths = _values(horizon, place, "horizon")
    values = {"value": place.first + place.interval * depths}
    for name, more in (("uncertainty", uncertainty), ("thickness", thickness)):
        if more is not None:
            _check_room(format, name)
            values[name] = place.interval * _values(more, place, name)
    _check_magnitude(values["value"], format)
    if format == "zmap":
        null = UNDEFINED_NODE if null_value is None else null_value
        grid = make_map_grid(place.inlines, place.crosslines, _xy(place, format))
        text = zmap_lines(grid, values["value"], Path(path).stem, place.unit, null, decimals)
    else:
        keep = ~np.isnan(values["value"])
        if null_value is not None:
            keep, values["value"] = (
                np.full(keep.shape, True),
                np.where(keep, values["value"], null_value),
            )
        if format != "inline-crossline":
            keep = _with_place(keep, _xy(place, format), path)
        if format == "charisma":
            text = _charisma_lines(place, values["value"], keep, decimals)
        else:
            numbered = format == "inline-crossline"
            text = _column_lines(place, values, keep, numbered, delimiter, decimals)
    with whole_file(path) as part, open(part, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in text)


def check_horizon_format(format):
    if format not in FORMATS:
        raise ValueError(
            f"`format` must be one of {', '.join(map(repr, FORMATS))}; got {format!r}."
        )


# --- places of the points --------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """Line numbers, X and Y (n_inlines, n_crosslines, 2) or None, and vertical axis."""

    inlines: np.ndarray
    crosslines: np.ndarray
    xy: np.ndarray | None
    first: float
    interval: float
    unit: str

    @property
    def shape(self):
        return len(self.inlines), len(self.crosslines)


def _find_place(horizon, survey, lines, xy, sample_interval, first_sample):
    """What is given comes first, then what the horizon has, then the survey."""
    own = _ordered(horizon)
    coords = own.coords if hasattr(own, "coords") else {}
    chosen = []
    for given, name in zip(lines, ("inline", "crossline"), strict=True):
        if given is None and name in coords:
            given = coords[name]
        if given is None and survey is not None:
            given = getattr(survey, f"{name}s")
        chosen.append(check_lines(given, f"{name}s"))
    shape = tuple(map(len, chosen))
    if survey is not None:
        for found, name in zip(chosen, ("inlines", "crosslines"), strict=True):
            if not np.array_equal(found, getattr(survey, name)):
                raise ValueError(
                    f"`{name}` {_range(found)} differ from those of `like`, "
                    f"{_range(getattr(survey, name))}. Give the cube that the horizon belongs to."
                )
    if (xy[0] is None) != (xy[1] is None):
        raise ValueError("`x` and `y` must be given together; got one of them.")
    if xy[0] is None and {"cdp_x", "cdp_y"} <= set(coords):
        xy = [coords[name].transpose("inline", "crossline") for name in ("cdp_x", "cdp_y")]
    if xy[0] is not None:
        xy = np.stack([_map_coordinates(own, shape) for own in xy], axis=-1)
    else:
        xy = None if survey is None else survey.xy
    interval = sample_interval if survey is None or sample_interval is not None else survey.interval
    first = first_sample if survey is None or first_sample is not None else survey.first
    interval, first = 1.0 if interval is None else interval, 0.0 if first is None else first
    check_axis(interval, first)
    is_own = survey is not None and sample_interval is None and first_sample is None
    unit = survey.unit if is_own and survey.unit != "samples" else ""
    return _Place(*chosen, xy, float(first), float(interval), unit)


def _range(numbers):
    return f"({len(numbers)}, {numbers[0]} to {numbers[-1]})"


def _map_coordinates(coordinates, shape):
    coordinates = np.asarray(coordinates)
    if coordinates.shape != shape or coordinates.dtype.kind not in "iuf":
        raise ValueError(
            f"`x` and `y` must be numbers of shape {shape}, one a trace; got {coordinates.dtype} "
            f"of shape {coordinates.shape}."
        )
    return coordinates.astype(np.float64)


def _ordered(horizon):
    if {"inline", "crossline"} <= set(getattr(horizon, "dims", ())):
        return horizon.transpose("inline", "crossline", ...)
    return horizon


def _values(horizon, place, name):
    values = np.asarray(_ordered(horizon))
    if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "iuf":
        raise ValueError(
            f"`{name}` must be numbers of shape (n_inlines, n_crosslines); got "
            f"{values.dtype} of shape {values.shape}. Write a stack one by one."
        )
    if values.shape != place.shape:
        raise ValueError(
            f"`{name}` must have shape {place.shape}, as there are {len(place.inlines)} inlines "
            f"and {len(place.crosslines)} crosslines; got {values.shape}."
        )
    values = values.astype(np.float64)
    if np.isinf(values).any():
        raise ValueError(f"`{name}` must be finite, or NaN where it is absent; got infinity.")
    return values


def _check_room(format, name):
    if format not in WITH_MORE:
        raise ValueError(
            f"`{name}` has no place in format={format!r}. Leave it out, or use one of "
            f"{', '.join(map(repr, WITH_MORE))}."
        )


def _check_magnitude(values, format):
    largest = np.nanmax(np.abs(values), initial=0)
    if format == "zmap" and largest >= -UNDEFINED_NODE:
        raise ValueError(
            f"depths reach {largest:g}, which a ZMAP+ grid would take for absent. Give "
            "`sample_interval` in larger units, or use another format."
        )


def _xy(place, format):
    if place.xy is None:
        raise ValueError(
            f"format={format!r} needs X and Y of the traces, and none are known. Give `like`, a "
            "cube whose trace headers have them, or `x` and `y`; or use 'inline-crossline'."
        )
    return place.xy


def _with_place(keep, xy, path):
    placed = np.isfinite(xy).all(axis=-1)
    n_lost = np.count_nonzero(keep & ~placed)
    if n_lost:
        warnings.warn(
            f"{n_lost} of {np.count_nonzero(keep)} points are left out of {str(path)!r}, as their "
            "traces have no X and Y.",
            UserWarning,
            stacklevel=3,
        )
    return keep & placed


# --- lines of the files ----------------------------------------------------------------------


def _column_lines(place, values, keep, numbered, delimiter, decimals):
    titles, cells, columns = [], [], []
    if numbered:
        rows, traces = np.nonzero(keep)
        titles, cells = ["inline", "crossline"], ["{}", "{}"]
        columns = [place.inlines[rows], place.crosslines[traces]]
    if place.xy is not None:
        titles += ["x", "y"]
        cells += 2 * [f"{{:.{_decimals_of(place.xy)}f}}"]
        columns += list(place.xy[keep].T)
    for name, own in values.items():
        titles.append(f"{name}({place.unit})" if place.unit else name)
        cells.append(f"{{:.{decimals}f}}")
        columns.append(own[keep])
    yield "# " + delimiter.join(titles)
    template = delimiter.join(cells)
    for point in zip(*(column.tolist() for column in columns), strict=True):
        line = template.format(*point)
        yield line.replace("nan", UNDEFINED) if "nan" in line else line


def _charisma_lines(place, values, keep, decimals):
    template = "INLINE :{:7d} XLINE :{:7d}" + 2 * f" {{:14.{_decimals_of(place.xy)}f}}"
    template += f" {{:12.{decimals}f}}"
    rows, traces = np.nonzero(keep)
    columns = [place.inlines[rows], place.crosslines[traces], *place.xy[keep].T, values[keep]]
    for point in zip(*(column.tolist() for column in columns), strict=True):
        yield template.format(*point)


def _decimals_for(unit):
    """Decimals of z that keep a thousandth of a millisecond or meter."""
    scales = [scales[unit] for scales in UNIT_SCALES.values() if unit in scales]
    return 6 if scales and max(scales) >= 1000 else 3


def _decimals_of(xy):
    """As many decimals as X and Y have."""
    xy = xy[np.isfinite(xy)]
    least, most = XY_DECIMALS
    return next((n for n in range(least, most) if np.allclose(xy, xy.round(n), 0, 1e-7)), most)
