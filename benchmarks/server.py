"""A loopback server that answers OpenAI's dialect at next to no cost, so that what is measured is the client.

`python server.py COUNTER` prints its port. How it answers stands before the API's path: `/v1` at once; `/paced/v1`
streams each event as a segment of its own, when the client has told in the shared file COUNTER that it had the one
before; `/held/v1` streams up to the first word and no further; `/floats/v1` gives vectors as numbers whatever was asked
for. Streams are chunked, with one event in a chunk, as the real servers send them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import mmap
import random
import struct
import sys
from pathlib import Path

from figures import DIMENSIONS, PACED_WORDS, VECTORS, WORDS

GAP = 0.001  # seconds between two looks at the counter: the client is back in its read by then
PATIENCE = 1000  # looks, before a client that does not count is sent the next event all the same

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nx-request-id: req_1\r\n\r\n"
)


def _whole(body: dict[str, object]) -> bytes:
    data = json.dumps(body).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: req_1\r\n\r\n"
    return head % len(data) + data


def _chat() -> bytes:
    message = {"role": "assistant", "content": "The sky is blue because of Rayleigh scattering.", "refusal": None}
    return _whole(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1764000000,
            "model": "bench",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 19},
            "system_fingerprint": "fp_1",
        }
    )


def _event(data: bytes) -> bytes:
    event = b"data: %b\n\n" % data
    return b"%x\r\n%b\r\n" % (len(event), event)


def _events(words: int) -> list[bytes]:
    def chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1764000000,
            "model": "bench",
            "system_fingerprint": "fp_1",
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
            "usage": None,
        }
        return _event(json.dumps(body).encode())

    texts = [chunk({"content": f" word{number}"}) for number in range(words)]  # litellm stops at repetitions
    end = chunk({}, "stop") + _event(b"[DONE]") + b"0\r\n\r\n"
    return [chunk({"role": "assistant", "content": ""}), *texts, end]


def _embeddings(*, is_base64: bool) -> bytes:
    random.seed(1)
    data = []
    for index in range(VECTORS):
        vector = [random.uniform(-1, 1) for _ in range(DIMENSIONS)]
        packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": packed if is_base64 else vector})
    usage = {"prompt_tokens": 64, "total_tokens": 64}
    return _whole({"object": "list", "data": data, "model": "bench", "usage": usage})


class _Protocol(asyncio.Protocol):
    chat = _chat()
    events = _events(WORDS)
    burst = STREAM_HEAD + b"".join(events)
    paced = _events(PACED_WORDS)
    held = STREAM_HEAD + b"".join(events[:2])
    floats, packed = _embeddings(is_base64=False), _embeddings(is_base64=True)
    counter: memoryview

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""
        self.pacing: asyncio.Task[None] | None = None

    def connection_lost(self, _error: Exception | None) -> None:
        if self.pacing is not None:
            self.pacing.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n")[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            self.answer(head.split(b" ", 2)[1], body.replace(b" ", b""))

    def answer(self, path: bytes, body: bytes) -> None:
        if path.endswith(b"/embeddings"):
            in_floats = path.startswith(b"/floats") or b'"base64"' not in body
            self.write(self.floats if in_floats else self.packed)
        elif b'"stream":true' not in body:
            self.write(self.chat)
        elif path.startswith(b"/paced"):
            self.pacing = asyncio.get_running_loop().create_task(self.pace())
        else:
            self.write(self.held if path.startswith(b"/held") else self.burst)

    async def pace(self) -> None:
        self.write(STREAM_HEAD + self.paced[0])
        await asyncio.sleep(GAP)  # the first event may tell a client nothing
        for event in self.paced[1:]:
            seen = self.counter[0]
            self.write(event)
            for _ in range(PATIENCE):
                await asyncio.sleep(GAP)
                if self.counter[0] != seen:
                    break

    def write(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]


async def main() -> None:
    """Listen on a free port and print it."""
    server = await asyncio.get_running_loop().create_server(_Protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("r+b") as file:
        _Protocol.counter = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
    asyncio.run(main())
