"""Data to try things on: synthetic cubes, interpreted sections in a file, the F3 benchmark.

Axes are those of the whole package: a cube is (n_inlines, n_crosslines, n_samples) and a section
(n_traces, n_samples); the vertical axis is last and points down.
"""

import re
import zipfile
import zlib
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch, check_random_state

from skfacies.datasets import _synthetic
from skfacies.datasets._f3 import fetch_f3

__all__ = ["fetch_f3", "load_sections", "make_facies_cube"]


def make_facies_cube(
    shape=(64, 96, 128),
    n_facies=6,
    *,
    n_faults=2,
    fold=0.12,
    noise=0.25,
    dead_traces=0.0,
    sample_interval=4.0,
    peak_frequency=40.0,
    dtype=np.float32,
    random_state=None,
    return_X_y=False,
):
    """Make a synthetic seismic cube of stacked facies units, with its interpretation.

    It gives examples, tests and first trials a survey whose answer is known, without a download.
    Every unit has a reflection style of its own (parallel, chaotic, prograding, transparent ...).
    The contacts are folded and faulted and the units change in thickness, so that a classifier
    has to look at the texture: depth alone does not tell the units apart.

    Parameters
    ----------
    shape : tuple of 3 ints, default=(64, 96, 128)
        (n_inlines, n_crosslines, n_samples); the vertical axis is last and points down.
        At least four samples are needed for each facies.
    n_facies : int, default=6
        Number of units, from 2 to 127. Styles repeat, weaker and with thicker beds, after the
        eighth.
    n_faults : int, default=2
        Number of normal faults. They strike roughly along the inline axis, which shows them on
        inline sections, and die out upwards and away from the fault plane.
    fold : float, default=0.12
        Structural relief: how far a contact is lifted or lowered by folding, at most, as a
        fraction of `n_samples`, from 0 to 0.25. With 0 contacts still slope, since units thin
        laterally.
    noise : float, default=0.25
        Standard deviation of the noise relative to that of the signal, at least 0. The noise has
        the bandwidth of the signal; a part of it is coherent from trace to trace.
    dead_traces : float, default=0.0
        Fraction of traces without data, 0 <= `dead_traces` < 1, rounded to whole traces; one
        trace always stays. They lie in patches, mostly on the edge of the survey, as do the
        gaps of real surveys.
    sample_interval : float, default=4.0
        Milliseconds between samples.
    peak_frequency : float, default=40.0
        Peak frequency of the Ricker wavelet in Hz, below the Nyquist frequency.
    dtype : floating dtype, default=numpy.float32
        Type of the amplitudes.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same cube every time.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of the Bunch.

    Returns
    -------
    cube : sklearn.utils.Bunch
        Its attributes are

        data : ndarray of shape (n_inlines, n_crosslines, n_samples)
            Amplitudes with a standard deviation near 1; 0 on dead traces.
        target : int8 ndarray of shape (n_inlines, n_crosslines, n_samples)
            0 is the shallowest unit, ``n_facies - 1`` the deepest, in this order on every trace;
            -1, for "not interpreted", on dead traces.
        target_names : list of n_facies str
            The style of each unit; ``target_names[k]`` describes ``target == k``.
        horizons : float32 ndarray of shape (n_facies - 1, n_inlines, n_crosslines)
            ``horizons[k]`` is the depth, in samples, of the top of unit ``k + 1``; NaN on dead
            traces. On live traces ``target[i, x, z] == (horizons[:, i, x] <= z).sum()``.
        dead_traces : bool ndarray of shape (n_inlines, n_crosslines)
            True where there is no data.
        DESCR : str
            What was made, in words.

    (data, target) : tuple of ndarrays, if `return_X_y`
        As above.

    Raises
    ------
    ValueError
        If a parameter is out of its range, the traces are too short for so many facies, or so
        many faults leave no room for them.

    Notes
    -----
    Beds are laid out in a stratigraphic coordinate of each unit, which follows its top, its base
    or fans out between them; the impedance found there is differentiated and convolved with a
    Ricker wavelet. A normal fault cuts section out of a trace and never repeats it, which is why
    depth order holds on traces that cross a fault. Every facies occurs in the cube, unless the
    traces that have it are dead, and on nearly every inline. Undulations are sums of random
    plane waves (Shinozuka and Jan, 1972) and have no grid. Inlines are made a few at a time: the
    working memory is that of some tens of inlines.

    References
    ----------
    Shinozuka, M. and Jan, C.-M., 1972, Digital simulation of random processes and its
    applications: Journal of Sound and Vibration, 25, 111-128.

    Examples
    --------
    >>> from skfacies.datasets import make_facies_cube
    >>> cube = make_facies_cube((20, 30, 64), n_facies=4, random_state=0)
    >>> cube.data.shape, cube.data.dtype, cube.target.dtype
    ((20, 30, 64), dtype('float32'), dtype('int8'))
    >>> cube.target_names
    ['parallel', 'chaotic', 'clinoform', 'transparent']
    >>> print(cube.target[10, ::3, ::6].T)  # an inline section, down the page
    [[0 0 0 0 0 0 0 0 0 0]
     [0 0 0 0 0 0 0 0 0 0]
     [1 1 1 1 1 1 1 0 0 0]
     [1 1 1 1 1 1 1 1 1 1]
     [1 1 1 1 1 1 1 1 1 1]
     [1 1 1 2 2 1 1 1 1 1]
     [2 2 2 2 2 2 2 2 2 1]
     [2 2 2 2 3 2 3 2 2 2]
     [3 3 3 3 3 3 3 3 3 2]
     [3 3 3 3 3 3 3 3 3 3]
     [3 3 3 3 3 3 3 3 3 3]]
    >>> print(cube.horizons[0, 10, ::3].round(1))  # the top of the chaotic unit on this inline
    [11.5 11.2 10.6 10.1 10.4 10.5 11.1 12.2 15.8 17.4]
    """
    shape = _check_shape(shape)
    _check_cube_params(shape, n_facies, n_faults, fold, noise, dead_traces)
    period = _check_wavelet(sample_interval, peak_frequency)
    dtype = _check_floating(dtype)
    # One draw from scikit-learn's kind of generator seeds NumPy's faster one.
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1, size=4))

    contacts, faults, horizons = _synthetic.draw_geometry(shape, n_facies, n_faults, fold, rng)
    units = _synthetic.draw_units(contacts, shape, period, rng)
    dead = _synthetic.draw_dead_traces(shape[:2], dead_traces, rng)

    data = np.empty(shape, dtype)
    target = np.empty(shape, np.int8)
    for inlines in _synthetic.slabs(shape):
        data[inlines] = _synthetic.make_signal(inlines, shape, contacts, faults, units, period)
        target[inlines] = _synthetic.labels_between(horizons[:, inlines], shape[2])
    _synthetic.finish_amplitudes(data, dead, noise, period, rng)
    horizons[:, dead] = np.nan
    target[dead] = -1

    if return_X_y:
        return data, target
    names = [unit.name for unit in units]
    return Bunch(
        data=data,
        target=target,
        target_names=names,
        horizons=horizons,
        dead_traces=dead,
        DESCR=_describe_cube(shape, names, n_faults, dead, sample_interval, peak_frequency),
    )


