"""Pictures in OpenAI's API: POST /images/generations, /images/edits and /images/variations, whole and as they come."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Collection, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import GeneratedImage, Image, ImageResponse, PartialImage

from ipfs_accel_gateway._errors import Refusal
from ipfs_accel_gateway._forms import File

from ._openai import counts, event, leftover
from ._openai_whole import Whole, given, refuse, text

__all__ = ["EDITS", "IMAGES", "VARIATIONS"]

_SAME = ("n", "size", "quality", "background", "style", "output_format", "output_compression", "user")
_READ = {*_SAME, "model", "response_format", "stream", "partial_images"}
_COUNTS = ("n", "output_compression", "partial_images")
_URLS = ("https://", "http://", "data:")
_NO = (None, False, "false", "")


class _Pictures(Whole):
    stream_type = "text/event-stream; charset=utf-8"
    reads: Collection[str] = ()
    streams = ""

    def operation(self, members: Mapping[str, Any]) -> str:
        """Return the one for streams where one is asked for."""
        return self.streams if self.streams and members.get("stream") not in _NO else self.asks

    def options(self, members: Mapping[str, Any], *, lenient: bool) -> dict[str, Any]:
        """Return the options of a picture."""
        leftover(members, {*_READ, *self.reads}, {"metadata"}, lenient=lenient)
        if members.get("response_format") not in (None, "b64_json", "url"):
            raise refuse("response_format", "expected b64_json or url")
        found = given(members, *_SAME)
        if self.operation(members) == self.streams:
            found |= given(members, "partial_images")
        for name in _COUNTS:
            if isinstance(found.get(name), str):  # as forms have numbers
                found[name] = _number(name, found[name])
        return found

    def write(self, answer: ImageResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return the pictures."""
        wants_url = members.get("response_format") == "url"
        found = {"created": int(time.time()), "data": [_picture(each, wants_url=wants_url) for each in answer.images]}
        return strict_json.dumps(found | _used(answer))

    def writer(self, members: Mapping[str, Any], model: str) -> _Writer:  # noqa: ARG002
        """Return what writes a stream."""
        return _Writer("image_generation" if self.asks == "generate_image" else "image_edit", members)


class _Generations(_Pictures):
    name = "openai.images.generations"
    asks = "generate_image"
    streams = "stream_image"
    reads = ("prompt",)

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the words and the options of a picture."""
        return text(members, "prompt"), self.options(members, lenient=lenient)


class _Edits(_Pictures):
    name = "openai.images.edits"
    asks = "edit_image"
    streams = "stream_image_edit"
    takes_forms = True
    reads = ("prompt", "image", "images", "mask")

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the pictures, the words and the mask of an edit, and its options."""
        name = "image" if members.get("image") is not None else "images"
        pictures = members.get(name) or ()
        several = list(pictures) if isinstance(pictures, list) else [pictures]
        if not pictures:
            raise refuse(name, "expected pictures: files of a form, or objects with image_url or file_id")
        mask = members.get("mask")
        value = (
            [_given(each, f"{name}[{at}]") for at, each in enumerate(several)],
            text(members, "prompt"),
            None if mask is None else _given(mask, "mask"),
        )
        return value, self.options(members, lenient=lenient)


class _Variations(_Pictures):
    name = "openai.images.variations"
    asks = "vary_image"
    takes_forms = True
    reads = ("image",)

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the picture and the options of what is made of it."""
        return _given(members.get("image"), "image"), self.options(members, lenient=lenient)


class _Writer:
    """Writes a stream: unfinished pictures as they come, and those that are done."""

    def __init__(self, prefix: str, members: Mapping[str, Any]) -> None:
        self._prefix = prefix
        self._said = {name: members.get(name) or "auto" for name in ("size", "quality", "background")}

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def event(self, event: Any) -> bytes:
        """Return an unfinished picture."""
        if not isinstance(event, PartialImage):
            return b""
        return self._written("partial_image", event.data, event.media_type, {"partial_image_index": event.index})

    def end(self, answer: ImageResponse) -> bytes:
        """Return the pictures that are done."""
        if any(each.data is None for each in answer.images):
            raise Refusal(
                502, "server", "the model gave the place of a picture, which a stream of pictures cannot tell"
            )
        told = _used(answer)
        return b"".join([self._written("completed", each.data or b"", each.media_type, told) for each in answer.images])

    def _written(self, what: str, data: bytes, media_type: str | None, more: Mapping[str, Any]) -> bytes:
        kind = (media_type or "image/png").partition("/")[2]
        return event(
            f"{self._prefix}.{what}",
            b64_json=b64encode(data).decode(),
            created_at=int(time.time()),
            **self._said,
            output_format=kind,
            **more,
        )


IMAGES = _Generations()
EDITS = _Edits()
VARIATIONS = _Variations()


def _given(value: Any, where: str) -> Image:
    """Return a picture of a request; a text alone is none, as nobody chooses a file of this machine."""
    if isinstance(value, File):
        return Image(data=value.data, media_type=value.media_type)
    if isinstance(value, dict):
        url, file_id = value.get("image_url"), value.get("file_id")
        if isinstance(file_id, str):
            return Image(file_id=file_id)
        if isinstance(url, str) and url.startswith(_URLS):
            return Image(url=url)
    raise refuse(where, "expected a file of a form, or an object with image_url or file_id")


def _number(name: str, said: str) -> int:
    try:
        return int(said)
    except ValueError:
        raise refuse(name, "expected a whole number") from None


def _picture(picture: GeneratedImage, *, wants_url: bool) -> dict[str, Any]:
    found = given({"revised_prompt": picture.revised_prompt}, "revised_prompt")
    if picture.data is None:
        return {"url": picture.url, **found}
    written = b64encode(picture.data).decode()
    if wants_url:  # nothing is kept here that another could lead to
        return {"url": f"data:{picture.media_type or 'image/png'};base64,{written}", **found}
    return {"b64_json": written, **found}


def _used(answer: ImageResponse) -> dict[str, Any]:
    told = counts(answer.usage)
    if told is None:
        return {}
    return {"usage": {**told, "input_tokens_details": {"text_tokens": told["input_tokens"], "image_tokens": 0}}}
