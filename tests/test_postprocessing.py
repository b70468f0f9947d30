"""Order of units and averages along reflectors, as functions of arrays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfacies.datasets import make_facies_cube
from skfacies.postprocessing import labels_in_order, smooth_along_dip


@pytest.fixture(scope="module")
def undecided():
    """Probabilities of three units, in no order."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(2, 12, 20, 3))
    return np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)


def best_by_trying(trace):
    """The best ordered labels of a trace of three units, by trying all pairs of contacts."""
    n_samples = len(trace)
    scores = np.maximum(np.log(trace / trace.max(axis=1, keepdims=True)), np.log(1e-4))
    best = None
    for top in range(n_samples + 1):
        for base in range(top, n_samples + 1):
            labels = np.repeat([0, 1, 2], [top, base - top, n_samples - base])
            score = scores[np.arange(n_samples), labels].sum()
            best = max(best or (-np.inf,), (score, labels.tolist()))
    return best[1]


def test_labels_are_the_best_that_are_in_order(undecided):
    labels = labels_in_order(undecided, [0, 1, 2])
    for trace, found in zip(undecided[0], labels[0], strict=True):
        assert found.tolist() == best_by_trying(trace)


def test_order_and_classes_are_labels(undecided):
    classes = np.array(["chalk", "salt", "sand"])
    labels = labels_in_order(undecided, ["salt", "sand", "chalk"], classes=classes)
    turned = labels_in_order(undecided[..., [1, 2, 0]], [0, 1, 2])
    assert_array_equal(labels, np.array(["salt", "sand", "chalk"])[turned])


def test_samples_without_probabilities_have_no_say(undecided):
    gaps = undecided.copy()
    gaps[:, :, 10:12] = np.nan
    labels = labels_in_order(gaps, [0, 1, 2], ignore_label=-7)
    assert (labels[:, :, 10:12] == -7).all()
    live = np.delete(np.arange(20), [10, 11])
    assert_array_equal(labels[:, :, live], labels_in_order(undecided[:, :, live], [0, 1, 2]))


def test_spikes_are_moved_back():
    codes = np.where(np.arange(40) < 20, 0, 1) * np.ones((15, 1), int)
    codes[7, 20:30] = 0
    probabilities = np.eye(2)[codes] * 0.8 + 0.1
    assert (labels_in_order(probabilities, [0, 1])[7] == codes[7]).all()
    assert (labels_in_order(probabilities, [0, 1], remove_spikes=True) == codes[0]).all()


def test_order_is_that_of_the_segmenter(fitted, survey):
    segmenter = type(fitted)(**fitted.get_params())
    vars(segmenter).update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
    vars(segmenter).update({k: v for k, v in vars(fitted).items() if k.startswith("_")})
    segmenter.set_params(dip_smoothing=None)
    expected = segmenter.predict(survey.data)
    probabilities = segmenter.set_params(unit_order=None).predict_proba(survey.data)
    labels = labels_in_order(probabilities, fitted.unit_order_, classes=fitted.classes_)
    assert_array_equal(labels, expected)


def test_averages_are_those_of_the_segmenter(make_tiny):
    """On sections that it neither pads nor mirrors."""
    survey = make_facies_cube((3, 192, 64), n_facies=3, random_state=0)
    segmenter = make_tiny(unit_order=None, dip_smoothing=50).fit(survey.data, survey.target)
    expected = segmenter.predict_proba(survey.data)
    probabilities = segmenter.set_params(dip_smoothing=None).predict_proba(survey.data)
    scaled = segmenter.scaler_.transform(survey.data)
    assert_allclose(smooth_along_dip(probabilities, scaled, 50), expected, atol=1e-5)


def test_averages_do_not_depend_on_the_unit_of_amplitudes(undecided):
    amplitudes = np.random.default_rng(1).normal(size=undecided.shape[:-1])
    one, other = (smooth_along_dip(undecided, amplitudes * f, 5) for f in (1, 3000))
    assert_allclose(one, other, atol=1e-4)
    assert_allclose(one.sum(axis=-1), 1, atol=1e-5)


def test_averages_go_around_dead_traces(undecided):
    amplitudes = np.random.default_rng(1).normal(size=undecided.shape[:-1])
    amplitudes[0, 4:6], amplitudes[1, :, 15:] = 0, np.nan
    wild = undecided.copy()
    wild[0, 4:6], wild[1, :, 15:] = [0.98, 0.01, 0.01], np.nan
    one, other = (smooth_along_dip(p, amplitudes) for p in (undecided, wild))
    live = np.delete(np.arange(12), [4, 5])
    assert_allclose(one[0, live], other[0, live], atol=1e-6)
    assert_array_equal(np.isnan(other[..., 0]), np.isnan(amplitudes))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p: labels_in_order(p[0, 0], [0, 1, 2]),
            r"`probabilities` must be numbers of shape",
        ),
        (lambda p: labels_in_order(p, [0, 1]), "`unit_order` must list every class once"),
        (lambda p: labels_in_order(p, "ab", classes=["a", "b"]), "one label for each of the 3"),
        (lambda p: smooth_along_dip(p, p), r"`amplitudes` must have the shape .*\(2, 12, 20\)"),
        (lambda p: smooth_along_dip(p, p[..., 0], 0), "`n_traces` must be above zero; got 0"),
    ],
)
def test_wrong_arguments_are_named(call, message, undecided):
    with pytest.raises(ValueError, match=message):
        call(undecided)
