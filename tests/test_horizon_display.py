import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfacies import CubeSegmenter
from skfacies.horizons import contacts_from_probabilities
from skfacies.plotting import HorizonDisplay
from skfacies.plotting._maps import SurveyMap

pytestmark = pytest.mark.usefixtures("pyplot")

INLINES, CROSSLINES = np.arange(300, 312, 2), np.arange(500, 509)
SHAPE = (6, 9)


@pytest.fixture
def horizon():
    horizon = 20 + np.random.RandomState(0).normal(size=SHAPE).cumsum(axis=1)
    horizon[2, 3] = np.nan
    return horizon


@pytest.fixture
def places():
    """X and Y of a survey that is turned by 30 degrees, with bins of 25 m by 12.5 m."""
    i, j = np.meshgrid(np.arange(6), np.arange(9), indexing="ij")
    east, north = 12.5 * j, 25 * i
    a = np.radians(30)
    x = 600_000 + east * np.cos(a) - north * np.sin(a)
    return x, 6_000_000 + east * np.sin(a) + north * np.cos(a)


@pytest.fixture(scope="module")
def segmenter(survey, fitted):
    """As if fitted on three inlines of the survey."""
    segmenter = CubeSegmenter.from_fitted(fitted)
    segmenter.lines_ = {"inline": np.array([1, 5, 9])}
    return segmenter


def cells(ax):
    """Values of the map as an array (n_inlines, n_crosslines)."""
    return np.ma.filled(ax.collections[0].get_array().astype(float), np.nan)


def drawn_lines(ax):
    return [line.get_xydata() for line in ax.lines]


def labels(ax):
    return [text.get_text() for text in ax.texts if text.get_text().isdigit()]


# --- depth and uncertainty --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "title", "label"),
    [("ms", "Two-way time", "two-way time (ms)"), ("m", "Depth", "depth (m)")],
)
def test_maps_are_in_units_of_the_survey(horizon, unit, title, label):
    display = HorizonDisplay.from_predictions(
        horizon, uncertainty=np.ones(SHAPE), sample_interval=4, sample_unit=unit, first_sample=100
    )
    depth, uncertainty = display.axes_["depth"], display.axes_["uncertainty"]
    assert_allclose(cells(depth), 4 * (horizon + 100))
    assert_allclose(cells(uncertainty), np.full(SHAPE, 4.0))
    assert depth.get_title() == title
    assert depth.collections[0].colorbar.ax.get_ylabel() == label
    assert uncertainty.collections[0].colorbar.ax.get_ylabel() == f"± {label}"


def test_maps_count_samples_without_an_interval(horizon):
    display = HorizonDisplay.from_predictions(horizon, uncertainty=np.ones(SHAPE))
    assert_allclose(cells(display.axes_["depth"]), horizon)
    bars = [ax.collections[0].colorbar.ax.get_ylabel() for ax in display.axes_.values()]
    assert bars == ["sample", "± samples"]


def test_deep_is_below_on_the_color_scale(horizon):
    ax = HorizonDisplay.from_predictions(horizon).axes_["depth"]
    bottom, top = ax.collections[0].colorbar.ax.get_ylim()
    assert bottom > top


def test_uncertainty_is_drawn_from_zero(horizon):
    uncertainty = np.linspace(3, 4, horizon.size).reshape(SHAPE)
    display = HorizonDisplay.from_predictions(
        horizon, uncertainty=uncertainty, plot_kw={"clip_percentile": 90}
    )
    image = display.axes_["uncertainty"].collections[0]
    assert_allclose(image.get_clim(), [0, np.percentile(uncertainty, 90)])
    assert image.colorbar.extend == "max"


def test_colors_of_depth_are_clipped_on_both_sides(horizon):
    display = HorizonDisplay.from_predictions(horizon, plot_kw={"clip_percentile": 95})
    image = display.axes_["depth"].collections[0]
    assert_allclose(image.get_clim(), np.nanpercentile(horizon, [5, 95]))
    assert image.colorbar.extend == "both"


