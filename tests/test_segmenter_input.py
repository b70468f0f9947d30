"""Bad input: a clear error, and an estimator that stays as it was."""

import functools

import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from skfacies import FaciesSegmenter

X = np.random.RandomState(0).normal(size=(4, 32, 32)).astype(np.float32)
Y = np.broadcast_to((np.arange(32) > 15).astype(int), X.shape)


@pytest.fixture
def make_tiny(make_tiny):
    """Nothing can be held out of the few traces of `X`."""
    return functools.partial(make_tiny, validation_fraction=0)


def spoilt(value, dtype=np.float32):
    data = X.astype(dtype)
    data[1, 2, 3] = value
    return data


BAD_X = {
    "section": (X[0], Y[0], r"got a 2-D array of shape \(32, 32\).*use X\[None\]"),
    "channels": (
        X[:, None],
        Y[:, None],
        r"without the channels, .* one channel before the traces, remove that axis",
    ),
    "no sections": (X[:0], Y[:0], "Found array with 0 section"),
    "empty list": ([], [], "empty list: Found 0 section"),
    "no traces": (X[:, :0], Y[:, :0], r"0 trace\(s\) \(shape=\(4, 0, 32\)\)"),
    "no samples": (X[:, :, :0], Y[:, :, :0], "0 sample"),
    "nan": (spoilt(np.nan), Y, "contains NaN .*trace 2, sample 3 of section 1.*nan_policy"),
    "infinity": (spoilt(np.inf), Y, "contains infinity"),
    "infinite in float32": (spoilt(1e39, np.float64), Y, r"too large for dtype\('float32'\)"),
    "complex": (X + 1j, Y, "Complex data not supported"),
    "objects": (X.astype(object), Y, "object array"),
    "strings": (X.astype(str), Y, "must hold numbers"),
    "1-D in a list": ([X[0], X[0, 0]], [Y[0], Y[0, 0]], r"`X\[1\]` must be a section"),
}


@pytest.mark.parametrize("case", BAD_X)
def test_bad_amplitudes(make_tiny, case):
    bad, y, message = BAD_X[case]
    with pytest.raises(ValueError, match=message):
        make_tiny().fit(bad, y)


def test_sparse_amplitudes(make_tiny):
    with pytest.raises(TypeError, match="sparse.*toarray"):
        make_tiny().fit(scipy.sparse.eye_array(32), Y)


one_hot = np.eye(2, dtype=int)[Y]
BAD_Y = {
    "none": (None, "requires y to be passed, but the target y is None"),
    "other shape": (Y[:, :31], r"shape of `X`, \(4, 32, 32\); got \(4, 31, 32\)"),
    "fewer sections": (Y[:3], "must have the shape of `X`"),
    "one label a section": (Y[:, 0, 0], "Every sample needs its own value"),
    "one-hot, last": (one_hot, r"one-hot labels, use y.argmax\(3\)"),
    "one-hot, first": (one_hot.transpose(0, 3, 1, 2), r"one-hot labels, use y.argmax\(1\)"),
    "continuous": (Y + 0.5, "Unknown label type: `y` is continuous"),
    "nan": (np.where(Y, 1.0, np.nan), "contains NaN.*ignore_label"),
    "nothing labeled": (np.full_like(Y, -1), "no labeled sample.*ignore_label=-1"),
    "one class": (np.zeros_like(Y), r"one class only, \[0\]"),
    "one class and ignored": (Y - 1, r"one class only, \[0\]"),
    "complex": (Y + 1j, "integers or strings"),
}


@pytest.mark.parametrize("case", BAD_Y)
def test_bad_labels(make_tiny, case):
    y, message = BAD_Y[case]
    with pytest.raises(ValueError, match=message):
        make_tiny().fit(X, y)


