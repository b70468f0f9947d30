"""Plain values and arrays in files that hold nothing executable.

A file is in the safetensors format. One entry of its metadata is a JSON document; the tensor
``crc32`` is a checksum of the document and of all other tensors. docs/persistence.rst has the
details.
"""

import functools
import importlib.metadata
import json
import math
import os
import re
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from skfacies._version import __version__

__all__ = [
    "Reader",
    "Writer",
    "checksum",
    "read_document",
    "read_tensors",
    "shorten",
    "versions",
    "write_document",
]

#: What files are, by the keys of their documents.
KINDS = {"skfacies": "a model", "skfacies checkpoint": "the checkpoint of a training"}

#: Bytes of a header: 30 000 epochs of history. Parsed JSON takes about 20 times as much memory.
MAX_HEADER = 8 << 20

#: Bytes that the values of one array in a document may take: as many as a whole document.
_MAX_ARRAY = 8 << 20

_PACKAGES = ("numpy", "scikit-learn", "segmentation-models-pytorch", "skorch", "timm", "torch")


def versions():
    """Versions of skfacies and of the packages that files depend on, by name."""
    return dict(_find_versions())


@functools.cache  # it reads a file of each package
def _find_versions():
    found = {"skfacies": __version__}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


# --- files ----------------------------------------------------------------------------------------


def write_document(path, key, document, tensors):
    """Write a file with a document of JSON values under `key`, and with arrays.

    Raises
    ------
    ValueError
        If the document is longer than a file can hold; there is a file nevertheless.
    """
    from safetensors.numpy import save

    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    # Written by Python, a full disk is an OSError, and the file has the usual permissions.
    Path(path).write_bytes(save({**tensors, "crc32": checksum(text, tensors)}, {key: text}))
    with open(path, "rb") as file:
        if int.from_bytes(file.read(8), "little") > MAX_HEADER:
            raise ValueError(
                f"the parameters and the history of the model are {len(text)} bytes of text; a "
                f"file can hold {MAX_HEADER}."
            )


def read_document(path, key):
    """Read the document of a file as JSON values; no more than the file size allows."""
    return json.loads(_read_text(path, key), parse_constant=_refuse_constant)


def read_tensors(path, key):
    """Read the arrays of a file by name; a ValueError if the checksum does not match."""
    from safetensors import safe_open

    text = _read_text(path, key)
    with safe_open(path, framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if not np.array_equal(arrays.pop("crc32", None), checksum(text, arrays)):
        raise ValueError("its checksum does not match: some of its bytes have changed")
    return arrays


def _read_text(path, key):
    from safetensors import safe_open

    size = os.stat(path).st_size
    with open(path, "rb") as file:
        start = file.read(8)
    n_header = int.from_bytes(start, "little")
    if len(start) < 8 or n_header > size - 8 or n_header > MAX_HEADER:
        raise ValueError("it does not begin like a safetensors file, or is truncated")
    with safe_open(path, framework="np") as file:
        metadata = file.metadata() or {}
    if key not in metadata:
        other = [kind for name, kind in KINDS.items() if name in metadata]
        reason = f"it is {other[0]}" if other else "it has tensors, but no skfacies document"
        raise ValueError(reason)
    return metadata[key]


def _refuse_constant(name):
    raise ValueError(f"its document has {name}, which is not valid JSON")


def checksum(text, tensors):
    """CRC-32 of a document and of arrays, as an array of one number."""
    value = zlib.crc32(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        value = zlib.crc32(f"{name} {array.dtype.name} {array.shape}".encode(), value)
        value = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8), value)
    return np.array([value], dtype=np.uint32)


def shorten(error):
    """Message of an error, for a sentence about a file."""
    message = str(error) if isinstance(error, (ValueError, RuntimeError)) else repr(error)
    return " ".join(message.split())[:400].rstrip(".")


# --- values ---------------------------------------------------------------------------------------


