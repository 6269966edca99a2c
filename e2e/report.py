"""The files of a run: ``<date>.json`` for programs, ``<date>.md`` for people."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autovoice.eval.measures import BY_KEY, printed
from e2e.known import Ruled
from e2e.records import Case, Outcome
from e2e.runner import GONE, Summary

FORMAT = 1
# What the table of figures shows; the JSON has all.
SHOWN = (
    "pitch_rmse_hz",
    "pitch_median_cents",
    "pitch_within_50_cents",
    "similarity_target",
    "similarity_floor",
    "similarity_source",
    "cer",
    "distillmos",
    "distillmos_source",
    "stoi",
    "true_peak_dbtp",
)


class Results:
    """Two files whose name is the time at which the run began, in UTC.

    Args:
        folder: where they lie; made when it is not there.
        about: machine, versions, commit, command.
        suite: ``quick`` or ``full``.
    """

    def __init__(self, folder: Path, about: Mapping[str, str], suite: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.begin = datetime.datetime.now(datetime.timezone.utc)
        self.json = _reserve(folder, self.begin.strftime("%Y-%m-%dT%H%M%SZ"))
        self.markdown = self.json.with_suffix(".md")
        self.about, self.suite = about, suite

    def write(self, outcomes: Sequence[Outcome], summary: Summary, *, complete: bool) -> None:
        """Write both files anew, each in one step.

        Args:
            outcomes: so far.
            summary: of them.
            complete: whether nothing is left to run.
        """
        now = datetime.datetime.now(datetime.timezone.utc)
        record = {
            "format": FORMAT,
            "suite": self.suite,
            "complete": complete,
            "verdict": summary.verdict if complete else "not complete",
            "exit_code": summary.code if complete else None,
            "begin": self.begin.isoformat(timespec="seconds"),
            "seconds": round((now - self.begin).total_seconds(), 1),
            "about": dict(self.about),
            "counts": summary.counts,
            "workflows": [_workflow(outcome, summary) for outcome in outcomes],
            "listed_but_not_run": [asdict(entry) for entry in summary.not_seen],
            "listed_but_gone": [asdict(entry) for entry in summary.gone],
        }
        text = json.dumps(record, allow_nan=False, ensure_ascii=False, indent=1)
        _replace(self.json, text + "\n")
        _replace(self.markdown, "\n".join(_page(record, outcomes, summary)) + "\n")


def _reserve(folder: Path, name: str) -> Path:
    """Take the first free name, so that two runs of one second keep both their results."""
    for number in range(1, 1000):
        path = folder / (f"{name}.json" if number == 1 else f"{name}-{number}.json")
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{folder}: {name} is there a thousand times")


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _workflow(outcome: Outcome, summary: Summary) -> dict[str, Any]:
    return {
        "name": outcome.workflow,
        "about": outcome.about,
        "state": summary.states[outcome.workflow],
        "seconds": round(outcome.seconds, 2),
        "why": outcome.why,
        "cases": [_case(outcome.workflow, case, summary.ruled) for case in outcome.cases],
    }


def _case(workflow: str, case: Case, ruled: Sequence[Ruled]) -> dict[str, Any]:
    gates = [
        {**asdict(each.verdict), "ruling": each.ruling, "note": each.note}
        for each in ruled
        if (each.workflow, each.case) == (workflow, case.name)
    ]
    return {
        "name": case.name,
        "why_not": case.why_not,
        "figures": dict(case.figures),
        "gates": gates,
        "commands": list(case.commands),
        "timings": {name: round(seconds, 3) for name, seconds in case.timings.items()},
        "notes": list(case.notes),
    }


def _page(
    record: Mapping[str, Any], outcomes: Sequence[Outcome], summary: Summary
) -> Iterator[str]:
    yield f"# End-to-end run, {record['suite']}, {record['begin']}"
    yield f"\n**{record['verdict']}**\n"
    yield from (f"- {key}: {value}" for key, value in record["about"].items())
    yield f"- seconds: {record['seconds']}"
    for what, counts in summary.counts.items():
        words = ", ".join(f"{key.replace('_', ' ')} {count}" for key, count in counts.items())
        yield f"- {what}: {words}"
    yield "\n| workflow | state | seconds | |\n|---|---|---|---|"
    for outcome in outcomes:
        state = summary.states[outcome.workflow]
        yield f"| {outcome.workflow} | {state} | {outcome.seconds:.1f} | {_cell(outcome.why)} |"
    yield from _gate_table(summary.ruled)
    yield from _figure_table(outcomes)
    yield from _left_out(outcomes, summary)


def _gate_table(ruled: Sequence[Ruled]) -> Iterator[str]:
    yield "\n## Gates of the score cards\n"
    yield "| workflow | case | gate | measured | wanted | | |\n|---|---|---|---|---|---|---|"
    for each in ruled:
        if each.verdict.group == "quality":
            yield _gate_row(each)
    checks = [each for each in ruled if each.verdict.group == "check"]
    missed = [each for each in checks if each.ruling != "passed"]
    yield f"\n## Checks: {len(checks) - len(missed)} of {len(checks)} passed"
    if missed:
        yield "\n| workflow | case | check | measured | wanted | | |\n|---|---|---|---|---|---|---|"
        yield from map(_gate_row, missed)


def _gate_row(each: Ruled) -> str:
    verdict = each.verdict
    value = "-" if verdict.value is None else f"{verdict.value:.4g}"
    # A known shortfall is still a gate that is missed.
    status = verdict.status.upper() if verdict.status == "fail" else verdict.status
    ruling = "" if each.ruling in {verdict.status, "passed"} else each.ruling
    note = each.note or verdict.protocol
    cells = (each.workflow, each.case, verdict.gate, value, verdict.wanted, status)
    told = f"{ruling}: {note}" if ruling and note else ruling or note
    return "| " + " | ".join(map(_cell, (*cells, told))) + " |"


def _figure_table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    scored = [(o.workflow, c) for o in outcomes for c in o.cases if c.figures]
    if not scored:
        return
    yield "\n## Figures\n"
    yield "| workflow | case | " + " | ".join(BY_KEY[key].heading for key in SHOWN) + " |"
    yield "|---" * (len(SHOWN) + 2) + "|"
    for workflow, case in scored:
        values = (printed(key, case.figures.get(key, {}).get("value")) for key in SHOWN)
        yield f"| {_cell(workflow)} | {_cell(case.name)} | " + " | ".join(values) + " |"


def _left_out(outcomes: Sequence[Outcome], summary: Summary) -> Iterator[str]:
    left = [(o.workflow, c) for o in outcomes for c in o.cases if c.why_not]
    if left:
        yield "\n## Not applicable\n"
        yield from (f"- {workflow}, {case.name}: {case.why_not}" for workflow, case in left)
    if summary.not_seen:
        yield "\n## Listed as known shortfalls, not run\n"
        for entry in summary.not_seen:
            said = f": FAILED, {GONE}" if entry in summary.gone else ""
            yield f"- {entry.workflow}, {entry.case}, {entry.gate}{said}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
