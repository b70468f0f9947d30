"""Stratigraphic order of units: learnt, given, and kept to in prediction."""

import copy
import io
from itertools import combinations_with_replacement

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skfacies import CubeSegmenter
from skfacies._unit_order import (
    LEAST,
    TRACES,
    best_ranks,
    check_unit_order,
    learn_unit_order,
    put_in_order,
    remove_spikes,
)
from skfacies.metrics import iou_scorer


def layers(*thicknesses, n_traces=20):
    return np.tile(np.repeat(np.arange(len(thicknesses)), thicknesses), (n_traces, 1))


def in_order(labels):
    return bool((np.diff(labels.astype(int), axis=-1) >= 0).all())


# --- learning -------------------------------------------------------------------------------------


def test_the_order_is_that_of_depth():
    codes = layers(3, 4, 5)
    assert learn_unit_order([codes], 3) == (0, 1, 2)
    assert learn_unit_order([codes[:, ::-1]], 3) == (2, 1, 0)
    assert learn_unit_order([np.array([1, 2, 0])[codes]], 3) == (1, 2, 0)


def test_samples_without_label_do_not_matter():
    codes = layers(3, 4, 5)
    codes[:, 2:4] = -100
    codes[:5] = -100
    assert learn_unit_order([codes], 3) == (0, 1, 2)


@pytest.mark.parametrize(("n_faulty", "expected"), [(5, (0, 1, 2)), (6, None)])
def test_a_few_traces_may_be_out_of_order(n_faulty, expected):
    codes = layers(3, 4, 5, n_traces=100)
    codes[:n_faulty, -1] = 0
    assert learn_unit_order([codes[:50], codes[50:]], 3) == expected


def test_there_is_no_order_of_a_class_that_does_not_occur():
    assert learn_unit_order([layers(3, 4, 5)], 4) is None


def test_an_enclosed_body_has_no_place_in_an_order():
    """Traces of one class are no evidence, and the few with a body are out of any order."""
    background = np.zeros((100, 30), int)
    body = background.copy()
    body[30:34, 10:20] = 1
    assert learn_unit_order([background, body], 2) is None
    stack = layers(10, 10, 10, n_traces=100)
    stack[30:34, 12:16] = 3
    assert learn_unit_order([stack], 4) is None
    beside = background.copy()
    beside[50:] = 1  # never above or below
    assert learn_unit_order([beside], 2) is None


def test_labels_that_are_no_class_are_passed_by():
    classes = np.array([2, 5])
    assert check_unit_order([7, 5, 3, 2], classes) == (1, 0)
    with pytest.raises(ValueError, match="every class once"):
        check_unit_order([5, 5, 2], classes)
    with pytest.raises(ValueError, match="every class once"):
        check_unit_order([5, [2]], classes)


def test_a_given_order_is_turned_into_positions():
    assert check_unit_order(["sand", "chalk"], np.array(["chalk", "sand"])) == (1, 0)


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [0, 1, 3], [[0, 1, 2]], ["a", 1, 2]])
def test_a_given_order_holds_every_class_once(order):
    with pytest.raises(ValueError, match="`unit_order` must hold every class once"):
        check_unit_order(order, np.array([0, 1, 2]))


# --- labels ---------------------------------------------------------------------------------------


def test_labels_are_the_best_of_all_that_are_in_order():
    rng = np.random.default_rng(0)
    n_classes, n_samples = 3, 7
    scores = rng.normal(scale=4, size=(30, n_samples, n_classes)).astype(np.float32)
    ranks = best_ranks(scores, block=1)
    scores = np.maximum(scores - scores.max(-1, keepdims=True), LEAST)
    for trace in range(30):
        candidates = np.array(list(combinations_with_replacement(range(n_classes), n_samples)))
        sums = scores[trace, np.arange(n_samples), candidates].sum(1)
        assert_array_equal(ranks[trace], candidates[sums.argmax()])


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("n_samples", [97, 98, 99, 100])
def test_blocks_find_nearly_the_same_labels_as_samples(n_samples, size):
    rng = np.random.default_rng(3)
    tops = np.cumsum(rng.integers(10, 20, size=(200, 5)), axis=1)  # units of some blocks
    truth = (np.arange(n_samples) >= tops[..., None]).sum(1)
    scores = 3.0 * np.eye(6)[truth] + rng.normal(size=(200, n_samples, 6))
    scores[:, 40:60] += 4 * np.eye(6)[rng.integers(6, size=200)][:, None]  # bodies out of place
    exact, fast = (best_ranks(scores.astype(np.float32), block=block) for block in (1, size))
    assert in_order(fast)
    right = [(labels == truth).mean() for labels in (scores.argmax(-1), exact, fast)]
    assert right[2] > right[1] - 0.03
    assert right[2] > right[0] + 0.05


