"""Several volumes of one survey: however they are held, whether they fit, and what is learned."""

import numpy as np
import pytest
from holders import Store, as_zarr
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from stand_ins import Recorder

from skfacies import AmplitudeScaler, CubeSegmenter, CubeToSections, FaciesSegmenter
from skfacies._cubes.volumes import Volumes, as_volumes
from skfacies.datasets import make_facies_cube
from skfacies.metrics import facies_report, iou_scorer
from skfacies.model_selection import BlockKFold
from skfacies.persistence import load_model, save_model
from skfacies.qc import check_survey, mistie, suggest_lines

SHAPE = (12, 15, 32)


@pytest.fixture(scope="module")
def survey():
    """Amplitudes, an attribute of another scale, and labels."""
    found = make_facies_cube(SHAPE, n_facies=3, random_state=1)
    noise = np.random.default_rng(0).normal(size=SHAPE)
    attribute = 1e-3 * (5 + found.target + gaussian_filter(noise, 1))
    return found.data, attribute.astype(np.float32), found.target


@pytest.fixture(scope="module")
def trained(survey, make_tiny):
    near, attribute, labels = survey
    return CubeSegmenter(make_tiny(nan_policy="ignore")).fit([near, attribute], labels)


def named(array, **changes):
    xarray = pytest.importorskip("xarray")
    n_inlines, n_crosslines, n_samples = array.shape
    axes = {
        "inline": 100 + 2 * np.arange(n_inlines),
        "crossline": 300 + np.arange(n_crosslines),
        "twt": 1000 + 4.0 * np.arange(n_samples),
    } | changes
    return xarray.DataArray(array, axes, list(axes))


def as_dask(array):
    return pytest.importorskip("dask.array").from_array(array, (4, 5, SHAPE[2]))


def as_memmap(array, folder):
    np.save(folder / "near.npy", array)
    return np.load(folder / "near.npy", mmap_mode="r")


