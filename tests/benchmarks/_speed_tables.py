"""Alternating runs, and their results as files and tables, for the benchmark of speed."""

import gc
import json
import os
import platform
import statistics
import time
from importlib import metadata
from pathlib import Path

BEGIN = "<!-- begin generated -->"
END = "<!-- end generated -->"

PACKAGES = ("torch", "scikit-learn", "skorch", "segmentation-models-pytorch", "numpy", "monai")


def alternate(runs, repeats, per=1):
    """Time functions in turns, so that what else the machine does meets all of them alike.

    Parameters
    ----------
    runs : dict of str to function
        A function that returns None is timed; others return their own seconds by name.
    repeats : int
        Rounds. One more goes before them and does not count.
    per : number
        Sections, voxels, … that seconds are divided by.

    Returns
    -------
    seconds : dict of str to list of float
        In each list, the item at a position is of the round at that position.
    """
    seconds, names = {}, list(runs)
    for turn in range(repeats + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            gc.collect()
            start = time.perf_counter()
            own = runs[name]()
            elapsed = {name: time.perf_counter() - start} if own is None else own
            for key, value in elapsed.items():
                if turn:
                    seconds.setdefault(key, []).append(value / per)
    order = [key for name in names for key in sorted(seconds) if _run_of(key, names) == name]
    return {key: seconds[key] for key in order}


def discard(result):
    """Return None, for a run that is to be timed."""


def _run_of(key, names):
    """The run that gave these seconds: a run's own names begin with its name."""
    return max((name for name in names if key.startswith(name)), key=len)


def make_part(title, conditions, seconds, claims, *, unit="s", factor=1.0, missing=(), quick=False):
    """Result of a part, as plain values that JSON takes.

    Parameters
    ----------
    title, conditions : str
    seconds : dict of str to list of float
        From `alternate`.
    claims : list of dict
        As `claim` makes them.
    unit, factor : str, float
        What seconds are multiplied by for the table of times, and the name of the product.
    missing : list of str
        What was not measured, and why.
    """
    return {
        "title": title,
        "conditions": conditions,
        "seconds": seconds,
        "claims": [c for c in claims if {c["of"], c["to"] or c["of"]} <= set(seconds)],
        "unit": unit,
        "factor": factor,
        "missing": list(missing),
        "quick": quick,
    }


def claim(text, of, to=None, *, at_least=None, at_most=None):
    """Ratio of the seconds of two runs (of one: its seconds), and what it should be."""
    return {"text": text, "of": of, "to": to, "at_least": at_least, "at_most": at_most}


class Results:
    """Results of parts with the machine that they are from, kept in a file if there is one."""

    def __init__(self, path, machine):
        self.path, self.machine, self.parts = path, machine, {}
        if path is not None and path.is_file():
            found = json.loads(path.read_text())
            if found["machine"] != machine:
                raise SystemExit(
                    f"{path} is from another machine or other versions ({found['machine']}, here "
                    f"{machine}). Give another --results."
                )
            self.parts = found["parts"]

    def keep(self, name, part):
        self.parts[name] = part
        if self.path is not None:
            text = json.dumps({"machine": self.machine, "parts": self.parts}, indent=1)
            beside = self.path.with_name(self.path.name + ".part")
            beside.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(text + "\n")
            beside.replace(self.path)


# --- the machine ------------------------------------------------------------------------------


def describe_machine():
    """What figures depend on, by name; nothing that tells whose machine it is."""
    import torch

    known = {name: getattr(torch.cpu, f"_is_{name}_supported", lambda: False)() for name in _PROBES}
    features = [title for name, title in _PROBES.items() if known[name]]
    versions = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "bfloat16 in hardware": ", ".join(features) or "no",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.machine()}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


_PROBES = {"avx512_bf16": "AVX512-BF16", "amx_tile": "AMX"}


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    fields = dict(map(str.strip, line.split(":", 1)) for line in reversed(lines) if ":" in line)
    family = f"family {fields['cpu family']}" if "cpu family" in fields else ""
    return ", ".join(filter(None, [fields.get("model name", platform.machine()), family]))


# --- tables -----------------------------------------------------------------------------------


def format_tables(results, order):
    """One table of ratios of all parts, and a table of times for each."""
    parts = [results.parts[name] for name in order if name in results.parts]
    lines = [f"- {name}: {value}" for name, value in results.machine.items()]
    if any(part["quick"] for part in parts):
        lines += ["", "**A quick run on tiny data: these figures say nothing.**"]
    rows = [row for part in parts for row in _ratio_rows(part)]
    lines += ["", "### Ratios", ""]
    lines += _table(("", "median", "min", "max", "target", "met"), rows)
    for part in parts:
        lines += ["", f"### {part['title']}", "", part["conditions"], ""]
        if "rows" in part:
            lines += _table(part["columns"], part["rows"])
        else:
            lines += _table(("", part["unit"], "min", "max"), _time_rows(part))
        lines += [line for text in part["missing"] for line in ("", text)]
    return "\n".join(lines)


def _ratio_rows(part):
    if "ratios" in part:
        return part["ratios"]
    return [ratio_row(one, _ratios(one, part["seconds"])) for one in part["claims"]]


def ratio_row(one, values, digits=2):
    """Cells of a claim and the values that it was found to have."""
    median = statistics.median(values)
    low, high = one["at_least"], one["at_most"]
    wanted = {
        (True, True): "",
        (False, True): f"≥ {low}",
        (True, False): f"≤ {high}",
        (False, False): f"{low} … {high}",
    }[low is None, high is None]
    met = (low is None or median >= low) and (high is None or median <= high)
    figures = [f"{value:.{digits}f}" for value in (median, min(values), max(values))]
    return [one["text"], *figures, wanted, ("yes" if met else "**no**") if wanted else ""]


def _ratios(one, seconds):
    """Ratio of every round: both runs of it were made at about the same time."""
    if one["to"] is None:
        return seconds[one["of"]]
    return [a / b for a, b in zip(seconds[one["of"]], seconds[one["to"]], strict=True)]


def _time_rows(part):
    rows = []
    for name, values in part["seconds"].items():
        values = [part["factor"] * value for value in values]
        digits = 3 if statistics.median(values) < 1 else 1
        figures = (statistics.median(values), min(values), max(values))
        rows.append([name, *(f"{value:.{digits}f}" for value in figures)])
    return rows


def _table(columns, rows):
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return ["| " + " | ".join(map(str, cells)) + " |" for cells in lines]


def write_page(path, text):
    """Put the tables between the two marks of a page."""
    page = path.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise SystemExit(f"{path} must have the lines {BEGIN!r} and {END!r} once each")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
