"""The F3 benchmark data: what they are, how they come here, and how they are unpacked.

pooch keeps the archive and checks its hash. The transfer is our own because pooch starts each
attempt at the first byte: from a server that breaks off after 40 % of a file, four attempts move
1.6 times its size and fail, where a transfer that resumes moves it once. Members are unpacked
beside their place and renamed, which ``pooch.Unzip`` does not do: a killed process leaves no half
of a file.
"""

import functools
import os
import shutil
import time
import zipfile
import zlib
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from skfacies._files import whole_file

__all__ = ["BLOCKS", "SHAPES", "UNITS", "fetch_f3"]

URL = "https://zenodo.org/records/3755060/files/data.zip"
SIZE = 1_051_449_986
MD5 = "bc5932279831a95c0b244fd765376d85"
ARCHIVE = "data.zip"

# First and last inline, first and last crossline.
BLOCKS = {
    "train": ((300, 700), (300, 1000)),
    "test1": ((100, 299), (300, 1000)),
    "test2": ((100, 700), (1001, 1200)),
}
N_SAMPLES = 255
SHAPES = {
    block: (*(last - first + 1 for first, last in lines), N_SAMPLES)
    for block, lines in BLOCKS.items()
}
FOLDERS = {"train": "data/train", "test1": "data/test_once", "test2": "data/test_once"}
ITEMSIZES = {"seismic": 8, "labels": 1}  # float64 and uint8

# From the shallowest to the deepest, with the RGB colors of the paper.
UNITS = {
    "upper_ns": (69, 117, 180),
    "middle_ns": (145, 191, 219),
    "lower_ns": (224, 243, 248),
    "rijnland_chalk": (254, 224, 144),
    "scruff": (252, 141, 89),
    "zechstein": (215, 48, 39),
}

TIMEOUT = 30  # seconds without a byte
LONGEST_WAIT = 60  # seconds between two attempts
CHUNK = 2**20


def fetch_f3(
    subset="train",
    *,
    data_home=None,
    download_if_missing=True,
    keep_archive=True,
    n_retries=3,
    delay=1.0,
    verbose=1,
):
    """Load the F3 facies benchmark: a real survey in which every sample is interpreted.

    Its two test blocks have been used by many; `skfacies.benchmark.f3_benchmark` scores on them as
    the paper [1]_ does. They are meant to be used once: choose models on the training block.

    Parameters
    ----------
    subset : {"train", "test1", "test2", "all"} or list of them, default="train"
        Blocks to load. Only these are unpacked.
    data_home : str or path-like, default=None
        Folder of downloads; the data are in its folder ``f3``. None is the environment variable
        ``SKFACIES_DATA``, or else ``~/skfacies_data``.
    download_if_missing : bool, default=True
        False raises an OSError where files are missing, instead of downloading them.
    keep_archive : bool, default=True
        Keep the archive for blocks asked for later; False deletes it after unpacking.
    n_retries : int, default=3
        Attempts without progress that are made again, before the download is given up. A download
        that was broken off goes on where it ended, also in a later call.
    delay : float, default=1.0
        Seconds before the next attempt; doubled with each that fails.
    verbose : int, default=1
        0 shows no progress bar.

    Returns
    -------
    block : sklearn.utils.Bunch
        For a list or "all", a Bunch of such blocks by name. Its attributes are

        data : float64 memmap of shape (n_inlines, n_crosslines, n_samples)
            Amplitudes in [-1, 1], mapped from a file, read-only; the vertical axis, depth, is last
            and points down.
        target : uint8 memmap of shape (n_inlines, n_crosslines, n_samples)
            Units, 0 (shallowest) to 5. Nothing is left without interpretation.
        target_names : list of 6 str
            Names of the units.
        colors : uint8 ndarray of shape (6, 3)
            Red, green and blue of the units in the paper.
        inlines, crosslines : ndarray of shape (n_inlines,), (n_crosslines,)
            Line numbers.
        DESCR : str
            What it is, in words.

    Raises
    ------
    OSError
        If the download fails, its hash is wrong, or the disk has no room.

    Notes
    -----
    The archive, 1.05 GB, is Zenodo's record 3755060. On the disk the block "train" takes 0.65 GB,
    "test1" 0.32 GB and "test2" 0.28 GB beside it.

    References
    ----------
    .. [1] Alaudah, Y. et al. (2019). A machine-learning benchmark for facies classification.
       Interpretation 7(3). doi:10.1190/INT-2018-0249.1

    Examples
    --------
    >>> from skfacies.datasets import fetch_f3
    >>> f3 = fetch_f3()  # doctest: +SKIP
    >>> f3.data.shape, f3.inlines[[0, -1]], f3.crosslines[[0, -1]]  # doctest: +SKIP
    ((401, 701, 255), array([300, 700]), array([ 300, 1000]))
    """
    blocks = _check_subset(subset)
    for name, number, kind in (("n_retries", n_retries, Integral), ("delay", delay, Real)):
        if not isinstance(number, kind) or isinstance(number, bool) or not number >= 0:
            raise ValueError(f"`{name}` must be a number >= 0; got {number!r}.")
    arrays = _fetch_blocks(
        blocks,
        _find_folder(data_home),
        download_if_missing=download_if_missing,
        keep_archive=keep_archive,
        n_retries=n_retries,
        delay=delay,
        verbose=verbose,
    )
    bunches = {block: _f3_block(block, *arrays[block]) for block in blocks}
    one = isinstance(subset, str) and subset != "all"
    return bunches[subset] if one else Bunch(**bunches)


