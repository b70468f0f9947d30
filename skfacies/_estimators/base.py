"""What `FaciesSegmenter` is besides training and prediction: parameters, attributes, pickling."""

import copy
import functools
import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from skorch.history import History

from skfacies._cubes.positions import trace_numbers, vertical_axis
from skfacies._estimators.fitting import ENOUGH_RUNS, NORM_PRIOR, Fitted
from skfacies._estimators.placing import add_contacts
from skfacies._nn import data as nn_data
from skfacies._nn.augmentation import check_augmentation
from skfacies._nn.callbacks import check_callbacks
from skfacies._nn.hardware import choose_device, choose_memory_limit
from skfacies._nn.inference import PredictionOptions, iterate_scores, prediction_bytes
from skfacies._nn.losses import LOSSES
from skfacies._nn.network import choose_widths, seeded_torch
from skfacies._nn.training import check_net_params, make_net
from skfacies._sections.labels import prediction_dtype
from skfacies._sections.scaler import AmplitudeScaler
from skfacies._sections.survey_scale import (
    sample_interval,
    warn_of_other_interval,
    warn_of_other_scale,
    warn_of_other_volume,
)
from skfacies._sections.validation import (
    check_channels,
    check_sections,
    first_channels,
    is_listlike,
    n_sections,
)
from skfacies._stratigraphy.order import check_unit_order, labels_from_scores
from skfacies._stratigraphy.reflectors import DEFAULT_DIP_SMOOTHING

__all__ = ["BaseSegmenter", "empty_like"]


