"""Small parts of a cube that show what all of it is like, read in seconds from any container."""

import numpy as np

__all__ = ["lines_along", "patches", "traces_at"]

#: Patches of live traces that are looked at, traces of each, and places that are tried for them.
N_PATCHES = 16
PATCH_TRACES = 96
MOST_PLACES = 64

#: Steps of an evenly spread sequence of points in the plane (M. Roberts, 2018).
SPREAD = (0.7548776662466927, 0.5698402909980532)


def patches(cube):
    """Adjacent traces (n_traces, n_samples) from all over a cube, some of which are live.

    Parameters
    ----------
    cube : array-like of shape (n_inlines, n_crosslines, n_samples)

    Returns
    -------
    patches : list of arrays
        Of inlines, or of the crossline if there is one only.
    """
    across = cube.shape[1] == 1
    n_lines, n_traces = cube.shape[1::-1] if across else cube.shape[:2]
    width, found = min(PATCH_TRACES, n_traces), []
    for line, first in dict.fromkeys(_places(n_lines, n_traces - width + 1)):
        traces = slice(first, first + width)
        patch = np.asarray(cube[traces, line] if across else cube[line, traces])
        if _is_live(patch):
            found.append(patch)
        if len(found) == N_PATCHES:
            break
    return found


def _places(n_lines, n_first):
    for i in range(1, MOST_PLACES + 1):
        line, first = ((i * step + 0.5) % 1 for step in SPREAD)
        yield int(line * n_lines), int(first * n_first)


def _is_live(patch):
    if patch.dtype.kind == "f":
        patch = np.nan_to_num(patch, posinf=0, neginf=0)
    return bool((patch != patch[:, :1]).any())


def lines_along(cube, axis, n_lines=6, n_beside=16):
    """Bundles of lines of samples along one of the lateral axes, as if they were traces.

    Parameters
    ----------
    cube : array-like of shape (n_inlines, n_crosslines, n_samples)
    axis : {0, 1}

    Returns
    -------
    bundles : list of arrays of shape (n_beside, n_inlines or n_crosslines)
    """
    n_others, n_samples = cube.shape[1 - axis], cube.shape[2]
    bundles = []
    for i in range(n_lines):
        other = int((i + 0.5) / n_lines * n_others)
        first = int(((i * SPREAD[0] + 0.5) % 1) * max(1, n_samples - n_beside + 1))
        beside = slice(first, first + n_beside)
        bundle = cube[other, :, beside] if axis else cube[:, other, beside]
        bundles.append(np.asarray(bundle).T)
    return bundles


def traces_at(cube, numbers, wanted):
    """Traces of a cube at the inline and crossline numbers of others.

    Parameters
    ----------
    cube : array-like of shape (n_inlines, n_crosslines, n_samples)
    numbers : tuple of arrays (n_inlines,), (n_crosslines,), …
    wanted : array of shape (n, 2)

    Returns
    -------
    found : list of (int, array of shape (n_samples,))
        Positions in `wanted` of those that the cube has, and the traces.
    """
    positions = [{number: i for i, number in enumerate(own.tolist())} for own in numbers[:2]]
    found = []
    for k, (inline, crossline) in enumerate(np.asarray(wanted).tolist()):
        i, j = positions[0].get(inline), positions[1].get(crossline)
        if i is not None and j is not None:
            found.append((k, np.asarray(cube[i, j], dtype=np.float64)))
    return found
