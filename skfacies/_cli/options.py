"""Options that commands share, and the names by which messages call them. Imports nothing heavy."""

import argparse
import math
import re
import shlex
import sys

__all__ = [
    "OPTIONS",
    "SEISMIC",
    "add_command",
    "add_between",
    "add_common",
    "add_interpretation",
    "add_more_lines",
    "add_reading",
    "add_rescale",
    "add_training",
    "comma_list",
    "command_line",
    "given_between",
    "given_interpretation",
    "given_lines",
    "given_reading",
    "progress",
    "reword",
    "show_next",
    "training_params",
]


def _byte(text):
    if text.lower() == "none":
        return None
    if not re.fullmatch("[0-9]{1,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a header byte. Use 189, or none.")
    return int(text)


def _number(text):
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number.")
    return number


def comma_list(text):
    """Type of options whose value is a list with commas."""
    return text.split(",")


EXAMPLE = "Example:"

#: Help text of SEISMIC.
SEISMIC = "cube of amplitudes, or several volumes of one survey: near.sgy,far.sgy"

#: Options of `skfacies.io.open_cube`: type, placeholder for the value, help text.
READING = {
    "inline_byte": (
        _byte,
        "N",
        "first byte of inline numbers in SEG-Y trace headers, default: 189; none reads all traces "
        "as one 2-D line",
    ),
    "crossline_byte": (_byte, "N", "first byte of crossline numbers, default: 193"),
    "x_byte": (_byte, "N", "first byte of the X of traces, default: 181, or 73 if it is unset"),
    "y_byte": (_byte, "N", "first byte of the Y of traces, default: 185, or 77 if it is unset"),
    "domain": (str, "twt|depth", "kind of vertical axis, if the file does not say"),
    "sample_interval": (_number, "MS", "in milliseconds or units of depth; overrides the headers"),
    "first_sample": (_number, "MS", "time or depth of the first sample; overrides the headers"),
    "variable": (str, "NAME", "array to open in a Zarr or .npz file"),
    "sample_format": (str, "FORMAT", "SEG-Y sample format; overrides the header: ibm, ieee, …"),
    "duplicates": (str, "first|last", "which of several SEG-Y traces at one crossing to use"),
}

#: Command-line names of the library arguments that messages mention.
OPTIONS = {
    **{name: f"--{name.replace('_', '-')}" for name in READING},
    "X": "SEISMIC",
    "checkpoint": "--checkpoint",
    "columns": "--columns",
    "crossing": "--crossing",
    "z_unit": "--z-unit",
    "cube": "SEISMIC",
    "data_home": "--data-home",
    "direction": "--directions",
    "encoder_name": "--encoder",
    "encoder_weights": "--weights",
    "format": "--format",
    "entropy": "--entropy",
    "facies": "FACIES",
    "ignore_label": "--ignore-label",
    "label_names": "--names",
    "interpretation": "--interpretation",
    "like": "--like",
    "max_epochs": "--epochs",
    "max_size": "--max-size",
    "mistie": "--mistie",
    "names": "--names",
    "neighbors": "--neighbors",
    "path": "the path",
    "random_state": "--seed",
    "rescale": "--rescale",
    "step": "--step",
    "subset": "--subset",
    "y": "LABELS",
}


def reword(message):
    """A library message on one line, with the command-line names of its arguments."""
    names = "|".join(OPTIONS)
    value = r"'[^']*'|\"[^\"]*\"|-?\w+(?:\.\w+)*"
    text = " ".join(str(message).split())
    text = re.sub(rf"(?<![\w.])(`?)({names})\1=({value})", _with_value, text)
    text = re.sub(rf"`({names})`", lambda match: OPTIONS[match[1]], text)
    text = re.sub(r"columns=\(([^)…]*)\)", _with_columns, text)
    return re.sub(r"(--inline-byte \w+), (?=--crossline-byte)", r"\1 ", text)


def _with_columns(match):
    return f"--columns {re.sub('[^a-z,-]', '', match[1])}"


def _with_value(match):
    option, value = OPTIONS[match[2]], match[3].strip("'\"")
    if not option.startswith("--"):
        return match[0]
    return f"{option} {'none' if value == 'None' else value}"


