"""What lies around the network: imports, cubes, several processes; and accuracy by precision."""

import os
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
from _speed_tables import alternate, claim, discard, make_part, ratio_row

from skfacies import CubeSegmenter, FaciesSegmenter
from skfacies.datasets import make_facies_cube

# --- imports ----------------------------------------------------------------------------------


def measure_imports(repeats=None, quick=False):
    """Time of fresh processes that import something and end."""
    repeats = repeats or (1 if quick else 11)
    commands = {
        "python -c pass": ["-c", "pass"],
        "import sklearn": ["-c", "import sklearn"],
        "import skfacies": ["-c", "import skfacies"],
        "import skfacies.metrics": ["-c", "import skfacies.metrics"],
        "import torch": ["-c", "import torch"],
        "skfacies --help": ["-m", "skfacies", "--help"],
    }
    environment = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"}

    def process(arguments):
        def run():
            command = [sys.executable, *arguments]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

        return run

    claims = [
        claim(f"{name} / import sklearn", name, "import sklearn", at_most=most)
        for name, most in (("import skfacies", 1.15), ("import skfacies.metrics", None))
    ]
    claims += [
        claim("skfacies --help / import sklearn", "skfacies --help", "import sklearn"),
        claim("skfacies --help, in seconds", "skfacies --help", at_most=0.4),
    ]
    return make_part(
        "Imports",
        "Fresh processes, their start and end included.",
        alternate({name: process(arguments) for name, arguments in commands.items()}, repeats),
        claims,
        quick=quick,
    )


# --- cubes ------------------------------------------------------------------------------------


def measure_cubes(repeats=None, quick=False):
    """Time of `CubeSegmenter.predict` for each voxel of cubes of growing size."""
    repeats = repeats or (2 if quick else 7)
    n_inlines, *section = (4, 64, 96) if quick else (16, 256, 704)
    segmenter = _fitted_cube_segmenter(section)
    runs, claims = {}, []
    for factor in (1, 2, 4):
        shape = (factor * n_inlines, *section)
        cube = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        name = f"{factor} ×"
        runs[name] = _timed_prediction(segmenter, name, cube)
        text = f"cubes: cost of a voxel, {name} the size / 1 ×"
        claims.append(claim(text, name, "1 ×", at_least=0.9, at_most=1.1))
    return make_part(
        "Cubes",
        f"Inlines of cubes of {n_inlines}, {2 * n_inlines} and {4 * n_inlines} × {section[0]} × "
        f"{section[1]} samples, by the network of the parts above.",
        alternate(runs, repeats),
        claims[1:],
        unit="s a million voxels",
        factor=1e6,
        quick=quick,
    )


def _fitted_cube_segmenter(section):
    survey = make_facies_cube((2, *section), n_facies=10, random_state=0)
    inner = FaciesSegmenter(encoder_weights=None, max_epochs=1, crop_size=64, random_state=0)
    inner.set_params(validation_fraction=0)
    return CubeSegmenter(inner).fit(survey.data, survey.target)


def _timed_prediction(segmenter, name, cube):
    def run():
        start = time.perf_counter()
        segmenter.predict(cube)
        return {name: (time.perf_counter() - start) / cube.size}

    return run


# --- several processes ------------------------------------------------------------------------


def measure_grid(repeats=None, quick=False):
    """Time of `GridSearchCV` in this process, and in two."""
    from sklearn.model_selection import GridSearchCV

    from skfacies.model_selection import BlockKFold

    repeats = repeats or (1 if quick else 5)
    shape, epochs = ((8, 48, 64), 1) if quick else ((24, 96, 256), 2)
    survey = make_facies_cube(shape, n_facies=6, random_state=0)
    segmenter = FaciesSegmenter(encoder_weights=None, max_epochs=epochs, random_state=0)

    def search(n_jobs):
        folds = BlockKFold(2, gap=1)
        grid = GridSearchCV(segmenter, {"lr": [1e-3, 3e-3]}, cv=folds, n_jobs=n_jobs, refit=False)

        def run():
            grid.fit(survey.data, survey.target)

        return run

    return make_part(
        "Grid search",
        f"Two candidates by two folds of {shape[0]} sections of {shape[1]} × {shape[2]} samples, "
        f"{epochs} epochs each. One job has all threads, two share them; their processes have been "
        "started before.",
        alternate({"n_jobs=1": search(1), "n_jobs=2": search(2)}, repeats),
        [claim("GridSearchCV: n_jobs=1 / n_jobs=2", "n_jobs=1", "n_jobs=2")],
        quick=quick,
    )