class BaseSegmenter(BaseEstimator):
    """Parameters and attributes of `FaciesSegmenter`, whose docstring describes them."""

    _parameter_constraints = {
        "encoder_name": [str],
        "encoder_weights": [str, HasMethods("__fspath__"), None],
        "encoder_depth": [Interval(Integral, 3, 7, closed="both"), None],
        "architecture": [str],
        "decoder_channels": [
            StrOptions({"auto"}),
            "array-like",
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
        "ignore_label": [Integral, str, None],
        "nan_policy": [StrOptions({"raise", "ignore"})],
        "scaler": [StrOptions({"auto"}), HasMethods(["fit", "transform"]), None],
        "depth_channel": ["boolean"],
        "crop_size": ["array-like", Interval(Integral, 1, None, closed="left"), None],
        "augment": ["boolean", dict],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"cosine", "constant"})],
        "loss": [StrOptions(set(LOSSES)), HasMethods(["forward"])],
        "class_weight": [StrOptions({"auto", "balanced"}), dict, None],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean", Interval(Integral, 1, None, closed="left")],
        "self_training": ["boolean"],
        "callbacks": [list, tuple, None],
        "net_params": [dict, None],
        "warm_start": ["boolean"],
        "tta": ["boolean"],
        "dip_smoothing": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left"), None],
        "section_statistics": ["boolean"],
        "unit_order": [StrOptions({"auto"}), "array-like", None],
        "positions": [StrOptions({"auto"}), None],
        "rescale": [StrOptions({"survey"}), None],
        "memory_limit": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"}), None],
        "device": [str],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        encoder_name="resnet18",
        encoder_weights=None,
        encoder_depth=5,
        architecture="Unet",
        decoder_channels="auto",
        ignore_label=-1,
        nan_policy="raise",
        scaler="auto",
        depth_channel=False,
        crop_size=256,
        augment=True,
        max_epochs="auto",
        batch_size=2,
        lr=1e-3,
        lr_schedule="cosine",
        loss="cross_entropy",
        class_weight="auto",
        validation_fraction=0.05,
        early_stopping=False,
        self_training=True,
        callbacks=None,
        net_params=None,
        warm_start=False,
        tta=False,
        dip_smoothing="auto",
        section_statistics=True,
        unit_order="auto",
        positions="auto",
        rescale=None,
        memory_limit=1_000_000_000,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=0,
    ):
        self.encoder_name = encoder_name
        self.encoder_weights = encoder_weights
        self.encoder_depth = encoder_depth
        self.architecture = architecture
        self.decoder_channels = decoder_channels
        self.ignore_label = ignore_label
        self.nan_policy = nan_policy
        self.scaler = scaler
        self.depth_channel = depth_channel
        self.crop_size = crop_size
        self.augment = augment
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.loss = loss
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.self_training = self_training
        self.callbacks = callbacks
        self.net_params = net_params
        self.warm_start = warm_start
        self.tta = tta
        self.dip_smoothing = dip_smoothing
        self.section_statistics = section_statistics
        self.unit_order = unit_order
        self.positions = positions
        self.rescale = rescale
        self.memory_limit = memory_limit
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    def _check_parameters(self):
        """Check each parameter, and those that must suit each other."""
        self._validate_params()
        choose_device(self.device)
        if self.loss != "cross_entropy" and self.class_weight not in (None, "auto"):
            raise ValueError(
                f"`class_weight` needs loss='cross_entropy'; got loss={self.loss!r}. Set "
                "class_weight=None."
            )
        check_augmentation(self.augment)
        check_net_params(self.net_params)
        check_callbacks(self.callbacks)
        self._check_label_of_missing()
        self._crop_shape()
        self._decoder_widths()

    def _check_label_of_missing(self):
        if self.nan_policy == "ignore" and self.ignore_label is None:
            raise ValueError(
                "nan_policy='ignore' predicts `ignore_label` where amplitudes are NaN; got "
                "ignore_label=None. Choose a label that is no class, such as -1."
            )

    def _crop_shape(self):
        """Crop as (n_traces, n_samples), None for all of an axis."""
        size = self.crop_size
        if size is None:
            return None, None
        sizes = (size, None) if isinstance(size, Integral) else tuple(size)
        if len(sizes) != 2 or not all(
            n is None or (isinstance(n, Integral) and n > 0) for n in sizes
        ):
            raise ValueError(
                f"`crop_size` must be None, a number of traces, or (n_traces, n_samples); got "
                f"{size!r}."
            )
        return sizes

    def _decoder_widths(self):
        """Widths of the decoder as the network takes them; None is the architecture's own."""
        widths = self.decoder_channels
        if isinstance(widths, str):
            return choose_widths(self.architecture, self.encoder_depth)
        if widths is None or isinstance(widths, Integral):
            return widths
        if not all(isinstance(width, Integral) and width > 0 for width in widths):
            raise ValueError(
                f"`decoder_channels` must hold whole numbers above zero; got {widths!r}."
            )
        return tuple(int(width) for width in widths)

    def _structure(self, n_amplitudes):
        """What decides which weights the network has."""
        return {
            "architecture": self.architecture,
            "encoder_name": self.encoder_name,
            "encoder_depth": self.encoder_depth,
            "decoder_channels": self._decoder_widths(),
            "in_channels": n_amplitudes + bool(self.depth_channel),
        }

    # --- what was learned ----------------------------------------------------------------------

    @property
    def unit_order_(self):
        """Classes from top to bottom, if labels are predicted in that order; else None."""
        check_is_fitted(self, "net_")
        order = self._order_of_codes()
        return None if order is None else self.classes_[list(order)]

    @property
    def unit_order_reason_(self):
        """Why labels are not predicted in a stratigraphic order; None if they are."""
        check_is_fitted(self, "net_")
        if self.unit_order is None:
            return "unit_order=None"
        return self._unit_order_reason if isinstance(self.unit_order, str) else None

    def _order_of_codes(self):
        """Positions of classes from top to bottom, as they are given now or were learned."""
        if self.unit_order is None:
            return None
        if isinstance(self.unit_order, str):
            return self._unit_order
        return check_unit_order(self.unit_order, self.classes_)

    @property
    def dip_smoothing_(self):
        """Number of traces over which scores are averaged along reflectors, or None."""
        check_is_fitted(self, "net_")
        if isinstance(self.dip_smoothing, str):
            return (
                DEFAULT_DIP_SMOOTHING
                if self._follows_reflectors and self._smoothing_helps
                else None
            )
        return self.dip_smoothing or None

    @property
    def n_channels_(self):
        """Number of channels of the sections that the network was trained on."""
        check_is_fitted(self, "net_")
        return self._module_options["in_channels"] - (self._depth_range is not None)

    def _go_on_from(self):
        """What a further fit goes on from; refuse parameters that would make another network."""
        fitted = self._module_options
        structure = self._structure(self.n_channels_)
        changed = [name for name, value in structure.items() if fitted[name] != value]
        if _module_part(self._net_options) != _module_part(self.net_params or {}):
            changed.append("net_params")
        if changed:
            raise ValueError(
                f"warm_start and partial_fit go on from the fitted weights, but {changed} would "
                "make another network. Set the parameters back, or fit with warm_start=False."
            )
        return Fitted.of(self)

    def _known(self, old):
        """What sections must agree with if a training goes on."""
        return {"classes": old.classes_, "trained_channels": self.n_channels_} if old else {}

    # --- what is predicted ---------------------------------------------------------------------

    def _check_prediction_data(self, X):
        check_is_fitted(self, "net_")
        self._validate_params()
        self._check_label_of_missing()
        X = check_sections(X, nan_policy=self.nan_policy, check_finite=False)
        check_channels(X, self.n_channels_)
        warn_of_other_interval(self.sample_interval_, sample_interval(X))
        return X

    def _predict(self, X):
        """`predict` of sections that have been checked."""
        dtype = prediction_dtype(self.classes_, self.ignore_label, self.nan_policy)
        classes = self.classes_.astype(dtype)
        labels = empty_like(X, dtype)
        for i, traces, scores, missing, dead in self._iterate(X, probabilities=False):
            part = classes[self._most_likely(scores, dead)]
            if missing is not None:
                part[missing] = self.ignore_label
            labels[i][traces] = part
        return labels

    def _most_likely(self, scores, dead):
        """Codes (n_traces, n_samples), in stratigraphic order if there is one."""
        scores = scores.permute(1, 2, 0)
        on_host = functools.cache(lambda: scores.cpu().numpy())  # only if traces are out of order
        return labels_from_scores(
            scores.max(-1).indices.cpu().numpy(),  # faster than argmax(0)
            lambda traces: on_host()[traces],
            self._order_of_codes(),
            missing=dead,
            without_spikes=bool(self.dip_smoothing_),
        )

    def _iterate(self, X, *, probabilities):
        if self.rescale is not None:
            yield from self.rescaled_to(X)._iterate(X, probabilities=probabilities)
            return
        levels = [[] for _ in range(self._n_scales())]
        options = PredictionOptions(
            device=self.device_,
            probabilities=probabilities,
            tta=self.tta,
            dip_smoothing=self.dip_smoothing_,
            norm_prior=NORM_PRIOR if self.section_statistics else None,
            heights=self._heights,
            dead_rows=self._dead_rows,
            nan_policy=self.nan_policy,
            memory_limit=choose_memory_limit(self.memory_limit, self.device_),
        )
        parts = iterate_scores(self.net_.module_, X, self._conditioner(levels), options)
        for i, traces, scores, missing, dead in parts:
            numbers = trace_numbers(X, i) if self.positions and self.contacts_ else None
            if numbers is not None:
                scores = add_contacts(
                    scores,
                    numbers[traces],
                    self.contacts_,
                    self._stack,
                    axis=vertical_axis(X, i),
                    probabilities=probabilities,
                )
            yield i, traces, scores, missing, dead
        warn_of_other_scale(self._amplitude_level, levels[0])
        for k, own in enumerate(levels[1:], 1):
            warn_of_other_volume(k, own)

    def _conditioner(self, levels=None):
        return nn_data.Conditioner(self.scaler_, self._depth_range, self.n_channels_, levels)

    def rescaled_to(self, X):
        """A copy of the fitted model that predicts by the scale of another survey.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or list of 2-D arrays
            Amplitudes of that survey; some sections of it are enough.

        Returns
        -------
        model : FaciesSegmenter
            It shares the network.
        """
        check_is_fitted(self, "net_")
        if self.scaler_ is None:
            raise ValueError("rescale='survey' needs a `scaler`; the model was fitted with None.")
        X = check_sections(X, nan_policy="ignore", check_finite=False)
        some = range(0, n_sections(X), max(1, n_sections(X) // ENOUGH_RUNS))
        model = clone(self).set_params(rescale=None, positions=None)  # it is another survey
        vars(model).update({k: v for k, v in vars(self).items() if k not in self.get_params()})
        n = self._n_scales()
        model.scaler_ = clone(self.scaler_).fit([first_channels(np.asarray(X[i]), n) for i in some])
        return model

    def _n_scales(self):
        """Number of channels that have a scale of their own; others repeat them."""
        return np.size(self.scaler_.center_) if type(self.scaler_) is AmplitudeScaler else 1

    def prediction_memory(self, shape):
        """Bytes that the network takes to predict a section, about, for `CubeSegmenter`.

        Parameters
        ----------
        shape : tuple (n_traces, n_samples)

        Returns
        -------
        n_bytes : float
        """
        return prediction_bytes(
            self.net_.module_,
            self._conditioner(),
            shape,
            device=self.device_,
            memory_limit=choose_memory_limit(self.memory_limit, self.device_),
        )

    # --- pickle -------------------------------------------------------------------------------

    def __getstate__(self):
        # A pickled skorch net has the weights six times (AdamW's moments, twice through the
        # scheduler), and cannot be read without the device that it was trained on.
        state = super().__getstate__().copy()
        net = state.pop("net_", None)
        if net is not None:
            state["_weights"] = {
                name: value.detach().cpu().numpy()
                for name, value in net.module_.state_dict().items()
            }
        return state

    def __setstate__(self, state):
        state = dict(state)
        weights = state.pop("_weights", None)
        super().__setstate__(state)
        if weights is not None:
            self._restore_net(weights)

    def _restore_net(self, weights):
        """Build the net as it was fitted, whatever parameters have been set since."""
        try:
            choose_device(self.device_)
        except ValueError:
            warnings.warn(
                f"the model was trained on {self.device_!r}, which is not available here; it is "
                "loaded to the CPU.",
                UserWarning,
                stacklevel=3,
            )
            self.device_ = "cpu"
        net = make_net(self._module_options, self._net_options, device=self.device_)
        with seeded_torch(0):
            net.initialize()
        # Copies: the arrays may be a read-only memory map.
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
        net.module_.load_state_dict(tensors)
        net.module_.eval()
        net.history = History(copy.deepcopy(self.history_))
        self.net_ = net


def empty_like(X, dtype, *more_axes):
    """Array, or list of arrays, for results in the shape of `X`."""
    if is_listlike(X):
        return [np.empty((*section.shape[:2], *more_axes), dtype=dtype) for section in X]
    return np.empty((*X.shape[:3], *more_axes), dtype=dtype)


def _module_part(net_options):
    """Arguments of the network among those of skorch's net."""
    return {k: v for k, v in net_options.items() if k.startswith("module__")}
