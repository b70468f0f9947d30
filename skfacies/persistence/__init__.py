"""Models in files that hold only numbers and text: safetensors and JSON, nothing executable.

A file is in the safetensors format. Its metadata hold a JSON document under ``"skfacies"``; the
tensor ``crc32`` is a checksum of the document and of all other tensors. docs/persistence.rst has
the details.
"""

import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from skfacies._documents import read_document, read_tensors, shorten, versions, write_document
from skfacies._files import check_place, whole_file
from skfacies._version import __version__
from skfacies.persistence._card import model_card
from skfacies.persistence._document import JOBLIB, Reader, Writer
from skfacies.persistence._onnx import export_onnx

__all__ = ["export_onnx", "load_model", "model_card", "save_model"]

FORMAT_VERSION = 1

#: The document's key in the metadata of a file.
_KEY = "skfacies"


def save_model(model, path, *, label_names=None, training_traces=True):
    """Write a fitted model to one file of weights and text that is safe to load.

    Unlike pickle and joblib files, these files execute nothing when they are loaded, so you can
    load models from anyone. The loaded model has the same parameters and makes bitwise identical
    predictions. The file is written beside its target, read back, and then renamed: a run that is
    killed leaves the old file, or none.

    Parameters
    ----------
    model : FaciesSegmenter, CubeSegmenter, AmplitudeScaler, CubeToSections or Pipeline of these
        Fitted. Segmenters may be nested, such as ``CubeSegmenter(make_pipeline(...))``.
    path : str or path
        File to write, such as "facies.safetensors". An existing file is replaced.
    label_names : list of str in the order of ``classes_``, dict {label: str}, or None, default=None
        Names of the facies. None keeps the ``label_names_`` of a model that was loaded.
    training_traces : bool, default=True
        Whether the file has the training traces of ``training_profile_``, at most 48. Without them,
        `skfacies.qc.check_survey` can tell polarity and phase from the model only. Predictions do
        not change.

    Raises
    ------
    NotFittedError
        If the model, or a step of its Pipeline, is not fitted.
    TypeError
        If a part of the model is neither a plain value nor of a class of this package, such as
        your own scaler or callbacks. In that case, nothing is written.
    OSError
        If the file cannot be written.

    See Also
    --------
    load_model : Reads the file.

    Notes
    -----
    Parameters that are estimators, such as the `estimator` of CubeSegmenter, are saved unfitted,
    as by `clone`. Metadata requests (``set_fit_request``) and AdamW's moments are not saved. The
    attribute ``reading_`` of a model is saved if it has one: a dict of options of
    `skfacies.io.open_cube`, such as ``{"inline_byte": 9}``, with which ``skfacies predict`` and
    ``skfacies score`` open cubes.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skfacies import FaciesSegmenter
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.persistence import load_model, save_model
    >>> survey = make_facies_cube((8, 32, 32), n_facies=2, random_state=0)
    >>> segmenter = FaciesSegmenter(
    ...     encoder_weights=None, encoder_depth=3, decoder_channels=(16, 8, 8), max_epochs=1,
    ...     random_state=0).fit(survey.data, survey.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "facies.safetensors")
    ...     save_model(segmenter, path, label_names=["shale", "sand"])
    ...     loaded = load_model(path)
    >>> loaded.label_names_
    {0: 'shale', 1: 'sand'}
    >>> bool((loaded.predict(survey.data) == segmenter.predict(survey.data)).all())
    True
    """
    target = Path(os.path.realpath(os.fspath(path)))
    check_place(target, "path")
    writer = Writer(training_traces=training_traces)
    document = {"format_version": FORMAT_VERSION, "versions": versions()}
    document["model"] = writer.encode_estimator(model, "model", fitted=True)
    summary = {**_summarize(model), "label_names": _check_label_names(label_names, model)}
    if not training_traces and "training_traces" in summary:
        summary["training_traces"] = 0
    summary["reading"] = _check_reading(getattr(model, "reading_", None))
    document["summary"] = writer.encode(summary, "summary")
    _write(target, document, writer.tensors)


