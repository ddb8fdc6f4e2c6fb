"""Servers of one's own in OpenAI's dialect: what they ignore or cut without a word, and which API follows a schema.

Sources: answers of llama.cpp b11549 and Ollama v0.24.0, and the latter's reading of requests in its own source.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from ipfs_accel.errors import APIError, UnsupportedParameterError
from ipfs_accel.plans import Endpoint, Flow, Held, Http, HttpResponse, HttpStream, Ready, get
from ipfs_accel.types import ChatRequest, ChatResponse
from ipfs_accel.wire.late import late

from ._rules import SERVER, needs_responses

if TYPE_CHECKING:
    from ipfs_accel.wire import schemas, tools
else:  # most chats have neither
    schemas, tools = late("ipfs_accel.wire", "schemas", "tools")

__all__ = ["looked_at", "settled", "steps"]

# The Responses API of Ollama and vLLM does follow schemas.
_CHATS_ONLY = frozenset({"llama.cpp"})
_TABLES = {"llama.cpp": "llama.cpp's chat completions"}
_WINDOWS = "contexts of Ollama's models"
_IGNORED = ("n", "logit_bias", "top_k", "tool_choice", "parallel_tool_calls")
_USUAL: Mapping[str, tuple[Any, ...]] = {"n": (None, 1), "tool_choice": (None, "auto")}


def _lost(request: ChatRequest) -> tuple[str, ...]:
    """Name what of a request Ollama ignores on this route."""
    return tuple([name for name in _IGNORED if getattr(request, name) not in _USUAL.get(name, (None,))])


def settled(steps: Generator[Any, Any, Any], endpoint: Endpoint) -> Generator[Any, Any, Any]:
    """Perform the steps of a whole chat up to the answer, so that what it tells of its server can be looked at."""
    answer = yield Flow(steps=lambda: steps)
    if endpoint.memo.get(SERVER) != "Ollama":
        return Ready(value=answer)
    return (yield from looked_at(endpoint, answer))


def looked_at(endpoint: Endpoint, answer: ChatResponse) -> Generator[Any, Any, Any]:
    """Compare an answer of Ollama's with the size of the context."""
    window = yield from _window(endpoint, answer.model or "")
    return Held(plan=Ready(value=answer), doubt=lambda answer: _doubt(answer, window))


def _window(endpoint: Endpoint, model: str) -> Generator[Any, Any, int | None]:
    """Return the tokens of the context that a loaded model was given."""
    known: dict[str, int] = endpoint.memo.setdefault(_WINDOWS, {})
    names = (model, f"{model}:latest")
    if known.keys().isdisjoint(names):
        root = endpoint.base_url.removesuffix("/v1")
        try:
            known |= yield Http(send=get("/api/ps", base_url=root), parse=_contexts)
        except APIError:
            return None
    return next((known[name] for name in names if name in known), None)


def _contexts(response: HttpResponse) -> dict[str, int]:
    models = response.json().get("models") or ()
    return {model["name"]: model["context_length"] for model in models if model.get("context_length")}


def _doubt(answer: ChatResponse, window: int | None) -> str | None:
    used = answer.usage.input_tokens
    if window is None or used is None or used < window - 1:  # some models begin with a token that is not counted
        return None
    return (
        f"the prompt fills the model's context of {window} tokens: Ollama has cut what did not fit, which its /v1 does "
        "without a word; give the model more (num_ctx), or use the backend ollama, which has it refuse"
    )


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
    endpoint.memo[SERVER] = server or "other"
    is_formed = request.response_format is not None and request.response_format != "text"
    if by_responses and is_formed and server in _CHATS_ONLY:
        if needs_responses(request):
            raise UnsupportedParameterError(
                f"response_format: {server} ignores it in the Responses API, which this request needs",
                hint='set the endpoint\'s option api = "chat", or leave out what only the Responses API has',
            )
        by_responses = False
    asked, lost, told = tools.asked(server, request) if request.tools else (request, (), None)
    planned = plan(asked, by_responses)
    lost = (*lost, *_lost(asked)) if server == "Ollama" else lost
    if lost and isinstance(planned, Http | HttpStream):
        planned = attrs.evolve(planned, unsupported=(*planned.unsupported, *lost))
    if server == "Ollama" and isinstance(planned, HttpStream):
        window = yield from _window(endpoint, request.model)
        planned = Held(plan=planned, doubt=lambda answer: _doubt(answer, window))
    if request.tools:
        planned = tools.watched(planned, asked, told)
    return schemas.held(planned, asked, _TABLES.get(server or "", server))
