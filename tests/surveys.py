"""Cubes with the coordinates of surveys, for tests of horizon files."""

import numpy as np


def turned_survey(
    n_inlines=12, n_crosslines=15, *, angle=30.0, bins=(25.0, 12.5), vertical=None, decimals=1
):
    """A cube of zeros with inlines 100, 102, … and crosslines 300, …, turned against X and Y.

    X and Y are rounded, as those of trace headers are. `vertical` is the name, the values and the
    unit of the vertical axis.
    """
    import xarray

    inlines, crosslines = 100 + 2 * np.arange(n_inlines), 300 + np.arange(n_crosslines)
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    i, j = np.meshgrid(np.arange(n_inlines), np.arange(n_crosslines), indexing="ij")
    x = 431_000 + bins[0] * i * cosine - bins[1] * j * sine
    y = 6_780_000 + bins[0] * i * sine + bins[1] * j * cosine
    name, values, unit = vertical or ("twt", 1000 + 4.0 * np.arange(101), "ms")
    coords = {
        "inline": inlines,
        "crossline": crosslines,
        name: (name, values, {"units": unit}),
        "cdp_x": (("inline", "crossline"), x.round(decimals)),
        "cdp_y": (("inline", "crossline"), y.round(decimals)),
    }
    shape = (n_inlines, n_crosslines, len(values))
    return xarray.DataArray(np.zeros(shape, np.float32), coords, ("inline", "crossline", name))


def dipping_horizon(cube, first=20.0):
    """Depths in samples, different on each trace."""
    i, j = np.indices(cube.shape[:2])
    return first + 1.5 * i + 0.25 * j


def points_of(cube, horizon):
    """Inline, crossline, X, Y and z of each trace, (n_traces, 5), z in the unit of the cube."""
    inlines, crosslines = np.meshgrid(cube["inline"], cube["crossline"], indexing="ij")
    axis = np.asarray(cube[cube.dims[2]])
    z = axis[0] + (axis[1] - axis[0]) * horizon
    columns = (inlines, crosslines, cube["cdp_x"], cube["cdp_y"], z)
    return np.stack([np.asarray(column, dtype=float).ravel() for column in columns], axis=1)
