"""Pages without a browser: what is in the file, and what is refused."""

import base64
import json
import re
import zlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfacies._colors import facies_colors
from skfacies.viewing import write_view
from skfacies.viewing._reduction import Values, choose_steps, keep_positions

xarray = pytest.importorskip("xarray")


def description_of(path):
    """What the page knows of the cube."""
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="description">(.*?)</script>', text, flags=re.DOTALL)[1])


def codes_of(path):
    """Bytes of each layer, as the page's scripts make them."""
    known = description_of(path)
    sizes = [len(axis["numbers"]) for axis in known["axes"]]
    codes = [
        np.zeros((*sizes[:2], 1 if own["isMap"] else sizes[2]), np.uint8) for own in known["layers"]
    ]
    pattern = r'data-layer="(\d+)" data-first="(\d+)">([^<]*)<'
    for layer, first, text in re.findall(pattern, path.read_text(encoding="utf-8")):
        layer, first = int(layer), int(first)
        packed = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
        traces = packed.reshape(-1, codes[layer].shape[2])
        sections = np.cumsum(traces, axis=0, dtype=np.uint8).reshape(-1, *codes[layer].shape[1:])
        if "table" in known["layers"][layer]:
            sections = np.array(known["layers"][layer]["table"], np.uint8)[sections]
        codes[layer][first : first + len(sections)] = sections
    return codes


def values_of(path, layer):
    """Numbers of a layer, NaN where there are none."""
    known, codes = description_of(path)["layers"][layer], codes_of(path)[layer]
    step = (known["high"] - known["low"]) / (known["nCodes"] - 1)
    return np.where(codes == 0, np.nan, known["low"] + (codes - 1.0) * step)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "view.html"


