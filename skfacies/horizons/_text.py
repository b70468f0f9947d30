"""Horizons as text: a line for each point, with inline, crossline and value."""

from numbers import Integral
from pathlib import Path

import numpy as np

from skfacies._files import whole_file
from skfacies.horizons._formats import REQUIRED
from skfacies.horizons._survey import check_axis, check_lines

__all__ = ["write_horizon"]


def write_horizon(
    path,
    horizon,
    *,
    inlines=None,
    crosslines=None,
    sample_interval=1.0,
    first_sample=0.0,
    null_value=None,
    delimiter=" ",
    decimals=3,
):
    """Write a horizon as text that interpretation systems import: inline, crossline, value.

    Parameters
    ----------
    path : str or path-like
        The file is written beside its place and then renamed: it is complete or not there.
    horizon : array-like of shape (n_inlines, n_crosslines)
        Depths in samples, NaN where the contact is absent.
    inlines, crosslines : array-like of shape (n_inlines,), (n_crosslines,), default=None
        Line numbers. None takes the coordinates `inline` and `crossline` of a DataArray.
    sample_interval : float, default=1.0
        Written is ``first_sample + sample_interval * horizon``: time in ms or depth in m, where
        these are given in ms or m; samples by default.
    first_sample : float, default=0.0
        Time or depth of the first sample.
    null_value : float, default=None
        Value of points without the contact. None leaves these out.
    delimiter : str, default=" "
        What separates columns, such as "," or a tab.
    decimals : int, default=3
        Decimals of values.

    Raises
    ------
    ValueError
        If line numbers are missing, do not fit, or are not different whole numbers.

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
    inlines, crosslines, horizon = _check_horizon(horizon, inlines, crosslines)
    check_axis(sample_interval, first_sample)
    if not isinstance(decimals, Integral) or decimals < 0:
        raise ValueError(f"`decimals` must be an integer >= 0; got {decimals!r}.")
    if not isinstance(delimiter, str) or not delimiter or delimiter.strip(" \t,"):
        raise ValueError(f"`delimiter` must be blanks, a tab or a comma; got {delimiter!r}.")
    values = first_sample + sample_interval * horizon
    if null_value is not None:
        values[np.isnan(values)] = null_value
    path = Path(path)
    with whole_file(path) as part, open(part, "w", encoding="utf-8", newline="\n") as file:
        file.write("# " + delimiter.join(REQUIRED) + "\n")
        for inline, row in zip(inlines, values, strict=True):
            for k in np.flatnonzero(~np.isnan(row)):
                cells = (str(inline), str(crosslines[k]), f"{row[k]:.{decimals}f}")
                file.write(delimiter.join(cells) + "\n")


# --- checks ----------------------------------------------------------------------------------


def _check_horizon(horizon, inlines, crosslines):
    dims = set(getattr(horizon, "dims", ()))
    if {"inline", "crossline"} <= dims:
        horizon = horizon.transpose("inline", "crossline", ...)
        coords = horizon.coords
        inlines = coords["inline"] if inlines is None and "inline" in coords else inlines
        given = crosslines is None and "crossline" in coords
        crosslines = coords["crossline"] if given else crosslines
    values = np.asarray(horizon)
    if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "iuf":
        raise ValueError(
            "`horizon` must be numbers of shape (n_inlines, n_crosslines); got "
            f"{values.dtype} of shape {values.shape}. Write a stack one by one."
        )
    inlines, crosslines = check_lines(inlines, "inlines"), check_lines(crosslines, "crosslines")
    if values.shape != (len(inlines), len(crosslines)):
        raise ValueError(
            f"`horizon` must have shape {(len(inlines), len(crosslines))}, as there are "
            f"{len(inlines)} inlines and {len(crosslines)} crosslines; got {values.shape}."
        )
    return inlines, crosslines, values.astype(np.float64)
