"""From SEG-Y to SEG-Y on the command line."""

import json
import os
import re
import shlex

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from segy_files import survey_lines, write_segy

from skfacies.__main__ import _make_parser, main
from skfacies._cli.labels import choose_lines
from skfacies.datasets import make_facies_cube
from skfacies.io import open_cube
from skfacies.persistence import load_model, save_model

segyio = pytest.importorskip("segyio")
pytest.importorskip("xarray")

TRAIN = ["--weights", "none", "--epochs", "1", "--lines", "every=8"]


def write_survey(path, cube):
    """Write a cube with line numbers from 100 and 300, and coordinates."""
    inlines, crosslines = survey_lines(*cube.shape[:2])
    write_segy(
        path,
        cube.reshape(-1, cube.shape[2]).astype(np.float32),
        numbers=np.stack([inlines, crosslines], axis=1),
        delay=0,
        h73=1000 * (inlines - 100),
        h77=1000 * (crosslines - 300),
        h115=cube.shape[2],
    )


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    survey = make_facies_cube((60, 80, 128), n_facies=4, random_state=0)
    write_survey(folder / "seismic.sgy", survey.data)
    write_survey(folder / "labels.sgy", survey.target)
    return folder


@pytest.fixture(scope="module")
def model(survey):
    """A model that the command line has trained."""
    files = [str(survey / name) for name in ("seismic.sgy", "labels.sgy", "model.safetensors")]
    arguments = ["fit", *files[:2], "-o", files[2], "--names", " a,b , c,d", *TRAIN]
    assert main(arguments) == 0
    return files[2]


def test_lines_beside_each_line(tmp_path, capsys):
    seismic, labels = (str(tmp_path / name) for name in ("seismic.sgy", "labels.sgy"))
    small = make_facies_cube((9, 40, 64), n_facies=3, random_state=0)
    write_survey(seismic, small.data)
    write_survey(labels, small.target)
    path, out = str(tmp_path / "model.safetensors"), str(tmp_path / "facies.npy")
    assert main(["fit", seismic, labels, "-o", path, "--neighbors", "1", *TRAIN]) == 0
    model = load_model(path)
    assert (model.neighbors, model.estimator_.n_channels_) == (1, 3)
    assert main(["predict", path, seismic, "-o", out]) == 0
    assert_array_equal(np.load(out), np.asarray(model.predict(open_cube(seismic))))
    capsys.readouterr()
    assert main(["info", path]) == 0
    assert "neighbors" in capsys.readouterr().out


def test_from_segy_to_segy(survey, model, tmp_path, capsys):
    seismic, out = str(survey / "seismic.sgy"), str(tmp_path / "facies.sgy")
    assert main(["predict", model, seismic, "-o", out]) == 0
    assert f"wrote {out}" in capsys.readouterr().out
    expected = np.asarray(load_model(model).predict(open_cube(seismic)))
    with segyio.open(seismic, strict=True) as given, segyio.open(out, strict=True) as written:
        assert_array_equal(segyio.tools.cube(written), expected)
        assert_array_equal(written.ilines, given.ilines)
        for ours, theirs in zip(written.header, given.header, strict=True):
            assert dict(ours) == dict(theirs)
    assert os.listdir(tmp_path) == ["facies.sgy"]
    assert main(["score", model, seismic, str(survey / "labels.sgy")]) == 0
    assert "mean IoU" in capsys.readouterr().out


def test_probabilities_and_entropy(survey, model, tmp_path):
    out = tmp_path / "facies.sgy"
    arguments = ["predict", model, str(survey / "seismic.sgy"), "-o", str(out)]
    assert main([*arguments, "--proba", "--entropy"]) == 0
    scores = [open_cube(tmp_path / f"facies_probability_{name}.sgy").values for name in "abcd"]
    np.testing.assert_allclose(np.sum(scores, axis=0), 1, atol=1e-4)
    plain = str(tmp_path / "plain.npy")
    assert main(["predict", model, str(survey / "seismic.sgy"), "-o", plain]) == 0
    different = np.load(plain) != open_cube(out).values
    assert different.mean() < 1e-3  # ties, by probabilities that are rounded in another way
    np.testing.assert_array_equal(np.argmax(scores, axis=0), open_cube(out).values)
    doubt = open_cube(tmp_path / "facies_entropy.sgy").values
    assert 0 <= doubt.min() < doubt.max() <= 1.0001
    assert len(os.listdir(tmp_path)) == 7


