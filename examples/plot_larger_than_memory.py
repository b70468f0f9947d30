"""
A survey larger than memory
===========================

How much memory does a prediction need? We predict a survey in a Zarr store, in the same process and
through Dask, and compare the memory with the size of the cube.
"""
