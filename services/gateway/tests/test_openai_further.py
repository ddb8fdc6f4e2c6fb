"""OpenAI's routes for judgements, pictures and sound, and the one for ranks."""

from __future__ import annotations

import io
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from ipfs_accel import Client, Config, EndpointConfig
from ipfs_accel.testing import Scripted
from ipfs_accel.types import (
    GeneratedImage,
    Image,
    ImageResponse,
    ModerateResponse,
    Moderation,
    RankedDocument,
    RerankResponse,
    Segment,
    SpeakResponse,
    TranscribeResponse,
    Usage,
)
from ipfs_accel_gateway._forms import File, fields
from ipfs_accel_gateway._reader import Bad

from .gateways import Running

MODEL = "scripted/any"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
WAV = b"RIFF\x04\x00\x00\x00WAVE\r\n--x\r\n"
JUDGED = Moderation(flagged=True, categories={"violence": True}, scores={"violence": 0.75})


class At:
    def __init__(self) -> None:
        self.script: deque[Any] = deque()
        self.scripted = Scripted(lambda _request: self.script.popleft())
        self.running = Running(Config(endpoints={"scripted": EndpointConfig()}, environ={}), {}, (self.scripted,))
        base = f"{self.running.url}/v1"
        ours = EndpointConfig(backend="openai", base_url=base, key="any")
        self.ours = Client(config=Config(endpoints={"gw": ours}, environ={}))
        self.sdk = openai.OpenAI(base_url=base, api_key="any", max_retries=0)

    @property
    def asked(self) -> Any:
        return self.scripted.requests[-1]


@pytest.fixture(scope="module")
def at() -> Iterator[At]:
    found = At()
    yield found
    found.sdk.close()
    found.ours.close()
    found.running.close()


def test_judgements(at: At) -> None:
    answer = ModerateResponse(results=(JUDGED, JUDGED))
    at.script += [answer, answer, ModerateResponse(results=(JUDGED,))]
    assert at.ours.moderate(f"gw/{MODEL}", ["a", "b"]).results == (JUDGED, JUDGED)
    assert at.asked.inputs == ("a", "b")
    assert at.sdk.moderations.create(model=MODEL, input=["a", "b"]).results[1].flagged
    assert at.ours.moderate(f"gw/{MODEL}", [("a", Image(data=PNG))]).results == (JUDGED,)
    assert at.asked.inputs == (("a", Image(data=PNG)),)


