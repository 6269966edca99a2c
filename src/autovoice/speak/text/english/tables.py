"""The word lists of the English front, read once from ``tables.json``."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any


@functools.cache
def _tables() -> Mapping[str, Any]:
    data: dict[str, Any] = json.loads(
        Path(__file__).with_name("tables.json").read_text(encoding="utf-8")
    )
    return data


@functools.cache
def table(name: str) -> Mapping[str, Any]:
    """Return one list by name: ``units``, ``abbreviations``, ``symbols``, ..."""
    return MappingProxyType(_tables()[name])
