"""How tests of score cards run the command line and read what it prints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autovoice.cli.main import main


def run(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command line in this process and return exit code, stdout and stderr."""
    with pytest.raises(SystemExit) as leaving:
        main([str(word) for word in words])
    out, err = capfd.readouterr()
    return int(leaving.value.code or 0), out, err


def strict(text: str) -> dict[str, Any]:
    """Read JSON; what is no JSON number is refused."""

    def refuse(word: str) -> float:
        raise AssertionError(f"found {word}")

    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found
