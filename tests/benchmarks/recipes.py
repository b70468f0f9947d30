"""Which recipe is best, over all data: named recipes x splits x seeds at equal processor time.

Every run appends one row to a CSV file; runs that the file has are skipped, so that a series can be
stopped and taken up again, and several processes can share it by parts::

    python tests/benchmarks/recipes.py run PATH/f3_sections.npz --csv recipes.csv \
        --recipes default depth --splits near hard sparse5 synth --seeds 0 1 --part 0 --of 2
    python tests/benchmarks/recipes.py table --csv recipes.csv --write docs/recipes.md

The split "synth" is a survey of its own for each seed. A recipe is chosen by its mean over all
splits, never by one of them.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from _recipes import RECIPES
from _splits import make_split
from rivals import RIVALS
from skorch.callbacks import Callback

from skfacies import FaciesSegmenter
from skfacies.metrics import contact_error, iou_score

FIELDS = ("recipe", "split", "seed", "budget", "seconds", "epochs", "miou", "tta", "blocks")
FIELDS += ("contact_median", "contact_p95", "valid_miou")

#: Lines of a page between which the tables stand.
BEGIN, END = "<!-- begin generated -->", "<!-- end generated -->"


class EpochSeconds(Callback):
    """Processor seconds at the end of each epoch."""

    def __init__(self, ends):
        self.ends = ends

    def __deepcopy__(self, memo):  # the estimator copies callbacks; this one reports to outside
        return self

    def on_train_begin(self, net, **kwargs):
        self.ends.append(time.process_time())

    def on_epoch_end(self, net, **kwargs):
        self.ends.append(time.process_time())


def fit_in(split, recipe, seed, budget):
    """Fit as many epochs as take `budget` processor seconds; the model and its seconds."""
    X, y = [line.seismic for line in split.train], [line.labels for line in split.train]
    ends = []
    options = {"encoder_weights": None, "random_state": seed} | RECIPES[recipe]
    options.pop("neighbors", None)  # the split has them
    watched = [*options.pop("callbacks", []), ("seconds", EpochSeconds(ends))]
    FaciesSegmenter(**options | {"max_epochs": 2, "callbacks": watched}).fit(X, y)
    epochs = max(2, round(budget / (ends[2] - ends[1])))
    ends.clear()
    model = FaciesSegmenter(**options | {"max_epochs": epochs, "callbacks": watched}).fit(X, y)
    return model, ends[-1] - ends[0]


def mean_iou(truth, prediction, labels):
    return iou_score(truth, prediction, labels=labels, ignore_label=-1)


def score_blocks(split, predictions):
    """Mean IoU and contact errors of all blocks pooled, and the mean IoU of each block."""
    labels = np.arange(split.n_classes)
    truths = [line.labels for line in split.test]
    blocks, start = [], 0
    for lines in split.blocks.values():
        part = slice(start, start + len(lines))
        blocks.append(mean_iou(truths[part], predictions[part], labels))
        start += len(lines)
    # The interpretation of inline 700 of F3 is poor: no contact is measured against it.
    kept = [i for i, line in enumerate(split.test) if line.name != "inline_700"]
    contacts = contact_error(
        [truths[i] for i in kept], [predictions[i] for i in kept], labels=labels
    ).overall
    return {
        "miou": round(mean_iou(truths, predictions, labels), 4),
        "blocks": " ".join(f"{score:.4f}" for score in blocks),
        "contact_median": round(float(contacts.median), 1),
        "contact_p95": round(float(contacts.p95), 1),
    }


def run_one(split, name, seed, budget):
    """One row of the table."""
    start = time.process_time()
    if name in RIVALS:
        row = score_blocks(split, RIVALS[name](split, seed, budget))
        return row | {"seconds": round(time.process_time() - start, 1)}
    model, seconds = fit_in(split, name, seed, budget)
    sections = [line.seismic for line in split.test]
    row = score_blocks(split, model.predict(sections)) | {"seconds": round(seconds, 1)}
    mirrored = model.set_params(tta=True).predict(sections)
    valid = [epoch.get("valid_miou") for epoch in model.history_ if epoch.get("best")]
    return row | {
        "epochs": model.n_iter_,
        "tta": score_blocks(split, mirrored)["miou"],
        "valid_miou": round(valid[-1], 4) if valid and valid[-1] is not None else "",
    }


# --- the file of results ----------------------------------------------------------------------


def read_rows(path):
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append_row(path, row):
    """Add a row in one write, so that processes may share the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(",".join(FIELDS) + "\n")
    cells = [str(row.get(field, "")) for field in FIELDS]
    with path.open("a") as file:
        file.write(",".join(f'"{cell}"' if "," in cell else cell for cell in cells) + "\n")


