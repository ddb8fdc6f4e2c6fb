from __future__ import annotations

import logging
import pickle
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from ipfs_accel import (
    Client,
    EndpointConfig,
    ModelOverride,
    Timeout,
    UnsupportedParameterWarning,
    hookimpl,
)
from ipfs_accel import errors as e
from ipfs_accel.types import BlockEnd, BlockStart, FinishEvent, TextDelta, UsageEvent
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .acme import Acme

ANSWER = {"answer": "blue", "used": 3}


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    plugin = Acme(httpserver.url_for(""))
    with Client(endpoints={"acme": EndpointConfig(key="sk-canary")}, plugins=[plugin]) as client:
        yield client


def test_a_chat(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat", json={"model": "m/x", "ask": "sky?"}).respond_with_json(
        ANSWER, headers={"X-Id": "r1"}
    )
    reply = client.chat("acme/m/x", "sky?")
    assert (reply.text, reply.usage.input_tokens, reply.raw) == ("blue", 3, ANSWER)
    assert (reply.endpoint, reply.request_id) == ("acme", "r1")
    assert reply.timing is not None
    assert 0 < (reply.timing.first_event or 0) <= reply.timing.total
    sent = httpserver.log[0][0]
    assert sent.headers["Authorization"] == "Bearer sk-canary"
    assert sent.headers["User-Agent"].startswith("ipfs-accel/")


def test_a_user_agent_of_ones_own_is_the_only_one(httpserver: HTTPServer) -> None:
    endpoint = EndpointConfig(key="", headers={"user-agent": "mine/1"})
    httpserver.expect_request("/chat").respond_with_json(ANSWER)
    with Client(endpoints={"acme": endpoint}, plugins=[Acme(httpserver.url_for(""))]) as client:
        client.chat("acme/m", "q")
    assert httpserver.log[0][0].headers.getlist("User-Agent") == ["mine/1"]


def test_extra_reaches_the_wire_and_unsupported_options_are_refused_or_warned_about(
    client: Client, httpserver: HTTPServer
) -> None:
    with pytest.raises(e.UnsupportedParameterError, match="'acme' cannot honour: top_k") as caught:
        client.chat("acme/m", "q", top_k=3)
    assert (caught.value.endpoint, caught.value.model) == ("acme", "m")
    assert not httpserver.log
    httpserver.expect_request("/chat", json={"model": "m", "ask": "q", "mood": "good"}).respond_with_json(ANSWER)
    with pytest.warns(UnsupportedParameterWarning, match="top_k"):
        client.chat("acme/m", "q", top_k=3, on_unsupported="warn", extra={"mood": "good"})


@pytest.mark.parametrize(
    ("status", "body", "content_type", "kind", "message"),
    [
        (400, '{"problem": "bad", "kind": "k"}', "application/json", e.BadRequestError, "bad"),
        (401, '{"problem": "no"}', "application/json", e.AuthenticationError, "no"),
        (404, "<html>nope</html>", "text/html", e.NotFoundError, "nope"),
        (429, "", "text/plain", e.RateLimitError, "status 429 and no body"),
        (500, "null", "application/json", e.InternalServerError, "null"),
        (503, '{"problem": "loading"}', "application/json", e.OverloadedError, "loading"),
        (418, '{"problem": "teapot"}', "application/json", e.APIStatusError, "teapot"),
        (307, "", "text/plain", e.APIStatusError, r"redirect \(307\) to evil\.test, which is not followed"),
        (200, "", "application/json", e.InvalidResponseError, "has no body"),
        (200, "<!DOCTYPE html><html>", "text/html", e.InvalidResponseError, "an HTML page"),
        (200, "{", "application/json", e.InvalidResponseError, "not valid JSON"),
        (200, "[" * 100_000, "application/json", e.InvalidResponseError, "."),
        (200, '{"used": NaN}', "application/json", e.InvalidResponseError, "NaN"),
        (
            200,
            "[]",
            "application/json",
            e.InvalidResponseError,
            "does not have the form that the backend 'acme' expects",
        ),
        (200, '{"used": 3}', "application/json", e.InvalidResponseError, "KeyError: 'answer'"),
        (200, b'{"answer": "\xff"}', "application/json", e.InvalidResponseError, "."),
    ],
)
def test_errors_are_typed_whatever_the_server_says(
    status: int,
    body: str | bytes,
    content_type: str,
    kind: type[e.APIError],
    message: str,
    client: Client,
    httpserver: HTTPServer,
) -> None:
    headers = {"X-Id": "r9", "Location": "https://evil.test/x", "Retry-After": "7"}
    httpserver.expect_request("/chat").respond_with_data(
        body, status=status, content_type=content_type, headers=headers
    )
    with pytest.raises(kind, match=message) as caught:
        client.chat("acme/m", "q")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.endpoint, error.backend, error.model, error.request_id) == (
        status,
        "acme",
        "acme",
        "m",
        "r9",
    )
    if status >= 400:
        assert error.retry_after == 7
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own value
    assert (type(copy), str(copy), copy.__dict__) == (type(error), str(error), error.__dict__)
    assert "canary" not in repr(vars(error))


