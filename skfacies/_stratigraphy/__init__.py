"""What geology adds to scores of a network: the order of units, and reflectors.

Imports `_sections` and `metrics`; smoothing along reflectors needs torch.
"""
