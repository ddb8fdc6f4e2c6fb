"""Which provider, and where its routes are. The names of providers are those of Hugging Face's client, 2026."""

from __future__ import annotations

from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import attrs
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import Request
from ipfs_accel.wire.names import check_model

from ._places import model_path, root

__all__ = ["ROUTER", "Options", "is_router", "named", "own_provider", "split", "task_place"]

R = TypeVar("R", bound=Request)

ROUTER = "https://router.huggingface.co"
HUB = "https://huggingface.co"
INFERENCE = "hf-inference"
_WITH_PIPELINE = {"feature-extraction", "sentence-similarity"}
_POLICIES = {"fastest", "cheapest", "preferred"}


def _without_slash(url: str) -> str:
    return url.rstrip("/")


@attrs.frozen(kw_only=True)
class Options:
    """Settings of an endpoint.

    Attributes:
        provider: Whom to ask where the model's id does not end in a colon and a name: a provider, or one of the
            router's policies fastest, cheapest and preferred.
        api: How chats are made: by chat completions or by the Responses API.
        bill_to: The organisation that pays.
        wait_for_model: Whether hf-inference holds a request while it loads the model instead of answering 503.
        use_cache: False makes hf-inference compute an answer that it has already given.
        scale_up_timeout: Seconds for which a dedicated endpoint that is scaled to zero holds a request.
        router: Whether the endpoint is the router, for a base URL that does not tell, such as that of a proxy.
        hub: Where the Hub is, for mirrors; it is asked what providers call a model, without a key.
    """

    provider: str | None = None
    api: Literal["chat", "responses"] = "chat"
    bill_to: str | None = None
    wait_for_model: bool = False
    use_cache: bool | None = None
    scale_up_timeout: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(0))
    )
    router: bool | None = None
    hub: str = attrs.field(default=HUB, converter=_without_slash)


def is_router(endpoint: Endpoint) -> bool:
    """Whether an endpoint is the router, and not a dedicated one with a model of its own."""
    said: bool | None = endpoint.options.router
    return urlsplit(endpoint.base_url).hostname == urlsplit(ROUTER).hostname if said is None else said


def split(model: str) -> tuple[str, str | None]:
    """Return a model's id on the Hub, and the provider or policy behind its colon."""
    name, _, provider = model.partition(":")
    return name, provider or None


def named(endpoint: Endpoint, request: R) -> R:
    """Return a request whose model says whom to ask."""
    if not is_router(endpoint):
        return request
    check_model(request, "Hugging Face's router")
    provider = endpoint.options.provider
    if provider is None or not request.model or ":" in request.model:
        return request
    return attrs.evolve(request, model=f"{request.model}:{provider}")


def own_provider(endpoint: Endpoint, model: str) -> str:
    """Return the provider for a task other than chat, for which there are no policies."""
    provider = split(model)[1] or endpoint.options.provider
    return INFERENCE if provider is None or provider in _POLICIES else provider


def task_place(endpoint: Endpoint, model: str, task: str) -> dict[str, Any]:
    """Return path and base URL of a task: below the router at hf-inference, or the root of a dedicated endpoint."""
    if not is_router(endpoint):
        return {"path": "/", "base_url": root(endpoint)}
    path = f"/{INFERENCE}/models/{model_path(split(model)[0])}"
    if task in _WITH_PIPELINE:
        path += f"/pipeline/{task}"
    return {"path": path, "base_url": root(endpoint)}
