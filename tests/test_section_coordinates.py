"""Sections drawn with their line numbers and times or depths."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline

from skfacies import AmplitudeScaler, CubeSegmenter
from skfacies.io import open_cube, write_cube
from skfacies.plotting import SectionDisplay

xarray = pytest.importorskip("xarray")

pytestmark = pytest.mark.usefixtures("pyplot")


def named(array, units="ms", vertical="twt"):
    """A cube of inlines 300, 302, ..., crosslines 700 and on, and samples from 1200 on."""
    n_inlines, n_crosslines, n_samples = array.shape
    coords = {
        "inline": 300 + 2 * np.arange(n_inlines),
        "crossline": 700 + np.arange(n_crosslines),
        vertical: (vertical, 1200 + 4.0 * np.arange(n_samples), {"units": units}),
    }
    return xarray.DataArray(array, coords, ("inline", "crossline", vertical))


@pytest.fixture
def cube():
    return named(np.random.RandomState(0).normal(size=(5, 9, 7)).astype(np.float32))


def axis_labels(section, **kwargs):
    ax = SectionDisplay(section, **kwargs).plot().axes_["section"]
    return ax.get_xlabel(), ax.get_ylabel()


# --- what the axes say ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "labels", "x"),
    [
        ({"inline": 304}, ("crossline", "two-way time (ms)"), (699.5, 708.5)),
        ({"crossline": 703}, ("inline", "two-way time (ms)"), (299, 309)),
    ],
)
def test_a_section_of_a_cube_has_line_numbers_and_times(cube, line, labels, x):
    ax = SectionDisplay(cube.sel(line)).plot().axes_["section"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == labels
    assert ax.get_xlim() == x
    assert ax.get_ylim() == (1226, 1198)


@pytest.mark.parametrize(
    ("line", "title"), [({"inline": 304}, "inline 304"), ({"crossline": 703}, "crossline 703")]
)
def test_the_line_is_the_title(cube, line, title):
    assert SectionDisplay(cube.sel(line)).plot().figure_.get_suptitle() == title


def test_a_long_line_number_is_written_whole(cube):
    section = cube[0].assign_coords(inline=1234567.0)
    assert SectionDisplay(section).plot().figure_.get_suptitle() == "inline 1234567"


@pytest.mark.parametrize("title", ["Netherlands F3", ""])
def test_a_given_title_comes_first(cube, title):
    assert SectionDisplay(cube[0], title=title).plot().figure_.get_suptitle() == title


@pytest.mark.parametrize(
    ("vertical", "units", "label"),
    [
        ("twt", "s", "two-way time (s)"),
        ("depth", "m", "depth (m)"),
        ("depth", "ft", "depth (ft)"),
        ("TVDSS", "feet", "depth (feet)"),
        ("z", "ms", "two-way time (ms)"),
        ("twt", None, "two-way time (ms)"),
        ("level", None, "level"),
    ],
)
def test_the_vertical_axis_is_named_by_unit_and_name(cube, vertical, units, label):
    section = named(cube.values, units, vertical)[0]
    if units is None:
        del section[vertical].attrs["units"]
    assert axis_labels(section)[1] == label


def test_axes_of_other_names_keep_them(cube):
    section = cube[0].drop_vars("inline").rename(crossline="distance")
    section["distance"].attrs["units"] = "km"
    assert axis_labels(section)[0] == "distance (km)"


def test_a_2d_line_has_no_line_numbers_of_a_survey(cube):
    path = ("crossline", np.arange(9))
    section = cube[0].assign_coords(path_inline=path, path_crossline=path)
    display = SectionDisplay(section).plot()
    assert display.axes_["section"].get_xlabel() == "trace"
    assert display.figure_.get_suptitle() == ""


def test_a_file_opened_as_a_2d_line_counts_traces(tmp_path, cube):
    path = tmp_path / "line.sgy"
    write_cube(path, cube[:1])
    section = open_cube(path, inline_byte=None)[0]
    assert axis_labels(section)[0] == "trace"


# --- where samples are drawn ------------------------------------------------------------------


def test_descending_lines_are_drawn_in_their_order(cube):
    ax = SectionDisplay(cube[0, ::-1]).plot().axes_["section"]
    assert ax.get_xlim() == (708.5, 699.5)
    assert_array_equal(np.ma.getdata(ax.images[0].get_array()), cube.values[0, ::-1].T)


@pytest.mark.parametrize("order", [1, -1])
def test_uneven_lines_are_drawn_where_they_are(cube, order):
    section = cube[0].isel(crossline=[0, 1, 2, 8][::order])
    display = SectionDisplay(section).plot()
    ax = display.axes_["section"]
    assert ax.get_xlim() == (699.5, 711.0)[::order]
    assert ax.get_ylim() == (1226, 1198)
    for at, trace in {699.9: 0, 701.4: 1, 704.8: 2, 705.2: 8}.items():
        place = ax.transData.transform((at, 1208.5))  # in the third sample
        event = type("Event", (), {"x": place[0], "y": place[1], "xdata": at, "ydata": 1208.5})
        event.inaxes = ax
        assert ax.images[0].get_cursor_data(event) == cube.values[0, trace, 2]


def test_contacts_lie_between_uneven_lines(cube):
    section = cube[0].isel(crossline=[0, 1, 8])
    labels = np.zeros(section.shape, int)
    labels[2] = 1
    display = SectionDisplay.from_predictions(section, labels, labels)
    segments = np.array(display.axes_["prediction"].collections[0].get_segments())
    assert_array_equal(np.unique(segments[..., 0]), [704.5])
    assert_array_equal(segments[:, 0, 1], 1198 + 4 * np.arange(7))


def test_every_panel_of_uneven_lines_is_rendered(cube):
    section = cube[0].isel(crossline=[0, 1, 8])
    labels = np.zeros(section.shape, int)
    display = SectionDisplay.from_predictions(section, labels, labels, np.zeros(section.shape))
    display.figure_.canvas.draw()
    assert {ax.get_xlim() for ax in display.axes_.values()} == {(699.5, 711.5)}


def test_line_numbers_have_no_offset(cube):
    section = cube[0].assign_coords(crossline=1_000_000 + np.arange(9))
    display = SectionDisplay(section).plot()
    display.figure_.canvas.draw()
    assert display.axes_["section"].xaxis.get_offset_text().get_text() == ""


# --- without usable coordinates ---------------------------------------------------------------


@pytest.mark.parametrize(
    "numbers", [[1, 2, 2, 3, 4, 5, 6, 7, 8], [1, 3, 2, 4, 5, 6, 7, 8, 9], list("abcdefghi")]
)
def test_coordinates_that_are_no_axis_count_traces(cube, numbers):
    section = cube[0].assign_coords(crossline=numbers)
    ax = SectionDisplay(section).plot().axes_["section"]
    assert (ax.get_xlabel(), ax.get_xlim()) == ("trace", (-0.5, 8.5))


def test_names_without_coordinates_count_traces_and_samples(cube):
    section = xarray.DataArray(cube.values[0], dims=("crossline", "twt"))
    assert axis_labels(section) == ("trace", "sample")


def test_times_that_ascend_upwards_count_samples(cube):
    assert axis_labels(cube[0].assign_coords(twt=cube.twt.values[::-1]))[1] == "sample"


def test_parameters_replace_coordinates(cube):
    display = SectionDisplay(cube[0], first_trace=20, sample_interval=2, sample_unit="m")
    ax = display.plot().axes_["section"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("trace", "depth (m)")
    assert ax.get_xlim() == (19.5, 28.5)
    assert ax.get_ylim() == (13, -1)


# --- sections that do not fit -----------------------------------------------------------------


@pytest.mark.parametrize("make", [SectionDisplay.from_predictions, SectionDisplay.from_estimator])
@pytest.mark.parametrize("key", [{"inline": 300}, {"twt": 1200}])
def test_axes_that_are_not_traces_and_samples_are_an_error(cube, make, key):
    section = cube.sel(key).T if "inline" in key else cube.sel(key)
    arguments = [section] if make == SectionDisplay.from_predictions else [None, section]
    with pytest.raises(ValueError, match="`section` has the axes .*, but traces come first"):
        make(*arguments)


def test_labels_are_turned_like_the_section(cube):
    labels = (cube > 0).astype(int)
    display = SectionDisplay.from_predictions(cube[0], labels[0].T)
    codes = np.ma.getdata(display.axes_["labels"].images[1].get_array())
    expected = SectionDisplay.from_predictions(cube[0], labels[0])
    assert_array_equal(codes, np.ma.getdata(expected.axes_["labels"].images[1].get_array()))


def test_labels_of_other_lines_are_an_error(cube):
    labels = (cube > 0).astype(int)
    moved = labels.assign_coords(crossline=labels.crossline + 1)
    with pytest.raises(ValueError, match="`labels` has 'crossline' coordinates that differ"):
        SectionDisplay.from_predictions(cube[0], moved[0])


# --- from_estimator ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def placed(make_tiny, survey):
    """A cube, and a CubeSegmenter that knows where contacts lie in it."""
    X = named(survey.data)
    y = xarray.full_like(X, -1, dtype=int)
    y[::5] = survey.target[::5]
    return X, CubeSegmenter(make_tiny(max_epochs=2)).fit(X, y)


@pytest.mark.parametrize("line", [{"inline": 302}, {"crossline": 710}])
def test_the_prediction_of_a_cube_knows_the_lines(placed, line):
    X, segmenter = placed
    display = SectionDisplay.from_estimator(segmenter, X.sel(line))
    cube = X.sel({name: [number] for name, number in line.items()})
    segmenter = copy.copy(segmenter).set_params(direction=next(iter(line)))
    assert_array_equal(display.prediction, segmenter.predict(cube).sel(line))
    unplaced = SectionDisplay.from_estimator(segmenter, X.sel(line).values)
    assert np.abs(display.entropy - unplaced.entropy).max() > 0


@pytest.mark.parametrize("scaled", [False, True])
def test_the_prediction_of_sections_knows_the_lines(placed, make_tiny, scaled):
    X, segmenter = placed
    estimator = segmenter.estimator_
    if scaled:
        estimator = make_pipeline(AmplitudeScaler(), make_tiny(scaler=None))
        estimator.fit([X[0], X[4]], [np.asarray(X[0] > 0), np.asarray(X[4] > 0)])
    section = X.sel(inline=302)
    display = SectionDisplay.from_estimator(estimator, section)
    assert_array_equal(display.prediction, estimator.predict([section])[0])
    assert display.axes_["prediction"].get_xlabel() == "crossline"


def test_a_lazy_section_is_read_once(cube):
    class Sign:
        classes_ = np.array([0, 1])

        def predict_proba(self, X):
            return np.stack([X <= 0, X > 0], axis=-1).astype(float)

    pytest.importorskip("dask")
    display = SectionDisplay.from_estimator(Sign(), cube[0].chunk())
    assert display.section.chunks is None
    assert_array_equal(display.section, cube[0])
