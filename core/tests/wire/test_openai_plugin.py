"""What a plugin on OpenAI's dialect can change, and what it gets without a word."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest
from ipfs_accel import BackendInfo
from ipfs_accel._headers import Headers
from ipfs_accel.errors import InvalidRequestError, InvalidResponseError
from ipfs_accel.plans import Endpoint, ErrorDetail, Http, HttpResponse, HttpStream
from ipfs_accel.types import ChatRequest, CompletionRequest, EmbedRequest, Health, Message, Reasoning
from ipfs_accel.wire.openai import OpenAICompatible
from ipfs_accel.wire.openai_errors import read_error

INFO = BackendInfo(name="acme", base_url="https://api.acme.example/v1")
ENDPOINT = Endpoint(name="acme", backend="acme", base_url="https://api.acme.example/v1")
CHAT = ChatRequest(model="m", messages=(Message.assistant(Reasoning(text="hm"), "a"), Message.user("hi")), user="u")
COMPLETION = CompletionRequest(model="m", prompt=("a",), user="u")
EMBED = EmbedRequest(model="m", inputs=("a",), user="u")


class Plain(OpenAICompatible):
    api_version = 1
    info = INFO


class Nowhere(Plain):
    reasoning_field = ""


class Local(OpenAICompatible):
    """A server without /v1 in its base URL that is old and has its own ideas."""

    api_version = 1
    info = INFO
    stream_usage = False
    reasoning_field = "reasoning_content"

    def path(self, _endpoint: Endpoint, route: str) -> str:
        return f"/v1{route}"

    def refused(self, _endpoint: Endpoint, _request: Any) -> Collection[str]:
        return ("user",)


def body(plan: Any) -> Any:
    assert isinstance(plan, Http | HttpStream)
    assert plan.send.content is not None
    return json.loads(plan.send.content)


def response(value: Any, **headers: str) -> HttpResponse:
    return HttpResponse(status=200, headers=Headers(list(headers.items())), body=json.dumps(value).encode())


def test_a_plugin_has_to_state_its_version() -> None:
    assert not hasattr(OpenAICompatible, "api_version")


def test_errors_are_read_unless_the_plugin_reads_them_itself() -> None:
    assert Plain().describe().read_error is read_error

    def own(response: HttpResponse) -> ErrorDetail:
        return ErrorDetail(message="own")

    class Own(Plain):
        info = BackendInfo(name="acme", read_error=own)

    assert Own().describe().read_error is own


def test_a_server_that_knows_no_stream_options() -> None:
    for plan in (Local().stream(ENDPOINT, CHAT), Local().stream_complete(ENDPOINT, COMPLETION)):
        assert body(plan)["stream"] is True
        assert "stream_options" not in body(plan)
    request = ChatRequest(messages=CHAT.messages, extra={"stream_options": {"include_usage": True}})
    assert body(Local().stream(ENDPOINT, request))["stream_options"] == {"include_usage": True}


def test_a_server_that_takes_its_reasoning_back() -> None:
    expected = {"role": "assistant", "content": "a", "reasoning_content": "hm"}
    assert body(Local().chat(ENDPOINT, CHAT))["messages"][0] == expected
    assert body(Plain().chat(ENDPOINT, CHAT))["messages"][0] == expected
    assert body(Nowhere().chat(ENDPOINT, CHAT))["messages"][0] == {"role": "assistant", "content": "a"}
    request = ChatRequest(messages=CHAT.messages, extra={"messages": []})
    assert body(Local().chat(ENDPOINT, request))["messages"] == []


def test_routes_may_lie_elsewhere() -> None:
    plans = (Local().chat(ENDPOINT, CHAT), Local().complete(ENDPOINT, COMPLETION), Local().list_models(ENDPOINT))
    paths = [plan.send.path for plan in plans if isinstance(plan, Http)]
    assert paths == ["/v1/chat/completions", "/v1/completions", "/v1/models"]


def test_refused_options_of_every_operation() -> None:
    class NoUser(Plain):
        def refused(self, _endpoint: Endpoint, _request: Any) -> Collection[str]:
            return ("user",)

    plugin = NoUser()
    plans = (plugin.chat(ENDPOINT, CHAT), plugin.complete(ENDPOINT, COMPLETION), plugin.embed(ENDPOINT, EMBED))
    for plan in plans:
        assert isinstance(plan, Http)
        assert "user" not in body(plan)
        assert plan.unsupported == ("user",)
    assert body(plugin.embed(ENDPOINT, EmbedRequest(inputs=("a",), user="u", extra={"user": "x"})))["user"] == "x"


@pytest.mark.parametrize(
    ("expected", "model"),
    [
        ("/models/gpt-5", "gpt-5"),
        ("/models/meta-llama%2FLlama-3", "meta-llama/Llama-3"),
        ("/models/llama3%3A8b", "llama3:8b"),
        ("/models/..%2Ffiles%3Fx%3D1", "../files?x=1"),
    ],
)
def test_one_model(expected: str, model: str) -> None:
    plan = Plain().show_model(ENDPOINT, model)
    assert isinstance(plan, Http)
    assert (plan.send.method, plan.send.path, plan.send.content) == ("GET", expected, None)


@pytest.mark.parametrize("model", ["", ".", ".."])
def test_a_model_that_would_leave_its_path(model: str) -> None:
    with pytest.raises(InvalidRequestError):
        Plain().show_model(ENDPOINT, model)


def test_health_comes_from_the_list_of_models() -> None:
    plan = Plain().healthcheck(ENDPOINT)
    assert isinstance(plan, Http)
    assert (plan.send.method, plan.send.path) == ("GET", "/models")
    expected = Health(status="ok", server="llama.cpp", detail="it lists 1 models")
    assert plan.parse(response({"data": [{"id": "m"}]}, Server="llama.cpp")) == expected
    assert plan.parse(response({"data": []})) == Health(status="ok", detail="it lists 0 models")
    with pytest.raises(InvalidResponseError, match="'data' is missing"):
        plan.parse(response({"hello": "world"}))