def test_bad_labels_in_lists(make_tiny):
    with pytest.raises(ValueError, match="inconsistent numbers of sections.*4.*3"):
        make_tiny().fit(list(X), list(Y[:3]))
    with pytest.raises(ValueError, match=r"`y\[1\]` must have the shape of `X\[1\]`"):
        make_tiny().fit(list(X), [Y[0], Y[1, 1:], Y[2], Y[3]])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"shape \(4,\)"),
        (np.zeros(4), "all zero"),
        (-np.ones(4), ">= 0"),
        (np.full(4, np.nan), "finite"),
        (np.ones((4, 32, 31)), "must have the shape"),
    ],
)
def test_bad_weights(make_tiny, weights, message):
    with pytest.raises(ValueError, match=message):
        make_tiny().fit(X, Y, sample_weight=weights)


BAD_PARAMETERS = {
    "encoder_name": ("resnet-18", "`encoder_name` must be an encoder.*resnet18"),
    "architecture": ("Wnet", "`architecture` must be one of.*'Unet'"),
    "decoder_channels": ((8, 8), "must be 3 widths"),
    "encoder_depth": (1, "'encoder_depth' parameter of FaciesSegmenter"),
    "loss": ("hinge", "'loss' parameter of FaciesSegmenter must be a str among"),
    "lr": (-1.0, "'lr' parameter"),
    "max_epochs": (0, "'max_epochs' parameter"),
    "batch_size": (0, "'batch_size' parameter"),
    "validation_fraction": (1.0, "'validation_fraction' parameter"),
    "crop_size": ((8, 8, 8), "`crop_size` must be"),
    "class_weight": ({7: 1.0}, r"keys that are no classes: \[7\]"),
    "augment": ({"rotate": 1}, r"unknown keys \['rotate'\]; known are \['flip'"),
    "device": ("tpu9", "`device` must be 'auto'"),
    "precision": ("float8", "'precision' parameter"),
    "scaler": ("minmax", "'scaler' parameter"),
    "nan_policy": ("fill", "'nan_policy' parameter"),
    "encoder_weights": ("no/such/file.pth", "there is no file"),
    "net_params": ({"module__decoder_attention_type": "x"}, "module options.*decoder_attention"),
}


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_bad_parameters(make_tiny, name):
    value, message = BAD_PARAMETERS[name]
    segmenter = make_tiny(**{name: value})
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        segmenter.fit(X, Y)
    assert not hasattr(segmenter, "classes_")


def test_sections_smaller_than_an_architecture_needs():
    segmenter = FaciesSegmenter(
        architecture="PAN", encoder_weights=None, validation_fraction=0, max_epochs=1
    )
    probabilities = segmenter.fit(X, Y).predict_proba(X)
    assert probabilities.shape == (*X.shape, 2)
    assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
    assert probabilities.std(axis=(1, 2)).min() > 0


def test_only_nan_amplitudes(make_tiny):
    with pytest.raises(ValueError, match="no labeled sample"):
        make_tiny(nan_policy="ignore").fit(np.full_like(X, np.nan), Y)
    half = np.where(Y == 1, np.nan, X)
    with pytest.raises(ValueError, match=r"one class only, \[0\]"):
        make_tiny(nan_policy="ignore").fit(half, Y)


def test_going_on_with_another_network(make_tiny):
    segmenter = make_tiny(warm_start=True).fit(X, Y)
    segmenter.set_params(encoder_name="resnet34", depth_channel=True)
    for method in (segmenter.fit, segmenter.partial_fit):
        with pytest.raises(ValueError, match=r"\['encoder_name', 'in_channels'\] would make"):
            method(X, Y)
    segmenter.set_params(warm_start=False).fit(X, Y)


@pytest.mark.parametrize("name", ["nonsense", "optimizer__nonsense", "module__nonsense"])
def test_unknown_net_params(make_tiny, name):
    with pytest.raises((TypeError, ValueError), match="nonsense"):
        make_tiny(net_params={name: 1}).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("max_epochs", 3, "Use `max_epochs`"),
        ("lr", 0.1, "Use `lr`"),
        ("criterion", torch.nn.CrossEntropyLoss, "Use `loss`"),
        ("criterion__loss", "dice", "Use `loss`"),
        ("module__precision", "float32", "Use `precision`"),
        ("module__activation", "softmax", "losses take logits"),
        ("iterator_train__num_workers", 2, "without workers"),
        ("iterator_valid__batch_size", 2, "without workers"),
    ],
)
def test_net_params_that_the_estimator_decides(make_tiny, name, value, advice):
    with pytest.raises(ValueError, match=f"cannot set '{name}', which .*{advice}"):
        make_tiny(net_params={name: value}).fit(X, Y)


