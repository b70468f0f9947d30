"""Tests of the block of traces that a fit holds out."""

import itertools
import time
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from holders import OnDisk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from real_data import real_file
from scipy.ndimage import distance_transform_cdt, gaussian_filter1d
from scipy.spatial import cKDTree

from skfacies._holdout import blocks
from skfacies._holdout.crossings import find_crossings
from skfacies._sections.sections import Run, Sections
from skfacies._sections.validation import Lines as CubeLines
from skfacies.datasets import make_facies_cube

FEW = settings(derandomize=True, max_examples=20, deadline=None)
GAP = 8


@pytest.fixture(scope="module")
def cube():
    return make_facies_cube((60, 80, 96), n_facies=5, random_state=0)


@pytest.fixture(scope="module")
def stack():
    """Neighboring inlines."""
    return make_facies_cube((20, 40, 48), n_facies=4, random_state=1)


# --- lines of known coordinates -------------------------------------------------------------


@dataclass
class Lines:
    """Sections, labels and the (inline, crossline) of each of their traces."""

    X: list
    y: list
    where: list

    def in_order(self, order):
        return Lines(*([part[i] for i in order] for part in (self.X, self.y, self.where)))


def cut(cube, inlines=(), crosslines=(), scale=1.018):
    """Cut lines ``(position, first trace, last trace + 1)`` out of a cube."""
    lines = Lines([], [], [])
    for position, start, stop in inlines:
        lines.X.append(cube.data[position, start:stop])
        lines.y.append(cube.target[position, start:stop])
        lines.where.append(np.array([(position, i) for i in range(start, stop)]))
    for position, start, stop in crosslines:
        # Crosslines of F3 are scaled apart from its inlines, and rounded once more.
        lines.X.append((cube.data[start:stop, position] * scale).astype(np.float32))
        lines.y.append(cube.target[start:stop, position])
        lines.where.append(np.array([(i, position) for i in range(start, stop)]))
    return lines


def grid(cube, inlines=(4, 13, 22, 31, 40, 49), crosslines=(5, 16, 27, 38, 49, 60, 71)):
    """Lines through the whole cube."""
    n_inlines, n_crosslines = cube.data.shape[:2]
    return cut(
        cube,
        [(position, 0, n_crosslines) for position in inlines],
        [(position, 0, n_inlines) for position in crosslines],
    )


def split_validation_block(X, y, classes, *, ignore_label, fraction, gap=GAP):
    return blocks.split_validation_block(Sections(X, y, None, classes, ignore_label), fraction, gap)


def split(lines, fraction=0.1, gap=GAP, **kwargs):
    classes = kwargs.pop("classes", np.unique(np.concatenate([y.ravel() for y in lines.y])))
    return split_validation_block(
        lines.X,
        lines.y,
        classes[classes >= 0],
        ignore_label=-1,
        fraction=fraction,
        gap=gap,
        **kwargs,
    )


def points(runs, where):
    return np.concatenate([where[run.section][run.start : run.stop] for run in runs])


def assert_no_line_passes_the_block(train, valid, where, gap=GAP):
    """No training trace lies in the bounding box of the block, nor within the gap around it."""
    held, taught = points(valid, where), points(train, where)
    inside = (taught >= held.min(axis=0) - gap) & (taught <= held.max(axis=0) + gap)
    assert not inside.all(axis=1).any()


def distance(train, valid, where):
    """From any held-out to the nearest training trace, in traces along either axis."""
    return cKDTree(points(train, where)).query(points(valid, where), p=np.inf)[0].min()


def n_traces(runs):
    return sum(run.n_traces for run in runs)


def sections_of(runs):
    return [run.section for run in runs]


# --- stacks of neighboring sections --------------------------------------------------------


@pytest.mark.parametrize("as_list", [False, True], ids=["array", "list"])
@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.2, 0.33, 0.5])
def test_of_a_stack_one_contiguous_run_of_sections_is_held_out(stack, fraction, as_list):
    X, y = (list(stack.data), list(stack.target)) if as_list else (stack.data, stack.target)
    train, valid = split_validation_block(X, y, np.arange(4), ignore_label=-1, fraction=fraction)
    held = sections_of(valid)
    assert held == list(range(held[0], held[-1] + 1))
    assert abs(len(held) / 20 - fraction) <= 0.5 / 20 + 1e-9
    assert sorted(held + sections_of(train)) == list(range(20))
    assert {(run.start, run.stop) for run in train + valid} == {(0, 40)}


def test_the_split_is_deterministic(stack, cube):
    lines = Lines(list(stack.data), list(stack.target), None)
    for some in (lines, grid(cube)):
        np.random.seed(None)
        assert split(some, 0.2) == split(some, 0.2)


