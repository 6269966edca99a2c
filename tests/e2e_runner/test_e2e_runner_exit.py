"""What a run comes to: its exit code, its counts and its files, whatever the workflows do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import standin_workflows
from e2e.__main__ import main
from e2e.known import Shortfall, dump
from e2e.runner import FAILED, NOTHING_RAN, OK, USAGE

from e2e import report


def run(out: Path, *names: str, more: tuple[object, ...] = ()) -> int:
    only = [word for name in names for word in ("--only", name)]
    words = ["--workflows", "standin_workflows", "--out", str(out), *only, *map(str, more)]
    return main(words)


def result(out: Path) -> dict[str, Any]:
    """Read the one result there is; NaN and Infinity, which JSON does not know, are refused."""
    (path,) = out.glob("*.json")

    def refuse(word: str) -> None:
        raise AssertionError(f"found {word}")

    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    return found


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["passes"], OK),
        (["passes", "is_absent"], OK),
        (["fails"], FAILED),
        (["passes", "fails"], FAILED),
        (["breaks_a_promise"], FAILED),
        (["errs"], FAILED),
        (["errs", "passes"], FAILED),
        (["is_absent"], NOTHING_RAN),
        (["is_unjudged"], NOTHING_RAN),
        (["is_unjudged", "passes"], OK),
        (["is_unjudged", "errs"], FAILED),
        (["says_nothing"], FAILED),
    ],
)
def test_the_exit_code_tells_what_happened(tmp_path: Path, names: list[str], code: int) -> None:
    assert run(tmp_path, *names) == code
    found = result(tmp_path)
    assert found["complete"] is True
    assert found["exit_code"] == code
    order = [workflow.name for workflow in standin_workflows.WORKFLOWS]
    assert [each["name"] for each in found["workflows"]] == sorted(names, key=order.index)


def test_counts_figures_and_reasons_are_written(tmp_path: Path) -> None:
    names = ["passes", "fails", "breaks_a_promise", "errs", "is_absent", "is_unjudged"]
    assert run(tmp_path, *names) == FAILED
    found = result(tmp_path)
    assert found["counts"]["workflows"] == {
        "ran": 5,
        "passed": 2,
        "known_shortfall": 0,
        "failed": 2,
        "errored": 1,
        "not_applicable": 1,
        "cases": 5,
        "cases_not_applicable": 1,
    }
    assert found["counts"]["gates"] == {
        "judged": 8,
        "quality_judged": 4,
        "passed": 6,
        "known_shortfall": 0,
        "failed": 2,
        "not_applicable": 1,
    }
    by_name = {each["name"]: each for each in found["workflows"]}
    assert by_name["passes"]["cases"][0]["figures"]["pitch_rmse_hz"]["value"] == 3.25
    assert by_name["passes"]["seconds"] >= 0
    assert by_name["errs"]["why"] == "RuntimeError: the disk | is full"
    assert [case["name"] for case in by_name["errs"]["cases"]] == ["before"]
    assert by_name["is_absent"]["why"] == "no such command"
    assert {"machine", "versions", "commit", "command"} <= set(found["about"])
    assert "run_e2e_tests.sh" in found["about"]["command"]


def test_the_page_is_a_page_of_tables(tmp_path: Path) -> None:
    run(tmp_path, "passes", "fails", "errs", "is_absent")
    (path,) = tmp_path.glob("*.md")
    page = path.read_text(encoding="utf-8")
    assert "| errs | errored |" in page
    assert "the disk \\| is full" in page  # a bar would end the cell
    assert "| fails | bad | pitch | 21.8 | < 10 Hz | FAIL | failed |" in page
    assert "- is_absent, left out: no evaluation audio" in page


def test_two_runs_of_one_second_keep_both_results(tmp_path: Path) -> None:
    assert run(tmp_path, "passes") == OK
    assert run(tmp_path, "passes") == OK
    assert len(list(tmp_path.glob("*.json"))) == len(list(tmp_path.glob("*.md"))) == 2
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md"}


def test_an_interrupted_run_leaves_what_it_had(tmp_path: Path) -> None:
    assert run(tmp_path, "passes", "is_interrupted") == 130
    found = result(tmp_path)
    assert found["complete"] is False
    assert found["exit_code"] is None
    assert [each["state"] for each in found["workflows"]] == ["passed"]


def test_a_crash_of_the_runner_leaves_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that cannot be written as JSON must not replace the one before."""
    whole = report._workflow

    def broken(outcome: Any, summary: Any) -> dict[str, Any]:
        found = whole(outcome, summary)
        return {**found, "seconds": float("nan")} if outcome.workflow == "fails" else found

    monkeypatch.setattr(report, "_workflow", broken)
    with pytest.raises(ValueError, match="JSON"):
        run(tmp_path, "passes", "fails")
    assert [each["name"] for each in result(tmp_path)["workflows"]] == ["passes"]
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_audio_that_cannot_be_kept_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work, kept, out = tmp_path / "work", tmp_path / "kept", tmp_path / "out"
    work.mkdir()
    kept.write_text("no folder", encoding="utf-8")
    monkeypatch.setattr("e2e.__main__.tempfile.mkdtemp", lambda prefix: str(work))
    assert run(out, "passes", more=("--keep-audio", kept)) == OK
    assert result(out)["complete"] is True
    assert "passed; not applicable: 0 cases, 0 gates" in capsys.readouterr().out
    assert not work.exists()


def test_a_listed_case_that_is_gone_is_told(tmp_path: Path) -> None:
    known, out = tmp_path / "known.toml", tmp_path / "out"
    entry = Shortfall("passes", "renamed", "pitch", 20.0, 23.0, 0.5, "Slips.", "work")
    known.write_text(dump([entry]), encoding="utf-8")
    assert run(out, "passes", more=("--known", known)) == FAILED
    assert [each["case"] for each in result(out)["listed_but_gone"]] == ["renamed"]
    (page,) = out.glob("*.md")
    told = "- passes, renamed, pitch: FAILED, there is no such case any more"
    assert told in page.read_text(encoding="utf-8")
    assert run(tmp_path / "full", "passes", more=("--known", known, "--full")) == OK


def test_wrong_usage_runs_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, "no such workflow") == USAGE
    assert run(tmp_path, "passes", more=("--known", tmp_path / "absent.toml")) == USAGE
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemExit) as refused:
        run(tmp_path, more=("--quick", "--full"))
    assert refused.value.code == USAGE


def test_the_real_workflows_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == OK
    listed = capsys.readouterr().out.splitlines()
    assert len(set(listed)) == len(listed)
    wanted = {"song to cover", "a cappella", "speech to speech", "batch of songs"}
    wanted |= {f"voice made from {seconds} s" for seconds in (10, 30, 60)}
    assert wanted | {"copy synthesis", "text to speech"} <= set(listed)
