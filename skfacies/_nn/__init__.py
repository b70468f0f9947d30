"""Network, sections dataset, augmentation, training and prediction in torch.

Modules of this folder import downwards: training and inference -> data -> network -> weights.
"""
