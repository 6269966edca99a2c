"""Train the voice model within a limit of time, resumably.

    python -m autovoice.train.loop --data .carry --out OUT --phase frozen --seconds 480
    python -m autovoice.train.loop --data .carry --out OUT --phase joint --seconds 500 --resume DIR

Phase ``frozen`` trains the speaker judge, then the content adapter and the style encoder through
the decoder as it is. Phase ``joint`` goes on with the decoder at a fraction of the learning rate,
against discriminators; every second step it also sings what the teacher made. Checkpoints
(``model-*``) are moving averages, written every minute; ``judge-*`` and ``critics/`` lie beside
them, since a run that goes on needs them and use does not.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autovoice.nn.adain import AdaINResBlock1, adain_snake
from autovoice.nn.speaker_judge import AngularMargin
from autovoice.train import checkpoint
from autovoice.train.adversary import Adversary
from autovoice.train.colour import paint, random_colour
from autovoice.train.corpus import Corpus, Crops
from autovoice.train.graphs import GraphedStep, Step
from autovoice.train.losses import MelDistance
from autovoice.train.networks import Networks
from autovoice.train.octave_loss import OctaveLoss
from autovoice.train.setup import build
from autovoice.train.steps import (
    JUDGE_SPEEDS,
    Judges,
    Losses,
    Made,
    cross_step,
    judge_step,
    real_step,
    sung_step,
    teacher_step,
)
from autovoice.train.synthetic import SyntheticBatch, SyntheticPairs

log = logging.getLogger(__name__)
WEIGHTS = {
    "asr": 4.0, "style": 0.3, "mel_synthetic": 0.5, "mel_real": 1.0, "words": 4.0, "voice": 2.0,
    "leak": 1.0, "pitch": 0.5, "octave": 1.0, "colour": 0.6, "adversarial": 0.6, "features": 1.0,
    "match": 0.6, "critic": 0.0,
}  # fmt: skip
# Of a conversion there is no true sound, so the verdict on its own says less.
UNMATCHED = {**WEIGHTS, "adversarial": 0.8 * WEIGHTS["adversarial"]}
# Steps in which new discriminators learn alone: until then their verdict is noise.
CRITICS_ALONE = 120


@dataclass
class Options:
    """What to run and how large.

    Args:
        data, out: folders of the packed corpus and of checkpoints.
        phase: ``frozen`` or ``joint``.
        seconds: when to stop; judge_seconds of them go to the judge first (phase ``frozen``).
        batch: items of each kind in a step.
        frames: length of an item in 25 ms frames.
        sung_every: in phase ``joint`` every so many steps the teacher's song is converted too.
        graphs: capture each kind of step as a CUDA graph (CUDA only).
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


