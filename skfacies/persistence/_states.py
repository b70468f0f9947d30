"""What a model file may hold: the fitted attributes and parameters of each class."""

from numbers import Integral, Real

import numpy as np
from sklearn.pipeline import Pipeline

from skfacies._sections.validation import MOST_CHANNELS
from skfacies._stratigraphy.contacts import MAX_POINTS, KrigedContacts

__all__ = []

# Fitted attributes of the classes that a file may hold, and their types. Names in a file are looked
# up only here: nothing is imported by name.
_FITTED = {
    "AmplitudeScaler": {
        "_histogram": tuple,
        "_origin": (float, np.ndarray),
        "n_samples_seen_": (Integral, np.ndarray),
        "center_": (float, np.ndarray),
        "scale_": (float, np.ndarray),
    },
    "KrigedContacts": {
        "points_": np.ndarray,
        "depths_": np.ndarray,
        "lines_": np.ndarray,
        "scales_": np.ndarray,
        "variogram_": tuple,
        "growth_": float,
        "spacing_": tuple,
        "vertical_": (tuple, type(None)),
    },
    "CubeToSections": {"cube_shape_": tuple, "n_sections_": Integral},
    "CubeSegmenter": {
        "estimator_": object,
        "classes_": np.ndarray,
        "lines_": dict,
        "sample_interval_": (float, type(None)),
    },
    "FaciesSegmenter": {
        "classes_": np.ndarray,
        "scaler_": object,
        "encoder_weights_": (str, type(None)),
        "_depth_range": (Integral, type(None)),
        "_module_options": dict,
        "device_": str,
        "precision_": str,
        "_net_options": dict,
        "_version": str,
        "history_": list,
        "n_iter_": Integral,
        "_weights": dict,
        "_amplitude_level": (tuple, type(None)),
        "_dead_rows": tuple,
        "_follows_reflectors": bool,
        "_heights": (tuple, type(None)),
        "_smoothing_helps": bool,
        "training_report_": (dict, type(None)),
        "validation_report_": (dict, type(None)),
        "training_profile_": (dict, type(None)),
        "_training_summary": dict,
        "_unit_order": (tuple, type(None)),
        "_unit_order_reason": (str, type(None)),
        "_stack": (tuple, type(None)),
        "contacts_": object,
        "sample_interval_": (float, type(None)),
    },
    "Pipeline": {},
}


_OPTIMIZERS = (
    *("ASGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax"),
    *("NAdam", "RAdam", "RMSprop", "Rprop", "SGD"),
)


_OWN_NET_OPTIONS = ("criterion__loss", "criterion__class_weight", "criterion__mean_weight", "lr")


_PLAIN_NET_OPTIONS = ("optimizer__", "criterion__label_smoothing", "callbacks__lr_plateau__")


_TIMM_OPTIONS = {"dynamic_img_size", "strict_img_size", "drop_rate", "drop_path_rate"}


# Networks of this width or less are always small. Building a network may take ten times the memory
# of its weights, and a fixed amount in addition: VGG is built with a classifier that is discarded,
# timm encoders with levels below `encoder_depth`.
_MAX_FREE_WIDTH = 1024


def optimizer_of(name):
    import torch

    if name not in _OPTIMIZERS:
        raise ValueError(f"it has the optimizer {name!r}; a file may have {list(_OPTIMIZERS)}")
    return getattr(torch.optim, name)


def name_of_optimizer(cls):
    found = [name for name in _OPTIMIZERS if cls.__name__ == name]
    return found[0] if found and optimizer_of(found[0]) is cls else None


def check_params(estimator):
    """Check parameters against the constraints of the class, and what these do not cover."""
    estimator._validate_params()
    if isinstance(estimator, Pipeline):
        if estimator.memory is not None:
            raise ValueError("`memory` of a Pipeline is a cache on this machine: set it to None.")
        for step in estimator.steps:
            name, part = step
            idle = part is None or (isinstance(part, str) and part == "passthrough")
            if not isinstance(name, str) or not (idle or type(part).__name__ in _FITTED):
                raise ValueError(f"a Pipeline has the unsupported step {step!r}.")
    elif hasattr(estimator, "net_params"):
        _check_net_options(estimator.net_params or {})


def _check_net_options(options, own=()):
    """Reject net options that could execute code, read files or use excessive memory."""
    from skfacies._nn.training import check_net_params

    options = {name: value for name, value in options.items() if name not in own}
    check_net_params(options)
    for name, value in options.items():
        if name == "optimizer":
            fine = isinstance(value, type) and name_of_optimizer(value)
        elif name.startswith("module__"):
            fine = name[8:] in _network_options() and _is_plain(value)
        else:
            fine = name.startswith(_PLAIN_NET_OPTIONS) and _is_plain(value)
        if not fine:
            raise ValueError(f"`net_params` has {name!r}: {value!r}, which a file cannot hold.")


