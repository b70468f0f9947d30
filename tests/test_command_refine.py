"""`skfacies refine`: corrected and new lines on the command line."""

import json

import numpy as np
import pytest
from segy_files import survey_lines, write_segy

from skfacies.__main__ import main
from skfacies._nn.callbacks import Losses
from skfacies.datasets import make_facies_cube
from skfacies.persistence import load_model

segyio = pytest.importorskip("segyio")
pytest.importorskip("xarray")

pytestmark = pytest.mark.slow


def write_survey(path, cube):
    inlines, crosslines = survey_lines(*cube.shape[:2])
    write_segy(
        path,
        cube.reshape(-1, cube.shape[2]).astype(np.float32),
        numbers=np.stack([inlines, crosslines], axis=1),
        delay=0,
        h115=cube.shape[2],
    )


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    survey = make_facies_cube((24, 40, 64), n_facies=3, random_state=0)
    write_survey(folder / "seismic.sgy", survey.data)
    write_survey(folder / "labels.sgy", survey.target)
    files = {
        name: str(folder / name) for name in ("seismic.sgy", "labels.sgy", "model.safetensors")
    }
    arguments = [*list(files.values())[:2], "-o", files["model.safetensors"], "--epochs", "12"]
    assert main(["fit", *arguments, "--names", "top,mid,base", "--lines", "every=8"]) == 0
    return files


def refine(survey, *arguments):
    model, seismic = survey["model.safetensors"], survey["seismic.sgy"]
    return main(["refine", model, seismic, survey["labels.sgy"], *arguments])


def test_new_lines_are_learned(survey, tmp_path, capsys):
    out = str(tmp_path / "refined.safetensors")
    assert refine(survey, "--lines", "inline=103", "-o", out, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    old, new = load_model(survey["model.safetensors"]), load_model(out)
    assert found["lines"] == {"inline": [100, 103, 108, 116]}
    assert new.estimator_.n_iter_ == old.estimator_.n_iter_ + 2
    assert new.label_names_ == {0: "top", 1: "mid", 2: "base"}
    changes = found["changes"]
    assert len(changes["lines"]) == 12
    assert changes["share"] == pytest.approx(np.mean(list(changes["lines"].values())))
    assert changes["share"] == pytest.approx(sum(row["share"] for row in changes["units"]))
    assert {row["from"] for row in changes["units"]} <= {"top", "mid", "base"}


def test_what_changed_is_printed(survey, tmp_path, capsys):
    out = str(tmp_path / "refined.safetensors")
    assert refine(survey, "--lines", "inline=103", "-o", out) == 0
    printed = capsys.readouterr().out
    assert "trained on 4 inlines in all" in printed
    assert "of the samples on 12 inlines" in printed
    assert f"next: skfacies predict {out}" in printed


def test_a_model_is_never_overwritten(survey, capsys):
    assert refine(survey, "-o", survey["model.safetensors"]) == 1
    assert "MODEL" in capsys.readouterr().err


def test_steps_are_refused(survey, tmp_path, capsys):
    assert refine(survey, "--lines", "every=2", "-o", str(tmp_path / "m.safetensors")) == 1
    assert "--lines of refine names lines" in capsys.readouterr().err


def test_interruption_leaves_no_model(survey, tmp_path, capsys, monkeypatch):
    """In the second of two epochs: skorch ends the training, and would keep the first."""
    begin, epochs = Losses.on_epoch_begin, []

    def interrupt(self, net, **kwargs):
        epochs.append(len(net.history))
        if len(epochs) == 2:
            raise KeyboardInterrupt
        begin(self, net, **kwargs)

    monkeypatch.setattr(Losses, "on_epoch_begin", interrupt)
    out = tmp_path / "refined.safetensors"
    assert refine(survey, "--lines", "inline=103", "-o", str(out)) == 130
    assert len(epochs) == 2
    assert not out.exists()