def run(arguments):
    jobs = [
        (recipe, f"synth{seed}" if split == "synth" else split, seed)
        for seed in arguments.seeds
        for recipe in arguments.recipes
        for split in arguments.splits
    ]
    for recipe, split, seed in jobs[arguments.part :: arguments.of]:
        key = {"recipe": recipe, "split": split, "seed": str(seed), "budget": str(arguments.budget)}
        if any(key.items() <= row.items() for row in read_rows(arguments.csv)):
            continue
        neighbors = RECIPES.get(recipe, {}).get("neighbors", 0)
        if neighbors and not split.startswith("synth"):
            print(f"{recipe}: {split} has no lines beside its lines")
            continue
        made = make_split(split, arguments.path, neighbors)
        row = run_one(made, recipe, seed, arguments.budget)
        append_row(arguments.csv, key | row)
        print(key | row, flush=True)


# --- the table --------------------------------------------------------------------------------


def group_of(split):
    return "synth" if split.startswith("synth") else split


def make_table(rows, budget, column="miou"):
    """Mean and spread of each recipe on each split, and the mean over splits.

    Recipes that were run on most splits come first, among equals the best.
    """
    found = {}
    for row in rows:
        if row["budget"] == budget and row[column]:
            cell = found.setdefault(row["recipe"], {}).setdefault(group_of(row["split"]), [])
            cell.append(float(row[column]))
    splits = sorted({split for cells in found.values() for split in cells})
    lines = [f"| recipe | {' | '.join(splits)} | mean |", "|---" * (len(splits) + 2) + "|"]

    def overall(recipe):
        """Number of splits, of which the mean is."""
        means = [np.mean(found[recipe][split]) for split in splits if split in found[recipe]]
        return len(means), np.mean(means)

    for recipe in sorted(found, key=overall, reverse=True):
        cells = [describe(found[recipe].get(split)) for split in splits]
        n_splits, mean = overall(recipe)
        mean = f"{mean:.3f}" if n_splits == len(splits) else "–"
        lines.append(f"| {recipe} | {' | '.join(cells)} | {mean} |")
    return "\n".join(lines)


def describe(scores):
    """Mean ± standard deviation (number of runs) of a cell."""
    if not scores:
        return "–"
    spread = f" ± {np.std(scores, ddof=1):.3f}" if len(scores) > 1 else ""
    return f"{np.mean(scores):.3f}{spread} ({len(scores)})"


def make_page_part(rows):
    """All tables: one for each budget."""
    parts = []
    for budget in sorted({row["budget"] for row in rows}, key=float):
        parts.append(f"{float(budget):.0f} processor seconds of training:\n\n")
        parts.append(make_table(rows, budget) + "\n\n")
    return "".join(parts)


def table(arguments):
    tables = make_page_part(read_rows(arguments.csv))
    print(tables)
    if arguments.write is not None:
        write_between_marks(arguments.write, tables)


def write_between_marks(path, text):
    """Put the tables where the page says; the old page stays until the new one is whole."""
    page = path.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{path} must have one line {BEGIN!r} and one line {END!r}")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    beside = path.with_name(path.name + ".new")
    beside.write_text(f"{before}{BEGIN}\n\n{text.rstrip()}\n\n{END}{after}", encoding="utf-8")
    beside.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run", help="train and score what the file lacks")
    running.set_defaults(do=run)
    running.add_argument("path", help=".npz file of F3 sections")
    running.add_argument("--recipes", nargs="+", default=list(RECIPES))
    running.add_argument("--splits", nargs="+", default=["near", "hard", "sparse5", "synth"])
    running.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    running.add_argument("--budget", type=float, default=150, help="processor seconds to train")
    running.add_argument("--part", type=int, default=0)
    running.add_argument("--of", type=int, default=1)
    showing = commands.add_parser("table", help="print what the file has")
    showing.set_defaults(do=table)
    showing.add_argument("--write", type=Path, metavar="PAGE", help="page to put the tables into")
    for command in (running, showing):
        command.add_argument("--csv", type=Path, default=Path("recipes.csv"))
    arguments = parser.parse_args()
    arguments.do(arguments)


if __name__ == "__main__":
    main()
