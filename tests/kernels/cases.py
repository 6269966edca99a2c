"""What the kernels are tried on: every device that is there, and how near they must be."""

from __future__ import annotations

import pytest
import torch

from autovoice.kernels.library import load

ON_GPU = torch.cuda.is_available() and load()[0]
GPUS = torch.cuda.device_count() if ON_GPU else 0
# On the second GPU the first is the current one: what forgets to say where it works is found so.
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(GPUS < 1, reason="no GPU")]),
    pytest.param(
        "cuda:1", marks=[pytest.mark.gpu, pytest.mark.skipif(GPUS < 2, reason="no second GPU")]
    ),
]
# Largest error allowed, as a share of the largest value, by the type that is stored.
TOLERANCE = {torch.float16: 2e-3, torch.float32: 2e-6, torch.float64: 1e-9}


def worst(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest difference as a share of the largest value."""
    scale = expected.double().abs().max().clamp_min(1e-12)
    return float((found.double().cpu() - expected.double().cpu()).abs().max() / scale.cpu())
