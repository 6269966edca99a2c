"""The API from outside: submit, follow, fetch, cancel, limits, keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_desk import ApiDesk, refused, serving, tone
from sqlalchemy import Connection, event, func, select

from autovoice.server import tables
from autovoice.server.api.capacity import FULL_S
from autovoice.server.api.schemas import ErrorBody
from autovoice.server.rates import Rates

JOBS = "/api/v1/jobs"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ApiDesk]:
    with serving(tmp_path) as made:
        yield made


def test_a_song_becomes_a_cover(desk: ApiDesk) -> None:
    answer = desk.song(name="Mein Lied.wav", stems="true", semitones="-3")
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == job["links"]["self"]
    assert (job["state"], job["request"]["semitones"]) == ("queued", -3)
    refused(desk.client.get(f"{JOBS}/{job['id']}/result"), 409, "not_finished")
    desk.work()
    job = desk.client.get(f"{JOBS}/{job['id']}").json()
    assert (job["state"], job["progress"]) == ("done", 1.0)
    cover = desk.client.get(job["links"]["result"])
    assert cover.content[:4] == b"RIFF"
    assert "Mein%20Lied-cover.wav" in cover.headers["Content-Disposition"]
    assert cover.headers["Content-Type"] == "audio/wav"
    assert set(job["links"]["stems"]) == {"vocals", "backing", "converted"}
    assert desk.client.get(job["links"]["stems"]["vocals"]).content[:4] == b"RIFF"
    refused(desk.client.get(f"{JOBS}/{job['id']}/stems/drums"), 422, "invalid_request")
    assert desk.client.get(job["links"]["report"]).json() == job["result"]
    assert "files" not in job["result"]
    refused(desk.client.get(f"{job['links']['report']}?format=html"), 404, "not_kept")
    part = desk.client.get(job["links"]["result"], headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"RIFF")


def test_a_song_and_its_job_are_one_transaction(desk: ApiDesk) -> None:
    """And one that was accepted before leaves neither a row nor a file."""
    database, rooms = desk.service.database, desk.settings.data_dir / "files"
    written: list[bool] = []

    def committed(connection: Connection) -> None:
        written.append(not connection.get_execution_options().get("autovoice_read"))

    event.listen(database.engine, "commit", committed)
    first = desk.song(key="k")
    assert sum(written) == 1
    again = desk.song(key="k")
    assert (first.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert len([one for one in rooms.rglob("*") if one.is_file()]) == 1
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.files)).scalar_one() == 1


def test_a_stored_file_serves_many_jobs(desk: ApiDesk) -> None:
    stored = desk.client.post("/api/v1/files", files={"file": ("a.wav", tone())}).json()
    assert desk.client.get(f"/api/v1/files/{stored['id']}").json() == stored
    for _ in range(2):
        asked = {"voice": "kumo", "file_id": stored["id"]}
        assert desk.client.post("/api/v1/convert/song", json=asked).status_code == 202
    asked = {"voice": "kumo", "file_id": "file_none"}
    refused(desk.client.post("/api/v1/convert/song", json=asked), 404, "file_not_found")
    refused(desk.song(file_id=stored["id"]), 422, "invalid_request")
    desk.work(2)


def test_events_end_with_the_job(desk: ApiDesk) -> None:
    job = desk.song().json()
    with desk.working():
        answer = desk.client.get(job["links"]["events"])
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    names = [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names[0] == "job"
    assert names[-1] == "end"
    assert '"state": "done"' in answer.text.splitlines()[-3] + answer.text.splitlines()[-2]


def test_cancelling_and_removing(desk: ApiDesk) -> None:
    job = desk.song().json()
    answer = desk.client.delete(f"{JOBS}/{job['id']}")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    refused(desk.client.get(f"{JOBS}/{job['id']}/result"), 409, "job_cancelled")
    again = desk.client.post(f"{JOBS}/{job['id']}/retry")
    assert again.status_code == 202
    assert again.json()["id"] != job["id"]
    refused(desk.client.post(f"{JOBS}/{again.json()['id']}/retry"), 409, "not_retryable")
    desk.work()
    folder = desk.service.store.path(desk.service.table.get(again.json()["id"]).folder)
    assert folder.is_dir()
    assert desk.client.delete(f"{JOBS}/{again.json()['id']}").status_code == 200
    assert not folder.exists()
    refused(desk.client.get(f"{JOBS}/{again.json()['id']}"), 404, "job_not_found")


def test_a_failed_job_says_why(desk: ApiDesk) -> None:
    job = desk.song(voice="poison-input").json()
    desk.work()
    found = desk.client.get(f"{JOBS}/{job['id']}").json()
    assert found["state"] == "failed"
    assert found["error"]["code"] == "unsupported_audio"
    refused(desk.client.get(f"{JOBS}/{job['id']}/result"), 409, "job_failed")
    refused(desk.client.get(f"{JOBS}/{job['id']}/report"), 409, "job_failed")


def test_unexpected_errors_are_tried_again_and_keep_their_secrets(desk: ApiDesk) -> None:
    job = desk.song(voice="poison-error").json()
    desk.work()
    found = desk.service.table.get(job["id"])
    assert (found.state, found.attempt) == ("queued", 1)
    assert found.error is not None
    assert found.error["code"] == "internal"
    assert "RuntimeError" in found.error["message"]
    assert "nobody expected" not in found.error["message"]


def test_one_idempotency_key_is_one_job_fifty_times_at_once(desk: ApiDesk) -> None:
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(desk.song(key="one"))) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(desk.client.get(JOBS).json()["jobs"]) == 1
    kept = [one for one in (desk.settings.data_dir / "files").rglob("*") if one.is_file()]
    assert len(kept) == 1
    refused(desk.song(key="one", semitones="1"), 409, "idempotency_conflict")
    refused(desk.song(tone(2.0), key="one"), 409, "idempotency_conflict")
    assert len(list((desk.settings.data_dir / "files").glob("*/*"))) == 1
    refused(desk.song(key="a\tb"), 422, "invalid_request")


def test_a_batch_takes_what_it_can(desk: ApiDesk) -> None:
    files = [("file", (f"{n}.wav", tone())) for n in range(3)]
    answer = desk.client.post("/api/v1/convert/batch", files=files, data={"voice": "kumo"})
    assert answer.status_code == 202
    assert [job["request"]["name"] for job in answer.json()["jobs"]] == ["0.wav", "1.wav", "2.wav"]
    assert answer.json()["failed"] == []
    refused(desk.client.post("/api/v1/convert/batch", data={"voice": "kumo"}), 415, "not_a_form")


def test_pages(desk: ApiDesk) -> None:
    ids = {desk.song().json()["id"] for _ in range(5)}
    seen: set[str] = set()
    url: str | None = f"{JOBS}?limit=2"
    while url is not None:
        page = desk.client.get(url).json()
        seen |= {job["id"] for job in page["jobs"]}
        url = page["next"] and f"{JOBS}?limit=2&cursor={page['next']}"
    assert seen == ids
    refused(desk.client.get(f"{JOBS}?cursor=nonsense"), 422, "invalid_request")
    refused(desk.client.get(f"{JOBS}?limit=0"), 422, "invalid_request")
    assert desk.client.get(f"{JOBS}?state=done").json()["jobs"] == []


def test_health_and_version(desk: ApiDesk) -> None:
    for url in ("/health/live", "/v2/health/live"):
        assert desk.client.get(url).json() == {"status": "live"}
    ready = desk.client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json()["checks"]["models"]["ok"] is False
    assert "autovoice_ready 0.0" in desk.client.get("/metrics").text
    with desk.working():
        deadline = time.monotonic() + 60
        while desk.client.get("/v2/health/ready").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "autovoice_ready 1.0" in desk.client.get("/metrics").text
        desk.service.draining = True
        assert desk.client.get("/health/ready").status_code == 503
    refused(desk.song(), 503, "draining")
    assert desk.client.get("/version").json()["api"] == "v1"


def test_every_refusal_has_one_form(desk: ApiDesk) -> None:
    refused(desk.client.get("/nothing"), 404, "not_found")
    refused(desk.client.put("/api/v1/jobs"), 405, "method_not_allowed")
    answer = desk.client.get("/nothing", headers={"X-Request-ID": "mine-1"})
    assert answer.headers["X-Request-ID"] == "mine-1"
    answer = desk.client.get("/nothing", headers={"X-Request-ID": "no\tgood"})
    assert answer.headers["X-Request-ID"] != "no\tgood"
    for name in ("X-Content-Type-Options", "Content-Security-Policy", "Cache-Control"):
        assert name in answer.headers


def test_the_document_tells_every_route_and_refusal(desk: ApiDesk) -> None:
    document = desk.client.get("/openapi.json").json()
    routes = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    wanted = {
        ("POST", "/api/v1/convert/song"),
        ("POST", "/api/v1/convert/batch"),
        ("POST", "/api/v1/files"),
        ("GET", "/api/v1/files/{file_id}"),
        ("GET", JOBS),
        ("GET", JOBS + "/{job_id}"),
        ("DELETE", JOBS + "/{job_id}"),
        ("POST", JOBS + "/{job_id}/retry"),
        ("GET", JOBS + "/{job_id}/events"),
        ("GET", JOBS + "/{job_id}/result"),
        ("GET", JOBS + "/{job_id}/stems/{name}"),
        ("GET", JOBS + "/{job_id}/report"),
        ("GET", "/api/v1/voices"),
        ("POST", "/api/v1/voices"),
        ("POST", "/api/v1/voices/import"),
        ("GET", "/api/v1/voices/{name}"),
        ("DELETE", "/api/v1/voices/{name}"),
        ("GET", "/api/v1/voices/{name}/export"),
        ("GET", "/api/v1/voices/{name}/preview"),
        ("POST", "/api/v1/synthesize"),
        ("POST", "/v1/audio/speech"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/version"),
        ("GET", "/metrics"),
    }
    assert routes == wanted
    for item in document["paths"].values():
        for operation in item.values():
            schema = operation["responses"]["503"]["content"]["application/json"]["schema"]
            assert schema["$ref"].endswith(ErrorBody.__name__)


def test_a_full_queue_refuses_before_anything_is_received(tmp_path: Path) -> None:
    with serving(tmp_path, max_queued=2) as desk:
        assert [desk.song().status_code for _ in range(2)] == [202, 202]
        answer = desk.song()
        refused(answer, 503, "queue_full")
        assert int(answer.headers["Retry-After"]) > 0
        assert len(list((tmp_path / "files").glob("*/*"))) == 2
        desk.work()
        time.sleep(FULL_S)
        assert desk.song().status_code == 202


def test_quotas(tmp_path: Path) -> None:
    with serving(tmp_path, quotas={"concurrent_jobs": 1, "requests_per_minute": 5}) as desk:
        desk.service.rates = Rates(5, clock=lambda: 0.0)  # no time passes, however slow this is
        assert desk.song().status_code == 202
        answer = desk.song()
        refused(answer, 429, "quota_exceeded")
        assert int(answer.headers["Retry-After"]) > 0
        assert len(list((tmp_path / "files").glob("*/*"))) == 1
        codes = [desk.client.get(JOBS).status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        assert int(desk.client.get(JOBS).headers["Retry-After"]) >= 1
        assert desk.client.get("/health/live").status_code == 200


def test_the_storage_budget_and_the_disk(tmp_path: Path) -> None:
    with serving(tmp_path / "a", storage_bytes=1000) as desk:
        refused(desk.song(), 503, "storage_full")
    with serving(tmp_path / "b", free_bytes=1 << 60) as desk:
        refused(desk.song(), 503, "storage_full")
        assert desk.client.get("/health/ready").json()["checks"]["disk"]["ok"] is False


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_keys(tmp_path: Path) -> None:
    with serving(tmp_path, auth="required") as desk:
        anna, bert = desk.service.keys.create("anna"), desk.service.keys.create("bert")
        narrow = desk.service.keys.create("narrow", ["metrics"])
        refused(desk.song(), 401, "unauthorized")
        for wrong in ("", "Basic eA==", f"Bearer {anna}x", "Bearer av_00_x", f"Bearer {anna[:20]}"):
            answer = desk.client.get(JOBS, headers={"Authorization": wrong})
            refused(answer, 401, "unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        desk.client.headers.update(bearer(anna))
        job = desk.song().json()
        own = desk.client.get(job["links"]["self"])
        assert own.status_code == 200
        for method, url in [
            ("GET", job["links"]["self"]),
            ("DELETE", job["links"]["self"]),
            ("GET", job["links"]["events"]),
            ("GET", f"{JOBS}/{job['id']}/result"),
            ("POST", f"{JOBS}/{job['id']}/retry"),
        ]:
            answer = desk.client.request(method, url, headers=bearer(bert))
            refused(answer, 404, "job_not_found")
        assert desk.client.get(JOBS, headers=bearer(bert)).json()["jobs"] == []
        refused(desk.client.get(JOBS, headers=bearer(narrow)), 403, "scope_missing")
        refused(desk.client.get("/metrics", headers={"Authorization": ""}), 401, "unauthorized")
        assert desk.client.get("/metrics", headers=bearer(narrow)).status_code == 200
        stored = desk.client.post("/api/v1/files", files={"file": ("a.wav", tone())}).json()
        answer = desk.client.get(f"/api/v1/files/{stored['id']}", headers=bearer(bert))
        refused(answer, 404, "file_not_found")
        desk.service.keys.revoke(desk.service.keys.list()[0].id)
        refused(desk.client.get(JOBS), 401, "unauthorized")
        with desk.service.database.read() as connection:
            rows = str(connection.execute(select(tables.keys)).all())
        assert "anna" in rows
        assert anna.split("_", 2)[2] not in rows


def test_other_sites_are_kept_out(tmp_path: Path) -> None:
    with serving(tmp_path / "a") as desk:
        answer = desk.client.get(JOBS, headers={"Host": "evil.example"})
        refused(answer, 403, "host_not_allowed")
        answer = desk.client.delete(f"{JOBS}/x", headers={"Origin": "https://evil.example"})
        refused(answer, 403, "origin_not_allowed")
        answer = desk.client.get(JOBS, headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in answer.headers
        own = desk.client.delete(f"{JOBS}/x", headers={"Origin": "http://127.0.0.1"})
        refused(own, 404, "job_not_found")
    with serving(tmp_path / "b", allowed_origins=["https://app.example"]) as desk:
        answer = desk.client.get(JOBS, headers={"Origin": "https://app.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"


def test_the_books_balance_and_requests_are_counted(desk: ApiDesk) -> None:
    desk.song()
    desk.song(voice="poison-input")
    desk.work(2)
    desk.song()
    desk.client.delete(f"{JOBS}/{desk.song().json()['id']}")
    text = desk.client.get("/metrics").text
    totals: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            totals[name.partition("{")[0]] = totals.get(name.partition("{")[0], 0) + float(value)
    submitted, finished = (
        totals["autovoice_jobs_submitted_total"],
        totals["autovoice_jobs_finished_total"],
    )
    assert (submitted, finished) == (4, 3)
    assert submitted - finished - totals["autovoice_jobs_in_state"] == 0
    assert 'autovoice_jobs_finished_total{kind="convert.song",outcome="cancelled"} 1.0' in text
    assert 'autovoice_job_errors_total{code="unsupported_audio",kind="convert.song"} 1.0' in text
    assert totals["autovoice_job_duration_seconds_count"] == 1
    assert totals["autovoice_http_requests_total"] >= 5
