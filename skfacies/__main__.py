"""The command ``skfacies``."""

import argparse
import math
import os
import re
import sys
import warnings

from skfacies._version import __version__

__all__ = ["main"]

_NEXT_STEPS = """\
What next
  view       {picture}
  predict    model = joblib.load({model_file!r}); facies = model.predict(amplitudes)
  your data  FaciesSegmenter().fit(amplitudes, facies), both (n_sections, n_traces, n_samples),
             with facies -1 where nothing is interpreted. See examples/ and docs/."""


def _byte(text):
    if text.lower() == "none":
        return None
    if not re.fullmatch("[0-9]{1,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a header byte. Use 189, or none.")
    return int(text)


def _number(text):
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number.")
    return number


#: Options of `skfacies.io.open_cube`: type, placeholder for the value, help text.
READING = {
    "inline_byte": (
        _byte,
        "N",
        "first byte of inline numbers in SEG-Y trace headers, default: 189; none reads all traces "
        "as one 2-D line",
    ),
    "crossline_byte": (_byte, "N", "first byte of crossline numbers, default: 193"),
    "domain": (str, "twt|depth", "kind of vertical axis, if the file does not say"),
    "sample_interval": (_number, "MS", "in milliseconds or units of depth; overrides the headers"),
    "first_sample": (_number, "MS", "time or depth of the first sample; overrides the headers"),
    "variable": (str, "NAME", "array to open in a Zarr or .npz file"),
    "sample_format": (str, "FORMAT", "SEG-Y sample format; overrides the header: ibm, ieee, …"),
    "duplicates": (str, "first|last", "which of several SEG-Y traces at one crossing to use"),
}

#: Command-line names of the library arguments that messages mention.
OPTIONS = {
    **{name: f"--{name.replace('_', '-')}" for name in READING},
    "X": "SEISMIC",
    "cube": "SEISMIC",
    "data_home": "--data-home",
    "direction": "--directions",
    "encoder_name": "--encoder",
    "encoder_weights": "--weights",
    "ignore_label": "--ignore-label",
    "label_names": "--names",
    "like": "--like",
    "max_epochs": "--epochs",
    "neighbors": "--neighbors",
    "path": "the path",
    "random_state": "--seed",
    "rescale": "--rescale",
    "step": "--step",
    "subset": "--subset",
    "y": "LABELS",
}


def main(argv=None):
    """Run the command line and return its exit code."""
    parser = _make_parser()
    arguments = parser.parse_args(argv)
    if arguments.run is None:
        parser.print_help()
        return 2
    shown = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"skfacies: warning: {_reword(message)}\n"
    try:
        arguments.run(arguments)
    except KeyboardInterrupt:
        print("\nskfacies: interrupted", file=sys.stderr)
        return 130
    except (ArithmeticError, ImportError, MemoryError, OSError, TypeError, ValueError) as error:
        if arguments.debug:
            raise
        print(f"skfacies: {_reword(error)}", file=sys.stderr)
        return 1
    finally:
        warnings.formatwarning = shown
    return 0


def _reword(message):
    """A library message on one line, with the command-line names of its arguments."""
    names = "|".join(OPTIONS)
    value = r"'[^']*'|\"[^\"]*\"|-?\w+(?:\.\w+)*"
    text = " ".join(str(message).split())
    text = re.sub(rf"(?<![\w.])(`?)({names})\1=({value})", _with_value, text)
    text = re.sub(rf"`({names})`", lambda match: OPTIONS[match[1]], text)
    return re.sub(r"(--inline-byte \w+), (?=--crossline-byte)", r"\1 ", text)


def _with_value(match):
    option, value = OPTIONS[match[2]], match[3].strip("'\"")
    if not option.startswith("--"):
        return match[0]
    return f"{option} {'none' if value == 'None' else value}"


