"""How long the steps of an exchange may take; who makes a request needs nothing else of this package."""

from __future__ import annotations

from ipfs_accel._values import frozen

__all__ = ["Timeouts"]


@frozen(kw_only=True)
class Timeouts:
    """Time limits of one exchange in seconds; None is no limit.

    Attributes:
        connect: To connect, and again for the TLS handshake.
        read: Of silence while waiting for the head or for more of the body.
        write: Without progress while sending.
        pool: To wait for a connection when all are in use.
        total: From the call of `send` to the end of the body.
        call: What the call as a whole may take, of which `total` is what is left: errors name what was set.
    """

    connect: float | None = 5.0
    read: float | None = 60.0
    write: float | None = 60.0
    pool: float | None = 10.0
    total: float | None = None
    call: float | None = None
