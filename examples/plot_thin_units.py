"""
Thin units
==========

Is a unit of a few samples found at all, or do the thick units drown it in the loss? A thin sand has
3% of the labels of a survey. We train three times, with other weights of the classes, and look for
the sand far from the training lines.
"""

# %%
# A thin sand
# -----------
# The top 12 ms of the transparent unit become a unit of their own. Labels can be made from
# horizons, so one more horizon is enough.
from skfacies.datasets import make_facies_cube
from skfacies.horizons import labels_from_horizons

survey = make_facies_cube((36, 64, 96), n_facies=5, random_state=0)
tops = [*survey.horizons[:3], survey.horizons[2] + 3, survey.horizons[3]]
labels = labels_from_horizons(tops, n_samples=96)
names = [*survey.target_names[:3], "thin sand", *survey.target_names[3:]]
train, test = slice(0, 24, 3), slice(28, 36)
print(f"the sand has {(labels[train] == 3).mean():.1%} of the training samples")

# %%
# Three trainings
# ---------------
# ``class_weight="auto"`` is the default: a rare unit counts more until the network finds it. With
# "balanced", every unit has the same weight as a whole, and with None, every sample. When a unit is
# not found even on the training lines, `fit` warns; here, this is what we want to see.
import warnings

from sklearn.exceptions import ConvergenceWarning

from skfacies import FaciesSegmenter
from skfacies.metrics import facies_report

predictions = {"interpretation": labels[test]}
for weight in (None, "balanced", "auto"):
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
    prediction = segmenter.predict(survey.data[test])
    scores = facies_report(labels[test], prediction, target_names=names, output_dict=True)
    sand = scores["thin sand"]["iou"]
    print(
        f"class_weight={weight!r:10} IoU of the sand {sand:.2f}, mean IoU {scores['mean_iou']:.2f}"
    )
    predictions[f"class_weight={weight!r}, IoU of the sand {sand:.2f}"] = prediction

# %%
# The answer
# ----------
import matplotlib.pyplot as plt

from skfacies.plotting import SectionDisplay

fig, axes = plt.subplots(2, 2, figsize=(10, 7), sharex=True, sharey=True, layout="constrained")
for k, (ax, (title, prediction)) in enumerate(zip(axes.flat, predictions.items(), strict=True)):
    SectionDisplay.from_predictions(
        survey.data[35],
        labels[35],
        prediction[-1],
        classes=segmenter.classes_,
        target_names=names,
        sample_interval=4,
        axes=ax,
        plot_kw={"panels": "prediction", "legend": k == 1},
    )
    ax.set_title(title, fontsize="medium")
    ax.label_outer()

# %%
# Without weights, the sand is lost: it has too few samples to matter. With weights it is found, a
# little too thick, since a sample too many costs less than one that is missed. The other units are
# as good as before. No weight helps with the top of the clinoforms, which is wrong on both sides so
# far from the training lines.
