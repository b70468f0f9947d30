"""Which recipe is best in the worst case: recipes and rivals x surveys x seeds at equal time.

A recipe is judged by its worst regret, which is how far it is behind the best rival on any survey,
then by its mean. Every run appends one row to a CSV file; runs that the file has are skipped, so
that a series can be stopped and taken up again, and several processes can share it by parts::

    export SKFACIES_DATA=FOLDER_OF_REAL_SECTIONS
    python tests/benchmarks/recipes.py run --csv recipes.csv --recipes default --part 0 --of 2
    python tests/benchmarks/recipes.py table --csv recipes.csv --write docs/recipes.md

Processor seconds grow with the root of the number of training samples: 150 on the nine lines of F3.
With ``--seconds auto`` a recipe trains for as many epochs as it would by itself.
"""

import argparse
import copy
import csv
import time
from collections import Counter
from pathlib import Path

import numpy as np
from _recipes import AT_PREDICTION, RECIPES
from _splits import SPLITS, make_split
from rivals import RIVALS
from skorch.callbacks import Callback

from skfacies import FaciesSegmenter
from skfacies.metrics import contact_error, facies_confusion_matrix, iou_score

FIELDS = ("recipe", "split", "seed", "budget", "seconds", "epochs", "miou", "blocks", "worst")
FIELDS += ("recall", "ece", "agree", "contact_median", "contact_p95")

#: Lines of a page between which the tables stand.
BEGIN, END = "<!-- begin generated -->", "<!-- end generated -->"

#: Samples of the nine training lines of F3.
USUAL_SIZE = 1_700_000

#: A class of fewer training samples may be lost.
ENOUGH_SAMPLES = 500


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


def seconds_for(split, seconds):
    """Processor time for a split, where `seconds` is that of the nine lines of F3."""
    size = sum(line.labels.size for line in split.train)
    return seconds * (size / USUAL_SIZE) ** 0.5


def fit_in(split, recipe, seed, seconds, models):
    """Fit as many epochs as take so long, or as many as it likes; the model and its seconds.

    `models` holds what was trained on this split: recipes that differ in prediction share it.
    """
    X, y = [line.placed for line in split.train], [line.labels for line in split.train]
    options = dict(RECIPES[recipe])
    options.pop("neighbors", None)  # the split has them
    adapt, networks = options.pop("adapt", False), options.pop("networks", 1)
    later = {name: options.pop(name) for name in AT_PREDICTION & options.keys()}
    own = []
    for random_state in range(seed * networks, (seed + 1) * networks):
        key = repr(options | {"random_state": random_state})
        if key not in models:
            models[key] = train(X, y, options | {"random_state": random_state}, split, seconds)
        own.append(models[key])
    seconds = sum(taken for _, taken in own)
    model = own[0][0] if networks == 1 else Mean([network for network, _ in own])
    model = copy.copy(model).set_params(**later)
    if adapt:  # to the lines that are predicted, whose labels it does not see
        start = time.process_time()
        others = [line.placed for line in split.test]
        unknown = [np.full(line.labels.shape, -1) for line in split.test]
        model.refine(X + others, y + unknown)
        seconds += time.process_time() - start
    return model, seconds


class Mean:
    """The mean of the probabilities of several models."""

    def __init__(self, models):
        self.models, self.classes_ = models, models[0].classes_
        self.n_iter_ = sum(model.n_iter_ for model in models)

    def set_params(self, **params):
        for model in self.models:
            model.set_params(**params)
        return self

    def predict_proba(self, X):
        each = zip(*(model.predict_proba(X) for model in self.models), strict=True)
        return [sum(probabilities) / len(self.models) for probabilities in each]

    def predict(self, X):
        return [self.classes_[p.argmax(axis=-1)] for p in self.predict_proba(X)]


def train(X, y, options, split, seconds):
    """A model, and the processor seconds of its epochs."""
    ends, options = [], {"nan_policy": "ignore"} | options
    watched = [*options.pop("callbacks", []), ("seconds", EpochSeconds(ends))]
    if seconds != "auto":
        FaciesSegmenter(**options | {"max_epochs": 2, "callbacks": watched}).fit(X, y)
        budget = seconds_for(split, float(seconds))
        options["max_epochs"] = max(2, round(budget / (ends[2] - ends[1])))
        ends.clear()
    model = FaciesSegmenter(**options | {"callbacks": watched}).fit(X, y)
    return model.set_params(callbacks=None), ends[-1] - ends[0]


