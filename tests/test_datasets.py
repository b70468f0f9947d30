"""Tests of skfacies.datasets."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from real_data import real_file

from skfacies.datasets import load_sections, make_facies_cube

SMALL = (12, 40, 64)


@pytest.fixture(scope="module")
def cube():
    """One cube of default size and all eight styles, for statistics."""
    return make_facies_cube((24, 96, 160), 8, noise=0.1, random_state=0)


def rms(cube, name):
    """Root mean square amplitude of one unit, away from its contacts."""
    inside = interior(cube, cube.target_names.index(name))
    return np.sqrt(np.mean(cube.data[inside] ** 2))


def interior(cube, label):
    """Samples of a unit at least four samples, over half a period, from its top and base."""
    inside = cube.target == label
    for shift in (-4, 4):
        inside &= np.roll(cube.target, shift, axis=2) == label
    inside[..., :4] = inside[..., -4:] = False
    return inside


def mean_frequency(cube, name):
    """Root of the power of the vertical derivative over the power, in radians per sample."""
    inside = interior(cube, cube.target_names.index(name))
    slope = np.gradient(cube.data, axis=2)
    return np.sqrt(np.mean(slope[inside] ** 2) / np.mean(cube.data[inside] ** 2))


def lateral_correlation(cube, name):
    """Correlation of the traces of a unit with those of the next inline."""
    inside = interior(cube, cube.target_names.index(name))
    both = inside[1:] & inside[:-1]
    return np.corrcoef(cube.data[1:][both], cube.data[:-1][both])[0, 1]


# --- make_facies_cube: shapes, types, determinism ---------------------------------------------


def test_cube_has_documented_shapes_and_types():
    """Every field is what the docstring says."""
    made = make_facies_cube(SMALL, 5, random_state=0)
    assert made.data.shape == made.target.shape == SMALL
    assert made.data.dtype == np.float32
    assert made.target.dtype == np.int8
    assert made.horizons.shape == (4, 12, 40)
    assert made.horizons.dtype == np.float32
    assert made.dead_traces.shape == (12, 40)
    assert made.dead_traces.dtype == bool
    assert len(made.target_names) == 5
    assert "4 chaotic" not in made.DESCR
    assert "1 chaotic" in made.DESCR


def test_return_X_y_gives_the_same_arrays():
    """The short form is the long form."""
    made = make_facies_cube(SMALL, random_state=0)
    data, target = make_facies_cube(SMALL, random_state=0, return_X_y=True)
    assert_array_equal(data, made.data)
    assert_array_equal(target, made.target)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float16"])
def test_dtype_is_that_of_the_amplitudes(dtype):
    """Amplitudes come in the type asked for."""
    assert make_facies_cube((4, 8, 32), 3, dtype=dtype, random_state=0).data.dtype == dtype


def test_same_int_gives_the_same_cube():
    """An int makes it reproducible."""
    first, second = (make_facies_cube(SMALL, random_state=7) for _ in range(2))
    assert_array_equal(first.data, second.data)
    assert_array_equal(first.horizons, second.horizons)


def test_different_seeds_give_different_cubes():
    """Seeds change amplitudes and geometry."""
    first, second = (make_facies_cube(SMALL, random_state=seed) for seed in (0, 1))
    assert np.abs(first.data - second.data).mean() > 0.1
    assert np.mean(first.target != second.target) > 0.05


def test_random_state_instance_is_used_and_advanced():
    """Two cubes from one RandomState differ, as with scikit-learn's generators."""
    state = np.random.RandomState(3)
    first = make_facies_cube(SMALL, random_state=state)
    second = make_facies_cube(SMALL, random_state=state)
    again = make_facies_cube(SMALL, random_state=np.random.RandomState(3))
    assert np.any(first.data != second.data)
    assert_array_equal(first.data, again.data)


def test_int_seed_leaves_the_global_generator_alone():
    """Nobody else's random numbers change."""
    before = np.random.get_state()[1].copy()
    make_facies_cube((4, 8, 32), 3, random_state=0)
    assert_array_equal(np.random.get_state()[1], before)


def test_cube_does_not_depend_on_the_slabs_it_is_made_in(monkeypatch):
    """Chunked equals whole."""
    whole = make_facies_cube((20, 24, 48), random_state=2, dead_traces=0.1)
    monkeypatch.setattr("skfacies.datasets._synthetic.slabs", lambda _: [slice(0, 3), slice(3, 20)])
    pieces = make_facies_cube((20, 24, 48), random_state=2, dead_traces=0.1)
    assert_array_equal(pieces.data, whole.data)
    assert_array_equal(pieces.target, whole.target)


