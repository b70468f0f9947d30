"""
Real sections: the Netherlands F3 survey
========================================

How well does a model that has seen a few interpreted lines do on parts of the survey that it has
not seen? Nine lines of the F3 survey, cut to inlines 380-700 and crosslines 300-820, train a
`FaciesSegmenter` with default parameters from random weights. It then predicts two blocks, one
to each side: A, inlines 300-369, and B, crosslines 831-1000.

Run it with the path of an ``.npz`` file of ``seismic_<name>`` and ``label_<name>`` pairs, named
``inline_428``, ``crossline_322`` and so on, whose lines begin at crossline and inline 300::

    python examples/f3_sections.py PATH/f3_sections.npz

With ``--adapt``, it also learns from the amplitudes of A and B, without their labels.

The survey is by dGB Earth Sciences and TNO-NLOG (CC BY-SA), the interpretation of ten units the
"Netherlands F3 Interpretation Dataset" (Zenodo 1471548, CC BY 4.0).
"""

# sphinx_gallery_thumbnail_path = '_static/f3_inline_328.png'
import argparse
import time

import numpy as np
import xarray

from skfacies import FaciesSegmenter
from skfacies.datasets import load_sections
from skfacies.metrics import contact_error, facies_report
from skfacies.plotting import SectionDisplay

# %%
# Lines are cut to ranges of inlines and crosslines, both ends included. Between the training block
# and the blocks A and B lie ten lines that are in neither.

FIRST_INLINE = FIRST_CROSSLINE = 300
TRAINING = {"inlines": (380, 700), "crosslines": (300, 820)}
BLOCKS = {
    "A": {"inlines": (300, 369), "crosslines": (300, 1000)},
    "B": {"inlines": (380, 700), "crosslines": (831, 1000)},
}


def cut(lines, inlines, crosslines):
    """What lies in a block: names, amplitudes and labels of sections (n_traces, n_samples)."""
    names, sections, labels = [], [], []
    for name, section, label in zip(lines.names, lines.data, lines.target, strict=True):
        direction, number = name.split("_")
        across, along, first, other = (
            (inlines, crosslines, FIRST_CROSSLINE, "crossline")
            if direction == "inline"
            else (crosslines, inlines, FIRST_INLINE, "inline")
        )
        if across[0] <= int(number) <= across[1]:
            traces = slice(along[0] - first, along[1] - first + 1)
            names.append(name)
            numbers = first + np.arange(len(section))[traces]
            places = {
                direction: int(number),
                other: numbers,
                "twt": 4.0 * np.arange(section.shape[1]),
            }
            sections.append(xarray.DataArray(section[traces], places, (other, "twt")))
            labels.append(label[traces])
    return names, sections, labels


# %%
# Scores count every sample of a block once for each line through it; samples with the label -1
# (no interpretation) never count.


def report(title, truth, prediction, units):
    print(f"\n{title}\n{facies_report(truth, prediction, labels=units)}")
    overall = contact_error(truth, prediction, labels=units).overall
    print(
        f"contacts: mean {overall.mean:.1f} samples off, median {overall.median:.0f}, "
        f"95th percentile {overall.p95:.0f}"
    )


def save_picture(model, lines, path, name="inline_328"):
    """Draw a line of block A, whole: it is not in the training block at any crossline."""
    names, sections, labels = cut(lines, **BLOCKS["A"])
    at = names.index(name) if name in names else 0
    display = SectionDisplay.from_estimator(
        model,
        sections[at],
        labels[at],
        target_names=[f"unit {unit}" for unit in model.classes_],
        title=f"Netherlands F3, {names[at].replace('_', ' ')}, not seen in training",
    )
    display.figure_.savefig(path, dpi=110)
    print(f"picture: {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[2])
    parser.add_argument("path", help=".npz file of seismic_<name> and label_<name> pairs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="default: as many as suit the data")
    parser.add_argument("--out", default="f3_sections.png", help="picture; default: %(default)s")
    parser.add_argument(
        "--adapt", action="store_true", help="learn from the lines of A and B, too, without labels"
    )
    arguments = parser.parse_args()

    lines = load_sections(arguments.path)
    names, X, y = cut(lines, **TRAINING)
    print(f"training on {', '.join(names)}")
    if arguments.adapt:
        for ranges in BLOCKS.values():
            _, others, truth = cut(lines, **ranges)
            X, y = X + others, y + [np.full_like(labels, -1) for labels in truth]
    model = FaciesSegmenter(
        encoder_weights=None,
        max_epochs=arguments.epochs or "auto",
        random_state=arguments.seed,
        verbose=1,
    )
    start = time.perf_counter()
    model.fit(X, y)
    print(f"fit: {time.perf_counter() - start:.0f} s, {model.n_iter_} epochs, {model.precision_}")

    truths, predictions = [], []
    start = time.perf_counter()
    for block, ranges in BLOCKS.items():
        names, X, truth = cut(lines, **ranges)
        prediction = model.predict(X)
        report(f"Block {block}: {', '.join(names)}", truth, prediction, model.classes_)
        truths += truth
        predictions += prediction
    report("Blocks A and B pooled", truths, predictions, model.classes_)
    print(f"predict and score: {time.perf_counter() - start:.1f} s")
    save_picture(model, lines, arguments.out)


if __name__ == "__main__":
    main()
