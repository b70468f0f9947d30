"""`skfacies next`: which lines to interpret next."""

from skfacies._cli.options import (
    SEISMIC,
    add_command,
    add_reading,
    add_rescale,
    command_line,
    given_reading,
    progress,
    show_next,
)

__all__ = ["add_parser", "run"]


def add_parser(commands):
    parser = add_command(
        commands,
        "next",
        help="suggest the lines to interpret next",
        description="Suggest the lines to interpret next: through traces that the model is "
        "undecided about, far from the lines that it was trained on. This is for a survey that "
        "has some lines already. Space the first lines evenly: in tests, suggested lines were "
        "better than random ones, and about as good as evenly spaced ones.",
        example="skfacies next model.safetensors survey.sgy -n 3",
    )
    parser.add_argument("model", metavar="MODEL", help="file written by skfacies fit")
    parser.add_argument("seismic", metavar="SEISMIC", help=SEISMIC)
    parser.add_argument("-n", type=int, default=3, metavar="N", help="lines; default: 3")
    parser.add_argument(
        "--directions",
        choices=["inline", "crossline", "both"],
        default="both",
        help="directions of the lines; default: both",
    )
    parser.add_argument(
        "--picked",
        nargs="+",
        metavar="LINES",
        help="lines interpreted so far, such as inline=300,350 crossline=400, or none; default: "
        "those that the model was trained on, none with --rescale",
    )
    add_rescale(parser)
    add_reading(parser, "Default: as in the training of MODEL.")
    return parser


def run(arguments):
    from skfacies._cli.models import load_cube_model, open_amplitudes
    from skfacies.qc import suggest_lines

    model = load_cube_model(arguments.model, rescale=arguments.rescale)
    cube = open_amplitudes(arguments.seismic, model, given_reading(arguments), arguments.verbose)
    if min(cube.shape[:2]) == 1:
        raise ValueError(
            f"{arguments.seismic} is a 2-D line, but next chooses among the lines of a survey. "
            "Predict your lines with --entropy, and pick those of which the model is least sure."
        )
    picked = _lines(arguments.picked) if arguments.picked else {} if arguments.rescale else None
    if picked is None and not _knows_lines(model, cube):
        raise ValueError(
            f"MODEL does not know which lines of {arguments.seismic} have been interpreted. Give "
            "--picked inline=300,350 crossline=400, or --picked none."
        )
    found = suggest_lines(
        model,
        cube,
        arguments.n,
        direction=arguments.directions,
        picked=picked,
        verbose=progress(arguments.verbose),
    )
    for line in found.order:
        print(f"{line.direction} {line.number}: {line.reason}")
    if len(found.order) < arguments.n:
        print("no other line would add anything")
    if not found.order:
        return {**found.lines, "order": found.order}
    chosen = [
        f"{name}={','.join(map(str, numbers))}"
        for name, numbers in found.lines.items()
        if len(numbers)
    ]
    words = command_line(
        *("refine", arguments.model, arguments.seismic, "--horizons", *_horizons(model)),
        *("--lines", *chosen, "-o", "refined.safetensors"),
    )
    if arguments.verbose:
        marked = command_line(
            *("view", arguments.seismic, "--model", arguments.model),
            *("--next-lines", *chosen, "-o", "next.html"),
        )
        print(f"see them: {marked}")
        print("Interpret these lines, export the horizons, and go on with:")
    show_next(arguments, words)
    return {**found.lines, "order": found.order, "next": words}


def _knows_lines(model, cube):
    import numpy as np

    from skfacies._cubes.positions import axis_numbers
    from skfacies._cubes.trained_lines import trained_lines

    numbers = axis_numbers(cube)
    positions = [np.arange(n) for n in cube.shape[:2]]
    lines = trained_lines(model, (numbers or positions)[:2], placed=numbers is not None)
    return lines is not None


def _horizons(model):
    """Words that stand for the files of the horizons between the units of a model."""
    from skfacies._cli.contacts import horizon_names, order_of_units

    try:
        return [name.upper() for name in horizon_names(model, order_of_units(model))]
    except ValueError:  # units in no order
        return ["TOP", "BASE"]


def _lines(words):
    """Line numbers by direction, from words such as ``inline=300,350``; empty for ``none``."""
    found = {}
    if words == ["none"]:
        return found
    for word in words:
        direction, _, numbers = word.partition("=")
        try:
            own = [int(number) for number in numbers.split(",")]
        except ValueError:
            own = []
        if direction not in ("inline", "crossline") or not own:
            raise ValueError(f"--picked {word} is not like inline=300,350 or crossline=400.")
        found[direction] = found.get(direction, []) + own
    return found
