"""Cubes in files: what is opened, how little is read, and what comes back."""

import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from real_data import real_file
from segy_files import write_segy
from sklearn.base import BaseEstimator, ClassifierMixin

from skfacies import CubeSegmenter, _files
from skfacies._cubes import writing as _cube_writing
from skfacies._cubes.holders import swap_lines
from skfacies._segy import file as _segy
from skfacies._segy.structure import read_structure
from skfacies.datasets import make_facies_cube
from skfacies.io import open_cube, write_cube

xarray = pytest.importorskip("xarray")
segyio = pytest.importorskip("segyio")

REAL = {
    "F3_very_small": ((11, 11, 463), "float32", (200, 400, 0)),
    "f3_crop": ((23, 18, 75), "int16", (111, 875, 4)),
    "penobscot_xl1155": ((601, 1, 1501), "float32", (1000, 1155, 0)),
    "f3-withdead": ((23, 18, 75), "float32", (111, 875, 4)),
    "volve_2d_line": ((1, 225, 850), "float32", (1, 1, 4)),
    "segyio_rotated-small-rev2": ((5, 5, 50), "float32", (1, 20, 0)),
}
needs_zarr = pytest.mark.skipif(sys.version_info < (3, 11), reason="Zarr needs Python 3.11")


@pytest.fixture(scope="session")
def amplitudes():
    return make_facies_cube((6, 7, 20), n_facies=3, random_state=0)


@pytest.fixture
def cube(amplitudes):
    axes = {"inline": range(100, 112, 2), "crossline": range(305, 312), "twt": range(8, 88, 4)}
    return xarray.DataArray(amplitudes.data, axes, list(axes), name="amplitude")


def flat(cube, order="inline"):
    """Traces of a DataArray in the order of a file, and their line numbers."""
    cube = cube if order == "inline" else cube.transpose("crossline", "inline", ...)
    lines = np.meshgrid(*(cube[dim].values for dim in cube.dims[:2]), indexing="ij")
    numbers = np.stack([line.ravel() for line in lines], axis=1)
    return cube.values.reshape(-1, cube.shape[2]), numbers[:, :: 1 if order == "inline" else -1]


@pytest.fixture
def segy(tmp_path, cube):
    traces, numbers = flat(cube)
    return write_segy(tmp_path / "cube.sgy", traces, numbers=numbers)


def real(name, suffix=".sgy"):
    return real_file(f"segy/{name}{suffix}")


# --- opening SEG-Y --------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["inline", "crossline"])
@pytest.mark.parametrize("endian", ["big", "little"])
def test_values_and_coordinates_are_those_of_the_file(tmp_path, cube, order, endian):
    traces, numbers = flat(cube, order)
    path = write_segy(tmp_path / "cube.sgy", traces, numbers=numbers, endian=endian)
    opened = open_cube(path)
    xarray.testing.assert_equal(opened, cube)
    assert (opened.attrs["sorting"], opened.attrs["sample_format"]) == (order, "ieee")
    assert opened.twt.attrs["units"] == "ms"


@pytest.mark.parametrize(("code", "dtype"), [(1, "f4"), (2, "i4"), (3, "i2"), (5, "f4"), (8, "i1")])
def test_types_of_samples(tmp_path, cube, code, dtype):
    traces, numbers = flat((cube * 20).round().astype(dtype))
    path = write_segy(tmp_path / "cube.sgy", traces, numbers=numbers, code=code)
    opened = open_cube(path)
    assert opened.dtype == dtype
    assert_array_equal(opened.values.reshape(traces.shape), traces)


@pytest.mark.parametrize("endian", ["big", "little"])
def test_ibm_floats_are_read_as_segyio_reads_them(tmp_path, cube, endian):
    traces, numbers = flat(cube * 1e5 - 7)
    path = write_segy(tmp_path / "cube.sgy", traces, numbers=numbers, code=1, endian=endian)
    with segyio.open(path, ignore_geometry=True, endian=endian) as file:
        assert_array_equal(open_cube(path).values.reshape(traces.shape), file.trace.raw[:])


def test_ibm_floats_are_what_the_format_says():
    words = np.array([0, 0x40000000, 0xC1100000, 0x410B675C, 0x427FFFFF, 0x00000001, 0x7FFFFFFF])
    exact = [0, 0, -1, 0xB675C / 16**5, 0x7FFFFF / 16**4, 0, np.inf]
    assert_array_equal(_segy._from_ibm(words.astype(">u4")), np.float32(exact))


def test_ibm_floats_are_rounded_to_the_nearest():
    values = np.random.default_rng(0).standard_normal(5000) * np.logspace(-30, 30, 5000)
    values = np.append(values, [0, 1, -1, 15.999999, 0.0625, 3e38]).astype("f4")
    file = _segy.SegyFile("", 3600, 1, values.size, 1)
    back = _segy._from_ibm(_segy.encode_samples(values, file))
    assert np.all(np.abs(back - values) <= np.abs(values) * 2.0**-21)  # half a unit of 21 bits
    assert_array_equal(_segy._from_ibm(_segy.encode_samples(back, file)), back)


