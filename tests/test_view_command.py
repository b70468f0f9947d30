"""`skfacies view`: from files to a page."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from real_data import real_file
from test_viewing import codes_of, description_of

from skfacies import CubeSegmenter
from skfacies.__main__ import main
from skfacies.datasets import make_facies_cube
from skfacies.io import open_cube, write_cube
from skfacies.persistence import save_model

xarray = pytest.importorskip("xarray")


@pytest.fixture(scope="module")
def made():
    return make_facies_cube((12, 40, 48), n_facies=3, random_state=0)


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    """A survey, predictions of all and of a part of it, and doubt, in files."""
    folder = tmp_path_factory.mktemp("survey")
    coords = {
        "inline": np.arange(100, 124, 2),
        "crossline": np.arange(300, 340),
        "twt": np.arange(0, 192, 4.0),
    }
    cube = xarray.DataArray(made.data, coords, list(coords))
    write_cube(folder / "seismic.sgy", cube)
    facies = cube.copy(data=made.target)
    write_cube(folder / "facies.sgy", facies)
    write_cube(folder / "part.sgy", facies[3:9, 5:20, 8:30])
    write_cube(folder / "entropy.sgy", cube.copy(data=np.full(cube.shape, 0.25, np.float32)))
    np.save(folder / "mistie.npy", np.full(cube.shape[:2], 0.5, np.float32))
    return folder


@pytest.fixture
def view(folder, tmp_path, capsys):
    """Runs the command with files of the folder, and returns the path of the page."""

    def run(*arguments):
        page = tmp_path / "view.html"
        files = [str(folder / text) if (folder / text).exists() else text for text in arguments]
        assert main(["view", *files, "-o", str(page)]) == 0, capsys.readouterr().err
        return page

    return run


def test_page_has_the_survey_its_facies_and_their_doubt(view, made, capsys):
    page = view("seismic.sgy", "facies.sgy", "--entropy", "entropy.sgy", "--mistie", "mistie.npy")
    known, codes = description_of(page), codes_of(page)
    assert known["title"] == "seismic.sgy"
    names = ["amplitude", "facies", "entropy", "mis-tie"]
    assert [layer["name"] for layer in known["layers"]] == names
    assert known["axes"][0]["numbers"] == list(range(100, 124, 2))
    assert known["axes"][2] == {
        "name": "two-way time",
        "unit": "ms",
        "numbers": list(range(0, 192, 4)),
    }
    assert_array_equal(codes[1], made.target + 1)
    assert (codes[2] == 26).all()  # a quarter
    assert capsys.readouterr().out == (
        f"wrote {page}, {page.stat().st_size / 1e6:.1f} MB; open it in a browser\n"
    )


def test_facies_of_a_part_are_placed_by_their_lines_and_times(view, made, capsys):
    page = view("seismic.sgy", "facies.sgy", "part.sgy")
    expected = np.zeros(made.target.shape, int)
    expected[3:9, 5:20, 8:30] = made.target[3:9, 5:20, 8:30] + 1
    assert_array_equal(codes_of(page)[2], expected)
    assert "labels cover 6 of 12 inlines" in capsys.readouterr().out


def test_names_and_lines_can_be_given(view):
    page = view(
        *("seismic.sgy", "--interpretation", "facies.sgy", "--names", "sand,shale,salt"),
        *("--next-lines", "inline=102,108", "crossline=310-330:10", "--title", "A survey"),
    )
    known = description_of(page)
    assert known["title"] == "A survey"
    assert [own["name"] for own in known["facies"]] == ["sand", "shale", "salt"]
    assert known["lines"]["next"] == {"inline": [102, 108], "crossline": [310, 320, 330]}


@pytest.mark.parametrize("positions", ["auto", None])
def test_model_gives_names_and_training_lines(folder, view, made, make_tiny, tmp_path, positions):
    cube, labels = open_cube(folder / "seismic.sgy"), np.full_like(made.target, -1)
    labels[[2, 5, 8]] = made.target[[2, 5, 8]]
    labels[labels == 1] = 0  # a name that does not occur in the training is no class
    model = CubeSegmenter(make_tiny(positions=positions)).fit(cube, labels)
    assert model.classes_.tolist() == [0, 2]
    save_model(model, tmp_path / "model.safetensors", label_names=["sand", "salt"])
    model_file = str(tmp_path / "model.safetensors")
    known = description_of(view("seismic.sgy", "facies.sgy", "--model", model_file))
    assert known["lines"]["training"] == {"inline": [104, 110, 116], "crossline": []}
    assert [own["name"] for own in known["facies"]] == ["sand", "1", "salt"]


def test_large_surveys_are_thinned_out_and_the_step_is_said(tmp_path, capsys):
    cube = np.random.default_rng(0).standard_normal((40, 60, 200)).astype(np.float32)
    np.save(tmp_path / "cube.npy", cube)
    page = str(tmp_path / "view.html")
    arguments = ["view", str(tmp_path / "cube.npy"), "-o", page, "--max-size", "0.3"]
    assert main(arguments) == 0
    assert (
        "to keep the file small, it has 1 of 2 crosslines, 1 of 2 samples"
        in capsys.readouterr().out
    )
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["wrote"] == [page]
    assert found["steps"] == {"inline": 1, "crossline": 2, "sample": 2}
    assert found["size"] <= 300_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seismic.sgy", "absent.sgy"], "absent.sgy does not exist"),
        (["seismic.sgy", "seismic.sgy"], "which is not a label. Labels are whole numbers"),
        (["seismic.sgy", "--entropy", "part.sgy"], "has the shape 6 x 15 x 22, but SEISMIC has"),
        (["seismic.sgy", "--next-lines", "inline=500"], "--next-lines 'inline=500': 500 is not in"),
        (["seismic.sgy", "facies.sgy", "--names", "a,b"], "--names must have one name for each of"),
        (["seismic.sgy", "--max-size", "0.1"], "--max-size must be at least 300000 bytes"),
        (["seismic.sgy", "-o", "page.pdf"], "the path must end in .html; got 'page.pdf'"),
        (["seismic.sgy", "-o", "seismic.sgy"], "the output would replace"),
    ],
)
def test_errors_say_what_to_do_and_leave_no_page(folder, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folder)
    before = sorted(path.name for path in folder.iterdir())
    out = [] if "-o" in arguments else ["-o", "view.html"]
    assert main(["view", *arguments, *out]) == 1
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    "name", ["segy/f3_crop.sgy", "segy/f3-withdead.sgy", "segy/volve_2d_line.sgy"]
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_real_files_are_shown(tmp_path, name):
    path = real_file(name)
    page = tmp_path / "view.html"
    assert main(["view", str(path), "-o", str(page)]) == 0
    cube = open_cube(path)
    known, codes = description_of(page), codes_of(page)[0]
    assert known["shape"] == list(cube.shape)
    if known["steps"] == [1, 1, 1]:
        assert_array_equal(codes == 0, np.isnan(cube.values.astype(float)))