def test_any_order_can_be_kept_to():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(10, 30, 4))
    order = (2, 0, 3, 1)
    codes = put_in_order(scores.argmax(-1), lambda traces: scores[traces], order)
    assert in_order(np.argsort(order)[codes])


def test_traces_in_order_are_not_asked_for_and_stay():
    codes = layers(3, 4, 5)
    result = put_in_order(codes.copy(), None, (0, 1, 2))
    assert_array_equal(result, codes)


def test_only_faulty_traces_are_asked_for():
    codes = layers(3, 4, 5)
    scores = 5.0 * np.eye(3)[codes]
    faulty = codes.copy()
    faulty[[4, 7], 8] = 0
    asked = []

    def give(traces):
        asked.append(np.arange(len(scores))[traces].tolist())
        return scores[traces]

    assert_array_equal(put_in_order(faulty, give, (0, 1, 2)), codes)
    assert asked == [[4, 7]]


def test_many_traces_are_put_in_order_in_pieces():
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(TRACES + 300, 12, 3)).astype(np.float32)
    sizes = []

    def give(traces):
        sizes.append(len(scores[traces]))
        return scores[traces]

    codes = put_in_order(scores.argmax(-1), give, (0, 1, 2))
    assert len(sizes) > 1
    assert max(sizes) == TRACES
    assert_array_equal(codes, best_ranks(scores))


# --- spikes ---------------------------------------------------------------------------------------


def contacts_at(*depths, n_samples=60, order=None):
    """Labels (n_traces, n_samples) of contacts at depths, each of them an array over traces."""
    ranks = (np.arange(n_samples)[:, None] >= np.stack(depths, axis=-1)[:, None]).sum(axis=-1)
    return ranks if order is None else np.asarray(order)[ranks]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("traces", [[1], [9, 10, 11], [4, 6, 8, 20, 38]])
def test_contacts_of_a_few_traces_go_back_to_their_neighbours(traces, order):
    upper, lower = np.full(40, 20), np.full(40, 40)
    smooth = contacts_at(upper, lower, order=order)
    upper[traces] += 8
    codes = contacts_at(upper, lower, order=order)
    assert (codes != smooth).any()
    result = remove_spikes(codes, order)
    assert result is codes
    assert_array_equal(result, smooth)


@pytest.mark.parametrize(
    "contact",
    [
        np.where(np.arange(40) < 17, 20, 33),  # a fault
        np.where((np.arange(40) >= 17) & (np.arange(40) < 21), 33, 20),  # four traces wide
        10 + np.arange(40),  # a dip of 45°
        20 + 3 * (np.arange(40) % 2),  # rough
        np.r_[np.zeros(20, int), np.full(20, 30)],  # a unit that ends
    ],
)
def test_steps_dips_and_rough_contacts_stay(contact):
    codes = contacts_at(contact)
    assert_array_equal(remove_spikes(codes.copy(), (0, 1)), codes)


def test_labels_are_in_order_without_spikes_too():
    """Even where a contact is moved below one that stays."""
    upper, lower = np.full(20, 30), np.full(20, 32)
    upper[5], lower[5] = 20, 29
    result = remove_spikes(contacts_at(upper, lower), (0, 1, 2))
    assert in_order(result)
    assert_array_equal(result[5], contacts_at(np.array([30]), np.array([30]))[0])
    rng = np.random.default_rng(3)
    random = np.sort(rng.integers(0, 61, size=(3, 200)), axis=0)
    assert in_order(remove_spikes(contacts_at(*random), (0, 1, 2, 3)))


# --- estimators -----------------------------------------------------------------------------------


def test_predictions_are_in_the_order_of_the_training_labels(fitted, survey):
    assert_array_equal(fitted.unit_order_, [0, 1, 2])
    noise = np.random.default_rng(0).standard_normal(survey.data.shape)
    noisy = survey.data + survey.data.std() * noise
    probable = fitted.classes_[fitted.predict_proba(noisy).argmax(-1)]
    predicted = fitted.predict(noisy)
    assert not in_order(probable)
    assert in_order(predicted)
    stay = (np.diff(probable.astype(int), axis=-1) >= 0).all(-1)
    assert stay.any()
    assert_array_equal(predicted[stay], probable[stay])