def load_model(path, *, device=None):
    """Read a model that `save_model` wrote, without executing anything in the file.

    Parameters
    ----------
    path : str or path
        File written by `save_model`.
    device : str or None, default=None
        Device for the network: "auto" is the first available of CUDA, MPS and the CPU; or name a
        torch device. None is the training device, or the CPU, with a warning, if that device is not
        available.

    Returns
    -------
    model : FaciesSegmenter, CubeSegmenter, AmplitudeScaler, CubeToSections or Pipeline
        Fitted model. If the file has names of the facies, ``label_names_`` is a dict
        {label: name}; if it has the options that opened the training cube, ``reading_`` is a dict
        of them.

    Raises
    ------
    ValueError
        If the file is damaged, is not a model of this package, or has a newer format.
    OSError
        If the file does not exist or cannot be read.

    See Also
    --------
    save_model : Writes the file.

    Notes
    -----
    No network connection is used. Sizes are checked against the file size before any memory is
    allocated. Further training starts with fresh optimizer moments, as it does from a pickle.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from skfacies import AmplitudeScaler
    >>> from skfacies.persistence import load_model, save_model
    >>> sections = np.random.default_rng(0).normal(size=(4, 50, 60))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(AmplitudeScaler(clip=3.0).fit(sections), Path(folder, "scaler.safetensors"))
    ...     scaler = load_model(Path(folder, "scaler.safetensors"))
    >>> scaler, round(scaler.scale_, 1)
    (AmplitudeScaler(clip=3.0), 1.0)
    """
    if device is not None:
        from skfacies._nn.hardware import choose_device

        device = choose_device(device)
    return _load(path, device)


def read_card(path):
    """Document of a file as a dict, for the command line.

    This takes a millisecond, because the network is not built and the checksum is not verified.

    Returns
    -------
    card : dict
        "format_version", "versions", "summary" with plain values and arrays, "model" as stored in
        the file, and "file_size" in bytes.
    """
    card = _read(path, tensors=False)[0]
    with _reporting(path):
        return {
            **card,
            "summary": Reader({}).decode(card["summary"]),
            "file_size": os.stat(path).st_size,
        }


def _load(path, device):
    document, tensors = _read(path)
    reader = Reader(tensors, device)
    with _reporting(path, document["versions"]):
        model = reader.decode_estimator(document["model"])
        if tensors:
            raise ValueError(f"it has tensors that nothing uses: {sorted(tensors)[:5]}")
        summary = reader.decode(document["summary"])
        names, reading = summary.get("label_names"), _check_reading(summary.get("reading"))
        if names is not None:
            names = _check_label_names(names, model)
            model.label_names_ = dict(zip(model.classes_.tolist(), names, strict=True))
        if reading is not None:
            model.reading_ = reading
        volumes = _check_volume_names(summary.get("volume_names"))
        if volumes is not None or hasattr(model, "n_volumes_"):
            model.volume_names_ = volumes
    return model


# --- files ----------------------------------------------------------------------------------------


def _write(target, document, tensors):
    """Write beside the target, read back, rename: an old file stays until the new one is valid."""
    with whole_file(target) as part:
        try:
            write_document(part, _KEY, document, tensors)
        except ValueError as error:
            raise ValueError(f"{error} {JOBLIB}") from error
        try:
            _load(part, "cpu")
        except ValueError as error:
            raise ValueError(
                "the model cannot be saved, because it would not load: "
                f"{shorten(error.__cause__)}. {JOBLIB}"
            ) from error


def _read(path, *, tensors=True):
    """Document and tensors of a file; never reads more than the file size allows."""
    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"`path` {path} does not exist. Give a file that save_model, or skfacies fit, wrote."
        )
    arrays = {}
    with _reporting(path):
        document = read_document(path, _KEY)
        version = document["format_version"]
        if tensors and version == FORMAT_VERSION:
            arrays = read_tensors(path, _KEY)
        if type(version) is not int or version < 1:
            raise ValueError(f"its format_version is {version!r}")
        found = document["versions"]
        if not all(isinstance(v, str) for v in [*found, *found.values()]):
            raise ValueError("its versions are not text")
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path} has version {version} of the format, written by skfacies "
            f"{found.get('skfacies')}; skfacies {__version__} reads version {FORMAT_VERSION}. "
            "Install a newer skfacies."
        )
    return document, arrays


