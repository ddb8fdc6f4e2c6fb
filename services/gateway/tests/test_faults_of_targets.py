"""Every fault that a target can have, through the gateway: nothing that is not whole looks as if it were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import BreakerConfig, Config, EndpointConfig, hookimpl
from ipfs_accel.testing.faults import FAULTS
from ipfs_accel.testing.raw_server import serve
from ipfs_accel.testing.replies import json_reply, sse_reply

from .gateways import Running


def _chunk(text: str, reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


WHOLE = json_reply(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4},
    }
)
STREAM = sse_reply(_chunk("Hello"), _chunk(" there"), _chunk(".", "stop"))
SERVED = {name: fault for name, fault in FAULTS.items() if fault.place == "server"}
ENOUGH = 4 * 1024 * 1024
UNREAD = {"invalid_utf8", "huge_line", "deep_json", "nan", "null", "after_the_end", "html"}
"""What only who reads an answer can see: it is passed on as it is."""


class Seeing:
    """Middleware that changes nothing; with any, all that is said is read and written anew."""

    api_version = 1

    @hookimpl
    def rewrite_request(self, request: Any) -> Any:
        return request


class Place:
    """A target for each fault, whole and streamed, behind a gateway for each lane."""

    def __init__(self, servers: ExitStack) -> None:
        endpoints = {}
        for name, fault in SERVED.items():
            for reply in (WHOLE, STREAM):
                at = servers.enter_context(serve(fault.against(reply)))
                endpoints[_endpoint(name, stream=reply is STREAM)] = EndpointConfig(
                    backend="openai",
                    base_url=f"{at.url}/v1",
                    key="sk-of-the-operator",
                    timeout=fault.limits_of(is_stream=reply is STREAM),
                )
        config = Config(endpoints=endpoints, breaker=BreakerConfig(enabled=False), environ={})
        self.gateways = {"relay": Running(config, {}), "translate": Running(config, {}, middleware=(Seeing(),))}

    def close(self) -> None:
        for each in self.gateways.values():
            each.close()


def _endpoint(name: str, *, stream: bool) -> str:
    return f"{name}-{'stream' if stream else 'whole'}"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with ExitStack() as servers:
        found = Place(servers)
        yield found
        found.close()


def _ask(place: Place, lane: str, name: str, *, stream: bool) -> tuple[httpx.Response, str]:
    """Return the answer, and its body as far as it came."""
    fault = SERVED[name]
    body = {
        "model": f"{_endpoint(name, stream=stream)}/m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": stream,
    }
    with httpx.Client(timeout=60, trust_env=False) as client:
        for _ in range(fault.calls):
            came = b""
            url = f"{place.gateways[lane].url}/v1/chat/completions"
            with client.stream("POST", url, json=body) as answer:
                try:
                    for piece in answer.iter_bytes():
                        came += piece
                        if len(came) > ENOUGH:
                            return answer, "<too much>"
                except httpx.RemoteProtocolError:
                    came += b"<cut>"
    return answer, came.decode("utf-8", "replace")


@pytest.mark.parametrize("lane", ["relay", "translate"])
@pytest.mark.parametrize("name", [name for name, fault in SERVED.items() if fault.whole is not None])
def test_of_a_whole_answer(place: Place, name: str, lane: str) -> None:
    fault = SERVED[name]
    answer, text = _ask(place, lane, name, stream=False)
    if fault.whole == ():
        assert json.loads(text)["choices"][0]["message"]["content"] == "Hello there."
    elif lane == "relay" and name in UNREAD and answer.status_code == 200:
        assert "Hello there." not in text or name in {"invalid_utf8", "nan", "deep_json"}
    elif lane == "relay" and name == "gzip_bomb":
        assert text.endswith(("<cut>", "<too much>"))
    else:
        assert answer.status_code >= 400
        assert json.loads(text)["error"]["message"]
        assert "sk-of-the-operator" not in text
        assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("lane", ["relay", "translate"])
@pytest.mark.parametrize("name", SERVED)
def test_of_a_stream(place: Place, name: str, lane: str) -> None:
    if lane == "relay" and name == "heartbeats_later":
        return  # signs of life are passed on, for as long as a call may last
    fault = SERVED[name]
    answer, text = _ask(place, lane, name, stream=True)
    if fault.stream == ():
        assert answer.status_code == 200
        assert text.rstrip().endswith("data: [DONE]") or name == "after_the_end"
        assert " there" in text
    elif lane == "relay" and name in {*UNREAD, "gzip_bomb"} and answer.status_code == 200:
        assert text == "<too much>" or name in UNREAD
    elif answer.status_code == 200:
        assert "[DONE]" not in text
        assert text.endswith("<cut>")
        assert '"error"' in text
    else:
        assert answer.status_code >= 400
        assert json.loads(text)["error"]["message"]
