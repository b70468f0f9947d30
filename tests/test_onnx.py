"""Networks in ONNX files: the same probabilities as the estimator, whatever the sections."""

import copy
import doctest
import json
import os
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfacies import AmplitudeScaler, CubeSegmenter
from skfacies.__main__ import main
from skfacies.persistence import _onnx, export_onnx, save_model
from skfacies.postprocessing import labels_in_order

onnx = pytest.importorskip("onnx", reason="needs the extra [onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
pytest.importorskip("onnxscript", reason="needs the extra [onnx]")
torch = pytest.importorskip("torch")

SHAPES = [(1, 1), (2, 40), (7, 5), (16, 31), (33, 48), (64, 64), (191, 33), (192, 50), (260, 7)]


class Convolution(torch.nn.Module):
    """A network of one layer, which takes no time to export."""

    multiple, smallest, precision = 32, 64, "float32"

    def __init__(self, n_channels, n_classes):
        super().__init__()
        self.layer = torch.nn.Conv2d(n_channels, n_classes, 5, padding=2)

    def forward(self, amplitudes, dead=None):
        shape = [max(size, self.smallest) for size in amplitudes.shape[-2:]]
        padded = np.pad(
            amplitudes.numpy(),
            [
                (0, 0),
                (0, 0),
                *((0, n - m) for n, m in zip(shape, amplitudes.shape[-2:], strict=True)),
            ],
            mode="symmetric",
        )
        logits = self.layer(torch.from_numpy(padded))
        return logits[..., : amplitudes.shape[-2], : amplitudes.shape[-1]]


def convolution_in_onnx(module, options):
    from onnx import TensorProto, helper, numpy_helper

    arrays = {name: value.detach().numpy() for name, value in module.layer.named_parameters()}
    graph = helper.make_graph(
        [helper.make_node("Conv", ["padded", "weight", "bias"], ["logits"], pads=[2, 2, 2, 2])],
        "convolution",
        [helper.make_tensor_value_info("padded", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    opsets = [helper.make_opsetid("", _onnx.OPSET)]
    return helper.make_model(graph, ir_version=10, opset_imports=opsets)


@pytest.fixture
def make_quick(make_tiny, survey, monkeypatch):
    """Maker of segmenters with a network of one layer; arguments change parameters."""
    monkeypatch.setattr(_onnx, "_export_network", convolution_in_onnx)

    def make(n_channels=1, **params):
        data = np.stack([survey.data * (k + 1) for k in range(n_channels)], axis=-1)
        data = data[..., 0] if n_channels == 1 else data
        segmenter = make_tiny(**params).fit(data[:3], survey.target[:3])
        torch.manual_seed(0)
        n_inputs = segmenter._module_options["in_channels"]
        segmenter.net_.module_ = Convolution(n_inputs, len(segmenter.classes_))
        return segmenter

    return make


def without_geology(segmenter):
    """A copy that predicts what its network says."""
    plain = clone(segmenter)
    fitted = {k: v for k, v in vars(segmenter).items() if k not in segmenter.get_params()}
    vars(plain).update(fitted)  # `copy` would build another network
    plain.net_ = copy.copy(segmenter.net_)
    plain.net_.module_ = copy.deepcopy(segmenter.net_.module_)
    plain.net_.module_.precision = "float32"
    return plain.set_params(
        section_statistics=False,
        dip_smoothing=None,
        unit_order=None,
        positions=None,
        rescale=None,
        tta=False,
        memory_limit=None,
        nan_policy="ignore",
    )


def run(path, sections):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"amplitudes": np.asarray(sections, dtype=np.float32)})[0]


def assert_same_probabilities(path, segmenter, sections):
    expected = without_geology(segmenter).predict_proba(sections)
    found = run(path, sections)
    assert_allclose(found, expected, rtol=0, atol=1e-4)
    defined = ~np.isnan(expected[..., 0])
    labels = (values[defined].argmax(axis=-1) for values in (found, expected))
    assert np.mean(np.equal(*labels)) >= 0.9999 if defined.any() else True


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


# --- before and after the network -----------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"scaler": None},
        {"scaler": AmplitudeScaler(clip=None, center=False)},
        {"depth_channel": True},
        {"n_channels": 3},
        {"n_channels": 2, "depth_channel": True},
    ],
)
def test_sections_of_all_sizes(params, make_quick, tmp_path):
    segmenter = make_quick(**params)
    export_onnx(segmenter, tmp_path / "m.onnx")
    channels = segmenter.n_channels_
    for shape in SHAPES[channels > 1 :]:
        sections = noise(2, *shape, *([channels] if channels > 1 else []))
        assert_same_probabilities(tmp_path / "m.onnx", segmenter, sections)


