"""Log spectra of one op, against the three layers that it stands in for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.kernels.cases import DEVICES, ON_GPU

from autovoice.kernels import LogScale, band_spans, log_mel, takes_log_mel
from autovoice.nn.mel24k import Mel24k, log_norm
from autovoice.nn.swift_f0 import WINDOWS_SAMPLES, LogSpectrogram
from autovoice.nn.whisper_mel import WhisperMel

Ways = tuple[torch.nn.Module, Callable[..., torch.Tensor], Callable[..., torch.Tensor]]
# Largest difference of a logarithm; where there is next to nothing, rounding is much of it.
TOLERANCE = 2e-4


def swift() -> LogSpectrogram:
    """Return the layer with windows and a bank as the weights have: narrow, some bands empty."""
    layer, chance = LogSpectrogram(), torch.Generator().manual_seed(3)
    tensors: dict[str, torch.Tensor] = {}
    for size in WINDOWS_SAMPLES:
        bank = torch.zeros(size // 2 + 1, 128)
        for band in range(1, 128):
            centre = size // 2 * band // 140
            bank[centre : centre + 1 + band // 20, band] = torch.rand(1, generator=chance)
        tensors |= {f"window_{size}": torch.hann_window(size), f"bank_{size}": bank}
    layer.load_state_dict(tensors)
    return layer


def ways() -> dict[str, Ways]:
    """Return for each layer: itself, its plain way and its way through the op."""
    whisper, mel, spectra = WhisperMel(), Mel24k(), swift()
    return {
        "whisper": (whisper, whisper.plain, whisper.fused),
        "mel24k": (mel, mel.plain, mel.fused),
        "norm": (mel, lambda x: log_norm(mel.plain(x)), mel.log_norm),
        "swift": (spectra, spectra.plain, spectra.fused),
    }


def sound(length: int) -> torch.Tensor:
    """Return noise that ends in near silence: what is loud must not leak into it."""
    chance = torch.Generator().manual_seed(length)
    made = torch.randn(2, length, generator=chance) * 0.1
    made[:, length // 2 :] *= 1e-4
    return made


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["whisper", "mel24k", "norm", "swift"])
@pytest.mark.parametrize("length", [333, 1_023, 1_025, 16_001])
def test_it_is_what_the_layer_makes(name: str, length: int, device: str) -> None:
    layer, plain, fused = ways()[name]
    with torch.inference_mode():
        wanted = plain(sound(length))
        layer.to(device)
        found = fused(sound(length).to(device)).cpu()
    assert found.shape == wanted.shape
    assert found.numel()
    torch.testing.assert_close(found, wanted, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_mixed_precision_changes_nothing(device: str) -> None:
    x = sound(5_000).to(device)
    whisper = WhisperMel().to(device)
    wanted = whisper.fused(x)
    with torch.autocast(device, torch.bfloat16):
        assert torch.equal(whisper.fused(x), wanted)


@pytest.mark.parametrize("device", DEVICES)
def test_slices_are_read_as_they_are(device: str) -> None:
    mel, wide = Mel24k().to(device), sound(5_000).to(device)
    cut = torch.stack([wide, wide], 2)[..., 1]
    assert not cut.is_contiguous()
    assert torch.equal(mel.fused(cut), mel.fused(wide))
    assert torch.equal(mel.fused(wide[1:]), mel.fused(wide)[1:])


def test_silence_is_the_floor_and_no_frames_are_none() -> None:
    mel = WhisperMel()
    torch.testing.assert_close(mel.fused(torch.zeros(1, 800)), torch.full((1, 80, 5), -10.0))
    assert Mel24k().fused(torch.zeros(3, 299)).shape == (3, 80, 0)


def test_spans_hold_what_counts() -> None:
    bank = torch.tensor([[0.0, 1, 0, 2, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 3]])
    assert band_spans(bank).tolist() == [[1, 4], [0, 0], [0, 1], [4, 5]]


def test_layers_leave_it_to_the_op_on_a_gpu_only() -> None:
    assert not takes_log_mel(torch.zeros(1, 10))
    learns = torch.zeros(1, 900, requires_grad=True)
    Mel24k()(learns).sum().backward()
    assert learns.grad is not None


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_gradients_go_the_plain_way_and_all_else_through_the_op() -> None:
    learns = torch.zeros(1, 900, device="cuda", requires_grad=True)
    assert not takes_log_mel(learns)
    assert takes_log_mel(learns.detach())
    with torch.no_grad():
        assert takes_log_mel(learns)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_the_same_again_and_in_a_graph() -> None:
    layer, x = swift().cuda(), sound(16_000).cuda()
    wanted = layer.fused(x)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = layer.fused(x)
    for _ in range(3):
        graph.replay()
        assert torch.equal(found, wanted)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_what_does_not_fit_is_refused() -> None:
    def call(x: torch.Tensor, size: int) -> torch.Tensor:
        window, bank = torch.ones(size).cuda(), torch.ones(2, size // 2 + 1).cuda()
        parts = ([window], [bank], [band_spans(bank)])
        return log_mel(x, *parts, hop_samples=5, frames=3, mirror=0, scale=LogScale(added=1.0))

    x = torch.zeros(1, 90).cuda()
    assert call(x, 20).shape == (1, 1, 2, 3)
    with pytest.raises(RuntimeError, match="found a window of 14 samples"):
        call(x, 14)
    with pytest.raises(RuntimeError, match="sound has dtype"):
        call(x.half(), 20)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("norm", [False, True])
def test_opcheck(device: str, norm: bool) -> None:
    windows = [torch.hann_window(size, device=device) for size in (64, 20)]
    banks = [torch.rand(3, len(window) // 2 + 1, device=device) for window in windows]
    spans = [band_spans(bank) for bank in banks]
    x = torch.randn(2, 150, device=device)
    numbers = (16, 9, 0, True, norm, 1e-5, 0.0, 1.0, 0.0)
    torch.library.opcheck(torch.ops.autovoice.log_mel.default, (x, windows, banks, spans, *numbers))
