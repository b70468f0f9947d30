"""Tests of the block of traces that a fit holds out."""

import time
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr
from holders import OnDisk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from real_data import real_file
from scipy.ndimage import distance_transform_cdt
from scipy.spatial import cKDTree

from skfacies import _holdout
from skfacies._sections.sections import Run, Sections
from skfacies._sections.validation import Lines as CubeLines
from skfacies.datasets import make_facies_cube

FEW = settings(derandomize=True, max_examples=20, deadline=None)

#: Gap on a map of 60 inlines: a twentieth of them.
GAP = 3


@pytest.fixture(scope="module")
def cube():
    return make_facies_cube((60, 80, 96), n_facies=5, random_state=0)


@pytest.fixture(scope="module")
def stack():
    """Neighboring inlines."""
    return make_facies_cube((20, 40, 48), n_facies=4, random_state=1)


def split(X, y, fraction=0.1, gap=8):
    classes = np.unique(np.concatenate([np.unique(section) for section in y]))
    sections = Sections(X, y, None, classes[classes != -1], -1)
    return _holdout.split_validation_block(sections, fraction, gap)


def n_traces(runs):
    return sum(run.n_traces for run in runs)


def sections_of(runs):
    return [run.section for run in runs]


# --- sections without positions -----------------------------------------------------------------


@pytest.mark.parametrize("as_list", [False, True], ids=["array", "list"])
@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.2, 0.33, 0.5])
def test_of_a_stack_one_contiguous_run_of_sections_is_held_out(stack, fraction, as_list):
    X, y = (list(stack.data), list(stack.target)) if as_list else (stack.data, stack.target)
    train, valid = split(X, y, fraction)
    held = sections_of(valid)
    assert held == list(range(held[0], held[-1] + 1))
    assert abs(len(held) / 20 - fraction) <= 0.5 / 20 + 1e-9
    assert sorted(held + sections_of(train)) == list(range(20))
    assert {(run.start, run.stop) for run in train + valid} == {(0, 40)}


def test_of_a_stack_the_run_with_the_most_common_mix_of_classes_is_held_out():
    y = np.zeros((12, 20, 8), np.int8)
    y[:6], y[8:] = 1, 2
    y[4:6, :, ::2], y[4:6, :, 1::4] = 2, 0  # half, a quarter: nearly that of all sections
    _, valid = split(y, y, 1 / 6)
    assert sections_of(valid) == [4, 5]


def test_fraction_zero_holds_nothing_out(stack):
    assert split(stack.data, stack.target, 0) == ([Run(i, 0, 40) for i in range(20)], [])


def test_ragged_sections_are_neighbors_in_their_order(cube):
    chosen = [(6 * k, slice(k, 80 - 2 * k)) for k in range(10)]
    X, y = ([array[key] for key in chosen] for array in (cube.data, cube.target))
    train, valid = split(X, y, 0.2)
    held = sections_of(valid)
    assert held == list(range(held[0], held[-1] + 1))
    assert {run.n_traces == len(X[run.section]) for run in train + valid} == {True}
    assert 0.1 < n_traces(valid) / n_traces(train + valid) < 0.3


@pytest.mark.parametrize("n_lines", [5, 8])
def test_of_several_long_sections_a_part_of_one_is_held_out(n_lines):
    X, y = make_facies_cube((n_lines, 400, 24), 3, random_state=0, return_X_y=True)
    train, (valid,) = split(X, y, 0.05)
    assert valid.n_traces == 0.05 * n_lines * 400
    beside = [run for run in train if run.section == valid.section]
    assert all(run.stop + 8 <= valid.start or run.start - 8 >= valid.stop for run in beside)
    assert n_traces(train) >= 400 * n_lines - valid.n_traces - 16


@pytest.mark.parametrize("n_lines", [1, 2, 3, 4])
def test_of_few_sections_the_same_traces_are_held_out(n_lines):
    X, y = make_facies_cube((n_lines, 200, 24), 3, random_state=0, return_X_y=True)
    train, valid = split(X, y, 0.1)
    assert set(sections_of(train)) == set(sections_of(valid)) == set(range(n_lines))
    assert len({(run.start, run.stop) for run in valid}) == 1
    assert {run.n_traces for run in valid} == {20}
    assert n_traces(train) >= n_lines * (200 - 20 - 2 * 8)