def test_dead_traces_mutes_and_undefined_samples(make_quick, tmp_path):
    segmenter = make_quick(depth_channel=True, nan_policy="ignore")
    export_onnx(segmenter, tmp_path / "m.onnx")
    path, section = tmp_path / "m.onnx", noise(1, 60, 70)
    changes = {
        "dead traces at both ends": (slice(3), slice(None), 0.0),
        "a dead trace": (7, slice(None), 2.0),
        "undefined traces": (slice(50, None), slice(None), np.nan),
        "a mute": (slice(10, 20), slice(17), 0.0),
        "a short mute": (30, slice(5), 0.0),
        "the end of all traces": (slice(None), slice(60, None), 0.0),
        "undefined samples": (slice(20, 25), slice(20, 25), np.nan),
        "the top of all traces": (slice(None), slice(2), -1.0),
        "huge values": (40, slice(10, 12), 1e30),
        "everything": (slice(None), slice(None), 0.0),
        "nothing is defined": (slice(None), slice(None), np.nan),
    }
    for traces, samples, value in changes.values():
        alone = noise(1, 60, 70)
        alone[0, traces, samples] = section[0, traces, samples] = value
        assert_same_probabilities(path, segmenter, alone)
        assert_same_probabilities(path, segmenter, section)


def test_dead_traces_of_one_channel(make_quick, tmp_path):
    segmenter = make_quick(n_channels=3, nan_policy="ignore")
    export_onnx(segmenter, tmp_path / "m.onnx")
    section = noise(1, 40, 50, 3)
    section[0, :4, :, 1], section[0, 8, :, 0], section[0, :, 45:, 2] = 0, 0, np.nan
    assert_same_probabilities(tmp_path / "m.onnx", segmenter, section)


def test_scalers_of_a_pipeline_come_first(make_quick, survey, tmp_path):
    segmenter = make_quick(scaler=None, nan_policy="ignore")
    scaler = AmplitudeScaler(clip=2.0).fit(100 * survey.data)
    pipeline = make_pipeline("passthrough", scaler, segmenter)
    export_onnx(CubeSegmenter.from_fitted(pipeline), tmp_path / "m.onnx")
    sections = 100 * noise(1, 40, 50)
    sections[0, :5, :20] = np.nan
    expected = without_geology(segmenter).predict_proba(scaler.transform(sections))
    assert_allclose(run(tmp_path / "m.onnx", sections), expected, rtol=0, atol=1e-4)


