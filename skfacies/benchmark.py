"""The F3 facies benchmark: the protocol of Alaudah et al. (2019), and published scores.

Every inline and every crossline of both test blocks is predicted at its native size. The samples of
all sections count equally, so every sample counts twice, once in each direction.
"""

import importlib.metadata
import platform
import time

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from skfacies._cubes.holders import AXES, check_cube, read_lines, release_pages, unwrap
from skfacies._cubes.slabs import copies_of_amplitudes, read_with_neighbors
from skfacies._cubes.to_sections import CubeToSections
from skfacies._estimators.cube_segmenter import CubeSegmenter
from skfacies._sections.labels import label_codes
from skfacies._sections.validation import check_same_structure
from skfacies._tables import markdown_table
from skfacies.datasets import fetch_f3
from skfacies.datasets._f3 import SHAPES, UNITS
from skfacies.metrics import facies_confusion_matrix, facies_report

__all__ = ["f3_benchmark"]

BLOCKS = ("test1", "test2")
LABELS = np.arange(len(UNITS))
PACKAGES = (
    "skfacies",
    "numpy",
    "scikit-learn",
    "torch",
    "segmentation-models-pytorch",
    "skorch",
)
SCORES = {
    "pixel_accuracy": "PA",
    "mean_class_accuracy": "MCA",
    "fw_iou": "FWIU",
    "mean_iou": "mIoU",
}
# Scores of both official test blocks pooled: PA, MCA, FWIU, mIoU.
PUBLISHED = {
    "Alaudah 2019, section + augmentation": (0.901, 0.804, 0.844, None),
    "Alaudah 2019, section + augmentation + skip": (0.905, 0.817, 0.832, None),
    "seismic-deeplearning, patch deconvnet skip": (0.909, 0.802, 0.839, None),
    "seismic-deeplearning, SEResNet-UNet, section depth": (0.928, 0.866, 0.872, None),
    "seismic-deeplearning, HRNet, section depth": (0.926, 0.873, 0.869, None),
    "Campos Trinidad 2020, atrous U-Net": (0.943, 0.871, 0.895, None),
    "SETR-PUP, direction of test unstated": (0.934, 0.883, None, 0.785),
    "DeepLabV3+ EfficientNet-B4, 3 seeds + flips": (0.940, 0.875, 0.892, 0.793),
}


