"""Size and speed of the page of a survey of the size of F3.

Writes a synthetic survey of 651 x 951 x 462 samples (int16) with facies, an interpretation of five
lines, entropy and mis-ties to a page, opens it in headless Chromium, and prints a table::

    python tests/benchmarks/view.py [--folder FOLDER] [--repeats 5]

The first picture counts from the opening of the file. A step is the time from the event of a slider
until the views are drawn, with the pixels read back; of 40 steps, the median and the slowest.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from browser import Browser

from skfacies.datasets import make_facies_cube
from skfacies.viewing import write_view

SHAPE = (651, 951, 462)
BLOCK = 93  # inlines that are made; the others are their mirror images
TRAINING = [20, 145, 270, 395, 520]

STEPS = """
(async () => {
  const times = {};
  for (const { id, canvas } of panes) {
    const slider = document.querySelector(`#${id} .slider`);
    times[id] = [];
    for (let k = 0; k < 40; k++) {
      await new Promise((done) => setTimeout(done, 30));
      const start = performance.now();
      slider.value = +slider.value + (k % 2 ? 3 : -2);
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      draw();
      canvas.getContext("2d").getImageData(100, 100, 1, 1);
      times[id].push(performance.now() - start);
    }
  }
  return times;
})()
"""


def make_survey(folder):
    """Amplitudes, facies, interpretation and entropy as memory maps."""
    made = make_facies_cube((BLOCK, *SHAPE[1:]), n_facies=7, random_state=1)
    kinds = {"cube": np.int16, "facies": np.int8, "interpretation": np.int8, "entropy": np.float32}
    maps = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, SHAPE)
        for name, kind in kinds.items()
    }
    for i in range(SHAPE[0]):
        k = i % BLOCK if i // BLOCK % 2 == 0 else BLOCK - 1 - i % BLOCK
        facies = made.target[k]
        maps["cube"][i] = 4000 * made.data[k]
        maps["facies"][i] = facies
        maps["interpretation"][i] = facies if i in TRAINING else -1
        differ = [np.roll(facies, shift, axis=1) != facies for shift in range(-4, 5)]
        maps["entropy"][i] = np.mean(differ, axis=0)
    return maps


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", help="for 3 GB of temporary files")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        maps = make_survey(Path(folder))
        mistie = 0.2 * np.random.default_rng(0).random(SHAPE[:2])
        start = time.perf_counter()
        view = write_view(Path(folder, "view.html"), **maps, mistie=mistie)
        seconds = time.perf_counter() - start
        print(f"written in {seconds:.0f} s: {view.size / 1e6:.1f} MB, steps {view.steps}\n")
        print("| first picture, s | all data, s | inline, ms | crossline, ms | slice, ms |")
        print("|---|---|---|---|---|")
        for _ in range(arguments.repeats):
            with Browser(view.path.as_uri()) as browser:
                browser.wait_for("Boolean(document.documentElement?.dataset.allData)")
                first, whole = (
                    int(browser.run(f"document.documentElement.dataset.{part}")) / 1e3
                    for part in ("firstPicture", "allData")
                )
                steps = [
                    f"{np.median(times):.0f} ({np.max(times):.0f})"
                    for times in browser.run(STEPS).values()
                ]
            print(f"| {first:.2f} | {whole:.2f} | {' | '.join(steps)} |")


if __name__ == "__main__":
    main()
