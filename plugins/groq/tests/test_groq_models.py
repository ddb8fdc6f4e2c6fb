"""What is known of Groq's models, and what follows from it before a call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import attrs
import pytest
from ipfs_accel import Client, EndpointConfig, Image, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ModelInfo
from ipfs_accel_groq import Options, backend
from pytest_httpserver import HTTPServer

HOSTED = Endpoint(name="groq", backend="groq", base_url="https://api.groq.com", options=Options())
PNG = b"\x89PNG\r\n\x1a\n0"
WAV = b"RIFF\0\0\0\0WAVEfmt "
# All that Groq served early in 2025, of which two are left.
FORMER = (
    *("gemma2-9b-it", "llama-3.3-70b-versatile", "llama-3.1-8b-instant", "llama-guard-3-8b", "llama3-70b-8192"),
    *("llama3-8b-8192", "mixtral-8x7b-32768", "qwen-2.5-32b", "qwen-2.5-coder-32b", "mistral-saba-24b"),
    *("deepseek-r1-distill-qwen-32b", "deepseek-r1-distill-llama-70b-specdec", "deepseek-r1-distill-llama-70b"),
    *("llama-3.3-70b-specdec", "llama-3.2-1b-preview", "llama-3.2-3b-preview", "llama-3.2-11b-vision-preview"),
    *("llama-3.2-90b-vision-preview", "distil-whisper-large-v3-en", "whisper-large-v3", "whisper-large-v3-turbo"),
)


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue.load("ipfs_accel_groq")


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    url = httpserver.url_for("")
    with Client(
        endpoints={
            "groq": EndpointConfig(base_url=url, key="gsk_test_0123456789", options={"catalogue": "on"}),
            "any": EndpointConfig(backend="groq", base_url=url, key=""),
        }
    ) as client:
        yield client


def described(name: str, endpoint: Endpoint = HOSTED, **raw: Any) -> ModelInfo:
    describe = backend.describe().describe_model
    assert describe is not None
    return describe(endpoint, ModelInfo(id=name, raw={"id": name, **raw} if raw else None))


def test_the_catalogue_has_only_fields_that_are_known(catalogue: Catalogue) -> None:
    known = {field.name for field in attrs.fields(ModelInfo)} | {"family"}
    assert date.fromisoformat(catalogue.date)
    for name, fields in catalogue.models.items():
        assert set(fields) <= known, name
        assert fields["category"] in {"chat", "vision", "audio", "speech", "guard", "system"}, name
        assert (fields.get("input_price") is None) == (fields.get("output_price") is None), name
        if fields.get("retired"):
            assert date.fromisoformat(fields["retired"]) <= date.fromisoformat(catalogue.date)
            assert catalogue.models[fields["replacement"]].get("retired") is None, name
        else:
            assert fields["description"], name


def test_every_former_model_is_told_of(catalogue: Catalogue) -> None:
    assert [name for name in FORMER if name not in catalogue.models] == []
    left = {name for name in FORMER if catalogue.models[name].get("retired") is None}
    assert left == {"whisper-large-v3", "whisper-large-v3-turbo"}


def test_a_model_is_described() -> None:
    model = described("openai/gpt-oss-120b")
    assert (model.category, model.context_window, model.max_output_tokens) == ("chat", 131_072, 65_536)
    assert (model.input_price, model.cached_input_price, model.output_price) == (0.15, 0.075, 0.6)
    assert str(model.features["tools"]) == "yes (catalogue)"
    assert described("whisper-large-v3").second_price == pytest.approx(0.111 / 3600)
    assert described("qwen/qwen3.8-27b").input_modalities == {"text", "image"}
    assert described("gemma2-9b-it").retired == "2025-10-08"


def test_a_model_that_the_catalogue_does_not_know_is_marked_unknown() -> None:
    model = described("brand/new", context_window=1000, max_completion_tokens=10)
    assert (model.category, model.context_window, model.max_output_tokens) == (None, 1000, 10)
    assert {str(support) for support in model.features.values()} == {"unknown (nobody)"}
    assert "chat" in model.features


def test_the_catalogue_speaks_only_of_groqs_own_service() -> None:
    local = attrs.evolve(HOSTED, base_url="http://127.0.0.1:1")
    assert described("openai/gpt-oss-120b", local) == ModelInfo(id="openai/gpt-oss-120b")
    gateway = attrs.evolve(local, options=Options(catalogue="on"))
    assert described("openai/gpt-oss-120b", gateway).input_price == 0.15
    off = attrs.evolve(HOSTED, options=Options(catalogue="off"))
    assert described("openai/gpt-oss-120b", off).input_price is None
    assert described("x", attrs.evolve(HOSTED, base_url="https://api.groq.com.evil.test")).features == {}


def test_what_the_server_says_is_above_the_catalogue() -> None:
    endpoint = attrs.evolve(HOSTED, memo={})
    assert described("openai/gpt-oss-20b", endpoint, context_window=9).context_window == 9
    inactive = described("openai/gpt-oss-20b", endpoint, active=False)
    assert str(inactive.features["chat"]) == "no (server)"
    kept = described("llama-3.3-70b-versatile", endpoint, active=True)
    assert (kept.retired, kept.replacement) == (None, "openai/gpt-oss-120b")


CALLS: list[tuple[str, str, str, Any]] = [
    ("'whisper-large-v3' is of the category audio and does not chat", "openai/gpt-oss-", "chat", ("whisper-large-v3", "hi")),
    ("category speech and does not chat", "openai/gpt-oss-", "chat", ("canopylabs/orpheus-v1-english", "hi")),
    ("category chat and takes no pictures", "qwen/qwen3.8-27b", "chat", ("openai/gpt-oss-20b", Message.user("?", Image(data=PNG)))),
    ("category guard and takes no tools", "openai/gpt-oss-20b", "chat", ("meta-llama/llama-prompt-guard-2-22m", "hi", {"tools": [Tool(name="f")]})),
    ("category chat and does not transcribe", "whisper-large-v3", "transcribe", ("openai/gpt-oss-20b", WAV)),
    ("category audio and does not translate", "whisper-large-v3$", "translate", ("whisper-large-v3-turbo", WAV)),
    ("category audio and does not speak", "canopylabs/orpheus", "speak", ("whisper-large-v3", "hi", {"voice": "troy"})),
    ("category chat and does not judge", "openai/gpt-oss-safeguard-20b", "moderate", ("openai/gpt-oss-20b", "hi")),
    ("category guard and gives no scores", "meta-llama/llama-prompt-guard-2", "classify", ("openai/gpt-oss-safeguard-20b", "hi")),
    ("category chat and makes no vectors", "no model that Groq sells can", "embed", ("openai/gpt-oss-20b", "hi")),
    ("category audio and does not chat", "openai/gpt-oss-", "count_tokens", ("whisper-large-v3", "hi")),
]  # fmt: skip


@pytest.mark.parametrize(("message", "near", "operation", "arguments"), CALLS)
def test_a_model_of_another_category_is_refused_before_anything_is_sent(
    message: str, near: str, operation: str, arguments: Any, client: Client, httpserver: HTTPServer
) -> None:
    model, value, *options = arguments
    with pytest.raises(e.InvalidRequestError, match=message) as caught:
        getattr(client, operation)(f"groq/{model}", value, **(options[0] if options else {}))
    assert re.search(near, caught.value.hint or "")
    assert "guard" not in (caught.value.hint or "") or operation in {"moderate", "classify"}
    assert (caught.value.endpoint, caught.value.model) == ("groq", model)
    assert not httpserver.log


def test_a_stream_and_a_batch_are_checked_too(client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.InvalidRequestError, match="does not chat"):
        client.stream("groq/whisper-large-v3", "hi").read()
    with pytest.raises(e.InvalidRequestError, match="does not chat"):
        client.create_batch("groq/whisper-large-v3", {"a": "hi"})
    assert not httpserver.log


@pytest.mark.parametrize("model", [name for name in FORMER if not name.startswith("whisper")])
def test_a_retired_model_says_when_and_what_instead(model: str, client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(
        e.ModelNotFoundError, match=r"retired the model .* by 202[56]-\d\d-\d\d; nothing was sent"
    ) as caught:
        if "whisper" in model:
            client.transcribe(f"groq/{model}", WAV)
        else:
            client.chat(f"groq/{model}", "hi")
    assert (caught.value.sent, caught.value.retryable, caught.value.model) == (False, False, model)
    assert (caught.value.hint or "").startswith("use '")
    assert not httpserver.log


ANSWER = {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}


def test_a_retired_model_that_the_server_lists_is_used(client: Client, httpserver: HTTPServer) -> None:
    names = ["llama-3.3-70b-versatile", "brand/new"]
    httpserver.expect_request("/openai/v1/models").respond_with_json({"data": [{"id": name} for name in names]})
    httpserver.expect_request("/openai/v1/chat/completions").respond_with_json(ANSWER)
    listed = client.list_models("groq")
    assert [(model.id, model.category, model.retired) for model in listed] == [
        ("llama-3.3-70b-versatile", "chat", None),
        ("brand/new", None, None),
    ]
    assert client.chat("groq/llama-3.3-70b-versatile", "hi").text == "yes"


def test_an_unknown_model_is_the_servers_business(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/openai/v1/chat/completions").respond_with_json(ANSWER)
    assert client.chat("groq/brand/new", Message.user("?", Image(data=PNG)), tools=[Tool(name="f")]).text == "yes"
    assert client.chat("any/whisper-large-v3", "hi").text == "yes"


def test_find_knows_the_categories_by_what_they_can_do(
    client: Client, httpserver: HTTPServer, catalogue: Catalogue
) -> None:
    sold = [{"id": name} for name, known in catalogue.models.items() if not known.get("retired")]
    httpserver.expect_request("/openai/v1/models").respond_with_json({"data": sold})

    def certain(**wanted: Any) -> list[str]:
        return [match.model.id for match in client.find(endpoints=["groq"], **wanted) if not match.unknown]

    assert certain(operation="translate") == ["whisper-large-v3"]
    assert certain(operation="chat", features=["vision"]) == ["qwen/qwen3.8-27b", "qwen/qwen3.6-27b"]
    assert certain(operation="classify") == [
        "meta-llama/llama-prompt-guard-2-22m",
        "meta-llama/llama-prompt-guard-2-86m",
    ]
    assert certain(operation="chat", max_input_price=0.1)[0] == "openai/gpt-oss-20b"
    httpserver.expect_request("/openai/v1/models/whisper-large-v3").respond_with_json({"id": "whisper-large-v3"})
    assert str(client.capabilities("groq/whisper-large-v3").supports("chat")) == "no (catalogue)"
    assert certain(operation="complete") == []
