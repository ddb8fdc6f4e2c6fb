"""Answers of a certain form, and calls: which server holds what of a schema, on which route, and heeds what choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from ipfs_accel.types import ChatRequest, CompletionRequest, Request
from ipfs_accel.wire.late import late

_schemas, _drafts, _tools = late("ipfs_accel.wire", "schemas", "schema_drafts", "tools")

__all__ = ["asked", "chat", "held", "in_other_words"]

_TABLES = {"llama.cpp": "llama.cpp's chat completions", "vllm": "vLLM"}
_OF_TEXTS = {**_TABLES, "llama.cpp": "llama.cpp's completions"}
_GUIDANCE = """--structured-outputs-config '{"backend": "guidance"}'"""
_WAY_OUT = {
    "vllm": f"start the server with {_GUIDANCE}, which refuses what it cannot enforce, and set the endpoint's schemas "
    'to "trust"'
}


def held(plan: Any, request: Request, kind: str) -> Any:
    """Return a plan as one whose answer is held to the request's schemas, if there are any."""
    table = (_OF_TEXTS if isinstance(request, CompletionRequest) else _TABLES).get(kind)
    return _schemas.held(plan, request, table, _WAY_OUT.get(kind))


def in_other_words(request: ChatRequest) -> ChatRequest:
    """Return a chat with its schemas as vLLM takes them."""
    found: ChatRequest = _drafts.in_other_words(request)
    return found


def asked(server: str | None, request: ChatRequest) -> ChatRequest:
    """Return a chat as the server is asked, for what it counts."""
    found: ChatRequest = _tools.asked(server, request)[0] if request.tools else request
    return found


def chat(kind: str, server: str | None, request: ChatRequest, plan: Callable[[ChatRequest], Any]) -> Any:
    """Plan a chat with a schema or tools.

    Args:
        kind: Of the server.
        server: Its name, where it is one of which it is known what it does with tools.
        request: What the caller wants.
        plan: Plans what the server is asked.
    """
    if not request.tools:
        return held(plan(request), request, kind)
    changed, lost, told = _tools.asked(server, request)
    planned = plan(changed)
    if lost:
        planned = attrs.evolve(planned, unsupported=(*planned.unsupported, *lost))
    return held(_tools.watched(planned, changed, told), changed, kind)
