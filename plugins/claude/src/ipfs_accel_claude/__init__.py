"""The `claude` backend: Anthropic's Claude, and servers that speak its messages dialect."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import attrs
from ipfs_accel import BackendInfo, KeyHeader, hookimpl
from ipfs_accel.plans import (
    Endpoint,
    Flow,
    Http,
    HttpRequest,
    HttpResponse,
    HttpStream,
    Plan,
    Ready,
    StreamPlan,
    get,
    post_json,
    segment,
)
from ipfs_accel.types import ChatRequest, ChatResponse, Health, ModelInfo, TokenCount
from ipfs_accel.wire.assembler import chat_assembler
from ipfs_accel.wire.openai_errors import field
from ipfs_accel.wire.sse import SSEDecoder

from . import _answers as answers
from . import _requests as requests

__all__ = ["Claude", "Options", "backend"]

_NOT_COUNTED = ("max_tokens", "stop_sequences", "metadata")


@attrs.frozen(kw_only=True)
class Options:
    """Settings of a Claude endpoint.

    Attributes:
        max_tokens: The limit of an answer where the caller gives none; the API requires one.
        beta: Names of beta features to switch on, separated by commas.
        workspace: Id of the workspace to bill.
    """

    max_tokens: int = 4096
    beta: str | None = None
    workspace: str | None = None


def _headers(options: Options) -> dict[str, str]:
    named = {"anthropic-beta": options.beta, "anthropic-workspace-id": options.workspace}
    return {name: value for name, value in named.items() if value}


class Claude:
    """Messages, token counts and models."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        """Say where the API is and how it wants its key."""
        return BackendInfo(
            name="claude",
            title="Anthropic Claude",
            base_url="https://api.anthropic.com",
            base_url_env=("ANTHROPIC_BASE_URL",),
            key_env=("ANTHROPIC_API_KEY",),
            key_header=KeyHeader(name="x-api-key", prefix=""),
            needs_key=True,
            options=Options,
            headers=_headers,
            read_error=answers.read_error,
            request_id_headers=("request-id", "x-request-id"),
            documentation="https://docs.claude.com/en/api/messages",
        )

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /v1/messages."""
        return Http(
            send=_messages(endpoint, request, stream=False),
            parse=answers.read_chat,
            unsupported=requests.unsupported(request),
        )

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream; only `message_stop` completes it."""
        return HttpStream(
            send=_messages(endpoint, request, stream=True),
            frames=SSEDecoder,
            decoder=answers.StreamDecoder,
            assembler=lambda: chat_assembler(eof_after_finish=False),
            unsupported=requests.unsupported(request),
        )

    @hookimpl
    def count_tokens(self, endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:
        """Plan POST /v1/messages/count_tokens, which is free; the provider calls its answer an estimate."""
        body = requests.body(request, stream=False, max_tokens=1)
        body = {name: value for name, value in body.items() if name not in _NOT_COUNTED}

        def read(response: HttpResponse) -> TokenCount:
            answer = response.json()
            return TokenCount(input_tokens=field(answer, "input_tokens", int), exact=False, raw=answer)

        return Http(send=_post(endpoint, "/v1/messages/count_tokens", body, requests.version(request)), parse=read)

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan GET /v1/models, page by page."""

        def steps() -> Generator[Any, Any, Ready[tuple[ModelInfo, ...]]]:
            found: list[ModelInfo] = []
            query: tuple[tuple[str, str], ...] = (("limit", "1000"),)
            while True:
                models, after = yield Http(send=_get(endpoint, "/v1/models", query), parse=answers.read_page)
                found += models
                if after is None:
                    return Ready(value=tuple(found))
                query = (("limit", "1000"), ("after_id", after))

        return Flow(steps=steps)

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan GET /v1/models/{id}."""
        return Http(send=_get(endpoint, f"/v1/models/{segment(model)}"), parse=answers.read_model)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan GET /v1/models, which is free and needs the key."""

        def read(response: HttpResponse) -> Health:
            models, _ = answers.read_page(response)
            return Health(
                status="ok", server=response.headers.get("server"), detail=f"it lists {len(models)} models or more"
            )

        return Http(send=_get(endpoint, "/v1/models"), parse=read)


def _messages(endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> HttpRequest:
    body = requests.body(request, stream=stream, max_tokens=endpoint.options.max_tokens)
    return _post(endpoint, "/v1/messages", body, requests.version(request))


def _post(endpoint: Endpoint, path: str, body: dict[str, Any], version: str) -> HttpRequest:
    return post_json(path, body, headers=(("anthropic-version", version),), base_url=_root(endpoint))


def _get(endpoint: Endpoint, path: str, query: tuple[tuple[str, str], ...] = ()) -> HttpRequest:
    return get(path, query=query, headers=(("anthropic-version", requests.NEWEST),), base_url=_root(endpoint))


def _root(endpoint: Endpoint) -> str:
    """Return the base URL without the /v1 that users often copy along."""
    return endpoint.base_url.removesuffix("/v1")


backend = Claude()
