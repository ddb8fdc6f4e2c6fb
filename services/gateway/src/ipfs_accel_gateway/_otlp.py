"""Sends spans and metrics of a gateway that is a process of its own, by OTLP over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ipfs_accel.errors import ConfigError
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

__all__ = ["begun"]

_NAME = "ipfs-accel-gateway"
_PROTOCOL = "http/protobuf"


def begun(environ: Mapping[str, str]) -> Callable[[], None]:
    """Send them from now on; returns what sends the last and ends it.

    Raises:
        ConfigError: A variable asks for another exporter or protocol.
    """
    wants_spans, wants_metrics = (_wants(environ, kind) for kind in ("TRACES", "METRICS"))
    is_named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if is_named else {"service.name": _NAME})
    ends: list[Callable[[], object]] = []
    if wants_spans:
        tracers = TracerProvider(resource=resource)
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(tracers)
        ends.append(tracers.shutdown)
    if wants_metrics:
        meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
        metrics.set_meter_provider(meters)
        ends.append(meters.shutdown)

    def end() -> None:
        for each in ends:
            each()

    return end


def _wants(environ: Mapping[str, str], kind: str) -> bool:
    """Whether something is to be sent."""
    wanted = environ.get(f"OTEL_{kind}_EXPORTER", "otlp")
    if wanted == "none":
        return False
    if wanted != "otlp":
        raise ConfigError(f"OTEL_{kind}_EXPORTER: the gateway sends by otlp, or none; got {wanted!r}")
    for name in (f"OTEL_EXPORTER_OTLP_{kind}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = environ.get(name, _PROTOCOL)
        if protocol != _PROTOCOL:
            raise ConfigError(
                f"{name}: the gateway sends by {_PROTOCOL}; got {protocol!r}",
                hint="start it by opentelemetry-instrument, which knows other ways, or leave the variable out",
            )
    return True
