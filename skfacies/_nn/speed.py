"""The three speed-ups of `speedups`, or what does without them."""

import contextlib

__all__ = ["freed_memory_kept", "prepared_for_prediction", "spare_doubled_convolutions"]

try:
    from skfacies._nn.speedups.allocation import freed_memory_kept
    from skfacies._nn.speedups.prepared import prepared_for_prediction
    from skfacies._nn.speedups.upsampling import spare_doubled_convolutions
except ImportError:  # the parts of another segmentation-models-pytorch have other names

    def freed_memory_kept(give_back=False):
        """Leave the allocator as it is."""
        return contextlib.nullcontext()

    def prepared_for_prediction(module):
        """Return the network as it is."""
        return module

    def spare_doubled_convolutions(network):
        """Leave the decoder as it is."""