KEYS = {
    "an inline": np.s_[2],
    "a crossline": np.s_[:, 3],
    "a trace": np.s_[2, 3],
    "a sample": np.s_[2, 3, 4],
    "a depth slice": np.s_[:, :, 5],
    "a window": np.s_[1:4, 2:6, 3:9],
    "steps": np.s_[::2, ::-1, ::3],
    "backwards": np.s_[::-1, 1, ::-1],
    "lists": np.s_[[3, 0, 3], [6, 1], [0, 5]],
    "negative": np.s_[-1, -2:],
    "nothing": np.s_[0:0],
    "no samples": np.s_[:, :, 0:0],
}


@pytest.mark.parametrize("regular", [True, False])
@pytest.mark.parametrize("order", ["inline", "crossline"])
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_parts_are_those_of_the_whole(tmp_path, cube, order, regular, key):
    traces, numbers = flat(cube, order)
    kept = np.arange(len(traces)) if regular else np.arange(1, len(traces) - 3)
    path = write_segy(tmp_path / "cube.sgy", traces[kept], numbers=numbers[kept])
    opened = open_cube(path)
    whole = opened.values
    assert_array_equal(opened[key].values, xarray.DataArray(whole)[key].values)
    turned = opened.transpose("crossline", "inline", "twt")
    key = (key[1::-1] if len(key) > 1 else key) + key[2:] if isinstance(key, tuple) else key
    assert_array_equal(turned[key].values, xarray.DataArray(whole.swapaxes(0, 1))[key].values)


def test_parts_of_parts_of_transposed_cubes(segy, cube):
    opened = open_cube(segy)
    part = opened[1:5].transpose("crossline", "twt", "inline")[2:, 3:15][:, :, ::2]
    expected = cube[1:5].transpose("crossline", "twt", "inline")[2:, 3:15][:, :, ::2]
    xarray.testing.assert_equal(part, expected)
    xarray.testing.assert_equal(part[1].T, expected[1].T)
    xarray.testing.assert_equal(opened[3].T, cube[3].T)


def test_descending_lines_ascend(tmp_path, cube):
    for order in ("inline", "crossline"):
        traces, numbers = flat(cube[::-1, ::-1], order)
        opened = open_cube(write_segy(tmp_path / "cube.sgy", traces, numbers=numbers))
        xarray.testing.assert_equal(opened, cube)
        assert opened.attrs["sorting"] == order


def test_traces_in_any_order_have_their_places(tmp_path, cube):
    traces, numbers = flat(cube)
    shuffled = np.random.default_rng(0).permutation(len(traces))
    path = write_segy(tmp_path / "cube.sgy", traces[shuffled], numbers=numbers[shuffled])
    opened = open_cube(path)
    xarray.testing.assert_equal(opened, cube)
    assert "live" not in opened.coords


def test_missing_traces_are_nan_and_not_live(tmp_path, cube):
    traces, numbers = flat((cube * 10).astype("i2"))
    kept = np.delete(np.arange(len(traces)), [0, 9, 10])
    path = write_segy(tmp_path / "cube.sgy", traces[kept], numbers=numbers[kept], code=3)
    opened = open_cube(path)
    assert opened.dtype == np.float32
    assert_array_equal(np.flatnonzero(~opened.live.values), [0, 9, 10])
    assert_array_equal(np.isnan(opened.values).all(axis=2), ~opened.live.values)
    assert_array_equal(opened.values[opened.live.values], traces[kept])


def test_depth_and_corrections_of_the_vertical_axis(segy):
    opened = open_cube(segy, domain="depth", sample_interval=2.5, first_sample=-10)
    assert opened.dims == ("inline", "crossline", "depth")
    assert_array_equal(opened.depth[:3], [-10, -7.5, -5])
    assert opened.depth.attrs["units"] == "m"


def test_delay_has_a_scalar(tmp_path, cube):
    traces, numbers = flat(cube)
    path = write_segy(tmp_path / "cube.sgy", traces, numbers=numbers, h215=-10)
    assert open_cube(path).twt[0] == 0.8


def test_2d_line_is_one_inline_of_cdp_numbers(tmp_path, cube):
    traces, _ = flat(cube)
    none = np.zeros((len(traces), 2), int)
    cdp = np.arange(len(traces)) * 2 + 50
    opened = open_cube(write_segy(tmp_path / "line.sgy", traces, numbers=none, h21=cdp))
    assert opened.shape == (1, *traces.shape)
    assert_array_equal(opened.crossline, cdp)
    opened = open_cube(write_segy(tmp_path / "line.sgy", traces, numbers=none))
    assert_array_equal(opened.crossline, np.arange(len(traces)) + 1)


def test_any_file_opens_as_one_line(segy, cube):
    opened = open_cube(segy, inline_byte=None)
    assert_array_equal(opened.values[0], flat(cube)[0])


def test_line_numbers_elsewhere(tmp_path, cube):
    traces, numbers = flat(cube)
    path = write_segy(tmp_path / "cube.sgy", traces, numbers=numbers, fields=(9, 21))
    with pytest.raises(
        ValueError,
        match=r"bytes 189 and 193 of the trace headers hold inline 0 and crossline 0 in all 42 "
        r"traces. Line numbers seem to be in inline_byte=9, crossline_byte=21",
    ):
        open_cube(path)
    xarray.testing.assert_equal(open_cube(path, inline_byte=9, crossline_byte=21), cube)


