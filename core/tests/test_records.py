"""What is told of a call when it is over: to middleware, the log and OpenTelemetry; never content, never a key."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import anyio
import attrs
import pytest
from ipfs_accel import (
    AsyncClient,
    CacheConfig,
    Client,
    Config,
    EndpointConfig,
    PluginPolicy,
    RetryConfig,
    StoreConfig,
    TelemetryConfig,
)
from ipfs_accel import errors as e
from ipfs_accel._telemetry.otel import LATEST, SWITCH, Telemetry, trace_headers
from ipfs_accel.types import CallRecord, Timing, Tried, Usage

from .acme import Acme
from .both_worlds import awaiting, blocking, fault, fine, scripted, streamed
from .cli.shelf import Shelf
from .conftest import Install

World = Callable[..., Any]

MIDDLEWARE = """
from ipfs_accel import hookimpl

api_version = 1
records = []
failing = False

@hookimpl
def call_finished(record):
    records.append(record)
    if failing:
        raise RuntimeError("listener died")
"""


@pytest.fixture(params=[blocking, awaiting])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def heard(install: Install, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The middleware `ears`, installed, and named in the configuration."""
    site = install("ears", MIDDLEWARE)
    (entry_points,) = site.glob("*.dist-info/entry_points.txt")
    entry_points.write_text(entry_points.read_text().replace("ipfs_accel.backends", "ipfs_accel.middleware"))
    module = __import__("plugin_acme_ears")
    module.config = Config(plugins=PluginPolicy(middleware=("ears",)), retry=RetryConfig(attempts=2))
    return module


def test_an_answer_is_told_with_all_that_is_known_of_it(heard: Any, world: World) -> None:
    call = ("chat", {"model": "acme/m", "messages": "content-canary", "temperature": 0.5})
    with scripted(fault(503, x_id="r1"), fine("content-canary", x_id="r2")) as server:
        world(server, call, config=heard.config, endpoint={"key": "sk-canary-key"})
    (record,) = heard.records
    assert (record.operation, record.endpoint, record.backend, record.model) == ("chat", "acme", "acme", "m")
    assert (record.attempts, record.request_id, record.key, record.is_stream) == (2, "r2", "key-1", False)
    assert (record.usage.input_tokens, record.finish_reasons, record.error) == (3, ("stop",), None)
    assert (record.tried[0].status, record.options, record.origin) == (503, {"temperature": 0.5}, server.url)
    assert record.timing.total >= 0
    assert "canary" not in repr(record)


def test_a_failure_is_told_too(heard: Any, world: World) -> None:
    with scripted(fault(400, "no_luck")) as server:
        world(server, ("chat", {"model": "acme/m", "messages": "q"}), config=heard.config)
    (record,) = heard.records
    assert (record.error, record.status, record.code, record.attempts) == ("BadRequestError", 400, "no_luck", 1)


def test_a_stream_is_told_of_at_its_end(heard: Any, world: World) -> None:
    with scripted(streamed("a", "END")) as server:
        world(server, ("stream", {"model": "acme/m", "messages": "q"}), config=heard.config)
    (record,) = heard.records
    assert (record.operation, record.is_stream) == ("stream", True)
    assert record.timing.first_event is not None


def test_an_answer_from_the_cache_is_told_as_such(heard: Any, world: World, tmp_path: Any) -> None:
    config = attrs.evolve(heard.config, cache=CacheConfig(path=str(tmp_path / "answers"), sampled=True))
    call = ("chat", {"model": "acme/m", "messages": "q"})
    with scripted(fine()) as server:
        world(server, call, call, config=config)
    assert [(record.cached, record.cost) for record in heard.records] == [(None, None), ("exact", 0.0)]


def test_a_listener_that_fails_fails_no_call(heard: Any, world: World, caplog: Any) -> None:
    heard.failing = True
    with scripted(fine()) as server, caplog.at_level(logging.WARNING, "ipfs_accel"):
        (found,) = world(server, ("chat", {"model": "acme/m", "messages": "q"}), config=heard.config)
    assert found.answer.text == "blue"
    assert "listener died" in [record.__dict__.get("what", "") for record in caplog.records][-1]


