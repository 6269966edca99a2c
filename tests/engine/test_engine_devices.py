from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from autovoice.engine import devices
from autovoice.errors import InputError, ResourceError
from autovoice.nn import graphs


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


def test_under_a_small_cap_nothing_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(total_memory=16 << 30)
    forbidden: list[str] = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *_: None)
    monkeypatch.setattr(graphs, "forbid", lambda device: forbidden.append(str(device)))
    devices.cap_memory("cuda:0", 2 << 30)
    assert not forbidden
    devices.cap_memory("cuda:1", 1 << 30)
    assert forbidden == ["cuda:1"]


def _free(monkeypatch: pytest.MonkeyPatch, *gibibytes: float) -> None:
    """Let GPUs have so much free memory, by NVML or by CUDA, whichever is asked."""
    card = lambda index: SimpleNamespace(uuid=f"{index}")  # noqa: E731
    free = [round(each * (1 << 30)) for each in gibibytes]
    monkeypatch.setattr(torch.cuda, "get_device_properties", card)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free[index], 80 << 30))


def test_the_gpu_with_the_most_free_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    _gpus(monkeypatch, 3)
    _free(monkeypatch, 2, 30, 9)
    assert devices.working_gpus() == [1, 2, 0]
    choice = devices.choose("auto")
    assert choice == devices.Choice("cuda:1", "most free memory of 3 GPUs: 30.0 GiB free")
    assert devices.choose("cuda").device == "cuda:1"
    assert devices.choose("cuda:0").device == "cuda:0"


def test_a_full_gpu_leaves_the_cpu_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _gpus(monkeypatch, 1)
    _free(monkeypatch, 0.3)
    choice = devices.choose("auto")
    assert choice.device == "cpu"
    assert "cuda:0 has 307.2 MiB of memory free, 1.0 GiB are needed" in choice.reason
    assert devices.choose("cuda").device == "cuda:0"


def test_a_broken_gpu_among_others_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _gpus(monkeypatch, 2)
    _free(monkeypatch, 40, 8)

    def zeros(*shape: int, device: str) -> None:
        if device == "cuda:0":
            raise RuntimeError("busy")

    monkeypatch.setattr(torch, "zeros", zeros)
    assert devices.choose("auto").device == "cuda:1"
    with pytest.raises(ResourceError, match="cuda:0: the GPU does not work"):
        devices.choose("cuda:0")


def _library(free: dict[str, int]) -> SimpleNamespace:
    class Lost(Exception):
        pass

    def handle(uuid: str) -> str:
        if uuid not in free:
            raise Lost
        return uuid

    return SimpleNamespace(
        NVMLError=Lost,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=handle,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(free=free[handle]),
    )


def test_the_driver_is_asked_by_the_cards_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from autovoice.engine.devices.metrics import free_bytes_of

    library = _library({"GPU-7": 123})
    assert free_bytes_of("GPU-7", library) == 123
    assert free_bytes_of("GPU-8", library) is None
    monkeypatch.setattr("autovoice.engine.devices.metrics._installed", lambda: library)
    _free(monkeypatch, *[1] * 9)
    assert devices.free_bytes(7) == 123
    assert devices.free_bytes(8) == 1 << 30


def test_what_torch_holds_and_does_not_use_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (600, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 300)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 100)
    assert devices.room_bytes("cuda:0") == 640
    assert devices.room_bytes("cpu") == 1 << 30


def test_out_of_memory_is_told_from_other_errors() -> None:
    assert devices.out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not devices.out_of_memory(RuntimeError("CUDA error: an illegal memory access"))
