"""The tasks of hosted models: Hugging Face's own form, and OpenAI's form with the providers that speak it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import attrs
from ipfs_accel.errors import InvalidRequestError, InvalidResponseError
from ipfs_accel.plans import Endpoint, Flow, Http, HttpRequest, HttpResponse, Plan, post_json
from ipfs_accel.types import (
    ClassifyRequest,
    ClassifyResponse,
    CompletionRequest,
    CompletionResponse,
    EmbedRequest,
    EmbedResponse,
    GeneratedImage,
    GenerateImageRequest,
    ImageResponse,
    Segment,
    SpeakRequest,
    SpeakResponse,
    TranscribeRequest,
    TranscribeResponse,
    sniff_media_type,
)
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.multipart import content_of
from ipfs_accel.wire.openai_errors import checked
from ipfs_accel.wire.openai_requests import given
from ipfs_accel.wire.openai_vectors import embedding

from . import _generation as generation
from ._hub_mapping import provider_model
from ._hub_routes import INFERENCE, is_router, own_provider, task_place
from ._labels import labels
from ._places import root
from ._vectors import vectors

__all__ = [
    "classify",
    "complete",
    "embed",
    "generate_image",
    "need_inference",
    "speak",
    "task",
    "transcribe",
]

Json = dict[str, Any]

# Where providers with OpenAI's form have their routes below the router.
_EMBEDDINGS = {"deepinfra": "/v1/openai/embeddings", "scaleway": "/v1/embeddings", "together": "/v1/embeddings"}
_IMAGES = {"nscale": "/v1/images/generations", "together": "/v1/images/generations"}
# Both want base64, each under its own name.
_IMAGE_FORMAT = {"nscale": "b64_json", "together": "base64"}


def task(endpoint: Endpoint, model: str, name: str, body: Json, *, accept: str = "application/json") -> HttpRequest:
    """Make the request of a task in Hugging Face's own form.

    Raises:
        InvalidRequestError: Another provider is asked for, whose form this backend does not know.
    """
    need_inference(endpoint, model, name)
    return post_json(**task_place(endpoint, model, name), body=body, accept=accept)


def need_inference(endpoint: Endpoint, model: str, name: str) -> None:
    """Refuse providers of other forms than Hugging Face's own; a dedicated endpoint has no providers."""
    if not is_router(endpoint):
        return
    if not model:
        raise InvalidRequestError("model: the router serves many, so one has to be named", hint="hf/OWNER/NAME")
    provider = own_provider(endpoint, model)
    known = {"feature-extraction": _EMBEDDINGS, "text-to-image": _IMAGES}.get(name, {})
    if provider != INFERENCE:
        others = ", ".join([INFERENCE, *known])
        raise InvalidRequestError(
            f"model: the provider {provider!r} is not known for {name}", hint=f"providers for it: {others}"
        )


def _given(values: Mapping[str, Any]) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _with_parameters(inputs: Any, parameters: Mapping[str, Any]) -> Json:
    return {"inputs": inputs, "parameters": dict(parameters)} if parameters else {"inputs": inputs}


