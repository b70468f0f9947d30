"""
How sure is the model away from the picked lines?
=================================================

A contact comes with an uncertainty. Does it grow with the distance from the picked lines, and is it
as large as the error?
"""
