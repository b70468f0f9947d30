"""`check_survey`: silent on the survey of the training, and right about what was done to it."""

import warnings

import numpy as np
import pytest
import xarray
from holders import OnDisk
from real_data import real_file
from scipy.signal import butter, hilbert, resample, sosfiltfilt
from sklearn.linear_model import LogisticRegression

from skfacies import CubeSegmenter
from skfacies.datasets import load_sections, make_facies_cube
from skfacies.persistence import load_model, save_model
from skfacies.qc import check_survey

N_SAMPLES = 256


def placed(cube, interval=4.0, first=0.0):
    axes = {
        "inline": 100 + np.arange(cube.shape[0]),
        "crossline": 300 + np.arange(cube.shape[1]),
        "twt": first + interval * np.arange(cube.shape[2]),
    }
    return xarray.DataArray(cube, axes, list(axes))


@pytest.fixture(scope="module")
def cube():
    return make_facies_cube((32, 48, N_SAMPLES), 4, random_state=1)


@pytest.fixture(scope="module")
def model(cube, make_tiny):
    """Trained on six inlines whose numbers are known, as long as the check needs."""
    labels = np.full(cube.target.shape, -1)
    labels[::6] = cube.target[::6]
    tiny = make_tiny(nan_policy="ignore", max_epochs=12, lr=3e-3, decoder_channels=(16, 16, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CubeSegmenter(tiny).fit(placed(cube.data), labels)


def serious(model, cube):
    """Names of the serious rows, each of which warns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check = check_survey(model, cube)
    names = {row.name for row in check.serious}
    assert len(caught) == len(check.serious)
    assert all(any(f"`cube`, {name}: " in str(w.message) for w in caught) for name in names)
    return names


def low_pass(cube, frequency):
    filtered = sosfiltfilt(butter(4, frequency, fs=1, output="sos"), cube, axis=2)
    return (filtered * (cube.std() / filtered.std())).astype(np.float32)


def kill(cube, share=0.3, value=0):
    dead = cube.copy()
    dead[np.random.default_rng(0).random(cube.shape[:2]) < share] = value
    return dead


CHANGES = {
    "nothing": (lambda x: x, set()),
    "a third more": (lambda x: 1.3 * x, set()),
    "x1000": (lambda x: 1000 * x, {"amplitude scale"}),
    "x0.01": (lambda x: x / 100, {"amplitude scale"}),
    "unsigned bytes": (
        lambda x: (np.clip(x / 4, -1, 1) * 127 + 128).astype(np.uint8),
        {"amplitude scale", "amplitude center"},
    ),
    "moved": (lambda x: x + 2, {"amplitude center"}),
    "low-pass": (lambda x: low_pass(x, 0.08), {"dominant frequency", "bandwidth"}),
    "dead traces": (kill, {"dead traces"}),
    "missing traces": (lambda x: kill(x, value=np.nan), {"dead traces"}),
    "clipped": (lambda x: np.clip(x, -1.5, 1.5), {"clipping"}),
    "outline": (lambda x: np.pad(x[:, 10:-10], ((0, 0), (10, 10), (0, 0))), set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_are_named(cube, model, change):
    make, expected = CHANGES[change]
    assert serious(model, placed(make(cube.data))) == expected


@pytest.mark.parametrize("change", ["nothing", "x1000", "low-pass", "dead traces", "clipped"])
def test_changes_are_named_without_line_numbers(cube, model, change):
    make, expected = CHANGES[change]
    assert serious(model, make(cube.data)) == expected


COMMON = {
    "polarity": (lambda x: -x, {"polarity"}),
    "upside-down": (lambda x: x[:, :, ::-1], {"depth direction"}),
    "quarter of a turn": (lambda x: np.imag(hilbert(x, axis=2)).astype(np.float32), {"phase"}),
    "later": (lambda x: np.roll(x, 6, axis=2), {"vertical shift"}),
}


@pytest.mark.parametrize("change", COMMON)
def test_traces_of_the_training_tell_polarity_phase_and_shift(cube, model, change):
    make, expected = COMMON[change]
    assert serious(model, placed(make(cube.data))) == expected


def test_amplitudes_of_other_lines_of_the_same_numbers_are_noticed(cube, model):
    other = make_facies_cube((32, 48, N_SAMPLES), 4, random_state=9).data
    assert "common traces" in serious(model, placed(other))


def test_times_of_a_crop_are_no_shift(cube, model):
    check = check_survey(model, placed(cube.data[:, :, 60:], first=240.0))
    assert {row.name: row.verdict for row in check.rows}["vertical shift"] == "ok"


def test_half_the_interval_is_named_with_and_without_times(cube, model):
    finer = resample(cube.data, 2 * N_SAMPLES, axis=2).astype(np.float32)
    assert serious(model, placed(finer, interval=2.0)) == {"sample interval"}
    assert serious(model, finer) == {"sample interval"}


def test_times_that_go_up_are_noticed(cube, model):
    turned = placed(cube.data)[:, :, ::-1]
    assert "depth direction" in serious(model, turned)


@pytest.mark.parametrize("order", [(2, 0, 1), (0, 2, 1), (2, 1, 0)])
def test_samples_on_another_axis_are_noticed(cube, model, order):
    assert serious(model, cube.data.transpose(order)) == {"vertical axis"}


def test_named_axes_may_have_any_order(cube, model):
    assert serious(model, placed(cube.data).transpose("twt", "crossline", "inline")) == set()


def test_another_scale_is_fine_if_it_is_learned_anew(cube, model):
    rescaling = CubeSegmenter.from_fitted(model.estimator_.rescaled_to(cube.data))
    rescaling.estimator_.rescale = "survey"
    assert "amplitude scale" not in serious(rescaling, 1000 * cube.data)


def test_check_is_the_same_after_saving(cube, model, tmp_path):
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert check_survey(loaded, placed(cube.data)).rows == (
        check_survey(model, placed(cube.data)).rows
    )


def test_table_has_a_line_for_each_row_and_the_advice(cube, model):
    with pytest.warns(UserWarning, match="amplitude scale"):
        check = check_survey(model, 1000 * cube.data)
    text = str(check).splitlines()
    assert [line.startswith(row.name) for line, row in zip(text[1:], check.rows, strict=False)]
    assert "rescale='survey'" in str(check)
    rows = check.to_markdown().splitlines()
    assert len(rows) == len(check.rows) + 2
    assert {line.count(" | ") for line in rows} == {4}


def test_a_small_part_of_the_cube_is_read(model):
    large = OnDisk(make_facies_cube((60, 60, N_SAMPLES), 4, random_state=1).data)
    serious(model, large)
    assert large.largest <= 96 * N_SAMPLES


def test_estimators_without_a_profile_are_refused(cube):
    other = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="LogisticRegression has no training_profile_"):
        check_survey(other, cube.data)


def test_dead_cubes_are_refused(model):
    with pytest.raises(ValueError, match="no live trace"):
        check_survey(model, np.zeros((8, 9, 64), np.float32))


def test_pipelines_see_what_their_last_step_sees(cube, make_tiny):
    from sklearn.pipeline import make_pipeline

    from skfacies import AmplitudeScaler

    pipeline = make_pipeline(AmplitudeScaler(), make_tiny())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(1000 * cube.data[:4], cube.target[:4])
    assert "amplitude scale" not in serious(pipeline, 1000 * cube.data)
    assert "amplitude scale" in serious(pipeline, cube.data)


# --- F3 ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def f3():
    sections = load_sections(real_file("f3_sections.npz"))
    return dict(zip(sections.names, zip(sections.data, sections.target, strict=True), strict=True))


@pytest.fixture(scope="module")
def f3_model(f3, make_tiny):
    names = ["inline_428", "inline_628", "crossline_422", "crossline_740"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X, y = zip(*(f3[name] for name in names), strict=True)
        return make_tiny(nan_policy="ignore").fit(list(X), list(y))


F3_CHANGES = {
    **{name: CHANGES[name] for name in ("nothing", "x1000", "low-pass", "dead traces", "clipped")},
    "half the interval": (lambda x: resample(x, 2 * x.shape[2], axis=2), {"sample interval"}),
    "samples first": (lambda x: x.transpose(2, 0, 1), {"vertical axis"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", F3_CHANGES)
@pytest.mark.parametrize(
    "lines", [("inline_328", "inline_528"), ("crossline_322", "crossline_922"), ("inline_700",)]
)
def test_lines_of_f3(f3, f3_model, change, lines):
    make, expected = F3_CHANGES[change]
    found = serious(f3_model, make(np.stack([f3[name][0] for name in lines])))
    assert expected == found


# --- units --------------------------------------------------------------------------------------


def rows_of(model, cube):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {row.name: row for row in check_survey(model, cube).rows}


def test_times_have_their_unit(cube, model):
    rows = rows_of(model, placed(np.roll(cube.data, 6, axis=2)))
    assert rows["vertical range"].survey == f"0 to {4 * (N_SAMPLES - 1)} ms"
    assert rows["sample interval"][1:3] == ("4 ms", "4 ms")
    assert rows["vertical shift"].survey == "24 ms"
    assert "Shift the survey by -24 ms" in rows["vertical shift"].advice
    assert rows["common traces"].training.endswith(" traces")
    assert rows["common traces"].survey.startswith("coherence ")


def test_seconds_are_compared_with_milliseconds(cube, model):
    seconds = placed(cube.data, interval=0.004)
    seconds["twt"].attrs["units"] = "s"
    rows = rows_of(model, seconds)
    assert {row.verdict for row in rows.values()} == {"ok"}
    assert rows["sample interval"].survey == "4 ms"


def test_depths_are_not_times(cube, model):
    depths = placed(cube.data).rename(twt="depth")
    row = rows_of(model, depths)["vertical axis"]
    assert row[1:4] == ("last, in time", "last, in depth", "serious")
    assert "Convert the survey to time" in row.advice
