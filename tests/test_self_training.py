"""Learning from sections without labels: what is guessed, from what, and what it leaves alone."""

import copy
import types

import numpy as np
import pytest
import torch
import xarray
from numpy.testing import assert_array_equal
from stand_ins import Interrupt

from skfacies import CubeSegmenter
from skfacies._estimators.self_training import MOST_GUESSED, RATE, guess_labels, unlabeled_runs
from skfacies._sections.sections import Sections


def probe_of(probabilities, missing=None, dead=None):
    """What `guess_labels` asks of an estimator, with given (n_traces, n_samples, n_classes)."""

    def iterate(X, *, probabilities):
        for i, section in enumerate(X):
            scores = torch.from_numpy(of_section[len(section)]).permute(2, 0, 1)
            yield i, slice(None), scores, missing, dead

    of_section = {len(own): own for own in probabilities}
    return types.SimpleNamespace(
        _iterate=iterate, _most_likely=lambda scores, dead: scores.argmax(0).numpy()
    )


def random_probabilities(n_traces, seed):
    return np.random.default_rng(seed).dirichlet([1, 1, 1], (n_traces, 8)).astype(np.float32)


def sections_of(*labels, weights=None, classes=(10, 20, 30), ignore_label=-1):
    X = [np.zeros(own.shape) for own in labels]
    return Sections(X, list(labels), weights, np.array(classes), ignore_label)


def test_the_surest_half_of_each_class_becomes_labels():
    first, second = random_probabilities(40, 0), random_probabilities(44, 1)
    unknown = [np.full(own.shape[:2], -1) for own in (first, second)]
    sections = sections_of(np.full((3, 8), 20), *unknown)
    guessed, runs = guess_labels(probe_of([first, second]), sections, unlabeled_runs(sections))
    assert [run.section for run in runs] == [1, 2]
    assert_array_equal(guessed.y[0], 20)
    labels = np.concatenate(guessed.y[1:])
    both = np.concatenate([first, second])
    sureness, codes = both.max(axis=-1), both.argmax(axis=-1)
    for code, label in enumerate((10, 20, 30)):
        own = codes == code
        assert set(np.unique(labels[own])) == {-1, label}
        assert sureness[own & (labels == label)].min() >= sureness[own & (labels == -1)].max()
        assert np.mean(labels[own] == label) == pytest.approx(0.5, abs=0.1)


def test_dead_and_undefined_samples_get_no_label():
    probabilities = random_probabilities(12, 0)
    masks = np.random.default_rng(1).random((2, 12, 8)) < 0.3
    sections = sections_of(np.full((3, 8), 20), np.full((12, 8), -1))
    guessed, _ = guess_labels(probe_of([probabilities], *masks), sections, unlabeled_runs(sections))
    assert (guessed.y[1][masks.any(axis=0)] == -1).all()
    assert (guessed.y[1][~masks.any(axis=0)] != -1).any()


def test_labels_may_be_strings_that_are_shorter_than_the_ignored_one():
    probabilities = random_probabilities(12, 0)
    names = {"classes": ("a", "b", "c"), "ignore_label": "unknown"}
    sections = sections_of(np.full((3, 8), "b"), np.full((12, 8), "unknown"), **names)
    guessed, _ = guess_labels(probe_of([probabilities]), sections, unlabeled_runs(sections))
    assert set(np.unique(guessed.y[1])) == {"a", "b", "c", "unknown"}


def test_sixteen_sections_at_most_are_guessed_evenly_spaced():
    labels = [np.full((2, 8), -1) for _ in range(100)]
    labels[0] = np.full((2, 8), 10)
    chosen = [run.section for run in unlabeled_runs(sections_of(*labels))]
    assert len(chosen) == MOST_GUESSED == 16
    assert {min(chosen), max(chosen)} == {1, 99}
    assert np.ptp(np.diff(chosen)) <= 1


def test_labels_without_weight_are_not_guessed():
    labels = [np.full((2, 8), 10), np.full((2, 8), 20), np.full((2, 8), -1)]
    sections = sections_of(*labels, weights=np.array([1.0, 0.0, 0.0]))
    assert [run.section for run in unlabeled_runs(sections)] == [2]


@pytest.fixture(scope="module")
def sparse(survey):
    """Sections of which every third has labels."""
    y = np.full_like(survey.target, -1)
    y[::3] = survey.target[::3]
    return survey.data, y


def weights_of(segmenter):
    return segmenter.__getstate__()["_weights"]


def test_training_goes_on_gently_for_a_sixth_of_the_epochs_where_sections_have_no_labels(
    make_tiny, sparse
):
    X, y = sparse
    tiny = {"max_epochs": 12, "lr": 1e-2}
    model = make_tiny(**tiny).fit(X, y)
    assert model.n_iter_ == 12 + 2
    assert not model.net_.interrupted
    rates = [row["lr"] for row in model.history_]
    assert max(rates[12:]) <= RATE * 1e-2 < max(rates[:12])
    assert make_tiny(**tiny).fit(X[::3], y[::3]).n_iter_ == 12
    assert make_tiny(**tiny, self_training=False).fit(X, y).n_iter_ == 12


