"""
Thin units
==========

Is a unit of a few samples found at all, or does the loss of the thick units drown it? We train with
and without the weights that help rare units, and look at the thin one.
"""
