from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from ipfs_accel import Client, EndpointConfig, load_config
from ipfs_accel._headers import Headers
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.errors import MissingKeyError
from ipfs_accel.plans import Endpoint, HttpResponse
from ipfs_accel.types import ChatRequest, Message, ModelInfo
from ipfs_accel_openai import Options, backend

HOSTED = Endpoint(name="openai", backend="openai", base_url="https://api.openai.com/v1", options=Options())
LOCAL = Endpoint(name="local", backend="openai", base_url="http://127.0.0.1:8080/v1", options=Options())


def body_of(plan: Any) -> dict[str, Any]:
    body = json.loads(plan.send.content)
    del body["messages"]
    return body  # type: ignore[no-any-return]


def request(model: str, **options: Any) -> ChatRequest:
    return ChatRequest(model=model, messages=(Message.user("hi"),), **options)


@pytest.mark.parametrize(
    ("endpoint", "model", "options", "expected", "unsupported"),
    [
        (HOSTED, "gpt-4o", {"max_tokens": 5, "stop": ("a",)}, {"max_completion_tokens": 5, "stop": ["a"]}, ()),
        (
            HOSTED,
            "gpt-5.4",
            {"max_tokens": 5, "stop": ("a",), "seed": 1},
            {"max_completion_tokens": 5, "seed": 1},
            ("stop",),
        ),
        (
            HOSTED,
            "o3",
            {"frequency_penalty": 1.0, "presence_penalty": 1.0},
            {},
            ("frequency_penalty", "presence_penalty"),
        ),
        (HOSTED, "gpt-6-sol", {"top_k": 4, "logit_bias": {"1": 2}}, {}, ("top_k", "logit_bias")),
        (HOSTED, "gpt-4o", {"top_k": 4}, {}, ("top_k",)),
        (LOCAL, "gpt-5-like", {"max_tokens": 5, "stop": ("a",)}, {"max_tokens": 5, "stop": ["a"]}, ()),
    ],
)
def test_options_by_model_and_place(
    endpoint: Endpoint, model: str, options: dict[str, Any], expected: dict[str, Any], unsupported: tuple[str, ...]
) -> None:
    plan: Any = backend.chat(endpoint, request(model, **options))
    assert body_of(plan) == {"model": model, **expected}
    assert plan.unsupported == unsupported
    streamed: Any = backend.stream(endpoint, request(model, **options))
    assert body_of(streamed) == {"model": model, **expected, "stream": True, "stream_options": {"include_usage": True}}
    assert streamed.unsupported == unsupported


def test_without_a_key_nothing_is_sent() -> None:
    with Client(load_config(None, {})) as client, pytest.raises(MissingKeyError) as caught:
        client.chat("openai/gpt-5.4-mini", "hi")
    assert caught.value.hint == "set the environment variable OPENAI_API_KEY, or run: ipfs-accel keys set openai"


def test_organisation_and_project_are_headers() -> None:
    environ = {"OPENAI_API_KEY": "sk-x", "OPENAI_ORG_ID": "org-1"}
    endpoints = {"openai": EndpointConfig(options={"project": "proj-1"})}
    with Client(load_config(None, environ), endpoints=endpoints) as client:
        from ipfs_accel._worlds.perform import perform

        target = perform(client._core.target("openai"), client._world)
    assert dict(target.headers) == {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj-1"}


def models(endpoint: Endpoint, *items: dict[str, Any]) -> tuple[ModelInfo, ...]:
    plan: Any = backend.list_models(endpoint)
    body = json.dumps({"object": "list", "data": items}).encode()
    return plan.parse(HttpResponse(status=200, headers=Headers([]), body=body))  # type: ignore[no-any-return]


def test_the_catalogue_tells_what_the_list_does_not() -> None:
    dated, unknown, embedding = models(
        HOSTED, {"id": "gpt-5.4-mini-2026-03-17", "created": 1}, {"id": "brand-new"}, {"id": "text-embedding-3-small"}
    )
    assert (dated.context_window, dated.input_price, dated.created) == (400_000, 0.75, 1)
    assert str(dated.features["vision"]) == "yes (catalogue)"
    assert unknown == ModelInfo(id="brand-new")
    assert (str(embedding.features["chat"]), str(embedding.features["embed"])) == ("no (catalogue)", "yes (catalogue)")
    (local,) = models(LOCAL, {"id": "gpt-5.4-mini"})
    assert local.context_window is None


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue.load("ipfs_accel_openai")


def test_the_catalogue_has_only_fields_that_are_known(catalogue: Catalogue) -> None:
    known = {field.name for field in attrs.fields(ModelInfo)} | {"family"}
    assert catalogue.date.startswith("20")
    for model, fields in catalogue.models.items():
        assert set(fields) <= known, model
        described = catalogue.describe(ModelInfo(id=model))
        assert all(support.value in {"yes", "no"} for support in described.features.values())
        assert all(price is None or price >= 0 for price in (described.input_price, described.output_price))