def _check_subset(subset):
    known = list(BLOCKS)
    blocks = [subset] if isinstance(subset, str) or not np.iterable(subset) else list(subset)
    blocks = known if blocks == ["all"] else blocks
    if not blocks or not all(isinstance(block, str) and block in known for block in blocks):
        raise ValueError(
            f"`subset` must be one of {', '.join(map(repr, known))}, a list of them, or 'all'; "
            f"got {subset!r}."
        )
    return list(dict.fromkeys(blocks))


def _f3_block(block, data, target):
    lines = BLOCKS[block]
    inlines, crosslines = (np.arange(first, last + 1) for first, last in lines)
    return Bunch(
        data=data,
        target=target,
        target_names=list(UNITS),
        colors=np.array(list(UNITS.values()), dtype=np.uint8),
        inlines=inlines,
        crosslines=crosslines,
        DESCR=(
            f"Block {block!r} of the F3 facies benchmark (Alaudah et al., 2019), Netherlands "
            f"offshore: inlines {inlines[0]}-{inlines[-1]}, crosslines {crosslines[0]}-"
            f"{crosslines[-1]}, {data.shape[2]} samples in depth. Units from top to bottom: "
            f"{', '.join(f'{k} {name}' for k, name in enumerate(UNITS))}."
        ),
    )


def _find_folder(data_home):
    """Folder of the F3 data: under `data_home`, ``$SKFACIES_DATA`` or ``~/skfacies_data``."""
    home = data_home or os.environ.get("SKFACIES_DATA") or "~/skfacies_data"
    return Path(home).expanduser().absolute() / "f3"


def _fetch_blocks(blocks, folder, *, download_if_missing, keep_archive, n_retries, delay, verbose):
    """Amplitudes and labels of some blocks as ``{block: (seismic, labels)}``, mapped from files.

    What is not in the folder is unpacked from the archive, which is downloaded if need be.
    """
    files = {
        (block, kind): folder / f"{block}_{kind}.npy" for block in blocks for kind in ITEMSIZES
    }
    missing = {key: path for key, path in files.items() if not path.exists()}
    archive = folder / ARCHIVE
    if missing:
        if not download_if_missing and not archive.exists():
            raise OSError(_missing_message(folder))
        _check_space(folder, archive, missing)
        if download_if_missing:
            download = functools.partial(
                _download, n_retries=n_retries, delay=delay, verbose=verbose
            )
        else:
            download = _refuse
        _fetch_archive(archive, download)
        _unpack(archive, missing)
    if not keep_archive:
        archive.unlink(missing_ok=True)
    return {
        block: tuple(_map(files[block, kind], SHAPES[block]) for kind in ITEMSIZES)
        for block in blocks
    }


def _missing_message(folder):
    return (
        f"The F3 data are not in {str(folder)!r}, and download_if_missing=False. Allow the "
        f"download, or put {URL} there as {ARCHIVE!r} by other means."
    )


def _check_space(folder, archive, missing):
    """Refuse to begin what the disk cannot hold."""
    needed = sum(ITEMSIZES[kind] * int(np.prod(SHAPES[block])) for block, kind in missing)
    if not archive.exists():
        needed += SIZE - _size_of(_part_of(archive))
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise OSError(
            f"{needed / 1e9:.2f} GB are needed in {str(folder)!r} for the F3 data, and "
            f"{free / 1e9:.2f} GB are free. Make room, or name a folder on another disk by "
            "`data_home` or the environment variable SKFACIES_DATA."
        )


# --- download --------------------------------------------------------------------------------