def test_of_narrow_sections_whole_ones_are_held_out(stack):
    _, valid = split(stack.data[:, :6], stack.target[:, :6])
    assert len(valid) == 2


@pytest.mark.parametrize("shape", [(1, 10, 24), (1, 36, 24), (3, 20, 24), (4, 6, 24)])
def test_of_very_small_data_nothing_is_held_out(shape):
    X, y = make_facies_cube(shape, n_facies=3, random_state=0, return_X_y=True)
    assert split(X, y) == ([Run(i, 0, shape[1]) for i in range(shape[0])], [])


def test_one_section_among_small_ones_gives_the_traces(cube):
    X, y = ([array[10, :5], array[30]] for array in (cube.data, cube.target))
    train, valid = split(X, y, 0.25)
    assert [run.section for run in valid if run.n_traces > 5] == [1]
    assert 1 in sections_of(train)


# --- labels -------------------------------------------------------------------------------------


def test_sections_without_labels_are_in_neither_part(stack):
    y = stack.target.copy()
    y[[0, 3, 4, 11]] = -1
    train, valid = split(stack.data, y, 0.2)
    assert not {0, 3, 4, 11} & set(sections_of(train + valid))
    assert len(train + valid) == 16


@pytest.mark.parametrize("rare", [0, 7, 19])
def test_a_class_of_one_section_stays_in_training(stack, rare):
    y = stack.target.copy()
    y[rare, :3, 5] = 9
    train, valid = split(stack.data, y, 0.3)
    assert rare in sections_of(train)
    assert len(valid) == 6


def test_traces_are_held_out_where_every_section_has_a_class_of_its_own(cube):
    y = [np.full((80, 96), k) for k in range(6)]
    train, valid = split(list(cube.data[::10]), y, 0.25)
    assert set(sections_of(train)) == set(range(6))
    assert n_traces(valid) == 0.25 * 6 * 80


def test_nothing_is_held_out_where_any_block_takes_a_class_away():
    y = np.repeat(np.arange(100), 8).reshape(1, 100, 8)
    assert split(y, y, 0.2) == ([Run(0, 0, 100)], [])


def test_string_labels_are_split_like_integers(stack):
    names = np.array(["a", "b", "c", "d"])
    by_name = Sections(stack.data, names[stack.target], None, names, "none")
    expected = split(stack.data, stack.target, 0.2)
    assert _holdout.split_validation_block(by_name, 0.2) == expected


def test_ignored_labels_count_in_no_class(stack):
    y = stack.target.copy()
    y[:, ::2] = -1
    runs = [Run(0, 0, 40), Run(3, 7, 19)]
    sections = Sections(stack.data, y, None, np.array([0, 1, 2, 3, 8]), -1)
    expected = [(y[0] == k).sum() + (y[3, 7:19] == k).sum() for k in (0, 1, 2, 3, 8)]
    assert sections.count(runs).tolist() == expected
    assert sections.count([]).tolist() == [0, 0, 0, 0, 0]


# --- lines with coordinates ---------------------------------------------------------------------


@dataclass
class Lines:
    """Sections, labels and the (inline, crossline) of each of their traces."""

    X: list
    y: list
    where: list

    def in_order(self, order):
        return Lines(*([part[i] for i in order] for part in (self.X, self.y, self.where)))


def with_numbers(section, where, spacing=(1, 1), first=(100, 300)):
    """A section as an xarray.DataArray with inline and crossline numbers."""
    numbers = np.multiply(where, spacing) + first
    coords = {name: ("trace", numbers[:, k]) for k, name in enumerate(("inline", "crossline"))}
    return xr.DataArray(section, coords, ("trace", "twt"))


def cut(cube, inlines=(), crosslines=(), spacing=(1, 1)):
    """Cut lines ``(position, first trace, last trace + 1)`` out of a cube."""
    lines = Lines([], [], [])
    for position, start, stop in inlines:
        add_line(lines, cube, [(position, i) for i in range(start, stop)], spacing)
    for position, start, stop in crosslines:
        add_line(lines, cube, [(i, position) for i in range(start, stop)], spacing)
    return lines


