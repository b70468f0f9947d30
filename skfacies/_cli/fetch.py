"""`skfacies fetch-f3`: download the F3 facies benchmark."""

from skfacies._cli.options import add_command, command_line, progress, show_next

__all__ = ["add_parser", "run"]


def add_parser(commands):
    parser = add_command(
        commands,
        "fetch-f3",
        help="download the F3 facies benchmark (1.1 GB)",
        example="skfacies fetch-f3 --data-home data",
    )
    parser.add_argument("--data-home", metavar="FOLDER", help="default: ~/skfacies_data")
    parser.add_argument("--subset", nargs="+", default=["train", "test1", "test2"])
    return parser


def run(arguments):
    from skfacies.datasets import fetch_f3

    blocks = fetch_f3(
        arguments.subset, data_home=arguments.data_home, verbose=progress(arguments.verbose)
    )
    for name, block in blocks.items():
        print(f"{name:8}{' x '.join(map(str, block.data.shape))}  {block.data.filename}")
    home = [] if arguments.data_home is None else ["--data-home", arguments.data_home]
    words = command_line("benchmark-f3", "-o", "report.md", *home)
    show_next(arguments, words)
    files = {
        name: {"shape": block.data.shape, "path": block.data.filename}
        for name, block in blocks.items()
    }
    return {"blocks": files, "next": words}
