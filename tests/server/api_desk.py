"""The API in this process over a data folder of its own, and sounds to send to it."""

from __future__ import annotations

import contextlib
import io
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from server_desk import database_url
from starlette.testclient import TestClient

from autovoice.server.api.app import make_app
from autovoice.server.api.service import Service
from autovoice.server.api.stream_engine import FakeStreamEngine, StreamEngine
from autovoice.server.database import Database
from autovoice.server.files import FileStore
from autovoice.server.migrations import upgrade
from autovoice.server.settings import Settings
from autovoice.server.tracing import Tracing
from autovoice.server.work.fake import FakeRunner
from autovoice.server.work.flag import Flag
from autovoice.server.work.worker import Worker

# Tests that crowd the database wait their turn however slow the disk is.
PATIENCE_S = 60.0


def tone(seconds: float = 1.0, rate: int = 8_000, kind: str = "WAV", **options: Any) -> bytes:
    """Return a file of a sine."""
    at = np.arange(int(seconds * rate)) / rate
    sound = (0.3 * np.sin(2 * np.pi * 220 * at)).astype(np.float32)
    file = io.BytesIO()
    sf.write(file, sound, rate, format=kind, **options)
    return file.getvalue()


def wav_claiming(data_bytes: int, samples: bytes = b"\0\0" * 800) -> bytes:
    """Return a WAV whose header claims another length than it has."""
    head = struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    body = b"WAVEfmt " + head + b"data" + struct.pack("<I", data_bytes & 0xFFFFFFFF) + samples
    return b"RIFF" + struct.pack("<I", (data_bytes + 36) & 0xFFFFFFFF) + body


class ApiDesk:
    """A client, and what stands behind it."""

    def __init__(
        self,
        folder: Path,
        live: StreamEngine | None = None,
        tracing: Tracing | None = None,
        busy_s: float = PATIENCE_S,
        **changes: Any,
    ) -> None:
        values = {"engine": "fake", "fake_chunk_s": 0.0, "free_bytes": 0, "workers": 1}
        values["database_url"] = database_url(folder / "autovoice.sqlite3")
        self.settings = Settings(data_dir=folder, **{**values, **changes})
        FileStore(folder).prepare()
        database = Database(self.settings.url, busy_s=busy_s)
        upgrade(database)
        self.service = Service(self.settings, database, tracing=tracing or Tracing())
        self.app = make_app(self.service, live)
        self.client = TestClient(self.app, base_url="http://127.0.0.1", follow_redirects=False)

    def song(self, content: bytes | None = None, name: str = "song.wav", **fields: str) -> Any:
        """Submit a song."""
        headers = {"Idempotency-Key": fields.pop("key")} if "key" in fields else {}
        return self.client.post(
            "/api/v1/convert/song",
            files={"file": (name, tone() if content is None else content)},
            data={"voice": "kumo", **fields},
            headers=headers,
        )

    def work(self, jobs: int = 1) -> None:
        """Do so many jobs, in this thread."""
        table, drain = self.service.table, Flag()
        worker = Worker(
            "w1", table, self.service.files, self.service.store, FakeRunner(0.0),
            lease_s=30.0, drain=drain, tracing=self.service.tracing,
        )  # fmt: skip
        for _ in range(jobs):
            lease = table.claim("w1", 30.0)
            assert lease is not None
            worker.work(lease)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Do all jobs that come, in a thread."""
        database, drain = Database(self.settings.url, busy_s=PATIENCE_S), Flag()
        service = Service(self.settings, database)
        worker = Worker(
            "w1", service.table, service.files, service.store, FakeRunner(0.0),
            lease_s=30.0, drain=drain,
        )  # fmt: skip
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield
        finally:
            drain.set()
            thread.join()
            database.close()


@contextlib.contextmanager
def serving(folder: Path, live: StreamEngine | None = None, **changes: Any) -> Iterator[ApiDesk]:
    """Yield a running API."""
    desk = ApiDesk(folder, live or FakeStreamEngine(), **changes)
    with desk.client:
        yield desk


def refused(answer: Any, status: int, code: str) -> str:
    """Check that an answer is a refusal of the one form, and return its words."""
    assert answer.status_code == status, answer.text
    found = answer.json()
    assert found["code"] == code
    assert found["request_id"] == answer.headers["X-Request-ID"]
    assert len(found["message"]) > 5
    return str(found["message"])
