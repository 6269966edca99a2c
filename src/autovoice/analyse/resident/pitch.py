"""From a network's raw estimates to pitch curves, for a batch; see ``pitch.finish``."""

from __future__ import annotations

import torch
from torch import Tensor

from autovoice.analyse.pitch.base import SAMPLE_RATE_HZ
from autovoice.analyse.pitch.finish import ANY_HZ, HOP_SAMPLES
from autovoice.analyse.pitch.voicing import VoicingRules
from autovoice.analyse.resident.octave import around, follow_evidence, repair_octaves
from autovoice.analyse.resident.refine import frames_around, octave_evidence, refine_f0
from autovoice.analyse.resident.voicing import decide_voicing, frame_level_db


def levelled(samples: Tensor, peak: float = 0.15) -> Tensor:
    """Scale each sound to a common peak, as ``pitch.base.levelled``; silence stays; ``[B, T]``."""
    found = samples.abs().amax(1, keepdim=True)
    return samples * torch.where(found < 1e-5, 0.0, peak / found.clamp_min(1e-5))


def finish(
    samples: Tensor, f0_hz: Tensor, confidence: Tensor, hop_samples: int, rules: VoicingRules
) -> tuple[Tensor, Tensor]:
    """Decide voicing, put octaves right and sharpen.

    Args:
        samples: ``[B, T]`` at 16 kHz, at the recordings' own level.
        f0_hz, confidence: ``[B, F]`` of every frame, voiced or not, around multiples of a hop.
        hop_samples: between the network's frames.
        rules: the voicing decision.

    Returns:
        F0, 0 where unvoiced, and confidence, ``[B, T // 128 + 1]`` each.
    """
    frames, hop_s = f0_hz.shape[1], hop_samples / SAMPLE_RATE_HZ
    level_db = frame_level_db(samples, frames, hop_samples)
    voiced, first, last = decide_voicing(confidence, level_db, hop_s, rules)
    picked = torch.where(voiced, f0_hz, ANY_HZ)
    evidence = octave_evidence(frames_around(samples, hop_samples, frames), picked)
    held, mirrored = around(first, last)
    coarse = follow_evidence(picked, evidence, voiced, held)
    coarse = repair_octaves(coarse, voiced, first, mirrored, hop_s)
    fine_count = samples.shape[1] // HOP_SAMPLES + 1
    step = torch.arange(fine_count, device=samples.device, dtype=torch.float64)
    position = step * (HOP_SAMPLES / SAMPLE_RATE_HZ) / hop_s
    fine, sung = between(coarse, voiced, (first, last), position)
    guess = torch.where(sung, fine, ANY_HZ)
    sharp = refine_f0(frames_around(samples, HOP_SAMPLES, fine_count), guess)
    return torch.where(sung, sharp, 0.0), interpolated(confidence, position)


def interpolated(values: Tensor, position: Tensor) -> Tensor:
    """Read ``[B, F]`` between frames, straight lines, flat beyond the ends, ``[B, n]``."""
    place = position.clamp(0, values.shape[1] - 1)
    low = place.floor().long().clamp_max(max(values.shape[1] - 2, 0))
    high = (low + 1).clamp_max(values.shape[1] - 1)
    part = (place - low).to(values.dtype)
    left, right = values[:, low], values[:, high]
    return left + (right - left) * part


def between(
    f0_hz: Tensor, voiced: Tensor, runs: tuple[Tensor, Tensor], position: Tensor
) -> tuple[Tensor, Tensor]:
    """Read F0 between frames, cubic in its logarithm within each run; see ``grid``.

    Args:
        f0_hz: ``[B, F]``, above 0.
        voiced: ``[B, F]`` bool.
        runs: the first and last frame of the run that each frame is in, ``[B, F]``.
        position: ``[n]`` in frames, float64.

    Returns:
        F0 and whether it is voiced, ``[B, n]``.
    """
    nearest = (position + 0.5).floor().long()
    inside = nearest < f0_hz.shape[1]
    nearest = nearest.clamp_max(f0_hz.shape[1] - 1)
    first, last = (ends_of[:, nearest] for ends_of in runs)
    logs = f0_hz.double().log()
    place = position.maximum(first).minimum(last)
    index = place.floor().long().minimum((last - 1).maximum(first))
    part = place - index
    reach = torch.arange(-1, 3, device=index.device)
    places = (index[..., None] + reach).maximum(first[..., None]).minimum(last[..., None])
    before, here, there, after = logs.gather(1, places.flatten(1)).view(places.shape).unbind(2)
    before = torch.where(index == first, 2 * here - there, before)
    after = torch.where(index + 1 >= last, 2 * there - here, after)
    curve = (2 * before - 5 * here + 4 * there - after) + part * (
        3 * (here - there) + after - before
    )
    curve = here + 0.5 * part * ((there - before) + part * curve)
    return curve.exp().float(), voiced[:, nearest] & inside
