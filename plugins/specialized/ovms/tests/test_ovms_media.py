"""Pictures and sound: answers after OVMS's documentation and sources, requests held to OpenAI's SDK, which it names."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig, Image, Message
from ipfs_accel import errors as e
from ipfs_accel.types import DataDelta, TextDelta
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import form

openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")

PNG = b"\x89PNG\r\n\x1a\n0"
WAV = b"RIFF\0\0\0\0WAVEfmt " + bytes(range(256)) * 64
PICTURES = {"data": [{"b64_json": base64.b64encode(PNG).decode()}]}
AUDIO_FILE = ("file.wav", WAV, "audio/wav")
PICTURE_FILE = ("file.png", PNG, "image/png")

Call = Callable[[Any], Any]


@pytest.fixture
def endpoint(httpserver: HTTPServer) -> EndpointConfig:
    return EndpointConfig(backend="ovms", base_url=httpserver.url_for("").rstrip("/"), key="k3y")


@pytest.fixture
def client(endpoint: EndpointConfig) -> Iterator[Client]:
    with Client(endpoints={"o": endpoint}) as client:
        yield client


def content(request: Request) -> Any:
    """Return what was sent: JSON, or the fields and files of a form."""
    return json.loads(request.get_data()) if request.content_type == "application/json" else form(request)


# (where, what the server answers, OpenAI's SDK, ours)
CALLS: dict[str, tuple[str, Any, Call, Call]] = {
    "a picture": (
        "/images/generations", PICTURES,
        lambda sdk: sdk.images.generate(model="m", prompt="a cat"),
        lambda client: client.generate_image("o/m", "a cat"),
    ),
    "a picture with options": (
        "/images/generations", PICTURES,
        lambda sdk: sdk.images.generate(model="m", prompt="a cat", n=2, size="512x512", extra_body={
            "rng_seed": 7, "negative_prompt": "a dog", "num_inference_steps": 3, "guidance_scale": 7.5, "prompt_2": "b",
            "prompt_3": "c", "max_sequence_length": 9, "lora_alphas": [0.5]}),
        lambda client: client.generate_image("o/m", "a cat", n=2, size="512x512", seed=7, negative_prompt="a dog", extra={
            "num_inference_steps": 3, "guidance_scale": 7.5, "prompt_2": "b", "prompt_3": "c", "max_sequence_length": 9, "lora_alphas": [0.5]}),
    ),
    "an edit": (
        "/images/edits", PICTURES,
        lambda sdk: sdk.images.edit(model="m", prompt="a hat", image=PICTURE_FILE, n=1, size="auto", extra_body={"strength": 0.5}),
        lambda client: client.edit_image("o/m", PNG, "a hat", n=1, size="auto", extra={"strength": 0.5}),
    ),
    "an edit with a mask and a seed": (
        "/images/edits", PICTURES,
        lambda sdk: sdk.images.edit(model="m", prompt="a hat", image=PICTURE_FILE, mask=PICTURE_FILE, extra_body={"rng_seed": 7}),
        lambda client: client.edit_image("o/m", PNG, "a hat", mask=PNG, seed=7),
    ),
    "a transcript": (
        "/audio/transcriptions", {"text": "hello"},
        lambda sdk: sdk.audio.transcriptions.create(model="m", file=AUDIO_FILE),
        lambda client: client.transcribe("o/m", WAV),
    ),
    "a transcript with options": (
        "/audio/transcriptions", {"text": "hello"},
        lambda sdk: sdk.audio.transcriptions.create(model="m", file=AUDIO_FILE, language="en", temperature=0.2, timestamp_granularities=["word", "segment"]),
        lambda client: client.transcribe("o/m", WAV, language="en", temperature=0.2, timestamps=["word", "segment"]),
    ),
    "a translation": (
        "/audio/translations", {"text": "hello"},
        lambda sdk: sdk.audio.translations.create(model="m", file=AUDIO_FILE, temperature=0.5),
        lambda client: client.translate("o/m", WAV, temperature=0.5),
    ),
    "speech": (
        "/audio/speech", WAV,
        lambda sdk: sdk.audio.speech.create(model="m", input="hello", voice="v", speed=1.5, response_format="wav"),
        lambda client: client.speak("o/m", "hello", voice="v", speed=1.5, output_format="wav"),
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK's word for its translations
@pytest.mark.parametrize("name", CALLS)
def test_it_is_asked_as_openais_sdk_asks(name: str, endpoint: EndpointConfig, httpserver: HTTPServer) -> None:
    route, answer, theirs, ours = CALLS[name]
    sent: list[Any] = []

    def record(request: Request) -> Response:
        sent.append((request.headers["authorization"], content(request)))
        body = answer if isinstance(answer, bytes) else json.dumps(answer)
        return Response(body, content_type="application/json")  # OVMS calls everything JSON

    httpserver.expect_request(f"/v3{route}", method="POST").respond_with_handler(record)
    with (
        openai.OpenAI(base_url=httpserver.url_for("/v3"), api_key="k3y", max_retries=0) as sdk,
        Client(endpoints={"o": endpoint}) as client,
    ):
        theirs(sdk)
        ours(client)
    expected, actual = sent
    assert expected == actual


def test_pictures_are_told_by_their_look(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v3/images/generations").respond_with_json(PICTURES)
    (picture,) = client.generate_image("o/m", "a cat").images

    assert (picture.data, picture.media_type) == (PNG, "image/png")


REFUSED: list[tuple[str, Call]] = [
    ("quality", lambda client: client.generate_image("o/m", "a", quality="low")),
    ("background", lambda client: client.generate_image("o/m", "a", background="opaque")),
    ("style", lambda client: client.generate_image("o/m", "a", style="vivid")),
    ("output_format", lambda client: client.generate_image("o/m", "a", output_format="webp")),
    ("output_compression", lambda client: client.edit_image("o/m", PNG, "a", output_compression=5)),
    ("user", lambda client: client.edit_image("o/m", PNG, "a", user="u")),
    ("prompt", lambda client: client.transcribe("o/m", WAV, prompt="Ada")),
    ("response_format", lambda client: client.transcribe("o/m", WAV, response_format="srt")),
    ("response_format", lambda client: client.stream_transcribe("o/m", WAV, response_format="text").read()),
    ("language", lambda client: client.translate("o/m", WAV, language="de")),
    ("timestamps", lambda client: client.translate("o/m", WAV, timestamps="word")),
    ("output_format", lambda client: client.speak("o/m", "a", output_format="mp3")),
    ("output_format", lambda client: client.stream_speak("o/m", "a", output_format="mp3").read()),
    ("instructions", lambda client: client.speak("o/m", "a", instructions="slowly")),
]


@pytest.mark.parametrize(("name", "ask"), REFUSED)
def test_what_the_server_does_not_know_is_not_sent(
    name: str, ask: Call, client: Client, httpserver: HTTPServer
) -> None:
    with pytest.raises(e.UnsupportedParameterError, match=name):
        ask(client)
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda client: client.edit_image("o/m", [PNG, PNG], "a"), "images: this server takes one at a time"),
        (lambda client: client.edit_image("o/m", Image(url="https://x.test/a.png"), "a"), "takes the bytes"),
        (lambda client: client.edit_image("o/m", PNG, "a", mask=Image(url="https://x.test/a.png")), "takes the bytes"),
    ],
)
def test_an_edit_has_the_bytes_of_one_picture(ask: Call, message: str, client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.InvalidRequestError, match=message):
        ask(client)
    assert httpserver.log == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.vary_image("o/m", PNG),
        lambda client: client.stream_image("o/m", "a").read(),
        lambda client: client.stream_image_edit("o/m", PNG, "a").read(),
        lambda client: client.moderate("o/m", "a"),
    ],
)
def test_what_the_server_does_not_have(ask: Call, client: Client) -> None:
    with pytest.raises(e.UnsupportedOperationError):
        ask(client)


def test_times_of_a_transcript(client: Client, httpserver: HTTPServer) -> None:
    body = {
        "text": "hello you",
        "words": [{"word": "hello", "start": 0.0, "end": 0.4}, {"word": "you", "start": 0.5, "end": 1}],
        "segments": [{"text": "hello you", "start": 0, "end": 1}],
    }
    httpserver.expect_request("/v3/audio/transcriptions").respond_with_json(body)
    answer = client.transcribe("o/m", WAV, timestamps=["word", "segment"])

    assert answer.text == "hello you"
    assert [(word.text, word.start, word.end) for word in answer.words] == [("hello", 0.0, 0.4), ("you", 0.5, 1.0)]
    assert [segment.text for segment in answer.segments] == ["hello you"]


def events(*items: Any) -> Response:
    text = "".join([f"data: {json.dumps(item)}\n\n" if isinstance(item, dict) else item for item in items])
    return Response(text, content_type="text/event-stream")


def test_a_streamed_transcript(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v3/audio/transcriptions").respond_with_response(
        events(
            {"type": "transcript.text.delta", "delta": "hel"},
            {"type": "transcript.text.delta", "delta": "lo"},
            {"type": "transcript.text.done", "text": "hello"},
        )
    )
    with client.stream_transcribe("o/m", WAV) as stream:
        assert list(stream) == [TextDelta("hel"), TextDelta("lo")]
    assert stream.response.text == "hello"
    assert b'name="stream"\r\n\r\ntrue\r\n' in httpserver.log[-1][0].get_data()


@pytest.mark.parametrize(
    ("end", "kind"),
    [('{"error":"it broke"}', e.InternalServerError), ("", e.StreamIncomplete)],
)
def test_a_streamed_transcript_that_ends_early(
    end: str, kind: type[Exception], client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v3/audio/transcriptions").respond_with_response(
        events({"type": "transcript.text.delta", "delta": "hel"}, end)
    )
    with pytest.raises(kind):
        client.stream_transcribe("o/m", WAV).read()


@pytest.mark.parametrize("kind", ["application/json", "audio/wav"])
def test_speech_is_a_wav_file_whatever_it_is_called(kind: str, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v3/audio/speech").respond_with_data(WAV, content_type=kind)
    whole = client.speak("o/m", "hello")
    assert json.loads(httpserver.log[-1][0].get_data()) == {"model": "m", "input": "hello"}
    with client.stream_speak("o/m", "hello") as stream:
        assert b"".join([event.data for event in stream if isinstance(event, DataDelta)]) == WAV
    for answer in (whole, stream.response):
        assert (answer.data, answer.media_type) == (WAV, "audio/wav")


@pytest.mark.parametrize("body", [b'{"text": "hello"}', b""])
def test_what_is_no_wav_file_is_no_speech(body: bytes, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v3/audio/speech").respond_with_data(body, content_type="application/json")
    message = re.escape(f"the answer is no WAV file; it begins with {body.decode()!r}")
    with pytest.raises(e.InvalidResponseError, match=message):
        client.speak("o/m", "hello")
    with pytest.raises(e.InvalidResponseError, match=message):
        client.stream_speak("o/m", "hello").read()


def test_a_spoken_answer(client: Client, httpserver: HTTPServer) -> None:
    spoken = {"id": "a1", "data": base64.b64encode(WAV).decode(), "transcript": "hello"}
    message = {"role": "assistant", "content": None, "audio": spoken}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "model": "m", "created": 1}
    httpserver.expect_request("/v3/chat/completions").respond_with_json(body)
    extra = {"modalities": ["text", "audio"], "audio": {"voice": "v", "format": "wav"}}
    (part,) = client.chat("o/m", [Message.user("Hi")], extra=extra).message.content

    assert (part.data, part.media_type, part.transcript) == (WAV, "audio/wav", "hello")  # type: ignore[union-attr]


def test_the_same_awaited(endpoint: EndpointConfig, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v3/images/generations").respond_with_json(PICTURES)
    httpserver.expect_request("/v3/images/edits").respond_with_json(PICTURES)
    httpserver.expect_request("/v3/audio/transcriptions").respond_with_json({"text": "hello"})
    httpserver.expect_request("/v3/audio/speech").respond_with_data(WAV, content_type="application/json")

    async def run() -> None:
        async with AsyncClient(endpoints={"o": endpoint}) as client:
            assert (await client.generate_image("o/m", "a cat")).images[0].data == PNG
            assert (await client.edit_image("o/m", PNG, "a hat")).images[0].data == PNG
            assert (await client.transcribe("o/m", WAV)).text == "hello"
            assert (await client.speak("o/m", "hello")).data == WAV
            async with client.stream_speak("o/m", "hello") as stream:
                assert (await stream.read()).data == WAV

    anyio.run(run)
