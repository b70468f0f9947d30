"""Files of the commands: how they are opened, and which may be overwritten."""

import os
import shlex
from pathlib import Path

from skfacies._cli.options import command_line
from skfacies._cubes import axes
from skfacies._cubes.volumes import as_volumes
from skfacies.io import open_cube

__all__ = [
    "CUBE_SUFFIXES",
    "OF_ONE_FILE",
    "check_model_name",
    "check_onnx_name",
    "check_reading",
    "check_report_name",
    "check_targets",
    "is_segy",
    "join_volumes",
    "named_files",
    "open_file",
    "open_labels",
    "open_like_training",
    "predict_words",
    "reading_words",
    "unit_of",
    "used_options",
    "volume_files",
    "weights_file",
]

CUBE_SUFFIXES = (".sgy", ".segy", ".zarr", ".npy", ".npz", ".mdio")

#: Options that LABELS do not share with SEISMIC: their format and array name may differ, and they
#: need no coordinates.
OF_ONE_FILE = ("variable", "sample_format", "x_byte", "y_byte")


def predict_words(model_file, seismic, *, horizons=False):
    """The command that predicts a survey, with a result of the kind of the survey."""
    path = Path(volume_files(seismic)[0])
    suffix = path.suffix.lower() if is_segy(path) or path.suffix.lower() == ".zarr" else ".npy"
    out = ["-o", f"{path.stem}_facies{suffix}", "--entropy"]
    return command_line(
        "predict", model_file, seismic, *out, *(["--horizons", "horizons"] if horizons else [])
    )


# --- volumes --------------------------------------------------------------------------------


def volume_files(seismic):
    """Files of SEISMIC: one, or volumes of one survey as in "near.sgy,far.sgy".

    Commas in the names of files that exist do not count.
    """
    if "," not in str(seismic) or os.path.exists(seismic):
        return [seismic]
    parts, files = str(seismic).split(","), []
    while parts:
        joined = [",".join(parts[:n]) for n in range(len(parts), 0, -1)]
        files.append(next((path for path in joined if os.path.exists(path)), joined[-1]))
        parts = parts[files[-1].count(",") + 1 :]
    missing = [path for path in files if not os.path.exists(path)]
    if missing:
        raise FileNotFoundError(
            f"{seismic} is read as {len(files)} volumes of one survey, and "
            f"{missing[0] or 'one without a name'} does not exist. Give names of files, with "
            "commas between them."
        )
    return files


def named_files(seismic):
    """Files of SEISMIC, by their names in messages."""
    files = volume_files(seismic)
    return {"SEISMIC" if len(files) == 1 else f"SEISMIC ({path})": path for path in files}


def join_volumes(cubes, files):
    """One cube itself, or several volumes together, which must be of the same survey."""
    return as_volumes(cubes, labels=list(map(str, files))) if len(cubes) > 1 else cubes[0]


# --- reading --------------------------------------------------------------------------------


def is_segy(path):
    return Path(path).suffix.lower() in (".sgy", ".segy")


def _uses(path, option):
    """Whether an option applies to the format of a file."""
    if is_segy(path):
        return option != "variable"
    return option == "domain" or (option == "variable" and Path(path).suffix.lower() != ".npy")


def used_options(path, reading):
    """The options that apply to the format of a file."""
    return {name: value for name, value in reading.items() if _uses(path, name)}


def open_file(path, reading=None, *, n_axes=3):
    """Open a cube with the options that apply to its format.

    Parameters
    ----------
    path : path
    reading : dict, default=None
        Options of `open_cube` that were given.
    n_axes : int or None, default=3
        3 rejects probabilities, which have one more axis. None accepts any number of axes.
    """
    cube = open_cube(path, **used_options(path, reading or {}))
    if n_axes is not None and cube.ndim != n_axes:
        raise ValueError(
            f"{path} has the axes {', '.join(map(str, cube.dims))}. Give a cube of inlines, "
            "crosslines and samples, not one of probabilities."
        )
    return cube


def open_labels(path, reading=None, own=None, *, like):
    """Open labels with the options of the amplitudes, except where they have their own.

    Parameters
    ----------
    path : path
    reading, own : dict, default=None
        Options of the amplitudes, and of the labels.
    like : DataArray
        Amplitudes. Their `first_sample` option applies only to labels with as many samples: a time
        window has its own start.
    """
    reading, own = reading or {}, own or {}
    shared = {name: value for name, value in reading.items() if name not in OF_ONE_FILE}
    labels = open_file(path, {**shared, **own})
    if "first_sample" in shared.keys() - own and labels.shape[2] != like.shape[2]:
        del shared["first_sample"]
        labels = open_file(path, {**shared, **own})
    return labels


