"""
What positions add
==================

Sections that know where they lie can use the picked contacts of the lines beside them. How much does
that improve a prediction, and how far from the picked lines?
"""
