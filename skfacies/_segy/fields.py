"""Fields of SEG-Y trace headers: their names in the standard, and what they hold in a file."""

import numpy as np

from skfacies._segy.file import HEADER, read_words

__all__ = ["varying_fields"]

#: Number of traces that are examined, evenly spread over the file.
N_LOOKED_AT = 20_000
#: Names by first byte. Those of one word have two bytes, the others four.
LONG = {
    1: "trace in line",
    5: "trace in file",
    9: "field record",
    13: "channel",
    17: "source point",
    21: "CDP",
    25: "trace in CDP",
    37: "offset",
    41: "receiver elevation",
    45: "source elevation",
    49: "source depth",
    53: "receiver datum",
    57: "source datum",
    61: "water depth at source",
    65: "water depth at receiver",
    73: "source X",
    77: "source Y",
    81: "receiver X",
    85: "receiver Y",
    181: "CDP X",
    185: "CDP Y",
    189: "inline",
    193: "crossline",
    197: "shot point",
}
SHORT = {
    29: "trace code",
    31: "traces summed",
    33: "traces stacked",
    69: "scalar of elevations",
    71: "scalar of coordinates",
    89: "unit of coordinates",
    109: "delay of first sample",
    115: "samples",
    117: "sample interval",
    201: "scalar of shot points",
}


def varying_fields(segy):
    """Fields that differ from trace to trace, in the order of their bytes.

    Beyond the standard, bytes 205-240 are read as numbers of four bytes, as vendors use them.

    Returns
    -------
    fields : list of dict
        `byte`, `name`, `lowest`, `highest`, and `n_values` among up to 20 000 traces.
    """
    names = {**LONG, **SHORT, **dict.fromkeys(range(205, HEADER - 2, 4), "not in the standard")}
    fields = {str(byte): (byte, "i2" if byte in SHORT else "i4") for byte in sorted(names)}
    count = min(segy.n_traces, N_LOOKED_AT)
    some = np.unique(np.linspace(0, segy.n_traces - 1, count).astype(np.int64))
    found = []
    for byte, values in read_words(segy, fields, some).items():
        n_values = len(np.unique(values))
        if n_values > 1:
            extremes = {"lowest": int(values.min()), "highest": int(values.max())}
            found.append(
                {"byte": int(byte), "name": names[int(byte)], **extremes, "n_values": n_values}
            )
    return found
