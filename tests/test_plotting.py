import builtins
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfacies._colors import facies_colors
from skfacies.datasets import make_facies_cube
from skfacies.plotting import SectionDisplay
from skfacies.qc import prediction_entropy

pytestmark = pytest.mark.usefixtures("pyplot")

SHAPE = (9, 7)  # traces, samples


@pytest.fixture
def section():
    return np.random.RandomState(0).normal(size=SHAPE).astype(np.float32)


@pytest.fixture
def labels():
    """Three layers, the lower contact a trace-wise staircase."""
    labels = np.zeros(SHAPE, dtype=np.int8)
    labels[:, 2:] = 1
    labels[:4, 4:] = 2
    labels[4:, 5:] = 2
    return labels


class TwoFacies:
    """Predicts the sign of the amplitude, NaN where it is missing."""

    def __init__(self, classes=(0, 1)):
        self.classes_ = np.array(classes)
        self.calls = []

    def predict_proba(self, X):
        self.calls.append(X.shape)
        second = np.where(np.isnan(X), np.nan, 1 / (1 + np.exp(-X)))
        return np.stack([1 - second, second], axis=-1)


def images(ax):
    return [np.ma.getdata(image.get_array()) for image in ax.images]


def painted(ax):
    """Color of each sample of a facies panel, as an array (n_traces, n_samples) of hex codes."""
    from matplotlib.colors import to_hex

    rgba = images(ax)[1]
    return np.array([[to_hex(c).upper() if c[3] else "" for c in row] for row in rgba]).T


def legend_texts(display):
    return [text.get_text() for text in display.legend_.get_texts()]


# --- colors ---------------------------------------------------------------------------------


def test_colors_do_not_depend_on_the_number_of_classes():
    assert facies_colors(3) == facies_colors(10)[:3]


def test_twenty_colors_are_distinct():
    assert len(set(facies_colors(20))) == 20


def test_colors_repeat_after_twenty():
    assert facies_colors(23)[20:] == facies_colors(3)


# As the eye with protanopia and deuteranopia sees linear RGB; Machado et al., 2009.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def oklab(colors, vision):
    """Oklab coordinates of facies colors, half transparent over mid-grey."""
    from matplotlib.colors import to_rgb

    rgb = 0.5 * np.array([to_rgb(color) for color in colors]) + 0.5 * 0.5
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ VISION[vision].T, 0, 1)
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.cbrt(linear @ np.transpose(to_cones)) @ np.transpose(to_lab)


@pytest.mark.parametrize("vision", VISION)
def test_neighbors_in_the_list_of_colors_are_far_apart(vision):
    steps = np.diff(oklab(facies_colors(20), vision), axis=0)
    assert np.linalg.norm(steps, axis=1).min() > 0.08


@pytest.mark.parametrize("vision", VISION)
def test_first_ten_colors_are_told_apart(vision):
    lab = oklab(facies_colors(10), vision)
    distances = np.linalg.norm(lab[:, None] - lab, axis=-1)[np.triu_indices(10, 1)]
    assert distances.min() > 0.045


# --- panels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["section"]),
        (["labels"], ["section", "labels"]),
        (["entropy", "prediction"], ["section", "prediction", "entropy"]),
        (["labels", "prediction", "entropy"], ["section", "labels", "prediction", "entropy"]),
    ],
)
def test_a_panel_is_drawn_for_what_is_given(section, labels, given, expected):
    arrays = {"labels": labels, "prediction": labels, "entropy": np.zeros(SHAPE)}
    display = SectionDisplay.from_predictions(section, **{name: arrays[name] for name in given})
    assert list(display.axes_) == expected


def test_panels_are_drawn_in_the_order_asked_for(section, labels):
    display = SectionDisplay(section, labels=labels).plot(panels=("labels", "section"))
    assert list(display.axes_) == ["labels", "section"]


@pytest.mark.parametrize("panels", ["entropy", ["section", "section"], [], ["depth"]])
def test_panels_that_cannot_be_drawn_are_an_error(section, labels, panels):
    with pytest.raises(
        ValueError, match="`panels` must be distinct names of panels that the display has"
    ):
        SectionDisplay(section, labels=labels).plot(panels=panels)


