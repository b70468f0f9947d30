"""The estimator: a scikit-learn classifier of every sample of a section."""

import copy
import math
import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from skorch.history import History

from skfacies._holdout import blocks as _holdout
from skfacies._nn import augmentation as nn_augmentation
from skfacies._nn import data as nn_data
from skfacies._nn.allocation import freed_memory_kept
from skfacies._nn.inference import iterate_scores, prediction_bytes
from skfacies._nn.network import (
    choose_device,
    choose_precision,
    choose_widths,
    seeded_torch,
)
from skfacies._nn.normalisation import prior_for
from skfacies._nn.training import (
    LOSSES,
    auto_epochs,
    check_callbacks,
    check_net_params,
    epoch_callbacks,
    make_net,
    train_net,
    training_callbacks,
)
from skfacies._nn.weights import resolve_encoder_weights
from skfacies._sections.survey_scale import (
    sample_interval,
    scaled_by_survey,
    typical_spread,
    warn_of_other_interval,
    warn_of_other_scale,
)
from skfacies._sections.validation import (
    check_classes,
    check_labels,
    check_same_structure,
    check_sample_weight,
    check_sections,
    ignore_missing,
    is_listlike,
    n_channels,
    n_sections,
    own_amplitudes,
    prediction_dtype,
    section_shape,
)
from skfacies._stratigraphy.order import check_unit_order, explain_unit_order, labels_from_scores
from skfacies._stratigraphy.reflectors import LENGTH, labels_follow_reflectors
from skfacies._version import __version__
from skfacies.metrics import iou_score
from skfacies.preprocessing import AmplitudeScaler

__all__ = ["FaciesSegmenter"]

#: Training lines that the order of units is learnt from: neighbours have the same.
ENOUGH_RUNS = 64

#: Runs of traces that tell whether means along reflectors help.
ENOUGH_EVIDENCE = 8

#: Places of a feature map that the statistics of the training count for beside a section's own.
NORM_PRIOR = 128.0


