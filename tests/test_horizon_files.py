"""Tests of the files that write_horizon makes."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfacies.horizons import read_horizon, write_horizon

xarray = pytest.importorskip("xarray")
nan = np.nan

INLINES, CROSSLINES = np.arange(200, 212, 2), np.arange(400, 410)
#: X and Y by inline and crossline number: origin, step of inlines, step of crosslines.
GEOMETRIES = {
    "along X and Y": ((450000.25, 6780000.5), (0, 12.5), (25, 0)),
    "inlines along X, southwards": ((450000.25, 6780000.5), (12.5, 0), (0, -25)),
    "turned": ((450000.25, 6780000.5), (-6.25, 10.83), (21.65, 12.5)),
}


def survey_on(geometry, unit="ms", first=100.0, step=4.0):
    """A cube without samples of its own."""
    origin, along_inlines, along_crosslines = map(np.array, GEOMETRIES[geometry])
    i, j = np.meshgrid(INLINES - 200, CROSSLINES - 400, indexing="ij")
    xy = origin + i[..., None] * along_inlines + j[..., None] * along_crosslines
    axis = "depth" if unit in ("m", "ft") else "twt"
    cube = xarray.DataArray(
        np.zeros((*i.shape, 40), np.float32),
        {"inline": INLINES, "crossline": CROSSLINES, axis: first + step * np.arange(40)},
        ("inline", "crossline", axis),
    )
    cube[axis].attrs["units"] = unit
    lines = ("inline", "crossline")
    return cube.assign_coords(cdp_x=(lines, xy[..., 0]), cdp_y=(lines, xy[..., 1]))


@pytest.fixture
def horizon():
    depths = np.random.default_rng(0).uniform(5, 35, (len(INLINES), len(CROSSLINES))).round(3)
    depths[0, 3] = depths[4] = nan
    return depths


def table(path, **options):
    return np.loadtxt(path, ndmin=2, **options)


def test_columns_hold_places_depths_uncertainty_and_thickness(tmp_path, horizon):
    cube, path = survey_on("turned"), tmp_path / "top.txt"
    thickness = np.where(horizon > 20, nan, 2.5)
    more = {"uncertainty": horizon / 10, "thickness": thickness}
    write_horizon(path, horizon, like=cube, **more)
    title = path.read_text().splitlines()[0]
    assert title == "# inline crossline x y value(ms) uncertainty(ms) thickness(ms)"
    cells = table(path)
    rows, traces = np.nonzero(~np.isnan(horizon))
    assert_array_equal(cells[:, 0], INLINES[rows])
    assert_array_equal(cells[:, 1], CROSSLINES[traces])
    assert_allclose(cells[:, 2], cube.cdp_x.values[rows, traces], rtol=0, atol=1e-9)
    assert_allclose(cells[:, 3], cube.cdp_y.values[rows, traces], rtol=0, atol=1e-9)
    known = horizon[rows, traces]
    assert_allclose(cells[:, 4], 100 + 4 * known, atol=6e-4)
    assert_allclose(cells[:, 5], 4 * known / 10, atol=6e-4)
    assert_array_equal(cells[:, 6], np.where(known > 20, 1e30, 10))


def test_xyz_holds_no_line_numbers(tmp_path, horizon):
    cube, path = survey_on("turned", unit="m"), tmp_path / "top.xyz"
    write_horizon(path, horizon, format="xyz", like=cube, delimiter=",")
    assert path.read_text().splitlines()[0] == "# x,y,value(m)"
    known = ~np.isnan(horizon)
    cells = table(path, delimiter=",")
    assert_allclose(cells[:, 0], cube.cdp_x.values[known], rtol=0, atol=1e-9)
    assert_allclose(cells[:, 1], cube.cdp_y.values[known], rtol=0, atol=1e-9)
    assert_allclose(cells[:, 2], 100 + 4 * horizon[known], atol=6e-4)


def test_charisma_lines_have_nine_cells(tmp_path, horizon):
    cube, path = survey_on("turned"), tmp_path / "top.charisma"
    write_horizon(path, horizon, format="charisma", like=cube)
    lines = [line.split() for line in path.read_text().splitlines()]
    rows, traces = np.nonzero(~np.isnan(horizon))
    assert {(*line[:2], *line[3:5], len(line)) for line in lines} == {
        ("INLINE", ":", "XLINE", ":", 9)
    }
    cells = np.array([[*line[2:6:3], *line[6:]] for line in lines], dtype=float)
    assert_array_equal(cells[:, :2], np.column_stack([INLINES[rows], CROSSLINES[traces]]))
    assert_allclose(cells[:, 2], cube.cdp_x.values[rows, traces], rtol=0, atol=1e-9)
    assert_allclose(cells[:, 3], cube.cdp_y.values[rows, traces], rtol=0, atol=1e-9)
    assert_allclose(cells[:, 4], 100 + 4 * horizon[rows, traces], atol=6e-4)


def read_zmap_slowly(path):
    """Values by (x, y) of a ZMAP+ file: columns from the west, each from north to south."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("!")]
    assert re.fullmatch(r"@\S+ HEADER, GRID, 5", lines[0])
    width, null, _, decimals, first = (cell.strip() for cell in lines[1].split(","))
    assert (width, decimals, first, lines[4]) == ("15", "3", "1", "@")
    cells = [cell.strip() for cell in lines[2].split(",")]
    n_rows, n_columns = map(int, cells[:2])
    west, east, south, north = map(float, cells[2:])
    body, nodes = iter(lines[5:]), {}
    for x in np.linspace(west, east, n_columns):
        column = []
        while len(column) < n_rows:  # each column begins a line
            line = next(body)
            column += [line[k : k + 15] for k in range(0, len(line), 15)]
        for y, cell in zip(np.linspace(north, south, n_rows), column, strict=True):
            value = float(cell)
            nodes[round(x, 3), round(y, 3)] = nan if value == float(null) else value
    assert next(body, None) is None
    return nodes


