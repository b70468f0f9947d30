"""`skfacies fit`: train on an interpreted cube and write a model."""

from skfacies._cli.checkpoint import add_checkpoint, checkpointed
from skfacies._cli.options import (
    SEISMIC,
    add_command,
    add_interpretation,
    add_more_lines,
    add_reading,
    add_training,
    comma_list,
    given_lines,
    given_reading,
    show_next,
    training_params,
)

__all__ = ["add_parser", "fit_model", "run"]


def add_parser(commands):
    parser = add_command(
        commands,
        "fit",
        help="train on an interpreted cube and write a model",
        description="Train on amplitudes in a SEG-Y (.sgy, .segy), Zarr or NumPy file and on their "
        "interpretation: a cube of labels, horizons, or intervals picked on traces. Only the lines "
        "that are picked are used. With --horizons or --picks, several files of 2-D lines train "
        "one model; their traces are placed by X and Y. "
        "Labels are whole numbers, with -1 where nothing is interpreted. They are placed by line "
        "numbers and times, and may cover part of SEISMIC. Files without line numbers and times, "
        "such as .npy, are paired by position and need the same shape. Volumes of one survey, such "
        "as near and far stacks or an attribute, are given as near.sgy,far.sgy, the one with the "
        "clearest reflectors first. The model learns from all of them, each with its own amplitude "
        "scale, and predicts the same volumes in the same order.",
        example="skfacies fit survey.sgy --horizons top.xyz base.xyz -o model.safetensors \\\n"
        "    --names overburden,reservoir,basement --lines inline=300-700:50 --seed 0\n"
        "skfacies fit survey.sgy facies.sgy -o model.safetensors --directions both \\\n"
        "    --inline-byte 9 --crossline-byte 21\n"
        "skfacies fit near.sgy,far.sgy facies.sgy -o model.safetensors\n"
        "skfacies fit line1.sgy line2.sgy line3.sgy -o model.safetensors \\\n"
        "    --horizons top.xyz base.xyz\n"
        "skfacies fit survey.sgy facies.sgy -o model.safetensors --checkpoint fit.checkpoint",
    )
    parser.add_argument("seismic", metavar="SEISMIC", help=SEISMIC)
    add_interpretation(parser)
    add_more_lines(parser)
    parser.add_argument(
        "-o", "--out", required=True, metavar="MODEL", help=".safetensors file to write"
    )
    add_checkpoint(parser)
    add_training(parser)
    parser.set_defaults(directions=None)  # along the lines that are picked
    parser.add_argument(
        "--lines",
        nargs="+",
        default=[],
        metavar="LINES",
        help="train only on these lines: every=10, inline=300,350, crossline=300-700:50; all must "
        "be in the survey",
    )
    parser.add_argument(
        "--ignore-label", type=int, default=-1, help="label of samples without interpretation"
    )
    parser.add_argument(
        "--names",
        type=comma_list,
        metavar="A,B,…",
        help="names of the facies, in ascending order of labels; with --horizons from the "
        "shallowest to the deepest, default: after the files",
    )
    add_reading(parser, "MODEL keeps these options for predict and score.", labels=True)
    return parser


def run(arguments):
    files, given = given_lines(arguments)
    if len(files) > 1:
        return _run_lines(arguments, files, given)
    from skfacies._cli.interpretation import Interpretation
    from skfacies._cli.labels import first_numbers

    result = fit_model(
        arguments.seismic,
        Interpretation(**given),
        arguments.out,
        direction=arguments.directions,
        lines=arguments.lines,
        label_names=arguments.names,
        reading=given_reading(arguments),
        checkpoint=arguments.checkpoint,
        verbose=arguments.verbose,
        **training_params(arguments),
    )
    trained_on = []
    for name, numbers in result.lines.items():
        count = f"{len(numbers)} {name}{'s' if len(numbers) > 1 else ''}"
        trained_on.append(f"{count}: {first_numbers(numbers)}")
    return _show(arguments, result, trained_on)


