"""The two estimators, of sections and of cubes.

Imports all that lies below. `cube_segmenter` imports no torch.
"""