def test_the_log_tells_of_attempts(caplog: Any) -> None:
    endpoints = {"acme": EndpointConfig(retry=RetryConfig(base=0.0))}
    with (
        scripted(fault(503), fine()) as server,
        Client(plugins=[Acme(server.url)], endpoints=endpoints) as client,
        caplog.at_level(logging.INFO, "ipfs_accel"),
    ):
        client.chat("acme/m", "q")
    ours = [record for record in caplog.records if record.name == "ipfs_accel"]
    assert [record.getMessage() for record in ours] == ["attempt_failed", "call_finished"]
    assert (ours[0].__dict__["status"], ours[1].__dict__["attempts"]) == (503, 2)


# OpenTelemetry keeps its providers for the life of a process, so these use what they are given instead.


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Any:
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)

    def read() -> tuple[Any, dict[str, Any]]:
        found = {}
        data = reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[metric.name] = list(metric.data.data_points)
        return spans.get_finished_spans(), found

    yield read
    tracers.shutdown()
    meters.shutdown()


def test_spans_and_metrics_of_a_call(telemetry: Any, world: World) -> None:
    config = Config(telemetry=TelemetryConfig(otel=True), retry=RetryConfig(attempts=2), environ={})
    call = ("chat", {"model": "acme/m", "messages": "content-canary", "max_tokens": 9})
    with scripted(fault(503), fine("content-canary")) as server:
        world(server, call, config=config, endpoint={"key": "sk-canary-key"})
    (span,), metrics = telemetry()
    assert (span.name, span.kind.name, span.status.status_code.name) == ("chat m", "CLIENT", "UNSET")
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "m",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 3,
        "http.request.resend_count": 1,
        "ipfs_accel.endpoint": "acme",
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }
    assert span.end_time >= span.start_time
    assert sorted(metrics) == ["gen_ai.client.operation.duration", "gen_ai.client.token.usage"]
    (tokens,) = metrics["gen_ai.client.token.usage"]
    assert (tokens.sum, tokens.attributes["gen_ai.token.type"]) == (3, "input")
    assert "canary" not in repr(span.attributes) + span.to_json() + repr(metrics)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"otel": True, "propagate": ["acme"]}, True),
        ({"otel": True, "propagate": ["other"]}, False),
        ({"otel": True}, False),
        ({"propagate": ["acme"]}, False),
    ],
)
def test_a_server_is_told_of_the_trace_where_that_is_switched_on(
    settings: dict[str, Any], told: bool, telemetry: Any, world: World
) -> None:
    from opentelemetry import trace

    config = Config(telemetry=TelemetryConfig(**settings), retry=RetryConfig(attempts=2, base=0.0), environ={})
    call = {"model": "acme/m", "messages": "q"}
    with scripted(fault(503), fine(), streamed("a", "END"), fine()) as server:
        with trace.get_tracer("the caller's").start_as_current_span("root") as root:
            world(server, ("chat", call), ("stream", call), config=config)
        world(server, ("chat", call), config=config)  # is part of no trace
    fields = [dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:]) for head in server.heads]
    span = root.get_span_context()
    expected = f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if told else None
    assert [each.get("traceparent") for each in fields] == [expected, expected, expected, None]
    spans = telemetry()[0]
    assert len(spans) == (4 if settings.get("otel") else 1)


def test_a_trace_that_the_caller_names_goes_as_it_is() -> None:
    from opentelemetry import context, trace

    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=True))
    token = context.attach(trace.set_span_in_context(span))
    try:
        assert trace_headers([("Traceparent", "mine")]) == []
        assert trace_headers([("accept", "any")]) == [("traceparent", f"00-{1:032x}-{2:016x}-00")]
    finally:
        context.detach(token)


