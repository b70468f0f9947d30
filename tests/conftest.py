"""Settings and data for all tests."""

import os

# The networks of the tests are tiny: a second thread costs more than it brings.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# No test may go to a model hub; those about the hub use servers on this machine.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# scikit-learn's common checks skip one of theirs without it.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import pytest

from skfacies.datasets import make_facies_cube

#: An encoder that timm keeps for tests: a hundredth of a ResNet-18.
TINY_ENCODER = "tu-test_resnet"


@pytest.fixture(scope="session")
def survey():
    """Three stacked units in 12 inlines of 40 traces and 48 samples."""
    return make_facies_cube((12, 40, 48), n_facies=3, random_state=0)


@pytest.fixture(scope="session")
def make_tiny():
    """Maker of segmenters that are as small as they can be; arguments change parameters."""
    from skfacies import FaciesSegmenter

    def make(**params):
        defaults = {
            "encoder_name": TINY_ENCODER,
            "encoder_weights": None,
            "encoder_depth": 3,
            "decoder_channels": (8, 8, 8),
            "max_epochs": 1,
            "batch_size": 4,
            "precision": "float32",
            "random_state": 0,
        }
        return FaciesSegmenter(**{**defaults, **params})

    return make


@pytest.fixture(scope="session")
def fitted(survey):
    """A small segmenter that has learned something; not to be changed."""
    from skfacies import FaciesSegmenter

    return FaciesSegmenter(
        encoder_name=TINY_ENCODER,
        encoder_weights=None,
        encoder_depth=3,
        decoder_channels=(16, 16, 8),
        max_epochs=20,
        batch_size=4,
        lr=3e-3,
        augment={"fade": 0},  # the fewer changes, the more is learned in so few epochs
        precision="float32",
        random_state=0,
    ).fit(survey.data, survey.target)


@pytest.fixture
def pyplot():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    plt.close("all")
