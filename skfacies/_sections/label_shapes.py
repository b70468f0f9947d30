"""Advice, based on the values, when labels do not have the shape of their amplitudes."""

import numpy as np

__all__ = ["wrong_shape_message"]


def wrong_shape_message(y, whole, name, like, n_axes):
    """What is wrong with the shape of `y`, and what to do.

    Parameters
    ----------
    y : array of any shape
        Only a few of its sections are read.
    whole : tuple of int
        Shape of the sections, including channels.
    name, like : str
        Names of `y` and of the sections.
    n_axes : int or None
        Number of axes of `whole` that `y` should have. None is all of them.
    """
    shape, whole = tuple(y.shape), tuple(whole)
    expected = whole[:n_axes]
    message = f"`{name}` must have the shape of `{like}`, {expected}; got {shape}."
    if len(whole) > len(expected):
        message = (
            f"`{name}` must have the shape of `{like}`, {whole}, without the channels, which come "
            f"last; got {shape}."
        )
        if shape == whole:
            return (
                f"{message} If `{like}` is a cube, cut it into sections; if it has one channel "
                "before the traces, remove that axis from both."
            )
        if shape == whole[: n_axes - 2] + whole[n_axes - 1 :]:
            return f"{message} Channels seem to come before the traces: move that axis to the end."
    return f"{message} {_advice(y, shape, expected, name)}".rstrip()


def _advice(y, shape, expected, name):
    extra = [k for k in range(len(shape))[::-1] if shape[:k] + shape[k + 1 :] == expected]
    if extra:
        return _advice_for_channels(y, extra, name)
    if sorted(shape) == sorted(expected):
        return "The axes seem to be transposed: samples come last."
    if len(shape) == len(expected) - 1 and expected == (1, *shape):
        return f"For one section, use {name}[None]."
    if len(shape) < len(expected):
        return "Every sample needs its own value."
    return ""


def _advice_for_channels(y, axes, name):
    """Advice on the extra axis, which may be any of `axes` if their lengths are equal."""
    for axis in axes:
        if y.shape[axis] == 1:
            return f"Remove the axis of length 1: {_channel(name, axis, len(y.shape))}."
    for axis in axes:
        values = _look(y, axis)
        if values.dtype.kind not in "biuf" or not values.size:
            break
        advice = _advice_for_values(values, name, axis, _channel(name, axis, len(y.shape)))
        if advice:
            return advice
    return (
        f"Axis {axes[0]} has {y.shape[axes[0]]} values for each sample, which are neither one-hot "
        "labels nor probabilities. Reduce them to one label per sample."
    )


def _channel(name, axis, n_axes):
    return f"{name}[..., 0]" if axis == n_axes - 1 else f"{name}[{':, ' * axis}0]"


def _look(y, axis):
    """Values of a few sections, with `axis` moved to the end."""
    other = 0 if axis else 1  # the sections, or the traces of a section
    n_others = y.shape[other]
    found = []
    for k in sorted({0, n_others // 3, n_others // 2, n_others - 1}):
        piece = np.asarray(y[k] if other == 0 else y[:, k])
        found.append(np.moveaxis(piece, axis - 1 if axis else 0, -1))
    return np.stack(found)


def _advice_for_values(values, name, axis, first):
    """Advice for reducing the last axis to one label per sample; None if no advice fits."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return None
    n_channels, lowest, highest = values.shape[-1], values.min(), values.max()
    to_one = lowest >= 0 and highest <= 1
    if to_one and (advice := _advice_for_classes(values, name, axis)):
        return advice
    if (values == values[..., :1]).all():
        return f"Its {n_channels} channels are equal: use {first}."
    if n_channels not in (3, 4):
        return None
    if (values[..., :3] == values[..., :1]).all():
        return f"It seems to be a gray image with equal channels: use {first}."
    if (to_one and values.dtype.kind == "f") or (lowest >= 0 and 31 < highest <= 255):
        how = f", by ({name} == color).all({axis})" if "..." in first else ""
        return f"It seems to hold colors: map each color to its own number{how}."
    return None


def _advice_for_classes(values, name, axis):
    """Advice on one-hot labels and probabilities; None if values from 0 to 1 are neither."""
    sums, whole = values.sum(axis=-1, dtype=np.float64), bool(np.isin(values, (0, 1)).all())
    argmax = f"{name}.argmax({axis})"
    if np.allclose(sums, 1, atol=1e-2):
        if whole:
            return f"For one-hot labels, use {argmax}."
        return f"For probabilities, use classes[{argmax}]."
    if whole and sums.max() == 1:  # argmax would give samples without a class the first class
        return (
            "For one-hot labels with samples that have no class, use "
            f"np.where({name}.any({axis}), {argmax}, -1)."
        )
    return None