def test_plot_returns_the_display(section):
    display = SectionDisplay(section)
    assert display.plot() is display


def test_every_figure_can_be_rendered(section, labels):
    for panels in ["labels", ["section", "labels"], ["section", "labels", "prediction"], None]:
        display = SectionDisplay(
            section, labels=labels, prediction=labels, entropy=np.zeros(SHAPE), title="inline 1"
        ).plot(panels=panels)
        display.figure_.canvas.draw()


@pytest.mark.parametrize(("shape", "columns"), [((30, 10), 1), ((15, 10), 2), ((10, 30), 2)])
def test_panels_of_wide_sections_are_stacked(shape, columns):
    display = SectionDisplay.from_predictions(np.ones(shape), np.zeros(shape, int))
    assert display.axes_["labels"].get_gridspec().ncols == columns


def test_number_of_columns_can_be_chosen(section, labels):
    display = SectionDisplay.from_predictions(
        section, labels, labels, np.zeros(SHAPE), plot_kw={"ncols": 3}
    )
    assert display.axes_["entropy"].get_gridspec().get_geometry() == (2, 3)


def test_title_of_the_figure(section):
    display = SectionDisplay(section, title="inline 428").plot()
    assert display.figure_.get_suptitle() == "inline 428"


# --- axes ------------------------------------------------------------------------------------


def test_depth_increases_downwards_and_traces_to_the_right(section):
    ax = SectionDisplay(section).plot().axes_["section"]
    assert ax.get_xlim() == (-0.5, 8.5)
    assert ax.get_ylim() == (6.5, -0.5)
    assert_array_equal(images(ax)[0], section.T)


@pytest.mark.parametrize(
    ("unit", "label"),
    [("ms", "two-way time (ms)"), ("s", "two-way time (s)"), ("m", "depth (m)")],
)
def test_vertical_axis_in_units(section, unit, label):
    display = SectionDisplay(section, sample_interval=4, sample_unit=unit, first_sample=100)
    ax = display.plot().axes_["section"]
    assert ax.get_ylabel() == label
    assert ax.get_ylim() == (4 * 106.5, 4 * 99.5)


