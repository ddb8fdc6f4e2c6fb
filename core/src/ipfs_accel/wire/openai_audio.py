"""OpenAI's dialect, sound: transcription, translation into English, and speech.

class Acme(OpenAIAudio, OpenAICompatible): ...
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from ipfs_accel import strict_json, types
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.hookspecs import hookimpl
from ipfs_accel.plans import Endpoint, Http, HttpResponse, HttpStream, post_json
from ipfs_accel.types import Usage

from .collector import Collector, speech
from .fields import field
from .halves import ALONE, Growing, mended
from .late import late
from .openai_errors import checked, event_object
from .openai_requests import given
from .openai_routes import Routes
from .sse import ServerSentEvent, SSEDecoder

if TYPE_CHECKING:
    from ipfs_accel.plans import Plan, StreamPlan
    from ipfs_accel.types import Segment, SpeakRequest, SpeakResponse, TranscribeRequest, TranscribeResponse, Upload

    from . import multipart
else:  # chats do not need it
    (multipart,) = late(__package__, "multipart")

__all__ = ["OpenAIAudio", "form_fields"]

Json = dict[str, Any]

_ANY = "application/octet-stream"
_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "ogg": "audio/ogg",
    "mulaw": "audio/basic",
}


def form_fields(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write values as fields of a form: lists as repeated `name[]`, objects as `name[key]`, the rest as text."""
    fields: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, list | tuple):
            fields += [(f"{name}[]", _field(item)) for item in value]
        elif isinstance(value, Mapping):
            fields += form_fields({f"{name}[{key}]": each for key, each in value.items()})
        elif value is not None:
            fields.append((name, _field(value)))
    return fields