def measure_dask(repeats=None, quick=False):
    """Time to predict a Dask array on clusters of one worker and of two."""
    import dask.array as da
    from distributed import Client, LocalCluster

    repeats = repeats or (1 if quick else 5)
    n_inlines, *section = (8, 64, 96) if quick else (32, 256, 704)
    segmenter = _fitted_cube_segmenter(section)
    cube = np.random.default_rng(0).normal(size=(n_inlines, *section)).astype(np.float32)
    chunks = (n_inlines // 8, -1, -1)
    options = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": "CRITICAL"}
    runs, opened = {"in this process": lambda: discard(segmenter.predict(cube))}, []
    try:
        for n_workers in (1, 2):
            opened.append(LocalCluster(n_workers=n_workers, **options))
            opened.append(Client(opened[-1], set_as_default=False))
            runs[f"workers: {n_workers}"] = _cluster_prediction(
                opened[-1], segmenter, da.from_array(cube, chunks=chunks)
            )
        seconds = alternate(runs, repeats)
    finally:
        for resource in reversed(opened):
            resource.close()
    return make_part(
        "Dask",
        f"A Dask array of {n_inlines} × {section[0]} × {section[1]} samples in 8 chunks, on a "
        "LocalCluster of workers with one thread each; amplitudes and labels go through it.",
        seconds,
        [
            claim("Dask: 1 worker / 2 workers", "workers: 1", "workers: 2"),
            claim("Dask: 2 workers / in this process", "workers: 2", "in this process"),
        ],
        quick=quick,
    )


def _cluster_prediction(client, segmenter, cube):
    def run():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")  # the model, and the cube
            client.compute(segmenter.predict(cube)).result()

    return run


# --- accuracy ---------------------------------------------------------------------------------

PRECISIONS = ("float32", "bfloat16")


def measure_accuracy(path, seeds, known=None, save=None, quick=False):
    """Mean IoU on blocks beside the training block of F3, at either precision.

    Parameters
    ----------
    path : path of the .npz file that ``examples/f3_sections.py`` takes
    seeds : list of int
    known : dict or None
        Result of an earlier call: what it has is not trained again.
    save : function of a result, or None
        Called after every fit.
    """
    from _splits import f3_near

    split = f3_near(file=path.absolute())
    scores = {} if known is None or known["quick"] != quick else dict(known["scores"])
    for seed in seeds:
        for precision in PRECISIONS:
            name = f"{precision} {seed}"
            if name not in scores:
                scores[name] = _score(split, precision, seed, quick)
                if save is not None:
                    save(_accuracy_part(scores, quick))
    return _accuracy_part(scores, quick)


def _score(split, precision, seed, quick):
    segmenter = FaciesSegmenter(encoder_weights=None, precision=precision, random_state=seed)
    if quick:
        segmenter.set_params(max_epochs=1, crop_size=(32, 32), encoder_depth=3)
    start = time.perf_counter()
    segmenter.fit([line.placed for line in split.train], [line.labels for line in split.train])
    seconds = time.perf_counter() - start
    blocks = {**split.blocks, "all": split.test}
    found = {
        name: segmenter.score([line.placed for line in lines], [line.labels for line in lines])
        for name, lines in blocks.items()
    }
    return found | {"seconds": seconds}


def _accuracy_part(scores, quick):
    pairs = {}  # by seed, where both precisions have been trained
    for name, found in scores.items():
        precision, seed = name.split()
        pairs.setdefault(int(seed), {})[precision] = found
    pairs = {seed: pair for seed, pair in sorted(pairs.items()) if len(pair) == len(PRECISIONS)}
    rows, differences = [], []
    for seed, pair in pairs.items():
        exact, rough = (pair[precision] for precision in PRECISIONS)
        differences.append(rough["all"] - exact["all"])
        cells = [f"{found[block]:.4f}" for block in ("A", "B", "all") for found in (exact, rough)]
        cells += [f"{differences[-1]:+.4f}", f"{exact['seconds']:.0f}", f"{rough['seconds']:.0f}"]
        rows.append([seed, *cells])
    return {
        "title": "Accuracy",
        "conditions": "Mean IoU of blocks A and B of `examples/f3_sections.py`, of both together, "
        "and seconds of the fit, with default parameters from random weights.",
        "columns": ["seed"]
        + [f"{block}, {p}" for block in ("A", "B", "both") for p in PRECISIONS]
        + ["difference", "float32, s", "bfloat16, s"],
        "rows": rows,
        "ratios": _difference_rows(differences),
        "scores": scores,
        "missing": [] if len(differences) > 2 else ["Fewer than three seeds have been trained."],
        "quick": quick,
    }


def _difference_rows(differences):
    if not differences:
        return []
    text = "mean IoU at bfloat16 − at float32, mean of the seeds"
    row = ratio_row(claim(text, "", at_least=-0.005, at_most=0.005), differences, digits=4)
    mean = statistics.mean(differences)
    row[1], row[5] = f"{mean:.4f}", "yes" if abs(mean) <= 0.005 else "**no**"
    return [row]
