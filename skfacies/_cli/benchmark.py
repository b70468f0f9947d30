"""`skfacies benchmark-f3`: train on the F3 benchmark and score its test blocks."""

from skfacies._cli.options import add_command, add_training, training_params

__all__ = ["add_parser", "benchmark_f3", "run"]


def add_parser(commands):
    parser = add_command(
        commands,
        "benchmark-f3",
        help="fetch the F3 benchmark, train, score its test blocks, write a report",
        example="skfacies benchmark-f3 -o report.md --data-home data --directions both --step 5",
    )
    parser.add_argument("-o", "--out", default="f3_benchmark.md", metavar="REPORT")
    parser.add_argument("--data-home", metavar="FOLDER", help="default: ~/skfacies_data")
    parser.add_argument("--step", type=int, default=1, help="train on every n-th line")
    add_training(parser)
    return parser


def run(arguments):
    report = benchmark_f3(
        arguments.out,
        data_home=arguments.data_home,
        direction=arguments.directions,
        step=arguments.step,
        verbose=arguments.verbose,
        **training_params(arguments),
    )
    print(report)
    print(f"wrote {arguments.out}")
    return {"wrote": [arguments.out], "report": report}


def benchmark_f3(
    out, *, data_home=None, direction="both", neighbors=0, step=1, verbose=1, **params
):
    """Fetch the F3 benchmark, train on its training block, score its test blocks, write a report.

    Returns the report as text.
    """
    import time

    from skfacies._cli.files import check_report_name, check_targets, weights_file
    from skfacies._cli.options import progress
    from skfacies._files import whole_file
    from skfacies.benchmark import f3_benchmark
    from skfacies.datasets import fetch_f3

    check_report_name(out)
    check_targets([out], {"--weights": weights_file(params)})
    blocks = fetch_f3("all", data_home=data_home, verbose=progress(verbose))

    from skfacies._cli.models import fit_fully, make_model  # imports torch, which takes seconds

    model = make_model(direction, neighbors=neighbors, step=step, verbose=verbose, **params)
    start = time.perf_counter()
    fit_fully(model, blocks["train"].data, blocks["train"].target)
    seconds = time.perf_counter() - start
    result = f3_benchmark(model, blocks, verbose=0)
    report = (
        f"{result.to_markdown()}\n\nTrained in {seconds:.0f} s along {direction} lines, every "
        f"{step}, with {model!r}.\n"
    )
    with whole_file(out) as part:
        part.write_text(report, encoding="utf-8")
    return report
