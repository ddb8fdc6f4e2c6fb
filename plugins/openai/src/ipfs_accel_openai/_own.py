"""Servers of one's own in OpenAI's dialect: what they ignore or cut without a word, and which API follows a schema.

Sources: answers of llama.cpp b11549 and Ollama v0.24.0, and the latter's reading of requests in its own source.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from ipfs_accel.errors import UnsupportedParameterError
from ipfs_accel.plans import Endpoint, Flow, Held, Http, HttpStream, Ready, get
from ipfs_accel.types import ChatRequest
from ipfs_accel.wire.late import late
from ipfs_accel.wire.schema_forms import GRAMMAR, in_form

from ._rules import SERVER, fewer, needs_responses

if TYPE_CHECKING:
    from ipfs_accel.wire import schema_drafts as drafts
    from ipfs_accel.wire import schemas, tools, windows
else:  # most chats need none of them
    schemas, drafts, tools, windows = late("ipfs_accel.wire", "schemas", "schema_drafts", "tools", "windows")

__all__ = ["doubted", "settled", "steps"]

# The Responses API of Ollama and vLLM does follow schemas.
_CHATS_ONLY = frozenset({"llama.cpp"})
# They refuse what their grammars have no form for.
_GRAMMARS = frozenset({"llama.cpp", "Ollama"})
_TABLES = {"llama.cpp": "llama.cpp's chat completions"}
_IGNORED = ("n", "logit_bias", "top_k", "tool_choice", "parallel_tool_calls")
_USUAL: Mapping[str, tuple[Any, ...]] = {"n": (None, 1), "tool_choice": (None, "auto")}


def _lost(request: ChatRequest) -> tuple[str, ...]:
    """Name what of a request Ollama ignores on this route."""
    return tuple([name for name in _IGNORED if getattr(request, name) not in _USUAL.get(name, (None,))])


def doubted(plan: Any, request: ChatRequest) -> Any:
    """Return the plan of a chat at another server with an eye for fewer answers, and for calls that were cut."""
    if request.tools:
        plan = tools.watched(plan, request)
    return plan if request.n in {None, 1} else Held(plan=plan, doubt=partial(fewer, request))


def settled(steps: Generator[Any, Any, Any], endpoint: Endpoint) -> Generator[Any, Any, Any]:
    """Perform the steps of a whole chat up to the answer, so that what it tells of its server can be looked at."""
    answer = yield Flow(steps=lambda: steps)
    if endpoint.memo.get(SERVER) != "Ollama":
        return Ready(value=answer)
    return (yield from windows.looked_at(endpoint, answer))


def steps(
    endpoint: Endpoint,
    request: ChatRequest,
    models: str,
    plan: Callable[[ChatRequest, bool], Any],
    *,
    by_responses: bool,
) -> Generator[Any, Any, Any]:
    """Plan a chat of which it matters who answers; `models` lists them, and `plan` is told what to ask by which API."""
    server = yield from schemas.own_server(endpoint, get(models))
    endpoint.memo[SERVER] = server or endpoint.memo.get(SERVER) or "other"
    is_formed = request.response_format is not None and request.response_format != "text"
    if by_responses and is_formed and server in _CHATS_ONLY:
        if needs_responses(request):
            raise UnsupportedParameterError(
                f"response_format: {server} ignores it in the Responses API, which this request needs",
                hint='set the endpoint\'s option api = "chat", or leave out what only the Responses API has',
            )
        by_responses = False
    if server in _GRAMMARS and getattr(request.response_format, "adapts", False):
        request = in_form(request, GRAMMAR)
    elif server == "vLLM":
        request = drafts.in_other_words(request)
    asked, lost, told = tools.asked(server, request) if request.tools else (request, (), None)
    planned = plan(asked, by_responses)
    lost = (*lost, *_lost(asked)) if server == "Ollama" else lost
    if lost and isinstance(planned, Http | HttpStream):
        planned = attrs.evolve(planned, unsupported=(*planned.unsupported, *lost))
    if server == "Ollama" and isinstance(planned, HttpStream):
        window = yield from windows.window_of(endpoint, request.model)
        planned = Held(plan=planned, doubt=partial(windows.doubt, window))
    if request.tools:
        planned = tools.watched(planned, asked, told)
    return schemas.held(planned, asked, _TABLES.get(server or "", server))
