"""What a text file of a horizon is, if it is not lines of inline, crossline and value."""

import codecs
import re

__all__ = [
    "REQUIRED",
    "WITH_XY",
    "advise_on_columns",
    "check_format",
    "columns_of_charisma",
    "encoding_of",
    "guess_columns",
    "header_columns",
    "is_iesx",
    "read_head",
    "role_columns",
    "split_line",
    "to_number",
]

REQUIRED = ("inline", "crossline", "value")
WITH_XY = ("x", "y", "value")
HEAD = 2**16  # bytes that are looked at
COMMENTS = "#!@"

AS_POINTS = "Export the horizon as text with a line for each point: inline, crossline, value."
NOT_GRIDDED = (
    "It has map coordinates and no line numbers: export the horizon itself as text with a line for "
    "each point: inline, crossline, value."
)
WITH_LIKE = "Or give `like`, the cube of the survey with X and Y, to read it as it is."
WITH_LINES = (
    "Two columns look like map coordinates, and none like line numbers: export the horizon with "
    "inline and crossline numbers, or give `like`, the cube of the survey with X and Y."
)

# First bytes, what they begin, what to do.
MAGIC = (
    (b"PK\x03\x04", "an Excel workbook or another archive", "Save the sheet as CSV."),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "Save the sheet as CSV."),
    (b"\x1f\x8b", "compressed with gzip", "Unpack it."),
    (b"\x93NUMPY", "a NumPy array", "Read it with np.load."),
    (b"\xc3\x40\xf1", "a SEG-Y file", "skfacies.io.open_cube reads it."),
)
IESX = r"PROFILE\s.*\bTYPE\s+\d|SNAPPING PARAMETERS"
# Beginning of a line, what it belongs to, what to do. These are read with a survey.
ON_A_SURVEY = (
    (IESX, "in the IESX layout of GeoFrame", AS_POINTS),
    (r"@.*\bHEADER\b|@[^,]*,\s*GRID\b", "a ZMAP+ grid", NOT_GRIDDED),
    (r"FS(ASCI|ATTR|LIMI|NROW|XINC)\b", "a CPS-3 grid", NOT_GRIDDED),
    (r"FF(ASCI|ATTR)\b|->\s*\d+$", "a set of CPS-3 lines", NOT_GRIDDED),
    (r"-996\s+\d+\s", "an Irap classic grid", NOT_GRIDDED),
    (r"#\s*Type:\s*(scattered data|grid)", "an EarthVision grid", NOT_GRIDDED),
    (r"(ncols|nrows|xll(corner|center)|cellsize)\s+[-\d]", "an Esri ASCII grid", NOT_GRIDDED),
    (r"DSAA\b", "a Surfer grid", NOT_GRIDDED),
    (r"VERSION\s+\d+\s*$|BEGIN HEADER", "a file of Petrel points with attributes", AS_POINTS),
)
# These are not read.
OTHERS = (
    (r"<[?!/\w]", "XML or HTML", AS_POINTS),
    (r"[{\[]\s*($|[\"{\[])", "JSON", AS_POINTS),
    (r"~V", "a LAS file of a well", AS_POINTS),
)

ROLES = (
    ("inline", r"il|iline|inline|inl|line"),
    ("crossline", r"xl|xline|xln|crl|crossline|trace|cdp"),
    ("value", r"z|value|zvalue|twt|twtt|time|t|depth|tvd|tvdss"),
    ("horizon", r"horizon|pick|surface"),
    ("name", r"name|horizonname|surfacename"),
    ("x", r"x|easting|xcoord|xcoordinate|cdpx"),
    ("y", r"y|northing|ycoord|ycoordinate|cdpy"),
)


def encoding_of(head):
    """Encoding of the text, of which bytes are the first. A mark of the byte order is no text."""
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if wide else "utf-8-sig"


