"""A file that holds the state of a training, so that a training that was killed can go on."""

import os
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from skorch.callbacks import Callback, PrintLog
from skorch.history import History

from skfacies._documents import (
    Reader,
    Writer,
    read_document,
    read_tensors,
    shorten,
    write_document,
)
from skfacies._files import check_place, locked, remove_leftovers, whole_file
from skfacies._nn.network import draws_random_numbers

__all__ = ["KeepCheckpoint", "open_checkpoint"]

FORMAT_VERSION = 1

#: The document's key in the metadata of a file; model files have another.
_KEY = "skfacies checkpoint"

#: Seconds of training until a checkpoint is written at the end of an epoch.
FIRST_AFTER = 10.0

#: Part of the time that may be spent on writing. The 150 MB of a ResNet-18 take half a second.
PART_OF_TIME = 0.02


@contextmanager
def open_checkpoint(path):
    """Yield the `Checkpoint` of a file, which no other training may use meanwhile; None for None.

    Raises
    ------
    OSError
        If the path cannot be written, or another training uses it.
    ValueError
        If the file is damaged, or no checkpoint.
    """
    if path is None:
        yield None
        return
    path = Path(os.path.realpath(os.fspath(path)))  # a link stays
    check_place(path, "checkpoint")
    lock = Path(f"{path}.lock")
    in_use = (
        f"`checkpoint` {path} is in use by another training. Wait until that has ended, or give "
        "another path: each training needs its own."
    )
    with locked(lock, in_use) as alone:
        try:
            if alone:
                remove_leftovers(path)
            yield Checkpoint(path)
        finally:
            if os.name == "posix" and alone:
                lock.unlink(missing_ok=True)


class Checkpoint:
    """State of a training in a file: written at the end of epochs, and gone on from.

    Parameters
    ----------
    path : Path
        It is read here, if it exists.

    Attributes
    ----------
    seed : int or None
        Seed of the training in the file; None if there is no file.
    """

    def __init__(self, path):
        self.path = path
        self.seed, self._identity, self._state, self._is_finished = None, None, None, False
        self._generators = None
        self._write_at = time.monotonic() + FIRST_AFTER
        if path.exists():
            self._read()

    def _read(self):
        try:
            document = read_document(self.path, _KEY)
            if document["format_version"] != FORMAT_VERSION:
                raise ValueError(f"its format_version is {document['format_version']!r}")
            found = Reader(read_tensors(self.path, _KEY)).decode(document["training"])
            self.seed, self._identity = found["seed"], found["identity"]
            self._state, self._is_finished = found["state"], found["finished"]
        except OSError:
            raise
        except Exception as error:  # a file can hold anything, and each library has its own errors
            raise ValueError(
                f"`checkpoint` {self.path} is damaged, or is not a checkpoint: {shorten(error)}. "
                "If it is one, delete it to train from the start; else give another path."
            ) from error

    def begin(self, identity, seed):
        """Set which training this is; refuse to go on with another.

        Parameters
        ----------
        identity : dict of str
            All that decides on the weights, in words, by the names of arguments.
        seed : int
        """
        stored = identity if self._identity is None else self._identity
        differing = [
            f"{name} was {stored.get(name)}, and is {identity.get(name)}"
            for name in dict.fromkeys([*stored, *identity])
            if stored.get(name) != identity.get(name)
        ]
        if differing:
            raise ValueError(
                f"`checkpoint` {self.path} is of another training: {'; '.join(differing)}. Set "
                "this back to go on with it, or delete the file to train from the start."
            )
        self._identity, self.seed = identity, seed

    def epochs_left(self, net):
        """How many of its `max_epochs` a net has to be trained for, before it is restored."""
        if self._state is None:
            return net.max_epochs
        n_done = len(self._state["history"]) - len(net.history)
        return 0 if self._is_finished else net.max_epochs - n_done

    def restore(self, net, dataset):
        """Bring a net, as it begins to train on a dataset, to the state in the file."""
        self._generators = _generators(net, dataset)
        if self._state is None:
            return
        try:
            _restore(net, self._generators, self._state)
        except Exception as error:  # of torch, skorch and NumPy
            raise ValueError(
                f"`checkpoint` {self.path} does not fit the network: {shorten(error)}. Delete it "
                "to train from the start."
            ) from error
        self._state = None

    def keep(self, net):
        """Write the state after an epoch, if it is time."""
        if time.monotonic() >= self._write_at:
            self._write(net)

    def finish(self, net):
        """Write the last state of a training that has ended by itself."""
        if not self._is_finished:
            self._is_finished = True
            self._write(net)

    def _write(self, net):
        start, writer = time.monotonic(), Writer(longest_text=0)
        training = {
            "identity": self._identity,
            "seed": self.seed,
            "finished": self._is_finished,
            "state": _state(net, self._generators),
        }
        document = {
            "format_version": FORMAT_VERSION,
            "training": writer.encode(training, "training"),
        }
        try:
            with whole_file(self.path) as part:
                write_document(part, _KEY, document, writer.tensors)
        except OSError as error:
            warnings.warn(
                f"`checkpoint` {self.path} could not be written: {error}. The training goes on, "
                "and will try again later.",
                RuntimeWarning,
                stacklevel=2,
            )
        now = time.monotonic()
        self._write_at = now + (now - start) / PART_OF_TIME


