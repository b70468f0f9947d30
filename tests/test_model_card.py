"""Model cards: what is known of a model, and what of its training data is in its file."""

import re

import numpy as np
import pytest

from skfacies import AmplitudeScaler, CubeSegmenter
from skfacies.__main__ import main
from skfacies.metrics import facies_report
from skfacies.persistence import load_model, model_card, save_model
from skfacies.persistence._line_map import line_map, number_words
from skfacies.qc import check_survey

xarray = pytest.importorskip("xarray")


@pytest.fixture(scope="module")
def cube(survey):
    """Amplitudes with line numbers and times."""
    axes = {"inline": range(100, 124, 2), "crossline": range(300, 340), "twt": range(0, 192, 4)}
    return xarray.DataArray(1000 * survey.data, axes, list(axes))


@pytest.fixture(scope="module")
def model(make_tiny, cube, survey):
    """A model of every third inline."""
    labels = np.full(survey.target.shape, -1)
    labels[::3] = survey.target[::3]
    return CubeSegmenter(
        make_tiny(max_epochs=2, validation_fraction=0.3, class_weight={0: 2.0})
    ).fit(cube, labels)


def rows_of(card):
    """Cells of the tables of a card, by their first."""
    rows = [line[2:-2].split(" | ") for line in card.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows}


def test_card_says_what_was_trained_on(model):
    model = CubeSegmenter.from_fitted(model.estimator_)
    model.label_names_ = {0: "shale", 1: "tight|sand", 2: "salt"}
    card = model_card(model, survey="Nowhere")
    assert card.startswith("# Model card: facies of Nowhere\n")
    rows = rows_of(card)
    assert rows["inlines"] == ["100 to 118, every 6 (4 lines)"]
    assert rows["vertical range"] == ["0 to 188"]
    assert rows["sample interval"] == ["4"]
    assert rows["samples of a trace"] == ["48"]
    assert rows["epochs"] == ["3"]  # with one for lines without labels
    assert rows["seed"] == ["0"]
    assert re.fullmatch(r"`[0-9a-f]{32}`", rows["hash of amplitudes and labels"][0])
    assert "shale, tight|sand, salt" in card
    assert r"| tight\|sand | 1 |" in card
    assert "FaciesSegmenter.class_weight = {0: 2.0}" in card
    assert "FaciesSegmenter.tta" not in card
    assert "inline 100 |---" in card


def test_card_has_the_scores_of_the_held_out_block(model):
    card, last = model_card(model), model.estimator_
    for label in "012":
        own, known = last.validation_report_[label], last.training_report_[label]
        row = rows_of(card)[label]
        assert row[3:6] == [f"{own[name]:.2f}" for name in ("iou", "recall", "precision")]
        assert row[6:] == [str(int(own["support"])), f"{known['recall']:.2f}"]
        poor = min(own["recall"], known["recall"]) < 0.8
        assert (f"- **{label}**: recall " in card) == poor


def test_card_without_held_out_traces_or_places(make_tiny, survey):
    segmenter = make_tiny(validation_fraction=0, random_state=None)
    card = model_card(segmenter.fit(survey.data, survey.target))
    assert "Nothing was held out." in card
    rows = rows_of(card)
    assert rows["lines"] == ["their place is not known"]
    assert rows["survey"] == ["not named"]
    assert rows["seed"] == ["none: a repeated fit differs"]
    assert "```text" not in card


def test_card_of_a_cube_without_line_numbers_has_positions(make_tiny, survey):
    segmenter = CubeSegmenter(make_tiny(), "both", step=5).fit(survey.data, survey.target)
    rows = rows_of(model_card(segmenter))
    assert rows["inlines, by position in the cube"] == ["0, 5, 10"]


def test_only_models_have_cards(survey):
    with pytest.raises(ValueError, match="hold one; got a AmplitudeScaler"):
        model_card(AmplitudeScaler().fit(survey.data))


