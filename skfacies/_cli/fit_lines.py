"""2-D lines that train one model: sections of different length, placed by X and Y."""

__all__ = ["fit_lines", "refine_lines"]


def fit_lines(
    files,
    interpretation,
    model_file,
    *,
    label_names=None,
    reading=None,
    checkpoint=None,
    verbose=1,
    **params,
):
    """Train a FaciesSegmenter on 2-D lines and write it, with the options that opened the lines.

    Parameters
    ----------
    files : list of path
        One line each.
    interpretation : Interpretation
        Horizons or intervals.
    **params
        Parameters of `FaciesSegmenter`. The other parameters are those of `fit_model`.

    Returns
    -------
    result : Bunch
        `model`; `names` of the labels, or None; `lines`, the number of labeled traces of each
        training line, by its file.
    """
    from sklearn.utils import Bunch

    from skfacies._cli.checkpoint import checkpointed
    from skfacies._cli.files import open_file
    from skfacies._cli.fit_files import check_files, save_fitted
    from skfacies._cli.labels import check_names, name_labels

    files = [str(path) for path in files]
    named = {path: path for path in files}
    check_files(named, interpretation, model_file, checkpoint, reading=reading, params=params)
    label_names = check_names(label_names, interpretation.horizons)
    lines = _open_lines(files, lambda path: open_file(path, reading), interpretation, verbose)
    names = name_labels(label_names, lines.interpreted, interpretation.horizons)
    sections, labels, used = _label_lines(lines, "left out, as it has no pick", verbose)
    kept = [k for k, path in enumerate(files) if used[path]]

    from skfacies._cli.models import fit_sections  # imports torch, which takes seconds

    sections, labels = ([own[k] for k in kept] for own in (sections, labels))
    with checkpointed(checkpoint, verbose=verbose):
        model = fit_sections(sections, labels, checkpoint, verbose=verbose, **params)
        names = save_fitted(model, model_file, files, reading, names)
    return Bunch(model=model, names=names, lines={path: n for path, n in used.items() if n})


def refine_lines(model, files, interpretation, *, reading=None, verbose=1):
    """Refine a model of 2-D lines with picked lines, and with others as the model predicts them.

    Parameters
    ----------
    model : CubeSegmenter
        As `load_cube_model` makes it of an estimator of sections.
    files : list of path
    interpretation : Interpretation
        Horizons or intervals, on one line or more.
    reading : dict, default=None
        Options of `open_cube` that override those of the training.

    Returns
    -------
    refined : FaciesSegmenter
        A copy; `model` stays as it was.
    before, after : list of arrays (n_traces, n_samples)
        What both predict on each line.
    lines : dict
        Number of labeled traces of each line.
    """
    from skfacies._cli.interpretation import match_classes
    from skfacies._cli.models import open_amplitudes, refine_sections

    files = [str(path) for path in files]
    if model.lines_:
        raise ValueError(
            f"{', '.join(files)} are 2-D lines, but MODEL was trained on a survey. Give the survey "
            "alone, or train on the lines with skfacies fit."
        )
    lines = _open_lines(
        files, lambda path: open_amplitudes(path, model, reading, verbose), interpretation, verbose
    )
    match_classes(lines.interpreted, model, verbose=verbose)
    sections, labels, used = _label_lines(
        lines, "no pick, learned again as MODEL predicts it", verbose
    )
    before = model.estimator_.predict(sections)
    refined = refine_sections(model.estimator_, sections, labels)
    return refined, before, refined.predict(sections), used


def _open_lines(files, open_line, interpretation, verbose):
    """2-D lines and their interpretation.

    Parameters
    ----------
    files : list of str
    open_line : function of a path
        Opens a cube.
    interpretation : Interpretation

    Returns
    -------
    lines : Bunch
        `files`; `cubes`; `traces`, all traces as one line, and the `places` of each line in them;
        `interpreted`, a LabelCube of them.
    """
    from sklearn.utils import Bunch

    _check_different(files)
    cubes = [open_line(path) for path in files]
    for path, cube in zip(files, cubes, strict=True):
        _check_line(path, cube, is_one_of=len(files))
    traces, places = _join_lines(cubes, files)
    interpreted = interpretation.open(traces, "the lines", verbose=verbose)
    return Bunch(files=files, cubes=cubes, traces=traces, places=places, interpreted=interpreted)


def _label_lines(lines, without_pick, verbose):
    """Sections of lines, their labels, and the number of labeled traces of each file."""
    from skfacies._cli.labels import UNLABELED

    found, used, sections, labels = lines.interpreted[0], {}, [], []
    for path, cube, place in zip(lines.files, lines.cubes, lines.places, strict=True):
        own = found[place][:, _samples_of(cube, lines.traces)]
        sections.append(_section_of(cube))
        labels.append(own)
        used[path] = n_labeled = int((own != UNLABELED).any(axis=1).sum())
        if verbose:
            words = f"{n_labeled} of {len(own)} traces are interpreted"
            print(f"{path}: {words if n_labeled else without_pick}")
    if not any(used.values()):
        raise ValueError(
            "no sample of the lines is interpreted: the horizons, the intervals or the window "
            "between two horizons leave nothing. Check that they belong together."
        )
    return sections, labels, used


