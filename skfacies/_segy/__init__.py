"""SEG-Y files: headers, geometry and samples, read and written with NumPy alone.

Imports nothing else from the package.
"""
