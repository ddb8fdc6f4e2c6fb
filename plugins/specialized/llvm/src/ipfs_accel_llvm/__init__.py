"""The `llvm` backend: llama.cpp, vLLM, MLC and other servers of models that run here, and llama.cpp in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import NotSupportedByServerError
from ipfs_accel.hookspecs import LocalServer
from ipfs_accel.plans import Endpoint, Flow, Http, HttpStream, Plan, Ready, StreamFlow, StreamPlan, post_json
from ipfs_accel.types import (
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
from ipfs_accel.wire import openai_answers as answers
from ipfs_accel.wire import openai_requests as requests
from ipfs_accel.wire.assembler import chat_assembler, completion_assembler
from ipfs_accel.wire.openai_errors import read_error
from ipfs_accel.wire.sse import SSEDecoder

from . import _models, _tokens
from ._calls import CALLS
from ._options import Options
from ._reach import reach
from ._servers import Answering, adapt, refused

__all__ = ["LLVM", "Options", "backend", "vllm_backend"]

T = TypeVar("T")


class LLVM:
    """One plugin object; the alias `vllm` is another with another usual place."""

    api_version = 1

    def __init__(
        self, name: str, base_url: str, base_url_env: tuple[str, ...], key_env: tuple[str, ...], local: LocalServer
    ) -> None:
        self.info = BackendInfo(
            name=name,
            title="Servers of local models, and llama.cpp in process",
            base_url=base_url,
            base_url_env=base_url_env,
            local=local,
            key_env=key_env,
            options=Options,
            read_error=read_error,
        )

    @hookimpl
    def describe(self) -> BackendInfo:
        """Say where such servers usually are."""
        return self.info

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /v1/chat/completions."""

        def plan(server: Answering) -> Http[ChatResponse]:
            return Http(
                send=server.send(post_json("/v1/chat/completions", _chat_body(server, request, stream=False))),
                parse=answers.read_chat,
                unsupported=requests.given(request, refused(server.kind)),
            )

        return self._at(endpoint, request.model, plan)

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream."""

        def steps() -> Generator[Any, Any, HttpStream[ChatResponse]]:
            server = yield from reach(endpoint, request.model)
            return HttpStream(
                send=server.send(post_json("/v1/chat/completions", _chat_body(server, request, stream=True))),
                frames=SSEDecoder,
                decoder=answers.ChatDecoder,
                assembler=lambda: chat_assembler(merge=True),
                unsupported=requests.given(request, refused(server.kind)),
            )

        return StreamFlow(steps=steps)

    @hookimpl
    def complete(self, endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:
        """Plan POST /v1/completions."""

        def plan(server: Answering) -> Http[CompletionResponse]:
            body = requests.completion_body(request, stream=False, leave_out=refused(server.kind))
            return Http(
                send=server.send(post_json("/v1/completions", adapt(server.kind, body))),
                parse=answers.read_completion,
                unsupported=requests.given(request, refused(server.kind)),
            )

        return self._at(endpoint, request.model, plan)

    @hookimpl
    def stream_complete(self, endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:
        """Plan the same as a stream."""

        def steps() -> Generator[Any, Any, HttpStream[CompletionResponse]]:
            server = yield from reach(endpoint, request.model)
            body = requests.completion_body(request, stream=True, leave_out=refused(server.kind))
            return HttpStream(
                send=server.send(post_json("/v1/completions", adapt(server.kind, body))),
                frames=SSEDecoder,
                decoder=lambda: answers.decode_completion,
                assembler=completion_assembler,
                unsupported=requests.given(request, refused(server.kind)),
            )

        return StreamFlow(steps=steps)

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan POST /v1/embeddings; a server that has none is remembered."""
        count = len(request.inputs)

        def plan(server: Answering) -> Http[EmbedResponse]:
            send = server.send(post_json("/v1/embeddings", requests.embed_body(request)))
            return Http(send=send, parse=lambda response: answers.read_embeddings(response, count))

        return self._remembering("embed", endpoint, request.model, plan)

    @hookimpl
    def rerank(self, endpoint: Endpoint, request: RerankRequest) -> Plan[RerankResponse]:
        """Plan POST /v1/rerank; a server that has none is remembered."""
        return self._remembering("rerank", endpoint, request.model, lambda server: _tokens.rerank(server, request))

    @hookimpl
    def tokenize(self, endpoint: Endpoint, request: TokenizeRequest) -> Plan[TokenizeResponse]:
        """Plan the server's own tokenizer."""
        return self._at(endpoint, request.model, lambda server: _tokens.tokenize(server, request))

    @hookimpl
    def detokenize(self, endpoint: Endpoint, request: DetokenizeRequest) -> Plan[DetokenizeResponse]:
        """Plan the reverse."""
        return self._at(endpoint, request.model, lambda server: _tokens.detokenize(server, request))

    @hookimpl
    def count_tokens(self, endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:
        """Plan the server's own count of a chat, its template included."""
        return self._at(endpoint, request.model, lambda server: _tokens.count(server, request))

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan the list of the server's models and of the files that run in this process."""
        return Flow(steps=lambda: _models.list_steps(endpoint))

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan the fullest answer about one model."""
        return Flow(steps=lambda: _models.show_steps(endpoint, model))

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan a check of the server, or of the engine in this process where there is no server."""
        return Flow(steps=lambda: _models.health_steps(endpoint))

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any]]]:
        """Name the calls of the servers' own."""
        return CALLS

    def _at(self, endpoint: Endpoint, model: str, plan: Callable[[Answering], Http[T]]) -> Plan[T]:
        """Plan at the server that answers for a model."""

        def steps() -> Generator[Any, Any, Http[T]]:
            return plan((yield from reach(endpoint, model)))

        return Flow(steps=steps)

    def _remembering(
        self, operation: str, endpoint: Endpoint, model: str, plan: Callable[[Answering], Http[T]]
    ) -> Plan[T]:
        """Plan likewise, and remember if the server says that it does not have the operation."""

        def steps() -> Generator[Any, Any, Ready[T]]:
            server = yield from reach(endpoint, model)
            try:
                answer = yield plan(server)
            except NotSupportedByServerError:
                endpoint.memo.setdefault("absent", set()).add(operation)
                raise
            return Ready(value=answer)

        return Flow(steps=steps)


def _chat_body(server: Answering, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
    return adapt(server.kind, requests.chat_body(request, stream=stream, leave_out=refused(server.kind)))


backend = LLVM(
    "llvm",
    "http://127.0.0.1:8080",
    ("LLVM_BASE_URL", "LLVM_API_URL"),
    ("LLVM_API_KEY", "LLAMA_API_KEY"),
    LocalServer(
        program="llama-server",
        start="llama-server -m model.gguf",
        install="https://github.com/ggml-org/llama.cpp",
        otherwise="name a GGUF file to run in this process: llvm/path/to/model.gguf",
    ),
)
vllm_backend = LLVM(
    "vllm",
    "http://127.0.0.1:8000",
    ("VLLM_BASE_URL", "VLLM_API_URL"),
    ("VLLM_API_KEY",),
    LocalServer(program="vllm", start="vllm serve MODEL", install="https://docs.vllm.ai"),
)
