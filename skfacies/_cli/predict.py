"""`skfacies predict`: predict a cube and write the result to files."""

from skfacies._cli.check import warn_of_survey
from skfacies._cli.options import (
    add_command,
    add_reading,
    add_rescale,
    command_line,
    given_reading,
    show_next,
)

__all__ = ["add_parser", "predict_cube", "run"]


def add_parser(commands):
    parser = add_command(
        commands,
        "predict",
        help="predict a cube and write the result to a file",
        description="Predict the facies of a cube. A SEG-Y result has the headers of SEISMIC, or "
        "of the file given with --like.",
        example="skfacies predict model.safetensors survey.sgy -o facies.sgy --entropy\n"
        "skfacies predict model.safetensors survey.zarr -o facies.sgy --like survey.sgy",
    )
    parser.add_argument("model", metavar="MODEL", help="file written by skfacies fit")
    parser.add_argument("seismic", metavar="SEISMIC", help="cube of amplitudes")
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="file to write")
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
    add_rescale(parser)
    add_reading(parser, "Default: as in the training of MODEL.")
    return parser


def run(arguments):
    paths = predict_cube(
        arguments.model,
        arguments.seismic,
        arguments.out,
        probabilities=arguments.proba,
        entropy=arguments.entropy,
        like=arguments.like,
        reading=given_reading(arguments),
        rescale=arguments.rescale,
        verbose=arguments.verbose,
    )
    print("\n".join(f"wrote {path}" for path in paths))
    words = command_line("score", arguments.model, arguments.seismic, "LABELS")
    show_next(arguments, words)
    return {"wrote": paths, "next": words}


def predict_cube(
    model_file,
    seismic,
    out,
    *,
    probabilities=False,
    entropy=False,
    like=None,
    reading=None,
    rescale=None,
    verbose=1,
):
    """Predict a cube from a file into new files; each gets its name once it is complete.

    Parameters
    ----------
    like : path, default=None
        SEG-Y file with the headers for SEG-Y results; None is `seismic`, if it is SEG-Y.
    reading : dict, default=None
        Options of `open_cube` that override those of the training.
    rescale : {"survey"} or None, default=None
        See `FaciesSegmenter`; None keeps the model's setting.

    Returns
    -------
    paths : list of path
        Path of the labels; with `probabilities`, also those of the probabilities; with `entropy`,
        one more.
    """
    from pathlib import Path

    from skfacies._cli import results
    from skfacies._cli.files import check_reading, check_targets
    from skfacies._cli.models import load_cube_model, open_amplitudes, stored
    from skfacies.io import kind_to_write, write_cube

    out = Path(out)
    if kind_to_write(out) != "segy" and like is not None:
        raise ValueError(f"--like gives headers for SEG-Y files; OUT is {out}. Omit --like.")
    check_reading(reading, seismic, like)
    inputs = {"MODEL": model_file, "SEISMIC": seismic, "--like": like}
    check_targets([out], inputs)
    model = load_cube_model(model_file, verbose=verbose, rescale=rescale)
    places = results.places_beside(out, model, probabilities, entropy)
    check_targets(places, inputs)
    cube = open_amplitudes(seismic, model, reading, verbose)
    warn_of_survey(model, cube)
    headers = results.find_headers(cube, seismic, out, like, {**stored(model), **(reading or {})})
    with results.scratch_folder(out) as folder:
        if not headers:  # find out now, before prediction, whether the file can hold the result
            empty = results.scratch_array(folder, "empty", cube.shape, results.label_type(model))
            write_cube(
                Path(folder, f"one{out.suffix}"),
                results.like_amplitudes(cube, empty, "facies")[:1, :1],
            )
        paths = []
        for path, result in results.predict_parts(model, cube, out, folder, probabilities, entropy):
            # The headers were already compared with the cube; options may correct its times.
            result = result.drop_vars(cube.dims[2], errors="ignore") if headers else result
            written = write_cube(path, result, **headers)
            paths += written if isinstance(written, list) else [written]
    return paths
