"""Do suggested lines pay? Mean IoU against the number of lines: suggested, even, random.

Every repetition begins with one inline and one crossline at random. `suggest_lines` and chance each
add to them, up to four and to eight; "even" has half of its lines along inlines and half along
crosslines, evenly spaced, for each number anew. Test lines are never candidates. A repetition of a
survey appends its rows to a CSV file; those that the file has are skipped::

    export SKFACIES_DATA=FOLDER_OF_REAL_SECTIONS
    python tests/benchmarks/next_lines.py run --csv next_lines.csv
    python tests/benchmarks/next_lines.py table --csv next_lines.csv
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
import xarray
from _splits import f3_lines
from _surveys import FAMILIES
from scipy.signal import resample

from skfacies import FaciesSegmenter
from skfacies.metrics import iou_score
from skfacies.qc import suggest_lines

FIELDS = ("survey", "repetition", "method", "n_lines", "miou", "lines")
METHODS = ("suggested", "even", "random")
COUNTS = (2, 4, 8)

#: Lines are learned in as many steps, however many there are, by a small network.
STEPS = 40
NETWORK = {
    "encoder_name": "tu-test_resnet",
    "encoder_depth": 3,
    "decoder_channels": (16, 16, 8),
    "lr": 3e-3,
}

#: Every so many traces, and samples, of F3 are kept.
F3_TRACES, F3_SAMPLES = 6, 2


def synthetic(name):
    """A survey of a family: amplitudes and labels with line numbers, candidates, test lines."""
    data, target = (array[:, ::3] for array in FAMILIES[name](0))
    axes = {"inline": np.arange(data.shape[0]), "crossline": np.arange(data.shape[1])}
    tests = {key: numbers[6::12] for key, numbers in axes.items()}
    others = {key: np.setdiff1d(numbers, tests[key]) for key, numbers in axes.items()}
    return _arrays(data, target, axes), others, tests


def f3():
    """The twenty lines of F3 in a cube that is empty elsewhere."""
    lines = f3_lines(more=True)
    own = {key: [line.number for line in lines if line.direction == key] for key in AXES}
    coarse = {"inline": range(300, 701, F3_TRACES), "crossline": range(300, 1001, F3_TRACES)}
    axes = {key: np.array(sorted({*coarse[key], *own[key]})) for key in AXES}
    n_samples = lines[0].seismic.shape[1] // F3_SAMPLES
    shape = (len(axes["inline"]), len(axes["crossline"]), n_samples)
    data, target = np.full(shape, np.nan, np.float32), np.full(shape, -1, np.int8)
    for line in lines:
        along = "crossline" if line.direction == "inline" else "inline"
        traces = axes[along] - line.first
        at = int(np.searchsorted(axes[line.direction], line.number))
        where = at if line.direction == "inline" else (slice(None), at)
        data[where] = resample(line.seismic, n_samples, axis=1)[traces]
        target[where] = line.labels[:, ::F3_SAMPLES][traces]
    tests = {"inline": [459, 608], "crossline": [380, 575, 778]}
    others = {key: np.setdiff1d(own[key], tests[key]) for key in AXES}
    return _arrays(data, target, axes), others, tests


AXES = ("inline", "crossline")

SURVEYS = {
    "wedges": lambda: synthetic("wedges"),
    "side by side": lambda: synthetic("side by side"),
    "uneven": lambda: synthetic("uneven"),
    "F3": f3,
}


def _arrays(data, target, axes):
    axes = {**axes, "twt": 4.0 * np.arange(data.shape[2])}
    return tuple(xarray.DataArray(array, axes, list(axes)) for array in (data, target))


def sections(cube, lines):
    """Sections of a dict of line numbers."""
    return [cube.sel({key: number}) for key, numbers in lines.items() for number in numbers]


def fit_and_score(arrays, lines, tests, seed):
    """A model of some lines, and its mean IoU on the test lines."""
    cube, labels = arrays
    n_lines = sum(map(len, lines.values()))
    model = FaciesSegmenter(
        nan_policy="ignore",
        max_epochs=max(1, STEPS // -(-n_lines // 2)),
        validation_fraction=0,
        random_state=seed,
        **NETWORK,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(sections(cube, lines), [np.asarray(y) for y in sections(labels, lines)])
        found = model.predict(sections(cube, tests))
    truth = [np.asarray(y) for y in sections(labels, tests)]
    return model, float(np.mean(iou_score(truth, found, average=None)))


def merge(lines, more):
    """Lines of two dicts."""
    return {key: [*lines[key], *more[key]] for key in AXES}


def even(others, n_lines):
    """Half inlines, half crosslines, evenly spaced over the candidates by number."""
    chosen = {}
    for key, numbers in others.items():
        places = (np.arange(n_lines // 2) + 0.5) / (n_lines // 2)
        wanted = numbers[0] + places * (numbers[-1] - numbers[0])
        left = numbers.astype(float)
        chosen[key] = []
        for number in wanted:
            at = int(np.nanargmin(np.abs(left - number)))
            chosen[key].append(int(numbers[at]))
            left[at] = np.nan
    return chosen


def at_random(others, lines, n, chance):
    """More lines by chance, of either direction alike."""
    left = [(key, int(k)) for key in AXES for k in others[key] if int(k) not in lines[key]]
    chosen = [left[i] for i in chance.choice(len(left), n, replace=False)]
    return {key: [number for name, number in chosen if name == key] for key in AXES}


def repeat(survey, repetition):
    """Rows of all methods for one repetition."""
    arrays, others, tests = SURVEYS[survey]()
    chance = np.random.default_rng(repetition)
    start = {key: [int(chance.choice(others[key]))] for key in AXES}
    model, miou = fit_and_score(arrays, start, tests, repetition)
    rows = [(method, 2, miou, start) for method in ("suggested", "random")]
    lines = {"suggested": start, "random": start}
    for n_before, n_lines in zip(COUNTS[:-1], COUNTS[1:], strict=True):
        n = n_lines - n_before
        more = suggest_lines(model, arrays[0], n, candidates=others).lines
        lines["suggested"] = merge(lines["suggested"], more)
        lines["random"] = merge(lines["random"], at_random(others, lines["random"], n, chance))
        for method in lines:
            fitted, miou = fit_and_score(arrays, lines[method], tests, repetition)
            rows.append((method, n_lines, miou, lines[method]))
            model = fitted if method == "suggested" else model
    for n_lines in COUNTS:
        chosen = even(others, n_lines)
        rows.append(("even", n_lines, fit_and_score(arrays, chosen, tests, repetition)[1], chosen))
    return rows


def run(path, surveys, repetitions):
    """Append the rows of all repetitions that the file lacks."""
    new = not path.exists()
    done = set() if new else {(row["survey"], int(row["repetition"])) for row in read(path)}
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(FIELDS)
        for repetition in range(repetitions):
            for survey in surveys:
                if (survey, repetition) in done:
                    continue
                start = time.process_time()
                for method, n_lines, miou, lines in repeat(survey, repetition):
                    words = " ".join(f"{key}:{k}" for key in AXES for k in lines[key])
                    writer.writerow([survey, repetition, method, n_lines, f"{miou:.4f}", words])
                file.flush()
                print(survey, repetition, f"{time.process_time() - start:.0f} s", flush=True)


def read(path):
    """Rows as dicts of text."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(path):
    """Mean IoU by survey, number of lines and method, and how often suggestions win."""
    rows, lines = read(path), []
    lines.append("| survey | lines | " + " | ".join(METHODS) + " | suggested − even | − random |")
    lines.append("|---|---|" + "---|" * (len(METHODS) + 2))
    for survey in [*dict.fromkeys(row["survey"] for row in rows), "all"]:
        for n_lines in COUNTS:
            of = {
                method: np.array(
                    [
                        float(row["miou"])
                        for row in rows
                        if survey in (row["survey"], "all")
                        and (row["method"], int(row["n_lines"])) == (method, n_lines)
                    ]
                )
                for method in METHODS
            }
            cells = [f"{of[m].mean():.3f} ± {of[m].std():.3f}" for m in METHODS]
            for other in ("even", "random"):
                more = of["suggested"] - of[other]
                cells.append(f"{more.mean():+.3f} (better in {(more > 0).sum()} of {len(more)})")
            lines.append(f"| {survey} | {n_lines} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    """Run or print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--csv", type=Path, default=Path("next_lines.csv"))
    parser.add_argument("--surveys", nargs="+", default=list(SURVEYS), choices=list(SURVEYS))
    parser.add_argument("--repetitions", type=int, default=5)
    args = parser.parse_args()
    if args.what == "run":
        run(args.csv, args.surveys, args.repetitions)
    print(table(args.csv))


if __name__ == "__main__":
    main()
