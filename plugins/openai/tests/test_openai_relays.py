"""Requests of others: which routes a server of OpenAI's dialect is asked for as they are, and what is known of answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel.plans import Endpoint, Relay
from ipfs_accel.types import RelayRequest, Usage
from ipfs_accel_openai import AzureOptions, Options, azure, backend

HOSTED, OTHER = "https://api.openai.com/v1", "https://acme.example/v1"


def relayed(dialect: str, operation: str = "chat", *, base_url: str = HOSTED, **more: Any) -> Relay | None:
    options = more.pop("options", None) or Options()
    plugin: Any = azure if isinstance(options, AzureOptions) else backend
    endpoint = Endpoint(name="acme", backend="openai", base_url=base_url, options=options)
    body = json.dumps({"model": "", "input": "hi", **more}).encode()
    before, _, after = body.partition(b'""')
    found: Relay | None = plugin.relay(
        endpoint, RelayRequest(dialect, operation, json.loads(body), (before, after), model="m")
    )
    return found


@pytest.mark.parametrize(
    ("dialect", "operation", "path"),
    [
        ("openai.responses", "chat", "/responses"),
        ("openai.responses", "stream", "/responses"),
        ("openai.responses.compact", "chat", "/responses/compact"),
        ("openai.responses.input_tokens", "count_tokens", "/responses/input_tokens"),
        ("openai.completions", "complete", "/completions"),
        ("openai.moderations", "moderate", "/moderations"),
        ("openai.images.generations", "generate_image", "/images/generations"),
        ("openai.audio.speech", "speak", "/audio/speech"),
    ],
)
def test_openais_own_service_has_all_routes(dialect: str, operation: str, path: str) -> None:
    found = relayed(dialect, operation, background=True)
    assert found is not None
    assert found.send.path == path
    assert found.send.content == b'{"model": "m", "input": "hi", "background": true}'


def test_other_servers_have_responses_where_that_is_said() -> None:
    assert relayed("openai.responses", base_url=OTHER) is None
    assert relayed("openai.responses", base_url=OTHER, options=Options(api="responses")) is not None
    assert relayed("openai.chat", base_url=OTHER) is not None
    hosts = Options(responses_api=True)
    assert relayed("openai.responses", base_url=OTHER, options=hosts) is not None
    assert relayed("openai.responses.compact", base_url=OTHER, options=hosts) is None
    assert relayed("openai.responses.input_tokens", "count_tokens", base_url=OTHER, options=hosts) is None


def test_azure_has_them_below_its_own_path() -> None:
    found = relayed("openai.responses", base_url="https://a.example", options=AzureOptions())
    assert found is not None
    assert found.send.path == "/openai/v1/responses"


def test_streams_of_pictures_and_sound_go_through_as_they_come() -> None:
    pictures = relayed("openai.images.generations", "stream_image", stream=True)
    spoken = relayed("openai.audio.speech", "stream_speak", stream_format="sse")
    assert pictures is not None
    assert spoken is not None
    for found in (pictures, spoken):
        assert dict(found.send.headers)["accept"] == "text/event-stream"
    sound = relayed("openai.audio.speech", "speak")
    assert sound is not None
    assert (sound.at_once, dict(sound.send.headers)["accept"]) == (True, "*/*")


def _picture(kind: str, **more: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (
        kind.encode(), json.dumps({"type": kind, "b64_json": "A" * 5000, "size": "auto", **more}).encode()
    )  # fmt: skip


def test_the_ends_of_such_streams_are_known() -> None:
    used = {"total_tokens": 5, "input_tokens": 2, "output_tokens": 3}
    unfinished = _picture("image_generation.partial_image", partial_image_index=0)
    last = _picture("image_generation.completed", usage=used)
    pictures = relayed("openai.images.generations", "stream_image", stream=True)
    assert pictures is not None
    reads = pictures.reads
    assert not reads.is_whole(unfinished[-4096:])
    assert not reads.is_whole((unfinished + last[:-60])[-4096:])
    assert reads.is_whole((unfinished + last)[-4096:])
    found = reads.usage(unfinished[:4096], (unfinished + last)[-4096:])
    assert found is not None
    assert (found.input_tokens, found.output_tokens) == (2, 3)
    spoken = relayed("openai.audio.speech", "stream_speak", stream_format="sse")
    assert spoken is not None
    assert not spoken.reads.is_whole(b'data: {"type":"speech.audio.delta","audio":"AAAA"}\n\n')
    assert spoken.reads.is_whole(b'data: {"type":"speech.audio.done","usage":{"input_tokens":2}}\n\n')


LAST = b'data: {"type":"response.completed","response":{"output":[],"usage":{"input_tokens":8,"output_tokens":20,"total_tokens":28},"metadata":{}}}\n\n'
DELTA = b'data: {"type":"response.output_text.delta","delta":"\\"output_tokens\\": \\"response.completed\\""}\n\n'


@pytest.mark.parametrize(
    ("tail", "is_whole"),
    [
        (DELTA + LAST, True),
        (DELTA, False),
        (DELTA + LAST[:-2], False),
        (DELTA + LAST[:-30], False),
        (DELTA + b'data: {"type":"response.incomplete","response":{"usage":null}}\n\n', True),
        (DELTA + b"data: [DONE]\n\n", True),
    ],
    ids=["whole", "none", "unfinished", "cut", "without counts", "marked"],
)
def test_a_stream_is_whole_once_its_last_event_is(tail: bytes, is_whole: bool) -> None:
    found = relayed("openai.responses", "stream")
    assert found is not None
    assert found.reads.is_whole(tail) is is_whole


def test_what_a_response_used_is_read_from_its_end() -> None:
    found = relayed("openai.responses", "stream")
    assert found is not None
    assert found.reads.usage(DELTA, DELTA + LAST) == Usage(input_tokens=8, output_tokens=20)