def test_without_it_sections_without_labels_have_no_influence(make_tiny, sparse):
    X, y = sparse
    with_them = make_tiny(self_training=False, validation_fraction=0).fit(X, y)
    without = make_tiny(validation_fraction=0).fit(X[::3], y[::3])
    for name, value in weights_of(with_them).items():
        assert_array_equal(value, weights_of(without)[name])


def test_equal_seeds_give_equal_weights(make_tiny, sparse):
    first, second = (weights_of(make_tiny(max_epochs=6).fit(*sparse)) for _ in range(2))
    for name, value in first.items():
        assert_array_equal(value, second[name])


def test_guesses_are_no_picks(make_tiny, survey):
    """Contacts, support and the profile of the training are those of the interpreter's labels."""
    inlines, crosslines = np.arange(12) * 10.0, np.arange(40) * 1.0
    X = xarray.DataArray(
        survey.data,
        {"inline": inlines, "crossline": crosslines, "twt": np.arange(48) * 4.0},
        ("inline", "crossline", "twt"),
    )
    y = np.full_like(survey.target, -1)
    y[::3] = survey.target[::3]
    sections = [section for section in X]
    with_guesses = make_tiny(max_epochs=6).fit(sections, list(y))
    without = make_tiny(max_epochs=6, self_training=False).fit(sections, list(y))
    assert_array_equal(with_guesses.contacts_.points_, without.contacts_.points_)
    assert_array_equal(with_guesses.contacts_.depths_, without.contacts_.depths_)
    assert_array_equal(with_guesses.training_profile_["lines"], without.training_profile_["lines"])
    reports = [model.training_report_ for model in (with_guesses, without)]
    supports = [{label: report[label]["support"] for label in "012"} for report in reports]
    assert supports[0] == supports[1]


def test_a_cube_brings_its_lines_without_labels(make_tiny, survey):
    labels = np.full_like(survey.target, -1)
    labels[[2, 9]] = survey.target[[2, 9]]
    seen = {}

    class Spy(type(make_tiny())):
        def fit(self, X, y, **others):
            seen["X"], seen["y"] = list(X), list(y)
            return super().fit(X, y, **others)

    spy = Spy(**make_tiny().get_params())
    segmenter = CubeSegmenter(spy, direction="both").fit(survey.data, labels)
    assert_array_equal(segmenter.lines_["inline"], [2, 9])
    assert set(segmenter.lines_) == {"inline"}
    labeled = [i for i, own in enumerate(seen["y"]) if (np.asarray(own) != -1).any()]
    assert len(labeled) == 2
    assert len(seen["y"]) == 2 + 16
    n_traces = [len(own) for own in seen["X"]]
    assert n_traces.count(40) == 2 + 3  # 10 inlines and 40 crosslines have no labels of their own
    assert n_traces.count(12) == 13
    CubeSegmenter(spy.set_params(self_training=False)).fit(survey.data, labels)
    assert len(seen["y"]) == 2


def test_lines_that_are_left_out_by_step_are_not_guessed(make_tiny, survey):
    segmenter = CubeSegmenter(make_tiny(max_epochs=6), step=2).fit(survey.data, survey.target)
    assert segmenter.estimator_.n_iter_ == 6


def test_refine_adapts_to_sections_without_labels(make_tiny, sparse):
    X, y = sparse
    segmenter = make_tiny(max_epochs=12, lr=1e-2).fit(X[::3], y[::3])
    without, adapted = (copy.copy(segmenter) for _ in range(2))
    without.refine(X[::3], y[::3])
    adapted.refine(X, y)
    assert adapted.n_iter_ == without.n_iter_ == 12 + 2
    names = weights_of(adapted)
    assert any((names[name] != value).any() for name, value in weights_of(without).items())


def test_a_whole_fit_from_earlier_weights_has_the_whole_rate(make_tiny, sparse):
    model = make_tiny(max_epochs=6, lr=1e-2, warm_start=True).fit(*sparse)
    rates = [row["lr"] for row in model.fit(*sparse).history_]
    assert max(rates[-6:]) > RATE * 1e-2


@pytest.mark.parametrize(("epoch", "kept"), [(4, 3), (13, 12), (14, 13)])
def test_ctrl_c_keeps_what_was_learned_and_ends_the_training(make_tiny, sparse, epoch, kept):
    callbacks = [("interrupt", Interrupt(epoch))]
    model = make_tiny(max_epochs=12, callbacks=callbacks).fit(*sparse)
    assert model.n_iter_ == len(model.history_) == kept
    assert model.net_.interrupted
    assert model.predict(sparse[0]).shape == sparse[0].shape
