"""Against Ollama's own server, with a model of random weights: every route that it serves, in both worlds."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import math
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types
import pytest
from click.testing import CliRunner
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, JsonSchema, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel._cli.app import app
from ipfs_accel._headers import Headers
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import Image, Progress, Reasoning, Text, TextDelta, ToolCall, Upload
from ipfs_accel_ollama import durations, same_model
from ipfs_accel_ollama._errors import read_error
from pytest_httpserver import HTTPServer

from conftest import HERE, free_port, started

from .ollama_build import ollama_program

pytestmark = pytest.mark.peer

SEEDED: dict[str, Any] = {"seed": 7, "temperature": 0.0, "max_tokens": 12}
TEMPLATE = (
    "{{- if .Suffix }}{{ .Prompt }}<fill>{{ .Suffix }}"
    "{{- else }}{{ if .System }}{{ .System }}\n{{ end }}{{ range .Tools }}{{ . }}\n{{ end }}"
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}"
    "{{ range .ToolCalls }}<tool_call>{{ . }}</tool_call>{{ end }}<|im_end|>\n{{ end }}<|im_start|>assistant\n{{ end }}"
)
TOOL = Tool(
    name="get_weather", description="d", parameters={"type": "object", "properties": {"city": {"type": "string"}}}
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = ollama_program(HERE / ".cache")
    home = tmp_path_factory.mktemp("ollama")
    port = free_port()
    environ = {
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_MODELS": str(home / "models"),
        "HOME": str(home),
        "OLLAMA_NO_CLOUD": "1",
    }
    command = ["env", *[f"{name}={value}" for name, value in environ.items()], str(program), "serve"]
    with started(command, f"http://127.0.0.1:{port}/api/version"):
        yield f"http://127.0.0.1:{port}"


def endpoints(url: str) -> dict[str, EndpointConfig]:
    return {
        "ollama": EndpointConfig(base_url=url),
        "set": EndpointConfig(backend="ollama", base_url=url, options={"num_ctx": 256, "truncate": False}),
    }


@pytest.fixture(scope="module")
def client(url: str, tiny_gguf: Path) -> Iterator[Client]:
    """A client of a server with the models `tiny`, and `able`, whose template knows thoughts, tools and gaps."""
    with Client(Config(environ={}), endpoints=endpoints(url)) as client:
        client.create_model("ollama/tiny", files=tiny_gguf)
        client.create_model("ollama/able", base="tiny", template=TEMPLATE, parameters={"num_ctx": 512})
        yield client


def test_health_and_version(client: Client) -> None:
    health = client.healthcheck("ollama")
    assert health.ok
    assert str(health.server).startswith("Ollama 0.")
    assert "version" in client.call("ollama", "version")
    assert "cloud" in client.call("ollama", "status")


def test_a_model_is_made_of_a_file_and_that_is_told(client: Client, tiny_gguf: Path, tmp_path: Path) -> None:
    sent: list[tuple[int, int]] = []
    file = tmp_path / "copy.gguf"
    file.write_bytes(tiny_gguf.read_bytes() + b"\0" * 32)
    copy = Upload.of(file)
    with client.stream_create_model(
        "ollama/made", files=copy, on_upload=lambda done, total: sent.append((done, total))
    ) as stream:
        events = list(stream)
    assert sent[0] == (0, copy.size)
    assert sent[-1] == (copy.size, copy.size)
    assert all(isinstance(event, Progress) for event in events)
    assert events[-1].status == stream.response.status == "success"
    sent.clear()
    client.create_model("ollama/made", files=copy, on_upload=lambda done, total: sent.append((done, total)))
    assert sent == []  # it is there already
    client.delete_model("ollama/made")


def test_a_chat_whole_and_streamed(client: Client) -> None:
    answer = client.chat("ollama/tiny", "hello", **SEEDED)
    assert answer.finish_reason in {"stop", "length"}
    assert answer.usage.input_tokens
    assert answer.usage.output_tokens
    assert answer.model == "tiny"
    with client.stream("ollama/tiny", "hello", **SEEDED) as stream:
        pieces = [event.text for event in stream if isinstance(event, TextDelta)]
    assert "".join(pieces) == stream.response.text == answer.text
    assert stream.response.usage.output_tokens == answer.usage.output_tokens
    assert stream.response.finish_reason == answer.finish_reason
    times = durations(answer)
    assert (times.total or 0) > 0
    assert (times.tokens_per_second or 0) > 0


def test_options_have_their_effect(client: Client) -> None:
    assert client.chat("ollama/tiny", "hello", max_tokens=3, seed=1).usage.output_tokens == 3
    long = client.chat("ollama/tiny", "hello", **SEEDED).text
    stop = long[3:5]
    assert stop not in client.chat("ollama/tiny", "hello", stop=[stop], **SEEDED).text
    everything = {
        "num_keep": 2,
        "min_p": 0.05,
        "typical_p": 0.9,
        "repeat_last_n": 8,
        "repeat_penalty": 1.2,
        "num_batch": 64,
        "num_thread": 1,
    }
    answer = client.chat(
        "ollama/tiny",
        "hello",
        top_k=5,
        top_p=0.9,
        frequency_penalty=0.5,
        presence_penalty=0.5,
        extra={**everything, "keep_alive": "5m"},
        **SEEDED,
    )
    assert answer.usage.output_tokens


def test_the_form_of_an_answer_is_enforced(client: Client) -> None:
    schema = JsonSchema(schema={"enum": ["red", "blue"]})
    for seed in range(3):
        assert json.loads(
            client.chat("ollama/tiny", "hello", response_format=schema, seed=seed, max_tokens=50).text
        ) in {"red", "blue"}
    answer = client.chat("ollama/tiny", "hello", response_format="json", seed=1, max_tokens=40)
    assert answer.text.lstrip().startswith(("{", "[")) or answer.finish_reason == "length"
    assert json.loads(client.complete("ollama/tiny", "a", extra={"format": {"enum": ["x"]}}, max_tokens=20).text) == "x"


def test_log_probabilities(client: Client) -> None:
    answer = client.chat("ollama/tiny", "hello", logprobs=True, top_logprobs=3, **SEEDED)
    tokens = answer.choices[0].logprobs
    assert tokens
    assert all(token.logprob <= 0 and len(token.top) == 3 for token in tokens)
    streamed = client.stream("ollama/tiny", "hello", logprobs=True, top_logprobs=3, **SEEDED).read().choices[0].logprobs
    assert streamed
    assert [token.token for token in streamed] == [token.token for token in tokens]
    assert client.complete("ollama/tiny", "hello", logprobs=1, **SEEDED).choices[0].logprobs
    with pytest.raises(e.BadRequestError, match="top_logprobs must be between 0 and 20"):
        client.chat("ollama/tiny", "hello", logprobs=True, top_logprobs=21)


def test_completions(client: Client) -> None:
    answer = client.complete("ollama/tiny", "the world", **SEEDED)
    assert client.stream_complete("ollama/tiny", "the world", **SEEDED).read().text == answer.text
    assert all(isinstance(token, int) for token in answer.extra["context"])
    raw = client.complete("ollama/tiny", "the world", extra={"raw": True}, **SEEDED)
    assert "context" not in raw.extra
    several = client.complete("ollama/tiny", ["the world", "hello"], **SEEDED)
    assert [choice.index for choice in several.choices] == [0, 1]
    assert several.choices[0].text == answer.text
    assert client.complete(
        "ollama/tiny", "go on", extra={"context": answer.extra["context"]}, **SEEDED
    ).usage.output_tokens
    assert client.complete(
        "ollama/tiny", "a", extra={"system": "s", "template": "{{ .System }} {{ .Prompt }}"}, **SEEDED
    ).usage.output_tokens
    with pytest.raises(e.BadRequestError, match="raw mode does not support"):
        client.complete("ollama/tiny", "a", extra={"raw": True, "template": "x"})


def test_a_gap_is_filled(client: Client) -> None:
    assert client.complete("ollama/able", "the", suffix="world", **SEEDED).usage.output_tokens
    with pytest.raises(e.NotSupportedByServerError, match="does not support insert"):
        client.complete("ollama/tiny", "the", suffix="world", **SEEDED)


def test_thoughts(client: Client) -> None:
    for effort in ("on", "none", "low", "medium", "high", "max"):
        assert client.chat("ollama/able", "hello", reasoning_effort=effort, **SEEDED).usage.output_tokens
        assert client.stream("ollama/able", "hello", reasoning_effort=effort, **SEEDED).read().usage.output_tokens
    with pytest.raises(e.NotSupportedByServerError, match="does not support thinking"):
        client.chat("ollama/tiny", "hello", reasoning_effort="on")
    with pytest.raises(e.BadRequestError, match="invalid think value"):
        client.chat("ollama/able", "hello", reasoning_effort="xhigh")


def test_tools_are_taken_and_their_results_too(client: Client) -> None:
    messages = [
        Message.user("hello"),
        Message.assistant(
            Reasoning(text="yes"), ToolCall(id="call_1", name="get_weather", arguments='{"city": "paris"}')
        ),
        Message.tool("call_1", "14 C"),
    ]
    assert client.chat("ollama/able", messages, tools=[TOOL], **SEEDED).usage.output_tokens
    assert client.stream("ollama/able", messages, tools=[TOOL], **SEEDED).read().usage.output_tokens
    rendered = client.chat("ollama/able", messages, tools=[TOOL], extra={"_debug_render_only": True}).extra[
        "_debug_info"
    ]["rendered_template"]
    assert "get_weather" in rendered
    assert "<think>yes</think>" in rendered
    assert '"city":"paris"' in rendered
    assert "14 C" in rendered
    with pytest.raises(e.NotSupportedByServerError, match="does not support tools"):
        client.chat("ollama/tiny", "hello", tools=[TOOL])


def test_embeddings(client: Client) -> None:
    answer = client.embed("ollama/tiny", ["the world", "hello"])
    assert len(answer.vectors) == 2
    assert all(math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-3) for vector in answer.vectors)
    assert answer.usage.input_tokens
    (short,) = client.embed("ollama/tiny", "the world", dimensions=8).vectors
    assert len(short) == 8
    assert math.isclose(math.hypot(*short), 1.0, rel_tol=1e-3)
    (one,) = client.embed("ollama/tiny", "the world").vectors
    old = client.call("ollama", "embeddings", model="tiny", prompt="the world")["embedding"]
    assert len(old) == len(one)
    assert client.call("ollama", "embeddings", model="tiny", prompt="")["embedding"] == []


def test_what_is_too_long_is_cut_or_told(client: Client) -> None:
    long = "hello " * 1000
    assert client.embed("ollama/tiny", long, extra={"num_ctx": 256, "truncate": True}).usage.input_tokens
    for call in (client.embed, client.chat, client.complete):
        with pytest.raises(e.ContextLengthExceededError):
            call("set/tiny", long)


def test_what_its_other_routes_do_in_silence_is_told(client: Client, url: str) -> None:
    endpoints = {
        "v1": EndpointConfig(backend="openai", base_url=f"{url}/v1", key="none"),
        "messages": EndpointConfig(backend="claude", base_url=url, key="none"),
    }
    with Client(Config(environ={}), endpoints=endpoints) as others:
        with pytest.warns(UserWarning, match="fills the model's context of 512 tokens"):
            others.chat("v1/able", "hello " * 2000, max_tokens=2)
        with pytest.warns(UserWarning, match="fills the model's context of 512 tokens"):
            others.stream("v1/able", "hello " * 2000, max_tokens=2).read()
        with pytest.raises(e.UnsupportedParameterError, match="n, logit_bias"):
            others.chat("v1/able", "hello", n=2, logit_bias={"1": 2})
        with pytest.raises(e.UnsupportedParameterError, match="Ollama ignores it in this dialect"):
            others.chat("messages/able", "hello", max_tokens=4, response_format=JsonSchema(schema={"type": "object"}))


@pytest.mark.parametrize("backend", ["openai", "claude"])
@pytest.mark.parametrize("streamed", [True, False])
def test_the_first_call_in_another_dialect_tells_of_a_cut_prompt(
    backend: str, streamed: bool, client: Client, url: str
) -> None:
    """Nobody knows beforehand who answers: the port is not Ollama's usual one."""
    root = f"{url}/v1" if backend == "openai" else url
    endpoints = {"own": EndpointConfig(backend=backend, base_url=root, key="none")}
    with Client(Config(environ={}), endpoints=endpoints) as other:
        ask = (lambda *given, **more: other.stream(*given, **more).read()) if streamed else other.chat
        with pytest.warns(UserWarning, match="fills the model's context of 512 tokens"):
            ask("own/able", "hello " * 2000, max_tokens=2)


