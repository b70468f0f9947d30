"""Figures and panels of sections."""

from numbers import Integral

import numpy as np

from skfacies._colors import facies_colors

MISSING_COLOR = "0.92"  # no amplitude, or no entropy


TITLES = {
    "section": "Seismic amplitude",
    "labels": "Interpretation",
    "prediction": "Prediction",
    "entropy": "Uncertainty",
}


FACIES_PANELS = {"labels", "prediction"}


CONTACT_PANELS = {"prediction", "entropy"}  # where contacts of the interpretation are drawn


CONTACT_STYLE = {"color": "black", "linewidth": 0.8}


LEGEND_PLACE = {"loc": "upper left", "bbox_to_anchor": (1.02, 1), "borderaxespad": 0}


def cell_edges(numbers):
    """Edges of cells centered on `numbers`, half-way between neighbors."""
    numbers = np.asarray(numbers, dtype=float)
    steps = np.diff(numbers) if len(numbers) > 1 else np.ones(1)
    first, last = numbers[0] - steps[0] / 2, numbers[-1] + steps[-1] / 2
    return np.concatenate([[first], (numbers[:-1] + numbers[1:]) / 2, [last]])


def check_plot_params(clip_percentile, alpha, ncols):
    if not 0 < clip_percentile <= 100:
        raise ValueError(
            f"`clip_percentile` must be above 0 and at most 100; got {clip_percentile!r}."
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"`alpha` must be a number from 0 to 1; got {alpha!r}.")
    if ncols is not None and (not isinstance(ncols, Integral) or ncols < 1):
        raise ValueError(f"`ncols` must be an integer of at least 1, or None; got {ncols!r}.")


def check_panels(panels, available):
    if panels is None:
        return available
    panels = [panels] if isinstance(panels, str) else list(panels)
    absent = [name for name in panels if name not in available]
    if absent or not panels or len(set(panels)) < len(panels):
        raise ValueError(
            f"`panels` must be distinct names of panels that the display has, {available}; got "
            f"{panels}."
        )
    return panels


def check_axes_of_panels(axes, panels):
    """Return the Axes as a list with one for each panel."""
    axes = np.ravel(np.asarray(axes, dtype=object)).tolist()
    if len(axes) != len(panels):
        raise ValueError(
            f"`axes` must be one Axes for each panel, {panels}; got {len(axes)}. Select panels "
            "with `panels`."
        )
    return axes


def check_axes(axes, panels, labels):
    """Return the Axes as a list, and the place of the legend, beside the last Axes with facies."""
    axes = check_axes_of_panels(axes, panels)
    for ax in axes:
        ax.set(xlabel=labels[0], ylabel=labels[1])
    with_facies = [ax for name, ax in zip(panels, axes, strict=True) if name in FACIES_PANELS]
    owner = (with_facies or axes)[-1]
    return axes, (owner, LEGEND_PLACE)


