"""The command ``skfacies``."""

import argparse
import contextlib
import io
import sys
import warnings

from skfacies._cli import (
    benchmark,
    check,
    demo,
    export,
    fetch,
    fit,
    info,
    next,
    predict,
    refine,
    score,
    view,
)
from skfacies._cli.options import add_common, reword
from skfacies._version import __version__

__all__ = ["main"]

#: In the order of the help.
COMMANDS = (demo, info, fit, check, predict, score, next, refine, view, export, fetch, benchmark)


def main(argv=None):
    """Run the command line and return its exit code."""
    parser = _make_parser()
    arguments = parser.parse_args(argv)
    if arguments.run is None:
        parser.print_help()
        return 2
    shown = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"skfacies: warning: {reword(message)}\n"
    try:
        _run(arguments)
    except KeyboardInterrupt:
        print("\nskfacies: interrupted", file=sys.stderr)
        return 130
    except (ArithmeticError, ImportError, MemoryError, OSError, TypeError, ValueError) as error:
        if arguments.debug:
            raise
        print(f"skfacies: {reword(error)}", file=sys.stderr)
        return 1
    finally:
        warnings.formatwarning = shown
    return 0


def _run(arguments):
    """Run a command, which prints text and returns the same for --json."""
    if not arguments.json:
        arguments.run(arguments)
        return
    from skfacies._cli.json_text import to_json

    with contextlib.redirect_stdout(io.StringIO()):
        found = arguments.run(arguments)
    print(to_json(found))


def _make_parser():
    parser = argparse.ArgumentParser(
        prog="skfacies",
        description="Segment seismic facies: learn from interpreted sections to predict the unit "
        "of every sample of a survey.",
        epilog="Example: skfacies demo",
    )
    parser.add_argument("--version", action="version", version=f"skfacies {__version__}")
    parser.set_defaults(run=None, debug=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in COMMANDS:
        command = module.add_parser(commands)
        add_common(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
