"""What is answered before the routes: how far a job is, and that there is no room for another."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from api_desk import ApiDesk, refused, serving
from server_desk import new_job

from autovoice.errors import ResourceError
from autovoice.server.api.capacity import FRESH_S, FULL_S, Capacity
from autovoice.server.api.errors import ApiError
from autovoice.server.api.looks import Looks
from autovoice.server.api.schemas import job_body
from autovoice.server.api.watch import to_its_end
from autovoice.server.jobs import JobNotFound, JobTable

JOBS = "/api/v1/jobs"


@pytest.fixture
def reader() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def test_a_job_is_seen_as_it_is_after_the_question(tmp_path: Path) -> None:
    with serving(tmp_path) as desk:
        url = desk.song().json()["links"]["self"]
        job_id = url.rpartition("/")[2]
        for _ in range(2):
            answer = desk.client.get(url)
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.json() == job_body(desk.service.table.get(job_id)).model_dump()
        desk.work()
        assert desk.client.get(url).json() == desk.client.get(JOBS).json()["jobs"][0]
        assert desk.client.get(url).json()["state"] == "done"
        assert desk.client.delete(url).status_code == 200
        refused(desk.client.get(url), 404, "job_not_found")
        text = desk.client.get("/metrics").text
        assert 'route="/api/v1/jobs/{job_id}",status="200"' in text
        assert 'route="/api/v1/jobs/{job_id}",status="404"' in text
        assert 'autovoice_rejections_total{reason="job_not_found"} 1.0' in text


def test_one_query_answers_all_who_ask_at_once(table: JobTable, reader: ThreadPoolExecutor) -> None:
    jobs = [table.submit(new_job())[0] for _ in range(20)]
    queries: list[int] = []
    versions = table.versions

    def counted(ids: Sequence[str]) -> Any:
        queries.append(len(ids))
        return versions(ids)

    table.versions = counted  # type: ignore[method-assign]

    async def run() -> list[Any]:
        looks = Looks(table, reader)
        asked = [looks.get(job.id, "anna") for job in jobs * 5]
        strange = [looks.get(jobs[0].id, "bert"), looks.get("job_x", "anna")]
        return await asyncio.gather(*asked, *strange, return_exceptions=True)

    found = asyncio.run(run())
    assert [type(one) for one in found[-2:]] == [JobNotFound, JobNotFound]
    assert [job.id.encode() in one for job, one in zip(jobs * 5, found[:-2], strict=True)] == (
        [True] * 100
    )
    assert queries == [21]


def test_who_asks_while_a_query_runs_gets_the_next(
    table: JobTable, reader: ThreadPoolExecutor
) -> None:
    job, _ = table.submit(new_job())

    async def run() -> bytes:
        looks = Looks(table, reader)
        begun, go = threading.Event(), threading.Event()
        versions = table.versions

        def slow(ids: Sequence[str]) -> Any:
            found = versions(ids)
            begun.set()
            assert go.wait(30)
            return found

        table.versions = slow  # type: ignore[method-assign]
        early = asyncio.create_task(looks.get(job.id, "anna"))
        await asyncio.to_thread(begun.wait, 30)
        table.request_cancel(job.id)
        late = asyncio.create_task(looks.get(job.id, "anna"))
        await asyncio.sleep(0)
        go.set()
        await early
        return await late

    assert b'"state":"cancelled"' in asyncio.run(run())


def test_what_runs_in_a_thread_has_ended_when_its_caller_has() -> None:
    begun, go = threading.Event(), threading.Event()
    ended: list[str] = []

    def work() -> None:
        begun.set()
        assert go.wait(60)
        ended.append("work")

    async def run() -> None:
        task = asyncio.create_task(to_its_end(work))
        await asyncio.to_thread(begun.wait, 60)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["work"]
        assert await to_its_end(len, "four") == 4

    asyncio.run(run())


def test_a_lost_database_is_told_to_everybody(table: JobTable, reader: ThreadPoolExecutor) -> None:
    def away(_ids: Sequence[str]) -> Any:
        raise ResourceError("away")

    versions = table.versions
    job, _ = table.submit(new_job())

    async def run() -> bytes:
        looks = Looks(table, reader)
        table.versions = away  # type: ignore[method-assign]
        for _ in range(2):
            with pytest.raises(ResourceError):
                await looks.get(job.id, "anna")
        table.versions = versions  # type: ignore[method-assign]
        return await looks.get(job.id, "anna")

    assert job.id.encode() in asyncio.run(run())


def test_a_crowd_between_two_readings_is_not_let_in(reader: ThreadPoolExecutor) -> None:
    now, readings = [0.0], [3]

    async def run() -> list[str]:
        capacity = Capacity(lambda: readings[0], 5, reader, lambda: now[0])
        told = []

        async def ask() -> None:
            try:
                await capacity.check()
                told.append("in")
            except ApiError as error:
                told.append(f"{error.status} {error.code}")

        await ask()
        with capacity.coming():
            await ask()
            with capacity.coming():
                await ask()  # 3 jobs and 2 on their way
        capacity.added()
        capacity.added()
        await ask()  # two that came are jobs by now
        readings[0] = 0
        now[0] += 2 * FRESH_S  # decided by the old reading, but a new one is asked for
        await ask()
        while capacity.is_reading:
            await asyncio.sleep(0.001)
        await ask()
        readings[0] = 5
        now[0] += 2 * FULL_S  # the old one decides nothing any more
        await ask()
        return told

    full = "503 queue_full"
    assert asyncio.run(run()) == ["in", "in", full, full, full, "in", full]


@pytest.mark.parametrize(
    "path",
    ["/api/v1/convert/song", "/api/v1/files", "/api/v1/synthesize", "/v1/audio/speech",
     "/api/v1/convert/batch", "/api/v1/voices", f"{JOBS}/job_1/retry"],
)  # fmt: skip
@pytest.mark.parametrize(("reason", "code"), [("full", "queue_full"), ("end", "draining")])
def test_a_refusal_reads_no_byte_of_the_body(
    tmp_path: Path, path: str, reason: str, code: str
) -> None:
    desk = ApiDesk(tmp_path, max_queued=1)
    desk.service.table.submit(new_job())
    desk.service.draining = reason == "end"
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "http_version": "1.1",
        "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"1000000")],
    }  # fmt: skip
    asyncio.run(desk.app(scope, receive, send))
    desk.service.close()
    assert sent[0]["status"] == 503
    headers = dict(sent[0]["headers"])
    assert headers[b"connection"] == b"close"
    assert int(headers[b"retry-after"]) > 0
    assert f'"code":"{code}"'.encode() in sent[1]["body"]


def test_nothing_waits_for_threads_that_receive_songs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all threads of the pool stuck, looks and refusals come as ever."""
    stuck, go = threading.Semaphore(0), threading.Event()
    with serving(tmp_path, max_queued=45) as desk:
        url = desk.song().json()["links"]["self"]
        submit = desk.service.table.submit

        def slow(*arguments: Any) -> Any:
            stuck.release()
            assert go.wait(60)
            return submit(*arguments)

        monkeypatch.setattr(desk.service.table, "submit", slow)
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(desk.song().status_code))
            for _ in range(44)
        ]
        try:
            for thread in threads:
                thread.start()
            for _ in range(40):  # as many as the pool has threads
                assert stuck.acquire(timeout=60)
            deadline = time.monotonic() + 60
            while desk.service.capacity.under_way < 44:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert desk.client.get(url).status_code == 200
            refused(desk.song(), 503, "queue_full")
            assert answers == []  # all the others still wait
        finally:
            go.set()
            for thread in threads:
                thread.join()
        assert answers == [202] * 44
