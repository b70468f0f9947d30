"""Horizons that cannot be what their reader thinks: other units, signs or orders, missing picks."""

import warnings

import numpy as np

from skfacies._sections.labels import class_labels

__all__ = [
    "CROSSING_TOLERANCE",
    "check_depths",
    "check_units",
    "check_values",
    "wrong_order_message",
]

#: Contacts that cross by less, at pinch-outs, and picks so far outside are nothing to speak of.
CROSSING_TOLERANCE = 3.0
#: Units thinner than this where they end have pinched out.
THIN_UNIT = 5.0
#: Parts of the traces that are nothing to speak of.
FEW_TRACES = 0.01
FEW_MISSING = 0.05
#: No trace has as many samples; no contact lies in so few of them on all traces.
MANY_SAMPLES = 2**17
FEW_SAMPLES = 3.0


def check_units(units, ignore_label, name="units"):
    """Array of different labels, of integers or strings."""
    found = np.asarray(units)
    distinct = class_labels(found, ignore_label, name)
    if found.ndim != 1 or len(found) < 2 or len(distinct) < len(found):
        order = ", from the shallowest to the deepest" if name == "units" else ""
        without = "" if ignore_label is None else f", without ignore_label={ignore_label!r}"
        raise ValueError(
            f"`{name}` must be two or more different labels{order}{without}; got {units!r}."
        )
    if found.dtype.kind == "f":  # whole numbers, or class_labels had refused them
        return found.astype(np.int64)
    return np.array(found.tolist()) if found.dtype.kind == "O" else found


def check_depths(horizons, n_samples, names, *, missing="absent"):
    """Check contacts in samples against the cube and each other.

    Parameters
    ----------
    horizons : float array of shape (n_horizons, n_inlines, n_crosslines), or (n_horizons, n_traces)
        Depths in samples, NaN where a contact is absent.
    n_samples : int
        Samples of each trace.
    names : list of str
        What the caller calls each horizon.
    missing : {"absent", "unknown"}, default="absent"
        Whether NaN is a statement.

    Raises
    ------
    ValueError
        If no pick lies within the cube, or a contact lies above a shallower one everywhere. What
        concerns a part of the traces is a warning.
    """
    _check_range(horizons, n_samples, names)
    _check_order(horizons, names)
    if missing == "absent":
        _check_missing(horizons, n_samples, names)


def check_values(values, depths, path, sample_interval, first_sample):
    """Check that values of a file became samples by the given interval and first sample.

    Without these, values are taken as they are, and nothing is known that they could contradict.
    """
    depths = depths[~np.isnan(depths)]
    if not depths.size or (sample_interval == 1 and first_sample == 0):
        return
    axis = f"sample_interval={sample_interval:g} and first_sample={first_sample:g}"
    above = np.mean(depths <= -1)
    if above > 0.5 and np.nanmedian(values) < 0 <= first_sample:
        raise ValueError(
            f"Values of {str(path)!r} are negative, {np.nanmin(values):g} to "
            f"{np.nanmax(values):g}: they seem to grow upwards. Read the file without "
            "`sample_interval` and `first_sample`; (-data - first_sample) / sample_interval are "
            "samples."
        )
    if above == 1 or np.median(depths) > MANY_SAMPLES:
        raise ValueError(
            f"Values of {str(path)!r}, {np.nanmin(values):g} to {np.nanmax(values):g}, are samples "
            f"{depths.min():.6g} to {depths.max():.6g} with {axis}. Give these in the unit of the "
            "values."
        )
    if above > FEW_MISSING:
        warnings.warn(
            f"{_percent(above)} of the points of {str(path)!r} lie above the first sample, "
            f"first_sample={first_sample:g}. Give it in the unit of the values.",
            stacklevel=3,
        )
    elif depths.max() < FEW_SAMPLES and (depths != np.round(depths)).any():
        warnings.warn(
            f"All points of {str(path)!r}, {np.nanmin(values):g} to {np.nanmax(values):g}, lie in "
            f"the first {FEW_SAMPLES:.0f} samples with {axis}. Give these in the unit of the "
            "values, such as s or ms.",
            stacklevel=3,
        )


def _percent(share):
    return f"{100 * share:.0f} %" if share >= FEW_TRACES else f"{100 * share:.2g} %"


# --- places within the cube ------------------------------------------------------------------


def _check_range(horizons, n_samples, names):
    """Compare picks with the samples that there are. Infinite ones are meant to be outside."""
    picks = horizons[np.isfinite(horizons)]
    if not picks.size:
        return
    lowest, highest = picks.min(), picks.max()
    if ((picks <= -1) | (picks > n_samples)).all():
        raise ValueError(
            f"All picks lie outside of the cube: depths are {lowest:g} to {highest:g} samples, and "
            f"traces have {n_samples}. {_advice_on_units(picks, n_samples)}"
        )
    for horizon, name in zip(horizons, names, strict=True):
        own = horizon[np.isfinite(horizon)]
        outside = (own <= -CROSSING_TOLERANCE) | (own >= n_samples + CROSSING_TOLERANCE)
        share = np.mean(outside) if own.size else 0
        if share > FEW_TRACES:
            near = np.abs(own[outside] - n_samples / 2).max() < 0.6 * n_samples
            advice = (
                "Labels end with the cube; depths are counted from its first sample."
                if near
                else _advice_on_units(own[outside], n_samples)
            )
            warnings.warn(
                f"{name} lies outside of the cube of {n_samples} samples on {_percent(share)} of "
                f"its traces, at {own[outside].min():g} to {own[outside].max():g}. {advice}",
                stacklevel=4,
            )
    # A contact in time of s is within the first ten samples, of which no two are alike.
    shallow = lowest > 0 and highest < min(10, n_samples / 20)
    if shallow and np.mean(picks != np.round(picks)) > 0.5:
        warnings.warn(
            f"All picks lie in the first samples of {n_samples}, at {lowest:g} to {highest:g}. If "
            "they are seconds or kilometres, give (horizon - first_sample) / sample_interval.",
            stacklevel=4,
        )


