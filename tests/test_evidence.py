"""What a fit says of the classes on its own training lines."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from skfacies import FaciesSegmenter
from skfacies.datasets import make_facies_cube
from skfacies.metrics import facies_report


def test_the_report_is_that_of_the_training_lines(make_tiny, survey):
    X, y = survey.data[:8], survey.target[:8]
    segmenter = make_tiny(max_epochs=4, validation_fraction=0).fit(X, y)
    expected = facies_report(y, segmenter.predict(X), output_dict=True)
    assert segmenter.training_report_ == expected
    assert {"0", "1", "2", "mean_iou"} <= set(expected)


def test_classes_that_were_not_learned_are_named(make_tiny, survey):
    names = np.array(["chalk", "salt", "shale"])
    segmenter = make_tiny(max_epochs=12, lr=1e-2, class_weight={"salt": 0.0}, unit_order=None)
    with pytest.warns(ConvergenceWarning, match=r"training lines: 'salt' \(0%\)\. Train longer"):
        segmenter.fit(survey.data, names[survey.target])
    assert segmenter.training_report_["salt"]["recall"] == 0


def test_classes_with_the_name_of_a_score_are_refused(make_tiny, survey):
    names = np.array(["chalk", "mean_iou", "shale"])
    segmenter = make_tiny(max_epochs=1)
    with pytest.raises(ValueError, match=r"\['mean_iou'\] cannot be classes.*Rename"):
        segmenter.fit(survey.data, names[survey.target])
    assert not hasattr(segmenter, "net_")


def test_the_names_of_scores_are_those_of_a_report(survey):
    from skfacies.metrics._counting import OVERALL

    report = facies_report(survey.target, survey.target, output_dict=True)
    assert set(OVERALL) == set(report) - {"0", "1", "2"}


def test_no_warning_where_all_classes_were_learned(make_tiny, survey):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        segmenter = make_tiny(max_epochs=20, lr=1e-2).fit(survey.data, survey.target)
    recalls = [segmenter.training_report_[name]["recall"] for name in "012"]
    assert min(recalls) >= 0.8


def test_a_rare_class_is_in_the_sample(make_tiny):
    """Of 40 sections about 8 are looked at, and one has the class."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 32, 32), dtype=np.float32)
    y = np.zeros(X.shape, int)
    y[:, :, 16:] = 1
    y[13, :8, 4:8] = 2
    with pytest.warns(ConvergenceWarning, match=r" 2 \("):
        segmenter = make_tiny(max_epochs=1, validation_fraction=0).fit(X, y)
    assert segmenter.training_report_["2"]["support"] == 32
    assert 0 < segmenter.training_report_["1"]["support"] <= 10 * 32 * 16


@pytest.fixture
def forgetful(make_tiny, monkeypatch):
    """An estimator that cannot learn class 1, with 12 automatic epochs."""
    plan = lambda n_batches, n_pixels, effort: (round(12 * effort), 1.0)  # noqa: E731
    monkeypatch.setattr("skfacies._estimators.fitting.auto_epochs", plan)
    return make_tiny(
        max_epochs="auto",
        lr=1e-2,
        unit_order=None,
        validation_fraction=0,
        class_weight={1: 0.0},
    )


@pytest.mark.parametrize(
    ("params", "trained"),
    [
        ({}, 12 + 4),
        ({"max_epochs": 12}, 12),
        ({"early_stopping": 99, "validation_fraction": 0.2}, 12),
    ],
)
def test_an_automatic_training_goes_on_where_a_class_was_not_learned(
    forgetful, survey, params, trained
):
    with pytest.warns(ConvergenceWarning, match="1 "):
        forgetful.set_params(**params).fit(survey.data, survey.target)
    assert forgetful.n_iter_ == trained


def test_where_all_classes_were_learned_the_training_ends(forgetful, survey):
    forgetful.set_params(class_weight="auto").fit(survey.data, survey.target)
    assert forgetful.n_iter_ == 12


def test_a_second_training_that_diverges_leaves_the_first(forgetful, survey):
    with pytest.warns(ConvergenceWarning, match="1 "):
        first = forgetful.set_params(max_epochs=12).fit(survey.data, survey.target)
    kept = {name: value.clone() for name, value in first.net_.module_.state_dict().items()}
    forgetful.set_params(max_epochs="auto", callbacks=[("spoil", Diverge(after=13))])
    with pytest.warns(ConvergenceWarning, match="diverged.*weights from before are kept"):
        forgetful.fit(survey.data, survey.target)
    assert forgetful.n_iter_ == 12
    for name, value in forgetful.net_.module_.state_dict().items():
        assert torch.equal(value, kept[name])


class Diverge(Callback):
    """Weights that are not numbers after some epochs."""

    def __init__(self, after):
        self.after = after

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.after:
            for weight in net.module_.parameters():
                torch.nn.init.constant_(weight, np.nan)


@pytest.mark.parametrize("last", [200, 1600])
def test_labels_may_lie_anywhere_along_a_long_line(make_tiny, last):
    """A sample of a line is where its labels are; a class is looked at where it is."""
    long = make_facies_cube((2, 1600, 32), n_facies=2, random_state=0)
    y = np.full(long.target.shape, -1)
    y[:, last - 200 : last] = long.target[:, last - 200 : last]
    y[0, :20, :8] = 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        segmenter = make_tiny(max_epochs=1, validation_fraction=0).fit(long.data, y)
    supports = [segmenter.training_report_[name]["support"] for name in "015"]
    assert supports == [np.count_nonzero(y == label) for label in (0, 1, 5)]


def test_single_epochs_do_not_warn(make_tiny, survey):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        segmenter = make_tiny().partial_fit(survey.data, survey.target, classes=[0, 1, 2, 3])
    assert segmenter.training_report_["0"]["support"] > 0
    assert np.isnan(segmenter.training_report_["3"]["recall"])


@pytest.mark.slow
def test_a_rare_unit_is_learned():
    """A hundredth of the samples, which looks much like its surroundings."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12, 64, 64), dtype=np.float32)
    y = np.zeros(X.shape, int)
    y[:, :, 32:] = 1
    X[y == 1] += 2
    y[:, :20, 50:54] = 2
    X[y == 2] += 1
    recalls = {}
    for weight in ("auto", None):
        segmenter = FaciesSegmenter(
            encoder_depth=3,
            decoder_channels=(16, 8, 8),
            class_weight=weight,
            max_epochs=12,
            lr=3e-3,
            unit_order=None,
            augment=False,
            validation_fraction=0,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            segmenter.fit(X, y)
        recalls[weight] = segmenter.training_report_["2"]["recall"]
    assert recalls["auto"] > recalls[None] + 0.2


def test_factors_are_those_of_rare_classes(make_tiny, survey):
    segmenter = make_tiny(validation_fraction=0).fit(survey.data, survey.target)
    counts = np.bincount(survey.target.ravel())
    expected = np.clip(counts.mean() / counts, 1, 20)
    np.testing.assert_allclose(segmenter.net_.criterion_.rarity, expected, rtol=1e-6)
    assert (
        make_tiny(class_weight=None).fit(survey.data, survey.target).net_.criterion_.rarity is None
    )
    segmenter.partial_fit(survey.data, survey.target)
    assert segmenter.net_.criterion_.rarity is None
