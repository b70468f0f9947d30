"""Recipes by name: what they change in the default `FaciesSegmenter`."""


def _augment(**strengths):
    return {"augment": strengths}


_GEOMETRY = {"stretch": 0.15, "dip": 0.04, "warp": 0.03, "shift": 0.04}
_DEPTH = {"depth_channel": True}

RECIPES = {
    "default": {},
    "depth": _DEPTH,
    "geometry": _augment(**_GEOMETRY),
    "geometry, depth": _DEPTH | _augment(**_GEOMETRY),
    "frequency": _augment(frequency=0.5),
    "cutout": _augment(cutout=0.4),
    "warp": _augment(warp=0.03),
    "shift, depth": _DEPTH | _augment(shift=0.1),
    "warp, frequency, depth": _DEPTH | _augment(warp=0.03, frequency=0.5),
    "polarity": _augment(polarity=0.5),
}
