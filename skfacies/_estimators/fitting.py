"""Plan a training, run it, and gather what is learned."""

import copy
import math
import warnings
from dataclasses import dataclass, fields, replace
from numbers import Integral

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skfacies._estimators import evidence
from skfacies._estimators.data_hash import combined_hash, hashes_of_data
from skfacies._estimators.fingerprint import describe_training
from skfacies._estimators.placing import learn_contacts
from skfacies._estimators.profile import learn_profile
from skfacies._estimators.refining import EFFORT
from skfacies._estimators.self_training import RATE, guess_labels
from skfacies._estimators.weighting import class_weights, rarity_of
from skfacies._nn import data as nn_data
from skfacies._nn.augmentation import AUGMENTATION, Augmentation
from skfacies._nn.callbacks import epoch_callbacks, plateau_options, training_callbacks
from skfacies._nn.checkpoint import KeepCheckpoint
from skfacies._nn.hardware import choose_device, choose_precision
from skfacies._nn.normalization import prior_for
from skfacies._nn.training import auto_epochs, make_net, train_net
from skfacies._nn.weights import resolve_encoder_weights
from skfacies._sections.scaler import AmplitudeScaler
from skfacies._sections.sections import IGNORED
from skfacies._sections.survey_scale import (
    typical_level,
    warn_of_other_interval,
    warn_of_other_scale,
)
from skfacies._sections.validation import (
    first_channels,
    n_channels,
    n_volumes,
    own_amplitudes,
    section_shape,
)
from skfacies._stratigraphy.order import check_unit_order, explain_unit_order
from skfacies._stratigraphy.reflectors import labels_follow_reflectors
from skfacies._version import __version__

__all__ = ["NORM_PRIOR", "Fitted", "train"]

#: Training lines that the order of units is learned from: neighbors have the same.
ENOUGH_RUNS = 64

#: Part of the epochs of a fit that training goes on for, if it has not learned a class. With 0.17
#: and 0.34, the recall of a class of 2 % on six distant sections rises from 0 to 0.77 and 0.86.
SECOND_EFFORT = 0.34

#: Places of a feature map that the statistics of the training count for beside a section's own.
NORM_PRIOR = 128.0


@dataclass
class Fitted:
    """All that a fit learns; the estimator has each as an attribute of the same name."""

    # What a fit that goes on from weights keeps:
    classes_: np.ndarray
    scaler_: object
    encoder_weights_: str | None
    sample_interval_: float | None
    _depth_range: int | None
    _module_options: dict
    _unit_order: tuple | None
    _unit_order_reason: str | None
    _stack: tuple | None
    _follows_reflectors: bool
    _amplitude_level: tuple | None
    _dead_rows: tuple
    # What every fit decides:
    _heights: tuple | None = None
    device_: str = ""
    precision_: str = ""
    net_: object = None
    history_: list | None = None
    n_iter_: int = 0
    _net_options: dict | None = None
    _smoothing_helps: bool = True
    training_report_: dict | None = None
    validation_report_: dict | None = None
    training_profile_: dict | None = None
    contacts_: object = None
    _training_summary: dict | None = None
    _version: str = __version__

    @classmethod
    def of(cls, estimator):
        """What an estimator has learned."""
        return cls(**{field.name: getattr(estimator, field.name) for field in fields(cls)})

    def hand_to(self, estimator):
        """Set the attributes of an estimator."""
        for field in fields(self):
            setattr(estimator, field.name, getattr(self, field.name))


