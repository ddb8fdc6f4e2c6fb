"""Answers of a certain form from servers that are not OpenAI's: which one it is decides which API makes them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ipfs_accel.errors import UnsupportedParameterError
from ipfs_accel.plans import Endpoint, get
from ipfs_accel.types import ChatRequest
from ipfs_accel.wire.schemas import held, own_server

from ._rules import needs_responses

__all__ = ["steps"]

# Source: answers of llama.cpp b11549; the Responses API of Ollama and vLLM does follow schemas.
_CHATS_ONLY = frozenset({"llama.cpp"})
_TABLES = {"llama.cpp": "llama.cpp's chat completions"}


def steps(
    endpoint: Endpoint,
    request: ChatRequest,
    models: str,
    plan: Callable[[bool], Any],
    *,
    by_responses: bool,
) -> Generator[Any, Any, Any]:
    """Plan a chat that is to have a form; `models` is where they are listed, and `plan` is told which API to use."""
    server = yield from own_server(endpoint, get(models))
    if by_responses and server in _CHATS_ONLY:
        if needs_responses(request):
            raise UnsupportedParameterError(
                f"response_format: {server} ignores it in the Responses API, which this request needs",
                hint='set the endpoint\'s option api = "chat", or leave out what only the Responses API has',
            )
        by_responses = False
    return held(plan(by_responses), request, _TABLES.get(server or "", server))
