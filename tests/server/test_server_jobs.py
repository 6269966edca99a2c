"""The table of jobs: limits, idempotency, leases, retries, cancelling."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from server_desk import Clock, new_job
from sqlalchemy import select

from autovoice.errors import InputError
from autovoice.server.database import Database
from autovoice.server.jobs import (
    IdempotencyConflict,
    JobNotFound,
    JobTable,
    Lease,
    LeaseLost,
    Limits,
    News,
    QueueFull,
    QuotaExceeded,
)
from autovoice.server.jobs import tallies as counters
from autovoice.server.jobs.records import Outcome
from autovoice.server.tables import tallies


def taken(table: JobTable, worker: str = "w1") -> Lease:
    lease = table.claim(worker, 30.0)
    assert lease is not None
    return lease


def counts(database: Database) -> dict[tuple[str, str], int]:
    with database.read() as connection:
        rows = connection.execute(select(tallies.c.name, tallies.c.label, tallies.c.count)).all()
    found: Counter[tuple[str, str]] = Counter()
    for name, label, number in rows:
        found[name, label] += number
    return dict(found)


def test_a_job_is_done_once(table: JobTable, database: Database, clock: Clock) -> None:
    job, is_new = table.submit(new_job(audio_s=3.0))
    assert is_new
    assert job.state == "queued"
    clock.now += 2.0
    lease = taken(table)
    assert table.claim("w2", 30.0) is None
    assert table.report(lease, News("convert", 0.5, {"convert": 0.4})) == "held"
    assert table.report(lease, News(chunks=(2, 5))) == "held"
    assert table.get(job.id).progress == {"convert": 0.4}
    clock.now += 3.0
    table.finish(lease, Outcome({"output": "1/cover.flac"}, bytes=7))
    with pytest.raises(LeaseLost):
        table.finish(lease, Outcome({"output": "other"}))
    found = table.get(job.id, "anna")
    assert (found.state, found.overall, found.chunks_done) == ("done", 1.0, 2)
    assert found.result == {"output": "1/cover.flac"}
    assert found.version > job.version
    assert counts(database)[counters.FINISHED, "convert.song|done"] == 1
    assert counts(database)["job_queue_wait_seconds", "convert.song"] == 1


def test_the_oldest_comes_first(table: JobTable, clock: Clock) -> None:
    wanted = []
    for _ in range(3):
        wanted.append(table.submit(new_job())[0].id)
        clock.now += 1.0
    assert [taken(table).job.id for _ in wanted] == wanted


def test_a_silent_worker_loses_its_job(table: JobTable, clock: Clock) -> None:
    table.submit(new_job())
    first = taken(table)
    clock.now += 29.0
    assert table.heartbeat(first, 30.0) == "held"
    clock.now += 29.0
    assert table.claim("w2", 30.0) is None
    clock.now += 2.0
    second = taken(table, "w2")
    assert second.job.attempt == 2
    assert table.heartbeat(first, 30.0) == "lost"
    assert table.report(first, News("mix", 0.9, chunks=(9, 9)), 30.0) == "lost"
    for late in (lambda: table.finish(first, Outcome({})), lambda: table.cancelled(first)):
        with pytest.raises(LeaseLost):
            late()
    assert table.signal(second) == "held"
    table.finish(second, Outcome({"by": "w2"}))
    assert table.get(second.job.id).result == {"by": "w2"}


def test_a_poison_job_fails_after_three_attempts(table: JobTable, clock: Clock) -> None:
    poison, _ = table.submit(new_job())
    clock.now += 1.0
    healthy, _ = table.submit(new_job())
    for _ in range(3):
        assert taken(table).job.id == poison.id
        clock.now += 31.0
    assert taken(table).job.id == healthy.id
    found = table.get(poison.id)
    assert found.state == "failed"
    assert found.attempt == 3
    assert found.error is not None
    assert found.error["code"] == "worker_lost"


def test_a_step_forward_forgives_earlier_deaths(table: JobTable, clock: Clock) -> None:
    table.submit(new_job())
    for chunk in range(1, 8):
        lease = taken(table)
        assert table.report(lease, News(chunks=(chunk, 8))) == "held"
        clock.now += 31.0
    assert taken(table).job.attempt == 8


def test_a_dead_worker_is_told_at_once(table: JobTable) -> None:
    job, _ = table.submit(new_job())
    taken(table, "w1")
    assert table.abandon("w2") == 0
    assert table.abandon("w1") == 1
    assert taken(table, "w2").job.id == job.id


def test_giving_back_does_not_count_as_an_attempt(table: JobTable) -> None:
    table.submit(new_job())
    for _ in range(5):
        lease = taken(table)
        assert lease.job.attempt == 1
        table.release(lease)


def test_errors_that_may_pass_are_tried_again_later(table: JobTable, clock: Clock) -> None:
    table.submit(new_job())
    waits = []
    for _ in range(2):
        job = table.fail(taken(table), "engine_error", "out of memory", may_pass=True)
        assert job.state == "queued"
        assert table.claim("w1", 30.0) is None
        waits.append(job.not_before - clock.now)
        clock.now = job.not_before
    assert waits == [1.0, 2.0]
    job = table.fail(taken(table), "engine_error", "out of memory", may_pass=True)
    assert job.state == "failed"
    assert job.error == {"code": "engine_error", "message": "out of memory"}


def test_an_error_of_the_caller_is_final(table: JobTable) -> None:
    table.submit(new_job())
    assert table.fail(taken(table), "unsupported_audio", "found a video").state == "failed"
    assert table.claim("w1", 30.0) is None


def test_cancelling(table: JobTable, clock: Clock) -> None:
    waiting, _ = table.submit(new_job())
    assert table.request_cancel(waiting.id, "anna").state == "cancelled"
    running, _ = table.submit(new_job())
    lease = taken(table)
    asked = table.request_cancel(running.id, "anna")
    assert (asked.state, asked.cancel_requested) == ("running", True)
    assert table.heartbeat(lease, 30.0) == "cancel"
    assert table.report(lease, News("convert", 0.2)) == "cancel"
    assert table.report(lease, News(chunks=(1, 2))) == "cancel"
    table.cancelled(lease)
    assert table.request_cancel(running.id).state == "cancelled"
    orphan, _ = table.submit(new_job())
    taken(table)
    clock.now += 31.0
    assert table.request_cancel(orphan.id).state == "cancelled"
    assert table.claim("w1", 30.0) is None


def test_a_cancelled_job_of_a_dead_worker_does_not_run_again(table: JobTable, clock: Clock) -> None:
    job, _ = table.submit(new_job())
    taken(table)
    table.request_cancel(job.id)
    clock.now += 31.0
    assert table.claim("w2", 30.0) is None
    assert table.get(job.id).state == "cancelled"


def test_other_peoples_jobs_are_not_found(table: JobTable) -> None:
    job, _ = table.submit(new_job("anna"))
    for call in (table.get, table.request_cancel, table.forget):
        with pytest.raises(JobNotFound):
            call(job.id, "bert")
    assert table.list("bert") == []
    assert table.get(job.id).state == "queued"


def test_one_key_is_one_job_however_many_ask_at_once(table: JobTable) -> None:
    new = new_job(idempotency_key="k", body_hash="h")
    found: list[tuple[str, bool]] = []
    start = threading.Barrier(50)

    def ask() -> None:
        start.wait()
        job, is_new = table.submit(new)
        found.append((job.id, is_new))

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 50
    assert len({job_id for job_id, _ in found}) == 1
    assert sum(is_new for _, is_new in found) == 1
    assert len(table.list("anna")) == 1


def test_a_key_belongs_to_one_request_and_one_owner(table: JobTable) -> None:
    first, _ = table.submit(new_job(idempotency_key="k", body_hash="h"))
    with pytest.raises(IdempotencyConflict, match=first.id):
        table.submit(new_job(idempotency_key="k", body_hash="other"))
    assert table.submit(new_job("bert", idempotency_key="k", body_hash="other"))[1]
    assert table.known("anna", "k") == first
    assert table.known("carl", "k") is None


def test_limits(table: JobTable, clock: Clock) -> None:
    table.submit(new_job("anna", audio_s=60.0), Limits(active=2))
    with pytest.raises(QuotaExceeded, match="1 of your jobs"):
        table.submit(new_job("anna"), Limits(own_active=1))
    with pytest.raises(QuotaExceeded, match="minutes of audio") as told:
        table.submit(new_job("anna", audio_s=30.0), Limits(own_audio_s=80.0))
    assert told.value.retry_s > 0
    table.submit(new_job("bert", audio_s=30.0), Limits(own_audio_s=80.0, own_active=1))
    with pytest.raises(QueueFull, match="2 jobs"):
        table.submit(new_job("carl"), Limits(active=2))
    clock.now += 25 * 3600
    table.submit(new_job("anna", audio_s=30.0), Limits(own_audio_s=80.0))


def test_a_header_that_claims_too_little_is_charged_in_the_end(table: JobTable) -> None:
    table.submit(new_job(audio_s=1.0))
    table.finish(taken(table), Outcome({}, audio_s=600.0))
    with pytest.raises(QuotaExceeded):
        table.submit(new_job(audio_s=1.0), Limits(own_audio_s=500.0))


def test_pages_of_the_list(table: JobTable, clock: Clock) -> None:
    ids = [table.submit(new_job())[0].id for _ in range(5)]  # all at one time
    seen: list[str] = []
    before = None
    while page := table.list("anna", limit=2, before=before):
        seen += [job.id for job in page]
        before = (page[-1].created_at, page[-1].id)
    assert sorted(seen) == sorted(ids)
    assert len(table.list("anna", state="done")) == 0


def test_only_what_is_finished_is_forgotten(table: JobTable, clock: Clock) -> None:
    job, _ = table.submit(new_job())
    with pytest.raises(InputError, match="cancel it first"):
        table.forget(job.id)
    table.request_cancel(job.id)
    assert [one.id for one in table.expired(clock.now + 1)] == [job.id]
    assert table.expired(clock.now) == []
    table.forget(job.id)
    with pytest.raises(JobNotFound):
        table.get(job.id)


def test_time_may_jump(table: JobTable, clock: Clock) -> None:
    """A clock set forward costs an attempt, one set back costs time; neither makes two results."""
    table.submit(new_job())
    first = taken(table)
    clock.now += 86_400.0
    second = taken(table, "w2")
    clock.now -= 2 * 86_400.0
    assert table.claim("w3", 30.0) is None
    assert table.heartbeat(first, 30.0) == "lost"
    table.finish(second, Outcome({"by": "w2"}))
    found = table.get(second.job.id)
    assert (found.state, found.attempt) == ("done", 2)
