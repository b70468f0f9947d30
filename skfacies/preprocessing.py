"""Transformers: a scaler of amplitudes, and from cubes to sections."""

from skfacies._cubes.to_sections import CubeToSections
from skfacies._sections.scaler import AmplitudeScaler

__all__ = ["AmplitudeScaler", "CubeToSections"]
