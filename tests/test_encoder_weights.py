"""Where the encoder's first weights come from, and what happens where there are none."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import save_file

from skfacies._nn import network, weights

REPOSITORY = "smp-hub/resnet18.imagenet"


@pytest.fixture
def encoder_state():
    with network.seeded_torch(7):
        return smp.encoders.get_encoder("resnet18", in_channels=3, weights=None).state_dict()


@pytest.fixture
def no_memory(monkeypatch):
    """Forget what other tests learned about the hub."""
    monkeypatch.setattr(weights, "_hub_failures", {})


@pytest.fixture
def no_cache(monkeypatch, tmp_path, no_memory):
    """An empty cache, and a hub that is not switched off."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return constants


def first_convolution(segmenter):
    return segmenter.net_.module_.network.encoder.conv1.weight.detach().numpy()


def fit_without_steps(make_tiny, survey, **params):
    """Fit at a learning rate that leaves the weights where they started."""
    params = {
        "encoder_name": "resnet18",
        "encoder_depth": 5,
        "decoder_channels": None,
        "lr": 1e-30,
        "net_params": {"optimizer__weight_decay": 0},
    } | params
    params["validation_fraction"] = 0
    return make_tiny(**params).fit(survey.data[:2], survey.target[:2])


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_from_a_file(make_tiny, survey, encoder_state, tmp_path, suffix):
    """Color channels are summed, as smp does with weights that it fetches itself."""
    path = tmp_path / f"encoder{suffix}"
    if suffix == ".pth":  # torchvision's files have a classifier too
        torch.save({**encoder_state, "fc.weight": torch.ones(2), "fc.bias": torch.ones(2)}, path)
    else:
        save_file(encoder_state, path)
    segmenter = fit_without_steps(make_tiny, survey, encoder_weights=str(path))
    assert segmenter.encoder_weights_ == str(path)
    expected = encoder_state["conv1.weight"].sum(1, keepdim=True).numpy()
    assert_array_equal(first_convolution(segmenter), expected)
    with_depth = fit_without_steps(make_tiny, survey, encoder_weights=path, depth_channel=True)
    assert first_convolution(with_depth).shape[1] == 2


def test_file_of_another_encoder(make_tiny, survey, encoder_state, tmp_path):
    save_file(encoder_state, tmp_path / "resnet18.safetensors")
    segmenter = make_tiny(
        encoder_name="resnet34", encoder_weights=tmp_path / "resnet18.safetensors"
    )
    with pytest.raises(ValueError, match="`encoder_weights` do not fit encoder_name='resnet34'"):
        segmenter.fit(survey.data, survey.target)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_file_that_holds_no_weights(tmp_path, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"neither tensors nor pickles")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        weights.resolve_encoder_weights("resnet18", path)


def test_pickled_code_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"conv1.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        weights.resolve_encoder_weights("resnet18", tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_weights_from_the_cache(make_tiny, survey, encoder_state, no_cache):
    """What an earlier download left is found without asking the hub."""
    settings = smp.encoders.encoders["resnet18"]["pretrained_settings"]["imagenet"]
    folder = f"{no_cache.HF_HUB_CACHE}/models--{REPOSITORY.replace('/', '--')}/snapshots"
    os.makedirs(f"{folder}/{settings['revision']}")
    save_file(encoder_state, f"{folder}/{settings['revision']}/model.safetensors")
    segmenter = fit_without_steps(make_tiny, survey, encoder_weights="imagenet")
    assert segmenter.encoder_weights_ == "imagenet"
    expected = encoder_state["conv1.weight"].sum(1, keepdim=True).numpy()
    assert_array_equal(first_convolution(segmenter), expected)


def test_named_weights_that_do_not_exist():
    with pytest.raises(ValueError, match=r"'sentinel' does not exist.*known: \['imagenet'"):
        weights.resolve_encoder_weights("resnet18", "sentinel")


