"""The mix as tensors on a device: several at once, nothing asked of the device on the way.

Each function does what its namesake in ``mix`` does to one song, to a batch of songs of one
length; what is a branch there is a choice here, so that a CUDA graph can hold the whole.
"""

from __future__ import annotations

from autovoice.mix.resident.mixer import ResidentMixer

__all__ = ["ResidentMixer"]