def run_json(capsys, *arguments):
    """The object on stdout, which holds nothing else."""
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_every_command_gives_json(survey, model, tmp_path, capsys):
    seismic, labels = survey / "seismic.sgy", survey / "labels.sgy"
    out = tmp_path / "m.safetensors"
    found = run_json(capsys, "fit", seismic, labels, "-o", out, *TRAIN[:4], "--lines", "every=30")
    assert found["wrote"] == [str(out)]
    assert found["lines"] == {"inline": [100, 130]}
    assert 0 <= found["training_report"]["0"]["recall"] <= 1
    found = run_json(capsys, "predict", model, seismic, "-o", tmp_path / "f.npy", "--entropy")
    assert found["wrote"] == [str(tmp_path / name) for name in ("f.npy", "f_entropy.npy")]
    found = run_json(capsys, "score", model, seismic, labels)
    assert {"a", "b", "mean_iou"} <= found["report"].keys()
    assert run_json(capsys, "info", model)["recall_on_training_lines"]["a"]["recall"] >= 0


@pytest.mark.slow
def test_messages_name_the_next_command_and_quiet_omits_it(survey, model, tmp_path, capsys):
    """Each command that is named runs."""
    seismic, labels = str(survey / "seismic.sgy"), str(survey / "labels.sgy")
    out = str(tmp_path / "m.safetensors")
    lines = ["--lines", "every=30"]
    assert main(["fit", seismic, labels, "-o", out, *TRAIN[:4], *lines]) == 0
    words = next_words(capsys.readouterr().out)
    assert words[:3] == ["predict", out, seismic]
    words[words.index("-o") + 1] = str(tmp_path / "facies.sgy")
    assert main(words) == 0
    words = next_words(capsys.readouterr().out)
    facies, doubt = str(tmp_path / "facies.sgy"), str(tmp_path / "facies_entropy.sgy")
    page = str(tmp_path / "view.html")
    assert words == ["view", seismic, facies, "--model", out, "-o", "view.html", "--entropy", doubt]
    words[words.index("view.html")] = page
    assert main(words) == 0
    words = next_words(capsys.readouterr().out)
    assert words == ["next", out, seismic]
    assert main(words) == 0
    words = next_words(capsys.readouterr().out)
    named = words[: words.index("--lines")]
    assert named[:4] == ["refine", out, seismic, "--horizons"]
    assert named[4:] == [f"TOP_{unit}" for unit in range(1, len(named) - 3)]
    assert main(["check", out, seismic]) == 0
    assert next_words(capsys.readouterr().out)[:3] == ["predict", out, seismic]
    assert main(["score", out, seismic, labels]) == 0
    assert next_words(capsys.readouterr().out)[0] == "predict"
    assert main(["score", out, seismic, labels, "--quiet"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("facies ")
    assert "next:" not in shown.out
    assert shown.err == ""


def next_words(text):
    line = text.splitlines()[-1]
    assert line.startswith("next: skfacies ")
    return shlex.split(line)[2:]


def test_info_of_cubes_and_models(survey, model, capsys):
    assert main(["info", str(survey / "seismic.sgy")]) == 0
    text = capsys.readouterr().out
    assert "60 x 80 x 128" in text
    assert "100 to 159, step 1" in text
    assert "0 to 508 ms, every 4 ms" in text
    assert main(["info", str(survey / "labels.sgy")]) == 0
    assert "0: " in capsys.readouterr().out
    assert main(["info", model]) == 0
    text = capsys.readouterr().out
    assert re.search(r"recall on training lines +a 0\.\d\d, b ", text)
    assert "CubeSegmenter" in text
    assert "format 1" in " ".join(text.split())  # lines are wrapped


def test_lines_that_are_trained_on(survey, tmp_path, capsys):
    out = str(tmp_path / "model.safetensors")
    files = [str(survey / "seismic.sgy"), str(survey / "labels.sgy")]
    arguments = ["fit", *files, "-o", out, *TRAIN[:4], "--directions", "both"]
    assert main([*arguments, "--lines", "inline=110-150:20", "crossline=320,340"]) == 0
    text = capsys.readouterr().out
    assert "trained on 3 inlines: 110, 130, 150" in text
    assert "trained on 2 crosslines: 320, 340" in text


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["depth=3"], "'depth=3' is not valid"),
        (["inline=x"], "'x' is not a line number or range"),
        (["inline=5"], "5 is not in the survey, which has inlines 100 to 159"),
        (["inline=100,9999"], "9999 is not in the survey, which has inlines 100 to 159"),
        (["inline=100", "crossline=299-310"], "299 is not in the survey, which has crosslines 300"),
        (["inline=150-170:4"], "170 is not in the survey"),
        (["inline=90-99"], "90, 99 are not in the survey"),
        (["inline=150-140"], "the lower number first"),
        (["inline=100:5"], "'100:5' is not a line number or range"),
        (["inline=100-110:0"], "is not a line number or range"),
        (["inline=100,"], "'' is not a line number or range"),
    ],
)
def test_lines_that_are_not_there(survey, lines, message):
    cube = open_cube(survey / "seismic.sgy")
    assert choose_lines([], cube) is None
    assert choose_lines(["inline=100"], cube).sum() == 80
    with pytest.raises(ValueError, match=message):
        choose_lines(lines, cube)


