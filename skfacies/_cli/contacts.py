"""Contacts in predictions, as files of horizons for interpretation systems."""

import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from skfacies._cli.files import check_targets
from skfacies._cli.models import facies_names
from skfacies._files import whole_files
from skfacies._sections.estimators import last_step
from skfacies.horizons import contacts_from_probabilities, write_horizon
from skfacies.horizons._stack import names_of_units
from skfacies.horizons._survey import Survey
from skfacies.horizons._writing import WITH_MORE

__all__ = [
    "check_folder",
    "check_survey_of",
    "contact_words",
    "horizon_names",
    "name_files",
    "order_of_units",
    "written_contacts",
]

SUFFIXES = {"inline-crossline": ".txt", "xyz": ".xyz", "charisma": ".charisma", "zmap": ".zmap"}


def order_of_units(model):
    """Labels from the shallowest to the deepest unit.

    Raises
    ------
    ValueError
        If the model does not predict units in order, so that a contact has no meaning.
    """
    section = last_step(model.estimator_)
    order = getattr(section, "unit_order_", None)
    if order is None:
        reason = getattr(section, "unit_order_reason_", None)
        raise ValueError(
            "--horizons needs units in a known order, and MODEL has none"
            f"{f': {reason}' if reason else ''}. Train with lines that show all units in one "
            "order, or omit --horizons."
        )
    return order.tolist()


def name_files(model, units, format):
    """Names of the files, one a contact."""
    return [stem + SUFFIXES[format] for stem in horizon_names(model, units)]


def horizon_names(model, units):
    """Names of the contacts: those of horizons that were trained on, or of the unit below."""
    names = dict(zip(model.classes_.tolist(), facies_names(model), strict=True))
    names = [str(names[unit]) for unit in units]
    stems = _horizons_between(names) or [f"top_{name}" for name in names[1:]]
    stems = [re.sub(r"[^\w.+-]+", "_", stem).strip("._") or "horizon" for stem in stems]
    taken = set()
    for k, stem in enumerate(stems):
        if stem.casefold() in taken:  # also where file systems ignore case
            stems[k] = stem = f"{stem}_{k + 1}"
        taken.add(stem.casefold())
    return stems


def _horizons_between(units):
    """Names of the horizons that units are named after; None for other names."""
    horizons = [units[0].removeprefix("above ")]
    for unit in units[1:-1]:
        horizons.append(unit.removeprefix(f"{horizons[-1]} to "))
    return horizons if names_of_units(horizons) == units else None


def check_folder(folder, names, inputs):
    """Refuse a folder that cannot be made or written, or whose files are read."""
    folder = Path(folder)
    if folder.is_dir():
        check_targets([folder / name for name in names], inputs)
    elif folder.exists():
        raise NotADirectoryError(f"{folder} is a file. Give the name of a folder for --horizons.")
    else:
        check_targets([folder], inputs)


def check_survey_of(cube, format, folder):
    """Find out before prediction whether horizons of a cube can be written."""
    level = np.full((cube.sizes["inline"], cube.sizes["crossline"]), np.nan, np.float32)
    write_horizon(Path(folder, "level"), level, like=cube, format=format)


@contextmanager
def written_contacts(folder, files, model, cube, probabilities, survey, format):
    """Write contacts to files, which get their names when the block ends, and describe them.

    Parameters
    ----------
    folder : path
    files : list of str
        As `name_files` gives them; if empty, nothing is written.
    model : CubeSegmenter
    cube : DataArray
    probabilities : array of shape (n_inlines, n_crosslines, n_samples, n_classes)
    survey : DataArray
        Its coordinates are those of the files.
    format : str

    Yields
    ------
    rows : list of dict
        With `file` None for contacts that are on no trace.
    """
    if not files:
        yield []
        return
    with whole_files(folder) as part:
        found = _find_contacts(model, cube, probabilities)
        rows = _write_contacts(part, files, found, survey, format)
        yield [row | {"file": row["file"] and Path(folder, row["file"])} for row in rows]


def _find_contacts(model, cube, probabilities):
    """Contacts of the units, NaN on traces without data."""
    contacts = contacts_from_probabilities(
        probabilities, classes=model.classes_.tolist(), units=order_of_units(model)
    )
    if "live" in cube.coords:
        for name in ("depth", "uncertainty", "thickness"):
            contacts[name][:, ~np.asarray(cube["live"])] = np.nan
    return contacts


def _write_contacts(folder, files, contacts, survey, format):
    """Write a file for each contact that is there, and describe all of them."""
    place = Survey(survey)
    first, interval = place.first, place.interval
    rows = []
    for k, file in enumerate(files):
        depth = contacts.depth[k]
        found = ~np.isnan(depth)
        row = {
            "file": file if found.any() else None,
            "horizon": Path(file).stem,
            "units": contacts.units[k : k + 2],
            "n_traces": int(found.sum()),
            "n_traces_of_survey": int(found.size),
            "unit": place.unit,
        }
        rows.append(row)
        if not found.any():
            continue
        more = {}
        if format in WITH_MORE:
            more["uncertainty"] = contacts.uncertainty[k]
            if not np.isnan(contacts.thickness[k]).all():
                more["thickness"] = contacts.thickness[k]
        write_horizon(Path(folder, file), depth, like=survey, format=format, **more)
        doubt = contacts.uncertainty[k][found]
        doubt = doubt[~np.isnan(doubt)]
        row |= {
            "shallowest": first + interval * float(depth[found].min()),
            "deepest": first + interval * float(depth[found].max()),
            "median_uncertainty": interval * float(np.median(doubt)) if doubt.size else np.nan,
        }
    return rows


def contact_words(row):
    """What is printed of a contact."""
    if row["file"] is None:
        return f"{row['horizon']}: on no trace, not written"
    unit = f" {row['unit']}" if row["unit"] else ""
    doubt = row["median_uncertainty"]
    return (
        f"wrote {row['file']}: {row['n_traces']} of {row['n_traces_of_survey']} traces, "
        f"{row['shallowest']:.6g} to {row['deepest']:.6g}{unit}, "
        f"median ± {doubt:.3g}{unit}"
    )
