"""What the command line does: models and cubes from files, results into files."""

import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skfacies._cube import CubeSegmenter
from skfacies._segmenter import FaciesSegmenter
from skfacies._validation import find_parameter, n_sections
from skfacies.benchmark import f3_benchmark
from skfacies.datasets import fetch_f3
from skfacies.io import _kind_to_write, open_cube, write_cube
from skfacies.metrics import facies_report
from skfacies.persistence import _read_card, load_model, save_model
from skfacies.qc import prediction_entropy

__all__ = [
    "benchmark_f3",
    "describe_cube",
    "describe_model",
    "fit_model",
    "predict_cube",
    "score_model",
]

#: Label of samples that carry no interpretation, in files.
UNLABELLED = -1


class LabelCube:
    """Labels of a file as integers, read when they are needed, on chosen lines only.

    Parameters
    ----------
    cube : DataArray (inline, crossline, ...)
        Whole numbers of any type; NaN counts as `UNLABELLED`.
    path : path
        For messages.
    ignore_label : int
        Label in the file of samples without interpretation.
    lines : list of str
        See `choose_lines`; empty for all.
    """

    dtype = np.dtype(np.int32)
    ndim = 3

    def __init__(self, cube, path, ignore_label=UNLABELLED, lines=()):
        self.cube, self.path, self.ignore_label = cube, path, ignore_label
        self.shape = tuple(cube.shape)
        self.chosen = choose_lines(lines, cube)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        values = np.asarray(self.cube[key])
        if values.dtype.kind == "f":
            values = np.where(np.isnan(values), self.ignore_label, values)
            if np.any(values != np.rint(values)):
                raise ValueError(
                    f"{self.path} holds {values[values != np.rint(values)][0]:g}, which is no "
                    "label. Labels are whole numbers: is this a file of amplitudes?"
                )
        labels = values.astype(self.dtype)
        labels[labels == self.ignore_label] = UNLABELLED
        if self.chosen is not None:
            labels[~self.chosen[key[:2] if isinstance(key, tuple) else key]] = UNLABELLED
        return labels


def choose_lines(lines, cube):
    """Traces that lie on chosen lines, as a bool array (n_inlines, n_crosslines); None for all.

    Parameters
    ----------
    lines : list of str
        Each "inline=" or "crossline=" and line numbers: "328", "300,350", "300-400", "300-400:10".
    cube : DataArray
    """
    if not lines:
        return None
    chosen = np.zeros(cube.shape[:2], dtype=bool)
    for text in lines:
        name, _, numbers = text.partition("=")
        if name not in ("inline", "crossline") or not numbers:
            raise ValueError(
                f"--lines {text!r} is not understood. Use inline=300,350 or crossline=300-400:10 "
                "or every=10."
            )
        axis = ("inline", "crossline").index(name)
        there = np.asarray(cube[name])
        wanted = np.isin(there, [number for part in numbers.split(",") for number in _range(part)])
        if not wanted.any():
            raise ValueError(
                f"--lines {text!r}: the survey has {name}s {there.min()} to {there.max()}."
            )
        chosen |= wanted[:, None] if axis == 0 else wanted
    return chosen


def _split_lines(lines):
    """Number of "every=10", or 1, and the other texts."""
    step = 1
    for text in lines:
        if text.startswith("every="):
            if not text[6:].isdigit() or int(text[6:]) < 1:
                raise ValueError(f"--lines {text!r} needs a whole number, such as every=10.")
            step = int(text[6:])
    return step, [text for text in lines if not text.startswith("every=")]


def _range(text):
    """Numbers of "300", "300-400" or "300-400:10"."""
    span, _, step = text.partition(":")
    first, _, last = span.partition("-")
    try:
        return range(int(first), int(last or first) + 1, int(step or 1))
    except ValueError as error:
        raise ValueError(
            f"--lines: {text!r} is no line number or range. Use 300, 300-400 or 300-400:10."
        ) from error


