"""Memory that the process keeps."""

import os
import platform
import subprocess
import sys

import pytest

from skfacies._nn.speedups import allocation
from skfacies._nn.speedups.allocation import freed_memory_kept

GNU = platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"

FAULTS = """
import contextlib, resource, sys
import torch
from skfacies._nn.speedups.allocation import freed_memory_kept
from skfacies._nn.network import FaciesNetwork
torch.set_num_threads(1)
network = FaciesNetwork(n_classes=10).eval()
sections = torch.zeros(2, 1, 256, 512)
how = freed_memory_kept() if sys.argv[1] == "keep" else contextlib.nullcontext()
n_faults = [resource.getrusage(resource.RUSAGE_SELF).ru_minflt]
with torch.inference_mode(), how:
    for _ in range(15):  # the heap grows at first
        network(sections)
        n_faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(sorted(after - before for before, after in zip(n_faults, n_faults[1:]))[7])
"""


def run(how, **environment):
    found = subprocess.run(
        [sys.executable, "-c", FAULTS, how],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(found.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not GNU, reason="only the GNU C library has these thresholds")
def test_freed_memory_is_not_cleared_anew():
    assert run("keep") < 100 < run("leave") / 20


class Library:
    """What mallopt was called with."""

    def __init__(self):
        self.calls = []

    def mallopt(self, *arguments):
        self.calls.append(arguments)

    def malloc_trim(self, n_kept):
        self.calls.append(("trim", n_kept))


def test_the_first_sets_the_thresholds_and_the_last_puts_them_back(monkeypatch):
    library = Library()
    monkeypatch.setattr(allocation, "_adjustable_library", lambda: library)
    with freed_memory_kept():
        n_calls = len(library.calls)
        with freed_memory_kept():
            pass
        assert len(library.calls) == n_calls == 2
    with pytest.raises(KeyError), freed_memory_kept():
        raise KeyError
    trims = [value >> 20 for name, value in library.calls if name == allocation._TRIM_THRESHOLD]
    assert trims == [1024, 64, 1024, 64]


def test_only_the_last_gives_back_what_lies_free(monkeypatch):
    library = Library()
    monkeypatch.setattr(allocation, "_adjustable_library", lambda: library)
    with freed_memory_kept():
        with freed_memory_kept(give_back=True):
            pass
        assert ("trim", 0) not in library.calls
    assert ("trim", 0) not in library.calls  # the last did not ask for it
    with freed_memory_kept(give_back=True):
        pass
    assert library.calls[-1] == ("trim", 0)


RESIDENT = """
import os
import numpy as np
from skfacies import FaciesSegmenter
from skfacies._nn.speedups import allocation
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
sections = np.random.default_rng(0).standard_normal((4, 256, 256)).astype(np.float32)
labels = np.tile(np.repeat([0, 1], 128), (4, 256, 1))
segmenter = FaciesSegmenter(encoder_weights=None, max_epochs=1, batch_size=4, random_state=0)
segmenter.set_params(validation_fraction=0).fit(sections, labels)
after = resident()
allocation._adjustable_library().malloc_trim(0)
print(after - resident())
"""


@pytest.mark.slow
@pytest.mark.skipif(not GNU, reason="only the GNU C library has these thresholds")
def test_a_training_leaves_no_freed_memory_behind():
    command = [sys.executable, "-c", RESIDENT]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(found.stdout) < 50  # megabytes; without, 110


@pytest.fixture
def find_library():
    allocation._adjustable_library.cache_clear()
    yield allocation._adjustable_library
    allocation._adjustable_library.cache_clear()


@pytest.mark.skipif(not GNU, reason="only the GNU C library has these thresholds")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MALLOC_TRIM_THRESHOLD_", "100000"),
        ("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=100000"),
    ],
)
def test_what_the_user_set_stays(name, value, monkeypatch, find_library):
    assert find_library() is not None
    find_library.cache_clear()
    monkeypatch.setenv(name, value)
    assert find_library() is None


def test_other_systems_are_left_alone(monkeypatch, find_library):
    monkeypatch.setattr(allocation.platform, "system", lambda: "Darwin")
    assert find_library() is None
    with freed_memory_kept():
        pass
