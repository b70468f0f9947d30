"""`skfacies score`: predict a cube and compare it with labels."""

from skfacies._cli.options import (
    SEISMIC,
    add_command,
    add_interpretation,
    add_reading,
    add_rescale,
    given_interpretation,
    given_reading,
    show_next,
)

__all__ = ["add_parser", "run", "score_model"]


def add_parser(commands):
    parser = add_command(
        commands,
        "score",
        help="predict a cube and compare it with its interpretation",
        description="Predict a cube and compare it with labels, horizons or picked intervals, "
        "which may cover part of it. Scores of lines that the model was trained on say little: "
        "hold lines out.",
        example="skfacies score model.safetensors survey.sgy facies.sgy",
    )
    parser.add_argument("model", metavar="MODEL", help="file written by skfacies fit")
    parser.add_argument("seismic", metavar="SEISMIC", help=SEISMIC)
    add_interpretation(parser)
    parser.add_argument(
        "--ignore-label", type=int, default=-1, help="label of samples without interpretation"
    )
    add_rescale(parser)
    add_reading(parser, "Default: as in the training of MODEL.", labels=True)
    return parser


def run(arguments):
    from skfacies._cli.files import predict_words
    from skfacies._cli.interpretation import Interpretation

    report = score_model(
        arguments.model,
        arguments.seismic,
        Interpretation(**given_interpretation(arguments)),
        reading=given_reading(arguments),
        rescale=arguments.rescale,
        output_dict=arguments.json,
        verbose=arguments.verbose,
    )
    print(report)
    words = predict_words(arguments.model, arguments.seismic, horizons=bool(arguments.horizons))
    show_next(arguments, words)
    return {"report": report, "next": words}


def score_model(
    model_file,
    seismic,
    interpretation,
    *,
    reading=None,
    rescale=None,
    output_dict=False,
    verbose=1,
):
    """Predict a cube and compare it with its interpretation; return the report as text.

    With `output_dict`, the report is a dict; see `facies_report`.

    Files are opened as in `predict_cube` and `fit_model`.
    """
    import tempfile

    import numpy as np

    from skfacies._cli.files import volume_files
    from skfacies._cli.labels import UNLABELED
    from skfacies._cli.models import load_cube_model, open_interpreted
    from skfacies._cli.results import blocks, label_type, scratch_array
    from skfacies._cubes.volumes import first_volume
    from skfacies.metrics import facies_report

    interpretation.check(reading, *volume_files(seismic))
    model = load_cube_model(model_file, verbose=verbose, rescale=rescale)
    cubes, truth = open_interpreted(seismic, interpretation, model, reading, verbose=verbose)
    cube = first_volume(cubes)
    names = getattr(model, "label_names_", None)
    with tempfile.TemporaryDirectory(prefix="skfacies-") as folder:
        predicted = scratch_array(folder, "labels", cube.shape, label_type(model))
        model.predict(cubes, out=predicted)
        interpreted = scratch_array(folder, "truth", cube.shape, truth.dtype)
        for lines in blocks(cube):  # as in CubeSegmenter.score, missing samples do not count
            missing = np.isnan(np.asarray(cube[lines]))
            interpreted[lines] = np.where(missing, UNLABELED, truth[lines])
        if "live" in cube.coords:
            interpreted[~np.asarray(cube["live"])] = UNLABELED
        return facies_report(
            interpreted,
            predicted,
            labels=model.classes_.tolist(),
            target_names=names and [names[label] for label in model.classes_.tolist()],
            ignore_label=UNLABELED,
            output_dict=output_dict,
        )
