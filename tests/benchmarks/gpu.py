"""Labels, speed and memory on a graphics card, beside plain PyTorch in bfloat16 on the same card.

Prints tables; needs torch, what the package depends on, and at most 8 minutes::

    python tests/benchmarks/gpu.py
    python tests/benchmarks/gpu.py --device cpu --quick  # to see that it works

Without a CUDA device it says so in a line and ends with the exit status 0. The status is 1 if
labels differ from those of the CPU in more samples than they may.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import skfacies  # noqa: F401  before torch, as users import it: it sets how OpenMP threads wait

#: Seconds after which no further measurement begins, so that the last one ends within 8 minutes.
ENOUGH = 330.0
#: Part of the samples that must have the labels of the CPU, by the arithmetic of the network.
EQUAL = {"float32": 0.9999, "bfloat16": 0.995}
SOME_CUBE = (96, 256, 704)
BATCH, EPOCHS, FIRST_EPOCHS = 8, 8, 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="default: cuda")
    parser.add_argument("--quick", action="store_true", help="tiny data, to see that it works")
    arguments = parser.parse_args()
    import torch

    if torch.device(arguments.device).type == "cuda" and not torch.cuda.is_available():
        print("not measured: torch finds no CUDA device here")
        return 0
    from _speed_tables import Results, describe_machine, format_tables

    machine = describe_machine()
    if torch.device(arguments.device).type == "cuda":
        machine["graphics card"] = torch.cuda.get_device_name(arguments.device)
        machine["CUDA"] = torch.version.cuda
    results, status, start = Results(None, machine), 0, time.monotonic()
    parts = {"labels": measure_labels, "predict": measure_predict, "fit": measure_fit}
    for name, measure in parts.items():
        if time.monotonic() - start > ENOUGH:
            print(f"not measured, as the time is over: {name}", file=sys.stderr)
            continue
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        part = measure(arguments.device, arguments.quick)
        status |= part.pop("status", 0)
        results.keep(name, part)
    print(format_tables(results, order=list(parts)))
    print(f"\nmeasured in {time.monotonic() - start:.0f} s")
    return status


def make_data(quick):
    """Sections and labels of a survey of a size that is worth a card, or tiny ones."""
    from _speed_networks import N_CLASSES

    from skfacies.datasets import make_facies_cube

    shape = (8, 64, 96) if quick else SOME_CUBE
    survey = make_facies_cube(shape, n_facies=N_CLASSES, random_state=0)
    return survey.data, survey.target


def make_segmenter(device, **params):
    from skfacies import FaciesSegmenter

    options = {"crop_size": None, "batch_size": BATCH, "validation_fraction": 0, "random_state": 0}
    options |= {"max_epochs": 2, "class_weight": None, "device": device}
    return FaciesSegmenter(**{**options, **params})


# --- labels -----------------------------------------------------------------------------------


def measure_labels(device, quick):
    """Labels of a model on the device, and of its file on the CPU."""
    from skfacies.persistence import load_model, save_model

    sections, labels = make_data(quick)
    some, rows, status = sections[: 2 if quick else 8], [], 0
    for precision in _precisions(device):
        model = make_segmenter(device, precision=precision).fit(sections, labels)
        twin = make_segmenter(device, precision=precision).fit(sections, labels)
        with tempfile.TemporaryDirectory() as folder:
            save_model(model, Path(folder, "model"))
            on_cpu = load_model(Path(folder, "model"), device="cpu")
        equal = np.mean(model.predict(some) == on_cpu.predict(some))
        distance = np.abs(model.predict_proba(some) - on_cpu.predict_proba(some)).max()
        again = np.mean(model.predict(some) == twin.predict(some))
        met = equal >= EQUAL[precision]
        status |= not met
        rows.append(
            [
                precision,
                f"{100 * equal:.3f} %",
                f"≥ {100 * EQUAL[precision]:g} %",
                "yes" if met else "**no**",
                f"{distance:.1e}",
                f"{100 * again:.3f} %",
            ]
        )
    columns = ("arithmetic", "equal labels", "target", "met", "largest difference of probabilities")
    return {
        "title": f"Labels on {device} and on the CPU",
        "conditions": "The same model file; last column: equal labels of two fits with one seed.",
        "columns": (*columns, "fitted again"),
        "rows": rows,
        "ratios": [],
        "missing": [],
        "quick": quick,
        "status": int(status),
    }


def _precisions(device):
    from skfacies._nn.hardware import choose_precision

    return list(dict.fromkeys(["float32", choose_precision("auto", device)]))


# --- speed --------------------------------------------------------------------------------------


def measure_predict(device, quick):
    """Labels of sections in memory: skfacies, and the loop that one would write for a card."""
    import torch
    from _speed_networks import make_unet, widths_of
    from _speed_tables import alternate, claim, discard, make_part

    sections, labels = make_data(quick)
    model = make_segmenter(device).fit(sections[:BATCH], labels[:BATCH])
    in_order = make_segmenter(device, unit_order=None, dip_smoothing=None)
    in_order.fit(sections[:BATCH], labels[:BATCH])
    scaled = torch.from_numpy(model.scaler_.transform(sections)[:, None])
    unets = {
        "plain PyTorch": make_unet(),
        "plain PyTorch, our widths": make_unet(**widths_of(model)),
    }
    runs = {
        "skfacies": lambda: discard(model.predict(sections)),
        "skfacies, network only": lambda: discard(in_order.predict(sections)),
    }
    runs |= {name: _plain_prediction(unet, scaled, device) for name, unet in unets.items()}
    claims = [
        claim(f"predict: {name} / skfacies{more}", name, f"skfacies{more}")
        for name in unets
        for more in ("", ", network only")
    ]
    return make_part(
        "Prediction",
        _conditions(sections, model, device, runs),
        alternate(runs, 2 if quick else 7, per=len(sections)),
        claims,
        unit="ms a section",
        factor=1e3,
        quick=quick,
    )


def _plain_prediction(unet, scaled, device):
    """Labels by bfloat16 and channels-last memory, batch by batch."""
    import torch

    unet = unet.eval().to(device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def run():
        for batch in scaled.split(BATCH):
            batch = batch.to(device).contiguous(memory_format=torch.channels_last)
            with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
                logits = unet(batch)
            logits.argmax(1).cpu().numpy()

    return run


def measure_fit(device, quick):
    """Epochs of training: skfacies, and the loop that one would write for a card."""
    import torch
    from _speed_networks import make_unet, widths_of
    from _speed_tables import alternate, claim, make_part

    sections, labels = make_data(quick)
    first = make_segmenter(device, max_epochs=1).fit(sections, labels)
    scaled = torch.from_numpy(first.scaler_.transform(sections)[:, None])
    codes = torch.from_numpy(np.searchsorted(first.classes_, labels))

    def fit(name, **params):
        model = make_segmenter(device, max_epochs=EPOCHS, **params).fit(sections, labels)
        return {name: np.mean([row["dur"] for row in model.history_][FIRST_EPOCHS:])}

    unets = {
        "plain PyTorch": make_unet(),
        "plain PyTorch, our widths": make_unet(**widths_of(first)),
    }
    runs = {
        "skfacies": lambda: fit("skfacies"),
        "skfacies, no augmentation": lambda: fit("skfacies, no augmentation", augment=False),
    }
    runs |= {name: _plain_epoch(unet, scaled, codes, device) for name, unet in unets.items()}
    claims = [
        claim(f"fit: {name} / skfacies{more}", name, f"skfacies{more}")
        for name in unets
        for more in ("", ", no augmentation")
    ]
    conditions = _conditions(sections, first, device, runs)
    return make_part(
        "Training",
        f"{conditions} Seconds of an epoch after the first {FIRST_EPOCHS}, for plain PyTorch after "
        "the first round. The data of plain PyTorch lie on the device, and are not augmented.",
        alternate(runs, 1 if quick else 3, per=len(sections)),
        claims,
        unit="ms a section",
        factor=1e3,
        quick=quick,
    )


def _plain_epoch(unet, scaled, codes, device):
    """An epoch in bfloat16 and channels-last memory, with data on the device."""
    import torch

    unet = unet.train().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-3, fused=True)
    scaled, codes = scaled.to(device), codes.to(device)

    def run():
        for chosen in torch.randperm(len(codes), device=device).split(BATCH):
            batch = scaled[chosen].contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
                logits = unet(batch)
            loss = torch.nn.functional.cross_entropy(logits.float(), codes[chosen])
            loss.backward()
            optimizer.step()
        loss.item()  # waits for the device

    return run


def _conditions(sections, model, device, runs):
    """What was measured, with the most memory of the device that each run takes."""
    import torch

    n_sections, n_traces, n_samples = sections.shape
    text = (
        f"{n_sections} sections of {n_traces} × {n_samples} samples in batches of {BATCH}; "
        f"precision='auto' is {model.precision_}; plain PyTorch: bfloat16, channels-last."
    )
    if torch.device(device).type != "cuda":
        return text
    peaks = []
    for name, run in runs.items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        peak = torch.cuda.max_memory_allocated(device) - before
        peaks.append(f"{name} {peak / 1e9:.2f} GB")
    return f"{text} Most memory of the card: {'; '.join(peaks)}."


if __name__ == "__main__":
    sys.exit(main())