def test_named_weights_without_a_hub_are_an_error_with_remedies(no_memory):
    with pytest.raises(OSError, match=r"HF_HUB_OFFLINE is set.*encoder_weights=None.*path of a"):
        weights.resolve_encoder_weights("resnet18", "imagenet")


def test_automatic_weights_without_a_hub_warn_once(make_tiny, survey, no_memory):
    resnet = {"encoder_name": "resnet18"}
    with pytest.warns(UserWarning, match="starts from random weights, since.*=None") as caught:
        segmenter = make_tiny(**resnet, encoder_weights="auto").fit(survey.data, survey.target)
    assert [warning.category for warning in caught].count(UserWarning) == 1
    assert segmenter.encoder_weights_ is None
    same = make_tiny(**resnet, encoder_weights=None).fit(survey.data, survey.target)
    assert_array_equal(first_convolution(segmenter), first_convolution(same))


def test_automatic_weights_of_an_encoder_that_has_none(make_tiny, survey):
    with pytest.warns(UserWarning, match="'imagenet' does not exist for encoder_name='tu-"):
        weights.resolve_encoder_weights("tu-resnet10t", "auto")


def test_loading_and_cloning_ask_no_hub(fitted, monkeypatch):
    import pickle

    from sklearn.base import clone

    def refuse(*args):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(weights, "_find_on_hub", refuse)
    data = pickle.dumps(fitted)
    pickle.loads(data).set_params(encoder_weights="imagenet")
    clone(fitted).set_params(encoder_weights="imagenet")


@pytest.fixture
def silent_server():
    """A server that accepts connections and never answers, like a network that drops packets."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.close()


def test_a_hub_that_never_answers_costs_seconds(no_cache, silent_server, monkeypatch):
    monkeypatch.setattr(no_cache, "ENDPOINT", silent_server)
    monkeypatch.setattr(weights, "HUB_TIMEOUT", 0.3)
    start = time.perf_counter()
    with pytest.warns(UserWarning, match="random weights"):
        weights.resolve_encoder_weights("resnet18", "auto")
    assert time.perf_counter() - start < 3
    start = time.perf_counter()
    with pytest.warns(UserWarning, match="random weights"):
        weights.resolve_encoder_weights("resnet18", "auto")
    assert time.perf_counter() - start < 0.2, "the failure should be remembered"


def test_a_hub_that_refuses_connections_costs_nothing(no_cache, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setattr(no_cache, "ENDPOINT", endpoint)
    start = time.perf_counter()
    with pytest.raises(OSError, match="not in the cache and the model hub gives none"):
        weights.resolve_encoder_weights("resnet18", "imagenet")
    assert time.perf_counter() - start < 2


class Hub(http.server.BaseHTTPRequestHandler):
    """The few answers of a model hub that a download needs."""

    content = b""
    revision = ""

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, with_body):
        body = self.content if self.path.endswith("model.safetensors") else json.dumps({}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{len(body):x}"')
        self.send_header("X-Repo-Commit", self.revision)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.mark.slow
def test_weights_are_downloaded_from_a_hub_that_answers(encoder_state, tmp_path):
    """In a process of its own: the hub's client reads its address when it is imported."""
    save_file(encoder_state, tmp_path / "model.safetensors")
    Hub.content = (tmp_path / "model.safetensors").read_bytes()
    Hub.revision = smp.encoders.encoders["resnet18"]["pretrained_settings"]["imagenet"]["revision"]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = (
        "import numpy as np\n"
        "from skfacies._nn.weights import resolve_encoder_weights\n"
        "state, found = resolve_encoder_weights('resnet18', 'auto')\n"
        "assert found == 'imagenet', found\n"
        "np.save('conv1.npy', state['conv1.weight'].numpy())\n"
    )
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "no_proxy": "*",
    }
    try:
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    finally:
        server.shutdown()
        server.server_close()
    assert_array_equal(np.load(tmp_path / "conv1.npy"), encoder_state["conv1.weight"].numpy())
