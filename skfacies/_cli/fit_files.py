"""Files of a training: which are read and written, and the model with what it is opened with."""

from skfacies._cli.checkpoint import check_checkpoint
from skfacies._cli.files import check_model_name, check_targets, used_options, weights_file
from skfacies.persistence import save_model

__all__ = ["check_files", "save_fitted"]


def check_files(files, interpretation, model_file, checkpoint, *, reading, params):
    """Check before any work that files of amplitudes suit the options, and what will be written.

    `files` are those of the amplitudes, by the names that messages call them.
    """
    interpretation.check(reading, *files.values())
    inputs = files | {"--weights": weights_file(params)} | interpretation.files
    check_targets([model_file], inputs)
    check_checkpoint(checkpoint, model_file, inputs)
    check_model_name(model_file)


def save_fitted(model, model_file, files, reading, names):
    """Write a model with the options that opened its files; return names of its classes, or None.

    `names` is a dict by label, or None.
    """
    used = [used_options(path, reading or {}) for path in files]
    model.reading_ = {name: value for own in used for name, value in own.items()}
    names = names and [names[label] for label in model.classes_.tolist()]
    save_model(model, model_file, label_names=names)
    return names