def test_a_server_that_is_not_there() -> None:
    with Client(plugins=[Acme("http://127.0.0.1:1")]) as client:
        with pytest.raises(e.APIConnectionError, match=r"127\.0\.0\.1:1") as caught:
            client.chat("acme/m", "q")
        assert caught.value.retryable
        assert not caught.value.sent


def stream_body(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_a_stream_has_its_events_and_ends_with_the_answer(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/stream").respond_with_data(
        stream_body("a", "b", "END", "c"), content_type="application/x-ndjson"
    )
    with client.stream("acme/m", "q") as stream:
        events = list(stream)
    assert [type(event) for event in events] == [BlockStart, TextDelta, TextDelta, BlockEnd, UsageEvent, FinishEvent]
    assert stream.response.text == "ab"
    assert stream.response.endpoint == "acme"
    assert stream.read() is stream.response


def test_a_stream_without_a_with_block_closes_itself(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/stream").respond_with_data(stream_body("a", "b", "END"))
    assert "".join(client.stream("acme/m", "q").text_stream) == "ab"
    assert client._world.transport.stats().active == 0


def test_a_cut_stream_is_no_answer(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/stream").respond_with_data(stream_body("a", "b"))
    with client.stream("acme/m", "q") as stream, pytest.raises(e.StreamIncomplete) as caught:
        list(stream)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "ab"
    with pytest.raises(e.StreamIncomplete, match="has not been read to its end"):
        _ = stream.response


def test_a_frame_that_the_plugin_cannot_read_is_an_invalid_response(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/stream").respond_with_data(stream_body("a", "!x", "END"))
    with pytest.raises(e.InvalidResponseError, match="KeyError") as caught:
        client.stream("acme/m", "q").read()
    assert caught.value.partial is not None


def test_a_dropped_stream_warns_and_gives_its_connection_back(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/stream").respond_with_data(stream_body("a", *["x" * 100_000] * 20, "END"))
    stream = client.stream("acme/m", "q")
    next(stream)
    with pytest.warns(ResourceWarning, match="was not closed"):
        del stream
    early = client.stream("acme/m", "q")
    next(early)
    early.close()
    early.close()
    assert client._world.transport.stats().active == 0


@pytest.mark.parametrize(
    ("status", "body", "content_type", "kind"),
    [
        (400, '{"problem": "bad"}', "application/json", e.BadRequestError),
        (200, '{"answer": "whole"}', "application/json", e.InvalidResponseError),
        (200, '{"error": {"message": "x"}, "problem": "inside"}', "application/json", e.InternalServerError),
        (200, "<html>", "text/html", e.InvalidResponseError),
    ],
)
def test_an_answer_that_is_no_stream(
    status: int, body: str, content_type: str, kind: type[e.APIError], client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/stream").respond_with_data(body, status=status, content_type=content_type)
    with pytest.raises(kind), client.stream("acme/m", "q"):
        pass
    assert client._world.transport.stats().active == 0


def test_an_invalid_argument_fails_before_anything_is_opened(client: Client) -> None:
    with pytest.raises(e.InvalidRequestError, match="max_tokens") as caught:
        client.stream("acme/m", "q", max_tokens=0)
    assert caught.value.endpoint == "acme"
    with pytest.raises(e.InvalidRequestError, match="max_tokens"):
        client.chat("acme/m", "q", max_tokens=0)


def test_local_plans_and_flows(client: Client, httpserver: HTTPServer) -> None:
    assert client.embed("acme/m", "x").model == "m"
    assert client.stream_complete("acme/m", ["a", "b"]).read().text == "ab"
    httpserver.expect_request("/models/m").respond_with_data(status=404)
    httpserver.expect_request("/fallback").respond_with_json({"from": "fallback"})
    assert client.show_model("acme/m").raw == {"from": "fallback"}
    assert client.call("acme", "double", number=4) == 8
    assert client.call("acme", "greet", name="Ann", endpoint="home") == "Ann at home"
    with pytest.raises(e.InvalidRequestError, match="number"):
        client.call("acme", "double")
    with pytest.raises(e.UnsupportedOperationError) as caught:
        client.call("acme", "dubble")
    assert caught.value.hint == "did you mean 'double'?"


def test_an_operation_that_the_backend_does_not_have(client: Client) -> None:
    with pytest.raises(e.UnsupportedOperationError, match="'acme' does not implement 'rerank'") as caught:
        client.rerank("acme/m", "q", ["a"])
    assert "it has: chat, stream" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("model", "kind", "hint"),
    [
        ("acne/x", e.PluginError, "did you mean 'acme'?"),
        ("gpt", e.InvalidRequestError, "models are named endpoint/model"),
        (None, e.InvalidRequestError, None),
        ("", e.InvalidRequestError, None),
        (b"acme/x", e.InvalidRequestError, None),
        (5, e.InvalidRequestError, None),
        ({"a": 1}, e.InvalidRequestError, None),
        (["acme/x", b"acme/y"], e.InvalidRequestError, None),
    ],
)
def test_unknown_models(model: Any, kind: type[Exception], hint: str | None, client: Client) -> None:
    with pytest.raises(kind) as caught:
        client.chat(model, "q")
    assert (hint or "") in (getattr(caught.value, "hint", None) or "")


@pytest.mark.parametrize("name", [b"acme", 5, None, ["acme"], {}])
def test_what_is_no_name_of_an_endpoint(name: Any, client: Client) -> None:
    for call in (client.list_models, client.list_files):
        with pytest.raises(e.InvalidRequestError, match=r"endpoint: expected a string, got"):
            call(name)
    assert "endpoint: expected a string" in str(client.healthcheck(name).detail)


def test_capabilities_and_find(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/models").respond_with_json(
        [{"id": "small", "context_window": 1000, "input_price": 1.0}, {"id": "big", "context_window": 9000}]
    )
    httpserver.expect_request("/models/small").respond_with_json({})
    said = {"small": ModelOverride(features={"tools": "yes"}), "big": ModelOverride(features={"vision": "no"})}
    endpoints = {"acme": EndpointConfig(models=said)}
    with Client(endpoints=endpoints, plugins=[Acme(httpserver.url_for(""))]) as client:
        found = client.capabilities("acme")
        assert str(found.supports("chat")) == "yes (hook)"
        assert str(found.supports("rerank")) == "no (hook)"
        assert str(found.supports("vision")) == "unknown (nobody)"
        assert found.calls == ("double", "greet")
        assert str(client.supports("acme/small", "tools")) == "yes (configuration)"
        with pytest.raises(TypeError, match="yes, no or unknown"):
            bool(found.supports("chat"))
        names = [match.name for match in client.find(operation="chat", endpoints=["acme"])]
        assert names == ["acme/small", "acme/big"]
        assert [match.name for match in client.find(features=["vision"], endpoints=["acme"])] == ["acme/small"]
        assert [match.unknown for match in client.find(features=["tools"], max_input_price=2, endpoints=["acme"])] == [
            (),
            ("tools", "max_input_price"),
        ]
        assert [match.name for match in client.find(min_context=2000, endpoints=["acme"])] == ["acme/big"]
        skipped = client.find(operation="rerank", endpoints=["acme"]).skipped
        assert "does not implement 'rerank'" in skipped["acme"]
        with pytest.raises(e.InvalidRequestError, match="operation"):
            client.find(operation="sing")


class Partial(Acme):
    @hookimpl
    def describe(self) -> Any:
        only_here = lambda endpoint: {} if endpoint.name == "acme" else {"embed": "ask the endpoint acme"}
        return attrs.evolve(super().describe(), lacks=only_here)


def test_an_endpoint_may_lack_what_its_backend_has() -> None:
    endpoints = {"less": EndpointConfig(backend="acme", key="k")}
    with Client(endpoints=endpoints, plugins=[Partial("http://127.0.0.1:1")]) as client:
        said = {name: str(client.capabilities(name).supports("embed")) for name in ("acme", "less")}
        assert said == {"acme": "yes (hook)", "less": "no (hook)"}
        with pytest.raises(e.UnsupportedOperationError, match="'less' has no 'embed': ask the endpoint acme"):
            client.embed("less/m", "x")
        assert client.find(operation="embed", endpoints=["less"]).skipped == {
            "less": "the endpoint 'less' has no 'embed'"
        }


def test_health(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_data("fine")
    plugin = Acme(httpserver.url_for(""))
    endpoints = {"down": EndpointConfig(backend="acme", base_url="http://127.0.0.1:1", key="")}
    with Client(endpoints=endpoints, plugins=[plugin]) as client:
        health = client.healthcheck_all(["acme", "down", "nobody"])
        assert [health[name].status for name in ("acme", "down", "nobody")] == ["ok", "unreachable", "misconfigured"]
        assert health["acme"].ok
        assert (health["acme"].latency or 0) > 0


def test_a_closed_client_says_so(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat").respond_with_json(ANSWER)
    client.chat("acme/m", "q")
    client.close()
    with pytest.raises(e.ClientClosedError):
        client.chat("acme/m", "q")
    with pytest.raises(e.ClientClosedError):
        Client(plugins=[Acme("http://127.0.0.1:1")]).__exit__(None, None, None) or client.list_models("acme")


def test_a_slow_server_meets_the_total_limit(client: Client, httpserver: HTTPServer) -> None:
    import threading

    over = threading.Event()

    def slow(_request: Request) -> Response:
        over.wait(60)
        return Response("{}")

    httpserver.expect_request("/chat").respond_with_handler(slow)
    with pytest.raises(e.APITimeoutError) as caught:
        client.chat("acme/m", "q", timeout=0.1)
    assert caught.value.model == "m"
    with pytest.raises(e.APITimeoutError):
        client.chat("acme/m", "q", timeout=Timeout(total=0.1))
    over.set()


def test_one_log_event_per_call_without_keys_or_content(
    client: Client, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    httpserver.expect_request("/chat").respond_with_json(ANSWER)
    httpserver.expect_request("/models").respond_with_data(status=429)
    with caplog.at_level(logging.INFO, "ipfs_accel"):
        client.chat("acme/m", "prompt-canary")
        with pytest.raises(e.RateLimitError):
            client.list_models("acme")
    ours = [record for record in caplog.records if record.name == "ipfs_accel"]
    assert [record.getMessage() for record in ours] == ["call_finished", "call_failed"]
    assert [vars(ours[0])[name] for name in ("endpoint", "model", "input_tokens")] == ["acme", "m", 3]
    assert [vars(ours[1])[name] for name in ("operation", "error", "status")] == ["list_models", "RateLimitError", 429]
    assert "canary" not in "".join(str(vars(record)) for record in caplog.records)


def test_nothing_warns_by_itself(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat").respond_with_json(ANSWER)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            client.chat("acme/m", "q")
    assert client._world.transport.stats().active == 0


ECHOES = [
    (401, '{"problem": "wrong key sk-canary", "kind": "sk-canary"}', "application/json"),
    (401, "you sent Bearer sk-canary", "text/plain"),
    (200, '{"answer": "sk-canary"}', "application/json"),
    (200, "sk-canary is not JSON", "application/json"),
    (200, "<html>sk-canary</html>", "text/html"),
]


@pytest.mark.parametrize(("status", "body", "content_type"), ECHOES)
def test_a_key_that_the_server_repeats_does_not_show(
    client: Client, httpserver: HTTPServer, status: int, body: str, content_type: str
) -> None:
    httpserver.expect_request("/chat").respond_with_data(body, status, content_type=content_type)
    with pytest.raises(e.APIError) as caught:
        client.chat("acme/m", "q")
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)) + repr(error.body)
    assert "canary" not in shown
    assert "canary" not in repr(pickle.dumps(error))
