"""The two ends of a measurement: a server that answers as a provider does, and callers that ask one after the other.

Both are bare protocols, written once for all gateways, and run on the core that the gateway does not have.

    python traffic.py serve PORT
    python traffic.py ask URL --connections 16 --seconds 2 --kind chat
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

WORDS = "Hello there, this is a plain answer of some words."
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": WORDS}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 11, "total_tokens": 23},
    }
).encode()
VECTORS = json.dumps(
    {
        "object": "list",
        "model": "m",
        "data": [
            {
                "object": "embedding",
                "index": row,
                "embedding": [((row * 31 + i * 7) % 997) / 997 - 0.5 for i in range(1536)],
            }
            for row in range(64)
        ],
        "usage": {"prompt_tokens": 640, "total_tokens": 640},
    }
).encode()
CHUNKS = 60
PAUSE = 0.005  # seconds between two chunks


def _chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    event = b"data: %b\n\n" % json.dumps(value).encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


def _answer(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: r1\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


PLAIN, EMBEDDED = _answer(ANSWER), _answer(VECTORS)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM_END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
WORD = _chunk(" word")


class Provider(asyncio.Protocol):
    """Answers what comes."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.waiting = bytearray()

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while True:
            end = self.waiting.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.waiting[:end])
            lower = head.lower()
            at = lower.find(b"content-length:")
            size = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.waiting) < end + 4 + size:
                return
            body = bytes(self.waiting[end + 4 : end + 4 + size])
            del self.waiting[: end + 4 + size]
            self.answer(head.split(b" ", 2)[1], body)

    def answer(self, path: bytes, body: bytes) -> None:
        if path.endswith(b"/embeddings"):
            self.transport.write(EMBEDDED)
        elif b'"stream":true' in body or b'"stream": true' in body:
            self.transport.write(STREAM_HEAD)
            self.send(CHUNKS)
        elif path.endswith(b"/models"):
            self.transport.write(_answer(b'{"object":"list","data":[{"id":"m","object":"model"}]}'))
        else:
            self.transport.write(PLAIN)

    def send(self, left: int) -> None:
        if self.transport.is_closing():
            return
        if not left:
            self.transport.write(STREAM_END)
            return
        self.transport.write(WORD)
        asyncio.get_running_loop().call_later(PAUSE, self.send, left - 1)


BODIES = {
    "chat": {"model": "MODEL", "messages": [{"role": "user", "content": "hi"}]},
    "stream": {"model": "MODEL", "messages": [{"role": "user", "content": "hi"}], "stream": True},
    "large": {"model": "MODEL", "messages": [{"role": "user", "content": "some words and more " * 3800}]},
    "embed": {"model": "MODEL", "input": ["some words"] * 64},
}


class Caller(asyncio.Protocol):
    """Asks again as soon as it is answered."""

    def __init__(self, request: bytes, done: Callable[[], bool]) -> None:
        self.request = request
        self.done = done
        self.is_over = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.waiting = bytearray()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        end = self.waiting.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.waiting[:end]).lower()
        at = head.find(b"content-length:")
        if at >= 0:
            size = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self.waiting) < end + 4 + size:
                return
        elif not self.waiting.endswith(b"0\r\n\r\n"):
            return
        if not head.startswith(b"http/1.1 200"):
            raise SystemExit(bytes(self.waiting[:600]).decode("utf-8", "replace"))
        if self.done():
            self.ask()
        else:
            self.transport.close()


async def ask(url: str, given: argparse.Namespace) -> int:
    """Return how many requests were answered within the time."""
    parts = urlsplit(url)
    kind, key = given.kind, given.key
    body = json.dumps({**BODIES[kind], "model": given.model}).encode()
    path = "/v1/embeddings" if kind == "embed" else "/v1/chat/completions"
    head = f"POST {path} HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer {key}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    loop = asyncio.get_running_loop()
    count, end = 0, time.monotonic() + given.seconds

    def done() -> bool:
        nonlocal count
        count += 1
        return time.monotonic() < end

    made = [
        await loop.create_connection(lambda: Caller(head.encode() + body, done), parts.hostname, parts.port)
        for _ in range(given.connections)
    ]
    while not all(transport.is_closing() for transport, _ in made):  # noqa: ASYNC110 - it happens once
        await asyncio.sleep(0.02)
    return count


async def serve(port: int) -> None:
    """Answer until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Be one of the two ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["serve", "ask"])
    parser.add_argument("where")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--kind", choices=sorted(BODIES), default="chat")
    parser.add_argument("--model", default="m")
    parser.add_argument("--key", default="none")
    given = parser.parse_args()
    if given.what == "serve":
        asyncio.run(serve(int(given.where)))
    else:
        print(asyncio.run(ask(given.where, given)))


if __name__ == "__main__":
    main()