def test_errors_are_one_line_and_leave_no_file(survey, model, tmp_path, capsys):
    seismic, labels = str(survey / "seismic.sgy"), str(survey / "labels.sgy")
    out = str(tmp_path / "out.sgy")
    for arguments, message in (
        (["predict", model, "nowhere.sgy", "-o", out], "nowhere.sgy does not exist"),
        (["predict", labels, seismic, "-o", out], "labels.sgy"),
        (["predict", model, seismic, "-o", str(tmp_path / "no" / "x.sgy")], "no does not exist"),
        (["fit", seismic, seismic, "-o", f"{out}.m", *TRAIN], "which is not a label"),
        (["fit", seismic, labels, "-o", f"{out}.m", "--lines", "every=no"], "whole number"),
        (["info", str(survey)], "survey"),
    ):
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.startswith("skfacies: ")
        assert "Traceback" not in error
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("work", ["fit", "predict"])
def test_places_of_results_are_checked_before_the_work(
    survey, model, tmp_path, monkeypatch, capsys, work
):
    np.save(tmp_path / "cube.npy", open_cube(survey / "seismic.sgy").values)
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "folder.zarr").mkdir()
    monkeypatch.setattr(f"skfacies._estimators.cube_segmenter.CubeSegmenter.{work}", pytest.fail)
    files = [str(survey / name) for name in ("seismic.sgy", "labels.sgy")]
    for out, message in {
        "fit": [
            ("no/m.safetensors", "no does not exist. Create it"),
            ("folder.npy", "is a folder"),
            ("model.sgy", "named as a cube. A model is a .safetensors file: -o "),
            ("model.NPZ", "named as a cube"),
            ("model.mdio", "named as a cube"),
        ],
        "predict": [
            ("out.txt", "the path must end in"),
            ("folder.npy", "is a folder"),
            ("out.sgy", "no coordinates inline, crossline, twt for SEG-Y headers. Give --like"),
            ("folder.zarr", "is not a Zarr store"),
        ],
    }[work]:
        inputs = files if work == "fit" else [model, str(tmp_path / "cube.npy")]
        assert main([work, *inputs, "-o", str(tmp_path / out)]) == 1
        assert message in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["cube.npy", "folder.npy", "folder.zarr"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("a,b", "--names has 2 names, but "),
        ("a,b,c,d,e", "holds the 4 labels [0, 1, 2, 3]"),
        ("a,,c,d", "an empty name"),
        ("", "an empty name"),
        ("a,b,c, a", "a repeated name"),
        ("a,b,mean_iou,d", "--names has mean_iou, which are names of scores"),
    ],
)
def test_names_that_do_not_fit_cost_no_training(
    survey, tmp_path, monkeypatch, capsys, names, message
):
    monkeypatch.setattr("skfacies._estimators.cube_segmenter.CubeSegmenter.fit", pytest.fail)
    files = [str(survey / "seismic.sgy"), str(survey / "labels.sgy")]
    out = tmp_path / "model.safetensors"
    assert main(["fit", *files, "-o", str(out), "--names", names, *TRAIN]) == 1
    assert message in capsys.readouterr().err
    assert not os.listdir(tmp_path)


def test_lines_of_a_direction_that_is_not_trained_on_are_refused(survey, tmp_path, capsys):
    files = [str(survey / "seismic.sgy"), str(survey / "labels.sgy")]
    arguments = ["fit", *files, "-o", str(tmp_path / "m.safetensors"), "--lines", "crossline=320"]
    assert main(arguments) == 1
    assert "--directions crossline or both" in capsys.readouterr().err