def test_marks_of_missing_picks_are_not_depths(horizon):
    marked = np.nan_to_num(horizon, nan=1e30)
    assert_array_equal(
        cells(HorizonDisplay.from_predictions(marked).axes_["depth"]),
        cells(HorizonDisplay.from_predictions(horizon).axes_["depth"]),
    )


def test_a_flat_horizon_is_drawn(horizon):
    display = HorizonDisplay.from_predictions(np.full(SHAPE, 7), uncertainty=np.zeros(SHAPE))
    display.figure_.canvas.draw()
    assert_array_equal(cells(display.axes_["depth"]), np.full(SHAPE, 7))


def test_contours_are_at_the_levels_asked_for():
    plane = np.add.outer(np.zeros(30), np.arange(40.0))
    display = HorizonDisplay.from_predictions(plane, plot_kw={"contours": [10.5, 20.5, 99]})
    assert labels_of_contours(display) == ["10.5", "20.5"]
    assert labels_of_contours(display.plot(contours=False)) == []


def labels_of_contours(display):
    return sorted({text.get_text() for text in display.axes_["depth"].texts})


def test_large_maps_are_drawn_with_fewer_cells():
    plane = np.add.outer(np.arange(4000.0), np.arange(5.0))
    ax = HorizonDisplay.from_predictions(plane, plot_kw={"contours": False}).axes_["depth"]
    assert_array_equal(cells(ax), plane[::3])
    assert ax.get_ylim() == (-0.5, 3999.5)


# --- axes -------------------------------------------------------------------------------------


