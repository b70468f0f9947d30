"""How the C library deals with the memory that tensors give back."""

import ctypes
import functools
import os
import platform
import threading
from contextlib import contextmanager

__all__ = ["freed_memory_kept"]

# Parameters of mallopt, as <malloc.h> of the GNU C library has them.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3

#: Where the library's own adjustment of the thresholds ends, in a process that frees large blocks.
_LARGEST_MMAP_THRESHOLD = 32 << 20
_LARGEST_TRIM_THRESHOLD = 2 * _LARGEST_MMAP_THRESHOLD

#: Bytes that may lie free at the end of the heap while a network runs.
_KEPT = 1 << 30

#: What says that the user has set the thresholds.
_USERS_OWN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")

_lock = threading.Lock()
_n_holders = 0


@contextmanager
def freed_memory_kept(give_back=False):
    """Keep freed memory in the process while a network runs.

    Each layer asks for some megabytes and frees others. The GNU C library returns what it can to
    the system, which has to clear the pages when they are asked for again: an eighth of the time of
    a prediction. Afterwards the library returns memory as it does in any process that has freed
    large blocks. On other systems, and where the user has set the library's thresholds by
    environment variables, this does nothing.

    Parameters
    ----------
    give_back : bool, default=False
        Return all that lies free when it ends: a training, which ends once, leaves a gigabyte. A
        prediction, which comes again, would have to have its pages cleared each time.
    """
    library = _adjustable_library()
    if library is None:
        yield
        return
    _count(library, 1)
    try:
        yield
    finally:
        _count(library, -1, give_back)


def _count(library, change, give_back=False):
    """Threads share the thresholds: the first to come sets them, the last puts them back."""
    global _n_holders
    with _lock:
        before, _n_holders = _n_holders, _n_holders + change
        if before == 0:
            library.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
            library.mallopt(_TRIM_THRESHOLD, _KEPT)
        elif _n_holders == 0:
            library.mallopt(_TRIM_THRESHOLD, _LARGEST_TRIM_THRESHOLD)
            if give_back:
                library.malloc_trim(0)


@functools.cache
def _adjustable_library():
    """The C library if it is GNU's and nobody has set its thresholds, else None."""
    if any(name in os.environ for name in _USERS_OWN):
        return None
    if "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return None
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") else None