@dataclass
class Trainer:
    """Everything that a run holds."""

    options: Options
    nets: Networks
    corpus: Corpus
    teacher: SyntheticPairs
    distance: MelDistance
    judges: Judges
    chance: torch.Generator
    rng: np.random.Generator
    started: float = field(default_factory=time.monotonic)
    sums: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    step: int = 0
    begin_step: int = 0
    judged: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        options, nets = self.options, self.nets
        self.joint = options.phase == "joint"
        nets.decoder.requires_grad_(self.joint)
        groups = [{"params": [*nets.adapter.parameters(), *nets.style.parameters()], "share": 1.0}]
        if self.joint:
            groups.append(
                {"params": list(nets.decoder.parameters()), "share": options.decoder_share}
            )
        cuda = options.device.startswith("cuda")
        self.optimiser = torch.optim.AdamW(
            groups, lr=0.0, betas=(0.8, 0.98), weight_decay=1e-3, fused=cuda
        )
        self.adversary = (
            Adversary(options.device, nets.mel, self._autocast, options.resume)
            if self.joint
            else None
        )
        self.average = {name: value.detach().clone() for name, value in self._kept().items()}
        self.kinds: dict[str, Step] = {
            "teacher": self._teacher,
            "real": self._real,
            "cross+": partial(self._cross, teach=True),
            "cross-": partial(self._cross, teach=False),
            "sung+": partial(self._sung, teach=True),
            "sung-": partial(self._sung, teach=False),
        }
        self.graphed: dict[str, Step] = {}
        self.pool: Any = None

    def _kept(self) -> dict[str, Tensor]:
        parts = {"adapter": self.nets.adapter, "style": self.nets.style}
        if self.joint:
            parts["decoder"] = self.nets.decoder
        return {
            f"{name}.{key}": value
            for name, part in parts.items()
            for key, value in part.state_dict().items()
        }

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def train_judge(self, seconds: float) -> None:
        """Train the speaker judge for so long, then freeze it."""
        options = self.options
        head = AngularMargin(192, len(self.corpus.speakers) * len(JUDGE_SPEEDS)).to(options.device)
        parameters = [*self.nets.judge.parameters(), *head.parameters()]
        optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-2)
        end = self.elapsed + seconds
        while True:
            share = max(0.0, (end - self.elapsed) / seconds)
            optimiser.param_groups[0]["lr"] = 1e-3 * max(share, 0.02)
            crops = self.corpus.draw(
                8 * options.batch, 600 * options.frames * 3 // 4, self.rng,
                choices=JUDGE_SPEEDS, reference_samples=600,
            )  # fmt: skip
            with self._autocast():
                losses = judge_step(self.nets, head, crops, self.chance)
            self._descend(losses, optimiser, parameters)
            self.step += 1
            if share == 0.0:
                break
        self.report("judge")
        self.nets.judge.requires_grad_(False).eval()

    def train(self) -> None:
        """Run the phase until its time is over; save as it goes."""
        options = self.options
        begin, saved = self.elapsed, self.elapsed
        alone = CRITICS_ALONE if self.adversary and self.adversary.fresh else 0
        self.begin_step = self.step + alone
        while self.elapsed < options.seconds:
            done = (self.elapsed - begin) / max(options.seconds - begin, 1e-9)
            self._set_rate(done)
            self._iteration(done)
            self.step += 1
            if self.step % 50 == 0:
                self.report(f"{done:.2f}")
            if self.elapsed - saved > options.save_every_s:
                self.save()
                saved = self.elapsed
        self.report("end")
        self.save()

    def _iteration(self, done: float) -> None:
        options = self.options
        if not self.joint:
            self._do("teacher", self.teacher.sample(options.batch, self.chance))
        self._do("real", self._draw())
        if options.resume is not None or done > 0.2:
            self._do(self._turn("cross"), self._draw())
        if self.joint and self.step % options.sung_every == 0:
            batch = self.teacher.sample(options.batch, self.chance)
            self._do(self._turn("sung"), batch, self._draw())
        if self.step >= self.begin_step:
            self._improve()
        # In place: a CUDA graph writes to the gradients that it was captured with.
        self.optimiser.zero_grad(set_to_none=False)

    def _improve(self) -> None:
        """Change the weights by the gradients, and move their averages."""
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, 2.0)
        self.sums["norm"].append(norm.detach())
        self.optimiser.step()
        steps = self.step - self.begin_step
        decay = min(0.998, (1 + steps) / (10 + steps))
        with torch.no_grad():
            torch._foreach_lerp_(  # one call: a thousand small ones keep the device waiting
                list(self.average.values()), list(self._kept().values()), 1 - decay
            )

    def _turn(self, kind: str) -> str:
        """Let the critics learn of a kind every second time.

        Counted for each kind by itself: by the step, what comes on every second step would teach
        always or never.
        """
        self.judged[kind] += 1
        return kind + ("+" if self.judged[kind] % 2 else "-")

    def _do(self, kind: str, *inputs: Any) -> None:
        """Run one kind of step on its inputs, as a graph where that is asked for."""
        if self.options.graphs and kind not in self.graphed:
            self.pool = self.pool or torch.cuda.graph_pool_handle()
            self.graphed[kind] = GraphedStep(
                self.kinds[kind], *inputs, chance=self.chance, pool=self.pool
            )
            log.info("captured %s after %.0f s", kind, self.elapsed)
            self.optimiser.zero_grad(set_to_none=False)  # what warming up left there
        for name, value in self.graphed.get(kind, self.kinds[kind])(*inputs).items():
            self.sums[name].append(value)

    def _teacher(self, batch: SyntheticBatch) -> Losses:
        with self._autocast():
            losses = teacher_step(self.nets, batch, self.distance, self.chance)
        return self._descent(losses, WEIGHTS)

    def _real(self, crops: Crops) -> Losses:
        with self._autocast():
            losses, made = real_step(self.nets, crops, self.distance, self.judges, self.chance)
        if self.adversary is not None:
            losses |= self.adversary.judge(made, matched=True, teach=True)
        return self._descent(losses, WEIGHTS)

    def _cross(self, crops: Crops, *, teach: bool) -> Losses:
        with self._autocast():
            losses, made = cross_step(self.nets, crops, self.judges, self.chance)
        return self._conversion(losses, made, teach)

    def _sung(self, batch: SyntheticBatch, crops: Crops, *, teach: bool) -> Losses:
        with self._autocast():
            losses, made = sung_step(self.nets, batch, crops, self.judges, self.chance)
        return self._conversion(losses, made, teach)

    def _conversion(self, losses: Losses, made: Made, teach: bool) -> Losses:
        if self.adversary is not None:
            losses |= self.adversary.judge(made, matched=False, teach=teach)
        return self._descent(losses, UNMATCHED)

    def _descent(self, losses: Losses, weights: dict[str, float]) -> Losses:
        """Back-propagate the weighted sum; return each loss by itself."""
        total = sum(weights[name] * value.float() for name, value in losses.items())
        assert isinstance(total, Tensor)  # noqa: S101
        total.backward()  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in losses.items()}

    def _draw(self) -> Crops:
        """Draw real speech, each item and its reference under the same random equaliser.

        So the style has to tell the long-term spectrum of any recording, not only of those few
        that the corpus holds.
        """
        crops = self.corpus.draw(self.options.batch, 600 * self.options.frames, self.rng)
        colour = random_colour(len(crops.audio), self.chance, device=self.options.device)
        return replace(
            crops, audio=paint(crops.audio, colour), reference=paint(crops.reference, colour)
        )

    def _descend(
        self, losses: Losses, optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter]
    ) -> None:
        total = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        for name, value in losses.items():
            self.sums[name].append(value.detach())

    def _set_rate(self, done: float) -> None:
        warm = min(1.0, max(0, self.step - self.begin_step + 1) / 40)
        rate = self.options.learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * done)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.options.device.split(":")[0], dtype=torch.bfloat16)

    def report(self, label: str) -> None:
        """Log the mean of each loss since the last report, and append it to ``log.jsonl``."""
        means = {
            name: round(float(torch.stack(values).float().mean()), 4)
            for name, values in self.sums.items()
        }
        self.sums.clear()
        row = {"phase": self.options.phase, "at": label, "step": self.step,
               "seconds": round(self.elapsed, 1), **means}  # fmt: skip
        log.info("%s", json.dumps(row))
        self.options.out.mkdir(parents=True, exist_ok=True)
        with (self.options.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def save(self) -> None:
        """Write the moving averages, and what only training needs beside them."""
        facts: dict[str, object] = {"phase": self.options.phase, "step": self.step}
        out = self.options.out
        checkpoint.save(out, "model", checkpoint.pack(self.average, self.joint), facts)
        checkpoint.save(out, "judge", checkpoint.pack(self.nets.judge.state_dict(), False), facts)
        if self.adversary is not None:
            self.adversary.save(out, facts)


def run(options: Options) -> Trainer:
    """Train as told."""
    torch.manual_seed(options.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    started = time.monotonic()
    nets, corpus, teacher, pitch = build(
        options.data, options.device, options.frames, options.limit, options.resume
    )
    if options.compile:
        fused = torch.compile(adain_snake, dynamic=False)
        for module in nets.decoder.modules():
            if isinstance(module, AdaINResBlock1):
                module.activate = fused
    chance = torch.Generator(options.device).manual_seed(options.seed)
    trainer = Trainer(
        options, nets, corpus, teacher, MelDistance().to(options.device),
        Judges(pitch, OctaveLoss().to(options.device)), chance,
        np.random.default_rng(options.seed), started,
    )  # fmt: skip
    trainer.report("ready")
    if options.resume is None or not checkpoint.load(options.resume, "judge"):
        trainer.train_judge(options.judge_seconds)
    nets.judge.requires_grad_(False).eval()
    trainer.train()
    return trainer


def main() -> None:
    """Run from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--phase", choices=["frozen", "joint"], default="frozen")
    for name, value in vars(Options(Path(), Path())).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--compile", action="store_true", help="fuse the decoder's activations")
    parser.add_argument("--graphs", action="store_true", help="replay steps as CUDA graphs")
    run(Options(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