class FaciesSegmenter(ClassifierMixin, BaseEstimator):
    """Assign every sample of a seismic section to a facies, learnt from interpreted sections.

    A U-Net with a ResNet-18 encoder is trained by AdamW on the cross-entropy of labelled samples,
    with the learning rate reduced when the loss of a held-out block of the survey stops falling.
    Sections may differ in size, may be labelled in part, and are never resized.

    Axes: sections are ``(n_sections, n_traces, n_samples)`` or a list of ``(n_traces, n_samples)``;
    samples point down. Labels have the shape of the amplitudes, probabilities one more axis at the
    end. A list in gives a list out. Sections may have one more axis for channels, at most 64: the
    section itself first, then lines beside it (``CubeSegmenter(neighbours=...)`` cuts them so) or
    other amplitudes of the same scale.

    Parameters
    ----------
    encoder_name : str, default="resnet18"
        An encoder of segmentation-models-pytorch, or ``"tu-<name>"`` for one of timm.
    encoder_weights : None, "auto", "imagenet", other name, or path, default="auto"
        What the encoder starts from. ``"auto"`` takes ImageNet weights where the cache has them or
        the model hub gives them within seconds, else random weights with one warning.
        ``"imagenet"`` insists on them. A path to a .safetensors or .pth file works too. None
        starts from random weights. ``encoder_weights_`` says what was taken.
    encoder_depth : int or None, default=5
        Number of times the encoder halves the resolution. None: the architecture's own.
    architecture : str, default="Unet"
        A decoder of segmentation-models-pytorch: "Unet", "UnetPlusPlus", "FPN", "Segformer", ….
    decoder_channels : "auto", tuple of int, int or None, default="auto"
        Widths of the decoder, from the deepest level up. "auto" is ``(128, 64, 32, 16, 16)`` for
        the U-Net, half of what segmentation-models-pytorch takes but for the last: three quarters
        of the time to fit and to predict, for about 0.005 of the mean IoU beside F3's training
        lines. None: the architecture's own, which "auto" is for all others.
    max_epochs : int or "auto", default="auto"
        Passes over the training sections. "auto" chooses so that the work suits the data: some
        minutes on a laptop, whether there are three sections or a thousand. Of many sections, an
        epoch then takes a part at random.
    batch_size : int, default=2
        Crops (or whole sections) in a training step.
    lr : float, default=1e-3
        Highest learning rate of AdamW.
    lr_schedule : {"cosine", "constant"}, default="cosine"
        "cosine" warms up over the first 5 % of the steps and decays to 2 % at the last.
        ReduceLROnPlateau works in company with both.
    lr_patience : int, default=10
        Epochs without a better validation loss before the learning rate is reduced.
    lr_factor : float in (0, 1), default=0.5
        Factor of that reduction.
    weight_decay : float, default=0.01
        Weight decay of AdamW.
    loss : {"cross_entropy", "dice", "focal", "lovasz"} or torch.nn.Module, default="cross_entropy"
        Loss of the logits. Weights of classes and samples need the cross-entropy. A module of your
        own, or a class of one, is called with logits ``(batch, n_classes, n_traces, n_samples)``
        and the positions of labels in ``classes_``, which are -100 where a sample does not count.
    class_weight : None, "balanced" or dict, default=None
        Weights of the classes in the loss, relative to the mean weight of all training samples.
        "balanced" is ``n_labelled / (n_classes * count)``
        over the training samples; a dict has labels as keys, and 1 for those it leaves out.
    label_smoothing : float in [0, 1), default=0.0
        Part of each label that the cross-entropy spreads evenly over the classes. With 0.1 the
        probabilities far from the training lines are more honest, and those close to them say less
        than they know; labels are about as good.
    ignore_label : int, str or None, default=-1
        Label of samples without interpretation: they count neither in training nor in `score`.
        None if every label is a class, -1 too.
    early_stopping : bool or int, default=False
        Epochs without a better validation loss after which training stops. True: a third of
        `max_epochs`, at least 10. The weights of the best epoch are restored in any case: the one
        where the mean loss of the last tenth of the epochs so far is smallest. Early stopping goes
        by the same mean.
    validation_fraction : float in [0, 1), default=0.1
        Part of the traces in a contiguous block that is held out to watch the loss. Lines that
        cross the block are cut there. The training loss is watched where this is 0, or where a few
        small sections hold no block that training could spare, unless there are `validation_data`.
    augment : bool or dict, default=True
        Random changes in training. A dict changes the strengths of some; the defaults are
        "flip" 0.5 (probability of a lateral flip), "gain" 0.3 (largest change of log-amplitude),
        "noise" 0.3 (largest noise, in units of the scaled amplitude), "stretch" 0.08 (of the
        logarithms of both scales), "shift" 10, "dip" 10 and "warp" 7 (up or down of all traces, of
        the outermost ones, and of smooth folds, in samples and at most a twelfth of the crop's
        height), "frequency" 0.5 (largest power of frequency that multiplies the spectrum), "fade"
        0.8 (largest change of log-amplitude by a smooth field: parts of a section become brighter
        or dimmer than others, as below gas; try 0 where the sections to predict are far from the
        training's), and, left out by default, "cutout" 0 (largest part of the crop's height and
        width that is blanked) and "polarity" 0 (probability of a change of sign).
    crop_size : None, int or tuple (n_traces, n_samples), default=256
        Train on random crops of this size. An int cuts traces and keeps all samples; None takes
        whole sections. Sections that are smaller are taken whole.
    depth_channel : bool, default=False
        Give the network the depth of each sample as one more channel: from -1 at the top to 1 at
        the last sample of the deepest training section, also in crops.
    scaler : "auto", None or transformer, default="auto"
        Normalisation of amplitudes, learnt from the training sections and kept in the model.
        "auto" is `AmplitudeScaler()`; None takes amplitudes as they are.
    nan_policy : {"raise", "ignore"}, default="raise"
        What to do with NaN amplitudes. "ignore" fills them, leaves them out of loss and score, and
        predicts `ignore_label` (NaN probabilities) there.
    tta : bool, default=False
        Average the probabilities of each section and of its lateral mirror image in prediction.
    dip_smoothing : "auto", float or None, default="auto"
        Number of traces over which the scores of classes are averaged along the local dip of the
        reflectors in prediction: weights fall by the factor 1/e in so many traces, and where the
        network is unsure. Contacts then do not jump between reflectors that look alike, but units
        that end at a contact or at a fault suffer. "auto" is 100 if the labels of the training
        lines follow reflectors, that is, stay as they are when they are averaged themselves, and if
        this network predicts what was held out (else, training lines) no worse so. It is None if
        not. Where units have an order, contacts that leave their neighbours for up to three
        traces are taken back to them, too. A trace says no more against a class than that it is six
        less likely, as a logarithm: probabilities are more honest, and about 0.98 with ten classes
        where all traces agree. None or 0 leaves scores as they are, for an eighth less of the time.
    section_statistics : bool, default=True
        Let the encoder's batch norms go by each section's own statistics in prediction, besides
        those of the training: of a feature map of n places the own have the share
        ``n / (n + 128)``. The first norm goes by the training. Far from the training lines this is
        worth much, close to them little. Sections whose number of samples is more than 5 % away
        from those of the training show other units, and are normalised by the training only. Tiles
        of large sections (`memory_limit`) go by their own. Encoders without torch's batch norms are
        not changed.
    unit_order : "auto", None or array-like of labels, default="auto"
        Classes from top to bottom. Traces whose most likely labels are not in this order get the
        most likely ones that are; units may be absent. "auto" learns from the training traces
        which unit lies above which. It leaves labels as they are where that gives no single order,
        or where less than 95 % of the traces of a class have it: ``unit_order_reason_`` says why.
        None always leaves them. An array must hold every class once, and may hold more.
        Probabilities do not know of the order, so that the prediction of a sample is not always its
        most probable class.
    rescale : {"survey"} or None, default=None
        None scales the amplitudes to be predicted as those of the training. "survey" learns the
        scale anew from all sections of a prediction (`CubeSegmenter`: from the cube), for surveys
        of another scale. It acts in prediction only.
    memory_limit : int or None, default=1_000_000_000
        Bytes that the network may take in prediction, about. Sections that need more are predicted
        in overlapping tiles of all their samples, blended where they overlap. None sets no limit.
    device : str, default="auto"
        "auto" is CUDA, then MPS, then the CPU; or a torch device such as "cpu" or "cuda:0".
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of the network. "auto" is bfloat16 where the hardware computes in it
        (AVX512-BF16, AMX, CUDA from Ampere), else float32. Loss and scaling are float32 always.
    callbacks : list of (name, skorch callback), or None, default=None
        Added to those of the estimator; copied, so that yours stay as they are. Callbacks that
        score by scikit-learn's metrics, such as ``EpochScoring("accuracy")``, expect one label an
        item and do not fit here; ``history_`` has "valid_miou".
    net_params : dict or None, default=None
        Last word over the other arguments of `skorch.NeuralNet`, such as
        ``{"module__decoder_attention_type": "scse"}`` or ``{"optimizer__betas": (0.9, 0.999)}``,
        torch's own where AdamW here has (0.9, 0.95), which suits fits of a thousand steps.
    warm_start : bool, default=False
        Go on from the fitted weights in the next `fit`, with the amplitude scaler, the order of
        units and the rest that the first fit learnt. "Best" epochs are then those of that fit.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, order, crops and augmentation. An int gives bitwise equal refits
        on the same processor with the same number of threads. What goes on from fitted weights
        (`partial_fit`, `warm_start`) draws anew, by the seed and the number of epochs so far.
    verbose : int, default=0
        1 shows a progress bar, 2 a line each epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels that were learnt, in the type of `y`.
    net_ : skorch.NeuralNet
        The fitted net; ``net_.module_`` is the torch module, which returns logits.
    n_channels_ : int
        Number of channels of the sections.
    history_ : list of dict
        One entry an epoch: "train_loss", "valid_loss", "valid_miou", "lr", "dur" in seconds, ….
        "best" tells epochs whose weights were the best so far: the last of them was kept.
    n_iter_ : int
        Number of epochs trained.
    scaler_ : transformer or None
        The fitted normalisation.
    unit_order_ : ndarray of shape (n_classes,) or None
        Classes from top to bottom, if labels are predicted in that order.
    unit_order_reason_ : str or None
        Why there is no order; None if there is one.
    dip_smoothing_ : float or None
        Number of traces over which scores are averaged.
    sample_interval_ : float or None
        Interval of the vertical coordinate of training sections that are DataArrays.
    encoder_weights_ : str or None
        What the encoder started from; None is random weights.
    device_, precision_ : str
        What "auto" became.

    See Also
    --------
    skfacies.metrics.facies_report : Scores of a prediction, class by class.
    skfacies.datasets.make_facies_cube : Synthetic surveys to try this on.

    Notes
    -----
    A cube ``(n_inlines, n_crosslines, n_samples)`` is a valid stack of inline sections.
    Ctrl-C during `fit` ends the training and keeps the best epoch so far, as skorch does; in the
    first epoch it leaves the estimator as it was.
    Pickled and joblib files hold the weights once, load without a network and on machines without
    the device of the training. AdamW's moments are not kept.

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional networks for biomedical
       image segmentation", MICCAI 2015.
    .. [2] Y. Alaudah, P. Michałowicz, M. Alfarraj, G. AlRegib, "A machine-learning benchmark for
       facies classification", Interpretation 7(3), 2019.

    Examples
    --------
    >>> from skfacies import FaciesSegmenter
    >>> from skfacies.datasets import make_facies_cube
    >>> survey = make_facies_cube((8, 32, 32), n_facies=2, random_state=0)
    >>> segmenter = FaciesSegmenter(
    ...     encoder_weights=None, encoder_depth=3, decoder_channels=(16, 8, 8), max_epochs=2,
    ...     random_state=0)
    >>> segmenter.fit(survey.data[:6], survey.target[:6]).classes_
    array([0, 1], dtype=int8)
    >>> segmenter.predict(survey.data[6:]).shape
    (2, 32, 32)
    >>> segmenter.predict_proba(survey.data[6:]).shape
    (2, 32, 32, 2)
    """

    # Of models that were saved without them:
    _unit_order = _heights = _unit_order_reason = _amplitude_spread = sample_interval_ = None
    _follows_reflectors, _smoothing_helps, rescale = False, True, None

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
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"cosine", "constant"})],
        "lr_patience": [Interval(Integral, 0, None, closed="left")],
        "lr_factor": [Interval(Real, 0, 1, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "loss": [StrOptions(set(LOSSES)), HasMethods(["forward"])],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "ignore_label": [Integral, str, None],
        "early_stopping": ["boolean", Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "augment": ["boolean", dict],
        "crop_size": ["array-like", Interval(Integral, 1, None, closed="left"), None],
        "depth_channel": ["boolean"],
        "scaler": [StrOptions({"auto"}), HasMethods(["fit", "transform"]), None],
        "nan_policy": [StrOptions({"raise", "ignore"})],
        "tta": ["boolean"],
        "dip_smoothing": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left"), None],
        "section_statistics": ["boolean"],
        "unit_order": [StrOptions({"auto"}), "array-like", None],
        "rescale": [StrOptions({"survey"}), None],
        "memory_limit": [Interval(Real, 0, None, closed="neither"), None],
        "device": [str],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "callbacks": [list, tuple, None],
        "net_params": [dict, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        encoder_name="resnet18",
        encoder_weights="auto",
        encoder_depth=5,
        architecture="Unet",
        decoder_channels="auto",
        max_epochs="auto",
        batch_size=2,
        lr=1e-3,
        lr_schedule="cosine",
        lr_patience=10,
        lr_factor=0.5,
        weight_decay=0.01,
        loss="cross_entropy",
        class_weight=None,
        label_smoothing=0.0,
        ignore_label=-1,
        early_stopping=False,
        validation_fraction=0.1,
        augment=True,
        crop_size=256,
        depth_channel=False,
        scaler="auto",
        nan_policy="raise",
        tta=False,
        dip_smoothing="auto",
        section_statistics=True,
        unit_order="auto",
        rescale=None,
        memory_limit=1_000_000_000,
        device="auto",
        precision="auto",
        callbacks=None,
        net_params=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.encoder_name = encoder_name
        self.encoder_weights = encoder_weights
        self.encoder_depth = encoder_depth
        self.architecture = architecture
        self.decoder_channels = decoder_channels
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.lr_patience = lr_patience
        self.lr_factor = lr_factor
        self.weight_decay = weight_decay
        self.loss = loss
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.ignore_label = ignore_label
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.augment = augment
        self.crop_size = crop_size
        self.depth_channel = depth_channel
        self.scaler = scaler
        self.nan_policy = nan_policy
        self.tta = tta
        self.dip_smoothing = dip_smoothing
        self.section_statistics = section_statistics
        self.unit_order = unit_order
        self.rescale = rescale
        self.memory_limit = memory_limit
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.net_params = net_params
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # --- training -----------------------------------------------------------------------------

    def fit(self, X, y, *, sample_weight=None, validation_data=None, surveys=None):
        """Learn facies from interpreted sections.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or list of 2-D arrays
            Amplitudes of any real type; with channels at the end, if there are some.
        y : array-like or list in the shape of `X`, without channels
            Integers or strings; `ignore_label` marks samples without interpretation.
        sample_weight : array-like of shape (n_sections,) or of the shape of `y`, default=None
            Weights of sections, or of samples, in the loss. They are relative to the mean weight of
            all training samples: 2 is like a section that is given twice.
        validation_data : tuple (X, y), default=None
            Sections to watch the loss on, in place of a block held out from `X`.
        surveys : array-like of shape (n_sections,), default=None
            Which survey each section is of, by any labels. Each survey is then brought to one scale
            by itself; predict with ``rescale="survey"``. None scales all sections alike.

        Returns
        -------
        self : FaciesSegmenter

        Raises
        ------
        ValueError
            If data or parameters are not as described; the estimator then stays as it was.
        OSError
            If `encoder_weights` are asked for by name or path and cannot be had.
        FloatingPointError
            If the loss becomes infinite or NaN.
        """
        self._check_parameters()
        old = self._fitted_state() if self.warm_start and hasattr(self, "net_") else None
        classes = old["classes_"] if old else None
        if surveys is not None:
            X = check_sections(X, nan_policy=self.nan_policy)
            X = scaled_by_survey(X, surveys, AmplitudeScaler(clip=None))
            validation_data = self._scale_validation_data(validation_data)
        sections = self._check_training_data(X, y, sample_weight, classes, old)
        train, valid = self._hold_out(sections, validation_data)
        return self._train(sections, train, valid, old)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train one epoch on more sections, with nothing held out.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that any call will bring; needed at the first call.

        Returns
        -------
        self : FaciesSegmenter

        Notes
        -----
        The amplitude scaler is learnt from the first call's sections, since the weights depend on
        it; so are the order of units and whether labels follow reflectors. The learning rate is
        `lr` throughout. Weights are not relative to those of other calls: 1 is that of a sample
        without weight.
        """
        self._check_parameters()
        old = self._fitted_state() if hasattr(self, "net_") else None
        classes = self._check_classes(classes, y, old)
        sections = self._check_training_data(X, y, sample_weight, classes, old)
        return self._train(sections, _labelled_runs(sections), None, old, one_epoch=True)

    def _check_parameters(self):
        self._validate_params()
        choose_device(self.device)
        if self.loss != "cross_entropy" and self.class_weight is not None:
            raise ValueError(
                f"`class_weight` needs loss='cross_entropy'; got loss={self.loss!r}. Set "
                "class_weight=None."
            )
        nn_augmentation.check_augmentation(self.augment)
        check_net_params(self.net_params)
        check_callbacks(self.callbacks)
        self._check_label_of_missing()
        _crop_shape(self.crop_size)
        self._decoder_widths()

    def _check_label_of_missing(self):
        if self.nan_policy == "ignore" and self.ignore_label is None:
            raise ValueError(
                "nan_policy='ignore' predicts `ignore_label` where amplitudes are NaN; got "
                "ignore_label=None. Choose a label that is no class, such as -1."
            )

    def _check_classes(self, classes, y, old):
        """Classes that partial_fit goes by, in the type of `y` where it can hold them."""
        if classes is not None:
            classes = check_classes(classes, y, self.ignore_label)
        if old is not None:
            if classes is not None and classes.tolist() != old["classes_"].tolist():
                raise ValueError(
                    f"`classes` must be those of the first call to partial_fit, "
                    f"{old['classes_'].tolist()}; got {classes.tolist()}."
                )
            return old["classes_"]
        if classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return classes

    def _check_training_data(self, X, y, sample_weight, classes, old):
        X = check_sections(X, nan_policy=self.nan_policy)
        if old:
            self._check_channels(X)
        if self.nan_policy == "ignore" and y is not None:
            y = ignore_missing(X, check_same_structure(y, X, channels=True), self.ignore_label)
        y, classes = check_labels(y, X, ignore_label=self.ignore_label, classes=classes)
        if len(classes) < 2:
            raise ValueError(
                f"`y` has one class only, {classes.tolist()}; at least 2 classes are needed to "
                "learn what tells them apart."
            )
        prediction_dtype(classes, self.ignore_label, self.nan_policy)
        if sample_weight is not None and self.loss != "cross_entropy":
            raise ValueError(f"`sample_weight` needs loss='cross_entropy'; got {self.loss!r}.")
        weights = check_sample_weight(sample_weight, X)
        sections = nn_data.Sections(X, y, weights, classes, self.ignore_label)
        if weights is not None and not _labelled_runs(sections):
            raise ValueError(
                "`sample_weight` is zero for every labelled sample: nothing would be learnt."
            )
        return sections

    def _check_validation_data(self, validation_data, classes, n_amplitudes):
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise ValueError("`validation_data` must be a tuple (X, y).")
        X, y = validation_data
        names = {"name": "validation_data[1]", "like": "validation_data[0]"}
        X = check_sections(X, "validation_data[0]", nan_policy=self.nan_policy)
        if n_channels(X) != n_amplitudes:
            raise ValueError(
                f"`validation_data[0]` has sections of {n_channels(X)} channel(s), `X` of "
                f"{n_amplitudes}."
            )
        if self.nan_policy == "ignore" and y is not None:
            y = ignore_missing(
                X, check_same_structure(y, X, **names, channels=True), self.ignore_label
            )
        y, _ = check_labels(y, X, ignore_label=self.ignore_label, classes=classes, **names)
        return nn_data.Sections(X, y, None, classes, self.ignore_label)

    def _scale_validation_data(self, validation_data):
        """Validation sections as those of one survey more."""
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            return validation_data
        X = check_sections(validation_data[0], "validation_data[0]", nan_policy=self.nan_policy)
        own = np.zeros(n_sections(X))
        return scaled_by_survey(X, own, AmplitudeScaler(clip=None)), validation_data[1]

    def _hold_out(self, sections, validation_data):
        """Runs of traces to train on; and sections with runs to validate on, or None."""
        if validation_data is not None:
            valid = self._check_validation_data(
                validation_data, sections.classes, n_channels(sections.X)
            )
            return _labelled_runs(sections), (valid, _labelled_runs(valid))
        labels, classes, ignore_label = sections.counted_labels()
        train, valid = _holdout.split_validation_block(
            sections.X,
            labels,
            classes,
            ignore_label=ignore_label,
            fraction=self.validation_fraction,
        )
        return train, (sections, valid) if valid else None

    def _train(self, sections, train, valid, old, *, one_epoch=False):
        """Train a new net, from old weights if there are any; only then change `self`."""
        seed = _next_seed(self.random_state, len(old["net_"].history) if old else 0)
        encoder, state = (None, dict(old)) if old else self._start(sections, train)
        state |= self._hardware() | {"_heights": _heights(sections, train, old)}
        state["_module_options"] = {**state["_module_options"], "precision": state["precision_"]}
        n_amplitudes = n_channels(sections.X)
        conditioner = nn_data.Conditioner(state["scaler_"], state["_depth_range"], n_amplitudes)
        datasets = (
            nn_data.SectionDataset(
                sections,
                train,
                conditioner,
                _crop_shape(self.crop_size),
                np.random.default_rng(seed),
            ),
            nn_data.SectionDataset(*valid, conditioner) if valid else None,
        )
        epochs = 1 if one_epoch else self._plan_epochs(*datasets)
        n_steps = -(-datasets[0].n_per_epoch // self.batch_size)
        net_options = self._choose_net_options(sections, train, one_epoch=one_epoch)
        net = make_net(state["_module_options"], net_options, device=state["device_"])
        net.set_params(
            max_epochs=epochs,
            verbose=max(0, self.verbose - 1),
            callbacks=self._callbacks(sections, valid, epochs, n_steps, one_epoch),
        )
        train_net(
            net,
            datasets,
            seed=seed,
            batch_size=self.batch_size,
            collate=self._collate(seed, n_amplitudes),
            encoder=encoder,
            previous=old and old["net_"],
            norm_prior=self._validation_prior(valid, state["_heights"]),
        )
        state |= {"net_": net, "_net_options": net_options, "_version": __version__}
        state["history_"] = _plain_history(net)
        state["n_iter_"] = len(net.history)
        state["_training_summary"] = _summarise_training(sections, train)
        state["_smoothing_helps"] = self._try_smoothing(state, valid or (sections, train))
        for name, value in state.items():
            setattr(self, name, value)
        return self

    def _start(self, sections, train):
        """What a new fit starts from: pretrained encoder weights, and attributes to be."""
        weights, found = resolve_encoder_weights(self.encoder_name, self.encoder_weights)
        deepest = max(section_shape(sections.X, run.section)[1] for run in train)
        some = train[:: max(1, len(train) // ENOUGH_RUNS)]
        state = {
            "classes_": sections.classes,
            "scaler_": self._fit_scaler(sections, train),
            "encoder_weights_": found,
            "sample_interval_": sample_interval(sections.X),
            "_depth_range": deepest if self.depth_channel else None,
            "_module_options": {
                **self._structure(n_channels(sections.X)),
                "n_classes": len(sections.classes),
            },
        }
        if self.unit_order is not None and not isinstance(self.unit_order, str):
            check_unit_order(self.unit_order, sections.classes)
        codes = (sections.codes(run.section, slice(run.start, run.stop)) for run in some)
        state["_unit_order"], state["_unit_order_reason"] = explain_unit_order(
            (part.astype(np.int16) for part in codes),  # all are held at once
            len(sections.classes),
            sections.classes.tolist(),
        )
        fewer = some[:: max(1, 4 * len(some) // ENOUGH_RUNS)]
        spreads = []
        pairs = _codes_and_amplitudes(sections, fewer, state["scaler_"], spreads)
        state["_follows_reflectors"] = labels_follow_reflectors(pairs, len(sections.classes))
        state["_amplitude_spread"] = typical_spread(spreads)
        return None if weights is None else (self.encoder_name, weights), state

    def _try_smoothing(self, state, watched):
        """Whether means along reflectors make this network's prediction of sections no worse."""
        if not state["_follows_reflectors"]:
            return False
        sections, runs = watched
        runs = runs[:: max(1, len(runs) // ENOUGH_EVIDENCE)]
        codes, amplitudes = [], []
        for run in runs:
            traces = slice(run.start, run.stop)
            codes.append(sections.codes(run.section, traces))
            amplitudes.append(np.asarray(sections.X[run.section])[traces])
        order = self.unit_order
        if order is not None and not isinstance(order, str):
            order = list(check_unit_order(order, state["classes_"]))
        probe = clone(self).set_params(unit_order=order, nan_policy="ignore", rescale=None)
        probe.set_params(ignore_label=nn_data.IGNORED, tta=False)
        n_classes = len(state["classes_"])
        vars(probe).update(state, classes_=np.arange(n_classes), _amplitude_spread=None)
        with freed_memory_kept(give_back=True):
            scores = [
                probe.set_params(dip_smoothing=length).score(amplitudes, codes)
                for length in (LENGTH, None)
            ]
        return bool(scores[0] >= scores[1])

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
        """Positions of classes from top to bottom, as they are given now or were learnt."""
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
            return LENGTH if self._follows_reflectors and self._smoothing_helps else None
        return self.dip_smoothing or None

    def _hardware(self):
        device = choose_device(self.device)
        return {"device_": device, "precision_": choose_precision(self.precision, device)}

    @property
    def n_channels_(self):
        """Number of channels of the sections that the network was trained on."""
        check_is_fitted(self, "net_")
        return self._module_options["in_channels"] - (self._depth_range is not None)

    def _check_channels(self, X):
        if n_channels(X) != self.n_channels_:
            raise ValueError(
                f"`X` has sections of {n_channels(X)} channel(s), but the network was trained on "
                f"{self.n_channels_}. Sections of more than one have shape (n_traces, n_samples, "
                "n_channels); CubeSegmenter with its `neighbours` cuts them from cubes."
            )

    def _structure(self, n_amplitudes):
        """Parameters that decide which weights the network has."""
        return {
            "architecture": self.architecture,
            "encoder_name": self.encoder_name,
            "encoder_depth": self.encoder_depth,
            "decoder_channels": self._decoder_widths(),
            "in_channels": n_amplitudes + bool(self.depth_channel),
        }

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

    def _fit_scaler(self, sections, train):
        """Learn normalisation from the training traces only: nothing held out may leak."""
        if self.scaler is None:
            return None
        scaler = AmplitudeScaler() if self.scaler == "auto" else clone(self.scaler)
        runs = (
            own_amplitudes(np.asarray(sections.X[run.section]))[run.start : run.stop]
            for run in train
        )
        if hasattr(scaler, "partial_fit"):
            for run in runs:  # one at a time: X may be larger than memory
                scaler.partial_fit([run])
        else:
            scaler.fit(list(runs))
        if getattr(scaler, "n_samples_seen_", 1) == 0:
            raise ValueError(
                "`X` has no live sample: all amplitudes are zero, constant or undefined. Is it the "
                "right file or array?"
            )
        return scaler

    def _plan_epochs(self, training, validation):
        """Number of epochs; of much data, each takes a part of the sections only."""
        if self.max_epochs != "auto":
            return self.max_epochs
        n_pixels = sum(np.prod(training.shape(i)) for i in range(len(training)))
        epochs, share = auto_epochs(-(-len(training) // self.batch_size), n_pixels)
        training.n_per_epoch = math.ceil(share * len(training))
        if validation is not None:  # neighbours are near copies here, too
            every = max(1, round(0.5 / share))
            validation.items = validation.items[::every]
            validation.n_per_epoch = len(validation.items)
        return epochs

    def _choose_net_options(self, sections, train, *, one_epoch):
        """Arguments of skorch's net that a saved model needs again."""
        class_weights = self._class_weights(sections, train)
        mean_weight = 1.0 if one_epoch else sections.mean_weight(train, class_weights)
        return {
            "criterion__loss": self.loss,
            "criterion__class_weight": class_weights,
            "criterion__label_smoothing": self.label_smoothing,
            "criterion__mean_weight": mean_weight,
            "lr": self.lr,
            "optimizer__weight_decay": self.weight_decay,
            **copy.deepcopy(self.net_params or {}),
        }

    def _class_weights(self, sections, train):
        if self.class_weight is None:
            return None
        classes = sections.classes.tolist()
        if isinstance(self.class_weight, dict):
            unknown = [label for label in self.class_weight if label not in classes]
            if unknown:
                raise ValueError(
                    f"`class_weight` has keys that are no classes: {unknown}; the classes are "
                    f"{classes}."
                )
            weights = [self.class_weight.get(label, 1.0) for label in classes]
            numbers = all(isinstance(w, Real) and np.isfinite(w) and w >= 0 for w in weights)
            if not numbers or not any(weights):
                raise ValueError(
                    "`class_weight` must hold finite numbers >= 0, not all zero; got "
                    f"{self.class_weight}."
                )
        else:
            labels, codes, ignored = sections.counted_labels()
            counts = _holdout.count_labels(train, labels, codes, ignored)
            mean = counts.sum() / np.count_nonzero(counts)
            weights = np.where(counts > 0, mean / np.maximum(counts, 1), 1.0)
        return torch.tensor(weights, dtype=torch.float32)

    def _callbacks(self, sections, valid, epochs, n_steps, one_epoch):
        if one_epoch:
            return epoch_callbacks(self.callbacks)
        patience = self.early_stopping
        if self.early_stopping is True:
            patience = max(10, epochs // 3)
        return training_callbacks(
            n_classes=len(sections.classes),
            has_validation=valid is not None,
            n_steps=epochs * n_steps,
            schedule=self.lr_schedule,
            lr_patience=self.lr_patience,
            lr_factor=self.lr_factor,
            patience=patience,
            verbose=self.verbose,
            user=self.callbacks,
        )

    def _collate(self, seed, n_amplitudes):
        """Makers of training and of validation batches."""
        augmentation = None
        if self.augment is not False:
            strengths = nn_augmentation.AUGMENTATION | (
                self.augment if self.augment is not True else {}
            )
            generator = torch.Generator().manual_seed(seed)
            augmentation = nn_augmentation.Augmentation(generator, n_amplitudes, **strengths)
        return nn_data.BatchBuilder(augmentation=augmentation), nn_data.BatchBuilder()

    def _fitted_state(self):
        """What a further fit goes on from."""
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
        names = ("classes_", "scaler_", "encoder_weights_", "net_")
        names += ("_depth_range", "_follows_reflectors", "_heights", "_module_options")
        names += ("_amplitude_spread", "_unit_order", "_unit_order_reason", "sample_interval_")
        return {name: getattr(self, name) for name in names}

    # --- prediction ---------------------------------------------------------------------------

    def predict(self, X):
        """Facies of every sample.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or list of 2-D arrays
            Amplitudes; sections need not have the size of the training's.

        Returns
        -------
        y : array or list in the shape of `X`
            Members of ``classes_``; `ignore_label` where amplitudes are NaN.
        """
        X = self._check_prediction_data(X)
        dtype = prediction_dtype(self.classes_, self.ignore_label, self.nan_policy)
        classes = self.classes_.astype(dtype)
        labels = _empty_like(X, dtype)
        for i, traces, scores, missing in self._iterate(X, probabilities=False):
            part = classes[self._most_likely(scores, missing)]
            if missing is not None:
                part[missing] = self.ignore_label
            labels[i][traces] = part
        return labels

    def _most_likely(self, scores, missing):
        """Codes (n_traces, n_samples), in stratigraphic order if there is one."""
        return labels_from_scores(
            scores.permute(1, 2, 0).max(-1).indices.cpu().numpy(),  # faster than argmax(0)
            lambda traces: scores.permute(1, 2, 0).cpu().numpy()[traces],
            self._order_of_codes(),
            missing=missing,
            without_spikes=bool(self.dip_smoothing_),
        )

    def predict_proba(self, X):
        """Probabilities of the facies of every sample.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or list of 2-D arrays
            Amplitudes.

        Returns
        -------
        probabilities : float32 array of shape (n_sections, n_traces, n_samples, n_classes), or \
                list of (n_traces, n_samples, n_classes)
            In the order of ``classes_``; NaN where amplitudes are NaN.
        """
        X = self._check_prediction_data(X)
        result = _empty_like(X, np.float32, len(self.classes_))
        for i, traces, probabilities, missing in self._iterate(X, probabilities=True):
            part = result[i][traces]  # a view
            part[...] = probabilities.permute(1, 2, 0).cpu().numpy()
            if missing is not None:
                part[missing] = np.nan
        return result

    def score(self, X, y, sample_weight=None):
        """Mean IoU over the classes that occur in `y` or the prediction.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or list of 2-D arrays
            Amplitudes.
        y : array-like or list in the shape of `X`
            Labels; `ignore_label` and samples with NaN amplitudes do not count.
        sample_weight : array-like of shape (n_sections,) or of the shape of `X`, default=None
            Weights.

        Returns
        -------
        score : float in [0, 1]
        """
        X = self._check_prediction_data(X)
        y = ignore_missing(X, check_same_structure(y, X, channels=True), self.ignore_label)
        return iou_score(
            y, self.predict(X), ignore_label=self.ignore_label, sample_weight=sample_weight
        )

    def _check_prediction_data(self, X):
        check_is_fitted(self, "net_")
        self._validate_params()
        self._check_label_of_missing()
        X = check_sections(X, nan_policy=self.nan_policy, check_finite=False)
        self._check_channels(X)
        warn_of_other_interval(self.sample_interval_, sample_interval(X))
        return X

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
        model = clone(self).set_params(rescale=None)
        vars(model).update({k: v for k, v in vars(self).items() if k not in self.get_params()})
        model.scaler_ = clone(self.scaler_).fit([own_amplitudes(np.asarray(X[i])) for i in some])
        return model

    def _conditioner(self, spreads=None):
        return nn_data.Conditioner(self.scaler_, self._depth_range, self.n_channels_, spreads)

    def _prediction_memory(self, shape):
        """Bytes that the network takes to predict a section, for `CubeSegmenter`."""
        return prediction_bytes(
            self.net_.module_,
            self._conditioner(),
            shape,
            device=self.device_,
            memory_limit=self.memory_limit,
        )

    def _iterate(self, X, *, probabilities):
        if self.rescale is not None:
            yield from self.rescaled_to(X)._iterate(X, probabilities=probabilities)
            return
        spreads = []
        yield from iterate_scores(
            self.net_.module_,
            X,
            self._conditioner(spreads),
            device=self.device_,
            probabilities=probabilities,
            tta=self.tta,
            dip_smoothing=self.dip_smoothing_,
            norm_prior=self._norm_prior(),
            heights=self._heights,
            nan_policy=self.nan_policy,
            memory_limit=self.memory_limit,
        )
        warn_of_other_scale(self._amplitude_spread, spreads)

    def _norm_prior(self):
        return NORM_PRIOR if self.section_statistics else None

    def _validation_prior(self, valid, heights):
        """As `predict` would have it; sections of other depths among them take it from all."""
        if not valid:
            return None
        sections, runs = valid
        own = {section_shape(sections.X, run.section)[1] for run in runs}
        priors = [prior_for(height, self._norm_prior(), heights) for height in own]
        return None if None in priors else priors[0]

    # --- scikit-learn and pickle --------------------------------------------------------------

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.nan_policy == "ignore"
        tags.target_tags.single_output = False  # y has the shape of X
        tags.target_tags.multi_output = True
        tags.classifier_tags.poor_score = True  # thresholds of the common checks are for blobs
        return tags

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


def _next_seed(random_state, n_epochs):
    """Seed of a training that goes on after so many epochs: each draws anew, and can be repeated.

    Nothing is kept between calls but the number of epochs, which pickles and model files hold.
    """
    if n_epochs and isinstance(random_state, Integral):
        random_state = np.random.SeedSequence([int(random_state), n_epochs]).generate_state(1)[0]
    return check_random_state(random_state).randint(2**31 - 1)


def _empty_like(X, dtype, *more_axes):
    """Array, or list of arrays, for results in the shape of `X`."""
    if is_listlike(X):
        return [np.empty((*section.shape[:2], *more_axes), dtype=dtype) for section in X]
    return np.empty((*X.shape[:3], *more_axes), dtype=dtype)


def _module_part(net_options):
    """Arguments of the network among those of skorch's net."""
    return {k: v for k, v in net_options.items() if k.startswith("module__")}


def _summarise_training(sections, train):
    """Plain values about the data of the last fit, for the card of a model file."""
    labels, classes, ignore_label = sections.counted_labels()
    shapes = {tuple(map(int, section_shape(sections.X, run.section))) for run in train}
    return {
        "n_sections": len({int(run.section) for run in train}),
        "shapes": sorted(shapes),
        "support": _holdout.count_labels(train, labels, classes, ignore_label).tolist(),
    }


def _codes_and_amplitudes(sections, runs, scaler, spreads):
    """Labels and scaled amplitudes of runs of traces, one after the other, with their spreads."""
    conditioner = nn_data.Conditioner(scaler, None, spreads=spreads)
    for run in runs:
        traces = slice(run.start, run.stop)
        section = own_amplitudes(np.asarray(sections.X[run.section]))
        channels, *_ = conditioner(section[traces])
        yield sections.codes(run.section, traces), channels[0]


def _heights(sections, train, old):
    """Least and largest number of samples of all sections that were learnt from."""
    heights = [section_shape(sections.X, run.section)[1] for run in train]
    heights += (old and old["_heights"]) or ()
    return min(heights), max(heights)


def _labelled_runs(sections):
    labels, classes, ignore_label = sections.counted_labels()
    return _holdout.labelled_runs(sections.X, labels, classes, ignore_label)


def _crop_shape(crop_size):
    """Crop as (n_traces, n_samples), None for all of an axis."""
    if crop_size is None:
        return None, None
    sizes = (crop_size, None) if isinstance(crop_size, Integral) else tuple(crop_size)
    if len(sizes) != 2 or not all(s is None or (isinstance(s, Integral) and s > 0) for s in sizes):
        raise ValueError(
            f"`crop_size` must be None, a number of traces, or (n_traces, n_samples); got "
            f"{crop_size!r}."
        )
    return sizes


def _plain_history(net):
    return [{k: v for k, v in row.items() if k != "batches"} for row in net.history]