def noise(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# --- what is in the page --------------------------------------------------------------------


def test_amplitudes_are_in_the_page_to_eight_bits(path, survey):
    write_view(path, survey.data)
    (layer,) = description_of(path)["layers"]
    expected = survey.data.clip(layer["low"], layer["high"])
    assert_allclose(values_of(path, 0), expected, atol=0.5001 * layer["high"] / 127)
    assert layer["low"] == -layer["high"]
    assert 0.99 < (np.abs(survey.data) <= layer["high"]).mean() < 1


def test_zero_amplitude_is_exact(path):
    cube = noise((3, 4, 16))
    cube[:, :, ::2] = 0
    write_view(path, cube)
    assert (values_of(path, 0)[:, :, ::2] == 0).all()


def test_labels_are_positions_in_the_classes(path, survey):
    labels = survey.target.astype(np.int16) * 10 + 5
    labels[2] = -1
    write_view(path, survey.data, labels)
    assert_array_equal(codes_of(path)[1], np.where(labels == -1, 0, survey.target + 1))
    known = description_of(path)["facies"]
    assert [facies["name"] for facies in known] == ["5", "15", "25"]
    assert [facies["color"] for facies in known] == facies_colors(3)


def test_labels_in_any_order_of_appearance_get_sorted_classes(path):
    labels = np.array([3, 1, 2, 0])[np.arange(24) % 4].reshape(2, 3, 4)
    write_view(path, noise((2, 3, 4)), labels)
    assert_array_equal(codes_of(path)[1], labels + 1)


@pytest.mark.parametrize("as_type", [str, float])
def test_labels_may_be_strings_or_whole_floats(path, survey, as_type):
    labels = survey.target.astype(as_type)
    ignore = "none" if as_type is str else -1
    if as_type is float:
        labels[0, 0] = np.nan  # missing traces of a file
    else:
        labels[0, 0] = "none"
    write_view(path, survey.data, labels, ignore_label=ignore)
    expected = survey.target + 1
    expected[0, 0] = 0
    assert_array_equal(codes_of(path)[1], expected)
    assert [own["name"] for own in description_of(path)["facies"]] == ["0", "1", "2"]


def test_missing_samples_have_no_value(path):
    cube = noise((4, 5, 8))
    cube[1, 2], cube[3, :, :3] = np.nan, np.nan
    write_view(path, cube)
    assert_array_equal(codes_of(path)[0] == 0, np.isnan(cube))


def test_several_predictions_and_doubt_are_layers_in_this_order(path, survey):
    shape = survey.data.shape
    write_view(
        path,
        survey.data,
        {"first": survey.target, "second": survey.target[::-1]},
        interpretation=survey.target,
        entropy=np.linspace(0, 0.5, np.prod(shape)).reshape(shape),
        mistie=np.linspace(0, 0.2, 12 * 40).reshape(12, 40),
    )
    layers = description_of(path)["layers"]
    assert [layer["name"] for layer in layers] == [
        *("amplitude", "first", "second", "interpretation", "entropy", "mis-tie"),
    ]
    assert_array_equal(codes_of(path)[2], survey.target[::-1] + 1)
    assert (layers[4]["low"], layers[4]["high"]) == (0, 1)
    assert layers[5]["high"] == pytest.approx(0.2, rel=0.01)
    assert codes_of(path)[5].shape == (12, 40, 1)


def test_entropy_is_exact_to_half_a_hundredth(path, survey):
    entropy = np.random.default_rng(0).random(survey.data.shape)
    write_view(path, survey.data, entropy=entropy)
    assert_allclose(values_of(path, 1), entropy, atol=0.00501)


def named_cube(survey, dims=("inline", "crossline", "twt")):
    """A cube with numbers, of bins of 25 by 12.5 m, turned by 30 degrees."""
    n_inlines, n_crosslines, n_samples = survey.data.shape
    inlines, crosslines = 200 + 2 * np.arange(n_inlines), 500 + np.arange(n_crosslines)
    i, x = np.meshgrid(inlines, crosslines, indexing="ij")
    turn = np.deg2rad(30)
    coords = {
        "inline": inlines,
        "crossline": crosslines,
        "twt": ("twt", 100 + 4.0 * np.arange(n_samples), {"units": "ms"}),
        "cdp_x": (dims[:2], 6e5 + 12.5 * np.cos(turn) * x - 12.5 * np.sin(turn) * i),
        "cdp_y": (dims[:2], 6e6 + 12.5 * np.sin(turn) * x + 12.5 * np.cos(turn) * i),
    }
    return xarray.DataArray(survey.data, coords, dims)


def test_line_numbers_times_and_map_are_those_of_the_cube(path, survey):
    cube = named_cube(survey)
    write_view(path, cube)
    known = description_of(path)
    assert [axis["name"] for axis in known["axes"]] == ["inline", "crossline", "two-way time"]
    assert [axis["unit"] for axis in known["axes"]] == ["", "", "ms"]
    for axis, dim in zip(known["axes"], cube.dims, strict=True):
        assert_array_equal(axis["numbers"], cube[dim])
    for name in "xy":
        constant, per_inline, per_crossline = known["map"][name]
        expected = cube[f"cdp_{name}"]
        found = constant + per_inline * cube.inline + per_crossline * cube.crossline
        assert_allclose(found, expected, atol=0.01)


def test_coordinates_that_are_no_grid_are_left_out(path, survey):
    cube = named_cube(survey)
    cube["cdp_x"] = cube.cdp_x + 500 * np.sin(cube.crossline / 5)
    write_view(path, cube)
    assert description_of(path)["map"] is None


def test_names_can_be_given_for_labels_that_do_not_occur(path, survey):
    labels = np.where(survey.target == 1, 2, survey.target)
    write_view(path, survey.data, labels, names=["top", "middle", "base"])
    assert [own["name"] for own in description_of(path)["facies"]] == ["top", "middle", "base"]
    assert_array_equal(np.unique(codes_of(path)[1]), [1, 3])


def test_names_by_label_leave_others_as_they_are(path, survey):
    write_view(path, survey.data, survey.target, names={1: "middle", 7: "deep"})
    assert [own["name"] for own in description_of(path)["facies"]] == ["0", "middle", "2", "deep"]


def test_interpreted_lines_are_the_training_lines(path, survey):
    cube, labels = named_cube(survey), np.full_like(survey.target, -1)
    labels[[2, 7]] = survey.target[[2, 7]]
    write_view(path, cube, interpretation=labels)
    assert description_of(path)["lines"]["training"] == {"inline": [204, 214], "crossline": []}


def test_no_line_is_marked_if_all_are_interpreted(path, survey):
    write_view(path, survey.data, interpretation=survey.target)
    assert description_of(path)["lines"]["training"] == {"inline": [], "crossline": []}


def test_infinite_amplitudes_are_beyond_the_range(path):
    cube = noise((4, 5, 64))
    cube[0, 0, 5], cube[1, 1, 6] = np.inf, -np.inf
    write_view(path, cube)
    assert codes_of(path)[0][0, 0, 5] == 255
    assert codes_of(path)[0][1, 1, 6] == 1


@pytest.mark.parametrize("value", [0, 7, -7, np.nan])
def test_constant_amplitudes_are_shown(path, value):
    write_view(path, np.full((3, 4, 8), value, np.float32))
    assert_allclose(values_of(path, 0), value, atol=1e-6)


# --- size -----------------------------------------------------------------------------------


@pytest.mark.parametrize("max_size", [300_000, 600_000])
def test_a_large_cube_is_thinned_out_to_the_size(path, max_size):
    cube = noise((60, 70, 300))
    view = write_view(path, cube, max_size=max_size)
    assert 0.5 * max_size < view.size == path.stat().st_size <= max_size
    known = description_of(path)
    assert known["steps"] == list(view.steps)
    assert known["shape"] == [60, 70, 300]
    kept = [axis["numbers"] for axis in known["axes"]]
    assert [own[:2] for own in kept] == [[0, step] for step in view.steps]
    limit = known["layers"][0]["high"]
    if view.steps[2] == 1:
        expected = cube[np.ix_(*kept)].clip(-limit, limit)
        assert_allclose(values_of(path, 0), expected, atol=limit / 250)


def test_training_and_next_lines_are_kept(path):
    lines = {"inline": [7, 31], "crossline": [13]}
    write_view(
        path,
        noise((60, 70, 300)),
        training_lines=lines,
        next_lines={"crossline": [44]},
        max_size=300_000,
    )
    known = description_of(path)
    assert min(known["steps"][:2]) > 1
    assert {7, 31} <= set(known["axes"][0]["numbers"])
    assert {13, 44} <= set(known["axes"][1]["numbers"])
    assert known["lines"] == {
        "training": lines,
        "next": {"inline": [], "crossline": [44]},
    }


def test_one_line_of_each_step_is_kept():
    assert keep_positions(10, 3).tolist() == [0, 3, 6, 9]
    assert keep_positions(10, 3, [4, 8]).tolist() == [0, 4, 8, 9]
    assert keep_positions(10, 3, [3, 4, 5]).tolist() == [0, 3, 6, 9]


@pytest.mark.parametrize("shape", [(651, 951, 462), (1, 5000, 2000), (3, 3, 100_000), (2, 2, 2)])
@pytest.mark.parametrize("most", [1, 1000, 10**6, 10**9])
def test_steps_keep_no_more_than_allowed(shape, most):
    steps = choose_steps(shape, most)
    kept = [len(range(0, n, step)) for n, step in zip(shape, steps, strict=True)]
    assert np.prod(kept) <= max(most, 1)
    assert all(step == 1 for step in steps) == (np.prod(shape) <= most)


def test_samples_between_those_kept_do_not_fold_over():
    samples = np.arange(400)
    low, high = np.sin(2 * np.pi * 0.05 * samples), np.sin(2 * np.pi * 0.4 * samples)
    encode = Values(-2, 2, 255, step=3)
    codes = encode((low + high)[None].astype(np.float32), np.array([0]), samples[::3])
    found = -2 + (codes[0].astype(float) - 1) * 4 / 254
    inner = slice(10, -10)
    assert_allclose(found[inner], low[::3][inner], atol=0.05)


# --- holders --------------------------------------------------------------------------------


def test_page_does_not_depend_on_what_holds_the_cube(tmp_path, survey):
    expected = write_view(tmp_path / "a.html", survey.data, survey.target, title="one")
    np.save(tmp_path / "cube.npy", survey.data)
    holders = {
        "memory map": np.load(tmp_path / "cube.npy", mmap_mode="r"),
        "no names": xarray.DataArray(survey.data),
    }
    zarr = pytest.importorskip("zarr")
    holders["zarr"] = zarr.create_array(
        store=zarr.storage.MemoryStore(), data=survey.data, chunks=(5, 40, 48)
    )
    dask = pytest.importorskip("dask.array")
    holders["dask"] = dask.from_array(survey.data, chunks=(7, 11, 13))
    for name, cube in holders.items():
        view = write_view(tmp_path / "b.html", cube, survey.target, title="one")
        assert view.path.read_bytes() == expected.path.read_bytes(), name


def test_axes_of_a_data_array_may_be_in_any_order(tmp_path, survey):
    cube = named_cube(survey)
    facies = cube.copy(data=survey.target)
    expected = write_view(tmp_path / "a.html", cube, facies, title="one")
    turned = write_view(
        tmp_path / "b.html",
        cube.transpose("twt", "crossline", "inline"),
        facies.transpose("crossline", "inline", "twt"),
        title="one",
    )
    assert turned.path.read_bytes() == expected.path.read_bytes()


# --- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_size": 1000}, "`max_size` must be at least 300000 bytes; got 1000"),
        ({"facies": np.zeros((12, 40, 47), int)}, r"`facies` must have the shape of `cube`"),
        ({"facies": noise((12, 40, 48))}, "`facies` is continuous"),
        ({"facies": np.arange(12 * 40 * 48).reshape(12, 40, 48)}, "more than 254 labels, such as"),
        ({"entropy": np.zeros((12, 40))}, "`entropy` must have the shape of `cube`"),
        ({"entropy": np.full((12, 40, 48), "a")}, "`entropy` must hold real numbers"),
        ({"mistie": np.zeros((40, 12))}, r"or of its map, \(12, 40\); got \(40, 12\)"),
        ({"training_lines": [3]}, "`training_lines` must be a dict of line numbers, such as"),
        ({"next_lines": {"inline": [99]}}, "the inline 99, but the inlines of `cube` are 0 to 11"),
        ({"names": ["a", "b"]}, r"one name for each of the 3 labels \[0, 1, 2\]; got 2"),
        ({"cube": np.zeros((12, 40, 48), complex)}, "`cube` must hold real amplitudes"),
        ({"cube": np.zeros((12, 40))}, "`cube` must be a cube of shape"),
        ({"path": "view.png"}, "`path` must end in .html; got 'view.png'"),
    ],
)
def test_what_cannot_be_shown_is_refused_and_leaves_the_old_page(path, survey, change, message):
    path.write_text("old")
    arguments = {"path": path, "cube": survey.data, "facies": survey.target, **change}
    with pytest.raises(ValueError, match=message):
        write_view(**arguments)
    assert [file.name for file in path.parent.iterdir()] == ["view.html"]
    assert path.read_text() == "old"


def test_a_folder_that_does_not_exist_is_found_out_before_the_work(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist. Create it"):
        write_view(tmp_path / "absent" / "view.html", None)


def test_facies_of_other_lines_are_refused(path, survey):
    cube = named_cube(survey)
    facies = cube.copy(data=survey.target).assign_coords(inline=cube.inline + 2)
    with pytest.raises(ValueError, match="`facies` has 'inline' coordinates that differ"):
        write_view(path, cube, facies)


def test_a_name_cannot_end_the_data(path, survey):
    name = "</script><script>alert(1)</script>"
    write_view(path, survey.data, {name: survey.target}, title=name, names={0: name})
    assert "<script>alert" not in path.read_text(encoding="utf-8")
    assert description_of(path)["facies"][0]["name"] == name
