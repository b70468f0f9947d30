"""Damaged SEG-Y files: a clear error or a cube, never a crash, a hang, or much memory."""

import re
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skfacies._segy import file as _segy
from skfacies.io import open_cube, write_cube

xarray = pytest.importorskip("xarray")

N_SAMPLES, SHAPE = 25, (5, 4)
TRACE = 240 + 4 * N_SAMPLES
SIZE = 3600 + 20 * TRACE
QUIET = settings(
    derandomize=True,
    max_examples=50,
    deadline=2000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """Bytes of a good file."""
    data = np.random.default_rng(0).standard_normal((*SHAPE, N_SAMPLES)).astype("f4")
    axes = {"inline": range(10, 15), "crossline": range(7, 11), "twt": range(0, 100, 4)}
    path = tmp_path_factory.mktemp("good") / "good.sgy"
    write_cube(path, xarray.DataArray(data, axes, list(axes)), sample_format="ibm")
    return path.read_bytes()


def open_all(path, content):
    """Open and read all; the message of the error, or None."""
    path.write_bytes(content)
    message = None
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of intervals and formats that seem wrong
            cube = open_cube(path)
        assert cube.nbytes < 50_000_000
        cube.load()
    except (ValueError, OSError) as error:
        message = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 100_000_000
    if message is not None:  # it says which file, and what to do
        assert path.name in message
        assert re.search(r"export|copy|give|stack|inline_byte=", message, re.IGNORECASE)
    return message


def put(content, byte, value, kind=">i2"):
    """Content with a word at a byte, counted from 1."""
    word = np.array(value).astype(kind).tobytes()
    return content[: byte - 1] + word + content[byte - 1 + len(word) :]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "is not a SEG-Y file, or is truncated: it has 0 bytes"),
        (100, "truncated"),
        (3199, "truncated"),
        (3200, "truncated"),
        (3599, "truncated"),
        (3600, "the file of 3600 bytes has no complete trace"),
        (3601, "not a whole number of traces"),
        (3600 + 239, "not a whole number of traces"),
        (3600 + 240, "not a whole number of traces"),
        (3600 + TRACE - 1, "With 25, 0 complete traces and 339 bytes follow the headers"),
        (3600 + TRACE + 100, "With 25, 1 complete traces and 100 bytes follow the headers"),
        (3600 + 7 * TRACE + 250, "It is truncated, or its traces differ in length: copy it"),
        (SIZE - 1, "not a whole number of traces"),
    ],
)
def test_truncated_files_are_named(tmp_path, content, size, message):
    assert message in open_all(tmp_path / "cut.sgy", content[:size])


def test_file_cut_between_traces_lacks_them(tmp_path, content):
    assert open_all(tmp_path / "cut.sgy", content[: 3600 + 18 * TRACE]) is None
    cube = open_cube(tmp_path / "cut.sgy")
    assert (~cube.live.values).sum() == 2


@pytest.mark.parametrize("size", [*range(3590, 3610), *range(SIZE - 5, SIZE + 5)])
def test_truncation_at_any_byte(tmp_path, content, size):
    found = open_all(tmp_path / "cut.sgy", (content + bytes(9))[:size])
    assert (found is None) == (size == SIZE)


@pytest.mark.parametrize(
    ("byte", "value", "message"),
    [
        (3225, 0, r"sample format 0; expected one of 1 \(ibm\)"),
        (3225, 4, "sample format 4"),
        (3225, 99, "sample format 99"),
    ],
)
def test_absurd_headers_are_named(tmp_path, content, byte, value, message):
    found = open_all(tmp_path / "bad.sgy", put(content, byte, value))
    assert re.search(message, found)


def test_absurd_numbers_of_samples_of_revision_2(tmp_path, content):
    newer = put(content, 3501, 0x0200)
    assert open_all(tmp_path / "new.sgy", newer) is None
    for count in (2**31 - 1, -5, 24):
        assert open_all(tmp_path / "new.sgy", put(newer, 3269, count, ">i4")) is None  # the other
        found = open_all(tmp_path / "new.sgy", put(put(newer, 3269, count, ">i4"), 3221, 9))
        assert found is None  # bytes 115-116 of the traces say it
    for count in (2, -1, 2**31 - 1):  # of additional trace headers, which do not fit
        assert open_all(tmp_path / "new.sgy", put(newer, 3507, count, ">i4")) is None


