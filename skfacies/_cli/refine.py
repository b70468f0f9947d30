"""`skfacies refine`: go on from a model with corrected and new lines."""

from skfacies._cli.options import (
    add_command,
    add_interpretation,
    add_more_lines,
    add_reading,
    given_lines,
    given_reading,
    show_next,
)

__all__ = ["add_parser", "refine_model", "run"]

#: Lines that show what has changed.
LINES_TO_COMPARE = 12

#: Pairs of units, and lines, that are named.
MOST_NAMED = 5


def add_parser(commands):
    parser = add_command(
        commands,
        "refine",
        help="go on from a model with corrected and new lines",
        description="Go on from a model with lines that were corrected or are new, in a sixth of "
        "the time of fit. The other training lines are learned again as MODEL predicts them. The "
        "command shows what has changed on a few lines. A model of 2-D lines goes on with 2-D "
        "lines, as in fit. Give earlier lines, too: those without picks are learned again in the "
        "same way.",
        example="skfacies refine model.safetensors survey.sgy --horizons top.xyz base.xyz \\\n"
        "    --lines inline=345,410 -o refined.safetensors\n"
        "skfacies refine model.safetensors line4.sgy line1.sgy line2.sgy line3.sgy \\\n"
        "    --horizons top.xyz base.xyz -o refined.safetensors",
    )
    parser.add_argument("model", metavar="MODEL", help="file written by skfacies fit")
    parser.add_argument("seismic", metavar="SEISMIC", help="the cube that MODEL was trained on")
    add_interpretation(parser)
    add_more_lines(parser)
    parser.add_argument(
        "-o", "--out", required=True, metavar="MODEL2", help=".safetensors file to write"
    )
    parser.add_argument(
        "--lines",
        nargs="+",
        default=[],
        metavar="LINES",
        help="corrected and new lines: inline=300,350 crossline=300-700:50; default: all that are "
        "labeled",
    )
    parser.add_argument(
        "--ignore-label", type=int, default=-1, help="label of samples without interpretation"
    )
    add_reading(parser, "Default: as in the training of MODEL.", labels=True)
    return parser


def run(arguments):
    from skfacies._cli.files import predict_words
    from skfacies._cli.interpretation import Interpretation

    files, given = given_lines(arguments)
    result = refine_model(
        arguments.model,
        files,
        Interpretation(**given),
        arguments.out,
        lines=arguments.lines,
        reading=given_reading(arguments),
        verbose=arguments.verbose,
    )
    for name, found in result.trained_on.items():
        print(f"trained on {found} {name}{'s' if found > 1 else ''} in all")
    print("\n".join(_change_words(result.changes)))
    print(f"wrote {arguments.out}")
    words = predict_words(arguments.out, arguments.seismic, horizons=bool(arguments.horizons))
    show_next(arguments, words)
    return {
        "wrote": [arguments.out],
        "lines": result.lines,
        "changes": result.changes,
        "next": words,
    }


def refine_model(
    model_file,
    files,
    interpretation,
    out,
    *,
    lines=(),
    reading=None,
    verbose=1,
):
    """Refine a model with an interpretation from files, and write it.

    Files are opened as in `score_model`.

    Parameters
    ----------
    files : list of path
        A survey, or 2-D lines.

    Returns
    -------
    result : Bunch
        `model`; `lines`, the numbers of all training lines by direction, or the number of labeled
        traces by file of 2-D lines; `trained_on`, numbers of lines by their kind; `changes`, what
        the model predicts otherwise than before.
    """
    from skfacies._cli.files import check_model_name, check_targets, named_files, volume_files
    from skfacies._cli.labels import split_lines
    from skfacies._cli.models import load_cube_model

    interpretation.check(reading, *[name for path in files for name in volume_files(path)])
    inputs = {"MODEL": model_file} | named_files(files[0]) | {path: path for path in files[1:]}
    check_targets([out], inputs | interpretation.files)
    check_model_name(out)
    step, named = split_lines(lines)
    if step != 1:
        raise ValueError("--lines of refine names lines: inline=300,350 crossline=300-700:50.")
    model = load_cube_model(model_file, verbose=verbose)
    options = {"reading": reading, "verbose": verbose}
    if len(files) > 1 or _is_line(files[0], model, interpretation, reading):
        if named:
            raise ValueError("--lines is for one survey, but 2-D lines are given. Omit it.")
        return _refine_lines(model, files, interpretation, out, **options)
    return _refine_survey(model, files[0], interpretation, out, lines=named, **options)


