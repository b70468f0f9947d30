"""Dask arrays in, lazy Dask arrays out, on the schedulers of one machine."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator

from skfacies import CubeSegmenter
from skfacies._cubes import dask_arrays as _cube_dask
from skfacies.datasets import make_facies_cube

da = pytest.importorskip("dask.array")


@pytest.fixture(scope="module")
def cubes():
    return make_facies_cube((32, 40, 48), n_facies=3, random_state=2)


@pytest.fixture
def segmenter(make_tiny, cubes):
    inner = make_tiny(validation_fraction=0)
    return CubeSegmenter(inner, "both", step=4).fit(cubes.data, cubes.target)


def test_chunks_that_split_traces_are_joined_with_a_warning(segmenter, cubes):
    split = da.from_array(cubes.data, chunks=(8, 40, 20))
    with pytest.warns(UserWarning, match="split traces into 3 pieces; all 0.00 GB .* be moved"):
        lazy = segmenter.predict(split)
    assert_array_equal(lazy.compute(), segmenter.predict(cubes.data))


def test_the_model_is_one_node_of_the_graph(segmenter, cubes):
    lazy = segmenter.predict(da.from_array(cubes.data, chunks=(4, 5, -1)))
    models = [key for key in lazy.dask if str(key).startswith("skfacies-model")]
    assert len(models) == 1


class Watching(BaseEstimator):
    """Counts the sections of each block that it is given."""

    ignore_label = -1

    def fit(self, X, y):
        self.classes_ = np.array([0, 1, 2])
        return self

    def predict_proba(self, X):
        Watching.sizes.append(np.size(X))
        return np.full((*np.shape(X), 3), 1 / 3, np.float32)

    def predict(self, X):
        return self.predict_proba(X)[..., 0].astype(int)


@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
@pytest.mark.parametrize("chunks", [(4, -1, -1), (8, 10, -1), (-1, -1, -1)])
def test_tasks_are_bounded_whatever_the_chunks(cubes, direction, chunks):
    limit = cubes.data.size * 16 / 3
    segmenter = CubeSegmenter(Watching(), direction, memory_limit=limit)
    segmenter.fit(cubes.data, cubes.target)
    Watching.sizes = []
    lazy = segmenter.predict(da.from_array(cubes.data, chunks=chunks))
    lazy.compute(scheduler="synchronous")
    assert sum(Watching.sizes) == cubes.data.size * (2 if direction == "both" else 1)
    assert max(Watching.sizes) <= limit / 4 / 4


def test_scoring_predicts_once(cubes):
    segmenter = CubeSegmenter(Watching(), "crossline").fit(cubes.data, cubes.target)
    Watching.sizes = []
    score = segmenter.score(da.from_array(cubes.data, chunks=(8, 8, -1)), cubes.target)
    assert sum(Watching.sizes) == cubes.data.size
    assert score == segmenter.score(cubes.data, cubes.target)


def test_threads_share_a_model(make_tiny, cubes):
    """What one thread measures of the network is not disturbed by another that uses it."""
    from skfacies._nn import inference

    inner = make_tiny(validation_fraction=0)
    segmenter = CubeSegmenter(inner).fit(cubes.data, cubes.target)
    expected = segmenter.predict(cubes.data)
    module = segmenter.estimator_.net_.module_
    alone = inference.bytes_per_sample(module, 1, "cpu")
    for _ in range(3):
        inference._bytes_per_sample.clear()
        lazy = segmenter.predict(da.from_array(cubes.data, chunks=(2, -1, -1)))
        assert_array_equal(lazy.compute(scheduler="threads", num_workers=4), expected)
        assert inference.bytes_per_sample(module, 1, "cpu") == alone


def test_chunks_of_unknown_and_of_no_size(segmenter, cubes):
    lazy = da.from_array(cubes.data, chunks=(8, 40, 48))
    with pytest.raises(ValueError, match="chunks of unknown size. Use X.compute_chunk_sizes"):
        segmenter.predict(lazy[lazy[:, 0, 0] > 0])
    holes = da.concatenate([lazy[:8], lazy[:0], lazy[8:]])
    holes = holes.rechunk(((8, 0, 24), (40,), (48,)))
    for direction in ("inline", "both"):
        segmenter.set_params(direction=direction)
        assert_array_equal(segmenter.predict(holes).compute(), segmenter.predict(cubes.data))


def test_lazy_results_have_no_place(segmenter, cubes):
    with pytest.raises(ValueError, match="store the result with dask.array.to_zarr"):
        segmenter.predict(
            da.from_array(cubes.data), out=np.empty(cubes.data.shape, cubes.target.dtype)
        )


def test_tasks_beside_each_other_share_the_threads(monkeypatch):
    from threadpoolctl import threadpool_info, threadpool_limits

    def n_threads():
        return max(p["num_threads"] for p in threadpool_info() if p["user_api"] == "openmp")

    with threadpool_limits(4, user_api="openmp"):
        monkeypatch.setattr(_cube_dask, "_n_tasks_at_once", lambda: 2)
        with _cube_dask._fair_threads():
            assert n_threads() == 2
        assert n_threads() == 4
        monkeypatch.setattr(_cube_dask, "_n_tasks_at_once", lambda: 1)
        with _cube_dask._fair_threads():
            assert n_threads() == 4