class _Help(argparse.HelpFormatter):
    """Shows what a command needs in its usage, and keeps the lines of examples, to copy."""

    def _format_usage(self, usage, actions, groups, prefix):
        needed = [action for action in actions if action.required or not action.option_strings]
        text = super()._format_usage(usage, needed, groups, prefix)
        return f"{text.rstrip()} [options]\n\n"

    def _fill_text(self, text, width, indent):
        if text.startswith(EXAMPLE):
            return text
        return super()._fill_text(text, width, indent)


def add_command(commands, name, *, help, description=None, example):
    """Add a command whose help ends with a whole example, and return its parser.

    `example` is one or more lines as they are typed.
    """
    lines = "\n".join(f"  {line}" for line in example.splitlines())
    return commands.add_parser(
        name,
        help=help,
        description=description or f"{help[0].upper()}{help[1:]}.",
        epilog=f"{EXAMPLE}\n{lines}",
        formatter_class=_Help,
    )


def add_common(command):
    """Add the options that every command has."""
    group = command.add_argument_group("messages")
    group.add_argument(
        "--quiet",
        dest="verbose",
        action="store_const",
        const=0,
        default=1,
        help="print results only, without progress and hints",
    )
    group.add_argument("--json", action="store_true", help="print one JSON object in place of text")
    group.add_argument("--debug", action="store_true", help="show the traceback of errors")


