"""`skfacies view`: write a page that shows a survey and its facies in a browser."""

from skfacies._cli.options import (
    add_command,
    add_reading,
    comma_list,
    command_line,
    given_reading,
    show_next,
)

__all__ = ["add_parser", "run", "view_survey"]


def add_parser(commands):
    parser = add_command(
        commands,
        "view",
        help="write a page that shows a survey and its facies in a browser",
        description="Write one HTML file that shows SEISMIC with slices, facies, contacts and "
        "uncertainty. It opens in a browser from the disk, without a network. FACIES are files of "
        "labels, such as skfacies predict writes; of several, one is chosen in the page. A large "
        "survey is thinned out until the file is small enough.",
        example="skfacies view survey.sgy facies.sgy -o view.html\n"
        "skfacies view survey.sgy facies.sgy -o view.html --model model.safetensors \\\n"
        "    --entropy facies_entropy.sgy --next-lines inline=333 crossline=800",
    )
    parser.add_argument(
        "seismic",
        metavar="SEISMIC",
        help="cube of amplitudes; of volumes near.sgy,far.sgy, the first is shown",
    )
    parser.add_argument("facies", nargs="*", metavar="FACIES", help="cubes of predicted labels")
    parser.add_argument("-o", "--out", required=True, metavar="PAGE", help=".html file to write")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="model file that gives the names of the facies, the training lines, and how SEISMIC "
        "is opened",
    )
    parser.add_argument("--interpretation", metavar="LABELS", help="cube of interpreted labels")
    parser.add_argument("--entropy", metavar="FILE", help="cube of entropy")
    parser.add_argument(
        "--mistie", metavar="FILE", help="cube of mis-ties, or map of them in a .npy file"
    )
    parser.add_argument(
        "--next-lines",
        nargs="+",
        default=[],
        metavar="LINES",
        help="lines to mark for interpretation: inline=300,350, crossline=300-700:50",
    )
    parser.add_argument(
        "--names",
        type=comma_list,
        metavar="A,B,…",
        help="names of the facies, in ascending order of labels",
    )
    parser.add_argument(
        "--ignore-label", type=int, default=-1, help="label of samples without interpretation"
    )
    parser.add_argument("--title", help="title of the page; default: the name of SEISMIC")
    parser.add_argument(
        "--max-size", type=float, default=30, metavar="MB", help="of the file; default: 30"
    )
    add_reading(parser, "Default: as in the training of MODEL, if it is given.", labels=True)
    return parser


def run(arguments):
    view = view_survey(
        arguments.seismic,
        arguments.facies,
        arguments.out,
        model_file=arguments.model,
        interpretation=arguments.interpretation,
        entropy=arguments.entropy,
        mistie=arguments.mistie,
        next_lines=arguments.next_lines,
        names=arguments.names,
        ignore_label=arguments.ignore_label,
        title=arguments.title,
        max_size=1e6 * arguments.max_size,
        reading=given_reading(arguments),
        labels_reading=given_reading(arguments, "labels_"),
        verbose=arguments.verbose,
    )
    steps = dict(zip(("inline", "crossline", "sample"), view.steps, strict=True))
    thinned = [f"1 of {step} {name}s" for name, step in steps.items() if step > 1]
    if thinned and arguments.verbose:
        print(f"to keep the file small, it has {', '.join(thinned)}; see --max-size")
    print(f"wrote {view.path}, {view.size / 1e6:.1f} MB; open it in a browser")
    found = {"wrote": [view.path], "size": view.size, "steps": steps}
    if arguments.model is not None and not arguments.next_lines:
        found["next"] = command_line("next", arguments.model, arguments.seismic)
        show_next(arguments, found["next"])
    return found


