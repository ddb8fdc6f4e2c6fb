"""What a backend holds whose users may send any request of its API; part of `BackendContract`."""

from __future__ import annotations

import logging
import pickle
import secrets
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest

from ipfs_accel import Client
from ipfs_accel import errors as e
from ipfs_accel.hookspecs import KeyHeader
from ipfs_accel.types import DataDelta, RawResponse, ServerEvent, Timeout

from .replies import Reply, data_reply, json_reply, ndjson_reply, sse_reply
from .trials import Exchange, replying

if TYPE_CHECKING:
    from .trials import Subject, World

__all__ = ["RawContract"]

_PATH = "/contract/a%2Fb"
_TRICKS = (
    "",
    "contract",
    "https://elsewhere.invalid/contract",
    "//elsewhere.invalid/contract",
    "/..",
    "/contract/../../contract",
    "/contract/./../x",
    "/%2e%2e/contract",
    "/.%2E/contract",
    "/%252e%252e/contract",
    "/contract%2f..%2f..%2fx",
    "/contract/..%5cx",
    "/..;a=b/contract",
    "/\\elsewhere.invalid",
    "/contract\r\nx-other: 1",
    "/contract%0d%0ax-other: 1",
    "/contract#part",
    "/contract/ü",
)
_STREAMS: dict[str, tuple[Reply, list[Any]]] = {
    "events": (sse_reply({"a": 1}, ("named", {"b": "ü"})), ['{"a": 1}', '{"b": "\\u00fc"}', "[DONE]"]),
    "lines": (ndjson_reply({"a": 1}, {"b": 2}), ['{"a": 1}', '{"b": 2}']),
    "bytes": (data_reply(b"\x00\xff" * 9, "application/octet-stream"), [b"\x00\xff" * 9]),
    "document": (json_reply({"a": 1}), [b'{"a": 1}']),
}


class RawContract:
    """Tests of `request` and `stream_request`; skipped for a backend that has neither."""

    def _asked(self, key: str = "sk-contract-0123456789") -> Subject:
        subject: Subject = cast("Any", self).subject(key)  # it is mixed into the contract
        with subject.client(Client, "http://127.0.0.1:9", Timeout(total=1.0)) as client:
            if client.capabilities(subject.info.name).supports("request").value == "no":
                pytest.skip("it takes no requests but those of its operations")
        return subject

    def test_any_request_reaches_the_endpoint(self, world: World) -> None:
        """The caller's path comes below the base, with query, body and the endpoint's key; the answer is as it came."""
        subject = self._asked()
        ask = Exchange(
            operation="request",
            call=lambda client, at: client.request(at, "post", f"{_PATH}?a=1", params={"b": [2, "ä"]}, json={"c": [3]}),
            replies=json_reply({"d": 4}, status=201),
        )
        with replying(subject, *ask.replies) as server:
            outcome = subject.run(world, ask, server.url)
        assert not outcome.errors, outcome.errors
        answer: RawResponse = outcome.answer
        assert (answer.status, answer.json(), answer.headers["content-type"]) == (201, {"d": 4}, "application/json")
        assert outcome.stats is not None
        assert outcome.stats.active == 0
        (head,), (body,) = server.heads, server.bodies
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        assert (method, body) == ("POST", b'{"c":[3]}')
        assert target.partition("?")[0].endswith(_PATH)
        assert target.partition("?")[2].endswith("a=1&b=2&b=%C3%A4")
        name, value = _key_of(subject)
        assert [line for line in lines if line.lower().startswith(f"{name}:")] == [f"{name}: {value}"]

    @pytest.mark.parametrize("path", _TRICKS, ids=ascii)
    def test_no_request_leaves_its_place(self, path: str) -> None:
        """A path that could lead elsewhere, to whoever reads it, is refused before anything is sent."""
        subject = self._asked()
        ask = Exchange(
            operation="request", call=lambda client, at: client.request(at, "GET", path), replies=json_reply({})
        )
        with replying(subject, *ask.replies) as server:
            outcome = subject.run("sync", ask, server.url)
        (error,) = outcome.errors
        assert isinstance(error, e.InvalidRequestError), repr(error)
        assert error.message.startswith("path:")
        assert not server.heads

    def test_no_request_brings_another_key(self) -> None:
        """The header of the key is the endpoint's business."""
        subject = self._asked()
        for name in {_key_of(subject)[0], "Authorization"}:
            call = partial(_with_header, name=name)
            ask = Exchange(operation="request", call=call, replies=json_reply({}))
            with replying(subject, *ask.replies) as server:
                outcome = subject.run("sync", ask, server.url)
            assert [type(error) for error in outcome.errors] == [e.InvalidRequestError]
            assert not server.heads

    @pytest.mark.parametrize("kind", _STREAMS)
    def test_any_answer_streams(self, world: World, kind: str) -> None:
        """Events, lines and bytes come as what they are."""
        reply, expected = _STREAMS[kind]
        ask = Exchange(
            operation="stream_request", call=lambda client, at: client.stream_request(at, "GET", _PATH), replies=reply
        )
        subject = self._asked()
        with replying(subject, reply) as server:
            outcome = subject.run(world, ask, server.url)
            cut = attrs.evolve(reply, pieces=tuple([bytes([byte]) for byte in reply.body]))
        assert not outcome.errors, outcome.errors
        if kind in {"bytes", "document"}:
            assert b"".join([event.data for event in outcome.events]) == b"".join(expected)
            assert all(isinstance(event, DataDelta) for event in outcome.events)
            assert outcome.answer.size == len(reply.body)
            return
        assert [event.data for event in outcome.events] == expected
        assert all(isinstance(event, ServerEvent) for event in outcome.events)
        with replying(subject, cut) as server:
            assert subject.run("sync", ask, server.url).events == outcome.events

    def test_a_request_shows_no_key(self, caplog: pytest.LogCaptureFixture) -> None:
        """Neither the endpoint's nor a secret of the caller's headers, even if the server repeats both."""
        caplog.set_level(logging.DEBUG)
        key, own = (f"sk-canary-{secrets.token_hex(16)}" for _ in range(2))
        subject = self._asked(key)
        ask = Exchange(
            operation="request",
            call=lambda client, at: client.request(at, "GET", _PATH, headers={"x-other-token": own}),
            replies=json_reply({"error": {"message": f"neither {key} nor {own}", "code": own}}, status=401),
        )
        with replying(subject, *ask.replies) as server:
            outcome = subject.run("sync", ask, server.url)
            said = [head.split("\r\n", 1)[0] for head in server.heads]
        (error,) = outcome.errors
        assert isinstance(error, e.AuthenticationError)
        said += ["".join(traceback.format_exception(error)), repr(vars(error)), repr(pickle.dumps(error)), caplog.text]
        assert not [each for each in said if key in each or own in each]


def _with_header(client: Any, at: str, name: str) -> Any:
    return client.request(at, "GET", _PATH, headers={name: "sk-other"})


def _key_of(subject: Subject) -> tuple[str, str]:
    """Return the header in which the endpoint's key goes, and its value."""
    info = subject.info
    with subject.client(Client, "http://127.0.0.1:9", Timeout(total=1.0)) as client:
        client.capabilities(info.name)
        header: KeyHeader = client._core.targets()[info.name].key_header  # noqa: SLF001 - this is the core's own kit
    return header.name.lower(), f"{header.prefix}{subject.key}"