def test_of_a_stack_the_run_with_the_most_common_mix_of_classes_is_held_out():
    y = np.zeros((12, 20, 8), np.int8)
    y[:6], y[8:] = 1, 2
    y[4:6, :, ::2], y[4:6, :, 1::4] = 2, 0  # half, a quarter: nearly that of all sections
    X = np.random.default_rng(0).normal(size=y.shape)
    _, valid = split_validation_block(X, y, np.arange(3), ignore_label=-1, fraction=1 / 6)
    assert sections_of(valid) == [4, 5]


def test_fraction_zero_holds_nothing_out(stack):
    train, valid = split_validation_block(
        stack.data, stack.target, np.arange(4), ignore_label=-1, fraction=0
    )
    assert valid == []
    assert train == [Run(i, 0, 40) for i in range(20)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", [0, 0.05])
def test_clean_parallel_neighbors_are_not_taken_for_crossing_lines(noise, seed):
    cube = make_facies_cube((30, 50, 64), n_faults=0, noise=noise, random_state=seed)
    lines = Lines(list(cube.data), list(cube.target), None)
    train, valid = split(lines, 0.2)
    held = sections_of(valid)
    assert held == list(range(held[0], held[0] + 6))
    assert sorted(sections_of(train) + held) == list(range(30))


@pytest.mark.parametrize("n_traces", [1, 3])
def test_parallel_lines_of_a_few_traces_are_not_taken_for_crossing_lines(n_traces):
    X, y = make_facies_cube((20, n_traces, 64), noise=0, random_state=0, return_X_y=True)
    X = X[:1] + 0.01 * X  # near copies of one section
    _, valid = split(Lines(list(X), list(y), None), 0.2)
    assert len(valid) == 4
    assert valid[-1].section - valid[0].section == 3


def test_overlapping_parallel_lines_are_not_taken_for_crossing_lines(cube):
    lines = cut(cube, [(20, k, k + 40) for k in range(0, 40, 5)])
    _, valid = split(lines, 0.25)
    assert len(valid) == 2
    assert valid[0].section + 1 == valid[1].section


def test_ragged_sections_that_do_not_cross_are_neighbors_in_their_order(cube):
    lines = cut(cube, [(6 * k, k, 80 - 2 * k) for k in range(10)])
    train, valid = split(lines, 0.2)
    held = sections_of(valid)
    assert held == list(range(held[0], held[-1] + 1))
    assert {run.n_traces == len(lines.X[run.section]) for run in train + valid} == {True}
    assert 0.1 < n_traces(valid) / n_traces(train + valid) < 0.3


# --- labels ---------------------------------------------------------------------------------


def test_sections_without_labels_are_in_neither_part(stack):
    y = stack.target.copy()
    y[[0, 3, 4, 11]] = -1
    train, valid = split_validation_block(
        stack.data, y, np.arange(4), ignore_label=-1, fraction=0.2
    )
    assert not {0, 3, 4, 11} & set(sections_of(train + valid))
    assert len(train + valid) == 16


def test_lines_without_labels_are_in_neither_part(cube):
    lines = grid(cube)
    lines.y[2] = np.full_like(lines.y[2], -1)
    lines.y[9] = np.full_like(lines.y[9], -1)
    train, valid = split(lines)
    assert not {2, 9} & set(sections_of(train + valid))
    assert_no_line_passes_the_block(train, valid, lines.where)


@pytest.mark.parametrize("rare", [0, 7, 19])
def test_a_class_of_one_section_stays_in_training(stack, rare):
    y = stack.target.copy()
    y[rare, :3, 5] = 9
    train, valid = split_validation_block(
        stack.data, y, np.array([0, 1, 2, 3, 9]), ignore_label=-1, fraction=0.3
    )
    assert rare in sections_of(train)
    assert len(valid) == 6


def test_every_class_of_crossing_lines_stays_in_training(cube):
    lines = grid(cube)
    for i in range(len(lines.y)):
        lines.y[i] = lines.y[i].copy()
        lines.y[i][:40, 0] = i  # five are common, the others in one line each
    classes = np.unique(np.concatenate([y.ravel() for y in lines.y]))
    train, valid = split(lines, 0.2)
    assert (Sections(lines.y, lines.y, None, classes, -1).count(train) > 0).all()


def test_traces_are_held_out_where_every_section_has_a_class_of_its_own(cube):
    lines = cut(cube, [(10 * k, 0, 80) for k in range(6)])
    lines.y = [np.full((80, 96), k) for k in range(6)]
    train, valid = split(lines, 0.25)
    assert sections_of(train) == sections_of(valid) == list(range(6))


def test_nothing_is_held_out_where_any_block_takes_a_class_away():
    X = np.random.default_rng(0).normal(size=(1, 100, 8))
    y = np.zeros(X.shape, int)
    y[0, :5], y[0, -5:] = 1, 2
    train, valid = split_validation_block(X, y, np.arange(3), ignore_label=-1, fraction=0.2)
    assert (train, valid) == ([Run(0, 0, 100)], [])


def test_string_labels_are_split_like_integers(stack):
    names = np.array(["a", "b", "c", "d"])
    by_name = split_validation_block(
        stack.data, names[stack.target], names, ignore_label="none", fraction=0.2
    )
    by_number = split_validation_block(
        stack.data, stack.target, np.arange(4), ignore_label=None, fraction=0.2
    )
    assert by_name == by_number


def test_ignored_labels_count_in_no_class(stack):
    y = stack.target.copy()
    y[:, ::2] = -1
    runs = [Run(0, 0, 40), Run(3, 7, 19)]
    sections = Sections(stack.data, y, None, np.array([0, 1, 2, 3, 8]), -1)
    expected = [(y[0] == k).sum() + (y[3, 7:19] == k).sum() for k in (0, 1, 2, 3, 8)]
    assert sections.count(runs).tolist() == expected
    assert sections.count([]).tolist() == [0, 0, 0, 0, 0]


def test_labeled_runs_are_all_traces_of_sections_with_labels(cube):
    lines = cut(cube, [(0, 0, 30), (9, 5, 80), (20, 0, 80)])
    lines.y[1] = np.full_like(lines.y[1], -1)
    lines.y[2] = np.full_like(lines.y[2], -1)
    lines.y[2][4, 4] = 3
    runs = Sections(lines.X, lines.y, None, np.arange(5), -1).labeled_runs()
    assert runs == [Run(0, 0, 30), Run(2, 0, 80)]


# --- crossing lines -------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.35])
def test_no_line_passes_through_the_held_out_block(cube, fraction):
    lines = grid(cube)
    train, valid = split(lines, fraction)
    assert_no_line_passes_the_block(train, valid, lines.where)
    whole = [run for run in valid if run.n_traces == len(lines.X[run.section])]
    assert len({tuple(np.ptp(lines.where[i], axis=0) > 0) for i in sections_of(whole)}) == 1
    n_all = sum(len(section) for section in lines.X)
    assert_allclose(n_traces(valid) / n_all, fraction, rtol=0.4)


def test_crossing_lines_are_held_out_between_the_lines_of_the_block(cube):
    lines = grid(cube)
    _, valid = split(lines, 0.35)
    pieces = [run for run in valid if run.n_traces < len(lines.X[run.section])]
    assert len(pieces) > 4
    low, high = (extreme(points(valid, lines.where), axis=0) for extreme in (np.min, np.max))
    whole = [run for run in valid if run not in pieces]
    held = points(whole, lines.where)
    assert_array_equal([low, high], [held.min(axis=0), held.max(axis=0)])


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_lines_does_not_matter(cube, seed):
    lines = grid(cube)
    order = np.random.default_rng(seed).permutation(len(lines.X))
    shuffled = lines.in_order(order)
    expected = [set(map(tuple, points(runs, lines.where))) for runs in split(lines, 0.2)]
    got = [set(map(tuple, points(runs, shuffled.where))) for runs in split(shuffled, 0.2)]
    assert got == expected


@FEW
@given(data=st.data())
def test_no_line_passes_through_the_block_whatever_the_lines(cube, data):
    def draw_lines(n, positions, starts, stops):
        chosen = data.draw(st.lists(positions, min_size=n, max_size=n + 3, unique=True))
        return [(p, data.draw(starts), data.draw(stops)) for p in chosen]

    early = st.integers(0, 15)
    lines = cut(
        cube,
        draw_lines(3, st.integers(15, 44), early, st.integers(65, 80)),
        draw_lines(3, st.integers(15, 64), early, st.integers(45, 60)),
    )
    lines = lines.in_order(data.draw(st.permutations(range(len(lines.X)))))
    gap = data.draw(st.integers(0, 10))
    train, valid = split(lines, data.draw(st.sampled_from([0.1, 0.2, 0.4])), gap)
    assert_no_line_passes_the_block(train, valid, lines.where, gap)


@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_training_runs_see_nothing_of_what_lies_in_the_block(cube, fraction):
    """Whatever is changed in the box of the block changes no training trace or label."""
    lines = grid(cube)
    train, valid = split(lines, fraction)
    low, high = (extreme(points(valid, lines.where), axis=0) for extreme in (np.min, np.max))
    box = tuple(slice(first, last + 1) for first, last in zip(low, high, strict=True))
    changed = type(cube)(data=cube.data.copy(), target=cube.target.copy())
    changed.data[box] = 1e3
    changed.target[box] = 0
    changed = grid(changed)
    for run in train:
        traces = slice(run.start, run.stop)
        assert_array_equal(changed.X[run.section][traces], lines.X[run.section][traces])
        assert_array_equal(changed.y[run.section][traces], lines.y[run.section][traces])
    for run in valid:
        traces = slice(run.start, run.stop)
        assert not np.any(changed.X[run.section][traces] == lines.X[run.section][traces])


def test_a_line_that_begins_inside_the_block_does_not_train_there(cube):
    long = [(p, 0, 80) for p in (2, 18, 34, 50)]
    crossing = [(p, 0, 60) for p in (4, 40, 76)]
    lines = cut(cube, long, [*crossing, (22, 24, 60), (58, 0, 44)])
    for fraction in (0.15, 0.3, 0.4):
        train, valid = split(lines, fraction)
        assert_no_line_passes_the_block(train, valid, lines.where)


def test_lines_beside_the_ends_of_the_block_keep_the_gap(cube):
    short = [(p, 25, 55) for p in (10, 14, 18, 22, 26)]
    lines = cut(cube, [*short, (50, 0, 80)], [(p, 0, 60) for p in (3, 20, 30, 40, 50, 59, 75)])
    for fraction in (0.1, 0.2):
        train, valid = split(lines, fraction)
        assert_no_line_passes_the_block(train, valid, lines.where)


def test_lines_away_from_the_block_are_kept_whole(cube):
    # Ten inlines side by side, and crosslines that end before them or pass them.
    lines = cut(
        cube,
        [(p, 0, 80) for p in (2, 30, 33, 36, 39, 42)],
        [(p, 0, 60) for p in (5, 40, 75)] + [(20, 0, 20), (60, 0, 20)],
    )
    train, valid = split(lines, 0.2)
    held = points(valid, lines.where)
    for run in train:
        whole = lines.where[run.section]
        near = (whole >= held.min(axis=0) - GAP) & (whole <= held.max(axis=0) + GAP)
        if not near.all(axis=1).any():
            assert run.n_traces == len(whole)


def test_dead_traces_at_crossings_hide_no_line(cube):
    inlines, crosslines = (4, 13, 22, 31, 40, 49), (5, 16, 27, 38, 49, 60, 71)
    for dead in (0.0, np.nan):
        lines = grid(cube, inlines, crosslines)
        for i, position in enumerate(inlines):
            lines.X[i] = lines.X[i].copy()
            lines.X[i][crosslines[i]] = dead  # one crossing of every inline is not seen
            lines.X[i][:3] = dead
            lines.X[len(inlines) + i] = lines.X[len(inlines) + i].copy()
            lines.X[len(inlines) + i][position] = dead
        train, valid = split(lines, 0.3)
        assert_no_line_passes_the_block(train, valid, lines.where)


@pytest.mark.parametrize("n_reversed", [1, 3, 7])
def test_reversed_lines_keep_the_gap(cube, n_reversed):
    lines = grid(cube, inlines=(4, 13, 19, 31, 40, 49))
    for i in range(6, 6 + n_reversed):
        for part in (lines.X, lines.y, lines.where):
            part[i] = part[i][::-1]
    train, valid = split(lines, 0.1)
    assert valid
    assert distance(train, valid, lines.where) > GAP


def test_one_inline_that_crosses_many_lines(cube):
    lines = grid(cube, inlines=(30,), crosslines=range(4, 80, 6))
    for fraction in (0.1, 0.2):
        train, valid = split(lines, fraction)
        assert valid
        assert_no_line_passes_the_block(train, valid, lines.where)


@pytest.mark.parametrize(
    ("low_noise", "make"),
    [
        (True, lambda section: section),
        (False, lambda section: np.clip(25 * section, -128, 127).round().astype(np.int8)),
        (False, lambda section: np.clip(128 + 25 * section, 0, 255).round().astype(np.uint8)),
        (False, lambda section: 1e25 * section),
        (False, lambda section: 1e-30 * section),
        (False, lambda section: section.astype(np.float16)),
    ],
    ids=["smooth", "int8", "uint8", "large", "small", "float16"],
)
def test_crossings_are_found_in_amplitudes_of_any_kind(cube, low_noise, make):
    if low_noise:
        cube = make_facies_cube((60, 80, 96), 5, n_faults=0, fold=0.02, noise=0, random_state=0)
    lines = grid(cube)
    lines.X = [make(section) for section in lines.X]
    train, valid = split(lines, 0.2)
    assert_no_line_passes_the_block(train, valid, lines.where)


def test_crossing_lines_of_equal_size_may_come_as_an_array():
    cube = make_facies_cube((60, 60, 64), n_facies=4, random_state=0)
    lines = grid(cube, inlines=(4, 18, 32, 46), crosslines=(8, 22, 36, 50))
    lines.X, lines.y = np.stack(lines.X), np.stack(lines.y)
    train, valid = split(lines, 0.15)
    assert_no_line_passes_the_block(train, valid, lines.where)


def test_lines_that_cross_at_equal_labels_but_other_amplitudes_are_a_stack(cube):
    rng = np.random.default_rng(0)
    lines = grid(cube)
    lines.X = [rng.normal(size=section.shape) for section in lines.X]
    _, valid = split(lines, 0.2)
    held = sections_of(valid)
    assert held == list(range(held[0], held[-1] + 1))


def test_a_line_much_longer_than_the_others_is_not_held_out(cube):
    long = [(0, 0, 80)]
    lines = cut(cube, long, [(p, 0, 17) for p in range(3, 15, 4)] + [(p, 43, 60) for p in (20, 40)])
    train, valid = split(lines, 0.1)
    assert Run(0, 0, 80) not in valid
    assert n_traces(valid) < 0.3 * n_traces(train)


# --- the search for crossings ---------------------------------------------------------------


def search(X):
    return find_crossings(X, np.arange(len(X)))


def crossings_of_all_pairs(X):
    """What the search finds, by comparing every trace of every line with all of the others."""
    found = {}
    for (i, one), (j, other) in itertools.combinations(enumerate(X), 2):
        alike = np.corrcoef(one, other)[: len(one), len(one) :]
        at_one, at_other = np.unravel_index(alike.argmax(), alike.shape)
        lack = 1 - alike[at_one, at_other]
        alike[max(at_one - 3, 0) : at_one + 4, max(at_other - 3, 0) : at_other + 4] = -1
        if lack < min(0.01, 0.04 * (1 - alike.max())):
            found.setdefault(i, {})[j] = at_one
            found.setdefault(j, {})[i] = at_other
    return found


def crossings_of(where):
    """Where lines cross by their coordinates."""
    places = [inlines * 10_000 + crosslines for inlines, crosslines in (w.T for w in where)]
    found = {}
    for (i, one), (j, other) in itertools.permutations(enumerate(places), 2):
        same = one[:, None] == other
        if same.sum() == 1:
            found.setdefault(i, {})[j] = same.any(axis=1).argmax()
    return found


def add_noise(X, level, seed=0):
    """Noise of its own for each line, in the band of the data, relative to their deviation."""
    rng = np.random.default_rng(seed)
    noise = [gaussian_filter1d(rng.normal(size=section.shape), 1.2, axis=1) for section in X]
    return [s + level * s.std() / n.std() * n for s, n in zip(X, noise, strict=True)]


@pytest.mark.parametrize("level", [0, 0.02])
@pytest.mark.parametrize(
    "options",
    [{}, {"noise": 0}, {"noise": 0, "n_faults": 0, "fold": 0.02}, {"peak_frequency": 15}],
    ids=["default", "clean", "smooth", "low"],
)
@pytest.mark.parametrize("spacing", [1, 4])
def test_every_crossing_is_found_at_its_trace_and_no_other(options, level, spacing):
    cube = make_facies_cube((60, 80, 96), 5, random_state=0, **options)
    lines = grid(cube, range(15, 15 + 8 * spacing, spacing), range(20, 20 + 9 * spacing, spacing))
    order = np.random.default_rng(1).permutation(len(lines.X))
    lines = lines.in_order(order)
    assert search(add_noise(lines.X, level)) == crossings_of(lines.where)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("level", "spacing"), [(0.07, 1), (0.07, 6), (0.1, 6)])
