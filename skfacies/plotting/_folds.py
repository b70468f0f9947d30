"""Folds of cross-validation along a survey."""

import numpy as np
from sklearn.model_selection import check_cv

from skfacies._cubes.axes import known_axes
from skfacies._cubes.holders import has_named_axes, ordered_dims
from skfacies._sections.validation import is_listlike, n_sections
from skfacies.plotting._arguments import check_matplotlib, check_numbers
from skfacies.plotting._drawing import cell_edges

__all__ = ["FoldsDisplay"]

#: Colors of sections that are left out, trained on and tested: told apart by their lightness.
COLORS = ("#FFFFFF", "#A6BDD7", "#14305A")


class FoldsDisplay:
    """Which sections each fold of a cross-validation trains on, tests, and leaves out.

    Neighboring sections are near copies. A test section beside a training section measures how well
    a model copies; beside the folds stands how near the two come.

    Use `from_splitter`, which draws. The constructor only stores its arguments.

    Parameters
    ----------
    train, test : array-like of bool, of shape (n_splits, n_sections)
        Sections of each fold; a section in neither is left out.
    numbers : array-like of shape (n_sections,), default=None
        Numbers of the sections, such as inline numbers, in ascending or descending order. None
        counts from 0.
    section_name : str, default="section"
        What a section is, such as "inline".
    title : str, default=None
        Title of the Axes.

    Attributes
    ----------
    distances_ : ndarray of shape (n_splits,)
        Smallest difference in number between a test section and a training section of each fold,
        which is written beside it.
    ax_ : matplotlib Axes
        Axes of the map.
    figure_ : matplotlib Figure
        The figure.
    legend_ : matplotlib Legend or None
        The legend.

    See Also
    --------
    skfacies.model_selection.BlockKFold : Contiguous blocks with gaps.
    skfacies.model_selection.BlockShuffleSplit : Blocks at random positions.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skfacies.model_selection import BlockKFold
    >>> from skfacies.plotting import FoldsDisplay
    >>> cube = np.zeros((12, 40, 48))
    >>> display = FoldsDisplay.from_splitter(BlockKFold(3, gap=1), cube, section_name="inline")
    >>> for train, test in zip(display.train, display.test):
    ...     print("".join(np.where(test, "T", np.where(train, "-", "."))))
    TTTT.-------
    ---.TTTT.---
    -------.TTTT
    >>> print(display.distances_)
    [2 2 2]
    >>> plt.close(display.figure_)
    """

    def __init__(self, train, test, *, numbers=None, section_name="section", title=None):
        self.train = train
        self.test = test
        self.numbers = numbers
        self.section_name = section_name
        self.title = title

    @classmethod
    def from_splitter(cls, cv, X, y=None, *, groups=None, ax=None, plot_kw=None, **display_kw):
        """Split sections, and draw the folds.

        Parameters
        ----------
        cv : splitter, int or iterable of (train, test)
            `BlockKFold`, `BlockShuffleSplit`, or any `cv` that scikit-learn's tools take; a number
            is that of the folds of its `KFold`.
        X : array-like of shape (n_sections, n_traces, n_samples), or list of sections
            Sections, or a cube (n_inlines, n_crosslines, n_samples), whose inlines are split. Only
            their number is used, and the line numbers of an `xarray.DataArray`.
        y : array-like or list of the same length, default=None
            Labels, for splitters that use them.
        groups : array-like of shape (n_sections,), default=None
            Groups, for splitters that use them.
        ax : matplotlib Axes, default=None
            As in `plot`.
        plot_kw : dict, default=None
            Other arguments of `plot`.
        **display_kw : dict
            Other parameters of `FoldsDisplay`, such as `numbers` or `title`.

        Returns
        -------
        display : FoldsDisplay

        Raises
        ------
        ValueError
            If there are too few sections for the folds, or if a fold trains on what it tests.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklearn.model_selection import KFold
        >>> from skfacies.plotting import FoldsDisplay
        >>> shuffled = KFold(2, shuffle=True, random_state=0)
        >>> display = FoldsDisplay.from_splitter(shuffled, np.zeros((8, 40, 48)))
        >>> print(display.test.astype(int))
        [[0 1 1 0 0 0 1 1]
         [1 0 0 1 1 1 0 0]]
        >>> plt.close(display.figure_)
        """
        check_matplotlib("FoldsDisplay.from_splitter")
        n = n_sections(X)
        folds = list(check_cv(cv).split(X, y, groups))
        train, test = np.zeros((2, len(folds), n), dtype=bool)
        for i, (in_train, in_test) in enumerate(folds):
            train[i, in_train] = True
            test[i, in_test] = True
        display = cls(train, test, **{**_line_numbers(X), **display_kw})
        return display.plot(ax, **(plot_kw or {}))

    def plot(self, ax=None, *, counts=True, legend=True):
        """Draw the folds: one row for each, the first on top.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. By default, a new figure is made.
        counts : bool, default=True
            Write beside each fold how many sections it trains on and tests, and how near they come.
        legend : bool, default=True
            Draw a legend above the map.

        Returns
        -------
        display : FoldsDisplay
            The display itself.

        Raises
        ------
        ValueError
            If arrays are inconsistent, or if a fold trains on what it tests.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib("FoldsDisplay.plot")
        from matplotlib.colors import ListedColormap

        train, test, numbers = self._check_arrays()
        self.distances_ = np.array(
            [_distance(*fold, numbers) for fold in zip(train, test, strict=True)]
        )
        n_splits = len(train)
        if ax is None:
            ax = _make_figure(n_splits)
        self.ax_, self.figure_ = ax, ax.figure
        roles = np.where(test, 2, train.astype(int))
        for i in range(n_splits):
            ax.pcolormesh(
                cell_edges(numbers),
                [i - 0.4, i + 0.4],
                roles[i : i + 1],
                cmap=ListedColormap(COLORS),
                vmin=0,
                vmax=2,
            )
        ax.set(ylim=(n_splits - 0.5, -0.5), xlabel=self.section_name, ylabel="fold")
        ax.set_yticks(range(n_splits))
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "left", "right"]].set_visible(False)
        ax.set_title(self.title or "", loc="left", pad=30 if legend else None)
        if counts:
            self._write_counts(train, test)
        self.legend_ = self._draw_legend(train, test) if legend else None
        return self

    def _check_arrays(self):
        train, test = np.asarray(self.train), np.asarray(self.test)
        if train.shape != test.shape or train.ndim != 2 or 0 in train.shape:
            raise ValueError(
                "`train` and `test` must have one shape (n_splits, n_sections); got "
                f"{train.shape} and {test.shape}."
            )
        for name, part in {"train": train, "test": test}.items():
            if part.dtype != bool:
                raise ValueError(f"`{name}` must be of bool; got {part.dtype}.")
        both = train & test
        if both.any():
            fold, section = np.argwhere(both)[0]
            raise ValueError(
                f"fold {fold} trains on {both[fold].sum()} sections that it tests, the first at "
                f"position {section}. Use a splitter whose parts are disjoint."
            )
        return train, test, check_numbers(self.numbers, train.shape[1], "numbers")

    def _write_counts(self, train, test):
        """A small table to the right of the map, one line for each fold."""
        heads = ("train", "test", "distance")
        columns = (train.sum(axis=1), test.sum(axis=1), self.distances_)
        for right, head, values in zip((40, 80, 135), heads, columns, strict=True):
            self._write_beside(right, -0.55, head, va="bottom", color="0.35")
            for i, value in enumerate(values):
                text = f"{value:g}" if np.isfinite(value) else "–"
                self._write_beside(right, i, text, va="center")

    def _write_beside(self, right, row, text, **style):
        # In points: a layout makes room for what does not grow with the Axes.
        self.ax_.annotate(
            text,
            (1, row),
            xycoords=self.ax_.get_yaxis_transform(),
            xytext=(right, 0),
            textcoords="offset points",
            annotation_clip=False,
            fontsize="small",
            ha="right",
            **style,
        )

    def _draw_legend(self, train, test):
        from matplotlib.patches import Patch

        names = ["left out", "training", "test"]
        shown = [not (train | test).all(), True, True]
        handles = [
            Patch(facecolor=color, edgecolor="0.6", lw=0.8, label=name)
            for name, color, is_shown in zip(names, COLORS, shown, strict=True)
            if is_shown
        ]
        return self.ax_.legend(
            handles=handles[::-1],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=3,
            frameon=False,
            borderaxespad=0.2,
            fontsize="small",
        )


def _line_numbers(X):
    """Numbers of the sections of a DataArray, and the name of their axis, if these are known."""
    if is_listlike(X) or not has_named_axes(X):
        return {}
    dim = ordered_dims(X)[0]
    name = known_axes([dim]).get(dim, "section")
    if dim not in X.coords or X.coords[dim].dtype.kind not in "iuf":
        return {"section_name": name}
    return {"section_name": name, "numbers": np.asarray(X.coords[dim])}


def _distance(train, test, numbers):
    """Smallest distance of a test section from a training section; infinite if there is none."""
    known = np.sort(numbers[train])
    if not len(known) or not test.any():
        return np.inf
    places = np.searchsorted(known, numbers[test])
    before = known[np.maximum(places - 1, 0)]
    after = known[np.minimum(places, len(known) - 1)]
    return np.minimum(np.abs(numbers[test] - before), np.abs(after - numbers[test])).min()


def _make_figure(n_splits):
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(8.5, min(1.4 + 0.3 * n_splits, 12)), layout="constrained")[1]
