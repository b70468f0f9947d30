"""Peak memory of a fit on a cube that is larger than what may be held of it.

Fits a small network to float32 amplitudes of 800 x 1000 x 625 samples (2 GB), every line labeled,
in a process of its own for each kind of file, and prints a table::

    python tests/benchmarks/fit_memory.py [--folder FOLDER] [--shape 800 1000 625] [--kinds npy]

All lines are looked at; the two epochs are cut short to 200 crops of lines all over the cube. The
figures are peaks above the process with everything imported, sampled every 20 ms: of the
resident memory, in which pages of mapped files count, and of the anonymous part, which the system
cannot take back.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from cube_memory import resident_memory, write_cube

from skfacies import CubeSegmenter, FaciesSegmenter
from skfacies._estimators import fitting
from skfacies.datasets import make_facies_cube

KINDS = ("npy", "zarr", "segy")


def write_labels(path, shape):
    """Three units whose tops dip along inlines."""
    labels = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    rows = np.arange(shape[2])
    for i in range(shape[0]):
        first = shape[2] // 4 + shape[2] * i // (4 * shape[0])
        labels[i] = (rows >= first).astype(np.uint8) + (rows >= first + shape[2] // 4)
    labels.flush()


def write_copies(folder, kinds):
    """The amplitudes as Zarr and SEG-Y, too."""
    import xarray

    from skfacies.io import write_cube as write_to_file

    cube = np.load(folder / "cube.npy", mmap_mode="r")
    axes = ("inline", "crossline", "twt")
    coords = {name: np.arange(n) for name, n in zip(axes, cube.shape, strict=True)}
    for kind, name in (("zarr", "cube.zarr"), ("segy", "cube.sgy")):
        if kind in kinds:
            write_to_file(folder / name, xarray.DataArray(cube, coords, axes))


def open_amplitudes(folder, kind):
    if kind == "npy":
        return np.load(folder / "cube.npy", mmap_mode="r")
    if kind == "zarr":
        import zarr

        return zarr.open(folder / "cube.zarr", mode="r")["cube"]
    from skfacies.io import open_cube

    return open_cube(folder / "cube.sgy")


class Watch(threading.Thread):
    """Peaks of the resident memory and of its anonymous part."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ended, self.peaks = threading.Event(), {}

    def run(self):
        while not self.ended.wait(0.02):
            for field in ("VmRSS", "RssAnon"):
                self.peaks[field] = max(self.peaks.get(field, 0), resident_memory(field))


def plan_short_epochs(params, training, validation, effort):
    training.n_per_epoch = min(200, len(training))
    validation.items = validation.items[::40]
    validation.n_per_epoch = len(validation.items)
    return 2


def fit(folder, kind, direction):
    """Fit in this process and print the figures as JSON."""
    fitting._plan_epochs = plan_short_epochs
    small = FaciesSegmenter(
        encoder_weights=None,
        encoder_depth=3,
        decoder_channels=(16, 8, 8),
        random_state=0,
    )
    warm = make_facies_cube((8, 64, 64), n_facies=3, random_state=0)
    CubeSegmenter(small).fit(warm.data, warm.target)  # what is imported late does not count
    labels = np.load(folder / "labels.npy", mmap_mode="r")
    data = open_amplitudes(folder, kind)
    before = {field: resident_memory(field) for field in ("VmRSS", "RssAnon")}
    watch, start = Watch(), time.perf_counter()
    watch.start()
    CubeSegmenter(small, direction, scratch_dir=folder).fit(data, labels)
    watch.ended.set()
    peaks = {field: watch.peaks[field] - value for field, value in before.items()}
    print(json.dumps({**peaks, "seconds": time.perf_counter() - start}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="where some gigabytes may lie for a while")
    parser.add_argument("--shape", type=int, nargs=3, default=(800, 1000, 625))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--directions", nargs="+", default=("inline", "both"))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        folder, kind, direction = arguments.child
        fit(Path(folder), kind, direction)
    else:
        compare(arguments)


def compare(arguments):
    print("| file | direction | resident, MB | anonymous, MB | seconds |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        write_cube(Path(folder, "cube.npy"), tuple(arguments.shape))
        write_labels(Path(folder, "labels.npy"), tuple(arguments.shape))
        write_copies(Path(folder), arguments.kinds)
        for kind in arguments.kinds:
            for direction in arguments.directions:
                command = [sys.executable, __file__, "--child", folder, kind, direction]
                result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                row = json.loads(result.stdout.splitlines()[-1])
                print(
                    f"| {kind} | {direction} | {row['VmRSS'] / 1e6:.0f} "
                    f"| {row['RssAnon'] / 1e6:.0f} | {row['seconds']:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
