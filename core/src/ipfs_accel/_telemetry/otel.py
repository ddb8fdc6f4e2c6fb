"""Spans and metrics of calls for OpenTelemetry, by its conventions for generative AI; without content.

The names changed after version 1.41 of the conventions and are not stable yet. The older ones are used unless the
conventions' own switch asks for the newest: `OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ipfs_accel._values import frozen
from ipfs_accel.errors import ConfigError
from ipfs_accel.installing import install_command
from ipfs_accel.types import CallRecord, Usage

__all__ = ["Telemetry"]

SWITCH = "OTEL_SEMCONV_STABILITY_OPT_IN"
LATEST = "gen_ai_latest_experimental"
SECONDS = tuple([0.01 * 2**power for power in range(14)])
TOKENS = tuple([4.0**power for power in range(14)])

_OPERATIONS = {
    "stream": "chat",
    "complete": "text_completion",
    "stream_complete": "text_completion",
    "embed": "embeddings",
}
_INFERENCE = {"chat", "text_completion", "embeddings"}
_PROVIDERS = {"claude": "anthropic", "azure": "azure.ai.openai", "gemini": "gcp.gemini"}
_OPTIONS = {"stop": "stop_sequences", "n": "choice.count"}


@frozen(kw_only=True)
class _Names:
    """What is called differently before and after the change."""

    duration: str
    first_chunk: str
    cache_write: str
    by_type: bool
    """Whether one histogram has the tokens of all types, told apart by an attribute."""


_V1_41 = _Names(
    duration="gen_ai.client.operation.duration",
    first_chunk="gen_ai.client.operation.time_to_first_chunk",
    cache_write="gen_ai.usage.cache_creation.input_tokens",
    by_type=True,
)
_NEWEST = _Names(
    duration="gen_ai.client.inference.duration",
    first_chunk="gen_ai.client.inference.time_to_first_chunk",
    cache_write="gen_ai.usage.cache_write.input_tokens",
    by_type=False,
)


class Telemetry:
    """Makes one span and the metrics of each call, with the providers that the program has set up.

    Raises:
        ConfigError: OpenTelemetry's API is not installed.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        try:
            from opentelemetry import metrics, trace  # noqa: PLC0415 - an optional library
        except ImportError:
            raise ConfigError(
                "telemetry.otel is on, but OpenTelemetry is not installed",
                hint=f"run: {install_command('ipfs-accel[otel]', 'opentelemetry-api')}",
            ) from None
        self._names = names = _NEWEST if LATEST in environ.get(SWITCH, "").split(",") else _V1_41
        self._trace = trace
        self._tracer = trace.get_tracer("ipfs_accel")
        meter = metrics.get_meter("ipfs_accel")
        self._durations = {
            name: meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=SECONDS)
            for name in {names.duration, _V1_41.duration}
        }
        self._first_chunk = meter.create_histogram(names.first_chunk, "s", explicit_bucket_boundaries_advisory=SECONDS)
        if names.by_type:
            both = meter.create_histogram(
                "gen_ai.client.token.usage", "{token}", explicit_bucket_boundaries_advisory=TOKENS
            )
            self._tokens = {"input": both, "output": both}
        else:
            self._tokens = {
                kind: meter.create_histogram(
                    f"gen_ai.client.inference.operation.{kind}_tokens",
                    "{token}",
                    explicit_bucket_boundaries_advisory=TOKENS,
                )
                for kind in ("input", "output")
            }
            self._counters = {
                name: meter.create_counter(f"gen_ai.client.inference.usage.{name}", "{token}")
                for name in _counts(Usage())
            }

    def __call__(self, record: CallRecord) -> None:
        """Tell of a call that is over."""
        common = _common(record)
        self._span(record, common)
        operation = common["gen_ai.operation.name"]
        name = self._names.duration if operation in _INFERENCE else _V1_41.duration
        failed = {} if record.error is None else {"error.type": record.error}
        self._durations[name].record(record.timing.total, {**common, **failed})
        if record.is_stream and record.timing.first_event is not None:
            self._first_chunk.record(record.timing.first_event, common)
        if record.usage is not None and record.cached is None:
            self._count(record.usage, common)

    def _span(self, record: CallRecord, common: dict[str, Any]) -> None:
        end = int(record.ended_at * 1e9)
        span = self._tracer.start_span(
            f"{common['gen_ai.operation.name']} {record.model}".rstrip(),
            kind=self._trace.SpanKind.CLIENT,
            attributes={**common, **self._facts(record)},
            start_time=end - int(record.timing.total * 1e9),
        )
        if record.error is not None:
            span.set_attribute("error.type", record.error)
            span.set_status(self._trace.StatusCode.ERROR)
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
            facts[self._names.cache_write] = usage.cache_write_input_tokens
        return {name: value for name, value in facts.items() if value is not None}

    def _count(self, usage: Usage, common: dict[str, Any]) -> None:
        for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens is not None:
                told = {"gen_ai.token.type": kind} if self._names.by_type else {}
                self._tokens[kind].record(tokens, {**common, **told})
        if not self._names.by_type:
            for name, tokens in _counts(usage).items():
                if tokens is not None:
                    self._counters[name].add(tokens, common)


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
