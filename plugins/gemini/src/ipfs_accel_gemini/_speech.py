"""Speech by models that chat in sound: raw samples, which are also given with the header of a WAV file."""

from __future__ import annotations

import re
import struct
from typing import Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint, Http, HttpStream, Plan, StreamPlan
from ipfs_accel.types import DataDelta, SpeakRequest, SpeakResponse
from ipfs_accel.wire.collector import Collector

from ._fields import Json
from ._frames import ObjectDecoder
from ._parts import decoded
from ._pieces import keep, missing, parts_in, raw_of, usage_in, whole
from ._requests import merged
from ._routes import model_path, post

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
        parse=lambda response: _response(whole(response), wav=wanted == "wav"),
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
    keep(body, out)
    for part in parts_in([body]):
        if "inlineData" in part:
            out.emit(DataDelta(decoded(part["inlineData"])))


def _response(bodies: list[Json], *, wav: bool) -> SpeakResponse:
    sounds = [part["inlineData"] for part in parts_in(bodies) if "inlineData" in part]
    if not sounds:
        raise missing(bodies, "sound")
    data, told = b"".join([decoded(sound) for sound in sounds]), str(sounds[0].get("mimeType"))
    is_made_wav = wav and _PCM.match(told) is not None
    return SpeakResponse(
        data=_wav(data, told) if is_made_wav else data,
        media_type="audio/wav" if is_made_wav else told,
        usage=usage_in(bodies),
        raw=raw_of(bodies),
    )


def _wav(samples: bytes, told: str) -> bytes:
    """Put the header of a WAV file before 16-bit little-endian mono samples."""
    found = _RATE.search(told)
    rate = int(found[1]) if found else _USUAL_RATE
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", len(samples),
    ) + samples  # fmt: skip
