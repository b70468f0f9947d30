"""`skfacies info`: what it shows of cubes, and of SEG-Y files whose headers are not standard."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from real_data import real_file
from segy_files import write_traces

from skfacies.__main__ import main
from skfacies.datasets import make_facies_cube
from skfacies.io import open_cube

xarray = pytest.importorskip("xarray")


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def survey():
    """Amplitudes with coordinates."""
    axes = {"inline": range(100, 108), "crossline": range(300, 340), "twt": range(0, 192, 4)}
    values = make_facies_cube((8, 40, 48), n_facies=3, random_state=0).data
    return xarray.DataArray(values, axes, list(axes))


def write_survey(
    path, *, lines=(189, 193), positions=(181, 185), shuffled=False, words=None, **options
):
    """SEG-Y of 12 x 20 traces, in lines of azimuth 30 degrees, and of every second inline number.

    Inlines are 25 m apart, crosslines 12.5 m; inline 100, crossline 300 is at (500 000, 6 000 000).
    """
    i, j = np.repeat(np.arange(12), 20), np.tile(np.arange(20), 12)
    sine, cosine = np.sin(np.radians(30)), np.cos(np.radians(30))
    x = 500_000 + 12.5 * j * sine + 25 * i * cosine
    y = 6_000_000 + 12.5 * j * cosine - 25 * i * sine
    headers = {(71, "i2"): -100, **(words or {})}
    headers |= {
        (byte, "i4"): n for byte, n in zip(lines, (100 + 2 * i, 300 + j), strict=bool(lines))
    }
    headers |= {(byte, "i4"): np.rint(100 * n) for byte, n in zip(positions, (x, y), strict=True)}
    rng = np.random.default_rng(0)
    order = rng.permutation(240) if shuffled else slice(None)
    headers = {place: np.broadcast_to(word, 240)[order] for place, word in headers.items()}
    return write_traces(path, rng.normal(size=(240, 30)).astype("f4"), headers, **options)


CORNERS = np.array(
    [
        [100, 300, 500_000, 6_000_000],
        [100, 319, 500_118.75, 6_000_205.68],
        [122, 319, 500_356.91, 6_000_068.18],
        [122, 300, 500_238.16, 5_999_862.5],
    ]
)


def rows_of(capsys, *arguments):
    assert main(["info", *map(str, arguments), "--quiet"]) == 0
    rows = {}
    for line in capsys.readouterr().out.splitlines():
        if line[:1].strip():
            title, _, text = line.partition("  ")
            rows[title] = text.strip()
        else:
            rows[title] += "\n" + line.strip()
    return rows


def found_of(capsys, *arguments):
    assert main(["info", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_info_counts_samples_that_hold_nothing(survey, tmp_path, capsys):
    values = survey.values.copy()
    values[0, :20] = np.nan
    values[1, 0, 0] = np.inf
    values[2] = 0
    np.save(tmp_path / "a.npy", values)
    rows = rows_of(capsys, tmp_path / "a.npy")
    assert rows["undefined samples"] == "6.2%"
    assert rows["infinite samples"] == "0.0% (1)"
    assert rows["zero samples"] == "12.5%"
    assert rows["lines read"] == "8 of 8 inlines, for the statistics below"
    values[:] = np.nan
    np.save(tmp_path / "a.npy", values)
    rows = rows_of(capsys, tmp_path / "a.npy")
    assert rows["amplitudes"] == "no finite values"
    assert rows["undefined samples"] == "100.0%"


def test_columns_are_apart(tmp_path, capsys):
    np.save(tmp_path / "long.npy", np.random.default_rng(0).normal(size=(2000, 2, 3)))
    main(["info", str(tmp_path / "long.npy"), "--quiet"])
    lines = capsys.readouterr().out.splitlines()
    width = max(len(line.split("  ")[0]) for line in lines)
    assert all(line[width : width + 2] == "  " and line[width + 2] != " " for line in lines)


def test_long_texts_are_indented_under_their_column(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    write_survey(tmp_path / "survey.sgy")
    main(["info", str(tmp_path / "survey.sgy"), "--quiet"])
    lines = capsys.readouterr().out.splitlines()
    width = lines[0].index(str(tmp_path))
    assert any(line.startswith(" " * width) for line in lines)
    for line in lines:
        assert line[:width].strip() == line[:width].rstrip()
        assert line[width - 2 : width] == "  "
    assert max(map(len, lines[1:5])) <= 60


@pytest.mark.parametrize(
    ("name", "units", "expected"),
    [
        ("time", None, "0 to 188 ms, every 4 ms"),
        ("twt", None, "0 to 188 ms, every 4 ms"),
        ("z", None, "0 to 188 m, every 4 m"),
        ("depth", "ft", "0 to 188 ft, every 4 ft"),
        ("time", "s", "0 to 188 s, every 4 s"),
        ("samples", None, "0 to 188, every 4"),
    ],
)
def test_units_are_those_of_the_axis(survey, monkeypatch, capsys, name, units, expected):
    cube = survey.rename(twt=name)
    if units:
        cube[name].attrs["units"] = units
    monkeypatch.setattr("skfacies._cli.describing.open_file", lambda *args, **kwargs: cube)
    assert rows_of(capsys, "a.zarr")[name] == expected


def test_info_tells_of_two_intervals_and_of_dead_traces(survey, monkeypatch, capsys):
    cube = survey.assign_attrs(interval_binary=4.0, interval_trace=2.0, n_dead=3)
    cube = cube.assign_coords(live=(("inline", "crossline"), np.arange(320).reshape(8, 40) > 9))
    monkeypatch.setattr("skfacies._cli.describing.open_file", lambda *args, **kwargs: cube)
    rows = rows_of(capsys, "a.zarr")
    assert rows["sample intervals"].startswith("4 ms in the binary header (bytes 3217-3218), 2 ms")
    assert rows["traces"] == "310 of 320, 10 missing, 3 of them dead by their trace code"


def test_info_tells_of_steps_that_differ(survey, monkeypatch, capsys):
    cube = survey.isel(inline=[0, 1, 3, 7])
    monkeypatch.setattr("skfacies._cli.describing.open_file", lambda *args, **kwargs: cube)
    assert rows_of(capsys, "a.zarr")["inlines"] == "100 to 107, step 1 to 4"


# --- SEG-Y ----------------------------------------------------------------------------------


def check_grid(found):
    corners = [[corner[name] for name in ("inline", "crossline", "x", "y")] for corner in found]
    assert_allclose(corners, CORNERS, atol=0.01)


def test_corners_bins_and_azimuth(tmp_path, capsys):
    path = write_survey(tmp_path / "survey.sgy")
    found = found_of(capsys, path)
    check_grid(found["corners"])
    assert_allclose(list(found["bin_size"].values())[:2], [25, 12.5], atol=0.01)
    assert_allclose(list(found["azimuth"].values()), [30, 120], atol=0.05)
    rows = rows_of(capsys, path)
    assert rows["bin size"] == "25.00 m between inlines, 12.50 m between crosslines"
    assert rows["azimuth"].startswith("inlines 30.0°, toward higher crosslines; crosslines 120.0°")
    assert "100        319  500118.75  6000205.68" in rows["corners"]
    assert rows["inlines"] == "100 to 122, step 2 (byte 189)"
    assert "problem" not in rows


def test_a_corner_without_a_trace_comes_from_the_grid(tmp_path, capsys):
    whole = write_survey(tmp_path / "whole.sgy").read_bytes()
    (tmp_path / "part.sgy").write_bytes(whole[: -(240 + 4 * 30)])
    found = found_of(capsys, tmp_path / "part.sgy")
    check_grid(found["corners"])
    assert [corner["has_trace"] for corner in found["corners"]] == [True, True, False, True]
    assert "no trace: from the grid" in rows_of(capsys, tmp_path / "part.sgy")["corners"]


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(
    ("lines", "positions"),
    [
        ((9, 21), (181, 185)),
        ((5, 21), (73, 77)),
        ((221, 225), (81, 85)),
        ((181, 185), (193, 197)),
        ((189, 193), (201, 205)),
        ((17, 13), (85, 89)),
    ],
)
def test_bytes_are_found_and_the_command_opens_the_file(
    tmp_path, capsys, lines, positions, shuffled
):
    path = write_survey(
        tmp_path / "survey.sgy", lines=lines, positions=positions, shuffled=shuffled
    )
    found = found_of(capsys, path)
    check_grid(found["corners"])
    options = found["options_needed"]
    names = ("inline_byte", "crossline_byte")
    assert [options.get(name) for name in names] == (
        [*lines] if lines != (189, 193) else [None, None]
    )
    opened = open_cube(path, **options)
    assert_array_equal(opened.inline, range(100, 123, 2))
    assert_allclose(opened.cdp_x[0, 0], 500_000)
    words = found["next"].split()
    assert words[:4] == ["skfacies", "fit", str(path), "--horizons"]
    again = found_of(capsys, path, *words[8:])
    assert "problem" not in again
    check_grid(again["corners"])


def test_coordinates_that_do_not_follow_the_lines_are_told(tmp_path, capsys):
    wrong = np.random.default_rng(0).integers(1, 1000, (2, 240))
    path = write_survey(
        tmp_path / "survey.sgy",
        positions=(73, 77),
        words={(181, "i4"): wrong[0], (185, "i4"): wrong[1]},
    )
    found = found_of(capsys, path)
    assert found["problem"] == "the X and Y of traces do not follow the line numbers"
    assert found["options_needed"] == {"x_byte": 73, "y_byte": 77}
    check_grid(found["corners"])


def test_angles_have_no_bins(tmp_path, capsys):
    rows = rows_of(capsys, write_survey(tmp_path / "survey.sgy", words={(89, "i2"): 3}))
    assert "degrees (bytes 181 and 185)" in rows["X and Y"]
    assert "bin size" not in rows


@pytest.mark.parametrize(
    ("words", "binary", "option"),
    [
        ({(109, "i2"): np.arange(240)}, None, "--first-sample 0"),
        ({}, {(3217, "u2"): 0}, "--sample-interval 4"),
    ],
)
def test_what_cannot_be_opened_is_shown_as_far_as_it_goes(tmp_path, capsys, words, binary, option):
    path = write_survey(tmp_path / "survey.sgy", words=words, binary=binary)
    found = found_of(capsys, path)
    assert found["format"]["n_traces"] == 240
    assert {189, 193} <= {field["byte"] for field in found["trace_headers_that_vary"]}
    assert option.split()[0] in found["problem"]
    assert found["next"] == f"skfacies info {path} {option}"
    assert "problem" not in found_of(capsys, path, *option.split())


def test_headers_that_vary(tmp_path, capsys):
    path = write_survey(tmp_path / "survey.sgy")
    assert "trace headers that vary" not in rows_of(capsys, path)
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 4), "f4"))
    assert main(["info", str(tmp_path / "a.npy"), "--headers"]) == 1
    assert "--headers is for SEG-Y files" in capsys.readouterr().err
    fields = found_of(capsys, path, "--headers")["trace_headers_that_vary"]
    assert [field["byte"] for field in fields] == [181, 185, 189, 193]
    assert fields[2] == {
        "byte": 189,
        "name": "inline",
        "lowest": 100,
        "highest": 122,
        "n_values": 12,
    }


def test_text_header_without_blank_cards(tmp_path, capsys):
    path = write_survey(tmp_path / "survey.sgy")
    content = bytearray(path.read_bytes())
    assert found_of(capsys, path)["text_header"] == []
    cards = {0: "C 1 CLIENT [X]", 1: "C 2", 5: "C 6 SHOT 1984"}
    for code, blank in (("cp037", 0x40), ("ascii", 0x20)):
        content[:3200] = bytes([blank]) * 3200
        for number, card in cards.items():
            content[80 * number : 80 * number + len(card)] = card.encode(code)
        path.write_bytes(content)
        assert found_of(capsys, path)["text_header"] == ["C 1 CLIENT [X]", "", "C 6 SHOT 1984"]


def test_ends_of_a_line(capsys):
    found = found_of(capsys, real_file("segy/volve_2d_line.sgy"))
    assert found["ends"][0] == {"crossline": 1, "x": 434245.37, "y": 6478564.17}
    assert found["line"]["trace_spacing"] == pytest.approx(13.36, abs=0.01)
    assert "problem" not in found


def test_jumps_of_a_line_are_told(tmp_path, capsys):
    path = write_survey(tmp_path / "survey.sgy", lines=(), positions=(73, 77))
    assert "11 steps are longer" in rows_of(capsys, path)["line"]


@pytest.mark.parametrize(
    ("name", "bins"),
    [
        ("F3_very_small.sgy", (25, 25)),
        ("f3_crop.sgy", (25, 25)),
        ("f3-withdead.sgy", (25, 25)),
        ("cube_w_deadtraces.segy", (18.75, 12.5)),
    ],
)
def test_bins_of_real_surveys(capsys, name, bins):
    found = found_of(capsys, real_file(f"segy/{name}"))
    size = found["bin_size"]
    assert_allclose([size["between_inlines"], size["between_crosslines"]], bins, atol=0.02)
    assert "problem" not in found


def test_gathers_are_told_and_no_bytes_are_proposed(capsys):
    found = found_of(capsys, real_file("segy/segyio_small-ps.sgy"))
    assert "pre-stack gathers" in found["problem"]
    assert not {"options_needed", "next"} & found.keys()