def test_axes_are_line_numbers(horizon):
    ax = HorizonDisplay.from_predictions(horizon, inlines=INLINES, crosslines=CROSSLINES)
    ax = ax.axes_["depth"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("crossline", "inline")
    assert (ax.get_xlim(), ax.get_ylim()) == ((499.5, 508.5), (299, 311))


def test_cells_lie_around_their_traces(horizon, places):
    display = HorizonDisplay.from_predictions(
        horizon, inlines=INLINES, crosslines=CROSSLINES, x=places[0], y=places[1]
    )
    ax = display.axes_["depth"]
    corners = ax.collections[0].get_coordinates()
    centers = (corners[1:, 1:] + corners[:-1, :-1]) / 2
    assert_allclose(centers[..., 0], places[0])
    assert_allclose(centers[..., 1], places[1])
    assert ax.get_aspect() == 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("X (m)", "Y (m)")


def test_coordinates_may_be_known_on_some_traces(horizon, places):
    whole = SurveyMap(INLINES, CROSSLINES, *places)
    holes = [np.where(np.random.RandomState(0).rand(*SHAPE) < 0.5, np.nan, p) for p in places]
    partial = SurveyMap(INLINES, CROSSLINES, *holes)
    assert_allclose(partial.place(304, 503), whole.place(304, 503))


def test_coordinates_off_a_grid_are_refused(horizon, places):
    x, y = places
    x[3, 4] += 30
    with pytest.raises(ValueError, match=r"`x` and `y` must lie on a grid.*bins of 12.5"):
        HorizonDisplay.from_predictions(horizon, x=x, y=y)


def test_coordinates_of_one_line_make_no_map(horizon, places):
    x, y = places
    x[1:] = np.nan
    with pytest.raises(ValueError, match=r"known on two inlines and two crosslines"):
        HorizonDisplay.from_predictions(horizon, x=x, y=y)


def test_numbers_and_coordinates_of_a_dataarray_are_read(horizon, places):
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(
        horizon,
        dims=("inline", "crossline"),
        coords={
            "inline": INLINES,
            "crossline": CROSSLINES,
            "cdp_x": (("inline", "crossline"), places[0]),
            "cdp_y": (("inline", "crossline"), places[1]),
        },
    )
    for given in (array, array.transpose()):
        display = HorizonDisplay.from_predictions(given)
        assert_array_equal(display.inlines, INLINES)
        assert_array_equal(display.crosslines, CROSSLINES)
        assert_array_equal(display.x, places[0])
        assert_array_equal(display.y, places[1])
        assert_array_equal(display.horizon, horizon)


# --- training lines ---------------------------------------------------------------------------


def test_training_lines_are_drawn_and_labeled(horizon):
    display = HorizonDisplay.from_predictions(
        horizon,
        uncertainty=np.ones(SHAPE),
        inlines=INLINES,
        crosslines=CROSSLINES,
        training_lines={"inline": [302, 308], "crossline": [504]},
        plot_kw={"contours": False},
    )
    for ax in display.axes_.values():
        assert_array_equal(
            drawn_lines(ax),
            [[[500, 302], [508, 302]], [[500, 308], [508, 308]], [[504, 300], [504, 310]]],
        )
        assert labels(ax) == ["302", "308", "504"]


def test_training_lines_go_through_their_traces(horizon, places):
    display = HorizonDisplay.from_predictions(
        horizon,
        inlines=INLINES,
        crosslines=CROSSLINES,
        x=places[0],
        y=places[1],
        training_lines={"inline": [304], "crossline": [501]},
    )
    inline, crossline = drawn_lines(display.axes_["depth"])
    assert_allclose(inline, np.stack(places, axis=-1)[2, [0, -1]])
    assert_allclose(crossline, np.stack(places, axis=-1)[[0, -1], 1])


def test_of_many_training_lines_some_are_labeled():
    display = HorizonDisplay.from_predictions(
        np.add.outer(np.arange(50.0), np.arange(4.0)),
        training_lines={"inline": np.arange(50)},
        plot_kw={"contours": False},
    )
    ax = display.axes_["depth"]
    assert len(ax.lines) == 50
    assert 5 < len(labels(ax)) <= 12
    assert {"0", "49"} <= set(labels(ax))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({"inline": [303]}, "`training_lines` has the inline 303, which is not among the inlines"),
        ({"trace": [303]}, "`training_lines` must have the keys 'inline' and 'crossline'"),
    ],
)
def test_training_lines_must_be_on_the_map(horizon, lines, message):
    with pytest.raises(ValueError, match=message):
        HorizonDisplay.from_predictions(horizon, inlines=INLINES, training_lines=lines)


