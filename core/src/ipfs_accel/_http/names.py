"""Addresses of a host for the synchronous world, within a time limit that the system's resolver does not know."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from .base import SOCKET_OPTIONS
from .network import ConnectError, ConnectTimeoutError

__all__ = ["connect_to_any", "numeric"]


def connect_to_any(host: str, port: int, limit: float | None) -> socket.socket:
    """Connect to the first address of a host that answers; each gets an equal share of the time that is left.

    Raises:
        ConnectTimeoutError: The limit in seconds was reached, in the look-up or in connecting.
        ConnectError: The name has no address, or none of them could be connected to; the first one's failure.
    """
    until = None if limit is None else time.monotonic() + limit
    addresses = _addresses(host, port, limit)
    failure: Exception | None = None
    for number, address in enumerate(addresses):
        share = None if until is None else max(0.0, until - time.monotonic()) / (len(addresses) - number)
        try:
            return _connect(*address, share)
        except (ConnectError, ConnectTimeoutError) as error:
            failure = failure or error
    raise failure or ConnectError


def _connect(family: int, address: Any, limit: float | None) -> socket.socket:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(limit)
            sock.connect(address)
            for option in SOCKET_OPTIONS:
                sock.setsockopt(*option)
        except BaseException:
            sock.close()
            raise
    except TimeoutError as error:
        raise ConnectTimeoutError from error
    except OSError as error:
        raise ConnectError from error
    return sock


def _addresses(host: str, port: int, limit: float | None) -> list[tuple[int, Any]]:
    """Return families and addresses, as sockets want them."""
    try:
        found = numeric(host, port)
    except socket.gaierror:
        found = _in_time(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), limit)
    return list(dict.fromkeys([(each[0], each[4]) for each in found]))


def numeric(host: str, port: int) -> list[Any]:
    """Return what stands for an address that is written as such; no name is looked up.

    Raises:
        socket.gaierror: It is no address.
    """
    # As bytes: a text has Python load all that it knows of names in other scripts.
    return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


def _in_time(look_up: Callable[[], list[Any]], limit: float | None) -> list[Any]:
    """Leave a look-up to its thread when the time is over: nothing can end it."""
    found: list[Any] = []
    failures: list[Exception] = []

    def look() -> None:
        try:
            found.extend(look_up())
        except Exception as error:  # noqa: BLE001 - a name that cannot be encoded is another error than one unknown
            failures.append(error)

    thread = threading.Thread(target=look, name="ipfs-accel-resolver", daemon=True)
    thread.start()
    thread.join(limit)
    if thread.is_alive():
        raise ConnectTimeoutError
    if failures:
        raise ConnectError from failures[0]
    return found
