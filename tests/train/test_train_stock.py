"""The stock of the teacher's pairs: filled once, drawn from, renewed in turn."""

from __future__ import annotations

import pytest
import torch

from autovoice.train.stock import Stock
from autovoice.train.synthetic import SyntheticBatch


class CountingTeacher:
    """Number its batches; every tensor of a batch holds the number."""

    def __init__(self) -> None:
        self.made = 0

    def sample(self, batch: int, generator: torch.Generator) -> SyntheticBatch:
        self.made += 1
        full = torch.full((batch, 3), float(self.made))
        row = full[:, 0]
        return SyntheticBatch(full, full, full, full, full, row, row > 0, row)


def _draw(stock: Stock, times: int) -> list[SyntheticBatch]:
    chance = torch.Generator().manual_seed(0)
    return [stock.sample(4, chance) for _ in range(times)]


def test_the_teacher_works_once_for_many_draws() -> None:
    teacher = CountingTeacher()
    batches = _draw(Stock(teacher, 5, renew_every=100), 20)  # type: ignore[arg-type]
    assert teacher.made == 2  # four batches at once, and the fifth
    seen = torch.cat([batch.audio[:, 0] for batch in batches])
    assert set(seen.tolist()) == {1.0, 2.0}
    assert float((seen == 1.0).float().mean()) == pytest.approx(0.8, abs=0.15)


def test_a_stock_can_be_kept_as_it_is() -> None:
    teacher = CountingTeacher()
    _draw(Stock(teacher, 4, renew_every=0), 20)  # type: ignore[arg-type]
    assert teacher.made == 1


def test_the_tensors_of_an_item_stay_together() -> None:
    for batch in _draw(Stock(CountingTeacher(), 3), 5):  # type: ignore[arg-type]
        assert torch.equal(batch.audio[:, 0], batch.style[:, 0])
        assert torch.equal(batch.audio[:, 0], batch.sentence)


def test_the_stock_is_renewed_in_turn() -> None:
    teacher = CountingTeacher()
    stock = Stock(teacher, 3, renew_every=2)  # type: ignore[arg-type]
    _draw(stock, 12)
    assert teacher.made == 1 + 6
    assert set(stock.kept["sentence"].tolist()) == {5.0, 6.0, 7.0}
