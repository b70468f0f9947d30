"""Horizons in the text formats of interpretation systems, read on a survey."""

import re
import warnings

import numpy as np
import pytest
from numpy import nan
from numpy.testing import assert_allclose, assert_array_equal
from real_data import real_file
from surveys import dipping_horizon, points_of, turned_survey

from skfacies.horizons import read_horizon, write_horizon

xarray = pytest.importorskip("xarray")


@pytest.fixture
def cube():
    return turned_survey()


def write(tmp_path, text, name="top.dat"):
    path = tmp_path / name
    path.write_text(text)
    return path


def lines_of(points, template):
    return "".join(
        template.format(il=int(il), xl=int(xl), x=x, y=y, z=z) + "\n" for il, xl, x, y, z in points
    )


# --- lines of points ------------------------------------------------------------------------

TEMPLATES = {
    "x y z": "{x:.2f} {y:.2f} {z:.4f}",
    "x y z and attributes": "{x:.2f}\t{y:.2f}\t{z:.4f}\t5395.6\t0.8236\t1",
    "z x y": "{z:.4f} {x:.2f} {y:.2f}",
    "commas": "{x:.2f},{y:.2f},{z:.4f}",
    "decimal commas": "{x};{y};{z}",
    "lines": "{il} {xl} {z:.4f}",
    "lines as floats": "{il:.1f} {xl:.1f} {x:.2f} {y:.2f} {z:.4f}",
    "crossline first": "{xl} {il} {z:.4f}",
    "Kingdom": "{il} {xl} {x:.2f} {y:.2f} {z:.4f}",
    "Kingdom with name": "top_chalk {il} {xl} {x:.2f} {y:.2f} {z:.4f}",
    "x y lines z": "{x:.2f} {y:.2f} {il} {xl} {z:.4f}",
    "index first": "7 {x:.2f} {y:.2f} {z:.4f}",
    "Charisma": "INLINE : {il:6d} XLINE : {xl:6d} {x:14.2f} {y:14.2f} {z:12.4f}",
    "IESX": "{x:15.8E}{y:15.8E}  1 14 {z:12.4f} {xl:9.2f} {xl:9.2f} {xl} 5.39E+03 I    {il} XX",
    "IESX without lines": "{x:15.8E}{y:15.8E}  1 14 {z:12.4f} 1.00 2.00 3        2 276-109::norm",
}
HEADS = {
    "IESX": "PROFILE Top Chalk      TYPE 1  4        3d_ci7m.ifdf     m ms\n"
    "SNAPPING PARAMETERS 5 0 1\n",
}
HEADS["IESX without lines"] = HEADS["IESX"]


@pytest.mark.parametrize("layout", TEMPLATES)
def test_every_layout_gives_the_same_horizon(tmp_path, cube, layout):
    horizon = dipping_horizon(cube)
    text = lines_of(points_of(cube, horizon), TEMPLATES[layout])
    text = text.replace(".", ",") if layout == "decimal commas" else text
    path = write(tmp_path, HEADS.get(layout, "") + text)
    found = read_horizon(path, like=cube)
    assert_allclose(found.data, horizon, atol=1e-4)
    assert_array_equal(found.inlines, cube["inline"])


@pytest.mark.parametrize(
    "head",
    [
        "X Y Z\n",
        "# X Y Z\n",
        '# "X"\t"Y"\t"Z"\n# - - - - -\n',
        "# 1: X\n# 2: Y\n# 3: Z\n",
        "Easting Northing TWT(ms)\n",
        "x y top_chalk\n",
        "# Petrel Points with attributes\n# Unit in depth: ms\nVERSION 1\nBEGIN HEADER\nX\nY\nZ\n"
        "END HEADER\n",
        "# Type: scattered data\n# Field: 1 x\n# Field: 2 y\n# Field: 3 z ms\n# End:\n",
        "FFASCI 0 1 COMPUTED 0 1E+30 0\nFFATTR 0 0\n->top 15\n",
    ],
    ids=[
        "titles",
        "comment",
        "quoted",
        "numbered",
        "unit",
        "horizon",
        "Petrel",
        "EarthVision",
        "CPS-3 lines",
    ],
)
def test_titles_and_heads_are_recognized(tmp_path, cube, head):
    horizon = dipping_horizon(cube)
    path = write(tmp_path, head + lines_of(points_of(cube, horizon), TEMPLATES["x y z"]))
    assert_allclose(read_horizon(path, like=cube).data, horizon, atol=1e-4)


