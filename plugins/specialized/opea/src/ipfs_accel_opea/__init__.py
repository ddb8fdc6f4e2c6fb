"""The `opea` backend: OPEA's microservices (GenAIComps) and megaservices (GenAIExamples)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Generator, Mapping
from typing import Any

import attrs
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.capabilities import Support
from ipfs_accel.errors import AccelError, InvalidRequestError, InvalidResponseError
from ipfs_accel.plans import (
    Endpoint,
    Flow,
    Http,
    HttpRequest,
    HttpResponse,
    HttpStream,
    Plan,
    Ready,
    StreamFlow,
    StreamPlan,
    get,
    post_json,
)
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    CompletionRequest,
    CompletionResponse,
    EmbedRequest,
    EmbedResponse,
    GeneratedImage,
    GenerateImageRequest,
    Health,
    ImageResponse,
    ModelInfo,
    ModerateRequest,
    ModerateResponse,
    Moderation,
    RerankRequest,
    RerankResponse,
    SpeakRequest,
    SpeakResponse,
    TranscribeRequest,
    TranscribeResponse,
    sniff_media_type,
)
from ipfs_accel.wire import openai_requests
from ipfs_accel.wire.assembler import chat_assembler, completion_assembler
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_audio import OpenAIAudio
from ipfs_accel.wire.openai_errors import checked
from ipfs_accel.wire.openai_vectors import embedding
from ipfs_accel.wire.ranks import ranked
from ipfs_accel.wire.raw import RawRequests

from . import _answers as answers
from . import _chat as chats
from ._calls import CALLS
from ._services import LLM, MEGASERVICES, Options, Service, chat_service, paths, root, roots, service

__all__ = ["OPEA", "Options", "backend"]

_FEATURES = {
    "/v1/embeddings": "embed",
    "/v1/reranking": "rerank",
    "/v1/audio/speech": "speak",
    "/v1/text2image": "generate_image",
    "/v1/audio/transcriptions": "transcribe",
    "/v1/guardrails": "moderate",
}


class OPEA(RawRequests):
    """Chats of micro- and megaservices, the services around them, and any other request of the endpoint's own."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        """Say where an LLM microservice usually is."""
        return BackendInfo(
            name="opea",
            title="OPEA",
            base_url="http://localhost:9000",
            base_url_env=("OPEA_BASE_URL", "OPEA_API_ENDPOINT"),
            is_own=True,
            key_env=("OPEA_API_KEY",),
            options=Options,
            read_error=answers.read_error,
            documentation="https://opea-project.github.io/latest/microservices/index.html",
        )

    def placed(self, endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
        """Return a request below the root of the endpoint's own service."""
        return attrs.evolve(send, base_url=root(endpoint.base_url))

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /v1/chat/completions, or the path of a megaservice."""

        def steps() -> Generator[Any, Any, Plan[ChatResponse]]:
            where = yield from chat_service(endpoint, request.model)
            body = _named(chats.chat_body(where, request, stream=False), where)
            return Http(
                send=post_json(where.path, body, base_url=where.base_url),
                parse=answers.read_chat,
                unsupported=chats.unsupported(where, request),
                kept_back=chats.kept_back(where, request),
            )

        return Flow(steps=steps)

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream; a service that does not stream gives its answer in one piece."""

        def steps() -> Generator[Any, Any, StreamPlan[ChatResponse]]:
            where = yield from chat_service(endpoint, request.model)
            body = _named(chats.chat_body(where, request, stream=True), where)
            return HttpStream(
                send=post_json(where.path, body, base_url=where.base_url),
                frames=answers.Frames,
                decoder=answers.StreamDecoder,
                assembler=lambda: chat_assembler(eof_after_finish=False, merge=True),
                unsupported=chats.unsupported(where, request),
                kept_back=chats.kept_back(where, request),
                any_type=True,
            )

        return StreamFlow(steps=steps)

    @hookimpl
    def complete(self, endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:
        """Plan the microservice's form with a query."""
        where = service(endpoint, "llm")
        return Http(
            send=post_json(where.path, chats.completion_body(request, stream=False), base_url=where.base_url),
            parse=answers.read_completion,
            unsupported=openai_requests.given(request, chats.COMPLETION_DROPPED),
        )

    @hookimpl
    def stream_complete(self, endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:
        """Plan the same as a stream."""
        where = service(endpoint, "llm")
        return HttpStream(
            send=post_json(where.path, chats.completion_body(request, stream=True), base_url=where.base_url),
            frames=answers.Frames,
            decoder=answers.StreamDecoder,
            assembler=lambda: completion_assembler(eof_after_finish=False),
            unsupported=openai_requests.given(request, chats.COMPLETION_DROPPED),
            any_type=True,
        )

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan POST /v1/embeddings."""
        where = service(endpoint, "embeddings")
        body = openai_requests.embed_body(attrs.evolve(request, user=None))
        body = {**body, "encoding_format": "float", **request.extra}
        return embedding(
            endpoint,
            request,
            body,
            lambda body: post_json(where.path, body, base_url=where.base_url),
            unsupported=openai_requests.given(request, ("user",)),
        )

    @hookimpl
    def rerank(self, endpoint: Endpoint, request: RerankRequest) -> Plan[RerankResponse]:
        """Plan POST /v1/reranking; without a number it would return one document."""
        where = service(endpoint, "reranking")
        body = {
            "input": request.query,
            "retrieved_docs": [{"text": document} for document in request.documents],
            "top_n": request.top_n or len(request.documents),
            **request.extra,
        }
        return Http(
            send=post_json(where.path, body, base_url=where.base_url),
            parse=lambda response: _ranked(response, request),
        )

    @hookimpl
    def moderate(self, endpoint: Endpoint, request: ModerateRequest) -> Plan[ModerateResponse]:
        """Plan POST /v1/guardrails, or the path that the model's id names (such as toxicity), once per text."""
        name = request.model or "guardrails"
        where = service(endpoint, name, f"/v1/{name}")
        for index, item in enumerate(request.inputs):
            if not isinstance(item, str):
                raise InvalidRequestError(f"inputs[{index}]: OPEA's guardrails judge texts")

        def steps() -> Generator[Any, Any, Plan[ModerateResponse]]:
            found: list[Moderation] = []
            for text in request.inputs:
                body = {"text": text, **request.extra}
                found.append((yield Http(send=post_json(where.path, body, base_url=where.base_url), parse=_judged)))
            return Ready(value=ModerateResponse(results=tuple(found), model=name))

        return Flow(steps=steps)

    @hookimpl
    def transcribe(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        """Plan POST /v1/audio/transcriptions."""
        return _at(service(endpoint, "transcription"), _AUDIO.transcribe(endpoint, request))

    @hookimpl
    def speak(self, endpoint: Endpoint, request: SpeakRequest) -> Plan[SpeakResponse]:
        """Plan POST /v1/audio/speech; the sound's own first bytes tell its type, the header does not."""
        plan = _at(service(endpoint, "speech"), _AUDIO.speak(endpoint, request))
        read: Callable[[HttpResponse], SpeakResponse] = plan.parse

        def parse(response: HttpResponse) -> SpeakResponse:
            answer = read(response)
            return attrs.evolve(answer, media_type=sniff_media_type(answer.data) or answer.media_type)

        return attrs.evolve(plan, parse=parse)

    @hookimpl
    def generate_image(self, endpoint: Endpoint, request: GenerateImageRequest) -> Plan[ImageResponse]:
        """Plan POST /v1/text2image."""
        where = service(endpoint, "images")
        body: dict[str, Any] = {"prompt": request.prompt}
        if request.size is not None:
            width, times, height = request.size.partition("x")
            if not (times and width.isdecimal() and height.isdecimal()):
                raise InvalidRequestError(f"size: expected WIDTHxHEIGHT, got {request.size!r}")
            body |= {"width": int(width), "height": int(height)}
        named = {
            "num_images_per_prompt": request.n,
            "seed": request.seed,
            "negative_prompt": request.negative_prompt,
        }
        body |= {name: value for name, value in named.items() if value is not None}
        refused = ("quality", "background", "style", "output_format", "output_compression", "partial_images", "user")
        return Http(
            send=post_json(where.path, {**body, **request.extra}, base_url=where.base_url),
            parse=_pictures,
            unsupported=openai_requests.given(request, refused),
        )

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan the reading of what each service can do; services have no names of models, so theirs stand for them."""

        def steps() -> Generator[Any, Any, Plan[tuple[ModelInfo, ...]]]:
            found: dict[str, ModelInfo] = {}
            for base_url in roots(endpoint):
                there = yield from paths(base_url, endpoint)
                for model in _models(there, base_url):
                    found.setdefault(model.id, model)
            return Ready(value=tuple(found.values()))

        return Flow(steps=steps)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan GET /v1/health_check of every service; it tells that they run, not that their models do."""

        def steps() -> Generator[Any, Any, Plan[Health]]:
            titles, broken = [], []
            for base_url, name in roots(endpoint).items():
                try:
                    titles.append((yield Http(send=get("/v1/health_check", base_url=root(base_url)), parse=_title)))
                except AccelError as error:
                    if len(roots(endpoint)) == 1:
                        raise
                    broken.append(f"{name}: {error.message}")
            server = ", ".join(titles) or None
            if broken:
                return Ready(value=Health(status="unhealthy", server=server, detail="; ".join(broken)))
            return Ready(value=Health(status="ok", server=server, detail=f"{len(titles)} service(s) run"))

        return Flow(steps=steps)

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any]]]:
        """Name what only OPEA has."""
        return CALLS


class _Audio(OpenAIAudio):
    """The dialect's sound, without what OPEA's services do not read."""

    def refused(self, _endpoint: Endpoint, _request: Any) -> tuple[str, ...]:
        return ("timestamps", "instructions", "sample_rate")

    def path(self, _endpoint: Endpoint, route: str) -> str:
        return f"/v1{route}"


_AUDIO = _Audio()


def _at(where: Service, plan: Any) -> Http[Any]:
    return attrs.evolve(plan, send=attrs.evolve(plan.send, base_url=where.base_url))


def _named(body: dict[str, Any], where: Service) -> dict[str, Any]:
    """Leave out a model's id that is only the name of the service."""
    if body.get("model") == where.name:
        del body["model"]
    return body


def _ranked(response: HttpResponse, request: RerankRequest) -> RerankResponse:
    """Read documents by rank; they come without their positions, which the texts tell."""
    body = checked(response.json())
    left = dict(enumerate(request.documents))
    items = []
    for item in field(body, "reranked_docs", list):
        text = field(item, "text", str)
        index = next((position for position, document in left.items() if document == text), None)
        if index is None:
            raise InvalidResponseError("the answer ranks a document that was not sent")
        del left[index]
        items.append({"index": index, "score": item.get("score")})
    return RerankResponse(results=ranked(items, request, score="score"), raw=body)


def _judged(response: HttpResponse) -> Moderation:
    """Read a judgement: a text that is blocked comes with status 200 and a black list."""
    body = checked(response.json())
    if "downstream_black_list" not in body:
        raise InvalidResponseError("the answer is no judgement: it has no downstream_black_list")
    words = field(body, "text", str)
    blocked = bool(body["downstream_black_list"])
    _, colon, rest = words.partition("Violated policies: ")
    named = rest.partition(", please check")[0].split(",") if colon and blocked else []
    return Moderation(flagged=blocked, categories={name.strip(): True for name in named if name.strip()})


def _pictures(response: HttpResponse) -> ImageResponse:
    body = checked(response.json())
    images = []
    for picture in field(body, "images", list):
        try:
            data = base64.b64decode(picture, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise InvalidResponseError(f"a picture of the answer is not base64: {error}") from None
        images.append(GeneratedImage(data=data, media_type=sniff_media_type(data)))
    return ImageResponse(images=tuple(images), raw=body)


def _models(there: frozenset[str], base_url: str) -> list[ModelInfo]:
    found = []
    names = {LLM: "llm"} | {path: name for name, path in MEGASERVICES.items()}
    for path in sorted(there):
        yes = Support("yes", "server")
        if path in names:
            features = {"chat": yes, "stream": yes} | ({"complete": yes} if path == LLM else {})
            found.append(ModelInfo(id=names[path], description=f"{path} at {base_url}", features=features))
        elif path in _FEATURES:
            name = path.rpartition("/")[2]
            no = Support("no", "server")
            features = {_FEATURES[path]: yes, "chat": no, "stream": no}
            found.append(ModelInfo(id=name, description=f"{path} at {base_url}", features=features))
    return found


def _title(response: HttpResponse) -> str:
    body = checked(response.json())
    return f"{field(body, 'Service Title', str)} {body.get('Version') or ''}".strip()


backend = OPEA()
