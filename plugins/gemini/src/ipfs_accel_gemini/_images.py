"""Pictures: by the models that chat in pictures (generateContent), and by Imagen (predict)."""

from __future__ import annotations

import re
from typing import Any

from ipfs_accel.errors import ContentFilterError, InvalidRequestError, UnsupportedOperationError
from ipfs_accel.plans import Endpoint, Http, HttpResponse, HttpStream, Plan, StreamPlan
from ipfs_accel.types import EditImageRequest, GeneratedImage, GenerateImageRequest, ImageResponse, PartialImage
from ipfs_accel.wire.collector import Collector
from ipfs_accel.wire.fields import field, optional
from ipfs_accel.wire.openai_requests import given

from ._fields import Json
from ._frames import ObjectDecoder
from ._parts import decoded, media
from ._pieces import keep, missing, parts_in, raw_of, usage_in, whole
from ._requests import merged
from ._routes import checked, model_path, post
from ._rules import rules_of

__all__ = ["edit", "generate", "stream"]

_RATIO = re.compile(r"\d{1,2}:\d{1,2}")
_WORD = re.compile(r"512|0\.5K|[124]K")
_SQUARES = {"1024x1024": "1K", "2048x2048": "2K", "4096x4096": "4K"}
_NEVER = ("n", "quality", "background", "style", "negative_prompt", "user", "mask")
_ONLY_VERTEX = ("output_format", "output_compression")
_MAX_ANSWER_BYTES = 256 * 1024**2


def generate(endpoint: Endpoint, request: GenerateImageRequest) -> Plan[ImageResponse]:
    """Plan pictures from words."""
    if _is_imagen(request.model):
        send = post(endpoint, model_path(endpoint, request.model, "predict"), _instances(request))
        return Http(
            send=send,
            parse=_read_predictions,
            unsupported=given(request, ("quality", "background", "style", "user")),
            max_bytes=_MAX_ANSWER_BYTES,
        )
    return _whole(endpoint, request)


def edit(endpoint: Endpoint, request: EditImageRequest) -> Plan[ImageResponse]:
    """Plan pictures from pictures and words."""
    if _is_imagen(request.model):
        raise UnsupportedOperationError(
            "Imagen changes pictures only with references of its own", hint="use a model such as gemini-3.1-flash-image"
        )
    return _whole(endpoint, request)


def stream(endpoint: Endpoint, request: GenerateImageRequest | EditImageRequest) -> StreamPlan[ImageResponse]:
    """Plan the same as a stream; pictures that the model tries out while it thinks are the unfinished ones."""
    if _is_imagen(request.model):
        raise UnsupportedOperationError("Imagen does not stream", hint="use generate_image")
    return HttpStream(
        send=post(
            endpoint,
            model_path(endpoint, request.model, "streamGenerateContent") + "?alt=sse",
            _body(endpoint, request),
            accept="text/event-stream",
        ),
        frames=ObjectDecoder,
        decoder=lambda: _take,
        assembler=lambda: Collector(lambda out: _response(out.kept)),
        unsupported=_unsupported(endpoint, request),
        any_type=True,
    )


def _whole(endpoint: Endpoint, request: GenerateImageRequest | EditImageRequest) -> Plan[ImageResponse]:
    return Http(
        send=post(endpoint, model_path(endpoint, request.model, "generateContent"), _body(endpoint, request)),
        parse=lambda response: _response(whole(response)),
        unsupported=_unsupported(endpoint, request),
        max_bytes=_MAX_ANSWER_BYTES,
    )


def _is_imagen(model: str) -> bool:
    return model.rpartition("/")[2].startswith("imagen")


def _unsupported(endpoint: Endpoint, request: GenerateImageRequest | EditImageRequest) -> tuple[str, ...]:
    found = given(request, _NEVER if endpoint.options.vertex else (*_NEVER, *_ONLY_VERTEX))
    return tuple([name for name in found if name != "n" or request.n != 1])


