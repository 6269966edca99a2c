"""Traces by OpenTelemetry: off unless set, and then from a request over the queue to each stage.

Only this file knows OpenTelemetry; without it, or with tracing off, every span is nothing.
The context of a request travels in the row of its job, as W3C's ``traceparent``.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import time
from collections.abc import Iterator, Mapping
from typing import Any

from autovoice.errors import InputError
from autovoice.server.settings import Settings

_FIELD = "traceparent"
# How long the end of a process waits for the last spans to be sent, milliseconds.
LAST_MS = 2000


class Span:
    """A piece of work that is measured; of no effect where tracing is off."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def note(self, **attributes: Any) -> None:
        """Add attributes; ``__`` stands for the dot of their names."""
        if self._span is not None:
            for name, value in attributes.items():
                self._span.set_attribute(name.replace("__", "."), value)

    def rename(self, name: str) -> None:
        """Give it another name, known better at its end."""
        if self._span is not None:
            self._span.update_name(name)

    def fail(self, why: str) -> None:
        """Mark as failed."""
        if self._span is not None:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, why))


class Tracing:
    """The spans of one process.

    Args:
        provider: OpenTelemetry's ``TracerProvider``; None for no tracing.
    """

    def __init__(self, provider: Any = None) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("autovoice")

    @property
    def is_on(self) -> bool:
        """Whether spans are recorded."""
        return self._tracer is not None

    @contextlib.contextmanager
    def span(
        self, name: str, parent: str | None = None, *, kind: str = "INTERNAL", **attributes: Any
    ) -> Iterator[Span]:
        """Measure what happens within; spans that begin within are its children.

        Args:
            name: of the span.
            parent: ``traceparent`` of another process; None for the span around this one.
            kind: of ``opentelemetry.trace.SpanKind``.
            attributes: see ``Span.note``.
        """
        if self._tracer is None:
            yield Span()
            return
        from opentelemetry.trace import SpanKind

        context, kinds = _context(parent), SpanKind[kind]
        with self._tracer.start_as_current_span(name, context, kind=kinds) as made:
            span = Span(made)
            span.note(**attributes)
            yield span

    def past(self, name: str, begun_s: float, parent: str | None, **attributes: Any) -> None:
        """Record what has ended now.

        Args:
            name: of the span.
            begun_s: when it began, seconds since 1970.
            parent: ``traceparent`` of the span around it; None for one of its own.
            attributes: see ``Span.note``.
        """
        if self._tracer is None:
            return
        now_ns = time.time_ns()
        begun_ns = min(int(begun_s * 1e9), now_ns)
        made = self._tracer.start_span(name, _context(parent), start_time=begun_ns)
        Span(made).note(**attributes)
        made.end(now_ns)

    def current(self) -> str | None:
        """Return the ``traceparent`` of the span around this place; None without one."""
        if self._tracer is None:
            return None
        carrier: dict[str, str] = {}
        _propagator().inject(carrier)
        return carrier.get(_FIELD)

    def close(self) -> None:
        """Send what was not sent yet."""
        if self._provider is not None:
            self._provider.force_flush(LAST_MS)
            self._provider.shutdown()


def tracing_of(settings: Settings, process: str) -> Tracing:
    """Return the tracing that is set.

    Args:
        settings: of the service.
        process: name of this one.

    Raises:
        InputError: it is on, and OpenTelemetry is not installed.
    """
    if settings.traces_endpoint is None:
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise InputError(
            f"traces_endpoint is set, but OpenTelemetry is not installed ({error.name}); "
            "`pip install 'autovoice[otel]'`, or leave traces_endpoint out"
        ) from error
    resource: Mapping[str, str] = {
        "service.name": "autovoice",
        "service.version": importlib.metadata.version("autovoice"),
        "service.instance.id": process,
    }
    provider = TracerProvider(resource=Resource.create(dict(resource)))
    exporter = OTLPSpanExporter(endpoint=settings.traces_endpoint)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)


def _context(parent: str | None) -> Any:
    return None if parent is None else _propagator().extract({_FIELD: parent})


def _propagator() -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator()
