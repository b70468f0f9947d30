"""What the command `skfacies` does: parse, call public functions and methods, print.

Imports everything but is imported by `__main__` alone.
"""