def test_gathers_are_refused(tmp_path, cube):
    traces, numbers = flat(cube)
    offsets = np.tile([100, 200], len(traces))
    path = write_segy(
        tmp_path / "cube.sgy", traces.repeat(2, 0), numbers=numbers.repeat(2, 0), h37=offsets
    )
    with pytest.raises(
        ValueError, match=r"2 traces have inline 100 and crossline 305.*are 100, 200.*pre-stack"
    ):
        open_cube(path)


def test_lines_that_repeat_are_refused(tmp_path, cube):
    traces, numbers = flat(cube)
    numbers[:, 1] = 5
    path = write_segy(tmp_path / "cube.sgy", traces, numbers=numbers, h21=flat(cube)[1][:, 1])
    with pytest.raises(
        ValueError, match=r"7 traces have inline 100 and crossline 5.*=189, crossline_byte=21"
    ):
        open_cube(path)


def test_traces_that_begin_at_different_times_are_refused(tmp_path, cube):
    traces, numbers = flat(cube)
    delays = np.arange(len(traces)) % 3 * 4
    path = write_segy(tmp_path / "cube.sgy", traces, numbers=numbers, h109=delays)
    with pytest.raises(ValueError, match=r"begin at different times or depths, 0 to 8"):
        open_cube(path)
    assert open_cube(path, first_sample=4).twt[0] == 4


def test_numbers_that_are_no_lines_are_refused_before_memory_is_taken(tmp_path):
    n_traces = 3000
    numbers = np.random.default_rng(0).integers(0, 2**31 - 1, (n_traces, 2))
    path = write_segy(tmp_path / "cube.sgy", np.zeros((n_traces, 2), "f4"), numbers=numbers)
    with pytest.raises(ValueError, match=r"9000000 crossings only 3000 have a trace"):
        open_cube(path)


# --- laziness -------------------------------------------------------------------------------


class CountingFile:
    """Files of `_segy` that count the bytes that are read."""

    def __init__(self, monkeypatch):
        self.n_bytes = 0
        monkeypatch.setattr(_segy, "open", self.open, raising=False)

    def open(self, *args, **options):
        counter, file = self, open(*args, **options)  # noqa: SIM115 (closed below)
        readinto = file.readinto

        class Counted:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                file.close()

            def readinto(self, view):
                n_read = readinto(view)
                counter.n_bytes += n_read
                return n_read

            def __getattr__(self, name):
                return getattr(file, name)

        return Counted()


def sparse_segy(path, n_inlines=40, n_crosslines=30, n_samples=20_000):
    """File of holes and headers, of 96 MB."""
    head, template = _segy.new_headers(
        _segy.SegyFile("", 3600, 0, n_samples, 5, interval=4), first_sample=0, lines=[]
    )
    with open(path, "wb") as file:
        file.write(head)
        for k in range(n_inlines * n_crosslines):
            header = template.view(">i4").copy()
            header[47:49] = divmod(k, n_crosslines)
            file.seek(3600 + k * (240 + 4 * n_samples))
            file.write(header.tobytes())
        file.truncate(3600 + n_inlines * n_crosslines * (240 + 4 * n_samples))
    return path


def test_opening_reads_no_samples_of_short_traces_either(tmp_path, monkeypatch):
    """Where a header and its samples would come with one read."""
    path = sparse_segy(tmp_path / "short.sgy", n_samples=460)
    files = CountingFile(monkeypatch)
    open_cube(path)
    assert files.n_bytes < 1200 * 240


def test_no_more_is_read_than_asked_for(tmp_path, monkeypatch):
    path = sparse_segy(tmp_path / "large.sgy")
    files = CountingFile(monkeypatch)
    cube = open_cube(path)
    repr(cube)
    assert files.n_bytes < 1200 * 240
    trace = 4 * 20_000
    for part, n_traces in [(cube[3], 30), (cube[:, 4], 40), (cube[2:4, 5:6], 2)]:
        files.n_bytes = 0
        assert part.values.shape[-1] == 20_000
        assert files.n_bytes <= n_traces * (trace + 240)
    files.n_bytes = 0
    assert cube[:, :, 100:110].shape == cube[:, :, 100:110].values.shape
    assert files.n_bytes == 1200 * 40


def test_dask_on_request(segy, cube):
    dask = pytest.importorskip("dask")
    opened = open_cube(segy, chunks={"inline": 2})
    assert opened.chunks == ((2, 2, 2), (7,), (20,))
    for scheduler in ("threads", "processes"):
        with dask.config.set(scheduler=scheduler):
            xarray.testing.assert_equal(opened.compute(), cube)
    assert open_cube(segy, chunks="auto").chunks == ((6,), (7,), (20,))


def test_auto_chunks_lie_together_in_the_file(tmp_path, cube, monkeypatch):
    pytest.importorskip("dask")
    monkeypatch.setattr("skfacies.io.CHUNK_BYTES", 2 * 6 * 20 * 4)
    traces, numbers = flat(cube, "crossline")
    path = write_segy(tmp_path / "cube.sgy", traces, numbers=numbers)
    assert open_cube(path, chunks="auto").chunks == ((6,), (2, 2, 2, 1), (20,))


