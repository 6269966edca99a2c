"""Files of results: written whole, and checked before a later run is compared with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from autovoice.errors import InputError
from autovoice.eval.report.template import write_text


@dataclass(frozen=True)
class Stored:
    """A kind of results.

    Args:
        file: its name within a folder.
        format: changes when a figure changes its meaning, so that old results are not compared
            unawares.
        row: what a row is about; the list is called so with an ``s``.
        names: keys of a row that are text.
    """

    file: str
    format: int
    row: str
    names: tuple[str, ...]

    def write(self, found: Mapping[str, Any], folder: Path) -> Path:
        """Write results, whole or not at all; never NaN.

        Raises:
            ResourceError: the folder cannot be written.
        """
        text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
        return write_text(folder / self.file, text + "\n")

    def read(self, path: Path) -> dict[str, Any]:
        """Read the results of an earlier run; a folder stands for the file in it.

        Raises:
            InputError: it is missing, something else, or of figures that meant something else.
        """
        file, rows = (path / self.file if path.is_dir() else path), f"{self.row}s"
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InputError(
                f"{file}: found no results ({error}); expected a {self.file}"
            ) from error
        if (
            not isinstance(found, dict)
            or not isinstance(found.get(rows), list)
            or not isinstance(found.get("about", {}), dict)
        ):
            raise InputError(
                f"{file}: found no list of {rows}; expected a {self.file} of this command"
            )
        if found.get("format") != self.format:
            raise InputError(
                f"{file}: found figures of format {found.get('format')}, expected {self.format}: "
                "their meaning has changed since; run the earlier version again"
            )
        for number, row in enumerate(found[rows], start=1):
            if not self._is_row(row):
                raise InputError(
                    f"{file}: {self.row} {number}: found no {', '.join(self.names)} and figures "
                    f"(numbers or null); expected a {self.file} of this command, unchanged"
                )
        return found

    def _is_row(self, row: object) -> bool:
        """Tell whether a row has what a comparison reads; one that failed has no figures."""
        if not isinstance(row, dict):
            return False
        named = all(isinstance(row.get(key), str) for key in self.names)
        figures = row.get("figures", {} if row.get("error") else None)
        return named and isinstance(figures, dict) and all(map(_is_figure, figures.values()))


def _is_figure(found: object) -> bool:
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return found is None
    return isfinite(found)
