"""Moments that last, of many streams at once: each as if alone, fused as plain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autovoice.kernels import harmonic_source
from autovoice.nn.adain import AdaINResBlock1
from autovoice.nn.decoder import KokoroDecoder
from autovoice.nn.decoder_window import DecoderWindow, plain_window
from autovoice.nn.fused_decoder import FusedDecoder
from autovoice.nn.moment_memory import MomentMemory

FRAMES, NEW_S = 14, 0.1
Decode = Callable[[DecoderWindow], Tensor]


def given(seed: int, memory: MomentMemory, skipped: int = 6) -> DecoderWindow:
    chance = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(1, *shape, generator=chance)

    voiced = torch.arange(2 * FRAMES) % 11 < 8
    return DecoderWindow(
        drawn(512, FRAMES), torch.where(voiced, 130.0 + 30 * seed, 0.0)[None],
        drawn(2 * FRAMES), drawn(128), drawn(600 * FRAMES),
        torch.full((1,), 0.1 * seed, dtype=torch.float64), memory, skipped,
    )  # fmt: skip


def joined(each: list[DecoderWindow], memory: MomentMemory) -> DecoderWindow:
    names = ("asr", "f0_hz", "energy", "style", "noise", "start_phase")
    rows = (torch.cat([getattr(one, name) for one in each]) for name in names)
    return DecoderWindow(*rows, memory, each[0].skipped)


def sung(decode: Decode, windows: list[list[int]]) -> tuple[list[Tensor], Tensor]:
    """Sing windows one after another, each of as many streams; return sounds and what is kept."""
    kept, weight = None, torch.zeros(len(windows[0]), 1)
    sounds = []
    for seeds in windows:
        memory = MomentMemory(kept, weight, NEW_S)
        sounds.append(decode(joined([given(seed, memory) for seed in seeds], memory)))
        kept, weight = memory.kept, memory.weight
    assert kept is not None
    return sounds, kept


def apart(made: Tensor, wanted: Tensor) -> float:
    assert made.shape == wanted.shape
    return float((made - wanted).abs().max() / wanted.abs().max())


class SameSource(nn.Module):
    """The excitation as the fused decoder makes it: angles of faint bins flip with its last bit."""

    def __init__(self, fused: FusedDecoder) -> None:
        super().__init__()
        self.mix = fused.get_buffer("share"), fused.get_buffer("offset")

    def forward(self, f0_hz: Tensor, noise: Tensor, start_phase: Tensor) -> Tensor:
        return harmonic_source(f0_hz, *self.mix, start_phase=start_phase, noise=noise)[0]


@pytest.fixture(scope="module")
def decoders() -> dict[str, Decode]:
    torch.manual_seed(0)
    network = KokoroDecoder().eval().requires_grad_(False)
    fused = FusedDecoder(network, torch.float32).requires_grad_(False)
    network.generator.m_source = SameSource(fused)  # type: ignore[assignment]
    return {"plain": lambda window: plain_window(network, window), "fused": fused.window}


@pytest.mark.parametrize("kind", ["plain", "fused"])
def test_streams_of_one_pass_are_each_as_if_alone(decoders: dict[str, Decode], kind: str) -> None:
    with torch.inference_mode():
        together, kept = sung(decoders[kind], [[1, 2], [3, 4], [5, 6]])
        for row in (0, 1):
            alone, one = sung(decoders[kind], [[1 + row], [3 + row], [5 + row]])
            for made, wanted in zip(together, alone, strict=True):
                assert apart(made[row : row + 1], wanted) < 1e-5
            assert apart(kept[row : row + 1], one) < 1e-5


def test_the_fused_decoder_remembers_as_the_plain_one(decoders: dict[str, Decode]) -> None:
    windows = [[1, 2], [3, 4], [5, 6]]
    with torch.inference_mode():
        fused, _ = sung(decoders["fused"], windows)
        plain, _ = sung(decoders["plain"], windows)
        forgetful = [sung(decoders["plain"], [seeds])[0][0] for seeds in windows]
    for made, wanted in zip(fused, plain, strict=True):
        assert apart(made, wanted) < 1e-4
    # what came before is heard in the last window
    assert apart(forgetful[-1], plain[-1]) > 1e-2


def test_a_stream_without_weight_begins_anew() -> None:
    torch.manual_seed(0)
    block = AdaINResBlock1(4, 3, style_dim=8).eval().requires_grad_(False)
    sound, style = torch.randn(2, 4, 90), torch.randn(2, 8)
    first = MomentMemory(None, torch.zeros(2, 1), 1.0)
    with torch.inference_mode():
        with first.worn_by(block):
            begun = block(sound, style)
        weight = first.weight * torch.tensor([[1.0], [0.0]])
        second = MomentMemory(first.kept, weight, 1.0)
        with second.worn_by(block):
            quiet = block(0.1 * sound, style)
        alone = block(0.1 * sound, style)
    torch.testing.assert_close(quiet[1], alone[1], atol=1e-4, rtol=1e-4)
    assert (quiet[0] - alone[0]).std() > 0.1
    assert begun.shape == quiet.shape
    np.testing.assert_allclose(second.weight[:, 0].numpy(), [1.875, 1.0])


def test_settled_sums_stand_for_all_so_far() -> None:
    rows = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0))
    scale = 1 << 24
    sums = torch.stack([rows.sum(1), rows.square().sum(1)], 1).double().mul(scale).round().long()
    first = MomentMemory(None, torch.zeros(2, 1), 2.0)
    assert (first.settled(sums, 50) - sums).abs().max() <= scale // 1_000
    second = MomentMemory(first.kept, first.weight, 2.0)
    settled = second.settled(torch.zeros_like(sums), torch.tensor([50, 25], dtype=torch.int32))
    # 2 s of them are 1.5 s by now, beside 2 s of zeros
    share = 1.5 / 3.5
    np.testing.assert_allclose(settled[0].numpy(), share * sums[0].numpy(), rtol=1e-4)
    np.testing.assert_allclose(settled[1].numpy(), share * sums[1].numpy() / 2, rtol=1e-4)
