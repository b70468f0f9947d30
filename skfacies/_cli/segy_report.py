"""What `skfacies info` shows about SEG-Y files, with headers of the standard or others."""

import re

import numpy as np

from skfacies._cli.files import open_file, reading_words
from skfacies._cli.grid_report import grid_of
from skfacies._cli.options import reword
from skfacies._segy.advice import describe_gathers, find_line_bytes
from skfacies._segy.fields import varying_fields
from skfacies._segy.file import BINARY, FORMATS, TEXT, read_words
from skfacies._segy.positions import find_position_bytes, is_even
from skfacies._segy.structure import read_structure
from skfacies._segy.text import text_lines
from skfacies._tables import table_text

__all__ = [
    "describe_fields",
    "describe_problem",
    "describe_structure",
    "describe_text",
    "open_or_propose",
    "remedy_of",
    "units_of_positions",
]

#: Part of the crossings that have a trace, if other bytes make a survey of what seems to be a line.
LEAST_FILLED = 0.9
REMEDIES = {
    "--sample-interval": "4",
    "--first-sample": "0",
    "--duplicates": "first",
    "--inline-byte": "none",
}
WORDS = {"ibm": "IBM floats", "ieee": "IEEE floats"}


def describe_structure(path, reading):
    """Format and size of a file, as rows (title, text, value)."""
    segy = read_structure(path, reading.get("sample_format"))
    name, n_extended = FORMATS[segy.code][0], (segy.start - TEXT - BINARY) // TEXT
    order = {">": "big", "<": "little"}[segy.order]
    traces = f"{segy.n_traces} trace{'s' if segy.n_traces > 1 else ''} of {segy.n_samples}"
    text = f"SEG-Y, {traces} samples, {WORDS.get(name, name)}, {order}-endian"
    if n_extended:
        text += f", {n_extended} extended text header{'s' if n_extended > 1 else ''}"
    yield (
        "format",
        text,
        {
            "n_traces": segy.n_traces,
            "n_samples": segy.n_samples,
            "sample_format": name,
            "byte_order": order,
            "n_extended_text_headers": n_extended,
        },
    )


def open_or_propose(path, reading):
    """Open a cube, with other header bytes if those of the standard hold no survey.

    Returns
    -------
    cube : DataArray or None
        None if no bytes that were tried give a cube.
    options : dict
        The options of `open_cube` that were needed in addition to `reading`.
    others : list of pair of int
        Other bytes of line numbers that might be right.
    problem : str
        Why the file cannot be opened without `options`; empty if it can.
    """
    segy, options, others, problem = read_structure(path, reading.get("sample_format")), {}, [], ""
    try:
        cube = open_file(path, reading)
    except ValueError as error:
        cube, problem = None, str(error).removeprefix(f"{segy.path}: ").removeprefix(f"{path}: ")
    is_line = cube is not None and cube.shape[0] == 1 and "inline_byte" not in reading
    if (cube is None or is_line) and describe_gathers(segy) is None:
        line, pairs = cube, find_line_bytes(segy, LEAST_FILLED if is_line else 0.5)
        for pair in pairs:
            options = dict(zip(("inline_byte", "crossline_byte"), pair, strict=True))
            cube = _try_to_open(path, {**reading, **options})
            if cube is not None:
                others = [other for other in pairs if other != pair]
                problem = problem or "the usual bytes of line numbers give one 2-D line"
                break
        else:
            cube, options = line, {}
    if cube is None or 1 in cube.shape[:2] or {"x_byte", "y_byte"} & reading.keys():
        return cube, options, others, problem
    grid = grid_of(cube)
    if grid is None or not is_even(grid):
        lines = (cube.attrs["inline_byte"], cube.attrs["crossline_byte"])
        found = find_position_bytes(segy, lines)
        if found is not None:
            options |= dict(zip(("x_byte", "y_byte"), found, strict=True))
            cube = open_file(path, {**reading, **options})
            where = "do not follow the line numbers" if grid else "are not in the usual bytes"
            problem = problem or f"the X and Y of traces {where}"
    return cube, options, others, problem


def _try_to_open(path, reading):
    try:
        return open_file(path, reading)
    except ValueError:
        return None


def describe_problem(problem, options, others):
    """What is wrong with the headers, and the options that help."""
    if not problem:
        return
    if not options:
        yield "problem", reword(problem), reword(problem)
        return
    reason = reword(problem.partition(". ")[0])
    yield "problem", reason, reason
    yield (
        "options needed",
        f"{reading_words(options)} (used below; check that lines and corners are those of the "
        "survey)",
        options,
    )
    if others:
        pairs = [dict(zip(("inline_byte", "crossline_byte"), o, strict=True)) for o in others]
        yield "less likely", " or ".join(map(reading_words, pairs)), pairs


def remedy_of(problem):
    """The first option that a problem mentions, with a value as an example; None for gathers."""
    if "gathers" in problem:
        return None
    named = re.findall("|".join(REMEDIES), reword(problem))
    return f"{named[0]} {REMEDIES[named[0]]}" if named else None


def units_of_positions(path, reading):
    """Unit of lengths, and the unit of coordinates by bytes 89-90, for `describe_positions`."""
    segy = read_structure(path, reading.get("sample_format"))
    angle = read_words(segy, {"unit": (89, "i2")}, np.zeros(1, np.int64))["unit"][0]
    return {"unit": segy.unit, "angle": int(angle)}


def describe_fields(path, reading):
    """Trace header fields that vary, as a row with a table."""
    fields = varying_fields(read_structure(path, reading.get("sample_format")))
    rows = [
        ("bytes", "name", "lowest", "highest", "values"),
        *((f["byte"], f["name"], f["lowest"], f["highest"], f["n_values"]) for f in fields),
    ]
    yield "trace headers that vary", table_text(rows, "><>>>"), fields


def describe_text(path):
    """The text header, as a row of lines."""
    lines = text_lines(path)
    yield "text header", "\n".join(lines) if lines else "blank", lines
