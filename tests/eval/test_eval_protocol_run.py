"""A run: rows, resuming, failures, what is judged of a mix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from protocol_standins import Engine, Scorer, folder, read

from autovoice import io, weights
from autovoice.errors import AutoVoiceError, Cancelled, InputError, ResourceError, WeightsError
from autovoice.eval.protocol import Item, Pair, Run, Standing, all_pairs, read_items
from autovoice.eval.protocol import run as protocol_run
from autovoice.eval.protocol.about import about_run, commit, made_with
from autovoice.types import Audio


@pytest.fixture(autouse=True)
def _quick_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_run.io, "read", read)


@pytest.fixture
def items(tmp_path: Path) -> tuple[Item, ...]:
    return read_items(folder(tmp_path / "eval"))


def write(card: Any, place: Path, name: str, **sounds: Any) -> Path:
    """Stand in for the writer of pages."""
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.html").write_text(card.kind)
    return place / f"{name}.html"


def pair(items: tuple[Item, ...], source: str, target: str) -> Pair:
    return next(p for p in all_pairs(items) if (p.source.name, p.target.name) == (source, target))


def test_every_pair_is_converted_and_judged(items: tuple[Item, ...], tmp_path: Path) -> None:
    engine, scorer, told = Engine(), Scorer(), list[Standing]()
    pairs = all_pairs(items)
    run = Run(engine, scorer, tmp_path / "out", items=items, commit="abc", progress=told.append)
    rows = run.pairs(pairs)
    assert [(r["source"], r["target"]) for r in rows] == [
        (p.source.name, p.target.name) for p in pairs
    ]
    assert sorted(engine.voices) == sorted({p.target.name for p in pairs})  # each made once
    first = rows[0]
    assert first["figures"]["similarity_target"] == 0.75
    assert first["figures"]["cer"] is None
    assert first["why_not"]["cer"] == "the source has no words"
    assert first["figures"]["length_error_samples"] == 0.0  # of the whole, not what the card says
    assert first["figures"]["realtime_factor"] > 0
    assert first["semitones"] == 12
    assert first["notes"] == ["hm"]
    assert first["timings"]["convert vocode"] == 0.5
    assert first["timings"]["score words"] == 0.25
    assert first["gates"][0]["status"] == "pass"
    assert first["commit"] == "abc"
    # Before each pair, after it, and at the end.
    assert len(told) == 2 * len(pairs) + 1
    assert (told[0].done, told[0].seconds_left) == (0, None)
    assert told[-1].done == told[-1].total == len(pairs)
    assert told[-1].seconds_left == 0.0
    assert told[1].seconds_left is not None
    assert told[1].seconds_left > 0


def test_the_judge_gets_the_language_and_the_whole_reference(
    items: tuple[Item, ...], tmp_path: Path
) -> None:
    scorer = Scorer()
    chosen = [pair(items, "ann_acap", "eva"), pair(items, "bob_acap", "bob_acap")]
    Run(Engine(), scorer, tmp_path, seconds=1.0).pairs(chosen)
    (output, source, reference, kind, language), (*_, other_kind, none) = scorer.heard
    assert (kind, language, other_kind, none) == ("song", "en", "copy", None)
    assert (output.seconds, source.seconds, reference.seconds) == (1.0, 1.0, 2.0)


def test_of_a_mix_the_vocals_are_judged_and_the_separator_too(
    items: tuple[Item, ...], tmp_path: Path
) -> None:
    engine, scorer = Engine(), Scorer()
    chosen = [pair(items, "made_mix", "eva"), pair(items, "bob_acap", "eva")]
    mixed, alone = Run(engine, scorer, tmp_path, items=items).pairs(chosen)
    assert engine.separated == [True, False]
    output, source, *_ = scorer.heard[0]
    assert abs(output.samples).max() == pytest.approx(abs(engine.songs[0].samples).max() / 2)
    assert abs(source.samples).max() == pytest.approx(abs(engine.songs[0].samples).max() / 2)
    # Half the mix against the vocals: two tones of equal level, so nothing is told apart ...
    assert mixed["figures"]["separation_si_sdr_db"] == pytest.approx(0.0, abs=0.1)
    # ... and the error is half of each: 1 / (1/4 + 1/4).
    assert mixed["figures"]["separation_sdr_db"] == pytest.approx(3.01, abs=0.1)
    assert "separation_sdr_db" not in alone["figures"]


def test_a_run_that_was_cut_off_goes_on(items: tuple[Item, ...], tmp_path: Path) -> None:
    pairs = all_pairs(items)[:4]
    with pytest.raises(KeyboardInterrupt):
        Run(Engine(most=3), Scorer(), tmp_path).pairs(pairs)
    path = tmp_path / "rows.jsonl"
    assert len(path.read_text().splitlines()) == 3
    with path.open("a") as file:
        file.write('{"key": "[\\"bob_acap\\", ')
    engine, told = Engine(), list[Standing]()
    rows = Run(engine, Scorer(), tmp_path, progress=told.append).pairs(pairs)
    assert (len(rows), len(engine.songs), engine.voices) == (4, 1, ["tom"])
    assert (told[0].done, told[0].total) == (3, 4)
    assert [json.loads(line)["target"] for line in path.read_text().splitlines()] == [
        "eva", "tom", "eva", "tom",
    ]  # fmt: skip
    assert not list(tmp_path.glob(".*"))  # nothing half-written is left
    engine = Engine()
    assert Run(engine, Scorer(), tmp_path).pairs(pairs) == rows
    assert engine.songs == []


def test_other_settings_are_other_rows_and_fresh_forgets(
    items: tuple[Item, ...], tmp_path: Path
) -> None:
    pairs = all_pairs(items)[:1]
    for seconds, fresh, calls in (
        (None, False, 1),
        (1.0, False, 1),
        (1.0, False, 0),
        (1.0, True, 1),
    ):
        engine = Engine()
        Run(engine, Scorer(), tmp_path, seconds=seconds, fresh=fresh).pairs(pairs)
        assert len(engine.songs) == calls
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 1


def test_a_damaged_line_costs_one_pair(
    items: tuple[Item, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pairs = all_pairs(items)[:3]
    Run(Engine(), Scorer(), tmp_path).pairs(pairs)
    path = tmp_path / "rows.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:40], lines[2], "{}", ""]))
    engine = Engine()
    Run(engine, Scorer(), tmp_path).pairs(pairs)
    assert len(engine.songs) == 1
    assert "line 2: damaged" in caplog.text


def test_a_pair_that_fails_is_a_row_and_is_tried_again(
    items: tuple[Item, ...], tmp_path: Path
) -> None:
    told: list[Standing] = []
    pairs = all_pairs(items)[:4]
    run = Run(Engine(fails="tom"), Scorer(), tmp_path, progress=told.append)
    errors = [row["error"] for row in run.pairs(pairs)]
    assert errors == [None, "ValueError: the <b>voice</b> cracked"] * 2
    assert told[-1].failed == 2
    engine = Engine()
    assert not any(row["error"] for row in Run(engine, Scorer(), tmp_path).pairs(pairs))
    assert len(engine.songs) == 2


@pytest.mark.parametrize("error", [WeightsError, ResourceError, Cancelled])
def test_what_would_meet_every_pair_ends_the_run(
    error: type[Exception], items: tuple[Item, ...], tmp_path: Path
) -> None:
    class Failing(Engine):
        def voice(self, voice: Path) -> str:
            raise error("no more")

    with pytest.raises(error, match="no more"):
        Run(Failing(), Scorer(), tmp_path).pairs(all_pairs(items)[:2])


def test_pages_of_cards_are_written_and_made_up_for(
    items: tuple[Item, ...], tmp_path: Path
) -> None:
    pairs = all_pairs(items)[:2]
    Run(Engine(), Scorer(), tmp_path).pairs(pairs)
    assert not (tmp_path / "cards").exists()
    for calls in (1, 0):
        engine = Engine()
        Run(engine, Scorer(), tmp_path, cards=True, write=write).pairs(pairs[:1])
        assert len(engine.songs) == calls
    (path,) = (tmp_path / "cards").iterdir()
    assert path.name.startswith("ann_acap__eva__")


def test_a_row_names_the_page_that_was_written_with_it(
    items: tuple[Item, ...], tmp_path: Path
) -> None:
    pairs, names = all_pairs(items)[:1], []
    for seconds in (None, 1.0):
        run = Run(Engine(), Scorer(), tmp_path, cards=True, write=write, seconds=seconds)
        names.append(run.pairs(pairs)[0]["page"])
    assert {f"{name}.html" for name in names} == {p.name for p in (tmp_path / "cards").iterdir()}
    assert names[0] != names[1]
    (row,) = Run(Engine(), Scorer(), tmp_path, fresh=True).pairs(pairs)
    assert row["page"] is None
    assert not (tmp_path / "cards").exists()


def test_fresh_deletes_nothing_but_pages(tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    for name in ("old.html", "mine.txt"):
        (tmp_path / "cards" / name).touch()
    Run(Engine(), Scorer(), tmp_path, fresh=True)
    assert [path.name for path in (tmp_path / "cards").iterdir()] == ["mine.txt"]


def test_rows_of_other_models_or_recordings_are_not_known(
    items: tuple[Item, ...], tmp_path: Path
) -> None:
    pairs = [pair(items, "ann_acap", "eva"), pair(items, "made_mix", "tom")]

    def converted(made_with: str) -> int:
        engine = Engine()
        Run(engine, Scorer(), tmp_path, items=items, made_with=made_with).pairs(pairs)
        return len(engine.songs)

    assert [converted(models) for models in ("one", "one", "two", "two")] == [2, 0, 2, 0]
    names = ("ann_acap", "tom", "made_voc")  # a source, a target, a stem that judges the separator
    for path in [item.path for name in names for item in items if item.name == name]:
        sound = read(path)
        io.write(Audio(sound.samples * np.float32(0.5), sound.sample_rate_hz), path)
        assert [converted("two"), converted("two")] == [1, 0]
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 2


def test_what_the_judge_lacks_ends_the_run_before_a_conversion(
    items: tuple[Item, ...], tmp_path: Path
) -> None:
    class Lacking(Scorer):
        def load(self) -> None:
            raise AutoVoiceError("install the eval extra")

    engine, pairs = Engine(), all_pairs(items)[:1]
    with pytest.raises(AutoVoiceError, match="install the eval extra"):
        Run(engine, Lacking(), tmp_path).pairs(pairs)
    assert (engine.voices, engine.songs, (tmp_path / "rows.jsonl").exists()) == ([], [], False)
    Run(Engine(), Scorer(), tmp_path).pairs(pairs)
    assert Run(engine, Lacking(), tmp_path).pairs(pairs)  # nothing to judge, nothing lacking


def test_another_device_or_model_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "voice-model.safetensors"
    monkeypatch.setattr(weights, "bundled_index", lambda: {model.name: None})
    monkeypatch.setattr(weights, "bundled", lambda name: tmp_path / name)
    found = []
    for content in (b"one", b"two"):
        model.write_bytes(content)
        found += [made_with("cpu"), made_with("cuda:0")]
    assert len({*found}) == 4
    assert made_with("cuda:0") == found[-1]


def test_a_folder_of_rows_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").mkdir()
    with pytest.raises(InputError, match=r"rows.jsonl: cannot be read"):
        Run(Engine(), Scorer(), tmp_path)


def test_what_a_run_was_made_with_is_said(tmp_path: Path) -> None:
    about = about_run("cpu", "autovoice eval")
    assert set(about) == {"machine", "device", "versions", "commit", "date", "command"}
    assert "torch 2" in about["versions"]
    assert "cores" in about["machine"]
    assert commit(tmp_path) == "unknown"
    (tmp_path / ".git").mkdir()
    assert commit(tmp_path) == "unknown"