def _body(endpoint: Endpoint, request: GenerateImageRequest | EditImageRequest) -> Json:
    rules = rules_of(request.model)
    pictures = [media(image, rules) for image in request.images] if isinstance(request, EditImageRequest) else []
    config: Json = {"responseModalities": ["TEXT", "IMAGE"]}
    shape = _shape(request.size)
    if endpoint.options.vertex:
        if request.output_format is not None:
            shape["outputMimeType"] = f"image/{request.output_format}"
        if request.output_compression is not None:
            shape["outputCompressionQuality"] = request.output_compression
    if shape:
        config["imageConfig"] = shape
    if request.seed is not None:
        config["seed"] = request.seed
    if request.partial_images:
        config["thinkingConfig"] = {"includeThoughts": True}
    contents = [{"role": "user", "parts": [*pictures, {"text": request.prompt}]}]
    return merged({"contents": contents, "generationConfig": config}, request.extra)


def _shape(size: str | None) -> Json:
    """Read a size: a ratio, a resolution, both, or the pixels of a square."""
    made: Json = {}
    for word in (size or "").split():
        if _RATIO.fullmatch(word):
            made["aspectRatio"] = word
        elif _WORD.fullmatch(word.upper()):
            made["imageSize"] = word.upper()
        elif word in _SQUARES:
            made |= {"aspectRatio": "1:1", "imageSize": _SQUARES[word]}
        else:
            raise InvalidRequestError(
                f"size: Gemini does not take {word!r}",
                hint="give a ratio such as 16:9, a resolution (1K, 2K, 4K), or both: '16:9 2K'",
            )
    return made


def _take(body: Any, out: Collector[ImageResponse]) -> None:
    keep(body, out)
    for part in parts_in([body]):
        if part.get("thought") and "inlineData" in part:
            data = part["inlineData"]
            out.emit(PartialImage(index=out.size, data=decoded(data), media_type=optional(data, "mimeType", str)))
            out.size += 1


def _response(bodies: list[Json]) -> ImageResponse:
    parts = [part for part in parts_in(bodies) if not part.get("thought")]
    images = tuple([_picture(part["inlineData"]) for part in parts if "inlineData" in part])
    text = "".join([part["text"] for part in parts if isinstance(part.get("text"), str)])
    if not images:
        raise missing(bodies, "picture", text)
    model = next((each["modelVersion"] for each in bodies if each.get("modelVersion")), None)
    return ImageResponse(images=images, text=text, model=model, usage=usage_in(bodies), raw=raw_of(bodies))


def _picture(data: Json) -> GeneratedImage:
    return GeneratedImage(data=decoded(data), media_type=optional(data, "mimeType", str))


def _instances(request: GenerateImageRequest) -> Json:
    shape = _shape(request.size)
    if "imageSize" in shape:
        shape["sampleImageSize"] = shape.pop("imageSize")
    output: Json = {}
    if request.output_format is not None:
        output["mimeType"] = f"image/{request.output_format}"
    if request.output_compression is not None:
        output["compressionQuality"] = request.output_compression
    named = {"sampleCount": request.n, "negativePrompt": request.negative_prompt, "seed": request.seed}
    parameters = {**{name: value for name, value in named.items() if value is not None}, **shape}
    if output:
        parameters["outputOptions"] = output
    made: Json = {"instances": [{"prompt": request.prompt}]}
    return merged(made | ({"parameters": parameters} if parameters else {}), request.extra)


def _read_predictions(response: HttpResponse) -> ImageResponse:
    body = checked(response)
    found = optional(body, "predictions", list) or []
    made = [each for each in found if each.get("bytesBase64Encoded")]
    if not made:
        why = next((each["raiFilteredReason"] for each in found if each.get("raiFilteredReason")), None)
        raise ContentFilterError(f"the model made no picture{f': {why}' if why else ''}", body=body)
    images = tuple(
        [
            GeneratedImage(
                data=decoded({"data": field(each, "bytesBase64Encoded", str)}),
                media_type=optional(each, "mimeType", str),
                revised_prompt=optional(each, "prompt", str),
            )
            for each in made
        ]
    )
    return ImageResponse(images=images, raw=body)
