"""Where the last bits count: convolutions that a GPU would otherwise round to TF32."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def float32_convolutions() -> AbstractContextManager[None]:
    """Run convolutions in float32 inside; by default cuDNN rounds their inputs to 11 bits.

    The setting is the process's, so keep what stands inside short.
    """
    made: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return made
