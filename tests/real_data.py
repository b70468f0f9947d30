"""Real surveys for development: they are not in git, and tests without them are skipped."""

import os
from pathlib import Path

import pytest


def real_file(name):
    """Path of a file in the folder that the environment variable SKFACIES_DATA names."""
    folder = os.environ.get("SKFACIES_DATA")
    if not folder:
        pytest.skip(f"SKFACIES_DATA is not set: the folder that has {name}")
    path = Path(folder) / name
    if not path.exists():
        pytest.skip(f"{name} is not in the folder of SKFACIES_DATA, {folder}")
    return path
