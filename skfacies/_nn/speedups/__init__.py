"""Takes the network and the C library apart for speed; results are the same up to rounding.

Imports no other module of the package. Without this folder, or with a version of
segmentation-models-pytorch that it does not know, `skfacies._nn.speed` goes the plain way.
"""
