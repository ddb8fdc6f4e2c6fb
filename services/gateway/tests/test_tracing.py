"""What OpenTelemetry is told: in this process by the SDK's own exporter, and of a `serve` process by its collector."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import Config, EndpointConfig, TelemetryConfig
from ipfs_accel.errors import ConfigError
from ipfs_accel.testing import Scripted
from ipfs_accel.testing.raw_server import Connection, answer, serve
from ipfs_accel_gateway._callers import hash_of
from ipfs_accel_gateway._reader import Incoming

from .gateways import Running
from .wires import CHAT

KEY = "ia-of-a-caller"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=said", "baggage": "secret=of-the-caller"}
OTEL = TelemetryConfig(otel=True)


def body(model: str, **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "content-canary"}], **members}


def chats(connection: Connection) -> None:
    while connection.request() is not None:
        connection.send(answer(CHAT, content_type="application/json"))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple[Any, dict[str, Any]]]]:
    """Return what was told so far: spans, and metrics by name. OpenTelemetry keeps its own providers for good."""
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
        data = reader.get_metrics_data()
        scopes = [scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics]
        return spans.get_finished_spans(), {
            metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics
        }

    yield read
    tracers.shutdown()
    meters.shutdown()


@pytest.fixture
def traced(told: Any) -> Iterator[Callable[..., Running]]:
    """Start gateways that tell OpenTelemetry."""
    started: list[Running] = []

    def start(*plugins: Any, telemetry: TelemetryConfig = OTEL, **config: Any) -> Running:
        endpoints = config.pop("endpoints", {}) | {each.name: EndpointConfig() for each in plugins}
        settings = config.pop("settings", {})
        every = Config(endpoints=endpoints, telemetry=telemetry, environ={}, **config)
        started.append(Running(every, settings, plugins))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("lane", ["relay", "translate"])
def test_a_request_is_a_part_of_its_callers_trace(
    lane: str, is_stream: bool, told: Any, traced: Any, http: httpx.Client
) -> None:
    upstream = traced(Scripted(["Hello."]), telemetry=TelemetryConfig())
    up = EndpointConfig(backend="openai", base_url=f"{upstream.url}/v1", key="any")
    keys = {"alice": {"hash": hash_of(KEY)}}
    at = traced(
        Scripted(["Hello."]), endpoints={"up": up}, aliases={"fast": "up/scripted/any"}, settings={"keys": keys}
    )
    model = "fast" if lane == "relay" else "scripted/any"
    headers = {"authorization": f"Bearer {KEY}", **TRACED}
    answer = http.post(f"{at.url}/v1/chat/completions", json=body(model, stream=is_stream), headers=headers)
    assert (answer.status_code, answer.headers.get("x-ipfs-accel-lane", lane)) == (200, lane)
    at.close()
    (call, request), metrics = told()
    label = "fast" if lane == "relay" else "scripted/*"
    assert (request.name, request.kind.name, call.kind.name) == (f"chat {label}", "SERVER", "CLIENT")
    assert f"{request.context.trace_id:032x}" == f"{call.context.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == PARENT
    assert call.parent.span_id == request.context.span_id
    assert request.context.trace_state.get("vendor") == "said"
    facts = dict(request.attributes)
    assert facts.pop("ipfs_accel.request_id") == answer.headers.get("x-request-id", facts.get("ipfs_accel.request_id"))
    assert facts == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ipfs_accel",
        "gen_ai.request.model": model,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "ipfs_accel.dialect": "openai.chat",
        "ipfs_accel.endpoint": "up" if lane == "relay" else "scripted",
        "ipfs_accel.key": "alice",
        "ipfs_accel.lane": lane,
        "url.path": "/v1/chat/completions",
        **({"gen_ai.request.stream": True} if is_stream else {}),
    }
    assert request.status.status_code.name == "UNSET"
    (duration,) = metrics["gen_ai.server.request.duration"]
    assert dict(duration.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ipfs_accel",
        "gen_ai.request.model": label,
    }
    assert ("gen_ai.server.time_to_first_token" in metrics) is is_stream
    said = request.to_json() + call.to_json() + repr(metrics)
    assert not [word for word in ("canary", "of-the-caller", KEY, "Hello") if word in said]


def test_requests_of_one_connection_are_no_parts_of_each_other(told: Any, traced: Any, http: httpx.Client) -> None:
    at = traced(Scripted(lambda _request: "Hello."))
    for headers in (TRACED, {}, {"traceparent": "nonsense"}):
        http.post(f"{at.url}/v1/chat/completions", json=body("scripted/any"), headers=headers)
    at.close()
    requests = [span for span in told()[0] if span.kind.name == "SERVER"]
    assert [span.parent is None for span in requests] == [False, True, True]
    assert len({span.context.trace_id for span in requests}) == 3


def test_a_span_under_which_the_server_was_started_has_no_part_in_it(told: Any) -> None:
    from ipfs_accel_gateway._metrics import Names
    from ipfs_accel_gateway._tracing import Tracing
    from opentelemetry import trace

    tracing, reply = Tracing(Names(Config(environ={}), None)), cast("Any", None)
    with trace.get_tracer("whoever starts it").start_as_current_span("start"):
        with tracing.around(Incoming("POST", "/v1/chat/completions", {}), reply):
            pass
        with tracing.around(Incoming("POST", "/v1/chat/completions", dict(TRACED)), reply):
            pass
    alone, below, _ = told()[0]
    assert alone.parent is None
    assert f"{below.parent.span_id:016x}" == PARENT


def test_what_fails_is_told_and_looks_are_not(told: Any, traced: Any, http: httpx.Client) -> None:
    at = traced(Scripted([ConfigError("a defect"), ["Hel", ConfigError("broken")]]))
    ask = f"{at.url}/v1/chat/completions"
    http.get(f"{at.url}/v1/models")
    http.get(f"{at.url}/health/live")
    http.post(ask, json=body("scripted/any"))
    with pytest.raises(httpx.RemoteProtocolError):
        http.post(ask, json=body("scripted/any", stream=True))
    http.post(ask, json=body("m" * 1000))
    http.post(f"{at.url}/nowhere?key={KEY}")
    at.close()
    spans, metrics = told()
    requests = [span for span in spans if span.kind.name == "SERVER"]
    found = [(span.attributes.get("http.response.status_code"), span.status.status_code.name) for span in requests]
    assert found == [(500, "ERROR"), (200, "ERROR"), (404, "UNSET"), (None, "UNSET")]
    assert len(requests[-2].attributes["gen_ai.request.model"]) == 256
    assert requests[-1].name == "POST"
    assert KEY not in "".join([span.to_json() for span in spans])
    errors = {point.attributes.get("error.type") for point in metrics["gen_ai.server.request.duration"]}
    assert {"not_found", "ConfigError"} <= errors
    models = {point.attributes["gen_ai.request.model"] for point in metrics["gen_ai.server.request.duration"]}
    assert models == {"scripted/*", "other"}


@pytest.mark.parametrize("propagate", [(), ("up",)], ids=["off", "on"])
def test_servers_of_ones_own_are_told_where_that_is_switched_on(
    propagate: tuple[str, ...], told: Any, traced: Any, http: httpx.Client
) -> None:
    with serve(chats) as upstream:
        up = EndpointConfig(backend="openai", base_url=f"{upstream.url}/v1", key="any")
        at = traced(endpoints={"up": up}, telemetry=TelemetryConfig(otel=True, propagate=propagate))
        http.post(f"{at.url}/v1/chat/completions", json=body("up/m"), headers=TRACED)
        at.close()
    fields = dict(line.lower().split(": ", 1) for line in upstream.heads[0].split("\r\n")[1:])
    (request,) = [span for span in told()[0] if span.kind.name == "SERVER"]
    expected = f"00-{TRACE}-{request.context.span_id:016x}-01" if propagate else None
    assert (fields.get("traceparent") or "")[:-2] == (expected or "")[:-2]
    assert fields.get("tracestate") == ("vendor=said" if propagate else None)
    assert "baggage" not in fields


class Collector:
    """What `serve` sends to: keeps the messages of OTLP."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.metrics: list[str] = []
        self.services: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
                from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

                data = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/v1/traces":
                    for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
                        collector.services |= {
                            each.value.string_value
                            for each in resource.resource.attributes
                            if each.key == "service.name"
                        }
                        collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
                else:
                    for resource in ExportMetricsServiceRequest.FromString(data).resource_metrics:
                        collector.metrics += [m.name for scope in resource.scope_metrics for m in scope.metrics]
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


