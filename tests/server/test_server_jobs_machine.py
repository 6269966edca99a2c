"""The table of jobs through crashes: whatever happens in whatever order, the promises hold."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)
from server_desk import OTHER_DATABASE, Clock, database_url, new_job
from sqlalchemy import select

from autovoice.server.database import Database
from autovoice.server.jobs import JobTable, Lease, LeaseLost, News
from autovoice.server.jobs.records import ACTIVE, FINISHED, Outcome
from autovoice.server.migrations import upgrade
from autovoice.server.tables import tallies

LEASE_S = 30.0


class Crashes(RuleBasedStateMachine):
    """Submit, work, crash, cancel, sleep and restart in any order.

    Time is the rules' own, and ids count up: jobs of one moment are taken in the order of their
    ids, so with random ones the same rules would take other jobs when they are run again.
    """

    leases: Bundle[Lease] = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.url = database_url(Path(self.folder.name) / "jobs.sqlite3")
        self.clock = Clock()
        self.numbers = itertools.count()
        self.open()
        upgrade(self.database)
        self.accepted: dict[str, str] = {}
        self.ended: dict[str, tuple[str, Any]] = {}
        self.chunks: Counter[str] = Counter()

    def open(self) -> None:
        self.database = Database(self.url)
        self.table = JobTable(self.database, clock=self.clock, random_hex=self.next_id)

    def next_id(self, length_bytes: int) -> str:
        return f"{next(self.numbers):0{2 * length_bytes}x}"

    @rule(key=st.one_of(st.none(), st.sampled_from("abc")))
    def submit(self, key: str | None) -> None:
        job, is_new = self.table.submit(
            new_job(idempotency_key=key, body_hash=None if key is None else "h")
        )
        assert is_new == (job.id not in self.accepted)
        self.accepted[job.id] = key or ""

    @rule(target=leases, worker=st.sampled_from(["w1", "w2"]), alone=st.booleans())
    def claim(self, worker: str, alone: bool = True) -> Any:
        lease = self.table.claim(worker, LEASE_S, alone=alone)
        if lease is None:
            return multiple()
        assert alone or lease.job.stalled == 1
        return lease

    @rule(lease=leases, keep=st.booleans())
    def checkpoint(self, lease: Lease, keep: bool) -> None:
        done = self.chunks[lease.job.id] + 1
        news = News(chunks=(done, 100))
        if self.table.report(lease, news, LEASE_S if keep else None) != "lost":
            self.chunks[lease.job.id] = done

    @rule(lease=leases)
    def heartbeat(self, lease: Lease) -> None:
        held = self.table.heartbeat(lease, LEASE_S) != "lost"
        assert held == (self.table.get(lease.job.id).lease_token == lease.token)

    @rule(lease=consumes(leases), how=st.sampled_from(["finish", "fail", "retry", "cancelled"]))
    def end(self, lease: Lease, how: str) -> None:
        held = self.table.signal(lease) != "lost"
        try:
            if how == "finish":
                self.table.finish(lease, Outcome({"token": lease.token}))
            elif how == "cancelled":
                self.table.cancelled(lease)
            else:
                self.table.fail(lease, "error", "no", may_pass=how == "retry")
        except LeaseLost:
            assert not held
        else:
            assert held

    @rule(lease=consumes(leases))
    def release(self, lease: Lease) -> None:
        self.table.release(lease)

    @rule(worker=st.sampled_from(["w1", "w2"]))
    def worker_dies(self, worker: str) -> None:
        self.table.abandon(worker)

    @rule(seconds=st.sampled_from([1.0, 29.0, 31.0, 90_000.0, -40.0]))
    def time_moves(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(index=st.integers(0, 5))
    def cancel(self, index: int) -> None:
        ids = sorted(self.accepted)
        if ids:
            self.table.request_cancel(ids[index % len(ids)], "anna")

    @rule()
    def api_dies(self) -> None:
        self.database.close()
        self.open()

    @rule()
    def crash_within_a_transaction(self) -> None:
        try:
            with self.database.write() as connection:
                connection.execute(tallies.delete())
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass

    @invariant()
    def nothing_is_lost_and_nothing_ends_twice(self) -> None:
        rows = {job.id: job for job in self.table.list(None, limit=1000)}
        assert set(rows) == set(self.accepted)
        for job_id, job in rows.items():
            if job_id in self.ended:
                assert (job.state, job.result) == self.ended[job_id]
            if job.is_finished:
                self.ended[job_id] = (job.state, job.result)
            assert (job.lease_token is not None) == (job.state == "running")
            assert job.chunks_done == self.chunks[job_id]
            assert job.stalled <= 3

    @invariant()
    def the_books_balance(self) -> None:
        with self.database.read() as connection:
            query = select(tallies.c.name, tallies.c.count)
            totals: Counter[str] = Counter()
            for name, count in connection.execute(query):
                totals[name] += count
        states = Counter(job.state for job in self.table.list(None, limit=1000))
        active = sum(states[state] for state in ACTIVE)
        assert totals["jobs_submitted"] - totals["jobs_finished"] - active == 0
        assert totals["jobs_finished"] == sum(states[state] for state in FINISHED)

    def teardown(self) -> None:
        """In the end one healthy worker and some patience finish all that is left."""
        while True:
            self.clock.now += 100_000.0
            lease = self.table.claim("healthy", LEASE_S)
            if lease is None:
                break
            self.table.finish(lease, Outcome({}))
        assert self.table.active() == 0
        self.database.close()
        self.folder.cleanup()


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(
    # On a server each example makes a database, and each step is several round trips.
    max_examples=40 if OTHER_DATABASE is None else 15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_the_same_rules_again_do_the_same() -> None:
    """Hypothesis runs rules anew to shrink them, and gives up where that ends otherwise."""

    def told() -> list[tuple[str, str, str | None]]:
        machine = Crashes()
        try:
            for key in (None, "a", None, None, "b"):
                machine.submit(key)
            machine.claim("w1")
            machine.claim("w2")
            for index in (0, 3):
                machine.cancel(index)
            machine.time_moves(31.0)
            machine.api_dies()
            machine.claim("w1")
            return [
                (job.id, job.state, job.lease_token) for job in machine.table.list(None, limit=10)
            ]
        finally:
            machine.teardown()

    assert told() == told()