def _make_parser():
    parser = argparse.ArgumentParser(
        prog="skfacies",
        description="Segment seismic facies: learn from interpreted sections to predict the unit "
        "of every sample of a survey.",
        epilog="Example: skfacies demo",
    )
    parser.add_argument("--version", action="version", version=f"skfacies {__version__}")
    parser.set_defaults(run=None, debug=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="train and predict on a synthetic survey, in about a minute",
        description="Make a synthetic survey of six stacked units, hold out a block of inlines, "
        "train on other inlines, print the scores of the held-out block, and write a figure and "
        "the model. No network connection is needed.",
        epilog="Example: skfacies demo --out my-first-model --seed 1",
    )
    demo.add_argument(
        "--out", default="skfacies-demo", metavar="FOLDER", help="default: %(default)s"
    )
    demo.add_argument("--seed", type=int, default=0, help="for survey and model; default: 0")
    demo.add_argument(
        "--epochs", type=int, default=30, help="passes over the data; default: %(default)s"
    )
    demo.set_defaults(run=_demo)
    _add_fit(commands)
    _add_predict(commands)
    _add_others(commands)
    for command in commands.choices.values():
        command.add_argument("--debug", action="store_true", help="show the traceback of errors")
    return parser


def _add_fit(commands):
    fit = commands.add_parser(
        "fit",
        help="train on an interpreted cube and write a model",
        description="Train on amplitudes and labels in SEG-Y (.sgy, .segy), Zarr or NumPy files. "
        "Labels are whole numbers, with -1 where nothing is interpreted. They are placed by line "
        "numbers and times, and may cover part of SEISMIC. Files without line numbers and times, "
        "such as .npy, are paired by position and need the same shape.",
        epilog="Example: skfacies fit survey.sgy facies.sgy -o model.safetensors "
        "--directions both --lines inline=300-700:50 crossline=400,600 --seed 0",
    )
    fit.add_argument("seismic", metavar="SEISMIC", help="cube of amplitudes")
    fit.add_argument("labels", metavar="LABELS", help="cube of labels")
    fit.add_argument(
        "-o", "--out", required=True, metavar="MODEL", help=".safetensors file to write"
    )
    _add_training(fit)
    fit.add_argument(
        "--lines",
        nargs="+",
        default=[],
        metavar="LINES",
        help="train only on these lines: every=10, inline=300,350, crossline=300-700:50; all must "
        "be in the survey",
    )
    fit.add_argument(
        "--ignore-label", type=int, default=-1, help="label of samples without interpretation"
    )
    fit.add_argument(
        "--names", metavar="A,B,…", help="names of the facies, in ascending order of labels"
    )
    _add_reading(fit, "MODEL keeps these options for predict and score.", labels=True)
    fit.set_defaults(run=_fit)


def _add_training(command):
    command.add_argument("--directions", choices=["inline", "crossline", "both"], default="inline")
    command.add_argument(
        "--neighbors",
        type=int,
        default=0,
        metavar="N",
        help="lines on either side of each line that the network also sees; default: 0",
    )
    command.add_argument("--epochs", type=int, help="passes over the data; default: automatic")
    command.add_argument("--seed", type=int, default=0, help="default: 0")
    command.add_argument(
        "--weights",
        default="none",
        help="encoder weights: none (random), auto, imagenet, or a file; default: %(default)s",
    )
    command.add_argument("--encoder", default="resnet18", help="default: %(default)s")


def _add_rescale(command):
    command.add_argument(
        "--rescale",
        choices=["survey"],
        help="SEISMIC is another survey than that of the training: learn its amplitude scale, and "
        "do not use the places of the training lines",
    )


def _add_reading(command, description, *, labels=False):
    """Add the options of `open_cube`; options that are not given are absent from the namespace."""
    group = command.add_argument_group("how cubes are opened", description)
    for prefix in ("", "labels-") if labels else ("",):
        for name, (kind, metavar, text) in READING.items():
            if prefix:
                shared = name not in ("variable", "sample_format")
                text = "for LABELS" + (f"; overrides {OPTIONS[name]}" if shared else "")
            group.add_argument(
                f"--{prefix}{OPTIONS[name][2:]}",
                type=kind,
                choices=metavar.split("|") if "|" in metavar else None,
                default=argparse.SUPPRESS,
                metavar=metavar,
                help=text,
            )