def fit_model(
    seismic,
    labels,
    model_file,
    *,
    direction="inline",
    neighbours=0,
    lines=(),
    ignore_label=UNLABELLED,
    label_names=None,
    verbose=1,
    **params,
):
    """Train on an interpreted cube and write the model.

    Returns
    -------
    result : Bunch
        `model`, and `lines`, the numbers of the lines trained on by direction.
    """
    _check_target(model_file)
    cube = open_cube(seismic)
    step, named = _split_lines(lines)
    _check_directions(named, direction)
    interpreted = LabelCube(_open_like(labels, cube, seismic), labels, ignore_label, named)
    section = FaciesSegmenter(nan_policy="ignore", verbose=verbose, **params)
    model = CubeSegmenter(section, direction, neighbours=neighbours, step=step, verbose=verbose)
    _fit_fully(model, cube, interpreted)
    _save_trained(model, model_file, label_names)
    return Bunch(
        model=model,
        lines={name: np.asarray(cube[name])[chosen] for name, chosen in model.lines_.items()},
    )


def _check_target(path, *, may_be_folder=False):
    """Check the place of a result before hours of work."""
    path = Path(path)
    if path.is_dir() and not may_be_folder:
        raise IsADirectoryError(f"{path} is a folder. Give the name of a file.")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}. Make it, or give another name.")


def _check_directions(named, direction):
    """Refuse lines of a direction that is not trained on: all lines would have a trace of them."""
    for text in named:
        name = text.partition("=")[0]
        if direction != "both" and name in ("inline", "crossline") and name != direction:
            raise ValueError(
                f"--lines {text!r} are {name}s, but --directions is {direction}. Use --directions "
                f"{name} or both."
            )


def _save_trained(model, path, label_names):
    """Save a model; without names if they do not fit, for the training was long."""
    try:
        save_model(model, path, label_names=label_names)
    except (TypeError, ValueError) as error:
        if label_names is None:
            raise
        save_model(model, path)
        raise ValueError(f"{error} The model is in {path}, without names.") from error


def _fit_fully(model, cube, labels):
    """Fit, and end all on Ctrl-C, where skorch ends the fit and keeps the epochs so far."""
    model.fit(cube, labels)
    if model.estimator_.n_iter_ < model.estimator_.net_.max_epochs:
        raise KeyboardInterrupt


def _open_like(path, cube, seismic):
    """Open labels and check that they lie where the amplitudes do."""
    labels = open_cube(path)
    if labels.shape != cube.shape:
        raise ValueError(
            f"{path} has {_sizes(labels)}, but {seismic} has {_sizes(cube)}. Labels need the "
            "geometry of the amplitudes, -1 where nothing is interpreted."
        )
    for name in ("inline", "crossline"):
        if name in labels.coords and not np.array_equal(labels[name], cube[name]):
            raise ValueError(
                f"the {name}s of {path} are {_extent(labels[name])}, those of {seismic} are "
                f"{_extent(cube[name])}."
            )
    return labels


def _sizes(cube):
    return " x ".join(map(str, cube.shape))


def _extent(numbers):
    return f"{int(numbers[0])} to {int(numbers[-1])}"


def predict_cube(model_file, seismic, out, *, probabilities=False, entropy=False, verbose=1):
    """Predict a cube from a file into others; each appears under its name when it is whole.

    Returns
    -------
    paths : list of path
        Of the labels; with `probabilities` one for each facies; with `entropy` one more.
    """
    model = _as_cube_model(load_model(model_file), verbose)
    cube, out = open_cube(seismic), Path(out)
    _check_target(out, may_be_folder=_kind_to_write(out) == "zarr")
    if out.resolve() == Path(seismic).resolve():
        raise ValueError(f"the output would replace {seismic}. Give it another name.")
    like = seismic if _is_segy(seismic) and _is_segy(out) else None
    with _scratch_folder(out) as folder:
        labels = _scratch_array(folder, "labels", cube.shape, _label_type(model))
        if like is None:  # what the file cannot hold is found out now, with nothing predicted yet
            write_cube(Path(folder, f"one{out.suffix}"), _like(cube, labels, "facies")[:1, :1])
        if probabilities or entropy:
            shape = (*cube.shape, len(model.classes_))
            scores = _scratch_array(folder, "scores", shape, np.float32)
            model.predict_proba(cube, out=scores)
            _choose_facies(model, scores, labels)
        else:
            model.predict(cube, out=labels)
            _mark_missing(model, cube, labels)
        paths = [write_cube(out, _like(cube, labels, "facies"), like=like)]
        if probabilities:
            cubes = _like(cube, scores, "probability", _facies_names(model))
            written = write_cube(_beside(out, "probability"), cubes, like=like)
            paths += written if isinstance(written, list) else [written]
        if entropy:
            doubt = _scratch_array(folder, "entropy", cube.shape, np.float32)
            for i in range(len(scores)):
                doubt[i] = prediction_entropy(scores[i])
            paths.append(
                write_cube(_beside(out, "entropy"), _like(cube, doubt, "entropy"), like=like)
            )
    return paths


