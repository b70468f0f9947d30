"""Memory that the process keeps."""

import os
import platform
import subprocess
import sys

import pytest

from skfacies._nn import allocation

GNU = platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"

FAULTS = """
import resource, sys
import torch
from skfacies._nn.allocation import keep_freed_memory
from skfacies._nn.network import FaciesNetwork
torch.set_num_threads(1)
done = keep_freed_memory() if sys.argv[1] == "keep" else None
network = FaciesNetwork(n_classes=10).eval()
sections = torch.zeros(2, 1, 256, 512)
with torch.inference_mode():
    for _ in range(4):
        network(sections)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        network(sections)
print(done, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(how, **environment):
    found = subprocess.run(
        [sys.executable, "-c", FAULTS, how],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    done, faults = found.stdout.split()
    return done, int(faults)


@pytest.mark.skipif(not GNU, reason="only the GNU C library has these thresholds")
def test_freed_memory_is_not_cleared_anew():
    done, faults = run("keep")
    assert done == "True"
    _, faults_before = run("leave")
    assert faults < faults_before / 10


@pytest.mark.parametrize(
    "environment",
    [{"MALLOC_TRIM_THRESHOLD_": "100000"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1"}],
    ids=lambda environment: next(iter(environment)),
)
def test_what_the_user_set_stays(environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    allocation.keep_freed_memory.cache_clear()
    assert allocation.keep_freed_memory() is False
    allocation.keep_freed_memory.cache_clear()


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(allocation.platform, "system", lambda: "Darwin")
    allocation.keep_freed_memory.cache_clear()
    assert allocation.keep_freed_memory() is False
    allocation.keep_freed_memory.cache_clear()
