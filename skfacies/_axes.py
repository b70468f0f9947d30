"""Names that programs give to the axes of cubes: what an axis is called decides, not its place."""

__all__ = ["AXIS_NAMES", "known_axes"]

#: Names of each axis, in small letters and without what separates words.
AXIS_NAMES = {
    "inline": ("inline", "inlines", "iline", "ilines", "il"),
    "crossline": ("crossline", "crosslines", "xline", "xlines", "xl"),
    "samples": ("twt", "twtt", "time", "depth", "tvd", "tvdss", "z", "sample", "samples"),
}


def known_axes(dims):
    """Which of some axes are inlines, crosslines and samples, by their names.

    Parameters
    ----------
    dims : sequence of str
        Names of axes. Capitals, ``_``, ``-`` and blanks do not matter.

    Returns
    -------
    axes : dict
        "inline", "crossline" or "samples" by name, without the names that are not known. Two names
        may mean the same axis.
    """
    plain = {dim: str(dim).lower().translate(str.maketrans("", "", "_- ")) for dim in dims}
    return {dim: axis for dim in dims for axis, names in AXIS_NAMES.items() if plain[dim] in names}