# --- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"uncertainty": np.ones(3)}, "`uncertainty` must be numbers of shape"),
        ({"uncertainty": np.ones((3, 3))}, "`uncertainty` must have the shape of `horizon`"),
        ({"uncertainty": np.full(SHAPE, -1.0)}, "`uncertainty` must not be negative; got -1"),
        ({"x": np.ones(SHAPE)}, "`x` and `y` must both be given, or neither of them"),
        ({"x": np.ones(4), "y": np.ones(4)}, "`x` must have the shape of `horizon`, (6, 9)"),
        ({"inlines": [1, 2]}, "`inlines` must be 6 numbers"),
        ({"sample_unit": "km"}, "`sample_unit` must be one of"),
        ({"plot_kw": {"clip_percentile": 10}}, "`clip_percentile` must be above 50"),
        ({"plot_kw": {"panels": "uncertainty"}}, "`panels` must be distinct names of panels"),
    ],
)
def test_wrong_arguments(horizon, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        HorizonDisplay.from_predictions(horizon, **arguments)


def test_a_horizon_without_depth_is_an_error():
    with pytest.raises(ValueError, match="`horizon` has no depth"):
        HorizonDisplay.from_predictions(np.full(SHAPE, np.nan))


def test_given_axes_are_used(horizon, pyplot):
    figure, axes = pyplot.subplots(2, 1)
    display = HorizonDisplay.from_predictions(horizon, uncertainty=np.ones(SHAPE), axes=axes)
    assert list(display.axes_.values()) == axes.tolist()
    assert display.figure_ is figure


# --- from_estimator ---------------------------------------------------------------------------


def test_contact_of_an_estimator_is_that_of_its_probabilities(survey, segmenter):
    display = HorizonDisplay.from_estimator(segmenter, survey.data, (1, 2))
    expected = contacts_from_probabilities(segmenter.predict_proba(survey.data))
    assert_array_equal(display.horizon, expected.depth[1])
    assert_array_equal(display.uncertainty, expected.uncertainty[1])
    assert_array_equal(display.training_lines["inline"], [1, 5, 9])
    assert display.title == "1 / 2"


def test_coordinates_of_the_cube_are_used(survey, segmenter):
    xarray = pytest.importorskip("xarray")
    cube = xarray.DataArray(
        survey.data,
        dims=("inline", "crossline", "twt"),
        coords={
            "inline": np.arange(200, 224, 2),
            "crossline": np.arange(700, 740),
            "twt": ("twt", 400 + 4.0 * np.arange(48), {"units": "ms"}),
        },
    )
    display = HorizonDisplay.from_estimator(segmenter, cube.transpose("twt", ...), (0, 1))
    assert_array_equal(display.inlines, np.arange(200, 224, 2))
    assert_array_equal(display.training_lines["inline"], [202, 210, 218])
    assert (display.sample_interval, display.sample_unit, display.first_sample) == (4, "ms", 100)
    expected = contacts_from_probabilities(segmenter.predict_proba(survey.data)).depth[0]
    assert_array_equal(display.horizon, expected)
    assert_allclose(cells(display.axes_["depth"]), 400 + 4 * expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "unit"),
    [("Feet", "ft"), (" foot ", "ft"), ("meters", "m"), ("seconds", "s"), ("fathoms", "ms")],
)
def test_units_may_be_written_otherwise(survey, segmenter, name, unit):
    xarray = pytest.importorskip("xarray")
    depths = ("depth", 10.0 * np.arange(48), {"units": name})
    cube = xarray.DataArray(
        survey.data, dims=("inline", "crossline", "depth"), coords={"depth": depths}
    )
    display = HorizonDisplay.from_estimator(segmenter, cube, (0, 1))
    # Depths in a unit that is not known stay in samples.
    assert display.sample_interval == (None if name == "fathoms" else 10)
    assert display.sample_unit == unit


def test_a_lazy_cube_gives_the_same(survey, segmenter):
    dask = pytest.importorskip("dask.array")
    lazy = dask.from_array(survey.data, chunks=(5, -1, -1))
    found, expected = (
        HorizonDisplay.from_estimator(segmenter, cube, (0, 1)).horizon
        for cube in (lazy, survey.data)
    )
    assert_allclose(found, expected, atol=1e-3)


def test_units_may_be_in_another_order(survey, segmenter):
    display = HorizonDisplay.from_estimator(segmenter, survey.data, (0, 2), units=[1, 0, 2])
    expected = contacts_from_probabilities(
        segmenter.predict_proba(survey.data), units=[1, 0, 2]
    ).depth[1]
    assert_array_equal(display.horizon, expected)


@pytest.mark.parametrize("contact", [(0, 2), (2, 1), 1, (1,)])
def test_contact_must_be_of_neighbors(survey, segmenter, contact):
    with pytest.raises(ValueError, match=r"`contact` must be one of .*\[\(0, 1\), \(1, 2\)\]"):
        HorizonDisplay.from_estimator(segmenter, survey.data, contact)


def test_training_lines_of_another_cube_are_left_out(survey, segmenter):
    display = HorizonDisplay.from_estimator(segmenter, survey.data[:8], (0, 1))
    assert display.axes_["depth"].lines[:] == []


def test_an_estimator_of_sections_is_refused(survey, fitted):
    with pytest.raises(TypeError, match=r"must be a fitted CubeSegmenter.*got FaciesSegmenter"):
        HorizonDisplay.from_estimator(fitted, survey.data, (0, 1))
