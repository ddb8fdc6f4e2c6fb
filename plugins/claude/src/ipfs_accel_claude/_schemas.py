"""What servers that are not Anthropic's take and ignore: schemas of answers, and choices of tools."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import attrs
from ipfs_accel.plans import Endpoint, Held
from ipfs_accel.types import ChatRequest, JsonSchema
from ipfs_accel.wire import tools
from ipfs_accel.wire.schemas import held, own_server

from ._pages import ask
from ._rules import is_hosted, rules_of

__all__ = ["count_steps", "is_open", "steps"]

# Sources: answers of llama.cpp b11549, and Ollama's reading of the field in its own source, v0.24.0.
_IGNORING = {"llama.cpp": "llvm", "Ollama": "ollama"}
"""Servers that ignore a schema on this route, and the backend by which they follow one."""


_NAMES = {"llama.cpp": "llama.cpp's Messages route"}


def is_open(endpoint: Endpoint, request: ChatRequest) -> bool:
    """Whether it has to be asked who is to follow a schema, or a choice of tools: not where a Claude is to."""
    is_other = not is_hosted(endpoint) and not rules_of(endpoint, request.model).own
    is_forced = bool(request.tools) and request.tool_choice not in {None, "auto"}
    return is_other and (is_forced or isinstance(request.response_format, JsonSchema))


def steps(
    endpoint: Endpoint, request: ChatRequest, plan: Callable[[ChatRequest, tuple[str, ...]], Any]
) -> Generator[Any, Any, Any]:
    """Plan a chat with a schema or a choice of tools; `plan` is given what to ask, and what of it is lost."""
    server = yield from own_server(endpoint, ask(endpoint, "/v1/models"))
    asked, lost, told = tools.asked(_NAMES.get(server or "", server), request)
    backend = _IGNORING.get(server or "")
    has_schema = isinstance(asked.response_format, JsonSchema)
    if backend is not None and has_schema:
        said = f"response_format ({server} ignores it in this dialect: use the backend {backend} at the same server)"
        asked, lost = attrs.evolve(asked, response_format=None), (*lost, said)
    planned = plan(asked, lost)
    if told is not None:
        planned = Held(plan=planned, told=told)
    return held(planned, asked, None) if has_schema and backend is None else planned


def count_steps(
    endpoint: Endpoint, request: ChatRequest, plan: Callable[[ChatRequest], Any]
) -> Generator[Any, Any, Any]:
    """Plan the count of a chat with a choice of tools, as it is asked."""
    server = yield from own_server(endpoint, ask(endpoint, "/v1/models"))
    return plan(tools.asked(_NAMES.get(server or "", server), request)[0])