def test_small_coordinates_are_told_from_line_numbers_by_the_survey(tmp_path, cube):
    local = cube.assign_coords(
        cdp_x=cube["cdp_x"] - 431_000, cdp_y=(cube["cdp_y"] - 6_780_000) / 10
    )
    horizon = dipping_horizon(cube)
    path = write(tmp_path, lines_of(points_of(local, horizon), "{x:.2f} {y:.3f} {z}"))
    assert_allclose(read_horizon(path, like=local).data, horizon, atol=1e-4)


def test_nearest_point_within_half_a_bin_counts(tmp_path, cube):
    """Against all distances, one by one, on the turned bins of 25 m and 12.5 m."""
    rng = np.random.default_rng(0)
    low, high = (
        np.array([cube[name].values.min() - 60 for name in ("cdp_x", "cdp_y")]),
        np.array([cube[name].values.max() + 60 for name in ("cdp_x", "cdp_y")]),
    )
    xy = rng.uniform(low, high, (400, 2)).round(2)
    z = rng.uniform(1100, 1300, 400).round(3)
    path = write(
        tmp_path, "".join(f"{x} {y} {depth}\n" for (x, y), depth in zip(xy, z, strict=True))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = read_horizon(path, like=cube, columns=("x", "y", "value")).data
    angle = np.deg2rad(30)
    along = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = np.full(cube.shape[:2], nan)
    for i, j in np.ndindex(expected.shape):
        trace = [float(cube[name][i, j]) for name in ("cdp_x", "cdp_y")]
        away = np.abs((xy - trace) @ along / [25, 12.5]).max(axis=1)
        if away.min() < 0.5:
            expected[i, j] = (z[away.argmin()] - 1000) / 4
    same = np.isclose(found, expected, atol=1e-3, equal_nan=True)
    assert same.mean() > 0.98  # but for points at the very edge of a bin
    assert 0.2 < np.isnan(expected).mean() < 0.9


def test_points_outside_of_the_survey_are_counted(tmp_path, cube):
    points = points_of(cube, dipping_horizon(cube))
    far = points + [0, 0, 5000, 0, 0]
    path = write(tmp_path, lines_of(np.concatenate([points, far, far]), TEMPLATES["x y z"]))
    with pytest.warns(UserWarning, match="360 of the 540 points .* more than half a bin") as caught:
        found = read_horizon(path, like=cube)
    assert caught[0].filename == __file__
    assert not np.isnan(found.data).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x + 5000, y), "no point within half a bin.*Is it a horizon of this survey"),
        (lambda x, y: (y, x), "X and Y seem to be swapped"),
        (lambda x, y: (x / 10, y / 10), r"traces are 10 times as large.*bytes 71-72"),
        (lambda x, y: (x * 100, y * 100), r"traces are 0.01 times as large"),
    ],
)
def test_coordinates_of_no_trace_are_refused_with_the_likely_reason(
    tmp_path, cube, change, message
):
    points = points_of(cube, dipping_horizon(cube))
    points[:, 2:4] = np.column_stack(change(*points[:, 2:4].T))
    path = write(tmp_path, "x y z\n" + lines_of(points, TEMPLATES["x y z"]))
    with pytest.raises(ValueError, match=message):
        read_horizon(path, like=cube)


def test_other_line_numbers_give_way_to_x_and_y(tmp_path, cube):
    points = points_of(cube, dipping_horizon(cube))
    points[:, 0] += 1000
    path = write(tmp_path, lines_of(points, TEMPLATES["Kingdom"]))
    found = read_horizon(path, like=cube)
    assert "placed by X and Y" in found.notes[0]
    assert_allclose(found.data, dipping_horizon(cube), atol=1e-4)


def test_coordinates_that_contradict_line_numbers_are_named(tmp_path, cube):
    points = points_of(cube, dipping_horizon(cube))
    points[:, 2] += 100
    path = write(tmp_path, "il xl x y z\n" + lines_of(points, TEMPLATES["Kingdom"]))
    with pytest.warns(UserWarning, match="X and Y .* are not those of the traces") as caught:
        found = read_horizon(path, like=cube)
    assert caught[0].filename == __file__
    assert_allclose(found.data, dipping_horizon(cube), atol=1e-4)