def _field(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else strict_json.dumps(value).decode()


class OpenAIAudio(Routes):
    """Speech to text and text to speech."""

    translate_refused: ClassVar[tuple[str, ...]] = ("language", "timestamps")
    """Options of a transcription that a translation does not have."""

    @hookimpl
    def transcribe(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        """Plan POST /audio/transcriptions."""
        return self._written(endpoint, request, "/audio/transcriptions")

    @hookimpl
    def translate(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        """Plan POST /audio/translations."""
        lost = given(request, self.translate_refused)
        left: dict[str, Any] = dict.fromkeys(lost)
        plan = self._written(endpoint, attrs.evolve(request, **left), "/audio/translations")
        return attrs.evolve(plan, unsupported=(*plan.unsupported, *lost))

    @hookimpl
    def stream_transcribe(self, endpoint: Endpoint, request: TranscribeRequest) -> StreamPlan[TranscribeResponse]:
        """Plan POST /audio/transcriptions as a stream."""
        fields = {**self.transcribe_fields(endpoint, request), "stream": True}
        path = self.model_path(endpoint, "/audio/transcriptions", request.model)
        return HttpStream(
            send=multipart.post_multipart(path, form_fields(fields), self.sound_files(endpoint, request)),
            frames=SSEDecoder,
            decoder=_TranscriptDecoder,
            assembler=lambda: Collector(_transcript),
            unsupported=self.unsupported(endpoint, request),
        )

    @hookimpl
    def speak(self, endpoint: Endpoint, request: SpeakRequest) -> Plan[SpeakResponse]:
        """Plan POST /audio/speech."""
        path = self.model_path(endpoint, "/audio/speech", request.model)
        body = self.speak_body(endpoint, request)
        return Http(
            send=post_json(path, body, accept=_ANY),
            parse=_read_speech,
            unsupported=self.unsupported(endpoint, request),
        )

    @hookimpl
    def stream_speak(self, endpoint: Endpoint, request: SpeakRequest) -> StreamPlan[SpeakResponse]:
        """Plan the same as a stream: of the sound itself, or of events if `stream_format` is sse."""
        path = self.model_path(endpoint, "/audio/speech", request.model)
        body = self.speak_body(endpoint, request)
        send = post_json(path, body, accept=_ANY)
        media_type = _TYPES.get(body.get("response_format") or "mp3")
        unsupported = self.unsupported(endpoint, request)
        if body.get("stream_format") != "sse":
            return speech(send, media_type, unsupported)
        return HttpStream(
            send=send,
            frames=SSEDecoder,
            decoder=_SpeechDecoder,
            assembler=lambda: Collector(_speech_of(media_type)),
            unsupported=unsupported,
        )

    # what may differ

    def transcribe_fields(self, endpoint: Endpoint, request: TranscribeRequest) -> Json:
        """Return the fields of the form beside the file."""
        response_format = request.response_format
        if response_format is None and request.timestamps:
            response_format = "verbose_json"
        fields: Json = {
            "model": request.model or None,
            "language": request.language,
            "prompt": request.prompt,
            "response_format": response_format,
            "temperature": request.temperature,
            "timestamp_granularities": request.timestamps,
        }
        for name in self.refused(endpoint, request):
            fields.pop({"timestamps": "timestamp_granularities"}.get(name, name), None)
        return {**fields, **request.extra}

    def sound_files(self, _endpoint: Endpoint, request: TranscribeRequest) -> list[tuple[str, Upload]]:
        """Return the files of the form; some servers take a URL among the fields instead."""
        return [("file", request.audio)]

    def speak_body(self, endpoint: Endpoint, request: SpeakRequest) -> Json:
        """Return the JSON body of a request for speech."""
        named = {
            "model": request.model or None,
            "input": request.text,
            "voice": request.voice,
            "response_format": request.output_format,
            "speed": request.speed,
            "instructions": request.instructions,
            "sample_rate": request.sample_rate,
        }
        for name in self.refused(endpoint, request):
            named.pop({"output_format": "response_format"}.get(name, name), None)
        return {**{name: value for name, value in named.items() if value is not None}, **request.extra}

    def _written(self, endpoint: Endpoint, request: TranscribeRequest, route: str) -> Http[TranscribeResponse]:
        fields = form_fields(self.transcribe_fields(endpoint, request))
        return Http(
            send=multipart.post_multipart(
                self.model_path(endpoint, route, request.model), fields, self.sound_files(endpoint, request)
            ),
            parse=_read_transcript,
            unsupported=self.unsupported(endpoint, request),
        )


def _read_transcript(response: HttpResponse) -> TranscribeResponse:
    """Read any of the formats: two are JSON, the others are texts of their own kind."""
    kind = response.headers.get("content-type", "")
    if not kind.startswith("application/json"):
        text = response.text()
        if kind.startswith("text/html") or text.lstrip()[:1] == "{":
            return _from_json(checked(response.json()))
        return types.TranscribeResponse(text=text, raw=text)
    value = response.json()
    if isinstance(value, str):  # a text that is sent as a JSON string
        return types.TranscribeResponse(text=value, raw=value)
    return _from_json(checked(value))


def _from_json(body: Json) -> TranscribeResponse:
    return types.TranscribeResponse(
        text=field(body, "text", str),
        language=body.get("language"),
        duration=_duration(body),
        segments=tuple([_segment(item) for item in body.get("segments") or ()]),
        words=tuple([_segment(item) for item in body.get("words") or ()]),
        model=body.get("model"),
        usage=_usage(body.get("usage")),
        raw=body,
    )


def _duration(body: Json) -> float | None:
    """Return the seconds: a number, a text, or what is charged."""
    value = body.get("duration")
    usage = body.get("usage")
    if value is None and isinstance(usage, dict):
        value = usage.get("seconds")
    return None if value is None else float(value)


def _segment(item: Json) -> Segment:
    text = item.get("text", item.get("word"))
    return types.Segment(
        start=float(item["start"]), end=float(item["end"]), text=text or "", speaker=item.get("speaker"), raw=item
    )


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("input_token_details") or {}
    return Usage(
        input_tokens=usage.get("input_tokens"),
        output_tokens=usage.get("output_tokens"),
        audio_input_tokens=details.get("audio_tokens"),
    )


class _TranscriptDecoder:
    """Tells a collector what a transcript's events mean."""

    def __init__(self) -> None:
        self._text = Growing()

    def __call__(self, event: ServerSentEvent, out: Collector[TranscribeResponse]) -> None:
        data = event_object(event)
        match data.get("type"):
            case "transcript.text.delta":
                piece = field(data, "delta", str)
                if self._text.cut or not piece.isascii():
                    piece = self._text.whole(piece)
                if piece:
                    out.emit(types.TextDelta(piece))
            case "transcript.text.segment":
                segment = _segment(data)
                out.kept.append(segment)
                out.emit(segment)
            case "transcript.text.done":
                if self._text.cut:
                    out.emit(types.TextDelta(ALONE))
                out.kept.append(data)
                out.done()
            case _:
                pass


def _transcript(out: Collector[TranscribeResponse]) -> TranscribeResponse:
    done = out.kept[-1]
    segments = tuple(out.kept[:-1])
    text = mended(field(done, "text", str))
    return types.TranscribeResponse(text=text, segments=segments, usage=_usage(done.get("usage")))


def _read_speech(response: HttpResponse) -> SpeakResponse:
    kind = response.headers.get("content-type", "").split(";")[0].strip()
    if kind in {"application/json", "text/html"}:
        checked(response.json())
        raise InvalidResponseError("the answer is JSON instead of sound")
    if not response.body:
        raise InvalidResponseError("the answer has no sound in it")
    return types.SpeakResponse(data=response.body, media_type=kind or None)


class _SpeechDecoder:
    """Tells a collector what the events of spoken text mean."""

    def __call__(self, event: ServerSentEvent, out: Collector[SpeakResponse]) -> None:
        data = event_object(event)
        match data.get("type"):
            case "speech.audio.delta":
                try:
                    sound = base64.b64decode(field(data, "audio", str), validate=True)
                except binascii.Error as error:
                    raise InvalidResponseError(f"a piece of the sound is not base64: {error}") from None
                out.kept.append(sound)
                out.emit(types.DataDelta(sound))
            case "speech.audio.done":
                out.kept.append(_usage(data.get("usage")))
                out.done()
            case _:
                pass


def _speech_of(media_type: str | None) -> Callable[[Collector[SpeakResponse]], SpeakResponse]:
    def build(out: Collector[SpeakResponse]) -> SpeakResponse:
        return types.SpeakResponse(data=b"".join(out.kept[:-1]), media_type=media_type, usage=out.kept[-1])

    return build
