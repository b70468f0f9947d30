"""Tests of skfacies.horizons."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfacies import horizons as horizons_module
from skfacies.datasets import make_facies_cube
from skfacies.horizons import (
    horizons_from_labels,
    labels_from_horizons,
    read_horizon,
    write_horizon,
)

nan = np.nan


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


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    horizons=stacks(st.one_of(st.just(nan), st.floats(-3, 12), st.integers(-2, 11))),
    n_samples=st.integers(1, 9),
    missing=st.sampled_from(["absent", "unknown"]),
)
def test_labels_equal_those_found_sample_by_sample(horizons, n_samples, missing):
    made = labels_from_horizons(horizons, n_samples, missing=missing)
    assert_array_equal(made, label_slowly(horizons, n_samples, missing))


def test_labels_of_a_synthetic_survey_come_back_with_its_dead_traces():
    survey = make_facies_cube((8, 30, 64), 5, dead_traces=0.2, random_state=3)
    made = labels_from_horizons(survey.horizons, 64)
    assert_array_equal(made, survey.target)
    assert made.dtype == np.int8


def column(depths, n_samples=6, **options):
    return labels_from_horizons(np.reshape(depths, (-1, 1)), n_samples, **options)[0].tolist()


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
    monkeypatch.setattr(horizons_module, "SLAB", 2 * 10 * 32)
    path = tmp_path / "labels.npy"
    out = np.lib.format.open_memmap(path, mode="w+", shape=(9, 10, 32), dtype=np.uint8)
    assert labels_from_horizons(survey.horizons, 32, out=out) is out
    assert_array_equal(np.load(path), survey.target)


def test_memory_is_flat(tmp_path, monkeypatch):
    """Both ways, of a cube on disk that is many times what is held."""
    monkeypatch.setattr(horizons_module, "SLAB", 2**14)
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
        ({"ignore_label": None}, "some samples are not interpreted, and ignore_label=None"),
        ({"out": np.empty((1, 6), np.uint8)}, r"labels \[-1, 0, 1, 2\] cannot be held by `out`"),
        ({"out": np.empty((2, 6), np.int8)}, r"`out` must have shape \(1, 6\); got \(2, 6\)"),
    ],
)
def test_refused_horizons_and_options(options, message):
    arguments = {"horizons": np.full((2, 1), nan), "n_samples": 6, **options}
    with pytest.raises(ValueError, match=message):
        labels_from_horizons(**arguments)


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


@settings(max_examples=60, deadline=None, derandomize=True)
@given(horizons=stacks(st.integers(0, 7)))
def test_round_trip_from_whole_horizons(horizons):
    """Contacts that do not cross, at samples of the trace, come back exactly."""
    horizons = np.maximum.accumulate(horizons, axis=0)
    labels = labels_from_horizons(horizons, 8)
    units = range(len(horizons) + 1)
    assert_array_equal(horizons_from_labels(labels, units=list(units)), horizons)


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
    monkeypatch.setattr(horizons_module, "SLAB", 2 * 10 * 32)
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
    monkeypatch.setattr(horizons_module, "SLAB", 10 * 32)
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
        ("100,,5\n", {}, r"Line 1 of .* has 2 columns"),
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