def complete(endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:
    """Plan the task text-generation."""
    prompts = generation.prompts(request)
    if len(prompts) > 1:
        raise InvalidRequestError("prompt: hf-inference takes one text", hint="make a call for each")
    parameters = generation.parameters(attrs.evolve(request, model=""), stream=False)
    return Http(
        send=task(endpoint, request.model, "text-generation", {"inputs": prompts[0], "parameters": parameters}),
        parse=lambda response: generation.read_generation(response, request),
        unsupported=generation.unsupported(request, stream=False),
    )


def embed(endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
    """Plan the task feature-extraction."""
    for index, item in enumerate(request.inputs):
        if not isinstance(item, str):
            raise InvalidRequestError(f"inputs[{index}]: Hugging Face takes texts, not token ids")
    several: Any = request.inputs[0] if len(request.inputs) == 1 else list(request.inputs)
    count = len(request.inputs)
    unsupported = given(request, ("user",))
    provider = own_provider(endpoint, request.model)
    if is_router(endpoint) and provider in _EMBEDDINGS:

        def steps() -> Generator[Any, Any, Http[EmbedResponse]]:
            model = yield from provider_model(endpoint, request.model, provider, "feature-extraction")
            body = {"model": model, "input": several, **_given({"dimensions": request.dimensions}), **request.extra}
            path = f"/{provider}{_EMBEDDINGS[provider]}"
            return embedding(
                endpoint,
                request,
                body,
                lambda body: post_json(path, body, base_url=root(endpoint)),
                unsupported=unsupported,
            )

        return Flow(steps=steps)
    # The parameters of this one task stand at the root.
    body = {"inputs": several, **_given({"dimensions": request.dimensions}), **request.extra}

    def read(response: HttpResponse) -> EmbedResponse:
        value = response.json(vectors=True)
        return EmbedResponse(vectors=vectors(value, count, request.dimensions), raw=value)

    return Http(send=task(endpoint, request.model, "feature-extraction", body), parse=read, unsupported=unsupported)


def classify(endpoint: Endpoint, request: ClassifyRequest) -> Plan[ClassifyResponse]:
    """Plan the task text-classification."""
    for index, item in enumerate(request.inputs):
        if not isinstance(item, str):
            raise InvalidRequestError(f"inputs[{index}]: hf-inference labels texts, not pairs", hint="use a TEI server")
    several: Any = request.inputs[0] if len(request.inputs) == 1 else list(request.inputs)

    def read(response: HttpResponse) -> ClassifyResponse:
        value = response.json()
        return ClassifyResponse(results=labels(value, len(request.inputs)), raw=value)

    body = _with_parameters(several, request.extra)
    return Http(send=task(endpoint, request.model, "text-classification", body), parse=read)


def generate_image(endpoint: Endpoint, request: GenerateImageRequest) -> Plan[ImageResponse]:
    """Plan the task text-to-image."""
    refused = ("quality", "background", "style", "output_format", "output_compression", "user")
    unsupported = given(request, refused if request.n in {None, 1} else (*refused, "n"))
    named = _given({"negative_prompt": request.negative_prompt, "seed": request.seed})
    provider = own_provider(endpoint, request.model)
    if is_router(endpoint) and provider in _IMAGES:

        def steps() -> Generator[Any, Any, Http[ImageResponse]]:
            model = yield from provider_model(endpoint, request.model, provider, "text-to-image")
            body = {"model": model, "prompt": request.prompt, "response_format": _IMAGE_FORMAT[provider]}
            size = _given({"size": request.size}) if provider == "nscale" else _size(request.size)
            body |= {**size, **named, **request.extra}
            return Http(
                send=post_json(f"/{provider}{_IMAGES[provider]}", body, base_url=root(endpoint)),
                parse=_encoded_picture,
                unsupported=unsupported,
            )

        return Flow(steps=steps)
    body = _with_parameters(request.prompt, {**_size(request.size), **named, **request.extra})
    return Http(
        send=task(endpoint, request.model, "text-to-image", body, accept="image/png"),
        parse=_picture,
        unsupported=unsupported,
    )


def _size(size: str | None) -> Json:
    if size is None:
        return {}
    width, times, height = size.partition("x")
    if not (times and width.isdecimal() and height.isdecimal()):
        raise InvalidRequestError(f"size: expected WIDTHxHEIGHT, got {size!r}")
    return {"width": int(width), "height": int(height)}


def _picture(response: HttpResponse) -> ImageResponse:
    """Read a picture that is the whole answer."""
    media_type = sniff_media_type(response.body) or response.headers.get("content-type") or ""
    if not media_type.startswith("image/"):
        checked(response.json())
        raise InvalidResponseError("the answer is JSON instead of a picture")
    return ImageResponse(images=(GeneratedImage(data=response.body, media_type=media_type),))


def _encoded_picture(response: HttpResponse) -> ImageResponse:
    """Read pictures in base64."""
    import base64  # noqa: PLC0415 - only pictures need it

    body = checked(response.json())
    data = [base64.b64decode(field(item, "b64_json", str), validate=True) for item in field(body, "data", list)]
    images = [GeneratedImage(data=each, media_type=sniff_media_type(each)) for each in data]
    return ImageResponse(images=tuple(images), raw=body)


def transcribe(endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
    """Plan the task automatic-speech-recognition: the sound as it is, or in base64 where there are parameters."""
    name = "automatic-speech-recognition"
    need_inference(endpoint, request.model, name)
    parameters = dict(request.extra)
    if request.timestamps:
        parameters.setdefault("return_timestamps", "word" if "word" in request.timestamps else True)
    if parameters:
        import base64  # noqa: PLC0415 - only this form needs it

        body = _with_parameters(base64.b64encode(request.audio.read()).decode(), parameters)
        send = task(endpoint, request.model, name, body)
    else:
        kind = request.audio.media_type or "application/octet-stream"
        send = HttpRequest(
            method="POST",
            **task_place(endpoint, request.model, name),
            headers=(("content-type", kind), ("accept", "application/json")),
            content=content_of(request.audio),
        )
    unsupported = given(request, ("language", "prompt", "temperature", "response_format"))
    words = bool(request.timestamps and "word" in request.timestamps)
    return Http(send=send, parse=lambda response: _transcript(response, words=words), unsupported=unsupported)


def _transcript(response: HttpResponse, *, words: bool) -> TranscribeResponse:
    body = checked(response.json())
    pieces = tuple([_piece(chunk) for chunk in body.get("chunks") or ()])
    return TranscribeResponse(
        text=field(body, "text", str), segments=() if words else pieces, words=pieces if words else (), raw=body
    )


def _piece(chunk: Json) -> Segment:
    start, end = chunk["timestamp"]
    # A model does not always hear where its last piece ends.
    return Segment(start=float(start), end=float(start if end is None else end), text=chunk["text"], raw=chunk)


def speak(endpoint: Endpoint, request: SpeakRequest) -> Plan[SpeakResponse]:
    """Plan the task text-to-speech."""

    def read(response: HttpResponse) -> SpeakResponse:
        kind = response.headers.get("content-type", "").split(";")[0].strip()
        media_type = sniff_media_type(response.body) or kind or None
        if kind in {"application/json", "text/html"}:
            checked(response.json())
            raise InvalidResponseError("the answer is JSON instead of sound")
        if not response.body:
            raise InvalidResponseError("the answer has no sound in it")
        return SpeakResponse(data=response.body, media_type=media_type)

    body = _with_parameters(request.text, request.extra)
    return Http(
        send=task(endpoint, request.model, "text-to-speech", body, accept="audio/*"),
        parse=read,
        unsupported=given(request, ("voice", "output_format", "speed", "instructions", "sample_rate")),
    )
