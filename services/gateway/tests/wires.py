"""Requests as bytes, and what comes back as bytes: what no HTTP client would send, or tell."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ipfs_accel.testing.raw_server import Connection

PATIENCE = 60.0
"""Seconds that only a defect takes."""

CHAT = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4},
    }
).encode()


CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def framed(piece: bytes) -> bytes:
    """Return a chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def chunk(text: str, reason: str | None = None) -> bytes:
    """Return an event of a stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    value = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def asked(model: str = "up/m", **members: Any) -> bytes:
    """Return the body of a chat."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}], **members}).encode()


def post(body: bytes, *lines: str, path: str = "/v1/chat/completions", version: str = "1.1") -> bytes:
    """Return a request."""
    head = [f"POST {path} HTTP/{version}", "host: localhost", f"content-length: {len(body)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def connected(url: str, receive: int | None = None) -> socket.socket:
    """Return a connection to a gateway, which holds `receive` bytes that nobody has read."""
    host, port = url.removeprefix("http://").split(":")
    sock = socket.socket()
    sock.settimeout(PATIENCE)
    if receive is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    sock.connect((host, int(port)))
    return sock


def rest(sock: socket.socket) -> tuple[bytes, bool]:
    """Return what comes until the connection ends, and whether it was reset."""
    came = b""
    try:
        while piece := sock.recv(65536):
            came += piece
    except ConnectionResetError:
        return came, True
    return came, False


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that nobody tells of."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def talk(url: str, sent: bytes) -> bytes:
    """Return all that comes back until the gateway closes the connection."""
    with connected(url) as sock:
        with suppress(OSError):  # who is refused may be told before all is sent
            sock.sendall(sent)
        return rest(sock)[0]


class Gradual:
    """Sends one piece, and the rest once it may; counts who is gone."""

    def __init__(self, head: bytes, first: bytes, last: bytes) -> None:
        self.may_go_on, self.left = threading.Event(), threading.Event()
        self.bodies: list[bytes] = []
        self._head, self._first, self._last = head, first, last

    def handle(self, connection: Connection) -> None:
        if connection.request() is None:
            return
        self.bodies.append(connection.server.bodies[-1])
        connection.send(self._head + self._first)
        self.may_go_on.wait(PATIENCE)
        connection.send(self._last)
        connection.wait()
        self.left.set()
