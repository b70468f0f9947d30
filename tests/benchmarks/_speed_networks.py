"""Prediction and training of sections, for the benchmark of speed: skfacies and its rivals."""

import copy
import functools
import statistics
import time

import numpy as np
import segmentation_models_pytorch as smp
import torch
from _speed_tables import alternate, claim, discard, make_part
from skorch import NeuralNet
from torch.utils.data import DataLoader, TensorDataset

from skfacies import FaciesSegmenter
from skfacies._estimators.fitting import make_collate
from skfacies._sections.sections import IGNORED
from skfacies.datasets import make_facies_cube

N_CLASSES = 10

#: Sections in a batch of the rivals, and of skfacies where it is compared with them.
BATCH = 4

#: Epochs of a fit that is timed, and how many of them pass before an epoch counts. They meet memory
#: that the process does not have yet; the rivals keep theirs from round to round.
EPOCHS, FIRST_EPOCHS = 4, 2


def make_data(quick):
    """Sections and labels: as large as those of a small survey, or tiny."""
    shape = (4, 64, 96) if quick else (8, 256, 704)
    survey = make_facies_cube(shape, n_facies=N_CLASSES, random_state=0)
    return survey.data, survey.target


def make_unet(**widths):
    """The U-Net that one would take, or one of other widths."""
    return smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=N_CLASSES, **widths)


def widths_of(segmenter):
    """Widths of the decoder of a fitted segmenter, as `make_unet` takes them."""
    return {"decoder_channels": segmenter._module_options["decoder_channels"]}


def describe(sections, more):
    n_sections, n_traces, n_samples = sections.shape
    return (
        f"{n_sections} sections of {n_traces} × {n_samples} samples, {N_CLASSES} classes, U-Net "
        f"with a ResNet-18 encoder; threads: {torch.get_num_threads()}. {more}"
    )


# --- prediction -------------------------------------------------------------------------------


def measure_predict(repeats=None, quick=False):
    """Labels of sections in memory, by skfacies, by what one would write, by the bare network."""
    repeats = repeats or (2 if quick else 15)
    sections, labels = make_data(quick)
    fast = FaciesSegmenter(encoder_weights=None, max_epochs=1, crop_size=64, random_state=0)
    fast.set_params(validation_fraction=0, class_weight=None)  # the loss of the plain network
    fast.fit(sections[:2], labels[:2])
    exact = FaciesSegmenter(**fast.get_params()).set_params(precision="float32")
    exact.fit(sections[:2], labels[:2])
    # As for traces that are in order: nothing is put right.
    in_order = copy.deepcopy(fast).set_params(unit_order=None)
    along = copy.deepcopy(fast).set_params(dip_smoothing=100.0)
    scaled = exact.scaler_.transform(sections)[:, None]
    usual = make_unet().eval()
    unet = make_unet(**widths_of(exact))
    unet.load_state_dict(exact.net_.module_.network.state_dict())
    unet.eval()
    runs = {
        "skfacies": lambda: discard(fast.predict(sections)),
        "skfacies, traces in order": lambda: discard(in_order.predict(sections)),
        "skfacies, along reflectors": lambda: discard(along.predict(sections)),
        "skfacies, float32": lambda: discard(exact.predict(sections)),
        "plain PyTorch": lambda: predict_plainly(usual, scaled),
        "plain PyTorch, our widths": lambda: predict_plainly(unet, scaled),
        "plain skorch": functools.partial(_predict_skorch, _skorch_net(usual), scaled),
    }
    windows, missing = _monai_runs(usual, scaled)
    runs |= windows
    for name, segmenter in (("", fast), (", float32", exact)):
        batches = fed_batches(segmenter, sections)
        size = len(batches[0])
        whole = [_channels_last(scaled[i : i + size]) for i in range(0, len(scaled), size)]
        bare = copy.deepcopy(unet).to(memory_format=torch.channels_last)
        runs[f"network alone, padded{name}"] = _bare_prediction(bare, segmenter, batches)
        runs[f"network alone, not padded{name}"] = _bare_prediction(bare, segmenter, whole)
        own = segmenter.net_.module_.network
        runs[f"our network alone, padded{name}"] = _bare_prediction(own, segmenter, batches)
    claims = [
        claim("predict: plain PyTorch / skfacies", "plain PyTorch", "skfacies", at_least=4.0),
        claim(
            "predict: plain PyTorch of our widths / skfacies",
            "plain PyTorch, our widths",
            "skfacies",
        ),
        claim("predict: plain skorch / skfacies", "plain skorch", "skfacies"),
        claim(
            "predict: plain PyTorch / skfacies, along reflectors",
            "plain PyTorch",
            "skfacies, along reflectors",
        ),
        claim(
            "predict: skfacies, traces in order / our network alone",
            "skfacies, traces in order",
            "our network alone, padded",
            at_most=1.08,
        ),
        *(claim(f"predict: {name} / skfacies", name, "skfacies") for name in windows),
        claim(
            "predict: plain PyTorch / skfacies at float32",
            "plain PyTorch",
            "skfacies, float32",
            at_least=1.4,
        ),
    ]
    if fast.precision_ == "float32":  # no bfloat16 in hardware: the first claim is the last
        claims[0]["at_least"] = 1.4
    for name in ("", ", float32"):
        at = " at float32" if name else ""
        claims += [
            claim(
                f"predict: skfacies / network alone on the same padded batches{at}",
                f"skfacies{name}",
                f"network alone, padded{name}",
                at_most=1.08,
            ),
            claim(
                f"predict: skfacies / network alone without padding{at}",
                f"skfacies{name}",
                f"network alone, not padded{name}",
            ),
            claim(
                f"predict: skfacies / our network alone{at}",
                f"skfacies{name}",
                f"our network alone, padded{name}",
                at_most=1.08,
            ),
        ]
    return make_part(
        "Prediction",
        describe(sections, f"precision='auto' is {fast.precision_}."),
        alternate(runs, repeats, per=len(sections)),
        claims,
        unit="ms a section",
        factor=1e3,
        missing=missing,
        quick=quick,
    )


