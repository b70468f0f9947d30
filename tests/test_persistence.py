"""Model files of save_model and load_model: round trips, refusals, damaged and malicious files."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfacies import (
    AmplitudeScaler,
    CubeSegmenter,
    CubeToSections,
    FaciesSegmenter,
    _documents,
    persistence,
)
from skfacies._documents import checksum
from skfacies.persistence import _document, load_model, save_model


@pytest.fixture(scope="module")
def file(fitted, tmp_path_factory):
    """File of the small segmenter; not to be changed."""
    path = tmp_path_factory.mktemp("models") / "facies.safetensors"
    save_model(fitted, path, label_names=["top", "middle", "base"])
    return path


@pytest.fixture(scope="module")
def contents(file):
    """Document and tensors of that file, as they can be changed and written again."""
    return read(file)


def read(path):
    tensors = load_file(path)
    del tensors["crc32"]
    with safe_open(path, framework="np") as file:
        return json.loads(file.metadata()["skfacies"]), tensors


def write(path, document, tensors):
    """Write a file with a right checksum, whatever the document says."""
    text = document if isinstance(document, str) else json.dumps(document)
    save_file({**tensors, "crc32": checksum(text, tensors)}, path, {"skfacies": text})
    return path


def assert_same(first, second):
    """Compare parameters or fitted attributes: types, values, and estimators by their contents."""
    assert type(first) is type(second)
    if hasattr(first, "get_params"):
        attributes = [{k: v for k, v in vars(e).items() if k != "net_"} for e in (first, second)]
        assert_same(*attributes)
    elif isinstance(first, dict):
        assert set(first) == set(second)
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for parts in zip(first, second, strict=True):
            assert_same(*parts)
    elif isinstance(first, np.ndarray) or hasattr(first, "detach"):
        assert first.dtype == second.dtype
        assert_array_equal(first, second)
    else:
        assert repr(first) == repr(second)


def there_and_back(model, folder):
    save_model(model, folder / "model.safetensors")
    assert os.listdir(folder) == ["model.safetensors"]
    return load_model(folder / "model.safetensors")


# --- round trips ------------------------------------------------------------------------------


def in_cubes(make_tiny):
    steps = [("scale", AmplitudeScaler(clip=3.0)), ("segment", make_tiny(scaler=None))]
    return CubeSegmenter(Pipeline(steps), "both", step=2)


MODELS = {
    "segmenter": lambda make: make(),
    "numpy parameters": lambda make: make(lr=np.float32(1e-3), crop_size=np.array([16, 32])),
    "no scaler": lambda make: make(scaler=None, encoder_depth=3, crop_size=(16, None)),
    "own scaler": lambda make: make(scaler=AmplitudeScaler(clip=None), depth_channel=True),
    "weights": lambda make: make(class_weight={np.int64(0): 2.0, 1: 0.5}, augment={"flip": 0.1}),
    "optimizer": lambda make: make(net_params={**SGD, "module__decoder_interpolation": "bilinear"}),
    "path": lambda make: make(encoder_weights=None, memory_limit=None, validation_fraction=0.3),
    "pipeline": lambda make: make_pipeline("passthrough", AmplitudeScaler(), make(scaler=None)),
    "cut in a pipeline": lambda make: make_pipeline(CubeToSections("inline"), make()),
    "cubes": lambda make: CubeSegmenter(make(), "crossline", scratch_dir=Path(os.sep)),
    "cubes of a pipeline": in_cubes,
}
SGD = {"optimizer__momentum": 0.5}


@pytest.mark.parametrize("name", MODELS)
def test_loaded_models_are_the_same_in_every_bit(name, make_tiny, survey, tmp_path):
    model = MODELS[name](make_tiny)
    if name == "cubes":
        model.scratch_dir = tmp_path.parent
    if name == "optimizer":
        import torch

        model.net_params["optimizer"] = torch.optim.SGD
    model.fit(survey.data, survey.target)
    loaded = there_and_back(model, tmp_path)
    assert_same(model, loaded)
    assert_array_equal(loaded.predict_proba(survey.data), model.predict_proba(survey.data))
    assert_array_equal(loaded.predict(survey.data), model.predict(survey.data))


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1, 2], dtype=np.int8),
        np.array([7, 9, 255], dtype=np.uint8),
        np.array([-(2**30), 0, 2**31 - 1]),
        np.array([3, 5, 2**30], dtype=">i8"),
        np.array([0.0, 1.0, 2.0]),
        np.array(["Ølsand", "shale", "z"]),
        np.array(["sand", "shale", "z"], dtype="S9"),
        np.array(["sand", "shale", "z"], dtype=object),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_classes_keep_their_type(labels, make_tiny, survey, tmp_path):
    model = make_tiny(ignore_label=None).fit(survey.data, labels[survey.target])
    loaded = there_and_back(model, tmp_path)
    assert loaded.classes_.dtype == model.classes_.dtype
    assert_array_equal(loaded.classes_, model.classes_)
    assert loaded.predict(survey.data[:1]).dtype == model.predict(survey.data[:1]).dtype


@pytest.mark.parametrize("model", [AmplitudeScaler(), CubeToSections("crossline", indices=[3, -1])])
def test_transformers_alone(model, survey, tmp_path):
    model = copy.deepcopy(model).fit(survey.data)
    loaded = there_and_back(model, tmp_path)
    assert_same(model, loaded)
    assert_array_equal(loaded.transform(survey.data), model.transform(survey.data))
    if hasattr(model, "partial_fit"):
        assert_same(model.partial_fit(-survey.data), loaded.partial_fit(-survey.data))


def test_training_goes_on_after_loading(fitted, survey, tmp_path):
    loaded = there_and_back(fitted, tmp_path)
    loaded.partial_fit(survey.data, survey.target)
    assert loaded.n_iter_ == fitted.n_iter_ + 1


def test_histories_keep_what_is_no_number(fitted, tmp_path):
    model = copy.deepcopy(fitted)
    model.history_[0] |= {"valid_loss": float("nan"), "event": None, "mine": np.float32(0.1)}
    assert_same(there_and_back(model, tmp_path).history_, model.history_)


def test_weights_that_are_not_finite_are_kept(file, contents, survey, tmp_path):
    document, tensors = contents
    name = "model.net_.module_.network.segmentation_head.0.bias"
    path = write(
        tmp_path / "nan.safetensors", document, {**tensors, name: tensors[name] * np.float32("nan")}
    )
    assert np.isnan(load_model(path).predict_proba(survey.data[:1])).all()


def test_parameters_set_after_fit_do_not_spoil_the_file(fitted, survey, tmp_path):
    changed = copy.deepcopy(fitted).set_params(decoder_channels=(4, 4, 4), encoder_name="resnet34")
    loaded = there_and_back(changed, tmp_path)
    assert loaded.get_params() == changed.get_params()
    assert_array_equal(loaded.predict(survey.data), fitted.predict(survey.data))


def test_estimators_among_parameters_are_kept_unfitted(fitted, survey, tmp_path):
    template = copy.deepcopy(fitted).set_params(max_epochs=1)
    model = CubeSegmenter(template).fit(survey.data, survey.target)
    loaded = there_and_back(model, tmp_path)
    assert not hasattr(loaded.estimator, "net_")
    assert loaded.estimator.get_params() == template.get_params()


def test_default_model_file_is_the_size_of_its_weights(survey, tmp_path):
    segmenter = FaciesSegmenter(encoder_weights=None, max_epochs=1, random_state=0)
    segmenter.fit(survey.data[:4], survey.target[:4])
    save_model(segmenter, tmp_path / "model.safetensors")
    weights = sum(p.numel() * 4 for p in segmenter.net_.module_.parameters())
    assert (tmp_path / "model.safetensors").stat().st_size <= 1.05 * weights


def test_same_model_gives_the_same_file(fitted, file, tmp_path):
    save_model(fitted, tmp_path / "again", label_names=["top", "middle", "base"])
    assert (tmp_path / "again").read_bytes() == file.read_bytes()


@pytest.mark.slow
def test_other_process_without_network_or_pickle_predicts_the_same(fitted, survey, file, tmp_path):
    np.save(tmp_path / "X.npy", survey.data)
    code = (
        "import pickle, socket, sys, numpy as np, torch, skfacies._estimators.segmenter\n"
        "from skfacies.persistence import load_model\n"
        "def refuse(*args, **kwargs): raise OSError('refused')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "pickle.load = pickle.loads = pickle.Unpickler = torch.load = refuse\n"
        "model = load_model(sys.argv[1])\n"
        "np.save('proba.npy', model.predict_proba(np.load('X.npy')))\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", code, str(file)]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert_array_equal(np.load(tmp_path / "proba.npy"), fitted.predict_proba(survey.data))


def test_loading_leaves_the_global_generators(file):
    import torch

    before = torch.get_rng_state(), np.random.get_state()[1]
    load_model(file)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])


# --- devices ----------------------------------------------------------------------------------


@pytest.fixture
def file_from_cuda(contents, tmp_path):
    document = copy.deepcopy(contents[0])
    document["model"]["fitted"]["device_"] = "cuda"
    return write(tmp_path / "cuda.safetensors", document, contents[1])


def test_model_of_a_missing_device_loads_to_the_cpu(file_from_cuda, fitted, survey):
    with pytest.warns(UserWarning, match="trained on 'cuda'.*loaded to the CPU") as warned:
        loaded = load_model(file_from_cuda)
    assert len(warned) == 1
    assert (loaded.device_, loaded.device) == ("cpu", "auto")
    assert_array_equal(loaded.predict(survey.data), fitted.predict(survey.data))


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_device_can_be_chosen(file_from_cuda, device):
    assert load_model(file_from_cuda, device=device).device_ == "cpu"


def test_device_must_be_there(file):
    with pytest.raises(ValueError, match="`device`='cuda:3' is not available here"):
        load_model(file, device="cuda:3")


# --- names and the card -----------------------------------------------------------------------


def test_label_names_come_with_the_model(file, tmp_path):
    loaded = load_model(file)
    assert loaded.label_names_ == {0: "top", 1: "middle", 2: "base"}
    assert there_and_back(loaded, tmp_path).label_names_ == loaded.label_names_


def test_label_names_by_label(fitted, tmp_path):
    save_model(fitted, tmp_path / "model", label_names={2: "base", 0: "top", 1: "middle"})
    assert load_model(tmp_path / "model").label_names_ == {0: "top", 1: "middle", 2: "base"}


@pytest.mark.parametrize("names", [["top"], {0: "top", 1: "middle", 3: "base"}, "abc", [1, 2, 3]])
def test_label_names_must_fit_the_classes(fitted, names, tmp_path):
    with pytest.raises(ValueError, match=r"`label_names` must be one str for each.*\[0, 1, 2\]"):
        save_model(fitted, tmp_path / "model", label_names=names)
    assert not list(tmp_path.iterdir())


def test_card_tells_what_the_model_is(make_tiny, survey, tmp_path):
    model = CubeSegmenter(make_tiny(max_epochs=2)).fit(survey.data, survey.target)
    save_model(model, tmp_path / "model", label_names=["a", "b", "c"])
    card = persistence.read_card(tmp_path / "model")
    assert card["format_version"] == 1
    assert card["versions"]["skfacies"] == model.estimator_._version
    assert card["file_size"] == (tmp_path / "model").stat().st_size
    summary = card["summary"]
    assert summary["estimators"] == ["CubeSegmenter", "FaciesSegmenter"]
    assert summary["classes"].tolist() == [0, 1, 2]
    assert summary["label_names"] == ["a", "b", "c"]
    assert summary["lines"]["inline"].tolist() == list(range(12))
    assert summary["network"]["encoder_name"] == "tu-test_resnet"
    assert summary["n_epochs"] == 2
    assert summary["epoch_kept"] in model.estimator_.history_
    assert summary["epoch_kept"]["epoch"] == 2
    assert summary["report"] == model.estimator_.training_report_


def test_card_has_what_is_known_of_the_training_data(fitted, tmp_path):
    model = copy.deepcopy(fitted)
    model._training_summary = {"n_sections": 12, "shapes": [(40, 48)], "support": [1, 2, 3]}
    loaded = there_and_back(model, tmp_path)
    assert loaded._training_summary == model._training_summary
    card = persistence.read_card(tmp_path / "model.safetensors")
    assert card["summary"]["training"] == model._training_summary


def test_too_long_histories_are_refused(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(_documents, "MAX_HEADER", 5000)
    with pytest.raises(ValueError, match="history of the model are .* can hold 5000.*joblib"):
        save_model(fitted, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_card_is_read_without_torch(file):
    code = (
        "import sys; from skfacies.persistence import read_card\n"
        f"read_card({str(file)!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- refusals ---------------------------------------------------------------------------------


def fitted_with(make_tiny, survey, **params):
    return make_tiny(**params).fit(survey.data[:4], survey.target[:4])


def test_unfitted_models_are_refused(make_tiny, survey, tmp_path):
    for model in [make_tiny(), CubeSegmenter(make_tiny()), make_pipeline(make_tiny())]:
        with pytest.raises(NotFittedError, match="not fitted yet"):
            save_model(model, tmp_path / "model")
    pipeline = make_pipeline(AmplitudeScaler(), fitted_with(make_tiny, survey))
    with pytest.raises(NotFittedError, match="AmplitudeScaler instance is not fitted yet"):
        save_model(pipeline, tmp_path / "model")
    assert not list(tmp_path.iterdir())


class Noisy(FaciesSegmenter):
    """A class of somebody else."""


def test_foreign_classes_are_refused_by_name(make_tiny, survey, tmp_path):
    from skorch.callbacks import EpochTimer

    foreign = FunctionTransformer(validate=False)
    fitted = fitted_with(make_tiny, survey)
    noisy = Noisy(**fitted.get_params())
    noisy.__setstate__(fitted.__getstate__())
    named_random = fitted_with(make_tiny, survey, random_state=np.random.RandomState(0))
    cases = {
        r"`model.steps\[0\]\[1\]` is a sklearn.preprocessing.*FunctionTransformer": make_pipeline(
            foreign, fitted
        ),
        r"`model.scaler` is a sklearn.preprocessing": fitted_with(
            make_tiny, survey, scaler=foreign
        ),
        r"`model.callbacks\[0\]\[1\]` is a skorch.*EpochTimer.*set_params\(callbacks=None\)": (
            fitted_with(make_tiny, survey, callbacks=[("timer", EpochTimer())])
        ),
        r"`model.random_state` is a numpy.*RandomState.*model.set_params\(random_state=None\)": (
            named_random
        ),
        r"`model` is a .*Noisy": noisy,
        r"`model` is a dict": {},
    }
    for message, model in cases.items():
        with pytest.raises(TypeError, match=f"{message}.*joblib.dump"):
            save_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())
    save_model(named_random.set_params(random_state=None), tmp_path / "model")


@pytest.mark.parametrize(
    "net_params",
    [
        {"optimizer": type("Mine", (), {})},
        {"optimizer__betas": np.array([0.8, 0.9])},
        {"module__decoder_use_norm": print},
        {"compile": True},
        {"module__checkpoint_path": "weights.pth"},
    ],
    ids=lambda params: next(iter(params)),
)
def test_options_of_the_net_are_refused_by_name(net_params, fitted, tmp_path):
    model = copy.deepcopy(fitted)
    model._net_options |= net_params
    with pytest.raises(TypeError, match=f"{next(iter(net_params))}.*joblib.dump"):
        save_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_attributes_that_have_no_place_in_the_file_are_refused(fitted, tmp_path):
    model = copy.deepcopy(fitted)
    model.survey_ = "F3"
    with pytest.raises(TypeError, match=r"FaciesSegmenter lacks \[\] and has .* \['survey_'\]"):
        save_model(model, tmp_path / "model")


def test_caches_of_pipelines_are_refused(make_tiny, survey, tmp_path):
    model = Pipeline([("segment", make_tiny())], memory=str(tmp_path / "cache"))
    model.fit(survey.data[:4], survey.target[:4])
    with pytest.raises(TypeError, match="`memory` of a Pipeline is a cache.*set it to None"):
        save_model(model, tmp_path / "model")


# --- writing ----------------------------------------------------------------------------------


def test_interrupted_writing_leaves_the_old_file(fitted, tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_bytes(b"old")

    def interrupt(*args):
        raise KeyboardInterrupt

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                save_model(fitted, path)
        assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["model"])
    save_model(fitted, path)
    assert path.stat().st_size > 1000


@pytest.mark.slow
def test_killed_runs_leave_the_old_file(file, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    code = (
        "import os, signal, sys; from skfacies.persistence import load_model, save_model\n"
        "model = load_model(sys.argv[1])\n"
        "os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)\n"
        "save_model(model, sys.argv[2])"
    )
    assert subprocess.run([sys.executable, "-c", code, str(file), str(path)]).returncode == -9
    assert path.read_bytes() == b"old"


def test_files_get_the_usual_permissions_and_links_stay(fitted, tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "model")
    save_model(fitted, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_path_must_name_a_file_in_a_folder(fitted, tmp_path):
    with pytest.raises(IsADirectoryError, match="`path` is a folder: .*Give the name of a file"):
        save_model(fitted, tmp_path)
    with pytest.raises(FileNotFoundError, match="`path` is in a folder that does not exist"):
        save_model(fitted, tmp_path / "no" / "model")


def test_what_would_not_load_is_not_written(fitted, tmp_path):
    model = copy.deepcopy(fitted)
    model._module_options = {**model._module_options, "encoder_name": "resnet34"}
    with pytest.raises(ValueError, match="cannot be saved, because it would not load.*joblib"):
        save_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


# --- damaged files ----------------------------------------------------------------------------


def refused(path, match="cannot be loaded as a model of skfacies"):
    for reader in (load_model, persistence.read_card):
        with pytest.raises(ValueError, match=match) as caught:
            reader(path)
        assert str(path) in str(caught.value)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist. Give a file that save_model"):
        load_model(tmp_path / "model")
    with pytest.raises(OSError, match="directory"):
        load_model(tmp_path)


def test_truncated_files(file, tmp_path):
    data, path = file.read_bytes(), tmp_path / "model"
    n_header = int.from_bytes(data[:8], "little")
    for size in (0, 5, 8, 9, 1000, n_header, n_header + 8, n_header + 9, len(data) - 1):
        path.write_bytes(data[:size])
        refused(path)
    path.write_bytes(data + b"\0")
    refused(path)


def test_files_of_another_kind(fitted, tmp_path):
    path = tmp_path / "model"
    rng = np.random.default_rng(0)
    for data in (b"hello", rng.bytes(5000), b"\xff" * 100, b"\x10" + b"\0" * 7 + b"[" * 5000):
        path.write_bytes(data)
        refused(path)
    joblib.dump(fitted, path)
    refused(path, "If joblib wrote it and you trust its origin, use joblib.load")
    save_file({"weight": np.zeros(3)}, path)
    refused(path, "it has tensors, but no skfacies document")


@pytest.mark.parametrize("text", ["", "{", "[]", "NaN", '"x"', "{}", "[" * 100_000, "1" * 5000])
def test_documents_that_are_none(text, contents, tmp_path):
    refused(write(tmp_path / "model", text, contents[1]))


def test_changed_bytes_are_noticed(file, tmp_path):
    data = bytearray(file.read_bytes())
    rng = np.random.default_rng(0)
    for place in [*rng.integers(len(data), size=40), *rng.integers(20_000, size=40)]:
        changed = data.copy()
        changed[place] ^= 1 << rng.integers(8)
        (tmp_path / "model").write_bytes(changed)
        with pytest.raises(ValueError, match="cannot be loaded as a model of skfacies"):
            load_model(tmp_path / "model")


def test_newer_formats_name_both_versions(contents, tmp_path):
    document = {**contents[0], "format_version": 2, "versions": {"skfacies": "9.1"}}
    path = write(tmp_path / "model", document, contents[1])
    refused(path, "has version 2 of the format, written by skfacies 9.1; .* reads version 1")


def test_other_versions_are_named_where_loading_fails(contents, tmp_path):
    document = copy.deepcopy(contents[0])
    document["versions"] |= {"torch": "1.2.3"}
    document["model"]["params"]["color"] = 1
    path = write(tmp_path / "model", document, contents[1])
    with pytest.raises(ValueError, match=r"no parameters \['color'\].*written with torch 1.2.3 "):
        load_model(path)


BIAS = "model.net_.module_.network.segmentation_head.0.bias"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop(BIAS), "Missing key.*segmentation_head.0.bias"),
        (lambda tensors: tensors.update(more=np.zeros(3)), r"that nothing uses: \['more'\]"),
        (lambda tensors: tensors.update({BIAS + "2": np.zeros(3)}), "Unexpected key.*bias2"),
        (lambda tensors: tensors.update({BIAS: np.zeros(4, np.float32)}), "size mismatch.*bias"),
        (lambda tensors: tensors.update({BIAS: np.zeros(3)}), "bias are float64 of shape .3"),
        (lambda tensors: tensors.pop("model.scaler_._histogram[0]"), "_histogram.* is missing"),
    ],
)
def test_tensors_that_do_not_fit(change, message, contents, tmp_path):
    tensors = dict(contents[1])
    change(tensors)
    path = write(tmp_path / "model", contents[0], tensors)
    with pytest.raises(ValueError, match=f"cannot be loaded as a model.*{message}"):
        load_model(path)


HUGE = 10**9
LIES = [
    ("fitted._module_options.encoder_depth", HUGE, "encoder_depth"),
    ("fitted._module_options.decoder_channels", {"$tuple": [HUGE] * 3}, f"{HUGE} wide"),
    ("fitted._module_options.decoder_channels", {"$tuple": [100] * 3}, "size mismatch"),
    ("fitted._module_options.n_classes", HUGE, f"has {HUGE} classes"),
    ("fitted._module_options.in_channels", 0, "0 channels"),
    ("fitted._module_options.in_channels", 2.0, "2.0 channels"),
    ("fitted._module_options.encoder_name", "tu-vit_giant_patch14_224", "more memory"),
    ("fitted._module_options.encoder_name", "tu-hf_hub:evil/model", "encoder_name"),
    ("fitted._module_options.architecture", "DPT", "DPT"),
    ("fitted._module_options.extra", 1, "extra"),
    ("fitted._net_options.module__checkpoint_path", "/etc/passwd", "checkpoint_path"),
    ("fitted._net_options.module__decoder_interpolation", "cubist", "cubist"),
    ("fitted._net_options.compile", True, "compile"),
    ("fitted._net_options.optimizer", {"$optimizer": "os.system"}, "os.system"),
    ("fitted._net_options.optimizer__momentum", 1, "momentum"),
    ("fitted._net_options.criterion__loss", "l1", "loss"),
    ("fitted.classes_", {"$array": {"dtype": "<U9999999", "values": ["a"] * 9}}, "can have"),
    ("fitted.classes_", {"$array": {"dtype": "object", "values": [[1], [2], [3]]}}, "2 axes"),
    ("fitted.classes_", {"$array": {"dtype": "<i8", "values": [2**70] * 3}}, "int"),
    ("fitted.classes_", {"$array": {"dtype": "V8", "values": [1]}}, "V8"),
    ("fitted.classes_", [0, 1, 2], "`classes_` of FaciesSegmenter is a list"),
    ("fitted.device_", "meta", "meta"),
    ("fitted.device_", "no such", "`device_`|device"),
    ("fitted.scaler_", {"$estimator": {"class": "os.system"}}, "params|os.system"),
    ("fitted.scaler_", {"$import": "os"}, "unknown form '.import'"),
    ("fitted.history_", [1], "history_"),
    ("fitted._dead_rows", {"$tuple": [1]}, "dead rows"),
    ("fitted._dead_rows", {"$tuple": ["x", 2]}, "dead rows"),
    ("fitted._amplitude_level", {"$tuple": [0.5]}, "level of the training amplitudes"),
    ("fitted._net_options.criterion__class_weight", {"$torch": [1]}, "numpy|TypeError"),
    ("params.lr", "fast", "'lr' parameter"),
    ("params.encoder_depth", HUGE, "'encoder_depth' parameter"),
    ("params.net_params", {"module__activation": "x"}, "activation"),
    ("class", "Unpickler", "it holds a 'Unpickler'"),
    ("class", "AmplitudeScaler", "has no parameters"),
]


@pytest.mark.parametrize(("place", "value", "message"), LIES, ids=[lie[0] for lie in LIES])
def test_documents_that_lie(place, value, message, contents, tmp_path):
    document = copy.deepcopy(contents[0])
    *outer, last = place.split(".")
    part = document["model"]
    for key in outer:
        part = part[key]
    part[last] = value
    path = write(tmp_path / "model", document, contents[1])
    if place == "fitted.device_" and value == "no such":
        with pytest.warns(UserWarning, match="loaded to the CPU"):
            assert load_model(path).device_ == "cpu"
        return
    with pytest.raises(ValueError, match=f"cannot be loaded as a model.*({message})"):
        load_model(path)


def test_tensors_that_claim_gigabytes_are_refused(contents, tmp_path):
    header = {"x": {"dtype": "F32", "shape": [HUGE, 3], "data_offsets": [0, 12 * HUGE]}}
    text = json.dumps({"__metadata__": {"skfacies": json.dumps(contents[0])}, **header})
    (tmp_path / "model").write_bytes(len(text).to_bytes(8, "little") + text.encode())
    refused(tmp_path / "model")


def test_headers_of_gigabytes_are_not_read(tmp_path):
    with open(tmp_path / "model", "wb") as file:
        file.write((1 << 33).to_bytes(8, "little"))
        file.truncate(1 << 34)
    refused(tmp_path / "model", "does not begin like a safetensors file")


def test_networks_of_little_weight_cannot_take_much_memory():
    import torch

    with pytest.raises(ValueError, match="more memory"), _document._limited_memory(10**6):
        torch.nn.Linear(1000, 1000)


SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5)
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(SCALAR.filter(lambda key: key == key), inner, max_size=3),
        st.dictionaries(st.sampled_from(["$array", "$tuple", "a"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(VALUE)
@settings(max_examples=100, derandomize=True, deadline=None)
def test_values_come_back_as_they_were(value):
    writer = _document.Writer()
    text = json.dumps(writer.encode(value, "value"), allow_nan=False)
    assert repr(_document.Reader(writer.tensors).decode(json.loads(text))) == repr(value)


def places(value, path=()):
    """Paths to all values in a JSON document."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    for key, part in enumerate(value) if isinstance(value, list) else items:
        yield from places(part, (*path, key))


NONSENSE = [None, -1, 0.5, 10**12, "x", "$", [], [[]], {}, {"$tuple": 3}, {"$array": {}}]
NONSENSE += [{"$weights": "model"}, {"$estimator": {}}, {"$scalar": {"dtype": "<f8"}}, True]


@given(st.data())
@settings(max_examples=40, derandomize=True, deadline=None)
def test_nonsense_in_documents_gives_a_model_or_a_value_error(contents, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("nonsense") / "model"
    document = copy.deepcopy(contents[0])
    document["model"]["fitted"]["history_"] = document["model"]["fitted"]["history_"][:1]
    for _ in range(2):
        found = sorted(places(document), key=str)[1:]
        *outer, last = found[data.draw(st.integers(0, 10**6)) % len(found)]
        part = document
        for key in outer:
            part = part[key]
        part[last] = copy.deepcopy(data.draw(st.sampled_from(NONSENSE)))
    write(path, document, contents[1])
    try:
        load_model(path, device="cpu").get_params()
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017