def test_two_horizons_in_a_file_of_x_and_y_are_noticed(tmp_path, cube):
    points = points_of(cube, dipping_horizon(cube))
    both = np.concatenate([points, points + [0, 0, 0, 0, 80]])
    path = write(tmp_path, lines_of(both, TEMPLATES["x y z"]))
    with pytest.raises(
        ValueError, match=r"Lines 1 and 181 .* inline 100, crossline 300; .* 180 of"
    ):
        read_horizon(path, like=cube)


def test_points_of_a_line_lie_on_it(tmp_path):
    """A crooked 2-D line, with coordinates to the meter."""
    line = turned_survey(1, 40, angle=40, decimals=0)
    bend = xarray.DataArray(np.linspace(0, 1, 40) ** 2 * 150, dims="crossline")
    line = line.assign_coords(cdp_x=line["cdp_x"] + bend)
    horizon = dipping_horizon(line)
    points = points_of(line, horizon)
    other = points + [0, 0, 700, 0, 12]
    path = write(tmp_path, lines_of(np.concatenate([points, other[:30]]), TEMPLATES["x y z"]))
    assert_allclose(read_horizon(path, like=line).data, horizon, atol=1e-4)
    path = write(tmp_path, lines_of(points, "{xl} {z}"))
    found = read_horizon(path, like=line, columns=("crossline", "value"))
    assert_allclose(found.data, horizon, atol=1e-4)


def test_named_horizons_of_one_iesx_file(tmp_path, cube):
    points = points_of(cube, dipping_horizon(cube))
    deep = points + [0, 0, 0, 0, 40]
    text = HEADS["IESX"] + lines_of(points, TEMPLATES["IESX"]) + "EOD\n"
    text += HEADS["IESX"].replace("Chalk", "Salt") + lines_of(deep, TEMPLATES["IESX"]) + "EOD\n"
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match="2 horizons, 'Top Chalk', 'Top Salt'. Choose one"):
        read_horizon(path, like=cube)
    found = read_horizon(path, like=cube, name="Top Salt")
    assert_allclose(found.data, dipping_horizon(cube) + 10, atol=1e-4)


# --- z --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "z_unit", "note"),
    [
        (1, None, None),
        (1, "ms", None),
        (1e-3, None, "z is taken for s: 1.08 to 1.16"),
        (1e-3, "s", None),
        (-1, None, "z grows upwards"),
        (-1e-3, None, "z is taken for s"),
    ],
)
def test_units_and_signs_of_time(tmp_path, cube, scale, z_unit, note):
    points = points_of(cube, dipping_horizon(cube))
    points[:, 4] *= scale
    path = write(tmp_path, lines_of(points, "{il} {xl} {z:.6f}"))
    found = read_horizon(path, like=cube, z_unit=z_unit)
    assert_allclose(found.data, dipping_horizon(cube), atol=1e-3)
    assert (note is None) == (len(found.notes) == 1)
    assert note is None or any(note in own for own in found.notes)


def test_seconds_are_recognized_where_they_lie_in_the_first_samples(tmp_path):
    cube = turned_survey(vertical=("twt", 4.0 * np.arange(101), "ms"))
    points = points_of(cube, dipping_horizon(cube))
    points[:, 4] /= 1000
    path = write(tmp_path, lines_of(points, "{il} {xl} {z:.6f}"))
    assert_allclose(read_horizon(path, like=cube).data, dipping_horizon(cube), atol=1e-3)


def test_units_of_depth(tmp_path):
    cube = turned_survey(vertical=("depth", 500 + 5.0 * np.arange(101), "m"))
    points = points_of(cube, dipping_horizon(cube))
    points[:, 4] /= 0.3048
    path = write(tmp_path, lines_of(points, "{il} {xl} {z:.4f}"))
    with pytest.raises(
        ValueError, match=r"0 % lie on the vertical axis .*They could be ft: give z_un"
    ):
        read_horizon(path, like=cube)
    assert_allclose(
        read_horizon(path, like=cube, z_unit="ft").data, dipping_horizon(cube), atol=1e-3
    )
    titled = write(tmp_path, "inline crossline z(ft)\n" + path.read_text(), "titled.dat")
    assert_allclose(read_horizon(titled, like=cube).data, dipping_horizon(cube), atol=1e-3)
    with pytest.raises(
        ValueError, match=r"is in ms, but the survey is in depth, 500 to 1000 m. Exp"
    ):
        read_horizon(path, like=cube, z_unit="ms")


