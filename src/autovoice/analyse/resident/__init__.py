"""What is heard in a vocal, as tensors on a device: several at once, in a single pass.

Each function does what its namesake in ``analyse`` does to one vocal, to a batch of vocals of one
length; what is a loop over runs of frames there is a scan here, so that a CUDA graph can hold it.
"""

from __future__ import annotations

from autovoice.analyse.resident.hearing import Heard, Hearing

__all__ = ["Heard", "Hearing"]