def read_head(path, skip_lines):
    """First bytes of a file, and its first lines but those to be skipped."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
    lines = head.decode(encoding_of(head), errors="replace").splitlines()
    return head, [line.strip() for line in lines[skip_lines : skip_lines + 200]]


def is_iesx(lines):
    return any(re.match(IESX, line) for line in lines[:40])


def check_format(path, head, lines, *, with_survey=False):
    """Refuse files that are something else, with what to export instead."""
    found = next(((what, advice) for start, what, advice in MAGIC if head.startswith(start)), None)
    if found is None and b"\0" in head and encoding_of(head) != "utf-16":
        found = "binary", AS_POINTS
    if found is None:
        found = _find_format(OTHERS, lines)
    if found is None and not with_survey and (on_survey := _find_format(ON_A_SURVEY, lines)):
        found = on_survey[0], f"{on_survey[1]} {WITH_LIKE}"
    if found is not None:
        raise ValueError(f"{str(path)!r} seems to be {found[0]}. {found[1]}")


def _find_format(formats, lines):
    return next(
        (
            (what, advice)
            for line in lines[:40]
            for pattern, what, advice in formats
            if re.match(pattern, line, flags=re.IGNORECASE)
        ),
        None,
    )


def split_line(line, n_columns):
    """Cells of a line: between semicolons, tabs or commas if they are as many, else blanks.

    Commas are those of decimals where semicolons separate. Quotes around cells are left out.
    """
    for separator in ";\t,":
        if line.count(separator) == n_columns - 1:
            cells = [cell.strip().strip("\"'").strip() for cell in line.split(separator)]
            return [cell.replace(",", ".") for cell in cells] if separator == ";" else cells
    if ";" in line:
        line = line.replace(",", ".").replace(";", " ")
    if '"' in line:
        return [quoted or cell for quoted, cell in re.findall(r'"([^"]*)"|([^\s,"]+)', line)]
    return line.replace(",", " ").split()


# --- names of columns ------------------------------------------------------------------------


def header_columns(lines, n_columns, *, with_survey=False):
    """`columns` that the lines before the points name; None if they do not.

    With a survey, X and Y are as good as line numbers.
    """
    numbered = [re.match(r'[#!]\s*"?(\d+)\s*:\s*([^"]+)', line) for line in lines]
    numbered = [match for match in numbered if match]
    if [int(match[1]) for match in numbered] == list(range(1, n_columns + 1)):
        return role_columns([match[2] for match in numbered], with_survey=with_survey)
    for line in lines:
        text = line.lstrip(COMMENTS + " ")
        if text[:1].isdigit() or text[:1] == "-":
            break  # points have begun
        # Units in brackets are no columns of their own.
        text = re.sub(r"[(\[][^)\]]*[)\]]", "", text)
        names = split_line(text, n_columns)
        words = all(to_number(name) is None for name in names)
        fits = words and len(names) == n_columns
        if fits and (found := role_columns(names, with_survey=with_survey)):
            return found
    return None


def role_columns(names, *, with_survey=False):
    """`columns` by the names in a file; None if they are not enough to place its points."""
    columns = []
    for name in names:
        plain = re.sub(r"\(.*|\[.*|[^a-z]", "", name.lower())
        plain = re.sub(r"(number|num|no|ms|ft|meters|metres)$", "", plain)
        role = next((role for role, pattern in ROLES if re.fullmatch(pattern, plain)), plain or "-")
        columns.append(role if role not in columns else "-")
    if "horizon" in columns:  # its depth or, beside a column of depths, its name
        named = "value" in columns and "name" not in columns
        columns[columns.index("horizon")] = "name" if named else "value"
    unknown = [k for k, name in enumerate(columns) if name not in (*REQUIRED, "name", "x", "y")]
    if "value" not in columns and unknown:
        columns[unknown[0]] = "value"  # named after the horizon
    return tuple(columns) if _are_enough(columns, with_survey) else None


def _are_enough(columns, with_survey):
    return set(REQUIRED) <= set(columns) or (with_survey and set(WITH_XY) <= set(columns))


def guess_columns(cells, *, with_survey=False):
    """`columns` by the look of one line; None if it has no two line numbers and a value.

    With a survey, X and Y are as good as line numbers.
    """
    columns = _guess(cells, REQUIRED)
    if with_survey and not _are_enough(columns, with_survey):
        columns = _guess(cells, ("value",))
    return tuple(columns) if _are_enough(columns, with_survey) else None


def _guess(cells, roles):
    columns = []
    for cell in cells:
        number = to_number(cell)
        wanted = [role for role in roles if role not in columns]
        if number is None:
            columns.append("name" if "name" not in columns else "-")
        elif _is_coordinate(number) and "y" not in columns and wanted:
            columns.append("y" if "x" in columns else "x")
        elif wanted and (wanted[0] == "value" or number.is_integer()) and abs(number) < 1e5:
            columns.append(wanted[0])
        else:
            columns.append("-")
    return columns


def to_number(cell):
    try:
        return float(cell)
    except ValueError:
        return None


def _is_coordinate(number):
    whole = number.is_integer()
    return (1e4 if not whole else 1e5) <= abs(number) < 1e9


# --- advice ----------------------------------------------------------------------------------


def advise_on_columns(line, number, cells, columns, lines):
    """What to do about a line that does not fit `columns`; `lines` are the first of the file."""
    numbers = [to_number(cell) for cell in cells]
    named = header_columns(lines, len(cells))
    give = f"Give columns={named}"
    if not any(value is not None for value in numbers):
        title = f"It seems to be a line of titles: skip_lines={number} leaves it out."
        return f"{title} {give}." if named and named != columns else title
    if named and named != columns:
        return f"The header names the columns. {give}."
    if re.search(r"(^|[\s;\t])-?\d+,\d+($|[\s;\t])", line.strip()) and ";" not in line:
        return "It seems to have decimal commas: write points, or put semicolons between columns."
    if charisma := columns_of_charisma(cells):
        return f"It is in the Charisma layout. Give columns={charisma}."
    if len(cells) >= 12 and len(cells) > len(columns) and None not in numbers:
        return (
            "It seems to be a grid of values without line numbers: read it with np.loadtxt, if its "
            "rows are inlines."
        )
    guess = guess_columns(cells)
    if guess and guess != columns:
        return f"By their look they could be columns={guess}."
    if sum(value is not None and _is_coordinate(value) for value in numbers[:3]) >= 2:
        return WITH_LINES
    if len(cells) < len(REQUIRED):
        return AS_POINTS
    if len(cells) != len(columns):
        return "Name all of them in order."
    return "Comments begin with # or !; `skip_lines` leaves out titles."


def columns_of_charisma(cells):
    """`columns` of lines such as "INLINE : 100 XLINE : 300 x y value"; None for others."""
    words = [re.sub(r"[^a-z]", "", cell.lower()) for cell in cells]
    columns = ["-"] * len(cells)
    for role, pattern in ROLES[:2]:
        for k, word in enumerate(words[:-3]):
            if re.fullmatch(pattern, word) and cells[k + 1] == ":":
                columns[k + 2] = role
    if "crossline" in columns:
        after = 1 + max(k for k, role in enumerate(columns) if role != "-")
        rest = ["x", "y", "value"] if len(columns) >= after + 3 else ["value"]
        columns[after : after + len(rest)] = rest
    return tuple(columns) if set(REQUIRED) <= set(columns) else None
