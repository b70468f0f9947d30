"""Arrays, files and chunks that hold a cube: cutting, pairing, reading in pieces, writing.

Imports `_sections` and `_segy`; no torch.
"""
