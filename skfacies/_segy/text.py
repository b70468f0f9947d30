"""Text headers of SEG-Y files."""

import re

from skfacies._segy.file import TEXT

__all__ = ["stamp_text", "text_code", "text_lines"]

#: Brackets of another EBCDIC code, which interpretation systems write.
BRACKETS = str.maketrans("Ý¨", "[]")


def text_code(text):
    """Character code of a text header, by its blanks: EBCDIC ("cp037") or ASCII."""
    return "cp037" if text.count(b"\x40") > text.count(b"\x20") else "ascii"


def text_lines(path):
    """Lines of the text header of a file, with one blank card at most between others."""
    with open(path, "rb") as file:
        text = file.read(TEXT)
    code = text_code(text)
    letters = text.decode(code, "replace")
    letters = letters.translate(BRACKETS) if code == "cp037" else letters
    letters = "".join(letter if letter.isprintable() else " " for letter in letters)
    lines = []
    for start in range(0, TEXT, 80):
        line = letters[start : start + 80].strip(" \ufffd")
        blank = re.fullmatch(r"C? ?\d{0,2}", line)
        if not blank:
            lines.append(line)
        elif lines and lines[-1]:
            lines.append("")
    return lines if not lines or lines[-1] else lines[:-1]


def stamp_text(text, lines):
    """Text header with lines in its last blank cards, or one line in card 38 if none is blank."""
    code = text_code(text)
    cards = [text[start : start + 80] for start in range(0, TEXT, 80)]
    blank = [k for k in range(38) if not cards[k].decode(code, "replace")[3:].strip(" \0\r\n")]
    places = (blank or [37])[-len(lines) :]
    if len(lines) > len(places):
        raise ValueError(
            f"`note` needs {len(lines)} cards of the text header, of which only {len(places)} are "
            "free. Shorten it."
        )
    for k, line in zip(places, lines, strict=True):
        cards[k] = f"C{k + 1:>2} {line}"[:80].ljust(80).encode(code, "replace")
    return b"".join(cards)
