"""What can happen to a connection. Every kind of network beneath a transport raises these; `faults` explains them."""

from __future__ import annotations

__all__ = [
    "WHO_ARE_YOU",
    "BrokenError",
    "ConnectError",
    "ConnectTimeoutError",
    "MalformedError",
    "NetworkError",
    "ProxyRefusedError",
    "ReadTimeoutError",
    "SendError",
    "StepTimeoutError",
    "UnaskedError",
    "UnsendableError",
    "WriteTimeoutError",
]


class NetworkError(Exception):
    """A connection failed. It never reaches a user, and carries nothing but what it was raised from."""


class StepTimeoutError(NetworkError):
    """The time for a step ran out."""


class ConnectTimeoutError(StepTimeoutError):
    """No connection, or no TLS over it, in time."""


class ReadTimeoutError(StepTimeoutError):
    """Nothing was received in time."""


class WriteTimeoutError(StepTimeoutError):
    """Nothing more could be sent in time."""


class ConnectError(NetworkError):
    """There is no connection, or no TLS over it."""


class BrokenError(NetworkError):
    """The connection failed below HTTP."""


class SendError(BrokenError):
    """The rest of a request cannot be sent; an answer may be there nevertheless."""


class MalformedError(NetworkError):
    """What came is no HTTP/1.1, or it ended too early."""


WHO_ARE_YOU = 407
"""The status with which a proxy asks for a name and a password."""


class ProxyRefusedError(NetworkError):
    """A proxy gave no connection.

    Args:
        status: What it answered, None if that is not known.
    """

    def __init__(self, status: int | None) -> None:
        super().__init__()
        self.status = status


class UnaskedError(NetworkError):
    """Something was there before the request: whatever it answers, it is not this."""


class UnsendableError(NetworkError):
    """The request cannot be sent over HTTP/1.1."""
