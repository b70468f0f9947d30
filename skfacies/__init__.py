"""Seismic facies segmentation with a scikit-learn interface.

`FaciesSegmenter` learns from interpreted sections which stacked unit every sample of a seismic
cube belongs to. Names that need torch are imported when they are first used.
"""

import importlib
import os

from skfacies._version import __version__

# OpenMP threads that wait for each other in busy loops lose them to any other process: training
# beside one took up to 30 times as long. Waiting 1000 turns before they sleep costs nothing on an
# idle machine. The library reads this once, when torch is imported; settings of the user stay.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__all__ = ["AmplitudeScaler", "CubeSegmenter", "CubeToSections", "FaciesSegmenter", "__version__"]

_HOMES = {
    "AmplitudeScaler": "skfacies.preprocessing",
    "CubeSegmenter": "skfacies._estimators.cube_segmenter",
    "CubeToSections": "skfacies.preprocessing",
    "FaciesSegmenter": "skfacies._estimators.segmenter",
}


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'skfacies' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