# --- make_facies_cube: geometry ---------------------------------------------------------------


@pytest.mark.parametrize("n_faults", [0, 2, 6])
def test_target_counts_the_horizons_at_or_above_a_sample(n_faults):
    """Horizons and labels say exactly the same."""
    made = make_facies_cube(SMALL, n_faults=n_faults, random_state=1)
    z = np.arange(SMALL[2])
    assert_array_equal(made.target, (made.horizons[..., None] <= z).sum(axis=0))


def test_horizons_lie_inside_the_cube():
    """Every live trace reaches every contact."""
    made = make_facies_cube(SMALL, fold=0.25, n_faults=5, random_state=1)
    assert made.horizons.min() > 0
    assert made.horizons.max() <= SMALL[2] - 1


@pytest.mark.parametrize("seed", range(5))
def test_units_are_in_depth_order_on_every_trace(seed):
    """Normal faults cut section out and never repeat it."""
    made = make_facies_cube(SMALL, n_faults=6, random_state=seed)
    assert np.all(np.diff(made.target, axis=2) >= 0)
    assert np.all(np.diff(made.horizons, axis=0) >= 0)


@pytest.mark.parametrize(
    ("shape", "n_facies"),
    [((6, 32, 32), 8), ((6, 32, 24), 6), ((5, 40, 48), 12), ((30, 2, 64), 6), ((1, 1, 48), 12)],
)
def test_every_facies_occurs(shape, n_facies):
    """No seed leaves a unit out, even where there are only four samples for each."""
    for seed in range(20):
        target = make_facies_cube(shape, n_facies, random_state=seed).target
        assert_array_equal(np.unique(target), np.arange(n_facies))


def test_nearly_every_inline_has_every_facies():
    """Blocks held out of a cube hold all classes."""
    counts = [
        len(np.unique(section))
        for seed in range(5)
        for section in make_facies_cube((20, 48, 64), random_state=seed).target
    ]
    assert np.mean(np.equal(counts, 6)) > 0.95


def test_one_trace_is_a_cube():
    """The smallest shapes work."""
    made = make_facies_cube((1, 1, 32), 3, random_state=0)
    assert np.isfinite(made.data).all()
    assert_array_equal(np.unique(made.target), [0, 1, 2])


def test_depth_alone_does_not_tell_the_facies():
    """The best guess from depth is wrong on an eighth of the samples or more."""
    for seed in range(4):
        target = make_facies_cube((24, 48, 64), random_state=seed).target
        levels = target.reshape(-1, 64).T
        right = sum(np.bincount(level).max() for level in levels)
        assert right / target.size < 7 / 8


def test_without_folds_and_faults_contacts_have_less_relief():
    """`fold` controls the structure."""
    flat, folded = (
        make_facies_cube(SMALL, fold=fold, n_faults=0, random_state=0).horizons
        for fold in (0, 0.25)
    )
    assert np.ptp(folded, axis=(1, 2)).mean() > np.ptp(flat, axis=(1, 2)).mean() + 5


def test_faults_offset_the_horizons():
    """Neighboring traces differ by a throw at faults, and nowhere without them."""
    smooth, faulted = (
        make_facies_cube((8, 120, 128), 4, n_faults=n, random_state=4).horizons for n in (0, 2)
    )
    assert np.abs(np.diff(smooth, axis=2)).max() < 2.5
    assert np.abs(np.diff(faulted, axis=2)).max() > 4


def test_contacts_reflect_where_the_horizons_are():
    """The strongest amplitudes of the top of the last unit sit on the horizon, not beside it."""
    made = make_facies_cube((8, 60, 96), 2, n_faults=0, noise=0, random_state=0)
    energy = []
    for shift in range(-6, 7):
        depth = np.rint(made.horizons[0]).astype(int) + shift
        energy.append(abs(np.take_along_axis(made.data, depth[..., None], axis=2).mean()))
    assert abs(int(np.argmax(energy)) - 6) <= 1


# --- make_facies_cube: amplitudes -------------------------------------------------------------


@pytest.mark.parametrize("noise", [0, 0.25, 1.5])
def test_standard_deviation_is_near_one(noise):
    """Amplitudes are scaled as the package expects, whatever the noise."""
    for seed in range(3):
        made = make_facies_cube(SMALL, noise=noise, random_state=seed)
        assert made.data.std() == pytest.approx(1, abs=0.05)
        assert abs(made.data.mean()) < 0.05