@pytest.mark.parametrize("geometry", ["along X and Y", "inlines along X, southwards"])
def test_nodes_of_a_zmap_grid_are_the_traces(tmp_path, horizon, geometry):
    cube, path = survey_on(geometry), tmp_path / "top chalk.zmap"
    write_horizon(path, horizon, format="zmap", like=cube)
    nodes = read_zmap_slowly(path)
    assert len(nodes) == horizon.size
    for i, j in np.ndindex(horizon.shape):
        at = round(float(cube.cdp_x[i, j]), 3), round(float(cube.cdp_y[i, j]), 3)
        assert_allclose(nodes[at], 100 + 4 * horizon[i, j], atol=6e-4)


def test_lines_that_are_missing_are_empty_nodes(tmp_path, horizon):
    cube, path = survey_on("along X and Y"), tmp_path / "top.zmap"
    chosen = [0, 1, 3, 4, 5]
    write_horizon(path, horizon[chosen], format="zmap", like=cube[chosen])
    nodes = read_zmap_slowly(path)
    assert len(nodes) == horizon.size
    absent = [at for at, value in nodes.items() if np.isnan(value)]
    assert len(absent) == np.isnan(horizon[chosen]).sum() + horizon.shape[1]


def test_rounded_coordinates_are_still_a_grid(tmp_path, horizon):
    cube, path = survey_on("along X and Y"), tmp_path / "top.zmap"
    cube = cube.assign_coords(cdp_x=cube.cdp_x.round(), cdp_y=cube.cdp_y.round())
    write_horizon(path, horizon, format="zmap", like=cube)
    assert len(read_zmap_slowly(path)) == horizon.size


def test_turned_and_crooked_surveys_are_refused_as_zmap(tmp_path, horizon):
    path = tmp_path / "top.zmap"
    with pytest.raises(ValueError, match=r"turned by 30.0 degrees .* Use format='xyz'"):
        write_horizon(path, horizon, format="zmap", like=survey_on("turned"))
    crooked = survey_on("along X and Y")
    crooked.cdp_x.values[2] += 10
    with pytest.raises(ValueError, match="not on a regular grid: those of row 2"):
        write_horizon(path, horizon, format="zmap", like=crooked)
    line = survey_on("along X and Y")[:1]
    with pytest.raises(ValueError, match="several inlines and crosslines"):
        write_horizon(path, horizon[:1], format="zmap", like=line)
    assert not list(tmp_path.iterdir())


def test_a_horizon_with_coordinates_needs_no_survey(tmp_path, horizon):
    cube = survey_on("turned")
    own = cube.isel(twt=0, drop=True).copy(data=horizon)
    write_horizon(tmp_path / "a.txt", horizon, like=cube)
    write_horizon(tmp_path / "b.txt", own, sample_interval=4, first_sample=100)
    write_horizon(tmp_path / "c.txt", own.transpose(), sample_interval=4, first_sample=100)
    first, second, third = (table(tmp_path / f"{name}.txt") for name in "abc")
    assert_array_equal(first, second)
    assert_array_equal(first, third)


def test_depths_in_samples_where_the_survey_has_no_times(tmp_path, horizon):
    cube = survey_on("turned").drop_vars("twt")
    write_horizon(tmp_path / "top.txt", horizon, like=cube)
    assert (tmp_path / "top.txt").read_text().startswith("# inline crossline x y value\n")
    assert_allclose(table(tmp_path / "top.txt")[:, 4], horizon[~np.isnan(horizon)], atol=6e-4)