def test_thoughts_reach_the_prompt_in_another_dialect_too(client: Client, url: str) -> None:
    thought = Message(role="assistant", content=(Reasoning(text="why " * 40), Text(text="a")))
    endpoints = {"own": EndpointConfig(backend="openai", base_url=f"{url}/v1", key="none")}
    with Client(Config(environ={}), endpoints=endpoints) as other:
        # The first answer shows who it is.
        histories = [[Message.user("q"), said, Message.user("b")] for said in (Message.assistant("a"), thought)]
        used = [other.chat("own/able", each, max_tokens=2).usage.input_tokens or 0 for each in histories]
    assert used[1] > used[0] + 40


def test_a_picture_for_a_model_that_cannot_see(client: Client) -> None:
    with pytest.raises(e.NotSupportedByServerError, match="has no vision"):
        client.chat("ollama/tiny", Message.user("what is it?", Image(data=b"\x89PNG\r\n\x1a\n0")))


def test_a_schema_is_held_as_far_as_its_grammar_goes(client: Client) -> None:
    part = {"type": "number", "minimum": 0.25, "maximum": 0.5}
    form = {"type": "object", "properties": {"p": part}, "required": ["p"]}

    def until_one_breaks_it() -> None:
        with pytest.raises(e.SchemaViolationError, match=r"minimum|maximum"):
            for seed in range(20):
                client.chat("ollama/tiny", "Go.", response_format=JsonSchema(schema=form), seed=seed, max_tokens=200)

    with pytest.warns(UserWarning, match="Ollama does not enforce minimum"):
        until_one_breaks_it()