def _run_lines(arguments, files, given):
    from skfacies._cli.files import volume_files
    from skfacies._cli.fit_lines import fit_lines
    from skfacies._cli.interpretation import Interpretation

    for path in files:
        if len(volume_files(path)) > 1:
            raise ValueError(
                f"{path} has several volumes, which are for one survey; 2-D lines have one each. "
                "Omit --horizons and --picks if the second file is a cube of LABELS."
            )
    for name, wrong in (
        ("--directions", arguments.directions),
        ("--neighbors", arguments.neighbors),
        ("--lines", arguments.lines),
    ):
        if wrong:
            raise ValueError(
                f"{name} is for one survey, but {arguments.seismic} and {arguments.labels} are two "
                "files of lines, as --horizons or --picks is given. Omit it."
            )
    params = training_params(arguments)
    del params["neighbors"]
    result = fit_lines(
        files,
        Interpretation(**given),
        arguments.out,
        label_names=arguments.names,
        reading=given_reading(arguments),
        checkpoint=arguments.checkpoint,
        verbose=arguments.verbose,
        **params,
    )
    n_lines = len(result.lines)
    words = f"{n_lines} 2-D line{'s' if n_lines > 1 else ''}: {', '.join(result.lines)}"
    return _show(arguments, result, [words])


def _show(arguments, result, trained_on):
    """Print what a model was trained on, how well it learned, and the next command."""
    from skfacies._cli.describing import named_report, recall_words
    from skfacies._cli.files import predict_words

    print("".join(f"trained on {text}\n" for text in trained_on), end="")
    estimator = getattr(result.model, "estimator_", result.model)
    report = named_report(estimator.training_report_, result.names)
    print(f"recall on training lines: {recall_words(report)}")
    print(f"wrote {arguments.out}")
    words = predict_words(arguments.out, arguments.seismic, horizons=bool(arguments.horizons))
    show_next(arguments, words)
    return {
        "wrote": [arguments.out],
        "lines": result.lines,
        "training_report": report,
        "next": words,
    }


def fit_model(
    seismic,
    interpretation,
    model_file,
    *,
    direction=None,
    neighbors=0,
    lines=(),
    label_names=None,
    reading=None,
    checkpoint=None,
    verbose=1,
    **params,
):
    """Train on an interpreted cube and write the model, with the options that opened the cube.

    Parameters
    ----------
    interpretation : Interpretation
    direction : {"inline", "crossline", "both"}, default=None
        None is "inline", or that of the picked lines.
    reading : dict, default=None
        Options of `open_cube` for the amplitudes.
    checkpoint : path, default=None
        File that keeps the state of the training until the model is written.

    Returns
    -------
    result : Bunch
        `model`; `names` of the labels, or None; `lines`, the numbers of the training lines by
        direction.
    """
    import numpy as np
    from sklearn.utils import Bunch

    from skfacies._cli.files import join_volumes, named_files, open_file, volume_files
    from skfacies._cli.fit_files import check_files, save_fitted
    from skfacies._cli.interpretation import find_direction
    from skfacies._cli.labels import check_lines, check_names, name_labels, split_lines

    given = named_files(seismic)
    check_files(given, interpretation, model_file, checkpoint, reading=reading, params=params)
    files = volume_files(seismic)
    labels, horizons = interpretation.labels, interpretation.horizons
    direction = direction or ("inline" if labels else None)
    step, named = check_lines(lines, direction) if direction else split_lines(lines)
    label_names = check_names(label_names, horizons)
    cubes = [open_file(path, reading) for path in files]
    cube, cubes = cubes[0], join_volumes(cubes, files)
    interpreted = interpretation.open(cube, files[0], reading=reading, lines=named, verbose=verbose)
    if labels is None:
        direction = find_direction(direction, named, interpreted, cube)
    names = name_labels(label_names, interpreted, horizons)

    from skfacies._cli.models import fit_fully, make_model  # imports torch, which takes seconds

    model = make_model(
        direction, neighbors=neighbors, step=step, verbose=verbose, nan_policy="ignore", **params
    )
    with checkpointed(checkpoint, verbose=verbose):
        fit_fully(model, cubes, interpreted, checkpoint)
        names = save_fitted(model, model_file, files, reading, names)
    return Bunch(
        model=model,
        names=names,
        lines={name: np.asarray(cube[name])[chosen] for name, chosen in model.lines_.items()},
    )
