"""Horizons that belong together, and units picked as intervals."""

import numpy as np
import pytest
from numpy import nan
from numpy.testing import assert_allclose, assert_array_equal
from surveys import dipping_horizon, points_of, turned_survey

from skfacies.horizons import labels_from_horizons, read_horizons, read_intervals
from skfacies.horizons._intervals import find_intervals
from skfacies.horizons._lazy import HorizonLabels
from skfacies.horizons._survey import Survey

pytest.importorskip("xarray")


@pytest.fixture
def cube():
    return turned_survey()


def write_points(path, cube, horizon):
    points = points_of(cube, horizon)
    rows = [f"{x:.2f} {y:.2f} {z:.4f}\n" for *_, x, y, z in points if not np.isnan(z)]
    path.write_text("".join(rows))
    return path


@pytest.fixture
def files(tmp_path, cube):
    """Two horizons that cross on the last three inlines."""
    top, base = dipping_horizon(cube), dipping_horizon(cube) + 20
    base[-3:] = top[-3:] - [[2], [5], [8]]
    return [
        write_points(tmp_path / f"{name}.xyz", cube, horizon)
        for name, horizon in (("top_chalk", top), ("base_chalk", base))
    ]


def test_horizons_are_named_after_their_files(tmp_path, cube):
    paths = [
        write_points(tmp_path / f"{name}.xyz", cube, dipping_horizon(cube, first))
        for name, first in (("Top Chalk", 10), ("Top Salt", 40))
    ]
    found = read_horizons(paths, like=cube)
    assert found.names == ["Top Chalk", "Top Salt"]
    assert found.units == ["above Top Chalk", "Top Chalk to Top Salt", "below Top Salt"]
    assert_allclose(found.data[1] - found.data[0], 30, atol=1e-3)
    assert read_horizons(paths[0], like=cube, names=["sea bed"]).units == [
        "above sea bed",
        "below sea bed",
    ]


def test_crossing_horizons_are_refused_with_the_place(cube, files):
    with pytest.raises(
        ValueError,
        match=r"'base_chalk' lies above 'top_chalk', which should be shallower, on 30 of 180 "
        r"traces, by up to 8 samples \(32 ms\) at inline 122, crossline 30\d\..*crossing='clip'",
    ):
        read_horizons(files, like=cube)


def test_deeper_horizons_are_moved_down_where_they_cross(cube, files):
    found = read_horizons(files, like=cube, crossing="clip")
    assert_allclose(found.data[1, -3:], found.data[0, -3:])
    assert_allclose(found.data[1, :-3] - found.data[0, :-3], 20, atol=1e-3)
    assert any("moved down to top_chalk" in note and "30 of 180" in note for note in found.notes)


def test_small_crossings_are_normal(tmp_path, cube):
    top = dipping_horizon(cube)
    base = top + np.where(np.indices(top.shape)[0] < 6, 10, -1.5)
    paths = [
        write_points(tmp_path / f"{name}.xyz", cube, horizon)
        for name, horizon in (("top", top), ("base", base))
    ]
    found = read_horizons(paths, like=cube)
    assert (found.data[1] >= found.data[0]).all()
    assert not any("moved" in note for note in found.notes)


def test_horizons_of_one_file_are_chosen_by_name(tmp_path, cube):
    path = tmp_path / "all.csv"
    rows = "".join(
        f"{name},{il:.0f},{xl:.0f},{z + shift}\n"
        for name, shift in (("Top Chalk", 0), ("Top Salt", 40))
        for il, xl, _, _, z in points_of(cube, dipping_horizon(cube))
    )
    path.write_text("Horizon,Line,Trace,Time\n" + rows)
    found = read_horizons([(path, "Top Chalk"), (path, "Top Salt")], like=cube)
    assert found.names == ["Top Chalk", "Top Salt"]
    assert_allclose(found.data, np.stack([dipping_horizon(cube), dipping_horizon(cube) + 10]))
    with pytest.raises(
        ValueError, match=r"Choose one, such as name='Top Chalk'; .* all.csv:Top Ch"
    ):
        read_horizons([path], like=cube)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paths": []}, "`paths` has no file"),
        ({"crossing": "cut"}, "`crossing` must be 'raise' or 'clip'; got 'cut'"),
        ({"names": ["a", "a"]}, "`names` must be 2 different names, one for each file"),
        ({"names": ["a"]}, "`names` must be 2 different names"),
    ],
)
def test_refused_arguments(cube, files, change, message):
    with pytest.raises(ValueError, match=message):
        read_horizons(**{"paths": files, "like": cube, **change})


def test_order_and_twins_of_files(tmp_path, cube):
    paths = [
        write_points(tmp_path / f"{name}.xyz", cube, dipping_horizon(cube, first))
        for name, first in (("deep", 40), ("shallow", 10))
    ]
    with pytest.raises(ValueError, match="'shallow' lies above .* medians: 'shallow' .*'deep' "):
        read_horizons(paths, like=cube)
    with pytest.raises(ValueError, match="different names, as horizons are named after them"):
        read_horizons([paths[0], paths[0]], like=cube)


@pytest.mark.parametrize(
    "key", [3, slice(2, 7), (slice(1, 4), 5), (slice(None), slice(2, 9), 4), (2, 3)]
)
def test_labels_made_on_demand_equal_those_made_at_once(cube, key):
    horizons = np.stack([dipping_horizon(cube), dipping_horizon(cube) + 9])
    horizons[0, :, 4:8], horizons[:, 5] = nan, nan

    lazy = HorizonLabels(horizons, 101, "unknown")
    whole = labels_from_horizons(horizons, 101, missing="unknown")
    assert (lazy.shape, len(lazy)) == (whole.shape, len(whole))
    assert_array_equal(lazy[key], whole[key])


