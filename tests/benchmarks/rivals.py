"""What one would use instead of skfacies, at a given processor time.

A rival is a function ``f(split, seed, seconds)`` that returns the predicted labels (n_traces,
n_samples) of each line of ``split.test``. `seconds` is the processor time that training may take,
preparation of the training data included, summed over threads; prediction is not counted. ::

    python tests/benchmarks/rivals.py --split near --seconds 60
"""

import argparse
import time

import numpy as np
import segmentation_models_pytorch as smp
import torch
from _splits import make_split
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import gaussian_filter, sobel, uniform_filter, uniform_filter1d
from scipy.signal import hilbert
from scipy.spatial import cKDTree
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier

from skfacies.metrics import iou_score


class Clock:
    """Processor time since it was made, and whether work still fits into `seconds`."""

    slack = 1.03  # the last step may end this much late

    def __init__(self, seconds):
        self.seconds = seconds
        self.start = time.process_time()

    @property
    def used(self):
        return time.process_time() - self.start

    @property
    def left(self):
        return self.seconds - self.used

    def fits(self, cost):
        return self.used + cost <= self.slack * self.seconds


# --- networks on whole sections ---------------------------------------------------------------

MULTIPLE = 32  # the encoder halves sections five times


def pad(section, **how):
    """The section with its far ends padded to multiples of 32."""
    return np.pad(section, [(0, -size % MULTIPLE) for size in section.shape], **how)


def prepare(line, mean, std):
    """Padded amplitudes, mirrored beyond the ends, with a channel axis."""
    return pad((line.seismic - mean) / std, mode="symmetric")[None].astype(np.float32)


def training_set(split):
    """(amplitudes, labels) of each training line, and the mean and deviation of amplitudes."""
    amplitudes = np.concatenate([line.seismic.ravel() for line in split.train])
    scale = amplitudes.mean(), amplitudes.std()
    pairs = [
        (prepare(line, *scale), pad(line.labels.astype(np.int64), constant_values=-1))
        for line in split.train
    ]
    return pairs, scale


def epoch_batches(pairs, rng, size=4):
    """Batches of at most `size` sections of equal shape, all sections once, in random order."""
    groups = {}
    for i in rng.permutation(len(pairs)):
        groups.setdefault(pairs[i][1].shape, []).append(i)
    batches = [g[i : i + size] for g in groups.values() for i in range(0, len(g), size)]
    for b in rng.permutation(len(batches)):
        amplitudes, labels = zip(*[pairs[i] for i in batches[b]], strict=True)
        yield torch.from_numpy(np.stack(amplitudes)), torch.from_numpy(np.stack(labels))


def train(clock, network, optimizer, loss, batches, after_epoch):
    """Epochs until the time is up, the last of them cut short; the weights are the last.

    `batches` is called for each epoch; `after_epoch` gets the mean training loss.
    """
    network.train()
    spent = samples = 0
    while True:
        losses = []
        for X, y in batches():
            if samples and not clock.fits(spent / samples * y.numel()):
                return
            start = clock.used
            optimizer.zero_grad()
            value = loss(network(X), y)
            value.backward()
            optimizer.step()
            losses.append(value.item())
            spent, samples = spent + clock.used - start, samples + y.numel()
        after_epoch(np.mean(losses))


@torch.inference_mode()
def predict_sections(network, split, scale):
    """Labels of the test lines, one whole line at a time."""
    network.eval()
    predictions = []
    for line in split.test:
        logits = network(torch.from_numpy(prepare(line, *scale)[None]))[0]
        n_traces, n_samples = line.seismic.shape
        predictions.append(logits[:, :n_traces, :n_samples].argmax(0).numpy())
    return predictions


def reference(split, seed, seconds):
    """A U-Net in plain PyTorch, as many write it: AdamW, cross-entropy, whole sections."""
    clock = Clock(seconds)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pairs, scale = training_set(split)
    network = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=split.n_classes)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    loss = torch.nn.CrossEntropyLoss(ignore_index=-1)
    batches = lambda: epoch_batches(pairs, rng)  # noqa: E731
    train(clock, network, optimizer, loss, batches, after_epoch=scheduler.step)
    return predict_sections(network, split, scale)


# --- gradient boosting on attributes ----------------------------------------------------------

TINY = 1e-6  # dead traces divide by it


def trace_map(line):
    """Inline and crossline number of each trace (n_traces, 2)."""
    along = line.first + np.arange(len(line.seismic))
    own = np.full(len(along), line.number)
    return np.stack([own, along] if line.direction == "inline" else [along, own], axis=1)


