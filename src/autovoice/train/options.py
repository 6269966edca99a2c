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
    "power": 0.0, "power_long": 0.0, "valleys": 0.0, "valleys_long": 0.0,
    "consonants": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Moves:
    """How the melody of a conversion is moved (``steps.move_pitch``).

    Args:
        whole_share: of melodies that come to the other voice's pitch by whole octaves; the rest
            comes there exactly.
        raised_share, raised_octaves: of melodies raised further, and by how much at most.
        lowered_share, lowered_octaves: of melodies lowered further, and by how much at most.
        octave_share: of melodies that are moved by whole octaves from where they lie instead, as
            songs are in use, towards the other voice.
        octave_most: whole octaves that such a melody is moved by at most.
    """

    whole_share: float = 1 / 2
    raised_share: float = 1 / 3
    raised_octaves: float = 2.0
    lowered_share: float = 1 / 6
    lowered_octaves: float = 0.8
    octave_share: float = 0.0
    octave_most: int = 1


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
        learning_rate: of adapter and style encoder; the decoder learns at decoder_share of it, at 0
            it stays as it is.
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
        critics_alone: steps in which new critics learn alone: until then their verdict is noise.
        clean_critics: what the critics of sound hear as real is clean (``clean_sound.py``), and
            not what each item was cut from.
        noisy_weight: how often clips of noisy rooms are drawn, against what their source's weight
            says.
        unmatched_share: of the adversarial weight where the true sound is not known; there the
            verdict on its own says less.
        stock_renew: draws after which the oldest batch of the stock is made anew; 0 for never.
        total_seconds: length of a training that takes several calls, each resumed from the one
            before; the learning rate falls over all of them. Default: over each call by itself.
        rate_floor: share of the learning rate that is left at the end.
        rate_power: exponent of the falling half cosine; 2 makes a longer tail of small rates.
        judge_colour_db: greatest equaliser under which the judge of speakers learns; at 0 it hears
            the colour of a voice, at 5 it overhears it.
        moves: how melodies are moved.
        keep_state: write what a run needs to go on exactly (weights, their averages, moments of the
            optimisers, about 1.1 GB in phase ``joint``) into ``state/`` at the end.
        profile: steps whose parts are timed, written to ``profile.json``; 0 for none.
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
    critics_alone: int = 120
    clean_critics: bool = False
    noisy_weight: float = 1.0
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    unmatched_share: float = 0.8
    stock_renew: int = 32
    total_seconds: float | None = None
    rate_floor: float = 0.05
    rate_power: float = 1.0
    judge_colour_db: float = 1.0
    moves: Moves = field(default_factory=Moves)
    keep_state: bool = True
    profile: int = 0