def started(path: Path, upstream: str, **environ: str) -> subprocess.Popen[str]:
    """Return a `serve` process, which has not said anything yet."""
    path.write_text(
        f'[endpoints.up]\nbackend = "openai"\nbase_url = "{upstream}/v1"\nkey_env = "UP_KEY"\n\n'
        "[telemetry]\notel = true\n\n[gateway]\nport = 0\nmetrics_port = 0\n"
    )
    return subprocess.Popen(
        [sys.executable, "-m", "ipfs_accel", "--config", str(path), "serve", "--json"],
        env={**os.environ, "UP_KEY": "any", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_gateway_sends_to_its_collector_and_the_last_of_it_when_it_ends(
    tmp_path: Path, collector: Collector, http: httpx.Client
) -> None:
    with serve(chats) as upstream:
        process = started(tmp_path / "config.toml", upstream.url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            ready = json.loads(process.stdout.readline())
            http.post(f"{ready['url']}/v1/chat/completions", json=body("up/m"), headers=TRACED)
            counted = http.get(ready["metrics"]).text
            process.send_signal(signal.SIGTERM)
            errors = process.stderr.read()
            assert process.wait(60) == 0, errors
        finally:
            process.kill()
            process.wait(60)
            process.stdout.close()
            process.stderr.close()
    assert 'ipfs_accel_gateway_requests_total{key="",dialect="openai.chat",model="up/*",endpoint="up"' in counted
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    assert sorted(span.name for span in collector.spans) == ["chat m", "chat up/*"]
    assert {"gen_ai.server.request.duration", "gen_ai.client.operation.duration"} <= set(collector.metrics)
    assert collector.services == {"ipfs-accel-gateway"}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER: the gateway sends by otlp, or none; got 'zipkin'"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL: the gateway sends by http/protobuf"),
    ],
)
def test_what_cannot_be_sent_is_told(environ: dict[str, str], said: str) -> None:
    from ipfs_accel_gateway._otlp import begun

    with pytest.raises(ConfigError) as caught:
        begun(environ)
    assert said in str(caught.value)