def test_amplitudes_have_heavier_tails_than_a_gaussian(cube):
    """The kurtosis is above 3, as in real surveys."""
    assert np.mean(cube.data**4) / np.mean(cube.data**2) ** 2 > 3.3


def test_noise_has_the_standard_deviation_asked_for():
    """Noise is what the noisy cube has and the clean one, scaled alike, has not."""
    clean, noisy = (make_facies_cube(SMALL, noise=noise, random_state=0).data for noise in (0, 0.5))
    grain = noisy * np.hypot(1, 0.5) - clean
    assert grain.std() == pytest.approx(0.5, rel=0.1)


def test_lower_peak_frequency_gives_lower_frequencies():
    """The wavelet follows its parameter."""
    slow, fast = (
        make_facies_cube(SMALL, peak_frequency=hertz, random_state=0).data for hertz in (25, 60)
    )
    assert np.abs(np.diff(slow)).mean() < 0.7 * np.abs(np.diff(fast)).mean()


def test_sample_interval_and_frequency_scale_together():
    """Only their product matters to the samples."""
    one = make_facies_cube(SMALL, sample_interval=4, peak_frequency=40, random_state=0)
    other = make_facies_cube(SMALL, sample_interval=2, peak_frequency=80, random_state=0)
    assert_array_equal(one.data, other.data)


def test_transparent_unit_is_weaker_than_the_parallel_one(cube):
    """Transparent means weak reflections."""
    assert rms(cube, "transparent") < 0.4 * rms(cube, "parallel")


def test_low_frequency_unit_has_lower_frequency_than_thin_beds(cube):
    """Thick gradual beds reflect low frequencies, thin ones high frequencies."""
    assert mean_frequency(cube, "low-frequency") < 0.85 * mean_frequency(cube, "thin-bedded")


def test_chaotic_unit_is_less_continuous_than_the_parallel_one(cube):
    """Chaotic reflections change from trace to trace."""
    assert lateral_correlation(cube, "chaotic") < lateral_correlation(cube, "parallel") - 0.05


def test_reflections_continue_from_inline_to_inline():
    """A cube is one survey, not a stack of unrelated sections."""
    data = make_facies_cube((24, 48, 64), n_faults=0, noise=0, random_state=0).data
    assert np.corrcoef(data[1:].ravel(), data[:-1].ravel())[0, 1] > 0.8


def test_style_names_are_unique_when_styles_repeat():
    """Twelve units have twelve names."""
    names = make_facies_cube((4, 20, 64), 12, random_state=0).target_names
    assert len(set(names)) == 12
    assert names[8:] == ["parallel 2", "chaotic 2", "clinoform 2", "transparent 2"]


# --- make_facies_cube: dead traces ------------------------------------------------------------


def test_dead_traces_are_silent_and_not_interpreted():
    """Amplitude 0, label -1 and no horizon there, and only there."""
    made = make_facies_cube(SMALL, dead_traces=0.1, random_state=0)
    dead = made.dead_traces
    assert dead.sum() == 48
    assert_array_equal(made.data[dead], 0)
    assert_array_equal(made.target[dead], -1)
    assert np.isnan(made.horizons[:, dead]).all()
    assert made.target[~dead].min() == 0
    assert np.isfinite(made.horizons[:, ~dead]).all()
    assert np.all(np.any(made.data[~dead] != 0, axis=1))


def test_live_traces_keep_their_standard_deviation():
    """Silence does not make the rest louder or softer."""
    made = make_facies_cube(SMALL, dead_traces=0.5, random_state=0)
    assert made.data[~made.dead_traces].std() == pytest.approx(1, abs=0.05)


def test_rounding_never_kills_the_last_trace():
    """A fraction below 1 may round to every trace."""
    assert make_facies_cube((1, 2, 32), 3, dead_traces=0.9, random_state=0).dead_traces.sum() == 1


def test_no_dead_traces_by_default():
    """The default cube is complete."""
    made = make_facies_cube(SMALL, random_state=0)
    assert not made.dead_traces.any()
    assert made.target.min() == 0


# --- make_facies_cube: errors -----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 32), (8, 32, 0), (8, 32, 64.0), 64, "abc", (2, 8, 32, 32)])
def test_shape_must_be_three_positive_integers(shape):
    """Anything else is named and shown."""
    with pytest.raises(ValueError, match=r"`shape` must be three positive integers, \(n_inlines"):
        make_facies_cube(shape)


