"""Samples of tests/benchmarks/faults.py, and full disks, two writers, rights, pickled calls."""

import errno
import importlib
import inspect
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from test_persistence import places, read, write

from skfacies import FaciesSegmenter
from skfacies._files import whole_folder
from skfacies.io import open_cube, write_cube
from skfacies.persistence import load_model, read_card, save_model

xarray = pytest.importorskip("xarray")

BENCHMARKS = Path(__file__).parent / "benchmarks"
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.fixture(scope="module")
def file(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "facies.safetensors"
    save_model(fitted, path)
    return path


@pytest.fixture
def harness(monkeypatch):
    """Importer of the modules of the benchmark."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


# --- samples of the counts ----------------------------------------------------------------------


@needs_linux
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "count"), [("models", 40), ("segy", 60), ("horizons", 60)])
def test_mutated_files_are_refused_or_read(harness, monkeypatch, tmp_path, name, count):
    worker, module = harness("_fault_worker"), harness(f"_fault_{name}")
    # Other tests have left garbage, which may be collected meanwhile.
    monkeypatch.setattr(worker, "SMALL", 64 << 20)
    module.make_files(tmp_path)
    case = module.make_case(tmp_path)
    outcomes = {case(seed) for seed in range(count)}
    assert "refused" in outcomes
    assert outcomes & {"read", "loaded"}


@needs_linux
@pytest.mark.slow
@pytest.mark.parametrize("part", ["models", "segy", "horizons", "writing", "threads"])
def test_command_of_the_benchmark(part, tmp_path):
    run_command(part, 30, tmp_path)


@needs_linux
@pytest.mark.slow
@pytest.mark.skipif(
    "checkpoint" not in inspect.signature(FaciesSegmenter.fit).parameters,
    reason="there is no checkpoint yet",
)
@pytest.mark.parametrize("part", ["training", "prediction"])
def test_killed_work_ends_like_unbroken_work(part, tmp_path):
    run_command(part, 6, tmp_path)


def run_command(part, count, folder):
    command = [
        sys.executable,
        "-W",
        "ignore",
        BENCHMARKS / "faults.py",
        part,
        "--count",
        str(count),
    ]
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": 0 faults" in done.stdout


def case_of_all_kinds(folder):
    """A case for the test below; processes that are spawned import it."""

    def case(seed):
        if seed == 1:
            os.abort()
        if seed == 2:
            while True:
                pass
        if seed == 3:
            raise KeyError("x")
        return "fine"

    return case


@needs_linux
@pytest.mark.slow
def test_crashes_hangs_and_other_errors_are_counted(harness, monkeypatch, tmp_path):
    worker, shown = harness("_fault_worker"), []
    monkeypatch.setattr(worker, "TIME_LIMIT", 0.5)
    outcomes = worker.run_cases(case_of_all_kinds, tmp_path, range(6), show=shown.append)
    assert outcomes == {"fine": 3, "fault": 3}
    assert [text[:6] for text in shown] == ["seed 1", "seed 2", "seed 3"]
    assert "crash, exit status -6" in shown[0]
    assert "hang" in shown[1]
    assert "KeyError" in shown[2]


@needs_linux
def test_too_much_memory_is_a_fault(harness):
    worker = harness("_fault_worker")
    peak = worker.measured(lambda: np.ones(120 << 17).sum())
    assert peak > 100 << 20  # of 120: some pages were this process's before
    with pytest.raises(worker.Fault, match="MB for a file of 1.000 MB: x"):
        worker.check_memory(peak, 10**6, 0, "x")
    worker.check_memory(peak, 32 << 20, 0, "x")


def test_gpu_benchmark_says_that_there_is_no_device(harness, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert harness("gpu").main() == 0
    assert capsys.readouterr().out == "not measured: torch finds no CUDA device here\n"


@pytest.mark.slow
def test_gpu_benchmark_runs_on_the_cpu():
    command = [sys.executable, BENCHMARKS / "gpu.py", "--device", "cpu", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| float32 | 100.000 % |" in done.stdout
    assert "predict: plain PyTorch / skfacies" in done.stdout
    assert "fit: plain PyTorch / skfacies" in done.stdout


# --- one process --------------------------------------------------------------------------------


@needs_linux
@pytest.mark.slow
def test_cycles_keep_neither_memory_nor_files():
    code = f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); import _fault_cycles as cycles\n"
    code += "cycles.run_cycles(16, most=0.03)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_threads_predict_as_in_turn(harness):
    assert harness("_fault_cycles").check_threads(0, n_threads=4) == "equal"


# --- disks and rights ---------------------------------------------------------------------------


def cube_of(value, shape=(20, 30, 100)):
    sizes = zip(("inline", "crossline", "twt"), shape, strict=True)
    axes = {name: np.arange(n) for name, n in sizes}
    return xarray.DataArray(np.full(shape, value, np.float32), axes, list(axes))


NAMES = ["cube.npy", "cube.sgy", "cube.zarr"]


@pytest.fixture
def small_disk(tmp_path):
    """Folder on a file system of 1 MB, which only administrators can make."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True)
    except OSError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip("only an administrator can mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_full_disk_leaves_the_old_cube(small_disk, name, monkeypatch):
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    path = small_disk / name
    write_cube(path, cube_of(1, (4, 5, 6)))
    # Somebody else fills the disk after the free space was looked at.
    monkeypatch.setattr("skfacies._cubes.writing.check_space", lambda path, n_bytes: None)
    noise = cube_of(0, (40, 100, 100))
    noise.values[:] = np.random.default_rng(0).standard_normal(noise.shape)  # not to be packed
    with pytest.raises(OSError, match="No space left on device"):
        write_cube(path, noise)
    assert (open_cube(path).values == 1).all()
    assert os.listdir(small_disk) == [name]


def test_full_disk_is_noticed_before_writing(small_disk):
    with pytest.raises(OSError, match="needs 0.00 GB, where 0.00 GB are free. Make room"):
        write_cube(small_disk / "cube.npy", cube_of(0, (40, 100, 100)))


def test_full_disk_leaves_the_old_model(small_disk, file, fitted):
    save_model(fitted, small_disk / "model")
    free = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(bytes(max(0, free - 50_000)))
    old = (small_disk / "model").read_bytes()
    with pytest.raises(OSError, match="No space left on device"):
        save_model(fitted, small_disk / "model")
    assert (small_disk / "model").read_bytes() == old
    assert sorted(os.listdir(small_disk)) == ["filler", "model"]


@pytest.mark.parametrize("name", [*NAMES, "model"])
def test_error_at_the_end_of_writing_leaves_the_old_file(tmp_path, fitted, name, monkeypatch):
    """As a full disk does that only then says so; everywhere, without a small disk."""
    if name.endswith("zarr"):
        pytest.importorskip("zarr")

    def fail(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / name
    write_old_or_new(path, fitted, 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left on device"):
            write_old_or_new(path, fitted, 1)
    assert version_of(path) == 0
    assert os.listdir(tmp_path) == [name]


def write_old_or_new(path, fitted, version):
    if path.name == "model":
        save_model(fitted, path, label_names=[f"{name}{version}" for name in "abc"])
    else:
        write_cube(path, cube_of(version))


def version_of(path):
    """The version that a file holds; an error if it holds several."""
    if path.name == "model":
        return int(load_model(path).label_names_[0][1:])
    (version,) = np.unique(open_cube(path).values)
    return int(version)


@pytest.mark.parametrize("name", [*NAMES, "model"])
def test_two_writers_of_one_file_leave_one_of_theirs(tmp_path, fitted, name):
    """Both write in turns of a few milliseconds, and a reader sees whole files all the time."""
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    path, errors, seen = tmp_path / name, [], set()
    write_old_or_new(path, fitted, 0)

    def write_often(version):
        try:
            for _ in range(4):
                write_old_or_new(path, fitted, version)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write_often, args=(version,)) for version in (1, 2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and not name.endswith("zarr"):
        try:
            seen.add(version_of(path))
        except OSError as error:  # between opening and reading
            assert "has changed since it was opened" in str(error)  # noqa: PT017
    for thread in threads:
        thread.join()
    assert not errors
    assert seen <= {0, 1, 2}
    assert version_of(path) in (1, 2)
    assert os.listdir(tmp_path) == [name]


def test_folders_are_there_whenever_one_looks(tmp_path):
    """A killed process leaves the old or the new one; there is no moment without."""
    path, missing, stop = tmp_path / "folder", [], threading.Event()

    def write_version(number):
        with whole_folder(path) as part:
            part.mkdir()
            (part / "number").write_text(str(number))

    def look():
        while not stop.is_set():
            if not (path / "number").exists() and not (path / "number").exists():
                missing.append(1)

    write_version(0)
    thread = threading.Thread(target=look)
    thread.start()
    for number in range(1, 100):
        write_version(number)
    stop.set()
    thread.join()
    assert (path / "number").read_text() == "99"
    assert os.listdir(tmp_path) == ["folder"]
    if sys.platform == "linux":
        assert not missing


def test_folders_are_written_where_names_cannot_be_exchanged(tmp_path, monkeypatch):
    monkeypatch.setattr("skfacies._files._exchange", lambda one, other: False)
    path = tmp_path / "folder"
    for number in range(3):
        with whole_folder(path) as part:
            part.mkdir()
            (part / "number").write_text(str(number))
        assert (path / "number").read_text() == str(number)
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("name", [*NAMES, "model"])
def test_read_only_folders_are_refused(tmp_path, fitted, name):
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    path = tmp_path / name
    write_old_or_new(path, fitted, 0)
    tmp_path.chmod(0o555)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("an administrator may write everywhere")
        with pytest.raises(OSError, match="Permission denied|not writable"):
            write_old_or_new(path, fitted, 1)
        assert version_of(path) == 0
    finally:
        tmp_path.chmod(0o755)


# --- model files that would run something -------------------------------------------------------


class Call:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path):
    """Path that is there if the pickled call was run."""
    path = tmp_path / "it ran"
    pickle.loads(pickle.dumps(Call(path)))
    path.rmdir()
    yield path
    assert not path.exists()


def refuse(path):
    with pytest.raises(ValueError, match="cannot be loaded as a model of skfacies"):
        load_model(path)
    with pytest.raises(ValueError, match="cannot be loaded as a model of skfacies"):
        read_card(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_in_place_of_the_file_are_not_run(tmp_path, mark, protocol):
    (tmp_path / "model").write_bytes(pickle.dumps(Call(mark), protocol))
    refuse(tmp_path / "model")


def test_files_of_other_pickling_programs_are_not_run(tmp_path, mark):
    import joblib
    import torch

    joblib.dump(Call(mark), tmp_path / "model")
    refuse(tmp_path / "model")
    torch.save(Call(mark), tmp_path / "model")
    refuse(tmp_path / "model")
    np.save(tmp_path / "model.npy", np.array([Call(mark)]), allow_pickle=True)
    refuse(tmp_path / "model.npy")


def test_pickles_in_place_of_each_tensor_are_not_run(file, tmp_path, mark):
    document, tensors = read(file)
    data = np.frombuffer(pickle.dumps(Call(mark)), np.uint8)
    for name in tensors:
        write(tmp_path / "model", document, {**tensors, name: data})
        with pytest.raises(ValueError, match="cannot be loaded as a model of skfacies"):
            load_model(tmp_path / "model")


def test_pickles_in_the_bytes_of_the_tensors_are_numbers(file, tmp_path, mark, survey):
    """Of the right size and with a right checksum: they are weights, and nothing else."""
    document, tensors = read(file)
    data = pickle.dumps(Call(mark))
    forged = {}
    for name, array in tensors.items():
        content = bytearray(array.tobytes())
        content[: len(data)] = data[: len(content)]
        forged[name] = np.frombuffer(bytes(content), array.dtype).reshape(array.shape)
    write(tmp_path / "model", document, forged)
    try:
        load_model(tmp_path / "model").predict(survey.data[:1])
    except ValueError as error:
        assert "cannot be loaded as a model of skfacies" in str(error)  # noqa: PT017


def set_at(document, path, value):
    *outer, last = path
    for key in outer:
        document = document[key]
    document[last] = value


def forms_of(data):
    """What readers of JSON that run something take for a call."""
    return [
        data.decode("latin-1"),
        {"$pickle": data.decode("latin-1")},
        {"py/reduce": [{"py/function": "os.mkdir"}, {"py/tuple": ["x"]}]},
        {"$array": {"dtype": "O", "values": data.decode("latin-1")}},
    ]


def test_pickles_in_place_of_each_value_of_the_document_are_not_run(file, tmp_path, mark):
    """Where the document may hold any text, as in the history, it stays text."""
    document, tensors = read(file)
    document["model"]["fitted"]["history_"] = document["model"]["fitted"]["history_"][:1]
    text = pickle.dumps(Call(mark), 0)
    n_refused = 0
    found = [place for place in places(document) if place]
    forms = forms_of(text)
    for k, path in enumerate(found):
        forged = pickle.loads(pickle.dumps(document))
        set_at(forged, path, forms[k % len(forms)])
        write(tmp_path / "model", forged, tensors)
        try:
            read_card(tmp_path / "model")
            if k % 4 == 0 or len(path) < 4:
                load_model(tmp_path / "model", device="cpu")
        except ValueError as error:
            n_refused += 1
            assert str(tmp_path / "model") in str(error)  # noqa: PT017
    assert n_refused > 5


def test_metadata_of_others_are_refused(file, tmp_path, mark):
    tensors = load_file(file)
    text = pickle.dumps(Call(mark), 0).decode("latin-1")
    for metadata in ({"skfacies": text}, {"pickle": text}, {"skfacies": "{}", "skfacies2": text}):
        save_file(tensors, tmp_path / "model", metadata)
        refuse(tmp_path / "model")


def test_newer_formats_are_not_read(file, tmp_path):
    document, tensors = read(file)
    document |= {"format_version": 99, "model": {"class": "Future"}, "more": [1]}
    path = write(tmp_path / "model", document, tensors)
    with pytest.raises(ValueError, match="has version 99 of the format.* Install a newer skfacies"):
        load_model(path)
