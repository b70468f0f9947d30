"""Selection of the validation traces from the labeled lines, without leakage into training.

Imports `_sections`, but not torch.
"""
