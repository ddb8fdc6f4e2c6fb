"""Connections of both worlds: what each is doing, how long its steps may take, and what may be done with it next."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import ConfigError

from .base import Proxy, Target, find_os_error
from .http1 import Reader
from .network import (
    WHO_ARE_YOU,
    BrokenError,
    ConnectTimeoutError,
    MalformedError,
    ProxyRefusedError,
    ReadTimeoutError,
    UnaskedError,
)
from .requests import LAST_CHUNK, Request
from .timeouts import Timeouts

if TYPE_CHECKING:
    import ssl

__all__ = ["LineState", "not_ours"]


def not_ours(line: LineState) -> ConfigError:
    """Return what to say to a forked child that reads on where its parent does: each byte comes to one of them."""
    return ConfigError(
        f"this answer of {line.target.name} is read by the process that forked this one",
        hint="call anew in the child; what was open before the fork stays the parent's",
    )


class LineState:
    """What is known about a connection in the course of a request.

    Attributes:
        served: Requests that were answered on it before.
        sent: Whether a byte of this request may have left.
        eof: Whether the server has hung up.
        has_head: Whether the head of this answer is complete.
        is_open: Whether there is a network connection.
        connect_seconds: What it took to make it, if it was made for this exchange.
        read_timeout: Limit of silence; may be changed between two reads.
        deadline: When this exchange has to be over (`time.monotonic`).
        is_overdue: Whether a time-out means that this moment came, and not the limit of the step.
        proxy: Where the connection goes to instead, if anywhere.
        context: The TLS settings, where TLS is needed.
        asks_proxy: Whether it is still with a proxy, which has to give a tunnel first.
        slot: Its place in the pool.
    """

    def __init__(
        self, target: Target, generation: int, proxy: Proxy | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        self.target = target
        self.key = target.key
        self.generation = generation
        self.proxy = proxy
        self.context: Any = context
        self.slot: Any = None
        self.idle_since = 0.0
        self.served = 0
        self.is_open = False
        self.sink = Reader()
        self.held = b""
        self._is_cut = False
        self._connecting_since = 0.0
        self.asks_proxy = False
        self.begin(Timeouts(), None)

    def begin(self, timeouts: Timeouts, deadline: float | None) -> None:
        """Forget the last exchange."""
        self.sent = False
        self.sink.received = 0
        self.eof = False
        self.has_head = False
        self.is_overdue = False
        self.connect_seconds = 0.0
        self.timeouts = timeouts
        self.read_timeout = timeouts.read
        self.deadline = deadline

    def __del__(self) -> None:
        # An interrupt came at a moment at which nobody but a frame knew of it.
        if getattr(self, "is_open", False) and self.slot is not None:
            self.slot.lose(self)

    @property
    def name(self) -> str:
        """The server, as errors show it, and what is on the way to it."""
        return self.target.name if self.proxy is None else f"{self.target.name} through the proxy {self.proxy.name}"

    @property
    def received(self) -> int:
        """Bytes of this answer so far."""
        return self.sink.received

    @property
    def is_over(self) -> bool:
        """Whether nothing of the answer is left to be taken."""
        return self.sink.is_over and not self.sink.pieces

    @property
    def keeps(self) -> bool:
        """Whether it may serve another request, now that the answer to this one is complete."""
        return self.sink.keeps and not self._is_cut

    def proxys_time(self) -> float | None:
        """Return how long a proxy's answer may take, which belongs to the connecting."""
        limit = self.timeouts.connect
        waited = time.monotonic() - self._connecting_since
        return self.left(None if limit is None else max(0.0, limit - waited), ReadTimeoutError)

    def left(self, limit: float | None, error: type[Exception]) -> float | None:
        """Return how long the next step may take.

        Raises:
            Exception: The given one, if the exchange has no time left.
        """
        if self.deadline is None:
            return limit
        left = self.deadline - time.monotonic()
        self.is_overdue = limit is None or left <= limit
        if left <= 0:
            raise error
        return min(left, limit) if limit is not None else left

    def may_resend(self, error: BaseException) -> bool:
        """Whether the request came too late: the server had closed the idle connection and never saw it."""
        if not self.served or self.received:
            return False
        if isinstance(error, MalformedError):
            return self.eof
        if isinstance(error, UnaskedError):
            return not self.sent
        if not isinstance(error, BrokenError):
            return False
        cause = find_os_error(error)
        return cause is None or isinstance(cause, ConnectionError)

    # Steps of `ask`, which the worlds do in the same order.

    def start_connecting(self) -> tuple[str, int, float | None]:
        """Return the host and port to connect to, and how many seconds that may take."""
        limit = self.left(self.timeouts.connect, ConnectTimeoutError)
        self._connecting_since = time.monotonic()
        self.asks_proxy = self._tunnels
        goal = self.proxy or self.target
        return goal.hostname, goal.port, limit

    def _has_connected(self) -> None:
        self.connect_seconds = time.monotonic() - self._connecting_since

    @property
    def _tunnels(self) -> bool:
        return self.proxy is not None and self.target.is_secure

    def call_proxy(self) -> bytes:
        """Return what asks a proxy for a tunnel; there is as much time for its answer as there was to reach it."""
        self._connecting_since = time.monotonic()
        self.sink.expect("CONNECT")
        name, proxy = self.target.name, self.proxy
        allowed = None if proxy is None else proxy.authorization
        fields = "" if allowed is None else f"Proxy-Authorization: {allowed}\r\n"
        return f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{fields}\r\n".encode("latin-1")

    def hear_proxy(self) -> None:
        """Raise unless the proxy gave a tunnel, in which the first word is ours."""
        sink = self.sink
        if not 200 <= sink.status < 300:  # noqa: PLR2004 - a success, as HTTP has it
            raise ProxyRefusedError(sink.status)
        if sink.has_more:
            raise MalformedError
        self.asks_proxy = False

    def hear(self, status: int) -> None:
        """Raise if it was a proxy that answered, which lets nobody through who does not say who it is."""
        if status == WHO_ARE_YOU and self.proxy is not None and not self.target.is_secure:
            raise ProxyRefusedError(status)

    def _start_asking(self, request: Request) -> None:
        """Hold the head back until there is something of the body, so that one packet carries both.

        Raises:
            UnaskedError: Something came since the last answer.
        """
        if self.served:
            if self.sink.has_more:
                raise UnaskedError
            self.sink.expect(request.method)
        self._is_cut = False
        self.held = request.head(self.proxy)

    def _outgoing(self, data: bytes) -> bytes:
        """Return what has to be sent now."""
        self.sent = True
        held, self.held = self.held, b""
        return b"".join((held, data)) if held else data

    def _rest(self, request: Request) -> bytes | None:
        """Return what is still to be sent when the body is; None if that is nothing."""
        if request.is_chunked:
            return LAST_CHUNK
        return b"" if self.held else None

    def _has_ended(self) -> None:
        """Note that the server hung up."""
        self.eof = True
        self.sink.end()
