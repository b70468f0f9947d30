"""`skfacies info`: show what a cube or a model file holds."""

import os
import re

from skfacies._cli.options import add_command, add_reading, given_reading, show_next

__all__ = ["add_parser", "run"]


def add_parser(commands):
    parser = add_command(
        commands,
        "info",
        help="show what a cube or a model file holds",
        description="Show what a cube or a model file holds. Of a SEG-Y file: the text header, "
        "lines, times, corners in X and Y, bins and amplitudes. If its headers do not follow the "
        "standard, the options that open it. Of several volumes, near.sgy,far.sgy: whether they "
        "are of the same survey.",
        example="skfacies info survey.sgy --inline-byte 9 --crossline-byte 21 --headers\n"
        "skfacies info near.sgy,far.sgy\n"
        "skfacies info model.safetensors",
    )
    parser.add_argument("file", metavar="FILE", help="cube or model")
    parser.add_argument(
        "--headers", action="store_true", help="also list the SEG-Y trace headers that vary"
    )
    add_reading(parser, "")
    return parser


def run(arguments):
    from skfacies._cli.describing import describe_cube, describe_model, describe_volumes
    from skfacies._cli.files import CUBE_SUFFIXES, volume_files
    from skfacies._cli.tables import show_rows

    is_cube = os.path.splitext(os.path.normpath(arguments.file))[1].lower() in CUBE_SUFFIXES
    if is_cube or not os.path.isfile(arguments.file):
        reading, files = given_reading(arguments), volume_files(arguments.file)
        describe = describe_cube if len(files) == 1 else describe_volumes
        rows = describe(arguments.file, reading=reading, headers=arguments.headers)
    else:
        rows = describe_model(arguments.file)
    rows = list(rows)
    print(show_rows([(title, text) for title, text, _ in rows if title != "next"]))
    found = {re.sub(r"\W+", "_", title).lower(): value for title, _, value in rows}
    if "next" in found:
        show_next(arguments, found["next"])
    return found
