"""Spans and metrics of calls for OpenTelemetry, by its conventions for generative AI; without content.

The names of metrics changed after version 1.41 of the conventions and are not stable yet. Where the conventions' own
switch asks for the newest, `OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental`, they are written beside the
older ones: with that switch on, the instrumentations of others still write those, and dashboards read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ipfs_accel.errors import ConfigError
from ipfs_accel.installing import install_command
from ipfs_accel.plans import Pairs
from ipfs_accel.types import CallRecord, Usage

__all__ = ["Telemetry", "trace_headers"]

SWITCH = "OTEL_SEMCONV_STABILITY_OPT_IN"
LATEST = "gen_ai_latest_experimental"
SCHEMA = "https://opentelemetry.io/schemas/1.41.0"
"""Of the names that are written by default; the conventions that have the newest ones have published none."""
SECONDS = tuple([0.01 * 2**power for power in range(14)])
TOKENS = tuple([4.0**power for power in range(14)])

_OPERATIONS = {
    "stream": "chat",
    "complete": "text_completion",
    "stream_complete": "text_completion",
    "embed": "embeddings",
}
_INFERENCE = {"chat", "text_completion", "embeddings"}
_PROVIDERS = {
    "claude": "anthropic",
    "azure": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
_OPTIONS = {"stop": "stop_sequences", "n": "choice.count"}


_DURATION = "gen_ai.client.operation.duration"
_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
_TOKENS = "gen_ai.client.token.usage"
_NEW_DURATION = "gen_ai.client.inference.duration"
_NEW_FIRST_CHUNK = "gen_ai.client.inference.time_to_first_chunk"
_NEW_TOKENS = "gen_ai.client.inference.operation.{}_tokens"
_NEW_COUNTERS = "gen_ai.client.inference.usage.{}"
_CACHE_WRITE, _NEW_CACHE_WRITE = "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"


class Telemetry:
    """Makes one span and the metrics of each call, with the providers that the program has set up.

    Raises:
        ConfigError: OpenTelemetry's API is not installed.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        try:
            from opentelemetry import context, metrics, trace  # noqa: PLC0415 - an optional library
        except ImportError:
            raise ConfigError(
                "telemetry.otel is on, but OpenTelemetry is not installed",
                hint=f"run: {install_command('ipfs-accel[otel]', 'opentelemetry-api')}",
            ) from None
        self._is_newest = LATEST in environ.get(SWITCH, "").split(",")
        self._trace = trace
        self._now = context.get_current
        schema = None if self._is_newest else SCHEMA
        self._tracer = trace.get_tracer("ipfs_accel", schema_url=schema)
        meter = metrics.get_meter("ipfs_accel", schema_url=schema)
        seconds, tokens = [_DURATION, _FIRST_CHUNK], [_TOKENS]
        if self._is_newest:
            seconds += [_NEW_DURATION, _NEW_FIRST_CHUNK]
            tokens += [_NEW_TOKENS.format(kind) for kind in ("input", "output")]
            names = [_NEW_COUNTERS.format(name) for name in _counts(Usage())]
            self._counters = {name: meter.create_counter(name, "{token}") for name in names}
        self._histograms = {
            name: meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=buckets)
            for names, unit, buckets in ((seconds, "s", SECONDS), (tokens, "{token}", TOKENS))
            for name in names
        }

    def here(self) -> Callable[[CallRecord], None]:
        """Return who is to be told of a call that begins here: its span is a part of the one that is current now.

        A stream may be read when that one is over, and by somebody else.
        """
        return partial(self, context=self._now())

    def __call__(self, record: CallRecord, context: Any = None) -> None:
        """Tell of a call that is over and began in a context of OpenTelemetry's, or in the current one."""
        common = _common(record)
        self._span(record, common, context)
        is_inference = self._is_newest and common["gen_ai.operation.name"] in _INFERENCE
        told = {**common, **({} if record.error is None else {"error.type": record.error})}
        for name in (_DURATION, _NEW_DURATION) if is_inference else (_DURATION,):
            self._histograms[name].record(record.timing.total, told)
        if record.is_stream and record.timing.first_event is not None:
            for name in (_FIRST_CHUNK, _NEW_FIRST_CHUNK) if self._is_newest else (_FIRST_CHUNK,):
                self._histograms[name].record(record.timing.first_event, common)
        if record.usage is not None and record.cached is None:
            self._count(record.usage, common)

    def _span(self, record: CallRecord, common: dict[str, Any], context: Any) -> None:
        end = int(record.ended_at * 1e9)
        span = self._tracer.start_span(
            f"{common['gen_ai.operation.name']} {record.model}".rstrip(),
            context=context,
            kind=self._trace.SpanKind.CLIENT,
            attributes={**common, **self._facts(record)},
            start_time=end - int(record.timing.total * 1e9),
        )
        if record.error is not None:
            span.set_attribute("error.type", record.error)
            span.set_status(self._trace.StatusCode.ERROR, _failure(record))
        span.end(end)

    def _facts(self, record: CallRecord) -> dict[str, Any]:
        facts: dict[str, Any] = {
            f"gen_ai.request.{_OPTIONS.get(name, name)}": value for name, value in record.options.items()
        }
        facts["gen_ai.request.stream"] = record.is_stream or None
        facts["gen_ai.response.id"] = record.response_id
        facts["gen_ai.response.finish_reasons"] = record.finish_reasons or None
        facts["http.request.resend_count"] = record.attempts - 1 if record.attempts > 1 else None
        facts["ipfs_accel.endpoint"] = record.endpoint
        facts["ipfs_accel.cached"] = record.cached
        usage = record.usage
        if usage is not None:
            facts["gen_ai.usage.input_tokens"] = usage.input_tokens
            facts["gen_ai.usage.output_tokens"] = usage.output_tokens
            facts["gen_ai.usage.cache_read.input_tokens"] = usage.cached_input_tokens
            facts[_NEW_CACHE_WRITE if self._is_newest else _CACHE_WRITE] = usage.cache_write_input_tokens
            facts["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
        return {name: value for name, value in facts.items() if value is not None}

    def _count(self, usage: Usage, common: dict[str, Any]) -> None:
        for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens is not None:
                self._histograms[_TOKENS].record(tokens, {**common, "gen_ai.token.type": kind})
                if self._is_newest:
                    self._histograms[_NEW_TOKENS.format(kind)].record(tokens, common)
        if self._is_newest:
            for name, tokens in _counts(usage).items():
                if tokens is not None:
                    self._counters[_NEW_COUNTERS.format(name)].add(tokens, common)


def trace_headers(given: Pairs) -> list[tuple[str, str]]:
    """Return what tells a server which trace a request belongs to: nothing where there is none, or headers say so."""
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - an optional library
        TraceContextTextMapPropagator,
    )

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    said = {name.lower() for name, _ in given}
    return [] if said & carrier.keys() else list(carrier.items())


def _failure(record: CallRecord) -> str:
    """Say what failed in words that have nothing of what was sent or said in them."""
    said = [None if record.status is None else f"status {record.status}", record.code]
    return ": ".join([record.error or "", ", ".join([each for each in said if each])]).rstrip(": ")


def _common(record: CallRecord) -> dict[str, Any]:
    where = urlsplit(record.origin)
    values = {
        "gen_ai.operation.name": _OPERATIONS.get(record.operation, record.operation),
        "gen_ai.provider.name": _PROVIDERS.get(record.backend, record.backend),
        "gen_ai.request.model": record.model or None,
        "gen_ai.response.model": record.response_model,
        "server.address": where.hostname,
        "server.port": where.port or {"https": 443, "http": 80}.get(where.scheme),
    }
    return {name: value for name, value in values.items() if value is not None}


def _counts(usage: Usage) -> dict[str, int | None]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read.input_tokens": usage.cached_input_tokens,
        "cache_write.input_tokens": usage.cache_write_input_tokens,
        "reasoning.output_tokens": usage.reasoning_tokens,
    }
