"""Lines of a survey as words, and as a map of characters."""

import numpy as np

__all__ = ["line_map", "number_words"]

#: Characters of a map.
WIDTH, HEIGHT = 48, 16

#: Numbers that are listed one by one.
MOST_NUMBERS = 12


def number_words(numbers):
    """Numbers of lines in a few words, such as "100 to 400, every 10 (31)"."""
    numbers = np.unique(np.asarray(numbers, dtype=np.float64))
    steps = np.diff(numbers)
    if len(numbers) > 3 and np.allclose(steps, steps[0]):
        return f"{numbers[0]:g} to {numbers[-1]:g}, every {steps[0]:g} ({len(numbers)} lines)"
    if len(numbers) <= MOST_NUMBERS:
        return ", ".join(f"{number:g}" for number in numbers)
    return f"{len(numbers)} lines from {numbers[0]:g} to {numbers[-1]:g}"


def line_map(lines):
    """Map of lines, from the first to the last of their inline and crossline numbers.

    Parameters
    ----------
    lines : array of shape (n_lines, 2, 2)
        Inline and crossline number of the first and last trace of each.

    Returns
    -------
    text : str
        Inlines run from left to right, with their numbers at the left.
    """
    low, high = lines.min(axis=(0, 1)), lines.max(axis=(0, 1))
    spans = np.where(high > low, high - low, 1)
    sizes = [min(HEIGHT, int(spans[0]) + 1), min(WIDTH, int(spans[1]) + 1)]
    sizes = [size if high[k] > low[k] else 1 for k, size in enumerate(sizes)]
    scale = (np.array(sizes) - 1) / spans
    canvas = np.full(sizes, " ")
    for ends in lines:
        start, stop = np.rint((ends - low) * scale).astype(int)
        mark = "-" if ends[0, 0] == ends[1, 0] else "|" if ends[0, 1] == ends[1, 1] else "*"
        n = int(np.abs(stop - start).max()) + 1
        rows, columns = (np.rint(np.linspace(start[k], stop[k], n)).astype(int) for k in (0, 1))
        own = canvas[rows, columns]
        canvas[rows, columns] = np.where((own == " ") | (own == mark), mark, "+")
    names = [f"inline {low[0] + row / (scale[0] or 1):.0f}" for row in range(sizes[0])]
    shown = [name if row in (0, sizes[0] - 1) else "" for row, name in enumerate(names)]
    left = max(map(len, shown))
    first, last = f"{low[1]:g}", f"{high[1]:g}"
    gap = max(1, sizes[1] - len(first) - len(last))
    frame = f"{'':{left}} +{'-' * sizes[1]}+"
    rows = [
        f"{name:>{left}} |{''.join(row)}|".rstrip() for name, row in zip(shown, canvas, strict=True)
    ]
    axis = f"{'':{left}}  {first}{' ' * gap}{last if last != first else ''}".rstrip()
    return "\n".join([f"{'':{left}}  crossline", axis, frame, *rows, frame])
