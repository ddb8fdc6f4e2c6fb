"""The `groq` backend: GroqCloud, by its chat completions and the Responses API, with sound, guards and batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from functools import cache
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import attrs
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.hookspecs import TokenRules
from ipfs_accel.plans import (
    Endpoint,
    Flow,
    Http,
    HttpRequest,
    HttpResponse,
    Job,
    Local,
    Plan,
    Ready,
    segment,
    side_by_side,
)
from ipfs_accel.types import (
    Batch,
    BatchRequest,
    ChatRequest,
    ChatResponse,
    ClassifyRequest,
    ClassifyResponse,
    EmbedRequest,
    FileInfo,
    ModelInfo,
    ModerateRequest,
    ModerateResponse,
    Reasoning,
    SpeakRequest,
    TokenCount,
    TranscribeRequest,
    TranscribeResponse,
    Upload,
    UploadRequest,
)
from ipfs_accel.wire.openai import OpenAICompatible
from ipfs_accel.wire.openai_audio import OpenAIAudio
from ipfs_accel.wire.openai_files import OpenAIFiles
from ipfs_accel.wire.openai_requests import given
from ipfs_accel.wire.openai_responses import OpenAIResponses
from ipfs_accel.wire.schema_forms import OPENAI, SchemaForm
from ipfs_accel.wire.several import added

from . import _answers, _guard, _models, _requests, _rules
from ._errors import read_error

__all__ = ["Groq", "Options", "backend"]

# Chat completions have neither these options nor this many answers.
_REFUSED = ("top_k", "logit_bias", "logprobs", "top_logprobs", "instructions", "dimensions")
_RESPONSES_FIELDS = frozenset({"instructions", "reasoning", "text", "max_output_tokens"})
_STORED = ("previous_response_id", "conversation", "store", "background")
_BATCH_LINES = 50_000
_AT_ONCE = 4


@attrs.frozen(kw_only=True)
class Options:
    """Settings of a Groq endpoint.

    Attributes:
        api: How chats are made: by chat completions, by the Responses API, or (auto) by the latter where the fields in
            `extra` need it.
        catalogue: Whether the plugin's catalogue of models holds: their prices, and the checks before a call. By itself
            (auto) it does for Groq's own service; a gateway to it is on, a contract with other models may be off.
        model_version: Version of the systems, such as `latest`, for the header `Groq-Model-Version`.
        policy: By which a model such as gpt-oss-safeguard judges where a call does not give `extra["policy"]`; None
            means the plugin's own.
    """

    api: Literal["auto", "chat", "responses"] = "auto"
    catalogue: Literal["auto", "on", "off"] = "auto"
    model_version: str | None = None
    policy: str | None = None


def _headers(options: Options) -> Mapping[str, str]:
    return {"Groq-Model-Version": options.model_version} if options.model_version else {}


@cache
def _prefix(base_url: str) -> str:
    """Return what a base URL lacks: Groq's own variable names the host, other tools name the whole of it."""
    path = urlsplit(base_url).path
    return "" if path.endswith("/v1") else "/v1" if path.endswith("/openai") else "/openai/v1"


def _token_rules(endpoint: Endpoint, model: str) -> TokenRules:
    if not _models.holds(endpoint):
        return TokenRules()
    from . import _tokens  # noqa: PLC0415 - few callers count

    return _tokens.rules(model)