def progress(verbose):
    """Verbosity of long work: a bar with the time left on a terminal, nothing in logs."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return verbose if is_terminal else 0


def command_line(*words):
    """A command as it is typed, with quotes where the shell needs them."""
    return shlex.join(["skfacies", *map(str, words)])


def show_next(arguments, words):
    """Print the command that comes next, on a line of its own to copy; --quiet omits it."""
    if arguments.verbose:
        print(f"next: {words}")


def add_reading(command, description, *, labels=False):
    """Add the options of `open_cube`; options that are not given are absent from the namespace."""
    group = command.add_argument_group("how cubes are opened", description)
    for prefix in ("", "labels-") if labels else ("",):
        for name, (kind, metavar, text) in READING.items():
            if prefix and name in ("x_byte", "y_byte"):
                continue  # labels are placed by their line numbers
            if prefix:
                shared = name not in ("variable", "sample_format")
                text = "for LABELS" + (f"; overrides {OPTIONS[name]}" if shared else "")
            group.add_argument(
                f"--{prefix}{OPTIONS[name][2:]}",
                type=kind,
                choices=metavar.split("|") if "|" in metavar else None,
                default=argparse.SUPPRESS,
                metavar=metavar,
                help=text,
            )


def given_reading(arguments, prefix=""):
    """Options of `open_cube` that were given."""
    given = vars(arguments)
    reading = {name: given[prefix + name] for name in READING if prefix + name in given}
    if reading.get("crossline_byte", 0) is None:  # for either option, none means a 2-D line
        del reading["crossline_byte"]
        reading["inline_byte"] = None
    return reading


#: Options of interpretation that is given as horizons or intervals.
BETWEEN = ("between", "z_unit", "columns", "crossing")
INTERPRETATION = ("labels", "ignore_label", "horizons", "picks", "missing", *BETWEEN)


def add_interpretation(command):
    """Add LABELS, horizons and intervals, of which one is given."""
    command.add_argument(
        "labels", metavar="LABELS", nargs="?", help="cube of labels, in place of --horizons"
    )
    group = command.add_argument_group("horizons and picks")
    group.add_argument(
        "--horizons",
        nargs="+",
        metavar="FILE",
        help="text files of horizons, the shallowest first: columns with inline and crossline or X "
        "and Y, Charisma, IESX, Petrel points, grids in ZMAP+, CPS-3, Irap, EarthVision, Surfer or "
        "Esri format; the facies are the units between them; FILE:NAME is one of several horizons "
        "in a file",
    )
    group.add_argument(
        "--picks",
        metavar="FILE",
        help="text file of intervals, a line each: inline crossline top base class; the rest is "
        "not interpreted",
    )
    add_between(group)
    group.add_argument(
        "--missing",
        choices=["unknown", "absent"],
        default="unknown",
        help="where a horizon has no pick: nobody knows what lies there (default), or the unit "
        "below it is absent",
    )


def add_more_lines(command):
    """Add the files of 2-D lines beyond the first two, which are SEISMIC and LABELS."""
    command.add_argument(
        "more_lines",
        metavar="LINE",
        nargs="*",
        help="with --horizons or --picks, SEISMIC and all files after it are 2-D lines",
    )


def given_lines(arguments):
    """Files of amplitudes, and LABELS and options of `add_interpretation` for `Interpretation`.

    With --horizons or --picks, what stands in the place of LABELS is one of several 2-D lines.
    """
    given = given_interpretation(arguments)
    files = [arguments.seismic, arguments.labels, *arguments.more_lines]
    if arguments.labels and (arguments.horizons or arguments.picks):
        for name, wrong in (
            ("--ignore-label", arguments.ignore_label != -1),
            ("--labels-…", given["labels_reading"]),
        ):
            if wrong:
                raise ValueError(
                    f"{name} is for a cube of labels, but {files[0]} and {files[1]} are two files "
                    "of lines, as --horizons or --picks is given. Omit it."
                )
        return files, given | {"labels": None}
    if arguments.more_lines:
        raise ValueError(
            f"{len(files)} files are given. Several 2-D lines need --horizons or --picks; without "
            "these, give SEISMIC and LABELS."
        )
    return files[:1], given


def add_between(group):
    """Add a window between two horizons, and how files of horizons are read."""
    group.add_argument(
        "--between",
        nargs=2,
        metavar=("TOP", "BASE"),
        help="use only samples between two horizons, two files",
    )
    group.add_argument(
        "--z-unit",
        choices=["ms", "s", "m", "km", "ft", "samples"],
        help="unit of z in the files; default: as they say, or as SEISMIC if z lies on its axis",
    )
    group.add_argument(
        "--columns",
        type=lambda text: tuple(name.strip() for name in text.split(",")),
        metavar="A,B,…",
        help="what the columns of horizons hold, all of them in order, such as inline,crossline,-,"
        "value or x,y,value; default: recognized",
    )
    group.add_argument(
        "--crossing",
        choices=["raise", "clip"],
        default="raise",
        help="where horizons cross: stop (default), or move the deeper one down to the shallower",
    )


def given_between(arguments):
    """Options of `add_between`, as fields of `Interpretation`."""
    return {name: getattr(arguments, name) for name in BETWEEN}


def given_interpretation(arguments):
    """LABELS and options of `add_interpretation`, as fields of `Interpretation`."""
    given = {name: getattr(arguments, name) for name in INTERPRETATION}
    return given | {"labels_reading": given_reading(arguments, "labels_")}


def add_training(command):
    """Add the options of training."""
    command.add_argument(
        "--directions",
        choices=["inline", "crossline", "both"],
        default="inline",
        help="direction of the lines to train on and to predict; both averages two predictions; "
        "default: inline, or as the picks of horizons lie",
    )
    command.add_argument(
        "--neighbors",
        type=int,
        default=0,
        metavar="N",
        help="lines on either side of each line that the network also sees; default: 0",
    )
    command.add_argument("--epochs", type=int, help="passes over the data; default: automatic")
    command.add_argument("--seed", type=int, default=0, help="default: 0")
    command.add_argument(
        "--weights",
        default="none",
        help="encoder weights: none (random), auto, imagenet, or a file; default: %(default)s",
    )
    command.add_argument("--encoder", default="resnet18", help="default: %(default)s")


def training_params(arguments):
    """Parameters of the estimators from the options of `add_training`, except the direction."""
    return {
        "neighbors": arguments.neighbors,
        "max_epochs": "auto" if arguments.epochs is None else arguments.epochs,
        "encoder_name": arguments.encoder,
        "encoder_weights": None if arguments.weights == "none" else arguments.weights,
        "random_state": arguments.seed,
    }


def add_rescale(command):
    command.add_argument(
        "--rescale",
        choices=["survey"],
        help="SEISMIC is another survey than that of the training: learn its amplitude scale, and "
        "do not use the places of the training lines",
    )
