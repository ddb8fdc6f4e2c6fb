"""TLS: its settings, and connections of the synchronous world over it; loaded with the first that needs them."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipfs_accel.errors import ConfigError

from .network import BrokenError, ConnectError, ConnectTimeoutError, ReadTimeoutError, SendError, WriteTimeoutError
from .sockets import Stream, watch

__all__ = ["make_ssl_context", "secured"]

_CA_HINT = "set `verify` to the file or directory of the certificate authority that signed the server's certificate"
_RECORD = 16 * 1024


@functools.cache
def _usual_context() -> ssl.SSLContext:
    """Return the settings that all transports of the process share: loading the authorities takes some 30 ms."""
    import certifi  # noqa: PLC0415 - only who connects with TLS needs it

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


@functools.cache
def _trusting_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def make_ssl_context(verify: bool | str | ssl.SSLContext) -> ssl.SSLContext:
    """Return the TLS settings that `verify` stands for; they offer HTTP/1.1 alone."""
    context = _context_for(verify)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _context_for(verify: bool | str | ssl.SSLContext) -> ssl.SSLContext:
    if isinstance(verify, ssl.SSLContext):
        return verify
    if isinstance(verify, bool):
        return _usual_context() if verify else _trusting_context()
    try:
        if Path(verify).is_dir():
            return ssl.create_default_context(capath=verify)
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else (error.strerror or "cannot be read")
        raise ConfigError(f"the certificate file {verify!r} is of no use: {reason}", hint=_CA_HINT) from None


def secured(stream: Stream, context: ssl.SSLContext, hostname: str, seconds: float | None) -> Stream:
    """Return a connection with TLS over it."""
    if stream.tls is not None:
        return _Tunnel(stream, context, hostname, seconds)
    try:
        return _Secure(context.wrap_socket(stream.release(seconds), server_hostname=hostname))
    except TimeoutError as error:
        raise ConnectTimeoutError from error
    except OSError as error:
        raise ConnectError from error


class _Secure(Stream):
    """A connection with TLS, which waits by itself: it may have to read in order to write."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = self.tls = sock
        self._pending = sock.pending
        self._timeout = sock.gettimeout()
        self._has_news = watch(sock)

    def receive_into(self, buffer: memoryview, seconds: float | None) -> int:
        try:
            self._limit(seconds)
            return self._sock.recv_into(buffer)
        except TimeoutError as error:
            raise (BrokenError if error.errno else ReadTimeoutError) from error
        except OSError as error:
            raise BrokenError from error

    def _sent(self, data: bytes | memoryview, seconds: float | None) -> int:
        try:
            self._limit(seconds)
            return self._sock.send(data)
        except TimeoutError as error:
            raise (SendError if error.errno else WriteTimeoutError) from error

    def is_readable(self) -> bool:
        return self._pending() > 0 or super().is_readable()

    def _limit(self, seconds: float | None) -> None:
        if seconds != self._timeout:
            self._sock.settimeout(seconds)
            self._timeout = seconds


class _Tunnel(Stream):
    """TLS within TLS, which `ssl` does not do with sockets."""

    def __init__(self, outer: Stream, context: ssl.SSLContext, hostname: str, seconds: float | None) -> None:
        self._outer = outer
        self._sock, self._has_news = outer._sock, outer._has_news  # noqa: SLF001 - it is of the same class
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._record = memoryview(bytearray(_RECORD))
        self.tls = self._inner = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        try:
            self._perform(self._inner.do_handshake, seconds)
        except (ReadTimeoutError, WriteTimeoutError) as error:
            raise ConnectTimeoutError from error
        except (OSError, BrokenError) as error:
            raise ConnectError from error

    def receive_into(self, buffer: memoryview, seconds: float | None) -> int:
        try:
            found: int = self._perform(lambda: self._inner.read(len(buffer), buffer), seconds)
        except ssl.SSLEOFError:
            return 0
        except OSError as error:
            raise BrokenError from error
        return found

    def send(self, data: bytes, seconds: float | None) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._perform(lambda view=view: self._inner.write(view), seconds) :]  # type: ignore[misc]
        except OSError as error:
            raise SendError from error

    def is_readable(self) -> bool:
        return self._incoming.pending > 0 or super().is_readable()

    def _perform(self, step: Callable[[], Any], seconds: float | None) -> Any:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush(seconds)
                size = self._outer.receive_into(self._record, seconds)
                if size:
                    self._incoming.write(self._record[:size])
                else:
                    self._incoming.write_eof()
            else:
                self._flush(seconds)
                return result

    def _flush(self, seconds: float | None) -> None:
        if self._outgoing.pending:
            self._outer.send(self._outgoing.read(), seconds)
