"""``autovoice models`` over a cache folder of its own."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from autovoice import weights
from autovoice.cli.models import models
from autovoice.errors import WeightsError
from autovoice.weights import ProgressEvent, WeightStore
from autovoice.weights.store import Status


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOVOICE_CACHE_DIR", str(tmp_path))
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(models, arguments)


def test_list_shows_licence_and_state():
    result = run("list")
    assert result.exit_code == 0
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("whisper-base")]
    assert line.split() == ["whisper-base", "words", "150.2", "MB", "MIT", "absent"]


def test_list_as_json_is_ready_for_notices(cache):
    record = json.loads(run("list", "--json").stdout)
    assert record["cache"] == str(cache / "weights")
    assert {entry["name"] for entry in record["models"]} == set(weights.registry())
    assert all(entry["licence"] and entry["attribution"] for entry in record["models"])


def test_offline_pull_names_the_command():
    result = run("pull", "--offline", "dnsmos", "demo-song")
    assert isinstance(result.exception, WeightsError)
    assert str(result.exception).endswith("autovoice models pull dnsmos demo-song")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), weights.needed_by("convert")),
        (("dnsmos",), ("dnsmos",)),
        (("--all",), tuple(weights.registry())),
    ],
)
def test_pull_chooses_names_and_tells_progress_on_stderr(monkeypatch, arguments, expected):
    pulled = []

    def pull(self, names, *, progress, offline, jobs):
        pulled.extend(names)
        for step in ("download", "unpack", "done"):
            progress(ProgressEvent("x.whl", step, 1, 2))

    monkeypatch.setattr(WeightStore, "pull", pull)
    result = run("pull", *arguments)
    assert result.exit_code == 0
    assert tuple(pulled) == tuple(expected)
    assert result.stderr.splitlines() == ["fetching x.whl", "done x.whl"]
    assert result.stdout.startswith(f"{len(expected)} models ready")


def test_pull_as_json_prints_one_object(monkeypatch):
    monkeypatch.setattr(WeightStore, "pull", lambda self, names, **options: None)
    record = json.loads(run("pull", "dnsmos", "--json").stdout)
    assert [entry["name"] for entry in record["models"]] == ["dnsmos"]


def test_verify_of_an_empty_cache_is_no_fault():
    result = run("verify", "--json")
    record = json.loads(result.stdout)
    assert {entry["state"] for entry in record["models"]} == {"absent"}
    assert result.exit_code == (0 if record["ok"] else 3)


def test_verify_of_a_named_absent_model_is():
    result = run("verify", "dnsmos")
    assert result.exit_code == 3
    assert "to mend: autovoice models pull dnsmos" in result.stderr


def test_verify_tells_damage(monkeypatch, cache):
    damaged = Status("dnsmos", "damaged", "the sha256 differs", 3, cache)
    lost = weights.BundledStatus("adapter.safetensors", "absent", "missing")
    monkeypatch.setattr(weights, "verify", lambda names: [damaged])
    monkeypatch.setattr(weights, "verify_bundled", lambda: [lost])
    result = run("verify")
    assert result.exit_code == 3
    assert result.stdout.splitlines()[0].split()[:2] == ["dnsmos", "damaged"]
    assert "to mend adapter.safetensors: install AutoVoice again" in result.stderr


def test_prune_tells_what_it_freed(cache):
    old = cache / "weights" / "dnsmos" / "files-000000000000"
    old.mkdir(parents=True)
    (old / "x").write_bytes(b"x" * 200_000)
    assert run("prune").stdout == "0.2 MB freed\n"
    assert not old.exists()


def test_bars_are_drawn_on_a_screen(monkeypatch, capsys):
    from autovoice.cli import models as module

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with module.progress_bars() as progress:
        progress(ProgressEvent("x.whl", "download", 500, 1000))
        progress(ProgressEvent("net", "convert"))
        progress(ProgressEvent("net", "done"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "fetching x.whl" in captured.err
    assert "done net" in captured.err