def test_samples_must_be_named(tmp_path, cube):
    points = points_of(cube, dipping_horizon(cube))
    points[:, 4] = dipping_horizon(cube).ravel()
    path = write(tmp_path, lines_of(points, "{il} {xl} {z}"))
    with pytest.raises(ValueError, match="They could be samples: give z_unit='samples'"):
        read_horizon(path, like=cube)
    found = read_horizon(path, like=cube, z_unit="samples")
    assert_array_equal(found.data, dipping_horizon(cube))
    axisless = cube.drop_vars("twt")
    assert_array_equal(read_horizon(path, like=axisless).data, dipping_horizon(cube))


@pytest.mark.parametrize("null", ["1e30", "-999.25", "-9999", "NaN", "9.99e2"])
def test_nulls_are_no_picks(tmp_path, cube, null):
    points = points_of(cube, dipping_horizon(cube))[:3]
    text = lines_of(points[:2], TEMPLATES["x y z"])
    text += f"{points[2, 2]} {points[2, 3]} {null}\n"
    path = write(tmp_path, text)
    found = read_horizon(path, like=cube, null_value=999)
    assert np.count_nonzero(~np.isnan(found.data)) == 2


# --- grids ----------------------------------------------------------------------------------

WEST, SOUTH, STEPS, NODES = 430_900.0, 6_779_950.0, (20.0, 30.0), (25, 19)
EAST, NORTH = (WEST + (NODES[0] - 1) * STEPS[0], SOUTH + (NODES[1] - 1) * STEPS[1])


def plane(x, y):
    """A plane, which bilinear interpolation reproduces."""
    return 1100 + 0.1 * (x - WEST) + 0.2 * (y - SOUTH)


def nodes(null_at=None):
    """Values (n_columns, n_rows) from south-west on, with a null."""
    x, y = np.meshgrid(
        WEST + STEPS[0] * np.arange(NODES[0]), SOUTH + STEPS[1] * np.arange(NODES[1]), indexing="ij"
    )
    values = plane(x, y)
    if null_at is not None:
        values[null_at] = -99999.0
    return values


def text_of(values, per_line=5, width=15):
    cells = [f"{value:{width}.4f}" for value in values]
    return (
        "\n".join("".join(cells[k : k + per_line]) for k in range(0, len(cells), per_line)) + "\n"
    )


def zmap(values):
    return (
        f"! by hand\n@top HEADER, GRID, 5\n15, -99999.0, , 4, 1\n{NODES[1]}, {NODES[0]}, {WEST}, "
        f"{EAST}, {SOUTH}, {NORTH}\n0.0, 0.0, 0.0\n@\n+ data\n"
        + "".join(text_of(column[::-1]) for column in values)
    )


def cps3(values):
    return (
        f"FSASCI 0 1 COMPUTED 0 -9.9999E+04\nFSATTR 0 0\nFSLIMI {WEST} {EAST} {SOUTH} {NORTH} 0 1\n"
        f"FSNROW {NODES[1]} {NODES[0]}\nFSXINC {STEPS[0]} {STEPS[1]}\n->top\n"
        + "".join(text_of(column[::-1]) for column in values)
    )


def irap(values):
    values = np.where(values == -99999.0, 9999900.0, values)
    return (
        f"-996 {NODES[1]} {STEPS[0]} {STEPS[1]}\n{WEST} {EAST} {SOUTH} {NORTH}\n"
        f"{NODES[0]} 0 {WEST} {SOUTH}\n0 0 0 0 0 0 0\n" + text_of(values.T.ravel(), 6)
    )


def surfer(values):
    values = np.where(values == -99999.0, 1.70141e38, values)
    rows = "".join(
        " ".join(f"{value:g}" if value > 1e9 else f"{value}" for value in row) + "\n"
        for row in values.T
    )
    return f"DSAA\n{NODES[0]} {NODES[1]}\n{WEST} {EAST}\n{SOUTH} {NORTH}\n0 1\n" + rows


