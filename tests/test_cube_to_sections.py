"""Tests of CubeToSections."""

import pickle

import numpy as np
import pytest
import scipy.sparse
import sklearn
from holders import OnDisk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.validation import check_is_fitted
from tabular import Tabular

from skfacies import AmplitudeScaler, CubeToSections
from skfacies._sections.validation import check_sections
from skfacies.datasets import make_facies_cube
from skfacies.metrics import iou_scorer
from skfacies.model_selection import BlockKFold

FEW = settings(derandomize=True, max_examples=60, deadline=None)
SHAPE = (4, 6, 5)
SELECTIONS = {
    "all": {},
    "step": {"step": 3},
    "indices": {"indices": [3, 0]},
    "negative": {"indices": np.array([-1, 1])},
}
each_direction = pytest.mark.parametrize("direction", ["inline", "crossline"])
each_selection = pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)


def numbered(shape=SHAPE, dtype=np.float32):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def cut_slowly(cube, direction, step=None, indices=None):
    """Sections as a list, line by line."""
    n_lines = cube.shape[0] if direction == "inline" else cube.shape[1]
    if indices is None:
        indices = range(0, n_lines, step or 1)
    return [cube[i] if direction == "inline" else cube[:, i] for i in indices]


def as_ndarray(sections):
    return sections.array if isinstance(sections, OnDisk) else np.asarray(sections)


# --- cutting --------------------------------------------------------------------------------


@each_direction
@each_selection
@pytest.mark.parametrize("dtype", ["f4", ">f8", "i2", "u1", "?", "U3", object])
@pytest.mark.parametrize("source", [np.asarray, OnDisk, np.ndarray.tolist])
def test_sections_are_the_lines_of_the_cube(direction, selection, dtype, source):
    cube = numbered(dtype=int).astype(dtype)
    sections = CubeToSections(direction, **selection).fit_transform(source(cube))
    expected = np.stack(cut_slowly(cube, direction, **selection))
    assert sections.shape == expected.shape
    assert_array_equal(as_ndarray(sections), expected)
    if source is not np.ndarray.tolist:
        assert sections.dtype == dtype


def test_inline_sections_are_the_cube_itself():
    for cube in (numbered(), OnDisk(numbered())):
        for step in (None, 1):
            cutter = CubeToSections("inline", step=step).fit(cube)
            assert cutter.transform(cube) is cube
            assert cutter.inverse_transform(cube) is cube


@pytest.mark.parametrize("params", [{"direction": "crossline"}, {"step": 2}], ids=str)
def test_an_array_in_memory_is_not_copied(params):
    cube = numbered()
    cutter = CubeToSections(**params).fit(cube)
    sections = cutter.transform(cube)
    assert np.shares_memory(sections, cube)
    if "step" not in params:
        assert np.shares_memory(cutter.inverse_transform(sections), cube)


@each_direction
def test_a_memmap_is_not_read(direction, tmp_path):
    cube = np.memmap(tmp_path / "cube.dat", dtype="f4", mode="w+", shape=SHAPE)
    cube[:] = numbered()
    sections = CubeToSections(direction).fit_transform(cube)
    assert isinstance(sections, np.memmap)
    assert np.shares_memory(sections, cube)
    assert_array_equal(sections, cut_slowly(numbered(), direction))


def test_the_input_is_never_changed():
    cube = numbered()
    cube.flags.writeable = False
    for direction in ("inline", "crossline"):
        for selection in SELECTIONS.values():
            cutter = CubeToSections(direction, **selection).fit(cube)
            cutter.inverse_transform(cutter.transform(cube))
    assert_array_equal(cube, numbered())


def test_fit_reads_nothing():
    cube = OnDisk(numbered())
    cutter = CubeToSections("crossline", step=2).fit(cube)
    assert cube.read == []
    assert cutter.cube_shape_ == SHAPE
    assert cutter.n_sections_ == 3
    assert vars(cutter).keys() - cutter.get_params().keys() == {"cube_shape_", "n_sections_"}


def test_another_cube_than_that_of_fit_can_be_cut():
    cutter = CubeToSections("crossline", step=2).fit(numbered())
    other = numbered((3, 9, 2))
    assert_array_equal(cutter.transform(other), cut_slowly(other, "crossline", 2))


