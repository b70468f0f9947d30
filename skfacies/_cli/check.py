"""`skfacies check`: what of a survey differs from the training data of a model."""

from skfacies._cli.options import (
    SEISMIC,
    add_command,
    add_reading,
    add_rescale,
    given_reading,
    reword,
    show_next,
)

__all__ = ["add_parser", "run", "warn_of_survey"]


def add_parser(commands):
    parser = add_command(
        commands,
        "check",
        help="compare a survey with the training data of a model",
        description="Compare a survey with the data that a model was trained on: amplitudes, "
        "polarity, frequencies, sample interval, axes, dead traces. It takes seconds. predict "
        "makes the same comparison, and shows serious differences.",
        example="skfacies check model.safetensors survey.sgy",
    )
    parser.add_argument("model", metavar="MODEL", help="file written by skfacies fit")
    parser.add_argument("seismic", metavar="SEISMIC", help=SEISMIC)
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    add_rescale(parser)
    add_reading(parser, "Default: as in the training of MODEL.")
    return parser


def run(arguments):
    import warnings
    from dataclasses import replace

    from skfacies._cli.files import predict_words
    from skfacies._cli.models import load_cube_model, open_amplitudes
    from skfacies.qc import check_survey
    from skfacies.qc._models import section_model

    model = load_cube_model(arguments.model, rescale=arguments.rescale)
    cube = open_amplitudes(arguments.seismic, model, given_reading(arguments), arguments.verbose)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`cube`, ")  # the table has all of them
        check = check_survey(model, cube)
    rows = [row._replace(advice=reword(row.advice)) for row in check.rows]
    check = replace(check, rows=rows)
    print(check.to_markdown() if arguments.markdown else f"{check}\n\n{_count(rows)}")
    units = getattr(section_model(model)[1], "unit_order_", None)
    words = predict_words(arguments.model, arguments.seismic, horizons=units is not None)
    if not arguments.markdown:
        show_next(arguments, words)
    return {"rows": [row._asdict() for row in rows], "next": words}


def _count(rows):
    """How many properties have which verdict, the worst first."""
    verdicts = [row.verdict for row in rows]
    kinds = [kind for kind in ("serious", "differs", "unknown") if kind in verdicts]
    counts = [f"{verdicts.count(kind)} {kind}" for kind in kinds]
    return f"verdicts: {', '.join(counts)}" if counts else "verdicts: all ok"


def warn_of_survey(model, cube):
    """Warn of what is serious before a cube is predicted, if the model knows its training data."""
    from skfacies.qc import check_survey
    from skfacies.qc._models import section_model

    if getattr(section_model(model)[1], "training_profile_", None) is not None:
        check_survey(model, cube)
