"""Traces that validation takes out of the labeled lines, so that nothing leaks from them.

Imports `_sections`; no torch.
"""