def test_threads_read_side_by_side(segy, cube):
    opened = open_cube(segy)
    barrier = threading.Barrier(8)

    def read(i):
        barrier.wait()
        return [opened[:, j].values for j in range(7)]

    with ThreadPoolExecutor(8) as pool:
        for sections in pool.map(read, range(8)):
            assert_array_equal(sections, cube.values.swapaxes(0, 1))


def test_another_process_reads_a_pickled_cube(tmp_path, cube):
    traces, numbers = flat(cube)
    path = write_segy(tmp_path / "cube.sgy", traces, numbers=numbers, code=1)
    opened = open_cube(path)
    (tmp_path / "cube.pickle").write_bytes(pickle.dumps(opened[:, 2].T))
    program = "import pickle, sys; print(float(pickle.load(open(sys.argv[1], 'rb')).sum()))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "cube.pickle")],
        capture_output=True,
        text=True,
    )
    assert float(done.stdout) == pytest.approx(float(opened[:, 2].sum())), done.stderr


def test_file_that_changed_is_not_read(segy, cube):
    opened = open_cube(segy)
    os.utime(segy, (1, 1))
    with pytest.raises(OSError, match=r"cube.sgy has changed since it was opened. Open it again"):
        opened[0].values  # noqa: B018


def test_sections_of_crosslines_stay_lines(segy, cube):
    turned = swap_lines(open_cube(segy))
    assert "LazyView" in type(turned.variable._data).__name__
    assert_array_equal(np.asarray(turned[2:4]), cube.values.swapaxes(0, 1)[2:4])


# --- other files ----------------------------------------------------------------------------


def test_npy_is_mapped(tmp_path, cube):
    np.save(tmp_path / "cube.npy", cube.values)
    opened = open_cube(tmp_path / "cube.npy", domain="depth")
    assert opened.dims == ("inline", "crossline", "depth")
    assert not opened.variable._in_memory
    assert_array_equal(pickle.loads(pickle.dumps(opened)), cube)
    for key in KEYS.values():
        assert_array_equal(opened[key].values, xarray.DataArray(cube.values)[key].values)
    np.savez(tmp_path / "cube.npz", cube=cube.values)
    assert_array_equal(open_cube(tmp_path / "cube.npz"), cube)
    np.save(tmp_path / "labels.npy", cube.values > 0)
    held = open_cube(tmp_path / "labels.npy").variable._data
    assert isinstance(held, np.memmap) or isinstance(held.base, np.memmap)


def test_one_of_several_arrays_is_named(tmp_path, cube):
    np.savez(tmp_path / "cube.npz", seismic=cube.values, facies=cube.values > 0)
    with pytest.raises(ValueError, match=r"expected one cube, found 'seismic', 'facies'"):
        open_cube(tmp_path / "cube.npz")
    assert open_cube(tmp_path / "cube.npz", variable="facies").dtype == bool


@needs_zarr
def test_zarr_array_is_lazy(tmp_path, cube):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(
        tmp_path / "cube.zarr", shape=cube.shape, dtype="f4", chunks=(2, 7, 20)
    )
    array[:] = cube.values
    opened = open_cube(tmp_path / "cube.zarr")
    assert opened.dims == ("inline", "crossline", "twt")
    assert not opened.variable._in_memory
    for same in (opened, pickle.loads(pickle.dumps(opened))):
        assert_array_equal(same[::2, [1, 5]].values, cube.values[::2, [1, 5]])
    assert open_cube(tmp_path / "cube.zarr", chunks="auto").chunks == ((6,), (7,), (20,))


@needs_zarr
def test_zarr_datasets_keep_labels_that_equal_the_fill_value(tmp_path, cube):
    pytest.importorskip("zarr")
    stored = (cube > 0).astype("i1").transpose("twt", "crossline", "inline").to_dataset(name="f")
    stored.to_zarr(tmp_path / "cube.zarr", zarr_format=2, consolidated=False)
    opened = open_cube(tmp_path / "cube.zarr")
    assert opened.dtype == np.int8
    xarray.testing.assert_equal(opened, (cube > 0).astype("i1"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cube.txt", r"must end in .sgy, .segy, .zarr, .npy, .npz, .mdio; got"),
        ("none.sgy", r"`path` .*none.sgy does not exist"),
    ],
)
def test_other_paths_are_refused(tmp_path, name, message):
    with pytest.raises((ValueError, OSError), match=message):
        open_cube(tmp_path / name)


def test_other_arguments_are_refused(segy):
    with pytest.raises(ValueError, match="`domain` must be 'twt' or 'depth'; got 'time'"):
        open_cube(segy, domain="time")
    with pytest.raises(ValueError, match="`inline_byte` must be from 1 to 237; got 240"):
        open_cube(segy, inline_byte=240)


def test_missing_packages_are_named(monkeypatch, segy):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r"xarray is not installed.*'skfacies\[segy\]'"):
        open_cube(segy)


@pytest.mark.parametrize(
    ("missing", "extra"), [("xarray", "segy"), pytest.param("zarr", "zarr", marks=needs_zarr)]
)
def test_missing_packages_for_zarr_are_named(monkeypatch, tmp_path, cube, missing, extra):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"{missing} is not installed.*'skfacies\[{extra}\]'"):
        write_cube(tmp_path / "a.zarr", cube)


def test_import_takes_no_optional_package():
    program = "import sys, skfacies.io; print({'torch', 'xarray', 'segyio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


