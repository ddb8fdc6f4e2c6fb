"""Where each backend puts the path of a caller's own request, and what it adds to every one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ipfs_accel import Client, Config
from ipfs_accel import errors as e
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, serve

VERTEX = {"vertex": True, "project": "p", "location": "eu"}


@contextmanager
def listening() -> Iterator[RawServer]:
    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(answer(b"{}", content_type="application/json"))

    with serve(handle) as server:
        yield server


def sent(backend: str, base: str, path: str, options: dict[str, Any], **more: Any) -> tuple[str, dict[str, str]]:
    """Return the target and the headers of a request."""
    with listening() as server:
        place = {"base_url": server.url + base, "key": "sk-0123456789", "options": options}
        with Client(Config(environ={}), endpoints={backend: place}) as client:
            client.request(backend, "GET", path, **more)
        first, *lines = server.heads[0].split("\r\n")
    return first.split(" ")[1], {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


@pytest.mark.parametrize(
    ("backend", "base", "path", "options", "expected"),
    [
        ("openai", "/v1", "/containers", {}, "/v1/containers"),
        ("openai", "/v1", "/v1/containers?limit=1", {}, "/v1/containers?limit=1"),
        ("openai", "/api/v4", "/v4/models", {}, "/api/v4/models"),
        ("openai", "", "/v1/models", {}, "/v1/models"),
        ("azure", "", "/vector_stores", {}, "/openai/v1/vector_stores"),
        ("azure", "", "/v1/vector_stores", {}, "/openai/v1/vector_stores"),
        ("azure", "", "/openai/v1/vector_stores", {}, "/openai/v1/vector_stores"),
        ("azure", "/openai/v1", "/vector_stores", {}, "/openai/v1/vector_stores"),
        ("azure", "/openai/v1", "/openai/v1/files", {}, "/openai/v1/files"),
        ("azure", "", "/deployments/d/x", {"api_version": "2"}, "/openai/deployments/d/x?api-version=2"),
        ("azure", "", "/openai/x?a=1", {"api_version": "2"}, "/openai/x?api-version=2&a=1"),
        ("azure", "", "/x?api-version=3", {"api_version": "2"}, "/openai/x?api-version=3"),
        ("groq", "/openai/v1", "/batches", {}, "/openai/v1/batches"),
        ("claude", "", "/skills", {}, "/v1/skills"),
        ("claude", "/v1", "/v1/skills", {}, "/v1/skills"),
        ("gemini", "", "/cachedContents", {}, "/v1beta/cachedContents"),
        ("gemini", "/v1beta", "/v1alpha/auth_tokens", {}, "/v1alpha/auth_tokens"),
        ("gemini", "", "/upload/v1beta/files", {}, "/upload/v1beta/files"),
        ("gemini", "", "/models/m:predict", {"api_version": "v1"}, "/v1/models/m:predict"),
        ("gemini", "", "/cachedContents", VERTEX, "/v1beta1/projects/p/locations/eu/cachedContents"),
        ("gemini", "", "/projects/q/x", VERTEX, "/v1beta1/projects/q/x"),
        ("ollama", "", "/api/tags", {}, "/api/tags"),
        ("llvm", "/v1", "/slots", {}, "/slots"),
        ("llvm", "/v1", "/models", {"server": "infer"}, "/v1/models"),
        ("vllm", "", "/v1/models", {}, "/v1/models"),
        ("tgi", "/v1", "/info", {}, "/info"),
        ("tei", "/v1", "/info", {}, "/info"),
        ("hf", "/v1", "/hf-inference/models/a/b", {}, "/hf-inference/models/a/b"),
        ("ovms", "/v3", "/v2/models/m/ready", {}, "/v2/models/m/ready"),
        ("opea", "/v1", "/v1/dataprep/get", {}, "/v1/dataprep/get"),
    ],
)
def test_a_path_is_put_where_the_backend_has_it(
    backend: str, base: str, path: str, options: dict[str, Any], expected: str
) -> None:
    target, headers = sent(backend, base, path, options)
    assert target == expected
    assert "sk-0123456789" in "".join(headers.values())


def test_claude_names_its_version_unless_the_caller_does() -> None:
    _, usual = sent("claude", "", "/skills", {"beta": "a"})
    assert usual["anthropic-version"] > "2026"
    assert usual["anthropic-beta"] == "a"
    _, own = sent(
        "claude", "", "/skills", {"beta": "a"}, headers={"Anthropic-Version": "2023-06-01", "anthropic-beta": "b"}
    )
    assert (own["anthropic-version"], own["anthropic-beta"]) == ("2023-06-01", "b")


def test_a_query_follows_one_that_is_there() -> None:
    """The classic API of Azure has its version in every path, before what a list asks for."""
    with listening() as server:
        place = {"base_url": server.url, "key": "sk-0123456789", "options": {"api_version": "2"}}
        with Client(Config(environ={}), endpoints={"azure": place}) as client:
            client.call("azure", "kept_chats", limit=3)
        assert server.heads[0].split(" ")[1] == "/openai/chat/completions?api-version=2&limit=3"


def test_a_store_has_another_door() -> None:
    with Client(Config(environ={}), endpoints={"s3": {"base_url": "http://127.0.0.1:9", "key": "a:b"}}) as client:
        assert client.supports("s3", "request").value == "no"
        with pytest.raises(e.UnsupportedOperationError) as caught:
            client.request("s3", "GET", "/")
    assert "client.call('s3', 'request', …)" in str(caught.value.hint)
