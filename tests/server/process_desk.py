"""The whole service as its own processes, by the one command."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from api_desk import tone
from server_desk import OTHER_DATABASE, database_url

PATIENCE_S = 180.0
# No live engine unless a test is about it: starting its process takes as long as all else here.
SETTINGS = {
    "engine": "fake", "fake_chunk_s": 0.01, "free_bytes": 0, "log_format": "json", "max_streams": 0,
}  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    """Return what commands need to find the database of a data folder."""
    if OTHER_DATABASE is None:
        return dict(os.environ)
    return {**os.environ, "AUTOVOICE_DATABASE_URL": database_url(folder / "autovoice.sqlite3")}


class Running:
    """A running service.

    Args:
        folder: its data folder.
        settings: to put into its configuration.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        config = folder.parent / f"{folder.name}.toml"
        values = {**SETTINGS, "data_dir": str(folder), **settings}
        if OTHER_DATABASE is not None:
            values["database_url"] = database_url(folder / "autovoice.sqlite3")
        config.write_text("".join(f"{key} = {json.dumps(v)}\n" for key, v in values.items()))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autovoice", "serve", "--port", "0", "--config", str(config)],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.events: list[dict[str, Any]] = []
        self.pids: dict[str, int] = {}
        self._found: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.url = self._found.get(timeout=PATIENCE_S)
            self.until(lambda: self.get("/health/ready")[0] == 200, "the service is ready")
        except BaseException:
            self.process.kill()
            raise

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            self.events.append(event)
            if event.get("event") == "listening":
                self._found.put(event["url"])
            if event.get("event") == "process started":
                self.pids[event["name"].rpartition("-")[0].partition("-")[2]] = event["pid"]

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Ask once; raises OSError or HTTPException when the process died meanwhile."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def insist(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Ask until there is an answer that is not 503."""
        end = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, content = self.request(method, path, body, headers)
                if status != 503:
                    return status, content
            assert time.monotonic() < end, f"{method} {path}: no answer"
            time.sleep(0.05)

    def get(self, path: str) -> tuple[int, bytes]:
        """Get, once."""
        return self.request("GET", path)

    def json(self, path: str) -> Any:
        """Get an object, for as long as it takes."""
        status, content = self.insist("GET", path)
        assert status == 200, content
        return json.loads(content)

    def upload(self, content: bytes | None = None) -> str:
        """Store a file and return its id."""
        body, kind = form({}, tone() if content is None else content)
        status, answer = self.insist("POST", "/api/v1/files", body, {"Content-Type": kind})
        assert status == 201, answer
        return str(json.loads(answer)["id"])

    def submit(self, file_id: str, key: str, **options: Any) -> str:
        """Submit a stored file, however often it takes, and return the id of the job."""
        asked = json.dumps({"voice": "kumo", "file_id": file_id, **options}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        status, answer = self.insist("POST", "/api/v1/convert/song", asked, headers)
        assert status == 202, answer
        return str(json.loads(answer)["id"])

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return all jobs by id."""
        found, cursor = {}, ""
        while True:
            page = self.json(f"/api/v1/jobs?limit=200{cursor}")
            found.update({job["id"]: job for job in page["jobs"]})
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def until(self, true: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
        """Wait for something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if true():
                    return
            time.sleep(0.05)
        raise AssertionError(f"not in {seconds:g} s: {what}")

    def runs(self, label: str) -> bool:
        """Tell whether the latest process of a place is alive."""
        return alive(self.pids[label])

    def kill(self, label: str) -> None:
        """End a process as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pids[label], signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> float:
        """End the service and return how long that took, seconds."""
        begun = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
        took_s = time.monotonic() - begun
        self._reader.join(60)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return took_s


def form(fields: dict[str, str], content: bytes, name: str = "song.wav") -> tuple[bytes, str]:
    """Return a multipart body and its content type."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return b"".join(
        parts
    ) + head.encode() + content + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


@contextlib.contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Running]:
    """Yield a running service, and end it."""
    service = Running(folder, **settings)
    try:
        yield service
    finally:
        service.stop()


def alive(pid: int) -> bool:
    """Tell whether a process runs (and is no zombie)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
