"""Custom ops: each has a reference in PyTorch for every device and a CUDA kernel where it pays.

The dispatcher picks: no caller asks what is there. ``library.implementations`` says what was picked
and why.
"""

from autovoice.kernels.harmonic_source import harmonic_source
from autovoice.kernels.library import load, switched_off
from autovoice.kernels.log_mel import LogScale, band_spans, log_mel, takes_log_mel
from autovoice.kernels.pitch.voicing import FrameRules
from autovoice.kernels.pitch_finish import pitch_finish
from autovoice.kernels.polar_stft import polar_istft, polar_stft
from autovoice.kernels.style_conv1d import Activation, style_conv1d
from autovoice.kernels.style_rows import row_moments, style_pool
from autovoice.kernels.topk_cosine import inverse_norms, topk_cosine

__all__ = [
    "Activation",
    "FrameRules",
    "LogScale",
    "band_spans",
    "harmonic_source",
    "inverse_norms",
    "log_mel",
    "pitch_finish",
    "polar_istft",
    "polar_stft",
    "row_moments",
    "style_conv1d",
    "style_pool",
    "switched_off",
    "takes_log_mel",
    "topk_cosine",
]

# Whoever has the ops has their kernels: without this they would run as their references.
load()
