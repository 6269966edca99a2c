"""The trainer of the voice model: steps of every kind, averages, checkpoints."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autovoice.errors import InputError
from autovoice.nn.speaker_judge import AngularMargin
from autovoice.train import checkpoint
from autovoice.train.adversary import Adversary
from autovoice.train.colour import paint, random_colour
from autovoice.train.corpus import Corpus, Crops
from autovoice.train.graphs import GraphedStep, Step
from autovoice.train.losses import MelDistance
from autovoice.train.metrics import Metrics
from autovoice.train.networks import Networks
from autovoice.train.options import Options
from autovoice.train.ranks import Ranks
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
from autovoice.train.stock import Stock
from autovoice.train.synthetic import SyntheticBatch, SyntheticPairs

log = logging.getLogger(__name__)
# Steps in which new discriminators learn alone: until then their verdict is noise.
CRITICS_ALONE = 120
# Critics learn within a captured step, each process its own, and meet so often.
CRITICS_MEET = 10


@dataclass
class Trainer:
    """Everything that a run holds."""

    options: Options
    nets: Networks
    corpus: Corpus
    teacher: SyntheticPairs | Stock
    distance: MelDistance
    judges: Judges
    chance: torch.Generator
    rng: np.random.Generator
    metrics: Metrics
    ranks: Ranks = field(default_factory=Ranks)
    started: float = field(default_factory=time.monotonic)
    sums: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    step: int = 0
    begin_step: int = 0
    judged: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        options, nets = self.options, self.nets
        self.begin = self.step  # where this run goes on
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
            Adversary(
                options.device,
                nets.mel,
                self._autocast,
                options.resume,
                segment_samples=600 * options.critic_frames,
            )
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
        # The critics' own loss is shown here, and descended by themselves.
        self.weights = {**options.weights, "critic": 0.0}
        adversarial = options.unmatched_share * self.weights["adversarial"]
        self.unmatched = {**self.weights, "adversarial": adversarial}

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

    def train_judge(self) -> None:
        """Train the speaker judge for its seconds or steps, then freeze it."""
        options = self.options
        head = AngularMargin(192, len(self.corpus.speakers) * len(JUDGE_SPEEDS)).to(options.device)
        parameters = [*self.nets.judge.parameters(), *head.parameters()]
        self.ranks.average(p.data for p in parameters)
        optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-2)
        begin, count, left = self.elapsed, 0, 1.0
        while left > 0.0:
            if options.judge_steps is not None:
                left = 1.0 - (count + 1) / options.judge_steps
            else:
                past = self.ranks.agree(self.elapsed - begin)
                left = 1.0 - past / max(options.judge_seconds, 1e-9)
            optimiser.param_groups[0]["lr"] = 1e-3 * max(left, 0.02)
            crops = self.corpus.draw(
                8 * options.batch, 600 * options.frames * 3 // 4, self.rng,
                choices=JUDGE_SPEEDS, reference_samples=600,
            )  # fmt: skip
            with self._autocast():
                losses = judge_step(self.nets, head, crops, self.chance)
            self._descend(losses, optimiser, parameters)
            count += 1
        self.report("judge", count)
        self.nets.judge.requires_grad_(False).eval()

    def train(self) -> None:
        """Run the phase until its time or its steps are over; save as it goes.

        Raises:
            InputError: a loss is not finite any more; the last checkpoint stays.
            KeyboardInterrupt: somebody stopped it; what was reached is saved.
        """
        begin = self.elapsed
        alone = CRITICS_ALONE if self.adversary and self.adversary.fresh else 0
        self.begin_step = self.step + alone
        if self.adversary is not None:
            self.ranks.average(p.data for p in self.adversary.parameters)
        try:
            self._steps(begin)
        except KeyboardInterrupt:
            self.report("interrupted")
            self.save()
            raise
        self.report("end")
        self.save()

    def _steps(self, begin: float) -> None:
        options = self.options
        now = saved = self.ranks.agree(self.elapsed)
        while now < options.seconds and self.step < (options.steps or math.inf):
            done = self._done(begin, now)
            self._set_rate(done)
            self._iteration(done)
            self.step += 1
            if self.step % options.report_every == 0:
                self.report(f"{done:.2f}")
            now = self.ranks.agree(self.elapsed)
            if now - saved > options.save_every_s:
                self.save()
                saved = now

    def _done(self, begin: float, now: float) -> float:
        """Share of the run that is over: of its steps, which repeat exactly, or of its time."""
        options = self.options
        if options.steps is not None:
            return self.step / options.steps
        return (now - begin) / max(options.seconds - begin, 1e-9)

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
        self.ranks.average(p.grad for p in parameters if p.grad is not None)
        if self.adversary is not None and self.step % CRITICS_MEET == 0:
            self.ranks.average(p.data for p in self.adversary.parameters)
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
        return self._descent(losses, self.weights)

    def _real(self, crops: Crops) -> Losses:
        with self._autocast():
            losses, made = real_step(self.nets, crops, self.distance, self.judges, self.chance)
        if self.adversary is not None:
            losses |= self.adversary.judge(made, matched=True, teach=True)
        return self._descent(losses, self.weights)

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
        return self._descent(losses, self.unmatched)

    def _descent(self, losses: Losses, weights: Mapping[str, float]) -> Losses:
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
        self.ranks.average(p.grad for p in parameters if p.grad is not None)
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
        return torch.autocast(
            self.options.device.split(":")[0],
            dtype=torch.bfloat16,
            enabled=self.options.precision == "bfloat16",
        )

    def report(self, label: str, step: int | None = None) -> None:
        """Tell the mean of each loss since the last report (``metrics.py``)."""
        means = {
            name: round(float(torch.stack(values).float().mean()), 4)
            for name, values in self.sums.items()
        }
        self.sums.clear()
        at = self.step if step is None else step
        if not self.ranks.first:
            return
        self.metrics.write({"phase": self.options.phase, "at": label, "step": at,
                            "seconds": round(self.elapsed, 1), **means})  # fmt: skip
        wild = sorted(name for name, value in means.items() if not math.isfinite(value))
        if wild:
            raise InputError(
                f"step {at}: found losses that are not finite ({', '.join(wild)}); go on from "
                "the last checkpoint with a smaller learning_rate, or with precision=off"
            )

    def save(self) -> None:
        """Write the moving averages, and what only training needs beside them."""
        if not self.ranks.first:
            return
        facts: dict[str, object] = {"phase": self.options.phase, "step": self.step}
        out = self.options.out
        checkpoint.save(out, "model", checkpoint.pack(self.average, self.joint), facts)
        checkpoint.save(out, "judge", checkpoint.pack(self.nets.judge.state_dict(), False), facts)
        if self.adversary is not None:
            self.adversary.save(out, facts)
