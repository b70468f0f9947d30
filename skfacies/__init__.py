"""Seismic facies segmentation with a scikit-learn interface.

`FaciesSegmenter` learns from interpreted sections which stacked unit every sample of a seismic
cube belongs to. Names that need torch are imported when they are first used.
"""

import importlib

from skfacies._version import __version__

__all__ = ["AmplitudeScaler", "FaciesSegmenter", "__version__"]

_HOMES = {
    "AmplitudeScaler": "skfacies.preprocessing",
    "FaciesSegmenter": "skfacies._segmenter",
}


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'skfacies' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
