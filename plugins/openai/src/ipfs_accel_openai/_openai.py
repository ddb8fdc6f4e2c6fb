"""OpenAI's service as a plugin class; `azure` is made of it too."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import attrs
from ipfs_accel import BackendInfo, hookimpl, plans, types
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint, Http, post_json
from ipfs_accel.types import ChatRequest
from ipfs_accel.wire import openai_responses_requests as responses_requests
from ipfs_accel.wire.late import late
from ipfs_accel.wire.names import check_model
from ipfs_accel.wire.openai import OpenAICompatible
from ipfs_accel.wire.openai_audio import OpenAIAudio
from ipfs_accel.wire.openai_facts import DialectOptions
from ipfs_accel.wire.openai_files import OpenAIFiles
from ipfs_accel.wire.openai_images import OpenAIImages
from ipfs_accel.wire.openai_requests import given
from ipfs_accel.wire.openai_responses import OpenAIResponses
from ipfs_accel.wire.roles import INSTRUCTIONS, texts_alone
from ipfs_accel.wire.schema_forms import OPENAI, SchemaForm

from . import _calls, _limits, _rules

if TYPE_CHECKING:
    from ipfs_accel.catalogue import Catalogue
    from ipfs_accel.plans import Job, Plan, StreamPlan
    from ipfs_accel.types import (
        Answer,
        BatchItem,
        ChatResponse,
        CompletionRequest,
        EmbedRequest,
        FileInfo,
        ModelInfo,
        ModerateRequest,
        ModerateResponse,
        Request,
        SpeakRequest,
        TokenCount,
        TranscribeRequest,
        TranscribeResponse,
        UploadRequest,
    )
    from ipfs_accel.wire import openai_responses_answers as responses_answers
    from ipfs_accel.wire import windows

    from . import _moderation, _own, _uploads
else:  # chats need neither
    responses_answers, windows = late("ipfs_accel.wire", "openai_responses_answers", "windows")
    _moderation, _own, _uploads = late(__package__, "_moderation", "_own", "_uploads")

__all__ = ["CommonOptions", "OpenAI", "Options"]

_TEXTS_ALONE = {*INSTRUCTIONS, "assistant"}
BASE_URL = "https://api.openai.com/v1"
_ALWAYS_WHOLE = re.compile(r"whisper-1(?:-|$)")


@attrs.frozen(kw_only=True)
class CommonOptions:
    """Settings that OpenAI and Azure have in common.

    Attributes:
        api: How chats are made: by chat completions, by the Responses API, or (auto) by the latter where the model or
            the fields in `extra` need it.
        count: How input tokens are counted: by the server, offline, or (auto) by the server if it is OpenAI's own.
    """

    api: Literal["auto", "chat", "responses"] = "auto"
    count: Literal["auto", "server", "offline"] = "auto"


@attrs.frozen(kw_only=True)
class Options(CommonOptions, DialectOptions):
    """Settings of an OpenAI endpoint.

    Attributes:
        organization: Id of the organisation to bill, where a key has several.
        project: Id of the project to bill.
        api: How chats are made: by chat completions, by the Responses API, or (auto) by the latter where the model or
            the fields in `extra` need it.
        count: How input tokens are counted: by the server, offline, or (auto) by the server if it is OpenAI's own.
    """

    organization: str | None = None
    project: str | None = None


def _headers(options: Options) -> Mapping[str, str]:
    named = {"OpenAI-Organization": options.organization, "OpenAI-Project": options.project}
    return {name: value for name, value in named.items() if value}


@cache
def _catalogue() -> Catalogue:
    from ipfs_accel.catalogue import Catalogue  # noqa: PLC0415 - other servers than OpenAI's own have none

    return Catalogue.load("ipfs_accel_openai")


def _max_inputs(endpoint: Endpoint) -> int | None:
    """Return what the endpoint's setting says, else what is known of OpenAI's own service."""
    said: int | None = endpoint.options.max_inputs
    return _limits.TEXTS if said is None and _rules.is_hosted(endpoint) else said


def _after_first(endpoint: Endpoint, answer: ChatResponse) -> Generator[Any, Any, Any] | None:
    """Return what the first answer of a server asks for."""
    return windows.looked_at(endpoint, answer) if _rules.learn(endpoint, answer) else None


class OpenAI(OpenAIAudio, OpenAIImages, OpenAIFiles, OpenAIResponses):
    """All that OpenAI's own service has for calls over HTTP."""

    api_version = 1
    own_parts: ClassVar[str | None] = "openai"
    info = BackendInfo(
        name="openai",
        title="OpenAI",
        base_url=BASE_URL,
        base_url_env=("OPENAI_BASE_URL",),
        key_env=("OPENAI_API_KEY",),
        needs_key=True,
        options=Options,
        options_env={"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"},
        headers=_headers,
        lacks=_rules.lacks,
        max_inputs=_max_inputs,
        catalogue=_catalogue,
        prices_hold=_rules.prices_hold,
        token_rules=_rules.token_rules,
        documentation="https://platform.openai.com/docs/api-reference",
    )

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /chat/completions or POST /responses; at a server of one's own, with what it does in silence."""
        if self._is_to_be_known(endpoint, request):
            by_chat = partial(OpenAICompatible.chat, self)
            usual = super().chat
            return plans.Flow(steps=lambda: _own.settled(self._own_steps(endpoint, request, usual, by_chat), endpoint))
        plan = super().chat(endpoint, request)
        is_known, is_usual = endpoint.memo.get(_rules.SERVER) is not None, request.n in {None, 1} and not request.tools
        if (is_known and is_usual) or self.is_hosted(endpoint) or not isinstance(plan, Http):
            return plan
        if not is_known:
            plan = attrs.evolve(plan, after=partial(_after_first, endpoint))
        return plan if is_usual else _own.doubted(plan, request)

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream."""
        if self._is_to_be_known(endpoint, request):
            by_chat = partial(OpenAICompatible.stream, self)
            usual = super().stream
            return plans.StreamFlow(steps=lambda: self._own_steps(endpoint, request, usual, by_chat))
        plan = super().stream(endpoint, request)
        if self.is_hosted(endpoint) or not isinstance(plan, plans.HttpStream):
            return plan
        if endpoint.memo.get(_rules.SERVER) is None:
            plan = attrs.evolve(plan, after=partial(_after_first, endpoint))
        is_usual = request.n in {None, 1} and not request.tools
        return plan if is_usual else _own.doubted(plan, request)

    def _is_to_be_known(self, endpoint: Endpoint, request: ChatRequest) -> bool:
        """Whether it matters which server of one's own answers; what the endpoint refuses anyway is refused at once."""
        is_formed = request.response_format is not None
        is_forced = _rules.is_forced(endpoint, request) and self.fact(endpoint, "tool_choices") is None
        if not (is_formed or is_forced or _rules.is_ollama(endpoint)) or self.is_hosted(endpoint):
            return False
        return not is_formed or "response_format" not in self.unsupported(endpoint, request)

    def _own_steps(
        self, endpoint: Endpoint, request: ChatRequest, usual: Callable[..., Any], by_chat: Callable[..., Any]
    ) -> Generator[Any, Any, Any]:
        is_asked = self.speaks_responses(endpoint, request)

        def plan(asked: ChatRequest, by_responses: bool) -> Any:
            return (usual if by_responses else by_chat)(endpoint, asked)

        return _own.steps(endpoint, request, self.path(endpoint, "/models"), plan, by_responses=is_asked)

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan GET /models/{id}; servers of one's own that have no such route, such as vLLM, list the model."""
        plan = super().show_model(endpoint, model)
        if self.is_hosted(endpoint):
            return plan
        from ipfs_accel.wire.shown import shown  # noqa: PLC0415 - chats do not need it

        return plans.Flow(steps=lambda: shown(plan, model, plans.get(self.path(endpoint, "/models"))))

    @hookimpl
    def count_tokens(self, endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:
        """Plan POST /responses/input_tokens, or a count without a server."""
        if endpoint.options.count == "server" or (endpoint.options.count == "auto" and self.is_hosted(endpoint)):
            path = self.path(endpoint, "/responses/input_tokens")
            return Http(
                send=post_json(path, responses_requests.count_body(request)), parse=responses_answers.read_count
            )

        def run(_job: Job) -> TokenCount:
            from . import _tokens  # noqa: PLC0415 - encodings are large, and few callers count

            return _tokens.count(request)

        return plans.Local(run=run)

    @hookimpl
    def moderate(self, endpoint: Endpoint, request: ModerateRequest) -> Plan[ModerateResponse]:
        """Plan POST /moderations, once for texts and once per input that has pictures."""
        sends = [post_json(self.path(endpoint, "/moderations"), body) for body in _moderation.bodies(request)]
        if len(sends) == 1:
            count = len(request.inputs)
            return Http(send=sends[0], parse=lambda response: _moderation.read(response, count))

        def steps() -> Generator[Any, Any, Plan[ModerateResponse]]:
            answers: list[ModerateResponse] = []
            for send in sends:
                answers += [(yield Http(send=send, parse=lambda response: _moderation.read(response, 1)))]
            results = tuple([result for answer in answers for result in answer.results])
            return plans.Ready(value=attrs.evolve(answers[-1], results=results, raw=[answer.raw for answer in answers]))

        return plans.Flow(steps=steps)

    @hookimpl
    def stream_transcribe(self, endpoint: Endpoint, request: TranscribeRequest) -> StreamPlan[TranscribeResponse]:
        """Plan POST /audio/transcriptions as a stream; whisper-1 ignores the wish."""
        if self.is_hosted(endpoint) and _ALWAYS_WHOLE.match(request.model):
            raise InvalidRequestError(
                f"model: {request.model} does not stream", hint="use transcribe, or a model such as gpt-transcribe"
            )
        return super().stream_transcribe(endpoint, request)

    @hookimpl
    def translate(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        """Plan POST /audio/translations, which does not tell speakers apart."""
        if self.is_hosted(endpoint) and request.response_format == "diarized_json":
            raise InvalidRequestError(
                "response_format: translations have no diarized_json", hint="transcribe has it; or take verbose_json"
            )
        return super().translate(endpoint, request)

    @hookimpl
    def upload_file(self, endpoint: Endpoint, request: UploadRequest) -> Plan[FileInfo]:
        """Plan POST /files, or an upload in parts for what is too large for that."""
        if self.is_hosted(endpoint):
            _limits.check_upload(request)
            if (request.file.size or 0) > _limits.FILE:
                return _uploads.in_parts(request, lambda route: self.path(endpoint, route))
        return super().upload_file(endpoint, request)

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any] | StreamPlan[Any]]]:
        """Name what the service has beyond the operations: kept responses and chats, and more."""
        return _calls.calls(self.path)

    # what may differ

    def transcribe_fields(self, endpoint: Endpoint, request: TranscribeRequest) -> dict[str, Any]:
        """Check the sound, for OpenAI's own service."""
        if self.is_hosted(endpoint):
            check_model(request, "OpenAI")
            _limits.check_sound(request.audio)
        return super().transcribe_fields(endpoint, request)

    def image_body(self, endpoint: Endpoint, request: Any) -> dict[str, Any]:
        """Check the pictures, for OpenAI's own service."""
        if self.is_hosted(endpoint) and isinstance(request, types.EditImageRequest):
            _limits.check_edit(request)
        return super().image_body(endpoint, request)

    def is_hosted(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint is OpenAI's own, whose rules are known."""
        return _rules.is_hosted(endpoint)

    def speaks_responses(self, endpoint: Endpoint, request: ChatRequest) -> bool:
        """Whether a chat is made by the Responses API."""
        api = endpoint.options.api
        if api != "auto" or not self.is_hosted(endpoint):
            return bool(api == "responses")
        return _rules.needs_responses(request)

    def has_responses(self, endpoint: Endpoint) -> bool:
        """Whether it is OpenAI's own, or the endpoint's chats are made so."""
        return endpoint.options.api == "responses" or self.is_hosted(endpoint)

    def reasoning_place(self, endpoint: Endpoint, said: str | None) -> str:
        """Return the same, but that OpenAI's own models take back in chats only what a server of theirs said."""
        if self.is_hosted(endpoint):
            return said or ""
        place = super().reasoning_place(endpoint, said)
        return place if endpoint.options.reasoning_field is not None else _rules.thought_of_by(endpoint, place)

    def takes_back(self, endpoint: Endpoint, part: Any) -> bool:
        """Return the same; chats of OpenAI's own service have text alone in a model's turn."""
        is_medium = not isinstance(part, types.Reasoning)
        return super().takes_back(endpoint, part) and not (is_medium and self.is_hosted(endpoint))

    def schema_form(self, endpoint: Endpoint, _model: str) -> SchemaForm | None:
        """Return OpenAI's for its own service."""
        return OPENAI if self.is_hosted(endpoint) else None

    def takes_extra(self, endpoint: Endpoint) -> bool:
        """Return the same; OpenAI's own API refuses what its schema lacks."""
        return not self.is_hosted(endpoint) and super().takes_extra(endpoint)

    def limit_unsaid(self, endpoint: Endpoint, request: ChatRequest) -> int | None:
        """Return the limit, but for OpenAI's own service, whose answers say that they were cut."""
        if self.is_hosted(endpoint):
            return None
        given = request.extra.get("max_output_tokens", request.max_tokens)
        return given if isinstance(given, int) else None

    def described(self, endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
        """Add what the catalogue knows, for OpenAI's own service."""
        return _catalogue().describe(model) if self.is_hosted(endpoint) else model

    def refused(self, endpoint: Endpoint, request: Any) -> Collection[str]:
        """Return what a reasoning model of OpenAI's refuses; other servers decide for themselves."""
        return _rules.refused(request) if self.is_hosted(endpoint) else super().refused(endpoint, request)

    def image_refuses(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Add the styles, which ended with dall-e."""
        names = super().image_refuses(endpoint)
        return (*names, "style") if self.is_hosted(endpoint) else names

    def chat_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Check the chat, for OpenAI's own service."""
        if self.is_hosted(endpoint):
            _limits.check_chat(request)
            _limits.check_results(request.messages)
            messages = texts_alone(request.messages, _TEXTS_ALONE, "OpenAI")
            if messages is not request.messages:
                request = attrs.evolve(request, messages=messages)
        return super().chat_body(endpoint, request, stream=stream)

    def limit_name(self, endpoint: Endpoint) -> str:
        """Name the limit as OpenAI does now; servers with its dialect often know only the old name."""
        return "max_completion_tokens" if self.is_hosted(endpoint) else super().limit_name(endpoint)

    def embed_body(self, endpoint: Endpoint, request: EmbedRequest) -> dict[str, Any]:
        """Check the texts, for OpenAI's own service."""
        if self.is_hosted(endpoint):
            check_model(request, "OpenAI")
            _limits.check_texts(request.inputs)
        return super().embed_body(endpoint, request)

    def completion_body(self, endpoint: Endpoint, request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
        """Check the model, for OpenAI's own service."""
        if self.is_hosted(endpoint):
            check_model(request, "OpenAI")
        return super().completion_body(endpoint, request, stream=stream)

    def speak_body(self, endpoint: Endpoint, request: SpeakRequest) -> dict[str, Any]:
        """Check the model, likewise, and that there is a voice, which this service has none by itself."""
        if self.is_hosted(endpoint):
            check_model(request, "OpenAI")
            if request.voice is None and "voice" not in request.extra:
                raise InvalidRequestError("voice: OpenAI wants one", hint="such as alloy, coral, sage or verse")
        return super().speak_body(endpoint, request)

    def batch_route(self, endpoint: Endpoint, items: Sequence[BatchItem]) -> str:
        """Return the Responses API's if one of the chats needs it."""
        chats = [item.request for item in items if isinstance(item.request, ChatRequest)]
        is_needed = any(self.speaks_responses(endpoint, chat) for chat in chats)
        return "/responses" if is_needed else super().batch_route(endpoint, items)

    def batch_body(self, endpoint: Endpoint, route: str, request: Request) -> dict[str, Any]:
        """Write a chat for the API that the batch is for."""
        if route == "/responses" and isinstance(request, ChatRequest):
            return self.responses_body(endpoint, request, stream=False)
        return super().batch_body(endpoint, route, request)

    def batch_unsupported(self, endpoint: Endpoint, route: str, request: Request) -> tuple[str, ...]:
        """Add what the Responses API does not have, if the batch is for it."""
        lost = super().batch_unsupported(endpoint, route, request)
        return (*given(request, responses_requests.NOT_THERE), *lost) if route == "/responses" else lost

    def batch_kept_back(self, endpoint: Endpoint, route: str, request: ChatRequest) -> tuple[str, ...]:
        """Return what the API that the batch is for has no place for."""
        if route == "/responses":
            return self.kept_back_by_responses(request)
        return super().batch_kept_back(endpoint, route, request)

    def batch_reader(self, route: str) -> Callable[[dict[str, Any]], Answer]:
        """Read what the Responses API says, if the batch was for it."""
        return responses_answers.response_of if route.endswith("/responses") else super().batch_reader(route)

    def responses_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Check the tools, for OpenAI's own service."""
        if self.is_hosted(endpoint):
            _limits.check_chat(request)
        return super().responses_body(endpoint, request, stream=stream)
