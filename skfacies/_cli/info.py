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
        description="Show what a cube or a model file holds. For a SEG-Y file: the text header, "
        "lines, times, corners in X and Y, bins and amplitudes, and the options that open it if "
        "its headers do not follow the standard. For several volumes, near.sgy,far.sgy: whether "
        "they are of the same survey. For a model: what it has learned from, and how well. "
        "--card writes a model card, with a map of the lines, the scores of each unit and "
        "what not to use the model for.",
        example="skfacies info survey.sgy --inline-byte 9 --crossline-byte 21 --headers\n"
        "skfacies info near.sgy,far.sgy\n"
        "skfacies info model.safetensors --card card.md --survey 'F3, Dutch North Sea'",
    )
    parser.add_argument("file", metavar="FILE", help="cube or model")
    parser.add_argument(
        "--headers", action="store_true", help="also list the SEG-Y trace headers that vary"
    )
    parser.add_argument("--card", metavar="CARD", help="Markdown file to write for a model")
    parser.add_argument("--survey", metavar="NAME", help="name of the training survey, for --card")
    add_reading(parser, "")
    return parser


def run(arguments):
    from skfacies._cli.describing import describe_cube, describe_model, describe_volumes
    from skfacies._cli.files import (
        CUBE_SUFFIXES,
        check_report_name,
        check_targets,
        volume_files,
    )
    from skfacies._tables import show_rows

    is_cube = os.path.splitext(os.path.normpath(arguments.file))[1].lower() in CUBE_SUFFIXES
    if is_cube and arguments.card:
        raise ValueError(f"--card is for models, but {arguments.file} is a cube. Omit it.")
    if arguments.survey and not arguments.card:
        raise ValueError("--survey is the name of a survey on a card. Add --card CARD.")
    if arguments.card:
        check_targets([arguments.card], {"MODEL": arguments.file})
        check_report_name(arguments.card)
    if is_cube or not os.path.isfile(arguments.file):
        reading, files = given_reading(arguments), volume_files(arguments.file)
        describe = describe_cube if len(files) == 1 else describe_volumes
        rows = describe(arguments.file, reading=reading, headers=arguments.headers)
    else:
        rows = describe_model(arguments.file)
    rows = list(rows)
    print(show_rows([(title, text) for title, text, _ in rows if title != "next"]))
    if arguments.card:
        _write_card(arguments)
    found = {re.sub(r"\W+", "_", title).lower(): value for title, _, value in rows}
    if arguments.card:
        found["wrote"] = [arguments.card]
    if "next" in found:
        show_next(arguments, found["next"])
    return found


def _write_card(arguments):
    from skfacies._files import whole_file
    from skfacies.persistence import load_model, model_card

    text = model_card(load_model(arguments.file, device="cpu"), survey=arguments.survey)
    with whole_file(arguments.card) as part:
        part.write_text(text, encoding="utf-8")
    print(f"wrote {arguments.card}")