def complex_trace(amplitudes, window=9):
    """Envelope, cosine of phase, instantaneous frequency (cycles per sample) and sweetness."""
    analytic = hilbert(amplitudes, axis=1)
    envelope = np.abs(analytic)
    # The phase advance from sample to sample, weighted by energy: spikes at low envelope vanish.
    advance = analytic[:, 1:] * analytic[:, :-1].conj()
    advance = np.pad(advance, [(0, 0), (0, 1)], mode="edge")
    real, imaginary = (uniform_filter1d(a, window, axis=1) for a in (advance.real, advance.imag))
    frequency = np.arctan2(imaginary, real) / (2 * np.pi)
    sweetness = envelope / np.sqrt(np.clip(frequency, 0.01, None))
    return envelope, amplitudes / (envelope + TINY), frequency, sweetness


def structure(amplitudes, sigma=3):
    """Dip (samples per trace) and anisotropy (0 chaotic to 1 layered) of the structure tensor."""
    lateral, vertical = sobel(amplitudes, 0), sobel(amplitudes, 1)
    xx, zz, xz = (
        gaussian_filter(product, sigma) for product in (lateral**2, vertical**2, lateral * vertical)
    )
    spread = np.hypot(xx - zz, 2 * xz)
    dip = np.tan(np.arctan2(-2 * xz, zz - xx + TINY) / 2)
    return np.clip(dip, -5, 5), spread / (xx + zz + TINY)


def semblance(amplitudes, n_traces=5, n_samples=9):
    """Energy of the mean of neighboring traces over the mean of their energies."""
    stacked = uniform_filter1d(amplitudes, n_traces, axis=0) ** 2
    energy = uniform_filter(amplitudes**2, (n_traces, n_samples))
    return uniform_filter1d(stacked, n_samples, axis=1) / (energy + TINY)


def attributes(line):
    """Attributes of every sample of a line, in the order of its ravelled labels."""
    amplitudes = line.seismic.astype(np.float64)
    envelope, cosine, frequency, sweetness = complex_trace(amplitudes)
    rms = [np.sqrt(uniform_filter(amplitudes**2, window)) for window in ((1, 9), (5, 25), (9, 65))]
    inlines, crosslines = np.broadcast_to(trace_map(line).T[:, :, None], (2, *amplitudes.shape))
    depth = np.broadcast_to(np.arange(amplitudes.shape[1]), amplitudes.shape)
    columns = [amplitudes, envelope, cosine, frequency, sweetness, *rms]
    columns += [uniform_filter(frequency, (5, 25)), uniform_filter(envelope, (1, 25))]
    columns += [*structure(amplitudes), semblance(amplitudes), depth, inlines, crosslines]
    return np.stack([column.ravel() for column in columns], axis=1, dtype=np.float32)


