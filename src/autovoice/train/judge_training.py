"""Train the judge of speakers, that conversions are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from autovoice.nn.speaker_judge import AngularMargin
from autovoice.train.steps import JUDGE_SPEEDS, Losses, judge_step

if TYPE_CHECKING:
    from autovoice.train.trainer import Trainer


def train_judge(run: Trainer) -> None:
    """Train the speaker judge of a run for its seconds or steps, then freeze it."""
    options = run.options
    head = AngularMargin(192, len(run.corpus.speakers) * len(JUDGE_SPEEDS)).to(options.device)
    parameters = [*run.nets.judge.parameters(), *head.parameters()]
    run.ranks.average(p.data for p in parameters)
    cuda = options.device.startswith("cuda")
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-2, fused=cuda)
    begin, count, left = run.elapsed, 0, 1.0
    while left > 0.0:
        if options.judge_steps is not None:
            left = 1.0 - (count + 1) / options.judge_steps
        else:
            past = run.ranks.agree(run.elapsed - begin)
            left = 1.0 - past / max(options.judge_seconds, 1e-9)
        optimiser.param_groups[0]["lr"] = 1e-3 * max(left, 0.02)
        crops = run.corpus.draw(
            8 * options.batch, 600 * options.frames * 3 // 4, run.rng,
            choices=JUDGE_SPEEDS, reference_samples=600,
        )  # fmt: skip
        with run.autocast():
            losses = judge_step(run.nets, head, crops, run.chance, options.judge_colour_db)
        _descend(run, losses, optimiser, parameters)
        count += 1
    run.report("judge", count)
    run.nets.judge.requires_grad_(False).eval()


def _descend(
    run: Trainer,
    losses: Losses,
    optimiser: torch.optim.Optimizer,
    parameters: list[nn.Parameter],
) -> None:
    total = torch.stack(list(losses.values())).sum()
    total.backward()  # type: ignore[no-untyped-call]
    run.ranks.average(p.grad for p in parameters if p.grad is not None)
    nn.utils.clip_grad_norm_(parameters, 5.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    for name, value in losses.items():
        run.sums[name].append(value.detach())
