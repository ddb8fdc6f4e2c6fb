"""What Prometheus is told: read by its own parser, of real requests on both lanes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import Config, EndpointConfig, ModelOverride, RouteConfig
from ipfs_accel.errors import ConfigError
from ipfs_accel.testing import Scripted
from ipfs_accel.types import ChatResponse, Choice, Message, Text, Usage
from ipfs_accel_gateway import read_settings
from ipfs_accel_gateway._callers import hash_of
from ipfs_accel_gateway._exposition import Family, labels, number, wants_open_metrics, written
from ipfs_accel_gateway._metrics import Metrics, Names
from ipfs_accel_gateway._records import Record
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text

from .gateways import Running, Start
from .stages import stage
from .wires import connected, post

KEY = "ia-of-a-caller"
OPEN = "application/openmetrics-text;version=1.0.0"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
AT = "ipfs_accel_gateway_"


def answer(text: str = "Hello there.", **usage: int) -> ChatResponse:
    message = Message(role="assistant", content=(Text(text=text),))
    return ChatResponse(choices=(Choice(message=message, finish_reason="stop"),), model="m", usage=Usage(**usage))


def scraped(at: Running, accept: str = "") -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Return what the metrics port tells: name of a sample to labels to value."""
    assert at.gateway.metrics_address is not None
    host, port = at.gateway.metrics_address
    found = httpx.get(f"http://{host}:{port}/metrics", headers={"accept": accept}, trust_env=False)
    assert found.status_code == 200
    is_open = "openmetrics" in found.headers["content-type"]
    assert is_open == ("openmetrics" in accept)
    return by_name((read_open if is_open else read_text)(found.text))


def by_name(families: Any) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    told: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in families:
        for sample in family.samples:
            series = told.setdefault(sample.name, {})
            place = frozenset(sample.labels.items())
            assert place not in series, sample
            series[place] = sample.value
    return told


def only(series: dict[frozenset[tuple[str, str]], float], **wanted: str) -> float:
    """Return the value of the one series that has these labels."""
    (found,) = [value for place, value in series.items() if place >= frozenset(wanted.items())]
    return found


