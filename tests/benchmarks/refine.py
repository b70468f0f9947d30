"""Is `refine` as good as a new fit? Mean IoU before, after, and of a new fit on all lines.

Some lines of a data set are kept back from the first fit. `refine` adds them, with weight 3, as
`skfacies refine` does. Both fits take the processor time that recipes.py gives them. Each run
appends a row to a CSV file; those that the file has are skipped::

    export SKFACIES_DATA=FOLDER_OF_REAL_SECTIONS
    python tests/benchmarks/refine.py --csv refine.csv
"""

import argparse
import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from _splits import make_split
from recipes import fit_in, score

FIELDS = ("split", "seed", "before", "refined", "anew", "seconds", "seconds_refined")

#: Lines that the first fit does not have.
LATER = {"near": ("inline_628", "crossline_740"), "noisy": ("inline_24",)}
WEIGHT = 3.0


def compare(name, seed, seconds):
    """A row of the table."""
    split = make_split(name, seed)
    later = [line.name in LATER[name] for line in split.train]
    first = [line for line, is_later in zip(split.train, later, strict=True) if not is_later]
    part = replace(split, train=first)
    X, y = [line.placed for line in split.train], [line.labels for line in split.train]

    def mean_iou(model):
        return score(split, model.predict([line.placed for line in split.test]))["miou"]

    model, first_seconds = fit_in(part, "default", seed, seconds, {})
    row = {"split": name, "seed": seed, "before": mean_iou(model), "seconds": first_seconds}
    start = time.process_time()
    model.refine(X, y, sample_weight=np.where(later, WEIGHT, 1.0))
    row |= {"refined": mean_iou(model), "seconds_refined": time.process_time() - start}
    anew, _ = fit_in(split, "default", seed, seconds, {})
    row |= {"anew": mean_iou(anew)}
    return {field: row[field] if field in FIELDS[:2] else round(row[field], 4) for field in FIELDS}


def read(path):
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def table(rows):
    """Means over seeds, and the largest difference of any seed."""
    lines = [
        "| lines | before | refined | new fit | refined − new, each seed | time / first fit |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(row["split"] for row in rows):
        own = [row for row in rows if row["split"] == name]
        of = {field: np.array([float(row[field]) for row in own]) for field in FIELDS[2:]}
        cells = [f"{of[field].mean():.3f}" for field in ("before", "refined", "anew")]
        cells.append(" ".join(f"{more:+.3f}" for more in of["refined"] - of["anew"]))
        cells.append(f"{np.mean(of['seconds_refined'] / of['seconds']):.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    """Run what the file lacks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, default=Path("refine.csv"))
    parser.add_argument("--splits", nargs="+", default=list(LATER), choices=list(LATER))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=150)
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        for name in arguments.splits:
            key = {"split": name, "seed": str(seed)}
            if any(key.items() <= row.items() for row in read(arguments.csv)):
                continue
            row = compare(name, seed, arguments.seconds)
            new = not arguments.csv.exists()
            with arguments.csv.open("a", newline="") as file:
                writer = csv.DictWriter(file, FIELDS)
                if new:
                    writer.writeheader()
                writer.writerow(row)
            print(row, flush=True)
    print(table(read(arguments.csv)))


if __name__ == "__main__":
    main()
