"""Whether the compiled kernels are loaded, and what is said where they are not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from autovoice.kernels import fatbin, library
from autovoice.kernels.fatbin import GpuCode

# Without the memory of earlier answers.
load: Callable[[], tuple[bool, str]] = library.load.__wrapped__


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the files that were loaded on a machine with one GPU of 9.0 and a file for 8.0 on."""
    files: list[str] = []
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, 0))
    monkeypatch.setattr(library, "compiled_file", lambda: tmp_path / "_cuda.so")
    monkeypatch.setattr(fatbin, "read", lambda path: GpuCode((80,), (80,)))
    monkeypatch.setattr(torch.ops, "load_library", files.append)
    return files


def test_a_cpu_build_loads_nothing(tried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    assert load() == (False, "this PyTorch is built without CUDA")
    assert tried == []


def test_no_file_is_told(tried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "compiled_file", lambda: None)
    assert load() == (False, "no compiled extension was installed")


def test_a_file_with_code_for_the_gpu_is_loaded(tried: list[str], tmp_path: Path) -> None:
    assert load() == (True, "_cuda.so is loaded")
    assert tried == [str(tmp_path / "_cuda.so")]


def test_a_file_without_code_for_any_gpu_is_left_alone(
    tried: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (7, 0))
    with caplog.at_level(logging.WARNING):
        loaded, reason = load()
    assert not loaded
    assert reason == (
        "_cuda.so has sm_80, PTX of compute_80, and nothing for compute capability 7.0"
    )
    assert reason in caplog.text
    assert tried == []


def test_a_file_that_cannot_be_read_is_left_to_the_loader(
    tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(path: Path) -> None:
        raise ValueError("damaged")

    def refuses(path: str) -> None:
        raise OSError("undefined symbol: some_function")

    monkeypatch.setattr(fatbin, "read", damaged)
    monkeypatch.setattr(torch.ops, "load_library", refuses)
    assert load() == (
        False, "the compiled extension does not load: undefined symbol: some_function"
    )  # fmt: skip
