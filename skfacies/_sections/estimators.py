"""Parameters and steps of nested estimators."""

__all__ = ["find_parameter", "last_step"]


def find_parameter(estimator, name, default):
    """Parameter of the estimator, or of the last one nested in it; otherwise the default."""
    if hasattr(estimator, name):
        return getattr(estimator, name)
    params = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    inner = [value for key, value in params.items() if key.endswith(f"__{name}")]
    return inner[-1] if inner else default


def last_step(estimator):
    """The fitted estimator of sections within Pipelines and searches."""
    while hasattr(estimator, "steps") or hasattr(estimator, "best_estimator_"):
        searched = hasattr(estimator, "best_estimator_")
        estimator = estimator.best_estimator_ if searched else estimator.steps[-1][1]
    return estimator
