"""Commands: read models and cubes from files, and write results to files."""

import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skfacies._cli.files import (
    check_model_name,
    check_reading,
    check_report_name,
    check_targets,
    is_segy,
    open_file,
    open_labels,
    open_like_training,
    reading_words,
    used_options,
)
from skfacies._cli.info import describe_cube, describe_model
from skfacies._cli.labels import (
    UNLABELED,
    LabelCube,
    check_lines,
    choose_lines,
    distinct_labels,
    split_lines,
)
from skfacies._cubes.holders import chunk_length
from skfacies._cubes.writing import class_paths
from skfacies._estimators.cube_segmenter import CubeSegmenter
from skfacies._files import whole_file
from skfacies._sections.estimators import find_parameter
from skfacies.benchmark import f3_benchmark
from skfacies.datasets import fetch_f3
from skfacies.io import kind_to_write, write_cube
from skfacies.metrics import facies_report
from skfacies.persistence import load_model, save_model
from skfacies.qc import prediction_entropy

__all__ = [
    "LabelCube",
    "split_lines",
    "benchmark_f3",
    "choose_lines",
    "describe_cube",
    "describe_model",
    "fit_model",
    "predict_cube",
    "score_model",
]

PLACES = ("inline_byte", "crossline_byte")


def fit_model(
    seismic,
    labels,
    model_file,
    *,
    direction="inline",
    neighbors=0,
    lines=(),
    ignore_label=UNLABELED,
    label_names=None,
    reading=None,
    labels_reading=None,
    verbose=1,
    **params,
):
    """Train on an interpreted cube and write the model, with the options that opened the cube.

    Parameters
    ----------
    reading, labels_reading : dict, default=None
        Options of `open_cube` for the amplitudes and for the labels.

    Returns
    -------
    result : Bunch
        `model`, and `lines`, the numbers of the training lines by direction.
    """
    inputs = {"SEISMIC": seismic, "LABELS": labels, "--weights": _weights_file(params)}
    check_targets([model_file], inputs)
    check_model_name(model_file)
    step, named = check_lines(lines, direction)
    label_names = _check_names(label_names)
    check_reading(reading, seismic, labels)
    check_reading(labels_reading, labels, prefix="--labels-")
    cube = open_file(seismic, reading)
    interpreted = _open_interpretation(
        labels, cube, seismic, reading, labels_reading, ignore_label, named
    )
    names = label_names and _match_names(label_names, interpreted)
    if verbose:
        _print_notes(interpreted)

    from skfacies._estimators.segmenter import FaciesSegmenter  # imports torch, which takes seconds

    section = FaciesSegmenter(nan_policy="ignore", verbose=verbose, **params)
    model = CubeSegmenter(section, direction, neighbors=neighbors, step=step, verbose=verbose)
    _fit_fully(model, cube, interpreted)
    model.reading_ = used_options(seismic, reading or {})
    save_model(
        model, model_file, label_names=names and [names[label] for label in model.classes_.tolist()]
    )
    return Bunch(
        model=model,
        lines={name: np.asarray(cube[name])[chosen] for name, chosen in model.lines_.items()},
    )


def _weights_file(params):
    """The weights file that training starts from, or None."""
    weights = params.get("encoder_weights")
    return weights if weights is not None and os.path.exists(weights) else None


def _open_interpretation(path, cube, seismic, reading, own, ignore_label, lines=()):
    """Labels from a file, placed at the amplitudes."""
    labels = open_labels(path, reading, own, like=cube)
    return LabelCube(labels, path, ignore_label, lines, survey=cube, survey_path=seismic)


def _print_notes(labels):
    for note in labels.notes:
        print(note)


def _check_names(names):
    """Names of facies without surrounding blanks; empty or repeated names are an error."""
    if names is None:
        return None
    names = [name.strip() for name in names]
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(
            f"--names {','.join(names)!r} has "
            f"{'an empty name' if not all(names) else 'a repeated name'}. "
            "Give each facies its own name, such as --names sand,shale."
        )
    return names


def _match_names(names, labels):
    """Names by label: for all labels of the file, or for those on the chosen lines."""
    everywhere, on_lines = distinct_labels(labels)
    for found in (everywhere, on_lines):
        if len(found) == len(names):
            return dict(zip(found, names, strict=True))
    lines = f" ({on_lines} on the lines of --lines)" if on_lines != everywhere else ""
    raise ValueError(
        f"--names has {len(names)} names, but {labels.path} holds the {len(everywhere)} labels "
        f"{everywhere}{lines}. Give one name for each label, in this order."
    )


def _fit_fully(model, cube, labels):
    """Fit, and stop the command on Ctrl-C; skorch alone would end the fit and keep its epochs."""
    model.fit(cube, labels)
    if model.estimator_.n_iter_ < model.estimator_.net_.max_epochs:
        raise KeyboardInterrupt