def test_models_are_listed_and_shown(client: Client) -> None:
    names = [model.id for model in client.list_models("ollama")]
    assert {"tiny:latest", "able:latest"} <= set(names)
    tiny, able = client.show_model("ollama/TINY"), client.show_model("ollama/able")
    assert (tiny.context_window, able.context_window) == (2048, 512)
    assert str(client.supports("ollama/tiny", "chat")) == "yes (server)"
    for what in ("tools", "insert", "reasoning"):
        assert str(client.supports("ollama/tiny", what)) == "no (server)"
        assert str(client.supports("ollama/able", what)) == "yes (server)"
    assert client.call("ollama", "show", model="tiny", verbose=True)["model_info"]["tokenizer.ggml.tokens"]
    assert "set/tiny:latest" in [match.name for match in client.find(["set"], operation="chat")]


def test_models_are_loaded_told_and_unloaded(client: Client) -> None:
    client.load_model("ollama/tiny", extra={"keep_alive": "1h", "num_ctx": 1024})
    (running,) = [model for model in client.running_models("ollama") if same_model(model.id, "tiny")]
    assert running.context_window == 1024
    assert running.size
    assert running.expires
    client.unload_model("ollama/tiny")
    until = time.monotonic() + 120
    while any(same_model(model.id, "tiny") for model in client.running_models("ollama")):
        assert time.monotonic() < until  # the server answers before it has done it
        time.sleep(0.02)
    assert client.complete("ollama/tiny", "").finish_reason == "load"
    assert client.stream_complete("ollama/tiny", "").read().finish_reason == "load"
    assert client.complete("ollama/tiny", "", extra={"keep_alive": 0}).finish_reason == "unload"


