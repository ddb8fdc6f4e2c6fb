"""Ollama's contexts, which its routes in other dialects than its own fill by cutting prompts without a word.

Sources: answers of Ollama v0.24.0. How many tokens a loaded model was given is told by GET /api/ps alone.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from ipfs_accel.errors import APIError, NotFoundError
from ipfs_accel.plans import Endpoint, Held, Http, HttpResponse, Ready, get
from ipfs_accel.types import ChatResponse

__all__ = ["doubt", "looked_at", "window_of"]

_MEMO = "contexts of Ollama's models"


def looked_at(endpoint: Endpoint, answer: ChatResponse) -> Generator[Any, Any, Held[ChatResponse]]:
    """Compare an answer of Ollama's with the size of the context."""
    window = yield from window_of(endpoint, answer.model or "")
    return Held(plan=Ready(value=answer), doubt=partial(doubt, window))


def window_of(endpoint: Endpoint, model: str) -> Generator[Any, Any, int | None]:
    """Return the tokens of the context that a loaded model was given; None if that is not known."""
    known: dict[str, int] | None = endpoint.memo.setdefault(_MEMO, {})
    names = (model, f"{model}:latest")
    if known is not None and known.keys().isdisjoint(names):
        root = endpoint.base_url.removesuffix("/v1")
        try:
            known |= yield Http(send=get("/api/ps", base_url=root), parse=_contexts)
        except NotFoundError:  # it is another server, which need not be asked again
            known = endpoint.memo[_MEMO] = None
        except APIError:
            return None
    return next((known[name] for name in names if name in known), None) if known else None


def _contexts(response: HttpResponse) -> dict[str, int]:
    models = response.json().get("models") or ()
    return {model["name"]: model["context_length"] for model in models if model.get("context_length")}


def doubt(window: int | None, answer: ChatResponse) -> str | None:
    """Say that a prompt was cut, if it fills its context."""
    used = answer.usage.input_tokens
    if window is None or used is None or used < window - 1:  # some models begin with a token that is not counted
        return None
    return (
        f"the prompt fills the model's context of {window} tokens: Ollama has cut what did not fit, which its /v1 does "
        "without a word; give the model more (num_ctx), or use the backend ollama, which has it refuse"
    )