def test_ranks(at: At, http: Any) -> None:
    answer = RerankResponse(results=(RankedDocument(index=1, score=0.5, document="b"),), usage=Usage(input_tokens=3))
    at.script += [answer, answer]
    body = {"model": MODEL, "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1}
    found = http.post(f"{at.running.url}/v1/rerank", json=body).json()
    assert found["results"] == [{"index": 1, "relevance_score": 0.5, "document": {"text": "b"}}]
    assert found["usage"] == {"total_tokens": 3}
    assert (at.asked.query, at.asked.documents, at.asked.top_n) == ("q", ("a", "b"), 1)
    bare = http.post(f"{at.running.url}/rerank", json={**body, "return_documents": False}).json()
    assert bare["results"] == [{"index": 1, "relevance_score": 0.5}]


def test_pictures(at: At) -> None:
    answer = ImageResponse(
        images=(GeneratedImage(data=PNG, media_type="image/png", revised_prompt="A hat."),),
        usage=Usage(input_tokens=2, output_tokens=3),
    )
    at.script += [answer, answer, ImageResponse(images=(GeneratedImage(url="https://a.example/b.png"),))]
    found = at.ours.generate_image(f"gw/{MODEL}", "A hat", size="1024x1024", n=1, quality="low")
    assert (found.images[0].data, found.images[0].revised_prompt, found.usage.output_tokens) == (PNG, "A hat.", 3)
    assert (at.asked.prompt, at.asked.size, at.asked.n, at.asked.quality) == ("A hat", "1024x1024", 1, "low")
    as_url = at.sdk.images.generate(model=MODEL, prompt="A hat", response_format="url").data
    assert as_url
    assert as_url[0].url == f"data:image/png;base64,{b64encode(PNG).decode()}"
    kept = at.sdk.images.generate(model=MODEL, prompt="A hat").data
    assert kept
    assert kept[0].url == "https://a.example/b.png"


def test_speech(at: At) -> None:
    at.script += [SpeakResponse(data=WAV, media_type="audio/wav"), SpeakResponse(data=WAV)]
    found = at.ours.speak(f"gw/{MODEL}", "Hi", voice="alloy", output_format="wav", speed=1.5, instructions="Low.")
    assert (found.data, found.media_type) == (WAV, "audio/wav")
    assert (at.asked.text, at.asked.voice, at.asked.output_format) == ("Hi", "alloy", "wav")
    assert (at.asked.speed, at.asked.instructions) == (1.5, "Low.")
    sound = at.sdk.audio.speech.create(model=MODEL, voice="alloy", input="Hi", response_format="flac")
    assert (sound.content, sound.response.headers["content-type"]) == (WAV, "audio/flac")


def test_transcriptions(at: At) -> None:
    answer = TranscribeResponse(
        text="Hello", language="en", duration=1.5, segments=(Segment(start=0.0, end=1.0, text="Hello"),),
        words=(Segment(start=0.0, end=1.0, text="Hello"),), usage=Usage(input_tokens=9, output_tokens=1),
    )  # fmt: skip
    at.script += [answer, answer, answer, answer]
    found = at.ours.transcribe(
        f"gw/{MODEL}", WAV, language="en", prompt="Say", temperature=0.5, timestamps=["word", "segment"]
    )
    assert (found.text, found.language, found.duration, found.words[0].text) == ("Hello", "en", 1.5, "Hello")
    asked = at.asked
    assert (asked.audio.data, asked.language, asked.prompt, asked.temperature) == (WAV, "en", "Say", 0.5)
    assert asked.timestamps == ("word", "segment")
    file = io.BytesIO(WAV)
    file.name = 'a "b".wav'
    told = at.sdk.audio.transcriptions.create(model=MODEL, file=file)
    assert (told.text, at.asked.audio.data) == ("Hello", WAV)
    text = at.sdk.audio.transcriptions.create(model=MODEL, file=io.BytesIO(WAV), response_format="text")
    assert str(text).strip() == "Hello"
    assert at.ours.translate(f"gw/{MODEL}", WAV).text == "Hello"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("moderations", {"input": []}, "input"),
        ("moderations", {"input": [{"type": "image_url", "image_url": "x"}]}, "input[0]"),
        ("rerank", {"query": "q"}, "documents"),
        ("rerank", {"query": 3, "documents": ["a"]}, "query"),
        ("images/generations", {"prompt": "a", "response_format": "png"}, "response_format"),
        ("audio/speech", {"input": "a", "stream_format": "loud"}, "stream_format"),
        ("audio/transcriptions", {"file": "/etc/passwd"}, "file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_done_is_refused_by_its_name(at: At, http: Any, path: str, body: Any, param: str) -> None:
    found = http.post(f"{at.running.url}/v1/{path}", json={"model": MODEL, **body})
    assert (found.status_code, found.json()["error"]["param"]) == (400, param)


def test_who_makes_no_streams_says_so(at: At, http: Any) -> None:
    for path, body in (
        ("images/generations", {"prompt": "a", "stream": True}),
        ("audio/speech", {"input": "a", "stream_format": "sse"}),
    ):
        found = http.post(f"{at.running.url}/v1/{path}", json={"model": MODEL, **body})
        assert (found.status_code, "stream_" in found.json()["error"]["message"]) == (400, True)


def test_servers_of_the_dialect_get_the_very_bytes(http: Any, httpserver: Any, running: Any) -> None:
    httpserver.expect_request("/v1/audio/speech").respond_with_data(WAV, content_type="audio/wav")
    found = running(endpoints={"up": {"backend": "openai", "base_url": httpserver.url_for("/v1"), "key": "k"}})
    body = b'{"input":"a",  "model":"up/m","voice":{"id":"v"}}'
    sound = http.post(f"{found.url}/v1/audio/speech", content=body)
    assert (sound.content, sound.headers["content-type"]) == (WAV, "audio/wav")
    assert sound.headers["x-ipfs-accel-lane"] == "relay"
    assert httpserver.log[-1][0].get_data() == body.replace(b"up/m", b"m")


KIND = 'multipart/form-data; boundary="x"'
FORM = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--x\r\ncontent-disposition: form-data; name=file; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n\r\n-\r\n\r\n--x--\r\n'


def test_a_form_is_read() -> None:
    assert fields(FORM, KIND) == {"model": "m", "file": File("a.wav", "audio/wav", b"\r\n-\r\n")}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (FORM[:-6], KIND),
        (FORM[:60], KIND),
        (b"", KIND),
        (FORM, "multipart/form-data"),
        (FORM[:51] + FORM, KIND),
        (FORM.replace(b'; name="model"', b""), KIND),
        (FORM.replace(b"\r\n\r\nm", b"\r\n\r\n\xff"), KIND),
        (b"--x\r\ncontent-disposition: form-data; name=a[]\r\n\r\n1\r\n" * 65 + b"--x--", KIND),
    ],
    ids=["no end", "cut", "empty", "no boundary", "before", "nameless", "no text", "many"],
)
def test_what_is_no_whole_form_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(Bad) as caught:
        fields(body, kind)
    assert caught.value.status == 400
