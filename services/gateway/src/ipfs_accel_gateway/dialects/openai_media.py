"""Pictures and sound in OpenAI's API: POST /images/generations, and speech and transcriptions below /audio."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import (
    GeneratedImage,
    ImageResponse,
    Segment,
    SpeakResponse,
    TranscribeResponse,
    Upload,
    Usage,
)

from ipfs_accel_gateway._forms import File

from ._openai import leftover
from ._openai_whole import Whole, given, refuse, text

__all__ = ["IMAGES", "SPEECH", "TRANSCRIPTIONS", "TRANSLATIONS"]

_TYPES = {
    "mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm",
}  # fmt: skip
_TEXTS = {"text": "text/plain; charset=utf-8", "srt": "application/x-subrip", "vtt": "text/vtt; charset=utf-8"}
_WRITTEN = ("json", "verbose_json", *_TEXTS)


class _Images(Whole):
    name = "openai.images.generations"
    asks = "generate_image"

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the words and the options of a picture."""
        same = ("n", "size", "quality", "background", "style", "output_format", "output_compression", "user")
        leftover(members, {*same, "prompt", "model", "response_format", "stream"}, {"metadata"}, lenient=lenient)
        if members.get("stream") and not lenient:
            raise refuse("stream", "pictures come whole here")
        if members.get("response_format") not in (None, "b64_json", "url"):
            raise refuse("response_format", "expected b64_json or url")
        return text(members, "prompt"), given(members, *same)

    def write(self, answer: ImageResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return the pictures."""
        wants_url = members.get("response_format") == "url"
        found = {"created": int(time.time()), "data": [_picture(each, wants_url=wants_url) for each in answer.images]}
        used = _used(answer.usage)
        if used is not None:
            told = {"text_tokens": used["input_tokens"], "image_tokens": 0}
            found["usage"] = {**used, "input_tokens_details": told}
        return strict_json.dumps(found)


def _picture(picture: GeneratedImage, *, wants_url: bool) -> dict[str, Any]:
    found = given({"revised_prompt": picture.revised_prompt}, "revised_prompt")
    if picture.data is None:
        return {"url": picture.url, **found}
    written = b64encode(picture.data).decode()
    if wants_url:  # nothing is kept here that another could lead to
        return {"url": f"data:{picture.media_type or 'image/png'};base64,{written}", **found}
    return {"b64_json": written, **found}


class _Speech(Whole):
    name = "openai.audio.speech"
    asks = "speak"

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the text and how it is to be read."""
        known = {"input", "model", "voice", "response_format", "speed", "instructions", "stream_format"}
        leftover(members, known, {"metadata"}, lenient=lenient)
        if members.get("stream_format") not in (None, "audio"):
            raise refuse("stream_format", "sound comes as it is here: audio")
        found = given(members, "voice", "speed", "instructions")
        if members.get("response_format") is not None:
            found["output_format"] = members["response_format"]
        return text(members, "input"), found

    def type_of(self, answer: SpeakResponse, members: Mapping[str, Any]) -> str:
        """Return the media type of the sound."""
        return answer.media_type or _TYPES.get(str(members.get("response_format") or "mp3"), "application/octet-stream")

    def write(self, answer: SpeakResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return the sound."""
        return answer.data


class _Transcriptions(Whole):
    takes_forms = True

    def __init__(self, name: str, asks: str) -> None:
        self.name = f"openai.audio.{name}"
        self.asks = asks

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the sound and how it is to be written down."""
        file = members.get("file")
        if not isinstance(file, File):
            raise refuse("file", "expected the sound, as a file of a form")
        same = ("language", "prompt", "response_format")
        known = {*same, "file", "model", "temperature", "timestamp_granularities", "stream"}
        leftover(members, known, {"metadata"}, lenient=lenient)
        if members.get("stream") not in (None, "false", False) and not lenient:
            raise refuse("stream", "what was said comes whole here")
        if members.get("response_format") not in (None, *_WRITTEN):
            raise refuse("response_format", f"expected one of {', '.join(_WRITTEN)}")
        found = given(members, *same)
        if members.get("temperature") is not None:
            found["temperature"] = _number(members["temperature"])
        times = members.get("timestamp_granularities")
        if times:
            found["timestamps"] = times
        sound = Upload(name=file.name, media_type=file.media_type, size=len(file.data), data=file.data)
        return sound, found

    def type_of(self, answer: TranscribeResponse, members: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return the media type of what was asked for."""
        return _TEXTS.get(str(members.get("response_format")), "application/json")

    def write(self, answer: TranscribeResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return what was said, in the form that was asked for."""
        form = members.get("response_format")
        if form in _TEXTS:
            return answer.text.encode()
        found: dict[str, Any] = {"text": answer.text}
        if form == "verbose_json":
            found |= given({"language": answer.language, "duration": answer.duration}, "language", "duration")
            if answer.segments:
                found["segments"] = [_segment(index, each) for index, each in enumerate(answer.segments)]
            if answer.words:
                found["words"] = [{"word": each.text, "start": each.start, "end": each.end} for each in answer.words]
        used = _used(answer.usage)
        return strict_json.dumps(found if used is None else {**found, "usage": {"type": "tokens", **used}})


IMAGES = _Images()
SPEECH = _Speech()
TRANSCRIPTIONS = _Transcriptions("transcriptions", "transcribe")
TRANSLATIONS = _Transcriptions("translations", "translate")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise refuse("temperature", "expected a number") from None


def _segment(index: int, segment: Segment) -> dict[str, Any]:
    found = {"id": index, "start": segment.start, "end": segment.end, "text": segment.text}
    return found if segment.speaker is None else {**found, "speaker": segment.speaker}


def _used(used: Usage) -> dict[str, int] | None:
    """Return token counts, or None where the provider tells none."""
    told, made = used.input_tokens, used.output_tokens
    if told is None and made is None:
        return None
    return {"input_tokens": told or 0, "output_tokens": made or 0, "total_tokens": (told or 0) + (made or 0)}
