"""The options of the check, and what its table is headed with."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run write the baseline instead of comparing with it."""
    parser.addoption("--refresh", action="store_true", help="write baseline.json anew")


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_scale_unit(**_: Any) -> tuple[str, float]:
    """Say in the table that times are loops, not seconds."""
    return "loop", 1.0
