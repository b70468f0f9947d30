"""Write beside and rename: under its own name a file or folder is whole, or is the old one."""

import ctypes
import errno
import glob
import os
import shutil
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = [
    "check_place",
    "check_space",
    "locked",
    "remove_leftovers",
    "sync_file",
    "whole_file",
    "whole_files",
    "whole_folder",
]


def check_place(path, name):
    """Raise an OSError that names an argument unless a file can be written at a path."""
    path = Path(path)
    if path.is_dir():
        kind, reason = IsADirectoryError, "is a folder"
    elif not path.parent.is_dir():
        kind, reason = FileNotFoundError, "is in a folder that does not exist"
    elif not os.access(path.parent, os.W_OK):
        kind, reason = PermissionError, "is in a folder that is not writable"
    else:
        return
    raise kind(f"`{name}` {reason}: {path}. Give the name of a file in an existing folder.")


# Of Linux's renameat2, which Python does not have.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def check_space(path, n_bytes):
    """Raise an OSError if the disk has no room for so many bytes at a path."""
    free = shutil.disk_usage(Path(path).absolute().parent).free
    if n_bytes > free:
        raise OSError(
            f"{path} needs {n_bytes / 1e9:.2f} GB, where {free / 1e9:.2f} GB are free. Make room, "
            "or write to a larger disk."
        )


@contextmanager
def locked(path, in_use):
    """Hold a lock file while the block runs, and yield whether it is held.

    An OSError with the words `in_use` if another process holds it. Some file systems, such as
    network drives, have no locks.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OSError(in_use) from None
    except NotImplementedError:
        pass
    try:
        yield lock.is_locked
    finally:
        lock.release()


def sync_file(path):
    """See that what was written to a file lies on the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def whole_file(path):
    """Yield the path of a file to write, which takes the place of `path` when the block ends.

    If the block raises, it vanishes, and what was at `path` stays as it was.
    """
    path = Path(path)
    part = _beside(path)
    try:
        yield part
        sync_file(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    _sync_names(path.parent)


@contextmanager
def whole_folder(path):
    """Yield the path of a folder to make, which takes the place of `path` when the block ends."""
    path = Path(path)
    part = _beside(path)
    try:
        yield part
        for file in filter(Path.is_file, part.rglob("*")):
            sync_file(file)
        _swap(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _sync_names(path.parent)


@contextmanager
def whole_files(folder):
    """Yield a folder for files that are moved into `folder` when the block ends: all, or none.

    The folder is made if it is missing. Its other files stay; those of the same names are replaced.
    """
    folder = Path(folder)
    if not folder.exists():
        with whole_folder(folder) as part:
            part.mkdir()
            yield part
        return
    part = _beside(folder / "files")
    part.mkdir()
    try:
        yield part
        files = sorted(filter(Path.is_file, part.iterdir()))
        for file in files:
            sync_file(file)
        _move_all(files, folder, part / ".old")
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _sync_names(folder)


def remove_leftovers(path):
    """Remove what killed processes have left beside `path`; no other process may be writing it."""
    for part in path.parent.glob(f".{glob.escape(path.name[:100])}.{8 * '[0-9a-f]'}.part"):
        shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)


def _move_all(files, folder, old):
    """Move files into a folder; on an error, put back what was there, which is kept in `old`."""
    old.mkdir()
    undo = []
    try:
        for file in files:
            target = folder / file.name
            if target.exists():
                os.replace(target, old / file.name)
                undo.append((old / file.name, target))
            os.replace(file, target)
            undo.append((target, file))
    except BaseException:
        for source, target in reversed(undo):
            os.replace(source, target)
        raise


def _beside(path):
    """A name that no other process takes, and that no file system finds too long."""
    return path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex[:8]}.part")


def _swap(part, path):
    """Give a folder its name; what had the name goes after, and comes back on an error.

    Where the system can exchange two names at once, one of both folders has the name at any time,
    whenever the process is killed, and processes that write the same folder do not meet.
    """
    for _ in range(100):  # others may make or remove it between two of these steps
        with suppress(OSError):
            os.rename(part, path)  # if it is missing
            return
        try:
            if not _exchange(part, path):
                break
        except FileNotFoundError:
            continue
        _remove(part)  # it has what was there
        return
    old = path.with_name(part.name.removesuffix(".part") + ".old")
    existed = path.exists()
    if existed:
        os.replace(path, old)
    try:
        os.replace(part, path)
    except BaseException:
        if existed:
            os.replace(old, path)
        raise
    if existed:
        _remove(old)


def _exchange(one, other):
    """Let two names of a folder change places in one step; False where systems cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # not Linux
        return False
    names = [os.fsencode(path.absolute()) for path in (one, other)]
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    if ctypes.get_errno() == errno.ENOENT:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(other))
    return False


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync_names(folder):
    """See that a renaming lasts; not all systems open folders."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