def predict_cube(
    model_file,
    seismic,
    out,
    *,
    probabilities=False,
    entropy=False,
    like=None,
    reading=None,
    rescale=None,
    verbose=1,
):
    """Predict a cube from a file into new files; each gets its name once it is complete.

    Parameters
    ----------
    like : path, default=None
        SEG-Y file with the headers for SEG-Y results; None is `seismic`, if it is SEG-Y.
    reading : dict, default=None
        Options of `open_cube` that override those of the training.
    rescale : {"survey"} or None, default=None
        See `FaciesSegmenter`; None keeps the model's setting.

    Returns
    -------
    paths : list of path
        Path of the labels; with `probabilities`, also those of the probabilities; with `entropy`,
        one more.
    """
    out = Path(out)
    if kind_to_write(out) != "segy" and like is not None:
        raise ValueError(f"--like gives headers for SEG-Y files; OUT is {out}. Omit --like.")
    check_reading(reading, seismic, like)
    inputs = {"MODEL": model_file, "SEISMIC": seismic, "--like": like}
    check_targets([out], inputs)
    model = _as_cube_model(load_model(model_file), verbose, rescale)
    places = _places_beside(out, model, probabilities, entropy)
    check_targets(places, inputs)
    cube = _open_amplitudes(seismic, model, reading, verbose)
    headers = _find_headers(cube, seismic, out, like, {**_stored(model), **(reading or {})})
    with _scratch_folder(out) as folder:
        if not headers:  # find out now, before prediction, whether the file can hold the result
            empty = _scratch_array(folder, "empty", cube.shape, _label_type(model))
            write_cube(Path(folder, f"one{out.suffix}"), _like(cube, empty, "facies")[:1, :1])
        paths = []
        for path, result in _predict_parts(model, cube, out, folder, probabilities, entropy):
            # The headers were already compared with the cube; options may correct its times.
            result = result.drop_vars(cube.dims[2], errors="ignore") if headers else result
            written = write_cube(path, result, **headers)
            paths += written if isinstance(written, list) else [written]
    return paths


def _predict_parts(model, cube, out, folder, probabilities, entropy):
    """Yield the path and the cube of each result, after all are predicted."""
    labels = _scratch_array(folder, "labels", cube.shape, _label_type(model))
    if probabilities or entropy:
        scores = _scratch_array(folder, "scores", (*cube.shape, len(model.classes_)), np.float32)
        model.predict(cube, out=labels, probabilities_out=scores)
    else:
        model.predict(cube, out=labels)
    _mark_missing(model, cube, labels)
    yield out, _like(cube, labels, "facies")
    if probabilities:
        names = _facies_names(model)
        yield _beside(out, "probability"), _like(cube, scores, "probability", names)
    if entropy:
        doubt = _scratch_array(folder, "entropy", cube.shape, np.float32)
        for i in range(len(scores)):
            doubt[i] = prediction_entropy(scores[i])
        yield _beside(out, "entropy"), _like(cube, doubt, "entropy")


def _stored(model):
    """Options with which the training cube was opened."""
    return getattr(model, "reading_", None) or {}


def _open_amplitudes(path, model, reading, verbose):
    """Open a cube with the options of the training cube, and print them."""
    cube, used = open_like_training(path, _stored(model), reading or {})
    kept = {name: value for name, value in used.items() if name not in (reading or {})}
    if kept and verbose:
        print(f"opening {path} like the training amplitudes: {reading_words(kept)}")
    return cube


def _places_beside(out, model, probabilities, entropy):
    """Files that are written in addition to the labels."""
    places = [_beside(out, "entropy")] if entropy else []
    if probabilities:
        path = _beside(out, "probability")
        places += class_paths(path, _facies_names(model)) if is_segy(out) else [path]
    return places


def _find_headers(cube, seismic, out, like, reading):
    """Options of `write_cube` for the headers of SEG-Y results; empty for new headers."""
    if like is None and is_segy(out) and not is_segy(seismic):
        missing = [dim for dim in cube.dims if dim not in cube.coords]
        if missing:
            raise ValueError(
                f"{seismic} has no coordinates {', '.join(missing)} for SEG-Y headers. Give --like "
                "SURVEY.sgy, a SEG-Y file of the same traces, or write .zarr or .npy."
            )
    if like is None:
        return {"like": seismic} if is_segy(seismic) and is_segy(out) else {}
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
    return {"like": like, **{name: byte or 0 for name, byte in places.items()}}


def _along(cube, axis):
    return np.asarray(cube[cube.dims[axis]])


def _mark_missing(model, cube, labels):
    """Give missing samples the label used in files, whatever label the model uses."""
    if "live" in cube.coords:
        labels[~np.asarray(cube["live"])] = UNLABELED
    if find_parameter(model.estimator_, "ignore_label", UNLABELED) == UNLABELED:
        return
    for lines in _blocks(cube):
        missing = np.isnan(np.asarray(cube[lines]))
        np.copyto(labels[lines], UNLABELED, where=missing)


