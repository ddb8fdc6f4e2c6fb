"""Requests that somebody else has written in Claude's own words, passed on as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ipfs_accel import strict_json
from ipfs_accel.plans import Endpoint, HttpRequest, Pairs, Relay
from ipfs_accel.wire.keepsakes import PREFIX
from ipfs_accel.wire.relays import Ends

from ._answers import read_usage
from ._errors import error_of, is_error
from ._limits import checked
from ._pages import root
from ._requests import version_for
from ._rules import rules_of

if TYPE_CHECKING:
    from ipfs_accel.errors import APIError
    from ipfs_accel.types import RelayRequest
    from ipfs_accel.wire.sse import ServerSentEvent

__all__ = ["relayed"]

_ROUTES = {"anthropic.messages": "/v1/messages", "anthropic.count_tokens": "/v1/messages/count_tokens"}
_VERSION, _BETA = "anthropic-version", "anthropic-beta"
_THOUGHTS = {"thinking": "signature", "redacted_thinking": "data"}


def _document(value: Any) -> APIError | None:
    return error_of(value) if is_error(value) else None


def _error(event: ServerSentEvent) -> APIError | None:
    return _document(strict_json.loads(event.data))


_ANSWERS = Ends(
    "usage", read_usage, (b'"message_stop"',), error=_error, document=_document, in_both=True
)  # in texts of JSON quotes are escaped


def relayed(endpoint: Endpoint, request: RelayRequest) -> Relay | None:
    """Plan what goes to a Claude as it came; what other models make of these words is not known, or known to be less.

    A conversation that another model had a part in is not passed on: Claude refuses thoughts that it has not signed.
    """
    path = _ROUTES.get(request.dialect)
    if path is None or not rules_of(endpoint, request.model).own:
        return None
    if _has_kept(request.members):
        return None
    accept = "text/event-stream" if request.is_stream else "application/json"
    send = HttpRequest(
        method="POST",
        path=path,
        query=request.query,
        headers=(("content-type", "application/json"), ("accept", accept), *_said(endpoint, request)),
        content=request.content,
        base_url=root(endpoint),
    )
    return Relay(send=checked(endpoint, send), reads=_ANSWERS)


def _has_kept(members: Mapping[str, Any]) -> bool:
    """Whether a model's turn has a thought that a gateway has signed; looking at blocks is less than at bytes."""
    turns = members.get("messages")
    for turn in turns if isinstance(turns, list) else ():
        if not isinstance(turn, dict) or turn.get("role") != "assistant":
            continue
        content = turn.get("content")
        for block in content if isinstance(content, list) else ():
            place = _THOUGHTS.get(str(block.get("type"))) if isinstance(block, dict) else None
            if place is not None and str(block.get(place)).startswith(PREFIX):
                return True
    return False


def _said(endpoint: Endpoint, request: RelayRequest) -> Pairs:
    """Return the version and the betas of a request; those that the endpoint switches on itself are sent beside."""
    given: Mapping[str, str] = dict(request.headers)
    version = given.get(_VERSION) or version_for(request.members, rules_of(endpoint, request.model))
    betas = given.get(_BETA)
    return ((_VERSION, version), *(((_BETA, betas),) if betas else ()))
