"""The rows of a run on disk: one line each, written as soon as it is known."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from autovoice.errors import InputError
from autovoice.eval.card import FORMAT
from autovoice.eval.protocol.pairs import Pair
from autovoice.eval.report.template import write_text

log = logging.getLogger(__name__)
FILE = "rows.jsonl"


def key_of(pair: Pair, seconds: float | None) -> str:
    """Return what a row is known by: its pair, what is done to it, and the format of figures.

    Runs are compared by it, so what a row was made with stands beside it (``inputs``) and not in
    it. The commit is in neither: a run goes on after a change elsewhere, and ``results.json`` tells
    when rows are of several commits.
    """
    return json.dumps([pair.source.name, pair.target.name, pair.group, seconds, FORMAT])


class Rows:
    """The rows of a folder, by key; the newest of a key counts.

    Args:
        folder: where ``rows.jsonl`` is or will be.
        fresh: forget what is there.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.path = folder / FILE
        if fresh:
            self.path.unlink(missing_ok=True)
        self._rows = {row["key"]: row for row in self._read()}

    def get(self, key: str, inputs: str) -> dict[str, Any] | None:
        """Return a row that is known, made of the same inputs and no error.

        What failed is tried again, and so is what was made with other models, on another device or
        of other recordings.
        """
        row = self._rows.get(key)
        same = row is not None and row.get("inputs") == inputs and not row.get("error")
        return row if same else None

    def keep(self, row: Mapping[str, Any]) -> None:
        """Add a row; the file is either the old one or the new one, never a part of it.

        Raises:
            ResourceError: the folder cannot be written.
        """
        self._rows[row["key"]] = dict(row)
        write_text(self.path, "".join(_line(each) for each in self._rows.values()))

    def _read(self) -> Iterable[dict[str, Any]]:
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error})") from error
        # What follows the last line end was cut off while it was written.
        for number, line in enumerate(lines[:-1], start=1):
            try:
                row = json.loads(line)
                if isinstance(row, dict) and isinstance(row["key"], str):
                    yield row
            except (json.JSONDecodeError, KeyError):
                log.warning("%s, line %d: damaged, its pair is run again", self.path, number)


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