class KeepCheckpoint(Callback):
    """Calls a `Checkpoint`; the last callback of a net, after the others have done their part."""

    def __init__(self, checkpoint):
        self.checkpoint = checkpoint

    def on_train_begin(self, net, X=None, **kwargs):
        self.checkpoint.restore(net, X)

    def on_epoch_end(self, net, **kwargs):
        self.checkpoint.keep(net)


# --- states ---------------------------------------------------------------------------------------


def _state(net, generators):
    """All that a training goes on from, as plain values, tensors and arrays."""
    return {
        "module": dict(net.module_.state_dict()),
        "criterion": dict(net.criterion_.state_dict()),
        "optimizer": net.optimizer_.state_dict(),
        "history": [{k: v for k, v in row.items() if k != "batches"} for row in net.history],
        "callbacks": {name: _state_of_callback(own) for name, own in net.callbacks_},
        "generators": {name: get() for name, (get, _) in generators.items()},
    }


def _restore(net, generators, state):
    net.module_.load_state_dict(state["module"])
    net.criterion_.load_state_dict(state["criterion"])
    net.optimizer_.load_state_dict(_laid_out_like(net.optimizer_, state["optimizer"]))
    net.history = History(state["history"])
    for name, callback in net.callbacks_:
        _restore_callback(callback, state["callbacks"][name])
    for name, (_, put) in generators.items():
        put(state["generators"][name])


def _laid_out_like(optimizer, state):
    """State of an optimizer in the memory layout of the weights, which fused steps rely on."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for position, own in state["state"].items():
        for name, value in own.items():
            if torch.is_tensor(value) and value.shape == weights[position].shape:
                own[name] = torch.empty_like(weights[position], dtype=value.dtype).copy_(value)
    return state


def _generators(net, dataset):
    """Functions that get and set the state of each source of random numbers of a training."""
    own = {"order": net.iterator_train__generator, "validation": net.iterator_valid__generator}
    if net.iterator_train__collate_fn.augmentation is not None:
        own["augmentation"] = net.iterator_train__collate_fn.augmentation.generator
    found = {name: (own.get_state, own.set_state) for name, own in own.items()}
    crops = dataset.random_state.bit_generator
    found["crops"] = (lambda: crops.state, lambda state: setattr(crops, "state", state))
    if draws_random_numbers(net.module_):
        found["torch"] = (torch.get_rng_state, torch.set_rng_state)
        if torch.device(net.device).type == "cuda":
            found["cuda"] = (torch.cuda.get_rng_state, torch.cuda.set_rng_state)
    return found


def _state_of_callback(callback):
    """What a callback has learned, in attributes that end in "_"; what a file can hold of it."""
    if isinstance(callback, PrintLog):  # whether it has printed its header
        return {}
    state = {}
    for name, value in vars(callback).items():
        if name.endswith("_") and not isinstance(value, type):
            value = value.state_dict() if hasattr(value, "state_dict") else value
            with suppress(TypeError):
                Writer(longest_text=0).encode(value, name)
                state[name] = value
    return state


def _restore_callback(callback, state):
    for name, value in state.items():
        current = getattr(callback, name, None)
        if hasattr(current, "load_state_dict"):
            current.load_state_dict(value)
        elif name.endswith("_") and not name.startswith("_"):
            setattr(callback, name, value)
