"""Axes of cubes by their names in other software, and units of the vertical axis."""

import re

__all__ = [
    "AXES_BY_NAME",
    "UNITS",
    "UNIT_SCALES",
    "VERTICAL_NAMES",
    "axes_by_name",
    "known_axes",
    "short_unit",
    "unit_of",
    "vertical_kind",
    "vertical_label",
]

UNITS = {"twt": "ms", "depth": "m"}
#: Vertical axes in words, for people.
VERTICAL_NAMES = {"twt": "two-way time", "depth": "depth"}
#: Names of units, in milliseconds or meters. Times and depths are not compared with each other.
UNIT_SCALES = {
    "time": {
        "ms": 1,
        "msec": 1,
        "millisecond": 1,
        "milliseconds": 1,
        "s": 1e3,
        "sec": 1e3,
        "second": 1e3,
        "seconds": 1e3,
        "us": 1e-3,
    },
    "depth": {
        **dict.fromkeys(["m", "meter", "meters", "metre", "metres"], 1),
        "km": 1e3,
        **dict.fromkeys(["ft", "foot", "feet"], 0.3048),
    },
}
#: What other programs call an axis, ignoring case, blanks and punctuation. "" is a vertical axis
#: of either kind.
AXES_BY_NAME = {
    **dict.fromkeys(["inline", "inlines", "iline", "ilines", "il", "inl"], "inline"),
    **dict.fromkeys(
        ["crossline", "crosslines", "xline", "xlines", "xl", "crl", "cdp"], "crossline"
    ),
    **dict.fromkeys(["twt", "time", "times", "twtt", "t"], "twt"),
    **dict.fromkeys(["depth", "depths", "z", "tvd", "tvdss"], "depth"),
    **dict.fromkeys(["sample", "samples"], ""),
    **dict.fromkeys(["facies", "class", "classes"], "facies"),
}
#: Names without meaning: defaults of Zarr, xarray and netCDF for unnamed axes, and x and y.
NAMELESS = re.compile(r"(dim|axis|d|phony_?dim)?_?\d*|[xy]")


def axes_by_name(names, domain="twt", what="the cube"):
    """The package's names for the axes of a cube, in the order in which they are stored.

    Parameters
    ----------
    names : sequence of 3 or 4 str
    domain : {"twt", "depth"}, default="twt"
        Name of the vertical axis if its own name does not show which it is.
    what : str, default="the cube"
        Beginning of messages.

    Returns
    -------
    axes : tuple of str
        Inline, crossline, twt or depth, and facies if there are four; in this order if `names`
        have no meaning. A cube with axes named inline and crossline keeps the name of the third.

    Raises
    ------
    ValueError
        If only some names are known, and the others could be any axis.
    """
    names = tuple(map(str, names))
    by_position = ("inline", "crossline", domain, "facies")[: len(names)]
    known = {name: AXES_BY_NAME[key] for name in names if (key := _key(name)) in AXES_BY_NAME}
    known = {name: axis or domain for name, axis in known.items()}
    if "twt" in known.values() or "depth" in known.values():
        vertical = next(axis for axis in known.values() if axis in UNITS)
        by_position = ("inline", "crossline", vertical, "facies")[: len(names)]
    left = [axis for axis in by_position if axis not in known.values()]
    others = [name for name in names if name not in known]
    at_place = all(
        known.get(name, axis) == axis for name, axis in zip(names, by_position, strict=True)
    )
    nameless = all(NAMELESS.fullmatch(name.casefold()) for name in others)
    is_whole = len(set(known.values())) == len(known) and len(left) == len(others)
    if not is_whole or (others and not (nameless and at_place) and not _is_last(known, left)):
        old, new = (others or names)[0], (left or by_position)[0]
        raise ValueError(
            f"{what} has the axes {names}, which are ambiguous. Rename them to {by_position}, "
            f"each by its meaning, such as cube.rename({{{old!r}: {new!r}}})."
        )
    rest = iter(left)
    axes = tuple(known[name] if name in known else next(rest) for name in names)
    if {"inline", "crossline"} <= set(names) and len(names) == 3:
        own = next(name for name in names if name not in ("inline", "crossline"))
        if AXES_BY_NAME.get(_key(own)) != "":
            return tuple(own if axis in UNITS else axis for axis in axes)
    return axes


def known_axes(dims):
    """Which axes are inlines, crosslines and samples, by their names.

    Parameters
    ----------
    dims : sequence of str

    Returns
    -------
    axes : dict
        "inline", "crossline" or "samples" by name; unknown names are left out. Two names may mean
        the same axis.
    """
    kinds = {"inline": "inline", "crossline": "crossline", "facies": None}
    found = {dim: AXES_BY_NAME.get(_key(str(dim)), "facies") for dim in dims}
    axes = {dim: kinds.get(kind, "samples") for dim, kind in found.items()}
    return {dim: axis for dim, axis in axes.items() if axis is not None}


def _key(name):
    return re.sub(r"[\W_]+", "", name).casefold()


def _is_last(known, left):
    """Whether only the vertical axis, or the facies axis, has an unknown name."""
    return len(left) == 1 and left[0] in (*UNITS, "facies") and "inline" in known.values()


def vertical_kind(axis):
    """The kind of a vertical axis by its name: "twt", "depth", or None."""
    kind = AXES_BY_NAME.get(_key(str(axis)))
    return kind if kind in UNITS else None


def unit_of(axis, values, attrs):
    """Unit of a vertical axis, from its attributes or its name; None if neither gives one."""
    unit = attrs.get("units") or attrs.get("unit")
    if unit:
        return str(unit)
    kind = vertical_kind(axis)
    if kind == "twt" and len(values) > 1 and 0 < abs(float(values[1]) - float(values[0])) < 0.1:
        return "s"
    return UNITS.get(kind)


def short_unit(unit):
    """The short form, such as "ft" for "feet", of ms, s, m and ft; None for other units."""
    for scales in UNIT_SCALES.values():
        scale = scales.get(str(unit).strip().lower())
        for short in ("ms", "s", "m", "ft"):
            if scale is not None and scales.get(short) == scale:
                return short
    return None


def vertical_label(axis, unit):
    """Label of a vertical axis in words, such as "two-way time (ms)".

    A unit of time or of length tells what the axis is, or else its name.
    """
    kind = vertical_kind(axis)
    for own, measured in (("twt", "time"), ("depth", "depth")):
        if str(unit).lower() in UNIT_SCALES[measured]:
            kind = own
    name = VERTICAL_NAMES.get(kind, str(axis))
    return f"{name} ({unit})" if unit else name
