"""The estimator of cubes: cuts them into sections, and puts predictions back."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skfacies._cubes.checkpoint import check_checkpoint, opened
from skfacies._cubes.holders import (
    AXES,
    DIRECTIONS,
    check_place,
    has_named_axes,
    is_dask,
    ordered_dims,
    shape_of,
    warn_if_incomplete,
    write_lines,
)
from skfacies._cubes.pairing import check_amplitudes, check_pair, check_weights, interval_of
from skfacies._cubes.positions import line_numbers, place_lines
from skfacies._cubes.training_lines import check_lines, labeled_lines
from skfacies._cubes.volumes import as_volumes, check_volumes, first_volume
from skfacies._estimators.cube_cutting import (
    cut_labeled,
    cut_validation,
    ignore_label_of,
    scratch_folder,
    take,
)
from skfacies._estimators.cube_prediction import CubePrediction
from skfacies._estimators.refining import join_lines, refined
from skfacies._sections.estimators import find_parameter, last_step
from skfacies._sections.survey_scale import warn_of_other_interval
from skfacies._sections.validation import MOST_CHANNELS
from skfacies.metrics import iou_scorer

__all__ = ["CubeSegmenter"]


class CubeSegmenter(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Segment whole cubes with an estimator of sections.

    Cuts a cube and its labels into sections alike, fits the estimator on those that carry labels,
    and puts its predictions back as a cube. Sections are read as they are needed.

    Parameters
    ----------
    estimator : estimator of sections
        `FaciesSegmenter`, a Pipeline that ends in one, or your own with `fit` and `predict` (and
        `predict_proba` for ``direction="both"``) on sections.
    direction : {"inline", "crossline", "both"}, default="inline"
        Sections to train on and to predict. "both" trains on sections of both directions, and
        averages the probabilities of both before the best facies is chosen.
    neighbors : int, default=0
        Lines to either side that each section has as channels: sections are then ``(n_traces,
        n_samples, 1 + 2 * neighbors)``, the line itself first, then the ones before and after it.
        Beyond the ends of the cube, lines are mirrored. This helps the network separate geology
        from noise that varies between lines. Labels are those of the line itself, so a few
        interpreted lines of a cube are enough.
    step : int, default=1
        Train on every `step`-th of the lines that carry labels: neighbors are near copies.
    min_labeled : float in [0, 1], default=0.5
        Train only on lines with at least this fraction of the labeled traces of the best-labeled
        line. If ten inlines are interpreted, every crossline has ten labeled traces, which are not
        worth a pass over the whole cube.
    memory_limit : int, default=500_000_000
        Approximate number of bytes for the sections and probabilities in memory; the estimator
        limits what the network uses besides. If the probabilities of the first of two directions
        need more than half of it, they are kept in a temporary file, as multiples of 1/65535.
    scratch_dir : path or None, default=None
        Folder of that file, and of training sections that exceed `memory_limit` and cannot be
        mapped where they lie (Zarr, HDF5, Dask). None is the system's.
    verbose : int, default=0
        1 shows a progress bar in prediction.

    Attributes
    ----------
    estimator_ : fitted clone of `estimator`
    classes_ : ndarray of shape (n_classes,)
    lines_ : dict of arrays
        Positions of the lines trained on, by "inline" and "crossline".
    sample_interval_ : float or None
        Interval of the vertical coordinate of the training cube; another one in prediction warns.
    n_volumes_ : int or None
        Number of volumes; None if `estimator` does not tell it.
    volume_names_ : list of str or None
        Names of the files of the volumes, or of DataArrays, if they differ from each other.

    See Also
    --------
    CubeToSections : Cuts cubes in a Pipeline, where labels stay as they are.
    skfacies.model_selection.BlockKFold : Folds of a cube that do not leak.

    Notes
    -----
    Axes: a cube is ``(n_inlines, n_crosslines, n_samples)``, labels have its shape, probabilities
    one more axis at the end; samples point down. A cube is a NumPy array or memory map, a Zarr or
    HDF5 array, an `xarray.DataArray` (which gives one back, with the same coordinates), or a Dask
    array (which gives a lazy Dask array).

    `X` may be a list of volumes of one survey, such as near and far stacks or an attribute: cubes
    with the same lines and samples; or an array with a fourth axis for them. Sections have them as
    channels, each with its own scale. The first should be the stack with the clearest reflectors:
    it decides which samples are missing or dead. Those of the others get a middle amplitude.

    Neighbors are the lines next to each other in `X`: give whole cubes, not every tenth line, and
    folds a `gap` of at least `neighbors`.

    `FaciesSegmenter` gets the line numbers of a DataArray (see its `positions`), and up to 16 lines
    with too few labels to train on, which it takes as unlabeled (see its `self_training`). Every
    fit trains a fresh clone of `estimator`: `warm_start` has no effect inside. Crosslines are cut
    from the inlines given to `fit`: cross-validation over inlines does not leak.

    Examples
    --------
    >>> from skfacies import CubeSegmenter, FaciesSegmenter
    >>> from skfacies.datasets import make_facies_cube
    >>> survey = make_facies_cube((24, 20, 32), n_facies=2, random_state=0)
    >>> sections = FaciesSegmenter(
    ...     encoder_depth=3, decoder_channels=(16, 8, 8), max_epochs=2, random_state=0)
    >>> segmenter = CubeSegmenter(sections, direction="both")
    >>> labels = survey.target.copy()
    >>> labels[1::2] = -1  # every other inline is interpreted
    >>> segmenter.fit(survey.data, labels).predict(survey.data).shape
    (24, 20, 32)
    >>> {name: len(lines) for name, lines in segmenter.lines_.items()}
    {'inline': 12, 'crossline': 20}
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict"])],
        "direction": [StrOptions(set(DIRECTIONS))],
        "neighbors": [Interval(Integral, 0, MOST_CHANNELS // 2 - 1, closed="both")],
        "step": [Interval(Integral, 1, None, closed="left")],
        "min_labeled": [Interval(Real, 0, 1, closed="both")],
        "memory_limit": [Interval(Real, 0, None, closed="neither")],
        "scratch_dir": [str, HasMethods("__fspath__"), None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator,
        direction="inline",
        *,
        neighbors=0,
        step=1,
        min_labeled=0.5,
        memory_limit=500_000_000,
        scratch_dir=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.direction = direction
        self.neighbors = neighbors
        self.step = step
        self.min_labeled = min_labeled
        self.memory_limit = memory_limit
        self.scratch_dir = scratch_dir
        self.verbose = verbose

    # Both are cut, and then the estimator's: what routing knows of them it asks of that.
    __metadata_request__fit = {"sample_weight": UNUSED, "validation_data": UNUSED}
    __metadata_request__predict = dict.fromkeys(
        ("out", "dtype", "probabilities_out", "checkpoint"), UNUSED
    )
    __metadata_request__predict_proba = {"out": UNUSED, "checkpoint": UNUSED}

    # --- training -----------------------------------------------------------------------------

    def fit(self, X, y, *, sample_weight=None, validation_data=None, **fit_params):
        """Fit the estimator on the sections that carry labels.

        Parameters
        ----------
        X : array-like of shape (n_inlines, n_crosslines, n_samples), or list of these
            Amplitudes, of one or several volumes.
        y : array-like of the shape of a volume
            Labels; the estimator's `ignore_label` marks samples without interpretation.
        sample_weight : array-like of shape (n_inlines,) or of the shape of `X`, default=None
            Weights of inlines, or of samples, if the estimator takes them.
        validation_data : tuple (X, y) of cubes, default=None
            Cut as `X` and `y` are, and handed to an estimator that takes it.
        **fit_params
            Handed on, or routed, to the `fit` of the estimator, such as `checkpoint`. Those of a
            Pipeline's step, such as ``faciessegmenter__sample_weight``, are cut, too.

        Returns
        -------
        self : CubeSegmenter

        Raises
        ------
        ValueError
            If `X` is no cube, volumes differ in their lines or samples, `y` has another shape, or
            nothing is labeled.
        """
        self._validate_params()
        self._check_estimator()
        X = as_volumes(X)
        cube, labels = check_pair(X, y, ignore_label_of(self))
        params = self._route(fit_params, sample_weight, validation_data)
        with scratch_folder(self) as folder:
            sections, section_labels, lines, taken = cut_labeled(self, cube, labels, folder)
            place_lines(sections, line_numbers(X), taken)
            for name, value in params.items():
                if value is not None and name.endswith("sample_weight"):
                    weights = check_weights(value, X, cube)
                    params[name] = take(self, weights, taken, folder, "sample_weight")
                elif value is not None and name.endswith("validation_data"):
                    params[name] = cut_validation(self, value, folder)
            estimator = clone(self.estimator).fit(sections, section_labels, **params)
            if not hasattr(estimator, "classes_"):
                raise ValueError(
                    f"`estimator`={type(estimator).__name__} must set classes_ in fit: the sorted "
                    "labels that it has learned."
                )
            self.estimator_ = estimator
            self.classes_ = np.asarray(estimator.classes_)
            self.lines_ = {AXES[axis]: chosen for axis, chosen in lines.items()}
            self.sample_interval_ = interval_of(X)
            self.volume_names_ = getattr(X, "names", None)
            del sections, section_labels, params  # which may be mapped in the folder
        return self

    def refine(self, X, y):
        """Go on from the fitted model with corrected or new lines, in a sixth of the time.

        Training lines that `y` leaves out are learned again, labeled by the model. Lines that are
        new, or differ from its prediction in more than 2% of the samples, count three times.

        Parameters
        ----------
        X : array-like of shape (n_inlines, n_crosslines, n_samples), or list of these
            The cube or volumes of `fit`.
        y : array-like of the shape of a volume
            Labels of the corrected and the new lines, of any direction; `ignore_label` elsewhere.

        Returns
        -------
        self : CubeSegmenter

        Raises
        ------
        ValueError
            If `X` or `y` is not as described; the segmenter then stays as it was.
        """
        check_is_fitted(self, "estimator_")
        self._validate_params()
        X = as_volumes(X)
        cube, labels = check_pair(X, y, ignore_label_of(self))
        self._check_volumes(X, cube)
        with scratch_folder(self) as folder:
            options = {"min_labeled": self.min_labeled, "step": 1}
            labeled, _ = labeled_lines(labels, ignore_label_of(self), (0, 1), **options)
            lines, known = join_lines(labeled, self.lines_, self.direction, shape_of(cube))
            given = take(self, labels, lines, folder, "y")
            sections = take(self, cube, lines, folder, "X", self.neighbors)
            place_lines(sections, line_numbers(X), lines)
            self.estimator_ = refined(
                self.estimator_, sections, given, known, ignore_label_of(self)
            )
            self.lines_ = {AXES[axis]: chosen for axis, chosen in lines.items()}
            del sections, given  # which may be mapped in the folder
        return self

    @classmethod
    def from_fitted(cls, estimator, **params):
        """A segmenter of cubes whose estimator of sections is fitted already.

        Parameters
        ----------
        estimator : fitted estimator of sections
            `FaciesSegmenter`, or a Pipeline that ends in one.
        **params
            Other parameters, such as `direction`.

        Returns
        -------
        segmenter : CubeSegmenter
        """
        check_is_fitted(estimator)
        segmenter = cls(estimator, **params)
        segmenter._validate_params()
        segmenter.estimator_, segmenter.lines_ = estimator, {}
        segmenter.classes_ = np.asarray(estimator.classes_)
        segmenter.sample_interval_ = getattr(last_step(estimator), "sample_interval_", None)
        return segmenter

    def _check_estimator(self):
        if self.direction == "both" and not hasattr(self.estimator, "predict_proba"):
            raise ValueError(
                "direction='both' averages probabilities, but `estimator`="
                f"{type(self.estimator).__name__} has no predict_proba. Use one direction."
            )

    def _route(self, fit_params, sample_weight, validation_data):
        """Parameters of the estimator's fit, under scikit-learn's metadata routing or without."""
        given = {"sample_weight": sample_weight, "validation_data": validation_data}
        fit_params = {**fit_params, **{k: v for k, v in given.items() if v is not None}}
        if not _routing_enabled():
            return fit_params
        return dict(process_routing(self, "fit", **fit_params).estimator.fit)

    # --- prediction ---------------------------------------------------------------------------

    def predict(self, X, *, out=None, dtype=None, probabilities_out=None, checkpoint=None):
        """Facies of every sample of a cube.

        Parameters
        ----------
        X : array-like of shape (n_inlines, n_crosslines, n_samples), or list of these
            Amplitudes of the volumes of `fit`. Read once in each direction, in parts.
        out : array of shape (n_inlines, n_crosslines, n_samples), default=None
            Array, memory map, Zarr or HDF5 array for the labels. None makes an array in memory.
        dtype : dtype, default=None
            Type of the labels if `out` is None. None is that of ``classes_``.
        probabilities_out : array of shape (n_inlines, n_crosslines, n_samples, n_classes), \
                default=None
            Array that the probabilities are written to as well, as by `predict_proba`.
        checkpoint : path, default=None
            Folder for a record of the finished lines. It needs `out` in a file, or
            `probabilities_out` if that is given. The same call, with these opened for reading and
            writing, goes on where a killed one stopped. The folder is removed at the end.

        Returns
        -------
        y : array of shape (n_inlines, n_crosslines, n_samples)
            `out`, if it is given; a DataArray for a DataArray, a lazy Dask array for a Dask array.
            Members of ``classes_``; `ignore_label` where amplitudes are missing.

        Raises
        ------
        ValueError
            If `X` is not as described, or `out`, `dtype` or `checkpoint` cannot be used for it.
        OSError
            If another prediction is using `checkpoint`.
        """
        X = as_volumes(X)
        cube, wrap = self._check_prediction_data(X)
        model = self._prediction(cube, dtype, line_numbers(X))
        model.check_label_type(out.dtype if hasattr(out, "dtype") else dtype)
        check_checkpoint(checkpoint, cube, out if probabilities_out is None else probabilities_out)
        if is_dask(cube):
            return wrap(model.lazy(cube, out, probabilities=False), "facies")
        shape, first = shape_of(cube)[:3], first_volume(X)
        result = (
            np.empty(shape, model.label_type) if out is None else check_place(out, shape, first)
        )
        with opened(checkpoint) as record:
            if probabilities_out is None:
                slabs = model.slabs_of_labels(cube, result, record)
            else:
                self.predict_proba(X, out=probabilities_out, checkpoint=record)
                slabs = model.labels_from_probabilities(cube, probabilities_out)
            for axis, lines, labels in slabs:
                write_lines(result, axis, lines, labels)
        return wrap(result, "facies")

    def predict_proba(self, X, *, out=None, checkpoint=None):
        """Probabilities of the facies of every sample of a cube.

        Parameters
        ----------
        X : array-like of shape (n_inlines, n_crosslines, n_samples), or list of these
            Amplitudes.
        out : array of shape (n_inlines, n_crosslines, n_samples, n_classes), default=None
            Array of floats that they are written to. None makes a float32 array in memory.
        checkpoint : path, default=None
            As in `predict`. In both directions, it also holds probabilities as large as `out`.

        Returns
        -------
        probabilities : array of shape (n_inlines, n_crosslines, n_samples, n_classes)
            In the order of ``classes_``; NaN where amplitudes are missing.
        """
        X = as_volumes(X)
        cube, wrap = self._check_prediction_data(X)
        model = self._prediction(cube, numbers=line_numbers(X))
        check_checkpoint(checkpoint, cube, out)
        if is_dask(cube):
            return wrap(model.lazy(cube, out, probabilities=True), "probability", self.classes_)
        shape = (*shape_of(cube)[:3], len(self.classes_))
        if out is None:
            result = np.empty(shape, np.float32)
        else:
            result = check_place(out, shape, first_volume(X))
        if np.dtype(result.dtype).kind != "f":
            raise ValueError(f"`out` must be of floats for probabilities; got {out.dtype}.")
        with opened(checkpoint) as record:
            model.write_probabilities(cube, result, record)
        return wrap(result, "probability", self.classes_)

    def score(self, X, y, sample_weight=None):
        """Mean IoU over the classes that occur in `y` or the prediction.

        Parameters
        ----------
        X : array-like of shape (n_inlines, n_crosslines, n_samples), or list of these
            Amplitudes.
        y : array-like of the shape of a volume
            Labels; `ignore_label` and samples with NaN amplitudes do not count.
        sample_weight : array-like of shape (n_inlines,) or of the shape of `X`, default=None
            Weights.

        Returns
        -------
        score : float in [0, 1]
        """
        X = as_volumes(X)
        cube, labels = check_pair(X, y, ignore_label_of(self))
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, X, cube)
        if has_named_axes(X):  # or else line numbers would be lost
            X = X.transpose(*ordered_dims(X))
        return iou_scorer(self, X, labels, sample_weight)

    def estimate_memory(self, shape):
        """What a prediction of a cube of this shape costs.

        Parameters
        ----------
        shape : tuple (n_inlines, n_crosslines, n_samples)
            Of the cube.

        Returns
        -------
        cost : :class:`~sklearn.utils.Bunch`
            Bytes, about: `working` for sections, probabilities and the network; `scratch` in
            temporary files; `labels` and `probabilities` for the result, if no `out` is given.
        """
        check_is_fitted(self, "estimator_")
        if len(shape) != 3:
            raise ValueError(
                f"`shape` must be (n_inlines, n_crosslines, n_samples); got {tuple(shape)}."
            )
        return self._prediction().cost(shape)

    def _prediction(self, cube=None, dtype=None, numbers=None):
        return CubePrediction.of(self, cube, dtype, numbers)

    def _check_prediction_data(self, X):
        check_is_fitted(self, "estimator_")
        self._validate_params()
        self._check_estimator()
        cube, wrap = check_amplitudes(X)
        self._check_volumes(X, cube)
        warn_if_incomplete(cube)
        check_lines(shape_of(cube), self.direction, self.neighbors, "X")
        warn_of_other_interval(self.sample_interval_, interval_of(X))
        return cube, wrap

    def _check_volumes(self, X, cube):
        names = getattr(X, "names", None)
        check_volumes(cube, names, self.n_volumes_, getattr(self, "volume_names_", None))

    @property
    def n_volumes_(self):
        """Number of volumes of the training; None if the estimator does not tell it."""
        check_is_fitted(self, "estimator_")
        n_channels = getattr(last_step(self.estimator_), "n_channels_", None)
        return None if n_channels is None else n_channels // (1 + 2 * self.neighbors)

    @property
    def _nan_policy(self):
        """What the estimator itself does about NaN, for scorers; None if others come before it."""
        return getattr(self.estimator_, "nan_policy", None)

    # --- scikit-learn -------------------------------------------------------------------------

    def get_metadata_routing(self):
        """Return the routing: metadata of `fit` are for the estimator inside.

        Returns
        -------
        routing : MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)  # for weights of `score`
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = find_parameter(self.estimator, "nan_policy", "") == "ignore"
        tags.target_tags.single_output = False  # y has the shape of X
        tags.target_tags.multi_output = True
        tags.classifier_tags.poor_score = True
        return tags