# --- parameters ------------------------------------------------------------------------------


def _check_shape(shape):
    try:
        sizes = tuple(shape)
    except TypeError:
        sizes = ()
    if len(sizes) != 3 or not all(isinstance(n, Integral) and n >= 1 for n in sizes):
        raise ValueError(
            "`shape` must be three positive integers, (n_inlines, n_crosslines, n_samples); "
            f"got {shape!r}."
        )
    return tuple(int(n) for n in sizes)


def _check_cube_params(shape, n_facies, n_faults, fold, noise, dead_traces):
    _check_number("n_facies", n_facies, Integral, 2, 127)
    _check_number("n_faults", n_faults, Integral, 0)
    _check_number("fold", fold, Real, 0, 0.25)
    _check_number("noise", noise, Real, 0)
    _check_number("dead_traces", dead_traces, Real, 0, 1)
    if dead_traces == 1:
        raise ValueError(
            "`dead_traces` is the fraction of traces without data and must be below 1; got "
            f"{dead_traces!r}, which leaves no trace."
        )
    if shape[2] < 4 * n_facies:
        raise ValueError(
            f"`shape` must have at least four samples for each facies, {4 * n_facies} for "
            f"n_facies={n_facies}; got n_samples={shape[2]}. Make the traces longer or ask for "
            "fewer facies."
        )


