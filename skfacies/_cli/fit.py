"""`skfacies fit`: train on an interpreted cube and write a model."""

from skfacies._cli.options import (
    add_command,
    add_reading,
    add_training,
    command_line,
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
        description="Train on amplitudes and labels in SEG-Y (.sgy, .segy), Zarr or NumPy files. "
        "Labels are whole numbers, with -1 where nothing is interpreted. They are placed by line "
        "numbers and times, and may cover part of SEISMIC. Files without line numbers and times, "
        "such as .npy, are paired by position and need the same shape.",
        example="skfacies fit survey.sgy facies.sgy -o model.safetensors \\\n"
        "    --directions both --lines inline=300-700:50 crossline=400,600 \\\n"
        "    --names chalk,shale,sand --inline-byte 9 --crossline-byte 21 --seed 0",
    )
    parser.add_argument("seismic", metavar="SEISMIC", help="cube of amplitudes")
    parser.add_argument("labels", metavar="LABELS", help="cube of labels")
    parser.add_argument(
        "-o", "--out", required=True, metavar="MODEL", help=".safetensors file to write"
    )
    add_training(parser)
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
        "--names", metavar="A,B,…", help="names of the facies, in ascending order of labels"
    )
    add_reading(parser, "MODEL keeps these options for predict and score.", labels=True)
    return parser


def run(arguments):
    from pathlib import Path

    from skfacies._cli.describing import named_report, recall_words
    from skfacies._cli.files import is_segy

    result = fit_model(
        arguments.seismic,
        arguments.labels,
        arguments.out,
        direction=arguments.directions,
        lines=arguments.lines,
        ignore_label=arguments.ignore_label,
        label_names=None if arguments.names is None else arguments.names.split(","),
        reading=given_reading(arguments),
        labels_reading=given_reading(arguments, "labels_"),
        verbose=arguments.verbose,
        **training_params(arguments),
    )
    for name, numbers in result.lines.items():
        shown = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
        print(f"trained on {len(numbers)} {name}{'s' if len(numbers) > 1 else ''}: {shown}")
    report = named_report(result.model.estimator_.training_report_, result.names)
    print(f"recall on training lines: {recall_words(report)}")
    print(f"wrote {arguments.out}")
    path = Path(arguments.seismic)
    suffix = path.suffix.lower() if is_segy(path) or path.suffix.lower() == ".zarr" else ".npy"
    words = command_line(
        "predict", arguments.out, path, "-o", f"{path.stem}_facies{suffix}", "--entropy"
    )
    show_next(arguments, words)
    return {
        "wrote": [arguments.out],
        "lines": result.lines,
        "training_report": report,
        "next": words,
    }


def fit_model(
    seismic,
    labels,
    model_file,
    *,
    direction="inline",
    neighbors=0,
    lines=(),
    ignore_label=-1,
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
        `model`, its `names` of facies, and `lines`, the numbers of the training lines by
        direction.
    """
    import numpy as np
    from sklearn.utils import Bunch

    from skfacies._cli.files import (
        check_model_name,
        check_reading,
        check_targets,
        open_file,
        used_options,
        weights_file,
    )
    from skfacies._cli.labels import check_lines, match_names, open_interpretation
    from skfacies.persistence import save_model

    inputs = {"SEISMIC": seismic, "LABELS": labels, "--weights": weights_file(params)}
    check_targets([model_file], inputs)
    check_model_name(model_file)
    step, named = check_lines(lines, direction)
    label_names = _check_names(label_names)
    check_reading(reading, seismic, labels)
    check_reading(labels_reading, labels, prefix="--labels-")
    cube = open_file(seismic, reading)
    interpreted = open_interpretation(
        labels, cube, seismic, reading, labels_reading, ignore_label, named, verbose=verbose
    )
    names = label_names and match_names(label_names, interpreted)

    from skfacies._cli.models import fit_fully, make_model  # imports torch, which takes seconds

    model = make_model(
        direction, neighbors=neighbors, step=step, verbose=verbose, nan_policy="ignore", **params
    )
    fit_fully(model, cube, interpreted)
    model.reading_ = used_options(seismic, reading or {})
    names = names and [names[label] for label in model.classes_.tolist()]
    save_model(model, model_file, label_names=names)
    return Bunch(
        model=model,
        names=names,
        lines={name: np.asarray(cube[name])[chosen] for name, chosen in model.lines_.items()},
    )


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