@pytest.mark.parametrize("callbacks", [["checkpoint"], [("name", print)], [Callback]])
def test_callbacks_that_are_none(make_tiny, callbacks):
    with pytest.raises(ValueError, match="list of .name, skorch callback.; got the entry"):
        make_tiny(callbacks=callbacks).fit(X, Y)


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ({"flip": 1.5}, "'flip'. must be from 0 to 1"),
        ({"gain": -0.1}, "'gain'. must be a finite number >= 0; got -0.1"),
        ({"noise": "much"}, "'noise'. must be a finite number >= 0; got 'much'"),
        ({"noise": np.nan}, "'noise'. must be a finite number >= 0; got nan"),
        ({"tilt": 1}, "unknown keys .'tilt'."),
    ],
)
def test_bad_augmentation(make_tiny, augment, message):
    with pytest.raises(ValueError, match=message):
        make_tiny(augment=augment).fit(X, Y)


@pytest.mark.parametrize("weight", ["heavy", np.nan, -1, None])
def test_class_weights_that_are_no_weights(make_tiny, weight):
    with pytest.raises(ValueError, match="`class_weight` must hold finite numbers >= 0"):
        make_tiny(class_weight={0: weight}).fit(X, Y)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([[0, 1]], "`classes` must be a 1-D array of labels; got a 2-D"),
        ([-1], "`classes` has no label other than ignore_label=-1"),
        ([0.5, 1], "`classes` is continuous"),
        ([0], r"not in the classes \[0\]: \[1\]"),
    ],
)
def test_bad_classes_of_partial_fit(make_tiny, classes, message):
    segmenter = make_tiny()
    with pytest.raises(ValueError, match=message):
        segmenter.partial_fit(X, Y, classes=classes)
    assert not hasattr(segmenter, "classes_")


def test_weights_on_samples_without_labels_only(make_tiny):
    labels = np.where(np.arange(4)[:, None, None] < 2, Y, -1)
    with pytest.raises(ValueError, match="zero for every labeled sample"):
        make_tiny().fit(X, labels, sample_weight=[0, 0, 1, 1])


def test_going_on_with_other_options_of_the_network(make_tiny):
    segmenter = make_tiny(warm_start=True).fit(X, Y)
    segmenter.set_params(net_params={"module__decoder_use_norm": False})
    with pytest.raises(ValueError, match=r"\['net_params'\] would make another network"):
        segmenter.fit(X, Y)


def test_decoder_channels_of_an_architecture_without(make_tiny):
    with pytest.raises(ValueError, match="not an option of architecture='FPN'"):
        make_tiny(architecture="FPN").fit(X, Y)


def test_weights_need_the_cross_entropy(make_tiny):
    with pytest.raises(ValueError, match="`class_weight` needs loss='cross_entropy'"):
        make_tiny(loss="dice", class_weight="balanced").fit(X, Y)
    with pytest.raises(ValueError, match="`sample_weight` needs loss='cross_entropy'"):
        make_tiny(loss="dice").fit(X, Y, sample_weight=np.ones(4))


def test_nan_policy_needs_a_label_to_predict(make_tiny):
    with pytest.raises(ValueError, match="got ignore_label=None"):
        make_tiny(nan_policy="ignore", ignore_label=None).fit(X, Y)
    names = np.array(["a", "b"])[Y]
    with pytest.raises(ValueError, match="give an `ignore_label` of the labels' type"):
        make_tiny(nan_policy="ignore").fit(X, names)
    segmenter = make_tiny(nan_policy="ignore", ignore_label="unknown").fit(spoilt(np.nan), names)
    assert segmenter.predict(spoilt(np.nan))[1, 2, 3] == "unknown"


