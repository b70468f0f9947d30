"""`skfacies predict`: predict a cube and write the result to files."""

from skfacies._cli.check import warn_of_survey
from skfacies._cli.options import (
    SEISMIC,
    add_between,
    add_command,
    add_reading,
    add_rescale,
    command_line,
    given_between,
    given_reading,
    show_next,
)

__all__ = ["add_parser", "predict_cube", "run"]


def add_parser(commands):
    parser = add_command(
        commands,
        "predict",
        help="predict a cube and write the result to a file",
        description="Predict the facies of a cube, as a cube, as horizons, or both. A SEG-Y result "
        "has the headers of SEISMIC, or of the file given with --like. A horizon has times or "
        "depths in the unit of SEISMIC, line numbers, X and Y of the trace headers; and in the "
        "formats with columns, its uncertainty (one standard deviation) and the thickness of the "
        "unit below it. A run that is killed or interrupted leaves OUT.partial beside OUT. The "
        "same command then goes on with it.",
        example="skfacies predict model.safetensors survey.sgy -o facies.sgy \\\n"
        "    --horizons horizons --format xyz\n"
        "skfacies predict model.safetensors survey.zarr -o facies.sgy --like survey.sgy",
    )
    parser.add_argument("model", metavar="MODEL", help="file written by skfacies fit")
    parser.add_argument("seismic", metavar="SEISMIC", help=SEISMIC)
    parser.add_argument("-o", "--out", metavar="OUT", help="file to write")
    parser.add_argument(
        "--horizons",
        metavar="FOLDER",
        help="also write the top of each unit but the shallowest as a horizon, or only these "
        "without -o; gaps where a unit is absent",
    )
    parser.add_argument(
        "--format",
        choices=["inline-crossline", "xyz", "charisma", "zmap"],
        default="inline-crossline",
        help="of the horizons; zmap for surveys whose lines run along X and Y; default: "
        "%(default)s",
    )
    parser.add_argument(
        "--proba", action="store_true", help="also write probabilities; SEG-Y: a file per facies"
    )
    parser.add_argument(
        "--entropy", action="store_true", help="also write the entropy: where the model is unsure"
    )
    parser.add_argument(
        "--like",
        metavar="SURVEY",
        help="SEG-Y file with the headers for a SEG-Y result, if SEISMIC is a Zarr or NumPy copy",
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="discard what a killed run of this command has predicted; default: go on with it",
    )
    add_between(parser.add_argument_group("window between horizons"))
    add_rescale(parser)
    add_reading(parser, "Default: as in the training of MODEL.")
    return parser


def run(arguments):
    from skfacies._cli.interpretation import Interpretation

    result = predict_cube(
        arguments.model,
        arguments.seismic,
        arguments.out,
        probabilities=arguments.proba,
        entropy=arguments.entropy,
        horizons=arguments.horizons,
        format=arguments.format,
        like=arguments.like,
        reading=given_reading(arguments),
        rescale=arguments.rescale,
        window=Interpretation(**given_between(arguments)),
        restart=arguments.restart,
        verbose=arguments.verbose,
    )
    for path in result.paths:
        print(f"wrote {path}")
    if result.horizons:
        from skfacies._cli.contacts import contact_words

        print("\n".join(map(contact_words, result.horizons)))
    files = [row["file"] for row in result.horizons if row["file"] is not None]
    words = command_line("next", arguments.model, arguments.seismic)
    if arguments.out is not None:
        view = [arguments.seismic, arguments.out, "--model", arguments.model, "-o", "view.html"]
        view += ["--entropy", result.paths[-1]] if arguments.entropy else []
        words = command_line("view", *view)
    show_next(arguments, words)
    return {"wrote": [*result.paths, *files], "horizons": result.horizons, "next": words}


