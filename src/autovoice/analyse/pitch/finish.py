"""From a network's raw estimate to a pitch curve: voicing, octave repair, filled gaps."""

from __future__ import annotations

import numpy as np

from autovoice.analyse.pitch.base import SAMPLE_RATE_HZ
from autovoice.analyse.pitch.octave import repair_octaves
from autovoice.analyse.pitch.voicing import VoicingRules, decide_voicing, frame_level_db
from autovoice.types import FloatArray, Pitch


def finish(
    samples: FloatArray,
    f0_hz: FloatArray,
    confidence: FloatArray,
    *,
    hop_samples: int,
    offset_samples: int,
    rules: VoicingRules,
) -> Pitch:
    """Decide voicing and repair octaves; F0 is 0 where unvoiced.

    Args:
        samples: ``[T]`` at 16 kHz, at the recording's own level.
        f0_hz: ``[F]`` raw estimate.
        confidence: ``[F]`` in [0, 1].
        hop_samples: samples between frames.
        offset_samples: centre of frame 0.
        rules: the voicing decision.
    """
    hop_s = hop_samples / SAMPLE_RATE_HZ
    level_db = frame_level_db(samples, len(f0_hz), hop_samples, offset_samples)
    voiced = decide_voicing(confidence, level_db, hop_s, rules)
    smooth = repair_octaves(f0_hz, voiced, hop_s)
    curve = np.where(voiced, smooth, 0.0).astype(np.float32)
    return Pitch(curve, confidence, hop_s, offset_samples / SAMPLE_RATE_HZ)
