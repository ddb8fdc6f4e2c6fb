"""An error that comes as an event of a stream whose status was a success, in OpenAI's dialect and in every world."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from ipfs_accel import BackendInfo, CacheConfig, RetryConfig, load_config
from ipfs_accel import errors as e
from ipfs_accel.testing.raw_server import answer, chunked
from ipfs_accel.wire.openai import OpenAICompatible

from .both_worlds import awaiting, blocking, on_trio, outcome, scripted
from .fake_clock import FakeClock

RETRY = {"retry": RetryConfig(base=0.0, throttle_base=0.0)}


class Dialect(OpenAICompatible):
    api_version = 1

    def __init__(self, url: str) -> None:
        self.info = BackendInfo(name="acme", base_url=url)


def event(value: Any) -> bytes:
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def delta(text: str | None = None, reason: str | None = None) -> bytes:
    content = {} if text is None else {"content": text}
    return event({"id": "c", "choices": [{"index": 0, "delta": content, "finish_reason": reason}]})


OVERLOADED = event({"error": {"message": "busy", "type": "server_error", "code": "503"}})
REFUSED = event({"error": {"message": "no", "type": "invalid_request_error", "code": "400"}})
GOOD = [delta("blue"), delta(reason="stop"), event(b"[DONE]")]


def stream(*events: bytes) -> bytes:
    return chunked(*events, content_type="text/event-stream")


@pytest.fixture(params=[blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    def call(*steps: bytes) -> Any:
        with scripted(*steps) as server:
            return outcome(request.param, server, "stream", plugin=Dialect, endpoint=RETRY)

    return call


def test_before_the_first_event_it_is_tried_again(ask: Callable[..., Any]) -> None:
    found = ask(stream(OVERLOADED), stream(*GOOD))
    assert (found.text, found.call.tried[0].error) == ("blue", "OverloadedError")


def test_what_would_be_refused_again_is_not(ask: Callable[..., Any]) -> None:
    error = ask(stream(REFUSED), stream(*GOOD))
    assert (type(error), error.message, error.attempts) == (e.BadRequestError, "no", 1)


def test_after_the_first_event_it_is_told_with_what_came(ask: Callable[..., Any]) -> None:
    # More than is read at once, so that the error does not come together with the text, which nobody has seen then.
    between = b": " + b"x" * 1_000_000 + b"\n\n"
    error = ask(stream(delta("bl"), between, OVERLOADED), stream(*GOOD))
    assert (type(error), error.message, error.attempts) == (e.OverloadedError, "busy", 1)
    assert error.partial.text == "bl"


@pytest.mark.parametrize(
    ("media_type", "body", "kind", "message"),
    [
        ("Application/JSON; charset=utf-8", b'{"error": {"message": "no", "code": 400}}', e.BadRequestError, "no"),
        ("application/problem+json", b'{"error": {"message": "no", "code": 400}}', e.BadRequestError, "no"),
        (
            "application/vnd.api+JSON",
            b'{"object": "chat.completion"}',
            e.InvalidResponseError,
            "one whole JSON document",
        ),
        ("Text/HTML", b"<html>log in</html>", e.InvalidResponseError, "is an HTML page, not JSON"),
        (" text/html ;x=1", b"<html>log in</html>", e.InvalidResponseError, "is an HTML page, not JSON"),
    ],
)
def test_a_whole_document_is_known_by_its_type_however_it_is_written(
    ask: Callable[..., Any], media_type: str, body: bytes, kind: type[e.APIError], message: str
) -> None:
    error = ask(answer(body, content_type=media_type), stream(*GOOD))
    assert type(error) is kind
    assert message in error.message
    assert error.attempts == 1


@pytest.mark.parametrize(
    ("status", "attempts", "hint"),
    [("408 Slow", 2, ""), ("425 Early", 2, ""), ("505 No", 1, ""), ("511 Log in", 1, "login"), ("500 Oops", 2, "")],
)
def test_which_statuses_are_tried_again(ask: Callable[..., Any], status: str, attempts: int, hint: str) -> None:
    found = ask(answer(b"", status), stream(*GOOD))
    tried = found.call.tried if attempts == 2 else found.tried
    assert [each.status for each in tried] == [int(status[:3])]
    assert hint in (getattr(found, "hint", None) or "")


def failed(**choice: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error", **choice}]}


@pytest.mark.parametrize(
    "first",
    [
        stream(event(failed(error={"code": 502, "message": "gone"}))),
        stream(event([{"error": {"code": 502, "message": "gone"}}])),
        stream(b'{"error": {"code": 502, "message": "gone"}}\n'),
        stream(b'error: {"code": 502, "message": "gone"}\n\n'),
    ],
    ids=["in a choice", "in a list", "without a frame", "in a field of its name"],
)
def test_a_failure_is_told_wherever_it_stands(ask: Callable[..., Any], first: bytes) -> None:
    found = ask(first, stream(*GOOD))
    assert (found.text, found.call.tried[0].error) == ("blue", "InternalServerError")
    between = b": " + b"x" * 1_000_000 + b"\n\n"
    error = ask(stream(delta("bl"), between, event(failed(error={"code": 502, "message": "gone"}))), stream(*GOOD))
    assert (type(error), error.message, error.partial.text) == (e.InternalServerError, "gone", "bl")


@pytest.mark.parametrize("world", [blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
@pytest.mark.parametrize("operation", ["chat", "stream"])
@pytest.mark.parametrize("status", ["429 Slow down", "200 OK"])
def test_a_moment_to_wait_for_is_a_wait(world: Any, operation: str, status: str) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1777550442000"}
    error = {"code": 429, "message": "Provider returned error", "metadata": {"headers": headers}}
    clock = FakeClock()
    clock.at = 1777550400.0
    with scripted(answer(json.dumps({"error": error}).encode(), status)) as server:
        found = outcome(
            world, server, operation, plugin=Dialect, endpoint={"retry": RetryConfig(attempts=1)}, clock=clock
        )
    assert (type(found), found.retry_after) == (e.RateLimitError, 42.0)


@pytest.mark.parametrize("world", [blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
def test_a_failure_is_not_kept_as_an_answer(world: Any, tmp_path: Path) -> None:
    bad = answer(json.dumps(failed(message={"content": ""}, error={"code": 400, "message": "no"})).encode())
    good = {"choices": [{"message": {"content": "blue"}, "finish_reason": "stop"}]}
    call = ("chat", {"model": "acme/m", "messages": "q", "temperature": 0})
    config = attrs.evolve(load_config(None, {}), cache=CacheConfig(path=str(tmp_path / "answers")))
    with scripted(bad, answer(json.dumps(good).encode())) as server:
        first, second, third = world(server, call, call, call, plugin=Dialect, config=config)
    assert type(first.error) is e.BadRequestError
    assert (second.answer.text, second.answer.cached, third.answer.cached) == ("blue", None, "exact")