def train(
    params,
    sections,
    runs,
    valid,
    old=None,
    *,
    interval=None,
    one_epoch=False,
    effort=1.0,
    unlabeled=(),
    checkpoint=None,
):
    """Train a new net, from old weights if there are any.

    Parameters
    ----------
    params : FaciesSegmenter
        Only its parameters are looked at.
    sections : Sections
    runs : list of Run
        What is trained on.
    valid : tuple (Sections, list of Run) or None
        What the loss is monitored on.
    old : Fitted or None
        What the training goes on from.
    interval : float or None
        Sample interval of the sections.
    one_epoch : bool
        As `partial_fit` does: without validation, callbacks of its own and decay of the rate.
    effort : float
        Part of the epochs of a fit that are trained.
    unlabeled : list of Run
        Sections without labels. A network that was trained before, here or for `old`, gives them
        those that it is surest of.
    checkpoint : Checkpoint or None
        Where the state is kept, and what is gone on from, if it has a file.

    Returns
    -------
    fitted : Fitted
    """
    seed = _next_seed(params.random_state, len(old.net_.history) if old else 0)
    if checkpoint and checkpoint.seed is not None and params.random_state is None:
        seed = checkpoint.seed
    if old is None:
        encoder, fitted = _look_at_data(params, sections, runs, interval)
    else:
        encoder, fitted = None, replace(old)
        _warn_of_other_survey(old, sections, runs, interval)
    fitted.device_ = choose_device(params.device)
    fitted.precision_ = choose_precision(params.precision, fitted.device_)
    fitted._module_options = {**fitted._module_options, "precision": fitted.precision_}
    known, rate = (sections, runs), 1.0
    if unlabeled and old:
        known = _with_guesses(params, fitted, sections, runs, unlabeled)
        rate = RATE if effort < 1 else 1.0
    options = {"one_epoch": one_epoch, "effort": effort, "rate": rate}
    options |= {"encoder": encoder, "checkpoint": checkpoint}
    _train_network(params, fitted, *known, valid, seed, old, **options)
    fitted._version = __version__
    if params.unit_order is not None and not isinstance(params.unit_order, str):
        fitted._stack = check_unit_order(params.unit_order, fitted.classes_)
    before = old.contacts_ if old and old._stack == fitted._stack else None
    if not (old or one_epoch or fitted.net_.interrupted):
        _go_on(params, fitted, sections, runs, unlabeled, valid, seed)
    # The picks of the held-out block are as good as others.
    picked = runs if one_epoch else sections.labeled_runs()
    fitted._training_summary = _summarize(sections, runs, picked, old and old._training_summary)
    fitted.contacts_ = learn_contacts(sections, picked, fitted._stack, before)
    fitted.training_profile_ = learn_profile(sections, picked, old and old.training_profile_)
    fitted.validation_report_ = None  # that of an earlier training says nothing of these weights
    # Single epochs would spend a third of their time on it: after 1, 2, 4, 8, … is enough.
    if not one_epoch or fitted.n_iter_.bit_count() == 1:
        names = [str(label) for label in fitted.classes_.tolist()]
        how = params.dip_smoothing, fitted._follows_reflectors
        fitted._smoothing_helps, fitted.training_report_, fitted.validation_report_ = (
            evidence.examine(make_probe(params, fitted), names, *how, (sections, runs), valid)
        )
    if not one_epoch:
        evidence.warn_of_poor_recall(fitted.training_report_, fitted.classes_)
    return fitted


def _go_on(params, fitted, sections, runs, unlabeled, valid, seed):
    """Go on if a class is not learned, then with sections without labels; without checkpoints."""

    def train_on(*known, **options):
        own = _next_seed(seed, fitted.n_iter_)
        _train_network(params, fitted, *known, valid, own, fitted, **options)

    try:
        if params.max_epochs == "auto" and not params.early_stopping:
            found = evidence.least_recall(make_probe(params, fitted), sections, runs)
            if found < evidence.LEAST_RECALL:
                train_on(sections, runs, effort=SECOND_EFFORT)
        if unlabeled and not fitted.net_.interrupted:
            fitted.contacts_ = learn_contacts(sections, runs, fitted._stack)  # for the guesses
            known = _with_guesses(params, fitted, sections, runs, unlabeled)
            train_on(*known, effort=EFFORT, rate=RATE)
    except KeyboardInterrupt:
        fitted.net_.interrupted = True
    except FloatingPointError as error:
        warnings.warn(f"{error} The weights from before are kept.", ConvergenceWarning, 4)


