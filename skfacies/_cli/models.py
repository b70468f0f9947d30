"""Models of commands: made, trained, and opened for cubes. Imports torch."""

import os

from skfacies._cli.files import (
    CUBE_SUFFIXES,
    join_volumes,
    open_like_training,
    reading_words,
    volume_files,
)
from skfacies._cli.interpretation import match_classes
from skfacies._cli.labels import UNLABELED
from skfacies._cli.options import progress
from skfacies._cubes.volumes import check_volumes, first_volume
from skfacies._estimators.cube_segmenter import CubeSegmenter
from skfacies._estimators.refining import refined
from skfacies._estimators.segmenter import FaciesSegmenter
from skfacies.persistence import load_model

__all__ = [
    "facies_names",
    "fit_fully",
    "fit_sections",
    "load_cube_model",
    "make_model",
    "open_amplitudes",
    "open_interpreted",
    "refine_fully",
    "refine_sections",
    "stored",
]


def make_model(direction, *, neighbors, step, verbose, **params):
    """A CubeSegmenter of a FaciesSegmenter with `params`."""
    section = FaciesSegmenter(verbose=progress(verbose), **params)
    return CubeSegmenter(
        section, direction, neighbors=neighbors, step=step, verbose=progress(verbose)
    )


def fit_fully(model, cube, labels, checkpoint=None):
    """Fit, and stop the command on Ctrl-C; skorch alone would end the fit and keep its epochs."""
    model.fit(cube, labels, checkpoint=checkpoint)
    _check_complete(model.estimator_)


def fit_sections(sections, labels, checkpoint=None, *, verbose, **params):
    """A FaciesSegmenter with `params`, fitted to sections as `fit_fully` fits cubes."""
    model = FaciesSegmenter(nan_policy="ignore", verbose=progress(verbose), **params)
    model.fit(sections, labels, checkpoint=checkpoint)
    _check_complete(model)
    return model


def _check_complete(model):
    if model.net_.interrupted:
        raise KeyboardInterrupt


def refine_fully(model, cube, labels):
    """Refine, and stop the command on Ctrl-C, as `fit_fully` does."""
    model.refine(cube, labels)
    _check_complete(model.estimator_)


def refine_sections(model, sections, labels):
    """A copy of a FaciesSegmenter, refined with sections as `refine_fully` refines cubes."""
    new = refined(model, sections, labels, None, UNLABELED)
    _check_complete(new)
    return new


def load_cube_model(path, *, verbose=0, rescale=None):
    """The model of a file as a CubeSegmenter; an estimator of sections predicts inlines."""
    if os.path.splitext(path)[1].lower() in CUBE_SUFFIXES:
        raise ValueError(
            f"{path} is named as a cube, but MODEL, a .safetensors file, comes before SEISMIC."
        )
    model, verbose = load_model(path), progress(verbose)
    if rescale is not None:
        inner = model.estimator_ if isinstance(model, CubeSegmenter) else model
        if "rescale" not in inner.get_params(deep=False):
            raise ValueError(
                f"--rescale needs a FaciesSegmenter; MODEL has a {type(inner).__name__}. Omit it."
            )
        inner.set_params(rescale=rescale)
    if isinstance(model, CubeSegmenter):
        return model.set_params(verbose=verbose)
    if not hasattr(model, "predict"):
        raise ValueError(
            f"the model file holds a {type(model).__name__}, which cannot predict. Give the file "
            "of a segmenter."
        )
    cubes = CubeSegmenter.from_fitted(model, verbose=verbose)
    for name in ("label_names_", "reading_", "volume_names_"):
        if hasattr(model, name):
            setattr(cubes, name, getattr(model, name))
    return cubes


def stored(model):
    """Options with which the training cube was opened."""
    return getattr(model, "reading_", None) or {}


def open_amplitudes(seismic, model, reading, verbose, *, first_only=False):
    """Open a cube, or several volumes, with the options of the training, and print them.

    `first_only` opens the first of several volumes.
    """
    files = volume_files(seismic)[: 1 if first_only else None]
    opened = [open_like_training(path, stored(model), reading or {}) for path in files]
    used = {name: value for _, own in opened for name, value in own.items()}
    kept = {name: value for name, value in used.items() if name not in (reading or {})}
    if kept and verbose:
        print(f"opening {seismic} like the training amplitudes: {reading_words(kept)}")
    cubes = join_volumes([cube for cube, _ in opened], files)
    if not first_only:
        names = getattr(cubes, "names", None), getattr(model, "volume_names_", None)
        check_volumes(cubes, names[0], model.n_volumes_, names[1])
    return cubes


def open_interpreted(seismic, interpretation, model, reading, *, lines=(), verbose=0):
    """Amplitudes, opened as for the training of a model, and labels of them in its classes."""
    cubes = open_amplitudes(seismic, model, reading, verbose)
    shared, path = {**stored(model), **(reading or {})}, volume_files(seismic)[0]
    labels = interpretation.open(
        first_volume(cubes), path, reading=shared, lines=lines, verbose=verbose
    )
    match_classes(labels, model, verbose=verbose)
    return cubes, labels


def facies_names(model):
    """Names of the classes in the order of `classes_`; labels where there are no names."""
    names = getattr(model, "label_names_", None) or {}
    return [names.get(label, label) for label in model.classes_.tolist()]
