"""How `CubeSegmenter` predicts a cube: slabs of lines, one or two directions, labels."""

import functools
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from skfacies._cubes.checkpoint import checksum
from skfacies._cubes.dask_arrays import predict_lazily
from skfacies._cubes.holders import (
    AXES,
    chunk_length,
    read_lines,
    release_pages,
    section_axes,
    shape_of,
    write_lines,
)
from skfacies._cubes.positions import place
from skfacies._cubes.probability_store import make_store, scratch_bytes
from skfacies._cubes.slabs import copies_of_amplitudes, plan_slabs, read_slabs
from skfacies._sections.estimators import find_parameter, last_step
from skfacies._sections.labels import prediction_dtype
from skfacies._sections.undefined import dead_samples
from skfacies._stratigraphy.order import check_unit_order, give_to_labels, labels_from_scores

__all__ = ["CubePrediction", "rescaled_to_cube"]

#: Lines of a cube that tell the scale of its amplitudes.
ENOUGH_LINES = 32

#: Samples of a slab at most where slabs are recorded: some seconds of work, which a kill costs.
RECORDED_SAMPLES = 2 << 20


@dataclass(frozen=True)
class CubePrediction:
    """A fitted estimator of sections, and how it predicts cubes.

    Parameters
    ----------
    estimator : fitted estimator of sections
    direction : {"inline", "crossline", "both"}
    classes : ndarray
    label_type : dtype
        Holds `classes` and, if labels of missing samples are predicted, `ignore_label`.
    ignore_label : int, str or None
    neighbors : int
    memory_limit : int
    scratch_dir : path or None
    verbose : int
    numbers : tuple of arrays (n_inlines,), (n_crosslines,), or None
        Line numbers of the cube, for an estimator that uses them.
    n_volumes : int, default=1
        Cubes of several volumes have one more axis at the end.
    """

    estimator: object
    direction: str
    classes: np.ndarray
    label_type: np.dtype
    ignore_label: object
    neighbors: int
    memory_limit: float
    scratch_dir: object
    verbose: int
    numbers: tuple | None = None
    n_volumes: int = 1

    @classmethod
    def of(cls, segmenter, cube=None, dtype=None, numbers=None):
        """How a `CubeSegmenter` predicts; by the amplitude scale of `cube`, if it is learned."""
        estimator = segmenter.estimator_
        if cube is not None:
            estimator = rescaled_to_cube(estimator, segmenter.direction, cube)
        ignore_label = find_parameter(segmenter.estimator, "ignore_label", -1)
        if dtype is None:
            nan_policy = find_parameter(estimator, "nan_policy", "raise")
            dtype = prediction_dtype(segmenter.classes_, ignore_label, nan_policy)
        placed = getattr(last_step(segmenter.estimator_), "contacts_", None) is not None
        return cls(
            estimator,
            segmenter.direction,
            segmenter.classes_,
            np.dtype(dtype),
            ignore_label,
            segmenter.neighbors,
            segmenter.memory_limit,
            segmenter.scratch_dir,
            segmenter.verbose,
            numbers if placed else None,
            segmenter.n_volumes_ or 1,
        )

    def check_label_type(self, dtype):
        """Refuse a type of labels that cannot hold all that may be predicted."""
        if dtype is None:
            return
        nan_policy = find_parameter(self.estimator, "nan_policy", "raise")
        labels = self.classes
        if nan_policy == "ignore":
            labels = np.append(labels, self.ignore_label)
        try:
            same = np.array_equal(labels.astype(dtype), labels)
        except (TypeError, ValueError):
            same = False
        if not same:
            fitting = prediction_dtype(self.classes, self.ignore_label, nan_policy)
            raise ValueError(
                f"labels {labels.tolist()} cannot be held by dtype {np.dtype(dtype)}. Choose "
                f"another `dtype` or `out`, such as {fitting}."
            )

    # --- labels -------------------------------------------------------------------------------

    def slabs_of_labels(self, cube, out, record=None):
        """Yield (axis, lines, labels) until the cube is complete; they are to be put into `out`.

        What a `Checkpoint` has as finished is left out.
        """
        axes = section_axes(self.direction, shape_of(cube))
        self._begin(record, cube, out, "labels")
        if len(axes) == 1:
            for lines, sections in self._read_slabs(cube, axes[0], out, record):
                yield axes[0], lines, np.asarray(self.estimator.predict(sections))
            return
        with self._inline_probabilities(cube, record) as store:
            for lines, sections in self._read_slabs(cube, 1, out, record):
                mean = self._mean(store, lines, sections)
                yield 1, lines, self.to_labels(mean, _dead_samples_of(sections))

    def to_labels(self, probabilities, dead=None):
        """Labels of whole sections, in the order of units if there is one.

        Parameters
        ----------
        probabilities : array of shape (n_sections, n_traces, n_samples, n_classes)
        dead : list of masks (n_traces, n_samples) or None, one for each section, default=None
            Samples that have no say in the labels of others. Missing ones have none anyway.
        """
        codes, missing = self._to_codes(probabilities, dead)
        labels = self.classes.astype(self.label_type)[codes]
        if missing.any():
            labels[missing] = self.ignore_label
        return labels

    def in_order(self, probabilities, dead=None):
        """Means of probabilities in which the labels of `to_labels` are the most probable."""
        codes, missing = self._to_codes(probabilities, dead)
        result = np.where(missing[..., None], 0, probabilities)
        for own, labels in zip(result, codes, strict=True):
            give_to_labels(own, labels)
        result[missing] = np.nan
        return result

    def _to_codes(self, probabilities, dead):
        last = last_step(self.estimator)
        order = getattr(last, "unit_order_", None)
        order = None if order is None else check_unit_order(order, self.classes)
        # As in `predict`: the means of both directions have no spikes.
        smooth = self.direction != "both" and bool(getattr(last, "dip_smoothing_", None))
        missing = np.isnan(probabilities[..., 0])
        if missing.any():
            probabilities = np.where(missing[..., None], 0, probabilities)
        codes = probabilities.argmax(axis=-1)
        dead = [None] * len(codes) if dead is None else dead
        for section, own, nothing, silent in zip(codes, probabilities, missing, dead, strict=True):
            silent = nothing if silent is None else nothing | silent
            labels_from_scores(
                section,
                functools.partial(_log_scores, own),
                order,
                missing=silent if silent.any() else None,
                without_spikes=smooth,
            )
        return codes, missing

    def labels_from_probabilities(self, cube, probabilities):
        """Yield (axis, lines, labels) from probabilities of the whole cube, a line at a time."""
        axis = section_axes(self.direction, shape_of(cube))[-1]
        for i in range(shape_of(cube)[axis]):
            lines = slice(i, i + 1)
            own = np.asarray(read_lines(probabilities, axis, lines))
            sections = np.asarray(read_lines(cube, axis, lines))
            yield axis, lines, self.to_labels(own, _dead_samples_of(sections))

    # --- probabilities --------------------------------------------------------------------------

    def write_probabilities(self, cube, result, record=None):
        """Write the probabilities of the cube, in both directions their mean."""
        axes = section_axes(self.direction, shape_of(cube))
        self._begin(record, cube, result, "probabilities")
        if len(axes) == 2 and record is not None:
            self._write_means(cube, result, record)
            return
        for number, axis in enumerate(axes):
            for lines, sections in self._read_slabs(cube, axis, result, record):
                probabilities = self._probabilities(sections)
                if number:
                    probabilities = probabilities + read_lines(result, axis, lines)
                    probabilities /= 2
                    probabilities = self.in_order(probabilities, _dead_samples_of(sections))
                write_lines(result, axis, lines, probabilities)
                del probabilities

    def _write_means(self, cube, result, record):
        """Write means of both directions, of which those of one are kept beside the result.

        Means that took the place of the probabilities of inlines would be averaged again after a
        kill.
        """
        with self._inline_probabilities(cube, record, exact=True) as store:
            for lines, sections in self._read_slabs(cube, 1, result, record):
                mean = self._mean(store, lines, sections)
                write_lines(result, 1, lines, self.in_order(mean, _dead_samples_of(sections)))

    @contextmanager
    def _inline_probabilities(self, cube, record, *, exact=False):
        """A store of the probabilities of all inline sections."""
        slabs = [
            [s for _, inner in self._plan(cube, axis, record) for s in inner] for axis in (0, 1)
        ]
        store = make_store(
            shape_of(cube)[:3],
            len(self.classes),
            memory_limit=self.memory_limit,
            slabs=slabs,
            folder=self.scratch_dir,
            kept=None if record is None else record.folder / "inlines",
            exact=exact,
        )
        try:
            for lines, sections in self._read_slabs(cube, 0, store, record):
                store.write_inlines(lines, self._probabilities(sections))
            yield store
        finally:
            store.close()

    def _mean(self, store, lines, sections):
        """Mean of the probabilities of crossline sections and those in a store of inlines."""
        predicted = self._probabilities(sections)  # the estimator's: not to be changed
        mean = store.read_crosslines(lines)
        mean += predicted
        del predicted
        mean /= 2
        return mean

    def _begin(self, record, cube, out, kind):
        """Tell a record what is predicted."""
        if record is None:
            return
        shape = shape_of(cube)
        plans = [self._plan(cube, axis, record) for axis in section_axes(self.direction, shape)]
        record.begin(
            *(kind, shape, str(out.dtype), self.estimator, self.direction, self.neighbors),
            *(self.classes, str(self.label_type), self.ignore_label, self.numbers, plans),
        )

    def _probabilities(self, sections):
        return np.asarray(self.estimator.predict_proba(sections), dtype=np.float32)

    def lazy(self, cube, out, *, probabilities):
        """Dask array of labels or probabilities."""
        if out is not None:
            raise ValueError(
                "`out` is for arrays that are predicted at once; of a Dask array, store the "
                "result with dask.array.to_zarr(segmenter.predict(X), ...) or dask.array.store."
            )
        return predict_lazily(
            cube,
            self.estimator,
            section_axes(self.direction, shape_of(cube)),
            to_labels=self.to_labels,
            in_order=self.in_order,
            dtype=self.label_type,
            n_classes=len(self.classes),
            probabilities=probabilities,
            memory_limit=self.memory_limit,
            neighbors=self.neighbors,
            numbers=self.numbers,
        )

    # --- memory ---------------------------------------------------------------------------------

    def cost(self, shape):
        """Bytes for a cube of this shape, see `CubeSegmenter.estimate_memory`."""
        n_classes, n_samples = len(self.classes), int(np.prod(shape))
        working, scratch = self.memory_limit / 2, 0
        axes = section_axes(self.direction, shape)
        for axis in axes:
            least = 2 * shape[1 - axis] * shape[2] * self._bytes_per_sample(8)
            working = max(working, self._network_bytes(shape, axis) + least)
        if len(axes) == 2:
            in_memory = n_samples * n_classes * 4
            if in_memory <= self.memory_limit / 2:
                working += in_memory
            else:
                scratch = scratch_bytes(shape, n_classes)
        return Bunch(
            working=int(working),
            scratch=int(scratch),
            labels=n_samples * self.classes.dtype.itemsize,
            probabilities=n_samples * n_classes * 4,
        )

    def _read_slabs(self, cube, axis, out=None, record=None):
        """Yield (lines, sections) of a direction; what is mapped is let go of after each slab.

        Slabs that a record has as finished are left out; the others are noted once the caller has
        put their results into `out`.
        """
        bar = tqdm(
            total=shape_of(cube)[axis],
            desc=f"predict {AXES[axis]}s",
            unit="line",
            disable=not self.verbose,
            dynamic_ncols=True,
        )
        with bar:
            plan = self._plan(cube, axis, record)
            for lines, sections in read_slabs(cube, axis, plan, self.neighbors):
                amplitudes = None if record is None else checksum(sections)
                if record is None or not record.holds(out, axis, lines, amplitudes):
                    yield lines, place(sections, self.numbers, axis, lines.start)
                    if record is not None:
                        record.add(out, axis, lines, amplitudes)
                bar.update(lines.stop - lines.start)
                release_pages(cube)
                release_pages(out)

    def _plan(self, cube, axis, record):
        """Blocks of lines to read at once, and the slabs of lines of each to predict at once."""
        shape = shape_of(cube)
        n_lines, section = shape[axis], shape[1 - axis] * shape[2]
        budget = self._slab_budget(shape, axis)
        itemsize = np.dtype(cube.dtype).itemsize
        per_sample = self._bytes_per_sample(itemsize)
        most = n_lines if record is None else RECORDED_SAMPLES // section
        slab = int(max(min(budget // (section * per_sample), most, n_lines), 1))
        block = slab
        if not isinstance(cube, np.ndarray):
            # Whole chunks, so that each is read once; of those too large for that, what fits.
            chunk = chunk_length(cube, axis)
            most = int(self.memory_limit / 4 // (section * itemsize * self.n_volumes))
            block = -(-slab // chunk) * chunk if chunk <= most else max(most // slab, 1) * slab
        return plan_slabs(n_lines, slab=slab, block=block, neighbors=self.neighbors)

    def _slab_budget(self, shape, axis):
        """Bytes for a slab; it and its copy share half of the limit with the network."""
        return max(self.memory_limit / 2 - self._network_bytes(shape, axis), 0) / 2

    def _network_bytes(self, shape, axis):
        last = last_step(self.estimator)
        if not hasattr(last, "prediction_memory"):
            return 0
        return last.prediction_memory((shape[1 - axis], shape[2]))

    def _bytes_per_sample(self, itemsize):
        """Bytes for each sample of a slab: amplitudes and labels, or probabilities of two ways."""
        results = 8 * len(self.classes) if self.direction == "both" else 8
        return copies_of_amplitudes(self.neighbors) * itemsize * self.n_volumes + results


def _dead_samples_of(sections):
    """Masks of dead samples of sections, with or without channels; None for those without."""
    return [dead_samples(section[..., 0] if section.ndim == 3 else section) for section in sections]


def _log_scores(probabilities, traces):
    """Logarithms of some traces; equal where all probabilities are 0."""
    return np.log(np.maximum(probabilities[traces], np.float32(1e-30)))


def rescaled_to_cube(estimator, direction, cube):
    """The estimator with the amplitude scale of a cube, if it is to learn that anew."""
    if find_parameter(estimator, "rescale", None) is None:
        return estimator
    if not hasattr(estimator, "rescaled_to"):
        raise ValueError(
            "rescale='survey' needs a FaciesSegmenter as `estimator`; got "
            f"{type(estimator).__name__}. Use rescale=None, and scale the cube before."
        )
    axis = section_axes(direction, shape_of(cube))[0]
    n_lines = shape_of(cube)[axis]
    lines = np.unique(np.linspace(0, n_lines - 1, min(n_lines, ENOUGH_LINES)).astype(int))
    some = [np.asarray(read_lines(cube, axis, slice(i, i + 1)))[0] for i in lines.tolist()]
    return estimator.rescaled_to(some)