def test_models_are_made_of_models(client: Client) -> None:
    client.create_model(
        "ollama/terse", base="tiny", system="Be brief", parameters={"temperature": 0.5, "stop": ["x", "y"]}, license=["MIT"],
        messages=["hello", Message.assistant("yes")], template="{{ .System }} {{ .Prompt }}",
    )  # fmt: skip
    shown = client.call("ollama", "show", model="terse")
    assert (shown["system"], shown["license"], shown["template"]) == ("Be brief", "MIT", "{{ .System }} {{ .Prompt }}")
    assert "temperature" in shown["parameters"]
    assert [message["content"] for message in shown["messages"]] == ["hello", "yes"]
    client.copy_model("ollama/terse", "me/second")
    assert "me/second:latest" in [model.id for model in client.list_models("ollama")]
    client.delete_model("ollama/me/second")
    client.delete_model("ollama/terse")
    with pytest.raises(e.ModelNotFoundError):
        client.delete_model("ollama/terse")
    with pytest.raises(e.ModelNotFoundError):
        client.copy_model("ollama/terse", "other")


def test_weights_are_quantized(client: Client, tiny_gguf: Path) -> None:
    events: list[Any] = []
    try:
        with client.stream_create_model("ollama/small", files=tiny_gguf, quantize="q8_0") as stream:
            events = list(stream)
    except e.APIStatusError as error:
        assert "quantiz" in error.message  # noqa: PT017 - the weights' type decides whether it can be
        return
    assert any("quantizing" in event.status for event in events)
    assert client.chat("ollama/small", "hello", **SEEDED).usage.output_tokens
    client.delete_model("ollama/small")