def view_survey(
    seismic,
    facies,
    page,
    *,
    model_file=None,
    interpretation=None,
    entropy=None,
    mistie=None,
    next_lines=(),
    names=None,
    ignore_label=-1,
    title=None,
    max_size=30e6,
    reading=None,
    labels_reading=None,
    verbose=1,
):
    """Write a page of files; return what `write_view` returns.

    Labels are placed by line numbers and times, and may cover part of the survey.
    """
    from skfacies._cli.files import check_reading, check_targets, named_files, volume_files
    from skfacies._cli.labels import open_interpretation
    from skfacies.viewing import write_view

    reading = reading or {}
    label_files = [*facies, *filter(None, [interpretation])]
    doubts = {"--entropy": entropy, "--mistie": mistie}
    inputs = named_files(seismic) | {"--model": model_file, "--interpretation": interpretation}
    inputs |= doubts | {f"FACIES {path}": path for path in facies}
    check_targets([page], inputs)
    seismic = volume_files(seismic)[0]
    check_reading(reading, seismic, *label_files)
    check_reading(labels_reading, *label_files, prefix="--labels-")

    cube, reading, training_lines, own_names = _open_seismic(seismic, model_file, reading, verbose)

    def open_placed(path):
        return open_interpretation(
            path, cube, seismic, reading, labels_reading, ignore_label, verbose=verbose
        )

    return write_view(
        page,
        cube,
        dict(zip(_short_names(facies), map(open_placed, facies), strict=True)) or None,
        interpretation=None if interpretation is None else open_placed(interpretation),
        training_lines=training_lines,
        next_lines=_named_lines(next_lines, cube),
        names=own_names if names is None else names,
        title=title,
        max_size=max_size,
        **_open_doubts(doubts, cube, reading),
    )


def _open_seismic(seismic, model_file, reading, verbose):
    """Cube, options that open it, and training lines and names of facies, if there is a model."""
    from skfacies._cli.files import open_file

    if model_file is None:
        return open_file(seismic, reading), reading, None, None
    from skfacies._cli.models import facies_names, load_cube_model, open_amplitudes, stored

    model = load_cube_model(model_file)
    cube = open_amplitudes(seismic, model, reading, verbose, first_only=True)
    names = dict(zip(model.classes_.tolist(), facies_names(model), strict=True))
    return cube, {**stored(model), **reading}, _training_lines(model, cube), names


def _short_names(paths):
    """File names without folders, as far as these distinguish the files."""
    from pathlib import Path

    stems = [Path(path).stem for path in paths]
    return stems if len(set(stems)) == len(stems) else list(map(str, paths))


def _open_doubts(files, cube, reading):
    """What is in the files of options, by the names that `write_view` has for it."""
    return {
        option.removeprefix("--"): _open_doubt(path, option, cube, reading)
        for option, path in files.items()
        if path is not None
    }


def _open_doubt(path, option, cube, reading):
    """A cube of the shape of the amplitudes, or a map of the mis-ties."""
    from pathlib import Path

    import numpy as np

    from skfacies._cli.files import OF_ONE_FILE, open_file

    if option == "--mistie" and Path(path).suffix.lower() == ".npy":
        values = np.load(path, mmap_mode="r")
        if values.ndim == 2:
            return values
    shared = {name: value for name, value in reading.items() if name not in OF_ONE_FILE}
    values = open_file(path, shared)
    if values.shape != cube.shape:
        raise ValueError(
            f"{option} {path} has the shape {' x '.join(map(str, values.shape))}, but SEISMIC has "
            f"{' x '.join(map(str, cube.shape))}. Give a file of the same lines and samples."
        )
    return values.rename(dict(zip(values.dims, cube.dims, strict=True)))


def _named_lines(texts, cube):
    """Numbers of lines by direction, from texts such as inline=300,350."""
    import numpy as np

    from skfacies._cli.labels import choose_lines

    found = {}
    for text in texts:
        try:
            chosen = choose_lines([text], cube)
        except ValueError as error:
            raise ValueError(str(error).replace("--lines", "--next-lines")) from None
        name = text.partition("=")[0]
        along = chosen.any(axis=1 if name == "inline" else 0)
        found.setdefault(name, []).extend(np.asarray(cube[name])[along].tolist())
    return found


def _training_lines(model, cube):
    """Numbers of the training lines of a model, as far as they are in a cube."""
    import numpy as np

    from skfacies._cubes.positions import axis_numbers
    from skfacies._cubes.trained_lines import trained_lines, whole_lines

    numbers = [np.asarray(cube[name]) for name in cube.dims[:2]]
    return whole_lines(
        trained_lines(model, numbers, placed=axis_numbers(cube) is not None), numbers
    )
