"""Probabilities of the inline sections of a cube, kept until its crosslines are predicted."""

import os
import shutil
import tempfile
from contextlib import suppress

import numpy as np

__all__ = ["make_store", "scratch_bytes"]

#: Probabilities on disk are multiples of 1 / LEVELS. This changes a prediction only where the
#: probabilities of the best two facies are closer than that.
LEVELS = np.iinfo(np.uint16).max


def scratch_bytes(shape, n_classes):
    """Bytes on disk for the probabilities of a cube."""
    return int(np.prod(shape)) * n_classes * np.dtype(np.uint16).itemsize


def make_store(shape, n_classes, *, memory_limit, slabs, folder=None, kept=None, exact=False):
    """Store for probabilities: in memory if they fit in half of `memory_limit`, else on disk.

    Parameters
    ----------
    shape : (n_inlines, n_crosslines, n_samples)
    n_classes : int
    memory_limit : int
        Bytes.
    slabs : (list of slices, list of slices)
        Inlines that are written, and crosslines that are read, at a time.
    folder : path or None
        Folder for a temporary file; None is the system's.
    kept : path or None
        A file that is kept, and gone on with if it is there; in place of memory, too.
    exact : bool
        Whether probabilities on disk are those that were given.
    """
    small = int(np.prod(shape)) * n_classes * 4 <= memory_limit / 2
    if small and kept is None:
        return _MemoryStore(shape, n_classes)
    dtype = np.dtype(np.float32 if small or exact else np.uint16)
    return _DiskStore(shape, n_classes, slabs, dtype, folder, kept)


class _MemoryStore:
    def __init__(self, shape, n_classes):
        self.array = np.empty((*shape, n_classes), dtype=np.float32)

    def write_inlines(self, lines, probabilities):
        self.array[lines] = probabilities

    def read_crosslines(self, lines):
        return self.array[:, lines].swapaxes(0, 1)

    def close(self):
        self.array = None


class _DiskStore:
    """Blocks, one for each pair of an inline and a crossline slab, in a file."""

    def __init__(self, shape, n_classes, slabs, dtype, folder, kept):
        self.shape, self.n_classes, self.slabs, self.dtype = shape, n_classes, slabs, dtype
        largest = [max(lines.stop - lines.start for lines in part) for part in slabs]
        self.block_bytes = int(np.prod([*largest, shape[2], n_classes])) * dtype.itemsize
        needed = len(slabs[0]) * len(slabs[1]) * self.block_bytes
        folder = os.path.dirname(kept) if kept else folder or tempfile.gettempdir()
        if kept:
            with suppress(OSError):
                needed -= os.path.getsize(kept)
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise OSError(
                f"direction='both' needs {needed / 1e9:.1f} GB in {folder} for the probabilities "
                f"of one direction, but only {free / 1e9:.1f} GB are free. Set `scratch_dir` to a "
                "folder on a larger disk, or use one direction."
            )
        if kept:
            self.file = open(kept, "r+b" if os.path.exists(kept) else "w+b")  # noqa: SIM115 (close)
        else:
            self.file = tempfile.TemporaryFile(prefix="skfacies-", dir=folder)  # noqa: SIM115

    def write_inlines(self, lines, probabilities):
        """Write the sections of one slab of inlines."""
        values = probabilities
        if self.dtype.kind == "u":
            # NaN, where amplitudes are missing, becomes 0 for all facies; crosslines also have it.
            values = np.empty(probabilities.shape, dtype=self.dtype)
            np.rint(np.nan_to_num(probabilities) * LEVELS, out=values, casting="unsafe")
        row = self.slabs[0].index(lines)
        for column, crosslines in enumerate(self.slabs[1]):
            self._seek(row, column)
            self.file.write(np.ascontiguousarray(values[:, crosslines], self.dtype))

    def read_crosslines(self, lines):
        """Read the sections of one slab of crosslines; the caller may change them in place."""
        n_lines, column = lines.stop - lines.start, self.slabs[1].index(lines)
        n_inlines, _, n_samples = self.shape
        sections = np.empty((n_lines, n_inlines, n_samples, self.n_classes), np.float32)
        for row, inlines in enumerate(self.slabs[0]):
            sections[:, inlines] = self._read(row, column).swapaxes(0, 1)
        if self.dtype.kind == "u":
            sections /= LEVELS
        return sections

    def blocks_of_inlines(self, lines):
        """What was written of one slab of inlines, a block at a time."""
        row = self.slabs[0].index(lines)
        return (self._read(row, column) for column in range(len(self.slabs[1])))

    def _read(self, row, column):
        n_lines = [
            lines.stop - lines.start for lines in (self.slabs[0][row], self.slabs[1][column])
        ]
        block = np.empty((*n_lines, self.shape[2], self.n_classes), self.dtype)
        self._seek(row, column)
        if self.file.readinto(block) != block.nbytes:
            raise OSError("the temporary file of probabilities has been truncated.")
        return block

    def _seek(self, row, column):
        self.file.seek((row * len(self.slabs[1]) + column) * self.block_bytes)

    def to_disk(self):
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self):
        self.file.close()
