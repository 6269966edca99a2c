"""Put the figures of a protocol run into docs/evaluation.md, or docs/evaluation-full.md.

python -m benchmarks.evaluation_page RESULTS.json

The table goes between the page's two markers; the figures themselves, without transcripts, into
docs/benchmarks/evaluation-quick.json (or -full), against which later runs can be compared. Only a
whole run of one commit is published: the page is what anyone can repeat. Of a full run the page
says how much of each source was converted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.protocol import markdown, public

PAGES = {"quick": "evaluation.md", "full": "evaluation-full.md"}
BEGIN, END = "<!-- protocol:begin -->", "<!-- protocol:end -->"


def rendered(page: str, results: Mapping[str, Any]) -> str:
    """Return the page with the run's table between its markers.

    Raises:
        SystemExit: the page has not one pair of them.
    """
    before, begin, rest = page.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in old + after or END in before + after:
        raise SystemExit(f"expected {BEGIN} and then {END} on the page, once each")
    about = "\n".join(f"- {key}: {text}" for key, text in _about(results).items())
    return f"{before}{BEGIN}\n{about}\n\n{markdown(results)}\n{END}{after}"


def write(results: Mapping[str, Any], page: Path, folder: Path) -> None:
    """Write the page and, into ``folder``, the figures.

    Raises:
        SystemExit: the run is no whole quick run of one commit, or the page has no markers.
    """
    found = faults(results)
    if found:
        raise SystemExit(f"nothing is published of this run: {'; '.join(found)}")
    text = rendered(page.read_text(encoding="utf-8"), results)
    whole = {"about": _about(results), **public(results)}
    file = folder / f"evaluation-{results['settings']['pairs']}.json"
    _replace(file, json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    _replace(page, text)


def faults(results: Mapping[str, Any]) -> list[str]:
    """Say why the figures of a run are not to be published; empty: they are."""
    from autovoice.eval.protocol.quick import SECONDS

    settings, commit = results["settings"], str(results["about"].get("commit", "unknown"))
    failed = results["counts"]["failed"]
    seconds = settings.get("seconds")
    quick = settings["pairs"] == "quick"
    checks = {
        f"{failed} pairs of the run failed": failed,
        f"--pairs: found {settings['pairs']}, expected quick or full": (
            settings["pairs"] not in PAGES
        ),
        f"--seconds: found {seconds}, expected {SECONDS:g}, as quick has it": (
            quick and seconds != SECONDS
        ),
        f"--seconds: found {seconds}, expected {SECONDS:g} at least": (
            not quick and seconds is not None and seconds < SECONDS
        ),
        "--only left pairs out": settings.get("only"),
        f"rows of several commits ({commit}): run it again with --fresh": ", " in commit,
        f"changes that are in no commit ({commit}): commit them, run it again": (
            "with changes" in commit
        ),
    }
    return [text for text, holds in checks.items() if holds]


def _about(results: Mapping[str, Any]) -> dict[str, str]:
    """Say with what the run was made; the command is code on the page."""
    about = dict(results["about"])
    return {**about, "command": f"`{about['command'].strip('`')}`"}


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def main(words: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="results.json of a run")
    parser.add_argument("--page", type=Path, help="default: the page for its pairs in docs/")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "benchmarks")
    chosen = parser.parse_args(words)
    results = json.loads(chosen.results.read_text(encoding="utf-8"))
    page = chosen.page or ROOT / "docs" / PAGES.get(results["settings"]["pairs"], PAGES["quick"])
    write(results, page, chosen.folder)


if __name__ == "__main__":
    main()
