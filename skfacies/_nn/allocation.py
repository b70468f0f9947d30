"""How the C library deals with the memory that tensors give back."""

import ctypes
import functools
import os
import platform

__all__ = ["keep_freed_memory"]

# Parameters of mallopt, as <malloc.h> of the GNU C library has them.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3

#: Where the library's own adjustment of this threshold ends, in a process that frees large blocks.
_LARGEST_MMAP_THRESHOLD = 32 << 20

#: Bytes that may lie free at the end of the heap; the library's own adjustment ends at 64 MiB.
_KEPT = 256 << 20

#: What says that the user has set the thresholds.
_USERS_OWN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")


@functools.cache
def keep_freed_memory():
    """Have the process keep up to 256 MiB of freed memory from now on; whether that was done.

    Each layer of a network asks for some megabytes and frees others. The GNU C library returns what
    it can to the system, which has to clear the pages when they are asked for again: an eighth of
    the time of a prediction. Elsewhere, and where the user has set the library's thresholds by
    environment variables, this does nothing.
    """
    if any(name in os.environ for name in _USERS_OWN):
        return False
    if "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    thresholds = {_MMAP_THRESHOLD: _LARGEST_MMAP_THRESHOLD, _TRIM_THRESHOLD: _KEPT}
    return all([library.mallopt(name, value) == 1 for name, value in thresholds.items()])
