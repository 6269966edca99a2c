"""Known shortfalls: held to their bound, and gone once the gate passes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.__main__ import main
from e2e.known import SLACK, KnownError, Shortfall, dump, load, record, rule, slack
from e2e.records import Case, Outcome, Status, Verdict
from e2e.runner import FAILED, OK, summarise

ENTRY = Shortfall("fails", "bad", "pitch", 20.0, 23.0, 0.5, "Octave slips.", "a wider range")


def outcome(value: float | None, status: Status, wanted: str = "< 10 Hz") -> Outcome:
    verdict = Verdict("pitch", "quality", wanted, value, status, "" if value else "unvoiced")
    return Outcome("fails", cases=(Case("bad", (verdict,)),))


def ruling(found: Outcome, entry: Shortfall = ENTRY) -> tuple[str, str]:
    (ruled,) = rule([found], {entry.key: entry})
    return ruled.ruling, ruled.note


@pytest.mark.parametrize("value", [10.0, 20.0, 22.0, 23.0])
def test_as_bad_as_recorded_is_known(value: float) -> None:
    found = outcome(value, "fail")
    assert ruling(found) == ("known shortfall", "Octave slips. Mended by: a wider range")
    summary = summarise([found], {ENTRY.key: ENTRY})
    assert summary.code == OK
    assert summary.states == {"fails": "known shortfall"}
    assert summary.counts["gates"]["known_shortfall"] == 1
    assert summary.counts["gates"]["failed"] == summary.counts["gates"]["passed"] == 0


def test_without_the_list_it_counts() -> None:
    assert summarise([outcome(20.0, "fail")], {}).code == FAILED


def test_worse_than_the_bound_fails() -> None:
    said, why = ruling(outcome(23.001, "fail"))
    assert said == "failed"
    assert "worse than the recorded bound of 23" in why


def test_where_higher_is_better_worse_is_lower() -> None:
    entry = replace(ENTRY, measured=0.69, bound=0.66, margin=0.01)
    assert ruling(outcome(0.66, "fail", "> 0.74"), entry)[0] == "known shortfall"
    assert ruling(outcome(0.659, "fail", "> 0.74"), entry)[0] == "failed"
    assert ruling(outcome(0.745, "pass", "> 0.74"), entry)[0] == "passed"
    assert ruling(outcome(0.76, "pass", "> 0.74"), entry)[0] == "failed"


def test_a_gate_that_passes_now_has_to_leave_the_list() -> None:
    said, why = ruling(outcome(9.4, "pass"))
    assert said == "failed"
    assert "remove it from the list" in why
    assert summarise([outcome(9.4, "pass")], {ENTRY.key: ENTRY}).code == FAILED


def test_within_the_margin_it_may_pass() -> None:
    said, why = ruling(outcome(9.6, "pass"))
    assert said == "passed"
    assert "by less than the margin of 0.5" in why


def test_a_listed_gate_must_be_judged() -> None:
    said, why = ruling(outcome(None, "not applicable"))
    assert said == "failed"
    assert "unvoiced" in why


def test_other_gates_are_not_excused() -> None:
    other = replace(ENTRY, case="another")
    summary = summarise([outcome(20.0, "fail")], {other.key: other})
    assert summary.code == FAILED
    assert summary.not_seen == [other]


def test_a_listed_case_that_is_no_more_fails_the_run() -> None:
    lost = replace(ENTRY, case="renamed")
    known = {ENTRY.key: ENTRY, lost.key: lost}
    found = outcome(20.0, "fail")
    summary = summarise([found], known)
    assert (summary.code, list(summary.gone)) == (FAILED, [lost])
    assert summary.states == {"fails": "failed"}
    assert summarise([found], known, all_cases=False).code == OK  # the full suite has other cuts


def test_a_listed_case_whose_recordings_are_missing_may_stay() -> None:
    absent = replace(ENTRY, case="absent")
    known = {ENTRY.key: ENTRY, absent.key: absent}
    found = outcome(20.0, "fail")
    left_out = replace(found, cases=(*found.cases, Case("absent", why_not="no evaluation audio")))
    summary = summarise([left_out], known)
    assert (summary.code, list(summary.gone), list(summary.not_seen)) == (OK, [], [absent])
    assert summary.verdict == "passed; not applicable: 1 cases, 0 gates"
    elsewhere = replace(ENTRY, workflow="not run")
    assert summarise([found], {ENTRY.key: ENTRY, elsewhere.key: elsewhere}).code == OK


def test_a_listed_pitch_gate_may_pass_by_any_luck_and_the_others_may_not() -> None:
    pitch = replace(ENTRY, margin=SLACK["pitch"].margin)
    for value in (0.0, 3.0, 9.9):
        assert ruling(outcome(value, "pass"), pitch)[0] == "passed"
    alike = replace(ENTRY, measured=0.73, bound=0.69, margin=SLACK["similarity"].margin)
    assert ruling(outcome(0.77, "pass", "> 0.74"), alike)[0] == "failed"


def test_an_error_is_not_excused() -> None:
    broken = replace(outcome(20.0, "fail"), errored=True, why="crashed")
    assert summarise([broken], {ENTRY.key: ENTRY}).code == FAILED


def test_the_list_survives_writing_and_reading(tmp_path: Path) -> None:
    odd = replace(ENTRY, case='a "song" -> kumo, 0.5 s\\', reason="Müde.")
    path = tmp_path / "known.toml"
    path.write_text(dump([ENTRY, odd]), encoding="utf-8")
    assert load(path) == {ENTRY.key: ENTRY, odd.key: odd}
    path.write_text(dump([]), encoding="utf-8")
    assert load(path) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text + text, "twice"),
        (lambda text: text.replace("bound = 23.0\n", ""), "bound"),
        (lambda text: text + "why = 1\n", "why"),
        (lambda text: text.replace("23.0", "nan"), "expected a number"),
        (lambda text: text.replace("Octave slips.", ""), "say the reason"),
        (lambda text: text.replace("[[shortfall]]", "[[shortfalls]]"), "expected"),
        (lambda text: "[[", "cannot be read"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "known.toml"
    path.write_text(change(dump([ENTRY])), encoding="utf-8")
    with pytest.raises(KnownError, match=re.escape(message)):
        load(path)


def test_a_new_list_takes_the_values_of_the_run_and_keeps_the_words() -> None:
    gone = replace(ENTRY, case="mended")
    elsewhere = replace(ENTRY, workflow="not run")
    cases = (
        Case("bad", (Verdict("pitch", "quality", "< 10 Hz", 30.0, "fail"),)),
        Case("mended", (Verdict("pitch", "quality", "< 10 Hz", 3.0, "pass"),)),
        Case("near", (Verdict("similarity", "quality", "> 0.74", 0.745, "pass"),)),
        Case("new", (Verdict("similarity", "quality", "> 0.74", 0.7, "fail"),)),
        Case("apart", (Verdict("naturalness", "quality", "> 4 MOS", 2.0, "not applicable"),)),
    )
    earlier = {each.key: each for each in (ENTRY, gone, elsewhere)}
    found = record([Outcome("fails", cases=cases)], earlier, "New.", "work")
    names = ["bad", "near", "new"]
    assert [key[:2] for key in found] == [*(("fails", n) for n in names), ("not run", "bad")]
    assert found[ENTRY.key] == replace(ENTRY, measured=30.0, bound=48.0, margin=10.0)
    near = found["fails", "near", "similarity"]  # another machine may see it fail
    assert (near.measured, near.bound) == (0.745, 0.705)
    new = found["fails", "new", "similarity"]
    assert (new.measured, new.bound, new.reason) == (0.7, 0.66, "New.")
    assert found[elsewhere.key] == elsewhere


def test_the_command_writes_a_list_that_the_next_run_accepts(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    words = ["--workflows", "standin_workflows", "--out", str(tmp_path / "out")]
    words += ["--only", "fails", "--only", "passes"]
    written = ["--write-known", str(known), "--reason", "Young.", "--mended-by", "training"]
    assert main([*words, *written]) == FAILED
    assert [entry.measured for entry in load(known).values()] == [21.8]
    assert main([*words, "--known", str(known)]) == OK


def test_the_list_of_the_project_can_be_read() -> None:
    path = Path(__file__).resolve().parents[2] / "e2e" / "known_shortfalls.toml"
    for entry in load(path).values():
        assert entry.margin == slack(entry.gate).margin