def test_in_strong_noise_crossings_are_found_where_all_pairs_show_them(seed, level, spacing):
    cube = make_facies_cube((60, 80, 96), 5, noise=0, random_state=seed)
    lines = grid(cube, range(2, 2 + 9 * spacing, spacing), range(6, 6 + 9 * spacing, spacing))
    noisy = add_noise(lines.X, level, seed)
    expected = crossings_of_all_pairs(noisy)
    assert expected
    found = search(noisy)
    pairs = {(i, j) for i in found for j in found[i]}
    assert pairs >= {(i, j) for i in expected for j in expected[i]}
    true = crossings_of(lines.where)
    assert {found[i][j] == true[i][j] for i, j in pairs} == {True}


@pytest.mark.parametrize("seed", range(12))
def test_parallel_lines_do_not_cross_however_clean(seed):
    options = {"n_faults": seed % 2 * 2, "fold": (0, 0.02, 0.12)[seed % 3], "random_state": seed}
    cube = make_facies_cube((50, 110, 64), noise=0, peak_frequency=15 + seed, **options).data
    assert search(cube[::2]) == {}
    assert search(cube.transpose(1, 0, 2)[::3]) == {}
    assert search([cube[3 * k, k : 110 - 2 * k] for k in range(16)]) == {}  # no two begin alike
    assert search([cube[4 * k, :: 1 + k % 2] for k in range(12)]) == {}  # traces twice as far apart
    assert search([cube[20 + k // 9, 5 * (k % 9) :][:60] for k in range(18)]) == {}  # overlaps


@pytest.mark.parametrize("n_copies", [3, 12])
def test_lines_given_many_times_cross_like_each_of_them(cube, n_copies):
    lines = grid(cube)
    lines = lines.in_order(np.tile(np.arange(len(lines.X)), n_copies))
    assert search(lines.X) == crossings_of(lines.where)


def test_versions_of_a_line_cross_like_each_of_them(cube):
    lines = grid(cube)
    lines = lines.in_order(np.tile(np.arange(len(lines.X)), 3))
    assert search(add_noise(lines.X, 0.02)) == crossings_of(lines.where)


def test_lines_cross_only_lines_of_as_many_samples(cube):
    lines = grid(cube)
    shorter = grid(cube, inlines=(7, 30), crosslines=(9, 33))
    found = search([*lines.X, *(section[:, :80] for section in shorter.X)])
    n_lines, offset = len(lines.X), crossings_of(shorter.where)
    expected = crossings_of(lines.where)
    expected |= {
        i + n_lines: {j + n_lines: at for j, at in crossed.items()} for i, crossed in offset.items()
    }
    assert found == expected


def test_long_traces_are_told_apart_by_a_part_of_their_samples():
    cube = make_facies_cube((30, 40, 700), random_state=0)
    lines = grid(cube, inlines=(3, 11, 26), crosslines=(5, 14, 37))
    assert search(lines.X) == crossings_of(lines.where)


@pytest.mark.parametrize("fill", [0.0, 3.0, np.nan])
@pytest.mark.parametrize("shape", [(20, 30), (1, 30), (20, 1)])
def test_lines_without_a_live_trace_cross_nothing(shape, fill):
    assert search([np.full(shape, fill, np.float32) for _ in range(3)]) == {}


# --- few or small sections ------------------------------------------------------------------


@pytest.mark.parametrize("n_lines", [1, 2, 3, 4])
def test_of_few_sections_the_same_end_is_held_out(n_lines):
    X, y = make_facies_cube((n_lines, 200, 24), 3, random_state=0, return_X_y=True)
    train, valid = split_validation_block(X, y, np.arange(3), ignore_label=-1, fraction=0.1)
    assert sections_of(train) == sections_of(valid) == list(range(n_lines))
    assert len({(run.start, run.stop) for run in valid}) == 1
    assert {run.n_traces for run in valid} == {20}
    assert {run.n_traces for run in train} == {200 - 20 - GAP}


@pytest.mark.parametrize("crossline", [4, 12, 40, 62, 68, 76])
def test_of_two_crossing_lines_no_trace_is_in_both_parts(cube, crossline):
    lines = grid(cube, inlines=(56,), crosslines=(crossline,))
    train, valid = split(lines, 0.21)
    assert [run.n_traces for run in valid] == [17]
    assert distance([run for run in train if run.section == 1], valid, lines.where) > GAP


def test_of_five_crossing_lines_one_is_held_out(cube):
    lines = grid(cube, inlines=(10, 40), crosslines=(10, 40, 70))
    train, valid = split(lines, 0.1)
    assert len(valid) == 1
    assert_no_line_passes_the_block(train, valid, lines.where)


def test_of_narrow_sections_whole_ones_are_held_out(stack):
    _, valid = split_validation_block(
        stack.data[:, :6], stack.target[:, :6], np.arange(4), ignore_label=-1, fraction=0.1
    )
    assert len(valid) == 2


@pytest.mark.parametrize("shape", [(1, 10, 24), (1, 36, 24), (3, 20, 24), (4, 6, 24)])
def test_of_very_small_data_nothing_is_held_out(shape):
    X, y = make_facies_cube(shape, n_facies=3, random_state=0, return_X_y=True)
    train, valid = split_validation_block(X, y, np.arange(3), ignore_label=-1, fraction=0.1)
    assert valid == []
    assert train == [Run(i, 0, shape[1]) for i in range(shape[0])]


def test_one_section_among_small_ones_gives_the_traces(cube):
    lines = cut(cube, [(10, 0, 5), (30, 0, 80)])
    train, valid = split(lines, 0.25)
    assert sections_of(valid) == [1]
    assert Run(0, 0, 5) in train


# --- cost -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_sections", "n_reads"), [(20, 20), (520, 60)])
def test_crossings_are_sought_once_on_60_lines_at_most(n_sections, n_reads):
    X, y = make_facies_cube((n_sections, 20, 24), 3, random_state=0, return_X_y=True)
    X, y = OnDisk(X), OnDisk(y)
    split_validation_block(X, y, np.arange(3), ignore_label=-1, fraction=0.1)
    assert X.n_reads == n_reads
    assert y.n_reads == n_sections


def test_the_input_is_never_changed(cube):
    lines = grid(cube)
    before = [section.copy() for section in lines.X]
    for array in [*lines.X, *lines.y]:
        array.flags.writeable = False
    split(lines, 0.2)
    assert all(np.array_equal(a, b) for a, b in zip(lines.X, before, strict=True))


def test_many_copies_of_one_section_take_no_time(stack):
    lines = Lines([stack.data[0]] * 100, [stack.target[0]] * 100, None)
    begin = time.perf_counter()
    train, valid = split(lines, 0.1)
    assert time.perf_counter() - begin < 2
    assert len(valid) == 10
    assert len(train) == 90


def test_more_lines_than_are_searched_for_crossings_warn():
    X, y = make_facies_cube((520, 8, 32), n_facies=3, random_state=0, return_X_y=True)
    options = {"ignore_label": -1, "fraction": 0.1}
    with pytest.warns(UserWarning, match="520 labeled sections.*at most 512.*`validation_data`"):
        _, valid = split_validation_block(list(X), list(y), np.arange(3), **options)
    assert len(valid) == 52


def test_three_hundred_sections_are_split_in_seconds():
    X, y = make_facies_cube((300, 24, 32), n_facies=3, random_state=0, return_X_y=True)
    begin = time.perf_counter()
    train, valid = split_validation_block(X, y, np.arange(3), ignore_label=-1, fraction=0.1)
    assert time.perf_counter() - begin < 3
    assert len(valid) == 30
    assert len(train) == 270


def test_a_dense_grid_of_lines_is_split_in_seconds(cube):
    lines = grid(cube, inlines=range(0, 60, 3), crosslines=range(0, 80, 3))
    begin = time.perf_counter()
    train, valid = split(lines, 0.1)
    assert time.perf_counter() - begin < 5
    assert_no_line_passes_the_block(train, valid, lines.where)


# --- the real survey ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def f3():
    lines = Lines([], [], [])
    with np.load(real_file("f3_sections.npz")) as data:
        for key in sorted(k for k in data if k.startswith("seismic_")):
            name = key.removeprefix("seismic_")
            direction, number = name.split("_")
            section = data[key]
            along = 300 + np.arange(len(section))
            across = np.full(len(section), int(number))
            pair = (across, along) if direction == "inline" else (along, across)
            lines.X.append(section)
            lines.y.append(data[f"label_{name}"])
            lines.where.append(np.stack(pair, axis=1))
    return lines


@pytest.mark.parametrize("seed", [0, 1])
def test_real_lines_keep_their_geometry(f3, seed):
    order = np.random.default_rng(seed).permutation(len(f3.X))
    lines = f3.in_order(order)
    train, valid = split(lines, 0.1)
    assert_no_line_passes_the_block(train, valid, lines.where)
    assert 0.05 < n_traces(valid) / n_traces(train + valid) < 0.2
    assert (Sections(lines.y, lines.y, None, np.arange(10), -1).count(train) > 0).all()


@pytest.mark.parametrize("level", [0, 0.05])
def test_every_crossing_of_real_lines_is_found(f3, level):
    assert search(add_noise(f3.X, level)) == crossings_of(f3.where)


def test_crossings_of_real_lines_are_found_in_rounded_amplitudes(f3):
    rounded = [np.clip(10 * section, -128, 127).round().astype(np.int8) for section in f3.X]
    assert search(rounded) == crossings_of(f3.where)


def test_real_inlines_alone_are_a_stack(f3):
    lines = f3.in_order([i for i, where in enumerate(f3.where) if np.ptp(where[:, 0]) == 0])
    train, valid = split(lines, 0.2)
    assert n_traces(train) + n_traces(valid) == 5 * 701
    assert len(valid) == 1


# --- lines of a cube --------------------------------------------------------------------------


def cube_lines(shape, inlines, crosslines):
    """Sections of a cube that know where they lie, with two facies."""
    rng = np.random.default_rng(0)
    cube = rng.normal(size=shape).astype(np.float32)
    labels = np.broadcast_to(np.arange(shape[2]) > shape[2] // 2, shape).astype(np.int8)
    lie = [0] * len(inlines) + [1] * len(crosslines), [*inlines, *crosslines]
    return [
        CubeLines([*array[inlines], *array[:, crosslines].swapaxes(0, 1)], *lie)
        for array in (cube, labels)
    ]


@pytest.mark.parametrize(
    ("inlines", "crosslines"),
    [
        (range(0, 60, 6), range(0, 80, 8)),
        (range(60), range(80)),
        (range(0, 60, 6), range(0)),
        (range(130), range(150)),
    ],
)
def test_lines_of_a_cube_are_held_out_where_they_lie(inlines, crosslines):
    """No held-out trace lies within the gap of a training trace, in map view."""
    inlines, crosslines = list(inlines), list(crosslines)
    shape = (max(inlines) + 1, max(crosslines, default=99) + 1, 6)
    X, y = cube_lines(shape, inlines, crosslines)
    train, valid = split_validation_block(
        X, y, np.array([0, 1], np.int8), ignore_label=-1, fraction=0.1, gap=4
    )
    maps = [np.zeros(shape[:2], dtype=bool) for _ in (train, valid)]
    for covered, runs in zip(maps, (train, valid), strict=True):
        for run in runs:
            line = X.positions[run.section]
            traces = slice(run.start, run.stop)
            covered[(traces, line) if X.directions[run.section] else (line, traces)] = True
    assert maps[1].any()
    assert not (maps[0] & maps[1]).any()
    extent = min(shape[0] - inlines[0], shape[1] - crosslines[0] if crosslines else shape[0])
    distance = distance_transform_cdt(~maps[1], metric="chessboard")
    assert distance[maps[0]].min() > min(4, extent // 20)
    assert 0.05 < sum(run.n_traces for run in valid) / sum(map(len, X)) < 0.25


@pytest.mark.parametrize("shape", [(24, 20), (24, 40), (40, 36), (48, 64), (20, 300), (100, 100)])
def test_small_cubes_keep_most_of_their_traces_for_training(shape):
    """Gaps and cut lines may not take what is to be learned from, nor a whole direction."""
    X, y = cube_lines((*shape, 6), list(range(shape[0])), list(range(shape[1])))
    train, valid = split_validation_block(
        X, y, np.array([0, 1], np.int8), ignore_label=-1, fraction=0.1
    )
    assert valid
    assert sum(run.n_traces for run in train) > 0.6 * sum(map(len, X))
    assert {X.directions[run.section] for run in train} == {0, 1}


def test_a_class_on_few_lines_of_a_cube_spoils_no_block():
    """Found on lines that the search for a block leaves out."""
    X, y = cube_lines((200, 200, 6), list(range(200)), list(range(200)))
    y[101] = y[101].copy()
    y[101][:, 0] = 5
    train, _ = split_validation_block(
        X, y, np.array([0, 1, 5], np.int8), ignore_label=-1, fraction=0.1
    )
    assert sum(run.n_traces for run in train) > 0.8 * sum(map(len, X))


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.2])
def test_blocks_of_large_cubes_have_the_size_asked_for(fraction):
    X, y = cube_lines((300, 300, 2), list(range(300)), list(range(300)))
    _, valid = split_validation_block(
        X, y, np.array([0, 1], np.int8), ignore_label=-1, fraction=fraction
    )
    share = sum(run.n_traces for run in valid) / sum(map(len, X))
    assert 0.6 * fraction < share < 1.6 * fraction


# --- large cubes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [slice(21, 24), slice(197, 200), slice(1, 2)])
def test_a_class_on_a_few_lines_of_a_large_cube_stays_in_training(lines):
    """A place for the block is sought on every fourth line; those between them count, too."""
    rng = np.random.default_rng(0)
    cube = rng.normal(size=(200, 40, 32)).astype(np.float32)
    labels = (np.arange(32) >= 16) + np.zeros(cube.shape, np.int8)
    labels[lines, 5:35, 4:12] = 2
    X = CubeLines(list(cube), [0] * 200, range(200))
    classes = np.arange(3)
    train, valid = split_validation_block(X, labels, classes, ignore_label=-1, fraction=0.1)
    counts = Sections(labels, labels, None, classes, -1).count(train)
    assert counts.all()
    assert 10 <= len(valid) <= 30
    assert sections_of(valid) == list(range(valid[0].section, valid[0].section + len(valid)))


def test_many_lines_of_both_directions_in_one_array_are_warned_of(monkeypatch):
    monkeypatch.setattr("skfacies._holdout.blocks.MAX_LINES", 90)
    cube = make_facies_cube((60, 60, 64), n_facies=3, random_state=0)
    both = np.concatenate([cube.data, cube.data.swapaxes(0, 1)])
    labels = np.concatenate([cube.target, cube.target.swapaxes(0, 1)])
    options = {"ignore_label": -1, "fraction": 0.1}
    with pytest.warns(UserWarning, match="may share traces with training lines"):
        split_validation_block(both, labels, np.unique(labels), **options)
    wide = make_facies_cube((100, 40, 64), n_facies=3, random_state=0)
    with warnings.catch_warnings():  # one cube: its lines do not cross
        warnings.simplefilter("error")
        split_validation_block(wide.data, wide.target, np.unique(wide.target), **options)
