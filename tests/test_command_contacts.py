"""Horizons from the command line."""

import json
import os

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.utils import Bunch

from skfacies.__main__ import main
from skfacies._cli.contacts import name_files
from skfacies._files import whole_files
from skfacies.datasets import make_facies_cube
from skfacies.horizons import contacts_from_probabilities, read_horizon, write_horizon
from skfacies.io import open_cube, write_cube
from skfacies.persistence import load_model, save_model

segyio = pytest.importorskip("segyio")
xarray = pytest.importorskip("xarray")

NAMES = ["sea", "chalk / marl", "salt"]
FILES = ["top_chalk_marl", "top_salt"]
SUFFIXES = {"inline-crossline": ".txt", "xyz": ".xyz", "charisma": ".charisma", "zmap": ".zmap"}


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A folder with a SEG-Y file whose traces have X and Y, and one whose lines are turned."""
    folder = tmp_path_factory.mktemp("survey")
    made = make_facies_cube((12, 40, 64), n_facies=3, random_state=1)
    axes = {"inline": range(100, 112), "crossline": range(300, 340), "twt": range(0, 256, 4)}
    cube = xarray.DataArray(made.data, axes, list(axes))
    i, j = np.meshgrid(np.arange(12), np.arange(40), indexing="ij")
    lines = ("inline", "crossline")
    x, y = 450000.5 + 12.5 * j, 6780000 + 25.0 * i
    write_cube(folder / "survey.sgy", cube.assign_coords(cdp_x=(lines, x), cdp_y=(lines, y)))
    turned = cube.assign_coords(cdp_x=(lines, x + 0.5 * y), cdp_y=(lines, y - 0.5 * x))
    write_cube(folder / "turned.sgy", turned)
    np.save(folder / "survey.npy", made.data)
    np.save(folder / "labels.npy", made.target)
    return folder


@pytest.fixture(scope="module")
def model(survey, make_tiny):
    from skfacies import CubeSegmenter

    labels = np.load(survey / "labels.npy")
    section = make_tiny(max_epochs=40, lr=0.01, nan_policy="ignore", verbose=0)
    fitted = CubeSegmenter(section).fit(np.asarray(open_cube(survey / "survey.sgy")), labels)
    path = str(survey / "model.safetensors")
    save_model(fitted, path, label_names=NAMES)
    return path


def expected_contacts(survey, model):
    loaded = load_model(model)
    cube = np.asarray(open_cube(survey / "survey.sgy"))
    return contacts_from_probabilities(loaded.predict_proba(cube))


@pytest.mark.parametrize("format", list(SUFFIXES))
def test_horizons_read_back_as_they_were_found(survey, model, tmp_path, capsys, format):
    seismic, folder = str(survey / "survey.sgy"), tmp_path / "horizons"
    arguments = ["predict", model, seismic, "--horizons", str(folder), "--format", format]
    assert main(arguments) == 0
    assert sorted(os.listdir(folder)) == [name + SUFFIXES[format] for name in FILES]
    assert os.listdir(tmp_path) == ["horizons"]
    contacts = expected_contacts(survey, model)
    printed = capsys.readouterr().out
    for k, name in enumerate(FILES):
        path = folder / (name + SUFFIXES[format])
        found = read_horizon(path, like=open_cube(seismic))
        assert_allclose(found.data, contacts.depth[k], atol=1e-3)
        (line,) = [line for line in printed.splitlines() if str(path) in line]
        depth, doubt = contacts.depth[k], contacts.uncertainty[k]
        assert f"{np.count_nonzero(~np.isnan(depth))} of 480 traces" in line
        assert f"{4 * np.nanmin(depth):.6g} to {4 * np.nanmax(depth):.6g} ms" in line
        assert f"± {4 * np.nanmedian(doubt[~np.isnan(depth)]):.3g} ms" in line


def test_columns_hold_the_coordinates_of_the_trace_headers(survey, model, tmp_path):
    seismic = str(survey / "turned.sgy")
    assert main(["predict", model, seismic, "--horizons", str(tmp_path)]) == 0
    cells = np.loadtxt(tmp_path / "top_chalk_marl.txt")
    with segyio.open(seismic) as file:
        words = {name: file.attributes(byte)[:] for name, byte in (("x", 181), ("y", 185))}
        lines = np.column_stack([file.attributes(189)[:], file.attributes(193)[:]]).tolist()
    headers = dict(zip(map(tuple, lines), zip(words["x"], words["y"], strict=True), strict=True))
    for inline, crossline, x, y, *_ in cells:
        assert_allclose([100 * x, 100 * y], headers[inline, crossline], rtol=0, atol=1e-4)
    contacts = expected_contacts(survey, model)
    present = ~np.isnan(contacts.depth[0])
    for k, name in enumerate(("uncertainty", "thickness"), start=5):
        expected = np.nan_to_num(4 * contacts[name][0][present], nan=1e30)
        assert_allclose(cells[:, k], expected, atol=2e-3)
    assert "thickness" not in (tmp_path / "top_salt.txt").read_text()


def test_labels_and_horizons_of_one_run_agree(survey, model, tmp_path, capsys):
    seismic, out, folder = str(survey / "survey.sgy"), tmp_path / "facies.sgy", tmp_path / "picks"
    arguments = ["predict", model, seismic, "-o", str(out), "--horizons", str(folder), "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    paths = [str(folder / f"{name}.txt") for name in FILES]
    assert found["wrote"] == [str(out), *paths]
    assert [row["units"] for row in found["horizons"]] == [[0, 1], [1, 2]]
    assert [row["file"] for row in found["horizons"]] == paths
    labels = open_cube(out).values
    for k, path in enumerate(paths, start=1):
        depth = read_horizon(path, like=open_cube(seismic)).data
        rows, traces = np.nonzero(~np.isnan(depth))
        first = np.ceil(depth[rows, traces] - 1e-3).astype(int)
        assert (labels[rows, traces, first] >= k).all()
        assert (labels[rows, traces, first - 1] < k).all()


def test_contacts_outside_of_a_window_are_absent(survey, model, tmp_path):
    seismic = str(survey / "survey.sgy")
    cube = open_cube(seismic)
    depth = expected_contacts(survey, model).depth[0]
    middle = float(np.median(depth))
    for name, level in (("top", 2.0), ("base", middle)):
        write_horizon(tmp_path / name, np.full((12, 40), level), like=cube)
    window = ["--between", str(tmp_path / "top"), str(tmp_path / "base")]
    arguments = ["predict", model, seismic, "--horizons", str(tmp_path / "horizons")]
    assert main([*arguments, *window]) == 0
    found = read_horizon(tmp_path / "horizons" / "top_chalk_marl.txt", like=cube).data
    inside = np.ceil(depth) < middle  # the first sample of the lower unit is in the window
    assert inside.any()
    assert_allclose(found, np.where(inside, depth, np.nan), atol=1e-3)


def test_numpy_cubes_take_their_places_from_another_file(survey, model, tmp_path, capsys):
    seismic, like = str(survey / "survey.npy"), str(survey / "survey.sgy")
    arguments = ["predict", model, seismic, "--horizons", str(tmp_path / "horizons")]
    assert main(arguments) == 1
    assert "has no line numbers" in capsys.readouterr().err
    assert not os.listdir(tmp_path)
    assert main([*arguments, "--like", like]) == 0
    assert (
        len(read_horizon(tmp_path / "horizons" / "top_salt.txt", like=open_cube(like)).data) == 12
    )


def test_contacts_that_are_nowhere_have_no_file(survey, make_tiny, tmp_path, capsys):
    import torch

    from skfacies import CubeSegmenter

    labels = np.load(survey / "labels.npy")
    cube = np.asarray(open_cube(survey / "survey.sgy"))
    fitted = CubeSegmenter(make_tiny(verbose=0, unit_order=[0, 1, 2])).fit(cube, labels)
    with torch.no_grad():  # the bias of the last layer: nothing but the shallowest unit
        list(fitted.estimator_.net_.module_.parameters())[-1].copy_(torch.tensor([100.0, 0, 0]))
    save_model(fitted, tmp_path / "model.safetensors")
    folder = tmp_path / "horizons"
    arguments = ["predict", str(tmp_path / "model.safetensors"), str(survey / "survey.sgy")]
    assert main([*arguments, "--horizons", str(folder)]) == 0
    assert "top_1: on no trace, not written" in capsys.readouterr().out
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("units", "files"),
    [
        (["above top", "top to base", "below base"], ["top.txt", "base.txt"]),
        (["above top", "below top"], ["top.txt"]),
        (["above top", "reservoir", "below base"], ["top_reservoir.txt", "top_below_base.txt"]),
        (["a", "b/c", "b c", "B_C"], ["top_b_c.txt", "top_b_c_2.txt", "top_B_C_3.txt"]),
        ([0, 1, 2], ["top_1.txt", "top_2.txt"]),
    ],
)
def test_files_are_named_after_horizons_or_units(units, files):
    model = Bunch(classes_=np.arange(len(units)), label_names_=dict(enumerate(units)))
    assert name_files(model, list(range(len(units))), "inline-crossline") == files


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("survey.sgy", [], "nothing to write. Give -o OUT for a cube, --horizons FOLDER"),
        ("survey.sgy", ["--horizons", "new", "--entropy"], "are files beside OUT"),
        ("survey.sgy", ["--horizons", "taken"], "taken is a file"),
        ("survey.sgy", ["--horizons", "no/new"], "the folder no does not exist"),
        ("turned.sgy", ["--horizons", "new", "--format", "zmap"], "Use --format xyz"),
    ],
)
def test_mistakes_are_found_before_the_prediction(
    survey, model, tmp_path, monkeypatch, capsys, name, options, message
):
    from skfacies import CubeSegmenter

    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    monkeypatch.setattr(CubeSegmenter, "predict_proba", None)
    assert main(["predict", model, str(survey / name), *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert os.listdir(tmp_path) == ["taken"]


def test_a_model_without_order_of_units_has_no_horizons(survey, make_tiny, tmp_path, capsys):
    from skfacies import CubeSegmenter

    labels = np.load(survey / "labels.npy")
    section = make_tiny(verbose=0, unit_order=None)
    fitted = CubeSegmenter(section).fit(np.load(survey / "survey.npy"), labels)
    save_model(fitted, tmp_path / "model.safetensors")
    seismic = str(survey / "survey.sgy")
    arguments = ["predict", str(tmp_path / "model.safetensors"), seismic]
    assert main([*arguments, "--horizons", str(tmp_path / "horizons")]) == 1
    assert "--horizons needs units in a known order" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["model.safetensors"]


# --- all files or none -----------------------------------------------------------------------


def write_files(folder, *, fails=False, **texts):
    with whole_files(folder) as part:
        for name, text in texts.items():
            (part / name).write_text(text)
        if fails:
            raise ZeroDivisionError("half")


def test_files_join_those_of_the_folder_and_replace_their_namesakes(tmp_path):
    (tmp_path / "old").write_text("old")
    (tmp_path / "other").write_text("other")
    write_files(tmp_path, old="new", added="added")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"old": "new", "other": "other", "added": "added"}


def test_a_failure_leaves_the_folder_as_it_was(tmp_path, monkeypatch):
    with pytest.raises(ZeroDivisionError, match="half"):
        write_files(tmp_path / "new", a="a", fails=True)
    assert not os.listdir(tmp_path)
    (tmp_path / "a").write_text("old")
    replace = os.replace

    def refuse(source, target):
        if os.path.basename(target) == "b" and os.path.dirname(target) == str(tmp_path):
            raise OSError("disk is full")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk is full"):
        write_files(tmp_path, a="new", b="new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}
