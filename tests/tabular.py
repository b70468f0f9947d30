"""Adapter for scikit-learn's common checks, which give tables to what takes sections."""

import numpy as np
from sklearn.utils.validation import validate_data


class Tabular:
    """Takes tables: every row is a section of one trace. To be mixed into an estimator."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = True, False
        return tags

    def _as_sections(self, X, reset=False, **checks):
        X = validate_data(self, X, reset=reset, **checks)
        return X[:, np.newaxis]
