"""
How sure is the model away from the picked lines?
=================================================

A predicted contact comes with an uncertainty. Does it grow with the distance from the picked lines,
and is it as large as the error? We pick four lines on one side of a survey, and compare both on all
inlines.
"""

# %%
# Four picked lines
# -----------------
# Line numbers tell the segmenter where its sections lie; cubes of ``open_cube`` have them.
import numpy as np
import xarray

from skfacies import CubeSegmenter, FaciesSegmenter
from skfacies.datasets import make_facies_cube

survey = make_facies_cube((72, 64, 96), n_facies=5, random_state=0)
axes = {"inline": np.arange(72), "crossline": np.arange(64), "twt": 4.0 * np.arange(96)}
cube = xarray.DataArray(survey.data, axes, list(axes))
picked = [4, 12, 20, 28]
labels = np.full_like(survey.target, -1)
labels[picked] = survey.target[picked]
segmenter = CubeSegmenter(
    FaciesSegmenter(encoder_depth=3, decoder_channels=(32, 16, 16), max_epochs=60, random_state=0)
)
segmenter.fit(cube, labels)

# %%
# Depths and uncertainties
# ------------------------
# The uncertainty is one standard deviation, if errors are normal: two thirds of them should be
# less.
from skfacies.horizons import contacts_from_probabilities

contacts = contacts_from_probabilities(segmenter.predict_proba(cube))
error = 4 * np.abs(contacts.depth.values - survey.horizons)
uncertainty = 4 * contacts.uncertainty.values
for name, inlines in (("between the lines", slice(4, 29)), ("beyond them", slice(29, 72))):
    within = error[:, inlines] <= uncertainty[:, inlines]
    print(
        f"{name:18} error {np.nanmean(error[:, inlines]):.1f} ms, "
        f"uncertainty {np.nanmean(uncertainty[:, inlines]):.1f} ms, within it {within.mean():.0%}"
    )

# %%
# The answer
# ----------
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
ax.plot(np.nanmean(uncertainty, axis=(0, 2)), color="#0077BB", label="uncertainty")
ax.plot(np.nanmean(error, axis=(0, 2)), color="#D55E00", label="error")
for k, number in enumerate(picked):
    ax.axvline(number, color="black", lw=0.9, ls="--", label=None if k else "picked line")
ax.set(xlabel="inline", ylabel="mean of contacts and traces (ms)", xlim=(0, 71), ylim=(0, None))
ax.legend(frameon=False)

# %%
# The uncertainty is low between the picked lines and grows beyond them, as the error does. Beyond
# them it is of the right size; between them it is a little too large. But it is no map of errors:
# from inline 50 on, the peaks of both lie elsewhere.
#
# So doubt tells how far the picks reach. It tells less about the best place of the next line:
# `skfacies.qc.suggest_lines` weighs doubt by the distance from the picked lines, and its lines have
# not been shown to be better than evenly spaced ones.
