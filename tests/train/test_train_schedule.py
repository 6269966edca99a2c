"""The learning rate over one call and over several, and which seconds count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autovoice.train.options import Options
from autovoice.train.schedule import WARM_UP_STEPS, rate, share_done, spent_before

OPTIONS = Options(Path(), Path(), learning_rate=2e-4, seconds=100.0)


def test_the_rate_warms_up_and_falls_to_its_floor() -> None:
    full = OPTIONS.learning_rate
    assert rate(OPTIONS, 0.0, 0) == pytest.approx(full / WARM_UP_STEPS)
    assert rate(OPTIONS, 0.0, -5) == 0.0  # critics learn alone
    assert rate(OPTIONS, 0.0, 100) == pytest.approx(full)
    assert rate(OPTIONS, 0.5, 100) == pytest.approx(full * 0.525)
    assert rate(OPTIONS, 1.0, 100) == pytest.approx(full * 0.05)
    assert rate(OPTIONS, 1.7, 100) == pytest.approx(full * 0.05)


def test_a_power_makes_a_longer_tail_that_ends_at_nothing() -> None:
    tail = replace(OPTIONS, rate_floor=0.0, rate_power=2.0)
    rates = [rate(tail, done / 10, 100) / tail.learning_rate for done in range(11)]
    assert rates[0] == 1.0
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)
    assert rates[7] < 0.05  # a third of the time at a twentieth of the rate


def test_one_call_ends_at_its_own_seconds() -> None:
    assert share_done(OPTIONS, 7, 20.0, 20.0, 0.0) == 0.0
    assert share_done(OPTIONS, 7, 20.0, 60.0, 0.0) == 0.5
    assert share_done(replace(OPTIONS, steps=14), 7, 20.0, 90.0, 0.0) == 0.5


def test_two_calls_share_one_fall() -> None:
    both = replace(OPTIONS, total_seconds=200.0)
    facts = {"phase": "joint", "step": 9, "spent_s": 100.0, "total_seconds": 200.0}
    assert share_done(both, 3, 20.0, 100.0, 0.0) == 0.5  # where the first ends
    spent = spent_before(both, facts, 9)
    assert share_done(both, 9, 20.0, 0.0, spent) == 0.5  # the second goes on
    assert share_done(both, 9, 20.0, 100.0, spent) == 1.0
    assert share_done(both, 9, 20.0, 130.0, spent) == 1.0


@pytest.mark.parametrize(
    ("total", "step", "facts"),
    [
        (None, 9, {"spent_s": 100.0, "total_seconds": None}),
        (200.0, 0, {"spent_s": 100.0, "total_seconds": 200.0}),
        (200.0, 9, {"spent_s": 100.0, "total_seconds": 300.0}),
        (200.0, 9, {}),
    ],
)
def test_another_training_begins_anew(
    total: float | None, step: int, facts: dict[str, object]
) -> None:
    assert spent_before(replace(OPTIONS, total_seconds=total), facts, step) == 0.0
