"""The demonstration: a synthetic survey, a held-out block, a model and a figure."""

from pathlib import Path

import joblib
from sklearn.utils import Bunch

from skfacies._estimators.segmenter import FaciesSegmenter
from skfacies._files import whole_file
from skfacies.datasets import make_facies_cube
from skfacies.metrics import contact_error
from skfacies.plotting import SectionDisplay
from skfacies.plotting._arguments import check_matplotlib

__all__ = ["run_demo"]

#: Inlines for training and for prediction; those in between are too similar to either.
TRAINING = slice(0, 40)
HELD_OUT = slice(46, 60)


def run_demo(folder, *, random_state=0, max_epochs=30, verbose=1):
    """Train on part of a synthetic survey, predict another, and save a figure and the model.

    Parameters
    ----------
    folder : path
        Created if it is missing. Files of an earlier run are replaced once the new files are
        complete.
    random_state : int, default=0
        Seed of the survey and the model.
    max_epochs : int, default=30
        Passes over the training sections.
    verbose : int, default=1
        1 shows a progress bar.

    Returns
    -------
    result : Bunch
        ``survey``, ``model``, ``truth`` and ``prediction`` of the held-out inlines, ``contacts``
        (see `skfacies.metrics.contact_error`), and the paths ``picture`` and ``model_file``.
    """
    check_matplotlib("skfacies demo")  # before the work, not after it
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    survey = make_facies_cube((60, 128, 128), random_state=random_state)
    model = FaciesSegmenter(
        encoder_weights=None,  # the demonstration needs no network connection
        max_epochs=max_epochs,
        batch_size=4,
        random_state=random_state,
        verbose=verbose,
    )
    model.fit(survey.data[TRAINING], survey.target[TRAINING])
    if model.n_iter_ < max_epochs:  # skorch ends only the fit on Ctrl-C
        raise KeyboardInterrupt
    truth, prediction = survey.target[HELD_OUT], model.predict(survey.data[HELD_OUT])
    middle = (HELD_OUT.start + HELD_OUT.stop) // 2
    return Bunch(
        survey=survey,
        model=model,
        truth=truth,
        prediction=prediction,
        contacts=contact_error(truth, prediction),
        picture=_save_picture(folder / "section.png", model, survey, middle),
        model_file=_save_model(folder / "model.joblib", model),
    )


def _save_model(path, model):
    with whole_file(path) as part:
        joblib.dump(model, part)
    return path


def _save_picture(path, model, survey, inline):
    import matplotlib.pyplot as plt

    display = SectionDisplay.from_estimator(
        model,
        survey.data[inline],
        survey.target[inline],
        target_names=survey.target_names,
        title=f"Synthetic survey, inline {inline}, held out from training",
        sample_interval=4.0,
    )
    try:
        with whole_file(path) as part:
            display.figure_.savefig(part, format="png", dpi=100)
        return path
    finally:
        plt.close(display.figure_)
