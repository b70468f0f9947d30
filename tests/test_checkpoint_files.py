"""Checkpoints of other trainings, damaged ones, and other files are refused."""

import pytest
from skorch.callbacks import LRScheduler

from skfacies import _documents
from skfacies._estimators import data_hash, fingerprint
from skfacies.persistence import load_model, save_model


@pytest.fixture(scope="module")
def kept(survey, make_tiny, tmp_path_factory):
    """Bytes of the checkpoint of a finished fit."""
    path = tmp_path_factory.mktemp("kept") / "fit.checkpoint"
    make_tiny().fit(survey.data, survey.target, checkpoint=path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"lr": 0.5}, "`lr` was 0.001, and is 0.5. Set this back to go on with it, or delete"),
        ({"max_epochs": 2}, "`max_epochs` was 1, and is 2; the number of epochs was 1, and is 2."),
        ({"random_state": 1}, "`random_state` was 0 with the seed .*, and is 1 with the seed"),
        (
            {"callbacks": [("a", LRScheduler("StepLR", step_size=9))]},
            r"`callbacks` was None, and is .*, step_size=9\)",
        ),
        ({"loss": "dice"}, "`loss` was 'cross_entropy', and is 'dice'."),
        ({"precision": "bfloat16"}, "`precision` was float32, and is bfloat16."),
    ],
)
def test_other_parameters_are_named(survey, make_tiny, kept, tmp_path, params, words):
    (tmp_path / "c").write_bytes(kept)
    model = make_tiny(**params)
    with pytest.raises(ValueError, match=f"c is of another training: {words}"):
        model.fit(survey.data, survey.target, checkpoint=tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == kept
    assert not hasattr(model, "net_")


def test_parameters_of_the_prediction_may_change(survey, make_tiny, kept, tmp_path):
    (tmp_path / "c").write_bytes(kept)
    model = make_tiny(tta=True, dip_smoothing=3.0, unit_order=None, verbose=0, memory_limit=None)
    model.fit(survey.data, survey.target, checkpoint=tmp_path / "c")
    assert model.dip_smoothing_ == 3.0


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        (lambda X, y: (changed(X, (5, 3, 7), 9.0), y), "X"),
        (lambda X, y: (X, changed(y, (5, 3, 7), -1)), "y"),
        (lambda X, y: (X[:, ::-1], y), "X"),
        (lambda X, y: (X[:9], y[:9]), "X"),
        (lambda X, y: (X, y + 1), "y"),
    ],
    ids=["amplitude", "label", "flip", "sections", "classes"],
)
def test_other_data_are_named(survey, make_tiny, kept, tmp_path, change, argument):
    (tmp_path / "c").write_bytes(kept)
    X, y = change(survey.data, survey.target)
    with pytest.raises(ValueError, match=f"of another training: .*`{argument}` was .* and is"):
        make_tiny().fit(X, y, checkpoint=tmp_path / "c")


def test_a_part_of_large_data_is_compared(survey, make_tiny, kept, tmp_path, monkeypatch):
    monkeypatch.setattr(data_hash, "MOST_VALUES", 3000)
    monkeypatch.setattr(data_hash, "MOST_LINES", 4)
    path = tmp_path / "c"
    make_tiny().fit(survey.data, survey.target, checkpoint=path)
    make_tiny().fit(survey.data, survey.target, checkpoint=path)
    # The scaler has seen all amplitudes, and all labels have been counted.
    for X, y in (
        (changed(survey.data, (4, 3, 7), 9.0), survey.target),
        (survey.data, changed(survey.target, (4, 3, 7), -1)),
    ):
        with pytest.raises(ValueError, match="of another training"):
            make_tiny().fit(X, y, checkpoint=path)


def test_other_versions_are_named(survey, make_tiny, kept, tmp_path, monkeypatch):
    (tmp_path / "c").write_bytes(kept)
    here = _documents.versions()
    monkeypatch.setattr(fingerprint, "versions", lambda: here | {"torch": "9.9"})
    with pytest.raises(ValueError, match=r"torch \(installed\) was [\d.+a-z]+, and is 9.9"):
        make_tiny().fit(survey.data, survey.target, checkpoint=tmp_path / "c")


def flipped(data):
    return data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:-1], "not fully covered"),
        (lambda data: data[: len(data) // 2], "not fully covered"),
        (lambda data: data[:5], "is truncated"),
        (lambda data: b"", "is truncated"),
        (flipped, "its checksum does not match"),
        (lambda data: b"SEG-Y" * 1000, "does not begin like"),
        (lambda data: data.replace(b'\\"format_version\\":1', b'\\"format_version\\":2'), "is 2"),
    ],
)
def test_damaged_files_are_named(survey, make_tiny, kept, tmp_path, damage, reason):
    path = tmp_path / "c"
    path.write_bytes(damage(kept))
    with pytest.raises(ValueError, match=f"`checkpoint` {path} is damaged.*{reason}.* delete it"):
        make_tiny().fit(survey.data, survey.target, checkpoint=path)
    assert path.read_bytes() == damage(kept)


def test_models_are_no_checkpoints_and_checkpoints_no_models(survey, fitted, kept, tmp_path):
    save_model(fitted, tmp_path / "model")
    with pytest.raises(ValueError, match="it is a model. .* else give another path"):
        fitted.fit(survey.data, survey.target, checkpoint=tmp_path / "model")
    (tmp_path / "c").write_bytes(kept)
    with pytest.raises(ValueError, match="it is the checkpoint of a training"):
        load_model(tmp_path / "c")


@pytest.mark.parametrize(
    ("path", "error", "reason"),
    [("", IsADirectoryError, "is a folder"), ("no/c", FileNotFoundError, "does not exist")],
)
def test_path_must_be_writable(survey, make_tiny, tmp_path, path, error, reason):
    with pytest.raises(error, match=f"`checkpoint` is .*{reason.split()[-1]}"):
        make_tiny().fit(survey.data, survey.target, checkpoint=tmp_path / path)
