"""
A first section
===============

How well does a network that has seen two thirds of a survey interpret the rest? We train on the
inlines of one side of a synthetic survey and predict those of the other side. The figure shows
where the prediction differs from the interpretation, and whether the network knew.
"""

# %%
# The survey
# ----------
# The last axis is two-way time and points down. Labels count the units from the top.
from skfacies.datasets import make_facies_cube

survey = make_facies_cube((48, 64, 96), n_facies=5, random_state=0)
print(survey.DESCR)

# %%
# Training and test lines
# -----------------------
# Neighboring inlines are near copies of each other: a test line between two training lines would be
# known already. So we hold out a contiguous block, and leave out four inlines on its border.
train, test = slice(0, 32), slice(36, 48)
print(f"training {survey.data[train].shape}, test {survey.data[test].shape}")

# %%
# Fit and predict
# ---------------
# A cube is a stack of inline sections, so it can be given as it is. Ten epochs make this example
# quick. Leave ``max_epochs`` out for a survey of your own: training then takes some minutes.
from skfacies import FaciesSegmenter

segmenter = FaciesSegmenter(max_epochs=10, random_state=0)
segmenter.fit(survey.data[train], survey.target[train])
prediction = segmenter.predict(survey.data[test])

# %%
# Scores
# ------
# Intersection over union (IoU) counts a sample that is given to the wrong unit twice, in the unit
# that lost it and in the one that got it. The units at the top and the bottom are easy; what lies
# between has to be told apart by its texture.
from skfacies.metrics import facies_report

print(facies_report(survey.target[test], prediction, target_names=survey.target_names))

# %%
# The answer
# ----------
# The last inline is the furthest from the training lines. Contacts of the interpretation are drawn
# over the prediction and over its entropy, which is 0 where one unit is certain.
from skfacies.plotting import SectionDisplay

SectionDisplay.from_estimator(
    segmenter,
    survey.data[-1],
    labels=survey.target[-1],
    target_names=survey.target_names,
    sample_interval=4,
    title="inline 47, 16 inlines from the nearest training line",
)

# %%
# Contacts with a change of amplitude are found within a sample or two. The network is wrong where
# parallel clinoforms look like the unit above, and around the fault; it is in doubt there, and at
# both ends of the section, where it sees one side only. Doubt is a good place to check first, but
# not all errors lie in it.