def test_a_torch_tensor_is_cut():
    torch = pytest.importorskip("torch")
    sections = CubeToSections("crossline").fit_transform(torch.from_numpy(numbered()))
    assert_array_equal(sections, cut_slowly(numbered(), "crossline"))


# --- putting back ---------------------------------------------------------------------------


@FEW
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    direction=st.sampled_from(["inline", "crossline"]),
    n_classes=st.sampled_from([None, 1, 3]),
    dtype=st.sampled_from(["f4", "f2", "i1", "U2", "?"]),
    on_disk=st.booleans(),
)
def test_the_round_trip_is_exact(shape, direction, n_classes, dtype, on_disk):
    cube = numbered(shape, int).astype(dtype)
    cutter = CubeToSections(direction).fit(cube)
    sections = cutter.transform(OnDisk(cube) if on_disk else cube)
    if n_classes is not None:
        sections = np.stack([as_ndarray(sections)] * n_classes, axis=-1)
        cube = np.stack([cube] * n_classes, axis=-1)
    restored = cutter.inverse_transform(sections)
    assert restored.shape == cube.shape
    assert restored.dtype == cube.dtype
    assert_array_equal(as_ndarray(restored), cube)


def test_sections_on_disk_come_back_as_what_they_were_cut_from():
    cube = OnDisk(numbered())
    cutter = CubeToSections("crossline").fit(cube)
    assert cutter.inverse_transform(cutter.transform(cube)) is cube
    assert cube.read == []


def test_crossline_probabilities_on_disk_come_back():
    probabilities = numbered((6, 4, 5, 3))
    cutter = CubeToSections("crossline").fit(numbered())
    restored = cutter.inverse_transform(OnDisk(probabilities))
    assert restored.shape == (4, 6, 5, 3)
    assert_array_equal(restored[2], probabilities[:, 2])
    assert_array_equal(restored, probabilities.swapaxes(0, 1))


@each_direction
@pytest.mark.parametrize("selection", [{"step": 2}, {"indices": [2, -1]}], ids=str)
@pytest.mark.parametrize("classes", [(), (3,)])
@pytest.mark.parametrize("on_disk", [False, True])
def test_lines_that_were_not_taken_are_filled(direction, selection, classes, on_disk):
    whole = numbered(SHAPE + classes)
    cutter = CubeToSections(direction, **selection).fit(numbered())
    sections = np.stack(cut_slowly(whole, direction, **selection))
    restored = cutter.inverse_transform(OnDisk(sections) if on_disk else sections)
    axis = ("inline", "crossline").index(direction)
    n_lines = SHAPE[axis]
    taken = np.arange(n_lines)[selection.get("indices", slice(None, None, 2))] % n_lines
    expected = np.full_like(whole, np.nan)
    for line in taken:
        key = (slice(None),) * axis + (line,)
        expected[key] = whole[key]
    assert_array_equal(restored, expected)
    assert type(restored) is np.ndarray


@pytest.mark.parametrize(
    ("dtype", "fill_value", "expected", "result"),
    [
        ("f2", None, np.nan, "f2"),
        ("f8", -999.25, -999.25, "f8"),
        ("i1", None, -1, "i1"),
        ("i8", 255, 255, "i8"),
        ("u1", 255, 255, "u1"),
        ("i4", 7.0, 7, "i4"),
        ("?", False, False, "?"),
        ("U2", None, "", "U2"),
        ("U2", "unknown", "unknown", "U7"),
        ("S2", "none", b"none", "S4"),
        (object, None, "", object),
    ],
)
def test_fill_value_of_each_type(dtype, fill_value, expected, result):
    cube = numbered(dtype=int).astype(dtype)
    cutter = CubeToSections(step=2, fill_value=fill_value).fit(cube)
    restored = cutter.inverse_transform(cutter.transform(cube))
    assert restored.dtype == result
    assert_array_equal(restored[::2], cube[::2])
    assert_array_equal(restored[1::2], np.full_like(restored[1::2], expected))


