"""Pictures and sounds for models that have no sense for them: the server takes them and drops them without a word."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ipfs_accel.errors import APIError, NotSupportedByServerError
from ipfs_accel.plans import Endpoint, Http, HttpResponse, post_json
from ipfs_accel.types import Audio, ChatRequest, Image, ToolResult

from ._errors import checked

__all__ = ["checked_steps", "wanted"]

_SENSES = {Image: "vision", Audio: "audio"}


def wanted(request: ChatRequest) -> frozenset[str]:
    """Return which senses the messages of a chat are for."""
    parts = [part for message in request.messages for part in message.content]
    inner = [each for part in parts if isinstance(part, ToolResult) for each in part.content]
    return frozenset([_SENSES[type(part)] for part in (*parts, *inner) if type(part) in _SENSES])


def checked_steps(endpoint: Endpoint, model: str, senses: frozenset[str], plan: Any) -> Generator[Any, Any, Any]:
    """Return the plan if the model has these senses, or the server does not tell; it is asked once for each model.

    Raises:
        NotSupportedByServerError: The model has not.
    """
    known = endpoint.memo.setdefault("senses", {})
    if model not in known:
        try:
            known[model] = yield Http(send=post_json("/api/show", {"model": model}), parse=_capabilities)
        except APIError:
            return plan  # the call itself will say what is wrong
    missing = senses - known[model] if known[model] is not None else ()
    if missing:
        what = " and ".join(sorted(missing))
        raise NotSupportedByServerError(
            f"messages: the model {model!r} has no {what}, and Ollama would answer without a word of what it dropped",
            hint="choose a model that has: client.show_model(…).supports tells",
        )
    return plan


def _capabilities(response: HttpResponse) -> frozenset[str] | None:
    found = checked(response.json()).get("capabilities")
    return frozenset(found) if isinstance(found, list) else None
