"""The command that runs the protocol, with stand-ins for engine and scorer."""

from __future__ import annotations

import json
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

# The stand-ins of the protocol's own tests.
sys.path.append(str(Path(__file__).parents[1] / "eval"))
from protocol_standins import Engine, Scorer, folder, read

from autovoice import weights
from autovoice.cli import protocol as command
from autovoice.errors import InputError
from autovoice.eval.card import FORMAT
from autovoice.eval.protocol import Standing, about, all_pairs, read_items
from autovoice.eval.protocol import compare as protocol_compare
from autovoice.eval.protocol import run as protocol_run


def write(card: Any, place: Path, name: str, **sounds: Any) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.html").write_text("a card", encoding="utf-8")
    return place


@pytest.fixture
def audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    ready = type("Ready", (), {"state": "ready"})
    monkeypatch.setattr(weights, "status", lambda name: ready)
    monkeypatch.setattr(protocol_run, "write_card", write)
    monkeypatch.setattr(protocol_run.io, "read", read)
    return folder(tmp_path / "eval")


def go(
    audio: Path,
    report: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    engine: Engine | None = None,
    scorer: Scorer | None = None,
    **options: Any,
) -> int:
    made = engine or Engine(), scorer or Scorer()
    monkeypatch.setattr(command, "make_engine_and_scorer", lambda device: made)
    asked: dict[str, Any] = {
        "pairs": "full",
        "device": "cpu",
        "compare": None,
        "seconds": None,
        "only": (),
        "cards": False,
        "fresh": False,
        "as_json": False,
        **options,
    }
    return command.run_protocol(audio, report=report, **asked)


