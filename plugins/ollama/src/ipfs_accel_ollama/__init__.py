"""The `ollama` backend: Ollama servers, and Ollama's hosted service."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.hookspecs import LocalServer
from ipfs_accel.plans import (
    Endpoint,
    Flow,
    Http,
    HttpStream,
    Plan,
    Ready,
    StreamFlow,
    StreamPlan,
    post_json,
    side_by_side,
)
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    CompletionRequest,
    CompletionResponse,
    EmbedRequest,
    EmbedResponse,
    Health,
    ModelInfo,
    Request,
    Timeout,
)
from ipfs_accel.wire.assembler import chat_assembler, completion_assembler
from ipfs_accel.wire.late import late
from ipfs_accel.wire.names import check_model
from ipfs_accel.wire.raw import RawRequests
from ipfs_accel.wire.several import joined

from . import _answers as answers
from . import _requests as requests
from ._answers import Durations, durations
from ._errors import read_error
from ._host import CLOUD, PORT, is_cloud, read_host
from ._options import Options

__all__ = ["Durations", "Ollama", "Options", "backend", "durations", "same_model"]


if TYPE_CHECKING:
    from ipfs_accel.plans import Relay
    from ipfs_accel.types import (
        CreateModelRequest,
        ModelResult,
        RelayRequest,
        RunningModel,
        TranscribeRequest,
        TranscribeResponse,
    )
    from ipfs_accel.wire import schemas

    from . import _audio as audio
    from . import _calls as calls
    from . import _manage as manage
    from . import _models as models
    from . import _relays as relays
    from . import _senses as senses
else:  # chats need none of them
    (schemas,) = late("ipfs_accel.wire", "schemas")
    audio, calls, manage, models = late(__name__, "_audio", "_calls", "_manage", "_models")
    relays, senses = late(__name__, "_relays", "_senses")

# A model has to be read from disk before the first token comes; Ollama gives that five minutes, after a queue.
_LIMITS = Timeout(first_event=600.0, idle=600.0, total=3600.0)
_AT_ONCE = 4
P = TypeVar("P")


class Ollama(RawRequests):
    """Chats, completions, embeddings, the models that a server keeps, and any other request."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        """Say where a server usually is, and where the key belongs: the hosted service, and no server of one's own."""
        return BackendInfo(
            name="ollama",
            title="Ollama",
            base_url=f"http://127.0.0.1:{PORT}",
            base_url_env=("OLLAMA_HOST",),
            read_base_url=read_host,
            local=LocalServer(
                program="ollama",
                start="ollama serve",
                install="https://ollama.com/download",
                otherwise="set OLLAMA_HOST if it is elsewhere",
            ),
            key_env=("OLLAMA_API_KEY",),
            key_url=CLOUD,
            needs_key=True,
            timeout=_LIMITS,
            options=Options,
            read_error=read_error,
            request_id_headers=(),
            documentation="https://docs.ollama.com/api",
        )

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /api/chat."""
        body = requests.chat_body(endpoint, request, stream=False)
        plan: Plan[ChatResponse] = Http(
            send=post_json("/api/chat", body), parse=answers.read_chat, unsupported=requests.unsupported(request)
        )
        if not _is_free(request):
            plan = _held(endpoint, request, plan)
        if not _has_media(body):
            return plan
        needed = senses.wanted(request)
        return Flow(steps=lambda: senses.checked_steps(endpoint, request.model, needed, plan))

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream."""
        body = requests.chat_body(endpoint, request, stream=True)
        plan: StreamPlan[ChatResponse] = HttpStream(
            send=post_json("/api/chat", body),
            frames=answers.lines,
            decoder=answers.ChatDecoder,
            assembler=lambda: chat_assembler(eof_after_finish=False, merge=True),
            unsupported=requests.unsupported(request),
        )
        if not _is_free(request):
            plan = _held(endpoint, request, plan)
        if not _has_media(body):
            return plan
        needed = senses.wanted(request)
        return StreamFlow(steps=lambda: senses.checked_steps(endpoint, request.model, needed, plan))

    @hookimpl
    def complete(self, endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:
        """Plan POST /api/generate, once per prompt."""
        prompts = _prompts(request)
        plans = [
            Http(
                send=post_json("/api/generate", requests.completion_body(endpoint, request, prompt, stream=False)),
                parse=answers.read_completion,
                unsupported=requests.unsupported(request),
            )
            for prompt in prompts
        ]

        def steps() -> Generator[Any, Any, Ready[CompletionResponse]]:
            return Ready(value=joined((yield from side_by_side(plans, _AT_ONCE))))

        plan = plans[0] if len(plans) == 1 else Flow(steps=steps)
        return plan if _is_free(request) else _held(endpoint, request, plan)

    @hookimpl
    def stream_complete(self, endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:
        """Plan the same as a stream, for one prompt; an empty one only loads the model, which one document tells."""
        prompt, *more = _prompts(request)
        if more:
            raise InvalidRequestError("prompt: Ollama streams the continuation of one text", hint="use complete")
        plan = HttpStream(
            send=post_json("/api/generate", requests.completion_body(endpoint, request, prompt, stream=True)),
            frames=answers.lines,
            decoder=answers.GenerateDecoder,
            assembler=lambda: completion_assembler(eof_after_finish=False),
            unsupported=requests.unsupported(request),
            any_type=not prompt,
        )
        return plan if _is_free(request) else _held(endpoint, request, plan)

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan POST /api/embed, which takes all inputs at once."""
        count, dimensions = len(request.inputs), request.dimensions
        return Http(
            send=post_json("/api/embed", requests.embed_body(endpoint, request)),
            parse=lambda response: answers.read_embeddings(response, count, dimensions),
            unsupported=requests.unsupported(request),
        )

    @hookimpl
    def relay(self, endpoint: Endpoint, request: RelayRequest) -> Relay | None:
        """Pass on what was written for Ollama, unless it would lose what the endpoint's settings say."""
        return relays.relayed(endpoint, request)

    @hookimpl
    def transcribe(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        """Plan POST /v1/audio/transcriptions."""
        check_model(request, "Ollama")
        return audio.AUDIO.transcribe(endpoint, request)

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan GET /api/tags."""
        return models.list_models(endpoint)

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan POST /api/show."""
        return models.show_model(endpoint, model)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan GET /api/version."""
        return models.healthcheck(endpoint)

    @hookimpl
    def running_models(self) -> Plan[tuple[RunningModel, ...]]:
        """Plan GET /api/ps."""
        return models.running_models()

    @hookimpl
    def pull_model(self, request: Request) -> StreamPlan[ModelResult]:
        """Plan POST /api/pull."""
        return manage.transfer("/api/pull", request)

    @hookimpl
    def push_model(self, request: Request) -> StreamPlan[ModelResult]:
        """Plan POST /api/push."""
        return manage.transfer("/api/push", request)

    @hookimpl
    def create_model(self, request: CreateModelRequest) -> StreamPlan[ModelResult]:
        """Plan POST /api/create, after the files that the server lacks."""
        return manage.create(request)

    @hookimpl
    def copy_model(self, source: str, destination: str) -> Plan[None]:
        """Plan POST /api/copy."""
        return manage.copy(source, destination)

    @hookimpl
    def delete_model(self, model: str) -> Plan[None]:
        """Plan DELETE /api/delete."""
        return manage.delete(model)

    @hookimpl
    def load_model(self, endpoint: Endpoint, request: Request) -> Plan[None]:
        """Plan a generation without a prompt."""
        return manage.load(endpoint, request)

    @hookimpl
    def unload_model(self, endpoint: Endpoint, request: Request) -> Plan[None]:
        """Plan the same, kept for no time."""
        return manage.unload(endpoint, request)

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any]]]:
        """Name what only Ollama has."""
        return calls.CALLS


def _is_free(request: ChatRequest | CompletionRequest) -> bool:
    """Whether the answer may have any form."""
    return getattr(request, "response_format", None) is None and "format" not in request.extra


def _has_media(body: Mapping[str, Any]) -> bool:
    return any("images" in message for message in body["messages"])


def _held(endpoint: Endpoint, request: Request, plan: P) -> P:
    """Hold an answer to its schema; which server the hosted service has is not known."""
    held: P = schemas.held(plan, request, None if is_cloud(endpoint.base_url) else "Ollama")
    return held


def _prompts(request: CompletionRequest) -> list[str]:
    """Return the prompts, all of which have to be texts."""
    found = []
    for index, prompt in enumerate(request.prompt):
        if not isinstance(prompt, str):
            raise InvalidRequestError(f"prompt[{index}]: Ollama takes texts, not token ids")
        found.append(prompt)
    return found


def same_model(one: str, other: str) -> bool:
    """Whether two names are one model to Ollama: case and the tag `latest` make no difference."""
    return models.full_name(one) == models.full_name(other)


backend = Ollama()
