"""Damaged files of horizons, in all formats that are read."""

import os
import random
import re
import sys
from pathlib import Path

import numpy as np
from _fault_worker import Fault, check_error, check_memory, measured

sys.path.insert(0, str(Path(__file__).parents[1]))
import test_horizon_formats as formats
from surveys import dipping_horizon, points_of, turned_survey

from skfacies.horizons import read_horizon, write_horizon

__all__ = ["make_case", "make_files", "mutate"]

#: Real files, as `test_horizon_formats.real_survey` takes them: columns of inline, crossline, X, Y.
REAL = {
    "Segment_IESX.dat": None,
    "Segment_ILXL_Multi-line-header.dat": None,
    "Segment_ILXL_No-header.dat": None,
    "Segment_XY-and-ILXL_Multi-line-header.dat": None,
    "Segment_XY_No-header_NULLs.dat": None,
    "Nimitz_H1-part_XY-and-ILXL_Single-line-header.dat": (2, 3, 0, 1),
    "ijxyz_openworks_head.dat": (0, 1, 2, 3),
    "IESX2D_horizon_extract.txt": None,
    "zmap_example.zmap": None,
}
N_LINES = 150  # of the real files, so that thousands of cases take minutes
WORDS = ["nan", "inf", "-inf", "1e400", "-1e400", "1e30", "0", "-0", "-1", "1", "1.5", "1e9"]
WORDS += ["2147483648", "99999999999999999999", "-999.25", "1,5", "-", ".", ":", ";", ",", '"', "'"]
WORDS += ["#", "!", "@", "->", "x", "Z", "inline", "XLINE", "PROFILE", "EOD", "FSNROW", "@", "-996"]
WORDS += ["ncols", "\0", "٣", "½", "0x10", "1_000", "1d3", "é"]


def make_files(folder):
    """Intact files; each name begins with that of its survey."""
    cube = turned_survey()
    along = turned_survey(angle=0.0)
    horizon = dipping_horizon(cube)
    texts = {
        name: formats.HEADS.get(name, "") + formats.lines_of(points_of(cube, horizon), template)
        for name, template in formats.TEMPLATES.items()
    }
    texts["decimal commas"] = texts["decimal commas"].replace(".", ",")
    texts |= {name: make(formats.nodes((9, 6))) for name, make in formats.GRIDS.items()}
    texts["Esri"] = "ncols 25\nnrows 19\nxllcorner 430890\nyllcorner 6779935\ncellsize 30\n"
    texts["Esri"] += "NODATA_value -9999\n" + formats.text_of(formats.nodes().T[::-1].ravel())
    for name, text in texts.items():
        Path(folder, f"turned-{name.replace(' ', '_')}").write_text(text)
    for written in ("inline-crossline", "xyz", "charisma", "zmap"):
        path = Path(folder, f"along-{written}")
        write_horizon(path, dipping_horizon(along), format=written, like=along)
    data = os.environ.get("SKFACIES_DATA")
    for name in REAL if data else ():
        lines = Path(data, "horizons", name).read_text().splitlines(keepends=True)
        Path(folder, f"{name}").write_text("".join(lines[:N_LINES]))


def survey_of(path):
    """The cube that an intact file is of."""
    if path.name.startswith("along"):
        return turned_survey(angle=0.0)
    columns = REAL.get(path.name)
    if path.name.startswith("Segment"):
        named = "horizons/Segment_XY-and-ILXL_Multi-line-header.dat"
        vertical = ("twt", 4.0 * np.arange(250), "ms")
        return formats.real_survey(named, (2, 3, 0, 1), step=2, vertical=vertical)
    if columns:
        depth = ("depth", 10.0 * np.arange(2000), "m")
        time = ("twt", 4.0 * np.arange(99), "ms")
        axis = depth if path.name.startswith("ijxyz") else time
        return formats.real_survey(f"horizons/{path.name}", columns, vertical=axis)
    return turned_survey()


# --- mutations ----------------------------------------------------------------------------------


def mutate(data, seed):
    """Bytes of a file, changed a few times."""
    rng = random.Random(seed)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        data = rng.choice(CHANGES)(data, rng)
    return data


