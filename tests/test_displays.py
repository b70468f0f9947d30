"""Displays of confusion, folds and trainings."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

from skfacies import AmplitudeScaler, CubeSegmenter, FaciesSegmenter
from skfacies.metrics import facies_confusion_matrix, iou_score
from skfacies.model_selection import BlockKFold, BlockShuffleSplit
from skfacies.plotting import FaciesConfusionDisplay, FoldsDisplay, TrainingDisplay
from skfacies.plotting._drawing import facies_colors

pytestmark = pytest.mark.usefixtures("pyplot")


@pytest.fixture
def truth():
    return np.random.RandomState(0).randint(-1, 4, size=(3, 8, 10))


@pytest.fixture
def prediction(truth):
    wrong = np.random.RandomState(1).randint(0, 4, size=truth.shape)
    return np.where(np.random.RandomState(2).rand(*truth.shape) < 0.3, wrong, np.maximum(truth, 0))


def texts(axes):
    return [text.get_text() for text in axes]


# --- confusion --------------------------------------------------------------------------------


class Sign:
    """Tells facies 3 and 5 by the sign of the amplitude."""

    classes_ = np.array([3, 5, 7])

    def predict(self, X):
        if isinstance(X, list):
            return [self.predict(section) for section in X]
        return np.where(X > 0, 5, 3)


@pytest.mark.parametrize("normalize", ["true", "pred", "all", None])
def test_confusion_is_normalized_as_by_scikit_learn(truth, prediction, normalize):
    from sklearn.metrics import confusion_matrix

    display = FaciesConfusionDisplay.from_predictions(truth, prediction, normalize=normalize)
    counted = truth != -1
    expected = confusion_matrix(truth[counted], prediction[counted], normalize=normalize)
    assert_allclose(display.confusion_matrix, expected)


def test_iou_beside_the_confusion_is_that_of_the_metrics(truth, prediction):
    display = FaciesConfusionDisplay.from_predictions(truth, prediction)
    assert_array_equal(display.iou, iou_score(truth, prediction, average=None))
    widths = [bar.get_width() for bar in display.iou_ax_.patches]
    assert_allclose(widths, display.iou)
    assert display.iou_ax_.get_title() == f"IoU, mean {display.iou.mean():.2f}"


def test_bars_of_iou_have_the_colors_of_the_facies(truth, prediction):
    from matplotlib.colors import to_hex

    display = FaciesConfusionDisplay.from_predictions(truth, prediction)
    bars = [to_hex(bar.get_facecolor()).upper() for bar in display.iou_ax_.patches]
    assert bars == facies_colors(4)


def test_bars_are_at_the_heights_of_the_rows(truth, prediction):
    display = FaciesConfusionDisplay.from_predictions(truth, prediction)
    display.figure_.canvas.draw()
    matrix, bars = display.ax_.get_window_extent(), display.iou_ax_.get_window_extent()
    assert_allclose([bars.y0, bars.y1], [matrix.y0, matrix.y1])
    assert display.iou_ax_.get_ylim() == display.ax_.get_ylim()


def test_everything_is_inside_of_the_figure(truth, prediction):
    display = FaciesConfusionDisplay.from_predictions(
        truth, prediction, target_names=["sand", "a rather long name", "salt", "clay"]
    )
    display.figure_.canvas.draw()
    whole, inside = display.figure_.bbox, display.figure_.axes[0].get_tightbbox()
    assert inside.x0 >= whole.x0 - 1
    assert inside.x1 <= whole.x1 + 1
    assert inside.y0 >= whole.y0 - 1


def test_confusion_of_a_list_is_that_of_all_its_sections(truth, prediction):
    lists = [
        [section[:n] for section, n in zip(y, (8, 3, 5), strict=True)] for y in (truth, prediction)
    ]
    display = FaciesConfusionDisplay.from_predictions(*lists, normalize=None)
    expected = sum(
        facies_confusion_matrix(*pair, labels=range(4)) for pair in zip(*lists, strict=True)
    )
    assert_array_equal(display.confusion_matrix, expected)


def test_confusion_of_one_section(truth, prediction):
    display = FaciesConfusionDisplay.from_predictions(truth[0], prediction[0], normalize=None)
    assert_array_equal(display.confusion_matrix, facies_confusion_matrix(truth[0], prediction[0]))


def test_an_absent_facies_keeps_its_row_by_target_names():
    display = FaciesConfusionDisplay.from_predictions(
        [[0, 2, 2]], [[0, 2, 0]], target_names=["a", "b", "c"], normalize=None
    )
    assert_array_equal(display.confusion_matrix, [[1, 0, 0], [0, 0, 0], [1, 0, 1]])
    assert_array_equal(display.iou, [0.5, np.nan, 0.5])
    assert texts(display.ax_.get_yticklabels()) == ["a", "b", "c"]


def test_rows_are_in_the_order_of_labels():
    display = FaciesConfusionDisplay.from_predictions(
        [["up", "low"]], [["up", "up"]], labels=["up", "low"], normalize=None
    )
    assert_array_equal(display.confusion_matrix, [[1, 0], [1, 0]])
    assert texts(display.ax_.get_xticklabels()) == ["up", "low"]
    top, bottom = display.ax_.get_ylim()[::-1]
    assert top < bottom  # the first label is on top


def test_labels_that_are_not_shown_are_counted_in_iou_and_named():
    display = FaciesConfusionDisplay.from_predictions(
        [[0, 0, 1, 2]], [[0, 2, 1, 1]], labels=[0, 1], normalize=None
    )
    assert_array_equal(display.confusion_matrix, [[1, 0], [0, 1]])
    assert_array_equal(display.iou, [0.5, 0.5])
    assert "2 samples of other facies are not shown" in display.ax_.get_xlabel()


def test_rows_without_a_sample_are_not_a_number():
    display = FaciesConfusionDisplay.from_predictions([[0, 0]], [[0, 1]], labels=[0, 1])
    assert_array_equal(display.confusion_matrix, [[0.5, 0.5], [np.nan, np.nan]])
    assert display.text_[1, 0].get_text() == "–"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (812, "812"), (25_300, "25.3k"), (253_000, "253k"), (1_200_000, "1.2M")],
)
def test_numbers_of_samples_are_short(count, text):
    display = FaciesConfusionDisplay(np.array([[count]]), [1.0]).plot()
    assert display.text_[0, 0].get_text() == text


@pytest.mark.parametrize(("value", "text"), [(0.0, ""), (1.0, "1.00"), (0.001, "0.00")])
def test_only_nothing_is_left_blank(value, text):
    display = FaciesConfusionDisplay(np.array([[value]]), [1.0], normalize="true").plot()
    assert display.text_[0, 0].get_text() == text


def test_confusion_of_an_estimator_has_all_its_classes():
    X = np.random.RandomState(0).normal(size=(2, 5, 6))
    y = np.where(X > 0.2, 5, 3)
    display = FaciesConfusionDisplay.from_estimator(Sign(), X, y, normalize=None)
    assert_array_equal(
        display.confusion_matrix, facies_confusion_matrix(y, Sign().predict(X), labels=[3, 5, 7])
    )


def test_missing_amplitudes_do_not_count_in_the_confusion_of_an_estimator():
    X = np.array([[[1.0, np.nan, -1.0]]])
    display = FaciesConfusionDisplay.from_estimator(
        Sign(), X, np.array([[[5, 5, 3]]]), normalize=None
    )
    assert display.confusion_matrix.sum() == 2


def test_confusion_of_an_estimator_takes_sections_of_different_shapes():
    X = [np.ones((2, 3)), -np.ones((4, 5))]
    y = [np.full((2, 3), 5), np.full((4, 5), 5)]
    display = FaciesConfusionDisplay.from_estimator(Sign(), X, y, labels=[3, 5], normalize=None)
    assert_array_equal(display.confusion_matrix, [[0, 0], [20, 6]])


def test_confusion_is_drawn_within_given_axes(pyplot, truth, prediction):
    figure, axes = pyplot.subplots(1, 2)
    display = FaciesConfusionDisplay.from_predictions(truth, prediction, ax=axes[1])
    assert display.figure_ is figure
    assert axes[1].child_axes == [display.ax_, display.iou_ax_]


def test_confusion_without_bars_uses_the_axes_as_they_are(pyplot, truth, prediction):
    _, ax = pyplot.subplots()
    display = FaciesConfusionDisplay.from_predictions(
        truth, prediction, ax=ax, plot_kw={"iou": False, "include_values": False}
    )
    assert display.ax_ is ax
    assert display.iou_ax_ is None
    assert display.text_ is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"normalize": "rows"}, "`normalize` must be 'true', 'pred', 'all' or None; got 'rows'"),
        ({"target_names": ["a"]}, "`target_names` must have one name for each of the 4 classes"),
        ({"labels": [0, 0]}, "`labels` must be a list of distinct labels"),
    ],
)
def test_wrong_arguments_of_a_confusion(truth, prediction, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        FaciesConfusionDisplay.from_predictions(truth, prediction, **arguments)


def test_arrays_of_a_confusion_must_fit():
    with pytest.raises(ValueError, match=r"`iou` must have one value for each of the 2 rows"):
        FaciesConfusionDisplay(np.eye(2), [1.0]).plot()
    with pytest.raises(ValueError, match=r"`confusion_matrix` must have shape"):
        FaciesConfusionDisplay(np.ones(3), [1.0] * 3).plot()


# --- folds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cv",
    [
        BlockKFold(3, gap=2),
        BlockShuffleSplit(4, test_size=5, gap=1, random_state=0),
        KFold(4, shuffle=True, random_state=0),
        3,
        [([0, 1], [5, 6]), ([9], [3])],
    ],
)
def test_folds_are_those_of_the_splitter(cv):
    X = np.zeros((20, 4, 5))
    display = FoldsDisplay.from_splitter(cv, X)
    pairs = cv if isinstance(cv, list) else (KFold(cv) if cv == 3 else cv).split(X)
    for i, (train, test) in enumerate(pairs):
        assert_array_equal(np.flatnonzero(display.train[i]), train)
        assert_array_equal(np.flatnonzero(display.test[i]), test)
    assert len(display.train) == i + 1


def test_folds_of_a_list_of_sections():
    sections = [np.zeros((n, 4)) for n in range(3, 9)]
    assert FoldsDisplay.from_splitter(BlockKFold(3), sections).test.shape == (3, 6)


def test_distance_of_folds_against_all_pairs():
    numbers = np.cumsum(np.random.RandomState(0).randint(1, 5, size=30))
    display = FoldsDisplay.from_splitter(
        BlockShuffleSplit(6, test_size=4, gap=2, random_state=0),
        np.zeros((30, 2, 2)),
        numbers=numbers,
    )
    for train, test, found in zip(display.train, display.test, display.distances_, strict=True):
        assert found == min(abs(a - b) for a in numbers[train] for b in numbers[test])


def test_cells_of_folds_show_the_roles_at_their_numbers():
    display = FoldsDisplay.from_splitter(
        BlockKFold(2, gap=1), np.zeros((6, 2, 2)), numbers=[100, 102, 104, 106, 108, 110]
    )
    rows = [mesh.get_array().ravel() for mesh in display.ax_.collections]
    assert_array_equal(rows, [[2, 2, 2, 0, 1, 1], [1, 1, 0, 2, 2, 2]])
    edges = display.ax_.collections[0].get_coordinates()[0, :, 0]
    assert_array_equal(edges, np.arange(99, 112, 2))


def test_first_fold_is_on_top():
    display = FoldsDisplay.from_splitter(BlockKFold(3), np.zeros((6, 2, 2)))
    bottom, top = display.ax_.get_ylim()
    assert bottom > top


def test_folds_of_a_cube_have_its_inline_numbers():
    xarray = pytest.importorskip("xarray")
    cube = xarray.DataArray(
        np.zeros((6, 3, 4)),
        dims=("iline", "xline", "twt"),
        coords={"iline": np.arange(300, 312, 2)},
    )
    display = FoldsDisplay.from_splitter(BlockKFold(2), cube)
    assert_array_equal(display.numbers, np.arange(300, 312, 2))
    assert display.ax_.get_xlabel() == "inline"


def test_counts_stand_beside_the_folds():
    display = FoldsDisplay.from_splitter(BlockKFold(2, gap=1), np.zeros((6, 2, 2)))
    assert texts(display.ax_.texts) == ["train", "2", "2", "test", "3", "3", "distance", "2", "2"]
    bare = display.plot(counts=False, legend=False)
    assert texts(bare.ax_.texts) == []
    assert bare.legend_ is None


def test_counts_stay_in_a_figure_with_other_axes(pyplot):
    figure, axes = pyplot.subplots(2, figsize=(8, 5), layout="constrained")
    axes[1].set(yticks=[0], yticklabels=["a long name beside another plot"])
    display = FoldsDisplay.from_splitter(KFold(2), np.zeros((6, 2, 2)), ax=axes[0])
    figure.draw_without_rendering()
    right = max(text.get_window_extent().x1 for text in display.ax_.texts)
    assert right <= figure.bbox.x1


def test_legend_of_folds_names_only_what_there_is():
    whole = FoldsDisplay.from_splitter(KFold(2), np.zeros((6, 2, 2)))
    assert texts(whole.legend_.get_texts()) == ["test", "training"]
    with_gap = FoldsDisplay.from_splitter(BlockKFold(2, gap=1), np.zeros((6, 2, 2)))
    assert texts(with_gap.legend_.get_texts()) == ["test", "training", "left out"]


def test_a_fold_that_trains_on_its_test_is_an_error():
    leaking = [([0, 1, 2], [2, 3])]
    with pytest.raises(ValueError, match=r"fold 0 trains on 1 sections that it tests.*position 2"):
        FoldsDisplay.from_splitter(leaking, np.zeros((6, 2, 2)))


@pytest.mark.parametrize("numbers", [[1, 2], [0, 2, 1, 3, 4, 5], [0, 0, 1, 2, 3, 4]])
def test_numbers_of_folds_must_be_in_order(numbers):
    with pytest.raises(ValueError, match="`numbers` must be"):
        FoldsDisplay.from_splitter(KFold(2), np.zeros((6, 2, 2)), numbers=numbers)


# --- training ---------------------------------------------------------------------------------


#: Every epoch after the first is a plateau.
IMPATIENT = {"callbacks__lr_plateau__patience": 0, "callbacks__lr_plateau__threshold": 0.9}


@pytest.fixture(scope="module")
def reduced(survey, make_tiny):
    segmenter = make_tiny(max_epochs=5, net_params=IMPATIENT, validation_fraction=0.2)
    return segmenter.fit(survey.data, survey.target)


def test_curves_are_those_of_the_history(reduced):
    display = TrainingDisplay.from_estimator(reduced)
    for name, key in {
        "train_loss": "train_loss",
        "valid_loss": "valid_loss",
        "valid_iou": "valid_miou",
        "learning_rate": "lr",
    }.items():
        assert_array_equal(getattr(display, name), [row[key] for row in reduced.history_])


def test_reductions_are_marked_on_the_learning_rate(reduced):
    display = TrainingDisplay.from_estimator(reduced)
    assert_array_equal(display.reductions, [2, 3, 4, 5])
    marks = display.axes_["learning_rate"].lines[-1]
    assert_array_equal(marks.get_xdata(), display.reductions)
    assert_array_equal(marks.get_ydata(), display.learning_rate[display.reductions - 1])


def test_reductions_are_epochs_after_which_a_constant_rate_is_lower(survey, make_tiny):
    segmenter = make_tiny(max_epochs=4, lr_schedule="constant", net_params=IMPATIENT)
    display = TrainingDisplay.from_estimator(segmenter.fit(survey.data, survey.target))
    lower = 1 + np.flatnonzero(np.diff(display.learning_rate) < 0)
    assert len(lower)
    assert_array_equal(display.reductions[display.reductions < 4], lower)


def test_a_decaying_rate_alone_is_not_reduced(survey, make_tiny):
    segmenter = make_tiny(max_epochs=3).fit(survey.data, survey.target)
    display = TrainingDisplay.from_estimator(segmenter)
    assert np.diff(display.learning_rate).min() < 0
    assert len(display.reductions) == 0


@pytest.mark.parametrize("nesting", ["cube", "pipeline", "search"])
def test_history_is_found_wherever_it_is(reduced, survey, nesting):
    if nesting == "cube":
        estimator = CubeSegmenter.from_fitted(reduced)
    elif nesting == "pipeline":
        estimator = make_pipeline(AmplitudeScaler().fit(survey.data), reduced)
    else:
        estimator = GridSearchCV(reduced, {"lr": [1e-3]})
        estimator.best_estimator_ = reduced
    assert len(TrainingDisplay.from_estimator(estimator).train_loss) == reduced.n_iter_


def test_no_panel_without_held_out_traces():
    class Fitted:
        history_ = [{"train_loss": 1.0}, {"train_loss": 0.5}]

    display = TrainingDisplay.from_estimator(Fitted())
    assert list(display.axes_) == ["loss"]
    assert display.valid_loss is None


def test_epochs_without_a_value_are_gaps():
    class Fitted:  # partial_fit after fit records losses only
        history_ = [{"train_loss": 1.0, "valid_loss": 2.0, "lr": 0.1}, {"train_loss": 0.5}]

    display = TrainingDisplay.from_estimator(Fitted())
    assert_array_equal(display.valid_loss, [2.0, np.nan])
    assert_array_equal(display.learning_rate, [0.1, np.nan])


def test_the_epoch_that_was_kept_is_marked():
    class Fitted:
        history_ = [{"train_loss": loss, "best": loss < 1} for loss in (1.0, 0.5, 0.4, 2.0)]

    display = TrainingDisplay.from_estimator(Fitted())
    assert display.kept_epoch == 3
    assert "weights of epoch 3 are kept" in texts(display.axes_["loss"].get_legend().get_texts())


def test_best_iou_is_named():
    display = TrainingDisplay([1, 0.5, 0.4], valid_iou=[0.2, 0.75, 0.5]).plot()
    assert texts(display.axes_["iou"].get_legend().get_texts()) == ["best: 0.750 in epoch 2"]


@pytest.mark.parametrize(("loss", "scale"), [([1, 0.5], "log"), ([1, -0.5], "linear")])
def test_losses_are_logarithmic_if_they_can_be(loss, scale):
    assert TrainingDisplay(loss).plot().axes_["loss"].get_yscale() == scale
    assert TrainingDisplay(loss).plot(log_loss=False).axes_["loss"].get_yscale() == "linear"


def test_panels_of_a_training_are_chosen():
    display = TrainingDisplay([1, 0.5], valid_iou=[0.1, 0.2])
    assert list(display.plot(panels="iou").axes_) == ["iou"]
    with pytest.raises(ValueError, match="`panels` must be distinct names of panels"):
        display.plot(panels="learning_rate")


def test_curves_must_have_one_value_for_each_epoch():
    with pytest.raises(ValueError, match="`valid_loss` must have one value for each epoch"):
        TrainingDisplay([1, 0.5], valid_loss=[1]).plot()


def test_estimators_without_a_history_are_an_error():
    scaler = AmplitudeScaler().fit(np.ones((1, 4, 4)) * np.arange(4))
    with pytest.raises(TypeError, match=r"must have a history_.*AmplitudeScaler does not"):
        TrainingDisplay.from_estimator(scaler)
    with pytest.raises(NotFittedError, match="not fitted"):
        TrainingDisplay.from_estimator(FaciesSegmenter())
