"""Recipes by name: what they change in the default `FaciesSegmenter`."""

RECIPES = {
    "default": {},
    "adapted": {"adapt": True},
    "mean of three": {"networks": 3},
    "mirrored too": {"tta": True},
    "no positions": {"positions": None},
    "no order": {"unit_order": None},
    "no means": {"dip_smoothing": None},
    "a tenth held out": {"validation_fraction": 0.1},
    "training's statistics": {"section_statistics": False},
    "no fade": {"augment": {"fade": 0.0}},
    "wide decoder": {"decoder_channels": None},
    "betas of PyTorch": {"net_params": {"optimizer__betas": (0.9, 0.999)}},
    "depth": {"depth_channel": True},
    "neighboring lines as channels": {"neighbors": 1},
    "class weights": {"class_weight": "balanced"},
    "equal weights": {"class_weight": None},
    "label smoothing": {"net_params": {"criterion__label_smoothing": 0.1}},
    "whole sections": {"crop_size": None, "batch_size": 1},
    "resnet34": {"encoder_name": "resnet34"},
    "Unet++": {"architecture": "UnetPlusPlus"},
    "Linknet": {"architecture": "Linknet"},
}

#: Parameters of predictions: recipes that differ in them share a training, that of the default.
AT_PREDICTION = {"dip_smoothing", "positions", "tta", "unit_order"}
