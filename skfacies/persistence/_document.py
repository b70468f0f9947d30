"""Conversion between fitted estimators and JSON values with arrays: the contents of model files.

Names in a document are looked up in tables: nothing else is imported, called or built.
"""

import math
import re

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skfacies import _documents
from skfacies.persistence._states import (
    _FITTED,
    check_params,
    check_state,
    name_of_optimizer,
    optimizer_of,
)

__all__ = ["JOBLIB", "Reader", "Writer"]

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


class Writer(_documents.Writer):
    """Converts estimators to JSON values; arrays are collected by their attribute paths."""

    def __init__(self, *, training_traces=True):
        super().__init__()
        self.training_traces = training_traces

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

    def encode_other(self, value, where, *, fitted=False):
        """JSON value of an optimizer or an estimator."""
        kind = type(value)
        if kind is type and (name := name_of_optimizer(value)):
            return {"$optimizer": name}
        if hasattr(value, "get_params") and kind is not type:
            return {"$estimator": self.encode_estimator(value, where, fitted=fitted)}
        raise TypeError(_unknown_value_message(value, where))


class Reader(_documents.Reader):
    """Converts JSON values back to estimators; removes their arrays from `tensors`."""

    def __init__(self, tensors, device=None):
        super().__init__(tensors)
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

    def forms(self):
        """Functions that decode the forms of values, with those of models."""
        return {
            **super().forms(),
            "$estimator": self.decode_estimator,
            "$optimizer": optimizer_of,
            "$weights": self._decode_weights,
        }

    def _decode_weights(self, prefix):
        names = [name for name in self.tensors if name.startswith(prefix)]
        return {name[len(prefix) :]: self.take(name) for name in names}


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