def earthvision(values):
    head = (
        "# Type: scattered data\n# Version: 6\n# Field: 1 x\n# Field: 2 y\n# Field: 3 z ms\n"
        f"# Field: 4 column\n# Field: 5 row\n# Grid_size: {NODES[0]} x {NODES[1]}\n# End:\n"
    )
    return head + "".join(
        f"{WEST + i * STEPS[0]} {SOUTH + j * STEPS[1]} {value} {i + 1} {j + 1}\n"
        for (i, j), value in np.ndenumerate(values)
        if value != -99999.0
    )


GRIDS = {"ZMAP+": zmap, "CPS-3": cps3, "Irap": irap, "Surfer": surfer, "EarthVision": earthvision}


@pytest.mark.parametrize("kind", GRIDS)
def test_grids_are_interpolated_at_the_traces(tmp_path, cube, kind):
    path = write(tmp_path, GRIDS[kind](nodes()))
    found = read_horizon(path, like=cube)
    expected = (plane(cube["cdp_x"].values, cube["cdp_y"].values) - 1000) / 4
    assert_allclose(found.data, expected, atol=1e-3)
    assert kind.split("+")[0] in found.notes[0]


@pytest.mark.parametrize("kind", GRIDS)
def test_traces_beside_a_node_without_value_have_none(tmp_path, cube, kind):
    null = (9, 6)
    path = write(tmp_path, GRIDS[kind](nodes(null)))
    found = read_horizon(path, like=cube)
    i = (cube["cdp_x"].values - WEST) / STEPS[0] - null[0]
    j = (cube["cdp_y"].values - SOUTH) / STEPS[1] - null[1]
    beside = (np.abs(i) < 1) & (np.abs(j) < 1)
    assert beside.any()
    assert_array_equal(np.isnan(found.data), beside)


def test_esri_grids_have_values_at_the_centers_of_cells(tmp_path, cube):
    x, y = WEST + 20 * np.arange(25), SOUTH + 20 * np.arange(28)
    values = plane(x[:, None], y)
    text = f"ncols 25\nnrows 28\nxllcorner {WEST - 10}\nyllcorner {SOUTH - 10}\ncellsize 20\n"
    text += "NODATA_value -9999\n" + "".join(
        " ".join(map(str, row)) + "\n" for row in values.T[::-1]
    )
    found = read_horizon(write(tmp_path, text), like=cube)
    expected = (plane(cube["cdp_x"].values, cube["cdp_y"].values) - 1000) / 4
    assert_allclose(found.data, expected, atol=1e-3)


def test_turned_irap_grid(tmp_path, cube):
    """A grid whose nodes are the traces."""
    horizon = dipping_horizon(cube)
    x, y = (float(cube[name][0, 0]) for name in ("cdp_x", "cdp_y"))
    text = f"-996 15 25 12.5\n{x} 0 {y} 0\n12 30 {x} {y}\n0 0 0 0 0 0 0\n"
    path = write(tmp_path, text + text_of((1000 + 4 * horizon).T.ravel(), 6))
    assert_allclose(read_horizon(path, like=cube).data, horizon, atol=0.02)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            zmap(nodes())[:-200],
            r"has 462 numbers where its header says 25 x 19 nodes|numbers where",
        ),
        ("@top HEADER, GRID, 5\n15, -99999.0\n", "no a second line|second line that begins with @"),
        ("FSASCI 0 1\nFSATTR 0 0\n1 2 3\n", "a CPS-3 grid, but has no lines FSLIMI and FSNROW"),
        (
            zmap(nodes()).replace("430900", "530900").replace("431380", "531380"),
            "no value at a trace",
        ),
    ],
)
def test_broken_and_distant_grids_are_refused(tmp_path, cube, text, message):
    with pytest.raises(ValueError, match=message):
        read_horizon(write(tmp_path, text), like=cube)


