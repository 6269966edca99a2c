"""API keys: 256 random bits that are shown once and kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select, update

from autovoice.errors import InputError
from autovoice.server.database import Database
from autovoice.server.tables import keys

SCOPES = ("convert", "voices", "speak", "stream", "metrics")
PREFIX = "av"
# A key that was revoked by another process is refused at the latest after so long.
REMEMBERED_S = 2.0
LOCAL = "local"


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Args:
        id: of the key; owns jobs, files and voices.
        name: for lists and logs.
        scopes: what the key may do.
    """

    id: str
    name: str
    scopes: frozenset[str]


ANYBODY = Caller(LOCAL, "this machine", frozenset(SCOPES))


@dataclass(frozen=True)
class KeyRecord:
    """A key as it is listed; the key itself is not known to anybody but its owner."""

    id: str
    name: str
    scopes: Sequence[str]
    created_at: float
    revoked_at: float | None


@dataclass
class KeyRing:
    """The keys.

    Args:
        database: where their hashes are.
        clock: seconds since 1970.
    """

    database: Database
    clock: Callable[[], float] = time.time
    _known: dict[str, tuple[float, str, Caller | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def create(self, name: str, scopes: Sequence[str] = SCOPES) -> str:
        """Make a key and return it; it cannot be had again.

        Raises:
            InputError: a scope does not exist, or the name is empty or too long.
        """
        strange = sorted(set(scopes) - set(SCOPES))
        if strange or not scopes:
            raise InputError(f"scopes: found {strange or 'none'}, expected {', '.join(SCOPES)}")
        if not 0 < len(name) <= 200 or not name.isprintable():
            raise InputError("key name: expected 1 to 200 printable characters")
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = {
            "id": key_id,
            "hash": _hash(secret),
            "name": name,
            "scopes": sorted(set(scopes)),
            "created_at": self.clock(),
            "revoked_at": None,
        }
        with self.database.write() as connection:
            connection.execute(keys.insert().values(**row))
        return f"{PREFIX}_{key_id}_{secret}"

    def find(self, text: str) -> Caller | None:
        """Return whose key this is; None where it is nobody's, or revoked."""
        return _match(text, self._stored)

    def remembered(self, text: str) -> Caller | None:
        """Return whose key this is, if it was found a moment ago; does not wait for the table."""
        return _match(text, self._recent)

    def _recent(self, key_id: str) -> tuple[str, Caller | None]:
        with self._lock:
            known = self._known.get(key_id)
        if known is not None and time.monotonic() - known[0] < REMEMBERED_S:
            return known[1], known[2]
        return _hash(""), None

    def _stored(self, key_id: str) -> tuple[str, Caller | None]:
        now = time.monotonic()
        recent = self._recent(key_id)
        if recent[1] is not None:
            return recent
        with self.database.read() as connection:
            query = select(keys).where(keys.c.id == key_id, keys.c.revoked_at.is_(None))
            row = connection.execute(query).first()
        if row is None:
            return _hash(""), None
        caller = Caller(row.id, row.name, frozenset(row.scopes))
        with self._lock:
            self._known[key_id] = (now, row.hash, caller)
        return row.hash, caller

    def revoke(self, key_id: str) -> None:
        """Make a key worthless, from now on and for ever.

        Raises:
            InputError: there is no such key, or it is revoked already.
        """
        with self.database.write() as connection:
            done = connection.execute(
                update(keys)
                .where(keys.c.id == key_id, keys.c.revoked_at.is_(None))
                .values(revoked_at=self.clock())
            )
        with self._lock:
            self._known.pop(key_id, None)
        if done.rowcount != 1:
            raise InputError(f"no key {key_id[:40]!r} is in use; `autovoice serve key list` tells")

    def list(self) -> Sequence[KeyRecord]:
        """Return all keys in the order in which they were made."""
        columns = [keys.c[name] for name in KeyRecord.__dataclass_fields__]
        with self.database.read() as connection:
            rows = connection.execute(select(*columns).order_by(keys.c.created_at)).all()
        return [KeyRecord(**row._asdict()) for row in rows]


def _match(text: str, stored: Callable[[str], tuple[str, Caller | None]]) -> Caller | None:
    parts = text.split("_", 2)
    if len(parts) != 3 or parts[0] != PREFIX or not 0 < len(parts[2]) <= 128:
        return None
    expected, caller = stored(parts[1][:40])
    # Compared even where there is no such key, so that time tells nothing.
    return caller if hmac.compare_digest(expected, _hash(parts[2])) else None


def _hash(secret: str) -> str:
    # A plain hash is enough: there is nothing to guess in 256 random bits.
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
