"""scikit-learn's common checks, through an adapter that makes sections of table rows.

scikit-learn runs one check only on estimators that take 3-D data. The adapter lets it run all of
those for classifiers. What tests the adapter's own validation rather than the estimator has 3-D
twins in test_segmenter_input.py.
"""

import numpy as np
import pytest
from sklearn.base import ClassifierMixin
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from tabular import Tabular

from skfacies import FaciesSegmenter


class TabularSegmenter(Tabular, FaciesSegmenter):
    """Every row of a table becomes a section of one trace; its label that of all samples."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output, tags.target_tags.multi_output = True, False
        tags.target_tags.one_d_labels = True
        return tags

    def _as_sections(self, X, y, sample_weight, reset):
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        X, y = validate_data(self, X, y, reset=reset)
        check_classification_targets(y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, allow_all_zero_weights=False)
        labels = np.repeat(np.asarray(y)[:, None], X.shape[1], axis=1)
        return X.astype(np.float32)[:, None, :], labels[:, None, :], sample_weight

    def fit(self, X, y, sample_weight=None):
        X, y, sample_weight = self._as_sections(X, y, sample_weight, reset=True)
        return super().fit(X, y, sample_weight=sample_weight)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        X, y, sample_weight = self._as_sections(
            X, y, sample_weight, reset=not hasattr(self, "net_")
        )
        return super().partial_fit(X, y, classes=classes, sample_weight=sample_weight)

    def predict_proba(self, X):
        check_is_fitted(self, "net_")
        X = validate_data(self, X, dtype="numeric", reset=False)
        return super().predict_proba(X.astype(np.float32)[:, None, :]).mean(axis=(1, 2))

    def predict(self, X):
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def score(self, X, y, sample_weight=None):
        return ClassifierMixin.score(self, X, y, sample_weight)


def tiny(estimator_class):
    return estimator_class(
        encoder_name="tu-test_resnet",
        encoder_weights=None,
        encoder_depth=3,
        decoder_channels=(4, 4, 4),
        max_epochs=1,
        validation_fraction=0,
        batch_size=32,
        ignore_label=None,
        scaler=None,
        precision="float32",
    )


EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "mini-batches with batch norm: a weight of two is not two copies"
    ),
}


def checks():
    return list(estimator_checks_generator(tiny(TabularSegmenter), legacy=True))


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(
            estimator,
            check,
            id=getattr(check, "func", check).__name__,
            marks=[
                pytest.mark.xfail(reason=EXPECTED_FAILURES[name], strict=True)
                for name in [getattr(check, "func", check).__name__]
                if name in EXPECTED_FAILURES
            ],
        )
        for estimator, check in checks()
    ],
)
def test_common_check(estimator, check):
    try:
        check(estimator)
    except SkipTestWarning as reason:
        pytest.skip(str(reason))


def test_number_of_common_checks():
    """A new release of scikit-learn with fewer checks for us should not pass unseen."""
    assert len(checks()) >= 63


def test_the_estimator_itself_passes_the_one_check_for_3d_data():
    with pytest.warns(SkipTestWarning, match="two_d_array"):
        results = check_estimator(tiny(FaciesSegmenter))
    assert [result["check_name"] for result in results] == ["check_estimator_cloneable"]
    assert results[0]["status"] == "passed"
