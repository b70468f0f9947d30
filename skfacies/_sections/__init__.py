"""Shapes, labels and amplitudes of sections, and the checks of what users give.

Imports nothing else of the package, and no torch.
"""
