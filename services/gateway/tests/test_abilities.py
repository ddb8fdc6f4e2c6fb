"""Only targets that can do what a request uses are asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import BackendInfo, CacheConfig, Config, EndpointConfig, ModelOverride, RouteConfig, hookimpl
from ipfs_accel.errors import OverloadedError
from ipfs_accel.plans import Ready
from ipfs_accel.testing import Scripted
from ipfs_accel.types import EmbedResponse
from ipfs_accel_gateway._abilities import uses

from .gateways import Running
from .test_leaving import Seeing

PNG = "iVBORw0KGgowMA=="
USER = [{"role": "user", "content": "Hi"}]
ABLE = ("tools", "vision", "documents", "audio", "json_schema", "reasoning")


class Embedder:
    """A backend that makes vectors and nothing else."""

    api_version = 1
    name = "embedder"

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name=self.name, base_url="http://127.0.0.1:9")

    @hookimpl
    def embed(self) -> Ready[EmbedResponse]:
        return Ready(value=EmbedResponse(vectors=()))


def lacking(*names: str) -> EndpointConfig:
    return EndpointConfig(models={"m": ModelOverride(features=dict.fromkeys(names, "no"))})


def picture(route: str) -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    return {"model": route, "messages": [{"role": "user", "content": [part]}]}


@pytest.fixture(scope="module")
def backends() -> dict[str, Scripted]:
    busy = Scripted(lambda _request: OverloadedError("busy", status=503), name="busy")
    return {"busy": busy, **{name: Scripted(lambda _request: "ok", name=name) for name in ("plain", "blind", "full")}}


@pytest.fixture(scope="module", params=["plain", "middleware", "cache"])
def at(request: pytest.FixtureRequest, backends: dict[str, Scripted]) -> Iterator[str]:
    endpoints = {
        "plain": lacking(*ABLE),
        "blind": lacking("vision"),
        "busy": EndpointConfig(),
        "full": EndpointConfig(),
        "embedder": EndpointConfig(),
    }
    routes = {
        "any": RouteConfig(targets=("plain/m", "blind/m", "full/m")),
        "busy-first": RouteConfig(targets=("busy/m", "blind/m", "full/m")),
        "turns": RouteConfig(targets=("plain/m", "full/m"), policy="round_robin"),
        "least": RouteConfig(targets=("plain/m", "full/m"), policy="least_busy"),
        "none": RouteConfig(targets=("plain/m", "blind/m")),
        "vectors": RouteConfig(targets=("embedder/m", "full/m")),
        "one-hop": RouteConfig(targets=("plain/m", "blind/m", "busy/m", "full/m"), max_hops=1),
        "no-hop": RouteConfig(targets=("plain/m", "blind/m", "full/m"), max_hops=0),
    }
    more: dict[str, Any] = {"cache": CacheConfig()} if request.param == "cache" else {}
    config = Config(endpoints=endpoints, routes=routes, environ={}, **more)
    middleware = (Seeing(),) if request.param == "middleware" else ()
    running = Running(config, {}, (*backends.values(), Embedder()), middleware)
    yield running.url
    running.close()


def served(at: str, body: dict[str, Any]) -> str:
    answer = httpx.post(f"{at}/v1/chat/completions", json=body, timeout=20).raise_for_status()
    return answer.headers["x-ipfs-accel-target"]


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ({"model": "any", "messages": USER}, "plain/m"),
        ({"model": "any", "messages": USER, "tools": [{"type": "function", "function": {"name": "f"}}]}, "blind/m"),
        ({"model": "any", "messages": USER, "reasoning_effort": "low"}, "blind/m"),
        ({"model": "any", "messages": USER, "reasoning_effort": "none"}, "plain/m"),
        (picture("any"), "full/m"),
        (picture("busy-first"), "full/m"),
        ({**picture("busy-first"), "stream": True}, "full/m"),
        (picture("none"), "plain/m"),
        (picture("one-hop"), "full/m"),
        (picture("no-hop"), "full/m"),
        ({"model": "vectors", "messages": USER}, "full/m"),
    ],
    ids=[
        "plain",
        "tools",
        "reasoning",
        "no_reasoning",
        "picture",
        "fallback",
        "stream",
        "nobody",
        "one_hop",
        "no_hop",
        "operation",
    ],
)
def test_who_can_do_it_is_asked(at: str, body: dict[str, Any], target: str) -> None:
    assert served(at, body) == target


@pytest.mark.parametrize("route", ["turns", "least"])
def test_targets_that_are_chosen_in_turn_can_do_it(at: str, route: str) -> None:
    assert [served(at, picture(route)) for _ in range(3)] == ["full/m"] * 3


def test_the_others_do_not_hear_of_it(at: str, backends: dict[str, Scripted]) -> None:
    backends["blind"].requests.clear()
    served(at, picture("busy-first"))
    assert backends["blind"].requests == []


INLINE = {"inlineData": {"mimeType": "application/pdf", "data": ""}}
BODIES: list[tuple[dict[str, Any], set[str]]] = [
    ({"messages": USER, "thinking": {"type": "disabled"}, "think": False}, set()),
    ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "input": {"type": "image"}}]}]}, set()),
    (
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [{"type": "image"}]}]}]},
        {"vision"},
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "document"}, {"type": "input_audio"}]}]},
        {"documents", "audio"},
    ),
    ({"messages": [{"role": "user", "content": "see", "images": [PNG]}]}, {"vision"}),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image"}, {"type": "input_file"}]}]},
        {"vision", "documents"},
    ),
    ({"contents": [{"parts": [INLINE, {"inline_data": {"mime_type": "image/png"}}]}]}, {"documents", "vision"}),
    ({"contents": [{"parts": [{"functionCall": {"args": {"type": "image"}}}]}]}, set()),
    ({"response_format": {"type": "json_schema"}}, {"json_schema"}),
    ({"response_format": {"type": "json_object"}}, set()),
    ({"text": {"format": {"type": "json_schema"}}}, {"json_schema"}),
    ({"output_config": {"format": {"type": "json_schema"}}}, {"json_schema"}),
    ({"format": {"type": "object"}}, {"json_schema"}),
    ({"format": "json"}, set()),
    ({"generationConfig": {"responseSchema": {}, "thinkingConfig": {"thinkingBudget": 0}}}, {"json_schema"}),
    ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}, {"reasoning"}),
    ({"reasoning": {"effort": "high"}}, {"reasoning"}),
    ({"thinking": {"type": "enabled"}}, {"reasoning"}),
    ({"think": True, "tools": [{}]}, {"reasoning", "tools"}),
    ({"messages": 1, "reasoning": [], "think": {}, "format": 1}, set()),
]


@pytest.mark.parametrize(("body", "wanted"), BODIES, ids=map(str, range(len(BODIES))))
def test_what_a_request_uses(body: dict[str, Any], wanted: set[str]) -> None:
    assert uses(body) == wanted
