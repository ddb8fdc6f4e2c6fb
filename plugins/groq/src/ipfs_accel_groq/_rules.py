"""What Groq takes, checked before anything is sent. The numbers are those of its documentation, 2026."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import PurePath
from typing import TypeVar

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import (
    Audio,
    ChatRequest,
    Document,
    Image,
    Message,
    SpeakRequest,
    ToolResult,
    TranscribeRequest,
    Upload,
)
from ipfs_accel.wire.documents import text_of
from ipfs_accel.wire.names import check_tools
from ipfs_accel.wire.pictures import size_of

from ._models import check, holds

__all__ = ["check_chat", "check_sound", "check_speech", "check_upload", "thinks_aloud"]

P = TypeVar("P")

MEGABYTE = 1 << 20
_TOOLS, _STOPS = 128, 4
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PICTURES, _INLINE, _PIXELS = 5, 4 * MEGABYTE, 33_000_000
_UPLOAD = 100 * MEGABYTE
_SOUNDS = ("flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm")
_TRANSCRIPTS = ("json", "text", "verbose_json")
_SPEECHES = ("flac", "mp3", "mulaw", "ogg", "wav")
_SAMPLE_RATES = (8_000, 48_000)
_ORPHEUS, _LETTERS = "canopylabs/orpheus", 200
_VOICES = {
    "canopylabs/orpheus-v1-english": "autumn, diana, hannah, austin, daniel, troy",
    "canopylabs/orpheus-arabic-saudi": "abdullah, fahad, sultan, lulwa, noura, aisha",
}
_GPT_OSS = "openai/gpt-oss"
_SOME, _ALL, _SWITCH = ("low", "medium", "high"), ("none", "default", "low", "medium", "high"), ("none", "default")
_EFFORTS = {
    "openai/gpt-oss-120b": _SOME,
    "openai/gpt-oss-20b": _SOME,
    "openai/gpt-oss-safeguard-20b": _SOME,
    "qwen/qwen3.8-27b": _ALL,
    "qwen/qwen3.6-27b": _SWITCH,
}


def thinks_aloud(endpoint: Endpoint, model: str) -> bool:
    """Whether a model writes what it thinks into its answer unless it is told to keep the two apart."""
    return holds(endpoint) and model in _EFFORTS and not model.startswith(_GPT_OSS)


def check_chat(endpoint: Endpoint, request: ChatRequest) -> None:
    """Check the model and what a chat asks of it."""
    images = list(_parts(request.messages, Image))
    check(endpoint, request.model, "chat", *(["vision"] if images else ()), *(["tools"] if request.tools else ()))
    if list(_parts(request.messages, Audio)):
        raise InvalidRequestError("messages: Groq's chats take no sound", hint="transcribe it first")
    _check_results(request.messages)
    _check_most("tools", len(request.tools), _TOOLS)
    check_tools(request.tools, _NAME, "Groq takes names of 1 to 64 letters, digits, '_' and '-'")
    _check_most("stop", len(request.stop or ()), _STOPS)
    _check_reasoning(request)
    if holds(endpoint):
        _check_effort(request)
        _check_images(images)


def _parts(messages: Collection[Message], kind: type[P]) -> Iterator[P]:
    for message in messages:
        for part in message.content:
            inner = part.content if isinstance(part, ToolResult) else (part,)
            yield from [each for each in inner if isinstance(each, kind)]


def _check_results(messages: Collection[Message]) -> None:
    """Refuse documents that are no text as the results of tools; elsewhere they are sent beside the messages."""
    for index, message in enumerate(messages):
        for part in message.content:
            found = part.content if isinstance(part, ToolResult) else ()
            if any(isinstance(each, Document) and text_of(each) is None for each in found):
                raise InvalidRequestError(
                    f"messages[{index}]: Groq takes no document as the result of a tool",
                    hint="put its text into the result, or the document into a message of the user",
                )


def _check_most(field: str, count: int, most: int) -> None:
    if count > most:
        raise InvalidRequestError(f"{field}: Groq takes up to {most}, these are {count}")


def _check_reasoning(request: ChatRequest) -> None:
    shape = request.extra.get("reasoning_format")
    if shape is not None and request.extra.get("include_reasoning") is not None:
        raise InvalidRequestError("reasoning_format: Groq takes it or include_reasoning, not both")
    if shape == "raw" and (request.tools or request.response_format not in (None, "text")):
        raise InvalidRequestError(
            "reasoning_format: 'raw' does not go with tools or JSON", hint="use 'parsed' or 'hidden'"
        )


def _check_effort(request: ChatRequest) -> None:
    if request.model.startswith(_GPT_OSS) and request.extra.get("reasoning_format") is not None:
        raise InvalidRequestError(
            f"reasoning_format: {request.model} does not know it", hint="use extra={'include_reasoning': …}"
        )
    known, effort = _EFFORTS.get(request.model), request.reasoning_effort
    if effort is not None and known is not None and effort not in known:
        raise InvalidRequestError(f"reasoning_effort: {request.model} takes {', '.join(known)}, not {effort!r}")


def _check_images(images: list[Image]) -> None:
    _check_most("messages: pictures", len(images), _PICTURES)
    # The limit is that of the request, in which four letters stand for three bytes.
    letters = sum(4 * -(-len(image.data) // 3) for image in images if image.data is not None)
    if letters > _INLINE:
        raise InvalidRequestError(
            f"messages: the pictures have {letters / MEGABYTE:.1f} MiB as base64, and Groq takes up to 4",
            hint="make them smaller, or give them as URLs",
        )
    for image in images:
        size = size_of(image.data) if image.data is not None else None
        if size is not None and size[0] * size[1] > _PIXELS:
            raise InvalidRequestError(f"messages: a picture of {size[0]} by {size[1]} pixels; Groq takes 33 megapixels")


def check_sound(request: TranscribeRequest) -> None:
    """Check a sound to write down, and the form that the transcript should have."""
    upload, shape = request.audio, request.response_format
    if upload.url is None:
        if PurePath(upload.name).suffix.lower().removeprefix(".") not in _SOUNDS:
            raise InvalidRequestError(
                f"audio: {upload.name!r} has no extension that Groq takes",
                hint=f"it takes {', '.join(_SOUNDS)}; Upload.of(…, name=…)",
            )
        _check_size("audio", upload, "compress or split it, or give it as a URL: Audio(url=…)")
    if shape is not None and shape not in _TRANSCRIPTS:
        raise InvalidRequestError(f"response_format: Groq gives {', '.join(_TRANSCRIPTS)}, not {shape!r}")
    if request.timestamps and shape not in (None, "verbose_json"):
        raise InvalidRequestError(f"timestamps: they need response_format='verbose_json', not {shape!r}")


def check_speech(request: SpeakRequest) -> None:
    """Check a text to read aloud."""
    voice, shape, rate = request.voice, request.output_format, request.sample_rate
    if voice is None and "voice" not in request.extra:
        known = _VOICES.get(request.model)
        raise InvalidRequestError(f"voice: Groq wants one{'' if known is None else f', for this model one of {known}'}")
    if shape is not None and shape not in _SPEECHES:
        raise InvalidRequestError(f"output_format: Groq gives {', '.join(_SPEECHES)}, not {shape!r}")
    if rate is not None and not _SAMPLE_RATES[0] <= rate <= _SAMPLE_RATES[1]:
        raise InvalidRequestError(f"sample_rate: Groq gives {_SAMPLE_RATES[0]} to {_SAMPLE_RATES[1]} hertz, not {rate}")
    if request.model.startswith(_ORPHEUS) and len(request.text) > _LETTERS:
        raise InvalidRequestError(
            f"text: {request.model} reads up to {_LETTERS} letters at once, these are {len(request.text)}",
            hint="split it at the ends of sentences",
        )


def check_upload(upload: Upload) -> None:
    """Check a file for Groq to keep: it takes only the lines of a batch."""
    if PurePath(upload.name).suffix.lower() != ".jsonl":
        raise InvalidRequestError(
            f"file: {upload.name!r} is no .jsonl file, and Groq takes no others", hint="upload_file(…, name='a.jsonl')"
        )
    _check_size("file", upload, "split it")


def _check_size(field: str, upload: Upload, hint: str) -> None:
    size = upload.size or 0
    if size > _UPLOAD:
        raise InvalidRequestError(f"{field}: it has {size / MEGABYTE:.0f} MiB, and Groq takes up to 100", hint=hint)