def f3_benchmark(estimator, data=None, *, data_home=None, memory_limit=200_000_000, verbose=1):
    """Score a fitted estimator on the test blocks of the F3 facies benchmark.

    The protocol is that of the paper [1]_: every inline and every crossline of both blocks is
    predicted at its native size, and all sections of a block are counted together. Use the blocks
    only once: if you select a model by these scores, the blocks become a validation set.

    Parameters
    ----------
    estimator : fitted estimator of sections
        `FaciesSegmenter`, a Pipeline that ends in one, or your own estimator. Of a `CubeSegmenter`,
        the inner estimator is used, because the protocol predicts each direction separately. Its
        classes must be the six units 0…5 of `skfacies.datasets.fetch_f3`.
    data : mapping, default=None
        The blocks "test1" and "test2" by name, each a Bunch with `data` and `target` or a pair
        (amplitudes, labels), cubes of shape (n_inlines, n_crosslines, n_samples) with samples
        last. None loads them with :func:`~skfacies.datasets.fetch_f3`.
    data_home : str or path-like, default=None
        Download folder, passed to `fetch_f3`.
    memory_limit : int, default=200_000_000
        Bytes for the sections that are predicted at once, with their labels; no cube of
        predictions is held in memory. Memory that the estimator itself uses is not included.
    verbose : int, default=1
        1 shows progress and prints the report at the end.

    Returns
    -------
    result : sklearn.utils.Bunch
        Its attributes are:

        matrices : dict
            Confusion matrices, int64 of shape (6, 6), true units in rows: ``matrices[block]
            [direction]`` with the blocks "test1", "test2" and "pooled", and the directions
            "inline", "crossline" and "both".
        table : dict
            ``table[block][direction]``, a dict of "pixel_accuracy" (PA), "mean_class_accuracy"
            (MCA), "fw_iou" (FWIU), "mean_iou" (mIoU), "support" (samples), and "units", a dict with
            the "recall" (class accuracy), "precision", "iou" and "support" of each unit by name.
        published : dict
            Published scores of both blocks pooled, by method; None where not reported.
        settings : dict
            `estimator` and its `params`, `versions` of packages, `seconds` of prediction by block
            and direction, `shapes` of the blocks, and `official`, whether these are the shapes of
            F3.

        ``result.to_markdown()`` returns the report.

    Raises
    ------
    ValueError
        If blocks are missing or are not labeled cubes, or the estimator has other classes.

    References
    ----------
    .. [1] Alaudah, Y. et al. (2019). A machine-learning benchmark for facies classification.
       Interpretation 7(3). doi:10.1190/INT-2018-0249.1

    Examples
    --------
    Blocks of a synthetic survey in place of F3's, and an estimator that knows only depth:

    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator
    >>> from skfacies.benchmark import f3_benchmark
    >>> from skfacies.datasets import make_facies_cube
    >>> class Layers(BaseEstimator):
    ...     def fit(self, X, y):
    ...         self.classes_ = np.unique(y)
    ...         self.layers_ = np.median(y, axis=(0, 1)).astype(int)
    ...         return self
    ...     def predict(self, X):
    ...         return np.broadcast_to(self.layers_, X.shape)
    >>> survey = make_facies_cube((20, 24, 48), n_facies=6, random_state=0)
    >>> layers = Layers().fit(survey.data[:10], survey.target[:10])
    >>> blocks = {"test1": (survey.data[10:], survey.target[10:]),
    ...           "test2": (survey.data[:10, :8], survey.target[:10, :8])}
    >>> result = f3_benchmark(layers, blocks, verbose=0)
    >>> for line in result.to_markdown().splitlines()[2:8]:
    ...     print(line)
    | block | direction | PA | MCA | FWIU | mIoU | samples |
    | --- | --- | --- | --- | --- | --- | --- |
    | test1 | inline | 0.724 | 0.708 | 0.576 | 0.557 | 11520 |
    | test1 | crossline | 0.724 | 0.708 | 0.576 | 0.557 | 11520 |
    | test1 | both | 0.724 | 0.708 | 0.576 | 0.557 | 23040 |
    | test2 | inline | 0.634 | 0.628 | 0.517 | 0.482 | 3840 |
    """
    sections_estimator = _check_estimator(estimator)
    neighbors = estimator.neighbors if isinstance(estimator, CubeSegmenter) else 0
    blocks = _check_blocks(data, data_home, verbose)
    if not memory_limit > 0:
        raise ValueError(f"`memory_limit` must be a number of bytes above 0; got {memory_limit!r}.")
    matrices, seconds = {}, {}
    for block, (cube, truth) in blocks.items():
        matrices[block], seconds[block] = {}, {}
        for direction in AXES:
            start = time.perf_counter()
            matrices[block][direction] = _count_direction(
                sections_estimator,
                cube,
                truth,
                block,
                direction,
                neighbors=neighbors,
                memory_limit=memory_limit,
                verbose=verbose,
            )
            seconds[block][direction] = time.perf_counter() - start
    matrices["pooled"] = {
        direction: sum(matrices[block][direction] for block in BLOCKS) for direction in AXES
    }
    for by_direction in matrices.values():
        by_direction["both"] = sum(by_direction[direction] for direction in AXES)
    result = _Result(
        matrices=matrices,
        table={
            block: {direction: _score(counts) for direction, counts in by_direction.items()}
            for block, by_direction in matrices.items()
        },
        published={name: dict(zip(SCORES, row, strict=True)) for name, row in PUBLISHED.items()},
        settings=_describe(sections_estimator, neighbors, blocks, seconds),
    )
    if verbose:
        print(result.to_markdown())
    return result


