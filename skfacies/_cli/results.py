"""Results of predictions: scratch arrays, the files beside the labels, and their headers."""

import os
import sys
from contextlib import contextmanager
from math import prod

import numpy as np

from skfacies._cli.files import is_segy, open_file
from skfacies._cli.labels import UNLABELED
from skfacies._cli.models import facies_names
from skfacies._cubes.checkpoint import Checkpoint
from skfacies._cubes.holders import chunk_length
from skfacies._cubes.volumes import first_volume
from skfacies._cubes.writing import class_paths
from skfacies._files import check_space, remove_leftovers
from skfacies._sections.estimators import find_parameter
from skfacies.io import write_cube
from skfacies.qc import prediction_entropy

__all__ = [
    "beside",
    "blocks",
    "find_headers",
    "find_survey",
    "label_type",
    "parts",
    "places_beside",
    "predict_arrays",
    "scratch_array",
    "try_to_write",
    "unfinished",
    "write_parts",
]

PLACES = ("inline_byte", "crossline_byte")


def predict_arrays(model, cubes, checkpoint, *, labels, scores, window=None):
    """Labels and probabilities of a cube in the folder of a checkpoint; None for what isn't wanted.

    `cubes` are one cube or several volumes, `window` is a mask of the samples that have results.
    """
    cube = first_volume(cubes)
    shapes = {"scores": (*cube.shape, len(model.classes_)), "labels": cube.shape}
    dtypes = {"scores": np.dtype(np.float32), "labels": label_type(model)}
    wanted = [name for name, asked in (("labels", labels), ("scores", scores)) if asked]
    paths = {name: checkpoint.folder / f"{name}.npy" for name in wanted}
    new = [name for name in wanted if not paths[name].exists()]
    check_space(checkpoint.folder, sum(prod(shapes[name]) * dtypes[name].itemsize for name in new))
    arrays = {name: _kept_array(paths[name], shapes[name], dtypes[name]) for name in wanted}
    found, probabilities = arrays.get("labels"), arrays.get("scores")
    if labels:
        model.predict(cubes, out=found, probabilities_out=probabilities, checkpoint=checkpoint)
        _mark_missing(model, cube, found)
    else:
        model.predict_proba(cubes, out=probabilities, checkpoint=checkpoint)
    if window is not None:
        for lines in blocks(cube):
            if labels:
                found[lines][~window[lines]] = UNLABELED
            if scores:
                probabilities[lines][~window[lines]] = np.nan
    return found, probabilities


def parts(model, cube, out, folder, labels, scores, probabilities, entropy):
    """Yield the path and the cube of each result; none if there are no labels."""
    if labels is None:
        return
    yield out, _like_amplitudes(cube, labels, "facies")
    if probabilities:
        names = facies_names(model)
        yield beside(out, "probability"), _like_amplitudes(cube, scores, "probability", names)
    if entropy:
        doubt = scratch_array(folder, "entropy", cube.shape, np.float32)
        for i in range(len(scores)):
            doubt[i] = prediction_entropy(scores[i])
        yield beside(out, "entropy"), _like_amplitudes(cube, doubt, "entropy")


def write_parts(parts, cube, headers):
    """Write results, as `parts` gives them, and return the paths of the files."""
    paths = []
    for path, result in parts:
        # The headers were already compared with the cube; options may correct its times.
        result = result.drop_vars(cube.dims[2], errors="ignore") if headers else result
        several = result.ndim == 4 and is_segy(path)
        for each in class_paths(path, result["facies"].values) if several else [path]:
            remove_leftovers(each)  # of killed runs
        written = write_cube(path, result, **headers)
        paths += written if isinstance(written, list) else [written]
    return paths


def try_to_write(model, cube, out, folder):
    """Write one trace to a scratch file: an error says that `out` cannot hold the result."""
    empty = scratch_array(folder, "empty", cube.shape, label_type(model))
    one = _like_amplitudes(cube, empty, "facies")[:1, :1]
    write_cube(os.path.join(folder, f"one{out.suffix}"), one)


def places_beside(out, model, probabilities, entropy):
    """Files that are written in addition to the labels."""
    places = [beside(out, "entropy")] if entropy else []
    if probabilities:
        path = beside(out, "probability")
        places += class_paths(path, facies_names(model)) if is_segy(out) else [path]
    return places