def _choose_facies(model, scores, labels):
    """Fill in the labels that `predict` gives, a section at a time."""
    to_labels = model._to_labels(labels.dtype)
    axis = int(model.direction == "crossline")
    for i in range(scores.shape[axis]):
        line = (slice(None),) * axis + (i,)
        own = np.asarray(scores[line])
        chosen = to_labels(own[None])[0]
        chosen[np.isnan(own[..., 0])] = UNLABELLED
        labels[line] = chosen


def _mark_missing(model, cube, labels):
    """Label missing samples as files have it, whatever the model's label of them."""
    if model._ignore_label() == UNLABELLED:
        return
    for i in range(len(labels)):
        labels[i][np.isnan(np.asarray(cube[i]))] = UNLABELLED


def _beside(out, name):
    return out.with_name(f"{out.stem}_{name}{out.suffix}")


def _is_segy(path):
    return Path(path).suffix.lower() in (".sgy", ".segy")


@contextmanager
def _scratch_folder(out):
    """Folder beside the output, where as much space is as there."""
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        yield folder


def _scratch_array(folder, name, shape, dtype):
    path = os.path.join(folder, f"{name}.npy")
    return np.lib.format.open_memmap(path, "w+", np.dtype(dtype), tuple(shape))


def _label_type(model):
    """Type of labels that holds `UNLABELLED` as well, and few bytes."""
    found = [UNLABELLED, *model.classes_.tolist()]
    if find_parameter(model.estimator_, "nan_policy", "raise") == "ignore":
        found.append(model._ignore_label())
    if any(isinstance(label, str) or label != int(label) for label in found):
        raise ValueError(
            f"files of labels hold whole numbers; the classes of the model are {found[1:]}. "
            "Predict in Python, or train on numbers, and name them with --names."
        )
    lowest, highest = int(min(found)), int(max(found))
    return np.promote_types(np.min_scalar_type(lowest), np.min_scalar_type(-1 - highest))


def _like(cube, values, name, classes=None):
    """Result with the coordinates of the amplitudes."""
    import xarray

    coords = {key: value for key, value in cube.coords.items() if key in cube.dims}
    dims = cube.dims
    if classes is not None:
        coords, dims = {**coords, "facies": classes}, (*dims, "facies")
    return xarray.DataArray(values, coords, dims, name=name, attrs=cube.attrs)


def _facies_names(model):
    names = getattr(model, "label_names_", None) or {}
    return [names.get(label, label) for label in model.classes_.tolist()]


def _as_cube_model(model, verbose=0):
    """The model as one of cubes: an estimator of sections predicts inlines."""
    if isinstance(model, CubeSegmenter):
        return model.set_params(verbose=verbose)
    if not hasattr(model, "predict"):
        raise ValueError(f"the model file holds a {type(model).__name__}, which predicts nothing.")
    cubes = CubeSegmenter(model, verbose=verbose)
    cubes.estimator_, cubes.classes_, cubes.lines_ = model, model.classes_, {}
    if hasattr(model, "label_names_"):
        cubes.label_names_ = model.label_names_
    return cubes


def score_model(model_file, seismic, labels, *, ignore_label=UNLABELLED, verbose=1):
    """Predict a cube and compare with labels from a file; return the report as text."""
    model = _as_cube_model(load_model(model_file), verbose)
    cube = open_cube(seismic)
    truth = LabelCube(_open_like(labels, cube, seismic), labels, ignore_label)
    names = getattr(model, "label_names_", None)
    with tempfile.TemporaryDirectory(prefix="skfacies-") as folder:
        predicted = _scratch_array(folder, "labels", cube.shape, _label_type(model))
        model.predict(cube, out=predicted)
        interpreted = _scratch_array(folder, "truth", cube.shape, truth.dtype)
        for i in range(len(interpreted)):  # as in CubeSegmenter.score, missing samples do not count
            missing = np.isnan(np.asarray(cube[i]))
            interpreted[i] = np.where(missing, UNLABELLED, truth[i])
        return facies_report(
            interpreted,
            predicted,
            labels=model.classes_.tolist(),
            target_names=names and [names[label] for label in model.classes_.tolist()],
            ignore_label=UNLABELLED,
        )


