"""How a training goes, for people and programs: JSON lines, a table, TensorBoard."""

from __future__ import annotations

import csv
import importlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
Row = dict[str, Any]
_LABELS = ("phase", "at", "step", "seconds")


class Metrics:
    """Write each report to ``log.jsonl``, ``metrics.csv`` and, where it can, ``tensorboard/``.

    Args:
        out: folder of the run; what an earlier run wrote there is continued.
        listener: is told each row too.
    """

    def __init__(self, out: Path, listener: Callable[[Row], None] = lambda _row: None) -> None:
        self.out, self.listener = out, listener
        out.mkdir(parents=True, exist_ok=True)
        self.last: Row = {}  # the last row that had figures
        self._columns: list[str] = list(_LABELS)
        self._rows: list[Row] = []
        self._read()
        self.board = _board(out / "tensorboard")

    def write(self, row: Row) -> None:
        """Write one report: labels (phase, at, step, seconds) and figures by name."""
        if row.keys() - set(_LABELS):
            self.last = row
        log.info("%s", json.dumps(row))
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._rows.append(row)
        new = [name for name in row if name not in self._columns]
        self._columns += new
        if new or len(self._rows) == 1:
            self._rewrite()
        else:
            with (self.out / "metrics.csv").open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, self._columns).writerow(row)
        if self.board is not None:
            for name in sorted(row.keys() - set(_LABELS)):
                self.board.add_scalar(f"{row['phase']}/{name}", row[name], row["step"])
            self.board.flush()
        self.listener(row)

    def close(self) -> None:
        """Close what is open."""
        if self.board is not None:
            self.board.close()

    def _read(self) -> None:
        """Take over the rows of an earlier run, since its columns may be fewer."""
        path = self.out / "metrics.csv"
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                self._rows = [dict(row) for row in reader]
                known = reader.fieldnames or ()
            self._columns += [name for name in known if name not in self._columns]
            if self._rows:
                self._rewrite()  # a last line that was cut off is whole again

    def _rewrite(self) -> None:
        """Write the table anew under all columns, atomically; what was not measured is empty."""
        path = self.out / "metrics.csv"
        temporary = path.with_suffix(".csv.part")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self._columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self._rows)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def _board(folder: Path) -> Any:
    """Open TensorBoard's writer; None, and a line in the log, where the package is missing."""
    try:
        module = importlib.import_module("torch.utils.tensorboard")
    except ImportError:
        log.info("no TensorBoard files: the package tensorboard is not installed")
        return None
    return module.SummaryWriter(str(folder))