class Groq(OpenAIAudio, OpenAIFiles, OpenAIResponses):
    """All that GroqCloud has. It has no text completions, and its transcripts do not stream."""

    api_version = 1
    info = BackendInfo(
        name="groq",
        title="Groq",
        base_url="https://api.groq.com",
        base_url_env=("GROQ_BASE_URL", "GROQ_API_BASE"),
        key_env=("GROQ_API_KEY",),
        needs_key=True,
        options=Options,
        headers=_headers,
        read_error=read_error,
        catalogue=_models.catalogue,
        token_rules=_token_rules,
        prices_hold=_models.prices_hold,
        documentation="https://console.groq.com/docs/api-reference",
    )
    max_tokens_field = "max_completion_tokens"
    stream_usage = False  # it comes anyway
    reasoning_field = "reasoning"
    replays_extra = False  # by the types of its SDK; what is unknown is refused
    chat_decoder = _answers.GroqDecoder
    opaque_name = "groq"
    stores_responses = False
    has_pages = False
    purpose = "batch"
    complete = None  # type: ignore[assignment]
    stream_complete = None  # type: ignore[assignment]
    stream_transcribe = None  # type: ignore[assignment]

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[Any]:
        """Plan POST /embeddings, which the API has; its public models do not."""
        _models.check(endpoint, request.model, "embed")
        return super().embed(endpoint, request)

    @hookimpl
    def translate(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        """Plan POST /audio/translations, which knows neither a language nor timestamps."""
        _models.check(endpoint, request.model, "translate")
        plain = attrs.evolve(request, language=None, timestamps=None)
        plan = cast("Http[TranscribeResponse]", super().translate(endpoint, plain))
        return attrs.evolve(plan, unsupported=given(request, ("language", "timestamps")))

    @hookimpl
    def count_tokens(self, endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:
        """Plan a count without a server."""
        _models.check(endpoint, request.model, "chat")

        def run(_job: Job) -> TokenCount:
            from . import _tokens  # noqa: PLC0415 - few callers count

            return _tokens.count(request)

        return Local(run=run)

    @hookimpl
    def moderate(self, endpoint: Endpoint, request: ModerateRequest) -> Plan[ModerateResponse]:
        """Plan a chat with a guard model for each input."""
        _models.check(endpoint, request.model, "moderate")
        extra = {name: value for name, value in request.extra.items() if name != "policy"}
        policy = request.extra.get("policy", endpoint.options.policy)
        asked = [_guard.question(request.model, text, policy, extra) for text in _guard.texts(request)]

        def build(found: list[ChatResponse]) -> ModerateResponse:
            results = tuple([_guard.verdict(answer) for answer in found])
            return ModerateResponse(results=results, **_together(found))

        return self._judged(endpoint, asked, build)

    @hookimpl
    def classify(self, endpoint: Endpoint, request: ClassifyRequest) -> Plan[ClassifyResponse]:
        """Plan the same with a model that answers with a probability."""
        _models.check(endpoint, request.model, "classify")
        if not all(isinstance(text, str) for text in request.inputs):
            raise InvalidRequestError("inputs: Groq's models label texts, not pairs of them")
        asked = [_guard.question(request.model, str(text), None, dict(request.extra)) for text in request.inputs]

        def build(found: list[ChatResponse]) -> ClassifyResponse:
            return ClassifyResponse(results=tuple([_guard.labels(answer) for answer in found]), **_together(found))

        return self._judged(endpoint, asked, build)

    @hookimpl
    def upload_file(self, endpoint: Endpoint, request: UploadRequest) -> Plan[FileInfo]:
        """Plan POST /files, which takes the lines of batches."""
        _rules.check_upload(request.file)
        plan = cast("Http[FileInfo]", super().upload_file(endpoint, attrs.evolve(request, expires_after=None)))
        return attrs.evolve(plan, unsupported=given(request, ("expires_after",)))

    @hookimpl
    def create_batch(self, endpoint: Endpoint, request: BatchRequest) -> Plan[Batch]:
        """Plan the upload of chats as a file of lines, then POST /batches."""
        if not isinstance(request.items[0].request, ChatRequest):
            raise InvalidRequestError(
                "items: Groq's batches are of chats", hint="for sound: call(…, 'create_batch_of_file', …)"
            )
        if len(request.items) > _BATCH_LINES:
            raise InvalidRequestError(f"items: Groq takes up to {_BATCH_LINES}, these are {len(request.items)}")
        return super().create_batch(endpoint, request)

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any]]]:
        """Return what has no operation of its own."""
        return {"create_batch_of_file": self.batch_of_lines, "delete_model": _delete_model}

    def batch_of_lines(
        self,
        endpoint: Endpoint,
        file: str,
        route: str = "/v1/chat/completions",
        completion_window: str = "24h",
        metadata: Mapping[str, str] | None = None,
    ) -> Plan[Batch]:
        """Plan POST /batches for a file of lines that was uploaded before, such as one of sounds."""
        request = BatchRequest(items=(), completion_window=completion_window, metadata=metadata)
        return self.batch_of_file(endpoint, file, route, request)

    # what differs from OpenAI

    def path(self, endpoint: Endpoint, route: str) -> str:
        """Return where a route is."""
        return _prefix(endpoint.base_url) + route

    def described(self, endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
        """Add what the server tells in its own fields, and the catalogue."""
        return _models.described(endpoint, model)

    def refused(self, _endpoint: Endpoint, request: Any) -> Collection[str]:
        """Return what Groq refuses, or has nothing for."""
        return _REFUSED if getattr(request, "n", None) in {None, 1} else (*_REFUSED, "n")

    def unsupported(self, endpoint: Endpoint, request: Any) -> tuple[str, ...]:
        """Name also the speakers of messages."""
        lost = super().unsupported(endpoint, request)
        return (*lost, *_requests.named(request)) if isinstance(request, ChatRequest) else lost

    def schema_form(self, _endpoint: Endpoint, model: str) -> SchemaForm | None:
        """Return OpenAI's, which Groq enforces with its gpt-oss models and follows as well as it can with others."""
        return attrs.evolve(OPENAI, who="Groq", is_strict=model.startswith("openai/gpt-oss"))

    def takes_back(self, endpoint: Endpoint, part: Any) -> bool:
        """Return the same; a model's turn has no pictures."""
        return isinstance(part, Reasoning) and super().takes_back(endpoint, part)

    def kept_back(self, endpoint: Endpoint, request: ChatRequest) -> tuple[str, ...]:
        """Leave out what the server's own tools did: it is told, and no chat takes it back."""
        return tuple([each for each in super().kept_back(endpoint, request) if not each.endswith(".executed_tools")])

    def speaks_responses(self, endpoint: Endpoint, request: ChatRequest) -> bool:
        """Whether a chat is made by the Responses API."""
        api = endpoint.options.api
        if api == "auto":
            return not _RESPONSES_FIELDS.isdisjoint(request.extra)
        return bool(api == "responses")

    def read_chat(self, response: HttpResponse) -> ChatResponse:
        """Read the answer to a chat."""
        return _answers.read_chat(response)

    def chat_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Check a chat and write it."""
        _rules.check_chat(endpoint, request)
        taken = _requests.take_apart(request)
        body = _requests.finish(super().chat_body(endpoint, taken.request, stream=stream), taken)
        if "include_reasoning" not in body and _rules.thinks_aloud(endpoint, request.model):
            body.setdefault("reasoning_format", "parsed")
        return body

    def responses_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Check a chat and write it for the Responses API, which keeps nothing here."""
        _rules.check_chat(endpoint, request)
        for name in _STORED:
            if request.extra.get(name):
                raise InvalidRequestError(f"{name}: Groq keeps no answers", hint="send the whole conversation")
        taken = _requests.take_apart(_requests.without_files(request))
        return _requests.finish(super().responses_body(endpoint, taken.request, stream=stream), taken)

    def transcribe_fields(self, endpoint: Endpoint, request: TranscribeRequest) -> dict[str, Any]:
        """Check the sound; one that is elsewhere is named among the fields."""
        _models.check(endpoint, request.model, "transcribe")
        _rules.check_sound(request)
        fields = super().transcribe_fields(endpoint, request)
        return fields if request.audio.url is None else {"url": request.audio.url, **fields}

    def sound_files(self, endpoint: Endpoint, request: TranscribeRequest) -> list[tuple[str, Upload]]:
        """Return the sound, unless it is elsewhere."""
        return super().sound_files(endpoint, request) if request.audio.url is None else []

    def speak_body(self, endpoint: Endpoint, request: SpeakRequest) -> dict[str, Any]:
        """Check the text; wav is what every voice of Groq's can do."""
        _models.check(endpoint, request.model, "speak")
        _rules.check_speech(request)
        return {"response_format": "wav", **super().speak_body(endpoint, request)}

    def _judged(
        self, endpoint: Endpoint, asked: list[ChatRequest], build: Callable[[list[ChatResponse]], Any]
    ) -> Plan[Any]:
        def steps() -> Generator[Any, Any, Plan[Any]]:
            plans = [OpenAICompatible.chat(self, endpoint, request) for request in asked]
            return Ready(value=build((yield from side_by_side(plans, _AT_ONCE))))

        return Flow(steps=steps)


def _together(found: list[ChatResponse]) -> dict[str, Any]:
    """Return what several answers say together: the model, and the tokens where all of them tell."""
    usage = added(answer.usage for answer in found)
    return {"model": found[0].model, "usage": usage, "raw": [answer.raw for answer in found]}


def _delete_model(endpoint: Endpoint, model: str) -> Plan[None]:
    """Plan DELETE /models/{id}, for models of the caller's own."""
    path = f"{_prefix(endpoint.base_url)}/models/{segment(model)}"
    send = HttpRequest(method="DELETE", path=path, headers=(("accept", "application/json"),))
    return Http(send=send, parse=lambda _response: None)


backend = Groq()