HOLDERS = {
    "tuple": lambda near, far, _: (near, far),
    "stack": lambda near, far, _: np.stack([near, far], axis=-1),
    "memmap and store": lambda near, far, folder: [as_memmap(near, folder), Store(far)],
    "zarr": lambda near, far, _: [
        as_zarr(near, chunks=(5, 4, 32)),
        as_zarr(far, chunks=(3, 15, 8)),
    ],
    "named": lambda near, far, _: [named(near), named(far)],
    "named and plain": lambda near, far, _: [named(near), far],
    "dask and plain": lambda near, far, _: [as_dask(near), far],
    "named dask": lambda near, far, _: [named(near).chunk({"inline": 5}), named(far)],
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize(("direction", "neighbors"), [("inline", 0), ("crossline", 1), ("both", 0)])
def test_volumes_are_channels_however_they_are_held(survey, holder, direction, neighbors, tmp_path):
    near, far, labels = survey
    segmenter = CubeSegmenter(Recorder(), direction, neighbors=neighbors).fit([near, far], labels)
    expected = segmenter.estimator_.seen_
    cubes = HOLDERS[holder](near, far, tmp_path)
    other = CubeSegmenter(Recorder(), direction, neighbors=neighbors).fit(cubes, labels)
    for own, section in zip(other.estimator_.seen_, expected, strict=True):
        assert_array_equal(own, section)
    assert_array_equal(other.predict(cubes), segmenter.predict([near, far]))
    assert_allclose(other.predict_proba(cubes), segmenter.predict_proba([near, far]), atol=1e-6)


def test_channels_are_volumes_of_the_line_then_of_its_neighbors(survey):
    near, far, labels = survey
    seen = CubeSegmenter(Recorder(), neighbors=1).fit([near, far], labels).estimator_.seen_
    lines = [4, 3, 5]
    expected = [volume[line] for line in lines for volume in (near, far)]
    assert_array_equal(seen[4], np.stack(expected, axis=-1))


def test_small_pieces_predict_as_the_whole(survey):
    near, far, labels = survey
    segmenter = CubeSegmenter(Recorder(), "both").fit([near, far], labels)
    whole = segmenter.predict([near, far])
    segmenter.set_params(memory_limit=20_000)
    assert_array_equal(segmenter.predict([near, far]), whole)
    assert_array_equal(segmenter.predict([as_dask(near), far]).compute(), whole)


def test_results_have_the_axes_of_the_first_volume(survey):
    near, far, labels = survey
    first = named(near).transpose("twt", "crossline", "inline")
    segmenter = CubeSegmenter(Recorder()).fit([first, far], named(labels))
    found = segmenter.predict([first, named(far)])
    assert found.dims == first.dims
    assert_array_equal(found.transpose(..., "twt").T.values.T.shape, first.shape[1:] + (32,))
    expected = segmenter.predict([near, far])
    assert_array_equal(found.transpose("inline", "crossline", "twt"), expected)


def test_named_volumes_of_one_array(survey):
    xarray = pytest.importorskip("xarray")
    near, far, labels = survey
    stack = xarray.concat([named(near), named(far)], dim="stack").assign_coords(
        stack=["near", "far"]
    )
    segmenter = CubeSegmenter(Recorder()).fit(stack, labels)
    assert segmenter.volume_names_ == ["near", "far"]
    found = segmenter.predict(stack)
    assert found.dims == ("inline", "crossline", "twt")
    assert_array_equal(found, segmenter.predict([near, far]))
    with pytest.raises(ValueError, match="these are probabilities"):
        segmenter.predict(stack.rename(stack="facies"))


def test_parts_are_read_as_of_one_array(survey):
    near, far, _ = survey
    volumes, stack = as_volumes([near, Store(far)]), np.stack([near, far], axis=-1)
    assert (volumes.shape, volumes.ndim, len(volumes)) == (stack.shape, 4, SHAPE[0])
    for key in (3, slice(2, 5), (slice(None), 4), (slice(2), slice(3), slice(4)), (1, 2, 3)):
        assert_array_equal(volumes[key], stack[key])
    assert_array_equal(volumes[..., 1], far)
    assert_array_equal(volumes[2, ..., 0], near[2])
    assert_array_equal(volumes[1:3, :, :, 1:], stack[1:3, :, :, 1:])


def test_types_of_volumes_are_joined_in_floats():
    cubes = [np.zeros((2, 2, 2), kind) for kind in ("i2", "f4", "i4", "f8")]
    assert as_volumes(cubes[:2]).dtype == np.float32
    assert as_volumes(cubes[:3]).dtype == np.float32
    assert as_volumes(cubes).dtype == np.float64
    assert as_volumes([cubes[0], cubes[0]]).dtype == np.int16


# --- whether they fit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda cube: cube.assign_coords(inline=cube.inline + 2),
            r"`X\[2\]` has inlines 102 to 124, every 2 \(12\), but `X\[0\]` has 100 to 122",
        ),
        (lambda cube: cube[:, :9], r"`X\[2\]` has crosslines 300 to 308 \(9\), but `X\[0\]` has 3"),
        (
            lambda cube: cube.assign_coords(twt=1000 + 2.0 * np.arange(32)),
            r"`X\[2\]` has a sample interval of 2 ms, but `X\[0\]` has 4 ms",
        ),
        (
            lambda cube: cube.assign_coords(twt=cube.twt + 8),
            r"`X\[2\]` has its first sample at 1008 ms, but `X\[0\]` has 1000 ms",
        ),
        (lambda cube: cube[..., :30], r"`X\[2\]` has 30 samples, but `X\[0\]` has 32"),
        (lambda cube: cube.rename(twt="depth"), r"`X\[2\]` has samples in depth, but `X\[0\]` has"),
        (lambda cube: cube.values[:9], r"`X\[2\]` has the shape \(9, 15, 32\), but `X\[0\]` has"),
        (lambda cube: cube.values[..., :9], r"`X\[2\]` has 9 samples, but `X\[0\]` has 32"),
        (lambda cube: cube.astype(complex), r"`X\[2\]` must hold real amplitudes"),
    ],
)
def test_other_geometries_are_refused(survey, change, message):
    near, far, labels = survey
    cubes = [named(near), named(far), change(named(far))]
    with pytest.raises(ValueError, match=message):
        CubeSegmenter(Recorder()).fit(cubes, labels)


def test_units_and_rounding_of_samples_do_not_matter(survey):
    near, far, _ = survey
    seconds = named(far, twt=(1000 + 4.0 * np.arange(32)) / 1000)
    seconds["twt"].attrs["units"] = "s"
    rounded = named(far, twt=1000 + np.float32(4.00001) * np.arange(32))
    assert isinstance(as_volumes([named(near), seconds, rounded]), Volumes)


def test_a_single_volume_in_a_list_is_that_cube(survey):
    near, _, labels = survey
    segmenter = CubeSegmenter(Recorder()).fit([near], labels)
    assert segmenter.estimator_.seen_[0].shape == (*SHAPE[1:], 1)


