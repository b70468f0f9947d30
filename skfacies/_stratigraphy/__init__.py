"""Geological constraints on network scores: the order of units, and reflectors.

Imports `_sections` and `metrics`; smoothing along reflectors needs torch.
"""
