"""Networks for other runtimes: an ONNX file of a fitted segmenter."""

import copy
import io
import json
import logging
import os
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skfacies._files import check_place, whole_file
from skfacies._sections.estimators import last_step
from skfacies._sections.scaler import AmplitudeScaler
from skfacies._version import __version__

__all__ = ["describe_export", "export_onnx"]

#: The oldest set of operators that has all that is needed: more programs read it.
OPSET = 18

#: The oldest version of the format that has these operators.
IR_VERSION = 8

#: Largest difference of probabilities from those of the estimator.
TOLERANCE = 1e-4

#: A file of this format holds no more than 2 GB.
MOST_BYTES = 2_000_000_000

ONNX_ADVICE = "pip install 'skfacies[onnx]'"


def export_onnx(estimator, path):
    """Write the network of a fitted segmenter as an ONNX file, for programs without Python.

    The graph takes amplitudes as they are in the survey and gives probabilities: scaling, padding,
    dead traces, mutes, the depth channel and the softmax are inside. Its results are those of
    `predict_proba` of an estimator with ``section_statistics=False``, ``dip_smoothing=None``,
    ``unit_order=None``, ``positions=None``, ``tta=False``, ``precision="float32"`` and
    ``memory_limit=None``. The functions of `skfacies.postprocessing` do what the segmenters do to
    probabilities after the network.

    Parameters
    ----------
    estimator : FaciesSegmenter, CubeSegmenter, or Pipeline of AmplitudeScaler and FaciesSegmenter
        Fitted. Of a `CubeSegmenter`, the network of its sections is written.
    path : str or path
        File to write, such as "facies.onnx". An existing file is replaced when the new one has been
        compared with the estimator.

    Raises
    ------
    NotFittedError
        If `estimator` is not fitted.
    ImportError
        If onnx, onnxscript or onnxruntime is missing.
    ValueError
        If the estimator has a scaler other than `AmplitudeScaler`, or ``rescale="survey"``; or if
        the architecture cannot be exported, or would give other probabilities in ONNX. Then nothing
        is written.
    OSError
        If the file cannot be written.

    See Also
    --------
    skfacies.postprocessing.labels_in_order : Labels in stratigraphic order.
    skfacies.postprocessing.smooth_along_dip : Averages of probabilities along reflectors.
    save_model : Writes all of the estimator, for Python.

    Notes
    -----
    The input ``amplitudes`` is float32 of shape (n_sections, n_traces, n_samples), or (n_sections,
    n_traces, n_samples, n_channels) if the network has several channels, with samples downwards.
    All sizes but the number of channels may vary from call to call. With ``neighbors`` the channels
    are the line itself, then the lines before and after it, as `CubeSegmenter` cuts them. The
    output ``probabilities`` is (n_sections, n_traces, n_samples, n_classes). It is NaN where
    amplitudes are NaN or at least 1e30 in magnitude; set other null values, such as -999.25, to NaN
    first.
    Sections of a batch share the window of live samples: give sections with dead traces one by one.
    Sections are not cut into tiles: long ones need more memory than in `predict_proba`.

    The metadata are JSON texts by name: "classes", "class_names", "unit_order", "sample_interval",
    "n_samples" of the training sections, "direction", "neighbors", "channels", "scaling",
    "dip_smoothing", "left_out" (what the estimator does and the graph does not), "training_hash" of
    the training data, and "skfacies_version".

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skfacies import FaciesSegmenter
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.persistence import export_onnx
    >>> survey = make_facies_cube((8, 32, 32), n_facies=2, random_state=0)
    >>> segmenter = FaciesSegmenter(
    ...     encoder_name="tu-test_resnet", encoder_depth=3, decoder_channels=(8, 8, 8),
    ...     max_epochs=1, random_state=0).fit(survey.data, survey.target)
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "facies.onnx")
    >>> export_onnx(segmenter, path)  # doctest: +SKIP
    >>> import onnxruntime  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession(path)  # doctest: +SKIP
    >>> session.run(None, {"amplitudes": survey.data[:1]})[0].shape  # doctest: +SKIP
    (1, 32, 32, 2)
    >>> folder.cleanup()
    """
    check_is_fitted(estimator)
    target = Path(os.path.realpath(os.fspath(path)))
    check_place(target, "path")
    _check_packages()
    segmenter, scalers = _segmenter_and_scalers(estimator)
    model = _make_model(segmenter, scalers)
    _describe(model, describe_export(estimator))
    data = model.SerializeToString()
    _check_same(data, segmenter, scalers)
    with whole_file(target) as part:
        part.write_bytes(data)


