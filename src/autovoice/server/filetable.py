"""Uploaded files and whose they are."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from sqlalchemy import delete, func, select

from autovoice.errors import InputError
from autovoice.server.database import Database
from autovoice.server.files import Received
from autovoice.server.jobs.records import ACTIVE, StoredFile
from autovoice.server.jobs.rows import enter
from autovoice.server.tables import files, jobs

__all__ = ["FileNotFound", "FileTable", "StoredFile", "new_file"]


class FileNotFound(InputError):
    """There is no such file, or it is somebody else's."""


def new_file(
    owner: str, received: Received, name: str, seconds: float | None, now: float
) -> StoredFile:
    """Return the row of a file that was received and looked at; nothing is entered yet."""
    return StoredFile(
        id=f"file_{secrets.token_hex(12)}",
        owner=owner,
        path=received.path,
        name=name,
        bytes=received.bytes,
        sha256=received.sha256,
        seconds=seconds,
        created_at=now,
        used_at=now,
    )


class FileTable:
    """The table of uploaded files.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, file: StoredFile) -> None:
        """Enter a file that was received and looked at."""
        with self._database.write() as connection:
            enter(connection, [file])

    def get(self, file_id: str, owner: str) -> StoredFile:
        """Return a file.

        Raises:
            FileNotFound: there is none, or it is another's.
        """
        with self._database.read() as connection:
            row = connection.execute(
                select(files).where(files.c.id == file_id, files.c.owner == owner)
            ).first()
        if row is None:
            raise FileNotFound(f"no file {file_id[:60]!r} was found; upload it to /api/v1/files")
        return StoredFile(**row._asdict())

    def several(self, ids: Sequence[str]) -> Sequence[StoredFile]:
        """Return the files of these ids that exist, in their order."""
        with self._database.read() as connection:
            rows = connection.execute(select(files).where(files.c.id.in_(ids))).all()
        found = {row.id: StoredFile(**row._asdict()) for row in rows}
        return [found[one] for one in ids if one in found]

    def remove(self, file_id: str) -> None:
        """Take a file out of the table."""
        with self._database.write() as connection:
            connection.execute(delete(files).where(files.c.id == file_id))

    def unused(self, before: float) -> Sequence[StoredFile]:
        """Return files last used before a time that no waiting or running job needs."""
        with self._database.read() as connection:
            held: set[str] = set()
            for row in connection.execute(select(jobs.c.files).where(jobs.c.state.in_(ACTIVE))):
                held.update(row[0])
            rows = connection.execute(select(files).where(files.c.used_at < before)).all()
        return [StoredFile(**row._asdict()) for row in rows if row.id not in held]

    def known_paths(self, paths: Sequence[str]) -> set[str]:
        """Return those of the paths that a row mentions."""
        with self._database.read() as connection:
            query = select(files.c.path).where(files.c.path.in_(paths))
            return set(connection.execute(query).scalars())

    def is_empty(self) -> bool:
        """Tell whether there is no row."""
        with self._database.read() as connection:
            return connection.execute(select(files.c.id).limit(1)).first() is None

    def bytes_used(self) -> int:
        """Return the size of all files."""
        with self._database.read() as connection:
            total = select(func.coalesce(func.sum(files.c.bytes), 0))
            return int(connection.execute(total).scalar_one())
