"""
How much a random split flatters
================================

How good will a model be on the part of a survey that nobody has interpreted? Cross-validation
estimates it from the interpreted part, but shuffled folds test inlines whose neighbors were trained
on. We compare shuffled folds and blocks with a gap to the score on a distant part of the survey.
"""

# %%
# The survey
# ----------
# Inlines 0 to 35 are interpreted, and inlines 48 to 71 are what we want to know about.
from skfacies.datasets import make_facies_cube

survey = make_facies_cube((72, 48, 64), n_facies=5, n_faults=3, random_state=0)
sections, labels = survey.data[:36], survey.target[:36]
distant = survey.data[48:], survey.target[48:]

# %%
# Two ways to split
# -----------------
# `KFold` draws test inlines at random, `BlockKFold` keeps them together and leaves out four inlines
# on either side. The network is a small one, so that the example runs in less than a minute.
from sklearn.model_selection import KFold, cross_val_score

from skfacies import FaciesSegmenter
from skfacies.model_selection import BlockKFold

segmenter = FaciesSegmenter(
    encoder_depth=3,
    decoder_channels=(32, 16, 16),
    max_epochs=12,
    batch_size=4,
    validation_fraction=0,
    dip_smoothing=None,
    random_state=0,
)
shuffled = KFold(3, shuffle=True, random_state=0)
blocks = BlockKFold(3, gap=4)
scores = {
    "shuffled folds": cross_val_score(segmenter, sections, labels, cv=shuffled),
    "blocks with a gap": cross_val_score(segmenter, sections, labels, cv=blocks),
}
segmenter.fit(sections, labels)
scores["distant inlines"] = [segmenter.score(*distant)]
for name, values in scores.items():
    print(f"{name:18}", " ".join(f"{value:.3f}" for value in values))

# %%
# The answer
# ----------
# Dark inlines are tested, light ones trained on. The last column is the smallest distance between
# the two: 1 if a test inline has a training inline beside it. Below are the scores.
import matplotlib.pyplot as plt
import numpy as np

from skfacies.plotting import FoldsDisplay

fig, axes = plt.subplots(3, figsize=(8, 7), layout="constrained")
for ax, cv, title in zip(axes[:2], (shuffled, blocks), list(scores)[:2], strict=True):
    FoldsDisplay.from_splitter(cv, sections, section_name="inline", title=title, ax=ax)
for i, values in enumerate(scores.values()):
    axes[2].plot(values, np.full(len(values), i), "o", color="#A6BDD7", label=None if i else "fold")
    axes[2].plot(
        np.mean(values), i, "|", color="#14305A", ms=22, mew=2, label=None if i else "mean"
    )
axes[2].set(yticks=range(3), yticklabels=list(scores), ylim=(2.5, -0.5), xlabel="mean IoU")
axes[2].legend(frameon=False, loc="lower right", markerscale=0.5)
axes[2].spines[["top", "right"]].set_visible(False)

# %%
# Shuffled folds promise 0.08 more than the distant inlines give, blocks with a gap 0.05. Blocks
# still look at the same part of the survey, but train on fewer inlines than the final model, which
# works in the other direction. Here, the first weighs more. The distant part is a single one:
# another may be easier, or harder, than the blocks.
