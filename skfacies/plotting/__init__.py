"""Plots of sections, facies, horizons, scores, folds and trainings.

As in scikit-learn, a Display stores arrays, ``from_estimator``, ``from_predictions`` and the like
compute them, and `plot` draws. Depth increases downward. A facies has the same color in every
figure, as long as its position in the classes is the same. Matplotlib is imported only when
something is drawn.
"""

from skfacies.plotting._confusion import FaciesConfusionDisplay
from skfacies.plotting._folds import FoldsDisplay
from skfacies.plotting._horizon import HorizonDisplay
from skfacies.plotting._section import SectionDisplay
from skfacies.plotting._training import TrainingDisplay

__all__ = [
    "FaciesConfusionDisplay",
    "FoldsDisplay",
    "HorizonDisplay",
    "SectionDisplay",
    "TrainingDisplay",
]