def _network_options():
    """Names of the options of all networks. Arbitrary timm options could read any file."""
    import inspect

    import segmentation_models_pytorch as smp

    classes = [cls for cls in vars(smp).values() if inspect.isclass(cls)]
    return _TIMM_OPTIONS.union(*(inspect.signature(cls.__init__).parameters for cls in classes))


def _is_plain(value):
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    return value is None or isinstance(value, (bool, int, float, str))


def check_state(estimator, state):
    """Check that a class has exactly its fitted attributes, with the right types."""
    name = type(estimator).__name__
    required = _FITTED[name]
    missing, unknown = required.keys() - state, state.keys() - required
    if missing or unknown:
        raise ValueError(f"{name} lacks {sorted(missing)} and has the unknown {sorted(unknown)}.")
    for key, kinds in required.items():
        if not isinstance(state[key], kinds):
            raise ValueError(f"`{key}` of {name} is a {type(state[key]).__name__}.")
    checks = {
        "AmplitudeScaler": _check_scaler_state,
        "CubeToSections": _check_cutter_state,
        "KrigedContacts": _check_contacts_state,
        "CubeSegmenter": _check_cube_state,
        "FaciesSegmenter": _check_segmenter_state,
    }
    if name in checks:
        checks[name](state)


def _require(condition, message):
    if not condition:
        raise ValueError(message)


def _check_scaler_state(state):
    numbers = [state[name] for name in ("_origin", "center_", "scale_", "n_samples_seen_")]
    n = np.size(numbers[0])
    fits = all(np.shape(own) == (() if n == 1 else (n,)) for own in numbers)
    fits = fits and all(np.asarray(own).dtype.kind in "if" for own in numbers)
    _require(fits and n <= MOST_CHANNELS, "the scales of channels are damaged.")
    parts = [getattr(part, "dtype", None) for part in state["_histogram"]]
    types = [np.uint16, np.int64] * n
    _require(parts == types, f"the histogram of a scaler has the types {parts}.")
    for bins, counts in zip(state["_histogram"][::2], state["_histogram"][1::2], strict=True):
        fits = bins.shape == counts.shape == (len(bins),)
        _require(fits, "the histogram of a scaler is damaged.")


def _check_cutter_state(state):
    sizes = state["cube_shape_"]
    fine = len(sizes) == 3 and all(isinstance(n, Integral) and 0 < n < 10**8 for n in sizes)
    _require(fine, f"`cube_shape_` is {sizes!r}.")


def _check_contacts_state(state):
    arrays = [state[key] for key in ("points_", "depths_", "lines_", "scales_")]
    shapes, n_points, n_contacts = [array.shape for array in arrays], *map(np.size, arrays[2:])
    expected = [(n_points, 2), (n_points, n_contacts), (n_points,), (n_contacts,)]
    _require(shapes == expected, f"contacts have the shapes {shapes}.")
    fine = all(array.dtype.kind in "iuf" for array in arrays) and 0 < n_points <= MAX_POINTS
    fine = fine and np.isfinite(state["points_"]).all() and (state["scales_"] >= 0).all()
    _require(fine, "the points of contacts are damaged.")
    numbers = [*state["variogram_"], state["growth_"]]
    fine = all(type(n) is float and 0 < n < 100 for n in numbers) and len(numbers) == 3
    _require(fine, "the variogram of contacts is damaged.")
    spacing = state["spacing_"]
    fine = len(spacing) == 2 and all(type(n) is float and 0 < n < np.inf for n in spacing)
    _require(fine, "the spacing of lines of contacts is damaged.")
    axis = state["vertical_"]
    fine = axis is None or (len(axis) == 2 and all(type(n) is float for n in axis) and axis[1] > 0)
    _require(fine, "the vertical axis of contacts is damaged.")


def _check_cube_state(state):
    known = np.asarray(getattr(state["estimator_"], "classes_", ()))
    _require(hasattr(state["estimator_"], "predict"), "`estimator_` is not a segmenter.")
    _require(known.tolist() == state["classes_"].tolist(), "`classes_` are not the estimator's.")
    _require(
        set(state["lines_"]) <= {"inline", "crossline"}
        and all(isinstance(lines, np.ndarray) for lines in state["lines_"].values()),
        "`lines_` are not arrays of inlines and crosslines.",
    )


