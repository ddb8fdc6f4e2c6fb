"""Servers with /models/{id}/infer. No public server speaks this dialect; what is tested is its written form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import Tensor
from pytest_httpserver import HTTPServer

from conftest import sent

MODELS = {"models": [{"name": "org/m", "type": "llm", "description": "a model", "batch_support": True}, {"id": "n"}]}


def endpoint(httpserver: HTTPServer, **options: Any) -> EndpointConfig:
    url = httpserver.url_for("").rstrip("/")
    return EndpointConfig(backend="llvm", base_url=url, key="sk-test", options=options)


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    endpoints = {
        "lab": endpoint(httpserver),
        "out": endpoint(httpserver, server="infer", content="output.0.text", chats=True, runs_code=True),
    }
    with Client(endpoints=endpoints) as client:
        yield client


def serving(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_data(status=404)
    httpserver.expect_request("/openapi.json").respond_with_data(status=404)
    httpserver.expect_request("/models").respond_with_json(MODELS)


def answering(httpserver: HTTPServer, value: Any, action: str = "infer", status: int = 200) -> None:
    httpserver.expect_request(f"/models/m/{action}").respond_with_json(value, status=status)


def test_texts(client: Client, httpserver: HTTPServer) -> None:
    serving(httpserver)
    answering(httpserver, "hello")
    assert client.complete("lab/m", "hi").text == "hello"
    assert sent(httpserver) == {"input": "hi"}
    assert httpserver.log[-1][0].headers["Authorization"] == "Bearer sk-test"
    client.complete("lab/m", "hi", max_tokens=5, stop=["x"], extra={"parameters": {"beams": 2}, "trace": 1})
    assert sent(httpserver) == {"input": "hi", "parameters": {"max_tokens": 5, "stop": ["x"], "beams": 2}, "trace": 1}


def test_several_texts_are_a_batch_in_their_order(client: Client, httpserver: HTTPServer) -> None:
    serving(httpserver)
    answering(httpserver, {"results": ["a", "b"]}, "batch_infer")
    reply = client.complete("lab/m", ["x", "y"], temperature=0.5)
    assert [choice.text for choice in reply.choices] == ["a", "b"]
    assert sent(httpserver) == {"inputs": ["x", "y"], "parameters": {"temperature": 0.5}}
    with pytest.raises(e.InvalidResponseError, match="2 results for 3 inputs"):
        client.complete("lab/m", ["x", "y", "z"])


def test_where_the_content_is_can_be_said(client: Client, httpserver: HTTPServer) -> None:
    answering(httpserver, {"output": [{"text": "hello"}]})
    assert client.complete("out/m", "hi").text == "hello"
    httpserver.clear()
    for wrong in ({"output": []}, {"result": 1}, {"output": [{"text": 5}]}, []):
        httpserver.expect_oneshot_request("/models/m/infer").respond_with_json(wrong)
        with pytest.raises(e.InvalidResponseError):
            client.complete("out/m", "hi")


def test_content_that_is_elsewhere_names_the_setting(client: Client, httpserver: HTTPServer) -> None:
    serving(httpserver)
    answering(httpserver, {"output": "hello"})
    with pytest.raises(e.InvalidResponseError, match="JSON dict instead of text") as caught:
        client.complete("lab/m", "hi")
    assert "option content" in str(caught.value.hint)


def test_vectors(client: Client, httpserver: HTTPServer) -> None:
    serving(httpserver)
    answering(httpserver, [1.0, 2.0])
    answering(httpserver, {"results": [[1.0], [2.0]]}, "batch_infer")
    assert [list(vector) for vector in client.embed("lab/m", "x").vectors] == [[1.0, 2.0]]
    assert [list(vector) for vector in client.embed("lab/m", ["x", "y"]).vectors] == [[1.0], [2.0]]
    for wrong in ("x", [[1.0]], [True], {"a": 1}):
        httpserver.clear()
        answering(httpserver, wrong)
        with pytest.raises(e.InvalidResponseError, match=r"a vector is (neither|not) base64"):
            client.embed("lab/m", "x")


def test_tensors(client: Client, httpserver: HTTPServer) -> None:
    serving(httpserver)
    answering(httpserver, [[1, 2], [3, 4]])
    reply = client.predict("lab/m", [[0.5, 1.5]])
    assert sent(httpserver) == {"input": [[0.5, 1.5]]}
    assert (reply.output.shape, reply.output.to_list()) == ((2, 2), [[1, 2], [3, 4]])
    httpserver.clear()
    answering(httpserver, {"a": [1.5], "b": ["x"]})
    both = client.predict("lab/m", {"x": [1], "y": Tensor.from_strings([b"q"], name="y")})
    assert sent(httpserver) == {"input": {"x": [1], "y": ["q"]}}
    assert (both["a"].to_list(), both["b"].to_strings()) == ([1.5], ["x"])
    assert client.predict("lab/m", {"x": [1]}, outputs="b").output.to_strings() == ["x"]
    with pytest.raises(e.InvalidResponseError, match="no output 'c', but a, b"):
        client.predict("lab/m", [1], outputs="c")
    with pytest.raises(e.UnsupportedParameterError, match="version"):
        client.predict("lab/m", [1], version="2")


def test_answers_that_are_no_arrays(client: Client, httpserver: HTTPServer) -> None:
    serving(httpserver)
    client.list_models("lab")
    for wrong in ([[1], [1, 2]], {"a": {"b": 1}}, [None]):
        httpserver.clear()
        answering(httpserver, wrong)
        with pytest.raises(e.InvalidResponseError, match="no array"):
            client.predict("lab/m", [1])


def test_chats_only_where_that_is_said(client: Client, httpserver: HTTPServer) -> None:
    serving(httpserver)
    with pytest.raises(e.ConfigError, match="not known to be messages") as caught:
        client.chat("lab/m", "hi")
    assert "chats = true" in str(caught.value.hint)
    answering(httpserver, {"output": [{"text": "hello"}]})
    assert client.chat("out/m", [Message.system("s"), "hi"], max_tokens=3).text == "hello"
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]
    assert sent(httpserver) == {"input": {"messages": messages}, "parameters": {"max_tokens": 3}}
    with pytest.raises(e.InvalidRequestError, match="tools"):
        client.chat("out/m", "hi", tools=[Tool(name="f")])
    with pytest.raises(e.UnsupportedOperationError, match="is infer, which has no stream"):
        client.stream("out/m", "hi").read()


def test_models_and_health(client: Client, httpserver: HTTPServer) -> None:
    serving(httpserver)
    first, second = client.list_models("lab")
    assert (first.id, first.description, second.id) == ("org/m", "a model", "n")
    assert (str(first.features["chat"]), str(first.features["stream"])) == ("no (hook)", "no (hook)")
    assert "complete" not in first.features
    httpserver.expect_request("/models/org%2Fm").respond_with_json({"type": "llm", "description": "more"})
    httpserver.expect_request("/models/org/m").respond_with_json({"type": "llm", "description": "more"})
    assert client.show_model("lab/org/m").description == "more"
    assert b"org%2Fm" in httpserver.log[-1][0].environ.get("RAW_URI", "org%2Fm").encode()
    health = client.healthcheck("lab")
    assert (health.status, health.server, health.detail) == ("ok", "infer", "it lists 2 models")


@pytest.mark.parametrize("body", [[{"id": "a"}], {"data": [{"id": "a"}]}, {"models": ["a"]}])
def test_lists_of_models_have_several_forms(body: Any, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/models").respond_with_json(body)
    assert [model.id for model in client.list_models("out")] == ["a"]


@pytest.mark.parametrize("body", [{}, "a", [{}], [5], {"models": 5}])
def test_lists_of_another_form(body: Any, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/models").respond_with_json(body)
    with pytest.raises(e.InvalidResponseError):
        client.list_models("out")


def test_errors_say_what_the_server_says(client: Client, httpserver: HTTPServer) -> None:
    answering(httpserver, {"error": "no such model"}, status=404)
    with pytest.raises(e.NotFoundError, match="no such model"):
        client.complete("out/m", "hi")
    for name in ("out/", "out/.."):
        with pytest.raises(e.InvalidRequestError):
            client.complete(name, "hi")


def test_the_calls_of_its_own(client: Client, httpserver: HTTPServer) -> None:
    for path, method in (
        ("/models/m/infer", "POST"), ("/models/m/batch_infer", "POST"), ("/models/m/statistics", "GET"),
        ("/models/m/optimize", "POST"), ("/status", "GET"), ("/execute", "POST"), ("/optimize", "POST"), ("/batch_execute", "POST"),
    ):  # fmt: skip
        httpserver.expect_request(path, method=method).respond_with_json({"at": path})
    httpserver.expect_request("/models/m/reload", method="POST").respond_with_data(b"")

    def call(name: str, **arguments: Any) -> Any:
        return client.call("out", name, **arguments)

    assert call("infer", model="m", input={"x": 1}, parameters={"y": 2}) == {"at": "/models/m/infer"}
    assert sent(httpserver) == {"input": {"x": 1}, "parameters": {"y": 2}}
    assert call("batch_infer", model="m", inputs=[1, 2]) == {"at": "/models/m/batch_infer"}
    assert sent(httpserver) == {"inputs": [1, 2]}
    assert call("statistics", model="m") == {"at": "/models/m/statistics"}
    assert call("optimize_model", model="m", optimization_type="speed") == {"at": "/models/m/optimize"}
    assert call("reload_model", model="m") is None
    assert call("status") == {"at": "/status"}
    assert call("execute", input="define", parameters={"a": 1}) == {"at": "/execute"}
    assert sent(httpserver) == {"input": "define", "parameters": {"a": 1}}
    assert call("optimize", input="x") == {"at": "/optimize"}
    assert call("batch_execute", inputs=["x"]) == {"at": "/batch_execute"}


def test_code_runs_only_where_that_is_allowed(httpserver: HTTPServer) -> None:
    with Client(endpoints={"lab": endpoint(httpserver, server="infer")}) as client:
        for name in ("execute", "optimize", "batch_execute"):
            with pytest.raises(e.ConfigError, match="runs code on the server") as caught:
                client.call("lab", name, input="x")
            assert "runs_code = true" in str(caught.value.hint)
    assert httpserver.log == []


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_same_awaited(anyio_backend: str, httpserver: HTTPServer) -> None:
    serving(httpserver)
    answering(httpserver, "hello")
    async with AsyncClient(endpoints={"lab": endpoint(httpserver)}) as client:
        assert (await client.complete("lab/m", "hi")).text == "hello"
