"""Logs as JSON lines: every process writes to stderr, the supervisor alone writes files."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import logging
import logging.handlers
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def configure(level: str, process: str, stream: IO[str] | None = None) -> None:
    """Send everything that this process logs to ``stream`` as JSON lines.

    Args:
        level: ``debug`` to ``error``.
        process: what lines call this process.
        stream: default stderr.
    """

    def named(_logger: Any, _method: str, event: Any) -> Any:
        event["process"] = process
        return event

    # Made once: json.dumps makes an encoder for each line whose options are not its own.
    encoder = json.JSONEncoder(ensure_ascii=False, default=str)
    render = structlog.processors.JSONRenderer(serializer=lambda event, **_: encoder.encode(event))
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, named],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "autovoice"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = name != "uvicorn.access"  # requests are logged with their ids instead
    # Past logging's own records, which cost more than the line: there is one for each request.
    out = _Out(handler)
    structlog.configure(
        processors=[*_SHARED, named, render],
        logger_factory=lambda *names: _Lines(out, *names),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


class _Out:
    """Whole lines to the same stream as logging's own.

    What an event loop logs while it turns once is written in one go at its end: a write for each
    of a hundred requests that are answered together costs as much as the answers.
    """

    def __init__(self, handler: logging.StreamHandler[Any]) -> None:
        self._handler = handler
        self._lock = handler.lock or threading.RLock()  # that of logging's own lines
        self._waiting: list[str] = []
        atexit.register(self.write)

    def add(self, line: str) -> None:
        """Write a line: now, or in an event loop before it waits again."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write(line)
            return
        with self._lock:
            self._waiting.append(line)
            is_first = len(self._waiting) == 1
        if is_first:
            loop.call_soon(self.write)

    def write(self, *lines: str) -> None:
        """Write lines, after those that wait."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            text = "".join(f"{line}\n" for line in (*waiting, *lines))
            if not text:
                return
            with contextlib.suppress(OSError, ValueError):  # nobody reads any more
                self._handler.stream.write(text)
                self._handler.stream.flush()


class _Lines:
    """What structlog writes to; errors do not wait, as the process may be about to end."""

    def __init__(self, out: _Out, name: str = "") -> None:
        self._out, self.name = out, name

    def msg(self, line: str) -> None:
        """Write a line."""
        self._out.add(line)

    def failed(self, line: str) -> None:
        """Write a line at once."""
        self._out.write(line)

    debug = info = warning = msg
    error = critical = exception = failed


class LogWriter:
    """The one writer: a rotating file of JSON lines, and a copy for people or programs.

    Args:
        file: to write; ``file.1`` and so on are older.
        file_bytes, files: size of each, and how many in all.
        style: ``json`` or ``text``, of the copy.
        copy: where it goes. Default stderr.
    """

    def __init__(
        self,
        file: Path,
        *,
        file_bytes: int = 10 << 20,
        files: int = 5,
        style: str = "json",
        copy: IO[str] | None = None,
    ) -> None:
        self._handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=file_bytes, backupCount=files - 1, encoding="utf-8", delay=True
        )
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._style, self._copy = style, copy or sys.stderr
        self._lock = threading.Lock()
        self._bytes = 0

    def write(self, *lines: str) -> None:
        """Write lines that came together; what is not JSON becomes the event of a line that is.

        A full disk loses lines of the log, never a job.
        """
        events = [as_event(line) for line in lines]
        # Half a character is written as JSON's escape of it, as it has no form in UTF-8.
        contents = [
            json.dumps(event, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
            for event in events
        ]
        texts = [content.decode() for content in contents]
        with self._lock:
            try:
                for text, content in zip(texts, contents, strict=True):
                    self._append(text, len(content))
                if self._handler.stream is not None:
                    self._handler.stream.flush()
            except OSError:
                self._handler.stream = None
            shown = texts if self._style == "json" else [as_text(one) + "\n" for one in events]
            self._show("".join(shown))

    def _append(self, text: str, size: int) -> None:
        if self._handler.stream is None:
            self._handler.stream = self._handler._open()
            self._bytes = self._handler.stream.tell()
        if self._bytes and self._bytes + size > self._handler.maxBytes:
            self._handler.doRollover()
            self._bytes = 0
            if self._handler.stream is None:
                self._handler.stream = self._handler._open()
        self._handler.stream.write(text)
        self._bytes += size

    def _show(self, text: str) -> None:
        try:
            self._copy.write(text)
            self._copy.flush()
        except (OSError, ValueError):
            return

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


def as_event(line: str) -> dict[str, Any]:
    """Read a line of a process: its JSON object, or its text as an event."""
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if isinstance(event, dict):
        return event
    return {"event": "".join(c if c.isprintable() else " " for c in line)[:4000], "level": "info"}


def as_text(event: Mapping[str, Any]) -> str:
    """Write an event for people, on one line.

    >>> as_text({"level": "info", "event": "job is done", "job": "job_1"})
    'info    job is done job=job_1'
    """
    rest = {k: v for k, v in event.items() if k not in {"event", "level", "timestamp", "logger"}}
    extra = " ".join(f"{key}={value}" for key, value in rest.items() if key != "exception")
    at = str(event.get("timestamp", ""))[11:19]
    text = f"{event.get('level', 'info'):<7} {event.get('event', '')} {extra}".strip()
    line = f"{at} {text}".strip()
    printable = "".join(c if c.isprintable() else " " for c in line)
    trace = event.get("exception")
    return f"{printable}\n{trace}" if trace else printable
