"""A short turn of the load test: a hundred users at once, nothing lost, no failure.

``python -m benchmarks.service --loads sustained --seconds 300`` is the long one, with figures.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.service_process import serving
from benchmarks.service_users import users

SOURCE = Path(__file__).resolve().parents[2] / "src"
SONG = b"RIFF\xff\xff\x00\x00WAVEfmt " + bytes(150_000)
USERS, SECONDS = 100, 3.0


def test_a_hundred_users_lose_nothing_and_meet_no_failure() -> None:
    with serving(SOURCE, patience_s=180.0, worker_jobs=4, fake_chunk_s=0.02) as served:
        seen = asyncio.run(users(served.port, USERS, SONG, SECONDS))
    assert seen.accepted >= USERS
    assert (seen.lost, seen.broken, len(seen.sounds)) == (0, 0, 1)
    assert dict(seen.ended) == {"done": seen.accepted}
    statuses = {*seen.sent.status, *seen.looked.status, *seen.fetched.status}
    assert statuses == {200, 202}
