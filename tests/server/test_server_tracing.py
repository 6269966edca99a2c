"""Traces: off by default; else one trace from the request over the queue to each stage."""

from __future__ import annotations

import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_desk import ApiDesk, tone
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from process_desk import running

from autovoice.errors import InputError
from autovoice.server.settings import Settings
from autovoice.server.tracing import Tracing, tracing_of

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def desk(tmp_path: Path, spans: InMemorySpanExporter) -> Iterator[ApiDesk]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    made = ApiDesk(tmp_path, tracing=Tracing(provider))
    with made.client:
        yield made


def named(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


def test_a_job_is_in_the_trace_of_its_request(desk: ApiDesk, spans: InMemorySpanExporter) -> None:
    desk.client.headers["traceparent"] = f"00-{TRACE}-{PARENT}-01"
    job = desk.service.table.get(desk.song().json()["id"])
    assert job.trace is not None
    assert TRACE in job.trace
    desk.work()
    found = named(spans)
    assert set(found) == {"POST /api/v1/convert/song", "queue", "job", "convert"}
    assert {f"{span.context.trace_id:032x}" for span in found.values()} == {TRACE}
    request, queue, work, stage = (
        found[name] for name in ("POST /api/v1/convert/song", "queue", "job", "convert")
    )
    parents = [span.parent.span_id for span in (request, queue, work, stage) if span.parent]
    ids = [span.context.span_id for span in (request, request, work)]
    assert parents == [int(PARENT, 16), *ids]
    assert (request.kind, work.kind) == (SpanKind.SERVER, SpanKind.CONSUMER)
    assert request.attributes["http.response.status_code"] == 202
    assert work.attributes["job.id"] == queue.attributes["job.id"] == job.id
    assert abs(queue.start_time / 1e9 - job.created_at) < 1e-3
    assert queue.end_time <= work.start_time <= stage.start_time
    assert stage.start_time <= stage.end_time <= work.end_time


def test_what_failed_is_marked(desk: ApiDesk, spans: InMemorySpanExporter) -> None:
    desk.song(voice="poison-input")
    desk.work()
    desk.service.draining = True
    desk.song()
    work = named(spans)["job"].status
    assert (work.is_ok, work.description) == (False, "unsupported_audio")
    last = named(spans)["POST /api/v1/convert/song"]
    assert last.attributes["http.response.status_code"] == 503
    assert (last.status.is_ok, last.status.description) == (False, "draining")


@pytest.mark.parametrize("parent", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", "x" * 500])
def test_a_strange_parent_begins_a_trace_of_its_own(
    desk: ApiDesk, spans: InMemorySpanExporter, parent: str
) -> None:
    assert desk.client.get("/health/live", headers={"traceparent": parent}).status_code == 200
    assert named(spans)["GET /health/live"].parent is None


def test_looks_are_traced_by_their_route(desk: ApiDesk, spans: InMemorySpanExporter) -> None:
    desk.client.get(desk.song().json()["links"]["self"])
    desk.client.get("/nothing/like/this")
    assert {"GET /api/v1/jobs/{job_id}", "GET other"} <= set(named(spans))


def test_it_is_off_by_default(tmp_path: Path) -> None:
    assert not tracing_of(Settings(data_dir=tmp_path), "api").is_on
    desk = ApiDesk(tmp_path)
    with desk.client:
        job = desk.song().json()
        assert desk.service.table.get(job["id"]).trace is None
        assert "trace" not in job
        desk.work()


def test_a_missing_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    settings = Settings(data_dir=tmp_path, traces_endpoint="http://127.0.0.1:1/v1/traces")
    with pytest.raises(InputError, match=r"autovoice\[otel\]"):
        tracing_of(settings, "api")


def test_both_processes_send_their_spans(tmp_path: Path) -> None:
    received: list[bytes] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
        with running(tmp_path / "d", traces_endpoint=endpoint) as service:
            job = service.submit(service.upload(tone()), "k")
            service.until(lambda: service.jobs()[job]["state"] == "done", "the job is done")
        server.shutdown()  # the processes have ended, and with them the last of their spans
    for words in (b"POST /api/v1/convert/song", b"queue", job.encode()):
        assert any(words in body for body in received), words
