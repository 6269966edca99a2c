"""What Prometheus scrapes, in base units, under ``autovoice_``."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from autovoice import __version__
from autovoice.engine.devices import GpuReading, gpu_readings
from autovoice.server.api.readiness import all_ok, checks_of
from autovoice.server.database import DatabaseUnavailable
from autovoice.server.jobs import tallies
from autovoice.server.jobs.presence import present
from autovoice.server.jobs.records import ACTIVE
from autovoice.server.tables import jobs

if TYPE_CHECKING:
    from autovoice.server.api.service import Service

REQUEST_BOUNDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    60.0,
)
CHUNK_BOUNDS = (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.5, 1.0)
SPEECH_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
HISTOGRAMS = {
    "job_duration_seconds": ("From the first attempt to the end.", ("kind",)),
    "job_queue_wait_seconds": ("From submission to the first attempt.", ("kind",)),
    "job_stage_duration_seconds": ("Of one stage of a job.", ("kind", "stage")),
    "job_realtime_factor": ("Seconds of work per second of sound.", ("kind",)),
    tallies.BATCH_SIZE: ("Pieces that shared one pass through a network.", ("process",)),
}


class Metrics:
    """The registry of one API process.

    Args:
        service: whose figures they are.
    """

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(namespace="autovoice", registry=self.registry)
        self.requests = Counter(
            "autovoice_http_requests", "Requests by route, method and status.",
            ("route", "method", "status"), registry=self.registry,
        )  # fmt: skip
        self.request_seconds = Histogram(
            "autovoice_http_request_duration_seconds", "From the first byte to the last.",
            ("route", "method"), buckets=REQUEST_BOUNDS, registry=self.registry,
        )  # fmt: skip
        self.rejections = Counter(
            "autovoice_rejections", "Refused requests by reason.", ("reason",),
            registry=self.registry,
        )  # fmt: skip
        self.streams = Gauge(
            "autovoice_stream_sessions", "Live sessions now.", registry=self.registry
        )
        self.first_chunk = Histogram(
            "autovoice_stream_first_chunk_seconds", "From the first chunk in to the first out.",
            buckets=CHUNK_BOUNDS, registry=self.registry,
        )  # fmt: skip
        self.chunk = Histogram(
            "autovoice_stream_chunk_seconds", "From a chunk in to its sound out.",
            buckets=CHUNK_BOUNDS, registry=self.registry,
        )  # fmt: skip
        self.first_speech = Histogram(
            "autovoice_speech_first_sound_seconds",
            "From a request of /v1/audio/speech to the first byte of its answer.",
            buckets=SPEECH_BOUNDS, registry=self.registry,
        )  # fmt: skip
        self.underruns = Counter(
            "autovoice_stream_underruns", "Chunks that came out later than real time.",
            registry=self.registry,
        )  # fmt: skip
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.registry.register(_Stored(service))

    def told(self, route: str, method: str, status: int, seconds: float, rejection: str) -> None:
        """Count one request."""
        method = method if method in {"GET", "POST", "DELETE", "HEAD", "OPTIONS"} else "other"
        series = self._series.get((route, method, status))
        if series is None:  # found once: looking for labels costs more than counting
            series = self._series[route, method, status] = (
                self.requests.labels(route, method, str(status)),
                self.request_seconds.labels(route, method),
            )
        series[0].inc()
        series[1].observe(seconds)
        if rejection:
            self.rejections.labels(rejection).inc()

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self.registry)


class _Stored(Collector):
    """Figures that are in the database, the disk and the GPUs: read when they are scraped."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        service = self._service
        yield InfoMetricFamily("autovoice_build", "What runs here.", value={"version": __version__})
        yield GaugeMetricFamily(
            "autovoice_draining", "1 while the service ends.", float(service.draining)
        )
        yield GaugeMetricFamily(
            "autovoice_disk_free_bytes", "Of the data folder.", float(service.store.free_bytes())
        )
        yield GaugeMetricFamily(
            "autovoice_ready", "1 while /health/ready says so.", float(all_ok(checks_of(service)))
        )
        try:
            yield from self._database()
            up = 1.0
        except DatabaseUnavailable:
            up = 0.0
        yield GaugeMetricFamily("autovoice_database_up", "1 while it can be read.", up)
        yield from _gpus(gpu_readings())

    def _database(self) -> Iterator[Metric]:
        service, now = self._service, self._service.clock()
        with service.database.read() as connection:  # one moment, so that the books balance
            rows = tallies.read(connection)
            by_state = dict.fromkeys(ACTIVE, 0)
            query = select(jobs.c.state, func.count()).where(jobs.c.state.in_(ACTIVE))
            for state, number in connection.execute(query.group_by(jobs.c.state)):
                by_state[state] = number
            oldest = connection.execute(
                select(func.min(jobs.c.created_at)).where(jobs.c.state == "queued")
            ).scalar_one()
        yield from _counters(rows)
        yield from _histograms(rows)
        gauge = GaugeMetricFamily("autovoice_jobs_in_state", "Jobs not finished.", labels=["state"])
        for state, number in by_state.items():
            gauge.add_metric([state], number)
        yield gauge
        age_s = 0.0 if oldest is None else max(0.0, now - oldest)
        yield GaugeMetricFamily("autovoice_oldest_queued_seconds", "Age of the oldest.", age_s)
        yield GaugeMetricFamily(
            "autovoice_storage_used_bytes", "Files and results.", float(service.stored_bytes())
        )
        ready = [one for one in present(service.database, now) if one.state == "ready"]
        yield GaugeMetricFamily("autovoice_workers_ready", "Models loaded.", float(len(ready)))
        loads = [one.load_s for one in ready if one.load_s is not None]
        yield GaugeMetricFamily(
            "autovoice_model_load_seconds", "Of the slowest worker.", max(loads, default=0.0)
        )


