"""The estimator: a scikit-learn classifier of every sample of a section."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skfacies._estimators.base import BaseSegmenter, empty_like
from skfacies._estimators.fitting import train
from skfacies._estimators.refining import EFFORT, without_contacts_of
from skfacies._estimators.self_training import unlabeled_runs
from skfacies._estimators.training_data import (
    choose_classes,
    hold_out,
    scale_surveys,
    training_sections,
)
from skfacies._nn.checkpoint import open_checkpoint
from skfacies._sections.labels import ignore_missing
from skfacies._sections.survey_scale import sample_interval, warn_of_mixed_intervals
from skfacies._sections.validation import check_same_structure, n_sections
from skfacies._stratigraphy.order import give_to_labels
from skfacies.metrics import iou_score

__all__ = ["FaciesSegmenter"]


class FaciesSegmenter(ClassifierMixin, BaseSegmenter):
    """Assign every sample of a seismic section to a facies, learned from interpreted sections.

    A U-Net with a ResNet-18 encoder is trained by AdamW on the cross-entropy of labeled samples.
    The learning rate follows a cosine schedule, and is also reduced when the loss stops falling.
    Sections may differ in size and may be labeled in part. They are never resized.

    Axes: sections are ``(n_sections, n_traces, n_samples)`` or a list of ``(n_traces, n_samples)``;
    samples point down. Labels have the shape of the amplitudes, probabilities one more axis at the
    end. A list in gives a list out. Sections may have one more axis for channels, at most 64: the
    section itself first, then other stacks or attributes, or lines beside it, as `CubeSegmenter`
    cuts them from several volumes, or with `neighbors`. The first channel decides which samples
    are missing or dead, and its reflectors are followed.

    The parameters come in five groups: the network (`encoder_name` to `decoder_channels`), the data
    (`ignore_label` to `augment`), the training (`max_epochs` to `warm_start`), the prediction
    (`tta` to `memory_limit`) and the machine (`device` to `verbose`). Those of the prediction, and
    `nan_policy`, also act when they are set after `fit`.

    Parameters
    ----------
    encoder_name : str, default="resnet18"
        An encoder of segmentation-models-pytorch, or ``"tu-<name>"`` for one of timm.
    encoder_weights : None, "auto", "imagenet", other name, or path, default=None
        Initial weights of the encoder. None starts from random weights, so that a fit depends
        neither on a cache nor on a network connection. ``"imagenet"`` takes ImageNet weights from
        the cache or the model hub, and fails if there are none. ``"auto"`` falls back to random
        weights with a warning. A path to a .safetensors or .pth file works too.
    encoder_depth : int or None, default=5
        Number of times the encoder halves the resolution. None: the default of the architecture.
    architecture : str, default="Unet"
        A decoder of segmentation-models-pytorch: "Unet", "UnetPlusPlus", "FPN", "Segformer", ….
    decoder_channels : "auto", tuple of int, int or None, default="auto"
        Widths of the decoder, from the deepest level up. "auto" is ``(128, 64, 32, 16, 16)`` for
        the U-Net, roughly half the library's default: training and prediction take 25% less time,
        at a cost of about 0.005 mean IoU near the training lines of F3. None, and "auto" for other
        architectures, is the library's default.
    ignore_label : int, str or None, default=-1
        Label of samples without interpretation. They count neither in training nor in `score`.
        None if every label is a class.
    nan_policy : {"raise", "ignore"}, default="raise"
        What to do with undefined amplitudes: NaN, 1e30, -999.25 and other null values. "ignore"
        leaves them out of training and score, and predicts `ignore_label` (NaN probabilities)
        there.
    scaler : "auto", None or transformer, default="auto"
        Normalization of amplitudes, learned from the training sections and kept in the model.
        "auto" is `AmplitudeScaler()`, by which each channel has its own scale. A transformer of
        your own learns from the first channel, and is applied to all. None takes amplitudes as they
        are.
    depth_channel : bool, default=False
        Give the network the depth of each sample as one more channel: from -1 at the top to 1 at
        the last sample of the deepest training section, also in crops.
    crop_size : None, int or tuple (n_traces, n_samples), default=256
        Train on random crops of this size. An int crops traces and keeps all samples. None takes
        whole sections. Sections that are smaller are taken whole.
    augment : bool or dict, default=True
        Random changes of the training crops. A dict changes the strength of some of them:

        - "flip" 0.5: probability of a lateral flip;
        - "gain" 0.3: largest change of log-amplitude;
        - "fade" 0.8: the same by a smooth field, so that parts of a crop are brighter than others;
          try 0 where the sections to predict are far from the training sections;
        - "noise" 0.3: largest standard deviation of added noise, in units of scaled amplitude;
        - "frequency" 0.5: largest power of frequency that multiplies the spectrum;
        - "stretch" 0.08: largest change of the logarithm of the lateral, and vertical, scale;
        - "shift", "dip", "warp" 35: largest vertical displacement in samples of all traces,
          of the outermost ones, and of smooth folds, each at most a twelfth of the crop's height;
        - "cutout" 0: largest part of the crop's height and width that is blanked;
        - "polarity" 0: probability of a change of sign.
    max_epochs : int or "auto", default="auto"
        Passes over the training sections. "auto" fits the work to the data: some minutes on a
        laptop, whether there are three sections or a thousand. With many sections, an epoch takes
        a random part of them. If a class has not been learned by then, `fit` trains on for a
        third of that time.
    batch_size : int, default=2
        Crops, or whole sections, in a training step.
    lr : float, default=1e-3
        Highest learning rate.
    lr_schedule : {"cosine", "constant"}, default="cosine"
        "cosine" warms up over the first 5% of the steps and decays to 2% at the last. Both are
        combined with ReduceLROnPlateau, which halves the rate after 10 epochs without a better
        validation loss, or training loss if nothing is held out.
    loss : {"cross_entropy", "dice", "focal", "lovasz"} or torch.nn.Module, default="cross_entropy"
        Loss of the logits. Weights of classes and samples need the cross-entropy; with another
        loss, ``class_weight="auto"`` does nothing. A module of your own, or its class, is called
        with logits ``(batch, n_classes, n_traces, n_samples)`` and the position of each label in
        ``classes_``, which is -100 where a sample does not count.
    class_weight : "auto", "balanced", dict or None, default="auto"
        Weights of the classes in the cross-entropy. "auto" lets a class that is rarer than the mean
        count more for as long as the network does not find it in the training sections; the weight
        falls to 1 as it does. "balanced" is ``n_labeled / (n_classes * count)``. A dict has labels
        as keys; labels that it leaves out have weight 1. None is 1 for all. Weights of a dict, and
        balanced ones, are relative to the mean weight of all training samples.
    validation_fraction : float in [0, 1), default=0.05
        Part of the traces that is held out, in a contiguous block, and watched: "valid_loss" and
        "valid_miou" of ``history_`` show how the model does beside the training lines. Traces of
        other lines in the block, or up to 8 traces beside it, are left out where positions are
        known: from `CubeSegmenter`, or from coordinates "inline" and "crossline". Other sections
        count as neighbors in the given order. Nothing is held out if this is 0, or if the sections
        are too few and small to spare a block. `validation_data` given to `fit` replaces the block.
    early_stopping : bool or int, default=False
        Number of epochs without improvement after which training stops; True is a third of
        `max_epochs`, at least 10. The weights of the best epoch are then restored: the one with the
        lowest mean validation loss over the last tenth of the epochs so far, or training loss if
        nothing is held out. Early stopping monitors the same mean. False keeps the weights of the
        last epoch, when the learning rate is lowest.
    self_training : bool, default=True
        Learn from sections without labels, too: those of `X` whose labels are all `ignore_label`,
        and lines that `CubeSegmenter` adds. After the training, the network predicts at most 16 of
        them. The surest half of the samples of each class become labels, and the training goes on
        with all sections for a sixth of its time. Give sections from where you want to predict:
        far from the training lines of F3, the mean IoU rises from 0.84 to 0.86. False leaves such
        sections out.
    callbacks : list of (name, skorch callback), or None, default=None
        Added to those of the estimator. They are copied, so that yours do not change. Callbacks
        that score with scikit-learn's metrics, such as ``EpochScoring("accuracy")``, expect one
        label per item and do not work here; ``history_`` has "valid_miou".
    net_params : dict or None, default=None
        Further arguments of `skorch.NeuralNet`, which override the defaults used here:
        ``"optimizer__weight_decay"`` (0.01), ``"optimizer__betas"`` ((0.9, 0.95), where PyTorch has
        (0.9, 0.999)), ``"criterion__label_smoothing"`` (0.0), ``"callbacks__lr_plateau__patience"``
        (10) and ``"callbacks__lr_plateau__factor"`` (0.5) of ReduceLROnPlateau,
        ``"module__decoder_attention_type"``, ….
    warm_start : bool, default=False
        Continue from the fitted weights in the next `fit`, with the scaler, the order of units and
        all else that the first fit learned from the data. To tune a model to another survey, fit
        a copy of it, with `rescale` and `surveys` if amplitudes differ in scale.
    tta : bool, default=False
        Average the probabilities of each section and of its mirror image.
    dip_smoothing : "auto", float or None, default="auto"
        Number of traces over which the scores of classes are averaged along the dip of the
        reflectors. Weights fall by a factor of e over this distance, and where the network is
        unsure. Predicted contacts then do not jump between similar reflectors, but units that end
        at a contact or a fault suffer. "auto" is 100 if the interpreted contacts follow reflectors
        and if averages lower the mean IoU of this network on held-out traces, or, if nothing is
        held out, on training traces, by no more than 0.01; otherwise None. The evidence
        of a single trace is capped at 6 logits per class, so a few confidently wrong traces cannot
        outvote many. Where units have an order, contacts that leave their neighbors for up to three
        traces are moved back to them. None or 0 turns this off and saves an eighth of the time.
    section_statistics : bool, default=True
        Mix each section's own batch-norm statistics with those learned in training. For a feature
        map of n positions the section's weight is ``n / (n + 128)``. The first layer always uses
        the training statistics, and so do sections whose number of samples differs by more than
        5% from the training sections. This helps far from the training lines and makes little
        difference close to them.
    unit_order : "auto", None or array-like of labels, default="auto"
        Classes from top to bottom. Traces whose labels are not in this order get the most likely
        labels that are; units may be absent. "auto" learns from the training traces which unit lies
        above which. There is no order if the traces show no single one, or if less than 95% of the
        traces of a class follow it; ``unit_order_reason_`` says why. None turns this off. An array
        must hold every class once, and may hold more. In `predict_proba` these labels have the
        highest probability: each swaps probabilities with the class that it replaces.
    positions : "auto" or None, default="auto"
        "auto" also uses the place of the sections, where it is known: contacts that were picked on
        the training lines are interpolated to each trace by kriging, and combined with the scores
        of the network, with less weight where they are uncertain. This needs units that are stacked
        in one order, and sections with line numbers. The place is known of sections that
        `CubeSegmenter` cuts from a cube with line numbers, and of `xarray.DataArray` with
        coordinates "inline" and "crossline". None ignores it.
    rescale : {"survey"} or None, default=None
        None scales amplitudes as in training. "survey" predicts another survey: the scale is
        learned anew from all sections of a prediction (`CubeSegmenter`: from the cube), and
        `positions` are not used.
    memory_limit : int, "auto" or None, default=1_000_000_000
        Approximate number of bytes that the network may use in prediction. Larger sections are
        predicted in overlapping tiles of all their samples and blended. None sets no limit. "auto"
        is a quarter of the memory that is free at the first prediction of a process, rounded down
        to a power of two: that of a CUDA device, or what the system and its control groups
        (containers, batch queues) leave. It is not the default, because tiles of other sizes change
        a few labels.
    device : str, default="auto"
        "auto" is CUDA, then MPS, then the CPU; or a torch device such as "cpu" or "cuda:0".
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of the network. "auto" is bfloat16 where the hardware computes in it
        (AVX512-BF16, AMX, CUDA from Ampere), else float32. Loss and scaling always use float32.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, order, crops and augmentation. An int gives bitwise equal fits on
        the same processor with the same number of threads. Training that continues from fitted
        weights (`partial_fit`, `warm_start`) draws anew, from the seed and the number of epochs so
        far.
    verbose : int, default=0
        1 shows a progress bar, 2 a line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels that were learned, in the type of `y`.
    net_ : skorch.NeuralNet
        The fitted net; ``net_.module_`` is the torch module, which returns logits.
    n_channels_ : int
        Number of channels of the sections.
    history_ : list of dict
        One entry per epoch: "train_loss", "valid_loss", "valid_miou", "lr", "dur" in seconds, ….
        "lr_reduced" says whether the learning rate was reduced afterward, at a plateau.
        With `early_stopping`, "best" marks epochs whose weights were the best so far; the last of
        them was kept.
    training_report_ : dict
        Recall, precision, IoU and support of each class on a sample of the training lines, in the
        form of ``facies_report(..., output_dict=True)``. A class with a recall below 0.8 has not
        been learned well; `fit` then warns.
    validation_report_ : dict or None
        The same on the held-out block, or on `validation_data`. The block lies beside the training
        traces: expect lower scores far away. None if nothing was held out.
    training_profile_ : dict or None
        What the training amplitudes are like, and where the lines lie, for
        `skfacies.qc.check_survey` and `skfacies.qc.suggest_lines`: quantiles, mean spectrum, skew,
        numbers of the first and last trace of each line, and a few traces.
    n_iter_ : int
        Number of epochs trained.
    scaler_ : transformer or None
        The fitted normalization.
    unit_order_ : ndarray of shape (n_classes,) or None
        Classes from top to bottom, if labels are predicted in that order.
    unit_order_reason_ : str or None
        Why there is no order; None if there is one.
    dip_smoothing_ : float or None
        Number of traces over which scores are averaged.
    contacts_ : KrigedContacts or None
        Picked contacts of the training lines, if their place is known: ``contacts_.predict`` of an
        array (n_traces, 2) of inline and crossline numbers gives depths and scales of errors.
    sample_interval_ : float or None
        Interval of the vertical coordinate of training sections that are DataArrays.
    encoder_weights_ : str or None
        Initial weights of the encoder; None is random weights.
    device_, precision_ : str
        The device and the arithmetic in use.

    See Also
    --------
    skfacies.metrics.facies_report : Scores of a prediction, class by class.
    skfacies.datasets.make_facies_cube : Synthetic surveys to try this on.

    Notes
    -----
    A cube ``(n_inlines, n_crosslines, n_samples)`` is a valid stack of inline sections.
    Ctrl-C during `fit` ends the training and keeps the weights so far, as skorch does; in the first
    epoch it leaves the estimator as it was. With `checkpoint`, the same call then goes on.
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

    # --- training -----------------------------------------------------------------------------

    def fit(self, X, y, *, sample_weight=None, validation_data=None, surveys=None, checkpoint=None):
        """Learn facies from interpreted sections.

        Parameters
        ----------
        X : array-like of shape (n_sections, n_traces, n_samples), or list of 2-D arrays
            Amplitudes of any real type; with channels at the end, if there are some.
        y : array-like or list in the shape of `X`, without channels
            Integers or strings; `ignore_label` marks samples without interpretation. Sections
            without any label are used by `self_training`.
        sample_weight : array-like of shape (n_sections,) or of the shape of `y`, default=None
            Weights of sections, or of samples, in the loss. They are relative to the mean weight of
            all training samples: 2 is like a section that is given twice.
        validation_data : tuple (X, y) or (X, y, surveys), default=None
            Sections to monitor the loss on, in place of a block held out from `X`. With `surveys`
            they are one survey more, or those that are named.
        surveys : array-like of shape (n_sections,), default=None
            Which survey each section is of, by any labels. Each survey is then brought to one scale
            by itself; predict with ``rescale="survey"``. None scales all sections alike.
        checkpoint : str or path, default=None
            File that keeps the state of the training. If `fit` is killed, or ended by Ctrl-C, the
            same call goes on from there, and ends with the weights of an unbroken fit. After a
            finished fit, it returns these, and trains only what follows the first training: delete
            the file when the model is saved. Writing takes 2% of the time. Each training needs its
            own file. The page "Model files" says what is compared, and when the file is written.
            None keeps no file.

        Returns
        -------
        self : FaciesSegmenter

        Raises
        ------
        ValueError
            If data or parameters are not as described, if a class has the name of a score, such as
            "mean_iou", or if `checkpoint` is damaged or is of other data or parameters; the
            estimator then stays as it was.
        OSError
            If `encoder_weights` are asked for by name or path and cannot be had, or if another
            training uses `checkpoint`.
        FloatingPointError
            If the loss becomes infinite or NaN.

        Warns
        -----
        ConvergenceWarning
            If the model does not find 80% of a class again on its own training lines.
        """
        self._check_parameters()
        old = self._go_on_from() if self.warm_start and hasattr(self, "net_") else None
        warn_of_mixed_intervals(X)
        interval = sample_interval(X)
        if surveys is not None:
            X, validation_data = scale_surveys(self, X, validation_data, surveys)
        sections = training_sections(self, X, y, sample_weight, **self._known(old))
        runs, valid = hold_out(self, sections, validation_data)
        options = {"interval": interval}
        options["unlabeled"] = unlabeled_runs(sections) if self.self_training else []
        with open_checkpoint(checkpoint) as opened:
            fitted = train(self, sections, runs, valid, old, checkpoint=opened, **options)
            fitted.hand_to(self)
        return self

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train one epoch on more sections, with nothing held out.

        Parameters
        ----------
        X, y : array-like or list
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that any call will bring; needed at the first call.
        sample_weight : array-like of shape (n_sections,) or of the shape of `y`, default=None
            As in `fit`.

        Returns
        -------
        self : FaciesSegmenter

        Notes
        -----
        The amplitude scaler is learned from the first call's sections, since the weights depend on
        it; so are the order of units and whether labels follow reflectors. The learning rate is
        `lr` throughout. Weights are not relative to those of other calls: 1 is that of a sample
        without weight.
        """
        self._check_parameters()
        old = self._go_on_from() if hasattr(self, "net_") else None
        known = {**self._known(old), "classes": choose_classes(self, classes, y, old)}
        sections = training_sections(self, X, y, sample_weight, **known)
        runs, interval = sections.labeled_runs(), sample_interval(X)
        train(self, sections, runs, None, old, interval=interval, one_epoch=True).hand_to(self)
        return self

    def refine(self, X, y, *, sample_weight=None):
        """Go on from the fitted weights with corrected and new sections, in a sixth of the time.

        Give the sections of `fit` together with the corrected and the new ones: a network forgets
        what it no longer sees. `CubeSegmenter.refine` adds the former by itself. Nothing is held
        out. Contacts of the given traces replace earlier ones. Classes, order of units and scale of
        the amplitudes stay. Sections without labels are used as `self_training` says. With them, a
        model adapts to a part of the survey that nobody has interpreted.

        Parameters
        ----------
        X, y : array-like or list
            As in `fit`.
        sample_weight : array-like of shape (n_sections,) or of the shape of `y`, default=None
            As in `fit`; more than 1 for what is corrected or new.

        Returns
        -------
        self : FaciesSegmenter

        Raises
        ------
        ValueError
            If `y` has a label that is not in `classes_`, or data or parameters are not as in `fit`.
            The estimator then stays as it was.
        """
        check_is_fitted(self, "net_")
        self._check_parameters()
        old = self._go_on_from()
        warn_of_mixed_intervals(X)
        interval = sample_interval(X)
        if self.rescale is not None:
            X, _ = scale_surveys(self, X, None, np.zeros(n_sections(X)))
        sections = training_sections(self, X, y, sample_weight, **self._known(old))
        old = without_contacts_of(old, sections)
        options = {"interval": interval, "effort": EFFORT}
        options["unlabeled"] = unlabeled_runs(sections) if self.self_training else []
        train(self, sections, sections.labeled_runs(), None, old, **options).hand_to(self)
        return self

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
        return self._predict(self._check_prediction_data(X))

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
        result = empty_like(X, np.float32, len(self.classes_))
        for i, traces, probabilities, missing, dead in self._iterate(X, probabilities=True):
            part = result[i][traces]  # a view
            part[...] = probabilities.permute(1, 2, 0).cpu().numpy()
            if self._order_of_codes() is not None:
                give_to_labels(part, self._most_likely(probabilities.clamp_min(1e-30).log_(), dead))
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

    # --- scikit-learn -------------------------------------------------------------------------

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.nan_policy == "ignore"
        tags.target_tags.single_output = False  # y has the shape of X
        tags.target_tags.multi_output = True
        tags.classifier_tags.poor_score = True  # thresholds of the common checks are for blobs
        return tags
