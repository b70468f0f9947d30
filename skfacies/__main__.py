"""The command ``skfacies``."""

import argparse
import sys

from skfacies._version import __version__

__all__ = ["main"]

_NEXT_STEPS = """\
What next
  look at    {picture}
  predict    model = joblib.load({model_file!r}); facies = model.predict(amplitudes)
  your data  FaciesSegmenter().fit(amplitudes, facies), both (n_sections, n_traces, n_samples),
             facies -1 where nothing is interpreted. See examples/ and docs/."""


def main(argv=None):
    """Run the command line and return its exit code."""
    parser = _make_parser()
    arguments = parser.parse_args(argv)
    if arguments.run is None:
        parser.print_help()
        return 2
    try:
        arguments.run(arguments)
    except KeyboardInterrupt:
        print("\nskfacies: interrupted", file=sys.stderr)
        return 130
    except (ImportError, OSError, ValueError) as error:
        if arguments.debug:
            raise
        print(f"skfacies: {error}", file=sys.stderr)
        return 1
    return 0


def _make_parser():
    parser = argparse.ArgumentParser(
        prog="skfacies",
        description="Segment seismic facies: learn from interpreted sections which unit every "
        "sample of a survey belongs to.",
        epilog="Example: skfacies demo",
    )
    parser.add_argument("--version", action="version", version=f"skfacies {__version__}")
    parser.set_defaults(run=None, debug=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="train and predict on a synthetic survey, in about a minute",
        description="Make a synthetic survey of six stacked units, hold out a block of inlines, "
        "train on others, print the scores of the held-out block, and write a picture and the "
        "model. No network connection is needed.",
        epilog="Example: skfacies demo --out my-first-model --seed 1",
    )
    demo.add_argument(
        "--out", default="skfacies-demo", metavar="FOLDER", help="default: %(default)s"
    )
    demo.add_argument("--seed", type=int, default=0, help="of survey and model; default: 0")
    demo.add_argument(
        "--epochs", type=int, default=30, help="passes over the data; default: %(default)s"
    )
    demo.add_argument("--debug", action="store_true", help="show the traceback of an error")
    demo.set_defaults(run=_demo)
    return parser


def _demo(arguments):
    from skfacies._demo import HELD_OUT, TRAINING, run_demo
    from skfacies.metrics import facies_report

    print(
        f"Synthetic survey of six stacked units: learning inlines {TRAINING.start}-"
        f"{TRAINING.stop - 1}, predicting {HELD_OUT.start}-{HELD_OUT.stop - 1}."
    )
    result = run_demo(arguments.out, random_state=arguments.seed, max_epochs=arguments.epochs)
    print(f"\nHeld-out inlines {HELD_OUT.start}-{HELD_OUT.stop - 1}:\n")
    names = result.survey.target_names
    labels = list(range(len(names)))
    print(facies_report(result.truth, result.prediction, labels=labels, target_names=names))
    overall = result.contacts.overall
    print(
        f"\nDistance of contacts in samples: mean {overall.mean:.1f}, median {overall.median:.0f}, "
        f"95th percentile {overall.p95:.0f}\n"
    )
    print(_NEXT_STEPS.format(picture=result.picture, model_file=str(result.model_file)))


if __name__ == "__main__":
    sys.exit(main())