def learnable(split):
    """Classes of which the training lines have enough samples."""
    counts = sum(
        np.bincount(line.labels[line.labels >= 0], minlength=split.n_classes)
        for line in split.train
    )
    return np.flatnonzero(counts >= ENOUGH_SAMPLES)


def score(split, predictions):
    """Scores of all blocks pooled, the mean IoU of each block, and the IoU of the worst class."""
    truths, names = [line.labels for line in split.test], np.arange(split.n_classes)
    blocks, start = [], 0
    for lines in split.blocks.values():
        part = slice(start, start + len(lines))
        blocks.append(iou_score(truths[part], predictions[part], labels=names))
        start += len(lines)
    each = iou_score(truths, predictions, labels=names, average=None)
    present = np.unique(np.concatenate([np.unique(truth) for truth in truths]))
    # The interpretation of inline 700 of F3 is poor: no contact is measured against it.
    kept = [i for i, line in enumerate(split.test) if line.name != "inline_700"]
    contacts = contact_error(
        [truths[i] for i in kept], [predictions[i] for i in kept], labels=names
    ).overall
    return {
        "miou": round(iou_score(truths, predictions, labels=names), 4),
        "blocks": " ".join(f"{block:.4f}" for block in blocks),
        "worst": round(min(each[np.intersect1d(present, learnable(split))]), 4),
        "contact_median": round(float(contacts.median), 1),
        "contact_p95": round(float(contacts.p95), 1),
    }


def doubt(split, model, predictions):
    """Calibration error, agreement of labels and probabilities, worst recall on training lines."""
    of_lines = model.predict_proba([line.placed for line in split.test])
    truth = np.concatenate([line.labels.ravel() for line in split.test])
    labels = np.concatenate([prediction.ravel() for prediction in predictions])
    probabilities = np.concatenate([p.reshape(-1, p.shape[-1]) for p in of_lines])
    probabilities, truth, labels = (values[truth >= 0] for values in (probabilities, truth, labels))
    most_probable = model.classes_[probabilities.argmax(axis=1)]
    known = facies_confusion_matrix(
        [line.labels for line in split.train],
        model.set_params(positions=None).predict([line.seismic for line in split.train]),
        labels=np.arange(split.n_classes),
    )
    recall = known.diagonal() / np.maximum(known.sum(axis=1), 1)
    error = calibration_error(probabilities.max(axis=1), most_probable == truth)
    return {
        "ece": round(error, 4),
        "agree": round(float((most_probable == labels).mean()), 5),
        "recall": round(float(min(recall[learnable(split)])), 4),
    }


def calibration_error(confidence, hit, n_bins=15):
    """Expected calibration error: mean difference of confidence and accuracy over bins."""
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    off = np.bincount(bins, weights=confidence - hit, minlength=n_bins)
    return float(np.abs(off).sum() / len(hit))


def run_one(split, name, seed, seconds, models):
    """One row of the table."""
    if name in RIVALS:
        start = time.process_time()
        row = score(split, RIVALS[name](split, seed, seconds_for(split, float(seconds))))
        return row | {"seconds": round(time.process_time() - start, 1)}
    model, seconds = fit_in(split, name, seed, seconds, models)
    predictions = model.predict([line.placed for line in split.test])
    row = score(split, predictions) | doubt(split, model, predictions)
    return row | {"seconds": round(seconds, 1), "epochs": model.n_iter_}


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
    jobs = [(seed, split) for seed in arguments.seeds for split in arguments.splits]
    recipes = arguments.recipes
    if arguments.seconds == "auto":  # rivals need a number
        recipes = [recipe for recipe in recipes if recipe not in RIVALS]
    for seed, name in jobs[arguments.part :: arguments.of]:
        splits = {}
        for recipe in recipes:
            key = {"recipe": recipe, "split": name, "seed": str(seed), "budget": arguments.seconds}
            if any(key.items() <= row.items() for row in read_rows(arguments.csv)):
                continue
            neighbors = RECIPES.get(recipe, {}).get("neighbors", 0)
            if neighbors and not name.startswith("synth"):
                print(f"{recipe}: {name} has no lines beside its lines")
                continue
            if neighbors not in splits:
                splits[neighbors] = make_split(name, seed, neighbors), {}
            split, models = splits[neighbors]
            row = run_one(split, recipe, seed, arguments.seconds, models)
            append_row(arguments.csv, key | row)
            print(key | row, flush=True)


# --- the table --------------------------------------------------------------------------------


