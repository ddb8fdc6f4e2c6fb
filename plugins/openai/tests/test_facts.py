"""What servers of the dialect want otherwise than it is published: options of an endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig, JsonSchema, Message, Tool
from ipfs_accel.errors import ConfigError, InvalidRequestError, UnsupportedParameterError
from ipfs_accel.plans import Endpoint, Held
from ipfs_accel.types import ChatRequest, EmbedRequest, Reasoning, Text
from ipfs_accel_openai import Azure, AzureOptions, Options, backend
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

WEATHER = Tool(name="weather", description="Weather", parameters={"type": "object", "properties": {}})
SCHEMA = JsonSchema(schema={"type": "object"}, name="answer")


def at(**options: Any) -> Endpoint:
    return Endpoint(name="acme", backend="openai", base_url="https://acme.example/v1", options=Options(**options))


def chat(**fields: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=(Message.user("hi"),), **fields)


def body(endpoint: Endpoint, request: ChatRequest, operation: str = "chat") -> dict[str, Any]:
    return json.loads(planned(endpoint, request, operation).send.content)  # type: ignore[no-any-return]


def unsupported(endpoint: Endpoint, request: ChatRequest) -> tuple[str, ...]:
    return planned(endpoint, request).unsupported  # type: ignore[no-any-return]


def planned(endpoint: Endpoint, request: ChatRequest, operation: str = "chat") -> Any:
    """Return what is sent, whatever is done with its answer."""
    plan = getattr(backend, operation)(endpoint, request)
    return plan.plan if isinstance(plan, Held) else plan


def test_the_limit_goes_under_the_servers_name() -> None:
    asked = chat(max_tokens=7)
    assert body(at(), asked)["max_tokens"] == 7
    named = body(at(max_tokens_field="max_completion_tokens"), asked)
    assert (named["max_completion_tokens"], "max_tokens" in named) == (7, False)
    both = chat(max_tokens=7, extra={"max_tokens": 9})
    assert body(at(max_tokens_field="max_completion_tokens"), both)["max_tokens"] == 9


def test_openais_own_service_keeps_its_name_whatever_an_option_says() -> None:
    own = Endpoint(
        name="openai",
        backend="openai",
        base_url="https://api.openai.com/v1",
        options=Options(max_tokens_field="max_tokens"),
    )
    assert body(own, chat(max_tokens=7))["max_completion_tokens"] == 7
    azure = Endpoint(name="azure", backend="azure", base_url="https://a.example", options=AzureOptions())
    plan: Any = Azure().chat(azure, chat(max_tokens=7))
    assert json.loads(plan.send.content)["max_completion_tokens"] == 7


def test_a_stream_asks_for_its_usage_where_the_server_knows_that() -> None:
    assert body(at(), chat(), "stream")["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body(at(stream_usage=False), chat(), "stream")
    asked = chat(extra={"stream_options": {"include_usage": True}})
    assert body(at(stream_usage=False), asked, "stream")["stream_options"] == {"include_usage": True}


def test_vectors_come_in_base64_where_the_server_can() -> None:
    request = EmbedRequest(model="m", inputs=("a",))
    plain: Any = backend.embed(at(), request)
    assert json.loads(plain.send.content)["encoding_format"] == "base64"
    numbers: Any = backend.embed(at(base64_vectors=False), request)
    assert "encoding_format" not in json.loads(numbers.send.content)


@pytest.mark.parametrize(
    ("choice", "form"), [("auto", "auto"), ("none", "none"), ("required", "required"), ("weather", "named")]
)
def test_a_form_of_tool_choice_that_the_server_does_not_take_is_named_and_left_out(choice: str, form: str) -> None:
    request = chat(tools=(WEATHER,), tool_choice=choice)
    assert "tool_choice" in body(at(), request)
    assert unsupported(at(), request) == ()
    others = tuple({"auto", "none", "required", "named"} - {form})
    assert "tool_choice" not in body(at(tool_choices=others), request)
    assert unsupported(at(tool_choices=others), request) == ("tool_choice",)
    assert unsupported(at(tool_choices=(form,)), request) == ()
    assert unsupported(at(tool_choices=()), chat(tools=(WEATHER,))) == ()


@pytest.mark.parametrize(("value", "form"), [("json", "json_object"), (SCHEMA, "json_schema")])
def test_a_form_of_answers_that_the_server_does_not_take_is_named_and_left_out(value: Any, form: str) -> None:
    request = chat(response_format=value)
    assert backend.chat_body(at(), request, stream=False)["response_format"]["type"] == form
    others = tuple({"json_object", "json_schema"} - {form})
    assert "response_format" not in body(at(response_formats=others), request)
    assert unsupported(at(response_formats=others), request) == ("response_format",)
    assert backend.unsupported(at(response_formats=(form,)), request) == ()
    assert backend.unsupported(at(response_formats=()), chat(response_format="text")) == ()


def test_what_a_server_refuses_is_what_its_option_says() -> None:
    request = chat(top_k=4, seed=1, user="ada")
    assert unsupported(at(), request) == ("top_k",)
    assert unsupported(at(refuses=()), request) == ()
    assert body(at(refuses=()), request)["top_k"] == 4
    assert unsupported(at(refuses=("seed", "user")), request) == ("seed", "user")
    assert set(body(at(refuses=("seed", "user")), request)) == {"model", "messages", "top_k"}


def test_reasoning_goes_back_where_the_server_wants_it() -> None:
    said = Message(role="assistant", content=(Reasoning(text="Hm."), Text(text="Yes.")))
    request = ChatRequest(model="m", messages=(Message.user("hi"), said, Message.user("why?")))
    assert body(at(reasoning_field="reasoning_content"), request)["messages"][1]["reasoning_content"] == "Hm."
    assert set(body(at(reasoning_field=""), request)["messages"][1]) == {"role", "content"}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_tokens_field": "limit"}, "max_tokens_field"),
        ({"stream_usage": "no"}, "stream_usage"),
        ({"tool_choices": ["any"]}, "'any' is not one of auto, named, none, required"),
        ({"response_formats": ["xml"]}, "'xml' is not one of json_object, json_schema"),
        ({"refuse": ["seed"]}, "refuse"),
    ],
)
def test_a_wrong_fact_is_refused_with_its_name(options: dict[str, Any], why: str) -> None:
    acme = EndpointConfig(backend="openai", base_url="https://acme.example/v1", key="", options=options)
    with Client(endpoints={"acme": acme}) as client, pytest.raises(ConfigError) as caught:
        client.chat("acme/m", "hi")
    assert why in str(caught.value)


def test_a_call_with_what_is_refused_is_not_sent() -> None:
    facts = {"tool_choices": ["auto"], "response_formats": []}
    acme = EndpointConfig(backend="openai", base_url="http://127.0.0.1:1/v1", key="", options=facts)
    with Client(endpoints={"acme": acme}) as client:
        with pytest.raises(UnsupportedParameterError, match="tool_choice"):
            client.chat("acme/m", "hi", tools=[WEATHER], tool_choice="required")
        with pytest.raises((UnsupportedParameterError, InvalidRequestError), match="response_format"):
            client.chat("acme/m", "hi", response_format=SCHEMA)


def test_how_many_inputs_one_request_takes() -> None:
    def most(url: str, **options: Any) -> int | None:
        endpoint = Endpoint(name="a", backend="openai", base_url=url, options=Options(**options))
        known: Any = backend.info.max_inputs
        return known(endpoint)  # type: ignore[no-any-return]

    assert most("https://api.openai.com/v1") == 2048
    assert most("https://eu.api.openai.com/v1", max_inputs=10) == 10
    assert most("https://acme.example/v1") is None
    assert most("http://localhost:8000/v1", max_inputs=64) == 64
    assert Azure().info.max_inputs == 2048
    with pytest.raises(ValueError, match="max_inputs: expected a whole number of at least 1, got 0"):
        Options(max_inputs=0)


def test_more_inputs_than_that_go_in_several_requests(httpserver: HTTPServer) -> None:
    def vectors(request: Request) -> Response:
        given = json.loads(request.get_data())["input"]
        asked = [given] if isinstance(given, str) else given
        data = [{"object": "embedding", "index": index, "embedding": [len(text)]} for index, text in enumerate(asked)]
        body = {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        return Response(json.dumps(body), content_type="application/json")

    httpserver.expect_request("/embeddings").respond_with_handler(vectors)
    endpoint = EndpointConfig(backend="openai", base_url=httpserver.url_for(""), key="k", options={"max_inputs": 2})
    with Client(endpoints={"acme": endpoint}) as client:
        found = client.embed("acme/m", ["a", "bb", "ccc"])
    assert [list(vector) for vector in found.vectors] == [[1], [2], [3]]
    assert (len(httpserver.log), found.usage.input_tokens) == (2, 2)
