"""Connections: SQLite so that a power cut loses nothing, or PostgreSQL."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from autovoice.errors import InputError, ResourceError
from autovoice.server.groups import GroupFailed, Groups, TurnTimeout

_READ_ONLY = "autovoice_read"
# How long to wait before looking at a taken lock again, seconds.
_LOOK_S = (0.0005, 0.003)
# A generator of its own: whoever seeds the process' generator gets the same draws beside this.
_SPREAD = random.Random()  # noqa: S311 - spreads the lookers, keeps no secret
# SQLite from 3.7.0 on can lose committed pages when a WAL file is reset while another connection
# checkpoints; mended in 3.51.3 and in these maintained branches.
_WAL_BEGAN, _WAL_MENDED = (3, 7, 0), (3, 51, 3)
_WAL_BACKPORTS = {(3, 44): 6, (3, 50): 7}


class DatabaseUnavailable(ResourceError):
    """The database is locked, read-only, full, damaged or away; the same call may work later."""


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Tell whether a SQLite of this version may use a write-ahead log.

    >>> wal_is_safe((3, 40, 1)), wal_is_safe((3, 51, 3)), wal_is_safe((3, 50, 7))
    (False, True, True)
    """
    if version < _WAL_BEGAN or version >= _WAL_MENDED:
        return True
    mended = _WAL_BACKPORTS.get(version[:2])
    return mended is not None and version[2] >= mended


class Database:
    """One process's connections to the database.

    Reads see one moment; writes are serial in SQLite (``BEGIN IMMEDIATE``) and wait their turn for
    ``busy_s``. Those that wait at the same moment share a commit (see ``groups``).

    Args:
        url: SQLAlchemy URL of SQLite or PostgreSQL.
        busy_s: how long to wait for another's lock.

    Raises:
        InputError: the URL is none, or of another database.
    """

    def __init__(self, url: str, *, busy_s: float = 10.0) -> None:
        self.busy_s = busy_s
        self._groups: Groups | None = None
        try:
            parsed = make_url(url)
            self.is_sqlite = parsed.get_backend_name() == "sqlite"
            if not self.is_sqlite and parsed.get_backend_name() != "postgresql":
                raise ArgumentError(f"a database of the kind {parsed.get_backend_name()!r}")
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+pg8000")
            self.engine = self._engine(parsed)
        except (ArgumentError, NoSuchModuleError) as error:
            # The URL may hold a password: it is not repeated.
            raise InputError(
                "database URL: expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
            ) from error

    def _engine(self, url: Any) -> Engine:
        if not self.is_sqlite:
            return create_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True)
        self.file = Path(url.database or "")
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=10,
            max_overflow=30,
            connect_args={"timeout": self.busy_s, "check_same_thread": False},
        )
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", lambda connection: _begin(connection, self.busy_s))
        self._groups = Groups(engine, self.busy_s)
        return engine

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one moment and changes nothing.

        Raises:
            DatabaseUnavailable: see there.
        """
        with _told(), self.engine.connect() as plain:
            options: dict[str, Any] = {_READ_ONLY: True}
            if not self.is_sqlite:
                options["isolation_level"] = "REPEATABLE READ"
            with plain.execution_options(**options).begin():
                yield plain

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that is committed at the end, or not at all.

        Raises:
            DatabaseUnavailable: see there.
        """
        if self._groups is None:
            with _told(), self.engine.begin() as connection:
                yield connection
            return
        try:
            # Threads of one process queue here rather than poll for the file's lock.
            with _told(), self._groups.write() as connection:
                yield connection
        except TurnTimeout as error:
            raise DatabaseUnavailable(
                f"the database was busy for {self.busy_s:g} s; try again in a moment"
            ) from error
        except GroupFailed as error:
            raise _unavailable(str(error)) from error

    def writable(self) -> bool:
        """Tell whether a write would work now."""
        try:
            with self.write() as connection:
                connection.execute(text("UPDATE keys SET name = name WHERE id = ''"))
        except DatabaseUnavailable:
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        # Only the driver's own words: statements and values of a user stay out of messages.
        raise _unavailable(str(getattr(error, "orig", error))) from error


def _unavailable(words: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"the database cannot be used now ({words[:200]}); try again in a moment"
    )


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where ``_begin`` says
    mode = "WAL" if wal_is_safe(sqlite3.sqlite_version_info[:3]) else "DELETE"
    cursor = connection.cursor()
    try:
        if cursor.execute("PRAGMA journal_mode").fetchone()[0].upper() != mode:
            cursor.execute(f"PRAGMA journal_mode={mode}")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
    finally:
        cursor.close()


def _begin(connection: Connection, busy_s: float) -> None:
    """Begin, and take the lock: for reading the shared one, for writing the one of the writer.

    SQLite's own waiting sleeps for up to 0.1 s between looks; locks are held for a few
    milliseconds here, so looking more often cuts the slowest reads to a fraction.
    """
    reading = connection.get_execution_options().get(_READ_ONLY)
    cursor = connection.connection.cursor()
    end = time.monotonic() + busy_s
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                cursor.execute("BEGIN" if reading else "BEGIN IMMEDIATE")
                if reading:
                    cursor.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
                return
            except sqlite3.OperationalError as error:
                if reading:
                    cursor.execute("ROLLBACK")
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(_SPREAD.uniform(*_LOOK_S))
    finally:
        cursor.execute(f"PRAGMA busy_timeout={int(1000 * busy_s)}")
        cursor.close()
