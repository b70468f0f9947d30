"""
Grid search in a pipeline
=========================

Which learning rate? A scaler and a segmenter in a pipeline are searched with GridSearchCV, like any
other estimators of scikit-learn. The folds are blocks of neighboring inlines, because inlines drawn
at random would leak into each other.
"""

# %%
# The pipeline
# ------------
# The scaler is learned anew from the training lines of each fold. The segmenter would scale by
# itself; as the pipeline does it already, ``scaler=None`` switches that off.
from sklearn.pipeline import Pipeline

from skfacies import AmplitudeScaler, FaciesSegmenter
from skfacies.datasets import make_facies_cube

survey = make_facies_cube((24, 48, 64), n_facies=4, random_state=0)
pipeline = Pipeline(
    [
        ("scaler", AmplitudeScaler()),
        (
            "segmenter",
            FaciesSegmenter(
                scaler=None,
                encoder_depth=3,
                decoder_channels=(16, 16, 8),
                max_epochs=10,
                batch_size=2,
                random_state=0,
            ),
        ),
    ]
)

# %%
# The search
# ----------
# The folds are blocks with a gap of two inlines. The scorer is an object: there are no strings for
# scores of sections in scikit-learn. A low rate does not get there in ten epochs, of which `fit`
# would warn; that is what we want to see here.
import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skfacies.metrics import iou_scorer
from skfacies.model_selection import BlockKFold

search = GridSearchCV(
    pipeline,
    {"segmenter__lr": [1e-4, 1e-3, 1e-2, 1e-1]},
    scoring=iou_scorer,
    cv=BlockKFold(3, gap=2),
    refit=False,
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    search.fit(survey.data, survey.target)

# %%
# The answer
# ----------
# A gray line is a fold, the black one their mean.
import matplotlib.pyplot as plt

results = search.cv_results_
rates = results["param_segmenter__lr"].astype(float)
folds = [results[f"split{k}_test_score"] for k in range(search.n_splits_)]
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for k, scores in enumerate(folds):
    ax.semilogx(rates, scores, color="0.6", marker="o", label="fold" if k == 0 else None)
ax.semilogx(rates, results["mean_test_score"], color="black", marker="o", lw=2, label="mean")
ax.set(xlabel="learning rate", ylabel="mean IoU on the block left out", ylim=(0, 1))
ax.legend(loc="lower right")
print(search.best_params_, f"mean IoU {search.best_score_:.2f}")

# %%
# The mean is highest at 0.01, and the folds agree on that. The answer belongs to this training: ten
# epochs are short, and leave rates below 0.001 no time to get anywhere. Search with the
# ``max_epochs`` that you are going to use.
