"""Values that stand for "nothing here" in the files of interpretation systems."""

import numpy as np

__all__ = ["UNDEFINED_VALUES", "undefined_amplitudes", "undefined_values"]

#: Values that common systems write where there is no pick, no label or no sample. Magnitudes of
#: 1e30 and more, such as the largest float32, say so as well.
UNDEFINED_VALUES = (-999.25, -9999.0, -99999.0)
LEAST_UNDEFINED_MAGNITUDE = 1e30 * (1 - 1e-6)  # 1e30 as a rounded float32, too


def undefined_values(values):
    """Mask of labels or picks that stand for nothing: NaN and the values above.

    Parameters
    ----------
    values : array of numbers, of any shape

    Returns
    -------
    undefined : bool array of that shape
        Infinite values are not among them: they are a fault of the data.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        return np.zeros(values.shape, dtype=bool)
    undefined = np.isin(values, UNDEFINED_VALUES)
    if values.dtype.kind == "f":
        undefined |= np.isnan(values)
        undefined |= (np.abs(values) >= LEAST_UNDEFINED_MAGNITUDE) & ~np.isinf(values)
    return undefined


def undefined_amplitudes(section):
    """Mask of amplitudes that stand for nothing, NaN among them; None if there are none.

    Amplitudes may be any number, -9999 among them. One of `UNDEFINED_VALUES` counts as undefined
    only where it is the smallest amplitude, and less than half of all others.

    Parameters
    ----------
    section : array of numbers, of any shape
        Only floats can be undefined. A whole section tells more than a part of it.
    """
    section = np.asarray(section)
    if section.dtype.kind != "f" or not section.size:
        return None
    lowest, highest = section.min(), section.max()  # NaN if one is NaN
    undefined = None
    if np.isnan(lowest):
        undefined = np.isnan(section)
        lowest, highest = (
            reduce(section, where=~undefined, initial=start)
            for reduce, start in ((np.min, np.inf), (np.max, -np.inf))
        )
    if max(-lowest, highest) >= LEAST_UNDEFINED_MAGNITUDE:
        huge = (np.abs(section) >= LEAST_UNDEFINED_MAGNITUDE) & ~np.isinf(section)
        undefined = huge if undefined is None else undefined | huge
        lowest = np.min(section, where=~undefined, initial=np.inf)
    while lowest in UNDEFINED_VALUES:
        nothing = section == lowest
        undefined = nothing if undefined is None else undefined | nothing
        others = np.min(section, where=~undefined, initial=np.inf)
        if others not in UNDEFINED_VALUES and others < lowest / 2:
            undefined &= ~nothing
            break
        lowest = others
    return undefined if undefined is not None and undefined.any() else None
