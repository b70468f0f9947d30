"""
From one survey to the next
===========================

How many lines of a second survey have to be interpreted, if there is a model of a first survey with
the same units? We fine-tune that model on a few lines, and compare it with models that start afresh
from the same lines.
"""

# %%
# Two surveys
# -----------
# The second one has the same units in other places, a lower frequency, and amplitudes of another
# scale.
import numpy as np

from skfacies import FaciesSegmenter
from skfacies.datasets import make_facies_cube

first = make_facies_cube((32, 64, 96), n_facies=5, random_state=0)
second = make_facies_cube((48, 64, 96), n_facies=5, peak_frequency=30, random_state=5)
second.data *= 250
test = slice(30, 48)

# %%
# The model of the first survey
# -----------------------------
# ``rescale="survey"`` scales every survey by itself, which the training has to do, too: `surveys`
# says which section is of which survey.
model = FaciesSegmenter(
    encoder_depth=3,
    decoder_channels=(32, 16, 16),
    max_epochs=15,
    rescale="survey",
    random_state=0,
)
model.fit(first.data, first.target, surveys=np.zeros(32))
print(f"no line interpreted: mean IoU {model.score(second.data[test], second.target[test]):.2f}")

# %%
# Fine-tuning and fresh starts
# ----------------------------
# `refine` goes on from the weights of a model, and lets the original as it is only in a copy.
import copy

from sklearn.base import clone

numbers = (1, 2, 4, 8)
scores = {"fine-tuned": [], "fresh": []}
for n in numbers:
    lines = np.linspace(2, 25, 2 * n + 1).astype(int)[1::2]
    X, y = second.data[lines], second.target[lines]
    tuned = (
        copy.deepcopy(model)
        .set_params(warm_start=True, max_epochs=40 // n)
        .fit(X, y, surveys=np.ones(n))
    )
    fresh = clone(model).set_params(max_epochs=160 // n).fit(X, y, surveys=np.ones(n))
    for name, one in (("fine-tuned", tuned), ("fresh", fresh)):
        scores[name].append(one.score(second.data[test], second.target[test]))
    print(n, lines, scores)

# %%
# The answer
# ----------
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for (name, values), color in zip(scores.items(), ("#0077BB", "#D55E00"), strict=True):
    ax.plot(numbers, values, "o-", color=color, label=name)
ax.set(xlabel="interpreted lines of the second survey", ylabel="mean IoU", ylim=(0, 1))
ax.legend(frameon=False)
