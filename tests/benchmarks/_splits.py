"""Lines to train on and lines to score, for the benchmarks of accuracy."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray
from _surveys import FAMILIES, TEST, TRAIN

from skfacies._cubes.slabs import neighbor_positions, stack_neighbors
from skfacies.datasets import load_sections, make_facies_cube

#: Lines of the F3 training block that the sparse cases keep.
SPARSE = {
    1: ("inline_528",),
    3: ("inline_528", "crossline_422", "crossline_740"),
    5: ("inline_428", "inline_628", "crossline_322", "crossline_522", "crossline_740"),
}


@dataclass(frozen=True)
class Line:
    """A line of a survey, and where it lies.

    `number` is its own inline (or crossline) number, `first` the crossline (or inline) number of
    its first trace. `seismic` and `labels` are (n_traces, n_samples).
    """

    name: str
    direction: str
    number: int
    first: int
    seismic: np.ndarray
    labels: np.ndarray

    @property
    def placed(self):
        """Amplitudes with the numbers of the line and of its traces."""
        along = "crossline" if self.direction == "inline" else "inline"
        traces = self.first + np.arange(len(self.seismic))
        dims = (along, "twt", "channel")[: self.seismic.ndim]
        return xarray.DataArray(self.seismic, {self.direction: self.number, along: traces}, dims)

    def cut(self, inlines, crosslines):
        """The part that lies in the ranges, both ends included; None if nothing does."""
        own, along = (inlines, crosslines) if self.direction == "inline" else (crosslines, inlines)
        if not own[0] <= self.number <= own[1]:
            return None
        first = max(along[0], self.first)
        traces = slice(first - self.first, along[1] - self.first + 1)
        return Line(
            self.name,
            self.direction,
            self.number,
            first,
            self.seismic[traces],
            self.labels[traces],
        )


@dataclass(frozen=True)
class Split:
    """Lines to train on, and blocks of lines to score by name."""

    name: str
    train: list
    blocks: dict

    @property
    def test(self):
        """Lines of all blocks."""
        return [line for lines in self.blocks.values() for line in lines]

    @property
    def n_classes(self):
        """Labels are 0 … n_classes - 1, and -1 where there is none."""
        return 1 + max(int(line.labels.max()) for line in [*self.train, *self.test])


#: Where the files of real sections are.
DATA = Path(os.environ.get("SKFACIES_DATA", "data"))

#: Sections of the six-class benchmark that are predicted by the other four.
SIX = (
    ("inline_199", "crossline_1100"),
    ("inline_100", "crossline_1001"),
    ("inline_299", "crossline_1200"),
)


def read_lines(*files, first=(300, 300)):
    """Lines of .npz files of ``seismic_<name>`` and ``label_<name>`` pairs.

    `first` is the first inline, and the first crossline, of the survey.
    """
    lines = []
    for file in files:
        found = load_sections(DATA / file)
        for name, seismic, labels in zip(found.names, found.data, found.target, strict=True):
            direction, number = name.split("_")
            along = first[1] if direction == "inline" else first[0]
            lines.append(Line(name, direction, int(number), along, seismic, labels))
    return lines


def f3_lines(more=False):
    """The twelve lines of the example, or all twenty."""
    return read_lines("f3_sections.npz", *["f3_more_sections.npz"] * more)


def cut_lines(lines, inlines, crosslines):
    """Parts of lines that lie in a block."""
    parts = [line.cut(inlines, crosslines) for line in lines]
    return [part for part in parts if part is not None]


def f3_near(keep=None, file="f3_sections.npz"):
    """Blocks A and B beside the training block, as in ``examples/f3_sections.py``."""
    lines = read_lines(file)
    train = cut_lines(lines, (380, 700), (300, 820))
    if keep is not None:
        train = [line for line in train if line.name in SPARSE[keep]]
    blocks = {
        "A": cut_lines(lines, (300, 369), (300, 1000)),
        "B": cut_lines(lines, (380, 700), (831, 1000)),
    }
    return Split("near" if keep is None else f"sparse{keep}", train, blocks)


def f3_far():
    """Half of the crosslines to train on, and a block that is 140 crosslines away."""
    lines = f3_lines()
    far = cut_lines(lines, (300, 700), (780, 1000))
    return Split("far", cut_lines(lines, (300, 700), (300, 640)), {"far": far})


def f3_cross():
    """Inlines to train on, crosslines to predict."""
    lines = f3_lines(more=True)
    by = {d: [line for line in lines if line.direction == d] for d in ("inline", "crossline")}
    return Split("cross", by["inline"], {"crosslines": by["crossline"]})


def six_classes(which):
    """Four of six sections of the six-class benchmark, which are far from each other."""
    lines = read_lines("f3_six_classes.npz", first=(100, 300))
    test = [line for line in lines if line.name in SIX[which]]
    return Split(f"six{which}", [line for line in lines if line not in test], {"two": test})


def inlines_of(data, target, numbers):
    """Inlines of a cube."""
    return [
        Line(f"inline_{i}", "inline", i, 0, data[i], target[i].astype(np.int8)) for i in numbers
    ]


def synthetic_far(survey, neighbors=0):
    """Ten inlines of a synthetic survey to train on, and a block that is 50 inlines away."""
    cube = make_facies_cube((140, 160, 128), n_facies=6, random_state=100 + survey)
    data = cube.data
    if neighbors:
        data = stack_neighbors(data, neighbor_positions(range(140), 140, neighbors))
    train = inlines_of(data, cube.target, range(0, 50, 5))
    return Split(
        f"synth{survey}", train, {"far": inlines_of(data, cube.target, range(100, 140, 5))}
    )


def synthetic_family(name, seed):
    """A survey of a family; lines between, and beyond, those interpreted are predicted."""
    data, target = FAMILIES[name](seed)
    test = {"lines": inlines_of(data, target, TEST)}
    return Split(name, inlines_of(data, target, TRAIN), test)


#: How to make each split, from a seed that only synthetic families heed.
SPLITS = {
    "near": lambda seed: f3_near(),
    "far": lambda seed: f3_far(),
    "cross": lambda seed: f3_cross(),
    **{f"sparse{n}": lambda seed, n=n: f3_near(n) for n in (5, 3, 1)},
    **{f"six{which}": lambda seed, which=which: six_classes(which) for which in range(3)},
    **{f"synth{n}": lambda seed, n=n: synthetic_far(n) for n in range(5)},
    **{name: lambda seed, name=name: synthetic_family(name, seed) for name in FAMILIES},
}


def make_split(name, seed=0, neighbors=0):
    """A split by its name.

    Lines beside each line, as channels, are known of "synth<n>" only.
    """
    if name not in SPLITS:
        raise ValueError(f"no split {name!r}; known are {', '.join(SPLITS)}.")
    if not neighbors:
        return SPLITS[name](seed)
    if not name.startswith("synth"):
        raise ValueError(f"of the lines of {name} those beside them are not known.")
    return synthetic_far(int(name.removeprefix("synth")), neighbors)
