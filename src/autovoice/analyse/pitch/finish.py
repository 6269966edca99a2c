"""From a network's raw estimate to a pitch curve: voicing, octaves, then a finer grid."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from autovoice.analyse.pitch.base import SAMPLE_RATE_HZ
from autovoice.analyse.pitch.grid import resample_pitch
from autovoice.analyse.pitch.octave import follow_evidence, repair_octaves
from autovoice.analyse.pitch.refine import octave_evidence, refine_f0
from autovoice.analyse.pitch.voicing import Mask, VoicingRules, decide_voicing, frame_level_db
from autovoice.types import FloatArray, Pitch

# Every tracker ends on this grid: 8 ms, frame k centred on sample 128 k.
HOP_SAMPLES = 128


def finish(
    samples: FloatArray,
    raw: Pitch,
    rules: VoicingRules,
    device: torch.device,
) -> Pitch:
    """Decide voicing, put octaves right and sharpen; F0 is 0 where unvoiced.

    Args:
        samples: ``[T]`` at 16 kHz, at the recording's own level.
        raw: the network's F0 for every frame, voiced or not, and its confidence.
        rules: the voicing decision.
        device: where to do the arithmetic.

    Shape: raw ``[F]`` -> ``[T // 128 + 1]``, 8 ms between frames.
    """
    hop_samples = round(raw.hop_s * SAMPLE_RATE_HZ)
    offset_samples = round(raw.offset_s * SAMPLE_RATE_HZ)
    level_db = frame_level_db(samples, len(raw.f0_hz), hop_samples, offset_samples)
    voiced = decide_voicing(raw.confidence, level_db, raw.hop_s, rules)
    sound = torch.from_numpy(samples).to(device)
    centres = offset_samples + hop_samples * np.arange(len(raw.f0_hz))
    evidence = np.zeros_like(raw.f0_hz)
    frames = _voiced_frames(raw.f0_hz, centres, voiced, device)
    evidence[voiced] = octave_evidence(sound, *frames).cpu().numpy()
    f0_hz = follow_evidence(raw.f0_hz, evidence, voiced)
    f0_hz = np.where(voiced, repair_octaves(f0_hz, voiced, raw.hop_s), 0.0).astype(np.float32)
    coarse = Pitch(f0_hz, raw.confidence, raw.hop_s, raw.offset_s)
    return _sharpened(sound, coarse, device)


def _sharpened(sound: torch.Tensor, coarse: Pitch, device: torch.device) -> Pitch:
    frames = sound.shape[0] // HOP_SAMPLES + 1
    fine = resample_pitch(coarse, HOP_SAMPLES / SAMPLE_RATE_HZ, 0.0, frames)
    voiced = fine.f0_hz > 0
    curve = fine.f0_hz.copy()
    centres = HOP_SAMPLES * np.arange(frames)
    picked = _voiced_frames(curve, centres, voiced, device)
    curve[voiced] = refine_f0(sound, *picked).cpu().numpy()
    return Pitch(curve, fine.confidence, fine.hop_s, fine.offset_s)


def _voiced_frames(
    f0_hz: FloatArray, centres: NDArray[np.int64], voiced: Mask, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    return (
        torch.from_numpy(f0_hz[voiced]).to(device),
        torch.from_numpy(centres[voiced]).to(device),
    )
