"""What a connection is doing, and what its failures mean."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from typing import Any

from ..errors import AccelError, APIConnectionError, APIContext, APITimeoutError, ConfigError, InvalidResponseError, PoolTimeoutError
from ._base import Target, Timeouts, http

__all__ = ["LineState", "find_os_error", "pool_timeout", "too_long", "translate"]

_CA_HINT = (
    "set `verify` to the file or directory of the authority that signed the server's certificate; "
    "behind a company's proxy that is the company's own"
)
_TLS_HINT = "check that the URL's scheme and port are right: this may be a server that speaks plain http"


class LineState:
    """What is known about a connection in the course of a request.

    Attributes:
        served: Requests that were answered on it before.
        sent: Whether a byte of this request may have left.
        received: Bytes of this answer so far.
        eof: Whether the server has hung up.
        has_head: Whether the head of this answer is complete.
        is_open: Whether there is a network connection.
        read_timeout: Limit of silence; may be changed between two reads.
        deadline: When this exchange has to be over (`time.monotonic`).
    """

    def __init__(self, target: Target, generation: int) -> None:
        self.target = target
        self.key = target.key
        self.generation = generation
        self.idle_since = 0.0
        self.served = 0
        self.is_open = False
        self.connection: Any = None
        self.begin(Timeouts(), None)

    def begin(self, timeouts: Timeouts, deadline: float | None) -> None:
        """Forget the last exchange."""
        self.sent = False
        self.received = 0
        self.eof = False
        self.has_head = False
        self.held = b""
        self.timeouts = timeouts
        self.read_timeout = timeouts.read
        self.deadline = deadline

    def left(self, limit: float | None, error: type[Exception]) -> float | None:
        """Return how long the next step may take.

        Raises:
            Exception: The given one, if the exchange has no time left.
        """
        if self.deadline is None:
            return limit
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise error
        return left if limit is None else min(left, limit)

    @property
    def is_overdue(self) -> bool:
        """Whether the time of the whole exchange is up."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def may_resend(self, error: BaseException) -> bool:
        """Whether the request came too late: the server had closed the idle connection and never saw it."""
        if not self.served or self.received or not self.is_open:
            return False
        if isinstance(error, http.RemoteProtocolError):
            return self.eof
        if not isinstance(error, (http.ReadError, http.WriteError)):
            return False
        cause = find_os_error(error)
        return cause is None or isinstance(cause, ConnectionError)


def find_os_error(error: BaseException | None) -> OSError | None:
    """Return what the operating system said, from under the library's wrappings."""
    for _ in range(10):
        if error is None:
            return None
        if isinstance(error, OSError) and (error.errno is not None or isinstance(error, ssl.SSLError)):
            return error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__
    return None


def translate(error: BaseException, line: LineState) -> AccelError | None:
    """Return our error for one of the library; None for any other exception, which goes to the caller as it is.

    The result is not chained to the original: its traceback would keep the request, and with it the key, alive.
    """
    name = line.target.name
    if isinstance(error, http.TimeoutException):
        return _timed_out(error, line)
    if isinstance(error, http.ConnectError):
        return _not_connected(find_os_error(error), name)
    if isinstance(error, http.ProxyError):
        status = str(error)[:3]
        told = f"it answered {status}" if status.isdigit() else "it refused"
        return APIConnectionError(f"the proxy gave no connection to {name}: {told}", phase="connect", sent=False, retryable=False)
    if isinstance(error, http.NetworkError):
        return APIConnectionError(f"the connection to {name} broke {_when(line)}: {_reason(error)}", phase=_phase(line), sent=line.sent)
    if isinstance(error, http.RemoteProtocolError):
        return _broken_protocol(line)
    if isinstance(error, (http.ProtocolError, http.UnsupportedProtocol, http.ConnectionNotAvailable)):
        return APIConnectionError(f"the request to {name} could not be sent over HTTP/1.1", phase=_phase(line), sent=line.sent, retryable=False)
    if isinstance(error, UnicodeError) and not line.is_open:
        return ConfigError(f"{name} is no valid host name")
    return None


