"""Traces that validation takes out of the labelled lines, so that nothing leaks from them.

Imports `_sections`; no torch.
"""
