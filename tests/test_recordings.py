"""Recordings of each backend: no key of any kind is in the file, whatever header it goes into, and all is replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, Secret
from ipfs_accel.testing import Connection, Recorded, json_reply, serve, sse_reply
from ipfs_accel.testing.raw_server import answer

KEY = "sk-proj-0123456789-abcdef"
IN_URL = "k+ey/of=url"

with Client(Config(environ={})) as client:
    BACKENDS = [record.name for record in client.plugins()]

NOT_RECORDED = {"s3": "boto3 sends its requests"}
OPTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "azure": ({}, {"token": True}),
    "claude": tuple([{"key_header": name} for name in ("authorization", "x-api-key", "api-key")]),
    "gemini": ({}, {"key_header": "authorization"}, {"vertex": True, "project": "p", "location": "eu"}),
}
CASES = [
    pytest.param(name, options, id=f"{name}{number or ''}")
    for name in BACKENDS
    if name not in NOT_RECORDED
    for number, options in enumerate(OPTIONS.get(name, ({},)))
]


def repeat(connection: Connection) -> None:
    """Answer with all that was sent, in the body and in a header, as some servers do in errors."""
    while (head := connection.request()) is not None:
        said = json.dumps({"sent": head, "body": connection.server.bodies[-1].decode()}).encode()
        keys = ",".join(line for line in head.split("\r\n") if KEY in line)
        connection.send(answer(said, content_type="application/json", x_sent=keys, set_cookie=f"a={KEY}"))


@pytest.mark.parametrize("way", ["key", "function", "call", "two"])
@pytest.mark.parametrize(("backend", "options"), CASES)
def test_no_key_is_in_the_file(backend: str, options: dict[str, Any], way: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    keys = {"key": KEY, "function": lambda: KEY, "call": "sk-another-9876543210", "two": (KEY, KEY[::-1])}
    target = f"/v1/x?key={IN_URL}"

    def ask(place: dict[str, Any], said: str = KEY) -> Any:
        more: dict[str, Any] = {"key": Secret(KEY)} if way == "call" else {}
        with Client(Config(environ={}), endpoints={backend: place}, recording=Recorded(path)) as client:
            return client.request(backend, "POST", target, json={"said": said, "url": IN_URL}, **more).json()

    with serve(repeat) as server:
        place = {"base_url": server.url, "options": options}
        sent = ask({**place, "key": keys[way]})["sent"]
        assert KEY in sent or KEY[::-1] in sent
        text = path.read_text()
        assert not [secret for secret in (KEY, KEY[::-1], "sk-another", IN_URL) if secret in text]
        assert '"x-sent": ' in text
        assert "set-cookie" not in text
        count = len(server.heads)
        if way == "key":
            assert set(ask(place, "***")) == {"sent", "body"}  # now without a key
        assert len(server.heads) == count


def test_what_is_left_out_is_left_out_for_a_reason() -> None:
    assert set(NOT_RECORDED) < set(BACKENDS)


CHAT = {
    "id": "1",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Good day"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
PIECES = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("Good", " day")]
VECTORS = {"object": "list", "model": "m", "data": [{"index": 0, "embedding": [0.25, -0.5]}], "usage": {}}


SOUND = b"RIFF....WAVE" + bytes(300_000)


def serving(connection: Connection) -> None:
    while (head := connection.request()) is not None:
        if "/embeddings" in head:
            reply = json_reply(VECTORS)
        elif "/audio/" in head:
            reply = json_reply({"text": "said"})
        elif json.loads(connection.server.bodies[-1]).get("stream"):
            reply = sse_reply(*PIECES, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        else:
            reply = json_reply(CHAT)
        connection.send(reply.sent())


def blocking(place: dict[str, Any], recording: Any) -> list[Any]:
    with Client(Config(environ={}), endpoints={"openai": place}, recording=recording) as client:
        return [
            client.chat("openai/m", "Greet me."),
            client.stream("openai/m", "Greet me.").read(),
            client.embed("openai/m", ["a"]).vectors,
            client.transcribe("openai/whisper-1", SOUND).text,
        ]


def awaiting(library: str) -> Callable[..., list[Any]]:
    def run(place: dict[str, Any], recording: Any) -> list[Any]:
        async def main() -> list[Any]:
            async with AsyncClient(Config(environ={}), endpoints={"openai": place}, recording=recording) as client:
                return [
                    await client.chat("openai/m", "Greet me."),
                    await client.stream("openai/m", "Greet me.").read(),
                    (await client.embed("openai/m", ["a"])).vectors,
                    (await client.transcribe("openai/whisper-1", SOUND)).text,
                ]

        return anyio.run(main, backend=library)

    return run


WORLDS = {"sync": blocking, "asyncio": awaiting("asyncio"), "trio": awaiting("trio")}


@pytest.mark.parametrize("made_by", WORLDS)
@pytest.mark.parametrize("read_by", WORLDS)
def test_what_one_world_records_another_replays(made_by: str, read_by: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with serve(serving) as server:
        place = {"base_url": server.url, "options": {"api": "chat"}}
        first = WORLDS[made_by]({**place, "key": KEY}, Recorded(path))
    recorded = Recorded(path, record="never")
    assert WORLDS[read_by](place, recorded) == first
    assert (first[0].text, first[1].text, [list(each) for each in first[2]]) == ("Good day", "Good day", [[0.25, -0.5]])
    assert (recorded.left, first[3]) == (0, "said")
    sent = json.loads(path.read_text())["exchanges"][3]["request"]
    assert sorted(sent) == ["bytes", "method", "sha256", "url"]  # however the form was cut
