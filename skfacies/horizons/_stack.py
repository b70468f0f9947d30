"""Several horizons of a survey, from the shallowest to the deepest."""

from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skfacies.horizons._checks import CROSSING_TOLERANCE, wrong_order_message
from skfacies.horizons._reading import read_on_survey
from skfacies.horizons._survey import Survey

__all__ = ["names_of_units", "read_horizons"]


def read_horizons(
    paths,
    *,
    like,
    names=None,
    columns=None,
    z_unit=None,
    null_value=(),
    crossing="raise",
):
    r"""Read the horizons of a survey from text files, the shallowest first.

    Parameters
    ----------
    paths : list of path or (path, name), or one path
        Files, each in one of the formats of :func:`read_horizon`, from shallow to deep; of a file
        of several horizons also the name of one of them.
    like : DataArray of shape (n_inlines, n_crosslines, n_samples)
        The cube of the survey, from :func:`skfacies.io.open_cube`. Only its coordinates are used.
    names : list of str, default=None
        Names of the horizons. None is the names of the files without suffix, or of horizons in
        files of several.
    columns : sequence of str, default=None
        What the columns hold, for all files. None recognizes them in each file.
    z_unit : {"ms", "s", "m", "km", "ft", "samples"}, default=None
        Unit of the values, for all files, as in :func:`read_horizon`.
    null_value : float or sequence of floats, default=()
        Further values that say that there is no pick.
    crossing : {"raise", "clip"}, default="raise"
        What to do where a horizon lies more than three samples above a shallower one. "raise" makes
        it an error that names the place. "clip": the shallower one wins, the deeper one is moved
        down to it, so that the unit between them is absent there. Horizons that cross by less, as
        they do where units pinch out, are always clipped.

    Returns
    -------
    horizons : sklearn.utils.Bunch
        Its attributes are `data`, a float64 array of shape (n_horizons, n_inlines, n_crosslines),
        depths in samples with NaN where there is no pick; `names`; `units`, names of the units
        between them; `inlines` and `crosslines`, the line numbers; `notes`, a list of str: what was
        recognized and moved.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_horizon` does; if horizons cross, or are not in order.

    See Also
    --------
    labels_from_horizons : Fills the space between horizons.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import xarray
    >>> from skfacies.horizons import labels_from_horizons, read_horizons
    >>> axes = {"inline": [100, 101], "crossline": [300, 301], "twt": np.arange(0, 24, 4)}
    >>> cube = xarray.DataArray(np.zeros((2, 2, 6)), axes, list(axes))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     top, base = Path(folder, "top.txt"), Path(folder, "base.txt")
    ...     size = top.write_text("100 300 8\n100 301 8\n101 300 4\n")  # none at crossline 301
    ...     size = base.write_text("100 300 16\n100 301 12\n101 300 16\n101 301 16\n")
    ...     horizons = read_horizons([top, base], like=cube)
    >>> horizons.units
    ['above top', 'top to base', 'below base']
    >>> labels_from_horizons(horizons.data, 6, missing="unknown")[1]
    array([[ 0,  1,  1,  1,  2,  2],
           [-1, -1, -1, -1,  2,  2]], dtype=int8)
    """
    paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not paths:
        raise ValueError("`paths` has no file. Give the files of one or more horizons.")
    if crossing not in ("raise", "clip"):
        raise ValueError(f"`crossing` must be 'raise' or 'clip'; got {crossing!r}.")
    chosen = [path if isinstance(path, tuple) else (path, None) for path in paths]
    names = _check_names([name or path for path, name in chosen], names)
    survey = Survey(like, by_xy=True)
    data, notes = np.empty((len(paths), *survey.shape)), []
    options = {"columns": columns, "z_unit": z_unit, "null_value": null_value}
    for k, ((path, own), name) in enumerate(zip(chosen, names, strict=True)):
        found = read_on_survey(path, survey, name=own, **options)
        data[k] = found.data
        notes += [f"{name}: {note}" for note in found.notes]
    notes += _clip(data, names, survey, crossing)
    return Bunch(
        data=data,
        names=names,
        units=names_of_units(names),
        inlines=survey.inlines,
        crosslines=survey.crosslines,
        notes=notes,
    )


def names_of_units(names):
    """Names of the units above, between and below horizons."""
    between = [f"{top} to {base}" for top, base in zip(names[:-1], names[1:], strict=True)]
    return [f"above {names[0]}", *between, f"below {names[-1]}"]


def _check_names(paths, names):
    given = names is not None
    names = [str(name) for name in names] if given else [Path(path).stem for path in paths]
    if len(names) != len(paths) or len(set(names)) < len(names):
        raise ValueError(
            f"`names` must be {len(paths)} different names, one for each file; got {names}."
            if given
            else f"files must have different names, as horizons are named after them; got {names}. "
            "Give `names`, or leave out the file that is given twice."
        )
    return names


def _clip(data, names, survey, crossing):
    """Move horizons down to shallower ones, in place; refuse those that cross."""
    above, shallower = data[0].copy(), np.zeros(survey.shape, dtype=int)
    notes = []
    for k, horizon in enumerate(data[1:], start=1):
        common = ~(np.isnan(above) | np.isnan(horizon))
        depth = np.where(common, above - horizon, 0)
        n_common = np.count_nonzero(common)
        if (
            2 * n_common >= max(np.count_nonzero(~np.isnan(horizon)), 1)
            and (depth[common] > 0).all()
        ):
            raise ValueError(wrong_order_message(data, [repr(name) for name in names], k))
        worst = np.unravel_index(depth.argmax(), depth.shape)
        cut = common & (depth > 0)
        extent = (
            f"{np.count_nonzero(depth > CROSSING_TOLERANCE)} of {n_common} traces, by up to "
            f"{_thickness(depth[worst], survey)} at inline {survey.inlines[worst[0]]}, crossline "
            f"{survey.crosslines[worst[1]]}"
        )
        other = names[shallower[worst]]
        if depth[worst] > CROSSING_TOLERANCE and crossing == "raise":
            raise ValueError(
                f"horizons cross: {names[k]!r} lies above {other!r}, which should be shallower, on "
                f"{extent}. Correct the picks, or use crossing='clip', which moves {names[k]!r} "
                f"down to {other!r} there."
            )
        if depth[worst] > CROSSING_TOLERANCE:
            notes.append(f"{names[k]}: moved down to {other}, where they cross: on {extent}")
        horizon[cut] = above[cut]
        deeper = np.isnan(above) | (horizon > above)
        shallower[deeper & ~np.isnan(horizon)] = k
        above = np.fmax(above, horizon)
    return notes


def _thickness(samples, survey):
    unit = (
        ""
        if survey.unit in ("", "samples")
        else f" ({samples * survey.interval:.4g} {survey.unit})"
    )
    return f"{samples:.3g} samples{unit}"
