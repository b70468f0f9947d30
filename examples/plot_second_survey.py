"""
From one survey to the next
===========================

How many lines of a second survey have to be interpreted, if a model of a first survey is at hand? We
compare fine-tuning with a fresh start.
"""