def _advice_on_units(picks, n_samples):
    if np.mean(picks < 0) > 0.5:
        return (
            "If they grow upwards, give (-horizon - first_sample) / sample_interval: samples are "
            "counted downwards."
        )
    deepest = picks.max()
    steps = [step for step in (2, 3, 4, 5, 8, 10, 12.5, 20, 25) if deepest / step < n_samples]
    example = f", such as sample_interval={steps[0]}" if steps else ""
    return (
        "They look like milliseconds, metres or feet: give (horizon - first_sample) / "
        f"sample_interval{example}."
    )


# --- order -----------------------------------------------------------------------------------


def _check_order(horizons, names):
    """Look for contacts above those that should lie above them, and for twins."""
    above = horizons[0]
    for k, horizon in enumerate(horizons[1:], start=1):
        common = ~(np.isnan(above) | np.isnan(horizon))
        n_common, n_picks = np.count_nonzero(common), np.count_nonzero(~np.isnan(horizon))
        if 2 * n_common >= max(n_picks, 1) and (above[common] > horizon[common]).all():
            raise ValueError(wrong_order_message(horizons, names, k))
        crossing = np.count_nonzero(above[common] > horizon[common] + CROSSING_TOLERANCE)
        if crossing > FEW_TRACES * n_common:
            warnings.warn(
                f"{names[k]} lies above a contact that should be shallower on "
                f"{_percent(crossing / n_common)} of the traces with both; the unit between them "
                "is left out there. Horizons begin with the shallowest.",
                stacklevel=4,
            )
        for j in range(k):
            if n_common and _are_twins(horizons[j], horizon):
                warnings.warn(
                    f"{names[j]} and {names[k]} are the same everywhere: there is no unit between "
                    "them. Leave out one of them, or look for a file that was read twice.",
                    stacklevel=4,
                )
        above = np.fmax(above, horizon)


def _are_twins(horizon, other):
    return np.array_equal(horizon, other, equal_nan=True) and not np.isnan(horizon).all()


def wrong_order_message(horizons, names, k):
    medians = [np.nan if np.isnan(h).all() else np.nanmedian(h) for h in horizons]
    order = np.argsort(medians, kind="stable")
    found = ", ".join(f"{names[i]} (sample {medians[i]:.1f})" for i in order)
    message = (
        f"{names[k]} lies above a contact that should be shallower on all traces with both: "
        "horizons must begin with the shallowest"
    )
    if order.tolist() == list(range(len(order))):
        return f"{message}, and not cross."
    return f"{message}. Give them in this order, which is that of their medians: {found}."


# --- missing picks ---------------------------------------------------------------------------


def _check_missing(horizons, n_samples, names):
    """Tell units that have pinched out from contacts that nobody has picked.

    A unit thins out towards its edge. Where its contact ends and it is as thick as elsewhere, the
    contact goes on without picks.
    """
    picked = ~np.isnan(horizons)
    interpreted = picked.any(axis=0)
    n_interpreted = np.count_nonzero(interpreted)
    below = np.full(horizons.shape[1:], float(n_samples))
    for k in range(len(horizons))[::-1]:
        gap = interpreted & ~picked[k]
        share = np.count_nonzero(gap) / max(n_interpreted, 1)
        thickness = below - horizons[k]
        below = np.fmin(below, horizons[k])
        if share <= FEW_MISSING:
            continue
        edge = picked[k] & _beside(gap)
        if edge.any():
            at_edge, everywhere = np.median(thickness[edge]), np.median(thickness[picked[k]])
            if at_edge <= max(THIN_UNIT, everywhere / 2):
                continue
            why = f"where its picks end, the unit below it is {at_edge:.3g} samples thick"
        elif not picked[k].any():
            why = "it has no pick at all"
        else:
            continue
        warnings.warn(
            f"{names[k]} is missing on {_percent(share)} of the traces that have other contacts, "
            f"and {why}. Missing picks are taken for a unit that has pinched out: give "
            "missing='unknown' if the contact has not been picked there.",
            stacklevel=4,
        )


def _beside(mask):
    """Traces next to those of the mask, along each axis."""
    found = np.zeros(mask.shape, dtype=bool)
    for axis in range(mask.ndim):
        ahead = [slice(None)] * mask.ndim
        behind = [slice(None)] * mask.ndim
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        found[tuple(behind)] |= mask[tuple(ahead)]
        found[tuple(ahead)] |= mask[tuple(behind)]
    return found