def predict_cube(
    model_file,
    seismic,
    out,
    *,
    probabilities=False,
    entropy=False,
    horizons=None,
    format="inline-crossline",
    like=None,
    reading=None,
    rescale=None,
    window=None,
    restart=False,
    verbose=1,
):
    """Predict a cube from a file into new files; each gets its name once it is complete.

    Parameters
    ----------
    out : path or None
        None writes horizons alone.
    horizons : path, default=None
        Folder for a horizon of each contact: all files appear in it, or none.
    format : str, default="inline-crossline"
        See `write_horizon`.
    like : path, default=None
        SEG-Y file with the headers for SEG-Y results; None is `seismic`, if it is SEG-Y.
    reading : dict, default=None
        Options of `open_cube` that override those of the training.
    rescale : {"survey"} or None, default=None
        See `FaciesSegmenter`; None keeps the model's setting.
    window : Interpretation, default=None
        The samples that it is `between` are predicted: the others get the label -1, and no
        probabilities and entropy.
    restart : bool, default=False
        Whether to discard what a killed run has left in ``OUT.partial`` (with `horizons` alone,
        ``FOLDER.partial``). Otherwise the prediction goes on with it.

    Returns
    -------
    result : Bunch
        `paths` of the labels and, if wanted, of the probabilities and the entropy; `horizons`, a
        dict for each contact.
    """
    from pathlib import Path

    from sklearn.utils import Bunch

    from skfacies._cli import contacts, results
    from skfacies._cli.files import check_reading, check_targets, named_files, volume_files
    from skfacies._cli.models import load_cube_model, open_amplitudes, stored
    from skfacies._cubes.volumes import first_volume

    out = None if out is None else Path(out)
    _check_outputs(out, horizons, like, probabilities or entropy)
    check_reading(reading, *volume_files(seismic), like)
    inputs = {"MODEL": model_file, **named_files(seismic), "--like": like}
    inputs |= window.files if window else {}
    check_targets([out] if out else [], inputs)
    model = load_cube_model(model_file, verbose=verbose, rescale=rescale)
    check_targets(results.places_beside(out, model, probabilities, entropy), inputs)
    files = []
    if horizons is not None:
        files = contacts.name_files(model, contacts.order_of_units(model), format)
        contacts.check_folder(horizons, files, inputs)
    cubes = open_amplitudes(seismic, model, reading, verbose)
    warn_of_survey(model, cubes)
    cube, seismic = first_volume(cubes), volume_files(seismic)[0]
    survey, as_like = results.find_survey(cube, seismic, like, {**stored(model), **(reading or {})})
    headers = {} if out is None else results.find_headers(cube, seismic, out, as_like)
    inside = window.open_window(cube, verbose=verbose) if window else None
    with results.unfinished(out or Path(horizons), restart=restart, verbose=verbose) as checkpoint:
        scratch = checkpoint.folder
        # Find out now, before prediction, whether the files can hold the result.
        if files:
            contacts.check_survey_of(survey, format, scratch)
        if out is not None and not headers:
            results.try_to_write(model, cube, out, scratch)
        with_scores = probabilities or entropy or bool(files)
        labels, scores = results.predict_arrays(
            model, cubes, checkpoint, labels=out is not None, scores=with_scores, window=inside
        )
        with contacts.written_contacts(
            horizons, files, model, cube, scores, survey, format
        ) as rows:
            parts = results.parts(model, cube, out, scratch, labels, scores, probabilities, entropy)
            paths = results.write_parts(parts, cube, headers)
    return Bunch(paths=paths, horizons=rows)


def _check_outputs(out, horizons, like, beside):
    from skfacies.io import kind_to_write

    if out is None and horizons is None:
        raise ValueError("nothing to write. Give -o OUT for a cube, --horizons FOLDER, or both.")
    if out is None and beside:
        raise ValueError("--proba and --entropy are files beside OUT. Give -o OUT, or omit them.")
    if out is not None and kind_to_write(out) != "segy" and like is not None and horizons is None:
        raise ValueError(f"--like gives headers for SEG-Y files; OUT is {out}. Omit --like.")