def body(model: str, **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hi"}], **members}


@pytest.fixture
def two_lanes() -> Iterator[Running]:
    """A gateway with the same model on either lane, the relayed one behind a gateway."""
    usage = {"input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 6}
    with stage() as upstream:
        upstream.plays(*[answer(**usage)] * 9)
        price = ModelOverride(input_price=1.0, cached_input_price=0.5, output_price=2.0)
        config = Config(
            endpoints={
                "up": EndpointConfig(
                    backend="openai", base_url=f"{upstream.url}/v1", key="any", models={"scripted/any": price}
                ),
                "here": EndpointConfig(backend="scripted"),
            },
            aliases={"fast": "up/scripted/any"},
            environ={},
        )
        keys = {"alice": {"hash": hash_of(KEY)}}
        scripted = Scripted(lambda _request: answer(**usage))
        running = Running(config, {"metrics_port": 0, "keys": keys}, (scripted,))
        yield running
        running.close()


@pytest.mark.parametrize("accept", ["", OPEN], ids=["text", "openmetrics"])
def test_requests_tokens_costs_and_times_are_told(two_lanes: Running, http: httpx.Client, accept: str) -> None:
    auth = {"authorization": f"Bearer {KEY}"}
    ask = f"{two_lanes.url}/v1/chat/completions"
    for model in ("fast", "here/any"):
        assert http.post(ask, json=body(model), headers=auth).status_code == 200
        streamed = body(model, stream=True, stream_options={"include_usage": True})
        assert "[DONE]" in http.post(ask, json=streamed, headers=auth).text
    assert http.post(ask, json=body("fast")).status_code == 401
    assert http.post(ask, json=body("nowhere/else"), headers=auth).status_code == 404
    told = scraped(two_lanes, accept)
    requests = told[f"{AT}requests_total"]
    common = {"dialect": "openai.chat", "key": "alice"}
    assert only(requests, **common, model="fast", endpoint="up", lane="relay", status="2xx") == 2
    assert only(requests, **common, model="here/*", endpoint="here", lane="translate", status="2xx") == 2
    assert only(requests, key="", model="", status="4xx") == 1
    assert only(requests, key="alice", model="other", endpoint="", status="4xx") == 1
    of_fast = {"key": "alice", "model": "fast", "endpoint": "up"}
    assert only(told[f"{AT}input_tokens_total"], **of_fast) == 20
    assert only(told[f"{AT}cached_input_tokens_total"], **of_fast) == 8
    assert only(told[f"{AT}output_tokens_total"], **of_fast) == 12
    assert only(told[f"{AT}cost_dollars_total"], **of_fast) == pytest.approx(2 * (6 * 1 + 4 * 0.5 + 6 * 2) / 1e6)
    assert only(told[f"{AT}unpriced_requests_total"], **of_fast) == 0
    assert only(told[f"{AT}unpriced_requests_total"], model="here/*") == 2
    for model in ("fast", "here/*"):
        for name, count in (("request_duration", 2), ("queue_duration", 2), ("upstream_duration", 2)):
            assert only(told[f"{AT}{name}_seconds_count"], model=model) == count, name
        for name in ("time_to_first_token", "time_per_output_token"):
            assert only(told[f"{AT}{name}_seconds_count"], model=model) == 1, name
        whole, own = (only(told[f"{AT}{name}_duration_seconds_sum"], model=model) for name in ("request", "own"))
        assert 0 < own < whole


def test_how_it_is_now_is_told(two_lanes: Running, http: httpx.Client) -> None:
    http.post(f"{two_lanes.url}/v1/chat/completions", json=body("fast"), headers={"authorization": f"Bearer {KEY}"})
    with connected(two_lanes.url):
        told = scraped(two_lanes)
    assert only(told[f"{AT}connections"]) >= 1
    assert only(told[f"{AT}in_flight_requests"], key="alice") == 0
    assert only(told[f"{AT}breakers"], endpoint="up", state="closed") == 1
    assert only(told[f"{AT}breakers"], endpoint="up", state="open") == 0
    assert only(told[f"{AT}upstream_attempts"], endpoint="up") == 0
    assert only(told[f"{AT}upstream_calls_total"], endpoint="up", outcome="answered") == 1
    assert only(told[f"{AT}build_info"]) == 1
    assert 0 < only(told["process_cpu_seconds_total"]) < 1e6
    assert abs(only(told["process_start_time_seconds"]) - time.time()) < 86_400
    assert 1e6 < only(told["process_resident_memory_bytes"]) < 1e11
    assert only(told["process_open_fds"]) < only(told["process_max_fds"])


def test_who_leaves_and_what_breaks_off_is_told_apart(http: httpx.Client) -> None:
    config = Config(endpoints={"scripted": EndpointConfig()}, environ={})
    failure = ConfigError("a defect")
    running = Running(config, {"metrics_port": 0}, (Scripted([["Hel", failure], failure]),))
    ask = f"{running.url}/v1/chat/completions"
    try:
        with pytest.raises(httpx.RemoteProtocolError):
            http.post(ask, json=body("scripted/any", stream=True))
        assert http.post(ask, json=body("scripted/any")).status_code == 500
        told = scraped(running)[f"{AT}requests_total"]
        assert only(told, status="broken") == 1
        assert only(told, status="5xx", endpoint="scripted") == 1
    finally:
        running.close()


def test_ten_thousand_names_of_a_caller_make_no_series(running: Start, http: httpx.Client) -> None:
    at = running(Scripted(lambda _request: answer()), settings={"metrics_port": 0})
    before = at.call(lambda: sum(len(list(family.samples)) for family in at.gateway._observers.metrics.families()))
    ask = f"{at.url}/v1/chat/completions"
    for number_of in range(100):
        for name in (f"scripted/{number_of}", f"elsewhere-{number_of}", f"else-{number_of}/where"):
            http.post(ask, json=body(name))
    record = Record(1)
    record.dialect, record.lane, record.status = "openai.chat", "relay", 200
    for each in range(10_000):
        record.model = f"scripted/{each}" if each % 2 else f'text of a caller "{each}'
        at.gateway._observers.metrics.add(record)
    told = scraped(at)
    models = {value for series in told.values() for place in series for name, value in place if name == "model"}
    assert models == {"scripted/*", "other"}
    assert sum(told[f"{AT}requests_total"].values()) == 10_300
    assert sum(map(len, told.values())) < before + 200


def test_the_number_of_series_has_an_end() -> None:
    aliases = {f"alias-{number}": "up/m" for number in range(200)}
    metrics = Metrics(Names(Config(endpoints={"up": EndpointConfig(backend="openai")}, aliases=aliases), None))
    record = Record(1)
    record.dialect, record.lane, record.status, record.asked = "openai.chat", "relay", 200, 0.1
    for number_of in range(10_000):
        record.caller, record.model, record.endpoint = f"key-{number_of // 200}", f"alias-{number_of % 200}", "up"
        metrics.add(record)
    for each in range(700):  # as many targets
        record.endpoint = f"up-{each}"
        metrics.add(record)
    told = by_name(read_text(b"".join(written(metrics.families(), is_open=False)).decode()))
    requests = told[f"{AT}requests_total"]
    assert sum(requests.values()) == 10_700
    assert only(requests, key="other", model="other", endpoint="other") == 5_700
    assert only(told[f"{AT}folded_requests_total"]) == 5_700
    assert len(requests) == 5_001
    assert len(told[f"{AT}request_duration_seconds_count"]) <= 501


def test_names_of_the_configuration_are_labels_and_nothing_else() -> None:
    config = Config(
        endpoints={"up": EndpointConfig(backend="openai"), "b": EndpointConfig(backend="openai")},
        aliases={"fast": "up/small", "secret": "up/hidden"},
        routes={"team": RouteConfig(targets=("up/large", "fast"))},
    )
    names = Names(config, None, ["guide"])
    for each in ("fast", "team", "up/small", "up/large", "guide"):
        assert names.label(each) == each
    assert [names.label(each) for each in ("up/x", "b/x/y", "c/x", "up", "")] == [
        "up/*",
        "b/*",
        "other",
        "other",
        "",
    ]
    served = Names(config, ["fast", "up/l*", "b/named"])
    assert [served.label(each) for each in ("fast", "up/large", "b/named", "b/x")] == [
        "fast",
        "up/large",
        "b/named",
        "b/*",
    ]
    assert served.label("secret") == "other"


def test_what_the_port_answers(running: Start, http: httpx.Client) -> None:
    at = running(Scripted(), settings={"metrics_port": 0})
    host, port = at.gateway.metrics_address or ("", 0)
    url = f"http://{host}:{port}"
    assert http.get(f"{at.url}/metrics").status_code == 404
    assert (http.get(url).status_code, "/metrics" in http.get(url).text) == (404, True)
    refused = http.post(f"{url}/metrics", content=b"x")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    assert http.post(f"{url}/metrics", content=b"xx").status_code == 413
    assert http.get(f"{url}/metrics", headers={"host": "rebound.example"}).status_code == 421
    assert (http.head(f"{url}/metrics").status_code, http.head(f"{url}/metrics").content) == (200, b"")
    for path in ("/v1/models", "/v1/chat/completions", "/health/live"):
        assert http.get(url + path).status_code == 404
    assert KEY not in http.get(f"{url}/metrics").text


def test_a_page_that_fails_says_so_and_the_server_goes_on(
    running: Start, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = running(Scripted(), settings={"metrics_port": 0})
    host, port = at.gateway.metrics_address or ("", 0)
    with monkeypatch.context() as patch:
        patch.setattr(at.gateway._client, "states", lambda: 1 / 0)
        with pytest.raises(httpx.RemoteProtocolError):
            http.get(f"http://{host}:{port}/metrics")
    assert http.get(f"http://{host}:{port}/metrics").status_code == 200


def test_a_port_that_is_taken_is_named(running: Start) -> None:
    at = running(Scripted(), settings={"metrics_port": 0})
    taken = (at.gateway.metrics_address or ("", 0))[1]
    with pytest.raises(ConfigError, match=r"gateway\.metrics_port: cannot listen at 127\.0\.0\.1 port"):
        running(Scripted(), settings={"metrics_port": taken})


@pytest.mark.parametrize("value", [-1, 65_536, "9100", True])
def test_a_port_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="metrics_port"):
        read_settings({"metrics_port": value})


def test_nothing_is_counted_where_nobody_asked_for_it(running: Start) -> None:
    at = running(Scripted())
    assert at.gateway.metrics_address is None
    assert at.gateway.app._noting == ()


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (PROMETHEUS, True),
        (OPEN, True),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=1.0.0; q=0", False),
        ("text/plain;version=0.0.4", False),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.5", False),
        ("application/openmetrics-text;version=2.0.0, text/plain", False),
        ("application/openmetrics-text;q=much", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_who_gets_openmetrics(accept: str, wanted: bool) -> None:
    assert wants_open_metrics(accept) is wanted


@pytest.mark.parametrize("is_open", [False, True])
def test_any_label_is_read_as_it_was(is_open: bool) -> None:
    value = 'a "quoted" \\ back\\n\nline {}, é 😀'
    families = [
        Family("a", "gauge", "Help with \\ and\nline", [("", labels({"l": value}), number(1e-05))]),
        Family("b_seconds", "counter", "Other", [("_total", "", number(float("inf")))]),
    ]
    text = b"".join(written(families, is_open=is_open)).decode()
    first, second = (read_open if is_open else read_text)(text)
    assert (first.samples[0].labels, first.samples[0].value) == ({"l": value}, 1e-05)
    assert first.documentation == "Help with \\ and\nline"
    assert second.samples[0].value == float("inf")
    assert text.endswith("# EOF\n") is is_open


def test_what_is_long_comes_in_blocks() -> None:
    family = Family("a", "gauge", "Many", [("", labels({"l": str(each)}), "1") for each in range(20_000)])
    blocks = list(written([family], is_open=True))
    assert len(blocks) > 3
    assert max(map(len, blocks)) < 70_000
    assert len(next(iter(read_open(b"".join(blocks).decode()))).samples) == 20_000


def test_a_request_that_is_none_is_counted(running: Start) -> None:
    at = running(Scripted(), settings={"metrics_port": 0, "max_body": 10})
    with connected(at.url) as sock:
        sock.sendall(post(json.dumps(body("scripted/any")).encode()))
        assert sock.recv(100).startswith(b"HTTP/1.1 413 ")
    assert only(scraped(at)[f"{AT}requests_total"], status="4xx", dialect="openai.chat") == 1
