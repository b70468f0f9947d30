"""
What positions add
==================

Sections that know where they lie can use the contacts that were picked on the lines beside them.
How much better does that make a prediction, and how far from the picked lines? We compare the
network alone, the interpolated picks alone, and both together, which is the default.
"""

# %%
# Picks on one side of a survey
# -----------------------------
# A cube that ``open_cube`` has opened comes with line numbers. Here, we add them.
import numpy as np
import xarray

from skfacies import CubeSegmenter, FaciesSegmenter
from skfacies.datasets import make_facies_cube

survey = make_facies_cube((72, 64, 96), n_facies=5, random_state=0)
axes = {"inline": np.arange(72), "crossline": np.arange(64), "twt": 4.0 * np.arange(96)}
cube = xarray.DataArray(survey.data, axes, list(axes))
picked = [0, 12, 24, 36]
labels = np.full_like(survey.target, -1)
labels[picked] = survey.target[picked]
segmenter = CubeSegmenter(
    FaciesSegmenter(encoder_depth=3, decoder_channels=(32, 16, 16), max_epochs=60, random_state=0)
)
segmenter.fit(cube, labels)

# %%
# With and without
# ----------------
# `positions` acts in prediction, so one fit is enough. The fitted segmenter keeps the picks in
# ``contacts_``, which interpolates them by kriging.
from skfacies.horizons import horizons_from_labels

depths = {"network and picks": horizons_from_labels(segmenter.predict(cube).values)}
segmenter.estimator_.set_params(positions=None)
depths["network alone"] = horizons_from_labels(segmenter.predict(cube).values)
traces = np.stack(np.meshgrid(axes["inline"], axes["crossline"], indexing="ij"), axis=-1)
kriged, _ = segmenter.estimator_.contacts_.predict(traces.reshape(-1, 2))
depths["picks alone"] = kriged.T.reshape(-1, 72, 64)

# %%
# The answer
# ----------
import matplotlib.pyplot as plt

truth = horizons_from_labels(survey.target)
fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for (name, depth), color in zip(depths.items(), ("#0077BB", "#D55E00", "0.5"), strict=True):
    error = 4 * np.nanmean(np.abs(depth - truth), axis=(0, 2))
    ax.plot(error, color=color, label=name)
    near, far = error[:37].mean(), error[37:].mean()
    print(f"{name:18} between the lines {near:4.1f} ms, beyond {far:4.1f} ms")
for number in picked:
    ax.axvline(number, color="black", lw=0.9, ls="--", label=None if number else "picked line")
ax.set(xlabel="inline", ylabel="mean error of contacts (ms)", xlim=(0, 71), ylim=(0, 12))
ax.legend(frameon=True, loc="upper left")

# %%
# Between the picked lines, picks take a third off the error of the network, and interpolation alone
# is as good. Beyond the last line, interpolation alone soon fails: its error leaves the figure, and
# ends at 37 ms. Both together do not fail: the weight of the picks falls with the distance, and the
# network goes on alone. Beyond the last line, the picks cost 0.4 ms on this survey.
#
# Positions do harm where line numbers mean other places. For another survey, use
# ``rescale="survey"``, which ignores them, or ``positions=None``.
