"""Additions to a frozen network: beside it and in its weights they sound the same."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autovoice.errors import VoiceError
from autovoice.nn.low_rank import Adapted, LowRank

RANKS = {"0": 3, "2": 2, "4": 0}


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv1d(6, 8, 5, padding=4, dilation=2),
        nn.Tanh(),
        nn.Conv1d(8, 4, 3, stride=2, padding=1),
        nn.Flatten(),
        nn.Linear(4 * 10, 5),
    ).requires_grad_(False)


def sound() -> Tensor:
    return torch.randn(2, 6, 20, generator=torch.Generator().manual_seed(2))


def trained(low: LowRank) -> dict[str, np.ndarray]:
    chance = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in low.tensors.values():
            value.copy_(0.3 * torch.randn(value.shape, generator=chance))
    return {f"d.{name}": value.detach().numpy() for name, value in low.tensors.items()}


def test_nothing_changes_before_training() -> None:
    plain = network()
    before = plain(sound())
    low = LowRank(plain, RANKS)
    assert torch.equal(plain(sound()), before)
    assert set(low.tensors) == {"0.down", "0.up", "0.bias", "2.down", "2.up", "2.bias", "4.bias"}


def test_merged_weights_sound_as_the_additions_beside_them() -> None:
    plain = network()
    worn = copy.deepcopy(plain)
    before = plain(sound()).detach()
    low = LowRank(plain, RANKS)
    adapter = trained(low)
    beside = plain(sound()).detach()
    assert float((beside - before).abs().max()) > 0.1
    Adapted(worn, "d.").wear(adapter)
    torch.testing.assert_close(worn(sound()), beside, rtol=1e-5, atol=1e-5)
    low.detach()
    assert torch.equal(plain(sound()), before)


def test_every_addition_gets_a_gradient_once_it_is_no_longer_zero() -> None:
    low = LowRank(plain := network(), RANKS)
    trained(low)
    plain(sound()).square().sum().backward()
    assert all(
        value.grad is not None and float(value.grad.abs().max()) > 0
        for value in low.tensors.values()
    )


def test_weights_come_back_to_the_bit() -> None:
    plain = network()
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    adapter = trained(LowRank(copy.deepcopy(plain), RANKS))
    other = {key: value * np.float32(1e6) for key, value in adapter.items()}
    adapted = Adapted(plain, "d.")
    for worn in (adapter, other, adapter, {}):
        adapted.wear(worn)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_voice_after_another_sounds_as_if_it_were_the_first() -> None:
    adapter = trained(LowRank(network(), RANKS))
    other = {key: value + np.float32(0.1) for key, value in adapter.items()}
    one, two = network(), network()
    Adapted(one, "d.").wear(adapter)
    again = Adapted(two, "d.")
    again.wear(other)
    again.wear(adapter)
    assert torch.equal(one(sound()), two(sound()))


def test_only_tensors_with_the_prefix_are_read() -> None:
    plain = network()
    before = plain(sound())
    Adapted(plain, "d.").wear({"content.x.bias": np.ones(3, np.float32)})
    assert torch.equal(plain(sound()), before)


@pytest.mark.parametrize(
    "wrong",
    [
        {"d.9.bias": np.ones(8, np.float32)},
        {"d.0.bias": np.ones(9, np.float32)},
        {"d.0.up": np.ones((8, 2), np.float32)},
        {"d.0.down": np.ones((2, 6, 5), np.float32)},
        {"d.0.up": np.ones((8, 2), np.float32), "d.0.down": np.ones((3, 6, 5), np.float32)},
        {"d.0.up": np.ones((8, 2), np.float32), "d.0.down": np.ones((2, 6, 4), np.float32)},
        {"d.0.up": np.ones((8,), np.float32), "d.0.down": np.ones((2, 6, 5), np.float32)},
        {"d.1.up": np.ones((8, 2), np.float32), "d.1.down": np.ones((2, 6, 5), np.float32)},
        {"d.0.weight": np.ones((8, 6, 5), np.float32)},
        {"d.": np.ones(1, np.float32)},
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(wrong: dict[str, np.ndarray]) -> None:
    plain = network()
    adapted = Adapted(plain, "d.")
    good = trained(LowRank(copy.deepcopy(plain), RANKS))
    adapted.wear(good)
    before = plain(sound())
    with pytest.raises(VoiceError, match="does not fit this voice model; train the voice again"):
        adapted.wear(wrong)
    assert torch.equal(plain(sound()), before)


def test_half_precision_additions_are_worn() -> None:
    plain, half = network(), network()
    adapter = trained(LowRank(copy.deepcopy(plain), RANKS))
    Adapted(plain, "d.").wear(adapter)
    Adapted(half, "d.").wear({key: value.astype(np.float16) for key, value in adapter.items()})
    torch.testing.assert_close(half(sound()), plain(sound()), rtol=0, atol=0.02)


@pytest.mark.parametrize("name", ["1", "9"])
def test_only_linear_layers_and_convolutions_are_adapted(name: str) -> None:
    with pytest.raises(ValueError, match="expected Linear or Conv1d"):
        LowRank(network(), {name: 2})
