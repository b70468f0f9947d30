"""Pickle and joblib files of fitted segmenters."""

import copy
import os
import pickle
import subprocess
import sys
from functools import partial

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skfacies import FaciesSegmenter


def test_predictions_are_bitwise_equal_after_pickling(fitted, survey):
    loaded = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(loaded.predict_proba(survey.data), fitted.predict_proba(survey.data))
    assert loaded.history_ == fitted.history_
    assert loaded.get_params() == fitted.get_params()


def test_deepcopy_is_independent(fitted, survey):
    twin = copy.deepcopy(fitted)
    before = fitted.predict_proba(survey.data[:1])
    with torch.no_grad():
        for parameter in twin.net_.module_.parameters():
            parameter.zero_()
    assert_array_equal(fitted.predict_proba(survey.data[:1]), before)


@pytest.mark.parametrize("options", [{}, {"mmap_mode": "r"}])
def test_joblib_files(fitted, survey, tmp_path, options):
    joblib.dump(fitted, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", **options)
    assert_array_equal(loaded.predict(survey.data), fitted.predict(survey.data))


def test_default_model_file_is_the_size_of_its_weights(survey, tmp_path):
    segmenter = FaciesSegmenter(encoder_weights=None, max_epochs=1, random_state=0)
    segmenter.fit(survey.data[:4], survey.target[:4])
    joblib.dump(segmenter, tmp_path / "model.joblib")
    weights = sum(p.numel() * 4 for p in segmenter.net_.module_.parameters())
    assert (tmp_path / "model.joblib").stat().st_size <= 1.1 * weights


@pytest.mark.slow
def test_other_process_without_network_predicts_the_same(fitted, survey, tmp_path):
    joblib.dump(fitted, tmp_path / "model.joblib")
    np.save(tmp_path / "X.npy", survey.data)
    code = (
        "import socket, sys, joblib, numpy as np\n"
        "def refuse(*args, **kwargs): raise OSError('no network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "model = joblib.load('model.joblib')\n"
        "np.save('proba.npy', model.predict_proba(np.load('X.npy')))\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "0"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert_array_equal(np.load(tmp_path / "proba.npy"), fitted.predict_proba(survey.data))


def test_loading_leaves_the_global_generator(fitted):
    data = pickle.dumps(fitted)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    pickle.loads(data)
    assert torch.equal(torch.get_rng_state(), state)


def test_parameters_set_after_fit_do_not_spoil_the_file(fitted, survey):
    changed = copy.deepcopy(fitted)
    changed.set_params(decoder_channels=(4, 4, 4), encoder_name="resnet34", encoder_depth=4)
    loaded = pickle.loads(pickle.dumps(changed))
    assert_array_equal(loaded.predict_proba(survey.data), fitted.predict_proba(survey.data))


def test_model_of_a_missing_device_loads_to_the_cpu(fitted, survey):
    """A file from a machine with CUDA: it holds NumPy arrays, and the name of the device."""
    twin = copy.deepcopy(fitted)
    twin.device_ = "cuda"
    data = pickle.dumps(twin)
    assert b"cuda" in data
    assert b"torch.storage" not in data
    with pytest.warns(UserWarning, match="trained on 'cuda'.*loaded to the CPU"):
        loaded = pickle.loads(data)
    assert loaded.device_ == "cpu"
    assert_array_equal(loaded.predict(survey.data), fitted.predict(survey.data))


def test_class_weights_survive(make_tiny, survey):
    segmenter = make_tiny(class_weight="balanced").fit(survey.data, survey.target)
    loaded = pickle.loads(pickle.dumps(segmenter))
    assert_array_equal(loaded.net_.criterion_.class_weight, segmenter.net_.criterion_.class_weight)


def test_training_goes_on_after_loading(make_tiny, survey):
    segmenter = make_tiny(max_epochs=3, lr=3e-3).fit(survey.data, survey.target)
    loaded = pickle.loads(pickle.dumps(segmenter))
    loaded.partial_fit(survey.data, survey.target)
    assert loaded.n_iter_ == 4
    loaded.set_params(warm_start=True, max_epochs=1).fit(survey.data, survey.target)
    assert loaded.n_iter_ == 5
    assert segmenter.n_iter_ == 3


def test_files_hold_no_data(make_tiny, survey):
    """Neither amplitudes nor labels of the training are kept in the estimator."""
    make = partial(make_tiny, scaler=None)  # a scaler keeps its histogram, of some kilobytes
    small = len(pickle.dumps(make().fit(survey.data[:2], survey.target[:2])))
    large = len(pickle.dumps(make().fit(survey.data, survey.target)))
    assert abs(large - small) < 5000
    segmenter = make_tiny().fit(survey.data, survey.target)
    assert segmenter.net_.train_split is None
    assert segmenter.net_.iterator_train__batch_sampler is None


def test_unfitted_segmenters_pickle(make_tiny):
    segmenter = make_tiny(lr=0.1)
    assert pickle.loads(pickle.dumps(segmenter)).get_params() == segmenter.get_params()
