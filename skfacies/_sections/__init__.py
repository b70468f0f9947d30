"""Shapes, labels and amplitudes of sections, and checks of user input.

Imports nothing else from the package, and not torch.
"""
