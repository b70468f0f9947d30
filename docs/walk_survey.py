"""Write a synthetic survey and picks of three horizons on some of its lines.

python walk_survey.py                                picks on six lines
python walk_survey.py inline=1010 crossline=2030     and on these lines
"""

import sys

import numpy as np
import segyio

from skfacies.datasets import make_facies_cube

NAMES = ["top_sand", "top_shale", "top_salt"]
LINES = ["inline=1005,1015,1025,1035", "crossline=2016,2048"]
FIRST_TIME, INTERVAL = 800, 4  # ms


def write_survey(path, cube, inlines, crosslines, x, y):
    """Write SEG-Y with line numbers in bytes 9 and 21, X and Y in bytes 73 and 77."""
    spec = segyio.spec()
    spec.format, spec.samples, spec.tracecount = 5, np.arange(cube.shape[2]), inlines.size
    with segyio.create(path, spec) as file:
        file.bin[segyio.BinField.Interval] = 1000 * INTERVAL
        file.trace = cube.reshape(inlines.size, -1).astype(np.float32)
        for k, header in enumerate(file.header):
            header.update(
                {
                    9: inlines.flat[k],
                    21: crosslines.flat[k],
                    71: -10,  # X and Y are in tenths of a meter
                    73: round(10 * x.flat[k]),
                    77: round(10 * y.flat[k]),
                    109: FIRST_TIME,
                    117: 1000 * INTERVAL,
                }
            )


def write_picks(path, times, x, y, picked):
    """Write X, Y and time of the traces that are picked."""
    columns = np.stack([x, y, times], axis=-1)[picked & np.isfinite(times)]
    np.savetxt(path, columns, fmt="%.1f %.1f %.2f", header="X Y TWT", comments="")


def main(lines, shape=(40, 64, 96)):
    survey = make_facies_cube(shape, n_facies=4, random_state=0)
    inlines, crosslines = 1001 + np.arange(shape[0]), 2001 + np.arange(shape[1])
    inlines, crosslines = np.meshgrid(inlines, crosslines, indexing="ij")
    # Bins of 25 x 12.5 m, turned by 30 degrees.
    along, across = 25.0 * (inlines - 1001), 12.5 * (crosslines - 2001)
    cosine, sine = np.cos(np.radians(30)), np.sin(np.radians(30))
    x = np.round(431_000 + along * cosine - across * sine, 1)
    y = np.round(6_780_000 + along * sine + across * cosine, 1)
    write_survey("survey.sgy", survey.data, inlines, crosslines, x, y)
    picked = np.zeros(shape[:2], bool)
    for line in [*LINES, *lines]:
        name, numbers = line.split("=")
        own = inlines if name == "inline" else crosslines
        picked |= np.isin(own, [int(number) for number in numbers.split(",")])
    for name, depth in zip(NAMES, survey.horizons, strict=True):
        write_picks(f"{name}.xyz", FIRST_TIME + INTERVAL * depth, x, y, picked)


if __name__ == "__main__":
    main(sys.argv[1:])