def _phase(line: LineState) -> str:
    return "read" if line.sent else "write"


def _when(line: LineState) -> str:
    if line.has_head:
        return "in the middle of the answer"
    return "in the middle of the answer's head" if line.received else "before an answer came"


def _reason(error: BaseException) -> str:
    cause = find_os_error(error)
    if cause is None:
        return "it was closed"
    if isinstance(cause, ssl.SSLError):
        return f"TLS error {cause.reason or 'unknown'}"
    return os.strerror(cause.errno).lower()


def _broken_protocol(line: LineState) -> APIConnectionError:
    name = line.target.name
    context: APIContext = {"phase": "read", "sent": line.sent}
    if line.eof:
        if line.has_head:
            return APIConnectionError(f"the answer of {name} is cut: the connection was closed before its end", **context)
        what = "in the middle of the answer's head" if line.received else "without an answer"
        return APIConnectionError(f"{name} closed the connection {what}", **context)
    what = "sent a body that breaks the rules of HTTP" if line.has_head else "does not answer in HTTP/1.1"
    return APIConnectionError(f"{name} {what}", retryable=False, **context)


def _timed_out(error: Exception, line: LineState) -> APITimeoutError:
    name, timeouts = line.target.name, line.timeouts
    if line.is_overdue:
        return APITimeoutError(f"the answer of {name} took longer than {_seconds(timeouts.total)}", phase="total", sent=line.sent)
    if isinstance(error, http.ConnectTimeout):
        return APITimeoutError(f"could not connect to {name} within {_seconds(timeouts.connect)}", phase="connect", sent=False)
    if isinstance(error, http.WriteTimeout):
        return APITimeoutError(f"{name} took nothing of the request for {_seconds(timeouts.write)}", phase="write", sent=line.sent)
    what = "no more of the answer" if line.has_head else "no answer"
    return APITimeoutError(f"{what} from {name} for {_seconds(line.read_timeout)}", phase="read", sent=line.sent)


def _seconds(limit: float | None) -> str:
    return "the limit" if limit is None else f"{limit:g} s"


def _not_connected(cause: OSError | None, name: str) -> APIConnectionError:
    context: APIContext = {"phase": "connect", "sent": False}
    start = f"could not connect to {name}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = f"its certificate is not trusted ({cause.verify_message})"
        return APIConnectionError(f"{start}: {reason}", hint=_CA_HINT, retryable=False, **context)
    if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or cause is None:
        return APIConnectionError(f"{start}: the connection was closed", **context)
    if isinstance(cause, ssl.SSLError):
        return APIConnectionError(f"{start}: TLS error {cause.reason or 'unknown'}", hint=_TLS_HINT, retryable=False, **context)
    if isinstance(cause, socket.gaierror):
        # A name that does not exist will not exist a second later; a resolver that has no answer may.
        retryable = cause.errno == socket.EAI_AGAIN
        return APIConnectionError(f"{start}: the host name cannot be resolved", retryable=retryable, **context)
    if cause.errno in {errno.EMFILE, errno.ENFILE}:
        context["hint"] = "raise the limit of open files (ulimit -n), or lower `max_connections`"
    return APIConnectionError(f"{start}: {os.strerror(cause.errno).lower()}", **context)


def pool_timeout(limit: int, active: int, seconds: float | None) -> PoolTimeoutError:
    """Return the error for a caller that waited too long for a connection."""
    return PoolTimeoutError(
        f"no connection became free within {_seconds(seconds)}: all {limit} are in use ({active} open exchanges)",
        phase="pool",
        sent=False,
        hint="close streams that are no longer read, or raise `max_connections`",
    )


def too_long(line_name: str, limit: int, status: int) -> InvalidResponseError:
    """Return the error for a body that is larger than the caller allows."""
    return InvalidResponseError(f"the answer of {line_name} is longer than {limit} bytes", status=status)
