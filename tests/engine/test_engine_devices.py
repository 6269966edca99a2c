from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from autovoice.engine import devices
from autovoice.errors import InputError, ResourceError


def _gpus(monkeypatch: pytest.MonkeyPatch, count: int, *, works: bool = True) -> None:
    def zeros(*shape: int, device: str) -> None:
        if not works:
            raise RuntimeError("no kernel image")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch, "zeros", zeros)


def test_cpu_is_taken_when_asked_for() -> None:
    assert devices.choose("cpu") == devices.Choice("cpu", "asked for")


@pytest.mark.parametrize("wish", ["", "gpu", "cuda:", "cuda:x", "CPU", "cuda:1234"])
def test_wishes_that_are_no_device_are_refused(wish: str) -> None:
    with pytest.raises(InputError, match="expected auto, cpu, cuda or cuda:N"):
        devices.choose(wish)


def test_a_working_gpu_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    _gpus(monkeypatch, 2)
    assert devices.choose("auto").device == "cuda:0"
    assert devices.choose("cuda").device == "cuda:0"
    assert devices.choose("cuda:1").device == "cuda:1"
    with pytest.raises(ResourceError, match=r"found 2 GPU\(s\)"):
        devices.choose("cuda:2")


def test_a_build_without_cuda_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    assert devices.choose("auto") == devices.Choice("cpu", "this PyTorch is built without CUDA")
    with pytest.raises(ResourceError, match="use --device auto"):
        devices.choose("cuda")


@pytest.mark.parametrize(
    ("count", "works", "reason"), [(0, True, "no CUDA device"), (1, False, "does not work")]
)
def test_a_gpu_that_is_missing_or_broken_leaves_the_cpu(
    monkeypatch: pytest.MonkeyPatch, count: int, works: bool, reason: str
) -> None:
    _gpus(monkeypatch, count, works=works)
    choice = devices.choose("auto")
    assert choice.device == "cpu"
    assert reason in choice.reason


def test_a_cap_becomes_a_share_of_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[tuple[float, str]] = []
    card = SimpleNamespace(total_memory=16 << 30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setattr(
        torch.cuda,
        "set_per_process_memory_fraction",
        lambda share, device: shares.append((share, device)),
    )
    devices.cap_memory("cuda:0", 4 << 30)
    devices.cap_memory("cuda:0", 64 << 30)
    devices.cap_memory("cuda:0", None)
    devices.cap_memory("cpu", 1 << 20)
    assert shares == [(0.25, "cuda:0"), (1.0, "cuda:0")]
    with pytest.raises(InputError, match="expected at least"):
        devices.cap_memory("cuda:0", 1 << 20)


def test_out_of_memory_is_told_from_other_errors() -> None:
    assert devices.out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not devices.out_of_memory(RuntimeError("CUDA error: an illegal memory access"))