def seconds_per_iteration(model, X, y):
    """Processor time of an iteration: the fixed part, and the part per sample."""
    sizes, times = (min(2_000, len(y) // 2), min(40_000, len(y))), []
    for size in sizes:
        clock = Clock(0)
        model.set_params(max_iter=5).fit(X[:size], y[:size])
        times.append(clock.used / 5)
    return times[0], max(times[1] - times[0], TINY) / (sizes[1] - sizes[0])


def add_trees(clock, model, X, y):
    """Fit a new model until the time is up: 1 iteration, 30, and what the rest allows."""
    seconds = []
    for n_iterations in (1, 31):
        start = clock.used
        model.set_params(warm_start=True, max_iter=n_iterations).fit(X, y)
        seconds.append(clock.used - start)
    # To go on, a fit bins X again and predicts with its trees: about half the time they took.
    per_iteration = max(seconds[1] - seconds[0], TINY) / (30 - 1 + 1 / 2)
    start_again = max(seconds[0] - per_iteration, 0) + 31 / 2 * per_iteration
    more = int((0.97 * clock.left - start_again) / per_iteration)  # later trees cost more
    if more > 0:
        model.set_params(max_iter=31 + more).fit(X, y)


def gradient_boosting(split, seed, seconds, n_iterations=100):
    """Boosted trees of scikit-learn on attributes and position of single samples.

    So many samples are drawn that about `n_iterations` fill the time. Where all samples are too
    few for that there are more iterations.
    """
    clock = Clock(seconds)
    X = np.concatenate([attributes(line) for line in split.train])
    y = np.concatenate([line.labels.ravel() for line in split.train])
    order = np.random.default_rng(seed).permutation(np.flatnonzero(y >= 0))
    # Without regularisation the loss of well separated facies grows again on some draws.
    model = HistGradientBoostingClassifier(
        l2_regularization=1, early_stopping=False, random_state=seed
    )
    pilot = order[:40_000]
    fixed, slope = seconds_per_iteration(clone(model), X[pilot], y[pilot])
    drawn = order[: max(int((clock.left / n_iterations - fixed) / slope), 2_000)]
    add_trees(clock, model, X[drawn], y[drawn])
    return [model.predict(attributes(line)).reshape(line.labels.shape) for line in split.test]


# --- the nearest interpreted trace ------------------------------------------------------------


def nearest_line(split, seed, seconds):
    """The label at the same depth of the nearest trace that has one there; no seismic at all."""
    positions = np.concatenate([trace_map(line) for line in split.train])
    labels = np.concatenate([line.labels for line in split.train])
    labeled = (labels >= 0).any(axis=0)  # depths that have a label on any trace
    kept = nearest_depth(labeled)
    labels = labels[:, labeled]
    # Depths at which the same traces are labeled share a search.
    patterns, pattern_of = np.unique(labels >= 0, axis=1, return_inverse=True)
    known = [np.flatnonzero(pattern) for pattern in patterns.T]
    trees = [cKDTree(positions[traces]) for traces in known]
    predictions = []
    for line in split.test:
        at = trace_map(line)
        nearest = [traces[tree.query(at)[1]] for traces, tree in zip(known, trees, strict=True)]
        found = labels[np.stack(nearest, axis=1)[:, pattern_of], np.arange(labels.shape[1])]
        predictions.append(found[:, kept])
    return predictions


def nearest_depth(labeled):
    """Of each depth, which of the labeled depths is nearest: itself as a rule."""
    distances = np.arange(len(labeled))[:, None] - np.flatnonzero(labeled)
    return np.abs(distances).argmin(axis=1)


# --- contacts between the interpreted lines -----------------------------------------------------


def contacts_of(labels, n_classes):
    """Depth of the top of each class but the first, by trace, as if units were stacked."""
    return np.stack([(labels <= k).sum(axis=1) for k in range(n_classes - 1)], axis=1)


def interpolated_contacts(split, seed, seconds, every=4):
    """Contacts of the training lines, interpolated to each trace; no seismic at all.

    Kriging with the variogram of a random walk, whose nugget is that of one line, which is what
    smoothed radial basis functions of a linear kernel are.
    """
    positions, contacts = [], []
    for line in split.train:
        picked = np.flatnonzero((line.labels >= 0).any(axis=1))[::every]
        positions.append(trace_map(line)[picked])
        contacts.append(contacts_of(line.labels[picked], split.n_classes))
    positions, chance = np.concatenate(positions), np.random.default_rng(seed)
    # Crossing lines have a trace in common.
    positions = positions + chance.uniform(-0.01, 0.01, positions.shape)
    surface = RBFInterpolator(
        positions, np.concatenate(contacts), neighbors=64, smoothing=1.0, kernel="linear"
    )
    predictions = []
    for line in split.test:
        tops = np.maximum.accumulate(surface(trace_map(line)), axis=1)
        depth = np.arange(line.labels.shape[1])
        predictions.append((depth >= np.round(tops)[:, :, None]).sum(axis=1).astype(np.int8))
    return predictions


RIVALS = {
    "reference": reference,
    "gradient boosting": gradient_boosting,
    "nearest line": nearest_line,
    "interpolated contacts": interpolated_contacts,
}


# --- the table --------------------------------------------------------------------------------


def score_by_block(split, predictions):
    """Mean IoU of each block and of all together, of facies in truth or prediction."""
    rest, scores = iter(predictions), {}
    for block, lines in split.blocks.items():
        scores[block] = iou_score([line.labels for line in lines], [next(rest) for _ in lines])
    return scores | {"all": iou_score([line.labels for line in split.test], predictions)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", default="near")
    parser.add_argument("--seconds", type=float, default=60, help="processor time to train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rivals", nargs="+", choices=RIVALS, default=list(RIVALS))
    arguments = parser.parse_args()
    split = make_split(arguments.split, arguments.seed)
    print(f"| rival | {' | '.join([*split.blocks, 'all'])} | seconds with prediction |")
    print("|---" * (len(split.blocks) + 3) + "|")
    for name in arguments.rivals:
        clock = Clock(arguments.seconds)
        scores = score_by_block(split, RIVALS[name](split, arguments.seed, arguments.seconds))
        cells = " | ".join(f"{score:.4f}" for score in scores.values())
        print(f"| {name} | {cells} | {clock.used:.1f} |", flush=True)


if __name__ == "__main__":
    main()