@pytest.mark.parametrize(
    ("validation_data", "message"),
    [
        (X, r"must be a tuple \(X, y\)"),
        ((X, Y, X), r"must be a tuple \(X, y\)"),
        ((X[0], Y[0]), r"`validation_data\[0\]` must be sections"),
        ((X, Y[:, :3]), r"`validation_data\[1\]` must have the shape of `validation_data\[0\]`"),
        ((X, Y + 1), r"not in the classes \[0, 1\]: \[2\]"),
    ],
)
def test_bad_validation_data(make_tiny, validation_data, message):
    with pytest.raises(ValueError, match=message):
        make_tiny().fit(X, Y, validation_data=validation_data)


def test_methods_before_fit(make_tiny):
    for method in (make_tiny().predict, make_tiny().predict_proba):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            method(X)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        make_tiny().score(X, Y)


@pytest.mark.parametrize("case", ["section", "nan", "infinity", "objects", "no traces"])
def test_bad_amplitudes_in_prediction(fitted, case):
    bad, _, message = BAD_X[case]
    with pytest.raises(ValueError, match=message):
        fitted.predict(bad)
    with pytest.raises(ValueError, match=message):
        fitted.predict_proba(bad)


def test_failed_fit_leaves_the_fitted_model(make_tiny):
    segmenter = make_tiny().fit(X, Y)
    before = dict(vars(segmenter))
    prediction = segmenter.predict(X)
    for bad, y, _ in BAD_X.values():
        with pytest.raises(ValueError, match="X"):
            segmenter.fit(bad, y)
    with pytest.raises(FloatingPointError, match="training diverged.*smaller `lr`"):
        segmenter.set_params(lr=1e30, lr_schedule="constant", max_epochs=8).fit(X * 1e3, Y)
    segmenter.set_params(lr=1e-3, lr_schedule="cosine", max_epochs=1)
    assert vars(segmenter) == before
    assert_array_equal(segmenter.predict(X), prediction)


def test_diverging_partial_fit_leaves_the_fitted_model(make_tiny):
    segmenter = make_tiny(batch_size=1).partial_fit(X, Y, classes=[0, 1])
    prediction = segmenter.predict(X)
    segmenter.set_params(lr=1e30)
    with pytest.raises(FloatingPointError, match="training diverged"):
        segmenter.partial_fit(X, Y)
    assert_array_equal(segmenter.predict(X), prediction)


def test_unknown_encoder_of_timm(make_tiny):
    with pytest.raises(ValueError, match="`encoder_name` must be .*got 'tu-nothing'"):
        make_tiny(encoder_name="tu-nothing").fit(X, Y)


def test_failed_first_fit_leaves_nothing(make_tiny):
    segmenter = make_tiny(lr=1e30, lr_schedule="constant", max_epochs=8)
    with pytest.raises(FloatingPointError, match="training diverged"):
        segmenter.fit(X, Y)
    assert set(vars(segmenter)) == set(segmenter.get_params())


def test_input_is_not_changed(make_tiny):
    data, labels = X.copy(), Y.copy()
    data.flags.writeable = labels.flags.writeable = False
    make_tiny(max_epochs=2).fit(data, labels).predict(data)
    assert_array_equal(data, X)
    assert_array_equal(labels, Y)


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 5, 7), (1, 1, 64), (9, 32, 32)])
def test_sections_smaller_than_the_padding_and_last_batches_of_one(shape):
    """Batch norm cannot train on one value a channel; the deepest level must hold two."""
    rng = np.random.RandomState(0)
    data, labels = rng.normal(size=shape), rng.randint(2, size=shape)
    segmenter = FaciesSegmenter(
        encoder_weights=None, max_epochs=1, batch_size=8, validation_fraction=0, random_state=0
    )
    segmenter.fit(data, labels)
    assert np.isfinite(segmenter.history_[0]["train_loss"])
    assert segmenter.predict(data).shape == shape


def test_dead_and_constant_sections(make_tiny):
    data = X.copy()
    data[0] = 0
    data[1] = 7
    segmenter = make_tiny().fit(data, Y)
    assert np.isfinite(segmenter.predict_proba(data)).all()
