"""Quality control: where predictions are doubtful, and whether a survey suits a model.

Axes follow the convention of the package: a section is (n_traces, n_samples), a cube (n_inlines,
n_crosslines, n_samples), and probabilities have the classes on an additional last axis. Functions
that take an estimator call what is public of it, and import torch no sooner than it has.
"""

from skfacies.qc._entropy import prediction_entropy
from skfacies.qc._mistie import mistie
from skfacies.qc._next_lines import suggest_lines
from skfacies.qc._survey_check import check_survey

__all__ = ["check_survey", "mistie", "prediction_entropy", "suggest_lines"]
