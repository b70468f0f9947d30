"""Recipes by name: what they change in the default `FaciesSegmenter`."""

#: Augmentation of the amplitudes only, as many trainings here were done that led to the default.
_PLAIN = dict.fromkeys(("stretch", "shift", "dip", "warp", "frequency", "fade"), 0.0)

#: Twice as strong as the default.
_STRONG = {"stretch": 0.15, "dip": 20.0, "warp": 14.0, "shift": 20.0}

_DEPTH = {"depth_channel": True}


def _plain(**strengths):
    return {"augment": _PLAIN | strengths, "unit_order": None}


RECIPES = {
    "default": {},
    "default, no order": {"unit_order": None},
    "default, depth": _DEPTH,
    "default, flips at prediction": {"tta": True},
    "default, training's statistics": {"section_statistics": False},
    "default, displacements twice as large": {
        "augment": {"shift": 20.0, "dip": 20.0, "warp": 14.0}
    },
    "default, no fade": {"augment": {"fade": 0.0}},
    "default, betas of torch": {"net_params": {"optimizer__betas": (0.9, 0.999)}},
    "neighboring lines as channels": {"neighbors": 1},
    "two lines to either side as channels": {"neighbors": 2},
    "plain": _plain(),
    "plain, depth": _plain() | _DEPTH,
    "plain, frequency": _plain(frequency=0.5),
    "plain, cutout": _plain(cutout=0.4),
    "plain, polarity": _plain(polarity=0.5),
    "plain, shift and depth": _plain(shift=40.0) | _DEPTH,
    "strong geometry": _plain(**_STRONG),
    "strong geometry, depth": _plain(**_STRONG) | _DEPTH,
    "strong geometry, frequency": _plain(**_STRONG, frequency=0.5),
    "noise 0.1": {"augment": {"noise": 0.1}},
    "noise 0.5": {"augment": {"noise": 0.5}},
    "whole sections": {"crop_size": None, "batch_size": 1},
    "crops of 128 traces": {"crop_size": 128, "batch_size": 4},
    "resnet34": {"encoder_name": "resnet34"},
    "efficientnet-b0": {"encoder_name": "efficientnet-b0"},
    "Unet++": {"architecture": "UnetPlusPlus"},
    "FPN": {"architecture": "FPN"},
    "DeepLabV3+": {"architecture": "DeepLabV3Plus"},
    "Segformer, resnet18": {"architecture": "Segformer"},
    "Linknet": {"architecture": "Linknet"},
    "MAnet": {"architecture": "MAnet"},
    "UPerNet": {"architecture": "UPerNet"},
    "RegNetY-400MF": {"encoder_name": "timm-regnety_004"},
    "Segformer, mit_b0": {"architecture": "Segformer", "encoder_name": "mit_b0"},
    "Dice": {"loss": "dice"},
    "focal": {"loss": "focal"},
    "Lovász": {"loss": "lovasz"},
    "class weights": {"class_weight": "balanced"},
    "label smoothing 0.05": {"net_params": {"criterion__label_smoothing": 0.05}},
    "label smoothing 0.1": {"net_params": {"criterion__label_smoothing": 0.1}},
    "label smoothing 0.3": {"net_params": {"criterion__label_smoothing": 0.3}},
    "weight decay 0.1": {"net_params": {"optimizer__weight_decay": 0.1}},
    "default, no averages along reflectors": {"dip_smoothing": None},
    "batches of 4": {"batch_size": 4},
    "default, patience of 20 epochs": {"net_params": {"callbacks__lr_plateau__patience": 20}},
    "a twentieth held out": {"validation_fraction": 0.05},
    "nothing held out": {"validation_fraction": 0.0},
    "constant rate": {"lr_schedule": "constant"},
}