def _with_guesses(params, fitted, sections, runs, unlabeled):
    """Sections and runs, with what a network is surest of on those without labels."""
    probe = make_probe(params, fitted, positions=params.positions)
    guessed, guesses = guess_labels(probe, sections, unlabeled)
    return guessed, runs + guesses


def _train_network(
    params,
    fitted,
    sections,
    runs,
    valid,
    seed,
    old,
    *,
    one_epoch=False,
    effort=1.0,
    rate=1.0,
    encoder=None,
    checkpoint=None,
):
    """Train a net, from the weights of `old` if there are any, and set what comes of it.

    `effort` is the part of the epochs, and `rate` that of the learning rate, of a usual fit.
    """
    fitted._heights = _heights(sections, runs, fitted._heights)
    datasets = _datasets(params, fitted, sections, runs, valid, seed)
    epochs = 1 if one_epoch else _plan_epochs(params, *datasets, effort)
    fitted._net_options = _net_options(params, sections, runs, one_epoch=one_epoch)
    if checkpoint:
        others = {"seed": seed, "n_epochs": epochs}
        words = describe_training(params, fitted, sections, runs, valid, old, **others)
        checkpoint.begin(words, seed)
    own = fitted._net_options | {"lr": rate * fitted._net_options["lr"]}
    net = make_net(fitted._module_options, own, device=fitted.device_)
    n_steps = -(-datasets[0].n_per_epoch // params.batch_size)
    net.set_params(
        max_epochs=epochs,
        verbose=max(0, params.verbose - 1),
        criterion__rarity=None if one_epoch else rarity_of(params, sections, runs),
        callbacks=epoch_callbacks(params.callbacks)
        if one_epoch
        else _callbacks(params, sections, valid, epochs, n_steps, checkpoint),
    )
    train_net(
        net,
        datasets,
        seed=seed,
        batch_size=params.batch_size,
        collate=make_collate(params, seed, n_channels(sections.X)),
        encoder=encoder,
        previous=old and old.net_,
        norm_prior=_validation_prior(params, valid, fitted._heights),
        checkpoint=checkpoint,
    )
    fitted.net_, fitted.n_iter_ = net, len(net.history)
    fitted.history_ = [{k: v for k, v in row.items() if k != "batches"} for row in net.history]


def _next_seed(random_state, n_epochs):
    """Seed of a training that goes on after so many epochs: each draws anew, and can be repeated.

    Nothing is kept between calls but the number of epochs, which pickles and model files hold.
    """
    if n_epochs and isinstance(random_state, Integral):
        random_state = np.random.SeedSequence([int(random_state), n_epochs]).generate_state(1)[0]
    return check_random_state(random_state).randint(2**31 - 1)


# --- before the training ----------------------------------------------------------------------


def _look_at_data(params, sections, runs, interval):
    """Pretrained weights of the encoder, and what the data tell before a network sees them."""
    evidence.check_names(sections.classes)
    weights, found = resolve_encoder_weights(params.encoder_name, params.encoder_weights)
    encoder = None if weights is None else (params.encoder_name, weights)
    n_classes, scaler = len(sections.classes), _fit_scaler(params, sections, runs)
    some = runs[:: max(1, len(runs) // ENOUGH_RUNS)]
    if params.unit_order is not None and not isinstance(params.unit_order, str):
        check_unit_order(params.unit_order, sections.classes)
    order, reason, stack = explain_unit_order(
        # All are held at once.
        (sections.codes(run.section, run.traces).astype(np.int16) for run in some),
        n_classes,
        sections.classes.tolist(),
    )
    fewer, levels, margins = _fewer(some), [], []
    pairs = _codes_and_amplitudes(sections, fewer, scaler, levels, margins)
    follows = labels_follow_reflectors(pairs, n_classes)
    deepest = max(section_shape(sections.X, run.section)[1] for run in runs)
    return encoder, Fitted(
        classes_=sections.classes,
        scaler_=scaler,
        encoder_weights_=found,
        sample_interval_=interval,
        _depth_range=deepest if params.depth_channel else None,
        _module_options={**params._structure(n_channels(sections.X)), "n_classes": n_classes},
        _unit_order=order,
        _unit_order_reason=reason,
        _stack=stack,
        _follows_reflectors=follows,
        _amplitude_level=typical_level(levels),
        _dead_rows=tuple(np.max(margins, axis=0).tolist()) if margins else (0, 0),
    )


def _fit_scaler(params, sections, runs):
    """Learn normalization from the training traces only: nothing held out may leak."""
    if params.scaler is None:
        return None
    scaler = AmplitudeScaler() if params.scaler == "auto" else clone(params.scaler)
    n = n_volumes(sections.X) if type(scaler) is AmplitudeScaler else 1
    amplitudes = (
        first_channels(np.asarray(sections.X[run.section]), n)[run.traces] for run in runs
    )
    if hasattr(scaler, "partial_fit"):
        for part in amplitudes:  # one at a time: X may be larger than memory
            scaler.partial_fit([part])
    else:
        scaler.fit(list(amplitudes))
    dead = np.flatnonzero(np.equal(getattr(scaler, "n_samples_seen_", 1), 0))
    if len(dead):
        where = f" in channel {dead[0]}" if n > 1 else ""
        raise ValueError(
            f"`X` has no live sample{where}: all amplitudes are zero, constant or undefined. Is it "
            "the right file or array?"
        )
    return scaler


def _fewer(runs):
    """Some runs that tell what all of them are like."""
    return runs[:: max(1, 4 * len(runs) // ENOUGH_RUNS)]


def _codes_and_amplitudes(sections, runs, scaler, levels, margins):
    """Labels and scaled amplitudes of runs of traces, one after the other.

    Lists are given the level of each run, and the dead samples that all of its traces begin and end
    with.
    """
    conditioner = nn_data.Conditioner(scaler, None, levels=[levels])
    for run in runs:
        section = own_amplitudes(np.asarray(sections.X[run.section]))
        channels, _, dead = conditioner(section[run.traces])
        live = np.flatnonzero(~dead.all(axis=0)) if dead is not None else [0, section.shape[1] - 1]
        if len(live):
            margins.append((int(live[0]), section.shape[1] - 1 - int(live[-1])))
        yield sections.codes(run.section, run.traces), channels[0]


def _warn_of_other_survey(old, sections, runs, interval):
    """Warn where training goes on with amplitudes or intervals unlike those it began with."""
    warn_of_other_interval(old.sample_interval_, interval)
    levels = []
    conditioner = nn_data.Conditioner(old.scaler_, None, levels=[levels])
    for run in _fewer(runs):
        conditioner(own_amplitudes(np.asarray(sections.X[run.section]))[run.traces])
    warn_of_other_scale(old._amplitude_level, levels)


def _heights(sections, runs, before):
    """Least and largest number of samples of all sections that were learned from."""
    heights = [section_shape(sections.X, run.section)[1] for run in runs]
    heights += before or ()
    return min(heights), max(heights)


# --- the plan -----------------------------------------------------------------------------------


def _datasets(params, fitted, sections, runs, valid, seed):
    """Crops to train on, and sections to validate on, or None."""
    conditioner = nn_data.Conditioner(fitted.scaler_, fitted._depth_range, n_channels(sections.X))
    chance = np.random.default_rng(seed)
    training = nn_data.SectionDataset(sections, runs, conditioner, params._crop_shape(), chance)
    return training, nn_data.SectionDataset(*valid, conditioner) if valid else None


def _plan_epochs(params, training, validation, effort):
    """Number of epochs; of much data, each takes a part of the sections only."""
    if params.max_epochs != "auto":
        return max(1, round(effort * params.max_epochs))
    n_pixels = sum(np.prod(training.shape(i)) for i in range(len(training)))
    epochs, share = auto_epochs(-(-len(training) // params.batch_size), n_pixels, effort)
    training.n_per_epoch = math.ceil(share * len(training))
    if validation is not None:  # neighbors are near copies here, too
        every = max(1, round(0.5 / share))
        validation.items = validation.items[::every]
        validation.n_per_epoch = len(validation.items)
    return epochs


def _net_options(params, sections, runs, *, one_epoch):
    """Arguments of skorch's net that a saved model needs again."""
    weights = class_weights(params, sections, runs)
    mean_weight = 1.0 if one_epoch else sections.mean_weight(runs, weights)
    of_plateau = plateau_options(params.net_params)
    others = {k: v for k, v in (params.net_params or {}).items() if k not in of_plateau}
    return {
        "criterion__loss": params.loss,
        "criterion__class_weight": None if weights is None else torch.tensor(weights),
        "criterion__mean_weight": mean_weight,
        "lr": params.lr,
        **copy.deepcopy(others),
    }


def _callbacks(params, sections, valid, epochs, n_steps, checkpoint):
    patience = params.early_stopping
    if isinstance(patience, (bool, np.bool_)) and patience:
        patience = max(10, epochs // 3)
    callbacks = training_callbacks(
        n_classes=len(sections.classes),
        has_validation=valid is not None,
        n_steps=epochs * n_steps,
        schedule=params.lr_schedule,
        plateau=plateau_options(params.net_params),
        patience=patience,
        verbose=params.verbose,
        user=params.callbacks,
    )
    return callbacks + ([("kept_checkpoint", KeepCheckpoint(checkpoint))] if checkpoint else [])


def make_collate(params, seed, n_amplitudes):
    """Makers of training and of validation batches."""
    augmentation = None
    changed = params.augment if isinstance(params.augment, dict) else {}
    if isinstance(params.augment, dict) or params.augment:
        strengths = AUGMENTATION | changed
        generator = torch.Generator().manual_seed(seed)
        augmentation = Augmentation(generator, n_amplitudes, **strengths)
    return nn_data.BatchBuilder(augmentation=augmentation), nn_data.BatchBuilder()


def _validation_prior(params, valid, heights):
    """As `predict` would have it; sections of other depths among them take it from all."""
    if not valid:
        return None
    sections, runs = valid
    prior = NORM_PRIOR if params.section_statistics else None
    own = {section_shape(sections.X, run.section)[1] for run in runs}
    priors = [prior_for(height, prior, heights) for height in own]
    return None if None in priors else priors[0]


# --- after the training -------------------------------------------------------------------------


def make_probe(params, fitted, positions=None):
    """An estimator whose classes are codes, to predict what it was trained on.

    On the training lines, the picks would be their own evidence: `positions` are for others.
    """
    order = params.unit_order
    if order is not None and not isinstance(order, str):
        order = list(check_unit_order(order, fitted.classes_))
    probe = clone(params).set_params(
        unit_order=order,
        nan_policy="ignore",
        ignore_label=IGNORED,
        rescale=None,
        tta=False,
        positions=positions,
    )
    # What it predicts are not amplitudes of another survey.
    codes_as_classes = np.arange(len(fitted.classes_))
    replace(fitted, classes_=codes_as_classes, _amplitude_level=None).hand_to(probe)
    return probe


def _summarize(sections, runs, picked, before):
    """Plain values about the data of the fit, for the card of a model file.

    `runs` are trained on, `picked` are all that have labels, `before` is the summary of the
    training that goes on.
    """
    before = before or {}
    shapes = {tuple(map(int, section_shape(sections.X, run.section))) for run in runs}
    return {
        "n_sections": len({int(run.section) for run in runs}),
        "shapes": sorted(shapes),
        "support": sections.count(runs).tolist(),
        "n_trainings": 1 + before.get("n_trainings", 0),
        "hash": combined_hash(hashes_of_data(sections, picked), before.get("hash")),
    }