# --- writing with the headers of a file -----------------------------------------------------


def headers_of(path):
    file = read_structure(path)
    return _segy.read_bytes(file, np.arange(file.n_traces), 0, file.header)


@pytest.mark.parametrize("name", REAL)
def test_real_files_open_and_come_back(tmp_path, name):
    path = real(name)
    shape, dtype, first = REAL[name]
    opened = open_cube(path)
    assert (opened.shape, opened.dtype) == (shape, dtype)
    assert tuple(float(opened[dim][0]) for dim in opened.dims) == first
    written = write_cube(tmp_path / "back.sgy", opened, like=path)
    before, after = (np.frombuffer(file.read_bytes(), np.uint8) for file in (path, written))
    changed = np.flatnonzero(before != after)
    assert changed.max() - changed.min() < 80  # one card of the text header
    assert changed.max() < 3200
    if name == "segyio_rotated-small-rev2":
        return  # its additional trace headers are not for segyio
    strict = name not in ("f3-withdead", "volve_2d_line")
    with segyio.open(written, strict=strict) as file, segyio.open(path, strict=strict) as like:
        assert_array_equal(file.trace.raw[:], like.trace.raw[:])
        if strict:
            assert_array_equal(file.ilines, opened.inline)
            assert_array_equal(file.xlines, opened.crossline)


@pytest.mark.parametrize("name", REAL)
def test_labels_of_real_files_come_back(tmp_path, name):
    path = real(name)
    labels = (np.nan_to_num(open_cube(path)) > 0).astype(np.int8)
    written = write_cube(tmp_path / "labels.sgy", labels, like=path)
    opened = open_cube(written)
    live = opened.live.values if "live" in opened.coords else np.ones(labels.shape[:2], bool)
    assert opened.attrs["sample_format"] == "int8"
    assert_array_equal(opened.values[live], labels[live])
    assert_array_equal(headers_of(written), headers_of(path))


def test_traces_that_are_marked_as_dead_are_missing():
    opened = open_cube(real("cube_w_deadtraces", ".segy"))
    assert opened.attrs["n_dead"] == (~opened.live.values).sum() == 656
    assert_array_equal(np.isnan(opened.values).all(axis=2), ~opened.live.values)


def test_dead_traces_of_f3_are_nan():
    opened = open_cube(real("f3-withdead"))
    assert int(opened.live.sum()) == 239
    assert_array_equal(np.isnan(opened.values).any(axis=2), ~opened.live.values)


@pytest.mark.parametrize("order", ["inline", "crossline"])
@pytest.mark.parametrize("kind", ["numpy", "turned", "dask", "crosswise dask", "lazy", "memmap"])
def test_any_cube_is_written_as_like(tmp_path, cube, monkeypatch, order, kind):
    traces, numbers = flat(cube, order)
    like = write_segy(tmp_path / "like.sgy", traces, numbers=numbers, code=1, h5=np.arange(42))
    other = write_segy(tmp_path / "other.sgy", -traces[::-1], numbers=numbers[::-1], code=1)
    monkeypatch.setattr(_cube_writing, "SLAB_BYTES", 2 * 7 * 20 * 4)
    source = open_cube(other)
    expected = source.load().values
    given = {
        "numpy": lambda: expected,
        "turned": lambda: source.transpose("twt", "crossline", "inline"),
        "dask": lambda: open_cube(other, chunks={"inline": 4}),
        "crosswise dask": lambda: open_cube(other, chunks={"crossline": 2, "inline": -1}),
        "lazy": lambda: open_cube(other),
        "memmap": lambda: as_memmap(expected, tmp_path),
    }[kind]()
    if "dask" in kind:
        pytest.importorskip("dask")
    written = write_cube(tmp_path / "written.sgy", given, like=like)
    assert_array_equal(open_cube(written).values, expected)
    assert_array_equal(headers_of(written), headers_of(like))
    assert open_cube(written).attrs["sample_format"] == "ibm"


def as_memmap(array, folder):
    np.save(folder / "array.npy", array)
    return np.load(folder / "array.npy", mmap_mode="r")


def test_each_chunk_is_computed_once(tmp_path, segy, cube):
    array = pytest.importorskip("dask.array")
    counts = []

    def count(block):
        counts.append(block.shape)
        return block

    for chunks in [(4, 7, 20), (6, 2, 20)]:
        lazy = array.from_array(cube.values, chunks=chunks).map_blocks(
            count, dtype="f4", meta=np.empty((0, 0, 0), "f4")
        )
        for name in ("a.sgy", "a.npy", *(["a.zarr"] if sys.version_info >= (3, 11) else [])):
            counts.clear()
            write_cube(tmp_path / name, lazy, like=segy if name == "a.sgy" else None)
            assert len(counts) == lazy.npartitions
            assert_array_equal(open_cube(tmp_path / name), cube.values)


def test_text_header_says_who_wrote_it(tmp_path, segy, cube):
    written = write_cube(tmp_path / "a.sgy", cube, like=segy, note="0 sand, 1 shale")
    with segyio.open(written) as file, segyio.open(segy) as like:
        before, after = segyio.tools.wrap(like.text[0]), segyio.tools.wrap(file.text[0])
    cards = [card for card in after.split("\n") if card not in before.split("\n")]
    assert len(cards) == 1
    assert "skfacies" in cards[0]
    assert "UTC. 0 sand, 1 shale" in cards[0]


