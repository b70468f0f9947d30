"""A page that shows a cube and its facies in a browser.

One HTML file without a server: `write_view` thins the cube out, packs it into the page as bytes,
and adds the style and the scripts of this folder. Axes are those of the whole package: a cube is
(n_inlines, n_crosslines, n_samples), and samples point down.
"""

import math
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skfacies._cubes.holders import AXES, check_axes
from skfacies._cubes.training_lines import choose_lines, labeled_traces
from skfacies._files import whole_file
from skfacies._version import __version__
from skfacies.viewing._layers import (
    amplitude_layer,
    describe_layers,
    doubt_layers,
    label_layers,
    pack,
)
from skfacies.viewing._page import BASE64_GROWTH, make_page
from skfacies.viewing._reduction import choose_steps, keep_positions
from skfacies.viewing._survey import find_axes, find_lines, find_map, line_positions, source_of

__all__ = ["write_view"]

SMALLEST_SIZE = 300_000
PAGE_BYTES = 100_000  # of a page without data

#: Bytes of a compressed sample before anything is known of the data.
FIRST_GUESS = 0.9
LINES_TO_TRY = 8

#: Lines with an interpretation have it on this fraction of the traces of the best line.
MIN_LABELED = 0.5

#: With interpretation on more of the lines than this, none of them is marked.
MOST_MARKED = 0.25