def _is_line(path, model, interpretation, reading):
    """Whether a file is a 2-D line with picks for a model of such lines."""
    from skfacies._cli.files import open_like_training, volume_files
    from skfacies._cli.models import stored

    if model.lines_ or interpretation.labels is not None or len(volume_files(path)) > 1:
        return False
    return open_like_training(path, stored(model), reading or {})[0].shape[0] == 1


def _refine_lines(model, files, interpretation, out, *, reading, verbose):
    from sklearn.utils import Bunch

    from skfacies._cli.fit_lines import refine_lines
    from skfacies.persistence import save_model

    new, before, after, lines = refine_lines(
        model, files, interpretation, reading=reading, verbose=verbose
    )
    if all(lines.values()) and verbose:
        print("earlier lines whose files are not given may be forgotten")
    save_model(new, out)
    return Bunch(
        model=new,
        lines=lines,
        trained_on={"2-D line": len(lines)},
        changes=_compare(before, after, model, "2-D line", lines),
    )


def _refine_survey(model, seismic, interpretation, out, *, lines, reading, verbose):
    import numpy as np
    from sklearn.utils import Bunch

    from skfacies._cli.models import facies_names, open_interpreted, refine_fully
    from skfacies._cubes.volumes import first_volume
    from skfacies.persistence import save_model

    cubes, interpreted = open_interpreted(
        seismic, interpretation, model, reading, lines=lines, verbose=verbose
    )
    cube = first_volume(cubes)
    axis = 1 if model.direction == "crossline" else 0
    compared = np.unique(np.linspace(0, cube.shape[axis] - 1, LINES_TO_COMPARE).astype(int))
    before = _predict_lines(model, cubes, axis, compared)
    refine_fully(model, cubes, interpreted)
    after = _predict_lines(model, cubes, axis, compared)
    names = getattr(model, "label_names_", None)
    save_model(model, out, label_names=names and facies_names(model))
    numbers = np.asarray(cube[cube.dims[axis]])[compared].tolist()
    return Bunch(
        model=model,
        lines={name: np.asarray(cube[name])[chosen] for name, chosen in model.lines_.items()},
        trained_on={name: len(chosen) for name, chosen in model.lines_.items()},
        changes=_compare(before, after, model, cube.dims[axis], numbers),
    )


def _predict_lines(model, cube, axis, lines):
    """Labels of some lines, each with the lines beside it that the model sees."""
    import numpy as np

    from skfacies.qc._models import as_cube_model

    along = as_cube_model(model, "crossline" if axis else "inline", verbose=0)
    labels = []
    for line in lines.tolist():
        first = max(0, line - model.neighbors)
        span = slice(first, line + model.neighbors + 1)
        found = np.asarray(along.predict(cube[:, span] if axis else cube[span]))
        labels.append(np.take(found, line - first, axis=axis))
    return labels


def _compare(before, after, model, direction, numbers):
    """Parts of the samples that changed: of all, by line, and by pair of units."""
    import numpy as np

    from skfacies._cli.models import facies_names

    names = dict(zip(model.classes_.tolist(), facies_names(model), strict=True))
    by_line = {
        number: float(np.mean(old != new))
        for number, old, new in zip(numbers, before, after, strict=True)
    }
    n_samples, pairs = sum(labels.size for labels in before), {}
    for old, new in zip(before, after, strict=True):
        changed = old != new
        found, counts = np.unique(
            np.stack([old[changed], new[changed]]), axis=1, return_counts=True
        )
        for (was, is_now), count in zip(found.T.tolist(), counts.tolist(), strict=True):
            pair = (names.get(was, was), names.get(is_now, is_now))
            pairs[pair] = pairs.get(pair, 0) + count / n_samples
    return {
        "direction": direction,
        "share": sum(pairs.values()),
        "lines": by_line,
        "units": [
            {"from": was, "to": is_now, "share": share}
            for (was, is_now), share in sorted(pairs.items(), key=lambda item: -item[1])
        ],
    }


def _change_words(changes):
    """Text about what has changed."""
    direction, lines = changes["direction"], changes["lines"]
    plural = "s" if len(lines) > 1 else ""
    yield f"changed: {changes['share']:.1%} of the samples on {len(lines)} {direction}{plural}"
    if changes["share"] == 0:
        return
    most = sorted(lines.items(), key=lambda item: -item[1])[:MOST_NAMED]
    kind = "" if direction == "2-D line" else f"{direction} "
    yield f"  most on {kind}" + ", ".join(f"{n} ({share:.1%})" for n, share in most if share)
    for row in changes["units"][:MOST_NAMED]:
        yield f"  {row['from']} -> {row['to']}: {row['share']:.1%}"
