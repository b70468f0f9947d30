"""What `skfacies info` shows about cubes and models, as rows (title, text, value for JSON).

Nothing here imports torch.
"""

import os

import numpy as np

from skfacies._cli.files import (
    check_reading,
    is_segy,
    join_volumes,
    open_file,
    reading_words,
    unit_of,
    volume_files,
)
from skfacies._cli.grid_report import describe_positions
from skfacies._cli.options import command_line
from skfacies._cli.segy_report import (
    describe_fields,
    describe_problem,
    describe_structure,
    describe_text,
    open_or_propose,
    remedy_of,
    units_of_positions,
)
from skfacies._sections.undefined import undefined_amplitudes
from skfacies._sections.validation import n_sections
from skfacies.persistence import read_card

__all__ = ["describe_cube", "describe_model", "describe_volumes", "named_report", "recall_words"]

#: Number of inlines that statistics come from.
N_LINES = 20


def describe_cube(path, *, reading=None, headers=False):
    """Format, geometry and amplitude statistics of a cube, from a few lines.

    `headers` adds the trace header fields that vary in a SEG-Y file; they are also shown if the
    file cannot be opened.
    """
    reading = reading or {}
    check_reading(reading, path)
    if headers and not is_segy(path):
        raise ValueError(f"--headers is for SEG-Y files and does not apply to {path}. Omit it.")
    size = os.path.getsize(path) if os.path.isfile(path) else None
    yield "file", f"{path}, {_megabytes(size)}" if size else str(path), os.fspath(path)
    if not is_segy(path) or not os.path.isfile(path):
        cube = open_file(path, reading, n_axes=None)
        rows = list(_describe_open(cube))
        yield from rows
        yield _next_of_cube(rows, path, reading)
        return
    yield from describe_structure(path, reading)
    cube, options, others, problem = open_or_propose(path, reading)
    yield from describe_problem(problem, options, others)
    rows = (
        list(_describe_open(cube, **units_of_positions(path, reading))) if cube is not None else []
    )
    yield from rows
    if headers or cube is None:
        yield from describe_fields(path, reading)
    yield from describe_text(path)
    if cube is not None:
        yield _next_of_cube(rows, path, {**reading, **options})
    elif remedy := remedy_of(problem):
        words = f"{command_line('info', path)} {remedy}"
        yield "next", words, words


def describe_volumes(seismic, *, reading=None, headers=False):
    """The first of several volumes as `describe_cube` does, and what the others are beside it."""
    first, *others = files = volume_files(seismic)
    yield "volumes", f"{len(files)}, of which this is the first", files
    rows = describe_cube(first, reading=reading, headers=headers)
    yield from (row for row in rows if row[0] != "next")
    names = [os.path.basename(path) for path in others]
    names = names if len(set(names)) == len(names) else others
    fit, known = True, None
    for name, path in zip(names, others, strict=True):
        try:
            known = open_file(first, reading) if known is None else known
            cube = open_file(path, reading)
            join_volumes([known, cube], [first, path])
        except ValueError as error:
            fit = False
            yield f"volume {name}", str(error), {"same_survey": False}
            continue
        _, (title, text, value), *_ = _describe_samples(cube, min(N_LINES, n_sections(cube)))
        found = {"same_survey": True, title: value}
        yield f"volume {name}", f"same lines and samples; {title} {text}", found
    if fit:
        words = command_line("fit", seismic, "--horizons", "TOP", "BASE", "-o", "model.safetensors")
        words = f"{words} {reading_words(reading or {})}".rstrip()
        yield "next", words, words


def describe_model(path):
    """What the header of a model file says."""
    card = read_card(path)
    summary = card["summary"]
    reading = summary.pop("reading", None)
    size = card["file_size"]
    yield "file", f"{path}, {_megabytes(size)}, format {card['format_version']}", os.fspath(path)
    versions = ", ".join(f"{name} {text}" for name, text in card["versions"].items())
    yield "made with", versions, card["versions"]
    report = named_report(summary.pop("report", None) or {}, summary.get("label_names"))
    if report:
        yield "recall on training lines", recall_words(report), report
    held_out = named_report(
        summary.pop("validation_report", None) or {}, summary.get("label_names")
    )
    if held_out:
        yield "recall on held-out traces", recall_words(held_out), held_out
    n_traces, n_contacts = summary.pop("training_traces", 0), summary.pop("contacts_at", None)
    if n_traces or n_contacts:
        parts = [f"{n_traces} traces as they are"] if n_traces else []
        parts += [f"picked contacts at {n_contacts} traces"] if n_contacts else []
        value = {"traces": n_traces, "contacts_at": n_contacts or 0}
        yield "training data inside", ", ".join(parts), value
    for name, value in summary.items():
        if value is not None:
            yield name, _short(value), value
    if reading:
        yield "amplitudes opened with", reading_words(reading), reading
    volumes = summary.get("volume_names") or ["SURVEY"] * (summary.get("volumes") or 1)
    survey = ",".join(volumes) if len(volumes) > 1 else "SURVEY"
    words = command_line("predict", path, survey, "-o", "facies.sgy")
    yield "next", words, words