def test_training_traces_can_be_left_out_of_the_file(model, cube, tmp_path):
    assert "12 training traces as they are" in model_card(model)
    save_model(model, tmp_path / "m.safetensors", training_traces=False)
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.estimator_.training_profile_["traces"].size == 0
    assert len(model.estimator_.training_profile_["traces"]) == 12
    assert "training traces as they are" not in model_card(loaded)
    assert (loaded.predict(cube) == model.predict(cube)).all()
    assert check_survey(loaded, cube).rows[0].verdict == "ok"
    loaded.refine(cube, np.where(np.arange(12)[:, None, None] == 5, model.predict(cube), -1))
    assert "2, each from the weights" in model_card(loaded)


def test_the_command_writes_a_card(model, tmp_path, capsys):
    file, card = str(tmp_path / "m.safetensors"), tmp_path / "card.md"
    save_model(model, file, label_names=["a", "b", "c"])
    assert main(["info", file, "--card", str(card), "--survey", "Here"]) == 0
    text = capsys.readouterr().out
    assert f"wrote {card}" in text
    assert "training data inside" in text
    assert "12 traces as they are, picked contacts at 160 traces" in " ".join(text.split())
    assert re.search(r"recall on held-out traces +a \d\.\d\d, b ", text)
    assert card.read_text(encoding="utf-8") == model_card(load_model(file), survey="Here")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["m.safetensors", "--card", "m.safetensors"], "the output would replace"),
        (["m.safetensors", "--survey", "Here"], "Add --card CARD"),
        (["a.npy", "--card", "card.md"], "--card is for models"),
        (["m.safetensors", "--card", "card.npy"], "is named as a cube or a model"),
    ],
)
def test_cards_that_cannot_be_written(arguments, message, model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_model(model, "m.safetensors")
    np.save("a.npy", np.zeros((2, 2, 2)))
    assert main(["info", *arguments]) == 1
    assert message in capsys.readouterr().err


# --- lines ----------------------------------------------------------------------------------------


def test_map_of_crossing_lines():
    lines = np.array(
        [[[10, 1], [10, 5]], [[12, 1], [12, 5]], [[10, 3], [13, 3]], [[10, 5], [13, 2]]]
    )
    assert line_map(lines.astype(float)).splitlines() == [
        "           crossline",
        "           1   5",
        "          +-----+",
        "inline 10 |--+-+|",
        "          |  |* |",
        "          |--+--|",
        "inline 13 | *|  |",
        "          +-----+",
    ]


def test_map_of_a_single_line():
    text = line_map(np.array([[[10.0, 1.0], [10.0, 500.0]]]))
    assert "inline 10 |" + 48 * "-" + "|" in text


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([3, 1], "1, 3"),
        ([1, 3, 5, 7], "1 to 7, every 2 (4 lines)"),
        (np.arange(20) ** 2, "20 lines from 0 to 361"),
    ],
)
def test_numbers_in_words(numbers, words):
    assert number_words(numbers) == words


# --- what a fit keeps -----------------------------------------------------------------------------


def test_validation_report_is_that_of_the_validation_data(make_tiny, survey):
    X, y = survey.data[8:], survey.target[8:]
    segmenter = make_tiny().fit(survey.data[:8], survey.target[:8], validation_data=(X, y))
    expected = facies_report(y, segmenter.predict(X), output_dict=True)
    assert segmenter.validation_report_ == expected
    segmenter.partial_fit(survey.data[:8], survey.target[:8])
    assert segmenter.validation_report_ is None


def hash_of(segmenter, X, y, **options):
    return segmenter.fit(X, y, **options)._training_summary["hash"]


def test_hash_is_that_of_the_data_and_not_of_what_holds_them(make_tiny, survey):
    segmenter, X, y = make_tiny(), survey.data[:3], survey.target[:3]
    known = hash_of(segmenter, X, y)
    assert hash_of(segmenter, list(X.astype(">f8")), list(y.astype(np.int64))) == known
    assert hash_of(make_tiny(validation_fraction=0, lr=1e-2), X, y) == known
    other = y.copy()
    other[1, 5, 5] = 1 - other[1, 5, 5]
    assert hash_of(segmenter, X, other) != known
    assert hash_of(segmenter, np.nextafter(X, np.float32(9)), y) != known
    assert hash_of(make_tiny(warm_start=True).fit(X, y), X, y) != known
