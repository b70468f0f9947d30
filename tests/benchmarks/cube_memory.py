"""Peak memory of predicting a cube that is larger than what is held of it.

Predicts a float32 memory map of 600 x 900 x 460 samples (1 GB), and one twice as long, into memory
maps of uint8 labels, each in a process of its own with a small network, and prints a table::

    python tests/benchmarks/cube_memory.py [--folder FOLDER] [--shape 600 900 460]

The figure is the peak of the resident memory above that of the process with everything imported and
the model loaded. Pages of mapped files count.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np

from skfacies import CubeSegmenter, FaciesSegmenter
from skfacies.datasets import make_facies_cube


def write_cube(path, shape):
    """Write noise in slabs; what amplitudes say does not matter here."""
    cube = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    rng = np.random.default_rng(0)
    slab = rng.normal(size=(8, *shape[1:])).astype(np.float32)
    for start in range(0, shape[0], 8):
        cube[start : start + 8] = slab[: shape[0] - start]
    cube.flush()


def write_model(path, direction):
    survey = make_facies_cube((16, 48, 64), n_facies=6, random_state=0)
    small = FaciesSegmenter(
        encoder_weights=None,
        encoder_depth=3,
        decoder_channels=(16, 8, 8),
        max_epochs=1,
        validation_fraction=0,
        random_state=0,
    )
    segmenter = CubeSegmenter(small, direction, scratch_dir=path.parent)
    joblib.dump(segmenter.fit(survey.data, survey.target.astype(np.uint8)), path)


def resident_memory(field):
    """Resident memory of this process in bytes (Linux): VmRSS is that of now, VmHWM the peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}; this benchmark runs on Linux")


def predict(folder, cube, model):
    """Predict in this process and print the figures as JSON."""
    segmenter = joblib.load(folder / model)
    data = np.load(folder / cube, mmap_mode="r")
    out = np.lib.format.open_memmap(folder / "labels.npy", "w+", np.uint8, data.shape)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of the imports does not count
    before, start = resident_memory("VmRSS"), time.perf_counter()
    segmenter.predict(data, out=out)
    out.flush()
    seconds = time.perf_counter() - start
    cost = segmenter.estimate_memory(data.shape)
    print(
        json.dumps(
            {
                "peak": resident_memory("VmHWM") - before,
                "seconds": seconds,
                "estimated": cost.working,
                "scratch": cost.scratch,
            }
        )
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="where some gigabytes may lie for a while")
    parser.add_argument("--shape", type=int, nargs=3, default=(600, 900, 460))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        folder, cube, model = arguments.child
        predict(Path(folder), cube, model)
    else:
        compare(arguments.folder, arguments.shape)


def compare(folder, shape):
    n_inlines, *others = shape
    print("| direction | inlines | peak, MB | estimated, MB | scratch file, MB | seconds |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=folder) as folder:
        folder = Path(folder)
        for factor in (1, 2):
            write_cube(folder / f"cube{factor}.npy", (factor * n_inlines, *others))
        for direction in ("inline", "crossline", "both"):
            write_model(folder / f"{direction}.joblib", direction)
            for factor in (1, 2):
                command = [sys.executable, __file__, "--child", str(folder)]
                command += [f"cube{factor}.npy", f"{direction}.joblib"]
                result = subprocess.run(command, capture_output=True, text=True, check=True)
                row = json.loads(result.stdout)
                print(
                    f"| {direction} | {factor * n_inlines} | {row['peak'] / 1e6:.0f} "
                    f"| {row['estimated'] / 1e6:.0f} | {row['scratch'] / 1e6:.0f} "
                    f"| {row['seconds']:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
