"""Answers of a certain form from servers that are not Anthropic's: some take the schema and ignore it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import attrs
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ChatRequest, JsonSchema
from ipfs_accel.wire.schemas import held, own_server

from ._pages import ask
from ._rules import is_hosted, rules_of

__all__ = ["is_open", "steps"]

# Sources: answers of llama.cpp b11549, and Ollama's reading of the field in its own source, v0.24.0.
_IGNORING = {"llama.cpp": "llvm", "Ollama": "ollama"}
"""Servers that ignore a schema on this route, and the backend by which they follow one."""


def is_open(endpoint: Endpoint, request: ChatRequest) -> bool:
    """Whether it has to be asked who is to follow the schema, if there is one: not where a Claude is to."""
    is_other = not is_hosted(endpoint) and not rules_of(endpoint, request.model).own
    return is_other and isinstance(request.response_format, JsonSchema)


def steps(
    endpoint: Endpoint, request: ChatRequest, plan: Callable[[ChatRequest, tuple[str, ...]], Any]
) -> Generator[Any, Any, Any]:
    """Plan a chat with a schema; `plan` is given what to ask, and what of it is lost."""
    server = yield from own_server(endpoint, ask(endpoint, "/v1/models"))
    backend = _IGNORING.get(server or "")
    if backend is None:
        return held(plan(request, ()), request, None)
    said = f"response_format ({server} ignores it in this dialect: use the backend {backend} at the same server)"
    return plan(attrs.evolve(request, response_format=None), (said,))
