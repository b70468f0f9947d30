"""Held-out accuracy of inlines, crosslines, and both, on synthetic surveys.

Trains on the first inlines of `make_facies_cube` surveys and scores the last ones::

    python tests/benchmarks/cube_directions.py
"""

import time

from skfacies import CubeSegmenter, FaciesSegmenter
from skfacies.datasets import make_facies_cube


def main():
    print("| seed | inline | crossline | both | seconds |")
    print("|---|---|---|---|---|")
    for seed in range(3):
        survey = make_facies_cube((112, 96, 128), n_facies=6, random_state=seed)
        train, test = slice(0, 72), slice(80, 112)
        scores, start = [], time.perf_counter()
        for direction in ("inline", "crossline", "both"):
            inner = FaciesSegmenter(encoder_weights=None, random_state=seed)
            segmenter = CubeSegmenter(inner, direction, step=4)
            segmenter.fit(survey.data[train], survey.target[train])
            scores.append(segmenter.score(survey.data[test], survey.target[test]))
        cells = " | ".join(f"{score:.4f}" for score in scores)
        print(f"| {seed} | {cells} | {time.perf_counter() - start:.0f} |", flush=True)


if __name__ == "__main__":
    main()
