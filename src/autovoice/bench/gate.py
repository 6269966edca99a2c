"""The quality gate: a figure of speed is void where the sound is not that of the slow way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from autovoice.nn.mel24k import SCALE, Mel24k

MOST_MEL_DB = 0.5
MOST_CENTS = 5.0
_NEPER_TO_DB = 20.0 / 2.302585


@dataclass(frozen=True)
class Gate:
    """How far the fast way is from float32 in eager PyTorch.

    Args:
        mel_db: mean difference of the log-mel spectra, dB.
        pitch_cents: median difference of the pitch that a tracker hears, cents.
        error: deviation of the difference as a share of the signal's.
    """

    mel_db: float
    pitch_cents: float
    error: float

    @property
    def held(self) -> bool:
        """Whether the figure counts."""
        return self.mel_db <= MOST_MEL_DB and self.pitch_cents <= MOST_CENTS

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self) | {"held": self.held}


def gate(found: Tensor, expected: Tensor) -> Gate:
    """Compare sound with sound, ``[B, T]`` at 24 kHz each, on any device."""
    found, expected = found.float().cpu(), expected.float().cpu()
    return Gate(
        mel_db=float(mel_apart_db(found, expected).mean()),
        pitch_cents=_cents(found, expected),
        error=float((found - expected).std() / expected.std().clamp_min(1e-9)),
    )


def mel_apart_db(found: Tensor, expected: Tensor) -> Tensor:
    """Return how far log-mel spectra are apart at each frame of 12.5 ms, the mean of their bands.

    Args:
        found, expected: ``[B, T]`` at 24 kHz, float32 on the CPU.

    Shape: ``[B, T // 300]``, dB.
    """
    mel = Mel24k()
    # The mel is (log power + 4) / 4; power and not amplitude: half the decibels.
    apart: Tensor = (mel(found) - mel(expected)).abs().mean(1)
    return apart * (SCALE / 2 * _NEPER_TO_DB)


def _cents(found: Tensor, expected: Tensor) -> float:
    from autovoice import io
    from autovoice.analyse.pitch import SwiftF0Tracker

    tracker = SwiftF0Tracker()
    curves = [
        [tracker.track(io.resample(row[None].numpy(), 24_000, 16_000)[0]).f0_hz for row in rows]
        for rows in (found, expected)
    ]
    pairs = [torch.from_numpy(x).log2() for x in map(_joined, curves)]
    both = torch.isfinite(pairs[0]) & torch.isfinite(pairs[1])
    if not both.any():
        return 0.0
    return float(1200 * (pairs[0] - pairs[1])[both].abs().median())


def _joined(curves: list[Any]) -> Any:
    import numpy as np

    return np.concatenate(curves)