# --- intervals ------------------------------------------------------------------------------


def read(tmp_path, cube, text, **options):
    path = tmp_path / "picks.txt"
    path.write_text(text)
    return read_intervals(path, like=cube, **options)


def test_intervals_label_their_samples_and_nothing_else(tmp_path, cube):
    found = read(tmp_path, cube, "102 304 1010 1022 salt\n110 314 1100 1400 basement rock\n")
    expected = np.full(cube.shape, -1)
    expected[1, 4, 3:6] = 0
    expected[5, 14, 25:100] = 1
    assert found.classes == {0: "salt", 1: "basement rock"}
    assert_array_equal(found.labels, expected)


@pytest.mark.parametrize(
    "text",
    [
        "inline crossline top base class\n102 304 1010 1022 top salt\n",
        "# line trace z_top z_base class\n102 304 1010 1022 top salt\n",
        "class,base,top,crossline,inline\ntop salt,1022,1010,304,102\n",
        "102;304;1010;1022;top salt\n",
        '102\t304\t1010\t1022\t"top salt"\n',
        "! by hand\n\n102.0 304.00 1010 1022 top salt\n",
        "inline crossline top(s) base(s) class\n102 304 1.010 1.022 top salt\n",
    ],
)
def test_layouts_of_intervals(tmp_path, cube, text):
    found = read(tmp_path, cube, text)
    assert found.classes == {0: "top salt"}
    assert_array_equal(np.argwhere(found.labels == 0), [[1, 4, 3], [1, 4, 4], [1, 4, 5]])


def test_ranges_of_lines_and_places_by_x_and_y(tmp_path, cube):
    found = read(tmp_path, cube, "100-106 300-302 1000 1008 a\n")
    assert_array_equal(
        np.argwhere((found.labels == 0).all(axis=2) | (found.labels[..., 0] == 0)),
        [[i, j] for i in range(4) for j in range(3)],
    )
    x, y = (float(cube[name][7, 8]) for name in ("cdp_x", "cdp_y"))
    found = read(tmp_path, cube, f"x y top base class\n{x + 3} {y - 2} 1000 1008 a\n")
    assert_array_equal(np.argwhere(found.labels == 0), [[7, 8, 0], [7, 8, 1]])


def test_labels_of_classes(tmp_path, cube):
    text = "100 300 1300 1340 deep\n100 300 1000 1040 shallow\n"
    assert read(tmp_path, cube, text).classes == {0: "shallow", 1: "deep"}
    order = ["deep", "none", "shallow"]
    found = read(tmp_path, cube, text, classes=order, ignore_label=9)
    assert found.classes == {0: "deep", 1: "none", 2: "shallow"}
    assert np.unique(found.labels).tolist() == [0, 2, 9]
    found = read(tmp_path, cube, text.replace("deep", "7").replace("shallow", "3"))
    assert found.classes == {3: "3", 7: "7"}
    out = np.zeros(cube.shape, np.int8)
    assert read(tmp_path, cube, text, out=out).labels is out
    assert np.unique(out).tolist() == [-1, 0, 1]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "102 304 1010 salt\n",
            {},
            "Line 1 of .* has 4 columns.*a line is: inline crossline top base",
        ),
        ("102 304 1010 x salt\n", {}, "Line 1 of .*'x' is no number, expected the base"),
        ("102.5 304 1010 1020 salt\n", {}, "'102.5' is no whole number or range .* the inline"),
        ("102 304 1020 1010 salt\n", {}, "Line 1 of .* the base 1010 not below the top 1020. Swap"),
        ("1 304 1010 1020 salt\n", {}, "no interval on the survey, inlines 100-122 and crosslines"),
        ("# nothing\n", {}, "has no interval"),
        (
            "102 304 1010 1020 salt\n",
            {"classes": ["sand"]},
            "the class 'salt', which is not one of",
        ),
        (
            "102 304 1010 1020 salt\n",
            {"ignore_label": 0},
            "`ignore_label` 0 is the label of .*'salt'",
        ),
        ("102 304 101 120 a\n", {"z_unit": "mm"}, "`z_unit` must be one of"),
        ("102 304 20 60 a\n", {}, "They could be samples: give z_unit='samples'"),
        (
            "102 304 1000 1100 a\n102 304 1010 1020 a\n# c\n102 304 1040 1060 b\n",
            {},
            "Lines 1 and 4 of .* overlap at inline 102, crossline 304: 'a' and 'b'.* on 1 traces",
        ),
    ],
)
def test_refused_intervals(tmp_path, cube, text, options, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, cube, text, **options)


def test_intervals_outside_of_the_survey_are_counted(tmp_path, cube):
    text = "102 304 1010 1022 salt\n2 304 1010 1022 salt\n2 305 1010 1022 salt\n"
    with pytest.warns(UserWarning, match="2 of the 3 intervals .* are not on the survey") as caught:
        read(tmp_path, cube, text)
    assert caught[0].filename.endswith("test_horizon_stack.py")


def test_intervals_that_touch_or_agree_are_one_class_each(tmp_path, cube):
    path = tmp_path / "picks.txt"
    path.write_text("102 304 1000 1008 a\n102 304 1008 1016 b\n102 304 1012 1020 b\n")
    labels, names, _ = find_intervals(path, Survey(cube))
    assert labels[1, 4, :6].tolist() == [0, 0, 1, 1, 1, -1]
    assert names == {0: "a", 1: "b"}
