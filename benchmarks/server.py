"""A loopback server that answers OpenAI's dialect at next to no cost, so that what is measured is the client."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import struct

CHUNKS = 1000
VECTORS, DIMENSIONS = 64, 1536


def _response(body: bytes, content_type: bytes = b"application/json") -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\nx-request-id: req_1\r\n\r\n"
    return head % (content_type, len(body)) + body


def _chat() -> bytes:
    message = {"role": "assistant", "content": "The sky is blue because of Rayleigh scattering.", "refusal": None}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1764000000,
        "model": "bench",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 19},
        "system_fingerprint": "fp_1",
    }
    return _response(json.dumps(body).encode())


def _stream() -> bytes:
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
        return b"data: " + json.dumps(body).encode() + b"\n\n"

    words = [chunk({"content": f" word{number}"}) for number in range(CHUNKS)]  # litellm stops at repetitions
    events = [chunk({"role": "assistant", "content": ""}), *words, chunk({}, "stop")]
    return _response(b"".join([*events, b"data: [DONE]\n\n"]), b"text/event-stream")


def _embeddings(*, is_base64: bool) -> bytes:
    random.seed(1)
    data = []
    for index in range(VECTORS):
        vector = [random.uniform(-1, 1) for _ in range(DIMENSIONS)]
        packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": packed if is_base64 else vector})
    usage = {"prompt_tokens": 64, "total_tokens": 64}
    return _response(json.dumps({"object": "list", "data": data, "model": "bench", "usage": usage}).encode())


class _Protocol(asyncio.Protocol):
    chat, stream = _chat(), _stream()
    floats, packed = _embeddings(is_base64=False), _embeddings(is_base64=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

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
            self.transport.write(self.answer(head, body.replace(b" ", b"")))  # type: ignore[attr-defined]

    def answer(self, head: bytes, body: bytes) -> bytes:
        if b"/embeddings" in head[:60]:
            return self.packed if b'"base64"' in body else self.floats
        return self.stream if b'"stream":true' in body else self.chat


async def main() -> None:
    """Listen on a free port and print it."""
    server = await asyncio.get_running_loop().create_server(_Protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