def test_too_few_samples_say_how_many_are_needed():
    """The message has the number."""
    with pytest.raises(ValueError, match="four samples for each facies, 24 for n_facies=6; got"):
        make_facies_cube((4, 8, 23))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_facies": 1}, "`n_facies` must be an integer from 2 to 127; got 1"),
        ({"n_faults": -1}, "`n_faults` must be an integer at least 0; got -1"),
        ({"fold": 0.5}, "`fold` must be a number from 0 to 0.25; got 0.5"),
        ({"noise": -0.1}, "`noise` must be a number at least 0; got -0.1"),
        ({"noise": np.nan}, "`noise` must be a number at least 0; got nan"),
        ({"noise": np.inf}, "`noise` must be a number at least 0; got inf"),
        ({"dead_traces": -0.1}, "`dead_traces` must be a number from 0 to 1; got -0.1"),
        ({"dead_traces": 5}, "`dead_traces` must be a number from 0 to 1; got 5"),
        ({"dead_traces": 1.0}, "leaves no trace"),
        ({"sample_interval": 0}, "`sample_interval` must be above 0"),
        ({"peak_frequency": -3}, "`peak_frequency` must be a number at least 0; got -3"),
        ({"peak_frequency": 125}, "below the Nyquist frequency, 125 Hz"),
        ({"dtype": int}, "`dtype` must be a floating type"),
    ],
)
def test_value_out_of_range_is_refused(params, message):
    """The argument, what is allowed and what was got."""
    with pytest.raises(ValueError, match=message):
        make_facies_cube((4, 8, 32), **{"n_facies": 3, **params})


def test_faults_that_leave_no_room_for_a_facies_are_refused(monkeypatch):
    """Rather than a cube without the unit; no real faults are known that do it 50 times."""

    def cut_everything_out(inlines, shape, contacts, faults):
        return np.full_like(contacts[:, inlines], 5)

    monkeypatch.setattr("skfacies.datasets._synthetic._make_horizons", cut_everything_out)
    with pytest.raises(ValueError, match="`n_faults`=2 cut a facies out of all traces of a cube"):
        make_facies_cube((2, 3, 32), 3, random_state=0)


@pytest.mark.parametrize("params", [{"n_facies": 3.0}, {"n_faults": True}, {"noise": "loud"}])
def test_wrong_type_is_refused(params):
    """Strings and floats are no counts."""
    with pytest.raises(TypeError, match=f"`{next(iter(params))}` must be a"):
        make_facies_cube((4, 8, 32), **{"n_facies": 3, **params})


# --- load_sections ----------------------------------------------------------------------------