def test_blobs(client: Client, tmp_path: Path) -> None:
    data = b"some bytes" * 1000
    file = tmp_path / "file.bin"
    file.write_bytes(data)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert client.call("ollama", "blob_exists", digest=digest) is False
    assert client.call("ollama", "create_blob", file=file) == digest
    assert client.call("ollama", "blob_exists", digest=digest) is True
    with pytest.raises(e.APIStatusError):
        client.create_model("ollama/none", files=file)


def test_a_model_that_is_missing_can_be_pulled(client: Client) -> None:
    for call in (
        lambda: client.chat("ollama/none", "hi"),
        lambda: client.stream("ollama/none", "hi").read(),
        lambda: client.complete("ollama/none", "hi"),
        lambda: client.embed("ollama/none", "hi"),
        lambda: client.show_model("ollama/none"),
        lambda: client.load_model("ollama/none"),
    ):
        with pytest.raises(e.ModelNotFoundError) as caught:
            call()
        assert caught.value.hint == "get it with: ipfs-accel pull ollama/none"


def registry(httpserver: HTTPServer, weights: bytes) -> str:
    """Serve one model as a registry of models does; returns the model's name there."""
    config = json.dumps(
        {
            "model_format": "gguf",
            "model_family": "llama",
            "model_type": "1M",
            "file_type": "F32",
            "rootfs": {"type": "layers", "diff_ids": []},
        }
    ).encode()
    layers = []
    for kind, data in (
        ("application/vnd.docker.container.image.v1+json", config),
        ("application/vnd.ollama.image.model", weights),
    ):
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        layers.append({"mediaType": kind, "digest": digest, "size": len(data)})
        for method in ("GET", "HEAD"):
            httpserver.expect_request(f"/v2/me/tiny/blobs/{digest}", method=method).respond_with_handler(
                lambda request, data=data: ranged(request, data)
            )
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": layers[0],
        "layers": layers[1:],
    }
    httpserver.expect_request("/v2/me/tiny/manifests/1m").respond_with_json(manifest)
    return f"{httpserver.url_for('')}me/tiny:1m".replace("localhost", "127.0.0.1")


def ranged(request: Any, data: bytes) -> Any:
    """Serve a blob as such registries do: its path leads elsewhere, and from there it comes in parts."""
    from werkzeug import Response

    if request.method == "HEAD":
        return Response(headers={"Content-Length": str(len(data))})
    if "range" not in request.headers:
        elsewhere = request.url.replace("127.0.0.1", "localhost")  # Ollama's server insists on another host
        return Response(status=307, headers={"Location": f"{elsewhere}?part"})
    first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
    return Response(data[int(first) : int(last or len(data) - 1) + 1], status=206)


