"""The commands of `skfacies`: parse arguments, call public functions and methods, print.

Imports everything, but is imported only by `__main__`. A module named after a command holds its
options (`add_parser`) and its work (`run`), and imports heavy modules in functions.
"""
