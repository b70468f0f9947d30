"""Stratigraphic order of units: learned, given, and kept to in prediction."""

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
from skfacies._stratigraphy.order import (
    MIN_LOG_SCORE,
    SAMPLES_AT_ONCE,
    best_ranks,
    check_unit_order,
    explain_unit_order,
    labels_from_scores,
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
    assert explain_unit_order([codes], 3)[0] == (0, 1, 2)
    assert explain_unit_order([codes[:, ::-1]], 3)[0] == (2, 1, 0)
    assert explain_unit_order([np.array([1, 2, 0])[codes]], 3)[0] == (1, 2, 0)


def test_samples_without_label_do_not_matter():
    codes = layers(3, 4, 5)
    codes[:, 2:4] = -100
    codes[:5] = -100
    assert explain_unit_order([codes], 3)[0] == (0, 1, 2)


@pytest.mark.parametrize(("n_faulty", "expected"), [(5, (0, 1, 2)), (6, None)])
def test_a_few_traces_may_be_out_of_order(n_faulty, expected):
    codes = layers(3, 4, 5, n_traces=100)
    codes[:n_faulty, -1] = 0
    assert explain_unit_order([codes[:50], codes[50:]], 3)[0] == expected


def test_there_is_no_order_of_a_class_that_does_not_occur():
    assert explain_unit_order([layers(3, 4, 5)], 4)[0] is None


def test_an_enclosed_body_has_no_place_in_an_order():
    """Traces of one class are no evidence, and the few with a body are out of any order."""
    background = np.zeros((100, 30), int)
    body = background.copy()
    body[30:34, 10:20] = 1
    assert explain_unit_order([background, body], 2)[0] is None
    stack = layers(10, 10, 10, n_traces=100)
    stack[30:34, 12:16] = 3
    assert explain_unit_order([stack], 4)[0] is None
    beside = background.copy()
    beside[50:] = 1  # never above or below
    assert explain_unit_order([beside], 2)[0] is None


def wedge():
    """A unit that is there in the deep half of a dipping survey only: all traces are in order."""
    traces, samples = np.arange(200), np.arange(200)
    top = 20 + 0.6 * traces
    tops = np.stack([top, top + np.maximum(0, 0.35 * (traces - 100))], axis=1)
    tops = np.column_stack([tops, tops[:, 1] + 25])
    return (samples[None, :, None] >= tops[:, None]).sum(-1)


@pytest.mark.parametrize("relabel", [(0, 1, 2, 3), (3, 0, 2, 1)])
def test_the_order_of_traces_counts_and_not_that_of_mean_depths(relabel):
    codes = wedge()
    depths = [np.nonzero(codes == code)[1].mean() for code in range(4)]
    assert depths[1] > depths[2]
    assert explain_unit_order([np.array(relabel)[codes]], 4)[0] == relabel


def test_units_that_were_never_seen_together_have_no_order():
    left, right = layers(5, 5, 5), np.array([0, 3, 2])[layers(5, 5, 5)]
    order, reason, stack = explain_unit_order([left, right], 4, ["a", "b", "c", "d"])
    assert order is None
    assert stack in [(0, 1, 3, 2), (0, 3, 1, 2)]
    assert "do not show which of 'b' and 'd'" in reason
    together = np.array([0, 1, 3, 2])[layers(3, 4, 4, 4, n_traces=1)]
    together_as_well = explain_unit_order([left, right, together], 4)
    assert together_as_well == ((0, 1, 3, 2), None, (0, 1, 3, 2))


def test_the_reason_why_there_is_no_order_names_the_units():
    circle = [np.array(pair)[layers(5, 5)] for pair in ([0, 1], [1, 2], [2, 0])]
    assert explain_unit_order(circle, 3)[2] is None
    assert "0, 1, 2 lie above each other in a cycle" in explain_unit_order(circle, 3)[1]
    assert "none of the examined lines has 2" in explain_unit_order([layers(5, 5)], 3)[1]
    folded = layers(4, 4, 4, n_traces=30)
    folded[:10, -1] = 1
    assert "fewer than 95%" in explain_unit_order([folded], 3)[1]


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
    with pytest.raises(ValueError, match="`unit_order` must list every class once"):
        check_unit_order(order, np.array([0, 1, 2]))


# --- labels ---------------------------------------------------------------------------------------


def test_labels_are_the_best_of_all_that_are_in_order():
    rng = np.random.default_rng(0)
    n_classes, n_samples = 3, 7
    scores = rng.normal(scale=4, size=(30, n_samples, n_classes)).astype(np.float32)
    scores = np.maximum(scores - scores.max(-1, keepdims=True), MIN_LOG_SCORE)
    ranks = best_ranks(scores)
    for trace in range(30):
        candidates = np.array(list(combinations_with_replacement(range(n_classes), n_samples)))
        sums = scores[trace, np.arange(n_samples), candidates].sum(1)
        assert_array_equal(ranks[trace], candidates[sums.argmax()])


def sure_scores(codes, n_classes):
    return np.where(np.eye(n_classes, dtype=bool)[codes], 0, -8).astype(np.float32)


@pytest.mark.parametrize("top", [401, 405, 408])
def test_thin_units_stay_where_traces_have_a_flaw_elsewhere(top):
    codes = layers(top, 6, 700 - top - 6, 300)
    scores = sure_scores(codes, 4)
    for flaw, unit in ((500, 0), (300, 3)):  # below and above the thin unit
        own = scores.copy()
        own[::2, flaw : flaw + 3] = sure_scores(np.full(3, unit), 4)
        result = put_in_order(own.argmax(-1), lambda traces, own=own: own[traces], (0, 1, 2, 3))
        assert_array_equal(result, codes)


def test_what_lies_above_and_below_the_flaw_is_not_touched():
    rng = np.random.default_rng(3)
    codes = layers(20, 20, 20, 20)
    scores = sure_scores(codes, 4)
    scores[:, 45:50] = rng.normal(scale=5, size=(20, 5, 4))  # within unit 2
    result = put_in_order(scores.argmax(-1), lambda traces: scores[traces], (0, 1, 2, 3))
    assert in_order(result)
    assert_array_equal(result[:, 60:], codes[:, 60:])
    assert_array_equal(result[:, :20], codes[:, :20])


def test_missing_samples_have_no_say():
    codes = layers(10, 10, 10, n_traces=12)
    missing = np.zeros(codes.shape, dtype=bool)
    missing[3:6], missing[7, 5:15], missing[8, :4], missing[9, 25:] = True, True, True, True
    for seed in range(3):
        scores = sure_scores(codes, 3)
        scores[missing] = 20 * np.random.default_rng(seed).normal(size=(missing.sum(), 3))
        scores[1, 4:6] = sure_scores(np.array([2, 2]), 3)  # a live flaw
        result = labels_from_scores(
            scores.argmax(-1),
            lambda traces, scores=scores: scores[traces],
            (0, 1, 2),
            missing=missing,
            without_spikes=True,
        )
        assert_array_equal(result[~missing], codes[~missing])


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
    scores = rng.normal(size=(SAMPLES_AT_ONCE // 12 + 300, 12, 3)).astype(np.float32)
    sizes = []

    def give(traces):
        sizes.append(len(scores[traces]))
        return scores[traces]

    codes = put_in_order(scores.argmax(-1), give, (0, 1, 2))
    assert len(sizes) > 1
    assert max(sizes) == SAMPLES_AT_ONCE // 12
    assert in_order(codes)
    one_by_one = [
        put_in_order(own.argmax(-1)[None], lambda _, own=own: own[None], (0, 1, 2))[0]
        for own in scores
    ]
    assert_array_equal(codes, one_by_one)


# --- spikes ---------------------------------------------------------------------------------------


def contacts_at(*depths, n_samples=60, order=None):
    """Labels (n_traces, n_samples) of contacts at depths, each of them an array over traces."""
    ranks = (np.arange(n_samples)[:, None] >= np.stack(depths, axis=-1)[:, None]).sum(axis=-1)
    return ranks if order is None else np.asarray(order)[ranks]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("traces", [[1], [9, 10, 11], [4, 6, 8, 20, 38]])
def test_contacts_of_a_few_traces_go_back_to_their_neighbors(traces, order):
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


@pytest.mark.parametrize("slope", [2, 4, 7])
def test_crests_and_troughs_of_steep_folds_stay(slope):
    away = slope * np.abs(np.arange(41) - 20)
    for contact in (10 + away, 190 - away):
        codes = contacts_at(contact, n_samples=200)
        assert_array_equal(remove_spikes(codes.copy(), (0, 1)), codes)


def test_contacts_beside_a_gap_are_neighbors():
    contact = np.full(40, 20)
    contact[20] = 32
    codes = contacts_at(contact)
    missing = np.zeros(codes.shape, dtype=bool)
    missing[10:20] = missing[21:30] = True
    codes[missing] = 1
    result = labels_from_scores(codes, None, (0, 1), missing=missing, without_spikes=True)
    assert_array_equal(result[~missing], contacts_at(np.full(40, 20))[~missing])


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
    unordered = joblib_copy(fitted).set_params(unit_order=None)
    probable = fitted.classes_[unordered.predict_proba(noisy).argmax(-1)]
    predicted = fitted.predict(noisy)
    assert not in_order(probable)
    assert in_order(predicted)
    stay = (np.diff(probable.astype(int), axis=-1) >= 0).all(-1)
    assert stay.any()
    assert_array_equal(predicted[stay], probable[stay])


def test_labels_in_order_are_the_most_probable(fitted, survey):
    """Each swaps its probability with that of the class that it replaces."""
    noise = np.random.default_rng(0).standard_normal(survey.data.shape)
    noisy = survey.data + survey.data.std() * noise
    before = joblib_copy(fitted).set_params(unit_order=None).predict_proba(noisy)
    after, labels = fitted.predict_proba(noisy), fitted.predict(noisy)
    assert_array_equal(fitted.classes_[after.argmax(-1)], labels)
    assert_array_equal(np.sort(after), np.sort(before))
    changed = (after != before).any(-1)
    assert 0 < changed.mean() < 0.5
    assert_array_equal(np.count_nonzero(after[changed] != before[changed], axis=-1), 2)


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
    with pytest.raises(ValueError, match="`unit_order` must list every class once"):
        segmenter.fit(survey.data, survey.target)
    assert not hasattr(segmenter, "net_")


def test_units_without_an_order_are_left_alone(make_tiny, survey):
    mixed = survey.target.copy()
    mixed[:, :, -5:] = 0  # the shallowest unit again at the bottom
    segmenter = make_tiny().fit(survey.data, mixed)
    assert segmenter.unit_order_ is None
    assert "do not show which of 0 and 1 lies above" in segmenter.unit_order_reason_
    segmenter.set_params(unit_order=[0, 1, 2])
    assert segmenter.unit_order_reason_ is None


@pytest.mark.parametrize("given", [None, [2, 1, 0]])
def test_auto_is_what_was_learned_whatever_the_fit_was_given(make_tiny, survey, given):
    segmenter = make_tiny(unit_order=given).fit(survey.data, survey.target)
    segmenter.set_params(unit_order="auto")
    assert_array_equal(segmenter.unit_order_, [0, 1, 2])
    assert segmenter.unit_order_reason_ is None


@pytest.mark.parametrize("wrap", ["pipeline", "search"])
def test_both_directions_are_put_in_order_within_other_estimators(make_tiny, survey, wrap):
    inner = make_pipeline(make_tiny(max_epochs=2))
    if wrap == "search":
        inner = GridSearchCV(inner, {"faciessegmenter__lr": [1e-3]}, cv=2, scoring=iou_scorer)
    cubes = CubeSegmenter(inner, "both", step=4).fit(survey.data, survey.target)
    assert in_order(cubes.predict(survey.data))


@pytest.mark.slow
def test_both_directions_are_put_in_order_after_their_mean(make_tiny, survey):
    cubes = CubeSegmenter(make_tiny(max_epochs=2), "both").fit(survey.data, survey.target)
    predicted = cubes.predict(survey.data)
    assert in_order(predicted)
    assert_array_equal(cubes.classes_[cubes.predict_proba(survey.data).argmax(-1)], predicted)
    da = pytest.importorskip("dask.array")
    chunks = da.from_array(survey.data, chunks=(6, 40, 48))
    lazy = [cubes.predict(chunks), cubes.predict_proba(chunks).argmax(-1)]
    for labels in lazy:
        assert_array_equal(labels.compute(scheduler="synchronous"), predicted)


def test_spikes_are_removed_where_scores_are_averaged_along_reflectors(
    make_tiny, survey, monkeypatch
):
    segmenter = make_tiny(max_epochs=1, dip_smoothing=5.0, unit_order=[0, 1, 2])
    smooth = segmenter.fit(survey.data, survey.target).predict(survey.data)
    with monkeypatch.context() as patch:
        patch.setattr("skfacies._stratigraphy.order.remove_spikes", lambda codes, order: codes)
        rough = segmenter.predict(survey.data)
    assert (rough != smooth).any()
    assert_array_equal(smooth, without_spikes(rough))
    as_they_are = segmenter.set_params(dip_smoothing=None).predict(survey.data)
    assert (without_spikes(as_they_are) != as_they_are).any()


def without_spikes(labels):
    return np.stack([remove_spikes(section.astype(int), (0, 1, 2)) for section in labels])
