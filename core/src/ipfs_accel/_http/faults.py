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
    APITimeoutError,
    DeadlineExceededError,
    InvalidResponseError,
    PoolTimeoutError,
)

from .base import find_os_error, is_tls_error
from .network import (
    WHO_ARE_YOU,
    BrokenError,
    ConnectError,
    ConnectTimeoutError,
    MalformedError,
    NetworkError,
    ProxyRefusedError,
    ReadTimeoutError,
    StepTimeoutError,
    UnaskedError,
    UnsendableError,
    WriteTimeoutError,
)

if TYPE_CHECKING:
    import ssl

    from ipfs_accel._contexts import APIContext

    from .lines import LineState
    from .timeouts import Timeouts

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
_PLAIN_HINT = "it speaks TLS at this port: the URL has to begin with https://"
_NO_COMMON_VERSION = frozenset({"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"})
_VERSION_HINT = (
    "it takes no version of TLS that this Python takes, which is TLS 1.2 at least: who runs it has to update it"
)


def translate(error: BaseException, line: LineState) -> AccelError | None:
    """Return the error for a failed connection; None for any other exception, which goes to the caller as it is.

    The result is not to be chained to the original, whose traceback keeps the request, and with it the key, alive.
    """
    if line.asks_proxy and isinstance(error, ReadTimeoutError | WriteTimeoutError | BrokenError | MalformedError):
        fault = _no_tunnel(error, line)
        if fault is not None:
            return fault
    for kind, explain in _EXPLANATIONS:
        if isinstance(error, kind):
            return explain(error, line)
    return None


def _no_tunnel(error: BaseException, line: LineState) -> AccelError | None:
    """Tell of a proxy with which a connection was made, and that gave no tunnel: nothing of the request has left."""
    proxy = "" if line.proxy is None else line.proxy.name
    if isinstance(error, StepTimeoutError):
        if line.is_overdue:
            return None
        limit = _seconds(line.timeouts.connect)
        sentence = f"the proxy {proxy} gave no connection to {line.target.name} within {limit}"
        return APITimeoutError(sentence, phase="connect", sent=False, hint=_proxy_hint(line))
    if isinstance(error, MalformedError):
        reason = "it closed the connection" if line.eof else "it does not answer in HTTP/1.1"
    else:
        reason = _reason(error)
    sentence = f"the proxy {proxy} gave no connection to {line.target.name}: {reason}"
    may_pass = line.eof or not isinstance(error, MalformedError)
    return APIConnectionError(sentence, phase="connect", sent=False, hint=_proxy_hint(line), retryable=may_pass)


def _timed_out(error: BaseException, line: LineState) -> APITimeoutError:
    name, limits = line.name, line.timeouts
    if line.is_overdue:
        what = f"the exchange with {name} was" if limits.call is None else f"the call, then at {name}, was"
        limit = limits.total if limits.call is None else limits.call
        sentence = f"{what} not over within {_seconds(limit)}"
        return DeadlineExceededError(sentence, phase="total", sent=line.sent and not line.asks_proxy)
    if isinstance(error, ConnectTimeoutError):
        sentence, phase = f"could not connect to {_goal(line)} within {_seconds(limits.connect)}", "connect"
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
    if line.proxy is not None:
        context.setdefault("hint", _proxy_hint(line))
    fault = APIConnectionError(f"could not connect to {_goal(line)}: {reason}", **context)
    fault.refused = cause is not None and cause.errno == errno.ECONNREFUSED
    return fault


def _goal(line: LineState) -> str:
    """Say where a connection was to lead: to the server, be it in a tunnel, or to what is on the way there."""
    if line.proxy is None or (line.target.is_secure and not line.asks_proxy):
        return line.name
    return f"the proxy {line.proxy.name}, on the way to {line.target.name}"


def _proxy_hint(line: LineState) -> str:
    proxy = "" if line.proxy is None else line.proxy.name
    return f"the setting `proxy` leads to {proxy}; it is for all servers that are not on this machine"


def _tls_hint(reason: str) -> str | None:
    if reason in _NO_COMMON_VERSION:
        return _VERSION_HINT
    return None if "ALERT" in reason else _TLS_HINT  # whoever sends alerts speaks TLS


def _tls_says(cause: ssl.SSLError, context: APIContext) -> str:
    import ssl  # noqa: PLC0415 - it is loaded, as there is an error of it

    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the connection was closed"
    context["retryable"] = False
    if isinstance(cause, ssl.SSLCertVerificationError):
        context["hint"] = _CERTIFICATE_HINTS.get(cause.verify_code, _CA_HINT)
        return f"its certificate is not trusted ({cause.verify_message})"
    context["hint"] = _tls_hint(cause.reason or "")
    return f"TLS error {cause.reason or 'unknown'}"