def _check_number(name, value, kind, low, high=None):
    a_number = "an integer" if kind is Integral else "a number"
    if not isinstance(value, kind) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"`{name}` must be {a_number}; got {value!r}.")
    # Written so that NaN is refused as well.
    if not (low <= value and (high is None or value <= high) and np.isfinite(value)):
        allowed = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"`{name}` must be {a_number} {allowed}; got {value!r}.")


def _check_wavelet(sample_interval, peak_frequency):
    """Return the period of the wavelet in samples."""
    for name, value in (("sample_interval", sample_interval), ("peak_frequency", peak_frequency)):
        _check_number(name, value, Real, 0)
        if value == 0:
            raise ValueError(f"`{name}` must be above 0; got {value!r}.")
    nyquist = 500.0 / sample_interval
    if peak_frequency >= nyquist:
        raise ValueError(
            f"`peak_frequency` must be below the Nyquist frequency, {nyquist:g} Hz for a "
            f"sample_interval of {sample_interval:g} ms; got {peak_frequency!r}."
        )
    return 1000.0 / (sample_interval * peak_frequency)


def _check_floating(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise ValueError(f"`dtype` must be a floating type such as numpy.float32; got {dtype}.")
    return dtype


def _describe_cube(shape, names, n_faults, dead, sample_interval, peak_frequency):
    n_inlines, n_crosslines, n_samples = shape
    units = ", ".join(f"{k} {name}" for k, name in enumerate(names))
    return (
        f"Synthetic seismic cube of {n_inlines} inlines, {n_crosslines} crosslines and "
        f"{n_samples} samples of {sample_interval:g} ms, with {n_faults} faults and "
        f"{np.count_nonzero(dead)} dead traces; Ricker wavelet of {peak_frequency:g} Hz. "
        f"Units from top to bottom: {units}."
    )


# --- sections in a file ----------------------------------------------------------------------


def load_sections(path, *, names=None):
    """Load interpreted sections from an ``.npz`` file.

    Interpreters label sections, not cubes, and sections of a survey differ in length; this reads
    them in the form that `FaciesSegmenter.fit` takes, lists of arrays.

    Parameters
    ----------
    path : str or path-like
        A NumPy ``.npz`` file with two arrays for each section, ``seismic_<name>`` and
        ``label_<name>``, both of shape (n_traces, n_samples). Other arrays are left alone.
    names : str or sequence of str, default=None
        Sections to load, in this order. By default all of them, inlines and crosslines sorted by
        name, with numbers in numerical order.

    Returns
    -------
    sections : sklearn.utils.Bunch
        Its attributes are

        data : list of n_sections ndarrays of shape (n_traces, n_samples)
            Amplitudes, as stored; the vertical axis is last and points down.
        target : list of n_sections ndarrays of shape (n_traces, n_samples)
            Labels, integers or strings. By the convention of the package -1 marks samples
            without interpretation.
        names : list of n_sections str
            Names of the sections.
        filename : str
            Where they come from.
        DESCR : str
            What was read, in words.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a readable ``.npz``, its arrays are not pairs of equal, 2-D shape, or it
        lacks a section asked for in `names`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skfacies.datasets import load_sections, make_facies_cube
    >>> amplitudes, labels = make_facies_cube((4, 20, 32), 3, random_state=0, return_X_y=True)
    >>> arrays = {f"seismic_inline_{i}": amplitudes[i] for i in (0, 2)}
    >>> arrays |= {f"label_inline_{i}": labels[i] for i in (0, 2)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "sections.npz"), **arrays)
    ...     sections = load_sections(Path(folder, "sections.npz"))
    >>> for name, section in zip(sections.names, sections.data):
    ...     print(name, section.shape)
    inline_0 (20, 32)
    inline_2 (20, 32)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"No file {str(path)!r}; expected a NumPy .npz file with arrays `seismic_<name>` and "
            "`label_<name>` of shape (n_traces, n_samples)."
        )
    # Opened here: NumPy leaves its own handle open when the file turns out not to be an archive.
    with open(path, "rb") as file:
        archive = _open_archive(file, path)
        names = _choose_sections(names, _paired_names(archive, path), path)
        pairs = [_read_pair(archive, name, path) for name in names]
    data = [amplitudes for amplitudes, _ in pairs]
    return Bunch(
        data=data,
        target=[labels for _, labels in pairs],
        names=names,
        filename=str(path),
        DESCR=_describe_sections(names, data, path),
    )


def _open_archive(file, path):
    try:
        archive = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{str(path)!r} cannot be read as an .npz file: {error}") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError(
            f"{str(path)!r} holds a single array, not the named arrays of an .npz file; write it "
            "with numpy.savez(path, seismic_<name>=..., label_<name>=...)."
        )
    return archive


def _paired_names(archive, path):
    seismic = {key.removeprefix("seismic_") for key in archive if key.startswith("seismic_")}
    labeled = {key.removeprefix("label_") for key in archive if key.startswith("label_")}
    if not seismic:
        raise ValueError(
            f"{str(path)!r} has no `seismic_<name>` arrays; it has {_listed(archive)}."
        )
    if seismic - labeled:
        raise ValueError(
            f"{str(path)!r} has no `label_<name>` array for {_listed(seismic - labeled)}; "
            "every section must have labels of its own shape, -1 where not interpreted."
        )
    if labeled - seismic:
        raise ValueError(
            f"{str(path)!r} has labels but no `seismic_<name>` array for "
            f"{_listed(labeled - seismic)}."
        )
    return sorted(seismic, key=_natural_key)


def _choose_sections(names, available, path):
    if names is None:
        return available
    names = [names] if isinstance(names, str) else list(names)
    absent = [name for name in names if name not in available]
    if absent:
        raise ValueError(
            f"`names` asks for {_listed(absent)}, which {str(path)!r} does not have; it has "
            f"{_listed(available)}."
        )
    return names


def _read_pair(archive, name, path):
    amplitudes = _read_array(archive, f"seismic_{name}", path)
    labels = _read_array(archive, f"label_{name}", path)
    if amplitudes.dtype.kind not in "fiu":
        raise ValueError(f"`seismic_{name}` must hold real numbers; got dtype {amplitudes.dtype}.")
    if labels.dtype.kind not in "iuU":
        raise ValueError(f"`label_{name}` must hold integers or strings; got dtype {labels.dtype}.")
    if amplitudes.ndim != 2:
        raise ValueError(
            f"`seismic_{name}` must be a section of shape (n_traces, n_samples); got an array of "
            f"shape {amplitudes.shape}."
        )
    if labels.shape != amplitudes.shape:
        raise ValueError(
            f"`label_{name}` must have the shape of `seismic_{name}`, {amplitudes.shape}; got "
            f"{labels.shape}."
        )
    return amplitudes, labels


def _read_array(archive, key, path):
    try:
        return archive[key]
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"`{key}` in {str(path)!r} cannot be read: {error}") from error


def _natural_key(name):
    """Sort key with which inline_99 comes before inline_100."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _listed(names):
    return ", ".join(repr(name) for name in sorted(names, key=_natural_key)) or "no arrays"


def _describe_sections(names, data, path):
    traces = sum(len(section) for section in data)
    return f"{len(names)} interpreted sections, {traces} traces in all, from {path.name}."