def _reading(arguments, prefix=""):
    """Options of `open_cube` that were given."""
    given = vars(arguments)
    reading = {name: given[prefix + name] for name in READING if prefix + name in given}
    if reading.get("crossline_byte", 0) is None:  # for either option, none means a 2-D line
        del reading["crossline_byte"]
        reading["inline_byte"] = None
    return reading


def _add_predict(commands):
    predict = commands.add_parser(
        "predict",
        help="predict a cube and write the result to a file",
        description="Predict the facies of a cube. A SEG-Y result has the headers of SEISMIC, or "
        "of the file given with --like.",
        epilog="Example: skfacies predict model.safetensors survey.sgy -o facies.sgy --entropy",
    )
    predict.add_argument("model", metavar="MODEL", help="file written by skfacies fit")
    predict.add_argument("seismic", metavar="SEISMIC", help="cube of amplitudes")
    predict.add_argument("-o", "--out", required=True, metavar="OUT", help="file to write")
    predict.add_argument(
        "--proba", action="store_true", help="also write probabilities; SEG-Y: a file per facies"
    )
    predict.add_argument(
        "--entropy", action="store_true", help="also write the entropy: where the model is unsure"
    )
    predict.add_argument(
        "--like",
        metavar="SURVEY",
        help="SEG-Y file with the headers for a SEG-Y result, if SEISMIC is a Zarr or NumPy copy",
    )
    _add_rescale(predict)
    _add_reading(predict, "Default: as in the training of MODEL.")
    predict.set_defaults(run=_predict)


def _add_others(commands):
    score = commands.add_parser(
        "score",
        help="predict a cube and compare it with labels",
        description="Predict a cube and compare it with labels, which may cover part of it.",
        epilog="Example: skfacies score model.safetensors survey.sgy facies.sgy",
    )
    score.add_argument("model", metavar="MODEL")
    score.add_argument("seismic", metavar="SEISMIC", help="cube of amplitudes")
    score.add_argument("labels", metavar="LABELS", help="cube of labels")
    score.add_argument(
        "--ignore-label", type=int, default=-1, help="label of samples without interpretation"
    )
    _add_rescale(score)
    _add_reading(score, "Default: as in the training of MODEL.", labels=True)
    score.set_defaults(run=_score)
    info = commands.add_parser(
        "info",
        help="show what a cube or a model file holds",
        epilog="Example: skfacies info survey.sgy",
    )
    info.add_argument("file", metavar="FILE")
    _add_reading(info, "")
    info.set_defaults(run=_info)
    fetch = commands.add_parser(
        "fetch-f3",
        help="download the F3 facies benchmark (1.1 GB)",
        epilog="Example: skfacies fetch-f3 --data-home data",
    )
    fetch.add_argument("--data-home", metavar="FOLDER", help="default: ~/skfacies_data")
    fetch.add_argument("--subset", nargs="+", default=["train", "test1", "test2"])
    fetch.set_defaults(run=_fetch_f3)
    benchmark = commands.add_parser(
        "benchmark-f3",
        help="fetch the F3 benchmark, train, score its test blocks, write a report",
        epilog="Example: skfacies benchmark-f3 -o report.md --directions both --step 5",
    )
    benchmark.add_argument("-o", "--out", default="f3_benchmark.md", metavar="REPORT")
    benchmark.add_argument("--data-home", metavar="FOLDER", help="default: ~/skfacies_data")
    benchmark.add_argument("--step", type=int, default=1, help="train on every n-th line")
    _add_training(benchmark)
    benchmark.set_defaults(run=_benchmark_f3)