def write_view(
    path,
    cube,
    facies=None,
    *,
    interpretation=None,
    entropy=None,
    mistie=None,
    training_lines=None,
    next_lines=None,
    names=None,
    ignore_label=-1,
    title=None,
    max_size=30e6,
):
    """Write a page that shows a cube, its facies and their doubt in a browser.

    The page is one file that opens from a disk or an e-mail, without Python, server or network. It
    shows an inline, a crossline and a depth slice with sliders, facies over amplitudes, contacts,
    uncertainty, a base map with the training lines, and the values under the pointer.

    Parameters
    ----------
    path : path
        File to write, ``.html``. It gets its name once it is complete.
    cube : array-like of shape (n_inlines, n_crosslines, n_samples)
        Amplitudes. Line numbers, times or depths and X and Y of a DataArray from
        :func:`skfacies.io.open_cube` are shown; positions are shown for other arrays. Arrays on
        disk are read once, inline by inline.
    facies : array-like of the shape of `cube`, or dict of such arrays by name, default=None
        Predicted labels, integers or strings. Of several, one is chosen in the page.
    interpretation : array-like of the shape of `cube`, default=None
        Interpreted labels. They may cover some lines only.
    entropy : array-like of the shape of `cube`, default=None
        Uncertainty, as of :func:`skfacies.qc.prediction_entropy`.
    mistie : array-like of the shape of `cube` or (n_inlines, n_crosslines), default=None
        Disagreement of predictions along inlines and crosslines, of samples or of traces.
    training_lines, next_lines : dict of sequences of int, default=None
        Numbers of lines by "inline" and "crossline", positions if `cube` has no numbers: those
        trained on, and those to interpret next. They are marked on the map, and kept when lines
        are left out. If `training_lines` is None, they are the lines that have an
        `interpretation`.
    names : sequence of str, or dict of str by label, default=None
        Names of the facies, in the order of the labels.
    ignore_label : int, str or None, default=-1
        Label of samples without facies or interpretation.
    title : str, default=None
        Title of the page. None is the name of the file that `cube` was opened from, or of `path`.
    max_size : float, default=30e6
        Largest size of the file in bytes, at least 300,000. Larger cubes are thinned out: every
        n-th line and, as a last resort, sample is kept. Amplitudes and other numbers have 8 bits.

    Returns
    -------
    view : :class:`~sklearn.utils.Bunch`
        `path`; `size` in bytes; `steps`, the step along each axis: (1, 1, 1) if everything is
        there.

    Raises
    ------
    ValueError
        If arrays differ in shape or coordinates, labels are not facies, lines are not in the cube,
        `names` do not fit the labels, or `max_size` is too small.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.viewing import write_view
    >>> survey = make_facies_cube((12, 40, 48), n_facies=3, random_state=0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> view = write_view(
    ...     Path(folder.name, "view.html"), survey.data, survey.target,
    ...     names=survey.target_names, training_lines={"inline": [2, 8]})
    >>> view.path.name, view.steps
    ('view.html', (1, 1, 1))
    >>> folder.cleanup()
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"`path` must end in .html; got {str(path)!r}.")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of `path`, {path.parent}, does not exist. Create it.")
    if not max_size >= SMALLEST_SIZE:
        raise ValueError(f"`max_size` must be at least {SMALLEST_SIZE} bytes; got {max_size!r}.")
    check_axes(cube, "cube")
    amplitudes = amplitude_layer(cube)
    layers = [
        amplitudes,
        *label_layers(cube, facies, interpretation),
        *doubt_layers(cube, entropy, mistie),
    ]
    axes = find_axes(cube)
    if training_lines is None and interpretation is not None:
        training_lines = _interpreted_lines(layers, axes, ignore_label)
    lines = {
        "training": find_lines(training_lines, axes, "training_lines"),
        "next": find_lines(next_lines, axes, "next_lines"),
    }
    page, steps = _fit_into(
        max_size,
        layers,
        axes,
        lines,
        names,
        ignore_label,
        {
            "title": title or Path(source_of(cube) or path.stem).name,
            "version": __version__,
            "shape": amplitudes.array.shape,
            "map": find_map(cube, axes),
            "lines": lines,
        },
    )
    with whole_file(path) as part:
        part.write_bytes(page)
    return Bunch(path=path, size=len(page), steps=steps)


def _interpreted_lines(layers, axes, ignore_label):
    """Lines with an interpretation, if they are few."""
    (labels,) = (layer.array for layer in layers if layer.kind == "interpretation")
    chosen, _ = choose_lines(
        labeled_traces(labels, ignore_label), (0, 1), min_labeled=MIN_LABELED, step=1
    )
    return {
        AXES[axis]: axes[axis].numbers[lines]
        for axis, lines in chosen.items()
        if len(lines) <= MOST_MARKED * labels.shape[axis]
    }


def _fit_into(max_size, layers, axes, lines, names, ignore_label, known):
    """The page with as many lines and samples as its size allows, and the steps between them."""
    shape = layers[0].array.shape
    wanted = [
        line_positions(axis, *(own[direction] for own in lines.values()))
        for axis, direction in zip(axes, AXES, strict=False)
    ]

    def keep(steps):
        return tuple(
            keep_positions(n, step, chosen)
            for n, step, chosen in zip(shape, steps, (*wanted, ()), strict=True)
        )

    budget = (max_size - PAGE_BYTES) / BASE64_GROWTH
    steps = choose_steps(shape, budget / (FIRST_GUESS * len(layers)))
    kept = keep(steps)
    some = np.unique(np.linspace(0, len(kept[0]) - 1, LINES_TO_TRY).astype(int))
    trial = (kept[0][some], *kept[1:])
    chunks, _ = pack(layers, trial, steps, ignore_label)
    most = budget * math.prod(map(len, trial)) / sum(len(data) for *_, data in chunks)
    while True:
        steps = choose_steps(shape, most)
        kept = keep(steps)
        chunks, encoders = pack(layers, kept, steps, ignore_label)
        described, facies = describe_layers(layers, encoders, names)
        own = [axis.as_json(positions) for axis, positions in zip(axes, kept, strict=True)]
        description = {**known, "steps": steps, "axes": own, "layers": described, "facies": facies}
        page = make_page(description, chunks).encode("utf-8")
        if len(page) <= max_size:
            return page, steps
        # The lines that were tried are easier to compress than the others.
        most = 0.98 * math.prod(map(len, kept)) * max_size / len(page)