def _blocks(cube):
    """Slices of inlines, one chunk after the other."""
    step = chunk_length(cube, 0)
    return [slice(start, start + step) for start in range(0, cube.shape[0], step)]


def _beside(out, name):
    return out.with_name(f"{out.stem}_{name}{out.suffix}")


@contextmanager
def _scratch_folder(out):
    """Temporary folder beside the output, on the same disk."""
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        yield folder


def _scratch_array(folder, name, shape, dtype):
    path = os.path.join(folder, f"{name}.npy")
    return np.lib.format.open_memmap(path, "w+", np.dtype(dtype), tuple(shape))


def _label_type(model):
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


def _like(cube, values, name, classes=None):
    """Result with the coordinates of the amplitudes."""
    import xarray

    coords, dims = dict(cube.coords), cube.dims
    if classes is not None:
        coords, dims = {**coords, "facies": classes}, (*dims, "facies")
    return xarray.DataArray(values, coords, dims, name=name, attrs=cube.attrs)


def _facies_names(model):
    names = getattr(model, "label_names_", None) or {}
    return [names.get(label, label) for label in model.classes_.tolist()]


def _as_cube_model(model, verbose=0, rescale=None):
    """The model as a CubeSegmenter; an estimator of sections predicts inlines."""
    if rescale is not None:
        inner = model.estimator_ if isinstance(model, CubeSegmenter) else model
        if "rescale" not in inner.get_params(deep=False):
            raise ValueError(
                f"--rescale needs a FaciesSegmenter; MODEL has a {type(inner).__name__}. Omit it."
            )
        inner.set_params(rescale=rescale)
    if isinstance(model, CubeSegmenter):
        return model.set_params(verbose=verbose)
    if not hasattr(model, "predict"):
        raise ValueError(
            f"the model file holds a {type(model).__name__}, which cannot predict. Give the file "
            "of a segmenter."
        )
    cubes = CubeSegmenter.from_fitted(model, verbose=verbose)
    for name in ("label_names_", "reading_"):
        if hasattr(model, name):
            setattr(cubes, name, getattr(model, name))
    return cubes


def score_model(
    model_file,
    seismic,
    labels,
    *,
    ignore_label=UNLABELED,
    reading=None,
    labels_reading=None,
    rescale=None,
    verbose=1,
):
    """Predict a cube and compare it with labels from a file; return the report as text.

    Files are opened as in `predict_cube` and `fit_model`.
    """
    check_reading(reading, seismic, labels)
    check_reading(labels_reading, labels, prefix="--labels-")
    model = _as_cube_model(load_model(model_file), verbose, rescale)
    cube = _open_amplitudes(seismic, model, reading, verbose)
    shared = {**_stored(model), **(reading or {})}
    truth = _open_interpretation(labels, cube, seismic, shared, labels_reading, ignore_label)
    if verbose:
        _print_notes(truth)
    names = getattr(model, "label_names_", None)
    with tempfile.TemporaryDirectory(prefix="skfacies-") as folder:
        predicted = _scratch_array(folder, "labels", cube.shape, _label_type(model))
        model.predict(cube, out=predicted)
        interpreted = _scratch_array(folder, "truth", cube.shape, truth.dtype)
        for lines in _blocks(cube):  # as in CubeSegmenter.score, missing samples do not count
            missing = np.isnan(np.asarray(cube[lines]))
            interpreted[lines] = np.where(missing, UNLABELED, truth[lines])
        if "live" in cube.coords:
            interpreted[~np.asarray(cube["live"])] = UNLABELED
        return facies_report(
            interpreted,
            predicted,
            labels=model.classes_.tolist(),
            target_names=names and [names[label] for label in model.classes_.tolist()],
            ignore_label=UNLABELED,
        )


def benchmark_f3(
    out, *, data_home=None, direction="both", neighbors=0, step=1, verbose=1, **params
):
    """Fetch the F3 benchmark, train on its training block, score its test blocks, write a report.

    Returns the report as text.
    """
    check_report_name(out)
    check_targets([out], {"--weights": _weights_file(params)})
    blocks = fetch_f3("all", data_home=data_home, verbose=verbose)

    from skfacies._estimators.segmenter import FaciesSegmenter

    section = FaciesSegmenter(verbose=verbose, **params)
    model = CubeSegmenter(section, direction, neighbors=neighbors, step=step, verbose=verbose)
    start = time.perf_counter()
    _fit_fully(model, blocks["train"].data, blocks["train"].target)
    seconds = time.perf_counter() - start
    result = f3_benchmark(model, blocks, verbose=0)
    report = (
        f"{result.to_markdown()}\n\nTrained in {seconds:.0f} s along {direction} lines, every "
        f"{step}, with {model!r}.\n"
    )
    with whole_file(out) as part:
        part.write_text(report, encoding="utf-8")
    return report