def test_long_notes_take_several_cards(tmp_path, segy, cube):
    note = ", ".join(f"{k} means unit number {k}" for k in range(12))
    for like in (None, segy):
        written = write_cube(tmp_path / "a.sgy", cube, like=like, note=note)
        text = written.read_bytes()[:3200].decode("cp037")
        cards = [text[start + 4 : start + 80].strip() for start in range(0, 3200, 80)]
        assert note in " ".join(card for card in cards if card)
        with pytest.raises(ValueError, match="`note` needs .* cards"):
            write_cube(tmp_path / "b.sgy", cube, like=like, note="word " * 1000)
    assert not (tmp_path / "b.sgy").exists()


def test_text_header_without_a_blank_card_gives_its_last_but_two(tmp_path, segy, cube):
    content = bytearray(segy.read_bytes())
    content[:3200] = b"".join(f"C{k + 1:>2} {'full':76}".encode() for k in range(40))
    segy.write_bytes(content)
    text = write_cube(tmp_path / "a.sgy", cube, like=segy).read_bytes()[:3200].decode("ascii")
    assert [k for k in range(40) if "full" not in text[80 * k : 80 * k + 80]] == [37]
    assert text[37 * 80 :].startswith("C38 skfacies")


@pytest.mark.parametrize(
    ("dtype", "found"), [("bool", "i1"), ("i1", "i1"), ("u1", "i2"), ("i2", "i2"), ("i8", "i4")]
)
def test_integers_stay_integers(tmp_path, segy, amplitudes, dtype, found):
    written = write_cube(tmp_path / "a.sgy", amplitudes.target.astype(dtype), like=segy)
    opened = open_cube(written)
    assert opened.dtype == found
    assert_array_equal(opened, amplitudes.target.astype(dtype))


def test_samples_that_do_not_fit_are_refused(tmp_path, segy, amplitudes):
    labels = amplitudes.target.astype("i8")
    labels[1, 2, 3] = 2**40
    with pytest.raises(ValueError, match=r"holds 1099511627776, which the sample format int32"):
        write_cube(tmp_path / "a.sgy", labels, like=segy)
    with pytest.raises(ValueError, match=r"whole numbers -128 … 127.*'ieee'"):
        write_cube(tmp_path / "a.sgy", amplitudes.data + 0.5, like=segy, sample_format="int8")
    infinite = amplitudes.data.copy()
    infinite[0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="holds infinity in traces to be written, which IBM"):
        write_cube(tmp_path / "a.sgy", infinite, like=segy, sample_format="ibm")
    assert os.listdir(tmp_path) == ["cube.sgy"]


def test_strings_are_refused(tmp_path, segy, amplitudes):
    with pytest.raises(ValueError, match=r"`cube` holds <U1, but files hold numbers. Map labels"):
        write_cube(tmp_path / "a.sgy", amplitudes.target.astype("U1"), like=segy)


def test_probabilities_are_one_file_for_each_class(tmp_path, segy, amplitudes):
    one_hot = np.eye(3, dtype="f4")[amplitudes.target]
    paths = write_cube(tmp_path / "p.sgy", one_hot, like=segy, classes=["sand", "a/b", "salt"])
    assert [path.name for path in paths] == ["p_sand.sgy", "p_a_b.sgy", "p_salt.sgy"]
    for k, path in enumerate(paths):
        assert_array_equal(open_cube(path), one_hot[..., k])
    axes = {**dict(open_cube(segy).coords), "facies": [4, 5, 6]}
    labeled = xarray.DataArray(one_hot, axes, ("inline", "crossline", "twt", "facies"))
    paths = write_cube(tmp_path / "q.sgy", labeled)
    assert [path.name for path in paths] == ["q_4.sgy", "q_5.sgy", "q_6.sgy"]
    with pytest.raises(ValueError, match=r"`classes` must have 3 names, .*; got 2"):
        write_cube(tmp_path / "p.sgy", one_hot, like=segy, classes=["sand", "salt"])


def test_other_geometry_is_refused(tmp_path, segy, cube):
    with pytest.raises(
        ValueError, match=r"must have the shape of `like`=.*cube.sgy', \(6, 7, 20\); got \(5, 7, 20"
    ):
        write_cube(tmp_path / "a.sgy", cube[1:], like=segy)
    with pytest.raises(ValueError, match=r"has inline 101 at position 0, where `like`=.* has 100"):
        write_cube(tmp_path / "a.sgy", cube.assign_coords(inline=cube.inline + 1), like=segy)
    later = cube.assign_coords(twt=cube.twt + 4)
    with pytest.raises(ValueError, match=r"has twt 12 at position 0.*cube.drop_vars\('twt'\)"):
        write_cube(tmp_path / "a.sgy", later, like=segy)
    write_cube(tmp_path / "a.sgy", later.drop_vars("twt"), like=segy)