def describe_export(estimator):
    """What the metadata of an ONNX file say, as plain values."""
    segmenter, scalers = _segmenter_and_scalers(estimator)
    classes = segmenter.classes_.tolist()
    names = getattr(estimator, "label_names_", None) or getattr(segmenter, "label_names_", None)
    order = segmenter.unit_order_
    scalings = [
        {
            "center": np.asarray(scaler.center_).tolist(),
            "scale": np.asarray(scaler.scale_).tolist(),
            "clip": scaler.clip,
        }
        for scaler in scalers
        if scaler is not None
    ]
    interval = getattr(estimator, "sample_interval_", None)
    return {
        "skfacies_version": __version__,
        "classes": classes,
        "class_names": [str((names or {}).get(label, label)) for label in classes],
        "unit_order": None if order is None else order.tolist(),
        "sample_interval": segmenter.sample_interval_ if interval is None else interval,
        "n_samples": segmenter._heights,
        "direction": getattr(estimator, "direction", None),
        "neighbors": getattr(estimator, "neighbors", 0),
        "channels": segmenter.n_channels_,
        "scaling": scalings,
        "dip_smoothing": segmenter.dip_smoothing_,
        "left_out": _left_out(estimator, segmenter),
        "training_hash": (segmenter._training_summary or {}).get("hash"),
    }


def _left_out(estimator, segmenter):
    """What predictions of the estimator have in addition to those of its network."""
    parts = []
    if segmenter.section_statistics:
        parts.append("batch-norm statistics of each section (section_statistics)")
    if segmenter.dip_smoothing_:
        parts.append(
            f"averages along reflectors (dip_smoothing={segmenter.dip_smoothing_:g}): "
            "skfacies.postprocessing.smooth_along_dip"
        )
    if segmenter.unit_order_ is not None:
        parts.append("stratigraphic order (unit_order): skfacies.postprocessing.labels_in_order")
    if segmenter.positions and segmenter.contacts_ is not None:
        parts.append("contacts picked on the training lines (positions)")
    if segmenter.tta:
        parts.append("the mean with the mirrored section (tta)")
    if getattr(estimator, "direction", None) == "both":
        parts.append("the mean of inlines and crosslines (direction='both')")
    return parts


def _check_packages():
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"export_onnx needs onnx, onnxscript and onnxruntime ({error}). {ONNX_ADVICE}"
        ) from error


def _segmenter_and_scalers(estimator):
    """The FaciesSegmenter in an estimator, and all scalers of amplitudes in their order."""
    from skfacies._estimators.segmenter import FaciesSegmenter

    sections = getattr(estimator, "estimator_", estimator)
    sections = getattr(sections, "best_estimator_", sections)
    segmenter = last_step(sections)
    if not isinstance(segmenter, FaciesSegmenter):
        raise ValueError(
            f"`estimator` must be a fitted FaciesSegmenter, or hold one; got a "
            f"{type(segmenter).__name__}."
        )
    if segmenter.rescale is not None:
        raise ValueError(
            "rescale='survey' learns the scale of amplitudes in each prediction, which a file "
            "cannot. Export segmenter.rescaled_to(X), with sections of that survey, or set "
            "rescale=None."
        )
    scalers = [step for _, step in getattr(sections, "steps", [])[:-1]]
    scalers = [step for step in scalers if not _leaves_amplitudes(step)] + [segmenter.scaler_]
    for scaler in scalers:
        if scaler is not None and type(scaler) is not AmplitudeScaler:
            raise ValueError(
                f"the amplitudes are transformed by a {type(scaler).__name__}, which has no "
                "counterpart in ONNX. Use AmplitudeScaler, the default, as `scaler`; or fit with "
                "scaler=None, and transform the amplitudes before the graph as before `fit`."
            )
    return segmenter, scalers


def _leaves_amplitudes(step):
    from skfacies._cubes.to_sections import CubeToSections

    return step is None or step == "passthrough" or isinstance(step, CubeToSections)


# --- the graph ------------------------------------------------------------------------------------


def _make_model(segmenter, scalers):
    from onnx import TensorProto, helper, numpy_helper

    from skfacies.persistence._onnx_graph import Operators, finish, prepare

    module = segmenter.net_.module_
    n_bytes = sum(value.numel() * 4 for value in module.state_dict().values())
    if n_bytes > MOST_BYTES:
        raise ValueError(
            f"the network has {n_bytes / 1e9:.1f} GB of weights; an ONNX file holds 2 GB. Use a "
            "smaller `encoder_name`."
        )
    network = _export_network(module, segmenter._module_options)
    op = Operators()
    padded, window = prepare(
        op,
        "amplitudes",
        n_amplitudes=segmenter.n_channels_,
        scalers=scalers,
        depth_range=segmenter._depth_range,
        dead_rows=segmenter._dead_rows,
        multiple=module.multiple,
        smallest=module.smallest,
    )
    op.Identity(padded, output=network.graph.input[0].name)
    before = len(op.nodes)
    finish(op, network.graph.output[0].name, window, output="probabilities")
    sizes = ["n_sections", "n_traces", "n_samples"]
    channels = [segmenter.n_channels_] if segmenter.n_channels_ > 1 else []
    classes = [len(segmenter.classes_)]
    graph = helper.make_graph(
        [*op.nodes[:before], *network.graph.node, *op.nodes[before:]],
        "skfacies",
        [helper.make_tensor_value_info("amplitudes", TensorProto.FLOAT, sizes + channels)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, sizes + classes)],
        [
            *network.graph.initializer,
            *(numpy_helper.from_array(array, name) for name, array in op.constants.items()),
        ],
    )
    return helper.make_model(
        graph,
        ir_version=network.ir_version if network.functions else IR_VERSION,
        opset_imports=network.opset_import,
        functions=network.functions,
        producer_name="skfacies",
        producer_version=__version__,
    )


