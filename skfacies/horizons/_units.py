"""From z in a file to samples of a survey."""

import numpy as np

from skfacies._cubes.axes import UNIT_SCALES

__all__ = ["Z_UNITS", "check_z_unit", "to_samples"]

#: Units that users give.
Z_UNITS = ("ms", "s", "m", "km", "ft", "samples")
#: Part of the values that must lie on the vertical axis: of those that are taken as they are, and
#: of those whose unit or sign is inferred.
HALF, NEARLY_ALL = 0.5, 0.9
#: No horizon is in so few samples at the start of all traces; times in seconds are.
FEW_SAMPLES = 3


def check_z_unit(z_unit):
    if z_unit is not None and z_unit not in Z_UNITS:
        raise ValueError(f"`z_unit` must be one of {', '.join(Z_UNITS)}; got {z_unit!r}.")


def to_samples(values, survey, path, z_unit=None, file_unit=""):
    """Depths in samples, and what was assumed.

    Parameters
    ----------
    values : float array of any shape
        NaN where there is no pick.
    survey : Survey
    path : path
        For messages.
    z_unit : str, default=None
        Unit given by the user. None is the unit that the file names, or that of the survey if the
        values lie on its vertical axis.
    file_unit : str, default=""
        Unit that the file names.

    Returns
    -------
    depths : float array of that shape
    notes : list of str

    Raises
    ------
    ValueError
        If the unit is of another kind than the vertical axis, or not known and not obvious.
    """
    if survey.unit == "samples":
        if z_unit not in (None, "samples"):
            raise ValueError(
                f"`z_unit` is {z_unit!r}, but the cube has no times or depths. Open it with a "
                "vertical axis, or give z in samples."
            )
        return values, []
    if z_unit == "samples":
        return values, []
    found = values[np.isfinite(values)]
    if not found.size:
        return values, []
    unit, stated = z_unit or file_unit, z_unit or file_unit
    kind = next((kind for kind, scales in UNIT_SCALES.items() if unit in scales), "")
    if not kind:
        unit, stated = "", ""
    if kind and survey.kind and kind != survey.kind:
        raise ValueError(
            f"{str(path)!r} is in {unit}{'' if z_unit else ', as it says'}, but the survey is in "
            f"{survey.kind}, {survey.extent}. Export the horizon in {survey.kind}"
            + (", or give `z_unit`, if the file is wrong." if not z_unit else ".")
        )
    sign, unit, notes = _infer(found, survey, path, unit)
    depths = (sign * _factor(unit, survey) * values - survey.first) / survey.interval
    if sign < 0:
        notes.append("z grows upwards in the file and was taken with the other sign")
    if stated and survey.share_inside(found, sign * _factor(unit, survey)) == 0:
        notes.append(f"no value lies on the vertical axis of the survey, {survey.extent}")
    return depths, notes


def _infer(values, survey, path, unit):
    """Sign, unit and notes. Only what leaves no doubt is inferred."""
    downwards = values.max() > 0 or survey.first < 0
    if unit or not survey.kind:
        unit = unit or survey.unit
        factor = _factor(unit, survey)
        upwards = survey.share_inside(values, -factor) >= HALF > survey.share_inside(values, factor)
        return (-1 if upwards else 1), unit, []
    own, other = survey.unit, "ms" if _factor("s", survey) == 1 else "s"
    as_is = survey.share_inside(values)
    first = survey.first + FEW_SAMPLES * survey.interval
    tiny = downwards and values.max() < first and (values != np.round(values)).any()
    if as_is >= HALF and not tiny:
        return 1, own, []
    units = (other, own) if tiny else (own, other)
    for unit in units if survey.kind == "time" else (own,):
        for sign in (1, -1):
            if survey.share_inside(values, sign * _factor(unit, survey)) >= NEARLY_ALL:
                said = "" if unit == own else f"z is taken for {unit}: {_range(values)}"
                return sign, unit, [said] if said else []
    fits = [
        unit
        for unit, scale in UNIT_SCALES.get(survey.kind, {}).items()
        if unit in ("ms", "s", "m", "km", "ft")
        and survey.share_inside(values, scale * _factor(own, survey) / _scale(own)) >= NEARLY_ALL
    ]
    if ((values > -1) & (values <= survey.n_samples)).mean() >= NEARLY_ALL:
        fits.append("samples")
    advice = (
        f"They could be {' or '.join(fits)}: give z_unit={fits[0]!r}."
        if fits
        else f"Is it a horizon of this survey? If it lies outside, give z_unit={own!r}."
    )
    raise ValueError(
        f"{str(path)!r} has z of {_range(values)}, of which {100 * as_is:.0f} % lie on the "
        f"vertical axis of the survey, {survey.extent}. {advice}"
    )


def _range(values):
    return f"{values.min():g} to {values.max():g}"


def _scale(unit):
    return next((scales[unit] for scales in UNIT_SCALES.values() if unit in scales), 1)


def _factor(unit, survey):
    """What turns a value in a unit into one in the unit of the survey."""
    return _scale(unit) / _scale(survey.unit) if survey.unit else 1.0