def _counters(rows: list[tuple[str, str, float, int, float]]) -> Iterator[Metric]:
    submitted = CounterMetricFamily("autovoice_jobs_submitted", "Accepted.", labels=["kind"])
    finished = CounterMetricFamily("autovoice_jobs_finished", "Ended.", labels=["kind", "outcome"])
    errors = CounterMetricFamily(
        "autovoice_job_errors", "Of each attempt; out_of_resources: memory or disk.",
        labels=["kind", "code"],
    )  # fmt: skip
    for name, label, _bound, count, _total in rows:
        if name == tallies.SUBMITTED:
            submitted.add_metric([label], count)
        if name == tallies.FINISHED:
            finished.add_metric(label.split("|"), count)
        if name == tallies.ERRORS:
            errors.add_metric(label.split("|"), count)
    yield submitted
    yield finished
    yield errors


def _histograms(rows: list[tuple[str, str, float, int, float]]) -> Iterator[Metric]:
    for name, (words, labels) in HISTOGRAMS.items():
        family = HistogramMetricFamily(f"autovoice_{name}", words, labels=labels)
        by_label: dict[str, dict[float, tuple[int, float]]] = defaultdict(dict)
        for found, label, bound, count, total in rows:
            if found == name:
                by_label[label][bound] = (count, total)
        for label, buckets in sorted(by_label.items()):
            seen, cumulative = 0, []
            for bound in tallies.BOUNDS[name]:
                seen += buckets.get(bound, (0, 0.0))[0]
                cumulative.append((str(float(bound)), seen))
            seen += buckets.get(tallies.UNBOUNDED, (0, 0.0))[0]
            cumulative.append(("+Inf", seen))
            total = sum(one[1] for one in buckets.values())
            family.add_metric(label.split("|"), cumulative, total)
        yield family


def _gpus(readings: Iterable[GpuReading]) -> Iterator[Metric]:
    names = {
        "autovoice_gpu_memory_used_bytes": "memory_used_bytes",
        "autovoice_gpu_memory_bytes": "memory_bytes",
        "autovoice_gpu_utilisation_ratio": "utilisation",
        "autovoice_gpu_temperature_celsius": "temperature_celsius",
        "autovoice_gpu_power_watts": "power_watts",
    }
    found = list(readings)
    for name, key in names.items():
        family = GaugeMetricFamily(name, "By nvidia-ml.", labels=["gpu"])
        for one in found:
            family.add_metric([str(one.index)], getattr(one, key))
        if found:
            yield family


def seconds_since(begun: float) -> float:
    """Return the seconds since a reading of ``time.perf_counter``."""
    return time.perf_counter() - begun
