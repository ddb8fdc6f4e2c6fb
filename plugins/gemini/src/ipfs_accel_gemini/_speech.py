"""Speech by models that chat in sound: raw samples, which are also given with the header of a WAV file."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any

from ipfs_accel.errors import ContentFilterError, InvalidRequestError, InvalidResponseError
from ipfs_accel.plans import Endpoint, Http, HttpStream, Plan, StreamPlan
from ipfs_accel.types import DataDelta, SpeakRequest, SpeakResponse, Usage
from ipfs_accel.wire.collector import Collector

from ._answers import FILTERED, blocked, usage_of
from ._fields import Json
from ._frames import ObjectDecoder
from ._parts import decoded
from ._requests import merged
from ._routes import checked, model_path, post

__all__ = ["speak", "stream"]

_NEVER = ("speed", "sample_rate")
_RATE = re.compile(r"rate=(\d+)")
_USUAL_RATE = 24_000
_PCM = re.compile(r"audio/(?:l16|pcm)\b", re.IGNORECASE)


def speak(endpoint: Endpoint, request: SpeakRequest) -> Plan[SpeakResponse]:
    """Plan the whole sound; a WAV file unless raw samples are asked for."""
    wanted = request.output_format or "wav"
    if wanted not in {"wav", "pcm"}:
        raise InvalidRequestError(f"output_format: Gemini makes wav and pcm, not {wanted}")
    return Http(
        send=post(endpoint, model_path(endpoint, request.model, "generateContent"), _body(request)),
        parse=lambda response: _response([checked(response)], wav=wanted == "wav"),
        unsupported=_unsupported(request),
    )


def stream(endpoint: Endpoint, request: SpeakRequest) -> StreamPlan[SpeakResponse]:
    """Plan the sound piece by piece, which can only be raw samples: the header of a WAV file tells its length."""
    if request.output_format not in {None, "pcm"}:
        raise InvalidRequestError(f"output_format: Gemini streams pcm, not {request.output_format}")
    path = model_path(endpoint, request.model, "streamGenerateContent") + "?alt=sse"
    return HttpStream(
        send=post(endpoint, path, _body(request), accept="text/event-stream"),
        frames=ObjectDecoder,
        decoder=lambda: _take,
        assembler=lambda: Collector(lambda out: _response(out.kept, wav=False)),
        unsupported=_unsupported(request),
        any_type=True,
    )


def _unsupported(request: SpeakRequest) -> tuple[str, ...]:
    return tuple([name for name in _NEVER if getattr(request, name) is not None])


def _body(request: SpeakRequest) -> Json:
    text = f"{request.instructions}: {request.text}" if request.instructions else request.text
    config: Json = {"responseModalities": ["AUDIO"]}
    if request.voice is not None:
        config["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": request.voice}}}
    made: Json = {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": config}
    return merged(made, request.extra)


def _take(body: Any, out: Collector[SpeakResponse]) -> None:
    problem = blocked(body)
    if problem is not None:
        raise problem
    out.kept.append(body)
    for data in _sounds(body):
        out.emit(DataDelta(decoded(data)))
    if any(each.get("finishReason") for each in body.get("candidates") or ()):
        out.done()


def _sounds(body: Json) -> Iterator[Json]:
    for candidate in body.get("candidates") or ():
        for part in (candidate.get("content") or {}).get("parts") or ():
            if "inlineData" in part:
                yield part["inlineData"]


def _response(bodies: list[Json], *, wav: bool) -> SpeakResponse:
    for body in bodies:
        problem = blocked(body)
        if problem is not None:
            raise problem
    sounds = [sound for body in bodies for sound in _sounds(body)]
    if not sounds:
        ends = [each for body in bodies for each in body.get("candidates") or () if each.get("finishReason")]
        reason = str(ends[-1]["finishReason"]) if ends else "no reason"
        kind = ContentFilterError if reason in FILTERED else InvalidResponseError
        raise kind(f"the answer has no sound in it: {reason}", code=reason)
    data = b"".join([decoded(sound) for sound in sounds])
    told = str(sounds[0].get("mimeType"))
    usage = next((each["usageMetadata"] for each in reversed(bodies) if each.get("usageMetadata")), None)
    raw = bodies[0] if len(bodies) == 1 else bodies
    is_raw = _PCM.match(told) is not None
    return SpeakResponse(
        data=_wav(data, told) if wav and is_raw else data,
        media_type="audio/wav" if wav and is_raw else told,
        usage=Usage() if usage is None else usage_of(usage),
        raw=raw,
    )


def _wav(samples: bytes, told: str) -> bytes:
    """Put the header of a WAV file before 16-bit little-endian mono samples."""
    found = _RATE.search(told)
    rate = int(found[1]) if found else _USUAL_RATE
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", len(samples),
    ) + samples  # fmt: skip
