"""Run workflows one after the other, and decide what the run comes to."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from autovoice.eval.figure import NotApplicable
from e2e.known import Key, Ruled, Shortfall, gone, not_seen, rule
from e2e.records import Case, Outcome, State
from e2e.setting import Setting, Workflow

log = logging.getLogger("e2e")
OK, FAILED, USAGE, NOTHING_RAN = 0, 1, 2, 3
GONE = "there is no such case any more: remove it from the list of known shortfalls"


@dataclass(frozen=True)
class Summary:
    """What a run comes to.

    Args:
        code: exit code: 0, 1 (a gate failed, a workflow errored, or a listed case is gone), 3
            (nothing was judged).
        verdict: the same in words.
        states: of the workflows by name.
        ruled: every gate with what it means.
        counts: of workflows and gates.
        not_seen: listed shortfalls whose case was not run.
        gone: those of them whose workflow has no such case any more.
    """

    code: int
    verdict: str
    states: Mapping[str, State]
    ruled: Sequence[Ruled]
    counts: Mapping[str, Mapping[str, int]]
    not_seen: Sequence[Shortfall] = ()
    gone: Sequence[Shortfall] = ()


def run(
    workflows: Iterable[Workflow], setting: Setting, after: Callable[[list[Outcome]], None]
) -> list[Outcome]:
    """Run the workflows; one that fails in whatever way does not stop the others.

    Args:
        workflows: what to run.
        setting: what they are given.
        after: hears all outcomes so far after each workflow.
    """
    outcomes: list[Outcome] = []
    for workflow in workflows:
        log.info("%s ...", workflow.name)
        outcomes.append(run_one(workflow, setting))
        after(outcomes)
    return outcomes


def run_one(workflow: Workflow, setting: Setting) -> Outcome:
    """Run a workflow; cases that were finished before an error are kept."""
    begin = time.perf_counter()
    cases: list[Case] = []
    why, errored = "", False
    try:
        for case in workflow.run(setting):
            cases.append(case)
    except NotApplicable as reason:
        why = str(reason)
    except Exception as error:
        log.debug("%s", traceback.format_exc())
        why, errored = f"{type(error).__name__}: {error}", True
    seconds = time.perf_counter() - begin
    bare = ", ".join(case.name for case in cases if not case.why_not and not case.verdicts)
    if bare and not errored:
        why, errored = f"no verdict at all on {bare}", True
    if not why and not any(not case.why_not for case in cases):
        why = "; ".join(dict.fromkeys(case.why_not for case in cases)) or "it yielded no case"
    about = workflow.about.strip().partition("\n")[0]
    return Outcome(workflow.name, about, tuple(cases), seconds, why, errored)


def summarise(
    outcomes: Sequence[Outcome], known: Mapping[Key, Shortfall], *, all_cases: bool = True
) -> Summary:
    """Decide.

    The run fails when a gate fails that is not a known shortfall within its bound, when a listed
    one passes or its case is gone, when a workflow errored, and when no quality gate was judged at
    all.

    Args:
        outcomes: what was measured.
        known: gates that may be missed.
        all_cases: whether a workflow that was run to its end has shown every case that may be
            listed; the list is that of the quick suite, and the full one has other cuts.
    """
    ruled = rule(outcomes, known)
    lost = gone(known, outcomes) if all_cases else []
    states = {outcome.workflow: _state(outcome, ruled, lost) for outcome in outcomes}
    judged = sum(
        each.verdict.group == "quality" and each.verdict.status != "not applicable"
        for each in ruled
    )
    bad = [name for name, state in states.items() if state in {"failed", "errored"}]
    code, verdict = OK, "passed"
    if bad:
        code, verdict = FAILED, f"FAILED: {', '.join(bad)}"
    elif not judged:
        code, verdict = NOTHING_RAN, "NOTHING RAN: no quality gate was judged"
    counts = {"workflows": _workflow_counts(outcomes, states), "gates": _gate_counts(ruled)}
    cases, gates = counts["workflows"]["cases_not_applicable"], counts["gates"]["not_applicable"]
    verdict = f"{verdict}; not applicable: {cases} cases, {gates} gates"
    return Summary(code, verdict, states, ruled, counts, not_seen(known, ruled), lost)


def _state(outcome: Outcome, ruled: Sequence[Ruled], lost: Sequence[Shortfall]) -> State:
    rulings = {each.ruling for each in ruled if each.workflow == outcome.workflow}
    if outcome.errored:
        return "errored"
    if "failed" in rulings or any(entry.workflow == outcome.workflow for entry in lost):
        return "failed"
    if not outcome.ran:
        return "not applicable"
    return "known shortfall" if "known shortfall" in rulings else "passed"


def _workflow_counts(outcomes: Sequence[Outcome], states: Mapping[str, State]) -> dict[str, int]:
    found = list(states.values())
    return {
        "ran": sum(state != "not applicable" for state in found),
        "passed": found.count("passed"),
        "known_shortfall": found.count("known shortfall"),
        "failed": found.count("failed"),
        "errored": found.count("errored"),
        "not_applicable": found.count("not applicable"),
        "cases": sum(not case.why_not for outcome in outcomes for case in outcome.cases),
        "cases_not_applicable": sum(
            bool(case.why_not) for outcome in outcomes for case in outcome.cases
        ),
    }


def _gate_counts(ruled: Sequence[Ruled]) -> dict[str, int]:
    quality = [each for each in ruled if each.verdict.group == "quality"]
    rulings = [each.ruling for each in ruled]
    return {
        "judged": sum(each.verdict.status != "not applicable" for each in ruled),
        "quality_judged": sum(each.verdict.status != "not applicable" for each in quality),
        "passed": rulings.count("passed"),
        "known_shortfall": rulings.count("known shortfall"),
        "failed": rulings.count("failed"),
        "not_applicable": rulings.count("not applicable"),
    }
