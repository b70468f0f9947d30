"""What people should know of a model before they use it, in Markdown."""

import inspect

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skfacies._sections.amplitude_profile import LEVELS, frequency_band, mean_frequency
from skfacies._sections.estimators import last_step
from skfacies._tables import markdown_table
from skfacies._version import __version__
from skfacies.persistence._line_map import line_map, number_words

__all__ = ["model_card"]

#: Share of the labeled samples below which a unit counts as rare.
RARE = 0.01


def model_card(estimator, *, survey=None):
    """Describe a fitted model in Markdown: its data, its scores, and what not to use it for.

    Keep the card with the model file. It says what units, lines and amplitudes the model has
    learned from, how it was trained, how well it predicts each unit of the held-out block, and
    where its predictions mean little.

    Parameters
    ----------
    estimator : FaciesSegmenter, CubeSegmenter, or Pipeline that ends in one
        Fitted. Names of facies are taken from its ``label_names_``, if there are some.
    survey : str or None, default=None
        Name of the survey, which the model does not know. None calls it "a survey".

    Returns
    -------
    text : str
        Markdown.

    Raises
    ------
    NotFittedError
        If `estimator` is not fitted.
    ValueError
        If it neither is a FaciesSegmenter nor holds one.

    See Also
    --------
    skfacies.qc.check_survey : Compares another survey with the training data.

    Examples
    --------
    >>> from skfacies import FaciesSegmenter
    >>> from skfacies.datasets import make_facies_cube
    >>> from skfacies.persistence import model_card
    >>> cube = make_facies_cube((8, 32, 64), n_facies=2, random_state=0)
    >>> segmenter = FaciesSegmenter(
    ...     encoder_depth=3, decoder_channels=(16, 8, 8), max_epochs=1, random_state=0)
    >>> card = model_card(segmenter.fit(cube.data, cube.target), survey="synthetic")
    >>> print(card.partition("##")[0].strip())
    # Model card: facies of synthetic
    <BLANKLINE>
    This model assigns each sample of a seismic section to one of 2 units: 0, 1. It is a Unet with
    the encoder resnet18, trained on synthetic. It is made for that survey, around and
    between its training lines.
    >>> [line for line in card.splitlines() if line.startswith("## ")]
    ['## Training data', '## Units and scores', '## Do not use it', '## Training',
     '## Training data in the model']
    """
    check_is_fitted(estimator)
    sections = getattr(estimator, "estimator_", estimator)
    last = last_step(getattr(sections, "best_estimator_", sections))
    if not hasattr(last, "training_profile_"):
        raise ValueError(
            f"`estimator` must be a fitted FaciesSegmenter, or hold one; got a "
            f"{type(last).__name__}."
        )
    facts = _Facts(estimator, last, survey)
    parts = [
        _summary(facts),
        _data(facts),
        _scores(facts),
        _limits(facts),
        _training(facts),
        _privacy(facts),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


class _Facts:
    """What several parts of a card need."""

    def __init__(self, estimator, last, survey):
        self.estimator, self.last, self.survey = estimator, last, survey
        self.classes = last.classes_.tolist()
        names = getattr(estimator, "label_names_", None) or getattr(last, "label_names_", None)
        self.names = {label: str((names or {}).get(label, label)) for label in self.classes}
        self.profile = last.training_profile_ or {}
        self.summary = last._training_summary or {}
        self.lines = self.profile.get("lines", np.empty((0, 2, 2)))
        interval = getattr(estimator, "sample_interval_", None)
        self.interval = last.sample_interval_ if interval is None else interval
        axis = self.profile.get("vertical_axis")
        self.interval = self.interval or (axis and axis[1])

    def sorted_labels(self):
        """Classes from top to bottom where they have an order."""
        order = self.last.unit_order_
        return self.classes if order is None else order.tolist()


def _summary(facts):
    options = facts.last._module_options
    names = ", ".join(facts.names[label] for label in facts.sorted_labels())
    survey = facts.survey or "a survey"
    return [
        f"# Model card: facies of {facts.survey or 'a survey that the model does not name'}",
        "",
        "This model assigns each sample of a seismic section to one of "
        f"{len(facts.classes)} units: {names}. It is a {options['architecture']} with the encoder "
        f"{options['encoder_name']}, trained on {survey}. It is made for that survey, around and "
        "between its training lines.",
    ]


# --- data -----------------------------------------------------------------------------------------


def _data(facts):
    profile, summary = facts.profile, facts.summary
    rows = [("survey", facts.survey or "not named"), *_line_rows(facts)]
    rows.append(("sections, without those held out", str(summary.get("n_sections", "–"))))
    axis, shapes = profile.get("vertical_axis"), summary.get("shapes") or []
    heights = sorted({shape[1] for shape in shapes})
    if axis and heights:
        rows.append(("vertical range", f"{axis[0]:g} to {axis[0] + (heights[-1] - 1) * axis[1]:g}"))
    if facts.interval:
        rows.append(("sample interval", f"{facts.interval:g}"))
    if heights:
        rows.append(("samples of a trace", _range_words(heights[0], heights[-1])))
    if profile:
        levels = dict(zip(LEVELS, profile["quantiles"], strict=True))
        rows += [
            ("amplitudes, 1 % to 99 %", _amplitude_words(levels)),
            ("standard deviation, about", _number((levels[0.841] - levels[0.159]) / 2)),
        ]
        rows += _frequency_rows(facts)
    if summary.get("hash"):
        rows.append(("hash of amplitudes and labels", f"`{summary['hash']}`"))
    text = ["## Training data", "", *markdown_table(("", ""), rows)]
    if len(facts.lines):
        text += ["", "Interpreted parts of the training lines:", ""]
        text += ["```text", line_map(facts.lines), "```"]
    return text


def _line_rows(facts):
    lines = facts.lines
    if len(lines):
        along = [lines[:, 0, k] == lines[:, 1, k] for k in (0, 1)]
        others = np.count_nonzero(~along[0] & ~along[1])
        rows = [
            (f"{name}s", number_words(lines[own, 0, k]))
            for k, (name, own) in enumerate(zip(("inline", "crossline"), along, strict=True))
            if own.any()
        ]
        return rows + ([("other lines", str(others))] if others else [])
    positions = getattr(facts.estimator, "lines_", None) or {}
    rows = [
        (f"{name}s, by position in the cube", number_words(own))
        for name, own in positions.items()
        if len(own)
    ]
    return rows or [("lines", "their place is not known")]


def _frequency_rows(facts):
    spectrum = facts.profile.get("spectrum")
    if spectrum is None:
        return []
    values = [mean_frequency(spectrum), *frequency_band(spectrum)]
    mean, low, high = (f"{value:.3g}" for value in values)
    hertz = ""
    if facts.interval:
        own = [f"{1000 * value / facts.interval:.0f}" for value in values]
        hertz = f" ({own[0]}, and {own[1]} to {own[2]} Hz if the interval is in milliseconds)"
    words = f"{mean} per sample, band {low} to {high}{hertz}"
    return [("dominant frequency", words)]


# --- scores ---------------------------------------------------------------------------------------


def _scores(facts):
    from skfacies._estimators.evidence import LEAST_RECALL

    training, held_out = facts.last.training_report_ or {}, facts.last.validation_report_ or {}
    support = dict(zip(facts.classes, facts.summary.get("support", ()), strict=False))
    total = sum(support.values()) or 1
    rows, weak = [], []
    for label in facts.sorted_labels():
        own, known = held_out.get(str(label), {}), training.get(str(label), {})
        rows.append(
            (
                facts.names[label],
                str(label),
                _count(support.get(label, 0)),
                f"{support.get(label, 0) / total:.1%}",
                *(_score(own.get(name)) for name in ("iou", "recall", "precision")),
                _count(own.get("support", 0)) if own else "–",
                _score(known.get("recall")),
            )
        )
        poor = [
            f"recall {row['recall']:.2f} {where}"
            for row, where in ((own, "on the held-out block"), (known, "on the training lines"))
            if row and row["recall"] < LEAST_RECALL
        ]
        if support.get(label, 0) < RARE * total:
            poor.append(f"{support.get(label, 0) / total:.2%} of the labeled samples")
        if held_out and not own.get("support"):
            poor.append("not in the held-out block")
        weak += [f"- **{facts.names[label]}**: {', '.join(poor)}."] if poor else []
    heads = ("unit", "label", "labeled samples", "share", "IoU", "recall", "precision")
    heads += ("samples", "recall, training lines")
    text = ["## Units and scores", ""]
    if facts.last.unit_order_ is not None:
        text += ["Units from top to bottom; predictions keep this order.", ""]
    if held_out:
        text += [
            "IoU, recall, precision and samples are those of traces that were held out: mean IoU "
            f"{_score(held_out.get('mean_iou'))} (training lines: "
            f"{_score(training.get('mean_iou'))}). They lie in a block beside the training traces, "
            "if `fit` was not given others. Scores elsewhere in the survey are lower, and those of "
            "other surveys unknown: `skfacies.model_selection.BlockKFold` measures what to expect "
            "at a distance.",
        ]
    else:
        text += [
            "Nothing was held out. Only the fit to the training lines is known, mean IoU "
            f"{_score(training.get('mean_iou'))}; elsewhere the scores are lower."
        ]
    text += ["", *markdown_table(heads, rows)]
    return [*text, "", "Look twice at these units:", "", *weak] if weak else text


def _count(value):
    return f"{int(value):,}".replace(",", " ")


def _number(value):
    """Three digits, without an exponent where numbers are of common size."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:.10g}" if abs(rounded) < 1e7 else f"{rounded:g}"


def _amplitude_words(levels):
    return f"{_number(levels[0.01])} to {_number(levels[0.99])}"


def _range_words(low, high):
    return f"{low}" if low == high else f"{low} to {high}"


def _score(value):
    return "–" if value is None or not np.isfinite(value) else f"{value:.2f}"


# --- limits ---------------------------------------------------------------------------------------


def _limits(facts):
    profile, last = facts.profile, facts.last
    names = ", ".join(facts.names[label] for label in facts.sorted_labels())
    points = [
        f"- where other units occur than {names}: each sample gets one of these, often with a high "
        "probability."
    ]
    if profile:
        levels = dict(zip(LEVELS, profile["quantiles"], strict=True))
        points.append(
            f"- on amplitudes of another scale (training: {_amplitude_words(levels)}), "
            'polarity, phase or balancing (AGC). `rescale="survey"` adapts to the scale only.'
        )
        if profile.get("spectrum") is not None:
            words = (
                f"a mean frequency far from {mean_frequency(profile['spectrum']):.3g} per sample"
            )
            interval = (
                f" or a sample interval other than {facts.interval:g}" if facts.interval else ""
            )
            points.append(f"- on data of {words}{interval}. Resample or filter them first.")
    if last._heights:
        points.append(
            "- on another depth window: the model knows sections of "
            f"{_range_words(*last._heights)} samples from top to base, and goes by depth, too."
        )
    points.append(
        "- far from the training lines, without a look at `skfacies.qc.prediction_entropy` and "
        "some lines of your own; `skfacies next` names the lines to interpret."
    )
    points.append(
        "- as the only basis of a decision. Probabilities say how sure the network is, not how "
        "often it is right."
    )
    text = ["## Do not use it", "", *points, ""]
    return [*text, "`skfacies check MODEL SURVEY` compares a survey with the training data."]


# --- training -------------------------------------------------------------------------------------


def _training(facts):
    last, summary = facts.last, facts.summary
    history = last.history_ or []
    seconds = sum(row.get("dur", 0) for row in history)
    best = ([row for row in history if row.get("best")] or history[-1:] or [{}])[-1]
    losses = ", ".join(
        f"{name.replace('_', ' ')} {best[name]:.3g}"
        for name in ("train_loss", "valid_loss", "valid_miou")
        if best.get(name) is not None
    )
    seed = last.random_state
    n_weights = sum(value.numel() for value in last.net_.module_.parameters())
    n_trainings = summary.get("n_trainings", 1)
    rows = [
        ("epochs", f"{last.n_iter_}"),
        ("duration", f"{seconds:.0f} s on {last.device_}, in {last.precision_}"),
        ("last epoch", losses or "–"),
        ("seed", "none: a repeated fit differs" if seed is None else str(seed)),
        (
            "weights",
            f"{n_weights / 1e6:.1f} million; encoder from {last.encoder_weights_ or 'random ones'}",
        ),
        ("skfacies", f"{last._version} (this card: {__version__})"),
        *_version_rows(),
    ]
    if n_trainings > 1:
        rows.insert(1, ("trainings", f"{n_trainings}, each from the weights of the one before"))
    changed = _changed_parameters(facts.estimator, last)
    text = ["## Training", "", *markdown_table(("", ""), rows), ""]
    if changed:
        return [*text, "Parameters other than the default:", "", "```python", *changed, "```"]
    return [*text, "All parameters have their default."]


def _version_rows():
    import torch

    return [("torch", torch.__version__), ("numpy", np.__version__)]


def _changed_parameters(*estimators):
    """Lines such as ``FaciesSegmenter.max_epochs = 2`` of what differs from the default."""
    lines = []
    for estimator in dict.fromkeys(estimators):
        defaults = inspect.signature(type(estimator).__init__).parameters
        for name, value in estimator.get_params(deep=False).items():
            if name in ("estimator", "steps", "random_state", "verbose", "scratch_dir"):
                continue
            text, default = repr(value), repr(getattr(defaults.get(name), "default", None))
            if text != default:
                text = text if len(text) <= 120 else f"{text[:120]} …"
                lines.append(f"{type(estimator).__name__}.{name} = {text}")
    return lines


# --- privacy --------------------------------------------------------------------------------------


def _privacy(facts):
    traces, contacts = facts.profile.get("traces", ()), facts.last.contacts_
    points = ["- the weights, and statistics of the amplitudes;"]
    if len(facts.lines):
        points.append(f"- line numbers of the ends of {len(facts.lines)} training lines;")
    if len(traces):
        points.append(
            f"- {len(traces)} training traces as they are, with their line numbers, which tell "
            "`skfacies check` the polarity and phase of another version of the survey. "
            "`save_model(..., training_traces=False)` leaves them out;"
        )
    if contacts is not None:
        points.append(
            f"- the picked contacts at {len(contacts.points_)} training traces, which predictions "
            "with line numbers go by."
        )
    points[-1] = points[-1].rstrip(";.") + "."
    return ["## Training data in the model", "", "Who has the model also has:", "", *points]
