"""Sound in OpenAI's API: speech and transcriptions, below /audio."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import (
    DataDelta,
    Segment,
    SpeakResponse,
    TranscribeResponse,
    Upload,
)

from ipfs_accel_gateway._forms import File

from ._openai import counts, event, leftover
from ._openai_whole import Whole, given, refuse, text

__all__ = ["SPEECH", "TRANSCRIPTIONS", "TRANSLATIONS"]

_TYPES = {
    "mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm",
}  # fmt: skip
_TEXTS = {"text": "text/plain; charset=utf-8", "srt": "application/x-subrip", "vtt": "text/vtt; charset=utf-8"}
_WRITTEN = ("json", "verbose_json", *_TEXTS)


class _Speech(Whole):
    name = "openai.audio.speech"
    asks = "speak"
    stream_type = "text/event-stream; charset=utf-8"

    def operation(self, members: Mapping[str, Any]) -> str:
        """Return `stream_speak` for events; sound by itself is one answer, whose bytes may come as they are made."""
        return "stream_speak" if members.get("stream_format") == "sse" else self.asks

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the text and how it is to be read."""
        known = {"input", "model", "voice", "response_format", "speed", "instructions", "stream_format"}
        leftover(members, known, {"metadata"}, lenient=lenient)
        if members.get("stream_format") not in (None, "audio", "sse"):
            raise refuse("stream_format", "expected audio or sse")
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

    def writer(self, members: Mapping[str, Any], model: str) -> _Writer:  # noqa: ARG002
        """Return what writes a stream."""
        return _Writer()


class _Writer:
    """Writes sound as events."""

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def event(self, event: Any) -> bytes:
        """Return a piece of the sound."""
        return _told("delta", audio=b64encode(event.data).decode()) if isinstance(event, DataDelta) else b""

    def end(self, answer: SpeakResponse) -> bytes:
        """Return the end, with the counts that are known."""
        told = counts(answer.usage)
        return _told("done", **({} if told is None else {"usage": told}))


def _told(what: str, **members: Any) -> bytes:
    return event(f"speech.audio.{what}", **members)


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
        used = counts(answer.usage)
        return strict_json.dumps(found if used is None else {**found, "usage": {"type": "tokens", **used}})


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
