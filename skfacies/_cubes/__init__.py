"""Arrays, files and chunks that hold a cube: cutting, pairing, reading in pieces, writing.

Imports `_sections`, `_segy` and `_files`, but not torch.
"""
