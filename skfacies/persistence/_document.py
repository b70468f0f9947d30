"""Conversion between fitted estimators and JSON values with arrays: the contents of model files.

Names in a document are looked up in tables: nothing else is imported, called or built.
"""

import math
import re
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skfacies.persistence._states import (
    _FITTED,
    check_params,
    check_state,
    name_of_optimizer,
    optimizer_of,
)

__all__ = ["JOBLIB", "Reader", "Writer"]

#: Bytes that the values of one array in a document may take: as many as a whole document.
_MAX_ARRAY = 8 << 20

# Parts of scikit-learn's configuration, and attributes that the document stores elsewhere.
_NOT_KEPT = {
    *("_metadata_request", "_sklearn_output_config", "_sklearn_version"),
    *("label_names_", "reading_", "volume_names_"),
}


_SPARE_BYTES = 512 << 20

JOBLIB = "joblib.dump(model, path) saves any model; load such a file only if you trust its origin."


def _classes():
    from skfacies._cubes.to_sections import CubeToSections
    from skfacies._estimators.cube_segmenter import CubeSegmenter
    from skfacies._estimators.segmenter import FaciesSegmenter
    from skfacies._sections.scaler import AmplitudeScaler
    from skfacies._stratigraphy.contacts import KrigedContacts

    classes = (AmplitudeScaler, CubeToSections, CubeSegmenter, FaciesSegmenter, KrigedContacts)
    classes += (Pipeline,)
    return {cls.__name__: cls for cls in classes}


class Writer:
    """Converts estimators to JSON values; arrays are collected by their attribute paths."""

    def __init__(self, *, training_traces=True):
        self.tensors, self.training_traces = {}, training_traces

    def encode_estimator(self, estimator, where, *, fitted):
        name = type(estimator).__name__
        if _classes().get(name) is not type(estimator):
            raise TypeError(_unknown_value_message(estimator, where))
        if fitted:
            check_is_fitted(estimator)
        params = estimator.get_params(deep=False)
        state = estimator.__getstate__() if fitted else {}
        state = {k: v for k, v in state.items() if k not in params and k not in _NOT_KEPT}
        if not self.training_traces and state.get("training_profile_"):
            state["training_profile_"] = _without_traces(state["training_profile_"])
        fitted_params = fitted and name == "Pipeline"  # its steps are fitted in place
        document = {
            "class": name,
            "params": self._encode_items(params, where, fitted=fitted_params),
            "fitted": None,
        }
        try:
            check_params(estimator)
            if fitted:
                check_state(estimator, state)
        except (TypeError, ValueError) as error:
            raise TypeError(f"`{where}` cannot be saved: {error} {JOBLIB}") from error
        if fitted:
            weights = state.pop("_weights", None)
            document["fitted"] = self._encode_items(state, where, fitted=True)
            if weights is not None:
                prefix = f"{where}.net_.module_."
                self.tensors |= {prefix + k: np.asarray(v, order="C") for k, v in weights.items()}
                document["fitted"]["_weights"] = {"$weights": prefix}
        return document

    def _encode_items(self, items, where, **options):
        return {key: self.encode(v, f"{where}.{key}", **options) for key, v in items.items()}

    def encode(self, value, where, *, fitted=False):
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if kind in (list, tuple):
            parts = [self.encode(v, f"{where}[{i}]", fitted=fitted) for i, v in enumerate(value)]
            return parts if kind is list else {"$tuple": parts}
        if kind is dict:
            pairs = [
                [self.encode(k, f"{where} keys"), self.encode(v, f"{where}[{k!r}]", fitted=fitted)]
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
        if kind is type and (name := name_of_optimizer(value)):
            return {"$optimizer": name}
        if kind.__module__ == "torch" and kind.__name__ == "Tensor":
            return {"$torch": self._encode_array(value.detach().cpu().numpy(), where)}
        if hasattr(value, "get_params") and kind is not type:
            return {"$estimator": self.encode_estimator(value, where, fitted=fitted)}
        raise TypeError(_unknown_value_message(value, where))

    def _encode_array(self, array, where):
        if array.dtype == object or array.dtype.kind in "US" or _is_short(array):
            values = array.astype(str) if array.dtype.kind == "S" else array
            values = self.encode(values.tolist(), where)
            dtype = "object" if array.dtype == object else array.dtype.str
            return {"$array": {"dtype": dtype, "values": values}}
        if not _holdable(array.dtype):
            raise TypeError(_unknown_value_message(array, where))
        self.tensors[where] = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
        return {"$array": {"dtype": array.dtype.str, "tensor": where}}


class Reader:
    """Converts JSON values back to estimators; removes their arrays from `tensors`."""

    def __init__(self, tensors, device=None):
        self.tensors = tensors
        self.device = device

    def decode_estimator(self, document):
        name, params, state = document["class"], document["params"], document["fitted"]
        if name not in _FITTED:
            raise ValueError(f"it holds a {name!r}; a file may hold {sorted(_FITTED)}")
        cls = _classes()[name]
        unknown = sorted(set(params) - set(cls._get_param_names()))
        if unknown:
            raise ValueError(f"{name} has no parameters {unknown} in this version")
        estimator = cls(**{key: self.decode(value) for key, value in params.items()})
        check_params(estimator)
        if state is None:
            return estimator
        state = {key: self.decode(value) for key, value in state.items()}
        check_state(estimator, state)
        if name == "FaciesSegmenter":
            state["device_"] = self.device or state["device_"]
            _build_network(estimator, state)
        else:
            vars(estimator).update(state)
        return estimator

    def decode(self, value):
        if isinstance(value, list):
            return [self.decode(part) for part in value]
        if not isinstance(value, dict):
            return value
        if not any(key.startswith("$") for key in value):
            return {key: self.decode(part) for key, part in value.items()}
        ((tag, content),) = value.items()
        forms = {
            "$array": self._decode_array,
            "$dict": lambda pairs: {self.decode(k): self.decode(v) for k, v in pairs},
            "$estimator": self.decode_estimator,
            "$float": lambda text: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text],
            "$optimizer": optimizer_of,
            "$path": lambda text: Path(text),
            "$scalar": lambda scalar: _dtype(scalar["dtype"]).type(self.decode(scalar["value"])[0]),
            "$torch": self._decode_torch,
            "$tuple": lambda parts: tuple(self.decode(part) for part in parts),
            "$weights": self._decode_weights,
        }
        if tag not in forms:
            raise ValueError(f"it has a value of the unknown form {tag!r}")
        return forms[tag](content)

    def _decode_array(self, content):
        if "tensor" in content:
            array = self._take(content["tensor"])
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

    def _decode_weights(self, prefix):
        names = [name for name in self.tensors if name.startswith(prefix)]
        return {name[len(prefix) :]: self._take(name) for name in names}

    def _take(self, name):
        if name not in self.tensors:
            raise ValueError(f"the tensor {name} is missing")
        return self.tensors.pop(name)


