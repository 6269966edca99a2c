"""docs/benchmarks.md: one section per benchmark between markers; what was not run is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEAD = """# Benchmarks

Written by `make bench`: each section says where it was measured and which command repeats it;
raw results lie in [benchmarks/](benchmarks). A section that a run leaves out stays as it was.
"""
SECTION = "<!-- {name}: begin -->\n{text}\n<!-- {name}: end -->\n"


@dataclass(frozen=True)
class Section:
    """One benchmark's result.

    Args:
        name: marks its place on the page and names its raw file.
        title: its heading.
        body: Markdown below the lines about machine and versions.
        raw: everything that was measured.
    """

    name: str
    title: str
    body: str
    raw: Mapping[str, Any] = field(default_factory=dict)


def against(measured: float, limit: float, style: str, *, least: bool = False) -> tuple[str, ...]:
    """Return the cells "measured", "goal" and "reached"; ``least``: the goal is a lower limit."""
    reached = measured >= limit if least else measured <= limit
    sign = ">=" if least else "<="
    return style.format(measured), f"{sign} {style.format(limit)}", "yes" if reached else "**no**"


def write(section: Section, about: Mapping[str, str], page: Path) -> None:
    """Put a section into ``page``, in the place it had, and its raw results beside it."""
    lines = [f"## {section.title}", "", *(f"- {key}: {value}" for key, value in about.items())]
    text = SECTION.format(name=section.name, text="\n".join([*lines, "", section.body.strip()]))
    old = page.read_text(encoding="utf-8") if page.is_file() else HEAD
    place = re.compile(SECTION.format(name=re.escape(section.name), text=".*?"), re.DOTALL)
    # The text is handed over by a function: its backslashes are no group references.
    new = place.sub(lambda _: text, old) if place.search(old) else f"{old.rstrip()}\n\n{text}"
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"about": dict(about), **section.raw}
    _replace(folder / f"{section.name}.json", json.dumps(whole, indent=1, ensure_ascii=False))
    _replace(page, new)


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text.rstrip() + "\n", encoding="utf-8")
    part.replace(path)