def test_a_model_is_pulled_with_progress(client: Client, httpserver: HTTPServer, tiny_gguf: Path) -> None:
    weights = tiny_gguf.read_bytes() + b"\0" * 64
    name = registry(httpserver, weights)
    with client.stream_pull_model(f"ollama/{name}", extra={"insecure": True}) as stream:
        events = list(stream)
    assert events[0].status == "pulling manifest"
    assert any(event.item and event.total == len(weights) == event.completed for event in events)
    assert stream.response.status == "success"
    assert any("me/tiny:1m" in model.id for model in client.list_models("ollama"))


def test_a_pull_that_fails_says_so_although_its_status_was_200(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2/me/none/manifests/latest").respond_with_json({"errors": []}, status=404)
    name = f"{httpserver.url_for('')}me/none".replace("localhost", "127.0.0.1")
    with pytest.raises(e.ModelNotFoundError, match="file does not exist") as caught:
        client.pull_model(f"ollama/{name}", extra={"insecure": True})
    assert caught.value.hint is None
    with pytest.raises(e.APIError):
        client.push_model("ollama/tiny")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"num_ctx": "many"}, "must be of type integer"),
        ({"format": "xml"}, "invalid format"),
        ({"options": {"stop": "x"}}, "must be of type array"),
    ],
)
def test_what_the_server_refuses(extra: dict[str, Any], message: str, client: Client) -> None:
    with pytest.raises(e.BadRequestError, match=message) as caught:
        client.chat("ollama/tiny", "hi", extra=extra)
    assert not caught.value.retryable


