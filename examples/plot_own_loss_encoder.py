"""
Your own loss or encoder
========================

How does a loss of your own, or another encoder, get into the segmenter, and does it pay? Both are
parameters, so the folds of a cross-validation can tell.
"""

# %%
# A loss
# ------
# A loss is a torch module that is called with logits and the positions of labels in ``classes_``.
# Samples without a label have -100 there, which the cross-entropy of torch leaves out. The labels
# of our survey count the units from the top. So this loss can add the distance in the stack: to
# take a unit for its neighbor costs less than to take it for one that is far below.
import torch
from torch.nn import functional


class StackedLoss(torch.nn.Module):
    """Cross-entropy, and the expected number of units between prediction and label."""

    def forward(self, logits, codes):
        units = torch.arange(logits.shape[1], device=logits.device)
        probabilities = logits.softmax(dim=1)
        distance = (units[None, :, None, None] - codes[:, None]).abs()
        counted = codes != -100
        expected = (probabilities * distance).sum(dim=1)[counted].mean()
        return functional.cross_entropy(logits, codes, ignore_index=-100) + 0.5 * expected


# %%
# Three candidates
# ----------------
# The name of an encoder is one of segmentation-models-pytorch, or one of timm after ``tu-``. This
# one is made for small processors. The learning rate is the best one of
# :doc:`plot_pipeline_grid_search`, which trains for as long.
from sklearn.model_selection import GridSearchCV

from skfacies import FaciesSegmenter
from skfacies.datasets import make_facies_cube
from skfacies.metrics import iou_scorer
from skfacies.model_selection import BlockKFold

survey = make_facies_cube((24, 48, 64), n_facies=4, random_state=0)
candidates = {
    "default": {},
    "own loss": {"loss": [StackedLoss()]},
    "other encoder": {"encoder_name": ["mobilenet_v2"]},
}
search = GridSearchCV(
    FaciesSegmenter(
        encoder_depth=3, decoder_channels=(16, 16, 8), max_epochs=10, lr=1e-2, random_state=0
    ),
    list(candidates.values()),
    scoring=iou_scorer,
    cv=BlockKFold(3, gap=2),
    refit=False,
)
search.fit(survey.data, survey.target)

# %%
# The answer
# ----------
import matplotlib.pyplot as plt
import numpy as np

results = search.cv_results_
folds = np.stack([results[f"split{k}_test_score"] for k in range(3)], axis=1)
fig, ax = plt.subplots(figsize=(8, 2.6), layout="constrained")
for i, values in enumerate(folds):
    ax.plot(values, [i] * 3, "o", color="#A6BDD7", label=None if i else "fold")
    ax.plot(values.mean(), i, "|", color="#14305A", ms=22, mew=2, label=None if i else "mean")
ax.set(yticks=range(3), yticklabels=list(candidates), ylim=(2.5, -0.5))
ax.set(xlabel="mean IoU on the block left out")
ax.legend(frameon=False, loc="lower right", markerscale=0.5)
ax.spines[["top", "right"]].set_visible(False)
for name, values in zip(candidates, folds, strict=True):
    print(f"{name:14} mean IoU {values.mean():.3f}")

# %%
# Neither pays here. The loss is ahead by less than the folds differ, and the encoder is behind. A
# loss of your own goes without the weights that let rare units count more (`class_weight`), which
# belong to the cross-entropy: look at the IoU of each unit before you change it.
