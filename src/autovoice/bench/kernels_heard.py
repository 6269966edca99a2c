"""The ops with which a vocal is heard, beside the layers that they stand in for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autovoice.bench.timing import Pair
from autovoice.kernels import FrameRules, pitch_finish
from autovoice.kernels.pitch_finish import reference
from autovoice.nn.mel24k import Mel24k, log_norm
from autovoice.nn.swift_f0 import HOP_SAMPLES, SAMPLE_RATE_HZ, WINDOWS_SAMPLES, LogSpectrogram
from autovoice.nn.whisper_mel import WhisperMel

# As the pitch tracker has them, in frames of 16 ms.
_RULES = FrameRules(start=0.5, hold=0.45, gate_db=-66.0, range_db=50.0, most_gap=2, least_run=3)


def heard_pairs(batch: int, device: str) -> dict[str, Pair]:
    """Return each op and its layers, both to be called, on a second of ``batch`` sounds."""
    at_16k = _voice(SAMPLE_RATE_HZ).repeat(batch, 1).to(device)
    at_24k = _voice(24_000).repeat(batch, 1).to(device)
    whisper, mel, spectra = WhisperMel().to(device), Mel24k().to(device), _spectra().to(device)
    return {
        "pitch_finish": _pitch(at_16k),
        "log_mel three windows": (
            lambda: spectra.fused(at_16k),
            lambda: spectra.plain(at_16k),
        ),
        "log_mel energy": (lambda: mel.log_norm(at_24k), lambda: log_norm(mel.plain(at_24k))),
        "log_mel recogniser": (lambda: whisper.fused(at_16k), lambda: whisper.plain(at_16k)),
    }


def _voice(rate_hz: int) -> Tensor:
    """Return a second of a low voice, every window near its longest, ``[1, T]``."""
    cycles = 110.0 * torch.arange(rate_hz, dtype=torch.float64) / rate_hz
    waves = [(2 * torch.pi * k * cycles).sin() / k for k in range(1, 12)]
    return 0.1 * torch.stack(waves).sum(0)[None].float()


def _pitch(sound: Tensor) -> Pair:
    frames = sound.shape[1] // HOP_SAMPLES + 1
    f0_hz = torch.full((len(sound), frames), 110.5, device=sound.device)
    f0_hz[:, frames // 2 : frames // 2 + 4] *= 2  # a slip to be repaired
    sure = torch.ones_like(f0_hz)

    def ours() -> Any:
        return pitch_finish(sound, f0_hz, sure, hop_samples=HOP_SAMPLES, rules=_RULES)

    def layers() -> Any:
        r = _RULES
        numbers = (r.most_gap, r.least_run, r.start, r.hold, r.gate_db, r.range_db)
        return reference(sound, f0_hz, sure, HOP_SAMPLES, *numbers)

    return ours, layers


def _spectra() -> LogSpectrogram:
    """Return the pitch network's spectra with bands as narrow as its own."""
    layer = LogSpectrogram()
    tensors: dict[str, Tensor] = {}
    for size in WINDOWS_SAMPLES:
        bank = torch.zeros(size // 2 + 1, 128)
        for band in range(128):
            first = round(size * 0.003 * 170 ** (band / 127))
            bank[first : first + 1 + first // 18, band] = 1.0
        tensors |= {f"window_{size}": torch.hann_window(size), f"bank_{size}": bank}
    layer.load_state_dict(tensors)
    return layer
