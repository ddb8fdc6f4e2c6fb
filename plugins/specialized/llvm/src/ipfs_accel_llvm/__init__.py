"""The `llvm` backend: llama.cpp, vLLM, MLC and other servers of models that run here, and llama.cpp in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import (
    AccelError,
    ContextLengthExceededError,
    ModelNotFoundError,
    NotFoundError,
    NotSupportedByServerError,
)
from ipfs_accel.hookspecs import LocalServer
from ipfs_accel.plans import (
    Endpoint,
    Flow,
    Http,
    HttpRequest,
    HttpStream,
    LocalStream,
    Plan,
    Ready,
    RelayFlow,
    StreamFlow,
    StreamPlan,
    post_json,
)
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    ClassifyRequest,
    ClassifyResponse,
    CompletionRequest,
    CompletionResponse,
    DetokenizeRequest,
    DetokenizeResponse,
    EmbedRequest,
    EmbedResponse,
    Health,
    ModelInfo,
    PredictRequest,
    PredictResponse,
    Request,
    RerankRequest,
    RerankResponse,
    TokenCount,
    TokenizeRequest,
    TokenizeResponse,
    TranscribeRequest,
    TranscribeResponse,
)
from ipfs_accel.wire import openai_answers as answers
from ipfs_accel.wire import openai_requests as requests
from ipfs_accel.wire import openai_streams, openai_vectors
from ipfs_accel.wire.assembler import chat_assembler, completion_assembler
from ipfs_accel.wire.late import late
from ipfs_accel.wire.openai_audio import OpenAIAudio
from ipfs_accel.wire.raw import RawRequests
from ipfs_accel.wire.schema_forms import GRAMMAR, in_form
from ipfs_accel.wire.sse import SSEDecoder

from . import _infer, _models, _more_calls, _shortfin, _tokens, _vllm
from . import _schemas as schemas
from ._calls import CALLS
from ._options import Options, ServerOptions
from ._reach import reach
from ._servers import HAS, Answering, adapt, adapt_completion, kept_back, lost, place_of, refused, root_of

__all__ = ["LLVM", "Options", "backend", "vllm_backend"]

if TYPE_CHECKING:
    from ipfs_accel.plans import Relay
    from ipfs_accel.types import RelayRequest
    from ipfs_accel.wire import openai_relays as relays
else:  # gateways alone need it
    (relays,) = late("ipfs_accel.wire", "openai_relays")

T = TypeVar("T")

_RELAYING = frozenset({"llama.cpp", "vllm", "mlc", "llama-cpp-python", "other"})
"""The kinds that speak OpenAI's dialect themselves."""


