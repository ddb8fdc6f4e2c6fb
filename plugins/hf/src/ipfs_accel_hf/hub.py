"""The `hf` backend: Hugging Face's Inference Providers behind their router, and dedicated Inference Endpoints.

The router speaks OpenAI's dialect for chats of all providers. Other tasks go to a provider's own routes below the
router, by default those of `hf-inference`. The facts are those of Hugging Face's documentation and of its Python
client at version 2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.plans import Endpoint, Flow, Http, HttpRequest, HttpResponse, Plan, StreamPlan, get
from ipfs_accel.types import (
    ChatRequest,
    ClassifyRequest,
    ClassifyResponse,
    CompletionRequest,
    CompletionResponse,
    EmbedRequest,
    EmbedResponse,
    GenerateImageRequest,
    Health,
    ImageResponse,
    ModelInfo,
    SpeakRequest,
    SpeakResponse,
    TranscribeRequest,
    TranscribeResponse,
)
from ipfs_accel.wire import openai_answers as answers
from ipfs_accel.wire.openai_responses import OpenAIResponses

from . import _hub_models as models
from . import _hub_tasks as tasks
from ._errors import read_error
from ._hub_calls import CALLS
from ._hub_routes import ROUTER, Options, is_router, named, split
from ._places import model_path, placed
from ._server import health_steps

__all__ = ["HuggingFace", "Options", "backend"]


def _headers(options: Options) -> Mapping[str, str]:
    """Return the headers that the settings ask for."""
    said = {
        "X-HF-Bill-To": options.bill_to,
        "x-wait-for-model": "true" if options.wait_for_model else None,
        "x-use-cache": "false" if options.use_cache is False else None,
        "X-Scale-Up-Timeout": None if options.scale_up_timeout is None else str(options.scale_up_timeout),
    }
    return {name: value for name, value in said.items() if value is not None}


def _lacks(endpoint: Endpoint) -> Mapping[str, str]:
    return {"stream_complete": "use stream, or a dedicated endpoint"} if is_router(endpoint) else {}


class HuggingFace(OpenAIResponses):
    """Chats by the router or at a dedicated endpoint, and the tasks of hosted models."""

    api_version = 1
    opaque_name = "hf"
    stores_responses = False
    info = BackendInfo(
        name="hf",
        title="Hugging Face Inference Providers and Endpoints",
        base_url=f"{ROUTER}/v1",
        key_env=("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
        needs_key=True,
        options=Options,
        options_env={"hub": "HF_ENDPOINT"},
        headers=_headers,
        read_error=read_error,
        lacks=_lacks,
        request_id_headers=("x-request-id", "x-amzn-trace-id", "x-amz-cf-id"),
        documentation="https://huggingface.co/docs/inference-providers",
    )

    @hookimpl
    def complete(self, endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:
        """Plan the task text-generation of hf-inference, or POST /v1/completions of a dedicated endpoint."""
        return tasks.complete(endpoint, request) if is_router(endpoint) else super().complete(endpoint, request)

    @hookimpl
    def stream_complete(self, endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:
        """Plan POST /v1/completions as a stream, which only dedicated endpoints have."""
        return super().stream_complete(endpoint, request)

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan the task feature-extraction, in the form of the provider that the model's id or the options name."""
        return tasks.embed(endpoint, request)

    @hookimpl
    def classify(self, endpoint: Endpoint, request: ClassifyRequest) -> Plan[ClassifyResponse]:
        """Plan the task text-classification."""
        return tasks.classify(endpoint, request)

    @hookimpl
    def generate_image(self, endpoint: Endpoint, request: GenerateImageRequest) -> Plan[ImageResponse]:
        """Plan the task text-to-image, in the form of the provider that the model's id or the options name."""
        return tasks.generate_image(endpoint, request)

    @hookimpl
    def transcribe(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        """Plan the task automatic-speech-recognition."""
        return tasks.transcribe(endpoint, request)

    @hookimpl
    def speak(self, endpoint: Endpoint, request: SpeakRequest) -> Plan[SpeakResponse]:
        """Plan the task text-to-speech."""
        return tasks.speak(endpoint, request)

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan GET /v1/models, with every provider's terms, or what a dedicated endpoint's engine tells of itself."""
        if is_router(endpoint):
            return super().list_models(endpoint)
        return Flow(steps=lambda: models.list_dedicated(endpoint, self.path(endpoint, "/models")))

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan GET /v1/models/{owner}/{name}; with a provider behind the id, its terms are the model's."""
        if not is_router(endpoint):
            return Flow(steps=lambda: models.show_dedicated(endpoint, self.path(endpoint, "/models"), model))

        def read(response: HttpResponse) -> ModelInfo:
            return models.described(answers.read_model(response), split(model)[1])

        return Http(send=get(f"/models/{model_path(split(model)[0])}"), parse=read)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan GET /v1/models, or GET /health of a dedicated endpoint, which is 503 while it scales up from zero."""
        if is_router(endpoint):
            return super().healthcheck(endpoint)
        return Flow(steps=lambda: health_steps(endpoint))

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any]]]:
        """Name what only Hugging Face has."""
        return CALLS

    # what differs

    def placed(self, endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
        """Return a request below the root, since there are routes beside /v1."""
        return placed(endpoint, send)

    def path(self, endpoint: Endpoint, route: str) -> str:
        """Return where an OpenAI route is; the base URL may already say /v1."""
        return route if endpoint.base_url.endswith("/v1") else f"/v1{route}"

    def refused(self, _endpoint: Endpoint, _request: Any) -> tuple[str, ...]:
        """Return nothing: what a provider knows is its own, and the router passes all of it on."""
        return ()

    def described(self, _endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
        """Add what all of a model's providers have in common."""
        return models.described(model, split(model.id)[1])

    def speaks_responses(self, endpoint: Endpoint, _request: ChatRequest) -> bool:
        """Whether chats are made by the Responses API, which is a beta at the router."""
        return bool(endpoint.options.api == "responses")

    def chat_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Return the JSON body of a chat, whose first field is the model so that the router need not read further."""
        return super().chat_body(endpoint, named(endpoint, request), stream=stream)

    def responses_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Return the JSON body of a chat by the Responses API."""
        return super().responses_body(endpoint, named(endpoint, request), stream=stream)


backend = HuggingFace()
