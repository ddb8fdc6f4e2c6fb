"""OpenAI's dialect as a plugin class.

    class Acme(OpenAICompatible):
        api_version = 1
        info = BackendInfo(name="acme", base_url="https://api.acme.example/v1", key_env=("ACME_API_KEY",))

    backend = Acme()

A server that lacks an operation sets it to None (`embed = None`); one that differs overrides one of the small methods
below the hooks.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

import attrs

from ipfs_accel.hookspecs import BackendInfo, hookimpl
from ipfs_accel.plans import Endpoint, Http, HttpResponse, HttpStream, Plan, StreamPlan, get, post_json, segment
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    CompletionRequest,
    CompletionResponse,
    EmbedRequest,
    EmbedResponse,
    Health,
    ModelInfo,
)

from . import openai_answers as answers
from . import openai_requests as requests
from .assembler import Assembler, chat_assembler, completion_assembler
from .openai_errors import read_error
from .sse import SSEDecoder

__all__ = ["OpenAICompatible"]


class OpenAICompatible:
    """Chat, completions, embeddings and models as OpenAI has them. Subclasses state `api_version` and `info`."""

    info: ClassVar[BackendInfo]

    # hooks

    @hookimpl
    def describe(self) -> BackendInfo:
        """Return `info`, with this dialect's reading of errors unless it has its own."""
        return self.info if self.info.read_error else attrs.evolve(self.info, read_error=read_error)

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /chat/completions."""
        body = self.chat_body(endpoint, request, stream=False)
        refused = requests.given(request, self.refused(endpoint, request))
        return Http(
            send=post_json(self.path(endpoint, "/chat/completions"), body), parse=answers.read_chat, unsupported=refused
        )

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream."""
        return HttpStream(
            send=post_json(self.path(endpoint, "/chat/completions"), self.chat_body(endpoint, request, stream=True)),
            frames=SSEDecoder,
            decoder=answers.ChatDecoder,
            assembler=_merging_assembler,
            unsupported=requests.given(request, self.refused(endpoint, request)),
        )

    @hookimpl
    def complete(self, endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:
        """Plan POST /completions."""
        refused = self.refused(endpoint, request)
        body = requests.completion_body(request, stream=False, leave_out=refused)
        send = post_json(self.path(endpoint, "/completions"), body)
        return Http(send=send, parse=answers.read_completion, unsupported=requests.given(request, refused))

    @hookimpl
    def stream_complete(self, endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:
        """Plan the same as a stream."""
        refused = self.refused(endpoint, request)
        body = requests.completion_body(request, stream=True, leave_out=refused)
        return HttpStream(
            send=post_json(self.path(endpoint, "/completions"), body),
            frames=SSEDecoder,
            decoder=lambda: answers.decode_completion,
            assembler=completion_assembler,
            unsupported=requests.given(request, refused),
        )

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan POST /embeddings."""
        count = len(request.inputs)
        send = post_json(self.path(endpoint, "/embeddings"), requests.embed_body(request))
        return Http(send=send, parse=lambda response: answers.read_embeddings(response, count))

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan GET /models."""

        def read(response: HttpResponse) -> tuple[ModelInfo, ...]:
            return tuple([self.described(endpoint, model) for model in answers.read_models(response)])

        return Http(send=get(self.path(endpoint, "/models")), parse=read)

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan GET /models/{id}."""

        def read(response: HttpResponse) -> ModelInfo:
            return self.described(endpoint, answers.read_model(response))

        return Http(send=get(self.path(endpoint, f"/models/{segment(model)}")), parse=read)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan GET /models, which is free and needs the key."""

        def read(response: HttpResponse) -> Health:
            return Health(status="ok", detail=f"it lists {len(answers.read_models(response))} models")

        return Http(send=get(self.path(endpoint, "/models")), parse=read)

    # what may differ

    def path(self, _endpoint: Endpoint, route: str) -> str:
        """Return where a route is, below the base URL."""
        return route

    def described(self, _endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
        """Add to what the server told of a model, for example from a `Catalogue`."""
        return model

    def refused(self, _endpoint: Endpoint, _request: Any) -> Collection[str]:
        """Return the options that the server would refuse or ignore; OpenAI's own API knows no `top_k`."""
        return ("top_k",)

    def chat_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Return the JSON body of a chat."""
        return requests.chat_body(request, stream=stream, leave_out=self.refused(endpoint, request))


def _merging_assembler() -> Assembler[ChatResponse]:
    # A whole answer of this dialect has one text, one reasoning and then the tool calls.
    return chat_assembler(merge=True)