def test_other_volumes_than_those_of_the_training_are_refused(survey, trained, make_tiny):
    near, far, labels = survey
    for call in (trained.predict, trained.predict_proba, lambda X: trained.refine(X, labels)):
        with pytest.raises(ValueError, match=r"1 volume\(s\), but the model was trained on 2"):
            call(near)
    with pytest.raises(ValueError, match=r"3 volume\(s\), but the model was trained on 2"):
        trained.predict([near, far, far])
    cubes = [named(near).rename("near"), named(far).rename("far")]
    segmenter = CubeSegmenter(make_tiny()).fit(cubes, labels)
    assert (segmenter.n_volumes_, segmenter.volume_names_) == (2, ["near", "far"])
    with pytest.raises(ValueError, match="has the volumes far, near, but the model .* near, far"):
        segmenter.predict(cubes[::-1])


def test_validation_data_have_the_same_volumes(survey, make_tiny):
    near, far, labels = survey
    segmenter = CubeSegmenter(make_tiny())
    segmenter.fit([near, far], labels, validation_data=([near, far], labels))
    assert "valid_loss" in segmenter.estimator_.history_[0]
    with pytest.raises(ValueError, match="`validation_data.0.` has sections of 1 channel"):
        segmenter.fit([near, far], labels, validation_data=(near, labels))


# --- what is learned ------------------------------------------------------------------------------


def test_the_scale_of_a_volume_does_not_matter(survey, make_tiny, trained):
    near, far, labels = survey
    cubes = [near, 1024 * far]  # a power of two changes no digit
    other = CubeSegmenter(make_tiny(nan_policy="ignore")).fit(cubes, labels)
    assert_array_equal(other.predict_proba(cubes), trained.predict_proba([near, far]))
    with pytest.warns(UserWarning, match="channel 1 of `X` has another scale or center"):
        trained.predict(cubes)
    trained.estimator_.set_params(rescale="survey")
    try:
        rescaled = trained.predict_proba(cubes)
        assert_array_equal(rescaled, trained.predict_proba([near, far]))
    finally:
        trained.estimator_.set_params(rescale=None)


def test_the_first_volume_decides_what_is_missing(survey, trained):
    near, far, labels = survey
    holes = [near.copy(), far.copy()]
    holes[0][2, :5], holes[1][7, 3:9] = np.nan, np.nan
    found = trained.predict(holes)
    assert (found[2, :5] == -1).all()
    assert np.count_nonzero(found == -1) == 5 * SHAPE[2]
    zeros = [holes[0], np.nan_to_num(holes[1])]
    assert_array_equal(found, trained.predict(zeros))  # missing and dead are the same there
    assert 0 <= trained.score(holes, labels) <= 1


def test_a_dead_volume_is_refused(survey, make_tiny):
    near, far, labels = survey
    with pytest.raises(ValueError, match="`X` has no live sample in channel 1"):
        CubeSegmenter(make_tiny()).fit([near, 0 * far], labels)


def test_neighbors_share_the_scales_of_the_line(survey, make_tiny):
    near, far, labels = survey
    segmenter = CubeSegmenter(make_tiny(validation_fraction=0), neighbors=1)
    segmenter.fit([near, far], labels)
    assert (segmenter.n_volumes_, segmenter.estimator_.n_channels_) == (2, 6)
    alone = CubeSegmenter(make_tiny(validation_fraction=0)).fit([near, far], labels)
    assert_array_equal(segmenter.estimator_.scaler_.scale_, alone.estimator_.scaler_.scale_)
    assert segmenter.predict([near, far]).shape == SHAPE


