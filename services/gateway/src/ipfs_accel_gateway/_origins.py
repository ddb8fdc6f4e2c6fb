"""Which names are this machine's own."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["is_local", "is_loopback"]

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def is_local(origin: str) -> bool:
    """Whether an origin, or a host after two slashes, is this machine."""
    try:
        return urlsplit(origin).hostname in _LOCAL_HOSTS
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
