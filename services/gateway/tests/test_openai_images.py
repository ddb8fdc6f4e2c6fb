"""Pictures of OpenAI's API, made of words and of pictures, and streams of pictures and sound."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from ipfs_accel import Config, EndpointConfig, RetryConfig
from ipfs_accel.testing.raw_server import Connection, serve
from ipfs_accel.types import GeneratedImage, Image, ImageResponse, Usage

from .gateways import Running
from .stages import Stage, stage
from .test_leaving import LANES
from .wires import CHUNKED as STREAM
from .wires import PATIENCE, Gradual, connected, framed, post, rest

MODEL = "scripted/any"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
OTHER = b"\x89PNG\r\n\x1a\n" + bytes(21)
MADE = ImageResponse(images=(GeneratedImage(data=PNG),), usage=Usage(input_tokens=2, output_tokens=3))
SOUND = b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def at() -> Iterator[Stage]:
    with stage() as found:
        yield found


@pytest.fixture(scope="module")
def sdk(at: Stage) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{at.url}/v1", api_key="any", max_retries=0) as found:
        yield found


def test_pictures_are_made_of_pictures(at: Stage, sdk: openai.OpenAI) -> None:
    at.plays(MADE, MADE)
    found = sdk.images.edit(model=MODEL, image=io.BytesIO(PNG), prompt="A hat", n=2, mask=io.BytesIO(OTHER)).data
    assert found
    assert found[0].b64_json == b64encode(PNG).decode()
    assert (at.asked.images, at.asked.mask) == ((Image(data=PNG),), Image(data=OTHER))
    assert (at.asked.prompt, at.asked.n) == ("A hat", 2)
    sdk.images.edit(model=MODEL, image=[io.BytesIO(PNG), io.BytesIO(OTHER)], prompt="A hat", size="1024x1024")
    assert at.asked.images == (Image(data=PNG), Image(data=OTHER))
    assert at.asked.size == "1024x1024"


def test_pictures_may_be_named(at: Stage, http: Any) -> None:
    at.plays(MADE)
    named = [{"image_url": "https://a.example/b.png"}, {"file_id": "file_1"}]
    asked = {"model": MODEL, "prompt": "A hat", "images": named}
    assert http.post(f"{at.url}/v1/images/edits", json=asked).json()["usage"]["output_tokens"] == 3
    assert at.asked.images == (Image(url="https://a.example/b.png"), Image(file_id="file_1"))


def test_variations(at: Stage, http: Any) -> None:
    at.plays(MADE)
    fields = {"model": MODEL, "n": "3", "size": "256x256"}
    http.post(f"{at.url}/v1/images/variations", data=fields, files={"image": ("a.png", PNG)}).raise_for_status()
    assert (at.asked.image, at.asked.n, at.asked.size) == (Image(data=PNG), 3, "256x256")


@pytest.mark.parametrize(
    ("route", "body", "param"),
    [
        ("edits", {"images": ["/etc/hostname"]}, "images[0]"),
        ("edits", {"image": "/etc/hostname"}, "image[0]"),
        ("edits", {"images": [{"image_url": "file:///etc/hostname"}]}, "images[0]"),
        ("edits", {"images": [{"file_id": "f"}], "mask": "/etc/hostname"}, "mask"),
        ("edits", {}, "images"),
        ("variations", {"image": "/etc/hostname"}, "image"),
        ("variations", {}, "image"),
        ("edits", {"images": [{"file_id": "f"}], "input_fidelity": "high"}, "input_fidelity"),
        ("edits", {"images": [{"file_id": "f"}], "n": "many"}, "n"),
    ],
    ids=["path", "path-of-one", "file-url", "mask", "none", "varied-path", "nothing", "unknown", "number"],
)
def test_nobody_chooses_a_file_and_what_is_wrong_is_named(
    at: Stage, http: Any, route: str, body: dict[str, Any], param: str
) -> None:
    at.plays()
    prompt = {"prompt": "A hat"} if route == "edits" else {}
    refused = http.post(f"{at.url}/v1/images/{route}", json={"model": MODEL, **prompt, **body})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert at.scripted.requests == []


def event(kind: str, **members: Any) -> bytes:
    said = b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **members}).encode())
    return framed(said)


PICTURE = {"b64_json": b64encode(PNG).decode(), "created_at": 1, "size": "auto", "output_format": "png"}
USED = {"total_tokens": 5, "input_tokens": 2, "output_tokens": 3, "input_tokens_details": {}}


@contextmanager
def gateway(handle: Callable[[Connection], Any], lane: str = "relay") -> Iterator[Running]:
    with serve(handle) as server:
        up = EndpointConfig(
            backend="openai", base_url=f"{server.url}/v1", key="sk-of-the-operator", retry=RetryConfig(attempts=1)
        )
        running = Running(Config(endpoints={"up": up}, environ={}), {}, middleware=LANES[lane])
        try:
            yield running
        finally:
            running.close()


def client(running: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("route", ["generation", "edit"])
def test_pictures_are_seen_while_they_are_made(lane: str, route: str) -> None:
    unfinished = event(f"image_{route}.partial_image", partial_image_index=0, **PICTURE)
    last = event(f"image_{route}.completed", **PICTURE, usage=USED) + b"0\r\n\r\n"
    upstream = Gradual(STREAM, unfinished, last)
    with gateway(upstream.handle, lane) as running, client(running) as sdk:
        more: Any = {"model": "up/m", "prompt": "A hat", "stream": True, "partial_images": 1, "size": "auto"}
        asked = sdk.images.generate(**more) if route == "generation" else sdk.images.edit(image=io.BytesIO(PNG), **more)
        with asked as stream:
            first = next(stream)
            assert (first.type, first.partial_image_index) == (f"image_{route}.partial_image", 0)
            assert first.b64_json == PICTURE["b64_json"]
            assert first.output_format == "png"
            upstream.may_go_on.set()
            (done,) = list(stream)
        assert done.type == f"image_{route}.completed"
        assert done.usage.output_tokens == 3
    assert b"partial_images" in upstream.bodies[0]


@pytest.mark.parametrize("lane", LANES)
def test_a_picture_that_was_never_done_does_not_look_done(lane: str) -> None:
    unfinished = event("image_generation.partial_image", partial_image_index=0, **PICTURE)
    upstream = Gradual(STREAM, unfinished, b"0\r\n\r\n")
    upstream.may_go_on.set()
    with (
        gateway(upstream.handle, lane) as running,
        client(running) as sdk,
        pytest.raises(openai.APIError, match="ended"),
        sdk.images.generate(model="up/m", prompt="A hat", stream=True) as stream,
    ):
        list(stream)


def test_sound_is_heard_while_it_is_made() -> None:
    upstream = Gradual(SOUND, framed(b"one"), framed(b"two") + b"0\r\n\r\n")
    with gateway(upstream.handle) as running, client(running) as sdk:
        with sdk.audio.speech.with_streaming_response.create(model="up/m", voice="a", input="Hi") as answer:
            pieces = answer.iter_bytes()
            assert next(pieces) == b"one"
            upstream.may_go_on.set()
            assert b"".join(pieces) == b"two"
        assert answer.headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize("lane", LANES)
def test_sound_may_come_as_events(lane: str) -> None:
    if lane == "relay":
        piece = event("speech.audio.delta", audio=b64encode(b"one").decode())
        upstream = Gradual(STREAM, piece, event("speech.audio.done", usage=USED) + b"0\r\n\r\n")
    else:
        upstream = Gradual(SOUND, framed(b"one"), b"0\r\n\r\n")
    with gateway(upstream.handle, lane) as running, client(running) as sdk:
        with sdk.audio.speech.with_streaming_response.create(
            model="up/m", voice="a", input="Hi", stream_format="sse"
        ) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: speech.audio.delta"
            assert json.loads(next(lines).removeprefix("data: "))["audio"] == b64encode(b"one").decode()
            upstream.may_go_on.set()
            said = [line for line in lines if line]
        assert said[0] == "event: speech.audio.done"
        told = json.loads(said[1].removeprefix("data: "))
    assert told == {"type": "speech.audio.done", **({"usage": USED} if lane == "relay" else {})}
    assert json.loads(upstream.bodies[0]).get("stream_format") == ("sse" if lane == "relay" else None)


@pytest.mark.parametrize(
    ("path", "head", "first", "more"),
    [
        ("/v1/audio/speech", SOUND, framed(b"one"), {"input": "Hi", "voice": "a"}),
        (
            "/v1/images/generations",
            STREAM,
            event("image_generation.partial_image", partial_image_index=0, **PICTURE),
            {"prompt": "A hat", "stream": True},
        ),
    ],
    ids=["sound", "pictures"],
)
def test_who_leaves_in_the_middle_ends_it(path: str, head: bytes, first: bytes, more: dict[str, Any]) -> None:
    upstream = Gradual(head, first, b"")
    upstream.may_go_on.set()
    with gateway(upstream.handle) as running:
        with connected(running.url) as sock:
            sock.sendall(post(json.dumps({"model": "up/m", **more}).encode(), path=path))
            assert sock.recv(12) == b"HTTP/1.1 200"
            assert not upstream.left.is_set()
        assert upstream.left.wait(PATIENCE)


def test_sound_that_breaks_off_does_not_end() -> None:
    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(SOUND + framed(b"one"))
        connection.close()

    with gateway(handle) as running, connected(running.url) as sock:
        body = json.dumps({"model": "up/m", "input": "Hi", "voice": "a"}).encode()
        sock.sendall(post(body, path="/v1/audio/speech"))
        came, _ = rest(sock)
    assert came.endswith(framed(b"one"))
