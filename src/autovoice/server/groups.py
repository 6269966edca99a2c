"""Write together what several threads want to write at the same moment: one commit for all of them.

A commit that waits for the disk takes tens of milliseconds, whatever it holds. So a thread that
has written what it had to, and sees others wait, leaves its transaction open to the next one, and
so on; the last commits, and only then any of them goes on. Each stands behind a savepoint, so that
one that raises takes back its own changes alone. Where the database itself fails, nothing of the
group is written and all are told.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import NestedTransaction, RootTransaction
from sqlalchemy.exc import DBAPIError

# So many share a commit at most: those of other processes wait for the lock meanwhile.
MOST_TOGETHER = 32


class TurnTimeout(Exception):
    """The turn to write did not come in time."""


class GroupFailed(Exception):
    """Another's part of the group, or the commit, failed: nothing was written."""


@dataclass(eq=False)
class _Group:
    connection: Connection
    transaction: RootTransaction
    members: int = 0
    error: BaseException | None = None
    over: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class _Waiter:
    called: threading.Event = field(default_factory=threading.Event)
    group: _Group | None = None


class Groups:
    """The writing threads of one process, for a database that takes one writer at a time.

    Args:
        engine: of the database; its transactions begin with the lock of the writer.
        patience_s: how long a thread waits for its turn.
        most: threads in a group.
    """

    def __init__(self, engine: Engine, patience_s: float, most: int = MOST_TOGETHER) -> None:
        self._engine, self._patience_s, self._most = engine, patience_s, most
        self._mutex = threading.Lock()
        self._is_taken = False
        self._waiting: deque[_Waiter] = deque()

    @property
    def waiting(self) -> int:
        """How many threads wait for their turn."""
        with self._mutex:
            return len(self._waiting)

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection within a transaction; its changes are on the disk at the end, or gone.

        Raises:
            TurnTimeout, GroupFailed: see there; nothing was written.
            DBAPIError: from the database, as it is.
        """
        group = self._joined()
        savepoint: NestedTransaction | None = None
        try:
            if group.members > 1:  # the first has nobody before whose changes have to stay
                savepoint = group.connection.begin_nested()
            yield group.connection
            if savepoint is not None:
                savepoint.commit()
        except BaseException as error:
            _take_back(group, savepoint, error)
            self._leave(group)
            raise
        self._leave(group)
        group.over.wait()
        if group.error is not None:
            raise GroupFailed(_words(group.error)) from group.error

    def _joined(self) -> _Group:
        """Wait for the turn, and return the transaction that was left open or a new one."""
        waiter = None
        with self._mutex:
            if self._is_taken:
                waiter = _Waiter()
                self._waiting.append(waiter)
            self._is_taken = True
        if waiter is not None and not waiter.called.wait(self._patience_s):
            with self._mutex:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                    raise TurnTimeout
        group = None if waiter is None else waiter.group
        if group is None:
            try:
                connection = self._engine.connect()
                try:
                    group = _Group(connection, connection.begin())
                except BaseException:
                    connection.close()
                    raise
            except BaseException:
                self._pass_on()
                raise
        group.members += 1
        return group

    def _leave(self, group: _Group) -> None:
        """Leave the transaction to the next who waits; the last ends it."""
        is_full = group.members >= self._most
        if group.error is None and not is_full and self._pass_on(group):
            return
        try:
            self._end(group)
        finally:
            group.over.set()
            self._pass_on()

    def _end(self, group: _Group) -> None:
        with group.connection as connection:
            try:
                if group.error is not None:
                    group.transaction.rollback()
                    return
                # Without one a commit would say nothing and do nothing.
                if not connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
                    raise sqlite3.OperationalError("the transaction has ended by itself")
                group.transaction.commit()
            except Exception as error:
                group.error = group.error or error
                connection.invalidate()  # closed, so that no transaction stays open in it

    def _pass_on(self, group: _Group | None = None) -> bool:
        """Call the next who waits; with a group, which is still open, only if there is one."""
        with self._mutex:
            if self._waiting:
                waiter = self._waiting.popleft()
                waiter.group = group
                waiter.called.set()
                return True
            if group is None:
                self._is_taken = False
            return False


def _take_back(group: _Group, savepoint: NestedTransaction | None, error: BaseException) -> None:
    """Take back what one has changed, or all: SQLite may have done so itself after its errors."""
    if savepoint is None or isinstance(error, DBAPIError | sqlite3.Error):
        group.error = error
        return
    try:
        savepoint.rollback()
    except DBAPIError as failed:
        group.error = failed


def _words(error: BaseException) -> str:
    return str(getattr(error, "orig", error))
