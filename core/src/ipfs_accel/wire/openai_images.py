"""OpenAI's dialect, pictures: made from words, from other pictures, and variations.

class Acme(OpenAIImages, OpenAICompatible): ...
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipfs_accel import types
from ipfs_accel.errors import InvalidRequestError, InvalidResponseError
from ipfs_accel.hookspecs import hookimpl
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, HttpStream, post_json
from ipfs_accel.types import Image, Usage

from .collector import Collector
from .fields import field
from .late import late
from .openai_audio import form_fields
from .openai_errors import checked, event_object
from .openai_requests import given
from .openai_routes import Routes
from .sse import ServerSentEvent, SSEDecoder

if TYPE_CHECKING:
    from ipfs_accel.plans import Plan, StreamPlan
    from ipfs_accel.types import EditImageRequest, GeneratedImage, GenerateImageRequest, ImageResponse, VaryImageRequest

    from . import multipart
else:  # chats do not need it
    (multipart,) = late(__package__, "multipart")

__all__ = ["OpenAIImages"]

Json = dict[str, Any]

_OPTIONS = (
    "n",
    "size",
    "quality",
    "background",
    "style",
    "output_format",
    "output_compression",
    "seed",
    "negative_prompt",
    "partial_images",
    "user",
)
_UNKNOWN = ("seed", "negative_prompt")


class OpenAIImages(Routes):
    """Pictures."""

    image_refused: tuple[str, ...] = _UNKNOWN
    """Options for pictures that the server does not know."""

    @hookimpl
    def generate_image(self, endpoint: Endpoint, request: GenerateImageRequest) -> Plan[ImageResponse]:
        """Plan POST /images/generations."""
        body = self.image_body(endpoint, request)
        body.pop("partial_images", None)
        return Http(
            send=post_json(self.model_path(endpoint, "/images/generations", request.model), body),
            parse=_read_images,
            unsupported=given(request, (*self.image_refuses(endpoint), "partial_images")),
        )

    @hookimpl
    def stream_image(self, endpoint: Endpoint, request: GenerateImageRequest) -> StreamPlan[ImageResponse]:
        """Plan the same as a stream with unfinished versions."""
        body = {**self.image_body(endpoint, request), "stream": True}
        return _streamed(
            post_json(self.model_path(endpoint, "/images/generations", request.model), body),
            given(request, self.image_refuses(endpoint)),
        )

    @hookimpl
    def edit_image(self, endpoint: Endpoint, request: EditImageRequest) -> Plan[ImageResponse]:
        """Plan POST /images/edits: a form for pictures that are sent, JSON for pictures that the provider gets."""
        return Http(
            send=self._edit(endpoint, request, {}),
            parse=_read_images,
            unsupported=given(request, (*self.image_refuses(endpoint), "partial_images")),
        )

    @hookimpl
    def stream_image_edit(self, endpoint: Endpoint, request: EditImageRequest) -> StreamPlan[ImageResponse]:
        """Plan the same as a stream with unfinished versions."""
        more: Json = {"stream": True}
        if request.partial_images is not None:
            more["partial_images"] = request.partial_images
        return _streamed(self._edit(endpoint, request, more), given(request, self.image_refuses(endpoint)))

    @hookimpl
    def vary_image(self, endpoint: Endpoint, request: VaryImageRequest) -> Plan[ImageResponse]:
        """Plan POST /images/variations."""
        if request.image.data is None:
            raise InvalidRequestError("image: this route takes the bytes of a picture, not where it is")
        fields = form_fields(self.image_body(endpoint, request))
        path = self.model_path(endpoint, "/images/variations", request.model)
        return Http(
            send=multipart.post_multipart(path, fields, [("image", types.Upload.of(request.image))]),
            parse=_read_images,
            unsupported=given(request, self.image_refuses(endpoint)),
        )

    # what may differ

    def image_refuses(self, _endpoint: Endpoint) -> tuple[str, ...]:
        """Return the options for pictures that the server does not know."""
        return self.image_refused

    def image_body(
        self, endpoint: Endpoint, request: GenerateImageRequest | EditImageRequest | VaryImageRequest
    ) -> Json:
        """Return what a request for pictures says beside the pictures."""
        body: Json = {"model": request.model} if request.model else {}
        prompt = getattr(request, "prompt", None)
        if prompt is not None:
            body["prompt"] = prompt
        refused = self.image_refuses(endpoint)
        for name in _OPTIONS:
            value = getattr(request, name, None)
            if value is not None and name not in refused:
                body[name] = value
        return {**body, **request.extra}

    def _edit(self, endpoint: Endpoint, request: EditImageRequest, more: Json) -> HttpRequest:
        body = self.image_body(endpoint, request)
        body.pop("partial_images", None)
        body.update(more)
        path = self.model_path(endpoint, "/images/edits", request.model)
        if all(image.data is not None for image in (*request.images, *((request.mask,) if request.mask else ()))):
            several = "image[]" if len(request.images) > 1 else "image"
            files = [(several, types.Upload.of(image)) for image in request.images]
            if request.mask is not None:
                files.append(("mask", types.Upload.of(request.mask)))
            # The provider may have further files among its own fields.
            files += [(name, types.Upload.of(body.pop(name))) for name in [*body] if _is_file(body[name])]
            return multipart.post_multipart(path, form_fields(body), files)
        body["images"] = [_reference(image) for image in request.images]
        if request.mask is not None:
            body["mask"] = _reference(request.mask)
        return post_json(path, body)


def _reference(image: Image) -> Json:
    return {"file_id": image.file_id} if image.file_id is not None else {"image_url": image.to_url()}


def _is_file(value: Any) -> bool:
    return isinstance(value, Image | types.Upload | bytes | Path)


def _read_images(response: HttpResponse) -> ImageResponse:
    body = checked(response.json())
    kind = _media_type(body)
    images = tuple([_image(item, kind) for item in field(body, "data", list)])
    return types.ImageResponse(images=images, model=body.get("model"), usage=_usage(body.get("usage")), raw=body)


def _media_type(body: Json) -> str | None:
    name = body.get("output_format")
    return None if not isinstance(name, str) else "image/svg+xml" if name == "svg" else f"image/{name}"


def _image(item: Json, media_type: str | None) -> GeneratedImage:
    data = item.get("b64_json")
    url = item.get("url")
    if not isinstance(data, str) and not isinstance(url, str):
        raise InvalidResponseError("a picture of the answer has neither b64_json nor url")
    content = _decoded(data) if isinstance(data, str) else None
    if content is not None and media_type is None:
        from ipfs_accel.types._messages import sniff_media_type  # noqa: PLC0415 - only servers that do not tell need it

        media_type = sniff_media_type(content)
    return types.GeneratedImage(data=content, url=url, media_type=media_type, revised_prompt=item.get("revised_prompt"))


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise InvalidResponseError(f"a picture of the answer is not base64: {error}") from None


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    inputs = usage.get("input_tokens_details") or {}
    outputs = usage.get("output_tokens_details") or {}
    made = usage.get("output_tokens")
    return Usage(
        input_tokens=usage.get("input_tokens"),
        output_tokens=made,
        image_input_tokens=inputs.get("image_tokens"),
        image_output_tokens=outputs.get("image_tokens", made),
    )


def _streamed(send: HttpRequest, unsupported: tuple[str, ...]) -> HttpStream[ImageResponse]:
    return HttpStream(
        send=send,
        frames=SSEDecoder,
        decoder=lambda: _decode,
        assembler=lambda: Collector(_pictures),
        unsupported=unsupported,
    )


def _decode(event: ServerSentEvent, out: Collector[ImageResponse]) -> None:
    data = event_object(event)
    kind = str(data.get("type"))
    if kind.endswith(".partial_image"):
        index = data.get("partial_image_index") or 0
        picture = _decoded(field(data, "b64_json", str))
        out.emit(types.PartialImage(index=index, data=picture, media_type=_media_type(data)))
    elif kind.endswith(".completed"):
        out.kept.append(data)
        out.done()


def _pictures(out: Collector[ImageResponse]) -> ImageResponse:
    done = out.kept[-1]
    return types.ImageResponse(images=(_image(done, _media_type(done)),), usage=_usage(done.get("usage")))
