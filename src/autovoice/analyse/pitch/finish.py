"""From a network's raw estimate to a pitch curve: voicing, octaves, then a finer grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from autovoice.analyse.pitch.base import SAMPLE_RATE_HZ
from autovoice.analyse.pitch.grid import resample_pitch
from autovoice.analyse.pitch.octave import follow_evidence, repair_octaves
from autovoice.analyse.pitch.refine import octave_evidence, refine_f0
from autovoice.analyse.pitch.voicing import Mask, VoicingRules, decide_voicing, frame_level_db
from autovoice.kernels.pitch.constants import ANY_HZ, FINE_HOP_SAMPLES
from autovoice.nn.graphs import GraphCache
from autovoice.types import FloatArray, Pitch

HOP_SAMPLES = FINE_HOP_SAMPLES


def finish(
    samples: FloatArray,
    raw: Pitch,
    rules: VoicingRules,
    device: torch.device,
    graphs: GraphCache | None = None,
) -> Pitch:
    """Decide voicing, put octaves right and sharpen; F0 is 0 where unvoiced.

    Args:
        samples: ``[T]`` at 16 kHz, at the recording's own level.
        raw: the network's F0 for every frame, voiced or not, and its confidence.
        rules: the voicing decision.
        device: where to do the arithmetic.
        graphs: replays it on a GPU. Default: it is launched step by step.

    Shape: raw ``[F]`` -> ``[T // 128 + 1]``, 8 ms between frames.
    """
    hop_samples = round(raw.hop_s * SAMPLE_RATE_HZ)
    offset_samples = round(raw.offset_s * SAMPLE_RATE_HZ)
    level_db = frame_level_db(samples, len(raw.f0_hz), hop_samples, offset_samples)
    voiced = decide_voicing(raw.confidence, level_db, raw.hop_s, rules)
    sound = torch.from_numpy(samples).to(device)
    centres = offset_samples + hop_samples * np.arange(len(raw.f0_hz))
    evidence = _on_voiced(octave_evidence, sound, raw.f0_hz, centres, voiced, graphs=graphs)
    f0_hz = follow_evidence(raw.f0_hz, evidence, voiced)
    f0_hz = np.where(voiced, repair_octaves(f0_hz, voiced, raw.hop_s), 0.0).astype(np.float32)
    coarse = Pitch(f0_hz, raw.confidence, raw.hop_s, raw.offset_s)
    return _sharpened(sound, coarse, graphs)


def _sharpened(sound: torch.Tensor, coarse: Pitch, graphs: GraphCache | None) -> Pitch:
    frames = sound.shape[0] // HOP_SAMPLES + 1
    fine = resample_pitch(coarse, HOP_SAMPLES / SAMPLE_RATE_HZ, 0.0, frames)
    centres = HOP_SAMPLES * np.arange(frames)
    curve = _on_voiced(refine_f0, sound, fine.f0_hz, centres, fine.f0_hz > 0, graphs=graphs)
    return Pitch(curve, fine.confidence, fine.hop_s, fine.offset_s)


def _on_voiced(
    work: Callable[..., torch.Tensor],
    sound: torch.Tensor,
    f0_hz: FloatArray,
    centres: NDArray[np.int64],
    voiced: Mask,
    *,
    graphs: GraphCache | None,
) -> FloatArray:
    """Run ``work`` on the voiced frames, 0 elsewhere, ``[F]``.

    A GPU works on all frames, so that the shapes are those of every sound of this length.
    """
    found = np.zeros(len(f0_hz), np.float32)
    if not voiced.any():
        return found
    everywhere = sound.is_cuda
    picked = np.where(voiced, f0_hz, ANY_HZ) if everywhere else f0_hz[voiced]
    places = centres if everywhere else centres[voiced]
    tensors = (torch.from_numpy(x).to(sound.device) for x in (picked.astype(np.float32), places))
    made = work(sound, *tensors, graphs).cpu().numpy()
    found[voiced] = made[voiced] if everywhere else made
    return found
