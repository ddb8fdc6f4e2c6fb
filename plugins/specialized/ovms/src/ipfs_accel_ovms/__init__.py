"""The `ovms` backend: OpenVINO Model Server, and other servers of tensors by KServe v2 or TensorFlow Serving's REST."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import attrs
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import InvalidRequestError, InvalidResponseError
from ipfs_accel.plans import Endpoint, Flow, Http, HttpRequest, HttpResponse, HttpStream, Plan, StreamPlan, post_json
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    CompletionRequest,
    CompletionResponse,
    EditImageRequest,
    EmbedRequest,
    EmbedResponse,
    GenerateImageRequest,
    Health,
    ImageResponse,
    ModelInfo,
    PredictRequest,
    PredictResponse,
    RerankRequest,
    RerankResponse,
    SpeakRequest,
    SpeakResponse,
    TokenizeRequest,
    TokenizeResponse,
    TranscribeRequest,
    TranscribeResponse,
    VaryImageRequest,
)
from ipfs_accel.wire.assembler import Assembler, build_chat, build_completion
from ipfs_accel.wire.collector import Collector, speech
from ipfs_accel.wire.openai import OpenAICompatible
from ipfs_accel.wire.openai_audio import OpenAIAudio
from ipfs_accel.wire.openai_images import OpenAIImages
from ipfs_accel.wire.openai_requests import given

from . import _models, _texts
from ._calls import CALLS
from ._errors import read_error
from ._options import Options
from ._predict import predict_steps
from ._server import at_root, openai_route
from ._streams import Trimming, guarded

__all__ = ["OVMS", "Options", "backend"]

T = TypeVar("T")

_WAV = "audio/wav"
# What OVMS refuses or ignores.
_REFUSED: dict[type[Any], tuple[str, ...]] = {
    ChatRequest: ("logit_bias", "top_logprobs", "user", "parallel_tool_calls", "reasoning_effort"),
    CompletionRequest: ("logit_bias", "user", "suffix"),
    EmbedRequest: ("dimensions", "user"),
    TranscribeRequest: ("prompt",),
    SpeakRequest: ("instructions", "sample_rate"),
}
_KEEP_STOP = "include_stop_str_in_output"
# It has one format for each, whatever the request says.
_ONLY = {"response_format": "json", "output_format": "wav"}


class OVMS(OpenAIAudio, OpenAIImages, OpenAICompatible):
    """Tensors by KServe v2 and TensorFlow Serving, and OVMS's form of OpenAI's dialect under /v3."""

    api_version = 1
    info = BackendInfo(
        name="ovms",
        title="OpenVINO Model Server and other servers of tensors",
        base_url="http://127.0.0.1:8000",
        base_url_env=("OVMS_BASE_URL", "OVMS_API_URL"),
        is_own=True,
        key_env=("OVMS_API_KEY",),
        options=Options,
        options_env={"version": "OVMS_VERSION"},
        read_error=read_error,
        documentation="https://docs.openvino.ai/2026/model-server/ovms_what_is_openvino_model_server.html",
    )
    image_refused = ("quality", "background", "style", "output_format", "output_compression", "user")

    # It makes no variations and shows no unfinished pictures.
    vary_image = None  # type: ignore[assignment]
    stream_image = None  # type: ignore[assignment]
    stream_image_edit = None  # type: ignore[assignment]

    @hookimpl
    def predict(self, endpoint: Endpoint, request: PredictRequest) -> Plan[PredictResponse]:
        """Plan a prediction by the dialect that the server has."""
        return Flow(steps=lambda: predict_steps(endpoint, request))

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan a chat as a stream, in which errors have a form of their own and the stop text is left in."""
        plan = guarded(super().stream(endpoint, request))
        return _trimmed(plan, request, lambda stop: Trimming(build_chat, stop, merge=True))

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan POST /embeddings, for texts."""
        if not all(isinstance(each, str) for each in request.inputs):
            raise InvalidRequestError("inputs: this server takes texts, no token ids")
        return super().embed(endpoint, request)

    @hookimpl
    def complete(self, endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:
        """Plan POST /completions, for one text."""
        return super().complete(endpoint, _texts.one_prompt(request))

    @hookimpl
    def stream_complete(self, endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:
        """Plan the same as a stream."""
        plan = guarded(super().stream_complete(endpoint, _texts.one_prompt(request)))
        return _trimmed(plan, request, lambda stop: Trimming(build_completion, stop))

    @hookimpl
    def rerank(self, endpoint: Endpoint, request: RerankRequest) -> Plan[RerankResponse]:
        """Plan POST /rerank."""
        return _texts.rerank(self.model_path(endpoint, "/rerank", request.model), request)

    @hookimpl
    def tokenize(self, endpoint: Endpoint, request: TokenizeRequest) -> Plan[TokenizeResponse]:
        """Plan POST /tokenize."""
        return _texts.tokenize(self.model_path(endpoint, "/tokenize", request.model), request)

    @hookimpl
    def edit_image(self, endpoint: Endpoint, request: EditImageRequest) -> Plan[ImageResponse]:
        """Plan POST /images/edits, a form with one picture."""
        if len(request.images) > 1:
            raise InvalidRequestError("images: this server takes one at a time")
        pictures = request.images if request.mask is None else (*request.images, request.mask)
        if any(picture.data is None for picture in pictures):
            raise InvalidRequestError("images: this server takes the bytes of a picture and of its mask, not a URL")
        return super().edit_image(endpoint, request)

    @hookimpl
    def stream_transcribe(self, endpoint: Endpoint, request: TranscribeRequest) -> StreamPlan[TranscribeResponse]:
        """Plan a transcription as a stream."""
        return guarded(super().stream_transcribe(endpoint, request))

    @hookimpl
    def translate(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        """Plan POST /audio/translations, which knows neither language nor timestamps."""
        plan = super().translate(endpoint, attrs.evolve(request, language=None, timestamps=None))
        if not isinstance(plan, Http):
            return plan
        return attrs.evolve(plan, unsupported=(*plan.unsupported, *given(request, ("language", "timestamps"))))

    @hookimpl
    def speak(self, endpoint: Endpoint, request: SpeakRequest) -> Plan[SpeakResponse]:
        """Plan POST /audio/speech; the answer is a WAV file that is called JSON."""
        plan = super().speak(endpoint, request)
        return attrs.evolve(plan, parse=_read_wav) if isinstance(plan, Http) else plan

    @hookimpl
    def stream_speak(self, endpoint: Endpoint, request: SpeakRequest) -> StreamPlan[SpeakResponse]:
        """Plan the same and hand on the file while it comes."""
        body = self.speak_body(endpoint, request)
        send = post_json(self.model_path(endpoint, "/audio/speech", request.model), body, accept=_WAV)
        plan = speech(send, _WAV, self.unsupported(endpoint, request))
        return attrs.evolve(plan, assembler=lambda: Collector(_joined, eof_is_end=True), any_type=True)

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan the list, where the server has one."""
        return Flow(steps=lambda: _models.list_steps(endpoint))

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan the question what a model takes and gives."""
        return Flow(steps=lambda: _models.show_steps(endpoint, model))

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan the question whether the server is ready."""
        return Flow(steps=lambda: _models.health_steps(endpoint))

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any] | StreamPlan[Any]]]:
        """Name the calls of the servers' own."""
        return CALLS

    # how OVMS differs from OpenAI

    def placed(self, endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
        """Return a request below the root, where each dialect has a version of its own."""
        return at_root(endpoint, send)

    def path(self, endpoint: Endpoint, route: str) -> str:
        """Return where a route of OpenAI's dialect is."""
        return openai_route(endpoint, route)

    def model_path(self, endpoint: Endpoint, route: str, model: str) -> str:
        """Return the same; the server wants to know the model."""
        if not model:
            raise InvalidRequestError("model: this server needs one", hint="name it, as in ovms/my-model")
        return self.path(endpoint, route)

    def refused(self, _endpoint: Endpoint, request: Any) -> Collection[str]:
        """Return what OVMS does not know; other than OpenAI it has `top_k`."""
        fixed = [name for name, only in _ONLY.items() if getattr(request, name, only) != only]
        return (*_REFUSED.get(type(request), ()), *(fixed if not isinstance(request, ChatRequest) else ()))

    def chat_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Return the body of a chat; of formats OVMS imposes only schemas, so that any JSON object is one, too."""
        body = super().chat_body(endpoint, request, stream=stream)
        if "response_format" not in request.extra:
            if request.response_format == "json":
                schema = {"name": "object", "schema": {"type": "object"}}
                body["response_format"] = {"type": "json_schema", "json_schema": schema}
            elif request.response_format == "text":
                del body["response_format"]
        return body

    def image_body(
        self, endpoint: Endpoint, request: GenerateImageRequest | EditImageRequest | VaryImageRequest
    ) -> dict[str, Any]:
        """Return the body of a request for pictures, with OVMS's name of the seed."""
        body = super().image_body(endpoint, request)
        if request.seed is not None and "seed" not in request.extra:
            body.setdefault("rng_seed", body.pop("seed"))
        return body


def _trimmed(
    plan: StreamPlan[T], request: ChatRequest | CompletionRequest, make: Callable[[tuple[str, ...]], Assembler[T]]
) -> StreamPlan[T]:
    stop = request.stop
    if not stop or request.extra.get(_KEEP_STOP) or not isinstance(plan, HttpStream):
        return plan
    return attrs.evolve(plan, assembler=lambda: make(stop))


def _read_wav(response: HttpResponse) -> SpeakResponse:
    return _wav(response.body)


def _joined(out: Collector[SpeakResponse]) -> SpeakResponse:
    return _wav(b"".join(out.kept))


def _wav(data: bytes) -> SpeakResponse:
    """Look at the sound itself: the server calls it JSON."""
    if not data.startswith(b"RIFF"):
        start = data[:200].decode("utf-8", "replace")
        raise InvalidResponseError(f"the answer is no WAV file; it begins with {start!r}")
    return SpeakResponse(data=data, media_type=_WAV)


backend = OVMS()