def test_a_run_writes_its_report_and_sums_up(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report, engine = tmp_path / "out", Engine()
    assert go(audio, report, monkeypatch, engine=engine, pairs="quick") == 0
    assert len(engine.songs) == 8
    assert {path.name for path in report.iterdir()} == {
        "cards", "report.html", "results.csv", "results.json", "rows.jsonl",
    }  # fmt: skip
    assert len(list((report / "cards").iterdir())) == 8
    found = json.loads((report / "results.json").read_text(encoding="utf-8"))
    assert found["settings"] == {"pairs": "quick", "seconds": 12.0, "only": []}
    assert str(tmp_path) not in json.dumps(found)
    assert found["about"]["command"] == (
        "autovoice eval --protocol eval --pairs quick --report DIR --device cpu"
    )
    said = capsys.readouterr()
    (line,) = (line for line in said.out.splitlines() if line.startswith("similarity to the t"))
    assert line.split()[:5] == ["similarity", "to", "the", "target", "0.750"]
    assert "gate similarity > 0.74:" in said.out
    head = said.out.splitlines()[0]
    assert head.startswith("mean ")
    assert "  all pairs (8)  a cappella (5)  " in head
    assert "8 of 8 pairs done, 0 failed" in said.out
    lines = [line for line in said.err.splitlines() if line]
    assert len(lines) == 8
    assert lines[0].startswith("1/8 ")
    assert "similarity to the target 0.750, CER (beam 5) -, DistillMOS 3.50" in lines[0]
    assert "left)" in lines[0]


def test_runs_are_compared_and_failures_end_with_1(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert go(audio, old, monkeypatch, only=("*_acap",), as_json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["counts"]["pairs"] == 7
    assert said["report"] == str(old / "report.html")
    assert "pairs" not in said
    better = Scorer({"distillmos": 3.75})
    engine = Engine(fails="tom")
    options = {"only": ("*_acap",), "scorer": better, "engine": engine, "compare": old}
    assert go(audio, new, monkeypatch, **options) == 1
    said = capsys.readouterr()
    assert "better: DistillMOS 3.50 -> 3.75" in said.out
    assert "5 of 7 pairs done, 2 failed" in said.out
    assert "ann_acap -> tom: failed: ValueError" in said.err
    found = json.loads((new / "results.json").read_text(encoding="utf-8"))
    assert (found["comparison"]["matched"], found["comparison"]["unmatched"]) == (5, 2)
    text = (new / "report.html").read_text(encoding="utf-8")
    assert "the &lt;b&gt;voice&lt;/b&gt; cracked" in text


def test_what_was_found_is_kept_when_the_comparison_fails(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert go(audio, tmp_path / "old", monkeypatch, only=("eva -> tom",)) == 0

    def fail(*_: Any) -> None:
        raise RuntimeError("no comparison")

    monkeypatch.setattr(protocol_compare, "compare", fail)
    options = {"only": ("eva -> tom",), "compare": tmp_path / "old"}
    with pytest.raises(RuntimeError, match="no comparison"):
        go(audio, tmp_path / "new", monkeypatch, **options)
    kept = json.loads((tmp_path / "new" / "results.json").read_text(encoding="utf-8"))
    assert kept["counts"]["done"] == 1


def test_rows_of_another_device_are_not_taken_for_this_ones(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for device, calls in (("cpu", 1), ("cpu", 0), ("cuda:0", 1)):
        engine = Engine(device=device)
        monkeypatch.setattr(about, "_processor", lambda device: device)
        assert go(audio, tmp_path / "out", monkeypatch, engine=engine, only=("eva -> tom",)) == 0
        assert len(engine.songs) == calls


def test_a_run_that_is_stopped_says_how_it_goes_on(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(audio, tmp_path / "out", monkeypatch, engine=Engine(most=1))
    assert "the same command goes on from here" in capsys.readouterr().err
    assert len((tmp_path / "out" / "rows.jsonl").read_text().splitlines()) == 1


def test_bad_requests_cost_no_work(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, engine = tmp_path / "out", Engine()
    damaged = tmp_path / "damaged.json"
    damaged.write_text(json.dumps({"pairs": [{"key": "a"}], "format": FORMAT}), encoding="utf-8")
    for options, message in (
        ({"pairs": "some"}, "found 'some', expected quick or full"),
        ({"only": ("nobody",)}, "'nobody' fits no pair"),
        ({"compare": tmp_path / "none.json"}, "found no results"),
        ({"compare": damaged}, "damaged.json: pair 1: found no key"),
    ):
        with pytest.raises(InputError, match=message):
            go(audio, out, monkeypatch, engine=engine, **options)
    with pytest.raises(InputError, match="found no manifest"):
        go(tmp_path, out, monkeypatch)
    lone = ("ann_acap.wav", "vocal_stem", "ann", "", "en", 3.0)
    with pytest.raises(InputError, match="the manifest makes no pair"):
        go(folder(tmp_path / "lone", [lone]), out, monkeypatch)
    assert engine.songs == []
    assert not out.exists()


def test_weights_are_fetched_with_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pulled: list[str] = []
    lost = type("Lost", (), {"state": "missing"})
    ready = type("Ready", (), {"state": "ready"})
    monkeypatch.setattr(weights, "status", lambda name: lost if name == "distillmos" else ready)
    monkeypatch.setattr(weights, "pull", lambda names, progress: pulled.extend(names))
    command._fetch_weights()
    assert pulled == ["distillmos"]
    assert "fetching weights, this once: distillmos" in capsys.readouterr().err


def test_a_bar_is_drawn_for_those_who_look(audio: Path) -> None:
    pair = all_pairs(read_items(audio))[0]
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    row = {"figures": {"cer": 0.25}, "error": None}
    with command.shown(console) as listener:
        listener(Standing(0, 2, 0, 0.0, None, pair))
        listener(Standing(1, 2, 0, 65.0, 4000.0, pair, row))
        listener(Standing(2, 2, 0, 130.0, 0.0))
    drawn = screen.getvalue()
    assert "1/2 ann_acap -> eva: " in drawn
    assert "CER (beam 5) 0.250" in drawn
    assert "1:05, 1:06:40 left" in drawn
    assert [command._clock(each) for each in (0.0, 59.6, 3599.4)] == ["0:00", "1:00", "59:59"]


def test_the_engine_and_the_scorer_are_the_projects_own() -> None:
    engine, scorer = command.make_engine_and_scorer("cpu")
    assert (type(engine).__name__, type(scorer).__name__) == ("Engine", "Scorer")