def test_a_training_that_diverges_is_reported_in_one_line(survey, tmp_path, monkeypatch, capsys):
    def diverge(*args, **kwargs):
        raise FloatingPointError("training diverged")

    monkeypatch.setattr("skfacies._estimators.cube_segmenter.CubeSegmenter.fit", diverge)
    files = [str(survey / "seismic.sgy"), str(survey / "labels.sgy")]
    assert main(["fit", *files, "-o", str(tmp_path / "m.safetensors")]) == 1
    assert capsys.readouterr().err == "skfacies: training diverged\n"


@pytest.fixture
def python_model(tmp_path, make_tiny):
    """Maker of files of models whose label of missing samples is not that of files."""

    def make(labels, **params):
        survey = make_facies_cube((8, 40, 48), n_facies=3, random_state=0)
        segmenter = make_tiny(max_epochs=1, **params).fit(survey.data, labels(survey.target))
        save_model(segmenter, tmp_path / "own.safetensors")
        holes = survey.data.copy()
        holes[:2, :20] = np.nan
        np.save(tmp_path / "holes.npy", holes)
        np.save(tmp_path / "truth.npy", survey.target.astype(np.int16))
        return [str(tmp_path / name) for name in ("own.safetensors", "holes.npy", "truth.npy")]

    return make


@pytest.mark.parametrize("ignore_label", [255, 100, -1])
def test_missing_samples_are_labeled_alike_and_do_not_count(
    python_model, tmp_path, capsys, ignore_label
):
    model, holes, truth = python_model(
        lambda y: y.astype(np.int16), nan_policy="ignore", ignore_label=ignore_label
    )
    expected = np.isnan(np.load(holes))
    for more in ([], ["--entropy"]):
        assert main(["predict", model, holes, "-o", str(tmp_path / "out.npy"), *more]) == 0
        assert_array_equal(np.load(tmp_path / "out.npy") == -1, expected)
    predicted = np.load(tmp_path / "out.npy")
    right = (predicted == np.load(truth))[~expected].mean()
    capsys.readouterr()
    assert main(["score", model, holes, truth]) == 0
    assert f"{right:.3f}" in capsys.readouterr().out


def test_models_of_whole_numbers_of_another_type_are_fine(python_model, tmp_path):
    model, holes, _ = python_model(lambda y: y.astype(float), nan_policy="ignore")
    assert main(["predict", model, holes, "-o", str(tmp_path / "out.npy")]) == 0
    assert np.load(tmp_path / "out.npy").dtype == np.int8


def test_models_of_names_are_refused_in_a_sentence(python_model, tmp_path, capsys):
    model, holes, truth = python_model(
        lambda y: np.array(["a", "b", "c"])[y], nan_policy="ignore", ignore_label="?"
    )
    for arguments in (
        ["predict", model, holes, "-o", str(tmp_path / "o.npy")],
        ["score", model, holes, truth],
    ):
        assert main(arguments) == 1
        assert "hold whole numbers" in capsys.readouterr().err


def test_interrupted_prediction_can_go_on(survey, model, tmp_path, monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skfacies._cli.results.write_cube", interrupt)
    out = str(tmp_path / "out.sgy")
    assert main(["predict", model, str(survey / "seismic.sgy"), "-o", out]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["out.sgy.partial"]


def test_interrupted_training_leaves_no_model(survey, tmp_path, monkeypatch, capsys):
    """skorch ends a fit on Ctrl-C and goes on; with any number of epochs that is the end here."""

    def interrupt(self, net, training=False, **kwargs):
        if training and len(net.history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("skfacies._nn.callbacks.StopIfDiverged.on_batch_end", interrupt)
    files = [str(survey / "seismic.sgy"), str(survey / "labels.sgy")]
    out = str(tmp_path / "model.safetensors")
    assert main(["fit", *files, "-o", out, "--weights", "none", "--lines", "every=20"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        *("fit", "check", "predict", "score", "next", "refine", "view"),
        *("info", "export", "fetch-f3", "benchmark-f3", "demo"),
    ],
)
def test_help_ends_with_a_whole_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert len(text.partition("\n\n")[0]) < 100  # the usage
    example = text.partition("\nExample:\n")[2].replace("\\\n", "")
    assert example.startswith(f"  skfacies {command} ")
    for line in example.splitlines():
        arguments = _make_parser().parse_args(shlex.split(line)[1:])
        assert callable(arguments.run)
