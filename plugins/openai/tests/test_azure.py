"""Azure OpenAI, held to the vendor's own SDK."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig, load_config
from ipfs_accel import errors as e
from pytest_httpserver import HTTPServer

openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")

ANSWER = {"id": "c", "model": "gpt-4o-2024-08-06", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop",
          "content_filter_results": {"hate": {"filtered": False}}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}, "prompt_filter_results": [{"prompt_index": 0}]}  # fmt: skip
VECTORS = {"data": [{"index": 0, "embedding": [1.0]}], "model": "m", "usage": {"prompt_tokens": 1}}
MODELS: dict[str, Any] = {"data": []}
USER = [{"role": "user", "content": "hi"}]

CALLS: dict[str, tuple[Callable[[Any], Any], Callable[[Client], Any], Any]] = {
    "a chat": (lambda sdk: sdk.chat.completions.create(model="gpt-4o", messages=USER), lambda client: client.chat("azure/gpt-4o", "hi"), ANSWER),
    "an embedding": (lambda sdk: sdk.embeddings.create(model="emb-1", input="x", encoding_format="base64"), lambda client: client.embed("azure/emb-1", "x"), VECTORS),
    "the models": (lambda sdk: sdk.models.list(), lambda client: client.list_models("azure"), MODELS),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("API_KEY", "AD_TOKEN", "ENDPOINT")
    for name in (*[f"AZURE_OPENAI_{each}" for each in names], "OPENAI_API_VERSION", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def compare(httpserver: HTTPServer) -> None:
    expected, actual = [request for request, _ in httpserver.log]
    assert (actual.method, actual.path, actual.query_string) == (expected.method, expected.path, expected.query_string)
    if expected.get_data():
        assert json.loads(actual.get_data()) == json.loads(expected.get_data())
    for name in ("Api-Key", "Authorization"):
        assert actual.headers.get(name) == expected.headers.get(name), name


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("token", [False, True])
def test_the_classic_api_names_the_deployment_in_the_path(name: str, token: bool, httpserver: HTTPServer) -> None:
    theirs, ours, answer = CALLS[name]
    httpserver.expect_request(re.compile(".*")).respond_with_json(answer)
    key = {"azure_ad_token": "secret"} if token else {"api_key": "secret"}
    root = httpserver.url_for("").rstrip("/")
    endpoint = EndpointConfig(base_url=root, key="secret", options={"api_version": "2024-10-21", "token": token})
    with openai.AzureOpenAI(azure_endpoint=root, api_version="2024-10-21", max_retries=0, **key) as sdk:
        theirs(sdk)
    with Client(endpoints={"azure": endpoint}) as client:
        ours(client)
    compare(httpserver)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("suffix", ["", "/openai/v1"])
def test_the_newer_api_is_openais_own_below_a_prefix(name: str, suffix: str, httpserver: HTTPServer) -> None:
    theirs, ours, answer = CALLS[name]
    httpserver.expect_request(re.compile("/openai/v1/.*")).respond_with_json(answer)
    root = httpserver.url_for("").rstrip("/")
    with openai.OpenAI(base_url=f"{root}/openai/v1", api_key="secret", max_retries=0) as sdk:
        theirs(sdk)
    with Client(endpoints={"azure": EndpointConfig(base_url=root + suffix, key="secret")}) as client:
        ours(client)
    expected, actual = [request for request, _ in httpserver.log]
    assert (actual.path, actual.query_string) == (expected.path, b"")
    assert actual.headers["Api-Key"] == "secret"
    assert "Authorization" not in actual.headers


def test_what_azure_adds_is_kept(httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_json(ANSWER)
    with Client(endpoints={"azure": EndpointConfig(base_url=httpserver.url_for(""), key="secret")}) as client:
        reply = client.chat("azure/my-deployment", "hi")
    assert reply.extra["prompt_filter_results"] == [{"prompt_index": 0}]
    assert reply.cost is None


def test_the_first_chunk_of_a_stream_may_have_no_choices(httpserver: HTTPServer) -> None:
    chunks: list[dict[str, Any]] = [
        {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}]},
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    httpserver.expect_request(re.compile(".*")).respond_with_data(body, content_type="text/event-stream")
    with Client(endpoints={"azure": EndpointConfig(base_url=httpserver.url_for(""), key="secret")}) as client:
        reply = client.stream("azure/d", "hi").read()
    assert (reply.text, reply.id, reply.model) == ("Hello", "c", "m")


def test_what_only_openai_bills_by_is_no_setting_of_azure() -> None:
    billed = EndpointConfig(base_url="http://127.0.0.1:9", key="k", options={"organization": "org-1"})
    with Client(endpoints={"azure": billed}) as client, pytest.raises(e.ConfigError, match="organization: unknown"):
        client.chat("azure/d", "hi")


def test_what_is_missing_is_named() -> None:
    nowhere = EndpointConfig(key="secret")
    with Client(endpoints={"azure": nowhere}) as client, pytest.raises(e.ConfigError, match="no base URL") as caught:
        client.chat("azure/d", "hi")
    assert "AZURE_OPENAI_ENDPOINT" in str(caught.value.hint)


def test_without_a_key_nothing_is_sent(httpserver: HTTPServer) -> None:
    endpoint = EndpointConfig(base_url=httpserver.url_for(""))
    with Client(endpoints={"azure": endpoint}) as client, pytest.raises(e.MissingKeyError) as caught:
        client.chat("azure/d", "hi")
    assert "AZURE_OPENAI_API_KEY" in str(caught.value.hint)
    assert "ipfs-accel keys set azure" in str(caught.value.hint)
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("variable", "header", "value"),
    [("API_KEY", "Api-Key", "secret"), ("AD_TOKEN", "Authorization", "Bearer secret")],
)
def test_the_usual_variables_go_to_the_configured_resource(
    variable: str, header: str, value: str, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_json(ANSWER)
    monkeypatch.setenv(f"AZURE_OPENAI_{variable}", "secret")
    file = tmp_path / "config.toml"
    file.write_text(
        f'[endpoints.azure]\nbase_url = "{httpserver.url_for("")}"\noptions = {{ api_version = "2024-10-21" }}\n'
    )
    root = httpserver.url_for("").rstrip("/")
    with openai.AzureOpenAI(azure_endpoint=root, api_version="2024-10-21", max_retries=0) as sdk:
        sdk.chat.completions.create(model="gpt-4o", messages=USER)
    with Client(load_config(file)) as client:
        client.chat("azure/gpt-4o", "hi")
    compare(httpserver)
    assert httpserver.log[1][0].headers[header] == value


def test_a_model_that_would_leave_its_path_is_refused() -> None:
    classic = EndpointConfig(base_url="http://127.0.0.1:9", options={"api_version": "1"}, key="k")
    with Client(endpoints={"azure": classic}) as client, pytest.raises(e.InvalidRequestError, match="deployment"):
        client.chat("azure/../x", "hi")
