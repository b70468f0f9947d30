"""Prediction of Dask arrays: one lazy graph that any Dask scheduler can run."""

import threading
import uuid
import warnings

import numpy as np

from skfacies._cubes.positions import place
from skfacies._cubes.slabs import copies_of_amplitudes, neighbor_positions, stack_neighbors

__all__ = ["predict_lazily"]


def predict_lazily(
    cube,
    estimator,
    axes,
    *,
    to_labels,
    in_order,
    dtype,
    n_classes,
    probabilities,
    memory_limit,
    neighbors=0,
    numbers=None,
):
    """Labels or probabilities of a Dask cube as a lazy Dask array.

    Parameters
    ----------
    cube : dask.array of shape (n_inlines, n_crosslines, n_samples), or with (n_volumes,) after it
    estimator : fitted estimator of sections
        One node of the graph: each worker receives it once.
    axes : tuple of {0, 1}
        Directions to predict in; the probabilities of two directions are averaged.
    to_labels : function of probabilities
        Turns averages into labels. Must be picklable.
    in_order : function of probabilities
        Averages that agree with these labels. Must be picklable.
    dtype : dtype of the labels
    n_classes : int
    probabilities : bool
        Whether to return probabilities instead of labels.
    memory_limit : int
        Bytes for the sections and results of one task.
    neighbors : int
        Number of lines on either side that sections have as channels.
    numbers : tuple of arrays (n_inlines,), (n_crosslines,), or None
        Line numbers, for an estimator that uses them.
    """
    import dask

    _warn_of_split_traces(cube)
    model = dask.delayed(estimator, name=f"skfacies-model-{uuid.uuid4().hex}", traverse=False)
    options = {"memory_limit": memory_limit, "neighbors": neighbors, "numbers": numbers}
    if len(axes) == 1 and not probabilities:
        return _map_sections(cube, model, axes[0], "predict", dtype, **options)
    options["n_classes"] = n_classes
    parts = [
        _map_sections(cube, model, axis, "predict_proba", np.float32, **options) for axis in axes
    ]
    if len(parts) == 2:
        # Blocks of both directions meet in blocks cut along both; averaging needs nothing more.
        lines = [part.chunks[axis] for part, axis in zip(parts, axes, strict=True)]
        parts = [part.rechunk({0: lines[0], 1: lines[1]}) for part in parts]
        parts = [(parts[0] + parts[1]) / np.float32(2)]
        if probabilities:
            return parts[0].map_blocks(in_order, dtype=np.float32, meta=parts[0]._meta)
    if probabilities:
        return parts[0]
    return parts[0].map_blocks(
        to_labels, dtype=dtype, drop_axis=3, meta=np.empty((0, 0, 0), dtype=dtype)
    )


def _warn_of_split_traces(cube):
    if cube.numblocks[2] > 1:
        warnings.warn(
            f"the chunks of `X` split traces into {cube.numblocks[2]} pieces; all "
            f"{cube.nbytes / 1e9:.2f} GB will be moved between chunks to join them. To avoid this, "
            "store or read the cube with chunks of whole traces, such as X.rechunk({2: -1}).",
            UserWarning,
            stacklevel=5,
        )