def predict_plainly(unet, scaled):
    """Predict as the recipes that are around do: float32, default layout, batches of four."""
    loader = DataLoader(TensorDataset(torch.from_numpy(scaled)), batch_size=BATCH)
    labels = []
    with torch.no_grad():
        for (batch,) in loader:
            labels.append(unet(batch).argmax(1).numpy())
    np.concatenate(labels)


def _skorch_net(unet):
    # The default nonlinearity is a softmax over the last axis: over depth, for sections.
    net = NeuralNet(unet, torch.nn.CrossEntropyLoss, batch_size=BATCH, predict_nonlinearity=None)
    return net.initialize()


def _predict_skorch(net, scaled):
    net.predict_proba(scaled).argmax(1)


def _monai_runs(unet, scaled):
    """Runs of MONAI, where it is installed, and otherwise a sentence that it is not."""
    try:
        from monai.inferers import SliceInferer, sliding_window_inference
    except ImportError:
        return {}, ["MONAI is not installed, so it was not measured."]
    window = tuple(min(256, size) for size in scaled.shape[2:])
    slices = SliceInferer(roi_size=scaled.shape[2:], spatial_dim=0, sw_batch_size=BATCH)

    @torch.no_grad()
    def slide():
        for start in range(0, len(scaled), BATCH):
            batch = torch.from_numpy(scaled[start : start + BATCH])
            sliding_window_inference(batch, window, BATCH, unet).argmax(1).numpy()

    @torch.no_grad()
    def slice_cube():
        cube = torch.from_numpy(scaled[:, 0])[None, None]
        slices(cube, unet).argmax(1).numpy()

    name = f"MONAI sliding_window_inference, {window[0]} × {window[1]}"
    return {name: slide, "MONAI SliceInferer, whole sections": slice_cube}, []


def fed_batches(segmenter, sections):
    """Batches that `predict` feeds to the network, in its layout, at the float32 they come in."""
    segmenter.predict(sections)  # the first time, the network's memory is measured on a copy
    batches = []
    hook = segmenter.net_.module_.register_forward_pre_hook(
        lambda _, inputs: batches.append(_channels_last(inputs[0].numpy()))
    )
    segmenter.predict(sections)
    hook.remove()
    n_fed = sum(len(batch) for batch in batches)
    if n_fed != len(sections):
        raise RuntimeError(f"{n_fed} items were fed to the network for {len(sections)} sections")
    return batches


def _channels_last(batch):
    return torch.from_numpy(batch.copy()).contiguous(memory_format=torch.channels_last)


def _bare_prediction(unet, segmenter, batches):
    @torch.inference_mode()
    def run():
        for batch in batches:
            with _autocast(segmenter.precision_):
                unet(batch)

    return run


def _autocast(precision):
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16")


# --- training ---------------------------------------------------------------------------------