def make_figure(shape, panels, ncols, labels):
    """Return a figure, an Axes for each panel, and the place of the legend."""
    import matplotlib.pyplot as plt

    n_traces, n_samples = shape
    if ncols is None:
        ncols = 1 if n_traces > 2 * n_samples else 2
    ncols = min(ncols, len(panels))
    nrows = -(-len(panels) // ncols)
    width = {1: 8.0, 2: 5.5}.get(ncols, 4.0)
    height = 0.6 + width * np.clip(n_samples / n_traces, 0.3, 1.0)
    figure, axes = plt.subplots(
        nrows,
        ncols,
        figsize=(ncols * width + 1.5, min(nrows * height + 0.3, 16.0)),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    axes = axes.ravel().tolist()
    axes, spare = axes[: len(panels)], axes[len(panels) :]
    for i, ax in enumerate(axes):
        # Not label_outer: a panel above an empty cell keeps its horizontal axis.
        bottom, left = i + ncols >= len(panels), i % ncols == 0
        ax.tick_params(labelbottom=bottom, labelleft=left)
        ax.ticklabel_format(style="plain", useOffset=False)  # of line numbers above 10 000
        ax.set(xlabel=labels[0] if bottom else "", ylabel=labels[1] if left else "")
    for ax in spare:
        ax.set_axis_off()
    if spare:
        return figure, axes, (spare[0], {"loc": "center"})
    if ncols == 1:
        return figure, axes, (figure, {"loc": "outside right center"})
    # Above the color bar of the entropy, in the column that the color bar needs anyway.
    return figure, axes, (axes[ncols - 1], LEGEND_PLACE)


def draw_amplitudes(ax, section, edges, clip_percentile, cmap):
    strength = np.abs(section[~np.isnan(section)].astype(np.float32))
    clip = np.percentile(strength, clip_percentile) if strength.size else 0
    if clip == 0:  # few samples, or none, are nonzero
        clip = strength.max(initial=0) or 1
    # Many traces share a pixel: without antialiasing, reflectors turn into moiré patterns.
    _draw_image(ax, section, edges, "antialiased", cmap=cmap, vmin=-clip, vmax=clip)


def draw_facies(ax, codes, n_classes, edges, alpha):
    from matplotlib.colors import to_rgba_array

    # Colors, not codes: interpolation between the codes 1 and 3 would give 2.
    table = np.zeros((n_classes + 1, 4), dtype=np.float32)  # last, no facies: transparent
    table[:n_classes] = to_rgba_array(facies_colors(n_classes), alpha)
    _draw_image(ax, table[codes], edges, "nearest")


def draw_entropy(ax, entropy, edges, cmap):
    image = _draw_image(ax, entropy, edges, "antialiased", cmap=cmap, vmin=0, vmax=1)
    # Inset, so that the panel keeps the size of the others and leaves room for a legend above.
    ax.figure.colorbar(image, cax=ax.inset_axes([1.02, 0, 0.03, 1]), label="normalized entropy")


def _draw_image(ax, values, edges, interpolation, **kwargs):
    values, (x, z) = values.swapaxes(0, 1), edges
    extent = (x[0], x[-1], z[-1], z[0])
    if all(np.allclose(np.diff(ends), (ends[-1] - ends[0]) / (len(ends) - 1)) for ends in edges):
        return ax.imshow(
            values,
            extent=extent,
            aspect="auto",
            origin="upper",
            interpolation=interpolation,
            **kwargs,
        )
    image = ax.pcolorfast(x, z, values, **kwargs)
    ax.set(xlim=extent[:2], ylim=extent[2:])
    return image


def contact_segments(codes, n_classes, edges):
    """Edges between samples of two facies, shape (n_segments, 2, 2); none next to no facies."""
    x, z = edges
    known = codes < n_classes
    below = (codes[:, 1:] != codes[:, :-1]) & known[:, 1:] & known[:, :-1]
    i, j = np.nonzero(below)
    flat = [[x[i], z[j + 1]], [x[i + 1], z[j + 1]]]
    beside = (codes[1:] != codes[:-1]) & known[1:] & known[:-1]
    i, j = np.nonzero(beside)
    steep = [[x[i + 1], z[j]], [x[i + 1], z[j + 1]]]
    return np.concatenate([flat, steep], axis=2).transpose(2, 0, 1)


def draw_contacts(ax, segments):
    from matplotlib.collections import LineCollection

    lines = LineCollection(segments, capstyle="projecting", **CONTACT_STYLE)
    ax.add_collection(lines, autolim=False)


def draw_legend(place, names, alpha, cmap, contacts):
    import matplotlib.pyplot as plt
    from matplotlib.colors import to_rgb
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    background = np.asarray(plt.get_cmap(cmap)(0.5)[:3])  # what lies under a facies, on average
    handles = [
        Patch(facecolor=alpha * np.asarray(to_rgb(color)) + (1 - alpha) * background, label=name)
        for color, name in zip(facies_colors(len(names)), names, strict=True)
    ]
    if contacts:
        handles.append(Line2D([], [], label="interpreted contact", **CONTACT_STYLE))
    owner, where = place
    return owner.legend(handles=handles, title="facies", **where)