def _check_different(files):
    import os

    places = [os.path.realpath(path) for path in files]
    twice = [path for path, place in zip(files, places, strict=True) if places.count(place) > 1]
    if twice:
        raise ValueError(f"{twice[0]} is given twice. Give each line once.")


def _check_line(path, cube, *, is_one_of):
    """Refuse what is not a 2-D line; one of several needs X and Y."""
    if min(cube.shape[:2]) > 1:
        raise ValueError(
            f"{path} is a survey of {cube.shape[0]} inlines and {cube.shape[1]} crosslines, but "
            "several files must be 2-D lines. Train on the survey alone. A cube of LABELS is given "
            "without --horizons and --picks; a file whose traces are one line is opened with "
            "--inline-byte none."
        )
    if is_one_of > 1 and not {"cdp_x", "cdp_y"} <= set(cube.coords):
        raise ValueError(
            f"{path} has no X and Y of its traces, by which points are placed on one of several "
            "lines. Give the bytes that hold them with --x-byte and --y-byte; skfacies info "
            f"--headers {path} shows what the headers hold."
        )


def _join_lines(lines, files):
    """Coordinates of all traces of several lines, as a cube of one inline without line numbers.

    Numbers of traces are those of one line, and say nothing about the others: X and Y place points.
    One line alone stays as it is.

    Parameters
    ----------
    lines : list of DataArray
        Cubes of one line each, with the coordinates cdp_x and cdp_y.
    files : list of path
        For messages.

    Returns
    -------
    traces : DataArray of shape (1, n_places, n_samples)
        Its vertical axis has the finest interval and covers those of all lines. Traces at the same
        X and Y are one.
    places : list of int arrays
        Position in `traces` of each trace of a line.
    """
    import numpy as np
    from xarray import DataArray

    from skfacies._cli.files import unit_of

    if len(lines) == 1:
        return lines[0], [np.arange(lines[0].shape[1])]
    first, *others = (line[line.dims[2]] for line in lines)
    for axis, path in zip(others, files[1:], strict=True):
        if (axis.name, unit_of(axis)) != (first.name, unit_of(first)):
            raise ValueError(
                f"{files[0]} has the vertical axis {first.name} in {unit_of(first)}, {path} has "
                f"{axis.name} in {unit_of(axis)}. Train on lines in one domain and unit; --domain "
                "says which it is, if the files do not."
            )
    axes = [np.asarray(axis, dtype=float) for axis in (first, *others)]
    interval = min(np.diff(axis).min(initial=np.inf) for axis in axes)
    start, stop = min(axis[0] for axis in axes), max(axis[-1] for axis in axes)
    vertical = start + interval * np.arange(round((stop - start) / interval) + 1)

    xy = [np.stack([np.ravel(line[name]) for name in ("cdp_x", "cdp_y")], axis=1) for line in lines]
    _, found, same = np.unique(np.concatenate(xy), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(found)  # along the lines again, whose spacing counts
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    places = np.split(rank[same.ravel()], np.cumsum([len(own) for own in xy])[:-1])
    x, y = np.concatenate(xy)[found[order]].T
    coords = {
        first.name: (first.name, vertical, first.attrs),
        "cdp_x": (("inline", "crossline"), x[np.newaxis]),
        "cdp_y": (("inline", "crossline"), y[np.newaxis]),
    }
    shape = (1, len(x), len(vertical))
    empty = np.broadcast_to(np.float32(0), shape)  # takes no memory
    return DataArray(empty, coords, ("inline", "crossline", first.name)), places


def _samples_of(line, traces):
    """Position of each sample of a line on the vertical axis of all lines."""
    import numpy as np

    own, common = (np.asarray(cube[cube.dims[2]], dtype=float) for cube in (line, traces))
    interval = (common[-1] - common[0]) / max(len(common) - 1, 1) or 1.0
    return np.rint((own - common[0]) / interval).astype(int)


def _section_of(line):
    """A line as a section; its trace numbers are left out, unless they are those of a survey."""
    from skfacies._cubes.positions import PATH

    section = line.isel({line.dims[0 if line.shape[0] == 1 else 1]: 0})
    (traces, vertical) = section.dims
    kept = {vertical: section[vertical]}
    kept |= {name: ("trace", section[name].data) for name in PATH if name in section[traces].coords}
    return type(line)(section.values, kept, ("trace", vertical))
