"""
A survey larger than memory
===========================

How much memory does a prediction need? Not that of the cube: sections are read, predicted and
written a few at a time. We predict a Zarr store into another one, do the same through Dask, and ask
how the memory grows with the survey.
"""

# %%
# A survey in a Zarr store
# ------------------------
# ``write_cube("survey.zarr", open_cube("survey.sgy"))`` converts a SEG-Y file a few lines at a
# time. Here, a small synthetic survey takes the place of the file.
import tempfile
from pathlib import Path

import numpy as np
import xarray

from skfacies.datasets import make_facies_cube
from skfacies.io import open_cube, write_cube

folder = tempfile.TemporaryDirectory()
survey = make_facies_cube((48, 48, 64), n_facies=4, random_state=0)
axes = {"inline": np.arange(48), "crossline": np.arange(48), "twt": 4.0 * np.arange(64)}
store = write_cube(
    Path(folder.name, "survey.zarr"), xarray.DataArray(survey.data, axes, list(axes))
)
cube = open_cube(store)  # nothing is read yet

# %%
# Learn from a few lines
# ----------------------
# Only lines with labels are read.
from skfacies import CubeSegmenter, FaciesSegmenter

labels = np.full(cube.shape, -1, dtype=np.int8)
labels[::8] = survey.target[::8]
segmenter = CubeSegmenter(
    FaciesSegmenter(encoder_depth=3, decoder_channels=(16, 16, 8), max_epochs=30, random_state=0),
    direction="both",
)
segmenter.fit(cube, labels)

# %%
# Predict from store to store
# ---------------------------
# Any array that can be written to serves as ``out``: Zarr, HDF5, a NumPy memory map.
import zarr

out = zarr.create_array(
    Path(folder.name, "facies.zarr"), shape=cube.shape, dtype="int8", chunks=(16, 48, 64)
)
segmenter.predict(cube, out=out)

# %%
# The same through Dask
# ---------------------
# A Dask array gives a lazy Dask array. Each block is a task that any scheduler can run: this
# process here, a cluster with ``dask.distributed.Client``.
lazy = segmenter.predict(open_cube(store, chunks={"inline": 16}))
print(lazy.data)
print("equal to the first:", np.array_equal(lazy.compute(scheduler="synchronous"), out[:]))
folder.cleanup()

# %%
# The answer
# ----------
# ``estimate_memory`` says what a prediction costs before it is run. We ask for surveys of 900
# crosslines and 1000 samples.
import matplotlib.pyplot as plt

n_inlines = np.array([30, 100, 300, 1000, 3000, 10_000, 30_000])
sizes = n_inlines * 900 * 1000 * 4 / 1e9
fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
ax.loglog(sizes, sizes, color="0.6", label="amplitudes")
for direction, color in (("inline", "#0077BB"), ("crossline", "#44BB99"), ("both", "#882255")):
    segmenter.set_params(direction=direction)
    costs = [segmenter.estimate_memory((n, 900, 1000)) for n in n_inlines]
    memory = [cost.working / 1e9 for cost in costs]
    ax.loglog(sizes, memory, color=color, label=f"memory, {direction}")
file = [cost.scratch / 1e9 for cost in costs]
ax.loglog(sizes, file, color=color, ls="--", label="temporary file, both")
ax.set(xlabel="amplitudes of the survey (GB)", ylabel="needed in prediction (GB)")
ax.legend(frameon=False)

# %%
# Along inlines, the memory does not depend on the size of the survey. Crosslines get longer with
# the number of inlines, and some must be in memory: 2 GB for a survey of 108 GB. Both directions
# also need a temporary file for the probabilities of the first, twice the size of the amplitudes
# with four units. `memory_limit` and `scratch_dir` of the segmenter set how much memory is used,
# and where the file is. These are estimates for a small network; the user guide has measurements.