@pytest.mark.parametrize(
    ("dtype", "fill_value", "message"),
    [
        ("u1", None, "`fill_value`=-1, the default, cannot be stored in sections of type uint8"),
        ("?", None, "`fill_value`=-1, the default, cannot be stored in sections of type bool"),
        ("i1", 300, "`fill_value`=300 cannot be stored in sections of type int8"),
        ("i1", 0.5, "`fill_value`=0.5 cannot be stored"),
        ("i1", np.nan, "`fill_value`=nan cannot be stored"),
        ("i1", np.inf, "`fill_value`=inf cannot be stored"),
        ("i1", "none", "`fill_value`='none' cannot be stored"),
        ("f4", "none", "`fill_value`='none' cannot be stored in sections of type float32"),
        ("U3", -1, "`fill_value`=-1 cannot be stored in sections of type <U3"),
    ],
)
def test_a_fill_value_that_does_not_fit_is_refused(dtype, fill_value, message):
    cube = numbered(dtype=int).astype(dtype)
    cutter = CubeToSections(step=2, fill_value=fill_value).fit(cube)
    with pytest.raises(ValueError, match=message):
        cutter.inverse_transform(cutter.transform(cube))


def test_fill_value_is_not_asked_where_all_lines_are_taken():
    cube = numbered(dtype=np.uint8)
    cutter = CubeToSections("crossline", step=1).fit(cube)
    assert_array_equal(cutter.inverse_transform(cutter.transform(cube)), cube)


# --- arrays on disk -------------------------------------------------------------------------


def test_each_crossline_is_read_when_asked_for():
    cube = OnDisk(numbered())
    sections = CubeToSections("crossline").fit_transform(cube)
    assert check_sections(sections, check_finite=False) is sections
    assert cube.read == []
    assert_array_equal(sections[2], cube.array[:, 2])
    assert cube.read == [(slice(None), 2)]
    assert len(sections) == 6
    assert sections.ndim == 3


def test_neighboring_crosslines_are_read_at_once():
    cube = OnDisk(numbered())
    sections = CubeToSections("crossline").fit_transform(cube)
    assert_array_equal(sections[1:4], cube.array.swapaxes(0, 1)[1:4])
    assert cube.read == [(slice(None), slice(1, 4))]