def _export_network(module, options):
    """The network itself as an ONNX model, for padded input of any size."""
    import torch

    from skfacies._nn.plain import plain_network

    dim, multiple = torch.export.Dim, module.multiple
    side = max(module.smallest, 2 * multiple)
    example = torch.zeros(2, options["in_channels"], side + multiple, side)
    sizes = {0: dim("n_items"), 2: multiple * dim("height"), 3: multiple * dim("width")}
    try:
        with _silenced():
            program = torch.onnx.export(
                plain_network(module),
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=["padded"],
                output_names=["logits"],
                dynamic_shapes=(sizes,),
                external_data=False,
            )
        return program.model_proto
    except Exception as error:  # exporters raise all kinds
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise ValueError(
            f"architecture={options['architecture']!r} with encoder_name="
            f"{options['encoder_name']!r} cannot be exported to ONNX: {reason}. 'Unet' with "
            "'resnet18', the default, can; so can most convolutional networks."
        ) from error


@contextmanager
def _silenced():
    """Without what exporters print, log and warn of: about their own parts."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        nothing = io.StringIO()
        with warnings.catch_warnings(), redirect_stdout(nothing), redirect_stderr(nothing):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _describe(model, metadata):
    from onnx import helper

    helper.set_model_props(
        model, {name: json.dumps(value, ensure_ascii=False) for name, value in metadata.items()}
    )
    names = ", ".join(metadata["class_names"])
    left_out = "; ".join(metadata["left_out"])
    model.doc_string = (
        "Seismic facies of every sample, from amplitudes (n_sections, n_traces, n_samples) as they "
        f"are in the survey to probabilities of {names}."
        + (f" Not in this graph: {left_out}." if left_out else "")
    )


# --- comparison -----------------------------------------------------------------------------------


def _check_same(data, segmenter, scalers):
    """Compare the file with the estimator on noise, with dead traces and a mute."""
    import onnxruntime

    try:
        with _silenced():
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4  # errors are raised; do not print them, too
            providers = ["CPUExecutionProvider"]
            session = onnxruntime.InferenceSession(data, options, providers=providers)
            differences = [
                _difference(session, segmenter, scalers, section)
                for section in _noise(scalers[0], segmenter.n_channels_, segmenter._heights)
            ]
    except Exception as error:  # onnxruntime raises its own
        raise ValueError(
            f"onnxruntime does not run the exported network: {' '.join(str(error).split())[:300]}. "
            "Use another `architecture`, or other versions of onnx and onnxruntime."
        ) from error
    largest = np.max(differences)  # NaN if one is
    if not largest <= TOLERANCE:
        raise ValueError(
            f"the exported network gives other probabilities, by up to {largest:.2g} in "
            f"onnxruntime (allowed: {TOLERANCE:g}). architecture="
            f"{segmenter._module_options['architecture']!r} with encoder_name="
            f"{segmenter._module_options['encoder_name']!r} cannot be exported faithfully; "
            "nothing was written."
        )


def _noise(scaler, n_channels, heights):
    """Sections of noise of the survey's scale."""
    rng = np.random.default_rng(0)
    n_samples = min(heights[1], 256) if heights else 96
    center, scale = (0.0, 1.0) if scaler is None else (scaler.center_, scaler.scale_)
    for n_traces, height in ((45, n_samples), (200, min(n_samples, 61))):
        channels = (n_channels,) if n_channels > 1 else ()
        center, scale = (np.resize(own, channels or 1) for own in (center, scale))
        section = rng.normal(center, scale, (n_traces, height, *channels)).astype(np.float32)
        section[:3], section[n_traces // 2, : height // 2], section[-1] = 0, center, np.nan
        yield section


def _difference(session, segmenter, scalers, section):
    expected = reference_probabilities(segmenter, scalers, section)
    (found,) = session.run(None, {"amplitudes": section[None]})
    same = np.isnan(found[0]) & np.isnan(expected)
    return float(np.max(np.where(same, 0, np.abs(found[0] - expected))))


def reference_probabilities(segmenter, scalers, section):
    """Probabilities (n_traces, n_samples, n_classes) of the network alone, in float32 on a CPU."""
    from skfacies._nn.data import Conditioner
    from skfacies._nn.inference import PredictionOptions, iterate_scores

    module = copy.deepcopy(segmenter.net_.module_).cpu()
    module.precision = "float32"
    for scaler in scalers[:-1]:
        section = scaler.transform([section])[0]
    conditioner = Conditioner(scalers[-1], segmenter._depth_range, segmenter.n_channels_)
    options = PredictionOptions(device="cpu", dead_rows=segmenter._dead_rows, nan_policy="ignore")
    result = np.empty((*section.shape[:2], len(segmenter.classes_)), np.float32)
    for _, traces, scores, missing, _ in iterate_scores(module, [section], conditioner, options):
        result[traces] = scores.permute(1, 2, 0).numpy()
        if missing is not None:
            result[traces][missing] = np.nan
    return result
