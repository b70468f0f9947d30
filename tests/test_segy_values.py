"""Samples of SEG-Y and other files: undefined, dead, labels with holes, of another format."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from segy_files import line_words, survey_lines, write_traces

from skfacies.datasets import make_facies_cube
from skfacies.io import open_cube, write_cube

xarray = pytest.importorskip("xarray")

INLINES, CROSSLINES = survey_lines()
LINES = line_words(INLINES, CROSSLINES)
SHAPE = (10, 12, 24)
HOLES = np.isin(np.arange(120), [3, 50, 119])


@pytest.fixture(scope="module")
def survey():
    made = make_facies_cube(SHAPE, n_facies=3, random_state=0)
    return made.data.astype("f4"), made.target


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cube.sgy"


def flat(cube):
    return cube.reshape(120, -1)


def write_as(suffix, folder, data):
    """Write amplitudes as they are to a file of any kind."""
    path = folder / f"cube{suffix}"
    if suffix == ".sgy":
        return write_traces(path, flat(data), LINES)
    if suffix == ".npy":
        np.save(path, data)
    elif suffix == ".npz":
        np.savez(path, cube=data)
    else:
        zarr = pytest.importorskip("zarr")
        zarr.create_array(path, shape=data.shape, dtype=data.dtype, chunks=(4, 5, 24))[:] = data
    return path


SUFFIXES = [".sgy", ".npy", ".npz", ".zarr"]


# --- samples that stand for nothing ---------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("value", [1e30, -1e30, 3.4e38, np.nan, -999.25, -9999, -99999])
def test_undefined_samples_are_nan_in_every_part(tmp_path, survey, suffix, value):
    data = survey[0].copy()
    data[2, 3, :7] = data[9, 11] = value
    cube = open_cube(write_as(suffix, tmp_path, data))
    undefined = np.zeros(SHAPE, bool)
    undefined[2, 3, :7] = undefined[9, 11] = True
    expected = np.where(undefined, np.nan, data)
    assert_array_equal(cube.values, expected)
    for key in [np.s_[2], np.s_[:, 3], np.s_[2, 3, 4], np.s_[:, :, 5], np.s_[[9, 2], 3:12:4, ::3]]:
        part = xarray.DataArray(expected)[key]
        assert_array_equal(cube[key].values, part)
        assert_array_equal(pickle.loads(pickle.dumps(cube[key])).values, part)
    turned = cube.transpose("crossline", "twt", "inline")[3]
    assert_array_equal(turned.values, expected[:, 3].T)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_amplitudes_of_that_size_stay_in_every_part(tmp_path, survey, suffix):
    data = survey[0] * 12_000
    data[2, 3, 4], data[5, 6, 7], data[5, 6, 8] = -9999, -999.25, 1e30
    cube = open_cube(write_as(suffix, tmp_path, data))
    assert (cube[2, 3, 4].values, cube[5, 6, 7].values) == (-9999, -999.25)
    assert_array_equal(np.flatnonzero(np.isnan(cube.values)), [5 * 288 + 6 * 24 + 8])


def test_integers_stay_what_they_are(path, survey):
    data = np.round(survey[0] * 100).astype("i2")
    data[2, 3] = -9999
    cube = open_cube(write_traces(path, flat(data), LINES, code=3))
    assert cube.dtype == np.int16
    assert_array_equal(cube, data)


def test_infinite_samples_stay(path, survey):
    data = survey[0].copy()
    data[1, 2, 3] = np.inf
    assert_array_equal(open_cube(write_traces(path, flat(data), LINES)).values, data)


@pytest.mark.parametrize("sample_format", ["ieee", "ibm"])
def test_undefined_samples_come_back_as_nan(path, survey, sample_format):
    data = survey[0].copy()
    data[2, 3, :7] = 1e30
    cube = open_cube(write_traces(path, flat(data), LINES))
    written = write_cube(path.with_name("b.sgy"), cube, like=path, sample_format=sample_format)
    np.testing.assert_allclose(open_cube(written), cube, rtol=1e-6)
    assert np.isnan(open_cube(written).values[2, 3, :7]).all()


def test_dask_chunks_are_without_undefined_samples(path, survey):
    pytest.importorskip("dask")
    data = survey[0].copy()
    data[7, 3, 2] = -999.25
    cube = open_cube(write_traces(path, flat(data), LINES), chunks={"inline": 3})
    assert int(np.isnan(cube).sum().compute()) == 1


# --- dead traces ----------------------------------------------------------------------------


@pytest.mark.parametrize("live_code", [0, 1])
def test_dead_traces_are_missing_and_written_back(path, survey, live_code):
    data = np.where(HOLES[:, None], np.float32(0), flat(survey[0]))
    write_traces(path, data, {**LINES, (29, "i2"): np.where(HOLES, 2, live_code)})
    cube = open_cube(path)
    assert_array_equal(cube.live.values.ravel(), ~HOLES)
    assert_array_equal(flat(cube.values), np.where(HOLES[:, None], np.nan, data))
    assert cube.attrs["n_dead"] == 3
    for key in (np.s_[4], np.s_[:, 3], np.s_[0, 3]):
        assert_array_equal(cube[key].values, xarray.DataArray(cube.values)[key])
    written = write_cube(path.with_name("b.sgy"), cube, like=path).read_bytes()
    assert written[3600:] == path.read_bytes()[3600:]


@pytest.mark.parametrize("codes", [2, 0, np.arange(120), np.arange(120) % 4, 8224], ids=str)
def test_codes_without_meaning_kill_no_trace(path, survey, codes):
    write_traces(path, flat(survey[0]), {**LINES, (29, "i2"): codes})
    cube = open_cube(path)
    assert "live" not in cube.coords
    assert "n_dead" not in cube.attrs
    assert_array_equal(cube, survey[0])


def test_dead_traces_begin_anywhere(path, survey):
    words = {(29, "i2"): np.where(HOLES, 2, 1), (109, "i2"): np.where(HOLES, 0, 40)}
    assert open_cube(write_traces(path, flat(survey[0]), {**LINES, **words})).twt[0] == 40


def test_dead_and_missing_traces_side_by_side(path, survey):
    kept = np.arange(120) != 60
    words = {(29, "i2"): np.where(HOLES, 2, 1)[kept], **line_words(INLINES[kept], CROSSLINES[kept])}
    cube = open_cube(write_traces(path, flat(survey[0])[kept], words))
    assert_array_equal(np.flatnonzero(np.isnan(flat(cube.values)[:, 0])), [3, 50, 60, 119])
    assert cube.attrs["n_dead"] == 3


# --- labels with holes ----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["missing", "dead"])
@pytest.mark.parametrize(
    ("code", "stored", "dtype"),
    [(8, "i1", "i1"), (16, "u1", "i2"), (3, "i2", "i2"), (2, "i4", "i4")],
)
def test_labels_with_holes_stay_integers(path, survey, how, code, stored, dtype):
    labels = flat(survey[1]).astype(stored)
    words = {**LINES, (29, "i2"): np.where(HOLES, 2, 1)}
    if how == "missing":
        words = {place: values[~HOLES] for place, values in words.items()}
        words[29, "i2"] = 1
    kept = slice(None) if how == "dead" else ~HOLES
    cube = open_cube(write_traces(path, labels[kept], words, code=code))
    assert cube.dtype == dtype
    assert_array_equal(flat(cube.values), np.where(HOLES[:, None], -1, flat(survey[1])))
    assert_array_equal(cube.live.values.ravel(), ~HOLES)


def test_amplitudes_as_integers_with_holes_are_floats(path, survey):
    for scale, code in ((30, 8), (3000, 3)):
        data = flat(np.clip(survey[0] * scale, -127, 127)).astype("i1" if code == 8 else "i2")
        words = line_words(INLINES[~HOLES], CROSSLINES[~HOLES])
        cube = open_cube(write_traces(path, data[~HOLES], words, code=code))
        assert cube.dtype == np.float32
        assert_array_equal(flat(cube.values), np.where(HOLES[:, None], np.nan, data))


# --- formats that headers tell wrongly ------------------------------------------------------


def as_ibm(values):
    from skfacies._segy import file as _segy

    return _segy.encode_samples(values, _segy.SegyFile("", 3600, 1, 1, 1)).astype("u4")


@pytest.mark.parametrize("scale", [1e-5, 1, 3e4])
@pytest.mark.parametrize("order", [">", "<"])
def test_ieee_floats_marked_as_ibm(path, survey, scale, order):
    data = flat(survey[0]) * np.float32(scale)
    write_traces(path, data.view("u4"), LINES, code=1, order=order)
    with pytest.warns(UserWarning, match=r"IBM floats, but they look like IEEE.*format='ieee'"):
        open_cube(path)
    cube = open_cube(path, sample_format="ieee")
    assert_array_equal(flat(cube.values), data)
    assert cube.attrs["sample_format"] == "ieee"
    written = write_cube(path.with_name("b.sgy"), cube, like=path)
    assert_array_equal(open_cube(written), cube)


@pytest.mark.parametrize("scale", [1e-5, 1, 3e4])
def test_ibm_floats_marked_as_ieee(path, survey, scale):
    words = as_ibm(flat(survey[0]) * np.float32(scale))
    write_traces(path, words.view("f4"), LINES, code=5)
    with pytest.warns(UserWarning, match=r"IEEE floats, but they look like IBM.*format='ibm'"):
        open_cube(path)
    cube = open_cube(path, sample_format="ibm")
    np.testing.assert_allclose(flat(cube.values), flat(survey[0]) * scale, rtol=1e-6)


@pytest.mark.parametrize("kind", ["amplitudes", "velocities", "labels", "reflectivity", "zeros"])
@pytest.mark.parametrize("code", [1, 5])
def test_formats_that_are_right_are_not_doubted(path, survey, kind, code):
    random = np.random.default_rng(0)
    data = {
        "amplitudes": survey[0] * 500,
        "velocities": 1500 + 3000 * random.random(SHAPE, "f4"),
        "labels": survey[1].astype("f4"),
        "reflectivity": np.clip(survey[0] / 10, -0.3, 0.3),
        "zeros": np.zeros(SHAPE, "f4"),
    }[kind]
    samples = as_ibm(flat(data)) if code == 1 else flat(data)
    cube = open_cube(write_traces(path, samples, LINES, code=code))
    np.testing.assert_allclose(flat(cube.values), flat(data), rtol=1e-6)


@pytest.mark.parametrize("code", [0, 4, 99, 0x2020])
@pytest.mark.parametrize("order", [">", "<"])
def test_unknown_codes_name_the_way_out(path, survey, code, order):
    binary = {(3225, "u2"): code}
    write_traces(path, flat(survey[0]), LINES, order=order, binary=binary)
    with pytest.raises(ValueError, match=r"hold the sample format \d+.*sample_format='ieee'"):
        open_cube(path)
    cube = open_cube(path, sample_format="ieee")
    assert_array_equal(cube, survey[0])
    written = write_cube(path.with_name("b.sgy"), cube, like=path)
    assert_array_equal(open_cube(written), cube)


def test_sizes_that_fit_no_format_name_it_too(path, survey):
    data = np.round(flat(survey[0]) * 100).astype("i2")
    write_traces(path, data, LINES, code=3, binary={(3225, "u2"): 5})
    with pytest.raises(ValueError, match="sample format is not ieee, give `sample_format`"):
        open_cube(path)
    assert_array_equal(flat(open_cube(path, sample_format="int16").values), data)
    with pytest.raises(ValueError, match=r"`sample_format` must be one of \['ibm'.*got 'float'"):
        open_cube(path, sample_format="float")
