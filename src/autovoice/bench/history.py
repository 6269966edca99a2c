"""What was measured before: one line of JSON for each commit on each machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autovoice.errors import InputError

# What is on one line was measured on one machine with one state of the code.
SAME = ("commit", "machine", "gpu", "versions")


def keep(path: Path, found: Mapping[str, Any]) -> None:
    """Add a measurement to a file of them.

    A line of the same commit and machine takes the new parts and keeps its others; figures of code
    that is in no commit stand on a line of their own that the next such run takes.

    Args:
        path: the file; it is made where there is none.
        found: ``about``, as ``facts`` returns it, and the parts.

    Raises:
        InputError: a line that is no measurement.
    """
    lines = _read(path)
    for line in lines:
        if _place(line) == _place(found):
            line.update(found)
            break
    else:
        lines.append(dict(found))
    part = path.with_name(f".{path.name}.part")
    part.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    part.replace(path)


def _place(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(line["about"].get(name) for name in SAME)


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    lines = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            line = json.loads(text)
            _place(line)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"{path}:{number}: found no measurement, expected a JSON object with 'about'; "
                "name another file"
            ) from error
        lines.append(line)
    return lines
