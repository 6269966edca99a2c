"""Start the processes of the service, restart those that die, and end them in good order."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Literal

import structlog
from filelock import FileLock, Timeout

from autovoice.errors import InputError, ResourceError
from autovoice.server import child
from autovoice.server.database import Database, DatabaseUnavailable
from autovoice.server.files import FileStore
from autovoice.server.jobs import JobTable
from autovoice.server.logs import LogWriter
from autovoice.server.migrations import upgrade
from autovoice.server.settings import Settings
from autovoice.server.tracing import tracing_of
from autovoice.server.work.flag import Flag

log = structlog.get_logger(__name__)
Role = Literal["api", "worker", "live"]
WATCH_S = 0.05
FIRST_RESTART_S, LONGEST_RESTART_S, HEALTHY_S = 0.1, 5.0, 2.0
API_END_S = 8.0
BACKLOG = 2048
PIPE_BYTES = 64 << 10


@dataclass
class Slot:
    """A place for one process, whichever fills it now.

    Args:
        role: what it does.
        label: what logs call the place.
        device: of a worker or of the live engine.
    """

    role: Role
    label: str
    device: str = ""
    name: str = ""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    pause_s: float = FIRST_RESTART_S
    readers: list[threading.Thread] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether a process is in it."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """The parent of all processes; it serves no requests and runs no model.

    Args:
        settings: of the service.
        commands: what to run for each role; settings follow on its stdin.
        writer: where the lines of all processes go.
        on_listening: told the address once, when the socket is open.
    """

    def __init__(
        self,
        settings: Settings,
        commands: Mapping[Role, Sequence[str]],
        writer: LogWriter,
        on_listening: Callable[[str, int], None] = lambda _host, _port: None,
    ) -> None:
        self._settings, self._commands, self._writer = settings, commands, writer
        self._on_listening = on_listening
        self._stop = Flag()
        devices = settings.devices or ("auto",)
        self._slots = [Slot("api", "api")] + [
            Slot("worker", f"worker-{index}", devices[index % len(devices)])
            for index in range(settings.workers)
        ]
        if "live" in commands and settings.max_streams:
            self._slots.append(Slot("live", "live", settings.live_device or devices[0]))
        self._live = ""

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code.

        Raises:
            InputError: the folder is in use, the address cannot be had, or traces cannot be sent.
            ResourceError: the folder or the database cannot be used.
        """
        tracing_of(self._settings, "supervisor").close()  # told here rather than by its children
        store = FileStore(self._settings.data_dir)
        self._settings.data_dir.mkdir(parents=True, exist_ok=True)
        with self._alone(), contextlib.ExitStack() as stack:
            store.prepare()
            database = stack.enter_context(contextlib.closing(Database(self._settings.url)))
            upgrade(database)
            self._live = self._live_path(stack)
            self._table = JobTable(database, attempts=self._settings.attempts)
            self._instance = self._who()
            self._forget_the_dead()
            self._socket = stack.enter_context(_listen(self._settings.host, self._settings.port))
            host, port = self._socket.getsockname()[:2]
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._asked)
            log.info("listening", url=f"http://{host}:{port}", needs_key=self._settings.needs_key)
            self._on_listening(host, port)
            try:
                self._watch()
            finally:
                self._end()
        return 0

    def _asked(self, _signal: int, _frame: FrameType | None) -> None:
        self._stop.set()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self._settings.data_dir / "lock")
        try:
            with lock.acquire(timeout=2.0):
                yield
        except Timeout as error:
            raise InputError(
                f"{self._settings.data_dir}: another service runs on this data folder; end it, or "
                "choose another one with --data-dir"
            ) from error

    def _live_path(self, stack: contextlib.ExitStack) -> str:
        """Return where the live engine listens; "" without one. Paths of sockets must be short."""
        if not any(slot.role == "live" for slot in self._slots):
            return ""
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="autovoice-"))
        return str(Path(folder) / "live")

    def _who(self) -> str:
        """Return a name for this data folder, so that machines on one database differ."""
        file = self._settings.data_dir / "instance"
        if not file.is_file():
            file.write_text(secrets.token_hex(4), encoding="ascii")
        return file.read_text(encoding="ascii").strip()

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_S):
            now = time.monotonic()
            for slot in self._slots:
                if slot.alive:
                    continue
                if slot.process is not None:
                    self._died(slot, now)
                if slot.process is None and now >= slot.restart_at:
                    self._start(slot, now)

    def _start(self, slot: Slot, now: float) -> None:
        slot.name = f"{self._instance}-{slot.label}-{secrets.token_hex(4)}"
        is_api = slot.role == "api"
        descriptor = self._socket.fileno()
        slot.process = subprocess.Popen(
            self._commands[slot.role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(descriptor,) if is_api else (),
            start_new_session=True,
        )
        extra = {"name": slot.name, "device": slot.device, "live": self._live}
        orders = child.encode(self._settings, **extra, socket=descriptor if is_api else -1)
        with contextlib.suppress(BrokenPipeError):
            _pipe(slot.process.stdin).write(orders)
            _pipe(slot.process.stdin).flush()
        for pipe in (_pipe(slot.process.stdout), _pipe(slot.process.stderr)):
            thread = threading.Thread(target=self._copy, args=(pipe,), daemon=True)
            thread.start()
            slot.readers.append(thread)
        slot.started_at = now
        log.info("process started", name=slot.name, pid=slot.process.pid)

    def _copy(self, pipe: IO[bytes]) -> None:
        rest = b""
        while block := os.read(pipe.fileno(), PIPE_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            if lines:
                self._writer.write(*(line.decode("utf-8", "replace") for line in lines))
        if rest:
            self._writer.write(rest.decode("utf-8", "replace"))
        pipe.close()

    def _died(self, slot: Slot, now: float) -> None:
        code = slot.process.returncode if slot.process else None
        log.error("process ended", name=slot.name, code=code)
        self._bury(slot)
        healthy = now - slot.started_at > HEALTHY_S
        slot.pause_s = FIRST_RESTART_S if healthy else min(LONGEST_RESTART_S, 2 * slot.pause_s)
        slot.restart_at = now + slot.pause_s

    def _bury(self, slot: Slot) -> None:
        """Collect a dead process, and give the jobs of a worker back at once."""
        process, slot.process = slot.process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        if slot.role == "worker":
            try:
                self._table.abandon(slot.name)
            except DatabaseUnavailable as error:  # their leases run out instead
                log.warning("jobs of a dead worker wait for their lease", problem=str(error))

    def _forget_the_dead(self) -> None:
        for name in self._table.workers_of(self._instance):
            self._table.abandon(name)

    def _end(self) -> None:
        """API drains, workers checkpoint and end, API ends; what does not in time is killed."""
        log.info("ending", grace_s=self._settings.grace_s)
        for slot in self._slots:
            _tell(slot, signal.SIGTERM)
        workers = [slot for slot in self._slots if slot.role != "api"]
        self._wait(workers, self._settings.grace_s)
        api = [slot for slot in self._slots if slot.role == "api"]
        for slot in api:
            _tell(slot, signal.SIGTERM)
        self._wait(api, API_END_S)
        log.info("ended")

    def _wait(self, slots: Sequence[Slot], seconds: float) -> None:
        end = time.monotonic() + seconds
        while any(slot.alive for slot in slots) and time.monotonic() < end:
            time.sleep(WATCH_S)
        for slot in slots:
            if slot.alive:
                log.warning("process did not end in time and is killed", name=slot.name)
            _tell(slot, signal.SIGKILL)
            if slot.process is not None:
                slot.process.wait()
            self._bury(slot)
            for reader in slot.readers:
                reader.join(timeout=1.0)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("expected a process with pipes")
    return pipe


def _tell(slot: Slot, number: signal.Signals) -> None:
    if slot.process is not None and slot.process.poll() is None:
        slot.process.send_signal(number)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except PermissionError as error:
        raise ResourceError(f"{host}:{port} may not be bound ({error.strerror})") from error
    except OSError as error:
        raise InputError(
            f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port"
        ) from error
    return made
