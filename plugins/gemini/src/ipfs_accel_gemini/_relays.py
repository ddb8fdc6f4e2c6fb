"""Requests that were written for Gemini, passed on: where they go, and what is known of their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ipfs_accel import strict_json
from ipfs_accel.errors import APIError
from ipfs_accel.plans import Endpoint, HttpRequest, Relay
from ipfs_accel.types import Usage
from ipfs_accel.wire.relays import Ends

from ._answers import usage_of
from ._errors import error_of
from ._routes import model_name, model_path, root

if TYPE_CHECKING:
    from ipfs_accel.types import RelayRequest
    from ipfs_accel.wire.sse import ServerSentEvent

__all__ = ["relayed"]

Json = Mapping[str, Any]
_METHODS = {
    ("gemini.generate", "chat"): "generateContent",
    ("gemini.generate", "stream"): "streamGenerateContent",
    ("gemini.count_tokens", "count_tokens"): "countTokens",
}
_NAMING = {"model", "requests", "generateContentRequest"}
_REASONS = (b'"finishReason"', b'"blockReason"')


def _usage(told: Json) -> Usage:
    return usage_of(dict(told))


def _document(value: Any) -> APIError | None:
    body = value[0] if isinstance(value, list) and value else value
    return error_of(value) if isinstance(body, dict) and body.get("error") else None


def _error(event: ServerSentEvent) -> APIError | None:
    return _document(strict_json.loads(event.data))


class _Events(Ends):
    """Of a stream of events: its last one tells why it ended, and that may be all that it is looked at of."""

    def is_whole(self, tail: bytes) -> bool:
        """Whether the last event has a reason, or is so long that what is seen of it comes after the reason.

        What may be long are the sources of an answer, which follow the reason; a picture stands in the content, which
        ends with its role.
        """
        return super().is_whole(tail) or (
            b"data:" not in tail and b'"role"' not in tail and tail.rstrip().endswith(b"}") and tail.endswith(b"\n")
        )


class _Items(Ends):
    """Of a stream that is one JSON array."""

    def is_whole(self, tail: bytes) -> bool:
        """Whether the array has its end."""
        return tail.rstrip().endswith(b"]")


_EVENTS = _Events("usageMetadata", _usage, _REASONS, error=_error, document=_document)
_ITEMS = _Items("usageMetadata", _usage, (), error=_error, document=_document)


def relayed(endpoint: Endpoint, request: RelayRequest) -> Relay | None:
    """Plan one request to the method for which it was written."""
    members = request.members
    if request.dialect == "gemini.embed":
        method = "batchEmbedContents" if "requests" in members else "embedContent"
    else:
        method = _METHODS.get((request.dialect, request.operation), "")
    is_others = endpoint.options.vertex and request.dialect != "gemini.generate"  # whose methods have other members
    if not method or is_others:
        return None
    is_stream = request.is_stream
    accept = "text/event-stream" if request.query else "application/json"
    send = HttpRequest(
        method="POST",
        path=model_path(endpoint, request.model, method),
        query=request.query,
        headers=(("content-type", "application/json"), ("accept", accept), *request.headers),
        content=_content(endpoint, request),
        base_url=root(endpoint),
    )
    is_list = is_stream and not request.query
    return Relay(send=send, reads=_ITEMS if is_list else _EVENTS, any_type=is_list)


def _content(endpoint: Endpoint, request: RelayRequest) -> bytes:
    """Return the body, in which it may name the model again, and so do requests within it."""
    members = request.members
    if _NAMING.isdisjoint(members):
        return request.content
    model = model_name(endpoint, request.model)
    said = {name: _named(value, model) if name in _NAMING else value for name, value in members.items()}
    return strict_json.dumps(said)


def _named(value: Any, model: str) -> Any:
    if isinstance(value, list):
        return [_named(each, model) for each in value]
    return {**value, "model": model} if isinstance(value, dict) else model
