"""What the failures of a connection mean: the kinds of `network` become the errors that users see."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from ipfs_accel.errors import (
    AccelError,
    APIConnectionError,
    APIContext,
    APITimeoutError,
    DeadlineExceededError,
    InvalidResponseError,
    PoolTimeoutError,
)

from .base import find_os_error, is_tls_error
from .network import (
    BrokenError,
    ConnectError,
    ConnectTimeoutError,
    MalformedError,
    NetworkError,
    ProxyRefusedError,
    StepTimeoutError,
    UnaskedError,
    UnsendableError,
    WriteTimeoutError,
)

if TYPE_CHECKING:
    import ssl

    from .lines import LineState

__all__ = ["pool_timeout", "too_long", "translate"]

_CA_HINT = (
    "set ca_file to the PEM file of the authority that signed the server's certificate; "
    "behind a company's proxy that is the company's own"
)
_CERTIFICATE_HINTS = {
    9: "this machine's clock is behind, or the certificate is not in use yet",
    10: "who runs the server has to renew it; or this machine's clock is wrong",
    62: "the host in base_url has to be one that the certificate names",
    64: "the host in base_url has to be one that the certificate names",
}
_LONG_HEAD = 100_000
_TLS_HINT = "check that the URL's scheme and port are right: this may be a server that speaks plain http"


def translate(error: BaseException, line: LineState) -> AccelError | None:
    """Return the error for a failed connection; None for any other exception, which goes to the caller as it is.

    The result is not to be chained to the original, whose traceback keeps the request, and with it the key, alive.
    """
    for kind, explain in _EXPLANATIONS:
        if isinstance(error, kind):
            return explain(error, line)
    return None


def _timed_out(error: BaseException, line: LineState) -> APITimeoutError:
    name, limits = line.target.name, line.timeouts
    if line.is_overdue:
        sentence = f"the exchange with {name} was not over within {_seconds(limits.total)}"
        return DeadlineExceededError(sentence, phase="total", sent=line.sent)
    if isinstance(error, ConnectTimeoutError):
        sentence, phase = f"could not connect to {name} within {_seconds(limits.connect)}", "connect"
    elif isinstance(error, WriteTimeoutError):
        sentence, phase = f"{name} took nothing of the request for {_seconds(limits.write)}", "write"
    else:
        what = "no more of the answer" if line.has_head else "no answer"
        sentence, phase = f"{what} from {name} for {_seconds(line.read_timeout)}", "read"
    return APITimeoutError(sentence, phase=phase, sent=line.sent)


def _seconds(limit: float | None) -> str:
    return "the limit" if limit is None else f"{round(limit, 2):g} s"


def _not_connected(error: BaseException, line: LineState) -> APIConnectionError:
    cause = find_os_error(error)
    context: APIContext = {"phase": "connect", "sent": False}
    if is_tls_error(cause):
        reason = _tls_says(cause, context)
    elif cause is None:
        reason = "the connection was closed"
    elif isinstance(cause, socket.gaierror):
        reason = "the host name cannot be resolved"
        # A name that does not exist will not exist a second later; a resolver that has no answer now may have one.
        context["retryable"] = cause.errno == socket.EAI_AGAIN
    else:
        reason = _system_says(cause)
        if cause.errno in {errno.EMFILE, errno.ENFILE}:
            context["hint"] = "raise the limit of open files (ulimit -n), or let calls wait: limits.max_concurrent"
    return APIConnectionError(f"could not connect to {line.target.name}: {reason}", **context)


def _tls_says(cause: ssl.SSLError, context: APIContext) -> str:
    import ssl  # noqa: PLC0415 - it is loaded, as there is an error of it

    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the connection was closed"
    context["retryable"] = False
    if isinstance(cause, ssl.SSLCertVerificationError):
        context["hint"] = _CERTIFICATE_HINTS.get(cause.verify_code, _CA_HINT)
        return f"its certificate is not trusted ({cause.verify_message})"
    context["hint"] = _TLS_HINT
    return f"TLS error {cause.reason or 'unknown'}"


def _system_says(cause: OSError) -> str:
    # Not `str(cause)`, which may hold more than the reason.
    return "unknown reason" if cause.errno is None else os.strerror(cause.errno).lower()


def _refused_by_proxy(error: BaseException, line: LineState) -> APIConnectionError:
    status = error.status if isinstance(error, ProxyRefusedError) else None
    told = "it refused" if status is None else f"it answered {status}"
    sentence = f"the proxy gave no connection to {line.target.name}: {told}"
    # 407 stays 407; a gateway status may be another one the next time.
    return APIConnectionError(sentence, phase="connect", sent=False, retryable=status in {502, 503, 504})


def _broken(error: BaseException, line: LineState) -> APIConnectionError:
    cause = find_os_error(error)
    if cause is None:
        reason = "it was closed"
    elif is_tls_error(cause):
        reason = f"TLS error {cause.reason or 'unknown'}"
    else:
        reason = _system_says(cause)
    if line.has_head:
        when = "in the middle of the answer"
    else:
        when = "in the middle of the answer's head" if line.received else "before an answer came"
    sentence = f"the connection to {line.target.name} broke {when}: {reason}"
    return APIConnectionError(sentence, phase=_phase(line), sent=line.sent)


def _phase(line: LineState) -> str:
    return "read" if line.sent else "write"


def _malformed(_error: BaseException, line: LineState) -> APIConnectionError:
    if line.eof and line.has_head:
        sentence = f"the answer of {line.target.name} is cut: the connection was closed before its end"
    elif line.eof:
        what = "in the middle of the answer's head" if line.received else "without an answer"
        sentence = f"{line.target.name} closed the connection {what}"
    elif line.received > _LONG_HEAD and not line.has_head:
        sentence = f"{line.target.name} sent a head that is longer than {line.received // 1000} kB"
    else:
        what = "sent a body that breaks the rules of HTTP" if line.has_head else "does not answer in HTTP/1.1"
        sentence = f"{line.target.name} {what}"
    return APIConnectionError(sentence, phase="read", sent=line.sent, retryable=line.eof)


def _unsendable(_error: BaseException, line: LineState) -> APIConnectionError:
    sentence = f"the request to {line.target.name} could not be sent over HTTP/1.1"
    return APIConnectionError(sentence, phase=_phase(line), sent=line.sent, retryable=False)


def _unasked(_error: BaseException, line: LineState) -> APIConnectionError:
    return APIConnectionError(f"{line.target.name} sent something that no request had asked for", phase="read")


_EXPLANATIONS: list[tuple[type[NetworkError], Callable[[BaseException, LineState], AccelError]]] = [
    (StepTimeoutError, _timed_out),
    (ConnectError, _not_connected),
    (ProxyRefusedError, _refused_by_proxy),
    (BrokenError, _broken),
    (MalformedError, _malformed),
    (UnaskedError, _unasked),
    (UnsendableError, _unsendable),
]


def pool_timeout(limit: int, active: int, seconds: float | None) -> PoolTimeoutError:
    """Return the error for a caller that waited too long for a connection."""
    return PoolTimeoutError(
        f"no connection became free within {_seconds(seconds)}: all {limit} are in use ({active} open exchanges)",
        phase="pool",
        sent=False,
        hint="close streams that are no longer read, or let calls wait in a queue: limits.max_concurrent",
    )


def too_long(line: LineState, limit: int, status: int) -> InvalidResponseError:
    """Return the error for a body that is larger than the caller allows."""
    return InvalidResponseError(f"the answer of {line.target.name} is longer than {limit} bytes", status=status)