def test_models_of_volumes_are_saved(survey, trained, tmp_path):
    near, far, _ = survey
    save_model(trained, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.n_volumes_ == 2
    assert_array_equal(loaded.predict_proba([near, far]), trained.predict_proba([near, far]))


def test_names_of_volumes_are_saved(survey, make_tiny, tmp_path):
    near, far, labels = survey
    cubes = [named(near).rename("near"), named(far).rename("far")]
    save_model(CubeSegmenter(make_tiny()).fit(cubes, labels), tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.volume_names_ == ["near", "far"]
    save_model(loaded, tmp_path / "again.safetensors")
    assert load_model(tmp_path / "again.safetensors").volume_names_ == ["near", "far"]


def test_volumes_are_refined(survey, make_tiny):
    near, far, labels = survey
    picked = np.full(SHAPE, -1)
    picked[::4] = labels[::4]
    segmenter = CubeSegmenter(make_tiny(max_epochs=6)).fit([near, far], picked)
    more = np.full(SHAPE, -1)
    more[6] = labels[6]
    before = segmenter.estimator_.n_iter_
    segmenter.refine([near, far], more)
    assert segmenter.lines_["inline"].tolist() == [0, 4, 6, 8]
    assert segmenter.estimator_.n_iter_ == before + 1


def test_pipelines_cut_volumes(survey, make_tiny):
    near, far, labels = survey
    pipeline = make_pipeline(CubeToSections(), make_tiny()).fit([near, far], labels)
    expected = make_tiny().fit(np.stack([near, far], axis=-1), labels)
    assert_array_equal(
        pipeline.predict([near, far]), expected.predict(np.stack([near, far], axis=-1))
    )
    crosslines = CubeToSections("crossline", step=2).fit_transform([near, far])
    expected = np.stack([near[:, ::2], far[:, ::2]], axis=-1).swapaxes(0, 1)
    assert_array_equal(np.asarray(crosslines), expected)


def test_cross_validation_of_volumes_in_one_array(survey, make_tiny):
    near, far, labels = survey
    cubes = np.stack([near, far], axis=-1)
    scores = cross_val_score(
        CubeSegmenter(make_tiny()), cubes, labels, cv=BlockKFold(2), scoring=iou_scorer
    )
    assert ((scores >= 0) & (scores <= 1)).all()


def test_quality_control_of_volumes(survey, trained):
    near, far, _ = survey
    cubes, stack = [near, far], np.stack([near, far], axis=-1)
    assert mistie(trained, cubes).total == mistie(trained, stack).total
    assert suggest_lines(trained, cubes, n=2).lines == suggest_lines(trained, stack, n=2).lines
    rows = {row.name: row for row in check_survey(trained, cubes).rows}
    assert rows["scale of volume 1"].verdict == rows["center of volume 1"].verdict == "ok"
    with pytest.warns(UserWarning, match="of volume 1"):
        rows = check_survey(trained, [near, 10 * far]).rows
    serious = [row.name for row in rows if row.verdict == "serious"]
    assert serious == ["scale of volume 1", "center of volume 1"]


# --- the scale of each channel --------------------------------------------------------------------


def test_each_channel_has_its_own_scale(survey):
    near, far, _ = survey
    stack = np.stack([near, far], axis=-1)
    scaler, alone = AmplitudeScaler().fit(stack), [AmplitudeScaler().fit(c) for c in (near, far)]
    for name in ("center_", "scale_", "n_samples_seen_"):
        assert getattr(scaler, name).tolist() == [getattr(own, name) for own in alone]
    scaled = scaler.transform(stack)
    for k, own in enumerate(alone):
        assert_array_equal(scaled[..., k], own.transform(stack[..., k]))
    assert_allclose(
        scaler.set_params(clip=None).inverse_transform(scaler.transform(stack)), stack, rtol=1e-4
    )


def test_pieces_of_channels_give_the_scale_of_the_whole(survey):
    near, far, _ = survey
    stack = np.stack([near, far], axis=-1)
    whole = AmplitudeScaler().fit(stack)
    pieces = AmplitudeScaler().partial_fit(stack[:5]).partial_fit(list(stack[5:]))
    assert_array_equal(pieces.scale_, whole.scale_)
    with pytest.raises(ValueError, match=r"sections of 1 channel\(s\), but the scaler has learned"):
        pieces.partial_fit(near)
    with pytest.raises(ValueError, match=r"sections of 1 channel\(s\), but the scaler has learned"):
        pieces.transform(near)


# --- whether it pays ------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_attribute_tells_units_apart_that_look_alike_in_the_amplitudes():
    shape = (32, 48, 64)
    survey, chance = make_facies_cube(shape, n_facies=3, random_state=0), np.random.default_rng(0)
    patches = gaussian_filter(chance.normal(size=shape[:2]), 3)
    gas = (patches > np.quantile(patches, 0.6))[..., None] & (survey.target == 1)
    labels = np.where(gas, 3, survey.target)
    attribute = 1e-3 * gaussian_filter(gas + chance.normal(size=shape), 1)
    picked = np.full(shape, -1)
    picked[:20:2] = labels[:20:2]
    ious = {}
    for name, cubes in {"amplitudes": survey.data, "both": [survey.data, attribute]}.items():
        sections = FaciesSegmenter(
            encoder_name="tu-test_resnet",
            encoder_depth=3,
            decoder_channels=(16, 16, 8),
            max_epochs=40,
            batch_size=4,
            lr=3e-3,
            precision="float32",
            random_state=0,
        )
        found = CubeSegmenter(sections).fit(cubes, picked).predict(cubes)
        report = facies_report(labels[22:], found[22:], output_dict=True)
        ious[name] = [report[str(unit)]["iou"] for unit in (1, 3)]
    assert ious["amplitudes"][1] < 0.3
    assert min(ious["both"]) > 0.6