def _fetch_archive(archive, download):
    """Make sure that the archive is there, and is the right one."""
    import pooch

    try:
        pooch.retrieve(
            URL, f"md5:{MD5}", fname=archive.name, path=archive.parent, downloader=download
        )
    except ValueError as error:  # pooch's, which has deleted what it got
        raise OSError(
            f"{URL} gave a file whose MD5 hash is not {MD5}: it was damaged on its way, or is "
            f"another file. Nothing of it was kept. Try again, or put the archive there as "
            f"{str(archive)!r} by other means."
        ) from error


def _refuse(url, output_file, _pooch):
    archive = Path(output_file).parent / ARCHIVE
    raise OSError(
        f"{str(archive)!r} is not the F3 archive: its MD5 hash is not {MD5}. With "
        "download_if_missing=False it is not replaced: delete it or allow the download."
    )


def _download(url, output_file, _pooch, *, n_retries, delay, verbose):
    """Downloader for pooch that goes on where an earlier transfer ended."""
    part = _part_of(Path(output_file).parent / ARCHIVE)
    failures, most = 0, _size_of(part)
    bar = tqdm(
        total=SIZE,
        initial=most,
        desc="F3 archive",
        unit="B",
        unit_scale=True,
        disable=not verbose,
        dynamic_ncols=True,
    )
    with bar:
        while _size_of(part) < SIZE:
            problem = _download_rest(url, part, bar)
            if _size_of(part) >= SIZE:
                break
            if _size_of(part) > most:  # it gets on, if haltingly
                failures, most = 0, _size_of(part)
            elif failures == n_retries:
                raise OSError(_download_message(problem, part.parent))
            else:
                failures += 1
            time.sleep(min(delay * 2**failures, LONGEST_WAIT))
    os.replace(part, output_file)


def _download_rest(url, part, bar):
    """Append what is missing, as far as it comes; return what went wrong, in words."""
    import requests  # what pooch itself uses

    start = _size_of(part)
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == 416:  # what we have is no beginning of it
                part.unlink()
            response.raise_for_status()
            _check_offer(response, part)
            resumed = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            with open(part, "ab" if start and resumed else "wb") as file:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    bar.update(file.tell() - bar.n)
                    if file.tell() > SIZE:
                        break
    except requests.HTTPError as error:
        status = error.response.status_code
        if status < 500 and status not in (408, 416, 429):
            raise OSError(_download_message(error, part.parent)) from error
        return error
    except requests.RequestException as error:
        return error
    return f"the transfer ended after {_size_of(part):_} of {SIZE:_} bytes"


def _check_offer(response, part):
    """Refuse a page of a login portal, or another file, before anything is written."""
    headers = response.headers
    if response.status_code == 206:
        size = headers.get("Content-Range", "").rpartition("/")[2]
    else:
        size = headers.get("Content-Length", "*")
    if size not in ("*", "", str(SIZE)):
        problem = f"the server offers a file of {size} bytes instead of {SIZE}"
        raise OSError(_download_message(problem, part.parent))


def _download_message(problem, folder):
    return (
        f"{URL} could not be downloaded: {problem}. Call again to go on where it ended, or put the "
        f"archive as {ARCHIVE!r} into {str(folder)!r} by other means."
    )


def _part_of(path):
    return path.with_name(path.name + ".part")


def _size_of(path):
    return path.stat().st_size if path.exists() else 0


# --- unpacking -------------------------------------------------------------------------------


def _unpack(archive, missing):
    """Unpack one member a file, each beside its place first: half a file is never found."""
    members = {
        f"{FOLDERS[block]}/{block}_{kind}.npy": path for (block, kind), path in missing.items()
    }
    try:
        with zipfile.ZipFile(archive) as source:
            absent = sorted(set(members) - set(source.namelist()))
            if absent:
                raise OSError(
                    f"{str(archive)!r} has no member {', '.join(map(repr, absent))}: it is not "
                    "the archive of the F3 benchmark. Delete it and call fetch_f3 again."
                )
            for member, path in members.items():
                _unpack_member(source, member, path)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        archive.unlink()
        raise OSError(
            f"{str(archive)!r} is damaged and was deleted: {error}. Call fetch_f3 again."
        ) from error


def _unpack_member(source, member, path):
    with whole_file(path) as part, source.open(member) as packed, open(part, "wb") as file:
        shutil.copyfileobj(packed, file, CHUNK)


def _map(path, shape):
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        problem = f"it has shape {array.shape} instead of {shape}"
    except (ValueError, EOFError) as error:
        array, problem = None, error
    if array is None or array.shape != shape:
        raise OSError(
            f"{str(path)!r} is not as it was unpacked: {problem}. Delete it and call "
            "fetch_f3 again."
        )
    return array
