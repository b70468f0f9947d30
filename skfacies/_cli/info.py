"""`skfacies info`: show what a cube or a model file holds."""

import os

from skfacies._cli.options import add_command, add_reading, given_reading

__all__ = ["add_parser", "run"]


def add_parser(commands):
    parser = add_command(
        commands,
        "info",
        help="show what a cube or a model file holds",
        example="skfacies info survey.sgy",
    )
    parser.add_argument("file", metavar="FILE")
    add_reading(parser, "")
    return parser


def run(arguments):
    from skfacies._cli.describing import describe_cube, describe_model
    from skfacies._cli.files import CUBE_SUFFIXES

    is_cube = os.path.splitext(os.path.normpath(arguments.file))[1].lower() in CUBE_SUFFIXES
    if is_cube or not os.path.isfile(arguments.file):
        rows = list(describe_cube(arguments.file, reading=given_reading(arguments)))
    else:
        rows = list(describe_model(arguments.file))
    width = max(len(title) for title, _ in rows) + 2
    for title, text in rows:
        print(f"{title:{width}}{text}")
    return dict(rows)
