"""What an ONNX graph does before and after the network: the arithmetic of `predict_proba`.

Arrays are (n_sections, n_channels, n_traces, n_samples) until the last step. All sizes are dynamic.
"""

import functools

import numpy as np

from skfacies._nn.inference import CONTEXT_TRACES, MIN_TRACES_WITHOUT_CONTEXT
from skfacies._sections.undefined import LEAST_UNDEFINED_MAGNITUDE, SHORTEST_MUTE

__all__ = ["Operators", "finish", "prepare"]

_TRACES, _SAMPLES = 2, 3


class Operators:
    """Collects nodes: ``op.Add(x, 1)`` adds one and returns the name of its output.

    Numbers and lists become constants, int64 or float32.
    """

    def __init__(self):
        self.nodes, self.constants = [], {}

    def __getattr__(self, name):
        if not name[0].isupper():
            raise AttributeError(name)
        return functools.partial(self._add, name)

    def _add(self, name, *inputs, output=None, **attributes):
        from onnx import helper

        inputs = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        output = output or f"skfacies.{name}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(name, inputs, [output], **attributes))
        return output

    def _constant(self, value):
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        name = f"skfacies.constant_{len(self.constants)}"
        self.constants[name] = array
        return name

    def as_float(self, value):
        """0 and 1 for a bool array, float32 for integers."""
        from onnx import TensorProto

        return self.Cast(value, to=TensorProto.FLOAT)

    def size(self, value, axis):
        """Size of an axis, as an array of one value."""
        return self.Shape(value, start=axis, end=axis + 1)


def prepare(op, amplitudes, *, n_amplitudes, scalers, depth_range, dead_rows, multiple, smallest):
    """From amplitudes to the input of the network, and what `finish` needs.

    Parameters
    ----------
    op : Operators
    amplitudes : str
        (n_sections, n_traces, n_samples), and channels if there are several.
    n_amplitudes : int
        Channels of the sections.
    scalers : list of AmplitudeScaler or None
        Applied one after the other; the last is that of the segmenter.
    depth_range, dead_rows
        Of the fitted segmenter.
    multiple, smallest : int
        Of the network.

    Returns
    -------
    padded : str
    window : dict of str
    """
    if n_amplitudes > 1:
        amplitudes = op.Transpose(amplitudes, perm=[0, 3, 1, 2])
    else:
        amplitudes = op.Unsqueeze(amplitudes, [1])
    for scaler in scalers[:-1]:
        undefined = _undefined(op, amplitudes)
        amplitudes = op.Where(undefined, np.nan, _scaled(op, amplitudes, scaler, n_amplitudes))
    undefined = _undefined(op, amplitudes)
    dead = op.Or(undefined, _mutes(op, amplitudes, undefined))
    channels = op.Where(dead, 0.0, _scaled(op, amplitudes, scalers[-1], n_amplitudes))
    if depth_range is not None:
        channels = op.Concat(channels, _depths(op, channels, depth_range), axis=1)
    first_channel = functools.partial(op.Gather, axis=1)
    window = _window_around_live(op, first_channel(dead, 0), dead_rows)
    window["missing"] = first_channel(undefined, 0)
    padded = channels
    for axis, first, n, context in (
        (_TRACES, "first", "n_traces", "context"),
        (_SAMPLES, "top", "n_samples", None),
    ):
        context = window[context] if context else [0]
        places = _padded_places(op, window[n], context, multiple, smallest)
        padded = op.Gather(padded, op.Add(window[first], places), axis=axis)
    return padded, window


def finish(op, logits, window, *, output):
    """From the network's logits to probabilities (n_sections, n_traces, n_samples, n_classes)."""
    starts = op.Concat(window["context"], [0], axis=0)
    sizes = op.Concat(window["n_traces"], window["n_samples"], axis=0)
    logits = op.Slice(logits, starts, op.Add(starts, sizes), [_TRACES, _SAMPLES])
    probabilities = op.Softmax(op.Transpose(logits, perm=[0, 2, 3, 1]), axis=-1)
    before = [window["first"], window["top"]]
    after = [
        op.Sub(op.size(window["missing"], axis), op.Add(start, window[n]))
        for axis, start, n in zip((1, 2), before, ("n_traces", "n_samples"), strict=True)
    ]
    around = op.Concat([0], *before, [0, 0], *after, [0], axis=0)
    probabilities = op.Pad(probabilities, around, mode="edge")
    return op.Where(op.Unsqueeze(window["missing"], [3]), np.nan, probabilities, output=output)


def _undefined(op, amplitudes):
    huge = op.GreaterOrEqual(op.Abs(amplitudes), LEAST_UNDEFINED_MAGNITUDE)
    return op.Or(op.IsNaN(amplitudes), huge)


