"""Maps of values that lie on inlines and crosslines, by line numbers or in true coordinates."""

import numpy as np
from scipy.ndimage import gaussian_filter

from skfacies.plotting._drawing import MISSING_COLOR, cell_edges

__all__ = ["SurveyMap", "add_colorbar", "color_range", "contour_levels"]

#: Cells drawn along each axis, at most: more than a figure has pixels.
MOST_CELLS = 1500

#: Standard deviation, in lines, of the filter before contours are drawn: picks at whole samples
#: would give staircases.
CONTOUR_SMOOTHING = 2.0

#: Labels along one side of a map, at most.
MOST_LABELS = 12

LINE_STYLE = {"color": "black", "lw": 0.9, "ls": (0, (5, 2))}


class SurveyMap:
    """Where lines are on a map: at their numbers, or, if X and Y are given, in true aspect.

    Parameters
    ----------
    inlines, crosslines : array of shape (n_inlines,), (n_crosslines,)
        Line numbers.
    x, y : array of shape (n_inlines, n_crosslines), or None
        Coordinates of the traces; NaN where they are not known.
    unit : str, default="m"
        Unit of the coordinates.
    """

    def __init__(self, inlines, crosslines, x=None, y=None, unit="m"):
        self.inlines, self.crosslines, self.unit = inlines, crosslines, unit
        self.rows = None if x is None else _fit_coordinates(inlines, crosslines, x, y)

    def place(self, inline, crossline):
        """Map coordinates (horizontal, vertical) of line numbers, which are broadcast."""
        inline, crossline = np.broadcast_arrays(np.asarray(inline, float), crossline)
        if self.rows is None:
            return crossline, inline
        ones = np.ones(inline.shape)
        return tuple(np.tensordot(row, [ones, inline, crossline], axes=1) for row in self.rows)

    def aspect(self):
        """Height of the map divided by its width; of bins that are as long as wide, if unknown."""
        if self.rows is None:
            return len(self.inlines) / len(self.crosslines)
        x, y = self._corners()
        return np.ptp(y) / np.ptp(x)

    def draw(self, ax, values, **kwargs):
        """Draw values of shape (n_inlines, n_crosslines) as cells, and set the axes."""
        step = [-(-size // MOST_CELLS) for size in values.shape]
        edges = [
            cell_edges(numbers[::n])
            for numbers, n in zip((self.inlines, self.crosslines), step, strict=True)
        ]
        corners = self.place(edges[0][:, None], edges[1][None, :])
        cells = np.ma.masked_invalid(values[:: step[0], :: step[1]])
        image = ax.pcolormesh(*corners, cells, rasterized=True, **kwargs)
        x, y = self._corners()
        ax.set_facecolor(MISSING_COLOR)
        if self.rows is None:
            ax.set(xlabel="crossline", ylabel="inline")
            ax.set(xlim=(float(x.min()), float(x.max())), ylim=(float(y.min()), float(y.max())))
        else:
            margin = 0.06 * max(np.ptp(x), np.ptp(y))  # for labels at the ends of lines
            ax.set(xlim=(x.min() - margin, x.max() + margin))
            ax.set(ylim=(y.min() - margin, y.max() + margin), aspect="equal")
            ax.set(xlabel=f"X ({self.unit})", ylabel=f"Y ({self.unit})")
            ax.ticklabel_format(style="plain", useOffset=False)
            ax.locator_params(axis="x", nbins=4)
            ax.locator_params(axis="y", nbins=6)
        return image

    def draw_contours(self, ax, values, levels):
        """Draw and label contours of smoothed values."""
        from matplotlib.patheffects import withStroke

        step = [-(-size // MOST_CELLS) for size in values.shape]
        smooth = _smooth(values)[:: step[0], :: step[1]]
        places = self.place(self.inlines[:: step[0], None], self.crosslines[None, :: step[1]])
        inside = [level for level in levels if np.nanmin(smooth) < level < np.nanmax(smooth)]
        if not inside or min(smooth.shape) < 2:
            return
        surface = np.ma.masked_invalid(smooth)
        # Twice: dark lines on a light rim are seen on any color.
        ax.contour(*places, surface, levels=inside, colors="white", linewidths=1.4, alpha=0.4)
        lines = ax.contour(*places, surface, levels=inside, colors="0.1", linewidths=0.5)
        texts = ax.clabel(lines, fmt="%g", fontsize="x-small", inline_spacing=2, zorder=3)
        for text in texts:
            text.set_path_effects([withStroke(linewidth=1.6, foreground="white", alpha=0.8)])

    def draw_lines(self, ax, lines):
        """Draw lines ``{"inline": numbers, "crossline": numbers}``, labeled at one end."""
        from matplotlib.patheffects import Normal, Stroke

        halo = [Stroke(linewidth=1.9, foreground="white"), Normal()]
        label = "training line"
        for name, numbers in lines.items():
            shown = _spread(numbers, MOST_LABELS)
            dense = len(numbers) > 3 * MOST_LABELS
            for number in numbers:
                if name == "inline":
                    x, y = self.place(number, self.crosslines[[0, -1]])
                else:
                    x, y = self.place(self.inlines[[0, -1]], number)
                style = {**LINE_STYLE, "lw": 0.4} if dense else {**LINE_STYLE, "path_effects": halo}
                ax.plot(x, y, label=label, **style)
                label = None
                if number in shown:
                    _label_end(ax, x, y, number)

    def _corners(self):
        ends = [cell_edges(numbers)[[0, -1]] for numbers in (self.inlines, self.crosslines)]
        return self.place(ends[0][:, None], ends[1][None, :])


def _fit_coordinates(inlines, crosslines, x, y):
    """Coefficients (1, inline, crossline) of X and Y, which surveys are laid out by."""
    inline, crossline = np.meshgrid(inlines, crosslines, indexing="ij")
    known = np.isfinite(x) & np.isfinite(y)
    columns = np.stack([np.ones(known.sum()), inline[known], crossline[known]], axis=1)
    if np.linalg.matrix_rank(columns - [0, inlines[0], crosslines[0]]) < 3:
        raise ValueError(
            "`x` and `y` must be known on two inlines and two crosslines or more, to make a map; "
            f"they are known at {known.sum()} traces. Leave them out for a map of line numbers."
        )
    places = np.stack([x[known], y[known]], axis=1)
    rows, *_ = np.linalg.lstsq(columns, places, rcond=None)
    steps = [np.abs(np.diff(numbers)).min() for numbers in (inlines, crosslines)]
    bin_size = min(np.hypot(*row) * step for row, step in zip(rows[1:], steps, strict=True))
    misfit = np.hypot(*(columns @ rows - places).T).max()
    if not misfit <= bin_size / 2:
        raise ValueError(
            "`x` and `y` must lie on a grid of straight lines; traces are up to "
            f"{misfit:.3g} away from it, in bins of {bin_size:.3g}. Leave them out for a map of "
            "line numbers."
        )
    return rows.T


def _smooth(values):
    """Smoothed values; NaN stay NaN and have no weight."""
    known = np.isfinite(values)
    weights = gaussian_filter(known.astype(float), CONTOUR_SMOOTHING)
    sums = gaussian_filter(np.where(known, values, 0.0), CONTOUR_SMOOTHING)
    return np.divide(sums, weights, out=np.full(values.shape, np.nan), where=known)


def _spread(numbers, n):
    """At most `n` of the numbers, evenly spread, with the first and the last."""
    if len(numbers) <= n:
        return numbers
    return numbers[np.unique(np.linspace(0, len(numbers) - 1, n).round().astype(int))]


def _label_end(ax, x, y, number):
    """Write a line number just outside of the upper or right end of a line, along it."""
    ends = np.array([x, y], float)
    step = ends[:, 1] - ends[:, 0]
    if step[1] < -abs(step[0]) * 1e-6 or (abs(step[1]) <= abs(step[0]) * 1e-6 and step[0] < 0):
        ends, step = ends[:, ::-1], -step
    step = step / np.hypot(*step)
    angle = np.degrees(np.arctan2(step[1], step[0]))
    flipped = angle > 90.01
    ax.annotate(
        f"{number:g}",
        ends[:, 1],
        xytext=4 * step,
        textcoords="offset points",
        rotation=angle - 180 if flipped else angle,
        rotation_mode="anchor",
        ha="right" if flipped else "left",
        va="center",
        fontsize="x-small",
        annotation_clip=False,
    )


def color_range(values, percentile):
    known = values[np.isfinite(values)]
    if not known.size:
        return 0, 1
    low, high = np.percentile(known, [100 - percentile, percentile])
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def contour_levels(contours, low, high):
    from matplotlib.ticker import MaxNLocator

    if contours is True:
        return MaxNLocator(8, steps=[1, 2, 5, 10]).tick_values(low, high)
    return np.unique(np.asarray(contours, dtype=float))


def add_colorbar(ax, image, values, label):
    """Color scale beside a map; arrows say that values go on beyond its ends."""
    low, high = image.get_clim()
    below, above = np.nanmin(values, initial=np.inf) < low, np.nanmax(values, initial=0) > high
    extend = {(1, 1): "both", (1, 0): "min", (0, 1): "max"}.get((int(below), int(above)), "neither")
    bar = ax.figure.colorbar(image, ax=ax, label=label, extend=extend, fraction=0.05, pad=0.08)
    return bar.ax
