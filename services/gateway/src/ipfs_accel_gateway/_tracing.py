"""Requests for OpenTelemetry: a span of each, under the caller's, and metrics, by the conventions for generative AI.

Loaded where the configuration has `telemetry.otel` alone. Calls to targets become spans below these, by the client of
ours, since the span of a request is current while it is answered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import ConfigError
from ipfs_accel.installing import install_command
from opentelemetry import context, metrics, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from ._incoming import Incoming
    from ._metrics import Names
    from ._records import Record
    from ._reply import Reply

__all__ = ["Tracing", "exporting"]

_SCHEMA = "https://opentelemetry.io/schemas/1.41.0"
_PROVIDER = "ipfs_accel"
_OPERATIONS = {
    "stream": "chat",
    "complete": "text_completion",
    "stream_complete": "text_completion",
    "embed": "embeddings",
}
_SECONDS = tuple([0.01 * 2**power for power in range(14)])
_TO_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_PER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_LONGEST = 256
"""Letters of what callers choose that an attribute has."""
_FIRST_OF_SERVER = 500


class Tracing:
    """Makes spans and metrics, with the providers that the process has.

    Attributes:
        names: What models are called in metrics and names of spans; may be exchanged.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self._tracer = trace.get_tracer("ipfs_accel_gateway", schema_url=_SCHEMA)
        self._propagator = TraceContextTextMapPropagator()  # a caller's baggage is nothing for our servers
        meter = metrics.get_meter("ipfs_accel_gateway", schema_url=_SCHEMA)
        self._duration, self._first, self._per_token = [
            meter.create_histogram(f"gen_ai.server.{name}", "s", explicit_bucket_boundaries_advisory=buckets)
            for name, buckets in (
                ("request.duration", _SECONDS),
                ("time_to_first_token", _TO_FIRST),
                ("time_per_output_token", _PER_TOKEN),
            )
        ]

    @contextmanager
    def around(self, request: Incoming, reply: Reply) -> Iterator[Reply]:
        """Have a span that is current while a request is answered, as a part of the caller's."""
        # Not below what was current where the server was started, which its tasks have inherited.
        beyond = self._propagator.extract(request.headers, context=context.Context())
        span = self._tracer.start_span(
            request.method,
            context=beyond,
            kind=trace.SpanKind.SERVER,
            attributes={"http.request.method": request.method, "url.path": request.path[:_LONGEST]},
        )
        token = context.attach(trace.set_span_in_context(span, beyond))
        try:
            yield reply
        finally:
            context.detach(token)
            span.end()

    def add(self, record: Record) -> None:
        """Tell what became of the request whose span is current."""
        operation = _OPERATIONS.get(record.operation, record.operation)
        model = self.names.label(record.model)
        span = trace.get_current_span()
        if span.is_recording():
            if operation:
                span.update_name(f"{operation} {model}")
            span.set_attributes(_facts(record, operation))
            if record.error is not None and (record.status is None or record.status >= _FIRST_OF_SERVER):
                span.set_status(trace.StatusCode.ERROR)
            elif record.error is not None and record.status == 200:  # noqa: PLR2004 - it broke off after its head
                span.set_status(trace.StatusCode.ERROR, "the answer broke off")
        self._measure(record, {"gen_ai.operation.name": operation, "gen_ai.request.model": model})

    def _measure(self, record: Record, common: dict[str, str]) -> None:
        common["gen_ai.provider.name"] = _PROVIDER
        seconds = time.monotonic() - record.started
        told = common if record.error is None else {**common, "error.type": record.error}
        self._duration.record(seconds, told)
        first = record.first
        if record.error is not None or first is None or not record.is_stream:
            return
        self._first.record(first, common)
        usage = record.usage
        if usage is not None and usage.output_tokens is not None and usage.output_tokens > 1:
            self._per_token.record((seconds - first) / (usage.output_tokens - 1), common)


def exporting(environ: Mapping[str, str] = os.environ) -> Callable[[], None]:
    """Send spans and metrics where the variables of OpenTelemetry say, unless something does so already.

    Returns:
        What sends the last of them, and ends it; it waits for that.

    Raises:
        ConfigError: What sends them is not installed, or is asked for by another protocol.
    """
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return lambda: None
    try:
        from . import _otlp  # noqa: PLC0415 - an optional library
    except ImportError:
        raise ConfigError(
            "telemetry.otel is on, but what sends spans is not installed",
            hint=f"run: {install_command('ipfs-accel-gateway[otel]', 'opentelemetry-exporter-otlp-proto-http')}",
        ) from None
    return _otlp.begun(environ)


def _facts(record: Record, operation: str) -> dict[str, Any]:
    usage = record.usage
    facts = {
        "gen_ai.operation.name": operation or None,
        "gen_ai.provider.name": _PROVIDER,
        "gen_ai.request.model": record.model[:_LONGEST] or None,
        "gen_ai.request.stream": record.is_stream or None,
        "gen_ai.usage.input_tokens": usage and usage.input_tokens,
        "gen_ai.usage.output_tokens": usage and usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage and usage.cached_input_tokens,
        "http.response.status_code": record.status,
        "error.type": record.error,
        "ipfs_accel.request_id": record.id,
        "ipfs_accel.key": record.caller or None,
        "ipfs_accel.dialect": record.dialect,
        "ipfs_accel.lane": record.lane or None,
        "ipfs_accel.endpoint": record.endpoint or record.fault or None,
        "ipfs_accel.cost": record.cost,
    }
    return {name: value for name, value in facts.items() if value is not None}
