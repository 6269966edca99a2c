"""What ``autovoice doctor`` says of GPUs and of the kernels that are compiled for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from autovoice.cli import doctor_gpu as room
from autovoice.cli.finding import Finding
from autovoice.kernels import fatbin, library
from autovoice.kernels.fatbin import GpuCode
from autovoice.vocode import accelerated

CARD = SimpleNamespace(name="Card", total_memory=80_000_000_000, major=9, minor=0)


def by_topic(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {finding.topic: finding for finding in findings}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: CARD)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, 0))


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that is taken for the compiled kernels, with code for 8.0 and 9.0."""
    file = tmp_path / "_cuda.so"
    file.write_bytes(bytes(2_000_000))
    monkeypatch.setattr(library, "compiled_file", lambda: file)
    monkeypatch.setattr(fatbin, "read", lambda path: GpuCode((80, 90), (90,)))
    monkeypatch.setattr(room, "SOURCES", tmp_path / "csrc")
    monkeypatch.setattr(accelerated, "can_accelerate", lambda device: (True, f"{device} runs them"))
    return file


@pytest.mark.usefixtures("gpu")
def test_gpus_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.shutil, "which", lambda name: None)
    found = by_topic(list(room.check_torch()))
    assert found["gpu cuda:1"].found == "Card, 80.0 GB, sm_90"
    assert found["gpu driver"].found == "unknown"


@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_does_not_work_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(room.shutil, "which", lambda name: "nvidia-smi")
    found = by_topic(list(room.check_torch()))
    assert found["gpu"].state == "note"
    assert found["gpu"].advice == "see nvidia-smi"


def test_a_driver_without_a_cuda_build_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(room.shutil, "which", lambda name: "nvidia-smi")
    assert "CUDA build" in by_topic(list(room.check_torch()))["gpu"].advice


def test_the_driver_version_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.shutil, "which", lambda name: sys.executable)
    answer = subprocess.CompletedProcess([], 0, stdout="580.95\n580.95\n")
    monkeypatch.setattr(room.subprocess, "run", lambda *args, **kwargs: answer)
    assert room._driver_version() == "580.95"


def test_a_driver_that_does_not_answer_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object, **kwargs: object) -> None:
        raise subprocess.TimeoutExpired("nvidia-smi", 10)

    monkeypatch.setattr(room.shutil, "which", lambda name: "nvidia-smi")
    monkeypatch.setattr(room.subprocess, "run", fails)
    assert room._driver_version() == "unknown (TimeoutExpired)"


def test_the_kernels_and_their_architectures_are_named(compiled: Path) -> None:
    found = list(room.check_kernels())
    assert found == [Finding("kernels", "ok", "_cuda.so, 2.0 MB: sm_80, sm_90, PTX of compute_90")]


def test_newer_sources_are_a_note(compiled: Path) -> None:
    source = compiled.parent / "csrc" / "op.cu"
    source.parent.mkdir()
    source.touch()
    os.utime(compiled, (1_000, 1_000))
    found = next(room.check_kernels())
    assert found.state == "note"
    assert found.advice == "run make kernels: the sources are newer"


def test_a_damaged_library_is_broken(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path) -> None:
        raise ValueError("_cuda.so: cut off or damaged")

    monkeypatch.setattr(fatbin, "read", fails)
    (found,) = room.check_kernels()
    assert (found.state, found.found) == ("broken", "_cuda.so: cut off or damaged")
    assert "delete _cuda.so" in found.advice


def test_no_library_is_a_note_only_where_a_gpu_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "compiled_file", lambda: None)
    monkeypatch.setattr(torch.version, "cuda", None)
    (found,) = room.check_kernels()
    assert (found.state, found.advice) == ("ok", "")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    (found,) = room.check_kernels()
    assert (found.state, found.advice) == ("note", room.BUILD_ADVICE)


@pytest.mark.usefixtures("gpu", "compiled")
@pytest.mark.parametrize(
    ("capability", "state", "text"),
    [
        ((9, 0), "ok", "cuda:1 runs them"),
        ((12, 0), "ok", "cuda:1 runs them; the driver compiles PTX for it at first use"),
        ((7, 0), "note", "no code for this GPU: the references run"),
    ],
)
def test_each_gpu_is_told_what_it_gets(
    capability: tuple[int, int], state: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
    found = by_topic(room.check_kernels())["kernels cuda:1"]
    assert (found.state, found.found) == (state, text)


@pytest.mark.usefixtures("gpu", "compiled")
def test_a_gpu_that_cannot_run_them_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerated, "can_accelerate", lambda device: (False, "too little memory"))
    found = by_topic(room.check_kernels())["kernels cuda:0"]
    assert (found.state, found.found) == ("note", "too little memory")


def test_every_op_is_listed_with_what_runs_it_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "load", lambda: (False, "no compiled extension was installed"))
    found = by_topic(room.check_ops())
    assert {"op style_conv1d", "op harmonic_source", "op polar_istft"} <= set(found)
    expected = "reference: no compiled extension was installed"
    if not torch.cuda.is_available():  # elsewhere the kernels may be there already
        assert {finding.found for finding in found.values()} == {expected}


def test_a_library_without_a_kernel_for_an_op_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "load", lambda: (True, "_cuda.so is loaded"))
    has = {"autovoice::style_conv1d"}
    monkeypatch.setattr(
        torch._C, "_dispatch_has_kernel_for_dispatch_key", lambda name, key: name in has
    )
    found = by_topic(room.check_ops())
    assert found["op style_conv1d"].found == "cuda: _cuda.so is loaded"
    assert found["op polar_stft"].found == (
        "reference: the compiled extension has no kernel for it"
    )


def test_nvcc_is_named_or_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    (found,) = room.check_toolkit()
    assert found == Finding("nvcc", "ok", "none, needed only to compile the kernels")
    tool = tmp_path / "bin" / "nvcc"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho Cuda compilation tools, release 13.1, V13.1.5\n")
    tool.chmod(0o755)
    (found,) = room.check_toolkit()
    assert found == Finding("nvcc", "ok", f"13.1 ({tool})")
    tool.write_text("#!/bin/sh\nexit 3\n")
    (found,) = room.check_toolkit()
    assert found.found == f"{tool} does not run (CalledProcessError)"