def test_nothing_is_sent_where_that_is_said() -> None:
    from ipfs_accel_gateway._otlp import begun
    from opentelemetry import trace

    begun({"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"})()
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.exporter.otlp.proto.http.trace_exporter"])
def test_what_is_not_installed_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipfs_accel_gateway import _observers

    for name in ("_tracing", "_otlp"):
        monkeypatch.delitem(sys.modules, f"ipfs_accel_gateway.{name}", raising=False)
        monkeypatch.delattr(f"ipfs_accel_gateway.{name}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match="not installed") as caught:
        _observers.tracing().exporting({})
    assert "ipfs-accel-gateway[otel]" in str(caught.value.hint)


def test_nothing_of_it_is_loaded_unless_it_is_asked_for() -> None:
    program = (
        "import asyncio, sys\n"
        "from ipfs_accel import Config, EndpointConfig\n"
        "from ipfs_accel_gateway import read_settings\n"
        "from ipfs_accel_gateway._run import Gateway\n"
        "import ipfs_accel_gateway._cli\n"
        "async def main():\n"
        "    config = Config(endpoints={'up': EndpointConfig(backend='openai')}, environ={})\n"
        "    async with Gateway(config, read_settings({'port': 0, 'metrics_port': 0})):\n"
        "        print([name for name in sys.modules if name.startswith(('opentelemetry', 'prometheus'))])\n"
        "asyncio.run(main())\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