def test_a_foreign_host_is_refused_without_a_word(url: str) -> None:
    connection = HTTPConnection(url.removeprefix("http://"))
    connection.request("GET", "/api/tags", headers={"Host": "ollama.example"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert (answer.status, body) == (403, b"")
    assert "set Host to localhost" in str(read_error(HttpResponse(status=403, headers=Headers([]), body=body)).hint)


def test_a_stream_that_is_left_ends_the_work(client: Client) -> None:
    with client.stream("ollama/tiny", "hello", max_tokens=2000, seed=1) as stream:
        next(iter(stream))
    assert client.chat("ollama/tiny", "hello", **SEEDED).usage.output_tokens


def test_the_vendors_client_reads_the_same(client: Client, url: str) -> None:
    vendor = pytest.importorskip("ollama")
    with vendor.Client(url) as sdk:
        expected = sdk.chat(
            "tiny", [{"role": "user", "content": "hello"}], options={"seed": 7, "temperature": 0, "num_predict": 12}
        )
        vectors = sdk.embed("tiny", ["the world", "hello"]).embeddings
    answer = client.chat("ollama/tiny", "hello", **SEEDED)
    assert (answer.text, answer.finish_reason) == (expected.message.content, expected.done_reason)
    assert answer.usage.output_tokens == expected.eval_count
    ours = client.embed("ollama/tiny", ["the world", "hello"]).vectors
    assert [list(vector) for vector in ours] == [pytest.approx(vector, abs=1e-5) for vector in vectors]


@pytest.fixture
def other_weights(tiny_gguf: Path) -> bytes:
    return tiny_gguf.read_bytes() + b"\0" * 96


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_same_awaited(client: Client, url: str, other_weights: bytes) -> None:
    async with AsyncClient(Config(environ={}), endpoints=endpoints(url)) as other:
        assert (await other.healthcheck("ollama")).ok
        expected = client.chat("ollama/tiny", "hello", **SEEDED).text
        assert (await other.chat("ollama/tiny", "hello", **SEEDED)).text == expected
        async with other.stream("ollama/tiny", "hello", **SEEDED) as stream:
            assert "".join([event.text async for event in stream if isinstance(event, TextDelta)]) == expected
        completed = client.complete("ollama/tiny", "the", **SEEDED).text
        assert (await other.complete("ollama/tiny", "the", **SEEDED)).text == completed
        assert (await other.stream_complete("ollama/tiny", "the", **SEEDED).read()).text == completed
        assert len((await other.embed("ollama/tiny", ["a", "b"])).vectors) == 2
        changed = Upload.of(other_weights, name="w.gguf")
        async with other.stream_create_model("ollama/async", files=changed) as making:
            assert [event.status async for event in making][-1] == "success"
        await other.copy_model("ollama/async", "async2")
        for name in ("async", "async2"):
            await other.delete_model(f"ollama/{name}")
        await other.load_model("ollama/tiny")
        assert [model.id for model in await other.running_models("ollama") if same_model(model.id, "tiny")]
        await other.unload_model("ollama/tiny")
        assert "tiny:latest" in [model.id for model in await other.list_models("ollama")]
        assert (await other.show_model("ollama/tiny")).context_window == 2048
        assert (await other.supports("ollama/able", "tools")).value == "yes"
        with pytest.raises(e.ModelNotFoundError):
            await other.chat("ollama/none", "hi")


def test_the_command_line(client: Client, url: str, monkeypatch: pytest.MonkeyPatch, tiny_gguf: Path) -> None:
    monkeypatch.setenv("OLLAMA_HOST", url)
    monkeypatch.setenv("IPFS_ACCEL_CONFIG", "/dev/null")

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return result

    assert run("create", "ollama/cli", "-f", str(tiny_gguf), "-s", "Be brief").stdout == "ollama/cli\n"
    assert "success" in run("create", "ollama/cli2", "--from", "cli").stderr
    assert run("chat", "-m", "ollama/cli", "hello", "-o", "max_tokens=3", "-O", "num_ctx=512").stdout
    assert "ollama/cli:latest" in run("ps").stdout
    assert run("cp", "ollama/cli", "cli3").stdout == "ollama/cli3\n"
    assert "context window\t2048" in run("show", "ollama/cli").stdout
    run("unload", "ollama/cli")
    run("rm", "ollama/cli", "ollama/cli2", "ollama/cli3")
    assert "ollama/tiny:latest" in run("models", "ollama").stdout
    assert "server        ollama listens" in run("doctor").stdout


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


@dataclasses.dataclass
class Pick:
    size: Size
    pair: tuple[Literal[1, 2], Literal["x"]]
    code: Annotated[str, annotated_types.Len(2, 2)]
    note: Literal["n"] | None = None


@pytest.fixture(params=["ollama", "openai"])
def model(request: pytest.FixtureRequest, url: str, client: Client) -> Iterator[tuple[Client, str]]:
    """A client that reaches the server by its own API, or by OpenAI's dialect, and the endpoint's name."""
    at = EndpointConfig(backend=request.param, base_url=url if request.param == "ollama" else f"{url}/v1", key="none")
    assert client.healthcheck("ollama").ok  # the models are there
    with Client(Config(environ={}), endpoints={"x": at}) as other:
        yield other, "x"


def test_it_is_held_to_a_class(model: tuple[Client, str]) -> None:
    client, at = model
    for seed in range(3):
        reply = client.chat(f"{at}/tiny", "hello", response_format=Pick, seed=seed, max_tokens=400)
        assert reply.parsed.size in Size
        assert reply.parsed.pair in {(1, "x"), (2, "x")}
        assert len(reply.parsed.code) == 2
    with client.stream(f"{at}/tiny", "hello", response_format=list[Size], seed=1, max_tokens=400) as stream:
        *_, last = [stream.partial for _ in stream]
    assert [Size(each) for each in last or ()] == stream.response.parsed


def test_a_run_asks_and_ends_in_a_value(model: tuple[Client, str]) -> None:
    """The model is random and calls nothing; what it is told of a call that was made, and the value, are the server's."""
    client, at = model

    def get_weather(city: str) -> str:
        """Tell the weather."""
        return f"14 C in {city}"

    # A model that may think is held to no form before it has ended its thoughts.
    asked: dict[str, Any] = {
        "tools": [get_weather],
        "response_format": Size,
        "reasoning_effort": "none",
        "seed": 1,
        "max_tokens": 50,
    }
    before = [
        Message.user("hello"),
        Message.assistant(ToolCall(id="call_1", name="get_weather", arguments='{"city": "paris"}')),
        Message.tool("call_1", "14 C"),
    ]
    for messages in ("hello", before):
        result = client.run(f"{at}/able", messages, **asked)
        assert (result.parsed in Size, result.rounds, result.stopped) == (True, 1, None)
        with client.stream_run(f"{at}/able", messages, **asked) as stream:
            assert stream.read().parsed is result.parsed
