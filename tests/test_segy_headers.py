"""Headers of SEG-Y files as they are found: revisions, gathers, numbers that are no lines."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from segy_files import line_words, survey_lines, write_traces

from skfacies._segy.structure import read_structure
from skfacies.io import open_cube, write_cube

xarray = pytest.importorskip("xarray")

N_SAMPLES = 16
INLINES, CROSSLINES = survey_lines()
TRACES = np.random.default_rng(0).standard_normal((120, N_SAMPLES)).astype("f4")
LINES = line_words(INLINES, CROSSLINES)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cube.sgy"


def assert_is_survey(cube):
    assert cube.shape == (10, 12, N_SAMPLES)
    assert_array_equal(cube.values.reshape(120, -1), TRACES)


# --- revisions ------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("code", ["ascii", "cp037"])
@pytest.mark.parametrize("mark", ["((SEG: EndText))", "((seg:ENDTEXT))", "( ( SEG :  End Text ) )"])
def test_mark_of_the_last_text_header_has_any_spelling(path, order, code, mark):
    texts = ["((OGP: P1/11))", mark]
    extended = b"".join(text.ljust(3200).encode(code) for text in texts)
    binary = {(3505, "i2"): -1}
    write_traces(path, TRACES, LINES, order=order, binary=binary, extended=extended)
    assert_is_survey(open_cube(path))


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("fill", [0x20, 0x30, 0x40, 0xFF])
def test_bytes_without_meaning_before_revision_1_are_passed_over(path, order, fill):
    binary = {3261: bytes([fill]) * 340}
    assert_is_survey(open_cube(write_traces(path, TRACES, LINES, order=order, binary=binary)))


@pytest.mark.parametrize("revision", [0, 0x0100, 0x0200, 0x0201, 0x0700])
@pytest.mark.parametrize("n_extended", [-1, -2, 1, 7, 8224])
def test_text_headers_that_are_not_there_are_not_believed(path, revision, n_extended):
    binary = {(3505, "i2"): n_extended, (3269, "i4"): 77, (3507, "i4"): 0x20202020}
    write_traces(path, TRACES, LINES, revision=revision, binary=binary)
    assert_is_survey(open_cube(path))


@pytest.mark.parametrize("revision", [0, 0x0100])
def test_text_headers_that_are_there_are_passed_over(path, revision):
    write_traces(
        path, TRACES, LINES, revision=revision, binary={(3505, "i2"): 2}, extended=b" " * 6400
    )
    assert_is_survey(open_cube(path))


@pytest.mark.parametrize("kind", ["i2", "i4"])
def test_additional_trace_headers_are_passed_over_and_kept(path, kind):
    """Revision 2.0 counts them in four bytes, 2.1 in two."""
    headers = np.frombuffer(write_traces(path, TRACES, LINES).read_bytes()[3600:], np.uint8)
    records = headers.reshape(120, -1)
    longer = np.concatenate([records[:, :240], np.full((120, 240), 7, "u1"), records[:, 240:]], 1)
    content = bytearray(path.read_bytes()[:3600])
    content[3500:3502] = b"\2\0"
    content[3506 : 3506 + int(kind[1])] = (1).to_bytes(int(kind[1]), "big")
    path.write_bytes(bytes(content) + longer.tobytes())
    cube = open_cube(path)
    assert_is_survey(cube)
    written = write_cube(path.with_name("b.sgy"), cube, like=path).read_bytes()
    assert written[3600:] == path.read_bytes()[3600:]


def test_precise_interval_of_revision_2(path):
    binary = {(3273, "f8"): 2500.5}
    write_traces(path, TRACES, LINES, revision=0x0200, binary=binary)
    assert open_cube(path).twt[1] == 2.5005
    write_traces(path, TRACES, LINES, revision=0x0200, binary={3273: b" " * 8})
    assert open_cube(path).twt[1] == 4


def test_mark_of_the_byte_order_decides_where_two_are_possible(path):
    write_traces(path, TRACES, LINES, order="<", binary={(3297, "u4"): 0x01020304})
    assert read_structure(path).order == "<"
    assert_is_survey(open_cube(path, sample_format="ieee"))


# --- units and intervals --------------------------------------------------------------------


@pytest.mark.parametrize(("system", "unit"), [(0, "m"), (1, "m"), (2, "ft"), (8224, "m")])
def test_depths_are_in_the_lengths_of_the_file(path, system, unit):
    write_traces(path, TRACES, LINES, binary={(3255, "i2"): system})
    deep = open_cube(path, domain="depth")
    assert deep.depth.attrs["units"] == unit
    assert open_cube(path).twt.attrs["units"] == "ms"
    written = write_cube(path.with_name("b.sgy"), deep)
    assert open_cube(written, domain="depth").depth.attrs["units"] == unit


def test_two_sample_intervals_are_told(path):
    write_traces(path, TRACES, {**LINES, (117, "u2"): 2000})
    with pytest.warns(UserWarning, match=r"is 4 ms in the binary.*2 ms in.*sample_interval=2 for"):
        cube = open_cube(path)
    assert cube.twt[1] == 4
    assert (cube.attrs["interval_binary"], cube.attrs["interval_trace"]) == (4, 2)
    assert open_cube(path, sample_interval=2).twt[1] == 2
    write_traces(path, TRACES, {**LINES, (117, "u2"): 4000})
    assert "interval_trace" not in open_cube(path).attrs


# --- gathers --------------------------------------------------------------------------------

SHOT, CHANNEL = np.repeat(np.arange(1, 11), 12), np.tile(np.arange(1, 13), 10)
GATHERS = {
    "shots with offsets": {(9, "i4"): SHOT, (13, "i4"): CHANNEL, (37, "i4"): -50 - 25 * CHANNEL},
    "one shot": {(9, "i4"): 17, (13, "i4"): np.arange(120) + 1, (37, "i4"): 25 * np.arange(120)},
    "one CDP": {(21, "i4"): 500, (37, "i4"): 25 * np.arange(120)},
    "CDPs with offsets": {(21, "i4"): 100 + SHOT, (25, "i4"): CHANNEL, (37, "i4"): 50 * CHANNEL},
    "CDPs without offsets": {(21, "i4"): 100 + SHOT, (25, "i4"): CHANNEL},
    "receivers": {
        (73, "i4"): 1000 + 25 * CHANNEL,
        (77, "i4"): 7,
        (81, "i4"): 2000 + 50 * SHOT,
        (85, "i4"): 7,
    },
    "records and CDPs that move on": {
        (9, "i4"): SHOT,
        (13, "i4"): CHANNEL,
        (21, "i4"): 6 * SHOT + CHANNEL,
    },
}


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("words", GATHERS.values(), ids=GATHERS)
def test_gathers_are_called_so_before_bytes_are_proposed(path, words, running):
    numbers = {(189, "i4"): 1, (193, "i4"): np.arange(120)} if running else {}
    write_traces(path, TRACES, {**words, **numbers})
    with pytest.raises(ValueError, match=r"pre-stack gathers. Stack them, or export one") as caught:
        open_cube(path)
    assert "crossline_byte=" not in str(caught.value)


def test_gathers_of_a_survey_are_called_so(path):
    """Line numbers are right, and held by several traces, whose offsets are not in the headers."""
    cdp = {(21, "i4"): np.arange(120) // 4 + 1, (25, "i4"): np.tile([1, 2, 3, 4], 30)}
    lines = line_words(INLINES[:30].repeat(4), CROSSLINES[:30].repeat(4))
    write_traces(path, TRACES, {**cdp, **lines})
    with pytest.raises(ValueError, match=r"4 traces have inline 100 and crossline 300.*pre-stack"):
        open_cube(path)


def test_regular_gathers_open_with_a_warning(path):
    words = line_words(SHOT, CHANNEL, (9, 13))
    write_traces(path, TRACES, {**words, (37, "i4"): 100 * CHANNEL})
    with pytest.warns(UserWarning, match=r"12 different offsets \(bytes 37-40\), as pre-stack"):
        assert_is_survey(open_cube(path, inline_byte=9, crossline_byte=13))


STACKS = {
    "constant offset": {(37, "i4"): 250},
    "one trace of another offset": {(37, "i4"): np.arange(120) == 5},
    "shot points": {(17, "i4"): np.arange(1000, 1240, 2), (9, "i4"): 1, (13, "i4"): CHANNEL},
    "channels of a line": {(9, "i4"): 1, (13, "i4"): np.arange(1, 121)},
    "positions": {
        (73, "i4"): np.arange(120),
        (77, "i4"): 4,
        (81, "i4"): np.arange(120),
        (85, "i4"): 4,
    },
}


@pytest.mark.parametrize("words", STACKS.values(), ids=STACKS)
def test_stacked_lines_are_no_gathers(path, words):
    cube = open_cube(write_traces(path, TRACES, words))
    assert_array_equal(cube.values[0], TRACES)


def test_lines_in_the_bytes_of_records_are_proposed(path):
    write_traces(path, TRACES, {**line_words(INLINES, CROSSLINES, (9, 21)), (13, "i4"): CHANNEL})
    with pytest.raises(ValueError, match=r"inline_byte=9, crossline_byte=21"):
        open_cube(path)


# --- numbers that are no line numbers -------------------------------------------------------


def rotated(inlines, crosslines, angle=0.3):
    """Map coordinates of crossings."""
    c, s = 110 * np.cos(angle), 110 * np.sin(angle)
    i, j = inlines - 100, crosslines - 300
    return np.rint(788_937 + c * i - s * j), np.rint(938_845 + s * i + c * j)


@pytest.mark.parametrize("order", ["inline", "crossline"])
def test_coordinates_are_no_line_numbers(path, order):
    chosen = np.arange(120).reshape(10, 12)
    chosen = chosen.ravel() if order == "inline" else chosen.T.ravel()
    i, j = INLINES[chosen], CROSSLINES[chosen]
    write_traces(
        path, TRACES[chosen], {**line_words(*rotated(i, j)), **line_words(i, j, (181, 185))}
    )
    with pytest.raises(ValueError, match=r"crossings only 120 have a trace.*byte=1\d\d"):
        open_cube(path)
    assert_is_survey(open_cube(path, inline_byte=181, crossline_byte=185))


def test_coordinates_without_other_numbers_are_refused(path):
    write_traces(path, TRACES, line_words(*rotated(INLINES, CROSSLINES)))
    with pytest.raises(ValueError, match=r"no other bytes hold.*one 2-D line.*inline_byte=None"):
        open_cube(path)
    assert_array_equal(open_cube(path, inline_byte=None).values[0], TRACES)


RUNNING = {
    "first": (np.arange(1, 121), 0),
    "second": (1, np.arange(1, 121)),
    "both": (np.arange(1, 121), np.arange(1, 121)),
    "with crosslines": (np.arange(1, 121), CROSSLINES),
}


@pytest.mark.parametrize("numbers", RUNNING.values(), ids=RUNNING)
def test_running_numbers_of_a_survey_are_no_line_numbers(path, numbers):
    write_traces(path, TRACES, {**line_words(*numbers), **line_words(INLINES, CROSSLINES, (9, 21))})
    with pytest.raises(ValueError, match=r"inline_byte=9, crossline_byte=21"):
        open_cube(path)


K = np.arange(120)
PATHS = {
    "at an angle": (100 + K // 2, 300 + K),
    "steeply": (100 + K, 400 - K // 3),
    "across three inlines": (100 + K // 40, 300 + K),
    "with a gap": (100 + K // 2 + 50 * (K > 60), 300 + K + 100 * (K > 60)),
    "in stairs": (100 + (K + 1) // 2, 300 + K // 2),
    "around a corner": (100 + K // 2, 300 + np.abs(K - 70)),
    "both running": (K + 1, K + 1),
}


@pytest.mark.parametrize("numbers", PATHS.values(), ids=PATHS)
def test_traces_along_one_path_are_a_line(path, numbers):
    write_traces(path, TRACES, line_words(*numbers))
    with pytest.warns(UserWarning, match="lie along one path .* opened as a 2-D line"):
        cube = open_cube(path)
    order = slice(None) if cube.crossline[0] <= numbers[1][0] else slice(None, None, -1)
    assert_array_equal(cube.values[0], TRACES[order])
    assert_array_equal(cube.path_inline, numbers[0][order])
    assert_array_equal(cube.path_crossline, numbers[1][order])
    write_cube(path.with_name("b.sgy"), cube, like=path)  # without a word
    assert path.with_name("b.sgy").read_bytes()[3600:] == path.read_bytes()[3600:]


def test_numbers_of_a_line_in_the_first_bytes_are_its_crosslines(path):
    write_traces(path, TRACES, line_words(K + 1, 0))
    with pytest.warns(UserWarning, match="and crossline 0: they are opened as a 2-D line"):
        cube = open_cube(path)
    assert cube.shape[:2] == (1, 120)
    assert_array_equal(cube.crossline, K + 1)


SPARSE = {
    "an L": (INLINES < 103) | (CROSSLINES < 302),
    "a third": np.random.default_rng(0).random(120) < 0.4,
    "two lines": np.isin(INLINES, [100, 105]),
}


@pytest.mark.parametrize("kept", SPARSE.values(), ids=SPARSE)
def test_sparse_surveys_open(path, kept):
    cube = open_cube(write_traces(path, TRACES[kept], line_words(INLINES[kept], CROSSLINES[kept])))
    live = cube.live.values if "live" in cube.coords else np.ones(cube.shape[:2], bool)
    assert_array_equal(cube.values[live], TRACES[kept])


def test_decimated_surveys_open(path):
    cube = open_cube(write_traces(path, TRACES, line_words(10 * INLINES, 25 * CROSSLINES)))
    assert_is_survey(cube)
    assert_array_equal(cube.inline, np.arange(1000, 1100, 10))


def test_survey_of_a_narrow_band_opens_with_a_warning(path):
    inlines, crosslines = survey_lines(60, 60)
    kept = np.abs(inlines - 100 - (crosslines - 300)) < 6
    traces = np.zeros((kept.sum(), 4), "f4")
    write_traces(path, traces, line_words(inlines[kept], crosslines[kept]))
    with pytest.warns(UserWarning, match="Are these the bytes of the line numbers"):
        assert open_cube(path).live.values.sum() == kept.sum()


# --- 2-D lines ------------------------------------------------------------------------------


@pytest.mark.parametrize("byte", [21, 17, 193])
@pytest.mark.parametrize(
    "numbers",
    [np.arange(540, 420, -1), np.arange(120) ** 2 + 7, -(np.arange(120) ** 2) + 5],
    ids=["descending", "with gaps", "descending with gaps"],
)
def test_numbers_of_a_line_are_kept(path, byte, numbers):
    cube = open_cube(write_traces(path, TRACES, {(byte, "i4"): numbers}))
    assert (np.diff(cube.crossline) > 0).all()
    for k in (0, 1, 77):
        assert_array_equal(cube.sel(crossline=numbers[k])[0], TRACES[k])
    written = write_cube(path.with_name("b.sgy"), cube, like=path).read_bytes()
    assert written[3600:] == path.read_bytes()[3600:]


# --- duplicates -----------------------------------------------------------------------------


@pytest.mark.parametrize("same", [True, False])
def test_traces_at_one_crossing_are_named(path, same):
    chosen = np.r_[:120, 0, 1, 1]
    traces = TRACES[chosen]
    traces[120:] += not same
    write_traces(path, traces, line_words(INLINES[chosen], CROSSLINES[chosen]))
    equal = "equal" if same else "different"
    with pytest.raises(
        ValueError,
        match=rf"3 traces have inline 100 and crossline 301.* 2 crossings have two or more traces, "
        rf"with {equal} samples. Use duplicates='first' or 'last'",
    ):
        open_cube(path)


@pytest.mark.parametrize("keep", ["first", "last"])
def test_one_of_several_traces_is_kept(path, keep):
    chosen = np.r_[:120, 0, 1, 1]
    traces = TRACES[chosen] + np.arange(123, dtype="f4")[:, None]
    write_traces(path, traces, line_words(INLINES[chosen], CROSSLINES[chosen]))
    cube = open_cube(path, duplicates=keep)
    expected = traces[:120].copy()
    if keep == "last":
        expected[[0, 1]] = traces[[120, 122]]
    assert_array_equal(cube.values.reshape(120, -1), expected)
    written = write_cube(path.with_name("b.sgy"), cube, like=path)
    assert_array_equal(open_cube(written).values, cube.values)


def test_other_ways_with_duplicates_are_refused(path):
    with pytest.raises(ValueError, match=r"`duplicates` must be one of .* got 'mean'"):
        open_cube(write_traces(path, TRACES, LINES), duplicates="mean")


# --- positions ------------------------------------------------------------------------------


@pytest.mark.parametrize(("scalar", "factor"), [(-10, 0.1), (-100, 0.01), (0, 1), (1, 1), (10, 10)])
@pytest.mark.parametrize("byte", [181, 73])
def test_positions_are_coordinates(path, scalar, factor, byte):
    x, y = rotated(INLINES, CROSSLINES)
    kept = np.arange(120) != 17
    words = {(byte, "i4"): x, (byte + 4, "i4"): y, (71, "i2"): scalar, **LINES}
    words = {place: np.broadcast_to(values, 120)[kept] for place, values in words.items()}
    cube = open_cube(write_traces(path, TRACES[kept], words))
    for name, expected in (("cdp_x", x), ("cdp_y", y)):
        found = cube[name].values.ravel()
        assert np.isnan(found[17])
        np.testing.assert_allclose(found[kept], expected[kept] * factor)


def test_positions_go_from_file_to_file(path):
    zarr = pytest.importorskip("zarr")
    x, y = rotated(INLINES, CROSSLINES)
    words = {**LINES, (181, "i4"): x * 10 + 1, (185, "i4"): y * 10 + 2, (71, "i2"): -10}
    cube = open_cube(write_traces(path, TRACES, words))
    stored = open_cube(write_cube(path.with_name("b.zarr"), cube))
    back = open_cube(write_cube(path.with_name("c.sgy"), stored))
    assert zarr.open_group(path.with_name("b.zarr"), mode="r")["cdp_x"].shape == (10, 12)
    for other in (stored, back):
        xarray.testing.assert_allclose(other.cdp_x, cube.cdp_x)
        xarray.testing.assert_allclose(other.cdp_y, cube.cdp_y)


def test_line_numbers_are_no_positions(path):
    cube = open_cube(
        write_traces(path, TRACES, line_words(INLINES, CROSSLINES, (181, 185))),
        inline_byte=181,
        crossline_byte=185,
    )
    assert "cdp_x" not in cube.coords


def other_positions():
    """Words of a survey with X and Y in bytes 193 and 197, and line numbers in 9 and 21."""
    x, y = rotated(INLINES, CROSSLINES)
    words = {(193, "i4"): 100 * x, (197, "i4"): 100 * y, (71, "i2"): -100}
    return x, y, {**line_words(INLINES, CROSSLINES, (9, 21)), **words}


def test_positions_are_read_from_the_bytes_that_are_given(path):
    x, y, words = other_positions()
    lines = {"inline_byte": 9, "crossline_byte": 21}
    write_traces(path, TRACES, words)
    assert "cdp_x" not in open_cube(path, **lines).coords
    cube = open_cube(path, **lines, x_byte=193, y_byte=197)
    np.testing.assert_allclose(cube.cdp_x.values.ravel(), x)
    np.testing.assert_allclose(cube.cdp_y.values.ravel(), y)
    assert (cube.attrs["x_byte"], cube.attrs["y_byte"]) == (193, 197)


def test_a_new_file_has_positions_in_the_bytes_of_its_source(path):
    options = {"inline_byte": 9, "crossline_byte": 21, "x_byte": 193, "y_byte": 197}
    cube = open_cube(write_traces(path, TRACES, other_positions()[2]), **options)
    copy = write_cube(path.with_name("copy.sgy"), cube)
    xarray.testing.assert_allclose(open_cube(copy, **options), cube)
    xarray.testing.assert_allclose(
        open_cube(copy, inline_byte=9, crossline_byte=21).cdp_x, cube.cdp_x
    )


def test_bytes_of_positions_that_hold_none_are_refused(path):
    write_traces(path, TRACES, LINES)
    with pytest.raises(ValueError, match="bytes 193 and 201 .* hold no X and Y.*`x_byte`"):
        open_cube(path, x_byte=193, y_byte=201)
    for byte in (None, 0, 238):
        with pytest.raises(ValueError, match="`x_byte` must be from 1 to 237"):
            open_cube(path, x_byte=byte)
