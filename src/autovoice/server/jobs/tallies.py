"""Counters and histograms kept in the database, changed together with what they count.

A counter is one row with the bound 0; a histogram has a row for each bound that was hit.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from autovoice.server.jobs.records import Observation
from autovoice.server.tables import tallies, usage

SUBMITTED, FINISHED, ERRORS = "jobs_submitted", "jobs_finished", "job_errors"
SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
BATCH_SIZE = "engine_batch_size"
# The upper bound of the last bucket; databases have no infinity that travels well in JSON.
UNBOUNDED = 1e300
BOUNDS: Mapping[str, Sequence[float]] = {
    "job_duration_seconds": SECONDS,
    "job_queue_wait_seconds": SECONDS,
    "job_stage_duration_seconds": SECONDS,
    "job_realtime_factor": RATIOS,
    BATCH_SIZE: SIZES,
}


def count(connection: Connection, name: str, label: str) -> None:
    """Add one to a counter."""
    _add(connection, name, label, 0.0, (1, 1.0))


def observe(connection: Connection, observations: Iterable[Observation]) -> None:
    """Add values to histograms; in one order, so that two transactions cannot block each other."""
    for one in sorted(observations, key=lambda one: (one.name, one.label, one.value)):
        bounds = BOUNDS[one.name]
        place = bisect.bisect_left(bounds, one.value)
        bound = bounds[place] if place < len(bounds) else UNBOUNDED
        _add(connection, one.name, one.label, bound, (one.times, one.times * one.value))


def read(connection: Connection) -> list[tuple[str, str, float, int, float]]:
    """Return ``(name, label, bound, count, total)`` of every row."""
    return [tuple(row) for row in connection.execute(select(tallies)).all()]


def use_audio(connection: Connection, owner: str, hour: int, audio_s: float) -> None:
    """Add to what an owner submitted in an hour (hours since 1970)."""
    row = {"owner": owner, "hour": hour, "audio_s": audio_s}
    statement = _insert(connection)(usage).values(**row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["owner", "hour"],
            set_={"audio_s": usage.c.audio_s + audio_s},
        )
    )


def _add(
    connection: Connection, name: str, label: str, bound: float, more: tuple[int, float]
) -> None:
    times, total = more
    row = {"name": name, "label": label, "bound": bound, "count": times, "total": total}
    statement = _insert(connection)(tallies).values(**row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name", "label", "bound"],
            set_={"count": tallies.c.count + times, "total": tallies.c.total + total},
        )
    )


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
