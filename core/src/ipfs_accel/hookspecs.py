"""The hooks that a backend plugin may implement.

A plugin is any object (a module or an instance of a class) with an attribute `api_version` and functions marked with
`hookimpl`. `describe` is required; every other hook that it implements is an operation that its endpoints then have:
what a backend can do is derived from its hooks and never declared beside them.

Hooks do no I/O, do not sleep, retry or log, and never see a key. They return a plan (see `ipfs_accel.plans`).

    from ipfs_accel import BackendInfo, hookimpl
    from ipfs_accel.plans import Http, post_json

    api_version = 1

    @hookimpl
    def describe():
        return BackendInfo(name="acme", base_url="https://api.acme.example/v1", key_env=("ACME_API_KEY",))

    @hookimpl
    def embed(endpoint, request):
        return Http(send=post_json("/vectors", {"texts": request.inputs}), parse=read_vectors)

The plugin is found through an entry point of the group `ipfs_accel.backends` whose name is the backend's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

if TYPE_CHECKING:
    from .plans import Endpoint, ErrorDetail, HttpResponse, Plan, StreamPlan
    from .types import (
        ChatRequest,
        ChatResponse,
        CompletionRequest,
        CompletionResponse,
        DetokenizeRequest,
        DetokenizeResponse,
        EmbedRequest,
        EmbedResponse,
        Health,
        ModelInfo,
        RerankRequest,
        RerankResponse,
        TokenCount,
        TokenizeRequest,
        TokenizeResponse,
    )

__all__ = ["API_VERSION", "OPERATIONS", "BackendInfo", "KeyHeader", "hookimpl", "hookspec"]

API_VERSION = 1
"""Version of this plugin API; a plugin states the one that it was written for as `api_version`."""

PROJECT = "ipfs_accel"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@attrs.frozen(kw_only=True)
class KeyHeader:
    """The header in which a provider wants its key."""

    name: str = "authorization"
    prefix: str = "Bearer "


@attrs.frozen(kw_only=True)
class BackendInfo:
    """What the core has to know of a backend.

    Attributes:
        name: The entry point's name.
        title: For people.
        base_url: Where the provider is, or where a local server usually is.
        base_url_env: Environment variables that may name another base URL, first wins.
        key_env: Environment variables that may hold the key, first wins.
        key_header: How the key is sent.
        needs_key: Whether calls to the provider's own `base_url` are pointless without a key.
        options: An attrs class of the backend's own settings, all with defaults; configuration is checked against it.
        options_env: Name of a field of `options` to the environment variable that may set it.
        headers: Fixed headers of every request, from the settings; given the `options` instance.
        read_error: Reads an error answer's body; None means that the status and the text are all there is.
        request_id_headers: Response headers that may hold the provider's id of a request.
        documentation: URL of a page for users.
    """

    name: str
    title: str = ""
    base_url: str = ""
    base_url_env: tuple[str, ...] = ()
    key_env: tuple[str, ...] = ()
    key_header: KeyHeader = KeyHeader()
    needs_key: bool = False
    options: type[Any] | None = None
    options_env: Mapping[str, str] = attrs.field(factory=dict)
    headers: Callable[[Any], Mapping[str, str]] | None = None
    read_error: Callable[[HttpResponse], ErrorDetail] | None = None
    request_id_headers: tuple[str, ...] = ("x-request-id", "request-id")
    documentation: str = ""


@hookspec(firstresult=True)
def describe() -> BackendInfo:  # type: ignore[empty-body]
    """Say what the core has to know of the backend. Called once, right after loading."""


@hookspec(firstresult=True)
def chat(endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:  # type: ignore[empty-body]
    """Plan the next turn of a conversation."""


@hookspec(firstresult=True)
def stream(endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:  # type: ignore[empty-body]
    """Plan the same, streamed."""


@hookspec(firstresult=True)
def complete(endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:  # type: ignore[empty-body]
    """Plan the continuation of a text."""


@hookspec(firstresult=True)
def stream_complete(endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:  # type: ignore[empty-body]
    """Plan the same, streamed."""


@hookspec(firstresult=True)
def embed(endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:  # type: ignore[empty-body]
    """Plan the vectors of texts."""


@hookspec(firstresult=True)
def rerank(endpoint: Endpoint, request: RerankRequest) -> Plan[RerankResponse]:  # type: ignore[empty-body]
    """Plan the ordering of documents by relevance."""


@hookspec(firstresult=True)
def tokenize(endpoint: Endpoint, request: TokenizeRequest) -> Plan[TokenizeResponse]:  # type: ignore[empty-body]
    """Plan the splitting of a text into token ids."""


@hookspec(firstresult=True)
def detokenize(endpoint: Endpoint, request: DetokenizeRequest) -> Plan[DetokenizeResponse]:  # type: ignore[empty-body]
    """Plan the reverse."""


@hookspec(firstresult=True)
def count_tokens(endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:  # type: ignore[empty-body]
    """Plan the counting of a chat's input tokens."""


@hookspec(firstresult=True)
def list_models(endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:  # type: ignore[empty-body]
    """Plan the list of models that the endpoint serves, with whatever the server and the catalogue tell of each."""


@hookspec(firstresult=True)
def show_model(endpoint: Endpoint, model: str) -> Plan[ModelInfo]:  # type: ignore[empty-body]
    """Plan the fullest answer about one model."""


@hookspec(firstresult=True)
def healthcheck(endpoint: Endpoint) -> Plan[Health]:  # type: ignore[empty-body]
    """Plan a check that costs nothing. The core turns errors into a `Health` and measures the time."""


@hookspec(firstresult=True)
def calls() -> Mapping[str, Callable[..., Plan[Any]]]:  # type: ignore[empty-body]
    """Name the backend's own calls beyond the operations.

    Each is a function `(endpoint, **arguments) -> Plan`; a user reaches it with `client.call(endpoint, name, …)`.
    """


OPERATIONS: tuple[str, ...] = (
    "chat",
    "stream",
    "complete",
    "stream_complete",
    "embed",
    "rerank",
    "tokenize",
    "detokenize",
    "count_tokens",
    "list_models",
    "show_model",
    "healthcheck",
)
"""Hooks that are operations of an endpoint, in the order in which they are shown."""