def section_arrays(**changes):
    """Arrays of a good file of three sections; a change to None leaves an array out."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, shape in {
        "inline_700": (5, 8),
        "crossline_1000": (4, 8),
        "crossline_99": (6, 8),
    }.items():
        arrays[f"seismic_{name}"] = rng.standard_normal(shape).astype(np.float32)
        arrays[f"label_{name}"] = rng.integers(-1, 3, shape).astype(np.int8)
    arrays |= changes
    return {key: value for key, value in arrays.items() if value is not None}


def write_sections(folder, **changes):
    path = folder / "sections.npz"
    np.savez(path, **section_arrays(**changes))
    return path


def test_sections_come_in_natural_order(tmp_path):
    """crossline_99 comes before crossline_1000."""
    sections = load_sections(write_sections(tmp_path))
    assert sections.names == ["crossline_99", "crossline_1000", "inline_700"]
    assert [section.shape for section in sections.data] == [(6, 8), (4, 8), (5, 8)]


def test_sections_are_those_of_the_file(tmp_path):
    """Values and types are not touched."""
    sections = load_sections(str(write_sections(tmp_path)))
    arrays = section_arrays()
    for name, data, target in zip(sections.names, sections.data, sections.target, strict=True):
        assert_array_equal(data, arrays[f"seismic_{name}"], strict=True)
        assert_array_equal(target, arrays[f"label_{name}"], strict=True)
    assert sections.filename == str(tmp_path / "sections.npz")
    assert sections.DESCR == "3 interpreted sections, 15 traces in all, from sections.npz."


def test_names_choose_and_order_sections(tmp_path):
    """Only what is asked for, in the order asked for."""
    path = write_sections(tmp_path)
    assert load_sections(path, names=["inline_700", "crossline_99"]).names == [
        "inline_700",
        "crossline_99",
    ]
    assert load_sections(path, names="inline_700").names == ["inline_700"]


def test_string_labels_are_welcome(tmp_path):
    """Labels may be names of facies."""
    path = write_sections(tmp_path, label_inline_700=np.full((5, 8), "chalk"))
    assert load_sections(path, names="inline_700").target[0][0, 0] == "chalk"


def test_file_is_closed_after_loading(tmp_path):
    """It can be replaced or removed, on Windows too."""
    path = write_sections(tmp_path)
    load_sections(path)
    path.unlink()
    assert not path.exists()


def test_missing_file_says_what_is_expected(tmp_path):
    """The message describes the format."""
    with pytest.raises(FileNotFoundError, match=r"No file .*absent.npz.*`seismic_<name>`"):
        load_sections(tmp_path / "absent.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_file_that_is_no_archive_is_refused(tmp_path, content):
    """Empty, foreign and broken files are the same to the user."""
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="broken.npz' cannot be read as an .npz file"):
        load_sections(path)


def test_damaged_array_is_named(tmp_path):
    """A flipped bit inside the archive is found by its checksum."""
    path = write_sections(tmp_path)
    content = bytearray(path.read_bytes())
    content[250] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"`\w+` in .* cannot be read"):
        load_sections(path)


def test_single_array_is_refused(tmp_path):
    """A .npy file is not an archive of sections."""
    np.save(tmp_path / "one.npy", np.zeros((3, 4)))
    with pytest.raises(ValueError, match="holds a single array"):
        load_sections(tmp_path / "one.npy")


def test_pickled_objects_are_never_loaded(tmp_path):
    """Opening a stranger's file runs none of its code."""
    path = write_sections(tmp_path, label_inline_700=np.full((5, 8), None))
    with pytest.raises(ValueError, match="`label_inline_700` in .* cannot be read: Object arrays"):
        load_sections(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_inline_700": None}, "no `label_<name>` array for 'inline_700'"),
        ({"seismic_inline_700": None}, "no `seismic_<name>` array for 'inline_700'"),
        (
            {"label_inline_700": np.zeros((5, 7), int)},
            r"`label_inline_700` must have the shape of .*\(5, 8\); got \(5, 7\)",
        ),
        ({"seismic_inline_700": np.zeros((2, 5, 8))}, r"`seismic_inline_700` must be a section"),
        ({"seismic_inline_700": np.full((5, 8), "a")}, "`seismic_inline_700` must hold real"),
        ({"label_inline_700": np.zeros((5, 8))}, "`label_inline_700` must hold integers"),
    ],
)
def test_faulty_pair_is_named(tmp_path, changes, message):
    """The section at fault, and what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        load_sections(write_sections(tmp_path, **changes))


def test_file_without_sections_says_what_it_has(tmp_path):
    """Arrays of other names are listed."""
    np.savez(tmp_path / "other.npz", cube=np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="no `seismic_<name>` arrays; it has 'cube'"):
        load_sections(tmp_path / "other.npz")


def test_absent_name_lists_what_there_is(tmp_path):
    """The message shows the names to choose from."""
    with pytest.raises(ValueError, match="asks for 'inline_1'.* it has 'crossline_99', 'cross"):
        load_sections(write_sections(tmp_path), names=["inline_1"])


def test_f3_sections_load():
    """The real file has twelve sections, labels -1 to 9."""
    path = real_file("f3_sections.npz")
    sections = load_sections(path, names=["inline_328", "crossline_322"])
    assert [section.shape for section in sections.data] == [(701, 462), (401, 462)]
    assert set(np.unique(sections.target[0])) <= set(range(-1, 10))


@pytest.mark.parametrize(("words", "epochs"), [([], "auto"), (["--epochs", "30"], 30)])
def test_the_f3_example_begins_to_train(tmp_path, monkeypatch, words, epochs):
    class Begun(Exception):
        pass

    def estimator(**params):
        raise Begun(params["max_epochs"])

    rng = np.random.default_rng(0)
    lines = {"seismic_inline_428": rng.normal(size=(700, 8)), "label_inline_428": np.ones((700, 8))}
    np.savez(tmp_path / "f3.npz", **{name: x.astype(np.int8) for name, x in lines.items()})
    path = Path(__file__).parents[1] / "examples" / "f3_sections.py"
    main = runpy.run_path(str(path))["main"]
    monkeypatch.setitem(main.__globals__, "FaciesSegmenter", estimator)
    monkeypatch.setattr(sys, "argv", ["f3_sections.py", str(tmp_path / "f3.npz"), *words])
    with pytest.raises(Begun, match=f"^{epochs}$"):
        main()