class _Result(Bunch):
    """Bunch with a report."""

    def to_markdown(self):
        """Return the report: scores by block and direction, units, and published scores."""
        title = (
            "# F3 facies benchmark"
            if self.settings["official"]
            else "# Protocol of the F3 benchmark"
        )
        lines = [title, ""]
        lines += markdown_table(
            ["block", "direction", *SCORES.values(), "samples"],
            [
                [block, direction, *map(_text, map(scores.get, SCORES)), f"{scores['support']:.0f}"]
                for block, by_direction in self.table.items()
                for direction, scores in by_direction.items()
            ],
        )
        pooled = self.table["pooled"]["both"]
        lines += ["", "Units, both blocks and directions:", ""]
        lines += markdown_table(
            ["unit", "class accuracy", "IoU", "samples"],
            [
                [name, _text(row["recall"]), _text(row["iou"]), f"{row['support']:.0f}"]
                for name, row in pooled["units"].items()
            ],
        )
        if self.settings["official"]:
            lines += ["", "Published, both blocks pooled:", ""]
            rows = {f"**this: {self.settings['estimator']}**": pooled, **self.published}
            lines += markdown_table(
                ["method", *SCORES.values()],
                [[name, *map(_text, map(row.get, SCORES))] for name, row in rows.items()],
            )
        else:
            lines += ["", f"Blocks of shapes {self.settings['shapes']} are not those of F3:"]
            lines += ["published scores are not comparable."]
        return "\n".join([*lines, "", *_settings_lines(self.settings)])


# --- arguments -------------------------------------------------------------------------------


def _check_estimator(estimator):
    """Return the fitted estimator of sections; its classes must be the six units."""
    if isinstance(estimator, CubeSegmenter):
        check_is_fitted(estimator, "estimator_")
        estimator = estimator.estimator_
    if isinstance(estimator, type) or not hasattr(estimator, "predict"):
        raise TypeError(
            "`estimator` must be a fitted estimator of sections, with `predict`; got "
            f"{estimator!r}."
        )
    for step in getattr(estimator, "named_steps", {}).values():
        if isinstance(step, CubeToSections) and step.direction != "inline":
            raise ValueError(
                "`estimator` must accept uncut sections; got a Pipeline that cuts cubes along "
                f"{step.direction}s. Remove this step, such as with estimator[1:]."
            )
    if hasattr(estimator, "fit"):
        check_is_fitted(estimator)
    classes = np.asarray(getattr(estimator, "classes_", LABELS))
    if classes.dtype.kind not in "iuf" or not np.array_equal(classes, LABELS):
        raise ValueError(
            f"`estimator` must have learned the six units {LABELS.tolist()} of F3, "
            f"{', '.join(UNITS)}; its classes are {classes.tolist()}. Fit it on the target of "
            "fetch_f3('train'), on sections that contain all units."
        )
    return estimator


def _check_blocks(data, data_home, verbose):
    """Amplitudes and labels of both blocks, unread."""
    if data is None:
        data = fetch_f3(list(BLOCKS), data_home=data_home, verbose=verbose)
    if not hasattr(data, "keys") or not set(BLOCKS) <= set(data.keys()):
        got = sorted(map(str, data.keys())) if hasattr(data, "keys") else type(data).__name__
        raise ValueError(
            f"`data` must be a mapping with the blocks 'test1' and 'test2'; got {got}. Use None "
            "to load them with fetch_f3."
        )
    blocks = {}
    for block in BLOCKS:
        pair = data[block]
        if hasattr(pair, "keys") and {"data", "target"} <= set(pair.keys()):
            pair = pair["data"], pair["target"]
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(
                f"`data[{block!r}]` must be a Bunch with `data` and `target`, or a pair "
                f"(amplitudes, labels); got {type(pair).__name__}."
            )
        name = f"data[{block!r}]"
        cube, truth = (unwrap(item)[0] for item in pair)
        cube = check_cube(cube, name)
        blocks[block] = cube, check_same_structure(truth, cube, f"{name} labels", name)
    return blocks


