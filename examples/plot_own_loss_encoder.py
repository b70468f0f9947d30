"""
Your own loss or encoder
========================

How does a loss of your own, or another encoder, get into the segmenter, and does it pay? Both are
parameters, so cross-validation can tell.
"""
