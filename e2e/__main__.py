"""Run the complete workflows and hold their results to the quality gates.

Exit codes: 0 all is as it should be, 1 a gate failed or a workflow errored, 2 usage, 3 nothing ran
(no quality gate was judged). Results: DIR/<date>.json and .md.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.machine import ROOT, about

from e2e.commands import Command
from e2e.known import Key, KnownError, Shortfall, dump, load, record
from e2e.materials import EVAL_FOLDER, Materials
from e2e.records import Outcome
from e2e.report import Results
from e2e.runner import GONE, USAGE, Summary, run, summarise
from e2e.setting import Setting, Workflow

log = logging.getLogger("e2e")
QUICK_TIMEOUT_S, FULL_TIMEOUT_S = 600.0, 3600.0
INTERRUPTED = 130


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/run_e2e_tests.sh", description=__doc__)
    suite = parser.add_mutually_exclusive_group()
    suite.add_argument("--quick", action="store_true", help="short cuts of few files (default)")
    suite.add_argument("--full", action="store_true", help="longer cuts, several voices")
    parser.add_argument("--known", type=Path, metavar="FILE", help="gates that may be missed")
    parser.add_argument("--write-known", type=Path, metavar="FILE", help="list what is missed now")
    parser.add_argument("--reason", default="", help="for new entries of --write-known")
    parser.add_argument("--mended-by", default="", help="for new entries of --write-known")
    parser.add_argument("--only", action="append", metavar="WORKFLOW", help="may be repeated")
    parser.add_argument("--list", action="store_true", help="name the workflows and stop")
    parser.add_argument("--eval-folder", type=Path, default=EVAL_FOLDER)
    parser.add_argument("--device", default="cpu", metavar="auto|cpu|cuda[:N]")
    parser.add_argument("--keep-audio", type=Path, metavar="DIR", help="keep what was converted")
    parser.add_argument("--out", type=Path, default=ROOT / "validation_results" / "e2e")
    parser.add_argument(
        "--workflows", default="e2e.workflows", metavar="MODULE", help="where WORKFLOWS is found"
    )
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run what was asked for and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    chosen = arguments(words)
    module = import_module(chosen.workflows)
    workflows: Sequence[Workflow] = module.WORKFLOWS
    names = [workflow.name for workflow in workflows]
    if chosen.list:
        print("\n".join(names))
        return 0
    if unknown := set(chosen.only or ()) - set(names):
        return _usage(f"found {', '.join(sorted(unknown))}, expected {', '.join(names)}")
    try:
        known = {} if chosen.known is None else load(chosen.known)
        earlier = _earlier(chosen.write_known, known)
    except KnownError as error:
        return _usage(str(error))
    wanted = [each for each in workflows if not chosen.only or each.name in chosen.only]
    outcomes, code = _run(chosen, wanted, known, words)
    if chosen.write_known is not None:
        entries = record(outcomes, earlier, chosen.reason, chosen.mended_by)
        chosen.write_known.write_text(dump(entries.values()), encoding="utf-8")
        log.info("%s: %d known shortfalls, to be reviewed", chosen.write_known, len(entries))
    return code


def _run(
    chosen: argparse.Namespace,
    workflows: Sequence[Workflow],
    known: Mapping[Key, Shortfall],
    words: Sequence[str] | None,
) -> tuple[list[Outcome], int]:
    typed = shlex.join(sys.argv[1:] if words is None else words)
    suite = "full" if chosen.full else "quick"
    results = Results(chosen.out, about(f"scripts/run_e2e_tests.sh {typed}".strip()), suite)
    outcomes: list[Outcome] = []
    results.write(outcomes, summarise(outcomes, known), complete=False)

    def after(so_far: list[Outcome]) -> None:
        outcomes[:] = so_far
        summary = summarise(outcomes, known, all_cases=not chosen.full)
        results.write(outcomes, summary, complete=False)
        _tell(outcomes[-1], summary)

    work = Path(tempfile.mkdtemp(prefix="autovoice-e2e-"))
    try:
        run(workflows, _setting(chosen, work), after)
    except KeyboardInterrupt:
        log.error("interrupted: %s holds what was run", results.json)
        return outcomes, INTERRUPTED
    finally:
        _keep(work, chosen.keep_audio)
    summary = summarise(outcomes, known, all_cases=not chosen.full)
    results.write(outcomes, summary, complete=True)
    _tell_all(summary, results)
    return outcomes, summary.code


def _setting(chosen: argparse.Namespace, work: Path) -> Setting:
    from e2e.judge import CardJudge

    timeout_s = FULL_TIMEOUT_S if chosen.full else QUICK_TIMEOUT_S
    return Setting(
        Command(work / "voices", timeout_s),
        Materials(work, chosen.eval_folder),
        CardJudge(work / "cache"),
        work,
        chosen.full,
        chosen.device,
    )


def _earlier(path: Path | None, known: Mapping[Key, Shortfall]) -> Mapping[Key, Shortfall]:
    """Return the entries that a new list starts from: those of the file that it replaces."""
    return load(path) if path is not None and path.is_file() else known


def _keep(work: Path, folder: Path | None) -> None:
    """Copy what was written, where that is asked for; that it cannot be must not end the run."""
    try:
        if folder is not None:
            shutil.copytree(work, folder, dirs_exist_ok=True)
    except OSError as error:
        log.error("--keep-audio %s: not all could be copied (%s)", folder, error)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _tell(outcome: Outcome, summary: Summary) -> None:
    state = summary.states[outcome.workflow]
    log.info("  %s in %.1f s%s", state, outcome.seconds, f": {outcome.why}" if outcome.why else "")
    for each in summary.ruled:
        if each.workflow != outcome.workflow or each.ruling not in {"failed", "known shortfall"}:
            continue
        value = "" if each.verdict.value is None else f"{each.verdict.value:.4g}, "
        found = f"{value}wanted {each.verdict.wanted}"
        log.info("  %s: %s, %s: %s", each.ruling, each.case, each.verdict.gate, found)
        if each.note and each.ruling == "failed":
            log.info("    %s", each.note)
    for entry in summary.gone:
        if entry.workflow == outcome.workflow:
            log.info("  failed: %s, %s: listed, but %s", entry.case, entry.gate, GONE)


def _tell_all(summary: Summary, results: Results) -> None:
    for what, counts in summary.counts.items():
        words = ", ".join(f"{key.replace('_', ' ')} {n}" for key, n in counts.items())
        print(f"{what}: {words}")
    print(f"{summary.verdict}\n{results.markdown}")


def _usage(message: str) -> int:
    log.error("error: %s", message)
    return USAGE


def _ended(_number: int, _frame: object) -> None:
    """Leave as after an interrupt: the running command is ended, and its files are removed."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _ended)
    sys.exit(main())
