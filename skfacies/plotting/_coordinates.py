"""Line numbers and times or depths of a section, as its axes show them."""

import warnings

import numpy as np

from skfacies._cubes.axes import known_axes, unit_of, vertical_label
from skfacies._cubes.holders import AXES, has_named_axes, ordered_dims
from skfacies._cubes.positions import PATH, trace_numbers
from skfacies._sections.estimators import find_parameter, last_step

__all__ = ["check_order", "line_of", "predict_section", "sample_axis", "trace_axis"]


def check_order(section):
    """Reject a DataArray whose axes, by their names, are not traces and samples."""
    if not has_named_axes(section):
        return
    axes = [known_axes([dim]).get(dim) for dim in section.dims]
    if axes[:1] == ["samples"] or not set(AXES).isdisjoint(axes[1:2]):
        raise ValueError(
            f"`section` has the axes {section.dims}, but traces come first and samples second in "
            "a section. Use section.transpose, or select one line, such as cube.sel(inline=300)."
        )


def trace_axis(section):
    """Line numbers of the traces and the label of their axis, or None if they are not known."""
    numbers = _numbers_along(section, 0)
    if numbers is None:
        return None
    dim = section.dims[0]
    if _is_2d_line(section):
        return numbers, "trace"
    unit = section.coords[dim].attrs.get("units")
    return numbers, known_axes([dim]).get(dim, f"{dim} ({unit})" if unit else str(dim))


def sample_axis(section):
    """Times or depths of the samples and the label of their axis, or None if not known."""
    values = _numbers_along(section, 1)
    if values is None or values[-1] < values[0]:
        return None
    dim = section.dims[1]
    return values, vertical_label(dim, unit_of(dim, values, section.coords[dim].attrs))


def line_of(section):
    """The line that a section was cut along, such as "inline 300", or "" if it is not known."""
    lines = {} if not has_named_axes(section) or _is_2d_line(section) else _single_lines(section)
    for name, axis in lines.items():
        number = section.coords[name]
        if number.dtype.kind in "iuf" and np.isfinite(number):
            return f"{axis} {np.format_float_positional(float(number), trim='-')}"
    return ""


def predict_section(estimator, method, section):
    """What a method of an estimator gives for one section, as an array (1, n_traces, ...).

    An estimator that uses line numbers gets those of the section.
    """
    with warnings.catch_warnings():  # of a line across `direction`, which was asked for
        warnings.filterwarnings("ignore", "`X` is one (in|cross)line and", UserWarning)
        return _predict_line(getattr(estimator, method), last_step(estimator), section)


def _predict_line(predict, estimator, section):
    placed = trace_numbers([section], 0) is not None
    if placed and find_parameter(estimator, "positions", None) is not None:
        if not hasattr(estimator, "estimator_"):
            return np.asarray(predict([section]))
        lines = list(_single_lines(section))
        if len(lines) == 1:  # a CubeSegmenter takes a cube of one line
            cube = section.expand_dims(lines)
            return np.asarray(predict(cube.transpose(*ordered_dims(cube))).squeeze(lines))[None]
    return np.asarray(predict(np.asarray(section)[None]))


def _numbers_along(section, axis):
    """Coordinates of an axis of a DataArray if they ascend or descend all along it, else None."""
    if not has_named_axes(section) or section.dims[axis] not in section.coords:
        return None
    coordinate = section.coords[section.dims[axis]]
    if coordinate.dtype.kind not in "iuf":
        return None
    values = np.asarray(coordinate, dtype=np.float64)
    steps = np.diff(values)
    in_order = np.isfinite(values).all() and ((steps > 0).all() or (steps < 0).all())
    return values if in_order else None


def _single_lines(section):
    """Coordinates of the whole section that are lines: "inline" or "crossline" by name."""
    whole = [name for name, coordinate in section.coords.items() if coordinate.ndim == 0]
    return {name: axis for name, axis in known_axes(whole).items() if axis in AXES}


def _is_2d_line(section):
    """Whether a section is a 2-D line, which has numbers of its own, not those of a survey."""
    is_placed = not set(PATH).isdisjoint(section.coords)
    return is_placed or section.attrs.get("inline_byte") == 0  # `open_cube(..., inline_byte=None)`