def add_line(lines, cube, where, spacing=(1, 1)):
    """A line along any path."""
    where = np.asarray(where, dtype=float)
    traces = tuple(np.round(where).astype(int).T)
    lines.X.append(with_numbers(cube.data[traces], where, spacing))
    lines.y.append(cube.target[traces])
    lines.where.append(where)


def grid(cube, inlines=(4, 13, 22, 31, 40, 49), crosslines=(5, 16, 27, 38, 49, 60, 71), **kwargs):
    """Lines through the whole cube."""
    n_inlines, n_crosslines = cube.data.shape[:2]
    return cut(
        cube,
        [(position, 0, n_crosslines) for position in inlines],
        [(position, 0, n_inlines) for position in crosslines],
        **kwargs,
    )


def points(runs, where):
    """Places of all traces of runs, those of lines without places left out."""
    placed = [where[run.section][run.traces] for run in runs if where[run.section] is not None]
    return np.concatenate([np.empty((0, 2)), *placed])


def assert_apart(train, valid, where, gap=GAP):
    """No training trace lies within the gap of a held-out one, along either axis."""
    held, taught = points(valid, where), points(train, where)
    assert len(held)
    assert cKDTree(taught).query(held, p=np.inf)[0].min() > gap


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.2, 0.35])
@pytest.mark.parametrize("spacing", [(1, 1), (5, 2)])
def test_lines_that_cross_are_cut_beside_the_block(cube, fraction, spacing):
    lines = grid(cube, spacing=spacing)
    train, valid = split(lines.X, lines.y, fraction)
    assert_apart(train, valid, lines.where)
    n_all = sum(map(len, lines.X))
    assert_allclose(n_traces(valid) / n_all, fraction, rtol=0.4)
    assert n_traces(train) > (1 - 2 * fraction - 0.05) * n_all


def test_the_split_is_deterministic(stack, cube):
    lines = grid(cube)
    for X, y in ((stack.data, stack.target), (lines.X, lines.y)):
        np.random.seed(None)
        assert split(X, y, 0.2) == split(X, y, 0.2)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_lines_does_not_matter(cube, seed):
    lines = grid(cube)
    order = np.random.default_rng(seed).permutation(len(lines.X))
    shuffled = lines.in_order(order)
    expected, got = (
        [set(map(tuple, points(runs, own.where))) for runs in split(own.X, own.y, 0.2)]
        for own in (lines, shuffled)
    )
    assert got == expected


@FEW
@given(data=st.data())
def test_no_training_trace_lies_beside_the_block_whatever_the_lines(cube, data):
    """Inlines and crosslines that begin anywhere, oblique lines, and lines without a place."""

    def draw_lines(positions, starts, stops):
        chosen = data.draw(st.lists(positions, max_size=6, unique=True))
        return [(p, data.draw(starts), data.draw(stops)) for p in chosen]

    early = st.integers(0, 15)
    lines = cut(
        cube,
        [
            (7, 0, 80),
            (30, 0, 80),
            (50, 0, 80),
            *draw_lines(st.integers(0, 59), early, st.integers(65, 80)),
        ],
        [(3, 0, 60), (40, 0, 60), *draw_lines(st.integers(0, 79), early, st.integers(45, 60))],
    )
    for first in data.draw(st.lists(st.integers(0, 20), max_size=3)):
        add_line(lines, cube, [(first + i / 2, i) for i in range(77)])
    for i in range(data.draw(st.integers(0, 3))):
        lines.X.append(cube.data[i])
        lines.y.append(cube.target[i])
        lines.where.append(None)
    lines = lines.in_order(data.draw(st.permutations(range(len(lines.X)))))
    fraction = data.draw(st.sampled_from([0.1, 0.2, 0.4]))
    train, valid = split(lines.X, lines.y, fraction)
    assert 0.4 * fraction < n_traces(valid) / sum(map(len, lines.X)) < 2 * fraction
    assert n_traces(train) > (0.9 - 1.5 * fraction) * sum(map(len, lines.X))
    if len(points(valid, lines.where)):
        assert_apart(train, valid, lines.where)


