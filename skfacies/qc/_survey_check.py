"""Does a survey suit a model: a table of what differs from the training data."""

import warnings
from dataclasses import dataclass

import numpy as np

from skfacies._cubes.axes import UNIT_SCALES
from skfacies._cubes.holders import shape_of, unwrap
from skfacies._cubes.pairing import interval_of
from skfacies._cubes.positions import axis_numbers, vertical_axis_of_cube
from skfacies._cubes.volumes import in_order
from skfacies._sections.amplitude_profile import profile_of_amplitudes
from skfacies._sections.estimators import find_parameter
from skfacies._sections.validation import own_amplitudes
from skfacies._tables import markdown_table, table_text
from skfacies.qc._comparison import (
    Row,
    amplitude_rows,
    interval_row,
    mismatch,
    range_row,
    resampled,
    spectrum_rows,
    volume_rows,
)
from skfacies.qc._models import section_model
from skfacies.qc._orientation import TURN, common_trace_rows, doubt_rows
from skfacies.qc._samples import lines_along, patches

__all__ = ["SurveyCheck", "check_survey"]

#: Spectra may differ by so much before it is asked whether samples are another axis; the spectrum
#: along that axis must then be nearer by this factor.
ODD_SPECTRUM = 0.08
NEARER = 1 / 3

#: Ratios of sample intervals.
RATIOS = np.exp2(np.arange(-16, 17) / 8)

#: Axes that are shorter than this are not of samples.
FEWEST_SAMPLES = 32


@dataclass(frozen=True)
class SurveyCheck:
    """A table of properties of the training data and of a survey.

    ``print(check)`` and ``check.to_markdown()`` show it.

    Attributes
    ----------
    rows : list of tuples (name, training, survey, verdict, advice)
        All are str. Verdicts are "ok", "differs", "serious" and "unknown".
    """

    rows: list

    @property
    def serious(self):
        """Rows that should be mended before anything is predicted."""
        return [row for row in self.rows if row.verdict == "serious"]

    def __str__(self):
        heads = ("property", "training", "survey", "verdict")
        table = [heads, *(row[:4] for row in self.rows)]
        advice = [f"{row.name}: {row.advice}" for row in self.rows if row.advice]
        return "\n".join([table_text(table, "<<<<"), *([""] if advice else []), *advice])

    def to_markdown(self):
        """The table in Markdown.

        Returns
        -------
        text : str
        """
        heads = ("property", "training", "survey", "verdict", "what to do")
        return "\n".join(markdown_table(heads, self.rows))


def check_survey(estimator, cube):
    """Find out, before predicting a survey, what differs from the data that a model learned from.

    A model predicts amplitudes of another scale, polarity or sample interval without complaint, and
    wrongly. This compares them with the training data, from a few small parts of the cube, in
    seconds whatever its size.

    Parameters
    ----------
    estimator : CubeSegmenter, FaciesSegmenter, or Pipeline that ends in one
        Fitted.
    cube : array-like of shape (n_inlines, n_crosslines, n_samples), or list of volumes
        Amplitudes. A DataArray, as of `skfacies.io.open_cube`, may have its axes in any order; its
        line numbers and vertical coordinate are checked, too.

    Returns
    -------
    check : SurveyCheck
        ``print(check)`` shows a table; `rows` are its (name, training, survey, verdict, advice),
        `serious` those with this verdict, and ``to_markdown()`` gives it as text. Properties are
        scale, center, tails and clipping of amplitudes, skew, dead traces between live ones, sample
        interval, dominant frequency (mean frequency of power), bandwidth (between the tenths of
        power), vertical axis, depth direction and polarity. Where the survey has traces of the
        training lines, these tell polarity, phase and shift. Of several volumes, the first is
        looked at, and only scale and center of the others.

    Raises
    ------
    ValueError
        If `cube` is no cube or is dead, or if the model has no ``training_profile_``.

    Warns
    -----
    UserWarning
        For each serious row.

    Notes
    -----
    Without common traces, polarity and depth direction are those that leave the model less
    undecided in a few patches; where neither does so clearly, the verdict is "unknown".

    Examples
    --------
    >>> import warnings
    >>> from skfacies import FaciesSegmenter
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.qc import check_survey
    >>> survey = make_facies_cube((8, 32, 64), n_facies=2, random_state=0)
    >>> segmenter = FaciesSegmenter(
    ...     encoder_depth=3, decoder_channels=(16, 8, 8), max_epochs=1, random_state=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     segmenter.fit(survey.data[::3], survey.target[::3])
    ...     check = check_survey(segmenter, 1000 * survey.data)
    FaciesSegmenter(...)
    >>> for row in check.serious:
    ...     print(row.name, row.training, row.survey, sep=", ")
    amplitude scale, 0.875, 875
    """
    sections, last = section_model(estimator)
    profile = getattr(last, "training_profile_", None)
    if profile is None:
        raise ValueError(
            f"`estimator`={type(last).__name__} has no training_profile_, what its training data "
            "were like. Fit a FaciesSegmenter or CubeSegmenter of this version, on live amplitudes."
        )
    cube, named = in_order(cube, "cube")
    parts = patches(unwrap(cube)[0])
    survey = _profile(sections, parts)
    if survey is None:
        raise ValueError("`cube` has no live trace where it was looked at. Is it the right file?")
    check = SurveyCheck(_rows(estimator, sections, last, profile, survey, named, parts))
    for row in check.serious:
        values = f"{row.survey} (training: {row.training})" if row.training else row.survey
        warnings.warn(f"`cube`, {row.name}: {values}. {row.advice}", UserWarning, stacklevel=2)
    return check


