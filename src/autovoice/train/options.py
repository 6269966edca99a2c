"""What a base training is told: plain values, so that a bare machine needs no more than PyTorch.

``config.py`` reads the same names from TOML files and checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# What each loss counts in the sum that is descended.
WEIGHTS: Mapping[str, float] = {
    "asr": 4.0, "style": 0.3, "mel_synthetic": 0.5, "mel_real": 1.0, "peaks": 0.5, "words": 4.0,
    "voice": 2.0, "leak": 1.0, "pitch": 0.5, "octave": 1.0, "doubled": 0.5, "floor": 0.15,
    "colour": 0.6, "adversarial": 0.6, "features": 4.0, "match": 0.6,
}  # fmt: skip


@dataclass
class Options:
    """What to run and how large.

    Args:
        data, out: folders of the packed corpus and of checkpoints.
        phase: ``frozen`` or ``joint``.
        seconds: when to stop, whatever is reached; infinite for no such limit.
        steps: stop at this count, which goes on where a run of the same phase is resumed; the
            learning rate then falls by steps instead of by time. Default: no limit.
        judge_seconds: how many of the seconds go to the judge first (a run without a judge).
        judge_steps: so many steps for the judge instead.
        resume: folder of a checkpoint to go on from.
        batch: items of each kind in a step.
        frames: length of an item in 25 ms frames.
        learning_rate: of adapter and style encoder; the decoder learns at decoder_share of it.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: of the networks: ``bfloat16`` (mixed) or ``off`` (float32).
        seed: of every draw.
        limit: use so many clips of the corpus. Default: all.
        save_every_s: seconds between checkpoints.
        report_every: steps between reports.
        compile: run the decoder's residual blocks as fused kernels, compiled by Triton in the first
            steps (CUDA only; ``fused_activation.py``).
        sung_every: in phase ``joint`` every so many steps the teacher's song is converted too.
        graphs: capture each kind of step as a CUDA graph (CUDA only).
        weights: of the losses, by name.
        stock: batches of the teacher that are kept and drawn from again; 0 makes each anew.
        critic_frames: 25 ms frames of each item that the critics of sound hear; 0 for all.
        unmatched_share: of the adversarial weight where the true sound is not known; there the
            verdict on its own says less.
    """

    data: Path
    out: Path
    phase: str = "frozen"
    seconds: float = 480.0
    judge_seconds: float = 60.0
    resume: Path | None = None
    batch: int = 12
    frames: int = 96
    learning_rate: float = 4e-4
    decoder_share: float = 0.1
    device: str = "cuda"
    seed: int = 0
    limit: int | None = None
    save_every_s: float = 75.0
    compile: bool = False
    sung_every: int = 2
    graphs: bool = False
    steps: int | None = None
    judge_steps: int | None = None
    precision: str = "bfloat16"
    report_every: int = 50
    stock: int = 0
    critic_frames: int = 0
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    unmatched_share: float = 0.8