KEYS = [
    0,
    -1,
    np.int64(2),
    slice(1, 3),
    slice(None, None, 2),
    slice(None, None, -1),
    slice(4, 2),
    [2, 0],
    np.array([True, False, True, False]),
    (1, 2),
    (-2, slice(1, 3), slice(None, None, 2)),
    (slice(0, 2), 1),
    (slice(None), slice(None), -1),
    ([0, 3], slice(1, None)),
    (1, ..., 2),
    (..., 2),
    ...,
    (slice(1, 3), ..., 0),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize(
    "params",
    [{"direction": "crossline", "indices": [5, 4, 0, 1]}, {"indices": [3, 1, 0, 2]}],
    ids=["crossline", "inline"],
)
def test_sections_on_disk_are_indexed_like_an_array(key, params):
    cube = numbered()
    expected = CubeToSections(**params).fit_transform(cube)[key]
    given = CubeToSections(**params).fit_transform(OnDisk(cube))[key]
    assert np.shape(given) == np.shape(expected)
    assert_array_equal(given, expected)


def test_sections_on_disk_end():
    sections = CubeToSections("crossline").fit_transform(OnDisk(numbered()))
    with pytest.raises(IndexError, match="out of bounds"):
        sections[6]
    assert len(list(sections)) == 6
    assert np.asarray(sections, dtype=np.float64).dtype == np.float64


def test_amplitudes_on_disk_are_scaled_like_those_in_memory():
    cube = make_facies_cube((6, 9, 32), n_facies=2, random_state=0).data
    model = make_pipeline(CubeToSections("crossline"), AmplitudeScaler())
    assert_array_equal(model.fit_transform(OnDisk(cube)), model.fit_transform(cube))


@each_direction
@each_selection
def test_zarr_and_hdf5_are_cut(direction, selection, tmp_path):
    zarr, h5py = pytest.importorskip("zarr"), pytest.importorskip("h5py")
    expected = np.stack(cut_slowly(numbered(), direction, **selection))
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        for cube in (
            zarr.array(numbered(), chunks=(2, 3, 5)),
            file.create_dataset("chunked", data=numbered(), chunks=(2, 3, 5)),
        ):
            cutter = CubeToSections(direction, **selection).fit(cube)
            sections = cutter.transform(cube)
            assert not isinstance(sections, np.ndarray)
            assert sections.shape == expected.shape
            assert sections.dtype == np.float32
            for i, section in enumerate(expected):
                assert_array_equal(sections[i], section)
            assert_array_equal(sections[1:], expected[1:])
            restored = np.asarray(cutter.inverse_transform(sections))
            assert_array_equal(restored, cutter.inverse_transform(expected))


@each_direction
@each_selection
def test_dask_stays_lazy(direction, selection):
    dask = pytest.importorskip("dask.array")
    cube = dask.from_array(numbered(), chunks=(2, 3, 5))
    cutter = CubeToSections(direction, **selection).fit(cube)
    sections = cutter.transform(cube)
    assert isinstance(sections, dask.Array)
    expected = np.stack(cut_slowly(numbered(), direction, **selection))
    assert_array_equal(sections.compute(), expected)
    restored = cutter.inverse_transform(sections)
    assert isinstance(restored, np.ndarray if selection else dask.Array)
    assert_array_equal(np.asarray(restored), cutter.inverse_transform(expected))


@each_direction
@each_selection
def test_a_dataarray_keeps_its_names_and_coordinates(direction, selection):
    xarray = pytest.importorskip("xarray")
    cube = xarray.DataArray(
        numbered(),
        dims=("inline", "crossline", "twt"),
        coords={"inline": [100, 102, 104, 106], "crossline": np.arange(300, 306)},
    )
    cutter = CubeToSections(direction, **selection).fit(cube)
    sections = cutter.transform(cube)
    expected = np.stack(cut_slowly(numbered(), direction, **selection))
    assert_array_equal(sections.values, expected)
    assert sections.dims[0] == direction
    numbers = cube[direction].values
    lines = selection.get("indices", slice(None, None, selection.get("step")))
    assert_array_equal(sections[direction], numbers[lines])
    if not selection:
        assert cutter.inverse_transform(sections).identical(cube)
    assert_array_equal(cutter.inverse_transform(sections), cutter.inverse_transform(expected))


# --- labels in a Pipeline -------------------------------------------------------------------

UNCUT = r"`y` has the shape of the cube, \(4, 6, 5\), .* Use CubeSegmenter, .* CubeToSections\("


def test_inline_sections_take_labels_of_the_cube():
    cutter = CubeToSections("inline", step=1)
    assert_array_equal(cutter.fit_transform(numbered(), numbered(dtype=int)), numbered())


@pytest.mark.parametrize(
    "params",
    [{"direction": "crossline"}, {"step": 2}, {"indices": [0]}, {"indices": [1, 0, 2, 3]}],
    ids=str,
)
@pytest.mark.parametrize("as_y", [np.asarray, OnDisk, list, np.ndarray.tolist])
def test_labels_of_the_cube_are_refused_where_they_would_be_wrong(params, as_y):
    cutter = CubeToSections(**params)
    with pytest.raises(ValueError, match=UNCUT):
        cutter.fit(numbered(), as_y(numbered(dtype=int)))
    with pytest.raises(ValueError, match=UNCUT):
        cutter.fit_transform(numbered(), as_y(numbered(dtype=int)))
    assert not hasattr(cutter, "cube_shape_")


@pytest.mark.parametrize("params", [{"direction": "crossline"}, {"step": 2}], ids=str)
def test_cut_labels_are_taken(params):
    cutter = CubeToSections(**params)
    labels = cutter.fit_transform(numbered(dtype=int))
    for y in (labels, list(labels), OnDisk(labels)):
        cutter.fit(numbered(), y)


def test_on_a_square_survey_no_labels_are_taken_with_crosslines():
    square = numbered((4, 4, 5))
    cutter = CubeToSections("crossline")
    message = "Cut labels have the same shape and cannot be distinguished from uncut ones"
    with pytest.raises(ValueError, match=message):
        cutter.fit(square, cutter.fit_transform(square))
    cutter.fit(square)


def test_the_advice_for_uncut_labels_works(survey, make_tiny):
    """On a square survey, the case in which shapes cannot tell."""
    cube, label_cube = survey.data[:, :12], survey.target[:, :12]
    pipeline = make_pipeline(CubeToSections("crossline"), make_tiny(validation_fraction=0))
    with pytest.raises(ValueError, match="fit the segmenter without a Pipeline"):
        pipeline.fit(cube, label_cube)
    cutter = CubeToSections("crossline")
    segmenter = make_tiny(validation_fraction=0)
    segmenter.fit(cutter.fit_transform(cube), cutter.fit_transform(label_cube))
    predicted = cutter.inverse_transform(segmenter.predict(cutter.transform(cube)))
    assert predicted.shape == label_cube.shape


def test_a_pipeline_fits_and_predicts_cubes(survey, make_tiny):
    pipeline = make_pipeline(CubeToSections("inline"), make_tiny())
    predicted = pipeline.fit(survey.data, survey.target).predict(survey.data)
    alone = make_tiny().fit(survey.data, survey.target)
    assert_array_equal(predicted, alone.predict(survey.data))
    assert predicted.shape == survey.target.shape
    assert pipeline.score(survey.data, survey.target) == alone.score(survey.data, survey.target)


def test_a_crossline_pipeline_with_cut_labels_predicts_crosslines(survey, make_tiny):
    names = np.array(["Chalk", "Rijnland", "Zechstein"])[survey.target]
    cutter = CubeToSections("crossline", step=4)
    pipeline = make_pipeline(cutter, make_tiny(validation_fraction=0))
    pipeline.fit(survey.data, cutter.fit_transform(names))
    predicted = pipeline.predict(survey.data)
    assert predicted.shape == (10, 12, 48)
    cube = pipeline[0].inverse_transform(predicted)
    assert cube.shape == survey.target.shape
    assert set(np.unique(cube)) <= {*pipeline.classes_, ""}
    assert_array_equal(cube[:, 4], predicted[1])
    assert (cube[:, 1] == "").all()


def test_a_pipeline_is_searched_and_cross_validated(survey, make_tiny):
    pipeline = make_pipeline(CubeToSections(), make_tiny(validation_fraction=0))
    folds = BlockKFold(2, gap=1)
    search = GridSearchCV(pipeline, {"faciessegmenter__lr": [1e-3, 1e-2]}, cv=folds)
    search.fit(survey.data, survey.target)
    assert search.predict(survey.data).shape == survey.target.shape
    scores = cross_val_score(pipeline, survey.data, survey.target, cv=folds, scoring=iou_scorer)
    assert_array_equal(scores, [search.cv_results_[f"split{i}_test_score"][0] for i in range(2)])


def test_crosslines_on_disk_are_learned_like_those_in_memory(survey, make_tiny):
    cutter = CubeToSections("crossline", step=5)
    y = cutter.fit_transform(survey.target)
    predictions = [
        make_tiny(validation_fraction=0).fit(cutter.transform(cube), y).predict(survey.data)
        for cube in (survey.data, OnDisk(survey.data))
    ]
    assert_array_equal(*predictions)


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((6, 5)), r"must be a cube .*; got a 2-D array .* give X\[None\] to the seg"),
        (np.zeros((4, 6, 5, 3, 2)), r"must be a cube .*; got a 5-D array of shape \(4, 6"),
        (np.float32(3), r"must be a cube .*; got a 0-D array"),
        ("cube.sgy", r"must be a cube .*; got a 0-D array"),
        (np.zeros((0, 6, 5)), r"Found cube with 0 inline\(s\) \(shape=\(0, 6, 5\)\)"),
        (np.zeros((4, 0, 5)), r"Found cube with 0 crossline\(s\)"),
        (np.zeros((4, 6, 0)), r"Found cube with 0 sample\(s\)"),
        ([], r"must be a cube .*; got a 1-D array"),
        ([np.zeros((6, 5)), np.zeros((7, 5))], "got a list of sections of different shapes"),
        ([[[1, 2]], [[1, 2, 3]]], "`X` is not a regular array"),
    ],
)
def test_what_is_no_cube_is_refused(method, X, message):
    cutter = CubeToSections("crossline").fit(numbered())
    with pytest.raises(ValueError, match=message):
        getattr(cutter, method)(X)