def _profile(sections, parts):
    """Profile of parts of a cube, as the last step of an estimator sees them."""
    if hasattr(sections, "steps") and len(sections.steps) > 1:
        before = sections[:-1]
        parts = [np.asarray(before.transform(part[None]))[0] for part in parts]
    return profile_of_amplitudes(map(own_amplitudes, parts))


def _rows(estimator, sections, last, profile, survey, named, parts):
    array = unwrap(named)[0]
    intervals = [_known_interval(estimator, last, profile), interval_of(named)]
    upwards = intervals[1] is not None and intervals[1] < 0
    intervals[1] = abs(intervals[1]) if upwards else intervals[1]
    known_axis, own_axis = profile["vertical_axis"], vertical_axis_of_cube(named)
    units = [axis[2] if axis and len(axis) > 2 else None for axis in (known_axis, own_axis)]
    kinds, scale = _compare_units(units)
    if None not in kinds and kinds[0] != kinds[1]:  # no number of them can be compared
        intervals[1] = own_axis = None
    elif scale != 1:
        own_axis = (own_axis[0] * scale, own_axis[1] * scale, units[0])
        intervals[1] *= scale
    unit = units[0] or units[1]
    rescaled = find_parameter(last, "rescale", None) is not None
    rows = amplitude_rows(profile, survey, rescaled=rescaled)
    rows += volume_rows(getattr(last, "scaler_", None), parts, rescaled=rescaled)
    interval = interval_row(*intervals, unit)
    axis = _samples_axis(sections, profile, survey, array)
    if axis != 2:
        return [*rows, interval, _axis_row(axis, kinds)]
    n_samples = profile["n_samples"], shape_of(array)[2]
    rows.append(range_row(known_axis, own_axis, *n_samples, unit))
    spectrum = spectrum_rows(profile, survey, intervals, unit)
    rows += [*([interval] if spectrum[0].name != interval.name else []), *spectrum]
    rows.append(_axis_row(axis, kinds))
    numbers = axis_numbers(named)
    numbers = numbers and (*numbers[:2], own_axis)
    shared = common_trace_rows(profile, array, numbers, unit)
    if upwards:
        shared = [Row("depth direction", "down", "up, by its coordinate", "serious", TURN), *shared]
    known = {row.name for row in shared}
    left = [name for name in ("polarity", "depth direction") if name not in known]
    # A model that sees other frequencies, or a small part of its units, is a poor judge.
    strange = any(row.verdict in ("serious", "unknown") for row in spectrum)
    # Attributes have no polarity that could be changed with that of the amplitudes.
    single = parts[0].ndim == 2
    if left and single and not strange and survey["n_samples"] > profile["n_samples"] / 2:
        by_model = doubt_rows(sections, profile, parts, getattr(last, "n_channels_", 1))
        shared += [row for row in by_model if row.name in left]
    else:
        reason = "the common traces do not tell" if shared else "no common traces to tell it"
        shared += [Row(name, "", reason, "unknown") for name in left]
    return rows + shared


def _known_interval(estimator, last, profile):
    """Sample interval of the training, which a segmenter of cubes or of sections knows."""
    for known in (estimator, last):
        if getattr(known, "sample_interval_", None) is not None:
            return known.sample_interval_
    return profile["vertical_axis"] and profile["vertical_axis"][1]


def _compare_units(units):
    """Kinds of two units, "time", "depth" or None, and the scale from the second to the first."""
    kinds, scales = [], []
    for unit in units:
        of_kind = [
            (k, own[unit.lower()]) for k, own in UNIT_SCALES.items() if unit and unit.lower() in own
        ]
        kind, scale = of_kind[0] if of_kind else (None, None)
        kinds.append(kind)
        scales.append(scale)
    same = kinds[0] == kinds[1] and None not in kinds
    return kinds, scales[1] / scales[0] if same else 1


def _samples_axis(sections, profile, survey, array):
    """Which axis of a cube the samples are by its spectra: 2, unless another is clearly nearer.

    It must be nearer, too, than the last axis would be at any other sample interval.
    """
    one, other = profile["spectrum"], survey["spectrum"]
    if one is None or other is None:
        return 2
    distances = {2: mismatch(one, other)}
    if distances[2] < ODD_SPECTRUM:
        return 2
    for axis in (0, 1):
        if shape_of(array)[axis] < FEWEST_SAMPLES:
            continue
        along = _profile(sections, lines_along(array, axis))
        if along is not None and along["spectrum"] is not None:
            distances[axis] = mismatch(one, along["spectrum"])
    best = min(distances, key=distances.get)
    resampled_only = min(mismatch(one, resampled(other, ratio)) for ratio in RATIOS)
    return best if distances[best] < min(NEARER * distances[2], resampled_only) else 2


def _axis_row(axis, kinds):
    words = [f"last, in {kind}" if kind else "last" for kind in kinds]
    if axis == 2 and None not in kinds and kinds[0] != kinds[1]:
        advice = f"Convert the survey to {kinds[0]}, or give `domain` if its headers are wrong."
        return Row("vertical axis", *words, "serious", advice)
    if axis == 2:
        return Row("vertical axis", *words, "ok")
    advice = f"Put the samples last: numpy.moveaxis(cube, {axis}, 2), or DataArray.transpose."
    survey = f"seems to be axis {axis}, by its spectrum"
    return Row("vertical axis", "last (axis 2)", survey, "serious", advice)
