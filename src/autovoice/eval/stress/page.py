"""``stress.html``: the tables of a run on one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autovoice.eval.report.template import render, write_text
from autovoice.eval.stress.tables import comparison_lines, tables, worst_lines

FILE = "stress.html"


def write_page(found: Mapping[str, Any], folder: Path) -> Path:
    """Write the page into the folder of a run and return its path.

    Args:
        found: as ``results.results`` returns it, maybe with ``comparison`` of ``compare``.
        folder: it is created.

    Raises:
        ResourceError: the folder cannot be written.
    """
    return write_text(folder / FILE, page(found))


def page(found: Mapping[str, Any]) -> str:
    """Return the page (see ``write_page``)."""
    comparison = found.get("comparison")
    values = {
        "title": f"AutoVoice stress set: {found['settings'].get('voice', '')}",
        "found": found,
        "facts": {**found["about"], **{k: str(v) for k, v in found["settings"].items()}},
        "failures": [row for row in found["places"] if row.get("error")],
        "worst": worst_lines(found),
        "tables": tables(found),
        "says": {row["name"]: row["says"] for row in found["places"]},
        "comparison": None if comparison is None else comparison_lines(comparison),
    }
    return render("stress.html", values, folder=Path(__file__).parent)
