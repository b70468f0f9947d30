"""
Thin units
==========

Is a unit of a few samples found at all, or do the thick units drown it in the loss? A thin sand
fills 2 % of the labels. We train three times, with other weights of the classes.
"""

# %%
# A thin sand
# -----------
# The top 12 ms of the transparent unit become a unit of their own, where crosslines are below 40.
# Labels are made from horizons, so one more horizon is enough.
import numpy as np

from skfacies.datasets import make_facies_cube
from skfacies.horizons import labels_from_horizons

survey = make_facies_cube((36, 64, 96), n_facies=5, random_state=0)
tops = survey.horizons
sand_base = tops[2] + 3
labels = labels_from_horizons([*tops[:3], sand_base, tops[3]], 96)
names = [*survey.target_names[:3], "thin sand", *survey.target_names[3:]]
train, test = slice(0, 24, 3), slice(28, 36)
print(f"the sand has {(labels[train] == 3).mean():.1%} of the training samples")

# %%
# Three trainings
# ---------------
# ``class_weight="auto"`` is the default: a rare unit counts more until the network finds it.
import warnings

from sklearn.exceptions import ConvergenceWarning

from skfacies import FaciesSegmenter
from skfacies.metrics import facies_report

predictions = {}
for weight in (None, "auto", "balanced"):
    segmenter = FaciesSegmenter(
        encoder_depth=3,
        decoder_channels=(32, 16, 16),
        max_epochs=25,
        class_weight=weight,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        segmenter.fit(survey.data[train], labels[train])
    predictions[weight] = segmenter.predict(survey.data[test])
    report = facies_report(labels[test], predictions[weight], target_names=names, output_dict=True)
    sand = report["thin sand"]
    print(
        weight,
        {k: round(v, 2) for k, v in sand.items()},
        round(report["mean_iou"], 3),
        [round(report[n]["iou"], 2) for n in names],
    )

# %%
# The answer
# ----------
import matplotlib.pyplot as plt

from skfacies.plotting import SectionDisplay

fig, axes = plt.subplots(2, 2, figsize=(10, 9), sharex=True, sharey=True, layout="constrained")
for ax, (weight, prediction) in zip(
    axes.flat, {"interpretation": labels[test], **predictions}.items()
):
    SectionDisplay.from_predictions(
        survey.data[test][-1],
        prediction=prediction[-1],
        target_names=names,
        sample_interval=4,
        axes=ax,
        plot_kw={"panels": "prediction", "legend": ax is axes[0, 1]},
    )
    ax.set_title(weight)
