"""`skfacies check` and `next`, and what `predict` says of a survey by itself."""

import json
import warnings

import numpy as np
import pytest
import xarray

from skfacies import CubeSegmenter
from skfacies.__main__ import main
from skfacies.datasets import make_facies_cube
from skfacies.io import write_cube
from skfacies.persistence import save_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_tiny):
    """A model of two inlines, its survey, and the survey with other amplitudes."""
    folder = tmp_path_factory.mktemp("check")
    survey = make_facies_cube((16, 24, 64), 3, random_state=0)
    axes = {"inline": range(100, 116), "crossline": range(300, 324), "twt": 4.0 * np.arange(64)}
    cube = xarray.DataArray(survey.data, axes, list(axes))
    write_cube(folder / "survey.sgy", cube)
    write_cube(folder / "loud.sgy", -1000 * cube)
    labels = np.full(survey.target.shape, -1)
    labels[[2, 4]] = survey.target[[2, 4]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CubeSegmenter(make_tiny(nan_policy="ignore")).fit(cube, labels)
    save_model(model, folder / "model.safetensors", label_names=["chalk", "shale", "salt"])
    return folder


def run(capsys, folder, command, survey, *options):
    paths = (str(folder / "model.safetensors"), str(folder / survey))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert main([command, *paths, *options]) == 0
    return capsys.readouterr().out, [str(warning.message) for warning in caught]


def test_check_prints_a_table_and_no_warnings(folder, capsys):
    text, caught = run(capsys, folder, "check", "loud.sgy")
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert lines["amplitude scale"].endswith("serious")
    assert lines["polarity"].endswith("serious")
    assert lines["sample interval"].endswith("ok")
    assert "amplitude scale: Use --rescale survey" in text
    assert caught == []


def test_verdicts_are_counted(folder, capsys):
    assert "\nverdicts: 2 serious" in run(capsys, folder, "check", "loud.sgy")[0]
    assert "verdicts" not in run(capsys, folder, "check", "loud.sgy", "--markdown")[0]


def test_a_survey_in_the_place_of_the_model_is_refused(folder, capsys):
    paths = [str(folder / name) for name in ("survey.sgy", "model.safetensors")]
    assert main(["check", *paths]) == 1
    assert "survey.sgy is named as a cube, but MODEL" in capsys.readouterr().err


def test_check_as_json_and_markdown(folder, capsys):
    rows = json.loads(run(capsys, folder, "check", "survey.sgy", "--json")[0])["rows"]
    assert {row["verdict"] for row in rows} <= {"ok", "differs", "unknown"}
    text = run(capsys, folder, "check", "survey.sgy", "--markdown")[0]
    assert text.count("\n| ") == len(rows) + 1


def test_predict_warns_of_what_is_serious_only(folder, capsys, tmp_path):
    for survey, expected in (("survey.sgy", []), ("loud.sgy", ["amplitude scale", "polarity"])):
        out = str(tmp_path / survey)
        text, caught = run(capsys, folder, "predict", survey, "-o", out, "--quiet")
        found = [message for message in caught if message.startswith("`cube`, ")]
        assert [message.split(": ")[0].split(", ")[1] for message in found] == expected
        assert text == f"wrote {out}\n"


def test_next_prints_lines_and_reasons(folder, capsys):
    text = run(capsys, folder, "next", "survey.sgy", "-n", "2", "--quiet")[0].splitlines()
    assert len(text) == 2
    assert all(line.split()[0] in ("inline", "crossline") for line in text)
    assert all(line.split()[-1] in ("chalk", "shale", "salt") for line in text)
    found = json.loads(run(capsys, folder, "next", "survey.sgy", "-n", "2", "--json")[0])
    assert [f"{line['direction']} {line['number']}:" for line in found["order"]] == [
        " ".join(line.split()[:2]) for line in text
    ]


def test_horizons_have_the_names_of_the_units_below(folder, capsys):
    text = run(capsys, folder, "next", "survey.sgy", "-n", "1")[0]
    assert "--horizons TOP_SHALE TOP_SALT --lines" in text


def test_places_of_another_survey_do_not_count(folder, capsys):
    options = ["--rescale", "survey", "--directions", "inline", "-n", "1", "--json"]
    found = json.loads(run(capsys, folder, "next", "survey.sgy", *options)[0])
    assert 105 <= found["inline"][0] <= 110  # nothing is picked, so it is in the middle


def test_lines_that_were_picked_can_be_given(folder, capsys):
    options = ["--picked", "inline=112,114", "--directions", "inline", "-n", "1", "--json"]
    found = json.loads(run(capsys, folder, "next", "survey.sgy", *options)[0])
    assert found["inline"][0] < 108
    paths = [str(folder / name) for name in ("model.safetensors", "survey.sgy")]
    found = json.loads(run(capsys, folder, "next", "survey.sgy", "--picked", "none", "--json")[0])
    assert len(found["order"]) == 3
    assert main(["next", *paths, "--picked", "112"]) == 1
    assert "--picked 112 is not like inline=300,350" in capsys.readouterr().err