def _map_sections(
    cube, model, axis, method, dtype, *, memory_limit, neighbors, numbers, n_classes=None
):
    """Pass blocks of whole sections of one direction through a method of the model."""
    # Keep the cube's own chunks along the lines, unless they are too large for a task.
    itemsize = cube.dtype.itemsize * int(np.prod(cube.shape[3:]))
    per_sample = copies_of_amplitudes(neighbors) * itemsize + 4 * (n_classes or 2)
    section = cube.shape[1 - axis] * cube.shape[2] * per_sample
    most = max(1, int(memory_limit / 4 / section))
    lines = cube.chunks[axis] if max(cube.chunks[axis]) <= most else most
    cube = cube.rechunk({axis: lines, 1 - axis: -1, **dict.fromkeys(range(2, cube.ndim), -1)})
    chunks = cube.chunks[:3]
    if neighbors and cube.numblocks[axis] > 1:
        cube, chunks = _with_neighbors(cube, axis, neighbors)
    more = {"chunks": chunks}
    if cube.ndim == 4:  # of volumes
        more["drop_axis"] = 3
    if n_classes is not None:
        more |= {"new_axis": 3, "chunks": (*chunks, (n_classes,))}
    meta = np.empty((0,) * (3 if n_classes is None else 4), dtype=dtype)
    return cube.map_blocks(
        _predict_block,
        model,
        axis=axis,
        method=method,
        neighbors=neighbors,
        numbers=numbers,
        starts=np.cumsum([0, *chunks[axis]]).tolist(),
        most=most,
        result=np.empty((0, 0, 0, *(() if n_classes is None else (n_classes,))), dtype),
        dtype=dtype,
        meta=meta,
        **more,
    )


def _with_neighbors(cube, axis, neighbors):
    """Blocks that include lines of the adjacent blocks, and the chunks without these lines."""
    from dask.array.overlap import ensure_minimum_chunksize, overlap

    lines = cube.chunks[axis]
    few = sum(lines) < 2 * neighbors
    cube = cube.rechunk({axis: -1 if few else ensure_minimum_chunksize(neighbors, lines)})
    if few:
        return cube, cube.chunks[:3]
    depth = {i: neighbors if i == axis else 0 for i in range(cube.ndim)}
    return overlap(cube, depth, boundary="none", allow_rechunk=False), cube.chunks[:3]


def _predict_block(
    block, model, *, axis, method, neighbors, numbers, starts, most, result, block_info=None
):
    if 0 in block.shape:
        return np.empty((*block.shape[:3], *result.shape[3:]), result.dtype)
    sections = block.swapaxes(0, 1) if axis else block
    first_line = starts[block_info[0]["chunk-location"][axis]]

    def predict(sections, first=0):
        return getattr(model, method)(place(sections, numbers, axis, first_line + first))

    with _fair_threads():
        if neighbors:
            rows = _rows_of_block(len(sections), axis, neighbors, block_info[0])
            predicted = np.concatenate(
                [
                    np.asarray(predict(stack_neighbors(sections, rows[i : i + most]), i))
                    for i in range(0, len(rows), most)
                ]
            )
        else:
            predicted = np.asarray(predict(sections))
    predicted = predicted.swapaxes(0, 1) if axis else predicted
    return np.ascontiguousarray(predicted, dtype=result.dtype)


def _rows_of_block(n_lines, axis, neighbors, info):
    """Neighbors of the lines of a block, which includes lines of the blocks beside it, if any."""
    place, n_blocks = (info[key][axis] for key in ("chunk-location", "num-chunks"))
    first = neighbors if place > 0 else 0
    stop = n_lines - (neighbors if place < n_blocks - 1 else 0)
    return neighbor_positions(np.arange(first, stop), n_lines, neighbors)


def _fair_threads():
    """Share of this machine's threads for one of the tasks that run at the same time.

    Two networks that each take all cores slow each other down far more than twofold.
    """
    from threadpoolctl import threadpool_info, threadpool_limits

    n_tasks = _n_tasks_at_once()
    threads = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]
    share = max(1, max(threads, default=1) // n_tasks)
    return threadpool_limits(share if n_tasks > 1 else None, user_api="openmp")


def _n_tasks_at_once():
    try:
        from distributed import get_worker

        return get_worker().state.nthreads
    except (ImportError, ValueError):  # not a cluster worker: threads of this process, or one
        import dask
        from dask.system import CPU_COUNT

        if threading.current_thread() is threading.main_thread():
            return 1  # the synchronous scheduler, or a separate process
        return dask.config.get("num_workers", None) or CPU_COUNT
