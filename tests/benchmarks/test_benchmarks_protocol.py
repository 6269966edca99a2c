"""The protocol on the pages: goals, tables, and nothing that must not be published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.evaluation_page import BEGIN, END, main, rendered
from benchmarks.machine import ROOT
from benchmarks.process import Done

from autovoice.eval.protocol.results import results
from benchmarks import __main__ as command
from benchmarks import protocol

GATE = {"name": "pitch", "measure": "pitch_rmse_hz", "wanted": "< 10 Hz", "protocol": "Harvest"}
ABOUT = {"device": "cpu", "commit": "abc", "command": "autovoice eval"}


def row(source: str, target: str, group: str, **figures: float | None) -> dict[str, Any]:
    return {
        "key": f"{source} {target}",
        "source": source,
        "target": target,
        "kind": group,
        "group": group,
        "seconds": 12.0,
        "semitones": 0,
        "error": None,
        "figures": figures,
        "gates": [{**GATE, "status": "pass"}],
        "notes": ["heard: la la la"],
        "words": {"source": "la la la"},
    }


@pytest.fixture
def found() -> dict[str, Any]:
    rows = [
        row("a", "x", "song", pitch_rmse_hz=12.0, cer=0.05),
        row("b", "x", "song", pitch_rmse_hz=10.0, cer=None),
        row("c", "c", "copy", stoi=0.95),
    ]
    return results(rows, ABOUT, {"pairs": "quick", "seconds": 12.0})


def test_the_protocol_is_summed_up_against_its_goals(found: dict[str, Any]) -> None:
    section = protocol.section(found)
    assert section.title.startswith("Quality: the evaluation protocol (quick: 3 pairs, the most")
    for line in (
        "| pitch RMSE | a cappella | 11.00 | <= 10.00 | **no** |",
        "| CER (beam 5) | a cappella | 0.050 | <= 0.080 | yes |",
        "| STOI | a voice to itself | 0.950 | >= 0.900 | yes |",
        "| similarity to the target | speech to speech | - | >= 0.870 | - |",
        "| mean | all pairs (3) | a cappella (2) | a voice to itself (1) |",
        "| pitch RMSE, Hz | 11.00 | 11.00 | - |",
        "| pitch | < 10 Hz | 3 | 0 | 0 | Harvest |",
        "| pitch RMSE | a -> x | 12.00 |",
    ):
        assert line in section.body
    assert "| a -> x | 12.00 |" in section.body
    assert "la la" not in json.dumps(section.raw) + section.body


def test_the_table_goes_between_the_markers(found: dict[str, Any], tmp_path: Path) -> None:
    page, source = tmp_path / "evaluation.md", tmp_path / "results.json"
    page.write_text(f"# Evaluation\n\n{BEGIN}\nbygone\n{END}\n\nMore.\n", encoding="utf-8")
    source.write_text(json.dumps(found), encoding="utf-8")
    for _ in range(2):
        main([str(source), "--page", str(page), "--folder", str(tmp_path)])
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# Evaluation\n\n{BEGIN}\n- device: cpu\n")
        assert text.endswith(f"\n{END}\n\nMore.\n")
        assert "bygone" not in text
        assert "- command: `autovoice eval`" in text
    kept = json.loads((tmp_path / "evaluation-quick.json").read_text(encoding="utf-8"))
    assert kept["pairs"][0]["figures"]["cer"] == 0.05
    assert kept["format"] == found["format"]
    assert "la la" not in json.dumps(kept)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("seconds", [None, 12.0, 30.0])
def test_a_full_run_goes_to_a_file_of_its_own(
    seconds: float | None, found: dict[str, Any], tmp_path: Path
) -> None:
    page, source = tmp_path / "evaluation-full.md", tmp_path / "results.json"
    page.write_text(f"{BEGIN}{END}", encoding="utf-8")
    found["settings"] |= {"pairs": "full", "seconds": seconds}
    source.write_text(json.dumps(found), encoding="utf-8")
    main([str(source), "--page", str(page), "--folder", str(tmp_path)])
    assert "- device: cpu" in page.read_text(encoding="utf-8")
    assert (tmp_path / "evaluation-full.json").is_file()


def test_a_full_run_of_very_short_cuts_is_not_published(
    found: dict[str, Any], tmp_path: Path
) -> None:
    source = tmp_path / "results.json"
    found["settings"] |= {"pairs": "full", "seconds": 3.0}
    source.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"found 3\.0, expected 12 at least"):
        main([str(source), "--page", str(tmp_path / "page.md"), "--folder", str(tmp_path)])


def test_a_page_without_markers_is_refused(found: dict[str, Any]) -> None:
    for page in ("no markers", f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN} {END}"):
        with pytest.raises(SystemExit, match="once each"):
            rendered(page, found)


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("counts", "failed", 1, "1 pairs of the run failed"),
        ("settings", "pairs", "some", "--pairs: found some, expected quick or full"),
        ("settings", "seconds", 5.0, "--seconds: found 5.0, expected 12"),
        ("settings", "only", ["a*"], "--only left pairs out"),
        ("about", "commit", "abc, def", r"rows of several commits \(abc, def\)"),
        ("about", "commit", "abc with changes", "changes that are in no commit"),
    ],
)
def test_only_a_whole_run_of_one_commit_is_published(
    part: str, key: str, value: object, message: str, found: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "evaluation.md"
    page.write_text(f"{BEGIN}{END}", encoding="utf-8")
    found[part][key] = value
    source = tmp_path / "results.json"
    source.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(SystemExit, match=message):
        main([str(source), "--page", str(page), "--folder", str(tmp_path)])
    assert page.read_text(encoding="utf-8") == f"{BEGIN}{END}"
    assert {path.name for path in tmp_path.iterdir()} == {"evaluation.md", "results.json"}


def test_no_section_claims_a_command_that_does_nothing() -> None:
    # The module ``benchmarks.protocol`` is no command any more.
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    raw = json.loads((ROOT / "docs" / "benchmarks" / "protocol.json").read_text(encoding="utf-8"))
    command = raw["about"]["command"]
    assert f"- command: {command}" in text
    assert text.count("python -m benchmarks.protocol") == 1
    assert f"of commit {raw['about']['commit']} only" in command


def test_the_benchmark_runs_the_command(
    found: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    def python(*words: str) -> Done:
        called.extend(words)
        (tmp_path / "results.json").write_text(json.dumps(found), encoding="utf-8")
        return Done("", 1.0, 1.0, 1)

    monkeypatch.setattr(protocol, "python", python)
    words = ["protocol", "--pairs", "full", "--eval-folder", "songs", "--out", str(tmp_path)]
    chosen = command.arguments(words)
    assert command.BENCHMARKS["protocol"](chosen).name == "protocol"
    expected = f"-m autovoice eval --protocol songs --pairs full --report {tmp_path} --device cpu"
    assert called == [*expected.split(), "--fresh"]
    assert command.command("protocol", chosen) == "python -m benchmarks protocol --pairs full"
