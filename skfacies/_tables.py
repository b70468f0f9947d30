"""Tables as text: in columns for terminals, and in Markdown."""

import shutil
import textwrap

__all__ = ["markdown_table", "show_rows", "table_text"]

#: Narrower terminals would break most words.
LEAST_WIDTH = 30


def show_rows(rows):
    """Titles and texts in two columns; lines of a long text are indented under their column.

    Texts with line breaks are tables and keep their lines.

    Parameters
    ----------
    rows : list of (str, str)
    """
    left = max(len(title) for title, _ in rows) + 2
    width = max(LEAST_WIDTH, shutil.get_terminal_size((100, 24)).columns - left)
    lines = []
    for title, text in rows:
        parts = text.split("\n")
        if len(parts) == 1:
            parts = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [
                ""
            ]
        lines += [f"{title:{left}}{parts[0]}", *(f"{'':{left}}{part}" for part in parts[1:])]
    return "\n".join(line.rstrip() for line in lines)


def table_text(rows, sides):
    """Columns as text, aligned to the left (<) or right (>)."""
    columns = [[str(cell) for cell in column] for column in zip(*rows, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    return "\n".join(
        "  ".join(
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        for row in zip(*columns, strict=True)
    )


def markdown_table(heads, rows):
    """Lines of a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return [
        f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    ]
