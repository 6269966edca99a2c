"""What the tests of the service share: time that moves when told, jobs, and an empty database."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from autovoice.server.jobs import NewJob

# An address of a PostgreSQL server: then every test has databases of its own there.
OTHER_DATABASE = os.environ.get("AUTOVOICE_TEST_DATABASE_URL")
of_sqlite = pytest.mark.skipif(OTHER_DATABASE is not None, reason="is about SQLite and its file")
# Whether that server is thrown away with all that is in it: dropping a database takes it a second.
KEEP_DATABASES = bool(os.environ.get("AUTOVOICE_TEST_KEEP_DATABASES"))
_made: set[str] = set()
# Elsewhere a program that is not installed skips its tests; there, where `.github/workflows/ci.yml`
# installs all of them, it fails them.
IS_CI = bool(os.environ.get("GITHUB_ACTIONS"))


@dataclass
class Clock:
    """Time that moves when told."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Yield a port of 127.0.0.1 that the system gives to nobody else meanwhile.

    A server that sets SO_REUSEADDR, as most do, can listen on it: nobody listens on it here.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def new_job(owner: str = "anna", **values: object) -> NewJob:
    """Return a job to submit."""
    fields: dict[str, object] = {"kind": "convert.song", "request": {}, "files": [], "folder": "f"}
    return NewJob(owner, **{**fields, **values})  # type: ignore[arg-type]


def database_url(file: Path, like: Path | None = None) -> str:
    """Return the URL of a database that only this file's name leads to.

    Args:
        file: the file of SQLite; in PostgreSQL, what the database is named after.
        like: in PostgreSQL, begin as a copy of this one, rather than empty.
    """
    if OTHER_DATABASE is None:
        return f"sqlite:///{file}"
    name = _name(file)
    _made.update({name} if like is None else {name, _name(like)})
    with _server().connect() as connection:
        known = text("SELECT count(*) FROM pg_database WHERE datname = :name")
        if not connection.execute(known, {"name": name}).scalar_one():
            template = "template1" if like is None else _name(like)
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    return make_url(OTHER_DATABASE).set(database=name).render_as_string(hide_password=False)


def drop_databases() -> None:
    """Remove all that ``database_url`` made or copied in this process."""
    with _server().connect() as connection:
        for name in sorted(_made):
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def _name(file: Path) -> str:
    return f"autovoice_{hashlib.sha256(str(file).encode()).hexdigest()[:16]}"


def _server() -> Engine:
    assert OTHER_DATABASE is not None
    url = make_url(OTHER_DATABASE).set(drivername="postgresql+pg8000")
    return create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
