"""How far to trust the probabilities: calibration errors, before and after temperature scaling.

A block of the training lines is held out to watch the training, and to fit the temperature by which
logarithms of probabilities are divided; the blocks of the split are scored. ::

    python tests/benchmarks/calibration.py PATH/f3_sections.npz --splits near hard --seeds 0 1
"""

import argparse

import numpy as np
from _splits import cut_lines, make_split
from scipy.optimize import minimize_scalar

from skfacies import FaciesSegmenter

#: Crosslines of F3 that are left to train on, and those that are held out.
PARTS = {"near": ((300, 729), (740, 820)), "hard": ((300, 580), (591, 640))}

N_BINS = 15


def gather(lines, probabilities):
    """Probabilities (n, n_classes) and labels (n,) of all labeled samples."""
    labeled = [line.labels >= 0 for line in lines]
    return (
        np.concatenate([p[m] for p, m in zip(probabilities, labeled, strict=True)]),
        np.concatenate([line.labels[m] for line, m in zip(lines, labeled, strict=True)]),
    )


def scale(probabilities, temperature):
    logits = np.log(np.maximum(probabilities, 1e-12)) / temperature
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return scaled / scaled.sum(axis=1, keepdims=True)


def log_loss(probabilities, labels):
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean()


def fit_temperature(probabilities, labels):
    """The temperature that makes labels most likely."""
    some = np.random.default_rng(0).permutation(len(labels))[:50_000]
    found = minimize_scalar(
        lambda t: log_loss(scale(probabilities[some], np.exp(t)), labels[some]),
        bounds=(-2, 2),
        method="bounded",
    )
    return float(np.exp(found.x))


def calibration_error(probabilities, labels):
    """Expected calibration error: mean difference of confidence and accuracy over bins."""
    confidence, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    off = np.bincount(bins, weights=confidence - hit, minlength=N_BINS)
    return float(np.abs(off).sum() / len(labels))


def measure(path, name, seed, label_smoothing):
    split = make_split(name, path)
    crosslines, held_out = PARTS[name]
    train = cut_lines(split.train, (300, 700), crosslines)
    valid = cut_lines(split.train, (300, 700), held_out)
    model = FaciesSegmenter(
        random_state=seed, net_params={"criterion__label_smoothing": label_smoothing}
    )
    sections, labels = [[getattr(line, n) for line in train] for n in ("seismic", "labels")]
    watched = tuple([getattr(line, n) for line in valid] for n in ("seismic", "labels"))
    model.fit(sections, labels, validation_data=watched)
    temperature = fit_temperature(*gather(valid, model.predict_proba(watched[0])))
    found = gather(split.test, model.predict_proba([line.seismic for line in split.test]))
    scaled = scale(found[0], temperature), found[1]
    return {
        "accuracy": (found[0].argmax(axis=1) == found[1]).mean(),
        "confidence": found[0].max(axis=1).mean(),
        "error": calibration_error(*found),
        "log loss": log_loss(*found),
        "temperature": temperature,
        "error, scaled": calibration_error(*scaled),
        "log loss, scaled": log_loss(*scaled),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help=".npz file of F3 sections")
    parser.add_argument("--splits", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--label-smoothing", nargs="+", type=float, default=[0.0, 0.1])
    arguments = parser.parse_args()
    for name in arguments.splits:
        for smoothing in arguments.label_smoothing:
            for seed in arguments.seeds:
                row = measure(arguments.path, name, seed, smoothing)
                cells = ", ".join(f"{key} {value:.3f}" for key, value in row.items())
                print(f"{name}, label smoothing {smoothing}, seed {seed}: {cells}", flush=True)


if __name__ == "__main__":
    main()
