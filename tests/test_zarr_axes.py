"""Axes of cubes in Zarr stores: found by name, whatever their order."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfacies._cubes.axes import axes_by_name, unit_of
from skfacies.io import open_cube, write_cube

xarray = pytest.importorskip("xarray")
zarr = pytest.importorskip("zarr")

DATA = np.arange(3 * 4 * 5, dtype="f4").reshape(3, 4, 5)
TIMES = 4 * np.arange(5)
LINES = {"inline": np.arange(100, 103), "crossline": np.arange(300, 304)}


def store(path, names, order=(0, 1, 2), *, data=DATA, attrs=None, times=TIMES, **more):
    """Write a dataset whose axes have other names and another order."""
    coords = dict(zip(names, [*LINES.values(), times], strict=False))
    cube = xarray.DataArray(data, coords, names, name="data")
    cube[names[2]].attrs.update(attrs or {})
    cube = cube.assign_coords({k: (names[:2], v) for k, v in more.items()})
    cube.transpose(*(names[k] for k in order), ...).to_dataset().to_zarr(path, consolidated=False)
    return path


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2), (2, 1, 0)])
@pytest.mark.parametrize(
    ("names", "vertical"),
    [
        (("iline", "xline", "twt"), "twt"),
        (("IL", "XL", "Time"), "twt"),
        (("Inline", "Crossline", "Depth"), "depth"),
        (("iline", "xline", "samples"), "twt"),
        (("in_line", "x-line", "Z"), "depth"),
        (("il", "cdp", "TWT"), "twt"),
        (("inline", "crossline", "time"), "time"),
        (("inline", "crossline", "level"), "level"),
    ],
)
def test_known_names_decide(tmp_path, names, vertical, order):
    x = np.arange(12.0).reshape(3, 4)
    cube = open_cube(store(tmp_path / "a.zarr", names, order, cdp_x=x))
    assert cube.dims == ("inline", "crossline", vertical)
    assert_array_equal(cube, DATA)
    assert_array_equal(cube.sel(inline=101, crossline=302), DATA[1, 2])
    assert_array_equal(cube.cdp_x, x)
    assert_array_equal(cube[vertical], 4 * np.arange(5))


@pytest.mark.parametrize(
    "names", [("dim_0", "dim_1", "dim_2"), ("x", "y", "z"), ("phony_dim_3", "phony_dim_4", "5")]
)
def test_names_that_say_nothing_go_by_position(names):
    assert axes_by_name(names, "depth") == ("inline", "crossline", "depth")


@pytest.mark.parametrize(
    "names",
    [
        ("time", "x", "y"),
        ("z", "y", "x"),
        ("shot", "channel", "time"),
        ("inline", "offset", "time"),
        ("iline", "il", "time"),
        ("inline", "time", "depth"),
        ("easting", "northing", "elevation"),
    ],
)
def test_an_unknown_mix_of_names_is_refused(tmp_path, names):
    with pytest.raises(ValueError, match=rf"a.zarr has the axes .*{names[1]}.*Rename them to"):
        open_cube(store(tmp_path / "a.zarr", names))


@pytest.mark.parametrize("last", ["facies", "class", "band"])
def test_probabilities_keep_facies_last(tmp_path, last):
    data = np.stack([DATA, -DATA], axis=3)
    names = ("iline", "xline", "twt", last)
    cube = open_cube(store(tmp_path / "a.zarr", names, (2, 0, 1), data=data))
    assert cube.dims == ("inline", "crossline", "twt", "facies")
    assert_array_equal(cube, data)


@pytest.mark.parametrize(
    ("name", "attrs", "times", "unit"),
    [
        ("time", {}, 4 * np.arange(5), "ms"),
        ("time", {"units": "s"}, 0.004 * np.arange(5), "s"),
        ("twt", {}, 0.004 * np.arange(5), "s"),
        ("depth", {}, 5 * np.arange(5), "m"),
        ("depth", {"units": "ft"}, 5 * np.arange(5), "ft"),
        ("z", {}, 5 * np.arange(5), "m"),
        ("samples", {}, 4 * np.arange(5), "ms"),
    ],
)
def test_units_are_those_of_the_axis(tmp_path, name, attrs, times, unit):
    names = ("iline", "xline", name)
    cube = open_cube(store(tmp_path / "a.zarr", names, attrs=attrs, times=times))
    assert cube[cube.dims[2]].attrs["units"] == unit
    assert_array_equal(cube[cube.dims[2]], times)
    assert unit_of(cube.dims[2], times, cube[cube.dims[2]].attrs) == unit


def test_seconds_become_milliseconds_in_segy(tmp_path):
    names = ("iline", "xline", "time")
    path = store(tmp_path / "a.zarr", names, attrs={"units": "s"}, times=0.004 * np.arange(5))
    written = open_cube(write_cube(tmp_path / "a.sgy", open_cube(path)))
    assert_array_equal(written.twt, 4 * np.arange(5))
    assert_array_equal(written, DATA)


def test_cubes_with_other_names_are_written_by_them(tmp_path):
    coords = dict(zip(("il", "xl", "time"), [*LINES.values(), TIMES], strict=True))
    cube = xarray.DataArray(DATA, coords, list(coords)).transpose("time", "il", "xl")
    written = open_cube(write_cube(tmp_path / "a.sgy", cube))
    assert_array_equal(written, DATA)
    assert_array_equal(written.inline, LINES["inline"])


def test_mdio_datasets_open(tmp_path):
    """As version 1 has them: headers of traces and a mask beside the amplitudes."""
    path = store(tmp_path / "a.mdio", ("inline", "crossline", "time"))
    group = zarr.open_group(path, mode="r+")
    mask = np.arange(12).reshape(3, 4) != 5
    group.create_array(
        "trace_mask", shape=(3, 4), dtype=bool, dimension_names=("inline", "crossline")
    )[:] = mask
    cube = open_cube(path)
    assert_array_equal(cube, DATA)
    assert_array_equal(cube.live, mask)
    with pytest.raises(ValueError, match="must end in .sgy, .segy, .zarr, .npy; got"):
        write_cube(tmp_path / "b.mdio", cube)


@pytest.mark.parametrize("coordinates", [True, False])
def test_older_mdio_stores_open(tmp_path, coordinates):
    group = zarr.open_group(tmp_path / "a.mdio", mode="w", zarr_format=2)
    data, metadata = group.create_group("data"), group.create_group("metadata")
    data.create_array("chunked_012", shape=DATA.shape, dtype="f4", chunks=(2, 2, 5))[:] = DATA
    metadata.create_array("live_mask", shape=(3, 4), dtype=bool)[:] = True
    values = [*LINES.values(), 4 * np.arange(5)]
    if coordinates:
        names = ("inline", "crossline", "sample")
        group.attrs["dimension"] = [
            {"name": name, "coords": own.tolist()} for name, own in zip(names, values, strict=True)
        ]
    cube = open_cube(tmp_path / "a.mdio")
    assert cube.dims == ("inline", "crossline", "twt")
    assert_array_equal(cube, DATA)
    if coordinates:
        assert_array_equal(cube.sel(inline=102, crossline=300), DATA[2, 0])
