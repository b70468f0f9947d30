"""Lines to train on and lines to score, for the benchmarks of accuracy."""

from dataclasses import dataclass

import numpy as np

from skfacies._cubes.slabs import neighbor_positions, stack_neighbors
from skfacies.datasets import load_sections, make_facies_cube

FIRST_INLINE = FIRST_CROSSLINE = 300

#: Lines of the F3 training block that the sparse cases keep.
SPARSE = {
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


def f3_lines(path):
    """Lines of an .npz file of ``seismic_<name>`` and ``label_<name>`` pairs."""
    found = load_sections(path)
    lines = []
    for name, seismic, labels in zip(found.names, found.data, found.target, strict=True):
        direction, number = name.split("_")
        first = FIRST_CROSSLINE if direction == "inline" else FIRST_INLINE
        lines.append(Line(name, direction, int(number), first, seismic, labels))
    return lines


def cut_lines(lines, inlines, crosslines):
    """Parts of lines that lie in a block."""
    parts = [line.cut(inlines, crosslines) for line in lines]
    return [part for part in parts if part is not None]


def f3_near(path, keep=None):
    """Blocks A and B beside the training block, as in ``examples/f3_sections.py``."""
    lines = f3_lines(path)
    train = cut_lines(lines, (380, 700), (300, 820))
    if keep is not None:
        train = [line for line in train if line.name in SPARSE[keep]]
    blocks = {
        "A": cut_lines(lines, (300, 369), (300, 1000)),
        "B": cut_lines(lines, (380, 700), (831, 1000)),
    }
    return Split("near" if keep is None else f"sparse{keep}", train, blocks)


def f3_hard(path):
    """Half of the crosslines to train on, and a block that is 140 crosslines away."""
    lines = f3_lines(path)
    far = cut_lines(lines, (300, 700), (780, 1000))
    return Split("hard", cut_lines(lines, (300, 700), (300, 640)), {"far": far})


def synthetic_far(survey, neighbors=0):
    """Ten inlines of a synthetic survey to train on, and a block that is 50 inlines away."""
    cube = make_facies_cube((140, 160, 128), n_facies=6, random_state=100 + survey)
    seismic = cube.data
    if neighbors:
        seismic = stack_neighbors(seismic, neighbor_positions(range(140), 140, neighbors))

    def inlines(numbers):
        return [
            Line(f"inline_{i}", "inline", i, 0, seismic[i], cube.target[i].astype(np.int8))
            for i in numbers
        ]

    return Split(f"synth{survey}", inlines(range(0, 50, 5)), {"far": inlines(range(100, 140, 5))})


def make_split(name, path, neighbors=0):
    """A split by its name; `path` is the .npz file of F3 sections.

    Lines beside each line, as channels, are known of synthetic surveys only.
    """
    if neighbors and not name.startswith("synth"):
        raise ValueError(f"of the lines of {name} those beside them are not known.")
    if name == "near":
        return f3_near(path)
    if name == "hard":
        return f3_hard(path)
    if name.startswith("sparse"):
        return f3_near(path, int(name.removeprefix("sparse")))
    if name.startswith("synth"):
        return synthetic_far(int(name.removeprefix("synth")), neighbors)
    raise ValueError(f"no split {name!r}; known are near, hard, sparse3, sparse5 and synth<n>")
