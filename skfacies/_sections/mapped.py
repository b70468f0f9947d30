"""Arrays that are mapped from files: pages that were read count as memory until they are let go."""

import copy
import mmap

import numpy as np

from skfacies._sections.validation import is_listlike, like_sections

__all__ = ["let_go", "memory_map", "release_pages"]

#: Bytes of a mapped file that are handed out before its pages are let go of.
BYTES_AT_ONCE = 1 << 26

#: Bytes that the system maps around each page that is touched, at most.
AROUND = 1 << 16


def memory_map(array):
    """The memory map behind an array, if its pages can be released; else None.

    The pages of a private map (mode "c") hold the only copy of its changes.
    """
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    if array is None or array.mode == "c" or not hasattr(array._mmap, "madvise"):
        return None
    return array._mmap if hasattr(mmap, "MADV_DONTNEED") else None


def release_pages(array):
    """Release the pages of a memory map, which would otherwise count as memory of this process.

    Nothing is lost, because the pages belong to the file.
    """
    for volume in getattr(array, "volumes", ()):
        release_pages(volume)
    mapped = memory_map(array)
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)


def let_go(sections):
    """Sections of which those that are mapped let go of their pages as others are read."""
    if not is_listlike(sections):
        return _Mapped(sections, {}) if memory_map(sections) is not None else sections
    handed_out = {}
    return like_sections(sections, [_let_go_of(section, handed_out) for section in sections])


def _let_go_of(section, handed_out):
    lines = getattr(section, "lines", None)  # a line with its neighbors
    if isinstance(lines, list):
        section = copy.copy(section)
        section.lines = [_let_go_of(line, handed_out) for line in lines]
        return section
    return section if memory_map(section) is None else _Mapped(section, handed_out)


class _Mapped:
    """A part of a memory map that can be sliced; `handed_out` are bytes by map, for all parts."""

    def __init__(self, array, handed_out):
        self.array, self.handed_out = array, handed_out
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __len__(self):
        return len(self.array)

    def __getitem__(self, key):
        part = self.array[key]
        mapped = memory_map(self.array)
        touched = part.nbytes
        if part.ndim > 1 and not part.flags.c_contiguous:
            touched = max(touched, part.size // part.shape[-1] * AROUND)
        handed_out = self.handed_out.get(id(mapped), 0) + touched
        if handed_out > BYTES_AT_ONCE:
            mapped.madvise(mmap.MADV_DONTNEED)
            handed_out = touched
        self.handed_out[id(mapped)] = handed_out
        return part

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[...], dtype=dtype)
