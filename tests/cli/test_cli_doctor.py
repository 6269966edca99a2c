"""``autovoice doctor`` tells the truth, and what to do about it."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner

from autovoice import weights
from autovoice.cli import doctor as room
from autovoice.cli.finding import Finding


def by_topic(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.topic: finding for finding in findings}


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(room.doctor, list(words))
    return result.exit_code, result.stdout


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOVOICE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_this_machine_is_described() -> None:
    found = by_topic(room.examine())
    assert found["python"].found.startswith(platform.python_version())
    assert found["torch"].found.startswith(torch.__version__)
    assert found["formats"].state == "ok"
    assert found["device"].found.startswith(("cpu: ", "cuda:"))
    assert f"weights {next(iter(weights.registry()))}" in found


def test_json_is_one_object() -> None:
    code, text = run("--json")
    report = json.loads(text)
    assert report["ok"] is (code == 0)
    assert {"topic", "state", "found", "advice"} == set(report["findings"][0])


@pytest.mark.usefixtures("empty_cache")
def test_missing_weights_are_a_note_with_the_command_that_fetches_them() -> None:
    found = by_topic(list(room.check_weights()))
    whisper = found["weights whisper-base"]
    assert whisper.state == "note"
    assert whisper.advice == "autovoice models pull whisper-base"
    assert found["weights crepe-full"] == Finding("weights crepe-full", "ok", "absent, optional")


def test_a_full_disk_is_broken_when_weights_are_missing(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert next(room.check_weights()).state == "broken"
    assert room._disk(empty_cache, ready=True).state == "ok"


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.os, "access", lambda path, mode: False)
    assert room._disk(tmp_path, ready=False).state == "broken"
    assert room._disk(tmp_path, ready=True).state == "note"


def test_a_damaged_file_of_our_own_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = weights.BundledStatus("adapter.safetensors", "absent", "")
    kept = weights.BundledStatus("style.safetensors", "ready", "")
    monkeypatch.setattr(weights, "verify_bundled", lambda: [lost, kept])
    found = by_topic(list(room.check_weights()))
    assert found["models/adapter.safetensors"].state == "broken"
    assert "git checkout" in found["models/adapter.safetensors"].advice
    assert found["models/style.safetensors"].state == "ok"


def test_a_check_that_fails_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Iterator[Finding]:
        raise ImportError("no module named torch")
        yield

    checks = (("torch", fails), ("python", room.check_python))
    found = by_topic(room.examine(checks))
    assert found["torch"].state == "broken"
    assert "no module named torch" in found["torch"].found
    assert found["python"].state == "ok"

    monkeypatch.setattr(room, "examine", lambda: list(found.values()))
    code, text = run()
    assert code == 1
    assert "BROKEN  torch" in text
    assert "To mend: torch." in text
    assert json.loads(run("--json")[1])["ok"] is False


def test_notes_do_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "examine", lambda: [Finding("gpu", "note", "none", "get one")])
    code, text = run()
    assert code == 0
    assert "-> get one" in text
    assert "(1 notes)" in text


def test_memory_is_that_of_the_container(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1000000\n", encoding="ascii")
    assert room.memory_bytes([limit]) == 1_000_000
    limit.write_text("max\n", encoding="ascii")
    whole = room.memory_bytes([limit, tmp_path / "absent"])
    assert whole is None or whole > 1_000_000


def test_little_memory_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    for memory, state in ((1 << 30, "note"), (8 << 30, "ok"), (None, "ok")):
        monkeypatch.setattr(room, "memory_bytes", lambda memory=memory: memory)
        assert by_topic(list(room.check_processor()))["memory"].state == state


def test_a_format_that_cannot_be_written_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_writes", lambda soundfile, name: name != "MP3")
    formats = by_topic(list(room.check_sound()))["formats"]
    assert formats.state == "broken"
    assert "MP3 cannot be written" in formats.found
