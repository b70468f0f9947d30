"""Prediction of Dask arrays: one lazy graph, which any of Dask's schedulers runs."""

import os
import uuid
import warnings

import numpy as np

__all__ = ["predict_lazily"]


def predict_lazily(cube, estimator, axes, *, to_labels, dtype, n_classes, probabilities):
    """Labels or probabilities of a Dask cube as a lazy Dask array.

    Parameters
    ----------
    cube : dask.array of shape (n_inlines, n_crosslines, n_samples)
    estimator : fitted estimator of sections
        One node of the graph: a worker gets it once.
    axes : tuple of {0, 1}
        Directions to predict in; probabilities of two are averaged.
    to_labels : function of probabilities
        Turns averages into labels. Must be picklable.
    dtype : dtype of the labels
    n_classes : int
    probabilities : bool
        Whether these are wanted and not labels.
    """
    import dask

    _check_chunks(cube)
    model = dask.delayed(estimator, name=f"skfacies-model-{uuid.uuid4().hex}", traverse=False)
    if len(axes) == 1 and not probabilities:
        return _map_sections(cube, model, axes[0], "predict", dtype)
    parts = [
        _map_sections(cube, model, axis, "predict_proba", np.float32, n_classes) for axis in axes
    ]
    if len(parts) == 2:
        # Blocks of both directions meet in blocks that are cut both ways; averages need no more.
        lines = [part.chunks[axis] for part, axis in zip(parts, axes, strict=True)]
        parts = [part.rechunk({0: lines[0], 1: lines[1]}) for part in parts]
        parts = [(parts[0] + parts[1]) / np.float32(2)]
    if probabilities:
        return parts[0]
    return parts[0].map_blocks(
        to_labels, dtype=dtype, drop_axis=3, meta=np.empty((0, 0, 0), dtype=dtype)
    )


def _check_chunks(cube):
    if any(np.isnan(size) for sizes in cube.chunks for size in sizes):
        raise ValueError(
            "`X` has chunks of unknown size. Use X.compute_chunk_sizes(), or read it from a store."
        )
    if cube.numblocks[2] > 1:
        warnings.warn(
            f"the chunks of `X` split traces into {cube.numblocks[2]} pieces; all "
            f"{cube.nbytes / 1e9:.2f} GB of it will be moved between chunks to join them. Store or "
            "read the cube with chunks of whole traces, such as X.rechunk({2: -1}), to spare that.",
            UserWarning,
            stacklevel=5,
        )


def _map_sections(cube, model, axis, method, dtype, n_classes=None):
    """Blocks of whole sections of one direction through a method of the model."""
    cube = cube.rechunk({1 - axis: -1, 2: -1})  # its own chunks along the lines that are cut
    more = {} if n_classes is None else {"new_axis": 3, "chunks": (*cube.chunks, (n_classes,))}
    meta = np.empty((0,) * (3 if n_classes is None else 4), dtype=dtype)
    return cube.map_blocks(
        _predict_block,
        model,
        axis=axis,
        method=method,
        result=dtype,
        dtype=dtype,
        meta=meta,
        **more,
    )


def _predict_block(block, model, *, axis, method, result):
    sections = block.swapaxes(0, 1) if axis else block
    with _fair_threads():
        predicted = np.asarray(getattr(model, method)(sections))
    return np.ascontiguousarray(predicted.swapaxes(0, 1) if axis else predicted, dtype=result)


def _fair_threads():
    """Share of this machine's threads for one of the tasks that run beside each other.

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
    except (ImportError, ValueError):  # no worker of a cluster: threads of this process, or one
        import dask

        scheduler = dask.config.get("scheduler", None)
        if scheduler in ("sync", "synchronous", "single-threaded", "processes"):
            return 1
        return dask.config.get("num_workers", None) or len(os.sched_getaffinity(0))
