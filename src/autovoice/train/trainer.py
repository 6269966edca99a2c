"""The trainer of the voice model: steps of every kind, averages, checkpoints."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autovoice.errors import InputError
from autovoice.train import checkpoint, schedule, state
from autovoice.train.adversary import Adversary
from autovoice.train.clean_sound import CleanSound, draw_clean
from autovoice.train.colour import paint, random_colour
from autovoice.train.corpus import Corpus, Crops
from autovoice.train.graphs import GraphedStep, Step
from autovoice.train.losses import MelDistance
from autovoice.train.metrics import Metrics
from autovoice.train.networks import Networks
from autovoice.train.options import Options
from autovoice.train.ranks import Ranks
from autovoice.train.step_profile import Profile
from autovoice.train.steps import (
    Judges,
    Losses,
    Made,
    cross_step,
    real_step,
    sung_step,
    teacher_step,
)
from autovoice.train.stock import Stock
from autovoice.train.synthetic import SyntheticBatch, SyntheticPairs

log = logging.getLogger(__name__)
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
    spent_s: float = 0.0
    profile: Profile = field(default_factory=Profile)
    judged: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        options, nets = self.options, self.nets
        self.begin = self.step  # where this run goes on
        self.joint = options.phase == "joint"
        decoder_learns = self.joint and options.decoder_share > 0
        nets.decoder.requires_grad_(decoder_learns)
        groups = [{"params": [*nets.adapter.parameters(), *nets.style.parameters()], "share": 1.0}]
        if decoder_learns:
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
                self.autocast,
                options.resume,
                segment_samples=600 * options.critic_frames,
            )
            if self.joint
            else None
        )
        self.taught = 0  # steps that the optimiser made since it was new
        # Weights change in place, so these stay what they are; finding them takes a while.
        self.parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        self.live = self._kept()
        self.average = {name: value.detach().clone() for name, value in self.live.items()}
        self.kinds: dict[str, Step] = {
            "teacher": self._teacher,
            "real": self._real,
            "cross+": partial(self._cross, teach=True),
            "cross-": partial(self._cross, teach=False),
            "sung+": partial(self._sung, teach=True),
            "sung-": partial(self._sung, teach=False),
            "critics": self._critics,
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

    def train(self) -> None:
        """Run the phase until its time or its steps are over; save as it goes.

        Raises:
            InputError: a loss is not finite any more; the last checkpoint stays.
            KeyboardInterrupt: somebody stopped it; what was reached is saved.
        """
        begin = self.elapsed
        alone = self.options.critics_alone if self.adversary and self.adversary.fresh else 0
        self.begin_step = self.step + alone
        if self.adversary is not None:
            self.ranks.average(p.data for p in self.adversary.parameters)
        try:
            self._steps(begin)
        except KeyboardInterrupt:
            self.report("interrupted")
            self.save(last=True)
            raise
        self.report("end")
        self.save(last=True)

    def _steps(self, begin: float) -> None:
        options = self.options
        now = saved = self.ranks.agree(self.elapsed)
        done = self._done(begin, now)
        while now < options.seconds and self.step < (options.steps or math.inf) and done < 1.0:
            with self.profile.step():
                self._set_rate(done)
                self._iteration(done)
                self.step += 1
                with self.profile.part("report and agree"):
                    if self.step % options.report_every == 0:
                        self.report(f"{done:.2f}")
                    now = self.ranks.agree(self.elapsed)
            # By then every kind of step ran twice, so everything that is made once is made.
            self.profile.due(self.step >= self.begin_step + 4 * options.sung_every)
            if self.profile.finished:
                self.profile.write(self.metrics.out, {"phase": options.phase, "step": self.step})
            if now - saved > options.save_every_s:
                self.save()
                saved = now
            done = self._done(begin, now)

    def _done(self, begin: float, now: float) -> float:
        return schedule.share_done(self.options, self.step, begin, now, self.spent_s)

    def _iteration(self, done: float) -> None:
        options, part = self.options, self.profile.part
        if not self.joint:
            with part("teacher"):
                batch = self.teacher.sample(options.batch, self.chance)
            self._do("teacher", batch)
        if self.step < self.begin_step:
            self._do("critics", self._draw(), *self._clean())
            return
        self._do("real", self._draw(), *self._clean())
        if options.resume is not None or done > 0.2:
            self._do(self._turn("cross"), self._draw(), *self._clean())
        if self.joint and self.step % options.sung_every == 0:
            with part("teacher"):
                batch = self.teacher.sample(options.batch, self.chance)
            self._do(self._turn("sung"), batch, self._draw(), *self._clean())
        self._improve()
        with part("zero gradients"):
            # In place: a CUDA graph writes to the gradients that it was captured with.
            self.optimiser.zero_grad(set_to_none=False)

    def _improve(self) -> None:
        """Change the weights by the gradients, and move their averages."""
        parameters, part = self.parameters, self.profile.part
        with part("meet"):
            self.ranks.average(p.grad for p in parameters if p.grad is not None)
            if self.adversary is not None and self.step % CRITICS_MEET == 0:
                self.ranks.average(p.data for p in self.adversary.parameters)
        with part("norm"):
            self.sums["norm"].append(nn.utils.clip_grad_norm_(parameters, 2.0).detach())
        with part("optimiser"):
            self.optimiser.step()
        decay = min(0.998, (1 + self.taught) / (10 + self.taught))
        self.taught += 1
        with part("average"), torch.no_grad():
            torch._foreach_lerp_(  # one call: a thousand small ones keep the device waiting
                list(self.average.values()), list(self.live.values()), 1 - decay
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
            self.profile.kind = kind
            self.graphed[kind] = GraphedStep(
                self.kinds[kind], *inputs, chance=self.chance, pool=self.pool
            )
            log.info("captured %s after %.0f s", kind, self.elapsed)
            self.optimiser.zero_grad(set_to_none=False)  # what warming up left there
        with self.profile.replay(kind):
            losses = self.graphed.get(kind, self.kinds[kind])(*inputs)
        for name, value in losses.items():
            self.sums[name].append(value)

    def _teacher(self, batch: SyntheticBatch) -> Losses:
        with self.autocast():
            losses = teacher_step(self.nets, batch, self.distance, self.chance)
        return self._descent(losses, self.weights)

    def _critics(self, crops: Crops, clean: CleanSound | None = None) -> Losses:
        """Let the critics learn alone, from conversions."""
        with torch.no_grad(), self.autocast():
            _, made = cross_step(self.nets, crops, self.judges, self.chance)
        assert self.adversary is not None  # noqa: S101
        return self.adversary.learn(made, clean)

    def _real(self, crops: Crops, clean: CleanSound | None = None) -> Losses:
        with self.autocast():
            losses, made = real_step(self.nets, crops, self.distance, self.judges, self.chance)
        if self.adversary is not None:
            with self.profile.part("critics"):
                losses |= self.adversary.judge(made, matched=True, teach=True, clean=clean)
        return self._descent(losses, self.weights)

    def _cross(self, crops: Crops, clean: CleanSound | None = None, *, teach: bool) -> Losses:
        with self.autocast():
            losses, made = cross_step(self.nets, crops, self.judges, self.chance)
        return self._conversion(losses, made, clean, teach)

    def _sung(
        self, batch: SyntheticBatch, crops: Crops, clean: CleanSound | None = None, *, teach: bool
    ) -> Losses:
        with self.autocast():
            losses, made = sung_step(self.nets, batch, crops, self.judges, self.chance)
        return self._conversion(losses, made, clean, teach)

    def _conversion(
        self, losses: Losses, made: Made, clean: CleanSound | None, teach: bool
    ) -> Losses:
        if self.adversary is not None:
            with self.profile.part("critics"):
                losses |= self.adversary.judge(made, matched=False, teach=teach, clean=clean)
        return self._descent(losses, self.unmatched)

    def _descent(self, losses: Losses, weights: Mapping[str, float]) -> Losses:
        """Back-propagate the weighted sum; return each loss by itself."""
        total = sum(weights[name] * value.float() for name, value in losses.items())
        assert isinstance(total, Tensor)  # noqa: S101
        with self.profile.part("backward"):
            total.backward()  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in losses.items()}

    def _clean(self) -> tuple[CleanSound, ...]:
        """Draw what the critics of sound hear as real, where that is not what is rebuilt."""
        options = self.options
        if self.adversary is None or not options.clean_critics:
            return ()
        with self.profile.part("draw"):
            shape = options.batch, 600 * options.frames
            return (draw_clean(self.corpus, self.teacher, shape, self.rng, self.chance),)

    def _draw(self) -> Crops:
        """Draw real speech, each item and its reference under the same random equaliser.

        So the style has to tell the long-term spectrum of any recording, not only of those few
        that the corpus holds.
        """
        part = self.profile.part
        with part("draw"):
            crops = self.corpus.draw(self.options.batch, 600 * self.options.frames, self.rng)
        with part("paint"):
            colour = random_colour(len(crops.audio), self.chance, device=self.options.device)
            return replace(
                crops, audio=paint(crops.audio, colour), reference=paint(crops.reference, colour)
            )

    def _set_rate(self, done: float) -> None:
        rate = schedule.rate(self.options, done, self.taught)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]

    def autocast(self) -> torch.autocast:
        return torch.autocast(
            self.options.device.split(":")[0],
            dtype=torch.bfloat16,
            enabled=self.options.precision == "bfloat16",
        )

    def report(self, label: str, step: int | None = None) -> None:
        """Tell the mean of each loss since the last report (``metrics.py``)."""
        means: dict[str, float] = {}
        if self.sums:  # in one piece: the device is asked once
            figures = torch.stack([torch.stack(v).float().mean() for v in self.sums.values()])
            means = {n: round(v, 4) for n, v in zip(self.sums, figures.tolist(), strict=True)}
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

    def save(self, *, last: bool = False) -> None:
        """Write the moving averages, and what only training needs beside them.

        Args:
            last: nothing is learnt after; what it takes to go on exactly is written too.
        """
        if not self.ranks.first:
            return
        options, out = self.options, self.options.out
        facts: dict[str, object] = {
            "phase": options.phase, "step": self.step,
            "spent_s": round(self.spent_s + self.elapsed, 1),
            "total_seconds": options.total_seconds,
        }  # fmt: skip
        checkpoint.save(out, "model", checkpoint.pack(self.average, self.joint), facts)
        checkpoint.save(out, "judge", checkpoint.pack(self.nets.judge.state_dict(), False), facts)
        if self.adversary is not None:
            self.adversary.save(out, facts)
        if last and options.keep_state:
            state.save(out, self._state(), {**facts, "taught": self.taught})

    def _state(self) -> state.Tensors:
        critics = self.adversary.state() if self.adversary is not None else {}
        return {
            **{f"live.{name}": value for name, value in self.live.items()},
            **{f"average.{name}": value for name, value in self.average.items()},
            **state.of_optimiser(self.optimiser, "optimiser"),
            **critics,
        }

    def go_on(self, folder: Path) -> bool:
        """Take up the state in a folder exactly, and say whether there is one of this phase."""
        tensors, facts = state.load(folder)
        if facts.get("phase") != self.options.phase:
            return False
        with torch.no_grad():
            for kind, own in (("live", self.live), ("average", self.average)):
                for name, value in state.under(tensors, kind).items():
                    own[name].copy_(value)
        state.to_optimiser(self.optimiser, "optimiser", tensors)
        if self.adversary is not None:
            self.adversary.restore(tensors)
        self.taught = int(str(facts["taught"]))
        return True
