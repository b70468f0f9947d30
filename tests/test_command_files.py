"""Files of the commands: what is opened how, what labels belong to, what is never written over."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfacies import FaciesSegmenter
from skfacies.__main__ import main
from skfacies._cli.files import check_targets
from skfacies._cli.fit import fit_model
from skfacies._cli.interpretation import Interpretation
from skfacies._cli.labels import LabelCube, check_lines, choose_lines, distinct_labels
from skfacies._cli.options import reword
from skfacies.datasets import make_facies_cube
from skfacies.io import open_cube, write_cube
from skfacies.persistence import load_model, save_model

xarray = pytest.importorskip("xarray")


def survey_of(values, *, inline=100, crossline=300, first=0, interval=4, vertical="twt"):
    """Cube with line numbers that ascend by one, and times."""
    axes = {
        "inline": inline + np.arange(values.shape[0]),
        "crossline": crossline + np.arange(values.shape[1]),
        vertical: first + interval * np.arange(values.shape[2]),
    }
    return xarray.DataArray(values, axes, list(axes))


@pytest.fixture(scope="module")
def survey():
    made = make_facies_cube((8, 40, 48), n_facies=3, random_state=0)
    return survey_of(made.data), survey_of(made.target.astype(np.int16))


@pytest.fixture
def files(survey, tmp_path):
    """Paths of amplitudes and labels in SEG-Y."""
    return [
        str(write_cube(tmp_path / name, cube))
        for name, cube in zip(("seismic.sgy", "labels.sgy"), survey, strict=True)
    ]


TINY = {
    "encoder_name": "tu-test_resnet",
    "encoder_weights": None,
    "encoder_depth": 3,
    "decoder_channels": (8, 8, 8),
    "max_epochs": 1,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def trained(survey):
    segmenter = FaciesSegmenter(**TINY, nan_policy="ignore")
    return segmenter.fit(survey[0].values, survey[1].values)


@pytest.fixture
def model(trained, tmp_path):
    """Path of a model."""
    save_model(trained, tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


@pytest.fixture
def seen(monkeypatch):
    """What `fit` of the command hands to the training, which does not happen."""
    found = {}

    def fit(self, cube, labels, checkpoint=None):
        found.update(cube=cube, labels=labels)
        raise FloatingPointError("no training here")

    monkeypatch.setattr("skfacies._estimators.cube_segmenter.CubeSegmenter.fit", fit)
    return found


# --- no output is an input ------------------------------------------------------------------


def spellings(path):
    """Other names of a file."""
    folder, name = os.path.split(path)
    os.symlink(path, os.path.join(folder, "symbolic"))
    os.link(path, os.path.join(folder, "hard"))
    os.symlink(folder, os.path.join(folder, "itself"))
    return [
        path,
        os.path.relpath(path),
        os.path.join(folder, ".", name),
        os.path.join(folder, "itself", name),
        os.path.join(folder, "symbolic"),
        os.path.join(folder, "hard"),
        f"{path}/",
    ]


@pytest.mark.parametrize("name", ["seismic.sgy", "labels.sgy"])
def test_a_model_replaces_no_file_that_it_is_trained_on(files, tmp_path, capsys, name):
    path = str(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    for out in spellings(path):
        assert main(["fit", *files, "-o", out]) == 1
        assert "the output would replace" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == before


def test_a_model_does_not_replace_the_weights_it_starts_from(files, tmp_path, capsys):
    weights = tmp_path / "weights.pth"
    weights.write_text("weights")
    for command in (["fit", *files], ["benchmark-f3"]):
        assert main([*command, "-o", str(weights), "--weights", str(weights)]) == 1
        assert "read as --weights" in capsys.readouterr().err
    assert weights.read_text() == "weights"


@pytest.mark.parametrize("kind", [".npy", ".sgy"])
def test_predictions_replace_no_file_that_is_read(survey, model, tmp_path, capsys, kind):
    seismic = str(write_cube(tmp_path / f"facies_entropy{kind}", survey[0]))
    one = str(write_cube(tmp_path / f"survey_probability_1{kind}", survey[0]))
    cube = str(write_cube(tmp_path / f"survey_probability{kind}", survey[0]))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    survey_out, facies_out = (str(tmp_path / f"{name}{kind}") for name in ("survey", "facies"))
    for arguments in (
        [model, seismic, "-o", seismic],
        [model, seismic, "-o", facies_out, "--entropy"],
        [model, one if kind == ".sgy" else cube, "-o", survey_out, "--proba"],
    ):
        assert main(["predict", *arguments]) == 1
        assert "the output would replace" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_store_is_not_replaced_from_inside_or_above(tmp_path):
    store = tmp_path / "survey.zarr"
    (store / "amplitude").mkdir(parents=True)
    (store / "zarr.json").write_text("{}")
    for target, path in (
        (store, store / "amplitude"),
        (store / "facies.npy", store),
        (store / "amplitude" / "facies.npy", store),
        (f"{store}/", store),
    ):
        with pytest.raises(ValueError, match="the output would replace"):
            check_targets([target], {"SEISMIC": path})
    check_targets([tmp_path / "facies.zarr"], {"SEISMIC": store})


def test_letter_case_does_not_hide_a_file(tmp_path, monkeypatch):
    """On systems without letter case, another spelling is the same file for `samefile` only."""
    (tmp_path / "a.npy").write_text("")
    (tmp_path / "A.npy").write_text("")
    monkeypatch.setattr("os.path.samefile", lambda a, b: str(a).lower() == str(b).lower())
    with pytest.raises(ValueError, match="the output would replace"):
        check_targets([tmp_path / "A.npy"], {"SEISMIC": tmp_path / "a.npy"})


def test_one_file_may_be_amplitudes_and_labels(survey, tmp_path, seen):
    path = str(tmp_path / "both.npz")
    np.savez(path, data=survey[0].values, facies=survey[1].values)
    arguments = ["--variable", "data", "--labels-variable", "facies"]
    assert main(["fit", path, path, "-o", str(tmp_path / "m.safetensors"), *arguments]) == 1
    assert_array_equal(seen["cube"].values, survey[0].values)
    assert_array_equal(seen["labels"][:], survey[1].values)


# --- labels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1e30, np.finfo("f4").max, -999.25, -9999, -99999, np.nan, 255])
def test_values_that_stand_for_nothing_are_no_labels(value):
    values = np.zeros((2, 3, 4), np.float32)
    values[0, 1:, 2:] = value
    labels = LabelCube(survey_of(values), "labels.sgy", ignore_label=255)
    assert_array_equal(labels[:], np.where(values == 0, 0, -1))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.float32(2.0**31), "holds 2.14748e\\+09, outside the range of 32-bit integers"),
        (np.int64(-(2**31) - 1), "outside the range of 32-bit integers"),
        (np.uint64(2**63), "outside the range of 32-bit integers"),
        (np.float32(np.inf), "holds inf, outside the range"),
        (np.float64(0.5), "holds 0.5, which is not a label"),
    ],
)
def test_values_that_no_label_can_have_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        LabelCube(survey_of(np.full((2, 3, 4), value)), "labels.sgy")[0]


def test_names_in_place_of_labels_are_refused():
    with pytest.raises(ValueError, match="labels in files are whole numbers"):
        LabelCube(survey_of(np.full((2, 3, 4), "sand")), "labels.zarr")


@pytest.mark.parametrize(
    "part",
    [
        {"inline": slice(3, 6)},
        {"crossline": slice(None, None, 3), "twt": slice(10, 30)},
        {"inline": slice(None, None, -1), "crossline": [5, 2, 9]},
        {"twt": slice(None, None, 2)},
    ],
)
def test_labels_of_a_part_lie_where_their_numbers_say(survey, part):
    cube, target = survey
    labels = LabelCube(target.isel(part), "labels.zarr", survey=cube)
    expected = target.isel(part).reindex_like(cube, fill_value=-1).values
    assert labels.shape == cube.shape
    assert 0 < np.count_nonzero(expected >= 0) < expected.size
    for key in (
        4,
        slice(2, 7),
        (slice(None), 5),
        (slice(2, 5), slice(1, 9)),
        (slice(None), slice(4, 5), 12),
        ([0, 4, 7],),
    ):
        assert_array_equal(labels[key], expected[key])
    assert labels.notes
    assert "labels cover " in labels.notes[0]


def test_labels_of_a_larger_area_are_cut(survey):
    cube, target = survey
    labels = LabelCube(target, "l.zarr", survey=cube.isel(inline=[2, 5], twt=slice(7, 20)))
    assert_array_equal(labels[:], target.isel(inline=[2, 5], twt=slice(7, 20)).values)
    assert labels.notes == []


@pytest.mark.parametrize("unit", ["s", None])
def test_times_are_compared_in_their_units(survey, unit):
    """An interval below 0.1 can only be seconds."""
    cube, target = survey
    seconds = survey_of(target.values, interval=0.004, vertical="time")
    if unit:
        seconds.time.attrs["units"] = unit
    assert_array_equal(LabelCube(seconds, "l.zarr", survey=cube)[:], target.values)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"first": 1000}, "l has times 1000 to 1188 ms, every 4 ms, s has 0 to 188 ms, every 4 ms"),
        ({"first": 2}, "Labels lie between the samples of the amplitudes. Resample"),
        ({"interval": 2}, "Labels lie between the samples"),
        ({"interval": 4000}, "Labels and amplitudes must overlap"),
        ({"inline": 200}, "l has inlines 200 to 207, s has 100 to 107"),
        ({"crossline": 0}, "l has crosslines 0 to 39, s has 300 to 339"),
        ({"vertical": "depth"}, "l is in depth, but s is in time"),
    ],
)
def test_labels_elsewhere_are_refused_with_both_extents(survey, axes, message):
    labels = survey_of(survey[1].values, **axes)
    with pytest.raises(ValueError, match=message):
        LabelCube(labels, "l", survey=survey[0], survey_path="s")


def test_lines_of_one_number_twice_are_refused(survey):
    labels = survey[1].isel(inline=[0, 1, 1])
    with pytest.raises(ValueError, match="has repeated inlines"):
        LabelCube(labels, "l", survey=survey[0])


def test_without_numbers_shapes_must_agree(survey):
    cube, target = survey
    bare = xarray.DataArray(target.values, dims=target.dims)
    assert_array_equal(LabelCube(bare, "l.npy", survey=cube)[:], target.values)
    with pytest.raises(ValueError, match="shape 7 x 40 x 48, but s.sgy has 8 x 40 x 48"):
        LabelCube(bare[1:], "l.npy", survey=cube, survey_path="s.sgy")


def test_commands_find_labels_of_a_part(survey, files, model, tmp_path, seen, capsys):
    cube, target = survey
    part = str(write_cube(tmp_path / "part.sgy", target.isel(inline=slice(2, 5), twt=slice(8, 40))))
    assert main(["fit", files[0], part, "-o", str(tmp_path / "m.safetensors")]) == 1
    shown = capsys.readouterr().out
    assert "labels cover 3 of 8 inlines: labels are at 102 to 104, amplitudes at 100" in shown
    assert "labels cover 32 of 48 times: labels are at 32 to 156 ms, every 4 ms" in shown
    expected = np.full(target.shape, -1)
    expected[2:5, :, 8:40] = target.values[2:5, :, 8:40]
    assert_array_equal(seen["labels"][:], expected)
    assert main(["score", model, files[0], part]) == 0
    predicted = np.asarray(load_model(model).predict(cube.values))
    right = (predicted == expected)[expected >= 0].mean()
    assert f"{right:.3f}" in capsys.readouterr().out


def test_a_window_in_time_keeps_its_begin(survey, files, tmp_path, seen):
    """A first sample that is wrong in the header of SEISMIC is not that of a window."""
    window = str(write_cube(tmp_path / "w.sgy", survey_of(survey[1].values[..., 8:], first=1032)))
    out = ["-o", str(tmp_path / "m.safetensors"), "--first-sample", "1000"]
    assert main(["fit", files[0], window, *out]) == 1
    assert_array_equal(seen["labels"][:][..., 8:], survey[1].values[..., 8:])
    assert (seen["labels"][:][..., :8] == -1).all()
    assert main(["fit", *files, *out]) == 1
    assert_array_equal(seen["labels"][:], survey[1].values)


def test_distinct_labels_of_all_lines_and_of_some(survey):
    labels = LabelCube(survey[1].where(survey[1].inline < 104, 7), "l", lines=["inline=100-103"])
    assert distinct_labels(labels) == ([0, 1, 2, 7], [0, 1, 2])
    assert (labels[5] == -1).all()


# --- lines ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inline=-5", [-5]),
        ("inline=-5,-3, 2", [-5, -3, 2]),
        ("inline=-4--2", [-4, -3, -2]),
        ("inline=-4-2:3", [-4, -1, 2]),
        ("inline=-4--2:2", [-4, -2]),
    ],
)
def test_line_numbers_may_be_negative(text, expected):
    cube = survey_of(np.zeros((9, 4, 5)), inline=-5)
    assert cube.inline.values[choose_lines([text], cube)[:, 0]].tolist() == expected


def test_a_range_may_pass_over_numbers_that_the_survey_leaves_out():
    cube = survey_of(np.zeros((5, 4, 5))).assign_coords(inline=[101, 103, 105, 107, 109])
    assert choose_lines(["inline=102-108"], cube)[:, 0].tolist() == [False, True, True, True, False]
    with pytest.raises(ValueError, match="104, 106 are not in the survey, which has inlines 101"):
        choose_lines(["inline=104-106:2"], cube)
    with pytest.raises(ValueError, match="104 is not in the survey.* 101 to 109, every 2"):
        choose_lines(["inline=104"], cube)
    with pytest.raises(ValueError, match="99999999998 is not in the survey"):
        choose_lines(["inline=101-100000000000:3"], cube)


def test_every_is_given_once():
    assert check_lines(["every=3", "inline=4"], "inline") == (3, ["inline=4"])
    for lines, message in (
        (["every=2", "every=5"], "--lines has every=2 and every=5. Give only one"),
        (["every=0"], "needs a whole number"),
        (["every=²"], "needs a whole number"),
    ):
        with pytest.raises(ValueError, match=message):
            check_lines(lines, "inline")


# --- options of open_cube -------------------------------------------------------------------


@pytest.fixture
def elsewhere(survey, tmp_path):
    """SEG-Y files whose line numbers are in bytes 9 and 21 only."""
    paths = []
    for name, cube in zip(("seismic.sgy", "labels.sgy"), survey, strict=True):
        path = write_cube(tmp_path / name, cube)
        data = bytearray(path.read_bytes())
        n_bytes = 240 + cube.shape[2] * {"f": 4, "i": 2}[cube.dtype.kind]
        for start in range(3600, len(data), n_bytes):
            data[start + 188 : start + 196] = bytes(8)
        path.write_bytes(data)
        paths.append(str(path))
    return paths


def test_errors_name_options_that_help(survey, elsewhere, capsys):
    out = str(elsewhere[0]).replace("seismic.sgy", "m.safetensors")
    assert main(["fit", *elsewhere, "-o", out]) == 1
    shown = capsys.readouterr().err
    assert "--inline-byte 9 --crossline-byte 21" in shown
    assert "--inline-byte none" in shown
    assert "inline_byte" not in shown
    assert main(["info", elsewhere[0], "--inline-byte", "9", "--crossline-byte", "21"]) == 0
    assert "100 to 107, step 1" in capsys.readouterr().out
    for byte in ("--inline-byte", "--crossline-byte"):
        assert main(["info", elsewhere[0], byte, "none"]) == 0
        assert "1 x 320 x 48" in capsys.readouterr().out


def test_a_model_keeps_how_its_cube_was_opened(survey, elsewhere, tmp_path, capsys):
    seismic, labels = elsewhere
    path, out = str(tmp_path / "m.safetensors"), str(tmp_path / "facies.sgy")
    fit_model(
        seismic,
        Interpretation(labels),
        path,
        reading={"inline_byte": 9, "crossline_byte": 21},
        **TINY,
    )
    assert load_model(path).reading_ == {"inline_byte": 9, "crossline_byte": 21}
    capsys.readouterr()
    assert main(["info", path]) == 0
    assert "opened with" in (shown := capsys.readouterr().out)
    assert "--inline-byte 9 --crossline-byte 21\n" in shown
    assert main(["predict", path, seismic, "-o", out]) == 0
    assert "like the training amplitudes: --inline-byte 9" in capsys.readouterr().out
    assert open_cube(out, inline_byte=9, crossline_byte=21).inline.values.tolist() == [
        *range(100, 108)
    ]
    assert main(["score", path, seismic, labels]) == 0
    assert "mean IoU" in capsys.readouterr().out
    standard = str(write_cube(tmp_path / "standard.sgy", survey[0]))
    assert main(["predict", path, standard, "-o", out, "--inline-byte", "none"]) == 0
    assert open_cube(out, inline_byte=None).shape == (1, 320, 48)


def test_a_model_keeps_the_bytes_of_positions_which_labels_do_not_need(survey, tmp_path, capsys):
    """They hold no X in this file of labels."""
    places = (("cdp_x", 1_000), ("cdp_y", 6_000))
    xy = {name: (("inline", "crossline"), np.full((8, 40), n)) for name, n in places}
    seismic = str(write_cube(tmp_path / "a.sgy", survey[0].assign_coords(xy)))
    labels = str(write_cube(tmp_path / "b.sgy", survey[1]))
    path, out = str(tmp_path / "m.safetensors"), str(tmp_path / "facies.sgy")
    reading = {"x_byte": 185, "y_byte": 181}
    fit_model(seismic, Interpretation(labels), path, reading=reading, **TINY)
    assert load_model(path).reading_ == reading
    assert main(["predict", path, seismic, "-o", out]) == 0
    assert "--x-byte 185 --y-byte 181" in capsys.readouterr().out
    assert main(["score", path, seismic, labels]) == 0


def keep_reading(path, **reading):
    model = load_model(path)
    model.reading_ = reading
    save_model(model, path)


def test_options_of_the_training_that_a_file_has_no_use_for_are_left_out(survey, model, tmp_path):
    keep_reading(model, inline_byte=9, variable="data", first_sample=100.0)
    np.savez(tmp_path / "named.npz", data=survey[0].values, other=survey[0].values)
    np.savez(tmp_path / "else.npz", amplitude=survey[0].values)
    np.save(tmp_path / "plain.npy", survey[0].values)
    out = str(tmp_path / "out.npy")
    for name in ("named.npz", "else.npz", "plain.npy"):
        assert main(["predict", model, str(tmp_path / name), "-o", out]) == 0
        assert np.load(out).shape == survey[0].shape


def test_options_without_use_are_refused(files, model, tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.zeros((2, 40, 48)))
    out = ["-o", str(tmp_path / "o.npy")]
    for arguments, message in (
        (["predict", model, str(tmp_path / "a.npy"), *out, "--inline-byte", "9"], "--inline-byte"),
        (["predict", model, files[0], *out, "--variable", "data"], "--variable is for Zarr"),
        (["score", model, *files, "--labels-variable", "facies"], "--labels-variable is for Zarr"),
        (["info", str(tmp_path / "a.npy"), "--sample-interval", "4"], "--sample-interval"),
    ):
        assert main(arguments) == 1
        assert message in capsys.readouterr().err


def test_corrected_times_do_not_stop_a_result_with_the_headers_of_the_survey(
    files, model, tmp_path, capsys
):
    """The headers stay as they are, wrong times among them: the result lies on the survey."""
    out = str(tmp_path / "facies.sgy")
    times = ["--first-sample", "1000", "--sample-interval", "2", "--domain", "depth"]
    assert main(["predict", model, files[0], "-o", out, "--entropy", *times]) == 0
    assert_array_equal(open_cube(out).twt, open_cube(files[0]).twt)


@pytest.mark.parametrize("value", ["9x", "-1", "0.5", ""])
def test_bytes_that_are_none_are_refused(files, capsys, value):
    with pytest.raises(SystemExit):
        main(["info", files[0], f"--inline-byte={value}"])
    assert "is not a header byte" in capsys.readouterr().err


def test_headers_of_a_survey_for_its_copy(survey, files, model, tmp_path, capsys):
    copy, out = str(tmp_path / "copy.npy"), str(tmp_path / "facies.sgy")
    np.save(copy, survey[0].values)
    assert main(["predict", model, copy, "-o", out, "--like", files[0], "--proba"]) == 0
    assert_array_equal(open_cube(out).inline, survey[0].inline)
    assert (tmp_path / "facies_probability_2.sgy").exists()
    assert main(["predict", model, copy, "-o", files[0], "--like", files[0]]) == 1
    assert "read as --like" in capsys.readouterr().err
    assert main(["predict", model, copy, "-o", str(tmp_path / "o.npy"), "--like", files[0]]) == 1
    assert "--like gives headers for SEG-Y files" in capsys.readouterr().err


def test_headers_of_another_survey_are_refused_before_the_work(
    survey, model, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("skfacies._estimators.cube_segmenter.CubeSegmenter.predict", pytest.fail)
    other = str(write_cube(tmp_path / "other.sgy", survey_of(survey[0].values, inline=7)))
    part = str(write_cube(tmp_path / "part.sgy", survey[0][:5]))
    for like in (other, part):
        source = str(write_cube(tmp_path / "survey.sgy", survey[0]))
        out = str(tmp_path / "facies.sgy")
        assert main(["predict", model, source, "-o", out, "--like", like]) == 1
        assert "inlines, 7 to 14" in (shown := capsys.readouterr().err) or "has 5 inlines" in shown


def test_messages_of_the_library_in_the_words_of_the_command():
    assert reword("give `sample_interval` > 0\n  in ms, or inline_byte=None.") == (
        "give --sample-interval > 0 in ms, or --inline-byte none."
    )
    assert reword("`y` has only ignore_label=-1; domain='depth'; `X`; `like`='a b.sgy'.") == (
        "LABELS has only --ignore-label -1; --domain depth; SEISMIC; --like a b.sgy."
    )
    assert reword("max_epochs=3, (first_sample=-0.5)") == "--epochs 3, (--first-sample -0.5)"


# --- info -----------------------------------------------------------------------------------


def test_info_of_a_damaged_model_says_so(tmp_path, capsys):
    (tmp_path / "m.safetensors").write_bytes(b"no model")
    assert main(["info", str(tmp_path / "m.safetensors")]) == 1
    assert "cannot be loaded as a model" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["seismic.sgy", "model.safetensors"])
def test_info_imports_no_torch(files, model, tmp_path, name):
    code = (
        "import sys\nfrom skfacies.__main__ import main\n"
        f"code = main(['info', {str(tmp_path / name)!r}])\n"
        "heavy = {'torch', 'skorch', 'segmentation_models_pytorch', 'matplotlib'}\n"
        "assert code == 0 and not heavy & set(sys.modules), sorted(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
