"""OpenAI's dialect, passed on: where requests go as they are, and what is known of their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipfs_accel import strict_json
from ipfs_accel.errors import APIError
from ipfs_accel.plans import Endpoint, HttpRequest, Relay

from .openai_answers import read_usage
from .openai_errors import error_in_body, error_in_event, in_list, is_error
from .openai_usage_events import UsageEvents, asking, may_ask
from .relays import Ends

if TYPE_CHECKING:
    from ipfs_accel.types import RelayRequest

    from .openai_routes import Routes
    from .sse import ServerSentEvent

__all__ = ["CHAT", "RESPONSES", "ROUTES", "passed", "relayed", "relayed_responses"]

ROUTES = {
    "openai.chat": "/chat/completions",
    "openai.completions": "/completions",
    "openai.embeddings": "/embeddings",
}
"""Dialect to the route of it, below the base URL; these all servers of the dialect may have."""
_FURTHER = {
    "openai.moderations": "/moderations",
    "openai.images.generations": "/images/generations",
    "openai.audio.speech": "/audio/speech",
}
"""Those of few; a backend whose server has one has a hook for what it asks for."""


def _error(event: ServerSentEvent) -> APIError | None:
    if event.event == "error":
        return error_in_event(event.data)
    return None if event.data.startswith("[DONE]") else _document(strict_json.loads(event.data))


def _document(value: Any) -> APIError | None:
    is_one = in_list(value) or (isinstance(value, dict) and is_error(value))
    return error_in_body(value) if is_one else None


CHAT = Ends("usage", read_usage, (b"[DONE]",), error=_error, document=_document)
"""What is known of answers of these routes."""

_RESPONSES = {
    "openai.responses": "/responses",
    "openai.responses.compact": "/responses/compact",
    "openai.responses.input_tokens": "/responses/input_tokens",
}


class _EventEnds(Ends):
    def is_whole(self, tail: bytes) -> bool:
        """Whether the last event is that of an answer which is over, and is whole itself."""
        return tail.endswith(b"\n") and super().is_whole(tail)


_PICTURES = _EventEnds("usage", read_usage, (b'"usage"', b'.completed"'), error=_error, document=_document)
"""What is known of streams of pictures: the counts stand in the last event alone, behind the picture."""

_SOUND = _EventEnds("usage", read_usage, (b'"speech.audio.done"',), error=_error, document=_document)


RESPONSES = _EventEnds(
    "usage",
    read_usage,
    # Only the last event has counts, and they stand at its end; what says its kind is far before, behind all that it
    # repeats. Without counts an answer is whole if the kind can still be seen, or by the mark that some servers add.
    (b'"output_tokens"', b'"response.completed"', b'"response.incomplete"', b"[DONE]"),
    error=_error,
    document=_document,
)
"""What is known of answers of the Responses API."""


def relayed(backend: Routes, endpoint: Endpoint, request: RelayRequest) -> Relay | None:
    """Plan what a backend of this dialect passes on."""
    route = ROUTES.get(request.dialect) or _FURTHER.get(request.dialect)
    if route is None or getattr(backend, request.operation, None) is None:
        return None
    members = request.members
    if members.get("encoding_format") == "base64" and not backend.fact(endpoint, "base64_vectors"):
        return None
    if "stream_options" in members and not backend.fact(endpoint, "stream_usage"):
        return None
    path = backend.model_path(endpoint, route, request.model)
    if may_ask(request) and request.dialect in ROUTES and backend.fact(endpoint, "stream_usage"):
        return passed(request, path, content=asking(request.content), trims=UsageEvents)
    if request.dialect == "openai.audio.speech":
        return passed(request, path, _SOUND, accept="*/*", at_once=True)
    return passed(request, path, _PICTURES if request.operation == "stream_image" else CHAT)


def relayed_responses(backend: Routes, endpoint: Endpoint, request: RelayRequest) -> Relay | None:
    """Plan what a backend whose server has the Responses API passes on; None for what is no request of it."""
    route = _RESPONSES.get(request.dialect)
    return None if route is None else passed(request, backend.path(endpoint, route), RESPONSES)


def passed(
    request: RelayRequest,
    path: str,
    reads: Ends = CHAT,
    *,
    accept: str = "application/json",
    content: bytes | None = None,
    **known: Any,
) -> Relay:
    """Plan one request to a path, with another body than it has if there is one; `known` are members of the plan."""
    headers = (
        ("content-type", "application/json"),
        ("accept", "text/event-stream" if request.is_stream else accept),
        *request.headers,
    )
    send = HttpRequest(
        method="POST", path=path, query=request.query, headers=headers, content=content or request.content
    )
    return Relay(send=send, reads=reads, **known)