def _flip_bits(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice([1, 2, 16]) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _truncate(data, rng):
    return data[: rng.randrange(len(data) + 1)]


def _change_words(data, rng):
    """Some words, of the head more often than of the lines below."""
    words = [match.span() for match in re.finditer(rb"[^\s,;]+", data)]
    if not words:
        return data
    some = words[:60] if rng.random() < 0.6 else words
    for first, last in sorted(rng.sample(some, min(len(some), rng.choice([1, 1, 3]))))[::-1]:
        data = data[:first] + rng.choice(WORDS).encode() + data[last:]
    return data


def _change_digits(data, rng):
    digits = [match.start() for match in re.finditer(rb"\d", data[: rng.choice([200, len(data)])])]
    for place in rng.sample(digits, min(len(digits), rng.choice([1, 5, 100]))):
        data = data[:place] + rng.choice(b"0123456789").to_bytes(1, "big") + data[place + 1 :]
    return data


def _change_lines(data, rng):
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    first, second = (rng.randrange(len(lines)) for _ in range(2))
    kind = rng.randrange(6)
    if kind == 0:
        del lines[min(first, second) : max(first, second)]
    elif kind == 1:
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == 2:
        lines.insert(first, lines[second])
    elif kind == 3:
        lines[first] = lines[first].rstrip(b"\r\n")
    elif kind == 4:
        rng.shuffle(lines)
    else:
        lines.insert(first, rng.choice([b"\n", b"\0\n", b"# x y z\n", b"x y z\n", b" " * 5000]))
    return b"".join(lines)


def _swap_columns(data, rng):
    rows = [line.split() for line in data.splitlines()]
    widest = max(map(len, rows), default=0)
    one, other = (rng.randrange(widest or 1) for _ in range(2))
    for row in rows:
        if len(row) > max(one, other):
            row[one], row[other] = row[other], row[one]
    return b"\n".join(b" ".join(row) for row in rows) + b"\n"


def _change_encoding(data, rng):
    text = data.decode("utf-8", errors="replace")
    kind = rng.randrange(5)
    if kind == 0:
        return text.encode("utf-16")
    if kind == 1:
        return b"\xff\xfe" + data
    if kind == 2:
        return text.replace("\n", rng.choice(["\r\n", "\r", "\x0b", "\u2028"])).encode()
    if kind == 3:
        return text.replace(" ", rng.choice(["\t", ",", ";", "\xa0"])).encode()
    return rng.choice([b"PK\x03\x04", b"\x93NUMPY", b"\xef\xbb\xbf", b"{", b"<"]) + data


CHANGES = [_flip_bits, _truncate, _change_words, _change_words, _change_digits, _change_lines]
CHANGES += [_swap_columns, _change_encoding]


# --- cases --------------------------------------------------------------------------------------


def make_case(folder):
    """The case of a seed: a mutated file is refused, or a horizon on the survey."""
    paths = sorted(path for path in Path(folder).iterdir() if path.name != "mutated.dat")
    surveys = {path: survey_of(path) for path in paths}
    mutated = Path(folder, "mutated.dat")

    def peak_of(path):
        mutated.write_bytes(path.read_bytes())
        read = lambda: _outcome(mutated, surveys[path])  # noqa: E731
        read()
        return measured(read)

    usual = {path: peak_of(path) for path in paths}

    def case(seed):
        path = paths[seed % len(paths)]
        data = mutate(path.read_bytes(), seed)
        mutated.write_bytes(data)
        found = []
        with_survey = random.Random(seed + 1).random() < 0.8
        like = surveys[path] if with_survey else None
        peak = measured(lambda: found.append(_outcome(mutated, like)))
        error = found[0] if isinstance(found[0], Exception) else None
        check_memory(peak, len(data), usual[path], f"{path.name}, {error!r}")
        if error is not None:
            check_error(error, mutated)
            return "refused"
        if like is not None and found[0].shape != like.shape[:2]:
            raise Fault(f"a horizon of shape {found[0].shape} for {like.shape[:2]}")
        return "read"

    return case


def _outcome(path, like):
    try:
        return read_horizon(path, like=like).data
    except Exception as error:
        return error
