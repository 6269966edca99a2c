"""Custom ops: each has a reference in PyTorch for every device and a CUDA kernel where it pays.

The dispatcher picks: no caller asks what is there. ``library.implementations`` says what was picked
and why.
"""

from autovoice.kernels.harmonic_source import harmonic_source
from autovoice.kernels.library import load
from autovoice.kernels.polar_stft import polar_istft, polar_stft
from autovoice.kernels.style_conv1d import Activation, style_conv1d
from autovoice.kernels.style_rows import row_moments, style_pool

__all__ = [
    "Activation",
    "harmonic_source",
    "polar_istft",
    "polar_stft",
    "row_moments",
    "style_conv1d",
    "style_pool",
]

# Whoever has the ops has their kernels: without this they would run as their references.
load()