def test_axes_count_traces_and_samples_by_default(section):
    ax = SectionDisplay(section, first_trace=300).plot().axes_["section"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("trace", "sample")
    assert ax.get_xlim() == (299.5, 308.5)


def test_only_outer_panels_are_labeled(section, labels):
    display = SectionDisplay.from_predictions(section, labels, labels)  # a free cell below labels
    axis_labels = {name: (ax.get_xlabel(), ax.get_ylabel()) for name, ax in display.axes_.items()}
    assert axis_labels == {
        "section": ("", "sample"),
        "labels": ("trace", ""),
        "prediction": ("trace", "sample"),
    }


def test_given_axes_are_used(section, labels, pyplot):
    figure, axes = pyplot.subplots(2, 1)
    display = SectionDisplay.from_predictions(section, labels, axes=axes)
    assert list(display.axes_.values()) == axes.tolist()
    assert display.figure_ is figure
    assert len(pyplot.get_fignums()) == 1


def test_a_single_axes_takes_a_single_panel(section, labels, pyplot):
    _, ax = pyplot.subplots()
    display = SectionDisplay(section, labels=labels).plot(ax, panels="labels")
    assert display.axes_ == {"labels": ax}
    assert display.legend_.axes is ax


def test_wrong_number_of_axes_is_an_error(section, labels, pyplot):
    _, axes = pyplot.subplots(1, 3)
    with pytest.raises(ValueError, match=r"`axes` must be one Axes for each panel.*; got 3"):
        SectionDisplay(section, labels=labels).plot(axes)


# --- amplitudes ------------------------------------------------------------------------------


def test_amplitudes_are_clipped_symmetrically_at_the_percentile(section):
    section[0, 0] = 1000
    ax = SectionDisplay(section).plot(clip_percentile=90).axes_["section"]
    low, high = ax.images[0].get_clim()
    assert -low == high == pytest.approx(np.percentile(np.abs(section), 90))


@pytest.mark.parametrize("value", [0, np.nan])
def test_a_dead_section_is_drawn(value):
    display = SectionDisplay(np.full(SHAPE, value)).plot()
    display.figure_.canvas.draw()
    assert display.axes_["section"].images[0].get_clim() == (-1, 1)


def test_missing_amplitudes_do_not_change_the_clip(section):
    clip = SectionDisplay(section).plot().axes_["section"].images[0].get_clim()
    padded = np.concatenate([section, np.full((20, SHAPE[1]), np.nan)])
    assert_allclose(SectionDisplay(padded).plot().axes_["section"].images[0].get_clim(), clip)


def test_smallest_integer_amplitude_is_clipped_as_the_others():
    section = np.full(SHAPE, -128, dtype=np.int8)
    ax = SectionDisplay(section).plot().axes_["section"]
    assert ax.images[0].get_clim() == (-128, 128)


# --- facies ----------------------------------------------------------------------------------


def test_facies_have_the_colors_of_their_positions(section, labels):
    display = SectionDisplay.from_predictions(section, labels)
    assert_array_equal(painted(display.axes_["labels"]), np.array(facies_colors(3))[labels])


def test_colors_stay_when_a_facies_is_absent(section, labels):
    labels[labels == 0] = 1
    display = SectionDisplay.from_predictions(section, labels, classes=[0, 1, 2])
    assert_array_equal(painted(display.axes_["labels"]), np.array(facies_colors(3))[labels])


def test_target_names_keep_the_colors_when_a_facies_is_absent(section, labels):
    labels[labels == 0] = 1
    display = SectionDisplay.from_predictions(section, labels, target_names=["a", "b", "c"])
    assert_array_equal(display.classes_, [0, 1, 2])


def test_labels_and_prediction_share_their_colors(section, labels):
    prediction = np.where(labels == 0, 1, labels)  # never predicts 0
    display = SectionDisplay.from_predictions(section, labels, prediction)
    expected = np.array(facies_colors(3))[prediction]
    assert_array_equal(painted(display.axes_["prediction"]), expected)


def test_string_labels_in_the_order_of_depth(section, labels):
    names = np.array(["upper", "middle", "lower"])  # not sorted
    display = SectionDisplay.from_predictions(section, names[labels], classes=names)
    assert legend_texts(display) == ["upper", "middle", "lower"]
    assert_array_equal(painted(display.axes_["labels"]), np.array(facies_colors(3))[labels])


def test_ignored_samples_stay_without_color(section, labels):
    labels[0] = -1
    display = SectionDisplay.from_predictions(section, labels)
    assert_array_equal(painted(display.axes_["labels"]) == "", labels == -1)
    assert legend_texts(display) == ["0", "1", "2"]


def test_a_section_without_interpretation_is_drawn(section):
    display = SectionDisplay.from_predictions(section, np.full(SHAPE, -1))
    assert not images(display.axes_["labels"])[1].any()


def test_legend_names_the_facies_in_the_colors_seen(section, labels):
    display = SectionDisplay.from_predictions(
        section, labels, target_names=["a", "b", "c"], plot_kw={"alpha": 1}
    )
    from matplotlib.colors import to_hex

    patches = display.legend_.get_patches()
    assert legend_texts(display) == ["a", "b", "c"]
    assert [to_hex(p.get_facecolor()).upper() for p in patches] == facies_colors(3)


def test_legend_can_be_left_out(section, labels):
    assert SectionDisplay(section, labels=labels).plot(legend=False).legend_ is None


def test_amplitudes_alone_need_no_legend(section):
    assert SectionDisplay(section).plot().legend_ is None


# --- contacts and entropy --------------------------------------------------------------------


def test_contacts_follow_the_sides_of_samples(labels):
    display = SectionDisplay.from_predictions(
        np.ones(SHAPE), labels, labels, first_trace=100, sample_interval=2
    )
    (lines,) = display.axes_["prediction"].collections
    found = {tuple(map(tuple, segment.tolist())) for segment in lines.get_segments()}
    expected = {((99.5 + i, 3.0), (100.5 + i, 3.0)) for i in range(9)}  # between samples 1 and 2
    expected |= {((99.5 + i, 7.0), (100.5 + i, 7.0)) for i in range(4)}
    expected |= {((99.5 + i, 9.0), (100.5 + i, 9.0)) for i in range(4, 9)}
    expected |= {((103.5, 7.0), (103.5, 9.0))}  # the step, two ms high
    assert found == expected
    assert "interpreted contact" in legend_texts(display)


def test_samples_without_interpretation_bound_no_contact(section):
    labels = np.zeros(SHAPE, int)
    labels[3:5] = -1
    display = SectionDisplay.from_predictions(section, labels, labels)
    assert display.axes_["prediction"].collections[0].get_segments() == []
    assert legend_texts(display) == ["0"]


def test_contacts_can_be_left_out(section, labels):
    display = SectionDisplay.from_predictions(section, labels, labels, plot_kw={"contacts": False})
    assert display.axes_["prediction"].collections[0].get_segments() == []
    assert "interpreted contact" not in legend_texts(display)


def test_entropy_has_a_fixed_scale_with_a_name(section):
    entropy = np.full(SHAPE, 0.25)
    ax = SectionDisplay.from_predictions(section, entropy=entropy).axes_["entropy"]
    assert ax.images[0].get_clim() == (0, 1)
    assert ax.images[0].colorbar.ax.get_ylabel() == "normalized entropy"


# --- from_estimator --------------------------------------------------------------------------


def test_from_estimator_predicts_one_section_once(section):
    estimator = TwoFacies()
    SectionDisplay.from_estimator(estimator, section)
    assert estimator.calls == [(1, *SHAPE)]


def test_from_estimator_takes_the_likeliest_class(section):
    display = SectionDisplay.from_estimator(TwoFacies(["chalk", "clay"]), section)
    assert_array_equal(display.prediction, np.where(section > 0, "clay", "chalk"))


def test_from_estimator_agrees_with_prediction_entropy(section):
    estimator = TwoFacies()
    display = SectionDisplay.from_estimator(estimator, section)
    expected = prediction_entropy(estimator.predict_proba(section[None]))[0]
    assert_allclose(display.entropy, expected, atol=1e-6)


def test_from_estimator_leaves_missing_amplitudes_without_color(section):
    section[2] = np.nan
    display = SectionDisplay.from_estimator(TwoFacies(), section)
    display.figure_.canvas.draw()
    assert_array_equal(display.prediction == -1, np.isnan(section))
    assert_array_equal(np.isnan(display.entropy), np.isnan(section))
    assert_array_equal(painted(display.axes_["prediction"]) == "", np.isnan(section))


def test_from_estimator_needs_an_ignore_label_of_the_type_of_the_classes(section):
    section[2] = np.nan
    with pytest.raises(ValueError, match="predicts NaN at 7 samples.*Give an `ignore_label`"):
        SectionDisplay.from_estimator(TwoFacies(["chalk", "clay"]), section)


def test_from_estimator_with_labels_and_options(section, labels):
    display = SectionDisplay.from_estimator(
        TwoFacies([0, 1]),
        section,
        np.minimum(labels, 1),
        target_names=["upper", "lower"],
        plot_kw={"contacts": False},
    )
    assert list(display.axes_) == ["section", "labels", "prediction", "entropy"]
    assert legend_texts(display) == ["upper", "lower"]


def test_from_estimator_with_one_class_is_certain(section):
    class OneFacies:
        classes_ = np.array([5])

        def predict_proba(self, X):
            return np.ones((*X.shape, 1))

    display = SectionDisplay.from_estimator(OneFacies(), section)
    assert_array_equal(display.entropy, np.zeros(SHAPE))


def test_estimators_without_probabilities_are_an_error(section):
    with pytest.raises(TypeError, match="must have predict_proba; object does not"):
        SectionDisplay.from_estimator(object(), section)


def test_probabilities_of_another_shape_are_an_error(section):
    estimator = TwoFacies([0, 1, 2])  # more classes than columns
    with pytest.raises(ValueError, match=r"of shape \(1, 9, 7, 3\) .* got \(1, 9, 7, 2\)"):
        SectionDisplay.from_estimator(estimator, section)


# --- errors ----------------------------------------------------------------------------------


def test_a_cube_is_not_a_section():
    cube = make_facies_cube((4, 8, 16), 2, random_state=0)
    with pytest.raises(ValueError, match=r"`section` must be .* got shape \(4, 8, 16\).*cube\[i\]"):
        SectionDisplay.from_predictions(cube.data)


def test_infinite_amplitudes_are_an_error(section):
    section[1, 2] = np.inf
    with pytest.raises(ValueError, match=r"`section` contains infinity \(first at trace 1"):
        SectionDisplay.from_predictions(section)


def test_amplitudes_that_are_not_numbers_are_an_error():
    with pytest.raises(ValueError, match="`section` must hold real amplitudes; got dtype <U1"):
        SectionDisplay.from_predictions(np.full(SHAPE, "a"))


@pytest.mark.parametrize("name", ["labels", "prediction", "entropy"])
def test_arrays_of_another_shape_are_an_error(section, labels, name):
    with pytest.raises(ValueError, match=f"`{name}` must have the shape of `section`, .*transpos"):
        SectionDisplay.from_predictions(section, **{name: labels.T})


def test_labels_outside_the_classes_are_an_error(section, labels):
    with pytest.raises(ValueError, match=r"`prediction` contains labels .* \[0, 1\]: \[2\]"):
        SectionDisplay.from_predictions(section, labels * 0, labels, classes=[0, 1])


def test_ignore_label_among_the_classes_is_an_error(section, labels):
    with pytest.raises(ValueError, match="`classes` must not hold ignore_label=-1"):
        SectionDisplay.from_predictions(section, labels, classes=[-1, 0, 1, 2])


@pytest.mark.parametrize("classes", [[0, 1, 1, 2], [[0, 1, 2]]])
def test_classes_must_be_a_list_of_distinct_facies(section, labels, classes):
    with pytest.raises(ValueError, match="`classes` must be a list of distinct facies"):
        SectionDisplay.from_predictions(section, labels, classes=classes)


def test_target_names_must_match_the_classes(section, labels):
    with pytest.raises(ValueError, match="one name for each of the 3 classes .*; got 2 names"):
        SectionDisplay.from_predictions(section, labels, target_names=["a", "b"])


def test_entropy_in_nats_is_an_error(section):
    with pytest.raises(ValueError, match="`entropy` must lie between 0 and 1; got 1.1"):
        SectionDisplay.from_predictions(section, entropy=np.full(SHAPE, 1.1))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("clip_percentile", 0),
        ("clip_percentile", 101),
        ("alpha", -0.1),
        ("alpha", np.nan),
        ("ncols", 0),
        ("ncols", 1.5),
    ],
)
def test_plot_parameters_out_of_range_are_an_error(section, parameter, value):
    with pytest.raises(ValueError, match=f"`{parameter}` must be .*; got {value}"):
        SectionDisplay(section).plot(**{parameter: value})


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("sample_interval", 0), ("sample_interval", "4 ms"), ("sample_unit", "km")],
)
def test_vertical_scale_out_of_range_is_an_error(section, parameter, value):
    with pytest.raises(ValueError, match=f"`{parameter}` must be .*; got {value!r}"):
        SectionDisplay(section, **{parameter: value}).plot()


def test_an_error_leaves_no_figure_behind(section, labels, pyplot):
    with pytest.raises(ValueError, match="target_names"):
        SectionDisplay.from_predictions(section, labels, target_names=["a"])
    assert pyplot.get_fignums() == []


# --- matplotlib ------------------------------------------------------------------------------


def test_without_matplotlib_the_error_names_the_remedy(section, monkeypatch):
    original = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(
        ImportError, match=r"SectionDisplay.plot draws .*`pip install 'skfacies\[plot\]'`"
    ):
        SectionDisplay(section).plot()


def test_import_needs_neither_torch_nor_matplotlib():
    code = (
        "import sys, skfacies.plotting\n"
        "print(sorted({'torch', 'matplotlib'} & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_section_shows_what_predict_gives():
    class Stacked:  # labels need not be the most probable ones
        classes_ = np.array([3, 5])

        def predict_proba(self, X):
            return np.broadcast_to(np.float32([0.4, 0.6]), (*X.shape, 2))

        def predict(self, X):
            return np.full(X.shape, 3)

    display = SectionDisplay.from_estimator(Stacked(), np.ones((4, 6)))
    assert (display.prediction == 3).all()
