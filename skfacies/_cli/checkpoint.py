"""The option `--checkpoint`: a training that was stopped goes on when the command is repeated."""

import os
from contextlib import contextmanager
from pathlib import Path

__all__ = ["add_checkpoint", "check_checkpoint", "checkpointed"]


def add_checkpoint(parser):
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="keep the state of the training in FILE; if the command is stopped or the machine "
        "fails, repeat the same command to go on. FILE is removed when the model is written",
    )


def check_checkpoint(path, model_file, inputs):
    """Check the file of --checkpoint; `inputs` are files that are read, as in `check_targets`."""
    from skfacies._cli.files import check_targets

    if path is None:
        return
    if os.path.realpath(path) == os.path.realpath(model_file):
        raise ValueError(f"--checkpoint and -o both name {path}. Give --checkpoint another name.")
    check_targets([path], inputs)


@contextmanager
def checkpointed(path, *, verbose):
    """Say how a training goes on from a file, which is removed when the block ends."""
    if path is None:
        yield
        return
    if verbose and os.path.exists(path):
        print(f"going on from {path}")
    try:
        yield
    except KeyboardInterrupt:
        if verbose and os.path.exists(path):
            print(f"\n{path} has the state of the training: repeat the command to go on")
        raise
    Path(path).unlink(missing_ok=True)
