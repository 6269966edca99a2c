"""Rows of a long benchmark, kept as they come, so that one that was cut off can go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from autovoice.bench.facts import commit
from benchmarks.machine import ROOT

Figures = dict[str, float]


class KeptRows:
    """Rows by name, in a file that is whole after each of them.

    Args:
        path: a JSON file; its folder is made.
        settings: what changes the figures; rows of other settings are not taken up.
        resume: take up what is there. Default: begin anew.
    """

    def __init__(self, path: Path, settings: Mapping[str, str], *, resume: bool = False) -> None:
        self._path, self._settings = path, dict(settings)
        self.rows: dict[str, Figures] = {}
        self._commits: dict[str, str] = {}
        if resume and path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["settings"] != self._settings:
                raise SystemExit(
                    f"{path}: found rows of {found['settings']}, expected {self._settings}; "
                    "run without --resume"
                )
            self.rows, self._commits = found["rows"], found["commits"]

    def row(self, name: str, measure: Callable[[], Figures]) -> Figures:
        """Return a row: the kept one, or a new one, which is then kept."""
        if name not in self.rows:
            self.rows[name] = measure()
            self._commits[name] = commit(ROOT)
            self._write()
        return self.rows[name]

    @property
    def commits(self) -> list[str]:
        """The commits that the rows were measured at, in the order of the rows."""
        return list(dict.fromkeys(self._commits.values()))

    def _write(self) -> None:
        whole = {"settings": self._settings, "commits": self._commits, "rows": self.rows}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f".{self._path.name}.part")
        part.write_text(json.dumps(whole, indent=1), encoding="utf-8")
        part.replace(self._path)