def make_table(rows, column="miou"):
    """Mean of each recipe on each kind of survey over its seeds, worst regret, and mean.

    Columns are recipes, then rivals. Recipes that were not trained for as long as they would be by
    themselves have their seconds in the name.
    """
    found = {}
    for row in rows:
        if row[column]:
            own = row["budget"] == "auto" or row["recipe"] in RIVALS
            name = row["recipe"] + ("" if own else f", {row['budget']} s")
            cells = found.setdefault(name, {}).setdefault(kind_of(row["split"]), {})
            cells.setdefault(row["split"], []).append(float(row[column]))
    sizes = Counter(map(kind_of, SPLITS))  # a mean of some of several would not be comparable
    means = {
        name: {
            kind: np.mean([np.mean(scores) for scores in cells.values()])
            for kind, cells in kinds.items()
            if len(cells) == sizes[kind]
        }
        for name, kinds in found.items()
    }
    rivals = [name for name in RIVALS if name in means]
    place = {recipe: i for i, recipe in enumerate(RECIPES)}
    recipes = sorted(means.keys() - set(rivals))
    recipes.sort(key=lambda name: place.get(name.split(",")[0], len(place)))
    names = recipes + rivals
    lines = [f"| survey | {' | '.join(names)} |", "|---" + "|---:" * len(names) + "|"]
    for split in dict.fromkeys(map(kind_of, SPLITS)):
        cells = [means[name].get(split) for name in names]
        if any(cell is not None for cell in cells):
            lines.append(f"| {split} | {' | '.join(map(describe, cells))} |")
    worst = [describe(regret(means, rivals, name), "+.3f") for name in names]
    lines.append(f"| worst against the best rival | {' | '.join(worst)} |")
    all_kinds = set().union(*means.values())
    mean = [
        describe(np.mean(list(means[name].values())) if means[name].keys() == all_kinds else None)
        for name in names
    ]  # means of other surveys could not be compared
    lines.append(f"| mean | {' | '.join(mean)} |")
    return "\n".join(lines)


def list_sets(rows, column):
    """Mean and range over seeds of each recipe on each set."""
    values = {}
    for row in rows:
        if row[column]:
            values.setdefault((row["recipe"], row["split"]), []).append(float(row[column]))
    lines = ["| recipe | set | mean | least | most | seeds |", "|---|---|---:|---:|---:|---:|"]
    for (recipe, split), own in sorted(values.items()):
        numbers = " | ".join(f"{value:.3f}" for value in (np.mean(own), min(own), max(own)))
        lines.append(f"| {recipe} | {split} | {numbers} | {len(own)} |")
    return "\n".join(lines)


def kind_of(split):
    """Kind of a split: "six" and "synth" stand for several."""
    return next((kind for kind in ("six", "synth") if split.startswith(kind)), split)


def regret(means, rivals, name):
    """The smallest difference to the best other rival over the surveys of a recipe."""
    return min(
        mean - max((means[rival].get(split, 0) for rival in rivals if rival != name), default=0)
        for split, mean in means[name].items()
    )


def describe(value, form=".3f"):
    return "–" if value is None else format(value, form)


def table(arguments):
    rows = [row for row in read_rows(arguments.csv) if row["budget"] in arguments.seconds]
    rows = [row for row in rows if not arguments.recipes or row["recipe"] in arguments.recipes]
    rows = [row for row in rows if not arguments.seeds or row["seed"] in arguments.seeds]
    if arguments.each:
        print(list_sets(rows, arguments.column))
        return
    text = make_table(rows, arguments.column)
    print(text)
    if arguments.write is not None:
        write_between_marks(arguments.write, text)


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
    running.add_argument("--recipes", nargs="+", default=["default", *RIVALS])
    running.add_argument("--splits", nargs="+", default=list(SPLITS))
    running.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    running.add_argument("--seconds", default="150", help='processor seconds, or "auto"')
    running.add_argument("--part", type=int, default=0)
    running.add_argument("--of", type=int, default=1)
    showing = commands.add_parser("table", help="print what the file has")
    showing.set_defaults(do=table)
    showing.add_argument("--write", type=Path, metavar="PAGE", help="page to put the table into")
    showing.add_argument("--seconds", nargs="+", default=["150", "auto"])
    showing.add_argument("--recipes", nargs="+", help="only these, rivals included")
    showing.add_argument("--seeds", nargs="+", help="only these; default: means of all")
    showing.add_argument("--each", action="store_true", help="list all sets, with ranges of seeds")
    showing.add_argument("--column", default="miou", choices=FIELDS[4:])
    for command in (running, showing):
        command.add_argument("--csv", type=Path, default=Path("recipes.csv"))
    arguments = parser.parse_args()
    arguments.do(arguments)


if __name__ == "__main__":
    main()