def open_like_training(path, stored, given):
    """Open a cube with the options of the training cube, overridden by those given now.

    Returns
    -------
    cube : DataArray
    reading : dict
        The options with which it was opened.
    """
    reading = {**stored, **given}
    try:
        cube = open_file(path, reading)
    except ValueError:
        if "variable" not in stored or "variable" in given:
            raise
        del reading["variable"]  # another file may hold one cube with another name
        cube = open_file(path, reading)
    return cube, used_options(path, reading)


def check_reading(reading, *paths, prefix="--"):
    """Reject options that apply to none of the files."""
    for name in reading or {}:
        if not any(_uses(path, name) for path in paths if path is not None):
            files = ", ".join(str(path) for path in paths if path is not None)
            kinds = "Zarr and .npz files" if name == "variable" else "SEG-Y files"
            raise ValueError(
                f"{prefix}{name.replace('_', '-')} is for {kinds} and does not apply to {files}. "
                "Omit it."
            )


def reading_words(reading):
    """Options as typed on the command line."""
    words = []
    for name, value in reading.items():
        text = "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        words.append(f"--{name.replace('_', '-')} {shlex.quote(text)}")
    return " ".join(words)


def unit_of(axis):
    """Unit of times or depths, from the attributes or the name; "" if neither gives one."""
    return axes.unit_of(axis.name, axis.values, axis.attrs) or ""


def weights_file(params):
    """The weights file that training starts from, or None."""
    weights = params.get("encoder_weights")
    return weights if weights is not None and os.path.exists(weights) else None


# --- writing --------------------------------------------------------------------------------


def check_targets(targets, inputs):
    """Check output paths before hours of work: no input may be overwritten.

    Parameters
    ----------
    targets : list of path
        Files and stores that will be written.
    inputs : dict of path or None
        Files and stores that are read, by their names in the command.
    """
    for target in map(Path, targets):
        _check_place(target)
        for name, path in inputs.items():
            if path is not None and (_lies_in(target, path) or _lies_in(path, target)):
                raise ValueError(
                    f"the output would replace {path}, which is read as {name}: {target} is, or "
                    "overlaps, the same path. Give another name."
                )


def _check_place(path):
    is_store = path.suffix.lower() == ".zarr"
    if is_store and path.exists():
        if not any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zarray")):
            raise ValueError(
                f"{path} exists and is not a Zarr store. Remove it, or give another name."
            )
    elif path.is_dir():
        raise IsADirectoryError(f"{path} is a folder. Give the name of a file.")
    parent = path.absolute().parent
    if not parent.is_dir():
        raise FileNotFoundError(
            f"the folder {path.parent} does not exist. Create it, or give another name."
        )
    if not os.access(parent, os.W_OK):
        raise PermissionError(f"the folder {parent} is not writable. Give another name.")


def _lies_in(inner, outer):
    """Whether a path equals another or lies below it, following links and in any letter case."""
    inner, outer = (Path(os.path.realpath(path)) for path in (inner, outer))
    for place in (inner, *inner.parents):
        if place == outer:
            return True
        if place.exists() and outer.exists() and os.path.samefile(place, outer):
            return True
    return False


def check_model_name(path):
    """Reject the name of a cube for a model: it is a mistake, and would hide what the file is."""
    _refuse_suffix(path, CUBE_SUFFIXES, "a cube", "A model is a .safetensors file", ".safetensors")


def check_report_name(path):
    _refuse_suffix(
        path, (*CUBE_SUFFIXES, ".safetensors"), "a cube or a model", "A report is text", ".md"
    )


def check_onnx_name(path):
    suffixes = (*CUBE_SUFFIXES, ".safetensors")
    _refuse_suffix(path, suffixes, "a cube or a model", "This is an .onnx file", ".onnx")


def _refuse_suffix(path, suffixes, what, instead, suffix):
    path = Path(path)
    if path.suffix.lower() in suffixes:
        raise ValueError(
            f"{path} is named as {what}. {instead}: -o {path.with_suffix(suffix)}, for example."
        )
