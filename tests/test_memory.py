"""What the system and control groups leave is the limit of automatic memory."""

import pytest

from skfacies._memory import available_memory

GB = 10**9


@pytest.fixture
def system(tmp_path):
    """Maker of folders like /proc and /sys/fs/cgroup."""
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"

    def make(membership, **files):
        (proc / "self").mkdir(parents=True)
        (proc / "meminfo").write_text("MemTotal: 64000000 kB\nMemAvailable: 10000000 kB\n")
        (proc / "self" / "cgroup").write_text(membership)
        for name, text in files.items():
            path = cgroups / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return available_memory(proc, cgroups)

    return make


def group(folder, limit, used, cached, version=2):
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("memory.max", "memory.current", "inactive_file"),
    }[version]
    return {
        f"{folder}{names[0]}": str(limit),
        f"{folder}{names[1]}": str(used),
        f"{folder}memory.stat": f"anon 5\n{names[2]} {cached}\n",
    }


def test_system_alone_counts_without_limits_of_groups(system):
    assert system("0::/\n") == 10_240_000_000


def test_smallest_of_nested_groups_counts_and_caches_of_files_are_free(system):
    files = group("job__", 4 * GB, 3 * GB, GB) | group("job__step__", "max", GB, 0)
    assert system("0::/job/step\n", **files) == 2 * GB


def test_groups_of_version_1(system):
    files = group("memory__job__", 3 * GB, GB, 0, version=1)
    files |= group("memory__", 2**63 - 4096, GB, 0, version=1)
    assert system("5:cpu:/job\n4:memory:/job\n0::/\n", **files) == 2 * GB


def test_container_sees_its_group_at_the_root(system):
    assert system("0::/of/the/host\n", **group("", 3 * GB, GB, 0)) == 2 * GB


def test_group_that_is_full_leaves_nothing(system):
    assert system("0::/\n", **group("", GB, 2 * GB, 0)) == 0


def test_this_machine_tells():
    assert available_memory() > 0