@pytest.mark.parametrize(
    "text",
    [
        zmap(nodes()).replace("15, -99999.0", "x, y"),
        zmap(nodes()).replace(f"{NODES[1]}, {NODES[0]}", "431000.0, 25"),
        cps3(nodes()).replace("-9.9999E+04", "EOD").replace("FSASCI", "FSASCII"),
        cps3(nodes()).replace(str(WEST), "inf"),
        irap(nodes()).replace("20.0 30.0", "0 0", 1),
        surfer(nodes()).replace("DSAA\n25", "DSAA\nnan"),
        earthvision(nodes()).replace(" 7 9\n", " 7 1e12\n"),
        earthvision(nodes()).replace(" 7 9\n", " nan 9\n"),
        "ncols inf\nnrows 28\ncellsize 20\n1 2 3\n",
    ],
)
def test_grids_with_nonsense_in_the_header_name_the_file(tmp_path, cube, text):
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=r"top.dat.*(Export it again|export it again|no value)"):
        read_horizon(path, like=cube)


# --- what is not there ----------------------------------------------------------------------


def test_coordinates_need_those_of_the_survey(tmp_path, cube):
    bare = cube.drop_vars(["cdp_x", "cdp_y"])
    path = write(tmp_path, lines_of(points_of(cube, dipping_horizon(cube)), TEMPLATES["x y z"]))
    with pytest.raises(ValueError, match="X and Y and no line numbers, and the cube has no coord"):
        read_horizon(path, like=bare)
    with pytest.raises(ValueError, match="a ZMAP. grid in map coordinates, but the cube has no"):
        read_horizon(write(tmp_path, zmap(nodes())), like=bare)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inlines": [1]}, "`like` has the lines and the vertical axis: omit `inlines`"),
        ({"sample_interval": 4.0}, "`like` has the lines and the vertical axis"),
        ({"z_unit": "mm"}, "`z_unit` must be one of ms, s, m, km, ft, samples; got 'mm'"),
        ({"columns": ("x", "value")}, "`columns` must name all columns, .*'x', 'y', 'value' once"),
    ],
)
def test_refused_options(tmp_path, cube, options, message):
    with pytest.raises(ValueError, match=message):
        read_horizon(write(tmp_path, "100 300 1100\n"), like=cube, **options)


def test_z_unit_needs_the_survey(tmp_path):
    with pytest.raises(ValueError, match="`z_unit` is 'ms': .* known with `like`"):
        read_horizon(write(tmp_path, "100 300 1100\n"), z_unit="ms")


def test_like_must_be_a_cube_with_lines(tmp_path, cube):
    path = write(tmp_path, "100 300 1100\n")
    for like, message in (
        (np.zeros((2, 2, 2)), "DataArray with the axes inline"),
        (cube.drop_vars("inline"), "no line numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            read_horizon(path, like=like)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "431000 6780000 1e30\n431010 6780010 1e30\n",
            "no pick: all of its 2 values stand for noth",
        ),
        (
            "3.1 57.2 1080\n3.2 57.3 1081\n",
            "No two columns .* X 430912.5 to 431238.2.*'3.1 57.2 1080'",
        ),
        (" ".join(["1041.8"] * 30) + "\n", "grid of values without line numbers"),
        (
            "1 2 1080\n",
            r"no point on the lines of the survey, inlines 100-122 and crosslines 300-314",
        ),
    ],
)
def test_files_without_a_pick_on_the_survey_are_refused(tmp_path, cube, text, message):
    with pytest.raises(ValueError, match=message):
        read_horizon(write(tmp_path, text), like=cube)


# --- round trip, and files of other programs ------------------------------------------------


def test_round_trip_of_written_horizons(tmp_path, cube):
    horizon = np.where(np.indices(cube.shape[:2])[1] > 9, nan, dipping_horizon(cube))
    path = tmp_path / "top.txt"
    lines = {"inlines": cube["inline"].values, "crosslines": cube["crossline"].values}
    write_horizon(path, horizon, **lines, sample_interval=4.0, first_sample=1000.0)
    assert_allclose(read_horizon(path, like=cube).data, horizon, atol=1e-3)