def test_a_sparse_matrix_is_refused():
    with pytest.raises(TypeError, match="`X` is a sparse matrix"):
        CubeToSections().fit(scipy.sparse.eye_array(4))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"direction": "time"}, "'direction' parameter of CubeToSections must be a str among"),
        ({"direction": 0}, "'direction' parameter"),
        ({"step": 0}, r"'step' parameter of CubeToSections must be an int in the range \[1, inf\)"),
        ({"step": 2.0}, "'step' parameter"),
        ({"indices": 3}, "'indices' parameter"),
        ({"indices": "first"}, "'indices' parameter"),
        ({"fill_value": [0]}, "'fill_value' parameter"),
        ({"step": 2, "indices": [0]}, "Give `step` or `indices`, not both"),
        ({"indices": []}, r"`indices` must be a list of positions; got \[\]"),
        ({"indices": [[0, 1]]}, "`indices` must be a list of positions"),
        ({"indices": [0, 4]}, r"positions from -4 to 3, since the cube has 4 inlines; got \[4\]"),
        ({"indices": [-5]}, r"positions from -4 to 3, .* got \[-5\]"),
        ({"indices": [6], "direction": "crossline"}, r"from -6 to 5, .* has 6 crosslines"),
        ({"indices": [1, 3, -1]}, r"list each line once; got \[3\] more than once"),
    ],
)
def test_invalid_parameters_are_refused_in_fit(params, message):
    with pytest.raises(ValueError, match=message):
        CubeToSections(**params).fit(numbered())


