"""Large sections are predicted in tiles as they would be whole."""

import copy
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import FunctionTransformer

from skfacies._nn import inference
from skfacies._nn.network import FaciesNetwork


@pytest.fixture(scope="module")
def fitted(fitted):
    """Normalized by the training only: a tile's own statistics are not those of its section."""
    return copy.deepcopy(fitted).set_params(section_statistics=False)


@pytest.fixture
def limited(fitted):
    """The fitted segmenter with tiles of 256 traces of 64 samples."""
    per_sample = inference.bytes_per_sample(fitted.net_.module_, 1, "cpu")

    def limit(**params):
        return copy.deepcopy(fitted).set_params(memory_limit=per_sample * 256 * 64, **params)

    return limit


@pytest.fixture(scope="module")
def line(survey):
    """One line of 480 traces."""
    return np.concatenate(list(survey.data))[None]


@pytest.mark.parametrize("n_traces", [32, 128, 160, 320, 1024])
@pytest.mark.parametrize(("width", "overlap"), [(128, 64), (128, 32), (256, 0)])
def test_tiles_cover_all_traces_and_end_at_the_edge(n_traces, width, overlap):
    starts = inference.tile_starts(n_traces, width, overlap)
    assert starts[0] == 0
    assert starts[-1] == max(n_traces - width, 0)
    assert all(start % 32 == 0 for start in starts)
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert (steps <= width - overlap).all()


def test_tiles_give_what_the_whole_section_gives(fitted, limited, line):
    whole, tiled = fitted.predict_proba(line), limited().predict_proba(line)
    assert_allclose(tiled, whole, atol=0.02)
    assert np.abs(tiled - whole).mean() < 1e-3
    assert (limited().predict(line) != fitted.predict(line)).mean() < 1e-3
    probable = fitted.classes_[tiled.argmax(-1)]
    stacked = (np.diff(probable, axis=-1) >= 0).all(-1)  # others are put in order
    assert_array_equal(limited().predict(line)[stacked], probable[stacked])
    assert not np.array_equal(tiled, whole)  # else there were no tiles


def test_tiles_that_are_normalized_by_themselves_differ_little(fitted, limited, line):
    whole = copy.deepcopy(fitted).set_params(section_statistics=True)
    own = limited(section_statistics=True).predict(line)
    assert (own != whole.predict(line)).mean() < 0.01
    assert not np.array_equal(own, fitted.predict(line))


def test_tiles_come_in_order_and_once(fitted, line, survey):
    per_sample = inference.bytes_per_sample(fitted.net_.module_, 1, "cpu")
    module = fitted.net_.module_
    conditioner = inference_conditioner(fitted)
    X = [survey.data[0], line[0]]
    traces = {0: [], 1: []}
    limit = per_sample * 128 * 64
    options = inference.PredictionOptions("cpu", memory_limit=limit)
    for i, part, scores, *_ in inference.iterate_scores(module, X, conditioner, options):
        assert scores.shape == (3, part.stop - part.start, 48)
        traces[i] += range(part.start, part.stop)
    assert traces == {0: list(range(40)), 1: list(range(480))}


def inference_conditioner(segmenter):
    from skfacies._nn.data import Conditioner

    return Conditioner(segmenter.scaler_, segmenter._depth_range)


