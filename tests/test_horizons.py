"""Tests of skfacies.horizons."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from real_data import real_file

from skfacies import horizons as horizons_module
from skfacies.datasets import make_facies_cube
from skfacies.horizons import (
    horizons_from_labels,
    labels_from_horizons,
    read_horizon,
    write_horizon,
)

nan = np.nan
#: Whatever chance draws may be implausible.
IMPLAUSIBLE = pytest.mark.filterwarnings("ignore::UserWarning")


def label_slowly(horizons, n_samples, missing="absent", ignore_label=-1):
    """Sample by sample: which contact that is there lies last above it?"""
    labels = np.empty((*horizons.shape[1:], n_samples), dtype=int)
    for where in np.ndindex(labels.shape):
        trace, z = horizons[(slice(None), *where[:-1])], where[-1]
        unit, deepest = 0, -np.inf
        for k, depth in enumerate(trace):
            if np.isnan(depth):
                continue
            deepest = max(deepest, depth)
            if deepest <= z:
                unit = k + 1
        unknown = missing == "unknown" and unit < len(trace) and np.isnan(trace[unit])
        bare = np.isnan(trace).all()
        labels[where] = ignore_label if unknown or bare else unit
    return labels


def find_slowly(labels, units, pinch_out):
    """Trace by trace."""
    horizons = np.full((len(units) - 1, *labels.shape[:-1]), nan)
    for k in range(1, len(units)):
        for trace in np.ndindex(labels.shape[:-1]):
            wanted = units[k:] if pinch_out == "follow" else units[k : k + 1]
            found = [z for z, label in enumerate(labels[trace]) if label in wanted]
            if found and (found[0] == 0 or labels[trace][found[0] - 1] in units):
                horizons[(k - 1, *trace)] = found[0]
    return horizons


@st.composite
def stacks(draw, depths):
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    size = int(np.prod(shape))
    values = draw(st.lists(depths, min_size=size, max_size=size))
    return np.array(values, dtype=float).reshape(shape)


# --- labels from horizons -------------------------------------------------------------------


@IMPLAUSIBLE
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    horizons=stacks(st.one_of(st.just(nan), st.floats(-3, 12), st.integers(-2, 11))),
    n_samples=st.integers(1, 9),
    missing=st.sampled_from(["absent", "unknown"]),
)
def test_labels_equal_those_found_sample_by_sample(horizons, n_samples, missing):
    try:
        made = labels_from_horizons(horizons, n_samples, missing=missing)
    except ValueError:  # all outside of the cube, or out of order
        reject()
    assert_array_equal(made, label_slowly(horizons, n_samples, missing))


def test_labels_of_a_synthetic_survey_come_back_with_its_dead_traces():
    survey = make_facies_cube((8, 30, 64), 5, dead_traces=0.2, random_state=3)
    made = labels_from_horizons(survey.horizons, 64)
    assert_array_equal(made, survey.target)
    assert made.dtype == np.int8


def column(depths, n_samples=6, **options):
    """Labels of one trace, beside others with nothing out of the way."""
    others = np.linspace(1, n_samples - 1, len(depths))
    section = np.column_stack([depths, *[others] * 3])
    return labels_from_horizons(section, n_samples, **options)[0].tolist()


@IMPLAUSIBLE
@pytest.mark.parametrize(
    ("depths", "labels"),
    [
        ([2, 4], [0, 0, 1, 1, 2, 2]),
        ([1.2, 3.9], [0, 0, 1, 1, 2, 2]),
        ([nan, 4], [0, 0, 0, 0, 2, 2]),
        ([2, nan], [0, 0, 1, 1, 1, 1]),
        ([4, 2], [0, 0, 0, 0, 2, 2]),
        ([-5, 3], [1, 1, 1, 2, 2, 2]),
        ([-np.inf, 6], [1] * 6),
        ([5.5, 100], [0] * 6),
        ([nan, nan], [-1] * 6),
    ],
    ids=[
        "whole",
        "fractional",
        "pinched out",
        "deepest absent",
        "crossing",
        "above the top",
        "below the base",
        "all below the last sample",
        "bare",
    ],
)
def test_rule_for_one_trace(depths, labels):
    assert column(depths) == labels


def test_unknown_contacts_leave_samples_without_label():
    assert column([nan, 4], missing="unknown") == [-1, -1, -1, -1, 2, 2]
    assert column([2, nan], missing="unknown") == [0, 0, -1, -1, -1, -1]


def test_bare_traces_can_have_a_label():
    assert column([nan, nan], bare_label=0) == [0] * 6
    assert column([nan, nan], bare_label=0, missing="unknown") == [0] * 6


def test_named_units_and_dict_of_horizons():
    section = {"top chalk": np.array([1.0, nan]), "top salt": np.array([2.0, 2.0])}
    labels = labels_from_horizons(section, 3, units=["shale", "chalk", "salt"])
    assert labels.tolist() == [["shale", "chalk", "salt"], ["shale", "shale", "salt"]]


def test_type_does_not_depend_on_whether_something_is_ignored():
    for depth in (1.0, nan):
        assert labels_from_horizons([[depth]], 3, units=[0, 200]).dtype == np.int16
    assert labels_from_horizons([[1.0]], 3, units=[0, 200], ignore_label=255).dtype == np.uint8


def test_data_arrays_may_have_transposed_axes():
    xarray = pytest.importorskip("xarray")
    survey = make_facies_cube((5, 7, 32), 3, random_state=0)
    stack = xarray.DataArray(survey.horizons, dims=("contact", "inline", "crossline"))
    for given_ in (
        stack.transpose("crossline", "inline", "contact"),
        [horizon.transpose("crossline", "inline") for horizon in stack],
    ):
        assert_array_equal(labels_from_horizons(given_, 32), survey.target)


def test_labels_are_written_into_out_slab_by_slab(tmp_path, monkeypatch):
    survey = make_facies_cube((9, 10, 32), 3, random_state=0)
    monkeypatch.setattr(horizons_module, "SAMPLES_AT_ONCE", 2 * 10 * 32)
    path = tmp_path / "labels.npy"
    out = np.lib.format.open_memmap(path, mode="w+", shape=(9, 10, 32), dtype=np.uint8)
    assert labels_from_horizons(survey.horizons, 32, out=out) is out
    assert_array_equal(np.load(path), survey.target)


def test_memory_is_flat(tmp_path, monkeypatch):
    """Both ways, of a cube on disk that is many times what is held."""
    monkeypatch.setattr(horizons_module, "SAMPLES_AT_ONCE", 2**14)
    shape = (512, 64, 128)
    out = np.lib.format.open_memmap(tmp_path / "y.npy", mode="w+", shape=shape, dtype=np.int8)
    horizons = np.sort(np.random.default_rng(0).integers(1, 127, (2, *shape[:2])), axis=0)
    horizons = horizons.astype(np.float32)
    tracemalloc.start()
    labels_from_horizons(horizons, shape[2], out=out)
    found = horizons_from_labels(out, units=[0, 1, 2])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_array_equal(found, horizons)
    assert peak < 2e6 < out.nbytes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizons": np.zeros(3)}, r"`horizons` must be numbers of shape \(n_horizons, n_inlines"),
        ({"horizons": [np.zeros(3), np.zeros(4)]}, r"of one shape.*got shapes \(3,\), \(4,\)"),
        ({"horizons": []}, "got shapes of none"),
        ({"n_samples": 0}, "`n_samples` must be a positive integer; got 0"),
        ({"units": [0, 1]}, "`units` must be 3 labels for 2 horizons; got"),
        ({"units": [0, 1, 1]}, "`units` must be two or more different labels"),
        ({"units": [0, 1, -1]}, "without ignore_label=-1"),
        ({"missing": "zero"}, "`missing` must be 'absent' or 'unknown'; got 'zero'"),
        ({"units": ["a", "b", "c"]}, "ignore_label=-1.*Give an `ignore_label` such as 'unknown'"),
        (
            {"horizons": np.full((2, 3), 9.0)},
            "All picks lie outside of the cube: depths are 9 to 9",
        ),
        ({"ignore_label": None}, "some samples are not interpreted, and ignore_label=None"),
        ({"out": np.empty((1, 6), np.uint8)}, r"labels \[-1, 0, 1, 2\] cannot be held by `out`"),
        ({"out": np.empty((2, 6), np.int8)}, r"`out` must have shape \(1, 6\); got \(2, 6\)"),
    ],
)
def test_refused_horizons_and_options(options, message):
    arguments = {"horizons": np.full((2, 1), nan), "n_samples": 6, **options}
    with pytest.raises(ValueError, match=message):
        labels_from_horizons(**arguments)


# --- horizons that cannot be right ----------------------------------------------------------

SLOPE = np.linspace(0, 8, 100).reshape(10, 10)  # samples
SURVEY = np.stack([100 + SLOPE, 200 + SLOPE, 300 + SLOPE])


@pytest.mark.parametrize(
    ("horizons", "message"),
    [
        (SURVEY[:1] * 4 + 1200, r"1600 to 1632 samples, and traces have 462.*sample_interval=4\."),
        (SURVEY * 2.5 + 300, r"look like milliseconds.*sample_interval=\d"),
        (-SURVEY, r"give \(-horizon - first_sample\) / sample_interval: samples are counted down"),
        (SURVEY[::-1], r"horizons\[1\] lies above .* medians: horizons\[2\] \(sample 104"),
        (SURVEY[[1, 0, 2]], r"begin with the shallowest.*horizons\[1\] \(.*, horizons\[0\]"),
        ({"base": SURVEY[1], "top": SURVEY[0]}, r"horizons\['top'\] lies above"),
        (np.where(SLOPE < 4, [[[nan]], [[99]]], SURVEY[1::-1]), "must begin with the shallowest"),
    ],
    ids=["ms", "ms of three", "negative", "deepest first", "swapped", "dict", "where both are"],
)
def test_horizons_that_cannot_be_in_the_cube_are_refused(horizons, message):
    with pytest.raises(ValueError, match=message):
        labels_from_horizons(horizons, 462)


def changed(k, where, values):
    horizons = SURVEY.copy()
    horizons[k][where] = values
    return horizons


HALF = np.s_[:5]


@pytest.mark.parametrize(
    ("horizons", "message"),
    [
        (changed(2, np.s_[:], 1400.0), r"horizons\[2\] lies outside .* on 100 % of its traces"),
        (changed(2, np.s_[:2], 1400.0), r"horizons\[2\] lies outside .* on 20 % .*=4\."),
        (changed(0, HALF, -100.0), r"on 50 % of its traces, at -100 to -100.*grow upwards"),
        (SURVEY + 170, r"horizons\[2\] .* at 470 to 478\. Labels end with the cube"),
        (changed(1, HALF, 50.0), r"horizons\[1\] lies above a contact .* on 50 % of the traces"),
        (changed(2, HALF, 50.0), r"horizons\[2\] lies above a contact .* on 50 % of the traces"),
        (SURVEY[[0, 0, 2]], r"horizons\[0\] and horizons\[1\] are the same everywhere"),
        (SURVEY / 500, r"in the first samples of 462.*If they are seconds"),
        (changed(1, HALF, nan), r"missing on 50 % .* 100 samples thick.*missing='unknown'"),
        (changed(1, np.s_[1::2], nan), r"horizons\[1\] is missing on 50 % of the traces"),
        (changed(0, HALF, nan), r"horizons\[0\] is missing on 50 %"),
        (changed(2, np.s_[:, :3], nan), r"horizons\[2\] is missing on 30 %"),
        (changed(2, np.s_[:], nan), r"horizons\[2\] is missing on 100 % .* it has no pick at all"),
        (changed(1, HALF, 1e30), r"horizons\[1\] is missing on 50 %"),
        (changed(1, HALF, -9999), r"horizons\[1\] is missing on 50 %"),
    ],
)
def test_horizons_that_are_implausible_in_part_are_named(horizons, message):
    with pytest.warns(UserWarning, match=message) as caught:
        labels_from_horizons(horizons, 462)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_picks_that_are_missing_are_unknown_without_a_warning():
    labels = labels_from_horizons(changed(1, HALF, nan), 462, missing="unknown")
    assert np.unique(labels[:5]).tolist() == [-1, 0, 3]


def test_units_that_thin_out_have_pinched_out():
    top = 150 + SLOPE
    base = top + np.maximum(0, np.linspace(-40, 40, 10))[:, np.newaxis]
    top_where_there = np.where(base > top, top, nan)
    labels = labels_from_horizons([top_where_there, base], 462)
    assert np.unique(labels[:5]).tolist() == [0, 2]


def test_small_crossings_and_ends_at_the_base_are_normal():
    overlapping = changed(1, HALF, SURVEY[0][HALF] - 1.5)
    overlapping[2] += 156  # 456 to 464
    labels_from_horizons(overlapping, 462)


@pytest.mark.parametrize("value", [1e30, 3.4028234663852886e38, -999.25, -9999, -99999])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
def test_undefined_picks_are_absent_contacts(value, dtype):
    if dtype == "i4" and value not in (-9999, -99999):
        pytest.skip("no such integer")
    section = np.array([[2, value, 2, 2], [4, 4, value, 4]], dtype)
    expected = labels_from_horizons([[2, nan, 2, 2], [4, 4, nan, 4]], 6)
    assert_array_equal(labels_from_horizons(section, 6), expected)


def test_contacts_of_interpreted_sections_raise_no_warning():
    sections = np.load(real_file("f3_sections.npz"))
    names = [name for name in sections.files if name.startswith("label_")]
    for name in names:
        if "700" in name:  # interpreted less well
            continue
        labels = sections[name]
        labels_from_horizons(horizons_from_labels(labels), labels.shape[1])


# --- horizons from labels -------------------------------------------------------------------


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    labels=st.lists(st.sampled_from([-1, 0, 1, 2, 7]), min_size=24, max_size=24),
    pinch_out=st.sampled_from(["follow", "nan"]),
)
def test_horizons_equal_those_found_trace_by_trace(labels, pinch_out):
    labels = np.array(labels).reshape(2, 2, 6)
    found = horizons_from_labels(labels, units=[0, 1, 2], pinch_out=pinch_out)
    assert_array_equal(found, find_slowly(labels, [0, 1, 2], pinch_out))


@IMPLAUSIBLE
@settings(max_examples=60, deadline=None, derandomize=True)
@given(horizons=stacks(st.integers(0, 7)))
def test_round_trip_from_whole_horizons(horizons):
    """Contacts that do not cross, at samples of the trace, come back exactly."""
    horizons = np.maximum.accumulate(horizons, axis=0)
    labels = labels_from_horizons(horizons, 8)
    units = range(len(horizons) + 1)
    assert_array_equal(horizons_from_labels(labels, units=list(units)), horizons)


@IMPLAUSIBLE
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    labels=st.lists(st.integers(0, 4), min_size=24, max_size=24),
    pinch_out=st.sampled_from(["follow", "nan"]),
)
def test_round_trip_from_labels_in_order(labels, pinch_out):
    labels = np.sort(np.array(labels).reshape(2, 2, 6), axis=-1)
    found = horizons_from_labels(labels, units=range(5), pinch_out=pinch_out)
    assert_array_equal(labels_from_horizons(found, 6, bare_label=0), labels)


def test_contacts_of_named_units_are_chosen():
    section = [["sea", "sea", "chalk", "salt"], ["sea", "salt", "salt", "salt"]]
    units = ["sea", "chalk", "salt"]
    found = horizons_from_labels(section, [("chalk", "salt"), ("sea", "chalk")], units=units)
    assert_array_equal(found, [[3, 1], [2, 1]])


def test_contact_below_samples_without_label_is_unknown():
    labels = [[-1, 0, 0, 1], [0, 0, -1, 1], [-1, -1, 1, 1]]
    assert_array_equal(horizons_from_labels(labels), [[3, nan, nan]])


def test_pieces_of_cubes_give_the_horizons_of_the_whole(monkeypatch, tmp_path):
    survey = make_facies_cube((9, 10, 32), 3, dead_traces=0.1, random_state=0)
    whole = horizons_from_labels(survey.target)
    np.save(tmp_path / "labels.npy", survey.target)
    monkeypatch.setattr(horizons_module, "SAMPLES_AT_ONCE", 2 * 10 * 32)
    mapped = np.load(tmp_path / "labels.npy", mmap_mode="r")
    assert_array_equal(horizons_from_labels(mapped), whole)


def test_chunks_are_read_once(monkeypatch):
    zarr = pytest.importorskip("zarr")
    survey = make_facies_cube((9, 10, 32), 3, random_state=0)

    class Store(zarr.storage.MemoryStore):
        reads = []

        async def get(self, key, *args, **kwargs):
            self.reads.append(key)
            return await super().get(key, *args, **kwargs)

    labels = zarr.create_array(Store(), shape=(9, 10, 32), chunks=(4, 5, 32), dtype="int8")
    labels[:] = survey.target
    Store.reads.clear()
    monkeypatch.setattr(horizons_module, "SAMPLES_AT_ONCE", 10 * 32)
    found = horizons_from_labels(labels, units=[0, 1, 2])
    assert_array_equal(found, horizons_from_labels(survey.target))
    assert sum(key.startswith("c/") for key in Store.reads) == 6


def test_horizons_of_a_data_array_keep_coordinates():
    xarray = pytest.importorskip("xarray")
    survey = make_facies_cube((5, 7, 32), 3, random_state=0)
    coords = {"inline": np.arange(100, 105), "crossline": np.arange(7), "depth": np.arange(32)}
    labels = xarray.DataArray(survey.target, coords, ("inline", "crossline", "depth"))
    found = horizons_from_labels(labels)
    assert found.dims == ("contact", "inline", "crossline")
    assert found["inline"].values.tolist() == [100, 101, 102, 103, 104]
    assert found["contact"].values.tolist() == [1, 2]
    turned = horizons_from_labels(labels.transpose("crossline", "inline", "depth"))
    xarray.testing.assert_equal(turned.transpose(*found.dims), found)
    with pytest.raises(ValueError, match="`labels` must have samples as the last axis"):
        horizons_from_labels(labels.transpose("depth", "inline", "crossline"))


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([0, 1], {}, r"must be a cube .* For one trace use labels\[None\]"),
        ([[0, 0]], {}, r"`labels` must have two or more units.*got \[0\]"),
        ([["b", "a"]], {}, r"`units` must say the order of named units.*\['a', 'b'\]"),
        ([[0, 1]], {"pinch_out": "no"}, "`pinch_out` must be 'follow' or 'nan'; got 'no'"),
        ([[0, 1]], {"contacts": [(1, 0)]}, r"pairs \(upper unit, lower unit\) of \[0, 1\]"),
        ([[0, 1]], {"contacts": [(0, 5)]}, r"got \(0, 5\)"),
        ([[0, 1]], {"contacts": []}, "`contacts` is empty"),
        ([[0.5, 1]], {}, "`labels` is continuous"),
    ],
)
def test_refused_labels(labels, options, message):
    with pytest.raises(ValueError, match=message):
        horizons_from_labels(labels, **options)


# --- text files -----------------------------------------------------------------------------

INLINES, CROSSLINES = [100, 101, 102], [300, 302]
HORIZON = np.array([[10.0, 10.25], [nan, 12.0], [nan, nan]])


def test_a_mark_of_the_byte_order_is_no_number(tmp_path):
    path = tmp_path / "top.txt"
    path.write_bytes(b"\xef\xbb\xbf100 200 1.5\n100 201 2.5\n")
    assert_array_equal(read_horizon(path).data, [[1.5, 2.5]])


@pytest.mark.parametrize("delimiter", [" ", ",", "\t", ", "])
@pytest.mark.parametrize("null_value", [None, 1e30, -999.25])
def test_round_trip_through_a_file(tmp_path, delimiter, null_value):
    axis = {"sample_interval": 4.0, "first_sample": 1000.0}
    lines = {"inlines": INLINES, "crosslines": CROSSLINES}
    path = tmp_path / "top.txt"
    write_horizon(path, HORIZON, **lines, **axis, delimiter=delimiter, null_value=null_value)
    assert_array_equal(read_horizon(path, **lines, **axis).data, HORIZON)
    assert [entry.name for entry in tmp_path.iterdir()] == ["top.txt"]
    assert len(path.read_text().splitlines()) == (4 if null_value is None else 7)


def test_line_numbers_of_a_data_array_are_written(tmp_path):
    xarray = pytest.importorskip("xarray")
    coords = {"inline": INLINES, "crossline": CROSSLINES}
    horizon = xarray.DataArray(HORIZON, coords, ("inline", "crossline"))
    write_horizon(tmp_path / "top.txt", horizon.transpose())
    found = read_horizon(tmp_path / "top.txt")
    assert found.inlines.tolist() == [100, 101]
    assert found.crosslines.tolist() == CROSSLINES
    assert_array_equal(found.data, HORIZON[:2])


def test_columns_comments_and_nulls_of_other_systems(tmp_path):
    path = tmp_path / "top.dat"
    path.write_bytes(
        b"inline crossline x y z\n! caf\xe9\n# unit: ms\n\n"
        b"101.0 300 6.1e5 5.9E6 1.0E+30\n100 300 610000 5900000 44\r\n\t102,300,1,2,-999.2500\n"
        b"100 301 1 2 NaN\n100 300 1 2 44.0\n"
    )
    columns = ("inline", "crossline", "x", "y", "value")
    found = read_horizon(path, columns=columns, skip_lines=1, sample_interval=4, first_sample=4)
    assert_array_equal(found.data, [[10, nan], [nan, nan], [nan, nan]])


def test_points_outside_of_the_survey_are_left_out(tmp_path):
    path = tmp_path / "top.txt"
    path.write_text("100 300 5\n100 400 6\n7 300 7\n")
    with pytest.warns(
        UserWarning, match=r"33 % of the points .* inlines are 7-100, its crosslines"
    ):
        found = read_horizon(path, inlines=[102, 100], crosslines=[300, 301])
    assert_array_equal(found.data, [[nan, nan], [5, nan]])
    with pytest.raises(ValueError, match=r"no point on the lines.*its inlines are 7-100"):
        read_horizon(path, inlines=[1, 2], crosslines=[300])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("100 300 5\n100 301 x5\n", {}, r"Line 2 of .*'x5' is no number, expected the value"),
        ("# ok\n100.5 300 5\n", {}, r"Line 2 of .*'100.5' is no whole number, expected the inline"),
        ("100 300 inf\n", {}, r"Line 1 of .*'inf' is no number"),
        ("100 nan 5\n", {}, r"'nan' is no whole number, expected the crossline"),
        ("100 300 1 2 5\n", {}, r"Line 1 of .* has 5 columns, `columns` names 3"),
        ("100,,5\n", {}, r"Line 1 of .*'' is no whole number, expected the crossline"),
        ("# nothing\n\n", {}, "has no point: all of its lines are empty or comments"),
        ("1 1 5\n2 2 5\n1 1 6\n", {}, r"Lines 1 and 3 of .* two values for inline 1, crossline 1"),
        ("1 1 5\n", {"columns": ("inline", "value")}, r"`columns` must name all columns"),
        ("1 1 5\n", {"sample_interval": 0}, "`sample_interval` must be above 0; got 0"),
        ("1 1 5\n", {"skip_lines": -1}, "`skip_lines` must be an integer >= 0; got -1"),
        ("1 1 5\n", {"inlines": [1, 1], "crosslines": [1]}, "`inlines` must be different whole"),
    ],
)
def test_refused_files(tmp_path, text, options, message):
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_horizon(path, **options)


GRIDDED = "has map coordinates and no line numbers: export the horizon itself as text"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PROFILE Top  TYPE 1  4   3d.ifdf  m ms\nSNAPPING PARAMETERS 5 0 1\n", "IESX.*GeoFrame"),
        ("SNAPPING PARAMETERS 5 2 2\n 4.1E+05 4.6E+06 1 14 27.4 54.0 16 42 2 27-9\n", "IESX"),
        ("! by\n@top.zmap HEADER , GRID, 5\n 15, -99999.0, , 4, 1\n@\n 41 43\n", GRIDDED),
        ("FSASCI 0 1 COMPUTED 0 1E+30 0\nFSATTR 0 0\nFSLIMI 1 2 3 4\n", "CPS-3 grid.*" + GRIDDED),
        ("-996 5 50.0 50.0\n1 2 3 4\n4 0 1 2\n0 0 0 0 0 0 0\n 41 43\n", "Irap classic grid"),
        ("ncols 4\nnrows 3\nxllcorner 459000\n41 43 44 45\n", "Esri ASCII grid.*" + GRIDDED),
        ("DSAA\n4 3\n0 1\n0 1\n1 2\n41 43 44 45\n", "Surfer grid"),
        ("# Type: scattered data\n# Field: 1 x\n4.1e5 6.1e6 9\n", "EarthVision grid"),
        ("# Petrel\nVERSION 1\nBEGIN HEADER\nX\nY\nZ\nEND HEADER\n1 2 3\n", "Petrel points"),
        ("<?xml version='1.0'?>\n<horizon/>\n", "XML or HTML"),
        ('{"inline": [100], "value": [5]}\n', "JSON"),
        ("PK\x03\x04 sheet", "Excel workbook.*Save the sheet as CSV"),
        ("100 300 5\0\0", "seems to be binary"),
    ],
)
def test_other_formats_are_named_with_what_to_export(tmp_path, text, message):
    path = tmp_path / "top.dat"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_horizon(path)
    assert "columns" not in str(caught.value)


ALL = "'inline', 'crossline', 'value'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# 1: Inline\n# 2: Crossline\n# 3: Z\n# 4: Amplitude\n9 8 5.0 1\n", f"{ALL}, 'amplitude'"),
        ('# "X"\t"Y"\t"Inline"\t"Crossline"\t"Z"\n1\t2\t9\t8\t5\n', rf"columns=\('x', 'y', {ALL}"),
        ("# crossline inline twt\n9 8 5\n", r"header .* columns=\('crossline', 'inline', 'value'"),
        (
            "IL XL X Y TWT(ms)\n9 8 1e6 2e6 5\n",
            "skip_lines=1 leaves it out. Give columns=.*'x', 'y'",
        ),
        ("il,xl,Top Chalk\n9,8,5\n", "line of titles: skip_lines=1 leaves it out"),
        ("Inline\tCrossline\tTime [ms]\n9\t8\t5\n", "line of titles: skip_lines=1 leaves it out"),
        ("9 8 5 0.8 7\n", rf"By their look they could be columns=\({ALL}, '-', '-'\)"),
        ("1331.0 2009 655615.24 6627263.5 5874.8\n", r"'inline', 'crossline', 'x', 'y', 'value'"),
        ("Top 9 8 5\n", rf"columns=\('name', {ALL}"),
        (
            "INLINE : 9 XLINE : 8 6.1e5 5.9e6 5\n",
            r"Charisma.*\('-', '-', 'inline', '-', '-', 'cross",
        ),
        ("620986.88 6080882.36 648.6\n", "look like map coordinates, and none like line numbers"),
        ("459000 5924000 648\n459050 5924000 649\n", "look like map coordinates, and none like"),
        ("9 8 900,5\n", "decimal commas: write points"),
        (" ".join(["41.8"] * 30) + "\n", r"grid of values without line numbers.*np\.loadtxt"),
        ("9 8\n", "a line for each point: inline, crossline, value"),
    ],
)
def test_advice_on_columns_follows_the_header_and_the_cells(tmp_path, text, message):
    path = tmp_path / "top.dat"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_horizon(path, columns=("inline", "crossline", "value"))
    assert "Name all of them" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "# 1: Inline\n# 2: Crossline\n# 3: Z\n# 4: Amplitude\n9 8 5.0 1\n",
        '# "X"\t"Y"\t"Inline"\t"Crossline"\t"Z"\n1\t2\t9\t8\t5\n',
        "# crossline inline twt\n8 9 5\n",
        "IL XL X Y TWT(ms)\n9 8 1e6 2e6 5\n",
        "il,xl,Top Chalk\n9,8,5\n",
        "Inline\tCrossline\tTime [ms]\n9\t8\t5\n",
        "INLINE : 9 XLINE : 8 6.1e5 5.9e6 5\n",
        "INLINE : 9 XLINE : 8 5\n",
    ],
)
def test_columns_that_the_file_names_are_used(tmp_path, text):
    path = tmp_path / "top.dat"
    path.write_text(text)
    found = read_horizon(path)
    assert (found.inlines.tolist(), found.crosslines.tolist(), found.data.tolist()) == (
        [9],
        [8],
        [[5]],
    )


@pytest.mark.parametrize(
    "text",
    [
        "100;300;10,5\n100;301;11\n",
        '"100";"300";"10.5"\n"100";"301";"11"\n',
        '"100" "300" "10.5"\n"100" "301" "11"\n',
        "\"100\",\"300\",\"10.5\"\n'100','301','11'\n",
        "100;300;10,5;\n100;301;11;\n",
        "@unit ms\n100\t300\t10.5\n100\t301\t11\n",
    ],
    ids=["decimal commas", "quoted", "quoted blanks", "quoted commas", "semicolon at end", "@"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_plain_variants_are_read(tmp_path, text, encoding):
    path = tmp_path / "top.csv"
    path.write_bytes(text.encode(encoding))
    assert_array_equal(read_horizon(path).data, [[10.5, 11.0]])


@pytest.mark.parametrize(
    "null", ["", "1e30", "9.99999989e+29", "3.4028235e38", "-9999", "-99999.00"]
)
def test_values_that_stand_for_nothing_are_absent_without_being_named(tmp_path, null):
    path = tmp_path / "top.csv"
    path.write_text(f"100,300,{null}\n100,301,11\n101,300,-7\n")
    assert_array_equal(read_horizon(path).data, [[nan, 11], [-7, nan]])
    assert_array_equal(read_horizon(path, null_value=-7).data, [[nan, 11], [nan, nan]])
    assert_array_equal(read_horizon(path, null_value=None).data, [[nan, 11], [-7, nan]])


NAMED = "Top Sand,100,300,9\nTop Sand,100,301,8\nBase,100,300,19\nBase,100,301,18\n"
NAME_FIRST = ("name", "inline", "crossline", "value")


def test_one_of_several_horizons_is_chosen_by_its_name(tmp_path):
    path = tmp_path / "all.csv"
    path.write_text(NAMED)
    for name, values in (("Top Sand", [9, 8]), ("Base", [19, 18])):
        assert_array_equal(read_horizon(path, columns=NAME_FIRST, name=name).data, [values])
    for options, message in (
        (
            {"columns": NAME_FIRST},
            r"has 2 horizons, 'Top Sand', 'Base'\. Choose one, .*name='Top S",
        ),
        ({"columns": NAME_FIRST, "name": "Tap"}, "no horizon of name='Tap'; it has 'Top Sand'"),
        ({"columns": ("-", *NAME_FIRST[1:])}, r"2 of 2 traces\. Several horizons .* give `name`"),
        ({"columns": ("-", *NAME_FIRST[1:]), "name": "Base"}, '`columns` has no column "name"'),
    ):
        with pytest.raises(ValueError, match=message):
            read_horizon(path, **options)


def test_one_trace_with_two_values_is_no_second_horizon(tmp_path):
    path = tmp_path / "top.txt"
    points = [f"100 {k} 5" for k in range(300, 320)]
    path.write_text("\n".join([*points, "100 305 5", "100 306 6", "100 307 1e30"]))
    with pytest.raises(ValueError, match=r"crossline 306; .* 1 of 20 traces. Take out one of them"):
        read_horizon(path)
    path.write_text("\n".join([*points, "100 305 5", "100 307 1e30"]))
    assert_array_equal(read_horizon(path).data, np.full((1, 20), 5.0))


@pytest.mark.parametrize("crosslines", [range(300, 320), range(95, 140)], ids=["apart", "overlap"])
def test_swapped_columns_are_noticed(tmp_path, crosslines):
    path = tmp_path / "top.txt"
    path.write_text("".join(f"{x} {i} 5\n" for i in range(100, 110) for x in crosslines))
    survey = {"inlines": range(100, 110), "crosslines": crosslines}
    with pytest.raises(
        ValueError, match=r"swapped.*100 %.*columns=\('crossline', 'inline', 'value'"
    ):
        read_horizon(path, **survey)
    found = read_horizon(path, columns=("crossline", "inline", "value"), **survey)
    assert (found.data == 5).all()


@pytest.mark.parametrize(
    ("values", "axis", "message"),
    [
        (
            [-1600, -1700],
            {"sample_interval": 4},
            "are negative, -1700 to -1600: they seem to grow up",
        ),
        (
            [1600, 1700],
            {"sample_interval": 0.004},
            "are samples 400000 to 425000 with sample_interv",
        ),
        (
            [1.6, 1.7],
            {"sample_interval": 4, "first_sample": 1000},
            "are samples .* Give these in the",
        ),
    ],
)
def test_values_of_another_sign_or_unit_are_refused(tmp_path, values, axis, message):
    path = tmp_path / "top.txt"
    path.write_text("".join(f"100 {300 + k} {value}\n" for k, value in enumerate(values)))
    with pytest.raises(ValueError, match=message):
        read_horizon(path, **axis)
    assert_array_equal(read_horizon(path).data, [values])  # as they are


@pytest.mark.parametrize(
    ("values", "axis", "message"),
    [
        ([1.6, 1.7], {"sample_interval": 4}, "lie in the first 3 samples with sample_interval=4"),
        ([1600, 1700], {"sample_interval": 4000}, "lie in the first 3 samples with sample_interv"),
        (
            [900, 1700, 1700],
            {"sample_interval": 4, "first_sample": 1000},
            "33 % .* above the first",
        ),
    ],
)
def test_values_that_seem_to_be_of_another_unit_are_named(tmp_path, values, axis, message):
    path = tmp_path / "top.txt"
    path.write_text("".join(f"100 {300 + k} {value}\n" for k, value in enumerate(values)))
    with pytest.warns(UserWarning, match=message) as caught:
        read_horizon(path, **axis)
    assert caught[0].filename == __file__


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No file '.*none.txt'; expected a text file"):
        read_horizon(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inlines": None}, "`inlines` must be the line numbers of the survey; got None"),
        ({"crosslines": [300]}, r"`horizon` must have shape \(3, 1\).*got \(3, 2\)"),
        ({"crosslines": [300, 300.5]}, "`crosslines` must be different whole numbers"),
        ({"horizon": HORIZON[None]}, "Write a stack one by one"),
        ({"delimiter": ";"}, "`delimiter` must be blanks, a tab or a comma; got ';'"),
        ({"delimiter": ""}, "`delimiter` must be blanks, a tab or a comma; got ''"),
        ({"decimals": -1}, "`decimals` must be an integer >= 0; got -1"),
        ({"first_sample": nan}, "`first_sample` must be a finite number; got nan"),
    ],
)
def test_horizons_that_cannot_be_written(tmp_path, options, message):
    arguments = {"horizon": HORIZON, "inlines": INLINES, "crosslines": CROSSLINES, **options}
    with pytest.raises(ValueError, match=message):
        write_horizon(tmp_path / "top.txt", **arguments)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_file_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "top.txt"
    path.write_text("old")

    def fail(*args):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_horizon(path, HORIZON, inlines=INLINES, crosslines=CROSSLINES)
    assert [entry.name for entry in tmp_path.iterdir()] == ["top.txt"]
    assert path.read_text() == "old"


def test_files_of_numbers_are_read_as_others_are(tmp_path):
    """NumPy reads plain numbers; semicolons take the way of single lines."""
    points = [(100, 300, 40.25), (100, 302, 1e30), (101, 302, 48.0)]
    plain, other = tmp_path / "plain.txt", tmp_path / "other.txt"
    plain.write_text("! ms\n" + "".join(f"{i}\t{x}  {z}\n\n" for i, x, z in points))
    other.write_text("".join(f"{i};{x};{z}\n" for i, x, z in points))
    first, second = (read_horizon(path) for path in (plain, other))
    for key in ("data", "inlines", "crosslines"):
        assert_array_equal(first[key], second[key])
    assert first.data[0, 0] == 40.25
    assert np.isnan(first.data[0, 1])


def test_lines_of_two_values_are_named_beside_comments_and_empty_lines(tmp_path):
    path = tmp_path / "twice.txt"
    path.write_text("# title\n100 300 40\n\n# more\n100 302 41\n100 300 44\n")
    with pytest.raises(ValueError, match=r"Lines 2 and 6 of"):
        read_horizon(path)
