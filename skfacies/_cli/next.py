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
        description="Suggest the lines whose interpretation would teach the model most: through "
        "traces that it is undecided about, far from the lines that it was trained on.",
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
        help="lines interpreted so far, such as inline=300,350 crossline=400; default: those that "
        "the model was trained on",
    )
    add_rescale(parser)
    add_reading(parser, "Default: as in the training of MODEL.")
    return parser


def run(arguments):
    from skfacies._cli.models import load_cube_model, open_amplitudes
    from skfacies.qc import suggest_lines

    model = load_cube_model(arguments.model, rescale=arguments.rescale)
    cube = open_amplitudes(arguments.seismic, model, given_reading(arguments), arguments.verbose)
    found = suggest_lines(
        model,
        cube,
        arguments.n,
        direction=arguments.directions,
        picked=arguments.picked and _lines(arguments.picked),
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
        *("refine", arguments.model, arguments.seismic, "--horizons", "TOP", "BASE"),
        *("--lines", *chosen, "-o", "refined.safetensors"),
    )
    if arguments.verbose:
        print("Interpret these lines, export the horizons, and go on with:")
    show_next(arguments, words)
    return {**found.lines, "order": found.order, "next": words}


def _lines(words):
    """Line numbers by direction, from words such as ``inline=300,350``."""
    found = {}
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