@pytest.mark.parametrize("indices", [[0.0, 1.0], [True, False, True, True], ["0"]])
def test_indices_of_another_type_are_refused(indices):
    with pytest.raises(TypeError, match="`indices` must be integers; got"):
        CubeToSections(indices=indices).fit(numbered())


def test_indices_that_another_cube_lacks_are_refused():
    cutter = CubeToSections(indices=[3]).fit(numbered())
    with pytest.raises(ValueError, match="the cube has 3 inlines"):
        cutter.transform(numbered()[:3])


@pytest.mark.parametrize("indices", [range(0, 4, 2), (0, 2), np.array([0, 2], dtype=np.uint8)])
def test_indices_may_be_of_any_kind(indices):
    assert_array_equal(CubeToSections(indices=indices).fit_transform(numbered()), numbered()[::2])


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ({}, (3, 6, 5)),
        ({"direction": "crossline"}, SHAPE),
        ({"direction": "crossline"}, (5, 4, 5)),
        ({"step": 2}, SHAPE),
        ({"step": 2}, (2, 5, 5)),
        ({"indices": [0]}, (2, 6, 5)),
        ({}, (4, 6)),
        ({}, (4, 6, 5, 3, 1)),
    ],
)
def test_sections_of_another_cube_are_not_put_back(params, shape):
    cutter = CubeToSections(**params).fit(numbered())
    message = rf"cut from a cube of shape \(4, 6, 5\).*; got shape \({shape[0]}, {shape[1]}"
    with pytest.raises(ValueError, match=message):
        cutter.inverse_transform(np.zeros(shape))


# --- scikit-learn ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_an_unfitted_cutter_says_so(method):
    with pytest.raises(NotFittedError, match="This CubeToSections instance is not fitted yet"):
        getattr(CubeToSections(), method)(numbered())


def test_parameters_can_be_read_set_and_cloned():
    cutter = CubeToSections("crossline", step=2).fit(numbered())
    copy = clone(cutter).set_params(step=3)
    assert copy.get_params() == {
        "direction": "crossline",
        "step": 3,
        "indices": None,
        "fill_value": None,
    }
    assert not hasattr(copy, "cube_shape_")
    assert repr(copy) == "CubeToSections(direction='crossline', step=3)"


def test_a_pickled_cutter_puts_back():
    cutter = pickle.loads(pickle.dumps(CubeToSections("crossline").fit(numbered())))
    assert_array_equal(cutter.inverse_transform(numbered().swapaxes(0, 1)), numbered())


def test_pandas_output_is_not_asked_of_sections():
    with sklearn.config_context(transform_output="pandas"):
        sections = make_pipeline(CubeToSections("crossline")).fit_transform(numbered())
    assert type(sections) is np.ndarray


def test_tags_ask_for_three_dimensions_and_allow_nan():
    tags = sklearn.utils.get_tags(CubeToSections())
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.allow_nan


class TabularCutter(Tabular, CubeToSections):
    """A table is one inline: its rows are traces."""

    def _as_cube(self, X, reset=False):
        return self._as_sections(X, reset, ensure_all_finite="allow-nan").swapaxes(0, 1)

    def fit(self, X, y=None):
        return super().fit(self._as_cube(X, reset=True), y)

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(self._as_cube(X)).squeeze(self._axis())

    def inverse_transform(self, X):
        return super().inverse_transform(np.expand_dims(X, self._axis()))[0]


@parametrize_with_checks([TabularCutter(), TabularCutter("crossline")])
def test_common_check(estimator, check):
    check(estimator)


def test_number_of_common_checks():
    """A new release of scikit-learn with fewer checks for us should not pass unseen."""
    assert len(list(estimator_checks_generator(TabularCutter()))) >= 45