def measure_fit(repeats=None, quick=False):
    """Epochs of training: by skfacies, by what one would write, by a bare loop of its steps."""
    repeats = repeats or (2 if quick else 7)
    sections, labels = make_data(quick)
    segmenter = FaciesSegmenter(encoder_weights=None, max_epochs=EPOCHS, validation_fraction=0)
    segmenter.set_params(random_state=0)
    whole = {"crop_size": None, "batch_size": BATCH}
    first = FaciesSegmenter(**segmenter.get_params()).set_params(**whole)
    first.set_params(max_epochs=1).fit(sections, labels)
    scaled = first.scaler_.transform(sections)[:, None]
    codes = np.searchsorted(first.classes_, labels)
    runs = {
        "skfacies": _skfacies_fit(segmenter, sections, labels, "skfacies", **whole),
        "plain PyTorch": _plain_fit(make_unet(), scaled, codes),
        "plain PyTorch, our widths": _plain_fit(make_unet(**widths_of(first)), scaled, codes),
        "plain skorch": _skorch_fit(scaled, codes),
        "bare loop of the same steps": _bare_fit(first, scaled, codes),
        "float32: skfacies": _skfacies_fit(
            segmenter, sections, labels, "float32: skfacies", precision="float32", **whole
        ),
        "defaults: skfacies": _skfacies_fit(segmenter, sections, labels, "defaults: skfacies"),
    }
    claims = [
        claim("fit: plain PyTorch / skfacies", "plain PyTorch", "skfacies", at_least=3.5),
        claim("fit: plain skorch / skfacies", "plain skorch", "skfacies", at_least=3.5),
        claim(
            "fit: plain PyTorch of our widths / skfacies", "plain PyTorch, our widths", "skfacies"
        ),
        claim("fit: plain PyTorch / skfacies at float32", "plain PyTorch", "float32: skfacies"),
        claim(
            "fit: skfacies / bare loop of the same steps, augmentation included",
            "skfacies",
            "bare loop of the same steps",
            at_most=1.10,
        ),
        claim(
            f"fit: skfacies, start and end of a fit of {EPOCHS} epochs included / bare loop",
            "skfacies, whole call",
            "bare loop of the same steps",
        ),
    ]
    if first.precision_ == "float32":  # no bfloat16 in hardware
        claims[0]["at_least"] = claims[1]["at_least"] = None
    return make_part(
        "Training",
        describe(
            sections,
            f"precision='auto' is {first.precision_}. Whole sections in batches of {BATCH}, "
            f"nothing held out. Time of an epoch after the first {FIRST_EPOCHS}, for the rivals "
            "after the first round; of the whole call, with checks, scaling and the making of the "
            f"network, in {EPOCHS} epochs. “defaults”: crops of 256 traces in batches of "
            f"{segmenter.batch_size}.",
        ),
        alternate(runs, repeats, per=len(sections)),
        claims,
        unit="ms a section",
        factor=1e3,
        quick=quick,
    )


def _skfacies_fit(segmenter, sections, labels, name, **params):
    def run():
        own = FaciesSegmenter(**segmenter.get_params()).set_params(**params)
        start = time.perf_counter()
        own.fit(sections, labels)
        whole = time.perf_counter() - start
        epochs = [row["dur"] for row in own.history_]
        return {
            name: statistics.mean(epochs[FIRST_EPOCHS:]),
            f"{name}, whole call": whole / len(epochs),
        }

    return run


def _plain_fit(unet, scaled, codes):
    """An epoch as in the recipes that are around: float32, default layout, no augmentation."""
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    criterion = torch.nn.CrossEntropyLoss(ignore_index=IGNORED)
    dataset = TensorDataset(torch.from_numpy(scaled), torch.from_numpy(codes))
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True)

    def run():
        unet.train()
        total = 0.0
        for batch, target in loader:
            optimizer.zero_grad()
            loss = criterion(unet(batch), target)
            loss.backward()
            optimizer.step()
            total += loss.item()
        schedule.step(total)

    return run


def _skorch_fit(scaled, codes):
    net = NeuralNet(
        make_unet(),
        torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        batch_size=BATCH,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).initialize()
    return lambda: discard(net.partial_fit(scaled, codes, epochs=1))


def _bare_fit(segmenter, scaled, codes):
    """An epoch of the steps that `fit` makes, on tensors that are ready, and nothing else."""
    unet = make_unet(**widths_of(segmenter)).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
    augment = make_collate(segmenter, 0, 1)[0].augmentation
    amplitudes, codes = torch.from_numpy(scaled), torch.from_numpy(codes)

    def run():
        order = torch.randperm(len(codes))
        for chosen in order.split(BATCH):
            batch, target = augment(amplitudes[chosen], codes[chosen])[:2]
            batch = batch.contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            with _autocast(segmenter.precision_):
                logits = unet(batch)
            loss = torch.nn.functional.cross_entropy(logits.float(), target, ignore_index=IGNORED)
            loss.backward()
            optimizer.step()
            loss.item()

    return run