class LLVM(RawRequests):
    """One plugin object; `vllm` is another, with another usual place, and of servers alone."""

    api_version = 1

    def __init__(self, info: BackendInfo) -> None:
        self.info = info

    @hookimpl
    def describe(self) -> BackendInfo:
        """Say where such servers usually are."""
        return self.info

    def placed(self, endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
        """Return a request below the root of the endpoint's server, which has routes beside /v1."""
        return attrs.evolve(send, base_url=root_of(endpoint))

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /v1/chat/completions."""

        def plan(server: Answering) -> Plan[ChatResponse]:
            if _is_free(request):
                return _chat(server, request)
            return schemas.chat(server.kind, server.name(endpoint), request, partial(_chat, server))  # type: ignore[no-any-return]

        return _at("chat", endpoint, request, plan)

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream."""

        def steps() -> Generator[Any, Any, StreamPlan[ChatResponse]]:
            server = yield from reach(endpoint, request.model)
            server.check("stream")
            if _is_free(request):
                return _stream(server, request)
            return schemas.chat(server.kind, server.name(endpoint), request, partial(_stream, server))  # type: ignore[no-any-return]

        return StreamFlow(steps=steps)

    @hookimpl
    def relay(self, endpoint: Endpoint, request: RelayRequest) -> RelayFlow | None:
        """Pass on what was written for OpenAI's dialect, which all of these servers speak."""
        return None if request.dialect not in relays.ROUTES else RelayFlow(steps=lambda: _relayed(endpoint, request))

    @hookimpl
    def complete(self, endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:
        """Plan POST /v1/completions."""

        def plan(server: Answering) -> Plan[CompletionResponse]:
            body = requests.completion_body(request, stream=False, leave_out=refused(server.kind))
            plan = Http(
                send=server.send(post_json("/v1/completions", adapt_completion(server.kind, body))),
                parse=answers.read_completion,
                unsupported=lost(server.kind, request),
            )
            return schemas.held(plan, request, server.kind) if request.extra else plan

        return _at("complete", endpoint, request, plan)

    @hookimpl
    def stream_complete(self, endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:
        """Plan the same as a stream; shortfin gives each text as one piece."""

        def steps() -> Generator[Any, Any, StreamPlan[CompletionResponse]]:
            server = yield from reach(endpoint, request.model)
            server.check("stream_complete")
            if server.kind == "shortfin":
                answer = yield _shortfin.complete(endpoint, server, request)
                return LocalStream(run=_shortfin.tell(answer), assembler=completion_assembler)
            body = requests.completion_body(request, stream=True, leave_out=refused(server.kind))
            plan = HttpStream(
                send=server.send(post_json("/v1/completions", adapt_completion(server.kind, body))),
                frames=SSEDecoder,
                decoder=lambda: openai_streams.decode_completion,
                assembler=completion_assembler,
                unsupported=lost(server.kind, request),
            )
            return schemas.held(plan, request, server.kind) if request.extra else plan

        return StreamFlow(steps=steps)

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan POST /v1/embeddings."""

        def plan(server: Answering) -> Http[EmbedResponse]:
            if server.kind == "vllm":
                _vllm.check_vectors(request)
            body = requests.embed_body(request)
            if server.kind == "mlc" and "user" not in request.extra:
                body.pop("user", None)
            return openai_vectors.embedding(
                endpoint,
                request,
                body,
                lambda body: server.send(post_json("/v1/embeddings", body)),
                unsupported=lost(server.kind, request),
            )

        return _at("embed", endpoint, request, plan)

    @hookimpl
    def rerank(self, endpoint: Endpoint, request: RerankRequest) -> Plan[RerankResponse]:
        """Plan POST /v1/rerank."""
        return _at("rerank", endpoint, request, lambda server: _tokens.rerank(server, request))

    @hookimpl
    def classify(self, endpoint: Endpoint, request: ClassifyRequest) -> Plan[ClassifyResponse]:
        """Plan POST /classify."""
        return _at("classify", endpoint, request, lambda server: _vllm.classify(server, request))

    @hookimpl
    def predict(self, endpoint: Endpoint, request: PredictRequest) -> Plan[PredictResponse]:
        """Plan POST /models/{id}/infer."""
        return _at("predict", endpoint, request, lambda server: _infer.predict(endpoint, server, request))

    @hookimpl
    def transcribe(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        """Plan POST /v1/audio/transcriptions."""
        return _at("transcribe", endpoint, request, lambda server: _sent(server, _SOUND.transcribe(endpoint, request)))

    @hookimpl
    def translate(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        """Plan POST /v1/audio/translations."""
        return _at("translate", endpoint, request, lambda server: _sent(server, _SOUND.translate(endpoint, request)))

    @hookimpl
    def tokenize(self, endpoint: Endpoint, request: TokenizeRequest) -> Plan[TokenizeResponse]:
        """Plan the server's own tokenizer."""
        return _at("tokenize", endpoint, request, lambda server: _tokens.tokenize(server, request))

    @hookimpl
    def detokenize(self, endpoint: Endpoint, request: DetokenizeRequest) -> Plan[DetokenizeResponse]:
        """Plan the reverse."""
        return _at("detokenize", endpoint, request, lambda server: _tokens.detokenize(server, request))

    @hookimpl
    def count_tokens(self, endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:
        """Plan the server's own count of a chat, its template included."""

        def plan(server: Answering) -> Plan[TokenCount]:
            return _tokens.count(server, schemas.asked(server.name(endpoint), request))

        return _at("count_tokens", endpoint, request, plan)

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
        return {**CALLS, **_more_calls.CALLS}


class _Sound(OpenAIAudio):
    """Sound as OpenAI has it; these servers take all options of a transcription for translations too."""

    translate_refused = ()

    def path(self, _endpoint: Endpoint, route: str) -> str:
        """Return where a route is, below the root."""
        return f"/v1{route}"


_SOUND: Any = _Sound()


def _sent(server: Answering, plan: Http[T]) -> Http[T]:
    return attrs.evolve(plan, send=server.send(plan.send))


def _at(operation: str, endpoint: Endpoint, request: Request, plan: Callable[[Answering], Plan[T]]) -> Plan[T]:
    """Plan at the server that answers for a model; what it turns out not to have is remembered."""

    def steps() -> Generator[Any, Any, Ready[T]]:
        server = yield from reach(endpoint, request.model, embeds=operation in _EMBEDDING)
        server.check(operation)
        other: Any = _OTHERS.get(server.kind)
        try:
            answer = yield plan(server) if other is None else getattr(other, operation)(endpoint, server, request)
        except NotSupportedByServerError:
            endpoint.memo.setdefault("absent", set()).add(operation)
            raise
        except NotFoundError as error:
            # vLLM has only the routes of what its model can do; a model that it does not serve is another error.
            if server.kind == "vllm" and not isinstance(error, ModelNotFoundError):
                endpoint.memo.setdefault("absent", set()).add(operation)
                _hint(error, f"the model that this server has loaded cannot {operation}")
            raise
        except ContextLengthExceededError as error:
            if server.headers and operation in _EMBEDDING:
                _hint(error, "send a shorter text, or raise the endpoint's option context if the model can more")
            raise
        return Ready(value=answer)

    return Flow(steps=steps)


def _hint(error: AccelError, hint: str) -> None:
    """Replace the hint, which was made without knowing the operation or the server."""
    error.hint, error.__notes__ = None, []
    error.about(hint=hint)


def _is_free(request: ChatRequest) -> bool:
    """Whether the answer may have any form."""
    return request.response_format is None and not request.tools and not request.extra


_OTHERS = {"infer": _infer, "shortfin": _shortfin}
_EMBEDDING = frozenset({"embed", "rerank"})


def _relayed(endpoint: Endpoint, request: RelayRequest) -> Generator[Any, Any, Relay | None]:
    server = yield from reach(endpoint, request.model, embeds=request.operation == "embed")
    if server.kind not in _RELAYING or request.operation not in HAS[server.kind]:
        return None
    if server.kind == "llama.cpp" and isinstance(request.members.get("tool_choice"), dict):
        return None  # it takes no tool by its name; a chat of ours does what can be done instead
    plan = relays.passed(request, f"/v1{relays.ROUTES[request.dialect]}")
    return attrs.evolve(plan, send=server.send(plan.send))


def _chat(server: Answering, request: ChatRequest) -> Http[ChatResponse]:
    return Http(
        send=server.send(post_json("/v1/chat/completions", _chat_body(server, request, stream=False))),
        parse=answers.read_chat,
        unsupported=lost(server.kind, request),
        kept_back=kept_back(server.kind, request),
    )


def _stream(server: Answering, request: ChatRequest) -> HttpStream[ChatResponse]:
    return HttpStream(
        send=server.send(post_json("/v1/chat/completions", _chat_body(server, request, stream=True))),
        frames=SSEDecoder,
        decoder=openai_streams.ChatDecoder,
        assembler=lambda: chat_assembler(merge=True),
        unsupported=lost(server.kind, request),
        kept_back=kept_back(server.kind, request),
    )


def _chat_body(server: Answering, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
    kind = server.kind
    if kind == "llama.cpp" and getattr(request.response_format, "adapts", False):
        request = in_form(request, GRAMMAR)
    elif kind == "vllm" and (request.response_format is not None or request.tools):
        request = schemas.in_other_words(request)
    body = requests.chat_body(request, stream=stream, leave_out=refused(kind), place=place_of(kind))
    return adapt(kind, body)


backend = LLVM(
    BackendInfo(
        name="llvm",
        title="Servers of local models, and llama.cpp in process",
        base_url="http://127.0.0.1:8080",
        base_url_env=("LLVM_BASE_URL", "LLVM_API_URL"),
        key_env=("LLVM_API_KEY", "LLAMA_API_KEY"),
        local=LocalServer(
            program="llama-server",
            start="llama-server -m model.gguf",
            install="https://github.com/ggml-org/llama.cpp",
            otherwise="name a GGUF file to run in this process: llvm/path/to/model.gguf",
        ),
        options=Options,
        read_error=_vllm.read_error,
    )
)
vllm_backend = LLVM(
    BackendInfo(
        name="vllm",
        title="vLLM and other servers of local models",
        base_url="http://127.0.0.1:8000",
        base_url_env=("VLLM_BASE_URL", "VLLM_API_URL"),
        key_env=("VLLM_API_KEY",),
        local=LocalServer(program="vllm", start="vllm serve MODEL", install="https://docs.vllm.ai"),
        options=ServerOptions,
        read_error=_vllm.read_error,
    )
)