def _demo(arguments):
    from skfacies._cli.demo import HELD_OUT, TRAINING, run_demo
    from skfacies.metrics import facies_report

    print(
        f"Synthetic survey of six stacked units: training on inlines {TRAINING.start}-"
        f"{TRAINING.stop - 1}, predicting {HELD_OUT.start}-{HELD_OUT.stop - 1}."
    )
    result = run_demo(arguments.out, random_state=arguments.seed, max_epochs=arguments.epochs)
    print(f"\nHeld-out inlines {HELD_OUT.start}-{HELD_OUT.stop - 1}:\n")
    names = result.survey.target_names
    labels = list(range(len(names)))
    print(facies_report(result.truth, result.prediction, labels=labels, target_names=names))
    overall = result.contacts.overall
    print(
        f"\nContact error in samples: mean {overall.mean:.1f}, median {overall.median:.0f}, "
        f"95th percentile {overall.p95:.0f}\n"
    )
    print(_NEXT_STEPS.format(picture=result.picture, model_file=str(result.model_file)))


def _training_params(arguments):
    return {
        "neighbors": arguments.neighbors,
        "max_epochs": "auto" if arguments.epochs is None else arguments.epochs,
        "encoder_name": arguments.encoder,
        "encoder_weights": None if arguments.weights == "none" else arguments.weights,
        "random_state": arguments.seed,
    }


def _fit(arguments):
    from skfacies._cli.commands import fit_model
    from skfacies._cli.info import recall_words

    result = fit_model(
        arguments.seismic,
        arguments.labels,
        arguments.out,
        direction=arguments.directions,
        lines=arguments.lines,
        ignore_label=arguments.ignore_label,
        label_names=None if arguments.names is None else arguments.names.split(","),
        reading=_reading(arguments),
        labels_reading=_reading(arguments, "labels_"),
        **_training_params(arguments),
    )
    for name, numbers in result.lines.items():
        shown = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
        print(f"trained on {len(numbers)} {name}{'s' if len(numbers) > 1 else ''}: {shown}")
    segmenter = result.model.estimator_
    print(f"recall on training lines: {recall_words(segmenter.training_report_)}")
    print(f"wrote {arguments.out}")


def _predict(arguments):
    from skfacies._cli.commands import predict_cube

    paths = predict_cube(
        arguments.model,
        arguments.seismic,
        arguments.out,
        probabilities=arguments.proba,
        entropy=arguments.entropy,
        like=arguments.like,
        reading=_reading(arguments),
        rescale=arguments.rescale,
    )
    print("\n".join(f"wrote {path}" for path in paths))


def _score(arguments):
    from skfacies._cli.commands import score_model

    print(
        score_model(
            arguments.model,
            arguments.seismic,
            arguments.labels,
            ignore_label=arguments.ignore_label,
            reading=_reading(arguments),
            labels_reading=_reading(arguments, "labels_"),
            rescale=arguments.rescale,
        )
    )


def _info(arguments):
    from skfacies._cli.files import CUBE_SUFFIXES
    from skfacies._cli.info import describe_cube, describe_model

    is_cube = os.path.splitext(os.path.normpath(arguments.file))[1].lower() in CUBE_SUFFIXES
    if is_cube or not os.path.isfile(arguments.file):
        rows = list(describe_cube(arguments.file, reading=_reading(arguments)))
    else:
        rows = list(describe_model(arguments.file))
    width = max(len(title) for title, _ in rows) + 2
    for title, text in rows:
        print(f"{title:{width}}{text}")


def _fetch_f3(arguments):
    from skfacies.datasets import fetch_f3

    blocks = fetch_f3(arguments.subset, data_home=arguments.data_home)
    for name, block in blocks.items():
        print(f"{name:8}{' x '.join(map(str, block.data.shape))}  {block.data.filename}")


def _benchmark_f3(arguments):
    from skfacies._cli.commands import benchmark_f3

    report = benchmark_f3(
        arguments.out,
        data_home=arguments.data_home,
        direction=arguments.directions,
        step=arguments.step,
        **_training_params(arguments),
    )
    print(report)
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    sys.exit(main())
