"""``autovoice serve`` on the command line: settings, keys; and the one writer of logs."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from autovoice.errors import InputError
from autovoice.server.database import Database
from autovoice.server.keys import KeyRing
from autovoice.server.logs import LogWriter, as_event, as_text
from autovoice.server.settings import Settings, is_loopback, load_settings


def autovoice(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autovoice", *words], capture_output=True, text=True, check=False
    )


def test_keys_come_and_go(tmp_path: Path) -> None:
    place = ["serve", "--data-dir", str(tmp_path), "key"]
    assert "no keys" in autovoice(*place, "list").stdout
    made = autovoice(*place, "create", "anna", "--scope", "convert").stdout.strip()
    ring = KeyRing(Database(f"sqlite:///{tmp_path / 'autovoice.sqlite3'}"))
    found = ring.find(made)
    assert found is not None
    assert (found.name, found.scopes) == ("anna", {"convert"})
    listed = autovoice(*place, "list").stdout
    assert found.id in listed
    assert made.split("_", 2)[2] not in listed
    assert autovoice(*place, "revoke", found.id).returncode == 0
    assert KeyRing(ring.database).find(made) is None
    assert autovoice(*place, "revoke", found.id).returncode == 2
    assert autovoice(*place, "create", "x", "--scope", "all").returncode == 2
    ring.database.close()


def test_settings_come_from_a_file_and_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "serve.toml"
    file.write_text("port = 9000\nworkers = 3\n[quotas]\nconcurrent_jobs = 5\n")
    found = load_settings(file, {"workers": 2, "host": None}, default_dir=tmp_path)
    assert (found.port, found.workers, found.host) == (9000, 2, "127.0.0.1")
    assert found.quotas.concurrent_jobs == 5
    assert found.url.endswith("autovoice.sqlite3")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "'prot' is unknown"),
        ("port = 70000", "port"),
        ("port = ", "expected a TOML file"),
        ("[quotas]\nx = 1", "quotas.x"),
    ],
)
def test_strange_settings_are_told(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "serve.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        load_settings(file, {}, default_dir=tmp_path)


def test_secrets_are_not_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        load_settings(None, {"database_url": 5, "data_dir": tmp_path})
    assert "found" not in str(told.value)
    settings = Settings(data_dir=tmp_path, database_url="postgresql://u:hunter2@h/n")
    assert "hunter2" not in repr(settings)


def test_who_needs_a_key(tmp_path: Path) -> None:
    assert [is_loopback(h) for h in ("::1", "localhost", "127.8.9.1", "::", "example")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert not Settings(data_dir=tmp_path).needs_key
    assert Settings(data_dir=tmp_path, host="0.0.0.0").needs_key
    assert Settings(data_dir=tmp_path, auth="required").needs_key


def test_lines_of_any_kind_become_events(tmp_path: Path) -> None:
    copy = io.StringIO()
    writer = LogWriter(tmp_path / "log", style="text", copy=copy)
    writer.write(json.dumps({"event": "job is done", "level": "info", "job": "j\n1"}))
    writer.write("Traceback\x1b[31m: not JSON")
    writer.write("[1, 2]")
    writer.close()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["event"] for line in lines] == [
        "job is done",
        "Traceback [31m: not JSON",
        "[1, 2]",
    ]
    assert copy.getvalue().splitlines()[0] == "info    job is done job=j 1"
    assert as_event("x")["level"] == "info"
    assert as_text({"event": "e", "exception": "Traceback"}).endswith("\nTraceback")


def test_lines_that_come_together_are_cut_into_files_of_their_size(tmp_path: Path) -> None:
    copy = io.StringIO()
    writer = LogWriter(tmp_path / "log", file_bytes=200, files=3, copy=copy)
    lines = [json.dumps({"event": f"{n} \ud800 {'x' * 40}"}) for n in range(10)]
    writer.write(*lines[:6])
    writer.write(*lines[6:])
    writer.close()
    kept = [tmp_path / name for name in ("log.2", "log.1", "log")]
    assert all(0 < path.stat().st_size <= 200 for path in kept)
    written = "".join(path.read_text(encoding="utf-8") for path in kept).splitlines()
    assert [json.loads(line) for line in written] == [json.loads(line) for line in lines[3:]]
    assert len(copy.getvalue().splitlines()) == 10


def test_what_one_turn_of_a_loop_logs_is_written_at_once() -> None:
    """In order, in one write; an error waits for nothing, and takes those before it along."""
    code = """if True:
        import asyncio, structlog, sys
        from autovoice.server import logs
        class Counted:
            writes = []
            def write(self, text): self.writes.append([eval_of(one) for one in text.splitlines()])
            def flush(self): pass
        import json
        eval_of = lambda line: json.loads(line)["event"]
        logs.configure("info", "me", Counted())
        log = structlog.get_logger("x")
        log.info("a")
        async def run():
            log.info("b"); log.info("c"); log.debug("no")
            await asyncio.sleep(0)
            log.info("d"); log.error("e"); log.info("f")
        asyncio.run(run())
        log.info("g")
        print(json.dumps(Counted.writes))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["a"], ["b", "c"], ["d", "e"], ["f"], ["g"]]


def test_a_full_disk_loses_lines_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = io.StringIO()
    writer = LogWriter(tmp_path / "log", copy=copy)

    def full(_self: logging.FileHandler) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(logging.FileHandler, "_open", full)
        writer.write("lost")
    writer.write("kept")
    writer.close()
    assert "kept" in (tmp_path / "log").read_text()
    assert "lost" in copy.getvalue()


def test_an_address_in_use_is_told(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = autovoice("serve", "--data-dir", str(tmp_path), "--port", port)
    assert done.returncode == 2
    assert "choose another --port" in done.stderr