def test_training_runs_see_nothing_of_what_lies_in_the_block(cube):
    """Whatever is changed where held-out traces lie changes no training trace or label."""
    lines = grid(cube)
    train, valid = split(lines.X, lines.y, 0.3)
    held = tuple(points(valid, lines.where).astype(int).T)
    changed = type(cube)(data=cube.data.copy(), target=cube.target.copy())
    changed.data[held], changed.target[held] = 1e3, 0
    changed = grid(changed)
    for run in train:
        assert_array_equal(changed.X[run.section][run.traces], lines.X[run.section][run.traces])
        assert_array_equal(changed.y[run.section][run.traces], lines.y[run.section][run.traces])


def test_reversed_lines_keep_the_gap(cube):
    lines = grid(cube)
    for part in (lines.X, lines.y, lines.where):
        part[6:9] = [line[::-1] for line in part[6:9]]
    assert_apart(*split(lines.X, lines.y), lines.where)


@pytest.mark.parametrize("crossline", [4, 12, 40, 62, 68, 76])
def test_of_two_crossing_lines_no_trace_is_in_both_parts(cube, crossline):
    lines = grid(cube, inlines=(56,), crosslines=(crossline,))
    train, valid = split(lines.X, lines.y, 0.21)
    assert_apart(train, valid, lines.where)
    assert set(sections_of(train)) == {0, 1}


def test_every_class_of_crossing_lines_stays_in_training(cube):
    lines = grid(cube)
    for i, labels in enumerate(lines.y):
        labels[:40, 0] = i  # five are common, the others in one line each
    train, _ = split(lines.X, lines.y, 0.2)
    assert (Sections(lines.y, lines.y, None, np.arange(len(lines.y)), -1).count(train) > 0).all()


def test_lines_without_labels_are_in_neither_part(cube):
    lines = grid(cube)
    for i in (2, 9):
        lines.y[i] = np.full_like(lines.y[i], -1)
    train, valid = split(lines.X, lines.y)
    assert not {2, 9} & set(sections_of(train + valid))
    assert_apart(train, valid, lines.where)


def test_parallel_lines_beside_the_block_are_left_out(cube):
    """Inlines of a cube whose axes have numbers, given as a stack."""
    numbers = {"inline": 100 + 5 * np.arange(60), "crossline": 5 * np.arange(80)}
    X = xr.DataArray(cube.data, numbers, ("inline", "crossline", "twt"))
    train, valid = split(X, cube.target)
    held = sections_of(valid)
    assert held == list(range(held[0], held[0] + 6))
    beside = range(held[0] - GAP, held[-1] + GAP + 1)
    assert sections_of(train) == [i for i in range(60) if i not in beside]


def test_sections_without_real_numbers_are_neighbors_in_their_order(cube):
    """Headers without numbers give all traces of all lines one position."""
    numbers = {"inline": ("trace", np.zeros(48, int)), "crossline": ("trace", np.zeros(48, int))}
    sections = [cube.data[i, :48] for i in range(12)]
    placed = [xr.DataArray(section, numbers, ("trace", "twt")) for section in sections]
    target = [cube.target[i, :48] for i in range(12)]
    assert split(placed, target, 0.1) == split(sections, target, 0.1)


def test_real_lines_are_apart():
    lines = Lines([], [], [])
    with np.load(real_file("f3_sections.npz")) as data:
        for key in sorted(k for k in data if k.startswith("seismic_")):
            name = key.removeprefix("seismic_")
            direction, number = name.split("_")
            section = data[key]
            pair = np.full(len(section), int(number)), 300 + np.arange(len(section))
            lines.where.append(np.stack(pair if direction == "inline" else pair[::-1], axis=1))
            lines.X.append(with_numbers(section, lines.where[-1], first=(0, 0)))
            lines.y.append(data[f"label_{name}"])
    train, valid = split(lines.X, lines.y, 0.05)
    assert_apart(train, valid, lines.where, gap=8)
    n_all = sum(map(len, lines.X))
    assert 0.04 < n_traces(valid) / n_all < 0.07
    assert n_traces(train) > 0.9 * n_all


# --- lines of a cube ----------------------------------------------------------------------------