@pytest.mark.parametrize("options", [{"tta": True}, {"memory_limit": 3e5}])
def test_mirrored_and_tiled_predictions_are_in_order(fitted, survey, options):
    copied = joblib_copy(fitted).set_params(**options)
    assert in_order(copied.predict(survey.data))


def joblib_copy(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def test_the_order_is_kept_in_files(fitted, survey, tmp_path):
    from skfacies.persistence import load_model, save_model

    save_model(fitted, tmp_path / "model.safetensors")
    for again in (load_model(tmp_path / "model.safetensors"), joblib_copy(fitted)):
        assert_array_equal(again.unit_order_, [0, 1, 2])
        assert_array_equal(again.predict(survey.data), fitted.predict(survey.data))


def test_the_order_can_be_changed_after_the_fit(fitted, survey):
    noise = np.random.default_rng(0).standard_normal(survey.data.shape).astype(np.float32)
    model = copy.deepcopy(fitted).set_params(unit_order=None)
    assert model.unit_order_ is None
    labels = model.predict(noise)
    assert_array_equal(labels, model.classes_[model.predict_proba(noise).argmax(-1)])
    assert not in_order(labels)
    model.set_params(unit_order=[2, 1, 0])
    assert in_order(model.predict(noise)[..., ::-1])
    model.set_params(unit_order="auto")
    assert_array_equal(model.unit_order_, [0, 1, 2])


def test_none_leaves_the_most_probable_class(make_tiny, survey):
    segmenter = make_tiny(unit_order=None).fit(survey.data, survey.target)
    assert segmenter.unit_order_ is None
    probable = segmenter.classes_[segmenter.predict_proba(survey.data).argmax(-1)]
    assert_array_equal(segmenter.predict(survey.data), probable)


def test_a_given_order_wins(make_tiny, survey):
    segmenter = make_tiny(unit_order=[2, 1, 0]).fit(survey.data, survey.target)
    assert_array_equal(segmenter.unit_order_, [2, 1, 0])
    assert in_order(segmenter.predict(survey.data)[..., ::-1])


def test_a_bad_order_leaves_the_estimator_unfitted(make_tiny, survey):
    segmenter = make_tiny(unit_order=[1, 2])
    with pytest.raises(ValueError, match="`unit_order` must hold every class once"):
        segmenter.fit(survey.data, survey.target)
    assert not hasattr(segmenter, "net_")


def test_units_without_an_order_are_left_alone(make_tiny, survey):
    mixed = survey.target.copy()
    mixed[:, :, -5:] = 0  # the shallowest unit again at the bottom
    assert make_tiny().fit(survey.data, mixed).unit_order_ is None


@pytest.mark.parametrize("wrap", ["pipeline", "search"])
def test_both_directions_are_put_in_order_within_other_estimators(make_tiny, survey, wrap):
    inner = make_pipeline(make_tiny(max_epochs=2))
    if wrap == "search":
        inner = GridSearchCV(inner, {"faciessegmenter__lr": [1e-3]}, cv=2, scoring=iou_scorer)
    cubes = CubeSegmenter(inner, "both", step=4).fit(survey.data, survey.target)
    assert in_order(cubes.predict(survey.data))


def test_both_directions_are_put_in_order_after_their_mean(make_tiny, survey):
    cubes = CubeSegmenter(make_tiny(max_epochs=2), "both").fit(survey.data, survey.target)
    predicted = cubes.predict(survey.data)
    assert in_order(predicted)
    assert not in_order(cubes.classes_[np.asarray(cubes.predict_proba(survey.data)).argmax(-1)])
    da = pytest.importorskip("dask.array")
    lazy = cubes.predict(da.from_array(survey.data, chunks=(6, 40, 48)))
    assert_array_equal(lazy.compute(scheduler="synchronous"), predicted)


def test_spikes_are_removed_where_scores_are_averaged_along_reflectors(
    make_tiny, survey, monkeypatch
):
    segmenter = make_tiny(max_epochs=1, dip_smoothing=5.0, unit_order=[0, 1, 2])
    smooth = segmenter.fit(survey.data, survey.target).predict(survey.data)
    with monkeypatch.context() as patch:
        patch.setattr("skfacies._segmenter.remove_spikes", lambda codes, order: codes)
        rough = segmenter.predict(survey.data)
    assert (rough != smooth).any()
    assert_array_equal(smooth, without_spikes(rough))
    as_they_are = segmenter.set_params(dip_smoothing=None).predict(survey.data)
    assert (without_spikes(as_they_are) != as_they_are).any()


def without_spikes(labels):
    return np.stack([remove_spikes(section.astype(int), (0, 1, 2)) for section in labels])