def _system_says(cause: OSError) -> str:
    # Not `str(cause)`, which may hold more than the reason.
    return "unknown reason" if cause.errno is None else os.strerror(cause.errno).lower()


def _refused_by_proxy(error: BaseException, line: LineState) -> APIConnectionError:
    status = error.status if isinstance(error, ProxyRefusedError) else None
    told = "it refused" if status is None else f"it answered {status}"
    proxy = "" if line.proxy is None else line.proxy.name
    sentence = f"the proxy {proxy} gave no connection to {line.target.name}: {told}"
    hint = _proxy_hint(line)
    if status == WHO_ARE_YOU:
        hint = f'it wants to know who asks: proxy = "http://user:password@{proxy}", with signs such as @ as %40'
    # 407 stays 407; a gateway status may be another one the next time.
    return APIConnectionError(sentence, phase="connect", sent=False, hint=hint, retryable=status in {502, 503, 504})


def _reason(error: BaseException) -> str:
    cause = find_os_error(error)
    if cause is None:
        return "it was closed"
    return f"TLS error {cause.reason or 'unknown'}" if is_tls_error(cause) else _system_says(cause)


def _broken(error: BaseException, line: LineState) -> APIConnectionError:
    reason = _reason(error)
    if line.has_head:
        when = "in the middle of the answer"
    else:
        when = "in the middle of the answer's head" if line.received else "before an answer came"
    sentence = f"the connection to {line.name} broke {when}: {reason}"
    return APIConnectionError(sentence, phase=_phase(line), sent=line.sent)


def _phase(line: LineState) -> str:
    return "read" if line.sent else "write"


def _malformed(_error: BaseException, line: LineState) -> APIConnectionError:
    name = line.name
    if not line.has_head and line.sink.begins_like_tls:
        sentence, hint = f"{name} does not answer in HTTP/1.1, but in TLS", _PLAIN_HINT
        return APIConnectionError(sentence, phase="read", sent=line.sent, retryable=False, hint=hint)
    if line.eof and line.has_head:
        sentence = f"the answer of {name} is cut: the connection was closed before its end"
    elif line.eof:
        what = "in the middle of the answer's head" if line.received else "without an answer"
        sentence = f"{name} closed the connection {what}"
    elif line.received > _LONG_HEAD and not line.has_head:
        sentence = f"{name} sent a head that is longer than {line.received // 1000} kB"
    else:
        what = "sent a body that breaks the rules of HTTP" if line.has_head else "does not answer in HTTP/1.1"
        sentence = f"{name} {what}"
    return APIConnectionError(sentence, phase="read", sent=line.sent, retryable=line.eof)


def _unsendable(_error: BaseException, line: LineState) -> APIConnectionError:
    sentence = f"the request to {line.name} could not be sent over HTTP/1.1"
    return APIConnectionError(sentence, phase=_phase(line), sent=line.sent, retryable=False)


def _unasked(_error: BaseException, line: LineState) -> APIConnectionError:
    return APIConnectionError(f"{line.name} sent something that no request had asked for", phase="read")


_EXPLANATIONS: list[tuple[type[NetworkError], Callable[[BaseException, LineState], AccelError]]] = [
    (StepTimeoutError, _timed_out),
    (ConnectError, _not_connected),
    (ProxyRefusedError, _refused_by_proxy),
    (BrokenError, _broken),
    (MalformedError, _malformed),
    (UnaskedError, _unasked),
    (UnsendableError, _unsendable),
]


def pool_timeout(limit: int, active: int, timeouts: Timeouts) -> PoolTimeoutError:
    """Return the error for a caller that waited too long for a connection."""
    is_overdue = timeouts.pool is None or (timeouts.total is not None and timeouts.total < timeouts.pool)
    seconds = timeouts.pool if not is_overdue else timeouts.total if timeouts.call is None else timeouts.call
    return PoolTimeoutError(
        f"no connection became free within {_seconds(seconds)}: all {limit} are in use ({active} open exchanges)",
        phase="pool",
        sent=False,
        hint="close streams that are no longer read, or let calls wait in a queue: limits.max_concurrent",
    )


def too_long(line: LineState, limit: int, status: int) -> InvalidResponseError:
    """Return the error for a body that is larger than the caller allows."""
    return InvalidResponseError(f"the answer of {line.target.name} is longer than {limit} bytes", status=status)