@contextmanager
def _reporting(path, written_with=None):
    """Turn any error from the contents of a file into a ValueError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # a file can hold anything, and each library has its own errors
        here = versions()
        differing = [
            f"{package} {version} (here {here.get(package)})"
            for package, version in (written_with or {}).items()
            if here.get(package) != version
        ]
        advice = "If it was copied, copy it again. If joblib wrote it and you trust its origin, "
        advice += "use joblib.load."
        if differing:
            advice = f"It was written with {', '.join(differing)}; install these versions."
        raise ValueError(
            f"{path} cannot be loaded as a model of skfacies: {shorten(error)}. {advice}"
        ) from error


# --- summary --------------------------------------------------------------------------------------


def _summarize(model):
    """Plain values that describe a fitted model; nothing is rebuilt from them."""
    summary, names = {}, []
    while True:
        names.append(type(model).__name__)
        if hasattr(model, "classes_"):
            summary.setdefault("classes", np.asarray(model.classes_))
        if hasattr(model, "lines_"):
            summary["direction"] = model.direction
            summary["neighbors"] = model.neighbors or None
            n_volumes = model.n_volumes_ or 1
            summary["volumes"] = n_volumes if n_volumes > 1 else None
            summary["volume_names"] = getattr(model, "volume_names_", None)
            summary["lines"] = model.lines_
        inner = getattr(model, "estimator_", None)
        if isinstance(model, Pipeline):
            inner = model.steps[-1][1]
        if inner is None or isinstance(inner, str):
            break
        model = inner
    summary["estimators"] = names
    if hasattr(model, "net_"):
        best = [row for row in model.history_ if row.get("best")] or model.history_[-1:]
        summary |= {
            "network": {k: v for k, v in model._module_options.items() if v is not None},
            "n_weights": sum(p.numel() for p in model.net_.module_.parameters()),
            "encoder_weights": model.encoder_weights_,
            "n_epochs": model.n_iter_,
            "epoch_kept": best[-1] if best else None,
            "device": model.device_,
            "training": getattr(model, "_training_summary", None),
            "report": model.training_report_,
            "validation_report": model.validation_report_,
            "contacts_at": None if model.contacts_ is None else len(model.contacts_.points_),
            "training_traces": len((model.training_profile_ or {}).get("traces", ())),
        }
    return summary


def _check_label_names(label_names, model):
    """List of names in the order of the classes, or None."""
    kept = label_names is None
    label_names = getattr(model, "label_names_", None) if kept else label_names
    if label_names is None:
        return None
    classes = np.asarray(getattr(model, "classes_", ())).tolist()
    names = label_names
    if isinstance(names, dict):
        names = [names.get(label) for label in classes] if set(names) == set(classes) else []
    strings = isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
    if not strings or len(names) != len(classes):
        origin = ", kept from the file that it was loaded from. Give new ones" if kept else ""
        raise ValueError(
            f"`label_names` must be one str for each of the classes {classes}; got "
            f"{label_names!r}{origin}."
        )
    return [str(name) for name in names]


def _check_volume_names(names):
    fine = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if names is not None and not fine:
        raise ValueError(f"the names of volumes are {names!r}.")
    return names


def _check_reading(reading):
    """Options of `open_cube` as plain values, or None if there are none."""
    if not reading:
        return None
    plain = (str, int, float, bool, type(None))
    if not isinstance(reading, dict) or not all(
        type(name) is str and name.isidentifier() and type(value) in plain
        for name, value in reading.items()
    ):
        raise ValueError(
            f"`reading_` must be a dict of open_cube options, with plain values by name; got "
            f"{reading!r}."
        )
    return reading