# --- prediction ------------------------------------------------------------------------------


def _count_direction(estimator, cube, truth, block, direction, *, neighbors, memory_limit, verbose):
    """Confusion matrix of all sections of one direction, a slab of them at a time."""
    axis = AXES.index(direction)
    n_lines, n_traces, n_samples = (int(cube.shape[i]) for i in (axis, 1 - axis, 2))
    # Amplitudes, true labels, and predicted labels as int64 and as codes while counting.
    copies = copies_of_amplitudes(neighbors)
    per_sample = copies * np.dtype(cube.dtype).itemsize + np.dtype(truth.dtype).itemsize + 32
    slab = int(max(1, memory_limit // (n_traces * n_samples * per_sample)))
    counts = np.zeros((len(LABELS), len(LABELS)), dtype=np.int64)
    title = f"{block} {direction}s"
    with tqdm(total=n_lines, desc=title, unit="line", disable=not verbose) as bar:
        for start in range(0, n_lines, slab):
            lines = slice(start, min(start + slab, n_lines))
            labels = np.ascontiguousarray(read_lines(truth, axis, lines))
            sections = read_with_neighbors(cube, axis, lines, neighbors)
            predicted = estimator.predict(sections if neighbors else np.ascontiguousarray(sections))
            counts += _count(labels, np.asarray(predicted), title)
            bar.update(lines.stop - lines.start)
            release_pages(cube)
            release_pages(truth)
    return counts


def _count(labels, predicted, title):
    for name, found in (("true", labels), ("predicted", predicted)):
        if found.shape != labels.shape:
            raise ValueError(
                f"`estimator` predicted labels of shape {found.shape} for {title} of shape "
                f"{labels.shape}. It must predict one label for every sample."
            )
        unknown = label_codes(found, LABELS) == len(LABELS)
        if unknown.any():
            raise ValueError(
                f"{name} labels of {title} must be the units {LABELS.tolist()}; got "
                f"{np.unique(found[unknown]).tolist()[:5]}."
            )
    return facies_confusion_matrix(labels, predicted, labels=LABELS, ignore_label=None)


def _score(counts):
    """All scores of a confusion matrix, whose cells serve as the weights of 36 samples."""
    truth, predicted = np.indices(counts.shape).reshape(2, -1)
    report = facies_report(
        truth,
        predicted,
        labels=LABELS,
        target_names=list(UNITS),
        ignore_label=None,
        sample_weight=counts.ravel(),
        output_dict=True,
    )
    overall = {name: report[name] for name in (*SCORES, "support")}
    return {**overall, "units": {name: report[name] for name in UNITS}}


# --- the report ------------------------------------------------------------------------------


def _describe(estimator, neighbors, blocks, seconds):
    params = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    if neighbors:
        params = {"neighbors": neighbors, **params}
    plain = (str, int, float, bool, type(None))
    shapes = {block: tuple(map(int, cube.shape)) for block, (cube, _) in blocks.items()}
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "estimator": type(estimator).__name__,
        "params": {k: v if isinstance(v, plain) else repr(v) for k, v in params.items()},
        "versions": versions,
        "seconds": seconds,
        "shapes": shapes,
        "official": all(shape == SHAPES[block] for block, shape in shapes.items()),
    }


def _settings_lines(settings):
    seconds = sum(sum(by_direction.values()) for by_direction in settings["seconds"].values())
    yield f"- estimator: {settings['estimator']}"
    params = ", ".join(f"{name}={value!r}" for name, value in settings["params"].items())
    yield f"- parameters: {params or 'none'}"
    versions = ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
    yield f"- versions: {versions}"
    yield f"- prediction: {seconds:.0f} s"


def _text(value):
    return "–" if value is None or np.isnan(value) else f"{value:.3f}"
