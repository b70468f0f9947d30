"""Trainings that are killed go on from their checkpoint, and end as if nothing had happened."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import LRScheduler

from skfacies import CubeSegmenter
from skfacies.__main__ import main
from skfacies._estimators import evidence, fitting
from skfacies._nn import callbacks, checkpoint
from skfacies._nn.checkpoint import open_checkpoint
from skfacies.persistence import load_model, save_model


class Killed(BaseException):
    """Ends a training as a killed process does: nothing is tidied up by the training itself."""


@pytest.fixture(autouse=True)
def after_every_epoch(monkeypatch):
    """Write after every epoch."""
    monkeypatch.setattr(checkpoint, "FIRST_AFTER", 0.0)
    monkeypatch.setattr(checkpoint, "PART_OF_TIME", np.inf)


@pytest.fixture
def kill(monkeypatch):
    """Function that lets the `n`-th call from now of a function raise."""

    def after(owner, name, n, error=Killed):
        original, calls = getattr(owner, name), []

        def call(*args, **kwargs):
            calls.append(None)
            if len(calls) == n:
                monkeypatch.setattr(owner, name, original)
                raise error
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    return after


@pytest.fixture
def kill_in_epoch(monkeypatch):
    """Function that lets a training raise in the first batch of an epoch, counted from 1."""

    def at(epoch, error=Killed):
        original = callbacks.StopIfDiverged.on_batch_end

        def on_batch_end(self, net, training=False, **kwargs):
            if training and len(net.history) == epoch:
                monkeypatch.setattr(callbacks.StopIfDiverged, "on_batch_end", original)
                raise error
            original(self, net, training=training, **kwargs)

        monkeypatch.setattr(callbacks.StopIfDiverged, "on_batch_end", on_batch_end)

    return at


def assert_same_fit(first, second):
    """Compare the weights bitwise, what goes on from them, and the history but for durations."""
    states = [model.net_.module_.state_dict() for model in (first, second)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    moments = [model.net_.optimizer_.state_dict()["state"] for model in (first, second)]
    assert repr(moments[0]) == repr(moments[1])
    rows = [
        [{k: v for k, v in row.items() if k != "dur"} for row in model.history_]
        for model in (first, second)
    ]
    assert repr(rows[0]) == repr(rows[1])  # NaN is NaN
    assert repr(first.training_report_) == repr(second.training_report_)


# --- an unbroken fit and a resumed one --------------------------------------------------------


class SquaredError(torch.nn.Module):
    """A loss with a weight that is trained, and with a running mean."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, logits, codes):
        members = torch.nn.functional.one_hot(codes.clamp_min(0), logits.shape[1]).movedim(-1, 1)
        loss = (self.scale * logits - members).square().mean()
        self.mean = 0.9 * self.mean + 0.1 * loss.detach()
        return loss + 0.1 * self.mean


