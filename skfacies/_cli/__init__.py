"""The command `skfacies`: parse arguments, call public functions and methods, print.

Imports everything, but is imported only by `__main__`.
"""
