"""Google's own SDK and our plugin side by side: the same call made with both, and what a server got of each."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig
from pytest_httpserver import HTTPServer

OWN = ("parametersJsonSchema", "responseJsonSchema", "args", "response")
BINARY = ("data", "thoughtSignature", "continuationToken")
HEADERS = ("X-Goog-Api-Key", "Authorization", "Content-Type", "X-Goog-User-Project")


def plain(value: Any) -> Any:
    """Undo what the SDK writes otherwise and the API reads alike.

    That is base64 for URLs, names with underscores, empty settings, and the order of tools. What is in the caller's
    own objects stays.
    """
    if isinstance(value, dict):
        made = {}
        for name, each in value.items():
            ours = re.sub("_([a-z])", lambda found: found[1].upper(), name)
            made[ours] = each if ours in OWN else unpacked(each) if ours in BINARY else plain(each)
        if "tools" in made:
            made["tools"] = sorted(made["tools"], key=sorted)
        return {name: each for name, each in made.items() if (name, each) != ("generationConfig", {})}
    return [plain(each) for each in value] if isinstance(value, list) else value


def unpacked(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)


@cache
def sdk_at(url: str, *, vertex: bool) -> Any:
    """Make the SDK's client, which takes long; all tests have one server."""
    genai = pytest.importorskip("google.genai", reason="Google's SDK is the oracle of these tests")
    if not vertex:
        return genai.Client(api_key="sk-test", http_options={"base_url": url, "api_version": "v1beta"})
    from google.oauth2.credentials import Credentials

    token: Any = Credentials(token="sk-test")  # type: ignore[no-untyped-call]
    return genai.Client(
        vertexai=True, credentials=token, project="p-1", location="europe-west4", http_options={"base_url": url}
    )


@pytest.fixture
def both(httpserver: HTTPServer) -> Callable[..., list[Any]]:
    """Make the same call with both, compare what the server got, and return what each gave."""

    def compare(
        theirs: Callable[[Any], Any],
        ours: Callable[[Client], Any],
        differing: tuple[str, ...] = (),
        *,
        vertex: bool = False,
    ) -> list[Any]:
        url = httpserver.url_for("").rstrip("/")
        sdk = sdk_at(url, vertex=vertex)
        options = {"vertex": True, "project": "p-1", "location": "europe-west4"} if vertex else {}
        endpoint = EndpointConfig(base_url=url, key="sk-test", options=options)
        with Client(endpoints={"gemini": endpoint}) as client:
            found = [theirs(sdk)]
            middle = len(httpserver.log)
            found.append(ours(client))
        same(httpserver, middle, differing)
        return found

    return compare


def same(httpserver: HTTPServer, middle: int, differing: tuple[str, ...] = ()) -> None:
    expected = [request for request, _ in httpserver.log[:middle]]
    actual = [request for request, _ in httpserver.log[middle:]]
    assert [(each.method, each.path, sorted(each.args.items(multi=True))) for each in actual] == [
        (each.method, each.path, sorted(each.args.items(multi=True))) for each in expected
    ]
    for left, right in zip(expected, actual, strict=True):
        assert "key" not in right.args
        if "body" not in differing and left.get_data() not in {b"", b"{}"}:
            assert plain(json.loads(right.get_data())) == plain(json.loads(left.get_data()))
        for name in HEADERS:
            if name not in differing:
                assert right.headers.get(name) == left.headers.get(name), name


@pytest.fixture
def canonical() -> Callable[[Any], Any]:
    """Undo what the SDK writes otherwise and the API reads alike."""
    return plain
