"""The record of a prediction's finished slabs, with which another run goes on after a kill."""

import json
import pickle
import shutil
import time
import warnings
import zlib
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
from joblib.hashing import NumpyHasher

from skfacies._cubes.holders import is_dask, read_lines, to_disk
from skfacies._files import locked, whole_file
from skfacies._version import __version__

__all__ = ["Checkpoint", "check_checkpoint", "checksum", "opened"]

RECORD, LOCK = "finished.json", "lock"

#: Saving the record may take this part of the time. Along crosslines, each saving writes most pages
#: of a mapped file. After every slab, this would take longer than the prediction.
SHARE_OF_TIME = 0.05


class Checkpoint:
    """Finished slabs of a prediction, recorded in a folder.

    A slab is known by the checksums of its amplitudes, and of its results as they are read back. A
    run that goes on predicts a slab anew if either has changed. Whatever was cut off or exchanged,
    results are those of an unbroken run.

    Parameters
    ----------
    folder : path
        Made if it is missing. Only one process at a time can use it.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.slabs, self.identity = {}, None
        self._lock, self._unsaved = ExitStack(), []
        self._saved, self._cost, self._since = -np.inf, 0.0, time.time() - 1

    def __enter__(self):
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"`checkpoint` {self.folder} is a file. Give a folder.")
        names = {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()
        if names and not names & {RECORD, LOCK}:
            raise ValueError(
                f"`checkpoint` {self.folder} holds other files. Give a folder that does not exist."
            )
        self.folder.mkdir(exist_ok=True)
        in_use = (
            f"{self.folder} belongs to a prediction that is running. Wait for it, or choose "
            "another place."
        )
        self._lock.enter_context(locked(self.folder / LOCK, in_use))
        return self

    def __exit__(self, kind, error, trace):
        if error is not None and self._unsaved:
            with suppress(OSError):  # the disk is full; the error itself says so
                self.save()
        self._lock.close()

    def n_lines(self):
        """Lines that are recorded as finished, in both directions."""
        slabs = self.slabs or _read(self.folder / RECORD).get("slabs", {})
        return sum(stop - start for _, start, stop in map(_from_name, slabs))

    def begin(self, *prediction):
        """Take over what is recorded of the same prediction, and nothing of another one.

        Parameters
        ----------
        *prediction
            What determines the results beside the amplitudes: the fitted estimator, options.
        """
        found = _read(self.folder / RECORD)
        self.identity = identity = _content_hash(__version__, version("torch"), *prediction)
        self.slabs = found.get("slabs", {}) if found.get("identity") == identity else {}
        if found.get("slabs") and not self.slabs:
            self.restart()
            warnings.warn(
                f"{self.folder} holds an unfinished prediction of another model or with other "
                "options or versions. It is discarded, and the prediction starts anew.",
                UserWarning,
                stacklevel=5,
            )

    def holds(self, target, axis, lines, amplitudes):
        """Whether a slab with this checksum of its amplitudes was finished and is in place."""
        known = self.slabs.get(_name(axis, lines))
        if known is not None and known[0] == amplitudes:
            with suppress(Exception):  # of any store that was cut off
                if known[1] == _results(target, axis, lines):
                    return True
        # Results of the second direction depend on all of the first.
        for name in [name for name in self.slabs if _from_name(name)[0] > axis]:
            del self.slabs[name]
        return False

    def add(self, target, axis, lines, amplitudes):
        """Note a slab that has been written; the record is saved once its results are on disk."""
        self.slabs[_name(axis, lines)] = [amplitudes, _results(target, axis, lines)]
        if not any(target is other for other in self._unsaved):
            self._unsaved.append(target)
        if SHARE_OF_TIME * (time.monotonic() - self._saved) >= self._cost:
            self.save()

    def save(self):
        """Write the results to disk, then the record."""
        start = time.monotonic()
        for target in self._unsaved:
            to_disk(target, self._since)
        self._unsaved = []
        with whole_file(self.folder / RECORD) as part:
            part.write_text(json.dumps({"identity": self.identity, "slabs": self.slabs}))
        self._saved, self._since = time.monotonic(), time.time() - 1
        self._cost = self._saved - start

    def remove(self):
        """Remove the folder with all that is in it."""
        self._unsaved = []
        (self.folder / RECORD).unlink(missing_ok=True)  # first: it counts on the others
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self):
        """Forget what earlier runs have finished."""
        (self.folder / RECORD).unlink(missing_ok=True)


@contextmanager
def opened(checkpoint):
    """Yield a `Checkpoint`, which is removed when the block ends; None for None.

    One that was opened by the caller is the caller's to remove.
    """
    if checkpoint is None or isinstance(checkpoint, Checkpoint):
        yield checkpoint
        if checkpoint is not None:
            checkpoint.save()
        return
    with Checkpoint(checkpoint) as own:
        yield own
        own.remove()


def check_checkpoint(checkpoint, cube, out):
    """Refuse a checkpoint of results that another run would not find."""
    if checkpoint is None:
        return
    if is_dask(cube):
        raise ValueError(
            "`checkpoint` is for arrays that are predicted at once. For a Dask array, store the "
            "result block by block, for example with dask.array.to_zarr(..., region=...)."
        )
    if out is None:
        raise ValueError(
            "`checkpoint` needs `out`, an array in a file: results in memory end with the process."
        )
    if _same_place(cube, out):
        raise ValueError(
            "`checkpoint` needs unchanged amplitudes, but `out` overwrites them. Give `out` a "
            "place of its own."
        )


def _same_place(cube, out):
    if isinstance(cube, np.ndarray) and isinstance(out, np.ndarray):
        files = [getattr(array, "filename", None) for array in (cube, out)]
        return np.may_share_memory(cube, out) or (files[0] is not None and files[0] == files[1])
    places = [getattr(array, "store_path", None) for array in (cube, out)]
    return cube is out or (places[0] is not None and places[0] == places[1])


def _content_hash(*values):
    """Hash of values by their content, the same in every process."""
    try:
        return _Hasher(hash_name="sha1").hash(values)
    except pickle.PicklingError as error:
        raise ValueError(
            f"`checkpoint` must recognize the estimator, which cannot be pickled: {error}. Leave "
            "out `checkpoint`, or replace local functions by functions of a module."
        ) from error


class _Hasher(NumpyHasher):
    """Knows tensors by their values; their pickles have addresses in memory."""

    def save(self, obj):
        if hasattr(obj, "detach") and hasattr(obj, "untyped_storage"):
            obj = ("tensor", str(obj.dtype), obj.detach().cpu().double().numpy())
        super().save(obj)


def _read(path):
    """What a record says; nothing if it is missing or damaged."""
    try:
        found = json.loads(path.read_text())
        for name, sums in found["slabs"].items():
            _from_name(name)
            if len(sums) != 2:
                return {}
        return found
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _name(axis, lines):
    return f"{axis} {lines.start} {lines.stop}"


def _from_name(name):
    axis, start, stop = map(int, name.split())
    return axis, start, stop


def _results(target, axis, lines):
    """Checksum of what was written of a slab."""
    blocks = getattr(target, "blocks_of_inlines", None)  # of a store of probabilities
    return checksum(read_lines(target, axis, lines) if blocks is None else blocks(lines))


def checksum(sections):
    """Checksum of sections."""
    total = 0
    for section in sections:  # one at a time: those of crosslines are copied
        total = zlib.crc32(np.ascontiguousarray(section).view(np.uint8).reshape(-1), total)
    return total
