"""The network: data, augmentation, training and prediction in torch.

Imports `_sections` and `_stratigraphy`.
"""
