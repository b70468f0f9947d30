"""
From SEG-Y and picks to SEG-Y and horizons
==========================================

How do files of an interpretation system get in and out? A SEG-Y file and two horizons, picked on
five inlines, go in. Facies in SEG-Y and horizons on every trace come out, for the same system to
load.
"""

# %%
# Files of an interpretation system
# ---------------------------------
# We make them here, so that the example has some: a survey whose lines are turned by 20 degrees
# against X and Y, and horizon files that hold nothing but the picks on every tenth inline.
import tempfile
from pathlib import Path

import numpy as np
import xarray

from skfacies.datasets import make_facies_cube
from skfacies.horizons import write_horizon
from skfacies.io import write_cube

# sphinx_gallery_thumbnail_number = 2
folder = tempfile.TemporaryDirectory()
segy = Path(folder.name, "survey.sgy")
survey = make_facies_cube((45, 60, 96), n_facies=3, n_faults=1, random_state=2)
i, j = np.indices((45, 60))
sine, cosine = np.sin(np.deg2rad(20)), np.cos(np.deg2rad(20))
cube = xarray.DataArray(
    survey.data,
    {
        "inline": 200 + np.arange(45),
        "crossline": 400 + np.arange(60),
        "twt": ("twt", 1200 + 4.0 * np.arange(96), {"units": "ms"}),
        "cdp_x": (("inline", "crossline"), (431_000 + 25 * (j * cosine - i * sine)).round(1)),
        "cdp_y": (("inline", "crossline"), (6_780_000 + 25 * (j * sine + i * cosine)).round(1)),
    },
    ("inline", "crossline", "twt"),
)
write_cube(segy, cube)
picks = np.full_like(survey.horizons, np.nan)
picks[:, 2::10] = survey.horizons[:, 2::10]
for name, horizon in zip(["top_chaotic", "top_clinoform"], picks, strict=True):
    write_horizon(segy.with_name(f"{name}.dat"), horizon, like=cube, format="charisma")
print(*segy.with_name("top_chaotic.dat").read_text().splitlines()[:2], sep="\n")

# %%
# From files to labels
# --------------------
# ``open_cube`` reads line numbers, times and coordinates from the trace headers, and samples when
# they are used. ``read_horizons`` recognizes the format of the files and places the picks on
# the traces of the cube. The space between the horizons becomes labels, on traces with picks.
from skfacies.horizons import labels_from_horizons, read_horizons
from skfacies.io import open_cube

cube = open_cube(segy)
paths = [segy.with_name(name) for name in ("top_chaotic.dat", "top_clinoform.dat")]
horizons = read_horizons(paths, like=cube)
labels = labels_from_horizons(horizons.data, cube.sizes["twt"])
for number, unit in enumerate(horizons.units):
    print(number, unit)

# %%
# Learn and predict
# -----------------
# Training takes the lines that carry labels. A small network and few epochs make this example
# quick; leave these parameters out for a survey of your own.
from skfacies import CubeSegmenter, FaciesSegmenter

segmenter = CubeSegmenter(
    FaciesSegmenter(encoder_depth=3, decoder_channels=(32, 16, 16), max_epochs=40, random_state=0)
)
segmenter.fit(cube, labels)
facies = segmenter.predict(cube)
probabilities = segmenter.predict_proba(cube)

# %%
# A line half-way between two picked ones shows whether the units make sense. Axes have the line
# numbers and times of the file.
from skfacies.plotting import SectionDisplay

names = ["parallel", "chaotic", "clinoform"]
SectionDisplay.from_estimator(
    segmenter,
    cube.sel(inline=217),
    target_names=names,
    plot_kw={"panels": ["section", "prediction"]},
)

# %%
# From predictions to files
# -------------------------
# With ``like``, the facies get the trace headers of the survey, byte for byte. Horizons come from
# the probabilities: they lie between samples, and have an uncertainty.
from skfacies.horizons import contacts_from_probabilities

note = ", ".join(f"{number} {name}" for number, name in enumerate(names))
write_cube(segy.with_name("facies.sgy"), facies, like=segy, note=note)
contacts = contacts_from_probabilities(probabilities)
for path, depth, uncertainty in zip(paths, contacts.depth, contacts.uncertainty, strict=True):
    predicted = path.with_name(f"predicted_{path.stem}.xyz")
    write_horizon(predicted, depth, uncertainty=uncertainty, like=cube, format="xyz")
for path in sorted(segy.parent.iterdir()):
    print(f"{path.name:28}{path.stat().st_size / 1000:6.0f} kB")

# %%
# The answer
# ----------
# The horizon that was picked on the dashed lines is now on the whole map, in true coordinates.
from skfacies.plotting import HorizonDisplay

HorizonDisplay.from_estimator(
    segmenter, cube, contact=(1, 2), title="top clinoform, picked on five inlines"
)
error = 4 * np.abs(contacts.depth.values - survey.horizons)
for name, values in zip(horizons.names, error, strict=True):
    print(f"{name:14} off by {np.nanmean(values):.1f} ms on average")
folder.cleanup()

# %%
# On average, the horizons are within a sample of the true ones, which only a synthetic survey can
# tell. The map of uncertainty shows where to look first: along the fault, and at the edges of the
# survey. On the command line, ``skfacies fit`` and ``skfacies predict`` do the same without Python.