def test_bytes_of_line_numbers_come_with_the_cube(tmp_path, cube):
    traces, numbers = flat(cube)
    like = write_segy(tmp_path / "like.sgy", traces, numbers=numbers, fields=(9, 21))
    places = {"inline_byte": 9, "crossline_byte": 21}
    write_cube(tmp_path / "a.sgy", open_cube(like, **places), like=like)
    write_cube(tmp_path / "b.sgy", cube.values, like=like, **places)
    for name in ("a.sgy", "b.sgy"):
        xarray.testing.assert_equal(open_cube(tmp_path / name, **places), cube)


def test_any_file_is_written_as_one_line(tmp_path, segy):
    line = open_cube(segy, inline_byte=None)
    for given, byte in [(line, None), (line.values, 0)]:
        written = write_cube(tmp_path / "a.sgy", given, like=segy, inline_byte=byte)
        assert_array_equal(open_cube(written), open_cube(segy))
    with pytest.raises(ValueError, match="`crossline_byte` must be from 1 to 237; got 0"):
        write_cube(tmp_path / "a.sgy", line, like=segy, crossline_byte=0)


# --- writing new files ----------------------------------------------------------------------


def test_new_segy_opens_strictly(tmp_path, cube):
    written = write_cube(tmp_path / "a.sgy", cube)
    xarray.testing.assert_equal(open_cube(written), cube)
    with segyio.open(written) as file:
        assert_array_equal(file.ilines, cube.inline)
        assert_array_equal(file.xlines, cube.crossline)
        assert_array_equal(file.samples, cube.twt)
        assert_array_equal(segyio.tools.cube(file), cube)
        assert file.bin[segyio.BinField.SEGYRevision] == 1
        assert_array_equal(file.attributes(1)[:], np.arange(42) + 1)
        assert_array_equal(file.attributes(21)[:], np.tile(cube.crossline, 6))
        assert b"skfacies" in file.text[0]


def test_new_segy_leaves_out_missing_traces(tmp_path, cube):
    live = np.ones((6, 7), bool)
    live[0, 1] = live[4, 4:] = False
    partial = cube.where(xarray.DataArray(live, dims=cube.dims[:2]))
    partial = partial.assign_coords(live=(cube.dims[:2], live))
    written = write_cube(tmp_path / "a.sgy", partial, sample_format="ibm")
    opened = open_cube(written)
    assert os.path.getsize(written) == 3600 + live.sum() * (240 + 80)
    assert_array_equal(opened.live, live)
    np.testing.assert_allclose(opened, partial, rtol=1e-6)


def test_new_segy_in_depth_and_at_other_bytes(tmp_path, cube):
    deep = xarray.DataArray(
        cube.values,
        {
            "inline": cube.inline.values,
            "crossline": cube.crossline.values,
            "depth": 2.5 * np.arange(20),
        },
        ("inline", "crossline", "depth"),
    )
    places = {"inline_byte": 221, "crossline_byte": 17}
    written = write_cube(tmp_path / "a.sgy", deep, **places)
    xarray.testing.assert_equal(open_cube(written, domain="depth", **places), deep)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cube: cube.values, "has no inline numbers for SEG-Y. Give a DataArray"),
        (lambda cube: cube.drop_vars("twt"), "must have two or more times or depths"),
        (lambda cube: cube.assign_coords(inline=cube.inline / 3), "distinct whole numbers"),
        (lambda cube: cube.assign_coords(crossline=cube.crossline * 0), "distinct whole numbers"),
        (lambda cube: cube.assign_coords(twt=cube.twt**2), "must have one constant interval"),
        (lambda cube: cube.assign_coords(twt=cube.twt + 0.5), "starting at a whole number"),
    ],
)
def test_cubes_without_coordinates_for_segy_are_refused(tmp_path, cube, change, message):
    with pytest.raises(ValueError, match=message):
        write_cube(tmp_path / "a.sgy", change(cube))
    assert os.listdir(tmp_path) == []


@needs_zarr
def test_zarr_keeps_coordinates(tmp_path, cube):
    zarr = pytest.importorskip("zarr")
    live = np.arange(42).reshape(6, 7) % 5 > 0
    full = cube.assign_coords(live=(cube.dims[:2], live)).assign_attrs(step=np.int64(3))
    written = write_cube(tmp_path / "a.zarr", full)
    opened = open_cube(written)
    xarray.testing.assert_equal(opened, full)
    assert opened.attrs["step"] == 3
    assert zarr.open_group(written, mode="r").metadata.zarr_format == 3
    dataset = xarray.open_zarr(written, consolidated=False, chunks=None)
    xarray.testing.assert_equal(dataset["amplitude"], full)


@needs_zarr
def test_zarr_and_npy_hold_probabilities(tmp_path, cube, amplitudes):
    pytest.importorskip("zarr")
    one_hot = np.eye(3, dtype="f4")[amplitudes.target]
    names = ["sand", "shale", "salt"]
    labeled = xarray.DataArray(
        one_hot, {**cube.coords, "facies": names}, (*cube.dims, "facies"), name="probability"
    )
    opened = open_cube(write_cube(tmp_path / "p.zarr", labeled))
    assert opened.facies.values.tolist() == names
    assert_array_equal(opened, one_hot)
    assert_array_equal(open_cube(write_cube(tmp_path / "p.npy", labeled)), one_hot)


# --- safety ---------------------------------------------------------------------------------


