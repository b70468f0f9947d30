"""What a page shows on top of each other: amplitudes, facies, uncertainty."""

from typing import NamedTuple

import numpy as np

from skfacies._colors import facies_colors
from skfacies._cubes.holders import check_chunks, check_cube, unwrap
from skfacies._cubes.pairing import align
from skfacies._sections.labels import union_labels
from skfacies._sections.validation import check_same_structure
from skfacies.viewing._page import compress
from skfacies.viewing._reduction import Labels, Values, find_range, reduced

__all__ = [
    "Layer",
    "amplitude_layer",
    "choose_classes",
    "describe_layers",
    "doubt_layers",
    "label_layers",
    "pack",
]

CHUNK_BYTES = 2**21
FRACTION_CODES = 101  # hundredths


class Layer(NamedTuple):
    """A cube to show.

    `kind` is amplitude, facies, interpretation or doubt; `argument` is its name in messages. Maps
    of traces have one sample. `span` is the lowest and the highest number shown, None for labels.
    """

    name: str
    kind: str
    argument: str
    array: object
    span: tuple = None

    @property
    def n_codes(self):
        return 255 if self.kind == "amplitude" else FRACTION_CODES

    def as_json(self):
        known = {"name": self.name, "kind": self.kind, "isMap": self.array.shape[2] == 1}
        if self.span is None:
            return known
        low, high = (float(f"{number:.6g}") for number in self.span)
        return {**known, "low": low, "high": high, "nCodes": self.n_codes}

    def encoder(self, step, ignore_label):
        if self.span is None:
            return Labels(self.argument, ignore_label)
        smooths = self.kind == "amplitude"
        return Values(*self.span, self.n_codes, step if smooths else 1)


def amplitude_layer(cube):
    array = check_cube(unwrap(cube)[0], "cube")
    if np.dtype(array.dtype).kind not in "biuf":
        raise ValueError(f"`cube` must hold real amplitudes; got dtype {array.dtype}.")
    return Layer("amplitude", "amplitude", "cube", array, find_range(array, "cube"))


def label_layers(cube, facies, interpretation):
    """Layers of the predicted facies, in their order, and of the interpretation."""
    named = facies if hasattr(facies, "items") and not hasattr(facies, "dims") else None
    if named is None:
        named = {} if facies is None else {"prediction": facies}
    layers = [
        Layer(str(name), "facies", f"facies[{name!r}]" if len(named) > 1 else "facies", labels)
        for name, labels in named.items()
    ]
    if interpretation is not None:
        layers.append(Layer("interpretation", "interpretation", "interpretation", interpretation))
    return [layer._replace(array=_like(layer.array, cube, layer.argument)) for layer in layers]


def doubt_layers(cube, entropy, mistie):
    layers = []
    for name, argument, values in (("entropy", "entropy", entropy), ("mis-tie", "mistie", mistie)):
        if values is None:
            continue
        shape = getattr(values, "shape", np.shape(values))
        if argument == "mistie" and len(shape) == 2:
            array = _map_like(values, cube)
        else:
            array = _like(values, cube, argument)
        if np.dtype(array.dtype).kind not in "biuf":
            raise ValueError(f"`{argument}` must hold real numbers; got dtype {array.dtype}.")
        low, high = find_range(array, argument)
        # Entropy has one scale, whatever occurs in this cube; in nats it may exceed 1.
        span = (min(low, 0.0), max(high, 1.0) if argument == "entropy" else high)
        layers.append(Layer(name, "doubt", argument, array, span))
    return layers


def _like(values, cube, name):
    """A cube with the axes, lines and shape of the amplitudes."""
    array = unwrap(align(values, cube, name, "cube"))[0]
    check_chunks(array, name)
    return check_same_structure(array, unwrap(cube)[0], name, "cube")


def _map_like(values, cube):
    """A map (n_inlines, n_crosslines) as a cube of one sample."""
    if {"inline", "crossline"} <= set(getattr(values, "dims", ())):
        values = values.transpose("inline", "crossline")
    array = np.asarray(values)
    expected = unwrap(cube)[0].shape[:2]
    if array.shape != tuple(expected):
        raise ValueError(
            f"`mistie` must have the shape of `cube`, or of its map, {tuple(expected)}; got "
            f"{array.shape}."
        )
    return array[:, :, None]


# --- bytes ----------------------------------------------------------------------------------


def pack(layers, kept, steps, ignore_label=-1):
    """Compressed bytes of all layers.

    Parameters
    ----------
    layers : list of Layer
    kept : tuple of three arrays
        Positions that are kept along each axis.
    steps : tuple of three int
    ignore_label : int, str or None, default=-1

    Returns
    -------
    chunks : list of (layer, first kept inline, bytes)
    encoders : list of Labels or Values
        What made the bytes of each layer.
    """
    chunks, encoders = [], []
    for number, layer in enumerate(layers):
        encoder = layer.encoder(steps[2], ignore_label)
        encoders.append(encoder)
        samples = kept[2] if layer.array.shape[2] > 1 else np.zeros(1, dtype=int)
        held, first = [], 0
        for section in reduced(layer.array, (*kept[:2], samples), layer.argument, encoder):
            held.append(section)
            if section.nbytes * len(held) >= CHUNK_BYTES:
                chunks.append((number, first, compress(np.stack(held))))
                first, held = first + len(held), []
        if held:
            chunks.append((number, first, compress(np.stack(held))))
    return chunks, encoders


def describe_layers(layers, encoders, names):
    """What the page must know of the layers, and of the facies, as JSON."""
    found = [coder.found for coder in encoders if isinstance(coder, Labels)]
    found = [labels for labels in found if labels is not None]
    found = union_labels(found) if found else np.array([], dtype=int)
    classes, words = choose_classes(found, names)
    described = [layer.as_json() for layer in layers]
    for layer, coder in zip(described, encoders, strict=True):
        if isinstance(coder, Labels):
            layer["table"] = coder.positions(classes).tolist()
    facies = [
        {"name": word, "label": label, "color": color}
        for word, label, color in zip(
            words, classes.tolist(), facies_colors(len(classes)), strict=True
        )
    ]
    return described, facies


def choose_classes(found, names):
    """The facies in the order of their colors, and their names.

    As in the displays, names of labels that do not occur keep their place: a unit has the same
    color in every picture.
    """
    if names is None:
        return found, [str(label) for label in found.tolist()]
    if hasattr(names, "items"):
        classes = (
            union_labels([found, np.array(list(names))])
            if len(found)
            else np.sort(np.array(list(names)))
        )
        known = {str(label): str(name) for label, name in names.items()}
        return classes, [known.get(str(label), str(label)) for label in classes.tolist()]
    words = [str(name) for name in names]
    if found.dtype.kind in "iu" and np.isin(found, np.arange(len(words))).all():
        return np.arange(len(words)), words
    if len(words) != len(found):
        raise ValueError(
            f"`names` must have one name for each of the {len(found)} labels {found.tolist()}; "
            f"got {len(words)}. With a dict, such as {{{found.tolist()[0]!r}: 'sand'}}, some "
            "labels can go without."
        )
    return found, words
