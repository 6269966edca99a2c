"""What is captured as a graph neither takes a number from the host nor asks the device for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_corpus
import numpy as np
import pytest
import small_networks
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from autovoice.train import loop
from autovoice.train.options import WEIGHTS, Moves, Options
from autovoice.train.trainer import Trainer

# Tensors made of the host's numbers, which go over by a copy; and the device's, asked for.
_FORBIDDEN = ("aten::lift_fresh", "aten::_local_scalar_dense", "aten::nonzero", "aten::item")


class NothingOfTheHost(TorchDispatchMode):
    """Refuses what a graph on a device cannot hold."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not func.name().startswith(_FORBIDDEN), func.name()
        return func(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    """A run with every loss and every move that there is."""
    folder = tmp_path_factory.mktemp("data")
    made_corpus.write_corpus(folder, seconds=2.0)
    made_corpus.write_bank(folder / "phonemes.npz")
    weights = {name: value or 0.1 for name, value in WEIGHTS.items()}
    options = Options(
        folder, Path(tmp_path_factory.mktemp("out")), phase="joint", seconds=float("inf"), steps=1,
        judge_steps=1, batch=2, frames=16, device="cpu", precision="off", stock=1, critic_frames=8,
        weights=weights, moves=Moves(octave_share=0.5), keep_state=False, critics_alone=0,
        clean_critics=True,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "build", small_networks.build)
        yield loop.run(options)


KINDS = ["teacher", "critics", "real", "cross+", "cross-", "sung+", "sung-"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_any_kind_can_be_captured(
    trained: Trainer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = trained.corpus.draw(2, 600 * 16, np.random.default_rng(5))
    batch = trained.teacher.sample(2, torch.Generator().manual_seed(5))
    clean = trained._clean()
    assert clean[0].audio.shape == crops.audio.shape
    inputs = {
        "teacher": [batch], "sung": [batch, crops, *clean],
    }.get(kind.rstrip("+-"), [crops, *clean])  # fmt: skip
    assert trained.adversary is not None
    # On the CPU AdamW counts its steps on the host; on a GPU it is told to be capturable.
    monkeypatch.setattr(trained.adversary.optimiser, "step", lambda: None)
    with NothingOfTheHost():
        losses = trained.kinds[kind](*inputs)
    assert losses


def test_a_number_of_the_host_is_noticed() -> None:
    with NothingOfTheHost(), pytest.raises(AssertionError, match="lift_fresh"):
        torch.tensor(1.0)
    with NothingOfTheHost(), pytest.raises(AssertionError, match="_local_scalar_dense"):
        torch.ones(1).item()
