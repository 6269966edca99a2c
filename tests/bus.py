"""A device apart that is none: copies to and from it are counted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch

from autovoice.nn import transfer


@dataclass
class Bus:
    """Copies that were made, up and down."""

    up: int = 0
    down: int = 0

    @classmethod
    @contextlib.contextmanager
    def between(cls, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
        """Take the CPU for a device with memory of its own."""
        bus = cls()
        with monkeypatch.context() as patch:
            patch.setattr(transfer, "apart", lambda device: True)
            patch.setattr(transfer, "_up", bus._up)
            patch.setattr(transfer, "_down", bus._down)
            yield bus

    def _up(self, staged: torch.Tensor, device: torch.device) -> torch.Tensor:
        self.up += 1
        return staged.clone()

    def _down(self, buffer: torch.Tensor) -> torch.Tensor:
        self.down += 1
        return buffer.clone()
