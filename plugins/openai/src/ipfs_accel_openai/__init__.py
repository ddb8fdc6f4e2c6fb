"""The `openai` backend: OpenAI, and any server with its dialect as a further endpoint. And `azure`: Azure OpenAI."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs
from ipfs_accel import BackendInfo, KeyHeader, hookimpl
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.errors import InvalidRequestError, UnsupportedOperationError
from ipfs_accel.plans import (
    Endpoint,
    Flow,
    Http,
    Local,
    Plan,
    Ready,
    StreamPlan,
    post_json,
)
from ipfs_accel.types import (
    ChatRequest,
    EditImageRequest,
    FileInfo,
    ImageResponse,
    ModelInfo,
    ModerateRequest,
    ModerateResponse,
    Moderation,
    TokenCount,
    TranscribeRequest,
    TranscribeResponse,
    UploadRequest,
    VaryImageRequest,
)
from ipfs_accel.wire import openai_responses_answers as responses_answers
from ipfs_accel.wire import openai_responses_requests as responses_requests
from ipfs_accel.wire.openai_audio import OpenAIAudio
from ipfs_accel.wire.openai_files import OpenAIFiles
from ipfs_accel.wire.openai_images import OpenAIImages
from ipfs_accel.wire.openai_responses import OpenAIResponses

from . import _limits, _moderation

__all__ = ["Azure", "AzureOptions", "OpenAI", "Options", "azure", "backend"]

BASE_URL = "https://api.openai.com/v1"

# Models that reason refuse what would steer their sampling. The names are those of the o-series and of gpt-5 and later;
# gpt-5-chat-latest and its like do not reason.
_REASONING = re.compile(r"(?:o[1-9]|gpt-(?:[5-9]|\d\d))(?!.*-chat)(?:[-.]|$)")
_REFUSED_WHEN_REASONING = ("top_k", "stop", "frequency_penalty", "presence_penalty", "logit_bias")
# These have no effort `none`, so they always reason; of the others some do not unless they are asked to.
_ALWAYS_REASONING = re.compile(r"(?:o[1-9]|gpt-5)(?:-|$)")
# What steers or shows sampling is refused while a model reasons, unless it is what happens anyway.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "temperature": (None, 1),
    "top_p": (None, 1),
    "logprobs": (None, False),
    "top_logprobs": (None,),
}
# Models that the chat API does not have, and fields that only the Responses API has.
_RESPONSES_ONLY = re.compile(r".*(?:-pro|codex|deep-research|computer-use)(?:-|$)")
_RESPONSES_FIELDS = frozenset(
    {"previous_response_id", "conversation", "instructions", "include", "background", "reasoning", "truncation"}
    | {"prompt", "max_tool_calls", "context_management", "text"}
)
_RESPONSES_EFFORT = "max"
_ALWAYS_WHOLE = re.compile(r"whisper-1(?:-|$)")


@attrs.frozen(kw_only=True)
class Options:
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
    api: Literal["auto", "chat", "responses"] = "auto"
    count: Literal["auto", "server", "offline"] = "auto"


def _headers(options: Options) -> Mapping[str, str]:
    named = {"OpenAI-Organization": options.organization, "OpenAI-Project": options.project}
    return {name: value for name, value in named.items() if value}


class OpenAI(OpenAIAudio, OpenAIImages, OpenAIFiles, OpenAIResponses):
    """All that OpenAI's own service has for calls over HTTP."""

    api_version = 1
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
        documentation="https://platform.openai.com/docs/api-reference",
    )

    @hookimpl
    def count_tokens(self, endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:
        """Plan POST /responses/input_tokens, or a count without a server."""
        if endpoint.options.count == "server" or (endpoint.options.count == "auto" and self.is_hosted(endpoint)):
            path = self.path(endpoint, "/responses/input_tokens")
            return Http(
                send=post_json(path, responses_requests.count_body(request)), parse=responses_answers.read_count
            )

        def run() -> TokenCount:
            from . import _tokens  # noqa: PLC0415 - encodings are large, and few callers count

            return _tokens.count(request)

        return Local(run=run)

    @hookimpl
    def moderate(self, endpoint: Endpoint, request: ModerateRequest) -> Plan[ModerateResponse]:
        """Plan POST /moderations, once for texts and once per input that has pictures."""
        sends = [post_json(self.path(endpoint, "/moderations"), body) for body in _moderation.bodies(request)]
        if len(sends) == 1:
            count = len(request.inputs)
            return Http(send=sends[0], parse=lambda response: _moderation.read(response, count))

        def steps() -> Generator[Any, Any, Plan[ModerateResponse]]:
            results: tuple[Moderation, ...] = ()
            for send in sends:
                answer = yield Http(send=send, parse=lambda response: _moderation.read(response, 1))
                results += answer.results
            return Ready(value=attrs.evolve(answer, results=results, raw=None))

        return Flow(steps=steps)

    @hookimpl
    def stream_transcribe(self, endpoint: Endpoint, request: TranscribeRequest) -> StreamPlan[TranscribeResponse]:
        """Plan POST /audio/transcriptions as a stream; whisper-1 ignores the wish."""
        if self.is_hosted(endpoint) and _ALWAYS_WHOLE.match(request.model):
            raise InvalidRequestError(
                f"model: {request.model} does not stream", hint="use transcribe, or a model such as gpt-transcribe"
            )
        return super().stream_transcribe(endpoint, request)

    @hookimpl
    def vary_image(self, endpoint: Endpoint, request: VaryImageRequest) -> Plan[ImageResponse]:
        """Plan POST /images/variations, which OpenAI itself has ended; other servers may have it."""
        if self.is_hosted(endpoint):
            raise UnsupportedOperationError(
                "OpenAI ended image variations with dall-e-2 on 2026-05-12", hint="use edit_image with a prompt"
            )
        return super().vary_image(endpoint, request)

    @hookimpl
    def upload_file(self, endpoint: Endpoint, request: UploadRequest) -> Plan[FileInfo]:
        """Plan POST /files."""
        if self.is_hosted(endpoint):
            _limits.check_upload(request.file)
        return super().upload_file(endpoint, request)

    # what may differ

    def transcribe_fields(self, endpoint: Endpoint, request: TranscribeRequest) -> dict[str, Any]:
        """Check the sound, for OpenAI's own service."""
        if self.is_hosted(endpoint):
            _limits.check_sound(request.audio)
        return super().transcribe_fields(endpoint, request)

    def image_body(self, endpoint: Endpoint, request: Any) -> dict[str, Any]:
        """Check the pictures, for OpenAI's own service."""
        if self.is_hosted(endpoint) and isinstance(request, EditImageRequest):
            _limits.check_edit(request)
        return super().image_body(endpoint, request)

    def is_hosted(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint is OpenAI's own, whose rules are known."""
        return _is_hosted(endpoint)

    def speaks_responses(self, endpoint: Endpoint, request: ChatRequest) -> bool:
        """Whether a chat is made by the Responses API."""
        api = endpoint.options.api
        if api != "auto" or not self.is_hosted(endpoint):
            return bool(api == "responses")
        return (
            request.reasoning_effort == _RESPONSES_EFFORT
            or _RESPONSES_ONLY.match(request.model) is not None
            or not _RESPONSES_FIELDS.isdisjoint(request.extra)
        )

    def described(self, endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
        """Add what the catalogue knows, for OpenAI's own service."""
        return _catalogue().describe(model) if self.is_hosted(endpoint) else model

    def refused(self, endpoint: Endpoint, request: Any) -> Collection[str]:
        """Return what a reasoning model of OpenAI's refuses; other servers decide for themselves."""
        if not (self.is_hosted(endpoint) and _REASONING.match(request.model)):
            return ("top_k",)
        if not _reasons(request):
            return _REFUSED_WHEN_REASONING
        changed = [name for name, usual in _DEFAULTS.items() if getattr(request, name, None) not in usual]
        return (*_REFUSED_WHEN_REASONING, *changed)

    def chat_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Name the limit as OpenAI does now; servers with its dialect often know only the old name."""
        body = super().chat_body(endpoint, request, stream=stream)
        if "max_tokens" in body and "max_tokens" not in request.extra and self.is_hosted(endpoint):
            limit = body.pop("max_tokens")
            body.setdefault("max_completion_tokens", limit)
        return body


@attrs.frozen(kw_only=True)
class AzureOptions(Options):
    """Settings of an Azure OpenAI endpoint, besides those of OpenAI's.

    Attributes:
        api_version: Date of the classic API, whose URLs name the deployment; None means the newer one below
            /openai/v1, which has no version.
        token: Whether the key is an access token of Microsoft Entra ID instead of a key of the resource.
    """

    api_version: str | None = None
    token: bool = False


def _azure_key(options: AzureOptions) -> KeyHeader:
    return KeyHeader() if options.token else KeyHeader(name="api-key", prefix="")


class Azure(OpenAI):
    """OpenAI's models as Azure serves them: the model's id is the name of the deployment."""

    info = BackendInfo(
        name="azure",
        title="Azure OpenAI",
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        key_env=("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
        key_header=_azure_key,
        needs_key=True,
        options=AzureOptions,
        options_env={"api_version": "OPENAI_API_VERSION"},
        request_id_headers=("x-request-id", "apim-request-id"),
        documentation="https://learn.microsoft.com/azure/ai-foundry/openai/reference",
    )

    def is_hosted(self, _endpoint: Endpoint) -> bool:
        """Return True: the models are OpenAI's, whatever their deployments are called."""
        return True

    def path(self, endpoint: Endpoint, route: str) -> str:
        """Return where a route is: below the resource's own address, which may already say it."""
        version = endpoint.options.api_version
        base = "" if urlsplit(endpoint.base_url).path.rstrip("/").endswith("/openai/v1") else "/openai"
        if version is None:
            return f"{base}/v1{route}" if base else route
        return f"{base}{route}?api-version={version}"

    def model_path(self, endpoint: Endpoint, route: str, model: str) -> str:
        """Return where the route of a deployment is, for the classic API."""
        if endpoint.options.api_version is None:
            return self.path(endpoint, route)
        return self.path(endpoint, f"/deployments/{_deployment(model)}{route}")


def _deployment(model: str) -> str:
    if not re.fullmatch(r"[\w.-]+", model):
        raise InvalidRequestError(f"model: {model!r} is no name of a deployment")
    return model


@cache
def _catalogue() -> Catalogue:
    return Catalogue.load(__name__)


def _reasons(request: Any) -> bool:
    """Whether the model certainly reasons; where that is open, the server has the last word."""
    effort = request.extra.get("reasoning_effort", getattr(request, "reasoning_effort", None))
    if effort is None:
        return _ALWAYS_REASONING.match(request.model) is not None
    return bool(effort != "none")


def _is_hosted(endpoint: Endpoint) -> bool:
    """Whether the endpoint is OpenAI's own, in any of its regions."""
    host = urlsplit(endpoint.base_url).hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")


backend = OpenAI()
azure = Azure()