def test_metadata_tell_what_the_numbers_mean(make_quick, tmp_path):
    segmenter = make_quick()
    cubes = CubeSegmenter.from_fitted(segmenter, direction="both")
    cubes.label_names_ = {0: "shale", 1: "sand", 2: "salt"}
    export_onnx(cubes, tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    found = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert found["classes"] == [0, 1, 2]
    assert found["class_names"] == ["shale", "sand", "salt"]
    assert found["unit_order"] == segmenter.unit_order_.tolist()
    assert found["n_samples"] == [48, 48]
    assert found["direction"] == "both"
    assert found["scaling"][0]["scale"] == segmenter.scaler_.scale_
    assert found["training_hash"] == segmenter._training_summary["hash"]
    left_out = " ".join(found["left_out"])
    for name in ("section_statistics", "labels_in_order", "direction='both'"):
        assert name in left_out
    assert "smooth_along_dip" not in left_out
    assert "probabilities of shale, sand, salt" in model.doc_string
    onnx.checker.check_model(model, full_check=True)


# --- refusals -------------------------------------------------------------------------------------


def test_own_scalers_are_refused(make_tiny, survey, tmp_path):
    segmenter = make_tiny(scaler=FunctionTransformer()).fit(survey.data[:3], survey.target[:3])
    with pytest.raises(ValueError, match="by a FunctionTransformer, which has no counterpart"):
        export_onnx(segmenter, tmp_path / "m.onnx")
    assert not os.listdir(tmp_path)


def test_a_scale_that_is_learned_in_prediction_is_refused(make_quick, survey, tmp_path):
    segmenter = make_quick().set_params(rescale="survey")
    with pytest.raises(ValueError, match=r"Export segmenter\.rescaled_to\(X\)"):
        export_onnx(segmenter, tmp_path / "m.onnx")
    rescaled = segmenter.rescaled_to(1000 * survey.data)
    export_onnx(rescaled, tmp_path / "m.onnx")
    assert_same_probabilities(tmp_path / "m.onnx", rescaled, 1000 * survey.data[:1])


def test_missing_packages_are_named(fitted, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"onnxscript.*pip install 'skfacies\[onnx\]'"):
        export_onnx(fitted, tmp_path / "m.onnx")


def test_paths_are_checked_first(fitted, tmp_path):
    with pytest.raises(IsADirectoryError, match="`path` is a folder"):
        export_onnx(fitted, tmp_path)
    with pytest.raises(FileNotFoundError, match="in a folder that does not exist"):
        export_onnx(fitted, tmp_path / "no" / "m.onnx")


def test_networks_that_cannot_be_exported_leave_the_old_file(fitted, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no such\noperator")

    (tmp_path / "m.onnx").write_text("old")
    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(
        ValueError, match=r"'tu-test_resnet' cannot be exported to ONNX: no such op"
    ):
        export_onnx(fitted, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_text() == "old"


def test_other_results_are_not_written(make_quick, tmp_path, monkeypatch):
    segmenter = make_quick()
    other = Convolution(1, 3)
    monkeypatch.setattr(_onnx, "_export_network", lambda *_: convolution_in_onnx(other, None))
    with pytest.raises(ValueError, match="gives other probabilities, by up to 0"):
        export_onnx(segmenter, tmp_path / "m.onnx")
    assert not os.listdir(tmp_path)


# --- networks -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_writes_the_network_of_a_model(fitted, survey, tmp_path, capsys):
    model, out = tmp_path / "m.safetensors", tmp_path / "m.onnx"
    save_model(fitted, model, label_names=["a", "b", "c"])
    assert main(["export", str(model), "-o", str(out)]) == 0
    text = capsys.readouterr().out
    assert "facies: a, b, c\n" in text
    assert "left out: stratigraphic order" in text
    assert "next: skfacies info" in text
    for shape in SHAPES:
        assert_same_probabilities(out, fitted, noise(2, *shape))
    in_order = copy.copy(fitted).set_params(section_statistics=False, dip_smoothing=None)
    probabilities = run(out, survey.data)
    labels = labels_in_order(probabilities, fitted.unit_order_, classes=fitted.classes_)
    assert np.mean(labels == in_order.predict(survey.data)) >= 0.9999


@pytest.mark.slow
@pytest.mark.parametrize(
    "params",
    [
        {"precision": "bfloat16", "depth_channel": True},
        {"encoder_name": "resnet18", "decoder_channels": "auto", "encoder_depth": 5},
        {"architecture": "FPN", "decoder_channels": None},
    ],
)
def test_other_networks(params, make_tiny, survey, tmp_path):
    segmenter = make_tiny(**params).fit(survey.data, survey.target)
    export_onnx(segmenter, tmp_path / "m.onnx")
    for shape in SHAPES[2:7]:
        assert_same_probabilities(tmp_path / "m.onnx", segmenter, noise(1, *shape))


@pytest.mark.slow
def test_lines_beside_each_line(make_tiny, survey, tmp_path):
    cubes = CubeSegmenter(make_tiny(), neighbors=1).fit(survey.data, survey.target)
    export_onnx(cubes, tmp_path / "m.onnx")
    line = np.stack([survey.data[k] for k in (5, 4, 6)], axis=-1)
    assert_same_probabilities(tmp_path / "m.onnx", cubes.estimator_, line[None])
    expected = CubeSegmenter.from_fitted(without_geology(cubes.estimator_), neighbors=1)
    found = run(tmp_path / "m.onnx", line[None])[0]
    assert_allclose(found, expected.predict_proba(survey.data)[5], rtol=0, atol=1e-4)


@pytest.mark.slow
def test_the_example_runs():
    text = export_onnx.__doc__.replace("  # doctest: +SKIP", "")
    example = doctest.DocTestParser().get_doctest(text, {}, "export_onnx", None, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(example).failed == 0
    assert_array_equal(runner.summarize(verbose=False).attempted > 8, True)
