"""The command `skfacies`."""

import subprocess
import sys

import joblib
import matplotlib.image
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfacies import __version__
from skfacies.__main__ import main


def test_help_shows_the_commands_and_an_example(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "demo" in shown
    assert "Example: skfacies demo" in shown


def test_help_of_demo_shows_a_full_example(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    example = "Example:\n  skfacies demo --out my-first-model --seed 1\n"
    assert capsys.readouterr().out.endswith(example)


def test_without_a_command_it_shows_the_help(capsys):
    assert main([]) == 2
    assert "usage: skfacies" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"skfacies {__version__}\n"


def test_help_imports_no_torch():
    code = (
        "import sys\nfrom skfacies.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_demo_writes_a_picture_and_a_model(tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    assert main(["demo", "--out", str(folder), "--epochs", "1", "--seed", "1"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["model.joblib", "section.png"]
    picture = matplotlib.image.imread(folder / "section.png")
    assert picture.shape[0] > 500
    assert np.ptp(picture) > 0.5
    model = joblib.load(folder / "model.joblib")
    assert_array_equal(model.classes_, range(6))
    assert model.predict(np.zeros((1, 20, 30))).shape == (1, 20, 30)
    shown = capsys.readouterr()
    for words in ("mean IoU", "parallel", "95th percentile", "What next", str(folder)):
        assert words in shown.out
    assert shown.err == ""  # no progress bar in a log


@pytest.mark.slow
def test_demo_shows_progress_on_a_terminal_unless_quiet(tmp_path, capsys, monkeypatch):
    arguments = ["demo", "--out", str(tmp_path), "--epochs", "1"]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(arguments) == 0
    assert "1.0/1 epochs" in capsys.readouterr().err
    assert main([*arguments, "--quiet"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "mean IoU" in shown.out
    assert "What next" not in shown.out


@pytest.mark.slow
def test_demo_replaces_its_files_and_no_others(tmp_path):
    (tmp_path / "model.joblib").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["demo", "--out", str(tmp_path), "--epochs", "1"]) == 0
    assert (tmp_path / "model.joblib").stat().st_size > 10_000_000
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_failed_demo_leaves_the_old_files(tmp_path, monkeypatch, capsys):
    def fail(model, path):
        path.write_text("half")
        raise OSError("no space left on device")

    (tmp_path / "model.joblib").write_text("old")
    monkeypatch.setattr("joblib.dump", fail)
    assert main(["demo", "--out", str(tmp_path), "--epochs", "1"]) == 1
    assert (tmp_path / "model.joblib").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.joblib", "section.png"]
    assert capsys.readouterr().err.endswith("skfacies: no space left on device\n")


def test_errors_are_one_line_unless_debugging(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("skfacies: ")
    assert shown.count("\n") == 1
    with pytest.raises(FileExistsError):
        main(["demo", "--out", str(tmp_path / "file"), "--debug"])


def test_interruption_ends_without_a_traceback(tmp_path, monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skfacies.datasets.make_facies_cube", interrupt)
    assert main(["demo", "--out", str(tmp_path)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_interruption_of_the_training_ends_the_demo_without_files(tmp_path, monkeypatch, capsys):
    """The estimator keeps what it has learned; who stops the command wants it to end."""

    def stop_in_second_epoch(self, net, training=False, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("skfacies._nn.callbacks.StopIfDiverged.on_batch_end", stop_in_second_epoch)
    assert main(["demo", "--out", str(tmp_path), "--epochs", "3"]) == 130
    assert list(tmp_path.iterdir()) == []