def find_survey(cube, seismic, like, reading):
    """The survey of --like, or the cube itself, and the options of `write_cube` for its headers."""
    if like is None:
        return cube, {}
    places = {name: cube.attrs[name] or None for name in PLACES if name in cube.attrs}
    places |= {name: reading[name] for name in PLACES if name in reading}
    survey = open_file(like, {**reading, **places})
    for axis, name in enumerate(("inlines", "crosslines", "samples")):
        own, theirs = (_along(each, axis) for each in (cube, survey))
        same = len(own) == len(theirs)
        if same and all(each.dims[axis] in each.coords for each in (cube, survey)):
            same = np.allclose(own, theirs, rtol=0, atol=1e-3)
        if not same:
            raise ValueError(
                f"--like {like} has {len(theirs)} {name}, {theirs[0]:g} to {theirs[-1]:g}, but "
                f"{seismic} has {len(own)}, {own[0]:g} to {own[-1]:g}. Give the SEG-Y file that "
                f"{seismic} was made from."
            )
    return survey, {"like": like, **{name: byte or 0 for name, byte in places.items()}}


def find_headers(cube, seismic, out, as_like):
    """Options of `write_cube` for the headers of SEG-Y results; empty for new headers."""
    if as_like or not is_segy(out):
        return as_like if is_segy(out) else {}
    if is_segy(seismic):
        return {"like": seismic}
    missing = [dim for dim in cube.dims if dim not in cube.coords]
    if missing:
        raise ValueError(
            f"{seismic} has no coordinates {', '.join(missing)} for SEG-Y headers. Give --like "
            "SURVEY.sgy, a SEG-Y file of the same traces, or write .zarr or .npy."
        )
    return {}


def _along(cube, axis):
    return np.asarray(cube[cube.dims[axis]])


def _mark_missing(model, cube, labels):
    """Give missing samples the label used in files, whatever label the model uses."""
    if "live" in cube.coords:
        labels[~np.asarray(cube["live"])] = UNLABELED
    if find_parameter(model.estimator_, "ignore_label", UNLABELED) == UNLABELED:
        return
    for lines in blocks(cube):
        missing = np.isnan(np.asarray(cube[lines]))
        np.copyto(labels[lines], UNLABELED, where=missing)


def blocks(cube):
    """Slices of inlines, one chunk after the other."""
    step = chunk_length(cube, 0)
    return [slice(start, start + step) for start in range(0, cube.shape[0], step)]


def beside(out, name):
    return out.with_name(f"{out.stem}_{name}{out.suffix}")


@contextmanager
def unfinished(place, *, restart=False, verbose=1):
    """Checkpoint beside a result, in a folder that a run leaves to the next one if it is killed."""
    folder = place.with_name(f"{place.name}.partial")
    with Checkpoint(folder) as checkpoint:
        if restart:
            checkpoint.restart()
        n_lines = checkpoint.n_lines()
        if n_lines and verbose:
            print(
                f"going on with the unfinished prediction in {folder} ({n_lines} lines); "
                "--restart starts anew",
                flush=True,
            )
        try:
            yield checkpoint
        except BaseException:
            if not checkpoint.n_lines():
                checkpoint.remove()
            elif verbose:
                print(
                    f"skfacies: {folder} keeps what is predicted. The same command goes on with "
                    "it; delete the folder if you do not want that.",
                    file=sys.stderr,
                )
            raise
        checkpoint.remove()


def _kept_array(path, shape, dtype):
    """An array in a file of an earlier run, or a new one."""
    try:
        array = np.load(path, mmap_mode="r+")
        if (array.shape, array.dtype) == (tuple(shape), dtype):
            return array
    except (OSError, ValueError):  # none, or cut off
        pass
    return np.lib.format.open_memmap(path, "w+", dtype, tuple(shape))


def scratch_array(folder, name, shape, dtype):
    path = os.path.join(folder, f"{name}.npy")
    return np.lib.format.open_memmap(path, "w+", np.dtype(dtype), tuple(shape))


def label_type(model):
    """Smallest integer type that holds all labels and `UNLABELED`."""
    found = [UNLABELED, *model.classes_.tolist()]
    if find_parameter(model.estimator_, "nan_policy", "raise") == "ignore":
        found.append(find_parameter(model.estimator_, "ignore_label", UNLABELED))
    if any(isinstance(label, str) or label != int(label) for label in found):
        raise ValueError(
            f"label files hold whole numbers, but the classes of the model are {found[1:]}. "
            "Predict in Python, or train on numbers and name them with --names."
        )
    lowest, highest = int(min(found)), int(max(found))
    return np.promote_types(np.min_scalar_type(lowest), np.min_scalar_type(-1 - highest))


def _like_amplitudes(cube, values, name, classes=None):
    """Result with the coordinates of the amplitudes."""
    import xarray

    coords, dims = dict(cube.coords), cube.dims
    if classes is not None:
        coords, dims = {**coords, "facies": classes}, (*dims, "facies")
    return xarray.DataArray(values, coords, dims, name=name, attrs=cube.attrs)
