"""What `skfacies info` shows about files. Nothing here imports torch."""

import os

import numpy as np

from skfacies._cli.files import check_reading, open_file, reading_words, unit_of
from skfacies._sections.undefined import undefined_amplitudes
from skfacies._sections.validation import n_sections
from skfacies.persistence import read_card

__all__ = ["describe_cube", "describe_model"]


def describe_cube(path, *, n_lines=20, reading=None):
    """Geometry and amplitude statistics of a cube, from a few lines, as pairs (title, text)."""
    check_reading(reading, path)
    cube = open_file(path, reading, n_axes=None)
    words = ["inlines", "crosslines", "samples", "facies"][: cube.ndim]
    sizes = " x ".join(map(str, cube.shape))
    yield "file", f"{path}, {os.path.getsize(path) / 1e6:.1f} MB" if os.path.isfile(path) else path
    yield "shape", f"{sizes} ({' x '.join(words)}), {cube.dtype}"
    yield from _describe_axes(cube)
    yield from _describe_traces(cube)
    yield from _describe_samples(cube, min(n_lines, n_sections(cube)))


def describe_model(path):
    """What the header of a model file says, as pairs (title, text)."""
    card = read_card(path)
    summary = card["summary"]
    reading = summary.pop("reading", None)
    yield "file", f"{path}, {card['file_size'] / 1e6:.1f} MB, format {card['format_version']}"
    yield "made with", ", ".join(f"{name} {text}" for name, text in card["versions"].items())
    report = summary.pop("report", None)
    if report:
        yield "recall on training lines", recall_words(report)
    for name, value in summary.items():
        if value is not None:
            yield name, _short(value)
    if reading:
        yield "amplitudes opened with", reading_words(reading)


def recall_words(report):
    """Recall of each class in a `training_report_`."""
    recalls = {name: row["recall"] for name, row in report.items() if isinstance(row, dict)}
    return ", ".join(f"{name} {recall:.2f}" for name, recall in recalls.items())


def _describe_axes(cube):
    for name in ("inline", "crossline"):
        if name in cube.coords:
            numbers = np.asarray(cube[name])
            yield f"{name}s", f"{numbers[0]} to {numbers[-1]}{_step_words(numbers, 'step')}"
    depth = cube.dims[2]
    if depth in cube.coords:
        axis, unit = np.asarray(cube[depth], dtype=float), unit_of(cube[depth])
        span = f"{axis[0]:g} to {_with_unit(axis[-1], unit)}"
        yield str(depth), f"{span}{_step_words(axis, 'every', unit)}"
        binary, trace = (cube.attrs.get(f"interval_{head}") for head in ("binary", "trace"))
        if binary is not None and trace is not None and binary != trace:
            yield (
                "sample intervals",
                f"{_with_unit(binary, unit)} in the binary header (bytes 3217-3218), "
                f"{_with_unit(trace, unit)} in trace headers (bytes 117-118): set the correct one "
                "with --sample-interval",
            )
    for name in ("cdp_x", "cdp_y"):
        if name in cube.coords:
            numbers = np.asarray(cube[name], dtype=float)
            if np.isfinite(numbers).any():
                yield name, f"{np.nanmin(numbers):.10g} to {np.nanmax(numbers):.10g}"


def _with_unit(number, unit):
    return f"{number:g} {unit}".rstrip()


def _step_words(numbers, word, unit=""):
    """Text for the step between neighbors, or for the smallest and the largest step."""
    if len(numbers) < 2:
        return ""
    steps = np.diff(numbers)
    if np.allclose(steps, steps[0], rtol=1e-3):
        return f", {word} {_with_unit(steps[0], unit)}"
    return f", {word} {steps.min():g} to {_with_unit(steps.max(), unit)}"


def _describe_traces(cube):
    """Number of live traces, if any are missing or dead."""
    n_dead = int(cube.attrs.get("n_dead", 0))
    if "live" not in cube.coords and not n_dead:
        return
    n_traces = cube.shape[0] * cube.shape[1]
    n_live = int(np.asarray(cube["live"]).sum()) if "live" in cube.coords else n_traces - n_dead
    dead = f", {n_dead} of them dead by their trace code" if n_dead else ""
    yield "traces", f"{n_live} of {n_traces}, {n_traces - n_live} missing{dead}"


def _describe_samples(cube, n_lines):
    """Undefined, infinite and zero samples of a few inlines, and statistics of the values."""
    rows = np.unique(np.linspace(0, cube.shape[0] - 1, n_lines).astype(int))
    live = np.asarray(cube["live"]) if "live" in cube.coords else np.ones(cube.shape[:2], bool)
    parts, n_samples = [], 0
    counts = dict.fromkeys(["undefined samples", "infinite samples", "zero samples"], 0)
    for row in rows:
        line = np.asarray(cube[int(row)])[live[row]]
        n_samples += line.size
        undefined = undefined_amplitudes(line)
        values = line.ravel() if undefined is None else line[~undefined]
        counts["undefined samples"] += line.size - values.size
        if values.dtype.kind == "f":
            finite = np.isfinite(values)
            counts["infinite samples"] += values.size - np.count_nonzero(finite)
            values = values[finite]
        counts["zero samples"] += values.size - np.count_nonzero(values)
        parts.append(values)
    yield "lines read", f"{len(rows)} of {cube.shape[0]} inlines, for the statistics below"
    yield from _describe_values(np.concatenate(parts), len(rows))
    for title, count in counts.items():
        if n_samples:
            share = f"{count / n_samples:.1%}" if count != 0 else "none"
            few = f" ({count})" if 0 < count < n_samples / 1000 else ""
            yield title, share + few


def _describe_values(values, n_lines):
    if not len(values):
        yield "amplitudes", "no finite values"
        return
    distinct = np.unique(values[:: max(1, len(values) // 100_000)])
    if len(distinct) <= 64 and np.array_equal(distinct, np.rint(distinct)):
        counts = ", ".join(f"{value:g}: {np.mean(values == value):.1%}" for value in distinct)
        yield f"values in {n_lines} inlines", counts
        return
    low, median, high = np.percentile(values, [1, 50, 99])
    yield (
        f"amplitudes in {n_lines} inlines",
        f"{values.min():.4g} to {values.max():.4g}, mean {values.mean(dtype=float):.4g}, "
        f"standard deviation {values.std(dtype=float):.4g}",
    )
    yield "percentiles 1, 50, 99", f"{low:.4g}, {median:.4g}, {high:.4g}"


def _short(value):
    text = str(value.tolist() if isinstance(value, np.ndarray) else value)
    return text if len(text) <= 200 else f"{text[:200]} …"