DROPOUT = {
    "module__decoder_dropout": 0.5,
    "module__decoder_pyramid_channels": 32,
    "module__decoder_segmentation_channels": 32,
}
PLATEAU = {
    "callbacks__lr_plateau__patience": 1,
    "callbacks__lr_plateau__threshold": 9.0,  # no epoch is so much better
    "callbacks__lr_plateau__threshold_mode": "abs",
}
PARAMETERS = {
    "default": {},
    "early stopping": {"early_stopping": 4, "max_epochs": 30, "lr": 0.1},
    "plateau": {"net_params": PLATEAU},
    "crops": {"crop_size": (16, 32), "augment": {"cutout": 0.5, "polarity": 0.5}},
    "no augmentation": {"augment": False, "validation_fraction": 0},
    "balanced": {"class_weight": "balanced", "depth_channel": True},
    "bfloat16": {"precision": "bfloat16"},
    "dropout": {"architecture": "FPN", "decoder_channels": None, "net_params": DROPOUT},
    "SGD": {"net_params": {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}},
    "AMSGrad": {"net_params": {"optimizer__amsgrad": True}},
    "other loss": {"loss": "dice", "class_weight": None},
    "trained loss": {"loss": SquaredError, "class_weight": None},
    "callback": {"callbacks": [("cycle", LRScheduler("StepLR", step_size=2))]},
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_resumed_fit_is_bitwise_the_unbroken_one(survey, make_tiny, kill_in_epoch, tmp_path, name):
    params = {"max_epochs": 4, "crop_size": 32, "batch_size": 2} | PARAMETERS[name]
    path = tmp_path / "fit.checkpoint"
    data = survey.data[:4], survey.target[:4]
    unbroken = make_tiny(**params).fit(*data)
    for epoch in (2, 3):
        kill_in_epoch(epoch)
        with pytest.raises(Killed):
            make_tiny(**params).fit(*data, checkpoint=path)
        assert path.exists()
    resumed = make_tiny(**params).fit(*data, checkpoint=path)
    assert_same_fit(resumed, unbroken)
    if name == "early stopping":
        assert 3 < unbroken.n_iter_ < 30
    if name == "plateau":
        assert any(row["lr_reduced"] for row in unbroken.history_[:-1])


@pytest.mark.parametrize(
    ("owner", "name", "n"),
    [
        (checkpoint, "write_document", 2),
        (os, "fsync", 2),
        (os, "replace", 1),
        (os, "replace", 3),
        (callbacks.BestWeights, "on_train_end", 1),
        (checkpoint.Checkpoint, "finish", 1),
        (evidence, "examine", 1),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_fit_can_be_killed_anywhere(survey, make_tiny, kill, tmp_path, owner, name, n):
    params, path = {"max_epochs": 3, "early_stopping": 3}, tmp_path / "fit.checkpoint"
    unbroken = make_tiny(**params).fit(survey.data, survey.target)
    kill(owner, name, n)
    with pytest.raises(Killed):
        make_tiny(**params).fit(survey.data, survey.target, checkpoint=path)
    resumed = make_tiny(**params).fit(survey.data, survey.target, checkpoint=path)
    assert_same_fit(resumed, unbroken)
    assert os.listdir(tmp_path) == ["fit.checkpoint"]


def test_checkpoint_changes_nothing_in_an_unbroken_fit(survey, make_tiny, tmp_path):
    without = make_tiny(max_epochs=2).fit(survey.data, survey.target)
    path = tmp_path / "fit.checkpoint"
    assert_same_fit(
        make_tiny(max_epochs=2).fit(survey.data, survey.target, checkpoint=path), without
    )


def test_weights_of_samples_and_validation_data(survey, make_tiny, kill_in_epoch, tmp_path):
    options = {
        "sample_weight": np.linspace(0.5, 1, 8),
        "validation_data": (survey.data[8:], survey.target[8:]),
    }
    data = survey.data[:8], survey.target[:8]
    unbroken = make_tiny(max_epochs=3).fit(*data, **options)
    options["checkpoint"] = tmp_path / "fit.checkpoint"
    kill_in_epoch(2)
    with pytest.raises(Killed):
        make_tiny(max_epochs=3).fit(*data, **options)
    assert_same_fit(make_tiny(max_epochs=3).fit(*data, **options), unbroken)


def test_seed_of_the_first_call_is_kept(survey, make_tiny, kill_in_epoch, tmp_path, monkeypatch):
    seeds = iter([11, 11, 22])
    monkeypatch.setattr(fitting, "_next_seed", lambda *_: next(seeds))
    unbroken = make_tiny(random_state=None, max_epochs=3).fit(survey.data, survey.target)
    kill_in_epoch(2)
    for _ in range(2):
        model = make_tiny(random_state=None, max_epochs=3)
        try:
            model.fit(survey.data, survey.target, checkpoint=tmp_path / "fit.checkpoint")
        except Killed:
            continue
    assert_same_fit(model, unbroken)


def test_random_state_objects_must_draw_the_same_seed(survey, make_tiny, kill_in_epoch, tmp_path):
    path = tmp_path / "fit.checkpoint"
    unbroken = make_tiny(random_state=np.random.RandomState(3), max_epochs=2)
    unbroken.fit(survey.data, survey.target)
    kill_in_epoch(2)
    with pytest.raises(Killed):
        make_tiny(random_state=np.random.RandomState(3), max_epochs=2).fit(
            survey.data, survey.target, checkpoint=path
        )
    other = make_tiny(random_state=np.random.RandomState(4), max_epochs=2)
    with pytest.raises(ValueError, match=r"of another training: `random_state` was .* seed"):
        other.fit(survey.data, survey.target, checkpoint=path)
    resumed = make_tiny(random_state=np.random.RandomState(3), max_epochs=2)
    assert_same_fit(resumed.fit(survey.data, survey.target, checkpoint=path), unbroken)


def test_moments_have_the_layout_of_the_weights(survey, make_tiny, kill_in_epoch, tmp_path):
    """Fused steps take both as they lie in memory."""
    path = tmp_path / "fit.checkpoint"
    kill_in_epoch(2)
    with pytest.raises(Killed):
        make_tiny(max_epochs=2).fit(survey.data, survey.target, checkpoint=path)
    model = make_tiny(max_epochs=2).fit(survey.data, survey.target, checkpoint=path)
    strides = {
        (weight.stride() == moment.stride(), weight.is_contiguous())
        for weight, state in model.net_.optimizer_.state.items()
        for moment in (state["exp_avg"], state["exp_avg_sq"])
    }
    assert strides == {(True, True), (True, False)}


# --- fits that end ----------------------------------------------------------------------------


def test_finished_fit_is_not_repeated(survey, make_tiny, kill_in_epoch, tmp_path):
    path = tmp_path / "fit.checkpoint"
    first = make_tiny(max_epochs=2).fit(survey.data, survey.target, checkpoint=path)
    kill_in_epoch(1)
    kill_in_epoch(2)
    again = make_tiny(max_epochs=2).fit(survey.data, survey.target, checkpoint=path)
    assert_same_fit(again, first)
    assert os.listdir(tmp_path) == ["fit.checkpoint"]


def test_ctrl_c_leaves_a_checkpoint_to_go_on_from(survey, make_tiny, kill_in_epoch, tmp_path):
    path, model = tmp_path / "fit.checkpoint", make_tiny(max_epochs=4)
    unbroken = make_tiny(max_epochs=4).fit(survey.data, survey.target)
    kill_in_epoch(2, KeyboardInterrupt)
    assert model.fit(survey.data, survey.target, checkpoint=path).n_iter_ == 1
    assert_same_fit(model.fit(survey.data, survey.target, checkpoint=path), unbroken)


def test_training_goes_on_where_the_checkpoint_cannot_be_written(survey, make_tiny, kill, tmp_path):
    path = tmp_path / "fit.checkpoint"
    without = make_tiny(max_epochs=2).fit(survey.data, survey.target)
    kill(checkpoint, "write_document", 1, OSError("No space left on device"))
    model = make_tiny(max_epochs=2)
    with pytest.warns(RuntimeWarning, match="could not be written: No space left .* goes on"):
        model.fit(survey.data, survey.target, checkpoint=path)
    assert_same_fit(model, without)
    assert os.listdir(tmp_path) == ["fit.checkpoint"]  # of the second epoch


def test_writing_takes_a_small_part_of_the_time(survey, make_tiny, tmp_path, monkeypatch):
    written, write = [], checkpoint.write_document
    monkeypatch.setattr(checkpoint, "write_document", lambda *args: written.append(write(*args)))
    monkeypatch.setattr(checkpoint, "PART_OF_TIME", 1e-6)
    make_tiny(max_epochs=4).fit(survey.data, survey.target, checkpoint=tmp_path / "c")
    assert len(written) == 2  # after the first epoch, and at the end


# --- what else goes on from weights -----------------------------------------------------------


def test_warm_start_goes_on_from_the_same_weights_only(
    survey, make_tiny, fitted, kill_in_epoch, tmp_path
):
    path, data = tmp_path / "fit.checkpoint", (survey.data, survey.target)

    def begin():
        save_model(fitted, tmp_path / "model")
        return load_model(tmp_path / "model").set_params(warm_start=True, max_epochs=3)

    unbroken = begin().fit(*data)
    kill_in_epoch(22)
    with pytest.raises(Killed):
        begin().fit(*data, checkpoint=path)
    model = begin()
    assert_same_fit(model.fit(*data, checkpoint=path), unbroken)
    with pytest.raises(ValueError, match=r"the model to go on from was of 20 epochs, \w+, and is"):
        model.fit(*data, checkpoint=path)


def test_cubes_pipelines_and_their_sections(survey, make_tiny, kill_in_epoch, tmp_path):
    path, cubes = tmp_path / "fit.checkpoint", CubeSegmenter(make_tiny(max_epochs=2), step=3)
    unbroken = cubes.fit(survey.data, survey.target).estimator_
    kill_in_epoch(2)
    with pytest.raises(Killed):
        cubes.fit(survey.data, survey.target, checkpoint=path)
    assert_same_fit(cubes.fit(survey.data, survey.target, checkpoint=path).estimator_, unbroken)


def test_fits_at_the_same_time_cannot_share_a_file(survey, make_tiny, tmp_path):
    with (
        open_checkpoint(tmp_path / "fit.checkpoint"),
        pytest.raises(OSError, match="is in use by another training. Wait .* or give another"),
    ):
        make_tiny().fit(survey.data, survey.target, checkpoint=tmp_path / "fit.checkpoint")
    assert not os.listdir(tmp_path)


# --- the command ------------------------------------------------------------------------------


def test_command_goes_on_after_ctrl_c(survey, kill_in_epoch, tmp_path, capsys):
    np.save(tmp_path / "seismic.npy", survey.data)
    np.save(tmp_path / "labels.npy", survey.target)
    names = [str(tmp_path / name) for name in ("seismic.npy", "labels.npy")]
    options = ["--epochs", "2", "--encoder", "tu-test_resnet", "--lines", "every=3"]
    command = ["fit", *names, *options, "-o"]
    assert main([*command, str(tmp_path / "unbroken")]) == 0
    path, model = tmp_path / "fit.checkpoint", str(tmp_path / "model")
    kill_in_epoch(2, KeyboardInterrupt)
    assert main([*command, model, "--checkpoint", str(path)]) == 130
    assert "repeat the command to go on" in capsys.readouterr().out
    assert main([*command, model, "--checkpoint", str(path), "--seed", "1"]) == 1
    assert "--checkpoint" in (text := capsys.readouterr().err)
    assert "is of another training: --seed was 0" in text
    assert main([*command, model, "--checkpoint", str(path)]) == 0
    assert f"going on from {path}" in capsys.readouterr().out
    assert not path.exists()
    models = [load_model(tmp_path / name) for name in ("model", "unbroken")]
    assert_array_equal(*(found.predict_proba(survey.data) for found in models))


def test_command_refuses_files_of_its_own(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 6)))
    seismic, model = str(tmp_path / "a.npy"), str(tmp_path / "m")
    for path, reason in ((model, "both name"), (seismic, "would replace")):
        assert main(["fit", seismic, seismic, "-o", model, "--checkpoint", path]) == 1
        assert reason in capsys.readouterr().err


# --- processes --------------------------------------------------------------------------------

SCRIPT = """
import sys
from skfacies import FaciesSegmenter
from skfacies._nn import checkpoint
from skfacies.datasets import make_facies_cube
from skfacies.persistence import save_model
checkpoint.FIRST_AFTER, checkpoint.PART_OF_TIME = 0.0, 1.0
survey = make_facies_cube((12, 40, 48), n_facies=3, random_state=0)
model = FaciesSegmenter(
    encoder_name="tu-test_resnet", encoder_depth=3, decoder_channels=(8, 8, 8), max_epochs=40,
    batch_size=4, early_stopping=True, random_state=0)
print("begins", flush=True)
save_model(model.fit(survey.data, survey.target, checkpoint=sys.argv[1]), sys.argv[2])
"""


@pytest.mark.slow
def test_killed_processes_go_on(tmp_path):
    chance = np.random.default_rng(0)

    def start(path, model):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / path), str(tmp_path / model)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    with start("first", "unbroken") as process:
        assert process.wait() == 0
    n_killed = 0
    while not (tmp_path / "resumed").exists():
        process = start("second", "resumed")
        process.stdout.readline()
        try:
            process.wait(timeout=chance.uniform(0.2, 3.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            n_killed += 1
        process.stdout.close()
    assert n_killed
    states = [
        load_model(tmp_path / name).net_.module_.state_dict() for name in ("unbroken", "resumed")
    ]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


@pytest.mark.parametrize("epoch", [5, 13, 14])
def test_trainings_with_unlabeled_sections_go_on(make_tiny, survey, tmp_path, kill_in_epoch, epoch):
    """Killed in the second training, it goes on from the end of the first."""
    y = np.full_like(survey.target, -1)
    y[::3] = survey.target[::3]
    params = {"max_epochs": 12, "lr": 1e-2}
    unbroken = make_tiny(**params).fit(survey.data, y)
    kill_in_epoch(epoch)
    with pytest.raises(Killed):
        make_tiny(**params).fit(survey.data, y, checkpoint=tmp_path / "fit")
    resumed = make_tiny(**params).fit(survey.data, y, checkpoint=tmp_path / "fit")
    assert resumed.n_iter_ == 14
    assert_same_fit(unbroken, resumed)
