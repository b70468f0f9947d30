"""
A cube along inlines and crosslines
===================================

A network of sections sees one direction of the survey. Does it help to predict a cube in both
directions? We compare inlines, crosslines and their average, and map the mis-ties: the places where
the two directions disagree.
"""
