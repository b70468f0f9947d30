"""Fitted estimators of sections and cubes, seen alike."""

from sklearn.utils.validation import check_is_fitted

from skfacies._sections.estimators import last_step

__all__ = ["as_cube_model", "section_model"]


def as_cube_model(estimator, direction, **changes):
    """A `CubeSegmenter` of a direction, from one of any direction or an estimator of sections.

    `changes` are other parameters.
    """
    from skfacies._estimators.cube_segmenter import CubeSegmenter  # torch, as `estimator` has

    check_is_fitted(estimator)
    if not isinstance(estimator, CubeSegmenter):
        return CubeSegmenter.from_fitted(estimator, direction=direction, **changes)
    params = {**estimator.get_params(deep=False), "direction": direction, **changes}
    del params["estimator"]
    model = CubeSegmenter.from_fitted(estimator.estimator_, **params)
    model.volume_names_ = getattr(estimator, "volume_names_", None)
    return model


def section_model(estimator):
    """The fitted estimator of sections, a Pipeline or a segmenter, and the last step of it."""
    check_is_fitted(estimator)
    sections = getattr(estimator, "estimator_", estimator)
    return sections, last_step(sections)