def _unknown_value_message(value, where):
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    owner, name = re.match(r"(.*?)\.?(\w*)(?:\[\d+\])*$", where).groups()
    if name in ("callbacks", "random_state"):
        return (
            f"`{where}` is a {kind}, which a file of plain values cannot hold. It matters only for "
            f"training: {owner}.set_params({name}=None) does not change predictions. "
            f"Alternatively, {JOBLIB}"
        )
    return f"`{where}` is a {kind}, neither a plain value nor one of {sorted(_FITTED)}. {JOBLIB}"


def _without_traces(profile):
    """A profile of the training amplitudes without training traces."""
    nothing = {"traces": np.empty((0, 0), np.float32), "trace_numbers": np.empty((0, 2))}
    return {**profile, **nothing}


def _holdable(dtype):
    return dtype.kind in "SU" or (dtype.kind in "biuf" and dtype.itemsize <= 8)


def _is_short(array):
    """Whether an array is written as text: labels and lines, which people may want to read."""
    short = array.ndim == 1 and array.size <= 256 and array.dtype.kind in "biuf"
    return short and _holdable(array.dtype) and bool(np.isfinite(array).all())


def _dtype(text):
    if not isinstance(text, str) or not re.fullmatch(r"[<>|=]?[biufSU]\d{1,7}", text):
        raise ValueError(f"it has an array of the unsupported type {text!r}")
    return np.dtype(text)


# --- networks -------------------------------------------------------------------------------------


def _build_network(segmenter, state):
    """Give a segmenter its fitted state, using no more memory than its weights justify."""
    weights = state["_weights"]
    n_bytes = sum(array.nbytes for array in weights.values())
    with _limited_memory(10 * n_bytes + _SPARE_BYTES):
        segmenter.__setstate__(state)
    for name, value in segmenter.net_.module_.state_dict().items():
        array = weights[name]
        kind = str(value.dtype).removeprefix("torch.")
        if (kind, tuple(value.shape)) != (array.dtype.name, array.shape):
            raise ValueError(
                f"the weights {name} are {array.dtype.name} of shape {array.shape}; the network "
                f"expects {kind} of shape {tuple(value.shape)}"
            )


def _limited_memory(n_bytes):
    """Context that limits the bytes of new torch tensors, counted before they are allocated."""
    import torch
    from torch.overrides import TorchFunctionMode

    makers = {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn}

    class Limit(TorchFunctionMode):
        left = n_bytes

        def __torch_function__(self, function, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            if function in makers:
                size = kwargs.get("size", args)
                size = size[0] if size and isinstance(size[0], (list, tuple)) else size
                self.left -= 4 * math.prod(size)
                if self.left < 0:
                    raise ValueError("the network needs more memory than its weights justify")
            return function(*args, **kwargs)

    return Limit()
