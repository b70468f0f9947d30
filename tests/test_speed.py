"""What is done for speed alone changes nothing but the time."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skfacies._nn import speed
from skfacies._nn.network import FaciesNetwork

WITHOUT = """
import sys
import numpy as np
import pytest
sys.modules["skfacies._nn.speedups"] = None  # as if the folder were not there
from skfacies.persistence import load_model
model, section, wanted = load_model(sys.argv[1]), np.load(sys.argv[2]), np.load(sys.argv[3])
print(np.abs(model.predict_proba(section) - wanted).max())
print(model.fit(section, model.predict(section)).n_iter_)
"""


@pytest.mark.slow
def test_the_package_works_without_the_folder_of_speedups(make_tiny, survey, tmp_path):
    from skfacies.persistence import save_model

    model = make_tiny(encoder_name="resnet18", max_epochs=2).fit(survey.data, survey.target)
    paths = [tmp_path / name for name in ("model.safetensors", "section.npy", "wanted.npy")]
    save_model(model, paths[0])
    np.save(paths[1], survey.data[:4])
    np.save(paths[2], model.predict_proba(survey.data[:4]))
    command = [sys.executable, "-W", "ignore", "-c", WITHOUT, *map(str, paths)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert float(found[0]) < 1e-4
    assert found[1] == "2"


def test_the_default_network_is_equal_to_the_plain_one(monkeypatch):
    """In training and, as prediction prepares it, in evaluation mode."""
    torch.manual_seed(0)
    quick = FaciesNetwork(n_classes=3)
    monkeypatch.setattr("skfacies._nn.network.spare_doubled_convolutions", lambda network: None)
    plain = FaciesNetwork(n_classes=3)
    plain.load_state_dict(quick.state_dict())
    section = torch.randn(2, 1, 96, 128)
    assert_allclose(quick(section).detach(), plain(section).detach(), rtol=1e-3, atol=1e-4)
    with torch.inference_mode():
        prepared = speed.prepared_for_prediction(quick.eval())
        assert prepared is not quick
        assert_allclose(prepared(section), plain.eval()(section), rtol=1e-3, atol=1e-4)


def test_a_network_is_prepared_once_and_again_when_its_weights_change():
    network = FaciesNetwork(encoder_depth=3, decoder_channels=(8, 8, 8), n_classes=2).eval()
    first = speed.prepared_for_prediction(network)
    assert speed.prepared_for_prediction(network) is first
    network.network.segmentation_head[0].bias.data[0] += 1.0
    section = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        second = speed.prepared_for_prediction(network)
        assert second is not first
        assert_allclose(second(section), network(section), rtol=1e-3, atol=1e-4)