class Writer:
    """Converts plain values to JSON values; arrays are collected by their attribute paths.

    Parameters
    ----------
    longest_text : int, default=256
        Arrays of one axis and no more values are written as text, which people may want to read:
        labels and lines.
    """

    def __init__(self, longest_text=256):
        self.tensors = {}
        self.longest_text = longest_text

    def encode(self, value, where, **options):
        """JSON value of `value`; `where` is its attribute path, and options are for others."""
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if kind in (list, tuple):
            parts = [self.encode(v, f"{where}[{i}]", **options) for i, v in enumerate(value)]
            return parts if kind is list else {"$tuple": parts}
        if kind is dict:
            pairs = [
                [self.encode(k, f"{where} keys"), self.encode(v, f"{where}[{k!r}]", **options)]
                for k, v in value.items()
            ]
            plain = all(type(k) is str and not k.startswith("$") for k in value)
            return dict(pairs) if plain else {"$dict": pairs}
        if kind is np.ndarray:
            return self._encode_array(value, where)
        if isinstance(value, np.generic) and _holdable(value.dtype):
            value = np.array([value])
            return {"$scalar": {"dtype": value.dtype.str, "value": self.encode(value.tolist(), "")}}
        if isinstance(value, Path):
            return {"$path": str(value)}
        if kind.__module__ == "torch" and kind.__name__ == "Tensor":
            return {"$torch": self._encode_array(value.detach().cpu().numpy(), where)}
        return self.encode_other(value, where, **options)

    def encode_other(self, value, where, **options):
        """JSON value of what is no plain value, or a TypeError."""
        raise TypeError(f"`{where}` is a {type(value).__qualname__}, which is not a plain value.")

    def _encode_array(self, array, where):
        if array.dtype == object or array.dtype.kind in "US" or self._is_short(array):
            values = array.astype(str) if array.dtype.kind == "S" else array
            values = self.encode(values.tolist(), where)
            dtype = "object" if array.dtype == object else array.dtype.str
            return {"$array": {"dtype": dtype, "values": values}}
        if not _holdable(array.dtype):
            return self.encode_other(array, where)
        self.tensors[where] = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
        return {"$array": {"dtype": array.dtype.str, "tensor": where}}

    def _is_short(self, array):
        short = array.ndim == 1 and array.size <= self.longest_text and array.dtype.kind in "biuf"
        return short and _holdable(array.dtype) and bool(np.isfinite(array).all())


class Reader:
    """Converts JSON values back; removes their arrays from `tensors`."""

    def __init__(self, tensors):
        self.tensors = tensors

    def decode(self, value):
        """Return the value of a JSON value."""
        if isinstance(value, list):
            return [self.decode(part) for part in value]
        if not isinstance(value, dict):
            return value
        if not any(key.startswith("$") for key in value):
            return {key: self.decode(part) for key, part in value.items()}
        ((tag, content),) = value.items()
        forms = self.forms()
        if tag not in forms:
            raise ValueError(f"it has a value of the unknown form {tag!r}")
        return forms[tag](content)

    def forms(self):
        """Functions that decode the forms of values that JSON lacks, by their names."""
        return {
            "$array": self._decode_array,
            "$dict": lambda pairs: {self.decode(k): self.decode(v) for k, v in pairs},
            "$float": lambda text: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text],
            "$path": lambda text: Path(text),
            "$scalar": lambda scalar: _dtype(scalar["dtype"]).type(self.decode(scalar["value"])[0]),
            "$torch": self._decode_torch,
            "$tuple": lambda parts: tuple(self.decode(part) for part in parts),
        }

    def _decode_array(self, content):
        if "tensor" in content:
            array = self.take(content["tensor"])
            dtype = _dtype(content["dtype"])
            if dtype.newbyteorder("<") != array.dtype.newbyteorder("<"):
                raise ValueError(f"{content['tensor']} has dtype {array.dtype}, not {dtype}")
            return array.astype(dtype)
        dtype = np.dtype(object) if content["dtype"] == "object" else _dtype(content["dtype"])
        values = self.decode(content["values"])
        if len(values) * dtype.itemsize > _MAX_ARRAY:
            raise ValueError(f"{len(values)} values of {dtype} are more than a file can have")
        if dtype.kind == "S":
            values = [value.encode() for value in values]
        array = np.array(values, dtype=dtype)
        if array.ndim != 1:
            raise ValueError(f"a list of values has {array.ndim} axes")
        return array

    def _decode_torch(self, content):
        import torch

        return torch.from_numpy(self.decode(content))

    def take(self, name):
        """Take an array by the name of its tensor."""
        if name not in self.tensors:
            raise ValueError(f"the tensor {name} is missing")
        return self.tensors.pop(name)


def _holdable(dtype):
    return dtype.kind in "SU" or (dtype.kind in "biuf" and dtype.itemsize <= 8)


def _dtype(text):
    if not isinstance(text, str) or not re.fullmatch(r"[<>|=]?[biufSU]\d{1,7}", text):
        raise ValueError(f"it has an array of the unsupported type {text!r}")
    return np.dtype(text)