def test_errors_and_streams(telemetry: Any) -> None:
    config = Config(telemetry=TelemetryConfig(otel=True), retry=RetryConfig(attempts=1), environ={})
    call = {"model": "acme/m", "messages": "q"}
    with scripted(fault(404), streamed("a", "END")) as server:
        blocking(server, ("chat", call), ("stream", call), config=config)
    (failed, stream), metrics = telemetry()
    assert (failed.attributes["error.type"], failed.status.status_code.name) == ("NotFoundError", "ERROR")
    assert stream.attributes["gen_ai.request.stream"] is True
    assert "gen_ai.client.operation.time_to_first_chunk" in metrics
    kinds = {point.attributes.get("error.type") for point in metrics["gen_ai.client.operation.duration"]}
    assert kinds == {None, "NotFoundError"}


@pytest.mark.parametrize("is_in_store", [False, True])
def test_a_stream_belongs_to_the_span_that_it_began_under(is_in_store: bool, telemetry: Any) -> None:
    """A web handler hands on what is read once its own span is over."""
    from opentelemetry import trace

    tracer = trace.get_tracer("the caller's")
    config = Config(
        telemetry=TelemetryConfig(otel=True), environ={}, stores={"both": StoreConfig(endpoints=("shelf",))}
    )
    shelf = Shelf()
    shelf.objects = {("b", "k"): b"data"}
    with Client(config, plugins=[shelf]) as client:
        with tracer.start_as_current_span("root") as root:
            stream = client.stream_object("both/b/k" if is_in_store else "shelf/b/k")
        with tracer.start_as_current_span("reader"):
            assert b"".join(event.data for event in stream) == b"data"

    async def run() -> None:
        async with AsyncClient(config, plugins=[shelf]) as other:
            with tracer.start_as_current_span("root"):
                stream = other.stream_object("both/b/k" if is_in_store else "shelf/b/k")
            assert b"".join([event.data async for event in stream]) == b"data"

    anyio.run(run)
    spans, _ = telemetry()
    parents = {span.context.span_id: span.name for span in spans}
    told = [span for span in spans if span.name.startswith("get_object")]
    assert [parents[span.parent.span_id] for span in told] == ["root", "root"]
    assert told[0].context.trace_id == root.get_span_context().trace_id


def record(**changes: Any) -> CallRecord:
    usage = Usage(
        input_tokens=10, output_tokens=4, cached_input_tokens=6, cache_write_input_tokens=2, reasoning_tokens=1
    )
    values = {"operation": "stream", "endpoint": "work", "backend": "claude", "origin": "https://api.anthropic.com"}
    known = {"ended_at": 1000.0, "timing": Timing(first_event=0.25, total=2.0), "usage": usage, "is_stream": True}
    return CallRecord(**{**values, **known, "model": "m", **changes})


def test_the_newest_names_are_used_where_the_switch_of_the_conventions_asks_for_them(telemetry: Any) -> None:
    Telemetry({SWITCH: f"http,{LATEST}"})(record())
    (span,), metrics = telemetry()
    assert span.attributes["gen_ai.usage.cache_write.input_tokens"] == 2
    assert (span.start_time, span.end_time) == (998_000_000_000, 1_000_000_000_000)
    assert sorted(metrics) == [
        "gen_ai.client.inference.duration",
        "gen_ai.client.inference.operation.input_tokens",
        "gen_ai.client.inference.operation.output_tokens",
        "gen_ai.client.inference.time_to_first_chunk",
        "gen_ai.client.inference.usage.cache_read.input_tokens",
        "gen_ai.client.inference.usage.cache_write.input_tokens",
        "gen_ai.client.inference.usage.input_tokens",
        "gen_ai.client.inference.usage.output_tokens",
        "gen_ai.client.inference.usage.reasoning.output_tokens",
        # Those that others write with the same switch on, so that one dashboard shows both.
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.token.usage",
    ]
    assert {point.attributes["gen_ai.token.type"]: point.sum for point in metrics["gen_ai.client.token.usage"]} == {
        "input": 10,
        "output": 4,
    }
    assert span.attributes["gen_ai.usage.reasoning.output_tokens"] == 1
    (reasoning,) = metrics["gen_ai.client.inference.usage.reasoning.output_tokens"]
    assert (reasoning.value, reasoning.attributes["gen_ai.provider.name"]) == (1, "anthropic")