def describe_cube(path, *, n_lines=20):
    """Geometry and, from some lines, amplitude statistics of a cube, as pairs (title, text)."""
    cube = open_cube(path)
    depth = cube.dims[2]
    n_read = min(n_lines, n_sections(cube))
    rows = np.unique(np.linspace(0, cube.shape[0] - 1, n_read).astype(int))
    some = np.concatenate([np.asarray(cube[int(row)]).ravel() for row in rows])
    finite = some[np.isfinite(some)] if some.dtype.kind == "f" else some
    yield "file", f"{path}, {os.path.getsize(path) / 1e6:.1f} MB" if os.path.isfile(path) else path
    yield "shape", f"{_sizes(cube)} (inlines x crosslines x samples), {cube.dtype}"
    for name in ("inline", "crossline"):
        if name in cube.coords:
            numbers = np.asarray(cube[name])
            step = f", step {numbers[1] - numbers[0]}" if len(numbers) > 1 else ""
            yield f"{name}s", f"{numbers[0]} to {numbers[-1]}{step}"
    if depth in cube.coords:
        axis = np.asarray(cube[depth], dtype=float)
        unit = cube[depth].attrs.get("units", "ms" if depth == "twt" else "m")
        step = f", every {axis[1] - axis[0]:g} {unit}" if len(axis) > 1 else ""
        yield depth, f"{axis[0]:g} to {axis[-1]:g} {unit}{step}"
    if "live" in cube.coords:
        live = np.asarray(cube["live"])
        yield "traces", f"{int(live.sum())} of {live.size}, the others are missing"
    if not len(finite):
        yield "amplitudes", "none that is finite"
        return
    distinct = np.unique(finite[:: max(1, len(finite) // 100_000)])
    if len(distinct) <= 64 and np.array_equal(distinct, np.rint(distinct)):
        counts = ", ".join(f"{value:g}: {np.mean(finite == value):.1%}" for value in distinct)
        yield f"values in {len(rows)} inlines", counts
        return
    low, median, high = np.percentile(finite, [1, 50, 99])
    yield (
        f"amplitudes in {len(rows)} inlines",
        f"{finite.min():.4g} to {finite.max():.4g}, mean {finite.mean(dtype=float):.4g}, "
        f"standard deviation {finite.std(dtype=float):.4g}",
    )
    yield "percentiles 1, 50, 99", f"{low:.4g}, {median:.4g}, {high:.4g}"
    yield "zero samples", f"{np.mean(finite == 0):.1%}"


def describe_model(path):
    """What the header of a model file says, as pairs (title, text); None if it is no model."""
    try:
        card = _read_card(path)
    except ValueError:
        return None
    summary = card["summary"]
    rows = [
        ("file", f"{path}, {card['file_size'] / 1e6:.1f} MB, format {card['format_version']}"),
        ("made with", ", ".join(f"{name} {text}" for name, text in card["versions"].items())),
    ]
    rows += [(name, _short(value)) for name, value in summary.items() if value is not None]
    return rows


def _short(value):
    text = str(value.tolist() if isinstance(value, np.ndarray) else value)
    return text if len(text) <= 200 else f"{text[:200]} …"


def benchmark_f3(
    out, *, data_home=None, direction="both", neighbours=0, step=1, verbose=1, **params
):
    """Fetch F3's benchmark, train on its training block, score its test blocks, write a report."""
    _check_target(out)
    blocks = fetch_f3("all", data_home=data_home, verbose=verbose)
    section = FaciesSegmenter(verbose=verbose, **params)
    model = CubeSegmenter(section, direction, neighbours=neighbours, step=step, verbose=verbose)
    start = time.perf_counter()
    _fit_fully(model, blocks["train"].data, blocks["train"].target)
    seconds = time.perf_counter() - start
    result = f3_benchmark(model, blocks, verbose=0)
    report = (
        f"{result.to_markdown()}\n\nTrained in {seconds:.0f} s along {direction} lines, every "
        f"{step}, with {model!r}.\n"
    )
    beside = Path(f"{out}.part")
    beside.write_text(report, encoding="utf-8")
    os.replace(beside, out)
    return report