@pytest.mark.parametrize("count", [3, 1, 32767, -2, -1])
def test_text_headers_that_do_not_fit_are_not_believed(tmp_path, content, count):
    absurd = put(content, 3505, count)
    assert open_all(tmp_path / "bad.sgy", absurd) is None
    assert "truncated" in open_all(tmp_path / "bad.sgy", absurd[:-1])


def test_number_of_samples_of_the_traces_stands_in(tmp_path, content):
    for wrong in (0, 26, -1):
        damaged = put(content, 3221, wrong)
        assert open_all(tmp_path / "cube.sgy", damaged) is None
        message = open_all(tmp_path / "cube.sgy", put(damaged, 3600 + 115, wrong))
        assert f"says {wrong % 2**16} samples per trace" in message


def test_zero_sample_interval_is_asked_for(tmp_path, content):
    path = tmp_path / "cube.sgy"
    for trace in range(20):
        content = put(content, 3600 + trace * TRACE + 117, 0)
    assert open_all(path, content) is None  # the binary header has it
    message = open_all(path, put(content, 3217, 0))
    assert "hold no sample interval. Give `sample_interval` > 0 in ms, such as 4" in message
    assert open_cube(path, sample_interval=2).twt[1] == 2
    with pytest.raises(ValueError, match="Give `sample_interval`"):
        open_cube(path, sample_interval=0)


def test_extended_headers_are_passed_over(tmp_path, content):
    text = "((SEG: EndText))".ljust(3200).encode("cp037")
    plain = " ".ljust(3200).encode("cp037")
    path = tmp_path / "cube.sgy"
    for count in (2, -1):
        extended = put(content, 3505, count)
        longer = extended[:3600] + plain + text + extended[3600:]
        assert open_all(path, longer) is None
        assert open_cube(path).shape == (*SHAPE, N_SAMPLES)
        cut = longer[: 3600 + 3200 + 1000]
        assert "truncated" in open_all(path, cut)


def test_huge_sparse_file_takes_no_memory(tmp_path, content):
    path = tmp_path / "huge.sgy"
    path.write_bytes(put(put(content[:3600], 3221, 0xFFFF, ">u2"), 3225, 5))
    with open(path, "r+b") as file:
        file.truncate(3600 + 8000 * (240 + 4 * 0xFFFF))  # 2 GB of holes
    tracemalloc.start()
    cube = open_cube(path)  # headers of zeros: one line
    assert cube.shape == (1, 8000, 0xFFFF)
    assert not cube[0, 10:12].values.any()
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@given(data=st.binary(max_size=5000))
@QUIET
def test_random_bytes(tmp_path, data):
    open_all(tmp_path / "random.sgy", data)


@given(seed=st.integers(0, 2**32 - 1), n_bytes=st.integers(0, 400))
@QUIET
def test_random_traces_after_good_headers(tmp_path, content, seed, n_bytes):
    random = np.random.default_rng(seed).bytes(20 * TRACE)
    open_all(tmp_path / "random.sgy", content[:3600] + random[: 20 * TRACE - n_bytes])


@given(
    words=st.lists(
        st.tuples(
            st.one_of(st.integers(3201, 3599), st.integers(3601, 3600 + 3 * TRACE)),
            st.integers(-(2**15), 2**15 - 1),
        ),
        min_size=1,
        max_size=6,
    )
)
@QUIET
def test_random_words_in_headers(tmp_path, content, words):
    for byte, value in words:
        content = put(content, byte, value)
    open_all(tmp_path / "words.sgy", content)


@given(
    numbers=st.lists(
        st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-3, 3)), min_size=20, max_size=20
    )
)
@QUIET
def test_random_line_numbers(tmp_path, content, numbers):
    for trace, (inline, crossline) in enumerate(numbers):
        content = put(content, 3600 + trace * TRACE + 189, inline, ">i4")
        content = put(content, 3600 + trace * TRACE + 193, crossline, ">i4")
    message = open_all(tmp_path / "lines.sgy", content)
    assert message is not None or len(set(numbers)) in (1, 20)


def test_file_cut_short_after_it_was_opened(tmp_path, content):
    path = tmp_path / "cube.sgy"
    path.write_bytes(content)
    cube = open_cube(path)
    path.write_bytes(content[: SIZE // 2])
    with pytest.raises(OSError, match="has changed since it was opened"):
        cube.load()
    file = _segy.SegyFile(str(path), 3600, 20, N_SAMPLES, 1)
    with pytest.raises(OSError, match="has been truncated since it was opened. Copy it again"):
        _segy.read_samples(file, np.arange(20), (0, N_SAMPLES))
