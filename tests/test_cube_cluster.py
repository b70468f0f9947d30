"""Cubes on a cluster of Dask workers: the same answer, also when a worker dies."""

import os
import signal
import time

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV

from skfacies import CubeSegmenter
from skfacies.datasets import make_facies_cube
from skfacies.metrics import iou_scorer
from skfacies.model_selection import BlockKFold

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of the cluster, about ports and slow starts
]


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit="4GB"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def cubes():
    return make_facies_cube((32, 40, 48), n_facies=3, random_state=2)


@pytest.fixture
def segmenter(make_tiny, cubes):
    inner = make_tiny(validation_fraction=0, max_epochs=2)
    return CubeSegmenter(inner, "both", step=4).fit(cubes.data, cubes.target)


@pytest.mark.parametrize("direction", ["inline", "crossline", "both"])
def test_a_cluster_gives_the_local_result(client, segmenter, cubes, direction):
    segmenter.set_params(direction=direction)
    lazy = segmenter.predict(da.from_array(cubes.data, chunks=(5, 11, -1)))
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == cubes.target.dtype
    assert_array_equal(lazy.compute(), segmenter.predict(cubes.data))
    probabilities = segmenter.predict_proba(da.from_array(cubes.data, chunks=(8, 40, -1)))
    assert_array_equal(probabilities.compute(), segmenter.predict_proba(cubes.data))


def test_results_go_to_zarr(client, segmenter, cubes, tmp_path):
    pytest.importorskip("zarr")
    labels = segmenter.predict(da.from_array(cubes.data, chunks=(8, 10, -1)))
    da.to_zarr(labels, str(tmp_path / "labels.zarr"))
    stored = da.from_zarr(str(tmp_path / "labels.zarr"))
    assert_array_equal(stored.compute(), segmenter.predict(cubes.data))


def test_a_killed_worker_costs_nothing_but_time(client, segmenter, cubes):
    wide = np.concatenate([cubes.data] * 8)
    lazy = segmenter.set_params(direction="inline").predict(da.from_array(wide, chunks=(1, 40, 48)))
    done = client.compute(lazy)
    victim = next(iter(client.run(os.getpid).values()))
    while True:  # half-way: some blocks are finished, most are not
        n_finished = sum(
            state == "memory"
            for state in client.run_on_scheduler(
                lambda dask_scheduler: [task.state for task in dask_scheduler.tasks.values()]
            )
        )
        if n_finished > 8 or done.done():
            break
        time.sleep(0.01)
    assert not done.done()
    os.kill(victim, signal.SIGKILL)
    assert_array_equal(done.result(timeout=120), segmenter.predict(wide))


def test_grid_search_under_the_dask_backend(client, make_tiny, cubes):
    search = GridSearchCV(
        CubeSegmenter(make_tiny(validation_fraction=0), step=3),
        {"direction": ["inline", "both"], "estimator__lr": [1e-3, 1e-2]},
        cv=BlockKFold(2, gap=3),
        scoring=iou_scorer,
    )
    expected = search.fit(cubes.data, cubes.target).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="dask"):
        search.fit(cubes.data, cubes.target)
    assert_array_equal(search.cv_results_["mean_test_score"], expected)