def test_points_without_place_are_left_out_with_a_warning(tmp_path, horizon):
    cube = survey_on("turned")
    cube.cdp_x.values[0, 0] = nan
    with pytest.warns(UserWarning, match="1 of 49 points are left out"):
        write_horizon(tmp_path / "top.xyz", horizon, format="xyz", like=cube)
    assert len(table(tmp_path / "top.xyz")) == 48
    write_horizon(tmp_path / "top.txt", horizon, like=cube)
    assert table(tmp_path / "top.txt")[0, 2] == 1e30


def test_null_value_stands_for_absent_contacts(tmp_path, horizon):
    path = tmp_path / "top.txt"
    for format in ("xyz", "charisma"):
        write_horizon(path, horizon, like=survey_on("turned"), format=format, null_value=-999.25)
        last = [float(line.split()[-1]) for line in path.read_text().splitlines()[-60:]]
        assert last.count(-999.25) == np.isnan(horizon).sum()


def test_coordinates_keep_their_decimals(tmp_path):
    x, y = np.array([[4.123456, 4.2]]), np.array([[52.1, 52.25]])
    lines = {"inlines": [1], "crosslines": [1, 2], "x": x, "y": y}
    write_horizon(tmp_path / "top.xyz", [[1.0, 2.0]], format="xyz", **lines)
    assert_array_equal(table(tmp_path / "top.xyz")[:, :2], np.column_stack([x[0], y[0]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "petrel"}, "`format` must be one of 'inline-crossline', 'xyz'"),
        (
            {"format": "charisma", "uncertainty": 1},
            "`uncertainty` has no place in format='charisma'",
        ),
        ({"format": "zmap", "thickness": 1}, "`thickness` has no place in format='zmap'"),
        ({"uncertainty": [[1.0]]}, "`uncertainty` must have shape"),
        ({"inlines": range(6)}, r"`inlines` \(6, 0 to 5\) differ from those of `like`"),
        ({"x": 1}, "`x` and `y` must be given together"),
        ({"x": [[1]], "y": [[1]]}, "`x` and `y` must be numbers of shape"),
        ({"null_value": nan}, "`null_value` must be a number"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, horizon, options, message):
    with pytest.raises(ValueError, match=message):
        write_horizon(tmp_path / "top", horizon, like=survey_on("turned"), **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", ["xyz", "charisma", "zmap"])
def test_formats_with_x_and_y_need_them(tmp_path, horizon, format):
    cube = survey_on("turned").drop_vars(["cdp_x", "cdp_y"])
    with pytest.raises(ValueError, match=f"format='{format}' needs X and Y of the traces"):
        write_horizon(tmp_path / "top", horizon, format=format, like=cube)


def test_depths_that_look_absent_are_refused_in_a_zmap_grid(tmp_path, horizon):
    cube = survey_on("along X and Y", first=1e5)
    with pytest.raises(ValueError, match="would take for absent"):
        write_horizon(tmp_path / "top", horizon, format="zmap", like=cube)


@pytest.mark.parametrize("unit", ["ms", "s", "m", "ft", None])
@pytest.mark.parametrize("geometry", list(GEOMETRIES))
@pytest.mark.parametrize("format", ["inline-crossline", "xyz", "charisma", "zmap"])
def test_files_read_back_as_they_were(tmp_path, horizon, format, geometry, unit):
    if format == "zmap" and geometry == "turned":
        pytest.skip("no grid along X and Y")
    seconds = {"first": 0.1, "step": 0.004, "unit": "s"}
    cube = survey_on(geometry, **(seconds if unit == "s" else {"unit": unit or "ms"}))
    cube = cube if unit else cube.drop_vars("twt")
    path = tmp_path / "top.dat"
    more = {"uncertainty": 0.1 * horizon} if format in ("inline-crossline", "xyz") else {}
    write_horizon(path, horizon, format=format, like=cube, **more)
    assert_allclose(read_horizon(path, like=cube).data, horizon, atol=6e-4)
    # On the traces of a part of the survey, too.
    part = cube[1:, 2:]
    assert_allclose(read_horizon(path, like=part).data, horizon[1:, 2:], atol=6e-4)


def test_lines_in_descending_order_read_back_as_they_were(tmp_path, horizon):
    cube = survey_on("along X and Y")[::-1, ::-1]
    for format in ("inline-crossline", "xyz", "charisma", "zmap"):
        write_horizon(tmp_path / "top.dat", horizon[::-1, ::-1], format=format, like=cube)
        found = read_horizon(tmp_path / "top.dat", like=cube).data
        assert_allclose(found, horizon[::-1, ::-1], atol=6e-4)