def _scaled(op, amplitudes, scaler, n_amplitudes):
    if scaler is None:
        return amplitudes
    center, scale = (_of_channels(own, n_amplitudes) for own in (scaler.center_, scaler.scale_))
    scaled = op.Div(op.Sub(amplitudes, center), scale)
    return (
        scaled if scaler.clip is None else op.Clip(scaled, -float(scaler.clip), float(scaler.clip))
    )


def _of_channels(values, n_amplitudes):
    """One number for all channels, or one for each; those of neighboring lines repeat."""
    if not np.ndim(values):
        return float(values)
    return np.resize(values, n_amplitudes).astype(np.float32)[:, None, None]


def _mutes(op, amplitudes, undefined):
    """Constant traces and mutes, as `dead_samples` finds them."""
    found = op.Or(*(_mutes_of_one_end(op, amplitudes, undefined, end) for end in (0, 1)))
    return op.And(found, op.Greater(op.size(amplitudes, _SAMPLES), [1]))


def _mutes_of_one_end(op, amplitudes, undefined, backwards):
    defined = op.as_float(op.Not(undefined))
    place = op.ArgMax(defined, axis=_SAMPLES, select_last_index=backwards)
    outermost = op.GatherElements(amplitudes, place, axis=_SAMPLES)
    other = op.as_float(op.Not(op.Or(op.Equal(amplitudes, outermost), undefined)))
    same = op.Equal(op.CumSum(other, _SAMPLES, reverse=backwards), 0.0)
    n_same = op.ReduceSum(op.Mul(op.as_float(same), defined), [_SAMPLES])
    n_defined = op.ReduceSum(defined, [_SAMPLES])
    muted = op.GreaterOrEqual(n_same, op.Min(n_defined, float(SHORTEST_MUTE)))
    # Two samples are enough if all traces begin, or end, that way.
    least = op.ReduceMin(op.Where(muted, np.inf, n_same), [_TRACES])
    all_muted = op.And(op.Greater(least, 1.0), op.Less(least, np.inf))
    not_same = op.as_float(op.And(op.Not(muted), op.Not(same)))
    in_all = op.Equal(op.ReduceMax(not_same, [_TRACES]), 0.0)
    return op.And(same, op.Or(muted, op.And(all_muted, in_all)))


def _depths(op, channels, depth_range):
    """The depth channel: from -1 at the top to 1 at the last sample of the training's deepest."""
    depths = op.as_float(op.Range(0, op.Squeeze(op.size(channels, _SAMPLES)), 1))
    depths = op.Sub(op.Mul(depths, 2.0 / max(depth_range - 1, 1)), 1.0)
    sizes = (op.size(channels, axis) for axis in (_TRACES, _SAMPLES))
    return op.Expand(depths, op.Concat(op.size(channels, 0), [1], *sizes, axis=0))


def _window_around_live(op, dead, dead_rows):
    """First trace, top sample and sizes of what is predicted; of all sections together."""
    live = op.as_float(op.Not(dead))
    window = {}
    for axis, start, n, margins in (
        (1, "first", "n_traces", (0, 0)),
        (2, "top", "n_samples", dead_rows),
    ):
        along = op.ReduceMax(live, [0, 3 - axis], keepdims=0)
        first = op.Sub(op.ArgMax(along, axis=0), [int(margins[0])])
        last = op.Add(op.ArgMax(along, axis=0, select_last_index=1), [1 + int(margins[1])])
        window[start] = op.Max(first, [0])
        window[n] = op.Sub(op.Min(last, op.size(dead, axis)), window[start])
    few = op.Less(window["n_traces"], [MIN_TRACES_WITHOUT_CONTEXT])
    window["context"] = op.Where(few, [CONTEXT_TRACES], [0])
    return window


def _padded_places(op, n, context, multiple, smallest):
    """Places in an axis of n values: mirrored context on both sides, padding at the end."""
    whole = op.Add(n, op.Mul(context, [2]))
    padded = op.Mul(op.Div(op.Add(whole, [multiple - 1]), [multiple]), [multiple])
    places = op.Range(0, op.Squeeze(op.Max(padded, [smallest])), 1)
    places = _mirrored(op, _mirrored(op, places, padded), whole)
    return _mirrored(op, op.Sub(places, context), n)


def _mirrored(op, places, n):
    """Places within n values, of a line that is mirrored at both ends again and again."""
    twice = op.Mul(n, [2])
    places = op.Mod(places, twice)
    return op.Min(places, op.Sub(op.Sub(twice, [1]), places))
