"""What is sent to each host: to its place, with its key, as its row says; and a local host against llama.cpp's server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from ipfs_accel import Client, Config, EndpointConfig, Tool
from ipfs_accel.errors import APIConnectionError, UnsupportedOperationError, UnsupportedParameterError
from ipfs_accel.testing import serve
from ipfs_accel.types import TextDelta, UsageEvent

from .test_rows import LOCAL, ROWS

VARIABLES = {"DATABRICKS_HOST": "https://team.databricks.example", "CLOUDFLARE_ACCOUNT_ID": "acc-1"}
WEATHER = Tool(name="weather", description="Weather", parameters={"type": "object", "properties": {}})
SERVED = sorted(set(ROWS) - {"github-models"})  # which has ended
USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
ANSWER: dict[str, Any] = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
CHUNK = {
    **ANSWER,
    "object": "chat.completion.chunk",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
}


class Recorder:
    """A server in place of a host: what came to it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.url = ""

    def handle(self, connection: Any) -> None:
        while (head := connection.head()) is not None:
            lines = head.strip().split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            content = connection.body(head)
            if lines[0].startswith("GET "):  # whose models these are
                connection.send(b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"data":[]}')
                continue
            asked = json.loads(content)
            self.requests.append((lines[0], fields, asked))
            if asked.get("stream"):
                kind, content = "text/event-stream", f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n"
            elif "input" in asked:
                vectors = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
                kind, content = "application/json", json.dumps({"object": "list", "model": "m", "data": vectors})
            else:
                choices = [{**ANSWER["choices"][0], "index": index} for index in range(asked.get("n", 1))]
                kind, content = "application/json", json.dumps({**ANSWER, "choices": choices})
            size = f"content-length: {len(content)}\r\n"
            connection.send(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{size}\r\n{content}".encode())


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder()
    with serve(found.handle) as server:
        found.url = server.url
        yield found


def target_of(name: str, environ: dict[str, str]) -> Any:
    """Return what holds for a host at its own place."""
    with Client(Config(environ=environ)) as client:
        client.capabilities(name)
        return client._core.targets()[name]


def environ_of(name: str) -> dict[str, str]:
    variables = ROWS[name].get("key_env", {}).get("value", ())
    return VARIABLES | {each: f"key-of-{name}-{each}" for each in variables}


def at(recorder: Recorder, name: str) -> Client:
    """Return a client whose host is the recorder, below the path that it has at its own place."""
    path = urlsplit(target_of(name, environ_of(name)).endpoint.base_url).path
    given = EndpointConfig(base_url=f"{recorder.url}{path}", key=f"key-of-{name}")
    return Client(Config(environ=VARIABLES), endpoints={name: given})


def value(name: str, option: str, otherwise: Any) -> Any:
    return ROWS[name]["options"].get(option, {"value": otherwise})["value"]


@pytest.mark.parametrize("name", SERVED)
def test_the_place_and_the_key_are_the_rows(name: str) -> None:
    target = target_of(name, environ_of(name))
    expected = ROWS[name]["base_url"]["value"]
    for part, said in (("{host}", "team.databricks.example"), ("{account}", "acc-1")):
        expected = expected.replace(part, said)
    assert target.endpoint.base_url == expected
    variables = ROWS[name].get("key_env", {}).get("value", ())
    if variables:
        headers = target.key_headers(target.origin)
        assert headers == (("authorization", f"Bearer key-of-{name}-{variables[0]}"),)
        assert target.key_headers("https://elsewhere.example") == ()
        assert target.sources["key"] == ("set", variables[0])
    is_needed = ROWS[name].get("needs_key", {"value": True})["value"]
    assert target_of(name, VARIABLES).sources["key"][0] == ("missing" if is_needed else "none")


@pytest.mark.parametrize("name", SERVED)
def test_a_chat_is_sent_as_the_row_says(name: str, recorder: Recorder) -> None:
    with at(recorder, name) as client:
        assert client.chat(f"{name}/org/m", "hi", max_tokens=9).text == "hello"
        with client.stream(f"{name}/org/m", "hi", max_tokens=9) as stream:
            events = list(stream)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "hello"
    path = urlsplit(ROWS[name]["base_url"]["value"].replace("{account}", "acc-1")).path
    limit = value(name, "max_tokens_field", "max_tokens")
    other = ({"max_tokens", "max_completion_tokens"} - {limit}).pop()
    for (line, fields, body), is_streamed in zip(recorder.requests, (False, True), strict=True):
        assert line == f"POST {path}/chat/completions HTTP/1.1"
        assert fields["authorization"] == f"Bearer key-of-{name}"
        assert (body["model"], body[limit], other in body) == ("org/m", 9, False)
        assert ("stream_options" in body) is (is_streamed and value(name, "stream_usage", True))


@pytest.mark.parametrize("name", SERVED)
def test_what_a_host_does_not_take_is_refused_before_it_is_sent(name: str, recorder: Recorder) -> None:
    refuses = value(name, "refuses", ["top_k"])
    values: dict[str, Any] = {
        "top_k": 4,
        "seed": 1,
        "user": "ada",
        "logit_bias": {"1": 1},
        "logprobs": True,
        "top_logprobs": 2,
        "frequency_penalty": 0.5,
        "presence_penalty": 0.5,
        "n": 2,
        "parallel_tool_calls": True,
        "reasoning_effort": "low",
    }
    assert set(refuses) <= set(values)
    choices = value(name, "tool_choices", ["auto", "none", "required", "named"])
    with at(recorder, name) as client:
        for option, said in values.items():
            more: dict[str, Any] = {"tools": [WEATHER]} if option == "parallel_tool_calls" else {}
            if option == "top_logprobs":
                more = {"logprobs": True}
            if set(more) & set(refuses):
                continue
            if option in refuses:
                with pytest.raises(UnsupportedParameterError, match=option):
                    client.chat(f"{name}/m", "hi", **{option: said}, **more)
            else:
                client.chat(f"{name}/m", "hi", **{option: said}, **more)
                assert recorder.requests[-1][2][option] == said
        sent = len(recorder.requests)
        assert sent == len(
            [each for each in values if each not in refuses and not (each == "top_logprobs" and "logprobs" in refuses)]
        )
        for form, choice in {"auto": "auto", "none": "none", "required": "required", "named": "weather"}.items():
            if form in choices:
                client.chat(f"{name}/m", "hi", tools=[WEATHER], tool_choice=choice)
                assert "tool_choice" in recorder.requests[-1][2]
            else:
                with pytest.raises(UnsupportedParameterError, match="tool_choice"):
                    client.chat(f"{name}/m", "hi", tools=[WEATHER], tool_choice=choice)


@pytest.mark.parametrize(
    ("name", "options", "sent", "absent"),
    [
        ("cerebras", {"max_tokens": 9}, {"max_completion_tokens": 9}, {"max_tokens"}),
        ("deepseek", {"max_tokens": 9}, {"max_tokens": 9}, {"max_completion_tokens"}),
        ("openrouter", {"top_k": 4}, {"top_k": 4}, set()),
        ("lm-studio", {"response_format": "text", "top_k": 1}, {"top_k": 1}, set()),
        ("mistral", {"stop": ["."]}, {"stop": ["."]}, {"stream_options"}),
    ],
)
def test_some_facts_by_themselves(
    name: str, options: dict[str, Any], sent: dict[str, Any], absent: set[str], recorder: Recorder
) -> None:
    with at(recorder, name) as client, client.stream(f"{name}/m", "hi", **options) as stream:
        list(stream)
    body = recorder.requests[0][2]
    assert {field: body[field] for field in sent} == sent
    assert not absent & set(body)


def test_some_refusals_by_themselves(recorder: Recorder) -> None:
    for name, options in (
        ("lm-studio", {"response_format": "json"}),
        ("deepinfra", {"tools": [WEATHER], "tool_choice": "required"}),
        ("scaleway", {"logit_bias": {"1": 1}}),
        ("zai", {"tools": [WEATHER], "tool_choice": "weather"}),
        ("mistral", {"seed": 1}),
    ):
        with at(recorder, name) as client, pytest.raises(UnsupportedParameterError, match=[*options][-1]):
            client.chat(f"{name}/m", "hi", **options)
    assert recorder.requests == []


@pytest.mark.parametrize("name", [each for each in SERVED if "base64_vectors" in ROWS[each]["options"]])
def test_vectors_are_asked_for_as_the_row_says(name: str, recorder: Recorder) -> None:
    with at(recorder, name) as client:
        assert list(client.embed(f"{name}/m", "text").vectors[0]) == [0.5, 0.25]
    assert (recorder.requests[0][2].get("encoding_format") == "base64") is ROWS[name]["options"]["base64_vectors"][
        "value"
    ]


def test_a_host_that_has_ended_says_so() -> None:
    with Client(Config(environ={"GITHUB_TOKEN": "ghp-0"})) as client:
        with pytest.raises(UnsupportedOperationError, match="GitHub ended its Models on 2026-07-30"):
            client.chat("github-models/openai/gpt-4.1", "hi")
        assert "github-models" not in client.endpoints()


@pytest.mark.parametrize("name", sorted(LOCAL - {"jan"}))  # which wants a key of one's own
def test_local_hosts_against_a_real_server(name: str, llama: Any) -> None:
    options: dict[str, Any] = {"max_tokens": 8, "temperature": 0}
    if "top_k" not in value(name, "refuses", ["top_k"]):
        options["top_k"] = 1
    given = EndpointConfig(base_url=f"{llama.url}/v1")
    with Client(Config(environ={}), endpoints={name: given}) as client:
        whole = client.chat(f"{name}/tiny", "Hello", **options)
        with client.stream(f"{name}/tiny", "Hello", **options) as stream:
            events = list(stream)
        assert stream.response.text == whole.text
        assert stream.response.usage.output_tokens == whole.usage.output_tokens == 8
        assert any(isinstance(event, UsageEvent) for event in events)
        assert [each.id for each in client.list_models(name)] == ["tiny"]
        assert client.healthcheck(name).status == "ok"
        assert len(client.embed(f"{name}/tiny", "text").vectors) == 1


def test_a_local_server_that_is_not_there_says_how_to_start_it() -> None:
    given = EndpointConfig(base_url="http://localhost:1/v1")
    with (
        Client(Config(environ={}), endpoints={"lm-studio": given}) as client,
        pytest.raises(APIConnectionError) as caught,
    ):
        client.chat("lm-studio/m", "hi")
    assert "lms server start" in str(caught.value.hint)
