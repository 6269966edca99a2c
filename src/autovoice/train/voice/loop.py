"""Train a voice within a limit of time: resumable, and what is kept is the best, not the last."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from autovoice.train.colour import long_term
from autovoice.train.voice import state as states
from autovoice.train.voice.judge import Judge, worth
from autovoice.train.voice.learner import GENERATOR, STYLE, Learner
from autovoice.train.voice.material import Item, draw
from autovoice.train.voice.state import State

log = logging.getLogger(__name__)
WEIGHTS = {
    "mel": 1.0, "words": 3.0, "colour": 0.3, "pitch": 0.3, "octave": 0.5, "style": 0.05,
}  # fmt: skip
_BETAS = (0.9, 0.98)
_TINY = 1e-8
_WARM_STEPS = 10
_AVERAGE = 0.97
# A state has to be better than the best by this much to count as better.
LEAST_GAIN = 0.002


@dataclass(frozen=True)
class Settings:
    """How to train.

    Args:
        seconds: for all runs together, with what follows training.
        closing: scores that follow training; their time is kept free.
        steps: when to stop.
        batch: crops in a step.
        ticks: length of a crop in 0.1 s.
        rank: of the low-rank additions.
        rate: learning rate of the factors; the style's and the biases' are multiples of it.
        style_rate, bias_rate, generator_rate: those multiples, the last of the generator's factors:
            they bring similarity, and cost naturalness first.
        score_every: steps between scores; 0 chooses by the time that they take.
        patience: scores without a gain before training stops.
        seed: of every draw.
    """

    seconds: float
    closing: int = 0
    steps: int = 100_000
    batch: int = 1
    ticks: int = 16
    rank: int = 8
    rate: float = 5e-4
    style_rate: float = 4.0
    bias_rate: float = 4.0
    generator_rate: float = 0.5
    score_every: int = 0
    patience: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """How training goes.

    Args:
        step: steps done.
        fraction: of the time or steps that training may take.
        seconds_left: of it at most; it may stop early.
        loss: the spectrum's distance, averaged.
        similarity, best: of the last score and of the best.
    """

    step: int
    fraction: float
    seconds_left: float
    loss: float
    similarity: float
    best: float


class Trainer:
    """One training.

    Args:
        learner: what is trained.
        items: what it learns from.
        others: what others said, which every second step converts; none leaves that out.
        judge: scores it on what it does not learn from.
        settings: how.
        state: where to go on; a fresh one begins.
        folder: where the state is written at every score; None for nowhere.
        listener: gets a report after every step.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        learner: Learner,
        items: Sequence[Item],
        judge: Judge,
        settings: Settings,
        state: State,
        *,
        others: Sequence[Item] = (),
        folder: Path | None = None,
        listener: Callable[[Report], None] = lambda _report: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.learner, self.items, self.judge = learner, items, judge
        self.settings, self.state, self.folder = settings, state, folder
        self.listener, self.clock, self.others = listener, clock, others
        self.colour = _colour(items, learner)
        self._losses: list[Tensor] = []
        self._loss = math.nan
        self._begin_s = clock() - state.spent_s
        self._scored_at = state.spent_s
        self._last_score = state.history[-1][0] if state.history else 0
        values = learner.values()
        for kind in ("values", "average", "best"):
            if not state.kind(kind):
                state.put(kind, values)
        learner.put(state.kind("values"))
        self.average = self._on_device("average", values)
        self.first = self._on_device("first", {k: torch.zeros_like(v) for k, v in values.items()})
        self.second = self._on_device("second", {k: torch.zeros_like(v) for k, v in values.items()})

    def _on_device(self, kind: str, default: dict[str, Tensor]) -> dict[str, Tensor]:
        found = self.state.kind(kind) or default
        return {k: v.clone().to(self.learner.parts.device) for k, v in found.items()}

    @property
    def spent_s(self) -> float:
        """Seconds since the first step, of all runs together."""
        return self.clock() - self._begin_s

    @property
    def done(self) -> float:
        """Share of the time or of the steps that is over, 0 to 1."""
        settings = self.settings
        limit_s = max(settings.seconds - settings.closing * self.state.scoring_s, 1e-3)
        return min(1.0, max(self.spent_s / limit_s, self.state.step / settings.steps))

    def run(self) -> State:
        """Train until time, steps or patience are over; an interruption saves first.

        Raises:
            KeyboardInterrupt: as it came, after the state was written.
        """
        state = self.state
        try:
            if not state.history:
                self._score()
            while self.done < 1.0 and state.stale < self.settings.patience:
                self._step()
                if self._due():
                    self._score()
                self._tell()
            if state.step > self._last_score:
                self._score()
        except BaseException:
            self._save()
            raise
        return state

    def _step(self) -> None:
        """Learn from one batch: of the voice's own, or every second time of others."""
        settings, state = self.settings, self.state
        seed = settings.seed * 1_000_003 + state.step
        stranger = bool(self.others) and state.step % 2 == 1
        source = self.others if stranger else self.items
        crops = draw(source, settings.batch, settings.ticks, seed, self.learner.parts.device)
        if stranger:
            losses = self.learner.stranger_losses(crops, self.colour)
        else:
            losses = self.learner.own_losses(crops)
        total = torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()
        parameters = self.learner.parameters
        gradients = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
        found = {k: g for k, g in zip(parameters, gradients, strict=True) if g is not None}
        state.step += 1
        self._descend(found)
        if not stranger:
            self._losses.append(losses["mel"].detach())

    def _descend(self, gradients: dict[str, Tensor]) -> None:
        """Follow the gradients (Adam, Kingma and Ba 2015), and move the average."""
        count, names = self.state.step, list(gradients)
        found = [gradients[name] for name in names]
        norm = torch.stack(torch._foreach_norm(found)).norm()
        if not bool(torch.isfinite(norm)):
            log.warning("step %d has no finite gradient and is left out", count)
            return
        shrink = 1.0 / norm.clamp_min(1.0)
        first, second = _BETAS
        mean, power = ([kind[name] for name in names] for kind in (self.first, self.second))
        parameters = self.learner.parameters
        # All tensors in one kernel each: some hundred small ones would take longer to launch.
        with torch.no_grad():
            clipped = torch._foreach_mul(found, shrink)
            torch._foreach_lerp_(mean, clipped, 1 - first)
            torch._foreach_lerp_(power, torch._foreach_mul(clipped, clipped), 1 - second)
            root = torch._foreach_sqrt(torch._foreach_div(power, 1 - second**count))
            torch._foreach_add_(root, _TINY)
            step = torch._foreach_div(torch._foreach_div(mean, 1 - first**count), root)
            torch._foreach_mul_(step, [self._rate(name) for name in names])
            torch._foreach_sub_([parameters[name] for name in names], step)
            keep = min(_AVERAGE, (1 + count) / (10 + count))
            average = [self.average[name] for name in parameters]
            torch._foreach_lerp_(average, list(parameters.values()), 1 - keep)

    def _rate(self, name: str) -> float:
        settings = self.settings
        factor = 1.0
        if name == STYLE:
            factor = settings.style_rate
        elif name.endswith(".bias"):
            factor = settings.bias_rate
        elif name.startswith(GENERATOR):
            factor = settings.generator_rate
        warm = min(1.0, self.state.step / _WARM_STEPS)
        return settings.rate * factor * warm * (0.1 + 0.45 * (1 + math.cos(math.pi * self.done)))

    def _due(self) -> bool:
        """Tell whether to score: after so many steps, or so that scoring takes a sixth of it."""
        since = self.state.step - self._last_score
        if self.settings.score_every:
            return since >= self.settings.score_every
        per_step = (self.spent_s - self._scored_at) / max(since, 1)
        longest = max(6.0 * self.state.scoring_s, self.settings.seconds / 20)
        return since * per_step >= longest

    def _score(self) -> None:
        """Score the averaged state; keep it if it is the best; write everything down."""
        begin, state = self.clock(), self.state
        now = self.learner.values()
        self.learner.put(self.average)
        scores = self.judge.score(self.learner)
        self.learner.put(now)
        state.scores.setdefault("before", scores)
        value = worth(scores, state.scores["before"], self.judge.words_free)
        best = max((row[3] for row in state.history), default=-math.inf)
        if self._losses:
            self._loss = float(torch.stack(self._losses).mean())
            self._losses.clear()
        if value > best + LEAST_GAIN or not state.history:
            state.put("best", self.average)
            state.best_step, state.stale = state.step, 0
            state.scores["after"] = scores
        else:
            state.stale += 1
        loss = None if math.isnan(self._loss) else self._loss
        state.history.append((state.step, loss or 0.0, scores.similarity, value))
        self._last_score, state.scoring_s = state.step, self.clock() - begin
        log.info("step %d: loss %s, %s", state.step, loss, scores)
        self._save()
        self._scored_at = self.spent_s

    def _save(self) -> None:
        state = self.state
        state.spent_s = self.spent_s
        state.put("values", self.learner.values())
        for kind in ("average", "first", "second"):
            state.put(kind, getattr(self, kind))
        if self.folder is not None:
            states.save(state, self.folder)

    def _tell(self) -> None:
        state = self.state
        done = max(self.done, 1e-6)
        similarity = state.history[-1][2]
        best = max(row[2] for row in state.history)
        loss = float(self._losses[-1]) if self._losses else self._loss
        left = self.spent_s * (1 - done) / done
        self.listener(Report(state.step, self.done, left, loss, similarity, best))


@torch.no_grad()
def _colour(items: Sequence[Item], learner: Learner) -> Tensor:
    """Average the long-term spectrum of the voice over its slices, ``[67]``."""
    device = learner.parts.device
    spectra = [long_term(learner.parts.mel24k(item.audio[None].to(device))) for item in items]
    return torch.cat(spectra).mean(0)
