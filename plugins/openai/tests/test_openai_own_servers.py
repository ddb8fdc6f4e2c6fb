"""Servers of one's own that answer with less than was asked for: what the caller is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, Message, Tool
from ipfs_accel.errors import UnsupportedParameterError
from ipfs_accel.types import Reasoning, Text
from pytest_httpserver import HTTPServer

CHAT = "/v1/chat/completions"


@pytest.fixture
def url(httpserver: HTTPServer) -> str:
    return httpserver.url_for("/v1")


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    endpoints = {
        "own": EndpointConfig(backend="openai", base_url=url, key="k"),
        "responses": EndpointConfig(backend="openai", base_url=url, key="k", options={"api": "responses"}),
    }
    with Client(Config(environ={}), endpoints=endpoints) as client:
        yield client


def ollama(httpserver: HTTPServer, used: int, context: int = 64) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": used, "completion_tokens": 1, "total_tokens": used + 1}
    body = {"id": "c", "model": "m", "system_fingerprint": "fp_ollama", "choices": [choice], "usage": usage}
    httpserver.expect_request(CHAT).respond_with_json(body)
    httpserver.expect_request("/v1/models").respond_with_json({"data": [{"id": "m:latest", "owned_by": "library"}]})
    httpserver.expect_request("/api/ps").respond_with_json(
        {"models": [{"name": "m:latest", "context_length": context}]}
    )


def paths(httpserver: HTTPServer) -> list[str]:
    return [request.path for request, _ in httpserver.log]


def asked(httpserver: HTTPServer) -> Any:
    """Return the body of the last chat."""
    return [request.get_json() for request, _ in httpserver.log if request.path == CHAT][-1]


def test_a_prompt_that_fills_ollamas_context_is_warned_of(client: Client, httpserver: HTTPServer) -> None:
    ollama(httpserver, used=64)
    for _ in range(2):
        with pytest.warns(UserWarning, match="fills the model's context of 64 tokens"):
            assert client.chat("own/m", "long").text == "ok"
    assert paths(httpserver).count("/api/ps") == 1


def test_one_that_does_not_is_not(client: Client, httpserver: HTTPServer) -> None:
    ollama(httpserver, used=62)
    assert client.chat("own/m", "short").text == "ok"


def test_what_ollama_ignores_is_named_once_it_is_known(client: Client, httpserver: HTTPServer) -> None:
    ollama(httpserver, used=3)
    with pytest.warns(UserWarning, match="the server gave 1 of the 2 answers"):
        client.chat("own/m", "q", n=2)
    with pytest.raises(UnsupportedParameterError, match="n, logit_bias, tool_choice"):
        client.chat("own/m", "q", n=2, logit_bias={"1": 2}, tool_choice="none")


CHUNKS = (
    'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}]}\n\n'
    "data: [DONE]\n\n"
)
F, G = Tool(name="f"), Tool(name="g")


def answering(httpserver: HTTPServer, owner: str, *, streamed: bool) -> None:
    httpserver.expect_request("/v1/models").respond_with_json({"data": [{"id": "m", "owned_by": owner}]})
    httpserver.expect_request("/api/ps").respond_with_json({"models": []})
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    if streamed:
        httpserver.expect_request(CHAT).respond_with_data(CHUNKS, content_type="text/event-stream")
    else:
        httpserver.expect_request(CHAT).respond_with_json({"id": "c", "choices": [choice]})


def call(client: Client, *arguments: Any, streamed: bool, **options: Any) -> Any:
    return client.stream(*arguments, **options).read() if streamed else client.chat(*arguments, **options)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_that_is_named_is_sent_alone_to_llama_cpp(
    streamed: bool, client: Client, httpserver: HTTPServer
) -> None:
    answering(httpserver, "llamacpp", streamed=streamed)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"the other tools \(f\) cannot be called"):
            call(client, "own/m", "q", tools=[F, G], tool_choice="g", streamed=streamed)
        body = asked(httpserver)
        assert ([tool["function"]["name"] for tool in body["tools"]], body["tool_choice"]) == (["g"], "required")
    assert paths(httpserver).count("/v1/models") == 1
    call(client, "own/m", "q", tools=[G], tool_choice="g", streamed=streamed)  # nothing is lost, and nothing is told
    with (
        pytest.raises(UnsupportedParameterError, match="parallel_tool_calls"),
        pytest.warns(UserWarning, match="alone"),
    ):
        call(client, "own/m", "q", tools=[F, G], tool_choice="g", parallel_tool_calls=True, streamed=streamed)


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_at_a_server_that_heeds_no_choice(streamed: bool, client: Client, httpserver: HTTPServer) -> None:
    answering(httpserver, "library", streamed=streamed)
    call(client, "own/m", "q", tools=[F, G], tool_choice="none", streamed=streamed)
    assert not {"tools", "tool_choice"} & asked(httpserver).keys()
    for choice in ("required", "g"):
        with pytest.raises(UnsupportedParameterError, match="tool_choice"):
            call(client, "own/m", "q", tools=[F, G], tool_choice=choice, streamed=streamed)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_server_that_heeds_names_is_sent_all_tools(streamed: bool, client: Client, httpserver: HTTPServer) -> None:
    answering(httpserver, "vllm", streamed=streamed)
    call(client, "own/m", "q", tools=[F, G], tool_choice="g", streamed=streamed)
    assert (len(asked(httpserver)["tools"]), asked(httpserver)["tool_choice"]["function"]["name"]) == (2, "g")
    call(client, "own/m", "q", tools=[F, G], streamed=streamed)  # no choice, nothing to know
    assert paths(httpserver).count("/v1/models") == 1


def test_a_call_that_was_cut_is_told(client: Client, httpserver: HTTPServer) -> None:
    message = {"role": "assistant", "content": '<tool_call> {"name":"g'}
    body = {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "length"}]}
    httpserver.expect_request(CHAT).respond_with_json(body)
    with pytest.warns(UserWarning, match="before its name was whole"):
        assert client.chat("own/m", "q", tools=[G], max_tokens=9).text == ""


def ollamas_stream(httpserver: HTTPServer, used: int) -> None:
    ollama(httpserver, used)
    said = {"id": "c", "model": "m", "system_fingerprint": "fp_ollama"}
    choice = {"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": used, "completion_tokens": 1, "total_tokens": used + 1}
    chunks = [{**said, "choices": [choice]}, {**said, "choices": [], "usage": usage}]
    body = "".join([f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]) + "data: [DONE]\n\n"
    httpserver.clear()
    ollama(httpserver, used)
    httpserver.expect_oneshot_request(CHAT).respond_with_data(body, content_type="text/event-stream")


@pytest.mark.parametrize(("used", "is_told"), [(64, True), (62, False)])
@pytest.mark.parametrize("library", [None, "asyncio", "trio"])
def test_the_first_stream_tells_of_a_filled_context_too(
    library: str | None, used: int, is_told: bool, url: str, httpserver: HTTPServer, recwarn: pytest.WarningsRecorder
) -> None:
    """Nobody knew until then that it is Ollama that answers at this port."""
    ollamas_stream(httpserver, used)
    made = {"endpoints": {"own": EndpointConfig(backend="openai", base_url=url, key="k")}}

    async def run() -> str:
        async with AsyncClient(Config(environ={}), **made) as client, client.stream("own/m", "long") as stream:
            return (await stream.read()).text  # type: ignore[no-any-return]

    if library is None:
        with Client(Config(environ={}), **made) as client:  # type: ignore[arg-type]
            assert client.stream("own/m", "long").read().text == "ok"
    else:
        assert anyio.run(run, backend=library) == "ok"
    assert paths(httpserver) == [CHAT, "/api/ps"]
    told = [str(each.message) for each in recwarn if "fills the model's context of 64 tokens" in str(each.message)]
    assert len(told) == is_told


THOUGHT = Message(role="assistant", content=(Reasoning(text="hm"), Text(text="a")))


@pytest.mark.parametrize(
    ("mark", "option", "place"),
    [
        ({"kv_transfer_params": None}, None, "reasoning"),
        ({"system_fingerprint": "fp_ollama"}, None, "reasoning"),
        ({}, None, "reasoning_content"),
        ({"kv_transfer_params": None}, "thinking", "thinking"),
    ],
)
def test_thoughts_written_by_hand_go_where_a_known_server_reads_them(
    mark: dict[str, Any], option: str | None, place: str, url: str, httpserver: HTTPServer
) -> None:
    """vLLM and Ollama drop `reasoning_content` without a word; their answers show who they are."""
    httpserver.expect_request("/v1/models").respond_with_json({"data": []})
    httpserver.expect_request("/api/ps").respond_with_json({"models": []})
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    httpserver.expect_request(CHAT).respond_with_json({"id": "c", "choices": [choice], **mark})
    options = {} if option is None else {"reasoning_field": option}
    endpoints = {"own": EndpointConfig(backend="openai", base_url=url, key="k", options=options)}
    with Client(Config(environ={}), endpoints=endpoints) as client:
        client.chat("own/m", "q")
        client.chat("own/m", [Message.user("q"), THOUGHT, Message.user("b")])
    *_, last = [json.loads(request.get_data()) for request, _ in httpserver.log if request.path == CHAT]
    assert last["messages"][1] == {"role": "assistant", "content": "a", place: "hm"}


def test_other_servers_are_asked_nothing_more(client: Client, httpserver: HTTPServer) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    httpserver.expect_request(CHAT).respond_with_json({"id": "c", "choices": [choice]})
    for _ in range(2):
        client.chat("own/m", "q", logit_bias={"1": 2})
    assert paths(httpserver) == [CHAT, CHAT]


@pytest.mark.parametrize(("made", "reason"), [(3, "length"), (2, "stop")])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_as_long_as_the_limit_was_cut_though_it_is_called_completed(
    made: int, reason: str, streamed: bool, client: Client, httpserver: HTTPServer
) -> None:
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a b c"}]}
    usage = {"input_tokens": 1, "output_tokens": made, "total_tokens": made + 1}
    body: dict[str, Any] = {"id": "r", "status": "completed", "model": "m", "output": [item], "usage": usage}
    if streamed:
        event = json.dumps({"type": "response.completed", "response": body})
        text = f"event: response.completed\ndata: {event}\n\n"
        httpserver.expect_request("/v1/responses").respond_with_data(text, content_type="text/event-stream")
        answer = client.stream("responses/m", "q", max_tokens=3).read()
    else:
        httpserver.expect_request("/v1/responses").respond_with_json(body)
        answer = client.chat("responses/m", "q", max_tokens=3)
    assert (answer.text, answer.finish_reason) == ("a b c", reason)
