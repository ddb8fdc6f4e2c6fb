"""A server that can break every rule of HTTP: a handler gets the raw connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["Connection", "Handler", "RawServer", "answer", "blackhole", "chunked", "serve"]

PATIENCE = 60.0
"""Seconds that only a defect takes, on however busy a machine."""


def answer(body: bytes = b"ok", status: str = "200 OK", **headers: str) -> bytes:
    """A response with a content-length; underscores in header names become hyphens."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(*chunks: bytes, end: bool = True, **headers: str) -> bytes:
    """A chunked response, by default a complete one."""
    lines = ["HTTP/1.1 200 OK", "transfer-encoding: chunked"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body + (b"0\r\n\r\n" if end else b"")


class Connection:
    """One accepted connection."""

    def __init__(self, server: RawServer, sock: socket.socket, number: int) -> None:
        self.server = server
        self.sock = sock
        self.number = number  # 1 for the first connection that the server got
        self._buffer = b""

    def head(self) -> str | None:
        """Read the head of a request, None if the client hung up; it is kept in `server.heads`."""
        while b"\r\n\r\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                return None
            self._buffer += data
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        text = head.decode("latin-1")
        self.server.heads.append(text)
        return text

    def body(self, head: str) -> bytes:
        """Read the body that the head announces."""
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
        if fields.get("transfer-encoding") == "chunked":
            while not self._buffer.endswith(b"0\r\n\r\n"):
                self._buffer += self.sock.recv(65536)
            body, self._buffer = self._buffer, b""
        else:
            length = int(fields.get("content-length", "0"))
            while len(self._buffer) < length:
                self._buffer += self.sock.recv(1 << 20)
            body, self._buffer = self._buffer[:length], self._buffer[length:]
        self.server.bodies.append(body)
        return body

    def request(self) -> str | None:
        """Read a whole request and return its head; one for an aside is answered and not counted."""
        while (head := self.head()) is not None:
            self.body(head)
            said = self.server.asides.get(head.split(" ", 2)[1].partition("?")[0])
            if said is None:
                break
            del self.server.heads[-1], self.server.bodies[-1]
            self.send(said)
        return head

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def wait(self) -> None:
        """Wait for the end of the test or of the connection."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass

    def close(self) -> None:
        """Close properly."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def reset(self) -> None:
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def secure(self, context: ssl.SSLContext) -> None:
        """Go on over TLS."""
        self.sock = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)
        self.server.sockets.append(self.sock)  # before the handshake, which `stop` may have to end
        self.sock.do_handshake()


Handler = Callable[[Connection], Any]


class RawServer:
    """Listens on a free port of the loopback address and runs the handler in a thread for each connection.

    Attributes:
        heads: Of all requests so far.
        bodies: Of those that a handler read.
        connections: How many were accepted so far.
        closed: How many of them are over: the handler returned, or the client hung up.
        asides: Path to what is answered there before a handler gets to see the request.
    """

    def __init__(
        self, handler: Handler, context: ssl.SSLContext | None = None, asides: Mapping[str, bytes] | None = None
    ) -> None:
        self.asides = asides or {}
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.sockets: list[socket.socket] = []
        self.connections = 0
        self.closed = 0  # connections whose handler is done
        self._handler = handler
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._threads = [threading.Thread(target=self._accept)]
        self.port: int = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if context else 'http'}://{self.host}"
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock, self.connections))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        connection = Connection(self, sock, number)
        try:
            if self._context is not None:
                connection.secure(self._context)
            self._handler(connection)
        except OSError:
            pass  # the client hung up, which many tests want
        finally:
            self.closed += 1
            connection.sock.close()
            sock.close()

    def stop(self) -> None:
        """Close everything and wait for the threads."""
        _shut(self._listener)
        self._threads[0].join(PATIENCE)  # now no connection can come of which the following does not know
        for sock in self.sockets:
            _shut(sock)
        for thread in self._threads:
            thread.join(PATIENCE)
        for sock in [self._listener, *self.sockets]:
            sock.close()


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def blackhole() -> Iterator[tuple[str, int]]:
    """An address at which connecting never ends: its queue is full, so that further attempts are dropped."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        stack.enter_context(socket.create_connection(listener.getsockname(), PATIENCE))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()


@contextlib.contextmanager
def serve(
    handler: Handler, context: ssl.SSLContext | None = None, asides: Mapping[str, bytes] | None = None
) -> Iterator[RawServer]:
    """Run a server for the time of a `with` block."""
    server = RawServer(handler, context, asides)
    try:
        yield server
    finally:
        server.stop()
