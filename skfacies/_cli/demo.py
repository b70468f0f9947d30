"""`skfacies demo`: a synthetic survey, a held-out block, a model and a figure."""

from skfacies._cli.options import add_command, progress

__all__ = ["add_parser", "run", "run_demo"]

#: Inlines for training and for prediction; those in between are too similar to either.
TRAINING = slice(0, 40)
HELD_OUT = slice(46, 60)

NEXT_STEPS = """\
What next
  view       {picture}
  predict    model = joblib.load({model_file!r}); facies = model.predict(amplitudes)
  your data  skfacies info survey.sgy, then skfacies fit; or in Python
             FaciesSegmenter().fit(amplitudes, facies), both (n_sections, n_traces, n_samples),
             with facies -1 where nothing is interpreted"""


def add_parser(commands):
    parser = add_command(
        commands,
        "demo",
        help="train and predict on a synthetic survey, in about a minute",
        description="Make a synthetic survey of six stacked units, hold out a block of inlines, "
        "train on other inlines, print the scores of the held-out block, and write a figure and "
        "the model. No network connection is needed.",
        example="skfacies demo --out my-first-model --seed 1",
    )
    parser.add_argument(
        "--out", default="skfacies-demo", metavar="FOLDER", help="default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=0, help="for survey and model; default: 0")
    parser.add_argument(
        "--epochs", type=int, default=30, help="passes over the data; default: %(default)s"
    )
    return parser


def run(arguments):
    from skfacies.metrics import facies_report

    if arguments.verbose:
        print(
            f"Synthetic survey of six stacked units: training on inlines {TRAINING.start}-"
            f"{TRAINING.stop - 1}, predicting {HELD_OUT.start}-{HELD_OUT.stop - 1}."
        )
    result = run_demo(
        arguments.out,
        random_state=arguments.seed,
        max_epochs=arguments.epochs,
        verbose=arguments.verbose,
    )
    print(f"\nHeld-out inlines {HELD_OUT.start}-{HELD_OUT.stop - 1}:\n")
    names = result.survey.target_names
    labels = list(range(len(names)))
    report = facies_report(
        result.truth,
        result.prediction,
        labels=labels,
        target_names=names,
        output_dict=arguments.json,
    )
    overall = result.contacts.overall
    print(
        f"{report}\n\nContact error in samples: mean {overall.mean:.1f}, median "
        f"{overall.median:.0f}, 95th percentile {overall.p95:.0f}\n"
    )
    wrote = [str(result.picture), str(result.model_file)]
    if arguments.verbose:
        print(NEXT_STEPS.format(picture=wrote[0], model_file=wrote[1]))
    return {"wrote": wrote, "report": report, "contact_error": overall}


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
    from pathlib import Path

    from sklearn.utils import Bunch

    from skfacies._estimators.segmenter import FaciesSegmenter
    from skfacies.datasets import make_facies_cube
    from skfacies.metrics import contact_error
    from skfacies.plotting._arguments import check_matplotlib

    check_matplotlib("skfacies demo")  # before the work, not after it
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    survey = make_facies_cube((60, 128, 128), random_state=random_state)
    model = FaciesSegmenter(
        encoder_weights=None,  # the demonstration needs no network connection
        max_epochs=max_epochs,
        batch_size=4,
        random_state=random_state,
        verbose=progress(verbose),
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
    import joblib

    from skfacies._files import whole_file

    with whole_file(path) as part:
        joblib.dump(model, part)
    return path


def _save_picture(path, model, survey, inline):
    import matplotlib.pyplot as plt

    from skfacies._files import whole_file
    from skfacies.plotting import SectionDisplay

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
