"""The protocol with a stand-in for the engine: rows, resuming, reports."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.pairs import SOURCES, TARGETS, Item, items
from benchmarks.summarise import grouped, markdown, means, worst

from autovoice import io
from autovoice.eval import Transcript
from autovoice.types import Audio
from benchmarks import protocol

RATE = 16_000


class _Conversion:
    def __init__(self, audio: Audio, semitones: int) -> None:
        self.audio, self.semitones = audio, semitones


class _Engine:
    """Give the song back unchanged, and count."""

    device = "cpu"

    def __init__(self, most: int = 99) -> None:
        self.voices: list[str] = []
        self.calls, self.most = 0, most

    def voice(self, voice: Path) -> str:
        self.voices.append(voice.stem)
        return voice.stem

    def convert(self, song: Audio, voice: str, *, separate: bool, semitones: str) -> _Conversion:
        assert (separate, semitones) == (False, "auto")
        if self.calls == self.most:
            raise KeyboardInterrupt
        self.calls += 1
        return _Conversion(song, 0)


class _Listener:
    words = "hello there"

    def transcribe(self, audio: Audio, language: str | None = None) -> Transcript:
        return Transcript(self.words, language or "en")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make an evaluation set of two sources and two targets."""
    folder = tmp_path / "eval"
    folder.mkdir()
    time_s = np.arange(2 * RATE) / RATE
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "language"])
        for name, f0_hz, language in (
            ("a", 150, "en?"),
            ("b", 250, ""),
            ("x", 110, "en(zh L1)"),
            ("y", 220, "pl"),
        ):
            phase = 2 * np.pi * f0_hz * time_s
            sound = sum(np.sin(k * phase) / k for k in range(1, 9))
            io.write(Audio((0.1 * sound).astype(np.float32)[None], RATE), folder / f"{name}.flac")
            writer.writerow([f"{name}.flac", language])
    return folder


def _run(folder: Path, out: Path, engine: _Engine, *more: str) -> dict[str, Any]:
    words = ["--out", str(out), "--eval-folder", str(folder), "--no-words", "--device", "cpu"]
    words += ["--sources", "a", "b", "--targets", "x", "y", *more]
    protocol.main(words, engine=lambda _device: engine)
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


def test_every_pair_is_converted_and_judged(folder: Path, tmp_path: Path) -> None:
    engine = _Engine()
    results = _run(folder, tmp_path / "out", engine, "--keep-audio")
    assert engine.voices == ["x", "y"]
    pairs = [(row["source"], row["target"]) for row in results["pairs"]]
    assert pairs == [("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")]
    for row in results["pairs"]:
        assert row["median_cents"] == pytest.approx(0, abs=0.01)
        assert row["similarity_target"] == row["similarity_floor"]
        assert row["similarity_gain"] == 0.0
        assert row["length_error_samples"] == 0
        assert row["cer"] is None
    assert results["mean"]["within_50_cents"] == 1.0
    assert len(list((tmp_path / "out" / "audio").iterdir())) == 4
    with (tmp_path / "out" / "results.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4
    assert "| a -> x |" in (tmp_path / "out" / "report.md").read_text()


def test_a_run_that_was_cut_off_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pair(run: protocol.Run, source: Item, target: Item, voice: Any) -> dict[str, str]:
        run.engine.convert(None, voice, separate=False, semitones="auto")
        return {"source": source.name, "target": target.name}

    monkeypatch.setattr(protocol.Run, "pair", pair)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        _run(folder, out, _Engine(most=3))
    with (out / "rows.jsonl").open("a") as file:
        file.write('{"source": "b", "tar')
    engine = _Engine()
    assert len(_run(folder, out, engine)["pairs"]) == 4
    assert engine.calls == 1
    assert _run(folder, out, engine, "--limit", "1")["pairs"][0]["source"] == "a"
    assert engine.calls == 1
    _run(folder, out, engine, "--fresh", "--limit", "1")
    assert engine.calls == 3


def test_words_are_heard_in_the_language_of_the_source(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autovoice.analyse.speaker import SpeakerEncoder

    run = protocol.Run(_Engine(), SpeakerEncoder(), _Listener(), tmp_path / "out")
    (row,) = run.pairs(items(folder, ["a"]), items(folder, ["x"]))
    assert (row["cer"], row["heard"]) == (0.0, "hello there")
    monkeypatch.setattr(_Listener, "words", "Ooooooo")
    run = protocol.Run(_Engine(), run.encoder, _Listener(), tmp_path / "wordless")
    (row,) = run.pairs(items(folder, ["a"]), items(folder, ["x"]))
    assert (row["cer"], row["heard_in_source"]) == (None, "Ooooooo")


def test_languages_and_unknown_names(folder: Path) -> None:
    assert [item.language for item in items(folder, ["a", "b", "x"])] == ["en", "", "en"]
    with pytest.raises(SystemExit, match="'nobody' is not in"):
        items(folder, ["nobody"])


def test_the_default_pairs_are_those_of_the_evaluation_set() -> None:
    folder = protocol.EVAL_FOLDER
    if not folder.is_dir():
        pytest.skip("../shared/eval is not there")
    assert all(item.path.is_file() for item in items(folder, [*SOURCES, *TARGETS]))
    assert (len(SOURCES), len(TARGETS)) == (8, 4)


def test_means_leave_out_what_does_not_apply_and_the_worst_is_named() -> None:
    rows = [
        {"source": "a", "target": "x", "cer": 0.1, "within_50_cents": 0.9},
        {"source": "b", "target": "x", "cer": None, "within_50_cents": 0.5},
        {"source": "b", "target": "y", "cer": 0.4, "within_50_cents": 1.0},
    ]
    assert means(rows)["cer"] == pytest.approx(0.25)
    assert means(rows)["rmse_hz"] is None
    assert grouped(rows, "source")["b"]["within_50_cents"] == pytest.approx(0.75)
    assert worst(rows) == {"within_50_cents": "b -> x (0.500)", "cer": "b -> y (0.400)"}
    assert "| CER | b -> y (0.400) |" in markdown(rows, {"device": "none"})
