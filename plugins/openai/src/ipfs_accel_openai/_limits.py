"""What OpenAI takes of files, checked before anything is sent. The numbers are those of its API reference, 2026."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import JsonSchema, Text, ToolResult
from ipfs_accel.wire.names import check_called, check_model, check_tools

if TYPE_CHECKING:
    from ipfs_accel.types import ChatRequest, EditImageRequest, Image, Message, Upload, UploadRequest

__all__ = ["FILE", "TEXTS", "check_chat", "check_edit", "check_results", "check_sound", "check_texts", "check_upload"]

MEGABYTE = 1 << 20
_SOUND = 25 * MEGABYTE
_SOUNDS = {".flac", ".mp3", ".mp4", ".mpeg", ".mpga", ".m4a", ".ogg", ".wav", ".webm"}
_PICTURE, _MASK, _PICTURES = 50 * MEGABYTE, 4 * MEGABYTE, 16
_PICTURE_TYPES = {"image/png", "image/webp", "image/jpeg"}
FILE = 512 * MEGABYTE
"""Largest file that goes up in one piece."""
_IN_PARTS = 8192 * MEGABYTE
TEXTS = 2048
"""Inputs of one request for vectors."""
_NAME, _CALLED_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}"), re.compile(r"[A-Za-z0-9_-]+")
_NAMES = "OpenAI takes names of 1 to 64 letters, digits, '_' and '-'"


def check_sound(upload: Upload) -> None:
    """Check a file to transcribe; the service tells its format by its extension."""
    if PurePath(upload.name).suffix.lower() not in _SOUNDS:
        known = ", ".join(sorted(each.removeprefix(".") for each in _SOUNDS))
        raise InvalidRequestError(
            f"audio: {upload.name!r} has no extension that OpenAI takes", hint=f"it takes {known}; Upload.of(…, name=…)"
        )
    _check_size("audio", upload.size or 0, _SOUND, "send it in parts, or compressed")


def check_edit(request: EditImageRequest) -> None:
    """Check the pictures of an edit."""
    if len(request.images) > _PICTURES:
        raise InvalidRequestError(f"images: OpenAI takes up to {_PICTURES}, these are {len(request.images)}")
    for index, image in enumerate(request.images):
        _check_picture(image, f"images[{index}]", _PICTURE)
    if request.mask is not None:
        _check_picture(request.mask, "mask", _MASK)


def _check_picture(image: Image, field: str, most: int) -> None:
    if image.data is None:
        return
    if image.media_type not in _PICTURE_TYPES:
        raise InvalidRequestError(f"{field}: OpenAI takes png, webp and jpeg here, not {image.media_type}")
    _check_size(field, len(image.data), most, "make it smaller")


def check_upload(request: UploadRequest) -> None:
    """Check a file for OpenAI to keep."""
    _check_size("file", request.file.size or 0, _IN_PARTS, "split it")


def check_chat(request: ChatRequest) -> None:
    """Check the names in a chat: of the model, of functions and of their calls, of the form of the answer."""
    check_model(request, "OpenAI")
    check_tools(request.tools, _NAME, _NAMES)
    check_called(request.messages, _CALLED_NAME, _NAMES)
    wanted = request.response_format
    if isinstance(wanted, JsonSchema) and not _NAME.fullmatch(wanted.name):
        raise InvalidRequestError(f"response_format.name: {_NAMES}, not {wanted.name[:80]!r}")


def check_results(messages: Sequence[Message]) -> None:
    """Check that the results of tools are texts, which is all that chat completions take there."""
    for index, message in enumerate(messages):
        for part in message.content:
            for each in part.content if isinstance(part, ToolResult) else ():
                if not isinstance(each, Text):
                    raise InvalidRequestError(
                        f"messages[{index}]: chat completions take no {each.kind} as the result of a tool",
                        hint="the Responses API does, if the option api is auto; or put it into a message of the user",
                    )


def check_texts(inputs: Sequence[str | tuple[int, ...]]) -> None:
    """Check what is to become vectors."""
    if len(inputs) > TEXTS:
        raise InvalidRequestError(f"inputs: OpenAI takes up to {TEXTS} at once, these are {len(inputs)}")
    for index, item in enumerate(inputs):
        if not item:
            raise InvalidRequestError(f"inputs[{index}]: it is empty, and OpenAI makes no vector of nothing")


def _check_size(field: str, size: int, most: int, hint: str) -> None:
    if size > most:
        raise InvalidRequestError(
            f"{field}: it has {size / MEGABYTE:.0f} MiB, and OpenAI takes up to {most // MEGABYTE}", hint=hint
        )