@pytest.mark.parametrize(
    ("operation", "name", "metric"),
    [
        ("embed", "embeddings m", "gen_ai.client.inference.duration"),
        ("stream_complete", "text_completion m", "gen_ai.client.inference.duration"),
        ("list_models", "list_models m", "gen_ai.client.operation.duration"),
    ],
)
def test_operations_have_the_names_of_the_conventions(operation: str, name: str, metric: str, telemetry: Any) -> None:
    Telemetry({SWITCH: LATEST})(record(operation=operation))
    (span,), metrics = telemetry()
    assert span.name == name
    assert metric in metrics


def test_the_older_names(telemetry: Any) -> None:
    tried = Tried(endpoint="work", model="m", error="OverloadedError", seconds=0.1)
    Telemetry({})(record(attempts=3, tried=(tried, tried)))
    (span,), _ = telemetry()
    assert span.attributes["gen_ai.usage.cache_creation.input_tokens"] == 2
    assert span.attributes["gen_ai.usage.reasoning.output_tokens"] == 1
    assert span.attributes["gen_ai.usage.cache_read.input_tokens"] == 6
    assert span.attributes["http.request.resend_count"] == 2
    assert span.attributes["server.port"] == 443


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ({"error": "NotFoundError", "status": 404, "code": "gone"}, "NotFoundError: status 404, gone"),
        ({"error": "NotFoundError", "status": 404}, "NotFoundError: status 404"),
        ({"error": "APITimeoutError"}, "APITimeoutError"),
    ],
)
def test_a_span_says_why_it_failed_and_which_names_it_has(
    failed: dict[str, Any], expected: str, telemetry: Any
) -> None:
    Telemetry({})(record(**failed))
    Telemetry({SWITCH: LATEST})(record())
    (older, newest), _ = telemetry()
    assert (older.status.status_code.name, older.status.description) == ("ERROR", expected)
    assert newest.status.description is None
    schemas = [span.instrumentation_scope.schema_url for span in (older, newest)]
    assert [each or None for each in schemas] == ["https://opentelemetry.io/schemas/1.41.0", None]


def test_tokens_from_the_cache_are_not_counted_again(telemetry: Any) -> None:
    Telemetry({})(record(cached="exact"))
    (span,), metrics = telemetry()
    assert span.attributes["ipfs_accel.cached"] == "exact"
    assert "gen_ai.client.token.usage" not in metrics


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(e.ConfigError, match="not installed") as caught:
        Telemetry({})
    assert "ipfs-accel[otel]" in str(caught.value.hint)


def test_it_is_not_even_loaded_unless_it_is_asked_for() -> None:
    program = (
        "import sys; from ipfs_accel import Client\n"
        "with Client() as client: client.endpoints()\n"
        "print([name for name in ('opentelemetry', 'tenacity', 'sqlite3') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_logging_is_loaded_by_who_listens_and_nothing_is_said_unasked() -> None:
    program = """
import sys
from ipfs_accel._telemetry import log
from ipfs_accel.errors import AccelError

error = AccelError("no")
log.trouble("before")
log.failed("chat", "m", error)
print("logging" in sys.modules)
import logging
log.trouble("nobody listens")
log.failed("chat", "m", error)
logging.getLogger("ipfs_accel").warning("not even where the library's last resort would")
handler = logging.StreamHandler(sys.stdout)
logging.getLogger("ipfs_accel").addHandler(handler)
log.trouble("own handler")
logging.getLogger("ipfs_accel").removeHandler(handler)
log.trouble("not this")
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
log.failed("chat", "m", error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\ntrouble\nWARNING call_failed\n", "")