def cube_lines(n_inlines, n_crosslines, inlines=None, crosslines=None):
    """Labels of sections of a cube that know where they lie: two facies, 6 samples."""
    inlines = range(n_inlines) if inlines is None else inlines
    crosslines = range(n_crosslines) if crosslines is None else crosslines
    labels = np.broadcast_to(np.arange(6) > 3, (n_inlines, n_crosslines, 6)).astype(np.int8)
    lie = [0] * len(inlines) + [1] * len(crosslines), [*inlines, *crosslines]
    return CubeLines([*(labels[i] for i in inlines), *(labels[:, i] for i in crosslines)], *lie)


@pytest.mark.parametrize(
    ("shape", "inlines", "crosslines"),
    [
        ((60, 80), range(0, 60, 6), range(0, 80, 8)),
        ((60, 80), None, None),
        ((60, 80), range(0, 60, 6), ()),
        ((130, 150), None, None),
    ],
)
@pytest.mark.parametrize("most", [_holdout.MAX_TRACES, 9000, 5000])
def test_lines_of_a_cube_are_held_out_where_they_lie(shape, inlines, crosslines, most, monkeypatch):
    """No held-out trace lies within the gap of a training trace, in map view."""
    monkeypatch.setattr(_holdout, "MAX_TRACES", most)
    y = cube_lines(*shape, inlines, crosslines)
    train, valid = split(y, y, gap=4)
    maps = [np.zeros(shape, dtype=bool) for _ in (train, valid)]
    for covered, runs in zip(maps, (train, valid), strict=True):
        for run in runs:
            line = y.positions[run.section]
            covered[(run.traces, line) if y.directions[run.section] else (line, run.traces)] = True
    assert maps[1].any()
    distance = distance_transform_cdt(~maps[1], metric="chessboard")
    assert distance[maps[0]].min() > min(4, shape[0] // 20)
    assert 0.05 < n_traces(valid) / sum(map(len, y)) < 0.15


SHAPES = [(24, 20), (24, 40), (40, 36), (48, 64), (20, 300), (100, 100), (200, 200), (600, 600)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fraction", [0.05, 0.1])
def test_cubes_keep_most_of_their_traces_for_training(shape, fraction):
    """Gaps and cut lines may not take what is to be learned from, nor a whole direction."""
    y = cube_lines(*shape)
    train, valid = split(y, y, fraction)
    n_all = sum(map(len, y))
    assert 0.5 * fraction <= n_traces(valid) / n_all < 1.5 * fraction
    assert n_traces(train) >= (1 - 2 * fraction - 0.05) * n_all
    assert {y.directions[run.section] for run in train} == {0, 1}


@pytest.mark.parametrize("rare", [slice(101, 102), slice(21, 24), slice(197, 200)])
@pytest.mark.parametrize("crosslines", [None, ()], ids=["both", "inlines"])
def test_a_class_on_a_few_lines_of_a_cube_stays_in_training(rare, crosslines):
    y = cube_lines(200, 120, None, crosslines)
    y[rare] = [section.copy() for section in y[rare]]
    for section in y[rare]:
        section[5:100, 0] = 5
    train, valid = split(y, y)
    assert Sections(y, y, None, np.array([0, 1, 5]), -1).count(train).all()
    assert n_traces(valid) > 0.05 * sum(map(len, y))
    assert n_traces(train) > 0.75 * sum(map(len, y))


# --- cost ---------------------------------------------------------------------------------------


def test_labels_are_read_once_and_amplitudes_not_at_all(stack):
    X, y = OnDisk(stack.data), OnDisk(stack.target)
    _holdout.split_validation_block(Sections(X, y, None, np.arange(4), -1), 0.1)
    assert X.n_reads == 0
    assert y.n_reads == 20


@pytest.mark.parametrize("make", [lambda: cube_lines(1000, 1000), lambda: [np.eye(300, 4)] * 500])
def test_many_lines_are_split_in_a_second(make):
    y = make()
    begin = time.perf_counter()
    _, valid = split(y, y, 0.05)
    assert time.perf_counter() - begin < 5  # of a busy machine, and with the labels counted
    assert_allclose(n_traces(valid) / sum(map(len, y)), 0.05, rtol=0.1)