FORK = """
import multiprocessing
import numpy as np
import torch
from skfacies._nn.network import FaciesNetwork

torch.set_num_threads(2)
network = FaciesNetwork(encoder_depth=3, decoder_channels=(8, 8, 8)).eval()
section = torch.ones(1, 1, 128, 128)

def predict(queue):
    with torch.inference_mode():
        queue.put(network(section).sum().item())

context = multiprocessing.get_context("fork")
queue = context.Queue()
predict(queue)
expected = queue.get()
child = context.Process(target=predict, args=(queue,), daemon=True)
child.start()
assert np.isclose(queue.get(timeout=60), expected)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_of_a_process_with_threads_does_not_hang():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_tiles_with_mirror_images_and_missing_samples(fitted, limited, line):
    X = line.copy()
    X[0, 200:210, :7] = np.nan
    params = {"tta": True, "nan_policy": "ignore"}
    whole = copy.deepcopy(fitted).set_params(**params)
    expected, tiled = whole.predict_proba(X), limited(**params).predict_proba(X)
    assert_array_equal(np.isnan(tiled), np.isnan(expected))
    assert_allclose(tiled, expected, atol=0.05)
    assert_array_equal(limited(**params).predict(X) == -1, np.isnan(X))


@pytest.mark.parametrize("n_traces", [470, 480])
def test_mirror_images_of_tiles_are_those_of_the_section(fitted, limited, line, n_traces):
    """Whatever the padding at the end, which the mirror image has at its other side."""
    whole = copy.deepcopy(fitted).set_params(tta=True)
    X = line[:, :n_traces]
    assert_allclose(limited(tta=True).predict_proba(X), whole.predict_proba(X), atol=0.02)


@pytest.mark.parametrize("tta", [False, True])
def test_tiles_are_smoothed_as_the_section_is(fitted, limited, line, tta):
    params = {"dip_smoothing": 10.0, "tta": tta}
    whole = copy.deepcopy(fitted).set_params(**params)
    expected = whole.predict_proba(line)
    tiled = limited(**params).predict_proba(line)
    assert np.abs(expected - fitted.predict_proba(line)).max() > 0.1
    assert np.abs(tiled - expected).mean() < 2e-3
    assert (limited(**params).predict(line) != whole.predict(line)).mean() < 2e-3


def test_memory_of_a_network_grows_with_its_width():
    def measure(widths, precision="float32"):
        module = FaciesNetwork(encoder_depth=3, decoder_channels=widths, precision=precision).eval()
        with torch.inference_mode():
            return inference.bytes_per_sample(module, 1, "cpu")

    assert measure((64, 64, 64)) > 1.5 * measure((8, 8, 8))
    assert measure((64, 64, 64), "bfloat16") < 0.7 * measure((64, 64, 64))


def test_sections_of_many_sizes_do_not_all_wait(fitted, monkeypatch):
    monkeypatch.setattr("skfacies._nn.inference.BATCH_PIXELS", 64 * 64)
    rng = np.random.default_rng(0)
    sections = [rng.standard_normal((40 + i, 48)).astype(np.float32) for i in range(60)]
    read = []

    class Sections(list):
        def __getitem__(self, i):
            read.append(i)
            return super().__getitem__(i)

    unordered = copy.deepcopy(fitted).set_params(unit_order=None)
    expected = [unordered.predict_proba(section[None])[0] for section in sections]
    results = fitted._iterate(Sections(sections), probabilities=True)
    found = {}
    for i, traces, scores, *_ in results:
        if not found:
            assert max(read) < 15
        assert traces == slice(0, 40 + i) or traces == slice(None)
        found[i] = scores.permute(1, 2, 0).numpy()
    assert sorted(found) == list(range(60))
    for i, scores in found.items():
        np.testing.assert_allclose(scores, expected[i], atol=1e-5)


@pytest.mark.parametrize("read_only", [False, True])
def test_amplitudes_of_the_user_stay_missing(make_tiny, survey, read_only):
    """Even where the scaler returns its input."""
    X = survey.data.astype(np.float32)
    X[:, :3] = np.nan
    X.flags.writeable = not read_only
    segmenter = make_tiny(scaler=FunctionTransformer(), nan_policy="ignore", max_epochs=1)
    labels = segmenter.fit(X, survey.target).predict(X)
    assert np.isnan(X[:, :3]).all()
    assert (labels[:, :3] == -1).all()


def test_missing_samples_need_a_label(make_tiny, survey):
    segmenter = make_tiny(ignore_label=None, max_epochs=1).fit(survey.data, survey.target)
    with pytest.raises(ValueError, match="Choose a label that is no class"):
        segmenter.set_params(nan_policy="ignore").predict(survey.data)
