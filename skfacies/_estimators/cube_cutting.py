"""How `CubeSegmenter` cuts cubes and labels alike into sections to train on.

`params` is the segmenter: only its parameters are looked at.
"""

import tempfile

from skfacies._cubes.holders import shape_of
from skfacies._cubes.pairing import check_pair
from skfacies._cubes.training_lines import (
    allocator,
    check_lines,
    hide_labels,
    labeled_lines,
    take_sections,
    with_others,
)
from skfacies._estimators.self_training import MOST_GUESSED
from skfacies._sections.estimators import find_parameter

__all__ = ["cut_labeled", "cut_validation", "ignore_label_of", "scratch_folder", "take"]


def ignore_label_of(params):
    return find_parameter(params.estimator, "ignore_label", -1)


def scratch_folder(params):
    """Folder for sections that exceed the memory limit, which is removed at the end."""
    return tempfile.TemporaryDirectory(
        prefix="skfacies-", dir=params.scratch_dir, ignore_cleanup_errors=True
    )


def cut_labeled(params, cube, labels, folder, names=("X", "y")):
    """Sections, their labels, the lines that have labels, and those of all sections."""
    lines, others = labeled_lines(
        labels,
        ignore_label_of(params),
        check_lines(shape_of(cube), params.direction, params.neighbors, names[0]),
        min_labeled=params.min_labeled,
        step=params.step,
        name=names[1],
    )
    taken = lines
    if names[0] == "X" and find_parameter(params.estimator, "self_training", False):
        taken = with_others(lines, others, MOST_GUESSED)
    sections = take(params, cube, taken, folder, names[0], params.neighbors)
    labels = take(params, labels, taken, folder, names[1])
    return sections, hide_labels(labels, lines, ignore_label_of(params)), lines, taken


def take(params, cube, lines, folder, name, neighbors=0):
    """Sections of lines, see `take_sections`."""
    allocate = allocator(folder, params.memory_limit)
    return take_sections(cube, lines, allocate, params.memory_limit, name, neighbors)


def cut_validation(params, validation_data, folder):
    """Sections and labels of a pair of cubes."""
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
        raise ValueError("`validation_data` must be a tuple (X, y) of cubes.")
    names = ("validation_data[0]", "validation_data[1]")
    pair = check_pair(*validation_data, ignore_label_of(params), *names)
    return cut_labeled(params, *pair, folder, names)[:2]
