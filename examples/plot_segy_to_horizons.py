"""
From SEG-Y and picks to SEG-Y and horizons
==========================================

How do files of an interpretation system get in and out? A SEG-Y file and two horizons, picked on a
few lines, go in. Facies in SEG-Y and horizons on every trace come out, for the same system to load.
"""
