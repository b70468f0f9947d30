"""Many fits and predictions in one process: memory, open files, threads."""

import ctypes
import gc
import os
import tempfile
import threading
import warnings
from pathlib import Path

import numpy as np
from _fault_worker import Fault

from skfacies import FaciesSegmenter
from skfacies.datasets import make_facies_cube
from skfacies.io import open_cube, write_cube
from skfacies.persistence import load_model, save_model

__all__ = ["check_threads", "run_cycles"]

TINY = {
    "encoder_name": "tu-test_resnet",
    "encoder_depth": 3,
    "decoder_channels": (8, 8, 8),
    "max_epochs": 1,
    "precision": "float32",
    "device": "cpu",
    "random_state": 0,
}
#: Cycles until memory counts: caches are filled by then.
FIRST = 10


def run_cycles(count, *, most=0.02):
    """Fit, save, load, predict into a file; raise a Fault if memory or open files grow.

    Returns
    -------
    grown : float
        Part by which resident memory has grown since the tenth cycle.
    """
    survey = make_facies_cube((8, 40, 48), n_facies=3, random_state=0)
    sizes, n_open = [], []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        amplitudes, facies = Path(folder, "amplitudes.npy"), Path(folder, "facies.npy")
        write_cube(amplitudes, survey.data)
        for _ in range(count):
            model = FaciesSegmenter(**TINY).fit(survey.data, survey.target)
            save_model(model, Path(folder, "model"))
            loaded = load_model(Path(folder, "model"))
            write_cube(facies, loaded.predict(open_cube(amplitudes).values))
            loaded.predict_proba([section[: 20 + i] for i, section in enumerate(survey.data)])
            del model, loaded
            sizes.append(_resident())
            n_open.append(len(os.listdir("/proc/self/fd")))
    first = min(FIRST, count - 1)
    grown = sizes[-1] / sizes[first - 1] - 1
    if grown > most:
        raise Fault(f"memory has grown by {100 * grown:.1f} %: {[s >> 20 for s in sizes]} MiB")
    if n_open[-1] > n_open[0]:
        raise Fault(f"{n_open[0]} open files have become {n_open[-1]}")
    return grown


def _resident():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is freed and kept for later is no leak
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def check_threads(seed, n_threads=8):
    """Predict with one model in threads at once; a Fault if they predict otherwise than in turn."""
    survey = make_facies_cube((n_threads, 48, 40), n_facies=3, random_state=seed)
    model = FaciesSegmenter(**{**TINY, "random_state": seed}).fit(survey.data, survey.target)
    # Sections of several sizes, dead traces, and for each thread others.
    inputs = [
        [survey.data[(k + i) % n_threads, : 48 - 5 * i] for i in range(3)] for k in range(n_threads)
    ]
    for k in range(0, n_threads, 3):
        inputs[k] = [section * (np.arange(len(section)) > 4)[:, None] for section in inputs[k]]
    expected = [(model.predict(part), model.predict_proba(part)) for part in inputs]
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, Path(folder, "model"))
        fresh = load_model(Path(folder, "model"))  # all threads are the first to predict with it
    barrier, found, errors = threading.Barrier(n_threads), {}, []

    def predict(k):
        try:
            barrier.wait()
            found[k] = fresh.predict(inputs[k]), fresh.predict_proba(inputs[k])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=predict, args=(k,)) for k in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise Fault(f"a thread has failed: {errors[0]!r}") from errors[0]
    for k, results in enumerate(expected):
        for in_turn, at_once in zip(results, found[k], strict=True):
            if not all(map(np.array_equal, in_turn, at_once)):
                raise Fault(f"thread {k} predicts otherwise than in turn")
    return "equal"