def named_report(report, names):
    """A `training_report_` with the names of facies, in the order of labels, if there are any."""
    labels = [label for label, row in report.items() if isinstance(row, dict)]
    if not names or len(names) != len(labels):
        return report
    names = dict(zip(labels, names, strict=True))
    return {names.get(label, label): row for label, row in report.items()}


def recall_words(report):
    """Recall of each class in a `training_report_`, with its name if it has one."""
    recalls = {label: row["recall"] for label, row in report.items() if isinstance(row, dict)}
    return ", ".join(f"{label} {recall:.2f}" for label, recall in recalls.items())


def _megabytes(size):
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def _next_of_cube(rows, path, reading):
    """The command that comes next, with the options that open this file."""
    is_labels = any(title == "values" for title, *_ in rows)
    files = ("SEISMIC", path) if is_labels else (path, "--horizons", "TOP", "BASE")
    words = command_line("fit", *files, "-o", "model.safetensors")
    words = f"{words} {reading_words(reading)}".rstrip()
    return "next", words, words


def _describe_open(cube, unit="", angle=0):
    words = ["inlines", "crosslines", "samples", "facies"][: cube.ndim]
    sizes = " x ".join(map(str, cube.shape))
    value = {"sizes": cube.shape, "dtype": str(cube.dtype)}
    yield "shape", f"{sizes} ({' x '.join(words)}), {cube.dtype}", value
    yield from _describe_axes(cube)
    yield from describe_positions(cube, unit, angle)
    yield from _describe_traces(cube)
    yield from _describe_samples(cube, min(N_LINES, n_sections(cube)))


def _describe_axes(cube):
    for name in ("inline", "crossline"):
        if name in cube.coords:
            numbers, byte = np.asarray(cube[name]), cube.attrs.get(f"{name}_byte")
            place = f" (byte {byte})" if byte and cube.shape[0] > 1 else ""  # else a 2-D line
            ends = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
            text = f"{ends}{_step_words(numbers, 'step')}{place}"
            yield f"{name}s", text, {**_span(numbers), "byte": byte or None}
    depth = cube.dims[2]
    if depth in cube.coords:
        axis, unit = np.asarray(cube[depth], dtype=float), unit_of(cube[depth])
        span = f"{axis[0]:g} to {_with_unit(axis[-1], unit)}"
        text = f"{span}{_step_words(axis, 'every', unit)}"
        yield str(depth), text, {**_span(axis), "unit": unit}
        binary, trace = (cube.attrs.get(f"interval_{head}") for head in ("binary", "trace"))
        if binary is not None and trace is not None and binary != trace:
            yield (
                "sample intervals",
                f"{_with_unit(binary, unit)} in the binary header (bytes 3217-3218), "
                f"{_with_unit(trace, unit)} in trace headers (bytes 117-118): set the correct one "
                "with --sample-interval",
                {"binary_header": binary, "trace_header": trace},
            )


def _span(numbers):
    """First, last and step of an axis; the step is None if it varies."""
    steps = np.diff(numbers)
    even = len(steps) > 0 and np.allclose(steps, steps[0], rtol=1e-3)
    return {"first": numbers[0], "last": numbers[-1], "step": steps[0] if even else None}


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
    yield (
        "traces",
        f"{n_live} of {n_traces}, {n_traces - n_live} missing{dead}",
        {"live": n_live, "crossings": n_traces, "dead": n_dead},
    )


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
    text = f"{len(rows)} of {cube.shape[0]} inlines, for the statistics below"
    yield "lines read", text, len(rows)
    yield from _describe_values(np.concatenate(parts))
    for title, count in counts.items():
        if n_samples:
            share = f"{count / n_samples:.1%}" if count != 0 else "none"
            few = f" ({count})" if 0 < count < n_samples / 1000 else ""
            yield title, share + few, count / n_samples


def _describe_values(values):
    if not len(values):
        yield "amplitudes", "no finite values", None
        return
    distinct = np.unique(values[:: max(1, len(values) // 100_000)])
    if len(distinct) <= 64 and np.array_equal(distinct, np.rint(distinct)):
        shares = {f"{value:g}": float(np.mean(values == value)) for value in distinct}
        text = ", ".join(f"{value}: {share:.1%}" for value, share in shares.items())
        yield "values", text, shares
        return
    low, median, high = np.percentile(values, [1, 50, 99])
    mean, deviation = (values.mean(dtype=float), values.std(dtype=float))
    yield (
        "amplitudes",
        f"{values.min():.4g} to {values.max():.4g}, mean {mean:.4g}, standard deviation "
        f"{deviation:.4g}",
        {
            "lowest": values.min(),
            "highest": values.max(),
            "mean": mean,
            "standard_deviation": deviation,
        },
    )
    text = f"{low:.4g}, {median:.4g}, {high:.4g}"
    yield "percentiles 1, 50, 99", text, [low, median, high]


def _short(value):
    text = str(value.tolist() if isinstance(value, np.ndarray) else value)
    return text if len(text) <= 200 else f"{text[:200]} …"
