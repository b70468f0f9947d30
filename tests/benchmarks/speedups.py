"""What each of the speed-ups in `skfacies/_nn/speedups` gains alone.

One of them at a time is replaced by what does without it, in runs that alternate in one process::

    python tests/benchmarks/speedups.py
"""

import statistics
import time
import warnings
from contextlib import nullcontext
from unittest.mock import patch

from _speed_networks import make_data

from skfacies import FaciesSegmenter

#: What replaces each of them, by where it is used.
WITHOUT = {
    "freed memory kept": {
        "skfacies._nn.inference.freed_memory_kept": lambda give_back=False: nullcontext(),
        "skfacies._nn.training.freed_memory_kept": lambda give_back=False: nullcontext(),
    },
    "network prepared for prediction": {
        "skfacies._nn.inference.prepared_for_prediction": lambda module: module
    },
    "convolutions before doubling": {
        "skfacies._nn.network.spare_doubled_convolutions": lambda network: None
    },
}


def seconds_of(sections, labels):
    """Seconds of an epoch of a fit, and of a prediction: the fastest of some, but the first."""
    segmenter = FaciesSegmenter(max_epochs=4, random_state=0).fit(sections, labels)
    segmenter.set_params(dip_smoothing=None)
    predictions = []
    for _ in range(6):
        start = time.perf_counter()
        segmenter.predict(sections)
        predictions.append(time.perf_counter() - start)
    return min(row["dur"] for row in segmenter.history_[1:]), min(predictions[1:])


def main(rounds=5):
    warnings.simplefilter("ignore")
    sections, labels = make_data(quick=False)
    print("| without | training, times as long | prediction, times as long |")
    print("|---|---|---|")
    for name, replaced in WITHOUT.items():
        ratios = []
        for _ in range(rounds):
            usual = seconds_of(sections, labels)
            patches = [patch(where, function) for where, function in replaced.items()]
            for one in patches:
                one.start()
            slower = seconds_of(sections, labels)
            for one in patches:
                one.stop()
            ratios.append([b / a for a, b in zip(usual, slower, strict=True)])
        cells = [
            f"{statistics.median(own):.2f} ({min(own):.2f}-{max(own):.2f})"
            for own in zip(*ratios, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
