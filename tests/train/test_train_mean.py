"""Means of weights: by part, with judge and critics of the newer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autovoice.errors import InputError
from autovoice.train import checkpoint
from autovoice.train.mean import mean, read, shares_of, write


def _tensors(value: float) -> dict[str, torch.Tensor]:
    return {f"{part}.weight": torch.full((4,), value) for part in ("adapter", "style", "decoder")}


def test_each_part_has_its_share() -> None:
    old, new = _tensors(0.0), _tensors(8.0)
    del old["decoder.weight"]  # of a phase that did not train it
    blended = mean(old, new, {"adapter": 0.25, "style": 0.0, "decoder": 0.5})
    assert {name: float(value[0]) for name, value in blended.items()} == {
        "adapter.weight": 2.0, "style.weight": 0.0, "decoder.weight": 8.0,
    }  # fmt: skip


def test_a_run_can_go_on_from_what_is_written(tmp_path: Path) -> None:
    old, new, out = (tmp_path / name for name in ("old", "new", "out"))
    checkpoint.save(old, "voice-model", checkpoint.pack(_tensors(0.0), True), {})
    facts = {"phase": "joint", "step": 7, "spent_s": 50.0, "total_seconds": 60.0}
    checkpoint.save(new, "model", checkpoint.pack(_tensors(1.0), True), facts)
    checkpoint.save(new, "judge", {"a": torch.ones(2)}, facts)
    checkpoint.save(new / "critics", "critics", {"b": torch.ones(2)}, facts)
    write(old, new, out, {"adapter": 0.5, "style": 0.5, "decoder": 0.5})
    assert all(bool((value == 0.5).all()) for value in read(out).values())
    assert checkpoint.facts(out, "model") == {"phase": "joint", "step": 7}
    assert checkpoint.load(out, "judge")["a"].tolist() == [1.0, 1.0]
    assert checkpoint.load(out / "critics", "critics")["b"].tolist() == [1.0, 1.0]
    with pytest.raises(InputError, match="expected another folder"):
        write(old, new, new, {})
    with pytest.raises(InputError, match="found no model"):
        read(tmp_path)


def test_shares_are_read_in_order() -> None:
    assert shares_of([]) == {"adapter": 0.5, "style": 0.5, "decoder": 0.5}
    assert shares_of(["0.6", "style=0"]) == {"adapter": 0.6, "style": 0.0, "decoder": 0.6}
    for word in ("2", "judge=0.5", "style=x", "=0.5x"):
        with pytest.raises(InputError, match="--share: found"):
            shares_of([word])