def real_survey(name, columns, *, step=1, vertical):
    """A cube around the points of a real file, whose X and Y follow those of the points."""
    rows = [re.split(r"\s+", line.strip()) for line in real_file(name).read_text().splitlines()]
    rows = [row for row in rows if row[0][:1].isdigit() and len(row) > max(columns)]
    il, xl, x, y = (np.array([float(row[k]) for row in rows]) for k in columns)
    design = np.stack([np.ones(len(il)), il, xl], axis=1)
    fit = np.linalg.lstsq(design, np.stack([x, y], axis=1), rcond=None)[0]
    inlines = np.arange(il.min() - 4, il.max() + 5, step)
    crosslines = np.arange(xl.min() - 4, xl.max() + 5, step)
    i, j = np.meshgrid(inlines, crosslines, indexing="ij")
    xy = fit[0] + i[..., None] * fit[1] + j[..., None] * fit[2]
    axis, values, unit = vertical
    dims = ("inline", "crossline")
    coords = {
        "inline": inlines.astype(int),
        "crossline": crosslines.astype(int),
        axis: (axis, values, {"units": unit}),
        **{name: (dims, xy[..., k]) for k, name in enumerate(("cdp_x", "cdp_y"))},
    }
    data = np.broadcast_to(np.float32(0), (*i.shape, len(values)))
    return xarray.DataArray(data, coords, (*dims, axis))


SEGMENTS = (
    "Segment_IESX.dat",
    "Segment_ILXL_Multi-line-header.dat",
    "Segment_ILXL_No-header.dat",
    "Segment_XY-and-ILXL_Multi-line-header.dat",
    "Segment_XY_No-header_NULLs.dat",
)


def test_five_files_of_one_horizon_agree():
    named = "horizons/Segment_XY-and-ILXL_Multi-line-header.dat"
    vertical = ("twt", 4.0 * np.arange(250), "ms")
    cube = real_survey(named, (2, 3, 0, 1), step=2, vertical=vertical)
    found = [read_horizon(real_file(f"horizons/{name}"), like=cube).data for name in SEGMENTS]
    picks = [np.count_nonzero(~np.isnan(data)) for data in found]
    assert picks == [829, 829, 829, 829, 825]  # the last has four nulls
    for data in found:
        both = ~np.isnan(data) & ~np.isnan(found[1])
        assert_allclose(data[both], found[1][both], atol=0.002)  # IESX has two decimals


@pytest.mark.parametrize(
    ("name", "columns", "vertical", "n_picks"),
    [
        (
            "Nimitz_H1-part_XY-and-ILXL_Single-line-header.dat",
            (2, 3, 0, 1),
            ("twt", 4.0 * np.arange(99), "ms"),
            88,
        ),
        ("ijxyz_openworks_head.dat", (0, 1, 2, 3), ("depth", 10.0 * np.arange(2000), "m"), 169),
    ],
)
def test_real_files_are_read_on_their_survey(name, columns, vertical, n_picks):
    cube = real_survey(f"horizons/{name}", columns, vertical=vertical)
    found = read_horizon(real_file(f"horizons/{name}"), like=cube)
    assert np.count_nonzero(~np.isnan(found.data)) == n_picks


def test_real_grid_at_its_nodes():
    x, y = np.linspace(459218.9063, 460718.9063, 4), np.linspace(5924787.0, 5925787.0, 5)
    dims = ("inline", "crossline")
    coords = {
        "inline": np.arange(4),
        "crossline": np.arange(5),
        "depth": np.arange(100.0),
        "cdp_x": (dims, np.repeat(x[:, None], 5, axis=1)),
        "cdp_y": (dims, np.repeat(y[None], 4, axis=0)),
    }
    cube = xarray.DataArray(np.zeros((4, 5, 100)), coords, (*dims, "depth"))
    found = read_horizon(real_file("horizons/zmap_example.zmap"), like=cube).data
    assert_allclose(found[0], [46.5453, 45.6861, 44.5115, 43.1112, 41.8596])
    assert_allclose(found[3], [63.9811, 68.1617, nan, nan, nan])


def test_real_picks_of_a_2d_line():
    path = real_file("horizons/IESX2D_horizon_extract.txt")
    rows = [line.split() for line in path.read_text().splitlines() if line.startswith("  ")]
    rows = [row for row in rows if row[-1].startswith("276-109")]
    x, y, z = (np.array([[float(row[k]) for row in rows]]) for k in (0, 1, 4))
    dims, times = ("inline", "crossline"), 2000 + 4.0 * np.arange(600)
    coords = {"inline": [1], "crossline": np.arange(len(rows)), "twt": times}
    coords |= {"cdp_x": (dims, x.round()), "cdp_y": (dims, y.round())}
    line = xarray.DataArray(np.zeros((1, len(rows), 600)), coords, (*dims, "twt"))
    assert_allclose(2000 + 4 * read_horizon(path, like=line).data, z)
