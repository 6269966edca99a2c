"""From a network's raw pitch to pitch curves: voicing, octaves, a finer grid, a sharper value.

Sources: ``analyse.pitch`` says what is decided and why; instantaneous frequency is Flanagan and
Golden (1966) and Auger and Flandrin (1995), the path of octaves Viterbi (1967).
"""

from __future__ import annotations

import torch
from torch import Tensor

from autovoice.kernels import library
from autovoice.kernels.pitch.constants import ANY_HZ, FINE_HOP_SAMPLES, SAMPLE_RATE_HZ
from autovoice.kernels.pitch.grid import between, interpolated
from autovoice.kernels.pitch.octave import around, follow_evidence, repair_octaves
from autovoice.kernels.pitch.refine import frames_around, octave_evidence, refine_f0
from autovoice.kernels.pitch.voicing import FrameRules, decide_voicing, frame_level_db

NAME = "pitch_finish"


def pitch_finish(
    samples: Tensor, f0_hz: Tensor, confidence: Tensor, *, hop_samples: int, rules: FrameRules
) -> tuple[Tensor, Tensor]:
    """Decide voicing, put octaves right and sharpen; inference only.

    Args:
        samples: ``[B, T]`` float32 at 16 kHz, at the recordings' own level.
        f0_hz: ``[B, F]`` float32, above 0 in every frame; frame ``k`` centred on ``k hop``.
        confidence: ``[B, F]`` float32 in [0, 1].
        hop_samples: between the network's frames.
        rules: the voicing decision.

    Returns:
        F0 in Hz, 0 where unvoiced, and confidence, ``[B, T // 128 + 1]`` float32 each.

    Raises:
        RuntimeError: shapes or types that do not fit.
    """
    numbers = (
        hop_samples, rules.most_gap, rules.least_run,
        rules.start, rules.hold, rules.gate_db, rules.range_db,
    )  # fmt: skip
    if not library.enabled(NAME):
        return reference(samples, f0_hz, confidence, *numbers)
    tensors = (samples.contiguous(), f0_hz.contiguous(), confidence.contiguous())
    made: tuple[Tensor, Tensor] = torch.ops.autovoice.pitch_finish(*tensors, *numbers)
    return made


def reference(
    samples: Tensor, f0_hz: Tensor, confidence: Tensor, hop: int, most_gap: int, least_run: int,
    start: float, hold: float, gate_db: float, range_db: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Do the same by PyTorch's layers; arguments as the op's own."""
    frames, hop_s = f0_hz.shape[1], hop / SAMPLE_RATE_HZ
    rules = FrameRules(start, hold, gate_db, range_db, most_gap, least_run)
    level_db = frame_level_db(samples, frames, hop)
    voiced, first, last = decide_voicing(confidence, level_db, rules)
    picked = torch.where(voiced, f0_hz, ANY_HZ)
    evidence = octave_evidence(frames_around(samples, hop, frames), picked)
    held, mirrored = around(first, last)
    coarse = follow_evidence(picked, evidence, voiced, held)
    coarse = repair_octaves(coarse, voiced, first, mirrored, hop_s)
    fine_count = samples.shape[1] // FINE_HOP_SAMPLES + 1
    step = torch.arange(fine_count, device=samples.device, dtype=torch.float64)
    position = step * (FINE_HOP_SAMPLES / SAMPLE_RATE_HZ) / hop_s
    fine, sung = between(coarse, voiced, (first, last), position)
    guess = torch.where(sung, fine, ANY_HZ)
    sharp = refine_f0(frames_around(samples, FINE_HOP_SAMPLES, fine_count), guess)
    return torch.where(sung, sharp, 0.0), interpolated(confidence, position)


def _fake(
    samples: Tensor, f0_hz: Tensor, confidence: Tensor, hop: int, most_gap: int, least_run: int,
    start: float, hold: float, gate_db: float, range_db: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    shape = (f0_hz.shape[0], samples.shape[1] // FINE_HOP_SAMPLES + 1)
    return f0_hz.new_empty(shape), f0_hz.new_empty(shape)


library.declare(
    "pitch_finish(Tensor samples, Tensor f0_hz, Tensor confidence, int hop_samples, int most_gap, "
    "int least_run, float start, float hold, float gate_db, float range_db) -> (Tensor, Tensor)",
    reference,
    _fake,
)