def broken(cube):
    """Lazy cube whose last inline cannot be read."""
    array = pytest.importorskip("dask.array")

    def fail(block, block_info=None):
        if block_info[0]["chunk-location"][0] == 5:
            raise RuntimeError("lost")
        return block

    lazy = array.from_array(cube.values, chunks=(1, 7, 20))
    return cube.copy(data=lazy.map_blocks(fail, dtype="f4", meta=np.empty((0, 0, 0), "f4")))


@pytest.mark.parametrize("name", ["a.sgy", "a.npy", pytest.param("a.zarr", marks=needs_zarr)])
@pytest.mark.parametrize("existing", [True, False])
def test_failed_run_leaves_what_was_there(tmp_path, cube, monkeypatch, name, existing):
    monkeypatch.setattr(_cube_writing, "SLAB_BYTES", 1)
    if existing:
        write_cube(tmp_path / name, -cube)
    with pytest.raises(RuntimeError, match="lost"):
        write_cube(tmp_path / name, broken(cube))
    assert os.listdir(tmp_path) == [name] * existing
    if existing:
        assert_array_equal(open_cube(tmp_path / name), -cube)
        write_cube(tmp_path / name, cube)
        assert os.listdir(tmp_path) == [name]
        assert_array_equal(open_cube(tmp_path / name), cube)


@needs_zarr
def test_store_comes_back_if_the_swap_fails(tmp_path, cube, monkeypatch):
    pytest.importorskip("zarr")
    write_cube(tmp_path / "a.zarr", cube)
    rename = os.replace

    def fail(source, target):
        if str(source).endswith(".part"):
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(_files, "_exchange", lambda *paths: False)  # as outside Linux
    monkeypatch.setattr(_files.os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        write_cube(tmp_path / "a.zarr", -cube)
    assert os.listdir(tmp_path) == ["a.zarr"]
    assert_array_equal(open_cube(tmp_path / "a.zarr"), cube)


@needs_zarr
def test_folder_that_is_no_store_is_not_replaced(tmp_path, cube):
    pytest.importorskip("zarr")
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "thesis.tex").touch()
    with pytest.raises(ValueError, match="exists and is not a Zarr store"):
        write_cube(tmp_path / "a.zarr", cube)


def test_sources_are_not_overwritten(tmp_path, segy, cube):
    with pytest.raises(ValueError, match="is the file of `like`. Give another name"):
        write_cube(segy, cube, like=segy)
    with pytest.raises(ValueError, match="is the file of `cube`. Give another name"):
        write_cube(segy, open_cube(segy))
    os.link(segy, tmp_path / "p_0.sgy")
    with pytest.raises(ValueError, match="is the file of `like`. Give another name"):
        write_cube(tmp_path / "p.sgy", cube.values[..., None], like=segy)


def test_full_disk_is_told_before_writing(tmp_path, cube, monkeypatch):
    class Usage:
        free = 100

    monkeypatch.setattr(_files.shutil, "disk_usage", lambda path: Usage)
    with pytest.raises(OSError, match=r"a.npy needs 0.00 GB, where 0.00 GB are free"):
        write_cube(tmp_path / "a.npy", cube)


def test_paths_that_cannot_be_written(tmp_path, segy, cube):
    with pytest.raises(FileNotFoundError, match="the folder of `path` .* does not exist"):
        write_cube(tmp_path / "none" / "a.sgy", cube)
    with pytest.raises(ValueError, match="`path` must end in .sgy, .segy, .zarr, .npy; got"):
        write_cube(tmp_path / "a.npz", cube)
    with pytest.raises(ValueError, match="`like` gives headers for SEG-Y files"):
        write_cube(tmp_path / "a.npy", cube, like=segy)
    with pytest.raises(ValueError, match="`sample_format` must be one of .* got 'half'"):
        write_cube(tmp_path / "a.sgy", cube, sample_format="half")
    with pytest.raises(ValueError, match="`cube` must be a cube of shape"):
        write_cube(tmp_path / "a.sgy", cube.values[0])


# --- a whole survey -------------------------------------------------------------------------


class ByAmplitude(ClassifierMixin, BaseEstimator):
    """Two facies by the sign of amplitudes; -1 where they are missing."""

    nan_policy, ignore_label = "ignore", -1

    def fit(self, X, y):
        self.classes_ = np.array([0, 1], dtype=np.int8)
        return self

    def predict(self, X):
        return np.where(np.isnan(X), -1, X > 0).astype(np.int8)


@pytest.mark.parametrize("direction", ["inline", "crossline"])
@pytest.mark.parametrize("chunks", [None, {"inline": 2}])
def test_from_segy_to_segy_through_a_segmenter(tmp_path, cube, direction, chunks):
    traces, numbers = flat(cube)
    kept = np.arange(3, len(traces))
    like = write_segy(tmp_path / "like.sgy", traces[kept], numbers=numbers[kept], code=1)
    if chunks is not None:
        pytest.importorskip("dask")
    opened = open_cube(like, chunks=chunks)
    labels = (np.nan_to_num(opened) > 0).astype(np.int8)
    segmenter = CubeSegmenter(ByAmplitude(), direction).fit(opened, labels)
    facies = segmenter.predict(opened)
    written = open_cube(write_cube(tmp_path / "facies.sgy", facies, like=like))
    assert written.attrs["sample_format"] == "int8"
    assert_array_equal(written.values[written.live.values], traces[kept] > 0)
