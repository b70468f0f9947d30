"""How much memory the system, and the control group of this process, leave."""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["available_memory"]


def available_memory(proc="/proc", cgroups="/sys/fs/cgroup"):
    """Bytes that this process can still take without swapping; None where nothing tells.

    Caches of files count as available. Of nested control groups, as in containers and batch
    queues, the one that leaves least counts.
    """
    left = [*_of_system(Path(proc)), *_of_control_groups(Path(proc), Path(cgroups))]
    return max(min(left), 0) if left else None


def _of_system(proc):
    with suppress(OSError):
        found = _fields(proc / "meminfo")
        if "MemAvailable" in found:
            return [1024 * found["MemAvailable"]]
    with suppress(AttributeError, OSError, ValueError):  # no Linux: half of what is built in
        return [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2]
    return []


def _of_control_groups(proc, cgroups):
    """What each control group of this process leaves, in version 1 and 2 of their files."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = cgroups / "memory" if controllers else cgroups
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if controllers
            else ("memory.max", "memory.current", "inactive_file")
        )
        own = root / path.lstrip("/")
        # In a container, the path is that of the host, and the root is the container's group.
        for group in {own, *own.parents, root}:
            if root == group or root in group.parents:
                yield from _left_in(group, *names)


def _left_in(group, most, used, cached):
    with suppress(OSError, ValueError):  # no such file, or no limit ("max")
        limit = int((group / most).read_text())
        freed = _fields(group / "memory.stat").get(cached, 0)
        yield limit - int((group / used).read_text()) + freed


def _fields(path):
    """Numbers of a file with a name and a number in each line."""
    rows = (line.replace(":", " ").split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1}
