"""Work that is killed at random moments and started again: the end is that of unbroken work."""

import contextlib
import functools
import importlib
import os
import random
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from _fault_worker import Fault

from skfacies import CubeSegmenter, FaciesSegmenter
from skfacies.datasets import make_facies_cube
from skfacies.io import open_cube, write_cube
from skfacies.persistence import load_model, save_model

__all__ = ["PARTS", "fork", "run_part"]

#: Kills of one piece of work, at most; then it may end.
MOST_KILLS = 4
#: Seconds that one piece of work may take when it is not killed.
LIMIT = 300


def fork(function, kill_after=None):
    """Run a function in a copy of this process, which is killed after some seconds.

    Returns
    -------
    ended : bool
        Whether the function came to its end. A function that raises is a Fault.
    """
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        status = 1
        try:
            os.setsid()
            torch.set_num_threads(1)
            function()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    stop = time.monotonic() + (LIMIT if kill_after is None else kill_after)
    while time.monotonic() < stop:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended and status:
            raise Fault(f"the work has failed, status {status}: see the trace above")
        if ended:
            return True
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if kill_after is None:
        raise Fault(f"not at an end after {LIMIT} s")
    return False


def run_part(name, seeds, folder, show=print):
    """Outcomes of the cases of a part, by their words."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    case, outcomes = PARTS[name](Path(folder)), Counter()
    for seed in seeds:
        try:
            outcomes[case(seed)] += 1
        except Fault as fault:
            outcomes["fault"] += 1
            show(f"seed {seed}: {fault}")
    return outcomes


def _killed_and_resumed(rng, work, duration, mark):
    """Kill work until it ends; how often it was killed, and how often there was a mark on disk."""
    n_kills = n_marked = 0
    while n_kills < MOST_KILLS:
        if fork(work, kill_after=rng.uniform(0, duration)):
            return n_kills, n_marked
        n_kills += 1
        n_marked += mark()
    fork(work)
    return n_kills, n_marked


def _timed(work):
    start = time.monotonic()
    fork(work)
    return time.monotonic() - start


def _word(n_kills, n_marked):
    if not n_kills:
        return "not killed"
    return "went on" if n_marked else "began anew"


# --- training -----------------------------------------------------------------------------------

TINY = {
    "encoder_name": "tu-test_resnet",
    "encoder_depth": 3,
    "decoder_channels": (8, 8, 8),
    "precision": "float32",
    "device": "cpu",
    "batch_size": 4,
    "random_state": 0,
}
TRAININGS = [
    {"max_epochs": 5},
    {"max_epochs": 5, "augment": False, "crop_size": 32, "lr_schedule": "constant"},
    {"max_epochs": 6, "early_stopping": 2, "validation_fraction": 0.3},
    {"max_epochs": 4, "class_weight": "balanced", "net_params": {"module__drop_path_rate": 0.3}},
    {"max_epochs": 4, "random_state": None},
]


def _always_write():
    """Tiny trainings and predictions end before a checkpoint is due."""
    for module, names in {
        "skfacies._nn.checkpoint": {"FIRST_AFTER": 0.0, "PART_OF_TIME": 1e9},
        "skfacies._cubes.checkpoint": {"SHARE_OF_TIME": 1e9},
    }.items():
        with contextlib.suppress(ImportError):
            found = importlib.import_module(module)
            for name, value in names.items():
                if not hasattr(found, name):
                    raise RuntimeError(f"{module} has no {name} any more")
                setattr(found, name, value)


def training(folder):
    """Fits with `checkpoint`: the weights are those of an unbroken fit, bit by bit."""
    _always_write()
    survey = make_facies_cube((8, 40, 32), n_facies=3, random_state=0)

    def fit(params, checkpoint, result):
        model = FaciesSegmenter(**{**TINY, **params})
        model.fit(survey.data, survey.target, checkpoint=checkpoint)
        weights = {k: v.numpy() for k, v in model.net_.module_.state_dict().items()}
        losses = [[row["train_loss"], row.get("valid_loss", 0)] for row in model.history_]
        np.savez(result, losses=losses, labels=model.predict(survey.data[:2]), **weights)

    @functools.cache
    def unbroken(k):
        result = folder / f"unbroken_{k}.npz"
        return result, _timed(lambda: fit(TRAININGS[k], folder / f"unbroken_{k}", result))

    def case(seed):
        k, rng = seed % len(TRAININGS), random.Random(seed)
        checkpoint, result = folder / "checkpoint", folder / "result.npz"
        for path in (checkpoint, result):
            path.unlink(missing_ok=True)
        expected, duration = unbroken(k)
        work = functools.partial(fit, TRAININGS[k], checkpoint, result)
        kills = _killed_and_resumed(rng, work, duration, checkpoint.exists)
        if TRAININGS[k].get("random_state", 0) is None:
            # Its seed is in the checkpoint: what is left is the same after another kill.
            return _word(*kills) if result.exists() else _missing(result)
        _compare(expected, result)
        return _word(*kills)

    return case


def _missing(path):
    raise Fault(f"there is no {path.name}")


def _compare(expected, found):
    if not found.exists():
        _missing(found)
    with np.load(expected) as first, np.load(found) as second:
        for name in first.files:
            if first[name].tobytes() != second[name].tobytes():
                raise Fault(f"{name} differs from that of unbroken work")


# --- prediction ---------------------------------------------------------------------------------


def prediction(folder):
    """Predictions into `.npy`, Zarr and SEG-Y: the files are those of an unbroken run."""
    import zarr
    from xarray import DataArray

    from skfacies.__main__ import main

    _always_write()
    survey = make_facies_cube((24, 40, 32), n_facies=3, random_state=0)
    axes = {"inline": np.arange(24), "crossline": np.arange(40), "twt": 4.0 * np.arange(32)}
    write_cube(folder / "survey.sgy", DataArray(survey.data, axes, list(axes)))
    segmenter = FaciesSegmenter(**TINY, max_epochs=1)
    # A limit so small that a slab is a few lines.
    segmenter.set_params(memory_limit=2_000_000)
    model = CubeSegmenter(segmenter, "both", memory_limit=2_000_000)
    model.fit(survey.data, np.where(np.arange(24)[:, None, None] % 8, -1, survey.target))
    save_model(model, folder / "model")

    def make_target(kind, out):
        """What the user makes before the prediction, which is killed."""
        shape, dtype = survey.data.shape, np.int16
        if kind == "npy":
            np.lib.format.open_memmap(out, "w+", dtype, shape)
        elif kind == "zarr":
            zarr.create_array(out, shape=shape, dtype=dtype, chunks=(4, 40, 32))

    def to_npy(out):
        array = np.lib.format.open_memmap(out, "r+")
        model.predict(survey.data, out=array, checkpoint=f"{out}.checkpoint")

    def to_zarr(out):
        array = zarr.open_array(out, mode="r+")
        model.predict(survey.data, out=array, checkpoint=f"{out}.checkpoint")

    def to_segy(out):
        command = ["predict", str(folder / "model"), str(folder / "survey.sgy"), "--quiet"]
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            if main([*command, "-o", str(out)]):
                raise Fault("the command has failed")

    kinds = {"npy": to_npy, "zarr": to_zarr, "sgy": to_segy}
    readers = {"npy": np.load, "zarr": lambda path: zarr.open_array(path)[:]}
    # The text header, of 3200 bytes, has the time.
    readers["sgy"] = lambda path: np.frombuffer(path.read_bytes()[3200:], np.uint8)

    @functools.cache
    def unbroken(kind):
        out = folder / f"unbroken.{kind}"
        make_target(kind, out)
        duration = _timed(lambda: kinds[kind](out))
        return readers[kind](out), duration

    def case(seed):
        kind, rng = list(kinds)[seed % 3], random.Random(seed)
        work_folder = folder / "work"
        shutil.rmtree(work_folder, ignore_errors=True)
        work_folder.mkdir()
        out = work_folder / f"facies.{kind}"
        expected, duration = unbroken(kind)
        make_target(kind, out)

        def mark():
            return any(work_folder.rglob("finished.json"))

        kills = _killed_and_resumed(rng, lambda: kinds[kind](out), duration, mark)
        if not np.array_equal(readers[kind](out), expected):
            raise Fault(f"{kind}: other labels than those of an unbroken run")
        left = sorted(path.name for path in work_folder.iterdir() if path != out)
        if left:
            raise Fault(f"{kind}: left behind: {left}")
        return _word(*kills)

    return case


# --- files that are written ---------------------------------------------------------------------


def writing(folder):
    """`write_cube` and `save_model`: the old file or the new one is there, never another."""
    from xarray import DataArray

    axes = {"inline": np.arange(30), "crossline": np.arange(40), "twt": 4.0 * np.arange(50)}
    cube = DataArray(np.zeros((30, 40, 50), np.float32), axes, list(axes))
    survey = make_facies_cube((4, 32, 32), n_facies=2, random_state=0)
    model = FaciesSegmenter(**TINY, max_epochs=1).fit(survey.data, survey.target)

    def write(kind, path, version):
        if kind == "model":
            model.reading_ = {"version": version}
            save_model(model, path)
        else:
            write_cube(path, cube + np.float32(version))

    def read(kind, path):
        if kind == "model":
            return load_model(path).reading_["version"]
        versions = np.unique(open_cube(path).values)
        if len(versions) != 1:
            raise ValueError(f"values of versions {versions}")
        return int(versions[0])

    kinds = {
        "sgy": "cube.sgy",
        "npy": "cube.npy",
        "zarr": "cube.zarr",
        "model": "facies.safetensors",
    }
    durations = {}
    for kind, name in kinds.items():
        for version in (0, 0):
            durations[kind] = _timed(lambda k=kind, n=name, v=version: write(k, folder / n, v))

    def case(seed):
        kind, rng = list(kinds)[seed % len(kinds)], random.Random(seed)
        path = folder / kinds[kind]
        old, new = read(kind, path), seed + 1
        duration = 1.3 * durations[kind]
        ended = fork(lambda: write(kind, path, new), kill_after=rng.uniform(0, duration))
        try:
            found = read(kind, path)
        except (ValueError, OSError) as error:
            raise Fault(f"{kind}: neither the old nor the new file: {error}") from error
        if found not in (old, new) or (ended and found != new):
            raise Fault(f"{kind}: version {found}, which is neither {old} nor {new}")
        for part in folder.glob(".*"):  # what killed processes leave
            shutil.rmtree(part) if part.is_dir() else part.unlink()
        return "not killed" if ended else "new file" if found == new else "old file"

    return case


#: What makes the case of each part, in a folder.
PARTS = {"training": training, "prediction": prediction, "writing": writing}