def _check_segmenter_state(state):
    from skfacies._estimators.segmenter import FaciesSegmenter

    options, net_options = dict(state["_module_options"]), state["_net_options"]
    n_classes, n_channels = options.pop("n_classes", None), options.pop("in_channels", None)
    _require(
        n_classes == len(state["classes_"]) and state["classes_"].ndim == 1,
        f"the network has {n_classes} classes, `classes_` are {state['classes_']}.",
    )
    _check_units(state, n_classes)
    _check_profile(state["training_profile_"])
    heights = state["_heights"]
    _require(
        heights is None
        or (len(heights) == 2 and all(type(n) is int for n in heights) and min(heights) > 0),
        f"the training sections have {heights} samples.",
    )
    rows, level = state["_dead_rows"], state["_amplitude_level"]
    _require(
        len(rows) == 2 and all(type(n) is int and n >= 0 for n in rows),
        f"the dead rows of the training sections are {rows}.",
    )
    _require(
        level is None or (len(level) == 2 and all(isinstance(n, Real) for n in level)),
        f"the level of the training amplitudes is {level}.",
    )
    n_positions = int(state["_depth_range"] is not None)
    _require(
        type(n_channels) is int and 0 < n_channels - n_positions <= MOST_CHANNELS,
        f"the network has {n_channels} channels.",
    )
    shape = {"architecture", "encoder_name", "encoder_depth", "decoder_channels", "precision"}
    _require(options.keys() == shape, f"the network has the options {sorted(options)}.")
    FaciesSegmenter(**options)._validate_params()
    _check_net(net_options, n_classes)
    scaler, device = state["scaler_"], state["device_"]
    _require(scaler is None or hasattr(scaler, "transform"), "`scaler_` does not transform.")
    _require(not device.startswith("meta"), f"`device_` is {device!r}.")
    _require(
        all(isinstance(row, dict) for row in state["history_"]),
        "`history_` is not a list of dicts.",
    )
    dimensions = [n for array in state["_weights"].values() if array.size for n in array.shape]
    largest = max([_MAX_FREE_WIDTH, *dimensions])
    numbers = _numbers_in([options, {k: v for k, v in net_options.items() if "module__" in k}])
    _require(
        all(abs(n) <= largest for n in numbers),
        f"the network is {max(numbers, default=0)} wide, but its weights at most {largest}.",
    )


def _check_units(state, n_classes):
    for order in (state["_unit_order"], state["_stack"]):
        _require(
            order is None
            or (
                all(type(place) is int for place in order)
                and sorted(order) == list(range(n_classes))
            ),
            f"the order of units is {order}, for {n_classes} classes.",
        )
    contacts = state["contacts_"]
    fits = isinstance(contacts, KrigedContacts) and len(contacts.scales_) == n_classes - 1
    _require(
        contacts is None or (fits and state["_stack"] is not None),
        "the contacts do not fit the classes.",
    )


def _check_profile(profile):
    if profile is None:
        return
    kinds = {
        **dict.fromkeys(("quantiles", "lines", "trace_numbers", "traces"), np.ndarray),
        **dict.fromkeys(("spectrum", "loudness", "pitch"), (np.ndarray, type(None))),
        **dict.fromkeys(("dead", "clipped", "skew", "skew_spread"), float),
        "n_samples": int,
        "vertical_axis": (tuple, type(None)),
    }
    _require(
        profile.keys() == kinds.keys()
        and all(isinstance(profile[key], kind) for key, kind in kinds.items()),
        "`training_profile_` is damaged.",
    )


def _check_net(net_options, n_classes):
    from skfacies._estimators.segmenter import FaciesSegmenter

    _require(set(_OWN_NET_OPTIONS) <= set(net_options), "options of the net are missing.")
    FaciesSegmenter(
        loss=net_options["criterion__loss"],
        lr=net_options["lr"],
    )._validate_params()
    _check_net_options(net_options, _OWN_NET_OPTIONS)
    mean_weight = net_options["criterion__mean_weight"]
    _require(type(mean_weight) is float and mean_weight > 0, f"`mean_weight` is {mean_weight!r}.")
    class_weight = net_options["criterion__class_weight"]
    n_weights = None if class_weight is None else tuple(class_weight.shape)
    _require(n_weights in (None, (n_classes,)), f"`class_weight` has shape {n_weights}.")


def _numbers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple, np.ndarray)):
        return [number for part in value for number in _numbers_in(part)]
    return [value] if isinstance(value, (int, float)) else []
